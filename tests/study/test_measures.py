"""Which measures of a study are wanted, lacking, failed."""

from pathlib import Path

import pytest

from analysis.plan import Plan
from study.grids.grid import Grid
from study.grids.lay_out import lay_out
from study.measures import failed, forget, jobs, lacking, wanted
from trainables.measures.measure import label
from trainables.settings import Use
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.trial import Trial


@pytest.fixture
def laid(measured_grid: Grid) -> tuple[Plan, dict[Trial, str | None]]:
    return lay_out("measured_grid", "demo", 1, (), lambda trial: (trial, trial.id))


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


def finish(storage: Storage, trial_id: str, reason: str | None = None) -> None:
    storage.trial(trial_id).end(Result(reason=reason))


def store(storage: Storage, pair: tuple[str, str], reason: str | None = None) -> None:
    content = {"status": "failed" if reason else "finished", "reason": reason}
    storage.trial(pair[0]).write_measure(pair[1], content)


def test_each_measure_of_a_trial_is_wanted_once(laid: tuple[Plan, dict[Trial, str | None]]) -> None:
    plan, _ = laid
    hard, smooth = plan.trials()
    fgsm, ensemble = (c.measure for c in plan.cells if c.row == "hard" and c.measure)
    pgd = plan.cells[-1].measure
    pairs = wanted(plan.cells)
    assert pairs == [
        (hard, fgsm),
        (hard, ensemble),
        (smooth, fgsm),
        (smooth, ensemble),
        (smooth, pgd),
    ]
    assert wanted((*plan.cells, *plan.cells)) == pairs
    assert wanted(plan.cells[:1]) == []  # a metric of the history


def test_only_finished_trials_lack_a_measure_until_it_is_stored(
    laid: tuple[Plan, dict[Trial, str | None]], storage: Storage
) -> None:
    pairs = wanted(laid[0].cells)
    hard, smooth = laid[0].trials()
    assert lacking(pairs, storage) == []
    finish(storage, hard, "bad data")
    finish(storage, smooth)
    assert lacking(pairs, storage) == pairs[2:]
    store(storage, pairs[2])
    store(storage, pairs[3], "there is nothing to measure")
    assert lacking(pairs, storage) == pairs[4:]
    assert failed(pairs, storage) == {pairs[3]: "there is nothing to measure"}
    forget(failed(pairs, storage), storage)
    assert failed(pairs, storage) == {}
    assert lacking(pairs, storage) == pairs[3:]


def test_a_job_is_a_trial_with_all_its_measures(
    laid: tuple[Plan, dict[Trial, str | None]],
) -> None:
    plan, trials = laid

    def prepared(use: Use) -> Use:
        return use

    first, second = jobs(wanted(plan.cells), plan, trials, prepared)
    assert [first.trial.id, second.trial.id] == plan.trials()
    assert [use.name for use in second.measures] == ["Fgsm", "Ensemble", "Pgd"]
    assert {label(use) for use in (*first.measures, *second.measures)} == set(plan.measures)
