"""What comes of searches: further cells, and configurations to paste."""

from pathlib import Path

from analysis.plan import Plan
from study.grids.lay_out import changed
from study.search.sharing import searches_of
from study.search.winners import literal, tuned
from tests.study.laboratory import Laboratory, plan_of, ready
from trainables.losses.knowledge import KnowledgeLoss
from trainables.settings import Use
from trainables.targets.knowledge import Knowledge


def test_the_best_configuration_is_a_literal_of_the_winner(tmp_path: Path) -> None:
    *_, what = searches_of("kesl_ablation", "demo", (), "both", ())
    lab = Laboratory(tmp_path, what.space, lambda trial: trial.loss["beta"])
    search = lab.run(lab.search(3))
    names = {"Use": Use, "Knowledge": Knowledge, "KnowledgeLoss": KnowledgeLoss}
    text = literal(search.winner(), what.space)
    for base in (t for row, _, t, _ in changed("kesl_ablation", "demo", ()) if row in what.rows):
        assert eval(text, {**names, "base": base}) == search.winner()


def test_winners_are_further_cells_with_the_tuned_baseline(tmp_path: Path) -> None:
    searches = []
    for i, what in enumerate(searches_of("kesl_ablation", "demo", (), "both", ())):
        lab = Laboratory(tmp_path / str(i), what.space, lambda trial: trial.recipe.lr)
        opened = lab.search(2, seeds=2)
        searches.append(lab.run(opened))
        opened.what = what
    plan, trials = tuned(plan_of("kesl_ablation"), searches, 2, ready)
    won = plan.cells[-3:]
    assert [cell.row for cell in won] == [search.what.label for search in searches]
    assert {cell.budget for cell in won} == {"2 x 2"}
    assert {seed for cell in won for seed in cell.trials} == {"0", "1"}
    assert sorted(filter(None, trials.values())) == sorted(
        i for cell in won for i in cell.trials.values() if i
    )
    assert plan.baseline_of(won[2]) == plan.baseline_of(won[1]) == won[0]
    assert plan.baseline_of(won[0]) is None
    assert Plan.from_json(plan.to_json()) == plan
