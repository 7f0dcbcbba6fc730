"""Demo: a trial of the paper's, on the embedded digits."""

from trainables.settings import Use, map_settings
from trainables.trial import Trial

DEMO_EPOCHS = 40


DEMO_BATCH = 16


DEMO_IMAGES = 15  # a class


DEMO_META = 10  # a class, for all clean images that a data set has besides


def demo(trial: Trial, rate: float = 1.0, epochs: int = DEMO_EPOCHS) -> Trial:
    """`trial` on the embedded digits, with a few images a class: seconds on one core.

    Every part is replaced by its own counterpart (its class's `demo`), lengths are scaled to
    `epochs`, and the learning rate is multiplied by `rate`. Number formats are fixed, so that
    a demo trial is the same one on every machine; these are the fastest (docs/LOG.md).
    """
    data = trial.data
    if data.meta_drawn == "source":  # the digits have none besides
        clean = data.meta_per_class or DEMO_META
        trial = trial.but(data=data.but(meta_drawn="before", meta_per_class=clean))
    trial = map_settings(trial, lambda part: part.demo() if isinstance(part, Use) else part)
    recipe = trial.recipe
    data = trial.data  # a tail of so few would be empty, and a share is one of all
    images = DEMO_IMAGES if data.imbalance is None and data.train_share is None else None
    shrink = epochs / recipe.epochs
    return trial.but(
        data=data.but(train_per_class=images, validation=0.1),
        recipe=recipe.but(
            epochs=epochs,
            batch_size=DEMO_BATCH,
            lr=recipe.lr * rate,
            milestones=tuple(shrink * milestone for milestone in recipe.milestones),
            warmup_epochs=shrink * recipe.warmup_epochs,
            precision="float32",
            memory_format="channels_last",
            keep=min(recipe.keep, epochs),
            assumed=(),  # no paper has this recipe
        ),
    )
