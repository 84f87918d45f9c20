"""Nodes and connections: the order of the row, ends that differ, carriers that must meet."""

import equinox as eqx
import jax
import pytest

from tests import CLOSED_FORM
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection, Node
from transduce.link.routing import Loss, Switch
from transduce.link.wavepacket import Decaying, Sech
from transduce.units import MHz, THz, dB, km, us

RATES = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 3 * MHz, "kappa_o_int": 2 * MHz}
QUBIT = Qubit(t1=100 * us, t2=80 * us)
PATH = Link(fibre=Fibre(length=1 * km, attenuation=0.2 * dB / km), switch=Switch(insertion_loss=0.5))


def electro_optic(**fields) -> Node:
    return Node(QUBIT, ElectroOptic(cooperativity=0.4, **RATES, **fields))


def membrane(**fields) -> Node:
    strengths = {"frequency_m": 5 * MHz, "gamma_m": 0.01 * MHz, "cooperativity_e": 20.0, "cooperativity_o": 30.0}
    return Node(QUBIT, ElectroOptomechanical(**strengths, **RATES, **fields))


def test_the_row_in_order():
    connection = Connection(electro_optic(), electro_optic(), PATH)
    assert connection.link().names == ("up", "fibre", "switch", "down")
    row = connection.transfer_link(Sech(bandwidth=1 * MHz), Sech(bandwidth=1 * MHz))
    assert row.names == ("emit", "up", "fibre", "switch", "down", "absorb")
    up, down = connection.link()["up"], connection.link()["down"]
    assert (up.source, up.target, down.source, down.target) == ("microwave", "optical", "optical", "microwave")
    assert connection.transfer_link(Sech(bandwidth=1 * MHz), Decaying(bandwidth=1 * MHz))["absorb"].mode.bandwidth == 1 * MHz


def test_ends_that_differ():
    """A membrane at a, an electro-optic device at b, and the same the other way about: the closed efficiencies of both, multiplied."""
    ask = eqx.filter_jit(lambda connection: connection.link().figures())
    membrane_alone = 0.8 * 0.6 * 4 * 20 * 30 / 51**2
    wanted = membrane_alone * 0.8 * 0.6 * 4 * 0.4 / 1.4**2 * 10**-0.07
    for a, b in ((membrane(), electro_optic()), (electro_optic(), membrane())):
        figures = ask(Connection(a, b, PATH))
        assert float(figures.efficiency) == pytest.approx(wanted, rel=CLOSED_FORM)
        assert float(figures.bandwidth_fwhm) == pytest.approx(0.01 * MHz * 51, rel=0.1)  # gamma_m (1 + C_e + C_o), were the rest fast


def test_carriers_must_meet():
    here, there = electro_optic(), electro_optic(frequency_o=193.5 * THz)
    with pytest.raises(ValueError, match=r"Connection\.frequency_shift must bring a's optical carrier to b's, but leaves 100 GHz"):
        Connection(here, there, PATH)
    assert Connection(here, there, PATH, frequency_shift=0.1 * THz).link().names[0] == "up"
    with pytest.raises(ValueError, match="leaves -100 GHz"):
        Connection(here, electro_optic(), PATH, frequency_shift=0.1 * THz)
    jax.jit(lambda f: Connection(here, electro_optic(frequency_o=f), PATH).frequency_shift)(193.5 * THz)  # traced: not looked at


@pytest.mark.parametrize("name", ["emit", "up", "down", "absorb"])
def test_reserved_names(name):
    with pytest.raises(ValueError, match=rf"Connection\.path must not name a stage emit, up, down, absorb, but has {name}"):
        Connection(electro_optic(), electro_optic(), Link(**{name: Loss(loss=1.0)}))
