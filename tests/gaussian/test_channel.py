"""One Gaussian mode channel: its row, its limit, its derivatives at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA
from transduce.gaussian.channel import ModeChannel
from transduce.numerics import sqrt


def test_a_row_is_associative_and_adds_noise_as_stated():
    a, b, c = ModeChannel(0.8j, 0.1), ModeChannel(1.1, 0.3), ModeChannel(0.5 - 0.2j, 0.02)
    left, right = a.then(b).then(c), a.then(b.then(c))
    np.testing.assert_allclose(left.transmission, 0.8j * 1.1 * (0.5 - 0.2j), rtol=ALGEBRA)
    np.testing.assert_allclose(left.noise, (0.1 * 1.21 + 0.3) * 0.29 + 0.02, rtol=ALGEBRA)
    np.testing.assert_allclose([right.transmission, right.noise], [left.transmission, left.noise], rtol=ALGEBRA)


def test_a_detector_is_a_cold_loss_and_leaves_the_input_noise():
    channel = ModeChannel(0.6 + 0.3j, 0.2)
    seen, by_row = channel.attenuated(0.7), channel.then(ModeChannel(0.7**0.5))
    np.testing.assert_allclose([seen.transmission, seen.noise], [by_row.transmission, by_row.noise], rtol=ALGEBRA)
    np.testing.assert_allclose(seen.added_noise_input, 0.2 / 0.45, rtol=ALGEBRA)
    np.testing.assert_allclose([seen.efficiency, seen.modulus], [0.7 * 0.45, (0.7 * 0.45) ** 0.5], rtol=ALGEBRA)


def test_rows_of_allowed_channels_are_allowed():
    rng = np.random.default_rng(1)
    t, extra = rng.uniform(0, 2, (2, 256)), rng.exponential(0.2, (2, 256))
    one, two = (ModeChannel(t[i], np.maximum(0, t[i] ** 2 - 1) + extra[i]) for i in (0, 1))
    row = jax.vmap(ModeChannel.then)(one, two)
    assert np.all(row.noise >= np.maximum(0, row.efficiency - 1) - ALGEBRA * row.efficiency)


@pytest.mark.parametrize(("t", "n"), [(0.5, -1e-3), (1.2, 0.4), (2.0j, 2.9)])
def test_noise_below_the_quantum_limit_is_refused(t, n):
    with pytest.raises(ValueError, match=r"ModeChannel.noise must be at least .*, but is"):
        ModeChannel(t, n)


def test_rounding_and_nan_are_not_refused():
    ModeChannel(1.0, -1e-17)
    assert np.isnan(ModeChannel(jnp.nan, jnp.nan).efficiency)
    ModeChannel(1.2**0.5, 0.2)


@pytest.mark.parametrize("efficiency", [-0.1, 1.1])
def test_a_detector_cannot_amplify(efficiency):
    with pytest.raises(ValueError, match="efficiency must be within 0 and 1, but is"):
        ModeChannel(1.0).attenuated(efficiency)


def test_derivatives_at_zero_transmission():
    # Through t = sqrt(eta), d eta / d eta is 1 at 0; |t| has slope 1 towards positive t, from 0 and from the root of 0.
    assert jax.grad(lambda eta: ModeChannel(sqrt(eta)).efficiency)(0.0) == pytest.approx(1, abs=ALGEBRA)
    assert jax.grad(lambda t: ModeChannel(t).modulus)(0.0) == pytest.approx(1, abs=ALGEBRA)
    assert jax.grad(lambda eta: ModeChannel(sqrt(eta)).modulus ** 2)(0.0) == pytest.approx(1, abs=ALGEBRA)
    assert ModeChannel(0.0).modulus < 1e-49
