"""Pair moments and entanglement against closed forms; noise that skips a port."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from transduce.linear.noise import PairMoments, output_noise
from transduce.linear.system import Row


def two_mode_squeezed(r, lost=0.0):
    n, m = np.sinh(r) ** 2, np.sinh(r) * np.cosh(r)
    return PairMoments(jnp.asarray((1 - lost) * n), jnp.asarray((1 - lost) * n), jnp.asarray((1 - lost) * m * 1j))


@pytest.mark.parametrize("r", [1e-6, 0.1, 1.0, 4.0])
def test_a_pure_squeezed_pair(r):
    pairs = two_mode_squeezed(r)
    nu = np.exp(-2 * r)
    # N and M are rounded to 1e-16 of themselves: nu_- = ... - 4|M|^2 keeps what is left of that, e^{4 r} of it.
    tolerance = max(CLOSED_FORM, 1e-15 * np.exp(6 * r))
    np.testing.assert_allclose(pairs.smallest_symplectic_eigenvalue(), nu, rtol=tolerance)
    np.testing.assert_allclose(pairs.logarithmic_negativity(), 2 * r / np.log(2), rtol=max(tolerance, 1e-15 / r))


def test_a_lossy_pair_and_its_covariance():
    pairs = two_mode_squeezed(0.8, lost=0.3)
    np.testing.assert_allclose(pairs.smallest_symplectic_eigenvalue(), 0.3 + 0.7 * np.exp(-1.6), rtol=CLOSED_FORM)
    v = np.asarray(pairs.covariance())
    form = np.kron(np.eye(2), [[0, 1], [-1, 0]])
    turned = v * np.outer([1, 1, 1, -1], [1, 1, 1, -1])  # partial transposition
    np.testing.assert_allclose(2 * np.abs(np.linalg.eigvals(1j * form @ turned)).min(), 0.3 + 0.7 * np.exp(-1.6), rtol=CLOSED_FORM)
    np.testing.assert_allclose(v[:2, 2:], 0.7 * np.sinh(0.8) * np.cosh(0.8) * np.array([[0, 1], [1, 0]]), atol=ALGEBRA)


def test_separable_outputs_have_none():
    assert PairMoments(jnp.asarray(0.3), jnp.asarray(0.2), jnp.asarray(0.1 + 0j)).logarithmic_negativity() == 0


def test_the_entanglement_has_a_gradient_at_the_vacuum():
    def nu(scale):  # N = C, M = sqrt(C): nu_- = 1 - 2 sqrt(C) + ..., whose slope diverges; of the squared coupling it is finite
        return PairMoments(scale**2, scale**2, scale * jnp.sqrt(1 + scale**2) + 0j).smallest_symplectic_eigenvalue()

    np.testing.assert_allclose(jax.grad(nu)(1e-9), -2.0, atol=1e-8)


def test_ports_and_images_that_are_left_out():
    row = Row((jnp.asarray(0.6 + 0j), None, jnp.asarray(0.5j)), (None, jnp.asarray(0.4 + 0j), jnp.asarray(0.3 + 0j)))
    n = (0.1, 0.2, 0.3)
    normal, anomalous = np.array([0.36, 0, 0.25]) * n, np.array([0, 0.16, 0.09]) * (np.array(n) + 1)
    np.testing.assert_allclose(output_noise(row, n), (normal + anomalous).sum(), rtol=ALGEBRA)
    np.testing.assert_allclose(output_noise(row, n, skip=2), (normal + anomalous).sum() - normal[2], rtol=ALGEBRA)
    np.testing.assert_allclose(output_noise(row, n, 2, skip_image=True), (normal + anomalous)[:2].sum(), rtol=ALGEBRA)
