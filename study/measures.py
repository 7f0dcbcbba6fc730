"""Measured: which measures of a study's trials are wanted, computed, failed or lacking."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from analysis.plan import Cell, Plan
from study.grids.grid import find
from trainables.measures.measure import label
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.trial import Trial

Wanted = tuple[str, str]  # a trial's id and a measure's label


@dataclass(frozen=True)
class Job:
    """A finished trial, and its measures that are to be computed."""

    trial: Trial
    measures: tuple[Use, ...]


def wanted(cells: Iterable[Cell]) -> list[Wanted]:
    """What the cells show, each once."""
    pairs = ((i, cell.measure) for cell in cells if cell.measure for i in cell.trials.values())
    return list(dict.fromkeys((i, name) for i, name in pairs if i))


def lacking(pairs: Iterable[Wanted], storage: Storage) -> list[Wanted]:
    """Those of finished trials that are not computed yet."""
    finished: dict[str, bool] = {}
    missing = []
    for trial_id, name in pairs:
        files = storage.trial(trial_id)
        if trial_id not in finished:
            result = files.result()
            finished[trial_id] = result is not None and not result.failed
        if finished[trial_id] and files.measure(name) is None:
            missing.append((trial_id, name))
    return missing


def failed(pairs: Iterable[Wanted], storage: Storage) -> dict[Wanted, str]:
    """Why, of those that could not be computed."""
    stored = {(i, n): storage.trial(i).measure(n) for i, n in pairs}
    return {pair: s["reason"] for pair, s in stored.items() if s and s["status"] == "failed"}


def forget(pairs: Iterable[Wanted], storage: Storage) -> None:
    """These are to be computed again."""
    for trial_id, name in pairs:
        storage.trial(trial_id).forget_measure(name)


def jobs(
    pairs: Iterable[Wanted],
    plan: Plan,
    trials: Mapping[Trial, str | None],
    prepared: Callable[[Use], Use],
) -> list[Job]:
    """The pairs, put together by trial."""
    uses = [prepared(use) for use in find(plan.grid).measures(plan.scale).values()]
    by_label = {label(use): use for use in uses}
    by_id = {trial_id: trial for trial, trial_id in trials.items()}
    of_trial: dict[str, list[Use]] = {}
    for trial_id, name in pairs:
        of_trial.setdefault(trial_id, []).append(by_label[name])
    return [Job(by_id[trial_id], tuple(found)) for trial_id, found in of_trial.items()]
