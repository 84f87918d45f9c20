r"""A gate that cuts the photon, against sums of exponentials by hand (decaying, rising) and fine sums in time (sech, Gaussian).

Two arms of one damped mode each, then a Lorentzian filter K; behind it the noise :math:`n_i = c_i|h|^2`, whose correlation is
:math:`C(\tau) = c_i\frac K4 e^{-K|\tau|/2}`: so :math:`\phi n_W = 2\,\mathrm{Re}\int g^* y`, with :math:`y' = \frac{c_iK}4 g - \frac K2 y`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from tests.link.packets import LEGENDRE, RUNNING, WEIGHTS
from transduce.link.gating import Packets, best_gate, edge_of, gated
from transduce.link.quadrature import nodes
from transduce.link.wavepacket import Decaying, Gaussian, Rising, Sech
from transduce.numerics import abs2
from transduce.units import ns

NOISE, POWERS = np.array([0.3, 0.7]), np.array([1.0, 0.5])
BEHIND, TIMES = 0.7, np.array([-1.5, 0.4, 2.0, 3.0, 8.0])
"""A pole behind the second cut mode, and when it is looked at."""
NAMES = ("kappa_a", "kappa_b", "detuning", "filter", "later", "length", "shift", "start", "bandwidth")
USUAL = dict(zip(NAMES, (3.0, 2.0, 0.4, 8.0, 0.5, 4.0, 0.4, np.nan, 1.0), strict=True))
"""A start that is not a number: the best one, moved by ``shift``."""
OPEN = [{"length": T, "shift": s} for T, s in ((0.05, 0), (0.3, 1.0), (0.7, 0), (2.0, 0), (2.0, 1.0), (4.0, 0), (4.0, -1.5), (9.0, 0))]
WIDE = [{"length": T, "shift": 0.0, "filter": 100.0} for T in (0.3, 4.0)]
NARROW = [{"length": T, "shift": 0.0, "kappa_a": 0.5, "detuning": 0.1} for T in (2.0, 20.0)]
QUICK = {name: value * (ns if name in ("later", "length", "start") else 1 / ns) for name, value in USUAL.items()} | {"shift": 0.0}
CASES = {
    "agreeing": [*OPEN, *WIDE, *NARROW],
    "long": [{"length": 400.0, "shift": 0.0}],
    "nothing": [{"length": 0.0}, {"length": 1e-12}],
    "before": [{"start": -40.0}],
    "units": [{"shift": 0.0}, QUICK],
    "halves": [{"start": -1.0}, {"start": -1.0, "length": 2.0}, {"start": 1.0, "length": 2.0}],
}
SHAPES: dict[str, Any] = {"sech": Sech, "gaussian": Gaussian, "decaying": Decaying, "rising": Rising}
EDGED = ("decaying", "rising")
VARIED = [name for name in NAMES if name != "start"]
STENCIL, STEP = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}, 1e-2
AROUND = [{name: USUAL[name] * (1 + STEP * k * sign)} for name in VARIED for k in STENCIL for sign in (1, -1)]


class Found(NamedTuple):
    """Where the gate starts, what it leaves, the second cut mode behind a pole, and all of it without a cut."""

    start: Any
    fractions: Any
    overlap: Any
    noise: Any
    behind: Any
    whole: Any


def scene(edged: bool, which: Any, x: Any) -> Found:
    """Of two shapes one, both with an edge or both smooth."""
    kappa_a, kappa_b, detuning, k, later, length, shift, start, bandwidth = x
    packet, other = (shape(bandwidth=bandwidth) for shape in list(SHAPES.values())[2 * edged : 2 * edged + 2])

    def either(ask: Callable[[Any], Any]) -> Any:
        return jnp.where(which, ask(other), ask(packet))

    widths = jnp.append(jnp.stack([kappa_a, kappa_b, k]) / 2, either(lambda one: one.features()[1][0]))
    grid = nodes(jnp.array([0.0, 1.0, 0.0, 0.0]) * detuning, widths)
    h, poles = k / 2 / (k / 2 - 1j * grid.omega), jnp.stack([kappa_a / 2 + 0j, kappa_b / 2 + 1j * detuning])
    sent = either(lambda one: jax.vmap(one.spectrum)(grid.omega)) * h
    modes = sent[:, None] / (poles - 1j * grid.omega[:, None])
    modes = modes / jnp.sqrt(grid.weight @ abs2(modes))
    packets = Packets(grid, modes, later, either(lambda one: one.duration) + 4 / jnp.min(widths), edge_of(packet))
    best = best_gate(packets, length, POWERS)
    cut = gated(packets, best._replace(start=jnp.where(jnp.isnan(start), best.start + shift, start)))
    spectra = abs2(h)[:, None] * NOISE
    whole = packets.overlap(), grid.weight @ (abs2(modes) * spectra)
    behind = cut.after(1, 1 / (BEHIND - 1j * grid.omega), TIMES - later)
    return Found(cut.starts[0], cut.fractions, cut.overlap, cut.noise(spectra), behind, whole)


@functools.cache
def compiled(edged: bool) -> Any:
    return jax.jit(jax.vmap(lambda which, x, dx: jax.jvp(lambda y: scene(edged, which, y), (x,), (dx,))))


@functools.cache
def answers(shape: str) -> dict[str, tuple[Found, Found]]:
    """Every case, and slopes with each parameter; with the length where not said."""
    edged, which = divmod(list(SHAPES).index(shape), 2)
    cases = CASES | {"slopes": [{}] * len(VARIED), "around": AROUND}
    lanes = [[(USUAL | one)[name] for name in NAMES] for many in cases.values() for one in many]
    along = {name: [{"length": 1.0}] * len(many) for name, many in cases.items()} | {"slopes": [{name: 1.0} for name in VARIED]}
    slopes = [[one.get(name, 0.0) for name in NAMES] for many in along.values() for one in many]
    done = jax.tree.map(np.asarray, compiled(bool(edged))(np.full(len(lanes), float(which)), np.array(lanes), np.array(slopes)))
    ends = np.cumsum([0] + [len(many) for many in cases.values()])
    return {name: jax.tree.map(lambda x, k=k: x[ends[k] : ends[k + 1]], done) for k, name in enumerate(cases)}


# Witnesses

Modes = list[Callable[[np.ndarray], np.ndarray]]


def arriving(shape: str, p: dict[str, float]) -> Modes:
    """Both normalised modes in time, each on its own clock: partial fractions, or sums over a uniform grid of frequencies."""
    b = p["bandwidth"]
    rates = [(p["kappa_a"] / 2, p["filter"] / 2), (p["kappa_b"] / 2 + 1j * p["detuning"], p["filter"] / 2)]
    if shape in EDGED:
        return [functools.partial(exponentials, shape, b / 2, np.array(one)) for one in rates]
    omega = np.linspace(-18, 18, 901) * b
    width = 4 * np.arccosh(np.sqrt(2)) / (np.pi * b)
    sent = np.exp(-2 * np.log(2) * (omega / b) ** 2) if shape == "gaussian" else 1 / np.cosh(np.pi / 2 * omega * width)

    def mode(one: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        spectrum = sent / np.prod([r - 1j * omega for r in one], axis=0)
        spectrum = spectrum / np.sqrt(2 * np.pi * np.sum(abs(spectrum) ** 2) / (omega[1] - omega[0])) + 0j
        return lambda t: np.exp(-1j * np.multiply.outer(t, omega)) @ spectrum

    return [mode(np.array(one)) for one in rates]


def exponentials(shape: str, half: float, rates: np.ndarray, t: np.ndarray) -> np.ndarray:
    """1 / prod (r - i omega) in time, times 1 / (half -+ i omega); the norm from the products of all its terms."""
    late, early = np.maximum(t, 0), np.minimum(t, 0)
    every = np.append(rates, half) if shape == "decaying" else rates
    terms = [1 / np.prod(np.delete(every, k) - r) / (1 if shape == "decaying" else half + r) for k, r in enumerate(every)]
    before = 0.0 if shape == "decaying" else 1 / np.prod(rates + half)
    norm = abs(before) ** 2 / (2 * half) + sum(
        (a.conj() * b / (r.conjugate() + s)).real for a, r in zip(terms, every, strict=True) for b, s in zip(terms, every, strict=True)
    )
    after = sum(a * np.exp(-r * late) for a, r in zip(terms, every, strict=True))
    return np.where(t >= 0, after, before * np.exp(half * early)) / np.sqrt(norm)


class Cells(NamedTuple):
    """Sixteen nodes on each of the gate's cells, fine on the scale of every rate and of the layers behind edges."""

    widths: np.ndarray
    times: np.ndarray
    modes: list[np.ndarray]

    @classmethod
    def of(cls, shape: str, p: dict[str, float], start: float) -> "Cells":
        stop, fine = start + p["length"], np.geomspace(1e-3, 1, 12)
        layers = np.concatenate([start + fine, fine, p["later"] + fine, [0.0, p["later"], stop]])
        coarse = np.linspace(start, stop, 2 + int(p["length"] * max(1.5, p["filter"] / 8)))
        edges = np.unique(np.append(coarse, layers[(layers > start) & (layers <= stop)]))
        widths = np.diff(edges)[:, None]
        times = edges[:-1, None] + widths * LEGENDRE
        first, second = arriving(shape, p)
        return cls(widths, times, [first(times), second(times - p["later"])])

    def mean(self, one: np.ndarray) -> complex:
        return complex(np.sum(self.widths * WEIGHTS * one))

    def noise(self, arm: int, k: float) -> float:
        """2 Re int g* y, cell after cell; y is what a mode of decay K holds of g so far."""
        before, total = 0.0, 0.0
        for (width,), one in zip(self.widths, self.modes[arm], strict=True):
            grown = np.exp(k / 2 * width * LEGENDRE)
            total += 2 * width * np.sum(WEIGHTS * one.conj() * (before + width * RUNNING @ (grown * one)) / grown).real
            before = (before + width * np.sum(WEIGHTS * grown * one)) * np.exp(-k / 2 * width)
        return float(NOISE[arm] * k / 4 * total)


# What a gate leaves


@pytest.mark.parametrize("shape", ["sech", *(pytest.param(one, marks=pytest.mark.slow) for one in SHAPES if one != "sech")])
def test_a_cut_mode(shape):
    """Fractions and overlap; what is read from pieces of the spectrum by ten nodes per panel is less exact, and least so near an edge:
    noise to 1e-8 of the photon, or 1e-7 where the filter is 100 times as wide, and the amplitude behind a response to 1e-9, or 1e-6.
    """
    found = answers(shape)["agreeing"][0]
    for lane, case in enumerate(CASES["agreeing"]):
        p = USUAL | case
        cells = Cells.of(shape, p, float(found.start[lane]))
        squares = np.array([cells.mean(abs(one) ** 2).real for one in cells.modes])
        both = cells.mean(cells.modes[0].conj() * cells.modes[1])
        assert np.max(abs(found.fractions[lane] - squares)) < CLOSED_FORM, case
        assert abs(found.overlap[lane] * np.sqrt(np.prod(found.fractions[lane])) - both) < CLOSED_FORM, case
        noises = np.array([cells.noise(arm, p["filter"]) for arm in (0, 1)])
        close = 1e-7 if p["filter"] > 10 and shape in EDGED else 1e-8
        assert np.max(abs(found.noise[lane] * found.fractions[lane] - noises)) < close, case
        behind = [
            cells.mean(np.where(cells.times < t, np.exp(-BEHIND * np.maximum(t - cells.times, 0)) * cells.modes[1], 0)) for t in TIMES
        ]
        cut = (float(found.start[lane]) < TIMES) & (float(found.start[lane]) + p["length"] > TIMES)
        assert np.all(abs(found.behind[lane] - behind)[~cut] < (1e-6 if shape in EDGED else 1e-9)), case


@pytest.mark.parametrize("shape", SHAPES)
def test_the_best_place(shape):
    """The intensity is the same at both ends, and no other start of a fine row holds more."""
    found = answers(shape)["agreeing"][0]
    for lane, case in enumerate(CASES["agreeing"]):
        if case["shift"] != 0:
            continue
        p, start = USUAL | case, float(found.start[lane])
        modes = arriving(shape, p)
        row = np.linspace(-20, 30, 1001)
        intensity = sum(power * abs(mode(t)) ** 2 for power, mode, t in zip(POWERS, modes, (row, row - p["later"]), strict=True))
        passed = np.concatenate([[0.0], np.cumsum((intensity[1:] + intensity[:-1]) / 2 * (row[1] - row[0]))])
        held = np.interp(row + p["length"], row, passed) - passed
        assert POWERS @ found.fractions[lane] > np.max(held) - 1e-3, case  # what the row's trapezoids leave at an edge
        ends = np.array([start, start + p["length"]])
        first, last = sum(power * abs(mode(t)) ** 2 for power, mode, t in zip(POWERS, modes, (ends, ends - p["later"]), strict=True))
        assert abs(last - first) < 1e-8 * np.max(intensity), case


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_gate_cuts_nothing(shape):
    found = answers(shape)["long"][0]
    overlap, noises = found.whole
    assert np.max(abs(found.fractions - 1)) < ALGEBRA
    assert np.max(abs(found.overlap - overlap)) < ALGEBRA and np.max(abs(found.noise - noises)) < ALGEBRA


@pytest.mark.parametrize("shape", SHAPES)
def test_no_gate_at_all(shape):
    """Nothing passes, at the intensity there; the noise is the flux times the length, and the overlap that of two amplitudes."""
    found, slopes = answers(shape)["nothing"]
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((found, slopes)))
    flux = NOISE * USUAL["filter"] / 4
    assert np.all(found.fractions[0] == 0) and np.all(found.noise[0] == 0)
    assert np.max(abs(slopes.noise / flux - 1)) < 1e-8  # of the flux: a transform at time 0
    assert np.max(abs(found.fractions[1] / slopes.fractions[0] / 1e-12 - 1)) < CLOSED_FORM
    first, second = arriving(shape, USUAL)
    here = [first(found.start[:1])[0], second(found.start[:1] - USUAL["later"])[0]]
    assert np.max(abs(slopes.fractions[0] - np.abs(here) ** 2)) < CLOSED_FORM
    assert abs(found.overlap[0] - here[0].conj() * here[1] / abs(here[0] * here[1])) < 1e-8


def test_before_anything_arrives():
    found, slopes = answers("decaying")["before"]
    assert np.all(found.fractions == 0) and np.all(found.noise == 0) and np.all(found.overlap == 0)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))


@pytest.mark.parametrize("shape", SHAPES)
def test_laws(shape):
    """Two gates one after the other hold what one does; noise is no less than none, and overlaps are at most 1."""
    for found, _ in answers(shape).values():
        assert np.all((found.fractions >= 0) & (found.fractions <= 1 + ALGEBRA)) and np.all(abs(found.overlap) <= 1 + ALGEBRA)
        assert np.all(found.noise >= 0)
    whole, first, second = answers(shape)["halves"][0].fractions
    assert np.max(abs(whole - first - second)) < CLOSED_FORM


@pytest.mark.parametrize("shape", SHAPES)
def test_every_slope_against_differences(shape):
    """Of eighth order, times the parameter; the nodes move with the parameters, and the slopes know nothing of that."""
    slopes, around = answers(shape)["slopes"][1], answers(shape)["around"][0]
    weights = np.array([STENCIL[k] * sign for k in STENCIL for sign in (1, -1)]) / STEP
    for figure in ("start", "fractions", "overlap", "noise"):
        near = getattr(around, figure).reshape(len(VARIED), 8, -1)
        for lane, name in enumerate(VARIED):
            got = getattr(slopes, figure)[lane] * USUAL[name]
            assert np.max(abs(got - np.tensordot(weights, near[lane], 1))) < GRADIENT, (figure, name)


@pytest.mark.parametrize("shape", SHAPES)
def test_units(shape):
    """Nanoseconds instead of seconds: nothing in the search or the sums has a scale of its own."""
    found = answers(shape)["units"][0]
    for figure in (found.start / np.array([1.0, ns]), found.fractions, found.overlap, found.noise):
        assert np.max(abs(figure[0] - figure[1])) < CLOSED_FORM
