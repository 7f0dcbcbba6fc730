"""check_contract: the lines of parts that pass, and the one of a part that does not."""

from pathlib import Path

import pytest
import torch

from study.grids.grid import find
from tests.trainables.contract import wrong
from tests.trainables.contract.test_checks import trial_of
from tests.trainables.small import SITE, small_trial
from trainables.contract import CHECKS, check_contract, shortened
from trainables.contract.contract import EPOCHS
from trainables.contract.resumed import check_resumed, kill_after_epoch, outcome, train
from trainables.data.imbalances.long_tail import LongTail
from trainables.methods.pencil import PENCIL
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.targets.self_distilled import SelfDistilled
from trainables.targets.smooth import Smooth
from trainables.trial import Trial


def refusal(trial: Trial, part: type) -> str:
    with pytest.raises(Invalid) as caught:
        list(check_contract(trial, [part], SITE))
    return str(caught.value)


def line_of(part: type, text: str) -> int:
    """The line of the file of wrong parts, below the class's head, that has this text."""
    lines = Path(wrong.__file__).read_text().splitlines()
    start = lines.index(f"class {part.__name__}(Fine):")
    return next(i for i, line in enumerate(lines, 1) if i > start and text in line)


def test_a_line_a_check_of_the_parts_that_pass(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = torch.get_rng_state()
    trial = small_trial(loss=Use(wrong.Fine), targets=Use(Smooth))
    lines = list(check_contract(trial, [wrong.Fine, Smooth], SITE))
    assert lines == [
        "Fine: declaration",
        "Fine: suggest",
        "Smooth: declaration",
        "Smooth: suggest",
        *(f"Fine, Smooth: {check}" for check in CHECKS),
        "Fine, Smooth: resumed",
    ]
    assert capsys.readouterr().out == ""
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_teacher_is_trained_first_and_an_augmentation_is_a_part_too() -> None:
    trial = small_trial(targets=Use(SelfDistilled))
    (augment,) = trial.recipe.augment
    assert trial.teachers()
    lines = list(check_contract(trial, [SelfDistilled, augment.part], SITE))
    assert lines[-1] == "SelfDistilled, Crop: resumed"
    assert "Crop: suggest" not in lines


def test_an_error_in_a_parts_code_is_told_with_its_place() -> None:
    line = refusal(trial_of(wrong.Failing), wrong.Failing)
    assert line.startswith("Failing: shapes: RuntimeError: Index tensor must have the same number")
    assert line.endswith(f"({wrong.__file__}:{line_of(wrong.Failing, 'gather')})")


def test_so_is_one_in_the_middle_of_a_training(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(trial_of(wrong.Late), wrong.Late)
    assert line.startswith("Late: repeated: TypeError: unsupported operand type(s) for /")
    assert line.endswith(f"({wrong.__file__}:{line_of(wrong.Late, 'epoch == 0')})")
    assert capsys.readouterr().err == ""


def test_one_in_suggest_is_too() -> None:
    assert refusal(trial_of(wrong.Bad), wrong.Bad).startswith("Bad: suggest: LookupError: no range")


def test_a_training_must_come_to_its_end() -> None:
    line = refusal(trial_of(wrong.Nan), wrong.Nan)
    assert line.startswith("Nan: a training must come to its end; it failed: the loss was nan in ")


def test_what_was_found_before_an_epoch_must_be_known_inside_it() -> None:
    line = refusal(trial_of(wrong.Swept), wrong.Swept)
    valid = "a training that is killed and resumed must end bit for bit as any other"
    assert line.startswith(f"Swept: {valid}; it has other ")


def test_a_part_must_stand_in_the_trial() -> None:
    line = refusal(small_trial(), wrong.Fine)
    assert line.startswith("Fine: must be used by the trial that is checked; it uses Digits, Cifar")


def test_a_training_that_goes_on_from_another_state_is_refused(tmp_path: Path) -> None:
    trial, storage = small_trial(), Storage(tmp_path)
    train(trial, storage, SITE, "it")
    whole = outcome(trial, storage)
    storage.trial(trial.id).clear()
    kill_after_epoch(2, trial, storage, SITE)
    check_resumed(trial, storage, SITE, whole, "it")
    whole["model"]["head.classifier.bias"][3] += 1e-6
    with pytest.raises(
        Invalid, match=r"bit for bit as any other; it has other model.head.classifier.bias"
    ):
        check_resumed(trial, storage, SITE, whole, "it")


def test_a_shortened_trial_has_its_parts_and_lengths_in_proportion() -> None:
    recipe = small_trial().recipe.but(
        epochs=30, batch_size=64, schedule="step", milestones=(10, 20), warmup_epochs=5, keep=10
    )
    trial = small_trial(recipe=recipe, loss=Use(wrong.Fine))
    short = shortened(trial)
    assert (short.recipe.epochs, short.recipe.batch_size, short.recipe.keep) == (3, 10, 3)
    assert short.recipe.milestones == (1, 2)
    assert short.recipe.warmup_epochs == 0.5
    assert short.data.train_per_class == 2
    assert not short.data.test
    assert (short.loss, short.recipe.augment) == (trial.loss, trial.recipe.augment)
    assert shortened(short) == short


def test_it_has_as_few_epochs_as_its_parts_allow() -> None:
    pencil = Use(PENCIL, stage1=2, stage2=5)
    longer = small_trial().recipe.but(epochs=40)
    assert shortened(small_trial(recipe=longer, method=pencil)).recipe.epochs == 6


@pytest.mark.parametrize("name", ["ols_noise", "ols_period", "advisor_lt"])
def test_the_demo_trials_of_a_table_can_be_shortened(name: str) -> None:
    for *_, trial, _ in find(name).at("demo"):
        if trial is not None:
            short = shortened(trial)
            assert EPOCHS <= short.recipe.epochs <= max(EPOCHS, trial.recipe.epochs)
            assert list(short.uses()) == list(trial.uses())


def test_unequal_classes_keep_their_images() -> None:
    data = small_trial().data.but(train_per_class=None, imbalance=Use(LongTail, rho=20))
    short = shortened(small_trial(data=data))
    assert short.data.imbalance == data.imbalance
    assert short.data.train_per_class is None
    lines = list(check_contract(short.but(loss=Use(wrong.Fine)), [wrong.Fine], SITE))
    assert lines[-1] == "Fine: resumed"
