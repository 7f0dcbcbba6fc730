import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame, Series
from scipy import stats

from analysis import comparison
from analysis.plan import Metric
from study.grids.grid import percent
from tests.analysis.worlds import World, at_paper_scale, history, measured, wide
from trainables.selection import RULES
from trainables.settings import Invalid

values = st.dictionaries(
    st.sampled_from("0123456789"), st.floats(-100, 100), min_size=2, max_size=10
)


def compared(world: World, rule: str | None = None) -> DataFrame:
    return comparison.compare(world.plan, world.runs(), rule).set_index("row")


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


def test_a_trial_that_failed_has_no_say_in_a_mean_whatever_numbers_it_left(world: World) -> None:
    runs = world.runs()  # 80, 82 and 84 %
    runs.loc["a2", ["status", "reason"]] = "failed", "the loss was nan"
    row = comparison.compare(world.plan, runs, "last").set_index("row").loc["only CE"]
    assert (row["mean"], row["n"]) == pytest.approx((81, 2))
    assert row["failed"] == "2: the loss was nan"


def test_the_baseline_may_be_a_column(world: World) -> None:
    cells = comparison.compare(wide(world).plan, world.runs(), "last")
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
    assert comparison.verdict(percent("test.accuracy"), difference, std, n) == expected


def test_without_percent_only_the_standard_error_counts() -> None:
    metric = Metric("test.loss", "nats", better="lower")
    assert comparison.verdict(metric, 0.4, 0.1, 4) == "differs"
    assert comparison.verdict(metric, 0.1, 0.1, 4) == "reproduced"
    assert comparison.verdict(metric, 0.0001, math.nan, 1) == ""


@given(values, values)
def test_with_the_same_seeds_the_gain_is_the_difference_of_the_means(
    ours: dict[str, float], others: dict[str, float]
) -> None:
    seeds = ours.keys() & others.keys()
    ours, others = {s: ours[s] for s in seeds}, {s: others[s] for s in seeds}
    gain, half_width, n = comparison.paired(ours, others)
    assert n == len(seeds)
    if n:
        assert gain == pytest.approx(sum(ours.values()) / n - sum(others.values()) / n, abs=1e-9)
    assert math.isnan(half_width) == (n < 2)


@given(values)
def test_the_interval_is_that_of_the_paired_t_test(ours: dict[str, float]) -> None:
    others = {seed: value * math.sin(int(seed)) for seed, value in ours.items()}
    gain, half_width, _ = comparison.paired(ours, others)
    differences = [ours[seed] - others[seed] for seed in ours]
    if max(differences) - min(differences) > 1e-6:
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert (gain - half_width, gain + half_width) == pytest.approx((low, high))


@given(values, values)
def test_exchanging_the_rows_turns_the_sign(
    ours: dict[str, float], others: dict[str, float]
) -> None:
    there, back = comparison.paired(ours, others), comparison.paired(others, ours)
    assert there == pytest.approx((-back[0], back[1], back[2]), nan_ok=True)


def test_a_measure_is_read_whatever_the_rule_and_paired_with_its_column(world: World) -> None:
    plan, runs = measured(world)
    for rule in RULES:
        cells = comparison.compare(plan, runs, rule).set_index(["row", "column"])
        pgd = cells.loc["T 2", "PGD"]
        assert (pgd["mean"], pgd["std"], pgd["n"]) == pytest.approx((60, 10, 3))
        assert (pgd["gain"], pgd["pairs"]) == pytest.approx((20, 3))
        assert pgd["selection"] == "final model"
        assert cells.loc["T 2", "clean"]["selection"] == rule


def test_a_measure_that_failed_has_no_say_in_a_mean_whatever_number_it_left(world: World) -> None:
    plan, runs = measured(world)  # 50, 60 and 70 %
    runs["Pgd-abc/reason"] = Series({"b2": "out of GPU memory"})
    cells = comparison.compare(plan, runs, "last").set_index(["row", "column"])
    pgd = cells.loc["T 2", "PGD"]
    assert (pgd["mean"], pgd["n"], pgd["failed"]) == (55, 2, "2: out of GPU memory")
    assert cells.loc["T 2", "clean"]["n"] == 3


def test_the_gain_over_a_column_is_over_that_columns_own_metric(world: World) -> None:
    plan, runs = measured(world, baseline="clean")
    cells = comparison.compare(plan, runs, "last").set_index(["row", "column"])
    assert cells.loc["only CE", "PGD"]["gain"] == pytest.approx(40 - 82)


def test_measures_have_no_say_in_the_rule_of_the_demo(world: World) -> None:
    plan, runs = measured(world)
    assert comparison.default_rule(plan, runs) == "best_validation"


def test_a_row_that_does_not_show_a_column_has_no_say_in_the_rule_of_the_demo(world: World) -> None:
    plan, runs = world.plan, world.runs()
    second = Metric("test.second", "%", 100)
    shown = next(cell for cell in plan.cells if cell.row == "T 2, beta 1")
    both = replace(
        plan,
        columns={**plan.columns, "second": second},
        cells=(*plan.cells, replace(shown, column="second")),
    )
    name = "best_validation/test.second"
    assert comparison.default_rule(both, runs) == "last"  # nobody has it
    runs[name] = Series(dict.fromkeys(shown.trials.values(), 0.5))
    assert comparison.default_rule(both, runs) == "best_validation"
    runs.loc[next(iter(shown.trials.values())), name] = None
    assert comparison.default_rule(both, runs) == "last"
