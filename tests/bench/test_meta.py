from pathlib import Path

import meta
import pytest
import torch

from trainables.nets.resnet import CifarResNet
from trainables.settings import Use
from trainables.training.site import Site

TINY = Use(CifarResNet, depth=8, width=4)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, torch.device("cpu"))


@pytest.mark.slow
def test_each_method_stands_beside_cross_entropy_in_both_ways(site: Site) -> None:
    figures = meta.times(TINY, batch_size=20, repeats=2, site=site)
    double = [f"{name}, double backward" for name in meta.METHODS]
    names = [*meta.FORWARD, *meta.SHORTENED, *double]
    assert [figure.name for figure in figures] == [f"{name} / cross-entropy" for name in names]
    assert [figure.goal for figure in figures] == [4.0] * 12 + [2.8] * 6 + [None] * 6
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)


def test_without_the_kept_graph_a_step_takes_less_memory(site: Site) -> None:
    net = Use(CifarResNet, depth=20, width=4)
    names = (meta.PLAIN, "MW-Net, lean", "MW-Net", "MW-Net, double backward")
    peaks = [meta.peak(name, net, 20, site) for name in names]
    assert peaks == sorted(peaks)
    assert 2**20 < peaks[0] < 2**30
    assert peaks[1] < 0.75 * peaks[2]
