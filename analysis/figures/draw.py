"""Figures of a study: learning curves, effects of settings, soft labels."""

import re
from collections.abc import Mapping

from matplotlib.figure import Figure
from pandas import DataFrame

from analysis.figures.advice import Told, feature_weights, softmax_weights, weights_of_images
from analysis.figures.attacks import attack_curves
from analysis.figures.class_similarity import class_similarity
from analysis.figures.curves import learning_curves, wrong_labels
from analysis.figures.effects import effects
from analysis.figures.feature_maps import feature_maps
from analysis.figures.label_pictures import label_pictures
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
    told: Told | None = None,
) -> dict[str, Figure]:
    """All figures that there is something to draw for, by file name.

    `runs` and `histories` as analysis.runs gives them; `soft`: soft labels by trial id, and
    `over_training` those of earlier epochs; `features` by trial id and measure; `told`: the tables
    of methods by trial id.
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
    attacked = attack_curves(plan, runs, rule)
    figures |= {"attack_curves": attacked} if attacked else {}
    for name, draw_all in (
        ("feature_maps", feature_maps),
        ("class_similarity", class_similarity),
        ("label_pictures", label_pictures),
    ):
        drawn = draw_all(plan, features)
        figures |= {name: drawn} if drawn else {}
    told = told or {}
    for name, draw_told in (
        ("softmax_weights", softmax_weights),
        ("weights_of_images", weights_of_images),
    ):
        drawn = draw_told(plan, told)
        figures |= {name: drawn} if drawn else {}
    maps = feature_weights(plan, told)
    return figures | {f"feature_weights_{_slug(row)}": drawn for row, drawn in maps.items()}


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
