"""Published numbers, and those that grids have typed."""

import csv
from pathlib import Path

from study.grids.grid import Grid

with (Path(__file__).parents[1] / "published.csv").open() as file:
    PUBLISHED = list(csv.DictReader(file))

Number = tuple[float, float | None]  # and its deviation
WORD_SETS = {"CIFAR-10": "Cifar10", "CIFAR-100": "Cifar100", "mini-ImageNet": "ImageLists"}


def printed(grid: Grid) -> list[tuple[str, tuple[str, ...], Number]]:
    """Of each number of the paper's table: the method, the place (data, setting, ...), itself."""
    lines = [r for r in PUBLISHED if (r["paper"], r["table"]) == (grid.paper, grid.table)]
    return [
        (
            r["method"],
            (r["dataset"], r["setting"], r["backbone"], r["metric"]),
            (float(r["value"]), float(r["std"]) if r["std"] else None),
        )
        for r in lines
    ]


def typed(grid: Grid) -> list[tuple[str, str, Number]]:
    """Of each number of the grid: row, column, itself."""
    return [
        (row, column, (number, None) if isinstance(number, float) else number)
        for row, column, _, number in grid.cells()
        if number is not None
    ]
