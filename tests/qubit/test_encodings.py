"""Encodings: the reference cases, matrices as witness, laws over a batch, and derivatives against complex steps."""

import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from tests.reference.qubit import FUNCTIONS
from transduce.gaussian.channel import ModeChannel
from transduce.numerics import sqrt
from transduce.qubit.encodings import Convention, DualRail, SingleRail, TimeBin

from . import fock

REFERENCE = 1e-9
CASES = json.loads((Path(__file__).parents[1] / "reference_cases/qubit.json").read_text(encoding="utf-8"))["cases"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)
ENCODINGS: dict[str, Any] = {**{name: SingleRail(name) for name in CONVENTIONS}, "dual": DualRail(), "bin": TimeBin()}
WITNESSED = [(0.6, 0.2), (1.0, 0.0), (0.3, 0.0), (0.0, 0.3), (1.3, 0.3)]
JITTER, COHERENCE = 0.3, 0.9


def _channel(eta: Any, n: Any, theta: Any = 0.0) -> ModeChannel:
    return ModeChannel(sqrt(eta) * jnp.exp(1j * theta), n)


@pytest.mark.parametrize("case", [case for case in CASES if case["function"] in FUNCTIONS], ids=lambda case: case["name"])
def test_reference_cases(case):
    ours = FUNCTIONS[case["function"]](case["inputs"])
    assert ours.keys() == case["outputs"].keys()
    for key, wanted in case["outputs"].items():
        np.testing.assert_allclose(ours[key], wanted, rtol=0, atol=max(REFERENCE * np.abs(wanted).max(), ALGEBRA), err_msg=key)


# Witnesses: matrices


def _receive(convention: str, matrix: np.ndarray) -> np.ndarray:
    """A qubit from the field's matrix, by the receiver's convention; jc by the swap unitary itself."""
    two, rest = matrix[:2, :2].copy(), np.trace(matrix[2:, 2:])
    if convention == "jc":
        levels = len(matrix)
        lower, spin = np.diag(np.sqrt(np.arange(1, levels)), 1), np.array([[0, 1], [0, 0]])  # a, and |g><e| with g first
        swap = expm(np.pi / 2 * (np.kron(spin.T, lower) - np.kron(spin, lower.T)))
        full = swap @ np.kron(np.diag([1, 0]), matrix) @ swap.T
        return np.trace(full.reshape(2, levels, 2, levels), axis1=1, axis2=3)
    return two + rest * {"leak": np.zeros((2, 2)), "clip": np.diag([0, 1]), "ground": np.diag([1, 0]), "mixed": np.eye(2) / 2}[convention]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_single_rail_agrees_with_matrices(convention):
    encoding, theta = SingleRail(convention, phase_calibrated=False), 0.4
    answer = jax.jit(lambda eta, n: encoding.process(_channel(eta, n, theta), COHERENCE, JITTER))
    for eta, n in WITNESSED:
        ours = answer(eta, n)
        blocks = [[_receive(convention, fock.channel(eta, n, theta, p, q, 40)) for q in (0, 1)] for p in (0, 1)]
        dephased = np.kron(np.array([[1, COHERENCE * np.exp(-(JITTER**2) / 2)]] * 2), np.ones((2, 2)))
        dephased[2:] = dephased[2:, [2, 3, 0, 1]]
        wanted = np.block(blocks) / 2 * dephased
        bell = np.array([1, 0, 0, 1]) / 2**0.5
        np.testing.assert_allclose(ours.choi, wanted, rtol=0, atol=CLOSED_FORM)
        np.testing.assert_allclose(ours.entanglement_fidelity, (bell @ wanted @ bell).real, rtol=CLOSED_FORM)
        np.testing.assert_allclose(ours.leakage, 1 - np.trace(wanted).real, rtol=0, atol=CLOSED_FORM)


def _two_mode_witness(one, two, v):
    """(J/2 in the codewords |10>, |01>; probability of vacuum; of more than one photon), means over inputs."""
    element = {
        (c, p, q): fock.channel(case[0], case[1], 0.0, p, q, 50) for c, case in enumerate((one, two)) for p in (0, 1) for q in (0, 1)
    }
    words, choi, vacuum = ((1, 0), (0, 1)), np.zeros((4, 4), complex), 0.0
    for i, (pa, pb) in enumerate(words):
        vacuum += (element[0, pa, pa][0, 0] * element[1, pb, pb][0, 0]).real / 2
        for j, (qa, qb) in enumerate(words):
            for k, (ma, mb) in enumerate(words):
                for m, (ra, rb) in enumerate(words):
                    kept = 1 if i == j else v
                    choi[2 * i + k, 2 * j + m] = kept * element[0, pa, qa][ma, ra] * element[1, pb, qb][mb, rb] / 2
    return choi, vacuum, 1 - vacuum - np.trace(choi).real


def _check_two_rails(ours, one, two, v):
    choi, vacuum, many = _two_mode_witness(one, two, v)
    bell, success = np.array([1, 0, 0, 1]) / 2**0.5, np.trace(choi).real
    paulis = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
    errors = [(bell @ np.kron(np.eye(2), s) @ choi @ np.kron(np.eye(2), s) @ bell).real / success for s in paulis]
    np.testing.assert_allclose(ours.choi, choi, rtol=0, atol=CLOSED_FORM)
    np.testing.assert_allclose(ours.choi_heralded, choi / success, rtol=0, atol=CLOSED_FORM)
    np.testing.assert_allclose(ours.entanglement_fidelity, (bell @ choi @ bell).real, rtol=CLOSED_FORM)
    np.testing.assert_allclose(ours.entanglement_fidelity_heralded, (bell @ choi @ bell).real / success, rtol=CLOSED_FORM)
    np.testing.assert_allclose([ours.pauli_x, ours.pauli_y, ours.pauli_z], errors, rtol=0, atol=CLOSED_FORM)
    wanted = [success, 1 - success, vacuum, many]
    found = [ours.success_probability, ours.leakage, ours.vacuum_probability, ours.multi_photon_probability]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=CLOSED_FORM)


@pytest.mark.parametrize("encoding", [DualRail(), TimeBin()])
def test_two_uses_agree_with_matrices(encoding):
    answer = jax.jit(lambda eta, n: encoding.process(_channel(eta, n, 0.4), COHERENCE, JITTER))
    for case in WITNESSED:
        _check_two_rails(answer(*case), case, case, COHERENCE**2 * np.exp(-(JITTER**2)))


def test_unequal_rails_agree_with_matrices():
    answer = jax.jit(
        lambda a, b: DualRail().process_unequal(_channel(*a), _channel(b[0], b[1], 1.0), COHERENCE, differential_phase_jitter=JITTER)
    )
    for one, two in pairwise(WITNESSED):
        _check_two_rails(answer(one, two), one, two, COHERENCE**2 * np.exp(-(JITTER**2) / 2))


def test_jitter_is_a_mean_over_phases():
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    uncalibrated = SingleRail(phase_calibrated=False)
    rotated = jax.jit(jax.vmap(lambda theta: uncalibrated.process(_channel(0.7, 0.1, theta)).choi))(JITTER * nodes)
    ours = SingleRail().process(_channel(0.7, 0.1), phase_jitter=JITTER).choi
    np.testing.assert_allclose(ours, np.tensordot(weights, rotated, 1), rtol=0, atol=ALGEBRA)


def test_white_jitter_counts_twice_between_two_uses():
    for encoding in (DualRail(), TimeBin()):
        white = encoding.process(_channel(0.7, 0.1), phase_jitter=JITTER)
        stated = encoding.process(_channel(0.7, 0.1), phase_jitter=9.9, differential_phase_jitter=2**0.5 * JITTER)
        np.testing.assert_allclose(white.choi, stated.choi, rtol=ALGEBRA)


# Laws over a batch

RNG = np.random.default_rng(7)
ETA = np.concatenate([RNG.uniform(0, 1.5, 192), 10 ** RNG.uniform(-8, 0, 64)])
LIMIT = np.maximum(0, ETA - 1)
NOISE = LIMIT + np.where(RNG.random(256) < 0.2, 0, 10 ** RNG.uniform(-6, 0.7, 256))


def _value_and_slope(encoding):
    def heralded_or_not(eta, n):
        process = encoding.process(_channel(eta, n), COHERENCE, JITTER)
        heralded = process.entanglement_fidelity_heralded
        return process.entanglement_fidelity if heralded is None else heralded, process

    return jax.jit(jax.vmap(jax.value_and_grad(heralded_or_not, argnums=1, has_aux=True)))(ETA, NOISE)


@pytest.mark.parametrize("name", ENCODINGS)
def test_laws(name):
    (fidelity, process), slope = _value_and_slope(ENCODINGS[name])
    assert np.linalg.eigvalsh(process.choi).min() > -ALGEBRA
    np.testing.assert_allclose(np.trace(process.choi, axis1=1, axis2=2), 1 - process.leakage, rtol=0, atol=ALGEBRA)
    probabilities = [fidelity, process.entanglement_fidelity, process.average_fidelity, process.leakage, process.multi_photon_probability]
    if name in ("dual", "bin"):
        assert np.linalg.eigvalsh(process.choi_heralded).min() > -ALGEBRA
        np.testing.assert_allclose(np.trace(process.choi_heralded, axis1=1, axis2=2), 1, rtol=0, atol=ALGEBRA)
        rest = [process.vacuum_probability, process.success_probability, process.multi_photon_probability]
        np.testing.assert_allclose(sum(rest), 1, rtol=0, atol=ALGEBRA)
        errors = [process.pauli_x, process.pauli_y, process.pauli_z]
        np.testing.assert_allclose(1 - sum(errors), fidelity, rtol=0, atol=ALGEBRA)
        probabilities += [*rest, *errors, process.average_fidelity_heralded]
    assert np.min(probabilities) >= -ALGEBRA  # g - eta is rounding at quantum-limited gain
    assert np.max(probabilities) <= 1 + ALGEBRA
    if name in ("leak", "dual", "bin"):
        assert np.all(slope <= ALGEBRA), "hotter must not help"
    assert np.isfinite(slope).all()


def test_the_unheralded_fidelity_rises_with_noise_below_one_ninth():
    def fidelity(eta, n):
        return DualRail().process(_channel(eta, n)).entanglement_fidelity

    eta = np.linspace(0, 1, 11)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(fidelity, 1), (0, None)))(eta, 0.0), (1 - 9 * eta) / 2, rtol=0, atol=CLOSED_FORM)


def test_limits():
    noise = np.array([0.0, 0.1, 1.0, 5.0])  # eta -> 0 at fixed n/eta; the next order is eta
    weak: Any = jax.jit(jax.vmap(lambda ratio: DualRail().process(_channel(1e-12, 1e-12 * ratio))))(noise)
    np.testing.assert_allclose(weak.entanglement_fidelity_heralded, (1 + noise / 2) / (1 + 2 * noise), rtol=CLOSED_FORM)
    np.testing.assert_allclose([weak.pauli_x, weak.pauli_y], [weak.pauli_z, weak.pauli_z], rtol=CLOSED_FORM)  # depolarising
    cold: Any = SingleRail().process(_channel(0.49, 0.0))
    np.testing.assert_allclose([cold.entanglement_fidelity, cold.leakage], [1.7**2 / 4, 0], rtol=ALGEBRA)
    # Rare phase errors keep their digits: p_z = sigma^2 / 2 at n = 0, where 1 - F has none.
    quiet: Any = TimeBin().process(_channel(0.5, 0.0), phase_jitter=1e-10)
    np.testing.assert_allclose(quiet.pauli_z, 0.5e-20, rtol=CLOSED_FORM)


def test_average_fidelity_is_the_mean_over_six_inputs():
    inputs = np.array([[1, 0], [0, 1], *([2**-0.5, 2**-0.5 * phase] for phase in (1, -1, 1j, -1j))])  # a 2-design

    def kept(choi):  # <psi| E(|psi><psi|) |psi> and tr E, per input
        blocks = 2 * np.asarray(choi).reshape(2, 2, 2, 2)  # in, out, in', out'
        out = np.einsum("sp,pmqr,sq->smr", inputs, blocks, inputs.conj())
        return np.einsum("sm,smr,sr->s", inputs.conj(), out, inputs).real, np.trace(out, axis1=1, axis2=2).real

    for process in (SingleRail().process(_channel(0.7, 0.2)), DualRail().process(_channel(0.7, 0.2))):
        np.testing.assert_allclose(process.average_fidelity, kept(process.choi)[0].mean(), rtol=ALGEBRA)
    unequal: Any = DualRail().process_unequal(_channel(0.7, 0.2), _channel(0.4, 0.05), phase_jitter=JITTER)
    right, success = kept(unequal.choi)
    np.testing.assert_allclose(unequal.average_fidelity_heralded, right.mean() / success.mean(), rtol=ALGEBRA)


# Derivatives


def _single_rail_real(convention, eta, n):
    """Single rail in numpy, for complex steps; theta = 0."""
    g = 1 + n
    coherent = COHERENCE * np.exp(-(JITTER**2) / 2) * np.sqrt(eta) / g**2
    p = np.array([[1 / g, (g - eta) / g**2], [n / g**2, (eta + n * (g - eta)) / g**3]])  # p[out, in]
    rest = 1 - p.sum(axis=0)
    if convention == "jc":
        k, x = np.arange(400), n / g
        from_photon = [(j * eta * x ** max(j - 1, 0) / g + (g - eta) * x**j) / g**2 for j in k]
        excited = np.sin(np.sqrt(k) * np.pi / 2) ** 2
        swap = np.sqrt(k + 1) * np.cos(np.sqrt(k) * np.pi / 2) * np.sin(np.sqrt(k + 1) * np.pi / 2)
        powers = np.array([x**j for j in k])
        return (1 - excited @ powers / g + excited @ np.array(from_photon) + 2 * coherent * (swap @ powers)) / 4
    gain = {"leak": 0, "clip": rest[1], "ground": rest[0], "mixed": (rest[0] + rest[1]) / 2}[convention]
    return (p[0, 0] + p[1, 1] + gain + 2 * coherent) / 4


def _two_uses_real(heralded, eta, n):
    """Dual rail in numpy, for complex steps."""
    g, v = 1 + n, COHERENCE**2 * np.exp(-(JITTER**2))
    a, b, c = (eta + n * (g - eta)) / g**4, n * (g - eta) / g**4, eta * v / g**4
    return (a + c) / (2 * (a + b)) if heralded else (a + c) / 2


def _two_uses(heralded):
    def fidelity(eta, n):
        process = TimeBin().process(_channel(eta, n), COHERENCE, JITTER)
        return process.entanglement_fidelity_heralded if heralded else process.entanglement_fidelity

    return fidelity


def _single_rail(convention: Convention):
    return lambda eta, n: SingleRail(convention).process(_channel(eta, n), COHERENCE, JITTER).entanglement_fidelity


FIGURES: dict[str, tuple[Any, Any]] = {
    **{name: (_single_rail(name), partial(_single_rail_real, name)) for name in CONVENTIONS},
    "heralded": (_two_uses(True), partial(_two_uses_real, True)),
    "unheralded": (_two_uses(False), partial(_two_uses_real, False)),
}
POINTS = np.array(
    [(0.3, 0.1), (0.9, 0.02), (1.0, 0.0), (1.0, 0.3), (0.5, 0.0), (1.4, 0.4), (0.01, 1.5), (1e-6, 1e-7), (0.0, 0.2), (0.0, 0.0)]
)
"""(eta, n): the inside and every edge."""


@pytest.mark.parametrize("name", FIGURES)
def test_gradients(name):
    ours, real = FIGURES[name]
    slopes = np.array(jax.jit(jax.vmap(jax.grad(ours, (0, 1))))(*POINTS.T)).T
    step = 1e-30j
    for (eta, n), (by_eta, by_n) in zip(POINTS, slopes, strict=True):
        if name == "heralded" and eta == n == 0:
            assert by_eta == by_n == 0  # the value is NaN there: see the test below
            continue
        np.testing.assert_allclose(by_n, real(eta, n + step).imag / 1e-30, rtol=GRADIENT, atol=GRADIENT)
        if name in CONVENTIONS and eta == 0:
            assert by_eta > 1e40  # sqrt(eta): the derivative diverges
        else:
            np.testing.assert_allclose(by_eta, real(eta + step, n).imag / 1e-30, rtol=GRADIENT, atol=GRADIENT)


def test_without_any_light_the_heralded_fidelity_is_nan_and_the_rest_is_not():
    process: Any = DualRail().process(_channel(0.0, 0.0))
    assert np.isnan([process.entanglement_fidelity_heralded, process.average_fidelity_heralded, process.pauli_z]).all()
    assert [process.success_probability, process.entanglement_fidelity] == [pytest.approx(0, abs=1e-80)] * 2
    assert process.vacuum_probability == 1


def test_a_known_coherence_derivative():
    # dF/dc: 2 sqrt(eta)/(4 g^2) for single rail, eta c/g^4 for time bin; both jitters have slope 0 at 0.
    def fidelity(encoding, coherence, jitter):
        return encoding.process(_channel(0.64, 0.1), coherence, jitter).entanglement_fidelity

    for encoding, wanted in ((SingleRail(), 0.4 / 1.1**2), (TimeBin(), 0.64 * COHERENCE / 1.1**4)):
        slopes = jax.grad(fidelity, (1, 2))(encoding, COHERENCE, 0.0)
        np.testing.assert_allclose(slopes, [wanted, 0], rtol=GRADIENT)


@pytest.mark.parametrize("name", ENCODINGS)
def test_traced_equals_eager(name):
    def process(channel):
        return ENCODINGS[name].process(channel, COHERENCE, JITTER)

    eager, traced = process(_channel(0.8, 0.05)), jax.jit(process)(_channel(0.8, 0.05))
    jax.tree.map(lambda one, two: np.testing.assert_allclose(one, two, rtol=0, atol=ALGEBRA), eager, traced)
    assert (eager.average_fidelity_heralded is None) == (name in CONVENTIONS)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"SingleRail.convention must be one of leak, .*, but is 'drop'"):
        SingleRail("drop")
    for encoding in (SingleRail(), DualRail()):
        with pytest.raises(ValueError, match=r"coherence must be within 0 and 1, but is 1.1"):
            encoding.process(_channel(0.5, 0.1), coherence=1.1)
