"""A small study as it is recorded: as frames, and written to a real MLflow."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric as Point
from mlflow.entities import Param, RunTag
from pandas import DataFrame, Series

from analysis.plan import Cell, Plan
from study.grids.grid import percent
from trainables.selection import CLOCK, RULES, Epoch

EPOCHS = 4
NAMES = ["zero", "one", "two"]
SOFT = {2.0: [0.6, 0.3, 0.1], 5.0: [0.9, 0.1, 0.0]}  # the first class's row, by temperature
SITE = {"host": "node-1", "device": "some CPU", "threads": "1", "torch": "2.15.0", "commit": "abc"}
SITE |= {"cpus": "2.0", "gpus": "0.0"}


@dataclass(frozen=True)
class Past:
    """What is recorded of a trial."""

    settings: dict[str, Any]
    history: list[Epoch]
    status: str = "finished"
    reason: str = ""

    def tags(self) -> dict[str, str]:
        return {"status": self.status, "reason": self.reason, **SITE}

    def metrics(self) -> dict[str, float]:
        """The newest values, and of a finished trial the selected ones."""
        newest = numbers(self.history[-1]) if self.history else {}
        if self.status != "finished":
            return newest
        chosen = {(r, m): choose(self.history, m) for r, choose in RULES.items() for m in newest}
        selected = {f"{rule}/{m}": v for (rule, m), v in chosen.items() if v is not None}
        return {**newest, **selected, "seconds": 7.5}

    def soft(self) -> DataFrame | None:
        if self.status != "finished" or self.settings["targets"] != "Knowledge":
            return None
        row = SOFT[self.settings["targets.temperature"]]
        return DataFrame([row[-i:] + row[:-i] for i in range(3)], columns=NAMES, index=NAMES)


@dataclass(frozen=True)
class World:
    """A plan and what is recorded of its trials, by id."""

    plan: Plan
    past: dict[str, Past]

    def runs(self) -> DataFrame:
        """As analysis.runs.trials gives them."""
        rows = {i: {**p.tags(), **p.settings, **p.metrics()} for i, p in self.past.items()}
        columns = dict.fromkeys(["status", *(name for row in rows.values() for name in row)])
        frame = DataFrame(list(rows.values()), index=list(rows), columns=list(columns))
        return frame.rename_axis("trial_id")

    def histories(self) -> DataFrame:
        """As analysis.runs.histories gives them."""
        points = [
            (trial_id, int(epoch["epoch"]), name, value)
            for trial_id, past in self.past.items()
            for epoch in past.history
            for name, value in numbers(epoch).items()
        ]
        return DataFrame(points, columns=["trial_id", "epoch", "metric", "value"])

    def soft(self) -> dict[str, DataFrame]:
        found = {trial_id: past.soft() for trial_id, past in self.past.items()}
        return {trial_id: frame for trial_id, frame in found.items() if frame is not None}

    def planned(self, **changes: Any) -> "World":
        """The same with fields of the plan changed."""
        return replace(self, plan=replace(self.plan, **changes))

    def but(self, trial_id: str, **changes: Any) -> "World":
        """The same with the past of a trial changed."""
        return replace(self, past={**self.past, trial_id: replace(self.past[trial_id], **changes)})

    def without(self, *ids: str) -> "World":
        """The same before these trials were started."""
        return replace(self, past={i: past for i, past in self.past.items() if i not in ids})


def numbers(epoch: Epoch) -> dict[str, float]:
    return {name: value for name, value in epoch.items() if name not in ("epoch", *CLOCK)}


def history(top: float, change: Callable[[Epoch], Epoch] = lambda epoch: epoch) -> list[Epoch]:
    """Test accuracy rises by 0.05 an epoch up to `top`; validation is best in the third of four."""
    return [
        change(
            {
                "epoch": epoch,
                "time": 1_700_000_000.0 + epoch,
                "seconds": 1.5 * epoch,
                "train.accuracy": top + 0.02 * epoch - 0.06,
                "validation.accuracy": top - 0.1 * abs(epoch - 3),
                "test.accuracy": top - 0.05 * (EPOCHS - epoch),
            }
        )
        for epoch in range(1, EPOCHS + 1)
    ]


def settings_of(temperature: float | None, beta: float | None) -> dict[str, Any]:
    plain = {"net": "ResNet", "recipe.lr": 0.05, "recipe.milestones": "[2, 3]", "data.test": True}
    if temperature is None:
        return {**plain, "targets": "OneHot", "loss": "CrossEntropy"}
    targets = {"targets": "Knowledge", "targets.decay": 0.5, "targets.temperature": temperature}
    file = {"targets.hierarchy": "strokes", "targets.hierarchy.sha256": "0123456789012345"}
    return {**plain, **targets, **file, "loss": "KnowledgeLoss", "loss.beta": beta}


# The letter of its ids, temperature and beta, the published number, the last accuracies by seed.
ROWS: dict[str, tuple[str, float | None, float | None, float, list[float]]] = {
    "only CE": ("a", None, None, 85.8, [0.80, 0.82, 0.84]),
    "T 2, beta 1": ("b", 2.0, 1.0, 86.7, [0.83, 0.84, 0.88]),
    "T 5, beta 1": ("c", 5.0, 1.0, 86.2, [0.81, 0.80, 0.85]),
    "T 5, beta 1 (again)": ("c", 5.0, 1.0, 86.2, [0.81, 0.80, 0.85]),
    "T 2, beta 0.1": ("d", 2.0, 0.1, 87.1, [0.85, 0.86, 0.90]),
}


def small_world(study: str = "kesl_ablation.demo", prefix: str = "") -> World:
    """One column, three finished seeds a row; of one row the paper prints a number only."""
    cells, past = [], {}
    for row, (letter, temperature, beta, published, tops) in ROWS.items():
        settings = settings_of(temperature, beta)
        ids: dict[str, str | None] = {}
        for seed, top in enumerate(tops):
            ids[str(seed)] = trial_id = f"{prefix}{letter}{seed}"
            past[trial_id] = Past({**settings, "seed": seed}, history(top))
        cells.append(cell(row, ids, (published, None), {**settings, "seed": 0}))
    cells.append(cell("others", {}, (87.0, 0.3), {}))
    plan = Plan(
        study=study,
        grid="kesl_ablation",
        title="A small ablation",
        paper="kesl, ablation",
        scale="demo",
        overrides=(),
        columns={"accuracy": percent("test.accuracy")},
        baseline="only CE",
        selection="last",
        assumed=("the recipe", "three seeds"),
        cells=tuple(cells),
    )
    return World(plan, past)


def cell(
    row: str,
    trials: dict[str, str | None],
    published: tuple[float, float | None] | None,
    settings: dict[str, Any],
    column: str = "accuracy",
) -> Cell:
    return Cell(row=row, column=column, trials=trials, published=published, settings=settings)


def at_paper_scale(world: World) -> World:
    return world.planned(scale="paper", selection="last")


def wide(world: World, columns: tuple[str, ...] = ("CE", "KESL")) -> World:
    """Row ResNet: only CE in the first column, T 2 in all others."""
    first, second, *_ = world.plan.cells
    cells = [
        replace(first if i == 0 else second, row="ResNet", column=c) for i, c in enumerate(columns)
    ]
    metrics = {name: percent("test.accuracy") for name in columns}
    return world.planned(columns=metrics, baseline=columns[0], cells=tuple(cells))


def measured(world: World, **changes: Any) -> tuple[Plan, DataFrame]:
    """Row ResNet: the accuracy in one column, that of a measure of the same trials in another.

    The measure is 0.5, 0.6, 0.7 over the seeds of the row and 0.4, 0.4, 0.4 of the other row.
    """
    rows = {"only CE": world.plan.cells[0], "T 2": world.plan.cells[1]}
    cells = [
        replace(cell, row=row, column=column, measure=label, published=(70.0, None))
        for row, cell in rows.items()
        for column, label in (("clean", ""), ("PGD", "Pgd-abc"))
    ]
    columns = {"clean": percent("test.accuracy"), "PGD": percent("accuracy")}
    settings = {"Pgd-abc": {"measure": "Pgd", "eps": 8 / 255, "steps": 20}}
    made = world.planned(columns=columns, cells=tuple(cells), measures=settings, **changes)
    values = {"a0": 0.4, "a1": 0.4, "a2": 0.4, "b0": 0.5, "b1": 0.6, "b2": 0.7}
    return made.plan, made.runs().assign(**{"Pgd-abc/accuracy": Series(values)})


def record(uri: str, world: World) -> str:
    """Writes the world to the tracker. Returns the id of the study's run."""
    client, plan = MlflowClient(uri), world.plan
    found = client.get_experiment_by_name("label-studies")
    assert found is not None
    tags = {"kind": "study", "grid": plan.grid, "study": plan.study, "scale": plan.scale}
    parent: str = client.create_run(found.experiment_id, tags=tags).info.run_id
    client.log_dict(parent, plan.to_json(), "plan.json")
    for trial_id, past in world.past.items():
        names = {"kind": "trial", "trial_id": trial_id, f"grid.{plan.grid}": plan.study}
        names["mlflow.parentRunId"] = parent
        run: str = client.create_run(found.experiment_id, tags=names).info.run_id
        points = [
            Point(name, value, int(1000 * epoch["time"]), int(epoch["epoch"]))
            for epoch in past.history
            for name, value in numbers(epoch).items()
        ]
        final = {name: v for name, v in past.metrics().items() if "/" in name or name == "seconds"}
        points += [Point(name, value, 1_700_000_009_000, 0) for name, value in final.items()]
        params = [Param(name, str(value)) for name, value in past.settings.items()]
        some = [RunTag(name, value) for name, value in past.tags().items()]
        client.log_batch(run, metrics=points, params=params, tags=some)
        soft = past.soft()
        if soft is not None:
            client.log_text(run, soft.to_csv(index=False), "soft_labels.csv")
    return parent
