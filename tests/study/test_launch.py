"""How Tune is fed with the trials of several searches; without a cluster."""

from ray.tune.search import Searcher

from study.launch import Feed
from trainables.trial import Trial


class Listed:
    """A search that asks for the trials of a list, and notes which ones have ended."""

    def __init__(self, trial: Trial, *ids: str) -> None:
        self.lost: list[str] = []
        self.left = list(ids)
        self.noted: list[str] = []
        self.trial = trial

    def take(self) -> tuple[str, Trial] | None:
        return (self.left.pop(0), self.trial) if self.left else None

    def ended(self, trial_id: str) -> None:
        self.noted.append(trial_id)


def test_the_search_with_the_fewest_running_is_next(trial: Trial) -> None:
    feed = Feed([Listed(trial, "a1", "a2", "a3"), Listed(trial, "b1", "b2")])
    given = [feed.suggest(f"t{i}")["id"] for i in range(4)]
    assert given == ["a1", "b1", "a2", "b2"]
    feed.on_trial_complete("t1")
    feed.on_trial_complete("t3")
    assert feed.suggest("t4")["id"] == "a3"
    assert feed.suggest("t5") is None  # others run: their ends may bring more
    for i in (0, 2, 4):
        feed.on_trial_complete(f"t{i}")
    assert feed.suggest("t6") == Searcher.FINISHED


def test_a_trial_that_two_searches_ask_for_is_trained_once_and_told_to_both(trial: Trial) -> None:
    one, other = Listed(trial, "x"), Listed(trial, "x", "y")
    feed = Feed([one, other])
    assert [feed.suggest(f"t{i}")["id"] for i in range(2)] == ["x", "y"]
    feed.on_trial_complete("t0")
    assert one.noted == other.noted == ["x"]


def test_what_comes_along_is_the_trial_itself(trial: Trial) -> None:
    assert Feed([Listed(trial, "x")]).suggest("t")["trial"] == trial
