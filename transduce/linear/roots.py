r"""Roots of a product of given factors plus a constant, where a response function takes a given value; on any device, for any batch.

.. math:: p(w) = \prod_k |w - z_k|^2 + c = \prod_k [(w - \mathrm{Re} z_k)^2 + (\mathrm{Im} z_k)^2] + c

All at once, each repelled by the others; of third order, slower where roots coincide. The product is never expanded into coefficients,
whose rounding would move roots that lie close together. Each root lies within :math:`\rho = |c|^{1/2n}` of a factor's own, where the
search starts.

Source: Aberth, Math. Comp. 27, 339 (1973); Ehrlich, Commun. ACM 10, 107 (1967).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex

from ..numerics import abs2
from .lineshape import frozen

_MOST = 100
_STILL = 1e-8
"""A step so short, relative to rho, is the last one: the next would be below rounding, or is rounding where roots coincide."""


def roots_of_power(zeros: Complex[Array, " n"], constant: ArrayLike) -> Complex[Array, " 2n"]:
    """The 2n roots, outside the gradient; zeros and roots in one unit, in which they should be of order one.

    Args:
        zeros: z_k.
        constant: c, real; not 0.
    """
    zeros, constant = frozen((zeros, jnp.asarray(constant, float)))
    count = 2 * zeros.size
    x, y2 = jnp.real(zeros), jnp.imag(zeros) ** 2
    angle = np.pi * (np.arange(count) + 0.25) / zeros.size
    radius = jnp.abs(constant) ** (1 / count)
    start = jnp.concatenate([zeros, jnp.conj(zeros)]) + radius * np.exp(1j * angle)

    def step(w: Complex[Array, " m"]) -> Complex[Array, " m"]:
        """w - p / (p' - p sum 1/(w - w_k)), in real numbers, whose loops vectorise."""
        a, b = jnp.real(w), jnp.imag(w)
        value, slope = (jnp.ones_like(a), jnp.zeros_like(a)), (jnp.zeros_like(a), jnp.zeros_like(a))
        for k in range(zeros.size):
            u = a - x[k], b
            factor = u[0] * u[0] - b * b + y2[k], 2 * u[0] * b
            slope = _sum(_product(slope, factor), _product(value, (2 * u[0], 2 * b)))
            value = _product(value, factor)
        value, others = (value[0] + constant, value[1]), (jnp.zeros_like(a), jnp.zeros_like(a))
        for k in range(count):
            others = _sum(others, _inverse((a - a[k], b - b[k])))
        away = _product(value, others)
        move = _product(value, _inverse((slope[0] - away[0], slope[1] - away[1])))
        return jax.lax.complex(a - move[0], b - move[1])

    def moves(state: tuple[Array, Array, Array]) -> Array:
        done, w, last = state
        return (done < _MOST) & jnp.any(abs2(w - last) > (_STILL * radius) ** 2)

    _, found, _ = jax.lax.while_loop(moves, lambda state: (state[0] + 1, step(state[1]), state[1]), (jnp.ones((), int), step(start), start))
    return found


_Pair = tuple[Array, Array]
"""Real and imaginary part."""


def _sum(one: _Pair, other: _Pair) -> _Pair:
    return one[0] + other[0], one[1] + other[1]


def _product(one: _Pair, other: _Pair) -> _Pair:
    return one[0] * other[0] - one[1] * other[1], one[0] * other[1] + one[1] * other[0]


def _inverse(one: _Pair) -> _Pair:
    """1/z, and 0 of 0."""
    square = one[0] * one[0] + one[1] * one[1]
    scale = 1 / jnp.where(square == 0, 1.0, square)
    return one[0] * scale, -one[1] * scale
