"""Heralded entanglement over hardware: the whole chain in numpy and Fock space, limits, gradients, noise beside the photon."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from tests.protocols.meetings import (
    CLOCKS,
    DETECTOR,
    DETUNING,
    OFFSET,
    PHOTON,
    SCENE,
    STENCIL,
    VALUES,
    around,
    asked,
    close,
    cold,
    mirrored,
    steps,
)
from tests.protocols.witness import Device, exchange, fibre, loss, of, sech
from tests.qubit import counting
from transduce import parameters
from transduce.design.maximise import maximise
from transduce.link.link import grid_for
from transduce.link.meeting import Arrived
from transduce.link.overlap import mode_overlap, shifted_overlap
from transduce.link.wavepacket import Decaying, Gaussian
from transduce.protocols.heralded import Heralded
from transduce.qubit.heralding import best_excitation, one_click_weak_fidelity
from transduce.units import GHz, MHz, c_0, ns, ps, us


def ask(values: dict) -> tuple[Heralded, Heralded]:
    scene = parameters.replace(SCENE, values)
    return scene["one"](scene["meeting"]), scene["two"](scene["meeting"])


@jax.jit
@jax.vmap
def along(values: dict, direction: dict) -> Any:
    """Both protocols at a point, and their slopes along a direction: the one compilation that most tests share."""
    return jax.jvp(ask, (values,), (direction,))


BROAD = 4e5 * MHz
SHIFTS = ((100 * ns, 0.0), (0.0, 0.3 * MHz), (-200 * ns, 0.2 * MHz))
OFFSETS = [cold(BROAD) | {OFFSET: t, DETUNING: d} for t, d in SHIFTS]
NOISE = 2e-3
NOISY = {f"meeting.path_{one}.fibre.noise_photons": NOISE for one in "ab"}
FILTERS = (0.05 * MHz, 1 * MHz, 40 * MHz, 400 * MHz)
FILTERED = [cold(BROAD) | NOISY | {"one.filter_bandwidth": k, "two.filter_bandwidth": k} for k in FILTERS]
POINTS = {"perfect": [cold(BROAD)], "mirrored": [mirrored()], "offsets": OFFSETS, "filtered": FILTERED}
STEPS = steps(VALUES)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """All points in one batch: every parameter alone, the stencil around it, and the points by name; values and slopes in numpy."""
    still = dict.fromkeys(VALUES, 0.0)
    lanes, places = around(VALUES, VALUES)
    for name, points in POINTS.items():
        places[name] = slice(len(lanes), len(lanes) + len(points))
        lanes += [(point, still) for point in points]
    return asked(along, lanes, places)


# The whole chain


def chain() -> dict[str, Any]:
    """Everything written out in numpy on a sinh grid that reaches as far as a Lorentzian filter asks."""
    p = {name.removeprefix("meeting."): np.array([value]) for name, value in VALUES.items()}
    x = np.linspace(-30, 30, 12001)
    w, weight = 3e6 * np.sinh(x), 3e6 * np.cosh(x) * (x[1] - x[0]) / (2 * np.pi)
    k, offset, photon = (VALUES[name] for name in ("one.filter_bandwidth", DETUNING, "one.photon.bandwidth"))
    filtering, bandwidth = k / 2 / (k / 2 - 1j * w), np.array([[photon]])
    modes, channels, flux, own, kept = [], [], 0.0, 0.0, 1.0
    for node, shift in (("a", 0.0), ("b", offset)):
        row = [Device(of(p, f"{node}.device.")).stage("microwave", "optical"), fibre(of(p, f"path_{node}.fibre."))]
        u, n = 1.0, 0.0
        for stage in [*row, loss(of(p, f"path_{node}.loss."))]:
            one, noise = stage(w[None] - shift)
            u, n = u * one, n * abs(one) ** 2 + noise
        arriving, noise = (filtering * u * sech(bandwidth, w - shift))[0], (abs(filtering) ** 2 * n)[0]
        eta = np.sum(weight * abs(arriving) ** 2)
        modes.append(arriving / np.sqrt(eta))
        (emitted,), (coherence,) = exchange(of(p, f"{node}.qubit."), bandwidth)
        channels.append((eta * emitted, np.sum(weight * abs(modes[-1]) ** 2 * noise), 0.0))
        flux, own, kept = flux + np.sum(weight * noise) / 2, own + channels[-1][1] / 2, kept * coherence
    terms = weight * modes[0].conj() * modes[1]

    def overlap(tau):
        return np.sum(terms * np.exp(1j * w * tau))

    best = minimize_scalar(lambda tau: -abs(overlap(tau)), bracket=(-1e-7, 0.0, 1e-7), options={"xtol": 1e-7}).x
    for _ in range(4):
        t, first, second = (np.sum(terms * (1j * w) ** j * np.exp(1j * w * best)) for j in range(3))
        best -= np.real(first * t.conj()) / (abs(first) ** 2 + np.real(second * t.conj()))
    lost = DETECTOR["efficiency"]
    background = lost * (VALUES["one.gate"] * flux - own)
    return {"channels": channels, "overlap": lambda tau: overlap(best + tau), "coherence": kept, "background": background}


def decayed(state: np.ndarray, times: tuple[tuple[float, float], tuple[float, float]], wait: float) -> np.ndarray:
    """Both qubits by Kraus operators: amplitude damping in T1, then phase flips for what T2 asks beyond."""
    for place, (t1, t2) in enumerate(times):
        left, flip = np.exp(-wait / t1), (1 - np.exp(-wait * (1 / t2 - 1 / (2 * t1)))) / 2
        damping = [np.diag([1, np.sqrt(left)]), np.array([[0, np.sqrt(1 - left)], [0, 0]])]
        for kraus in (damping, [np.sqrt(1 - flip) * np.eye(2), np.sqrt(flip) * np.diag([1, -1])]):
            full = [np.kron(k, np.eye(2)) if place == 0 else np.kron(np.eye(2), k) for k in kraus]
            state = sum(k @ state @ k.conj().T for k in full)
    return state


def test_the_whole_chain_in_numpy_and_fock_space(found):
    """Channels, background and both states, in the mean over delays and after the wait; phases of the arms are a frame."""
    wanted = chain()
    one, two = jax.tree.map(lambda x: x[0], found["alone"][0])
    for done in (one, two):
        for channel, (eta, n, _) in zip((done.channel_a, done.channel_b), wanted["channels"], strict=True):
            close(channel.transmission.real**2, eta)
            close(channel.noise, n)
        close(done.background_counts, wanted["background"])
    assert wanted["background"] > 10 * max(n for _, n, _ in wanted["channels"])
    mean, modes = DETECTOR["background_counts"] + wanted["background"], (DETECTOR["background_modes"],)
    of = counting.herald("threshold", counting.false_counts(DETECTOR["dark_probability"], mean, modes))
    a, b = (counting.lossy(channel, DETECTOR["efficiency"]) for channel in wanted["channels"])
    z = np.linspace(-7, 7, 21)  # a trapezoid rule in the delay, whose error is exp(-2 (pi / 0.7)^2)
    weight, brute = np.exp(-(z**2) / 2) / np.sum(np.exp(-(z**2) / 2)), np.zeros((2, 4, 4), complex)
    for x, w in zip(z, weight, strict=True):
        effect = counting.effect(of, wanted["overlap"](CLOCKS["timing_offset"] + x * CLOCKS["timing_jitter"]))
        brute += w * np.array([counting.one_click(effect, a, b, (0.2, 0.3)), counting.two_click(effect, effect, a, b)])
    laser, fibre = CLOCKS["laser_linewidth"] * 1 * us, CLOCKS["fibre_linewidth"] / CLOCKS["stabilisation_bandwidth"]
    clock, apart = (5 * GHz * 2 * ps) ** 2, CLOCKS["stabilisation_bandwidth"] * 5 * us
    sigma = 0.05**2 + 0.04**2 + laser + fibre / 2 + clock
    increment = 2 * 0.05**2 + 0.02**2 + 2 * laser + fibre * (1 - np.exp(-apart)) + 2 * clock  # the bins are further apart than the pumps
    factors = wanted["coherence"] * np.exp(-sigma / 2), wanted["coherence"] ** 2 * np.exp(-increment / 2)
    for done, state, factor, patterns in zip((one, two), brute, factors, (2, 4), strict=True):
        total = np.trace(state).real
        state[1, 2], state[2, 1] = state[1, 2] * factor, state[2, 1] * factor
        wait = 2 * 2000 * 1.468 / c_0 + (0 if patterns == 2 else 5 * us)
        state = decayed(state, ((200 * us, 150 * us), (90 * us, 40 * us)), wait)
        close(done.state.populations, np.diag(state).real)
        close(abs(done.state.coherence), abs(state[1, 2]))
        close(done.success_probability, patterns * total)
        close(done.fidelity, (state[1, 1] + state[2, 2] + 2 * abs(state[1, 2])).real / (2 * total))


def test_how_often_it_is_tried(found):
    """Photons, the way there and back, and reset; two memories in turn on 4.5 transducers, or as many photons as there is time for."""
    for done, uses in zip(jax.tree.map(lambda x: x[0], found["alone"][0]), (1, 2), strict=True):
        photons = uses * 5 * us  # the gate, which is longer than the photon
        own = photons + 2 * 2000 * 1.468 / c_0 + 1e-6
        close(done.attempt.photons + done.attempt.travel + done.attempt.reset, own)
        close(done.rate, done.success_probability * 4.5 * min(2 / own, 1 / photons))


def test_equal_arms_overlap(found):
    for done in found["mirrored"][0]:
        assert abs(done.overlap[0]) == pytest.approx(1, abs=ALGEBRA)


def test_offsets_of_broad_arms_in_closed_form(found):
    """Of a device as wide as 4e5 photons the packet comes out as it went in; the rest, a few (B/kappa)^2, is below 1e-10."""
    for lane, shift in enumerate(SHIFTS):
        wanted = abs(shifted_overlap(PHOTON, *shift))
        for done in found["offsets"][0]:
            assert abs(done.overlap[lane]) == pytest.approx(float(wanted), abs=CLOSED_FORM)


def test_bandwidths_that_differ_in_closed_form():
    """The known delay of b is undone, at a smooth maximum (Gaussian) and at a cusp (decaying); an offset then acts as stated."""
    ratio, delay, offset = 1.7, 300 * ns, 50 * ns

    @eqx.filter_jit
    def overlaps(first, second):
        grid, nothing = grid_for(None, first, second), jnp.zeros(())
        late = jax.vmap(second.spectrum)(grid.omega) * jnp.exp(1j * grid.omega * delay)
        noises = jnp.zeros((grid.omega.size, 2))
        station = Arrived(grid, (jax.vmap(first.spectrum)(grid.omega), late), nothing, nothing, nothing, jnp.asarray(5 * us), noises)
        return abs(station.overlap()), abs(station.overlap(offset)), abs(mode_overlap(first, second, offset))

    best, later, wanted = overlaps(*(Gaussian(bandwidth=width * MHz) for width in (1, ratio)))
    close(best, np.sqrt(2 * ratio / (1 + ratio**2)))
    close(later, wanted)
    best, *_ = overlaps(*(Decaying(bandwidth=width * MHz) for width in (1, ratio)))
    close(best, 2 * np.sqrt(ratio) / (1 + ratio), 3e-5)  # bare, with tails of 1/w^2 under e^{iwt}; behind a device they fall faster


def test_perfect_arms(found):
    """One click: alpha (1 - alpha) of a single photon; two photons bunch and make one click all the same. Two clicks: half of all."""
    one, two = found["perfect"][0]
    single, double = 2 * 0.2 * 0.8, 0.2**2
    assert one.success_probability[0] == pytest.approx(single + double, rel=CLOSED_FORM)
    assert one.fidelity[0] == pytest.approx(single / (single + double), rel=CLOSED_FORM)
    assert two.success_probability[0] == pytest.approx(0.5, rel=CLOSED_FORM) and two.fidelity[0] == pytest.approx(1, rel=CLOSED_FORM)


# Noise beside the photon


def test_what_a_gate_lets_through(found):
    """Of flat noise n a Lorentzian filter passes n K / 4 photons per second; what of it lies in the photon's mode is not counted twice."""
    for done in found["filtered"][0]:
        every = VALUES["one.gate"] * NOISE * np.array(FILTERS) / 4
        close(done.background_counts + done.channel_a.noise, np.maximum(every, done.channel_a.noise))
        assert done.background_counts[0] == 0 < done.background_counts[1]  # narrow: the gate holds but the one mode
        assert np.all(np.diff(abs(done.channel_a.transmission)) > 0) and np.all(np.diff(done.background_counts) > 0)
        close(done.channel_a.noise[-1], NOISE, 2e-5)  # wide: all of the mode passes, but for a few (B / K)^2
        assert np.argmax(done.fidelity) == 1  # between the photon lost and the noise let in


# Gradients


def test_every_slope_against_differences(found):
    """Of sixth order, with steps of 1 %; relative to value over parameter."""
    slopes = found["alone"][1]
    around = jax.tree.map(lambda x: x.reshape(len(VALUES), 2 * len(STENCIL), *x.shape[1:]), found["stencil"][0])
    weights = np.array([STENCIL[k] * sign for k in STENCIL for sign in (1, -1)])
    heard = set()
    for which in (0, 1):
        for figure in ("fidelity", "success_probability", "rate", "background_counts"):
            got, near = getattr(slopes[which], figure), getattr(around[which], figure)
            value = abs(getattr(found["alone"][0][which], figure)[0])
            for lane, name in enumerate(VALUES):
                wanted, x = float(weights @ near[lane]) / STEPS[name], abs(VALUES[name]) or 1.0
                assert abs(got[lane] - wanted) * x / max(value, abs(wanted) * x) < GRADIENT, (which, figure, name, got[lane], wanted)
                if got[lane] != 0:
                    heard.add(name)
    known = {"meeting.path_b.fibre.group_index", "meeting.a.memory.phase_jitter"}  # the shorter arm's; a memory emits nothing
    deaf = {name.split(".")[-1] for name in VALUES if name not in {*heard, *known}}
    assert deaf <= {*DEAF}, deaf


DEAF = ("frequency", "frequency_shift", "n_s", "duty_cycle", "coupling_j", "detuning_s", "detuning_d", "detuning_x")
"""What changes nothing: what is not there."""


def test_the_best_excitation_of_a_weak_link():
    """alpha* = sqrt(N^2 + N) - N with N all false clicks per transmitted photon, to the order of the link's efficiency."""
    weak = cold(BROAD) | NOISY | {f"meeting.path_{one}.loss.loss": 60.0 for one in "ab"} | {"one.filter_bandwidth": 4 * MHz}
    noise = {f"meeting.path_{one}.fibre.noise_photons": 1e-2 for one in "ab"}
    scene = parameters.replace(SCENE, weak | noise)
    meeting, protocol = scene["meeting"], eqx.tree_at(lambda one: one.excitation_b, scene["one"], None)
    done = protocol(meeting)
    added = (done.channel_a.noise + done.background_counts) / done.channel_a.efficiency
    best = maximise(lambda one: one(meeting).fidelity, protocol, {"excitation": (0.01, 0.5)}, starts=2, steps=100)
    assert float(best.model.excitation) == pytest.approx(float(best_excitation(added)), rel=1e-4)
    assert best.value == pytest.approx(float(one_click_weak_fidelity(added, best_excitation(added))), rel=1e-5)
