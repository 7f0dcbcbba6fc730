"""Label representations: accuracy of every label set with three encoders, CIFAR."""

from study.grids.grid import Entry, percent
from study.grids.label_representation._paper import (
    ASSUMED,
    CATEGORY,
    NETS,
    ROWS,
    SETS,
    labelled,
    table,
    trial,
)

NEAREST, HUBER = "nearest label", "Huber loss below 3.5"
METRICS = {NEAREST: "test.accuracy", HUBER: "test.accuracy_huber"}
PLACES = [(data, net, kind) for data in SETS for net in NETS for kind in METRICS]


def entry(row: str, data: str, net: str, kind: str) -> Entry:
    """Categories have no Huber loss."""
    none = row == CATEGORY and kind == HUBER
    return None if none else labelled(trial(data, net), row), None


grid = table(
    title="Label representations, accuracy (CIFAR)",
    table="accuracy",
    columns={f"{data}, {net}, {kind}": percent(METRICS[kind]) for data, net, kind in PLACES},
    assumed=ASSUMED,
    rows={
        row: {f"{data}, {net}, {kind}": entry(row, data, net, kind) for data, net, kind in PLACES}
        for row in ROWS
    },
)
