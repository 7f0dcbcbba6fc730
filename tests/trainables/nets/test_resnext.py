from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from trainables.nets.resnext import ResNeXt29
from trainables.settings import Invalid, Use
from trainables.task import Task

NETS = {"2x64d": (2, 64), "32x4d": (32, 4), "8x64d": (8, 64), "16x64d": (16, 64)}


def task(side: int = 32, channels: int = 3) -> Task:
    parts = SimpleNamespace(channels=channels, side=side, classes=10, folder=Path("nowhere"))
    return cast(Task, parts)


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "stem", "count"),
    [  # table 7 of the paper says 34.4 and 68.1 million; the 1 x 1 stems are the public versions
        ("8x64d", 3, 34_426_698),
        ("16x64d", 3, 68_155_210),
        ("32x4d", 3, 4_775_754),
        ("32x4d", 1, 4_774_218),
        ("2x64d", 1, 9_128_778),
    ],
)
def test_the_parameters_with_ten_classes_are_as_many_as_published(
    name: str, stem: int, count: int
) -> None:
    cardinality, base_width = NETS[name]
    use = Use(ResNeXt29, cardinality=cardinality, base_width=base_width, stem=stem)
    with torch.device("meta"):
        net = use.build(task())
        assert parameters(net) + parameters(nn.Linear(net.features, 10)) == count


@pytest.mark.parametrize("name", ["2x64d", "32x4d"])
def test_every_stage_has_twice_the_channels_of_a_group_and_as_many_groups(name: str) -> None:
    cardinality, base_width = NETS[name]
    with torch.device("meta"):
        net = ResNeXt29(task(), cardinality=cardinality, base_width=base_width)
    grouped = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert [conv.groups for conv in grouped] == [cardinality] * 9
    widths = [conv.in_channels // conv.groups for conv in grouped]
    assert widths == [base_width] * 3 + [2 * base_width] * 3 + [4 * base_width] * 3


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (9, 1), (32, 3)])
@pytest.mark.parametrize("stem", [1, 3])
def test_a_stage_has_twice_the_channels_and_half_the_side_of_the_one_before(
    side: int, channels: int, stem: int
) -> None:
    net = Use(ResNeXt29, base_width=4, width=8, stem=stem).build(task(side, channels))
    features, stages = net(torch.randn(2, channels, side, side))
    sides = [side, -(-side // 2), -(-side // 4)]
    shapes = [(2, c, s, s) for c, s in zip((32, 64, 128), sides, strict=True)]
    assert [tuple(stage.shape) for stage in stages] == shapes
    assert net.features == 128
    assert_close(features, stages[-1].mean((2, 3)))


def test_the_nets_of_the_tables_have_1024_features_and_28_convolutions() -> None:
    for cardinality, base_width in (NETS["2x64d"], NETS["32x4d"]):
        with torch.device("meta"):
            net = ResNeXt29(task(), cardinality=cardinality, base_width=base_width)
        assert net.features == 1024
        convolutions = sum(isinstance(module, nn.Conv2d) for module in net.modules())
        assert convolutions == 28 + 3  # projections are not counted


def test_every_parameter_gets_a_gradient() -> None:
    net = ResNeXt29(task(8, 1), base_width=4, width=8)
    features, _ = net(torch.randn(4, 1, 8, 8))
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


@pytest.mark.parametrize(
    ("init", "variance"),
    [  # each of 512 outputs sees 16 channels of 3 x 3; fan-out counts all outputs, PyTorch's way
        ("fan_in", 2 / (9 * 16)),
        ("fan_out", 2 / (9 * 512)),
        ("default", 1 / (3 * 9 * 16)),  # the public script of OLS
    ],
)
def test_grouped_convolutions_start_with_the_variance_of_their_setting(
    init: str, variance: float
) -> None:
    net = Use(ResNeXt29, cardinality=32, base_width=4, init=init).build(task())
    weight = net.stages[2][1].conv2.weight
    assert tuple(weight.shape) == (512, 16, 3, 3)
    assert weight.var().item() == pytest.approx(variance, rel=0.05)


def test_demo_keeps_nets_apart_and_is_small() -> None:
    uses = [Use(ResNeXt29, cardinality=c, base_width=b) for c, b in NETS.values()]
    demos = [use.demo() for use in uses]
    assert len(set(demos)) == len(NETS)
    assert [(d["cardinality"], d["base_width"], d["width"]) for d in demos[:2]] == [
        (2, 8, 8),
        (16, 1, 8),
    ]
    assert ResNeXt29.demo(uses[0].but(init="default"))["init"] == "default"
    assert all(parameters(demo.build(task(8, 1))) < 200_000 for demo in demos[:2])


@pytest.mark.parametrize("setting", ["cardinality", "base_width", "width"])
def test_sizes_are_at_least_one(setting: str) -> None:
    with pytest.raises(Invalid, match=rf"ResNeXt29.{setting} = 0: must lie in"):
        Use(ResNeXt29, **{setting: 0})


def test_the_stem_has_a_side_of_one_or_three() -> None:
    with pytest.raises(Invalid, match=r"ResNeXt29.stem = 2: must be one of 3, 1"):
        Use(ResNeXt29, stem=2)
