from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from trainables.nets.resnet import Bottleneck, CifarResNet, Projection, Subsample
from trainables.settings import Invalid, Use
from trainables.task import Task

DEPTHS = (8, 14, 20, 26, 32, 38, 44, 50, 56, 110, 1202)
BOTTLENECKS = (11, 20, 29, 38, 47, 56, 74, 110, 164, 1001)


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


@pytest.mark.parametrize(
    ("depth", "count"),  # table 4 of He et al. 2016b says 1.7 and 10.2 million
    [(164, 1_704_154), (1001, 10_328_602)],
)
def test_bottlenecks_have_as_many_parameters_as_published(depth: int, count: int) -> None:
    with torch.device("meta"):
        net = CifarResNet(task(), depth=depth, block="bottleneck", shortcut="B")
        assert parameters(net) + parameters(nn.Linear(net.features, 10)) == count


def by_hand(blocks: int) -> int:
    """Parameters of a trunk of bottlenecks with shortcut B: weights, and two for each norm."""
    total, inputs = 3 * 9 * 16 + 2 * 16, 16
    for inside in (16, 32, 64):
        outputs = 4 * inside
        total += inputs * outputs + 2 * outputs  # the projection
        for _ in range(blocks):
            total += inputs * inside + 9 * inside**2 + inside * outputs + 4 * inside + 2 * outputs
            inputs = outputs
    return total


@pytest.mark.parametrize(("depth", "blocks"), [(29, 3), (56, 6), (74, 8), (110, 12)])
def test_the_bottleneck_nets_of_online_label_smoothing(depth: int, blocks: int) -> None:
    with torch.device("meta"):
        net = CifarResNet(task(), depth=depth, block="bottleneck", shortcut="B")
    assert net.features == 256
    assert parameters(net) == by_hand(blocks)
    projections = sum(isinstance(module, Projection) for module in net.modules())
    assert projections == 3  # the first stage has one, too: there 16 channels become 64
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) - projections + 1 == depth


def test_depth_counts_the_convolutions_of_the_trunk_and_the_classifier() -> None:
    with torch.device("meta"):
        net = CifarResNet(task(), depth=56, shortcut="A")
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) + 1 == 56


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize(("side", "channels"), [(8, 1), (9, 1), (32, 3)])
@pytest.mark.parametrize(("block", "depth", "times"), [("basic", 8, 1), ("bottleneck", 11, 4)])
def test_a_stage_has_twice_the_channels_and_half_the_side_of_the_one_before(
    block: str, depth: int, times: int, side: int, channels: int, shortcut: str
) -> None:
    use = Use(CifarResNet, depth=depth, block=block, shortcut=shortcut)
    net = use.build(task(side, channels))
    features, stages = net(torch.randn(2, channels, side, side))
    sides = [side, -(-side // 2), -(-side // 4)]
    shapes = [(2, times * c, s, s) for c, s in zip((16, 32, 64), sides, strict=True)]
    assert [tuple(stage.shape) for stage in stages] == shapes
    assert net.features == times * 64
    assert_close(features, stages[-1].mean((2, 3)))


def test_shortcut_a_takes_every_second_pixel_and_fills_up_with_zeros() -> None:
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    corners = torch.tensor([[0.0, 2], [6, 8]])
    assert_close(Subsample(1, 2)(x), torch.stack([corners, torch.zeros(2, 2)])[None])
    assert parameters(Subsample(1, 2)) == 0


def test_shortcut_a_may_keep_the_side() -> None:
    x = torch.rand(1, 1, 3, 3)
    assert_close(Subsample(1, 2, stride=1)(x), torch.cat([x, torch.zeros(1, 1, 3, 3)], dim=1))


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


def test_a_bottleneck_whose_branch_is_silent_hands_on_what_it_got() -> None:
    block = Bottleneck(16, 16, 1, nn.Identity()).eval()
    nn.init.zeros_(block.norm3.weight)
    x = torch.rand(2, 16, 4, 4)
    assert_close(block(x), x)


def test_convolutions_start_with_the_variance_two_over_fan_in() -> None:
    net = CifarResNet(task(), depth=32)
    for conv in (m for m in net.modules() if isinstance(m, nn.Conv2d) and m.in_channels >= 32):
        expected = (2 / (9 * conv.in_channels)) ** 0.5
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("init", "variances"),
    [  # of 1 x 1 from 256 to 64, 3 x 3 from 64 to 64, 1 x 1 from 64 to 256 channels
        ("fan_in", (2 / 256, 2 / (9 * 64), 2 / 64)),
        ("fan_out", (2 / 64, 2 / (9 * 64), 2 / 256)),  # the public script of OLS: 2 / (k k out)
        ("default", (1 / (3 * 256), 1 / (3 * 9 * 64), 1 / (3 * 64))),
    ],
)
def test_convolutions_start_with_the_variance_of_their_setting(
    init: str, variances: tuple[float, ...]
) -> None:
    net = Use(CifarResNet, depth=20, block="bottleneck", shortcut="B", init=init).build(task())
    block = net.stages[2][1]
    found = [conv.weight.var().item() for conv in (block.conv1, block.conv2, block.conv3)]
    assert found == pytest.approx(variances, rel=0.1)  # of 16,384 weights or more: 1 % of noise


def test_demo_keeps_how_convolutions_start() -> None:
    assert Use(CifarResNet, depth=56, init="fan_out").demo()["init"] == "fan_out"


@pytest.mark.parametrize(("block", "depth"), [("basic", 8), ("bottleneck", 11)])
def test_every_parameter_gets_a_gradient(block: str, depth: int) -> None:
    use = Use(CifarResNet, depth=depth, block=block, shortcut="B", width=4)
    net = use.build(task(8, 1))
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


@pytest.mark.parametrize(("depth", "near"), [(3, "11 or 20"), (32, "29 or 38"), (44, "38 or 47")])
def test_a_depth_of_bottlenecks_is_9n_plus_2(depth: int, near: str) -> None:
    message = rf"^CifarResNet\.depth = {depth}: must be 9 n \+ 2, such as {near}$"
    with pytest.raises(Invalid, match=message):
        Use(CifarResNet, depth=depth, block="bottleneck")


def test_demo_keeps_depths_blocks_and_shortcuts_apart() -> None:
    depths = [("basic", d) for d in DEPTHS] + [("bottleneck", d) for d in BOTTLENECKS]
    trials = [Use(CifarResNet, depth=d, block=b, shortcut=s) for b, d in depths for s in "AB"]
    assert len({use.demo() for use in trials}) == len(trials)
    assert all(use.demo()["shortcut"] == use["shortcut"] for use in trials)


@pytest.mark.parametrize(("block", "depths"), [("basic", DEPTHS), ("bottleneck", BOTTLENECKS)])
def test_demo_keeps_the_order_of_depths_and_makes_none_deeper(
    block: str, depths: tuple[int, ...]
) -> None:
    demos = [Use(CifarResNet, depth=depth, block=block).demo() for depth in depths]
    sizes = [(demo["depth"], demo["width"]) for demo in demos]
    assert sizes == sorted(sizes)
    assert all(demo["depth"] <= depth for demo, depth in zip(demos, depths, strict=True))


def test_demo_has_a_block_for_every_six_and_a_channel_for_each_left_over() -> None:
    demos = [Use(CifarResNet, depth=depth).demo() for depth in DEPTHS]
    sizes = [(demo["depth"], demo["width"]) for demo in demos]
    assert sizes[2] == (8, 18)  # n = 3: one block a stage, two left over
    assert sizes[4] == (8, 20)  # n = 5: one block, four left over
