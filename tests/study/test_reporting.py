"""What a command says that trains nothing."""

import re
from pathlib import Path

import pytest

from study.command import main
from study.lease import lease
from trainables.storage.storage import Storage

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
    with lease(Storage(tmp_path)):
        assert main([*command, "--dry-run"]) == 0
        assert main(command) == 2
    assert "in use by another study command" in capsys.readouterr().err
    assert main(command) == 0
    assert "1 files, 5 bytes, of finished trials removed from" in capsys.readouterr().out
    assert shelf.names("*") == ["result.json", "trial.json"]
