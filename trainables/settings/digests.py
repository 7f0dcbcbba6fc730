"""Digests: SHA-256 of the content of files, each read once as long as the file stays as it is."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from trainables.settings.invalid import printable, readable
from trainables.settings.remembered import KEY, Remembered

Check = Callable[[BinaryIO, Path], None]

OPENING = 64 << 10  # bytes that are hashed in the time that opening a file takes
REMEMBERED_FROM = 64 << 20  # bytes, with those of the openings: less is read in about 0.1 s
TOLD_FROM = 2 << 30  # bytes, with those of the openings: more takes seconds
YOUNG = 2 * 10**9  # ns: a change soon after another one may leave a file's times as they are
TOGETHER = 64  # files that a thread takes at once
THREADS = 2 * (os.cpu_count() or 1) + 2  # some wait for the disk
KEPT = 4  # digests for each file: of the file before it changed, of another machine's


def digests(
    paths: Sequence[str], about: str, check: Check | None = None, rules: str = ""
) -> list[bytes]:
    """The 32 bytes of each file, in the order of the paths.

    Where that is much to read they are remembered for this user, under `about` and `rules`: a file
    is read, and given to `check`, when its path, size, times of change or inode is new. Raises
    Invalid for a file that cannot be read, and what `check` raises.
    """
    with readable(about):
        states = [os.stat(path) for path in paths]
    if _cost(states) < REMEMBERED_FROM:
        return [digest for digest, _ in _read_all(paths, check)]
    keys = [_key(path, state) for path, state in zip(paths, states, strict=True)]
    memory = Remembered(f"{about}\0{rules}")
    known, fresh = memory.read(), dict[bytes, bytes]()
    if not all(key in known for key in keys):
        with memory.alone():
            known = memory.read()  # with what another process has read meanwhile
            new = [i for i, key in enumerate(keys) if key not in known]
            _tell(about, [states[i] for i in new])
            found = _read_all([paths[i] for i in new], check)
            try:
                for i, (digest, lasting) in zip(new, found, strict=True):
                    fresh[keys[i]] = digest
                    if lasting:
                        known[lasting] = digest
            finally:  # what is read by now is not read again
                few = len(known) <= KEPT * len(keys)
                memory.write(known if few else {key: known[key] for key in keys if key in known})
    return [fresh[key] if key in fresh else known[key] for key in keys]


def _tell(about: str, states: Sequence[os.stat_result]) -> None:
    """Says what takes a while."""
    if _cost(states) >= TOLD_FROM:
        size = sum(state.st_size for state in states) / 2**30
        amount = f"{len(states):,} files, {size:.1f} GiB"
        print(f"{printable(about)}: {amount}, are read once to identify them", flush=True)


def _cost(states: Iterable[os.stat_result]) -> int:
    return sum(state.st_size + OPENING for state in states)


def _key(path: str, state: os.stat_result) -> bytes:
    """What is another one for another path, size, time of change or inode."""
    told = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino} "
    return hashlib.sha256(told.encode() + os.fsencode(path)).digest()[:KEY]


def _read_all(paths: Sequence[str], check: Check | None) -> Iterator[tuple[bytes, bytes | None]]:
    """Of each file, in order, the digest, and the key that it may be remembered by, if any."""

    def some(start: int) -> list[tuple[bytes, bytes | None]]:
        return [_read(path, check) for path in paths[start : start + TOGETHER]]

    pool = ThreadPoolExecutor(THREADS)
    try:
        for read in pool.map(some, range(0, len(paths), TOGETHER)):
            yield from read
    finally:
        pool.shutdown(cancel_futures=True)


def _read(path: str, check: Check | None) -> tuple[bytes, bytes | None]:
    now = time.time_ns()
    with readable(path), open(path, "rb") as file:
        state = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").digest()
        if check:
            file.seek(0)
            check(file, Path(path))
    return digest, _key(path, state) if now - state.st_ctime_ns > YOUNG else None
