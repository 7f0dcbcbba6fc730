"""What a machine must have before it trains."""

import socket
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from PIL import Image

from trainables.data.sources.digits import Digits
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.spec import DataSpec
from trainables.nets.net import Net
from trainables.nets.resnet import CifarResNet
from trainables.recipe import Recipe
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.targets.knowledge import Knowledge
from trainables.trial import Trial
from trainables.worker import files, node
from trainables.worker.node import Driver

FORMATS = {"precision": "float32", "memory_format": "contiguous"}


def trial(source: Use = Use(Digits), **parts: Use) -> Trial:
    net = Use(CifarResNet, depth=8, width=2)
    recipe = Recipe(epochs=1, schedule="constant")
    return Trial(data=DataSpec(source=source), **{"net": net, **parts}, recipe=recipe)


def test_a_machine_like_the_driver_has_no_differences() -> None:
    assert node.software().differences(node.software()) == ""


def test_a_difference_is_named_with_both_values(tmp_path: Path) -> None:
    driver = replace(node.software(), ray="0.0.1", sources="0123")
    own = node.software()
    with pytest.raises(Invalid) as raised:
        node.require_fit(Driver(driver, None), Storage(tmp_path))
    assert str(raised.value) == (
        f"sources is {own.sources}, the driver's 0123, ray is {own.ray}, the driver's 0.0.1"
    )


def test_the_sources_are_those_of_all_three_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in node.PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "a.py").write_text("x = 1")
    monkeypatch.setattr(node, "__file__", str(tmp_path / "trainables/worker/node.py"))
    hashes = [node.software.__wrapped__().sources]
    (tmp_path / "trainables/notes.txt").write_text("no source")
    assert node.software.__wrapped__().sources == hashes[0]
    for package in node.PACKAGES:
        (tmp_path / package / "a.py").write_text("x = 2")
        hashes.append(node.software.__wrapped__().sources)
    (tmp_path / "study/a.py").rename(tmp_path / "study/b.py")
    hashes.append(node.software.__wrapped__().sources)
    assert len(set(hashes)) == 5


def test_a_file_that_differs_from_the_drivers_is_named(tmp_path: Path) -> None:
    lines = "".join(f"digit {name}\n" for name in Digits().names(tmp_path))
    for place in ("driver", "node"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "tree.txt").write_text(lines)
    known = trial(targets=Use(Knowledge, hierarchy="tree.txt"))
    resolved = known.resolved(tmp_path / "driver", FORMATS)
    files.fetch_all(resolved, tmp_path / "node")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/tree.txt").write_text(lines.replace("digit", "number"))
    wrong = r"other/tree\.txt has checksum .*, as on the driver$"
    with pytest.raises(Invalid, match=wrong):
        files.fetch_all(resolved, tmp_path / "other")
    with pytest.raises(Invalid, match=r"nowhere/tree\.txt"):
        files.fetch_all(resolved, tmp_path / "nowhere")


def test_images_that_differ_from_the_drivers_are_named_by_their_folder(tmp_path: Path) -> None:
    for place in ("driver", "node", "other"):
        for part in ("train", "test"):
            grey = 7 if (place, part) == ("other", "test") else 0
            for bird in ("crow", "wren"):
                folder = tmp_path / place / "birds" / part / bird
                folder.mkdir(parents=True)
                Image.new("L", (9, 9), grey).save(folder / "0.bmp")
    counts = {"classes": 2, "images": 2, "test_images": 2}
    crows = Use(ImageFolder, path="birds", side=8, resize=8, **counts)
    resolved = trial(source=crows).resolved(tmp_path / "driver", FORMATS)
    files.fetch_all(resolved, tmp_path / "node")
    with pytest.raises(
        Invalid, match=rf"^{tmp_path}/other/birds has checksum .*, as on the driver$"
    ):
        files.fetch_all(resolved, tmp_path / "other")


def test_a_storage_without_what_the_driver_writes_is_not_shared(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    node.require_fit(Driver.of(storage), storage)
    storage.top.write_json("lease.json", {})
    driver = Driver.of(storage)
    node.require_fit(driver, storage)
    storage.top.remove("lease.json")
    with pytest.raises(
        Invalid, match=rf"driver writes to --storage = {tmp_path}: must be a folder"
    ):
        node.require_fit(driver, storage)


def test_a_node_with_a_full_disk_is_named_by_its_first_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(tmp_path)
    node.prepare(trial(), tmp_path, storage, Driver.of(storage))
    monkeypatch.setattr(node, "FREE_MIB", 1 << 40)
    full = rf"^node {socket.gethostname()}: {tmp_path}: must have {1 << 40} MiB free, has \d+$"
    with pytest.raises(Invalid, match=full):
        node.prepare(trial(), tmp_path, storage, Driver.of(storage))


def test_an_error_of_the_operating_system_names_the_node_too(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=rf"^node {socket.gethostname()}: .*No such file"):
        node.prepare(trial(), tmp_path, Storage(tmp_path / "gone"), Driver(node.software(), None))


class Far(Net):
    """Has weights that are fetched; each download leaves a line."""

    @classmethod
    def fetch(cls, folder: Path) -> None:
        if not (folder / "weights").exists():
            with (folder / "downloads").open("a") as file:
                file.write("once\n")
            (folder / "weights").write_text("w")


def test_many_processes_of_a_machine_fetch_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(6, mp_context=get_context("fork")) as pool:
        list(pool.map(files.fetch, [Use(Far)] * 24, [tmp_path] * 24))
    assert (tmp_path / "downloads").read_text() == "once\n"
