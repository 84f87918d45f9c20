"""Overlaps: closed forms against sums over time and over the delay's distribution, the clock that a visibility needs, and carriers."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from transduce.link import overlap
from transduce.link.sampled import Tabulated
from transduce.link.synchronisation import Synchronisation, clock_for
from transduce.link.wavepacket import Decaying, Gaussian, Rising, Sech
from transduce.units import GHz, Hz, MHz, kHz, ns, ps

from .. import ALGEBRA, CLOSED_FORM, GRADIENT

B = 1 * MHz
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(400)
SHAPES: dict[str, Any] = {shape.__name__: shape(bandwidth=B) for shape in (Gaussian, Sech, Decaying, Rising)}


def _amplitude(packet, t):
    """In numpy, from the definition of each shape."""
    g = float(packet.bandwidth)
    if isinstance(packet, Gaussian):
        s = np.sqrt(2 * np.log(2)) / g
        return (Hz * s**2) ** -0.25 * np.exp(-(t**2) / (4 * s**2))
    if isinstance(packet, Sech):
        k = np.pi * g / 2 / np.arccosh(np.sqrt(2))
        return np.sqrt(k) / 2 / np.cosh(k * t / 2)
    sign = 1 if isinstance(packet, Decaying) else -1
    return np.sqrt(g) * np.exp(-sign * g * t / 2) * (sign * t >= 0)


def _by_sum(first, second, delay, detuning):
    """Gauss-Legendre panels in time, with a joint at each edge."""
    ends = np.sort([-60 / B, 0.0, delay, 60 / B])
    t = np.concatenate([(a + b) / 2 + (b - a) / 2 * _NODES for a, b in itertools.pairwise(ends)])
    weight = np.concatenate([(b - a) / 2 * _WEIGHTS for a, b in itertools.pairwise(ends)])
    with np.errstate(over="ignore", under="ignore"):
        second_late = _amplitude(second, t - delay) * np.exp(-1j * detuning * (t - delay))
        return np.sum(weight * np.nan_to_num(_amplitude(first, t) * second_late))


PAIRS = [
    (Gaussian, Gaussian),
    (Sech, Sech),
    (Decaying, Decaying),
    (Rising, Rising),
    (Gaussian, Sech),
    (Decaying, Gaussian),
    (Sech, Rising),
]


@pytest.mark.parametrize("kinds", PAIRS, ids=lambda kinds: "-".join(kind.__name__ for kind in kinds))
def test_overlap_of_two_bandwidths_by_a_sum_over_time(kinds):
    first, second = kinds[0](bandwidth=B), kinds[1](bandwidth=1.7 * B)
    delays, detunings = np.array([0.0, 0.4, -0.9, 1.3]) / B, np.array([0.0, 0.5, 0.3, -1.2]) * B
    found = jax.vmap(lambda t, d: overlap.mode_overlap(first, second, t, d))(delays, detunings)
    wanted = [_by_sum(first, second, t, d) for t, d in zip(delays, detunings, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=CLOSED_FORM)


def test_dispersion_by_a_sum_over_frequency():
    """Gaussians in closed form; a sech against a trapezoid rule over its spectrum."""
    w = np.linspace(-30, 30, 20001) * B
    for first, second in ((Gaussian(bandwidth=B), Gaussian(bandwidth=1.4 * B)), (Sech(bandwidth=B), Sech(bandwidth=1.4 * B))):
        for delay, detuning, dispersion in ((0.3 / B, 0.2 * B, 2 / B**2), (0.0, 0.0, -5 / B**2)):
            spectra = [np.asarray(jax.vmap(packet.spectrum)(at)) for packet, at in ((first, w), (second, w - detuning))]
            wanted = np.sum(spectra[0].conj() * spectra[1] * np.exp(1j * (w * delay + dispersion * w**2 / 2))) * (w[1] - w[0]) / Hz
            found = overlap.mode_overlap(first, second, delay, detuning, dispersion)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=CLOSED_FORM)


@pytest.mark.parametrize("name", SHAPES)
def test_a_packet_with_itself(name):
    """The closed form beside the overlap of two; 1 with slope 0 in delay (but where there is an edge) and detuning at 0."""
    packet = SHAPES[name]
    delays, detunings = np.array([0.0, 1e-4, 0.7]) / B, np.array([0.0, 1e-4, -0.4]) * B
    found = jax.jit(jax.vmap(lambda t, d: abs(overlap.shifted_overlap(packet, t, d))))(delays, detunings)
    wanted = [abs(_by_sum(packet, packet, t, d)) for t, d in zip(delays, detunings, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=CLOSED_FORM)

    @jax.jit
    @jax.grad
    def slopes(x):
        pair = overlap.visibility(packet, packet, x[0] / B, x[1] * B)
        return jnp.stack([pair, jnp.real(overlap.shifted_overlap(packet, x[2] / B, x[3] * B)) ** 2]).sum()

    edge = -1.0 if name == "Decaying" else 1.0 if name == "Rising" else 0.0  # a rising one's derivative is that towards earlier
    np.testing.assert_allclose(slopes(jnp.zeros(4)), [edge, 0, edge, 0], rtol=0, atol=CLOSED_FORM)


def test_curvature_of_a_sech():
    """1 - V = Var(w) tau^2 for small tau, with Var(w) = 1 / (3 T^2)."""
    packet = SHAPES["Sech"]
    curvature = jax.jit(jax.grad(jax.grad(lambda x: jnp.real(overlap.shifted_overlap(packet, x * packet.width)) ** 2)))(0.0)
    assert curvature == pytest.approx(-2 / 3, abs=CLOSED_FORM)


@pytest.mark.parametrize("name", ["Gaussian", "Sech", "Decaying"])
def test_jitter_by_quadrature_over_its_distribution(name):
    packet = SHAPES[name]
    cases = np.array([(0.2, 0.0), (0.5, 0.3), (0.03, -0.6), (4.0, 1.0), (40.0, 0.0)]) / B
    found = jax.vmap(lambda case: overlap.jittered(packet, case[0], case[1]))(cases)
    for index, (jitter, delay) in enumerate(cases):
        unit = np.linspace(-40 / B, 40 / B, 3) - delay
        ends = np.unique(np.clip(np.concatenate([[-12, 12], unit / jitter, [-delay / jitter]]), -12, 12))
        for power, values in ((2, found.visibility), (1, found.amplitude)):

            def integrand(x, jitter=jitter, delay=delay, power=power):
                t = abs(delay + jitter * x)
                k = np.pi * B / 2 / np.arccosh(np.sqrt(2))
                xi = {
                    "Gaussian": lambda: np.exp(-((t * B) ** 2) / (16 * np.log(2))),
                    "Sech": lambda: (k * t / 2) / np.sinh(k * t / 2) if 0 < k * t < 1000 else float(t == 0),
                    "Decaying": lambda: np.exp(-B * t / 2),
                }[name]()
                return xi**power * np.exp(-(x**2) / 2) / np.sqrt(Hz)

            wanted = sum(
                scipy.integrate.quad(integrand, a, b, epsabs=1e-13, epsrel=1e-12, limit=400)[0] for a, b in itertools.pairwise(ends)
            )
            assert values[index] == pytest.approx(wanted, abs=CLOSED_FORM)


@pytest.mark.parametrize("name", ["Gaussian", "Sech", "Decaying"])
def test_without_jitter_only_the_delay_is_left(name):
    packet = SHAPES[name]

    def both(delay, jitter):
        return overlap.jittered(packet, jitter / B, delay / B).visibility

    assert both(0.4, 0.0) == pytest.approx(float(abs(overlap.shifted_overlap(packet, 0.4 / B)) ** 2), abs=ALGEBRA)
    slopes = jax.grad(both, argnums=(0, 1))(0.4, 0.0)
    alone = jax.grad(lambda x: jnp.real(overlap.shifted_overlap(packet, x / B)) ** 2)(0.4)
    np.testing.assert_allclose(slopes, [alone, 0.0], rtol=0, atol=GRADIENT)
    at_origin = jax.grad(both, argnums=(0, 1))(0.0, 0.0)
    wanted = [-1.0, -np.sqrt(2 / np.pi)] if name == "Decaying" else [0.0, 0.0]
    np.testing.assert_allclose(at_origin, wanted, rtol=0, atol=GRADIENT)


def test_slopes_of_the_jittered_exponential():
    """The mean in 40 digits, differentiated there."""

    def mean(d, s):
        def term(sign):
            return mp.exp(s**2 / 2 + sign * d) * mp.erfc((s + sign * d / s) / mp.sqrt(2)) / 2

        return term(1) + term(-1)

    with mp.workdps(40):
        points = [(0.3, 0.5), (2.0, 0.1), (0.1, 3.0), (1e-3, 1e-2)]
        wanted = [[float(mp.diff(mean, point, order)) for order in ((1, 0), (0, 1))] for point in points]
    slope = jax.vmap(jax.grad(lambda x: overlap.jittered(SHAPES["Decaying"], x[1] / B, x[0] / B).visibility))
    np.testing.assert_allclose(slope(jnp.array(points)), wanted, rtol=GRADIENT, atol=0)


def test_the_clock_that_a_visibility_needs():
    """A table to its digits; the roots of another search; closed forms and slopes where there are any."""
    table = {"Gaussian": (37.57, 37.76, 11.85, 11.86), "Sech": (31.03, 31.22, 9.785, 9.791), "Decaying": (1.600, 2.011, 0.1592, 0.1996)}
    for name, wanted in table.items():
        packet = SHAPES[name]
        found = [ask(packet, v) / ns for v in (0.99, 0.999) for ask in (overlap.delay_for, overlap.jitter_for)]
        np.testing.assert_allclose(found, wanted, rtol=5e-4)  # four digits are printed
        low = overlap.jitter_for(packet, jnp.array(0.05))
        assert overlap.jittered(packet, low).visibility == pytest.approx(0.05, rel=CLOSED_FORM)
        assert overlap.jittered(packet, 0.0, overlap.delay_for(packet, 0.05)).visibility == pytest.approx(0.05, rel=CLOSED_FORM)
        assert overlap.delay_for(packet, 1.0) == pytest.approx(0.0, abs=1e-20)  # s: 1e-12 of the packet and less
    s = float(SHAPES["Gaussian"].deviation)
    for v in (0.2, 0.9):
        value, slope = jax.value_and_grad(lambda x: overlap.jitter_for(SHAPES["Gaussian"], x))(v)
        np.testing.assert_allclose(
            [value, slope], [s * np.sqrt(2 * (v**-2 - 1)), -s * np.sqrt(2) / v**3 / np.sqrt(v**-2 - 1)], rtol=GRADIENT
        )
    assert jax.grad(lambda x: overlap.delay_for(SHAPES["Decaying"], x) * B)(1.0) == pytest.approx(-1.0, rel=GRADIENT)
    by_bandwidth = jax.grad(lambda b: overlap.jitter_for(Sech(bandwidth=b), 0.9))(B)
    assert by_bandwidth == pytest.approx(float(-overlap.jitter_for(SHAPES["Sech"], 0.9) / B), rel=GRADIENT)
    y = scipy.optimize.brentq(lambda x: (x / np.sinh(x)) ** 2 - 0.4, 0.1, 5, xtol=1e-15)
    assert overlap.delay_for(SHAPES["Sech"], 0.4) == pytest.approx(y * float(SHAPES["Sech"].width), rel=CLOSED_FORM)


def test_carrier_phase():
    """1 ps at 8.8 GHz is 0.055 rad; laser and fibre by the variances of their processes, summed over covariances."""
    assert clock_for(8.8 * GHz, jnp.exp(-((0.0553) ** 2) / 2)) == pytest.approx(0.0553 / (8.8 * GHz), rel=CLOSED_FORM)
    quiet, frequency = Synchronisation(), 8.8 * GHz
    assert (quiet.phase_jitter(frequency), quiet.differential_phase_jitter(1e-6, frequency)) == pytest.approx((0, 0), abs=1e-40)
    d, tau, f, b, t = 2 * kHz, 5e-6, 300 * Hz, 4 * kHz, 3e-6
    clocks = Synchronisation(laser_linewidth=d, path_difference=tau, fibre_linewidth=f, stabilisation_bandwidth=b, clock_jitter=1 * ps)
    grid = np.linspace(0, 4 * tau, 4 * 500 + 1)  # a Wiener process has covariance d min(s, t), the servo's phase f/(2b) e^{-b|s-t|}
    wiener = d * np.minimum.outer(grid, grid)

    def wiener_variance(weights):
        vector = np.zeros(grid.size)
        for at, weight in weights:
            vector[np.argmin(abs(grid - at))] += weight
        return vector @ wiener @ vector

    clock = (8.8 * GHz * ps) ** 2
    servo = f / (2 * b)
    per_use = wiener_variance([(2 * tau, 1), (tau, -1)]) + servo + clock
    assert clocks.phase_jitter(frequency) == pytest.approx(np.sqrt(per_use), rel=CLOSED_FORM)
    for separation in (t, 2 * tau):
        laser = wiener_variance([(tau + separation, 1), (separation, -1), (tau, -1), (0, 1)])
        wanted = laser + 2 * servo * (1 - np.exp(-b * separation)) + 2 * clock
        assert clocks.differential_phase_jitter(separation, frequency) == pytest.approx(np.sqrt(wanted), rel=CLOSED_FORM)


def test_refusals():
    table = Tabulated(times=jnp.linspace(0.0, 1e-6, 9), samples=jnp.ones(9))
    gauss, decay = SHAPES["Gaussian"], SHAPES["Decaying"]
    refused = [
        (lambda: overlap.mode_overlap(table, gauss), "must be of one shape"),
        (lambda: overlap.mode_overlap(decay, SHAPES["Rising"]), "must be of one shape"),
        (lambda: overlap.mode_overlap(decay, decay, dispersion=0.0), "dispersion must be None"),
        (lambda: overlap.jittered(gauss, -1e-9), "jitter must be at least 0"),
        (lambda: overlap.jittered(table, 1e-9), "packet must be Decaying"),
        (lambda: overlap.delay_for(gauss, 0.0), "visibility must be above 0"),
        (lambda: overlap.jitter_for(gauss, 1.1), "visibility must be above 0"),
        (lambda: clock_for(GHz, 0.0), "coherence must be above 0"),
        (lambda: Synchronisation(fibre_linewidth=-1.0), r"Synchronisation\.fibre_linewidth must be at least"),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
