"""Packets and bands that a few features do not describe: tables, photons elsewhere on the clock, image bands that do not meet."""

import equinox as eqx
import jax
import numpy as np
import pytest

from tests import CLOSED_FORM
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection, Node
from transduce.link.sampled import Tabulated
from transduce.link.wavepacket import AbstractWavepacket, Sech
from transduce.protocols.transfer import Transfer
from transduce.units import GHz, Hz, MHz, kHz, m, ms

SECH = Sech(bandwidth=1 * MHz)
amplitudes = jax.jit(jax.vmap(SECH.amplitude))
QUBIT = Qubit(t1=3 * ms, t2=2 * ms)


@eqx.filter_jit
def efficiency(link: Link, *packets: AbstractWavepacket) -> jax.Array:
    """Of a photon, in a mode if one is given."""
    return link.channel(*packets).efficiency


@eqx.filter_jit
def centre(link: Link) -> jax.Array:
    """u at the carrier."""
    return link.response(0.0).u


def table(middle: float, apart: float = 0.0) -> Tabulated:
    """One sech, or two of them this far apart (s)."""
    times = np.linspace(-2e-6 - apart / 2, 2e-6 + apart / 2, 241 + int(apart / 4e-8))
    bumps = [np.asarray(amplitudes(times - side * apart / 2)) for side in (-1, 1)]
    return Tabulated(times + middle, sum(bumps))


@pytest.mark.parametrize("packet", [table(0.0), table(0.0, 2e-5), Tabulated(np.linspace(0, 1e-5, 301), np.ones(301))])
def test_a_flat_link_passes_every_table_alike(packet):
    """A metre of fibre, 2e-4 dB, whatever the shape; the tolerance is what the straight lines' repeats leave (see ``Tabulated.limit``)."""
    link = Link(fibre=Fibre(length=1 * m))
    passed = float(efficiency(link, packet))
    assert passed == pytest.approx(10**-2e-5, rel=1e-7) and passed < 1


def test_the_clock_finds_a_photon_wherever_it_stands():
    link = Link(fibre=Fibre(length=1 * m))
    found = [float(efficiency(link, table(middle), SECH)) for middle in (0.0, 2e-5, 2e-4)]
    np.testing.assert_allclose(found, found[0], rtol=CLOSED_FORM)
    assert found[0] > 0.9999


def membrane(frequency: float) -> ElectroOptomechanical:
    """With counter-rotating terms."""
    rates = {"kappa_e_ext": 1 * MHz, "kappa_e_int": 0.2 * MHz, "kappa_o_ext": 1 * MHz, "kappa_o_int": 0.4 * MHz}
    pumps = {"cooperativity_e": 50.0, "cooperativity_o": 50.0}
    return ElectroOptomechanical(frequency_e=7 * GHz, frequency_m=frequency, gamma_m=100 * Hz, n_m=50.0, model="full", **rates, **pumps)


def connection(first, second, image: str) -> Connection:
    return Connection(Node(QUBIT, first), Node(QUBIT, second), Link(image=image, fibre=Fibre(length=1 * m)))


def test_image_bands_that_do_not_meet_are_refused():
    different = connection(membrane(0.6 * MHz), membrane(0.9 * MHz), "coherent")
    row, transfer = different.link(), Transfer("time-bin", Sech(bandwidth=30 * kHz))
    for ask in (lambda: row.response(0.0), row.figures, lambda: row.channel(transfer.photon), lambda: transfer(different)):
        with pytest.raises(ValueError, match=r'Link.image must be "filtered" where the image bands'):
            ask()
    alike = connection(membrane(0.6 * MHz), membrane(0.6 * MHz), "coherent").link()
    assert abs(complex(centre(alike))) ** 2 > 1.2  # 0.945 with the image band in vacuum


def test_the_image_is_that_of_the_active_stage():
    """A passive converter before a membrane is read at the membrane's image, far from its own line: it then passes nothing there."""
    still = {"kappa_e_ext": 1 * MHz, "kappa_e_int": 0.2 * MHz, "kappa_o_ext": 1 * MHz, "kappa_o_int": 0.4 * MHz}
    both = {
        image: connection(ElectroOptic(cooperativity=0.8, **still), membrane(0.6 * MHz), image).link() for image in ("coherent", "filtered")
    }
    u = {image: complex(centre(link)) for image, link in both.items()}
    assert u["coherent"] == pytest.approx(u["filtered"], rel=CLOSED_FORM)  # nothing comes in at the image to interfere


def test_two_full_membranes_answer():
    """Six rows at both ends, on every node and on the clock's grid: it must end, and stay physical."""
    done = Transfer("time-bin", Sech(bandwidth=30 * kHz))(connection(membrane(0.6 * MHz), membrane(0.6 * MHz), "filtered"))
    assert 0 < float(done.packet.efficiency) < 1 and 0 < float(done.average_fidelity_heralded) < 1
