"""PiezoOptomechanical: the membrane's closed forms with a resonant microwave coupling, and the figures of Jiang et al. 2023."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.devices.test_optomechanical import dense
from tests.linear.dense import Dense
from transduce.devices.chain import Chain, Resonator
from transduce.devices.piezo import PiezoOptomechanical
from transduce.units import GHz, MHz, THz, kHz, mK, uW

UP, DOWN = ("microwave", "optical"), ("optical", "microwave")
CENTRE = jnp.zeros(())
BATHS = {"n_m": 1.5, "n_e_ext": 0.01, "n_e_int": 0.2, "n_o_ext": 0.03, "n_o_int": 0.02}


def device(**given):
    rates = {"kappa_e_ext": 0.4 * MHz, "kappa_e_int": 0.1 * MHz, "kappa_o_ext": 0.7 * MHz, "kappa_o_int": 0.3 * MHz}
    return PiezoOptomechanical(**(rates | {"gamma_m": 0.02 * MHz, "frequency_m": 10 * MHz, "g_pe": 0.3 * MHz} | given))


def test_rotating_wave_on_resonance():
    it = device(cooperativity=2.5, **BATHS)
    ce, co, ee, eo = 4 * 0.3**2 / (0.5 * 0.02), 2.5, 0.8, 0.7
    d, (nm, nee, nei, noe, noi) = 1 + ce + co, BATHS.values()
    np.testing.assert_allclose(it.cooperativities()["microwave-mechanical"], ce, rtol=ALGEBRA)
    for ends in (UP, DOWN):
        np.testing.assert_allclose(it.efficiency(*ends, omega=CENTRE), ee * eo * 4 * ce * co / d**2, rtol=CLOSED_FORM)

    def added(e_in, c_in, ni, e_out, c_out, no_int, no_ext):
        bath = nm / (e_in * c_in) + (1 - e_in) / e_in * ni + (1 - e_out) * (1 + c_in) ** 2 / (e_in * c_in * c_out) * no_int
        return bath + (d - 2 * e_out * (1 + c_in)) ** 2 / (4 * e_in * e_out * c_in * c_out) * no_ext

    np.testing.assert_allclose(it.added_noise_input(*UP, omega=CENTRE), added(ee, ce, nei, eo, co, noi, noe), rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.added_noise_input(*DOWN, omega=CENTRE), added(eo, co, noi, ee, ce, nei, nee), rtol=CLOSED_FORM)


def test_the_full_model_squeezes_light_and_motion_alone():
    it = device(g0_o=1 * MHz, pump_photons=0.04, model="full", detuning_e=0.1 * MHz, pump_detuning=-9.8 * MHz, **BATHS)
    g = 0.2 * MHz
    witness = dense(it, 10.1 * MHz, 9.8 * MHz, 10 * MHz, 0.3 * MHz, g)
    xi = np.zeros((6, 6), complex)
    xi[0, 5], xi[2, 3] = 1j * 0.3 * MHz, 1j * 0.3 * MHz  # take the microwave's squeezing out of A again: -i Xi above, i Xi* below
    witness.drift = witness.drift + xi - xi[np.ix_([3, 4, 5, 0, 1, 2], [3, 4, 5, 0, 1, 2])]
    for w in np.array([9.8, 10.0, 10.3]) * MHz:
        normal, _ = witness.blocks(w)
        np.testing.assert_allclose(it.efficiency(omega=jnp.asarray(w)), abs(normal[2, 0]) ** 2, rtol=CLOSED_FORM)
        np.testing.assert_allclose(it.added_noise_input(*UP, omega=jnp.asarray(w)), witness.added_noise(0, 2, w), rtol=CLOSED_FORM)
        np.testing.assert_allclose(it.back_action_occupation(omega=jnp.asarray(w)), witness.output_noise(w)[0], rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.stability_margin(), witness.margin(), rtol=CLOSED_FORM)


def jiang(power, gamma_m=1.07 * MHz):
    """Jiang et al., Nat. Phys. 19, 1423 (2023), table 1; the microwave is tuned onto the mechanics."""
    return PiezoOptomechanical(
        frequency_e=3.596 * GHz,
        frequency_o=193.53 * THz,
        frequency_m=3.596 * GHz,
        kappa_o_ext=561 * MHz,
        kappa_o_int=561 * MHz,
        kappa_e_ext=3.04 * MHz,
        kappa_e_int=0.02 * MHz,
        gamma_m=gamma_m,
        g_pe=424 * kHz,
        g0_o=413 * kHz,
        pump_power=power,
        temperature=10 * mK,
    )


def test_jiang_2023():
    for power, photons in ((4.4 * uW, 230), (10.2 * uW, 540)):
        np.testing.assert_allclose(jiang(power).drives()["optical"].photons, photons, rtol=0.02)
    it = jiang(10.2 * uW)
    rate = it.cooperativities()["optical-mechanical"] * it.gamma_m
    np.testing.assert_allclose(rate / kHz, 327, rtol=0.02)
    np.testing.assert_allclose(it.bandwidth_fwhm() / MHz, 1.5, rtol=0.08)
    np.testing.assert_allclose(it.efficiency(), 0.049, rtol=0.20)
    np.testing.assert_allclose(it.drives()["optical"].photons, 536.2, rtol=1e-3)  # an independent calculation from the same table
    np.testing.assert_allclose(rate / kHz, 4 * 413**2 * 536.16 / 1122e3, rtol=1e-3)
    assert it.is_stable() is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "exact"}, 'PiezoOptomechanical.model must be "rotating-wave" or "full", but is \'exact\''),
        ({"pump_photons": 1.0}, "must have exactly one of pump_power, pump_photons, cooperativity, but has pump_photons, cooperativity"),
        ({"cooperativity": None}, "must have exactly one of pump_power, pump_photons, cooperativity, but has none"),
        ({"cooperativity": None, "pump_power": 1.0}, "PiezoOptomechanical.g0_o must be given: the pump's photons make the coupling"),
        ({"heating_conductance": 1.0}, "PiezoOptomechanical.g0_o must be given: the pump's photons make the coupling, or its power heats"),
        ({"temperature_m": 0.1, "n_m": 1.0}, "PiezoOptomechanical.n_m must not be given beside temperature_m"),
        ({"g_pe": -1.0}, "PiezoOptomechanical.g_pe must be at least"),
        ({"frequency_m": float("inf")}, "PiezoOptomechanical.frequency_m must be above"),
    ],
)
def test_wrong_sheets_are_refused(change, message):
    with pytest.raises(ValueError) as error:
        device(**({"cooperativity": 1.0} | change))
    assert message in str(error.value)


def supermodes(j, sign=-1, **given):
    """A piezoelectric and an optomechanical resonance coupled at j (MHz), as their supermodes: g_pe and g_0 shared, of one sign or two.

    The frame is midway: the first supermode at +j, the second at -j.
    """
    root = np.sqrt(2)
    sheet = {"g_pe": 0.3 * MHz / root, "g_pe_m2": 0.3 * MHz / root, "g0_o": 0.2 * MHz / root, "g0_o_m2": sign * 0.2 * MHz / root}
    middle = {"detuning_e": -j * MHz, "detuning_o": -j * MHz, "detuning_m2": -2 * j * MHz, "gamma_m2": 0.02 * MHz}
    return device(**(sheet | middle | {"supermode": True, "pump_photons": 4.0} | given))


C_E, C_O = 4 * 0.3**2 / (0.5 * 0.02), 4 * 0.4**2 / (1.0 * 0.02)


@pytest.mark.parametrize("j", [0.05, 0.3, 2.0])
def test_supermodes_are_two_coupled_resonances(j):
    """Midway in closed form, and everywhere the chain microwave - piezo - optomechanical - optical of the same rates."""
    it, c_j = supermodes(j, **BATHS), 4 * j**2 / 0.02**2
    d = 1 + C_E + c_j + C_O + C_E * C_O
    for ends in (UP, DOWN):
        eta = it.efficiency(*ends, omega=jnp.asarray(-j * MHz))
        np.testing.assert_allclose(eta, 0.8 * 0.7 * 4 * C_E * c_j * C_O / d**2, rtol=CLOSED_FORM)
    between = tuple(Resonator(coupling=x * MHz, kappa_int=0.02 * MHz, occupation=1.5) for x in (0.3, j))
    rates = {"kappa_e_ext": 0.4 * MHz, "kappa_e_int": 0.1 * MHz, "kappa_o_ext": 0.7 * MHz, "kappa_o_int": 0.3 * MHz}
    row = Chain(**rates, between=between, coupling=0.4 * MHz, **{name: n for name, n in BATHS.items() if name != "n_m"})
    for w in np.array([-1.1, 0.2]) * MHz:
        found = [
            it.efficiency(omega=jnp.asarray(w - j * MHz)),
            *(it.added_noise_input(*ends, omega=jnp.asarray(w - j * MHz)) for ends in (UP, DOWN)),
        ]
        wanted = [row.efficiency(omega=jnp.asarray(w)), *(row.added_noise_input(*ends, omega=jnp.asarray(w)) for ends in (UP, DOWN))]
        np.testing.assert_allclose(found, wanted, rtol=CLOSED_FORM)


def test_supermodes_of_one_sign_cancel_midway():
    """Both ways from microwave to light pass one bare resonance, of which the other is a load: gamma -> gamma (1 + C_J)."""
    j, c_j = 0.3, 4 * 0.3**2 / 0.02**2
    c_e, c_o = C_E / (1 + c_j), C_O / (1 + c_j)
    eta = supermodes(j, sign=1).efficiency(omega=jnp.asarray(-j * MHz))
    np.testing.assert_allclose(eta, 0.8 * 0.7 * 4 * c_e * c_o / (1 + c_e + c_o) ** 2, rtol=CLOSED_FORM)


def test_the_doublet_is_one_band_or_two():
    """Peaks far apart: two bands, each at one supermode; nearer, one band over both with a dip between them."""
    weak = {"kappa_e_ext": 3.2 * MHz, "kappa_e_int": 0.8 * MHz, "kappa_o_ext": 2.8 * MHz, "kappa_o_int": 1.2 * MHz}
    far = supermodes(4.0, **weak)
    np.testing.assert_allclose(abs(float(far.carrier()) / MHz + 4.0), 4.0, rtol=0.02)
    band = far.band()
    assert float(band.fwhm) < 4.0 * MHz and float(band.ripple_db) == 0.0
    near = supermodes(0.09, **weak)
    w = np.linspace(-0.5, 0.5, 20001) * MHz - 0.09 * MHz
    power = np.asarray(near.linear_system().conversion(*UP).power(jnp.asarray(w)))
    inside = w[power >= power.max() / 2]
    band = near.band()
    np.testing.assert_allclose([band.low, band.high], [inside[0], inside[-1]], atol=1e-4 * MHz)  # the grid's step is 5e-5 MHz
    np.testing.assert_allclose(band.ripple_db, 10 * np.log10(power.max() / power[10000]), rtol=1e-6)  # and the peak's on it 1e-7
    assert float(band.ripple_db) > 0.1


def test_supermodes_in_the_full_model_are_the_doubled_system():
    it = supermodes(
        0.3, sign=1, model="full", g0_o_m2=0.08 * MHz, g_pe_m2=-0.1 * MHz, gamma_m2=0.05 * MHz, detuning_e=0.0, detuning_o=0.0, **BATHS
    )
    g1, g2 = 0.4 / np.sqrt(2), 0.16
    h = np.diag([10.0, 10.0, 10.0, 9.4]).astype(complex)
    xi = np.zeros((4, 4), complex)
    for (a, b), g in {(0, 2): 0.3 / np.sqrt(2), (0, 3): -0.1, (1, 2): g1, (1, 3): g2}.items():
        h[a, b] = h[b, a] = g
        xi[a, b] = xi[b, a] = g * (a == 1)
    c = np.zeros((6, 4), complex)
    for port, (mode, rate) in enumerate([(0, 0.4), (0, 0.1), (1, 0.7), (1, 0.3), (2, 0.02), (3, 0.05)]):
        c[port, mode] = np.sqrt(rate)
    witness = Dense(h, xi, c, np.array([0.01, 0.2, 0.03, 0.02, 1.5, 1.5]))
    for w in (9.5, 10.2):
        np.testing.assert_allclose(it.efficiency(omega=jnp.asarray(w * MHz)), abs(witness.blocks(w)[0][2, 0]) ** 2, rtol=CLOSED_FORM)
        np.testing.assert_allclose(it.added_noise_input(*UP, omega=jnp.asarray(w * MHz)), witness.added_noise(0, 2, w), rtol=CLOSED_FORM)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma_m2": None}, "PiezoOptomechanical.gamma_m2 must be given where supermode is true"),
        ({"supermode": False}, "PiezoOptomechanical.detuning_m2 must not be given where supermode is false"),
        ({"g0_o": None, "pump_photons": None, "cooperativity": 1.0}, "PiezoOptomechanical.g0_o must be given beside g0_o_m2"),
    ],
)
def test_half_a_supermode_is_refused(change, message):
    sheet = {"supermode": True, "g0_o": 0.1, "pump_photons": 1.0, "detuning_m2": 0.0, "gamma_m2": 0.0, "g_pe_m2": 0.0, "g0_o_m2": 0.0}
    with pytest.raises(ValueError, match=message):
        device(**(sheet | change))
