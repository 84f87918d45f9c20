r"""Many frequencies at once, with a reverse pass that takes all its sums in one loop.

For real numbers :math:`y_i = f(\theta, \omega_i)` with the Jacobians :math:`J_i = \partial f/\partial\theta`,

.. math:: \dot y_i = J_i \dot\theta, \qquad \bar\theta = \sum_i J_i^T \bar y_i .

Left alone, the right one is a sum over the frequencies for each parameter, and XLA on a CPU makes each a loop of its own, which computes
everything again. Here it is one reduction with as many results. So that forward mode and second derivatives work as well, JAX is told the
transpose of J as that of a linear equation, whose solution is (theta, J theta):

.. math:: \begin{pmatrix} 1 & 0 \\ -J & 1 \end{pmatrix} x = \begin{pmatrix} \dot\theta \\ 0 \end{pmatrix} .
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

Reals = tuple[Array, ...]
Figures = Callable[[Reals, Array], Reals]
"""Real numbers at one frequency."""


def over(function: Callable[[Any, Any], Any], tree: Any, omega: Float[Array, "*m"]) -> Any:
    """A function of some numbers and of one frequency, at one frequency or at many.

    Args:
        function: takes the tree and a frequency, gives numbers.
        tree: of numbers, real or complex; at one frequency, of whatever the function takes.
        omega: rad/s.
    """
    if not jnp.ndim(omega):
        return function(tree, omega)
    kind = jnp.finfo(jnp.result_type(float, omega, *jax.tree.leaves(tree))).dtype
    is_complex, told = jax.tree.map(jnp.iscomplexobj, tree), list[Any]()

    def figures(reals: Reals, omega: Array) -> Reals:
        answer = function(_whole(is_complex, reals), omega)
        told.append(jax.tree.map(jnp.iscomplexobj, answer))
        return _reals(answer, kind)

    found = _over(figures, _reals(tree, kind), jnp.ravel(jnp.asarray(omega, kind)))
    return _whole(told[0], tuple(jnp.reshape(value, jnp.shape(omega)) for value in found))


def pair(function: Callable[[Any, Any], tuple[Any, Any]], tree: Any, omega: Float[Array, "*m"]) -> tuple[Any, Any]:
    """Two real figures that share most of what they need, of a function that takes all frequencies at once.

    XLA on a CPU makes each array a loop of its own, which computes all that it needs; so their values are the two parts of one complex
    array, made in two turns of a loop, across whose border it repeats nothing. Gradients are those of the function as it is.
    """
    kind = jnp.finfo(jnp.result_type(float, omega, *jax.tree.leaves(tree))).dtype
    is_complex = jax.tree.map(jnp.iscomplexobj, tree)
    found = _pair(lambda reals, omega: function(_whole(is_complex, reals), omega), _reals(tree, kind), jnp.ravel(jnp.asarray(omega, kind)))
    return jnp.reshape(found[0], jnp.shape(omega)), jnp.reshape(found[1], jnp.shape(omega))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _pair(function: Callable[[Reals, Array], tuple[Array, Array]], reals: Reals, omega: Array) -> tuple[Array, Array]:
    turns = jnp.append(omega, omega[-1:])[: omega.size + omega.size % 2].reshape(2, -1)
    both = jnp.ravel(jax.lax.map(lambda turn: jax.lax.complex(*function(reals, turn)), turns))[: omega.size]
    return jnp.real(both), jnp.imag(both)


def along(function: Callable[..., Any], primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """``jax.jvp``, in which what has a symbolic zero for its tangent is not moved at all."""
    leaves, structure = jax.tree.flatten(primals)
    slopes = jax.tree.leaves(tangents)
    moves = [not isinstance(slope, SymbolicZero) for slope in slopes]

    def moved(*own: Any) -> Any:
        each = iter(own)
        every = [next(each) if moving else leaf for leaf, moving in zip(leaves, moves, strict=True)]
        return function(*jax.tree.unflatten(structure, every))

    return jax.jvp(moved, tuple(itertools.compress(leaves, moves)), tuple(itertools.compress(slopes, moves)))


_pair.defjvp(along, symbolic_zeros=True)


def _reals(tree: Any, kind: Any) -> Reals:
    """The numbers of a tree, of each complex one its real and its imaginary part, all of one precision."""
    parts = [(jnp.real(one), jnp.imag(one)) if jnp.iscomplexobj(one) else (one,) for one in jax.tree.leaves(tree)]
    return tuple(jnp.asarray(part, kind) for part in itertools.chain(*parts))


def _whole(is_complex: Any, reals: Reals) -> Any:
    """A tree of numbers, given which of them are complex."""
    leaves, structure = jax.tree.flatten(is_complex)
    parts = iter(reals)
    return jax.tree.unflatten(structure, [jax.lax.complex(next(parts), next(parts)) if leaf else next(parts) for leaf in leaves])


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _over(function: Figures, reals: Reals, omega: Array) -> Reals:
    return jax.vmap(function, (None, 0))(reals, omega)


def _over_jvp(function: Figures, primals: tuple, tangents: tuple) -> tuple[Reals, Reals]:
    (reals, omega), (d_reals, d_omega) = primals, tangents
    values = _over(function, reals, omega)
    change = tuple(jnp.zeros_like(value) for value in values)
    if not isinstance(d_omega, SymbolicZero):
        change = jax.vmap(lambda at, d: jax.jvp(lambda at: function(reals, at), (at,), (d,))[1])(omega, d_omega)
    moves = tuple(not isinstance(d, SymbolicZero) for d in d_reals)
    if any(moves):
        pushed = _pushed(function, reals, omega, moves, jnp.stack(list(itertools.compress(d_reals, moves))), len(values))
        change = tuple(one + other for one, other in zip(change, jnp.split(pushed, len(values)), strict=True))
    return values, change


_over.defjvp(_over_jvp, symbolic_zeros=True)


def _pushed(function: Figures, reals: Reals, omega: Array, moves: tuple[bool, ...], tangent: Array, values: int) -> Array:
    """J times the tangent of the numbers that move: of every value at all frequencies, one value behind the other."""
    own, count = tuple(itertools.compress(reals, moves)), sum(moves)

    def at(own: Reals, omega: Array) -> Reals:
        moved = iter(own)
        return function(tuple(next(moved) if moving else still for still, moving in zip(reals, moves, strict=True)), omega)

    @functools.partial(jax.jit, inline=True)  # asked for by the equation and by its solution, traced once
    def push(tangents: Array) -> Array:
        each = jax.vmap(lambda omega: jax.jvp(lambda own: at(own, omega), (own,), (tuple(jnp.unstack(tangents)),))[1])(omega)
        return jnp.concatenate(each)

    def pull(cotangents: Array) -> Array:
        bars = tuple(jnp.split(cotangents, values))
        each = jax.vmap(lambda omega, bar: jax.vjp(lambda own: at(own, omega), own)[1](bar)[0])(omega, bars)
        zeros = (jnp.zeros((), omega.dtype),) * count
        return jnp.stack(jax.lax.reduce(each, zeros, lambda total, one: tuple(map(jnp.add, total, one)), (0,)))

    return jax.lax.custom_linear_solve(
        lambda x: jnp.concatenate([x[:count], x[count:] - push(x[:count])]),
        jnp.concatenate([tangent, jnp.zeros(values * omega.size, tangent.dtype)]),
        lambda _, b: jnp.concatenate([b[:count], b[count:] + push(b[:count])]),
        lambda _, b: jnp.concatenate([b[:count] + pull(b[count:]), b[count:]]),
    )[count:]
