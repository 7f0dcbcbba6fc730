"""Which epoch's numbers are reported: rules from a trial's history to one number a metric."""

from collections.abc import Callable, Sequence
from statistics import fmean

Epoch = dict[str, float]  # of one epoch: metrics by name, "epoch" counted from 1, and of the clock
CLOCK = ("time", "seconds")  # when it ended, and the training until then: no metrics
Rule = Callable[[Sequence[Epoch], str], float | None]


def last(history: Sequence[Epoch], metric: str) -> float | None:
    """After the last epoch."""
    return history[-1].get(metric) if history else None


def best_validation(history: Sequence[Epoch], metric: str) -> float | None:
    """At the epoch of the highest validation accuracy, the earliest of equals."""
    return _at_best(history, "validation.accuracy", metric)


def mean_of_last_5(history: Sequence[Epoch], metric: str) -> float | None:
    """The mean over the last five epochs."""
    values = [epoch[metric] for epoch in history[-5:] if metric in epoch]
    return fmean(values) if values else None


def oracle(history: Sequence[Epoch], metric: str) -> float | None:
    """At the epoch of the highest test accuracy: selected on test data, only for comparison."""
    return _at_best(history, "test.accuracy", metric)


RULES: dict[str, Rule] = {
    rule.__name__: rule for rule in (last, best_validation, mean_of_last_5, oracle)
}


def _at_best(history: Sequence[Epoch], guide: str, metric: str) -> float | None:
    guided = [epoch for epoch in history if guide in epoch]
    return max(guided, key=lambda epoch: epoch[guide]).get(metric) if guided else None
