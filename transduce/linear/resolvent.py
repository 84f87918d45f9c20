r"""One row of a resolvent at many frequencies: the x of :math:`(B + z_f)\, x_f = b` for full systems of up to six rows.

Only the diagonal m of :math:`M = B + z` knows the frequency. With the minors N of the couplings alone, the diagonal of B left out,

.. math:: N(U; r, c) = B_{rc} P(U) - \sum_{t \in U} B_{rt} N(U \setminus t; t, c), \quad P(U \cup r) = N(U; r, r), \quad P(\varnothing) = 1,

(rows U and r, columns U and c, both in this order), which are the same at all frequencies, those of M are affine in each entry of m,

.. math:: N_M(U; r, c) = \sum_{T \subseteq U} N(T; r, c) \prod_{i \in U \setminus T} m_i ,

and likewise P; so are its cofactors, :math:`C_{rr} = P_M` of all but r and :math:`C_{rc} = -N_M` of all but r and c from c to r. Then

.. math:: x_c = \frac{1}{\det M} \sum_r C_{rc} b_r , \qquad \det M = \sum_c M_{rc} C_{rc} .

Nothing is divided but the answer, as in ``elimination``. Each component is a turn of one loop: XLA on a CPU repeats nothing across its
border. The derivative is that of the equation, :math:`M \dot x = \dot b - \dot B x - \dot z x`, for all frequencies at once: the adjoint
of B is one product of two matrices, where entry by entry it is as many sums over the frequencies.
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Complex

from ..numerics import dense
from .elimination import Entries, Shape, reciprocal
from .spectrum import along

Minor = tuple[tuple[int, ...], int, int]
"""(U, r, c) of a minor N; where r is c, of a principal one, r is the least of its rows."""

MANY = 32
"""Frequencies from which on this is sooner, also for one design: the minors cost as much for one frequency as for all."""

Matrix = Complex[Array, "n n"]
Spectrum = Complex[Array, " f"]
Spectra = Complex[Array, "n f"]


def _key(rows: Iterable[int], r: int, c: int) -> Minor:
    least, *others = sorted((*rows, r)) if r == c else (r, *sorted(rows))
    return tuple(others), least, least if r == c else c


@functools.cache
def _levels(size: int) -> tuple[dict[Minor, int], ...]:
    """The minors that the cofactors need, by the number of rows in U, each with its place."""
    levels = []
    for count in range(size - 1):
        pairs = [(r, c, [k for k in range(size) if k not in (r, c)]) for r, c in itertools.permutations(range(size), 2)]
        keys = [(rows, r, c) for r, c, others in pairs for rows in itertools.combinations(others, count)]
        keys += [(rows[1:], rows[0], rows[0]) for rows in itertools.combinations(range(size), count + 1)]
        levels.append({key: place for place, key in enumerate(keys)})
    return tuple(levels)


@functools.cache
def _terms(size: int, count: int) -> tuple[Any, Any]:
    """For each minor of a level the entries of B and the minors of the level before, term by term; the entry n^2 is a zero."""
    level, before = _levels(size)[count], _levels(size)[count - 1]
    entries, minors = np.full((count + 1, len(level)), size**2), np.zeros((count + 1, len(level)), int)
    for place, (rows, r, c) in enumerate(level):
        if r != c:
            entries[0, place], minors[0, place] = size * r + c, before[_key(rows[1:], rows[0], rows[0])]
        for term, t in enumerate(rows, 1):
            entries[term, place], minors[term, place] = size * r + t, before[_key((k for k in rows if k != t), t, c)]
    return entries, minors


def _minors(base: Matrix) -> Complex[Array, " k"]:
    """1 = P of no row, then all levels, one behind the other."""
    size, entries = len(base), jnp.append(jnp.ravel(base), 0.0)
    found = [entries[np.array([size * r + c if r != c else size**2 for _, r, c in _levels(size)[0]])]]
    for count in range(1, size - 1):
        own, before = _terms(size, count)
        first, *others = (entries[one] * found[-1][other] for one, other in zip(own, before, strict=True))
        found.append(first - sum(others))
    return jnp.concatenate([jnp.ones(1, base.dtype), *found])


@functools.cache
def _places(size: int, others: tuple[int, ...], ends: tuple[int, int] | None) -> tuple[int, ...]:
    """Where ``_minors`` has N(U; r, c), or P(U) without ends, for every subset U of the others: the bit k of its number is others[k]."""
    starts = np.cumsum([1, *map(len, _levels(size))])
    found = []
    for number in range(2 ** len(others)):
        rows = [row for k, row in enumerate(others) if number >> k & 1]
        if ends is None and not rows:
            found.append(0)
            continue
        key = _key(rows, *ends) if ends is not None else _key(rows[1:], rows[0], rows[0])
        found.append(int(starts[len(key[0])]) + _levels(size)[len(key[0])][key])
    return tuple(found)


def _affine(constants: Any, diagonal: Sequence[Spectrum]) -> Any:
    """sum over U of constants[U] times the product of the diagonal outside U."""
    values = list(constants)
    for m in diagonal:
        values = [inside + m * outside for outside, inside in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def _cofactors(minors: Any, diagonal: Any, z: Spectrum, row: int) -> Spectra:
    """C_rc of one row: in equal turns, for which its own, which has one entry of the diagonal more, is taken in two."""
    size = len(diagonal)
    first, *others = [k for k in range(size) if k != row]
    own = np.array(_places(size, (first, *others), None))
    rests = [tuple(k for k in (first, *others) if k != c) for c in (first, *others)]
    places = np.array([_places(size, rest, (c, row)) for c, rest in zip((first, *others), rests, strict=True)])
    constants = jnp.concatenate([-minors[places], minors[np.stack([own[::2], own[1::2]])]])

    def one(at: tuple) -> Spectrum:
        constants, m = at
        return _affine(jnp.unstack(constants), [value + z for value in jnp.unstack(m)])

    found = jax.lax.map(one, (constants, diagonal[np.array([*rests, others, others])]))
    return jnp.insert(found[:-2], row, found[-1] + (diagonal[first] + z) * found[-2], axis=0)


def _numerators(minors: Any, diagonal: Any, z: Spectrum, b: Spectra, scale: Spectrum, turned: bool) -> Spectra:
    """x times det M and a scale, or that of the transposed equation: the component comes last."""
    size = len(diagonal)
    orders = (np.arange(size)[:, None] + np.arange(1, size + 1)) % size
    own, others = [], []
    for *rest, c in orders.tolist():
        own.append(_places(size, tuple(rest), None))
        others.append([_places(size, tuple(k for k in rest if k != r), (r, c) if turned else (c, r)) for r in rest])

    def one(at: tuple) -> Spectrum:
        order, own, others, m = at
        side, m = [jax.lax.dynamic_index_in_dim(b, k, keepdims=False) for k in order], [value + z for value in jnp.unstack(m)]
        total = side[-1] * _affine(jnp.unstack(own), m)
        for k, constants in enumerate(others):
            total = total - side[k] * _affine(jnp.unstack(constants), m[:k] + m[k + 1 :])
        return total * scale

    return jax.lax.map(one, (orders, minors[np.array(own)], minors[np.array(others)], diagonal[orders[:, :-1]]))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _apart(rows: tuple[int, ...], base: Matrix, z: Spectrum, given: Array, minors: Any) -> tuple[Spectra, Spectrum]:
    """x, and 1/det M, which has no derivative, as the minors have none."""
    row, diagonal = rows[0], jnp.diagonal(base)
    cofactors = _cofactors(minors, diagonal, z, row)
    inverse = reciprocal(z * cofactors[row] + sum(entry * value for entry, value in zip(base[row], cofactors, strict=True)))
    if len(rows) == 1:
        return jax.lax.map(lambda cofactor: cofactor * (inverse * given[0]), cofactors), inverse
    b = np.eye(len(base), dtype=base.dtype)[:, rows] @ given
    return _numerators(minors, diagonal, z, jnp.broadcast_to(b[:, None], cofactors.shape), inverse, False), inverse


def _apart_jvp(rows: tuple[int, ...], primals: tuple, tangents: tuple) -> tuple[tuple, tuple]:
    (base, z, given, minors), (d_base, d_z, d_given, _) = primals, tangents
    x, inverse = _apart(rows, base, z, given, minors)
    change = jnp.zeros_like(x) if isinstance(d_base, SymbolicZero) else -d_base @ x
    change = change if isinstance(d_z, SymbolicZero) else change - d_z * x
    if not isinstance(d_given, SymbolicZero):
        change = change + np.eye(len(base), dtype=base.dtype)[:, rows] @ d_given[:, None]
    diagonal, at, scale, minors = jax.lax.stop_gradient((jnp.diagonal(base), z, inverse, minors))
    d_x = jax.lax.custom_linear_solve(
        lambda x: base @ x + z * x,
        change,
        lambda _, b: _numerators(minors, diagonal, at, b, scale, False),
        lambda _, b: _numerators(minors, diagonal, at, b, scale, True),
    )
    return (x, inverse), (d_x, jnp.zeros_like(inverse))


_apart.defjvp(_apart_jvp, symbolic_zeros=True)


def _base(shape: Shape, values: tuple) -> Matrix:
    return dense(dict(zip(shape.keys, values, strict=True)), shape.size)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _asked(shape: Shape, rows: tuple[int, ...], values: tuple, z: Spectrum, given: tuple, unit: Any) -> tuple[Spectrum, ...]:
    """Asked for the values alone, without a border: each of their consumers then has what it needs in a loop of its own."""
    base, side = _base(shape, values) * unit, [value * unit for value in given]
    if len(rows) > 1:
        return tuple(_apart(rows, base, z, jnp.stack(side), _minors(base))[0])
    (row,), minors, diagonal = rows, _minors(base), [entry + z for entry in jnp.unstack(jnp.diagonal(base))]

    def cofactor(column: int) -> Spectrum:
        rest = tuple(k for k in range(shape.size) if k not in (row, column))
        places = _places(shape.size, rest, None if row == column else (column, row))
        value = _affine(jnp.unstack(minors[np.array(places)]), [diagonal[k] for k in rest])
        return value if row == column else -value

    found = [cofactor(column) for column in range(shape.size)]
    inverse = reciprocal(z * found[row] + sum(entry * value for entry, value in zip(base[row], found, strict=True)))
    return tuple(value * (inverse * side[0]) for value in found)


def _asked_jvp(shape: Shape, rows: tuple[int, ...], primals: tuple, tangents: tuple) -> tuple[tuple, tuple]:
    def apart(values: tuple, z: Spectrum, given: tuple, unit: Any) -> tuple:
        base = _base(shape, values) * unit
        x, _ = _apart(rows, base, z, jnp.stack(given) * unit, _minors(jax.lax.stop_gradient(base)))
        return tuple(jnp.ravel(one) for one in jnp.split(x, shape.size))

    return along(apart, primals, tangents)


_asked.defjvp(_asked_jvp, symbolic_zeros=True)


def resolvent(entries: Entries, z: Complex[Array, "*f"], size: int, rhs: Sequence, unit: Any = 1.0) -> list:
    """The x of (B + z) x = b at every z, each component in the shape of z.

    Args:
        entries: B over the unit, by its non-zero entries and all of its diagonal.
        z: what is added to the diagonal.
        size: the number of rows, up to ``EXPANDED``.
        rhs: b over the unit, None for a structural zero.
        unit: a real factor of both.
    """
    given = {row: jnp.asarray(value, complex) for row, value in enumerate(rhs) if value is not None}
    values = tuple(jnp.asarray(value, complex) for value in entries.values())
    shape = Shape(tuple(entries), size, ())
    x = _asked(shape, tuple(given), values, jnp.ravel(z), tuple(given.values()), jnp.asarray(unit))
    return [jnp.reshape(one, jnp.shape(z)) for one in x]
