"""Laying out a grid."""

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import study.grids
from analysis.plan import Metric, Plan
from study.grids.grid import Grid, error, find, grids, percent
from study.grids.lay_out import assumptions, lay_out, study_name
from study.grids.recipes import KESL_CUB, OLS_CIFAR
from trainables.measures.attack import Fgsm, Pgd
from trainables.measures.human_kl import HumanKL
from trainables.measures.measure import label
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth
from trainables.trial import Trial

Resolve = Callable[[Trial], tuple[Trial, str | None]]


def unresolved(trial: Trial) -> tuple[Trial, None]:
    return trial, None


def named(trial: Trial) -> tuple[Trial, str]:
    ready = trial.resolved(Path("/nowhere"), {})
    return ready, ready.id


def test_rows_printed_twice_are_two_cells_of_one_trial() -> None:
    plan, trials = lay_out("kesl_ablation", "demo", 2, (), named)
    cells = {cell.row: cell.trials for cell in plan.cells}
    assert cells["T 2, alpha 1, beta 1"] == cells["T 2, alpha 1, beta 1 (again)"]
    assert len(plan.cells) == 9
    assert len(trials) == len(plan.trials()) == 7 * 2


def test_two_grids_share_their_common_trials() -> None:
    ablation, _ = lay_out("kesl_ablation", "demo", 1, (), named)
    sota, _ = lay_out("kesl_sota", "demo", 1, (), named)
    assert set(sota.trials()) < set(ablation.trials())


def test_cells_of_other_authors_have_no_trials() -> None:
    plan, _ = lay_out("kesl_sota", "demo", 3, (), named)
    assert [cell.trials for cell in plan.cells if cell.row == "DT-RAM (ResNet-50)"] == [{}]


def test_a_plan_survives_json() -> None:
    plan, _ = lay_out("kesl_backbones", "demo", 1, ("recipe.lr=0.02",), named)
    assert Plan.from_json(plan.to_json()) == plan


def test_without_ids_the_cells_are_there_all_the_same() -> None:
    plan, trials = lay_out("kesl_general", "paper", 2, (), unresolved)
    assert plan.trials() == []
    assert plan.cells[0].trials == {"0": None, "1": None}
    assert len(trials) == 4 * 2


def test_an_override_changes_the_rows_that_have_the_field() -> None:
    plan, _ = lay_out("kesl_ablation", "demo", 1, ("targets.temperature=7",), named)
    found = {cell.row: cell.settings.get("targets.temperature") for cell in plan.cells}
    assert found.pop("only CE") is None
    assert set(found.values()) == {7.0}


def test_what_the_recipes_assume_comes_first_and_once_each() -> None:
    plan, _ = lay_out("ols_noise", "paper", 1, (), unresolved)
    assert plan.assumed == (
        "in the recipe of Zhang et al. 2021 (OLS), section V-A, SGD with momentum 0.9, nesterov "
        "True, weight decay 0.0005, augment Crop(padding=4) and Flip()",
        "in the recipe of PENCIL's public code, SGD with lr 0.06, schedule constant",
        *find("ols_noise").assumed,
    )


def test_recipes_that_differ_in_an_assumed_field_say_only_that_again() -> None:
    other = OLS_CIFAR.but(momentum=0.8, lr=0.2)
    assert assumptions([OLS_CIFAR.but(assumed=("momentum",)), other], ("recipe.augment=()",)) == (
        "in the recipe of Zhang et al. 2021 (OLS), section V-A, SGD with momentum 0.9, "
        "momentum 0.8, nesterov True, weight decay 0.0005",
    )


def test_what_an_override_sets_is_not_assumed() -> None:
    assert "batch size 64" in assumptions([KESL_CUB], ("targets.decay=0.1",))[0]
    plan, _ = lay_out("kesl_ablation", "paper", 1, ("recipe.batch_size=32",), unresolved)
    assert "batch size" not in plan.assumed[0]
    assert "epochs 100" in plan.assumed[0]


def test_a_demos_recipe_is_of_no_paper_and_assumes_nothing() -> None:
    plan, _ = lay_out("kesl_ablation", "demo", 1, (), named)
    assert plan.assumed == find("kesl_ablation").assumed


def test_overrides_are_applied_together() -> None:
    overrides = ("recipe.epochs=2", "recipe.milestones=()", "recipe.schedule=constant")
    plan, _ = lay_out("kesl_ablation", "demo", 1, overrides, named)
    assert plan.cells[0].settings["recipe.epochs"] == 2


def test_a_part_may_be_exchanged_and_then_set() -> None:
    overrides = ("targets=Smooth", "targets.epsilon=0.3", "loss=CrossEntropy")
    plan, trials = lay_out("kesl_ablation", "demo", 1, overrides, named)
    assert {trial.targets["epsilon"] for trial in trials} == {0.3}
    assert len(plan.trials()) == 1  # all rows have become one


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("targets.temprature=5", "'targets.temprature' is unknown: valid are targets.temperature"),
        ("targets.decay=1", "Knowledge.decay = 1.0: must lie in (0, 1)"),
        ("recipe.epochs", "must be field=value"),
        ("loss.alpha=-1", "KnowledgeLoss.alpha = -1.0: must lie in [0, inf)"),
        ("targets=Smoth", "targets 'Smoth' is unknown: valid are Smooth"),
        ("seed=7", "--set 'seed=7': must be a setting; seeds are given by --seeds"),
    ],
)
def test_a_wrong_override_is_named_with_what_would_be_valid(override: str, error: str) -> None:
    with pytest.raises(Invalid) as raised:
        lay_out("kesl_ablation", "demo", 1, (override,), named)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("loss=KnowledgeLoss", "--set in row 'Hard label': trial.targets = OneHot(): must be"),
        ("targets.alpha=1.5", "--set in row 'OLS-Single': OnlineSingle.alpha = 1.5: must lie in"),
    ],
)
def test_the_row_that_refuses_an_override_is_named(override: str, error: str) -> None:
    with pytest.raises(Invalid) as raised:
        lay_out("ols_single", "demo", 1, (override,), named)
    assert str(raised.value).startswith(error)


def test_an_unknown_grid_is_named_with_the_nearest() -> None:
    with pytest.raises(Invalid, match="'kesl_ablatio' is unknown: valid are kesl_ablation,"):
        find("kesl_ablatio")


def test_a_study_is_named_by_its_overrides_in_any_order() -> None:
    assert study_name("g", "demo", ("a=1", "b=2")) == study_name("g", "demo", ("b=2", "a=1"))
    assert study_name("g", "demo", ("a=1",)) != study_name("g", "demo", ("a=2",))
    assert study_name("g", "demo", ()) == "g.demo"
    assert study_name("g", None, ()) == "g"


def test_a_gain_refers_to_the_baseline_of_the_same_column_or_row() -> None:
    by_row, _ = lay_out("kesl_ablation", "demo", 1, (), named)
    base = by_row.baseline_of(by_row.cells[3])
    assert base is not None
    assert base.row == "only CE"
    assert by_row.baseline_of(by_row.cells[0]) is None
    by_column, _ = lay_out("kesl_backbones", "demo", 1, (), named)
    base = by_column.baseline_of(by_column.cells[1])
    assert base is not None
    assert (base.row, base.column) == ("MobileNetV2", "Baseline")


def test_a_cell_shows_its_own_measure_or_else_its_columns_or_the_history(
    measured_grid: Grid,
) -> None:
    plan, trials = lay_out("measured_grid", "demo", 2, (), named)
    found = {(cell.row, cell.column): cell.measure for cell in plan.cells}
    fgsm, pgd = label(Use(Fgsm, eps=8 / 255)), label(Use(Pgd, eps=8 / 255, steps=2))
    assert found["hard", "clean"] == ""
    assert found["hard", "FGSM"] == found["smooth", "FGSM"] == fgsm
    assert found["smooth, PGD", "FGSM"] == pgd
    assert found["others", "FGSM"] == ""  # not run
    assert len(trials) == len(plan.trials()) == 2 * 2  # columns share their trials
    assert set(plan.measures) == set(found.values()) - {""}
    assert plan.measures[pgd]["step"] == 2 / 255  # also what was left at its default


def test_a_plan_with_measures_survives_json(measured_grid: Grid) -> None:
    plan, _ = lay_out("measured_grid", "demo", 1, (), named)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_at_demo_scale_a_measure_is_its_counterpart(measured_grid: Grid) -> None:
    column = Metric("kl", "nats", better="lower", measure=Use(HumanKL))
    (trial, _) = next(iter(measured_grid.rows["hard"].values()))  # type: ignore[union-attr]
    grid = replace(measured_grid, columns={"KL": column}, rows={"hard": (trial, 0.3)})
    assert {u.name for u in grid.measures("paper").values()} == {"HumanKL"}
    assert {u.name for u in grid.measures("demo").values()} == {"NeighbourKL"}


def test_more_members_than_kept_epochs_are_refused_also_after_an_override(
    measured_grid: Grid,
) -> None:
    with pytest.raises(Invalid, match=r"Ensemble.members = 3: must be at most recipe.keep = 2"):
        lay_out("measured_grid", "demo", 1, ("recipe.keep=2",), named)


def test_a_column_without_its_measures_value_is_refused_when_it_is_written() -> None:
    with pytest.raises(Invalid, match="Pgd: value 'acuracy' is unknown: valid are accuracy"):
        percent("acuracy", measure=Use(Pgd, eps=0.1))
    with pytest.raises(Invalid, match=r"measure = Smooth\(\): must use a Measure"):
        error("accuracy", measure=Use(Smooth))


def test_an_own_measure_without_the_columns_value_is_refused(measured_grid: Grid) -> None:
    (trial, _) = next(iter(measured_grid.rows["hard"].values()))  # type: ignore[union-attr]
    grid = replace(measured_grid, rows={"hard": {"FGSM": (trial, None, Use(HumanKL))}})
    with pytest.raises(Invalid, match="HumanKL: value 'accuracy' is unknown: valid are kl"):
        grid.measures("paper")


def test_where_a_measures_file_is_missing_the_cell_is_there_all_the_same(
    measured_grid: Grid,
) -> None:
    plan, _ = lay_out("measured_grid", "demo", 1, (), named, lambda measure: None)
    assert plan.cells[2].measure == "Ensemble(members=3)"


def test_a_folder_may_name_its_tables_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trial: Trial
) -> None:
    folder = tmp_path / "paper_of_words"
    folder.mkdir()
    (folder / "__init__.py").write_text('PREFIX = "word"')
    (folder / "_paper.py").touch()
    (folder / "limited.py").touch()
    monkeypatch.setattr(study.grids, "__path__", [*study.grids.__path__, str(tmp_path)])
    try:
        module = importlib.import_module("study.grids.paper_of_words.limited")
        module.__dict__["grid"] = grid = own_grid(trial)
        assert "word_limited" in grids()
        assert not any("paper" in name for name in grids())
        assert find("word_limited") is grid
    finally:
        for name in ("study.grids.paper_of_words", "study.grids.paper_of_words.limited"):
            sys.modules.pop(name, None)


def test_a_grid_without_demo_runs_as_written_at_any_scale(measured_grid: Grid) -> None:
    grid = replace(measured_grid, demo=None)
    assert (grid.scale("demo"), measured_grid.scale("demo")) == ("paper", "demo")
    assert list(grid.at("demo")) == list(grid.at("paper"))
    assert grid.measures("demo") == grid.measures("paper")
    importlib.import_module("study.grids.measured.grid").__dict__["grid"] = grid
    plan, _ = lay_out("measured_grid", "demo", 1, (), named)
    assert (plan.study, plan.scale) == ("measured_grid", "paper")


def test_rows_and_columns_that_are_left_out_have_no_cells(measured_grid: Grid) -> None:
    left = {"others": "of others", "clean": "no images"}
    plan, _ = lay_out("measured_grid", "demo", 1, (), named, left_out=left)
    assert [*plan.columns] == ["FGSM", "3 models"]
    assert plan.rows() == ["hard", "smooth", "smooth, PGD"]
    assert {cell.column for cell in plan.cells} == {"FGSM", "3 models"}
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))).left_out == left


def own_grid(trial: Trial) -> Grid:
    """What the author of a table of their own has to say, and no more."""
    return Grid(
        title="My method",
        columns={"accuracy": percent("test.accuracy")},
        baseline="cross-entropy",
        rows={
            "cross-entropy": (trial, None),
            "smooth": (trial.but(targets=Use(Smooth)), None),
        },
    )


def test_a_table_of_ones_own_needs_no_paper_and_selects_on_validation_images(trial: Trial) -> None:
    grid = own_grid(trial)
    assert grid.selection == "best_validation"
    assert (grid.paper, grid.table, grid.assumed) == ("", "", ())
    assert [row for row, *_ in grid.cells()] == ["cross-entropy", "smooth"]
