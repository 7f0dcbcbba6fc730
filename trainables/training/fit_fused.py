"""fit_fused: trials that are alike, trained together; each resumable, each with its own result."""

import time
import traceback
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from trainables.selection import Epoch
from trainables.storage.storage import Storage
from trainables.training.fit import Told, begin, reason_of, result_of, started
from trainables.training.fused import Broken, Together, shape
from trainables.training.run import Run
from trainables.training.site import Site
from trainables.trial import Trial

ReportOf = Callable[[Trial, Epoch], None]


def fit_fused(
    trials: Sequence[Trial],
    storage: Storage,
    site: Site,
    report: ReportOf = lambda trial, epoch: None,
    told: Told = traceback.print_exception,
) -> None:
    """As `fit`, of trials that are `alike`. Where one fails, the others go on.

    One that is behind, as after a crash, comes to where the others are by itself. Only a storage
    that cannot be written raises OSError.
    """
    left = [trial for trial in trials if storage.trial(trial.id).result() is None]
    begin(left, storage, site)
    groups: dict[Hashable, _Group] = {}
    for trial in left:
        try:
            run = started(trial, storage, site, told)
        except Exception as error:
            _end(trial, None, storage, site, reason_of(error, told))
            continue
        group = groups.setdefault(shape(run), _Group(storage, site, report, told))
        group.runs.append(run)
    for group in groups.values():
        group.train()


class _Group:
    """Runs of one shape, until each has its result."""

    def __init__(self, storage: Storage, site: Site, report: ReportOf, told: Told) -> None:
        self.runs: list[Run] = []
        self._storage, self._site, self._report, self._told = storage, site, report, told

    def train(self) -> None:
        for run in list(self.runs):
            self._try(run, run.begin)
        while len({run.step for run in self.runs}) > 1:
            behind = min(self.runs, key=lambda run: run.step)
            behind.started = time.monotonic()  # it has waited for others
            self._try(behind, partial(behind.train_epoch, self._report_of(behind)))
        while self.runs and self.runs[0].epoch < self.runs[0].trial.recipe.epochs:
            self._train_until_one_ends()
        for run in list(self.runs):
            if self._try(run, run.finish):
                self._end(run, None)

    def _train_until_one_ends(self) -> None:
        """Or all do: then the net of all of them is made anew for those that are left."""
        try:
            together = Together(self.runs)
            while together.runs == self.runs and self.runs[0].epoch < together.epochs:
                self._train_epoch(together)
        except Exception as error:  # in what they do together
            reason = reason_of(error, self._told)
            for run in list(self.runs):
                self._end(run, reason)

    def _train_epoch(self, together: Together) -> None:
        try:
            together.take_steps()
        except Broken as broken:
            for run, error in broken.each:
                self._end(run, reason_of(error, self._told))
            if not self.runs or self.runs[0].epoch == len(self.runs[0].history):
                return  # inside the epoch
        for run in list(self.runs):
            self._try(run, run.before_evaluation)
        for run, found in zip(together.runs, together.evaluated(), strict=True):
            if run in self.runs:
                self._try(run, partial(run.end_epoch, self._report_of(run), found))

    def _report_of(self, run: Run) -> Callable[[Epoch], None]:
        return partial(self._report, run.trial)

    def _try(self, run: Run, what: Callable[[], object]) -> bool:
        """Whether it could be done; if not, the run has ended."""
        try:
            what()
        except Exception as error:
            self._end(run, reason_of(error, self._told))
            return False
        return True

    def _end(self, run: Run, reason: str | None) -> None:
        self.runs.remove(run)
        _end(run.trial, run, self._storage, self._site, reason)


def _end(trial: Trial, run: Run | None, storage: Storage, site: Site, reason: str | None) -> None:
    result = result_of(run, site, reason)
    files = storage.trial(trial.id)
    files.end(result)
    if result.final:
        files.remove_checkpoints()
