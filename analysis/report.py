"""The report of a study: its table in all forms, its figures, and one page of HTML with both."""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pandas import DataFrame

from analysis import comparison, cost, layout, runs, tables
from analysis.figures.kept import NOTE, kept, key_of, note
from analysis.figures.kept import files as kept_files
from analysis.plan import Cell, Plan

FORMS = {
    "txt": tables.text,
    "md": tables.markdown,
    "tex": tables.latex,
    "csv": tables.csv,
}
Text = Callable[[int], str]  # the table for a terminal of so many characters
# Of a run's tags, and every version.*
ENVIRONMENT = (
    *("commit", "host", "device", "threads", "workers", "batch_norm", "fused", "captured"),
    *("python", "torch"),
)

# By the beginning of a figure's name: its heading, and what it shows.
ABOUT = {
    "learning_curves": (
        "Learning curves",
        "Accuracy by epoch: the mean over a row's finished seeds (of a row without any: over the "
        "running ones), in a band of ± one standard deviation. Rows with the same trials are one "
        "line. The axis starts at the lowest mean after a quarter of the epochs.",
    ),
    "wrong_labels": (
        "Fit of the wrong labels",
        "Error on the wrongly labelled part of the training set, counted against its wrong labels: "
        "the higher, the less of the noise was learned. The axis starts at the lowest mean after a "
        "quarter of the epochs.",
    ),
    "effects": (
        "Effect of each hyper-parameter",
        "Every numeric setting in which some cells differ and in nothing else: dots are seeds, "
        "circles their mean, the dashed line is the baseline. What is held is in the legend.",
    ),
    "search": (
        "Searches",
        "Objective: validation accuracy, averaged over the search's seeds. History: each "
        "configuration and the best so far; epochs: the objective by epoch, where poor "
        "configurations were ended early (pruned); importance: each setting's share of the "
        "variance (fANOVA); slices: the objective against each setting; contour: over the two "
        "settings of most importance.",
    ),
    "soft_labels_over_training": (
        "Soft labels over training",
        "The matrix that a row with learned soft labels had after evenly spaced epochs, in its "
        "first finished seed.",
    ),
    "soft_labels": (
        "Soft labels",
        "Each distinct matrix of soft labels, the distribution of one class in a row: its entropy "
        "and the mass of the true class stand beside it.",
    ),
    "feature_maps": (
        "t-SNE of the features",
        "Penultimate features of test images in two dimensions, a dot an image, of a row's first "
        "finished seed. Of more than 20 classes only the first 10 are drawn, as they lie among all "
        "others. Distances between far groups, axes and their scale have no meaning.",
    ),
    "softmax_weights": (
        "Softmax weights over training",
        "Mean absolute error between class sizes, scaled to 0 to 1, and the mean weight that a "
        "class has in the softmax of other classes' images: learned by the advisor, and by both "
        "functions of the equalization loss. The lower, the more it keeps rare classes from being "
        "pushed down.",
    ),
    "weights_of_images": (
        "Weights of features, by image",
        "W_f of the first training images of the largest and of the smallest class (of equal ones "
        "the first and last by name), in the last column of each row that has them: a line an "
        "image. The bar beside it is pink where the label is right, light blue where it is wrong.",
    ),
    "feature_weights": (
        "Weights of features",
        "W_f of training images at the end, in two dimensions: a dot an image, of a row's first "
        "finished seed. Colours tell right labels from wrong ones; where all are right, classes.",
    ),
    "attack_curves": (
        "Accuracy under attack",
        "Share of the test images that are still right, of those that were before, by how far each "
        "pixel may be moved (eps): the mean over a row's seeds.",
    ),
    "label_pictures": (
        "Labels",
        "What stands for the first classes in each row, one scale of colours a row. A vector is "
        "shown as a bar of its numbers.",
    ),
    "class_similarity": (
        "Similarity of the classes",
        "Cosines of the vectors that stand for the classes, and the most similar classes with the "
        "first training images of each.",
    ),
}


@dataclass(frozen=True)
class Report:
    """What was written, and the table for a terminal and for MLflow's description."""

    text: Text
    markdown: str
    spent: str  # in a few words
    html: Path
    files: tuple[Path, ...]
    cells: DataFrame  # as comparison.compare gives them


def write(
    plan: Plan,
    tracking_uri: str,
    folder: Path,
    price: float | None = None,
    searches: list[dict[str, Any]] | None = None,
    told: Callable[[Text], object] = lambda text: None,
) -> Report:
    """Writes the report of what is recorded so far into `folder`; the same data, the same bytes.

    `price`: of an hour of one GPU, or of one CPU where a trial has none. `searches`: the study's,
    where the tracker does not have these yet. `told` gets the table before anything is drawn.

    table.txt, .md, .tex, .csv, each figure as PNG and SVG, and report.html, which needs no other
    file. Raises Invalid where the tracker cannot be read.
    """
    recorded = runs.trials(tracking_uri, plan.trials())
    cells = comparison.compare(plan, recorded)
    told(partial(tables.text, plan, cells))
    folder.mkdir(parents=True, exist_ok=True)
    written = {name: render(plan, cells) for name, render in FORMS.items()}
    spent = cost.costs(plan, recorded, runs.others(tracking_uri, plan), price)
    lines, said = cost.lines(plan, spent), cost.caption(price)
    written["md"] += f"\n{cost.markdown(lines, said)}"
    files = [folder / f"table.{name}" for name in written]
    for path, content in zip(files, written.values(), strict=True):
        path.write_text(content, encoding="utf-8")
    rule = layout.rule_of(plan, cells)
    tuned = {(cell.row, cell.column) for cell in plan.cells if cell.tunes}
    if tuned and searches is None:
        searches = runs.searches(tracking_uri, plan.study)
    shown_searches = [s for s in searches or () if (s["label"], s["column"]) in tuned]
    # What a trial has beside it came with its newest metric, or before the tag of its result.
    key = key_of((plan.to_json(), recorded, rule, shown_searches))
    names = kept(folder, key)
    if names is None:
        names = _draw(plan, recorded, tracking_uri, rule, shown_searches, folder)
        note(folder, key, names)
    files += [*kept_files(folder, names), folder / NOTE]
    page = folder / "report.html"
    page.write_text(
        _page(plan, cells, recorded, folder, names, cost.html(lines, said)), encoding="utf-8"
    )
    total = cost.total(spent, price)
    text = partial(tables.text, plan, cells)
    return Report(text, written["md"], total, page, (*files, page), cells)


def _draw(
    plan: Plan,
    recorded: DataFrame,
    tracking_uri: str,
    rule: str,
    searches: list[dict[str, Any]],
    folder: Path,
) -> list[str]:
    """Draws every figure that there is something for; their names."""
    # Matplotlib takes longer to import than a table to make.
    from analysis.figures import curves, draw, style
    from analysis.figures import searches as of_searches

    shown = [*curves.CURVES, curves.WRONG_LABELS]
    histories = runs.histories(tracking_uri, plan.trials(), shown)
    soft = _soft_labels(plan, recorded, tracking_uri)
    over_training = {i: runs.learned_soft_labels(tracking_uri, i) for i in soft}
    features = _features(plan, recorded, tracking_uri)
    own = {i for c, i in _first_finished(plan, recorded) if c.settings.get("method") != "Method"}
    told = {i: runs.of_method(tracking_uri, i) for i in own}
    drawn = draw.draw(plan, recorded, histories, soft, over_training, features, rule, told)
    style.save(drawn, folder)
    return [*drawn, *of_searches.draw(searches, folder)]


def _soft_labels(plan: Plan, recorded: DataFrame, tracking_uri: str) -> dict[str, DataFrame]:
    """Those of the first finished seed of each cell, by trial id."""
    ids = dict.fromkeys(i for _, i in _first_finished(plan, recorded))
    read = {i: runs.soft_labels(tracking_uri, i) for i in ids}
    return {i: frame for i, frame in read.items() if frame is not None}


def _features(
    plan: Plan, recorded: DataFrame, tracking_uri: str
) -> dict[tuple[str, str], DataFrame]:
    """Those of the first finished seed of each cell with a measure, by trial id and measure."""
    found = _first_finished(plan, recorded)
    keys = dict.fromkeys((i, cell.measure) for cell, i in found if cell.measure)
    read = {key: runs.features(tracking_uri, *key) for key in keys}
    return {key: frame for key, frame in read.items() if frame is not None}


def _first_finished(plan: Plan, recorded: DataFrame) -> list[tuple[Cell, str]]:
    """The cells with a finished seed, and the first one's trial id."""
    finished = set(recorded.index[recorded["status"] == "finished"])
    first = [(c, next((i for i in c.trials.values() if i in finished), None)) for c in plan.cells]
    return [(cell, i) for cell, i in first if i]


def _page(
    plan: Plan,
    cells: DataFrame,
    recorded: DataFrame,
    folder: Path,
    drawn: list[str],
    spent: str,
) -> str:
    loader = FileSystemLoader(Path(__file__).parent)
    jinja = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    trials = _trials(plan, recorded)
    return jinja.get_template("report.html.j2").render(
        plan=plan,
        table=tables.html(plan, cells),
        cost=spent,
        counts=Counter(trial["status"] for trial in trials),
        trials=trials,
        figures=[_figure(name, folder) for name in drawn],
        environment=_environment(recorded),
    )


def _figure(name: str, folder: Path) -> dict[str, str]:
    heading, caption = next(about for start, about in ABOUT.items() if name.startswith(start))
    content = base64.b64encode((folder / f"{name}.svg").read_bytes()).decode()
    source = f"data:image/svg+xml;base64,{content}"
    return {"name": name, "heading": heading, "caption": caption, "source": source}


def _trials(plan: Plan, recorded: DataFrame) -> list[dict[str, str]]:
    """One entry a trial, in the order of the table, with the first cell that it stands in."""
    listed: dict[str, dict[str, str]] = {}
    for cell in plan.cells:
        name = cell.row if len(plan.columns) == 1 else f"{cell.row}, {cell.column}"
        for seed, trial_id in cell.trials.items():
            key = trial_id or f"{name} {seed}"
            about = {"cell": name, "seed": seed, "id": trial_id or ""}
            if key not in listed:
                listed[key] = about | _state(trial_id, recorded)
    return list(listed.values())


def _state(trial_id: str | None, recorded: DataFrame) -> dict[str, str]:
    if trial_id not in recorded.index:
        return {"status": "not started", "reason": "", "host": "", "seconds": ""}
    row = recorded.loc[trial_id].dropna()
    words = {name: str(row.get(name, "")) for name in ("status", "reason", "host")}
    return words | {"seconds": f"{row['seconds']:.1f}" if "seconds" in row else ""}


def _environment(recorded: DataFrame) -> dict[str, list[tuple[str, int]]]:
    """What the trials were run with: by name, each value and the number of trials with it."""
    names = [str(name) for name in recorded]
    versions = sorted(name for name in names if name.startswith("version."))
    found = {}
    for name in (*(n for n in ENVIRONMENT if n in names), *versions):
        counts = Counter(str(value) for value in recorded[name].dropna())
        found[name.removeprefix("version.")] = sorted(counts.items())
    return {name: values for name, values in found.items() if values}
