"""Chance: every use has a generator of its own, named by what it is for and when.

Trials of one seed so share data, order and initial weights, whatever else differs between them, and
a resumed trial needs no generator state.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_of(seed: int, purpose: str, *when: int) -> int:
    """A 63-bit seed for one use of chance, e.g. ("order", epoch) or ("step", epoch, step)."""
    text = "/".join(map(str, (seed, purpose, *when)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def generator(seed: int, purpose: str, *when: int) -> torch.Generator:
    """A CPU generator seeded by `seed_of`: the same numbers on every device."""
    return torch.Generator().manual_seed(seed_of(seed, purpose, *when))


def reseed(seed: int, device: torch.device) -> None:
    """As torch.manual_seed, which takes milliseconds to note it for GPUs that are not there."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def seeded(seed: int, purpose: str, *when: int) -> Iterator[None]:
    """Inside the CPU's own generator is seeded by `seed_of`; after it, it is as it was before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, purpose, *when))
        yield


def chance(device: torch.device) -> torch.Tensor:
    """Where the device's own generator is."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.get_rng_state()


def set_chance(state: torch.Tensor, device: torch.device) -> None:
    """From now on the numbers that followed it."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
