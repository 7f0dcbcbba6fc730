"""Method: how the weights are changed by a batch; the default is ordinary training."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainables.data.data import Batch

if TYPE_CHECKING:
    from trainables.model import Model, Task


class Method(nn.Module):
    """One optimizer step on the mean objective.

    A method owns its nets and optimizers, made in `__init__` and only chosen later: its
    `state_dict()` is the whole checkpoint.
    """

    nothing_to_search = "has no settings: what it trains by is the recipe"

    def __init__(self, model: "Model", task: "Task") -> None:
        super().__init__()
        self.model = model
        recipe = task.recipe
        self.optimizer = torch.optim.SGD(
            model.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
        )

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        """One training step. Returns batch means by name, on the device: "loss", "accuracy"."""
        out = self.model(batch.x)
        loss = self.model.objective(batch, out).mean()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        with torch.no_grad():
            self.model.targets.observe(batch, out.detach())
            hits = (out.scores.argmax(1) == batch.y).float().mean()
        return {"loss": loss.detach(), "accuracy": hits}

    def end_epoch(self) -> None:
        """Called after the last step of an epoch."""
        self.model.targets.end_epoch()

    def predict(self, x: Tensor) -> Tensor:
        """(n, classes) scores, in evaluation mode."""
        scores: Tensor = self.model(x).scores
        return scores

    def get_extra_state(self) -> dict[str, Any]:
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        for name, optimizer in self._optimizers():
            optimizer.load_state_dict(state[name])

    def _optimizers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        owned = vars(self).items()
        return [(name, value) for name, value in owned if isinstance(value, torch.optim.Optimizer)]
