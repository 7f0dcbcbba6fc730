"""The storage in tests/fixtures/recorded_before/, and what a command says that must stay the same.

Layout may change: widths, headings, words. Ids, states, rows, values and their order may not.
"""

import csv
import json
import re
import sqlite3
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.study.command import database as tracker

FOLDER = Path(__file__).parents[1] / "fixtures" / "recorded_before"
COMMANDS: dict[str, list[str]] = json.loads((FOLDER / "commands.json").read_text())
UNFINISHED = ("searched", "interrupted")  # studies of which a trial was stopped
COMPLETE = tuple(name for name in COMMANDS if name not in UNFINISHED)
ORIGIN = Path("/tmp/fixture/home")  # where the storage was when it was recorded
ID = r"[0-9a-f]{12}"
STATES = r"(\d+) (new|running|stalled|stopped|finished|failed|pruned)\b"
SINCE = ("L2RW", "MW-Net")  # rows of ols_noise that were published only
LOSS = 0.001  # may differ so much where another processor trains the same epochs, and
SHARE = 0.01  # a share of images: by one of the smallest split, which has 119


def unpacked(folder: Path) -> Path:
    """A copy of the storage, which was at its ORIGIN."""
    with tarfile.open(FOLDER / "home.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "home"


def settled(home: Path) -> Path:
    """The copy as it would be, had it been recorded where it is."""
    with closing(sqlite3.connect(home / "mlflow.db")) as database, database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(change, (ORIGIN.as_uri(), home.as_uri()))
    return home


def training(name: str, home: Path) -> list[str]:
    """The options of the command that recorded the study."""
    return [*COMMANDS[name], "--storage", str(home), "--data-dir", str(home.parent / "data")]


def reading(name: str, home: Path) -> list[str]:
    """Those of the commands that read the study from the tracker."""
    pairs = zip(COMMANDS[name][::2], COMMANDS[name][1::2], strict=True)
    named = [part for pair in pairs if pair[0] in ("--grid", "--set") for part in pair]
    return [*named, "--storage", str(home)]


def expected(name: str, file: str) -> str:
    """What the recorded commit said of the study, or made of it."""
    return (FOLDER / "expected" / name / file).read_text()


def cells(said: str) -> list[str]:
    """Of a dry run: each id with its state, and each measure with how many of it are there.

    Of the rows that the recorded commit ran: SINCE are run now, too.
    """
    said = "\n".join(line for line in said.splitlines() if not line.startswith(SINCE))
    return re.findall(rf"\b{ID} \(\w+\)|\S+-[0-9a-f]{{8}} of \d+/\d+", said)


def states(said: str) -> tuple[list[tuple[str, ...]], Counter[tuple[str, str]]]:
    """Of a status: (id, state, epochs) of each line, and the trials counted by state."""
    lines = [line.split() for line in said.splitlines() if re.match(ID, line)]
    epochs = (next((word for word in line if re.fullmatch(r"\d+/\d+", word)), "") for line in lines)
    found = [(line[0], line[1], of) for line, of in zip(lines, epochs, strict=True)]
    counts = [line for line in said.splitlines() if re.match(r"\d+ trials", line)]
    return found, Counter(re.findall(STATES, "\n".join(counts)))


def check_printed(said: str, before: str) -> None:
    """The values of each row of the recorded report are said, in their order, and the cost."""
    lines = iter([" ".join(line.split()) for line in said.splitlines()])
    for values in _values(before):
        assert any(line.endswith(values) for line in lines), f"not in its place: {values}\n{said}"


def _values(report: str) -> Iterator[str]:
    """What stands behind the name of each row, which may be broken elsewhere."""
    rules = 0  # of a table: above its heading, below that, and at its end
    for line in report.splitlines():
        if re.fullmatch("─+", line):
            rules += 1
        _, *values = re.split(r"\s{2,}", line.strip())
        if values and (rules % 3 == 2 or line.startswith("spent: ")):
            yield " ".join(values)


def tables(home: Path) -> dict[Path, str]:
    """The table of each study that has one."""
    return {path: path.read_text() for path in home.glob("studies/*/report/table.csv")}


def check_rows(table: str, before: str) -> None:
    """The same rows in their order, with the same values in the recorded columns at least."""
    rows, recorded = (list(csv.DictReader(text.splitlines())) for text in (table, before))
    assert [{name: row[name] for name in recorded[0]} for row in rows] == recorded


def check_length(result: Any, recorded: Any, stored: list[dict[str, float]]) -> None:
    """Stored epochs stay as they are; there are as many as there once were, of the same values.

    For nets whose gradients oneDNN got wrong when they were recorded (docs/LOG.md, 2026-11-29), so
    that what is trained since comes out otherwise: `corrected.json` has what is right.
    """
    assert result["status"] == recorded["status"] == "finished"
    assert result["history"][: len(stored)] == stored
    for epoch, before in zip(result["history"], recorded["history"], strict=True):
        assert epoch.keys() >= before.keys()
        assert epoch["epoch"] == before["epoch"]


def check_result(result: Any, recorded: Any, stored: list[dict[str, float]]) -> None:
    """Stored epochs stay as they are, times included; the others come out as they once did."""
    assert result["status"] == recorded["status"] == "finished"
    assert result["history"][: len(stored)] == stored
    for epoch, before in zip(result["history"], recorded["history"], strict=True):
        check_values(_without_clock(epoch), _without_clock(before))
    for rule, values in recorded["selected"].items():
        check_values(result["selected"][rule], values)


def check_values(values: dict[str, float], before: dict[str, float]) -> None:
    assert values.keys() >= before.keys()
    for name, value in before.items():
        near = LOSS if "loss" in name else SHARE
        assert values[name] == pytest.approx(value, rel=0, abs=near), name


def _without_clock(epoch: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in epoch.items() if name not in ("time", "seconds")}


def stopped(home: Path) -> dict[str, list[dict[str, float]]]:
    """The history of each trial that has no result, by trial id."""
    found = home.glob("trials/*/history.json")
    return {p.parent.name: read(p) for p in found if not (p.parent / "result.json").exists()}


def files(home: Path, name: str = "*") -> dict[str, int]:
    """When each file of a trial was last written, in ns."""
    paths = home.glob(f"trials/*/{name}")
    return {path.relative_to(home).as_posix(): path.stat().st_mtime_ns for path in paths}


def result(home: Path, trial_id: str) -> Any:
    return read(home / "trials" / trial_id / "result.json")


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def runs(home: Path) -> dict[str, Run]:
    """The run of each trial and each study in the tracker, which has one of each."""
    client = MlflowClient(tracker(home))
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, max_results=1000)
    named = {run.data.tags.get("trial_id") or run.data.tags["study"]: run for run in found}
    assert len(named) == len(found)
    return named


def run_ids(home: Path) -> dict[str, str]:
    return {name: run.info.run_id for name, run in runs(home).items()}
