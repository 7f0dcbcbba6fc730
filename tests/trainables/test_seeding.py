import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.seeding import generator, seed_of, seeded


def test_a_seed_never_changes() -> None:
    assert seed_of(0, "order", 0) == 1829853113658518448
    assert seed_of(3, "step", 1, 2) == 6651936882115253741


def test_seeds_purposes_and_times_each_have_their_own() -> None:
    uses = [
        (seed, purpose, *when)
        for seed in range(20)
        for purpose in ("order", "step", "split")
        for when in [(), *((i,) for i in range(20)), *((i, j) for i in range(5) for j in range(5))]
    ]
    assert len({seed_of(*use) for use in uses}) == len(uses)


@given(st.integers(0, 2**70), st.text(max_size=10), st.integers(0, 10**9))
def test_torch_takes_every_seed(seed: int, purpose: str, when: int) -> None:
    assert 0 <= seed_of(seed, purpose, when) < 2**63


def test_a_generator_gives_the_same_numbers_each_time_and_touches_no_other() -> None:
    torch.manual_seed(0)
    once = torch.rand(5, generator=generator(1, "split"))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert torch.equal(torch.rand(5, generator=generator(1, "split")), once)
    assert torch.equal(torch.get_rng_state(), before)


def test_inside_a_seeded_block_numbers_follow_from_the_seed_and_after_it_from_before() -> None:
    torch.manual_seed(0)
    first, second = torch.rand(5), torch.rand(5)
    torch.manual_seed(seed_of(1, "head"))
    inside = torch.rand(5)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(5), first)
    with seeded(1, "head"):
        assert torch.equal(torch.rand(5), inside)
    assert torch.equal(torch.rand(5), second)
