"""One command's work on a study: what its table lacks is searched, trained and measured."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from analysis.records import FAILURES
from study import measures as measured
from study.databases import tracking_uri
from study.lease import lease, turn
from study.outcome import Outcome
from study.preflight import contracts, prepare
from study.preflight.execution import check_execution
from study.preflight.outset import checked
from study.preflight.supported import supported
from study.progress import ProgressLines, TrialProgress, progress
from study.reporting import show
from study.request import Request, Resources
from study.running.formats import formats_there
from study.search.sharing import SharedSearch
from study.selected import (
    check_selected,
    laid_out,
    selected_cells,
    selected_ids,
    study_of,
)
from study.tracking.tracker import Tracker
from trainables.settings import Invalid, masked
from trainables.storage.claims import Command, of_measure, of_trial

STOP_SECONDS = 5.0  # for what is being written when the command is told to stop

# Ray and Optuna are imported where they are first needed: a study that lacks nothing needs neither.


def run(request: Request, again: str) -> Outcome:
    """What the study lacks, then its table. `again` is what goes on with this command."""
    if request.search and request.rerun:
        raise Invalid("--rerun: not together with --search; what is trained stays as it is")
    request = supported(request)
    uri, wanted = tracking_uri(request), checked(request)
    formats = formats_there(request.address)
    if request.address:
        from study.running import nodes

        nodes.require_fit(request.storage, request.resources.cache)
    shown, study = None, study_of(request)
    with lease(request.storage, study) as command:
        session = Session(request, uri, formats, wanted, command)
        session.work()
        away = session.tracker.behind
        if away is None:
            try:
                with turn(command, f"report-{study}"):
                    shown = show(request, session.plan, uri, session.tracker, session.searches)
            except (*FAILURES, Invalid) as error:
                away = error
    lacks = session.missing()
    for line in lacks:
        print(f"error: {line}", file=sys.stderr, flush=True)
    if away:
        why = masked((str(away) or type(away).__name__).splitlines()[0])
        unwritten = f"MLflow lacks {len(session.unwritten)} runs"
        print(f"no report ({why}): {unwritten}; to write them: {again}")
    shown = shown or Outcome(session.plan, uri, complete=False)
    return replace(shown, complete=not (away or session.incomplete), lacks=tuple(lacks))


class Session:
    """A study from its plan to its last result, in a storage where the `command` is known.

    Raises Invalid, before any trial starts, for what is wrong with files, rows or stored searches.
    `work` does it; after that, by id, `lost` says why a trial has no result and `unmeasured` why
    measures of one were not computed; `unwritten` are the ids of which the tracker lacks something.
    """

    def __init__(
        self,
        request: Request,
        uri: str,
        formats: dict[str, str],
        wanted: list[SharedSearch],
        command: Command,
    ) -> None:
        self._request, self._command = request, command
        self._storage, self._folder = request.storage, request.data_dir
        self._ready = partial(prepare.ready, folder=self._folder, formats=formats, known={})
        self._measure = partial(prepare.measured, folder=self._folder)
        self.plan, self._trials = laid_out(request, self._ready, self._measure)
        for remark in prepare.remarks(self._trials, self._folder, request.cache_here):
            print(remark, flush=True)
        check_selected(self.plan, request.only)
        self.ids = selected_ids(self.plan, request.only)
        before = progress(self._storage, self.ids)
        redone = {"all": tuple(self.ids), "failed": before.failed}.get(request.rerun or "", ())
        needed = (*before.started, *before.new, *redone)
        lacking = [trial for trial, i in self._trials.items() if i in needed]
        prepare.check_parts(lacking, self._folder)
        both = (*lacking, *(what.space.neutral for what in wanted))
        done = [i for i in before.finished if i not in redone]
        check_execution(both, self._trials, done, self._storage, request.resources)
        contracts.require(request, lacking)
        self._searches = found = self._opened(wanted)
        if request.rerun:
            self._forget(redone)
        asked, pruned = (found.asked, found.pruned) if found else (list, list)
        self.tracker = Tracker(uri, self._storage, self.plan, asked, pruned, command)
        self.lost, self.unmeasured = dict[str, str](), dict[str, str]()
        self.hopeless: list[str] = []  # names of searches of which no point was trained to its end
        self.unwritten: list[str] = []

    def work(self) -> None:
        """Everything that is lacking. When told to stop, what is being written has 5 seconds."""
        self.tracker.start()
        within = None
        try:
            if self.searches:
                self._search()
            self._train()
            self._compute_measures()
        except KeyboardInterrupt:
            within = STOP_SECONDS
            if self._request.address and "ray" in sys.modules:
                sys.modules["ray"].shutdown()  # others have the places while the tracker ends
            raise
        finally:
            self.unwritten = self.tracker.stop(within)

    @property
    def searches(self) -> list[Any]:
        return self._searches.all if self._searches else []

    def missing(self) -> list[str]:
        """A line for each trial, measure and search that came to nothing."""
        lost = [f"trial {i} has no result: {reason}" for i, reason in self.lost.items()]
        lost += [f"measures of trial {i} were lost: {why}" for i, why in self.unmeasured.items()]
        return lost + [f"every point failed or was pruned: {name}" for name in self.hopeless]

    @property
    def incomplete(self) -> bool:
        """Whether the table lacks something, or has a failed trial or measure."""
        return bool(self.lost or self.unmeasured or self.hopeless) or self.failed

    @property
    def failed(self) -> bool:
        """Whether a trial or a measure of it has failed, now or in an earlier command."""
        trials = progress(self._storage, self.ids).failed
        return bool(trials or measured.failed(self._shown(), self._storage))

    def _opened(self, wanted: list[SharedSearch]) -> Any:
        """None where none was asked for."""
        if not self._request.search:
            return None
        from study.search.searches import Searches

        options = self._request.search
        return Searches(self._request, options, wanted, self.plan, self._command, self._ready)

    def _forget(self, ids: tuple[str, ...]) -> None:
        """These trials, their teachers that failed, and measures that did, are made again."""
        taught = (t for trial, i in self._trials.items() if i in ids for t in trial.teachers())
        failed_teachers = progress(self._storage, [teacher.id for teacher in taught]).failed
        failed_measures = measured.failed(self._shown(), self._storage)
        if ids or failed_measures:
            self._resources()  # refused here, where nothing is removed yet, if no node has them
        cleared = list(dict.fromkeys((*ids, *failed_teachers)))
        claims = [of_trial(i) for i in cleared] + [of_measure(*pair) for pair in failed_measures]
        for claim in claims:
            if other := self._command.claim(claim):
                raise Invalid(
                    f"--rerun: {claim.replace('-', ' ', 1)} is held by {other}: wait for it"
                )
        for trial_id in cleared:
            self._storage.trial(trial_id).clear()
        measured.forget(failed_measures, self._storage)

    def _shown(self) -> list[measured.Wanted]:
        return measured.wanted(selected_cells(self.plan, self._request.only))

    def _search(self) -> None:
        """Until every search is over; their winners are further cells of the plan."""
        self.plan, won = self._searches.carry_out(self.plan, self._launch)
        self._trials |= won
        self.hopeless = self._searches.hopeless()
        self.tracker.replan(self.plan)
        self.ids = selected_ids(self.plan, self._request.only)

    def _train(self) -> None:
        before = progress(self._storage, self.ids)
        print(
            f"{len(self.ids)} trials in {len(self.plan.cells)} cells: {before.done} with a result, "
            f"{len(before.started)} to be resumed, {len(before.new)} new",
            flush=True,
        )
        todo = {i: t for t, i in self._trials.items() if i in (*before.started, *before.new)}
        if not todo:
            return
        from study.running import sources

        fuse = self._resources().fuse  # refused here, where nothing is queued yet
        queue = sources.queue(todo, self._storage, self._command, fuse)
        self.tracker.follow(queue.trials)
        shown = list(dict.fromkeys((*self.ids, *queue.trials)))
        lines = TrialProgress(self._storage, queue.trials, shown, sys.stdout)
        self._launch([queue], lines)

    def _launch(self, sources: Sequence[Any], lines: ProgressLines) -> None:
        """Trains what they ask for, while its progress is told."""
        from study.running import launch

        resources = self._resources()
        with lines:
            self.lost |= launch.run(
                sources,
                self._storage,
                self._folder,
                resources,
                self.tracker.begun,
                self._command,
                shared=self._request.address is not None,
            )

    def _compute_measures(self) -> None:
        shown = self._shown()
        todo = measured.lacking(shown, self._storage)
        if not todo:
            return
        from study.running import measures as measuring

        jobs = measured.jobs(todo, self.plan, self._trials, self._measure)
        resources = self._resources()
        with measuring.MeasureProgress(shown, self._storage, sys.stdout):
            self.unmeasured = measuring.run(
                jobs,
                self._storage,
                self._folder,
                resources,
                self._command,
                shared=self._request.address is not None,
            )

    def _resources(self) -> Resources:
        """What a trial gets of the cluster, which is connected to."""
        from study.running import cluster

        cluster.connect(self._request.address)
        return cluster.fitted(self._request.resources)
