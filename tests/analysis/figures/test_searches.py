"""Figures of searches, from the summaries that the study command leaves."""

from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from optuna.distributions import distribution_to_json

from analysis.figures import searches as search_figures
from analysis.figures import style as drawing
from analysis.figures.searches import ALONE


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
    drawn = search_figures.search(summary([0.1, 0.5, None, 0.4, 0.3]))
    assert list(drawn) == ["history", "importance", "slices", "contour"]
    assert drawn["history"].get_suptitle() == "tuned: x (accuracy): history"
    assert len(drawing.save(drawn, tmp_path)) == 8
    first = (tmp_path / "history.svg").read_bytes()
    drawing.save(search_figures.search(summary([0.1, 0.5, None, 0.4, 0.3])), tmp_path)
    assert (tmp_path / "history.svg").read_bytes() == first


@pytest.mark.slow
def test_many_searches_are_drawn_side_by_side_and_look_the_same(tmp_path: Path) -> None:
    searched = [summary([0.1, 0.5, 0.4]), summary([0.5]), *[summary([0.2, 0.4])] * ALONE]
    names = search_figures.draw(searched, tmp_path)
    assert names[:4] == [
        f"search_1_{kind}" for kind in ("history", "importance", "slices", "contour")
    ]
    assert {int(name.split("_")[1]) for name in names} == {1, *range(3, ALONE + 3)}
    left = [" ".join(process.cmdline()) for process in psutil.Process().children()]
    assert all("resource_tracker" in command for command in left)  # ends with this process
    alone = tmp_path / "alone"
    alone.mkdir()
    assert search_figures.draw(searched[:1], alone) == names[:4]
    for file in alone.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_labels_of_logarithmic_axes_are_few_and_short() -> None:
    drawn = search_figures.search(summary([0.1, 0.5, 0.4, 0.3, 0.2]))
    ax = next(a for a in drawn["slices"].axes if a.get_xlabel() == "recipe.lr")
    drawn["slices"].canvas.draw()
    texts = [label.get_text() for label in ax.get_xticklabels()]
    assert {"0.003", "0.01", "0.03"} <= set(texts)
    assert {label.get_text() for label in ax.get_xticklabels(minor=True)} <= {""}


def test_a_search_that_pruned_has_its_epochs_too() -> None:
    searched = summary([0.1, 0.5, 0.4, 0.3])
    for point, epochs in zip(searched["points"], (3, 3, 1, 3), strict=False):
        point["epochs"] = {str(epoch): 0.1 * epoch for epoch in range(1, epochs + 1)}
    searched["points"][2]["state"] = "pruned"
    ax = search_figures.search(searched)["epochs"].axes[0]
    assert sorted(len(line.get_xdata()) for line in ax.lines) == [1, 3, 3, 3]  # type: ignore[arg-type]


def test_a_search_with_fewer_than_two_values_has_no_figures() -> None:
    for values in ([0.5], [None, None], [0.5, 0.5]):
        assert search_figures.search(summary(values)) == {}
