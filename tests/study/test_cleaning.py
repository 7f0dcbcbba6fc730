"""What is removed of trials that have ended, and what never is."""

from pathlib import Path
from uuid import uuid4

import pytest

from study.cleaning import clean
from study.lease import lease
from trainables.settings import Invalid
from trainables.storage.claims import of_trial
from trainables.storage.result import OUT_OF_MEMORY, Result
from trainables.storage.shelf import Shelf
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site
from trainables.trial import Trial

FITS = ["checkpoint-000000001.pt", "epoch-00002.pt", f".model.pt.{uuid4().hex}"]


def left_behind(shelf: Shelf) -> None:
    for name in FITS:
        shelf.write(name, b"12345")


def test_what_a_finished_trial_needs_no_more_is_removed_and_nothing_else(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    kept = trial.set({"recipe.keep": 1})
    fit(kept, storage, Site.here(Path("/nowhere")))
    shelf = storage.trial(kept.id).shelf
    shelf.write("log.txt", b"a line\n")
    before = {name: shelf.read(name) for name in shelf.names("*")}
    assert {"result.json", "model.pt", "outputs.pt", "log.txt", "epoch-00003.pt"} <= set(before)
    left_behind(shelf)
    assert clean(storage, only_tell=True) == (3, 15)
    assert len(shelf.names("*")) == len(before) + 3
    assert clean(storage) == (3, 15)
    assert {name: shelf.read(name) for name in shelf.names("*")} == before
    assert clean(storage) == (0, 0)


def test_a_trial_that_may_go_on_keeps_everything(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    shelf = storage.trial(trial.id).shelf
    shelf.write_json("trial.json", trial.flat())
    left_behind(shelf)
    assert clean(storage) == (0, 0)
    shelf.write_json("result.json", {"status": "failed", "reason": OUT_OF_MEMORY})
    assert clean(storage) == (0, 0)
    assert set(FITS) <= set(shelf.names("*"))


def test_what_another_command_holds_is_not_cleaned_nor_anything_else(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    trials = [trial.but(seed=seed) for seed in (0, 1)]
    for one in trials:
        files = storage.trial(one.id)
        files.write_settings(one.flat())
        files.end(Result())
        left_behind(files.shelf)
    with lease(storage, "mine") as mine, lease(storage, "another") as another:
        another.claim(of_trial(trials[1].id))
        with pytest.raises(Invalid, match=rf"^--clean: trial {trials[1].id} is held by .*another"):
            clean(storage, command=mine)
        assert clean(storage, only_tell=True) == (6, 30)
        another.release(of_trial(trials[1].id))
        assert clean(storage, command=mine) == (6, 30)
