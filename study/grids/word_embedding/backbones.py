"""Word embeddings, Table 3: other nets, 50 images a class of CIFAR-100 and mini-ImageNet."""

from study.grids.grid import percent
from study.grids.printed import printed
from study.grids.word_embedding._paper import FEW, across, cifar100, few, mini, table
from trainables.nets.torchvision_nets import ResNet50
from trainables.nets.vgg import VGG16
from trainables.settings import Use

PRINTED = printed("""
    CE                     | 26.08 ± 0.69 | 40.56 ± 0.68 | 25.45 ± 1.48 | 29.54 ± 0.92
    CenterLoss             | 24.17 ± 0.65 | 39.16 ± 1.34 | 21.83 ± 1.18 | 28.13 ± 1.48
    GCPL                   | 26.79 ± 1.21 | 39.23 ± 1.44 | 25.20 ± 1.20 | 29.62 ± 1.09
    ProtoNet               | 31.95 ± 0.66 | 40.43 ± 1.01 | 28.30 ± 1.09 | 28.49 ± 1.26
    Label smoothing        | 29.56 ± 0.28 | 41.47 ± 0.27 | 29.79 ± 1.13 | 29.54 ± 0.28
    Word embedding (BERT)  | 32.13 ± 0.99 | 43.78 ± 0.69 | 38.20 ± 0.98 | 39.64 ± 0.59
    Word embedding (GloVe) | 33.25 ± 0.53 | 44.01 ± 0.19 | 33.85 ± 0.51 | 39.06 ± 0.86
""")

TRIALS = {
    f"{name}, {data}": few(trial, 50).but(net=net)
    for name, net in (("ResNet-50", Use(ResNet50)), ("VGG-16", Use(VGG16, batch_norm=True)))
    for data, trial in (("CIFAR-100", cifar100), ("mini-ImageNet", mini))
}

grid = table(
    title="Word embeddings, other nets (50 images a class)",
    table="table3",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(
        *FEW,
        "VGG-16 with batch norm and without its two hidden linear layers: the paper does not say",
    ),
    rows={name: across(TRIALS, name, *numbers) for name, numbers in PRINTED.items()},
)
