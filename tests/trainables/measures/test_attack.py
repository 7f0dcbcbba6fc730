from dataclasses import replace

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from trainables.measures.attack import Fgsm, Pgd, Scores, in_ball
from trainables.measures.measure import Finished
from trainables.measures.top_k import TopK
from trainables.seeding import generator


def test_without_any_change_it_is_the_clean_accuracy(finished: Finished) -> None:
    clean = TopK(k=1)(finished)["accuracy"]
    assert Fgsm(eps=0)(finished)["accuracy"] == pytest.approx(clean, abs=1e-6)
    assert Pgd(eps=0, steps=2)(finished)["accuracy"] == pytest.approx(clean, abs=1e-6)


def test_an_attack_lowers_the_accuracy_and_pgd_more_than_fgsm(finished: Finished) -> None:
    clean = TopK(k=1)(finished)["accuracy"]
    fgsm = Fgsm(eps=16 / 255)(finished)["accuracy"]
    pgd = Pgd(eps=16 / 255, steps=10, random_start=False)(finished)["accuracy"]
    assert pgd <= fgsm < clean


def test_eps_is_a_share_of_the_pixels_range(finished: Finished) -> None:
    """Seen by the nets: 8/255 of the range is 8 grey levels, over std in units of the net."""
    batch = next(iter(finished.pixels()))
    assert batch.x.max() == 255
    method = finished.method()
    attack = Fgsm(eps=8 / 255)
    changed = attack.attacked(
        lambda x: method.predict(finished.normalised(x)), batch.x, batch.y, torch.Generator()
    )
    assert (changed - batch.x).abs().max() == pytest.approx(8)
    seen = (finished.normalised(changed) - finished.normalised(batch.x)).abs().max()
    assert float(seen) == pytest.approx(8 / (0.376 * 255), rel=1e-4)


def flat(x: Tensor) -> Tensor:
    """Scores without a slope: an attack stays where it starts."""
    return 0 * x.flatten(1)[:, :3]


def test_pgd_starts_at_random_in_the_ball_unless_it_is_told_not_to() -> None:
    x, y = torch.full((2, 1, 4, 4), 100.0), tensor([0, 1])
    started = Pgd(eps=8 / 255).attacked(flat, x, y, generator(0, "test"))
    assert_close(started, in_ball(x, 8, generator(0, "test")))
    assert (started - x).abs().min() > 0
    still = Pgd(eps=8 / 255, random_start=False).attacked(flat, x, y, generator(0, "test"))
    assert torch.equal(still, x)


def test_a_step_of_pgd_is_a_share_of_the_pixels_range_too() -> None:
    x, y = torch.full((1, 1, 1, 3), 100.0), tensor([0])
    attack = Pgd(eps=8 / 255, steps=3, step=2 / 255, random_start=False)
    walked = attack.attacked(lambda x: x.flatten(1), x, y, torch.Generator())
    assert_close(walked, tensor([[[[94.0, 106.0, 106.0]]]]))  # three steps of 2 grey levels


def test_the_random_start_is_drawn_by_the_trials_seed_for_each_batch(finished: Finished) -> None:
    class Diary(Pgd):
        """Notes the numbers drawn first."""

        drawn: list[float] = []  # noqa: RUF012

        def attacked(self, scores: Scores, x: Tensor, y: Tensor, chance: torch.Generator) -> Tensor:
            self.drawn.append(float(torch.rand(1, generator=chance)))
            return x

    for seed in (0, 0, 1):
        Diary(eps=8 / 255)(replace(finished, trial=finished.trial.set({"seed": seed})))
    batches = len(list(finished.pixels()))
    first, again, other = (Diary.drawn[i * batches : (i + 1) * batches] for i in range(3))
    assert first == again
    assert len({*first, *other}) == 2 * batches


def test_the_trained_method_is_left_as_it_was(finished: Finished) -> None:
    method = finished.method()
    before = {name: value.clone() for name, value in method.model.state_dict().items()}
    Pgd(eps=0.1, steps=2)(finished)
    assert all(p.requires_grad for p in method.model.parameters())
    assert all(p.grad is None for p in method.model.parameters())
    after = method.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
