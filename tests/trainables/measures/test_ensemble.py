from dataclasses import replace
from types import SimpleNamespace
from typing import Literal

import pytest
import torch
from torch import tensor

from tests.trainables.small import small_trial
from trainables.measures.ensemble import Ensemble, members_of
from trainables.measures.measure import Finished
from trainables.measures.top_k import TopK, accuracies
from trainables.settings import Invalid


def test_members_are_evenly_spaced_among_the_kept_epochs() -> None:
    recipe = small_trial(**{"recipe.epochs": 300, "recipe.keep": 20}).recipe
    assert members_of(recipe, 20) == list(range(15, 301, 15))
    assert members_of(recipe, 10) == list(range(30, 301, 30))
    assert members_of(recipe, 6) == [45, 105, 150, 195, 255, 300]
    assert members_of(recipe, 1) == [300]


def test_a_single_member_is_the_final_model(finished: Finished) -> None:
    final = TopK(k=1)(finished)["accuracy"]
    assert Ensemble(members=1)(finished)["accuracy"] == pytest.approx(final, abs=1e-6)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_the_average_is_of_what_it_is_said_to_be(average: str, finished: Finished) -> None:
    scores = []
    for epoch in (2, 3):
        method = finished.method(epoch)
        x = torch.cat([batch.x for batch in finished.pixels()])
        with torch.no_grad():
            scores.append(method.predict(finished.normalised(x)))
    mean = sum(s.softmax(1) if average == "probabilities" else s for s in scores)
    assert isinstance(mean, torch.Tensor)
    expected = accuracies(mean, finished.test.y)
    found = Ensemble(members=2, average=average)(finished)  # type: ignore[arg-type]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("average", "chosen"), [("probabilities", 0), ("logits", 1)])
def test_the_two_averages_may_choose_different_classes(
    average: Literal["probabilities", "logits"],
    chosen: int,
    finished: Finished,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Sums of probabilities (0.901, 0.49, 0.609); products (0.0009, 0.036, 0.006).
    members = {
        2: tensor([0.9, 0.09, 0.01]).log(),
        3: tensor([0.001, 0.4, 0.599]).log(),
    }

    def method(self: Finished, epoch: int) -> SimpleNamespace:
        return SimpleNamespace(predict=lambda x: members[epoch].expand(len(x), 3))

    monkeypatch.setattr(Finished, "method", method)
    monkeypatch.setattr(Finished, "test", replace(finished.test, y=torch.full((597,), chosen)))
    assert Ensemble(members=2, average=average)(finished)["accuracy"] == 1


def test_more_members_than_kept_epochs_are_refused() -> None:
    trial = small_trial(**{"data.test": True, "recipe.keep": 2})
    Ensemble.suits(trial, members=2)
    with pytest.raises(Invalid, match=r"Ensemble.members = 3: must be at most recipe.keep = 2"):
        Ensemble.suits(trial, members=3)
