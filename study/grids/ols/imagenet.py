"""OLS, Table IV: ImageNet, ResNet-50 and ResNet-101."""

from study.grids.grid import Entry, Published, error
from study.grids.ols._paper import IMAGENET_ASSUMED, constants, imagenet, method, table, with_cutout
from study.grids.printed import printed
from trainables.measures.top_k import TopK
from trainables.nets.torchvision_nets import ResNet101
from trainables.settings import Use
from trainables.trial import Trial

NETS = {"ResNet-50": imagenet, "ResNet-101": imagenet.but(net=Use(ResNet101))}
KINDS = {"top-1": error("test.accuracy"), "top-5": error("accuracy", Use(TopK, k=5))}
# The paper has one net below the other; side by side, each has hard labels of its own to gain over.
COLUMNS = {f"{net} {kind}": metric for net in NETS for kind, metric in KINDS.items()}

PRINTED = printed("""
    Hard label (reported by Tf-KD)      | 24.23 | -    | -     | -
    Label smoothing (reported by Tf-KD) | 23.62 | -    | -     | -
    Tf-KD self                          | 23.59 | -    | -     | -
    Tf-KD reg                           | 23.58 | -    | -     | -
    Hard label                          | 23.68 | 7.05 | 21.87 | 6.29
    Bootsoft                            | 23.49 | 6.85 | -     | -
    Boothard                            | 23.85 | 7.07 | -     | -
    Label smoothing                     | 22.82 | 6.66 | 21.27 | 5.85
    Cutout                              | 22.93 | 6.66 | 20.72 | 5.51
    Disturb label                       | 23.59 | 6.9  | -     | -
    BYOT                                | 23.04 | 6.51 | -     | -
    OLS                                 | 22.28 | 6.39 | 20.85 | 5.5
    Cutout + Label smoothing            | -     | -    | 20.47 | 5.51
    Cutout + OLS                        | 21.98 | 6.18 | 20.25 | 5.42
    BYOT + OLS                          | 21.88 | 6.27 | -     | -
""")


def row(name: str, *published: Published) -> dict[str, Entry]:
    """The method on the nets that the paper has it on, one trial for both errors."""
    numbers = zip(COLUMNS, published, strict=True)
    return {column: (trial(column, name), n) for column, n in numbers if n is not None}


def trial(column: str, name: str) -> Trial | None:
    """None for the rows of Tf-KD and those that it reports, which the paper does not run either."""
    if "Tf-KD" in name:
        return None
    net = NETS[column.partition(" ")[0]]
    if name.startswith("Cutout"):
        return with_cutout(net.but(**method(name.partition(" + ")[2] or "Hard label")))
    return net.but(**method(name))


grid = table(
    title="OLS on ImageNet, error",
    table="table4",
    columns=COLUMNS,
    assumed=(
        *IMAGENET_ASSUMED,
        constants("Bootsoft", "Boothard", "Disturb label"),
        "Cutout of 112 pixels, half the side: the paper says no size, and the public script has no "
        "Cutout on ImageNet",
        "BYOT with alpha 0.1 and T 3, as a re-implementation has them",
        "the rows of Tf-KD and those that it reports are published only, as in the paper",
    ),
    rows={name: row(name, *numbers) for name, numbers in PRINTED.items()},
)
