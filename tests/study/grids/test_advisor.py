"""The tables on advisor networks on CIFAR: each number at what is run there."""

import math
from dataclasses import replace

import pytest
from torch import tensor

from study.grids.grid import find, grids
from tests.study.grids.published import WORD_SETS, printed, typed
from tests.trainables.small import tiny_task
from trainables.methods.method import Method
from trainables.settings import Use
from trainables.trial import Trial

LARGE = ("advisor_large", "advisor_clothing")


def advisor_place(trial: Trial) -> tuple[str, str, str]:
    """Data set, setting and backbone of what a cell of the advisor tables really runs."""
    data = trial.data
    dataset = next(name for name, part in WORD_SETS.items() if part == data.source.name)
    tail = f"imbalance={data.imbalance['rho']:g}" if data.imbalance else ""
    rate = data.corrupt[0]["rate"] if data.corrupt else 0.0
    flips = f"flip_noise={rate}" if data.corrupt or not tail else ""
    name = trial.net.name
    backbone = "ResNet-18" if name == "ResNet18" else f"ResNet-{trial.net['depth']}"
    return dataset, ";".join(filter(None, (flips, tail))), backbone


# Of the others test_advisor_large.py tells.
ON_CIFAR = [n for n in grids() if n.startswith("adv") and typed(find(n)) and n not in LARGE]


@pytest.mark.parametrize("name", ON_CIFAR)
def test_every_advisor_column_has_the_numbers_of_what_is_run_there(name: str) -> None:
    grid = find(name)
    places = {}
    for row, column, trial, _ in grid.cells():
        if trial:
            assert places.setdefault(column, advisor_place(trial)) == advisor_place(trial), row
            assert trial.data.meta_per_class == (100 if "CIFAR-10," in column else 10)
            assert trial.teachers() in ((), (trial.but(method=Use(Method)),))
    assert len(set(places.values())) == len(grid.columns)
    published = {(m, p[:3]): number for m, p, number in printed(grid)}
    assert {(row, places[column]): number for row, column, number in typed(grid)} == published


def test_the_size_of_a_net_is_what_its_column_says() -> None:
    for _, column, trial, _ in find("advisor_backbone_size").cells():
        assert trial
        classes = 10 if "CIFAR-10," in column else 100
        names = tuple(map(str, range(classes)))
        task = tiny_task(trial, names, tensor([0]), side=32)
        net = trial.net.build(replace(task, channels=3))
        size = sum(weight.numel() for weight in net.parameters()) / 1e6
        assert f"({size:.2f} M)" in column


@pytest.mark.parametrize("column", ["CIFAR-10, IF 200", "CIFAR-100, IF 10"])
def test_the_recipe_of_13000_steps_has_as_many_to_the_nearest_epoch(column: str) -> None:
    trial = next(t for _, c, t, _ in find("advisor_lt_augmented").cells() if t and c == column)
    classes = trial.data.source.build().classes
    meta, rho = trial.data.meta_per_class or 0, trial.data.imbalance["rho"]  # type: ignore[index]
    most = 50_000 // classes - meta
    images = sum(int(most * rho ** (-c / (classes - 1)) + 1e-9) for c in range(classes))
    steps = math.ceil(images / 512)
    assert abs(trial.recipe.epochs * steps - 13_000) <= steps / 2
