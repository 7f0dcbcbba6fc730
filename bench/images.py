"""Images/s a core of three ways to get photographs ready for a device.

On JPEG files of ImageNet's size, stored as squares of 256 pixels, in turn:
- decoding: each file decoded and resized, as without a cache;
- cache: the same squares, read from the cache that they were put in before;
- DataLoader: torch's, with torchvision's random boxes, flips and normalisation in its workers.
Threads and workers are as many as --threads. What cuts and flips our squares is the device. Without
one it is the CPU: "cut, too" is that, to compare.

    python bench/images.py
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from figure import Figure, exit_code
from PIL import Image
from throughput import Chunk, measure, show
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from trainables.data.augments.augment import Flip, ResizedCrop
from trainables.data.cache import Cache
from trainables.data.data import Data, Split
from trainables.data.loader import training_batches
from trainables.data.sources.cached import Cached, contents_of
from trainables.data.sources.image_files import Decoded
from trainables.seeding import generator
from trainables.settings import Files
from trainables.training.site import Site, describe

OVER_DECODING, OVER_LOADER = 10.0, 5.0  # images/s of the cache

REPEATS = 5
IMAGES = 1024  # in the cache: more than a processor's own caches hold
DECODED = 128  # of them are decoded, by ours and by the DataLoader, for each measurement
BATCH = 64
HEIGHT, WIDTH, RESIZE, SIDE = 375, 500, 256, 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NOISE, QUALITY = 14, 92  # files of about 90 kB, as ImageNet's


class Pictures(Dataset[tuple[Tensor, int]]):
    """The files as a public training script reads them."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(SIDE),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB")), 0


def photograph(seed: int) -> Image.Image:
    """Patches of a third of the height, on these some of half the size and contrast, and so on.

    And noise.
    """
    chance = generator(seed, "photograph")
    picture = 128 + NOISE * torch.randn(3, HEIGHT, WIDTH, generator=chance)
    for patches in (3, 6, 12, 24, 48):
        coarse = torch.rand(1, 3, patches, patches * WIDTH // HEIGHT, generator=chance) - 0.5
        smooth = F.interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic")
        picture += 170 * 3 / patches * smooth[0]
    return transforms.functional.to_pil_image(picture.clamp(0, 255).to(torch.uint8))


def photographs(folder: Path, images: int, different: int) -> list[str]:
    """So many files in the folder, of so many different pictures. Returns their names."""
    names = [f"{i:05}.jpg" for i in range(images)]
    for i, name in enumerate(names):
        if i < different:
            photograph(i).save(folder / name, quality=QUALITY)
        else:
            os.link(folder / names[i % different], folder / name)
    return names


def chunks(
    folder: Path, images: int, decoded: int, threads: int
) -> Iterator[tuple[str, Chunk, int]]:
    """(name, what is measured, images that it makes ready)."""
    names = photographs(folder, images, decoded)
    device = Site.here(folder).device
    plain = Decoded(Files(folder, names), RESIZE, "whole")
    contents = contents_of(plain)
    file = Cache(folder / "cache", 2 * contents.size).open(contents)
    assert file.rows == images, "the disk must have room for the cache"
    cache = Cached(plain, contents, file)
    order = torch.randperm(images, generator=generator(0, "order"))
    few = order[order < decoded]

    def looked_up(source: Decoded | Cached, wanted: Tensor) -> None:
        for places in wanted.split(BATCH):
            source[places]

    looked_up(cache, order)  # now it has all
    loader = DataLoader(
        Pictures([folder / names[i] for i in few.tolist()]),
        batch_size=BATCH,
        shuffle=True,
        num_workers=threads,
        persistent_workers=True,
    )
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    y = torch.zeros(len(few), dtype=torch.int64, device=device)
    split = Split(cache, few, y, shapes=plain.sizes)
    data = Data(("a",), SIDE, mean, std, split, None, None)
    cut = [ResizedCrop(), Flip()]

    def trained_on() -> None:
        for _ in training_batches(data, BATCH, cut, seed=0, epoch=0):
            pass

    def from_disk() -> None:
        with file.path.open("rb") as stored:
            os.fsync(stored.fileno())  # what is not on the disk yet stays in memory
            os.posix_fadvise(stored.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        looked_up(cache, order)

    yield "decoding", lambda: looked_up(plain, few), decoded
    yield "cache", lambda: looked_up(cache, order), images
    yield "first look", lambda: looked_up(Cached(plain, contents, file), order), images
    yield "from disk", from_disk, images
    yield "cut, too", trained_on, decoded
    yield "DataLoader", lambda: sum(1 for _ in loader), decoded


def figures(folder: Path, images: int, decoded: int, threads: int, repeats: int) -> list[Figure]:
    """Prints images/s a core. Returns the cache's over the others'."""
    ways = list(chunks(folder, images, decoded, threads))
    device = Site.here(folder).device
    taken = measure({name: chunk for name, chunk, _ in ways}, repeats, device)
    each = {name: taken[name] / made for name, _, made in ways}  # seconds an image
    rates = (f"{name} {1 / (float(s.median()) * threads):,.0f}" for name, s in each.items())
    print(f"{', '.join(rates)} images/s a core", flush=True)

    def over(name: str, other: str, goal: float | None = None) -> Figure:
        return Figure(f"{name} / {other}", (each[other] / each[name]).tolist(), goal)

    return [
        over("cache", "decoding", OVER_DECODING),
        over("cache", "DataLoader", OVER_LOADER),
        over("first look", "decoding"),
        over("from disk", "decoding"),
        over("cut, too", "DataLoader"),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Prints all ratios. Returns 1 where one misses its goal."""
    parser = argparse.ArgumentParser(description="Images a second from disk.")
    parser.add_argument("--threads", type=int, default=1, help="and workers (default: 1)")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--images", type=int, default=IMAGES, help="in the cache")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured (default: /tmp)")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        here = describe(Site.here(Path(folder), args.threads))
        print(f"{here['device']}, threads and workers: {args.threads}, torch {here['torch']}")
        print("each ratio: median (least .. most), goal")
        found = figures(Path(folder), args.images, DECODED, args.threads, args.repeats)
        return exit_code(show(found))


if __name__ == "__main__":
    sys.exit(main())
