"""The pictures of a run."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from transduce.report import plots
from transduce.study import runs


@pytest.mark.parametrize(("chunks", "steps"), [(3, [25, 50, 60]), (1, [10])])
def test_convergence_is_drawn_at_the_steps_that_were_done(chunks, steps, monkeypatch):
    """Two starts, of which one has met its target; the last chunk ends where the steps did, and a lone one is to be seen."""
    drawn: dict[str, object] = {}
    shown: list[Figure] = []

    def show(figure: Figure) -> bytes:
        shown.append(figure)
        return b""

    monkeypatch.setattr(plots, "response", lambda curves, name: b"")
    monkeypatch.setattr(plots, "_png", show)
    history = np.arange(2.0 * chunks).reshape(chunks, 2)
    outcome = SimpleNamespace(
        curves={"history": history, "slack_history": np.tile([1.0, -1.0], (chunks, 1))}, optimum=SimpleNamespace(steps=steps[-1])
    )
    folder = SimpleNamespace(write=lambda name, fill: drawn.update({name: fill(io.BytesIO())}))
    aims = SimpleNamespace(counts={"chunk": 25}, objective="fidelity")
    runs._draw(folder, outcome, aims, "study")
    (figure,) = shown
    assert set(drawn) == {"response.png", "convergence.png"}
    values, slacks = figure.axes
    every, met = (collection.get_segments() for collection in values.collections)
    for lane in (0, 1):
        np.testing.assert_array_equal(every[lane], np.stack([steps, history[:, lane]], axis=1))
    np.testing.assert_array_equal(met[0], every[0])
    assert not any(segment.size for segment in met[1:])  # what is NaN is no segment
    dots = [line for line in values.lines + slacks.lines if line.get_marker() == "."]
    assert len(dots) == (3 if chunks == 1 else 0) and all(list(line.get_xdata()) == steps * 2 for line in dots)
    low, high = values.get_ylim()
    assert low <= 0 and high >= history.max()
