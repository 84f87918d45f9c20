"""Exports: trace preservation, actions on states, round trips, QuTiP's own measures, wrong text, and the message without QuTiP."""

import importlib
import itertools
import json

import numpy as np
import pytest
import qutip

from transduce.gaussian.channel import ModeChannel
from transduce.link.emission import Qubit
from transduce.qubit import bell, export
from transduce.qubit.detector import Detector
from transduce.qubit.encodings import DualRail, SingleRail
from transduce.qubit.heralding import one_click
from transduce.qubit.pairs import pair_click, squeezed_pair

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
    for call in (lambda: export.to_qutip(CASES["ideal"]), lambda: export.to_qutip_pair(np.eye(4) / 4)):
        with pytest.raises(ModuleNotFoundError, match=r"transduce\[interop\]"):
            call()


OTHER = ModeChannel(0.5 * np.exp(0.3j), 0.05)
PAIR = one_click(CHANNEL, OTHER, 0.1, 0.15, Detector(efficiency=0.9, dark_probability=1e-5))
LEAKY = pair_click(squeezed_pair(0.05, CHANNEL, CHANNEL), squeezed_pair(0.05, CHANNEL, CHANNEL))


@pytest.mark.parametrize("herald", [PAIR, LEAKY], ids=["one click", "pairs, which leak"])
def test_a_pair_in_qutip(herald):
    """The first qubit is node a, the trace tells the leak, and QuTiP's fidelity is ours."""
    made = export.to_qutip_pair(herald.state())
    assert made.dims == [[2, 2], [2, 2]]
    assert made.tr() == pytest.approx(float(herald.weight), abs=ALGEBRA)
    excited = qutip.ket2dm(qutip.basis(2, 1))
    populations = herald.populations / herald.probability
    assert qutip.expect(qutip.tensor(excited, qutip.qeye(2)), made) == pytest.approx(float(populations[2] + populations[3]), abs=ALGEBRA)
    phase = np.exp(-1j * np.angle(complex(herald.coherence)))
    ket = (qutip.tensor(qutip.basis(2, 0), qutip.basis(2, 1)) + phase * qutip.tensor(qutip.basis(2, 1), qutip.basis(2, 0))).unit()
    assert qutip.expect(qutip.ket2dm(ket), made) == pytest.approx(float(herald.fidelity), abs=ALGEBRA)
    np.testing.assert_array_equal(made.full(), herald.state())


def _same(back, link):
    np.testing.assert_array_equal(back.state, link.state)
    assert back._replace(state=None) == link._replace(state=None)


def test_json():
    state = bell.werner(0.83) * np.exp(0j)
    link = export.network_link(CHANNEL, 1234.5, bell.fidelity(state), state)
    text = export.to_json(link)
    _same(export.from_json(text), link)
    assert json.loads(text)["rate_per_second"] == 1234.5
    assert export.from_json(export.to_json(link._replace(state=None))).state is None


def test_json_of_a_heralded_protocol():
    """What a simulator plays: every digit comes back, the names are fixed, and a source of pairs has no efficiency."""
    memory, seconds = Qubit(t1=1e-4 / 3, t2=2e-5 / 7), 1e-5 / 3
    link = export.network_link(
        CHANNEL,
        PAIR.success_probability / seconds,
        PAIR.fidelity,
        PAIR.state(),
        channel_b=OTHER,
        protocol="one-click",
        success_probability=PAIR.success_probability,
        attempt_duration=seconds,
        memory_a=memory,
        memory_b=Qubit(t1=1.0, t2=1.0),
    )
    text = export.to_json(link)
    _same(export.from_json(text), link)
    record = json.loads(text)
    assert list(record) == [
        *("kind", "version", "protocol", "efficiency", "noise_output", "rate_per_second", "fidelity", "efficiency_b", "noise_output_b"),
        *("success_probability", "attempt_duration_s", "memory_a", "memory_b", "state"),
    ]
    assert (record["version"], record["protocol"], record["efficiency_b"]) == (2, "one-click", pytest.approx(0.25, rel=ALGEBRA))
    assert record["memory_a"] == {"t1_s": 1e-4 / 3, "t2_s": 2e-5 / 7}
    pairs = export.network_link(squeezed_pair(0.05, CHANNEL, CHANNEL), 10.0, LEAKY.fidelity, LEAKY.state(), protocol="pair-click")
    assert (pairs.efficiency, pairs.noise_output) == (None, None)
    _same(export.from_json(export.to_json(pairs)), pairs)


def test_the_first_version_is_still_read():
    old = {
        "kind": "transduce link",
        "version": 1,
        "efficiency": 0.6,
        "noise_output": 0.2,
        "rate_per_second": 5,
        "fidelity": 0.9,
        "state": None,
    }
    assert export.from_json(json.dumps(old)) == export.NetworkLink(0.6, 0.2, 5.0, 0.9)


def _spoilt(**change):
    link = export.network_link(CHANNEL, 10.0, 0.9, np.eye(4) / 4, protocol="one-click", memory_a=Qubit(t1=1.0, t2=1.0))
    return json.dumps(json.loads(export.to_json(link)) | change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[]", "TypeError"),
        ("[" * 100_000, "RecursionError"),
        ('{"kind": "other"}', "KeyError: 'version'"),
        (_spoilt(version=3), "kind is 'transduce link', version 3"),
        (_spoilt(kind="x" * 1000), "kind is 'xxxx"),
        (_spoilt()[:-30], "JSONDecodeError"),
        (_spoilt().replace('"fidelity": 0.9', '"fidelity": NaN'), "fidelity must be a finite number within 0 and 1, but is nan"),
        (_spoilt().replace('"fidelity": 0.9', '"fidelity": 1.5'), "fidelity must be a finite number within 0 and 1, but is 1.5"),
        (_spoilt().replace("10.0", "1" * 5000), "rate must be a finite number at least 0, but is inf"),
        (_spoilt(rate_per_second="10"), "rate must be a finite number at least 0, but is '10'"),
        (_spoilt(rate_per_second=None), "rate must be a finite number at least 0, but is None"),
        (_spoilt(efficiency=True), "efficiency must be a finite number at least 0, but is True"),
        (_spoilt(protocol=7), "protocol must be a name or None, but is 7.0"),
        (_spoilt(memory_a={"t1_s": -1, "t2_s": 1}), "memory_a.t1 must be a finite number at least 0, but is -1.0"),
        (_spoilt(memory_a=[1, 1]), "TypeError"),
        (_spoilt(state={"re": [[1]], "im": [[0]]}), "re and im of state must be 4 x 4 numbers"),
        (_spoilt(state={"re": [["1"] * 4] * 4, "im": [[0] * 4] * 4}), "re and im of state must be 4 x 4 numbers"),
        (_spoilt(state={"re": (np.eye(4) / 2).tolist(), "im": np.zeros((4, 4)).tolist()}), "state must be a 4 x 4 density matrix"),
    ],
)
def test_wrong_text_is_one_clear_line(text, message):
    with pytest.raises(ValueError, match='must be a "transduce link" of version 1 or 2: ') as caught:
        export.from_json(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_refusals():
    single = SingleRail().process(CHANNEL)
    unequal = DualRail().process_unequal(CHANNEL, ModeChannel(0.3, 0.05))
    link = export.network_link(CHANNEL, float("nan"), 0.5)
    refused = [
        (lambda: export.choi_with_leak(single, heralded=True), "heralded must be False"),
        (lambda: export.choi_with_leak(unequal, heralded=True), "the leak must be at least 0"),
        (lambda: export.kraus(np.diag([1.5, -0.5, 0, 0, 0, 0])), "eigenvalues of choi must be at least 0"),
        (lambda: export.to_json(link), "NetworkLink.rate must be a finite number at least 0, but is nan"),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
