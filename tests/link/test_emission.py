"""Emission and absorption: closed forms, time reversal, a master equation that knows nothing of them, gradients at its edges."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.integrate

from transduce.link.emission import Qubit, absorption, emission
from transduce.link.sampled import Sampled, Tabulated
from transduce.link.wavepacket import Decaying, Gaussian, Rising, Sech
from transduce.units import GHz, MHz, ns, us

from .. import ALGEBRA, CLOSED_FORM, GRADIENT
from .packets import B, T, table

QUBIT = Qubit(t1=3 * us, t2=1.3 * us)
G1, GP = 1 / 3e-6, 1 / 1.3e-6 - 1 / 6e-6


def test_rates():
    qubit = Qubit(t1=3 * us, t2=6 * us)
    assert float(QUBIT.decay_rate) == pytest.approx(G1, rel=ALGEBRA)
    assert float(QUBIT.dephasing_rate) == pytest.approx(GP, rel=ALGEBRA)
    assert abs(qubit.dephasing_rate) < 1e-9
    assert (float(qubit.frequency), float(qubit.phase_jitter), qubit.differential_phase_jitter) == (5 * GHz, 0.0, None)


def test_a_decaying_packet():
    """p = (G - g1)/G, D = G/(G + gp), and the coherence sqrt(p) G/(G + gp) with the vacuum."""
    efficiency, coherence = emission(QUBIT, Decaying(bandwidth=B))
    assert float(efficiency) == pytest.approx((B - G1) / B * B / (B + GP), rel=ALGEBRA)
    assert float(jnp.sqrt(efficiency) * coherence) == pytest.approx(np.sqrt((B - G1) / B) * B / (B + GP), rel=ALGEBRA)


def test_absorption_is_emission_in_reversed_time():
    forward = table()
    backward = Tabulated(-forward.times[::-1], forward.samples[::-1])
    mode = Sampled.from_samples((1 + 2j) * np.exp(-((np.arange(600) - 250) ** 2) / 3e3) * (1 + np.arange(600) / 600), 0.02 / B, 0.0)
    edom = Sampled.from_samples(mode.values[::-1], 0.02 / B, -599 * 0.02 / B)
    for one, other in (
        (Decaying(bandwidth=B), Rising(bandwidth=B)),
        (Sech(bandwidth=B), Sech(bandwidth=B)),
        (forward, backward),
        (mode, edom),
    ):
        emitted, absorbed = jax.jit(lambda a, b: (emission(QUBIT, a), absorption(QUBIT, b)))(one, other)
        assert np.array(emitted) == pytest.approx(np.array(absorbed), rel=CLOSED_FORM)
        assert np.all(np.array(emitted) < 1)
    assert emission(QUBIT, Rising(bandwidth=B)).efficiency < 0.9 * absorption(QUBIT, Rising(bandwidth=B)).efficiency


def test_without_dephasing_nothing_but_decay():
    qubit = Qubit(t1=3 * us, t2=6 * us)
    for packet in (Decaying(bandwidth=B), Gaussian(bandwidth=B), Sech(bandwidth=B), table()):
        (efficiency, coherence), growth = jax.jit(lambda f: (emission(qubit, f), f.growth(G1)))(packet)
        assert float(coherence) == pytest.approx(1, abs=ALGEBRA)
        assert float(efficiency) == pytest.approx(1 / float(growth), rel=ALGEBRA)


def lindblad(times: tuple[float, float], share: float) -> tuple[float, complex, float]:
    """A qubit with T1 and T2 emits into a virtual cavity that captures the sech (Kiilerich and Molmer, PRL 123, 123604).

    States 0, e, v. The coupler follows share x the largest possible photon rate; the cavity opens as f/sqrt(int f^2).

    Returns:
        population of the cavity, its coherence with the vacuum (from 1 of the qubit's), population left in the qubit.
    """
    sigma, capture, excited = np.zeros((3, 3)), np.zeros((3, 3)), np.diag([0.0, 1.0, 0.0])
    sigma[0, 1] = capture[0, 2] = 1
    largest = (
        1 / scipy.integrate.quad(lambda t: np.exp(G1 * (t - times[0])) / np.cosh(t / T) ** 2 / (2 * T), *times, epsrel=1e-13, points=[0])[0]
    )

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        """y: the 3 x 3 density matrix, and int |f|^2 e^{g1 s} ds so far."""
        rho, density = y[:9].reshape(3, 3), 1 / np.cosh(t / T) ** 2 / (2 * T)
        grown = density * np.exp(G1 * (t - times[0]))
        first = np.sqrt(share * largest * grown / (1 - share * largest * y[9].real)) * sigma
        second = -np.sqrt(density * (1 + np.exp(-2 * t / T))) * capture
        hamiltonian = (second.T @ first - first.T @ second) / 2j
        change = -1j * (hamiltonian @ rho - rho @ hamiltonian)
        for jump in (first + second, np.sqrt(G1) * sigma, np.sqrt(2 * GP) * excited):
            loss = jump.T @ jump / 2
            change = change + jump @ rho @ jump.T - loss @ rho - rho @ loss
        return np.append(change.ravel(), grown)

    rho = np.zeros((3, 3), complex)
    rho[:2, :2] = 0.5
    y = scipy.integrate.solve_ivp(slope, times, np.append(rho.ravel(), 0), method="DOP853", rtol=1e-11, atol=1e-14).y[:9, -1].reshape(3, 3)
    return 2 * y[2, 2].real, 2 * y[2, 0], 2 * y[1, 1].real


def test_a_master_equation_finds_the_photon():
    """Prepared 18 T before the centre, where e^{-36} of the packet has passed: the clock's start is moved by closed form."""
    share, early = 0.9, -18 * T
    population, coherence, left = lindblad((early, 18 * T), share)
    efficiency, factor = emission(QUBIT, Sech(bandwidth=B))
    wait = float(Sech(bandwidth=B).start) - early
    assert population == pytest.approx(share * float(efficiency) * np.exp(-G1 * wait), rel=1e-9)  # the solver's own 1e-11 a step
    assert abs(coherence) == pytest.approx(np.sqrt(population) * float(factor) * np.exp(-GP * wait), rel=1e-9)
    assert left == pytest.approx((1 - share) * np.exp(-G1 * 36 * T), rel=1e-8)


def test_too_short_a_life_gives_nothing_and_slope_zero():
    packet, slow = Decaying(bandwidth=0.01 * MHz), Sech(bandwidth=0.01 * MHz)
    for qubit, which, index in (
        (Qubit(t1=1 * us, t2=1 * us), packet, 0),
        (Qubit(t1=500 * ns, t2=1 * us), slow, 0),
        (Qubit(t1=9 * us, t2=1 * us), slow, 1),
    ):
        value, slope = jax.jit(jax.value_and_grad(lambda q, which=which, index=index: emission(q, which)[index]))(qubit)
        assert (float(value), float(slope.t1), float(slope.t2)) == (0, 0, 0)


def exact(t1, t2, b):
    """Efficiency and coherence of a sech in mpmath; times in 1/B."""
    g1, gp, t = 1 / t1, 1 / t2 - 1 / (2 * t1), 4 * mp.acosh(mp.sqrt(2)) / (mp.pi * b)
    end = t / 2 * mp.log(mp.mpf(10) ** 6 - 1)

    def growth(r):
        x = mp.pi * r * t / 2
        return mp.exp(r * end) * (x / mp.sin(x) if x else 1)

    overlap = 1 - gp * t + (gp * t) ** 2 / 2 * mp.psi(1, 1 + gp * t / 2)
    return overlap / growth(g1), growth(-gp) / mp.sqrt(overlap)


@pytest.mark.parametrize(("t1", "t2"), [(60, 40), (60, 120), (1e5, 2e5), (8, 5)])
def test_gradients(t1, t2):
    """By T1, T2 and bandwidth, also where there is no dephasing (T2 = 2 T1, the edge) and hardly any decay."""

    def ask(t1, t2, b):
        return jnp.stack(emission(Qubit(t1=t1, t2=t2), Sech(bandwidth=b)))

    found = np.array(jax.jit(jax.jacrev(ask, (0, 1, 2)))(t1 / B, t2 / B, B)) / np.array([[B], [B], [1 / B]])
    with mp.workdps(50):
        h = mp.mpf(10) ** -20
        for index, row in enumerate(found):
            up, down = (
                [x + sign * h * (place == index) for place, x in enumerate((mp.mpf(t1), mp.mpf(t2), mp.mpf(1)))] for sign in (1, -1)
            )
            wanted = [float((a - b) / (2 * h)) for a, b in zip(exact(*up), exact(*down), strict=True)]
            # a slope with the bandwidth at gp = 0 is the rounding of gp itself
            assert row == pytest.approx(wanted, rel=GRADIENT, abs=1e-14)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"t1": 1 * us, "t2": 2.1 * us}, "Qubit.t2 must be at most 2 t1 = 2 us, but is 2.1 us"),
        ({"t1": -1 * us, "t2": 1 * us}, "Qubit.t1 must be above 0 s, but is -"),
        ({"t1": 1 * us, "t2": 0.0}, "Qubit.t2 must be above 0 s, but is 0 s"),
        ({"t1": np.nan, "t2": 1 * us}, "Qubit.t1 must be .*, but is nan"),
        ({"t1": 1 * us, "t2": 1 * us, "frequency": 0.0}, "Qubit.frequency must be above 0 Hz"),
        ({"t1": 1 * us, "t2": 1 * us, "phase_jitter": -0.1}, "Qubit.phase_jitter must be at least 0 rad"),
    ],
)
def test_wrong_input_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Qubit(**fields)
