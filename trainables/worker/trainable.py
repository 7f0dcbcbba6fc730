"""The Ray Tune trainable around `fit`: what runs in the actor that Tune starts for a trial."""

from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from ray import tune

from trainables.selection import Epoch
from trainables.settings import Invalid
from trainables.storage.claims import Command, of_trial
from trainables.storage.storage import Storage
from trainables.training.fit import fail, fit
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

    What a trial prints is appended to its log.txt. Before anything is written the trial is claimed
    for the `command`; where another one trains it, nothing is done, and Tune is told that one as
    "elsewhere". A storage that fails is told to Tune as the metric "lost", a node that no trial can
    be trained on as "unfit", not as exceptions, so that Tune retries lost workers only. Of several
    workers of a trial the one in Tune's actor is the first, and does all this.
    """
    driver = node.Driver.of(storage)

    def train(config: dict[str, Any]) -> None:
        trial = config["trial"]
        try:
            node.prepare(trial, folder, storage, driver, places.cache)
            if command and (other := command.claim(of_trial(config["id"]))):
                tune.report({"elsewhere": other})
                return
            with storage.trial(config["id"]).log() as log:
                with redirect_stdout(log), redirect_stderr(log):
                    with group(trial, storage, folder, places, driver, retry) as (site, told):
                        fit(trial, storage, site, report, retry, told)
        except Failed as error:
            fail(trial, storage, str(error), retry)
        except Invalid as error:
            tune.report({"unfit": str(error)})
        except OSError as error:
            tune.report({"lost": f"{type(error).__name__}: {error}"})

    def report(epoch: Epoch) -> None:
        print(", ".join(f"{name} {value:.6g}" for name, value in epoch.items()), flush=True)
        tune.report(epoch)

    return tune.with_resources(train, tune.PlacementGroupFactory(places.bundles))
