import math
from dataclasses import replace

import pytest
from pandas import Series

from analysis import layout
from analysis.comparison import compare
from analysis.plan import Metric
from tests.analysis.worlds import World, measured
from trainables.selection import RULES


def test_every_rule_has_words() -> None:
    assert layout.RULE_WORDS.keys() == RULES.keys()


def own(world: World, **changes: object) -> World:
    """The same table, of which no number is printed anywhere."""
    cells = tuple(replace(cell, published=None) for cell in world.plan.cells if cell.trials)
    return world.planned(paper="", cells=cells, **changes)


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_a_table_that_nobody_has_printed_speaks_of_no_paper(world: World, scale: str) -> None:
    made = own(world, scale=scale, overrides=("a=1",), selection="best_validation")
    cells = compare(made.plan, made.runs())
    said = " ".join(layout.caption(made.plan, cells))
    assert "Changed from the written setting: a=1." in said
    assert "Of the setting: the recipe; three seeds." in said
    for word in ("published", "printed", "the paper", "reproduced"):
        assert word not in said
    shown = layout.layout(made.plan, cells)
    assert shown.groups == (("", 1), ("accuracy (%)", 2), ("gain over only CE (points)", 2))
    assert "published" not in shown.header
    assert {len(line) for block in shown.blocks for line in block} == {len(shown.header)}


def test_what_is_left_out_is_told_with_each_reason_once(world: World) -> None:
    left = {"KESL": "no noun", "BALMS": "equal classes", "larger": "equal classes"}
    made = own(world, left_out=left)
    said = layout.caption(made.plan, compare(made.plan, made.runs()))
    assert "Left out: KESL (no noun); BALMS, larger (equal classes)." in said


def test_where_lower_is_better_it_is_said(world: World) -> None:
    world = world.planned(columns={"error": Metric("test.accuracy", "%", 100.0, "lower")})
    cells = [replace(c, column="error") for c in world.plan.cells]
    world = world.planned(cells=tuple(cells))
    said = " ".join(layout.caption(world.plan, compare(world.plan, world.runs())))
    assert "For error lower is better: there a negative gain is an improvement." in said


def test_a_measure_that_failed_shows_its_reason_and_no_older_number(world: World) -> None:
    plan, runs = measured(world)
    runs["Pgd-abc/reason"] = Series({"b1": "out of GPU  memory", "b2": ""})
    cells = compare(plan, runs).set_index(["row", "column"])
    assert cells.loc["T 2", "PGD"]["n"] == 2
    assert cells.loc["T 2", "clean"]["n"] == 3
    assert cells.loc["T 2", "PGD"]["failed"] == "1: out of GPU memory"
    assert "T 2, PGD: failed: seed 1: out of GPU memory" in layout.notes(plan, compare(plan, runs))


def test_a_measure_that_is_not_computed_yet_is_no_failure(world: World) -> None:
    plan, runs = measured(world)
    cells = compare(plan, runs.drop(columns="Pgd-abc/accuracy"))
    assert "T 2, PGD: no value yet: seed 0, 1, 2" in layout.notes(plan, cells)


def test_rows_without_any_value_are_named_together(world: World) -> None:
    world = world.without("b0", "b1", "b2", "d0", "d1", "d2", "a2")
    assert layout.notes(world.plan, compare(world.plan, world.runs())) == [
        "only CE: no value yet: seed 2",
        "no value yet of any seed: T 2, beta 1; T 2, beta 0.1",
    ]


def test_the_caption_says_what_a_measure_is_and_that_no_rule_applies(world: World) -> None:
    plan, runs = measured(world)
    said = " ".join(layout.caption(plan, compare(plan, runs, "last")))
    assert "so that no selection rule applies. PGD: Pgd (eps 0.03137, steps 20)." in said
    assert "selection rule: last" in said
    plain = " ".join(layout.caption(world.plan, compare(world.plan, world.runs())))
    assert "measures:" not in plain


def test_a_table_of_measures_alone_has_no_rule(world: World) -> None:
    plan, runs = measured(world, scale="paper")
    plan = replace(plan, cells=plan.cells[1::2], columns={"PGD": plan.columns["PGD"]})
    cells = compare(plan, runs, "oracle")
    said = " ".join(layout.caption(plan, cells))
    assert "selection rule:" not in said
    assert "No difference" not in said
    assert list(cells["difference"]) == pytest.approx([-30, -10])  # 40 and 60 against 70
    assert layout.rule_of(plan, cells) == "last"


def test_with_another_rule_than_the_papers_only_the_measures_are_compared(world: World) -> None:
    plan, runs = measured(world, scale="paper")
    cells = compare(plan, runs, "oracle").set_index(["row", "column"])
    assert math.isnan(cells.loc["T 2", "clean"]["difference"])
    assert cells.loc["T 2", "PGD"]["difference"] == pytest.approx(-10)
    said = " ".join(layout.caption(plan, cells.reset_index()))
    assert "No difference to the published selected numbers: the paper reports by" in said
