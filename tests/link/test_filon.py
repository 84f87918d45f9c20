"""Fourier integrals at any time: spherical Bessel functions against scipy's, and two transforms in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import spherical_jn

from transduce.link.filon import _spherical_bessel, fourier
from transduce.link.quadrature import nodes


def test_spherical_bessel_functions():
    theta = np.concatenate([np.linspace(-60, 60, 2001), [0.0, 1e-9, 4 - 1e-9, 4 + 1e-9, 1e5]])
    for n, found in enumerate(_spherical_bessel(jnp.asarray(theta))):
        assert np.max(abs(np.asarray(found) - np.where(theta < 0, -1, 1) ** n * spherical_jn(n, abs(theta)))) < 3e-14


def test_transforms_at_any_time():
    """A Lorentzian, and a decaying packet behind a filter, from 1e-3 to 1e4 lifetimes; both have tails in 1/omega^2."""
    grid = nodes(jnp.array([0.0, 0.3]), jnp.array([0.5, 3.0]))
    times = np.concatenate([-np.geomspace(1e-3, 1e4, 200), np.geomspace(1e-3, 1e4, 200)])
    line = 1 / (1 + (2 * grid.omega) ** 2) + 0j
    packet = 3 / (0.5 - 1j * grid.omega) / (3 - 1j * grid.omega)
    found = np.asarray(jax.jit(fourier)(grid, jnp.stack([line, packet], axis=1), times))
    late = np.maximum(times, 0)
    wanted = np.exp(-abs(times) / 2) / 4, np.where(times > 0, 3 / 2.5 * (np.exp(-late / 2) - np.exp(-3 * late)), 0)
    assert np.max(abs(found - np.stack(wanted, axis=1))) < 3e-8  # what the 32 nodes on either tail leave within 1e-2 of time 0
