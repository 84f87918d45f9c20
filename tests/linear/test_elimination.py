"""Small linear systems: against NumPy and 50 digits, over ten decades of rates, without damping, and their derivatives."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from tests import ALGEBRA
from transduce.linear.elimination import _lapack, damped_first, solve


def chained(rng, size, damped, decades=2.0):
    """-i w - A of a ring of modes with complex hopping, damping 0 where not damped, at w = 0 and on resonance: (entries, rhs)."""
    rates = 10 ** rng.uniform(-decades / 2, decades / 2, (2, size))
    entries = {(i, i): (rates[0, i] / 2 if i in damped else 0.0) + 0j for i in range(size)}
    for i in range(size):
        j = (i + 1) % size
        if (i, j) not in entries:
            hop = rates[1, i] * np.exp(2j * np.pi * rng.uniform())
            entries[i, j], entries[j, i] = 1j * hop, 1j * np.conj(hop)
    return entries, rng.normal(size=size) + 1j * rng.normal(size=size)


def solved(systems, size, damped=None, single=False):
    """The answers to many (entries, rhs) of one pattern, by one program; a single right side is the last one."""
    keys, held = list(systems[0][0]), {} if damped is None else {"damped": damped}

    @jax.jit
    @jax.vmap
    def all_of(values, rhs):
        sides = [None] * (size - 1) + [rhs[-1]] if single else [rhs[k] for k in range(size)]
        return jnp.stack(solve(dict(zip(keys, values, strict=True)), size, sides, **held))

    assert all(list(entries) == keys for entries, _ in systems)
    return np.asarray(all_of(*(np.array(part) for part in zip(*((list(entries.values()), rhs) for entries, rhs in systems), strict=True))))


def exact(entries, size, rhs):
    with mp.workdps(60):
        matrix = mp.zeros(size, size)
        for key, value in entries.items():
            matrix[key] = mp.mpc(complex(value))
        return np.array([complex(value) for value in mp.lu_solve(matrix, mp.matrix([mp.mpc(complex(b)) for b in rhs]))])


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 8])
def test_any_pattern_of_zeros(size):
    rng = np.random.default_rng(size)
    present = rng.uniform(size=(size, size)) < 0.6
    matrix = (rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))) * present + 4 * size * np.diag(10.0 ** np.arange(size))
    rhs = rng.normal(size=size) + 0j
    entries = {(i, j): matrix[i, j] for i in range(size) for j in range(size) if matrix[i, j] != 0}
    rhs[0] = 0
    found = jax.jit(lambda values, rhs: solve(dict(zip(entries, values, strict=True)), size, [None, *rhs[1:]]))(list(entries.values()), rhs)
    np.testing.assert_allclose(np.stack(found), np.linalg.solve(matrix, rhs), rtol=0, atol=ALGEBRA)


def skeel(entries, size, x):
    """The condition of each component: |M^-1| |M| |x| / |x|."""
    with mp.workdps(60):
        matrix = mp.zeros(size, size)
        for key, value in entries.items():
            matrix[key] = mp.mpc(complex(value))
        inverse = matrix**-1
        whole = [[float(sum(abs(inverse[i, k]) * abs(matrix[k, j]) for k in range(size))) for j in range(size)] for i in range(size)]
    return np.array(whole) @ np.abs(x) / np.abs(x)


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_ten_decades_of_rates(size):
    """One entry on the right: a few roundings times the condition, component by component. (LAPACK: up to 1e8 roundings.)"""
    rng = np.random.default_rng(size)
    systems = [(chained(rng, size, range(size), decades=10.0)[0], np.ones(size)) for _ in range(20)]
    for (entries, _), found in zip(systems, solved(systems, size, single=True), strict=True):
        truth = exact(entries, size, [0] * (size - 1) + [1])
        assert np.max(np.abs(found / truth - 1) / skeel(entries, size, truth)) < 1e-15 * size
        assert np.max(np.abs(found / truth - 1)) < 1e-13


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_six_decades_of_rates_and_a_full_right_side(size):
    """Without its step of refinement elimination misses this by up to seven orders."""
    rng = np.random.default_rng(size)
    systems = [chained(rng, size, range(size), decades=6.0) for _ in range(20)]
    for (entries, rhs), found in zip(systems, solved(systems, size), strict=True):
        truth = exact(entries, size, rhs)
        assert np.max(np.abs(found / truth - 1) / skeel(entries, size, truth)) < 1e-14


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_modes_without_damping_on_resonance(size):
    """Only one mode of the ring is damped, the others are exactly on resonance: in the order of the rows the first pivot would be 0."""
    entries, rhs = chained(np.random.default_rng(size), size, {size // 2})
    for single, sides in ((True, [0.0] * (size - 1) + [rhs[-1]]), (False, rhs)):
        (found,) = solved([(entries, rhs)], size, {size // 2}, single)
        np.testing.assert_allclose(found, exact(entries, size, sides), rtol=1e-12, atol=1e-15)


def test_each_undamped_row_follows_a_neighbour():
    keys = [(0, 1), (1, 2), (2, 3), (3, 4), *((i, i) for i in range(5))]
    assert damped_first(keys, {4}, 5) == (4, 3, 2, 1, 0)
    assert damped_first(keys, range(5), 5) == (0, 1, 2, 3, 4)
    assert damped_first([(0, 0), (1, 1)], set(), 2) == (0, 1)


@pytest.mark.parametrize(("size", "damped"), [(2, {0, 1}), (3, {0, 1, 2}), (4, {0, 1, 2, 3}), (4, {1})])
def test_derivatives_are_those_of_lapack(size, damped):
    """First, forward and reverse, and second ones."""
    entries, rhs = chained(np.random.default_rng(size), size, damped)
    keys, parts = list(entries), np.stack([np.real(list(entries.values())), np.imag(list(entries.values()))])

    def figure(way):
        def at(parts, b):
            x = way(dict(zip(keys, parts[0] + 1j * parts[1], strict=True)), size, [b[k] for k in range(size)])
            return sum((k + 1) * jnp.real(value * jnp.exp(1j * k)) for k, value in enumerate(x))

        return at

    ours, theirs = figure(lambda *a: solve(*a, damped=damped)), figure(_lapack)
    every = [jax.jit(lambda *at, way=way: [ask(way)(*at) for ask in (jax.grad, jax.jacfwd, jax.hessian)]) for way in (ours, theirs)]
    for got, want in zip(*(ask(parts, rhs.real) for ask in every), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-11 * np.max(np.abs(want)))
