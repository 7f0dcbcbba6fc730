import math
from dataclasses import replace
from io import StringIO
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame, Series
from scipy import stats
from worlds import World, history

from analysis import tables
from study.grid import Metric, Plan, percent
from trainables.selection import RULES
from trainables.settings import Invalid

values = st.dictionaries(
    st.sampled_from("0123456789"), st.floats(-100, 100), min_size=2, max_size=10
)


def compared(world: World, rule: str | None = None) -> DataFrame:
    return tables.compare(world.plan, world.runs(), rule).set_index("row")


def at_paper_scale(world: World) -> World:
    return world.planned(scale="paper", selection="last")


def test_mean_and_sample_deviation_in_the_columns_unit(world: World) -> None:
    row = compared(world, "last").loc["only CE"]  # 80, 82, 84 %
    assert (row["mean"], row["std"], row["n"]) == pytest.approx((82, 2, 3))


def test_the_gain_is_paired_by_seed(world: World) -> None:
    row = compared(world, "last").loc["T 2, beta 1"]  # 83 - 80, 84 - 82, 88 - 84: sd 1
    assert (row["gain"], row["pairs"]) == pytest.approx((3, 3))
    assert row["half_width"] == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert row["published_gain"] == pytest.approx(0.9)


def test_the_gain_is_over_the_seeds_that_both_rows_have(world: World) -> None:
    world = world.but("a0", status="failed", reason="bad").without("b2")
    row = compared(world, "last").loc["T 2, beta 1"]  # only seed 1: 84 - 82
    assert (row["gain"], row["pairs"], row["n"]) == pytest.approx((2, 1, 2))
    assert math.isnan(row["half_width"])


def test_without_a_common_seed_there_is_no_gain(world: World) -> None:
    row = compared(world.without("a0", "a1", "b2"), "last").loc["T 2, beta 1"]
    assert row["pairs"] == 0
    assert math.isnan(row["gain"])


def test_a_row_printed_twice_shows_twice(world: World) -> None:
    cells = compared(world).drop(columns="published")
    assert cells.loc["T 5, beta 1"].equals(cells.loc["T 5, beta 1 (again)"])


def test_a_published_only_row_has_no_number_of_ours(world: World) -> None:
    row = compared(world).loc["others"]
    assert (row["n"], row["seeds"], row["pairs"], row["published"]) == (0, 0, 0, 87.0)
    assert math.isnan(row["mean"])
    assert math.isnan(row["gain"])
    assert row["published_gain"] == pytest.approx(1.2)


def test_failed_running_and_missing_seeds_are_named(world: World) -> None:
    world = world.but("b0", status="failed", reason="the loss was nan\nin epoch 3, step 2")
    world = world.but("b1", status="running").without("b2")
    row = compared(world).loc["T 2, beta 1"]
    assert row["failed"] == "0: the loss was nan in epoch 3, step 2"
    assert (row["running"], row["missing"], row["n"]) == ("1", "2", 0)


def test_the_baseline_may_be_a_column(world: World) -> None:
    cells = two_columns(world)
    assert cells.set_index("column").loc["CE", "pairs"] == 0
    assert cells.set_index("column").loc["KESL", "gain"] == pytest.approx(3)


def test_demo_scale_selects_on_validation(world: World) -> None:
    cells = compared(world)
    assert set(cells["selection"]) == {"best_validation"}
    assert cells.loc["only CE", "mean"] == pytest.approx(77)  # the third of four epochs


def test_demo_scale_takes_the_last_epoch_where_a_trial_has_no_validation(world: World) -> None:
    def unvalidated(epoch: dict[str, float]) -> dict[str, float]:
        return {name: v for name, v in epoch.items() if name != "validation.accuracy"}

    cells = compared(world.but("b1", history=history(0.84, unvalidated)))
    assert set(cells["selection"]) == {"last"}
    assert cells.loc["only CE", "mean"] == pytest.approx(82)


def test_paper_scale_takes_the_papers_rule(world: World) -> None:
    cells = compared(world.planned(scale="paper", selection="oracle"))
    assert set(cells["selection"]) == {"oracle"}


def test_an_unknown_rule_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="'lst' is unknown: valid are last"):
        compared(world, "lst")


def test_a_finished_trial_without_the_metric_has_no_value(world: World) -> None:
    row = compared(world.planned(columns={"accuracy": percent("pgd.accuracy")})).loc["only CE"]
    assert (row["n"], row["missing"]) == (0, "0, 1, 2")


def test_only_the_papers_setting_is_compared_with_the_published_number(world: World) -> None:
    paper = at_paper_scale(world)
    row = compared(paper).loc["only CE"]
    assert row["difference"] == pytest.approx(82 - 85.8)
    assert row["verdict"] == "differs"
    others = world, paper.planned(overrides=("recipe.lr=1",)), paper.planned(selection="oracle")
    for other in others:
        cells = compared(other, "last")
        assert cells["difference"].isna().all()
        assert set(cells["verdict"]) == {""}
    assert math.isnan(compared(paper).loc["others", "difference"])


@pytest.mark.parametrize(
    ("difference", "std", "n", "expected"),
    [
        (0.5, 0.1, 3, "reproduced"),  # the floor of 0.5 points
        (-0.51, 0.1, 3, "differs"),
        (1.0, 1.0, 4, "reproduced"),  # 2 * 1 / sqrt(4) = 1
        (1.01, 1.0, 4, "differs"),
        (0.5, math.nan, 1, "seen"),
        (-0.4, 0.1, 2, "seen"),
        (0.6, math.nan, 1, "differs"),
    ],
)
def test_verdict(difference: float, std: float, n: int, expected: str) -> None:
    assert tables.verdict(percent("test.accuracy"), difference, std, n) == expected


def test_without_percent_only_the_standard_error_counts() -> None:
    metric = Metric("test.loss", "nats", better="lower")
    assert tables.verdict(metric, 0.4, 0.1, 4) == "differs"
    assert tables.verdict(metric, 0.1, 0.1, 4) == "reproduced"


@given(values, values)
def test_with_the_same_seeds_the_gain_is_the_difference_of_the_means(
    ours: dict[str, float], others: dict[str, float]
) -> None:
    seeds = ours.keys() & others.keys()
    ours, others = {s: ours[s] for s in seeds}, {s: others[s] for s in seeds}
    gain, half_width, n = tables.paired(ours, others)
    assert n == len(seeds)
    if n:
        assert gain == pytest.approx(sum(ours.values()) / n - sum(others.values()) / n, abs=1e-9)
    assert math.isnan(half_width) == (n < 2)


@given(values)
def test_the_interval_is_that_of_the_paired_t_test(ours: dict[str, float]) -> None:
    others = {seed: value * math.sin(int(seed)) for seed, value in ours.items()}
    gain, half_width, _ = tables.paired(ours, others)
    differences = [ours[seed] - others[seed] for seed in ours]
    if max(differences) - min(differences) > 1e-6:
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert (gain - half_width, gain + half_width) == pytest.approx((low, high))


@given(values, values)
def test_exchanging_the_rows_turns_the_sign(
    ours: dict[str, float], others: dict[str, float]
) -> None:
    there, back = tables.paired(ours, others), tables.paired(others, ours)
    assert there == pytest.approx((-back[0], back[1], back[2]), nan_ok=True)


def test_every_rule_has_words() -> None:
    assert tables.RULE_WORDS.keys() == RULES.keys()


GOLDEN = """\
A small ablation – DEMO SCALE

──────────────────────────────────────────────────────────────────────────────────
                              accuracy (%)            gain over only CE (points)
                     ─────────────────────────────  ──────────────────────────────
                      ours (demo)    n   published   ours (demo)  pairs  published
──────────────────────────────────────────────────────────────────────────────────
only CE              82.00 ± 2.00    3        85.8             –      –          –
T 2, beta 1          85.50 ± 3.54  2/3        86.7  +3.50 ± 6.35      2       +0.9
T 5, beta 1          82.00 ± 2.65    3        86.2   0.00 ± 4.30      3       +0.4
T 5, beta 1 (again)  82.00 ± 2.65    3        86.2   0.00 ± 4.30      3       +0.4
T 2, beta 0.1               85.00  1/3        87.1         +5.00      1       +1.3
others                          –    –  87.0 ± 0.3             –      –       +1.2
──────────────────────────────────────────────────────────────────────────────────

DEMO SCALE: small nets on a few of the embedded digits. The published numbers stand beside ours for
their order only; --scale paper is the setting as printed.
ours: mean ± standard deviation over n seeds, after the last epoch (selection rule: last).
gain: difference to only CE with the same seed, mean ± half-width of the paired 95% t interval (none
for a single pair). It covers the chance of the seed only, and is not corrected for the number of
comparisons (4).
Assumed, since the paper does not say: the recipe; three seeds.
–: a number that the paper prints and this study does not run.

! T 2, beta 1: failed: seed 1: the loss was nan in epoch 3, step 2
! T 2, beta 0.1: running: seed 1; no value yet: seed 2
"""


def test_the_table_as_text(world: World) -> None:
    world = world.but("b1", status="failed", reason="the loss was nan in epoch 3, step 2")
    world = world.but("d1", status="running").without("d2")
    assert tables.text(world.plan, tables.compare(world.plan, world.runs(), "last")) == GOLDEN


def test_at_paper_scale_the_difference_and_what_it_means_are_shown(world: World) -> None:
    world = at_paper_scale(world).but("a1", status="failed", reason="bad")
    shown = tables.text(world.plan, compared(world).reset_index())
    assert "DEMO" not in shown
    assert "demo" not in shown
    assert "82.00 ± 2.83  2/3        85.8" in shown
    assert "−3.80        seen" in shown  # within 2 * 2.83 / sqrt(2), over two seeds
    said = " ".join(shown.split())
    assert "selection rule: last, as in the paper" in said
    assert "over at least 3 seeds" in said


def test_it_is_said_why_paper_scale_numbers_are_not_compared(world: World) -> None:
    changed = at_paper_scale(world).planned(overrides=("recipe.lr=1",))
    shown = tables.text(changed.plan, tables.compare(changed.plan, changed.runs()))
    assert "No difference to the published numbers: the setting was changed." in shown
    assert "Changed from the printed setting: recipe.lr=1." in shown
    paper = at_paper_scale(world)
    shown = tables.text(paper.plan, tables.compare(paper.plan, paper.runs(), "oracle"))
    assert "the paper reports by the rule last, ours are by oracle" in shown
    assert "selected on test data" in shown.replace("\n", " ")


def test_where_lower_is_better_it_is_said(world: World) -> None:
    world = world.planned(columns={"error": Metric("test.accuracy", "%", 100.0, "lower")})
    cells = [replace(c, column="error") for c in world.plan.cells]
    world = world.planned(cells=tuple(cells))
    said = " ".join(tables.caption(world.plan, tables.compare(world.plan, world.runs())))
    assert "For error lower is better: there a negative gain is an improvement." in said


def test_before_the_first_trial_the_table_says_so(world: World) -> None:
    world = replace(world, past={})
    cells = tables.compare(world.plan, world.runs())
    assert tables.notes(world.plan, cells) == ["No trial has been started yet."]
    assert "only CE              no value yet  0/3" in tables.text(world.plan, cells)
    for render in (tables.markdown, tables.latex, tables.csv, tables.html):
        assert "85.8" in render(world.plan, cells)


def test_a_row_whose_seeds_all_failed_says_so(world: World) -> None:
    for seed in "012":
        world = world.but(f"b{seed}", status="failed", reason="out of GPU memory")
    shown = tables.text(world.plan, tables.compare(world.plan, world.runs()))
    assert "T 2, beta 1                failed  0/3" in shown


@pytest.mark.parametrize("name", ["a name of more than forty characters, with commas", "w" * 60])
@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_the_text_fits_a_terminal(world: World, name: str, scale: str) -> None:
    first, *rest = world.plan.cells
    cells = (replace(first, row=name), *rest)
    world = world.planned(cells=cells, baseline=name, scale=scale)
    shown = tables.text(world.plan, tables.compare(world.plan, world.runs()))
    assert max(map(len, shown.splitlines())) <= tables.WIDTH


def test_a_long_name_is_broken_after_a_comma_else_between_words() -> None:
    assert tables._broken("T 16, alpha 1, beta 1", 20) == ["T 16, alpha 1,", "  beta 1"]
    assert tables._broken("supercalifragilistic x", 21) == ["supercalifragilistic", "  x"]


def test_several_columns_stand_side_by_side(world: World) -> None:
    shown = tables.text(wide(world).plan, two_columns(world))
    assert "ResNet  ours (demo; n)      82.00 ± 2.00 (3)  85.00 ± 2.65 (3)" in shown
    assert "        gain (demo; pairs)                 –  +3.00 ± 2.48 (3)" in shown
    assert "        published gain                     –              +0.9" in shown


def test_columns_that_do_not_fit_stand_further_below(world: World) -> None:
    world = wide(world, tuple(f"column {i}" for i in range(9)))
    shown = tables.text(world.plan, tables.compare(world.plan, world.runs()))
    assert max(map(len, shown.splitlines())) <= tables.WIDTH
    assert shown.count("ours (demo; n)") == 3
    assert all(f"column {i} (%)" in shown for i in range(9))


def test_as_markdown(world: World) -> None:
    first, *rest = world.plan.cells
    world = world.planned(cells=(replace(first, row="a|b_c*"), *rest), baseline="a|b_c*")
    lines = tables.markdown(
        world.plan, tables.compare(world.plan, world.runs(), "last")
    ).splitlines()
    assert lines[0] == "**A small ablation** (DEMO SCALE)"
    assert lines[3] == "| :-- | --: | --: | --: | --: | --: | --: |"
    assert lines[4] == r"| a\|b\_c\* | 82.00 ± 2.00 | 3 | 85.8 | – | – | – |"


def test_as_latex(world: World) -> None:
    first, *rest = world.plan.cells
    name = "50% & $x_1$ #{λ} ~^ \\ --"
    world = world.planned(cells=(replace(first, row=name), *rest), baseline=name)
    shown = tables.latex(world.plan, tables.compare(world.plan, world.runs(), "last"))
    escaped = (
        r"50\% \& \$x\_1\$ \#\{$\lambda$\} \textasciitilde{}\textasciicircum{} "
        r"\textbackslash{} -{}-"
    )
    assert rf"{escaped} & 82.00 $\pm$ 2.00 & 3 & 85.8 & \textendash{{}}" in shown
    assert r"\toprule" in shown
    assert "DEMO SCALE" in shown
    assert shown.isascii()


def test_as_csv_every_line_says_its_scale(world: World) -> None:
    cells = tables.compare(world.plan, world.runs(), "last")
    read = pd.read_csv(StringIO(tables.csv(world.plan, cells)))
    assert list(read) == list(cells)
    assert set(read["scale"]) == {"demo"}
    assert read["mean"].tolist()[:2] == [82.0, 85.0]


def test_as_html_everything_is_escaped(world: World) -> None:
    world = world.but("a1", status="failed", reason="<script>alert(1)</script>")
    shown = tables.html(world.plan, tables.compare(world.plan, world.runs()))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "DEMO SCALE" in shown
    assert "<td>2/3</td>" in shown


def test_published_numbers_keep_the_decimals_of_their_column(world: World) -> None:
    first, second, *_ = world.plan.cells
    cells = (replace(first, published=(80.0, None)), replace(second, published=(81.25, None)))
    world = world.planned(cells=cells)
    shown = tables.text(world.plan, tables.compare(world.plan, world.runs()))
    assert " 80.00 " in shown
    assert "+1.25" in shown


def test_other_units_have_three_decimals_and_no_points(world: World) -> None:
    world = world.planned(columns={"accuracy": Metric("test.accuracy", "share")})
    shown = tables.text(world.plan, tables.compare(world.plan, world.runs(), "last"))
    assert "0.820 ± 0.020" in shown
    assert "gain over only CE (share)" in shown


def two_columns(world: World) -> DataFrame:
    return tables.compare(wide(world).plan, world.runs(), "last")


def wide(world: World, columns: tuple[str, ...] = ("CE", "KESL")) -> World:
    """Row ResNet: only CE in the first column, T 2 in all others."""
    first, second, *_ = world.plan.cells
    cells = [
        replace(first if i == 0 else second, row="ResNet", column=c) for i, c in enumerate(columns)
    ]
    metrics = {name: percent("test.accuracy") for name in columns}
    return world.planned(columns=metrics, baseline=columns[0], cells=tuple(cells))


def measured(world: World, **changes: Any) -> tuple[Plan, DataFrame]:
    """Row ResNet: the accuracy in one column, that of a measure of the same trials in another.

    The measure is 0.5, 0.6, 0.7 over the seeds of the row and 0.4, 0.4, 0.4 of the other row.
    """
    rows = {"only CE": world.plan.cells[0], "T 2": world.plan.cells[1]}
    cells = [
        replace(cell, row=row, column=column, measure=label, published=(70.0, None))
        for row, cell in rows.items()
        for column, label in (("clean", ""), ("PGD", "Pgd-abc"))
    ]
    columns = {"clean": percent("test.accuracy"), "PGD": percent("accuracy")}
    settings = {"Pgd-abc": {"measure": "Pgd", "eps": 8 / 255, "steps": 20}}
    made = world.planned(columns=columns, cells=tuple(cells), measures=settings, **changes)
    values = {"a0": 0.4, "a1": 0.4, "a2": 0.4, "b0": 0.5, "b1": 0.6, "b2": 0.7}
    return made.plan, made.runs().assign(**{"Pgd-abc/accuracy": Series(values)})


def test_a_measure_is_read_whatever_the_rule_and_paired_with_its_column(world: World) -> None:
    plan, runs = measured(world)
    for rule in RULES:
        cells = tables.compare(plan, runs, rule).set_index(["row", "column"])
        pgd = cells.loc["T 2", "PGD"]
        assert (pgd["mean"], pgd["std"], pgd["n"]) == pytest.approx((60, 10, 3))
        assert (pgd["gain"], pgd["pairs"]) == pytest.approx((20, 3))
        assert pgd["selection"] == "final model"
        assert cells.loc["T 2", "clean"]["selection"] == rule


def test_the_gain_over_a_column_is_over_that_columns_own_metric(world: World) -> None:
    plan, runs = measured(world, baseline="clean")
    cells = tables.compare(plan, runs, "last").set_index(["row", "column"])
    assert cells.loc["only CE", "PGD"]["gain"] == pytest.approx(40 - 82)


def test_a_measure_that_failed_shows_its_reason_and_no_older_number(world: World) -> None:
    plan, runs = measured(world)
    runs["Pgd-abc/reason"] = Series({"b1": "out of GPU  memory", "b2": ""})
    cells = tables.compare(plan, runs).set_index(["row", "column"])
    assert cells.loc["T 2", "PGD"]["n"] == 2
    assert cells.loc["T 2", "clean"]["n"] == 3
    assert cells.loc["T 2", "PGD"]["failed"] == "1: out of GPU memory"
    assert "T 2, PGD: failed: seed 1: out of GPU memory" in tables.notes(
        plan, tables.compare(plan, runs)
    )


def test_a_measure_that_is_not_computed_yet_is_no_failure(world: World) -> None:
    plan, runs = measured(world)
    cells = tables.compare(plan, runs.drop(columns="Pgd-abc/accuracy"))
    assert "T 2, PGD: no value yet: seed 0, 1, 2" in tables.notes(plan, cells)


def test_the_caption_says_what_a_measure_is_and_that_no_rule_applies(world: World) -> None:
    plan, runs = measured(world)
    said = " ".join(tables.caption(plan, tables.compare(plan, runs, "last")))
    assert "so that no selection rule applies. PGD: Pgd (eps 0.03137, steps 20)." in said
    assert "selection rule: last" in said
    plain = " ".join(tables.caption(world.plan, tables.compare(world.plan, world.runs())))
    assert "measures:" not in plain


def test_a_table_of_measures_alone_has_no_rule(world: World) -> None:
    plan, runs = measured(world, scale="paper")
    plan = replace(plan, cells=plan.cells[1::2], columns={"PGD": plan.columns["PGD"]})
    cells = tables.compare(plan, runs, "oracle")
    said = " ".join(tables.caption(plan, cells))
    assert "selection rule:" not in said
    assert "No difference" not in said
    assert list(cells["difference"]) == pytest.approx([-30, -10])  # 40 and 60 against 70
    assert tables.rule_of(plan, cells) == "last"


def test_with_another_rule_than_the_papers_only_the_measures_are_compared(world: World) -> None:
    plan, runs = measured(world, scale="paper")
    cells = tables.compare(plan, runs, "oracle").set_index(["row", "column"])
    assert math.isnan(cells.loc["T 2", "clean"]["difference"])
    assert cells.loc["T 2", "PGD"]["difference"] == pytest.approx(-10)
    said = " ".join(tables.caption(plan, cells.reset_index()))
    assert "No difference to the published selected numbers: the paper reports by" in said


def test_measures_have_no_say_in_the_rule_of_the_demo(world: World) -> None:
    plan, runs = measured(world)
    assert tables.default_rule(plan, runs) == "best_validation"
