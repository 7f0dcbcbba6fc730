"""The searches of one command: opened together, each carried out by one command alone."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from analysis.plan import Plan
from study.databases import search_storage
from study.lease import turn
from study.progress import ProgressLines
from study.request import Options, Request
from study.search.database import database_at, open_storage
from study.search.points import Ready, objective
from study.search.search import Search
from study.search.sharing import SharedSearch
from study.search.winners import SearchProgress, lines, tuned
from study.selected import seeds_of
from trainables.storage.claims import LOOK_SECONDS, Command
from trainables.trial import Trial

Launch = Callable[[Sequence[Any], ProgressLines], None]  # trains what these sources ask for


class Searches:
    """Raises Invalid for stored searches that differ from what is wanted. `all` are in order."""

    def __init__(
        self,
        request: Request,
        options: Options,
        wanted: Sequence[SharedSearch],
        plan: Plan,
        command: Command,
        ready: Ready,
    ) -> None:
        self._request, self._command, self._ready = request, command, ready
        self._url = search_storage(request)
        self._waited_for: list[Search] = []  # that others were said to carry out
        rule, fuse = objective(plan), request.resources.fuse
        with turn(command, "searches"), database_at(self._url):  # tables and records are made
            database = open_storage(self._url)
            self.all = [
                Search(what, options, rule, plan.study, database, request.storage, ready, fuse)
                for what in wanted
            ]
            for one in self.all:
                print(f"{one.what}: {one.told} of {options.points} points done", flush=True)

    def asked(self) -> list[str]:
        """The trials that any of them has asked for."""
        return [i for search in self.all for i in search.asked]

    def pruned(self) -> list[str]:
        """The trials that were ended early and that no other search waits for."""
        stopped = [i for search in self.all for i in search.pruned]
        return [i for i in stopped if not any(search.waits_for(i) for search in self.all)]

    def hopeless(self) -> list[str]:
        """The names of those that are over without a point that was trained to its end."""
        return [search.name for search in self.all if search.over and not search.best]

    def carry_out(self, plan: Plan, launch: Launch) -> tuple[Plan, dict[Trial, str | None]]:
        """Until all are over. Returns the plan with their winners as further cells, and these."""
        with database_at(self._url):
            left = self.all
            while left:
                left = self._once(left, launch)
            for line in lines(self.all):
                print(line)
            return tuned(plan, self.all, seeds_of(self._request), self._ready)

    def _once(self, searches: Sequence[Search], launch: Launch) -> list[Search]:
        """Those that no other command carries out, each whole. Returns those that are waited for.

        What they have done is read when they are claimed: nothing, or all that they wanted.
        """
        claimed = {s: "" if s.over else self._command.claim(s.claim) for s in searches}
        own = [search for search, other in claimed.items() if not other]
        for search in own:
            search.read()
        try:
            if any(search.pending() for search in own):
                launch(own, SearchProgress(self.all, sys.stdout))
        finally:
            for search in own:
                self._command.release(search.claim)
        others = {search: other for search, other in claimed.items() if other}
        for search, other in others.items():
            if search not in self._waited_for:
                self._waited_for.append(search)
                print(f"{search.what} is carried out by {other}: waiting", flush=True)
        if others:
            time.sleep(LOOK_SECONDS)
        return list(others)
