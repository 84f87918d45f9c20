"""Which model when: the numbers of e08 against closed forms, brute force in numpy, and the orders that the page claims.

Each curve is five of its points. A membrane there has 4 C gamma_m / kappa = 4e-5, by which weak coupling's closed forms are off: ``WEAK``.
The stored errors are small differences with nine digits, and the time integration steps by what else it integrates: ``STORED``, ``STEPS``.
"""

import json
import pathlib
import re

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from experiments import e08_which_model as e08
from tests import ALGEBRA, CLOSED_FORM
from tests.link.test_cascade import of_network, series
from transduce.units import MHz

WEAK, STORED, STEPS = 1e-4, 1e-6, 1e-9
PAGE = pathlib.Path(e08.__file__).parent / "which_model.md"


@pytest.fixture(scope="module")
def found():
    return jax.tree.map(np.asarray, e08.compute(thin=10), is_leaf=lambda leaf: isinstance(leaf, list))


def test_the_figure_is_what_the_code_computes(found):
    stored = json.loads(e08.FIGURE.with_suffix(".json").read_text(encoding="utf-8"))
    stored = jax.tree.map(lambda leaf: np.asarray(leaf)[::10], stored, is_leaf=lambda leaf: isinstance(leaf, list))
    assert stored.keys() == found.keys()
    for name in stored.keys() - {"signed"}:  # those are rounding
        assert jax.tree.structure(stored[name]) == jax.tree.structure(found[name])
        for one, other in zip(jax.tree.leaves(found[name]), jax.tree.leaves(stored[name]), strict=True):
            np.testing.assert_allclose(one, other, rtol=STORED, atol=STEPS if name == "pulse" else 0.0)


UNEQUAL = tuple(np.array(x) for x in ([0.03, 0.1, 0.2, 0.3, 0.6], [0.06, 0.05, 0.1, 1.2, 0.3], [1.0, 2, 5, 10, 3], [2.0, 1, 20, 4, 3]))


def test_the_rotating_wave_in_closed_form():
    """Unequal cavities and cooperativities: Gamma^+ = Gamma^- x^2/(1 + x^2), and eta goes as 1/Gamma_T^2."""
    error = e08.rotating_wave(*UNEQUAL)
    res_e, res_o, c_e, c_o = UNEQUAL
    heating_e, heating_o = (c / (1 + (4 / res) ** 2) for c, res in ((c_e, res_e), (c_o, res_o)))
    kept = 1 - (heating_e + heating_o) / (1 + c_e + c_o)
    np.testing.assert_allclose(error["efficiency"], kept**2 - 1, rtol=WEAK)
    np.testing.assert_allclose(error["noise"], (heating_e + heating_o) / (e08.ESCAPE * c_e), rtol=WEAK)


def test_the_rotating_wave_to_leading_order():
    error, leading = e08.rotating_wave(*UNEQUAL), e08.rotating_wave_leading(*UNEQUAL)
    next_order = (np.maximum(*UNEQUAL[:2]) / 4) ** 2
    for name in ("efficiency", "noise"):
        assert np.all(np.abs(error[name] / leading[name] - 1) < 1.5 * next_order + WEAK)


RATIOS = tuple(np.array(x) for x in ([1e-3, 5e-3, 0.02, 0.05, 0.1], [0.25, 0.1, 0.6, 0.4, 0.25], [0.1, 1.0, 0.02, 0.3, 0.5]))


def three_modes(ratio: float, c: float, loss: float) -> tuple[float, float]:
    """Efficiency at its maximum and noise there per n_m, kappa = 1, from the inverse of a 3 x 3 matrix."""
    eta, shift = e08.ESCAPE, np.sqrt(c) / 2
    g = np.sqrt(shift / ratio)

    def to_optics(w: float) -> np.ndarray:
        h = np.array([[0, 0, g], [0, 0, g], [g, g, -1 / ratio]]) - 0.5j * np.diag([1, 1, loss]) - (shift + w) * np.eye(3)
        return np.abs(np.linalg.inv(h)[1]) ** 2 * eta

    best = minimize_scalar(lambda w: -to_optics(w)[0], bounds=(-0.2, 0.2), method="bounded", options={"xatol": 1e-9})
    from_e, _, from_m = to_optics(best.x)
    return eta * from_e, loss * from_m / (eta * from_e)


def test_the_elimination_of_the_mechanics():
    """eta_e eta_o 4C/(1 + C)^2 against three modes by brute force; to leading order, off by the next."""
    error, leading = e08.eliminated(*RATIOS), e08.eliminated_leading(*RATIOS)
    efficiency, noise = np.array([three_modes(*lane) for lane in zip(*RATIOS, strict=True)]).T
    simple = e08.ESCAPE**2 * 4 * RATIOS[1] / (1 + RATIOS[1]) ** 2
    np.testing.assert_allclose(1 + error["efficiency"], simple / efficiency, rtol=CLOSED_FORM)
    np.testing.assert_allclose(error["noise"], noise, rtol=1e-6)  # where the maximum is, is known to the root of rounding
    for name in ("efficiency", "noise"):
        assert np.all(np.abs(error[name] / leading[name] - 1) < 3 * RATIOS[0])


def test_the_carrier_for_the_packet(found):
    curve = found["carrier"]
    ratio = curve["bandwidth_over_linewidth"]
    np.testing.assert_allclose(curve["error"], curve["closed"], rtol=WEAK)
    omega, weight = np.polynomial.hermite.hermgauss(200)  # Gaussian weight: it knows nothing of Voigt
    for b, error in zip(ratio[:3], curve["error"][:3], strict=True):
        average = weight @ (1 / (1 + (omega * b) ** 2 / np.log(2))) / np.sqrt(np.pi)
        assert error == pytest.approx(1 / average - 1, rel=WEAK)
    assert np.all(np.abs(curve["error"] / curve["leading"] - 1)[:3] < 1.5 * ratio[:3] ** 2 + WEAK)
    np.testing.assert_allclose(curve["leading"], ratio**2 / (2 * np.log(2)), rtol=ALGEBRA)


def test_a_pump_that_never_ends_is_the_continuous_one():
    for ratio in e08.PULSED_RATIOS:
        assert e08.pulsed(np.array([np.inf]), ratio)[0] == pytest.approx(float(e08.continuous(np.asarray(ratio))), rel=CLOSED_FORM)


def test_a_slow_photon_loses_what_lies_outside_of_the_pulse():
    """erfc(T / 2 sqrt 2 s), but for the order B / bandwidth: half of it at half the photon's bandwidth."""
    lengths = np.array([2.0, 4.0, 6.0])
    off = [e08.cut(lengths, ratio) / e08.erfc(lengths / 8**0.5) - 1 for ratio in (0.02, 0.01)]
    assert np.all(np.abs(off[0]) < 0.06)
    np.testing.assert_allclose(off[1] / off[0], 0.5, atol=0.05)  # the order after that, times 0.02


def test_the_image_band_in_closed_form(found):
    """gamma_m is 1e-8 of omega_m, and the microwave side x^2 = 6e-6 of its own: the closed form is good to a millionth."""
    curve = found["image"]
    closed, r = curve["closed_form"], curve["amplitude"]
    np.testing.assert_allclose(r, closed["amplitude"], rtol=1e-6)
    np.testing.assert_allclose(curve["efficiency"], closed["closed"], rtol=1e-6)
    x = curve["kappa_o_over_omega_m"] / 4
    np.testing.assert_allclose(closed["closed"], 1 / np.abs(1 + (x / (1 + 1j * x)) ** 2) ** 2 - 1, rtol=CLOSED_FORM)
    assert np.all(np.abs(curve["efficiency"] / closed["leading"] - 1) < 4 * r**2 + 1e-6)
    assert np.all(curve["noise"] < 0) and np.all(curve["fidelity"] > 0)


def membrane_network(resolution: float, order: tuple[int, int]) -> tuple:
    """(Omega, Xi, C, n) of e08's membrane for this panel, omega_m = 1; ports in, its loss, out, its loss, mechanics."""
    kappa, gamma = np.array([0.01, resolution]), 1e-6 * min(0.01, resolution)
    couplings, ports = np.zeros((3, 3), complex), np.zeros((5, 3), complex)
    couplings[2, :2] = couplings[:2, 2] = np.sqrt(20 * kappa * gamma) / 2
    for k, (mode, share) in enumerate((mode, share) for mode in order for share in (0.8, 0.2)):
        ports[k, mode] = np.sqrt(share * kappa[mode])
    ports[4, 2] = np.sqrt(gamma)
    return couplings + np.eye(3), couplings, ports, np.array([0, 0, 0, 0, 2.0])


def test_the_image_band_as_one_network(found):
    """Efficiency and noise by the SLH series product: the coherent row is the brighter and the noisier."""
    k = 3
    resolution = found["image"]["kappa_o_over_omega_m"][k]
    up, down = (membrane_network(resolution, order) for order in ((0, 1), (1, 0)))
    w = float(e08.membrane(0.01, resolution, 20.0, 20.0).carrier() / MHz)
    (u1, v1, n1, _), (u2, v2, n2, _), (u, v, n, _) = (of_network(series(row), w) for row in ([up], [down], [up, down]))
    coherent = abs(u) ** 2, (n + abs(v) ** 2) / abs(u) ** 2
    filtered = abs(u1 * u2) ** 2, ((n1 + abs(v1) ** 2) * abs(u2) ** 2 + n2 + abs(v2) ** 2) / abs(u1 * u2) ** 2
    for name, one, other in zip(("efficiency", "noise"), filtered, coherent, strict=True):
        assert found["image"][name][k] == pytest.approx(one / other - 1, rel=1e-6)  # a narrow photon for the carrier


def test_the_signed_basis_is_the_doubled_one(found):
    for name in e08.signed_devices():
        assert np.max(found["signed"][name]) < 1e-14


def test_the_thresholds_of_the_page_are_those_of_the_figure():
    """The ratio at which the simpler efficiency is off by 1 %, from the formulas in reverse and from the stored curves."""
    page = PAGE.read_text(encoding="utf-8")
    quoted = {name: float(value) for name, value in re.findall(r"`(\S+) < ([0-9.]+)` for 1 %", page)}
    stored = json.loads(e08.FIGURE.with_suffix(".json").read_text(encoding="utf-8"))
    curves = {
        "kappa/omega_m": ("rotating_wave", "kappa_over_omega_m", "efficiency"),
        "kappa/Delta": ("two_modes", "kappa_over_delta", "efficiency"),
        "B/Gamma": ("carrier", "bandwidth_over_linewidth", "error"),
        "kappa_o/omega_m": ("image", "kappa_o_over_omega_m", "efficiency"),
    }
    assert quoted.keys() == curves.keys()
    for name, (panel, ratio, error) in curves.items():
        crossed = np.interp(np.log(0.01), np.log(np.abs(stored[panel][error][:30])), np.log(stored[panel][ratio][:30]))
        assert quoted[name] == pytest.approx(np.exp(crossed), rel=0.05)
    assert e08.erfc(5.2 / 8**0.5) < 0.01 < e08.erfc(5.1 / 8**0.5)
    pulse = stored["pulse"]
    assert np.interp(7, pulse["length_over_deviation"], pulse["0.5"]) == pytest.approx(-0.01, rel=0.2)
    assert max(stored["image"]["fidelity"]) == pytest.approx(0.034, rel=0.02)
