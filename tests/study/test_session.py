"""One command's work on a study, up to its first trial."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ray

from analysis.plan import Metric
from study.command import main
from study.grids.grid import Grid
from study.grids.lay_out import changed
from study.lease import lease
from study.preflight import prepare
from trainables.data.sources.cifar import Cifar10
from trainables.measures.human_kl import HumanKL
from trainables.settings import Use
from trainables.storage.claims import of_trial
from trainables.storage.storage import Storage

GRID = ["--grid", "kesl_ablation"]


def first_id(data: Path) -> str:
    """Of the grid's first row, "only CE", at demo scale."""
    trial = next(trial for _, _, trial, _ in changed("kesl_ablation", "demo", ()) if trial)
    return prepare.ready(trial, data, {})[1]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("digit zero\n", "misses the classes"),
        ("".join(f"root {name}\n" for name in ("a", "b")) + "c d\n", "has the roots 'root', 'c'"),
        ("a b\nb c\nc a\n", "has the cycle"),
    ],
)
def test_a_bad_hierarchy_is_found_before_any_trial(
    text: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tree.txt").write_text(text)
    arguments = [*GRID, "--set", "targets.hierarchy=tree.txt", "--data-dir", str(tmp_path)]
    assert main([*arguments, "--storage", str(tmp_path / "storage")]) == 2
    assert error in capsys.readouterr().err


def test_a_rerun_that_no_node_has_room_for_removes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    node = {"Alive": True, "NodeManagerAddress": "a", "Resources": {"CPU": 2.0}}
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    shelf = Storage(tmp_path).trial(first_id(tmp_path)).shelf
    shelf.write_json("trial.json", {})
    shelf.write_json("result.json", {"status": "finished", "reason": None})
    rerun = [*GRID, "--seeds", "1", "--only", "only CE", "--rerun", "all", "--storage"]
    for option, most in (("--cpus-per-trial", "64"), ("--gpus-per-trial", "8")):
        assert main([*rerun, str(tmp_path), option, most]) == 2
        assert f"{option} = {most}: must be at most" in capsys.readouterr().err
        assert shelf.names("*") == ["result.json", "trial.json"]


@pytest.mark.slow
def test_a_rerun_of_what_another_command_holds_removes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = Storage(tmp_path)
    shelf = storage.trial(first_id(tmp_path)).shelf
    shelf.write_json("trial.json", {})
    shelf.write_json("result.json", {"status": "failed", "reason": "bad luck"})
    rerun = [*GRID, "--seeds", "1", "--only", "only CE", "--rerun", "failed"]
    with lease(storage, "another") as other:
        other.claim(of_trial(first_id(tmp_path)))
        assert main([*rerun, "--storage", str(tmp_path)]) == 2
    held = f"error: --rerun: trial {first_id(tmp_path)} is held by {other.told}: wait for it\n"
    assert capsys.readouterr().err == held
    assert shelf.names("*") == ["result.json", "trial.json"]
    ray.shutdown()


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((10_000, 100), "h.npy: must hold an array of shape (10000, 10), holds (10000, 100)"),
        (None, "h.npy is missing: a file is needed there"),
    ],
)
def test_a_wrong_file_of_human_labels_is_found_before_any_trial(
    shape: tuple[int, int] | None,
    error: str,
    measured_grid: Grid,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if shape:
        np.save(tmp_path / "h.npy", np.zeros(shape, np.float32))
    measure = Use(HumanKL, file="h.npy")
    (trial, _) = next(iter(measured_grid.rows["hard"].values()))  # type: ignore[union-attr]
    cifar = trial.but(data=trial.data.but(source=Use(Cifar10)))
    column = {"KL": Metric("kl", "nats", better="lower", measure=measure)}
    grid = replace(measured_grid, columns=column, rows={"hard": (cifar, 0.3)})
    sys.modules["study.grids.measured.grid"].__dict__["grid"] = grid
    arguments = ["--grid", "measured_grid", "--scale", "paper", "--data-dir", str(tmp_path)]
    arguments += ["--storage", str(tmp_path / "storage")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert error in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("storage/trials/*"))
