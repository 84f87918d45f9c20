"""The Fock-space map of a channel against matrices of a beam splitter and a squeezer, and at its edges."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from transduce.gaussian.channel import ModeChannel
from transduce.qubit import mode_channel

from . import fock

CASES = np.array([(0.6, 0.2, 0.3), (1.0, 0.0, 0.0), (0.4, 0.0, -1.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.5), (1.0, 0.2, 2.0), (1.3, 0.3, 0.7)])
"""(eta, n, theta): both edges, the identity, a quantum-limited amplifier."""


def _channel(eta: Any, n: Any, theta: Any = 0.0) -> ModeChannel:
    return ModeChannel(jnp.sqrt(eta) * jnp.exp(1j * theta), n)


def test_every_element_agrees_with_matrices():
    ours = jax.jit(jax.vmap(lambda eta, n, theta: mode_channel.choi(_channel(eta, n, theta), 4, 5)))(*CASES.T)
    for (eta, n, theta), matrix in zip(CASES, ours, strict=True):
        np.testing.assert_allclose(matrix, fock.choi(eta, n, theta, 4, 5), rtol=0, atol=CLOSED_FORM)


def test_an_element_and_a_probability_are_entries_of_the_matrix():
    channel, matrix = _channel(0.6, 0.2, 0.3), fock.channel(0.6, 0.2, 0.3, 1, 3, 5)
    np.testing.assert_allclose(mode_channel.fock_element(channel, 2, 1, 3, 4), matrix[2, 4], rtol=CLOSED_FORM)
    assert mode_channel.fock_element(channel, 2, 1, 3, 3) == 0
    np.testing.assert_allclose(mode_channel.fock_probability(channel, 4, 2), fock.channel(0.6, 0.2, 0.3, 2, 2, 5)[4, 4], rtol=CLOSED_FORM)


def test_a_row_of_two_channels_is_the_product_of_their_maps():
    one, two = (0.7, 0.1, 0.4), (1.2, 0.3, -0.9)
    between = fock.channel(*one, 2, 1, 25)  # beyond, 1e-21
    twice = sum(between[s + 1, s] * fock.channel(*two, s + 1, s, 4) for s in range(24))
    joined = _channel(*one).then(_channel(*two))
    ours = [mode_channel.fock_element(joined, m + 1, 2, 1, m) for m in range(3)]
    np.testing.assert_allclose(ours, np.diag(twice, -1), rtol=0, atol=CLOSED_FORM)


def test_many_photons_are_what_is_left():
    for eta, n, _ in CASES:
        for sent in (0, 1):
            rest = 1 - sum(mode_channel.fock_probability(_channel(eta, n), out, sent) for out in (0, 1))
            assert mode_channel.multi_photon_probability(_channel(eta, n), sent) == pytest.approx(float(rest), abs=ALGEBRA)
    # Without cancellation, where 1 - P0 - P1 has no digit left: P(>= 2|0) = n^2 (1 - 2 n + ...).
    assert mode_channel.multi_photon_probability(_channel(0.5, 1e-10), 0) == pytest.approx(1e-20, rel=1e-9)


def test_derivatives_at_the_edges():
    # n = 0: P(1|0) = n/g^2, P(0|0) = 1/g, P(3|1) ~ 3 eta n^2; eta = 0 and 1: P(1|1) = [eta + n (g - eta)]/g^3.
    def slope(out, in_, argument, *point):
        return jax.grad(lambda eta, n: mode_channel.fock_probability(ModeChannel(jnp.sqrt(eta), n), out, in_), argument)(*point)

    assert slope(1, 0, 1, 0.5, 0.0) == pytest.approx(1, abs=ALGEBRA)
    assert slope(0, 0, 1, 0.5, 0.0) == pytest.approx(-1, abs=ALGEBRA)
    assert slope(3, 1, 1, 0.5, 0.0) == pytest.approx(0, abs=ALGEBRA)
    assert slope(1, 1, 1, 1.0, 0.0) == pytest.approx(-3, rel=GRADIENT)
    assert slope(1, 1, 0, 1.0, 0.2) == pytest.approx((1 - 0.2) / 1.2**3, rel=GRADIENT)
    by_t = jax.grad(lambda t: mode_channel.fock_probability(ModeChannel(t, 0.2), 1, 1))
    assert by_t(0.0) == 0


@pytest.mark.parametrize("levels", [(-1, 0, 0, 0), (0, 1, 1.5, 0)])
def test_photon_numbers_are_counted(levels):
    with pytest.raises(ValueError, match=r"must be an integer of at least 0, but is"):
        mode_channel.fock_element(_channel(0.5, 0.1), *levels)
    with pytest.raises(ValueError, match=r"in_ must be 0 or 1, but is 2"):
        mode_channel.multi_photon_probability(_channel(0.5, 0.1), 2)
