"""Small trials, and what each of several workers that train them together does."""

from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tests.trainables.small import SITE, small_trial
from trainables.data.data import Batch
from trainables.data.imbalances.long_tail import LongTail
from trainables.heads.cosine import Cosine
from trainables.losses.center import CenterLoss
from trainables.losses.ldam import LDAM
from trainables.losses.loss import Loss
from trainables.losses.reweighted import Reweighted
from trainables.nets.net import Net
from trainables.selection import Epoch
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.storage.unwritten import unwritten
from trainables.targets.knowledge import Knowledge
from trainables.targets.online import Online
from trainables.targets.self_distilled import SelfDistilled
from trainables.task import Out, Task
from trainables.training.batch_norm import synchronise
from trainables.training.fit import fit
from trainables.training.workers import Workers, joined
from trainables.trial import Trial


class Plain(Net):
    """Two convolutions without batch norm."""

    features = 8

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        maps = self.second(self.first(x).relu()).relu()
        return maps.mean((2, 3)), (maps,)


class Sparing(Loss):
    """Infinite for one image alone, which only one of two workers sees."""

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        loss = nn.functional.cross_entropy(out.scores, target, reduction="none")
        return loss.where(batch.index != 3, torch.inf)


OLS = {"net": Use(Plain), "targets": Use(Online), "loss": Use(CenterLoss, weight=0.1)}
TAIL = {"data.train_per_class": 10, "data.imbalance": Use(LongTail, rho=10.0)}
CASES: dict[str, Trial] = {
    # 20 images in batches of 6: the last two are too few to be split
    "ols": small_trial(**OLS, **{"recipe.batch_size": 6}),
    # 41 images in batches of 16: of the last nine one worker has five
    "ldam": small_trial(
        head=Use(Cosine), loss=Use(Reweighted, loss=Use(LDAM)), **TAIL, **{"recipe.batch_size": 16}
    ),
    "kesl": small_trial(targets=Use(Knowledge, hierarchy="strokes")),
    "taught": small_trial(net=Use(Plain), targets=Use(SelfDistilled)),
    "broken": small_trial(net=Use(Plain), loss=Use(Sparing)),
}
SYNCHRONISED = ("ldam",)
STOPPED = ("kesl",)  # after the second epoch, and gone on with


class Stop(BaseException):
    """Tune's, in the place of the next epoch."""


def stop(epoch: Epoch) -> None:
    if epoch["epoch"] == 2:
        raise Stop


def train(rank: int, size: int, folder: Path) -> None:
    """Trains each case in a storage of its own within the folder."""
    with joined(f"file://{folder}/meeting", rank, size, "cpu") as workers:
        for case, trial in CASES.items():
            workers.synchronised = case in SYNCHRONISED
            storage = Storage(folder / case)
            site = replace(SITE, workers=workers)
            mine = unwritten(storage) if rank else storage
            fit(trial, mine, site)
            if case in STOPPED:
                again = folder / f"{case}-stopped"
                mine = unwritten(Storage(again)) if rank else Storage(again)
                try:
                    fit(trial, mine, site, stop)
                except Stop:
                    dist.barrier()
                    fit(trial, mine, site)
            dist.barrier()
        workers.synchronised = True
        torch.save(normed(workers), folder / f"normed-{rank}.pt")


IMAGES = 5  # of which one of two workers has two


def normed(workers: Workers) -> dict[str, Tensor]:
    """Gradients of a net with batch norm by a batch, and its running statistics, in float64."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Conv2d(3, 1, 2))
    net.double()
    x = torch.randn(IMAGES, 1, 6, 6, dtype=torch.float64)
    own = workers.rows(IMAGES)
    if own:
        synchronise(net, workers)
        workers.begin(Batch(x[own], x[own], x[own], images=IMAGES))
    net(x[own or slice(None)]).square().mean().backward()
    for weight in net.parameters():
        if own and weight.grad is not None:
            weight.grad *= workers.share
            dist.all_reduce(weight.grad)
    gradients = {f"{name}.grad": w.grad for name, w in net.named_parameters() if w.grad is not None}
    return {**gradients, **dict(net.named_buffers())}
