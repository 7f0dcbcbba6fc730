"""Tracking: the storage, projected to MLflow by a thread of its own.

One run a trial id, found again by its tag, and a parent run for the study. Everything is written
from files, with the timestamps that stand there, so that writing twice changes nothing.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.entities import Param, Run

from analysis.plan import Plan
from analysis.records import EXPERIMENT, end_of, milliseconds
from study.tracking.client import MlflowClient, MlflowException
from study.tracking.measures import Measures
from study.tracking.projection import (
    LOG_LINES,
    _description,
    _ended_tags,
    _final_points,
    _log,
    _points,
    _spent,
)
from study.tracking.runs import SETTLE_SECONDS, _each_once, commit, versions
from trainables.selection import Epoch
from trainables.storage import names
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles

POLL_SECONDS = 5.0


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
        self._states: dict[str, str] = {}  # of the runs as MLflow has them, by trial id
        self._settings: dict[str, int] = {}  # how many MLflow has, by trial id
        self._epochs: dict[str, int] = {}  # written, by run id
        self._ended: dict[str, str] = {}  # when the written result came about, by trial id
        self._tags: dict[str, str] = {}  # the status as the runs' tags have it, by trial id
        self._sites: dict[str, Any] = {}  # where MLflow has it running, by trial id
        self._settled: set[str] = set()  # ids with a final result that MLflow has: not read again
        self._begun: dict[str, int] = {}  # how often this command has started them, by trial id
        # What it was when nothing more could come of a trial, pruned or not begun, until it grows.
        self._resting: dict[str, int] = {}
        self._further: tuple[str, ...] = ()  # ids of trials that may be in no cell
        self._measures = Measures(storage)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="tracker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begun(self, trial_id: str) -> None:
        """A worker has started on the trial. To be called by one thread only."""
        self._begun[trial_id] = self._begun.get(trial_id, 0) + 1

    def follow(self, trial_ids: Iterable[str]) -> None:
        """These trials, too, be they in a cell or not."""
        self._further = tuple(trial_ids)

    def replan(self, plan: Plan) -> None:
        """The study from now on, with further cells."""
        with self._lock:
            self.plan, self._client = plan, None

    def stop(self, within: float | None = None) -> list[str]:
        """Writes what is left; a run without a result is KILLED from now on.

        Returns the ids whose results MLflow still lacks; `behind` says why. With `within` it takes
        so many seconds at most, and returns none.
        """
        self._stop.set()
        self._thread.join(within)
        if within is not None:
            return []  # told to stop: nobody waits for what more would have to be read
        left = [i for i in self._ids() if i not in self._settled]
        results = {i: self.storage.trial(i).result() for i in left}
        lacks = [i for i, r in results.items() if r and self._ended.get(i) != end_of(r.ended)]
        return list(dict.fromkeys([*lacks, *(i for i, *_ in self._measures.news(self.plan))]))

    def log_report(self, folder: Path, table: str) -> None:
        """The report's files, and the table in Markdown, to the study's run."""
        assert self._client, "nothing was written yet"
        self._client.log_artifacts(self._parent, str(folder), "report")
        self._client.set_tag(self._parent, "mlflow.note.content", _description(table))
        self._client.set_terminated(self._parent)

    def _follow(self) -> None:
        last = False
        while not last:
            last = self._stop.is_set()
            try:
                with self._lock:
                    self._synchronise(last)
                self.behind = None
            except Exception as error:  # shown by the command; the storage is the buffer meanwhile
                self.behind, self._client = error, None
            self._stop.wait(0 if last else POLL_SECONDS)

    def _ids(self) -> list[str]:
        return list(dict.fromkeys((*self.plan.trials(), *self._searched(), *self._further)))

    def _synchronise(self, last: bool) -> None:
        client = self._client or self._connect()
        if last:
            client.set_terminated(self._parent, "KILLED")  # FINISHED when it has its report
        # In this order: a search that goes on with a pruned trial waits for it before it is begun,
        # so that one begun after the first line does not rest, whatever the second says.
        begun = dict(self._begun)
        pruned = set(self._pruned())
        left = [i for i in self._ids() if i not in self._settled]
        if not last:
            left = [i for i in left if self._resting.get(i) != begun.get(i, 0)]
        # Those that run come first: few, and known to change.
        for trial_id in sorted(left, key=lambda i: self._states.get(i) != "RUNNING"):
            if self._stop.is_set() and not last:
                return  # the last round begins anew
            self._write(client, trial_id, self.storage.trial(trial_id), last, trial_id in pruned)
            if trial_id in pruned or trial_id not in begun:
                self._resting[trial_id] = begun.get(trial_id, 0)
        self._measures.write(client, self.plan, self._runs)

    def _connect(self) -> MlflowClient:
        """Finds or makes the experiment and the study's run, and finds the trials' runs."""
        client = MlflowClient(self.uri)
        self._experiment = self._find_experiment(client)
        which = f"tags.kind = 'study' and tags.study = '{self.plan.study}'"
        self._parent = self._only_run(client, which, self._study_tags()).info.run_id
        client.update_run(self._parent, "RUNNING")
        client.set_tag(self._parent, "trials", str(len(self.plan.trials())))
        client.log_dict(self._parent, self.plan.to_json(), "plan.json")
        wanted = set(self.plan.trials())
        self._runs, self._states, self._settings, self._ended = {}, {}, {}, {}
        self._settled, self._tags, self._resting = set(), {}, {}
        for run in _each_once(client, self._search(client, "tags.kind = 'trial'")):
            trial_id = run.data.tags["trial_id"]
            self._note(trial_id, run)  # of all: a search may ask for any
            if trial_id in wanted and f"grid.{self.plan.grid}" not in run.data.tags:
                client.set_tag(run.info.run_id, f"grid.{self.plan.grid}", self.plan.study)
        self._client = client
        return client

    def _note(self, trial_id: str, run: Run) -> None:
        self._runs[trial_id] = run.info.run_id
        self._states[trial_id] = run.info.status
        self._settings[trial_id] = len(run.data.params)
        self._measures.note(trial_id, run.data.tags)
        self._tags[trial_id] = run.data.tags.get("status", "")
        if "ended" in run.data.tags:
            self._ended[trial_id] = run.data.tags["ended"]

    def _find_experiment(self, client: MlflowClient) -> str:
        """The id of the experiment, which is made where there is none."""
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            server = urlsplit(self.uri).scheme.startswith("http")
            place = None if server else f"{self.storage.uri}/artifacts"
            try:
                return str(client.create_experiment(EXPERIMENT, artifact_location=place))
            except MlflowException:
                found = client.get_experiment_by_name(EXPERIMENT)
                if found is None:
                    raise  # and where there is one, another command was faster
        return str(found.experiment_id)

    def _only_run(
        self,
        client: MlflowClient,
        which: str,
        tags: dict[str, str],
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
            found = [] if looked else self._search(client, which)
            if found:
                return found[0]
            looked = False
            made = client.create_run(self._experiment, start_time=started, tags=tags).info.run_id
            found = self._search(client, which)
            if [run.info.run_id for run in found] == [made]:
                return found[0]
            client.delete_run(made)
            time.sleep(random.uniform(0, SETTLE_SECONDS))

    def _search(self, client: MlflowClient, which: str) -> list[Run]:
        runs: list[Run] = []
        token = None
        while True:
            page = client.search_runs([self._experiment], which, max_results=1000, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def _study_tags(self) -> dict[str, str]:
        plan = self.plan
        return {
            "kind": "study",
            "study": plan.study,
            "grid": plan.grid,
            "scale": plan.scale,
            "overrides": " ".join(plan.overrides),
            "mlflow.runName": plan.study,
        }

    def _write(
        self, client: MlflowClient, trial_id: str, files: TrialFiles, last: bool, pruned: bool
    ) -> None:
        """What the storage has and the trial's run lacks."""
        result = files.result()
        if result and self._ended.get(trial_id) == end_of(result.ended):
            if result.final:
                self._settled.add(trial_id)
                if result.failed:  # and those that it teaches with it, never begun
                    for further in self._further:
                        self._resting.pop(further, None)
            return
        settings = files.settings()
        if settings is None:
            return
        history = result.history if result else files.history()
        if trial_id not in self._runs:
            self._note(trial_id, self._new_run(client, trial_id, settings, history))
        run = self._runs[trial_id]
        points = [p for epoch in history[self._epochs.get(run, 0) :] for p in _points(epoch)]
        if pruned and history and not result:
            points += _spent(history[-1])
        missing = settings.items() if self._settings[trial_id] < len(settings) else ()
        params = [Param(name, str(value)) for name, value in missing]
        if result:
            self._keep_files(client, run, files, result)
            state = "FAILED" if result.failed else "FINISHED"
            client.set_terminated(run, state, milliseconds(result.ended))
            # What the study has given up has begun somewhere, if not just been listed.
            tags = _ended_tags(result, result.site or files.site())
            # Tags are written last: a run with the tag "ended" has everything of the result.
            _log(client, run, [*points, *_final_points(result)], params, tags)
            self._ended[trial_id] = end_of(result.ended)
        else:
            site = files.site()
            news = site if site != self._sites.get(trial_id, {}) else {}
            _log(client, run, points, params, news)
            self._sites[trial_id] = site
        self._settings[trial_id], self._epochs[run] = len(settings), len(history)
        if not result:
            self._mark(client, trial_id, last, pruned)

    def _new_run(
        self, client: MlflowClient, trial_id: str, settings: dict[str, Any], history: list[Epoch]
    ) -> Run:
        which = f"tags.kind = 'trial' and tags.trial_id = '{trial_id}'"
        started = milliseconds(history[0]["time"] if history else time.time())
        tags = self._trial_tags(trial_id, settings)
        return self._only_run(client, which, tags, started, looked=True)

    def _mark(self, client: MlflowClient, trial_id: str, last: bool, pruned: bool) -> None:
        """A trial without a result is RUNNING while it is trained, else KILLED; or pruned."""
        run, state, begun = self._runs[trial_id], self._states[trial_id], trial_id in self._begun
        if last or pruned:
            if state == "RUNNING" or (begun and state != "KILLED"):
                client.set_terminated(run, "KILLED")
                self._states[trial_id] = "KILLED"
        elif begun and state != "RUNNING":
            client.update_run(run, "RUNNING")
            self._states[trial_id] = "RUNNING"
        status, said = "pruned" if pruned else "running", self._tags[trial_id]
        if status != said and (begun or "pruned" in (status, said)):
            client.set_tag(run, "status", status)
            self._tags[trial_id] = status

    def _trial_tags(self, trial_id: str, settings: dict[str, Any]) -> dict[str, str]:
        return {
            "kind": "trial",
            "trial_id": trial_id,
            "status": "running",
            f"grid.{self.plan.grid}": self.plan.study,
            "commit": commit(),
            **versions(),
            "mlflow.parentRunId": self._parent,
            "mlflow.runName": f"{settings['targets']} {settings['net']} {trial_id[:6]}",
        }

    def _keep_files(
        self, client: MlflowClient, run: str, files: TrialFiles, result: Result
    ) -> None:
        for name, table in files.tables():
            client.log_text(run, table, name)
        if result.failed and (lines := files.log_lines()):
            client.log_text(run, "".join(lines[-LOG_LINES:]), names.LOG)
