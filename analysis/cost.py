"""Cost: the hours that trials took of GPUs and CPUs, and what these cost."""

import math
from collections.abc import Sequence
from html import escape

from pandas import DataFrame, concat

from analysis.plan import Plan
from analysis.tables import in_markdown

STUDY = "the study"  # the last row
OTHERS = "trials in no cell (searches, teachers)"
UNITS = {"gpu_hours": "GPU-hours", "cpu_hours": "CPU-hours", "cost": "cost"}


def costs(plan: Plan, recorded: DataFrame, others: DataFrame, price: float | None) -> DataFrame:
    """One row a cell, one for `others`, and the whole study with every trial once.

    Columns: row, column, trials (those that have ended), gpu_hours, cpu_hours (of trials without
    a GPU only), and, with a `price` for an hour of one GPU or CPU slot, cost.
    """
    of_cells = {(c.row, c.column): [i for i in c.trials.values() if i] for c in plan.cells}
    hours = _hours(recorded)
    rows = [_row(*name, hours.loc[hours.index.isin(ids)]) for name, ids in of_cells.items()]
    beside = _hours(others)
    rows += [_row(OTHERS, "", beside)] if len(beside) else []
    frame = DataFrame([*rows, _row(STUDY, "", concat([hours, beside]))])
    if price is not None:
        frame["cost"] = price * (frame["gpu_hours"] + frame["cpu_hours"])
    return frame


def total(frame: DataFrame, price: float | None) -> str:
    """What the whole study took, in a few words."""
    study = frame.iloc[-1]
    said = [f"{_number(study[n])} {UNITS[n]}" for n in ("gpu_hours", "cpu_hours") if study[n] > 0]
    if price is not None:
        said.append(f"{_number(study['cost'])} at {price:g} an hour of one GPU or CPU")
    return ", ".join(said) or "nothing yet"


def caption(price: float | None) -> str:
    priced = f"; cost: at {price:g} an hour of one GPU, or of one CPU" if price is not None else ""
    return (
        "Time in training of trials that have ended, failed and pruned ones included, without what "
        "was not saved: of the epoch in which a trial failed, hung or lost its worker. "
        f"GPU-hours: times the GPUs a trial was given; CPU-hours: of trials without a GPU{priced}. "
        "A trial of several cells counts in each of them, and once in the study."
    )


def lines(plan: Plan, frame: DataFrame) -> list[tuple[str, ...]]:
    """Header and rows as they are shown; of GPU- and CPU-hours only what there is."""
    shown = [n for n in UNITS if n in frame and (n == "cost" or frame[n].iloc[-1] > 0)]
    header = ("", "trials", *(UNITS[name] for name in shown))
    named = len(plan.columns) > 1
    return [
        header,
        *(
            (
                f"{row['row']}, {row['column']}" if named and row["column"] else row["row"],
                str(row["trials"]),
                *(_number(row[name]) for name in shown),
            )
            for row in frame.to_dict("records")
        ),
    ]


def markdown(shown: Sequence[tuple[str, ...]], said: str) -> str:
    """A pipe table with its caption."""
    rule = (":--", *("--:" for _ in shown[0][1:]))
    body = [tuple(map(in_markdown, line)) for line in shown[1:]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [shown[0], rule, *body])
    return f"**Cost**\n\n{table}\n\n{in_markdown(said)}\n"


def html(shown: Sequence[tuple[str, ...]], said: str) -> str:
    """A figure element. All text is escaped."""
    head = "".join(
        f'<th scope="col">{escape(name)}</th>' if name else "<td></td>" for name in shown[0]
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
        for name, *values in shown[1:]
    )
    return (
        f'<figure class="results"><div class="wide"><table><caption>Cost</caption><thead><tr>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div><figcaption><p>{escape(said)}</p>"
        "</figcaption></figure>\n"
    )


def _hours(trials: DataFrame) -> DataFrame:
    """gpu_hours and cpu_hours of the trials that have ended and said what they were given."""
    wanted = trials.reindex(columns=["seconds", "cpus", "gpus"]).astype(float).dropna()
    hours = wanted["seconds"] / 3600
    on_gpu = wanted["gpus"] > 0
    values = {
        "gpu_hours": hours * wanted["gpus"],
        "cpu_hours": (hours * wanted["cpus"]).mask(on_gpu, 0.0),
    }
    return DataFrame(values, index=wanted.index)


def _row(row: str, column: str, hours: DataFrame) -> dict[str, str | int | float]:
    sums = {name: float(hours[name].sum()) for name in ("gpu_hours", "cpu_hours")}
    return {"row": row, "column": column, "trials": len(hours), **sums}


def _number(value: float) -> str:
    """With three significant digits at least, and none lost before the point."""
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(value)))
    return f"{value:.{digits}f}"
