"""Shares of a cluster: by hand and by property; two drivers on one real cluster."""

import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st
from ray.cluster_utils import Cluster

from study.running.shares import AHEAD, limit, shares


def entry(
    wanted: float = math.inf,
    running: int = 0,
    priority: float = 1.0,
    used: float = 0.0,
    cpus: float = 1.0,
    gpus: float = 0.0,
) -> dict[str, float]:
    told = {"wanted": wanted, "running": running, "priority": priority, "used": used}
    return {**told, "CPU": cpus, "GPU": gpus}


def slots(number: int) -> list[dict[str, float]]:
    """Nodes of one CPU."""
    return [{"CPU": 1.0}] * number


@pytest.mark.parametrize(
    ("commands", "places", "given"),
    [
        ({"a": entry()}, 4, {"a": 4}),
        ({"a": entry(), "b": entry()}, 4, {"a": 2, "b": 2}),
        ({"a": entry(), "b": entry(1)}, 4, {"a": 3, "b": 1}),
        ({"a": entry(2), "b": entry(1)}, 4, {"a": 2, "b": 1}),
        ({"a": entry(), "b": entry(0)}, 4, {"a": 4, "b": 0}),
        ({"a": entry(), "b": entry(priority=3)}, 8, {"a": 2, "b": 6}),
        ({"a": entry(), "b": entry(), "c": entry(1)}, 9, {"a": 4, "b": 4, "c": 1}),
        ({"a": entry(), "b": entry(priority=100)}, 2, {"a": 1, "b": 1}),  # one each, first
        ({"a": entry(used=5), "b": entry(used=4)}, 1, {"a": 0, "b": 1}),
        ({"a": entry(used=5), "b": entry(used=4)}, 3, {"a": 1, "b": 2}),
        ({"a": entry(), "b": entry()}, 0, {"a": 0, "b": 0}),
    ],
)
def test_by_hand(commands: dict[str, dict[str, float]], places: int, given: dict[str, int]) -> None:
    assert shares(commands, slots(places)) == given


def test_a_trial_counts_by_the_resource_that_it_takes_most_of() -> None:
    nodes = [{"CPU": 8.0, "GPU": 2.0}] * 2
    whole, half = entry(gpus=1.0), entry(gpus=0.5)
    assert shares({"whole": whole, "half": half}, nodes) == {"whole": 2, "half": 4}
    assert shares({"whole": whole, "cpus": entry()}, nodes) == {"whole": 3, "cpus": 13}
    assert shares({"whole": whole, "cpus": entry(9)}, nodes) == {"whole": 4, "cpus": 9}
    tenths = entry(gpus=0.1)
    assert shares({"tenths": tenths}, [{"CPU": 99.0, "GPU": 1.0}]) == {"tenths": 10}


def test_workers_of_a_trial_may_be_on_several_nodes_and_all_have_a_place_or_none() -> None:
    nodes = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 1.0}]
    four = {**entry(cpus=4, gpus=4), "workers": 4}
    assert shares({"four": four}, nodes) == {"four": 1}
    assert shares({"four": four, "one": entry(gpus=1)}, nodes) == {"four": 1, "one": 1}
    assert shares(
        {"six": {**entry(cpus=6, gpus=6), "workers": 6}, "one": entry(gpus=1)}, nodes
    ) == {
        "six": 0,
        "one": 5,
    }


def test_a_trial_must_fit_one_node_and_gpus_are_left_to_those_who_need_them() -> None:
    assert shares({"wide": entry(cpus=3)}, [{"CPU": 4.0}, {"CPU": 5.0}]) == {"wide": 2}
    nodes = [{"CPU": 1.0, "GPU": 1.0}, {"CPU": 1.0}]
    assert shares({"a": entry(), "b": entry(gpus=1.0)}, nodes) == {"a": 1, "b": 1}


wants = st.one_of(st.integers(0, 12), st.just(math.inf))
entries = st.builds(
    entry, wants, priority=st.sampled_from([0.5, 1.0, 2.0, 7.0]), used=st.integers(0, 9)
)
several = st.lists(entries, min_size=1, max_size=5).map(
    lambda found: {f"command {i}": one for i, one in enumerate(found)}
)


@given(several, st.integers(0, 20))
def test_no_place_is_left_while_it_is_wanted_and_nobody_has_more_than_wanted(
    commands: dict[str, dict[str, float]], places: int
) -> None:
    given = shares(commands, slots(places))
    wanted = {name: one["wanted"] for name, one in commands.items()}
    assert sum(given.values()) == min(places, sum(wanted.values()))
    assert all(given[name] <= wanted[name] for name in commands)


@given(entries, st.integers(1, 5), st.integers(0, 20))
def test_equals_differ_by_one_at_most(one: dict[str, float], number: int, places: int) -> None:
    given = shares({str(i): one for i in range(number)}, slots(places)).values()
    assert max(given) - min(given) <= 1


@given(several, st.integers(0, 20), st.sampled_from([1.5, 4.0]))
def test_more_priority_is_never_less_of_the_cluster(
    commands: dict[str, dict[str, float]], places: int, times: float
) -> None:
    first = commands["command 0"]
    more = {**commands, "command 0": {**first, "priority": first["priority"] * times}}
    before, after = shares(commands, slots(places)), shares(more, slots(places))
    assert after["command 0"] >= before["command 0"]


@given(several, st.integers(0, 20))
def test_whoever_comes_takes_from_no_one_more_than_is_given(
    commands: dict[str, dict[str, float]], places: int
) -> None:
    before, after = (
        shares(commands, slots(places)),
        shares({**commands, "new": entry()}, slots(places)),
    )
    assert all(after[name] <= before[name] for name in commands)


def test_alone_a_command_has_no_limit_or_the_one_that_it_asks_for() -> None:
    assert limit("a", {"a": entry(running=4)}, slots(4)) is None
    assert limit("a", {"a": entry(running=4)}, slots(4), alone=3) == 7


def test_while_one_is_below_its_share_the_others_hold_no_places_for_later() -> None:
    def limits(a: int, b: int) -> list[int | None]:
        commands = {"a": entry(running=a), "b": entry(running=b)}
        return [limit(name, commands, slots(4)) for name in commands]

    assert limits(4, 0) == [2, 2]
    assert limits(3, 1) == [2, 2]
    assert limits(2, 2) == [2 + AHEAD, 2 + AHEAD]
    assert limits(4, 2) == [2, 2 + AHEAD]  # a node is gone, or b's trials have none yet


class Laboratory:
    """A cluster with places for some trials, and studies of slow trials that share it."""

    def __init__(self, folder: Path, places: int) -> None:
        self._folder = folder
        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": places, "include_dashboard": False}
        )
        self.drivers: list[subprocess.Popen[bytes]] = []

    def start(
        self, name: str, trials: int, seconds: int = 2, priority: float = 1
    ) -> subprocess.Popen[bytes]:
        (self._folder / name).mkdir()
        module = [sys.executable, "-m", "tests.study.running.driver", self.cluster.address]
        further = map(str, (self._folder / name, trials, seconds, priority))
        with (self._folder / f"{name}.log").open("w") as log:
            self.drivers.append(subprocess.Popen([*module, *further], stdout=log))
        return self.drivers[-1]

    def results(self, name: str) -> int:
        return len(list(self._folder.glob(f"{name}/trials/*/result.json")))

    def running(self, name: str) -> int:
        return (self._folder / f"{name}.log").read_text().count("begun") - self.results(name)


@pytest.fixture
def laboratory(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Laboratory]:
    ray.shutdown()
    there = Laboratory(tmp_path, places=request.param)
    yield there
    ray.shutdown()
    for driver in there.drivers:
        driver.kill()
        driver.wait()
    there.cluster.shutdown()


def until(condition: Callable[[], object], seconds: float = 200) -> float:
    """Waits for it. Returns the seconds that took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds
        time.sleep(0.1)
    return time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("laboratory", [2], indirect=True)
def test_a_later_study_gets_its_share_and_a_stopped_one_s_places_are_free_at_once(
    laboratory: Laboratory,
) -> None:
    big = laboratory.start("big", 500)
    until(lambda: laboratory.results("big") >= 2)
    small = laboratory.start("small", 4)
    until(lambda: laboratory.running("small"))
    beside = laboratory.results("big")
    assert small.wait(200) == 0
    assert laboratory.results("small") == 4
    assert laboratory.results("big") > beside  # which went on
    assert big.poll() is None

    long = laboratory.start("long", 2, seconds=600)
    until(lambda: laboratory.running("long"))
    until(lambda: laboratory.results("big") > beside + 6)
    assert laboratory.running("long") == 1  # of two places
    big.send_signal(signal.SIGINT)
    assert big.wait(10) == 130
    until(lambda: laboratory.running("long") == 2)
    long.send_signal(signal.SIGTERM)
    assert long.wait(10) == 143
    ray.init(address=laboratory.cluster.address, log_to_driver=False)
    assert until(lambda: ray.available_resources().get("CPU") == 2) < 10
    assert ray.util.list_named_actors(all_namespaces=True) == []  # the board has ended, too
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("laboratory", [1], indirect=True)
def test_two_studies_take_turns_with_one_place(laboratory: Laboratory) -> None:
    big = laboratory.start("big", 500)
    until(lambda: laboratory.results("big") >= 2)
    small = laboratory.start("small", 2, priority=3)
    assert small.wait(200) == 0
    assert laboratory.results("small") == 2
    beside = laboratory.results("big")
    until(lambda: laboratory.results("big") >= beside + 2)
    assert big.poll() is None
