"""Pruners: when a point of a search is given up, by Optuna's own rules on stored values only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

# Steps and resources are epochs, counted from 1. The first tenth of a training is never judged by
# the median; ASHA has rungs at 1/16 and 1/4 of it, Hyperband brackets from 1/9, 1/3 and all of it.
PRUNERS: dict[str, tuple[type[BasePruner], Callable[[int], dict[str, int]]]] = {
    "median": (
        MedianPruner,
        lambda epochs: {"n_startup_trials": 5, "n_warmup_steps": epochs // 10},
    ),
    "asha": (
        SuccessiveHalvingPruner,
        lambda epochs: {"min_resource": max(1, epochs // 16), "reduction_factor": 4},
    ),
    "hyperband": (
        HyperbandPruner,
        lambda epochs: {
            "min_resource": max(1, epochs // 9),
            "max_resource": epochs,
            "reduction_factor": 3,
        },
    ),
}


def pruner_settings(name: str, epochs: int) -> dict[str, int]:
    """The pruner's settings for trials of so many epochs."""
    return PRUNERS[name][1](epochs)


class LearningCurve:
    """How a point comes along: its values by epoch, and what the pruner noted of it.

    The notes (the rungs of ASHA and Hyperband) are derived again after a restart, by going over the
    same epochs: what a killed command had stored of them may be of a decision not carried out.
    """

    def __init__(self, name: str, pruner: str, epochs: int, number: int) -> None:
        self.values: dict[int, float] = {}
        self.notes: dict[str, Any] = {}
        self._name, self._pruner, self._epochs, self._number = name, pruner, epochs, number

    def poor(self, value: float, points: Sequence[FrozenTrial]) -> bool:
        """Whether the point is to be pruned after one more epoch, with this value.

        `points`: all that the study has, this one among them. Decided in memory, by a pruner made
        anew, in a study of the same name and numbers: from both Hyperband draws a bracket. After
        the last epoch there is nothing to prune.
        """
        self.values[len(self.values) + 1] = value
        if len(self.values) >= self._epochs:
            return False
        kind, settings = PRUNERS[self._pruner]
        memory = InMemoryStorage()
        twin = optuna.create_study(
            storage=memory,
            study_name=self._name,
            direction="maximize",
            pruner=kind(**settings(self._epochs)),
            sampler=RandomSampler(seed=0),
        )
        twin.add_trials([self._seen(point) for point in points])
        study_id = memory.get_study_id_from_name(self._name)
        trial_id = memory.get_trial_id_from_study_id_trial_number(study_id, self._number)
        poor = optuna.Trial(twin, trial_id).should_prune()
        self.notes = dict(memory.get_trial(trial_id).system_attrs)
        return poor

    def _seen(self, point: FrozenTrial) -> FrozenTrial:
        """A point as the pruner sees it; one that repeats another does not count twice."""
        if point.number == self._number:
            return _bare(TrialState.RUNNING, None, self.values, self.notes)
        if "repeats" in point.user_attrs:
            return _bare(TrialState.FAIL, None, {}, {})
        return _bare(point.state, point.value, point.intermediate_values, point.system_attrs)


def _bare(
    state: TrialState, value: float | None, values: Mapping[int, float], notes: Mapping[str, Any]
) -> FrozenTrial:
    return create_trial(
        state=state, value=value, intermediate_values=dict(values), system_attrs=dict(notes)
    )
