"""Lease: a study command is known in its storage while it runs, and claims there what it does."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from trainables.settings import Invalid
from trainables.storage import claims
from trainables.storage.claims import EXPIRY_SECONDS, NOBODY, Command
from trainables.storage.storage import Storage
from trainables.worker.node import LEASE

RENEWAL_SECONDS = 10
TURN_SECONDS = 0.5  # between two looks whether something is free

Tag = bytes | str


@contextmanager
def lease(storage: Storage, study: str) -> Iterator[Command]:
    """Makes this command known while it is in here, by one file that a thread renews.

    So the file says that the command lives, however many trials it has claimed. A command that
    slept for EXPIRY_SECONDS may be taken for dead. It finds that out at its next renewal: it is
    interrupted as by SIGINT, and Invalid says so. An older version knows `lease.json` only, and
    holds the storage alone: Invalid where one does, and none can while this command renews that.
    Raises Invalid where the storage cannot be locked, too, or is of a newer version.
    """
    known = _Known(storage, study)
    try:
        storage.identity()
        known.begin()
    except OSError as error:
        valid = "a storage that can be locked"
        raise Invalid(f"--storage = {storage}: must be {valid} ({error})") from None
    done = threading.Event()
    renewal = threading.Thread(target=known.renew, args=(done,), name="lease", daemon=True)
    renewal.start()
    try:
        yield known.command
    finally:
        done.set()
        renewal.join()
        if known.lost:
            raise Invalid(known.lost) from None
        known.end()


@contextmanager
def turn(command: Command, name: str) -> Iterator[None]:
    """What commands do one after the other: waits until no other one is in here."""
    while command.claim(name):
        time.sleep(TURN_SECONDS)
    try:
        yield
    finally:
        command.release(name)


class _Known:
    """This process's record in a storage: every change is a swap of the version that it knows."""

    def __init__(self, storage: Storage, study: str) -> None:
        self.lost = ""  # why, in a line
        self._storage, self._top, self._commands = storage, storage.top, storage.top / "commands"
        self._me = {
            **claims.machine(),
            **claims.process(os.getpid()),
            "study": study,
            "token": uuid4().hex,
        }
        self._file = f"{self._me['token']}.json"
        self.command = Command(storage, str(self._me["token"]), claims.told(self._me))
        self._tag: Tag | None = None

    def begin(self) -> None:
        self._swap()
        if older := self._keep_older_ones_out():
            self._commands.discard(self._file)
            raise Invalid(
                f"--storage = {self._storage}: in use by a study command of an older version "
                f"({older}); wait for it or give another storage"
            )

    def renew(self, done: threading.Event) -> None:
        while not done.wait(RENEWAL_SECONDS):
            try:
                older = self._keep_older_ones_out()
                if older or not (self._swap() or self._is_mine()):
                    whom = f"another ({older}) has taken over" if older else "was taken for dead"
                    self.lost = (
                        f"--storage = {self._storage}: this command slept for over "
                        f"{EXPIRY_SECONDS} s, and {whom}; nothing is lost"
                    )
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                    return
            except OSError as error:  # a storage that is away: nobody else can use it either
                print(f"the lease on {self._storage} cannot be renewed: {error}", flush=True)

    def end(self) -> None:
        """Where the storage fails, whoever comes next finds that this process has ended."""
        try:
            self._commands.discard(self._file)
            found = self._top.version(LEASE)  # read first: one that begins now changes it
            if found and "study" in _holder(found.content) and not self.command.others():
                self._top.swap(LEASE, NOBODY, found.tag)
        except OSError as error:  # told, and in no other error's place
            print(f"the lease on {self._storage} cannot be given back: {error}", flush=True)

    def _swap(self) -> bool:
        tag = self._commands.swap(self._file, self._content(), self._tag)
        self._tag = tag if tag is not None else self._tag
        return tag is not None

    def _is_mine(self) -> bool:
        """Whether what is there is our own write, whose answer did not reach us."""
        found = self._commands.version(self._file)
        if found is None or _holder(found.content).get("token") != self._me["token"]:
            return False
        self._tag = found.tag
        return True

    def _keep_older_ones_out(self) -> str:
        """Writes the lease as they do. Returns who holds it, if one of them lives."""
        while True:
            found = self._top.version(LEASE)
            holder = _holder(found.content) if found else {}
            if found and holder and "study" not in holder and claims.lives(holder, found.age):
                return _told(holder)
            tag = self._top.swap(LEASE, self._content(), found.tag if found else None)
            if tag is not None:
                return ""

    def _content(self) -> bytes:
        return json.dumps({**self._me, "renewed": time.time()}).encode()


def _holder(content: bytes) -> dict[str, Any]:
    """Empty where nobody is named, or what is written is not whole."""
    try:
        holder: dict[str, Any] = json.loads(content)
    except ValueError:
        return {}
    return holder


def _told(holder: dict[str, Any]) -> str:
    since = datetime.fromtimestamp(holder["started"]).strftime("%Y-%m-%d %H:%M:%S")
    return f"host {holder['host']}, process {holder['process']}, started {since}"
