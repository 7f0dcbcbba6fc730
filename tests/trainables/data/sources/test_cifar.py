import pickle
import socket
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torchvision import datasets

from trainables import downloads
from trainables.data.sources import cifar as module
from trainables.data.sources.cifar import Cifar, Cifar10, Cifar100
from trainables.data.sources.digits import Digits
from trainables.downloads import answer, md5
from trainables.settings import Invalid, Use

NOWHERE = "file:///there/is/no/archive"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a CIFAR-10 of two images a file, whose checksums pass as published."""
    kind, folder = datasets.CIFAR10, tmp_path / "data"
    target = folder / kind.base_folder
    target.mkdir(parents=True)

    def write(name: str, content: object) -> str:
        (target / name).write_bytes(pickle.dumps(content))
        return md5((target / name).read_bytes())

    def batch(first: int) -> dict[str, object]:
        x = np.arange(first * 3072, (first + 2) * 3072).reshape(2, 3072).astype(np.uint8)
        return {"data": x, "labels": [first % 10, (first + 1) % 10]}

    names = [f"data_batch_{i}" for i in range(1, 6)]
    train = [[name, write(name, batch(2 * i))] for i, name in enumerate(names)]
    test = [["test_batch", write("test_batch", batch(10))]]
    meta = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(kind, "train_list", train)
    monkeypatch.setattr(kind, "test_list", test)
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": meta})
    monkeypatch.setattr(kind, "url", NOWHERE)
    return folder


@pytest.fixture
def archive(small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same packed, where the data are fetched from."""
    kind = datasets.CIFAR10
    packed: Path = small.parent / kind.filename
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(small / kind.base_folder, kind.base_folder)
    monkeypatch.setattr(kind, "url", packed.as_uri())
    monkeypatch.setattr(kind, "tgz_md5", md5(packed.read_bytes()))
    return packed


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that takes calls and never answers."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_images_and_labels_are_those_of_all_files_in_their_order(small: Path) -> None:
    source = Cifar10()
    source.verify(small)
    x, y = source.load(small, "train")
    assert x.dtype == torch.uint8
    assert_close(x, (torch.arange(10 * 3072) % 256).to(torch.uint8).view(10, 3, 32, 32))
    assert y.tolist() == list(range(10))
    assert source.load(small, "test")[1].tolist() == [0, 1]
    assert source.names(small) == tuple("abcdefghij")


def test_data_that_are_there_are_not_fetched(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "answer", pytest.fail)
    Cifar10().verify(small)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_changed_file_is_named_with_its_checksum_and_the_right_one(
    small: Path, name: str
) -> None:
    path = small / "cifar-10-batches-py" / name
    right = md5(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    found = md5(path.read_bytes())
    with pytest.raises(Invalid) as error:
        Cifar10().verify(small)
    assert str(error.value) == f"{path} has md5 {found}: must be {right}, replace the file"


def test_what_has_not_the_published_checksum_is_never_unpickled(small: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return pytest.fail, ("it was unpickled",)

    (small / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(Invalid, match="test_batch has md5"):
        Cifar10().load(small, "test")


def test_a_missing_file_is_named(small: Path) -> None:
    path = small / "cifar-10-batches-py" / "data_batch_2"
    path.unlink()
    with pytest.raises(Invalid, match=f"^{path} is missing: remove its folder"):
        Cifar10().verify(small)


@pytest.mark.usefixtures("archive")
def test_missing_data_are_fetched(tmp_path: Path) -> None:
    empty = tmp_path / "new" / "data"
    Cifar10().verify(empty)
    assert Cifar10().load(empty, "train")[1].tolist() == list(range(10))
    assert [path.name for path in empty.iterdir()] == ["cifar-10-batches-py"]


@pytest.mark.usefixtures("archive")
def test_several_may_fetch_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "new"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Cifar10().verify, [empty] * 4))
    assert [path.name for path in empty.iterdir()] == ["cifar-10-batches-py"]


@pytest.mark.usefixtures("small")
def test_without_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as error:
        Cifar10().verify(tmp_path / "new")
    line = str(error.value)
    target = tmp_path / "new" / "cifar-10-batches-py"
    assert line.startswith(f"{target} is missing: unpack cifar-10-python.tar.gz in {target.parent}")
    assert NOWHERE in line
    assert "\n" not in line
    assert list((tmp_path / "new").iterdir()) == []


def test_a_damaged_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes() + b"!")
    with pytest.raises(Invalid, match="what was sent has a wrong md5"):
        Cifar10().verify(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.usefixtures("small")
def test_a_silent_server_is_given_up(
    silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PATIENCE", 0.2)
    monkeypatch.setattr(datasets.CIFAR10, "url", silent)
    started = time.monotonic()
    with pytest.raises(Invalid, match=r"no answer within|timed out"):
        Cifar10().verify(tmp_path / "new")
    assert time.monotonic() - started < 5


def test_a_name_that_takes_too_long_to_look_up_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Event()
    monkeypatch.setattr(downloads, "PATIENCE", 0.1)
    monkeypatch.setattr(downloads, "urlopen", lambda *_, **__: found.wait(60))
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        answer("https://slow.example")
    assert time.monotonic() - started < 30
    found.set()


def test_the_constants_are_chosen_by_name() -> None:
    assert Cifar10().normalisation == Cifar10(constants="cifar10").normalisation
    assert Cifar100().normalisation == Cifar100(constants="cifar100").normalisation
    assert Cifar10(constants="ldam").normalisation[1] == (0.2023, 0.1994, 0.2010)
    assert Cifar10(constants="none").normalisation == ((0, 0, 0), (1, 1, 1))
    assert 255 * Cifar10(constants="ols").normalisation[0][0] == pytest.approx(125.3)
    with pytest.raises(Invalid, match=r"Cifar10.constants = 'mean': must be one of cifar10, "):
        Use(Cifar10, constants="mean")


def test_each_has_its_own_variant_of_the_digits() -> None:
    assert Use(Cifar10).demo() == Use(Digits, turn=1)
    assert Use(Cifar100).demo() == Use(Digits, turn=2)


def test_they_enter_ids_by_name() -> None:
    assert not hasattr(Cifar, "files")


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("kind", [Cifar10, Cifar100])
def test_the_real_data_are_what_torchvision_loads(
    kind: type[Cifar10 | Cifar100], cifar: Path
) -> None:
    source = kind()
    source.verify(cifar)
    for part, count in (("train", source.images), ("test", source.test_images)):
        x, y = source.load(cifar, part)
        theirs = source._published(cifar, train=part == "train")
        assert x.shape == (count, 3, 32, 32)
        assert_close(x, torch.from_numpy(theirs.data).permute(0, 3, 1, 2))
        assert y.tolist() == theirs.targets
        assert torch.bincount(y).tolist() == [count // source.classes] * source.classes
        assert source.names(cifar) == tuple(theirs.classes)


@pytest.mark.data
def test_the_real_pixels_have_the_mean_and_deviation_of_their_name(cifar: Path) -> None:
    for source in (Cifar10(), Cifar100()):
        x = source.load(cifar, "train")[0][::5].transpose(0, 1).flatten(1) / 255
        mean, std = (torch.tensor(values) for values in source.normalisation)
        assert_close(x.mean(1), mean, rtol=0, atol=2e-3)
        assert_close(x.std(1), std, rtol=0, atol=2e-3)
