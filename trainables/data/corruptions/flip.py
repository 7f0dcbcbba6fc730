"""Flip noise: a label becomes that of a known other class."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from trainables.data.corruptions.corrupt import Corrupt
from trainables.settings import Fraction, Invalid, Use, unknown

# Classes of CIFAR-10 that are taken for each other. Frog and ship, in no pair, keep their labels.
SIMILAR = (("truck", "automobile"), ("bird", "airplane"), ("cat", "dog"), ("deer", "horse"))
# The twenty superclasses of CIFAR-100, five classes each in alphabetical order.
SUPERCLASSES = tuple(
    tuple(line.split())
    for line in """
        beaver dolphin otter seal whale
        aquarium_fish flatfish ray shark trout
        orchid poppy rose sunflower tulip
        bottle bowl can cup plate
        apple mushroom orange pear sweet_pepper
        clock keyboard lamp telephone television
        bed chair couch table wardrobe
        bee beetle butterfly caterpillar cockroach
        bear leopard lion tiger wolf
        bridge castle house road skyscraper
        cloud forest mountain plain sea
        camel cattle chimpanzee elephant kangaroo
        fox porcupine possum raccoon skunk
        crab lobster snail spider worm
        baby boy girl man woman
        crocodile dinosaur lizard snake turtle
        hamster mouse rabbit shrew squirrel
        maple_tree oak_tree palm_tree pine_tree willow_tree
        bicycle bus motorcycle pickup_truck train
        lawn_mower rocket streetcar tank tractor
    """.strip().splitlines()
)


Rule = Literal["similar", "superclass", "next", "random", "two random"]


class FlipNoise(Corrupt):
    """With probability `rate` a label becomes that of another class, as `to` says.

    - "similar": the other one of a pair of CIFAR-10 (advisor paper; frog and ship keep theirs);
    - "superclass": the next class in the true superclass of CIFAR-100, a ring;
    - "next": the next class by index, a ring (pair flip of Co-teaching);
    - "random", "two random": one, or one of two, random other classes, drawn once for each class
      by the trial's seed (MW-Net's `flip` and `flip2`; its public code draws them by one seed);
    - anything else is a map of one's own: ("cat>dog", "dog>cat"). What it does not name stays.

    `exact`: as many labels of each class as the rate says (rounded), instead of each by chance.
    """

    def __init__(
        self,
        *,
        rate: Fraction = 0.4,
        to: tuple[str, ...] | Rule = "similar",
        exact: bool = False,
        validation: bool = True,
    ) -> None:
        self.rate, self.to, self.exact = rate, to, exact
        self.validation = validation

    @classmethod
    def demo(cls, use: Use) -> Use:
        """Maps by the names of classes, which digits do not have, become rings."""
        named = isinstance(use["to"], tuple) or use["to"] in ("similar", "superclass")
        return use.but(to="next") if named else use

    def __call__(self, y: Tensor, names: Sequence[str], generator: torch.Generator) -> Tensor:
        others = torch.tensor(self._others(names, generator))
        chance = torch.rand(len(y), generator=generator, dtype=torch.float64)
        which = torch.randint(others.shape[1], (len(y),), generator=generator)
        if self.exact:
            chance = _ranks(chance, y, len(names))
        return torch.where(chance < self.rate, others[y, which], y)

    def _others(self, names: Sequence[str], generator: torch.Generator) -> list[list[int]]:
        """The classes that each class's labels are flipped to; none is its own but by "similar"."""
        if len(names) < 2:
            raise Invalid(f"FlipNoise.to = {self.to!r}: must be of two classes at least")
        if self.to == "next":
            return [[(c + 1) % len(names)] for c in range(len(names))]
        if self.to in ("random", "two random"):
            count = min(2 if self.to == "two random" else 1, len(names) - 1)
            shifts = [torch.randperm(len(names) - 1, generator=generator)[:count] for _ in names]
            return [
                [(c + 1 + int(s)) % len(names) for s in drawn] for c, drawn in enumerate(shifts)
            ]
        if isinstance(self.to, tuple):
            return _mapped(self.to, names)
        rings = SIMILAR if self.to == "similar" else SUPERCLASSES
        return _along(rings, names, self.to)


def _along(rings: Sequence[Sequence[str]], names: Sequence[str], name: str) -> list[list[int]]:
    """Each class's next one in its ring; a class in no ring is its own. Raises Invalid."""
    following = {a: ring[(i + 1) % len(ring)] for ring in rings for i, a in enumerate(ring)}
    if lacking := [a for a in following if a not in names]:
        known = "of CIFAR-10" if rings is SIMILAR else "of CIFAR-100"
        valid = f"'next', 'random' or 'two random' here: class {lacking[0]!r} {known} is missing"
        raise Invalid(f"FlipNoise.to = {name!r}: must be {valid}")
    return [[names.index(following.get(a, a))] for a in names]


def _mapped(pairs: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """Each class's other one in a map of "from>to". Raises Invalid."""
    following = {a: a for a in names}
    for pair in pairs:
        one, arrow, other = (word.strip() for word in pair.partition(">"))
        if not arrow:
            valid = "pairs of classes, like 'cat>dog'"
            raise Invalid(f"FlipNoise.to: {pair!r}: must be {valid}")
        for name in (one, other):
            if name not in following:
                raise unknown(f"FlipNoise.to: {pair!r}: class", name, names)
        following[one] = other
    return [[names.index(following[a])] for a in names]


def _ranks(chance: Tensor, y: Tensor, classes: int) -> Tensor:
    """(n,) each number's place among those of its class, in [0, 1): lowest first."""
    ranks = torch.empty_like(chance)
    for label in range(classes):
        mine = (y == label).nonzero()[:, 0]
        order = chance[mine].argsort().argsort().double()
        ranks[mine] = (order + 0.5) / max(len(mine), 1)
    return ranks
