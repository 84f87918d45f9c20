"""Gradients of every figure of a device with respect to every field of its sheet, against 40-digit differences of an mpmath solver.

The solver here is dense and doubled, written from the equations of motion; it shares no line with the package.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from tests import CLOSED_FORM, GRADIENT
from tests.devices.test_electro_optic import DOWN, UP
from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.devices.piezo import PiezoOptomechanical
from transduce.units import GHz, Hz, MHz, THz, hbar, k_B, mK, mW, uW

HBAR, K_B = mp.mpf(repr(hbar)), mp.mpf(repr(k_B))
FIGURES = ("efficiency", "added noise up", "added noise down", "bandwidth_fwhm", "back-action up", "back-action down")


def bose(omega, temperature):
    return 1 / mp.expm1(HBAR * omega / (K_B * temperature))


def common(v, heated):
    """Ports 0 to 4: (mode, rate, occupation); e is mode 0, o is mode 1."""
    m, optical = v["mode_match"], v["n_o_ext"]
    return [
        (0, v["kappa_e_ext"], bose(v["frequency_e"], v["temperature_e_ext"])),
        (0, v["kappa_e_int"], bose(v["frequency_e"], heated if heated is not None else v["temperature"])),
        (1, m * v["kappa_o_ext"], optical),
        (1, (1 - m) * v["kappa_o_ext"], optical),
        (1, v["kappa_o_int"], v["n_o_int"]),
    ]


def photons(v, side, power, delta):
    kappa = v[f"kappa_{side}_ext"] + v[f"kappa_{side}_int"]
    return v[f"kappa_{side}_ext"] * power / (HBAR * v[f"frequency_{side}"]) / ((kappa / 2) ** 2 + delta**2)


def heat(v, own, power):
    q = v["heating_exponent"]
    return (own**q + v["absorbed_fraction"] * power / v["heating_conductance"]) ** (1 / q)


def electro_optic(v):
    g = v["g0"] * mp.sqrt(photons(v, "o", v["pump_power"], v["pump_detuning"]))
    hamiltonian = mp.matrix([[v["detuning_e"], g], [g, v["detuning_o"]]])
    return hamiltonian, mp.zeros(2), common(v, heat(v, v["temperature_e_int"], v["pump_power"]))


def stokes(v):
    kappa = v["kappa_p_ext"] + v["kappa_p_int"]
    n = v["kappa_p_ext"] * v["pump_power"] / (HBAR * v["frequency_o"]) / ((kappa / 2) ** 2 + v["pump_detuning"] ** 2)
    h, xi = mp.zeros(4), mp.zeros(4)
    h[0, 0], h[1, 1], h[2, 2], h[3, 3] = v["detuning_e"], v["detuning_o"], v["detuning_s"], v["detuning_d"]
    h[0, 1] = h[1, 0] = v["g0"] * mp.sqrt(n)
    h[2, 3] = h[3, 2] = v["coupling_j"]
    xi[0, 2] = xi[2, 0] = v["g0_s"] * mp.sqrt(n)
    rest = [(2, v["kappa_s_ext"], v["n_s"]), (2, v["kappa_s_int"], v["n_s"]), (3, v["kappa_d"], v["n_s"])]
    return h, xi, [*common(v, heat(v, v["temperature_e_int"], v["pump_power"])), *rest]


def rotating(v):
    h, _, ports = membrane(v)
    for k in range(3):
        h[k, k] -= v["frequency_m"]
    return h, mp.zeros(3), ports


def membrane(v):
    ge = mp.sqrt(v["cooperativity_e"] * (v["kappa_e_ext"] + v["kappa_e_int"]) * v["gamma_m"]) / 2
    go = v["g0_o"] * mp.sqrt(photons(v, "o", v["pump_power_o"], v["pump_detuning_o"]))
    h = mp.matrix(
        [[v["detuning_e"] + v["frequency_m"], 0, ge], [0, v["detuning_o"] - v["pump_detuning_o"], go], [ge, go, v["frequency_m"]]]
    )
    xi = mp.matrix([[0, 0, ge], [0, 0, go], [ge, go, 0]])
    hot = heat(v, v["temperature_m"], v["pump_power_o"])
    return h, xi, [*common(v, None), (2, v["gamma_m"], bose(v["frequency_m"], hot))]


def piezo(v):
    kappa_o = v["kappa_o_ext"] + v["kappa_o_int"]
    go = mp.sqrt(v["cooperativity"] * kappa_o * v["gamma_m"]) / 2
    delta = v.get("pump_detuning", -v["frequency_m"])
    power = (go / v["g0_o"]) ** 2 / photons(v, "o", 1, delta)
    h = mp.matrix([[v["detuning_e"], 0, v["g_pe"]], [0, v["detuning_o"] - delta - v["frequency_m"], go], [v["g_pe"], go, 0]])
    hot = heat(v, v["temperature_m"], power)
    return h, mp.zeros(3), [*common(v, None), (2, v["gamma_m"], bose(v["frequency_m"], hot))]


def counter_rotating(v):
    h, xi, ports = piezo(v)
    xi[1, 2] = xi[2, 1] = h[1, 2]
    return h + v["frequency_m"] * mp.eye(3), xi, ports


class Witness:
    """All figures of one sheet, 40 digits."""

    def __init__(self, build, values):
        h, xi, self.ports = build(values)
        n = h.rows
        active = any(x != 0 for x in xi)
        size = 2 * n if active else n
        self.n, self.a = n, mp.zeros(size)
        for i in range(n):
            damping = sum(rate for mode, rate, _ in self.ports if mode == i) / 2
            for j in range(n):
                self.a[i, j] = -1j * h[i, j] - (damping if i == j else 0)
                if active:
                    self.a[n + i, n + j] = 1j * h[i, j] - (damping if i == j else 0)
                    self.a[i, n + j], self.a[n + i, j] = -1j * xi[i, j], 1j * xi[i, j]

    def row(self, port, w):
        """(amplitudes from every row, y): y = e_mode sqrt(rate) (-i w - A)^{-1}."""
        mode, rate, _ = self.ports[port]
        unit = mp.zeros(self.a.rows, 1)
        unit[mode] = mp.sqrt(rate)
        return mp.lu_solve((-1j * w * mp.eye(self.a.rows) - self.a).T, unit)

    def power(self, w):
        return abs(self.row(2, w)[0]) ** 2 * self.ports[0][1]

    def slope(self, w):
        """d ln|S| / dw."""
        y = self.row(2, w)
        unit = mp.zeros(self.a.rows, 1)
        unit[0] = 1
        x = mp.lu_solve(-1j * w * mp.eye(self.a.rows) - self.a, unit)
        return mp.re(1j * sum(y[k] * x[k] for k in range(self.a.rows)) / y[0])

    def noise(self, port, y, skip=None):
        total = mp.mpf(0)
        for k, (mode, rate, n) in enumerate(self.ports):
            if k != skip:
                total += n * abs((1 if k == port else 0) - y[mode] * mp.sqrt(rate)) ** 2
            if self.a.rows > self.n:
                total += (n + 1) * rate * abs(y[self.n + mode]) ** 2
        return total

    def figures(self, near, digits=3):
        """In the order of ``FIGURES``, and the peak and the two edges: secants from near ones, known to so many digits of the width."""
        width = near[2] - near[1]
        reach, steps = width * mp.mpf(10) ** -digits, 8 if digits < 10 else 3

        def root(f, at):
            return mp.findroot(f, (at, at + reach), tol=mp.mpf(10) ** -60, maxsteps=steps, verify=False)

        w = root(lambda x: self.slope(x) * width, near[0])
        top = self.power(w)
        low, high = (root(lambda x: self.power(x) / top - mp.mpf(1) / 2, at) for at in near[1:])
        e, o = self.row(0, w), self.row(2, w)
        return [top, self.noise(2, o, 0) / top, self.noise(0, e, 2) / top, high - low, self.noise(0, e), self.noise(2, o)], [w, low, high]


RATES = {"kappa_e_ext": 5 * MHz, "kappa_e_int": 3 * MHz, "kappa_o_ext": 9 * MHz, "kappa_o_int": 4 * MHz, "mode_match": 0.7}
BATHS = {"frequency_e": 8 * GHz, "frequency_o": 193 * THz, "temperature": 70 * mK, "temperature_e_ext": 90 * mK}
BATHS |= {"n_o_ext": 0.02, "n_o_int": 0.05, "heating_exponent": 2.5, "absorbed_fraction": 0.8}
OFFSETS = {"detuning_e": 0.3 * MHz, "detuning_o": -0.4 * MHz}
SHEETS = {
    "electro-optic": (
        electro_optic,
        ElectroOptic,
        {"g0": 37 * Hz, "pump_power": 20 * mW, "pump_detuning": 2 * MHz, "temperature_e_int": 60 * mK, "heating_conductance": 22.0},
    ),
    "stokes": (
        stokes,
        ElectroOptic,
        {"g0": 37 * Hz, "pump_power": 20 * mW, "pump_detuning": 2 * MHz, "temperature_e_int": 60 * mK, "heating_conductance": 22.0}
        | {"kappa_p_ext": 6 * MHz, "kappa_p_int": 5 * MHz, "stokes": True, "g0_s": 20 * Hz, "kappa_s_ext": 7 * MHz, "kappa_s_int": 3 * MHz}
        | {"n_s": 0.01, "coupling_j": 4 * MHz, "kappa_d": 5 * MHz, "detuning_s": 0.6 * MHz, "detuning_d": -0.7 * MHz},
    ),
    "membrane, rotating-wave": (
        rotating,
        ElectroOptomechanical,
        {"frequency_m": 6 * MHz, "gamma_m": 0.02 * MHz, "g0_o": 40 * Hz, "cooperativity_e": 20.0, "pump_power_o": 5e-6}
        | {"pump_detuning_o": -5.5 * MHz, "temperature_m": 50 * mK, "heating_conductance": 0.05},
    ),
    "membrane, full": (
        membrane,
        ElectroOptomechanical,
        {"frequency_m": 6 * MHz, "gamma_m": 0.02 * MHz, "g0_o": 40 * Hz, "cooperativity_e": 20.0, "pump_power_o": 5e-6, "model": "full"}
        | {"pump_detuning_o": -5.5 * MHz, "temperature_m": 50 * mK, "heating_conductance": 0.05},
    ),
    "piezo": (
        piezo,
        PiezoOptomechanical,
        {"frequency_m": 3600 * MHz, "gamma_m": 1 * MHz, "g0_o": 0.4 * MHz, "g_pe": 1 * MHz, "cooperativity": 0.8}
        | {"temperature_m": 50 * mK, "heating_conductance": 22 * uW},
    ),
    "piezo, full": (
        counter_rotating,
        PiezoOptomechanical,
        {"frequency_m": 60 * MHz, "gamma_m": 1 * MHz, "g0_o": 0.4 * MHz, "g_pe": 1 * MHz, "cooperativity": 0.8, "model": "full"}
        | {"pump_detuning": -59.5 * MHz, "temperature_m": 50 * mK, "heating_conductance": 22 * uW},
    ),
}


def figures(it):
    """In the order of ``FIGURES``; and again, with the peak and the two edges."""
    band, up, down = it.band(), it.carrier(*UP), it.carrier(*DOWN)
    noises = [it.added_noise_input(*UP, omega=up), it.added_noise_input(*DOWN, omega=down)]
    back = [it.back_action_occupation(*UP, omega=up), it.back_action_occupation(*DOWN, omega=down)]
    answer = jnp.stack([it.efficiency(omega=up), *noises, band.fwhm, *back])
    return answer, (answer, up, band.low, band.high)


along = jax.jit(lambda it, direction: jax.jvp(figures, (it,), (direction,)))
backwards = jax.jit(jax.jacrev(figures, has_aux=True))


def values_and_slopes(it, forward):
    """The figures with their places, and their slopes by field; forwards along one field after the other, which compiles fastest."""
    names, still = [name for name, _, _ in parameters.walk(it)], jax.tree.map(jnp.zeros_like, it)
    if not forward:
        slopes, values = backwards(it)
        return values, {name: getattr(slopes, name) for name in names}
    found = [along(it, eqx.tree_at(lambda one, name=name: getattr(one, name), still, jnp.ones(()))) for name in names]
    return found[0][0][1], {name: slope for name, (_, (slope, _)) in zip(names, found, strict=True)}


@pytest.mark.parametrize("name", SHEETS)
def test_every_figure_with_respect_to_every_field(name):
    build, kind, own = SHEETS[name]
    it = kind(**RATES, **BATHS, **OFFSETS, **own)
    (values, *near), slopes = values_and_slopes(it, forward=name != "electro-optic")
    with mp.workdps(40):
        near = [mp.mpf(float(x)) for x in near]
        sheet = {field: mp.mpf(float(value)) for field, _, value in parameters.walk(it)}
        wanted, near = Witness(build, sheet).figures(near)
        np.testing.assert_allclose(values, [float(x) for x in wanted], rtol=CLOSED_FORM)
        for field, x in sheet.items():
            step = (x if x != 0 else mp.mpf(float(1 * MHz))) * mp.mpf(10) ** -13
            high, low = (Witness(build, sheet | {field: x + sign * step}).figures(near, 11)[0] for sign in (1, -1))
            truth = np.array([float((a - b) / (2 * step) * step * mp.mpf(10) ** 13 / c) for a, b, c in zip(high, low, wanted, strict=True)])
            found = np.asarray(slopes[field]) * float(step) * 1e13 / np.asarray(values)
            fault = np.abs(found - truth) / np.maximum(1.0, np.abs(truth))
            assert fault.max() < GRADIENT, (field, dict(zip(FIGURES, zip(found, truth, strict=True), strict=True)))
