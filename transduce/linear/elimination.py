"""Small linear systems with a static pattern of zeros, solved by their minors; larger ones by LAPACK.

Cramer's rule, x_c = det(M with column c replaced by b) / det M, up to six rows. With b as one more column, the minors of the first rows
are expanded along the next one, each minor once, over the non-zero entries only,

    D(rows 0..m, columns S) = sum_k (-1)^(m+k) M[m, s_k] D(rows 0..m-1, S without s_k) .

Nothing is divided but the answer: the error of each component is a few roundings times its own condition, for rates that differ by ten
decades and for modes without damping, where elimination loses digits with row exchanges and without. It fuses over a batch of
frequencies. Larger systems are scaled and go to LAPACK.

The derivative is that of the equation, not of the steps: with M x = b, one more solve gives dx = M^-1 (db - dM x), and one transposed
solve its adjoint, an outer product. Their right sides are full, for which elimination is shorter; it has no exchanges, damped rows first.
Sources: Skeel, J. ACM 26, 494 (1979) and Math. Comput. 35, 817 (1980), for the condition and for what one step of refinement does; Giles,
Collected matrix derivative results for forward and reverse mode algorithmic differentiation (2008), section 2.3.
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from ..numerics import abs2, dense

Key = tuple[int, int]
Entries = dict[Key, Complex[Array, ""]]
"""A square matrix by its structurally non-zero entries."""

EXPANDED, FULL = 6, 3
"""Rows of the largest system that is written out, and of the largest whose minors are used for a full right side: with one entry in b
six full rows take 186 products, with six entries 434, which XLA repeats for each answer."""


def reciprocal(z: Complex[Array, "*f"]) -> Complex[Array, "*f"]:
    """1/z by one real division, of numbers whose squares float64 holds."""
    size = 1 / abs2(z)
    return jax.lax.complex(jnp.real(z) * size, -jnp.imag(z) * size)


def _by_minors(entries: Entries, size: int, rhs: Sequence) -> list:
    rows = sorted(range(size), key=lambda row: rhs[row] is not None)  # a sign of all minors, which cancels
    minors: dict[tuple[int, ...], Any] = {(): None}
    for depth, row in enumerate(rows):
        known, minors = minors, {}
        own = {column: entries[row, column] for column in range(size) if (row, column) in entries}
        own |= {} if rhs[row] is None else {size: rhs[row]}
        for columns in itertools.combinations(range(size + 1), depth + 1):
            total: Any = None
            for place, column in enumerate(columns):
                rest = columns[:place] + columns[place + 1 :]
                if column not in own or rest not in known:
                    continue
                term = own[column] if known[rest] is None else own[column] * known[rest]
                plus = (depth + place) % 2 == 0
                total = (term if plus else -term) if total is None else total + term if plus else total - term
            if total is not None:
                minors[columns] = total
    every = tuple(range(size + 1))
    inverse = reciprocal(minors[every[:-1]])
    signed = [minors.get(every[:column] + every[column + 1 :]) for column in range(size)]
    return [0.0 * inverse if value is None else (-1) ** (size - 1 - column) * value * inverse for column, value in enumerate(signed)]


def damped_first(keys: Iterable[Key], damped: Iterable[int], size: int) -> tuple[int, ...]:
    """The damped rows in their order, then the others, each behind a row that it is joined to, so that it has a pivot on resonance."""
    order, joined = [row for row in range(size) if row in set(damped)], {frozenset(key) for key in keys}
    waiting = [row for row in range(size) if row not in order]
    while waiting:
        near = [row for row in waiting if any(frozenset((row, other)) in joined for other in order)] or waiting
        order.append(near[0])
        waiting.remove(near[0])
    return tuple(order)


class _Factors(NamedTuple):
    """M = L U without row exchanges, in an order of the rows: L below the diagonal of ``entries``, U on it and above."""

    entries: Entries
    inverse: dict[int, Any]
    order: tuple[int, ...]

    @classmethod
    def of(cls, entries: Entries, order: tuple[int, ...]) -> "_Factors":
        a, inverse = dict(entries), {}
        for place, pivot in enumerate(order):
            inverse[pivot] = reciprocal(a[pivot, pivot])
            for row in (row for row in order[place + 1 :] if (row, pivot) in a):
                a[row, pivot] = a[row, pivot] * inverse[pivot]
                for column in (column for column in order[place + 1 :] if (pivot, column) in a):
                    change = a[row, pivot] * a[pivot, column]
                    a[row, column] = a[row, column] - change if (row, column) in a else -change
        return cls(a, inverse, order)

    def solve(self, b: Sequence) -> list:
        """M^-1 b, once."""
        x = list(b)
        for place, row in enumerate(self.order):
            x[row] = x[row] - sum(self.entries[row, other] * x[other] for other in self.order[:place] if (row, other) in self.entries)
        for place, row in reversed(list(enumerate(self.order))):
            after = sum(self.entries[row, other] * x[other] for other in self.order[place + 1 :] if (row, other) in self.entries)
            x[row] = (x[row] - after) * self.inverse[row]
        return x


def _product(keys: Iterable[Key], size: int, values: Iterable, x: Sequence) -> tuple:
    total: list[Any] = [0.0] * size
    for (row, column), value in zip(keys, values, strict=True):
        total[row] = total[row] + value * x[column]
    return tuple(total)


def _lapack(entries: Entries, size: int, rhs: Sequence) -> list:
    matrix = dense(entries, size)
    vector = jnp.stack([jnp.asarray(0.0 if value is None else value, complex) for value in rhs])
    # The scale cancels from the answer, so its derivative is zero exactly.
    weight = jax.lax.stop_gradient(jnp.sqrt(jnp.maximum(jnp.max(jnp.abs(matrix), axis=0), 1e-300)))
    scaled = matrix / weight[:, None] / weight[None, :]
    return list(jnp.linalg.solve(scaled, vector / weight) / weight)


class Shape(NamedTuple):
    """What is static of an equation: where M has entries, how many rows, and which of them are damped."""

    keys: tuple[Key, ...]
    size: int
    damped: tuple[int, ...]

    def solved(self, rows: tuple[int, ...], values: tuple, given: tuple) -> tuple:
        """By minors where few products do, else by elimination; where couplings close a loop, refined once: that makes up for exchanges."""
        entries, known = dict(zip(self.keys, values, strict=True)), dict(zip(rows, given, strict=True))
        if self.size <= FULL or len(rows) == 1:
            return tuple(_by_minors(entries, self.size, [known.get(row) for row in range(self.size)]))
        b = [known.get(row, jnp.zeros_like(given[0])) for row in range(self.size)]
        order = damped_first(self.keys, self.damped, self.size)

        def correct(_: Any, x: tuple) -> tuple:
            left = [one - other for one, other in zip(b, _product(self.keys, self.size, values, x), strict=True)]
            return tuple(one + other for one, other in zip(x, _Factors.of(entries, order).solve(left), strict=True))

        if self.loopless and len((factors := _Factors.of(entries, order)).entries) == len(entries):
            return tuple(factors.solve(b))
        # A loop, although it factors twice: it is the one thing across which XLA does not repeat what it has computed, row by row.
        return jax.lax.fori_loop(0, 2, correct, tuple(jnp.zeros_like(one) for one in b))

    @property
    def loopless(self) -> bool:
        """Whether the couplings are at most those of a tree."""
        return len({frozenset(key) for key in self.keys if key[0] != key[1]}) < self.size

    def turned(self) -> "Shape":
        """Of the transposed equation."""
        return self._replace(keys=tuple((column, row) for row, column in self.keys))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _solved(shape: Shape, rows: tuple[int, ...], values: tuple, given: tuple) -> tuple:
    return shape.solved(rows, values, given)


@_solved.defjvp
def _solved_jvp(shape: Shape, rows: tuple[int, ...], primals: tuple, tangents: tuple) -> tuple:
    (values, given), (d_values, d_given) = primals, tangents
    x = _solved(shape, rows, values, given)
    change = [-value for value in _product(shape.keys, shape.size, d_values, x)]
    for row, d_value in zip(rows, d_given, strict=True):
        change[row] = change[row] + d_value
    # JAX transposes only where every component is a tangent, so each gets one, of which nothing is left.
    some = jnp.where(False, sum((*d_values, *d_given)), 0.0)
    change = [value + some for value in change]
    return x, _linear(shape, values, tuple(jnp.asarray(value, x[0].dtype) for value in change))


def _linear(shape: Shape, values: tuple, rhs: tuple) -> tuple:
    """The same with a full right side, linear in it: its transpose is the transposed equation."""
    every = tuple(range(shape.size))
    return jax.lax.custom_linear_solve(
        lambda x: _product(shape.keys, shape.size, values, x),
        rhs,
        lambda _, b: shape.solved(every, values, b),
        lambda _, b: shape.turned().solved(every, values, b),
    )


def solve(entries: Entries, size: int, rhs: Sequence, damped: Iterable[int] | None = None) -> list:
    """The x of M x = b.

    Args:
        entries: M, by its non-zero entries.
        size: the number of rows.
        rhs: b, None for a structural zero.
        damped: the rows with damping of their own, by their structure, which are eliminated first; None: all.
    """
    if size > EXPANDED:
        return _lapack(entries, size, rhs)
    given = {row: jnp.asarray(value, complex) for row, value in enumerate(rhs) if value is not None}
    values = tuple(jnp.asarray(value, complex) for value in entries.values())
    shape = Shape(tuple(entries), size, tuple(range(size) if damped is None else sorted(damped)))
    return list(_solved(shape, tuple(given), values, tuple(given.values())))
