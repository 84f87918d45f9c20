r"""A system without loops: its conversion from port to port by continuants, regular where a coupling or a port is closed.

Modes 0 ... L lie in a row from the one port to the other, and others may hang on them. With the drift A,
:math:`m_j = -i\omega - A_{jj}` and the loops :math:`q_j = A_{ij} A_{ji}` of a mode and the one i before it (:math:`-g^2` of a hopping,
:math:`+x^2` of a squeezing), a mode with all that hangs on it has the determinant :math:`d_j`, and what hangs has :math:`h_j`,

.. math:: h_j = \prod_c d_c, \qquad d_j = m_j h_j - \sum_c q_c h_c \prod_{c' \ne c} d_{c'}

over those c that hang on it (h = 1 and d = m where none does). Then along the row

.. math:: z_0 = 1, \quad z_{j+1} = d_j z_j - q_j h_j h_{j-1} z_{j-1}, \quad w = z_{L+1} = \det(-i\omega - A), \quad
          S = -\sqrt{\kappa_{out}\kappa_{in}} \prod_j A_{j,j-1}\, \frac{h}{w}, \quad h = \prod_j h_j

and the resolvent's row is :math:`|y_j|^2 = \kappa_{out} \prod_{i > j} |q_i|\, |p_j|^2/|w|^2` with
:math:`p_j = z_j \prod_{i \ge j} h_i`. Of a mode that hangs it is that of the mode it hangs on, with its own :math:`|q|` and h, and with
the d of what else hangs there in place of that mode's h. Couplings enter by their squares, so that the shape :math:`|h/w|^2` and the noise
referred to the input, :math:`\sum_j W_j |p_j/h|^2 / (\kappa_{in} \prod_{i \le j} |q_i|)`, have their derivatives at zero coupling too.
Sources: three-term recurrences of Jacobi matrices, e.g. Gantmacher and Krein, Oscillation Matrices, ch. 2; determinants of weighted graphs,
e.g. Cvetkovic, Doob and Sachs, Spectra of Graphs, ch. 1.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..numerics import abs2
from .output import Output, Value
from .spectrum import over
from .structure import Route

_Pair = tuple[Value, Value]
"""Real and imaginary part: loops over real numbers vectorise."""


class Path(eqx.Module):
    """One conversion along a row of modes, on which others may hang; each mode in units of a rate of its own size.

    Attributes:
        damping, offset: real and imaginary part of m_j at omega = 0, of each mode.
        width: what omega is multiplied by in m_j; 0 where nothing depends on it.
        loops: q_j of each mode but the first.
        amplitude: S w / h.
        strength: |S|^2 |w|^2 / |h|^2.
        heat: noise at the output per |p_j|^2 / |w|^2, from each mode.
        heat_in: noise referred to the input per |p_j|^2 / |h|^2.
        outlet: damping of the last mode of the row by the output port.
        direct: occupation of the output port itself; None without one.
        floor: noise at the output at any frequency; None without any.
        parents: place of the mode before, or of that which a mode hangs on.
        length: modes of the row; those that hang follow.
    """

    damping: tuple[Float[Array, ""], ...]
    offset: tuple[Float[Array, ""], ...]
    width: tuple[Float[Array, ""], ...]
    loops: tuple[Float[Array, ""], ...]
    amplitude: Complex[Array, ""]
    strength: Float[Array, ""]
    heat: tuple[Float[Array, ""], ...]
    heat_in: tuple[Float[Array, ""], ...]
    outlet: Float[Array, ""]
    direct: Float[Array, ""] | None
    floor: Float[Array, ""] | None = None
    parents: tuple[int, ...] = eqx.field(static=True, default=(-1,))
    length: int = eqx.field(static=True, default=1)

    @classmethod
    def along(cls, output: Output, source: int, way: Route) -> "Path":
        """From one input port to a prepared output.

        Args:
            output: of a system in the signed basis, in which every port damps one mode.
            source: the input port, seen plainly.
            way: rows from the source's to the output's, and those beside.
        """
        turn = jnp.conj if output.sign < 0 else lambda value: value
        own = {key: turn(jnp.asarray(value, complex)) for key, value in zip(output.keys, output.drift, strict=True)}
        order, parents, length = way
        pairs = [(order[i], order[j]) for j, i in enumerate(parents) if j]
        diagonal, ahead = [own[j, j] for j in order], [-own[j, i] for i, j in pairs]
        unit = jax.lax.stop_gradient(_units(diagonal, ahead, parents))
        both = [unit[i] * unit[j] for j, i in enumerate(parents) if j]
        gains = [abs2(a) * each for a, each in zip(ahead, both, strict=True)]
        loops = [jnp.real(one * -own[key]) * each for one, key, each in zip(ahead, pairs, both, strict=True)]
        start, column = output.start[0], output.normal[source][0]
        outlet, inlet = abs2(start) * unit[length - 1], abs2(column) * unit[0]
        weights = output.weights(source)
        heat, heat_in = [], []
        for j, row in enumerate(order):
            nail, chain = _hung(j, parents, length)
            weight = _product([weights.get(row, 0.0) * unit[j], *(gains[k - 1] for k in chain)])
            heat.append(weight * outlet * _product(gains[nail : length - 1]))
            heat_in.append(weight / (inlet * _product(gains[:nail])))
        steps = zip(ahead[: length - 1], unit[: length - 1], strict=True)
        return cls(
            damping=tuple(jnp.real(m) * each for m, each in zip(diagonal, unit, strict=True)),
            offset=tuple(jnp.imag(m) * each for m, each in zip(diagonal, unit, strict=True)),
            width=tuple(unit),
            loops=tuple(loops),
            amplitude=-turn(start * column * unit[length - 1] + 0j) * _product(a * each for a, each in steps),
            strength=outlet * inlet * _product(gains[: length - 1]),
            heat=tuple(heat),
            heat_in=tuple(heat_in),
            outlet=outlet,
            direct=None if output.direct is None else jnp.asarray(output.occupation[output.direct], float),
            parents=parents,
            length=length,
        )

    @classmethod
    def lorentzian(cls, amplitude: Value, centre: Value, width: Value, environment: Value) -> "Path":
        """One pole of this full width at half maximum, and noise (1 - |S|^2) times the environment's."""
        half, power = width / 2, abs2(amplitude)
        rows = {"damping": 1.0, "offset": centre / half, "width": 1 / half, "heat": -environment * power, "heat_in": -environment}
        rest = {"amplitude": amplitude + 0j, "strength": power, "outlet": 0.0, "floor": environment}
        own: dict[str, Any] = {name: (jnp.asarray(value, float),) for name, value in rows.items()}
        own |= {name: jnp.asarray(value) for name, value in rest.items()}
        return cls(loops=(), direct=None, **own)

    def around(self, carrier: Value) -> "Path":
        """With omega counted from a carrier."""
        offset = tuple(own - carrier * width for own, width in zip(self.offset, self.width, strict=True))
        return dataclasses.replace(self, offset=offset)

    def transmission(self, omega: Value) -> tuple[Complex[Array, "*m"], Float[Array, "*m"]]:
        """(S, noise of all other ports at the output), at one frequency (rad/s) or at many."""
        return over(Path._transmission, self, omega)

    def shape(self, omega: Value) -> Float[Array, "*m"]:
        """|h/w|^2, which is |S|^2 but for what does not depend on omega."""
        return over(Path._shape, self, omega)

    def power(self, omega: Value) -> Float[Array, "*m"]:
        """|S|^2."""
        return over(Path._power, self, omega)

    def added_noise(self, omega: Value) -> Float[Array, "*m"]:
        """The noise of all other ports, referred to the input."""
        return over(lambda own, omega: own._figures(omega)[1], self, omega)

    def figures(self, omega: Value) -> tuple[Float[Array, "*m"], Float[Array, "*m"]]:
        """(power, added noise), at one frequency or at many: sooner than ``jax.vmap`` where gradients are taken."""
        return over(Path._figures, self, omega)

    def slopes(self, omega: Value) -> tuple[Value, Value, Value]:
        """One over the shape, and its first and second derivative with respect to omega."""

        def inverse(omega: Value) -> Value:
            it = self._at(omega)
            return _square(it.whole) / (1.0 if it.beside is None else _square(it.beside))

        def first(omega: Value) -> tuple[Value, Value]:
            return jax.jvp(inverse, (omega,), (jnp.ones(()),))

        (value, slope), (_, bend) = jax.jvp(first, (omega,), (jnp.ones(()),))
        return value, slope, bend

    # --- at one frequency ------------------------------------------------------------------------------------------------------------

    def _at(self, omega: Value) -> "_Determinants":
        modes = [(real, offset - omega * width) for real, offset, width in zip(self.damping, self.offset, self.width, strict=True)]
        below = [[k for k in range(self.length, len(modes)) if self.parents[k] == j] for j in range(len(modes))]
        hung: list[_Pair | None] = [None] * len(modes)
        own = list(modes)
        for j in reversed(range(len(modes))):
            hung[j] = _times(own[k] for k in below[j])
            total = _times((modes[j], hung[j]))
            for k in below[j]:
                total = _less(total, self.loops[k - 1], _times((hung[k], *(own[c] for c in below[j] if c != k))))
            own[j] = total
        z: list[_Pair | None] = [None]
        for j in range(self.length):
            total = _times((own[j], z[j]))
            z.append(_less(total, self.loops[j - 1], _times((hung[j], hung[j - 1], z[j - 1]))) if j else total)
        return _Determinants(own, hung, z, below)

    def _rows(self, it: "_Determinants") -> list[_Pair | None]:
        """p_j of every mode."""
        after: list[_Pair | None] = [None]
        for pair in reversed(it.hung[1 : self.length]):
            after.insert(0, _times((after[0], pair)))
        passed: list[_Pair | None] = []
        for j, i in enumerate(self.parents):
            others = () if j < self.length else (it.own[k] for k in it.below[i] if k != j)
            passed.append(_times((it.z[j], after[j]) if j < self.length else (passed[i], *others)))
        return [_times(pairs) for pairs in zip(passed, it.hung, strict=True)]

    def _heated(self, it: "_Determinants", heat: tuple[Value, ...], by: Any) -> Any:
        """The noise from the modes and, ``by`` times, from the output port and at any frequency, all times |w|^2."""
        rows = self._rows(it)
        noise: Any = sum(each if pair is None else each * _square(pair) for each, pair in zip(heat, rows, strict=True))
        if self.direct is not None:
            last = _less(it.whole, self.outlet, rows[self.length - 1])
            noise = noise + self.direct * by * _square(last)
        return noise if self.floor is None else noise + self.floor * by * _square(it.whole)

    def _transmission(self, omega: Value) -> tuple[Value, Value]:
        it = self._at(omega)
        scale = _inverse(_square(it.whole))
        re, im = _times(((jnp.real(self.amplitude), jnp.imag(self.amplitude)), (it.whole[0], -it.whole[1]), it.beside))
        return jax.lax.complex(re * scale, im * scale), self._heated(it, self.heat, 1.0) * scale

    def _shape(self, omega: Value) -> Value:
        it = self._at(omega)
        return _inverse(_square(it.whole)) * (1.0 if it.beside is None else _square(it.beside))

    def _power(self, omega: Value) -> Value:
        return self.strength * self._shape(omega)

    def _figures(self, omega: Value) -> tuple[Value, Value]:
        it = self._at(omega)
        power, noise = self.strength * _inverse(_square(it.whole)), self._heated(it, self.heat_in, _inverse(self.strength))
        if it.beside is None:
            return power, noise
        beside = _square(it.beside)
        return power * beside, noise * _inverse(beside)


class _Determinants(NamedTuple):
    """Of each mode with all that hangs on it, and of what hangs alone (None: 1); the continuants z; which modes hang on each."""

    own: list[_Pair]
    hung: list[_Pair | None]
    z: list[_Pair | None]
    below: list[list[int]]

    @property
    def whole(self) -> _Pair:
        """w."""
        found = self.z[-1]
        assert found is not None
        return found

    @property
    def beside(self) -> _Pair | None:
        """h."""
        return _times(self.hung[: len(self.z) - 1])


def _times(pairs: Iterable[_Pair | None]) -> Any:
    """The product of complex numbers, None where it is 1."""
    found: Any = None
    for pair in pairs:
        if found is None or pair is None:
            found = pair if found is None else found
        else:
            (a, b), (re, im) = found, pair
            found = a * re - b * im, a * im + b * re
    return found


def _less(pair: _Pair, factor: Value, other: _Pair | None) -> _Pair:
    """``pair`` less so many times the other, of which None is 1."""
    return (pair[0] - factor, pair[1]) if other is None else (pair[0] - factor * other[0], pair[1] - factor * other[1])


@jax.custom_jvp
def _inverse(value: Value) -> Value:
    """1/x, whose derivative divides no second time."""
    return 1 / value


@_inverse.defjvp
def _inverse_jvp(primals: tuple[Value], tangents: tuple[Value]) -> tuple[Value, Value]:
    inverse = _inverse(*primals)
    return inverse, -(inverse * inverse) * tangents[0]


def _square(pair: _Pair) -> Value:
    return pair[0] ** 2 + pair[1] ** 2


def _product(factors: Iterable[Value]) -> Any:
    return math.prod(factors)


def _hung(mode: int, parents: tuple[int, ...], length: int) -> tuple[int, list[int]]:
    """(the mode of the row on which one hangs, those from the one on up to it)."""
    chain = []
    while mode >= length:
        chain.append(mode)
        mode = parents[mode]
    return mode, chain


def _units(diagonal: list[Value], ahead: list[Value], parents: tuple[int, ...]) -> list[Value]:
    """One over a size of each mode: its own rate and the couplings beside it."""
    sizes = [_size(m) for m in diagonal]
    for j, coupling in enumerate(map(_size, ahead), start=1):
        for mode in (j, parents[j]):
            sizes[mode] = sizes[mode] + coupling
    return [1 / jnp.where(size > 0, size, 1.0) for size in sizes]


def _size(value: Value) -> Value:
    """Of a complex number, to a factor of sqrt(2), without a root."""
    return jnp.abs(jnp.real(value)) + jnp.abs(jnp.imag(value))
