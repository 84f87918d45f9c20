"""Small linear systems with a static pattern of zeros: Gaussian elimination written out, or LAPACK.

Up to four rows, or six with few couplings, the elimination is unrolled over the non-zero entries, without row exchanges, in the order of
the rows: it fuses over a batch of frequencies and keeps the grading of the rates (row exchanges between rates that differ by decades lose
digits). It asks that no pivot vanish, which holds for damped modes; a vanishing one gives NaN, never a wrong number. Larger systems are
scaled and go to LAPACK.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

Entries = dict[tuple[int, int], Complex[Array, ""]]
"""A square matrix by its structurally non-zero entries."""

UNROLLED, SPARSE_UNROLLED, PER_ROW = 4, 6, 4
"""Unrolled are systems of up to 4 rows, and of up to 6 with at most 4 entries per row: every device with three modes, doubled or not."""


def dense(entries: Entries, size: int) -> Complex[Array, "n n"]:
    """The matrix as one array."""
    if not entries:
        return jnp.zeros((size, size), complex)
    rows, columns = zip(*entries, strict=True)
    return jnp.zeros((size, size), complex).at[jnp.array(rows), jnp.array(columns)].set(jnp.stack(list(entries.values())))


def _reciprocal(z: Complex[Array, ""]) -> Complex[Array, ""]:
    return jnp.conj(z) / (jnp.real(z) ** 2 + jnp.imag(z) ** 2)


def _unrolled(entries: Entries, size: int, rhs: Sequence) -> list:
    a, b = dict(entries), list(rhs)
    for pivot in range(size):
        inverse = _reciprocal(a[pivot, pivot])
        for row in range(pivot + 1, size):
            if (row, pivot) not in a:
                continue
            factor = a[row, pivot] * inverse
            for column in range(pivot + 1, size):
                if (pivot, column) in a:
                    a[row, column] = a.get((row, column), 0.0) - factor * a[pivot, column]
            if b[pivot] is not None:
                b[row] = (0.0 if b[row] is None else b[row]) - factor * b[pivot]
    x: list = [None] * size
    for row in reversed(range(size)):
        total = 0.0 if b[row] is None else b[row]
        for column in range(row + 1, size):
            if (row, column) in a and x[column] is not None:
                total = total - a[row, column] * x[column]
        x[row] = total * _reciprocal(a[row, row])
    return x


def _lapack(entries: Entries, size: int, rhs: Sequence) -> list:
    matrix = dense(entries, size)
    vector = jnp.stack([jnp.asarray(0.0 if value is None else value, complex) for value in rhs])
    # The scale cancels from the answer, so its derivative is zero exactly.
    weight = jax.lax.stop_gradient(jnp.sqrt(jnp.maximum(jnp.max(jnp.abs(matrix), axis=0), 1e-300)))
    scaled = matrix / weight[:, None] / weight[None, :]
    return list(jnp.linalg.solve(scaled, vector / weight) / weight)


def solve(entries: Entries, size: int, rhs: Sequence) -> list:
    """The x of M x = b.

    Args:
        entries: M, by its non-zero entries; each diagonal entry is there.
        size: the number of rows.
        rhs: b, None for a structural zero.
    """
    few = size <= UNROLLED or (size <= SPARSE_UNROLLED and len(entries) <= PER_ROW * size)
    return (_unrolled if few else _lapack)(entries, size, rhs)
