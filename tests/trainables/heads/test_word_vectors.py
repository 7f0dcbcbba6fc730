"""Fixed class vectors: equation 1 by hand."""

import math

import pytest
import torch

from tests.trainables.small import small_task
from trainables.heads.word_vectors import WordVectors, cosine, unit_vectors
from trainables.labels.random_vectors import RandomVectors
from trainables.settings import Invalid, Use

NAMES = ("a", "b", "c")


def head(classes: int = 3, **settings: object) -> WordVectors:
    built: WordVectors = Use(WordVectors, **settings).build(small_task(classes), 4)
    return built


def test_scores_are_the_cosines_over_tau_by_hand() -> None:
    unit = unit_vectors(torch.tensor([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]]), NAMES, centred=False)
    assert unit.tolist() == [pytest.approx([0.6, 0.8]), [0, 1], [-1, 0]]
    f = torch.tensor([[0.0, 5.0]])
    assert cosine(f, unit)[0].tolist() == pytest.approx([0.8, 1, 0])
    built = head(temperature=0.5)
    built.unit = unit
    assert built.scores(f)[0].tolist() == pytest.approx([1.6, 2, 0])


def test_the_loss_of_equation_1_by_hand() -> None:
    unit = unit_vectors(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), NAMES, centred=False)
    scores = cosine(torch.tensor([[7.0, 0.0]]), unit)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor([0]))
    # Cosines 1 and 0: -log(e / (e + 1)).
    assert float(loss) == pytest.approx(-math.log(math.e / (math.e + 1)))


def test_centred_vectors_have_their_mean_taken_out_first() -> None:
    given = torch.tensor([[3.0, 1.0], [1.0, 1.0], [2.0, 4.0]])  # about (2, 2)
    unit = unit_vectors(given, NAMES, centred=True)
    expected = torch.tensor([[1.0, -1.0], [-1.0, -1.0], [0.0, 2.0]])
    torch.testing.assert_close(unit, torch.nn.functional.normalize(expected, dim=1))


def test_without_normalisation_scores_grow_with_f() -> None:
    built = head(normalise=False)
    f = torch.randn(2, built.unit.shape[1])
    torch.testing.assert_close(built.scores(3 * f), 3 * built.scores(f))
    torch.testing.assert_close(head().scores(3 * f), head().scores(f))


def test_a_learned_temperature_starts_at_the_setting_and_has_a_gradient() -> None:
    built = head(learn_temperature=True, temperature=0.25)
    f = torch.randn(2, built.unit.shape[1])
    torch.testing.assert_close(built.scores(f), 4 * head().scores(f))
    built.scores(f)[0, 0].backward()
    assert built.log_tau.grad is not None
    assert "log_tau" not in dict(head().named_parameters())


def test_the_vectors_are_fixed() -> None:
    assert {name for name, _ in head().named_parameters()} == {"embedding.weight", "embedding.bias"}
    assert "unit" in head().state_dict()


def test_random_vectors_have_the_size_that_is_asked() -> None:
    assert head(vectors=Use(RandomVectors, size=7)).embedding.out_features == 7


@pytest.mark.parametrize(
    ("vectors", "centred", "message"),
    [
        ([[0.1, 0.3], [1.0, 0.0], [0.7, 2.1]], False, "classes 'a' and 'c' have one vector"),
        ([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], False, "the vector of class 'a' is zero"),
        ([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]], False, "classes 'a' and 'c' have one vector"),
        ([[1.0, 1.0], [0.0, 1.0], [2.0, 1.0]], True, "the vector of class 'a' is zero"),
    ],
)
def test_a_vector_without_a_direction_of_its_own_is_refused(
    vectors: list[list[float]], centred: bool, message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        unit_vectors(torch.tensor(vectors), NAMES, centred)


def test_a_temperature_of_zero_is_refused_when_written() -> None:
    with pytest.raises(Invalid, match=r"WordVectors.temperature = 0.0: must lie in \(0, inf\)"):
        Use(WordVectors, temperature=0)
