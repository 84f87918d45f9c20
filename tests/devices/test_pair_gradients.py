"""Gradients of a pair source's figures with respect to every field of its sheet, against 40-digit differences of the doubled equations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np

from tests import CLOSED_FORM, GRADIENT
from tests.devices.test_gradients import BATHS, OFFSETS, RATES, Witness, electro_optic
from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.units import Hz, MHz, mK, mW

OMEGA = 0.7 * MHz
SHEET = {"g0": 37 * Hz, "pump_power": 20 * mW, "pump_detuning": 2 * MHz, "temperature_e_int": 60 * mK, "heating_conductance": 22.0}


def blue(v):
    hamiltonian, _, ports = electro_optic(v)
    g = hamiltonian[0, 1]
    return mp.diag([v["detuning_e"], v["detuning_o"]]), mp.matrix([[0, g], [g, 0]]), ports


def amplitudes(witness, port, omega):
    """S^{--} and S^{-+} of one output from every port."""
    y = witness.row(port, omega)
    plain = [(1 if k == port else 0) - y[mode] * mp.sqrt(rate) for k, (mode, rate, _) in enumerate(witness.ports)]
    return plain, [-y[witness.n + mode] * mp.sqrt(rate) for mode, rate, _ in witness.ports]


def figures(values):
    """N_1, N_2, |M|^2 and the logarithmic negativity."""
    witness, omega = Witness(blue, values), mp.mpf(float(OMEGA))
    (u1, v1), (u2, v2), n = amplitudes(witness, 0, omega), amplitudes(witness, 2, -omega), [n for _, _, n in witness.ports]
    first, second = (sum(abs(a) ** 2 * x + abs(b) ** 2 * (x + 1) for a, b, x in zip(u, v, n, strict=True)) for u, v in ((u1, v1), (u2, v2)))
    correlation = sum(a * d * (x + 1) + b * c * x for a, b, c, d, x in zip(u1, v1, u2, v2, n, strict=True))
    a, b, c = 1 + 2 * first, 1 + 2 * second, 4 * abs(correlation) ** 2
    return [first, second, c / 4, -mp.log((a + b - mp.sqrt((a - b) ** 2 + 4 * c)) / 2, 2)]


@eqx.filter_jit
@eqx.filter_jacfwd
def slopes(it):
    pairs = it.linear_system().pair_moments("microwave", "optical", jnp.asarray(OMEGA))
    return jnp.stack([pairs.first, pairs.second, jnp.abs(pairs.correlation) ** 2, pairs.logarithmic_negativity()])


def test_pairs_with_respect_to_every_field():
    it = ElectroOptic(**RATES, **BATHS, **OFFSETS, **SHEET, pump="blue")
    pairs = it.linear_system().pair_moments("microwave", "optical", jnp.asarray(OMEGA))
    values = np.array([pairs.first, pairs.second, abs(pairs.correlation) ** 2, pairs.logarithmic_negativity()])
    found = slopes(it)
    with mp.workdps(40):
        sheet = {field: mp.mpf(float(value)) for field, _, value in parameters.walk(it)}
        np.testing.assert_allclose(values, [float(x) for x in figures(sheet)], rtol=CLOSED_FORM)
        for field, x in sheet.items():
            step = (x if x != 0 else mp.mpf(float(1 * MHz))) * mp.mpf(10) ** -13
            ends = [figures(sheet | {field: x + sign * step}) for sign in (1, -1)]
            truth = np.array([float((a - b) / 2 * mp.mpf(10) ** 13) for a, b in zip(*ends, strict=True)]) / values
            got = np.asarray(jax.tree.leaves(getattr(found, field))[0]) * float(step) * 1e13 / values
            assert np.max(np.abs(got - truth) / np.maximum(1.0, np.abs(truth))) < GRADIENT, (field, got, truth)
    assert values[3] > 0
