"""Two commands on one storage on S3, by conditional puts. Real Ray, MLflow, SIGKILL."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.study.command import TINY, command, driving, epochs_said, runs
from tests.study.server import Server
from trainables.storage.storage import Storage

pytestmark = [pytest.mark.slow(minutes=2), pytest.mark.timeout(900)]

EPOCHS = 6


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[str]:
    """The address of a server: with a storage on S3 a database in a folder is refused."""
    server = Server(tmp_path)
    yield server.uri
    server.kill()


def test_each_trial_and_measure_is_made_once_though_a_command_is_killed(
    bucket: str, tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # a copy of the report is kept there
    storage = Storage(bucket)
    more = (*TINY, "--seeds", "1", "--tracking-uri", tracker)
    calibration, features = (
        command(grid, bucket, *more, epochs=EPOCHS) for grid in ("ols_calibration", "ols_features")
    )
    with driving(calibration) as first:
        first.wait_until(lambda: epochs_said(storage))
        first.process.send_signal(signal.SIGSTOP)  # it lives, and its trials get no further
        with driving(features) as second:
            holder = f", process {first.process.pid} (study ols_calibration.demo."
            second.wait_until(lambda: holder in second.said())
            first.process.kill()
            second.ended(0)
    with driving(calibration) as again:
        said = again.ended(0)
    assert re.search("^3 trials in .*: 3 with a result, 0 to be resumed, 0 new", said, re.M)

    ids = sorted(storage.results())
    assert len(ids) == 3
    said_of = epochs_said(storage)
    assert sorted(said_of) == sorted((i, str(n)) for i in ids for n in range(1, EPOCHS + 1))
    # The killed command's workers may end the epochs that another begins meanwhile.
    assert sum(said_of.values()) <= 3 * EPOCHS + 2
    assert len(storage.top.names("trials/*/measure-*")) == 6
    tracked = runs(tracker, "trial")
    assert sorted(run.data.tags["trial_id"] for run in tracked) == ids
    assert {run.info.status for run in tracked} == {"FINISHED"}
    assert [run.info.status for run in runs(tracker, "study")] == ["FINISHED"] * 2
