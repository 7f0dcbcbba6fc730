"""Dry run: the cells of a study, what it lacks, and what it costs; nothing is trained."""

import os
from collections import Counter
from collections.abc import Callable, Iterable

import torch

from analysis.plan import Cell
from analysis.status import clock
from study.grids.lay_out import cell_of, changed
from study.preflight import estimate, prepare
from study.preflight.execution import check_execution, separate
from study.preflight.outset import checked
from study.preflight.supported import supported
from study.progress import progress
from study.request import Options, Request
from study.running.formats import formats_there
from study.search.sharing import SharedSearch
from study.search.space import FIRST_SEED, searched
from study.selected import check_selected, laid_out, seeds_of, selected_ids
from trainables.settings import Missing, Use
from trainables.storage.storage import Storage
from trainables.training.captured import uncaptured, uncaptured_together
from trainables.training.site import Site
from trainables.trial import Trial


def dry_run(request: Request) -> int:
    """Prints what the study has and lacks. Returns the command's exit code."""
    request = supported(request)
    wanted = checked(request)
    folder, formats = request.data_dir, formats_there(request.address)
    missing: dict[str, None] = {}
    seen: dict[tuple[Use, Use], str | None] = {}
    known: prepare.Known = {}

    def ready(trial: Trial) -> tuple[Trial, str | None]:
        trial = prepare.counted(trial, folder)
        lacks = prepare.missing(trial, folder, seen)
        missing.update(dict.fromkeys(lacks))
        if lacks:
            return trial.with_formats(formats), None
        return prepare.ready(trial, folder, formats, known)

    def measured(measure: Use) -> Use | None:
        try:
            return prepare.measured(measure, folder)
        except Missing as error:
            missing[str(error)] = None
            return None

    plan, _ = laid_out(request, ready, measured)
    check_selected(plan, request.only)
    storage = request.storage
    now = progress(storage, selected_ids(plan, request.only))
    shown = progress(storage, plan.trials())
    trials = _selected(request, ready)
    lacking = [t for t, i in trials.items() if i is None or i in (*now.new, *now.started)]
    prepare.check_parts([trial for trial in lacking if trials[trial]], folder)
    finished = () if request.rerun == "all" else now.finished
    check_execution(lacking, trials, finished, storage, request.resources)
    width = max(len(cell.row) for cell in plan.cells)
    for cell in plan.cells:
        ids = (f"{i} ({shown.state(i)})" if i else "no id yet" for i in cell.trials.values())
        said = f"{cell.row:{width}}  {cell.column}: {', '.join(ids) or 'published only'}"
        print(said + (f"; {_state(cell, storage)}" if cell.measure else ""))
    for error in missing:
        print(f"missing: {error}")
    for remark in prepare.remarks(trials, folder, request.cache_here):
        print(remark)
    unknown_ids = sum(i is None for i in trials.values())
    print(
        f"{len(now.new)} trials are new, {len(now.started)} to be resumed, {len(now.finished)} "
        f"finished, {len(now.failed)} failed, {unknown_ids} without an id yet"
    )
    if request.resources.fuse > 1:
        alone = separate(lacking, trials)
        print(f"{len(lacking) - sum(alone.values())} trials would be fused")
        for why, count in alone.items():
            print(f"{count} trials separately: {why}")
    fused = request.resources.fuse > 1
    for line in anew(lacking, fused) if gpus_here() and request.resources.capture else ():
        print(line)
    if request.search:
        lacking += _searched_trials(request, request.search, wanted, formats)
    most = _print_cost(request, lacking)
    _print_memory(request, most, measured_peaks(storage, now.finished))
    return 0


def _selected(
    request: Request, ready: Callable[[Trial], tuple[Trial, str | None]]
) -> dict[Trial, str | None]:
    """The trials of the rows that are asked for; the plan's ids do not tell those without one."""
    trials: dict[Trial, str | None] = {}
    table = changed(request.grid, request.scale, request.changes, request.left_out)
    for row, column, trial, published in table:
        if not request.only or row in request.only:
            trials |= cell_of(row, column, trial, published, seeds_of(request), ready)[1]
    return trials


def _state(cell: Cell, storage: Storage) -> str:
    """The cell's measure, and how many of it are there."""
    trials = [storage.trial(i) for i in cell.trials.values() if i]
    computed = sum(files.measure(cell.measure) is not None for files in trials)
    return f"{cell.measure} of {computed}/{len(cell.trials)}"


def _searched_trials(
    request: Request, options: Options, wanted: list[SharedSearch], formats: dict[str, str]
) -> list[Trial]:
    """Says which searches there are. Returns trials like all of theirs, the winners' included."""
    trials = []
    for what in wanted:
        neutral = prepare.counted(what.space.neutral, request.data_dir).with_formats(formats)
        trials += [searched(neutral, FIRST_SEED)] * options.points * options.seeds
        trials += [neutral] * seeds_of(request)
        batch = what.space.batch(request.resources.fuse, options.seeds)
        print(what, f"; {batch} points are drawn and trained at once" * (batch > 1), sep="")
    print(
        f"{len(wanted)} searches of {options.points} points x {options.seeds} seeds, and "
        f"{seeds_of(request)} trials for each winner: at most {len(trials)} trials"
    )
    if options.pruner != "none":
        print(f"--pruner {options.pruner} may end trials early: their cost is the most it can be")
    return trials


def anew(trials: Iterable[Trial], fused: bool = False) -> list[str]:
    """In lines: of how many no step is repeated from a recording on a GPU, and why."""
    why_not = uncaptured_together if fused else uncaptured
    found = Counter(why for trial in trials if (why := why_not(trial)))
    return [f"{count} trials launch each step anew: {why}" for why, count in found.items()]


def measured_peaks(storage: Storage, ids: Iterable[str]) -> list[float]:
    """In MiB, of the finished trials among them that had a GPU; of fused ones, of each."""
    results = (storage.trial(i).result() for i in ids)
    sites = [result.site for result in results if result and result.site.get("gpus")]
    return [site["peak_memory_mib"] / max(1, site.get("fused", 0)) for site in sites]


def _print_memory(request: Request, estimated: float, measured: list[float]) -> None:
    """The fraction of a GPU is a promise that nothing holds a trial to."""
    sizes = [torch.cuda.get_device_properties(i).total_memory for i in range(gpus_here())]
    if sizes:
        fraction, together = request.resources.gpus or 1.0, request.resources.fuse
        if together > 1:
            print(f"memory is for {together} trials as one net:")
        peaks = [together * peak for peak in measured]
        of_one = min(sizes) / 2**20
        for line in estimate.against_share(fraction, of_one, together * estimated, peaks):
            print(line)
    elif request.resources.gpus:
        print("memory: cannot be compared with --gpus-per-trial, since this machine has no GPU")


def gpus_here() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _print_cost(request: Request, trials: list[Trial]) -> float:
    """Returns the MiB of the largest trial."""
    cpus = os.cpu_count() or 1
    threads = max(1, min(int(request.resources.cpus), cpus))  # more than there are would only wait
    site = Site.here(request.data_dir, threads, capture=request.resources.capture)
    kinds: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        parts = (trial.data, trial.net, trial.head, trial.method)
        kinds.setdefault((*parts, trial.recipe.but(lr=1.0)), []).append(trial)
    total = most = 0.0
    for alike in kinds.values():
        one = estimate.cost(alike[0], site)
        total += one.seconds * len(alike)
        most = max(most, one.mebibytes)
        what = f"{alike[0].net!r} on {alike[0].data.source!r}"
        print(f"{len(alike)} trials x {clock(one.seconds)}, {one.mebibytes:,.0f} MiB: {what}")
    workers = request.resources.together
    a_trial = workers * request.resources.cpus, gpus_here(), request.resources.gpus or workers
    fit = estimate.places(cpus, *a_trial)
    at_once = max(1, min(fit, request.resources.concurrent or len(trials), len(trials)))
    alone = ", by one worker a trial" * (workers > 1)
    print(
        f"at most {clock(total)} of training on this machine's {site.device.type}{alone}, "
        f"about {clock(total / at_once)} with {at_once} at a time"
    )
    return most
