"""Random images in memory: as a source of ours, and as torchvision's data sets hold theirs."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms

from trainables.data.sources.digits import NAMES
from trainables.data.sources.source import Source
from trainables.seeding import generator
from trainables.settings import Count, Use


class Noise(Source):
    """Random images in ten classes with the digits' names."""

    side = 32
    classes = 10
    normalisation = ((0.5,) * 3, (0.25,) * 3)

    def __init__(self, *, images: Count) -> None:
        self.images = images

    def names(self, folder: Path) -> tuple[str, ...]:
        return NAMES

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        chance = generator(0, "noise")
        shape = (self.images, self.channels, self.side, self.side)
        x = torch.randint(256, shape, dtype=torch.uint8, generator=chance)
        return x, torch.randint(self.classes, (self.images,), generator=chance)

    @classmethod
    def demo(cls, use: Use) -> Use:
        return use


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's data sets hold them: an array, made a PIL image one by one."""

    def __init__(self, x: Tensor, y: Tensor, source: type[Source]) -> None:
        self.x, self.y = x.permute(0, 2, 3, 1).contiguous().numpy(), y.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(source.side, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(*source.normalisation),
            ]
        )

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.x[index])), self.y[index]
