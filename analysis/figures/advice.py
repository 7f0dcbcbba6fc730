"""Figures of advisor networks: how they weigh features, and classes in the softmax.

`told` everywhere: the tables of methods by trial id, then by name and epoch; None is the end.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from pandas import DataFrame

from analysis.figures.style import COLOURS, GREY, empty_figure, line_style, style
from analysis.plan import Cell, Plan

Told = Mapping[str, Mapping[tuple[str, int | None], DataFrame]]
Numbers = NDArray[np.float64]

RIGHT, WRONG = COLOURS[4], COLOURS[6]  # pink and light blue, as in the paper
ABREAST = 4  # panels
EMBEDDED = 250  # images of a t-SNE: more tell no more, and take longer
IMAGES = 24  # of a class, whose weights are shown one by one
PERPLEXITY = 30.0
MOST_CLASSES = 2 * len(COLOURS)  # with more, nobody tells the colours apart
BY_HAND = {"step": "threshold", "gompertz": "Gompertz decay"}


def softmax_weights(plan: Plan, told: Told) -> Figure | None:
    """By epoch, how far weights are from class sizes: a panel a column, a line a row (Fig. 9).

    That is the mean absolute error between sizes, scaled to 0 to 1, and the mean weight of each
    class. Dashed lines are both functions of the equalization loss. None without such tables.
    """
    panels: dict[str, dict[str, dict[int, DataFrame]]] = {}
    for cell, tables in _cells(plan, told):
        found = {e: t for (name, e), t in tables.items() if name == "softmax_weights" and e}
        if found:
            panels.setdefault(cell.column, {})[cell.row] = found
    if not panels:
        return None
    rows = list(dict.fromkeys(row for lines in panels.values() for row in lines))
    with style():
        figure, axes = _panels(plan, panels, 2.1)
        for ax, (column, lines) in zip(axes, panels.items(), strict=True):
            ax.set(title=column, xlabel="epoch", ylim=(0, 1))
            for row, found in lines.items():
                errors = [misfit(found[epoch], "advisor") for epoch in sorted(found)]
                looks = line_style(rows.index(row))
                ax.plot(sorted(found), errors, marker="o", markersize=3, label=row, **looks)
            any_table = next(iter(next(iter(lines.values())).values()))
            for i, (name, words) in enumerate(BY_HAND.items()):
                dash = ((0, (4, 3)), (0, (1, 1.5)))[i]
                error = misfit(any_table, name)
                ax.axhline(error, color=GREY, linestyle=dash, linewidth=1, label=words)
        axes[0].set_ylabel("mean absolute error")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        return figure


def misfit(table: DataFrame, name: str) -> float:
    """Mean absolute error between class sizes, scaled to 0 to 1, and the weights of that name."""
    sizes = table["images"].to_numpy(dtype=float)
    scaled = (sizes - sizes.min()) / (sizes.max() - sizes.min())
    return float(np.abs(scaled - table[name].to_numpy(dtype=float)).mean())


def feature_weights(plan: Plan, told: Told) -> dict[str, Figure]:
    """By row: W_f of training images by PCA and t-SNE, a column of panels a cell (Figs 5, 6, 8).

    Where labels are wrong, colours tell right from wrong; else they tell classes.
    """
    with style():
        return {
            row: _maps(plan, row, [(cell.column, table) for cell, table in found])
            for row, found in _of_features(plan, told).items()
        }


def weights_of_images(plan: Plan, told: Told) -> Figure | None:
    """W_f of up to 24 images of the largest and of the smallest class, a line a row (Fig. 7).

    Of a row the last cell is shown. Images with wrong labels are marked. None without W_f.
    """
    lines = {row: found[-1] for row, found in _of_features(plan, told).items()}
    if not lines:
        return None
    with style():
        figure = empty_figure(7.2, 0.6 + 2.3 * len(lines), plan, None)
        axes = figure.subplots(len(lines), 2, squeeze=False)
        for pair, (row, (cell, table)) in zip(axes, lines.items(), strict=True):
            by_name = table["clean"].value_counts(sort=False).sort_index()
            counts = by_name.sort_values(ascending=False, kind="stable")
            for ax, name in zip(pair, (counts.index[0], counts.index[-1]), strict=True):
                image = _strip(ax, table[table["clean"] == name].head(IMAGES))
                ax.set_title(f"{row}, {cell.column}: {name}", fontsize=8)
        figure.colorbar(image, ax=axes, label="weight of a feature", shrink=0.6)
        return figure


def _strip(ax: Axes, images: DataFrame) -> AxesImage:
    """Heat map, a line an image; a bar beside it tells right labels from wrong ones."""
    drawn = ax.imshow(_vectors(images), cmap="gray", vmin=0, vmax=1, aspect="auto")
    wrong = (images["given"] != images["clean"]).tolist()
    for i, is_wrong in enumerate(wrong):
        ax.plot([-1.5, -1.5], [i - 0.4, i + 0.4], color=WRONG if is_wrong else RIGHT, linewidth=3)
    ax.set(xlabel="feature", yticks=[])
    ax.grid(visible=False)
    return drawn


def _maps(plan: Plan, row: str, found: list[tuple[str, DataFrame]]) -> Figure:
    abreast = min(len(found), ABREAST)
    lines = math.ceil(len(found) / abreast)
    figure = empty_figure(7.2, 0.9 + 3.4 * lines, plan, f"{row}, weights of features")
    axes = figure.subplots(2 * lines, abreast, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for i, (column, table) in enumerate(found):
        line, place = divmod(i, abreast)
        some = table.iloc[:: max(1, len(table) // EMBEDDED)]
        for ax, name, shown, plane in (
            (axes[2 * line, place], "PCA", table, _pca(_vectors(table))),
            (axes[2 * line + 1, place], "t-SNE", some, _tsne(_vectors(some))),
        ):
            ax.set_axis_on()
            ax.set_title(f"{column}\n{name}", fontsize=7)
            ax.set(xticks=[], yticks=[])
            _dots(ax, plane, shown)
    handles = {h.get_label(): h for ax in axes.flat for h in ax.get_legend_handles_labels()[0]}
    if handles:
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=5)
    return figure


def _dots(ax: Axes, plane: Numbers, table: DataFrame) -> None:
    wrong = (table["given"] != table["clean"]).to_numpy()
    classes = list(dict.fromkeys(table["clean"]))
    if wrong.any():
        parts = {"right label": (~wrong, RIGHT, "o"), "wrong label": (wrong, WRONG, "o")}
    elif len(classes) <= MOST_CLASSES:
        parts = {
            name: ((table["clean"] == name).to_numpy(), COLOURS[i % len(COLOURS)], marker)
            for i, name in enumerate(classes)
            for marker in ["ox"[i // len(COLOURS)]]
        }
    else:
        colours = table["clean"].map(classes.index)
        ax.scatter(plane[:, 0], plane[:, 1], s=5, c=colours, cmap="viridis", linewidths=0)
        return
    for label, (mask, colour, marker) in parts.items():
        x, y = plane[mask].T
        ax.scatter(x, y, s=6, color=colour, marker=marker, label=label, linewidths=0.6)


def _of_features(plan: Plan, told: Told) -> dict[str, list[tuple[Cell, DataFrame]]]:
    found: dict[str, list[tuple[Cell, DataFrame]]] = {}
    for cell, tables in _cells(plan, told):
        if (table := tables.get(("feature_weights", None))) is not None:
            found.setdefault(cell.row, []).append((cell, table))
    return found


def _cells(
    plan: Plan, told: Told
) -> Iterable[tuple[Cell, Mapping[tuple[str, int | None], DataFrame]]]:
    """Each cell with the tables of its first seed that has some."""
    for cell in plan.cells:
        first = next((told[i] for i in cell.trials.values() if i and told.get(i)), None)
        if first is not None:
            yield cell, first


def _panels(plan: Plan, panels: Mapping[str, object], height: float) -> tuple[Figure, list[Axes]]:
    abreast = min(len(panels), ABREAST)
    lines = math.ceil(len(panels) / abreast)
    figure = empty_figure(7.2, 1.1 + height * lines, plan, None)
    axes = list(figure.subplots(lines, abreast, squeeze=False, sharey=True).flat)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    return figure, axes[: len(panels)]


def _vectors(table: DataFrame) -> Numbers:
    """(images, features)"""
    return table.drop(columns=["given", "clean"]).to_numpy(dtype=float)


def _pca(vectors: Numbers) -> Numbers:
    """(n, 2): the first two principal components."""
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    plane: Numbers = u[:, :2] * s[:2]
    # The sign of a component is free: the largest number of each is made positive.
    sign = np.sign(plane[np.abs(plane).argmax(axis=0), range(2)])
    return plane * np.where(sign == 0, 1, sign)


def _tsne(vectors: Numbers) -> Numbers:
    from sklearn.manifold import TSNE  # two seconds that a report without it saves

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    plane: Numbers = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(vectors)
    return plane
