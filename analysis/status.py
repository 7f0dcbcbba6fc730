"""Status: how far each trial of a study is, as the tracker has it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from pandas import DataFrame

from analysis.plan import Plan

STALLED_AFTER = 3.0  # times the usual time of an epoch, and
SLACK_SECONDS = 10.0  # for the tracker, which writes every few seconds
HEADER = ("trial", "state", "host", "epoch", "last epoch", "seed", "row")
STUDIES = ("study", "state", "trials", "time left", "owner")
OTHERS = "in no cell (searches, teachers)"


def running(recorded: DataFrame) -> list[str]:
    """The ids of the runs that are being trained, as far as is known."""
    return [str(i) for i in recorded["run_id"][recorded["status"] == "running"]]


def text(
    plan: Plan,
    recorded: DataFrame,
    others: DataFrame,
    ends: Mapping[str, Sequence[float]],
    now: float,
) -> str:
    """A line a trial: state, host, epoch, how long ago it ended; and how many are in which state.

    `recorded` and `others` as runs.trials and runs.others give them; of `others`, which may be
    hundreds, only those that run have a line. `ends` as runs.epoch_ends does for the running ones;
    `now` in seconds since 1970. "stalled": no epoch in three times its usual time, the median of
    the trial's own or else of those of its cell; in no cell, else the longest of all.
    """
    rows = _rows(recorded)
    usual = {i: _usual(row, ends) for i, row in rows.items()}
    lines: dict[str, tuple[str, ...]] = {}
    for cell in plan.cells:
        name = cell.row if len(plan.columns) == 1 else f"{cell.row}, {cell.column}"
        times = [usual.get(i or "") or 0.0 for i in cell.trials.values()]
        of_cell = median([time for time in times if time] or [0.0])
        for seed, trial_id in cell.trials.items():
            if trial_id is None or trial_id in lines:
                continue
            row = rows.get(trial_id, {"status": "new"})
            state = _state(row, ends, usual.get(trial_id) or of_cell, now)
            lines[trial_id] = (trial_id, state, *_where(row, ends, now), seed, name)
    beside = _beside(_rows(others), ends, now)
    run = [line for line in beside if line[1] in ("running", "stalled")]
    counts = [_counted(lines.values(), "trials")]
    counts += [_counted(beside, f"trials {OTHERS}")] if beside else []
    return "\n".join([*_aligned([HEADER, *lines.values(), *run]), *counts])


def studies(plans: Sequence[Plan], recorded: DataFrame, owners: Mapping[str, Sequence[str]]) -> str:
    """A line a study: its state, trials done of all, time left, and whose command trains it.

    `recorded` as runs.trials gives the trials of all plans, `owners` by study. A study is done,
    running where it has an owner, or else stopped. The time left is what its finished trials took
    on average, for each that is left, over as many at once as run now.
    """
    rows = _rows(recorded)
    lines = []
    for plan in plans:
        found = [rows.get(i, {}) for i in plan.trials()]
        done = [row for row in found if row.get("status") in ("finished", "failed")]
        left, owner = len(found) - len(done), owners.get(plan.study, ())
        state = "running" if owner else "stopped" if left else "done"
        seconds = [row["seconds"] for row in done if row["status"] == "finished"]
        at_once = sum(row.get("status") == "running" and not row["stopped"] for row in found)
        known = left and owner and seconds and at_once
        needed = clock(left * sum(seconds) / len(seconds) / at_once) if known else "–"
        lines.append((plan.study, state, f"{len(done)}/{len(found)}", needed, "; ".join(owner)))
    recorded_names = [plan.study for plan in plans]
    for study, owner in owners.items():
        if study not in recorded_names:
            lines.append((study, "running", "–", "–", "; ".join(owner)))
    return "\n".join(_aligned([STUDIES, *lines])) if lines else "no study"


def _beside(
    rows: Mapping[str, Mapping[Any, Any]], ends: Mapping[str, Sequence[float]], now: float
) -> list[tuple[str, ...]]:
    """Searches differ in what an epoch takes, hence the longest: none is called stalled wrongly."""
    usual = {i: _usual(row, ends) for i, row in rows.items()}
    longest = max(usual.values(), default=0.0)
    return [
        (
            trial_id,
            _state(row, ends, usual[trial_id] or longest, now),
            *_where(row, ends, now),
            str(int(row["seed"])) if "seed" in row else "–",
            OTHERS,
        )
        for trial_id, row in rows.items()
    ]


def _rows(frame: DataFrame) -> dict[str, dict[Any, Any]]:
    return {str(trial_id): row.dropna().to_dict() for trial_id, row in frame.iterrows()}


def _counted(lines: Collection[tuple[str, ...]], what: str) -> str:
    states = Counter(line[1] for line in lines)
    return f"{len(lines)} {what}: {', '.join(f'{n} {state}' for state, n in states.items())}"


def _state(
    row: Mapping[Any, Any], ends: Mapping[str, Sequence[float]], usual: float, now: float
) -> str:
    """new, running, stalled, stopped (to be resumed), finished, failed or pruned (of a search)."""
    if row["status"] != "running":
        return str(row["status"])
    if row["stopped"]:
        return "stopped"
    begun = float(row.get("begun", row["started"] / 1000))
    heard = max((begun, *ends.get(row["run_id"], ())))
    late = usual and now - heard > STALLED_AFTER * usual + SLACK_SECONDS
    return "stalled" if late else "running"


def _usual(row: Mapping[Any, Any], ends: Mapping[str, Sequence[float]]) -> float:
    """Seconds of an epoch of the trial; 0 where that is not known yet."""
    if row["status"] == "finished" and "seconds" in row:
        return float(row["seconds"]) / int(row["recipe.epochs"])
    durations = [after - before for before, after in pairwise(ends.get(row["run_id"], ()))]
    return median(durations) if durations else 0.0


def _where(
    row: Mapping[Any, Any], ends: Mapping[str, Sequence[float]], now: float
) -> tuple[str, str, str]:
    """Host, epoch of all, and the age of the newest one."""
    ended = ends.get(row.get("run_id", ""), ())
    epoch = len(ended) if row["status"] == "running" else int(row.get("epoch", 0))
    of = f"{epoch}/{row['recipe.epochs']}" if "recipe.epochs" in row else "–"
    return str(row.get("host", "–")), of, f"{clock(now - ended[-1])} ago" if ended else "–"


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(f"{value:{width}}" for value, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def clock(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes; none where another machine's clock is ahead."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{whole % 60:02d}"
