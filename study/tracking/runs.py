"""Runs: the experiment and its runs in MLflow, found or made, each once; and their tags."""

import random
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.entities import Run

from analysis.plan import Plan
from analysis.records import EXPERIMENT, EXPERIMENT_TAGS, experiment_of, runs_of
from study.tracking.client import MlflowClient, MlflowException
from study.tracking.relocation import ARTIFACTS
from trainables.storage.storage import Storage
from trainables.worker.node import PACKAGES as SOURCES

SETTLE_SECONDS = 1.0  # at most, before the next attempt to be the one that creates a run
PACKAGES = ("ray", "mlflow", "optuna", "numpy", "torchvision")


class Runs:
    """The runs of the one experiment of all studies, which is made where there is none.

    One that was deleted in MLflow is restored.
    """

    def __init__(self, client: MlflowClient, storage: Storage) -> None:
        self.client = client
        self.experiment = self._found() or self._made(storage)

    def _found(self) -> str | None:
        found = experiment_of(self.client)
        if found is None:
            return None
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
            print(f"MLflow: the experiment {found.name!r} was deleted, and is restored", flush=True)
        for name, value in EXPERIMENT_TAGS.items():
            if found.tags.get(name) != value:
                self.client.set_experiment_tag(found.experiment_id, name, value)
        return str(found.experiment_id)

    def _made(self, storage: Storage) -> str:
        server = urlsplit(self.client.tracking_uri).scheme.startswith("http")
        place = None if server else f"{storage.uri}/{ARTIFACTS}"
        try:
            return str(
                self.client.create_experiment(
                    EXPERIMENT, artifact_location=place, tags=EXPERIMENT_TAGS
                )
            )
        except MlflowException:
            if (found := self._found()) is None:
                raise  # and where there is one, another command was faster
            return found

    def search(self, which: str) -> list[Run]:
        """All runs that pass the filter, the newest first."""
        return [run for page in runs_of(self.client, self.experiment, which) for run in page]

    def trials(self) -> list[Run]:
        """One run a trial. Of several, left by commands that were killed, the others are deleted.

        One with a result is kept before one without.
        """
        kept: dict[str, Run] = {}
        found = self.search("tags.kind = 'trial'")
        for run in sorted(found, key=lambda run: ("ended" not in run.data.tags, run.info.run_id)):
            if kept.setdefault(run.data.tags["trial_id"], run) is not run:
                self.client.delete_run(run.info.run_id)
        return list(kept.values())

    def settle_tags(self, run: Run, plan: Plan) -> None:
        """The study as one of those that show the trial; a name, where an older version gave none.

        The first study that shows a trial names it.
        """
        missing = {f"grid.{plan.grid}": plan.study, "row": row_of(plan, run.data.tags["trial_id"])}
        if "row" not in run.data.tags:
            missing["mlflow.runName"] = _name(missing["row"], run.data.params)
        for name, value in missing.items():
            if name not in run.data.tags or name == "mlflow.runName":
                self.client.set_tag(run.info.run_id, name, value)

    def only(
        self,
        which: str,
        tags: Mapping[str, str],
        started: int | None = None,
        looked: bool = False,
    ) -> Run:
        """The run that `which` finds, or a new one; of several commands at once, only one's.

        `looked`: a while ago there was none.
        Who finds another's run beside a new one gives way: of two that each create a run and
        then look, at least one sees both. A run that is found may still give way itself: what is
        written to it then fails, and the next attempt looks again.
        """
        while True:
            found = [] if looked else self.search(which)
            if found:
                return found[0]
            looked = False
            new = self.client.create_run(self.experiment, start_time=started, tags=dict(tags))
            found = self.search(which)
            if [run.info.run_id for run in found] == [new.info.run_id]:
                return found[0]
            self.client.delete_run(new.info.run_id)
            time.sleep(random.uniform(0, SETTLE_SECONDS))


def study_tags(plan: Plan) -> dict[str, str]:
    """Of the study's own run, the parent of its trials' runs."""
    return {
        "kind": "study",
        "study": plan.study,
        "grid": plan.grid,
        "scale": plan.scale,
        "overrides": " ".join(plan.overrides),
        "mlflow.runName": plan.study,
    }


def trial_tags(
    plan: Plan, parent: str, trial_id: str, settings: Mapping[str, Any]
) -> dict[str, str]:
    """Of a trial's run: its name says the row and the seed."""
    row = row_of(plan, trial_id)
    return {
        "kind": "trial",
        "trial_id": trial_id,
        "status": "running",
        "row": row,
        f"grid.{plan.grid}": plan.study,
        "commit": commit(),
        **versions(),
        "mlflow.parentRunId": parent,
        "mlflow.runName": _name(row, settings),
    }


def _name(row: str, settings: Mapping[str, Any]) -> str:
    return f"{row}, seed {settings['seed']}" if "seed" in settings else row


def row_of(plan: Plan, trial_id: str) -> str:
    """The first cell of the table that shows the trial; what it is for, where none does."""
    for cell in plan.cells:
        if trial_id in cell.trials.values():
            return cell.row if len(plan.columns) == 1 else f"{cell.row}, {cell.column}"
    return f"in no row ({trial_id[:6]})"


@cache
def commit() -> str:
    """The commit of this source tree, with "-dirty" where sources differ from it; "" outside git.

    A node of a cluster has not all of the tree: what is not there is no change of the sources.
    """
    where = ["git", "-C", str(Path(__file__).parents[2])]
    changed = ["status", "--porcelain", "--", *SOURCES]
    try:
        head = subprocess.run([*where, "rev-parse", "HEAD"], capture_output=True, text=True)
        changes = subprocess.run([*where, *changed], capture_output=True, text=True)
    except OSError:  # there is no git
        return ""
    return head.stdout.strip() + ("-dirty" if changes.stdout else "")


@cache
def versions() -> dict[str, str]:
    """As tags."""
    return {f"version.{package}": version(package) for package in PACKAGES}
