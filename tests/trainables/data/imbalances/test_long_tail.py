"""The sizes of the classes by hand, and by their rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.data.imbalances.long_tail import LongTail
from trainables.seeding import generator
from trainables.settings import Invalid, Use

TEN = tuple(f"class {c}" for c in range(10))


def sizes(most: int, names: tuple[str, ...] = TEN, seed: int = 0, **of: object) -> list[int]:
    found: list[int] = Use(LongTail, **of).build()(most, names, generator(seed, "imbalance"))
    return found


def test_the_sizes_of_cifar_10_are_those_of_the_public_code() -> None:
    assert sizes(5000, rho=100) == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert sizes(5000, rho=10) == [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]


def test_one_is_balanced_and_one_class_is_whole() -> None:
    assert sizes(7, rho=1) == [7] * 10
    assert sizes(7, ("only",), rho=5) == [7]


@given(st.integers(2, 120), st.integers(1, 5000), st.floats(1, 300))
@settings(deadline=None, max_examples=100)
def test_the_first_is_the_largest_and_rho_times_the_last(
    classes: int, most: int, rho: float
) -> None:
    names = tuple(map(str, range(classes)))
    if most < rho:
        with pytest.raises(Invalid, match="leaves class"):
            sizes(most, names, rho=rho)
        return
    found = sizes(most, names, rho=rho)
    assert found[0] == most
    assert found == sorted(found, reverse=True)
    assert found[-1] <= most / rho + 1e-6 < found[-1] + 1


def test_shuffled_the_seed_draws_which_class_has_which_size() -> None:
    one, other = (sizes(5000, seed=seed, order="shuffled") for seed in (1, 2))
    assert sorted(one) == sorted(other) == sorted(sizes(5000))
    assert one != other
    assert one == sizes(5000, seed=1, order="shuffled")


def test_a_class_that_is_left_empty_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        sizes(50, rho=100)
    assert str(refused.value) == (
        "LongTail.rho = 100 leaves class 'class 8' empty: must be at most 50, the images of the "
        "largest class"
    )


def test_a_rho_below_one_is_refused_when_written() -> None:
    with pytest.raises(Invalid, match=r"LongTail.rho = 0.1: must lie in \[1, inf\)"):
        Use(LongTail, rho=0.1)


def test_its_demo_is_eased_and_apart() -> None:
    assert Use(LongTail, rho=100).demo()["rho"] == pytest.approx(31.6, abs=0.1)
    assert Use(LongTail, rho=10).demo()["rho"] == pytest.approx(5.6, abs=0.1)
