"""Lease: one study command at a time on a storage."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from trainables.settings import Invalid
from trainables.storage.shelf import Version
from trainables.storage.storage import Storage
from trainables.worker.node import LEASE

RENEWAL_SECONDS = 10
EXPIRY_SECONDS = 60  # without renewal, for a holder on another machine
CLOCK_SECONDS = 5.0  # that a process's start may move, as the clock is set right

Tag = bytes | str


@contextmanager
def lease(storage: Storage) -> Iterator[None]:
    """Holds the storage. Raises Invalid where another command that lives holds it.

    The lease of a dead holder is taken over: at once on its own machine, elsewhere when it has not
    been renewed for EXPIRY_SECONDS. A holder that slept so long finds that out at its next renewal:
    it is interrupted as by SIGINT, and Invalid says who holds the storage now.
    """
    held = _Held(storage)
    try:
        held.take()
    except OSError as error:
        valid = "a storage that can be locked"
        raise Invalid(f"--storage = {storage}: must be {valid} ({error})") from None
    done = threading.Event()
    renewal = threading.Thread(target=held.renew, args=(done,), name="lease", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        done.set()
        renewal.join()
        if held.lost:
            raise Invalid(held.lost) from None
        held.give_back()


class _Held:
    """This process's hold on a storage: every change is a swap of the version that it knows."""

    def __init__(self, storage: Storage) -> None:
        self.lost = ""  # why, in a line
        self._storage, self._shelf = storage, storage.top
        self._me = {
            **_machine(),
            "process": os.getpid(),
            "started": psutil.Process().create_time(),
            "token": uuid4().hex,
        }
        self._tag: Tag | None = None

    def take(self) -> None:
        while True:
            found = self._shelf.version(LEASE)
            holder = _holder(found)
            if holder and not _same(holder, self._me) and _lives(holder, found):
                raise Invalid(
                    f"--storage = {self._storage}: in use by another study command "
                    f"({_told(holder)}); wait for it or give another storage"
                )
            if self._swap(found.tag if found else None):
                return

    def renew(self, done: threading.Event) -> None:
        while not done.wait(RENEWAL_SECONDS):
            try:
                while not self._swap(self._tag):
                    found = self._shelf.version(LEASE)
                    holder = _holder(found)
                    if found is None or not holder or not _same(holder, self._me):
                        self.lost = (
                            f"--storage = {self._storage}: this command slept for over "
                            f"{EXPIRY_SECONDS} s, and another has taken over "
                            f"({_told(holder) if holder else 'ended since'}); nothing is lost"
                        )
                        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                        return
                    self._tag = found.tag  # our own write, whose answer did not reach us
            except OSError as error:  # a storage that is away: nobody else can take it either
                print(f"the lease on {self._storage} cannot be renewed: {error}", flush=True)

    def give_back(self) -> None:
        """Where the storage fails, whoever comes next finds that this process has ended."""
        try:
            self._shelf.swap(LEASE, b"{}", self._tag)
        except OSError as error:  # told, and in no other error's place
            print(f"the lease on {self._storage} cannot be given back: {error}", flush=True)

    def _swap(self, old: Tag | None) -> bool:
        content = json.dumps({**self._me, "renewed": time.time()}).encode()
        tag = self._shelf.swap(LEASE, content, old)
        if tag is not None:
            self._tag = tag
        return tag is not None


def _holder(found: Version | None) -> dict[str, Any] | None:
    """None where nobody holds it, or what is written is not whole."""
    try:
        holder: dict[str, Any] = json.loads(found.content) if found else {}
    except ValueError:
        return None
    return holder or None


def _same(holder: dict[str, Any], me: dict[str, Any]) -> bool:
    return all(holder.get(name) == me[name] for name in me)


def _told(holder: dict[str, Any]) -> str:
    since = datetime.fromtimestamp(holder["started"]).strftime("%Y-%m-%d %H:%M:%S")
    return f"host {holder['host']}, process {holder['process']}, started {since}"


def _machine() -> dict[str, str | None]:
    """Where a process id has its meaning: containers may share the host's name, and not these."""
    boot, processes = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    return {
        "host": socket.gethostname(),
        "boot": boot.read_text().strip() if boot.exists() else None,
        "processes": os.readlink(processes) if processes.is_symlink() else None,
    }


def _lives(holder: dict[str, Any], found: Version | None) -> bool:
    if all(holder.get(name) == value for name, value in _machine().items()):
        try:
            started = psutil.Process(holder["process"]).create_time()
            return bool(abs(started - holder["started"]) < CLOCK_SECONDS)
        except psutil.NoSuchProcess:
            return False
    return found is not None and found.age < EXPIRY_SECONDS
