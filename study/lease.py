"""Lease: one study command at a time on a storage folder."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from trainables.settings import Invalid

RENEWAL_SECONDS = 10
EXPIRY_SECONDS = 60  # without renewal, for a holder on another host


@contextmanager
def lease(root: Path) -> Iterator[None]:
    """Holds the storage folder. Raises Invalid where another command that lives holds it.

    The lease of a dead holder is taken over: at once on its own host, elsewhere when it has not
    been renewed for EXPIRY_SECONDS.
    """
    path = root / "lease.json"
    mine = _self()
    _take(path, mine)
    done = threading.Event()
    threading.Thread(target=_renew, args=(path, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        if _read(path) == mine:
            path.unlink(missing_ok=True)


def _take(path: Path, mine: dict[str, Any]) -> None:
    while True:
        try:
            with path.open("x") as file:
                json.dump(mine, file)
            return
        except FileExistsError:
            holder = _read(path)
            if holder is not None and _lives(holder, path):
                since = datetime.fromtimestamp(holder["started"]).strftime("%Y-%m-%d %H:%M:%S")
                raise Invalid(
                    f"--storage = {path.parent}: in use by another study command (host "
                    f"{holder['host']}, process {holder['process']}, started {since}); wait for it "
                    "or give another folder"
                ) from None
            path.unlink(missing_ok=True)


def _self() -> dict[str, Any]:
    started = psutil.Process().create_time()
    return {"host": socket.gethostname(), "process": os.getpid(), "started": started}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        holder: dict[str, Any] = json.loads(path.read_text())
        return holder
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def _lives(holder: dict[str, Any], path: Path) -> bool:
    if holder["host"] == socket.gethostname():
        try:
            return bool(psutil.Process(holder["process"]).create_time() == holder["started"])
        except psutil.NoSuchProcess:
            return False
    return time.time() - path.stat().st_mtime < EXPIRY_SECONDS


def _renew(path: Path, done: threading.Event) -> None:
    while not done.wait(RENEWAL_SECONDS):
        path.touch()
