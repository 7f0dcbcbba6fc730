import hashlib
import inspect
import io
import re
import socket
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close
from torchvision import models

from tests.trainables.small import small_trial
from trainables import downloads
from trainables.nets.net import Net
from trainables.nets.torchvision_nets import (
    MobileNetV2,
    ResNet10,
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
    TorchvisionNet,
    TorchvisionResNet,
)
from trainables.settings import Invalid, Use, classes_of
from trainables.task import Task

NETS = (ResNet18, ResNet34, ResNet50, ResNet101, ResNet152, MobileNetV2)
ORIGINALS = {
    ResNet18: models.resnet18,
    ResNet34: models.resnet34,
    ResNet50: models.resnet50,
    ResNet101: models.resnet101,
    ResNet152: models.resnet152,
    MobileNetV2: models.mobilenet_v2,
}


def task(side: int = 224, channels: int = 3, folder: Path = Path("nowhere")) -> Task:
    return cast(Task, SimpleNamespace(channels=channels, side=side, classes=10, folder=folder))


def shapes(net: Net, side: int, channels: int) -> list[tuple[int, ...]]:
    _, stages = net(torch.zeros(2, channels, side, side, device="meta"))
    return [tuple(stage.shape[1:]) for stage in stages]


def without_classifier(original: nn.Module) -> Any:
    """torchvision's own model with nothing behind its features."""
    last = "fc" if hasattr(original, "fc") else "classifier"
    setattr(original, last, nn.Identity())
    return original


@pytest.mark.parametrize(
    ("net", "count"),
    [
        (ResNet10, 4_905_792),
        (ResNet18, 11_176_512),
        (ResNet34, 21_284_672),
        (ResNet50, 23_508_032),
        (ResNet101, 42_500_160),
        (ResNet152, 58_143_808),
        (MobileNetV2, 2_223_872),
    ],
)
def test_the_trunk_has_as_many_parameters_as_torchvisions(
    net: type[TorchvisionNet], count: int
) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in net(task()).parameters()) == count


@pytest.mark.parametrize(
    ("net", "channels"),
    [
        (ResNet10, (64, 128, 256, 512)),
        (ResNet18, (64, 128, 256, 512)),
        (ResNet34, (64, 128, 256, 512)),
        (ResNet50, (256, 512, 1024, 2048)),
        (ResNet101, (256, 512, 1024, 2048)),
        (ResNet152, (256, 512, 1024, 2048)),
        (MobileNetV2, (24, 32, 96, 1280)),
    ],
)
@pytest.mark.parametrize(
    ("side", "sides"),
    [(224, (56, 28, 14, 7)), (64, (16, 8, 4, 2)), (32, (32, 16, 8, 4)), (8, (8, 4, 2, 1))],
)
def test_stages_halve_the_side_and_small_images_are_not_shrunk_before_the_first(
    net: type[TorchvisionNet],
    channels: tuple[int, ...],
    side: int,
    sides: tuple[int, ...],
) -> None:
    with torch.device("meta"):
        built = net(task(side, channels=1))
    expected = [(c, s, s) for c, s in zip(channels, sides, strict=True)]
    assert shapes(built, side, 1) == expected
    assert built.features == channels[-1]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def at(url: str, net: type[TorchvisionNet]) -> Any:
    """The same net with its weights at another place."""
    return type(net.__name__, (net,), {"url": staticmethod(lambda: url)})


class Saved:
    """Random weights of torchvision's own model in a file that is named as torchvision does."""

    def __init__(self, net: type[TorchvisionNet], folder: Path, drop: str = "nothing") -> None:
        self.original = ORIGINALS[net]().eval()
        for module in self.original.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
        entries = {k: v for k, v in self.original.state_dict().items() if drop not in k}
        content = io.BytesIO()
        torch.save(entries, content)
        digest = hashlib.sha256(content.getvalue()).hexdigest()[:8]
        self.path = folder / f"net-{digest}.pth"
        self.path.write_bytes(content.getvalue())
        self.net = at(self.path.as_uri(), net)


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_with_torchvisions_weights_it_computes_what_torchvisions_model_computes(
    net: type[TorchvisionNet], tmp_path: Path
) -> None:
    saved = Saved(net, tmp_path)
    built = saved.net(task(folder=tmp_path), weights="imagenet").eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        features, stages = built(x)
        expected: Tensor = without_classifier(saved.original)(x)
    assert_close(features, expected, rtol=1e-4, atol=1e-5)
    assert_close(features, stages[-1].mean((2, 3)))


@pytest.mark.parametrize("net", [ResNet50, MobileNetV2])
def test_without_weights_layers_start_as_torchvisions_do(net: type[TorchvisionNet]) -> None:
    built, original = net(task()).state_dict(), net.trunk(ORIGINALS[net]().state_dict())
    assert built.keys() == original.keys()
    for name, entry in original.items():
        if entry.numel() >= 4096:
            assert built[name].std().item() == pytest.approx(entry.std().item(), rel=0.1), name
        elif entry.ndim == 1:
            assert_close(built[name], entry)  # of batch norm


def test_weights_saved_without_batch_norms_counters_are_loaded_as_well(tmp_path: Path) -> None:
    saved = Saved(ResNet18, tmp_path, drop="num_batches_tracked")
    built: Any = saved.net(task(folder=tmp_path), weights="imagenet")
    assert_close(built.conv1.weight, saved.original.conv1.weight)


def test_weights_that_lack_a_layer_are_refused(tmp_path: Path) -> None:
    saved = Saved(ResNet18, tmp_path, drop="layer4.1.bn2")
    with pytest.raises(RuntimeError, match=r"layer4\.1\.bn2"):
        saved.net(task(folder=tmp_path), weights="imagenet")


def test_files_names_torchvisions_file_for_imagenet_and_none_otherwise(tmp_path: Path) -> None:
    assert Use(ResNet50).files(tmp_path) == {}
    expected = {"weights": tmp_path / "resnet50-0676ba61.pth"}
    assert Use(ResNet50, weights="imagenet").files(tmp_path) == expected


@pytest.mark.parametrize("net", NETS)
def test_the_weights_come_from_a_place_whose_name_carries_a_checksum(
    net: type[TorchvisionNet],
) -> None:
    pattern = r"https://download\.pytorch\.org/models/\w+-[0-9a-f]{8}\.pth"
    assert re.fullmatch(pattern, net.url())


def test_a_missing_file_is_one_line_with_its_path_and_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as error:
        ResNet50(task(folder=tmp_path), weights="imagenet")
    path = tmp_path / "resnet50-0676ba61.pth"
    url = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
    assert str(error.value) == f"{path} is missing: put the file from {url} there"


def test_a_corrupt_file_is_refused_when_fetched_and_when_loaded(tmp_path: Path) -> None:
    saved = Saved(ResNet18, tmp_path)
    saved.path.write_bytes(saved.path.read_bytes()[:-1])
    message = rf"^{saved.path} is corrupt: put the file from {saved.net.url()} there$"
    with pytest.raises(Invalid, match=message):
        saved.net.fetch(tmp_path, weights="imagenet")
    with pytest.raises(Invalid, match=message):
        saved.net(task(folder=tmp_path), weights="imagenet")


def test_fetch_downloads_a_missing_file_whole(tmp_path: Path) -> None:
    saved = Saved(ResNet18, tmp_path)
    folder = tmp_path / "data"
    saved.net.fetch(folder, weights="imagenet", width=1.0, depth=1.0)
    assert (folder / saved.path.name).read_bytes() == saved.path.read_bytes()
    assert [p.name for p in folder.iterdir()] == [saved.path.name]


def test_fetch_leaves_alone_what_is_there_and_what_is_not_asked_for(tmp_path: Path) -> None:
    saved = Saved(ResNet18, tmp_path)
    before = saved.path.stat().st_mtime_ns
    saved.net.fetch(tmp_path, weights="imagenet")
    assert saved.path.stat().st_mtime_ns == before
    ResNet18.fetch(tmp_path / "data", weights="none")
    assert not (tmp_path / "data").exists()


def test_fetch_refuses_a_download_of_other_content_and_leaves_nothing(tmp_path: Path) -> None:
    saved = Saved(ResNet18, tmp_path)
    saved.path.write_bytes(b"<html>log in first</html>")
    with pytest.raises(Invalid, match=r"^.* is missing: .* \(its content is another\)$"):
        saved.net.fetch(tmp_path / "data", weights="imagenet")
    assert not (tmp_path / "data").exists()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/net-01234567.pth"


def test_fetch_gives_up_soon_where_no_server_answers(
    tmp_path: Path, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 2 * downloads.PATIENCE < 10  # once for the connection, once for the content
    monkeypatch.setattr(downloads, "PATIENCE", 0.2)
    started = time.monotonic()
    with pytest.raises(Invalid) as error:
        at(silent, ResNet18).fetch(tmp_path, weights="imagenet")
    assert time.monotonic() - started < 5
    assert str(tmp_path / "net-01234567.pth") in str(error.value)
    assert silent in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (224, 1)])
def test_imagenets_weights_are_refused_for_small_or_grey_images(side: int, channels: int) -> None:
    with pytest.raises(Invalid, match=rf"^ResNet18\.weights = imagenet: .* {channels} x {side} "):
        ResNet18(task(side, channels), weights="imagenet")


@pytest.mark.parametrize("size", [{"width": 0.5}, {"depth": 2.0}])
def test_imagenets_weights_are_refused_for_another_size_of_net(size: dict[str, float]) -> None:
    with pytest.raises(Invalid, match=r"^MobileNetV2\.weights = imagenet: must be none"):
        Use(MobileNetV2, weights="imagenet", **size)


@pytest.mark.parametrize("net", NETS)
def test_demo_is_a_small_net_of_the_same_class_that_learns_from_grey_digits(
    net: type[TorchvisionNet],
) -> None:
    for weights in ("none", "imagenet"):
        demo = Use(net, weights=weights).demo()
        assert demo.part is net
        assert demo["weights"] == "none"
        built = demo.build(task(8, channels=1))
        assert sum(p.numel() for p in built.parameters()) < 700_000
        features, _ = built(torch.randn(4, 1, 8, 8))
        features.square().sum().backward()
        assert features.isfinite().all()
        assert all(p.grad is not None for p in built.parameters())


def test_demo_keeps_apart_what_a_table_may_vary() -> None:
    sizes = [{"width": w, "depth": d} for w, d in product((0.5, 1, 2), (0.5, 1, 2))]
    trials = [Use(net, **size) for net in NETS for size in sizes]
    trials += [Use(net, weights="imagenet") for net in NETS]
    assert len({use.demo() for use in trials}) == len(trials)


@pytest.mark.slow
@pytest.mark.parametrize("net", [ResNet18, MobileNetV2])
@settings(max_examples=20, deadline=None)
@given(width=st.floats(1e-3, 1.5), depth=st.floats(1e-3, 1.5))
def test_width_and_depth_never_leave_a_layer_or_a_stage_empty(
    net: type[TorchvisionNet], width: float, depth: float
) -> None:
    with torch.device("meta"):
        built = net(task(8, 1), width=width, depth=depth)
        assert all(0 not in p.shape for p in built.parameters())
    assert [side for *_, side in shapes(built, 8, 1)] == [8, 4, 2, 1]


# MobileNetV2's dropout


def test_the_share_dropped_is_torchvisions() -> None:
    signature = inspect.signature(models.MobileNetV2).parameters
    assert Use(MobileNetV2)["dropout"] == signature["dropout"].default == 0.2
    assert Use(MobileNetV2, dropout=0.3).demo()["dropout"] == 0.3


def test_features_are_dropped_in_training_alone_and_stages_never() -> None:
    net, x = MobileNetV2(task(8, 1), width=0.25, depth=0.25, dropout=0.75), torch.randn(8, 1, 8, 8)
    features, stages = net(x)
    whole, kept = stages[-1].mean((2, 3)), features > 0
    assert kept.sum().item() == pytest.approx(0.25 * (whole > 0).sum().item(), rel=0.1)
    assert_close(features[kept], 4 * whole[kept])
    features, stages = net.eval()(x)
    assert_close(features, stages[-1].mean((2, 3)))


def test_without_dropout_nothing_is_drawn_and_the_id_is_that_of_before_it_was_a_setting() -> None:
    plain = Use(MobileNetV2, dropout=0).demo()
    net = plain.build(task(8, 1))
    before = torch.random.get_rng_state()
    net(torch.ones(4, 1, 8, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert small_trial(net=plain).id == "8e6347009d5d"
    assert small_trial(net=Use(MobileNetV2).demo()).id != "8e6347009d5d"


def test_the_values_of_a_dropout_are_shares_below_one() -> None:
    with pytest.raises(Invalid, match=r"MobileNetV2.dropout = 1.0: must lie in \[0, 1\)"):
        Use(MobileNetV2, dropout=1)


def test_only_whole_nets_are_offered_by_name() -> None:
    names = classes_of(Net)
    assert {net.__name__ for net in NETS} <= names.keys()
    assert not {TorchvisionNet.__name__, TorchvisionResNet.__name__} & names.keys()
