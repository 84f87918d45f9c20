"""A resolvent's row at many frequencies: against 60 digits over ten decades, LAPACK's derivatives, and one frequency after the other."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA
from tests.linear.test_elimination import chained, exact, skeel
from transduce.linear.resolvent import MANY, resolvent
from transduce.linear.system import LinearSystem, Port


def full(rng, size, damped, decades):
    """As ``chained``, every mode coupled to every other, with detunings."""
    entries, _ = chained(rng, size, damped, decades)
    for i, j in itertools.combinations(range(size), 2):
        hop = 10 ** rng.uniform(-decades / 2, decades / 2) * np.exp(2j * np.pi * rng.uniform())
        entries[i, j], entries[j, i] = 1j * hop, 1j * np.conj(hop)
    return {(i, j): value + 1j * (i == j) * 10 ** rng.uniform(-decades / 2, decades / 2) for (i, j), value in entries.items()}


def asked(entries, z, size, sides):
    """(x alone and beside its gradient, the gradient of Re sum w x with respect to the entries), and w."""
    rng = np.random.default_rng(size)
    weights = rng.normal(size=(size, len(z))) + 1j * rng.normal(size=(size, len(z)))

    def total(values):
        x = jnp.stack(resolvent(dict(zip(entries, values, strict=True)), z, size, sides))
        return jnp.sum(jnp.real(weights * x)), x

    both = jax.jit(lambda values: (total(values)[1], jax.value_and_grad(total, has_aux=True)(values)))
    alone, ((_, x), slopes) = both([jnp.asarray(value) for value in entries.values()])
    return np.stack([alone, x]), dict(zip(entries, map(complex, slopes), strict=True)), weights


def shifted(entries, z):
    return {(i, j): value + (z if i == j else 0.0) for (i, j), value in entries.items()}


def turned(entries):
    return {(j, i): value for (i, j), value in entries.items()}


@pytest.mark.parametrize("drawn", [chained, full])
@pytest.mark.parametrize("size", [4, 5, 6])
def test_ten_decades_of_rates(size, drawn):
    """The value and its adjoint, -sum over the frequencies of lambda_i x_j: a few roundings times the conditions of both."""
    rng = np.random.default_rng(size)
    for _ in range(3):
        found = drawn(rng, size, range(size), 10.0)
        entries, z = found if drawn is full else found[0], -1j * np.array([-3e4, 1e-3, 0.7])
        x, slopes, weights = asked(entries, z, size, [None] * (size - 1) + [1.0 + 0j])
        slope, bound = dict.fromkeys(entries, 0j), dict.fromkeys(entries, 0.0)
        for f, own in enumerate(z):
            matrix = shifted(entries, own)
            truth, adjoint = exact(matrix, size, [0] * (size - 1) + [1]), exact(turned(matrix), size, weights[:, f])
            conditions = skeel(matrix, size, truth), skeel(turned(matrix), size, adjoint)
            assert np.max(np.abs(x[:, :, f] / truth - 1) / conditions[0]) < 1e-15 * size
            for i, j in entries:
                slope[i, j] -= adjoint[i] * truth[j]
                bound[i, j] += abs(adjoint[i] * truth[j]) * (conditions[1][i] + conditions[0][j])
        assert max(abs(slopes[key] - slope[key]) / bound[key] for key in entries) < 1e-15 * size


@pytest.mark.parametrize("size", [4, 6])
def test_modes_without_damping_on_resonance_and_a_full_right_side(size):
    entries, rhs = chained(np.random.default_rng(size), size, {size // 2})
    z = -1j * np.array([0.0, 0.3])
    for sides in ([None, *rhs[1:]], list(rhs)):
        x, slopes, weights = asked(entries, z, size, sides)
        truth = [exact(shifted(entries, own), size, [0 if b is None else b for b in sides]) for own in z]
        adjoint = [exact(turned(shifted(entries, own)), size, weights[:, f]) for f, own in enumerate(z)]
        for way in x:
            np.testing.assert_allclose(way.T, truth, rtol=1e-12)
        for (i, j), slope in slopes.items():
            np.testing.assert_allclose(slope, -sum(a[i] * t[j] for a, t in zip(adjoint, truth, strict=True)), rtol=1e-11)


@pytest.mark.parametrize("size", [4, 6])
def test_derivatives_are_those_of_lapack(size):
    """Forward and reverse, of four rows second ones too, in the entries, the frequencies and the right side, of many designs."""
    rng = np.random.default_rng(size)
    entries, z = full(rng, size, range(size), 1.0), np.linspace(-2.0, 2.0, 5)
    start = np.array([*entries.values()])
    toward = rng.normal(size=start.shape) + 1j * rng.normal(size=start.shape)

    def ours(values, z, b):
        own = dict(zip(entries, values, strict=True))
        return jnp.stack(resolvent(own, -1j * z, size, [None] * (size - 2) + [b, 1.0 if size == 4 else None]))

    def theirs(values, z, b):
        rows, columns = np.array([*entries]).T
        matrix = jnp.zeros((size, size), complex).at[rows, columns].set(values) - 1j * z[:, None, None] * jnp.eye(size)
        side = jnp.zeros(size, complex).at[size - 2].set(b).at[size - 1].set(1.0 if size == 4 else 0.0)
        return jnp.linalg.solve(matrix, jnp.broadcast_to(side[:, None], (len(z), size, 1)))[..., 0].T

    def every(way):
        def total(at):
            x = way(start + (at[0] + at[1] ** 2) * toward, (1 + at[1]) * z, 1.0 + at[2])
            return jnp.sum(jnp.cos(jnp.arange(x.size)).reshape(x.shape) * jnp.abs(x) ** 2)

        many = jnp.array([[0.1, 0.2, 0.3], [0.2, -0.1, 0.1]])
        asks = [jax.grad(total), jax.jacfwd(total), *([jax.jacfwd(jax.grad(total)), jax.jacrev(jax.grad(total))] if size == 4 else [])]
        return jax.jit(lambda: [jax.vmap(ask)(many) for ask in asks])()

    for got, want in zip(every(ours), every(theirs), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-11 * np.max(np.abs(want)))


def test_the_figures_are_those_of_one_frequency_after_the_other():
    """Four full modes, one of them without a bath; the gradient in the design and in a factor of the frequencies, of three designs."""
    names, omega = "abcd", np.linspace(-3.0, 3.0, MANY).reshape(2, -1)
    pairs, rng = list(itertools.combinations(range(4), 2)), np.random.default_rng(4)
    weights = np.cos(3 * omega)
    design = {"rate": rng.uniform(0.3, 1.5, (3, 5)), "n": rng.uniform(0.3, 1.5, (3, 5)), "g": rng.uniform(0.3, 1.5, (3, 6))}

    def merit(one, spread, together):
        ports = {f"loss {name}": Port(name, one["rate"][k], one["n"][k]) for k, name in enumerate("acd")}
        ends = {"in": Port("a", one["rate"][3], one["n"][3]), "out": Port("d", one["rate"][4], one["n"][4])}
        hopping = {(names[i], names[j]): one["g"][k] * jnp.exp(1j * k) for k, (i, j) in enumerate(pairs)}
        it = LinearSystem.build(dict.fromkeys(names, jnp.zeros(())), ends | ports, hopping).conversion("in", "out")
        power, noise = it.figures(spread * omega) if together else jax.vmap(jax.vmap(it.figures))(spread * omega)
        return jnp.sum(weights * (jnp.log(power) + noise**2))

    def slopes(together):
        ask = jax.value_and_grad(lambda one, spread: merit(one, spread, together), (0, 1))
        return jax.jit(jax.vmap(ask, (0, None)))(design, 1.1)

    for got, want in zip(*(jax.tree.leaves(slopes(together)) for together in (True, False)), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=ALGEBRA * np.max(np.abs(want)))
