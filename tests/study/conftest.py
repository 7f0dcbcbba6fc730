"""What the tests of studies share: a study of seconds."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import study.grids
from study.grids.grid import Grid, error
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.measures.attack import Fgsm, Pgd
from trainables.measures.ensemble import Ensemble
from trainables.nets.resnet import CifarResNet
from trainables.recipe import Recipe
from trainables.settings import Use
from trainables.targets.smooth import Smooth
from trainables.trial import Trial


@pytest.fixture
def measured_grid(trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Grid]:
    """A grid found as "measured_grid": two trials that keep their epochs, shown by measures.

    The last row has a measure of its own; of others it prints a number.
    """
    columns = {
        "clean": error("test.accuracy"),
        "FGSM": error("accuracy", measure=Use(Fgsm, eps=8 / 255)),
        "3 models": error("accuracy", measure=Use(Ensemble, members=3)),
    }
    base = trial.but(recipe=trial.recipe.but(keep=3))
    smooth = base.but(targets=Use(Smooth))
    grid = Grid(
        title="A grid of measures",
        paper="ols",
        table="table8",
        columns=columns,
        baseline="hard",
        selection="last",
        seeds=1,
        demo=lambda trial: trial,
        rows={
            "hard": dict.fromkeys(columns, (base, 26.41)),
            "smooth": dict.fromkeys(columns, (smooth, None)),
            "others": {"FGSM": (None, 60.0)},
            "smooth, PGD": {"FGSM": (smooth, None, Use(Pgd, eps=8 / 255, steps=2))},
        },
    )
    (tmp_path / "grids" / "measured").mkdir(parents=True)
    for name in ("__init__.py", "grid.py"):
        (tmp_path / "grids" / "measured" / name).touch()
    monkeypatch.setattr(study.grids, "__path__", [*study.grids.__path__, str(tmp_path / "grids")])
    importlib.import_module("study.grids.measured.grid").__dict__["grid"] = grid
    yield grid
    for name in ("study.grids.measured", "study.grids.measured.grid"):
        del sys.modules[name]


@pytest.fixture
def trial() -> Trial:
    """A trial of three short epochs."""
    return Trial(
        data=DataSpec(source=Use(Digits), train_per_class=4),
        net=Use(CifarResNet, depth=8, width=2),
        recipe=Recipe(
            epochs=3,
            batch_size=16,
            schedule="constant",
            precision="float32",
            memory_format="contiguous",
        ),
    ).resolved(Path("/nowhere"), {})
