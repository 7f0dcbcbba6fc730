"""What a GPU shows in at most eight minutes: its tests, throughput, epochs at paper scale.

It needs torch, torchvision and pytest, and neither Ray nor MLflow nor Optuna:

    python bench/gpu.py --data-dir ~/data

Whoever has a GPU first runs it, and keeps the printed summary in docs/LOG.md.
"""

import argparse
import itertools
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from study.grids.ols.noise import grid  # noqa: E402  # the path is needed first
from trainables.settings import Invalid  # noqa: E402
from trainables.storage.folder import Folder  # noqa: E402
from trainables.storage.trial_files import TrialFiles  # noqa: E402
from trainables.training.run import Run  # noqa: E402
from trainables.training.site import Site, formats_of  # noqa: E402

LIMIT_SECONDS = 480
# At most, for each step.
SECONDS = {"tests": 175, "throughput": 135, "fused": 80, "shared": 90, "epochs": 90}
ROWS, RATE = ("Hard label", "OLS"), "40%"
EPOCHS = 4  # of which the first warms up


def main(arguments: list[str] | None = None) -> int:
    """Runs every step. Returns 2 without a GPU, 1 where tests or a goal failed, else 0."""
    parser = argparse.ArgumentParser(description="Checks and figures of one GPU.")
    data = os.environ.get("STUDY_DATA_DIR", str(Path.home() / ".label-studies" / "data"))
    parser.add_argument("--data-dir", type=Path, default=Path(data), help=f"CIFAR-100's ({data})")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: rehearsal")
    args = parser.parse_args(arguments)
    if args.device == "cuda" and not torch.cuda.is_available():
        print("error: --device = cuda: must be a machine with an NVIDIA GPU", file=sys.stderr)
        return 2
    begun = time.monotonic()
    lines, failed = [heading(args.device)], []
    steps = {
        "tests": tests,
        "throughput": throughput,
        "fused": fused,
        "epochs": epochs,
        "shared": shared,
    }
    for name, step in steps.items():
        left = min(SECONDS[name], LIMIT_SECONDS - (time.monotonic() - begun))
        if left < 1:
            lines.append(f"{name}: not run, no time was left")
            continue
        print(f"== {name}, at most {left:.0f} s", flush=True)
        said, passed = step(args, left)
        lines += [f"{name}: {line}" for line in said]
        failed += [] if passed else [name]
    lines.append(f"in all {time.monotonic() - begun:.0f} s; failed: {', '.join(failed) or 'none'}")
    summary = "\n".join(lines)
    print(f"\n== summary\n{summary}")
    if out := os.environ.get("OUT"):
        (Path(out) / "gpu.txt").write_text(f"{summary}\n")
    return 1 if failed else 0


def heading(device: str) -> str:
    """The machine, as docs/LOG.md names it."""
    name = torch.cuda.get_device_name() if device == "cuda" else "REHEARSAL on a CPU"
    versions = f"torch {torch.__version__}, CUDA {torch.version.cuda}"
    return f"{name}, {versions}, Python {platform.python_version()}"


def tests(args: argparse.Namespace, seconds: float) -> tuple[list[str], bool]:
    """The tests marked `gpu`."""
    chosen = ["-m", "gpu", "tests/trainables/test_gpu.py", "-q", "-p", "no:cacheprovider"]
    return said_by([sys.executable, "-m", "pytest", *chosen], args.device, seconds, keep=1)


def throughput(args: argparse.Namespace, seconds: float) -> tuple[list[str], bool]:
    """ResNet-18 and ResNet-32 at batch 128, beside a plain loop and the net's limit."""
    few = ["--repeats", "1", "--batch-size", "16"] if args.device == "cpu" else ["--repeats", "5"]
    return said_by([sys.executable, "bench/throughput.py", *few], args.device, seconds, keep=16)


def fused(args: argparse.Namespace, seconds: float) -> tuple[list[str], bool]:
    """4 and 16 trials as one net, beside one after the other."""
    few = ["--repeats", "1" if args.device == "cpu" else "3"]
    return said_by([sys.executable, "bench/fused.py", *few], args.device, seconds, keep=13)


def shared(args: argparse.Namespace, seconds: float) -> tuple[list[str], bool]:
    """4 and 16 trials at once, a process each, with and without MPS, beside one after the other."""
    few = ["--repeats", "1", "--batch-size", "16"] if args.device == "cpu" else ["--repeats", "3"]
    return said_by([sys.executable, "bench/shared_gpu.py", *few], args.device, seconds, keep=5)


def said_by(command: list[str], device: str, seconds: float, keep: int) -> tuple[list[str], bool]:
    """The last lines that a command printed, and whether it ended well and in time."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    known = os.environ | {"PYTHONPATH": path, "STUDY_TEST_DEVICE": device}
    with tempfile.TemporaryFile("w+") as log:
        try:
            code = subprocess.run(
                command, cwd=ROOT, env=known, stdout=log, stderr=subprocess.STDOUT, timeout=seconds
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
        log.seek(0)
        lines = [line for line in log.read().splitlines() if line.strip()]
    print("\n".join(lines[-60:]), flush=True)
    late = [f"ended after {seconds:.0f} s"] if code == -1 else []
    return [*lines[-keep:], *late], code == 0


def epochs(args: argparse.Namespace, seconds: float) -> tuple[list[str], bool]:
    """Paper-scale epochs of Table VII of OLS, ResNet-56, 40 % wrong labels."""
    lines = []
    for name in ROWS:
        try:
            lines.append(f"{name}, {timed(name, args, seconds / len(ROWS))}")
        except Invalid as error:
            return [f"not run: {error}"], True
    return lines, True


def timed(row: str, args: argparse.Namespace, seconds: float) -> str:
    """The time of an epoch, and of the whole training at that pace."""
    entry = dict(grid.rows)[row]
    trial = entry[RATE][0]  # type: ignore[index,call-overload]
    assert trial is not None
    site = Site(args.data_dir.absolute(), torch.device(args.device))
    trial.data.source.build().verify(site.folder)
    ready = trial.with_formats(formats_of(args.device))
    ends: list[float] = []
    begun = time.monotonic()

    class Enough(KeyboardInterrupt):
        pass

    def report(epoch: dict[str, float]) -> None:
        ends.append(epoch["seconds"])
        if len(ends) == EPOCHS or time.monotonic() - begun > seconds:
            raise Enough

    with tempfile.TemporaryDirectory() as folder:
        run = Run(ready, TrialFiles(Folder(Path(folder))), site)
        with suppress(Enough):
            run.train(report)
    taken = [later - earlier for earlier, later in itertools.pairwise(ends)] or ends
    pace, whole = median(taken), ready.recipe.epochs
    return (
        f"{pace:.2f} s an epoch ({min(taken):.2f} .. {max(taken):.2f}, {len(taken)} epochs), "
        f"{whole} epochs would take {pace * whole / 60:.0f} min"
    )


if __name__ == "__main__":
    sys.exit(main())
