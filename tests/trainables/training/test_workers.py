"""Two processes that train one trial together, beside one that trains it alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from tests.trainables.small import CPU, SITE
from tests.trainables.training.together import CASES, normed, train
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles
from trainables.training.fit import fit
from trainables.training.workers import Workers

pytestmark = pytest.mark.slow

# They sum in another order, in float32; three epochs later weights differ by so much at most.
TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two workers have trained every case."""
    folder = tmp_path_factory.mktemp("together")
    program = "import pathlib; from {0} import train; train({1}, 2, pathlib.Path({2!r}))"
    programs = (program.format(train.__module__, rank, str(folder)) for rank in range(2))
    workers = [subprocess.Popen([sys.executable, "-c", text]) for text in programs]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    return folder


def trained(folder: Path, case: str, storage: str = "") -> tuple[Result, TrialFiles]:
    files = Storage(folder / (storage or case)).trial(CASES[case].id)
    result = files.result()
    assert result
    return result, files


def alone(tmp_path: Path, case: str) -> tuple[Result, TrialFiles]:
    storage = Storage(tmp_path)
    return fit(CASES[case], storage, SITE), storage.trial(CASES[case].id)


@pytest.mark.parametrize("case", ["ols", "ldam", "taught"])
def test_two_workers_come_to_what_one_does(case: str, together: Path, tmp_path: Path) -> None:
    two, files = trained(together, case)
    one, own = alone(tmp_path, case)
    assert (one.reason, two.reason) == (None, None)
    for epoch, expected in zip(two.history, one.history, strict=True):
        assert epoch["validation.accuracy"] == expected["validation.accuracy"]
        assert epoch["train.accuracy"] == pytest.approx(expected["train.accuracy"])
        assert epoch["train.loss"] == pytest.approx(expected["train.loss"], rel=1e-4)
    state, expected_state = files.model(CPU), own.model(CPU)
    assert state.keys() == expected_state.keys()
    for name, tensor in expected_state.items():
        assert_close(
            state[name], tensor, msg=lambda text, name=name: f"{name}: {text}", **TOLERANCE
        )


@pytest.mark.parametrize("rank", [0, 1])
def test_synchronised_batch_norm_is_that_of_the_whole_batch(rank: int, together: Path) -> None:
    found = torch.load(together / f"normed-{rank}.pt")
    for name, tensor in normed(Workers()).items():
        assert_close(found[name], tensor, rtol=1e-10, atol=1e-12)


def test_how_it_was_executed_is_logged(together: Path) -> None:
    site = trained(together, "ols")[0].site
    assert (site["workers"], site["batch_norm"], site["cpus"]) == (2, "by worker", 2.0)
    assert trained(together, "ldam")[0].site["batch_norm"] == "synchronised"


def test_two_workers_that_were_stopped_go_on_bit_for_bit(together: Path) -> None:
    whole, stopped = (trained(together, "kesl", name)[1] for name in ("kesl", "kesl-stopped"))
    first, second = whole.model(CPU), stopped.model(CPU)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [e["validation.loss"] for e in whole.history()] == [
        e["validation.loss"] for e in stopped.history()
    ]


def test_what_breaks_on_one_worker_ends_all(together: Path, tmp_path: Path) -> None:
    two, one = trained(together, "broken")[0], alone(tmp_path, "broken")[0]
    assert two.reason == one.reason
    assert two.reason
    assert two.reason.startswith("the loss was inf in epoch 1")


@pytest.mark.parametrize(
    ("n", "size", "rows"),
    [
        (8, 2, [slice(0, 4), slice(4, 8)]),
        (5, 2, [slice(0, 2), slice(2, 5)]),
        (4, 2, [slice(0, 2), slice(2, 4)]),
        (3, 2, [None, None]),
        (9, 4, [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 9)]),
        (1, 1, [None]),
    ],
)
def test_a_batch_is_split_into_rows_of_two_images_at_least(
    n: int, size: int, rows: list[slice | None]
) -> None:
    assert [Workers(rank, size).rows(n) for rank in range(size)] == rows
