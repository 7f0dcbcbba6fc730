import os
from pathlib import Path

import pytest
import shared_gpu


@pytest.mark.slow
def test_processes_at_once_are_measured_beside_one(capfd: pytest.CaptureFixture[str]) -> None:
    assert shared_gpu.main(["--repeats", "1", "--batch-size", "4"]) == 0
    (line,) = capfd.readouterr().out.splitlines()[1:]
    assert line.startswith("ResNet-32, batch 4: 2 processes / alone")


@pytest.mark.slow
def test_a_process_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^a process has failed$"):
        shared_gpu.measure(1, tmp_path, "no device", 4, 1)


def test_mps_is_started_for_what_runs_inside_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = tmp_path / shared_gpu.CONTROL
    said = tmp_path / "said"
    control.write_text(f'#!/bin/sh\necho "$1" "$CUDA_MPS_PIPE_DIRECTORY" >>{said}\ncat >>{said}\n')
    control.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with shared_gpu.mps(tmp_path):
        inside = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
    assert Path(inside).is_dir()
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert said.read_text().splitlines() == [f"-d {inside}", f" {inside}", "quit"]


def test_without_a_daemon_there_is_no_mps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match=f"^there is no {shared_gpu.CONTROL}$"):
        with shared_gpu.mps(tmp_path):
            pytest.fail("nothing runs under it")
