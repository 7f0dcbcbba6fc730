from pathlib import Path

import fused
import torch

from trainables.nets.resnet import CifarResNet
from trainables.settings import Use
from trainables.training.site import Site


def test_both_ways_train_the_same_trials(tmp_path: Path) -> None:
    site = Site(tmp_path, torch.device("cpu"))
    (figure,) = fused.gains("tiny", Use(CifarResNet, depth=8, width=4), 4, False, 3, 2, site)
    assert figure.name == "tiny, batch 4: 3 fused / alone"
    assert figure.goal is None
    assert len(figure.values) == 2
    assert min(figure.values) > 0


def test_nets_are_those_of_the_demo_and_the_paper() -> None:
    assert [(use["width"], size) for use, size, _ in fused.CASES.values()] == [
        (0.125, 16),
        (20, 16),
        (16, 128),
    ]
