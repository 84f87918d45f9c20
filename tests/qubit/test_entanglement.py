"""What a pair is worth: Werner states and damped pairs in closed form, QuTiP, slopes by matrix logarithms and signs, laws, edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import qutip
import scipy.linalg

from transduce.link.emission import Qubit
from transduce.qubit import bell, distillation, entanglement, memory
from transduce.units import us

from .. import ALGEBRA, CLOSED_FORM, GRADIENT

RANDOM = np.random.default_rng(17)
MEASURES = (entanglement.coherent_information, entanglement.negativity, entanglement.log_negativity)


def _random(rank):
    a = RANDOM.normal(size=(4, rank)) + 1j * RANDOM.normal(size=(4, rank))
    return a @ a.conj().T / np.trace(a @ a.conj().T)


CROSS = np.eye(4) + np.eye(4)[::-1]
STATES = np.array([_random(rank) for rank in (1, 1, 2, 3, 4, 4)] + [_random(rank) * CROSS for rank in (1, 2, 3, 4)])
STATES = np.concatenate([STATES, [bell.werner(f) for f in (0.0, 0.25, 0.4, 0.5, 0.7, 1.0)], np.eye(4)[:, :, None] * np.eye(4)[:, None]])


def _entropies(made):
    return [qutip.entropy_vn(made, 2), qutip.entropy_vn(made.ptrace(0), 2), qutip.entropy_vn(made.ptrace(1), 2)]


def test_values_by_qutip():
    """Pure, mixed, X-shaped and Werner states, and products."""
    found = np.array([jax.jit(jax.vmap(measure))(STATES) for measure in MEASURES])
    for state, (information, negative, logarithmic) in zip(STATES, found.T, strict=True):
        made = qutip.Qobj(state, dims=[[2, 2], [2, 2]])
        both, *one = _entropies(made)
        norm = np.sum(np.abs(qutip.partial_transpose(made, [0, 1]).eigenenergies()))
        # QuTiP drops eigenvalues below its own tolerance of 1e-12
        assert information == pytest.approx(max(one) - both, abs=CLOSED_FORM)
        assert (negative, logarithmic) == pytest.approx(((norm - 1) / 2, np.log2(norm)), abs=ALGEBRA)
        assert logarithmic >= max(information, 0) - ALGEBRA  # no protocol distils more


def test_werner_states():
    """I = 1 + F log F + (1 - F) log[(1 - F)/3], which is 0 at 0.8107 (Bennett 1996); N = max(0, F - 1/2)."""
    f = np.array([1e-9, 0.1, 0.3, 0.6, 0.8, 0.95, 1 - 1e-9])
    for measure, value, slope in (
        (entanglement.coherent_information, 1 + f * np.log2(f) + (1 - f) * np.log2((1 - f) / 3), np.log2(3 * f / (1 - f))),
        (entanglement.negativity, np.maximum(0, f - 0.5), f > 0.5),
        (entanglement.log_negativity, np.log2(np.maximum(1, 2 * f)), (f > 0.5) / (f * np.log(2))),
    ):
        found = jax.vmap(jax.value_and_grad(lambda x, measure=measure: measure(bell.werner(x, "phi-"))))(f)
        np.testing.assert_allclose(found[0], value, rtol=0, atol=ALGEBRA)
        np.testing.assert_allclose(found[1], slope, rtol=2e-8, atol=ALGEBRA)  # 1 - F itself has eight digits at 1e-9
    assert entanglement.coherent_information(bell.werner(0.8107)) == pytest.approx(0, abs=1e-4)


def _damped(gamma):
    """A Bell pair whose second qubit has decayed: the environment holds h(gamma / 2)."""
    rho = jnp.diag(jnp.stack([0.5 + 0 * gamma, 0 * gamma, gamma / 2, (1 - gamma) / 2])) + 0j
    return rho.at[0, 3].set(jnp.sqrt(1 - gamma) / 2).at[3, 0].set(jnp.sqrt(1 - gamma) / 2)


def test_a_damped_pair():
    """I = 1 - h(gamma / 2), sent against the loss; two eigenvalues are 0. N solves 4 x^2 - 2 gamma x = 1 - gamma, x = -N < 0."""
    gamma = np.array([1e-12, 1e-9, 1e-4, 0.1, 0.5, 0.99])
    e, root = gamma / 2, np.sqrt(gamma**2 + 4 * (1 - gamma))
    information = 1 + e * np.log2(e) + (1 - e) * np.log2(1 - e)
    for measure, value, slope in (
        (entanglement.coherent_information, information, 0.5 * np.log2(e / (1 - e))),
        (entanglement.negativity, (root - gamma) / 4, ((gamma - 2) / root - 1) / 4),
    ):
        found = jax.vmap(jax.value_and_grad(lambda x, measure=measure: measure(_damped(x))))(gamma)
        np.testing.assert_allclose(found[0], value, rtol=0, atol=ALGEBRA)
        np.testing.assert_allclose(found[1], slope, rtol=GRADIENT)


def _direction():
    a = RANDOM.normal(size=(4, 4)) + 1j * RANDOM.normal(size=(4, 4))
    return (a + a.conj().T) - np.trace(a + a.conj().T) / 4 * np.eye(4)


def _reduced(matrix, places):
    return np.einsum(places, matrix.reshape(2, 2, 2, 2))


def _turned(matrix):
    return matrix.reshape(2, 2, 2, 2).transpose(0, 3, 2, 1).reshape(4, 4)


def _expected(state, step):
    """Slopes of I and N along a direction, by matrix functions."""
    slopes = []
    for places in ("ijkl->ijkl", "ikjk->ij", "kikj->ij"):
        size = 4 if places == "ijkl->ijkl" else 2
        one, change = (_reduced(matrix, places).reshape(size, size) for matrix in (state, step))
        slopes.append((-np.trace(one @ scipy.linalg.logm(one)).real, -np.trace(change @ scipy.linalg.logm(one)).real / np.log(2)))
    sides = [slope for entropy, slope in slopes[1:] if entropy > max(slopes[1][0], slopes[2][0]) - ALGEBRA]
    return np.mean(sides) - slopes[0][1], np.trace(_turned(step) @ scipy.linalg.signm(_turned(state))).real / 2


def test_slopes_in_any_direction():
    """dS = -tr(d rho log rho) and d||X|| = tr(dX sign X): equal eigenvalues do no harm."""
    states = np.array([STATES[4], STATES[5], STATES[9], bell.werner(0.7), bell.werner(0.4), np.eye(4) / 4])
    steps = np.array([_direction() for _ in states])
    wanted = np.array([_expected(*both) for both in zip(states, steps, strict=True)]).T
    for measure, slopes in zip(MEASURES[:2], wanted, strict=True):
        found = jax.vmap(jax.grad(lambda x, state, step, measure=measure: measure(state + x * step)), (None, 0, 0))(0.0, states, steps)
        np.testing.assert_allclose(found, slopes, rtol=GRADIENT, atol=CLOSED_FORM)


@pytest.mark.parametrize("measure", MEASURES)
def test_slopes_at_pure_states_are_finite(measure):
    """Towards any state; along pure states the slope of I is that of the local entropy; to the mixed state it is steep."""
    pure = np.concatenate([STATES[:2], STATES[-4:], [bell.werner(1.0)], np.full((1, 4, 4), 0.25)])
    slopes = jax.vmap(jax.grad(lambda x, state, to: measure(state + x * (to - state))), (None, 0, None))(0.0, pure, STATES[4])
    assert np.all(np.isfinite(slopes))

    def turned(angle):
        vector = jnp.stack([jnp.cos(angle), 0, 0, jnp.sin(angle)]) + 0j
        return measure(jnp.outer(vector, vector))

    p = np.cos(0.4) ** 2
    wanted = (np.sin(0.8) * np.log2(p / (1 - p)), np.cos(0.8), 2 * np.cos(0.8) / (1 + np.sin(0.8)) / np.log(2))
    assert jax.grad(turned)(0.4) == pytest.approx(wanted[MEASURES.index(measure)], rel=GRADIENT)
    if measure is entanglement.coherent_information:
        assert jax.grad(lambda x: measure(bell.werner(x)))(1.0) > 40


def test_a_leak_is_filled():
    leaky = 0.9 * bell.werner(1.0)
    assert bell.fidelity(entanglement.filled(leaky)) == pytest.approx(0.925, abs=ALGEBRA)
    for measure in MEASURES:
        assert measure(leaky) == pytest.approx(float(measure(bell.werner(0.925))), abs=ALGEBRA)
        assert measure(jnp.zeros((4, 4), complex)) == pytest.approx(float(measure(np.eye(4) / 4)), abs=ALGEBRA)
        assert np.isnan(measure(jnp.full((4, 4), jnp.nan + 0j)))
    with pytest.raises(ValueError, match="trace of state must be at most 1, but is"):
        entanglement.filled(1.1 * bell.werner(1.0))


def test_local_work_and_waiting():
    """Turns of either qubit change nothing, waiting never raises the negativity; a good round of distillation makes pairs worth more."""
    turn, states = np.kron(*(scipy.linalg.expm(1j * _direction()[:2, :2]) for _ in range(2))), STATES[[0, 3, 4, 9]]
    for measure in MEASURES:
        before, after = (jax.vmap(measure)(batch) for batch in (states, turn @ states @ turn.conj().T))
        np.testing.assert_allclose(after, before, rtol=0, atol=ALGEBRA)
    qubit = Qubit(t1=100 * us, t2=70 * us)

    def kept(state, time):
        return entanglement.log_negativity(memory.waited(state, qubit, qubit, memory.FixedWait(time=time)))

    values = jax.vmap(jax.vmap(kept, (None, 0)), (0, None))(states, np.array([0, 3, 30, 90]) * us)
    assert np.all(np.diff(values) <= ALGEBRA)
    better = distillation.distil(bell.werner(0.85), bell.werner(0.85), "dejmps").state
    assert entanglement.coherent_information(better) > entanglement.coherent_information(bell.werner(0.85)) > 0
