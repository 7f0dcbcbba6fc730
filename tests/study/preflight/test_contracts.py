"""Parts of a user's own, held against the contract: by the command, and before a study."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.command import main
from study.grids import from_file
from study.grids.lay_out import changed
from study.preflight import contracts
from study.request import Request
from tests.study.grids.test_from_file import LOSS, ROWS, written
from trainables.settings import Invalid

AT_PAPER_SCALE = {"recipe.milestones": "[120, 180]", "recipe.epochs": 240}  # too late for the demo


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    yield
    from_file.forget()


def test_the_command_tells_each_check_that_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--grid", written(tmp_path), "--check"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "Poly1: declaration"
    assert said[-1] == "Poly1: resumed"


@pytest.mark.parametrize("mode", [["--check"], []])
def test_a_part_that_fails_ends_the_command_before_anything_starts(
    mode: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = LOSS[: LOSS.index("return -")] + "return -(target * log_p).sum()\n"
    storage = ["--storage", str(tmp_path / "storage")] * (not mode)
    assert main(["--grid", written(tmp_path, wrong + ROWS), *mode, *storage]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: Poly1: its forward must give one finite number an image")
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("storage/trials/*"))


def test_a_grid_without_such_parts_has_nothing_to_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--grid", "kesl_ablation", "--check"]) == 2
    assert "must use a part of its own; all are ours" in capsys.readouterr().err


def test_what_is_changed_of_the_paper_scale_need_not_fit_the_demo_s(tmp_path: Path) -> None:
    for grid in (written(tmp_path), "kesl_ablation"):
        request = Request(grid=grid, scale="paper", changes=AT_PAPER_SCALE)
        with pytest.raises(Invalid, match="milestones"):
            changed(grid, "demo", ("recipe.milestones=[120, 180]",))
        found = list(contracts.cases(request))
        assert [[part.__name__ for part in parts] for _, parts in found] == (
            [["Poly1"]] if grid.endswith(".py") else []
        )
        assert all(trial.recipe.epochs == 40 for trial, _ in found)
