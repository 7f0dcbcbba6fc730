"""What the tables on matrices as labels (Chen et al.) share."""

from collections.abc import Iterable, Mapping
from functools import partial

from study.grids.demo import demo
from study.grids.grid import Entry, Grid
from study.grids.recipes import LABEL_CIFAR
from trainables.data.sources.cifar import Cifar10, Cifar100
from trainables.data.spec import DataSpec
from trainables.heads.label_decoder import LabelDecoder
from trainables.labels.encoder import Encoder
from trainables.labels.matrices.constant import ConstantMatrices
from trainables.labels.matrices.gaussians import GaussianComposition
from trainables.labels.matrices.shuffled import ShuffledSpeech
from trainables.labels.matrices.speech import Speech
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.labels.matrices.word_matrices import WordMatrices
from trainables.labels.word_file import WordFile
from trainables.losses.huber import Huber
from trainables.nets.resnet import CifarResNet
from trainables.nets.vgg import VGG19
from trainables.settings import Use
from trainables.targets.label_matrix import LabelMatrix
from trainables.trial import Trial

SETS = {
    "CIFAR-10": DataSpec(source=Use(Cifar10)),
    "CIFAR-100": DataSpec(source=Use(Cifar100)),
}
RESNET = Use(CifarResNet, shortcut="B", init="fan_out")
NETS = {
    "VGG-19": Use(VGG19, batch_norm=True),
    "ResNet-32": RESNET.but(depth=32),
    "ResNet-110": RESNET.but(depth=110),
}
CATEGORY = "Category"
SPEECH = "Speech"
LABELS = {
    SPEECH: Use(Speech),
    "Shuffled speech": Use(ShuffledSpeech),
    "Constant matrix": Use(ConstantMatrices),
    "Gaussian composition": Use(GaussianComposition),
    "Random matrix": Use(UniformMatrices),
    "Random, 10 numbers": Use(UniformMatrices, shape=(10,)),
    "BERT": Use(
        WordMatrices,
        vectors=Use(Encoder, path="bert-base-uncased", pooling="between"),
        shape=(48, 48),
        highest=80.0,
    ),
    "GloVe": Use(WordMatrices, vectors=Use(WordFile, path="glove.6B.50d.txt", combine="first")),
}
ROWS = (CATEGORY, *LABELS)

DEMO_EPOCHS = 12
DEMO_RATE = 0.25  # times the paper's learning rate, as the demo of the OLS tables

ASSUMED = (
    "5,000 validation images; the epoch of the best validation accuracy (the public code logs "
    "validation accuracy as its test accuracy)",
    "one espeak-ng voice speaks all names; BERT: bert-base-uncased, [CLS], the word (the mean of "
    "its tokens, and of a name's words) and [SEP] as 48 x 48, all classes together from 0 to 80; "
    "GloVe: the first word of a name; Gaussians and random matrices from 0 to 80, drawn once by "
    "one seed",
    "the document prints no number: what others report is not guessed",
)


def trial(data: str, net: str) -> Trial:
    """With category labels."""
    return Trial(data=SETS[data], net=NETS[net], recipe=LABEL_CIFAR)


def labelled(plain: Trial, row: str) -> Trial:
    """The trial with the labels of a row."""
    if row == CATEGORY:
        return plain
    head = Use(LabelDecoder, labels=LABELS[row])
    return plain.but(head=head, targets=Use(LabelMatrix), loss=Use(Huber))


def rows_of(
    trials: Mapping[str, Trial], names: Iterable[str] = ROWS
) -> dict[str, dict[str, Entry]]:
    """Each of the named labels in every column; no number is published."""
    return {
        name: {column: (labelled(plain, name), None) for column, plain in trials.items()}
        for name in names
    }


def label_demo(paper: Trial) -> Trial:
    """A third as long as other demos: each table in five minutes."""
    return demo(paper, DEMO_RATE, DEMO_EPOCHS)


table = partial(
    Grid,
    paper="label_representation",
    baseline=CATEGORY,
    selection="best_validation",
    seeds=3,
    demo=label_demo,
)
