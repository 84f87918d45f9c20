"""Loss, switch, filter and fibre by their formulas written out, and the arguments they refuse."""

import jax
import numpy as np
import pytest

from tests import ALGEBRA
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.routing import Filter, Loss, Switch
from transduce.units import GHz, K, MHz, dB, hbar, k_B, km, ps

DEVICE = ElectroOptic(cooperativity=0.5, kappa_e_ext=1 * MHz, kappa_e_int=1 * MHz, kappa_o_ext=1 * MHz, kappa_o_int=1 * MHz)


def test_a_loss_and_its_temperature():
    eta, n = 10**-0.3, 1 / np.expm1(hbar * 6 * GHz / (k_B * 0.2))
    answer = Loss(loss=3.0, temperature=0.2 * K, frequency=6 * GHz).response(1 * MHz)
    assert complex(answer.u) == pytest.approx(np.sqrt(eta), rel=ALGEBRA)
    assert float(answer.noise) == pytest.approx((1 - eta) * n, rel=ALGEBRA)
    assert float(Loss(loss=3.0, temperature=300 * K).response(0.0).noise) < 1e-13  # light at room temperature is vacuum


def test_a_switch_and_its_neighbour():
    answer = Switch(insertion_loss=1.0, crosstalk=20.0, neighbour_occupation=5.0, occupation=0.4).response(0.0)
    eta, x = 10**-0.1, 10**-2
    assert abs(complex(answer.u)) ** 2 == pytest.approx(eta, rel=ALGEBRA)
    assert float(answer.noise) == pytest.approx(x * 5 + (1 - eta - x) * 0.4, rel=ALGEBRA)
    nothing = Switch().response(0.0)
    assert (complex(nothing.u), float(nothing.noise)) == (1, 0)


@pytest.mark.parametrize("offset", [-3.0, 0.0, 1.0, 50.0])
def test_a_filter_off_its_centre(offset):
    w, k, w_f = offset * MHz, 4 * MHz, 1 * MHz
    answer = Filter(bandwidth=k, centre=w_f, insertion_loss=2.0, occupation=0.7).response(w)
    u = 10**-0.1 * (k / 2) / (k / 2 - 1j * (w - w_f))
    assert complex(answer.u) == pytest.approx(u, rel=ALGEBRA)
    assert float(answer.noise) == pytest.approx((1 - abs(u) ** 2) * 0.7, rel=ALGEBRA)


def test_a_fibre():
    fibre = Fibre(
        length=10 * km,
        attenuation=0.2 * dB / km,
        coupling_in=1.0,
        coupling_out=2.0,
        group_index=1.5,
        beta2=-20 * ps**2 / km,
        noise_photons=0.01,
    )
    w = 1e11
    answer = fibre.response(w)
    assert abs(complex(answer.u)) ** 2 == pytest.approx(10**-0.5, rel=ALGEBRA)
    assert np.angle(complex(answer.u)) == pytest.approx(-20e-27 * 1e4 / 2 * w**2, rel=ALGEBRA)  # s^2/m, m
    assert float(answer.noise) == 0.01
    assert float(fibre.delay) == pytest.approx(1.5 * 1e4 / 299792458, rel=ALGEBRA)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Switch(insertion_loss=0.1, crosstalk=10.0), "Switch.crosstalk must leave eta [+] x at most 1, but .* it is 1.077"),
        (lambda: Loss(loss=1.0, temperature=1.0, occupation=1.0), "Loss.occupation must not be given beside temperature"),
        (lambda: Filter(bandwidth=0.0), "Filter.bandwidth must be above 0 Hz, but is 0 Hz"),
        (lambda: Loss(loss=-1.0), "Loss.loss must be at least 0 dB, but is -1 dB"),
        (lambda: Fibre(length=np.nan), "Fibre.length must be .*, but is nan"),
        (lambda: Switch(neighbour_occupation=-0.1), "Switch.neighbour_occupation must be at least 0, but is -0.1"),
        (lambda: Link(), "Link must have at least one stage, but has none"),
        (lambda: Link(up=DEVICE), r'Link.up must be a stage, but is ElectroOptic: write Convert\(device, "microwave", "optical"\)'),
        (lambda: Link(loss=1.0), "Link.loss must be a stage, but is float"),
        (lambda: Link(image="both", loss=Loss(loss=1.0)), "Link.image must be .*, but is 'both'"),
    ],
)
def test_wrong_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_outside_the_domain_traced_code_answers_nan():
    noise = jax.jit(jax.vmap(lambda x: Switch(insertion_loss=1.0, crosstalk=x).prepare().response(0.0).noise))
    edge = -10 * np.log10(1 - 10**-0.1)
    assert list(np.isnan(noise(np.array([edge - 1e-6, edge, edge + 1e-6])))) == [True, False, False]
    twice = jax.jit(jax.vmap(lambda t: Loss(loss=1.0, occupation=1.0, temperature=t).prepare().response(0.0).noise))
    np.testing.assert_allclose(twice(np.array([0.0, 0.1])), [1 - 10**-0.1, np.nan], rtol=ALGEBRA)
