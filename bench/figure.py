"""Figure: a measured ratio with its goal, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """A number measured several times. It misses its goal only if all of its values do."""

    name: str
    values: Sequence[float]
    goal: float
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""

    @property
    def missed(self) -> bool:
        if self.better == "higher":
            return max(self.values) < self.goal
        return min(self.values) > self.goal

    def __str__(self) -> str:
        spread = f"{min(self.values):.3f} .. {max(self.values):.3f}"
        bound = "at least" if self.better == "higher" else "at most"
        verdict = "MISSED" if self.missed else "ok"
        goal = f"{bound} {self.goal:g}{self.unit}: {verdict}"
        return f"{self.name:34} {median(self.values):.3f}{self.unit} ({spread})  {goal}"


def exit_code(figures: Sequence[Figure]) -> int:
    """1 where a goal is missed, else 0."""
    return int(any(figure.missed for figure in figures))
