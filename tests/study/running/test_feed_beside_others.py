"""The feed beside other commands: what they train is passed over, waited for, or taken over."""

import math
import os
import threading
from pathlib import Path

import pytest
from ray.tune.search import Searcher
from ray.tune.utils import flatten_dict

import study.running.feed
from study.running.feed import Feed
from study.running.sources import Queue
from tests.study.running.others import command, finish
from trainables.storage import claims
from trainables.storage.claims import Command, of_trial
from trainables.storage.storage import Storage
from trainables.trial import Trial


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at other commands again and again."""
    for module in (claims, study.running.feed):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_what_another_command_trains_or_has_trained_is_passed_over(
    tmp_path: Path, trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = Storage(tmp_path)
    mine, other = command(storage, "mine"), command(storage, "other")
    queue = Queue(dict.fromkeys(("done", "a", "b", "free"), trial), storage)
    feed = Feed([queue], storage, command=mine)
    finish(storage, "done")
    other.claim(of_trial("a"))
    other.claim(of_trial("b"))
    assert feed.suggest("t0")["id"] == "free"
    said = capsys.readouterr().out
    assert said.startswith("trial a is trained by host ")
    assert said.endswith(f"process {os.getpid()} (study other): waiting\n")
    assert said.count("\n") == 1  # once for a command, not for each of its trials
    finish(storage, "free")
    feed.on_trial_complete("t0")
    assert feed.suggest("t1") == Searcher.FINISHED  # so that Tune keeps no place meanwhile
    assert (feed.held, feed.demand()) == (True, (0, 0))
    finish(storage, "a")
    (storage.top / "commands").discard("other.json")
    feed.wait()
    assert (feed.held, feed.demand()) == (True, (0, math.inf))
    assert feed.suggest("t1")["id"] == "b"
    finish(storage, "b")
    feed.on_trial_complete("t1")
    assert feed.suggest("t2") == Searcher.FINISHED
    assert not feed.held
    assert queue.lost == []


@pytest.mark.usefixtures("impatient")
def test_what_is_trained_elsewhere_keeps_no_place_and_what_waited_for_it_is_the_next(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    mine, other = command(storage, "mine"), command(storage, "other")
    for name in ("teacher", "long"):
        other.claim(of_trial(name))
    trials = dict.fromkeys(("teacher", "long", "student"), trial)
    feed = Feed([Queue(trials, storage, {"student": ("teacher",)})], storage, command=mine)
    assert feed.suggest("t0") == Searcher.FINISHED
    ending = threading.Timer(0.2, finish, (storage, "teacher"))
    ending.start()
    feed.wait()
    ending.join()
    assert feed.suggest("t1")["id"] == "student"
    assert feed.suggest("t2") is None
    finish(storage, "student")
    feed.on_trial_complete("t1")
    finish(storage, "long")
    feed.wait()
    assert feed.suggest("t3") == Searcher.FINISHED
    assert not feed.held


@pytest.mark.usefixtures("impatient")
def test_a_trial_that_a_worker_found_taken_is_waited_for_and_handed_out_again(
    tmp_path: Path, trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = Storage(tmp_path)
    mine, other = command(storage, "mine"), command(storage, "other")
    student = Queue({"x": trial, "y": trial}, storage, {"y": ("x",)})
    feed = Feed([student], storage, command=mine)
    assert feed.suggest("t0")["id"] == "x"
    other.claim(of_trial("x"))
    feed.on_trial_complete("t0", flatten_dict({"elsewhere": [("x", other.told)]}))
    assert capsys.readouterr().out == "trial x is trained by process other: waiting\n"
    assert feed.suggest("t1") == Searcher.FINISHED
    other.release(of_trial("x"))  # lost there
    feed.wait()
    assert feed.suggest("t1")["id"] == "x"
    finish(storage, "x")
    feed.on_trial_complete("t1", {"epoch": 3})
    assert feed.suggest("t2")["id"] == "y"


@pytest.mark.usefixtures("impatient")
def test_a_trial_that_ends_without_a_result_is_left_to_others(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    mine, other = command(storage, "mine"), command(storage, "other")
    feed = Feed([Queue({"x": trial}, storage)], storage, command=mine)
    feed.suggest("t0")
    mine.claim(of_trial("x"))
    assert other.claim(of_trial("x"))
    feed.on_trial_complete("t0", {"lost": "the disk is full"})
    assert other.claim(of_trial("x")) == ""


@pytest.mark.usefixtures("impatient")
def test_two_commands_with_a_trial_set_aside_each_do_not_wait_for_each_other(
    tmp_path: Path, trial: Trial
) -> None:
    """Each tries it again when all others have ended: also those that the other has set aside."""
    storage = Storage(tmp_path)
    feeds = {}
    for name, first in (("mine", "x"), ("other", "y")):
        queue = Queue(dict.fromkeys((first, *{"x", "y"} - {first}), trial), storage)
        feeds[first] = Feed([queue], storage, command=command(storage, name))
        assert feeds[first].suggest("t0")["id"] == first
        Command(storage, name, name).claim(of_trial(first))
    for first, feed in feeds.items():
        finish(storage, first, "out of GPU memory")
        feed.on_trial_complete("t0")
    for first, feed in feeds.items():
        assert feed.suggest("t1")["id"] != first  # its worker finds the result, and trains nothing
        feed.on_trial_complete("t1")
        assert feed.suggest("t2") == Searcher.FINISHED
        assert feed.aside.keys() == {"x", "y"}


@pytest.mark.usefixtures("impatient")
def test_beside_others_few_trials_are_handed_out_ahead(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    feed = Feed(
        [Queue(dict.fromkeys(map(str, range(99)), trial), storage)],
        storage,
        command=command(storage, "mine"),
    )
    for i in range(9):
        assert feed.suggest(f"alone {i}")
        feed.place(f"alone {i}", placed=i < 6)
    command(storage, "other")
    for i in range(3):
        assert feed.suggest(f"beside {i}")
    assert len(feed.waiting) == 6  # as many as run
    assert feed.suggest("no more") is None


@pytest.mark.usefixtures("impatient")
def test_after_an_error_others_are_not_waited_for(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    mine, other = command(storage, "mine"), command(storage, "other")
    other.claim(of_trial("x"))
    feed = Feed([Queue({"x": trial}, storage)], storage, command=mine)
    assert feed.suggest("t0") == Searcher.FINISHED
    assert feed.held
    feed.end(OSError("away"))
    feed.wait()
    assert not feed.held
