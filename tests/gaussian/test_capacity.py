"""Capacity bounds: against 60-digit textbook forms on both sides of eta = 1, their gradients, their edges, and their integrals.

Two independent witnesses of the integral: ``scipy.integrate.quad`` of the textbook bounds on numpy scattering matrices, and the closed
form of a lossless chain (``tests/devices/test_chain.py``).
"""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.gaussian.capacity import Bounds, bounds
from transduce.gaussian.capacity_rate import CapacityRate, capacity_rate, coupling_limit, limit_share, line
from transduce.linear.system import LinearSystem, Port, UnstableError

NAMES = (*Bounds._fields, "upper")


def textbook(deficit, noise) -> list:
    """Pure loss, thermal lower bound, two-way and bottleneck, by log2(eta/|1-eta|), g(n) and PLOB, in 60 digits."""
    with mp.workdps(60):
        d, noise = mp.mpf(deficit), mp.mpf(noise)
        eta = 1 - d
        n = (noise - max(0, -d)) / abs(d)
        g = (n + 1) * mp.log(n + 1, 2) - (n * mp.log(n, 2) if n > 0 else 0)
        q1 = mp.log(eta / abs(d), 2)
        plob = -mp.log(d * eta**n, 2) - g if d > 0 else mp.log(eta ** (n + 1) / -d, 2) - g
        e = eta - noise
        twisted = mp.log(e / (1 - e), 2) if e > 0 else mp.mpf(0)
        return [max(mp.mpf(0), q) for q in (q1, q1 - g, plob if noise < eta else mp.mpf(0), twisted)]


def cases() -> np.ndarray:
    """(deficit, noise): loss from 1e-12 to 0.99, gain from 1 + 1e-12 to 20, environments from 1e-6 to 30."""
    rng = np.random.default_rng(4)
    d = np.concatenate([10 ** rng.uniform(-12, 0, 60) * 0.99, -(10 ** rng.uniform(-12, 1.28, 60))])
    n = 10 ** rng.uniform(-6, 1.5, 120)
    return np.stack([d, np.where(rng.uniform(size=120) < 0.5, 1.0, np.abs(d)) * n + np.maximum(0, -d)], axis=1)


@jax.jit
@jax.vmap
def ours(deficit, noise):
    def all_of(deficit, noise):
        found = bounds(1 - deficit, noise, deficit)
        return jnp.stack([*found, found.upper])

    return all_of(deficit, noise), *jax.jacfwd(all_of, (0, 1))(deficit, noise)


def test_bounds_are_the_textbook_ones_for_loss_and_gain():
    given = cases()
    found, _, _ = ours(*given.T)
    wanted = np.array([[float(q) for q in textbook(*case)] for case in given])
    np.testing.assert_allclose(found[:, :4], wanted, rtol=ALGEBRA, atol=ALGEBRA)
    assert (wanted > 0).sum(axis=0).min() > 20
    np.testing.assert_array_equal(found[:, 4], np.minimum(found[:, 2], found[:, 3]))
    assert (found[:, 1] <= found[:, 4] + ALGEBRA).all()
    assert (found[:, 1] <= found[:, 0] + ALGEBRA).all()


def test_gradients_are_those_of_the_textbook():
    given = cases()
    _, by_deficit, by_noise = (np.asarray(x) for x in ours(*given.T))
    for k, (d, n) in enumerate(given):
        with mp.workdps(60):
            h = mp.mpf(10) ** -20 * min(abs(d), n - max(0, -d), 1)
            up, down = textbook(mp.mpf(d) + h, n), textbook(mp.mpf(d) - h, n)
            hot, cold = textbook(d, mp.mpf(n) + h), textbook(d, mp.mpf(n) - h)
            slopes = [[float((a - b) / (2 * h)) for a, b in zip(*pair, strict=True)] for pair in ((up, down), (hot, cold))]
        np.testing.assert_allclose(by_deficit[k, :4], slopes[0], rtol=GRADIENT, atol=GRADIENT)
        np.testing.assert_allclose(by_noise[k, :4], slopes[1], rtol=GRADIENT, atol=GRADIENT)


def test_at_efficiency_one_and_on_either_side_of_it():
    """-log2 N - log2 e, with the slopes of both sides' limit: d/d eta = (1 + 1/(2N)) log2 e of the lower, its value within 1e-9."""
    for d in (0.0, 1e-9, -1e-9):
        found, by_deficit, by_noise = (np.asarray(x)[0] for x in ours(jnp.array([d]), jnp.array([0.1])))
        assert found[1] == pytest.approx(-np.log2(0.1) - np.log2(np.e) - d * 6 / np.log(2), rel=ALGEBRA)
        assert by_deficit[1] == pytest.approx(-6 / np.log(2), rel=1e-7)  # 1e-9 away the true slope differs by that much
        assert by_noise[1] == pytest.approx(-10 / np.log(2), rel=1e-7)
        assert found[3] == pytest.approx(np.log2(9), abs=2e-8)


def test_limits_without_noise_are_the_known_capacities():
    eta = np.array([0.2, 0.5, 0.7, 0.999, 1.3, 7.0])
    found = jax.vmap(lambda e: bounds(e, jnp.maximum(0.0, e - 1)))(jnp.asarray(eta))
    known = np.maximum(0, np.log2(eta / np.abs(1 - eta)))
    np.testing.assert_allclose(found.lower, known, rtol=ALGEBRA, atol=ALGEBRA)
    np.testing.assert_allclose(found.pure_loss, known, rtol=ALGEBRA, atol=ALGEBRA)
    np.testing.assert_allclose(found.upper, known, rtol=ALGEBRA, atol=ALGEBRA)
    np.testing.assert_allclose(found.two_way[:4], -np.log2(1 - eta[:4]), rtol=ALGEBRA)


@pytest.mark.parametrize(("eta", "noise"), [(0.0, 0.0), (0.0, 0.3), (0.5, 0.0), (0.7, 0.0), (1.0, 0.0), (1.0, 0.2), (0.4, 0.4), (1.5, 0.5)])
def test_no_edge_gives_nan(eta, noise):
    values, *slopes = ours(jnp.array([1 - eta]), jnp.array([noise]))
    assert np.isfinite(values).all() and all(np.isfinite(slope).all() for slope in slopes)


def test_slopes_at_the_edges():
    """From nothing the two-way bound grows as eta log2 e; a noise held at 0 does not spoil the slope in eta; divergences read as large."""
    assert float(jax.jit(jax.grad(lambda e: bounds(e).two_way))(0.0)) == pytest.approx(1 / np.log(2), rel=ALGEBRA)
    at = jax.jit(jax.jacfwd(lambda e: bounds(e, 0.0 * e)))(0.7)
    assert [at.pure_loss, at.lower, at.bottleneck] == pytest.approx([1 / 0.21 / np.log(2)] * 3, rel=ALGEBRA)
    assert float(jax.jit(jax.grad(lambda n: bounds(0.7, n).lower))(0.0)) < -1000
    assert float(jax.jit(jax.grad(lambda d: bounds(1 - d, 0.0, d).pure_loss))(0.0)) < -1e40


def test_an_unstable_channel_stays_nan():
    assert all(np.isnan(bound) for bound in (*bounds(jnp.nan, jnp.nan), bounds(jnp.nan, jnp.nan).upper))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1,), "capacity.bounds: efficiency must be at least 0, but is -0.1"),
        ((0.5, -0.2), "capacity.bounds: noise must be at least max\\(0, eta - 1\\) = 0, but is -0.2"),
        ((1.5, 0.2), "capacity.bounds: noise must be at least max\\(0, eta - 1\\) = 0.5, but is 0.2"),
        ((0.5, 0.0, 0.4), "capacity.bounds: deficit must be 1 - efficiency = 0.5, but is 0.4"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        bounds(*arguments)


# Over all frequencies


def electro_optic(g=0.5, n=0.05, **more) -> ElectroOptic:
    rates = {"kappa_e_ext": 0.97, "kappa_e_int": 0.03, "kappa_o_ext": 1.18, "kappa_o_int": 0.02, "detuning_o": 0.1}
    return ElectroOptic(**rates, g0=g, pump_photons=1.0, n_e_int=n, **more)


def textbook_rate(g: float, n: float) -> list[float]:
    """The same device: its 2 x 2 system in numpy, the textbook bounds, and ``quad`` between the zeros of each, found by ``brentq``."""
    rates, modes, occupation = np.array([0.97, 0.03, 1.18, 0.02]), [0, 0, 1, 1], np.array([0.0, n, 0.0, 0.0])
    k = np.zeros((4, 2))
    k[range(4), modes] = np.sqrt(rates)
    drift = -1j * np.array([[0, g], [g, 0.1]]) - k.T @ k / 2

    def channel(w: float) -> tuple[float, float, float]:
        row = np.abs((np.eye(4) - k @ np.linalg.solve(-1j * w * np.eye(2) - drift, k.T))[2]) ** 2
        return row[0], row[1:] @ occupation[1:], row[1:].sum()

    def g_of(x: float) -> float:
        return (x + 1) * np.log2(x + 1) - x * np.log2(x)

    def pure(w: float) -> float:
        eta, _, d = channel(w)
        return np.log2(eta / d)

    def lower(w: float) -> float:
        _, noise, d = channel(w)
        return pure(w) - g_of(noise / d)

    def bottleneck(w: float) -> float:
        eta, noise, d = channel(w)
        return np.log2((eta - noise) / (d + noise)) if eta > noise else -99.0

    def upper(w: float) -> float:
        eta, noise, d = channel(w)
        x = noise / d
        return min(bottleneck(w), -np.log2(d) - x * np.log2(eta) - g_of(x) if noise < eta else 0.0)

    found = []
    for q in (pure, lower, bottleneck, upper):
        w = np.linspace(-2.0, 2.1, 2000)
        inside = np.array([q(x) > 0 for x in w])
        edges = [brentq(q, w[i], w[i + 1], xtol=1e-14) for i in np.flatnonzero(inside[1:] != inside[:-1])]
        assert len(edges) == 2
        found.append(quad(q, *edges, epsabs=1e-12, epsrel=1e-11, limit=500)[0] / (2 * np.pi))
    return found


def test_rate_against_quad():
    for g, n in ((0.5, 0.05), (0.8, 0.6)):
        np.testing.assert_allclose(np.array(capacity_rate(electro_optic(g, n).linear_system())), textbook_rate(g, n), rtol=CLOSED_FORM)


def test_the_rate_s_gradient_against_differences():
    """Differences of the integral itself: with 1e-15 in it and steps of 2e-4 (Richardson), 1e-8 of the slope is what they can tell."""

    def rates(x):
        return jnp.stack([*capacity_rate(electro_optic(0.7 * x[0], 0.3 * x[1]).linear_system())])

    slopes = np.asarray(jax.jit(jax.jacfwd(rates))(jnp.ones(2)))
    for k in range(2):
        step = np.eye(2)[k]
        wide, narrow = ((rates(1 + h * step) - rates(1 - h * step)) / (2 * h) for h in (4e-4, 2e-4))
        np.testing.assert_allclose(slopes[:, k], (4 * narrow - wide) / 3, rtol=GRADIENT, atol=GRADIENT)


def matched(ratio, loss, cooperativity, kappa=2.0):
    """kappa_e = kappa, kappa_o = kappa ratio, each mode with so much loss, on resonance."""
    rates = {"kappa_e_ext": kappa, "kappa_e_int": loss, "kappa_o_ext": kappa * ratio, "kappa_o_int": loss}
    return capacity_rate(ElectroOptic(**rates, cooperativity=cooperativity).linear_system()).pure_loss


def exact_rate(ratio, loss, cooperativity):
    """The same: eta = c/E with E quadratic in x = w^2, so that log2 eta/(1 - eta) = log2 c - log2 (E - c), by the roots of E - c = 0."""
    e, o, loss, coop = mp.mpf(2), 2 * mp.mpf(ratio), mp.mpf(loss), mp.mpf(cooperativity)
    product, total = (e + loss) * (o + loss), e + o + 2 * loss
    c, middle, linear = e * o * coop * product / 4, product * (1 + coop) / 4, total**2 / 8
    half, constant = linear - middle, product**2 * (1 + coop) ** 2 / 16 - c  # E - c = x^2 + 2 half x + constant
    split = mp.sqrt(mp.mpc(half**2 - constant))
    edge = mp.sqrt(-half + mp.sqrt(half**2 - constant + c))
    found = 2 * edge * mp.log(c)
    for x in (split - half, -split - half):
        for root in (mp.sqrt(x), -mp.sqrt(x)):
            found -= sum(sign * ((sign * edge - root) * mp.log(sign * edge - root) - sign * edge).real for sign in (1, -1))
    return found / mp.log(2) / (2 * mp.pi)


def test_near_perfect_matching():
    """Values to 1e-11 and gradients, of singularities on, beside and near the axis, alone and in pairs; NaN where rounding drowns them.

    A gradient is compared with itself or the rate (about 1), whichever is larger. At |C - 1| = 1e-8 it is known to 4e-8 only: equal
    rates make it 1/sqrt(1 - C), and 1 - C has lost eight digits.
    """
    offsets = [sign * size for size in (1e-2, 1e-3, 1e-4, 1e-6, 1e-8) for sign in (1, -1)]
    given = np.array([(r, k, 1 + d) for r in (1.0, 1.5, 3.0) for k in (0.0, 2e-9, 2e-6, 2e-3) for d in offsets])
    values, slopes = (np.asarray(x) for x in jax.jit(jax.vmap(jax.value_and_grad(matched, 2)))(*given.T))
    with mp.workdps(110):
        h = mp.mpf(10) ** -30
        wanted = [float(exact_rate(*case)) for case in given]
        steep = np.array([float((exact_rate(r, k, mp.mpf(c) + h) - exact_rate(r, k, mp.mpf(c) - h)) / (2 * h)) for r, k, c in given])
    np.testing.assert_allclose(values, wanted, rtol=1e-11)
    away = given[:, 2] - 1
    drowned = (given[:, 0] == 1) & (given[:, 1] == 0) & (away > 0) & (away < 4e-6)
    np.testing.assert_array_equal(np.isnan(slopes), drowned)
    error = np.abs(slopes - steep) / np.maximum(np.abs(steep), 1.0)
    close = np.abs(away) < 1e-7
    assert error[~drowned & ~close].max() < GRADIENT
    assert error[~drowned & close].max() < 4e-8


def test_at_perfect_matching():
    """Value and gradient where zeros lie on the axis exactly.

    With equal rates the last place of one moves a double zero by 1e-8 of the bandwidth, the value by 2e-8, and the gradient is NaN. With
    unequal ones it is the mean of both sides, by the symmetry of nodes, of which the nearest to the zero are rounded: 1e-7.
    """
    given = np.array([(1.0, 0.0, 1.0, 2.0), (1.0, 0.0, 1.0, 1.0), (1.0, 0.0, 1.0, 3e7), (1.5, 0.0, 1.0, 2.0)])
    value, slope = (np.asarray(x) for x in jax.jit(jax.vmap(jax.value_and_grad(matched, 2)))(*given.T))
    np.testing.assert_allclose(value[:3] / given[:3, 3] * 2, 2.597763769103, rtol=3e-8)
    assert np.isnan(slope[:3]).all()
    with mp.workdps(60):
        h = mp.mpf(10) ** -20
        above, at, below = (exact_rate(1.5, 0, 1 + x) for x in (h, 0, -h))
        mean = float((above - below) / (2 * h))
    assert value[3] == pytest.approx(float(at), rel=CLOSED_FORM)
    assert slope[3] == pytest.approx(mean, rel=1e-7)


def test_a_device_that_converts_too_little_or_too_hot_carries_nothing():
    np.testing.assert_array_equal(np.array(capacity_rate(electro_optic(0.05).linear_system())), 0.0)
    hot = capacity_rate(electro_optic(0.5, n=100.0).linear_system())
    assert hot.pure_loss > 0.1 and hot.lower == hot.upper == 0.0


def test_the_rate_has_the_unit_of_a_rate():
    sheet = {"kappa_e_ext": 0.97e7, "kappa_e_int": 0.03e7, "kappa_o_ext": 1.18e7, "kappa_o_int": 0.02e7, "detuning_o": 0.1e7}
    fast = capacity_rate(ElectroOptic(**sheet, g0=0.5e7, pump_photons=1.0, n_e_int=0.05).linear_system())
    slow = capacity_rate(electro_optic().linear_system())
    np.testing.assert_allclose(np.array(fast) / 1e7, np.array(slow), rtol=ALGEBRA)


def amplifier(x: float) -> LinearSystem:
    """A chain of two whose end also squeezes with a third, damped mode: gain, and noise that comes with it."""
    ports = {"in": Port("a", 1.0, 0.0), "out": Port("b", 1.0, 0.0), "idler": Port("c", 1.0, 0.1)}
    return LinearSystem.build({"a": 0.0, "b": 0.1, "c": 0.0}, ports, hopping={("a", "b"): 0.5}, squeezing={("b", "c"): x})


def test_gain_through_efficiency_one():
    """The amplifier's own textbook integrand, pieces cut where eta = 1 and where a bound is 0."""
    system = amplifier(0.35)
    ask = jax.jit(jax.vmap(lambda w: jnp.stack([*line(system, "in", "out", w)])))
    w = np.linspace(-1.5, 1.5, 200_001)
    eta, noise, deficit = np.asarray(ask(jnp.asarray(w))).T
    assert eta.max() > 1.2 and (np.diff(deficit > 0) != 0).sum() == 2
    np.testing.assert_allclose(deficit, 1 - eta, atol=ALGEBRA)
    assert (noise >= np.maximum(0, eta - 1)).all()
    found = jax.vmap(bounds)(eta, noise, deficit)
    both = jax.jit(jax.vmap(lambda x: capacity_rate(amplifier(x), "in", "out")))(jnp.array([0.35, 3.0]))
    rate, unstable = (CapacityRate(*(bound[k] for bound in both)) for k in (0, 1))
    assert np.isnan(np.array(unstable)).all()  # one lane beyond threshold does not stop the other
    for name, q in (("lower", found.lower), ("upper", found.upper)):  # Riemann sums of kinked functions: h^2 = 2e-10 of a scale of 1
        assert float(getattr(rate, name)) == pytest.approx(float(jnp.sum(q)) * (w[1] - w[0]) / (2 * np.pi), rel=1e-8)
    assert 0 < rate.lower < rate.upper < rate.pure_loss


def test_the_gradient_with_gain_against_differences():
    """Efficiency 1 is crossed at two frequencies, whose singularities move with the squeezing; Richardson, as above."""

    def rates(x):
        return jnp.stack([*capacity_rate(amplifier(x), "in", "out")])

    h = 2e-4
    at = jax.jit(jax.vmap(rates))(0.35 + h * jnp.array([-2.0, -1.0, 1.0, 2.0]))
    slope = jax.jit(jax.jacfwd(rates))(0.35)
    np.testing.assert_allclose(slope, (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h), rtol=GRADIENT)


def test_what_is_refused():
    blue = ElectroOptic(kappa_e_ext=1.0, kappa_e_int=0.1, kappa_o_ext=1.0, kappa_o_int=0.1, cooperativity=0.5, pump="blue")
    sheet = {"kappa_e_ext": 1.0, "kappa_e_int": 0.1, "kappa_o_ext": 1.0, "kappa_o_int": 0.1, "frequency_m": 10.0, "gamma_m": 1e-3}
    full = ElectroOptomechanical(**sheet, g0_e=0.1, g0_o=0.1, pump_photons_e=1.0, pump_photons_o=1.0, model="full")
    for device in (blue, full):
        with pytest.raises(ValueError, match="must not conjugate the phase, but has v != 0"):
            capacity_rate(device.linear_system())
    with pytest.raises(ValueError, match="must be two ports, but are both 'optical'"):
        capacity_rate(electro_optic().linear_system(), "optical", "optical")
    with pytest.raises(UnstableError):
        capacity_rate(amplifier(3.0), "in", "out")


def test_the_limit_and_a_device_s_share():
    assert coupling_limit(1.0) == pytest.approx(4.997642221295, rel=1e-12)
    system = electro_optic().linear_system()
    assert float(limit_share(system)) == pytest.approx(float(capacity_rate(system).lower) / (4.997642221295 * 0.5), rel=1e-11)
