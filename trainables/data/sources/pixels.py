"""Pixels: an image file as 8 bits of red, green and blue; docs/images.md tabulates every kind."""

from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
from PIL import Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT

from trainables.settings import Invalid

RULES = f"pixels 1, Pillow {PIL.__version__}"  # of `check`; another number has files checked anew

# Modes with 8 bits a channel or fewer: Pillow converts them, and torchvision's loader by it.
EIGHT_BITS = frozenset(
    ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV")
)
SIXTEEN_BITS = frozenset(("I;16", "I;16B", "I;16L", "I;16N", "I"))  # grey; "I" may have more


def rgb(path: Path) -> Image.Image:
    """The file's first image. Raises Invalid, naming the file, for one that cannot be used."""
    content = path.read_bytes()
    try:
        image = Image.open(BytesIO(content))
        _check_range(image, path)
        return (_eight_bits(image) if image.mode in SIXTEEN_BITS else image).convert("RGB")
    except Exception as error:  # Pillow reports a damaged file by many exceptions
        raise _refusal(error, path) from error


def require_known(file: BinaryIO, path: Path) -> None:
    """Raises Invalid, naming the file, where its first bytes tell that `rgb` would refuse it."""
    try:
        with Image.open(file) as image:
            _check_range(image, path)
    except Exception as error:
        raise _refusal(error, path) from error


def _check_range(image: Image.Image, path: Path) -> None:
    """Raises Invalid for pixels whose black and white are not known, or not convertible."""
    if image.mode not in EIGHT_BITS and not (image.mode in SIXTEEN_BITS and _unsigned_16(image)):
        found = f"{path} has pixels of mode {image.mode} ({image.format})"
        raise Invalid(f"{found}: must be 8 bits a channel, or grey of 16 bits from 0 on")


def _unsigned_16(image: Image.Image) -> bool:
    """Whether 0 is black and 65535 white: the modes are used for other depths, too."""
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]  # of TIFF only
        depth, kind = tags.get(BITSPERSAMPLE), tags.get(SAMPLEFORMAT, (1,))
        return (depth, kind) == ((16,), (1,))
    return image.format in ("PNG", "PPM")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 0 .. 65535 as 0 .. 255, rounded: 257 steps are one."""
    values = np.asarray(image).astype(np.uint32)
    grey = ((values + 128) // 257).astype(np.uint8)
    white_is_zero = getattr(image, "tag_v2", {}).get(PHOTOMETRIC_INTERPRETATION) == 0
    return Image.fromarray(255 - grey if white_is_zero else grey)


def _refusal(error: Exception, path: Path) -> Invalid:
    if isinstance(error, Invalid):
        return error
    return Invalid(f"{path} cannot be decoded: must be a complete image that Pillow can read")
