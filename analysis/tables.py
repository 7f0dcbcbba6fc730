"""Tables: a layout written down as text, Markdown, LaTeX, CSV or HTML. Nothing is computed here."""

import re
import textwrap
from collections.abc import Sequence
from html import escape

from pandas import DataFrame

from analysis.layout import NONE, Layout, caption, layout, notes
from analysis.plan import Plan

WIDTH = 100  # of the text form, characters


def text(plan: Plan, cells: DataFrame, width: int = WIDTH) -> str:
    """For a terminal of so many columns: of many columns, some stand in tables further below.

    A table that cannot be made so narrow is as narrow as it can be.
    """
    laid = layout(plan, cells)
    parts = [textwrap.fill(f"{plan.title}{' – DEMO SCALE' * (plan.scale == 'demo')}", width)]
    parts += ["\n".join(_text_table(part, width)) for part in _pieces(laid, width)]
    parts.append("\n".join(textwrap.fill(said, width) for said in caption(plan, cells)))
    missing = [textwrap.fill(f"! {n}", width, subsequent_indent="  ") for n in notes(plan, cells)]
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


def _text_table(laid: Layout, width: int) -> list[str]:
    """The lines of the table; row names are broken where they would make it too wide."""
    lines = [laid.header, *(line for block in laid.blocks for line in block)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(laid.header))]
    room = width - sum(widths[1:]) - 2 * len(widths[1:])
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


def _pieces(laid: Layout, width: int) -> list[Layout]:
    """A table of several columns as tables that fit: each has the labels of what it shows."""
    if laid.labels == 1:
        return [laid]
    lines = [laid.header, *(line for block in laid.blocks for line in block)]
    widths = [max(len(line[i]) for line in lines) + 2 for i in range(len(laid.header))]
    room = width - sum(widths[: laid.labels])
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
            tuple(
                tuple((block[0][0] if i == 0 else "", *line[1:]) for i, line in enumerate(said))
                for block in laid.blocks
                if (said := [part(line, columns) for line in block if _says(line, columns)])
            ),
        )
        for columns in pieces
    ]


def _says(line: tuple[str, ...], columns: Sequence[int]) -> bool:
    return any(line[i] not in ("", NONE) for i in columns)


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
