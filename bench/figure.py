"""Figure: a measured ratio with its goal, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """A number measured several times. It misses its goal only if all of its values do.

    One without a goal is there for comparison.
    """

    name: str
    values: Sequence[float]
    goal: float | None
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""

    @property
    def missed(self) -> bool:
        if self.goal is None:
            return False
        if self.better == "higher":
            return max(self.values) < self.goal
        return min(self.values) > self.goal

    def __str__(self) -> str:
        spread = f"{min(self.values):.3f} .. {max(self.values):.3f}"
        measured = f"{self.name:34} {median(self.values):.3f}{self.unit} ({spread})"
        if self.goal is None:
            return measured
        bound = "at least" if self.better == "higher" else "at most"
        verdict = "MISSED" if self.missed else "ok"
        goal = f"{bound} {self.goal:g}{self.unit}: {verdict}"
        return f"{measured}  {goal}"


def exit_code(figures: Sequence[Figure]) -> int:
    """1 where a goal is missed, else 0."""
    return int(any(figure.missed for figure in figures))
