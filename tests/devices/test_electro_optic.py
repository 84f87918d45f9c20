"""ElectroOptic against every closed form of the red, Stokes and blue pump, published numbers, and faults found in peers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from transduce.devices.electro_optic import ElectroOptic
from transduce.linear.system import UnstableError
from transduce.numerics import bose
from transduce.units import GHz, Hz, MHz, THz, W, hbar, mK

UP, DOWN = ("microwave", "optical"), ("optical", "microwave")
CENTRE = jnp.zeros(())
BATHS = {"n_e_ext": 0.1, "n_e_int": 0.4, "n_o_ext": 0.03, "n_o_int": 0.02}


def device(c=0.4, ka=1.0 * MHz, kb=0.3 * MHz, ea=0.8, eb=0.6, **given):
    """a is optical, b microwave."""
    rates = {"kappa_o_ext": ea * ka, "kappa_o_int": (1 - ea) * ka, "kappa_e_ext": eb * kb, "kappa_e_int": (1 - eb) * kb}
    return ElectroOptic(**(rates | {"cooperativity": c} | given))


POINTS = [(0.05, 0.8, 0.6), (1.0, 0.55, 0.9), (32.0, 0.7, 0.5)]


@pytest.mark.parametrize(("c", "ea", "eb"), POINTS)
def test_red_on_resonance(c, ea, eb):
    it = device(c, ea=ea, eb=eb, **BATHS)
    for ends in (UP, DOWN):
        np.testing.assert_allclose(it.efficiency(*ends, omega=CENTRE), ea * eb * 4 * c / (1 + c) ** 2, rtol=CLOSED_FORM)
        np.testing.assert_allclose(it.efficiency_internal(*ends, omega=CENTRE), 4 * c / (1 + c) ** 2, rtol=CLOSED_FORM)
    nbe, nbi, nae, nai = BATHS.values()
    up = (1 - eb) * nbi / eb + (nae * (1 + c - 2 * ea) ** 2 + 4 * ea * (1 - ea) * nai) / (4 * ea * eb * c)
    down = (nbe * (1 + c - 2 * eb) ** 2 + 4 * eb * (1 - eb) * nbi) / (4 * ea * eb * c) + (1 - ea) / ea * nai
    np.testing.assert_allclose(it.added_noise_input(*UP, omega=CENTRE), up, rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.added_noise_input(*DOWN, omega=CENTRE), down, rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.cooperativities()["microwave-optical"], c, rtol=ALGEBRA)
    # What returns to the microwave line: its own reflection, its losses, and light converted down.
    into = [abs(1 - 2 * eb / (1 + c)) ** 2, 4 * eb * (1 - eb) / (1 + c) ** 2]
    light = 4 * c * eb / (1 + c) ** 2 * (ea * nae + (1 - ea) * nai)
    np.testing.assert_allclose(it.back_action_occupation(omega=CENTRE), into[0] * nbe + into[1] * nbi + light, rtol=CLOSED_FORM)


def test_red_at_any_frequency_and_detuning():
    it = device(2.0, detuning_e=0.4 * MHz, detuning_o=-0.7 * MHz)
    g = it.drives()["optical"].coupling
    for w in np.array([-0.9, 0.0, 0.35]) * MHz:
        ka, kb = 1.0 * MHz, 0.3 * MHz
        s = 1j * g * np.sqrt(0.8 * ka * 0.6 * kb) / ((ka / 2 + 1j * (-0.7 * MHz - w)) * (kb / 2 + 1j * (0.4 * MHz - w)) + g**2)
        row = it.linear_system().row("optical", w)
        np.testing.assert_allclose(row.normal[it.linear_system().index("microwave")], s, rtol=CLOSED_FORM)
    # With cold optics the added noise up is (1 - eb) n / eb at any frequency.
    cold = device(2.0, n_e_int=0.4, n_e_ext=3.0)
    for w in (0.0, 0.8 * MHz):
        np.testing.assert_allclose(cold.added_noise_input(*UP, omega=jnp.asarray(w)), 0.4 * 0.4 / 0.6, rtol=CLOSED_FORM)


def test_the_bandwidth_and_the_splitting():
    ka, kb = 1.0 * MHz, 0.3 * MHz
    threshold = np.sqrt((ka**2 + kb**2) / 8)
    for g in np.array([0.1, 0.9, 1.1]) * threshold:
        c = 4 * g**2 / (ka * kb)
        it = device(c)
        d0, q, x0, sigma = ka * kb * (1 + c) / 4, (ka**2 + kb**2) / 4 - 2 * g**2, g**2 - threshold**2, (ka + kb) / 2
        if x0 < 0:
            fwhm = 2 * np.sqrt((-q + np.sqrt(q**2 + 4 * d0**2)) / 2)
            np.testing.assert_allclose(it.carrier(), 0.0, atol=1e-9 * ka)
        else:
            fwhm = 2 * np.sqrt(x0 + np.sqrt(sigma**2 * (d0 - sigma**2 / 4)))
            np.testing.assert_allclose(it.carrier(), np.sqrt(x0), rtol=CLOSED_FORM)
        np.testing.assert_allclose(it.bandwidth_fwhm(), fwhm, rtol=CLOSED_FORM)


@pytest.mark.parametrize("j", [0.0, 0.2, 4.0])
def test_stokes(j):
    ka, kb, ks, kd, ea, eb, c, raw, ns = 1.0 * MHz, 0.7 * MHz, 0.8 * MHz, 0.5 * MHz, 0.7, 0.6, 0.7, 0.5, 0.3
    it = device(
        c, ka, kb, ea, eb, **BATHS, stokes=True, g_s=np.sqrt(raw * kb * ks) / 2, kappa_s_ext=0.6 * ks, kappa_s_int=0.4 * ks,
        kappa_d=kd, coupling_j=j * MHz, n_s=ns,
    )  # fmt: skip
    cs = raw / (1 + 4 * (j * MHz) ** 2 / (ks * kd))
    d, (nbe, nbi, nae, nai) = 1 + c - cs, BATHS.values()
    np.testing.assert_allclose(it.efficiency(omega=CENTRE), ea * eb * 4 * c / d**2, rtol=CLOSED_FORM)
    light = nae * (d - 2 * ea * (1 - cs)) ** 2 + 4 * ea * (1 - ea) * (1 - cs) ** 2 * nai
    up = ((1 - eb) * nbi + cs * (ns + 1)) / eb + light / (4 * ea * eb * c)
    down = (nbe * (d - 2 * eb) ** 2 + 4 * eb * (1 - eb) * nbi + 4 * eb * cs * (ns + 1)) / (4 * ea * eb * c) + (1 - ea) / ea * nai
    np.testing.assert_allclose(it.added_noise_input(*UP, omega=CENTRE), up, rtol=CLOSED_FORM)
    np.testing.assert_allclose(it.added_noise_input(*DOWN, omega=CENTRE), down, rtol=CLOSED_FORM)
    # The coupling per pump photon makes the same device.
    g = it.drives()["optical"].coupling
    other = device(
        None, ka, kb, ea, eb, g0=g / 100, pump_photons=1e4, stokes=True, g0_s=it.g_s / 100, kappa_s_ext=0.6 * ks, kappa_s_int=0.4 * ks,
        kappa_d=kd, coupling_j=j * MHz,
    )  # fmt: skip
    np.testing.assert_allclose(other.efficiency(omega=CENTRE), ea * eb * 4 * c / d**2, rtol=CLOSED_FORM)


def test_stokes_detuned():
    ka, kb, ks, kd, j = 1.0 * MHz, 0.7 * MHz, 0.8 * MHz, 0.5 * MHz, 0.3 * MHz
    da, db, ds, dd, w = 0.2 * MHz, -0.1 * MHz, 0.4 * MHz, -0.3 * MHz, 0.15 * MHz
    it = device(
        0.7, ka, kb, 0.7, 0.6, stokes=True, g_s=0.2 * MHz, kappa_s_ext=0.6 * ks, kappa_s_int=0.4 * ks, kappa_d=kd, coupling_j=j,
        detuning_o=da, detuning_e=db, detuning_s=ds, detuning_d=dd,
    )  # fmt: skip
    g, gs = it.drives()["optical"].coupling, 0.2 * MHz
    xa = 1 / (ka / 2 + 1j * (da - w))
    xs = 1 / (ks / 2 - 1j * (ds + w) + j**2 / (kd / 2 - 1j * (dd + w)))
    s = g * np.sqrt(0.7 * ka * 0.6 * kb) * xa / (kb / 2 + 1j * (db - w) + g**2 * xa - gs**2 * xs)
    np.testing.assert_allclose(it.efficiency(omega=jnp.asarray(w)), abs(s) ** 2, rtol=CLOSED_FORM)


def test_the_baths_of_waveguide_and_losses_are_apart():
    """The waveguide's bath comes down as (1 + C - 2 eb)^2 / (4 ea eb C), the losses' as (1 - eb) / (ea C); up comes only the second."""
    c, ea, eb, hot = 0.3, 0.8, 0.6, {"temperature_e_ext": 0.5, "temperature_e_int": 0.2}
    n = {name: float(bose(5 * GHz, kelvin)) for name, kelvin in hot.items()}
    own = {"temperature_e_ext": (0.0, (1 + c - 2 * eb) ** 2 / (4 * ea * eb * c)), "temperature_e_int": ((1 - eb) / eb, (1 - eb) / (ea * c))}
    for names in (["temperature_e_ext"], ["temperature_e_int"], list(hot)):
        it = device(c, **{name: hot[name] for name in names})
        for which, ends in enumerate((UP, DOWN)):
            wanted = sum(own[name][which] * n[name] for name in names)
            np.testing.assert_allclose(it.added_noise_input(*ends, omega=CENTRE), wanted, rtol=CLOSED_FORM, atol=1e-300)


@pytest.mark.parametrize("j", [0.0, 0.3, 5.0])
def test_a_partner_loads_the_optical_mode(j):
    ka, kb, kx, ea, eb, c = 1.0 * MHz, 0.3 * MHz, 0.4 * MHz, 0.8, 0.6, 0.7
    it = device(c, ka, kb, ea, eb, coupling_x=j * MHz, kappa_x=kx, n_o_int=0.02)
    cx = 4 * (j * MHz) ** 2 / (ka * kx)
    np.testing.assert_allclose(it.efficiency(omega=CENTRE), ea * eb * 4 * c / (1 + c + cx) ** 2, rtol=CLOSED_FORM)
    # Both losses of the light come down: a's own, and x's by way of J.
    np.testing.assert_allclose(it.added_noise_input(*DOWN, omega=CENTRE), 0.02 * ((1 - ea) + cx) / ea, rtol=CLOSED_FORM)
    # At any frequency and detuning: x is one more self-energy of a.
    da, dx, w = 0.2 * MHz, -0.4 * MHz, 0.15 * MHz
    it = device(c, ka, kb, ea, eb, coupling_x=j * MHz, kappa_x=kx, detuning_o=da, detuning_x=dx)
    g = it.drives()["optical"].coupling
    a = ka / 2 + 1j * (da - w) + (j * MHz) ** 2 / (kx / 2 + 1j * (dx - w))
    s = g * np.sqrt(ea * ka * eb * kb) / (a * (kb / 2 - 1j * w) + g**2)
    np.testing.assert_allclose(it.efficiency(omega=jnp.asarray(w)), abs(s) ** 2, rtol=CLOSED_FORM)


def test_far_split_modes_are_two_of_half_the_cooperativity_and_share_their_decay():
    """The lower one at the signal: g / sqrt 2, half of every rate of a and x; what the upper one adds falls as (kappa / J)^2."""
    ka, kx, c, j = 1.0 * MHz, 0.4 * MHz, 0.7, 1e6 * MHz
    split = device(c, ka, coupling_x=j, kappa_x=kx, detuning_o=j, detuning_x=j)
    lower = {"kappa_o_ext": 0.4 * ka, "kappa_o_int": 0.1 * ka + 0.5 * kx}
    one = device(c * ka / (ka + kx), **lower)
    np.testing.assert_allclose(split.efficiency(omega=CENTRE), one.efficiency(omega=CENTRE), rtol=CLOSED_FORM)


def test_a_partner_of_a_blue_pump():
    """The same self-energy, conjugated on the side of the microwave: gain is lowered by 1 + C_x."""
    it = device(0.5, pump="blue", coupling_x=0.2 * MHz, kappa_x=0.4 * MHz)
    cx = 4 * 0.2**2 / 0.4
    pairs = it.linear_system().pair_moments(*UP, CENTRE)
    np.testing.assert_allclose(pairs.first, 4 * 0.5 * 0.6 * (1 + cx) / (1 + cx - 0.5) ** 2, rtol=CLOSED_FORM)


@pytest.mark.parametrize("pump", ["red", "blue"])
def test_phase_matching_moves_the_optical_mode(pump):
    """Absolute frequencies: the mode m FSR beside the pumped one, asked at the laser plus or minus the microwave."""
    m, fsr, microwave, off, own = 2, 4 * GHz + 0.1 * MHz, 8 * GHz, 0.05 * MHz, 0.03 * MHz
    it = device(0.4, pump=pump, frequency_e=microwave, free_spectral_range=fsr, azimuthal_number=m, pump_detuning=off, detuning_o=own)
    np.testing.assert_allclose(it.phase_matching_detuning, 0.2 * MHz, rtol=1e-8)  # a difference of GHz: nine digits of it are left
    sign = 1 if pump == "red" else -1
    cavity, laser = sign * m * fsr + own, off + sign * microwave
    np.testing.assert_allclose(it.linear_system().detuning[1], cavity - laser, rtol=1e-8)
    np.testing.assert_allclose(device().phase_matching_detuning, 0.0)
    stokes = {"stokes": True, "g_s": 0.01 * MHz, "kappa_s_ext": MHz, "kappa_s_int": MHz, "kappa_d": MHz, "detuning_s": own}
    if pump == "red":
        below = device(0.4, frequency_e=microwave, free_spectral_range=fsr, azimuthal_number=m, pump_detuning=off, **stokes)
        np.testing.assert_allclose(below.linear_system().detuning[2], (own - m * fsr) - (off - microwave), rtol=1e-8)


# A pump that the signal depletes.


def pumped(c0, offset=0.0, **given):
    """A red pump of 400 photons at cooperativity c0, with a pumped mode of its own."""
    g0 = np.sqrt(c0 * 0.3 / 400) / 2 * MHz
    own = {"g0": g0, "pump_photons": 400.0, "kappa_p_ext": 0.5 * MHz, "kappa_p_int": 0.2 * MHz, "pump_detuning": offset}
    return device(None, **own, **given), g0


def flux_for(c0, gamma):
    """The signal flux at which conversion without depletion of C would add gamma kappa_p to the pump's decay."""
    g0 = np.sqrt(c0 * 0.3 / 400) / 2 * MHz
    return gamma * 0.7 * MHz * MHz / (4 * g0**2) * (0.3 * MHz) ** 2 / (4 * 0.6 * 0.3 * MHz)


@pytest.mark.parametrize(("c0", "gamma", "offset"), [(0.4, 2.0, 0.0), (3.0, 0.5, 0.3)])
def test_depletion_is_where_the_mean_fields_settle(c0, gamma, offset):
    """The three equations of motion, run to their end; and each photon that the pump loses is one of light that decays."""
    it, g0 = pumped(c0, offset * MHz)
    flux = flux_for(c0, gamma)
    g, ka, kb, kp, d = g0 / MHz, 1.0, 0.3, 0.7, offset
    drive, signal = 20 * (kp / 2 - 1j * d), np.sqrt(0.6 * kb * flux / MHz)

    def motion(_, fields):
        a, b, p = fields
        return [
            -ka / 2 * a - 1j * g * b * p,
            -kb / 2 * b - 1j * g * np.conj(p) * a + signal,
            (1j * d - kp / 2) * p - 1j * g * np.conj(b) * a + drive,
        ]

    a, _, p = solve_ivp(motion, (0, 400), [0j, 0j, 20 + 0j], method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    found = it.depletion(flux)
    np.testing.assert_allclose(found.photons, abs(p) ** 2, rtol=CLOSED_FORM)
    np.testing.assert_allclose(found.fraction, 1 - abs(p) ** 2 / 400, rtol=CLOSED_FORM)
    np.testing.assert_allclose(found.decay / MHz * found.photons, ka * abs(a) ** 2, rtol=CLOSED_FORM)
    np.testing.assert_allclose(found.cooperativity, c0 * abs(p) ** 2 / 400, rtol=CLOSED_FORM)
    # The light that leaves per photon of the signal is the efficiency at this cooperativity.
    one = device(float(found.cooperativity)).efficiency(omega=CENTRE)
    np.testing.assert_allclose(0.8 * ka * abs(a) ** 2 / (flux / MHz), one, rtol=CLOSED_FORM)


def test_depletion_stays_on_the_branch_of_a_weak_signal_and_has_its_slope():
    """At C = 20 there may be three steady states; with y^2 = x they are roots of y ((1 + C y^2)^2 + gamma) = (1 + C y^2)^2."""
    c0 = 20.0
    it, _ = pumped(c0)

    def roots(gamma):
        found = np.roots([c0**2, -(c0**2), 2 * c0, -2 * c0, 1 + gamma, -1])
        return np.sort(found[abs(found.imag) < 1e-9].real)

    fractions, slopes = jax.jit(jax.vmap(jax.value_and_grad(lambda flux: it.depletion(flux).fraction)))(
        jnp.asarray([flux_for(c0, gamma) for gamma in GAMMAS])
    )
    assert [len(roots(gamma)) for gamma in GAMMAS] == [1, 1, 3, 1]
    for gamma, fraction, slope in zip(GAMMAS, fractions, slopes, strict=True):
        np.testing.assert_allclose(fraction, 1 - roots(gamma)[-1] ** 2, rtol=CLOSED_FORM, atol=CLOSED_FORM)
        # along the root, dx / dgamma = -2 y dF/dgamma / (dF/dy) for F = y (q^2 + gamma) - q^2, q = 1 + C y^2
        y = roots(gamma)[-1]
        q = 1 + c0 * y**2
        truth = 2 * y * y / (q**2 + gamma + 4 * c0 * y * q * (y - 1))
        np.testing.assert_allclose(slope * flux_for(c0, 1.0), truth, rtol=GRADIENT)
    # A weak signal: 8 g0^2 n_e / (kappa_o kappa_p) / (1 + C)^2 of the photons, to first order, with every digit.
    np.testing.assert_allclose(it.depletion(flux_for(c0, 1e-12)).fraction, 2e-12 / 21**2, rtol=CLOSED_FORM)


GAMMAS = (0.0, 5.0, 40.0, 200.0)


@pytest.mark.parametrize("c", [0.1, 0.5, 0.95, 0.9999])
def test_blue_pairs(c):
    ea, eb, d = 0.9, 0.7, 1 - c
    pairs = device(c, ea=ea, eb=eb, pump="blue").linear_system().pair_moments(*UP, CENTRE)
    # Near threshold the moments carry the rounding of 1 - C twice.
    close = max(CLOSED_FORM, 1e-14 / d**2)
    na, nb, m = 4 * c * ea / d**2, 4 * c * eb / d**2, 2 * np.sqrt(ea * eb * c) * (1 + c) / d**2
    np.testing.assert_allclose([pairs.second, pairs.first, abs(pairs.correlation)], [na, nb, m], rtol=close)
    same = device(c, ea=0.8, eb=0.8, pump="blue").linear_system().pair_moments(*UP, CENTRE)
    nu = 1 - 4 * 0.8 * np.sqrt(c) / (1 + np.sqrt(c)) ** 2
    # N and M grow as 1 / d^2 while nu_- stays: what is left of sixteen digits is 1e-16 / d^2 of N.
    np.testing.assert_allclose(same.smallest_symplectic_eigenvalue(), nu, rtol=max(CLOSED_FORM, 1e-14 / d**2))
    np.testing.assert_allclose(same.logarithmic_negativity(), -np.log2(nu), rtol=max(CLOSED_FORM, 1e-14 / d**2))


@pytest.mark.parametrize(("c", "nbe", "nbi"), [(0.3, 0.05, 0.2), (0.95, 0.05, 0.2), (0.3, 40.0, 0.0)])
def test_blue_pairs_of_a_warm_microwave(c, nbe, nbi):
    ea, eb, d = 0.9, 0.7, 1 - c
    pairs = device(c, ea=ea, eb=eb, pump="blue", n_e_ext=nbe, n_e_int=nbi).linear_system().pair_moments(*UP, CENTRE)
    na = 4 * c * ea * (1 + eb * nbe + (1 - eb) * nbi) / d**2
    nb = nbe * (1 - 2 * eb / d) ** 2 + 4 * eb * ((1 - eb) * nbi + c) / d**2
    m = 2 * np.sqrt(ea * eb * c) / d * ((1 + c) / d + (2 * eb / d - 1) * nbe + 2 * (1 - eb) * nbi / d)
    np.testing.assert_allclose([pairs.second, pairs.first, abs(pairs.correlation)], [na, nb, abs(m)], rtol=CLOSED_FORM)


UNSTABLE = {
    "efficiency": lambda it: it.efficiency(),
    "efficiency_internal": lambda it: it.efficiency_internal(),
    "band": lambda it: it.band(),
    "bandwidth_fwhm": lambda it: it.bandwidth_fwhm(),
    "added_noise_input": lambda it: it.added_noise_input(),
    "back_action_occupation": lambda it: it.back_action_occupation(),
    "carrier": lambda it: it.carrier(),
}


@pytest.mark.parametrize("name", UNSTABLE)
def test_above_threshold_every_answer_is_refused(name):
    it = device(9.0, pump="blue")
    assert not it.is_stable() and it.stability_margin() < 0
    with pytest.raises(UnstableError):
        UNSTABLE[name](it)


def test_in_a_batch_the_unstable_lane_is_counted():
    @eqx.filter_jit
    @jax.vmap
    def figures(c):
        it = device(c, pump="blue")
        return jnp.stack([it.efficiency(), it.bandwidth_fwhm(), it.back_action_occupation()])

    good, bad = figures(jnp.array([0.1, 0.5, 0.7])), figures(jnp.array([0.1, 1.5, 0.7]))
    assert np.isnan(bad[1]).all() and np.isnan(bad).any(axis=1).sum() == 1
    assert np.array_equal(good[::2], bad[::2])


def test_pump_photons():
    rates = {"kappa_o_ext": 15 * MHz, "kappa_o_int": 11 * MHz, "kappa_e_ext": 1 * MHz, "kappa_e_int": 1 * MHz}
    it = ElectroOptic(**rates, g0=37 * Hz, pump_power=0.1 * W, pump_detuning=5 * MHz, mode_match=0.6, frequency_o=193 * THz)
    pump = it.drives()["optical"]
    photons = 15 * MHz * 0.1 / (hbar * 193 * THz) / ((13 * MHz) ** 2 + (5 * MHz) ** 2)  # the mode match is not in it
    np.testing.assert_allclose([pump.photons, pump.coupling], [photons, np.sqrt(photons) * 37 * Hz], rtol=ALGEBRA)
    pumped = ElectroOptic(**rates, g0=37 * Hz, pump_power=0.1 * W, kappa_p_ext=2 * MHz, kappa_p_int=4 * MHz, frequency_o=193 * THz)
    photons = 2 * MHz * 0.1 / (hbar * 193 * THz) / (3 * MHz) ** 2
    np.testing.assert_allclose(pumped.drives()["optical"].photons, photons, rtol=ALGEBRA)
    np.testing.assert_allclose(
        pumped.cooperativities()["microwave-optical"], 4 * photons * (37 * Hz) ** 2 / (26 * 2 * MHz**2), rtol=ALGEBRA
    )
    # Stated the other ways round, it is the same pump.
    for given in ({"pump_photons": pump.photons}, {"cooperativity": it.cooperativities()["microwave-optical"]}):
        again = ElectroOptic(**rates, g0=37 * Hz, pump_detuning=5 * MHz, frequency_o=193 * THz, **given).drives()["optical"]
        np.testing.assert_allclose([again.coupling, again.power, again.photons], [pump.coupling, 0.1, pump.photons], rtol=ALGEBRA)
    stated = ElectroOptic(**rates, cooperativity=0.5, g0=37 * Hz, kappa_p_ext=2 * MHz, kappa_p_int=4 * MHz)
    np.testing.assert_allclose(stated.cooperativities()["microwave-optical"], 0.5, rtol=ALGEBRA)


def sahu(cooperativity, **given):
    """Sahu et al. 2022; every rate from the reported totals and escape efficiencies."""
    rates = {"kappa_e_ext": 5.63 * MHz, "kappa_e_int": 8.1 * MHz, "kappa_o_ext": 14.91 * MHz, "kappa_o_int": 10.8 * MHz}
    sheet = rates | {"frequency_e": 8.795 * GHz, "mode_match": 0.608, "g0": 37 * Hz, "temperature": 60 * mK} | given
    return ElectroOptic(**sheet, cooperativity=cooperativity)


def cooperativity_at(efficiency):
    """The lower root of eta = eta_e eta_o M 4 C / (1 + C)^2."""
    x = efficiency / (5.63 / 13.73 * 0.608 * 14.91 / 25.71)
    return (2 - x - 2 * np.sqrt(1 - x)) / x


def test_heating_tells_the_reported_noise():
    low, high = cooperativity_at(0.087), 0.868  # the second where the internal efficiency is 0.995
    for c, noise in ((low, 0.159), (high, 0.421)):
        it = sahu(c, heating_conductance=22.0)
        np.testing.assert_allclose(it.added_noise_input(omega=CENTRE), noise, rtol=5e-3)  # as quoted, to three digits
        power = it.drives()["optical"].power
        kelvin = (0.06**3 + power / 22.0) ** (1 / 3)
        np.testing.assert_allclose(it.bath_temperature("e_int", power), kelvin, rtol=ALGEBRA)
        np.testing.assert_allclose(it.bath_temperature("e_ext"), 0.06, rtol=ALGEBRA)
    np.testing.assert_allclose(sahu(low).added_noise_input(omega=CENTRE), 0.0013, atol=1e-4)
    np.testing.assert_allclose(sahu(low).efficiency(omega=CENTRE), 0.087, rtol=CLOSED_FORM)


def test_the_mode_match_is_a_ceiling():
    best = sahu(1.0)
    ceiling = 5.63 / 13.73 * 0.608 * 14.91 / 25.71
    np.testing.assert_allclose(best.efficiency(omega=CENTRE), ceiling, rtol=CLOSED_FORM)
    np.testing.assert_allclose(best.efficiency_internal(omega=CENTRE), 1.0, rtol=CLOSED_FORM)
    np.testing.assert_allclose(sahu(0.868).efficiency(omega=CENTRE), 0.15, rtol=0.05)  # reported; the square of Lambda is inferred


def test_faults_of_peers():
    it = device(0.05, ka=1 * MHz, kb=1 * MHz, ea=0.8, eb=0.6, n_e_int=0.05)
    np.testing.assert_allclose(it.added_noise_input(), 0.05 * 0.4 / 0.6, rtol=CLOSED_FORM)  # 0.0333, not 4.77
    ratio = 1.05 * MHz / it.bandwidth_fwhm()  # (1 + C) kappa is too wide
    assert 1.4 < ratio < 1.7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pump": "green"}, 'ElectroOptic.pump must be "red" or "blue", but is \'green\''),
        ({"pump_power": 1.0}, "ElectroOptic must have exactly one of pump_power, pump_photons, cooperativity, but has pump_power, coop"),
        ({"cooperativity": None}, "must have exactly one of pump_power, pump_photons, cooperativity, but has none"),
        ({"cooperativity": None, "pump_power": 1.0}, "ElectroOptic.g0 must be given: the pump's photons make the coupling"),
        ({"heating_conductance": 22.0}, "ElectroOptic.g0 must be given: the pump's photons make the coupling, or its power heats"),
        ({"pump": "blue", "stokes": True}, "ElectroOptic.stokes must be false for a blue pump"),
        ({"stokes": True, "g_s": 1.0, "g0_s": 1.0}, "must have exactly one of g_s, g0_s, but has g_s, g0_s"),
        ({"stokes": True, "g_s": 1.0}, "ElectroOptic.stokes must come with kappa_s_ext, kappa_s_int and kappa_d"),
        ({"temperature_e_int": 0.1, "n_e_int": 0.1}, "ElectroOptic.n_e_int must not be given beside temperature_e_int"),
        ({"g0": 1.0, "heating_conductance": 1.0, "n_e_int": 0.1}, "ElectroOptic.n_e_int must not be given where the pump heats"),
        ({"coupling_x": 1.0}, "ElectroOptic.coupling_x and kappa_x must be given together"),
        ({"azimuthal_number": 0}, "ElectroOptic.azimuthal_number must be at least 1, but is 0"),
        ({"kappa_e_ext": -1 * MHz}, "ElectroOptic.kappa_e_ext must be at least"),
        ({"mode_match": 1.2}, "ElectroOptic.mode_match must be at least 0 and at most 1, but is 1.2"),
        ({"frequency_e": 0.0}, "ElectroOptic.frequency_e must be above"),
        ({"temperature": float("nan")}, "ElectroOptic.temperature must be at least"),
    ],
)
def test_wrong_sheets_are_refused(change, message):
    with pytest.raises(ValueError) as error:
        device(
            **({"c": 0.4} | change) if "cooperativity" not in change else {"c": None} | {k: v for k, v in change.items() if v is not None}
        )
    assert message in str(error.value)


def test_depletion_is_refused_where_it_is_not_solved():
    for it in (device(pump="blue", g0=1.0), device(g0=1.0, coupling_x=1.0, kappa_x=1.0), device()):
        with pytest.raises(ValueError, match=r"ElectroOptic\.depletion must be asked of a red pump with g0"):
            it.depletion(1e6)
    for moved in ({"detuning_e": 1.0}, {"free_spectral_range": 5.1 * GHz}):
        with pytest.raises(ValueError, match=r"ElectroOptic\.depletion must be asked on resonance"):
            device(g0=1.0, **moved).depletion(1e6)
