"""Roots of a product plus a constant, against 40 digits and against the closed forms of equal factors."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from tests import CLOSED_FORM
from transduce.linear.roots import roots_of_power


def by_mpmath(zeros, constant) -> np.ndarray:
    with mp.workdps(40):
        power = [mp.mpf(1)]
        for z in zeros:
            x, y = mp.mpf(float(z.real)), mp.mpf(float(z.imag))
            power = [a - 2 * x * b + (x**2 + y**2) * c for a, b, c in zip([*power, 0, 0], [0, *power, 0], [0, 0, *power], strict=True)]
        power[-1] += mp.mpf(float(constant))
        return np.array([complex(root) for root in mp.polyroots(power[::-1], maxsteps=500, extraprec=200, asc=True)])


def distance(found, wanted) -> float:
    """The farthest that a root is from the nearest of the others, either way."""
    apart = np.abs(np.asarray(found)[:, None] - wanted)
    return float(max(np.max(np.min(apart, axis=0)), np.max(np.min(apart, axis=1))))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_roots_are_those_of_forty_digits(n, sign):
    """Zeros on the axis and off it, near each other and far, constants from small to large: one batch."""
    rng = np.random.default_rng(n)
    zeros = rng.normal(size=(12, n)) * 10 ** rng.uniform(-2, 1, (12, 1)) + 1j * rng.normal(size=(12, n)) * rng.choice([0, 0.1, 1], (12, 1))
    constants = sign * 10 ** rng.uniform(-2, 2, 12)
    found = jax.jit(jax.vmap(roots_of_power))(jnp.asarray(zeros), jnp.asarray(constants))
    for one, own, constant in zip(found, zeros, constants, strict=True):
        wanted = by_mpmath(own, constant)
        nearest = min((abs(a - b) for k, a in enumerate(wanted) for b in wanted[:k]), default=1.0)
        assert distance(one, wanted) < CLOSED_FORM * max(1, np.max(np.abs(wanted))) / min(1, nearest) ** 2


@pytest.mark.parametrize("n", [2, 5, 12])
@pytest.mark.parametrize("sign", [-1, 1])
def test_equal_factors(n, sign):
    """w^2n = -c: evenly on a circle."""
    found = np.asarray(jax.jit(roots_of_power)(jnp.zeros(n, complex), sign * 0.3))
    turn = np.arange(2 * n) + (0.5 if sign > 0 else 0.0)
    assert distance(found, 0.3 ** (0.5 / n) * np.exp(1j * np.pi * turn / n)) < CLOSED_FORM


@pytest.mark.parametrize("constant", [-0.01, -0.1, -0.2, -1.0, -30.0])
def test_roots_off_the_axis_are_found_from_beside_it(constant):
    """w^2 (w^2 - 1)^2 + c, mirrored in both axes: six roots on the axis up to |c| = 4/27, then two; the spread from 2.2 rho to rho/1.8."""
    zeros = np.array([0, 1, -1], complex)
    found = np.asarray(jax.jit(roots_of_power)(jnp.asarray(zeros), constant))
    assert np.sum(np.abs(found.imag) < CLOSED_FORM) == (6 if constant > -4 / 27 else 2)
    assert distance(found, by_mpmath(zeros, constant)) < CLOSED_FORM


def test_touching_roots():
    """(w^2 - 1)^2 - 1 touches 0 at w = 0: twice there to half the digits, and at +-sqrt 2 to all."""
    found = np.asarray(jax.jit(roots_of_power)(jnp.array([1.0, -1.0], complex), -1.0))
    assert distance(found, np.array([0, np.sqrt(2), -np.sqrt(2)])) < 1e-7
    assert np.sort(np.abs(found))[2:] == pytest.approx(np.sqrt(2), abs=CLOSED_FORM)
