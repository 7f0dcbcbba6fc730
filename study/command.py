"""Command: what a command line asks for is done; what ends it becomes a line and an exit code."""

import atexit
import gc
import shlex
import sys

from study import terminal
from study.arguments import Mode, explained, parsed
from study.interpreter import called
from study.request import Request
from study.stopping import leave, stoppable
from trainables.settings import Invalid, masked

# Each mode is imported where it is asked for: `--help`, or an error in the arguments, is so there
# at once.

# Imports make 300,000 objects that stay: to look through them again and again takes a second.
OBJECTS_A_COLLECTION = 100_000


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code: 1 where a trial failed, 2 for bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    gc.set_threshold(OBJECTS_A_COLLECTION)
    terminal.settle()
    with stoppable() as stop:
        try:
            code = _dispatch(*parsed(arguments), again(arguments))
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            terminal.silence()
            return terminal.CLOSED
        except Invalid as error:
            print(f"error: {explained(str(error), arguments)}", file=sys.stderr)
            return 2
        except OSError as error:
            print(f"error: {error}; to go on: {again(arguments)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\n{stop}; to go on: {again(arguments)}", flush=True)
            if "ray" in sys.modules:
                sys.modules["ray"].shutdown()
            return stop.exit_code


def _dispatch(mode: Mode, request: Request, command: str) -> int:
    from study import reporting

    if mode == "list":
        return reporting.list_grids()
    if mode == "clean":
        return reporting.clean(request)
    if mode == "status" and not request.grid:
        print(reporting.studies(request))
        return 0
    reporting.headline(request)
    if mode == "status":
        print(reporting.status(request))
        return 0
    if mode == "report":
        reporting.report(request)
        return 0
    if mode == "dry_run":
        from study.preflight.dry_run import dry_run

        return dry_run(request)
    if mode == "check":
        from study.preflight.contracts import check

        return check(request)
    from study.session import run

    return 0 if run(request, command).complete else 1


def again(arguments: list[str]) -> str:
    """The command that goes on with an interrupted one: the same, but for --rerun."""
    kept = list(arguments)
    if "--rerun" in kept:
        at = kept.index("--rerun")
        del kept[at : at + 2]
    kept = [argument for argument in kept if not argument.startswith("--rerun=")]
    return shlex.join([*called(), *map(masked, kept)])


def console() -> None:
    """Runs the command of this process, and ends the process with its exit code."""
    code = 1  # of an error that nobody expected
    # Registered first, so run last. Python would look through all objects once more, for 2 s.
    atexit.register(lambda: leave(code))
    try:
        code = main()
    except SystemExit as ended:  # argparse's, for --help
        code = int(ended.code or 0)
    if code > 128:
        leave(code)
