import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import CPU, NOWHERE, SITE, small_trial
from trainables.data.data import Batch, Data, Split, load
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.loader import evaluation_batches
from trainables.data.sources.digits import NAMES, Digits
from trainables.data.spec import DataSpec
from trainables.methods.method import Method, Sweep
from trainables.model import Model, fresh
from trainables.recipe import kept_epochs
from trainables.selection import CLOCK, RULES, Epoch
from trainables.settings import Invalid, Use
from trainables.storage.result import select
from trainables.storage.storage import Storage
from trainables.targets.knowledge import Knowledge
from trainables.targets.online import Online
from trainables.training import run
from trainables.training.fit import fail, fit
from trainables.training.groups import evaluate
from trainables.training.run import Run
from trainables.training.site import Site
from trainables.training.tasks import task_of
from trainables.trial import Trial

TRIAL = small_trial()
TESTED = small_trial(**{"data.test": True})
ONE_STEP = {"recipe.epochs": 1, "recipe.batch_size": 20, "recipe.augment": ()}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


class Watched(Digits):
    """Notes which parts are loaded."""

    loaded: list[str] = []  # noqa: RUF012  # one list for all

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        self.loaded.append(part)
        return super().load(folder, part)


class Damaged(Digits):
    """Data that cannot be had."""

    def verify(self, folder: Path) -> None:
        raise Invalid(f"{folder}/digits is missing: put it there")


class Diary(Method):
    """Notes each batch and what a step told."""

    batches: list[Batch] = []  # noqa: RUF012
    told: list[dict[str, float]] = []  # noqa: RUF012

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        metrics = super().update(batch, lr)
        self.batches.append(batch)
        self.told.append({name: float(value) for name, value in metrics.items()})
        return metrics


class Faulty(Method):
    """Cannot be made."""

    def __init__(self, *arguments: Any) -> None:
        raise ZeroDivisionError("no such\nthing")


@pytest.fixture
def diary() -> type[Diary]:
    Diary.batches.clear()
    Diary.told.clear()
    return Diary


def untrained(trial: Trial) -> tuple[Model, Data]:
    data = load(trial.data, trial.seed, NOWHERE, CPU)
    return fresh(task_of(trial, data, SITE)), data


def scores(model: Model, data: Data, split: Split) -> Tensor:
    """All at once."""
    (batch,) = evaluation_batches(data, split, len(split))
    with torch.no_grad():
        return model(batch.x).scores


def wrong_labels(storage: Storage, trial: Trial) -> list[tuple[str, int, int, int]]:
    """Lines split, row, clean, given."""
    text = storage.trial(trial.id).shelf.read("wrong_labels.csv")
    assert text is not None
    header, *lines = text.decode().splitlines()
    assert header == "split,row,clean,given"
    split = (line.split(",") for line in lines)
    return [(part, int(row), int(clean), int(label)) for part, row, clean, label in split]


# The result


def test_a_finished_trial_tells_all_of_its_epochs_and_where_it_ran(storage: Storage) -> None:
    result = fit(TESTED, storage, SITE)
    assert (result.status, result.reason) == ("finished", None)
    assert [row["epoch"] for row in result.history] == [1, 2, 3]
    assert list(result.history[0]) == [
        "epoch",
        "time",
        "seconds",
        "train.loss",
        "train.accuracy",
        "validation.accuracy",
        "validation.loss",
        "test.accuracy",
        "test.loss",
        "lr",
    ]
    seconds = [0.0, *(row["seconds"] for row in result.history), result.seconds]
    assert seconds == sorted(set(seconds))  # of all epochs so far
    assert result.ended >= result.history[-1]["time"]
    assert result.site["host"] == socket.gethostname()
    assert result.site["threads"] == 1
    assert result.site["torch"] == torch.__version__
    assert result.site["peak_memory_mib"] > 50
    assert {"device", "python"} <= result.site.keys()


def test_the_result_is_what_is_stored_and_can_be_read_by_any_program(storage: Storage) -> None:
    result = fit(TESTED, storage, SITE)
    shelf = storage.trial(TESTED.id).shelf
    assert shelf.read_json("result.json") == result.to_json()
    assert shelf.read_json("history.json") == result.history
    assert shelf.read_json("trial.json") == TESTED.flat()


def test_after_the_end_weights_and_outputs_are_kept_and_checkpoints_are_not(
    storage: Storage,
) -> None:
    fit(TRIAL, storage, SITE)
    expected = ["history.json", "model.pt", "outputs.pt", "result.json", "site.json", "trial.json"]
    assert storage.trial(TRIAL.id).shelf.names("*") == expected


def test_every_metric_is_selected_by_every_rule(storage: Storage) -> None:
    result = fit(TESTED, storage, SITE)
    assert result.selected.keys() == RULES.keys()
    for rule, chosen in result.selected.items():
        assert not {"epoch", "time", "seconds"} & chosen.keys()
        assert chosen["test.loss"] == RULES[rule](result.history, "test.loss")


def test_what_a_rule_cannot_select_is_left_out() -> None:
    history: list[Epoch] = [{"epoch": 1, "time": 1.0, "test.accuracy": 0.5}]
    assert select(history)["best_validation"] == {}
    assert select(history)["oracle"] == {"test.accuracy": 0.5}


def test_a_trial_with_a_result_is_read_and_not_trained(
    storage: Storage, diary: type[Diary]
) -> None:
    trial = TRIAL.but(method=Use(diary))
    once = fit(trial, storage, SITE)
    again = fit(trial, storage, SITE)
    assert once == again
    assert len(diary.batches) == 6


def test_each_epoch_is_reported_once_when_it_is_stored(storage: Storage) -> None:
    reported: list[Epoch] = []

    def report(row: Epoch) -> None:
        reported.append(row)
        assert storage.trial(TRIAL.id).shelf.read_json("history.json") == reported

    assert fit(TRIAL, storage, SITE, report).history == reported


def test_checkpoints_that_a_killed_process_left_beside_its_result_are_removed(
    storage: Storage,
) -> None:
    fit(TRIAL, storage, SITE)
    shelf = storage.trial(TRIAL.id).shelf
    shelf.write("checkpoint-000000006.pt", b"")
    fit(TRIAL, storage, SITE)
    assert shelf.names("checkpoint-*.pt") == []


def test_two_checkpoints_are_kept_meanwhile(storage: Storage) -> None:
    names: list[list[str]] = []
    shelf = storage.trial(TRIAL.id).shelf
    fit(TRIAL, storage, SITE, lambda row: names.append(shelf.names("checkpoint-*.pt")))
    steps = [[int(name[11:20]) for name in found] for found in names]
    assert steps == [[2], [2, 4], [4, 6]]


def test_soft_labels_that_are_learned_are_stored_after_evenly_spaced_epochs(
    storage: Storage,
) -> None:
    learned = small_trial(targets=Use(Online))
    fit(learned, storage, SITE)
    names = storage.trial(learned.id).shelf.names("soft_labels-*.csv")
    assert names == [f"soft_labels-{epoch:05d}.csv" for epoch in (1, 2, 3)]
    last, final = (storage.trial(learned.id).shelf.read(n) for n in (names[-1], "soft_labels.csv"))
    assert last == final


def test_the_soft_labels_are_stored_as_a_table(storage: Storage) -> None:
    trial = small_trial(targets=Use(Knowledge, hierarchy="strokes"))
    fit(trial, storage, SITE)
    header, *rows = (
        (storage.trial(trial.id).shelf.read("soft_labels.csv") or b"").decode().splitlines()
    )
    assert header == ",".join(NAMES)
    assert len(rows) == 10
    assert sum(map(float, rows[0].split(","))) == pytest.approx(1, abs=1e-4)


# What the numbers mean


def test_accuracy_is_the_share_of_right_predictions_and_loss_the_mean_cross_entropy() -> None:
    probabilities = tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
    found = evaluate(probabilities.log(), tensor([0, 1]), {})
    assert found == pytest.approx({"accuracy": 0.5, "loss": (0.693147 + 1.386294) / 2})


def test_an_epoch_of_one_step_has_the_metrics_of_the_untrained_model(storage: Storage) -> None:
    trial = TRIAL.set(ONE_STEP)
    (row,) = fit(trial, storage, SITE).history
    model, data = untrained(trial)
    said = scores(model.train(), data, data.train)
    assert row["train.loss"] == pytest.approx(float(F.cross_entropy(said, data.train.y)), rel=1e-5)
    right = float((said.argmax(1) == data.train.y).float().mean())
    assert row["train.accuracy"] == pytest.approx(right)


def test_an_epochs_training_metrics_are_means_over_its_images(
    storage: Storage, diary: type[Diary]
) -> None:
    settings = {"method": Use(diary), "recipe.batch_size": 16, "recipe.epochs": 2}
    history = fit(TRIAL.set(settings), storage, SITE).history
    assert [len(batch.y) for batch in diary.batches] == [16, 4, 16, 4]
    for row, steps in zip(history, (diary.told[:2], diary.told[2:]), strict=True):
        for name in ("loss", "accuracy"):
            first, second = (told[name] for told in steps)
            assert row[f"train.{name}"] == pytest.approx((16 * first + 4 * second) / 20)


def test_validation_and_test_metrics_are_those_of_the_weights_after_the_epoch(
    storage: Storage,
) -> None:
    history = fit(TESTED, storage, SITE).history
    model, data = untrained(TESTED)
    model.load_state_dict(storage.trial(TESTED.id).shelf.load("model.pt"))
    for name, split in (("validation", data.validation), ("test", data.test)):
        assert split is not None
        said = scores(model.eval(), data, split)
        right = float((said.argmax(1) == split.y).float().mean())
        assert history[-1][f"{name}.accuracy"] == pytest.approx(right)
        loss = float(F.cross_entropy(said, split.y))
        assert history[-1][f"{name}.loss"] == pytest.approx(loss, rel=1e-4)


def test_the_stored_outputs_give_the_final_accuracy(storage: Storage) -> None:
    history = fit(TESTED, storage, SITE).history
    outputs = storage.trial(TESTED.id).shelf.load("outputs.pt")
    assert outputs["test.scores"].shape == (597, 10)
    for name in ("validation", "test"):
        right = outputs[f"{name}.scores"].argmax(1) == outputs[f"{name}.y"]
        assert history[-1][f"{name}.accuracy"] == float(right.float().mean())


def test_where_labels_were_made_wrong_the_outputs_tell_which(storage: Storage) -> None:
    trial = TRIAL.set({"data.corrupt": "Symmetric(rate=0.4)"})
    fit(trial, storage, SITE)
    outputs = storage.trial(trial.id).shelf.load("outputs.pt")
    data = load(trial.data, trial.seed, NOWHERE, CPU)
    assert data.validation is not None
    for name, split in (("train", data.train), ("validation", data.validation)):
        assert outputs[f"{name}.y"].equal(split.y)
        assert outputs[f"{name}.clean"].equal(split.clean)
    wrong = outputs["train.y"] != outputs["train.clean"]
    assert int(wrong.sum()) == round(0.4 * len(wrong))


def test_where_no_label_was_made_wrong_the_outputs_have_no_training_labels(
    storage: Storage,
) -> None:
    fit(TRIAL, storage, SITE)
    assert not any(
        "train" in k or "clean" in k for k in storage.trial(TRIAL.id).shelf.load("outputs.pt")
    )


def test_each_wrong_label_is_told_by_the_images_row_in_the_data_set(storage: Storage) -> None:
    noisy = {"data.corrupt": "Symmetric(rate=0.4)", "data.train_per_class": 30}
    trial = TRIAL.set({**noisy, "data.validation": 0.25, "recipe.epochs": 1})
    realised = fit(trial, storage, SITE).realised_noise
    data = load(trial.data, trial.seed, NOWHERE, CPU)
    images, true = Digits().load(NOWHERE, "train")
    names = [image.numpy().tobytes() for image in images]  # no two are alike
    right = dict(zip(names, true.tolist(), strict=True))
    found = wrong_labels(storage, trial)
    for name, split in (("train", data.train), ("validation", data.validation)):
        assert split is not None
        pixels = [image.numpy().tobytes() for image in split.images[split.rows]]
        trained_on = dict(zip(pixels, split.y.tolist(), strict=True))
        wrong = {names[row]: (clean, label) for part, row, clean, label in found if part == name}
        changed = {image for image in pixels if trained_on[image] != right[image]}
        assert wrong == {image: (right[image], trained_on[image]) for image in changed}
        assert len(wrong) == round(0.4 * len(split))
    assert realised == sum(part == "train" for part, *_ in found) / 300


def test_where_validation_labels_stay_clean_none_of_them_is_told(storage: Storage) -> None:
    trial = TRIAL.set({"data.corrupt": "Symmetric(rate=0.4, validation=False)"})
    fit(trial, storage, SITE)
    assert {part for part, *_ in wrong_labels(storage, trial)} == {"train"}
    blind = trial.set({"data.validation": 0})
    fit(blind, storage, SITE)
    assert len(wrong_labels(storage, blind)) == 8


def test_wrong_labels_are_told_before_the_first_epoch_and_the_same_when_it_is_begun_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(KeyboardInterrupt):
        pass

    def dying(self: Method, epoch: int, sweep: Sweep) -> None:
        raise Killed

    trial = TRIAL.set({"data.corrupt": "Symmetric(rate=0.4)"})
    with monkeypatch.context() as patch:
        patch.setattr(Method, "start_epoch", dying)
        with pytest.raises(Killed):
            fit(trial, storage, SITE)
    before = wrong_labels(storage, trial)
    fit(trial, storage, SITE)
    assert len(before) > 8
    assert wrong_labels(storage, trial) == before


@pytest.mark.parametrize("rate", [0.4, 1.0])
def test_where_labels_are_wrong_each_epoch_tells_how_far_they_are_learnt(
    rate: float, storage: Storage
) -> None:
    trial = TRIAL.set({"data.corrupt": f"Symmetric(rate={rate})"})
    result = fit(trial, storage, SITE)
    assert result.realised_noise == rate
    model, data = untrained(trial)
    model.load_state_dict(storage.trial(trial.id).shelf.load("model.pt"))
    said, split = scores(model.eval(), data, data.train).argmax(1), data.train
    wrong = split.y != split.clean
    error = float((said != split.y)[wrong].float().mean())
    assert result.history[-1]["train.wrong_label_error"] == pytest.approx(error)
    assert "train.wrong_label_error" in result.selected["last"]


def test_the_share_of_wrong_labels_is_what_came_about(storage: Storage) -> None:
    trial = TRIAL.set({"data.corrupt": "Symmetric(rate=0.5, own_class=True)"})
    split = load(trial.data, trial.seed, NOWHERE, CPU).train
    realised = fit(trial, storage, SITE).realised_noise
    assert realised == len(split.flipped) / 20 < 0.5


def test_where_a_rule_made_no_label_wrong_there_is_nothing_to_learn(storage: Storage) -> None:
    trial = TRIAL.set({"data.corrupt": "Symmetric(rate=0.0)"})
    result = fit(trial, storage, SITE)
    assert (result.status, result.realised_noise) == ("finished", 0)
    assert wrong_labels(storage, trial) == []
    assert "train.wrong_label_error" not in result.history[-1]


def test_without_such_a_rule_nothing_is_said_of_wrong_labels(storage: Storage) -> None:
    result = fit(TRIAL, storage, SITE)
    assert result.realised_noise is None
    assert not any("wrong" in name for name in result.history[-1])


# What a method does at the start of an epoch


class Starting(Method):
    """Notes what it is given at the start of each epoch, and trains at a rate of its own."""

    given: list[tuple[int, bool, bool]] = []  # noqa: RUF012
    swept: list[Batch] = []  # noqa: RUF012
    rates: list[float] = []  # noqa: RUF012

    def start_epoch(self, epoch: int, sweep: Sweep) -> None:
        super().start_epoch(epoch, sweep)
        self.given.append((epoch, self.model.training, torch.is_grad_enabled()))
        self.swept.extend(sweep())

    def lr(self, planned: float) -> float:
        return planned * 0.5**self.epoch

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        self.rates.append(lr)
        assert self.model.training
        assert torch.is_grad_enabled()
        return super().update(batch, lr)


@pytest.fixture
def starting() -> type[Starting]:
    for notes in (Starting.given, Starting.swept, Starting.rates):
        notes.clear()
    return Starting


def test_each_epoch_starts_once_in_evaluation_mode_without_gradient(
    storage: Storage, starting: type[Starting]
) -> None:
    fit(TRIAL.but(method=Use(starting)), storage, SITE)
    assert starting.given == [(epoch, False, False) for epoch in range(3)]


def test_a_sweep_is_the_training_set_in_order_not_augmented(
    storage: Storage, starting: type[Starting]
) -> None:
    fit(TRIAL.set({"method": Use(starting), "recipe.epochs": 1}), storage, SITE)
    data = load(TRIAL.data, TRIAL.seed, NOWHERE, CPU)
    (whole,) = evaluation_batches(data, data.train, 20)
    for name in ("x", "y", "index"):
        swept = torch.cat([getattr(batch, name) for batch in starting.swept])
        assert swept.equal(getattr(whole, name))


def test_the_rate_is_the_methods(storage: Storage, starting: type[Starting]) -> None:
    history = fit(TRIAL.but(method=Use(starting)), storage, SITE).history
    assert starting.rates == [0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]
    assert [row["lr"] for row in history] == [0.05, 0.025, 0.0125]


def test_an_epoch_that_is_resumed_inside_does_not_start_again(
    storage: Storage, starting: type[Starting], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(KeyboardInterrupt):
        """After the fourth step."""

    trial, update = TRIAL.but(method=Use(starting)), starting.update

    def dying(self: Starting, batch: Batch, lr: float) -> dict[str, Tensor]:
        if len(self.rates) == 3:
            raise Killed
        return update(self, batch, lr)

    with monkeypatch.context() as patch:
        patch.setattr(run, "CHECKPOINT_SECONDS", -1)
        patch.setattr(starting, "update", dying)
        with pytest.raises(Killed):
            fit(trial, storage, SITE)
    fit(trial, storage, SITE)
    assert [epoch for epoch, _, _ in starting.given] == [0, 1, 2]
    assert starting.rates == [0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]


def test_the_rate_that_is_told_is_that_of_the_epochs_last_step(storage: Storage) -> None:
    settings = {"recipe.schedule": "step", "recipe.milestones": (1, 2), "recipe.lr": 0.1}
    history = fit(TRIAL.set(settings), storage, SITE).history
    assert [row["lr"] for row in history] == pytest.approx([0.1, 0.01, 0.001])


# Which images


def test_test_images_are_not_loaded_where_the_trial_does_not_want_them(storage: Storage) -> None:
    Watched.loaded.clear()
    trial = small_trial(**{"data.source": Use(Watched)})
    history = fit(trial, storage, SITE).history
    assert Watched.loaded == ["train"]
    assert not any(name.startswith("test.") for row in history for name in row)
    assert not any(n.startswith("test.") for n in storage.trial(trial.id).shelf.load("outputs.pt"))


def test_test_images_are_loaded_where_it_does(storage: Storage) -> None:
    Watched.loaded.clear()
    fit(TESTED.set({"data.source": Use(Watched)}), storage, SITE)
    assert Watched.loaded == ["train", "test"]


def test_test_images_change_nothing_in_training(storage: Storage) -> None:
    histories = [fit(trial, storage, SITE).history for trial in (TRIAL, TESTED)]
    blind, seeing = (
        [{k: v for k, v in row.items() if k not in CLOCK and k[:5] != "test."} for row in history]
        for history in histories
    )
    assert blind == seeing


def test_validation_images_are_never_trained_on(storage: Storage, diary: type[Diary]) -> None:
    trial = TRIAL.set({"method": Use(diary), "data.train_per_class": None, "recipe.epochs": 1})
    fit(trial.set({"data.validation": 0.5, "recipe.augment": ()}), storage, SITE)
    data = load(trial.set({"data.validation": 0.5}).data, trial.seed, NOWHERE, CPU)
    assert data.validation is not None
    (held,) = evaluation_batches(data, data.validation, 1200)
    shown = {tuple(x.flatten().tolist()) for batch in diary.batches for x in batch.x}
    kept = {tuple(x.flatten().tolist()) for x in held.x}
    assert len(shown) + len(kept) > 1100
    assert not shown & kept


def test_without_validation_images_there_are_no_validation_metrics(storage: Storage) -> None:
    result = fit(TRIAL.set({"data.validation": 0}), storage, SITE)
    assert result.status == "finished"
    assert not any(name.startswith("validation.") for name in result.history[-1])
    assert result.selected["best_validation"] == {}


# Epochs whose weights are kept


@pytest.mark.parametrize(
    ("epochs", "keep", "expected"),
    [
        (10, 0, []),
        (10, 1, [10]),
        (10, 2, [5, 10]),
        (10, 3, [3, 7, 10]),
        (3, 3, [1, 2, 3]),
        (300, 4, [75, 150, 225, 300]),
    ],
)
def test_kept_epochs_are_evenly_spaced_and_end_with_the_last(
    epochs: int, keep: int, expected: list[int]
) -> None:
    assert kept_epochs(epochs, keep) == expected


@given(st.integers(1, 400), st.data())
def test_as_many_epochs_are_kept_as_are_asked_for(epochs: int, data: st.DataObject) -> None:
    keep = data.draw(st.integers(1, epochs))
    kept = kept_epochs(epochs, keep)
    assert len(set(kept)) == keep
    assert min(kept) >= 1
    assert kept[-1] == epochs


def test_the_weights_of_kept_epochs_are_stored(storage: Storage) -> None:
    trial = TRIAL.set({"recipe.epochs": 4, "recipe.keep": 2})
    fit(trial, storage, SITE)
    shelf = storage.trial(trial.id).shelf
    assert shelf.names("epoch-*.pt") == ["epoch-00002.pt", "epoch-00004.pt"]
    last, final = shelf.load("epoch-00004.pt"), shelf.load("model.pt")
    assert_close(last, final, rtol=0, atol=0)
    assert not torch.equal(
        shelf.load("epoch-00002.pt")["head.classifier.bias"], final["head.classifier.bias"]
    )


# What goes wrong


def test_a_loss_that_is_no_number_ends_the_trial_and_no_other(storage: Storage) -> None:
    bad = fit(TRIAL.set({"recipe.lr": 1e30}), storage, SITE)
    assert bad.status == "failed"
    assert bad.reason == "the loss was nan in epoch 1, step 2"
    assert (bad.selected, bad.history) == ({}, [])
    assert fit(TRIAL, storage, SITE).status == "finished"
    assert set(storage.results()) == {TRIAL.id, TRIAL.set({"recipe.lr": 1e30}).id}


def test_a_failed_trial_is_not_trained_again(storage: Storage) -> None:
    trial = TRIAL.set({"recipe.lr": 1e30})
    assert fit(trial, storage, SITE) == fit(trial, storage, SITE)


def test_a_failure_that_the_study_writes_replaces_only_a_result_that_is_tried_again(
    storage: Storage,
) -> None:
    shelf = storage.trial(TRIAL.id).shelf
    for retried in (False, True):
        first = {"status": "failed", "reason": "out of GPU memory", "retried": retried}
        shelf.write_json("result.json", first)
        fail(TRIAL, storage, "it hung")
        reason = first["reason"] if retried else "it hung"
        assert shelf.read_json("result.json")["reason"] == reason


def test_weights_that_the_last_step_broke_end_the_trial_too(storage: Storage) -> None:
    trial = TRIAL.set({**ONE_STEP, "recipe.lr": 1e38})  # the one loss is that of good weights
    result = fit(trial, storage, SITE)
    assert result.status == "failed"
    assert result.reason == "validation.loss was nan in epoch 1, step 1"
    json.loads(
        (storage.trial(trial.id).shelf.path / "result.json").read_text(), parse_constant=pytest.fail
    )


def test_epochs_before_the_bad_one_stay_in_the_history(storage: Storage) -> None:
    class Late(Method):
        """Fails in its fourth step."""

        steps = 0

        def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
            self.steps += 1
            metrics = super().update(batch, lr)
            return {**metrics, "loss": metrics["loss"] / (self.steps != 4)}

    result = fit(TRIAL.but(method=Use(Late)), storage, SITE)
    assert result.reason == "the loss was inf in epoch 2, step 2"
    assert [row["epoch"] for row in result.history] == [1]


def test_a_trial_that_is_given_up_took_what_its_epochs_took(storage: Storage) -> None:
    history: list[Epoch] = [{"epoch": 1, "time": 1.0, "seconds": 2.5}]
    history.append({"epoch": 2, "time": 4.0, "seconds": 5.5})
    for rows, seconds in ((history, 5.5), ([{"epoch": 1, "time": 1.0}], 0.0), ([], 0.0)):
        storage.trial(TRIAL.id).clear()
        storage.trial(TRIAL.id).shelf.write_json("history.json", rows)
        fail(TRIAL, storage, "no epoch finished")
        assert storage.trial(TRIAL.id).result().seconds == seconds


def test_bad_data_end_the_trial_with_the_reason(storage: Storage) -> None:
    result = fit(TRIAL.set({"data.source": Use(Damaged)}), storage, SITE)
    assert result.status == "failed"
    assert result.reason == "nowhere/digits is missing: put it there"
    assert result.seconds == 0.0


def test_more_images_a_class_than_there_are_end_the_trial(storage: Storage) -> None:
    result = fit(TRIAL.set({"data.train_per_class": 500}), storage, SITE)
    assert result.status == "failed"
    assert result.reason.startswith("dataspec.train_per_class = 500: must be at most ")


def test_an_error_of_a_part_is_a_result_of_one_line(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fit(TRIAL.but(method=Use(Faulty)), storage, SITE)
    assert (result.status, result.reason) == ("failed", "ZeroDivisionError: no such")
    assert "Traceback" in capsys.readouterr().err


def test_whoever_asks_is_told_of_it_instead(
    storage: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty, errors = TRIAL.but(method=Use(Faulty)), list[Exception]()
    assert fit(faulty, storage, SITE, told=errors.append).failed
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert capsys.readouterr().err == ""

    def refuse(error: Exception) -> None:
        raise error

    elsewhere = Storage(tmp_path / "elsewhere")
    with pytest.raises(ZeroDivisionError, match="no such"):
        fit(faulty, elsewhere, SITE, told=refuse)
    assert elsewhere.trial(faulty.id).result() is None


def test_a_storage_that_cannot_be_written_is_an_error_and_no_result(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("a file")
    with pytest.raises(OSError, match="trials"):
        fit(TRIAL, Storage(tmp_path), SITE)
    assert list(Storage(tmp_path).results()) == []


def test_a_storage_that_fails_during_training_is_an_error_and_no_result(storage: Storage) -> None:
    shelf = storage.trial(TRIAL.id).shelf

    def report(row: Epoch) -> None:
        shutil.rmtree(shelf.path)
        shelf.path.write_text("a file")

    with pytest.raises(OSError, match=TRIAL.id):
        fit(TRIAL, storage, SITE, report)
    assert list(storage.results()) == []


def test_a_storage_that_fails_once_leaves_a_trial_that_can_go_on(storage: Storage) -> None:
    def report(row: Epoch) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        fit(TRIAL, storage, SITE, report)
    assert list(storage.results()) == []
    assert fit(TRIAL, storage, SITE).status == "finished"


def test_a_trial_that_is_not_resolved_has_no_place_in_the_storage(storage: Storage) -> None:
    with pytest.raises(Invalid, match=r"recipe.precision = auto: not resolved"):
        fit(TRIAL.set({"recipe.precision": "auto"}), storage, SITE)
    assert not (storage.root / "trials").exists()


# Where and how


def test_it_trains_in_bfloat16_with_float32_scores_and_weights(storage: Storage) -> None:
    low = {"recipe.precision": "bfloat16", "recipe.memory_format": "channels_last"}
    trial = TESTED.set(low)
    result = fit(trial, storage, SITE)
    assert result.status == "finished"
    shelf = storage.trial(trial.id).shelf
    assert shelf.load("outputs.pt")["test.scores"].dtype == torch.float32
    weights = shelf.load("model.pt")
    assert all(w.dtype in (torch.float32, torch.int64) for w in weights.values())
    plain = fit(TESTED, storage, SITE).history[0]["train.loss"]
    found = result.history[0]["train.loss"]
    assert found != plain
    assert found == pytest.approx(plain, rel=0.02)


def test_two_fits_of_one_trial_are_equal(tmp_path: Path) -> None:
    models = []
    for name in ("one", "two"):
        torch.manual_seed(len(models))
        fit(TRIAL, Storage(tmp_path / name), SITE)
        models.append(Storage(tmp_path / name).trial(TRIAL.id).shelf.load("model.pt"))
    assert_close(*models, rtol=0, atol=0)


def test_it_learns_the_digits(storage: Storage) -> None:
    settings = {"recipe.epochs": 8, "recipe.batch_size": 32, "data.train_per_class": 40}
    trial = TRIAL.set({**settings, "recipe.schedule": "cosine"})
    assert fit(trial, storage, SITE).history[-1]["validation.accuracy"] > 0.6


def test_threads_are_those_of_the_site(storage: Storage) -> None:
    try:
        result = fit(TRIAL.set({"recipe.epochs": 1}), storage, Site(NOWHERE, CPU, threads=2))
        assert torch.get_num_threads() == result.site["threads"] == 2
    finally:
        torch.set_num_threads(1)


def test_here_is_the_gpu_if_there_is_one() -> None:
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    assert Site.here(NOWHERE, threads=3) == Site(NOWHERE, torch.device(kind), 3)


def test_the_parts_are_told_the_classes_their_counts_and_the_steps(storage: Storage) -> None:
    task = Run(TRIAL, storage.trial("x"), SITE).task
    assert (task.names, task.classes, task.steps) == (NAMES, 10, 2)
    assert (task.channels, task.side) == (1, 8)
    assert task.counts.tolist() == [2] * 10


# Unequal classes


def test_of_unequal_classes_groups_are_measured_and_counts_are_stored(storage: Storage) -> None:
    data = DataSpec(
        source=Use(Digits), train_per_class=8, imbalance=Use(LongTail, rho=4), validation=0.1
    )
    trial = small_trial(data=data)
    result = fit(trial, storage, SITE)
    thirds = ["larger", "medium", "smaller"]
    for epoch in result.history:
        for split in ("validation", "test"):
            names = {name for name in epoch if name.startswith(f"{split}.accuracy_")}
            assert names == {f"{split}.accuracy_{n}" for n in (*thirds, "few")}
            assert epoch[f"{split}.accuracy_few"] == epoch[f"{split}.accuracy"]
    content = storage.trial(trial.id).shelf.read("class_counts.csv")
    assert content is not None
    lines = content.decode().splitlines()
    assert lines[0] == "class,images,given"
    assert (lines[1], lines[-1]) == ("zero,8,8", "nine,2,2")


def test_of_equal_classes_no_groups_are_measured(storage: Storage) -> None:
    trial = small_trial()
    epoch = fit(trial, storage, SITE).history[-1]
    assert not [name for name in epoch if "accuracy_" in name]
    assert storage.trial(trial.id).shelf.read("class_counts.csv") is None
