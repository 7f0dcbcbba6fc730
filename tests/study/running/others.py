"""Results as workers leave them, and other commands on a storage."""

import os

from trainables.storage.claims import Command, machine, process
from trainables.storage.storage import Storage


def finish(
    storage: Storage, trial_id: str, reason: str | None = None, retried: bool = False
) -> None:
    status = "failed" if reason else "finished"
    values = {"status": status, "reason": reason, "retried": retried, "history": []}
    storage.trial(trial_id).shelf.write_json("result.json", values)


def command(storage: Storage, token: str) -> Command:
    """One that lives: of this process."""
    about = {**machine(), **process(os.getpid()), "study": token}
    (storage.top / "commands").write_json(f"{token}.json", about)
    return Command(storage, token, f"process {token}")
