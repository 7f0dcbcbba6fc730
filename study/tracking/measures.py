"""Measures, projected from the storage to the MLflow runs of their trials."""

from collections.abc import Iterator, Mapping
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from analysis.plan import Plan
from analysis.records import end_of, milliseconds
from study.measures import Wanted, wanted
from study.tracking.client import MlflowClient
from trainables.storage import names
from trainables.storage.storage import Storage


class Measures:
    """Projects measures to the runs of their trials: `<label>/<name>`, with their settings.

    Of a failed one the run has the tag `<label>/reason`. Features that one kept are an artifact.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._recorded: dict[str, dict[str, str]] = {}  # a run's tags, by trial id
        self._told: set[Wanted] = set()

    def note(self, trial_id: str, tags: dict[str, str]) -> None:
        """What MLflow has of the trial's run."""
        self._recorded[trial_id] = tags

    def news(self, plan: Plan) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(trial id, label, content) of each file that MLflow lacks."""
        for trial_id, label in wanted(plan.cells):
            if (trial_id, label) in self._told:
                continue
            stored = self._storage.trial(trial_id).measure(label)
            if stored is None:
                continue
            if self._recorded.get(trial_id, {}).get(f"{label}/ended") == end_of(stored["ended"]):
                self._told.add((trial_id, label))
            else:
                yield trial_id, label, stored

    def write(self, client: MlflowClient, plan: Plan, runs: Mapping[str, str]) -> None:
        """The news of trials that have a run."""
        for trial_id, label, stored in self.news(plan):
            if trial_id not in runs:
                continue
            when = milliseconds(stored["ended"])
            values = {**stored["values"], "seconds": stored["seconds"]}
            tags = {"reason": stored["reason"] or "", "ended": end_of(stored["ended"])}
            features = self._storage.trial(trial_id).features(label)
            if features is not None:
                client.log_text(runs[trial_id], features, names.features(label))
            client.log_batch(
                runs[trial_id],
                metrics=[Metric(f"{label}/{name}", v, when, 0) for name, v in values.items()],
                params=[Param(f"{label}/{n}", str(v)) for n, v in stored["settings"].items()],
                tags=[RunTag(f"{label}/{name}", text) for name, text in tags.items()],
            )
            self._told.add((trial_id, label))
