"""How far a run is, on standard error: a bar on a terminal, else a line at each chunk's end."""

import sys
from typing import Any


class Progress:
    """A context in which ``report`` tells of a chunk (``design.maximise.ChunkReport``)."""

    def __init__(self) -> None:
        self.bar: Any = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} steps"))
            self.bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("optimising", total=None)
        return self

    def report(self, chunk: Any) -> None:
        """At a chunk's end."""
        words = f"best {chunk.value:.6g}" + (f", smallest slack {chunk.smallest_slack:+.3g}" if abs(chunk.smallest_slack) < 1e300 else "")
        if self.bar is not None:
            self.bar.update(self.task, total=chunk.steps, completed=chunk.step, description=words)
        else:
            print(f"step {chunk.step}/{chunk.steps}: {words}, {chunk.seconds_left:.1f} s left", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
