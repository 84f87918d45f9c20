"""Gradients where a coupling, a rate or a temperature is 0: the one-sided derivative where it is finite, by a closed form or differences.

A table says what is returned where it diverges or is lost.
"""

import dataclasses

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from tests import CLOSED_FORM, GRADIENT
from tests.devices.test_electro_optic import CENTRE, DOWN, UP, device
from tests.devices.test_gradients import RATES
from transduce.devices.base import carrier
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.linear.lineshape import band
from transduce.linear.system import LinearSystem, Port, UnstableError
from transduce.numerics import sqrt
from transduce.units import Hz, MHz, THz, hbar, k_B, mK


def slope(figure, at):
    """(value, derivative), compiled once."""
    return jax.jit(jax.value_and_grad(figure))(jnp.asarray(at))


def slope_of(figures, at):
    """(values, derivatives) of an array, compiled once."""
    return jax.jit(lambda x: jax.jvp(figures, (x,), (jnp.ones(()),)))(jnp.asarray(at))


WARM = {"n_e_ext": 0.1, "n_e_int": 0.4, "n_o_ext": 0.03, "n_o_int": 0.02}
PUMPED = {"c": None, "g0": 1 * MHz, "pump_photons": 0.1}


@pytest.mark.parametrize("figure", ["efficiency", "added_noise_input", "carrier", "bandwidth_fwhm", "back_action_occupation"])
def test_above_threshold_a_gradient_is_refused_as_its_value_is(figure):
    """What decides on stability is known, whatever else is differentiated."""
    with pytest.raises(UnstableError):
        jax.grad(lambda n: getattr(device(2.0, pump="blue", n_e_int=n), figure)())(0.1)
    with pytest.raises(UnstableError):
        jax.grad(lambda it: getattr(it, figure)())(device(2.0, pump="blue"))


def test_efficiency_at_no_coupling():
    """d eta / dC = 4 eta_e eta_o at C = 0, and so along power and photons; at the carrier too, which is then the resonance."""
    for at in (CENTRE, None):
        value, d = slope(lambda c, at=at: device(c).efficiency(omega=at), 0.0)
        assert value < 1e-90
        np.testing.assert_allclose(d, 4 * 0.8 * 0.6, rtol=GRADIENT)
    per_photon = 4 * (37 * Hz) ** 2 / (0.3 * MHz * MHz)
    np.testing.assert_allclose(
        slope(lambda n: device(None, g0=37 * Hz, pump_photons=n).efficiency(), 0.0)[1], 1.92 * per_photon, rtol=GRADIENT
    )
    per_watt = 0.8 * MHz / (hbar * 193.4 * THz) / (0.5 * MHz) ** 2
    d = slope(lambda p: device(None, g0=37 * Hz, pump_power=p).efficiency(), 0.0)[1]
    np.testing.assert_allclose(d, 1.92 * per_photon * per_watt, rtol=GRADIENT)


def test_back_action_and_pairs_at_no_coupling():
    c, ea, eb = 0.0, 0.8, 0.6
    d = slope(lambda c: device(c, **WARM).back_action_occupation(omega=CENTRE), c)[1]
    reflected = -2 * (1 - 2 * eb) * -2 * eb * 0.1 - 2 * 4 * eb * (1 - eb) * 0.4 + 4 * eb * (ea * 0.03 + (1 - ea) * 0.02)
    np.testing.assert_allclose(d, reflected, rtol=GRADIENT)
    d = slope(lambda c: device(c, pump="blue").linear_system().pair_moments(*UP, CENTRE).first, 0.0)[1]
    np.testing.assert_allclose(d, 4 * eb, rtol=GRADIENT)


def test_the_doubled_basis_at_no_coupling():
    """The slopes of the signed one, of whatever is not a ratio of two figures that vanish."""

    def figures(c, signs):
        system = dataclasses.replace(device(c, detuning_e=0.1 * MHz, **WARM).linear_system(), signs=signs)
        noise = jnp.stack([system.output_noise(CENTRE), system.noise_flux() / MHz])
        powers = [system.conversion(*ends).power(CENTRE) for ends in (UP, DOWN)]
        return jnp.concatenate([jnp.stack(powers), noise.ravel(), system.covariance().occupation])

    signed, doubled = (slope_of(lambda c, signs=signs: figures(c, signs), 0.0) for signs in ((1, 1), None))
    np.testing.assert_allclose(doubled, signed, rtol=GRADIENT, atol=GRADIENT)
    assert np.count_nonzero(np.abs(signed[1]) > 1e-3) > 10


def test_the_carrier_of_a_weak_coupling():
    """In the doubled basis the height goes with the coupling, and an error of the place with its inverse into the slope."""

    def at(c, signs):
        system = dataclasses.replace(device(c, detuning_e=0.1 * MHz).linear_system(), signs=signs)
        return carrier(system.conversion(*UP), system.poles("optical")) / MHz

    for c in (0.0, 1e-20, 1e-9, 1e-3):
        signed, doubled = (slope_of(lambda c, signs=signs: at(c, signs), c) for signs in ((1, 1), None))
        np.testing.assert_allclose(doubled, signed, rtol=GRADIENT)
        assert abs(signed[1]) > 1e-3


def membrane_at(c):
    own = {"frequency_m": 6 * MHz, "gamma_m": 0.02 * MHz, "cooperativity_e": 20.0, "cooperativity_o": c, "model": "full"}
    return ElectroOptomechanical(**RATES, **own)


def stokes_at(c):
    auxiliary = {"kappa_s_ext": 1 * MHz, "kappa_s_int": 1 * MHz, "kappa_d": 1 * MHz, "coupling_j": 0.3 * MHz, "g_s": 0.2 * MHz}
    return device(c, stokes=True, n_e_int=0.3, detuning_e=0.2 * MHz, **auxiliary)


@pytest.mark.parametrize("made", [membrane_at, stokes_at])
def test_what_is_no_row_at_no_coupling_and_at_hardly_any(made):
    """Smooth in C: the slope at 0 is a one-sided difference's limit, and that of couplings too weak for a difference of two figures."""

    def figures(c):
        it = made(c)
        return jnp.stack([it.bandwidth_fwhm() / MHz, it.carrier() / MHz, it.added_noise_input(), it.efficiency()])

    h = 1e-3
    at = np.array([0, *h * np.arange(1, 5), 1e-20, 1e-12, 1e-8])
    values, slopes = jax.jit(jax.vmap(lambda c: (figures(c), jax.jacrev(figures)(c))))(at)
    f = values[:5]
    truth = (-25 * f[0] + 48 * f[1] - 36 * f[2] + 16 * f[3] - 3 * f[4]) / (12 * h)
    np.testing.assert_allclose(slopes[0], truth, rtol=1e-7)  # the difference's error is h^4, its rounding 1e-16 / h
    np.testing.assert_allclose(slopes[5:], [slopes[0]] * 3, rtol=1e-7)
    np.testing.assert_allclose(values[5:, :3], values[0, :3] + slopes[0, :3] * at[5:, None], rtol=1e-8)
    assert np.all(np.abs(truth) > 1e-5)


def two_ways(c):
    """From "in" to "out" over two modes, both by a coupling that goes with the root of C: the conversion, and its poles."""
    ports = {"in": Port("a", 1.0, 0.0), "out": Port("b", 2.0, 0.0), "loss": Port("m", 0.3, 0.1), "more": Port("n", 0.5, 0.2)}
    hopping = {("a", "m"): sqrt(c), ("a", "n"): 2 * sqrt(c), ("m", "b"): 0.4, ("n", "b"): 0.3}
    system = LinearSystem.build({"a": 0.0, "m": 0.1, "n": -0.2, "b": 0.05}, ports, hopping, doubled=True)
    return system.conversion("in", "out"), system.poles("out")


def test_the_power_of_two_ways_at_no_coupling():
    """It has a slope where the shape has none: that of a coupling too weak to bend it."""
    slopes = [slope_of(lambda c: two_ways(c)[0].power(0.1), c)[1] for c in (0.0, 1e-12)]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-10)
    assert slopes[0] > 1e-3


@pytest.mark.parametrize("field", ["kappa_e_ext", "kappa_o_ext"])
def test_efficiency_at_a_closed_port(field):
    other, kint, kappa, eta = ("o", 0.12, 1.0, 0.8) if field == "kappa_e_ext" else ("e", 0.2, 0.3, 0.6)
    c = 4 * 0.1 / (kint * kappa)
    assert other != field[6]
    d = slope(lambda k: device(**PUMPED, **{field: k}).efficiency(omega=CENTRE), 0.0)[1]
    np.testing.assert_allclose(d * MHz, eta * 4 * c / (1 + c) ** 2 / kint, rtol=GRADIENT)


@pytest.mark.parametrize("field", ["kappa_e_int", "kappa_o_int"])
def test_a_lossless_mode(field):
    """All figures are smooth there: the gradient is the one-sided difference's limit, from a sheet 1e-4 away and half of that."""

    def figures(k):
        it = device(**PUMPED, **{field: k}, **WARM)
        ends = [it.added_noise_input(*UP, omega=CENTRE), it.added_noise_input(*DOWN, omega=CENTRE)]
        return jnp.stack([it.efficiency(omega=CENTRE), *ends, it.back_action_occupation(omega=CENTRE)])

    h = 1e-3 * MHz
    f, found = jax.jit(lambda ks: (jax.vmap(figures)(ks), jax.jacrev(figures)(ks[0])))(np.arange(5) * h)
    truth = (-25 * f[0] + 48 * f[1] - 36 * f[2] + 16 * f[3] - 3 * f[4]) / (12 * h)
    # A one-sided fourth-order difference: its error is (h / kappa)^4 and its rounding 1e-16 kappa / h.
    np.testing.assert_allclose(found, truth, rtol=1e-7)


def test_a_perfect_mode_match_and_none():
    for m in (0.0, 1.0):
        np.testing.assert_allclose(slope(lambda m: device(mode_match=m).efficiency(), m)[1], 0.48 * 1.6 / 1.96, rtol=GRADIENT)


def test_resonance_and_absolute_zero():
    @jax.jit
    @jax.jacrev
    def slopes(x):
        it = device(detuning_e=x[0], detuning_o=x[1], temperature=x[2], n_e_int=0.1)
        return jnp.stack([it.efficiency(omega=CENTRE), it.bandwidth_fwhm() / MHz, it.added_noise_input()])

    np.testing.assert_allclose(slopes(jnp.zeros(3)) * np.array([MHz, MHz, 1.0]), 0.0, atol=GRADIENT)
    assert slope(lambda t: device(temperature=t).added_noise_input(omega=CENTRE), 0.0) == (0.0, 0.0)


def test_added_noise_at_no_coupling():
    """What enters beside the source does not hang on the coupling; the heating of it by the pump does."""
    wanted = (0.4 * 0.4 / 0.6, 0.02 * 0.2 / 0.8)
    for ends, bath, n, truth in ((UP, "n_e_int", 0.4, wanted[0]), (DOWN, "n_o_int", 0.02, wanted[1])):
        value, d = slope(lambda c, ends=ends, bath={bath: n}: device(c, **bath).added_noise_input(*ends), 0.0)
        np.testing.assert_allclose([value, d], [truth, 0.0], rtol=CLOSED_FORM, atol=CLOSED_FORM)

    def heated(p):
        bath = {"temperature_e_int": 60 * mK, "heating_conductance": 1e-2, "heating_exponent": 1.0}
        return device(None, g0=37 * Hz, pump_power=p, **bath)

    frequency, t = float(heated(0.0).frequency_e), 0.06
    x = hbar * frequency / (k_B * t)
    dn = np.exp(x) / np.expm1(x) ** 2 * x / t / 1e-2
    np.testing.assert_allclose(slope(lambda p: heated(p).added_noise_input(), 0.0)[1], dn * 0.4 / 0.6, rtol=GRADIENT)


def _fwhm(a, b, g2):
    d0, q = (a * b + 4 * g2) / 4, (a**2 + b**2) / 4 - 2 * g2
    return 2 * mp.sqrt((-q + mp.sqrt(q**2 + 4 * d0**2)) / 2)


def test_width_at_no_coupling_and_at_closed_ports():
    a, b = mp.mpf(float(1.0 * MHz)), mp.mpf(float(0.3 * MHz))
    with mp.workdps(30):
        truth = [float(_fwhm(a, b, mp.mpf(0))), float(mp.diff(lambda c: _fwhm(a, b, c * a * b / 4), 0))]
        np.testing.assert_allclose(slope(lambda c: device(c).bandwidth_fwhm(), 0.0), truth, rtol=GRADIENT)
        g2 = mp.mpf(float(1 * MHz)) ** 2 / 1000
        for field, port in (("kappa_o_ext", 0), ("kappa_e_ext", 1)):
            own = mp.mpf(float((0.2, 0.12)[port] * MHz))
            rates = (own, b) if port == 0 else (a, own)
            wanted = float(mp.diff(lambda k, rates=rates, port=port: _fwhm(rates[0] + k * (port == 0), rates[1] + k * port, g2), 0))
            d = slope(lambda k, field=field: device(None, g0=1 * MHz, pump_photons=1e-3, **{field: k}).bandwidth_fwhm(), 0.0)[1]
            np.testing.assert_allclose(d, wanted, rtol=GRADIENT)


def test_degenerate_modes():
    """At g = (ka - kb) / 4 the two poles coincide and the eigenvectors too; every figure is smooth."""
    ka, kb = 1.0 * MHz, 0.3 * MHz
    g = (ka - kb) / 4

    def of(g):
        return device(None, g0=g, pump_photons=1.0)

    fwhm, eta = (slope(f, g) for f in (lambda g: of(g).bandwidth_fwhm(), lambda g: of(g).efficiency()))
    with mp.workdps(30):
        a, b = mp.mpf(float(ka)), mp.mpf(float(kb))

        def width(g):
            return _fwhm(a, b, g**2)

        def centre(g):
            c = 4 * g**2 / (a * b)
            return mp.mpf(4) / 5 * mp.mpf(3) / 5 * 4 * c / (1 + c) ** 2

        for (value, d), f in ((fwhm, width), (eta, centre)):
            np.testing.assert_allclose([value, d], [float(f(mp.mpf(float(g)))), float(mp.diff(f, mp.mpf(float(g))))], rtol=GRADIENT)


RETURNED = {
    # A coupling grows as the root of the power: above 1e40, to be read as infinite.
    "coupling at P = 0": (lambda p: device(None, g0=37 * Hz, pump_power=p).drives()["optical"].coupling, "infinite"),
    "|M| at C = 0": (lambda c: jnp.abs(device(c, pump="blue").linear_system().pair_moments(*UP, CENTRE).correlation), "infinite"),
    "negativity at C = 0": (
        lambda c: device(c, pump="blue").linear_system().pair_moments(*UP, CENTRE).logarithmic_negativity(),
        "infinite",
    ),
    # Noise over |S|^2 where |S|^2 is gone and the noise is not: value and slope are both infinite.
    "noise down at C = 0": (lambda c: device(c, **WARM).added_noise_input(*DOWN, omega=CENTRE), "infinite"),
    "noise up at a closed port": (lambda k: device(**PUMPED, kappa_e_ext=k, **WARM).added_noise_input(omega=CENTRE), "infinite"),
    # Of two couplings that are both closed nobody knows how they open.
    "width by two ways at C = 0": (lambda c: band(two_ways(c)[0].shape, two_ways(c)[1], 0.1).fwhm, "nan"),
    "noise by two ways at C = 0": (lambda c: two_ways(c)[0].added_noise(0.1), "nan"),
}


@pytest.mark.parametrize("name", RETURNED)
def test_what_is_returned_where_the_derivative_diverges_or_is_lost(name):
    figure, kind = RETURNED[name]
    value, d = slope(figure, 0.0)
    assert np.isfinite(value)
    assert (abs(d) > 1e40) if kind == "infinite" else np.isnan(d)


def test_values_at_no_coupling_are_the_limits():
    np.testing.assert_allclose(device(0.0, n_e_int=0.4).added_noise_input(), 0.4 * 0.4 / 0.6, rtol=CLOSED_FORM)
    np.testing.assert_allclose(device(0.0).bandwidth_fwhm(), device(1e-12).bandwidth_fwhm(), rtol=CLOSED_FORM)
