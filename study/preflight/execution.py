"""Execution: whether a study's trials can be trained as it is asked for: split, or fused."""

from collections import Counter
from collections.abc import Iterable, Sequence

from study.request import Resources
from trainables.settings import Invalid
from trainables.storage.storage import Storage
from trainables.training.fused import alike, unfused
from trainables.training.workers import unsplit
from trainables.trial import Trial

MIXED = "with --mixed, for a table of fused and separate trials"


def check_execution(
    lacking: Sequence[Trial], finished: Iterable[str], storage: Storage, resources: Resources
) -> None:
    """Raises Invalid where trials cannot be split or fused, or their table would be mixed.

    `finished`: the ids of those that are recorded.
    """
    check_splitting(lacking, resources)
    if not lacking or resources.mixed:
        return
    check_fusing(lacking, resources.fuse)
    counts = {i: fused_of(storage, i) for i in finished}
    option = f"--fuse = {resources.fuse}"
    if resources.fuse > 1 and (others := [i for i, fused in counts.items() if fused == 1]):
        valid = f"1, as of trial {others[0]} and {len(others) - 1} others that are recorded"
        raise Invalid(f"{option}: must be {valid}; or {MIXED}")
    if resources.fuse == 1 and (others := [i for i, fused in counts.items() if fused > 1]):
        valid = f"{counts[others[0]]}, as of trial {others[0]} and {len(others) - 1} others"
        raise Invalid(f"{option}: must be {valid} that are recorded; or {MIXED}")


def check_splitting(trials: Iterable[Trial], resources: Resources) -> None:
    """Raises Invalid for the first trial, or its teacher, that so many workers cannot train."""
    workers = resources.together
    option = "--workers-per-trial" if resources.workers else "--gpus-per-trial"
    for trial in trials:
        for one in (trial, *trial.teachers()):
            if valid := unsplit(one, workers):
                raise Invalid(f"{option} = {workers}: must be {valid}")


def check_fusing(trials: Iterable[Trial], fuse: int) -> None:
    """Raises Invalid for the first trial that would be trained separately."""
    if fuse > 1 and (why := next(iter(separate(trials)), None)):
        raise Invalid(f"--fuse = {fuse}: must be 1: {why}; or {MIXED}")


def separate(trials: Iterable[Trial]) -> dict[str, int]:
    """Why trials would not be trained fused with others, and how many of each reason."""
    trials = list(trials)
    kinds = Counter(alike(trial) for trial in trials if not unfused(trial))
    found = Counter[str]()
    for trial in trials:
        if why := unfused(trial):
            found[why] += 1
        elif kinds[alike(trial)] == 1:
            found[f"{trial.net!r} on {trial.data.source!r} is in one trial alone"] += 1
    return dict(found)


def fused_of(storage: Storage, trial_id: str) -> int:
    """With how many the trial was trained, itself among them."""
    result = storage.trial(trial_id).result()
    return int(result.site.get("fused", 1)) if result else 1
