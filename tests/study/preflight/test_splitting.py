"""What several workers cannot train together is refused before anything starts."""

from pathlib import Path

import pytest

from study.command import main
from study.preflight.splitting import check_splitting
from study.request import Resources
from tests.trainables.small import small_trial
from trainables.losses.pairwise_confusion import PairwiseConfusion
from trainables.losses.reweighted import Reweighted
from trainables.losses.self_paced import SelfPaced
from trainables.methods.byot import BYOT
from trainables.methods.co_teaching import CoTeaching
from trainables.methods.distortion import DistortionDistillation
from trainables.methods.method import Method
from trainables.methods.pencil import PENCIL
from trainables.methods.proto_net import ProtoNet
from trainables.settings import Invalid, Use
from trainables.targets.online import Online
from trainables.targets.online_single import OnlineSingle
from trainables.training.workers import unsplit


class OfAUsersOwn(Method):
    """With a step of which nothing is known."""

    def update(self, batch, lr):  # type: ignore[no-untyped-def]
        return super().update(batch, lr)


def test_what_relates_the_images_of_a_batch_cannot_be_split() -> None:
    for part in (CoTeaching, PENCIL, ProtoNet, OfAUsersOwn):
        assert not part.splits(), part
    assert not PairwiseConfusion.splits()
    assert not SelfPaced.splits()
    for use, splits in (
        (Use(Online), True),
        (Use(OnlineSingle), True),
        (Use(OnlineSingle, source="current"), False),
        (Use(Reweighted), True),
        (Use(Reweighted, mean="weights"), False),
        (Use(Reweighted, loss=Use(PairwiseConfusion)), False),
        (Use(Method), True),
        (Use(BYOT), True),
        (Use(DistortionDistillation), True),
        (Use(DistortionDistillation, mmd=1.0), False),
    ):
        assert use.part.splits(**dict(use.items)) == splits, use


def test_the_part_or_the_batch_is_named() -> None:
    trial = small_trial()
    assert unsplit(trial, 1) == unsplit(trial, 2) == unsplit(trial, 5) == ""
    for workers in (3, 10, 20):
        assert unsplit(trial, workers) == (
            "a divisor of recipe.batch_size = 10, with 2 images for each"
        )
    confused = trial.but(loss=Use(PairwiseConfusion))
    assert unsplit(confused, 1) == ""
    why = r"^--gpus-per-trial = 2: must be 1: PairwiseConfusion.* cannot be split"
    with pytest.raises(Invalid, match=why):
        check_splitting([confused], Resources(gpus=2))


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_the_command_refuses_it_in_a_line(
    dry: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = ["--grid", "kesl_ablation", "--storage", str(tmp_path / "home"), *dry]
    assert main([*grid, "--workers-per-trial", "3"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "--workers-per-trial = 3: must be a divisor of recipe.batch_size = " in said[0]
    assert not (tmp_path / "home" / "trials").exists()
