"""Cached: decoded images in a file of this machine, written as they are decoded first."""

import json
import struct
import zlib
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import psutil
import torch
from torch import Tensor

from trainables.data.cache import PAGE, Cache, CacheFile, Contents, shown
from trainables.data.sources import pixels
from trainables.data.sources.image_files import Decoded, Square, gathered
from trainables.data.sources.source import Images
from trainables.settings import Invalid, checksum

RESIDENT_BYTES = 8 << 30  # what is larger stays out of memory
LEAST = 100  # the cache must have room for one image of so many

FORMAT = "decoded images 1"  # of the files: another number has them made anew
RECORD = struct.Struct("<III")  # of each image: height, width, checksum of these and the pixels


def kept(decoded: Decoded, cache: Cache) -> Images:
    """A tensor where it takes up to a quarter of the free memory; else from the cache, or decoded.

    The tensor, too, is read from the cache as far as that has it.
    """
    images = cached(decoded, cache)
    return images[torch.arange(len(images))] if fits(decoded) else images


def fits(decoded: Decoded) -> bool:
    """Whether they are held in memory."""
    room = min(RESIDENT_BYTES, psutil.virtual_memory().available // 4)
    return contained(decoded) <= room


def contained(decoded: Decoded) -> int:
    """The bytes of all their pixels."""
    return len(decoded) * 3 * decoded.resize**2


def cached(decoded: Decoded, cache: Cache) -> "Decoded | Cached":
    """The images, kept in the cache where it can be used; says where it cannot."""
    if cache.place is None:
        return decoded
    contents = contents_of(decoded)
    try:
        file = cache.open(contents)
    except (OSError, Invalid) as error:  # which is no fault of the trial
        print(f"{decoded.files.root}: decoded each time, without a cache: {error}", flush=True)
        return decoded
    if file.rows < len(decoded):
        what = f"{len(decoded) - file.rows:,} of {len(decoded):,} images are decoded each time"
        print(f"{decoded.files.root}: {what}: {file.path} has no room", flush=True)
    return Cached(decoded, contents, file)


def contents_of(decoded: Decoded) -> Contents:
    """What their file in a cache has; its head says all that the pixels depend on."""
    head = {
        "format": FORMAT,
        "images": checksum(decoded.files),
        "count": len(decoded),
        "resize": decoded.resize,
        "fit": "crop" if decoded.fit == "crop" else "squash",  # "whole" is stored as that
        "rules": pixels.RULES,
        "torchvision": version("torchvision"),
    }
    table = -(-len(decoded) * RECORD.size // PAGE) * PAGE
    text = json.dumps(head).encode() + b"\n"
    return Contents(text, table, 3 * decoded.resize**2, len(decoded))


def remarks(parts: Sequence[Decoded], cache: Cache) -> list[str]:
    """What the parts of a data set take of the cache, in a line, unless they fit into memory.

    Raises Invalid where the cache has a file of their name that is of other images, and where what
    is asked for has no room to speak of.
    """
    if cache.place and cache.place.is_dir():
        for part in parts:
            cache.check_file(contents_of(part))
    large = [part for part in parts if not fits(part)]
    if not large:
        return []
    count, need = sum(map(len, large)), sum(map(contained, large))
    what = f"{large[0].files.root}: {count:,} images are {shown(need)} when decoded"
    if cache.place is None:
        return [f"{what}, and decoded each time: nothing is cached"]
    room = cache.room()
    if cache.chosen and room < need / LEAST:
        least = f"{shown(-(-need // LEAST))}, one of {LEAST} images"
        raise Invalid(f"{cache}: must have room for {least}, has {shown(room)}; {what}")
    but = f", {room / need:.0%} of them, for which there is room" if room < need else ""
    return [f"{what}, and cached in {cache.place}{but}"]


class Cached:
    """The images of `decoded`, read from `file` where they are there, else decoded and put there.

    What is read of an image is held against its checksum at the first look of this process, so that
    what a crash has left half written is decoded anew. Processes may write the same image at the
    same time: they write the same bytes.
    """

    def __init__(self, decoded: Decoded, contents: Contents, file: CacheFile) -> None:
        self.decoded, self._contents, self._file = decoded, contents, file
        self._known = np.zeros(len(decoded), bool)  # it was right at the first look

    def __len__(self) -> int:
        return len(self.decoded)

    def __getitem__(self, index: Tensor) -> Tensor:
        """(n,) -> (n, 3, resize, resize). Raises Invalid, naming the file, for a corrupt image."""
        return gathered(index, self.decoded.resize, self._fill)

    def _fill(self, image: int, square: Square) -> None:
        if image >= self._file.rows:
            self.decoded.fill(image, square)
        elif not self._read(image, square):
            self.decoded.fill(image, square)
            height, width = map(int, self.decoded.sizes[image])
            record = RECORD.pack(height, width, _sum_of(height, width, square))
            self._file.write(square.data, self._place(image))
            self._file.write(memoryview(record), PAGE + image * RECORD.size)

    def _read(self, image: int, square: Square) -> bool:
        """Whether the image was there, and is in `square` now."""
        if not self._file.read(square.data, self._place(image)):
            return False
        if not self._known[image]:
            record = memoryview(bytearray(RECORD.size))
            if not self._file.read(record, PAGE + image * RECORD.size):
                return False
            height, width, right = RECORD.unpack(record)
            if not height or _sum_of(height, width, square) != right:
                return False
            self.decoded.note(image, height, width)
            self._known[image] = True
        return True

    def _place(self, image: int) -> int:
        return self._contents.begin + image * self._contents.row


def _sum_of(height: int, width: int, square: Square) -> int:
    return zlib.crc32(square.data, zlib.crc32(struct.pack("<II", height, width)))
