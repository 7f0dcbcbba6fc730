"""Every method of the OLS tables, for a few epochs on real CIFAR-100 with wrong labels."""

from pathlib import Path
from typing import Any

import pytest
import torch

from study.grids.ols._paper import METHODS, base, method, noisy, resnet, tf_kd, tf_kd_self
from trainables.data.augments.cutout import Cutout
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.targets.online_single import OnlineSingle
from trainables.training.fit import fit
from trainables.training.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.data]

# Stages that begin after so many of the paper's epochs begin after the first here.
EARLY = {
    "Arazo et al.": {"method.start": 1},
    "PENCIL": {"method.stage1": 1, "method.stage2": 2},
    "Han et al.": {"method.start": 1},
}


# Those that stand in tables of other data sets only, or in none.
FURTHER: dict[str, dict[str, Any]] = {
    "Tf-KD reg": tf_kd(base),
    "Tf-KD self": tf_kd_self(base),
    "OLS-Single": {"targets": Use(OnlineSingle)},
    "OLS-Single, current net": {"targets": Use(OnlineSingle, source="current")},
    "OLS + Cutout": {
        **method("OLS"),
        "recipe": base.recipe.but(augment=(*base.recipe.augment, Use(Cutout, side=16))),
    },
}


@pytest.mark.parametrize("name", [*METHODS, "BYOT + OLS", "Xu et al. + OLS", *FURTHER])
def test_a_method_trains_on_the_images_and_shapes_of_paper_scale(
    name: str, cifar: Path, tmp_path: Path
) -> None:
    parts = FURTHER.get(name) or method(name)
    trial = base.but(net=resnet(11), data=noisy(0.4), **parts)
    short = trial.set(
        {
            "data.train_per_class": 1,
            "data.test": False,
            "data.validation": 0.002,
            "recipe.epochs": 3,
            "recipe.schedule": "constant",
            "recipe.milestones": (),
            "recipe.batch_size": 25,
            **EARLY.get(name, {}),
        }
    )
    ready = short.resolved(cifar, {"precision": "float32", "memory_format": "contiguous"})
    result = fit(ready, Storage(tmp_path), Site(cifar, torch.device("cpu"), 1))
    assert result.reason is None
    assert len(result.history) == 3
    losses = [epoch["train.loss"] for epoch in result.history]
    assert losses == sorted(losses, reverse=True) or "method.start" in EARLY.get(name, {})
