"""What a command says that trains nothing."""

import os
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient

from analysis.records import EXPERIMENT
from study.command import main
from study.lease import lease
from tests.study.command import database
from trainables.storage.claims import of_trial
from trainables.storage.storage import LAYOUT, Storage

GRID = ["--grid", "kesl_ablation"]


def test_the_list_names_every_grid_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert lines["kesl_ablation"].split(maxsplit=1)[1].startswith("KESL, ablation of T, alpha and")
    assert len({re.search(r"  (?=\S)", line).end() for line in lines.values()}) == 1  # type: ignore[union-attr]


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
    with lease(Storage(tmp_path), "kesl") as other:
        other.claim(of_trial("a"))
        assert main([*command, "--dry-run"]) == 0
        assert main(command) == 2
    held = f"error: --clean: trial a is held by {other.told}: wait for it\n"
    assert capsys.readouterr().err == held
    assert main(command) == 0
    assert "1 files, 5 bytes, of finished trials removed from" in capsys.readouterr().out
    assert shelf.names("*") == ["result.json", "trial.json"]


def test_all_studies_have_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage, status = Storage(tmp_path), ["--status", "--storage", str(tmp_path)]
    MlflowClient(database(tmp_path)).create_experiment(EXPERIMENT)
    assert main(status) == 0
    assert capsys.readouterr().out == "no study\n"
    with lease(storage, "kesl.demo"):
        assert main(status) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert re.fullmatch(rf"kesl.demo +running +– +– +host \S+, process {os.getpid()}", line)


@pytest.mark.parametrize("mode", ["--status", "--report", "--dry-run", "--clean", "--seeds=1"])
def test_a_storage_of_a_newer_version_is_refused_in_a_line(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Storage(tmp_path).top.write_json("storage.json", {"id": "x", "layout": LAYOUT + 1})
    grid = [] if mode == "--clean" else GRID
    assert main([*grid, mode, "--storage", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"error: --storage = {tmp_path}: must be of layout {LAYOUT} or older "
        f"(a newer version has written it, in layout {LAYOUT + 1})\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["storage.json"]
