"""KESL, "Ablation study of different network backbones": CUB-200-2011."""

from study.grids.kesl._paper import ACCURACY, ASSUMED, BEST_ROW, base, kesl, table
from trainables.nets.torchvision_nets import MobileNetV2, ResNet18
from trainables.settings import Use

mobilenet = base.but(net=Use(MobileNetV2, weights="imagenet"))
resnet18 = base.but(net=Use(ResNet18, weights="imagenet"))
accuracy = ACCURACY["accuracy"]

grid = table(
    title="KESL, network backbones (CUB-200-2011)",
    table="backbones",
    columns={"Baseline": accuracy, "KESL": accuracy},
    baseline="Baseline",
    assumed=(*ASSUMED, BEST_ROW),
    rows={
        "MobileNetV2": {"Baseline": (mobilenet, 81.7), "KESL": (mobilenet.but(**kesl()), 82.1)},
        "ResNet-18": {"Baseline": (resnet18, 82.6), "KESL": (resnet18.but(**kesl()), 83.3)},
        "ResNet-50": {"Baseline": (base, 85.8), "KESL": (base.but(**kesl()), 87.1)},
    },
)
