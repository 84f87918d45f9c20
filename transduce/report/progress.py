"""How far a run is, on standard error: a bar on a terminal, else a line at each chunk's end."""

import sys
import time
from typing import Any

PAUSE = 1.0
"""Seconds between two lines of a sweep at least, whose chunks may be short."""


class _Bar:
    """A bar on a terminal; nothing anywhere else."""

    def __init__(self, words: str, unit: str) -> None:
        self.words, self.unit, self.bar = words, unit, None  # type: str, str, Any

    def begin(self) -> None:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Columns

            count = TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {self.unit}")
            columns = (TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
            self.bar = Columns(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task(self.words, total=None)

    def moved(self, done: int, total: int, words: str) -> bool:
        """Whether there is one, which has been moved."""
        if self.bar is not None:
            self.bar.update(self.task, total=total, completed=done, description=words)
        return self.bar is not None

    def end(self) -> None:
        if self.bar is not None:
            self.bar.stop()


class Progress:
    """A context in which ``report`` tells of a chunk (``design.maximise.ChunkReport``)."""

    def __init__(self) -> None:
        self.bar = _Bar("optimising", "steps")

    def __enter__(self) -> "Progress":
        self.bar.begin()
        return self

    def report(self, chunk: Any) -> None:
        """At a chunk's end."""
        words = f"best {chunk.value:.6g}" + (f", smallest slack {chunk.smallest_slack:+.3g}" if abs(chunk.smallest_slack) < 1e300 else "")
        if not self.bar.moved(chunk.step, chunk.steps, words):
            print(f"step {chunk.step}/{chunk.steps}: {words}, {chunk.seconds_left:.1f} s left", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        self.bar.end()


class SweepProgress:
    """A context in which ``report`` tells of a sweep (``design.sweep.Progress``).

    Args:
        speaks: whether it does; of several processes one does, of its own share.
    """

    def __init__(self, speaks: bool = True) -> None:
        self.bar, self.speaks, self.last = _Bar("sweeping", "designs"), speaks, -PAUSE

    def __enter__(self) -> "SweepProgress":
        if self.speaks:
            self.bar.begin()
        return self

    def say(self, words: str) -> None:
        """What is known before it begins."""
        if self.speaks:
            print(words, file=sys.stderr, flush=True)

    def report(self, done: int, total: int, rate: float, left: float) -> None:
        """At a call's end."""
        words, time_ = f"{rate:.3g} designs/s", time.monotonic()
        if not self.speaks or self.bar.moved(done, total, words) or (done < total and time_ - self.last < PAUSE):
            return
        self.last = time_
        print(f"design {done}/{total}: {words}, {left:.1f} s left", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        self.bar.end()
