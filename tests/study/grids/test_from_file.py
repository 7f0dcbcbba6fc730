"""Grids of the user's own: what their files may be, and what is said where they are not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from study.command import main
from study.grids import from_file
from study.grids.grid import find
from study.grids.lay_out import lay_out
from trainables.losses.loss import Loss
from trainables.settings import Invalid, Use, classes_of
from trainables.trial import Trial

LOSS = """
from study.kit import F, Grid, Loss, Use, cifar100

class Poly1(Loss):
    '''-log p_y + epsilon (1 - p_y).'''
    def __init__(self, task, *, epsilon: float = 1.0):
        super().__init__(task)
        self.epsilon = epsilon

    def forward(self, out, target, batch):
        log_p = F.log_softmax(out.scores, dim=1)
        return -(target * log_p).sum(1) + self.epsilon * (1 - (target * log_p.exp()).sum(1))
"""
ROWS = """
grid = Grid(
    title="Poly-1",
    baseline="CE",
    rows={"CE": cifar100, "Poly-1": cifar100.but(loss=Use(Poly1))},
)
"""


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    yield
    from_file.forget()


def written(folder: Path, text: str = LOSS + ROWS, name: str = "poly.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def named(trial: Trial) -> tuple[Trial, str]:
    ready = trial.resolved(Path("/nowhere"), {})
    return ready, ready.id


def ids(path: str) -> list[str | None]:
    plan, _ = lay_out(path, "demo", 1, (), named)
    return [cell.trials["0"] for cell in plan.cells]


def test_a_file_is_a_grid_that_is_named_by_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    plan, _ = lay_out(path, "demo", 2, ("recipe.lr=0.2",), named)
    assert (plan.grid, plan.title, plan.rows()) == ("poly", "Poly-1", ["CE", "Poly-1"])
    assert plan.study.startswith("poly.demo.")
    assert [cell.published for cell in plan.cells] == [None, None]
    assert list(plan.columns) == ["accuracy"]
    assert find("poly") is find(path)


def test_its_classes_are_found_by_name_as_long_as_it_is_loaded(tmp_path: Path) -> None:
    path = written(tmp_path)
    plan, _ = lay_out(path, "demo", 1, ("loss=Poly1(epsilon=2)",), named)
    assert {cell.settings["loss.epsilon"] for cell in plan.cells} == {2.0}
    assert "Poly1" in classes_of(Loss)
    from_file.forget()
    assert "Poly1" not in classes_of(Loss)


def test_the_source_of_a_class_is_in_the_id_of_its_trials_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    plain, mine = ids(path)
    source = find(path).rows["Poly-1"].loss.source  # type: ignore[union-attr]
    assert isinstance(source, str)
    assert len(source) == 16
    for text, same in (
        (LOSS + "# A remark.\n" + ROWS.replace('"Poly-1"', '"mine"'), True),
        (LOSS.replace("+ self", "- self") + ROWS, False),
    ):
        from_file.forget()
        assert ids(written(tmp_path, text)) == [plain, mine] or not same
        assert (ids(path)[1] == mine) == same
        assert ids(path)[0] == plain


def test_files_beside_it_are_imported_and_count(tmp_path: Path) -> None:
    written(tmp_path, LOSS, "losses.py")
    text = "from losses import Poly1\nfrom study.kit import Grid, Use, cifar100\n" + ROWS
    path = written(tmp_path, text)
    before = ids(path)
    from_file.forget()
    written(tmp_path, LOSS.replace("1.0", "1.5"), "losses.py")
    assert ids(path)[0] == before[0]
    assert ids(path)[1] != before[1]
    assert str(tmp_path) not in sys.path


def test_a_file_that_changes_is_read_anew_only_when_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path)
    first = find(path)
    written(tmp_path, LOSS + ROWS.replace("Poly-1", "mine"))
    assert find(path) is first
    from_file.refresh()
    assert list(find(path).rows) == ["CE", "mine"]
    from_file.refresh()
    assert list(find(path).rows) == ["CE", "mine"]


def test_annotations_may_be_text(tmp_path: Path) -> None:
    text = "from __future__ import annotations\nfrom study.kit import Positive\n" + LOSS
    path = written(tmp_path, text.replace("epsilon: float", "epsilon: Positive") + ROWS)
    with pytest.raises(Invalid, match=r"Poly1\.epsilon = -1\.0: must lie in \(0, inf\)"):
        lay_out(path, "demo", 1, ("loss=Poly1(epsilon=-1)",), named)


BAD = {
    "missing": ("", "must be a file that defines `grid`"),
    "no grid": ("x = 1\n", "must define `grid`, a Grid; it has None"),
    "not a grid": ("grid = 3\n", "must define `grid`, a Grid; it has 3"),
    "syntax": ("x = 1\ny = (\n", r"poly.py, line 2: SyntaxError: '(' was never closed"),
    "failing": ("x = 1\n\ny = 1 / 0\n", "poly.py, line 3: ZeroDivisionError: division by zero"),
    "absent": ("import no_such\n", "poly.py, line 1: ModuleNotFoundError: No module named"),
    "our error": (
        "from study.kit import *\nx = Use(Cifar100, y=1)\n",
        "poly.py, line 2: Cifar100: setting 'y' is unknown",
    ),
    "our name": (
        LOSS.replace("Poly1", "Focal") + ROWS.replace("Poly1", "Focal"),
        "class Focal: must have another name: one of ours is called so",
    ),
    "no part": (
        LOSS.replace("Poly1(Loss)", "Poly1") + ROWS,
        "poly.py, line 17: trial.loss = Poly1(): must use a Loss",
    ),
    "twice": (
        "from losses import Poly1 as Other\n" + LOSS + ROWS,
        "class Poly1: must have another name: ",
    ),
    "late import": (
        LOSS.replace("        log_p", "        import losses\n        log_p") + ROWS,
        "import losses: must stand at the top",
    ),
}


@pytest.mark.parametrize(("text", "error"), BAD.values(), ids=BAD)
def test_what_is_wrong_with_a_file_is_said_in_a_line(
    text: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, LOSS, "losses.py")
    path = written(tmp_path, text) if text else str(tmp_path / "poly.py")
    assert main(["--grid", path, "--dry-run", "--storage", str(tmp_path / "storage")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert error in said
    assert said.count("\n") == 1
    assert not (tmp_path / "storage").exists()
    assert "poly" not in sys.modules or text.startswith(("x", "grid")) or from_file.modules()


def test_a_file_may_have_any_encoding_that_it_names(tmp_path: Path) -> None:
    text = "# -*- coding: latin-1 -*-\n# Größe\n" + LOSS + ROWS
    (tmp_path / "poly.py").write_bytes(text.encode("latin-1"))
    assert list(find(str(tmp_path / "poly.py")).rows) == ["CE", "Poly-1"]
    from_file.refresh()
    assert from_file.loaded("poly")


def test_a_part_of_an_installed_package_is_refused(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    written(installed, LOSS, "elsewhere.py")
    text = f"import sys\nsys.path.append({str(installed)!r})\nfrom elsewhere import Poly1\n"
    with pytest.raises(Invalid, match=r"row 'Poly-1': Poly1 of elsewhere: must be defined in the"):
        find(written(tmp_path, text + "from study.kit import *\n" + ROWS))
    sys.path.remove(str(installed))


@pytest.mark.parametrize("name", ["kesl_ablation.py", "json.py", "my-grid.py"])
def test_a_file_that_cannot_be_told_from_another_module_is_refused(
    name: str, tmp_path: Path
) -> None:
    import json

    assert json
    with pytest.raises(Invalid, match="must have another name"):
        find(written(tmp_path, LOSS + ROWS, name))


@pytest.mark.slow
def test_its_classes_travel_by_value(tmp_path: Path) -> None:
    path = written(tmp_path)
    use = Use(classes_of_file(path)["Poly1"], epsilon=3.0)
    for module in from_file.modules():
        ray.cloudpickle.register_pickle_by_value(module)
    content = ray.cloudpickle.dumps(use)
    program = (
        "import sys, pickle; use = pickle.loads(bytes.fromhex(sys.argv[1])); "
        "print(use, use.source, use.but(epsilon=4))"
    )
    command = [sys.executable, "-c", program, content.hex()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path.cwd(), timeout=120)
    assert done.stdout.split("\n")[0] == f"Poly1(epsilon=3.0) {use.source} Poly1(epsilon=4.0)"


def classes_of_file(path: str) -> dict[str, type]:
    find(path)
    return classes_of(Loss)
