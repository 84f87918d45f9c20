"""Distillation: closed forms against the circuit, the circuit against one in numpy with Kraus operators, limits, slopes at no error."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transduce.link.emission import Qubit
from transduce.qubit import bell, distillation, memory
from transduce.units import us

from .. import ALGEBRA, CLOSED_FORM, GRADIENT

RANDOM = np.random.default_rng(5)
PSI = np.array([0, 1, 1, 0]) / np.sqrt(2)


def _state():
    a = RANDOM.normal(size=(4, 4)) + 1j * RANDOM.normal(size=(4, 4))
    return a @ a.conj().T / np.trace(a @ a.conj().T)


STATES = _state(), _state()


def _on(operators):
    """Operators on some of four qubits in the order a1, b1, a2, b2."""
    full = np.eye(1)
    for place in range(4):
        full = np.kron(full, operators.get(place, np.eye(2)))
    return full


def _raw(kept, spent, method, gate_error=0.0, readout_error=0.0):
    """The unnormalised kept pair: Paulis for depolarisation, projectors for readings."""
    x, z = np.array([[0, 1], [1, 0]]), np.diag([1, -1])
    paulis = [np.eye(2), x, 1j * x @ z, z]
    if method == "bbpssw":
        one = np.outer(PSI, PSI)
        kept, spent = ((f := (PSI @ s @ PSI).real) * one + (1 - f) / 3 * (np.eye(4) - one) for s in (kept, spent))
    state = np.kron(kept, spent)
    if method == "dejmps":
        turn, back = (np.eye(2) * np.cos(np.pi / 4) - 1j * sign * np.sin(np.pi / 4) * x for sign in (1, -1))
        u = _on({0: turn, 1: back, 2: turn, 3: back})
        state = u @ state @ u.conj().T
    for control, spare in ((0, 2), (1, 3)):
        cnot = _on({control: np.diag([1, 0])}) + _on({control: np.diag([0, 1]), spare: x})
        state = cnot @ state @ cnot.T
        mixed = sum((u := _on({control: p, spare: q})) @ state @ u.conj().T for p, q in itertools.product(paulis, paulis)) / 16
        state = (1 - gate_error) * state + gate_error * mixed
    out = np.zeros((4, 4), complex)
    for c, d, read_c, read_d in itertools.product((0, 1), repeat=4):
        if (read_c, read_d) == (1, 1) or (method != "epl" and read_c == read_d):
            chance = np.prod([1 - readout_error if true == read else readout_error for true, read in ((c, read_c), (d, read_d))])
            places = [8 * a + 4 * b + 2 * c + d for a, b in itertools.product((0, 1), repeat=2)]
            out += chance * state[np.ix_(places, places)]
    return out


@pytest.mark.parametrize("method", ["bbpssw", "dejmps", "epl"])
def test_the_circuit_in_numpy(method):
    for errors in ((0.0, 0.0), (0.03, 0.02)):
        wanted = _raw(*STATES, method, *errors)
        found = distillation.distil(*STATES, method, *errors)
        assert found.success_probability == pytest.approx(np.trace(wanted).real, abs=ALGEBRA)
        np.testing.assert_allclose(found.state, wanted / np.trace(wanted), rtol=0, atol=ALGEBRA)


@pytest.mark.parametrize("method", ["bbpssw", "dejmps", "epl"])
def test_slopes_at_no_error(method):
    """Success, and success times fidelity, are quadratic in either error: a central difference of any step is exact."""

    def ours(errors):
        found = distillation.distil(*STATES, method, errors[0], errors[1])
        return jnp.stack([found.success_probability, found.success_probability * bell.fidelity(found.state)])

    def witness(*errors):
        raw = _raw(*STATES, method, *errors)
        return np.array([np.trace(raw).real, (PSI @ raw @ PSI).real])

    h = 0.1
    wanted = [(witness(h, 0) - witness(-h, 0)) / (2 * h), (witness(0, h) - witness(0, -h)) / (2 * h)]
    np.testing.assert_allclose(jax.jit(jax.jacfwd(ours))(jnp.zeros(2)), np.transpose(wanted), rtol=GRADIENT, atol=GRADIENT)


def test_closed_forms_are_the_circuit_without_errors():
    fidelities = np.array([0.0, 0.25, 0.6, 0.95, 1.0])

    @jax.vmap
    def both(f):
        found = distillation.distil(bell.werner(f), bell.werner(f), "bbpssw")
        return jnp.stack([bell.fidelity(found.state), found.success_probability]), jnp.stack(distillation.bbpssw(f))

    found, wanted = both(fidelities)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=ALGEBRA)
    weights = np.array([0.6, 0.05, 0.25, 0.1])
    pair = bell.bell_diagonal(jnp.asarray(weights))
    circuit, (formula, success) = distillation.distil(pair, pair, "dejmps"), distillation.dejmps(weights)
    np.testing.assert_allclose(bell.coefficients(circuit.state), formula, rtol=0, atol=ALGEBRA)
    assert success == pytest.approx(float(circuit.success_probability), abs=ALGEBRA)
    for found, wanted in zip(distillation.epl(*STATES), distillation.distil(*STATES, "epl"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=ALGEBRA)


def test_any_bell_state_may_be_the_target_of_a_twirl():
    """A local flip of both pairs goes through a bilateral CNOT."""
    targets: tuple[distillation.Target, ...] = ("psi+", "phi+")
    for name in targets:
        found = distillation.distil(bell.werner(0.8, name), bell.werner(0.8, name), "bbpssw", target=name)
        fidelity = bell.fidelity(found.state, name)
        np.testing.assert_allclose([fidelity, found.success_probability], distillation.bbpssw(0.8), rtol=0, atol=ALGEBRA)


def test_photon_loss_leaves_no_error():
    """q Psi + (1 - q) |11> at any phase: F = 1, p = q^2 / 2, with slopes right at q = 0 and 1."""

    def success(q, phase):
        psi = jnp.array([0, 1, jnp.exp(1j * phase), 0]) / np.sqrt(2)
        state = q * jnp.outer(psi, psi.conj()) + (1 - q) * jnp.diag(jnp.array([0.0, 0, 0, 1]))
        found = distillation.epl(state, state)
        return found.success_probability, bell.fidelity(found.state)

    qs = jnp.array([1e-6, 0.3, 1.0])
    p, f = jax.vmap(success, (0, None))(qs, 0.9)
    np.testing.assert_allclose(p, np.asarray(qs) ** 2 / 2, rtol=ALGEBRA)
    np.testing.assert_allclose(f, np.ones(3), rtol=ALGEBRA)
    slopes = jax.vmap(jax.grad(lambda q: success(q, 0.9)[0]))(jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(slopes, [0.0, 1.0], rtol=0, atol=GRADIENT)
    none = distillation.epl(jnp.diag(jnp.array([1.0, 0, 0, 0])), jnp.diag(jnp.array([1.0, 0, 0, 0])))
    assert none.success_probability == 0
    assert np.isnan(none.state).all()


def test_two_weak_one_click_pairs_are_a_two_click_pair():
    """Whatever the excitation alpha, with N noise photons per signal photon."""

    def fidelity(n, a):
        state = jnp.diag(jnp.stack([(1 - a) ** 2 * n, a * (1 - a) * (0.5 + n), a * (1 - a) * (0.5 + n), a**2 * (1 + n)]))
        state = state.at[1, 2].set(a * (1 - a) / 2).at[2, 1].set(a * (1 - a) / 2)
        return bell.fidelity(distillation.epl(state, state).state)

    n = np.array([0.0, 5e-4, 0.1, 2.0])
    for a in (0.01, 0.5):
        np.testing.assert_allclose(jax.vmap(fidelity, (0, None))(n, a), (1 + 2 * n + 2 * n**2) / (1 + 8 * n + 8 * n**2), rtol=CLOSED_FORM)


def test_rounds():
    """Fidelities and rates by hand; with a memory, the kept pair first waits for the other."""
    pair, rate = bell.werner(0.85), 1e4
    made = distillation.rounds(pair, rate, ("bbpssw", "bbpssw"))
    f1, p1 = distillation.bbpssw(0.85)
    f2, p2 = distillation.bbpssw(f1)
    np.testing.assert_allclose([r.fidelity for r in made], [0.85, f1, f2], rtol=CLOSED_FORM)
    np.testing.assert_allclose([r.rate for r in made], [rate, rate * p1 / 2, rate * p1 * p2 / 4], rtol=CLOSED_FORM)
    a, b = Qubit(t1=200 * us, t2=150 * us), Qubit(t1=50 * us, t2=100 * us)
    stored = distillation.rounds(pair, rate, ("dejmps",), 0.01, 0.02, memories=(a, b))[1]
    kept = memory.waited(pair, a, b, memory.ExponentialWait(rate=rate))
    raw = _raw(np.asarray(kept), np.asarray(pair), "dejmps", 0.01, 0.02)
    assert stored.fidelity == pytest.approx((PSI @ raw @ PSI / np.trace(raw)).real, abs=CLOSED_FORM)
    slope = jax.grad(lambda r: distillation.rounds(pair, r, ("dejmps",), memories=(a, b))[1].fidelity)(rate)
    assert slope > 0


def test_refusals():
    refused = [
        (lambda: distillation.distil(*STATES, "pumping"), "method must be one of"),
        (lambda: distillation.distil(*STATES, "epl", gate_error=-0.1), "gate_error must be within"),
        (lambda: distillation.distil(*STATES, "epl", readout_error=1.1), "readout_error must be within"),
        (lambda: distillation.distil(*STATES, "epl", target="psi-"), "target must be one of"),
        (lambda: distillation.bbpssw(1.5), "fidelity must be within"),
        (lambda: distillation.rounds(STATES[0], 0.0, ()), "rate must be above"),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
