"""What a command asks for, made without a command line."""

import math
from pathlib import Path

import pytest

from study.request import HOME, Request, Resources
from trainables.settings import Invalid


def test_a_grids_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STUDY_STORAGE", "STUDY_DATA_DIR", "MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    request = Request(grid="kesl_ablation")
    assert (request.scale, request.seeds, request.only, request.changes) == ("demo", None, (), ())
    assert (str(request.storage), request.data_dir) == (str(HOME), HOME / "data")
    assert (request.tracking_uri, request.address, request.search) == (None, None, None)


def test_the_environment_stands_in_for_what_is_not_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STUDY_STORAGE", str(tmp_path))
    monkeypatch.setenv("STUDY_DATA_DIR", "data")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    request = Request(grid="x")
    assert str(request.storage) == str(tmp_path)
    assert request.data_dir == Path.cwd() / "data"
    assert request.tracking_uri == "http://host:5000"


@pytest.mark.parametrize(
    ("said", "means"), [("", None), ("local", None), ("auto", "auto"), ("h:6379", "h:6379")]
)
def test_rays_own_word_for_this_machine_is_no_address(
    said: str, means: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", said)
    assert Request(grid="x").address == means


def test_a_field_is_changed_once_and_never_the_test_images() -> None:
    with pytest.raises(Invalid, match=r"^--set 'seed=1', 'seed=2': a field must be given once"):
        Request(grid="x", changes=("seed=1", "seed=2"))
    with pytest.raises(Invalid, match=r"^--set 'data\.test=False': must be another field"):
        Request(grid="x", changes=("data.test=False",))


def test_what_ray_cannot_grant_is_refused() -> None:
    with pytest.raises(Invalid, match=r"--gpus-per-trial = 1\.5: must be whole where above 1"):
        Resources(gpus=1.5)
    with pytest.raises(Invalid, match=r"--cpus-per-trial = 1e-05: must be a multiple"):
        Resources(cpus=0.00001)
    assert Resources().stall_minutes == math.inf


@pytest.mark.parametrize("priority", [0.0, -1.0, math.inf, math.nan])
def test_a_share_needs_a_weight(priority: float) -> None:
    with pytest.raises(Invalid, match=f"^--priority = {priority:g}: must be a number above 0$"):
        Resources(priority=priority)
