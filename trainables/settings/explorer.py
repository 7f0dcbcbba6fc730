"""Explorer: every way through what a class's `suggest` asks for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from trainables.settings.settings import Suggest


class Explorer:
    """A Suggest that takes a given one of each parameter's options, else the first.

    The options of a number are the ends of its range.
    """

    def __init__(self, script: Sequence[int]) -> None:
        self.asked: dict[str, str] = {}  # ranges in words, by name
        self.path: list[tuple[int, int]] = []  # which option was taken, of how many
        self._script = script

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        steps = f", step {step:g}" if step else ""
        return float(self._take(name, f"{low:g} to {high:g}{steps}{', log' * log}", (low, high)))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        words = f"{low} to {high}, step {step}{', log' * log}"
        return int(self._take(name, words, (low, high)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._take(name, " | ".join(map(str, choices)), choices)

    def _take(self, name: str, words: str, options: Sequence[Any]) -> Any:
        self.asked[name] = words
        at = len(self.path)
        taken = self._script[at] if at < len(self._script) else 0
        self.path.append((taken, len(options)))
        return options[taken]


def branches(
    suggest: Callable[[Suggest], dict[str, Any]],
) -> Iterator[tuple[Explorer, dict[str, Any]]]:
    """Every way through `suggest` over the options of its parameters, with what it returned."""
    script: list[int] | None = []
    while script is not None:
        explorer = Explorer(script)
        yield explorer, suggest(explorer)
        path = explorer.path
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        script = [taken for taken, _ in path[:-1]] + [path[-1][0] + 1] if path else None
