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
from tests.study.test_exactly_once import runs, wait_until_trained
from trainables.storage import Storage

EPOCHS = 30
SHORT = (f"recipe.epochs={EPOCHS}", "recipe.milestones=()", "recipe.schedule=constant")


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


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_stops_in_order_and_goes_on(number: int, code: int, tmp_path: Path) -> None:
    changes = [argument for change in SHORT for argument in ("--set", change)]
    options = ["--grid", "kesl_label_smoothing", "--seeds", "1", *changes]
    command = [sys.executable, "study/run.py", *options, "--storage", str(tmp_path)]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until_trained(driver, tmp_path, 3)
    begun = time.monotonic()
    driver.send_signal(number)
    said, _ = driver.communicate(timeout=60)
    assert time.monotonic() - begun < 10
    assert driver.returncode == code, said
    assert Storage(tmp_path).top.read_json("lease.json") == {}  # given back
    unfinished = [run for run in runs(tmp_path, "trial") if "ended" not in run.data.tags]
    assert unfinished
    assert {run.info.status for run in unfinished} == {"KILLED"}
    assert [run.info.status for run in runs(tmp_path, "study")] == ["KILLED"]

    again = shlex.split(said.splitlines()[-1].partition("to go on: ")[2])
    assert again[0] == "python"
    done = subprocess.run([sys.executable, *again[1:]], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [run.info.status for run in runs(tmp_path, "trial")] == ["FINISHED"] * 4
    assert len({run.data.tags["trial_id"] for run in runs(tmp_path, "trial")}) == 4
    assert [run.info.status for run in runs(tmp_path, "study")] == ["FINISHED"]
