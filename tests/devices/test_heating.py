"""Heating: each law against its formula and SciPy, the baths it reaches, the refrigerator's share, and the pump power that is best."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from transduce.design.maximise import maximise
from transduce.design.targets import Bound, Targets
from transduce.devices.chain import Chain
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.heating import ConductanceHeating, LinearHeating, PowerHeating, TabulatedHeating
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.devices.piezo import PiezoOptomechanical
from transduce.numerics import bose
from transduce.units import GHz, Hz, MHz, mK, mW, uW

RATES = {"kappa_e_ext": 3 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 20 * MHz, "kappa_o_int": 5 * MHz}
MECHANICS = {"frequency_m": 3 * GHz, "gamma_m": 0.1 * MHz}
CENTRE = jnp.zeros(())
POWERS, ADDED = np.array([0.0, 1.0, 2.5, 4.0, 9.0]) * mW, np.array([0.0, 0.1, 0.6, 0.6, 2.0])


def electro_optic(**given):
    return ElectroOptic(**({"g0": 40 * Hz, "pump_power": 10 * mW, "temperature": 60 * mK} | RATES | given))


def test_added_photons_and_their_slope_from_no_power_on():
    def both(law, watts):
        return jax.jit(jax.value_and_grad(law.added))(jnp.asarray(watts))

    linear = LinearHeating(occupation=0.4, reference_power=2 * mW)
    for watts in (0.0, 3 * mW):
        np.testing.assert_allclose(both(linear, watts), (200 * watts, 200), rtol=ALGEBRA)
    for exponent, at_zero in ((1.0, 200.0), (2.0, 0.0)):
        law = PowerHeating(occupation=0.4, reference_power=2 * mW, exponent=exponent)
        np.testing.assert_allclose(both(law, 0.0), (0.0, at_zero), rtol=ALGEBRA, atol=1e-50)
        np.testing.assert_allclose(both(law, 3 * mW), (0.4 * 1.5**exponent, 200 * exponent * 1.5 ** (exponent - 1)), rtol=ALGEBRA)
    value, slope = both(PowerHeating(occupation=0.4, exponent=0.3), 0.0)
    assert value < 1e-17 and slope > 1e14  # infinite: its numbers are those of ``numerics.power``
    warm = ConductanceHeating(conductance=0.5, exponent=3.0)
    found = jax.value_and_grad(lambda p: warm.temperature(jnp.asarray(0.06), p))(0.0)
    np.testing.assert_allclose(found, (0.06, 1 / (3 * 0.06**2 * 0.5)), rtol=ALGEBRA)


@pytest.mark.parametrize("rows", [5, 2])
def test_a_table_is_a_monotone_cubic_and_ends_where_it_ends(rows):
    law, truth = TabulatedHeating(powers=POWERS[:rows], occupations=ADDED[:rows]), PchipInterpolator(POWERS[:rows], ADDED[:rows])
    at = np.append(np.linspace(0, POWERS[rows - 1], 31), POWERS[:rows])
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(law.added)))(at)
    np.testing.assert_allclose(value, truth(at), rtol=CLOSED_FORM, atol=CLOSED_FORM)
    np.testing.assert_allclose(slope, truth(at, 1), rtol=CLOSED_FORM, atol=CLOSED_FORM * ADDED[1] / POWERS[1])
    late = TabulatedHeating(powers=POWERS[1:], occupations=ADDED[1:])
    assert np.isnan(late.added(0.9 * mW)) and np.isnan(late.added(9.1 * mW)) and late.added(1 * mW) == 0.1


DEVICES = {
    "electro-optic": (electro_optic(coupling_x=MHz, kappa_x=MHz), {"e_int": "microwave loss"}),
    "membrane": (
        ElectroOptomechanical(**RATES, **MECHANICS, cooperativity_e=1.0, g0_o=MHz, pump_power_o=uW, temperature=60 * mK),
        {"m": "mechanical"},
    ),
    "piezo": (
        PiezoOptomechanical(**RATES, **MECHANICS, g_pe=MHz, g0_o=MHz, pump_power=uW, temperature=60 * mK),
        {"m": "mechanical"},
    ),
}
PORTS = {"e_ext": ["microwave"], "e_int": ["microwave loss"], "o_ext": ["optical", "optical mismatch"]}
PORTS |= {"o_int": ["optical loss", "partner loss"], "m": ["mechanical"]}


@pytest.mark.parametrize("name", DEVICES)
def test_a_law_heats_the_baths_it_names_and_no_other(name):
    cold, default = DEVICES[name]

    def occupations(it):
        system = it.linear_system()
        return {port: float(n) for port, n in zip(system.ports, system.occupation, strict=True)}

    before, baths = occupations(cold), [bath for bath in PORTS if bath != "m" or "m" in default]
    light = float(cold.drives()["optical"].power)
    for named in [(), *[(bath,) for bath in baths], ("e_int", "o_int")]:
        law = LinearHeating(occupation=0.7, reference_power=light, baths=named)
        hot = {port for bath in named for port in PORTS[bath]} or set(default.values())
        after = occupations(replace(cold, heating=law, absorbed_fraction=0.5))
        for port in before:
            assert after[port] == pytest.approx(before[port] + 0.35 * (port in hot), rel=ALGEBRA), (named, port)


def test_the_flat_fields_are_the_conductance_law():
    flat = electro_optic(heating_conductance=22.0, heating_exponent=2.5, absorbed_fraction=0.8)
    law = ConductanceHeating(conductance=22.0, exponent=2.5)
    stated = electro_optic(heating=law, absorbed_fraction=0.8)
    assert flat.heats and stated.heats and not electro_optic().heats
    assert np.array_equal(flat.linear_system().occupation, stated.linear_system().occupation)
    kelvin = (0.06**2.5 + 0.8 * 10 * mW / 22.0) ** (1 / 2.5)
    np.testing.assert_allclose(stated.bath_temperature("e_int", 10 * mW), kelvin, rtol=ALGEBRA)
    np.testing.assert_allclose(stated.linear_system().occupation[1], bose(5 * GHz, kelvin), rtol=ALGEBRA)


def test_the_duty_cycle_reaches_what_follows_the_mean():
    for driven_by, photons in (("peak", 0.5 * 10 * 0.2), ("mean", 0.5 * 10 * 0.2 / 100)):
        law = LinearHeating(occupation=0.2, driven_by=driven_by)
        it = electro_optic(heating=law, absorbed_fraction=0.5, duty_cycle=0.01, n_e_int=0.03)
        np.testing.assert_allclose(it.linear_system().occupation[1], 0.03 + photons, rtol=ALGEBRA)
        np.testing.assert_allclose(it.absorbed_power(), 50 * uW, rtol=ALGEBRA)
        np.testing.assert_allclose([it.refrigerator_share(), it.refrigerator_share(0.1 * mW)], [2.5, 0.5], rtol=ALGEBRA)


def test_the_refrigerator_carries_every_pump_and_knows_what_it_does_not_know():
    both = replace(DEVICES["membrane"][0], cooperativity_e=None, g0_e=10 * Hz, pump_power_e=0.25 * uW, duty_cycle=0.5)
    np.testing.assert_allclose(both.absorbed_power(), 0.5 * 1.25 * uW, rtol=ALGEBRA)
    assert DEVICES["membrane"][0].absorbed_power() is None  # a cooperativity alone tells no power
    assert Chain(**RATES, coupling=MHz).refrigerator_share() is None
    slope = jax.grad(lambda p: electro_optic(pump_power=p, duty_cycle=0.1).refrigerator_share())(0.0)
    np.testing.assert_allclose(slope, 0.1 / (20 * uW), rtol=ALGEBRA)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearHeating(occupation=-1.0), "LinearHeating.occupation must be at least 0, but is -1"),
        (lambda: LinearHeating(occupation=1.0, reference_power=0.0), "LinearHeating.reference_power must be above 0 W, but is 0 W"),
        (lambda: LinearHeating(occupation=1.0, driven_by="rms"), 'LinearHeating.driven_by must be "peak" or "mean", but is \'rms\''),
        (lambda: PowerHeating(occupation=1.0, exponent=0.1), "PowerHeating.exponent must be at least 0.25 and at most 8, but is 0.1"),
        (lambda: TabulatedHeating(powers=[0.0, 0.0], occupations=[0.0, 1.0]), "TabulatedHeating.powers must be two or more rising"),
        (lambda: TabulatedHeating(powers=[0.0, 1.0], occupations=[1.0, 0.5]), "TabulatedHeating.occupations must be 2 numbers"),
        (lambda: TabulatedHeating(powers=[0.0, 1.0], occupations=[1.0]), "that never fall, but is [1.0]"),
        (
            lambda: electro_optic(heating=TabulatedHeating(powers=[0.0, 1 * mW], occupations=[0.0, 1.0])),
            "ElectroOptic.heating must be known at the power that is absorbed, but its table does not reach 10 mW",
        ),
        (
            lambda: electro_optic(heating=LinearHeating(occupation=1.0, baths=("m",))),
            "ElectroOptic.heating must heat one of the baths e_ext, e_int, o_ext, o_int, but heats 'm'",
        ),
        (
            lambda: electro_optic(heating=LinearHeating(occupation=1.0), heating_conductance=1.0),
            "ElectroOptic.heating must not be given beside heating_conductance",
        ),
        (
            lambda: electro_optic(heating=ConductanceHeating(conductance=1.0, baths="o_int"), n_o_int=0.0),
            "ElectroOptic.n_o_int must not be given where the pump heats that bath",
        ),
        (
            lambda: ElectroOptic(**RATES, cooperativity=0.1, heating=LinearHeating(occupation=1.0)),
            "ElectroOptic.g0 must be given: the pump's photons make the coupling, or its power heats",
        ),
        (
            lambda: Chain(**RATES, coupling=MHz, heating=LinearHeating(occupation=1.0)),
            "Chain.heating must not be given",
        ),
    ],
)
def test_wrong_laws_are_refused(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)


# More pump converts more and heats more. With cold light and n = n0 + s P in the microwave losses, eta / (1 + N) is proportional to
# C / (1 + C)^2 / (A + sigma C), A = 1 + r n0, sigma C = r s P, r = kappa_e_int / kappa_e_ext: best where 2 sigma C^2 + A C - A = 0.

R, N0, S = 1 / 3, 0.05, 60.0


def heated(p):
    return electro_optic(pump_power=p, temperature=0.0, n_e_int=N0, heating=LinearHeating(occupation=S * mW))


def figure(device):
    return device.efficiency(omega=CENTRE) / (1 + device.added_noise_input(omega=CENTRE))


def closed(c, sigma, a=1 + R * N0):
    """(the figure, d ln figure / d ln P)."""
    return 0.75 * 0.8 * 4 * c / (1 + c) ** 2 / (a + sigma * c), 1 - 2 * c / (1 + c) - sigma * c / (a + sigma * c)


def test_the_best_pump_power_and_the_refrigerator_that_forbids_it():
    per_watt = float(heated(1.0).cooperativities()["microwave-optical"])
    a, sigma = 1 + R * N0, R * S / per_watt
    best = (np.sqrt(a**2 + 8 * sigma * a) - a) / (4 * sigma)
    search = {"free": {"pump_power": (0.1 * mW, 10_000 * mW)}, "starts": 4, "steps": 100}
    found = maximise(figure, heated(10 * mW), **search)
    watts = found.free["pump_power"].after
    assert 0.1 < best < 0.9  # heating moves it well below C = 1
    assert found.free["pump_power"].at_bound is None
    assert watts == pytest.approx(best / per_watt, rel=1e-8)
    assert found.value == pytest.approx(closed(best, sigma)[0], rel=CLOSED_FORM)

    # A refrigerator that carries half of it: its share is the active target, and its multiplier the slope of the closed form.
    cooling, duty = 20 * uW, 1e-3
    cold = best / per_watt * duty / 2 / cooling
    targets = Targets({"refrigerator_share": Bound(max=cold)})
    limited = maximise(
        lambda it: (figure(it), {"refrigerator_share": it.refrigerator_share(cooling)}),
        replace(heated(10 * mW), duty_cycle=duty),
        **search,
        targets=targets,
    )
    (row,) = limited.targets
    value, slope = closed(best / 2, sigma)
    assert row.met and row.active and limited.free["pump_power"].after == pytest.approx(best / per_watt / 2, rel=1e-8)
    assert limited.value == pytest.approx(value, rel=1e-8)
    assert row.multiplier == pytest.approx(value * slope, rel=GRADIENT)
    # Twice the budget is more than the best wants: then it is not active.
    loose = maximise(
        lambda it: (figure(it), {"refrigerator_share": it.refrigerator_share(4 * cooling)}),
        replace(heated(10 * mW), duty_cycle=duty),
        **search,
        targets=targets,
    )
    assert not loose.targets[0].active and loose.value == pytest.approx(found.value, rel=CLOSED_FORM)
