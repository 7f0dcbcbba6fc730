"""Stopping: SIGINT and SIGTERM end the command in order, and within seconds in any case."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

DEADLINE_SECONDS = 9.0  # from the signal on; what is not written by then is in the storage


class Stop:
    """The signal that the command was told to stop by."""

    number: int | None = None

    @property
    def exit_code(self) -> int:
        return 128 + (self.number or signal.SIGINT)

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number or signal.SIGINT).name}"


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Raises KeyboardInterrupt in here at SIGINT or SIGTERM; of several signals, at the first.

    What is still in here DEADLINE_SECONDS later is cut off, and the process with it. The signal is
    told apart by what is given, not by the exception: Ray replaces that by one of its own.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals are for the main thread
        return
    deadline = threading.Timer(DEADLINE_SECONDS, lambda: leave(stop.exit_code))
    deadline.daemon = True

    def handle(number: int, _: FrameType | None) -> None:
        if stop.number is None:
            stop.number = number
            deadline.start()
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        deadline.cancel()


def leave(code: int) -> None:
    """Ends the process at once, without waiting for threads or for anything that is registered."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
