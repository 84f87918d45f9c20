"""Runs with a folder, from what is asked to the files that say what came out, with their checkpoints and progress."""

import importlib
import pathlib
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..programs import idle
from ..report.progress import Progress, SweepProgress
from . import sweeping
from .aims import Aims
from .checkpoint import Checkpoints, binding
from .config import Setting
from .optimise import TASK, Outcome, run
from .record import Folder, dumps

Keep = Callable[..., Any]
"""key -> a context in which programs are kept (``programs.kept``)."""


LATER = ("scipy.optimize", "matplotlib", "matplotlib.font_manager", "matplotlib.backends.backend_agg", "matplotlib.figure")
"""What an optimisation needs at its end."""


def _import_later() -> None:
    for name in LATER:
        idle()
        importlib.import_module(name)


def optimised(setting: Setting, aims: Aims, folder: Folder, keep: Keep, force: bool) -> dict[str, Any]:
    """Begin an optimisation in its folder or go on with it, ``force`` with other versions too; what ``result.json`` says."""
    threading.Thread(target=_import_later, daemon=True).start()
    with Checkpoints(folder, binding(setting.source, TASK), "metrics.jsonl") as checkpoints:
        saved = checkpoints.load(force)
        if saved is not None:
            print(f"transduce: {folder.path}: goes on from {saved.meta['at']}", file=sys.stderr)
        with Progress() as progress, keep():
            outcome = run(setting, aims, checkpoints, saved, progress.report, keep)
        _draw(folder, outcome, aims, setting.source.stem)
        folder.text("result.json", dumps(outcome.answer))
    return outcome.answer


def swept(setting: Setting, aims: Aims, path: pathlib.Path, folder: Folder | None, keep: Keep) -> dict[str, Any]:
    """Begin a sweep in its folder or go on with it; what ``result.json`` says. Only who holds the folder speaks."""
    with SweepProgress(folder is not None) as progress, keep("sweep"):
        return sweeping.run(setting, aims, path, folder, progress.say, progress.report)


def _draw(folder: Folder, outcome: Outcome, aims: Aims, name: str) -> None:
    from ..report import plots

    folder.write("response.png", lambda file: file.write(plots.response(outcome.curves, name)))
    history = outcome.curves["history"]
    if len(history):
        steps = np.minimum(aims.counts["chunk"] * np.arange(1, len(history) + 1), outcome.optimum.steps)
        png = plots.convergence(steps, history, outcome.curves["slack_history"], aims.objective, name)
        folder.write("convergence.png", lambda file: file.write(png))
