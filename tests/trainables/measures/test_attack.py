"""Attacks on a linear model, whose gradient can be worked by hand, and on a trained net."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, tensor
from torch.testing import assert_close

from trainables.measures.attack import Fgsm, Pgd, Scores, fgsm, gradient, images_only, in_ball, pgd
from trainables.measures.measure import Finished
from trainables.measures.top_k import TopK
from trainables.seeding import generator

# Two classes, images of 1 x 1 x 3 pixels: class 0 likes the first pixel, class 1 the second.
WEIGHT = tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def linear(x: Tensor) -> Tensor:
    return x.flatten(1) @ WEIGHT.T


def image(*pixels: float) -> Tensor:
    return tensor(pixels, dtype=torch.float).view(1, 1, 1, -1)


def test_the_gradient_is_that_of_the_cross_entropy_of_each_image() -> None:
    x = torch.cat([image(3, 3, 7), image(3, 3, 9)])
    # p = (1/2, 1/2), so dJ/dx = W^T (p - one_hot(y)).
    found = gradient(linear, x, tensor([0, 1]))
    assert_close(found, torch.cat([image(-0.5, 0.5, 0), image(0.5, -0.5, 0)]))


def test_fgsm_moves_each_pixel_by_eps_away_from_the_label() -> None:
    attacked = fgsm(linear, image(100, 75, 20), tensor([0]), eps=8)
    assert_close(attacked, image(92, 83, 20))  # a pixel without gradient stays


def test_fgsm_leaves_no_pixel_outside_0_to_255() -> None:
    assert_close(fgsm(linear, image(3, 250, 0), tensor([0]), eps=8), image(0, 255, 0))


def test_pgd_walks_in_steps_to_the_border_of_the_ball() -> None:
    x, y = image(100, 99, 20), tensor([0])
    walk = [pgd(linear, x, y, eps=8, step=3, steps=n, start=x) for n in (1, 2, 3, 9)]
    assert_close(walk[0], image(97, 102, 20))
    assert_close(walk[1], image(94, 105, 20))
    assert_close(walk[2], image(92, 107, 20))
    assert_close(walk[3], walk[2])


def test_pgd_from_outside_starts_on_the_border() -> None:
    x = image(100, 100, 20)
    start = image(200, 100, 20)
    assert_close(pgd(linear, x, tensor([1]), 8, 0.0, 1, start), image(108, 100, 20))


def test_pgd_asks_for_its_first_gradient_inside_the_ball_and_among_pixels() -> None:
    asked = []

    def scores(x: Tensor) -> Tensor:
        asked.append(x.detach().clone())
        return linear(x)

    x, start = image(0, 252, 20), image(-5, 258, 31)
    pgd(scores, x, tensor([0]), eps=8, step=3, steps=1, start=start)
    assert_close(torch.cat(asked), image(0, 255, 28))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 40), st.floats(0.1, 20), st.integers(1, 5))
def test_pgd_stays_in_the_ball_and_among_pixels(
    seed: int, eps: float, step: float, steps: int
) -> None:
    chance = generator(seed, "test")
    x = torch.randint(0, 256, (4, 1, 1, 3), generator=chance).float()
    y = torch.randint(0, 2, (4,), generator=chance)
    attacked = pgd(linear, x, y, eps, step, steps, in_ball(x, eps, chance))
    assert (attacked - x).abs().max() <= eps + 1e-4  # float32 at 255
    assert attacked.min() >= 0
    assert attacked.max() <= 255


def test_noise_fills_the_ball_and_is_the_same_for_a_seed() -> None:
    x = torch.full((50, 1, 4, 4), 100.0)
    noise = in_ball(x, 8, generator(0, "test")) - x
    assert -8 <= noise.min() < -7.9
    assert 7.9 < noise.max() <= 8
    assert abs(float(noise.mean())) < 0.5
    assert torch.equal(in_ball(x, 8, generator(0, "test")) - x, noise)


@pytest.mark.parametrize("kind", ["fgsm", "pgd"])
def test_a_larger_eps_never_raises_the_accuracy_of_a_linear_model(kind: str) -> None:
    chance = generator(0, "test")
    weight = torch.randn(3, 12, generator=chance)
    x = torch.randint(0, 256, (60, 3, 2, 2), generator=chance).float()

    def scores(pixels: Tensor) -> Tensor:
        return pixels.flatten(1) @ weight.T / 255

    y = scores(x).argmax(1)
    found = []
    for eps in (0, 1, 2, 4, 8, 16, 32, 64):
        steps = 30  # of eps / 10 each: enough to reach every corner of the ball
        attacked = (
            fgsm(scores, x, y, eps)
            if kind == "fgsm"
            else pgd(scores, x, y, eps, eps / 10, steps, x)
        )
        found.append(float((scores(attacked).argmax(1) == y).float().mean()))
    assert found[0] == 1
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.2


def test_the_model_is_as_before_after_an_attack_also_one_that_fails() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
    model[1].eval()
    model[0].bias.requires_grad_(False)
    before = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]

    def attack() -> None:
        with images_only(model):
            assert not any(m.training for m in model.modules())
            assert not any(p.requires_grad for p in model.parameters())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attack()
    after = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]
    assert after == before


# On a trained net


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
