"""A transducer as a stage: the device's own answers, its carrier, its instability, and the pumps that do not convert."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from transduce.devices.electro_optic import ElectroOptic
from transduce.linear.system import UnstableError
from transduce.link.convert import Convert
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.numerics import abs2
from transduce.units import MHz, km

RATES = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 3 * MHz, "kappa_o_int": 2 * MHz}
BATHS = {"n_e_ext": 0.1, "n_e_int": 0.4, "n_o_ext": 0.02, "n_o_int": 0.05}
UP, DOWN = ("microwave", "optical"), ("optical", "microwave")


@pytest.mark.parametrize("ends", [UP, DOWN])
def test_the_stage_is_the_closed_form(ends):
    """L2 on resonance, up and down: efficiency and added noise."""
    device, c = ElectroOptic(cooperativity=0.4, **RATES, **BATHS), 0.4
    e_e, e_o = 4 / 5, 3 / 5
    link = Link(convert=Convert(device, *ends))
    ask = eqx.filter_jit(lambda link: link.figures())
    figures = ask(link)
    baths = (BATHS["n_o_ext"], BATHS["n_o_int"], BATHS["n_e_int"]) if ends == UP else (BATHS["n_e_ext"], BATHS["n_e_int"], BATHS["n_o_int"])
    near, far = (e_e, e_o) if ends == UP else (e_o, e_e)
    ext, lost, own = baths
    noise = (ext * (1 + c - 2 * far) ** 2 + 4 * far * (1 - far) * lost) / (4 * near * far * c) + (1 - near) / near * own
    assert float(figures.efficiency) == pytest.approx(e_e * e_o * 4 * c / (1 + c) ** 2, rel=CLOSED_FORM)
    assert float(figures.efficiency_internal) == pytest.approx(4 * c / (1 + c) ** 2, rel=CLOSED_FORM)
    assert float(figures.added_noise_input) == pytest.approx(noise, rel=CLOSED_FORM)
    k, g2 = 5 * MHz, c * (5 * MHz) ** 2 / 4
    d0, q = k * k * (1 + c) / 4, k**2 / 2 - 2 * g2
    assert float(figures.bandwidth_fwhm) == pytest.approx(2 * np.sqrt((-q + np.sqrt(q**2 + 4 * d0**2)) / 2), rel=CLOSED_FORM)


def test_the_carrier_is_the_peak_unless_stated():
    """Offsets count from the carrier; a detuned device converts best off its frame, and its poles come along."""
    device = ElectroOptic(cooperativity=0.4, detuning_e=0.5 * MHz, detuning_o=0.9 * MHz, **RATES)

    @eqx.filter_jit
    def ask(device):
        own, fixed = Convert(device, *UP).prepare(), Convert(device, *UP, carrier=0.2 * MHz).prepare()
        around = jax.vmap(lambda w: abs2(own.response(w).u))(jnp.linspace(-1, 1, 201) * 0.1 * MHz)
        return own.carrier, around, own.response(0.2 * MHz - own.carrier).u, fixed.response(jnp.zeros(())).u, own.poles, fixed.poles

    carrier, around, shifted, at, poles, stated = ask(device)
    assert int(jnp.argmax(around)) == 100 and 0.5 * MHz < carrier < 0.9 * MHz
    assert abs(shifted - at) < ALGEBRA
    assert np.max(np.abs(np.sort_complex(poles + carrier) - np.sort_complex(stated + 0.2 * MHz))) < ALGEBRA * MHz * 10


def test_a_pump_for_pairs_is_refused():
    pairs = ElectroOptic(cooperativity=0.4, pump="blue", **RATES)
    with pytest.raises(ValueError, match=r"Convert\.device must convert from microwave to optical, but is pumped for pairs"):
        Convert(pairs, *UP)
    with pytest.raises(ValueError, match="no port 'fibre': the ports are microwave"):
        Convert(ElectroOptic(cooperativity=0.4, **RATES), "microwave", "fibre")


def stokes(g_s):
    """On resonance unstable from C_s = 1 + C on: 4 g_s^2 = 5 MHz x 2 MHz x 1.4, g_s = 1.87 MHz."""
    auxiliary = {"kappa_s_ext": 1 * MHz, "kappa_s_int": 1 * MHz, "kappa_d": 1 * MHz}
    return ElectroOptic(cooperativity=0.4, stokes=True, g_s=g_s, **auxiliary, **RATES)


def test_an_unstable_device():
    """Eagerly an error, also deep in a row; traced, NaN in its lane, the others untouched, with zero gradient."""
    with pytest.raises(UnstableError, match="unstable: a disturbance grows at"):
        Convert(stokes(3 * MHz), *UP).prepare()
    with pytest.raises(UnstableError, match="unstable"):
        Link(fibre=Fibre(length=1 * km), inner=Link(up=Convert(stokes(3 * MHz), *UP))).gate()

    def ask(g_s):
        return abs2(Convert(stokes(g_s), *UP, carrier=0.0).response(0.0).u)

    both = jax.jit(jax.vmap(jax.value_and_grad(ask)))
    values, slopes = both(jnp.array([0.5 * MHz, 3 * MHz, 0.7 * MHz]))
    alone, _ = both(jnp.array([0.5 * MHz, 0.1 * MHz, 0.7 * MHz]))
    c_s = 4 * (0.5 * MHz) ** 2 / (5 * 2 * MHz**2)
    assert float(values[0]) == pytest.approx(0.8 * 0.6 * 4 * 0.4 / (1.4 - c_s) ** 2, rel=CLOSED_FORM)
    assert np.isnan(values[1]) and float(slopes[1]) == 0
    assert float(values[0]) == float(alone[0]) and float(values[2]) == float(alone[2])
    assert slopes[0] > 0 and slopes[2] > 0


def test_a_device_at_both_ends_is_one_system():
    """Built once, also where it squeezes, it gives the figures and the slopes of two equal devices."""

    def figures(c, twice):
        one, other = (dataclasses.replace(stokes(0.5 * MHz), cooperativity=c) for _ in range(2))
        link = Link(up=Convert(one, *UP), down=Convert(one if twice else other, *UP[::-1]))
        return jnp.stack([*link.figures()[:3]])

    once, apart = (jax.jit(lambda c, twice=twice: (figures(c, twice), jax.jacrev(figures)(c, twice)))(0.4) for twice in (True, False))
    np.testing.assert_allclose(once, apart, rtol=ALGEBRA)
    assert np.all(np.abs(once[1][:3]) > 1e-3)
