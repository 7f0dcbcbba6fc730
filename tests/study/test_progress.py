"""How far a study is, from its files."""

import io
from pathlib import Path

from analysis.status import clock
from study.progress import ProgressLines, TrialProgress, progress
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site
from trainables.trial import Trial


def test_each_state_is_told_from_the_files(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.trial("a").end(Result())
    storage.trial("b").end(Result(reason="bad data"))
    storage.trial("c").write_settings({})
    storage.trial("c").write_history([{"epoch": 1}, {"epoch": 2}])
    now = progress(storage, ["a", "b", "c", "d"])
    assert (now.finished, now.failed, now.started, now.new) == (("a",), ("b",), ("c",), ("d",))
    assert now.epochs == {"c": 2}
    assert now.done == 2
    assert [now.state(i) for i in "abcd"] == ["finished", "failed", "started", "new"]


def test_a_line_counts_the_whole_study_and_the_epochs_of_what_runs(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    done, runs, new = (trial.but(seed=seed) for seed in range(3))
    fit(done, storage, Site.here(Path("/nowhere")))
    storage.trial(runs.id).write_settings({})
    storage.trial(runs.id).write_history([{}])
    todo = {runs.id: runs, new.id: new}
    ticker = TrialProgress(storage, todo, [done.id, runs.id, new.id], io.StringIO())
    assert "1/3 trials done, 1 running, epoch 1/3" in ticker.line()
    assert "failed" not in ticker.line()


def test_the_time_left_is_told_from_the_epochs_made(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    ticker = TrialProgress(storage, {trial.id: trial}, [trial.id], io.StringIO())
    assert "left" not in ticker.line()
    storage.trial(trial.id).write_settings({})
    storage.trial(trial.id).write_history([{}])
    ticker._moved -= 20  # as if the first of three epochs had taken twenty seconds
    assert "about 0:40 left" in ticker.line()


def test_clock_shows_minutes_or_hours() -> None:
    assert [clock(0), clock(59.6), clock(3599), clock(3661)] == [
        "0:00",
        "1:00",
        "59:59",
        "1 h 01 min",
    ]
    assert clock(-5) == "0:00"  # another machine's clock is ahead


def test_what_had_ended_is_not_read_again(tmp_path: Path) -> None:
    storage, ended = Storage(tmp_path), {"a": "finished"}
    storage.trial("b").end(Result(reason="bad data"))
    now = progress(storage, ["a", "b", "c"], ended)
    assert (now.finished, now.failed, now.new) == (("a",), ("b",), ("c",))
    assert ended == {"a": "finished", "b": "failed"}


def test_a_line_that_fails_says_why_without_a_password_and_the_next_one_comes() -> None:
    class Failing(ProgressLines):
        def line(self) -> str:
            raise OSError("no answer from http://me:secret@host")

    out = io.StringIO()
    with Failing(out):
        pass
    assert out.getvalue().count("no answer from") == 1
    assert "secret" not in out.getvalue()
