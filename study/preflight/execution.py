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
    lacking: Sequence[Trial],
    table: Iterable[Trial],
    finished: Iterable[str],
    storage: Storage,
    resources: Resources,
) -> None:
    """Raises Invalid where trials cannot be split or fused, or their table would be mixed.

    `table`: all of its trials. `finished`: the ids of those that are recorded.
    """
    check_splitting(lacking, resources)
    if not lacking or resources.mixed:
        return
    fuse, option = resources.fuse, f"--fuse = {resources.fuse}"
    if fuse > 1 and (why := next(iter(separate(lacking, table)), None)):
        raise Invalid(f"{option}: must be 1: {why}; or {MIXED}")
    counts = {i: fused_of(storage, i) for i in finished}
    if other := next((i for i, count in counts.items() if (fuse > 1) != (count > 0)), None):
        recorded = f"trial {other}, which is recorded, was trained"
        if fuse > 1:
            raise Invalid(f"{option}: must be 1: {recorded} separately; or {MIXED}")
        raise Invalid(f"{option}: must be above 1: {recorded} fused ({counts[other]}); or {MIXED}")


def check_splitting(trials: Iterable[Trial], resources: Resources) -> None:
    """Raises Invalid for the first trial, or its teacher, that so many workers cannot train."""
    workers = resources.together
    option = "--workers-per-trial" if resources.workers else "--gpus-per-trial"
    for trial in trials:
        for one in (trial, *trial.teachers()):
            if valid := unsplit(one, workers):
                raise Invalid(f"{option} = {workers}: must be {valid}")


def separate(lacking: Iterable[Trial], table: Iterable[Trial]) -> dict[str, int]:
    """Why trials are not fused with others of their table, and how many for each reason."""
    kinds = Counter(alike(trial) for trial in table if not unfused(trial))
    found = Counter[str]()
    for trial in lacking:
        if why := unfused(trial):
            found[why] += 1
        elif kinds[alike(trial)] == 1:
            found[f"{trial.net!r} on {trial.data.source!r} is in one trial alone"] += 1
    return dict(found)


def fused_of(storage: Storage, trial_id: str) -> int:
    """With how many it was trained as one net, itself among them; 0: separately."""
    result = storage.trial(trial_id).result()
    return int(result.site.get("fused", 0)) if result else 0
