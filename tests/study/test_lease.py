"""One study command at a time on a storage folder."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from study.lease import EXPIRY_SECONDS, lease
from trainables.settings import Invalid


def write(path: Path, host: str, process: int, started: float) -> None:
    holder = {"host": host, "process": process, "started": started}
    (path / "lease.json").write_text(json.dumps(holder))


def test_a_folder_in_use_names_host_process_and_start(tmp_path: Path) -> None:
    with lease(tmp_path), pytest.raises(Invalid) as raised, lease(tmp_path):
        pass
    assert socket.gethostname() in str(raised.value)
    assert f"process {os.getpid()}" in str(raised.value)
    assert time.strftime("%Y-") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_lease_ends_with_the_command(tmp_path: Path) -> None:
    with lease(tmp_path):
        pass
    with lease(tmp_path):
        assert (tmp_path / "lease.json").exists()
    assert not (tmp_path / "lease.json").exists()


def test_a_holder_that_was_killed_is_taken_over_at_once(tmp_path: Path) -> None:
    code = "from study.lease import lease; from pathlib import Path; import time\n"
    code += f"with lease(Path({str(tmp_path)!r})): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Invalid, match=f"process {holder.pid}"), lease(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with lease(tmp_path):
        pass


def test_another_process_of_the_same_number_is_not_the_holder(tmp_path: Path) -> None:
    write(tmp_path, socket.gethostname(), os.getpid(), psutil.Process().create_time() - 1)
    with lease(tmp_path):
        pass


def test_a_holder_elsewhere_is_dead_when_it_has_not_renewed(tmp_path: Path) -> None:
    write(tmp_path, "another-host", 1, time.time())
    with pytest.raises(Invalid, match="another-host"), lease(tmp_path):
        pass
    old = time.time() - EXPIRY_SECONDS - 1
    os.utime(tmp_path / "lease.json", (old, old))
    with lease(tmp_path):
        pass


def test_a_lease_that_is_no_json_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text("")
    with lease(tmp_path):
        pass
