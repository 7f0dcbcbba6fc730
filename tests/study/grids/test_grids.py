"""Every grid: its published numbers, its demo, and the text of all its trials."""

import csv
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pandas import DataFrame
from torch import tensor

from analysis.comparison import compare
from analysis.plan import Metric, Scale
from study.grids.grid import Grid, Inferred, find, grids
from study.grids.lay_out import lay_out
from study.grids.ols.fine_grained import REDUCTIONS
from tests.study.golden import FOLDER, golden
from tests.trainables.small import tiny_task
from trainables.measures.measure import label
from trainables.methods.method import Method
from trainables.nets.resnet import CifarResNet
from trainables.nets.resnext import ResNeXt29
from trainables.nets.torchvision_nets import ResNet50
from trainables.selection import RULES
from trainables.settings import Use
from trainables.targets.one_hot import OneHot
from trainables.trial import Trial

with (Path(__file__).parents[1] / "published.csv").open() as file:
    PUBLISHED = list(csv.DictReader(file))


@pytest.mark.parametrize("name", grids())
def test_a_grid_is_what_its_golden_file_says(name: str) -> None:
    """Where this is meant: `python -m tests.study.golden`, and PROTOCOL if numerics changed."""
    assert golden(name) == (FOLDER / f"{name}.txt").read_text()


Number = tuple[float, float | None]  # and its deviation
OURS = "Word embedding (GloVe)"
AUGMENTED = ("CE", "Cutout", "Random erasing", "GridMask")
LABEL_SETS = [
    *("Category", "Speech", "Shuffled speech", "Constant matrix", "Gaussian composition"),
    *("Random matrix", "Random, 10 numbers", "BERT", "GloVe"),
]
# The rows and columns of those tables and figures of which no number is printed, or all are lost.
UNPRINTED: dict[str, tuple[list[str], list[str]]] = {
    "ols_alpha": (
        [f"alpha {a}" for a in ("0", "0.1", "0.2", "0.3", "0.4", "0.5")]
        + [f"alpha {a}" for a in ("0.6", "0.7", "0.8", "0.9", "1")],
        ["top-1 error"],
    ),
    "ols_period": (
        [f"{n} iterations" for n in (1, 50, 100, 200)]
        + ["one epoch", "2 epochs", "5 epochs", "10 epochs"],
        ["top-1 error"],
    ),
    "ols_single": (
        ["Hard label", "OLS-Single", "OLS-Single, current net", "OLS"],
        ["top-1 error"],
    ),
    "advisor_meta_size": (
        ["Baseline (CE)", *(f"{n} clean images" for n in (100, 200, 500, 1000))],
        ["CIFAR-10", "CIFAR-100"],
    ),
    "advisor_backbone_size": (
        ["Baseline (CE)", "BALMS", "MFRW-MES"],
        [
            f"CIFAR-{classes}, ResNet-{net} M)"
            for classes in (10, 100)
            for net in ("20 (0.27", "32 (0.46", "56 (0.85", "18 (11.17")
        ],
    ),
    "advisor_clothing_tail": (
        ["Baseline (CE)", "MW-Net", "BALMS", "MFRW", "MES", "MFRW-MES"],
        ["IF 1", "IF 50", "IF 100"],
    ),
    "label_accuracy": (
        LABEL_SETS,
        [
            f"CIFAR-{classes}, {net}, {kind}"
            for classes in (10, 100)
            for net in ("VGG-19", "ResNet-32", "ResNet-110")
            for kind in ("nearest label", "Huber loss below 3.5")
        ],
    ),
    "label_attack": (
        LABEL_SETS,
        [
            f"CIFAR-{classes}, {attack}, {shown}"
            for classes in (10, 100)
            for attack in ("FGSM", "iterative", "targeted FGSM", "targeted iterative")
            for shown in ("eps 0.1", "eps 0.2", "eps 0.3", "mean")
        ],
    ),
    "label_efficiency": (LABEL_SETS, ["1%", "2%", "4%", "8%", "10%", "20%"]),
    "label_statistics": (LABEL_SETS, ["entropy (bits)", "L1 distance", "L2 distance"]),
    "label_curves": (LABEL_SETS, ["CIFAR-10", "CIFAR-100"]),
    "label_features": (
        ["Category", "Speech"],
        ["accuracy", *(f"silhouette at {share}%" for share in (10, 30, 50, 70, 100))],
    ),
    "word_augment": (
        [name for own in AUGMENTED for name in (own, f"{own} + {OURS}".removeprefix("CE + "))],
        [f"CIFAR-{c}, {n}" for c in (10, 100) for n in (50, 100, 200)]
        + [f"mini-ImageNet, {n}" for n in (10, 50, 100)],
    ),
    "word_similarity": ([OURS, "Word embedding (BERT)"], ["highest cosine", "mean cosine"]),
    "word_random": (
        ["CE", "Random vectors", OURS],
        [f"{n} a class" for n in (50, 100, 200)] + ["rho 10", "rho 100"],
    ),
    "ols_features": (["Hard label", "Label smoothing", "OLS"], ["top-1 error", "silhouette"]),
    "ols_calibration": (
        ["Hard label", "Label smoothing", "OLS"],
        [f"ResNet-{depth} {kind}" for depth in (56, 74, 110) for kind in ("error", "ECE")],
    ),
}


def printed(grid: Grid) -> list[tuple[str, tuple[str, ...], Number]]:
    """Of each number of the paper's table: the method, the place (data, setting, ...), itself."""
    lines = [r for r in PUBLISHED if (r["paper"], r["table"]) == (grid.paper, grid.table)]
    return [
        (
            r["method"],
            (r["dataset"], r["setting"], r["backbone"], r["metric"]),
            (float(r["value"]), float(r["std"]) if r["std"] else None),
        )
        for r in lines
    ]


def typed(grid: Grid) -> list[tuple[str, str, Number]]:
    """Of each number of the grid: row, column, itself."""
    return [
        (row, column, (number, None) if isinstance(number, float) else number)
        for row, column, _, number in grid.cells()
        if number is not None
    ]


@pytest.mark.parametrize("name", grids())
def test_every_published_number_of_the_table_has_a_cell(name: str) -> None:
    grid = find(name)
    assert bool(printed(grid)) != (name in UNPRINTED)
    numbers = Counter(number for *_, number in printed(grid))
    assert not numbers - Counter(number for *_, number in typed(grid))


@pytest.mark.parametrize(("name", "expected"), UNPRINTED.items())
def test_a_table_without_numbers_has_its_rows_and_columns(
    name: str, expected: tuple[list[str], list[str]]
) -> None:
    cells = [(row, column) for row, column, trial, number in find(name).cells() if trial]
    rows, columns = expected
    every = [(row, column) for row in rows for column in columns]
    # Categories have no Huber loss.
    assert cells == [c for c in every if c[0] != "Category" or "Huber" not in c[1]]
    assert all(number is None for *_, number in find(name).cells())


@pytest.mark.parametrize("name", grids())
def test_numbers_whose_column_was_inferred_are_known_as_such(name: str) -> None:
    grid = find(name)
    own = [r for r in PUBLISHED if (r["paper"], r["table"]) == (grid.paper, grid.table)]
    noted = Counter((r["method"], float(r["value"])) for r in own if "inferred" in r["note"])
    assert noted == Counter(
        (row, float(number)) for row, *_, number in grid.cells() if isinstance(number, Inferred)
    )


@pytest.mark.parametrize("name", grids())
def test_no_cell_has_a_number_that_is_not_published(name: str) -> None:
    grid = find(name)
    assert {number for *_, number in typed(grid)} <= {number for *_, number in printed(grid)}


Place = tuple[str, str, str, str]  # dataset, setting, backbone and metric in published.csv
ERROR = "top1_error"
PGD = "pgd eps=8/255 steps=20"
OVER_ALL = ("4 fine-grained sets", "average improvement over 4 sets x 4 backbones", "")
PLACES: dict[str, dict[str, Place]] = {
    "ols_cifar100": {
        net: ("CIFAR-100", "", net, ERROR)
        for net in ("ResNet-34", "ResNet-50", "ResNet-101", "ResNeXt29-2x64d", "ResNeXt29-32x4d")
    },
    "ols_ensemble": {
        "1 model": ("CIFAR-100", "models=1", "ResNet-56", ERROR),
        **{
            f"{n} models": ("CIFAR-100", f"models={n}", "ResNet-56", ERROR) for n in (6, 10, 15, 20)
        },
    },
    "ols_imagenet": {
        "ResNet-50 top-1": ("ImageNet", "", "ResNet-50", ERROR),
        "ResNet-50 top-5": ("ImageNet", "", "ResNet-50", "top5_error"),
        "ResNet-101 top-1": ("ImageNet", "", "ResNet-101", ERROR),
        "ResNet-101 top-5": ("ImageNet", "", "ResNet-101", "top5_error"),
    },
    "ols_fine_grained": {
        "mean reduction, top-1": (*OVER_ALL, "top1_error_reduction"),
        "mean reduction, top-5": (*OVER_ALL, "top5_error_reduction"),
    },
    "ols_noise": {
        f"{20 * n}%": ("CIFAR-100", f"symmetric_noise={n / 5}", "ResNet-56", ERROR)
        for n in range(5)
    },
    "ols_adversarial": {
        "clean": ("CIFAR-10", "clean", "ResNet-29", ERROR),
        "FGSM": ("CIFAR-10", "fgsm eps=8/255", "ResNet-29", ERROR),
        "PGD": ("CIFAR-10", PGD, "ResNet-29", ERROR),
    },
    "ols_adversarial_imagenet": {
        "FGSM top-1 error": ("ImageNet", "fgsm eps=8/255", "ResNet-50", ERROR),
        "FGSM top-5 error": ("ImageNet", "fgsm eps=8/255", "ResNet-50", "top5_error"),
        "PGD top-1 error": ("ImageNet", PGD, "ResNet-50", ERROR),
        "PGD top-5 error": ("ImageNet", PGD, "ResNet-50", "top5_error"),
    },
    "ols_human": {
        "top-1 error": ("CIFAR-10", "", "ResNet-29", ERROR),
        "KL to human labels": (
            "CIFAR-10H",
            "correctly predicted samples only",
            "ResNet-29",
            "kl_divergence",
        ),
    },
}
WORD_SETS = {"CIFAR-10": "Cifar10", "CIFAR-100": "Cifar100", "mini-ImageNet": "ImageLists"}


def word_place(trial: Trial, metric: Metric) -> Place:
    """Of a cell of the word embedding tables, what it really shows."""
    tail, per_class = trial.data.imbalance, trial.data.train_per_class
    setting = f"imbalance={tail['rho']:g}" if tail else f"per_class={per_class}"
    dataset = next(name for name, part in WORD_SETS.items() if part == trial.data.source.name)
    net = trial.net.name.replace("ResNet", "ResNet-").replace("VGG", "VGG-")
    return dataset, setting, net, metric.name.removeprefix("test.")


@pytest.mark.parametrize("name", [n for n in grids() if n.startswith("word") and typed(find(n))])
def test_every_word_cell_has_the_number_of_its_method_and_of_what_is_run(name: str) -> None:
    grid = find(name)
    published = {(method, place): number for method, place, number in printed(grid)}
    cells = [
        (row, trial, grid.columns[column], number) for row, column, trial, number in grid.cells()
    ]
    shown = {
        (row, word_place(trial, metric)): (number, None) if isinstance(number, float) else number
        for row, trial, metric, number in cells
        if trial
    }
    assert len(shown) == len(cells)
    assert shown == published


LARGE = ("advisor_large", "advisor_clothing")


def advisor_place(trial: Trial) -> tuple[str, str, str]:
    """Data set, setting and backbone of what a cell of the advisor tables really runs."""
    data = trial.data
    dataset = next(name for name, part in WORD_SETS.items() if part == data.source.name)
    tail = f"imbalance={data.imbalance['rho']:g}" if data.imbalance else ""
    rate = data.corrupt[0]["rate"] if data.corrupt else 0.0
    flips = f"flip_noise={rate}" if data.corrupt or not tail else ""
    name = trial.net.name
    backbone = "ResNet-18" if name == "ResNet18" else f"ResNet-{trial.net['depth']}"
    return dataset, ";".join(filter(None, (flips, tail))), backbone


# Of the others test_advisor_large.py tells.
ON_CIFAR = [n for n in grids() if n.startswith("adv") and typed(find(n)) and n not in LARGE]


@pytest.mark.parametrize("name", ON_CIFAR)
def test_every_advisor_column_has_the_numbers_of_what_is_run_there(name: str) -> None:
    grid = find(name)
    places = {}
    for row, column, trial, _ in grid.cells():
        if trial:
            assert places.setdefault(column, advisor_place(trial)) == advisor_place(trial), row
            assert trial.data.meta_per_class == (100 if "CIFAR-10," in column else 10)
            assert trial.teachers() in ((), (trial.but(method=Use(Method)),))
    assert len(set(places.values())) == len(grid.columns)
    published = {(m, p[:3]): number for m, p, number in printed(grid)}
    assert {(row, places[column]): number for row, column, number in typed(grid)} == published


def test_the_size_of_a_net_is_what_its_column_says() -> None:
    for _, column, trial, _ in find("advisor_backbone_size").cells():
        assert trial
        classes = 10 if "CIFAR-10," in column else 100
        names = tuple(map(str, range(classes)))
        task = tiny_task(trial, names, tensor([0]), side=32)
        net = trial.net.build(replace(task, channels=3))
        size = sum(weight.numel() for weight in net.parameters()) / 1e6
        assert f"({size:.2f} M)" in column


@pytest.mark.parametrize("column", ["CIFAR-10, IF 200", "CIFAR-100, IF 10"])
def test_the_recipe_of_13000_steps_has_as_many_to_the_nearest_epoch(column: str) -> None:
    trial = next(t for _, c, t, _ in find("advisor_lt_augmented").cells() if t and c == column)
    classes = trial.data.source.build().classes
    meta, rho = trial.data.meta_per_class or 0, trial.data.imbalance["rho"]  # type: ignore[index]
    most = 50_000 // classes - meta
    images = sum(int(most * rho ** (-c / (classes - 1)) + 1e-9) for c in range(classes))
    steps = math.ceil(images / 512)
    assert abs(trial.recipe.epochs * steps - 13_000) <= steps / 2


UNCHANGED = ("clean", "models=1", "symmetric_noise=0.0")  # settings that change nothing


def place_of(trial: Trial, metric: Metric, measure: Use | None) -> Place:
    """What a cell really shows, as the table of places says it."""
    net, source, kind = trial.net, trial.data.source, measure.name if measure else ""
    dataset = {"Cifar10": "CIFAR-10", "Cifar100": "CIFAR-100", "ImageFolder": "ImageNet"}
    backbone = net.name.replace("ResNet", "ResNet-")
    if net.part is CifarResNet:
        backbone = f"ResNet-{net['depth']}"
    elif net.part is ResNeXt29:
        backbone = f"ResNeXt29-{net['cardinality']}x{net['base_width']}d"
    settings = [f"symmetric_noise={use['rate']}" for use in trial.data.corrupt]
    if measure and kind in ("Fgsm", "Pgd"):
        assert measure["eps"] == 8 / 255
        settings.append("fgsm eps=8/255" if kind == "Fgsm" else f"{PGD[:-2]}{measure['steps']}")
    if measure and kind == "Ensemble":
        settings.append(f"models={measure['members']}")
    if kind == "HumanKL":
        human = "correctly predicted samples only"
        return ("CIFAR-10H", human, backbone, f"{metric.name}_divergence")
    top = 5 if "top5" in metric.name or (measure and kind == "TopK" and measure["k"] == 5) else 1
    assert (metric.factor, metric.offset) == (-100, 100)  # an accuracy, shown as an error
    return (dataset[source.name], ", ".join(settings), backbone, f"top{top}_error")


@pytest.mark.parametrize("name", [n for n in grids() if n.startswith("ols") and typed(find(n))])
def test_a_column_has_all_numbers_of_its_place_in_the_paper_and_no_other(name: str) -> None:
    grid = find(name)
    assert {column for _, column, _ in typed(grid)} == set(PLACES[name])
    for column, place in PLACES[name].items():
        numbers = {(row, number) for row, other, number in typed(grid) if other == column}
        assert numbers == {(m, number) for m, other, number in printed(grid) if other == place}


@pytest.mark.parametrize("name", sorted(PLACES))
def test_what_is_run_in_a_column_is_what_its_place_says(name: str) -> None:
    grid = find(name)
    measures = grid.measures("paper")
    for row, column, trial, _ in grid.cells():
        if trial and column in PLACES[name]:
            dataset, setting, backbone, metric = PLACES[name][column]
            place = (dataset, "" if setting in UNCHANGED else setting, backbone, metric)
            assert place_of(trial, grid.columns[column], measures.get((row, column))) == place


def test_each_fine_grained_set_is_run_with_each_net_and_both_errors_of_one_trial() -> None:
    grid = find("ols_fine_grained")
    measures = grid.measures("paper")
    folders = {"CUB_200_2011": "CUB-200-2011", "flowers-102": "Flowers-102"}
    folders |= {"stanford-cars": "Cars", "fgvc-aircraft": "Aircraft"}
    shown = {(row, column): trial for row, column, trial, _ in grid.cells() if trial}
    assert len(shown) == 5 * 4 * 2 * 2
    for (row, column), trial in shown.items():
        backbone, metric = place_of(trial, grid.columns[column], measures.get((row, column)))[2:]
        folder = folders[trial.data.source["path"]]
        kind = {"top1_error": "top-1", "top5_error": "top-5"}[metric]
        assert column == f"{folder}, {backbone}, {kind}"
        assert shown[row, f"{column[:-1]}1"] == trial


def test_the_mean_reductions_of_what_is_run_are_one_line_of_the_comparison() -> None:
    def named(trial: Trial) -> tuple[Trial, str]:
        described = f"{trial.data.source['path']} {trial.net.name} {trial.targets.name}"
        return trial, f"{described} {trial.seed}"

    plan, trials = lay_out("ols_fine_grained", "paper", 2, (), named)
    assert f"`{REDUCTIONS}`" in " ".join(plan.assumed)
    (label_of_top_5,) = plan.measures
    # Top-1 is better than hard labels' by 4 points with ResNet-50, by 2 with MobileNetV2; top-5 by
    # 1 on flowers only.
    runs = DataFrame(
        {
            "status": "finished",
            "oracle/test.accuracy": 0.7 + 0.01 * trial.seed + better,
            f"{label_of_top_5}/accuracy": 0.9 + flowers,
        }
        for trial in trials
        for better in [
            0.0 if trial.targets.part is OneHot else 0.04 if trial.net.part is ResNet50 else 0.02
        ]
        for flowers in [0.01 if better and "flowers" in trial.data.source["path"] else 0.0]
    ).set_axis([named(trial)[1] for trial in trials])
    cells = compare(plan, runs)
    reductions = eval(REDUCTIONS, {"cells": cells})
    assert reductions.loc["OLS"].to_dict() == pytest.approx({"top-1": 3.0, "top-5": 0.25})


def test_tf_kd_self_has_its_authors_constants_for_each_net_and_number_of_classes() -> None:
    losses = {
        column.removesuffix(", top-1"): (trial.loss["temperature"], trial.loss["factor"])
        for row, column, trial, _ in find("ols_fine_grained").cells()
        if row == "Tf-KD self" and trial and column.endswith("top-1")
    }
    classes = {"CUB-200-2011": 200, "Flowers-102": 102, "Cars": 196, "Aircraft": 100}
    assert losses == {
        **{f"{name}, ResNet-50": (6, pytest.approx(36 / c)) for name, c in classes.items()},
        **{f"{name}, MobileNetV2": (20, pytest.approx(400 / c)) for name, c in classes.items()},
    }


@pytest.mark.parametrize("name", ["ols_imagenet", "ols_adversarial_imagenet"])
def test_no_cutout_is_among_what_the_script_has_on_imagenet(name: str) -> None:
    plan, _ = lay_out(name, "paper", 1, (), lambda trial: (trial, None), lambda measure: None)
    recipe, *others = plan.assumed
    assert recipe.endswith("augment ResizedCrop() and Flip()")
    assert ("Cutout of 112 pixels" in " ".join(others)) == (name == "ols_imagenet")


@pytest.mark.parametrize("name", [n for n in grids() if n.startswith("ols")])
def test_the_rule_by_which_the_paper_selects_is_said_of_paper_scale_only(name: str) -> None:
    rule = [said for said in find(name).assumed if "best" in said]
    assert len(rule) == 1
    assert rule[0].startswith("at paper scale ")


@pytest.mark.parametrize("name", grids())
def test_the_demo_keeps_apart_what_the_table_varies(name: str) -> None:
    grid = find(name)
    distinct = {
        scale: len({trial for _, _, trial, _ in grid.at(scale) if trial})
        for scale in ("demo", "paper")
    }
    assert distinct["demo"] == distinct["paper"]


@pytest.mark.parametrize("name", grids())
@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_measures_suit_their_trials_and_stay_apart_at_demo_scale(name: str, scale: Scale) -> None:
    grid = find(name)
    measures = grid.measures(scale)
    trials = {(row, column): trial for row, column, trial, _ in grid.at(scale)}
    for place, use in measures.items():
        use.part.suits(trials[place], **dict(use.items))
    assert len(set(measures.values())) == len(set(grid.measures("paper").values()))


@pytest.mark.parametrize("name", grids())
def test_the_demo_needs_no_files(name: str) -> None:
    for measure in find(name).measures("demo").values():
        assert label(measure.resolved(Path("/nowhere")))
    for _, _, trial, _ in find(name).at("demo"):
        assert trial is None or trial.resolved(Path("/nowhere"), {}).id


@pytest.mark.parametrize("name", grids())
def test_baseline_and_selection_rule_exist(name: str) -> None:
    grid = find(name)
    assert grid.baseline in grid.rows or grid.baseline in grid.columns
    assert grid.selection in RULES
