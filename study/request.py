"""Request: what one command, or one cell of a notebook, asks of a study."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from analysis.home import HOME
from analysis.plan import Scale
from trainables.data.cache import Cache
from trainables.settings import Invalid, unknown
from trainables.storage.storage import Storage

# The environment variables that stand in for options, by the option.
VARIABLES = {
    "data_dir": "STUDY_DATA_DIR",
    "cache_dir": "STUDY_CACHE_DIR",
    "storage": "STUDY_STORAGE",
    "tracking_uri": "MLFLOW_TRACKING_URI",
    "search_storage": "STUDY_SEARCH_STORAGE",
    "address": "RAY_ADDRESS",
}


def from_environment(option: str) -> str | None:
    """What the variable of the option says; None where it is not set, or says nothing."""
    value = os.environ.get(VARIABLES[option])
    if option == "address" and value in ("", "local"):  # as Ray: a new cluster on this machine
        return None
    return value if option in ("data_dir", "cache_dir", "storage") else value or None


def default_cache() -> Cache:
    """Of decoded images: where the environment says, if it says so."""
    folder = from_environment("cache_dir")
    return Cache(Path(folder) if folder else None)


SCALES = ("demo", "paper")
SAMPLERS = ("tpe", "random", "gp")
PRUNERS = ("none", "median", "asha", "hyperband")
SPACES = ("both", "parts", "recipe")
RERUNS = ("all", "failed")


@dataclass(frozen=True)
class Options:
    """What every search of a study gets."""

    points: int
    seeds: int = 1
    sampler: str = "tpe"
    seed: int = 0  # of the sampler
    pruner: str = "none"
    space: Literal["both", "parts", "recipe"] = "both"

    def __post_init__(self) -> None:
        """Raises Invalid for a value that the command line would refuse."""
        _whole("--search", self.points)
        _whole("--search-seeds", self.seeds)
        _one_of("--sampler", self.sampler, SAMPLERS)
        _one_of("--pruner", self.pruner, PRUNERS)
        _one_of("--search-space", self.space, SPACES)


@dataclass(frozen=True)
class Resources:
    """What a trial gets, how many run at once (None: as many as fit), and the command's weight.

    And where each node keeps decoded images for its trials.
    """

    cpus: float = 1.0  # of each of its workers
    gpus: float | None = None  # of all its workers; None: one each, where the cluster has any
    concurrent: int | None = None
    stall_minutes: float = math.inf  # without a finished epoch: then a trial is ended
    priority: float = 1.0  # of this command's share of a cluster, beside the others'
    cache: Cache = field(default_factory=default_cache)
    workers: int | None = None  # None: one for each GPU, at least one
    sync_batch_norm: bool = False  # over all workers of a trial; else by worker
    fuse: int = 1  # so many trials that are alike, at most, are trained as one net
    mixed: bool = False  # whether a table may have fused and separate trials
    capture: bool = True  # whether GPUs repeat a trial's steps from a recording, where they can

    def __post_init__(self) -> None:
        """Raises Invalid for what Ray cannot grant."""
        for option, number in (
            ("--cpus-per-trial", self.cpus),
            ("--stall-limit", self.stall_minutes),
        ):
            if not number > 0:
                raise Invalid(f"{option} = {number!r}: must be a number above 0")
        if self.gpus is not None and not self.gpus >= 0:
            raise Invalid(f"--gpus-per-trial = {self.gpus!r}: must be a number from 0 on")
        if self.concurrent is not None:
            _whole("--max-concurrent", self.concurrent)
        for option, wanted in (("--cpus-per-trial", self.cpus), ("--gpus-per-trial", self.gpus)):
            if wanted and round(wanted, 4) != wanted:
                raise Invalid(f"{option} = {wanted:g}: must be a multiple of 0.0001")
        if self.gpus and self.gpus > 1 and self.gpus % 1:
            raise Invalid(f"--gpus-per-trial = {self.gpus:g}: must be whole where above 1")
        if self.workers is not None:
            _whole("--workers-per-trial", self.workers)
            one_each = max(1, math.ceil(self.gpus or 0))
            if self.gpus and self.workers != one_each:
                valid = f"{one_each}, one for each GPU of --gpus-per-trial = {self.gpus:g}"
                raise Invalid(f"--workers-per-trial = {self.workers}: must be {valid}")
        if self.sync_batch_norm and self.together == 1:
            raise Invalid("--sync-batch-norm: only together with --workers-per-trial from 2 on")
        _whole("--fuse", self.fuse)
        if self.fuse > 1 and self.together > 1:
            valid = f"1 where {self.together} workers train a trial"
            raise Invalid(f"--fuse = {self.fuse}: must be {valid}")
        if not 0 < self.priority < math.inf:
            raise Invalid(f"--priority = {self.priority:g}: must be a number above 0")

    @property
    def together(self) -> int:
        """How many workers train a trial."""
        return self.workers or max(1, math.ceil(self.gpus or 0))

    def of_a_worker(self) -> "Resources":
        """What one of them gets, for what takes no more than one."""
        gpus = self.gpus and self.gpus / self.together
        return replace(self, gpus=gpus, workers=None, sync_batch_norm=False)

    def __str__(self) -> str:
        one = self.of_a_worker()
        has = f"{one.cpus:g} CPUs" + (f", {one.gpus:g} GPUs" if one.gpus else "")
        return has if self.together == 1 else f"{self.together} workers of {has}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A study and how it is to be run. The defaults are the command line's.

    In Python, folders and the storage may be given as text, and `changes` as a dictionary. Raises
    Invalid for a value that the command line would refuse.
    """

    grid: str = ""  # a name, or the path of a file that defines `grid`
    scale: Scale = "demo"
    seeds: int | None = None  # 0 to seeds - 1; None: as many as the grid has
    only: tuple[str, ...] = ()  # these rows; none: all
    changes: tuple[str, ...] = ()  # "targets.temperature=5": of every row that has the field
    rerun: Literal["all", "failed"] | None = None
    search: Options | None = None
    dry_run: bool = False  # tell only, and write nothing
    data_dir: Path = field(
        default_factory=lambda: Path(from_environment("data_dir") or HOME / "data").absolute()
    )
    storage: Storage = field(default_factory=lambda: Storage(from_environment("storage") or HOME))
    tracking_uri: str | None = field(default_factory=lambda: from_environment("tracking_uri"))
    search_storage: str | None = field(default_factory=lambda: from_environment("search_storage"))
    address: str | None = field(default_factory=lambda: from_environment("address"))
    resources: Resources = field(default_factory=Resources)
    price_per_hour: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)  # see `supported`

    @property
    def cache_here(self) -> Cache | None:
        """The cache of decoded images, if trials run on this machine."""
        return None if self.address else self.resources.cache

    def __post_init__(self) -> None:
        self._convert()
        _one_of("--scale", self.scale, SCALES)
        if self.seeds is not None:
            _whole("--seeds", self.seeds)
        if self.rerun is not None:
            _one_of("--rerun", self.rerun, RERUNS)
        if self.price_per_hour is not None and not self.price_per_hour > 0:
            raise Invalid(f"--price-per-hour = {self.price_per_hour!r}: must be a number above 0")
        if self.search and self.search.pruner != "none" and self.resources.fuse > 1:
            valid = "1 together with --pruner, which ends trials one by one"
            raise Invalid(f"--fuse = {self.resources.fuse}: must be {valid}")
        for change in self.changes:
            name = change.partition("=")[0]
            same = [c for c in self.changes if c.partition("=")[0] == name]
            if len(same) > 1:
                values = ", ".join(map(repr, same))
                raise Invalid(f"--set {values}: a field must be given once")
            if name == "data.test":
                valid = "another field: tables show the test images"
                raise Invalid(f"--set {change!r}: must be {valid}")

    def _convert(self) -> None:
        """What Python takes besides a field's own type becomes that type."""
        given: dict[str, Any] = dict(vars(self))
        if isinstance(changes := given["changes"], Mapping):
            given["changes"] = tuple(f"{name}={value}" for name, value in changes.items())
        if isinstance(rows := given["only"], str):
            given["only"] = (rows,)
        if not isinstance(place := given["storage"], Storage):
            given["storage"] = Storage(place if "://" in str(place) else _folder(place))
        given["data_dir"] = _folder(given["data_dir"]).absolute()
        given["grid"] = str(given["grid"])
        for name in ("changes", "only"):
            given[name] = tuple(given[name])
        for name, value in given.items():
            object.__setattr__(self, name, value)


def _folder(path: str | Path) -> Path:
    return Path(path).expanduser()


def _whole(option: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Invalid(f"{option} = {value!r}: must be a whole number from 1 on")


def _one_of(option: str, value: object, valid: Sequence[str]) -> None:
    if value not in valid:
        raise unknown(option, str(value), valid)
