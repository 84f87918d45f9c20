"""Qubit to qubit at zero temperature as a QuTiP master equation in the one-excitation space, the receiver a decaying qubit too.

Levels: nothing, the sending qubit, four cavity modes, the receiving qubit. Each joint is an SLH series product: L = L1 + L2 and
H += (L2^dagger L1 - h.c.) / 2i. Both couplers are constant, so the sender emits a decaying photon and the receiver absorbs a rising one.
Rates in 1/us.
"""

import numpy as np
import pytest

from transduce.devices.electro_optic import ElectroOptic
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection, Node
from transduce.link.wavepacket import Decaying, Rising
from transduce.protocols.transfer import Passage, Transfer
from transduce.units import dB, km, us

qutip = pytest.importorskip("qutip")

MOMENT = 1e-6
"""Looser than a closed form: at a stated arrival the overlap of two packets with edges turns as e^{-i w t}, which the link's fixed nodes
follow to 2e-7 of the efficiency at four photon lengths; the equation itself is solved to 1e-9."""

PER_US = 1e6
SENT, TAKEN = 1.3, 0.9  # what the couplers give, beside the decay of the qubits
T1 = 7.0, 11.0
UP = {"kappa_e_ext": 3.0, "kappa_e_int": 0.4, "kappa_o_ext": 5.0, "kappa_o_int": 1.0, "detuning_e": 0.3, "detuning_o": -0.2}
DOWN = {"kappa_e_ext": 4.0, "kappa_e_int": 0.5, "kappa_o_ext": 2.0, "kappa_o_int": 0.6, "detuning_e": -0.1, "detuning_o": 0.25}
COOPERATIVITY, LOSS_DB = 0.8, 1.7


def coupling(rates: dict) -> float:
    return np.sqrt(COOPERATIVITY * (rates["kappa_e_ext"] + rates["kappa_e_int"]) * (rates["kappa_o_ext"] + rates["kappa_o_int"])) / 2


def received(times: np.ndarray, carriers: tuple[float, float]) -> np.ndarray:
    """Population of the receiving qubit; each device in the frame of its carrier."""
    nothing, q, e1, o1, o2, e2, r = (qutip.basis(7, k) for k in range(7))
    lower = {name: nothing * state.dag() for name, state in zip(["q", "e1", "o1", "o2", "e2", "r"], (q, e1, o1, o2, e2, r), strict=True)}

    def out(name: str, rate: float):
        return np.sqrt(rate) * lower[name]

    hamiltonian = 0 * lower["q"].dag() * lower["q"]
    for (e, o), rates, carrier in ((("e1", "o1"), UP, carriers[0]), (("e2", "o2"), DOWN, carriers[1])):
        for name, detuning in ((e, rates["detuning_e"]), (o, rates["detuning_o"])):
            hamiltonian += (detuning - carrier) * lower[name].dag() * lower[name]
        hop = coupling(rates) * lower[e].dag() * lower[o]
        hamiltonian += hop + hop.dag()
    eta = 10 ** (-LOSS_DB / 10)
    joints = [
        (out("q", SENT), out("e1", UP["kappa_e_ext"])),
        (np.sqrt(eta) * out("o1", UP["kappa_o_ext"]), out("o2", DOWN["kappa_o_ext"])),
        (out("e2", DOWN["kappa_e_ext"]), out("r", TAKEN)),
    ]
    for first, second in joints:
        joint = second.dag() * first / 2j
        hamiltonian += joint + joint.dag()
    jumps = [first + second for first, second in joints] + [np.sqrt(1 - eta) * out("o1", UP["kappa_o_ext"])]
    jumps += [out("q", 1 / T1[0]), out("r", 1 / T1[1]), out("e1", UP["kappa_e_int"]), out("o1", UP["kappa_o_int"])]
    jumps += [out("e2", DOWN["kappa_e_int"]), out("o2", DOWN["kappa_o_int"])]
    options = {"method": "dop853", "atol": 1e-13, "rtol": 1e-11, "nsteps": 100000}
    return qutip.mesolve(hamiltonian, q * q.dag(), times, jumps, e_ops=[r * r.dag()], options=options).expect[0]


def test_qubit_to_qubit():
    """At each moment the receiver holds eta_em |t|^2 eta_abs of the mode that ends then; the best moment is the transfer's own."""

    def node(rates: dict, t1: float) -> Node:
        qubit = Qubit(t1=t1 * us, t2=2 * t1 * us)
        return Node(qubit, ElectroOptic(cooperativity=COOPERATIVITY, **{name: x * PER_US for name, x in rates.items()}))

    path = Link(fibre=Fibre(length=1 * km, attenuation=LOSS_DB * dB / km))
    connection = Connection(node(UP, T1[0]), node(DOWN, T1[1]), path)
    photon, mode = (Decaying(bandwidth=(SENT + 1 / T1[0]) * PER_US), Rising(bandwidth=(TAKEN + 1 / T1[1]) * PER_US))
    carriers = [float(one.device.carrier()) / PER_US for one in (connection.a, connection.b)]  # the same both ways

    transfer = Transfer("time-bin", photon, mode)
    done = transfer.performance(Passage.over(transfer, connection))
    times = np.linspace(0.0, 6.0, 601)
    found = received(times, tuple(carriers))
    ends = float(done.channel.efficiency / done.packet.efficiency)
    assert ends == pytest.approx(SENT / (SENT + 1 / T1[0]) * TAKEN / (TAKEN + 1 / T1[1]), rel=1e-12)
    link = connection.link()
    for k in (100, 190, 400):
        channel = link.channel(photon, mode, arrival_offset=times[k] * us)
        assert found[k] == pytest.approx(float(channel.efficiency) * ends, rel=MOMENT)
    top = int(np.argmax(found))
    curve = np.polynomial.Polynomial.fit(times[top - 4 : top + 5], found[top - 4 : top + 5], 6)
    best = max(curve(x.real) for x in curve.deriv().roots() if abs(x.imag) < 1e-9 and times[top - 4] < x.real < times[top + 4])
    assert float(done.channel.efficiency) == pytest.approx(best, rel=MOMENT)
    assert 0.05 < best < 0.6
