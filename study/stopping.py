"""Stopping: SIGINT and SIGTERM end the command in order, and within seconds in any case."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

DEADLINE_SECONDS = 9.0  # from the signal on; what is not written by then is in the storage


class Stopped(KeyboardInterrupt):
    """The command was told to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raises Stopped in here when the process gets SIGINT or SIGTERM; of several, for the first.

    What is still in here DEADLINE_SECONDS later is cut off, and the process with it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread
        return
    deadlines: list[threading.Timer] = []

    def stop(number: int, _: FrameType | None) -> None:
        if deadlines:
            return
        stopped = Stopped(number)
        deadlines.append(threading.Timer(DEADLINE_SECONDS, _cut, (stopped.exit_code,)))
        deadlines[0].daemon = True
        deadlines[0].start()
        raise stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for deadline in deadlines:
            deadline.cancel()


def _cut(code: int) -> None:
    sys.stdout.flush()
    os._exit(code)
