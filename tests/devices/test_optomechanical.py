"""ElectroOptomechanical: the rotating-wave closed forms, and the full model against a dense solver and its asymptotics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.linear.dense import Dense
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.numerics import bose
from transduce.units import GHz, Hz, K, MHz, hbar, mK, mW

UP, DOWN = ("microwave", "optical"), ("optical", "microwave")
CENTRE = jnp.zeros(())
BATHS = {"n_m": 20.0, "n_e_ext": 0.1, "n_e_int": 0.25, "n_o_ext": 0.01, "n_o_int": 0.02}


def device(ke=1.0, ko=2.0, ee=0.9, eo=0.8, gm=1e-3, wm=5.0, **given):
    """Rates in MHz."""
    rates = {"kappa_e_ext": ee * ke * MHz, "kappa_e_int": (1 - ee) * ke * MHz, "kappa_o_ext": eo * ko * MHz}
    rates |= {"kappa_o_int": (1 - eo) * ko * MHz, "gamma_m": gm * MHz, "frequency_m": wm * MHz}
    return ElectroOptomechanical(**(rates | given))


def full(ge, go, wm, delta_e=None, delta_o=None, **given):
    """The full model with these couplings (MHz)."""
    pumps = {"g0_e": 1 * MHz, "g0_o": 1 * MHz, "pump_photons_e": ge**2, "pump_photons_o": go**2}
    return device(wm=wm, model="full", pump_detuning_e=delta_e, pump_detuning_o=delta_o, **pumps, **given)


@pytest.mark.parametrize(("ce", "co"), [(5.0, 5.0), (200.0, 150.0), (0.3, 2.0)])
def test_rotating_wave_on_resonance(ce, co):
    ee, eo, d = 0.9, 0.8, 1 + ce + co
    it = device(cooperativity_e=ce, cooperativity_o=co, **BATHS)
    nm, nee, nei, noe, noi = BATHS.values()
    for ends in (UP, DOWN):
        np.testing.assert_allclose(it.efficiency(*ends, omega=CENTRE), ee * eo * 4 * ce * co / d**2, rtol=CLOSED_FORM)

    def added(e_in, c_in, ni, e_out, c_out, no_int, no_ext):
        bath = nm / (e_in * c_in) + (1 - e_in) / e_in * ni + (1 - e_out) * (1 + c_in) ** 2 / (e_in * c_in * c_out) * no_int
        return bath + (d - 2 * e_out * (1 + c_in)) ** 2 / (4 * e_in * e_out * c_in * c_out) * no_ext

    np.testing.assert_allclose(it.added_noise_input(*UP, omega=CENTRE), added(ee, ce, nei, eo, co, noi, noe), rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.added_noise_input(*DOWN, omega=CENTRE), added(eo, co, noi, ee, ce, nei, nee), rtol=CLOSED_FORM)
    found = it.cooperativities()
    np.testing.assert_allclose([found["microwave-mechanical"], found["optical-mechanical"]], [ce, co], rtol=ALGEBRA)


def test_the_weak_coupling_bandwidth_is_asymptotic():
    errors = []
    for gm in (1e-4, 1e-5):
        it = device(gm=gm, cooperativity_e=5.0, cooperativity_o=3.0)
        errors.append(float(it.bandwidth_fwhm()) / (gm * 9.0 * MHz) - 1)
    small = 1e-4 * 9.0 / 1.0
    assert 0.1 * small < abs(errors[0]) < 2 * small  # gamma_m D / kappa
    np.testing.assert_allclose(errors[1] / errors[0], 0.1, rtol=0.02)


def dense(it, omega_e, omega_o, omega_m, ge, go, full=True):
    """Microwave, optical, mechanical by matrices; ports in the device's order, the mode mismatch (M = 1) left out."""
    h = np.diag([omega_e, omega_o, omega_m]).astype(complex)
    h[0, 2] = h[2, 0] = ge
    h[1, 2] = h[2, 1] = go
    xi = (h - np.diag(np.diag(h))) * full
    ports = [(it.kappa_e_ext, 0), (it.kappa_e_int, 0), (it.kappa_o_ext, 1), (it.kappa_o_int, 1), (it.gamma_m, 2)]
    c = np.zeros((5, 3), complex)
    for k, (rate, mode) in enumerate(ports):
        c[k, mode] = np.sqrt(float(rate))
    return Dense(h, xi, c, np.array([float(it.linear_system().occupation[p]) for p in (0, 1, 2, 4, 5)]))


def test_the_full_model_is_the_doubled_system():
    it = device(
        wm=5.0, model="full", g0_e=1 * MHz, g0_o=1 * MHz, pump_photons_e=0.09, pump_photons_o=0.25, pump_detuning_e=-4.6 * MHz,
        pump_detuning_o=-5.5 * MHz, detuning_e=0.2 * MHz, **BATHS,
    )  # fmt: skip
    witness = dense(it, 4.8 * MHz, 5.5 * MHz, 5.0 * MHz, 0.3 * MHz, 0.5 * MHz)
    for w in np.array([4.9, 5.2, -5.0]) * MHz:
        normal, _ = witness.blocks(w)
        np.testing.assert_allclose(it.efficiency(omega=jnp.asarray(w)), abs(normal[2, 0]) ** 2, rtol=CLOSED_FORM)
        np.testing.assert_allclose(it.added_noise_input(*UP, omega=jnp.asarray(w)), witness.added_noise(0, 2, w), rtol=CLOSED_FORM)
        np.testing.assert_allclose(it.added_noise_input(*DOWN, omega=jnp.asarray(w)), witness.added_noise(2, 0, w), rtol=CLOSED_FORM)
        for source, port in (("microwave", 0), ("optical", 2)):
            found = it.back_action_occupation(source, "optical" if port == 0 else "microwave", omega=jnp.asarray(w))
            np.testing.assert_allclose(found, witness.output_noise(w)[port], rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.stability_margin(), witness.margin(), rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.linear_system().covariance().occupation, np.diag(witness.moments()[0]).real, rtol=CLOSED_FORM)


def test_sideband_gains_are_asymptotic():
    """eta = A_e A_o ee eo 4 Ge Go / GT^2 with A_j = 1 + (k_j / 4 wm)^2, up to O(G^2 / wm^2, G^2 / k^2)."""
    ke, ko, wm, gm, ee, eo, nm = 0.25, 1.0, 0.5, 2e-7, 0.85, 0.7, 50.0
    errors = []
    for scale in (1.0, 0.5):
        ge, go = 4e-4 * scale, 6e-4 * scale
        it = full(ge, go, wm, ke=ke, ko=ko, ee=ee, eo=eo, gm=gm * scale**2, n_m=nm)
        minus = np.array([4 * ge**2 / ke, 4 * go**2 / ko])
        plus = np.array([g**2 * k / ((k / 2) ** 2 + 4 * wm**2) for g, k in ((ge, ke), (go, ko))])
        gains = 1 + (np.array([ke, ko]) / (4 * wm)) ** 2
        np.testing.assert_allclose(minus / (minus - plus), gains, rtol=ALGEBRA)
        total = gm * scale**2 + (minus - plus).sum()
        eta = gains.prod() * ee * eo * 4 * (minus - plus).prod() / total**2
        added = (gm * scale**2 * nm + plus.sum()) / (ee * minus[0])
        errors.append([float(it.efficiency()) / eta - 1, float(it.added_noise_input()) / added - 1])
    bound = (6e-4 / 0.25) ** 2 * 20
    assert (np.abs(errors[0]) < bound).all() and np.abs(errors[0]).max() > bound / 1e4
    np.testing.assert_allclose(np.divide(errors[0], errors[1]), 4.0, rtol=0.1)  # quadratic in G


def test_mixing_the_image_into_the_signal_is_not_done():
    """A published response adds the a^dagger -> a block to the a -> a one: where the truth was 0.773 it gave 0.947."""
    ratio = []
    for wm in (0.4, 40.0):
        it = full(0.02, 0.03, wm, ke=0.8, ko=1.0, ee=1.0, eo=1.0, gm=1e-6)
        witness = dense(it, wm * MHz, wm * MHz, wm * MHz, 0.02 * MHz, 0.03 * MHz)
        w = float(it.carrier())
        normal, anomalous = witness.blocks(w)
        np.testing.assert_allclose(it.efficiency(), abs(normal[2, 0]) ** 2, rtol=CLOSED_FORM)
        ratio.append(abs(normal[2, 0] + anomalous[2, 0]) ** 2 / abs(normal[2, 0]) ** 2)
    assert abs(ratio[0] - 1) > 0.05 and abs(ratio[1] - 1) < 0.02


def test_pumps_and_heating():
    sheet = {"g0_e": 2 * Hz, "g0_o": 30 * Hz, "pump_power_e": 1e-9, "pump_power_o": 0.1 * mW, "frequency_e": 8 * GHz}
    it = device(
        **sheet, pump_detuning_o=-4.0 * MHz, temperature=40 * mK, heating_conductance=1e-4, heating_exponent=2.0, absorbed_fraction=0.1
    )
    pumps = it.drives()
    ne = 0.9 * MHz * 1e-9 / (hbar * 8 * GHz) / ((0.5 * MHz) ** 2 + (5 * MHz) ** 2)  # by default a mechanical frequency below
    no = 1.6 * MHz * 1e-4 / (hbar * it.frequency_o) / ((1.0 * MHz) ** 2 + (4 * MHz) ** 2)
    np.testing.assert_allclose([pumps["microwave"].photons, pumps["optical"].photons], [ne, no], rtol=ALGEBRA)
    np.testing.assert_allclose(pumps["optical"].coupling, 30 * Hz * np.sqrt(no), rtol=ALGEBRA)
    system, hot = it.linear_system(), np.sqrt(0.04**2 + 0.1 * 1e-4 / 1e-4) * K
    np.testing.assert_allclose(system.occupation[system.index("mechanical")], bose(5 * MHz, hot), rtol=ALGEBRA)
    np.testing.assert_allclose(system.occupation[system.index("microwave loss")], bose(8 * GHz, 0.04), rtol=ALGEBRA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "exact"}, 'ElectroOptomechanical.model must be "rotating-wave" or "full", but is \'exact\''),
        ({"pump_power_e": 1e-9}, "must have exactly one of pump_power_e, pump_photons_e, cooperativity_e, but has pump_power_e, coop"),
        ({"cooperativity_o": None}, "must have exactly one of pump_power_o, pump_photons_o, cooperativity_o, but has none"),
        ({"cooperativity_e": None, "pump_photons_e": 1.0}, "ElectroOptomechanical.g0_e must be given"),
        ({"heating_conductance": 1.0}, "ElectroOptomechanical.g0_o must be given"),
        ({"temperature_m": 0.1, "n_m": 1.0}, "ElectroOptomechanical.n_m must not be given beside temperature_m"),
        ({"g0_o": 1.0, "heating_conductance": 1.0, "n_m": 1.0}, "ElectroOptomechanical.n_m must not be given where the pump heats"),
        ({"frequency_m": 0.0}, "ElectroOptomechanical.frequency_m must be above"),
        ({"gamma_m": -1.0}, "ElectroOptomechanical.gamma_m must be at least"),
    ],
)
def test_wrong_sheets_are_refused(change, message):
    with pytest.raises(ValueError) as error:
        device(**({"cooperativity_e": 1.0, "cooperativity_o": 1.0} | change))
    assert message in str(error.value)


@pytest.mark.parametrize("model", ["full", "rotating-wave"])
def test_sidebands_against_the_exact_eigenvalue(model):
    """Shifted line and width against the eigenvalue of the drift matrix, cavities unlike in resolution and pumps off their sidebands.

    First order in G^2 is left with an error of G^4: a sixteenth at half of G.
    """
    ke, ko, wm, errors = 0.25, 2.0, 0.5, []
    for scale in (1.0, 0.5):
        pumps = {"pump_photons_e": (2e-3 * scale) ** 2, "pump_photons_o": (3e-3 * scale) ** 2, "g0_e": 1 * MHz, "g0_o": 1 * MHz}
        detunings = {"pump_detuning_e": -0.6 * MHz, "pump_detuning_o": -0.7 * MHz, "detuning_e": 0.04 * MHz}
        it = device(ke=ke, ko=ko, wm=wm, gm=1e-9, model=model, **pumps, **detunings)
        poles = np.asarray(it.linear_system().poles())
        frame = 0.0 if model == "full" else wm * MHz
        mechanical = min(poles, key=lambda pole: abs(pole + frame - wm * MHz))
        shift, width = mechanical.real + frame - wm * MHz, -2 * mechanical.imag
        errors.append([float(it.spring_shifted_frequency()) - wm * MHz - shift, float(it.damped_linewidth()) - width])
        assert (np.abs(errors[-1]) < 1e-3 * scale**2 * np.array([abs(shift), width])).all()
    np.testing.assert_allclose(np.divide(errors[0], errors[1]), 16.0, rtol=0.01)


def test_gain_and_floor_of_unlike_cavities():
    """A_j = 1 + (k_j / 4 wm)^2 on the red sideband, and N_add = (gm nm + Ge+ + Go+) / (eta Ge-) at the shifted line, both ways."""
    ke, ko, wm, errors = 0.25, 2.0, 0.5, []
    for scale in (1.0, 0.5):
        it = full(4e-4 * scale, 6e-4 * scale, wm, ke=ke, ko=ko, ee=0.85, eo=0.7, gm=2e-7 * scale**2, n_m=50.0)
        sides, line, gm = it.sidebands(), it.spring_shifted_frequency(), 2e-7 * scale**2 * MHz
        np.testing.assert_allclose([side.gain for side in sides.values()], 1 + (np.array([ke, ko]) / (4 * wm)) ** 2, rtol=ALGEBRA)
        e, o = sides["microwave"], sides["optical"]
        eta = 4 * 0.85 * 0.7 * e.cooling * o.cooling / it.damped_linewidth() ** 2
        up, down = (it.added_noise_floor(source) for source in UP)
        bath = [gm * 50 / (0.85 * e.cooling), gm * 50 / (0.7 * o.cooling)]
        found = [it.efficiency(omega=line), it.added_noise_input(*UP, omega=line), it.added_noise_input(*DOWN, omega=line)]
        errors.append(np.array([float(x) for x in found]) / np.array([eta, up + bath[0], down + bath[1]], float) - 1)
        np.testing.assert_allclose(it.carrier(), line, rtol=1e-6)
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.1)  # quadratic in G
    assert (np.abs(errors[0]) < 1e-3).all()


def test_a_rotating_wave_device_heats_nothing():
    it = device(cooperativity_e=5.0, cooperativity_o=3.0)
    assert float(it.added_noise_floor()) == 0.0 and float(it.sidebands()["optical"].gain) == 1.0
    np.testing.assert_allclose(it.damped_linewidth(), 1e-3 * 9 * MHz, rtol=ALGEBRA)
    assert float(it.spring_shifted_frequency()) == float(it.frequency_m)


@pytest.mark.parametrize("side", ["e", "o"])
def test_a_blue_pump_needs_the_full_model(side):
    """The rotating-wave model would convert by the sideband that a blue pump does not make."""
    rates = dict.fromkeys(("kappa_e_ext", "kappa_e_int", "kappa_o_ext", "kappa_o_int"), 1 * MHz)
    given = {**rates, "frequency_m": 5 * MHz, "gamma_m": 0.01 * MHz, "cooperativity_e": 5.0, "cooperativity_o": 5.0}
    told = rf"ElectroOptomechanical\.pump_detuning_{side} must be below 0 in the rotating-wave model, but is 5 MHz; use"
    with pytest.raises(ValueError, match=told):
        ElectroOptomechanical(**given, **{f"pump_detuning_{side}": 5 * MHz})

    def efficiency(detuning):
        return ElectroOptomechanical(**given, **{f"pump_detuning_{side}": detuning}).efficiency(omega=jnp.zeros(()))

    found = jax.jit(jax.vmap(efficiency))(jnp.array([-5.0, 5.0]) * MHz)
    assert found[0] > 0 and np.isnan(found[1])
