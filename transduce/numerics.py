"""Functions whose values are easy and whose gradients are not.

``bose`` and ``sqrt`` have the right value *and* the right derivative on the whole range that physics asks for, its edges included.
The usual guards (``jnp.where`` around a bad point) give a finite derivative that is wrong; see each docstring. ``cis`` and ``dense`` are
here for what XLA makes of them: little.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Float, Inexact

from .units import hbar, k_B

TINY = 1e-100
"""What ``sqrt`` reads 0 as: its root 1e-50, and the third powers of both, are still ordinary float64 numbers."""


DARK = 1e-80
"""A power or a probability below this is none: that of a coupling which ``sqrt`` keeps from being 0, and the shape of it rounding."""


def is_concrete(*values: object) -> bool:
    """True where none of the values is traced, so that Python may look at them and raise an error."""
    return not any(isinstance(value, jax.core.Tracer) for value in values)


@jax.custom_jvp
def unless_dark(value: Float[Array, ""], power: Float[Array, ""]) -> Float[Array, ""]:
    """The value; where the power that it is referred to is ``DARK``, and its derivatives rounding, these are NaN rather than wrong."""
    return value


@unless_dark.defjvp
def _unless_dark_jvp(primals, tangents):
    (value, power), (d_value, _) = primals, tangents
    return unless_dark(value, power), jnp.where(power < DARK, jnp.nan, 1.0) * d_value


@jax.custom_jvp
def _bose(omega: Float[Array, ""], temperature: Float[Array, ""]) -> Float[Array, ""]:
    cold = temperature == 0
    x = jnp.where(cold, jnp.inf, hbar * omega / (k_B * jnp.where(cold, 1.0, temperature)))
    return jnp.where(temperature >= 0, 1 / jnp.expm1(x), jnp.nan)


@_bose.defjvp
def _bose_jvp(primals, tangents):
    # dn/dx = -n (n + 1); where n underflows to 0 the true derivative is below 1e-298 too.
    (omega, temperature), (d_omega, d_temperature) = primals, tangents
    n = _bose(omega, temperature)
    safe = jnp.where(temperature > 0, temperature, 1.0)
    dx = hbar / (k_B * safe) * (d_omega - omega / safe * d_temperature)
    return n, jnp.where(n > 0, -n * (n + 1) * dx, 0.0)


def bose(omega: Float[Array, ""], temperature: Float[Array, ""]) -> Float[Array, ""]:
    r"""Thermal occupation :math:`n = 1/(e^{\hbar\omega/k_BT} - 1)`; 0 at T = 0.

    The textbook form overflows, and its derivative is NaN, for an optical bath below 13 K. Here both hold from 1 uK to 300 K and from
    1 MHz to 200 THz; the one-sided derivative at T = 0 is 0.

    Args:
        omega: mode frequency, rad/s, > 0.
        temperature: K, >= 0.
    """
    return _bose(jnp.asarray(omega, float), jnp.asarray(temperature, float))


@jax.custom_jvp
def _sqrt(x: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(x >= 0, jnp.sqrt(jnp.maximum(x, TINY)), jnp.nan)


@_sqrt.defjvp
def _sqrt_jvp(primals, tangents):
    y = _sqrt(primals[0])
    return y, tangents[0] / (2 * y)


def sqrt(x: Float[Array, ""]) -> Float[Array, ""]:
    r"""Square root through which the chain rule works at 0.

    A quantity analytic in x may pass through :math:`\sqrt x`: conversion efficiency is :math:`\eta = 4C/(1+C)^2` with a coupling
    :math:`g \propto \sqrt P`. At P = 0 the chain rule reads 0 x inf = NaN, and a ``where``-guard makes it 0, where the truth is
    :math:`d\eta/dC = 4`. Reading 0 as 1e-100 leaves every value right to 1e-100 and makes the product come out: exactly 4.
    Where the derivative itself diverges, as :math:`d\sqrt x/dx` at 0, the answer is above 1e40: read it as infinite.

    Args:
        x: >= 0, any unit; a negative one gives NaN.
    """
    return _sqrt(jnp.asarray(x, float))


def abs2(z: Inexact[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Squared modulus, differentiable at 0 (``abs(z)**2`` is not)."""
    return jnp.real(z) ** 2 + jnp.imag(z) ** 2 if jnp.iscomplexobj(z) else jnp.square(z)


def cis(angle: ArrayLike) -> Complex[Array, "*shape"]:
    r""":math:`e^{i\,angle}` as its cosine and its sine, which compile in a third of the time that the complex exponential takes."""
    return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))


def dense(entries: Mapping[tuple[int, int], ArrayLike], size: int) -> Complex[Array, "n n"]:
    """A square matrix from its entries, 0 where none is given; in a row, as XLA makes a loop of each array that is written into."""
    parts: list[Array] = []
    done = 0
    for row, column in sorted(entries):
        place = size * row + column
        parts += [jnp.zeros(place - done, complex), jnp.asarray(entries[row, column], complex)[None]]
        done = place + 1
    return jnp.concatenate([*parts, jnp.zeros(size**2 - done, complex)]).reshape(size, size)


ZERO = 1e-60
"""What ``power`` reads an exact 0 as in its derivative: its fifth power is still a float64 number."""


@jax.custom_jvp
def _power(x: Float[Array, ""], exponent: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(x >= 0, jnp.exp(exponent * jnp.log(jnp.where(x > 0, x, ZERO))), jnp.nan)


@_power.defjvp
def _power_jvp(primals, tangents):
    (x, exponent), (dx, d_exponent) = primals, tangents
    safe, y = jnp.where(x > 0, x, ZERO), _power(x, exponent)
    return y, y * (exponent / safe * dx + jnp.log(safe) * d_exponent)


def power(x: Float[Array, ""], exponent: Float[Array, ""]) -> Float[Array, ""]:
    """x ** exponent for x >= 0 and exponent > 0, through which the chain rule works at 0, in the manner of ``sqrt``.

    So (x ** q) ** (1 / q) has derivative 1 at 0, as the heating law with the pump off asks.
    """
    return _power(jnp.asarray(x, float), jnp.asarray(exponent, float))
