"""What every measure must keep to; its label; how one that fails is stored."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.measures.conftest import TRIAL
from tests.trainables.small import NOWHERE, SITE, small_trial
from tests.trainables.test_contract import TRIALS
from trainables.heads.word_vectors import WordVectors
from trainables.measures import measure
from trainables.measures.attack import Fgsm, Pgd
from trainables.measures.calibration import Calibration
from trainables.measures.class_similarity import ClassSimilarity
from trainables.measures.ensemble import Ensemble
from trainables.measures.human_kl import HumanKL
from trainables.measures.measure import Finished, Measure, compute, flat, label
from trainables.methods.method import Method
from trainables.settings import Invalid, Use, classes_of
from trainables.storage.storage import Storage
from trainables.training.fit import fit

# What a measure is given here besides its defaults: settings that have none.
KEYWORDS: dict[str, dict[str, Any]] = {
    "Fgsm": {"eps": 0.1},
    "Pgd": {"eps": 0.1, "steps": 2},
    "Ensemble": {"members": 2},
}
USES = {name: Use(c, **KEYWORDS.get(name, {})) for name, c in classes_of(Measure).items()}


@pytest.fixture(scope="session")
def of_words(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A trial with class vectors, which the others' trial has not."""
    storage, trial = Storage(tmp_path_factory.mktemp("words")), TRIAL.but(head=Use(WordVectors))
    assert fit(trial, storage, SITE).status == "finished"
    return Finished(trial, storage.trial(trial.id), SITE)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_measure_gives_the_numbers_that_it_names_and_the_same_again(
    use: Use, finished: Finished, of_words: Finished
) -> None:
    finished = of_words if use.part is ClassSimilarity else finished
    counterpart = use.demo()
    assert counterpart.part.gives == use.part.gives
    counterpart.part.suits(finished.trial, **dict(counterpart.items))
    first = compute(counterpart, finished)
    assert (first["status"], first["reason"]) == ("finished", None)
    assert set(first["values"]) == set(use.part.gives)
    again = compute(counterpart, Finished(finished.trial, finished.files, finished.site))
    assert again["values"] == first["values"]
    assert json.loads(json.dumps(first)) == first


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_trial_without_test_images_is_refused(use: Use) -> None:
    with pytest.raises(Invalid, match=f"{use.name}: data.test must be True"):
        use.part.suits(small_trial(), **dict(use.items))


def test_a_measure_trains_nothing_and_changes_no_file(finished: Finished) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.files.shelf.path.iterdir()}
    compute(Use(Pgd, eps=0.1, steps=1), finished)
    assert {path: path.stat().st_mtime_ns for path in finished.files.shelf.path.iterdir()} == before


@pytest.mark.parametrize("name", classes_of(Method))
def test_the_model_that_is_measured_is_the_one_that_was_tested(name: str, tmp_path: Path) -> None:
    trial = TRIALS[name].set({"data.test": True})
    storage = Storage(tmp_path)
    assert fit(trial, storage, SITE).status == "finished"
    found = Finished(trial, storage.trial(trial.id), SITE)
    with torch.no_grad():
        method = found.method()
        scores = [method.predict(found.normalised(batch.x)) for batch in found.pixels()]
    torch.testing.assert_close(torch.cat(scores), found.outputs["test.scores"])


def test_a_label_is_readable_and_tells_settings_apart() -> None:
    eps, steps = Use(Pgd, eps=8 / 255), Use(Pgd, eps=8 / 255, steps=40)
    assert label(eps).startswith("Pgd-eps_0.0314-")
    assert label(steps).startswith("Pgd-eps_0.0314-steps_40-")
    close = Use(Pgd, eps=8.0001 / 255)
    assert len({label(use) for use in (eps, steps, close, Use(Fgsm, eps=8 / 255))}) == 4
    assert label(Use(Pgd, eps=8 / 255, steps=20)) == label(eps)


def test_a_label_changes_with_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    before = label(Use(Calibration))
    monkeypatch.setattr(measure, "PROTOCOL", measure.PROTOCOL + 1)
    assert label(Use(Calibration)) != before


def test_a_file_enters_the_label_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    for name, content in (("a.npy", b"one"), ("b.npy", b"one"), ("c.npy", b"two")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (label(Use(HumanKL, file=f"{n}.npy").resolved(tmp_path)) for n in "abc")
    assert a == b != c
    with pytest.raises(Invalid, match="the checksum of its files is not known yet"):
        label(Use(HumanKL))
    with pytest.raises(Invalid, match=r"cifar10h-probs.npy is missing"):
        Use(HumanKL).resolved(NOWHERE)


def test_all_settings_are_logged_those_at_their_defaults_too() -> None:
    logged = {"measure": "Pgd", "eps": 0.5, "steps": 20, "step": 2 / 255, "random_start": True}
    assert flat(Use(Pgd, eps=0.5)) == logged


@pytest.mark.parametrize(
    ("part", "settings", "error"),
    [
        (Fgsm, {}, "Fgsm.eps is missing: it has no default"),
        (Pgd, {}, "Pgd.eps is missing: it has no default"),
        (Pgd, {"eps": 8}, "Pgd.eps = 8.0: must lie in [0, 1]"),
        (Pgd, {"eps": 0.1, "steps": 0}, "Pgd.steps = 0: must lie in [1, inf)"),
        (Ensemble, {}, "Ensemble.members is missing"),
        (Calibration, {"bins": 0}, "Calibration.bins = 0: must lie in [1, inf)"),
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_written(
    part: type, settings: dict[str, Any], error: str
) -> None:
    with pytest.raises(Invalid) as raised:
        Use(part, **settings)
    assert error in str(raised.value)


class Broken(Measure):
    """Fails in the way that it is told to."""

    gives = ("value",)

    def __init__(self, *, how: str) -> None:
        self.how = how

    def __call__(self, finished: Finished) -> dict[str, float]:
        if self.how == "storage":
            raise OSError("no route to the storage")
        if self.how == "reason":
            raise Invalid("there is nothing to measure")
        return {"value": float("nan")} if self.how == "nan" else {"value": 1 / 0}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("reason", "there is nothing to measure"),
        ("nan", "value was nan"),
        ("bug", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_measure_that_fails_has_its_reason(how: str, reason: str, finished: Finished) -> None:
    stored = compute(Use(Broken, how=how), finished)
    assert (stored["status"], stored["reason"], stored["values"]) == ("failed", reason, {})
    assert bool(stored["trace"]) == (how == "bug")


def test_a_storage_that_fails_is_no_result(finished: Finished) -> None:
    with pytest.raises(OSError, match="no route"):
        compute(Use(Broken, how="storage"), finished)
