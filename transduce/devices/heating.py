r"""Heating: what the power that a device absorbs does to its baths.

.. math:: n = n_B(T) + n_{add}(P), \qquad T^q = T_0^q + P/G

P (W) is the pump's power times the absorbed fraction: the peak, where a bath follows within a pulse (the default), or the mean, duty cycle
times peak, where it is slower than the repetition. A law adds photons to what the bath has when cold (stated, or Bose at :math:`T_0`), or
it warms the bath. The refrigerator carries the mean: duty cycle x absorbed fraction x the power of all pumps.

Source: warming by a conductance, Sahu et al., Nat. Commun. 13, 1276 (2022); added photons as a power of P, MacCabe et al., Science 370,
840 (2020); a table by monotone cubics, Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5, 300 (1984).
"""

import abc
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import parameters
from ..numerics import is_concrete, power
from ..parameters import Parameter, Scalar
from ..units import mW, uW

COOLING_POWER = 20 * uW
"""What a dilution refrigerator carries away at 20 mK, unless stated (W)."""


def _names(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _table(values: Any) -> Array:
    return jnp.asarray(values, float)


def _reference() -> Any:
    return parameters.field(Parameter("power", (0.0, np.inf), open_below=True), 1 * mW)


def exponent(default: float | None = None) -> Any:
    """Declares an exponent from 1/4, below which ``numerics.power`` no longer reads 0 as nothing, to 8."""
    known = Parameter("number", (0.25, 8.0))
    return parameters.field(known) if default is None else parameters.field(known, default)


class AbstractHeating(eqx.Module):
    """A law of heating; a new one is a final class ``...Heating`` in this file, and files then know it by the first part of its name.

    Attributes:
        baths: which it heats, as the data sheet names them ("e_int", "m"); none: the one that the device's class says.
        driven_by: the absorbed power that it follows, "peak" or "mean".
    """

    baths: tuple[str, ...] = eqx.field(default=(), converter=_names, static=True, kw_only=True)
    driven_by: Literal["peak", "mean"] = eqx.field(default="peak", static=True, kw_only=True)

    def __check_init__(self) -> None:
        if self.driven_by not in ("peak", "mean"):
            raise ValueError(f'{type(self).__name__}.driven_by must be "peak" or "mean", but is {self.driven_by!r}')
        parameters.check(self)

    @abc.abstractmethod
    def temperature(self, cold: Scalar, absorbed: Scalar) -> Scalar:
        """Temperature (K) of a bath that is at ``cold`` (K) when no power (W) is absorbed."""

    @abc.abstractmethod
    def added(self, absorbed: Scalar) -> Scalar:
        """Photons (or phonons) on top of the bath's own at this absorbed power (W); NaN where the law does not say."""


class LinearHeating(AbstractHeating):
    """n = n0 + occupation x P / reference_power.

    Attributes:
        occupation: added at the absorbed power ``reference_power`` (W; 1 mW).
    """

    occupation: Scalar = parameters.number()
    reference_power: Scalar = _reference()

    def temperature(self, cold: Scalar, absorbed: Scalar) -> Scalar:
        return cold

    def added(self, absorbed: Scalar) -> Scalar:
        return self.occupation * absorbed / self.reference_power


class PowerHeating(AbstractHeating):
    """n = n0 + occupation x (P / reference_power)^exponent; below an exponent of 1 its slope at P = 0 is infinite (above 1e14).

    Attributes:
        occupation: added at the absorbed power ``reference_power`` (W; 1 mW).
        exponent: from 1/4 to 8.
    """

    occupation: Scalar = parameters.number()
    reference_power: Scalar = _reference()
    exponent: Scalar = exponent()

    def temperature(self, cold: Scalar, absorbed: Scalar) -> Scalar:
        return cold

    def added(self, absorbed: Scalar) -> Scalar:
        return self.occupation * power(absorbed / self.reference_power, self.exponent)


class ConductanceHeating(AbstractHeating):
    """T^q = T0^q + P / G.

    Attributes:
        conductance, exponent: G (W/K^q) and q, from 1/4 to 8.
    """

    conductance: Scalar = parameters.conductance()
    exponent: Scalar = exponent(3.0)

    def temperature(self, cold: Scalar, absorbed: Scalar) -> Scalar:
        return power(power(cold, self.exponent) + absorbed / self.conductance, 1 / self.exponent)

    def added(self, absorbed: Scalar) -> Scalar:
        return jnp.zeros(())


class TabulatedHeating(AbstractHeating):
    """n = n0 + what a table says: monotone, with a continuous slope, through every row; outside the table NaN.

    Attributes:
        powers: absorbed powers (W), rising, shape (k,), k >= 2. An optimum stops where the table ends: let the pump's box end there.
        occupations: photons added there, never falling, shape (k,).
    """

    powers: Float[Array, " k"] = eqx.field(converter=_table, kw_only=True)
    occupations: Float[Array, " k"] = eqx.field(converter=_table, kw_only=True)

    def __check_init__(self) -> None:
        if not is_concrete(self.powers, self.occupations):
            return
        x, y = np.asarray(self.powers), np.asarray(self.occupations)
        if x.ndim != 1 or x.size < 2 or not (x[0] >= 0 and (np.diff(x) > 0).all() and np.isfinite(x).all()):
            raise ValueError(f"TabulatedHeating.powers must be two or more rising powers of at least 0 W, but is {x.tolist()}")
        if y.shape != x.shape or not (y[0] >= 0 and (np.diff(y) >= 0).all() and np.isfinite(y).all()):
            raise ValueError(f"TabulatedHeating.occupations must be {x.size} numbers of at least 0 that never fall, but is {y.tolist()}")

    def temperature(self, cold: Scalar, absorbed: Scalar) -> Scalar:
        return cold

    def added(self, absorbed: Scalar) -> Scalar:
        x, y = self.powers, self.occupations
        k = jnp.clip(jnp.searchsorted(x, absorbed, side="right") - 1, 0, x.size - 2)
        width, rise, slope = x[k + 1] - x[k], y[k + 1] - y[k], _slopes(x, y)
        first, last, t = width * slope[k], width * slope[k + 1], (absorbed - x[k]) / width
        cubic = y[k] + t * (first + t * (3 * rise - 2 * first - last + t * (first + last - 2 * rise)))
        return jnp.where((absorbed >= x[0]) & (absorbed <= x[-1]), cubic, jnp.nan)


def _slopes(x: Float[Array, " k"], y: Float[Array, " k"]) -> Float[Array, " k"]:
    """Slopes of a monotone cubic: the weighted harmonic mean of the neighbouring chords, three points at the ends."""
    h = jnp.diff(x)
    chord = jnp.diff(y) / h
    if x.size == 2:
        return jnp.concatenate([chord, chord])
    before, after, flat = chord[:-1], chord[1:], chord[:-1] * chord[1:] <= 0
    weights = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    inner = sum(weights) / (weights[0] / jnp.where(flat, 1.0, before) + weights[1] / jnp.where(flat, 1.0, after))
    ends = [((2 * h[i] + h[j]) * chord[i] - h[i] * chord[j]) / (h[i] + h[j]) for i, j in ((0, 1), (-1, -2))]
    return jnp.concatenate([jnp.maximum(ends[0], 0.0)[None], jnp.where(flat, 0.0, inner), jnp.maximum(ends[1], 0.0)[None]])
