"""The command line: bad input, and what needs no training."""

import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.command import again, main
from study.grids.lay_out import changed
from study.preflight import prepare

GRID = ["--grid", "kesl_ablation"]


def first_id(data: Path) -> str:
    """Of the grid's first row, "only CE", at demo scale."""
    trial = next(trial for _, _, trial, _ in changed("kesl_ablation", "demo", ()) if trial)
    return prepare.ready(trial, data, {})[1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "--grid is missing: valid are advisor_backbone_size"),
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
        (
            ["--status", "--only", "only CE"],
            "--only: not together with --status, which takes --storage, --tracking-uri without",
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


@pytest.mark.slow
def test_the_command_is_a_script_that_needs_no_tracker_for_an_error() -> None:
    command = [sys.executable, "study/run.py", "--grid", "x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --grid 'x' is unknown")


def test_the_command_to_go_on_calls_this_environments_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, called in ((Path(sys.executable).parent, "python"), (tmp_path, sys.executable)):
        monkeypatch.setenv("PATH", str(folder))
        assert shlex.split(again(["--grid", "x"])) == [called, "study/run.py", "--grid", "x"]
