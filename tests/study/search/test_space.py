"""What the rows of grids offer to a search, and which of them share one."""

import pytest

from study.grids.grid import find, grids
from study.search.sharing import searches_of
from study.search.space import Space
from trainables.settings import Invalid, branches
from trainables.trial import Trial


def test_rows_with_one_space_share_a_search() -> None:
    one, fixed, rest = searches_of("kesl_ablation", "demo", (), "both", ())
    assert one.rows == ("only CE",)
    assert one.label == "tuned: OneHot + CrossEntropy"
    assert fixed.label == "tuned: Knowledge + KnowledgeLoss(alpha=0)"
    assert "loss.alpha" not in fixed.space.parameters
    assert {explored.loss["alpha"] for explored in _explored(fixed.space)} == {0.0}
    assert len(rest.rows) == 7
    assert rest.label == "tuned: Knowledge + KnowledgeLoss"
    assert set(one.space.parameters) == {"recipe.lr", "recipe.weight_decay"}
    assert set(rest.space.parameters) - set(fixed.space.parameters) == {"loss.alpha"}


def _explored(space: Space) -> list[Trial]:
    return [trial for _, trial in branches(space.at)]  # type: ignore[arg-type,misc]


def test_every_cell_of_a_table_of_several_columns_is_tuned() -> None:
    found = searches_of("kesl_backbones", "demo", (), "both", ())
    rows = ("MobileNetV2", "ResNet-18", "ResNet-50")
    assert [what.label for what in found] == [f"tuned: {row}" for row in rows for _ in range(2)]
    assert [what.column for what in found] == ["Baseline", "KESL"] * 3


def test_only_picks_searches_and_what_is_set_stays() -> None:
    overrides = ("targets.temperature=5", "recipe.lr=0.02")
    (found,) = searches_of("kesl_ablation", "demo", overrides, "both", ["T 5, alpha 1, beta 1"])
    assert {"targets.temperature", "recipe.lr"}.isdisjoint(found.space.parameters)
    assert {(t.targets["temperature"], t.recipe.lr) for t in _explored(found.space)} == {(5, 0.02)}


def test_what_is_written_in_a_part_that_is_set_stays() -> None:
    overrides = ("targets=Smooth(epsilon=0.2)", "loss=CrossEntropy")
    (found,) = searches_of("kesl_ablation", "demo", overrides, "both", ())
    assert set(found.space.parameters) == {"recipe.lr", "recipe.weight_decay"}
    assert {explored.targets["epsilon"] for explored in _explored(found.space)} == {0.2}
    overrides = ("targets=Smooth", "loss=CrossEntropy")
    (found,) = searches_of("kesl_ablation", "demo", overrides, "both", ())
    assert "targets.epsilon" in found.space.parameters


def test_rows_that_offer_nothing_are_left_out_or_refused() -> None:
    assert len(searches_of("kesl_ablation", "demo", (), "parts", ())) == 2
    with pytest.raises(Invalid, match="'only CE' offers nothing to search in --search-space parts"):
        searches_of("kesl_ablation", "demo", (), "parts", ["only CE"])
    overrides = ("recipe.lr=0.1", "recipe.weight_decay=0")
    with pytest.raises(Invalid, match="offers nothing to search"):
        searches_of("kesl_ablation", "demo", overrides, "recipe", ())


@pytest.mark.parametrize("name", grids())
def test_what_makes_a_row_are_settings_of_it(name: str) -> None:
    grid = find(name)
    settings: dict[str, set[str]] = {}
    for row, _, trial, _ in grid.cells():
        settings.setdefault(row, set()).update(trial.flat() if trial else ())
    for row, fixed in grid.fixed.items():
        assert set(fixed) <= settings[row]


def test_the_size_of_the_meta_set_is_searched_where_the_grid_says_so_and_rows_share_it() -> None:
    found = searches_of("advisor_meta_size", "demo", (), "parts", ())
    assert [what.column for what in found] == ["CIFAR-10", "CIFAR-100"]  # the baseline offers none
    for what in found:
        assert what.rows == tuple(f"{n} clean images" for n in (100, 200, 500, 1000))
        assert what.space.parameters["data.meta_per_class"] == "1 to 100, step 1, log"
        assert "method.lr" in what.space.parameters
        assert what.space.neutral.data.meta_per_class == 1
    others = searches_of("advisor_flip", "demo", (), "both", ("MFRW",))
    assert not any("data.meta_per_class" in what.space.parameters for what in others)
