"""PiezoOptomechanical: the membrane's closed forms with a resonant microwave coupling, and the figures of Jiang et al. 2023."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.devices.test_optomechanical import dense
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
