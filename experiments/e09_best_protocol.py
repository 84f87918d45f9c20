r"""Which protocol makes the most ebits per second between two transducers of efficiency η and added noise N?

Two equal transducers, each t = √η with n = ηN at its output, 1 km of fibre, photons of 1 us, one memory per node, perfect qubits. Direct
transfer passes both and the fibre; photons that meet half-way pass one of them. Ebits per second are attempts per second x success x the
coherent information of a pair; where there is an excitation it is the best one, by a grid and Newton's method. A pair source is comparable
where the transducer has no internal loss and its noise enters with the microwaves: then η = 4C/(1+C)^2 pumped red, and pumped blue with
at most the same C it squeezes thermal microwaves of N photons with at most :math:`\bar n = 4C/(1-C)^2 = \eta/(1-\eta)` pairs.

Expected, pumped red: without noise one click of a weak link gives 0.112 ηη_c ebits per attempt (excited with 0.15; η_c of fibre and
detector), one round of EPL at most α(1-α)^2 ηη_c/2 = 0.074 ηη_c, two clicks (ηη_c)^2/2 and a transfer η^2: one click at small η, transfer
at large. EPL and two clicks only where noise has spoiled the others: the second device of a transfer adds N/η at the input, and one click's
pairs are spoilt first. What meets half-way stays entangled up to N(1 + N) = 1/4, N = 0.2071, by one click, EPL and two clicks alike, while
links are weak and dark counts few; an ebit by hashing needs less. Blue wins where η < 1/2: nothing is weakly excited, so p = 2ηη_c, 18
times more, and its noise is no false count. No device that is published gives an ebit by hashing: the best of them have N > 0.1.

Source: the closed forms of ``transduce/qubit``; devices: ``transduce/devices/library``, each value with its status.
Run: ``python -m experiments.e09_best_protocol`` writes ``figures/e09_best_protocol.png`` and ``.json``.
"""

import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.linalg import expm

import transduce as td
from transduce.devices.catalogue import entry, names, quantities
from transduce.devices.entry import figure, library
from transduce.gaussian.channel import ModeChannel
from transduce.numerics import DARK, sqrt
from transduce.qubit.detector import Detector
from transduce.qubit.encodings import Process, SingleRail, TimeBin
from transduce.qubit.heralded_pair import HeraldedPair
from transduce.qubit.heralding import SEPARABLE_NOISE
from transduce.report.experiment import captioned, publish
from transduce.report.plots import BLUE, GREEN, GREY, PURPLE, VERMILION
from transduce.units import km, us

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e09_best_protocol.png"
LENGTH, PHOTON, RESET = 1 * km, 1 * us, 1 * us
EFFICIENCY, DARK_RATE = 0.9, 1.0
"""Of a detector; dark counts per second."""
RED = ("single rail", "time bin", "one click", "one click and EPL", "two clicks")
WAYS = (*RED, "pairs and one click")
LETTERS = dict(zip((*WAYS, "entangled", "nothing"), "st1e2p. ", strict=True))
"""How a map names the best way of a cell: entangled, but no ebits by hashing; or not even that."""
COLOURS = (GREEN, BLUE, VERMILION, "#F0E442", PURPLE, "#56B4E9", "#DDDDDD", "white")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))
REGION = {"efficiency": (1e-6, 1.0), "added_noise": (1e-4, 10.0)}
Scalar = Float[Array, ""]
Excited = Callable[[Scalar], tuple[HeraldedPair, Scalar]]


class Found(NamedTuple):
    """One way over one connection: ebits per second, where it gives any; what it takes; and whether any excitation leaves entanglement."""

    ebit_rate: Scalar
    fidelity: Scalar
    rate: Scalar
    excitation: Scalar
    entangled: Bool[Array, ""]


def given_success(pair: HeraldedPair) -> tuple[Scalar, Scalar]:
    """Populations and modulus of the coherence, the weight that left the qubits filled up; of nothing, a fully mixed pair."""
    dark = pair.probability < DARK
    safe = jnp.where(dark, 1.0, pair.probability)
    populations = jnp.where(dark, 0.0, pair.populations / safe)
    coherence = jnp.where(dark, 0.0, pair.coherence / safe)
    return populations + (1 - jnp.sum(populations)) / 4, sqrt(coherence.real**2 + coherence.imag**2)


def bits(weights: Any) -> Scalar:
    """Entropy."""
    return -jnp.sum(weights * jnp.log2(jnp.maximum(weights, 1e-100)))


def ebits(pair: HeraldedPair) -> Scalar:
    """``qubit.entanglement.coherent_information`` where there is one coherence, without the search for eigenvalues."""
    (p00, p01, p10, p11), c = given_success(pair)
    (one, two), apart = ((p00, p11), (p01, p10)) if pair.even else ((p01, p10), (p00, p11))
    half = sqrt((one - two) ** 2 / 4 + c**2)
    joint = bits(jnp.stack([*apart, (one + two) / 2 + half, jnp.maximum((one + two) / 2 - half, 0.0)]))
    local = jnp.maximum(bits(jnp.stack([p00 + p01, p10 + p11])), bits(jnp.stack([p00 + p10, p01 + p11])))
    return local - joint


def is_entangled(pair: HeraldedPair) -> Bool[Array, ""]:
    """Whether the partial transpose is negative."""
    (p00, p01, p10, p11), c = given_success(pair)
    return c**2 > (p01 * p10 if pair.even else p00 * p11)


def distilled(pair: HeraldedPair) -> HeraldedPair:
    """A round of EPL on two equal pairs."""
    populations, c = given_success(pair)
    both = populations * populations[::-1]
    return HeraldedPair(both, c**2 + 0j, jnp.sum(both), patterns=1)


def transferred(process: Process) -> HeraldedPair:
    """Half of a pair after a transfer."""
    choi, success = process.choi_heralded, process.success_probability
    choi, success = (process.choi, jnp.ones(())) if choi is None or success is None else (choi, success)
    return HeraldedPair(success * jnp.real(jnp.diagonal(choi)), success * choi[0, 3], success, patterns=1, even=True)


def attempts(photons: int, messages: float) -> Scalar:
    """Per second; messages in passages of the whole fibre."""
    travel = messages * td.Fibre(length=LENGTH).prepare().delay
    return td.Schedule(reset=RESET).attempt(jnp.asarray(photons * PHOTON), travel).rate


def ways(eta: Scalar, noise: Scalar, detector: Detector) -> dict[str, tuple[Excited, Scalar | None]]:
    """Each way: excitation -> (pair, kept pairs per success and second of attempts); and the largest excitation, None: it has none."""
    fibre = td.Fibre(length=LENGTH).prepare().response(jnp.zeros(())).u
    out, half = ModeChannel(sqrt(eta), eta * noise), ModeChannel(sqrt(jnp.abs(fibre)), 0.0)
    arm, through = out.then(half), out.then(ModeChannel(fibre, 0.0)).then(out)

    def one(x: Scalar) -> HeraldedPair:
        return td.one_click(arm, arm, x, x, detector)

    def twice(x: Scalar) -> tuple[HeraldedPair, Scalar]:
        return distilled(one(x)), attempts(1, 1.0) * one(x).success_probability / 2

    def pairs(x: Scalar) -> HeraldedPair:
        made = td.squeezed_pair(x, ModeChannel(1.0), half, noise)
        return td.pair_click(made, made, detector)

    return {
        "single rail": (lambda _: (transferred(SingleRail().process(through)), attempts(1, 1.0)), None),
        "time bin": (lambda _: (transferred(TimeBin().process(through)), attempts(2, 2.0)), None),
        "one click": (lambda x: (one(x), attempts(1, 1.0)), jnp.asarray(0.5)),
        "one click and EPL": (twice, jnp.asarray(0.5)),
        "two clicks": (lambda _: (td.two_click(arm, arm, detector), attempts(2, 1.0)), None),
        "pairs and one click": (lambda x: (pairs(x), attempts(1, 1.0)), jnp.minimum(0.5, eta / jnp.maximum(1 - eta, DARK))),
    }


def found(way: Excited, most: Scalar | None) -> Found:
    """The way at its best excitation, within four decades: a grid on its logarithm, five times narrowed to the best point's neighbours."""

    def at(excitation: Scalar, entangled: Scalar | None = None) -> Found:
        pair, per_second = way(excitation)
        rate = per_second * pair.success_probability
        return Found(rate * ebits(pair), pair.fidelity, rate, excitation, is_entangled(pair) if entangled is None else entangled)

    def narrow(_: Any, held: tuple[Scalar, Scalar, Scalar]) -> tuple[Scalar, Scalar, Scalar]:
        low, high, entangled = held
        grid = jnp.linspace(low, high, 13)
        seen = jax.vmap(lambda log: at(jnp.exp(log)))(grid)
        k = jnp.argmax(seen.ebit_rate)
        return grid[jnp.maximum(k - 1, 0)], grid[jnp.minimum(k + 1, 12)], entangled | jnp.any(seen.entangled)

    if most is None:
        return at(jnp.zeros(()))
    top = jnp.log(most)
    low, high, entangled = jax.lax.fori_loop(0, 5, narrow, (top - np.log(1e4), top, jnp.zeros((), bool)))
    return at(jnp.exp((low + high) / 2), entangled)


def connection(eta: Scalar, noise: Scalar, dark: Scalar) -> dict[str, Found]:
    """All ways over one connection; ``dark``: counts of a detector per photon."""
    all_ways = ways(eta, noise, Detector(efficiency=EFFICIENCY, dark_probability=dark))
    return {name: found(way, most) for name, (way, most) in all_ways.items()}


many = eqx.filter_jit(jax.vmap(connection))
"""Efficiencies, noises and dark counts, shape (k,) each -> all figures of all ways, shape (k,)."""


def brute(eta: float, noise: float, excitation: float, dark: float, levels: int = 9) -> tuple[float, float]:
    """One click by matrices in Fock space, at one excitation: success probability and fidelity."""
    lower, vacuum = np.diag(np.sqrt(np.arange(1.0, levels)), 1), np.eye(levels)[:, :1]
    kept = EFFICIENCY * float(td.Fibre(length=LENGTH / 2).prepare().response(jnp.zeros(())).u.real) ** 2 * eta
    n, hop, squeeze = kept * noise, np.kron(lower.T, lower), np.kron(lower, lower)
    angles = np.arccos(np.sqrt(kept / (1 + n))), np.arccosh(np.sqrt(1 + n))
    steps = [expm(angle * (one - one.T)) for angle, one in zip(angles, (hop, squeeze.T), strict=True)]
    sent = np.zeros((2, 2, levels, levels))
    for i, j in np.ndindex(2, 2):
        sent[i, j, i, j] = 1.0
        for step in steps:
            joint = step @ np.kron(sent[i, j], vacuum @ vacuum.T) @ step.T
            sent[i, j] = np.trace(joint.reshape((levels,) * 4), axis1=1, axis2=3)
    dim, splitter = vacuum @ vacuum.T, expm(np.pi / 4 * (hop - hop.T))
    click = splitter.T @ np.kron(np.eye(levels) - (1 - dark) * dim, (1 - dark) * dim) @ splitter
    effect = np.einsum("PQpq,xypP,uvqQ->xuyv", click.reshape((levels,) * 4), sent, sent, optimize=True)
    psi = np.outer(*[np.sqrt([1 - excitation, excitation])] * 2)
    state = np.einsum("xu,yv,xuyv->xuyv", psi, psi, effect).reshape(4, 4)
    success = np.trace(state)
    return 2 * success, (state[1, 1] + state[2, 2] + 2 * abs(state[1, 2])) / (2 * success)


def devices() -> list[dict[str, Any]]:
    """Efficiency and added noise (microwave to optics where the source says) of devices that run, and of others as reported."""
    rows: list[dict[str, Any]] = []
    for name in names():
        for at in ("", *entry(name).points):
            device = td.device(name, **(quantities(entry(name), at) if at else {}))
            efficiency, noise = float(device.efficiency()), float(device.added_noise_input())
            if efficiency > DARK:
                rows.append({"device": name, "at": at, "source": "model", "efficiency": efficiency, "added_noise": noise})
    for name in library():
        said = {key: value for key, value in entry(name).reported.items() if value.status != "recalled"}
        noises = {value.at: value for key, value in reversed(said.items()) if figure(key) in ("added_noise", "added_noise_up")}
        powers = {value.at: value for key, value in reversed(said.items()) if figure(key) in ("efficiency", "efficiency_end_to_end")}
        for at in sorted(noises.keys() & powers.keys()):
            point = {"efficiency": float(powers[at].value), "added_noise": float(noises[at].value)}
            rows.append({"device": name, "at": at, "source": "reported"} | point)
    return rows


def axes_of(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Efficiencies and noises of the map."""
    return np.geomspace(*REGION["efficiency"], size), np.geomspace(*REGION["added_noise"], size)


EDGES, WEAK, SLICES = np.geomspace(1e-3, 10, 4000), (1e-6, 1e-4, 1e-2, 0.3), (0.001, 0.02)
"""Noises and efficiencies of the frontier without dark counts; noises along which the ways are drawn."""


def evaluated(size: int, points: list[dict[str, Any]]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, float]]:
    """Ebits per second and entanglement of each way over (map, frontier, devices) in one go, and how long that took."""
    (eta, noise), weak = np.meshgrid(*axes_of(size)), np.meshgrid(WEAK, EDGES, indexing="ij")
    etas = np.concatenate([eta.ravel(), weak[0].ravel(), [row["efficiency"] for row in points]])
    noises = np.concatenate([noise.ravel(), weak[1].ravel(), [row["added_noise"] for row in points]])
    darks = np.where((np.arange(etas.size) >= size**2) & (np.arange(etas.size) < size**2 + weak[0].size), 0.0, DARK_RATE * PHOTON)
    jax.block_until_ready(many(etas, noises, darks))
    spent = [time.perf_counter()]
    done = jax.block_until_ready(many(etas, noises, darks))
    spent.append(time.perf_counter())
    for _ in range(5):
        brute(1e-2, 0.1, 0.1, 1e-6)
        spent.append(time.perf_counter())
    each, one = (spent[1] - spent[0]) / etas.size, float(np.median(np.diff(spent[1:])))
    timing = {"connections": etas.size, "seconds": spent[1] - spent[0], "seconds_each": each, "seconds_brute_force_one_click": one}
    rates = {name: np.asarray(done[name].ebit_rate) for name in WAYS}
    return rates, {name: np.asarray(done[name].entangled) for name in WAYS}, timing | {"ratio": each / one}


def lettered(rates: dict[str, np.ndarray], entangled: dict[str, np.ndarray], among: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The best way of each cell by its letter, and its ebits per second."""
    table = np.stack([rates[name] for name in among])
    top, letters = table.max(axis=0), np.array([LETTERS[name] for name in among])[table.argmax(axis=0)]
    either = np.any([entangled[name] for name in among], axis=0)
    return np.where(top > 0, letters, np.where(either, LETTERS["entangled"], LETTERS["nothing"])), np.maximum(top, 0.0)


def packed(values: np.ndarray) -> str:
    """log10, two digits after the point; "-" where nothing is left."""
    return " ".join(f"{np.log10(value):.2f}" if value > 0 else "-" for value in values)


def unpacked(text: str) -> np.ndarray:
    """The same back, NaN where nothing is left."""
    return np.array([np.nan if word == "-" else float(word) for word in text.split(" ")])


def frontier(rates: dict[str, np.ndarray], entangled: dict[str, np.ndarray]) -> dict[str, Any]:
    """The largest noise of each way, at each efficiency of WEAK without dark counts, that leaves entanglement, and that leaves ebits."""

    def last(kept: np.ndarray) -> list[float | None]:
        return [float(EDGES[row][-1]) if row.any() else None for row in kept.reshape(len(WEAK), -1)]

    return {name: {"entangled": last(entangled[name]), "ebits": last(rates[name] > 0)} for name in WAYS}


def compute(size: int = 320, letters: int = 2, numbers: int = 4) -> dict[str, Any]:
    """All numbers of the figure; every so many cells of the map are kept."""
    points = devices()
    rates, entangled, timing = evaluated(size, points)
    cut, end = size**2, size**2 + len(WEAK) * EDGES.size
    weak = frontier(*({name: values[cut:end] for name, values in table.items()} for table in (rates, entangled)))
    maps = {}
    for title, among in (("red", RED), ("red or blue", WAYS)):
        best, rate = lettered(rates, entangled, among)
        grid, value = best[:cut].reshape(size, size), rate[:cut].reshape(size, size)
        rows = {"best": ["".join(row) for row in grid[::letters, ::letters]]}
        maps[title] = rows | {"log10_ebit_rate": [packed(row) for row in value[::numbers, ::numbers]]}
        for row, letter, ebit in zip(points, best[end:], rate[end:], strict=True):
            row[title] = {"best": next(name for name, known in LETTERS.items() if known == letter), "ebit_rate_per_s": float(ebit)}
    slices = {}
    for noise in SLICES:
        k = int(np.argmin(np.abs(np.log(axes_of(size)[1] / noise))))
        along = {name: values[:cut].reshape(size, size)[k] for name, values in rates.items()}
        slices[str(noise)] = {name: packed(values[::numbers]) for name, values in along.items()}
    kept = {"efficiency_frontier": list(WEAK), "frontier_without_dark_counts": weak, "timing": timing, "devices": points}
    return {"size": size, "every": [letters, numbers], "maps": maps, "slices": slices} | kept


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: the best way over efficiency and noise, pumped red or either; and all ways along two lines of it."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    canvas = Figure(figsize=(11.5, 9.6), layout="constrained")
    maps, lines = canvas.subplots(2, 2, height_ratios=[1.35, 1])
    for axes, title in zip(maps, ("red", "red or blue"), strict=True):
        _map(axes, numbers, title)
        _marks(axes, numbers["devices"])
    for axes, (noise, along) in zip(lines, numbers["slices"].items(), strict=True):
        _lines(axes, axes_of(numbers["size"])[0][:: numbers["every"][1]], noise, along)
    handles: list[Any] = [Patch(facecolor=colour, edgecolor=GREY, label=name) for name, colour in zip(WAYS, COLOURS[:6], strict=True)]
    handles += [
        Patch(facecolor=COLOURS[6], edgecolor=GREY, label="entangled, but no ebits by hashing"),
        Line2D([], [], color="black", linewidth=0.9, label="ebits per second"),
        Line2D([], [], color=GREY, linestyle=":", label="N = 0.2071: the end of one click of weak links"),
        Line2D([], [], marker="o", color="black", linestyle="none", label="device, by the model"),
        Line2D([], [], marker="o", color="black", markerfacecolor="white", linestyle="none", label="device, as reported"),
    ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8.5, frameon=False)
    caption = (
        "Two equal transducers, 1 km of fibre, photons of 1 µs, 1 µs of reset, one perfect memory per node, detectors of efficiency 0.9"
        " with one dark count per second; ebits by hashing. Blue: a device without\ninternal loss, whose noise enters with the microwaves,"
        " pumped at most as strongly as for conversion. Triangles: noise above the map. Efficiencies are not alike (on the chip, of the"
        " set-up, to the click);\nof Warner 2025 the noise's direction is not known; membrane-example is an illustration."
    )
    captioned(canvas, caption, path)


def _map(axes: Any, numbers: dict[str, Any], title: str) -> None:
    from matplotlib.colors import ListedColormap

    order = "".join(LETTERS.values())
    cells = np.array([[order.index(letter) for letter in row] for row in numbers["maps"][title]["best"]])
    rates = np.stack([unpacked(row) for row in numbers["maps"][title]["log10_ebit_rate"]])
    fine, coarse = numbers["every"]
    etas, noises = axes_of(numbers["size"])
    axes.pcolormesh(etas[::fine], noises[::fine], cells, cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=7.5, shading="nearest", alpha=0.75)
    axes.contour(etas[::coarse], noises[::coarse], rates, levels=range(5), colors="black", linewidths=0.9, linestyles="solid")
    known = np.isfinite(rates[0])
    for level in range(5):
        x = np.exp(np.interp(level, rates[0][known], np.log(etas[::coarse][known])))
        axes.text(x, 1.2e-4, f"{10**level:g}/s", rotation=90, ha="left", va="bottom", fontsize=8)
    axes.axhline(SEPARABLE_NOISE, color=GREY, linestyle=":", linewidth=1.2)
    what = "pumped red: conversion" if title == "red" else "pumped red or blue: conversion or pairs"
    axes.set(xscale="log", yscale="log", xlim=REGION["efficiency"], ylim=REGION["added_noise"], title=what, xlabel="efficiency η")
    axes.set_ylabel("added noise at the input N (photons)")


PLACES = {
    "sahu-2022": {"low": (8, 1, "left"), "max": (-7, -2, "right")},
    "zhao-2025": {"": (-7, -3, "right"), "low_noise": (-7, -3, "right")},
    **{name: {"": (-7, -3, "right")} for name in ("warner-2025", "urmey-2025")},
    "weaver-2024": {"": (-7, -9, "right")},
    "membrane-example": {"": (4, 8, "right")},
    "mirhosseini-2020": {"": (7, -3, "left")},
    "higginbotham-2018": {"": (10, -15, "right")},
    "jiang-2023": {"": (7, -7, "left")},
}
"""Where a device's name stands beside its mark."""


def _marks(axes: Any, points: list[dict[str, Any]]) -> None:
    top = REGION["added_noise"][1]
    named: set[tuple[str, str]] = set()
    for row in points:
        above, place = row["added_noise"] > top, (row["efficiency"], min(row["added_noise"], top))
        face = "black" if row["source"] == "model" else "white"
        axes.plot(*place, "^" if above else "o", color="black", markerfacecolor=face, markersize=6, clip_on=False, zorder=3)
        known = row["device"], row["at"]
        if row["at"] in PLACES.get(row["device"], {}) and known not in named:
            named.add(known)
            x, y, side = PLACES[row["device"]][row["at"]]
            axes.annotate(row["device"], place, xytext=(x, y), textcoords="offset points", ha=side, fontsize=7.5)


def _lines(axes: Any, etas: np.ndarray, noise: str, along: dict[str, str]) -> None:
    for (name, text), colour, style in zip(along.items(), COLOURS, LINES, strict=False):
        shown = "#B8A800" if colour == "#F0E442" else colour
        axes.plot(etas, 10 ** unpacked(text), linestyle=style, color=shown, label=name, linewidth=1.8)
    axes.set(xscale="log", yscale="log", xlim=REGION["efficiency"], ylim=(1e-3, 1e6), xlabel="efficiency η", title=f"N = {noise}")
    axes.set_ylabel("ebits per second")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)


def main() -> None:
    """Compute, write the JSON and the figure, print what is expected above."""
    numbers = publish(compute(), FIGURE, draw)
    for name, ends in numbers["frontier_without_dark_counts"].items():
        shown = {key: " ".join("-" if end is None else f"{end:.4f}" for end in found) for key, found in ends.items()}
        print(f"{name:20} entangled up to N = {shown['entangled']}, ebits up to {shown['ebits']}, at η = {WEAK}")
    for row in numbers["devices"]:
        what = ", ".join(f"{pump}: {row[pump]['best']} {row[pump]['ebit_rate_per_s']:.3g}/s" for pump in ("red", "red or blue"))
        print(f"{row['device']:18}{row['at']:10}{row['source']:9}η {row['efficiency']:<9.3g}N {row['added_noise']:<8.3g}{what}")
    spent = numbers["timing"]
    print(f"{spent['connections']} connections, all ways and their best excitations: {spent['seconds_each'] * 1e6:.0f} us each,", end=" ")
    print(f"{spent['ratio']:.2g} of one click by matrices at one excitation")


if __name__ == "__main__":
    main()
