"""Storage: where trials live, in a folder or on S3. Everything is written whole or not at all.

trials/<id>/trial.json          the settings
            site.json           where and when it was started last
            checkpoint-000012.pt    after so many steps; the last two are kept
            history.json        metrics of every finished epoch, with timestamps
            result.json         the end: status, history, where it ran
            model.pt, outputs.pt    final weights; final scores and labels
            soft_labels.csv     the targets' matrix in the end; -00010 after that epoch
            wrong_labels.csv    images whose labels were made wrong: row in the data set, both
            epoch-00010.pt      weights of an epoch that the recipe keeps
            measure-<label>.json    a measure; its features-<label>.csv, if it keeps some
            log.txt
storage.json                    the storage's own id
"""

import fcntl
import functools
import io
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import torch

from trainables.settings import Invalid, masked

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Storage:
    """Trials and studies, under a path or an s3:// URL. Raises Invalid where it is neither.

    On S3 it finds endpoint and credentials as every AWS client does (AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID, ..., an instance's role), on each machine anew: none is pickled with it.
    """

    def __init__(self, where: Path | str) -> None:
        self.top = _shelf_at(where)

    def __str__(self) -> str:
        return str(self.top)

    @property
    def root(self) -> Path | None:
        """The folder; None on S3."""
        return self.top.path

    @property
    def uri(self) -> str:
        """file:///... or s3://..."""
        return self.root.as_uri() if self.root else str(self)

    def identity(self) -> str:
        """A random id, drawn when first asked for; a storage that is moved or copied keeps it."""
        while (found := self.top.read_json("storage.json")) is None:
            self.top.swap("storage.json", json.dumps({"id": uuid4().hex}).encode(), None)
        return str(found["id"])

    def trial(self, trial_id: str) -> "Shelf":
        return self.top / "trials" / trial_id

    def study(self, name: str) -> "Shelf":
        return self.top / "studies" / name

    def results(self) -> Iterator[str]:
        """The ids of the trials with a result."""
        return (name.split("/")[1] for name in self.top.names("trials/*/result.json"))


def _shelf_at(where: Path | str) -> "Shelf":
    text = str(where)
    if isinstance(where, Path) or not re.match(r"s3:|\w+://", text):
        return Folder(Path(where).absolute())
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not BUCKET.fullmatch(bucket):
        valid = "a folder or s3://bucket/prefix, with credentials in the environment only"
        raise Invalid(f"--storage = {masked(text)}: must be {valid}")
    return Bucket(bucket, "/".join(part for part in prefix.split("/") if part))


@dataclass(frozen=True)
class Version:
    """What a name holds at one moment: `tag` tells it from all other contents."""

    content: bytes
    tag: bytes | str
    age: float  # seconds since it was written, by the clock of the storage


class Shelf(ABC):
    """One trial's or study's files. A reader sees a file's old content or its new, never a part.

    Raises OSError where the storage cannot be reached, read or written.
    """

    path: Path | None  # where it is a folder

    @abstractmethod
    def __truediv__(self, name: str) -> "Shelf": ...

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """At once or not at all: also after a crash, and with two writers."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The content, or None where there is none."""

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """The files whose name matches, in order. "*" matches no slash."""

    @abstractmethod
    def size(self, name: str) -> int:
        """In bytes; 0 where there is no such file."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Whether it is there or not."""

    @abstractmethod
    def modified(self, name: str) -> float | None:
        """When it was written, in seconds since 1970; None where there is no such file."""

    @abstractmethod
    def version(self, name: str) -> Version | None: ...

    @abstractmethod
    def swap(self, name: str, content: bytes, old: bytes | str | None) -> bytes | str | None:
        """Writes if what is there has the tag `old` (None: if nothing is). Returns the new tag.

        None where something else is there. Of many who try at once, one succeeds.
        """

    @abstractmethod
    def log(self, name: str) -> TextIO:
        """A text file to append to: on S3 it is put as a whole at each flush, so each epoch."""

    @abstractmethod
    def _source(self, name: str) -> Path | io.BytesIO:
        """What torch reads the file from. Raises FileNotFoundError where there is none."""

    def probe(self) -> None:
        """Writes a file, reads and removes it. Raises OSError, within seconds, if that fails."""
        name = f"probe-{uuid4().hex}"
        self.write(name, b"probe")
        if self.read(name) != b"probe":
            raise OSError(f"{self}: what was written cannot be read")
        self.remove(name)

    def clear(self) -> None:
        """Removes all files but the log; the result first, so that half a shelf has none."""
        self.remove("result.json")
        for name in self.names("*"):
            if name != "log.txt":
                self.remove(name)

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(value, indent=1).encode())

    def read_json(self, name: str) -> Any:
        """The value, or None where there is no such file."""
        content = self.read(name)
        return None if content is None else json.loads(content)

    def save(self, name: str, state: Any) -> None:
        """Tensors and plain values."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.write(name, buffer.getvalue())

    def load(self, name: str, device: torch.device | str = "cpu") -> Any:
        """What `save` wrote; unpickles tensors and plain values only."""
        return torch.load(self._source(name), map_location=device, weights_only=True)


@dataclass(frozen=True)
class Folder(Shelf):
    """Files of a folder, written under a temporary name, synchronised with the disk, renamed."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> "Folder":
        return Folder(self.path / name)

    def write(self, name: str, content: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f".{name}.{uuid4().hex}"
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, pattern: str) -> list[str]:
        return sorted(p.relative_to(self.path).as_posix() for p in self.path.glob(pattern))

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def size(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_size
        except FileNotFoundError:
            return 0

    def modified(self, name: str) -> float | None:
        try:
            return (self.path / name).stat().st_mtime
        except FileNotFoundError:
            return None

    def version(self, name: str) -> Version | None:
        clock = self.path / f".{name}.lock"
        try:
            with (self.path / name).open("rb") as file:  # opened: NFS then asks for its state anew
                content, written = file.read(), os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        clock.touch()
        return Version(content, content, clock.stat().st_mtime - written)

    def swap(self, name: str, content: bytes, old: bytes | str | None) -> bytes | None:
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / f".{name}.lock").open("a") as guard:  # stays: who removed it would
            fcntl.flock(guard, fcntl.LOCK_EX)  # lock a file that others no longer see
            if self.read(name) != old:
                return None
            self.write(name, content)
            return content

    def log(self, name: str) -> TextIO:
        self.path.mkdir(parents=True, exist_ok=True)
        return (self.path / name).open("a", buffering=1)

    def _source(self, name: str) -> Path:
        return self.path / name


@dataclass(frozen=True)
class Bucket(Shelf):
    """Objects whose keys begin with a prefix, each written by one put."""

    bucket: str
    prefix: str
    path = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def __truediv__(self, name: str) -> "Bucket":
        return Bucket(self.bucket, self._key(name))

    def write(self, name: str, content: bytes) -> None:
        if not isinstance(content, bytes):
            raise TypeError(f"{name}: must be bytes")  # a client takes text and open files, too
        self._ask("put_object", name, Body=content)

    def read(self, name: str) -> bytes | None:
        answer = self._ask("get_object", name)
        return None if answer is None else self._body(answer)

    def names(self, pattern: str) -> list[str]:
        whole = self._key(pattern)
        with _as_os_error(self):
            pages = _client().get_paginator("list_objects_v2")
            found = pages.paginate(Bucket=self.bucket, Prefix=whole.partition("*")[0])
            keys = [entry["Key"] for page in found for entry in page.get("Contents", ())]
        start = len(whole) - len(pattern)
        return sorted(
            key[start:]
            for key in keys
            if key.count("/") == whole.count("/") and fnmatchcase(key[start:], pattern)
        )

    def remove(self, name: str) -> None:
        self._ask("delete_object", name)

    def size(self, name: str) -> int:
        answer = self._ask("head_object", name)
        return 0 if answer is None else int(answer["ContentLength"])

    def modified(self, name: str) -> float | None:
        answer = self._ask("head_object", name)
        return None if answer is None else float(answer["LastModified"].timestamp())

    def version(self, name: str) -> Version | None:
        answer = self._ask("get_object", name)
        if answer is None:
            return None
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (now - answer["LastModified"]).total_seconds()
        return Version(self._body(answer), answer["ETag"], age)

    def swap(self, name: str, content: bytes, old: bytes | str | None) -> str | None:
        condition = {"IfNoneMatch": "*"} if old is None else {"IfMatch": old}
        answer = self._ask("put_object", name, Body=content, **condition)
        return None if answer is None else str(answer["ETag"])

    def log(self, name: str) -> TextIO:
        return _Log(self, name)

    def probe(self) -> None:
        with _as_os_error(self):
            _client(attempts=1).head_bucket(Bucket=self.bucket)
        super().probe()

    def _source(self, name: str) -> io.BytesIO:
        content = self.read(name)
        if content is None:
            raise FileNotFoundError(f"{self}/{name}: no such object")
        return io.BytesIO(content)

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _ask(self, what: str, name: str, **more: Any) -> Any:
        """The answer; None where there is no such object, or not the one that was asked for."""
        from botocore.exceptions import ClientError

        with _as_os_error(self):
            try:
                return getattr(_client(), what)(Bucket=self.bucket, Key=self._key(name), **more)
            except ClientError as error:
                if error.response["Error"]["Code"] in ABSENT:
                    return None
                raise

    def _body(self, answer: Any) -> bytes:
        with _as_os_error(self):
            content: bytes = answer["Body"].read()
            return content


# S3's words; "404" is the answer to a HEAD, 409 that of two conditional puts at once.
ABSENT = ("NoSuchKey", "404", "PreconditionFailed", "ConditionalRequestConflict")


class _Log(io.StringIO):
    """Text that is put as a whole object whenever it is flushed."""

    def __init__(self, shelf: Bucket, name: str) -> None:
        super().__init__()
        self._shelf, self._name = shelf, name
        self._put = (shelf.read(name) or b"").decode(errors="replace")
        self.write(self._put)

    def flush(self) -> None:
        if not self.closed and self.getvalue() != self._put:
            self._shelf.write(self._name, self.getvalue().encode())
            self._put = self.getvalue()

    def close(self) -> None:
        self.flush()
        super().close()


@functools.cache
def _client(attempts: int = 6) -> Any:
    """The S3 client of this process; its threads may share it."""
    from boto3.session import Session
    from botocore.config import Config

    retries: Any = {"mode": "standard", "max_attempts": attempts}
    return Session().client(
        "s3", config=Config(retries=retries, connect_timeout=5, read_timeout=10 * attempts)
    )


@contextmanager
def _as_os_error(shelf: Bucket) -> Iterator[None]:
    """S3's many exceptions as the one that a storage raises."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OSError(f"{shelf}: {masked(str(error).splitlines()[0])}") from error
