"""Recorded: what MLflow has of one trial, as far as this command knows."""

from dataclasses import dataclass, field
from typing import Any, Self

from mlflow.entities import Run


@dataclass
class Recorded:
    """Of the trial's run; changed with what is written to it."""

    run: str  # its id
    state: str  # MLflow's: RUNNING, FINISHED, FAILED or KILLED
    status: str  # ours, a tag
    settings: int  # how many it has
    ended: str | None  # when the written result came about
    epochs: int = 0  # written by this command
    site: dict[str, Any] = field(default_factory=dict)  # where it has the trial running

    @classmethod
    def of(cls, run: Run) -> Self:
        tags = run.data.tags
        return cls(
            run=run.info.run_id,
            state=run.info.status,
            status=tags.get("status", ""),
            settings=len(run.data.params),
            ended=tags.get("ended"),
        )
