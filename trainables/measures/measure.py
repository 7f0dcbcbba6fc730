"""Measure: numbers computed from a finished trial, once; nothing is trained for them."""

import hashlib
import json
import math
import re
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.data.data import Batch, Data, Split, load
from trainables.data.loader import pixel_batches
from trainables.methods.method import Method
from trainables.model import fresh
from trainables.settings import Invalid, Scalar, Use
from trainables.storage.trial_files import TrialFiles
from trainables.training.evaluation import EVALUATED_AT_ONCE
from trainables.training.site import Site, describe
from trainables.training.tasks import task_of
from trainables.trial import Trial

# Raised whenever a measure's defaults or numerics change, so that all are computed anew.
PROTOCOL = 1


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished trial and what was kept of it, read when it is first asked for."""

    trial: Trial
    files: TrialFiles
    site: Site

    @cached_property
    def data(self) -> Data:
        site = self.site
        return load(self.trial.data, self.trial.seed, site.folder, site.device, site.cache)

    @cached_property
    def outputs(self) -> dict[str, Tensor]:
        """The final "test.scores" (n, classes), "test.y" (n,), and so on; on the CPU."""
        return self.files.outputs()

    @property
    def test(self) -> Split:
        assert self.data.test, "Measure.suits refuses trials without test images"
        return self.data.test

    def pixels(self) -> Iterator[Batch]:
        """The test images in batches; x in pixels, 0 to 255, float32."""
        size = max(self.trial.recipe.batch_size, EVALUATED_AT_ONCE)
        for batch in pixel_batches(self.data, self.test, size):
            yield Batch(batch.x.float(), batch.y, batch.index)

    def normalised(self, x: Tensor) -> Tensor:
        """What a net sees of pixels, differentiable."""
        return (x - self.data.mean) / self.data.std

    def method(self, epoch: int | None = None) -> Method:
        """The trained method in evaluation mode, with its final weights or those of an epoch.

        There is one of it: weights that are asked for later replace those of before.
        """
        self._method.model.load_state_dict(self.files.model(self.site.device, epoch))
        return self._method.eval()

    @cached_property
    def _method(self) -> Method:
        task = task_of(self.trial, self.data, self.site)
        method: Method = self.trial.method.build(fresh(task), task)
        return method


class Measure(ABC):
    """A function of a finished trial. What may be set are keywords of the subclass."""

    gives: tuple[str, ...]  # the names of its values
    instead_of: str = ""  # what the paper's measure has, and this one in its place

    @abstractmethod
    def __call__(self, finished: Finished) -> dict[str, float]:
        """Every value that it gives, by name. Raises Invalid, with the reason, where one is not."""

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        """Raises Invalid for a trial that it cannot be computed from, seen by its settings."""
        if not trial.data.test:
            raise Invalid(f"{cls.__name__}: data.test must be True, it is computed on test images")

    @classmethod  # noqa: B027  # most need no file
    def verify(cls, folder: Path, **settings: Any) -> None:
        """Raises Invalid where a file under `folder` that it reads is not what it should be."""


def label(use: Use) -> str:
    """What the measure is stored and recorded under: class, changed settings, and a hash of all.

    Files enter by checksum. Raises Invalid while one is not known.
    """
    sums = dict(use.checksums or ())
    if hasattr(use.part, "files") and use.checksums is None:
        raise Invalid(f"{use!r}: the checksum of its files is not known yet")
    changed = {name: value for name, value, default in use.settings() if value != default}
    source = {"source": use.source} if use.source else {}
    identity = {"protocol": PROTOCOL, "measure": use.name, **source, **changed, **sums}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    words = [
        f"{name}_{value:.3g}" if isinstance(value, float) else f"{name}_{value}"
        for name, value in changed.items()
        if name not in sums
    ]
    return re.sub(r"[^\w.-]", "_", "-".join([use.name, *words, digest]))


def flat(use: Use) -> dict[str, Scalar]:
    """Every setting, defaults and checksums included, and what it stands in for: what is logged."""
    sums = {f"{name}.sha256": digest for name, digest in use.checksums or ()}
    instead = {"instead of": use.part.instead_of} if use.part.instead_of else {}
    return {"measure": use.name, **dict(use.items), **sums, **instead}


def compute(use: Use, finished: Finished) -> dict[str, Any]:
    """The measure of a trial as it is stored; one that fails has a reason and no values.

    Raises OSError where the storage cannot be read.
    """
    begun = time.monotonic()
    values: dict[str, float] = {}
    reason = trace = None
    try:
        values = _finite(use.build()(finished))
    except OSError:
        raise
    except Invalid as error:
        reason = str(error)
    except torch.OutOfMemoryError:
        reason = "out of GPU memory"
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        trace = traceback.format_exc()
    return {
        "status": "finished" if reason is None else "failed",
        "reason": reason,
        "trace": trace,
        "values": values,
        "settings": flat(use),
        "seconds": time.monotonic() - begun,
        "ended": time.time(),
        "site": describe(finished.site),
    }


def _finite(values: dict[str, float]) -> dict[str, float]:
    for name, value in values.items():
        if not math.isfinite(value):
            raise Invalid(f"{name} was {value}")
    return values
