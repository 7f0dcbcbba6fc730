"""Who does what in a storage of many commands: a folder, or S3 (a real server of its API)."""

import errno
import os
import pickle
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import psutil
import pytest

from trainables.storage import claims
from trainables.storage.claims import EXPIRY_SECONDS, NOBODY, Command, Others, machine, running
from trainables.storage.folder import Folder
from trainables.storage.shelf import Version
from trainables.storage.storage import Storage

HERE = claims.process(os.getpid())
ANOTHER = {"started": 0.0, "ticks": 0}  # the start of an earlier process with this one's number


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return Storage(request.getfixturevalue("bucket"))
    return Storage(tmp_path)


def known(storage: Storage, token: str, **record: Any) -> Command:
    """A command of this process, or one whose record says otherwise."""
    me = {**machine(), **HERE, "study": f"of {token}", "token": token, **record}
    (storage.top / "commands").write_json(f"{token}.json", me)
    return Command(storage, token, claims.told(me))


def age(storage: Storage, token: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the command's record so old."""
    if storage.root:
        old = time.time() - seconds
        os.utime(storage.root / "commands" / f"{token}.json", (old, old))
        return
    now = type(storage.top).version

    def then(self: object, name: str) -> Version | None:
        found = now(self, name)  # type: ignore[arg-type]
        old = name == f"{token}.json"
        return Version(found.content, found.tag, seconds) if found and old else found

    monkeypatch.setattr(type(storage.top), "version", then)


def test_what_one_has_claimed_another_is_told_of_and_may_not_do(storage: Storage) -> None:
    one, other = known(storage, "one"), known(storage, "other")
    assert one.claim("trial-x") == ""
    assert one.claim("trial-x") == ""  # again, as by a worker in another's place
    line = f"host {socket.gethostname()}, process {os.getpid()} (study of one)"
    assert other.claim("trial-x") == line
    assert other.claim("trial-y") == ""
    assert (other.holder("trial-x"), one.holder("trial-y"), one.holder("z")) == ("one", "other", "")


def test_what_is_released_is_free_and_only_its_holder_releases_it(storage: Storage) -> None:
    one, other = known(storage, "one"), known(storage, "other")
    one.claim("x")
    other.release("x")
    assert other.claim("x")
    one.release("x")
    one.release("never claimed")
    assert other.claim("x") == ""
    assert one.claim("x")


def test_on_a_full_disk_a_claim_is_kept_until_its_command_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(tmp_path)
    one, other = known(storage, "one"), known(storage, "other")
    one.claim("x")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "swap", full)
        one.release("x")
    assert other.claim("x")
    (storage.top / "commands").discard("one.json")
    assert other.claim("x") == ""


@pytest.mark.parametrize("left", ["nothing", "a record"])
def test_the_claim_of_a_command_that_ended_is_taken_over(storage: Storage, left: str) -> None:
    gone = known(storage, "gone", **ANOTHER)
    gone.claim("x")
    if left == "nothing":
        (storage.top / "commands").discard("gone.json")
    one, other = known(storage, "one"), known(storage, "other")
    assert one.claim("x") == ""
    assert other.claim("x") == one.told
    assert (storage.top / "commands").names("*") != []
    assert (storage.top / "commands").read("gone.json") is None


def test_a_command_that_was_killed_is_dead_at_once_even_if_nobody_waits_for_it(
    storage: Storage,
) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    killed = known(storage, "killed", **claims.process(child.pid))
    killed.claim("x")
    one = known(storage, "one")
    assert f"process {child.pid}" in one.claim("x")
    child.kill()
    end = time.monotonic() + 30
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
    assert one.claim("x") == ""
    child.communicate()


def test_a_command_lives_on_when_the_clock_is_set(tmp_path: Path) -> None:
    """As on a virtual machine that was stopped for a while: what began then has another time."""
    storage = Storage(tmp_path)
    moved = known(storage, "moved", started=HERE["started"] - 600)
    another = known(storage, "another", ticks=HERE["ticks"] + 1)
    assert moved.lives("moved")
    assert not moved.lives("another")
    assert another.claim("x") == ""


@pytest.mark.parametrize(("apart", "alive"), [(4, True), (6, False)])
def test_without_ticks_a_process_is_known_by_the_time_of_its_start(
    tmp_path: Path, apart: float, alive: bool
) -> None:
    """So an older version writes it, and a machine without /proc."""
    now = {**machine(), **HERE, "started": HERE["started"] - apart}
    del now["ticks"]
    assert claims.lives(now, 0) == alive


@pytest.mark.parametrize("elsewhere", ["host", "boot", "processes"])
def test_a_command_elsewhere_goes_by_the_age_of_its_record(
    storage: Storage, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a container with this host's name: its process numbers mean nothing here."""
    away = known(storage, "away", **ANOTHER, **{elsewhere: "another"})
    away.claim("x")
    one = known(storage, "one")
    assert one.claim("x") == away.told
    age(storage, "away", EXPIRY_SECONDS - 5, monkeypatch)
    assert one.claim("x") == away.told
    age(storage, "away", EXPIRY_SECONDS + 1, monkeypatch)
    assert one.claim("x") == ""


def test_one_that_renews_as_it_is_found_dead_lives(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(storage, "slept", host="another")
    one = known(storage, "one")
    now = type(storage.top).version
    looks = 0

    def renewed_after_the_first_look(self: Any, name: str) -> Version | None:
        nonlocal looks
        found = now(self, name)
        looks += 1
        if looks == 1:
            assert found
            known(storage, "slept", host="another", renewed=1)
            return Version(found.content, found.tag, EXPIRY_SECONDS + 1)
        return found

    monkeypatch.setattr(type(storage.top), "version", renewed_after_the_first_look)
    assert one.lives("slept")
    assert looks == 2


def test_the_others_are_those_that_live(storage: Storage) -> None:
    one, other = known(storage, "one"), known(storage, "other")
    known(storage, "gone", **ANOTHER)
    (storage.top / "commands").write("torn.json", b"{")
    (storage.top / "commands").write("ended.json", NOBODY)
    assert set(running(storage)) == {"one", "other"}
    assert one.others() == {"other": other.told}
    assert set((storage.top / "commands").names("*.json")) == {"one.json", "other.json"}


def test_others_are_looked_for_now_and_then(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (Others(None).now(), Others(None).holder("x")) == ({}, "")
    one = known(storage, "one")
    others = Others(one)
    assert (others.now(), others.ever) == ({}, False)
    other = known(storage, "other")
    other.claim("x")
    assert (others.now(), others.holder("x")) == ({}, "")
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.0)
    assert others.now() == {"other": other.told}
    assert (others.holder("x"), others.holder("y"), others.ever) == ("other", "", True)


def test_a_worker_claims_in_its_command_s_name(storage: Storage) -> None:
    one, other = known(storage, "one"), known(storage, "other")
    sent: Command = pickle.loads(pickle.dumps(one))
    assert sent.claim("x") == ""
    assert one.claim("x") == ""
    assert other.claim("x") == one.told


@pytest.mark.slow
def test_of_many_at_once_again_and_again_one_wins(storage: Storage) -> None:
    """The race for what a dead command had claimed, in its narrowest form."""
    start = Barrier(8)
    commands = [known(storage, f"c{i}") for i in range(8)]

    def won(command: Command) -> bool:
        start.wait()
        return command.claim("x") == ""

    with ThreadPoolExecutor(8) as pool:
        for i in range(10):
            if i:
                known(storage, "gone", **ANOTHER).claim("x")
            assert sum(pool.map(won, commands)) == 1
            commands[0].storage.top.remove("claims/x.json")
