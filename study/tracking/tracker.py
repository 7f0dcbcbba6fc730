"""Tracking: the storage, projected to MLflow by a thread of its own.

One run a trial id, found again by its tag, and a parent run for the study. Everything is written
from files, with the timestamps that stand there, so that writing twice changes nothing.

Beside other commands each tracker writes the trials that its command has claimed, and those that
no living command has. So a trial's run has one writer, who makes it, marks it RUNNING and ends it.
Two may meet where a command dies or ends: `Runs.only` then leaves one run, and whoever has marked
it RUNNING ends it, whoever has claimed the trial since. What others have not written yet of this
command's trials is written in the last round, after MLflow was read anew.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from analysis.plan import Plan
from analysis.records import end_of, milliseconds
from study.tracking.client import MlflowClient
from study.tracking.measures import Measures
from study.tracking.projection import (
    description,
    ended_tags,
    final_points,
    keep_files,
    log,
    parameters,
    points,
    rule_of,
    spent,
)
from study.tracking.recorded import Recorded
from study.tracking.runs import Runs, study_tags, trial_tags
from study.tracking.tables import give_tables
from trainables.selection import Epoch
from trainables.storage.claims import Command, Others, of_trial
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles

POLL_SECONDS = 5.0
LAST_ROUNDS = 3  # attempts at most, where another command's tracker gets in the way


class Tracker:
    """Writes a plan's trials to MLflow while they run, and what earlier commands left unwritten."""

    def __init__(
        self,
        uri: str,
        storage: Storage,
        plan: Plan,
        searched: Callable[[], Iterable[str]] = tuple,  # ids of trials in no cell; may grow
        pruned: Callable[[], Iterable[str]] = tuple,  # ids of those that were stopped for good
        command: Command | None = None,
    ) -> None:
        self._others = Others(command)
        self.uri, self.storage, self.plan = uri, storage, plan
        self._searched, self._pruned = searched, pruned
        self.behind: Exception | None = None  # why the newest attempt to write failed
        self._lock = threading.Lock()
        self._runs: Runs | None = None  # None: not connected
        self._parent = ""
        self._recorded: dict[str, Recorded] = {}  # by trial id
        self._settled: set[str] = set()  # ids with a final result that MLflow has: not read again
        self._begun: dict[str, int] = {}  # how often this command has started them, by trial id
        # What it was when nothing more could come of a trial, pruned or not begun, until it grows.
        self._resting: dict[str, int] = {}
        self._marked: set[str] = set()  # ids of those whose runs this command has made RUNNING
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
            self.plan, self._runs = plan, None

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
        lacks = [i for i, r in results.items() if r and not self._has(i, r)]
        return list(dict.fromkeys([*lacks, *(i for i, *_ in self._measures.news(self.plan))]))

    def log_report(self, folder: Path, table: str) -> None:
        """The report's files, and the table in Markdown, to the study's run."""
        assert self._runs, "nothing was written yet"
        client = self._runs.client
        client.log_artifacts(self._parent, str(folder), "report")
        client.set_tag(self._parent, "mlflow.note.content", description(table))
        client.set_terminated(self._parent)

    def _follow(self) -> None:
        rounds = 0  # since it was told to stop
        while not rounds or (self.behind and self._others.ever and rounds < LAST_ROUNDS):
            last = self._stop.is_set()
            rounds += last
            try:
                with self._lock:
                    self._synchronise(last)
                self.behind = None
            except Exception as error:  # shown by the command; the storage is the buffer meanwhile
                self.behind, self._runs = error, None
            self._stop.wait(0 if last else POLL_SECONDS)

    def _ids(self) -> list[str]:
        return list(dict.fromkeys((*self.plan.trials(), *self._searched(), *self._further)))

    def _has(self, trial_id: str, result: Result) -> bool:
        """Whether MLflow has this result of the trial."""
        recorded = self._recorded.get(trial_id)
        return recorded is not None and recorded.ended == end_of(result.ended)

    def _synchronise(self, last: bool) -> None:
        self._others.now()
        if last and self._others.ever:
            self._runs = None
        runs = self._runs or self._connect()
        if last:
            runs.client.set_terminated(self._parent, "KILLED")  # FINISHED when it has its report
        # In this order: a search that goes on with a pruned trial waits for it before it is begun,
        # so that one begun after the first line does not rest, whatever the second says.
        begun = dict(self._begun)
        pruned = set(self._pruned())
        left = [i for i in self._ids() if i not in self._settled]
        if not last:
            left = [i for i in left if self._resting.get(i) != begun.get(i, 0)]
        # Those that run come first: few, and known to change.
        for trial_id in sorted(left, key=lambda i: not self._running(i)):
            if self._stop.is_set() and not last:
                return  # the last round begins anew
            files = self.storage.trial(trial_id)
            if not self._is_elsewhere(trial_id) or (last and files.final_result()):
                self._write(runs, trial_id, files, last, trial_id in pruned)
            if trial_id in pruned or trial_id not in begun:
                self._resting[trial_id] = begun.get(trial_id, 0)
        run_ids = {i: recorded.run for i, recorded in self._recorded.items()}
        self._measures.write(runs.client, self.plan, run_ids)

    def _is_elsewhere(self, trial_id: str) -> bool:
        """Whether another command writes the trial's run."""
        return trial_id not in self._marked and bool(self._others.holder(of_trial(trial_id)))

    def _running(self, trial_id: str) -> bool:
        """Whether MLflow has the trial as running."""
        recorded = self._recorded.get(trial_id)
        return recorded is not None and recorded.state == "RUNNING"

    def _connect(self) -> Runs:
        """Finds or makes the experiment and the study's run, and finds the trials' runs."""
        give_tables(self.uri)
        runs, plan = Runs(MlflowClient(self.uri), self.storage), self.plan
        which = f"tags.kind = 'study' and tags.study = '{plan.study}'"
        self._parent = runs.only(which, study_tags(plan)).info.run_id
        runs.client.update_run(self._parent, "RUNNING")
        runs.client.set_tag(self._parent, "trials", str(len(plan.trials())))
        runs.client.log_dict(self._parent, plan.to_json(), "plan.json")
        wanted = set(plan.trials())
        self._recorded, self._settled, self._resting = {}, set(), {}
        for run in runs.trials():  # of all studies: a search may ask for any
            trial_id = run.data.tags["trial_id"]
            self._recorded[trial_id] = Recorded.of(run)
            self._measures.note(trial_id, run.data.tags)
            if trial_id in wanted:
                runs.settle_tags(run, plan)
        self._runs = runs
        return runs

    def _write(
        self, runs: Runs, trial_id: str, files: TrialFiles, last: bool, pruned: bool
    ) -> None:
        """What the storage has and the trial's run lacks."""
        result = files.result()
        if result and self._has(trial_id, result):
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
        site = {} if result else files.site()  # a result brings its own, in its last call
        if trial_id not in self._recorded:
            self._recorded[trial_id] = self._new(runs, trial_id, settings, history, site)
        recorded = self._recorded[trial_id]
        written = points(history[recorded.epochs :])
        if pruned and history and not result:
            written += spent(history[-1])
        params = parameters(settings) if recorded.settings < len(settings) else []
        if result:
            keep_files(runs.client, recorded.run, files, result)
            state = "FAILED" if result.failed else "FINISHED"
            runs.client.set_terminated(recorded.run, state, milliseconds(result.ended))
            # What the study has given up has begun somewhere, if not just been listed.
            tags = ended_tags(result, result.site or files.site())
            # Tags are written last: a run with the tag "ended" has everything of the result.
            ends = [*written, *final_points(result, self._rule)]
            log(runs.client, recorded.run, ends, params, tags)
            recorded.ended = end_of(result.ended)
        else:
            log(runs.client, recorded.run, written, params, site if site != recorded.site else {})
            recorded.site = site
        recorded.settings, recorded.epochs = len(settings), len(history)
        if not result:
            self._mark(runs.client, trial_id, last, pruned)

    @property
    def _rule(self) -> str:
        """The selection rule that the table is read by."""
        return rule_of(self.plan)

    def _new(
        self,
        runs: Runs,
        trial_id: str,
        settings: Mapping[str, Any],
        history: list[Epoch],
        site: dict[str, Any],
    ) -> Recorded:
        which = f"tags.kind = 'trial' and tags.trial_id = '{trial_id}'"
        started = milliseconds(history[0]["time"] if history else time.time())
        told = {name: str(value) for name, value in site.items()}
        # Made with the run, where tags cost least.
        tags = told | trial_tags(self.plan, self._parent, trial_id, settings)
        run = runs.only(which, tags, started, looked=True)
        self._measures.note(trial_id, run.data.tags)
        recorded = Recorded.of(run)
        if told.items() <= run.data.tags.items():  # else it is the run of a faster command
            recorded.site = site
        return recorded

    def _mark(self, client: MlflowClient, trial_id: str, last: bool, pruned: bool) -> None:
        """A trial without a result is RUNNING while it is trained, else KILLED; or pruned."""
        recorded, begun = self._recorded[trial_id], trial_id in self._begun
        if last or pruned:
            if recorded.state == "RUNNING" or (begun and recorded.state != "KILLED"):
                client.set_terminated(recorded.run, "KILLED")
                recorded.state = "KILLED"
        elif begun and recorded.state != "RUNNING":
            self._marked.add(trial_id)
            client.update_run(recorded.run, "RUNNING")
            recorded.state = "RUNNING"
        status = "pruned" if pruned else "running"
        if status != recorded.status and (begun or "pruned" in (status, recorded.status)):
            client.set_tag(recorded.run, "status", status)
            recorded.status = status
