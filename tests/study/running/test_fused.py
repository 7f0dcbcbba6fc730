"""Trials that one worker trains together: each handed out, claimed, lost and ended as one."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import tune
from ray.tune.search import Searcher
from ray.tune.utils import flatten_dict
from torch import Tensor

from study.request import Resources
from study.running import cluster, launch
from study.running.feed import Feed, Taken
from study.running.sources import Queue, queue
from study.running.watch import Watch
from study.search.space import KINDS, Space
from tests.study.command import running
from tests.study.laboratory import Laboratory
from tests.study.running.others import command, finish
from tests.trainables.small import NOWHERE, small_trial
from tests.trainables.storage.test_claims import known
from trainables.data.data import Batch
from trainables.losses.cross_entropy import CrossEntropy
from trainables.methods.byot import BYOT
from trainables.settings import Use
from trainables.storage.claims import of_trial
from trainables.storage.storage import Storage
from trainables.targets.smooth import Smooth
from trainables.task import Out
from trainables.trial import Trial
from trainables.worker.group import Places
from trainables.worker.trainable import trainable, trials_of


def alike(trial: Trial, count: int) -> dict[str, Trial]:
    return {one.id: one for one in (trial.but(seed=seed) for seed in range(count))}


@pytest.fixture
def trials(trial: Trial) -> dict[str, Trial]:
    return alike(trial, 3)


def test_a_worker_is_given_all_of_them(tmp_path: Path, trials: dict[str, Trial]) -> None:
    feed = Feed([Queue(trials, Storage(tmp_path), fuse=4)], Storage(tmp_path))
    config = feed.suggest("t0")
    assert trials_of(config) == trials
    assert (config["id"], config["trial"]) == next(iter(trials.items()))
    assert feed.waiting == list(trials)
    assert feed.ids == {"t0": tuple(trials)}
    assert feed.out == 1
    feed.place("t0", placed=True)
    assert feed.waiting == []


def test_each_ends_by_itself(tmp_path: Path, trials: dict[str, Trial]) -> None:
    storage = Storage(tmp_path)
    source = Queue(trials, storage, fuse=4)
    feed = Feed([source], storage)
    feed.suggest("t0")
    first, second, last = trials
    finish(storage, first)
    finish(storage, second, "the loss was nan")
    feed.on_trial_complete("t0", {"lost": "OSError"})
    assert source.lost == [last]
    assert feed.suggest("t1") == Searcher.FINISHED


def test_those_without_a_result_are_handed_out_again_together(
    tmp_path: Path, trials: dict[str, Trial]
) -> None:
    storage = Storage(tmp_path)
    feed = Feed([Queue(trials, storage, fuse=4)], storage)
    feed.suggest("t0")
    first, *others = trials
    finish(storage, first)
    feed.on_trial_complete("t0", error=True)
    assert list(trials_of(feed.suggest("t1"))) == others


def test_the_last_one_of_a_group_is_still_fused(tmp_path: Path, trial: Trial) -> None:
    """And one that cannot be is not."""
    own = trial.but(method=Use(BYOT))
    source = Queue({trial.id: trial, own.id: own}, Storage(tmp_path), fuse=4)
    feed = Feed([source], Storage(tmp_path))
    assert feed.suggest("t0") == {"id": trial.id, "trial": trial, "beside": {}}
    assert feed.suggest("t1") == {"id": own.id, "trial": own}


def test_a_withdrawn_group_is_handed_out_again(tmp_path: Path, trials: dict[str, Trial]) -> None:
    feed = Feed([Queue(trials, Storage(tmp_path), fuse=4)], Storage(tmp_path))
    feed.suggest("t0")
    feed.withdraw("t0")
    feed.on_trial_complete("t0")
    assert trials_of(feed.suggest("t1")) == trials


def test_what_another_command_trains_is_left_out(
    tmp_path: Path, trials: dict[str, Trial], capsys: pytest.CaptureFixture[str]
) -> None:
    """Known when the group is taken, or found by its worker."""
    storage = Storage(tmp_path)
    mine, other = command(storage, "mine"), command(storage, "other")
    first, second, last = trials
    other.claim(of_trial(last))
    feed = Feed([Queue(trials, storage, fuse=4)], storage, command=mine)
    assert list(trials_of(feed.suggest("t0"))) == [first, second]
    finish(storage, first)
    feed.on_trial_complete("t0", flatten_dict({"elsewhere": [(second, other.told)]}))
    assert capsys.readouterr().out.startswith(f"trial {last} is trained by ")
    assert feed.held


class Given:
    """A trial as Tune has it."""

    trial_id = "t0"
    temporary_state = SimpleNamespace(ray_actor="its")

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config


def test_a_worker_that_hangs_fails_its_own_trials_alone(
    tmp_path: Path, trials: dict[str, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the group has a result, one is trained by another command."""
    storage, killed = Storage(tmp_path), list[object]()
    monkeypatch.setattr(ray, "kill", killed.append)
    mine, other = command(storage, "mine"), command(storage, "other")
    first, second, last = trials
    feed = Feed([Queue(trials, storage, fuse=4)], storage, command=mine)
    given = Given(feed.suggest("t0"))
    other.claim(of_trial(last))
    watch = Watch(feed, storage, Resources(stall_minutes=1e-9))
    watch.on_trial_start(0, [], given)
    finish(storage, first)
    watch.on_trial_result(0, [], given, {"epoch": 0})
    watch.on_step_end(0, [])
    assert killed == ["its"]
    assert storage.trial(first).result().reason is None
    assert storage.trial(second).result().reason.startswith("no epoch finished within")
    assert storage.trial(last).result() is None


EPOCHS = 5


class Dawdling(CrossEntropy):
    """Takes a tenth of a second a batch, and no processor."""

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        time.sleep(0.1)
        return super().forward(out, target, batch)


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield cluster.fitted(Resources(fuse=4))
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_command_s_trials_are_fused_and_each_is_recorded(
    tmp_path: Path, trial: Trial, resources: Resources
) -> None:
    """Under the real Ray, in two groups."""
    storage = Storage(tmp_path)
    trials = alike(trial, 5)
    begun: list[str] = []
    asked = queue(trials, storage, fuse=3)
    assert launch.run([asked], storage, NOWHERE, resources, begun.append) == {}
    assert sorted(begun) == sorted(trials)
    found = [storage.trial(i).result() for i in trials]
    assert sorted(result.site["fused"] for result in found if result) == [2, 2, 3, 3, 3]
    for trial_id in trials:
        said = storage.trial(trial_id).log_lines()
        assert [line.split(",")[0] for line in said] == ["epoch 1", "epoch 2", "epoch 3"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_points_of_a_search_are_fused_and_each_batch_knows_those_before_it(
    tmp_path: Path, trial: Trial, resources: Resources
) -> None:
    space = Space(trial.but(targets=Use(Smooth)), KINDS["parts"])
    laboratory = Laboratory(tmp_path, space, lambda trial: pytest.fail("it is trained"))
    search = laboratory.search(14, fuse=4)
    assert launch.run([search], laboratory.storage, NOWHERE, resources) == {}
    assert search.over
    results = [laboratory.storage.trial(p["trials"][0]).result() for p in search.points()]
    assert [result.site["fused"] for result in results if result] == [4] * 12 + [2] * 2

    def score(trial: Trial) -> float:
        result = laboratory.storage.trial(trial.resolved(NOWHERE, {}).id).result()
        assert result
        return float(result.selected["last"]["validation.accuracy"])

    other = Laboratory(tmp_path / "other", space, score)
    assert other.run(other.search(14, fuse=4)).points() == search.points()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_dies_costs_each_of_its_trials_an_epoch(
    tmp_path: Path, resources: Resources
) -> None:
    for name in ("storage", "undisturbed"):
        (tmp_path / name).mkdir()
    storage, undisturbed = Storage(tmp_path / "storage"), Storage(tmp_path / "undisturbed")
    trials = alike(small_trial(loss=Use(Dawdling), **{"recipe.epochs": EPOCHS}), 3)
    last = list(trials)[-1]
    killed: list[str] = []

    def kill() -> None:
        """In the third epoch of the last one."""
        while len(storage.trial(last).history()) < 2:
            time.sleep(0.05)
        (worker,) = running("ImplicitFunc")
        worker.send_signal(signal.SIGKILL)
        killed.append(last)

    thread = Thread(target=kill, daemon=True)
    thread.start()
    for where in (storage, undisturbed):
        assert launch.run([queue(trials, where, fuse=3)], where, NOWHERE, resources) == {}
    assert killed == [last]
    for trial_id in trials:
        result, expected = (s.trial(trial_id).result() for s in (storage, undisturbed))
        assert result
        assert expected
        assert result.site["fused"] == expected.site["fused"] == 3
        epochs = [epoch["validation.loss"] for epoch in result.history]
        assert epochs == pytest.approx([epoch["validation.loss"] for epoch in expected.history])
        lines = storage.trial(trial_id).log_lines()
        assert sum(line.startswith("epoch ") for line in lines) <= EPOCHS + 1


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("resources")
def test_a_group_of_which_all_or_some_are_elsewhere_tells_so(
    tmp_path: Path, trials: dict[str, Trial]
) -> None:
    (tmp_path / "storage").mkdir()
    storage = Storage(tmp_path / "storage")
    mine, other = known(storage, "mine"), known(storage, "other")
    for taken in (2, 3):
        for trial_id in list(trials)[:taken]:
            other.claim(of_trial(trial_id))
        group = Taken(0, trials, fused=True).config
        tuner = tune.Tuner(
            trainable(storage, NOWHERE, Places(), command=mine),
            param_space=group,
            run_config=tune.RunConfig(storage_path=str(tmp_path / "ray"), verbose=0),
        )
        (told,) = tuner.fit()
        assert told.error is None
        assert told.metrics
        assert told.metrics["elsewhere"] == [(i, other.told) for i in list(trials)[:taken]]
        assert list(storage.results()) == list(trials)[2:]
        mine.release(of_trial(list(trials)[2]))
