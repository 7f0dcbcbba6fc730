"""Fused training: trials whose nets are alike step together, with one net for all of them.

A trial stays one of its own: its data, chance, targets, loss, state, checkpoints and result. Only
the nets' sums are taken together, and so in another order: a result agrees with that of separate
training as floats do, not bit for bit.
"""

from collections.abc import Hashable, Iterator, Sequence

import torch
from torch import Tensor

from trainables.data.data import Batch, Split
from trainables.methods.method import descend
from trainables.model import Model
from trainables.nets.fused import Fused, parts
from trainables.nets.net import Net
from trainables.task import Out
from trainables.training.run import Evaluated, Run
from trainables.trial import Trial


class Broken(Exception):
    """The code of one run's parts has failed; the others are at one step, and may go on."""

    def __init__(self, run: Run, error: Exception) -> None:
        super().__init__(str(error))
        self.run, self.error = run, error


def unfused(trial: Trial) -> str:
    """What of the trial cannot be trained with others, in words; empty where all of it can."""
    for use in (trial.method, trial.net):
        if not use.part.fuses(**dict(use.items)) or not _says(use.part):
            return f"{use!r} cannot be fused"
    return ""


def _says(part: type) -> bool:
    """Whether it says itself that it fuses, and not a class before it of a net that was another."""
    return not issubclass(part, Net) or all(
        issubclass(_owner(part, "fuses"), _owner(part, name)) for name in ("__init__", "forward")
    )


def _owner(part: type, name: str) -> type:
    """The class that defines what the part has by that name."""
    return next(one for one in part.__mro__ if name in vars(one))


def alike(trial: Trial) -> Hashable:
    """Equal for trials that may step together: they differ in heads, targets, losses and seeds.

    And in which labels are made wrong.
    """
    return trial.net, trial.recipe.but(assumed=()), trial.data.but(corrupt=())


def shape(run: Run) -> Hashable:
    """Equal where batches and nets are of one shape, which `alike` cannot quite tell."""
    data = run.data
    return len(data.train), data.mean.shape[1], data.side


class Together:
    """Runs that step together: alike, of one shape, and all at the same step."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self._models: list[Model] = [run.method.model for run in runs]
        self._net = Fused([model.net for model in self._models])
        self._optimizer = torch.optim.SGD(
            self._net.parameters(), **runs[0].method.optimizer.defaults
        )
        self._share_momentum()
        # On a CPU grouped convolutions gain by small batches alone, and lose by large ones.
        self.evaluates = runs[0].site.device.type == "cuda"
        for run in runs:
            run.together(len(runs))

    @property
    def epochs(self) -> int:
        """Of the whole training."""
        return self.runs[0].trial.recipe.epochs

    def _share_momentum(self) -> None:
        """Each run's own state has views of what is stepped by here."""
        if not self._optimizer.defaults["momentum"]:
            return
        each = [dict(model.net.named_parameters()) for model in self._models]
        for name, whole in self._net.net.named_parameters():
            momentum = torch.zeros_like(whole)
            self._optimizer.state[whole]["momentum_buffer"] = momentum
            for run, own, part in zip(
                self.runs, each, parts(momentum, len(self.runs)), strict=True
            ):
                state = run.method.optimizer.state[own[name]]
                if state.get("momentum_buffer") is not None:
                    part.copy_(state["momentum_buffer"])
                state["momentum_buffer"] = part

    def take_steps(self) -> None:
        """Those that are left of the running epoch. Raises Broken."""
        for batches in zip(*(_of(run, run.batches()) for run in self.runs), strict=True):
            self._net.train()
            self._step(batches)

    def _step(self, batches: Sequence[Batch]) -> None:
        with self._models[0].autocast():
            emitted = self._net([batch.x for batch in batches])
        said: list[tuple[Run, Batch, Out, Tensor]] = []
        broken = None
        for run, model, batch, own in zip(self.runs, self._models, batches, emitted, strict=True):
            run.reseed()
            run.method.optimizer.zero_grad()
            try:
                out = model.said(*own)
                said.append((run, batch, out, model.objective(batch, out).mean()))
            except Exception as error:  # batch norm has seen the batch: the others end their step
                broken = Broken(run, error)
        if said:
            descend(self._optimizer, torch.stack([loss for *_, loss in said]).sum(), said[0][0].lr)
        for run, batch, out, loss in said:
            run.method.follow(run.lr)
            run.note(batch, run.method.observed(batch, out, loss))
        if broken:
            raise broken from broken.error

    @torch.no_grad()
    def evaluated(self) -> list[dict[str, Evaluated]]:
        """Of each run what is found of each split that it looks at.

        Of splits of one length together, where that pays.
        """
        self._net.eval()
        looked_at = [run.looked_at() for run in self.runs]
        found: list[dict[str, Evaluated]] = [{} for _ in self.runs]
        for name in {name: None for splits in looked_at for name in splits}:
            sharing = [i for i, splits in enumerate(looked_at) if name in splits]
            lengths = {len(looked_at[i][name]) for i in sharing}
            if self.evaluates and len(sharing) == len(self.runs) and len(lengths) == 1:
                own = self._looked([splits[name] for splits in looked_at])
            else:
                own = [self.runs[i].evaluated(looked_at[i][name]) for i in sharing]
            for i, evaluated in zip(sharing, own, strict=True):
                found[i][name] = evaluated
        return found

    def _looked(self, splits: Sequence[Split]) -> list[Evaluated]:
        """Of each run's split, all of one length."""
        judged: list[list[Evaluated]] = [[] for _ in self.runs]
        every = (run.batches_of(split) for run, split in zip(self.runs, splits, strict=True))
        for batches in zip(*every, strict=True):
            with self._models[0].autocast():
                emitted = self._net([batch.x for batch in batches])
            for run, batch, own, to in zip(self.runs, batches, emitted, judged, strict=True):
                to.append(run.method.judged(batch, run.method.model.said(*own)))
        return [_joined(each) for each in judged]


def _joined(found: Sequence[Evaluated]) -> Evaluated:
    """Of all batches, in their order."""
    scores = torch.cat([scores for scores, _ in found])
    return scores, {rule: torch.cat([hits[rule] for _, hits in found]) for rule in found[0][1]}


def _of(run: Run, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The run's batches. Raises Broken where one cannot be made."""
    try:
        yield from batches
    except OSError:
        raise
    except Exception as error:
        raise Broken(run, error) from error
