"""Targets with every kind of parameter, for searches."""

from typing import Annotated, Any, Literal

from torch import Tensor

from trainables.settings import Interval, Suggest
from trainables.targets.targets import Targets


class Periodic(Targets):
    """Every kind of parameter, some only under a condition."""

    def __init__(
        self,
        task: Any,
        *,
        mode: Literal["off", "steps", "mix"] = "off",
        period: Annotated[int, Interval("[1, inf)")] = 7,
        share: Annotated[float, Interval("[0, 1]")] = 0.25,
    ) -> None:
        super().__init__(task)

    def forward(self, batch: Any, out: Any) -> Tensor:
        raise NotImplementedError

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        settings: dict[str, object] = {
            "mode": trial.suggest_categorical("mode", ("off", "steps", "mix"))
        }
        if settings["mode"] == "steps":
            settings["period"] = trial.suggest_int("period", 1, 64, log=True)
        if settings["mode"] == "mix":
            settings["share"] = trial.suggest_float("share", 0, 1, step=0.25)
        return settings
