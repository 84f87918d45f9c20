"""The bundled connection of the design document, before and after its optimum, and one with every kind of stage in it."""

from typing import Any

from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection, Node
from transduce.link.routing import Filter, Loss, Switch
from transduce.link.wavepacket import Sech
from transduce.protocols.transfer import Transfer
from transduce.units import GHz, Hz, K, MHz, THz, dB, km, ps, us

SHEET = {
    "frequency_e": 8.795 * GHz,
    "frequency_o": 193.4 * THz,
    "kappa_e_ext": 5.63 * MHz,
    "kappa_e_int": 8.1 * MHz,
    "kappa_o_ext": 14.91 * MHz,
    "kappa_o_int": 10.8 * MHz,
    "mode_match": 0.608,
    "g0": 37 * Hz,
    "temperature": 0.06 * K,
    "heating_conductance": 22.0,
    "heating_exponent": 3.0,
    "pump_power": 0.1,
}
OPTIMUM = {
    "pump_power": 0.1252,
    "kappa_e_ext": 50 * MHz,
    "kappa_o_ext": 4.984 * MHz,
    "kappa_e_int": 1 * MHz,
    "kappa_o_int": 2 * MHz,
    "mode_match": 0.98,
}
QUBIT = Qubit(t1=300 * us, t2=200 * us)
TRANSFER = Transfer("time-bin", Sech(bandwidth=1 * MHz))


def device(**changed: Any) -> ElectroOptic:
    return ElectroOptic(**(SHEET | changed))


def connect(device: ElectroOptic, qubit: Qubit = QUBIT, **stages: Any) -> Connection:
    """One design at both ends; the path's stages by name in place of the bundled ones."""
    node = Node(qubit, device)
    path = {"fibre": Fibre(length=1 * km), "switch": Switch(insertion_loss=0.5)} | stages
    return Connection(node, node, Link(**path))


def everything() -> Connection:
    """Two different nodes, every passive stage, and no field at an edge."""
    a = device(**OPTIMUM | {"mode_match": 0.9}, detuning_e=0.8 * MHz, detuning_o=-0.5 * MHz, pump_detuning=0.7 * MHz)
    b = device(**OPTIMUM | {"pump_power": 0.08, "mode_match": 0.8}, detuning_e=-0.3 * MHz, detuning_o=0.4 * MHz, pump_detuning=-0.9 * MHz)
    a, b = parameters.replace((a, b), {"0.absorbed_fraction": 0.8, "1.absorbed_fraction": 0.7})
    glass = {"length": 2 * km, "attenuation": 0.2 * dB / km, "beta2": 2e7 * ps**2 / km}
    path = Link(
        fibre=Fibre(coupling_in=0.2, coupling_out=0.3, noise_photons=0.003, **glass),
        switch=Switch(insertion_loss=0.5, crosstalk=20.0, neighbour_occupation=0.2, temperature=2000.0),
        loss=Loss(loss=0.3, occupation=0.01),
        filter=Filter(bandwidth=30 * MHz, centre=2 * MHz, insertion_loss=0.1, temperature=1500.0),
    )
    sender = Qubit(t1=60 * us, t2=50 * us, phase_jitter=0.05)
    receiver = Qubit(t1=90 * us, t2=40 * us, phase_jitter=0.03, differential_phase_jitter=0.02)
    return Connection(Node(sender, a), Node(receiver, b), path)
