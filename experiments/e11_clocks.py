r"""How good a clock do two nodes need, for photons of 0.1 to 100 MHz, by one click and by two?

Both nodes, paths and detectors are perfect, and far broader than the photon: the clock alone costs. Three errors, kept apart: the envelope
(the packets come at different times, rms s), the carrier (the phase :math:`\omega\sigma_t` of the microwave reference, at 8.8 GHz), and
the phase of pump laser and fibre.

Expected, V being the visibility: one click loses :math:`(1 - |\langle\xi\rangle|)/2 \approx (1 - V)/4` of its fidelity, two clicks
:math:`(1 - V)/2`. A Gaussian of FWHM B has :math:`V = (1 + s^2/2\sigma^2)^{-1/2}` with :math:`\sigma = \sqrt{2 \ln 2}/B`: the time that a
target asks for goes as 1/B, and as the root of what may be lost; of a decaying photon, which has an edge, as what may be lost itself. The
carrier holds :math:`e^{-(\omega\sigma_t)^2/2}` of one click's coherence and :math:`e^{-(\omega\sigma_t)^2}` of two clicks', whatever the
photon: 1 ps is 0.055 rad and costs one click 8e-4, 10 ps 7 %, 100 ps all coherence. So for 0.99 the envelope of a 100 MHz photon asks for
some 0.7 ns where the carrier asks for 4 ps: a clock good enough for the phase is never limited by the envelope. Two clicks
cancel what drifts more slowly than the time between their bins: most of the fibre's phase, less of the pump's.

Model: clock errors white on the scale of the bins' separation (an oscillator whose phase drifts slowly costs two clicks less, and
dual-rail photons, both bins at once, see no carrier phase); one delay for both bins. Source: the closed forms in
``transduce/link/overlap.py`` and ``synchronisation.py``.
Run: ``python -m experiments.e11_clocks`` writes ``figures/e11_clocks.png`` and ``.json``.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import transduce as td
from transduce.link.overlap import jittered
from transduce.protocols.clocks import Clock, clock_needed
from transduce.report.experiment import captioned, publish, verdict
from transduce.report.plots import BLUE, GREEN, GREY, PURPLE, VERMILION
from transduce.units import GHz, Hz, MHz, THz, kHz, ps, to_hz, us

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e11_clocks.png"

CARRIER, WIDE, PUMP_DELAY, SERVO = 8.8 * GHz, 1 * THz, 5 * us, 1 * kHz
BANDWIDTHS, COLOURS = (0.1 * MHz, 1 * MHz, 10 * MHz, 100 * MHz), (PURPLE, GREEN, BLUE, VERMILION)
TARGETS = (0.9, 0.99, 0.999)
SHAPES: dict[str, tuple[Callable[..., Any], str]] = {
    **{"gaussian": (td.Gaussian, BLUE), "sech": (td.Sech, GREEN), "decaying": (td.Decaying, VERMILION)},
}
CLICKS = {"one click": "-", "two clicks": "--"}
LOW, SMOOTH, HIGH = 1e-3, 3.0, 1e1
"""Jitter times FWHM: of the figure, and of the protocols' own answers."""


def clean() -> td.Meeting:
    """Two lossless nodes, so broad that 1e-12 of a fidelity is left to the device, or 1e-7 of a photon with an edge."""
    device = td.ElectroOptic(kappa_e_ext=WIDE, kappa_e_int=0.0, kappa_o_ext=WIDE, kappa_o_int=0.0, cooperativity=1.0)
    node, way = td.Node(td.Qubit(t1=1e9, t2=2e9, frequency=CARRIER), device), td.Link(station=td.Station())
    return td.Meeting(node, node, way, way)


def protocol(clicks: str, photon: Any) -> Any:
    """One click at excitation 1/2, or two in time bins; number-resolving detectors tell two photons of lossless arms from one."""
    settings: dict[str, Any] = {"detector": td.Detector(kind="number_resolving"), "filter_bandwidth": WIDE}
    return td.TwoClick(photon, **settings) if clicks == "two clicks" else td.OneClick(photon, **settings, excitation=0.5)


def fidelity(clicks: str, shape: str) -> Callable[..., np.ndarray]:
    """Of these clicks with photons of this shape, against bandwidths (rad/s) and fields of ``Synchronisation``, arrays of one length."""

    @jax.jit
    @jax.vmap
    def at(bandwidth: Any, errors: dict[str, Any]) -> Any:
        clocks = td.Synchronisation(**errors, stabilisation_bandwidth=SERVO)
        ends = clean()
        meeting = td.Meeting(ends.a, ends.b, ends.path_a, ends.path_b, synchronisation=clocks)
        return protocol(clicks, SHAPES[shape][0](bandwidth=bandwidth)).herald(meeting).fidelity

    def over(bandwidth: Any, **errors: Any) -> np.ndarray:
        names = ("timing_jitter", "clock_jitter", "laser_linewidth", "path_difference", "fibre_linewidth")
        whole = np.broadcast_arrays(bandwidth, *(errors.get(name, 0.0) for name in names))
        return np.asarray(at(np.array(whole[0]), dict(zip(names, map(np.array, whole[1:]), strict=True))))

    return over


def needed(clicks: str, which: Clock, bandwidths: Any) -> list[list[float]]:
    """The clock (s) that each target asks for at each bandwidth, Gaussian photons: by the protocol's own answer, inverted."""

    @jax.jit
    @jax.vmap
    def at(bandwidth: Any, target: Any) -> Any:
        return clock_needed(protocol(clicks, td.Gaussian(bandwidth=bandwidth)), clean(), target, which)

    width, target = (one.ravel() for one in np.meshgrid(bandwidths, TARGETS))
    times: list[list[float]] = np.asarray(at(width, target)).reshape(len(TARGETS), -1).tolist()
    return times


def closed(clicks: str, shape: str, bandwidth: float, jitter: Any) -> np.ndarray:
    """Fidelity under jitter (s) by the closed mean overlaps."""
    mean = jax.vmap(lambda s: jittered(SHAPES[shape][0](bandwidth=bandwidth), s))(np.asarray(jitter))
    return np.asarray(1 + (mean.amplitude if clicks == "one click" else mean.visibility)) / 2


def check(name: str, ours: Any, expected: Any, tolerance: float) -> dict[str, Any]:
    """A row of the table."""
    off = float(ours) / float(expected) - 1
    return {
        **{"name": name, "reported": float(expected), "ours": float(ours), "relative_deviation": off, "tolerance": tolerance},
        "within": abs(off) <= tolerance,
    }


def checks(kept: dict[str, Callable[..., np.ndarray]], times: dict[str, Any]) -> list[dict[str, Any]]:
    """What the protocols answer against what is expected above."""
    deviation = float(td.Gaussian(bandwidth=1 * MHz).deviation)
    jitter = np.sqrt(2 * (0.99**-2 - 1)) * deviation  # V = 0.99
    phase = CARRIER * 1 * ps
    rows = [check("phase of 1 ps at 8.8 GHz (rad)", phase, 0.055, 0.01)]
    for clicks, part in (("one click", 4), ("two clicks", 2)):
        lost = 1 - kept[clicks](1 * MHz, timing_jitter=[jitter])[0]
        rows.append(check(f"{clicks}: loss at V = 0.99, (1 - V)/{part}", lost, 0.01 / part, 0.01))
        lost, power = 1 - kept[clicks](1 * MHz, clock_jitter=[1 * ps, 10 * ps, 100 * ps]), 2 if clicks == "one click" else 1
        for time, loss in zip((1, 10, 100), lost, strict=True):
            rows.append(check(f"{clicks}: loss to a carrier's {time} ps", loss, -np.expm1(-((time * phase) ** 2) / power) / 2, 1e-6))
        for k, target in enumerate(TARGETS):
            held = 2 * target - 1
            wanted = deviation * np.sqrt(part * (held**-2 - 1))
            rows.append(check(f"{clicks}: jitter for {target}, 1 MHz (s)", times[clicks]["envelope"][k][4], wanted, 1e-6))
            wanted = np.sqrt(-power * np.log(held)) / CARRIER
            rows.append(check(f"{clicks}: carrier's clock for {target} (s)", times[clicks]["carrier"][k], wanted, 1e-6))
    return rows


def phases(kept: Callable[..., np.ndarray], error: np.ndarray, linewidth: np.ndarray) -> dict[str, list[float]]:
    """Fidelity against what turns the carrier, 1 MHz photons: the microwave clock, the pump, the fibre."""
    return {
        "carrier": kept(1 * MHz, clock_jitter=error).tolist(),
        "pump": kept(1 * MHz, laser_linewidth=linewidth, path_difference=PUMP_DELAY).tolist(),
        "fibre": kept(1 * MHz, fibre_linewidth=linewidth).tolist(),
    }


def compute(points: int = 161, marks: int = 7) -> dict[str, Any]:
    """All numbers of the figure."""
    kept = {clicks: fidelity(clicks, "gaussian") for clicks in CLICKS}
    error, widths, line = np.geomspace(1e-14, 1e-4, points), np.geomspace(0.1 * MHz, 100 * MHz, 13), np.geomspace(1 * Hz, 1 * MHz, points)
    product, sparse = np.geomspace(LOW, HIGH, points), np.geomspace(LOW, SMOOTH, marks)
    numbers: dict[str, Any] = {
        **{"clock_error_s": error.tolist(), "bandwidth_fwhm_hz": to_hz(widths).tolist(), "targets": list(TARGETS)},
        **{"linewidth_hz": to_hz(line).tolist(), "jitter_bandwidth": product.tolist(), "jitter_bandwidth_marks": sparse.tolist()},
        "envelope": {clicks: [closed(clicks, "gaussian", width, error).tolist() for width in BANDWIDTHS] for clicks in CLICKS},
        "phases": {clicks: phases(kept[clicks], error, line) for clicks in CLICKS},
    }
    numbers["needed_s"] = {
        clicks: {
            "envelope": needed(clicks, "timing_jitter", widths),
            "carrier": [times[0] for times in needed(clicks, "clock_jitter", [1 * MHz])],
        }
        for clicks in CLICKS
    }
    second = 1 / to_hz(1 * MHz)
    numbers["shapes"] = {
        clicks: {
            shape: {
                "closed": closed(clicks, shape, 1 * MHz, product * second).tolist(),
                "protocol": fidelity(clicks, shape)(1 * MHz, timing_jitter=sparse * second).tolist(),
            }
            for shape in SHAPES
        }
        for clicks in CLICKS
    }
    return numbers | {"table": checks(kept, numbers["needed_s"])}


def _against_error(axes: Any, numbers: dict[str, Any]) -> None:
    """Fidelity against the clock's error: envelopes of four bandwidths, and the carrier."""
    error = np.array(numbers["clock_error_s"])
    for clicks, style in CLICKS.items():
        axes.plot(error, numbers["phases"][clicks]["carrier"], style, color=GREY, linewidth=2.2)
        for curve, colour in zip(numbers["envelope"][clicks], COLOURS, strict=True):
            axes.plot(error, curve, style, color=colour)
    names = ("carrier,\n8.8 GHz", *(f"{to_hz(width) / 1e6:g} MHz" for width in reversed(BANDWIDTHS)))
    for name, colour, at in zip(names, (GREY, *reversed(COLOURS)), (2e-11, 1.3e-9, 1.9e-8, 2.2e-7, 2.6e-6), strict=True):
        axes.text(at, 1.015, name, color=colour, fontsize=9, ha="center", va="bottom")
    axes.set(xscale="log", xlim=(1e-13, 1e-4), ylim=(0.48, 1.1), xlabel="rms clock error (s)", ylabel="fidelity of the pair")
    axes.set_yticks(np.arange(0.5, 1.01, 0.1))
    axes.set_title("one click (solid), two clicks (dashed)", fontsize=10)


def _against_bandwidth(axes: Any, numbers: dict[str, Any]) -> None:
    """The clock that each target asks for."""
    width = np.array(numbers["bandwidth_fwhm_hz"]) / 1e6
    for clicks, style in CLICKS.items():
        found = numbers["needed_s"][clicks]
        for times, carrier, colour, target in zip(found["envelope"], found["carrier"], (BLUE, GREEN, VERMILION), TARGETS, strict=True):
            axes.plot(width, times, style, color=colour, label=f"F = {target}" if style == "-" else None)
            axes.axhline(carrier, color=colour, linestyle=style, linewidth=2.2, alpha=0.55)
    axes.text(0.12, 3.2e-11, "carrier, 8.8 GHz", fontsize=9, color=GREY)
    axes.text(6, 2.6e-7, "envelope", fontsize=9, color=GREY)
    axes.set(xscale="log", yscale="log", xlim=(0.1, 100), ylim=(3e-13, 1e-5), ylabel="synchronisation needed (s, rms)")
    axes.set_xlabel("FWHM of the photon (MHz)")
    axes.set_title("what a target asks for, Gaussian photons", fontsize=10)
    axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 0.33))


def _shapes(axes: Any, numbers: dict[str, Any]) -> None:
    """What an edge costs."""
    product, marks = numbers["jitter_bandwidth"], numbers["jitter_bandwidth_marks"]
    for clicks, style in CLICKS.items():
        for shape, (_, colour) in SHAPES.items():
            curves = numbers["shapes"][clicks][shape]
            axes.plot(product, 1 - np.array(curves["closed"]), style, color=colour, label=shape if style == "-" else None)
            axes.plot(marks, 1 - np.array(curves["protocol"]), "o", color=colour, markersize=3.5)
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(LOW, HIGH),
        ylim=(1e-6, 1),
        ylabel="fidelity lost",
        xlabel="rms jitter (s) × FWHM of the photon (Hz)",
    )
    axes.set_title("envelope: a photon with an edge loses linearly", fontsize=10)
    axes.legend(fontsize=8, loc="lower right")


def _lasers(axes: Any, numbers: dict[str, Any]) -> None:
    """Pump and fibre."""
    line = numbers["linewidth_hz"]
    for clicks, style in CLICKS.items():
        for name, colour in (("pump", BLUE), ("fibre", VERMILION)):
            axes.plot(line, numbers["phases"][clicks][name], style, color=colour)
    axes.plot([], [], color=BLUE, label="pump, 5 µs older in one arm")
    axes.plot([], [], color=VERMILION, label="fibre, behind a servo of 1 kHz")
    axes.set(xscale="log", xlim=(1, 1e6), ylim=(0.48, 1.02), xlabel="linewidth (Hz)", ylabel="fidelity of the pair")
    axes.set_title("phase of light, 1 MHz photons", fontsize=10)
    axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 0.08))


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: what a clock costs, what a target asks for, shapes, and the phase of light."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(11.2, 8.4), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    panels = figure.subplots(2, 2)
    for axes, panel in zip(panels.flat, (_against_error, _against_bandwidth, _shapes, _lasers), strict=True):
        panel(axes, numbers)
        axes.grid(alpha=0.25)
    caption = (
        "Perfect nodes, paths and number-resolving detectors: the clock alone costs. Solid: one click, which holds the overlap's mean\n"
        "amplitude and the phase itself. Dashed: two clicks in time bins, which hold V and the phase's increment between the bins\n"
        "(clock errors white; dual-rail photons would see none of it). Lines below left: closed forms in transduce/link/overlap.py.\n"
        "Dots: the protocols' own answers, whose mean over delays is off by some 0.5 % of what a photon with an edge loses."
    )
    captioned(figure, caption, path)


def main() -> None:
    """Compute, write the JSON and the figure, print what is expected above."""
    numbers = publish(compute(), FIGURE, draw)
    for row in numbers["table"]:
        print(f"{row['name']:46}{verdict(row)}")


if __name__ == "__main__":
    main()
