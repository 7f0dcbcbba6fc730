"""Handing out trials: a table's, searches', none twice at once, none of another command's."""

import math
from pathlib import Path

from ray.tune.search import Searcher

from study.running.feed import HANDED_OUT_AGAIN, Feed
from study.running.sources import Queue
from tests.study.running.others import finish
from trainables.storage.storage import Storage
from trainables.trial import Trial


class Listed:
    """A search that asks for the trials of a list, and notes which ones have ended."""

    def __init__(self, trial: Trial, *ids: str, ahead: int = 9) -> None:
        self.ahead = ahead
        self.lost: list[str] = []
        self.left = list(ids)
        self.noted: list[str] = []
        self.trial = trial

    def take(self) -> tuple[str, Trial] | None:
        return (self.left.pop(0), self.trial) if self.left else None

    def beside(self, trial_id: str, trial: Trial) -> None:
        pass

    def ended(self, trial_id: str) -> None:
        self.noted.append(trial_id)


def test_the_search_with_the_fewest_running_is_next(tmp_path: Path, trial: Trial) -> None:
    feed = Feed([Listed(trial, "a1", "a2", "a3"), Listed(trial, "b1", "b2")], Storage(tmp_path))
    given = [feed.suggest(f"t{i}")["id"] for i in range(4)]
    assert given == ["a1", "b1", "a2", "b2"]
    feed.on_trial_complete("t1")
    feed.on_trial_complete("t3")
    assert feed.suggest("t4")["id"] == "a3"
    assert feed.suggest("t5") is None  # others run: their ends may bring more
    for i in (0, 2, 4):
        feed.on_trial_complete(f"t{i}")
    assert feed.suggest("t6") == Searcher.FINISHED


def test_a_search_asks_only_as_far_ahead_of_its_results_as_it_may(
    tmp_path: Path, trial: Trial
) -> None:
    feed = Feed([Listed(trial, "a", "b", "c", ahead=1)], Storage(tmp_path))
    assert feed.suggest("t0")["id"] == "a"
    assert feed.suggest("t1") is None
    assert feed.waiting == ["a"]
    feed.place("t0", placed=True)
    assert feed.suggest("t1")["id"] == "b"
    assert feed.waiting == ["b"]
    several = Feed([Listed(trial, "a", "b", "c", ahead=1)], Storage(tmp_path), ahead=2)
    assert [several.suggest(f"t{i}") is None for i in range(3)] == [False, False, True]


def test_a_trial_that_two_searches_ask_for_is_trained_once_and_told_to_both(
    tmp_path: Path, trial: Trial
) -> None:
    one, other = Listed(trial, "x"), Listed(trial, "x", "y")
    feed = Feed([one, other], Storage(tmp_path))
    assert [feed.suggest(f"t{i}")["id"] for i in range(2)] == ["x", "y"]
    feed.on_trial_complete("t0")
    assert one.noted == other.noted == ["x"]


def test_what_is_out_of_memory_is_set_aside_and_told_when_it_was_tried_again(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    search = Listed(trial, "x", "y", "x")
    feed = Feed([search], storage)
    feed.suggest("t0")
    finish(storage, "x", "out of GPU memory")
    feed.on_trial_complete("t0")
    assert (search.noted, feed.aside) == ([], {"x": trial})
    assert feed.suggest("t1")["id"] == "y"
    feed.on_trial_complete("t1")
    assert feed.suggest("t2") == Searcher.FINISHED  # x is not handed out a second time
    finish(storage, "x", "out of GPU memory", retried=True)
    feed.take_back()
    assert (search.noted, feed.aside) == (["y", "x"], {})


def test_what_comes_along_is_the_trial_itself(tmp_path: Path, trial: Trial) -> None:
    assert Feed([Listed(trial, "x")], Storage(tmp_path)).suggest("t")["trial"] == trial


def test_a_trial_that_tune_gives_up_is_handed_out_again_a_few_times(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    queue = Queue({"first": trial, "second": trial.but(seed=1)}, storage)
    feed = Feed([queue], storage)
    order = []
    for i in range(2 + HANDED_OUT_AGAIN):
        order.append(feed.suggest(f"tune-{i}")["id"])
        if order[-1] == "second":
            finish(storage, "second")
        feed.on_trial_complete(f"tune-{i}", error=order[-1] == "first")
    assert order == ["first"] * (1 + HANDED_OUT_AGAIN) + ["second"]
    assert queue.lost == ["first"]
    assert feed.suggest("tune-9") == Searcher.FINISHED
    assert feed.ids["tune-1"] == ("first",)


def test_no_more_are_out_than_the_share_and_what_is_withdrawn_is_the_next(
    tmp_path: Path, trial: Trial
) -> None:
    feed = Feed([Listed(trial, "a", "b", "c", "d")], Storage(tmp_path))
    assert [feed.suggest(f"t{i}")["id"] for i in range(3)] == ["a", "b", "c"]
    feed.place("t0", placed=True)
    assert feed.demand() == (1, math.inf)
    feed.limit = 1
    assert feed.suggest("t3") is None
    for i in (2, 1):
        feed.withdraw(f"t{i}")
        feed.on_trial_complete(f"t{i}")
    assert (feed.out, feed.waiting) == (1, [])
    assert feed.suggest("t4") is None
    feed.limit = None
    assert [feed.suggest(f"t{i}")["id"] for i in (5, 6, 7)] == ["b", "c", "d"]
    assert feed.suggest("t8") is None
    assert feed.demand() == (1, 4)


def test_without_a_place_tune_is_at_its_end_and_the_feed_holds_the_next(
    tmp_path: Path, trial: Trial
) -> None:
    feed = Feed([Listed(trial, "a", "b")], Storage(tmp_path))
    feed.suggest("t0")
    feed.limit = 0
    assert feed.suggest("t1") is None
    feed.on_trial_complete("t0")
    assert feed.suggest("t2") == Searcher.FINISHED
    assert (feed.held, feed.demand()) == (True, (0, math.inf))
    feed.limit = 1
    assert feed.suggest("t3")["id"] == "b"
    feed.on_trial_complete("t3")
    assert feed.suggest("t4") == Searcher.FINISHED
    assert not feed.held


def test_a_feed_that_was_ended_holds_nothing(tmp_path: Path, trial: Trial) -> None:
    feed = Feed([Listed(trial, "a")], Storage(tmp_path))
    feed.limit = 0
    assert feed.suggest("t0") == Searcher.FINISHED
    feed.end(OSError("away"))
    assert not feed.held
