from pathlib import Path

import pytest
import throughput
import torch
from figure import Figure, exit_code

from trainables.nets.resnet import CifarResNet
from trainables.settings import Use
from trainables.training.site import Site

FORMATS = {"precision": "float32", "memory_format": "contiguous"}
TINY = Use(CifarResNet, depth=8, width=4)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(throughput, "CHUNK_SECONDS", 0.0)
    return Site(tmp_path, torch.device("cpu"))


def test_a_goal_is_missed_when_every_value_is_on_the_wrong_side() -> None:
    assert not Figure("ratio", [0.8, 0.96, 0.9], goal=0.95).missed
    assert Figure("ratio", [0.8, 0.94, 0.9], goal=0.95).missed
    assert not Figure("seconds", [14.0, 16.0], goal=15.0, better="lower").missed
    assert Figure("seconds", [16.0, 17.0], goal=15.0, better="lower").missed


def test_one_missed_goal_is_exit_code_1() -> None:
    good, bad = Figure("good", [1.0], goal=0.9), Figure("bad", [0.8], goal=0.9)
    assert [exit_code([good]), exit_code([good, bad])] == [0, 1]


def test_a_figure_shows_the_median_and_the_spread() -> None:
    shown = " ".join(str(Figure("ours / limit", [0.9, 1.0, 0.97], goal=0.95)).split())
    assert shown == "ours / limit 0.970 (0.900 .. 1.000) at least 0.95: ok"


def test_our_loop_stands_beside_the_plain_one_and_the_limit(site: Site) -> None:
    figures = throughput.loops(TINY, FORMATS, batch_size=4, repeats=2, site=site)
    assert [figure.name for figure in figures] == ["ours / plain", "ours / limit"]
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)


def test_the_extra_cost_is_of_every_part_but_the_plain_one(site: Site) -> None:
    figures = throughput.extra(TINY, FORMATS, batch_size=4, repeats=2, site=site)
    names = [f"{name} / cross-entropy" for name in throughput.PARTS if name != "cross-entropy"]
    assert [figure.name for figure in figures] == names
    assert {figure.goal for figure in figures} == {1.03, 1.05, 1.35}
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)
