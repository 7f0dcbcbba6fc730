"""Word embeddings, Fig. 3: how similar the class vectors are; CIFAR-100. It has no numbers."""

from analysis.plan import Metric
from study.grids.grid import Entry
from study.grids.word_embedding._paper import BERT, GLOVE, VECTORS, cifar100, few, table, word_demo
from trainables.measures.class_similarity import ClassSimilarity
from trainables.settings import Use
from trainables.trial import Trial

LENGTH = {"epochs": 1, "schedule": "constant", "milestones": (), "warmup_epochs": 0}
COLUMNS = {
    "highest cosine": Metric("highest", "", measure=Use(ClassSimilarity)),
    "mean cosine": Metric("mean", "", measure=Use(ClassSimilarity)),
}


def short(trial: Trial) -> Trial:
    """Of one epoch: the vectors are fixed, and whatever the net learns says nothing of them."""
    return trial.but(recipe=trial.recipe.but(**LENGTH))


def row(head: Use) -> dict[str, Entry]:
    trial = short(few(cifar100, 50)).but(head=head)
    return dict.fromkeys(COLUMNS, (trial, None))


def demo(trial: Trial) -> Trial:
    """Of one epoch, too."""
    return short(word_demo(trial))


grid = table(
    title="Word embeddings, similarity of the classes (CIFAR-100)",
    table="fig3",
    columns=COLUMNS,
    baseline="Word embedding (GloVe)",
    seeds=1,
    demo=demo,
    assumed=(*VECTORS, "a training of one epoch, since a trial must have one; no net is looked at"),
    rows={"Word embedding (GloVe)": row(GLOVE), "Word embedding (BERT)": row(BERT)},
)
