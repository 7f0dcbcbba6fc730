"""Figures of searches, from the summaries that the study command leaves."""

from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import distribution_to_json

from analysis.figures import searches as search_figures
from analysis.figures import style as drawing


def summary(values: list[float | None]) -> dict[str, Any]:
    """Of a search whose i-th point has the i-th value, or failed; and one repeated point."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    points = []
    for i, value in enumerate(values):
        drawn = study.ask()
        drawn.suggest_float("recipe.lr", 1e-4, 1, log=True)
        drawn.suggest_categorical("loss.kl", ("reverse", "forward"))
        ranges = drawn.distributions.items()
        points.append(
            {
                "number": i,
                "state": "fail" if value is None else "complete",
                "value": value,
                "epochs": {},
                "params": drawn.params,
                "distributions": {name: distribution_to_json(kind) for name, kind in ranges},
                "repeats": None,
            }
        )
    points.append({**points[0], "number": len(values), "repeats": 0})
    return {"label": "tuned: x", "column": "accuracy", "points": points}


def test_a_search_has_history_importance_slices_and_contour(tmp_path: Path) -> None:
    drawn = search_figures.searches([summary([0.1, 0.5, None, 0.4, 0.3]), summary([0.2, 0.4])])
    kinds = ("history", "importance", "slices", "contour")
    assert set(drawn) == {f"search_{i}_{kind}" for i in (1, 2) for kind in kinds}
    assert drawn["search_1_history"].get_suptitle() == "tuned: x (accuracy): history"
    assert len(drawing.save(drawn, tmp_path)) == 16
    first = (tmp_path / "search_1_history.svg").read_bytes()
    again = search_figures.searches([summary([0.1, 0.5, None, 0.4, 0.3])])
    drawing.save(again, tmp_path)
    assert (tmp_path / "search_1_history.svg").read_bytes() == first


def test_labels_of_logarithmic_axes_are_few_and_short() -> None:
    drawn = search_figures.searches([summary([0.1, 0.5, 0.4, 0.3, 0.2])])
    ax = next(a for a in drawn["search_1_slices"].axes if a.get_xlabel() == "recipe.lr")
    drawn["search_1_slices"].canvas.draw()
    texts = [label.get_text() for label in ax.get_xticklabels()]
    assert {"0.003", "0.01", "0.03"} <= set(texts)
    assert {label.get_text() for label in ax.get_xticklabels(minor=True)} <= {""}


def test_a_search_that_pruned_has_its_epochs_too() -> None:
    searched = summary([0.1, 0.5, 0.4, 0.3])
    for point, epochs in zip(searched["points"], (3, 3, 1, 3), strict=False):
        point["epochs"] = {str(epoch): 0.1 * epoch for epoch in range(1, epochs + 1)}
    searched["points"][2]["state"] = "pruned"
    ax = search_figures.searches([searched])["search_1_epochs"].axes[0]
    assert sorted(len(line.get_xdata()) for line in ax.lines) == [1, 3, 3, 3]  # type: ignore[arg-type]


def test_a_search_with_fewer_than_two_values_has_no_figures() -> None:
    assert (
        search_figures.searches([summary([0.5]), summary([None, None]), summary([0.5, 0.5])]) == {}
    )
