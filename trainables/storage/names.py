"""Names of the files of one trial: the only place where they stand."""

SETTINGS = "trial.json"
SITE = "site.json"  # where and when it was started last
HISTORY = "history.json"  # metrics of every finished epoch, with timestamps
RESULT = "result.json"
MODEL = "model.pt"  # final weights
OUTPUTS = "outputs.pt"  # final scores and labels
LOG = "log.txt"
WRONG_LABELS = "wrong_labels.csv"  # images whose labels were made wrong: row, clean and given label
CLASS_COUNTS = "class_counts.csv"  # training images of each class, where classes are unequal
SOFT_LABELS = "soft_labels.csv"  # the targets' matrix at the end
CHECKPOINTS = "checkpoint-*.pt"
EPOCHS = "epoch-*.pt"
ALL_SOFT_LABELS = "soft_labels*.csv"
ALL_OF_METHOD = "method-*.csv"  # what the method tells of itself


def checkpoint(step: int) -> str:
    """The state after so many steps."""
    return f"checkpoint-{step:09d}.pt"


def epoch_weights(epoch: int) -> str:
    """The weights after an epoch that the recipe keeps."""
    return f"epoch-{epoch:05d}.pt"


def soft_labels(epoch: int) -> str:
    """The targets' matrix after that epoch."""
    return f"soft_labels-{epoch:05d}.csv"


def of_method(table: str, epoch: int | None) -> str:
    """A table of the method after that epoch; None: at the end."""
    return f"method-{table}.csv" if epoch is None else f"method-{table}-{epoch:05d}.csv"


def measure(label: str) -> str:
    return f"measure-{label}.json"


def features(label: str) -> str:
    """Features that the measure with that label kept."""
    return f"features-{label}.csv"
