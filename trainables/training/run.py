"""Run: a trial being trained."""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from trainables.data.augments.augment import Augment
from trainables.data.data import Batch, Data, Split, load
from trainables.data.loader import evaluation_batches, steps_of, training_batches
from trainables.data.samplers.sampler import Sampler
from trainables.methods.method import Method
from trainables.model import fresh
from trainables.recipe import learning_rate
from trainables.seeding import seed_of
from trainables.selection import Epoch
from trainables.settings import Invalid
from trainables.storage.trial_files import TrialFiles
from trainables.targets.targets import Targets
from trainables.task import Task
from trainables.training import written
from trainables.training.groups import Groups, accuracies, shots, thirds, unequal
from trainables.training.site import Site
from trainables.training.tasks import Trained, task_for
from trainables.training.workers import Some, unsplit
from trainables.trial import Trial

CHECKPOINT_SECONDS = 600  # an epoch longer than this is saved inside, too
KEPT_CHECKPOINTS = 2
SNAPSHOTS = 5  # evenly spaced epochs after which what is learned beside the weights is written
EVALUATED_AT_ONCE = 128  # images, at least: in batches of 64 small nets take a sixth longer
Report = Callable[[Epoch], None]


class Diverged(Exception):
    """The loss was not a finite number."""


class Run:
    """A trial being trained. Made anew at each start; all that lasts is in its checkpoint."""

    def __init__(
        self, trial: Trial, files: TrialFiles, site: Site, trained: Trained | None = None
    ) -> None:
        self.trial, self.files, self.site = trial, files, site
        self.workers = site.workers
        if valid := unsplit(trial, self.workers.size):
            raise Invalid(f"workers = {self.workers.size}: must be {valid}")
        self.data = load(trial.data, trial.seed, site.folder, site.device, site.cache)
        self.wrong = self.data.train.wrong
        self.groups = groups_of(trial, self.data)
        self.task = task_of(trial, self.data, site, trained)
        self.method: Method = trial.method.build(fresh(self.task), self.task)
        self.augment: list[Augment] = [use.build() for use in trial.recipe.augment]
        self.history: list[Epoch] = []
        self.step = 0  # of the whole training, counted from 0: the next to be made
        self.losses = torch.full((self.task.steps,), math.nan, device=site.device)
        self.totals: dict[str, Tensor] = {}  # of the running epoch: sums over images
        self.seconds = 0.0
        self._resume()
        if not self.workers.same(self.step):
            raise OSError("the trial's workers read different checkpoints")
        self.workers.attach(self.method)
        self.started = self.saved = time.monotonic()

    @property
    def realised_noise(self) -> float | None:
        """The share of training labels that are wrong; None where none was made so."""
        split = self.data.train
        return None if split.truth is None else len(split.flipped) / len(split)

    def train(self, report: Report) -> None:
        """Every epoch that is left. Raises Diverged at the end of an epoch with a bad loss."""
        if self.data.train.truth is not None:
            self.files.write_wrong_labels(written.wrong_labels(self.data))
        if self.groups:
            self.files.write_class_counts(written.class_counts(self.data))
        recipe, steps = self.trial.recipe, self.task.steps
        learned = type(self.method.model.targets).observe is not Targets.observe
        for epoch in range(self.step // steps, recipe.epochs):
            self._epoch(epoch)
            self.history.append(self._measure(epoch))
            self.method.end_epoch()
            self.losses.fill_(math.nan)
            self.totals = {}
            if epoch + 1 in kept_epochs(recipe.epochs, recipe.keep):
                self.files.save_model(self.method.model.state_dict(), epoch + 1)
            if epoch + 1 in kept_epochs(recipe.epochs, min(SNAPSHOTS, recipe.epochs)):
                self._write_tables(epoch + 1)
                if learned:
                    self._write_soft_labels(epoch + 1)
            self._checkpoint()
            self.files.write_history(self.history)
            report(self.history[-1])
        self.files.save_model(self.method.model.state_dict())
        self.files.save_outputs(self._outputs())
        self._write_soft_labels()
        self._write_tables()

    def _write_soft_labels(self, epoch: int | None = None) -> None:
        """The targets' matrix, if they have one."""
        soft = getattr(self.method.model.targets, "soft", None)
        if soft is not None:
            self.files.write_soft_labels(written.soft_labels(soft, self.data.names), epoch)

    @torch.no_grad()
    def _write_tables(self, epoch: int | None = None) -> None:
        """What the method tells of itself after an epoch, or at the end."""
        self.method.eval()
        for name, columns in self.method.tables(self._sweep, last=epoch is None).items():
            on_cpu = {key: column.cpu() for key, column in columns.items()}
            self.files.write_of_method(name, written.of_method(on_cpu, self.data), epoch)

    def _epoch(self, epoch: int) -> None:
        trial, recipe, steps = self.trial, self.trial.recipe, self.task.steps
        first = self.step % steps
        if first == 0:
            self.start_epoch(epoch)
        sampler: Sampler = (self.method.sampling_in(epoch) or recipe.sampling).build()
        batches = training_batches(
            self.data,
            recipe.batch_size,
            [augment.at(epoch / recipe.epochs) for augment in self.augment],
            trial.seed,
            epoch,
            first,
            views=self.method.views,
            sampler=sampler,
            meta=self.method.meta,
            rows=self.workers.rows,
        )
        self.method.train()
        for step, batch in enumerate(batches, start=first):
            self.workers.begin(batch)
            reseed(seed_of(trial.seed, "step", epoch, step, *self.workers.apart), self.site.device)
            metrics = self.workers.mean(self.method.update(batch, self._lr(self.step)))
            self.losses[step] = metrics["loss"]
            images = batch.images or len(batch.y)
            for name, value in {**metrics, "images": torch.ones_like(metrics["loss"])}.items():
                self.totals[name] = self.totals.get(name, 0) + value * images
            self.step += 1
            if time.monotonic() - self.saved > CHECKPOINT_SECONDS and step + 1 < steps:
                self._checkpoint()

    @torch.no_grad()
    def start_epoch(self, epoch: int) -> None:
        """What comes before the first step of an epoch."""
        self.method.eval()
        self.method.start_epoch(epoch, self._sweep)

    @torch.no_grad()
    def _before_evaluation(self) -> None:
        self.workers.settle(self.method)
        self.method.eval()
        self.method.before_evaluation(self._sweep)

    def _sweep(self, meta: bool = False) -> Iterator[Batch]:
        split = self.data.meta if meta else self.data.train
        assert split is not None, "a trial whose method learns from a meta-set has one"
        return self._batches(split)

    def _lr(self, step: int) -> float:
        return self.method.lr(learning_rate(self.trial.recipe, step, self.task.steps))

    def _measure(self, epoch: int) -> Epoch:
        self._before_evaluation()
        broken = (~self.losses.isfinite()).nonzero()
        if len(broken):
            step = int(broken[0])
            value = float(self.losses[step])
            raise Diverged(f"the loss was {value} in epoch {epoch + 1}, step {step + 1}")
        sums = {name: float(total) for name, total in self.totals.items()}
        images = sums.pop("images")
        seconds = self.seconds + time.monotonic() - self.started
        row: Epoch = {"epoch": epoch + 1, "time": time.time(), "seconds": seconds}
        row |= {f"train.{name}": total / images for name, total in sums.items()}
        for name, split in (("validation", self.data.validation), ("test", self.data.test)):
            if split is not None:
                scores, others = self._evaluated(split)
                found = evaluate(scores, split.y, self.groups)
                found |= {rule: float(hits.float().mean()) for rule, hits in others.items()}
                row |= {f"{name}.{k}": v for k, v in found.items()}
        if self.wrong is not None:
            said = self._scores(self.wrong).argmax(1)
            row["train.wrong_label_error"] = float((said != self.wrong.y).float().mean())
        row["lr"] = self._lr(self.step - 1)
        for name, value in row.items():
            if not math.isfinite(value):  # what the epoch's last step broke, no loss has shown
                raise Diverged(f"{name} was {value} in epoch {epoch + 1}, step {self.task.steps}")
        return row

    def _scores(self, split: Split) -> Tensor:
        return self._evaluated(split)[0]

    @torch.no_grad()
    def _evaluated(self, split: Split) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores (n, classes), and which images are right by other rules, (n,) by name."""
        self.method.eval()
        return self.workers.evaluated(self.method, len(split), partial(self._batches, split))

    def _batches(self, split: Split, some: Some = lambda count: slice(None)) -> Iterator[Batch]:
        """All images of a split, in order, not augmented; or `some` of so many batches."""
        batch_size = max(2 * self.trial.recipe.batch_size, EVALUATED_AT_ONCE)
        count = math.ceil(len(split) / batch_size)
        return evaluation_batches(self.data, split, batch_size, some(count))

    def _outputs(self) -> dict[str, Tensor]:
        outputs = {}
        for name, split in (("validation", self.data.validation), ("test", self.data.test)):
            if split is not None:
                outputs[f"{name}.scores"] = self._scores(split).cpu()
                outputs[f"{name}.y"] = split.y.cpu()
        for name, split in (("train", self.data.train), ("validation", self.data.validation)):
            if split is not None and split.truth is not None:
                outputs |= {f"{name}.y": split.y.cpu(), f"{name}.clean": split.clean.cpu()}
        return outputs

    def _checkpoint(self) -> None:
        now = time.monotonic()
        self.seconds += now - self.started
        self.started = self.saved = now
        state = {
            "step": self.step,
            "method": self.method.state_dict(),
            "history": self.history,
            "losses": self.losses,
            "totals": self.totals,
            "seconds": self.seconds,
        }
        self.files.save_checkpoint(self.step, state, KEPT_CHECKPOINTS)

    def _resume(self) -> None:
        """From the newest checkpoint that can be read."""
        for name in reversed(self.files.checkpoints()):
            try:
                state = self.files.shelf.load(name, self.site.device)
            except Exception as error:  # torch reports a damaged file by many exceptions
                print(f"{name} cannot be read, an older one is tried: {error}", flush=True)
                continue
            self.method.load_state_dict(state.pop("method"))
            for field, value in state.items():
                setattr(self, field, value)
            print(f"resumed from {name}", flush=True)
            return


def reseed(seed: int, device: torch.device) -> None:
    """As torch.manual_seed, which takes 0.1 ms to note the seed for a GPU that is not there."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def task_of(trial: Trial, data: Data, site: Site, trained: Trained | None = None) -> Task:
    """What the parts of the trial are told of their training."""
    return task_for(
        trial,
        data.names,
        data.train.y,
        channels=data.mean.shape[1],
        side=data.side,
        steps=steps_of(len(data.train), trial.recipe.batch_size),
        folder=site.folder,
        device=site.device,
        trained=trained,
    )


@torch.no_grad()
def evaluate(scores: Tensor, y: Tensor, groups: Groups) -> Epoch:
    """Accuracy, in groups too, and mean cross-entropy of scores (n, classes) to labels (n,)."""
    loss = torch.nn.functional.cross_entropy(scores, y)
    hits = scores.argmax(1) == y
    whole = {"accuracy": float(hits.float().mean()), "loss": float(loss)}
    return whole | accuracies(hits, y, groups)


def groups_of(trial: Trial, data: Data) -> Groups:
    """By the true labels of the training images; none where classes have about as many."""
    counts = data.train.clean.bincount(minlength=len(data.names))
    if trial.data.imbalance is None and not unequal(counts):
        return {}
    return thirds(counts, trial.data.odd_third) | shots(counts)


def kept_epochs(epochs: int, keep: int) -> list[int]:
    """`keep` evenly spaced epochs, the last one among them, counted from 1."""
    return [round(epochs * (i + 1) / keep) for i in range(keep)]
