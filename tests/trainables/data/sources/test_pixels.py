"""What becomes of each kind of image: the table of docs/images.md, line by line."""

import re
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets.folder import pil_loader

from trainables.data.sources import pixels
from trainables.settings import Invalid

DOCS = Path(__file__).parents[4] / "docs/images.md"
STEPS = np.array([[0, 1, 128, 129], [257, 32767, 65406, 65535]], np.uint16)
SCALED = [[0, 0, 0, 1], [1, 127, 254, 255]]  # 128 / 257 = 0.498, 129 / 257 = 0.502
RED, BLUE = (255, 0, 0), (0, 0, 255)
ORIENTATION = 0x0112  # EXIF's tag; 3 is upside down


def tiff(values: np.ndarray[Any, Any], **tags: int) -> bytes:
    """An uncompressed file of grey, with the byte order of the array."""
    order = ">" if values.dtype.byteorder == ">" else "<"
    height, width = values.shape
    entries = {256: width, 257: height, 258: 8 * values.itemsize, 259: 1, 262: 1}
    entries |= {273: 8, 277: 1, 278: height, 279: values.nbytes, 339: 1}
    entries |= {int(tag.removeprefix("tag_")): value for tag, value in tags.items()}
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8 + values.nbytes)
    listed = [struct.pack(f"{order}HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries)]
    count, end = struct.pack(f"{order}H", len(listed)), struct.pack(f"{order}I", 0)
    return b"".join((head, values.tobytes(), count, *listed, end))


def png(values: np.ndarray[Any, Any]) -> bytes:
    """A file of colours (height, width, 3) with 16 bits a channel, which Pillow does not write."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read(content: bytes, folder: Path) -> np.ndarray[Any, Any]:
    """The pixels, (height, width, 3), as `check` and `rgb` let them through."""
    path = folder / "a.png"
    path.write_bytes(content)
    with path.open("rb") as file:
        pixels.require_known(file, path)
    return np.asarray(pixels.rgb(path))


def grey(values: Any) -> np.ndarray[Any, Any]:
    return np.repeat(np.array(values, np.uint8)[:, :, None], 3, 2)


def two(left: Any, right: Any, mode: str = "RGB") -> Image.Image:
    """Two pixels."""
    image = Image.new(mode, (2, 1), left)
    image.putpixel((1, 0), right)
    return image


def palette() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    return image


def noise(mode: str) -> Image.Image:
    image = Image.effect_noise((8, 8), 64).convert("RGB")
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    return image.convert(mode)


def turned() -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    return saved(two(RED, BLUE), "PNG", exif=exif)


WHITE_IS_ZERO, TWELVE_BITS, SIGNED, FLOAT = (
    {"tag_262": 0},
    {"tag_258": 12},
    {"tag_339": 2},
    {"tag_339": 3},
)
WIDE = np.repeat(STEPS[:, :, None], 3, 2)
PPM = b"P6 4 2 65535\n" + WIDE.astype(">u2").tobytes()
PGM = b"P5 4 2 65535\n" + STEPS.astype(">u2").tobytes()

BECOMES: dict[str, list[tuple[bytes, Any]]] = {
    "grey, 1 bit": [(saved(two(0, 1, "1"), "PNG"), grey([[0, 255]]))],
    "grey, 2, 4 or 8 bits": [
        (saved(two(7, 200, "L"), "PNG"), grey([[7, 200]])),
        (saved(two(85, 255, "L"), "PNG", bits=2), grey([[85, 255]])),
    ],
    "grey, 16 bits: PNG, PGM, TIFF": [
        (saved(Image.fromarray(STEPS), "PNG"), grey(SCALED)),
        (PGM, grey(SCALED)),
        (tiff(STEPS), grey(SCALED)),
        (tiff(STEPS.astype(">u2")), grey(SCALED)),
    ],
    "grey, 16 bits, TIFF where white is 0": [
        (tiff(STEPS, **WHITE_IS_ZERO), grey(255 - np.array(SCALED)))
    ],
    "colour, 8 bits a channel": [(saved(two(RED, (1, 2, 3)), "PNG"), [[RED, (1, 2, 3)]])],
    "colour, 16 bits a channel: PNG, TIFF": [
        (png(WIDE), grey(STEPS >> 8)),
        (tiff(WIDE.reshape(2, 12), tag_256=4, tag_262=2, tag_277=3), grey(STEPS >> 8)),
    ],
    "colour, 16 bits a channel: PPM": [(PPM, grey(SCALED))],
    "palette": [(saved(palette(), "PNG"), [[RED, BLUE]])],
    "palette, with transparency": [(saved(palette(), "PNG", transparency=1), [[RED, BLUE]])],
    "grey or colour, with alpha": [
        (saved(two((7, 0), (200, 9), "LA"), "PNG"), grey([[7, 200]])),
        (saved(two((*RED, 0), (*BLUE, 128), "RGBA"), "PNG"), [[RED, BLUE]]),
    ],
    "CMYK, YCbCr": [
        (saved(two((0, 255, 255, 0), (0, 0, 0, 255), "CMYK"), "TIFF"), [[RED, (0, 0, 0)]]),
        (saved(two((255, 128, 128), (0, 128, 128), "YCbCr"), "TIFF"), grey([[255, 0]])),
    ],
    "LAB": [(saved(noise("LAB"), "TIFF"), None)],
    "with an orientation in EXIF": [(turned(), [[RED, BLUE]])],
    "several frames or pages": [
        (saved(two(RED, BLUE), kind, save_all=True, append_images=[two(BLUE, RED)]), [[RED, BLUE]])
        for kind in ("TIFF", "PNG")
    ],
}
REFUSED = {
    "grey, 12 bits, or 16 bits with a sign": [
        tiff(np.zeros((2, 3), np.uint16), **TWELVE_BITS),
        tiff(STEPS, **SIGNED),
    ],
    "grey, 32 bits": [tiff(STEPS.astype(np.int32), **SIGNED), tiff(STEPS.astype(np.uint32))],
    "floating point": [
        tiff(np.linspace(0, 1, 4, dtype=order + "f4")[None], **FLOAT) for order in "<>"
    ],
    "grey, with premultiplied alpha (TIFF)": [
        tiff(np.zeros((1, 4), np.uint8), tag_256=2, tag_277=2, tag_338=1)
    ],
}


def lines() -> list[str]:
    """The left column of the table."""
    section = DOCS.read_text().partition("## What becomes of")[2].partition("\n## ")[0]
    return re.findall(r"^\| ([^|-]+?) \|", section, re.MULTILINE)[1:]


def test_every_line_of_the_table_is_held() -> None:
    assert sorted(lines()) == sorted([*BECOMES, *REFUSED])


@pytest.mark.parametrize("line", BECOMES)
def test_a_file_becomes_what_the_table_says(line: str, tmp_path: Path) -> None:
    for content, right in BECOMES[line]:
        found = read(content, tmp_path)
        theirs = np.asarray(pil_loader(tmp_path / "a.png"))
        np.testing.assert_array_equal(found, theirs if right is None else right)
        if "grey, 16 bits" not in line:
            np.testing.assert_array_equal(found, theirs)


@pytest.mark.parametrize("line", REFUSED)
def test_a_file_is_refused_that_the_table_says_is(line: str, tmp_path: Path) -> None:
    for content in REFUSED[line]:
        with pytest.raises(
            Invalid, match=f"^{tmp_path}/a.png has pixels of mode .*: must be 8 bits"
        ):
            read(content, tmp_path)
        with pytest.raises(
            Invalid, match=f"^{tmp_path}/a.png has pixels of mode .*: must be 8 bits"
        ):
            pixels.rgb(tmp_path / "a.png")


def test_a_ramp_of_16_bits_keeps_its_mean(tmp_path: Path) -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    found = read(saved(Image.fromarray(ramp), "PNG"), tmp_path)
    assert found.mean() == 127.5


@pytest.mark.parametrize("content", [b"", b"no image", saved(two(RED, BLUE), "PNG")[:20]])
def test_a_file_that_begins_like_no_image_is_named(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=f"^{tmp_path}/a.png cannot be decoded: must be a complete"):
        read(content, tmp_path)
