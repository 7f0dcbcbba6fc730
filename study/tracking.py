"""Tracking: the storage, projected to MLflow by a thread of its own.

One run a trial id, found again by its tag, and a parent run for the study. Everything is written
from files, with the timestamps that stand there, so that writing twice changes nothing.
"""

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from study.grid import Plan
from study.measured import Wanted, wanted
from trainables.measures.measure import file_of
from trainables.selection import Epoch
from trainables.settings import Invalid
from trainables.storage import Shelf, Storage

# A server that does not answer fails a call at once, instead of after four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient  # reads the environment set above
from mlflow.entities import Metric, Param, Run, RunTag

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

EXPERIMENT = "label-studies"
POLL_SECONDS = 5.0
PACKAGES = ("ray", "mlflow", "optuna", "numpy", "torchvision")
METRICS_A_CALL = 1000
PARAMS_A_CALL = 100


def check_reachable(uri: str) -> None:
    """Raises Invalid, within 5 seconds, where nothing answers at a tracking server's address."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname or "", port), timeout=5).close()
        except OSError as error:
            valid = "the address of a running MLflow server, or left out for a file in the storage"
            raise Invalid(f"--tracking-uri = {uri}: must be {valid} ({error})") from None


class Tracker:
    """Writes a plan's trials to MLflow while they run, and what earlier commands left unwritten."""

    def __init__(
        self,
        uri: str,
        storage: Storage,
        plan: Plan,
        searched: Callable[[], Iterable[str]] = tuple,  # ids of trials in no cell; may grow
        pruned: Callable[[], Iterable[str]] = tuple,  # ids of those that were stopped for good
    ) -> None:
        self.uri, self.storage, self.plan = uri, storage, plan
        self._searched, self._pruned = searched, pruned
        self.behind: Exception | None = None  # why the newest attempt to write failed
        self._client: MlflowClient | None = None
        self._lock = threading.Lock()
        self._parent = self._experiment = ""
        self._runs: dict[str, str] = {}  # run id by trial id
        self._epochs: dict[str, int] = {}  # written, by trial id
        self._ended: dict[str, str] = {}  # when the written result came about, by trial id
        self._killed: set[str] = set()  # ids of trials whose run is marked as pruned
        self._measures = Measures(storage)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="tracker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def replan(self, plan: Plan) -> None:
        """The study from now on, with further cells."""
        with self._lock:
            self.plan, self._client = plan, None

    def stop(self) -> list[str]:
        """Writes what is left. Returns the ids whose results MLflow still lacks; see `behind`."""
        self._stop.set()
        self._thread.join()
        results = {i: self.storage.trial(i).read_json("result.json") for i in self._ids()}
        lacks = [i for i, r in results.items() if r and self._ended.get(i) != _end(r)]
        return list(dict.fromkeys([*lacks, *(i for i, *_ in self._measures.news(self.plan))]))

    def log_report(self, folder: Path, table: str) -> None:
        """The report's files, and the table in Markdown, to the study's run."""
        assert self._client, "nothing was written yet"
        self._client.log_artifacts(self._parent, str(folder), "report")
        self._client.set_tag(self._parent, "mlflow.note.content", table)
        self._client.set_terminated(self._parent)

    def _follow(self) -> None:
        last = False
        while not last:
            last = self._stop.is_set()
            try:
                with self._lock:
                    self._synchronise()
                self.behind = None
            except Exception as error:  # shown by the command; the storage is the buffer meanwhile
                self.behind = error
            self._stop.wait(0 if last else POLL_SECONDS)

    def _ids(self) -> list[str]:
        return list(dict.fromkeys((*self.plan.trials(), *self._searched())))

    def _synchronise(self) -> None:
        client = self._client or self._connect()
        for trial_id in self._ids():
            self._write(client, trial_id, self.storage.trial(trial_id))
        self._measures.write(client, self.plan, self._runs)

    def _connect(self) -> MlflowClient:
        """Finds or makes the experiment and the study's run, and finds the trials' runs."""
        client = MlflowClient(self.uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            local = None if urlsplit(self.uri).scheme.startswith("http") else self.storage.root
            place = (local / "artifacts").absolute().as_uri() if local else None
            self._experiment = client.create_experiment(EXPERIMENT, artifact_location=place)
        else:
            self._experiment = found.experiment_id
        studies = self._search(client, f"tags.kind = 'study' and tags.study = '{self.plan.study}'")
        self._parent = studies[0].info.run_id if studies else self._create_parent(client)
        client.set_tag(self._parent, "trials", str(len(self.plan.trials())))
        client.log_dict(self._parent, self.plan.to_json(), "plan.json")
        wanted = set(self.plan.trials())
        for run in self._search(client, "tags.kind = 'trial'"):
            tags = run.data.tags
            trial_id = tags["trial_id"]
            self._runs[trial_id] = run.info.run_id  # of all: a search may ask for any
            if tags["status"] == "pruned":
                self._killed.add(trial_id)
            self._measures.note(trial_id, tags)
            if "ended" in tags:
                self._ended[trial_id] = tags["ended"]
            if trial_id in wanted and f"grid.{self.plan.grid}" not in tags:
                client.set_tag(run.info.run_id, f"grid.{self.plan.grid}", self.plan.study)
        self._client = client
        return client

    def _search(self, client: MlflowClient, which: str) -> list[Run]:
        runs: list[Run] = []
        token = None
        while True:
            page = client.search_runs([self._experiment], which, max_results=1000, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def _create_parent(self, client: MlflowClient) -> str:
        plan = self.plan
        tags = {
            "kind": "study",
            "study": plan.study,
            "grid": plan.grid,
            "scale": plan.scale,
            "overrides": " ".join(plan.overrides),
            "mlflow.runName": plan.study,
        }
        run_id: str = client.create_run(self._experiment, tags=tags).info.run_id
        return run_id

    def _write(self, client: MlflowClient, trial_id: str, shelf: Shelf) -> None:
        """What the shelf has and the trial's run lacks."""
        result = shelf.read_json("result.json")
        settings = shelf.read_json("trial.json")
        if settings is None or (result and self._ended.get(trial_id) == _end(result)):
            return
        history: list[Epoch] = (
            result["history"] if result else shelf.read_json("history.json") or []
        )
        if trial_id not in self._runs:
            self._runs[trial_id] = self._create(client, trial_id, settings, history)
        run = self._runs[trial_id]
        news = history[self._epochs.get(trial_id, 0) :]
        points = [point for epoch in news for point in _points(epoch)]
        for some in _chunks(points + (_final_points(result) if result else []), METRICS_A_CALL):
            client.log_batch(run, metrics=some)
        self._epochs[trial_id] = len(history)
        if result:
            self._finish(client, run, shelf, result)
            self._ended[trial_id] = _end(result)
        elif (trial_id in self._pruned()) != (trial_id in self._killed):
            self._mark(client, trial_id)

    def _mark(self, client: MlflowClient, trial_id: str) -> None:
        """A trial that was pruned, or one that was and is trained again for another search."""
        run, pruned = self._runs[trial_id], trial_id not in self._killed
        if pruned:
            client.set_terminated(run, "KILLED")
        else:
            client.update_run(run, "RUNNING")
        client.set_tag(run, "status", "pruned" if pruned else "running")
        self._killed ^= {trial_id}

    def _create(
        self, client: MlflowClient, trial_id: str, settings: dict[str, Any], history: list[Epoch]
    ) -> str:
        tags = {
            "kind": "trial",
            "trial_id": trial_id,
            "status": "running",
            f"grid.{self.plan.grid}": self.plan.study,
            "commit": commit(),
            **{f"version.{package}": version(package) for package in PACKAGES},
            "mlflow.parentRunId": self._parent,
            "mlflow.runName": f"{settings['targets']} {settings['net']} {trial_id[:6]}",
        }
        started = _milliseconds(history[0]["time"] if history else time.time())
        run: str = client.create_run(self._experiment, start_time=started, tags=tags).info.run_id
        params = [Param(name, str(value)) for name, value in settings.items()]
        for some in _chunks(params, PARAMS_A_CALL):
            client.log_batch(run, params=some)
        return run

    def _finish(self, client: MlflowClient, run: str, shelf: Shelf, result: dict[str, Any]) -> None:
        failed = result["status"] == "failed"
        for name in (*shelf.names("soft_labels*.csv"), *(shelf.names("log.txt") if failed else [])):
            client.log_artifact(run, str(shelf.path / name))
        tags = {"status": result["status"], "reason": result["reason"] or "", **result["site"]}
        client.log_batch(run, tags=[RunTag(name, str(value)) for name, value in tags.items()])
        client.set_terminated(
            run, "FAILED" if failed else "FINISHED", _milliseconds(result["ended"])
        )
        # The last of all: a run with this tag has everything of the result.
        client.set_tag(run, "ended", _end(result))


class Measures:
    """Projects measures to the runs of their trials: `<label>/<name>`, with their settings.

    Of a failed one the run has the tag `<label>/reason`.
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
            stored = self._storage.trial(trial_id).read_json(file_of(label))
            if stored is None:
                continue
            if self._recorded.get(trial_id, {}).get(f"{label}/ended") == _end(stored):
                self._told.add((trial_id, label))
            else:
                yield trial_id, label, stored

    def write(self, client: MlflowClient, plan: Plan, runs: Mapping[str, str]) -> None:
        """The news of trials that have a run."""
        for trial_id, label, stored in self.news(plan):
            if trial_id not in runs:
                continue
            when = _milliseconds(stored["ended"])
            values = {**stored["values"], "seconds": stored["seconds"]}
            tags = {"reason": stored["reason"] or "", "ended": _end(stored)}
            client.log_batch(
                runs[trial_id],
                metrics=[Metric(f"{label}/{name}", v, when, 0) for name, v in values.items()],
                params=[Param(f"{label}/{n}", str(v)) for n, v in stored["settings"].items()],
                tags=[RunTag(f"{label}/{name}", text) for name, text in tags.items()],
            )
            self._told.add((trial_id, label))


def commit() -> str:
    """The commit of this source tree, with "-dirty" where files differ from it; "" outside git."""
    where = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*where, "rev-parse", "HEAD"], capture_output=True, text=True)
    changes = subprocess.run([*where, "status", "--porcelain"], capture_output=True, text=True)
    return head.stdout.strip() + ("-dirty" if changes.stdout else "")


def _points(epoch: Epoch) -> list[Metric]:
    names = [name for name in epoch if name != "time"]
    when, step = _milliseconds(epoch["time"]), int(epoch["epoch"])
    return [Metric(name, epoch[name], when, step) for name in names]


def _final_points(result: dict[str, Any]) -> list[Metric]:
    values = {
        f"{rule}/{m}": v for rule, chosen in result["selected"].items() for m, v in chosen.items()
    }
    values |= {"seconds": result["seconds"], "peak_memory_mib": result["site"]["peak_memory_mib"]}
    if (noise := result.get("realised_noise")) is not None:
        values["realised_noise"] = noise
    when = _milliseconds(result["ended"])
    return [Metric(name, value, when, 0) for name, value in values.items()]


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _end(result: dict[str, Any]) -> str:
    return str(_milliseconds(result["ended"]))


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
