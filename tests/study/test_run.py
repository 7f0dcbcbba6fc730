"""The command line: bad input, and what needs no training."""

import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import ray
import torch

from analysis.plan import Metric
from study.grids.grid import Grid
from study.grids.lay_out import changed
from study.lease import lease
from study.preflight import dry_run, prepare
from study.run import again, main
from trainables.data.sources.cifar import Cifar10
from trainables.measures.human_kl import HumanKL
from trainables.settings import Use
from trainables.storage.storage import Storage

GRID = ["--grid", "kesl_ablation"]


def first_id(data: Path) -> str:
    """Of the grid's first row, "only CE", at demo scale."""
    trial = next(trial for _, _, trial, _ in changed("kesl_ablation", "demo", ()) if trial)
    return prepare.ready(trial, data, {})[1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "--grid is missing: valid are kesl_ablation"),
        (["--grid", "kesl_ablatio"], "--grid 'kesl_ablatio' is unknown: valid are kesl_ablation"),
        ([*GRID, "--scale", "dmo"], "argument --scale: invalid choice: 'dmo' (choose from"),
        ([*GRID, "--seeds", "0"], "argument --seeds: '0' must be a whole number from 1 on"),
        ([*GRID, "--only", "only C"], "--only: row 'only C' is unknown: valid are 'only CE'"),
        ([*GRID, "--set", "targets.decay=1.5"], "Knowledge.decay = 1.5: must lie in (0, 1)"),
        ([*GRID, "--set", "loss.beta=-1"], "KnowledgeLoss.beta = -1.0: must lie in [0, inf)"),
        (
            [*GRID, "--set", "recipe.lrr=1"],
            "--set: field 'recipe.lrr' is unknown: valid are recipe.lr",
        ),
        (
            [*GRID, "--cpus-per-trial", "-1"],
            "argument --cpus-per-trial: '-1' must be a number above 0",
        ),
        ([*GRID, "--max-concurrent", "x"], "argument --max-concurrent: 'x' must be a whole number"),
        (
            [*GRID, "--tracking-uri", "http://127.0.0.1:9"],
            "--tracking-uri = http://127.0.0.1:9: must",
        ),
        (
            [*GRID, "--address", "127.0.0.1:9"],
            "--address = 127.0.0.1:9: must be host:port of a running",
        ),
        (
            [*GRID, "--storage", "/proc/none"],
            "--storage = /proc/none: must be a folder to write in",
        ),
        ([*GRID, "--scale", "paper"], "resnet50-0676ba61.pth is missing"),
        ([*GRID, "--set", "targets.hierarchy=no.txt"], "there is no file"),
        ([*GRID, "--status"], "unable to open database file"),
        ([*GRID, "--search", "0"], "argument --search: '0' must be a whole number from 1 on"),
        ([*GRID, "--search", "2", "--sampler", "cma"], "argument --sampler: invalid choice: 'cma'"),
        ([*GRID, "--search", "2", "--rerun", "all"], "--rerun: not together with --search"),
        (
            [*GRID, "--search", "2", "--search-storage", "sqlite:////no/where/o.db"],
            "--search-storage = sqlite:////no/where/o.db: must be the URL of a database",
        ),
        (
            [*GRID, "--search", "2", "--search-space", "parts", "--only", "only CE"],
            "--search: row 'only CE' offers nothing to search in --search-space parts",
        ),
        ([*GRID, "--search", "2", "--seeds", "1001"], "--seeds = 1001: must be at most 1000 with"),
        ([*GRID, "--price-per-hour", "0"], "argument --price-per-hour: '0' must be a number above"),
        (["--clean", "--rerun", "all"], "--rerun: not together with --clean"),
        (["--clean", *GRID], "--grid: not together with --clean, which takes --storage, --dry-run"),
        (
            [*GRID, "--status", "--only", "only CE", "--search", "9"],
            "--search: not together with --status, which takes --grid, --scale, --seeds, --only, ",
        ),
        ([*GRID, "--report", "--data-dir", "."], "--data-dir: not together with --report"),
        ([*GRID, "--pruner", "asha"], "--pruner: only together with --search POINTS"),
        ([*GRID, "--set", "data.test=False"], "--set 'data.test=False': must be another field"),
        (
            [*GRID, "--set", "recipe.lr=1", "--set", "recipe.lr=2"],
            "--set 'recipe.lr=1', 'recipe.lr=2': a field must be given once",
        ),
        ([*GRID, "--storage", ""], "argument --storage: '' must be a folder"),
        ([*GRID, "--dry-run", "--status"], "not allowed with argument --dry-run"),
    ],
)
def test_bad_input_gets_one_line_within_seconds_and_exit_code_2(
    arguments: list[str],
    error: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = time.monotonic()
    monkeypatch.setenv("STUDY_STORAGE", str(tmp_path / "storage"))  # no options, which
    monkeypatch.setenv("STUDY_DATA_DIR", str(tmp_path / "data"))  # not every mode takes
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert error in said
    assert said.count("\n") == 1
    assert time.monotonic() - begun < 15
    assert not list(tmp_path.glob("storage/trials/*"))


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


def test_the_list_names_every_grid_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert lines["kesl_ablation"].split(maxsplit=1)[1].startswith("KESL, ablation of T, alpha and")
    assert len({re.search(r"  (?=\S)", line).end() for line in lines.values()}) == 1  # type: ignore[union-attr]


def test_a_dry_run_shows_cells_states_and_cost_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GRID, "--dry-run", "--seeds", "1", "--storage", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("kesl_ablation at DEMO scale")
    assert "--scale paper" in said.splitlines()[0]
    assert "7 trials are new, 0 to be resumed, 0 finished, 0 failed" in said
    assert "7 trials x " in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("gpus", [0, 2])
def test_a_dry_run_compares_memory_with_the_fraction_where_there_is_a_gpu(
    gpus: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = SimpleNamespace(total_memory=20 * 2**20)
    monkeypatch.setattr(dry_run, "gpus_here", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: size)
    result = {"status": "finished", "site": {"gpus": 0.5, "peak_memory_mib": 11}}
    Storage(tmp_path).trial(first_id(tmp_path)).shelf.write_json("result.json", result)
    dry = [*GRID, "--dry-run", "--seeds", "1", "--storage", str(tmp_path), "--only", "only CE"]
    assert main([*dry, "--gpus-per-trial", "0.5"]) == 0
    said = capsys.readouterr().out
    if gpus:
        share = "--gpus-per-trial 0.5 is 10 MiB of this machine's GPU"
        assert f"memory: 11 MiB measured (most of 1 finished); {share}" in said
        assert "warning: 11 MiB measured (most of 1 finished) is above the 10 MiB" in said
    else:
        assert "memory: cannot be compared with --gpus-per-trial, since this machine has" in said


def test_a_dry_run_says_how_many_searches_there_are_and_opens_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*GRID, "--dry-run", "--search", "20", "--seeds", "1", "--storage", str(tmp_path)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "tuned: Knowledge + KnowledgeLoss (7 rows) over targets.decay (0.1 to 0.9), " in said
    assert "3 searches of 20 points x 1 seeds, and 1 trials for each winner: at most 63" in said
    assert not list(tmp_path.iterdir())


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
    for option in ("--cpus-per-trial", "--gpus-per-trial"):
        assert main([*rerun, str(tmp_path), option, "64"]) == 2
        assert f"{option} = 64: must be at most" in capsys.readouterr().err
        assert shelf.names("*") == ["result.json", "trial.json"]


def test_cleaning_says_what_it_removes_and_a_dry_run_only_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = Storage(tmp_path).trial("a").shelf
    shelf.write_json("trial.json", {"recipe.epochs": 2, "recipe.keep": 0})
    shelf.write_json("result.json", {"status": "finished", "reason": None})
    shelf.write("checkpoint-000000002.pt", b"12345")
    command = ["--clean", "--storage", str(tmp_path)]
    assert main([*command, "--dry-run"]) == 0
    said = f"1 files, 5 bytes, of finished trials would be removed from {tmp_path}\n"
    assert capsys.readouterr().out == said
    assert len(shelf.names("*")) == 3
    with lease(Storage(tmp_path)):
        assert main([*command, "--dry-run"]) == 0
        assert main(command) == 2
    assert "in use by another study command" in capsys.readouterr().err
    assert main(command) == 0
    assert "1 files, 5 bytes, of finished trials removed from" in capsys.readouterr().out
    assert shelf.names("*") == ["result.json", "trial.json"]


def test_a_dry_run_without_data_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data-dir", str(tmp_path), "--storage", str(tmp_path)]
    arguments = [
        "--grid",
        "kesl_general",
        "--scale",
        "paper",
        "--dry-run",
        "--seeds",
        "1",
        *options,
    ]
    assert main([*arguments, "--set", "net=CifarResNet(depth=8, width=4)"]) == 0
    said = capsys.readouterr().out
    assert f"missing: {tmp_path}/mini-imagenet/train is missing" in said
    assert f"missing: {tmp_path}/small-imagenet/train is missing" in said
    assert "no id yet" in said
    assert "4 without an id yet" in said
    assert "MiB: CifarResNet" in said


def test_a_dry_run_counts_the_rows_that_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = first_id(tmp_path)
    result = {"status": "finished", "reason": None}
    Storage(tmp_path).trial(first).shelf.write_json("result.json", result)
    dry = [*GRID, "--dry-run", "--storage", str(tmp_path), "--data-dir", str(tmp_path)]
    assert main([*dry, "--seeds", "1", "--only", "T 5, alpha 1, beta 1"]) == 0
    said = capsys.readouterr().out
    assert f"accuracy: {first} (finished)" in said
    assert "1 trials are new, 0 to be resumed, 0 finished, 0 failed, 0 without an id yet" in said
    small = ["--set", "net=CifarResNet(depth=8, width=4)"]
    assert main([*dry, "--scale", "paper", "--only", "only CE", *small]) == 0
    said = capsys.readouterr().out
    assert "0 failed, 3 without an id yet" in said
    assert "\n3 trials x " in said
    assert said.count(" trials x ") == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--search", "2", "--search-storage", "foo"], "--search-storage: must be the URL"),
        (["--search", "2", "--seeds", "1001"], "--seeds = 1001: must be at most 1000"),
        (["--storage", "/proc/foo"], "--storage = /proc/foo: must be a folder to write in"),
        (["--tracking-uri", "http://127.0.0.1:1"], "--tracking-uri = http://127.0.0.1:1: must"),
        (["--tracking-uri", "sqlite:////no/where/m.db"], "unable to open database file"),
        (["--set", "net.width=10000"], "GiB of memory that are free here; its weights take"),
    ],
)
def test_a_dry_run_refuses_the_places_that_a_run_would(
    arguments: list[str], error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    assert main([*GRID, "--dry-run", "--storage", str(tmp_path / "new"), *arguments]) == 2
    said = capsys.readouterr()
    assert error in said.err
    assert said.err.count("\n") == 1
    assert " trials x " not in said.out
    assert time.monotonic() - begun < 15
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("database", ["m.db", "opt/m.db"])
def test_a_dry_run_makes_no_storage_and_takes_a_database_that_will_lie_in_it(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = [*GRID, "--dry-run", "--seeds", "1", "--only", "only CE", "--storage"]
    url = f"sqlite:///{tmp_path}/new/{database}"
    refused = 2 * ("/" in database)  # a run makes the folder, but none in it
    assert main([*dry, str(tmp_path / "new"), "--tracking-uri", url]) == refused
    assert ("--tracking-uri" in capsys.readouterr().err) == bool(refused)
    assert not list(tmp_path.iterdir())


def test_a_dry_run_measures_with_no_more_threads_than_there_are_cpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    dry = [*GRID, "--dry-run", "--seeds", "1", "--only", "only CE", "--storage", str(tmp_path)]
    assert main([*dry, "--cpus-per-trial", "500"]) == 0
    assert threads == [os.cpu_count()]


def test_a_dry_run_refuses_what_a_run_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer_than_training = ["--grid", "ols_period", "--set", "targets.period=100000"]
    assert main([*longer_than_training, "--dry-run", "--storage", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert "100000" in said.err
    assert " trials x " not in said.out


def test_the_command_is_a_script_that_needs_no_tracker_for_an_error() -> None:
    command = [sys.executable, "study/run.py", "--grid", "x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --grid 'x' is unknown")


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


def test_the_command_to_go_on_calls_this_environments_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, called in ((Path(sys.executable).parent, "python"), (tmp_path, sys.executable)):
        monkeypatch.setenv("PATH", str(folder))
        assert shlex.split(again(["--grid", "x"])) == [called, "study/run.py", "--grid", "x"]
