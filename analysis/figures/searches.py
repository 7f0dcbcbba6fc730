"""Figures of searches: history, epochs, importance, slices, contour, all by Optuna."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from matplotlib import pyplot as plt
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from optuna.distributions import json_to_distribution
from optuna.trial import TrialState

from analysis.figures import style

ALONE = 8  # searches that are drawn one after the other: a process takes seconds to start

optuna.logging.set_verbosity(optuna.logging.WARNING)


def draw(summaries: Sequence[Mapping[str, Any]], folder: Path) -> list[str]:
    """Draws the figures of each search into the folder, side by side where they are many.

    `summaries` as study.search_results.summary gives them. Returns the figures' names.
    """
    several = len(summaries) > ALONE
    drawn = Parallel(n_jobs=-1 if several else 1)(
        delayed(_draw)(i, summary, folder) for i, summary in enumerate(summaries, start=1)
    )
    if several:
        get_reusable_executor().shutdown()  # its processes would stay for five minutes
    return [name for names in drawn for name in names]


def _draw(i: int, summary: Mapping[str, Any], folder: Path) -> list[str]:
    """Those of the i-th search."""
    figures = {f"search_{i}_{name}": figure for name, figure in search(summary).items()}
    style.save(figures, folder)
    return list(figures)


def search(summary: Mapping[str, Any]) -> dict[str, Figure]:
    """History, importance, slices and a contour of a search, by name.

    The contour is of the two settings of most importance. A search that may prune has its epochs,
    too. One with fewer than two values has no figure.
    """
    study = _study(summary)
    values = {trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,))}
    figures = _figures(study) if len(values) > 1 else {}
    for name, figure in figures.items():
        figure.suptitle(f"{summary['label']} ({summary['column']}): {name}")
    return figures


def _study(summary: Mapping[str, Any]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    for point in summary["points"]:
        if point["repeats"] is None and point["state"] in ("complete", "pruned", "fail"):
            ranges = point["distributions"].items()
            study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState[point["state"].upper()],
                    value=point["value"],
                    intermediate_values={int(e): v for e, v in point["epochs"].items()},
                    params=point["params"],
                    distributions={name: json_to_distribution(text) for name, text in ranges},
                )
            )
    return study


def _figures(study: optuna.Study) -> dict[str, Figure]:
    # Here, since it imports scikit-learn: a second that reports without searches need not.
    from optuna.importance import FanovaImportanceEvaluator

    plot = optuna.visualization.matplotlib
    with warnings.catch_warnings(), plt.ioff():
        warnings.simplefilter("ignore")  # Optuna calls all of them experimental
        evaluator = FanovaImportanceEvaluator(seed=0)
        important = optuna.importance.get_param_importances(study, evaluator=evaluator)
        drawn: dict[str, Any] = {"history": plot.plot_optimization_history(study)}
        if any(trial.intermediate_values for trial in study.trials):
            drawn["epochs"] = plot.plot_intermediate_values(study)
        if important:
            drawn["importance"] = plot.plot_param_importances(study, evaluator=evaluator)
            drawn["slices"] = plot.plot_slice(study)
        if len(important) > 1:
            drawn["contour"] = plot.plot_contour(study, params=list(important)[:2])
    figures = {name: _figure_of(axes) for name, axes in drawn.items()}
    for figure in figures.values():
        for ax in figure.axes:
            ax.set_title("", loc="left")
            if ax.get_xscale() == "log":
                _readable(ax.xaxis)
        plt.close(figure)
    return figures


def _readable(axis: Axis) -> None:
    """Few short labels on a logarithmic axis; Matplotlib's own overlap within a decade."""
    axis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(rotation=45)


def _figure_of(axes: Any) -> Figure:
    """The figure of one or several axes."""
    figure: Figure = np.asarray(axes).flat[0].figure
    return figure
