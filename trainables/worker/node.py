"""Node: what a machine must have before it trains: the driver's software, and the trial's files."""

import functools
import hashlib
import platform
import shutil
import socket
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from trainables.data.cache import OFF, Cache
from trainables.settings import Invalid
from trainables.storage.storage import Storage
from trainables.trial import Trial
from trainables.worker.files import fetch_all

PACKAGES = ("analysis", "study", "trainables")
LEASE = "lease.json"  # in the storage while a study command runs
FREE_MIB = 256  # of disk, to start with


@dataclass(frozen=True)
class Software:
    """What trials are run by, as far as it must be the same everywhere."""

    sources: str  # hash of all Python files of our packages
    ray: str
    torch: str
    python: str

    def differences(self, driver: "Software") -> str:
        """In words; empty where there are none."""
        theirs = asdict(driver)
        found = [(name, own, theirs[name]) for name, own in asdict(self).items()]
        return ", ".join(f"{n} is {own}, the driver's {its}" for n, own, its in found if own != its)


@functools.cache
def software() -> Software:
    """This machine's."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(p for package in PACKAGES for p in (root / package).rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    torch_version = torch.__version__.partition("+")[0]  # the same for CPU and CUDA
    return Software(
        digest.hexdigest()[:12], version("ray"), torch_version, platform.python_version()
    )


@dataclass(frozen=True)
class Driver:
    """What a node is held against: the software of the driver, and a file that it has written."""

    software: Software
    written: str | None  # name in the storage

    @classmethod
    def of(cls, storage: Storage) -> "Driver":
        """This machine, whose lease is to be seen everywhere, if there is one."""
        return cls(software(), LEASE if storage.top.read(LEASE) is not None else None)


def require_fit(driver: Driver, storage: Storage, cache: Cache = OFF) -> None:
    """Raises Invalid where this machine cannot train as another would: by other software than the
    driver's, without what the driver writes to the storage, with a full disk, or without a cache
    that is asked for.
    """
    if different := software().differences(driver.software):
        raise Invalid(different)
    if driver.written and storage.top.read(driver.written) is None:
        valid = "a folder that all nodes share, or s3://bucket/prefix"
        lacks = f"does not see what the driver writes to --storage = {storage}"
        raise Invalid(f"{lacks}: must be {valid}")
    for folder in (storage.root, Path(tempfile.gettempdir())):
        if folder:
            check_space(folder)
    cache.check()


def prepare(
    trial: Trial, folder: Path, storage: Storage, driver: Driver, cache: Cache = OFF
) -> None:
    """Checks this node, which may have joined after the command looked at all, and its files.

    Both errors name the node. Raises Invalid for what no trial can be trained on; OSError where
    the storage or a download fails, which may pass.
    """
    named = f"node {socket.gethostname()}: "
    try:
        require_fit(driver, storage, cache)
        fetch_all(trial, folder)
    except Invalid as error:
        raise Invalid(f"{named}{error}") from None
    except OSError as error:
        raise OSError(f"{named}{error}") from None


def check_space(folder: Path) -> None:
    """Raises Invalid where the folder's disk has less than FREE_MIB MiB free."""
    if (free := shutil.disk_usage(folder).free >> 20) < FREE_MIB:
        raise Invalid(f"{folder}: must have {FREE_MIB} MiB free, has {free}")
