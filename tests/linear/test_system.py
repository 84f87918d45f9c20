"""LinearSystem against a dense solver, and what its graph does: signs, reversal, reciprocity, labels, poles."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from tests import ALGEBRA, CLOSED_FORM
from tests.linear.dense import GRAPHS, Dense, random_system
from transduce.linear.structure import colour
from transduce.linear.system import LinearSystem, Port

LANES, W = 16, 0.37


def numbers(**values):
    """Named values as arrays; ``a_b`` names the edge (a, b)."""
    return {tuple(name.split("_")) if "_" in name else name: jnp.asarray(value) for name, value in values.items()}


@eqx.filter_jit
def _everything(template, matrices):
    def one(omega, xi, c, n):
        system = LinearSystem.from_hamiltonian(omega, xi, c, n, pattern=template)
        source, target, moments = system.ports[0], system.ports[-1], system.covariance()
        pair, scattering = system.pair_moments(source, target, W), system.scattering(jnp.asarray(W))
        return {
            "blocks": jnp.stack(scattering),
            "noise": system.output_noise(jnp.asarray(W)),
            "added": system.added_noise_input(source, target, jnp.asarray(W)),
            "conversion": jnp.stack(system.gate()[0].conversion(source, target).figures(jnp.asarray(W))),
            "pair": jnp.stack([pair.first + 0j, pair.second + 0j, pair.correlation]),
            "moments": jnp.stack([moments.normal, moments.anomalous]),
            "margin": system.stability_margin(),
        }

    return jax.vmap(one)(*matrices)


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_answer_is_the_dense_solvers(graph):
    rng = np.random.default_rng(11)
    drawn = [random_system(rng, graph) for _ in range(LANES)]
    template = LinearSystem.from_hamiltonian(*drawn[0])
    assert (template.signs is None) == (graph == "frustrated")
    found = _everything(template, tuple(jnp.asarray(np.stack(part)) for part in zip(*drawn, strict=True)))
    for k, system in enumerate(drawn):
        dense, last = Dense(*system), len(system[3]) - 1
        pair = [dense.output_noise(W)[0], dense.output_noise(-W)[last], dense.correlation(0, last, W)]
        expected = {"blocks": dense.blocks(W), "noise": dense.output_noise(W), "pair": pair, "moments": dense.moments()}
        for name, value in (expected | {"margin": dense.margin()}).items():
            size = np.abs(np.asarray(value)).max()
            np.testing.assert_allclose(found[name][k], np.asarray(value), rtol=0, atol=CLOSED_FORM * size, err_msg=name)
        if dense.blocks(W)[0][last, 0] != 0:
            added, power = dense.added_noise(0, last, W), abs(dense.blocks(W)[0][last, 0]) ** 2
            np.testing.assert_allclose(found["added"][k], added, rtol=CLOSED_FORM)
            np.testing.assert_allclose(found["conversion"][k], [power, added], rtol=CLOSED_FORM)


@eqx.filter_jit
def _inside(system):
    """Every mode's amplitudes, and the occupations."""
    return [system.internal(mode, jnp.asarray(W)) for mode in system.modes], system.covariance().occupation


@pytest.mark.parametrize("graph", ["frustrated", "signed"])
def test_internal_modes_and_their_spectrum_adds_up_to_the_steady_state(graph):
    drawn = random_system(np.random.default_rng(5), graph)
    system, dense = LinearSystem.from_hamiltonian(*drawn), Dense(*drawn)
    rows, occupation = _inside(system)
    for m, row in enumerate(rows):
        for found, wanted in zip(row, dense.internal(W), strict=True):
            np.testing.assert_allclose([0 if value is None else value for value in found], wanted[m], atol=CLOSED_FORM)

    def spectrum(angle):  # w = 3 tan(angle) carries the whole line
        normal, anomalous = dense.internal(3 * np.tan(angle))
        return 3 / np.cos(angle) ** 2 / (2 * np.pi) * (abs(normal[1]) ** 2 @ dense.n + abs(anomalous[1]) ** 2 @ (dense.n + 1))

    integral = quad(spectrum, -np.pi / 2, np.pi / 2, epsabs=0, epsrel=1e-11, limit=400)[0]
    np.testing.assert_allclose(occupation[1], integral, rtol=CLOSED_FORM)


def test_quadratures_are_a_quantum_covariance():
    moments = LinearSystem.from_hamiltonian(*random_system(np.random.default_rng(8), "frustrated")).covariance()
    v, n = moments.quadratures(), moments.normal.shape[0]
    form = np.kron(np.eye(n), [[0, 1], [-1, 0]])
    assert np.linalg.eigvalsh(v + 0.5j * form).min() > -ALGEBRA
    np.testing.assert_allclose(np.diag(v)[::2] + np.diag(v)[1::2], 2 * moments.occupation + 1, rtol=ALGEBRA)
    a, b = moments.normal[0, 1], moments.anomalous[0, 1]
    np.testing.assert_allclose(v[:2, 2:4], [[(a + b).real, (a + b).imag], [(b - a).imag, (a - b).real]], atol=ALGEBRA)


def test_signs_come_from_the_graph():
    assert colour(3, ((0, 1),), ((1, 2),), ()) == (1, 1, -1)
    assert colour(4, (), ((0, 1),), ()) == (1, -1, 1, 1)
    assert colour(2, (), ((0, 1),), ((0, 0), (0, 1))) is None  # a port that two squeezed modes share
    assert colour(2, (), (), ((0, 0), (0, 1))) == (1, 1)
    assert colour(3, (), ((0, 1), (1, 2), (0, 2)), ()) is None
    assert colour(2, ((0, 1),), ((0, 1),), ()) is None
    assert colour(1, (), ((0, 0),), ()) is None


def test_an_edge_of_value_zero_is_an_edge():
    zero = LinearSystem.build(numbers(a=0.0, b=0.0), {"p": Port("a", 1.0, 0.0)}, squeezing=numbers(a_b=0.0))
    assert zero.active and zero.signs == (1, -1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hamiltonian": np.eye(3)}, r"LinearSystem\.hamiltonian must have shape \(2, 2\), but has \(3, 3\)"),
        ({"squeezing": np.eye(3)}, r"LinearSystem\.squeezing must have shape \(2, 2\)"),
        ({"occupation": np.zeros(2)}, r"LinearSystem\.occupation must have shape \(3,\), but has \(2,\)"),
        ({"hamiltonian": np.array([[0, 1j], [1j, 0]])}, r"LinearSystem\.hamiltonian must be Hermitian, but is not"),
        ({"squeezing": np.array([[0, 1.0], [0, 0]])}, r"LinearSystem\.squeezing must be symmetric, but is not"),
    ],
)
def test_wrong_matrices_are_refused(change, message):
    good = {"hamiltonian": np.eye(2), "squeezing": np.zeros((2, 2)), "coupling": np.ones((3, 2)), "occupation": np.zeros(3)}
    with pytest.raises(ValueError, match=message):
        LinearSystem.from_hamiltonian(**(good | change))


def test_an_unknown_port_is_named():
    with pytest.raises(ValueError, match="no port 'q': the ports are p"):
        LinearSystem.build(numbers(a=0.0), {"p": Port("a", 1.0, 0.0)}).row("q", jnp.zeros(()))


@eqx.filter_jit
def _both(system):
    return jax.vmap(system.scattering)(jnp.array([W, -W]))


def _doubled(system):
    plus, minus = (jax.tree.map(lambda x, k=k: x[k], _both(system)) for k in (0, 1))
    return np.block([[plus.normal, plus.anomalous], [minus.anomalous.conj(), minus.normal.conj()]])


@pytest.mark.parametrize("graph", ["frustrated", "signed"])
def test_reversal(graph):
    omega, xi, c, n = random_system(np.random.default_rng(3), graph)
    forward = _doubled(LinearSystem.from_hamiltonian(omega, xi, c, n))
    backward = _doubled(LinearSystem.from_hamiltonian(omega.conj(), xi.conj(), c.conj(), n))
    j = np.diag(np.repeat([1.0, -1.0], len(n)))
    np.testing.assert_allclose(backward, j @ forward.T @ j, atol=ALGEBRA * max(1, np.abs(forward).max() ** 2))
    np.testing.assert_allclose(forward @ j @ forward.conj().T, j, atol=ALGEBRA * max(1, np.abs(forward).max() ** 2))


def test_signed_equals_doubled():
    rng = np.random.default_rng(2)
    ports = {name: Port(name, rng.uniform(0.5, 2), rng.uniform(0, 3)) for name in "abc"}
    modes = dict(zip("abc", rng.normal(size=3), strict=True))
    edges = {"hopping": {("a", "b"): 0.7 + 0.2j}, "squeezing": {("b", "c"): 0.2 - 0.1j}}
    one, two = (LinearSystem.build(modes, ports, **edges, doubled=doubled) for doubled in (False, True))
    assert one.signs == (1, 1, -1) and two.signs is None

    @eqx.filter_jit
    def answers(system):
        at = jnp.asarray(W)
        spectra = system.scattering(at), system.output_noise(at), system.pair_moments("a", "c", at), system.added_noise_input("a", "b", at)
        return spectra, system.covariance(), system.stability_margin()

    for a, b in zip(jax.tree.leaves(answers(one)), jax.tree.leaves(answers(two)), strict=True):
        np.testing.assert_allclose(a, b, rtol=ALGEBRA, atol=ALGEBRA)


@pytest.mark.parametrize(("phase", "reciprocal"), [(0.0, True), (np.pi, True), (np.pi / 2, False), (0.4, False)])
def test_a_loop_with_a_pump_phase_breaks_reciprocity(phase, reciprocal):
    hopping = {("a", "b"): 0.5, ("b", "c"): 0.5, ("a", "c"): 0.5 * np.exp(1j * phase)}
    ports = {name: Port(name, 1.0, 0.0) for name in "abc"}
    s = np.abs(LinearSystem.build(dict.fromkeys("abc", 0.0), ports, hopping=hopping).scattering(jnp.zeros(())).normal)
    assert np.allclose(s, s.T, atol=ALGEBRA) == reciprocal
    if phase == np.pi / 2:  # the ideal circulator: everything from one port arrives at the next
        np.testing.assert_allclose(np.sort(s, axis=1), [[0, 0, 1]] * 3, atol=ALGEBRA)


@pytest.mark.parametrize("port", ["pa", "pc"])
def test_the_answer_diverges_at_its_poles(port):
    ports = {f"p{name}": Port(name, rate, 0.0) for name, rate in zip("abc", (1, 0.4, 2), strict=True)}
    system = LinearSystem.build(numbers(a=0.3, b=-0.2, c=1.1), ports, hopping=numbers(a_b=0.6), squeezing=numbers(b_c=0.3))
    assert (np.imag(system.poles(port)) < 0).all()
    index, conjugated = system.index(port), system.sign_of(port) < 0
    for pole in system.poles(port):  # a conjugated row continues to complex w as [S(-w*)]*
        at = [np.conj(pole + step) if conjugated else pole + step for step in (1e-4, 1e-5)]
        near, nearer = (abs(system.amplitudes(port, omega).normal[index]) for omega in at)
        np.testing.assert_allclose(nearer / near, 10, rtol=1e-2)  # a simple pole; the next order is the step itself


def test_relabelling_permutes():
    omega, xi, c, n = random_system(np.random.default_rng(21), "frustrated")
    modes, ports = np.array([2, 0, 1]), np.array([3, 1, 0, 2])
    s = _doubled(LinearSystem.from_hamiltonian(omega, xi, c, n))
    moved = LinearSystem.from_hamiltonian(omega[np.ix_(modes, modes)], xi[np.ix_(modes, modes)], c[np.ix_(ports, modes)], n[ports])
    both = np.concatenate([ports, ports + 4])
    np.testing.assert_allclose(_doubled(moved), s[np.ix_(both, both)], atol=ALGEBRA * max(1, np.abs(s).max() ** 2))


def test_a_gated_system_with_other_numbers_is_another():
    """What a traced system has built is not carried over to one made of it."""

    def answers(g):
        ports = {"in": Port("a", 1.0, 0.0), "out": Port("b", 2.0, 0.0)}
        system = LinearSystem.build({"a": 0.0, "b": 0.1}, ports, {("a", "b"): g})
        gated, _ = system.gate()
        changed = dataclasses.replace(gated, hopping=(2 * g,))
        return [one.conversion("in", "out").power(0.0) for one in (system, gated, changed)]

    once, twice = jax.jit(answers)(0.3), jax.jit(answers)(0.6)
    np.testing.assert_allclose(once, [once[0], once[0], twice[0]], rtol=ALGEBRA)
    assert abs(once[0] - twice[0]) > 0.1
