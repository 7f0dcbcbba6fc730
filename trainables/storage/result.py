"""Result: how a trial ended."""

import time
from typing import Any

from trainables.selection import CLOCK, RULES, Epoch

OUT_OF_MEMORY = "out of GPU memory"  # the reason of a failure that is tried once more


Result = dict[str, Any]


def final(result: Result | None) -> bool:
    """Whether a trial is done with: all but the first time that it ran out of GPU memory."""
    if result is None:
        return False
    return result.get("reason") != OUT_OF_MEMORY or bool(result.get("retried"))


def _result(
    reason: str | None,
    history: list[Epoch],
    seconds: float,
    noise: float | None,
    site: dict[str, Any],
) -> Result:
    return {
        "status": "finished" if reason is None else "failed",
        "reason": reason,
        "selected": select(history) if reason is None else {},
        "history": history,
        "realised_noise": noise,
        "seconds": seconds,
        "ended": time.time(),
        "site": site,
        "retried": False,
    }


def select(history: list[Epoch]) -> dict[str, dict[str, float]]:
    """Every metric of the history under every selection rule."""
    metrics = [name for name in history[-1] if name not in ("epoch", *CLOCK)]
    values = {rule: {m: choose(history, m) for m in metrics} for rule, choose in RULES.items()}
    return {
        rule: {metric: value for metric, value in chosen.items() if value is not None}
        for rule, chosen in values.items()
    }
