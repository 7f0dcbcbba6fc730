"""Our numbers beside the published ones: one row a cell, and that as text, Markdown, LaTeX ...

`compare` computes, `layout` arranges what is shown, the renderers only write it down.
"""

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

from pandas import DataFrame, Series
from scipy.special import stdtrit

from study.grid import Cell, Metric, Plan
from trainables.selection import RULES
from trainables.settings import unknown

WIDTH = 100  # of the text form, characters
POINTS = 0.5  # a smaller difference to the published percentage counts as none
SEEDS = 3  # that a reproduced cell has at least
NONE = "–"
MEASURED = "final model"  # in place of a selection rule: that of every measure

RULE_WORDS = {
    "last": "after the last epoch",
    "best_validation": "at the epoch of the highest validation accuracy",
    "mean_of_last_5": "averaged over the last five epochs",
    "oracle": "at the epoch of the highest test accuracy, so selected on test data",
}


def compare(plan: Plan, runs: DataFrame, rule: str | None = None) -> DataFrame:
    """One row a cell in reading order; `runs` as `runs.trials` gives them for the plan's ids.

    row, column, unit, scale, selection: what the numbers are; budget: of a search's winner.
    The selection of a measure's cell is MEASURED: no rule applies to it.
    mean, std (n - 1), n: over the finished seeds, in the column's unit.
    seeds: how many are planned; failed ("seed: reason; ..."), running, missing: the other ones.
    published, published_std: as printed.
    gain, half_width, pairs: mean difference to the baseline's cell over the seeds that both have,
    and the half-width of its 95 % paired t interval (NaN for one pair); published_gain.
    difference, verdict: against the published mean; NaN and "" where `comparable` says no.
    Raises Invalid for an unknown rule.
    """
    rule = rule or default_rule(plan, runs)
    if rule not in RULES:
        raise unknown("selection rule", rule, RULES)
    cells = DataFrame([_cell(plan, cell, runs, rule) for cell in plan.cells])
    return cells if any(cell.budget for cell in plan.cells) else cells.drop(columns="budget")


def default_rule(plan: Plan, runs: DataFrame) -> str:
    """At paper scale the paper's own; else best_validation, or last if a trial lacks that value."""
    if plan.scale == "paper":
        return plan.selection
    finished = runs[runs["status"] == "finished"]
    needed = {
        f"best_validation/{plan.columns[cell.column].name}"
        for cell in plan.cells
        if cell.trials and not cell.measure
    }
    complete = needed <= set(finished) and bool(finished[list(needed)].notna().all(axis=None))
    return "best_validation" if complete or finished.empty else "last"


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
    values, reasons = runs[name], _reasons(cell, runs)
    found = {
        seed: metric.factor * float(values[trial_id]) + metric.offset
        for seed, trial_id in cell.trials.items()
        if trial_id is not None and reasons.get(trial_id) == ""
        if runs.at[trial_id, "status"] == "finished"
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
    differences = Series([value - others[seed] for seed, value in ours.items() if seed in others])
    n = len(differences)
    if n < 2:
        return (float(differences.mean()) if n else math.nan), math.nan, n
    half_width = float(stdtrit(n - 1, 0.975)) * float(differences.std()) / math.sqrt(n)
    return float(differences.mean()), half_width, n


def verdict(metric: Metric, difference: float, std: float, n: int) -> str:
    """reproduced | seen (so close, but fewer than SEEDS seeds) | differs.

    `difference` to the published mean. A published deviation does not widen the bound, since the
    number of runs behind it is not printed.
    """
    floor = POINTS if metric.unit == "%" else 0.0
    bound = max(floor, 2 * std / math.sqrt(n) if n > 1 else 0.0)
    if abs(difference) > bound + 1e-9:  # differences of printed decimals are not exact
        return "differs"
    return "reproduced" if n >= SEEDS else "seen"


def _cell(plan: Plan, cell: Cell, runs: DataFrame, rule: str) -> dict[str, Any]:
    metric = plan.columns[cell.column]
    ours = seed_values(metric, cell, runs, rule)
    mean, std = float(Series(ours, dtype=float).mean()), float(Series(ours, dtype=float).std())
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
    about = {"row": cell.row, "column": cell.column, "unit": metric.unit, "budget": cell.budget}
    return about | {"scale": plan.scale, "selection": selected} | numbers | {"verdict": judged}


def _others(cell: Cell, runs: DataFrame, ours: dict[str, float]) -> dict[str, str]:
    """The seeds without a value, in words."""
    failed, running, missing = [], [], []
    reasons = _reasons(cell, runs)
    for seed, trial_id in cell.trials.items():
        status = runs.at[trial_id, "status"] if trial_id in runs.index else "missing"
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
        (name, metric), names = next(iter(plan.columns.items())), ["ours", "n", "published"]
        groups, header = [("", 1), (_in_unit(name, metric.unit), 3)], ["", ours, "n", "published"]
        if _has_gains(cells):
            groups.append((_in_unit(f"gain over {plan.baseline}", _points(metric)), 3))
            header += [ours, "pairs", "published"]
            names += ["gain", "pairs", "published gain"]
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
            "DEMO SCALE: small nets on a few of the embedded digits. The published numbers stand "
            "beside ours for their order only; --scale paper is the setting as printed."
        )
    as_printed = ", as in the paper" * comparable(plan, rule)
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
    if comparable(plan, rule) or (cells["verdict"] != "").any():
        said.append(
            "diff.: ours minus the published mean. reproduced: at most "
            f"{POINTS} percentage points or two standard errors, over at least {SEEDS} seeds; "
            "seen: so close, but over fewer seeds; differs: further away."
        )
    if plan.scale == "paper" and not comparable(plan, rule) and not all_measured:
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
        said.append(f"Changed from the printed setting: {', '.join(plan.overrides)}.")
    if plan.assumed:
        said.append(f"Assumed, since the paper does not say: {'; '.join(plan.assumed)}.")
    if (cells["seeds"] == 0).any():
        said.append(f"{NONE}: a number that the paper prints and this study does not run.")
    return said


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
    said = []
    for cell in run.to_dict("records"):
        name = cell["row"] if len(plan.columns) == 1 else f"{cell['row']}, {cell['column']}"
        parts = [f"failed: seed {cell['failed']}"] if cell["failed"] else []
        parts += [f"running: seed {cell['running']}"] if cell["running"] else []
        parts += [f"no value yet: seed {cell['missing']}"] if cell["missing"] else []
        if parts:
            said.append(f"{name}: {'; '.join(parts)}")
    return said


def text(plan: Plan, cells: DataFrame) -> str:
    """For a terminal of WIDTH columns: of many columns, some stand in tables further below."""
    laid = layout(plan, cells)
    parts = [f"{plan.title}{' – DEMO SCALE' * (plan.scale == 'demo')}"]
    parts += ["\n".join(_text_table(part)) for part in _pieces(laid)]
    parts.append("\n".join(textwrap.fill(said, WIDTH) for said in caption(plan, cells)))
    missing = [textwrap.fill(f"! {n}", WIDTH, subsequent_indent="  ") for n in notes(plan, cells)]
    return "\n\n".join([*parts, *(["\n".join(missing)] if missing else [])]) + "\n"


def markdown(plan: Plan, cells: DataFrame) -> str:
    """A pipe table; it has no headings over several columns, so each bears its group's name."""
    laid = layout(plan, cells)
    header = [in_markdown(name) for name in _flat_header(laid)]
    rule = [":--"] * laid.labels + ["--:"] * (len(header) - laid.labels)
    body = [[in_markdown(value) for value in line] for block in laid.blocks for line in block]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *body])
    title = f"**{in_markdown(plan.title)}**{' (DEMO SCALE)' * (plan.scale == 'demo')}"
    paragraphs = [title, table, *map(in_markdown, caption(plan, cells))]
    missing = "\n".join(f"- {in_markdown(note)}" for note in notes(plan, cells))
    return "\n\n".join([*paragraphs, *([missing] if missing else [])]) + "\n"


def latex(plan: Plan, cells: DataFrame) -> str:
    r"""A table environment; needs \usepackage{booktabs}."""
    laid = layout(plan, cells)
    columns = "l" * laid.labels + "r" * (len(laid.header) - laid.labels)
    head, start = [], 1
    if laid.groups:
        spans = [rf"\multicolumn{{{n}}}{{c}}{{{_latex(name)}}}" for name, n in laid.groups]
        head.append(rf"{' & '.join(spans)} \\")
        for name, n in laid.groups:
            head += [rf"\cmidrule(lr){{{start}-{start + n - 1}}}"] if name else []
            start += n
    head.append(rf"{' & '.join(map(_latex, laid.header))} \\")
    blocks = ["\n".join(rf"{' & '.join(map(_latex, line))} \\" for line in b) for b in laid.blocks]
    between = "\n\\addlinespace\n" if laid.labels > 1 else "\n"
    said = " ".join([f"{plan.title}.", *caption(plan, cells)])
    missing = [rf"\par {_latex(note)}" for note in notes(plan, cells)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(said)}}}",
        rf"\label{{tab:{plan.study}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *head,
        r"\midrule",
        between.join(blocks),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\smallskip\footnotesize", *missing] if missing else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def csv(plan: Plan, cells: DataFrame) -> str:
    """`cells` as it is, with six decimals; the column `scale` marks demo numbers in every line."""
    return cells.round(6).to_csv(index=False, lineterminator="\n")


def html(plan: Plan, cells: DataFrame) -> str:
    """A figure element: the table, its caption and notes. All text is escaped."""
    laid = layout(plan, cells)
    spans = "".join(
        f'<th colspan="{n}" scope="colgroup">{escape(name)}</th>'
        if name
        else f'<td colspan="{n}"></td>'
        for name, n in laid.groups
    )
    names = "".join(f'<th scope="col">{escape(n)}</th>' if n else "<td></td>" for n in laid.header)
    blocks = "".join(
        f"<tbody>{''.join(_html_line(line, laid.labels, len(block)) for line in block)}</tbody>"
        for block in laid.blocks
    )
    title = f"{plan.title}{' – DEMO SCALE' * (plan.scale == 'demo')}"
    said = [line.split(":", 1) for line in caption(plan, cells)]
    paragraphs = "".join(f"<p><b>{escape(what)}</b>:{escape(rest)}</p>" for what, rest in said)
    missing = "".join(f"<li>{escape(note)}</li>" for note in notes(plan, cells))
    head = f"{f'<tr>{spans}</tr>' if spans else ''}<tr>{names}</tr>"
    return (
        f'<figure class="results"><div class="wide"><table><caption>{escape(title)}</caption>'
        f"<thead>{head}</thead>{blocks}</table></div><figcaption>{paragraphs}"
        f"{f'<ul>{missing}</ul>' if missing else ''}</figcaption></figure>\n"
    )


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


def _why_not(plan: Plan, rule: str) -> str:
    if plan.overrides:
        return "the setting was changed"
    return f"the paper reports by the rule {plan.selection}, ours are by {rule}"


def _text_table(laid: Layout) -> list[str]:
    """The lines of the table; row names are broken where they would make it too wide."""
    lines = [laid.header, *(line for block in laid.blocks for line in block)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(laid.header))]
    room = WIDTH - sum(widths[1:]) - 2 * len(widths[1:])
    names = [_broken(line[0], max(room, 16)) for line in lines]
    widths[0] = max(len(part) for name in names for part in name)
    ruled = "─" * (sum(widths) + 2 * (len(widths) - 1))
    blocks = [
        [text for line in block for text in _text_line(line, widths, laid.labels)]
        for block in laid.blocks
    ]
    gap = [""] if laid.labels > 1 else []
    body = [text for i, block in enumerate(blocks) for text in (gap * bool(i) + block)]
    header = _text_line(laid.header, widths, laid.labels)
    return [ruled, *_text_groups(laid, widths), *header, ruled, *body, ruled]


def _text_groups(laid: Layout, widths: Sequence[int]) -> list[str]:
    """The headings over several columns, each in as many lines as it needs, underlined."""
    if not laid.groups:
        return []
    spans = [sum(widths[s : s + n]) + 2 * (n - 1) for s, n in _starts(laid.groups)]
    names = [_broken(name, width) for (name, _), width in zip(laid.groups, spans, strict=True)]
    height = max(map(len, names))
    filled = [[""] * (height - len(name)) + name for name in names]
    lines = [
        [name[i].center(w) for name, w in zip(filled, spans, strict=True)] for i in range(height)
    ]
    lines.append([("─" if any(n) else " ") * w for n, w in zip(names, spans, strict=True)])
    return ["  ".join(line).rstrip() for line in lines]


def _text_line(line: Sequence[str], widths: Sequence[int], labels: int) -> list[str]:
    """One line, or more where its first label is too long."""
    first, *further = _broken(line[0], widths[0])
    aligned = [
        value.ljust(width) if i < labels else value.rjust(width)
        for i, (value, width) in enumerate(zip([first, *line[1:]], widths, strict=True))
    ]
    return ["  ".join(aligned).rstrip(), *further]


def _broken(name: str, width: int) -> list[str]:
    """In lines of at most `width`, as few and as short as can be; after commas if possible."""
    if not name:
        return [""]
    glued = re.sub("(?<![,:]) ", "\N{NO-BREAK SPACE}", name)
    text = glued if max(map(len, glued.split(" "))) + 2 <= width else name
    word = min(width, max(map(len, text.split(" "))) + 2)  # so that none is broken in vain
    tried = [textwrap.wrap(text, w, subsequent_indent="  ") for w in range(word, width + 1)]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in min(tried, key=len)]


def _starts(groups: Sequence[tuple[str, int]]) -> list[tuple[int, int]]:
    """(first column, span) of each group."""
    spans = [n for _, n in groups]
    return [(sum(spans[:i]), n) for i, n in enumerate(spans)]


def _pieces(laid: Layout) -> list[Layout]:
    """A table of several columns as tables that fit WIDTH, with the labels repeated in each."""
    if laid.labels == 1:
        return [laid]
    lines = [laid.header, *(line for block in laid.blocks for line in block)]
    widths = [max(len(line[i]) for line in lines) + 2 for i in range(len(laid.header))]
    room = WIDTH - sum(widths[: laid.labels])
    pieces: list[list[int]] = [[]]
    for i in range(laid.labels, len(widths)):
        if pieces[-1] and sum(widths[j] for j in [*pieces[-1], i]) > room:
            pieces.append([])
        pieces[-1].append(i)

    def part(line: tuple[str, ...], columns: list[int]) -> tuple[str, ...]:
        return (*line[: laid.labels], *(line[i] for i in columns))

    return [
        Layout(
            (),
            part(laid.header, columns),
            laid.labels,
            tuple(tuple(part(line, columns) for line in block) for block in laid.blocks),
        )
        for columns in pieces
    ]


def _flat_header(laid: Layout) -> list[str]:
    """The group's name stands before the first of its columns, and where one would be unclear."""
    if not laid.groups:
        return list(laid.header)
    groups = [(name, i == 0) for name, n in laid.groups for i in range(n)]
    return [
        f"{group}: {name}" if group and (first or laid.header.count(name) > 1) else name
        for (group, first), name in zip(groups, laid.header, strict=True)
    ]


def in_markdown(value: str) -> str:
    """With Markdown's characters escaped."""
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", value)


GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψω",
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "phi",
            "chi",
            "psi",
            "omega",
        ],
        strict=True,
    )
)
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "–": r"\textendash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{letter: f"$\\{name}$" for letter, name in GREEK.items()},
}


def _latex(value: str) -> str:
    escaped = "".join(LATEX.get(character, character) for character in value)
    return re.sub("-(?=-)", "-{}", escaped)  # two hyphens would become a dash


def _html_line(line: Sequence[str], labels: int, rows: int) -> str:
    """A table row; the first label spans the `rows` of its block."""
    parts = []
    for i, value in enumerate(line):
        if i == 0 and value:
            parts.append(f'<th scope="rowgroup" rowspan="{rows}">{escape(value)}</th>')
        elif 0 < i < labels:
            parts.append(f'<th scope="row">{escape(value)}</th>')
        elif i >= labels:
            parts.append(f"<td>{escape(value)}</td>")
    return f"<tr>{''.join(parts)}</tr>"
