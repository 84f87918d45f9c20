"""Modes known by numbers: samples of a spectrum against the shapes they came from, a filtered mode, gradients, wrong input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from transduce.link.sampled import Sampled, Tabulated
from transduce.link.wavepacket import AbstractWavepacket, Sech
from transduce.units import Hz

from .. import ALGEBRA, CLOSED_FORM, GRADIENT
from .packets import CASES, KAPPA, RATES, SHIFT, B, T, close, difference, filtered, integrals


def sampled(packet: AbstractWavepacket, size: int = 512) -> Sampled:
    """A band-limited shape by its spectrum up to its reach."""
    d_omega = 2.1 * packet.reach / size
    return Sampled.from_spectrum(jax.vmap(packet.spectrum)((jnp.arange(size) - size // 2) * d_omega), d_omega, -Hz / d_omega / 2)


@pytest.mark.parametrize("name", ["sech", "gaussian"])
def test_samples_of_a_spectrum_answer_as_the_shape_does(name):
    shape = CASES[name].packet
    rates = RATES[np.abs(RATES) * float(shape.duration) <= 1]

    def ask(packet):
        return jax.vmap(lambda r: jnp.stack(integrals(packet, r)))(rates), jnp.stack([packet.start, packet.end]), packet.bandwidth

    found, clock, bandwidth = jax.jit(lambda: ask(sampled(shape)))()
    wanted, true_clock, _ = jax.jit(ask)(shape)
    # start and end carry the rounding of the transform, 1e-11 of the duration; growth and decay carry rate x that
    assert np.max(abs(found / wanted - 1)) < CLOSED_FORM
    assert np.max(abs(found / wanted - 1)[:, 2]) < ALGEBRA
    assert np.max(abs(clock - true_clock)) < CLOSED_FORM * shape.duration
    assert float(bandwidth) == pytest.approx(B, rel=ALGEBRA)


def test_the_mode_behind_a_lorentzian():
    """g' = -(kappa/2 + i shift) g + f, solved by scipy; the mode is normalised."""

    def slope(t: float, g: np.ndarray) -> np.ndarray:
        return -(KAPPA / 2 + 1j * SHIFT) * g + 1 / np.sqrt(2 * T) / np.cosh(t / T)

    times = np.linspace(-4, 12, 17) * T
    solved = scipy.integrate.solve_ivp(
        slope, (-38 * T, times[-1]), [0j], t_eval=times, method="DOP853", rtol=1e-12, atol=1e-18, max_step=T / 4
    )
    found = np.asarray(jax.vmap(CASES["sampled"].packet.amplitude)(times))
    close(found / found[5], solved.y[0] / solved.y[0, 5], CLOSED_FORM)


# Gradients


def clock_and_integrals(packet):
    return jnp.stack([packet.growth(0.02 * B), packet.decay(0.02 * B), packet.overlap(0.1 * B), B * packet.start, B * packet.end])


def test_gradients_through_samples():
    """A sech made of samples has the gradients of the sech."""
    omegas = (jnp.arange(512) - 256) * (B / 12)

    def spectrum(b):
        return Sampled.from_spectrum(jax.vmap(Sech(bandwidth=b).spectrum)(omegas), B / 12, -6 * Hz / B)

    def slopes(make):
        return jax.jit(jax.jacrev(lambda b: clock_and_integrals(make(b))))(B)

    close(slopes(spectrum), slopes(lambda b: Sech(bandwidth=b)), GRADIENT)


def test_gradients_behind_a_lorentzian():
    """By differences of a step wide enough for the rounding of the clock, 1e-10 of the sech's width."""
    ask = jax.jit(
        lambda b: jax.jvp(lambda x: jnp.append(clock_and_integrals(filtered(x)), filtered(x).bandwidth / B), (b,), (jnp.ones(()),))
    )
    close(ask(B)[1], difference(lambda b: ask(b)[0], B, 1e-2 * B), GRADIENT)


def test_gradients_through_a_table():
    packet = CASES["tabulated"].packet

    def answers(x):
        times = packet.times * (1 + x)
        other = Tabulated(times, packet.samples * (1 + x * jnp.exp(3j * B * packet.times)))
        return jnp.append(clock_and_integrals(other), jnp.stack([other.bandwidth / B, jnp.real(other.amplitude(0.03 / B)) / jnp.sqrt(B)]))

    ask = jax.jit(lambda x: jax.jvp(answers, (x,), (jnp.ones(()),)))
    close(ask(0.0)[1], difference(lambda x: ask(x)[0], 0.0, 1e-3), GRADIENT)


# Wrong input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tabulated([0, 1, 3], [1, 1, 1]), r"Tabulated.times must be uniform and rising, but is \[0. 1. 3.\]"),
        (lambda: Tabulated([2, 1, 0], [1, 1, 1]), r"Tabulated.times must be uniform and rising"),
        (lambda: Tabulated([0, np.nan, 2], [1, 1, 1]), r"Tabulated.times must be uniform and rising"),
        (lambda: Tabulated([0, 1], [1, 1, 1]), r"Tabulated.times must be one per sample, \(3,\), but is \(2,\)"),
        (lambda: Tabulated([0], [1]), r"Tabulated.samples must be a row of two or more samples, but is \(1,\)"),
        (lambda: Tabulated([0, 1, 2], [1, np.nan, 1]), r"Tabulated.samples must be finite and not all zero, but is"),
        (lambda: Tabulated([0, 1, 2], [0, 0, 0]), r"Tabulated.samples must be finite and not all zero, but is"),
        (lambda: Sampled.from_samples([1, 1, 1], 1.0, 0.0), r"Sampled.values must be a row of an even number of samples, but is \(3,\)"),
        (lambda: Sampled(0.0, -1.0, [1, 1]), r"Sampled.step must be above 0 s and first finite, but is -1.0 and 0.0"),
    ],
)
def test_wrong_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("middle", [0.0, 0.25, 0.5, 1.0, 32.0])
def test_where_a_periodic_pulse_ends(middle):
    """Also in the window's last cell, behind its last sample: seen backwards in time, its end is its beginning."""
    since = (np.arange(64) - middle + 32) % 64 - 32
    values = np.exp(-((since / 0.6) ** 2) / 4) + 0j
    packet, turned = (Sampled.from_samples(one, 1.0, 0.0) for one in (values, np.roll(values[::-1], 1)))
    assert 0 < packet.start < packet.end <= 64 * (1 + ALGEBRA)
    np.testing.assert_allclose(packet.end, 64 - turned.start, rtol=1e-6)
    assert np.isfinite(jax.grad(packet.decay)(1e-3))
