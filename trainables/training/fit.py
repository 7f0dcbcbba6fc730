"""fit: one trial from its first step to its result; resumable at any moment; without Ray."""

import time
import traceback
from typing import Any

import torch

from trainables.settings import Invalid
from trainables.storage.result import OUT_OF_MEMORY, Result, _result, final
from trainables.storage.storage import Storage
from trainables.training.run import Diverged, Report, Run
from trainables.training.site import Site, describe
from trainables.trial import Trial


def fit(
    trial: Trial,
    storage: Storage,
    site: Site,
    report: Report = lambda epoch: None,
    retry: bool = False,
) -> Result:
    """The trial's result: read, if it has one; else trained, from its newest checkpoint on.

    A failure of the trial itself (a loss that is not finite, bad data, too little memory) is a
    result with status "failed" and a reason. Only a storage that cannot be written raises OSError.
    With `retry`, a trial that ran out of GPU memory is trained once more. A teacher that has no
    result yet is trained first.
    """
    shelf = storage.trial(trial.id)
    result: Result | None = shelf.read_json("result.json")
    if result is None or (retry and not final(result)):
        shelf.write_json("trial.json", trial.flat())
        shelf.write_json("site.json", {**describe(site), "begun": time.time()})
        torch.set_num_threads(site.threads)
        if site.device.type == "cuda":  # a worker trains several trials, one after the other
            torch.cuda.reset_peak_memory_stats()
        result = {**_outcome(trial, storage, site, report), "retried": retry}
        shelf.write_json("result.json", result)
    if final(result):
        for name in shelf.names("checkpoint-*.pt"):
            shelf.remove(name)
    return result


def fail(trial: Trial, storage: Storage, reason: str) -> None:
    """A result for a trial that cannot go on, written by the study in the worker's stead.

    One that is final stays.
    """
    shelf = storage.trial(trial.id)
    if final(shelf.read_json("result.json")):
        return
    shelf.write_json("trial.json", trial.flat())
    history = shelf.read_json("history.json") or []
    seconds = history[-1].get("seconds", 0.0) if history else 0.0
    shelf.write_json("result.json", _result(reason, history, seconds, None, {}))


def _outcome(trial: Trial, storage: Storage, site: Site, report: Report) -> Result:
    def trained(teacher: Trial) -> dict[str, Any]:
        state: dict[str, Any] = storage.trial(teacher.id).load("model.pt", site.device)
        return state

    run = None
    try:
        for teacher in trial.teachers():
            if (result := fit(teacher, storage, site))["status"] == "failed":
                raise Invalid(f"its teacher {teacher.id} failed: {result['reason']}")
        run = Run(trial, storage.trial(trial.id), site, trained)
        run.train(report)
        reason = None
    except OSError:
        raise
    except (Diverged, Invalid) as error:
        reason = str(error)
    except torch.OutOfMemoryError:
        reason = OUT_OF_MEMORY
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
    if run is None:
        return _result(reason, [], 0.0, None, describe(site))
    return _result(reason, run.history, run.seconds, run.realised_noise, describe(site))
