r"""What do better noise, efficiency and repetition rate buy in remote pairs, and which of the three first?

The question of "Distilled remote entanglement between superconducting qubits across optical channels" (IBM, arXiv:2503.10842), of whose
abstract we know these words: Monte Carlo of 2-to-1 and 3-to-1 distillation, EPL best; an added noise of 0.5 is at the threshold of remote
pairs above 50 %; three orders of magnitude in added noise, efficiency and repetition rate give remote gates of 99.7 % at MHz rates.
Here in closed form and by gradient: x divides the noise, and multiplies efficiency and repetition rate.

Our convention: N is the added noise of each node, referred to its input, in the photon's own mode; a node's photon reaches the detectors
as :math:`(\eta, n) = (\eta, \eta N)`. Today's numbers: N = 0.5, as in the abstract; efficiency 1e-3 from qubit to detector, at most 1, and
1e4 attempts per second, both chosen here, so that a thousandfold is a perfect efficiency and 1e7 attempts per second, which "MHz rates"
ask for. Threshold detectors without dark counts; ideal gates; a pair that waits for the next one does so in qubits of T1 = T2 = 1 ms.

Expected: one click is best at the excitation :math:`\alpha^* = \sqrt{N^2 + N} - N` and loses :math:`2\sqrt N`. EPL of two such pairs
leaves the state of two clicks at *every* excitation and efficiency, as each of its products holds all weights once; it loses 6 N of
a weak link, 2 N of a perfect one, if pairs come faster than memories decay. A thousandfold is N = 5e-4, where EPL of a weak link has
0.9970, as the abstract says, and of a perfect one 0.9990. EPL keeps a pair while it waits for the next, and is faster than two clicks
below an efficiency of some 0.15; above it, two clicks need no distillation. What to improve first: repetition rate or efficiency, alike,
until pairs outrun the memories; then noise, nearly one per cent for one; next to a perfect efficiency that again, as no photon is lost
whose place a noise photon could take.
*Not* reproduced: the threshold. One click is at its best 0.402 (weak link) to 0.478 (perfect, number-resolving) at N = 0.5; if both nodes
share 0.5, 0.478 to 0.501 (efficiency 0.3). The abstract's convention is not known to us.

Model of 3-to-1: EPL of two pairs, then EPL of the kept pair with a third; all three are thrown away where a round fails, so
:math:`R_3 = R p_1 p_2/(2 + p_1)`. Excitation: the best fidelity, by Newton's method from a grid. Sources:
``transduce/qubit/heralding.py``, ``bell_measurement.py``, ``distillation.py``.
Run: ``python -m experiments.e10_ibm_target`` writes ``figures/e10_ibm_target.png`` and ``.json``.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import transduce as td
from transduce.gaussian.channel import ModeChannel
from transduce.qubit import bell
from transduce.qubit.bell_measurement import two_click_weak_fidelity
from transduce.qubit.distillation import distil, rounds
from transduce.qubit.memory import ExponentialWait, waited
from transduce.report.experiment import captioned, publish, verdict
from transduce.report.plots import BLUE, GREEN, GREY, VERMILION
from transduce.units import ms

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e10_ibm_target.png"

NOISE, EFFICIENCY, REPETITION, MEMORY = 0.5, 1e-3, 1e4, 1 * ms
FACTORS = ("noise", "efficiency", "repetition rate")
TARGET, THOUSAND = 0.997, 1e3
BOX = (1e-3, 0.5)
"""Of the excitation."""
THRESHOLDS = {  # name -> efficiency, part of the noise that each node adds, detectors, and what is known of N = 0.5
    "weak link": (1e-6, 1.0, "threshold", 0.402),
    "perfect link, counting": (1.0, 1.0, "number_resolving", 0.478),
    "weak link, noise shared": (1e-6, 0.5, "threshold", 0.478),
    "efficiency 0.3, noise shared": (0.3, 0.5, "threshold", 0.501),
}

Pair = tuple[Any, Any]
"""Fidelity, and pairs per second."""


def channel(noise: Any, efficiency: Any) -> ModeChannel:
    """From a qubit to the detectors, with this noise at the input."""
    return ModeChannel(jnp.sqrt(efficiency) + 0j, efficiency * noise)


def improved(factors: Any) -> tuple[ModeChannel, Any]:
    """The channel, and the attempts per second, when today's three numbers are so many times better."""
    return channel(NOISE / factors[0], jnp.minimum(EFFICIENCY * factors[1], 1.0)), REPETITION * factors[2]


def one(factors: Any, excitation: Any) -> Pair:
    """One click, not distilled."""
    arm, attempts = improved(factors)
    pair = td.one_click(arm, arm, excitation, excitation)
    return pair.fidelity, attempts * pair.success_probability


def two(factors: Any, _: Any) -> Pair:
    """Two clicks, not distilled: there is no excitation to choose."""
    arm, attempts = improved(factors)
    pair = td.two_click(arm, arm)
    return pair.fidelity, attempts * pair.success_probability


def distilled(pairs: int, memory: float | None) -> Callable[[Any, Any], Pair]:
    """EPL of two pairs of one click or, with a third, once more; the pairs wait in qubits of T1 = T2 = ``memory`` (s), None: for ever."""
    keeper = None if memory is None else td.Qubit(t1=memory, t2=memory)

    def kept(factors: Any, excitation: Any) -> Pair:
        arm, attempts = improved(factors)
        pair = td.one_click(arm, arm, excitation, excitation)
        raw, rate = pair.framed(), attempts * pair.success_probability
        first = rounds(raw, rate, ("epl",), memories=None if keeper is None else (keeper, keeper))[-1]
        if pairs == 2:
            return first.fidelity, first.rate
        later = first.state if keeper is None else waited(first.state, keeper, keeper, ExponentialWait(rate=rate))
        second, p = distil(later, raw, "epl"), first.success_probability
        return bell.fidelity(second.state, "psi+"), rate * p * second.success_probability / (2 + p)

    return kept


WAYS: dict[str, tuple[Callable[[Any, Any], Pair], str, str]] = {
    "one click": (one, ":", GREY),
    "EPL, 2 to 1": (distilled(2, MEMORY), "-", BLUE),
    "EPL, 3 to 1": (distilled(3, MEMORY), "-.", GREEN),
    "two clicks": (two, "--", VERMILION),
}


def best(function: Callable[[Any], Any], low: float, high: float, points: int = 48) -> Any:
    """Where a function of one variable is largest, on a logarithmic grid and then by Newton's method between its neighbours."""
    grid = jnp.linspace(jnp.log(low), jnp.log(high), points)

    def smooth(u: Any) -> Any:
        return function(jnp.exp(u))

    top = jnp.argmax(jax.vmap(smooth)(grid))
    ends = grid[jnp.maximum(top - 1, 0)], grid[jnp.minimum(top + 1, points - 1)]

    def newton(_: Any, u: Any) -> Any:
        slope, bend = jax.grad(smooth)(u), jax.grad(jax.grad(smooth))(u)
        return jnp.clip(u - jnp.where(bend < 0, slope / bend, 0.0), *ends)

    return jnp.exp(jax.lax.fori_loop(0, 5, newton, grid[top]))


def sweep(way: Callable[[Any, Any], Pair], improvement: Any) -> dict[str, Any]:
    """One way to make pairs, at its best excitation, against x; and how far each factor lowers the infidelity, per cent for per cent."""

    def at(x: Any) -> dict[str, Any]:
        factors = jnp.full(3, x)
        excitation = best(lambda a: way(factors, a)[0], *BOX)

        def loss(logs: Any) -> Any:
            return jnp.log(1 - way(jnp.exp(logs), excitation)[0])

        fidelity, rate = way(factors, excitation)
        return {"excitation": excitation, "fidelity": fidelity, "rate": rate, "elasticity": -jax.grad(loss)(jnp.log(factors))}

    return {name: np.asarray(value).T.tolist() for name, value in jax.jit(jax.vmap(at))(np.asarray(improvement, float)).items()}


def one_click_best(noise: Any, efficiency: float, part: float, kind: Any) -> Any:
    """The best fidelity of one click at this noise."""
    arm = channel(part * noise, efficiency)
    chosen = td.Detector(kind=kind)

    def fidelity(excitation: Any) -> Any:
        return td.one_click(arm, arm, excitation, excitation, chosen).fidelity

    return fidelity(best(fidelity, 1e-3, 0.9))


def crossing(x: np.ndarray, above: np.ndarray) -> float:
    """The first x, in its logarithm linear, at which this rises through 0."""
    k = int(np.flatnonzero((above[:-1] < 0) & (above[1:] >= 0))[0])
    return float(np.exp(np.interp(0.0, above[k : k + 2], np.log(x[k : k + 2]))))


def compare(thousand: dict[str, Any]) -> list[dict[str, Any]]:
    """The abstract's figures beside ours."""
    weak, epl = 1 - float(two_click_weak_fidelity(NOISE / THOUSAND)), thousand["EPL, 2 to 1"]
    found = [
        ("loss of EPL, weak link, N = 5e-4", 1 - TARGET, weak, 0.01),
        ("loss of EPL, x = 1000", 1 - TARGET, 1 - epl["fidelity"][0], None),
        ("pairs per second, EPL, x = 1000", 1e6, epl["rate"][0], None),
    ]
    for name, (efficiency, part, kind, _) in THRESHOLDS.items():
        found.append((f"one click, N = 0.5, {name}", 0.5, float(one_click_best(NOISE, efficiency, part, kind)), None))
    rows = []
    for name, reported, ours, tolerance in found:
        off = ours / reported - 1
        row = {"name": name, "reported": reported, "ours": ours, "relative_deviation": off, "tolerance": tolerance}
        rows.append(row | {"within": None if tolerance is None else abs(off) <= tolerance})
    return rows


def compute(points: int = 97) -> dict[str, Any]:
    """All numbers of the figure."""
    x, noise = np.geomspace(1, 3000, points), np.geomspace(1e-2, 2, points)
    ways = {name: sweep(way, np.append(x, THOUSAND)) for name, (way, _, _) in WAYS.items()}
    del ways["two clicks"]["excitation"]  # it has none
    curves = {name: {key: np.array(values)[..., :-1].tolist() for key, values in curve.items()} for name, curve in ways.items()}
    kinds = ("excitation", "fidelity", "rate")
    thousand = {name: {key: np.array(curve[key])[-1:].tolist() for key in kinds if key in curve} for name, curve in ways.items()}
    epl, clicks = curves["EPL, 2 to 1"], curves["two clicks"]
    faster = crossing(x, np.log(np.array(clicks["rate"]) / np.array(epl["rate"])))
    kept = {name: jax.vmap(lambda n, case=case: one_click_best(n, *case[:3]))(noise).tolist() for name, case in THRESHOLDS.items()}
    return {
        **{"improvement": x.tolist(), "factors": list(FACTORS), "ways": curves, "at_1000": thousand},
        "improvement_for_997": {name: crossing(x, np.array(curves[name]["fidelity"]) - TARGET) for name in ways if name != "one click"},
        "efficiency_where_two_clicks_are_faster": EFFICIENCY * faster,
        **{"added_noise_input": noise.tolist(), "one_click_best": kept, "table": compare(thousand)},
    }


def _fidelities(axes: Any, numbers: dict[str, Any]) -> None:
    """What is lost."""
    x = numbers["improvement"]
    for name, (_, style, colour) in WAYS.items():
        axes.plot(x, 1 - np.array(numbers["ways"][name]["fidelity"]), style, color=colour, label=name)
    axes.axhline(0.5, color=GREY, linewidth=0.8)
    axes.text(3000, 0.53, "no entanglement ", fontsize=8, color=GREY, ha="right", va="bottom")
    axes.plot([THOUSAND], [1 - TARGET], "*", color="black", markersize=11, label="abstract: 99.7 %", linestyle="none")
    axes.set(xscale="log", yscale="log", xlim=(1, 3000), ylim=(1e-4, 1), ylabel="1 − fidelity of the pair")
    axes.legend(fontsize=8, loc="lower left")


def _rates(axes: Any, numbers: dict[str, Any]) -> None:
    """Pairs per second, where they are entangled."""
    x = numbers["improvement"]
    for name, (_, style, colour) in WAYS.items():
        curve = numbers["ways"][name]
        axes.plot(x, np.where(np.array(curve["fidelity"]) > 0.5, curve["rate"], np.nan), style, color=colour)
    axes.axhline(1e6, color=GREY, linewidth=0.8)
    axes.text(1.1, 1.2e6, "MHz rates", fontsize=8, color=GREY, va="bottom")
    axes.axvline(THOUSAND, color=GREY, linewidth=0.8, linestyle=":")
    axes.text(950, 2, "efficiency 1", fontsize=8, color=GREY, ha="right", rotation=90, va="bottom")
    axes.set(xscale="log", yscale="log", xlim=(1, 3000), ylim=(1, 1e8), ylabel="pairs per second (fidelity above 1/2)")


def _first(axes: Any, numbers: dict[str, Any]) -> None:
    """Which factor first."""
    x = np.array(numbers["improvement"])
    for name, style in (("EPL, 2 to 1", "-"), ("one click", ":")):
        curve = numbers["ways"][name]
        worth = np.where(np.array(curve["fidelity"]) > 0.5, curve["elasticity"], np.nan)
        for factor, colour, one in zip(numbers["factors"], (BLUE, VERMILION, GREEN), worth, strict=True):
            axes.plot(x, one, style, color=colour, label=factor if style == "-" else None)
    axes.set(xscale="log", xlim=(1, 3000), ylim=(-0.05, 2), ylabel="% of the loss saved per % of improvement")
    axes.set_title("what to improve first: EPL, 2 to 1 (solid), one click (dotted)", fontsize=10)
    axes.legend(fontsize=8, loc="upper left")


def _threshold(axes: Any, numbers: dict[str, Any]) -> None:
    """One click's best against the noise."""
    for (name, curve), style, colour in zip(
        numbers["one_click_best"].items(), ("-", "--", "-.", ":"), (BLUE, GREEN, VERMILION, GREY), strict=True
    ):
        axes.plot(numbers["added_noise_input"], curve, style, color=colour, label=name)
    axes.axhline(0.5, color=GREY, linewidth=0.8)
    axes.plot([NOISE], [0.5], "*", color="black", markersize=11, label="abstract's threshold", linestyle="none")
    axes.set(xscale="log", xlim=(1e-2, 2), ylim=(0.2, 0.9), ylabel="best fidelity of one click")
    axes.set_xlabel("added noise at the input, N (photons)")
    axes.set_title("the threshold: N = 0.5 is 0.40 to 0.50, by convention", fontsize=10)
    axes.legend(fontsize=8, loc="lower left")


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: fidelity, rate, what to improve first, and the threshold."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(11.2, 8.6), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    panels = figure.subplots(2, 2)
    for axes, panel in zip(panels.flat, (_fidelities, _rates, _first, _threshold), strict=True):
        panel(axes, numbers)
        axes.grid(alpha=0.25)
    for axes in panels.flat[:3]:
        axes.set_xlabel("improvement x of noise, efficiency and repetition rate")
    caption = (
        "x = 1: N = 0.5 photons of added noise per node, referred to its input, in the photon's own mode (the convention of the abstract\n"
        "of arXiv:2503.10842 is not known to us); efficiency 1e-3 from qubit to detector, at most 1, and 1e4 attempts per second, both\n"
        "chosen here. Waiting pairs decay with T1 = T2 = 1 ms; ideal gates; excitation at the best fidelity. EPL with perfect memories\n"
        "leaves the state of two clicks."
    )
    captioned(figure, caption, path)


def main() -> None:
    """Compute, write the JSON and the figure, print what is expected above."""
    numbers = publish(compute(), FIGURE, draw)
    for row in numbers["table"]:
        print(f"{row['name']:52}{verdict(row, otherwise='their convention is not known')}")
    for name, values in numbers["at_1000"].items():
        figures = ", ".join(f"{key} {value[0]:.4g}" for key, value in values.items())
        print(f"x = 1000, {name}: {figures}")
    print(f"99.7 % from x = {numbers['improvement_for_997']}")
    print(f"two clicks are faster than EPL from an efficiency of {numbers['efficiency_where_two_clicks_are_faster']:.3f}")


if __name__ == "__main__":
    main()
