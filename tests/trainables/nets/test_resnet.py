from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from trainables.model import Task
from trainables.nets.resnet import CifarResNet, Projection, Subsample
from trainables.settings import Invalid, Use

DEPTHS = (8, 14, 20, 26, 32, 38, 44, 50, 56, 110, 1202)


def task(side: int = 32, channels: int = 3) -> Task:
    parts = SimpleNamespace(channels=channels, side=side, classes=10, folder=Path("nowhere"))
    return cast(Task, parts)


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("depth", "shortcut", "count"),
    [  # table 6 of the paper says 0.27, 0.46, 0.66, 0.85, 1.7 million for A
        (20, "A", 269_722),
        (32, "A", 464_154),
        (44, "A", 658_586),
        (56, "A", 853_018),
        (110, "A", 1_727_962),
        (20, "B", 272_474),
    ],
)
def test_the_parameters_with_ten_classes_are_as_many_as_published(
    depth: int, shortcut: str, count: int
) -> None:
    with torch.device("meta"):
        net = Use(CifarResNet, depth=depth, shortcut=shortcut).build(task())
        assert parameters(net) + parameters(nn.Linear(net.features, 10)) == count


def test_depth_counts_the_convolutions_of_the_trunk_and_the_classifier() -> None:
    with torch.device("meta"):
        net = CifarResNet(task(), depth=56, shortcut="A")
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) + 1 == 56


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize(("side", "channels"), [(8, 1), (9, 1), (32, 3)])
def test_a_stage_has_twice_the_channels_and_half_the_side_of_the_one_before(
    side: int, channels: int, shortcut: str
) -> None:
    net = Use(CifarResNet, depth=8, shortcut=shortcut).build(task(side, channels))
    features, stages = net(torch.randn(2, channels, side, side))
    half, quarter = -(-side // 2), -(-side // 4)
    sides = [(2, 16, side, side), (2, 32, half, half), (2, 64, quarter, quarter)]
    assert [tuple(stage.shape) for stage in stages] == sides
    assert net.features == 64
    assert_close(features, stages[-1].mean((2, 3)))


def test_shortcut_a_takes_every_second_pixel_and_fills_up_with_zeros() -> None:
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    corners = torch.tensor([[0.0, 2], [6, 8]])
    assert_close(Subsample(1, 2)(x), torch.stack([corners, torch.zeros(2, 2)])[None])
    assert parameters(Subsample(1, 2)) == 0


def test_shortcut_b_projects_only_where_the_channels_change() -> None:
    net = CifarResNet(task(), depth=14, shortcut="B")
    projections = [module for module in net.modules() if isinstance(module, Projection)]
    assert [parameters(p) for p in projections] == [16 * 32 + 2 * 32, 32 * 64 + 2 * 64]


def test_a_block_whose_branch_is_silent_hands_on_what_it_got() -> None:
    net = CifarResNet(task(), depth=14).eval()
    block = cast(Any, net.stages[0])[1]
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 16, 4, 4)
    assert_close(block(x), x)


def test_convolutions_start_with_the_variance_two_over_fan_in() -> None:
    net = CifarResNet(task(), depth=32)
    for conv in (m for m in net.modules() if isinstance(m, nn.Conv2d) and m.in_channels >= 32):
        expected = (2 / (9 * conv.in_channels)) ** 0.5
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)


def test_every_parameter_gets_a_gradient() -> None:
    net = CifarResNet(task(8, 1), depth=8, shortcut="B", width=4)
    features, _ = net(torch.randn(4, 1, 8, 8))
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


@pytest.mark.parametrize(
    ("depth", "near"), [(1, "8 or 14"), (2, "8 or 14"), (21, "20 or 26"), (25, "20 or 26")]
)
def test_a_depth_that_is_not_6n_plus_2_is_refused_with_its_neighbours(
    depth: int, near: str
) -> None:
    with pytest.raises(Invalid, match=rf"^CifarResNet\.depth = {depth}: .* such as {near}$"):
        Use(CifarResNet, depth=depth)


def test_demo_keeps_depths_and_shortcuts_apart() -> None:
    trials = [Use(CifarResNet, depth=d, shortcut=s) for d in DEPTHS for s in "AB"]
    assert len({use.demo() for use in trials}) == len(trials)
    assert all(use.demo()["shortcut"] == use["shortcut"] for use in trials)


def test_demo_keeps_the_order_of_depths_and_makes_none_deeper() -> None:
    demos = [Use(CifarResNet, depth=depth).demo() for depth in DEPTHS]
    sizes = [(demo["depth"], demo["width"]) for demo in demos]
    assert sizes == sorted(sizes)
    assert all(demo["depth"] <= depth for demo, depth in zip(demos, DEPTHS, strict=True))
    assert sizes[2] == (8, 18)  # n = 3: one block a stage, two left over
    assert sizes[4] == (14, 16)  # n = 5: two blocks
