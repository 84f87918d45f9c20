"""A gate that cuts the photon, in the heralded protocols: brute force in time, limits, closed forms, slopes, and what it is for."""

import dataclasses
import functools
import itertools
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from tests import ALGEBRA, GRADIENT
from tests.link.packets import LEGENDRE, WEIGHTS
from tests.protocols.meetings import CLOCKS, DETECTOR, DETUNING, SCENE, STENCIL, VALUES, around, asked, close, cold, steps
from tests.protocols.test_heralded import BROAD, decayed
from tests.protocols.witness import Device, exchange, fibre, loss, of, sech
from tests.qubit import counting
from transduce import parameters
from transduce.design.maximise import maximise
from transduce.gaussian.channel import ModeChannel
from transduce.link.sampled import Tabulated
from transduce.link.wavepacket import Decaying
from transduce.protocols.heralded import Heralded, OneClick, PairClick
from transduce.protocols.limits import limits
from transduce.units import GHz, Hz, MHz, c_0, ns, ps, us

OPEN = 700 * ns
"""Of the gate; the photon's two halves, with all but 1e-6, are 2.5 us long."""
CUTTING = {name: dataclasses.replace(SCENE[name], gate_cuts=True) for name in ("one", "two")}
SHORT = VALUES | {"one.gate": OPEN, "two.gate": OPEN}
STEPS = steps(SHORT)
CLOCKED = ("one.gate", "meeting.synchronisation.timing_offset", "meeting.synchronisation.timing_jitter")
FIGURES = ("fidelity", "success_probability", "rate", "background_counts")


def ask(scene: dict[str, Any], values: dict[str, Any]) -> tuple[Heralded, Heralded]:
    scene = parameters.replace(scene, values)
    return scene["one"](scene["meeting"]), scene["two"](scene["meeting"])


LONG = SHORT | {"one.gate": 30 * us, "two.gate": 30 * us}


@functools.cache
def late() -> tuple[Heralded, Heralded]:
    """One click and two, b late by chance: in the short gate, and in one so long that it cuts nothing."""
    batch = {name: np.array([values[name] for values in (SHORT, LONG)]) for name in SHORT}
    return jax.jit(jax.vmap(functools.partial(ask, SCENE | CUTTING)))(batch)


uncut = jax.jit(functools.partial(ask, SCENE))
"""Both protocols where the gate may not cut."""
STILL = {**CUTTING, "meeting": dataclasses.replace(SCENE["meeting"], synchronisation=None)}
PUNCTUAL = {name: value for name, value in SHORT.items() if "synchronisation" not in name}


@jax.jit
@jax.vmap
def still(values: dict[str, Any], direction: dict[str, Any]) -> Any:
    """The same, with both always on time: the gate is placed and cuts once."""
    return jax.jvp(functools.partial(ask, STILL), (values,), (direction,))


def differences(found: dict[str, Any], names: Any, figure: str, which: int) -> np.ndarray:
    """Of sixth order, with each parameter."""
    near = getattr(found["stencil"][0][which], figure).reshape(len(names), 2 * len(STENCIL))
    weights = np.array([STENCIL[k] * sign for k in STENCIL for sign in (1, -1)])
    return near @ weights / np.array([STEPS[name] for name in names])


# Brute force


class Arm(NamedTuple):
    """A node's mode at the station on a uniform grid, the energy of one photon in it, the noise there, and the qubit's coherence."""

    mode: np.ndarray
    energy: float
    noise: np.ndarray
    coherence: float


W = np.linspace(-1.0, 1.0, 60001) * 3000 * MHz
"""Of the flux of noise behind a filter of 10 MHz, what lies beyond is added."""
NEAR, FAR = abs(W) < 30 * MHz, abs(W) < 300 * MHz
"""As far as the photon's spectrum reaches; as far as a cut mode behind the filter does: the integrand falls as 1/w^4."""
STEP = (W[1] - W[0]) / Hz


def arm(node: str, shift: float) -> Arm:
    p = {name.removeprefix("meeting."): np.array([value]) for name, value in VALUES.items()}
    k, photon = VALUES["one.filter_bandwidth"], np.array([[VALUES["one.photon.bandwidth"]]])
    filtering, u, n = k / 2 / (k / 2 - 1j * W), 1.0, 0.0
    row = [Device(of(p, f"{node}.device.")).stage("microwave", "optical"), fibre(of(p, f"path_{node}.fibre."))]
    for stage in [*row, loss(of(p, f"path_{node}.loss."))]:
        one, noise = stage(W[None] - shift)
        u, n = u * one, n * abs(one) ** 2 + noise
    arriving = (filtering * u * sech(photon, W - shift))[0]
    power = STEP * np.sum(abs(arriving) ** 2)
    (sent,), (coherence,) = exchange(of(p, f"{node}.qubit."), photon)
    return Arm(arriving / np.sqrt(power), power * sent, (abs(filtering) ** 2 * n)[0], coherence)


def at(mode: np.ndarray, times: np.ndarray) -> np.ndarray:
    """In time; the photon's spectrum ends where sech does."""
    return STEP * np.exp(-1j * np.multiply.outer(times, W[NEAR])) @ mode[NEAR]


class Window(NamedTuple):
    """Nodes of time within a gate."""

    times: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, start: float, length: float) -> "Window":
        edges = np.linspace(start, start + length, 51)
        widths = np.diff(edges)[:, None]
        return cls((edges[:-1, None] + widths * LEGENDRE).ravel(), (widths * WEIGHTS).ravel())

    def cut(self, arms: list[Arm], delays: tuple[float, float]) -> tuple[list[float], list[float], complex]:
        """Fractions, noise in the cut modes, and their overlap."""
        modes = [at(one.mode, self.times - delay) for one, delay in zip(arms, delays, strict=True)]
        parts = [float(self.weights @ abs(one) ** 2) for one in modes]
        waves = np.exp(1j * np.multiply.outer(W[FAR], self.times))
        spectra = [abs(waves @ (self.weights * one)) ** 2 for one in modes]
        noises = [STEP * np.sum(one * a.noise[FAR]) / part for one, a, part in zip(spectra, arms, parts, strict=True)]
        return parts, noises, complex(self.weights @ (modes[0].conj() * modes[1])) / np.sqrt(parts[0] * parts[1])


def brute() -> tuple[np.ndarray, np.ndarray, float, float]:
    """Both states before the wait, in the mean over delays; b's mean fraction, and the mean background."""
    arms = [arm("a", 0.0), arm("b", VALUES[DETUNING])]
    terms = STEP * arms[0].mode.conj() * arms[1].mode
    shift = minimize_scalar(lambda tau: -abs(np.sum(terms * np.exp(1j * W * tau))), bracket=(-1e-7, 0.0, 1e-7), options={"xtol": 1e-9}).x
    offset, jitter = CLOCKS["timing_offset"], CLOCKS["timing_jitter"]

    def intensity(t: float) -> float:
        times = np.array([t]), np.array([t - shift - offset])
        return sum(one.energy * abs(at(one.mode, time)[0]) ** 2 for one, time in zip(arms, times, strict=True))

    start = brentq(lambda t: intensity(t + OPEN) - intensity(t), -1e-6, 1e-6, xtol=1e-15)
    window = Window.of(start, OPEN)
    tails = sum((one.noise[0] + one.noise[-1]) * W[-1] for one in arms) / Hz  # they fall as 1/w^2
    flux = (STEP * sum(np.sum(one.noise[1:-1]) + (one.noise[0] + one.noise[-1]) / 2 for one in arms) + tails) / 2
    z = np.linspace(-6, 6, 17)
    weights, states = np.exp(-(z**2) / 2) / np.sum(np.exp(-(z**2) / 2)), np.zeros((2, 4, 4), complex)
    fraction, background = 0.0, 0.0
    for x, weight in zip(z, weights, strict=True):
        parts, noises, overlap = window.cut(arms, (0.0, shift + offset + x * jitter))
        beside = DETECTOR["efficiency"] * (OPEN * flux - sum(noises) / 2)
        false = counting.false_counts(DETECTOR["dark_probability"], DETECTOR["background_counts"] + beside, (DETECTOR["background_modes"],))
        effect = counting.effect(counting.herald("threshold", false), overlap)
        a, b = (
            counting.lossy((part * one.energy, noise, 0.0), DETECTOR["efficiency"])
            for part, one, noise in zip(parts, arms, noises, strict=True)
        )
        states += weight * np.array([counting.one_click(effect, a, b, (0.2, 0.3)), counting.two_click(effect, effect, a, b)])
        fraction, background = fraction + weight * parts[1] * arms[1].energy, background + weight * beside
    return states, np.array([one.coherence for one in arms]), fraction, background


def test_brute_force_in_time_and_in_fock_space():
    """Two different photons, b's late by chance, cut by one gate: to 1e-6, as the witness's own search and sums allow."""
    states, coherences, fraction, background = brute()
    kept = float(np.prod(coherences))
    laser, servo = CLOCKS["laser_linewidth"] * 1 * us, CLOCKS["fibre_linewidth"] / CLOCKS["stabilisation_bandwidth"]
    slot = float(SCENE["one"].photon.duration)
    clock, apart = (5 * GHz * 2 * ps) ** 2, CLOCKS["stabilisation_bandwidth"] * slot
    sigma = 0.05**2 + 0.04**2 + laser + servo / 2 + clock
    increment = 2 * 0.05**2 + 0.02**2 + 2 * laser + servo * (1 - np.exp(-apart)) + 2 * clock
    factors = kept * np.exp(-sigma / 2), kept**2 * np.exp(-increment / 2)
    ours = jax.tree.map(lambda x: x[0], late())
    for done, state, factor, patterns in zip(ours, states, factors, (2, 4), strict=True):
        total = np.trace(state).real
        state[1, 2], state[2, 1] = state[1, 2] * factor, state[2, 1] * factor
        wait = 2 * 2000 * 1.468 / c_0 + (0 if patterns == 2 else slot)
        state = decayed(state, ((200 * us, 150 * us), (90 * us, 40 * us)), wait)
        close(done.channel_b.efficiency, fraction, 1e-6)
        close(done.background_counts, background, 1e-6)
        close(done.success_probability, patterns * total, 1e-6)
        close(done.state.populations, np.diag(state).real, 1e-6)
        close(done.fidelity, (state[1, 1] + state[2, 2] + 2 * abs(state[1, 2])).real / (2 * total), 1e-6)


# Limits


def test_a_long_gate_cuts_nothing():
    """All of both photons, their ringing and their jitter within: the answer of the protocol without a cut."""
    wanted = uncut(LONG)
    for done, whole in zip(late(), wanted, strict=True):
        for name in (*FIGURES, "overlap"):
            close(getattr(done, name)[1], getattr(whole, name), 1e-9)
        assert isinstance(done.channel_b, ModeChannel) and isinstance(whole.channel_b, ModeChannel)
        close(done.channel_b.efficiency[1], whole.channel_b.efficiency, 1e-9)


FLAT = 2e-3
BARE = {name: value for name, value in cold(BROAD).items() if "synchronisation" not in name and "bandwidth" not in name}
BARE |= {f"meeting.path_{one}.fibre.noise_photons": FLAT for one in "ab"} | {"one.filter_bandwidth": BROAD, "two.filter_bandwidth": BROAD}


def test_a_decaying_photon_in_closed_form():
    """Through arms and a filter as wide as 4e5 photons: 1 - e^{-GT} of it, n in the cut mode, T n K / 4 in all; and what one click makes
    of that. What the width leaves is a few B/K.
    """
    photon = Decaying(bandwidth=1 * MHz)
    scene = {"meeting": STILL["meeting"], "one": dataclasses.replace(CUTTING["one"], photon=photon)}

    @jax.jit
    @jax.vmap
    def over(gate: Any) -> Heralded:
        values = {name: value for name, value in BARE.items() if not name.startswith("two.")}
        full = parameters.replace(scene, values | {"one.gate": gate, "one.photon.bandwidth": 1 * MHz})
        return full["one"](full["meeting"])

    gates = np.array([0.1, 0.3, 1.0, 3.0]) / MHz
    done = over(gates)
    part = -np.expm1(-MHz * gates)
    close(done.channel_a.efficiency, part, 2e-5)
    close(done.channel_a.noise, FLAT, 1e-4)  # ten nodes per panel, for fringes that end where the filter does
    close(done.background_counts + done.channel_a.noise, gates * FLAT * BROAD / 4, 1e-9)
    assert np.all(np.abs(np.abs(done.overlap) - 1) < ALGEBRA)


# Slopes


def agree(found: dict[str, Any], names: Any) -> None:
    for which, figure in itertools.product((0, 1), FIGURES):
        values, slopes = (getattr(found["alone"][k][which], figure) for k in (0, 1))
        for got, wanted, name in zip(slopes, differences(found, names, figure, which), names, strict=True):
            scale = max(abs(values[0]), abs(wanted * SHORT[name]))
            assert abs(got - wanted) * abs(SHORT[name]) / scale < GRADIENT, (which, figure, name, got, wanted)


@pytest.mark.slow
def test_slopes_with_the_gate_and_the_clocks():
    """Where all delays are asked, as where the gate cuts once."""
    along = jax.jit(jax.vmap(lambda values, direction: jax.jvp(functools.partial(ask, SCENE | CUTTING), (values,), (direction,))))
    agree(asked(along, *around(SHORT, CLOCKED)), CLOCKED)


HEARD = [name for name in PUNCTUAL if name.split(".")[-1] in ("gate", "kappa_e_ext", "pump_power", "detuning_o", "loss", "noise_photons")]
HEARD += ["one.filter_bandwidth", "two.photon.bandwidth", "one.photon.bandwidth", "one.dark_rate", "meeting.path_a.fibre.beta2"]


@pytest.mark.slow
def test_slopes_with_what_arrives():
    """Of the gate that is cut once: places, shapes, noise and all."""
    lanes, places = around(PUNCTUAL, HEARD)
    agree(asked(still, lanes, places), HEARD)


@pytest.mark.slow
def test_many_at_once_are_each_alone():
    lanes = [PUNCTUAL | {"one.gate": gate, "two.gate": gate} for gate in (100 * ns, 1 * us)]
    batch = {name: np.array([lane[name] for lane in lanes]) for name in PUNCTUAL}
    many = still(batch, dict.fromkeys(PUNCTUAL, np.zeros(2)))[0]
    for k, lane in enumerate(lanes):
        scene = parameters.replace(STILL, lane)
        for done, name in zip(many, ("one", "two"), strict=True):
            alone = scene[name](scene["meeting"])
            for figure in (*FIGURES, "overlap"):
                close(getattr(done, figure)[k], getattr(alone, figure), 1e-11)


# What it is for


@pytest.mark.slow
def test_noise_asks_for_a_gate():
    """Of noise that is flat over the gate the fidelity is best within it, where a search by gradient and one without agree, and above
    that of the whole photon; pairs are the more the longer it is.
    """
    flat = PUNCTUAL | {f"meeting.path_{one}.fibre.noise_photons": 1e-3 for one in "ab"}
    flat |= {f"one.detector.{name}": 0.0 for name in ("dark_probability", "background_counts", "background_modes")}
    scene = parameters.replace(STILL, flat)
    meeting, protocol = scene["meeting"], scene["one"]

    @jax.jit
    @jax.vmap
    def over(gate: Any) -> tuple[Any, Any]:
        done = dataclasses.replace(protocol, gate=gate)(meeting)
        return done.fidelity, done.success_probability

    gates = np.geomspace(20 * ns, 3 * us, 33)
    fidelity, success = (np.asarray(x) for x in over(gates))
    k = int(np.argmax(fidelity))
    assert 0 < k < 32 and np.all(np.diff(success) > 0)
    best = maximise(lambda one: one(meeting).fidelity, protocol, {"gate": (gates[0], gates[-1])}, starts=2, steps=120)
    by_hand = minimize_scalar(lambda x: -float(over(np.exp([x]))[0][0]), bracket=np.log(gates[k - 1 : k + 2]), tol=1e-9)
    assert best.value == pytest.approx(-by_hand.fun, rel=1e-8)
    assert float(best.model.gate) == pytest.approx(np.exp(by_hand.x), rel=1e-3)
    whole = dataclasses.replace(protocol, gate=None, gate_cuts=False)(meeting)
    assert best.value > whole.fidelity + 0.03


@pytest.mark.slow
def test_causes_see_the_cut():
    """Each stage made ideal changes the gate's place and what passes; the pair that is explained is the one that is made."""
    scene = parameters.replace(STILL, PUNCTUAL)
    done, found = limits(scene["one"], scene["meeting"])
    own = dict(zip(found.names, found.limits, strict=True))
    clear = {f"path_a.fibre.{name}": 0.0 for name in ("attenuation", "coupling_in", "coupling_out", "beta2", "noise_photons")}
    wanted = scene["one"](parameters.replace(scene["meeting"], clear))
    close(done.fidelity, scene["one"](scene["meeting"]).fidelity, 1e-12)
    assert float(own["a.fibre"].fidelity_gain_if_ideal) == pytest.approx(float(wanted.fidelity - done.fidelity), abs=1e-10)


# What is refused


def test_what_may_not_cut():
    shared: dict[str, Any] = {"excitation": 0.1, "filter_bandwidth": 10 * MHz, "gate": 1 * us}
    photon = SCENE["one"].photon
    with pytest.raises(ValueError, match=r"OneClick\.gate must be at least .* us, unless gate_cuts is true, but is 1 us"):
        OneClick(photon, **shared)
    assert float(OneClick(photon, **shared, gate_cuts=True).open) == 1 * us
    with pytest.raises(ValueError, match=r"PairClick\.gate_cuts must be false"):
        PairClick(photon, filter_bandwidth=10 * MHz, gate=1 * us, gate_cuts=True)
    drawn = Tabulated(samples=np.array([0.0, 1.0, 1.0, 0.0]), times=np.linspace(0, 1, 4) * us)
    with pytest.raises(ValueError, match=r"OneClick\.photon must be one of .* where the gate cuts it, but is Tabulated"):
        OneClick(drawn, **shared, gate_cuts=True)
    one, two = uncut(LONG | {"two.gate": 1 * us})
    assert np.isnan(two.fidelity) and np.isfinite(one.fidelity)
