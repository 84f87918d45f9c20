"""Memories: states against a master equation, waits against sums over attempts and a Markov chain, slopes at certain success."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.linalg

from transduce.link.emission import Qubit
from transduce.qubit import bell, memory
from transduce.units import us

from .. import ALGEBRA, CLOSED_FORM, GRADIENT

FIRST, SECOND = Qubit(t1=200 * us, t2=150 * us), Qubit(t1=50 * us, t2=100 * us)
T = 10 * us
RANDOM = np.random.default_rng(3)


def _state():
    a = RANDOM.normal(size=(4, 4)) + 1j * RANDOM.normal(size=(4, 4))
    return a @ a.conj().T / np.trace(a @ a.conj().T)


def _master_equation(state, first, second, time):
    """The Lindbladian of both qubits, exponentiated."""
    lower, number, eye = np.array([[0, 1], [0, 0]]), np.diag([0, 1]), np.eye(2)
    generator = np.zeros((16, 16), complex)
    for place, qubit in enumerate((first, second)):
        t1, t2 = float(qubit.t1), float(qubit.t2)
        for jump, rate in ((lower, 1 / t1), (number, 2 * (1 / t2 - 1 / (2 * t1)))):
            c = np.kron(jump, eye) if place == 0 else np.kron(eye, jump)
            cc = c.conj().T @ c
            generator += rate * (np.kron(c, c.conj()) - np.kron(cc, np.eye(4)) / 2 - np.kron(np.eye(4), cc.T) / 2)
    return (scipy.linalg.expm(generator * time) @ state.ravel()).reshape(4, 4)


def test_a_state_by_the_master_equation():
    state = _state()
    for time in (0.0, 30 * us, 400 * us):
        found = memory.waited(state, FIRST, SECOND, memory.FixedWait(time=time))
        np.testing.assert_allclose(found, _master_equation(state, FIRST, SECOND, time), rtol=0, atol=ALGEBRA)


def test_bell_pairs_in_closed_form():
    t = np.linspace(0, 500, 11) * us
    e, k = np.exp(-t / FIRST.t1), np.exp(-2 * t / FIRST.t2)
    for name, wanted in (("psi+", (e + k) / 2), ("psi-", (e + k) / 2), ("phi+", (1 - e + e**2 + k) / 2)):
        found = jax.vmap(
            lambda time, name=name: bell.fidelity(memory.waited(bell.werner(1.0, name), FIRST, FIRST, memory.FixedWait(time=time)), name)
        )(t)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=ALGEBRA)


WAITS = {
    "two": memory.TwoLinkWait(first_probability=0.2, second_probability=0.35, attempt_time=T),
    "two cut": memory.TwoLinkWait(first_probability=0.2, second_probability=0.35, attempt_time=T, cutoff=3),
    "two at once": memory.TwoLinkWait(first_probability=0.2, second_probability=0.35, attempt_time=T, cutoff=0),
    "next": memory.NextPairWait(probability=0.2, attempt_time=T),
    "next cut": memory.NextPairWait(probability=0.2, attempt_time=T, cutoff=4),
}


def _distribution(wait):
    """Attempts waited and their probability, by listing what may happen; the probability that the pair is kept."""
    k = np.arange(1, 400)
    last = 10**6 if wait.cutoff is None else wait.cutoff
    if isinstance(wait, memory.NextPairWait):
        attempts, weight = k, 0.2 * 0.8 ** (k - 1)
    else:
        one, two = np.meshgrid(k, k)
        attempts, weight = abs(one - two).ravel(), (0.2 * 0.8 ** (one - 1) * 0.35 * 0.65 ** (two - 1)).ravel()
    inside = attempts <= last
    kept = weight[inside].sum()
    return attempts[inside] * T, weight[inside] / kept, kept


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_waits_by_listing_the_attempts(wait):
    times, weight, kept = _distribution(wait)
    assert wait.kept == pytest.approx(kept, abs=CLOSED_FORM)
    assert wait.mean == pytest.approx(np.sum(times * weight), rel=CLOSED_FORM, abs=1e-20)  # s, at a cut-off of 0
    rates = np.array([0.0, 1e3, 1e5])
    wanted = [np.sum(weight * np.exp(-r * times)) for r in rates]
    np.testing.assert_allclose(jax.vmap(wait.transform)(rates), wanted, rtol=0, atol=CLOSED_FORM)


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_time_per_pair_by_a_markov_chain(wait):
    """Expected attempts from the empty state: (1 - Q)^{-1} 1, Q the moves between "nothing yet" and "held for so many attempts"."""
    last = 500 if wait.cutoff is None else wait.cutoff
    if isinstance(wait, memory.NextPairWait):
        start, sides = [0.2], [0.2]
        stay = 0.8
    else:
        start, sides = [0.2 * 0.65, 0.35 * 0.8], [0.35, 0.2]
        stay = 0.8 * 0.65
    size = 1 + len(sides) * last
    q = np.zeros((size, size))
    q[0, 0] = stay
    for side, (begin, success) in enumerate(zip(start, sides, strict=True)):
        first = 1 + side * last
        q[0, first if last else 0] += begin
        for age in range(last):
            q[first + age, first + age + 1 if age + 1 < last else 0] += 1 - success
    wanted = np.linalg.solve(np.eye(size) - q, np.ones(size))[0] * T
    assert wait.pair_time == pytest.approx(wanted, rel=CLOSED_FORM)


def test_equal_links_in_closed_form():
    p, s = 0.01, 0.997
    wait = memory.TwoLinkWait(first_probability=p, second_probability=p, attempt_time=1.0)
    assert wait.transform(-jnp.log(s)) == pytest.approx(p / (2 - p) * (1 + (1 - p) * s) / (1 - (1 - p) * s), rel=CLOSED_FORM)
    assert wait.pair_time == pytest.approx((3 - 2 * p) / (p * (2 - p)), rel=CLOSED_FORM)
    rare = memory.TwoLinkWait(first_probability=1e-9, second_probability=1e-9, attempt_time=1.0, cutoff=50)
    with mp.workdps(40):
        q = 1 - mp.mpf(1e-9)
        assert rare.kept == pytest.approx(float(1 - 2 * q**51 / (1 + q)), rel=CLOSED_FORM)


def test_an_exponential_wait_is_the_limit_of_rare_attempts():
    rare = memory.NextPairWait(probability=1e-12, attempt_time=1e-12)
    exponential = memory.ExponentialWait(rate=1.0)
    assert rare.transform(0.7) == pytest.approx(float(exponential.transform(0.7)), rel=1e-11)  # the attempts differ by their length
    assert exponential.mean == pytest.approx(1.0, rel=ALGEBRA)


@pytest.mark.parametrize("cutoff", [None, 3])
def test_slopes_of_the_wait(cutoff):
    """In 40 digits, at small, at middling and at certain success."""

    def transform(p, r):
        q, s = 1 - p, mp.exp(-r)

        def series(x):
            return x / (1 - x) if cutoff is None else mp.fsum(x**j for j in range(1, cutoff + 1))

        return (1 + 2 * series(q * s)) / (1 + 2 * series(q))

    points = [(1.0, 0.3), (0.3, 0.0), (1e-6, 1e-6), (0.6, 2.0)]
    with mp.workdps(40):
        wanted = [[float(mp.diff(transform, point, order)) for order in ((1, 0), (0, 1))] for point in points]

    def ours(x):
        return memory.TwoLinkWait(first_probability=x[0], second_probability=x[0], attempt_time=1.0, cutoff=cutoff).transform(x[1])

    found = jax.jit(jax.vmap(jax.grad(ours)))(jnp.array(points))
    np.testing.assert_allclose(found, wanted, rtol=GRADIENT, atol=ALGEBRA)  # two are 0


def test_bell_coefficients():
    weights = jnp.array([0.5, 0.1, 0.3, 0.1])
    np.testing.assert_allclose(bell.coefficients(bell.bell_diagonal(weights)), weights, rtol=0, atol=ALGEBRA)
    psi = np.array([0, 1, 1, 0]) / np.sqrt(2)
    state = _state()
    assert bell.fidelity(state) == pytest.approx((psi @ state @ psi).real, abs=ALGEBRA)
    np.testing.assert_allclose(bell.werner(0.7), 0.7 * np.outer(psi, psi) + 0.1 * (np.eye(4) - np.outer(psi, psi)), rtol=0, atol=ALGEBRA)


def test_refusals():
    refused = [
        (lambda: memory.FixedWait(time=-1.0), r"FixedWait\.time must be at least"),
        (lambda: memory.ExponentialWait(rate=0.0), r"ExponentialWait\.rate must be above"),
        (lambda: memory.NextPairWait(probability=0.0, attempt_time=T), r"NextPairWait\.probability must be above"),
        (lambda: memory.NextPairWait(probability=0.5, attempt_time=T, cutoff=0), r"NextPairWait\.cutoff must be None or"),
        (lambda: memory.TwoLinkWait(first_probability=0.5, second_probability=0.5, attempt_time=T, cutoff=1.5), r"cutoff must be None"),
        (lambda: bell.werner(1.2), "fidelity must be within 0 and 1"),
        (lambda: bell.fidelity(jnp.eye(4) / 4, "psi"), "bell must be one of"),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
