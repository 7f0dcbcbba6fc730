"""Fused training: trials whose nets are alike step together, with one net for all of them.

A trial stays one of its own: its data, chance, targets, loss, state, checkpoints and result. Only
the nets' sums are taken together, and so in another order: a result agrees with that of separate
training as floats do, not bit for bit.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from trainables.data.data import Batch, Split
from trainables.methods.method import follow
from trainables.model import Model
from trainables.nets.fused import Fused, parts
from trainables.nets.net import Net
from trainables.optimizers import SGD
from trainables.seeding import chance, set_chance
from trainables.training.captured import Batches, Gradients, Repeating, uncaptured_together
from trainables.training.evaluation import Evaluated
from trainables.training.recorder import Every, recorder_of
from trainables.training.run import Run
from trainables.trial import Trial


class Broken(Exception):
    """The code of some runs' parts has failed. The others are all at one step, and may go on."""

    def __init__(self, each: Sequence[tuple[Run, Exception]]) -> None:
        super().__init__()
        self.each = each


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
    """Equal where batches and nets are of one shape, which `alike` cannot quite tell.

    And where steps may be repeated together, on a GPU that repeats steps.
    """
    data = run.data
    apart = run.site.captures and bool(uncaptured_together(run.trial))
    return len(data.train), data.mean.shape[1], data.side, apart


class Together(Repeating):
    """Runs that step together: alike, of one shape, and all at the same step."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self._models: list[Model] = [run.method.model for run in runs]
        self._net = Fused([model.net for model in self._models])
        self._optimizer = SGD(self._net.parameters(), **runs[0].method.optimizer.defaults)
        self._share_momentum()
        self._chance: dict[Run, Tensor] = {}  # where a run's own is, after its passes
        self._broken = list[tuple[Run, Exception]]()  # by whom and how, in the running step
        site = runs[0].site
        # On a CPU grouped convolutions gain by small batches alone, and lose by large ones.
        self.evaluates = site.device.type == "cuda"
        why_not = next(filter(None, (uncaptured_together(run.trial) for run in runs)), "")
        self._own = [nn.ModuleList([one.head, one.targets, one.loss]) for one in self._models]
        super().__init__(
            nn.ModuleList([self._net, *self._own]),
            runs[0].trial.recipe.batch_size,
            site.device,
            recorder_of(site, why_not),
            draws=False,
        )
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
        try:
            for batches in zip(*(_of(run, run.batches()) for run in self.runs), strict=True):
                self._net.train()
                self._step(batches)
        finally:
            self.rest()

    def _step(self, batches: Batches) -> None:
        broken = self._broken = list[tuple[Run, Exception]]()
        every = self.passes(batches)
        if any(every):
            follow(self._optimizer, self.runs[0].lr)
        for run, batch, said in zip(self.runs, batches, every, strict=True):
            if said:
                loss, out = said
                self._resume_chance(run)
                with _noted(run, broken):
                    run.method.follow(run.lr)
                    run.repeated |= self.repeats
                    run.note(batch, run.method.observed(batch, out, loss))
        if broken:
            self._broken = []  # an error holds what it came of
            raise Broken(broken)

    def ordinary(self, batches: Batches) -> Every:
        """A run whose code fails has nothing to say: the others, too, have seen their batch."""
        return self._passes(batches, self._guarded)

    def recordable(self, batches: Batches) -> Every:
        return self._passes(batches, lambda run: nullcontext())

    def gradients(self) -> Gradients:
        found: Gradients = [[weight.grad for weight in own.parameters()] for own in self._own]
        for weight in self._net.parameters():
            none = (None,) * len(found)
            each = none if weight.grad is None else parts(weight.grad, len(found))
            for own, part in zip(found, each, strict=True):
                own.append(part)
        return found

    def _passes(
        self, batches: Batches, aside: Callable[[Run], AbstractContextManager[None]]
    ) -> Every:
        with self._models[0].autocast():
            emitted = self._net([batch.x for batch in batches])
        self._optimizer.zero_grad()
        every: Every = []
        for run, model, batch, own in zip(self.runs, self._models, batches, emitted, strict=True):
            run.method.optimizer.zero_grad()
            said = None
            with aside(run):
                out = model.said(*own)
                said = model.objective(batch, out).mean(), out
            every.append(said)
        if losses := [said[0] for said in every if said]:
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        return [said and (said[0].detach(), said[1].detach()) for said in every]

    @contextmanager
    def _guarded(self, run: Run) -> Iterator[None]:
        """With the run's own chance; what its code raises is noted."""
        run.reseed()
        with _noted(run, self._broken):
            yield
            self._chance[run] = chance(run.site.device)

    def _resume_chance(self, run: Run) -> None:
        """After passes that were repeated nothing of it is used."""
        if (state := self._chance.pop(run, None)) is not None:
            set_chance(state, run.site.device)
        else:
            run.reseed()

    @torch.no_grad()
    def evaluated(self) -> list[dict[str, Evaluated]]:
        """Of each run, by name, what is found together: of splits of one length, where that pays.

        The rest is left to the run itself, also where its parts fail: it ends by that error then.
        """
        looked_at = [run.evaluation.splits for run in self.runs]
        found: list[dict[str, Evaluated]] = [{} for _ in self.runs]
        for name in looked_at[0] if self.evaluates else ():
            splits = [own[name] for own in looked_at if name in own]
            if len(splits) == len(self.runs) and len({len(split) for split in splits}) == 1:
                for i, own in self._looked(splits).items():
                    found[i][name] = own
        return found

    def _looked(self, splits: Sequence[Split]) -> dict[int, Evaluated]:
        """Of each run's split, all of one length; by the place of each run whose parts can tell."""
        self._net.eval()
        judged: list[list[Evaluated]] = [[] for _ in self.runs]
        broken: list[tuple[Run, Exception]] = []
        every = (
            run.evaluation.batches(split) for run, split in zip(self.runs, splits, strict=True)
        )
        for batches in zip(*every, strict=True):
            with self._models[0].autocast():
                emitted = self._net([batch.x for batch in batches])
            for run, batch, own, to in zip(self.runs, batches, emitted, judged, strict=True):
                run.method.eval()
                with _noted(run, broken):
                    to.append(run.method.judged(batch, run.method.model.said(*own)))
        failed = [run for run, _ in broken]
        return {i: _joined(judged[i]) for i, run in enumerate(self.runs) if run not in failed}


def _joined(found: Sequence[Evaluated]) -> Evaluated:
    """Of all batches, in their order."""
    scores = torch.cat([scores for scores, _ in found])
    return scores, {rule: torch.cat([hits[rule] for _, hits in found]) for rule in found[0][1]}


def _of(run: Run, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The run's batches. Raises Broken where one cannot be made."""
    broken: list[tuple[Run, Exception]] = []
    with _noted(run, broken):
        yield from batches
    if broken:
        raise Broken(broken)


@contextmanager
def _noted(run: Run, broken: list[tuple[Run, Exception]]) -> Iterator[None]:
    """Adds what the code of one run's parts raises; but an OSError is the storage's."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        broken.append((run, error))
