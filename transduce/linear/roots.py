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
        value, slope = jnp.ones_like(w), jnp.zeros_like(w)
        for k in range(zeros.size):
            factor = (w - x[k]) ** 2 + y2[k]
            value, slope = value * factor, slope * factor + 2 * value * (w - x[k])
        value, others = value + constant, jnp.zeros_like(w)
        for k in range(count):
            apart = w - w[k]
            others = others + jnp.where(apart == 0, 0.0, 1 / jnp.where(apart == 0, 1.0, apart))
        below = slope - value * others
        return jnp.where(value == 0, w, w - value / jnp.where(below == 0, 1.0, below))

    def moves(state: tuple[Array, Array, Array]) -> Array:
        count, w, last = state
        return (count < _MOST) & jnp.any(jnp.abs(w - last) > _STILL * radius)

    _, found, _ = jax.lax.while_loop(moves, lambda state: (state[0] + 1, step(state[1]), state[1]), (jnp.ones((), int), step(start), start))
    return found
