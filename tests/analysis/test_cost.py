"""Hours and money, by cell and study."""

from typing import Any

from pandas import DataFrame

from analysis import cost
from tests.analysis.worlds import World, cell, small_world


def ended(**rows: tuple[float | None, float, float]) -> DataFrame:
    """Hours, CPUs and GPUs of trials, as the tracker has them."""
    values: list[dict[str, Any]] = [
        {"seconds": None if hours is None else 3600 * hours, "cpus": str(cpus), "gpus": str(gpus)}
        for hours, cpus, gpus in rows.values()
    ]
    return DataFrame(values, index=list(rows))


NONE = ended()


def planned(**cells: list[str]) -> World:
    made = (cell(row, dict(enumerate(ids)), None, {}) for row, ids in cells.items())  # type: ignore[arg-type]
    return small_world().planned(cells=tuple(made))


def test_hours_and_money_of_cells_and_of_the_study_which_counts_each_trial_once() -> None:
    plan = planned(one=["a", "b"], two=["b", "c", "new"]).plan
    frame = ended(a=(2.0, 4.0, 1.0), b=(1.0, 4.0, 0.5), c=(3.0, 2.0, 0.0), running=(None, 1, 1))
    beside = ended(x=(10.0, 1.0, 1.0))
    found = cost.costs(plan, frame.drop(index="running"), beside, price=3.0).to_dict("list")
    assert found["row"] == ["one", "two", "trials in no cell (searches, teachers)", "the study"]
    assert found["trials"] == [2, 2, 1, 4]
    assert found["gpu_hours"] == [2.5, 0.5, 10.0, 12.5]
    assert found["cpu_hours"] == [0.0, 6.0, 0.0, 6.0]
    assert found["cost"] == [7.5, 19.5, 30.0, 55.5]


def test_the_whole_study_is_told_in_a_few_words() -> None:
    plan = planned(one=["a"]).plan
    both = cost.costs(plan, ended(a=(2.0, 4.0, 1.0), b=(1.0, 4.0, 0.0)), NONE, 3.0)
    assert (
        cost.total(both, 3.0)
        == "2.00 GPU-hours, 4.00 CPU-hours, 18.0 at 3 an hour of one GPU or CPU"
    )
    assert cost.total(cost.costs(plan, NONE, NONE, None), None) == "nothing yet"


def test_what_runs_still_or_did_not_say_what_it_was_given_is_not_counted() -> None:
    plan = planned(one=["a", "b"]).plan
    assert cost.costs(plan, ended(a=(None, 1, 1)), NONE, None)["trials"].tolist() == [0, 0]
    unsaid = ended(a=(1.0, 1, 1)).drop(columns=["cpus", "gpus"])
    assert cost.costs(plan, unsaid, NONE, None)["gpu_hours"].tolist() == [0.0, 0.0]


def test_only_what_there_is_is_shown_and_money_only_with_a_price() -> None:
    plan = planned(one=["a"]).plan
    frame = ended(a=(0.01234, 1.0, 0.0))
    assert cost.lines(plan, cost.costs(plan, frame, NONE, None)) == [
        ("", "trials", "CPU-hours"),
        ("one", "1", "0.0123"),
        ("the study", "1", "0.0123"),
    ]
    assert cost.lines(plan, cost.costs(plan, frame, NONE, 1000.0))[1] == (
        "one",
        "1",
        "0.0123",
        "12.3",
    )


def test_text_is_escaped() -> None:
    plan = planned(**{"a | <b>": ["a"]}).plan
    shown = cost.lines(plan, cost.costs(plan, ended(a=(1.0, 1.0, 0.0)), NONE, 2.5))
    assert r"| a \| \<b\> | 1 | 1.00 | 2.50 |" in cost.markdown(shown, cost.caption(2.5))
    assert "a | &lt;b&gt;" in cost.html(shown, cost.caption(2.5))
    assert "at 2.5 an hour" in cost.html(shown, cost.caption(2.5))
