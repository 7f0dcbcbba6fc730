from math import exp, log

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.distillation import Distillation
from trainables.settings import Invalid, Use

P = (0.5, 0.3, 0.2)
T = (0.2, 0.7, 0.1)
SAID, TARGET, LABEL = out(tensor([P]).log()), tensor([T]).log(), batch([1])


def softened(p: tuple[float, ...], temperature: float) -> list[float]:
    powers = [value ** (1 / temperature) for value in p]
    return [power / sum(powers) for power in powers]


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True))


def test_both_are_softened_in_the_paper() -> None:
    loss = Distillation(small_task(), alpha=0.25, temperature=4, factor=3)
    expected = 0.75 * -log(0.3) + 0.25 * 3 * kl(softened(T, 4), softened(P, 4))
    assert_close(loss(SAID, TARGET, LABEL), tensor([expected]))


def test_the_net_is_not_softened_in_the_public_code_of_tf_kd_reg() -> None:
    loss = Distillation(small_task(), alpha=0.5, temperature=20, soften_net=False)
    expected = 0.5 * -log(0.3) + 0.5 * kl(softened(T, 20), list(P))
    assert_close(loss(SAID, TARGET, LABEL), tensor([expected]))


def test_a_temperature_divides_logits() -> None:
    powers = [exp(z / 2) for z in (1.0, 2.0, 3.0)]
    target = tensor([[1.0, 2.0, 3.0]]).log_softmax(1)
    loss = Distillation(small_task(), alpha=1, temperature=2, soften_net=False)
    expected = kl([power / sum(powers) for power in powers], list(P))
    assert_close(loss(SAID, target, LABEL), tensor([expected]))


def test_a_temperature_softens_what_would_round_to_zero() -> None:
    # t = (1, e^-200), by T = 100 (1, e^-2) / (1 + e^-2).
    loss = Distillation(small_task(2), alpha=1, temperature=100, soften_net=False)
    t = [1 / (1 + exp(-2)), exp(-2) / (1 + exp(-2))]
    said = loss(out(torch.zeros(1, 2)), tensor([[0.0, -200.0]]), batch([0]))
    assert_close(said, tensor([kl(t, [0.5, 0.5])]))


def test_the_defaults_are_those_of_tf_kd_reg_for_cifar_100() -> None:
    use = Use(Distillation)
    assert (use["alpha"], use["temperature"], use["factor"]) == (0.1, 20, 1)


def test_without_alpha_it_is_cross_entropy_and_a_target_may_have_zeros() -> None:
    scores = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.nn.functional.one_hot(tensor([0, 1, 2, 0]), 3).float()
    labels = batch([0, 1, 2, 0])
    plain = CrossEntropy(small_task())(out(scores), target, labels)
    assert_close(Distillation(small_task(), alpha=0)(out(scores), target.log(), labels), plain)
    Distillation(small_task(), alpha=0.5)(out(scores), target.log(), labels).sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize(("name", "value"), [("alpha", 1.1), ("temperature", 0), ("factor", -1.0)])
def test_what_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(Invalid, match=rf"Distillation.{name} = .*: must lie in"):
        Use(Distillation, **{name: value})
