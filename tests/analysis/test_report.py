import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mlflow import MlflowClient

from analysis import report
from analysis.report import Report
from analysis.tables import WIDTH
from tests.analysis.figures.test_searches import summary
from tests.analysis.worlds import World, record, small_world


@pytest.fixture(scope="module")
def written(tracking_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report.write(small_world().plan, tracking_uri, tmp_path_factory.mktemp("report"))


class Page(HTMLParser):
    """The tags that are still open at the end, and everything that a browser would fetch."""

    EMPTY = ("meta", "img", "br", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_has_the_table_in_all_forms_and_the_figures_in_two(written: Report) -> None:
    assert [path.name for path in written.files] == [
        *("table.txt", "table.md", "table.tex", "table.csv"),
        *("learning_curves.png", "learning_curves.svg"),
        *("effects_test_accuracy.png", "effects_test_accuracy.svg"),
        *("soft_labels.png", "soft_labels.svg", "figures.json", "report.html"),
    ]
    folder = written.html.parent
    assert sorted(path.name for path in folder.iterdir()) == sorted(p.name for p in written.files)
    assert (folder / "table.txt").read_text() == written.text(WIDTH)
    assert (folder / "table.md").read_text() == written.markdown


def test_the_page_is_whole_and_fetches_nothing(written: Report) -> None:
    text = written.html.read_text()
    page = Page(text)
    assert page.open == []
    assert len(page.fetched) == 3
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.fetched)
    assert not re.search(r"https?://", text)
    assert "<script" not in text
    image = base64.b64decode(page.fetched[0].partition(",")[2])
    assert image == (written.html.parent / "learning_curves.svg").read_bytes()


def test_the_page_says_what_was_run(written: Report) -> None:
    text = written.html.read_text()
    for said in (
        "DEMO SCALE",
        "A small ablation",
        "12 of 12 trials finished",
        "<td>85.8</td>",
        "Assumed, since the paper does not say</b>: the recipe; three seeds.",
        "<code>b2</code>",
        "node-1 (12)",
        "2.15.0 (12)",
        "7.5</td>",
    ):
        assert said in text
    assert text.count("<code>c0</code>") == 1  # printed twice, trained once


def test_the_cost_is_in_the_page_and_in_markdown(tracking_uri: str, tmp_path: Path) -> None:
    priced = report.write(small_world().plan, tracking_uri, tmp_path, price=1000.0)
    # 12 trials of 7.5 s on two CPUs: 0.05 hours.
    assert "| the study | 12 | 0.0500 | 50.0 |" in priced.markdown
    page = priced.html.read_text()
    assert '<th scope="row">the study</th><td>12</td><td>0.0500</td><td>50.0</td>' in page
    assert "GPU-hours" in priced.markdown


def test_the_same_data_give_the_same_bytes(
    written: Report, tracking_uri: str, tmp_path: Path
) -> None:
    again = report.write(small_world().plan, tracking_uri, tmp_path)
    for path, same in zip(written.files, again.files, strict=True):
        assert path.read_bytes() == same.read_bytes()


def test_a_study_on_its_way_is_reported_with_what_is_missing(
    tracking_uri: str, tmp_path: Path
) -> None:
    world = small_world("on_its_way.demo", "way-")
    world = world.but("way-a1", status="failed", reason="<b>bad</b> data")
    world = world.but("way-b0", status="running", history=[]).without("way-b1", "way-b2")
    record(tracking_uri, world)
    text = report.write(world.plan, tracking_uri, tmp_path).html.read_text()
    assert re.search(r"8 of 12 trials finished,\s+1 running, 1 failed, 2 not started", text)
    assert "failed: &lt;b&gt;bad&lt;/b&gt; data" in text
    assert "only CE: failed: seed 1: &lt;b&gt;bad&lt;/b&gt; data" in text
    assert "T 2, beta 1: running: seed 0; no value yet: seed 1, 2" in text
    assert Page(text).open == []


def test_a_study_that_has_not_begun_is_reported(tracking_uri: str, tmp_path: Path) -> None:
    world = replace(small_world("not_begun.demo", "none-"), past={})
    record(tracking_uri, world)
    written = report.write(world.plan, tracking_uri, tmp_path)
    text = written.html.read_text()
    assert "No trial has been started yet." in written.text(WIDTH)
    assert "There is nothing to draw yet" in text
    assert "No trial has been recorded yet." in text
    assert Page(text).open == []


def test_at_paper_scale_nothing_is_called_a_demo(tracking_uri: str, tmp_path: Path) -> None:
    world = small_world().planned(scale="paper")
    text = report.write(world.plan, tracking_uri, tmp_path).html.read_text()
    assert "demo scale" not in text.lower()
    assert "differs" in text


def test_a_seed_without_an_id_is_listed_as_not_started(
    tracking_uri: str, tmp_path: Path, world: World
) -> None:
    first, *rest = world.plan.cells
    world = world.planned(cells=(replace(first, trials={"0": None, "1": "a1"}), *rest))
    text = report.write(world.plan, tracking_uri, tmp_path).html.read_text()
    assert "1 not started" in text


@pytest.mark.slow
def test_the_searches_are_the_trackers_whatever_lies_in_the_folder(
    tracking_uri: str, tmp_path: Path
) -> None:
    world = small_world("searched.demo", "searched-")
    first, *rest = world.plan.cells
    world = world.planned(cells=(first, *(replace(cell, tunes=("x",)) for cell in rest)))
    mine, others, in_no_cell = (
        summary([0.1, 0.2]) | {"label": label} for label in ("T 2, beta 1", "T 5, beta 1", "T 9")
    )
    (tmp_path / "searches.json").write_text(json.dumps([others, others]))
    parent = record(tracking_uri, world)
    assert drawn(report.write(world.plan, tracking_uri, tmp_path)) == set()
    MlflowClient(tracking_uri).log_text(
        parent, json.dumps([in_no_cell, mine]), "report/searches.json"
    )
    assert drawn(report.write(world.plan, tracking_uri, tmp_path)) == {"search_1"}
    newer = report.write(world.plan, tracking_uri, tmp_path, searches=[mine, others])
    assert drawn(newer) == {"search_1", "search_2"}


def drawn(written: Report) -> set[str]:
    """The searches that have a figure."""
    return {path.stem[:8] for path in written.files if path.name.startswith("search_")}
