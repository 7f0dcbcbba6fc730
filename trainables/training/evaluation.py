"""Evaluation: what a method says of whole splits, and what that comes to."""

import math
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from trainables.data.data import Batch, Data, Split
from trainables.data.loader import evaluation_batches
from trainables.methods.method import Method
from trainables.selection import Epoch
from trainables.training.groups import evaluate, groups_of
from trainables.training.workers import Some, Workers
from trainables.trial import Trial

EVALUATED_AT_ONCE = 128  # images, at least: in batches of 64 small nets take a sixth longer
# Scores (n, classes), and which images are right by other rules, (n,) by name.
Evaluated = tuple[Tensor, dict[str, Tensor]]
Known = Mapping[str, Evaluated]  # of splits, by name


class Evaluation:
    """A trial's method on the images that it is judged by."""

    def __init__(self, trial: Trial, data: Data, method: Method, workers: Workers) -> None:
        self._data, self._method, self._workers = data, method, workers
        self._batch_size = max(2 * trial.recipe.batch_size, EVALUATED_AT_ONCE)
        self.groups = groups_of(trial, data)
        splits = {
            "validation": data.validation,
            "test": data.test,
            "train.wrong": data.train.wrong,  # images with wrong labels, by the labels given
        }
        # What is evaluated after each epoch, by name.
        self.splits = {name: split for name, split in splits.items() if split is not None}

    def batches(self, split: Split, some: Some = lambda count: slice(None)) -> Iterator[Batch]:
        """All images of a split, in order, not augmented; or `some` of so many batches."""
        count = math.ceil(len(split) / self._batch_size)
        return evaluation_batches(self._data, split, self._batch_size, some(count))

    @torch.no_grad()
    def of(self, split: Split) -> Evaluated:
        """What the method says now of a split's images, in their order."""
        self._method.eval()
        return self._workers.evaluated(self._method, len(split), partial(self.batches, split))

    def metrics(self, known: Known) -> Epoch:
        """Of each of `splits`; `known`: what is already known of some of them."""
        row: Epoch = {}
        for name, split in self.splits.items():
            scores, others = known.get(name) or self.of(split)
            if name == "train.wrong":
                row["train.wrong_label_error"] = float((scores.argmax(1) != split.y).float().mean())
                continue
            metrics = evaluate(scores, split.y, self.groups)
            metrics |= {rule: float(hits.float().mean()) for rule, hits in others.items()}
            row |= {f"{name}.{metric}": value for metric, value in metrics.items()}
        return row

    def outputs(self) -> dict[str, Tensor]:
        """Scores and labels by split, and clean labels where given ones were made wrong."""
        data, outputs = self._data, {}
        for name, split in (("validation", data.validation), ("test", data.test)):
            if split is not None:
                outputs[f"{name}.scores"] = self.of(split)[0].cpu()
                outputs[f"{name}.y"] = split.y.cpu()
        for name, split in (("train", data.train), ("validation", data.validation)):
            if split is not None and split.truth is not None:
                outputs |= {f"{name}.y": split.y.cpu(), f"{name}.clean": split.clean.cpu()}
        return outputs
