"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): small photographs, in torchvision's layout."""

import pickle
import shutil
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from trainables.data.sources.digits import Digits
from trainables.data.sources.source import Source
from trainables.downloads import answer, md5, reason
from trainables.settings import Invalid, Missing, Use, readable

Constants = Literal["cifar10", "cifar100", "ldam", "ols", "none"]

# Mean and standard deviation that public code takes out, named by the data or the code they are of.
CONSTANTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "ldam": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "ols": ((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class Cifar(Source):
    """50,000 training and 10,000 test images. Subclasses say which of torchvision's it is."""

    published: str  # torchvision's class, which has names, md5 checksums and address of the files
    labels: str  # their key in the files
    side = 32
    images = 50_000
    test_images = 10_000

    def __init__(self, constants: Constants) -> None:
        self.normalisation = CONSTANTS[constants]

    @property
    def _published(self) -> Any:
        from torchvision import datasets  # two seconds, which most commands need not

        return getattr(datasets, self.published)

    def verify(self, folder: Path) -> None:
        target = folder / self._published.base_folder
        if not target.is_dir():
            self._fetch(folder, target)
        for name in self._checksums():
            self._bytes(folder, name)

    def names(self, folder: Path) -> tuple[str, ...]:
        meta = self._published.meta
        return tuple(self._read(folder, meta["filename"])[meta["key"]])

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        listed = self._published.test_list if part == "test" else self._published.train_list
        batches = [self._read(folder, name) for name, _ in listed]
        x = np.concatenate([batch["data"] for batch in batches])
        y = [label for batch in batches for label in batch[self.labels]]
        return torch.from_numpy(x).view(-1, self.channels, self.side, self.side), torch.tensor(y)

    def _checksums(self) -> dict[str, str]:
        kind = self._published
        return dict([*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])])

    def _read(self, folder: Path, name: str) -> Any:
        # Nothing is unpickled but what has the published checksum.
        return pickle.loads(self._bytes(folder, name), encoding="latin1")

    def _bytes(self, folder: Path, name: str) -> bytes:
        path: Path = folder / self._published.base_folder / name
        if not path.is_file():
            raise Missing(f"{path} is missing: remove its folder to have all files fetched anew")
        with readable(path):
            content = path.read_bytes()
        if (found := md5(content)) != (right := self._checksums()[name]):
            raise Invalid(f"{path} has md5 {found}: must be {right}, replace the file")
        return content

    def _fetch(self, folder: Path, target: Path) -> None:
        from torchvision.datasets.utils import extract_archive

        kind = self._published
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=folder) as fresh, answer(kind.url) as response:
                archive = Path(fresh) / kind.filename
                with archive.open("wb") as file:
                    shutil.copyfileobj(response, file)
                if md5(archive.read_bytes()) != kind.tgz_md5:
                    raise OSError("what was sent has a wrong md5")
                extract_archive(archive, fresh)
                (Path(fresh) / kind.base_folder).rename(target)
        except (OSError, HTTPException) as error:
            if not target.is_dir():  # else another process was faster
                how = f"unpack {kind.filename} in {folder}; {kind.url} failed: {reason(error)}"
                raise Missing(f"{target} is missing: {how}") from error


class Cifar10(Cifar):
    """Ten classes."""

    published = "CIFAR10"
    labels = "labels"
    classes = 10

    def __init__(self, *, constants: Constants = "cifar10") -> None:
        super().__init__(constants)

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(Digits, turn=1)


class Cifar100(Cifar):
    """A hundred classes: the fine labels."""

    published = "CIFAR100"
    labels = "fine_labels"
    classes = 100

    def __init__(self, *, constants: Constants = "cifar100") -> None:
        super().__init__(constants)

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(Digits, turn=2)
