"""Formats: what "auto" means where the trials will run."""

import torch

from study.running.address import check_token
from trainables.training.site import formats_of


def formats_there(address: str | None) -> dict[str, str]:
    """The number formats of the cluster's GPUs, or of a machine like this one.

    Raises Invalid for an address without a cluster, or a token that cannot be used.
    """
    check_token(address)
    gpus = torch.cuda.is_available()
    if address:
        from study.running import cluster  # Ray, which a study that lacks nothing needs not

        cluster.connect(address)
        gpus = cluster.largest_node()["GPU"] > 0
    return formats_of("cuda" if gpus else "cpu")
