"""fit: one trial from its first step to its result; resumable at any moment; without Ray."""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from trainables.settings import Invalid
from trainables.storage.result import OUT_OF_MEMORY, Result, select
from trainables.storage.storage import Storage
from trainables.training.run import Diverged, Report, Run
from trainables.training.site import Site, describe
from trainables.trial import Trial

Told = Callable[[Exception], object]


def fit(
    trial: Trial,
    storage: Storage,
    site: Site,
    report: Report = lambda epoch: None,
    retry: bool = False,
    told: Told = traceback.print_exception,
) -> Result:
    """The trial's result: read, if it has one; else trained, from its newest checkpoint on.

    A failure of the trial itself (a loss that is not finite, bad data, too little memory) is a
    result with status "failed" and a reason. Only a storage that cannot be written raises OSError.
    With `retry`, a trial that ran out of GPU memory is trained once more. A teacher that has no
    result yet is trained first. `told` hears of an error in the parts' code; what it raises passes.
    Each of several workers calls it, all but the first with a storage that is `unwritten`.
    """
    files = storage.trial(trial.id)
    result = files.result()
    if result is None or (retry and not result.final):
        begin([trial], storage, site)
        result = replace(_outcome(trial, storage, site, report, told), retried=retry)
        files.end(result)
    if result.final:
        files.remove_checkpoints()
    return result


def begin(trials: Sequence[Trial], storage: Storage, site: Site) -> None:
    """What is written and set before trials are trained in this process."""
    for trial in trials:
        files = storage.trial(trial.id)
        files.write_settings(trial.flat())
        files.write_site({**describe(site), "begun": time.time()})
    torch.set_num_threads(site.threads)
    if site.device.type == "cuda":  # a worker trains several trials, one after the other
        torch.cuda.reset_peak_memory_stats()


def fail(trial: Trial, storage: Storage, reason: str, retried: bool = False) -> None:
    """A result for a trial that cannot go on, written by the study in the worker's stead.

    One that is final stays.
    """
    files = storage.trial(trial.id)
    if files.final_result():
        return
    files.write_settings(trial.flat())
    history = files.history()
    seconds = history[-1].get("seconds", 0.0) if history else 0.0
    files.end(Result(reason=reason, history=history, seconds=seconds, retried=retried))


def _outcome(trial: Trial, storage: Storage, site: Site, report: Report, told: Told) -> Result:
    run = reason = None
    try:
        run = started(trial, storage, site, told)
        run.train(report)
    except Exception as error:
        reason = reason_of(error, told)
    return result_of(run, site, reason)


def started(trial: Trial, storage: Storage, site: Site, told: Told) -> Run:
    """The run at its newest checkpoint, when its teachers are trained."""

    def trained(teacher: Trial) -> dict[str, Any]:
        return storage.trial(teacher.id).model(site.device)

    for teacher in trial.teachers():
        if (result := fit(teacher, storage, site, told=told)).failed:
            raise Invalid(f"its teacher {teacher.id} failed: {result.reason}")
        site.workers.same(0)  # the first one has written the teacher's weights
    return Run(trial, storage.trial(trial.id), site, trained)


def reason_of(error: Exception, told: Told) -> str:
    """Why a trial has failed, in a line. Raises an OSError: that is not the trial's."""
    if isinstance(error, OSError):
        raise error
    if isinstance(error, (Diverged, Invalid)):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError):
        return OUT_OF_MEMORY
    told(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


def result_of(run: Run | None, site: Site, reason: str | None) -> Result:
    """How a trial ended, where its run had come. None: there is no run, it finished."""
    if run is None:
        return Result(reason=reason, site=describe(site))
    how = {"fused": run.fused} if run.fused else {}
    how |= {"captured": True} if run.repeated else {}
    return Result(
        reason=reason,
        history=run.history,
        selected=select(run.history) if reason is None else {},
        realised_noise=run.realised_noise,
        seconds=run.seconds,
        site=describe(site) | how,
    )
