"""Layout: what a table shows of a comparison, in words: its lines, its caption, its notes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pandas import DataFrame

from analysis.comparison import MEASURED, POINTS, SEEDS, comparable
from analysis.plan import Metric, Plan

INFERRED = "*"
NONE = "–"
RULE_WORDS = {
    "last": "after the last epoch",
    "best_validation": "at the epoch of the highest validation accuracy",
    "mean_of_last_5": "averaged over the last five epochs",
    "oracle": "at the epoch of the highest test accuracy, so selected on test data",
}


@dataclass(frozen=True)
class Layout:
    """What a table shows, in words: a block of lines for each of its rows."""

    groups: tuple[tuple[str, int], ...]  # headings over several columns, with their spans
    header: tuple[str, ...]
    labels: int  # how many columns at the left are labels
    blocks: tuple[tuple[tuple[str, ...], ...], ...]


def layout(plan: Plan, cells: DataFrame) -> Layout:
    """A table of one column has its numbers side by side, one of several has them in lines."""
    shown = [_words(plan, cell) for cell in cells.to_dict("records")]
    ours = f"ours{_mark(plan)}"
    compared = bool((cells["verdict"] != "").any())
    if len(plan.columns) == 1:
        name, metric = next(iter(plan.columns.items()))
        theirs = ["published"] * plan.printed
        names, header = ["ours", "n", *theirs], ["", ours, "n", *theirs]
        groups = [("", 1), (_in_unit(name, metric.unit), len(names))]
        if _has_gains(cells):
            gains = _in_unit(f"gain over {plan.baseline}", _points(metric))
            groups.append((gains, 2 + plan.printed))
            header += [ours, "pairs", *theirs]
            names += ["gain", "pairs", *["published gain"] * plan.printed]
        if compared:
            groups.append(("ours and the published", 2))
            header += ["diff.", "verdict"]
            names += ["difference", "verdict"]
        if "budget" in cells:
            groups.append(("search", 1))
            header.append("budget")
            names.append("budget")
        blocks = [((words["row"], *(words[name] for name in names)),) for words in shown]
        return Layout(tuple(groups), tuple(header), 1, tuple(blocks))
    inside = "demo; " * (plan.scale == "demo")
    lines = {f"ours ({inside}n)": "ours (n)", "published": "published"}
    lines |= {f"gain ({inside}pairs)": "gain (pairs)", "published gain": "published gain"}
    lines |= {"difference": "difference", "verdict": "verdict", "search budget": "budget"}
    stacked = []
    for row, group in groupby(shown, key=lambda words: words["row"]):
        by_column = {words["column"]: words for words in group}
        block = [
            (title, *(by_column[c][key] if c in by_column else "" for c in plan.columns))
            for title, key in lines.items()
        ]
        block = [line for line in block if any(text not in (NONE, "") for text in line[1:])]
        stacked.append(tuple((row if i == 0 else "", *line) for i, line in enumerate(block)))
    header = ["", "", *(_in_unit(name, m.unit) for name, m in plan.columns.items())]
    return Layout((), tuple(header), 2, tuple(stacked))


def caption(plan: Plan, cells: DataFrame) -> list[str]:
    """What the numbers are and what they do not say, a paragraph each."""
    rule = rule_of(plan, cells)
    measured = cells.loc[cells["seeds"] > 0, "selection"] == MEASURED
    all_measured = len(measured) > 0 and bool(measured.all())
    said = []
    if plan.scale == "demo":
        said.append(
            "DEMO SCALE: small nets on a few of the embedded digits. "
            + "The published numbers stand beside ours for their order only; " * plan.printed
            + f"--scale paper is the setting as {_written(plan)}."
        )
    as_printed = ", as in the paper" * (plan.printed and comparable(plan, rule))
    by_rule = "" if all_measured else f", {RULE_WORDS[rule]} (selection rule: {rule}{as_printed})"
    said.append(f"ours: mean ± standard deviation over n seeds{by_rule}.")
    if measured.any():
        said.append(_measures(plan))
    if _has_gains(cells):
        said.append(
            f"gain: difference to {plan.baseline} with the same seed, mean ± half-width of the "
            "paired 95% t interval (none for a single pair). It covers the chance of the seed "
            "only, and is not corrected for the number of comparisons "
            f"({(cells['pairs'] > 0).sum()}).{_directions(plan)}"
        )
    if plan.printed and (comparable(plan, rule) or (cells["verdict"] != "").any()):
        said.append(
            "diff.: ours minus the published mean. reproduced: at most "
            f"{POINTS} percentage points or two standard errors, over at least {SEEDS} seeds; "
            "seen: so close, but over fewer seeds; differs: further away."
        )
    against = plan.printed and plan.scale == "paper" and not all_measured
    if against and not comparable(plan, rule):
        which = " selected" * bool(measured.any())
        said.append(f"No difference to the published{which} numbers: {_why_not(plan, rule)}.")
    if "budget" in cells:
        said.append(
            "budget: of a tuned row, how many configurations its search was given (x seeds each), "
            "failed ones included. The best one on validation images was then trained as the "
            "printed rows are, and only then tested. Its gain is over the tuned baseline, where "
            "that was searched, too."
            + " Poor ones were ended early (pruned) and count by the epochs that they used."
            * bool(cells["budget"].str.contains("epochs").any())
        )
    if plan.overrides:
        said.append(f"Changed from the {_written(plan)} setting: {', '.join(plan.overrides)}.")
    if plan.assumed:
        why = "Assumed, since the paper does not say" if plan.printed else "Of the setting"
        said.append(f"{why}: {'; '.join(plan.assumed)}.")
    if plan.left_out:
        left = "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason(plan.left_out))
        said.append(f"Left out: {left}.")
    if "inferred" in cells:
        said.append(
            f"{INFERRED} after a published number: its column was lost with the layout of the "
            "document, and inferred: it fits in no other."
        )
    if (cells["seeds"] == 0).any():
        said.append(f"{NONE}: a number that the paper prints and this study does not run.")
    return said


def by_reason(left_out: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Each reason with the rows and columns that it is the reason of."""
    reasons = dict.fromkeys(left_out.values())
    return [(why, [name for name, own in left_out.items() if own == why]) for why in reasons]


def rule_of(plan: Plan, cells: DataFrame) -> str:
    """The selection rule of the cells that have one; the paper's where all are measures."""
    rules = cells.loc[(cells["selection"] != MEASURED) & (cells["seeds"] > 0), "selection"]
    return str(rules.iloc[0]) if len(rules) else plan.selection


def _measures(plan: Plan) -> str:
    """What each measure is, with all its settings, and where it stands."""
    said = []
    for label, settings in plan.measures.items():
        cells = [cell for cell in plan.cells if cell.measure == label]
        columns = list(dict.fromkeys(cell.column for cell in cells))
        whole = all(c.measure == label for c in plan.cells if c.column in columns and c.trials)
        where = columns if whole else [f"{cell.row}, {cell.column}" for cell in cells]
        about = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in settings.items()
            if name != "measure"
        )
        said.append(f"{'; '.join(where)}: {settings['measure']} ({about})")
    return (
        "measures: computed once from the final model, or from the kept epochs, so that no "
        f"selection rule applies. {'. '.join(said)}."
    )


def notes(plan: Plan, cells: DataFrame) -> list[str]:
    """Every seed that a mean lacks, and why."""
    run = cells[cells["seeds"] > 0]
    if len(run) and not run["n"].any() and not run["running"].any() and not run["failed"].any():
        return ["No trial has been started yet."]
    begun = {*run["row"][(run["n"] > 0) | (run["running"] != "") | (run["failed"] != "")]}
    untouched = [row for row in dict.fromkeys(run["row"]) if row not in begun]
    said = []
    for cell in run[run["row"].isin(begun)].to_dict("records"):
        name = cell["row"] if len(plan.columns) == 1 else f"{cell['row']}, {cell['column']}"
        parts = [f"failed: seed {cell['failed']}"] if cell["failed"] else []
        parts += [f"running: seed {cell['running']}"] if cell["running"] else []
        parts += [f"no value yet: seed {cell['missing']}"] if cell["missing"] else []
        if parts:
            said.append(f"{name}: {'; '.join(parts)}")
    return [*said, *([f"no value yet of any seed: {'; '.join(untouched)}"] if untouched else [])]


def _words(plan: Plan, cell: dict[Any, Any]) -> dict[str, str]:
    """What is shown of a cell, by its name."""
    digits = 2 if cell["unit"] == "%" else 3
    printed = _printed_digits(plan, cell["column"])
    n = str(cell["n"]) if cell["n"] == cell["seeds"] else f"{cell['n']}/{cell['seeds']}"
    ours = _with(f"{cell['mean']:.{digits}f}", cell["std"], digits)
    if not cell["n"]:
        waiting = "running" if cell["running"] else "no value yet" if cell["missing"] else "failed"
        ours, n = (waiting, n) if cell["seeds"] else (NONE, NONE)
    published = _with(f"{cell['published']:.{printed}f}", cell["published_std"], printed)
    published += INFERRED * bool(cell.get("inferred"))
    gain = _with(_signed(cell["gain"], digits), cell["half_width"], digits)
    return {
        "row": cell["row"],
        "column": cell["column"],
        "ours": ours,
        "n": n,
        "ours (n)": ours if n == NONE or not cell["n"] else f"{ours} ({n})",
        "published": NONE if math.isnan(cell["published"]) else published,
        "gain": gain if cell["pairs"] else NONE,
        "pairs": str(cell["pairs"]) if cell["pairs"] else NONE,
        "gain (pairs)": f"{gain} ({cell['pairs']})" if cell["pairs"] else NONE,
        "published gain": _signed(cell["published_gain"], printed),
        "difference": _signed(cell["difference"], digits),
        "verdict": cell["verdict"] or NONE,
        "budget": cell.get("budget") or NONE,
    }


def _with(number: str, deviation: float, digits: int) -> str:
    return number if math.isnan(deviation) else f"{number} ± {deviation:.{digits}f}"


def _signed(value: float, digits: int) -> str:
    """With its sign: a true minus, and none at all for what rounds to zero."""
    if math.isnan(value):
        return NONE
    rounded = round(value, digits)
    sign = "" if rounded == 0 else "+" if rounded > 0 else "−"
    return f"{sign}{abs(rounded):.{digits}f}"


def _printed_digits(plan: Plan, column: str) -> int:
    """The decimals of the published numbers of a column, at least one."""
    printed = [cell.published for cell in plan.cells if cell.column == column and cell.published]
    texts = [repr(float(value)) for pair in printed for value in pair if value is not None]
    return max((len(text.partition(".")[2]) for text in texts), default=1)


def _mark(plan: Plan) -> str:
    return " (demo)" if plan.scale == "demo" else ""


def _in_unit(words: str, unit: str) -> str:
    return f"{words} ({unit})" if unit else words


def _points(metric: Metric) -> str:
    return "points" if metric.unit == "%" else metric.unit


def _has_gains(cells: DataFrame) -> bool:
    return bool(((cells["pairs"] > 0) | cells["published_gain"].notna()).any())


def _directions(plan: Plan) -> str:
    lower = [name for name, metric in plan.columns.items() if metric.better == "lower"]
    better = f" For {', '.join(lower)} lower is better: there a negative gain is an improvement."
    return better if lower else ""


def _written(plan: Plan) -> str:
    return "printed" if plan.printed else "written"


def _why_not(plan: Plan, rule: str) -> str:
    if plan.overrides:
        return "the setting was changed"
    return f"the paper reports by the rule {plan.selection}, ours are by {rule}"
