"""OLS, Table IV: ImageNet, ResNet-50 and ResNet-101."""

from study.grid import Entry, Grid, Published, error
from study.grids._ols import IMAGENET_ASSUMED, imagenet, method, ols_demo, with_cutout
from trainables.measures.top_k import TopK
from trainables.nets.torchvision_nets import ResNet101
from trainables.settings import Use
from trainables.trial import Trial

resnet50, resnet101 = imagenet, imagenet.but(net=Use(ResNet101))
COLUMNS = {
    "top-1 error": error("test.accuracy"),
    "top-5 error": error("accuracy", Use(TopK, k=5)),
}


def across(net: Trial, name: str | None, top1: Published, top5: Published) -> dict[str, Entry]:
    """A row: one trial with both errors; without a method, published only."""
    trial = None
    if name:
        trial = net.but(**method(name.removeprefix("Cutout + ")))
        trial = with_cutout(trial) if "Cutout" in name else trial
    return {"top-1 error": (trial, top1), "top-5 error": (trial, top5)}


grid = Grid(
    title="OLS on ImageNet",
    paper="ols",
    table="table4",
    columns=COLUMNS,
    baseline="ResNet-50, Hard label",
    selection="oracle",
    assumed=(
        *IMAGENET_ASSUMED,
        "the rows of Tf-KD and those that it reports are published only, as in the paper",
        "the gain of every row refers to ResNet-50 with hard labels",
    ),
    demo=ols_demo,
    rows={
        "ResNet-50, Hard label (reported by Tf-KD)": across(resnet50, None, 24.23, None),
        "ResNet-50, Label smoothing (reported by Tf-KD)": across(resnet50, None, 23.62, None),
        "ResNet-50, Tf-KD self": across(resnet50, None, 23.59, None),
        "ResNet-50, Tf-KD reg": across(resnet50, None, 23.58, None),
        "ResNet-50, Hard label": across(resnet50, "Hard label", 23.68, 7.05),
        "ResNet-50, Bootsoft": across(resnet50, "Bootsoft", 23.49, 6.85),
        "ResNet-50, Boothard": across(resnet50, "Boothard", 23.85, 7.07),
        "ResNet-50, Label smoothing": across(resnet50, "Label smoothing", 22.82, 6.66),
        "ResNet-50, Cutout": across(resnet50, "Cutout + Hard label", 22.93, 6.66),
        "ResNet-50, Disturb label": across(resnet50, "Disturb label", 23.59, 6.9),
        "ResNet-50, BYOT": across(resnet50, "BYOT", 23.04, 6.51),
        "ResNet-50, OLS": across(resnet50, "OLS", 22.28, 6.39),
        "ResNet-50, Cutout + OLS": across(resnet50, "Cutout + OLS", 21.98, 6.18),
        "ResNet-50, BYOT + OLS": across(resnet50, "BYOT + OLS", 21.88, 6.27),
        "ResNet-101, Hard label": across(resnet101, "Hard label", 21.87, 6.29),
        "ResNet-101, Label smoothing": across(resnet101, "Label smoothing", 21.27, 5.85),
        "ResNet-101, Cutout": across(resnet101, "Cutout + Hard label", 20.72, 5.51),
        "ResNet-101, OLS": across(resnet101, "OLS", 20.85, 5.5),
        "ResNet-101, Cutout + Label smoothing": across(
            resnet101, "Cutout + Label smoothing", 20.47, 5.51
        ),
        "ResNet-101, Cutout + OLS": across(resnet101, "Cutout + OLS", 20.25, 5.42),
    },
)
