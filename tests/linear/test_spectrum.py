"""Many frequencies at once against one after the other: values, first and second derivatives each way, and the one sum of the reverse."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from tests import ALGEBRA, GRADIENT
from transduce.linear.conversion import Conversion
from transduce.linear.path import Path
from transduce.linear.spectrum import over, pair
from transduce.linear.system import LinearSystem, Port

OMEGA = np.linspace(-3.0, 3.0, 11)
WEIGHTS = np.cos(np.arange(11))
ROW, LOOP, FOUR = "row", "loop", "loop of four"
_RNG = np.random.default_rng(8)
_DESIGN, _TREE = ravel_pytree({name: _RNG.uniform(0.3, 1.5, size) for name, size in {"rate": 6, "n": 6, "g": 4, "d": 4}.items()})


def conversion(design: Any, kind: str) -> Path | Conversion:
    one, names = _TREE(design), "abcd" if kind == FOUR else "abc"
    baths = {f"loss {name}": Port(name, one["rate"][k], one["n"][k]) for k, name in enumerate(names)}
    ends = {"in": Port("a", one["rate"][4], one["n"][4]), "out": Port(names[-1], one["rate"][5], one["n"][5])}
    pairs = [*itertools.pairwise(names), *([] if kind == ROW else [(names[0], names[-1])])]
    detuning = {name: one["d"][k] for k, name in enumerate(names)}
    return LinearSystem.build(detuning, ends | baths, {pair: one["g"][k] for k, pair in enumerate(pairs)}).conversion("in", "out")


def merit(design: Any, spread: Any, weight: Any, kind: str, together: bool) -> Any:
    it = conversion(design, kind)
    assert isinstance(it, Path) == (kind == ROW)
    power, noise = it.figures(spread * OMEGA) if together else jax.vmap(it.figures)(spread * OMEGA)
    return weight * (jnp.log(power) + noise**2) @ WEIGHTS


def close(ours: Any, theirs: Any, tolerance: float = ALGEBRA) -> None:
    for got, want in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * np.max(np.abs(want)))


@pytest.mark.parametrize("kind", [ROW, LOOP, FOUR])
def test_the_same_as_one_after_the_other(kind):
    """Also of many designs, whose reverse passes run together, and in the frequencies and in a factor that the design is not."""

    def each(together):
        own = lambda *at: merit(*at, kind, together)  # noqa: E731
        one, every = (_DESIGN, 1.1, 0.7), _DESIGN * np.linspace(0.9, 1.1, 3)[:, None]
        return jax.jit(lambda: [jax.value_and_grad(own, (0, 1, 2))(*one), jax.vmap(jax.grad(own), (0, None, None))(every, 1.1, 0.7)])()

    close(each(True), each(False))


def resonance(tree: Any, omega: Any) -> Any:
    return tree[0] / (tree[1] - 1j * omega)


def test_second_derivatives_each_way():
    """Of the numbers, the frequencies and a factor, all at once: four orders of forward and reverse, and no ``over`` at all."""

    def along(ask):
        def at(t, s):
            found = ask(resonance, ((1 + t) * (0.3 - 0.8j), 0.6 + t * s + s), (1 + t - s) * OMEGA)
            return (1 + t * s) * jnp.log(jnp.abs(found) ** 2) @ WEIGHTS

        return at

    def every(ask):
        turns = (jax.jacfwd, jax.jacrev)
        return jax.jit(lambda: [outer(inner(along(ask), 0), 1)(0.2, 0.3) for outer in turns for inner in turns])()

    close(every(over), every(lambda function, tree, omega: function(tree, omega)))


def test_complex_numbers_against_a_closed_form():
    """Of sum |a/(b - i w)|^2 with complex a and real b, in Wirtinger's convention of JAX: d/da = 2 conj(a) sum 1/(b^2 + w^2)."""

    def total(a, b):
        return jnp.sum(jnp.abs(over(resonance, (a, b), OMEGA)) ** 2)

    a, b = 0.3 - 0.8j, 0.6
    slopes = jax.grad(total, (0, 1))(a, b)
    shape = 1 / (b**2 + OMEGA**2)
    close(slopes, (2 * np.conj(a) * shape.sum(), -2 * b * abs(a) ** 2 * (shape**2).sum()))


def test_a_gradient_against_complex_step():
    """Of a row's efficiency, by NumPy: |det M|^2 is det (R, -I; I, R) of the parts of M, which is analytic in the design."""

    def efficiency(x):
        one, total = {name: x[place] for name, place in places.items()}, 0.0
        loss = one["rate"][:3] + np.array([one["rate"][4], 0.0, one["rate"][5]])
        for omega, weight in zip(OMEGA, WEIGHTS, strict=True):
            parts = np.diag(loss / 2), np.diag(one["d"][:3] - omega) + np.diag(one["g"][:2], 1) + np.diag(one["g"][:2], -1)
            whole = np.linalg.det(np.block([[parts[0], -parts[1]], [parts[1], parts[0]]]))
            total = total + weight * one["rate"][4] * one["rate"][5] * np.prod(one["g"][:2]) ** 2 / whole
        return total

    places = {name: np.asarray(place, int) for name, place in _TREE(jnp.arange(float(_DESIGN.size))).items()}
    steps = [np.imag(efficiency(np.asarray(_DESIGN) + 1e-30j * unit)) / 1e-30 for unit in np.eye(_DESIGN.size)]
    close(jax.jit(jax.grad(lambda design: conversion(design, ROW).figures(OMEGA)[0] @ WEIGHTS))(_DESIGN), np.array(steps), GRADIENT)


def test_the_reverse_pass_sums_once():
    """One reduction over the frequencies with a result per parameter that moves; one after the other there is one for each."""

    def sums(together):
        text = jax.jit(jax.grad(lambda at: merit(at, 1.0, 1.0, ROW, together))).lower(_DESIGN).as_text()
        return sum("stablehlo.reduce(" in line and f"tensor<{OMEGA.size}xf64>" in line for line in text.splitlines())

    assert (sums(True), sums(False) > 10) == (1, True)


def test_the_precision_and_the_shape_of_what_is_given():
    found = over(resonance, (np.complex64(1j), np.float32(2.0)), np.zeros((2, 3), np.float32))
    assert (found.dtype, found.shape) == (np.complex64, (2, 3)) and np.all(found == 0.5j)


@pytest.mark.parametrize("count", [1, 6, 11])
def test_a_pair_is_what_its_function_says(count):
    """Values, of one design and of several, and first and second derivatives in the numbers and the frequencies, kept still or moved."""
    omega = OMEGA[:count]

    def figures(tree, omega):
        found = resonance(tree, omega)
        return jnp.abs(found) ** 2, tree[1] * jnp.imag(found) + omega

    def merit(ask):
        def at(a, b, omega):
            power, noise = ask(figures, (a, b), omega)
            return jnp.sum(power * noise) + jnp.sum(noise**2)

        return at

    def every(ask):
        own, several = merit(ask), jnp.linspace(0.2, 0.9, 3)
        slopes = [jax.grad(own, which)(0.3 - 0.8j, 0.6, omega) for which in (0, 1, 2)]
        second = jax.jacfwd(jax.grad(own, (1, 2)), 1)(0.3 - 0.8j, 0.6, omega)
        return ask(figures, (0.3 - 0.8j, 0.6), omega), jax.vmap(lambda b: ask(figures, (0.3 - 0.8j, b), omega))(several), slopes, second

    close(jax.jit(lambda: every(pair))(), jax.jit(lambda: every(lambda function, tree, omega: function(tree, omega)))())


@pytest.mark.parametrize("shape", [(70,), (71,), (5, 14)])
def test_full_systems_at_many_frequencies_say_the_same_as_at_each(shape):
    """Four modes in a loop, from as many frequencies on as are answered in pairs."""
    omega = np.linspace(-3.0, 3.0, int(np.prod(shape))).reshape(shape)

    def each(design):
        return jax.vmap(conversion(design, FOUR).figures)(omega.ravel())

    own, known = jax.jit(lambda: (conversion(_DESIGN, FOUR).figures(omega), each(_DESIGN)))()
    assert all(one.shape == shape for one in own)
    close([one.ravel() for one in own], known)
