"""The tables on online label smoothing: each number at what is run there."""

import pytest
from pandas import DataFrame

from analysis.comparison import compare
from analysis.plan import Metric
from study.grids.grid import find, grids
from study.grids.lay_out import lay_out
from study.grids.ols.fine_grained import REDUCTIONS
from tests.study.grids.published import printed, typed
from trainables.nets.resnet import CifarResNet
from trainables.nets.resnext import ResNeXt29
from trainables.nets.torchvision_nets import ResNet50
from trainables.settings import Use
from trainables.targets.one_hot import OneHot
from trainables.trial import Trial

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
