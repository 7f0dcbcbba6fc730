"""SIGINT and SIGTERM: the block that they end, and the whole command."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.stopping import stoppable
from tests.study.command import TINY, command, database, driving, here, runs
from trainables.storage.storage import Storage

EPOCHS = 20


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_raised_once_and_the_old_handler_comes_back(number: int, code: int) -> None:
    before = signal.getsignal(number)
    with stoppable() as stop:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # the end is under way: nothing is raised
    assert stop.exit_code == code
    assert signal.getsignal(number) == before


def test_what_does_not_end_is_cut_off() -> None:
    program = (
        "import os, signal, time\n"
        "from study import stopping\n"
        "stopping.DEADLINE_SECONDS = 0.5\n"
        "with stopping.stoppable():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except KeyboardInterrupt:\n"
        "        time.sleep(60)\n"
    )
    begun = time.monotonic()
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 143
    assert time.monotonic() - begun < 30


@pytest.mark.slow(minutes=4)
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_stops_in_order_and_goes_on(number: int, code: int, tmp_path: Path) -> None:
    study = command("kesl_label_smoothing", tmp_path, "--seeds", "1", *TINY, epochs=EPOCHS)
    with driving(study) as driver:
        driver.wait_until_trained(tmp_path, 3)
        begun = time.monotonic()
        driver.process.send_signal(number)
        said = driver.ended(code)
    assert time.monotonic() - begun < 10
    assert Storage(tmp_path).top.read_json("lease.json") == {}  # given back
    tracker = database(tmp_path)
    unfinished = [run for run in runs(tracker, "trial") if "ended" not in run.data.tags]
    assert unfinished
    assert {run.info.status for run in unfinished} == {"KILLED"}
    assert [run.info.status for run in runs(tracker, "study")] == ["KILLED"]

    again = shlex.split(said.splitlines()[-1].partition("to go on: ")[2])
    here(again)
    assert [run.info.status for run in runs(tracker, "trial")] == ["FINISHED"] * 4
    assert len({run.data.tags["trial_id"] for run in runs(tracker, "trial")}) == 4
    assert [run.info.status for run in runs(tracker, "study")] == ["FINISHED"]
