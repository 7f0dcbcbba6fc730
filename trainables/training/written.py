"""Written: what a trial says of its labels, as comma-separated values."""

import csv
import io
from collections.abc import Mapping

from torch import Tensor

from trainables.data.data import Data


def soft_labels(soft: Tensor, names: tuple[str, ...]) -> str:
    """A matrix (classes, classes) as comma-separated values under a row of class names."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")  # which quotes a name with a comma
    rows.writerow(names)
    rows.writerows([f"{value:.6g}" for value in row] for row in soft.tolist())
    return text.getvalue()


def class_counts(data: Data) -> str:
    """The training images of each class, as comma-separated values; `given` by given labels."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["class", "images", "given"])
    split, classes = data.train, len(data.names)
    counts = (labels.bincount(minlength=classes).tolist() for labels in (split.clean, split.y))
    rows.writerows(zip(data.names, *counts, strict=True))
    return text.getvalue()


def wrong_labels(data: Data) -> str:
    """Each image with a wrong label, as comma-separated values: all others have the source's.

    `row` is its place in the source's part "train", of which both splits are.
    """
    lines = ["split,row,clean,given"]
    for name, split in (("train", data.train), ("validation", data.validation)):
        if split is not None:
            places = split.flipped
            rows = split.rows[places.to(split.rows.device)]
            columns = (rows, split.clean[places], split.y[places])
            values = zip(*(column.tolist() for column in columns), strict=True)
            lines += [f"{name},{row},{clean},{given}" for row, clean, given in values]
    return "\n".join(lines) + "\n"


def of_method(columns: Mapping[str, Tensor], data: Data) -> str:
    """Numbers by column, (n,) or (n, m), as comma-separated values; "index" are training images.

    These get their given and true class names beside them.
    """
    heads: list[str] = []
    values: list[list[object]] = []
    for name, column in columns.items():
        if name == "index":
            heads += ["given", "clean"]
            for labels in (data.train.y, data.train.clean):
                values.append([data.names[label] for label in labels.cpu()[column].tolist()])
            continue
        parts = column[:, None] if column.dim() == 1 else column
        heads += [name] if column.dim() == 1 else [f"{name}{i}" for i in range(parts.shape[1])]
        values += [[f"{value:.6g}" for value in part] for part in parts.T.tolist()]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(heads)
    rows.writerows(zip(*values, strict=True))
    return text.getvalue()
