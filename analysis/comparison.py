"""Comparison: our numbers beside the published ones, as a frame of one row a cell."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from pandas import DataFrame
from scipy.special import stdtrit

from analysis.plan import Cell, Metric, Plan
from trainables.selection import RULES
from trainables.settings import unknown

POINTS = 0.5  # a smaller difference to the published percentage counts as none
SEEDS = 3  # that a reproduced cell has at least
MEASURED = "final model"  # in place of a selection rule: that of every measure


def compare(plan: Plan, runs: DataFrame, rule: str | None = None) -> DataFrame:
    """One row a cell in reading order; `runs` as `runs.trials` gives them for the plan's ids.

    row, column, unit, scale, selection: what the numbers are; budget: of a search's winner.
    The selection of a measure's cell is MEASURED: no rule applies to it.
    mean, std (n - 1), n: over the finished seeds, in the column's unit.
    seeds: how many are planned; failed ("seed: reason; ..."), running, missing: the other ones.
    published, published_std: as printed; inferred, where a table has such: as `Cell` says.
    gain, half_width, pairs: mean difference to the baseline's cell over the seeds that both have,
    and the half-width of its 95 % paired t interval (NaN for one pair); published_gain.
    difference, verdict: against the published mean; NaN and "" where `comparable` says no.
    Raises Invalid for an unknown rule.
    """
    rule = rule or default_rule(plan, runs)
    if rule not in RULES:
        raise unknown("selection rule", rule, RULES)
    cells = DataFrame([_cell(plan, cell, runs, rule) for cell in plan.cells])
    idle = [
        name for name in ("budget", "inferred") if not any(getattr(c, name) for c in plan.cells)
    ]
    return cells.drop(columns=idle)


def default_rule(plan: Plan, runs: DataFrame) -> str:
    """At paper scale the paper's own; else best_validation, or last if a trial lacks that value.

    It must have those that its cells show: of other columns a row may have none.
    """
    if plan.scale == "paper":
        return plan.selection
    finished = runs[runs["status"] == "finished"]
    needed: dict[str, set[str | None]] = defaultdict(set)
    for cell in plan.cells:
        if not cell.measure:
            name = f"best_validation/{plan.columns[cell.column].name}"
            needed[name].update(cell.trials.values())
    for name, ids in needed.items():
        shown = finished[finished.index.isin(list(ids))]
        if len(shown) and (name not in shown or shown[name].isna().any()):
            return "last"
    return "best_validation"


def comparable(plan: Plan, rule: str) -> bool:
    """Whether our numbers are of the published setting: its scale, nothing changed, its rule."""
    return plan.scale == "paper" and not plan.overrides and rule in (plan.selection, MEASURED)


def seed_values(metric: Metric, cell: Cell, runs: DataFrame, rule: str) -> dict[str, float]:
    """The metric of the cell's finished trials by seed, in its unit, under the selection rule.

    A measure has one value, that no rule selects.
    """
    name = f"{cell.measure or rule}/{metric.name}"
    if name not in runs:
        return {}
    values, status, reasons = runs[name], runs["status"], _reasons(cell, runs)
    found = {
        seed: metric.factor * float(values[trial_id]) + metric.offset
        for seed, trial_id in cell.trials.items()
        if trial_id is not None and reasons.get(trial_id) == ""
        if status.at[trial_id] == "finished"
    }
    return {seed: value for seed, value in found.items() if not math.isnan(value)}


def _reasons(cell: Cell, runs: DataFrame) -> dict[str, str]:
    """Of its recorded trials, why the cell's measure failed; "" where it did not."""
    ids = [i for i in cell.trials.values() if i is not None and i in runs.index]
    name = f"{cell.measure}/reason"
    found = {i: runs.at[i, name] if name in runs else "" for i in ids}
    return {i: why if isinstance(why, str) else "" for i, why in found.items()}


def paired(ours: dict[str, float], others: dict[str, float]) -> tuple[float, float, int]:
    """(mean, half-width of the 95 % t interval, number) of ours - others over common keys."""
    differences = [value - others[seed] for seed, value in ours.items() if seed in others]
    mean, std, n = _mean(differences), _std(differences), len(differences)
    return mean, float(stdtrit(n - 1, 0.975)) * std / math.sqrt(n) if n > 1 else math.nan, n


def _mean(values: Sequence[float]) -> float:
    """NaN of none. A Series of so few values takes ten times as long."""
    return float(np.mean(values)) if values else math.nan


def _std(values: Sequence[float]) -> float:
    """NaN of fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def verdict(metric: Metric, difference: float, std: float, n: int) -> str:
    """reproduced | seen (so close, but fewer than SEEDS seeds) | differs; "" where nothing tells.

    `difference` to the published mean. A published deviation does not widen the bound, since the
    number of runs behind it is not printed.
    """
    floor = POINTS if metric.unit == "%" else 0.0
    if n == 1 and not floor:
        return ""
    bound = max(floor, 2 * std / math.sqrt(n) if n > 1 else 0.0)
    if abs(difference) > bound + 1e-9:  # differences of printed decimals are not exact
        return "differs"
    return "reproduced" if n >= SEEDS else "seen"


def _cell(plan: Plan, cell: Cell, runs: DataFrame, rule: str) -> dict[str, Any]:
    metric = plan.columns[cell.column]
    ours = seed_values(metric, cell, runs, rule)
    mean, std = _mean(list(ours.values())), _std(list(ours.values()))
    published, published_std = cell.published or (None, None)
    baseline = plan.baseline_of(cell)
    theirs = plan.columns[baseline.column] if baseline else metric
    others = seed_values(theirs, baseline, runs, rule) if baseline else {}
    gain, half_width, pairs = paired(ours, others)
    their_gain = difference = None
    judged = ""
    if published is not None and baseline and baseline.published:
        their_gain = published - baseline.published[0]
    selected = MEASURED if cell.measure else rule
    if published is not None and ours and comparable(plan, selected):
        difference = mean - published
        judged = verdict(metric, difference, std, len(ours))
    values = {
        "mean": mean,
        "std": std,
        "n": len(ours),
        "seeds": len(cell.trials),
        **_others(cell, runs, ours),
        "published": published,
        "published_std": published_std,
        "gain": gain,
        "half_width": half_width,
        "pairs": pairs,
        "published_gain": their_gain,
        "difference": difference,
    }
    numbers = {name: math.nan if value is None else value for name, value in values.items()}
    about: dict[str, Any] = {
        "row": cell.row,
        "column": cell.column,
        "unit": metric.unit,
        "budget": cell.budget,
    }
    about |= {"inferred": cell.inferred}
    return about | {"scale": plan.scale, "selection": selected} | numbers | {"verdict": judged}


def _others(cell: Cell, runs: DataFrame, ours: dict[str, float]) -> dict[str, str]:
    """The seeds without a value, in words."""
    failed, running, missing = [], [], []
    states, reasons = runs["status"], _reasons(cell, runs)
    for seed, trial_id in cell.trials.items():
        status = states.at[trial_id] if trial_id in states.index else "missing"
        if status == "failed":
            reason = " ".join(str(runs.at[trial_id, "reason"]).split())
            failed.append(f"{seed}: {reason}")
        elif status == "finished" and (why := reasons[str(trial_id)]):
            failed.append(f"{seed}: {' '.join(why.split())}")
        elif status == "running":
            running.append(seed)
        elif seed not in ours:
            missing.append(seed)
    return {
        "failed": "; ".join(failed),
        "running": ", ".join(running),
        "missing": ", ".join(missing),
    }
