"""Trials that wait beyond the share, withdrawn from a real Tune."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import ray

from study.request import Resources
from study.running import cluster, launch
from study.running.feed import Feed
from study.running.sources import Queue
from tests.study.troubles import Slow
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.trial import Trial

pytestmark = pytest.mark.slow


def resources_at_once() -> int:
    return int(ray.cluster_resources()["CPU"])


@pytest.fixture(autouse=True)
def own_cluster() -> Iterator[None]:
    cluster.connect(None)
    yield
    ray.shutdown()


def test_what_waits_is_withdrawn_and_trained_later_in_its_order(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    trials = [trial.but(net=Use(Slow, seconds=1), seed=seed) for seed in range(5)]
    feed = Feed([Queue({one.id: one for one in trials}, storage)], storage)
    begun: list[str] = []

    def begin(trial_id: str) -> None:
        begun.append(trial_id)
        feed.share.limit = 1  # there were places for all

    resources = cluster.fitted(Resources())
    about = {"storage": storage, "folder": Path("/nowhere"), "begun": begin, "command": None}
    launch._train(feed, resources, partial(launch._fit, **about), shared=False)
    order = [one.id for one in trials]
    at_once = resources_at_once()  # which of those that start together is first, is chance
    assert set(begun[:at_once]) == set(order[:at_once])
    assert begun[at_once:] == order[at_once:]
    assert set(storage.results()) == set(begun)
    assert len(feed.ids) > len(trials)  # Tune had some twice
    assert not feed.held


def test_no_worker_under_way_is_ended_for_another_one_that_is_free(
    tmp_path: Path, trial: Trial
) -> None:
    """Trials are shorter than the start of a worker, so that the first one soon looks for more."""
    storage, places = Storage(tmp_path), resources_at_once()
    trials = [trial.but(seed=seed) for seed in range(8 * places)]
    source = Queue({one.id: one for one in trials}, storage)
    assert not launch.run([source], storage, Path("/nowhere"), cluster.fitted(Resources()))
    assert set(storage.results()) == {one.id for one in trials}
    assert len(list(ray._private.state.actors())) == places
