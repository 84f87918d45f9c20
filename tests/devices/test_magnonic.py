"""Magnonic: closed forms with and without the Stokes sideband, and a single pass against a port on the magnon itself."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.linear.dense import Dense
from transduce.devices import catalogue
from transduce.devices.magnonic import Magnonic
from transduce.devices.piezo import PiezoOptomechanical
from transduce.numerics import bose
from transduce.units import GHz, Hz, K, MHz, THz, hbar, mK, ps

UP, DOWN = ("microwave", "optical"), ("optical", "microwave")
CENTRE = jnp.zeros(())
BATHS = {"n_m": 1.5, "n_e_ext": 0.01, "n_e_int": 0.2, "n_o_ext": 0.03, "n_o_int": 0.02}
RATES = {"kappa_e_ext": 1.6 * MHz, "kappa_e_int": 0.4 * MHz, "kappa_o_ext": 70 * MHz, "kappa_o_int": 30 * MHz, "gamma_m": 1.2 * MHz}
KE, KO, GM = 2.0, 100.0, 1.2


def device(**given):
    return Magnonic(**(RATES | {"g_em": 3.0 * MHz} | given))


@pytest.mark.parametrize("ratio", [None, 0.4, 1.0])
def test_on_resonance(ratio):
    """The converter of a magnon, Stokes scattering taking its gain from the 1 of D = 1 + Ce + Co - Cs."""
    stokes = {} if ratio is None else {"stokes": True, "stokes_ratio": ratio}
    it, ce, co = device(cooperativity=2.5, **stokes, **BATHS), 4 * 3.0**2 / (KE * GM), 2.5
    cs = co * (ratio or 0.0)
    ee, eo, one, d, (nm, nee, nei, noe, noi) = 0.8, 0.7, 1 - cs, 1 + ce + co - cs, BATHS.values()
    found = it.cooperativities()
    np.testing.assert_allclose([found["microwave-magnon"], found["optical-magnon"]], [ce, co], rtol=ALGEBRA)
    if ratio is not None:
        np.testing.assert_allclose(found["magnon-stokes"], cs, rtol=ALGEBRA)
    for ends in (UP, DOWN):
        np.testing.assert_allclose(it.efficiency(*ends, omega=CENTRE), ee * eo * 4 * ce * co / d**2, rtol=CLOSED_FORM)

    def added(e_in, c_in, ni, e_out, c_out, no_int, no_ext):
        bath = (nm + cs * (noe + 1)) / (e_in * c_in) + (1 - e_in) / e_in * ni
        bath += (1 - e_out) * (one + c_in) ** 2 / (e_in * c_in * c_out) * no_int
        return bath + (d - 2 * e_out * (one + c_in)) ** 2 / (4 * e_in * e_out * c_in * c_out) * no_ext

    np.testing.assert_allclose(it.added_noise_input(*UP, omega=CENTRE), added(ee, ce, nei, eo, co, noi, noe), rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.added_noise_input(*DOWN, omega=CENTRE), added(eo, co, noi, ee, ce, nei, nee), rtol=CLOSED_FORM)


def test_the_pump_and_the_baths():
    sheet = {"g0_o": 50 * Hz, "pump_power": 1e-2, "frequency_o": 200 * THz, "frequency_m": 7 * GHz}
    it = device(**sheet, pump_detuning=20 * MHz, temperature=20 * mK, temperature_m=1 * K)
    photons = RATES["kappa_o_ext"] * 1e-2 / (hbar * 200 * THz) / ((50 * MHz) ** 2 + (20 * MHz) ** 2)
    np.testing.assert_allclose(it.drives()["optical"].coupling, 50 * Hz * np.sqrt(photons), rtol=ALGEBRA)
    system = it.linear_system()
    np.testing.assert_allclose(system.occupation[system.index("magnon")], bose(7 * GHz, 1.0), rtol=ALGEBRA)
    hot = device(**sheet, temperature_m=1 * K, heating_conductance=1e-2, heating_exponent=2.0).linear_system()
    np.testing.assert_allclose(hot.occupation[hot.index("magnon")], bose(7 * GHz, np.sqrt(2.0)), rtol=ALGEBRA)


def test_a_cavity_device_is_a_piezo_device_pumped_on_resonance():
    sheet = RATES | BATHS | {"g0_o": 1e3 * Hz, "pump_photons": 1e7, "frequency_m": 5 * GHz, "detuning_e": 0.3 * MHz}
    magnonic, piezo = Magnonic(g_em=3 * MHz, **sheet), PiezoOptomechanical(g_pe=3 * MHz, **sheet)
    for w in np.array([-1.0, 0.4]) * MHz:
        np.testing.assert_allclose(magnonic.efficiency(omega=jnp.asarray(w)), piezo.efficiency(omega=jnp.asarray(w)), rtol=ALGEBRA)


def single(tau, **given):
    sheet = {"kappa_e_ext": 1.6 * MHz, "kappa_e_int": 0.4 * MHz, "gamma_m": GM * MHz, "g_em": 1.0 * MHz}
    return Magnonic.single_pass(tau, **(sheet | BATHS | {"n_o_ext": 0.0, "n_o_int": 0.0} | given))


def test_light_that_passes_once_is_a_port_of_the_magnon():
    """A magnon with ports zeta to the upper and, conjugated, to the lower sideband, zeta = g0^2 n_p tau: to second order in tau."""
    g0, tau, errors = 0.05 * MHz, 20 * ps, []
    photons = 1e-2 * tau / (hbar * 200 * THz)
    zeta = g0**2 * photons * tau
    assert 0.1 * MHz < zeta < 10 * MHz
    for factor in (1.0, 0.5):
        it = single(factor * tau, pump_power=1e-2, frequency_o=200 * THz, g0_o=g0 / factor)
        pump = it.drives()["optical"]
        np.testing.assert_allclose(pump.photons, factor * photons, rtol=ALGEBRA)
        np.testing.assert_allclose(it.cooperativities()["optical-magnon"] * GM * MHz, zeta, rtol=ALGEBRA)
        errors.append(np.array(pass_once(it, zeta)))
    assert (np.abs(errors[0]) < 10 * ((zeta + 1 * MHz) * tau) ** 2).all() and np.abs(errors[0]).min() > 1e-12
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=1e-3)  # what is next is 1e-4 of it


def pass_once(it, zeta):
    """Relative errors of efficiency and added noise, off resonance, against the Langevin equations of e and m alone, by hand.

    L = sqrt(zeta) (m to the upper field, m^dagger to the lower one): gamma -> gamma + zeta - zeta, o_out = o_in - i sqrt(zeta) m.
    """
    w, ke, g, (nm, _, nei, *_) = 0.4 * MHz, 2.0 * MHz, 1.0 * MHz, BATHS.values()
    chi = np.linalg.inv(np.array([[ke / 2 - 1j * w, 1j * g], [1j * g, GM * MHz / 2 - 1j * w]]))[1]
    eta = zeta * 1.6 * MHz * abs(chi[0]) ** 2
    noise = zeta * (0.4 * MHz * abs(chi[0]) ** 2 * nei + abs(chi[1]) ** 2 * (GM * MHz * nm + zeta))
    at = jnp.asarray(w)
    return [float(it.efficiency(omega=at)) / eta - 1, float(it.added_noise_input(omega=at)) * eta / noise - 1]


def test_against_matrices_off_resonance():
    it = device(cooperativity=2.5, stokes=True, stokes_ratio=0.3, detuning_e=0.5 * MHz, detuning_o=-20 * MHz, **BATHS)
    ge, go, gs = 3.0, *(np.sqrt(np.array([2.5, 0.75]) * KO * GM) / 2)
    h, xi = np.diag([0.5, 0.0, -20.0, 0.0]).astype(complex), np.zeros((4, 4), complex)
    h[0, 1] = h[1, 0] = ge
    h[1, 2] = h[2, 1] = go
    xi[1, 3] = xi[3, 1] = gs
    c = np.zeros((6, 4))
    for port, (mode, rate) in enumerate([(0, 1.6), (0, 0.4), (2, 70), (2, 30), (1, GM), (3, KO)]):
        c[port, mode] = np.sqrt(rate)
    witness = Dense(h, xi, c.astype(complex), np.array([0.01, 0.2, 0.03, 0.02, 1.5, 0.03]))
    eta, up, down = eqx.filter_jit(
        eqx.filter_vmap(lambda w: (it.efficiency(omega=w), it.added_noise_input(*UP, omega=w), it.added_noise_input(*DOWN, omega=w)))
    )(jnp.array([-4.0, 0.3, 2.0]) * MHz)
    for k, w in enumerate((-4.0, 0.3, 2.0)):
        np.testing.assert_allclose(eta[k], abs(witness.blocks(w)[0][2, 0]) ** 2, rtol=CLOSED_FORM)
        np.testing.assert_allclose([up[k], down[k]], [witness.added_noise(0, 2, w), witness.added_noise(2, 0, w)], rtol=CLOSED_FORM)


@pytest.mark.parametrize("name", ["hisatomi-2016", "zhu-2020"])
def test_the_library_knows_the_class(name):
    found = catalogue.entry(name)
    assert catalogue.kinds(Magnonic.__mro__[1])[found.kind] is Magnonic and "g_em" in found.missing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pump_photons": 1.0}, "must have exactly one of pump_power, pump_photons, cooperativity, but has pump_photons, cooperativity"),
        ({"cooperativity": None, "pump_power": 1.0}, "Magnonic.g0_o must be given"),
        ({"heating_conductance": 1.0}, "Magnonic.g0_o must be given"),
        ({"stokes": True}, "Magnonic.stokes_ratio must be given where stokes is true"),
        ({"stokes_ratio": 1.0}, "Magnonic.stokes_ratio must not be given where stokes is false"),
        ({"temperature_m": 0.1, "n_m": 1.0}, "Magnonic.n_m must not be given beside temperature_m"),
        ({"g_em": -1.0}, "Magnonic.g_em must be at least"),
    ],
)
def test_wrong_sheets_are_refused(change, message):
    with pytest.raises(ValueError) as error:
        device(**({"cooperativity": 1.0} | change))
    assert message in str(error.value)


def test_no_time_is_no_pass():
    with pytest.raises(ValueError, match="transit_time must be above 0, but is 0"):
        single(0.0, cooperativity=1.0)
