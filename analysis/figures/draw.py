"""Figures of a study: learning curves, effects of settings, soft labels."""

import re
from collections.abc import Mapping

from matplotlib.figure import Figure
from pandas import DataFrame

from analysis.figures.class_similarity import class_similarity
from analysis.figures.curves import learning_curves, wrong_labels
from analysis.figures.effects import effects
from analysis.figures.feature_maps import feature_maps
from analysis.figures.soft_labels import soft_labels, soft_labels_over_training
from analysis.plan import Plan


def draw(
    plan: Plan,
    runs: DataFrame,
    histories: DataFrame,
    soft: Mapping[str, DataFrame],
    over_training: Mapping[str, Mapping[int, DataFrame]],
    features: Mapping[tuple[str, str], DataFrame],
    rule: str,
) -> dict[str, Figure]:
    """All figures that there is something to draw for, by file name.

    `runs` and `histories` as analysis.runs gives them; `soft`: soft labels by trial id, and
    `over_training` those of earlier epochs; `features` by trial id and measure.
    """
    figures: dict[str, Figure] = {}
    seen: list[set[tuple[str, ...]]] = []  # trials of columns: measures share those of others
    for i, column in enumerate(plan.columns, start=1):
        trials = {tuple(map(str, c.trials.values())) for c in plan.cells if c.column == column}
        if trials in seen:
            continue
        seen.append(trials)
        part = f"_{i}_{_slug(column)}" if len(plan.columns) > 1 else ""
        for name, draw_one in (
            ("learning_curves", learning_curves),
            ("wrong_labels", wrong_labels),
        ):
            drawn = draw_one(plan, column, runs, histories)
            figures |= {f"{name}{part}": drawn} if drawn else {}
    shown = [(plan.columns[cell.column], cell.measure) for cell in plan.cells]
    for metric, measure in dict.fromkeys(shown):
        effect = effects(plan, metric, runs, rule, measure)
        name = _slug(f"{measure} {metric.words}".strip())
        figures |= {f"effects_{name}": effect} if effect else {}
    learned = soft_labels_over_training(plan, over_training)
    figures |= {"soft_labels_over_training": learned} if learned else {}
    heat = soft_labels(plan, soft)
    figures |= {"soft_labels": heat} if heat else {}
    for name, draw_all in (("feature_maps", feature_maps), ("class_similarity", class_similarity)):
        drawn = draw_all(plan, features)
        figures |= {name: drawn} if drawn else {}
    return figures


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
