"""A link as one mode channel (t, n): closed forms over six decades; delay, dispersion, the receiver's clock, the dark."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from transduce.devices.electro_optic import ElectroOptic
from transduce.linear.path import Path
from transduce.linear.system import LinearSystem, Port
from transduce.link.base import Along, Flat, Prepared
from transduce.link.convert import Convert
from transduce.link.fibre import Fibre
from transduce.link.link import Link, channel, grid_for
from transduce.link.routing import Filter
from transduce.link.wavepacket import Decaying, Gaussian, Rising, Sech
from transduce.numerics import abs2
from transduce.units import MHz, dB, km, m

LANES = 256


def lorentzian(k1, k2, kb, d, n_b) -> Prepared:
    """One mode between an input, an output and a bath of n_b photons: A = k2 kb n_b."""
    rates = {"in": (k1, 0.0), "out": (k2, 0.0), "bath": (kb, n_b)}
    system = LinearSystem.build({"mode": d}, {name: Port("mode", *port) for name, port in rates.items()})
    path = system.conversion("in", "out")
    assert isinstance(path, Path)
    return Prepared(Along(path), system.poles("out"))


def test_one_lorentzian_in_closed_form():
    """L5: matched, in the packet's own shape, in a decaying mode, rising into decaying; noise. Six decades."""
    rng = np.random.default_rng(7)
    k1, k2, kb, big_g, y = 10 ** rng.uniform(-1.5, 1.5, (5, LANES))
    d, n_b = rng.normal(size=LANES) * (k1 + k2 + kb), 10 ** rng.uniform(-2, 1, LANES)

    @jax.jit
    @jax.vmap
    def ask(k1, k2, kb, d, n_b, big_g, y):
        link, decaying, given = lorentzian(k1, k2, kb, d, n_b), Decaying(bandwidth=big_g), Decaying(bandwidth=y)
        rising = channel(link, Rising(bandwidth=big_g), given, 0.0)
        return channel(link, decaying), channel(link, decaying, decaying, 0.0), channel(link, decaying, given, 0.0), rising

    best, same, given, rising = ask(k1, k2, kb, d, n_b, big_g, y)
    k = k1 + k2 + kb
    root, noise = np.sqrt(k1 * k2), k2 * kb * n_b * y * (k + y) / 2 / (k * y / 2 * ((k + y) ** 2 / 4 + d**2))
    np.testing.assert_allclose(best.efficiency, 4 * k1 * k2 * (k + big_g) / (k * ((k + big_g) ** 2 + 4 * d**2)), rtol=CLOSED_FORM)
    np.testing.assert_allclose(same.transmission, -2 * root / (k + big_g + 2j * d), rtol=CLOSED_FORM)
    wanted = -4 * root * np.sqrt(big_g * y) / ((big_g + y) * (k + y + 2j * d))
    np.testing.assert_allclose(given.transmission, wanted, rtol=CLOSED_FORM)
    wanted = -root * np.sqrt(big_g * y) / (((big_g + k) / 2 + 1j * d) * ((y + k) / 2 + 1j * d))
    np.testing.assert_allclose(rising.transmission, wanted, rtol=CLOSED_FORM)
    np.testing.assert_allclose(given.noise, noise, rtol=CLOSED_FORM)
    np.testing.assert_allclose(rising.noise, noise, rtol=CLOSED_FORM)
    assert np.all(best.efficiency >= abs2(same.transmission) * (1 - ALGEBRA))


def test_a_gaussian_delayed_and_dispersed():
    """L5: t = (1 - i p2 v)^{-1/2} exp(-dt^2 v / 2 / (1 - i p2 v)), v = 1/(4 s^2), whichever sign the delay has."""
    rng = np.random.default_rng(8)
    bandwidth, p2_v, dt_s = 10 ** rng.uniform(-2, 2, LANES) * MHz, rng.normal(size=LANES), rng.normal(size=LANES)
    s = np.sqrt(2 * np.log(2)) / bandwidth
    v = 1 / (4 * s**2)

    @jax.jit
    @jax.vmap
    def ask(bandwidth, p2, dt):
        packet, link = Gaussian(bandwidth=bandwidth), Link(fibre=Fibre(length=2.0, attenuation=0.0, beta2=p2 / 2))
        return link.channel(packet, packet, dt).transmission, link.channel(packet).transmission

    given, best = ask(bandwidth, p2_v / v, dt_s * s)
    wanted = (1 - 1j * p2_v) ** -0.5 * np.exp(-(dt_s**2) * s**2 * v / 2 / (1 - 1j * p2_v))
    assert np.max(np.abs(given - wanted)) < CLOSED_FORM
    np.testing.assert_allclose(best, 1, rtol=CLOSED_FORM)  # a phase spoils no matched mode


def test_a_sech_detected_late():
    """L5: t = (dt/T) / sinh(dt/T)."""
    photon = Sech(bandwidth=1 * MHz)
    link, x = Link(fibre=Fibre(length=1 * km, attenuation=0.0)), np.linspace(-5, 5, 40)
    found = jax.jit(jax.vmap(lambda dt: link.channel(photon, photon, dt).transmission))(x * photon.width)
    assert np.max(np.abs(found - x / np.sinh(x))) < CLOSED_FORM


def test_a_hundred_kilometres_cost_what_one_metre_costs():
    """The delay is told apart: the same nodes, and with the loss taken off the same answer to the last bits."""
    photon, pole = Sech(bandwidth=3 * MHz), Filter(bandwidth=4 * MHz, centre=1 * MHz, occupation=0.2)

    @jax.jit
    @jax.vmap
    def ask(length):
        link = Link(fibre=Fibre(length=length, attenuation=0.2 * dB / km), filter=pole).prepare()
        return grid_for(link.poles, photon).omega, link.delay, channel(link, photon), channel(link, photon, photon)

    grid, delay, *answers = ask(jnp.array([1 * m, 100 * km]))
    assert np.array_equal(grid[0], grid[1])
    assert float(delay[1]) == pytest.approx(1.468 * 100e3 / 299792458, rel=ALGEBRA)
    for answer in answers:
        near, far = answer.transmission
        assert abs(far * 10 ** (0.2 * (100 - 0.001) / 20) - near) < ALGEBRA and abs(near) > 0.3
        assert float(answer.noise[1]) == pytest.approx(float(answer.noise[0]), rel=ALGEBRA)


@pytest.mark.parametrize("stages", ["up", "up and down"])
def test_in_the_dark_the_matched_mode_is_the_packet(stages):
    """A device that is off, C = 0: nothing arrives, the noise is that of the last device's losses, and d eta/dC and dn/dn_int are right."""
    rates = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 3 * MHz, "kappa_o_int": 2 * MHz}
    photon, k, y = Decaying(bandwidth=1 * MHz), 5 * MHz, 1 * MHz

    def ask(cooperativity, n):
        up, down = (
            Convert(ElectroOptic(cooperativity=cooperativity, n_o_int=n, n_e_int=n, **rates), *ends, carrier=0.0)
            for ends in (("microwave", "optical"), ("optical", "microwave"))
        )
        got = channel((up if stages == "up" else Link(up=up, down=down)).prepare(), photon)
        return jnp.stack([got.efficiency, got.noise])

    (efficiency, noise), (by_c, by_n) = jax.jit(lambda c, n: (ask(c, n), jax.jacrev(ask, (0, 1))(c, n)))(0.0, 0.3)
    a = 3 * 2 * MHz**2 if stages == "up" else 4 * 1 * MHz**2
    heard = a * y * (k + y) / 2 / (k * y / 2 * (k + y) ** 2 / 4)
    assert float(efficiency) < 1e-90
    assert float(noise) == pytest.approx(0.3 * heard, rel=CLOSED_FORM) and float(by_n[1]) == pytest.approx(heard, rel=CLOSED_FORM)
    h, g = k / 2, y / 2
    slope = 4 * 0.8 * 0.6 * h * (2 * h + g) / (2 * (h + g) ** 2)  # int |f|^2 4 C ee eo (k/2)^4 / (k^2/4 + w^2)^2 by residues
    assert float(by_c[0]) == pytest.approx(slope if stages == "up" else 0.0, rel=GRADIENT, abs=1e-80)
    assert np.isfinite(by_c).all() and np.isfinite(by_n).all()


def test_the_best_arrival_is_the_best():
    """No other of 4001 arrivals finds more of the photon, the slope there is 0, and the gradient is that at a fixed arrival."""
    photon, mode = Sech(bandwidth=2 * MHz), Gaussian(bandwidth=3 * MHz)

    def link(bandwidth):
        return Link(filter=Filter(bandwidth=bandwidth, centre=0.7 * MHz), fibre=Fibre(length=1 * km, beta2=1e-17))

    k = 1.5 * MHz
    tried = np.linspace(-2, 2, 4001) * float(mode.duration)
    at = jax.jit(jax.vmap(lambda tau: link(k).channel(photon, mode, tau).efficiency))
    best, slope = jax.jit(jax.value_and_grad(lambda x: link(x).channel(photon, mode).efficiency))(k)
    found = at(tried)
    top = int(np.argmax(found))
    assert found[top] <= best * (1 + ALGEBRA) and found[top] == pytest.approx(float(best), rel=1e-5)  # the grid is that fine
    assert 0.05 * float(mode.duration) < tried[top] < float(mode.duration)  # a filter of this width keeps it about 2/k
    curve = np.polynomial.Polynomial.fit(tried[top - 3 : top + 4], found[top - 3 : top + 4], 4)
    tau = next(x.real for x in curve.deriv().roots() if tried[top - 1] < x.real < tried[top + 1] and abs(x.imag) < 1e-12)
    fixed = jax.jit(jax.grad(lambda x: link(x).channel(photon, mode, tau).efficiency))(k)
    assert float(slope) == pytest.approx(float(fixed), rel=1e-6)  # tau is the fit's, to 1e-7 of the step


def test_noise_in_a_given_mode_knows_no_arrival():
    link, photon = Link(filter=Filter(bandwidth=1 * MHz, occupation=2.0)), Sech(bandwidth=1 * MHz)
    noises = jax.jit(jax.vmap(lambda tau: link.channel(photon, photon, tau).noise))(jnp.linspace(-1, 1, 5) * photon.width)
    assert np.ptp(noises) < ALGEBRA and noises[0] > 0.1


def test_a_flat_link_hands_the_packet_on():
    """Without poles every packet arrives as it left, and gain adds what quantum mechanics asks."""
    link = Prepared(Flat(jnp.asarray(0.6j), jnp.asarray(0.25)))
    ask = eqx.filter_jit(lambda f: (channel(link, f), channel(link, f, f, 0.0)))
    for photon in (Decaying(bandwidth=1 * MHz), Sech(bandwidth=1 * MHz)):
        best, same = ask(photon)
        assert abs(complex(best.transmission) - 0.6) < CLOSED_FORM and abs(complex(same.transmission) - 0.6j) < CLOSED_FORM
        assert float(best.noise) == pytest.approx(0.25, rel=CLOSED_FORM) and float(same.noise) == pytest.approx(0.25, rel=CLOSED_FORM)
