"""The stability gate in its four forms: by structure, eager error, traced flag, counted."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA
from transduce.linear.system import LinearSystem, Port, UnstableError

ZERO = jnp.zeros(())


def pair(cooperativity, detuning=0.0, squeezing=True):
    """Two modes of kappa = 1 and 4, one port each, coupled with g = sqrt(C)."""
    edges = {("a", "b"): jnp.sqrt(cooperativity * 4.0) / 2}
    ports = {"pa": Port("a", jnp.asarray(1.0), 0.1), "pb": Port("b", jnp.asarray(4.0), 0.0)}
    modes = {"a": jnp.asarray(detuning), "b": ZERO}
    return LinearSystem.build(modes, ports, squeezing=edges) if squeezing else LinearSystem.build(modes, ports, hopping=edges)


def everything(system):
    """All public answers."""
    return {
        "scattering": lambda: system.scattering(ZERO),
        "row": lambda: system.row("pa", ZERO),
        "internal": lambda: system.internal("b", ZERO),
        "output_noise": lambda: system.output_noise(ZERO),
        "added_noise_input": lambda: system.added_noise_input("pa", "pb", ZERO),
        "pair_moments": lambda: system.pair_moments("pa", "pb", ZERO),
        "covariance": lambda: system.covariance(),
        "noise_flux": lambda: system.noise_flux(),
    }


@pytest.mark.parametrize("squeezing", [False, True])
def test_without_squeezing_no_eigenvalue_is_computed(squeezing):
    def answers(cooperativity):
        return [answer() for answer in everything(pair(cooperativity, squeezing=squeezing)).values()]

    assert ("eig" in str(jax.make_jaxpr(answers)(jnp.asarray(0.5)))) == squeezing
    assert pair(100.0, squeezing=False).is_stable() is True


@pytest.mark.parametrize("name", everything(pair(0.5)))
def test_an_unstable_system_raises(name):
    everything(pair(0.999))[name]()
    with pytest.raises(UnstableError, match=r"unstable: a disturbance grows at .* rad/s"):
        everything(pair(1.001))[name]()


def test_the_margin_is_the_threshold():
    for cooperativity in (0.3, 0.99, 1.01, 9.0):
        root = np.sqrt((4 + 1) ** 2 - 16 * (1 - cooperativity))
        np.testing.assert_allclose(pair(cooperativity).stability_margin(), (5 - root) / 4, atol=ALGEBRA)
    # Off resonance by d the threshold is (1 + (2 d / (ka + kb))^2).
    for factor in (0.999, 1.001):
        assert bool(pair(factor * (1 + (2 * 3.0 / 5.0) ** 2), detuning=3.0).is_stable()) == (factor < 1)


def test_a_correct_commutator_does_not_mean_stable():
    system = pair(9.0)
    row = system.amplitudes("pa", ZERO)
    gain, pairs = abs(row.normal[0]) ** 2, abs(row.anomalous[1]) ** 2
    np.testing.assert_allclose([pairs, gain - pairs], [36 / 64, 1.0], rtol=ALGEBRA)  # 0.5625, [a, a^dagger] = 1
    with pytest.raises(UnstableError):
        system.scattering(ZERO)


def test_a_traced_unstable_system_reads_nan_with_zero_gradient():
    def noise(cooperativity):
        return pair(cooperativity).output_noise(ZERO)[0]

    value, gradient = jax.jit(jax.value_and_grad(noise))(2.0)
    assert np.isnan(value) and gradient == 0
    value, gradient = jax.jit(jax.value_and_grad(noise))(0.25)
    step = 1e-6
    assert np.isfinite(value) and np.isclose(gradient, (noise(0.25 + step) - noise(0.25 - step)) / (2 * step), rtol=1e-7)


def test_one_unstable_lane_harms_no_other():
    @eqx.filter_jit
    @jax.vmap
    def answers(cooperativity):
        system = pair(cooperativity)
        return system.output_noise(ZERO), system.covariance(), system.scattering(ZERO), system.internal("a", ZERO)

    good = jnp.linspace(0.1, 0.8, 8)
    bad = good.at[3].set(1.7)
    for clean, mixed in zip(jax.tree.leaves(answers(good)), jax.tree.leaves(answers(bad)), strict=True):
        clean, mixed = np.asarray(clean), np.asarray(mixed)
        others = np.arange(8) != 3
        assert np.array_equal(clean[others], mixed[others])
    noise = np.asarray(answers(bad)[0])
    assert np.isnan(noise).any(axis=1).sum() == 1 and np.isnan(noise[3]).all()
    assert not np.asarray(jax.vmap(lambda c: pair(c).is_stable())(bad))[3]
