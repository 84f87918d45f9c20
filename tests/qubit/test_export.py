"""Exports: trace preservation, actions on states, round trips, QuTiP's own measures, and the message without it."""

import importlib
import itertools
import json

import numpy as np
import pytest
import qutip

from transduce.gaussian.channel import ModeChannel
from transduce.qubit import bell, export
from transduce.qubit.encodings import DualRail, SingleRail

from .. import ALGEBRA

CHANNEL = ModeChannel(0.6**0.5, 0.2)
CASES = {
    "single leak": export.choi_with_leak(SingleRail("leak").process(CHANNEL, 0.9, 0.1)),
    "single jc": export.choi_with_leak(SingleRail("jc").process(CHANNEL)),
    "turned": export.choi_with_leak(SingleRail("leak", phase_calibrated=False).process(ModeChannel(0.7 * np.exp(0.4j), 0.01))),
    "ideal": export.choi_with_leak(SingleRail("leak").process(ModeChannel(1.0, 0.0))),
    "dual": export.choi_with_leak(DualRail().process(CHANNEL, 0.9, 0.1)),
    "dual heralded": export.choi_with_leak(DualRail().process(CHANNEL, 0.9, 0.1), heralded=True),
    "unequal": export.choi_with_leak(DualRail().process_unequal(CHANNEL, ModeChannel(0.3, 0.05))),
}
EACH = pytest.mark.parametrize("choi", CASES.values(), ids=CASES)


def _apply(choi, state):
    """E(rho) = 2 tr_in[(rho^T x 1) J/2]."""
    return 2 * np.einsum("ij,ipjq->pq", state, choi.reshape(2, 3, 2, 3))


@EACH
def test_the_trace_is_kept(choi):
    assert np.trace(choi) == pytest.approx(1, abs=ALGEBRA)
    np.testing.assert_allclose(np.einsum("ipjp->ij", choi.reshape(2, 3, 2, 3)), np.eye(2) / 2, rtol=0, atol=ALGEBRA)
    operators = export.kraus(choi)
    np.testing.assert_allclose(sum(k.conj().T @ k for k in operators), np.eye(2), rtol=0, atol=ALGEBRA)
    transfer = export.pauli_transfer(choi)
    np.testing.assert_allclose(transfer[0] + transfer[4], [1, 0, 0, 0], rtol=0, atol=ALGEBRA)


@EACH
def test_round_trips_and_actions(choi):
    operators, transfer = export.kraus(choi), export.pauli_transfer(choi)
    np.testing.assert_allclose(export.choi_of_kraus(operators), choi, rtol=0, atol=ALGEBRA)
    np.testing.assert_allclose(export.choi_of_pauli_transfer(transfer), choi, rtol=0, atol=ALGEBRA)
    paulis = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
    for column, pauli in enumerate(paulis):
        out = sum(k @ pauli @ k.conj().T for k in operators)
        np.testing.assert_allclose(out, _apply(choi, pauli), rtol=0, atol=ALGEBRA)
        rows = [np.trace(row @ out[:2, :2]) / 2 for row in paulis] + [out[2, 2] / 2]
        np.testing.assert_allclose(transfer[:, column], rows, rtol=0, atol=ALGEBRA)


def test_what_the_numbers_mean():
    """Photon loss is amplitude damping; the mean leak and the entanglement fidelity stand in the matrices; dual rail is Pauli."""
    eta = 0.3
    damping = export.pauli_transfer(export.choi_with_leak(SingleRail().process(ModeChannel(eta**0.5, 0.0))))
    wanted = [[1, 0, 0, 0], [0, eta**0.5, 0, 0], [0, 0, eta**0.5, 0], [1 - eta, 0, 0, eta], [0, 0, 0, 0]]
    np.testing.assert_allclose(damping, wanted, rtol=0, atol=ALGEBRA)
    process = DualRail().process(CHANNEL, 0.9, 0.1)
    transfer = export.pauli_transfer(CASES["dual"])
    assert transfer[4, 0] == pytest.approx(float(process.leakage), abs=ALGEBRA)
    assert np.trace(transfer[:4]) / 4 == pytest.approx(float(process.entanglement_fidelity), abs=ALGEBRA)
    given = export.pauli_transfer(CASES["dual heralded"])[:4]
    np.testing.assert_allclose(given, np.diag(np.diag(given)), rtol=0, atol=ALGEBRA)
    assert given[3, 3] == pytest.approx(1 - 2 * float(process.pauli_x + process.pauli_y), abs=ALGEBRA)


@EACH
def test_qutip_agrees(choi):
    made = export.to_qutip(choi)
    for a, b in itertools.product((1, 0.3j), repeat=2):
        vector = np.array([a, b]) / np.hypot(abs(a), abs(b))
        state = qutip.ket2dm(qutip.Qobj(vector))
        out = qutip.vector_to_operator(made @ qutip.operator_to_vector(state)).full()
        np.testing.assert_allclose(out, _apply(choi, np.outer(vector, vector.conj())), rtol=0, atol=ALGEBRA)
    assert made.iscp
    back = qutip.to_choi(made).full()  # columns stacked: index 3 in + out, and twice ours
    np.testing.assert_allclose(back / 2, choi, rtol=0, atol=ALGEBRA)


def test_without_qutip(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"transduce\[interop\]"):
        export.to_qutip(CASES["ideal"])


def test_json():
    state = bell.werner(0.83) * np.exp(0j)
    link = export.network_link(CHANNEL, 1234.5, bell.fidelity(state), state)
    text = export.to_json(link)
    back = export.from_json(text)
    assert back[:4] == link[:4]
    np.testing.assert_array_equal(back.state, link.state)
    assert json.loads(text)["rate_per_second"] == 1234.5
    assert export.from_json(export.to_json(link._replace(state=None))).state is None


def test_refusals():
    single = SingleRail().process(CHANNEL)
    unequal = DualRail().process_unequal(CHANNEL, ModeChannel(0.3, 0.05))
    link = export.network_link(CHANNEL, float("nan"), 0.5)
    refused = [
        (lambda: export.choi_with_leak(single, heralded=True), "heralded must be False"),
        (lambda: export.choi_with_leak(unequal, heralded=True), "the leak must be at least 0"),
        (lambda: export.kraus(np.diag([1.5, -0.5, 0, 0, 0, 0])), "eigenvalues of choi must be at least 0"),
        (lambda: export.to_json(link), "Out of range float"),
        (lambda: export.from_json('{"kind": "other"}'), 'must be a "transduce link"'),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
