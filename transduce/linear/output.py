r"""One output port of a linear system, with all that does not depend on frequency computed once.

With the row vector :math:`y = K_o (-i\omega - A)^{-1}` the amplitudes from every input port are
:math:`S_{ok} = \delta_{ok} - y K_k^\dagger`. A port that is not the output and damps one mode adds :math:`|y_r|^2 |K_{kr}|^2` times its
occupation (plus one where it is seen conjugated), so the noise of all such ports is one weight per row. An output known only as a
conjugate is :math:`[S(-\omega)]^*`.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..numerics import abs2
from .elimination import EXPANDED, FULL, Entries, solve
from .resolvent import MANY, resolvent
from .structure import Entry

Value = Complex[Array, ""] | Float[Array, ""]
Places = tuple[tuple[int, Value], ...]


class Row(NamedTuple):
    """One output port's answer to every input: normal and anomalous amplitudes, None where structurally zero."""

    normal: tuple[Value | None, ...]
    anomalous: tuple[Value | None, ...]


class Built(eqx.Module):
    """What every output of a system begins with.

    Attributes:
        drift: entries of A.
        unit: ``Output.unit``.
        origins: which couplings they are (``structure.origins``).
    """

    drift: Entries
    unit: Float[Array, ""]
    origins: tuple[tuple[Entry, tuple[int, int]], ...] = eqx.field(static=True)

    @classmethod
    def of(cls, drift: Entries, origins: dict[Entry, tuple[int, int]]) -> "Built":
        """Of these entries."""
        largest = jnp.max(jnp.abs(jnp.stack([jnp.asarray(value, complex) for value in drift.values()])))
        return cls(drift, jnp.ldexp(jnp.ones(()), -jnp.frexp(jax.lax.stop_gradient(largest))[1]), tuple(origins.items()))


class Output(eqx.Module):
    """One output of a system that has passed its gate.

    Attributes:
        drift: the non-zero entries of -A, in the order of ``keys``.
        start: K's row of this output: (row, amplitude).
        normal, anomalous: K^dagger's column of each input port seen plainly and conjugated: (row, amplitude).
        occupation: of each port.
        unit: one over a power of two near the largest rate: all is solved in it, and it cancels exactly, as does its derivative.
        keys, size: rows and columns of the entries, number of rows.
        sign: of the output's row: -1 where it is a conjugate.
        direct: which input port is the output's own; None for an internal mode.
        own: what that port's input contributes where it never enters.
    """

    drift: tuple[Value, ...]
    start: tuple[Value, ...]
    normal: tuple[tuple[Value, ...], ...]
    anomalous: tuple[tuple[Value, ...], ...]
    occupation: tuple[Value, ...]
    unit: Float[Array, ""]
    keys: tuple[Entry, ...] = eqx.field(static=True)
    start_rows: tuple[int, ...] = eqx.field(static=True)
    normal_rows: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    anomalous_rows: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    size: int = eqx.field(static=True)
    sign: int = eqx.field(static=True)
    direct: int | None = eqx.field(static=True)
    own: Value | float = 1.0

    def _entries(self, transposed: bool) -> dict[tuple[int, int], Value]:
        """-A, all of its diagonal included."""
        entries = {(c, r) if transposed else (r, c): value for (r, c), value in zip(self.keys, self.drift, strict=True)}
        return entries | {(r, r): entries.get((r, r), jnp.zeros(())) for r in range(self.size)}

    def _shift(self, omega: Value) -> Value:
        """-i omega, in the unit."""
        return jnp.asarray(-1j * self.sign * (omega * self.unit))

    def _matrix(self, omega: Value, transposed: bool) -> dict[tuple[int, int], Value]:
        """-i omega - A, in the unit."""
        shift = self._shift(omega)
        return {(r, c): value * self.unit + shift if r == c else value * self.unit for (r, c), value in self._entries(transposed).items()}

    def _resolvent_row(self, omega: Value) -> list[Value]:
        start = dict(zip(self.start_rows, self.start, strict=True))
        side = [start.get(row) for row in range(self.size)]
        if self.at_once(omega):
            return resolvent(self._entries(transposed=True), self._shift(omega), self.size, side, self.unit)
        scaled = [None if value is None else value * self.unit for value in side]
        return solve(self._matrix(omega, transposed=True), self.size, scaled, self._damped)

    def at_once(self, omega: Value) -> bool:
        """Whether so many frequencies are answered by one ``resolvent``."""
        return jnp.ndim(omega) > 0 and jnp.size(omega) >= MANY and FULL < self.size <= EXPANDED

    @property
    def _damped(self) -> set[int]:
        return {row for rows in (*self.normal_rows, *self.anomalous_rows) for row in rows}

    def _entry(self, y: list[Value], rows: tuple[int, ...], amplitudes: tuple[Value, ...], direct: bool) -> Any:
        total: Any = self.own if direct else None
        for row, value in zip(rows, amplitudes, strict=True):
            term = y[row] * value
            total = -term if total is None else total - term
        return total if total is None or self.sign > 0 else jnp.conj(total)

    def amplitudes(self, omega: Float[Array, ""]) -> Row:
        """From every input port, at one frequency (rad/s)."""
        y, ports = self._resolvent_row(omega), range(len(self.occupation))
        normal = tuple(self._entry(y, self.normal_rows[k], self.normal[k], k == self.direct) for k in ports)
        return Row(normal, tuple(self._entry(y, self.anomalous_rows[k], self.anomalous[k], False) for k in ports))

    def transmission(self, source: int, omega: Float[Array, ""]) -> tuple[Value | None, Value | None, Float[Array, ""]]:
        """(normal, anomalous, noise) from one input port; the noise is that of every other port."""
        y, weights, noise = self._resolvent_row(omega), self.weights(source), jnp.zeros(())
        for row, weight in weights.items():
            noise = noise + weight * abs2(y[row])
        for k, n in enumerate(self.occupation):
            if k == source:
                continue
            if k == self.direct or len(self.normal_rows[k]) > 1:
                noise = noise + n * abs2(self._entry(y, self.normal_rows[k], self.normal[k], k == self.direct))
            if len(self.anomalous_rows[k]) > 1:
                noise = noise + (n + 1) * abs2(self._entry(y, self.anomalous_rows[k], self.anomalous[k], False))
        u = self._entry(y, self.normal_rows[source], self.normal[source], source == self.direct)
        return u, self._entry(y, self.anomalous_rows[source], self.anomalous[source], False), noise

    def weights(self, source: int) -> dict[int, Value]:
        """The noise per |y_r|^2 of all ports that damp one mode each, the source and the output itself left out."""
        weights: dict[int, Value] = {}
        for k, n in enumerate(self.occupation):
            if k == source:
                continue
            if k != self.direct and len(self.normal_rows[k]) == 1:
                row = self.normal_rows[k][0]
                weights[row] = weights.get(row, 0.0) + n * abs2(self.normal[k][0])
            if len(self.anomalous_rows[k]) == 1:
                row = self.anomalous_rows[k][0]
                weights[row] = weights.get(row, 0.0) + (n + 1) * abs2(self.anomalous[k][0])
        return weights

    def power(self, source: int, omega: Float[Array, ""]) -> Float[Array, ""]:
        """|S|^2 from one input port: of the normal amplitude, or, where the structure has only that, of the phase-conjugating one."""
        return abs2(self._entry(self._resolvent_row(omega), *self._only(source)))

    def _only(self, source: int) -> tuple[tuple[int, ...], tuple[Value, ...], bool]:
        if self.normal_rows[source]:
            return self.normal_rows[source], self.normal[source], source == self.direct
        return self.anomalous_rows[source], self.anomalous[source], False

    def slopes(self, source: int, omega: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
        """``power`` and its first and second derivative with respect to omega, from the powers of the resolvent."""
        rows, amplitudes, direct = self._only(source)
        column = dict(zip(rows, amplitudes, strict=True))
        matrix, unit = self._matrix(omega, transposed=False), self.unit
        y = self._resolvent_row(omega)
        x = solve(matrix, self.size, [column[r] * unit if r in column else None for r in range(self.size)], self._damped)
        z = solve(matrix, self.size, [value * unit for value in x], self._damped)
        s0 = jnp.asarray(self.own if direct else 0.0) - sum(y[r] * value for r, value in column.items())
        s1 = -1j * sum(y[r] * x[r] for r in range(self.size))
        s2 = 2 * sum(y[r] * z[r] for r in range(self.size))
        return abs2(s0), self.sign * 2 * jnp.real(jnp.conj(s0) * s1), 2 * (abs2(s1) + jnp.real(jnp.conj(s0) * s2))
