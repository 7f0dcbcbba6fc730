import re
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest

from analysis import tables
from analysis.comparison import compare
from analysis.layout import notes
from analysis.plan import Metric
from tests.analysis.worlds import World, at_paper_scale, wide

GOLDEN = """\
A small ablation – DEMO SCALE

──────────────────────────────────────────────────────────────────────────────────
                              accuracy (%)            gain over only CE (points)
                     ─────────────────────────────  ──────────────────────────────
                      ours (demo)    n   published   ours (demo)  pairs  published
──────────────────────────────────────────────────────────────────────────────────
only CE              82.00 ± 2.00    3        85.8             –      –          –
T 2, beta 1          85.50 ± 3.54  2/3        86.7  +3.50 ± 6.35      2       +0.9
T 5, beta 1          82.00 ± 2.65    3        86.2   0.00 ± 4.30      3       +0.4
T 5, beta 1 (again)  82.00 ± 2.65    3        86.2   0.00 ± 4.30      3       +0.4
T 2, beta 0.1               85.00  1/3        87.1         +5.00      1       +1.3
others                          –    –  87.0 ± 0.3             –      –       +1.2
──────────────────────────────────────────────────────────────────────────────────

DEMO SCALE: small nets on a few of the embedded digits. The published numbers stand beside ours for
their order only; --scale paper is the setting as printed.
ours: mean ± standard deviation over n seeds, after the last epoch (selection rule: last).
gain: difference to only CE with the same seed, mean ± half-width of the paired 95% t interval (none
for a single pair). It covers the chance of the seed only, and is not corrected for the number of
comparisons (4).
Assumed, since the paper does not say: the recipe; three seeds.
–: a number that the paper prints and this study does not run.

! T 2, beta 1: failed: seed 1: the loss was nan in epoch 3, step 2
! T 2, beta 0.1: running: seed 1; no value yet: seed 2
"""


def test_the_table_as_text(world: World) -> None:
    world = world.but("b1", status="failed", reason="the loss was nan in epoch 3, step 2")
    world = world.but("d1", status="running").without("d2")
    assert tables.text(world.plan, compare(world.plan, world.runs(), "last")) == GOLDEN


def test_at_paper_scale_the_difference_and_what_it_means_are_shown(world: World) -> None:
    world = at_paper_scale(world).but("a1", status="failed", reason="bad")
    shown = tables.text(world.plan, compare(world.plan, world.runs()))
    assert "DEMO" not in shown
    assert "demo" not in shown
    assert "82.00 ± 2.83  2/3        85.8" in shown
    assert "−3.80        seen" in shown  # within 2 * 2.83 / sqrt(2), over two seeds
    said = " ".join(shown.split())
    assert "selection rule: last, as in the paper" in said
    assert "over at least 3 seeds" in said


def test_it_is_said_why_paper_scale_numbers_are_not_compared(world: World) -> None:
    changed = at_paper_scale(world).planned(overrides=("recipe.lr=1",))
    shown = tables.text(changed.plan, compare(changed.plan, changed.runs()))
    assert "No difference to the published numbers: the setting was changed." in shown
    assert "Changed from the printed setting: recipe.lr=1." in shown
    paper = at_paper_scale(world)
    shown = tables.text(paper.plan, compare(paper.plan, paper.runs(), "oracle"))
    assert "the paper reports by the rule last, ours are by oracle" in shown
    assert "selected on test data" in shown.replace("\n", " ")


def test_before_the_first_trial_the_table_says_so(world: World) -> None:
    world = replace(world, past={})
    cells = compare(world.plan, world.runs())
    assert notes(world.plan, cells) == ["No trial has been started yet."]
    assert "only CE              no value yet  0/3" in tables.text(world.plan, cells)
    for render in (tables.markdown, tables.latex, tables.csv, tables.html):
        assert "85.8" in render(world.plan, cells)


def test_a_row_whose_seeds_all_failed_says_so(world: World) -> None:
    for seed in "012":
        world = world.but(f"b{seed}", status="failed", reason="out of GPU memory")
    shown = tables.text(world.plan, compare(world.plan, world.runs()))
    assert "T 2, beta 1                failed  0/3" in shown


@pytest.mark.parametrize("name", ["a name of more than forty characters, with commas", "w" * 60])
@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_the_text_fits_a_terminal(world: World, name: str, scale: str) -> None:
    first, *rest = world.plan.cells
    cells = (replace(first, row=name), *rest)
    world = world.planned(cells=cells, baseline=name, scale=scale)
    shown = tables.text(world.plan, compare(world.plan, world.runs()))
    assert max(map(len, shown.splitlines())) <= tables.WIDTH


def test_a_long_name_is_broken_after_a_comma_else_between_words() -> None:
    assert tables._broken("T 16, alpha 1, beta 1", 20) == ["T 16, alpha 1,", "  beta 1"]
    assert tables._broken("supercalifragilistic x", 21) == ["supercalifragilistic", "  x"]


def test_several_columns_stand_side_by_side(world: World) -> None:
    shown = tables.text(wide(world).plan, compare(wide(world).plan, world.runs(), "last"))
    assert "ResNet  ours (demo; n)      82.00 ± 2.00 (3)  85.00 ± 2.65 (3)" in shown
    assert "        gain (demo; pairs)                 –  +3.00 ± 2.48 (3)" in shown
    assert "        published gain                     –              +0.9" in shown


def test_columns_that_do_not_fit_stand_further_below(world: World) -> None:
    world = wide(world, tuple(f"column {i}" for i in range(9)))
    shown = tables.text(world.plan, compare(world.plan, world.runs()))
    assert max(map(len, shown.splitlines())) <= tables.WIDTH
    assert shown.count("ours (demo; n)") == 3
    assert all(f"column {i} (%)" in shown for i in range(9))


def test_further_below_a_row_is_left_out_where_it_has_nothing(world: World) -> None:
    world = wide(world, tuple(f"column {i}" for i in range(9)))
    cells = [
        cell if i == 8 else replace(cell, row="first") for i, cell in enumerate(world.plan.cells)
    ]
    world = world.planned(cells=tuple(cells))
    shown = tables.text(world.plan, compare(world.plan, world.runs()))
    _, above, between, below, *_ = re.split("\n\n(?=─)|\n\n(?=DEMO)", shown)
    assert all("first" in part and "ResNet" not in part for part in (above, between))
    assert "ResNet" in below
    assert "first" not in below


def test_as_markdown(world: World) -> None:
    first, *rest = world.plan.cells
    world = world.planned(cells=(replace(first, row="a|b_c*"), *rest), baseline="a|b_c*")
    lines = tables.markdown(world.plan, compare(world.plan, world.runs(), "last")).splitlines()
    assert lines[0] == "**A small ablation** (DEMO SCALE)"
    assert lines[3] == "| :-- | --: | --: | --: | --: | --: | --: |"
    assert lines[4] == r"| a\|b\_c\* | 82.00 ± 2.00 | 3 | 85.8 | – | – | – |"


def test_as_latex(world: World) -> None:
    first, *rest = world.plan.cells
    name = "50% & $x_1$ #{λ} ~^ \\ --"
    world = world.planned(cells=(replace(first, row=name), *rest), baseline=name)
    shown = tables.latex(world.plan, compare(world.plan, world.runs(), "last"))
    escaped = (
        r"50\% \& \$x\_1\$ \#\{$\lambda$\} \textasciitilde{}\textasciicircum{} "
        r"\textbackslash{} -{}-"
    )
    assert rf"{escaped} & 82.00 $\pm$ 2.00 & 3 & 85.8 & \textendash{{}}" in shown
    assert r"\toprule" in shown
    assert "DEMO SCALE" in shown
    assert shown.isascii()


def test_as_csv_every_line_says_its_scale(world: World) -> None:
    cells = compare(world.plan, world.runs(), "last")
    read = pd.read_csv(StringIO(tables.csv(world.plan, cells)))
    assert list(read) == list(cells)
    assert set(read["scale"]) == {"demo"}
    assert read["mean"].tolist()[:2] == [82.0, 85.0]


def test_as_html_everything_is_escaped(world: World) -> None:
    world = world.but("a1", status="failed", reason="<script>alert(1)</script>")
    shown = tables.html(world.plan, compare(world.plan, world.runs()))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "DEMO SCALE" in shown
    assert "<td>2/3</td>" in shown


def test_published_numbers_keep_the_decimals_of_their_column(world: World) -> None:
    first, second, *_ = world.plan.cells
    cells = (replace(first, published=(80.0, None)), replace(second, published=(81.25, None)))
    world = world.planned(cells=cells)
    shown = tables.text(world.plan, compare(world.plan, world.runs()))
    assert " 80.00 " in shown
    assert "+1.25" in shown


def test_other_units_have_three_decimals_and_no_points(world: World) -> None:
    world = world.planned(columns={"accuracy": Metric("test.accuracy", "share")})
    shown = tables.text(world.plan, compare(world.plan, world.runs(), "last"))
    assert "0.820 ± 0.020" in shown
    assert "gain over only CE (share)" in shown


def test_a_number_whose_column_was_inferred_is_marked_in_every_form(world: World) -> None:
    first, *others = world.plan.cells
    marked = world.planned(cells=(replace(first, inferred=True), *others))
    cells = compare(marked.plan, marked.runs())
    text = tables.text(marked.plan, cells, 200)
    assert "85.8*" in text
    assert "86.7*" not in text
    assert "* after a published number: its column was lost" in text
    assert r"85.8\*" in tables.markdown(marked.plan, cells)
    assert list(pd.read_csv(StringIO(tables.csv(marked.plan, cells)))["inferred"])[:2] == [1, 0]
    assert "inferred" not in tables.csv(world.plan, compare(world.plan, world.runs()))
