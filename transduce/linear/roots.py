r"""Roots of a product of given factors plus a constant, where a response function takes a given value; on any device, for any batch.

.. math:: p(w) = \prod_k |w - z_k|^2 + c = \prod_k [(w - \mathrm{Re} z_k)^2 + (\mathrm{Im} z_k)^2] + c

All at once, each repelled by the others; of third order, slower where roots coincide. The product is never expanded into coefficients,
whose rounding would move roots that lie close together. Each root lies within :math:`\rho = |c|^{1/2n}` of a factor's own; zeros that lie
within :math:`2\rho` of their centroid :math:`\bar z` are seen from afar, to second order in their distance from it:

.. math:: w_k = \bar z + \rho\, (u_k + \mu/2u_k), \quad u_k^{2n} = -\mathrm{sign}\, c, \quad
          \mu\rho^2 = \overline{\mathrm{Re} (z - \bar z)^2} .

Source: Aberth, Math. Comp. 27, 339 (1973); Ehrlich, Commun. ACM 10, 107 (1967).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex

from ..numerics import abs2, cis
from .lineshape import frozen

_MOST = 100
_STILL = 1e-8
"""A step so short, relative to rho, is the last one: the next would be below rounding, or is rounding where roots coincide."""
_TURN = 0.2
"""Of the step between start angles: off the axis, which a search that starts on it never leaves."""
_Pair = tuple[Array, Array]
"""Real and imaginary part."""


def roots_of_power(zeros: Complex[Array, " n"], constant: ArrayLike) -> Complex[Array, " 2n"]:
    """The 2n roots, outside the gradient; zeros and roots in one unit, in which they should be of order one.

    Args:
        zeros: z_k.
        constant: c, real; not 0.
    """
    zeros, offset = frozen((zeros, jnp.asarray(constant, float)))
    count = 2 * zeros.size
    x, y2 = jnp.real(zeros), jnp.imag(zeros) ** 2
    radius = jnp.abs(offset) ** (1 / count)
    start = _start(zeros, offset, radius)

    def step(w: _Pair) -> _Pair:
        """w - p / (p' - p sum 1/(w - w_k)), in real numbers, whose loops vectorise."""
        a, b = w
        value, slope = (jnp.ones_like(a), jnp.zeros_like(a)), (jnp.zeros_like(a), jnp.zeros_like(a))
        for k in range(zeros.size):
            u = a - x[k], b
            factor = u[0] * u[0] - b * b + y2[k], 2 * u[0] * b
            slope = _sum(_product(slope, factor), _product(value, (2 * u[0], 2 * b)))
            value = _product(value, factor)
        value, others = (value[0] + offset, value[1]), (jnp.zeros_like(a), jnp.zeros_like(a))
        for k in range(count):
            others = _sum(others, _inverse((a - a[k], b - b[k])))
        away = _product(value, others)
        move = _product(value, _inverse((slope[0] - away[0], slope[1] - away[1])))
        return a - move[0], b - move[1]

    def moves(state: tuple[Array, _Pair, _Pair]) -> Array:
        done, (a, b), last = state
        return (done < _MOST) & jnp.any((a - last[0]) ** 2 + (b - last[1]) ** 2 > (_STILL * radius) ** 2)

    begun = jnp.zeros((), int), (jnp.real(start), jnp.imag(start)), (jnp.full_like(x, jnp.inf, shape=count),) * 2
    _, found, _ = jax.lax.while_loop(moves, lambda state: (state[0] + 1, step(state[1]), state[1]), begun)
    return jax.lax.complex(*found)


def _start(zeros: Complex[Array, " n"], constant: Array, radius: Array) -> Complex[Array, " 2n"]:
    """The view from afar, exact where the zeros coincide, or a circle about each zero.

    As long as they lie within rho/2, two roots are on the axis, as in that view, or none: only zeros further apart need the whole turn.
    """
    centre = jnp.mean(jnp.real(zeros))
    apart = (zeros - centre) / radius
    far = jnp.sqrt(jnp.max(abs2(apart)))
    place = np.arange(2 * zeros.size)
    turn = jnp.where(constant < 0, 0.0, 0.5) + _TURN * jnp.minimum(1.0, far**2)
    u = cis(np.pi / zeros.size * (place + turn))
    outside = centre + radius * (u + jnp.mean(jnp.real(apart**2)) / 2 * jnp.conj(u))
    circles = jnp.concatenate([zeros, jnp.conj(zeros)]) + radius * np.exp(1j * np.pi * (place + 0.25) / zeros.size)
    return jnp.where(far < 2, outside, circles)


def _sum(one: _Pair, other: _Pair) -> _Pair:
    return one[0] + other[0], one[1] + other[1]


def _product(one: _Pair, other: _Pair) -> _Pair:
    return one[0] * other[0] - one[1] * other[1], one[0] * other[1] + one[1] * other[0]


def _inverse(one: _Pair) -> _Pair:
    """1/z, and 0 of 0."""
    square = one[0] * one[0] + one[1] * one[1]
    scale = 1 / jnp.where(square == 0, 1.0, square)
    return one[0] * scale, -one[1] * scale
