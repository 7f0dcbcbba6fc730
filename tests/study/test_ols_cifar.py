"""Every method of the OLS tables, for a few epochs on real CIFAR-100 with wrong labels."""

from pathlib import Path

import pytest
import torch

from study.grids._ols import METHODS, base, method, noisy, resnet
from trainables.storage import Storage
from trainables.train import Site, fit

pytestmark = [pytest.mark.slow, pytest.mark.data]

# Stages that begin after so many of the paper's epochs begin after the first here.
EARLY = {
    "Arazo et al.": {"method.start": 1},
    "PENCIL": {"method.stage1": 1, "method.stage2": 2},
    "Han et al.": {"method.start": 1},
}


@pytest.mark.parametrize("name", [*METHODS, "BYOT + OLS", "Xu et al. + OLS"])
def test_a_method_trains_on_the_images_and_shapes_of_paper_scale(
    name: str, cifar: Path, tmp_path: Path
) -> None:
    trial = base.but(net=resnet(11), data=noisy(0.4), **method(name))
    short = trial.set(
        {
            "data.train_per_class": 2,
            "data.test": False,
            "data.validation": 0.01,
            "recipe.epochs": 3,
            "recipe.schedule": "constant",
            "recipe.milestones": (),
            "recipe.batch_size": 50,
            **EARLY.get(name, {}),
        }
    )
    ready = short.resolved(cifar, {"precision": "float32", "memory_format": "contiguous"})
    result = fit(ready, Storage(tmp_path), Site(cifar, torch.device("cpu"), 1))
    assert result["reason"] is None
    assert len(result["history"]) == 3
    losses = [epoch["train.loss"] for epoch in result["history"]]
    assert losses == sorted(losses, reverse=True) or "method.start" in EARLY.get(name, {})
