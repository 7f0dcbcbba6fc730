"""One command's work on a study: what its table lacks is searched, trained and measured."""

import sys
from functools import partial
from typing import Any

from analysis.records import FAILURES
from study import measures as measured
from study.databases import search_storage, tracking_uri
from study.lease import lease
from study.preflight import prepare
from study.preflight.outset import checked
from study.progress import TrialProgress, progress
from study.reporting import show
from study.request import Options, Request, Resources
from study.running.formats import formats_there
from study.search.sharing import SharedSearch
from study.selected import check_selected, laid_out, seeds_of, selected_cells, selected_ids
from study.tracking.tracker import Tracker
from trainables.settings import Invalid, masked

STOP_SECONDS = 5.0  # for what is being written when the command is told to stop

# Ray and Optuna are imported where they are first needed: a study that lacks nothing needs neither.


def run(request: Request, again: str) -> int:
    """What the study lacks, then its table. Returns the exit code: 1 where something is missing.

    `again` is the command that goes on with this one.
    """
    if request.search and request.rerun:
        raise Invalid("--rerun: not together with --search; what is trained stays as it is")
    uri, wanted = tracking_uri(request), checked(request)
    formats = formats_there(request.address)
    if request.address:
        from study.running import nodes

        nodes.require_fit(request.storage)
    with lease(request.storage):
        session = Session(request, uri, formats, wanted)
        session.work()
        away = session.tracker.behind
        if away is None:
            try:
                show(request, session.plan, uri, session.tracker, session.searches)
            except (*FAILURES, Invalid) as error:
                away = error
    session.tell_what_is_missing()
    if away:
        why = masked((str(away) or type(away).__name__).splitlines()[0])
        lacks = f"MLflow lacks {len(session.unwritten)} runs"
        print(f"no report ({why}): {lacks}; to write them: {again}")
    return 1 if away or session.incomplete else 0


class Session:
    """A study from its plan to its last result, in a storage whose lease is held.

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
    ) -> None:
        self._request, self._storage = request, request.storage
        self._folder = request.data_dir
        self._ready = partial(prepare.ready, folder=self._folder, formats=formats, known={})
        self._measure = partial(prepare.measured, folder=self._folder)
        self.plan, self._trials = laid_out(request, self._ready, self._measure)
        for remark in prepare.remarks(self._trials, self._folder):
            print(remark, flush=True)
        check_selected(self.plan, request.only)
        self.ids = selected_ids(self.plan, request.only)
        before = progress(self._storage, self.ids)
        needed = self.ids if request.rerun else (*before.started, *before.new)
        prepare.check_parts([t for t, i in self._trials.items() if i in needed], self._folder)
        self.searches = self._opened(wanted, request.search) if request.search else []
        if request.rerun:
            self._forget(before.failed if request.rerun == "failed" else tuple(self.ids))
        self.tracker = Tracker(uri, self._storage, self.plan, self._searched, self._pruned)
        self.lost: dict[str, str] = {}
        self.unmeasured: dict[str, str] = {}
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

    def tell_what_is_missing(self) -> None:
        """Prints a line for each trial, measure and search that came to nothing."""
        for trial_id, reason in self.lost.items():
            print(f"error: trial {trial_id} has no result: {reason}", file=sys.stderr)
        for trial_id, reason in self.unmeasured.items():
            print(f"error: measures of trial {trial_id} were lost: {reason}", file=sys.stderr)
        for name in self.hopeless:
            print(f"error: every point failed or was pruned: {name}", file=sys.stderr)
        sys.stderr.flush()

    @property
    def incomplete(self) -> bool:
        """Whether the table lacks something, or has a failed trial or measure."""
        return bool(self.lost or self.unmeasured or self.hopeless) or self.failed

    @property
    def failed(self) -> bool:
        """Whether a trial or a measure of it has failed, now or in an earlier command."""
        trials = progress(self._storage, self.ids).failed
        return bool(trials or measured.failed(self._shown(), self._storage))

    def _opened(self, wanted: list[SharedSearch], options: Options) -> list[Any]:
        from study.search import points, search
        from study.search.database import database_at, open_storage

        url = search_storage(self._request)
        database = open_storage(url)
        rule = points.objective(self.plan)
        study, storage = self.plan.study, self._storage
        with database_at(url):
            searches = [
                search.Search(what, options, rule, study, database, storage, self._ready)
                for what in wanted
            ]
            for one in searches:
                print(f"{one.what}: {one.told} of {options.points} points done", flush=True)
        return searches

    def _forget(self, ids: tuple[str, ...]) -> None:
        """These trials, their teachers that failed, and measures that did, are made again."""
        taught = (t for trial, i in self._trials.items() if i in ids for t in trial.teachers())
        failed_teachers = progress(self._storage, [teacher.id for teacher in taught]).failed
        failed_measures = measured.failed(self._shown(), self._storage)
        if ids or failed_measures:
            self._resources()  # refused here, where nothing is removed yet, if no node has them
        for trial_id in dict.fromkeys((*ids, *failed_teachers)):
            self._storage.trial(trial_id).clear()
        measured.forget(failed_measures, self._storage)

    def _searched(self) -> list[str]:
        return [i for search in self.searches for i in search.asked]

    def _pruned(self) -> list[str]:
        """Those that no other search waits for."""
        stopped = [i for search in self.searches for i in search.pruned]
        return [i for i in stopped if not any(search.waits_for(i) for search in self.searches)]

    def _shown(self) -> list[measured.Wanted]:
        return measured.wanted(selected_cells(self.plan, self._request.only))

    def _search(self) -> None:
        """Until every search is over; their winners are further cells of the plan."""
        from study.running import launch
        from study.search.database import database_at
        from study.search.winners import SearchProgress, lines, tuned

        with database_at(search_storage(self._request)):
            if any(search.pending() for search in self.searches):
                resources = self._resources()
                with SearchProgress(self.searches, sys.stdout):
                    self.lost |= launch.run(
                        self.searches,
                        self._storage,
                        self._folder,
                        resources,
                        self.tracker.begun,
                        shared=self._request.address is not None,
                    )
            for line in lines(self.searches):
                print(line)
            seeds = seeds_of(self._request)
            self.plan, won = tuned(self.plan, self.searches, seeds, self._ready)
            self._trials |= won
            self.hopeless = [one.name for one in self.searches if one.over and not one.best]
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
        from study.running import feed, launch

        resources = self._resources()
        queue = feed.queue(todo, self._storage)
        self.tracker.follow(queue.trials)
        shown = list(dict.fromkeys((*self.ids, *queue.trials)))
        with TrialProgress(self._storage, queue.trials, shown, sys.stdout):
            self.lost |= launch.run(
                [queue],
                self._storage,
                self._folder,
                resources,
                self.tracker.begun,
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
                shared=self._request.address is not None,
            )

    def _resources(self) -> Resources:
        """What a trial gets of the cluster, which is connected to."""
        from study.running import cluster

        cluster.connect(self._request.address)
        return cluster.fitted(self._request.resources)
