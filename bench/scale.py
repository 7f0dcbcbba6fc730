"""What a study costs of many trials that do nothing, and the table of many recorded ones.

Three drivers run the same number of trials of ten epochs on the same simulated slots, each in a
process of its own with a Ray of its own:
- plain: Ray Tune, whose trials only report; no tracking;
- callback: the same with Ray's own MLflow callback;
- study: what the study command runs (launch, tracker, progress lines), over trials that write and
  report all that training does and train nothing.
Then the study's runs are copied inside the tracker's database, and read into the table.

    python bench/scale.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from copies import copied, values
from figure import Figure, exit_code
from nothing import connect, nothing

from analysis import runs
from analysis.comparison import compare
from analysis.plan import Cell, Plan
from analysis.records import EXPERIMENT
from study.grids.grid import percent
from study.progress import TrialProgress
from study.request import Resources
from study.running import launch
from study.running.sources import Queue
from study.tracking.tracker import Tracker
from trainables.storage.storage import Storage
from trainables.trial import Trial

WALL = CPU = 0.1  # seconds a trial beyond plain Tune
MEMORY = 20.0  # KB of driver memory a finished trial beyond plain Tune
TABLE = 20.0  # seconds
GROWTH = 1.2  # time over runs, relative to a tenth of the runs

TRIALS = 1000
CALLBACK_TRIALS = 100  # at most: each takes seconds
RUNS = 10_000
SLOTS = 4
EPOCHS = 10
SEEDS = 5
SAMPLE_SECONDS = 0.2
MEASURED_FROM = 0.25  # of the wall time: before, memory grows by what is imported and cached


@dataclass(frozen=True)
class Cost:
    """What a driver took for its trials; memory is its growth with every further trial."""

    trials: int
    wall: float  # seconds
    cpu: float  # seconds of the driver, all threads
    memory: float  # KB a trial
    written: int = 0  # values in MLflow: parameters, tags, points

    def __str__(self) -> str:
        each = f"{self.trials / self.wall:.1f} trials/s, driver {self.cpu / self.trials:.3f} CPU-s"
        values = f", {self.written / self.wall:,.0f} values/s to MLflow" if self.written else ""
        return f"{self.trials} trials in {self.wall:.1f} s: {each} and {self.memory:.1f} KB{values}"


@contextmanager
def measured(trials: int) -> Iterator[list[Cost]]:
    """Gives a list that has the cost of the inside at its end."""
    process, samples, done = psutil.Process(), [], threading.Event()
    cost: list[Cost] = []

    def sample() -> None:
        while not done.wait(SAMPLE_SECONDS):
            samples.append((time.perf_counter() - begun, process.memory_info().rss / 1024))

    sampler = threading.Thread(target=sample, daemon=True)
    begun, cpu = time.perf_counter(), time.process_time()
    sampler.start()
    yield cost
    wall, used = time.perf_counter() - begun, time.process_time() - cpu
    done.set()
    sampler.join()
    cost.append(Cost(trials, wall, used, growth(samples, wall) / trials))


def growth(samples: list[tuple[float, float]], wall: float) -> float:
    """What the samples (seconds, KB) grow by in `wall` seconds: the slope of their later part."""
    later = [(t, kb) for t, kb in samples if t >= MEASURED_FROM * wall]
    seconds, kilobytes = np.array(later or [(0.0, 0.0)]).T
    return float(np.polyfit(seconds, kilobytes, 1)[0]) * wall if len(later) > 1 else 0.0


def report_only(config: dict[str, Any]) -> None:
    """Reports as many metrics as a trial of the study."""
    import torch  # noqa: F401  # as everybody's trials do
    from ray import tune

    names = ("train", "validation", "test")
    for epoch in range(1, EPOCHS + 1):
        values = {f"{name}.{what}": 0.5 for name in names for what in ("loss", "accuracy")}
        tune.report({"epoch": epoch, "time": time.time(), "seconds": 0.1, "lr": 0.1, **values})


def plain(folder: Path, trials: int, callbacks: list[Any]) -> Cost:
    """Ray Tune, set as the study sets it."""
    from ray import tune

    with measured(trials) as cost:
        tune.Tuner(
            tune.with_resources(report_only, {"CPU": 1}),
            param_space={"id": tune.grid_search([f"{i:012x}" for i in range(trials)])},
            tune_config=tune.TuneConfig(
                reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id
            ),
            run_config=tune.RunConfig(
                storage_path=str(folder / "scratch"), verbose=0, callbacks=callbacks
            ),
        ).fit()
    return cost[0]


def callback(folder: Path, trials: int) -> Cost:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    uri = f"sqlite:///{folder}/callback.db"
    cost = plain(folder, trials, [MLflowLoggerCallback(uri, experiment_name=EXPERIMENT)])
    return Cost(**asdict(cost) | {"written": values(folder / "callback.db")})


def study(folder: Path, trials: int) -> Cost:
    """As `study/run.py` runs a grid."""
    plan, todo = planned(trials)
    storage = Storage(folder / "storage")
    database = folder / "storage" / "mlflow.db"
    storage.root.mkdir()
    with measured(trials) as cost:
        tracker = Tracker(f"sqlite:///{database}", storage, plan)
        tracker.start()
        with TrialProgress(storage, todo, list(todo), sys.stderr):
            queue = Queue(todo, storage)
            lost = launch.run([queue], storage, folder, Resources(gpus=0), tracker.begun)
        unwritten = tracker.stop()
    if lost or unwritten:
        sys.exit(f"without a result: {lost}; not in MLflow: {unwritten} ({tracker.behind})")
    return Cost(**asdict(cost[0]) | {"written": values(database)})


def planned(trials: int) -> tuple[Plan, dict[str, Trial]]:
    """A table of one column, SEEDS trials a row, and its trials by id."""
    made = [nothing(EPOCHS, 0.1 + i // SEEDS, i % SEEDS) for i in range(trials)]
    return plan_of([trial.id for trial in made]), {trial.id: trial for trial in made}


def plan_of(ids: list[str]) -> Plan:
    rows = [ids[i : i + SEEDS] for i in range(0, len(ids), SEEDS)]
    cells = [
        Cell(
            row=f"row {i}",
            column="accuracy",
            trials={str(seed): trial_id for seed, trial_id in enumerate(row)},
            published=(50.0, None),
            settings={},
        )
        for i, row in enumerate(rows)
    ]
    return Plan(
        study="scale.demo",
        grid="scale",
        title="Nothing",
        paper="none",
        scale="demo",
        overrides=(),
        columns={"accuracy": percent("test.accuracy")},
        baseline="row 0",
        selection="last",
        assumed=(),
        cells=tuple(cells),
    )


def table(folder: Path, count: int) -> float:
    """Seconds until `count` recorded runs are the table's numbers."""
    database = folder / f"runs-{count}.db"
    recorded = sorted(Storage(folder / "storage").results())
    ids = copied(folder / "storage" / "mlflow.db", database, recorded, count)
    uri, plan = f"sqlite:///{database}", plan_of(ids)
    runs.trials(uri, ids[:1])  # opens the database, which MLflow checks once
    begun = time.perf_counter()
    cells = compare(plan, runs.trials(uri, ids))
    taken = time.perf_counter() - begun
    if cells["n"].sum() != count:
        sys.exit(f"the table has {cells['n'].sum()} of {count} runs")
    return taken


DRIVERS: dict[str, Callable[[Path, int], Cost]] = {
    "plain": lambda folder, trials: plain(folder, trials, []),
    "callback": callback,
    "study": study,
}


def drive(name: str, folder: Path, trials: int, slots: int) -> Cost:
    """The cost of a driver, measured in a process of its own, and printed."""
    options = ["--trials", str(trials), "--slots", str(slots), "--driver", name, str(folder)]
    done = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}{name} ended with exit code {done.returncode}")
    cost = Cost(**json.loads((folder / f"{name}.json").read_text()))
    print(f"{name:9} {cost}", flush=True)
    return cost


def driver(name: str, folder: Path, trials: int, slots: int) -> None:
    """Runs in the process of its own; leaves the cost in a file."""
    connect(slots)
    cost = DRIVERS[name](folder, trials)
    (folder / f"{name}.json").write_text(json.dumps(asdict(cost)))


def main(arguments: list[str] | None = None) -> int:
    """Prints rates and what the study adds to plain Tune. Returns 1 for a miss."""
    parser = argparse.ArgumentParser(description="What a study of very many trials costs.")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--runs", type=int, default=RUNS, help="recorded ones, read into the table")
    parser.add_argument("--slots", type=int, default=SLOTS, help="trials at once")
    parser.add_argument("--driver", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.driver:
        driver(args.driver[0], Path(args.driver[1]), args.trials, args.slots)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = drive("plain", folder, args.trials, args.slots)
        theirs = drive("callback", folder, min(args.trials, CALLBACK_TRIALS), args.slots)
        ours = drive("study", folder, args.trials, args.slots)
        tenth, whole = table(folder, args.runs // 10), table(folder, args.runs)
    print(f"table of {args.runs // 10} runs in {tenth:.2f} s, of {args.runs} in {whole:.2f} s")
    figures = compared(bare, theirs, ours, tenth, whole)
    print(*figures, sep="\n")
    return exit_code(figures)


def compared(bare: Cost, theirs: Cost, ours: Cost, tenth: float, whole: float) -> list[Figure]:
    """What is bounded. `tenth`, `whole`: seconds to the table of a tenth and of all of the runs."""
    n = ours.trials
    slower = (theirs.wall / theirs.trials) / (ours.wall / n)
    return [
        Figure(
            "wall a trial beyond plain Tune", [(ours.wall - bare.wall) / n], WALL, "lower", " s"
        ),
        Figure("driver CPU a trial beyond it", [(ours.cpu - bare.cpu) / n], CPU, "lower", " s"),
        Figure(
            "driver memory a trial beyond it", [ours.memory - bare.memory], MEMORY, "lower", " KB"
        ),
        Figure("Tune's MLflow callback / study", [slower], 1.0),
        Figure("all runs to the table", [whole], TABLE, "lower", " s"),
        Figure("its growth, 10 x the runs / 10", [whole / tenth / 10], GROWTH, "lower"),
    ]


if __name__ == "__main__":
    sys.exit(main())
