"""Figure of class vectors: their cosines, and the most similar classes with images of them."""

import base64
import io
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from numpy.typing import NDArray
from pandas import DataFrame
from PIL import Image

from analysis.figures.style import empty_figure, first_of_rows, style
from analysis.plan import Plan

NAMED_CLASSES = 30  # with more, the names do not fit beside a heat map
PAIRS = 3  # most similar ones that are shown with images
Vectors = NDArray[np.float64]


def class_similarity(plan: Plan, features: Mapping[tuple[str, str], DataFrame]) -> Figure | None:
    """A line a row: the matrix of cosines, and images of the PAIRS that are most similar.

    `features`: columns label, images and the numbers of each class's vector, by trial id and
    measure; others are passed over. Of a row's seeds the first one is shown. None without any.
    """
    lines = first_of_rows(plan, features, "images")
    if not lines:
        return None
    with style():
        figure = empty_figure(7.2, 0.6 + 3.1 * len(lines), plan, None)
        grid = figure.add_gridspec(len(lines), 2, width_ratios=(1.3, 1))
        for i, (title, frame) in enumerate(lines.items()):
            _matrix(figure, grid[i, 0], title, frame)
            _pairs(figure, grid[i, 1], frame)
        return figure


def cosines(frame: DataFrame) -> Vectors:
    """(classes, classes)"""
    vectors = frame.drop(columns=["label", "images"]).to_numpy(dtype=float)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    product: Vectors = unit @ unit.T
    return product


def most_similar(frame: DataFrame) -> list[tuple[int, int, float]]:
    """The PAIRS of classes with the highest cosines, by place, the highest first."""
    matrix = cosines(frame)
    pairs = [(i, j, float(matrix[i, j])) for i, j in combinations(range(len(matrix)), 2)]
    return sorted(pairs, key=lambda pair: -pair[2])[:PAIRS]


def _matrix(figure: Figure, place: SubplotSpec, title: str, frame: DataFrame) -> None:
    ax = figure.add_subplot(place)
    matrix = cosines(frame)
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    image = ax.imshow(matrix, cmap="viridis", vmin=float(off.min()), vmax=float(off.max()))
    ax.set_title(title)
    ax.grid(visible=False)
    if len(frame) <= NAMED_CLASSES:
        ax.set_xticks(range(len(frame)), frame["label"], rotation=90)
        ax.set_yticks(range(len(frame)), frame["label"])
    else:
        ax.set(xlabel="class, in the order of the labels", ylabel="class")
    figure.colorbar(image, ax=ax, label="cosine of two classes", shrink=0.8)


def _pairs(figure: Figure, place: SubplotSpec, frame: DataFrame) -> None:
    pairs = most_similar(frame)
    inner = place.subgridspec(len(pairs), 1)
    for i, (one, other, cosine) in enumerate(pairs):
        ax = figure.add_subplot(inner[i])
        left, right = (_strip(frame["images"][c]) for c in (one, other))
        gap = np.full((left.shape[0], max(1, left.shape[0] // 4), 3), 255, np.uint8)
        ax.imshow(np.concatenate([left, gap, right], axis=1))
        ax.set_title(f"{frame['label'][one]} and {frame['label'][other]}: {cosine:.2f}")
        ax.set_axis_off()


def _strip(images: str) -> NDArray[np.uint8]:
    """Images as PNG in base64, side by side: (side, sides, 3)."""
    files = (io.BytesIO(base64.b64decode(text)) for text in images.split())
    return np.concatenate([np.asarray(Image.open(f).convert("RGB")) for f in files], axis=1)
