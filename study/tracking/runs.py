"""Runs: the experiment and its runs, found or made, each once."""

import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from mlflow.entities import Run

from study.tracking.client import MlflowClient
from trainables.worker.node import PACKAGES as SOURCES

SETTLE_SECONDS = 1.0  # at most, before the next attempt to be the one that creates a run


PACKAGES = ("ray", "mlflow", "optuna", "numpy", "torchvision")


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


def _each_once(client: MlflowClient, runs: Iterable[Run]) -> list[Run]:
    """One run a trial. Of several, left by commands that were killed, those not kept are deleted.

    One with a result is kept before one without.
    """
    kept: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: ("ended" not in run.data.tags, run.info.run_id)):
        if kept.setdefault(run.data.tags["trial_id"], run) is not run:
            client.delete_run(run.info.run_id)
    return list(kept.values())
