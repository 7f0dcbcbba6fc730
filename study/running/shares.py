"""Shares: the commands on one Ray cluster have its places in proportion to their priorities."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayError

from study.request import Resources
from study.running.board import FORGOTTEN_SECONDS, Board
from study.running.cluster import HEAD, alive

TELL_SECONDS = 1.0
ANSWER_SECONDS = 3.0  # for the board, which may have to be started
AHEAD = 16  # trials that a command beside others may have pending: what the autoscaler is asked for
MOST = 10_000  # trials at once, of any command
KINDS = ("CPU", "GPU")

# What a command tells: "CPU", "GPU" (of a trial), "workers" (that share them), "priority",
# "running" (trials that have a place), "wanted" (trials that would run if there were places for
# all), and "used" (while it shared the cluster: its part of it, times seconds, by the priority).
Entry = Mapping[str, float]
Node = Mapping[str, float]
Demand = Callable[[], tuple[int, float]]  # how many trials run, and how many are wanted to


@dataclass
class Share:
    """How many trials a command may have handed out, running or pending. None: any number."""

    limit: int | None = None

    def wait(self) -> None:
        """Until there is a place."""
        while self.limit == 0:
            time.sleep(TELL_SECONDS)


def shares(commands: Mapping[str, Entry], nodes: Sequence[Node]) -> dict[str, int]:
    """How many trials each command may run at once. A trial's workers may be on several nodes.

    Max-min fair in the dominant resource (Ghodsi et al. 2011), in whole trials: one after the other
    goes to the command with the smallest part of the cluster by its priority, of those that want
    one more and for which a node has room. Of equals it goes to the one that has used least.
    """
    # As whole numbers, since fractions of a GPU must add up; GPUs are left to those who need them.
    free = sorted(([round(1e4 * node.get(kind, 0)) for kind in KINDS] for node in nodes), key=_gpus)
    needs = {n: _of_a_worker(entry) for n, entry in commands.items()}
    parts = {name: part(entry, nodes) / entry["priority"] for name, entry in commands.items()}
    given = dict.fromkeys(commands, 0)
    at = dict.fromkeys(commands, 0)  # the first node that may have room
    hungry = {name for name, entry in commands.items() if entry["wanted"] > 0}
    while hungry:
        name = min(hungry, key=lambda n: (given[n] * parts[n], commands[n]["used"], n))
        at[name], fits = _place(free, needs[name], _workers(commands[name]), at[name])
        if not fits:
            hungry.remove(name)
            continue
        given[name] += 1
        if given[name] >= min(commands[name]["wanted"], MOST):
            hungry.remove(name)
    return given


def _place(free: list[list[int]], need: list[int], workers: int, first: int) -> tuple[int, bool]:
    """Takes the workers of one trial from the nodes, if all have room, from the node `first` on.

    Returns the first node that may have room for one more, and whether they were taken.
    """
    taken: list[int] = []
    at = first
    while len(taken) < workers and at < len(free):
        if any(left < wanted for left, wanted in zip(free[at], need, strict=True)):
            at += 1
            continue
        free[at][:] = [left - wanted for left, wanted in zip(free[at], need, strict=True)]
        taken.append(at)
    if len(taken) == workers:
        return at, True
    for node in taken:
        free[node][:] = [left + wanted for left, wanted in zip(free[node], need, strict=True)]
    return first, False


def _workers(entry: Entry) -> int:
    return int(entry.get("workers", 1))  # older commands have one


def _of_a_worker(entry: Entry) -> list[int]:
    return [round(1e4 * entry[kind] / _workers(entry)) for kind in KINDS]


def part(entry: Entry, nodes: Sequence[Node]) -> float:
    """Of the cluster that one trial takes: of the resource that it takes most of."""
    there = {kind: sum(node.get(kind, 0.0) for node in nodes) for kind in KINDS}
    return max(entry[kind] / there[kind] if there[kind] else 0.0 for kind in KINDS)


def limit(
    name: str, commands: Mapping[str, Entry], nodes: Sequence[Node], alone: int | None = None
) -> int | None:
    """How many trials the command may have handed out; None for any number.

    That is its share, and AHEAD more where every command has its share: a place is then kept by
    whoever has it. While one is below, what becomes free must be left to that one. A command
    without others may have so many more as `alone` says.
    """
    ahead = AHEAD if len(commands) > 1 else alone
    if ahead is None:
        return None
    given = shares(commands, nodes)
    below = any(entry["running"] < given[n] for n, entry in commands.items())
    above = commands[name]["running"] > given[name]
    return given[name] + (0 if below or above else ahead)


def _gpus(node: list[int]) -> list[int]:
    return node[::-1]


@contextmanager
def sharing(
    share: Share, demand: Demand, resources: Resources, shared: bool, alone: int | None = None
) -> Iterator[None]:
    """Keeps `share` up to date, by what this and the other commands on a `shared` cluster tell.

    `demand` is called in another thread. Without other commands, `alone` trials may be pending;
    None: any number. Ray must be connected.
    """
    if not shared:
        yield
        return
    command = _Command(share, demand, resources, alone)
    command.tell()
    done = threading.Event()
    thread = threading.Thread(target=command.keep_telling, args=(done,), name="share", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        command.leave()


def _board() -> Any:
    """The cluster's one board, made where there is none. It outlives the command that made it."""
    actor = ray.remote(num_cpus=0, resources={HEAD: 0.001}, max_restarts=-1)(Board)
    return actor.options(
        name="board", namespace="label-studies", lifetime="detached", get_if_exists=True
    ).remote()


class _Command:
    """This command, as the others know it."""

    def __init__(
        self, share: Share, demand: Demand, resources: Resources, alone: int | None
    ) -> None:
        self._name, self._alone = uuid4().hex, alone
        self._share, self._demand, self._resources = share, demand, resources
        self._board: Any = None
        self._others = 0
        self._used: float | None = None  # not known before others are
        self._told = time.monotonic()

    def keep_telling(self, done: threading.Event) -> None:
        try:
            while not done.wait(TELL_SECONDS):
                self.tell()
        finally:
            self._share.limit = None

    def tell(self) -> None:
        """Without an answer the share stays for a while; then the command is as good as alone."""
        mine = self._entry()
        try:
            self._board = self._board or _board()
            told = self._board.tell.remote(self._name, mine)
            commands: dict[str, Entry] = ray.get(told, timeout=ANSWER_SECONDS)
        except RayError:  # the board ended with the last other command, or with its node
            self._board = None
            if time.monotonic() - self._told > FORGOTTEN_SECONDS:
                self._share.limit = None
            return
        nodes = alive()
        self._use(commands, nodes)
        self._share.limit = limit(self._name, commands, nodes, self._alone)
        self._say(len(commands) - 1)

    def leave(self) -> None:
        with suppress(RayError):  # by the last one to leave the board is ended, too
            if self._board:
                ray.get(self._board.leave.remote(self._name), timeout=ANSWER_SECONDS)

    def _entry(self) -> dict[str, float]:
        running, wanted = self._demand()
        wanted = min(wanted, self._resources.concurrent or math.inf)
        return {
            "CPU": self._resources.together * self._resources.cpus,
            "workers": self._resources.together,
            "GPU": self._resources.gpus or 0.0,
            "priority": self._resources.priority,
            "running": running,
            "wanted": wanted,
            "used": self._used or 0.0,
        }

    def _use(self, commands: Mapping[str, Entry], nodes: Sequence[Node]) -> None:
        """Counts what it has used. It begins with what the others have, so none is favoured."""
        now = time.monotonic()
        seconds, self._told = now - self._told, now
        others = [entry["used"] for name, entry in commands.items() if name != self._name]
        if self._used is None:
            self._used = min(others, default=None)
        elif others:
            mine = commands[self._name]
            self._used += mine["running"] * part(mine, nodes) * seconds / mine["priority"]

    def _say(self, others: int) -> None:
        if others != self._others:
            few = "one other command" if others == 1 else f"{others} other commands"
            line = f"the cluster is shared with {few}" if others else "alone on the cluster again"
            with suppress(BrokenPipeError):  # whoever read the lines has gone
                print(line, flush=True)
            self._others = others
