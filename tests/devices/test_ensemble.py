"""Ensemble: the resonant closed form, the Raman limit, and a discrete ensemble of shifted atoms by numpy."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.linear.dense import Dense
from transduce.devices import catalogue
from transduce.devices.base import AbstractDevice
from transduce.devices.ensemble import Ensemble
from transduce.numerics import bose
from transduce.units import GHz, MHz

UP, DOWN = ("microwave", "optical"), ("optical", "microwave")
CENTRE = jnp.zeros(())
RATES = {"kappa_e_ext": 1.6 * MHz, "kappa_e_int": 0.4 * MHz, "kappa_o_ext": 70 * MHz, "kappa_o_int": 30 * MHz}
KE, KO, EE, EO = 2.0, 100.0, 0.8, 0.7


def device(**given):
    atoms = {"g_mu": 0.03 * MHz, "g_o": 0.2 * MHz, "number": 1e4, "rabi": 4 * MHz, "gamma_mu": 0.5 * MHz, "gamma_p": 3 * MHz}
    return Ensemble(**(RATES | atoms | given))


@pytest.mark.parametrize("number", [1e2, 1e4, 1e6])
def test_on_resonance(number):
    it = device(number=number)
    c_mu, c_rabi, c_o = 4 * number * 0.03**2 / (KE * 0.5), 4**2 / (0.5 * 3), 4 * number * 0.2**2 / (KO * 3)
    found = it.cooperativities()
    names = ("microwave-spin", "spin-polarisation", "polarisation-optical")
    np.testing.assert_allclose([found[name] for name in names], [c_mu, c_rabi, c_o], rtol=ALGEBRA)
    eta = EE * EO * 4 * c_mu * c_rabi * c_o / (1 + c_mu + c_rabi + c_o + c_mu * c_o) ** 2
    for ends in (UP, DOWN):
        np.testing.assert_allclose(it.efficiency(*ends, omega=CENTRE), eta, rtol=CLOSED_FORM)


def test_collective_couplings_may_be_stated_instead():
    one, many = device(g_mu=3 * MHz, g_o=20 * MHz, number=1.0), device()
    np.testing.assert_allclose(one.efficiency(omega=1.0 * MHz), many.efficiency(omega=1.0 * MHz), rtol=ALGEBRA)


def test_noise_against_matrices():
    it = device(
        n_e_ext=0.01, n_e_int=0.2, n_o_ext=0.03, n_o_int=0.02, n_mu=0.7, detuning_mu=0.3 * MHz, detuning_p=-8 * MHz, width_mu=1 * MHz
    )
    h = np.diag([0.0, 0.3, -8.0, 0.0]).astype(complex) + np.diag([3.0, 2.0, 20.0], 1) + np.diag([3.0, 2.0, 20.0], -1)
    c = np.zeros((6, 4), complex)
    for port, (mode, rate) in enumerate([(0, 1.6), (0, 0.4), (3, 70), (3, 30), (1, 1.5), (2, 3)]):
        c[port, mode] = np.sqrt(rate)
    witness = Dense(h, np.zeros((4, 4)), c, np.array([0.01, 0.2, 0.03, 0.02, 0.7, 0.02]))
    for w in (-3.0, 0.4):
        found = [it.added_noise_input(*ends, omega=jnp.asarray(w * MHz)) for ends in (UP, DOWN)]
        np.testing.assert_allclose(found, [witness.added_noise(0, 2, w), witness.added_noise(2, 0, w)], rtol=CLOSED_FORM)
    system = device(temperature_mu=0.1).linear_system()
    np.testing.assert_allclose(system.occupation[system.index("spin")], bose(5 * GHz, 0.1), rtol=ALGEBRA)


def test_a_lorentzian_line_is_a_decay_rate():
    """201 x 201 atoms at the quantiles of two Lorentzian lines, each a spin and a polarisation of its own: no averaging is assumed.

    Midpoints of a periodic analytic function converge as a power of the number of points: 101 leave 2e-9 at these widths, and 201 rounding.
    """
    points, w_mu, w_p, g, gamma_mu, gamma_p, rabi = 201, 0.8, 2.0, (3.0, 20.0), 1.0, 3.0, 4.0
    it = device(gamma_mu=gamma_mu * MHz, width_mu=w_mu * MHz, width_p=w_p * MHz)
    quantiles = np.tan(np.pi * ((np.arange(points) + 0.5) / points - 0.5)) / 2
    d_mu, d_p = (x.ravel() for x in np.meshgrid(w_mu * quantiles, w_p * quantiles))
    for w in (0.0, 2.5):
        s, p = gamma_mu / 2 + 1j * (d_mu - w), gamma_p / 2 + 1j * (d_p - w)
        block = np.array([[p, -1j * rabi / 2 + 0 * p], [-1j * rabi / 2 + 0 * p, s]]) / (s * p + rabi**2 / 4)
        answer = np.array(g)[:, None] * block.mean(axis=-1) * np.array(g)  # (e, o) driven through all atoms
        cavities = np.diag([KE / 2 - 1j * w, KO / 2 - 1j * w]) + answer
        s_oe = np.sqrt(1.6 * 70) * np.linalg.inv(cavities)[1, 0]
        np.testing.assert_allclose(it.efficiency(omega=jnp.asarray(w * MHz)), abs(s_oe) ** 2, rtol=CLOSED_FORM)


def test_far_off_the_line_it_is_a_raman_converter():
    """eta = 4 ee eo C_mu C_R / (1 + C_mu + C_R)^2 with the shifts tuned away: the error falls as 1 / detuning where G is kept."""
    errors = []
    for far in (-2e3, -4e3):
        sheet = {"rabi": 40 * np.sqrt(abs(far) / 2e3) * MHz, "g_o": 0.2 * np.sqrt(abs(far) / 2e3) * MHz, "gamma_p": 1e-7 * MHz}
        raman = device(detuning_p=far * MHz, **sheet).raman()
        it = device(detuning_p=far * MHz, detuning_mu=-raman.shift_mu, detuning_o=-raman.shift_o, **sheet)
        c_mu, c_r = 4 * 9 / (KE * 0.5), 4 * (20 * 20 / 2e3) ** 2 / (KO * 0.5)
        np.testing.assert_allclose(4 * raman.coupling**2 / (KO * MHz * 0.5 * MHz), c_r, rtol=ALGEBRA)
        errors.append(float(it.efficiency(omega=CENTRE)) / (4 * EE * EO * c_mu * c_r / (1 + c_mu + c_r) ** 2) - 1)
    assert abs(errors[0]) < 1e-2
    np.testing.assert_allclose(errors[0] / errors[1], 2.0, rtol=0.05)


def test_rochman_2023_by_its_cooperativities():
    """4 g^2 / kappa Delta of spins and light, Delta the inhomogeneous widths: 340 and 4.1 are reported."""
    found = catalogue.entry("rochman-2023")
    assert catalogue.kinds(AbstractDevice)[found.kind] is Ensemble
    pairs = catalogue.device("rochman-2023", gamma_mu=0.0, gamma_p=0.0, rabi=1 * MHz).cooperativities()
    for key, pair in (("cooperativity_em", "microwave-spin"), ("cooperativity_om", "polarisation-optical")):
        assert float(pairs[pair]) == pytest.approx(found.reported[key].value, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heating_conductance": 1.0}, "Ensemble.heating must not be given, as the pump's power is not modelled: state temperatures"),
        ({"temperature_mu": 0.1, "n_mu": 1.0}, "Ensemble.n_mu must not be given beside temperature_mu"),
        ({"number": -1.0}, "Ensemble.number must be at least 0"),
        ({"rabi": -1.0}, "Ensemble.rabi must be at least"),
    ],
)
def test_wrong_sheets_are_refused(change, message):
    with pytest.raises(ValueError) as error:
        device(**change)
    assert message in str(error.value)
