"""Demo: a trial of the paper's, on the embedded digits."""

from trainables.settings import Use, map_settings
from trainables.trial import Trial

DEMO_EPOCHS = 40


DEMO_BATCH = 16


DEMO_IMAGES = 15  # a class


def demo(trial: Trial, rate: float = 1.0, epochs: int = DEMO_EPOCHS) -> Trial:
    """`trial` on the embedded digits, with a few images a class: seconds on one core.

    Every part is replaced by its own counterpart (its class's `demo`), lengths are scaled to
    `epochs`, and the learning rate is multiplied by `rate`. Number formats are fixed, so that
    a demo trial is the same one on every machine; these are the fastest (docs/LOG.md).
    """
    trial = map_settings(trial, lambda part: part.demo() if isinstance(part, Use) else part)
    recipe = trial.recipe
    images = DEMO_IMAGES if trial.data.imbalance is None else None  # whose tail would be empty
    shrink = epochs / recipe.epochs
    return trial.but(
        data=trial.data.but(train_per_class=images, validation=0.1),
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
