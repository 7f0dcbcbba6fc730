"""What every grid is made of, as text: `python -m tests.study.golden` writes it, a test compares.

A row is a trial of the first seed: its id, where no user's file enters it, and every setting. A
changed default, or changed numerics without a raised PROTOCOL, shows as a change.
"""

from pathlib import Path

from study.grids.grid import find, grids
from trainables.measures.measure import flat
from trainables.settings import Invalid
from trainables.trial import Trial

FOLDER = Path(__file__).parent / "golden"
FORMATS = {"precision": "float32", "memory_format": "contiguous"}


def golden(name: str) -> str:
    """The text of a grid at both scales."""
    lines = []
    for scale in ("demo", "paper"):
        measures = find(name).measures(scale)
        for row, column, trial, published in find(name).at(scale):
            lines.append(f"{scale} | {row} | {column} | {published}")
            if measure := measures.get((row, column)):
                lines.append(f"  measure = {flat(measure)}")
            lines += described(trial.with_formats(FORMATS)) if trial else ["  published only"]
    return "\n".join(lines) + "\n"


def described(trial: Trial) -> list[str]:
    """The id, and the settings, all of them: a default that changes shows, too."""
    return [f"  id = {_id(trial)}", *(f"  {name} = {v}" for name, v in trial.flat().items())]


def _id(trial: Trial) -> str:
    try:
        return trial.resolved(Path("/nowhere"), FORMATS).id
    except Invalid:
        return "needs files"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in grids():
        (FOLDER / f"{name}.txt").write_text(golden(name))
