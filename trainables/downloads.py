"""Downloads: files of public data sets and weights, each verified by its checksum."""

import hashlib
from concurrent.futures import Future
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

from trainables.settings import Invalid, Missing, readable
from trainables.storage.folder import Folder

PATIENCE = 4.5  # seconds: a download that hears nothing for so long is given up


def answer(url: str) -> Any:
    """The server's opened answer. Raises OSError or HTTPException where there is none.

    The server is asked in a thread: no timeout of urllib's covers the look-up of a name.
    """
    opened: Future[Any] = Future()

    def ask() -> None:
        try:
            # Some servers refuse urllib's own name.
            request = Request(url, headers={"User-Agent": "torch.hub"})
            opened.set_result(urlopen(request, timeout=PATIENCE))
        except Exception as error:
            opened.set_exception(error)

    Thread(target=ask, daemon=True).start()
    return opened.result(PATIENCE)


def reason(error: OSError | HTTPException) -> str:
    """Why a download failed, in words."""
    return str(error) or f"no answer within {PATIENCE} s"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def fetch(path: Path, url: str) -> None:
    """Downloads the file unless it is there. Raises Invalid where that fails or it is corrupt."""
    if path.exists():
        verify(path, url)
        return
    try:
        with answer(url) as opened:
            content = opened.read()
        if not genuine(content, path.name):
            raise OSError("its content is another")
        Folder(path.parent).write(path.name, content)
    except (OSError, HTTPException) as error:
        wanted = f"put the file from {url} there"
        raise Missing(f"{path} is missing: {wanted} ({reason(error)})") from None


def verify(path: Path, url: str) -> None:
    """Raises Invalid where the file is missing or corrupt."""
    if not path.is_file():
        raise Missing(f"{path} is missing: put the file from {url} there")
    with readable(path):
        content = path.read_bytes()
    if not genuine(content, path.name):
        raise Invalid(f"{path} is corrupt: put the file from {url} there")


def genuine(content: bytes, name: str) -> bool:
    """Whether the content has the checksum that its name tells."""
    return hashlib.sha256(content).hexdigest().startswith(Path(name).stem.rpartition("-")[2])
