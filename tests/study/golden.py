"""What every grid is made of, as text: `python -m tests.study.golden` writes it, a test compares.

A file has both scales of a grid. First come the settings that all trials of a scale share, then
each cell with its trial's id and the settings in which the trial differs; a trial that an earlier
cell has is named by its id alone. A changed default, or changed numerics without a raised PROTOCOL,
shows as a changed line.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from study.grids.grid import Scale, find, grids
from trainables.measures.measure import flat
from trainables.settings import Invalid
from trainables.trial import Trial

FOLDER = Path(__file__).parent / "golden"
FORMATS = {"precision": "float32", "memory_format": "contiguous"}


def golden(name: str) -> str:
    """The text of a grid at both scales."""
    return "\n".join([*_scale(name, "demo"), "", *_scale(name, "paper")]) + "\n"


def _scale(name: str, scale: Scale) -> Iterator[str]:
    grid = find(name)
    cells = [(r, c, t and t.with_formats(FORMATS), p) for r, c, t, p in grid.at(scale)]
    trials = list(dict.fromkeys(trial for _, _, trial, _ in cells if trial))
    common = _common([trial.flat() for trial in trials])
    measures = grid.measures(scale)
    yield f"[{scale}] in all trials"
    yield from _lines(common)
    shown: set[Trial] = set()
    for row, column, trial, published in cells:
        yield f"{scale} | {row} | {column} | {published}"
        if measure := measures.get((row, column)):
            yield f"  measure = {flat(measure)}"
        if trial is None:
            yield "  published only"
            continue
        yield f"  id = {_id(trial)}{f', trial {trials.index(trial)}' * (trial in shown)}"
        if trial not in shown:
            yield from _by_part({n: v for n, v in trial.flat().items() if n not in common})
        shown.add(trial)


def _common(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """What is in all of them."""
    first, *others = settings or [{}]
    return {n: v for n, v in first.items() if all(n in o and o[n] == v for o in others)}


def _lines(settings: dict[str, Any]) -> Iterator[str]:
    return (f"  {name} = {value}" for name, value in settings.items())


def _by_part(settings: dict[str, Any]) -> Iterator[str]:
    """A line for each part of the trial."""
    for _, group in groupby(settings.items(), key=lambda item: item[0].partition(".")[0]):
        yield f"  {', '.join(f'{name} = {value}' for name, value in group)}"


def _id(trial: Trial) -> str:
    """What enters by checksum has none here."""
    try:
        return trial.resolved(Path("/nowhere"), FORMATS).id
    except Invalid:
        return "needs files"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in grids():
        (FOLDER / f"{name}.txt").write_text(golden(name))
