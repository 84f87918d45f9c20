"""Signals that ask a run to stop: it does at its next chunk's end or, where that is too far off, at once.

Schedulers warn a job by SIGTERM or SIGUSR1 before they kill it, people by SIGINT.
"""

import _thread
import signal
import sys
import threading
from types import FrameType
from typing import Any

HEARD = [number for name in ("SIGINT", "SIGTERM", "SIGUSR1") if (number := getattr(signal, name, None)) is not None]
GRACE = 5.0
"""Seconds from the signal to a chunk's end; a run that has come to none by then is interrupted where it is."""


class Stopped(BaseException):
    """The run was asked to stop. No ``Exception``, so that nothing on its way takes it for a failure that it knows how to mend."""


class Stops:
    """Hears the signals from ``begin`` to ``end`` in the main thread; in any other, Python hears none."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Hear them from here on."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in HEARD}

    def end(self) -> None:
        """Leave them to whoever heard them before."""
        if self._timer is not None:
            self._timer.cancel()
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def check(self) -> None:
        """Raise ``Stopped`` if a signal has been heard."""
        if self._asked:
            raise Stopped

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.check()  # the second time, or the time is over
        self._asked = True
        self._timer = threading.Timer(GRACE, _again, (number,))
        self._timer.daemon = True
        self._timer.start()


def _again(number: int) -> None:
    """The signal once more, for the main thread, from another."""
    if sys.platform == "win32":
        _thread.interrupt_main(number)
    else:  # this ends what it waits in, too
        signal.pthread_kill(threading.main_thread().ident or 0, number)
