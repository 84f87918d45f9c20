"""The pictures of a run: what the link does against frequency, before and after, and how the starts converged."""

import io
from typing import Any

import numpy as np

BLUE, VERMILION, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#444444"
"""Of Okabe and Ito's palette, which colour-blind readers tell apart; line styles or markers tell the rest."""
BEFORE, AFTER, LINE = VERMILION, BLUE, GREY


def _figure(rows: int, height: float) -> tuple[Any, Any]:
    """A figure that draws without a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, height))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.16, right=0.97, bottom=0.6 / height, top=1 - 0.4 / height, hspace=0.08)
    return figure, figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return file.getvalue()


def response(curves: dict[str, np.ndarray], title: str) -> bytes:
    """Efficiency and added noise of the whole link against the offset from the carrier, before and after (PNG)."""
    figure, (top, bottom) = _figure(2, 5.6)
    offset = curves["frequency_hz"] / 1e6
    for name, colour, style in (("before", BEFORE, "--"), ("after", AFTER, "-")):
        top.plot(offset, curves[f"efficiency_{name}"], style, color=colour, label=name)
        bottom.plot(offset, curves[f"added_noise_input_{name}"], style, color=colour, label=name)
    noise = np.concatenate([curves["added_noise_input_before"], curves["added_noise_input_after"]])
    power = np.concatenate([curves["efficiency_before"], curves["efficiency_after"]])
    top.axhline(0.5, color=LINE, linewidth=0.8, linestyle=":", label="quantum capacity above 1/2")
    top.set(ylabel="efficiency |u|²", title=title)
    if np.max(power) > 0:
        top.set(yscale="log", ylim=(max(1e-5 * np.max(power), np.min(power[power > 0])) / 2, 2))
    bottom.axhline(1.0, color=LINE, linewidth=0.8, linestyle=":", label="1 photon")
    bottom.set(xlabel="offset from the carrier (MHz)", ylabel="added noise at the input\n(photons/s/Hz)")
    if np.any(noise > 0):
        bottom.set_yscale("log")
    for axes in (top, bottom):
        axes.minorticks_off()  # nearly a third of the drawing
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
    return _png(figure)


def convergence(steps: np.ndarray, history: np.ndarray, slack_history: np.ndarray, objective: str, title: str) -> bytes:
    """The best objective of every start after so many steps; starts that miss a target are drawn faint (PNG)."""
    from matplotlib.collections import LineCollection

    targets = bool(np.any(np.isfinite(slack_history)))
    figure, rows = _figure(2 if targets else 1, 5.6 if targets else 3.4)
    met = slack_history >= 0
    finite = np.isfinite(history)

    def lines(axes: Any, figures: np.ndarray, **style: Any) -> None:
        """All starts at once: sooner than a line each."""
        points = np.stack([np.broadcast_to(steps[:, None], figures.shape), figures], axis=-1)
        axes.add_collection(LineCollection(list(points.swapaxes(0, 1)), **style))
        if len(steps) == 1:  # no line
            axes.plot(*points[0].T, ".", color=style["color"], alpha=style.get("alpha"))

    missed, reached = ("a target is missed", "targets met") if targets else (None, None)
    lines(rows[0], np.where(finite, history, np.nan), color=BEFORE, linewidth=0.8, alpha=0.4, label=missed)
    lines(rows[0], np.where(finite & met, history, np.nan), color=AFTER, linewidth=1.0, label=reached)
    if targets:
        lines(rows[1], np.where(finite, slack_history, np.nan), color=AFTER, linewidth=0.8, alpha=0.6)
    rows[0].set(ylabel=objective.replace("_", " "), title=title)
    if targets:
        rows[0].legend(fontsize=8, loc="lower right")
        rows[1].axhline(0.0, color=LINE, linewidth=0.8, linestyle=":")
        rows[1].set(ylabel="smallest slack, ln(value/bound)")
    rows[-1].set_xlabel("steps")
    for axes in rows:
        axes.autoscale_view()
        axes.grid(alpha=0.25)
    return _png(figure)
