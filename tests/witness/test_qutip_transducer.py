"""One warm transducer as a QuTiP master equation, four Fock levels a mode: photon numbers and the single-rail process.

A source of one photon feeds the microwave port (decaying, rate G) and a cavity takes what leaves the optical port (rising, rate y): both are
constant couplings, so nothing depends on time, and the cavity's state at t is that of the rising mode that ends then. Rates of order 1.
"""

import numpy as np
import pytest

from transduce.devices.electro_optic import ElectroOptic
from transduce.link.convert import Convert
from transduce.link.link import Link
from transduce.link.wavepacket import Decaying, Rising
from transduce.qubit.encodings import SingleRail

qutip = pytest.importorskip("qutip")

CUT, BATH = 4, 0.05
SENT, TAKEN = 0.7, 0.8
RATES = {"kappa_e_ext": 1.6, "kappa_e_int": 0.4, "kappa_o_ext": 2.0, "kappa_o_int": 0.5}
COOPERATIVITY, WAIT = 0.6, 4.0


def system() -> tuple:
    """Hamiltonian, jumps and the cavity of: source, microwave mode, optical mode, receiving cavity."""
    sizes = (2, CUT, CUT, CUT)
    s, e, o, r = (
        qutip.tensor([qutip.destroy(size) if k == which else qutip.qeye(size) for k, size in enumerate(sizes)]) for which in range(4)
    )
    g = np.sqrt(COOPERATIVITY * (RATES["kappa_e_ext"] + RATES["kappa_e_int"]) * (RATES["kappa_o_ext"] + RATES["kappa_o_int"])) / 2
    hamiltonian = g * (e.dag() * o + o.dag() * e)
    joints = [
        (np.sqrt(SENT) * s, np.sqrt(RATES["kappa_e_ext"]) * e),
        (np.sqrt(RATES["kappa_o_ext"]) * o, np.sqrt(TAKEN) * r),
    ]
    for first, second in joints:
        joint = second.dag() * first / 2j
        hamiltonian += joint + joint.dag()
    jumps = [first + second for first, second in joints] + [np.sqrt(RATES["kappa_o_int"]) * o]
    jumps += [np.sqrt(RATES["kappa_e_int"] * (BATH + 1)) * e, np.sqrt(RATES["kappa_e_int"] * BATH) * e.dag()]
    return hamiltonian, jumps


def cavity_states() -> tuple[np.ndarray, np.ndarray]:
    """The receiving cavity with nothing sent, and after half a photon (|0> + |1>)/sqrt 2; the bath has been there for ever."""
    hamiltonian, jumps = system()
    size = 2 * CUT**3
    dark = qutip.tensor(qutip.fock_dm(2, 0), *[qutip.fock_dm(CUT, 0)] * 3)
    options = {"method": "adams", "atol": 1e-11, "rtol": 1e-9, "nsteps": 100000}
    settled = qutip.mesolve(hamiltonian, dark, [0.0, 40.0], jumps, options=options).final_state
    assert settled.shape == (size, size)
    plus = (qutip.basis(2, 0) + qutip.basis(2, 1)).unit()
    sent = qutip.tensor(plus * plus.dag(), settled.ptrace([1, 2, 3]))
    after = qutip.mesolve(hamiltonian, sent, [0.0, WAIT], jumps, options=options).final_state
    return settled.ptrace(3).full(), after.ptrace(3).full()


def test_photons_and_the_single_rail_process():
    idle, half = cavity_states()
    device = ElectroOptic(cooperativity=COOPERATIVITY, n_e_int=BATH, **RATES)
    link = Link(up=Convert(device, "microwave", "optical", carrier=0.0))
    channel = link.channel(Decaying(bandwidth=SENT), Rising(bandwidth=TAKEN), arrival_offset=WAIT)
    eta, n = float(channel.efficiency), float(channel.noise)
    numbers = np.arange(CUT)
    nothing = idle.diagonal().real
    one = 2 * half.diagonal().real - nothing  # the coherence between 0 and 1 sent leaves no population
    assert numbers @ nothing == pytest.approx(n, abs=1e-6)
    assert numbers @ one == pytest.approx(eta + n, abs=1e-6)
    assert eta > 0.1 and n > 1e-3

    choi = np.asarray(SingleRail().process(channel).choi)
    found = np.array([nothing[0], nothing[1], one[0], one[1]]) / 2
    assert choi.diagonal().real == pytest.approx(found, abs=1e-6)
    assert abs(choi[3, 0]) == pytest.approx(abs(half[1, 0]), abs=1e-6)
