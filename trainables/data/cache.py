"""Cache: files of decoded images on a machine's disk, within so many bytes; the oldest give way.

They are read and written by position, not mapped into memory. Processes share what is in memory
either way, and a read is one copy. But a disk that is full, or fails, is an error here that can be
passed over; whoever has mapped the file is ended by it.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from trainables.settings import Invalid, cache_folder, readable

MOST = 200 * 10**9  # bytes, where no size is given
LEFT = 1 << 30  # bytes of the disk that no file takes
FREE_MIB = 256  # of disk, to start with

SUFFIX = ".squares"
PAGE = 4096  # bytes that a file's head has
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def bytes_of(text: str) -> int:
    """ "50GB" as a number. Raises Invalid, which begins with the text, for what is no size."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(MB|GB|TB)", text, re.IGNORECASE)
    if text != "0" and not found:
        raise Invalid(f"{text!r} must be a number with MB, GB or TB, like 50GB; or 0, for no cache")
    return int(float(found[1]) * UNITS[found[2].upper()]) if found else 0


def shown(size: int) -> str:
    """A number of bytes in words."""
    return f"{size / 10**9:,.1f} GB" if size >= 10**9 else f"{size / 10**6:,.1f} MB"


@dataclass(frozen=True)
class Contents:
    """What a file has: PAGE bytes that begin with `head`, `table` bytes, and so many rows.

    `head` says all that the rows depend on, so that files of one head have the same rows.
    """

    head: bytes
    table: int
    row: int  # bytes
    rows: int

    @property
    def name(self) -> str:
        return f"{hashlib.sha256(self.head).hexdigest()[:24]}{SUFFIX}"

    @property
    def begin(self) -> int:
        """The byte that the first row begins at."""
        return PAGE + self.table

    @property
    def size(self) -> int:
        """The bytes of all of it."""
        return self.begin + self.rows * self.row

    def fitting(self, room: int) -> int:
        """How many rows, the first ones, there are in a file of at most `room` bytes."""
        return max(0, min(self.rows, (room - self.begin) // self.row))

    def require(self, file: FileIO, path: Path) -> int:
        """The rows that the file has. Raises Invalid where it is of something else."""
        head = os.pread(file.fileno(), PAGE, 0)
        rows, rest = divmod(os.fstat(file.fileno()).st_size - self.begin, self.row)
        if head != self.head.ljust(PAGE, b"\0") or rest or not 0 <= rows <= self.rows:
            valid = "removed, or --cache-dir another folder"
            raise Invalid(f"{path} is of other images, or incomplete: must be {valid}")
        return rows


@dataclass(frozen=True)
class Cache:
    """A folder of whichever machine asks, and how many bytes its files may have together.

    Without a folder it is `images` beside the checksums that are remembered. Without a size it is
    half of what the disk has free, the files themselves counted as free, at most MOST. With size 0
    nothing is kept.
    """

    folder: Path | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 0:
            raise Invalid(f"--cache-size = {self.size}: must be a number of bytes from 0 on")
        if self.folder is not None:  # in Python it may be given as text
            object.__setattr__(self, "folder", Path(self.folder).expanduser().absolute())

    @property
    def place(self) -> Path | None:
        """Where the files lie on this machine; None where nothing is kept."""
        beside = cache_folder()
        return None if self.size == 0 else self.folder or (beside and beside / "images")

    def __str__(self) -> str:
        """What was asked for, as options."""
        size = [] if self.size is None else [f"--cache-size = {shown(self.size)}"]
        return ", ".join([f"--cache-dir = {self.place}", *size])

    @property
    def chosen(self) -> bool:
        """Whether somebody has asked for it, by its folder or its size."""
        return bool(self.folder or self.size)

    def check(self) -> None:
        """Raises Invalid where what is asked for cannot be written, or has no space.

        It writes nothing. A default that cannot be used is no error: nothing is kept then.
        """
        if not self.place or not self.chosen:
            return
        try:
            there = _first_there(self.place)
            with tempfile.TemporaryFile(dir=there):  # a file without a name
                pass
        except OSError as error:
            valid = f"a folder to write in ({error.strerror or error})"
            raise Invalid(f"--cache-dir = {self.place}: must be {valid}") from None
        if (free := self._free(there) >> 20) < FREE_MIB:
            valid = f"a folder with {FREE_MIB} MiB free, has {free}"
            raise Invalid(f"--cache-dir = {self.place}: must be {valid}")

    def room(self) -> int:
        """The bytes that the files may have on this machine: as asked, and as the disk has."""
        if self.place is None:
            return 0
        free = self._free(_first_there(self.place))
        most = min(MOST, free // 2) if self.size is None else self.size
        return max(0, min(most, free - LEFT))

    def check_file(self, contents: Contents) -> None:
        """Raises Invalid where their file is there, and of something else; it writes nothing."""
        if self.place and (path := self.place / contents.name).exists():
            with readable(path), FileIO(path) as file:
                contents.require(file, path)

    def open(self, contents: Contents) -> "CacheFile":
        """Their file, with as many rows as there is room for; what was never written is zero.

        Files that no process has open make way for it, the longest unused first. Raises Invalid for
        a file of something else, and OSError where there can be none.
        """
        assert self.place, "nothing is kept"
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.place / contents.name
        with _alone(self.place):
            for left in self.place.glob("*.new"):  # by a process that was ended in here
                left.unlink()
            if not path.exists():
                fresh = path.with_suffix(".new")
                fresh.write_bytes(contents.head)
                os.truncate(fresh, contents.begin)
                fresh.replace(path)
            file = FileIO(path, "r+")
            fcntl.flock(file, fcntl.LOCK_SH)
            there = contents.require(file, path)
            fit = contents.fitting(self._make_way(path, contents.size))
            if fit > there or _only_user(file):
                file.truncate(contents.begin + fit * contents.row)
                there = fit
            os.utime(path)  # last used now
        return CacheFile(file, path, there)

    def _make_way(self, path: Path, size: int) -> int:
        """The bytes that the file may have when what nobody uses is removed, as far as need be."""
        room = self.room()
        others = {other: state for other, state in self._files().items() if other != path}
        taken = sum(state.st_size for state in others.values())
        for other, state in sorted(others.items(), key=lambda item: item[1].st_mtime_ns):
            if taken + size <= room:
                break
            with suppress(OSError), FileIO(other) as file:  # of another user, say
                if _only_user(file):
                    other.unlink()
                    taken -= state.st_size
        return room - taken

    def _free(self, there: Path) -> int:
        """The bytes of the disk that are free, or the cache's."""
        own = sum(state.st_blocks * 512 for state in self._files().values())
        return shutil.disk_usage(there).free + own

    def _files(self) -> dict[Path, os.stat_result]:
        states = {}
        for path in self.place.glob(f"*{SUFFIX}") if self.place else ():
            with suppress(FileNotFoundError):  # another process has just removed it
                states[path] = path.stat()
        return states


OFF = Cache(size=0)


class CacheFile:
    """A file of the cache that is open here, and so stays where it is."""

    def __init__(self, file: FileIO, path: Path, rows: int) -> None:
        self._file, self.path, self.rows = file, path, rows
        self._full = False

    def read(self, into: memoryview, start: int) -> bool:
        """Fills `into` from this byte on. False where that fails."""
        try:
            return os.preadv(self._file.fileno(), [into], start) == into.nbytes
        except OSError:
            return False

    def write(self, content: memoryview, start: int) -> None:
        """Says once where that fails, and then does nothing."""
        if self._full:
            return
        try:
            os.pwrite(self._file.fileno(), content, start)
        except OSError as error:
            self._full = True
            print(f"{self.path}: no more images are kept ({error.strerror})", flush=True)


def _only_user(file: FileIO) -> bool:
    """Whether no other process has the file open; to be asked while `_alone`."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        fcntl.flock(file, fcntl.LOCK_SH)  # the failed change has given it up, too


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """While no other process opens or removes a file there."""
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _first_there(place: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(path for path in (place, *place.absolute().parents) if path.exists())
