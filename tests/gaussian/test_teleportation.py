"""Teleportation: five modes by their covariance matrix, the pure pair, the best gain by a search, direct conversion beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from transduce.devices.electro_optic import ElectroOptic
from transduce.gaussian.channel import ModeChannel
from transduce.gaussian.teleportation import best_gain, quietest_gain, teleport
from transduce.linear.noise import PairMoments
from transduce.qubit.encodings import SingleRail
from transduce.units import MHz

from .. import ALGEBRA, CLOSED_FORM, GRADIENT


def _fidelity(channel):
    return SingleRail().process(channel).entanglement_fidelity


def _device(pump, cooperativity, z_o=1.0, z_m=1.0, n_in=0.0):
    rates = {"kappa_e_ext": z_m, "kappa_e_int": 1 - z_m, "kappa_o_ext": z_o, "kappa_o_int": 1 - z_o}
    return ElectroOptic(
        **{name: rate * MHz for name, rate in rates.items()}, cooperativity=cooperativity, pump=pump, n_e_int=n_in
    ).linear_system()


def _pair(cooperativity, z_o=1.0, z_m=1.0, n_in=0.0):
    return _device("blue", cooperativity, z_o, z_m, n_in).pair_moments("microwave", "optical", jnp.zeros(()))


def _direct(cooperativity, z_o=1.0, z_m=1.0, n_in=0.0):
    system = _device("red", cooperativity, z_o, z_m, n_in)
    t = system.row("optical", jnp.zeros(())).normal[system.index("microwave")]
    noise = system.added_noise_input("microwave", "optical", jnp.zeros(())) * abs(t) ** 2
    return ModeChannel(t, noise)


def _covariance_route(pair, k, detection):
    """The displaced mode's photons for a vacuum input, from the covariance of input, m, o and the two detectors' vacua."""
    covariance = np.eye(10) / 2
    covariance[2:6, 2:6] = pair.covariance()
    angle = np.angle(complex(pair.correlation))
    turn = np.eye(10)
    turn[4:6, 4:6] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]  # the displacement's frame
    covariance = turn @ covariance @ turn.T
    e, s = np.sqrt(detection), np.sqrt(1 - detection)
    x_in, p_in, x_m, p_m, x_o, p_o, x_1, _, _, p_2 = np.eye(10)
    x_record = e * (x_in + x_m) / np.sqrt(2) + s * x_1
    p_record = e * (p_in - p_m) / np.sqrt(2) + s * p_2
    x_out, p_out = x_o - k * np.sqrt(2) / e * x_record, p_o - k * np.sqrt(2) / e * p_record
    return (x_out @ covariance @ x_out + p_out @ covariance @ p_out - 1) / 2


@pytest.mark.parametrize("detection", [1.0, 0.7])
def test_five_modes(detection):
    """Vacuum in: the photons counted are n of the channel."""
    pair = _pair(0.3, 0.9, 0.8, 0.4)
    for k in (0.0, 0.6, 1.2):
        assert teleport(pair, k, detection).noise == pytest.approx(_covariance_route(pair, k, detection), abs=ALGEBRA)


def test_a_pure_pair():
    """k = tanh r: the pure loss of direct conversion; k = 1: everything passes, with e^{-2r}; slopes of noise vanish at the quietest."""
    for c in (0.01, 0.1, 0.5, 0.9):
        pair, direct = _pair(c), _direct(c)
        k = quietest_gain(pair)
        found = teleport(pair, k)
        assert found.efficiency == pytest.approx(4 * c / (1 + c) ** 2, rel=CLOSED_FORM)
        assert found.efficiency == pytest.approx(float(direct.efficiency), rel=CLOSED_FORM)
        assert found.noise == pytest.approx(0.0, abs=CLOSED_FORM)
        assert teleport(pair, 1.0).noise == pytest.approx(((1 - c**0.5) / (1 + c**0.5)) ** 2, rel=CLOSED_FORM)
        assert jax.grad(lambda x, pair=pair: teleport(pair, x).noise)(k) == pytest.approx(0.0, abs=CLOSED_FORM)


def test_worked_moments():
    """On resonance: N_m, N_o and |c| of the device, then the quietest channel and the direct one at the same efficiency."""
    c, z_o, z_m, n_in = 0.1, 0.9, 0.95, 0.2
    pair = _pair(c, z_o, z_m, n_in)
    n_m = 4 * z_m * (c + (1 - z_m) * n_in) / (1 - c) ** 2
    n_o = 4 * c * z_o * (1 + (1 - z_m) * n_in) / (1 - c) ** 2
    correlation = 2 * np.sqrt(c * z_o * z_m) * (1 + c + 2 * n_in * (1 - z_m)) / (1 - c) ** 2
    np.testing.assert_allclose([pair.first, pair.second, abs(pair.correlation)], [n_m, n_o, correlation], rtol=CLOSED_FORM)
    quiet = teleport(pair, quietest_gain(pair))
    assert quiet.noise == pytest.approx(n_o - correlation**2 / (n_m + 1), rel=CLOSED_FORM)
    assert (float(quiet.noise), float(_direct(c, z_o, z_m, n_in).noise)) == pytest.approx((0.0176, 0.0030), abs=5e-5)  # as printed


@pytest.mark.parametrize("case", [(0.01, 1.0, 1.0, 0.0), (0.3, 1.0, 1.0, 0.0), (0.2, 0.8, 0.7, 0.5)])
def test_the_best_gain_by_a_search(case):
    pair = _pair(*case)
    k = best_gain(pair, _fidelity)
    n_m, n_o, c = float(pair.first), float(pair.second), abs(complex(pair.correlation))

    def loss(k):
        n = k**2 * (n_m + 1) + n_o - 2 * k * c
        g, eta = 1 + n, k**2
        return -(1 / g + (eta + n * (g - eta)) / g**3 + 2 * k / g**2) / 4

    found = scipy.optimize.minimize_scalar(loss, bounds=(0, 2), method="bounded", options={"xatol": 1e-12})
    assert k == pytest.approx(found.x, abs=1e-7)  # where a search that compares values ends
    assert _fidelity(teleport(pair, k)) == pytest.approx(-found.fun, rel=CLOSED_FORM)
    assert jax.grad(lambda x: _fidelity(teleport(pair, x)))(k) == pytest.approx(0.0, abs=ALGEBRA)


def test_it_beats_conversion_at_equal_cooperativity_where_lossless():
    """Fidelities at C = 0.01, 0.1 and 0.3, to their digits."""
    for c, wanted, plain in ((0.01, 0.5117, 0.3588), (0.1, 0.7134, 0.6201), (0.3, 0.8864, 0.8488)):
        pair = _pair(c)
        ours = _fidelity(teleport(pair, best_gain(pair, _fidelity)))
        np.testing.assert_allclose([ours, _fidelity(_direct(c))], [wanted, plain], rtol=0, atol=5e-5)


def test_slopes_of_the_best_gain():
    """By the implicit function: dk/dx = -F_kx / F_kk, written out with second derivatives of the fidelity."""
    moments = jnp.array([0.5, 0.6, 0.85])

    def fidelity(k, x):
        return _fidelity(teleport(PairMoments(x[0], x[1], x[2] + 0j), k, x[3]))

    def gain(x):
        return best_gain(PairMoments(x[0], x[1], x[2] + 0j), _fidelity, x[3])

    x = jnp.append(moments, 0.9)
    k = gain(x)
    wanted = -jax.grad(jax.grad(fidelity), argnums=1)(k, x) / jax.grad(jax.grad(fidelity))(k, x)
    np.testing.assert_allclose(jax.grad(gain)(x), wanted, rtol=GRADIENT)
    along = jax.grad(lambda x: fidelity(gain(x), x))(x)
    np.testing.assert_allclose(along, jax.grad(fidelity, argnums=1)(k, x), rtol=GRADIENT)


def test_no_pair_no_gain_needed():
    """Without photons the best gain still guesses; without any use of a photon it is an end of the grid."""
    nothing = PairMoments(jnp.zeros(()), jnp.zeros(()), jnp.zeros((), complex))
    assert best_gain(nothing, lambda channel: -channel.noise) == 0
    assert 0.4 < best_gain(nothing, _fidelity) < 0.6


def test_slope_at_no_correlation():
    """-2 k towards a positive correlation."""
    photons = jnp.array(0.1)
    slope = jax.grad(lambda c: teleport(PairMoments(photons, photons, c + 0j), 0.7).noise)(0.0)
    assert slope == pytest.approx(-1.4, rel=GRADIENT)


def test_refusals():
    pair = _pair(0.1)
    for call in (teleport, lambda pair, k, d: quietest_gain(pair, d), lambda pair, k, d: best_gain(pair, _fidelity, d)):
        with pytest.raises(ValueError, match="detection must be above 0"):
            call(pair, 1.0, 0.0)
