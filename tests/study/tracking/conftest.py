"""A study that was trained and tracked, for each test a copy."""

import shutil
from pathlib import Path

import pytest

from analysis.plan import Plan
from study.grids.lay_out import lay_out
from study.tracking.relocation import settle
from tests.study.tracking.projected import (
    OVERRIDES,
    resolved,
    track,
)
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site
from trainables.trial import Trial


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, list[Trial]]:
    """kesl_label_smoothing with two epochs and one seed, trained and tracked once."""
    storage = Storage(tmp_path_factory.mktemp("storage"))
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    for trial in trials:
        fit(trial, storage, Site.here(Path("/nowhere")))
    track(f"sqlite:///{storage.root / 'mlflow.db'}", storage, plan)
    return storage.root, plan, list(trials)


@pytest.fixture
def recorded(
    original: tuple[Path, Plan, list[Trial]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Storage, Plan, list[Trial]]:
    """A copy of it for each test, which may change it."""
    root, plan, trials = original
    copy = tmp_path_factory.mktemp("copy") / "storage"
    shutil.copytree(root, copy)
    storage, uri = Storage(copy), f"sqlite:///{copy / 'mlflow.db'}"
    settle(uri, storage)
    return uri, storage, plan, trials
