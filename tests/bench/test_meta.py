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
    names = [*meta.METHODS, *meta.SHORTENED, *double]
    assert [figure.name for figure in figures] == [f"{name} / cross-entropy" for name in names]
    assert [figure.goal for figure in figures] == [4.0] * 6 + [2.8] * 6 + [None] * 6
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)


@pytest.mark.slow
def test_the_peak_is_of_the_steps_alone() -> None:
    assert 2**20 < meta.peak_alone("MW-Net", 20) < 2**30
