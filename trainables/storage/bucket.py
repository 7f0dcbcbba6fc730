"""Bucket: a shelf on S3."""

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from typing import Any, TextIO

from trainables.settings import masked
from trainables.storage.shelf import Shelf, Version


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
            pages = client().get_paginator("list_objects_v2")
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

    def discard(self, name: str) -> None:
        self.remove(name)

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
            client(attempts=1).head_bucket(Bucket=self.bucket)
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
                return getattr(client(), what)(Bucket=self.bucket, Key=self._key(name), **more)
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
def client(attempts: int = 6) -> Any:
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
