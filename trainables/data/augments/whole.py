"""Whole: boxes and windows of images that are stored as squares, whatever their proportions.

A pixel of such a square is as high as the image by the square's side, and as wide as that says. So
a box of the image is a box of the square, whose sides are no whole numbers.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Beyond = Literal["border", "zeros", "reflection"]  # what is seen beyond the image


def scaled(shapes: Tensor, shorter: int) -> Tensor:
    """(n, 2), int64: heights and widths as torchvision's Resize has them for the shorter side."""
    return shapes * shorter // shapes.amin(1, keepdim=True)


def stretched(boxes: Tensor, sizes: Tensor, stored: int) -> Tensor:
    """(n, 4), float: boxes of images of these sizes, (n, 2), as they lie in squares of `stored`."""
    return boxes * (stored / sizes).repeat(1, 2)


def resized(x: Tensor, boxes: Tensor, side: int) -> Tensor:
    """(n, channels, side, side), uint8: of each image its box (n, 4), resized bilinearly."""
    pixels = (torch.arange(side, device=x.device) + 0.5) / side

    def places(axis: int) -> Tensor:
        start, length = boxes[:, axis, None], boxes[:, axis + 2, None]
        # Not beyond the box: its edge is repeated, as if it had been cut out before.
        inside = (pixels * length - 0.5).clamp(min=0)
        return start + torch.minimum(inside, (length - 1).clamp(min=0))

    return sampled(x, places(0), places(1), "border")


def window(
    x: Tensor, corners: Tensor, sizes: Tensor, side: int, beyond: Beyond = "border"
) -> Tensor:
    """(n, channels, side, side), uint8: what lies at `corners` of the images resized to `sizes`.

    Both are (n, 2). A corner may lie outside of its image.
    """
    boxes = torch.cat([corners, torch.full_like(corners, side)], dim=1)
    boxes = sent(stretched(boxes, sizes, x.shape[2]), x)
    pixels = (torch.arange(side, device=x.device) + 0.5) / side
    rows, columns = (boxes[:, i, None] + pixels * boxes[:, i + 2, None] - 0.5 for i in (0, 1))
    return sampled(x, rows, columns, beyond)


def middle(x: Tensor, shapes: Tensor, side: int) -> Tensor:
    """The middle side x side pixels of the images resized by their shorter side."""
    sizes = scaled(shapes, x.shape[2])
    return window(x, ((sizes - side) / 2).round().long(), sizes, side)


def sent(drawn: Tensor, x: Tensor) -> Tensor:
    """What was drawn on the CPU, on the device of `x`, whose work is not waited for."""
    return drawn.to(x.device, non_blocking=True)  # little, so that CUDA takes it at once


def sampled(x: Tensor, rows: Tensor, columns: Tensor, beyond: Beyond) -> Tensor:
    """(n, channels, side, side), uint8: the pixels at `rows` and `columns`, each (n, side).

    0 is the middle of the first pixel. It is linear between the pixels.
    """
    # -1 to 1 from edge to edge
    rows, columns = (2 * rows + 1) / x.shape[2] - 1, (2 * columns + 1) / x.shape[3] - 1
    shape = (len(x), rows.shape[1], columns.shape[1])
    grid = torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], dim=3)
    cut = F.grid_sample(x.float(), grid, padding_mode=beyond, align_corners=False)
    return cut.round().to(torch.uint8)
