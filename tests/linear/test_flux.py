"""Photons that leave each port over all frequencies: by the steady state, against the integral over the spectrum and closed forms."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from tests.linear.dense import GRAPHS, Dense, random_system
from transduce.linear.system import LinearSystem, Port, UnstableError


def build(g, rates=(1.0, 4.0, 0.5), occupations=(0.0, 0.0, 0.0), doubled=False, kind="squeezing"):
    """Two modes in resonance, coupled with g; ports a, b and, at the first mode, loss."""
    ports = {"a": Port("one", rates[0], occupations[0]), "b": Port("two", rates[1], occupations[1])}
    ports["loss"] = Port("one", rates[2], occupations[2])
    modes = {"one": jnp.zeros(()), "two": jnp.zeros(())}
    return LinearSystem.build(modes, ports, doubled=doubled, **{kind: {("one", "two"): g}})


@eqx.filter_jit
def by_integral(system, count=2048):
    """The integral of N_out - n, w = 4 tan(angle): of a period of a smooth function, where equal steps converge exponentially."""
    angle = np.pi * ((np.arange(count) + 0.5) / count - 0.5)
    noise = jax.vmap(system.output_noise)(jnp.asarray(4 * np.tan(angle)))
    return (4 / np.cos(angle) ** 2) @ (noise - jnp.asarray(system.occupation)) / (2 * count)


flux = eqx.filter_jit(LinearSystem.noise_flux)


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_flux_is_the_integral_over_the_spectrum(graph):
    """Complex couplings, several modes to a port where the graph has that; and by scipy's Lyapunov solver."""
    omega, xi, c, n = random_system(np.random.default_rng(7), graph)
    system = LinearSystem.from_hamiltonian(omega, xi, c, n)
    assert (system.signs is None) == (graph == "frustrated") and system.active == (graph != "passive")
    found = flux(system)
    size = np.sum(np.abs(c) ** 2) * n.max()
    np.testing.assert_allclose(found, by_integral(system), rtol=0, atol=CLOSED_FORM * size)
    normal = Dense(omega, xi, c, n).moments()[0]
    wanted = np.einsum("pi,pj,ij->p", c.conj(), c, normal).real - n * np.sum(np.abs(c) ** 2, axis=1)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=CLOSED_FORM * size)


def test_a_passive_system_only_moves_photons():
    system = LinearSystem.from_hamiltonian(*random_system(np.random.default_rng(3), "passive"))
    found = flux(system)
    assert abs(float(jnp.sum(found))) < ALGEBRA * float(jnp.sum(jnp.abs(found)))
    one = LinearSystem.build({"m": jnp.zeros(())}, {"a": Port("m", 2.0, 0.1), "b": Port("m", 3.0, 1.6)})
    np.testing.assert_allclose(flux(one), [2 * 3 / 5 * 1.5, -2 * 3 / 5 * 1.5], rtol=ALGEBRA)
    equal = flux(build(0.7, occupations=(2.5, 2.5, 2.5), kind="hopping"))
    np.testing.assert_allclose(equal, np.zeros(3), atol=ALGEBRA)


@pytest.mark.parametrize("doubled", [False, True])
def test_a_pair_source_sends_one_photon_each_way(doubled):
    """Cold and lossless: C ka kb / ((ka + kb) (1 - C)) pairs per second, from both ports."""
    c = 0.6
    found = flux(build(jnp.sqrt(c * 4.0) / 2, rates=(1.0, 4.0, 0.0), doubled=doubled))
    np.testing.assert_allclose(found, [c * 4 / (5 * (1 - c)), c * 4 / (5 * (1 - c)), 0], rtol=CLOSED_FORM, atol=ALGEBRA)


@pytest.mark.parametrize("doubled", [False, True])
def test_a_lossy_and_warm_pair_source(doubled):
    """Photons come in pairs: what leaves the first mode by both of its ports leaves the second one too."""
    system = build(0.7, occupations=(0.3, 0.05, 1.2), doubled=doubled)
    found = flux(system)
    np.testing.assert_allclose(found, by_integral(system), rtol=CLOSED_FORM, atol=ALGEBRA)
    np.testing.assert_allclose(found[0] + found[2], found[1], rtol=CLOSED_FORM)


@pytest.mark.parametrize("kind", ["hopping", "squeezing"])
def test_the_gradient_is_exact(kind):
    def ours(x):
        return build(x[0], (x[1], x[2], 0.5), (x[3], 0.05, 1.2), kind=kind).noise_flux()

    at, h = np.array([0.7, 1.0, 4.0, 0.3]), 1e-3
    slopes = jax.jit(jax.jacrev(ours))(jnp.asarray(at))
    ours = jax.jit(ours)
    for k, step in enumerate(h * np.eye(4)):
        wide, narrow = ((ours(at + s * step) - ours(at - s * step)) / (2 * s * h) for s in (2, 1))
        np.testing.assert_allclose(slopes[:, k], (4 * narrow - wide) / 3, rtol=GRADIENT, atol=GRADIENT)


def test_a_closed_port_has_the_one_sided_slope():
    """kappa (<a^dagger a> - n) of a port that opens: its first photons are those of the mode as it was."""

    def ours(rate):
        system = build(0.7, (1.0, 4.0, rate), (0.3, 0.05, 1.2))
        return system.noise_flux()[2], system.covariance().occupation[0]

    (_, mode), (slope, _) = jax.jit(lambda rate: jax.jvp(ours, (rate,), (jnp.ones(()),)))(jnp.zeros(()))
    np.testing.assert_allclose(slope, mode - 1.2, rtol=CLOSED_FORM)


def test_an_unstable_system_has_none():
    with pytest.raises(UnstableError, match="a disturbance grows"):
        build(2.0).noise_flux()
    found, slope = jax.jit(jax.value_and_grad(lambda x: jnp.sum(build(x[0], (x[1], 4.0, 0.5)).noise_flux())))(jnp.array([2.0, 1.0]))
    assert np.isnan(found) and np.array_equal(slope, [0, 0])
