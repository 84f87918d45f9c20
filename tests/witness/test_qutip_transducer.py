"""One warm transducer as a master equation in Fock space: what one mode receives, against the mode channel and single rail."""

import numpy as np
import qutip

from tests.witness import MASTER_EQUATION, feeds, received
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.convert import Convert
from transduce.link.link import Link
from transduce.link.wavepacket import Decaying
from transduce.qubit.encodings import SingleRail
from transduce.units import MHz

FOCK = 4
"""Levels of the microwave, the optical and the receiving mode; at 4 the results are within 4e-7, at 5 within 3e-9."""

PHOTON, MODE, CARRIER = 1.3, 0.9, 0.2
"""Rate of the photon, of the detected mode, and the carrier's offset from the device's frame (MHz)."""

RATES = {"kappa_e_ext": 1.8, "kappa_e_int": 0.2, "kappa_o_ext": 2.0, "kappa_o_int": 0.5, "detuning_e": 0.1, "detuning_o": -0.3}
COOPERATIVITY, MATCH, BATH = 0.7, 0.9, 0.05


def modes(*levels: int) -> list[qutip.Qobj]:
    """The annihilator of each mode."""
    return [qutip.tensor([qutip.destroy(n) if k == j else qutip.qeye(n) for j, n in enumerate(levels)]) for k in range(len(levels))]


def device(e: qutip.Qobj, o: qutip.Qobj) -> tuple[qutip.Qobj, list[qutip.Qobj], qutip.Qobj, qutip.Qobj]:
    """H in the carrier's frame, the jumps into baths, L of the microwave port and L of the fibre."""
    kappa_e, kappa_o = RATES["kappa_e_ext"] + RATES["kappa_e_int"], RATES["kappa_o_ext"] + RATES["kappa_o_int"]
    hop = np.sqrt(COOPERATIVITY * kappa_e * kappa_o) / 2 * e.dag() * o
    hamiltonian = (RATES["detuning_e"] - CARRIER) * e.dag() * e + (RATES["detuning_o"] - CARRIER) * o.dag() * o + hop + hop.dag()
    baths = [
        np.sqrt(RATES["kappa_e_int"] * (BATH + 1)) * e,
        np.sqrt(RATES["kappa_e_int"] * BATH) * e.dag(),
        np.sqrt(RATES["kappa_o_int"] + (1 - MATCH) * RATES["kappa_o_ext"]) * o,
    ]
    return hamiltonian, baths, np.sqrt(RATES["kappa_e_ext"]) * e, np.sqrt(MATCH * RATES["kappa_o_ext"]) * o


def steady_state() -> qutip.Qobj:
    """Of the device alone."""
    hamiltonian, baths, port, fibre = device(*modes(FOCK, FOCK))
    return qutip.steadystate(hamiltonian, [*baths, port, fibre])


def from_nothing() -> np.ndarray:
    """The detected mode's density matrix when nothing is sent."""
    e, o, receiver = modes(FOCK, FOCK, FOCK)
    hamiltonian, baths, port, fibre = device(e, o)
    start = qutip.tensor(steady_state(), qutip.fock_dm(FOCK, 0))
    return received(hamiltonian, [*baths, port], fibre, receiver, MODE, start).ptrace(2).full()


def from_a_photon() -> np.ndarray:
    """The detected mode's image of |1><1| + |1><0|. The sending cavity has two levels, as its port is cold: it never holds more."""
    sender, e, o, receiver = modes(2, FOCK, FOCK, FOCK)
    hamiltonian, baths, port, fibre = device(e, o)
    photon = np.sqrt(PHOTON) * sender
    sent = qutip.fock_dm(2, 1) + qutip.projection(2, 1, 0)
    start = qutip.tensor(sent, steady_state(), qutip.fock_dm(FOCK, 0))
    return received(hamiltonian + feeds(photon, port), [*baths, photon + port], fibre, receiver, MODE, start).ptrace(3).full()


def test_a_warm_transducer_in_fock_space():
    """Photon number n from nothing and eta + n from one photon; P(out|in) and the coherence of single rail, its phase included."""
    rates = {name: value * MHz for name, value in RATES.items()}
    transducer = ElectroOptic(**rates, cooperativity=COOPERATIVITY, mode_match=MATCH, n_e_int=BATH)
    link = Link(up=Convert(transducer, "microwave", "optical", carrier=CARRIER * MHz))
    channel = link.channel(Decaying(bandwidth=PHOTON * MHz), Decaying(bandwidth=MODE * MHz), 0.0)
    nothing, photon = from_nothing(), from_a_photon()

    number = np.arange(FOCK)
    found = [number @ np.diag(nothing), number @ np.diag(photon)]
    assert channel.noise > 1e3 * MASTER_EQUATION
    np.testing.assert_allclose(found, [channel.noise, channel.efficiency + channel.noise], rtol=0, atol=MASTER_EQUATION)

    choi = np.zeros((4, 4), complex)
    choi[0, 0], choi[1, 1], choi[2, 2], choi[3, 3] = nothing[0, 0], nothing[1, 1], photon[0, 0], photon[1, 1]
    choi[3, 0], choi[0, 3] = photon[1, 0], photon[1, 0].conj()
    np.testing.assert_allclose(choi / 2, SingleRail(phase_calibrated=False).process(channel).choi, rtol=0, atol=MASTER_EQUATION)
