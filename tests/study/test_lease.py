"""One study command at a time on a storage: a folder, or S3 (a real server of its API)."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any

import psutil
import pytest

import study.lease
from study.lease import EXPIRY_SECONDS, lease
from trainables.settings import Invalid
from trainables.storage.bucket import client
from trainables.storage.shelf import Version
from trainables.storage.storage import Storage


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return Storage(request.getfixturevalue("bucket"))
    return Storage(tmp_path)


def write(storage: Storage, host: str, process: int, started: float) -> None:
    """A lease of this machine, or of one with another name and else the same."""
    machine = {**study.lease._machine(), "host": host}
    storage.top.write_json("lease.json", {**machine, "process": process, "started": started})


def age(storage: Storage, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the lease so old."""
    if storage.root:
        old = time.time() - seconds
        os.utime(storage.root / "lease.json", (old, old))
    else:
        now = type(storage.top).version

        def then(self: object, name: str) -> Version | None:
            found = now(self, name)  # type: ignore[arg-type]
            return found and Version(found.content, found.tag, seconds)

        monkeypatch.setattr(type(storage.top), "version", then)


def held(storage: Storage, seconds: float) -> subprocess.Popen[str]:
    """Another command, that says whether it holds the lease, and ends after so long if it does."""
    code = (
        "import time, study.lease; study.lease.RENEWAL_SECONDS = 0.5\n"
        "from study.lease import lease; from trainables.storage.storage import Storage\n"
        "from trainables.settings import Invalid\n"
        "input()\n"
        "try:\n"
        f"    with lease(Storage({str(storage)!r})):\n"
        f"        print('held', flush=True); time.sleep({seconds})\n"
        "except Invalid as error:\n"
        "    print(error, flush=True)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(command: subprocess.Popen[str]) -> str:
    assert command.stdin is not None
    assert command.stdout is not None
    command.stdin.write("\n")
    command.stdin.flush()
    return command.stdout.readline()


def test_a_storage_in_use_names_host_process_and_start(storage: Storage) -> None:
    with lease(storage), pytest.raises(Invalid) as raised, lease(storage):
        pass
    assert f"--storage = {storage}: in use" in str(raised.value)
    assert socket.gethostname() in str(raised.value)
    assert f"process {os.getpid()}" in str(raised.value)
    assert time.strftime("%Y-") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_lease_ends_with_the_command(storage: Storage) -> None:
    for _ in range(2):
        with lease(storage):
            assert storage.top.read_json("lease.json")["process"] == os.getpid()
        assert storage.top.read_json("lease.json") == {}


def test_a_lease_that_cannot_be_given_back_is_told_and_hides_no_error(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    def fail() -> None:
        with lease(storage):
            monkeypatch.setattr(type(storage.top), "swap", full)
            raise Invalid("what really happened")

    with pytest.raises(Invalid, match="what really happened"):
        fail()
    assert capsys.readouterr().out == f"the lease on {storage} cannot be given back: disk full\n"


def test_a_holder_that_was_killed_is_taken_over_at_once(storage: Storage) -> None:
    holder = held(storage, 60)
    assert said(holder) == "held\n"
    with pytest.raises(Invalid, match=f"process {holder.pid}"), lease(storage):
        pass
    holder.kill()
    holder.wait()
    with lease(storage):
        pass


def test_another_process_of_the_same_number_is_not_the_holder(storage: Storage) -> None:
    write(storage, socket.gethostname(), os.getpid(), psutil.Process().create_time() - 60)
    with lease(storage):
        pass


def test_a_holder_elsewhere_is_dead_when_it_has_not_renewed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(storage, "another-host", 1, time.time())
    with pytest.raises(Invalid, match="another-host"), lease(storage):
        pass
    age(storage, EXPIRY_SECONDS - 5, monkeypatch)
    with pytest.raises(Invalid, match="another-host"), lease(storage):
        pass
    age(storage, EXPIRY_SECONDS + 1, monkeypatch)
    with lease(storage):
        pass


@pytest.mark.parametrize("differing", ["boot", "processes"])
def test_a_holder_in_a_container_with_our_host_s_name_goes_by_age(
    differing: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(storage, socket.gethostname(), os.getpid(), 0.0)  # no such process here
    holder = storage.top.read_json("lease.json")
    storage.top.write_json("lease.json", {**holder, differing: "another"})
    with pytest.raises(Invalid, match=f"process {os.getpid()}"), lease(storage):
        pass
    age(storage, EXPIRY_SECONDS + 1, monkeypatch)
    with lease(storage):
        pass


def test_a_lease_that_is_no_json_is_taken_over(storage: Storage) -> None:
    storage.top.write("lease.json", b"")
    with lease(storage):
        pass


def wait_until_renewed(storage: Storage, after: float) -> None:
    end = time.monotonic() + 30
    while storage.top.read_json("lease.json")["renewed"] <= after:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_lease_is_renewed(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study.lease, "RENEWAL_SECONDS", 0.02)
    with lease(storage):
        first = storage.top.read_json("lease.json")["renewed"]
        wait_until_renewed(storage, first)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """SIGINT as in a terminal, here and in child processes: in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_holder_that_was_taken_over_is_interrupted_and_says_by_whom(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.lease, "RENEWAL_SECONDS", 0.02)
    begun = time.monotonic()
    taken = r"another has taken over \(host another-host, process 7"

    def hold() -> None:
        with lease(storage):
            write(storage, "another-host", 7, time.time())
            time.sleep(60)

    with pytest.raises(Invalid, match=taken):
        hold()
    assert time.monotonic() - begun < 30
    assert storage.top.read_json("lease.json")["host"] == "another-host"


def test_a_holder_that_slept_stops_when_it_wakes(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a laptop does: SIGSTOP, taken over from elsewhere meanwhile, SIGCONT."""
    holder = held(storage, 60)
    assert said(holder) == "held\n"
    os.kill(holder.pid, signal.SIGSTOP)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    age(storage, EXPIRY_SECONDS + 1, monkeypatch)
    with lease(storage):
        time.sleep(1)
        os.kill(holder.pid, signal.SIGCONT)
        assert holder.stdout is not None
        assert "another has taken over (host elsewhere" in holder.stdout.readline()
        assert holder.wait(10) == 0
        assert storage.top.read_json("lease.json")["host"] == "elsewhere"


def test_an_answer_that_was_lost_is_no_lost_lease(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.lease, "RENEWAL_SECONDS", 0.02)
    with lease(storage):
        mine = storage.top.read_json("lease.json")
        storage.top.write_json("lease.json", {**mine, "renewed": 0})  # put, but never confirmed
        wait_until_renewed(storage, 0)


def take(storage: Storage, start: Any, verdicts: Any) -> None:
    client.cache_clear()  # a client is not to be shared with a fork
    start.wait()
    try:
        with lease(storage):
            verdicts.put("held")
            time.sleep(60)
    except Invalid as error:
        verdicts.put(str(error))


@pytest.mark.parametrize("left", ["nothing", "the lease of a dead holder"])
def test_of_many_commands_at_once_exactly_one_wins(storage: Storage, left: str) -> None:
    if left != "nothing":
        write(storage, socket.gethostname(), os.getpid(), 0.0)
    fork = get_context("fork")
    start, verdicts = fork.Barrier(8), fork.Queue()
    commands = [fork.Process(target=take, args=(storage, start, verdicts)) for _ in range(8)]
    for command in commands:
        command.start()
    lines = [verdicts.get(timeout=60) for _ in commands]
    holder = storage.top.read_json("lease.json")["process"]
    for command in commands:
        command.kill()
        command.join()
    assert lines.count("held") == 1
    assert holder in [command.pid for command in commands]
    assert sum(f"process {holder}," in line for line in lines) == 7


def test_of_many_threads_at_once_again_and_again_one_wins(storage: Storage) -> None:
    """The race for a dead holder's lease, in its narrowest form."""
    start = Barrier(8)

    def won(_: int) -> bool:
        one = study.lease._Held(storage)
        start.wait()
        try:
            one.take()
        except Invalid:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            write(storage, socket.gethostname(), os.getpid(), 0.0)
            assert sum(pool.map(won, range(8))) == 1


def test_the_file_of_a_lease_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    with lease(Storage(tmp_path)):
        told = json.loads((tmp_path / "lease.json").read_text())
    assert {"host", "process", "started"} <= told.keys()
