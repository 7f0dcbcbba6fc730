"""How far apart a trained net keeps the classes: silhouette and t-SNE of its features."""

import csv
import io
from typing import Any

import torch
from torch import Tensor

from trainables.measures.measure import Finished, Measure, label
from trainables.recipe import kept_epochs
from trainables.settings import Count, Invalid, Positive, Share, Use
from trainables.trial import Trial


class Separation(Measure):
    """Mean silhouette (Rousseeuw 1987) of the penultimate features by true class; -1 to 1.

    Of the first `images` test images, or of all if there are fewer. Their t-SNE in two dimensions
    (van der Maaten and Hinton, JMLR 2008) is kept beside it, as x, y, label in the classes' order.
    `at`: after which share of the training; below 1 that must be an epoch that the recipe keeps.
    """

    gives = ("silhouette",)

    def __init__(
        self, *, images: Count = 500, perplexity: Positive = 30.0, at: Share = 1.0
    ) -> None:
        self.images, self.perplexity, self.at = images, perplexity, at

    def __call__(self, finished: Finished) -> dict[str, float]:
        from sklearn.manifold import TSNE  # two seconds that a study without it saves
        from sklearn.metrics import silhouette_score

        features, y = (part.cpu().numpy() for part in self._features(finished))
        silhouette = float(silhouette_score(features, y))
        plane = TSNE(perplexity=self.perplexity, init="pca", random_state=0).fit_transform(features)
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("x", "y", "label"))
        writer.writerows((*plane[i], finished.data.names[y[i]]) for i in y.argsort(kind="stable"))
        use = Use(type(self), images=self.images, perplexity=self.perplexity, at=self.at)
        finished.files.write_features(label(use), table.getvalue())
        return {"silhouette": silhouette}

    @torch.no_grad()
    def _features(self, finished: Finished) -> tuple[Tensor, Tensor]:
        """(n, features) and the labels (n,)."""
        epoch = None if self.at == 1 else round(self.at * finished.trial.recipe.epochs)
        model = finished.method(epoch).model
        features, labels = [], []
        for batch in finished.pixels():
            features.append(model(finished.normalised(batch.x)).features.float())
            labels.append(batch.y)
            if sum(map(len, labels)) >= self.images:
                break
        return torch.cat(features)[: self.images], torch.cat(labels)[: self.images]

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        super().suits(trial)
        images = min(settings["images"], trial.data.source.build().test_images)
        if settings["perplexity"] >= images:
            valid = f"less than {images}, the images"
            raise Invalid(f"Separation.perplexity = {settings['perplexity']}: must be {valid}")
        recipe, at = trial.recipe, settings["at"]
        kept = kept_epochs(recipe.epochs, recipe.keep)
        if at < 1 and round(at * recipe.epochs) not in kept:
            valid = f"the share of a kept epoch, as recipe.keep = {recipe.keep} has them: {kept}"
            raise Invalid(f"Separation.at = {at}: must be {valid}")
