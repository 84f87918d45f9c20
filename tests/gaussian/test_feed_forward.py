"""Feed-forward: the conditional covariance of real quadratures by numpy, a search for the best weights by scipy, and the limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from tests.linear.dense import Dense, random_system
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.gaussian.feed_forward import feed_forward
from transduce.linear.system import LinearSystem
from transduce.units import MHz

OMEGA = 0.7
TARGET = {"passive": 1, "signed": 3, "frustrated": 1}
"""The source is port 0, which the target must be joined to without conjugation, and the measured one is port 2."""
SYSTEMS = {graph: random_system(np.random.default_rng(11), graph) for graph in ("passive", "signed", "frustrated")}


def fields(witness, target, detection):
    """(plain, image) of the target at w, of r(w) and of r(-w)^dagger: rows over the ports, then v(w), w(w), v(-w), w(-w)."""
    (n, a), (n_back, a_back) = witness.blocks(OMEGA), witness.blocks(-OMEGA)
    kept, lost = np.sqrt(detection), np.sqrt(1 - detection)
    none = np.zeros(4)
    v, w, v_back, w_back = np.eye(4)
    plain = [np.r_[n[target], none], np.r_[kept * n[2], lost * v], np.r_[kept * a_back[2].conj(), w_back]]
    image = [np.r_[a[target], none], np.r_[kept * a[2], w], np.r_[kept * n_back[2].conj(), lost * v_back]]
    return np.array(plain), np.array(image)


def moments(witness, target, detection):
    """<x_i^dagger x_j> of the three fields, in the written order, the source's own normal term left out."""
    plain, image = fields(witness, target, detection)
    n = np.r_[witness.n, np.zeros(4)]
    normal = np.r_[0.0, n[1:]]
    return np.einsum("ik,k,jk->ij", plain.conj(), normal, plain) + np.einsum("ik,k,jk->ij", image.conj(), n + 1, image)


def heterodyned(witness, target, detection):
    """Normal-ordered photons of the target, given the heterodyne record of o_k at both frequencies: 6 x 6 real covariances by numpy.

    Modes (o_t(w), o_k(w), o_k(-w)); each is a circular Gaussian, with <a_i^dagger a_j> and <a_i a_j> read off the dense solver.
    """
    (n1, a1), (n2, a2) = witness.blocks(OMEGA), witness.blocks(-OMEGA)
    rows = [(n1[target], a1[target], 0), (n1[2], a1[2], 0), (n2[2], a2[2], 1)]
    normal, anomalous = np.zeros((3, 3), complex), np.zeros((3, 3), complex)
    for i, (p, q, side) in enumerate(rows):
        for j, (s, t, other) in enumerate(rows):
            if side == other:
                normal[i, j] = (p.conj() * s) @ witness.n + (q.conj() * t) @ (witness.n + 1)
            else:
                anomalous[i, j] = (p * t) @ (witness.n + 1) + (q * s) @ witness.n
    plus, minus = normal + anomalous, normal - anomalous
    v = np.block([[plus.real, plus.imag], [-minus.imag, minus.real]]) + np.eye(6) / 2  # (x x x p p p)
    loss = np.diag(np.sqrt([1, detection, detection] * 2))
    v = loss @ v @ loss + np.diag([0, 1 - detection, 1 - detection] * 2) / 2
    kept, seen = [0, 3], [1, 2, 4, 5]
    cross = v[np.ix_(kept, seen)]
    left = v[np.ix_(kept, kept)] - cross @ np.linalg.solve(v[np.ix_(seen, seen)] + np.eye(4) / 2, cross.T)
    return np.trace(left) / 2 - 0.5


@pytest.mark.parametrize("graph", SYSTEMS)
def test_what_is_left_is_the_conditional_covariance(graph):
    omega, xi, c, n = SYSTEMS[graph]
    n = np.r_[0.0, n[1:]]  # a cold source: nothing of its own is in the record
    witness, system = Dense(omega, xi, c, n), LinearSystem.from_hamiltonian(omega, xi, c, n)
    eps = np.array([0.0, 0.3, 1.0])
    found = jax.vmap(lambda eps: feed_forward(system, "port0", f"port{TARGET[graph]}", "port2", OMEGA, eps).noise_output)(jnp.asarray(eps))
    np.testing.assert_allclose(found, [heterodyned(witness, TARGET[graph], e) for e in eps], rtol=CLOSED_FORM)
    assert found[2] < found[1] < found[0]


@pytest.mark.parametrize("graph", SYSTEMS)
def test_added_noise_is_the_least_of_all_weights(graph):
    """A search over both complex weights for noise over signal, with a warm source that stands in the record."""
    omega, xi, c, n = SYSTEMS[graph]
    witness, system = Dense(omega, xi, c, n), LinearSystem.from_hamiltonian(omega, xi, c, n)
    noise, signal = moments(witness, TARGET[graph], 0.8), fields(witness, TARGET[graph], 0.8)[0][:, 0]

    def added(x):
        weights = np.r_[1.0, x[:2] + 1j * x[2:]]
        return (weights.conj() @ noise @ weights).real / abs(weights @ signal) ** 2

    best = min((minimize(added, start, tol=1e-14) for start in (np.zeros(4), -0.3 * np.ones(4))), key=lambda one: one.fun)
    found = feed_forward(system, "port0", f"port{TARGET[graph]}", "port2", OMEGA, 0.8).added_noise_input
    np.testing.assert_allclose(found, best.fun, rtol=1e-7)  # a search stops where the value no longer falls in rounding
    assert found < witness.added_noise(0, TARGET[graph], OMEGA)


def membrane(n_m, **given):
    rates = {"kappa_e_ext": 0.9 * MHz, "kappa_e_int": 0.1 * MHz, "kappa_o_ext": 1.6 * MHz, "kappa_o_int": 0.4 * MHz}
    pumps = {"cooperativity_e": 5.0, "cooperativity_o": 3.0}
    return ElectroOptomechanical(**(rates | pumps | {"gamma_m": 1e-3 * MHz, "frequency_m": 5 * MHz, "n_m": n_m} | given))


def test_mechanical_noise_leaves_by_both_ports():
    """On resonance N_j = 4 eta_j C_j n / D^2 at both ports, wholly common: s = N_o / (1 + eps N_e)."""
    ee, eo, ce, co, d, n, eps = 0.9, 0.8, 5.0, 3.0, 9.0, 40.0, 0.6
    found = feed_forward(membrane(n).linear_system(), "microwave", "optical", "microwave", 0.0, eps)
    left = 4 * eo * co * n / d**2 / (1 + eps * 4 * ee * ce * n / d**2)
    np.testing.assert_allclose(found.noise_output, left, rtol=CLOSED_FORM)
    # S_ee = 1 - 2 ee (1 + co) / d and S_oe > 0: the weight takes of the signal too
    record = 1 + eps * 4 * ee * ce * n / d**2
    u_k, u_t = np.sqrt(eps) * (1 - 2 * ee * (1 + co) / d), np.sqrt(4 * ee * eo * ce * co) / d
    kept = (u_t - np.sqrt(eps * eo * co * ee * ce) * 4 * n / d**2 / record * u_k) ** 2
    np.testing.assert_allclose(found.added_noise_input, left / (kept + left * u_k**2 / record), rtol=CLOSED_FORM)


def test_no_detection_changes_nothing_and_perfect_detection_leaves_a_quantum():
    for device in (membrane(40.0, n_e_ext=0.3), membrane(40.0, g0_e=1 * MHz, g0_o=1 * MHz, cooperativity_e=9.0, model="full")):
        system, at = device.linear_system(), device.carrier()
        off = feed_forward(system, "microwave", "optical", "microwave", at, 0.0)
        np.testing.assert_allclose(off.added_noise_input, device.added_noise_input(omega=at), rtol=ALGEBRA)
    hot = feed_forward(membrane(1e9).linear_system(), "microwave", "optical", "microwave", 0.0)
    np.testing.assert_allclose(hot.noise_output, 0.8 * 3 / (0.9 * 5), rtol=1e-6)  # n_m -> oo at 1e9, and 1e-7 of n_m is lost to rounding


def test_gradient_and_refusals():
    def left(n, eps):
        return feed_forward(membrane(n).linear_system(), "microwave", "optical", "microwave", 0.0, eps).noise_output

    a, b = 4 * 0.8 * 3 / 81, 4 * 0.9 * 5 / 81
    found = jax.grad(left, argnums=(0, 1))(40.0, 0.6)
    np.testing.assert_allclose(found, [a / (1 + 0.6 * b * 40) ** 2, -a * b * 1600 / (1 + 0.6 * b * 40) ** 2], rtol=GRADIENT)
    at_rest = jax.grad(left, argnums=1)(40.0, 0.0)
    np.testing.assert_allclose(at_rest, -a * b * 1600, rtol=GRADIENT)
    system = membrane(1.0).linear_system()
    with pytest.raises(ValueError, match="measured must be another port than the target, but is 'optical'"):
        feed_forward(system, "microwave", "optical", "optical", 0.0)
    with pytest.raises(ValueError, match=r"detection must be within 0 and 1, but is 1\.5"):
        feed_forward(system, "microwave", "optical", "microwave", 0.0, 1.5)
