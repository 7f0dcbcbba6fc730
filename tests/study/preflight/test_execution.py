"""What cannot be split, or fused, is refused before anything starts."""

from pathlib import Path

import pytest
from torch import Tensor

from study.command import main
from study.preflight.execution import check_execution, check_splitting, separate
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
from trainables.nets.resnet import CifarResNet
from trainables.nets.torchvision_nets import MobileNetV2
from trainables.settings import Invalid, Use
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.targets.online import Online
from trainables.targets.online_single import OnlineSingle
from trainables.training.workers import unsplit
from trainables.trial import Trial


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


def recorded(storage: Storage, trial: Trial, fused: int) -> str:
    site = {"fused": fused} if fused else {}
    storage.trial(trial.id).end(Result(site=site))
    return trial.id


def test_a_table_has_fused_or_separate_trials(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    one, other, left = table = [small_trial(seed=seed) for seed in range(3)]
    separately, fused = recorded(storage, one, 0), recorded(storage, other, 4)
    check_execution([left], table, [fused], storage, Resources(fuse=8))
    check_execution([left], table, [separately], storage, Resources())
    check_execution([], table, [separately, fused], storage, Resources(fuse=8))  # all is there
    for finished, fuse, why in (
        (separately, 8, f"1: trial {separately}, which is recorded, was trained separately"),
        (fused, 1, rf"above 1: trial {fused}, which is recorded, was trained fused \(4\)"),
    ):
        with pytest.raises(Invalid, match=f"^--fuse = {fuse}: must be {why}; or with --mixed"):
            check_execution([left], table, [finished], storage, Resources(fuse=fuse))
        check_execution([left], table, [finished], storage, Resources(fuse=fuse, mixed=True))


class Another(CifarResNet):
    """Its forward pass is not that of the net that says it fuses."""

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return super().forward(x)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"method": Use(BYOT)}, r"BYOT\(.*\) cannot be fused"),
        ({"net": Use(MobileNetV2)}, r"MobileNetV2\(.*\) cannot be fused"),
        ({"net": Use(Another)}, r"Another\(.*\) cannot be fused"),
        ({"net": Use(CifarResNet, depth=14, width=4)}, "CifarResNet.* is in one trial alone"),
    ],
)
def test_what_would_be_separate_is_named(change: dict[str, Use], why: str, tmp_path: Path) -> None:
    table = [small_trial(), small_trial(seed=1), small_trial(**change)]
    lacking, storage = table[1:], Storage(tmp_path)  # one of two alike ones is there already
    with pytest.raises(Invalid, match=f"^--fuse = 8: must be 1: {why}; or with --mixed"):
        check_execution(lacking, table, [], storage, Resources(fuse=8))
    check_execution(lacking, table, [], storage, Resources(fuse=8, mixed=True))
    assert list(separate(lacking, table).values()) == [1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fuse", "0"], "'0'"),
        (["--fuse", "4", "--workers-per-trial", "2"], "must be 1 where 2 workers train a trial"),
        (["--fuse", "4", "--search", "3", "--pruner", "asha"], "must be 1 together with --pruner"),
        (["--fuse", "4", "--search", "3"], "--fuse = 4: must be 1: "),
        (["--fuse", "4"], "--fuse = 4: must be 1: "),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_fusing_is_refused_in_a_line(
    options: list[str],
    said: str,
    dry: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of a table whose rows have nets of their own."""
    grid = ["--grid", "kesl_backbones", "--storage", str(tmp_path / "home"), "--seeds", "1", *dry]
    assert main([*grid, *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[-1]
    assert not (tmp_path / "home" / "trials").exists()


def test_a_dry_run_says_what_would_be_fused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = ["--grid", "kesl_ablation", "--storage", str(tmp_path / "home"), "--dry-run"]
    assert main([*grid, "--fuse", "8", "--mixed"]) == 0
    assert "21 trials would be fused" in capsys.readouterr().out
