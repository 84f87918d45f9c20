"""The whole link at zero temperature as one cascaded master equation: qubit, up, loss, down, one receiving mode, in one excitation.

The space is the vacuum and one excitation in each of six places, so the lowering operator of a place is |vacuum><place|.
"""

from typing import NamedTuple

import numpy as np
import pytest
import qutip

from tests.witness import MASTER_EQUATION, feeds, received
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.convert import Convert
from transduce.link.emission import Emit, Qubit, emission
from transduce.link.link import Link
from transduce.link.routing import Loss
from transduce.link.wavepacket import Decaying
from transduce.qubit.encodings import SingleRail
from transduce.units import MHz

VACUUM, *PLACES = (qutip.basis(7, k) for k in range(7))
QUBIT, E1, O1, O2, E2, RECEIVER = (VACUUM * place.dag() for place in PLACES)

COUPLER, DECAY, MODE, LOSS = 1.1, 0.15, 0.9, 1.7
"""Rates of the qubit's coupler, of its decay and of the detected mode (MHz); loss on the way (dB)."""


class Sheet(NamedTuple):
    """A device; rates in MHz, the carrier in the device's frame."""

    kappa_e_ext: float
    kappa_e_int: float
    kappa_o_ext: float
    kappa_o_int: float
    detuning_e: float
    detuning_o: float
    cooperativity: float
    mode_match: float
    carrier: float

    def convert(self, source: str, target: str) -> Convert:
        """As a stage of ours."""
        given = self._asdict()
        carrier, plain = given.pop("carrier"), ("cooperativity", "mode_match")
        device = ElectroOptic(**{name: value if name in plain else value * MHz for name, value in given.items()})
        return Convert(device, source, target, carrier=carrier * MHz)

    def open_system(self, e: qutip.Qobj, o: qutip.Qobj) -> tuple[qutip.Qobj, list[qutip.Qobj], qutip.Qobj, qutip.Qobj]:
        """H in the carrier's frame, the jumps into baths, L of the microwave port and L of the fibre."""
        kappa_e, kappa_o = self.kappa_e_ext + self.kappa_e_int, self.kappa_o_ext + self.kappa_o_int
        hop = np.sqrt(self.cooperativity * kappa_e * kappa_o) / 2 * e.dag() * o
        own = (self.detuning_e - self.carrier) * e.dag() * e + (self.detuning_o - self.carrier) * o.dag() * o
        lost = [np.sqrt(self.kappa_e_int) * e, np.sqrt(self.kappa_o_int + (1 - self.mode_match) * self.kappa_o_ext) * o]
        return own + hop + hop.dag(), lost, np.sqrt(self.kappa_e_ext) * e, np.sqrt(self.mode_match * self.kappa_o_ext) * o


SENDER = Sheet(1.8, 0.3, 2.6, 0.7, 0.1, -0.2, 0.8, 0.9, 0.25)
RECEIVING = Sheet(2.1, 0.2, 2.2, 0.6, -0.15, 0.1, 0.6, 0.95, -0.1)


def cascade(dephasing: float) -> tuple[qutip.Qobj, list[qutip.Qobj], qutip.Qobj]:
    """H, the jumps and L of the last microwave port; each part is fed by the one before, each reflection is lost."""
    sent = np.sqrt(COUPLER) * QUBIT
    h1, lost1, into1, fibre1 = SENDER.open_system(E1, O1)
    h2, lost2, out2, fibre2 = RECEIVING.open_system(E2, O2)
    arriving, spilt = np.sqrt(10 ** (-LOSS / 10)) * fibre1, np.sqrt(1 - 10 ** (-LOSS / 10)) * fibre1
    jumps = [*qubit_jumps(dephasing), *lost1, *lost2, sent + into1, spilt, arriving + fibre2]
    return h1 + h2 + feeds(sent, into1) + feeds(arriving, fibre2), jumps, out2


def qubit_jumps(dephasing: float) -> list[qutip.Qobj]:
    """Decay, and pure dephasing of |1><0| at this rate."""
    return [np.sqrt(DECAY) * QUBIT, np.sqrt(2 * dephasing) * QUBIT.dag() * QUBIT]


def sender(dephasing: float) -> Qubit:
    """Ours, with times in s."""
    return Qubit(t1=1 / (DECAY * MHz), t2=1 / ((DECAY / 2 + dephasing) * MHz))


PHOTON = Decaying(bandwidth=(COUPLER + DECAY) * MHz)
DETECTED = Decaying(bandwidth=MODE * MHz)
WAY = {"up": SENDER.convert("microwave", "optical"), "loss": Loss(loss=LOSS), "down": RECEIVING.convert("optical", "microwave")}


def emitted(dephasing: float) -> Link:
    """Ours, from the qubit on."""
    return Link(emit=Emit(sender(dephasing), PHOTON), **WAY)


def raised(dephasing: float) -> qutip.Qobj:
    """What the receiving mode makes of the qubit's |1><1| + |1><0|: P(1|1) and the coherence stand in the receiver's row."""
    hamiltonian, jumps, output = cascade(dephasing)
    return received(hamiltonian, jumps, output, RECEIVER, MODE, QUBIT.dag() * QUBIT + QUBIT.dag())


def test_the_energy_that_arrives():
    """The matched mode holds all of it: each quantum that leaves the last port moves a detector for good, in the idle receiver's place."""
    hamiltonian, jumps, output = cascade(0.0)
    master = qutip.liouvillian(hamiltonian, [*jumps, RECEIVER.dag() * output])
    end = qutip.mesolve(master, PLACES[0].proj(), [0.0, 60.0], options={"atol": 1e-10, "rtol": 1e-9}).final_state
    channel = emitted(0.0).channel(PHOTON)
    assert channel.noise == 0
    np.testing.assert_allclose(qutip.expect(RECEIVER.dag() * RECEIVER, end), channel.efficiency, rtol=0, atol=MASTER_EQUATION)


def test_single_rail_from_qubit_to_receiving_mode():
    """Every P(out|in) and the coherence, its phase included; the clock of the detected mode starts as the photon does."""
    end = raised(0.0)
    channel = emitted(0.0).channel(PHOTON, DETECTED, 0.0)
    process = SingleRail(phase_calibrated=False).process(channel, emitted(0.0).prepare().coherence)
    excited, coherence = end[6, 6].real, end[6, 0]
    wanted = np.diag([1.0, 0.0, 1 - excited, excited]).astype(complex)
    wanted[3, 0], wanted[0, 3] = coherence, np.conj(coherence)
    np.testing.assert_allclose(process.choi, wanted / 2, rtol=0, atol=MASTER_EQUATION)


@pytest.mark.parametrize("dephasing", [0.02, 0.3])
def test_a_dephasing_qubit(dephasing):
    """In the photon's own mode, right behind the qubit; through the link, the coherence is that of the amplitude f e^{-gp t}.

    That amplitude is again decaying, of rate G + 2 gp. The stage keeps its part along f, so that t times its coherence is exact where the
    link hands f to the detected mode, and otherwise off in first order of gp / G: here less than gp / G itself.
    """
    rate = COUPLER + DECAY
    start, photon = QUBIT.dag() * QUBIT + QUBIT.dag(), np.sqrt(COUPLER) * QUBIT
    bare = received(0 * QUBIT, qubit_jumps(dephasing), photon, RECEIVER, rate, start)
    found = emission(sender(dephasing), PHOTON)
    wanted = [found.efficiency, np.sqrt(found.efficiency) * found.coherence]
    np.testing.assert_allclose([bare[6, 6], bare[6, 0]], wanted, rtol=0, atol=MASTER_EQUATION)

    coherence = raised(dephasing)[6, 0]
    dephased = Decaying(bandwidth=(rate + 2 * dephasing) * MHz)
    exact = np.sqrt(COUPLER / (rate + 2 * dephasing)) * Link(**WAY).channel(dephased, DETECTED, 0.0).transmission
    np.testing.assert_allclose(coherence, exact, rtol=0, atol=MASTER_EQUATION)
    stage = emitted(dephasing).channel(PHOTON, DETECTED, 0.0).transmission * found.coherence
    assert abs(stage / coherence - 1) < dephasing / rate
