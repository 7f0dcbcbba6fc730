"""The grids of ImageNet-LT, Places-LT and Clothing1M: what is run where, and their demos."""

from pathlib import Path

import pytest
import torch

from study.grids.grid import find
from study.grids.lay_out import lay_out
from study.preflight.estimate import task_without_data
from tests.study.grids.published import printed, typed
from trainables.data.data import Data, load
from trainables.data.sources.digits import Digits
from trainables.settings import Use
from trainables.training.site import Site
from trainables.trial import Trial

GRIDS = ("advisor_large", "advisor_clothing", "advisor_clothing_tail")
PLACES = {  # data set, backbone and metric in published.csv
    "advisor_large": {
        f"{data}, {kind}": (data, net, metric)
        for data, net in (("ImageNet-LT", "ResNet-10"), ("Places-LT", "ResNet-152"))
        for kind, metric in (
            ("top-1", "accuracy"),
            ("top-3", "top3_accuracy"),
            ("top-5", "top5_accuracy"),
        )
    },
    "advisor_clothing": {"accuracy": ("Clothing1M", "ResNet-50", "accuracy")},
    "advisor_clothing_tail": {
        f"IF {factor}": ("Clothing1M", "ResNet-18", "accuracy") for factor in (1, 50, 100)
    },
}
RUN = {
    "advisor_large": ["Baseline (CE)", "Equalization loss", "cRT", "LWS", "BALMS", "MFRW-MES"],
    "advisor_clothing": ["Baseline (CE)", "MW-Net", "FaMUS", "MFRW", "MES", "MFRW-MES"],
    "advisor_clothing_tail": ["Baseline (CE)", "MW-Net", "BALMS", "MFRW", "MES", "MFRW-MES"],
}
FOLDERS = {"imagenet": "ImageNet-LT", "places365": "Places-LT", "clothing1m": "Clothing1M"}


@pytest.mark.parametrize("name", GRIDS)
def test_every_column_runs_what_its_place_says_and_no_row_else(name: str) -> None:
    grid = find(name)
    measures = grid.measures("paper")
    shown = set()
    for row, column, trial, _ in grid.cells():
        if trial:
            data, net, metric = PLACES[name][column]
            measure = measures.get((row, column))
            assert FOLDERS[trial.data.source["path"]] == data
            assert trial.net.name == net.replace("-", "")
            assert metric == (f"top{measure['k']}_accuracy" if measure else "accuracy")
            shown.add((row, column))
    assert shown == {(row, column) for row in RUN[name] for column in PLACES[name]}


@pytest.mark.parametrize("name", ["advisor_large", "advisor_clothing"])
def test_every_number_stands_in_the_row_and_column_of_its_place(name: str) -> None:
    published = {
        (method, (data, net, metric)): number
        for method, (data, _, net, metric), number in printed(find(name))
    }
    assert {
        (row, PLACES[name][column]): number for row, column, number in typed(find(name))
    } == published


@pytest.mark.parametrize("name", GRIDS)
def test_every_trial_has_the_clean_images_of_the_validation_list(name: str) -> None:
    for trial in trials(name):
        data = trial.data
        assert data.meta_drawn == "source"
        assert data.validation == 0
        assert data.meta_per_class == (10 if name == "advisor_large" else None)
        source = data.source.build()
        assert source.meta_images == (20 * source.classes if name == "advisor_large" else 14_313)


def trials(name: str, scale: str = "paper") -> list[Trial]:
    return [trial for *_, trial, _ in find(name).at(scale) if trial]  # type: ignore[arg-type]


def test_an_estimate_takes_no_image_to_train_on_for_a_clean_one() -> None:
    trial = trials("advisor_large")[0]
    task = task_without_data(trial, Site(Path("/nowhere"), torch.device("cpu")))
    assert int(task.counts.sum()) == 115_846


@pytest.mark.parametrize("column", PLACES["advisor_clothing_tail"])
def test_a_tail_of_clothing1m_is_cut_as_its_column_says(column: str) -> None:
    for _, other, trial, _ in find("advisor_clothing_tail").cells():
        if trial and other == column:
            assert trial.data.imbalance
            assert trial.data.imbalance["rho"] == float(column.removeprefix("IF "))


def test_rare_classes_of_the_equalization_loss_have_less_than_about_50_images() -> None:
    for row, _, trial, _ in find("advisor_large").cells():
        if trial and row == "Equalization loss":
            images = trial.loss["threshold"] * trial.data.source.build().images
            assert images == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize("name", GRIDS)
def test_what_is_not_printed_is_said_to_be_assumed(name: str) -> None:
    plan, _ = lay_out(name, "paper", 1, (), lambda trial: (trial, None), lambda measure: None)
    said = " ".join(plan.assumed)
    assert ("batch size 512" in said) == (name == "advisor_large")
    assert ("starts its own method from a baseline" in said) == (name == "advisor_large")
    assert ("all 14,313" in said) == (name != "advisor_large")


def loaded(trial: Trial, seed: int = 0) -> Data:
    return load(trial.data, seed, Path(), torch.device("cpu"))


@pytest.mark.parametrize(
    ("name", "turns", "clean"),
    [("advisor_large", {13, 14}, 4), ("advisor_clothing", {15}, 10)],
)
def test_a_demo_has_digits_of_its_own_and_clean_ones_out_of_them(
    name: str, turns: set[int], clean: int
) -> None:
    small = trials(name, "demo")
    assert {trial.data.source for trial in small} == {Use(Digits, turn=turn) for turn in turns}
    for trial in small:
        assert trial.recipe.lr == pytest.approx(0.025)
        assert (trial.data.meta_drawn, trial.data.meta_per_class) == ("before", clean)


@pytest.mark.parametrize("seed", range(3))
def test_the_demos_of_long_tails_have_images_of_every_class(seed: int) -> None:
    for data in {trial.data: trial for trial in trials("advisor_large", "demo")}.values():
        counts = torch.bincount(loaded(data, seed).train.y, minlength=10)
        assert counts.min() >= 1
        assert counts[0] >= 60 * counts[-1]


def test_the_demo_of_clothing1m_has_as_many_wrong_labels_as_the_data_set() -> None:
    whole, *_ = trials("advisor_clothing_tail", "demo")  # IF 1
    train = loaded(whole).train
    assert len(train.flipped) / len(train) == pytest.approx(0.385, abs=0.03)
    assert train.y[train.flipped].equal((train.clean[train.flipped] + 1) % 10)


def test_at_demo_scale_some_classes_are_rare_to_the_equalization_loss() -> None:
    for row, _, trial, _ in find("advisor_large").at("demo"):
        if trial and row == "Equalization loss":
            counts = torch.bincount(loaded(trial).train.y, minlength=10)
            rare = counts / counts.sum() < trial.loss["threshold"]
            assert 3 <= int(rare.sum()) <= 7
