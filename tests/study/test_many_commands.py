"""Several commands on one storage: each trial, point and measure once. Real Ray, MLflow, SIGKILL.

Three studies share their trials: two measure them differently, and one has a search besides.
"""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.study.command import (
    ONE,
    TINY,
    Driver,
    command,
    database,
    driving,
    epochs_made,
    epochs_said,
    here,
    results,
    runs,
)
from trainables.storage.storage import Storage

pytestmark = [pytest.mark.slow(minutes=10), pytest.mark.timeout(1800)]

EPOCHS = 6
SLOTS = 2  # trials at once of a command
SEARCH = ("--only", "OLS", "--search", "3", "--max-concurrent", "1")
STUDIES: dict[str, tuple[str, ...]] = {
    "ols_calibration": ("--max-concurrent", str(SLOTS)),
    "ols_features": ("--max-concurrent", str(SLOTS)),
    "ols_single": SEARCH,
}
# Three rows of three seeds, measured by both studies; a search of three points; its winner's seeds.
TRIALS, MEASURES = 9 + 3 + 3, 18


def study(grid: str, storage: Path, *more: str) -> list[str]:
    own = (*TINY, "--seeds", "3", *STUDIES[grid], *more)
    return command(grid, storage, *own, epochs=EPOCHS)


class Commands:
    """Of all studies on one storage, at once; one that was killed is started again."""

    def __init__(self, storage: Path, open_: ExitStack) -> None:
        self.storage, self._open = storage, open_
        self.drivers: dict[str, Driver] = {}
        self.said = ""  # by those that were killed
        for grid in STUDIES:
            self.start(grid)

    def start(self, grid: str) -> None:
        self.drivers[grid] = self._open.enter_context(driving(study(grid, self.storage)))

    def kill_driver(self, grid: str) -> None:
        self.drivers[grid].process.kill()
        self.drivers[grid].process.wait()
        self.said += self.drivers[grid].said()
        self.start(grid)

    def kill_worker(self, chance: random.Random) -> None:
        """One that trains, of any command."""
        end = time.monotonic() + 300
        while not (busy := [w for d in self.drivers.values() for w in d.workers()]):
            assert time.monotonic() < end
            time.sleep(0.05)
        chance.choice(busy).kill()

    def wait_until_trained(self, further: int) -> None:
        target, end = epochs_made(self.storage) + further, time.monotonic() + 300
        while epochs_made(self.storage) < min(target, TRIALS * EPOCHS):
            assert time.monotonic() < end, [d.said() for d in self.drivers.values()]
            time.sleep(0.05)

    def ended(self) -> str:
        """What all have said until they ended by themselves, with a complete table."""
        return self.said + "".join(driver.ended(0) for driver in self.drivers.values())


@contextmanager
def commands(storage: Path) -> Iterator[Commands]:
    with ExitStack() as open_:
        yield Commands(storage, open_)


def tables(storage: Path) -> dict[str, str]:
    """And what the search has found."""
    found = storage.glob("studies/*/report/*")
    kept = [path for path in found if path.name in ("table.csv", "searches.json")]
    return {path.relative_to(storage).as_posix(): path.read_text() for path in kept}


def measures(storage: Path) -> set[str]:
    return {path.relative_to(storage).as_posix() for path in storage.glob("trials/*/measure-*")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One command after the other."""
    storage = tmp_path_factory.mktemp("undisturbed")
    for grid in STUDIES:
        here(study(grid, storage, *ONE))
    assert (len(results(storage)), len(measures(storage)), len(tables(storage))) == (
        TRIALS,
        MEASURES,
        4,
    )
    return storage


def same_as(undisturbed: Path, storage: Path) -> None:
    """The same tables, trials, points and measures, and one finished run of each trial."""
    assert results(storage) == results(undisturbed)
    assert measures(storage) == measures(undisturbed)
    assert tables(storage) == tables(undisturbed)
    tracked = runs(database(storage), "trial")
    assert sorted(run.data.tags["trial_id"] for run in tracked) == sorted(results(storage))
    assert {run.info.status for run in tracked} == {"FINISHED"}
    studies = [run.info.status for run in runs(database(storage), "study")]
    assert studies == ["FINISHED"] * len(STUDIES)
    assert (Storage(storage).top / "commands").names("*") == []


def test_kills_at_random_moments_leave_the_tables_and_each_thing_once(
    undisturbed: Path, tmp_path: Path
) -> None:
    chance = random.Random(3)
    victims = chance.sample([*["worker"] * 13, *["driver"] * 7], 20)
    with commands(tmp_path) as running:
        for victim in victims:
            running.wait_until_trained(chance.randint(1, 5))
            if victim == "worker":
                running.kill_worker(chance)
            else:
                running.kill_driver(chance.choice(list(STUDIES)))
        running.ended()
    same_as(undisturbed, tmp_path)
    # A worker may outlive its driver until the end of its epoch, which another begins meanwhile.
    twice = sum(count - 1 for count in epochs_said(Storage(tmp_path)).values())
    assert twice <= SLOTS * victims.count("driver")


def test_a_command_that_waits_says_for_whom_and_takes_over_when_that_one_dies(
    tmp_path: Path,
) -> None:
    with driving(study("ols_calibration", tmp_path, "--only", "OLS")) as first:
        first.wait_until_trained(tmp_path, 1)
        first.process.send_signal(signal.SIGSTOP)  # it lives, and gets no further
        with driving(study("ols_features", tmp_path, "--only", "OLS")) as second:
            holder = f", process {first.process.pid} (study ols_calibration.demo."
            second.wait_until(lambda: holder in second.said())
            second.wait_until(lambda: results(tmp_path))  # of what the first one had not begun
            held = len(results(tmp_path))
            first.process.kill()
            first.process.wait()
            said = second.ended(0)
    assert held < len(results(tmp_path)) == 3
    assert said.count("waiting") == 1
    assert {status for status, *_ in results(tmp_path).values()} == {"finished"}
