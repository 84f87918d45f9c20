r"""From one input port to an output of any system, with couplings and ports that may be closed.

Rows lie in levels, by how many couplings they are away from the source. With :math:`s_l` the size of the couplings between the levels
l - 1 and l, in a rate of the system's own size, and :math:`\sigma_l = s_1 \cdots s_l`, the similar drift
:math:`\sigma_i^{-1} A_{ij} \sigma_j` has :math:`A_{ij}/s_l` on the way to the output and :math:`A_{ij} s_l` on the way back, which is of
second order: it is regular where couplings are 0. Its resolvent's row y' gives

.. math:: S = \sigma_L K_{out} S', \qquad S' = -\sum_j y'_j K^*_{in,j}, \qquad
          N_{in} = \frac{1}{|S'|^2} \sum_k n_k \Bigl|\sum_j y'_j K^*_{kj}/\sigma_j\Bigr|^2

so that the shape |S'|^2 and the noise at the input have their derivatives at no coupling too, as those of a ``Path`` have.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from ..numerics import TINY, abs2, sqrt, unless_dark
from .elimination import FULL
from .output import Output, Value
from .resolvent import MANY
from .spectrum import over, pair
from .structure import Entry

Columns = tuple[tuple[Value, ...], ...]
Places = tuple[tuple[int, ...], ...]
Origins = dict[Entry, tuple[int, int]]
CLOSED = 1e-30
"""Couplings that together are below this, in the system's own rate, are those that ``sqrt`` keeps from being 0."""
_Figures = tuple[Float[Array, ""], Float[Array, ""]]


class Conversion(eqx.Module):
    """From one input port to an output, whatever the system; ``Path`` answers the same questions where no couplings close a loop.

    Attributes:
        graded: the output as S', its own amplitude taken out of it, and the source's out of the source's column.
        inlet: |amplitude of the source|^2, or 1 where it is not taken out.
        strength: power over shape.
        lost: whether several couplings, of which a level has nothing else, are closed: the slope of the shape depends on how they open.
            None: no level has several.
        source: which port.
    """

    graded: Output
    inlet: Float[Array, ""]
    strength: Float[Array, ""]
    lost: Bool[Array, ""] | None
    source: int = eqx.field(static=True)

    @classmethod
    def between(cls, output: Output, source: int, origins: Origins | None = None) -> "Conversion":
        """A conversion to a prepared output; ``origins`` of its entries, where they are known (``structure.origins``)."""
        away = _levels(output, source)
        last, *others = {away.get(row, -1) for row in output.start_rows}
        if source == output.direct or others or last < 0:
            return cls(output, jnp.ones(()), jnp.ones(()), None, source)
        levels = [min(away.get(row, 0), last) for row in range(output.size)]  # what lies behind the output is on no way to it
        steps, shares, lost = _ladder(output, levels, origins or {})
        grades = [jnp.ones(())]
        for step in steps:
            grades.append(grades[-1] * step)

        def similar(entry: Entry, value: Value) -> Value:
            to, come = (levels[row] for row in entry)
            return shares[entry] / output.unit if to > come else value * steps[to] if to < come else value

        def referred(ports: Columns, places: Places) -> Columns:
            """Each port's column over the grade of its rows; the source's without its own amplitude."""
            found = [
                tuple(value / grades[levels[row]] for row, value in zip(rows, column, strict=True))
                for rows, column in zip(places, ports, strict=True)
            ]
            if single:
                found[source] = tuple(jnp.ones(()) for _ in found[source])
            return tuple(found)

        single = all(len(rows[source]) <= 1 for rows in (output.normal_rows, output.anomalous_rows))
        one = [*output.normal[source], *output.anomalous[source]][0]
        alone = len(output.start) == 1
        factor = grades[last] * output.start[0] if alone else grades[last]
        inlet = abs2(one) if single else jnp.ones(())
        graded = dataclasses.replace(
            output,
            drift=tuple(map(similar, output.keys, output.drift)),
            start=(jnp.ones(()),) if alone else output.start,
            normal=referred(output.normal, output.normal_rows),
            anomalous=referred(output.anomalous, output.anomalous_rows),
            own=1 / factor,
        )
        return cls(graded, inlet, abs2(factor) * inlet, lost, source)

    def power(self, omega: Value) -> Float[Array, ""]:
        """|S|^2."""
        return self.strength * self.graded.power(self.source, omega)

    def shape(self, omega: Value) -> Float[Array, ""]:
        """What the response looks like against frequency, |S'|^2: |S|^2 but for its strength."""
        return self._shaped().power(self.source, omega)

    def _shaped(self) -> Output:
        """The graded output; where slopes are lost, those along its parameters, but not along omega, are NaN."""
        return self.graded if self.lost is None else dataclasses.replace(self.graded, drift=tuple(map(self._known, self.graded.drift)))

    def added_noise(self, omega: Value, image: Value | float | None = None) -> Float[Array, ""]:
        """The noise of all other ports, and of the source's image band (as occupied as the source, unless stated), at the input."""
        return self.figures(omega, image)[1]

    def figures(self, omega: Value, image: Value | float | None = None) -> _Figures:
        """(power, added noise), from one solve, at one frequency or at many; the power is that of the normal amplitude."""
        if self.graded.at_once(omega):
            return pair(_both, (self, image), omega) if jnp.size(omega) >= 2 * MANY else self._figures(omega, image)
        if jnp.ndim(omega) and self.graded.size > FULL:
            return jax.vmap(lambda omega: self._figures(omega, image))(omega)
        return over(_both, (self, image), omega)

    def _figures(self, omega: Value, image: Value | float | None) -> _Figures:
        u, v, noise = self.graded.transmission(self.source, omega)
        occupied = self.graded.occupation[self.source] if image is None else image
        shape = abs2(jnp.asarray(0.0 if u is None else u))
        image = 0.0 if v is None else abs2(v) * (occupied + 1)
        return self.strength * shape, self._known(unless_dark((noise / self.inlet + image) / shape, shape))

    def slopes(self, omega: Value) -> tuple[Float[Array, ""], ...]:
        """The shape and its first and second derivative with respect to omega."""
        return tuple(map(self._known, self.graded.slopes(self.source, omega)))

    def _known(self, value: Float[Array, "*m"]) -> Float[Array, "*m"]:
        """The value, its slope NaN where it is lost."""
        return value if self.lost is None else unless_dark(value, jnp.where(self.lost, 0.0, 1.0))


def _both(own: tuple[Conversion, Value | float | None], omega: Value) -> _Figures:
    """``figures`` of a conversion and its image band."""
    return own[0]._figures(omega, own[1])


def _levels(output: Output, source: int) -> dict[int, int]:
    """Row -> how many couplings it is away from the source's; what hangs on one row alone, and is on no way, counts as that."""
    begun = {*output.normal_rows[source], *output.anomalous_rows[source]}
    beside = {row: {a if b == row else b for a, b in output.keys if a != b and row in (a, b)} for row in range(output.size)}
    hung: list[tuple[int, int]] = []
    while loose := [row for row in beside if len(beside[row]) == 1 and row not in {*begun, *output.start_rows}]:
        (nail,) = beside.pop(loose[0])
        beside[nail].remove(loose[0])
        hung.append((loose[0], nail))
    edge, levels = begun, dict.fromkeys(begun, 0)
    while edge := {one for row in edge for one in beside[row] if one not in levels}:
        levels |= dict.fromkeys(edge, 1 + max(levels.values()))
    for row, nail in reversed(hung):
        if nail in levels:
            levels[row] = levels[nail]
    return levels


def _ladder(output: Output, levels: list[int], origins: Origins) -> tuple[list[Value], dict[Entry, Value], Bool[Array, ""] | None]:
    """(size of the couplings from each level to the next, in the system's unit; the share of it that each has; whether slopes are lost).

    The shares of one coupling are fixed; those of several that are all closed hang on which of them opens.
    """
    between: dict[int, dict[Entry, Value]] = {}
    for entry, value in zip(output.keys, output.drift, strict=True):
        to, come = (levels[row] for row in entry)
        if to > come:
            between.setdefault(come, {})[entry] = value
    sizes: list[Value] = []
    shares: dict[Entry, Value] = {}
    lost = None
    for come in sorted(between):
        values = between[come]
        first, *_ = values
        one = jnp.stack([jnp.asarray(value, complex) for value in values.values()])
        if len({origins[entry][0] if entry in origins else entry for entry in values}) == 1 and first in origins:
            size = jnp.abs(jax.lax.stop_gradient(one[0]))
            phase = jax.lax.stop_gradient(one[0]) / jnp.where(size > 0, size, 1.0)
            whole = len(values) ** 0.5
            sizes.append(output.unit * jnp.where(size > 0, whole * jnp.real(jnp.conj(phase) * one[0]), TINY**0.5))
            turn = {entry: phase / whole * (origins[entry][1] * origins[first][1]) for entry in values}
            shares |= {entry: jnp.where(value == 0, 0.0, turn[entry]) for entry, value in values.items()}  # 0: switched off by the gate
        else:
            size, parts = _shared(one)
            sizes.append(output.unit * size)
            for (entry, value), part in zip(values.items(), parts, strict=True):
                shares[entry] = part if jnp.iscomplexobj(value) else jnp.real(part)
            closed = sizes[-1] < CLOSED
            lost = closed if lost is None else lost | closed
    return sizes, shares, lost


@jax.custom_jvp
def _shared(values: Complex[Array, " k"]) -> tuple[Float[Array, ""], Complex[Array, " k"]]:
    """The root of the sum of squares, which none of these rounds to 0, and the values over it."""
    largest = jnp.max(jnp.abs(values))
    unit = jnp.where(largest > 0, largest, 1.0)
    size = unit * sqrt(jnp.sum(abs2(values / unit)))
    return size, values / size


@_shared.defjvp
def _shared_jvp(primals, tangents):
    (size, shares), (change,) = _shared(*primals), tangents
    grown = jnp.sum(jnp.real(jnp.conj(shares) * change))
    return (size, shares), (grown, (change - shares * grown) / size)
