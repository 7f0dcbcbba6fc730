"""A study command in its storage: a folder, or S3 (a real server of its API)."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import study.lease
from study.lease import lease, turn
from trainables.settings import Invalid
from trainables.storage import claims
from trainables.storage.claims import EXPIRY_SECONDS, machine
from trainables.storage.shelf import Version
from trainables.storage.storage import LAYOUT, Storage


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return Storage(request.getfixturevalue("bucket"))
    return Storage(tmp_path)


def older(storage: Storage, host: str, process: int, started: float) -> None:
    """A lease as an older version writes it, on this machine or one with another name."""
    record = {**machine(), "host": host, "process": process, "started": started, "token": "old"}
    storage.top.write_json("lease.json", record)


def age(storage: Storage, name: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the file so old."""
    if storage.root:
        old = time.time() - seconds
        os.utime(storage.root / name, (old, old))
        return
    now = type(storage.top).version

    def then(self: object, asked: str) -> Version | None:
        found = now(self, asked)  # type: ignore[arg-type]
        old = asked == name.rpartition("/")[2]
        return Version(found.content, found.tag, seconds) if found and old else found

    monkeypatch.setattr(type(storage.top), "version", then)


def another(storage: Storage, seconds: float) -> subprocess.Popen[str]:
    """A command that claims "x", says what it was told, and ends after so long, or as it says."""
    code = (
        "import time, study.lease; study.lease.RENEWAL_SECONDS = 0.5\n"
        "from study.lease import lease; from trainables.storage.storage import Storage\n"
        "from trainables.settings import Invalid\n"
        "try:\n"
        f"    with lease(Storage({str(storage)!r}), 'another') as command:\n"
        f"        print(command.claim('x') or 'claimed', flush=True); time.sleep({seconds})\n"
        "except Invalid as error:\n"
        "    print(error, flush=True)"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def line(command: subprocess.Popen[str]) -> str:
    assert command.stdout is not None
    return command.stdout.readline()


def test_a_command_is_known_while_it_runs(storage: Storage) -> None:
    commands = storage.top / "commands"
    for _ in range(2):
        with lease(storage, "kesl") as command:
            record = commands.read_json(f"{command.token}.json")
            assert (record["process"], record["study"]) == (os.getpid(), "kesl")
            assert record["host"] == socket.gethostname()
        assert commands.names("*") == []
        assert storage.top.read_json("lease.json") == {}


def test_many_commands_are_in_one_storage_at_once(storage: Storage) -> None:
    with lease(storage, "a") as one, lease(storage, "b") as other:
        assert one.others() == {other.token: other.told}
        assert one.claim("x") == ""
        assert other.claim("x").endswith(f"process {os.getpid()} (study a)")
    assert storage.top.read_json("lease.json") == {}


@pytest.mark.slow
def test_what_a_killed_command_had_claimed_is_taken_over_at_once(storage: Storage) -> None:
    holder = another(storage, 60)
    assert line(holder) == "claimed\n"
    with lease(storage, "mine") as command:
        assert f"process {holder.pid} (study another)" in command.claim("x")
        holder.kill()
        holder.wait()
        assert command.claim("x") == ""


def test_a_turn_is_one_command_s_and_waited_for(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(storage, "a") as one, lease(storage, "b") as other:
        waited: list[float] = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            one.release("report")

        monkeypatch.setattr(time, "sleep", wait)
        assert one.claim("report") == ""
        with turn(other, "report"):
            assert one.claim("report")
        assert len(waited) == 1
        assert one.claim("report") == ""


def test_a_lease_that_cannot_be_given_back_is_told_and_hides_no_error(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    def fail() -> None:
        with lease(storage, "kesl"):
            monkeypatch.setattr(type(storage.top), "discard", full)
            raise Invalid("what really happened")

    with pytest.raises(Invalid, match="what really happened"):
        fail()
    assert capsys.readouterr().out == f"the lease on {storage} cannot be given back: disk full\n"


def test_a_living_command_of_an_older_version_holds_the_storage_alone(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = psutil.Process().create_time()
    older(storage, socket.gethostname(), os.getpid(), started)
    with pytest.raises(Invalid) as raised, lease(storage, "kesl"):
        pass
    assert str(raised.value) == (
        f"--storage = {storage}: in use by a study command of an older version (host "
        f"{socket.gethostname()}, process {os.getpid()}, started "
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(started))}); wait for it or give "
        "another storage"
    )
    assert (storage.top / "commands").names("*.json") == []
    older(storage, socket.gethostname(), os.getpid(), started - 60)  # another process, by now
    with lease(storage, "kesl"):
        pass
    older(storage, "another-host", 1, time.time())
    with pytest.raises(Invalid, match="another-host"), lease(storage, "kesl"):
        pass
    age(storage, "lease.json", EXPIRY_SECONDS + 1, monkeypatch)
    with lease(storage, "kesl"):
        pass


def test_a_command_keeps_those_of_an_older_version_out(storage: Storage) -> None:
    with lease(storage, "kesl"):
        held = storage.top.version("lease.json")
        assert held
        assert claims.lives(json.loads(held.content), held.age)


def test_a_lease_that_is_no_json_is_taken_over(storage: Storage) -> None:
    storage.top.write("lease.json", b"")
    with lease(storage, "kesl"):
        pass


def test_a_storage_of_a_newer_version_is_refused_and_left_alone(storage: Storage) -> None:
    storage.top.write_json("storage.json", {"id": "x", "layout": LAYOUT + 1})
    refused = f"storage = {storage}: must be of layout {LAYOUT} or older \\(a newer version has"
    with pytest.raises(Invalid, match=refused), lease(storage, "kesl"):
        pass
    assert storage.top.names("*") == ["storage.json"]


def renewed(storage: Storage, token: str) -> float:
    found: dict[str, Any] = (storage.top / "commands").read_json(f"{token}.json")
    return float(found["renewed"])


def wait_until_renewed(storage: Storage, token: str, after: float) -> None:
    end = time.monotonic() + 30
    while renewed(storage, token) <= after:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_command_renews_its_record_and_the_lease(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.lease, "RENEWAL_SECONDS", 0.02)
    with lease(storage, "kesl") as command:
        first = renewed(storage, command.token)
        wait_until_renewed(storage, command.token, first)
        assert storage.top.read_json("lease.json")["renewed"] > first


def test_an_answer_that_was_lost_is_no_lost_lease(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.lease, "RENEWAL_SECONDS", 0.02)
    with lease(storage, "kesl") as command:
        commands, file = storage.top / "commands", f"{command.token}.json"
        mine = commands.read_json(file)
        commands.write_json(file, {**mine, "renewed": 0})  # put, but never confirmed
        wait_until_renewed(storage, command.token, 0)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """SIGINT as in a terminal, here and in child processes: in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("by", ["another command", "one of an older version"])
def test_a_command_that_was_taken_for_dead_is_interrupted_and_says_so(
    by: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.lease, "RENEWAL_SECONDS", 0.02)
    begun = time.monotonic()
    said = {
        "another command": "this command slept for over 60 s, and was taken for dead; nothing",
        "one of an older version": r"60 s, and another \(host far, process 7, .*\) has taken over",
    }

    def hold() -> None:
        with lease(storage, "kesl") as command:
            if by == "another command":
                (storage.top / "commands").discard(f"{command.token}.json")
            else:
                older(storage, "far", 7, time.time())
            time.sleep(60)

    with pytest.raises(Invalid, match=said[by]):
        hold()
    assert time.monotonic() - begun < 30


@pytest.mark.slow
def test_a_command_that_slept_stops_when_it_wakes(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a laptop does: SIGSTOP, its claim taken over from elsewhere meanwhile, SIGCONT."""
    sleeper = another(storage, 60)
    assert line(sleeper) == "claimed\n"
    os.kill(sleeper.pid, signal.SIGSTOP)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    (name,) = (storage.top / "commands").names("*.json")
    age(storage, f"commands/{name}", EXPIRY_SECONDS + 1, monkeypatch)
    with lease(storage, "kesl") as command:
        assert command.claim("x") == ""
        os.kill(sleeper.pid, signal.SIGCONT)
        assert "was taken for dead; nothing is lost" in line(sleeper)
        assert sleeper.wait(10) == 0
        assert command.holder("x") == command.token
