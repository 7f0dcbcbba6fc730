"""What a trial costs."""

from pathlib import Path

import pytest
import torch

from study.grids.grid import find
from study.preflight import estimate
from study.preflight.dry_run import measured_peaks
from study.preflight.estimate import against_share, cost, places, task_without_data
from tests.trainables.like_gpu import HERE, recordings_made
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.sources.image_folder import ImageFolder
from trainables.heads.word_vectors import WordVectors
from trainables.labels.word_file import WordFile
from trainables.methods.distortion import DistortionDistillation
from trainables.methods.method import Method
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.targets.knowledge import Knowledge
from trainables.training.site import Site
from trainables.trial import Trial

SITE = Site(Path("/nowhere"), torch.device("cpu"))


def test_the_cost_grows_with_epochs_and_images(trial: Trial) -> None:
    one = cost(trial, SITE)
    long = cost(trial.but(recipe=trial.recipe.but(epochs=300)), SITE)
    assert one.seconds > 0
    assert long.seconds > 10 * one.seconds  # a hundred times, but for the noise of a shared machine


def test_a_method_with_two_views_is_measured_with_two(trial: Trial) -> None:
    plain, twice = (
        cost(trial.but(method=Use(method)), SITE) for method in (Method, DistortionDistillation)
    )
    assert twice.mebibytes > plain.mebibytes


def test_memory_is_counted_and_not_measured(trial: Trial) -> None:
    assert cost(trial, SITE).mebibytes == cost(trial, SITE).mebibytes
    wide = trial.but(net=trial.net.but(width=16))
    assert cost(wide, SITE).mebibytes > 2 * cost(trial, SITE).mebibytes


def test_on_a_gpu_steps_are_measured_as_they_are_repeated(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recordings_made(monkeypatch)
    assert cost(trial, HERE).mebibytes == cost(trial, SITE).mebibytes
    assert made == [16]
    cost(trial.but(method=Use(DistortionDistillation)), HERE)
    assert len(made) == 1


def test_large_batches_are_scaled_from_small_ones(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cost(trial, SITE).mebibytes
    monkeypatch.setattr(estimate, "PIXELS", 8 * 64)  # eight images of 8 x 8
    assert cost(trial, SITE).mebibytes == pytest.approx(whole, rel=0.1)


def test_the_task_has_the_numbers_of_the_real_one(trial: Trial) -> None:
    task = task_without_data(trial, SITE)
    assert task.counts.tolist() == [4] * 10  # train_per_class
    assert task.steps == 3  # 40 images in batches of 16
    assert task.names[:2] == ("zero", "one")


def test_the_task_of_unequal_classes_has_about_their_numbers(trial: Trial) -> None:
    tail = trial.data.but(imbalance=Use(LongTail, rho=4))
    assert task_without_data(trial.but(data=tail), SITE).counts.tolist() == [
        4, 3, 2, 2, 2, 1, 1, 1, 1, 1
    ]  # fmt: skip


def test_without_data_and_hierarchy_the_cost_is_told_all_the_same(trial: Trial) -> None:
    folder = Use(ImageFolder, path="none", side=8, resize=8, classes=7, images=70, test_images=14)
    lacking = trial.but(
        data=trial.data.but(source=folder, train_per_class=None), targets=Use(Knowledge)
    )
    assert cost(lacking, SITE).seconds > 0
    assert task_without_data(lacking, SITE).names[6] == "class 6"


def test_without_a_file_of_vectors_the_cost_is_told_all_the_same(trial: Trial) -> None:
    lacking = Use(WordVectors, vectors=Use(WordFile, path="none.txt"))
    assert cost(trial.but(head=lacking), SITE).seconds > 0


def test_memory_is_held_against_the_share_of_a_gpu() -> None:
    assert against_share(0.25, 8000, 1500.4, []) == [
        "memory: 1,500 MiB estimated; --gpus-per-trial 0.25 is 2,000 MiB of this machine's GPU"
    ]
    said, warning = against_share(0.25, 8000, 1500, [1900, 2100])
    assert "1,500 MiB estimated, 2,100 MiB measured (most of 2 finished); " in said
    assert warning.startswith("warning: 2,100 MiB measured (most of 2 finished) is above the 2,000")
    _, warning = against_share(0.1, 8000, 900, [])
    assert warning.startswith("warning: 900 MiB estimated is above the 800 MiB of --gpus-per-trial")
    assert len(against_share(2, 8000, 7000, [])) == 1  # a trial is trained on one GPU
    assert len(against_share(2, 8000, 9000, [])) == 2
    assert against_share(0.1, 8000, 0, []) == []


def test_peaks_are_read_of_trials_that_had_a_gpu(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    for name, gpus, peak in (("a", 0.5, 700), ("b", 0.0, 9000), ("c", 1.0, 800)):
        site = {"gpus": gpus, "peak_memory_mib": peak}
        storage.trial(name).shelf.write_json("result.json", {"status": "finished", "site": site})
    assert measured_peaks(storage, ["a", "b", "c"]) == [700, 800]


@pytest.mark.parametrize(
    ("machine", "trial_gets", "fit"),
    [
        ((16, 0), (4, 1), 4),
        ((16, 1), (1, 1), 1),
        ((16, 1), (1, 0.25), 4),
        ((16, 2), (1, 0.4), 4),  # two a GPU
        ((3, 1), (1, 0.25), 3),
        ((16, 4), (1, 2), 2),
        ((2, 1), (1, 2), 1),
    ],
)
def test_as_many_trials_run_at_once_as_their_gpus_and_cpus_allow(
    machine: tuple[int, int], trial_gets: tuple[float, float], fit: int
) -> None:
    (cpus, gpus), (cpus_per_trial, gpus_per_trial) = machine, trial_gets
    assert places(cpus, cpus_per_trial, gpus, gpus_per_trial) == fit


def test_a_share_of_the_images_is_estimated_as_so_many() -> None:
    grid = find("label_efficiency")
    trial = next(t for _, column, t, _ in grid.at("demo") if t and column == "10%")
    task = task_without_data(trial, SITE)
    # Of 1,200 digits each class counts as 120: a tenth is 12.
    assert task.counts.tolist() == [12] * 10
