"""A dry run: what it tells, what it refuses, and that it writes nothing."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from study.command import main
from study.grids.lay_out import changed
from study.preflight import dry_run, prepare
from tests.trainables.small import small_trial
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.targets.disturb import Disturb

GRID = ["--grid", "kesl_ablation"]


def first_id(data: Path) -> str:
    """Of the grid's first row, "only CE", at demo scale."""
    trial = next(trial for _, _, trial, _ in changed("kesl_ablation", "demo", ()) if trial)
    return prepare.ready(trial, data, {})[1]


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


def with_gpus(gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many of 20 MiB each, as far as the dry run sees."""
    size = SimpleNamespace(total_memory=20 * 2**20)
    monkeypatch.setattr(dry_run, "gpus_here", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: size)


@pytest.mark.parametrize("gpus", [0, 2])
def test_a_dry_run_compares_memory_with_the_fraction_where_there_is_a_gpu(
    gpus: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_gpus(gpus, monkeypatch)
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


@pytest.mark.parametrize(
    ("gpus", "options", "said"),
    [(1, [], True), (1, ["--no-capture"], False), (0, [], False)],
)
def test_a_dry_run_says_which_trials_a_gpu_repeats_no_step_of(
    gpus: int,
    options: list[str],
    said: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_gpus(gpus, monkeypatch)
    rows = ["--only", "Hard label", "--only", "PENCIL"]
    dry = ["--grid", "ols_noise", *rows, "--dry-run", "--seeds", "1", "--storage", str(tmp_path)]
    assert main([*dry, *options]) == 0
    assert ("trials launch each step anew: PENCIL(" in capsys.readouterr().out) == said


def test_of_fused_trials_those_that_use_chance_repeat_no_step_either() -> None:
    trials = [small_trial(), small_trial(targets=Use(Disturb))]
    assert dry_run.anew(trials) == []
    line = "1 trials launch each step anew: Disturb() uses chance"
    assert dry_run.anew(trials, fused=True) == [line]


def test_a_dry_run_says_how_many_searches_there_are_and_opens_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*GRID, "--dry-run", "--search", "20", "--seeds", "1", "--storage", str(tmp_path)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "tuned: Knowledge + KnowledgeLoss (7 rows) over targets.decay (0.1 to 0.9), " in said
    assert "3 searches of 20 points x 1 seeds, and 1 trials for each winner: at most 63" in said
    assert "at once" not in said
    assert main([*arguments, "--fuse", "8", "--search-seeds", "2"]) == 0
    assert "at once" not in capsys.readouterr().out  # their recipes differ
    assert main([*arguments, "--fuse", "8", "--search-seeds", "2", "--search-space", "parts"]) == 0
    assert "; 4 points are drawn and trained at once\n" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


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
        (["--cache-dir", "/proc/foo"], "--cache-dir = /proc/foo: must be a folder to write in"),
        (["--cache-size", "12XB"], "--cache-size: '12XB' must be a number with MB, GB or TB"),
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


@pytest.mark.parametrize("workers", [1, 2])
def test_a_dry_run_says_that_it_measures_one_worker(
    workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = [*GRID, "--dry-run", "--seeds", "1", "--storage", str(tmp_path), "--only", "only CE"]
    assert main([*dry, "--workers-per-trial", str(workers)]) == 0
    cost = capsys.readouterr().out.splitlines()[-1]
    assert cost.startswith("at most ")
    assert (" by one worker a trial, about " in cost) == (workers > 1)


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
