"""Run: a trial being trained."""

import math
import time
from collections.abc import Callable, Iterator
from types import MappingProxyType

import torch
from torch import Tensor

from trainables.data.augments.augment import Augment
from trainables.data.data import Batch, load
from trainables.data.loader import training_batches
from trainables.data.samplers.sampler import Sampler
from trainables.methods.method import Method
from trainables.model import fresh
from trainables.recipe import kept_epochs, learning_rate
from trainables.seeding import reseed, seed_of
from trainables.selection import Epoch
from trainables.settings import Invalid
from trainables.storage.trial_files import TrialFiles
from trainables.targets.targets import Targets
from trainables.training import written
from trainables.training.captured import Captured, uncaptured
from trainables.training.evaluation import Evaluation, Known
from trainables.training.recorder import recorder_of
from trainables.training.site import Site
from trainables.training.tasks import Trained, task_of
from trainables.training.workers import unsplit
from trainables.trial import Trial

CHECKPOINT_SECONDS = 600  # an epoch longer than this is saved inside, too
KEPT_CHECKPOINTS = 2
SNAPSHOTS = 5  # evenly spaced epochs after which what is learned beside the weights is written
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
        self.task = task_of(trial, self.data, site, trained)
        self.method: Method = trial.method.build(fresh(self.task), self.task)
        self.evaluation = Evaluation(trial, self.data, self.method, self.workers)
        self.augment: list[Augment] = [use.build() for use in trial.recipe.augment]
        self.history: list[Epoch] = []
        self.step = 0  # of the whole training, counted from 0: the next to be made
        self.losses = torch.full((self.task.steps,), math.nan, device=site.device)
        self.totals: dict[str, Tensor] = {}  # of the running epoch: sums over images
        self.seconds, self.share = 0.0, 1.0  # of training; of what passes, this run's share
        self.repeated = False  # whether steps were repeated from a recording, in any process
        self.fused = 0  # runs that stepped together, the most at any time; 0: never as fused ones
        recorder = recorder_of(site, uncaptured(trial))
        self.captured = Captured(self.method, trial.recipe.batch_size, site.device, recorder)
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

    def together(self, runs: int) -> None:
        """From now on it steps with others: so many in all."""
        now = time.monotonic()
        self.seconds += (now - self.started) * (self.share if self.share < 1 else 0)  # 1: it waited
        self.started, self.share, self.fused = now, 1 / runs, max(self.fused, runs)

    @property
    def epoch(self) -> int:
        """How many are over; of the running one the number, counted from 0."""
        return self.step // self.task.steps

    def train(self, report: Report) -> None:
        """Every epoch that is left. Raises Diverged at the end of an epoch with a bad loss."""
        self.begin()
        while self.epoch < self.trial.recipe.epochs:
            self.train_epoch(report)
        self.finish()

    def begin(self) -> None:
        """What is written before the first step."""
        if self.data.train.truth is not None:
            self.files.write_wrong_labels(written.wrong_labels(self.data))
        if self.evaluation.groups:
            self.files.write_class_counts(written.class_counts(self.data))

    def train_epoch(self, report: Report) -> None:
        """The rest of the running one. Raises Diverged at its end where a loss was bad."""
        self.take_steps()
        self.before_evaluation()
        self.end_epoch(report)

    def take_steps(self) -> None:
        """Those that are left of the running epoch."""
        for batch in self.batches():
            self.workers.begin(batch)
            self.reseed()
            self.note(batch, self.workers.mean(self.captured.update(batch, self.lr)))
        self.captured.rest()

    def end_epoch(self, report: Report, found: Known = MappingProxyType({})) -> None:
        """What is measured and written after an epoch. `found`: what is known of splits.

        Raises Diverged where a metric is not finite.
        """
        recipe, epoch = self.trial.recipe, self.epoch
        self.history.append(self._measured(found))
        self.method.end_epoch()
        self.losses.fill_(math.nan)
        self.totals = {}
        if epoch in kept_epochs(recipe.epochs, recipe.keep):
            self.files.save_model(self.method.model.state_dict(), epoch)
        if epoch in kept_epochs(recipe.epochs, min(SNAPSHOTS, recipe.epochs)):
            self._write_tables(epoch)
            if type(self.method.model.targets).observe is not Targets.observe:
                self._write_soft_labels(epoch)
        self._checkpoint()
        self.files.write_history(self.history)
        report(self.history[-1])

    def finish(self) -> None:
        """What is written after the last epoch."""
        self.files.save_model(self.method.model.state_dict())
        self.files.save_outputs(self.evaluation.outputs())
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

    def batches(self) -> Iterator[Batch]:
        """Of each step that is left of the running epoch. `note` is called between two of them."""
        epoch, first = divmod(self.step, self.task.steps)
        recipe = self.trial.recipe
        if first == 0:
            self.start_epoch(epoch)
        sampler: Sampler = (self.method.sampling_in(epoch) or recipe.sampling).build()
        self.method.train()
        yield from training_batches(
            self.data,
            recipe.batch_size,
            [augment.at(epoch / recipe.epochs) for augment in self.augment],
            self.trial.seed,
            epoch,
            first,
            views=self.method.views,
            sampler=sampler,
            meta=self.method.meta,
            rows=self.workers.rows,
        )

    def reseed(self) -> None:
        """Chance of the running step."""
        when = divmod(self.step, self.task.steps)
        reseed(seed_of(self.trial.seed, "step", *when, *self.workers.apart), self.site.device)

    @property
    def lr(self) -> float:
        """The rate of the running step."""
        return self._lr(self.step)

    def note(self, batch: Batch, metrics: dict[str, Tensor]) -> None:
        """What a step came to, by `Method.update`; with it the step is over."""
        steps = self.task.steps
        self.losses[self.step % steps] = metrics["loss"]
        images = batch.images or len(batch.y)
        for name, value in {**metrics, "images": torch.ones_like(metrics["loss"])}.items():
            self.totals[name] = self.totals.get(name, 0) + value * images
        self.step += 1
        if time.monotonic() - self.saved > CHECKPOINT_SECONDS and self.step % steps:
            self._checkpoint()

    @torch.no_grad()
    def start_epoch(self, epoch: int) -> None:
        """What comes before the first step of an epoch."""
        self.method.eval()
        self.method.start_epoch(epoch, self._sweep)

    @torch.no_grad()
    def before_evaluation(self) -> None:
        """What comes after the last step of an epoch. Raises Diverged where a loss was bad."""
        self.workers.settle(self.method)
        self.method.eval()
        self.method.before_evaluation(self._sweep)
        if len(broken := (~self.losses.isfinite()).nonzero()):
            step = int(broken[0])
            value = float(self.losses[step])
            raise Diverged(f"the loss was {value} in epoch {self.epoch}, step {step + 1}")

    def _sweep(self, meta: bool = False) -> Iterator[Batch]:
        split = self.data.meta if meta else self.data.train
        assert split is not None, "a trial whose method learns from a meta-set has one"
        return self.evaluation.batches(split)

    def _lr(self, step: int) -> float:
        return self.method.lr(learning_rate(self.trial.recipe, step, self.task.steps))

    def _measured(self, found: Known) -> Epoch:
        sums = {name: float(total) for name, total in self.totals.items()}
        images = sums.pop("images")
        seconds = self.seconds + (time.monotonic() - self.started) * self.share
        row: Epoch = {"epoch": self.epoch, "time": time.time(), "seconds": seconds}
        row |= {f"train.{name}": total / images for name, total in sums.items()}
        row |= self.evaluation.metrics(found)
        row["lr"] = self._lr(self.step - 1)
        for name, value in row.items():
            if not math.isfinite(value):  # what the epoch's last step broke, no loss has shown
                raise Diverged(f"{name} was {value} in epoch {self.epoch}, step {self.task.steps}")
        return row

    def _checkpoint(self) -> None:
        now = time.monotonic()
        self.seconds += (now - self.started) * self.share
        self.started = self.saved = now
        self.repeated |= self.captured.repeats
        state = {
            "step": self.step,
            "method": self.method.state_dict(),
            "history": self.history,
            "losses": self.losses,
            "totals": self.totals,
            "seconds": self.seconds,
            "fused": self.fused,
            "repeated": self.repeated,
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
