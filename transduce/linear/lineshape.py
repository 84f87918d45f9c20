r"""The shape of a response against frequency: its peak, and the band where it stays above half of it.

A response's power p(w) = |S(w)|^2 is handed over as a callable of one frequency that is itself a tree of arrays (an Equinox module), so
that its gradient can be stopped, together with its poles w_k - i g_k, which place the frequencies at which to look:
w_k + g_k tan(theta). What is found there is refined without gradient; the answer carries the gradient of the implicit equation,
:math:`\omega_h \to \omega_h - (p(\omega_h) - h)/p'(\omega_h)` at a fixed :math:`\omega_h`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from ..numerics import unless_dark

Power = Callable[[Float[Array, ""]], Float[Array, ""]]

POINTS_PER_POLE = 24
_THETA = np.tan((np.arange(POINTS_PER_POLE) + 0.5 - POINTS_PER_POLE / 2) * np.pi / (POINTS_PER_POLE + 0.02))
_RUNGS = 16
SAME = 1e-12
"""Values that differ by less, relative, differ by rounding."""


class Band(NamedTuple):
    """The connected band around the carrier where the power is at least half of its largest value there.

    Attributes:
        low, high: its edges (rad/s), infinite where the power never falls to half.
        peak: the largest power in it.
        ripple_db: 10 log10 of the largest value over the smallest in a dip between two maxima of the band; 0 where there is no dip.
    """

    low: Float[Array, ""]
    high: Float[Array, ""]
    peak: Float[Array, ""]
    ripple_db: Float[Array, ""]

    @property
    def fwhm(self) -> Float[Array, ""]:
        """high - low, rad/s."""
        return self.high - self.low


class Spots(NamedTuple):
    """Where a band is to be read, outside the gradient.

    Attributes:
        omega: of its peak, its lower and its upper edge, and its lowest dip, (4,), rad/s.
        slope: dp/dw at the two edges, (2,).
        open: whether the band never ends below, above, (2,).
        flat: whether there is no dip.
    """

    omega: Float[Array, " 4"]
    slope: Float[Array, " 2"]
    open: Array
    flat: Array


def frozen(tree: Any) -> Any:
    """The same tree, through which no gradient passes."""
    return jax.tree.map(jax.lax.stop_gradient, tree)


def sample_points(poles: Complex[Array, " k"], around: Float[Array, ""] | float = 0.0) -> Float[Array, " m"]:
    """Frequencies, sorted, dense near each pole and reaching far; outside the gradient."""
    poles, around = frozen((poles, jnp.asarray(around, float)))
    points = jnp.real(poles)[:, None] + jnp.abs(jnp.imag(poles))[:, None] * np.append(_THETA, 0.0)
    return jnp.sort(jnp.append(points.ravel(), around))


def _neighbours(points: Float[Array, " m"], index: Array, other: Bool[Array, " m"]) -> tuple[Array, Array]:
    """The nearest samples on either side of one among others; those whose values are the same but for rounding are none."""
    here = points[index]
    below, above = other & (points < here), other & (points > here)
    return jnp.max(jnp.where(below, points, points[0])), jnp.min(jnp.where(above, points, points[-1]))


def _rung(low: Array, high: Array, step: Array | np.ndarray) -> Array:
    return low + (high - low) * step / _RUNGS


def _summit(score: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """The place of the maximum between low and high, ten times narrowed to the best rung's neighbourhood."""

    def narrow(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        best = jnp.argmax(jax.vmap(score)(_rung(low, high, np.arange(_RUNGS + 1))))
        return _rung(low, high, jnp.maximum(best - 1, 0)), _rung(low, high, jnp.minimum(best + 1, _RUNGS))

    low, high = jax.lax.fori_loop(0, 10, narrow, (low, high))
    return (low + high) / 2


def _crossing(power: Power, level: Array, inside: Array, outside: Array) -> Array:
    """Where the power falls below the level, between points inside and outside of the band, (2,) each."""

    def narrow(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        inside, outside = ends
        below = jax.vmap(jax.vmap(power))(_rung(inside[:, None], outside[:, None], np.arange(1, _RUNGS))) < level
        first = jnp.argmax(jnp.pad(below, ((0, 0), (0, 1)), constant_values=True), axis=1)
        return _rung(inside, outside, first), _rung(inside, outside, first + 1)

    inside, outside = jax.lax.fori_loop(0, 13, narrow, (inside, outside))
    return (inside + outside) / 2


def _region(values: Float[Array, " m"], middle: Array, level: Array) -> tuple[Array, Array]:
    """Indices of the nearest samples below the level on either side of ``middle``; -1 and the size where there is none."""
    index, below = jnp.arange(values.size), values < level
    left = jnp.max(jnp.where(below & (index < middle), index, -1))
    return left, jnp.min(jnp.where(below & (index > middle), index, values.size))


def _ends(power: Power, points: Array, values: Array, middle: Array, level: Array) -> tuple[Array, Array]:
    """The two crossings of a level around a sample, and whether each is missing."""
    left, right = _region(values, middle, level)
    last = points.size - 1
    inside = points[jnp.clip(jnp.stack([left + 1, right - 1]), 0, last)]
    outside = points[jnp.clip(jnp.stack([left, right]), 0, last)]
    return _crossing(power, level, inside, outside), jnp.stack([left < 0, right > last])


def _implicit(omega: Array, values: Array, level: Array, slope: Array, is_open: Array) -> Array:
    """Crossings with the gradient of p(omega) = level."""
    exact = omega - (values - level) / jnp.where(slope == 0, jnp.inf, slope)
    return jnp.where(is_open & ~jnp.isnan(level), jnp.array([-jnp.inf, jnp.inf]), unless_dark(exact, level))


def _slopes(power: Power, omega: Array) -> Array:
    return jax.vmap(lambda w: jax.jvp(power, (w,), (jnp.ones(()),))[1])(omega)


def interval_above(
    power: Power, level: Float[Array, ""], around: Float[Array, ""] | float, poles: Complex[Array, " k"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The ends of the connected interval around a frequency in which the power is at least ``level``; infinite where it never falls."""
    still, height = frozen((power, level))
    points = sample_points(poles, around)
    values = jax.vmap(still)(points)
    centre = jnp.searchsorted(points, frozen(jnp.asarray(around, float)), method="compare_all")
    omega, is_open = _ends(still, points, values, centre, height)
    low, high = _implicit(omega, jax.vmap(power)(omega), level, _slopes(still, omega), is_open)
    return low, high


def _reach(width: Array) -> Array:
    """How far from an extremum that was found by its height its slope is asked: beyond the root of the rounding."""
    return max(1e-5, 16 * float(jnp.finfo(width.dtype).eps) ** 0.5) * width


def _polished(omega: Array, slopes: Float[Array, "3 *k"], reach: Array) -> Array:
    """One Newton step to where the slope vanishes, from the slopes at omega, omega - reach and omega + reach.

    Comparing heights finds an extremum to the root of the rounding only, and the gradient of its height is wrong by as much.
    """
    bend = slopes[2] - slopes[1]
    step = 2 * reach * slopes[0] / jnp.where(bend == 0, jnp.inf, bend)
    return omega - jnp.where(jnp.abs(step) <= reach, step, 0.0)


def spots(power: Power, poles: Complex[Array, " k"], carrier: Float[Array, ""] | float = 0.0) -> Spots:
    """Where to read the band around the carrier.

    Where the carrier itself lies below half of the nearby peak, the band is the one around that peak.
    """
    power, carrier = frozen((power, jnp.asarray(carrier, float)))
    points = sample_points(poles, carrier)
    values = jax.vmap(power)(points)
    index, centre = jnp.arange(points.size), jnp.searchsorted(points, carrier, method="compare_all")
    left, right = _region(values, centre, values[centre] / 2)
    top = jnp.argmax(jnp.where((index > left) & (index < right), values, -jnp.inf))
    left, right = _region(values, top, values[top] / 2)
    inside = (index > left) & (index < right)
    rising, falling = (jax.lax.cummax(jnp.where(inside, values, 0.0), reverse=back) for back in (False, True))
    dip = inside & (values < jnp.minimum(rising, falling) * (1 - 1e-9))
    lowest = jnp.argmin(jnp.where(dip, values, jnp.inf))
    lower, higher = values < values[top] * (1 - SAME), values > values[lowest] * (1 + SAME)
    brackets = [_neighbours(points, top, lower), _neighbours(points, lowest, higher)]
    low, high = (jnp.stack(ends) for ends in zip(*brackets, strict=True))
    signs = jnp.array([1.0, -1.0])
    summits = jax.vmap(lambda sign, a, b: _summit(lambda w: sign * power(w), a, b))(signs, low, high)
    edges, is_open = _ends(power, points, values, top, power(summits[0]) / 2)
    reach = _reach(high - low)
    slopes = _slopes(power, jnp.concatenate([edges, summits, summits - reach, summits + reach]))
    peak, bottom = _polished(summits, slopes[2:].reshape(3, 2), reach)
    return Spots(jnp.stack([peak, *edges, bottom]), slopes[:2], is_open, ~jnp.any(dip))


def read(found: Spots, values: Float[Array, " 4"]) -> Band:
    """The band, with its gradient, from the power at its spots."""
    low, high = _implicit(found.omega[1:3], values[1:3], values[0] / 2, found.slope, found.open)
    ripple = jnp.where(found.flat & ~jnp.isnan(values[0]), 1.0, values[0] / jnp.where(found.flat, 1.0, values[3]))
    return Band(low, high, values[0], 10 * jnp.log10(ripple))


def band(power: Power, poles: Complex[Array, " k"], carrier: Float[Array, ""] | float = 0.0) -> Band:
    """The band of a response, as ``Band`` defines it."""
    found = spots(power, poles, carrier)
    return read(found, jax.vmap(power)(found.omega))


def peak_frequency(power: Power, poles: Complex[Array, " k"]) -> Float[Array, ""]:
    """Where the power is largest (rad/s), outside the gradient; of two equal peaks the one at the higher frequency."""
    power = frozen(power)
    points = sample_points(poles)
    values = jax.vmap(power)(points)
    lower = values < jnp.max(values) * (1 - SAME)
    top = values.size - 1 - jnp.argmax(~lower[::-1])
    low, high = _neighbours(points, top, lower)
    summit, reach = _summit(power, low, high), _reach(high - low)
    return _polished(summit, _slopes(power, summit + reach * jnp.array([0.0, -1.0, 1.0])), reach)
