"""Result: how a trial ended."""

import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from trainables.selection import CLOCK, RULES, Epoch

OUT_OF_MEMORY = "out of GPU memory"  # the reason of a failure that is tried once more


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a trial ended, stored as JSON. A trial with a final result is never trained again."""

    reason: str | None = None  # why it failed; None: it finished
    history: list[Epoch] = field(default_factory=list)
    selected: dict[str, dict[str, float]] = field(default_factory=dict)  # by rule, by metric
    realised_noise: float | None = None  # share of training labels that were made wrong
    seconds: float = 0.0  # of training
    ended: float = field(default_factory=time.time)  # seconds since 1970
    site: dict[str, Any] = field(default_factory=dict)  # empty: no worker has written the result
    retried: bool = False

    @property
    def failed(self) -> bool:
        return self.reason is not None

    @property
    def status(self) -> str:
        return "failed" if self.failed else "finished"

    @property
    def final(self) -> bool:
        """Whether the trial is done with: all but the first time that GPU memory ran out."""
        return self.reason != OUT_OF_MEMORY or self.retried

    def to_json(self) -> dict[str, Any]:
        return {"status": self.status, **asdict(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Of any version: what a newer one has besides is left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def select(history: list[Epoch]) -> dict[str, dict[str, float]]:
    """Every metric of the history under every selection rule."""
    metrics = [name for name in history[-1] if name not in ("epoch", *CLOCK)]
    values = {rule: {m: choose(history, m) for m in metrics} for rule, choose in RULES.items()}
    return {
        rule: {metric: value for metric, value in chosen.items() if value is not None}
        for rule, chosen in values.items()
    }
