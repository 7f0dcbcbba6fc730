"""Site: where trials are trained."""

import platform
import resource
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainables.data.cache import OFF, Cache
from trainables.training.workers import ALONE, Workers


def formats_of(device: str) -> dict[str, str]:
    """`precision` and `memory_format` that are fastest on "cpu" or "cuda".

    bfloat16 where there are matrix units, channels_last everywhere: measured in docs/LOG.md.
    """
    precision = "bfloat16" if _matrix_units(device) else "float32"
    return {"precision": precision, "memory_format": "channels_last"}


def _matrix_units(device: str) -> bool:
    """Units for bfloat16 products: on a CPU AMX, or AVX-512's dot products (twice float32)."""
    if device == "cuda":
        # A GPU of the cluster that is not here has them: every one since 2020 (compute 8.0) does.
        return not torch.cuda.is_available() or torch.cuda.get_device_capability() >= (8, 0)
    units = torch.cpu.get_capabilities()
    return bool(units.get("amx_bf16") or units.get("avx512_bf16"))


@dataclass(frozen=True)
class Site:
    """Where trials are trained: what may differ between machines and is no setting of a trial."""

    folder: Path  # the data and other files that settings name
    device: torch.device
    threads: int = 1  # of the CPU
    cpus: float = 1.0  # what a scheduler has given to the trial's worker, and
    gpus: float = 0.0  # of GPUs
    cache: Cache = OFF  # of decoded images
    workers: Workers = ALONE  # this one, among those that train the trial
    capture: bool = True  # whether a GPU repeats steps from a recording, where it can

    @property
    def captures(self) -> bool:
        """Whether one worker trains, on a GPU, and is to repeat steps from a recording."""
        return self.capture and self.device.type == "cuda" and self.workers.size == 1

    @classmethod
    def here(
        cls,
        folder: Path,
        threads: int = 1,
        cpus: float = 1.0,
        gpus: float = 0.0,
        cache: Cache = OFF,
        capture: bool = True,
    ) -> "Site":
        """The GPU if there is one, else the CPU."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(folder, device, threads, cpus, gpus, cache, capture=capture)


def describe(site: Site) -> dict[str, Any]:
    """Host, processor, what the trial may use of them, workers, versions, and peak memory.

    That is the GPU memory of this trial; without a GPU, the memory of this process, whatever else
    it has trained. Host, processor and memory are those of its first worker.
    """
    cuda = site.device.type == "cuda"
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    peak = torch.cuda.max_memory_allocated() if cuda else resident
    workers = site.workers.size
    batch_norm = "synchronised" if site.workers.synchronised else "by worker"
    return {
        "host": socket.gethostname(),
        "device": torch.cuda.get_device_name() if cuda else processor(),
        "threads": site.threads,
        "cpus": workers * site.cpus,
        "gpus": workers * site.gpus,
        "workers": workers,
        **({"batch_norm": batch_norm} if workers > 1 else {}),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "peak_memory_mib": peak >> 20,
    }


def processor() -> str:
    """The CPU's model."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
