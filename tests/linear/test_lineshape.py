"""Bands and peaks of responses whose half-maximum points can be written down, with their gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from tests import CLOSED_FORM, GRADIENT
from transduce.linear.lineshape import band, interval_above, peak_frequency


class Converter(eqx.Module):
    """|S|^2 of two coupled modes of rates a, b and coupling g, around a centre, but for a factor."""

    a: Array
    b: Array
    g: Array
    centre: Array

    def __call__(self, omega):
        w = omega - self.centre
        denominator = (self.a / 2 - 1j * w) * (self.b / 2 - 1j * w) + self.g**2
        return self.g**2 * self.a * self.b / (denominator.real**2 + denominator.imag**2)

    def poles(self):
        drift = jnp.array([[-self.a / 2, -1j * self.g], [-1j * self.g, -self.b / 2]])
        return 1j * jnp.linalg.eigvals(drift) + self.centre


def converter(a, b, g, centre=0.0):
    return Converter(*(jnp.asarray(float(value)) for value in (a, b, g, centre)))


def half_points(a, b, g, centre=0.0):
    """(low, high, peak offset, ripple): w^2 = x0 +- sqrt(m) where the peak is split, else the width at half the centre."""
    x0, d0, sigma = g**2 - (a**2 + b**2) / 8, a * b / 4 + g**2, (a + b) / 2
    if x0 <= 0:
        q = (a**2 + b**2) / 4 - 2 * g**2
        high = np.sqrt((-q + np.sqrt(q**2 + 4 * d0**2)) / 2)
        return centre - high, centre + high, 0.0, 0.0
    m = sigma**2 * (d0 - sigma**2 / 4)
    low = np.sqrt(x0 - np.sqrt(m)) if x0 > np.sqrt(m) else -np.sqrt(x0 + np.sqrt(m))
    ripple = 0.0 if x0 > np.sqrt(m) else 10 * np.log10(d0**2 / m)
    return centre + low, centre + np.sqrt(x0 + np.sqrt(m)), np.sqrt(x0), ripple


SHAPES = {
    "weak": (1.0, 0.3, 0.05),
    "matched": (1.0, 0.3, 0.27),
    "just split": (1.0, 0.8, 0.5),
    "dip within the band": (1.0, 0.8, 0.8),
    "two bands": (1.0, 0.5, 2.0),
    "graded": (1e4, 1.0, 30.0),
}


@eqx.filter_jit
def _found(shape, carrier):
    poles = shape.poles()
    result = band(shape, poles, carrier)
    return result, result.fwhm, peak_frequency(shape, poles), jax.grad(lambda s: band(s, s.poles(), carrier).fwhm)(shape)


@pytest.mark.parametrize("centre", [0.0, 1e3])
@pytest.mark.parametrize("name", SHAPES)
def test_the_band(name, centre):
    rates = SHAPES[name]
    low, high, offset, ripple = half_points(*rates, centre)
    result, fwhm, peak, slope = _found(converter(*rates, centre), jnp.asarray(centre + offset))
    size = max(rates) + abs(centre)
    np.testing.assert_allclose([result.low, result.high, fwhm], [low, high, high - low], atol=CLOSED_FORM * size)
    np.testing.assert_allclose(result.ripple_db, ripple, atol=1e-9)  # the depth of a dip is read at a place known to sqrt(eps)
    # The top of a curve is flat: its place is known to the root of the rounding, its height to the rounding.
    np.testing.assert_allclose(peak, centre + offset, atol=3e-8 * size)
    np.testing.assert_allclose(slope.centre, 0.0, atol=GRADIENT * size)
    step = 1e-20
    a, b, g = rates
    for field, moved in {"a": (a + 1j * step, b, g), "b": (a, b + 1j * step, g), "g": (a, b, g + 1j * step)}.items():
        x0, d0, sigma = moved[2] ** 2 - (moved[0] ** 2 + moved[1] ** 2) / 8, moved[0] * moved[1] / 4 + moved[2] ** 2, sum(moved[:2]) / 2
        m = sigma**2 * (d0 - sigma**2 / 4)
        if offset == 0:
            q = (moved[0] ** 2 + moved[1] ** 2) / 4 - 2 * moved[2] ** 2
            width = 2 * np.sqrt((-q + np.sqrt(q**2 + 4 * d0**2)) / 2)
        elif ripple == 0:
            width = np.sqrt(x0 + np.sqrt(m)) - np.sqrt(x0 - np.sqrt(m))
        else:
            width = 2 * np.sqrt(x0 + np.sqrt(m))
        np.testing.assert_allclose(getattr(slope, field), width.imag / step, rtol=GRADIENT, atol=GRADIENT)


def test_the_splitting_threshold():
    a, b = 1.0, 0.3
    threshold = np.sqrt((a**2 + b**2) / 8)
    for factor, split in ((0.99, False), (1.01, True)):
        shape = converter(a, b, factor * threshold)
        assert (peak_frequency(shape, shape.poles()) > 1e-3) == split


def test_an_interval_around_a_place():
    shape, poles = converter(1.0, 0.5, 2.0), converter(1.0, 0.5, 2.0).poles()
    low, high, offset, _ = half_points(1.0, 0.5, 2.0)
    level = shape(jnp.asarray(offset)) / 2
    np.testing.assert_allclose(interval_above(shape, level, offset, poles), [low, high], atol=CLOSED_FORM)
    np.testing.assert_allclose(interval_above(shape, level, -offset, poles), [-high, -low], atol=CLOSED_FORM)
    assert np.isinf(interval_above(shape, jnp.asarray(-1.0), 0.0, poles)).all()
    assert np.isnan(interval_above(shape, level, jnp.nan, poles)[0])
