"""What every part must keep to, alone and with others; a new part is found by itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.small import SITE, small_trial
from trainables.contract import CHECKS, check_declared, check_suggest
from trainables.contract.begun import Start, first_batch
from trainables.contract.bits import different
from trainables.contract.resumed import check_resumed, kill_after_epoch, kill_in_step, outcome
from trainables.contract.shown import check_mass, observed
from trainables.contract.steps import check_observe
from trainables.data.augments.augment import Augment
from trainables.data.corruptions.corrupt import Corrupt
from trainables.data.data import Batch
from trainables.data.imbalances.imbalance import Imbalance
from trainables.data.samplers.sampler import Sampler, Shuffle
from trainables.data.sources.source import Source
from trainables.heads.head import Head
from trainables.heads.label_decoder import LabelDecoder
from trainables.heads.prototypes import Prototypes
from trainables.labels.matrices.label_matrices import LabelMatrices
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.labels.words import ClassVectors
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.huber import Huber
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.nets.net import Net
from trainables.nets.resnet import CifarResNet
from trainables.selection import Epoch
from trainables.settings import Invalid, Use, classes_of
from trainables.storage.folder import Folder
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles
from trainables.targets.knowledge import Knowledge
from trainables.targets.label_matrix import LabelMatrix
from trainables.targets.smooth import Smooth
from trainables.targets.targets import Targets
from trainables.task import Out, Task
from trainables.training.fit import fit
from trainables.training.run import Run
from trainables.trial import Trial

FIELDS = {"net": Net, "head": Head, "targets": Targets, "loss": Loss, "method": Method}

# What a part is given here besides its defaults: settings that have none, and a small size.
KEYWORDS: dict[str, dict[str, Any]] = {
    "CifarResNet": {"depth": 8, "width": 4},
    "DimensionalityDriven": {"window": 2},  # below three epochs
    "Knowledge": {"hierarchy": "strokes"},
    "LabelDecoder": {"labels": Use(UniformMatrices, shape=(16, 16))},
    # As at paper scale: the demo of each has its change of stage inside three epochs.
    "PENCIL": {"stage1": 8, "stage2": 16},
    "Arazo": {"start": 7.5},
    "SelfLearning": {"start": 7.5},
    # Their second stage is the last of three epochs.
    "CRT": {"start": 0.5},
    "LWS": {"start": 0.5},
    "MetaSampler": {"start": 0.5},
    "FineTuning": {"start": 0.5},
}
DECODER = Use(LabelDecoder, **KEYWORDS["LabelDecoder"])
# What stands beside a part: by default the plain parts of small_trial.
BESIDE: dict[str, dict[str, Any]] = {
    "GCPL": {"head": Use(Prototypes)},
    "Huber": {"head": DECODER, "targets": Use(LabelMatrix)},
    "LabelMatrix": {"head": DECODER, "loss": Use(Huber)},
    "ProtoNet": {"head": Use(Prototypes)},
    "KnowledgeLoss": {"targets": Use(Knowledge, hierarchy="strokes")},  # the label has zeros
}


class Running(Targets):
    """Targets with a memory: half the label, half the mean of all predictions so far."""

    nothing_to_search = "a test's own"
    seen: Tensor
    steps: Tensor
    epochs: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.register_buffer("seen", torch.ones(task.classes))
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("epochs", torch.tensor(0))

    def forward(self, batch: Batch, out: Out) -> Tensor:
        label = torch.nn.functional.one_hot(batch.y, self.task.classes)
        return (label + self.seen / self.seen.sum()) / 2

    def observe(self, batch: Batch, out: Out) -> None:
        assert not torch.is_grad_enabled()
        assert not out.scores.requires_grad
        self.seen += out.scores.softmax(1).sum(0)
        self.steps += 1

    def end_epoch(self) -> None:
        self.epochs += 1


class Drawn(Targets):
    """Targets that are drawn anew in each step."""

    draws = True
    nothing_to_search = "a test's own"

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return torch.rand_like(out.scores).softmax(1)


def stands_beside(part: type) -> dict[str, Any]:
    clean = {"data.meta_per_class": 2} if getattr(part, "meta", False) else {}
    return BESIDE.get(part.__name__, {}) | clean


def alone() -> Iterator[tuple[str, Trial]]:
    for field, kind in FIELDS.items():
        for name, cls in classes_of(kind).items():
            use = Use(cls, **KEYWORDS.get(name, {})).demo()
            yield name, small_trial(**{field: use, **stands_beside(cls)})


STROKES = Use(Knowledge, hierarchy="strokes")
TOGETHER = {
    "Knowledge + CrossEntropy": small_trial(targets=STROKES, loss=Use(CrossEntropy)),
    "Knowledge + forward": small_trial(targets=STROKES, loss=Use(KnowledgeLoss, kl="forward")),
    "Smooth + KnowledgeLoss": small_trial(targets=Use(Smooth), loss=Use(KnowledgeLoss, alpha=0)),
    "targets with a memory": small_trial(targets=Use(Running)),
    "targets by chance": small_trial(targets=Use(Drawn)),
}
TRIALS = {**dict(alone()), **TOGETHER}

every_trial = pytest.mark.parametrize("trial", TRIALS.values(), ids=TRIALS)
OTHER_KINDS = (Source, Augment, Corrupt, Imbalance, Sampler, ClassVectors, LabelMatrices)
parts = [cls for kind in (*FIELDS.values(), *OTHER_KINDS) for cls in classes_of(kind).values()]


def started(trial: Trial, path: Path) -> Run:
    return Run(trial, TrialFiles(Folder(path / "run")), SITE)


# Each part by itself


def test_each_of_the_kinds_has_a_part() -> None:
    assert all(classes_of(kind) for kind in FIELDS.values())


@pytest.mark.parametrize("part", parts, ids=lambda part: part.__name__)
def test_every_part_has_a_test_file(part: type) -> None:
    *folders, module = part.__module__.split(".")[1:]
    assert Path(__file__).parent.joinpath(*folders, f"test_{module}.py").is_file()


@pytest.mark.parametrize("part", parts, ids=lambda part: part.__name__)
def test_every_part_has_a_docstring_and_a_kind_for_each_keyword(part: type) -> None:
    check_declared(part)


@every_trial
def test_what_each_part_offers_to_a_search_is_valid(trial: Trial) -> None:
    for use in (trial.head, trial.targets, trial.loss, trial.method):
        check_suggest(use)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@every_trial
def test_every_part_keeps_to_the_contract(
    trial: Trial, check: Callable[[Start], None], tmp_path: Path
) -> None:
    check(partial(started, trial, tmp_path))


# Targets that are shares of the classes.
shares = pytest.mark.parametrize(
    "part",
    [part for part in classes_of(Targets).values() if part is not LabelMatrix],
    ids=lambda part: part.__name__,
)


@shares
def test_targets_have_zeros_where_they_are_not_positive(
    part: type[Targets], tmp_path: Path
) -> None:
    use = Use(part, **KEYWORDS.get(part.__name__, {}))
    trial, mass = small_trial(targets=use), part.mass(**dict(use.items))
    check_mass(partial(started, trial, tmp_path))
    run = started(trial, tmp_path)
    model, batch = run.method.model, first_batch(run)
    assert mass in ("distribution", "positive")
    assert (model.targets(batch, model(batch.x)).min() > 0) == (mass == "positive")
    targets, batch, said = observed(started(trial, tmp_path), sure=1e4)
    assert targets.log(batch, said).isfinite().all() == (mass == "positive")


@every_trial
def test_it_learns(trial: Trial, tmp_path: Path) -> None:
    run = started(trial, tmp_path)
    batch = first_batch(run)
    run.method.train()
    losses = [float(run.method.update(batch, lr=0.02)["loss"]) for _ in range(12)]
    assert sum(losses[-3:]) < sum(losses[:3])


@pytest.mark.parametrize("method", classes_of(Method).values(), ids=lambda cls: cls.__name__)
def test_targets_observe_exactly_once_a_step(method: type[Method], tmp_path: Path) -> None:
    use = Use(method, **KEYWORDS.get(method.__name__, {})).demo()
    with_memory = {"method": use, "targets": Use(Running), **stands_beside(method)}
    if "targets" in method.replaces:
        with pytest.raises(Invalid, match=r"trial.targets = Running\(\): must be OneHot"):
            small_trial(**with_memory)
    else:
        check_observe(partial(started, small_trial(**with_memory), tmp_path))


def test_targets_observe_every_step_of_a_training_and_hear_of_the_end_of_every_epoch(
    tmp_path: Path,
) -> None:
    trial = TOGETHER["targets with a memory"]
    fit(trial, Storage(tmp_path), SITE)
    state = Storage(tmp_path).trial(trial.id).shelf.load("model.pt")
    assert (int(state["targets.steps"]), int(state["targets.epochs"])) == (6, 3)


def test_every_step_draws_numbers_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Tensor] = []
    forward = Drawn.forward

    def record(self: Drawn, batch: Batch, out: Out) -> Tensor:
        drawn.append(forward(self, batch, out))
        return drawn[-1]

    monkeypatch.setattr(Drawn, "forward", record)
    fit(TOGETHER["targets by chance"], Storage(tmp_path), SITE)
    assert len({tuple(targets.flatten().tolist()) for targets in drawn}) == 6


# Together: heads and samplers with all losses, methods and targets


def beside(kind: type) -> Iterator[Any]:
    """A trial for each part of the kind, with what must stand beside it."""
    (field,) = (name for name, other in FIELDS.items() if other is kind)
    for name, cls in classes_of(kind).items():
        use = Use(cls, **KEYWORDS.get(name, {})).demo()
        yield pytest.param(small_trial(**{field: use, **stands_beside(cls)}), id=name)


def train_a_step(trial: Trial, path: Path) -> None:
    run = started(trial, path)
    run.method.train()
    metrics = run.method.update(first_batch(run), lr=0.02)
    assert all(value.isfinite() for value in metrics.values())
    run.method.eval()
    assert run.method.predict(first_batch(run).x).shape == (20, 10)


@pytest.mark.parametrize("head", classes_of(Head).values(), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("trial", [*beside(Loss), *beside(Method), *beside(Targets)])
def test_every_head_goes_with_every_loss_method_and_targets(
    head: type[Head], trial: Trial, tmp_path: Path
) -> None:
    takes = (use.part.takes_distances(**dict(use.items)) for use in (trial.loss, trial.method))
    use = Use(head, **KEYWORDS.get(head.__name__, {}))
    if any(takes) and not head.emits_distances:
        with pytest.raises(Invalid, match="must be one that emits squared distances"):
            trial.but(head=use)
    elif trial.targets == Use(LabelMatrix) and not head.emits_labels:
        with pytest.raises(Invalid, match="must be one that emits labels"):
            trial.but(head=use)
    elif "head" in trial.method.part.replaces and use != trial.head:
        with pytest.raises(Invalid, match="must be Linear"):
            trial.but(head=use)
    else:
        train_a_step(trial.but(head=use), tmp_path)


@pytest.mark.parametrize("sampler", classes_of(Sampler).values(), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("trial", [*beside(Method)])
def test_every_sampler_goes_with_every_method_that_has_none_of_its_own(
    sampler: type[Sampler], trial: Trial, tmp_path: Path
) -> None:
    if trial.method.part.sampling and sampler is not Shuffle:
        with pytest.raises(Invalid, match="draws its batches by a rule of its own"):
            trial.but(recipe=trial.recipe.but(sampling=Use(sampler)))
    else:
        train_a_step(trial.but(recipe=trial.recipe.but(sampling=Use(sampler))), tmp_path)


# Paired: what trials of one seed share


@contextmanager
def recorded(method: type[Method]) -> Iterator[list[Batch]]:
    """The batches that methods of this class are shown."""
    batches: list[Batch] = []
    update = method.update

    def record(self: Method, batch: Batch, lr: float) -> dict[str, Tensor]:
        held = (getattr(batch, field.name) for field in fields(Batch))
        batches.append(Batch(*(x.clone() if isinstance(x, Tensor) else x for x in held)))
        return update(self, batch, lr)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, "update", record)
        yield batches


@dataclass(frozen=True)
class Whole:
    """A training that nothing disturbed, and its folder as it was after two epochs."""

    outcome: dict[str, Any]
    batches: list[Batch]
    after_two: Path


Undisturbed = Callable[[Trial], Whole]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Each trial is trained once for all tests."""

    @cache
    def run(trial: Trial) -> Whole:
        folder, after_two = (tmp_path_factory.mktemp(name) for name in ("undisturbed", "two"))
        storage = Storage(folder)

        def report(row: Epoch) -> None:
            if row["epoch"] == 2:
                copytree(folder, after_two, dirs_exist_ok=True)

        for teacher in trial.teachers():  # so that what is counted is the trial's own
            fit(teacher, storage, SITE)
        with recorded(trial.method.part) as batches:
            assert fit(trial, storage, SITE, report).status == "finished"
        return Whole(outcome(trial, storage), batches, after_two)

    return run


@every_trial
def test_trials_of_one_seed_see_the_same_batches_whatever_their_parts(
    trial: Trial, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    other = undisturbed(trial).batches
    method = started(trial, tmp_path).method if not trial.teachers() else None
    plain: list[Batch] = []
    for epoch in range(3):
        # A method with a sampler of its own sees what any other sees by that sampler.
        own = method.sampling_in(epoch) if method else None
        usual = small_trial().recipe.but(sampling=own or trial.recipe.sampling)
        usually = undisturbed(small_trial(recipe=usual, data=trial.data))
        plain += usually.batches[2 * epoch : 2 * epoch + 2]
    assert len(plain) == 6
    for one, two in zip(plain, other, strict=True):
        assert different(vars(one), {**vars(two), "other": None, "meta": None}) == []
        assert (two.other is None) == (trial.method.part.views == 1)


def test_trials_of_other_seeds_see_other_batches(undisturbed: Undisturbed) -> None:
    one, other = (undisturbed(small_trial(seed=seed)).batches for seed in (0, 1))
    assert not torch.equal(one[0].x, other[0].x)


def test_every_epoch_has_an_order_and_an_augmentation_of_its_own(undisturbed: Undisturbed) -> None:
    batches = undisturbed(small_trial()).batches
    epochs = [batches[i : i + 2] for i in (0, 2, 4)]
    orders = [torch.cat([batch.index for batch in epoch]) for epoch in epochs]
    assert all(sorted(order.tolist()) == list(range(20)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 3
    images = [
        torch.cat([batch.x for batch in epoch])[order.argsort()]
        for epoch, order in zip(epochs, orders, strict=True)
    ]
    assert not torch.equal(images[0], images[1])


@pytest.mark.parametrize("name", [name for name in TRIALS if name not in classes_of(Net)])
def test_trials_of_one_seed_and_net_start_from_the_same_net(name: str, tmp_path: Path) -> None:
    plain, other = (started(trial, tmp_path) for trial in (small_trial(), TRIALS[name]))
    nets = (run.method.model.net.state_dict() for run in (plain, other))
    assert different(*nets) == []


def test_trials_of_one_seed_and_head_start_from_the_same_head_whatever_the_net(
    tmp_path: Path,
) -> None:
    nets = [Use(CifarResNet, depth=depth, width=4) for depth in (8, 14)]
    heads = [started(small_trial(net=net), tmp_path).method.model.head for net in nets]
    assert different(*(head.state_dict() for head in heads)) == []


# Resumed: as if nothing had happened


@every_trial
def test_a_trial_killed_after_an_epoch_ends_bit_for_bit_as_if_it_had_not_been(
    trial: Trial, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    storage, whole = Storage(tmp_path), undisturbed(trial)
    copytree(whole.after_two, tmp_path, dirs_exist_ok=True)  # what a process leaves that dies then
    assert storage.trial(trial.id).result() is None
    with recorded(trial.method.part) as batches:
        check_resumed(trial, storage, SITE, whole.outcome, "the trial")
    assert len(batches) == 2  # of the third epoch, and of no other


@every_trial
def test_a_trial_killed_inside_an_epoch_ends_bit_for_bit_as_if_it_had_not_been(
    trial: Trial, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    storage = Storage(tmp_path)
    kill_in_step(4, trial, storage, SITE)  # the second of the second epoch
    names = storage.trial(trial.id).shelf.names("checkpoint-*.pt")
    assert names == ["checkpoint-000000002.pt", "checkpoint-000000003.pt"]
    whole = undisturbed(trial).outcome
    with recorded(trial.method.part) as batches:
        check_resumed(trial, storage, SITE, whole, "the trial")
    assert len(batches) == 3


# The same at every other moment, with targets that remember

MEMORY = TOGETHER["targets with a memory"].set({"recipe.keep": 2})


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_whichever_epoch_was_the_last(epoch: int, tmp_path: Path, undisturbed: Undisturbed) -> None:
    storage = Storage(tmp_path)
    kill_after_epoch(epoch, MEMORY, storage, SITE)
    check_resumed(MEMORY, storage, SITE, undisturbed(MEMORY).outcome, "the trial")


@pytest.mark.parametrize("step", range(1, 7))
def test_whichever_step_was_the_last(step: int, tmp_path: Path, undisturbed: Undisturbed) -> None:
    storage = Storage(tmp_path)
    kill_in_step(step, MEMORY, storage, SITE)
    check_resumed(MEMORY, storage, SITE, undisturbed(MEMORY).outcome, "the trial")


def test_killed_again_and_again(tmp_path: Path, undisturbed: Undisturbed) -> None:
    storage = Storage(tmp_path)
    for step in (2, 3, 4):
        kill_in_step(step, MEMORY, storage, SITE)
    check_resumed(MEMORY, storage, SITE, undisturbed(MEMORY).outcome, "the trial")


@pytest.mark.parametrize("size", [0, 1000])
def test_a_truncated_checkpoint_is_passed_over_for_the_one_before(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], undisturbed: Undisturbed
) -> None:
    storage = Storage(tmp_path)
    kill_after_epoch(2, MEMORY, storage, SITE)
    shelf = storage.trial(MEMORY.id).shelf
    older, newest = shelf.names("checkpoint-*.pt")
    (shelf.path / newest).write_bytes((shelf.path / newest).read_bytes()[:size])
    with recorded(Method) as batches:
        fit(MEMORY, storage, SITE)
    assert len(batches) == 4
    printed = capsys.readouterr().out
    assert f"{newest} cannot be read, an older one is tried" in printed
    assert f"resumed from {older}" in printed
    assert different(outcome(MEMORY, storage), undisturbed(MEMORY).outcome) == []


def test_where_no_checkpoint_can_be_read_training_starts_afresh(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    storage = Storage(tmp_path)
    kill_after_epoch(2, MEMORY, storage, SITE)
    for name in storage.trial(MEMORY.id).shelf.names("checkpoint-*.pt"):
        (storage.trial(MEMORY.id).shelf.path / name).write_bytes(b"")
    check_resumed(MEMORY, storage, SITE, undisturbed(MEMORY).outcome, "the trial")


def test_in_bfloat16_too(tmp_path: Path, undisturbed: Undisturbed) -> None:
    low = {"recipe.precision": "bfloat16", "recipe.memory_format": "channels_last"}
    trial, storage = MEMORY.set(low), Storage(tmp_path)
    kill_after_epoch(2, trial, storage, SITE)
    check_resumed(trial, storage, SITE, undisturbed(trial).outcome, "the trial")
