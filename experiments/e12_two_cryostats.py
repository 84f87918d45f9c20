r"""Two cryostats with the best published devices: is anything entangled, how often, and what is the least to improve for 0.9 at 1 kHz?

Qubits of T1 = 300 us, T2 = 200 us, in which pairs wait too; 3 dB of couplers and pump filters at each node; detectors of efficiency 0.9
with 10 dark counts per second; 1 us of reset: all assumed. Photon, filter and excitation are free, and the pump where the sheet has a law
of heating. The refrigerator carries 20 uW away: a pump that leaves more there is on for that share of the time.

Expected: by one click N = 0.2071 is the end. Jiang 2023 (N = 100) and the reported 0.57 of Mirhosseini 2020, whose sheet has no waveguide,
are beyond it; the membrane of the library is too slow for these qubits. Sahu 2022 is within it, and further within at a weaker pump: by the
assumed law T^3 = T0^3 + P/G a few milliwatts leave a cold bath, but convert 50 times less than 100 mW, and a hundredth of the time:
entangled, once a second. Transfer and teleportation need both devices' efficiency, and N/eta at the receiver: nothing. Of pairs, the
microwaves leave the device with 0.41, and light beside the selected mode heralds too: hardly anything. Memories as short as these qubits
cannot wait for a second pair: nothing by EPL. At fixed heating the rate goes as g0^2 (less pump, so that it may stay on), and once as the
absorbed share, the detector, each dB of optics or the mode match: the shortest list is g0, with what the fidelity asks of the bath. Where
g0 may not rise, everything else pays alike, and the list is long and its sum flat: one of many that are as short to a few per cent.

The shortest list: the least sum of ln factor over parameters that only improve, subject to both targets, by ``td.maximise``; small entries
are given up where sum and number then cost less. The path takes it one by one, with the knobs where the rate at a fidelity of 0.9 (or, out
of reach, the fidelity) is largest.

Source: the sheets in ``transduce/devices/library``; g0 of Sahu 2022 is recalled there, its heating and pump are assumed.
Run: ``python -m experiments.e12_two_cryostats`` writes ``figures/e12_two_cryostats.png`` and ``.json``.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import transduce as td
from experiments.e09_best_protocol import ebits, given_success
from transduce import parameters
from transduce.devices.catalogue import quantities
from transduce.devices.entry import entry
from transduce.link.emission import emission
from transduce.numerics import TINY
from transduce.protocols.distillation import Distillation
from transduce.protocols.middle_source import MiddleSource
from transduce.protocols.performance import AbstractPerformance
from transduce.protocols.teleportation import Teleportation
from transduce.qubit.detector import Detector
from transduce.qubit.heralded_pair import HeraldedPair
from transduce.qubit.heralding import SEPARABLE_NOISE
from transduce.report.experiment import captioned, publish
from transduce.report.plots import BLUE, GREEN, GREY, VERMILION
from transduce.units import GHz, MHz, dB, km, m, mW, to_hz, us, uW

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e12_two_cryostats.png"
FIDELITY, RATE, LENGTHS = 0.9, 1e3, {"10 m": 10 * m, "1 km": 1 * km}
QUBIT, LOSS = td.Qubit(t1=300 * us, t2=200 * us), 3 * dB
DARK_RATE, WIDEST, EXCITATIONS = 10.0, 20 * MHz, np.geomspace(3e-3, 0.5, 12)
"""Dark counts per second; the widest photon that a qubit emits (assumed)."""
GOAL = td.Targets({"fidelity": td.Bound(min=FIDELITY), "rate": td.Bound(min=RATE, dimension="event rate")})


def settings(photon: Any, filter_bandwidth: Any) -> dict[str, Any]:
    """What all protocols with a station share."""
    shared = {"photon": photon, "filter_bandwidth": filter_bandwidth, "detector": Detector(efficiency=0.9)}
    return shared | {"dark_rate": DARK_RATE, "schedule": td.Schedule(reset=1 * us)}


def cooled(device: td.AbstractDevice) -> td.AbstractDevice:
    """Pumped for as much of the time as the refrigerator bears."""
    share = device.refrigerator_share()
    assert share is not None
    return dataclasses.replace(device, duty_cycle=1 / jnp.maximum(share, 1.0))


def connect(a: td.AbstractDevice, b: td.AbstractDevice, optics: td.Loss, fibre: td.Fibre) -> td.Connection:
    """Two nodes; where their optical carriers differ, a shift without loss is assumed."""
    nodes = (td.Node(qubit=QUBIT, device=cooled(one)) for one in (a, b))
    return td.Connection(*nodes, path=td.Link(out=optics, fibre=fibre, back=optics), frequency_shift=b.frequency_o - a.frequency_o)


# Today


def said(done: AbstractPerformance) -> dict[str, Any]:
    """What the table says of pairs; ``margin``: the coherence over what undoes it, above 1 where they are entangled."""
    even, rho = done.bell == "phi+", done.pair
    pair = HeraldedPair(jnp.real(jnp.diagonal(rho)), rho[0, 3] if even else rho[1, 2], jnp.ones(()), patterns=1, even=even)
    populations, c = given_success(pair)
    one, two = populations[np.array([1, 2] if even else [0, 3])]
    negative = jnp.maximum(jnp.sqrt((one - two) ** 2 / 4 + c**2) - (one + two) / 2, 0.0)
    worth = {"ebits": ebits(pair), "log_negativity": jnp.log2(1 + 2 * negative), "margin": c / jnp.sqrt(jnp.maximum(one * two, TINY))}
    return {"fidelity": done.fidelity, "rate": done.rate, "ebit_rate": done.rate * jnp.maximum(worth["ebits"], 0.0)} | worth


def heralded(a: Any, b: Any, photon: Any, width: Any, fibre: td.Fibre) -> dict[str, Any]:
    """One click at each excitation, also distilled, and two clicks."""
    over, shared = connect(a, b, td.Loss(loss=LOSS), fibre), settings(photon, width)

    def one(excitation: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        protocol = td.OneClick(**shared, excitation=excitation)
        raw = protocol(over)
        return said(raw), said(Distillation(protocol, ("epl",)).distil(raw, over))

    raw, distilled = jax.vmap(one)(jnp.asarray(EXCITATIONS))
    return {"one click": raw, "one click and EPL": distilled, "two clicks": said(td.TwoClick(**shared)(over))}


def paired(a: Any, b: Any, photon: Any, width: Any, fibre: td.Fibre) -> dict[str, Any]:
    """What needs pairs: of both devices, or of a source half-way (2e8 per second within 20 GHz)."""
    optics, shared, blue = td.Loss(loss=LOSS), settings(photon, width), (dataclasses.replace(one, pump="blue") for one in (a, b))
    source = MiddleSource(**shared, pair_rate=2e8, source_bandwidth=20 * GHz)
    pairs = td.PairClick(**shared)(connect(*blue, optics, fibre))
    return {"pairs and one click": said(pairs), "source half-way": said(source(connect(a, b, optics, fibre)))}


def alone(name: str) -> Callable[..., dict[str, Any]]:
    """Teleportation by pairs of the first device, or direct transfer in an encoding of this name."""

    def evaluate(a: Any, b: Any, photon: Any, _: Any, fibre: td.Fibre) -> dict[str, Any]:
        by_pairs = name == "teleportation"
        over = connect(dataclasses.replace(a, pump="blue") if by_pairs else a, b, td.Loss(loss=LOSS), fibre)
        return {name: said((Teleportation("time-bin", photon) if by_pairs else td.Transfer(name, photon))(over))}

    return evaluate


def pumped(name: str) -> list[td.AbstractDevice]:
    """An entry at the pumps that may be chosen: its points or, by its law of heating, from 10 uW to 130 mW."""
    if td.device(name).heats:
        return [td.device(name, pump_power=power) for power in np.geomspace(10 * uW, 130 * mW, 12)]
    return [td.device(name, **(quantities(entry(name), at) if at else {})) for at in ("", *entry(name).points)]


CASES: dict[tuple[str, str], tuple[Callable[..., dict[str, Any]], ...]] = {
    ("sahu-2022", "sahu-2022"): (heralded, paired, *map(alone, ("teleportation", "time-bin", "single-rail"))),
    ("jiang-2023", "jiang-2023"): (heralded,),
    ("sahu-2022", "jiang-2023"): (heralded,),
}


def today(ends: tuple[str, str], ways: tuple[Callable[..., dict[str, Any]], ...]) -> list[dict[str, Any]]:
    """Of each protocol and length the most ebits per second; where there are none the largest negativity, or else the best margin."""
    pairs = [(a, b) for a in pumped(ends[0]) for b in pumped(ends[1])] if ends[0] != ends[1] else [(a, a) for a in pumped(ends[0])]
    widths, filters = np.geomspace(0.3 * MHz, WIDEST, 8), (0.5, 2.0, 8.0)
    knobs = [(a, b, width, ratio, length) for a, b in pairs for width in widths for ratio in filters for length in LENGTHS.values()]
    columns = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *column) for column in zip(*knobs, strict=True)]
    done = [jax.device_get(eqx.filter_jit(jax.vmap(functools.partial(_at, way)))(*columns)) for way in ways]
    rows = []
    for protocol, figures in (item for one in done for item in one.items()):
        for name, length in LENGTHS.items():
            here = np.array([one[4] == length for one in knobs])
            kept = {key: value[here] for key, value in figures.items()}
            best = next((kept[key] for key in ("ebit_rate", "log_negativity") if np.nanmax(kept[key]) > 0), kept["margin"])
            k = np.unravel_index(np.nanargmax(best), best.shape)
            a, _, width, ratio, _ = [one for one in knobs if one[4] == length][k[0]]
            row = {"a": ends[0], "b": ends[1], "protocol": protocol, "length": name} | {key: float(kept[key][k]) for key in kept}
            row |= {"pump_power_w": float(a.pump_power), "photon_bandwidth_hz": float(to_hz(width)), "filter_over_photon": ratio}
            row |= {"excitation": float(EXCITATIONS[k[1]])} if len(k) > 1 else {}
            rows.append(row | {"front": front(kept["rate"].ravel(), kept["fidelity"].ravel())})
    return rows


def _at(way: Callable[..., dict[str, Any]], a: Any, b: Any, width: Any, ratio: Any, length: Any) -> dict[str, Any]:
    return way(a, b, td.Gaussian(bandwidth=width), ratio * width, td.Fibre(length=length))


def front(rate: np.ndarray, fidelity: np.ndarray, least: float = 0.5) -> list[list[float]]:
    """Rates and fidelities that no other choice of knobs beats in both, above a fidelity."""
    best, kept = least, []
    for k in np.argsort(-np.nan_to_num(rate)):
        if fidelity[k] > best + 0.004:
            best = fidelity[k]
            kept.append([float(rate[k]), float(best)])
    return kept


def excluded() -> dict[str, str]:
    """Devices that no grid of knobs is asked about, and why."""
    reported, membrane = float(entry("mirhosseini-2020").reported["added_noise_up"].value), td.device("membrane-example")
    width, noise = membrane.bandwidth_fwhm(), float(membrane.added_noise_input())
    sent, times = float(emission(QUBIT, td.Gaussian(bandwidth=width)).efficiency), "times what one click bears"
    return {
        "mirhosseini-2020": f"no waveguide; the reported {reported:.2f} photons are {reported / SEPARABLE_NOISE:.2g} {times}",
        "membrane-example": f"an illustration, {float(to_hz(width)):.0f} Hz wide: a qubit of 300 us sends {sent:.1g} of such a photon;"
        f" {noise:.2f} photons are {noise / SEPARABLE_NOISE:.2g} {times}",
    }


# What to improve

IMPROVABLE = {
    "device.g0": 100.0,
    "device.kappa_e_int": 1e-2,
    "device.kappa_o_int": 1e-2,
    "device.kappa_e_ext": 30.0,
    "device.kappa_o_ext": 30.0,
    "device.mode_match": 1 / 0.608,
    "device.heating_conductance": 100.0,
    "device.absorbed_fraction": 1e-3,
    "device.temperature": 1 / 6,
    "protocol.detector.efficiency": 1 / 0.9,
    "protocol.dark_rate": 1e-2,
    "optics.loss": 0.0,
}
"""Parameters that may be improved, and at most by what factor."""
KNOBS: dict[str, tuple[float, float]] = {
    "device.pump_power": (0.1 * uW, 200 * mW),
    "protocol.photon.bandwidth": (0.05 * MHz, WIDEST),
    "protocol.filter_bandwidth": (0.05 * MHz, 200 * MHz),
    "protocol.excitation": (1e-4, 0.5),
}


def parts(length: float) -> dict[str, Any]:
    """Sahu 2022 at both ends and one click: one set of parameters."""
    protocol = td.OneClick(**settings(td.Gaussian(bandwidth=8 * MHz), 40 * MHz), excitation=0.08)
    device, stages = td.device("sahu-2022", pump_power=1 * mW), {"optics": td.Loss(loss=LOSS), "fibre": td.Fibre(length=length)}
    return {"device": device, **stages, "protocol": protocol}


BEFORE = {path: float(parameters.get(parts(10 * m), path)) for path in IMPROVABLE}


def run(model: dict[str, Any]) -> AbstractPerformance:
    """The pairs of a model; for use in traced code."""
    return model["protocol"](connect(model["device"], model["device"], model["optics"], model["fibre"]))


def logarithms(model: dict[str, Any]) -> dict[str, Any]:
    """ln of the factor by which each parameter is better, >= 0 and linear there; of a loss in dB, that of its transmission."""
    found = {}
    for path, before in BEFORE.items():
        now = parameters.get(model, path)
        found[path] = (before - now) * np.log(10) / 10 if path == "optics.loss" else np.sign(IMPROVABLE[path] - 1) * jnp.log(now / before)
    return found


def shortness(model: dict[str, Any]) -> Any:
    """Minus the sum of the logarithms, and the figures that have targets."""
    done = run(model)
    return -sum(logarithms(model).values()), {"fidelity": done.fidelity, "rate": done.rate}


def speed(model: dict[str, Any]) -> Any:
    """The logarithm of the rate, and the fidelity."""
    done = run(model)
    return jnp.log(done.rate), {"fidelity": done.fidelity}


PRICE, LISTS = 0.3, (("10 m", 100.0), ("10 m", 3.0), ("10 m", 1.0), ("1 km", 100.0))
"""What one more changed parameter costs, in ln, when small entries are tried without; length, and by how much g0 may rise."""


def box(path: str, factor: float) -> tuple[float, float]:
    """From today's value to that times a factor; for a factor of 1 so narrow that it counts as one."""
    low, high = sorted((BEFORE[path], BEFORE[path] * (factor if factor != 1 else 1 - 1e-5)))
    return low, high


def shortest(length: str, most_coupling: float) -> dict[str, Any]:
    """The shortest list with g0 at most so many times larger."""
    name = f"{length}, " + ("g0 as it is" if most_coupling == 1 else f"g0 up to ×{most_coupling:g}")
    factors, model, kept = IMPROVABLE | {"device.g0": most_coupling}, parts(LENGTHS[length]), None
    while True:
        free = KNOBS | {path: box(path, factor) for path, factor in factors.items()}
        best = td.maximise(shortness, model, free, targets=GOAL, starts=16 if kept is None else 8, steps=600)
        changes = {path: size for path, value in logarithms(best.model).items() if factors[path] != 1 and (size := float(value)) > 0.02}
        price = PRICE * len(changes) - best.value if all(row.met for row in best.targets) else np.inf
        if kept is not None and price >= kept["price"]:
            return kept
        after = {path: row.after for path, row in best.free.items() if path in KNOBS or path in changes}
        known = {"name": name, "length": length, "cost": -best.value, "price": price, "agreement": best.agreement}
        kept = known | {"changes": changes, "after": after} | {row.name: row.value for row in best.targets}
        factors = {path: factor if changes.get(path, 0.0) > PRICE else 1.0 for path, factor in factors.items()}
        model = tuned(best.model)[0]


@eqx.filter_jit
def pulls(model: dict[str, Any], weight: Any) -> dict[str, Any]:
    """Elasticities of rate^weight x fidelity^(1 - weight)."""

    def merit(one: dict[str, Any]) -> Any:
        done = run(one)
        return done.rate**weight * done.fidelity ** (1 - weight)

    return td.elasticities(merit, model)


def tuned(model: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """All knobs where the rate at the fidelity that is asked for is largest; the figures; and what the improvable parameters pull there."""
    best = td.maximise(speed, model, KNOBS, targets=td.Targets({"fidelity": GOAL.bounds["fidelity"]}), starts=16, steps=300)
    weight = 1 / (1 - best.targets[0].multiplier) if best.targets[0].met else 0.0  # d ln rate = -multiplier d ln fidelity along the bound
    done = eqx.filter_jit(run)(best.model)
    slopes = {path: float(value) for path, value in pulls(best.model, np.asarray(weight)).items() if path in BEFORE}
    scale = weight or 1.0
    return best.model, {"rate": float(done.rate), "fidelity": float(done.fidelity)}, {path: value / scale for path, value in slopes.items()}


def stepwise(found: dict[str, Any]) -> list[dict[str, Any]]:
    """From today to the goal, next the change of the largest elasticity times logarithm; what a list holds beyond that is left out."""
    model, figures, slopes = tuned(parts(LENGTHS[found["length"]]))
    steps, left = [{"change": "today"} | figures | {"elasticities": slopes}], dict(found["changes"])
    while left and (figures["rate"] < RATE or figures["fidelity"] < FIDELITY):
        gains = {path: abs(slopes[path]) * (1.0 if path == "optics.loss" else size) for path, size in left.items()}
        path = max(gains, key=lambda one: gains[one])
        del left[path]
        tries = [tuned(parameters.replace(model, {name: found["after"][name] for name in one})) for one in ((path,), (path, *KNOBS))]
        model, figures, slopes = max(tries, key=lambda one: (min(one[1]["fidelity"], FIDELITY), one[1]["rate"]))
        steps.append({"change": path} | figures | {"elasticities": slopes})
    return steps


def compute() -> dict[str, Any]:
    """All numbers of the figure."""
    rows = [row for ends, ways in CASES.items() for row in today(ends, ways)]
    lists = [shortest(*one) for one in LISTS]
    paths = [stepwise(one) for one in lists]
    return {"today": rows, "excluded": excluded(), "before": BEFORE, "lists": lists, "paths": paths}


NAMES = {
    "device.g0": "coupling g0",
    "device.kappa_e_int": "microwave loss",
    "device.kappa_o_int": "optical loss",
    "device.mode_match": "mode match",
    "device.absorbed_fraction": "absorbed share of pump",
    "device.temperature": "bath temperature",
    "protocol.detector.efficiency": "detector",
    "optics.loss": "couplers, filters",
}


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: rates and fidelities today, the goal and the paths to it; and the lists."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    for axes, part in zip(figure.subplots(1, 2, width_ratios=[1.25, 1]), (_plane, _factors), strict=True):
        part(axes, numbers)
    caption = (
        "Qubits with T1 = 300 µs, T2 = 200 µs, 3 dB of couplers and filters per node, detectors of 0.9 with 10 dark counts per second"
        " (assumed); knobs at their best; a pump\nthat leaves more than 20 µW is on for so much less of the time. Sahu 2022: g0 recalled,"
        " heating assumed. Jiang 2023, at one end or both: nothing is entangled by\nphotons of conversion. Mirhosseini 2020: no waveguide."
        " The factor of couplers and filters is that of their transmission."
    )
    captioned(figure, caption, path)


def _plane(axes: Any, numbers: dict[str, Any]) -> None:
    for row in numbers["today"]:
        if row["b"] == "sahu-2022" and row["protocol"] in ("one click", "two clicks"):
            style = "-" if row["length"] == "10 m" else ":", BLUE if row["protocol"] == "one click" else GREEN
            label = f"today, {row['protocol']}, {row['length']}"
            axes.plot(*zip(*row["front"], strict=True), style[0], color=style[1], linewidth=1.6, label=label)
    for colour, below, found, steps in zip((VERMILION, GREY), (False, True), numbers["lists"], numbers["paths"], strict=False):
        rates, fidelities = ([step[key] for step in steps] for key in ("rate", "fidelity"))
        axes.plot(rates, fidelities, ".-", color=colour, markersize=9, linewidth=1.2, label="path: " + found["name"])
        for k, place in enumerate(zip(rates, fidelities, strict=True)):
            offset = {"xytext": (0, -22 + 9 * (k % 2)) if below else (0, 6), "textcoords": "offset points"}
            axes.annotate(str(k), place, **offset, ha="center", fontsize=8, color=colour)
    axes.fill_between([RATE, 1e6], FIDELITY, 1.0, color=GREEN, alpha=0.15)
    axes.text(1.2 * RATE, 0.985, "goal: 0.9 at 1 kHz", fontsize=9, va="top")
    axes.set(xscale="log", xlim=(1e-5, 1e6), ylim=(0.5, 1.0), title="Sahu 2022 at both ends: today, and on the way")
    axes.set(xlabel="pairs per second", ylabel="fidelity of a pair (1/2: a product state)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.15))


def _factors(axes: Any, numbers: dict[str, Any]) -> None:
    place, rows = 0.0, {}
    for found, steps, colour in zip(numbers["lists"], numbers["paths"], (VERMILION, GREY, GREY, GREY), strict=True):
        axes.text(1.05, place, f"{found['name']}: {steps[-1]['rate']:.0f} /s at {steps[-1]['fidelity']:.3f}", fontsize=9, va="center")
        for k, step in enumerate(steps[1:], 1):
            factor = float(np.exp(found["changes"][step["change"]]))
            axes.barh(place + k, factor - 1, left=1, color=colour, height=0.7)
            label = f"×{factor:.3g}, then {step['rate']:.{0 if step['rate'] > 100 else 1}f} /s"
            axes.text(factor * 1.08, place + k, label, fontsize=8, va="center")
            rows[place + k] = f"{NAMES.get(step['change'], step['change'])}  {k}"
        place += len(steps) + 0.6
    axes.set_yticks(list(rows), list(rows.values()), fontsize=8)
    axes.set(xscale="log", xlim=(1, 1e4), ylim=(place - 0.5, -0.8), xlabel="better by a factor of", title="the least to improve")
    axes.grid(alpha=0.25, axis="x")


def main() -> None:
    """Compute, write the JSON and the figure, print the tables."""
    numbers = publish(compute(), FIGURE, draw)
    for row in numbers["today"]:
        figures = f"{row['rate']:>10.3g} pairs/s {row['ebit_rate']:>10.3g} ebits/s  E_N {row['log_negativity']:<8.3g}"
        what = f"{row['a']:11}{row['b']:11}{row['protocol']:24}{row['length']:6}F {row['fidelity']:<7.3f}"
        print(f"{what}{figures}margin {row['margin']:.3g}")
    print("\n".join(f"{name}: {why}" for name, why in numbers["excluded"].items()))
    for found, steps in zip(numbers["lists"], numbers["paths"], strict=True):
        print(f"{found['name']}: sum of logarithms {found['cost']:.3f}, {found['agreement']} starts agree")
        for step in steps:
            factor = np.exp(found["changes"].get(step["change"], 0.0))
            print(f"  {NAMES.get(step['change'], 'today'):26}x{factor:<8.3g}{step['rate']:>10.4g} pairs/s at {step['fidelity']:.4f}")


if __name__ == "__main__":
    main()
