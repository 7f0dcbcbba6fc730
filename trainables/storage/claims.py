"""Claims: of many commands on one storage, which one does what.

commands/<token>.json   a command that runs: where, since when, which study; renewed while it lives
claims/<name>.json      who does that: the token of a command, and a line about it

A claim holds as long as its command lives; nothing has to be given back. Both are written by swaps,
so that of many who try at once one wins.
"""

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from trainables.storage.shelf import Shelf, Version
from trainables.storage.storage import Storage

EXPIRY_SECONDS = 60  # without renewal, for a command on another machine
CLOCK_SECONDS = 5.0  # that a process's start may move, as the clock is set right; without ticks
LOOK_SECONDS = 2.0  # between two looks at who lives
NOBODY = b"{}"


def of_trial(trial_id: str) -> str:
    return f"trial-{trial_id}"


def of_measure(trial_id: str, label: str) -> str:
    return f"measure-{trial_id}-{label}"


@dataclass(frozen=True)
class Command:
    """A command, which claims what it does. May be sent to workers, which claim in its name.

    Raises OSError where the storage cannot be used, but for `release`.
    """

    storage: Storage
    token: str
    told: str  # a line about it: host, process, study

    def claim(self, name: str) -> str:
        """Has it done by this command: "" if it is so, else the line of the one that does it.

        What a dead command had claimed is taken over.
        """
        file, tag = f"{name}.json", None
        content = json.dumps({"token": self.token, "told": self.told}).encode()
        while self._claims.swap(file, content, tag) is None:
            found = self._claims.version(file)
            claimed = _read(found)
            token = claimed.get("token")
            if token == self.token:
                return ""
            if token and self.lives(token):
                return str(claimed["told"])
            tag = found.tag if found else None
        return ""

    def holder(self, name: str) -> str:
        """The token of who has claimed it last, living or not; "" for nobody."""
        return str((self._claims.read_json(f"{name}.json") or {}).get("token", ""))

    def release(self, name: str) -> None:
        """Lets others do it, if this command has claimed it.

        Where the storage fails, they may when this command ends: no claim outlives its command.
        """
        with suppress(OSError):
            found = self._claims.version(f"{name}.json")
            if found and _read(found).get("token") == self.token:
                self._claims.swap(f"{name}.json", NOBODY, found.tag)

    def lives(self, token: str) -> bool:
        """Whether that command does. One that is found dead is so for everybody from then on."""
        file = f"{token}.json"
        while (found := self._commands.version(file)) is not None:
            record = _read(found)
            if record and lives(record, found.age):
                return True
            # One that slept, and renews just now, wins this swap, and lives.
            if not record or self._commands.swap(file, NOBODY, found.tag) is not None:
                self._commands.discard(file)
                return False
        return False

    def others(self) -> dict[str, str]:
        """The lines of the other commands that live, by token."""
        found = {}
        for name in self._commands.names("*.json"):
            token = name.removesuffix(".json")
            alive = token != self.token and self.lives(token)
            if alive and (record := self._commands.read_json(name)):  # it has not ended since
                found[token] = told(record)
        return found

    @property
    def _claims(self) -> Shelf:
        return self.storage.top / "claims"

    @property
    def _commands(self) -> Shelf:
        return self.storage.top / "commands"


class Others:
    """The other commands on the storage, as they were at most LOOK_SECONDS ago.

    That is enough to pass over what they do; who is about to do it claims it.
    """

    def __init__(self, command: Command | None) -> None:
        self._command = command  # None: there are no others
        self.ever = False  # whether any has been seen
        self._seen: dict[str, str] = {}
        self._looked = -LOOK_SECONDS

    def now(self) -> dict[str, str]:
        """Their lines, by token."""
        if self._command and time.monotonic() - self._looked >= LOOK_SECONDS:
            self._seen = self._command.others()
            self._looked = time.monotonic()
            self.ever = self.ever or bool(self._seen)
        return self._seen

    def holder(self, name: str) -> str:
        """The token of the one that does it; "" if none does."""
        others = self.now()
        token = self._command.holder(name) if self._command and others else ""
        return token if token in others else ""


def running(storage: Storage) -> dict[str, dict[str, Any]]:
    """The records of the commands that live, by token. Changes nothing."""
    commands, found = storage.top / "commands", {}
    for name in commands.names("*.json"):
        seen = commands.version(name)
        record = _read(seen)
        if seen and record and lives(record, seen.age):
            found[name.removesuffix(".json")] = record
    return found


def machine() -> dict[str, str | None]:
    """Where a process id has its meaning: containers may share the host's name, and not these."""
    boot, processes = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    return {
        "host": socket.gethostname(),
        "boot": boot.read_text().strip() if boot.exists() else None,
        "processes": os.readlink(processes) if processes.is_symlink() else None,
    }


def process(pid: int) -> dict[str, Any]:
    """A process of this machine: its number, and when it began.

    "ticks" since the machine's start tell it from a later one with its number. Unlike "started", in
    seconds since 1970, they stay when the clock is set, as after the sleep of a virtual machine.
    Raises psutil.NoSuchProcess, FileNotFoundError or ProcessLookupError for one that has ended.
    """
    return {"process": pid, "started": psutil.Process(pid).create_time(), "ticks": _ticks(pid)}


def _ticks(pid: int) -> int | None:
    """None without /proc."""
    if not Path("/proc/self/stat").exists():
        return None
    # After the name in brackets, which may have spaces, the state comes, and 19 later the start.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def lives(record: dict[str, Any], age: float) -> bool:
    """Whether the command with that record does, which was written `age` seconds ago.

    On its own machine that is known at once, elsewhere by its age.
    """
    if all(record.get(name) == value for name, value in machine().items()):
        try:
            now = process(record["process"])
            if psutil.Process(record["process"]).status() == psutil.STATUS_ZOMBIE:
                return False
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return False
        if now["ticks"] is not None and "ticks" in record:
            return bool(now["ticks"] == record["ticks"])
        return bool(abs(now["started"] - record["started"]) < CLOCK_SECONDS)
    return age < EXPIRY_SECONDS


def told(record: dict[str, Any]) -> str:
    """The line about a command, from its record."""
    return f"host {record['host']}, process {record['process']} (study {record['study']})"


def _read(found: Version | None) -> dict[str, Any]:
    """Empty where nobody is named, or what is written is not whole."""
    try:
        record: dict[str, Any] = json.loads(found.content) if found else {}
    except ValueError:
        return {}
    return record
