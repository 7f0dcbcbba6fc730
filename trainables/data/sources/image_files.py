"""Image files: a data set of them, and how each becomes a square of uint8."""

from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from trainables.data.sources import pixels
from trainables.data.sources.source import Images, Source
from trainables.settings import Files

CHUNKS = 4  # that each thread gets of what is asked for at once

Fit = Literal["crop", "squash", "whole"]
Square = np.ndarray[Any, np.dtype[np.uint8]]  # (3, resize, resize)


class ImageFiles(Source):
    """A data set of image files; each is read as a square of `resize` pixels.

    That is the middle of the image resized by its shorter side (`fit` "crop"), or the whole image,
    distorted ("squash"). Or it is the whole image, of which augmentation and evaluation see what
    they would of the undistorted one ("whole").
    """

    resize: int
    fit: Fit

    @abstractmethod
    def image_files(self, folder: Path, part: str) -> Files:
        """Those of the part "train", "test", or "meta" if there is one, in the labels' order."""

    def decoded(self, folder: Path) -> list["Decoded"]:
        """The images of each part that there is."""
        parts = ("train", "test", "meta") if self.meta_images else ("train", "test")
        return [self._decoded(folder, part) for part in parts]

    def load(self, folder: Path, part: str) -> tuple[Images, Tensor]:
        return self._decoded(folder, part), self.labels_of(folder, part)

    def _decoded(self, folder: Path, part: str) -> "Decoded":
        return Decoded(self.image_files(folder, part), self.resize, self.fit)

    @abstractmethod
    def labels_of(self, folder: Path, part: str) -> Tensor: ...


class Decoded:
    """Images of resize x resize pixels, decoded each time, on as many threads as torch has.

    `sizes` are height and width (n, 2), int64, of the images as they lie in their files; 0 for what
    was not decoded yet. `shapes` are the same where a square is to be seen undistorted, else None.
    """

    def __init__(self, files: Files, resize: int, fit: Fit) -> None:
        self.files, self.resize, self.fit = files, resize, fit
        self.sizes = torch.zeros(len(files.names), 2, dtype=torch.int64)
        self._sizes = self.sizes.numpy()  # the same memory: written faster

    def __len__(self) -> int:
        return len(self.files.names)

    @property
    def shapes(self) -> Tensor | None:
        return self.sizes if self.fit == "whole" else None

    def __getitem__(self, index: Tensor) -> Tensor:
        """(n,) -> (n, 3, resize, resize). Raises Invalid, naming the file, for a corrupt image."""
        return gathered(index, self.resize, self.fill)

    def fill(self, image: int, square: Square) -> None:
        """Writes one of them there, and notes its size."""
        from torchvision.transforms import functional  # two seconds, at the first image only

        decoded = pixels.rgb(self.files.root / self.files.names[image])
        size = [self.resize] * (1 if self.fit == "crop" else 2)  # one number: the shorter side
        resized = functional.center_crop(functional.resize(decoded, size), [self.resize])
        square[:] = np.asarray(resized).transpose(2, 0, 1)
        self.note(image, decoded.height, decoded.width)

    def note(self, image: int, height: int, width: int) -> None:
        """The size of one of them is known."""
        self._sizes[image] = height, width


def gathered(index: Tensor, side: int, fill: Callable[[int, Square], None]) -> Tensor:
    """(n, 3, side, side), uint8: `fill(i, square)` writes each image i of `index`, (n,).

    On as many threads as torch has. Raises what `fill` raises for the first image that fails.
    """
    wanted = index.tolist()
    x = np.empty((len(wanted), 3, side, side), np.uint8)
    threads = torch.get_num_threads()
    together = max(1, len(wanted) // (CHUNKS * threads))

    def some(start: int) -> None:
        for place in range(start, min(start + together, len(wanted))):
            fill(wanted[place], x[place])

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(some, range(0, len(wanted), together)):
            pass
    return torch.from_numpy(x)
