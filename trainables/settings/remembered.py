"""Remembered: a file of the user's cache folder that keeps digests between commands."""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

MAGIC = b"label-studies digests 1\n"
KEY = 16  # bytes, and
DIGEST = 32  # bytes: a record is a key and its digest


class Remembered:
    """Digests by key, `about` some files, for all processes of a user.

    A file that is missing, damaged, or cannot be written is as one that remembers nothing.
    """

    def __init__(self, about: str) -> None:
        name = hashlib.sha256(os.fsencode(about)).hexdigest()[:24]
        folder = cache_folder()
        self._path = folder / name if folder else None

    def read(self) -> dict[bytes, bytes]:
        """What is remembered."""
        try:
            content = self._path.read_bytes() if self._path else b""
        except OSError:
            return {}
        head, records = content[: len(MAGIC) + DIGEST], content[len(MAGIC) + DIGEST :]
        if head != MAGIC + hashlib.sha256(records).digest():
            return {}
        starts = range(0, len(records), KEY + DIGEST)
        return {records[i : i + KEY]: records[i + KEY : i + KEY + DIGEST] for i in starts}

    def write(self, digests: Mapping[bytes, bytes]) -> None:
        """These and no others, at once or not at all."""
        if self._path is None:
            return
        records = b"".join(key + digest for key, digest in digests.items())
        content = MAGIC + hashlib.sha256(records).digest() + records
        fresh = self._path.with_suffix(f".{uuid4().hex}")
        with suppress(OSError):
            try:
                fresh.write_bytes(content)
                fresh.replace(self._path)
            finally:
                fresh.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other process of the user is in here, where the file system has locks."""
        with ExitStack() as stack:
            if self._path:
                with suppress(OSError):
                    self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    lock = stack.enter_context(self._path.with_suffix(".lock").open("w"))
                    fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def cache_folder() -> Path | None:
    """XDG's, of this user; None where there is none."""
    place = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(place) / "label-studies" if os.path.isabs(place) else None
