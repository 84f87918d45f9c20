r"""The shape of a response against frequency: its peak, and the band where it stays above half of it.

A response |S(w)|^2 is handed over as a function of one frequency together with its poles w_k - i g_k, which place the frequencies at which
to look: w_k + g_k tan(theta). What is found there is refined by bisection, and the answer carries the gradient of the
implicit equation: :math:`\omega_h \to \omega_h - (p(\omega_h) - h)/p'(\omega_h)`, evaluated at a fixed :math:`\omega_h`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

Power = Callable[[Float[Array, ""]], Float[Array, ""]]

POINTS_PER_POLE = 24
BISECTIONS = 58  # a bracket shrinks to the last bit


class Band(NamedTuple):
    """The connected band around the carrier where the power is at least half of its largest value there.

    Attributes:
        low, high: its edges (rad/s), infinite where the power never falls to half.
        peak: the largest power in it.
        ripple_db: 10 log10 of the largest over the smallest value between the outermost maxima of the band.
    """

    low: Float[Array, ""]
    high: Float[Array, ""]
    peak: Float[Array, ""]
    ripple_db: Float[Array, ""]

    @property
    def fwhm(self) -> Float[Array, ""]:
        """high - low, rad/s."""
        return self.high - self.low


def sample_points(poles: Complex[Array, " k"], around: Float[Array, ""] | float = 0.0) -> Float[Array, " m"]:
    """Frequencies, sorted, dense near each pole and reaching far; outside the gradient."""
    theta = np.tan((np.arange(POINTS_PER_POLE) + 0.5 - POINTS_PER_POLE / 2) * np.pi / (POINTS_PER_POLE + 0.02))
    poles = jax.lax.stop_gradient(poles)
    points = (jnp.real(poles)[:, None] + jnp.abs(jnp.imag(poles))[:, None] * theta).ravel()
    return jnp.sort(jnp.concatenate([points, jnp.real(poles), jnp.reshape(jax.lax.stop_gradient(jnp.asarray(around, float)), (1,))]))


def _bisect(above: Callable, inside: Float[Array, ""], outside: Float[Array, ""]) -> Float[Array, ""]:
    def step(_, ends):
        inside, outside = ends
        middle = (inside + outside) / 2
        keep = above(middle)
        return jnp.where(keep, middle, inside), jnp.where(keep, outside, middle)

    return sum(jax.lax.fori_loop(0, BISECTIONS, step, (inside, outside))) / 2


def _climb(power: Power, low: Float[Array, ""], high: Float[Array, ""]) -> Float[Array, ""]:
    """The maximum between two points, by golden section; outside the gradient."""
    ratio = (np.sqrt(5) - 1) / 2

    def step(_, ends):
        low, high = ends
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        rising = power(left) < power(right)
        return jnp.where(rising, left, low), jnp.where(rising, high, right)

    return sum(jax.lax.fori_loop(0, 40, step, (low, high))) / 2


def edge(power: Power, level: Float[Array, ""], inside: Float[Array, ""], outside: Float[Array, ""]) -> Float[Array, ""]:
    """The frequency between ``inside`` (above the level) and ``outside`` (below) where the power crosses the level, with its gradient."""
    found = jax.lax.stop_gradient(_bisect(lambda w: power(w) >= level, inside, outside))
    value, slope = jax.jvp(power, (found,), (jnp.ones(()),))
    slope = jax.lax.stop_gradient(slope)
    return found - (value - level) / jnp.where(slope == 0, jnp.inf, slope)


def _region(values: Float[Array, " m"], middle: Array, level: Array) -> tuple[Array, Array]:
    """Indices of the nearest samples below the level on either side of ``middle``; -1 and the size where there is none."""
    index, below = jnp.arange(values.size), values < level
    left = jnp.max(jnp.where(below & (index < middle), index, -1))
    return left, jnp.min(jnp.where(below & (index > middle), index, values.size))


def _edges(power: Power, points: Array, values: Array, middle: Array, level: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
    left, right = _region(values, middle, jax.lax.stop_gradient(level))
    last = points.size - 1
    inside = points[jnp.clip(jnp.stack([left + 1, right - 1]), 0, last)]
    outside = points[jnp.clip(jnp.stack([left, right]), 0, last)]
    low, high = jax.vmap(lambda a, b: edge(power, level, a, b))(inside, outside)
    return jnp.where(left < 0, -jnp.inf, low), jnp.where(right > last, jnp.inf, high)


def _sampled(power: Power, poles: Array, around: Array | float) -> tuple[Array, Array, Array]:
    """Sample points, the power there, and the index of ``around``."""
    points = sample_points(poles, around)
    values = jax.lax.stop_gradient(jax.vmap(power)(points))
    return points, values, jnp.searchsorted(points, jax.lax.stop_gradient(jnp.asarray(around, float)))


def interval_above(
    power: Power, level: Float[Array, ""], around: Float[Array, ""] | float, poles: Complex[Array, " k"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The ends of the connected interval around a frequency in which the power is at least ``level``; infinite where it never falls."""
    return _edges(power, *_sampled(power, poles, around), level)


def _near_top(power: Power, points: Array, top: Array) -> Array:
    """The frequency of the maximum next to a sample, outside the gradient."""
    last = points.size - 1
    found = jax.lax.stop_gradient(_climb(power, points[jnp.maximum(top - 1, 0)], points[jnp.minimum(top + 1, last)]))
    return jax.lax.stop_gradient(jnp.where(power(found) > power(points[top]) * (1 + 1e-15), found, points[top]))


def band(power: Power, poles: Complex[Array, " k"], carrier: Float[Array, ""] | float = 0.0) -> Band:
    """The band of a response, as ``Band`` defines it.

    Where the carrier itself lies below half of the nearby peak, the band is the one around that peak.
    """
    points, values, centre = _sampled(power, poles, carrier)
    index = jnp.arange(points.size)
    left, right = _region(values, centre, values[centre] / 2)
    top = jnp.argmax(jnp.where((index > left) & (index < right), values, -jnp.inf))
    peak = power(_near_top(power, points, top))
    low, high = _edges(power, points, values, top, peak / 2)
    return Band(low, high, peak, _ripple_db(values, (points >= low) & (points <= high)))


def peak_frequency(power: Power, poles: Complex[Array, " k"]) -> Float[Array, ""]:
    """Where the power is largest (rad/s), outside the gradient; of two equal peaks the one at the higher frequency."""
    points, values, _ = _sampled(power, poles, 0.0)
    top = values.size - 1 - jnp.argmax((values >= jnp.max(values) * (1 - 1e-12))[::-1])
    return _near_top(power, points, top)


def _ripple_db(values: Float[Array, " m"], near: Array) -> Float[Array, ""]:
    index, padded = jnp.arange(values.size), jnp.pad(values, 1, constant_values=-jnp.inf)
    maximum = near & (values >= padded[:-2]) & (values >= padded[2:])
    between = (index >= jnp.argmax(maximum)) & (index <= values.size - 1 - jnp.argmax(maximum[::-1]))
    largest, smallest = jnp.max(jnp.where(between, values, 0.0)), jnp.min(jnp.where(between, values, jnp.inf))
    return 10 * jnp.log10(largest / smallest)
