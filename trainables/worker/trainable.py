"""The Ray Tune trainable around `fit`: what runs in the actor that Tune starts for a trial."""

from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from ray import tune

from trainables.selection import Epoch
from trainables.settings import Invalid
from trainables.storage.claims import Command, of_trial
from trainables.storage.storage import Storage
from trainables.training.fit import fail, fit
from trainables.training.fit_fused import fit_fused
from trainables.training.site import Site
from trainables.trial import Trial
from trainables.worker import node
from trainables.worker.group import Failed, Places, group


def trainable(
    storage: Storage,
    folder: Path,
    places: Places,
    retry: bool = False,
    command: Command | None = None,
) -> Any:
    """What Tune runs for {"id": ..., "trial": ...}: `fit`. Tune is told each epoch's metrics.

    With "beside", more trials by id or none, it is `fit_fused` of all; each has its own log.

    What a trial prints is appended to its log.txt. Before anything is written the trial is claimed
    for the `command`; where another one trains it, nothing is done, and Tune is told that one as
    "elsewhere": pairs of an id and who it is, since Tune flattens dictionaries. A storage that
    fails is told to Tune as the metric "lost", a node that no trial can be trained on as "unfit",
    not as exceptions, so that Tune retries lost workers only. Of several workers of a trial the one
    in Tune's actor is the first, and does all this.
    """
    driver = node.Driver.of(storage)

    def train(config: dict[str, Any]) -> None:
        trials = trials_of(config)
        elsewhere: dict[str, str] = {}
        try:
            for trial in trials.values():
                node.prepare(trial, folder, storage, driver, places.cache)
            if command:
                claimed = {trial_id: command.claim(of_trial(trial_id)) for trial_id in trials}
                elsewhere = {trial_id: other for trial_id, other in claimed.items() if other}
            own = {i: trial for i, trial in trials.items() if i not in elsewhere}
            if own and "beside" in config:
                _fit_fused(own, storage, places.site(folder))
            elif own:
                alone(config["trial"])
            if elsewhere:
                tune.report({"elsewhere": list(elsewhere.items())})
        except Failed as error:
            fail(config["trial"], storage, str(error), retry)
        except Invalid as error:
            tune.report({"unfit": str(error)})
        except OSError as error:
            lost = f"{type(error).__name__}: {error}"
            tune.report({"lost": lost, "elsewhere": list(elsewhere.items())})

    def alone(trial: Trial) -> None:
        with storage.trial(trial.id).log() as log, redirect_stdout(log), redirect_stderr(log):
            with group(trial, storage, folder, places, driver, retry) as (site, told):
                fit(trial, storage, site, report, retry, told)

    def report(epoch: Epoch) -> None:
        print(_line(epoch), flush=True)
        tune.report(epoch)

    return tune.with_resources(train, tune.PlacementGroupFactory(places.bundles))


def trials_of(config: dict[str, Any]) -> dict[str, Trial]:
    """All that a worker trains, by id; the first one's name stands for all."""
    return {config["id"]: config["trial"], **config.get("beside", {})}


def _fit_fused(trials: dict[str, Trial], storage: Storage, site: Site) -> None:
    """Each has its own log, the first one what parts print. Tune is told each epoch once."""
    with ExitStack() as stack:
        logs = {trial: stack.enter_context(storage.trial(i).log()) for i, trial in trials.items()}
        told = 0.0

        def report(trial: Trial, epoch: Epoch) -> None:
            nonlocal told
            print(_line(epoch), file=logs[trial], flush=True)
            if epoch["epoch"] != told:
                told = epoch["epoch"]
                tune.report({"epoch": told})

        first = next(iter(logs.values()))
        with redirect_stdout(first), redirect_stderr(first):
            fit_fused(list(trials.values()), storage, site, report)


def _line(epoch: Epoch) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in epoch.items())
