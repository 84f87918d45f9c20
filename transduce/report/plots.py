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


def convergence(history: np.ndarray, slack_history: np.ndarray, chunk: int, objective: str, title: str) -> bytes:
    """The best objective of every start after each chunk; starts that miss a target are drawn faint (PNG)."""
    targets = bool(np.any(np.isfinite(slack_history)))
    figure, rows = _figure(2 if targets else 1, 5.6 if targets else 3.4)
    steps = chunk * np.arange(1, len(history) + 1)
    met = slack_history >= 0
    for lane in range(history.shape[1]):
        finite = np.isfinite(history[:, lane])
        line = np.where(finite, history[:, lane], np.nan)
        missed, reached = ("a target is missed", "targets met") if targets and lane == 0 else (None, None)
        rows[0].plot(steps, line, color=BEFORE, linewidth=0.8, alpha=0.4, label=missed)
        rows[0].plot(steps, np.where(met[:, lane], line, np.nan), color=AFTER, linewidth=1.0, label=reached)
        if targets:
            rows[1].plot(steps, np.where(finite, slack_history[:, lane], np.nan), color=AFTER, linewidth=0.8, alpha=0.6)
    rows[0].set(ylabel=objective.replace("_", " "), title=title)
    if targets:
        rows[0].legend(fontsize=8)
        rows[1].axhline(0.0, color=LINE, linewidth=0.8, linestyle=":")
        rows[1].set(ylabel="smallest slack, ln(value/bound)")
    rows[-1].set_xlabel("steps")
    for axes in rows:
        axes.grid(alpha=0.25)
    return _png(figure)
