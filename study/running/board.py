"""Board: what the commands on one Ray cluster tell each other.

It knows nothing of this project, and takes plain dicts: commands of other versions can share it.
"""

import time
from typing import Any

import ray

FORGOTTEN_SECONDS = 15.0  # without a word of it, a command has ended


class Board:
    """What each command has last told of itself, by the command's name."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, dict[str, Any]]] = {}

    def tell(self, name: str, entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Takes the command's entry. Returns those of all commands that live, this one's too."""
        self._told[name] = time.monotonic(), entry
        self._forget()
        return {other: entry for other, (_, entry) in self._told.items()}

    def leave(self, name: str) -> None:
        """The command has ended; with the last one, the actor ends."""
        self._told.pop(name, None)
        self._forget()
        if not self._told:
            ray.actor.exit_actor()  # type: ignore[no-untyped-call]

    def _forget(self) -> None:
        oldest = time.monotonic() - FORGOTTEN_SECONDS
        self._told = {name: told for name, told in self._told.items() if told[0] > oldest}
