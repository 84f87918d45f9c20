r"""A system whose modes lie in a row from one port to another: its conversion by continuants, regular where a coupling or a port is closed.

With the drift A in the order of the row, :math:`m_j = -i\omega - A_{jj}` and the loops :math:`q_j = A_{j,j+1} A_{j+1,j}` (:math:`-g^2` of a
hopping, :math:`+x^2` of a squeezing),

.. math:: z_0 = 1, \quad z_{j+1} = m_j z_j - q_{j-1} z_{j-1}, \quad w = z_n = \det(-i\omega - A), \quad
          S = -\sqrt{\kappa_{out}\kappa_{in}} \prod_j A_{j+1,j} / w

and the resolvent's row is :math:`|y_j|^2 = \kappa_{out} \prod_{i \ge j} |q_i|\, |z_j|^2/|w|^2`. Couplings enter by their squares, so that
the shape 1/|w|^2 and the noise referred to the input, :math:`\sum_j W_j |z_j|^2 / (\kappa_{in} \prod_{i<j} |q_i|)`, have their derivatives
at zero coupling too. Source: three-term recurrences of Jacobi matrices, e.g. Gantmacher and Krein, Oscillation Matrices, ch. 2.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..numerics import abs2
from .output import Output, Value
from .spectrum import over

_Pair = tuple[Value, Value]


class Path(eqx.Module):
    """One conversion along a row of n modes; each mode in units of a rate of its own size.

    Attributes:
        damping, offset: real and imaginary part of m_j at omega = 0, of each mode.
        width: what omega is multiplied by in m_j; 0 where nothing depends on it.
        loops: q_j, n - 1 of them.
        amplitude: S w.
        strength: |S|^2 |w|^2.
        heat: noise at the output per |z_j|^2 / |w|^2, from each mode.
        heat_in: noise referred to the input per |z_j|^2.
        outlet: damping of the last mode by the output port.
        direct: occupation of the output port itself; None without one.
        floor: noise at the output at any frequency; None without any.
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

    @classmethod
    def along(cls, output: Output, source: int, order: Sequence[int]) -> "Path":
        """From one input port to a prepared output, whose rows in this order are a row from the one to the other.

        Args:
            output: of a system in the signed basis, in which every port damps one mode.
            source: the input port, seen plainly.
            order: rows from the source's to the output's.
        """
        turn = jnp.conj if output.sign < 0 else lambda value: value
        own = {key: turn(jnp.asarray(value, complex)) for key, value in zip(output.keys, output.drift, strict=True)}
        pairs = list(itertools.pairwise(order))
        diagonal, ahead = [own[j, j] for j in order], [-own[j, i] for i, j in pairs]
        unit = jax.lax.stop_gradient(_units(diagonal, ahead))
        both = [one * other for one, other in itertools.pairwise(unit)]
        gains = [abs2(a) * each for a, each in zip(ahead, both, strict=True)]
        loops = [jnp.real(one * -own[key]) * each for one, key, each in zip(ahead, pairs, both, strict=True)]
        start, column = output.start[0], output.normal[source][0]
        outlet, inlet = abs2(start) * unit[-1], abs2(column) * unit[0]
        weights = output.weights(source)
        weight: list[Any] = [weights.get(row, 0.0) * each for row, each in zip(order, unit, strict=True)]
        amplitude = -turn(start * column * unit[-1] + 0j) * _product(a * each for a, each in zip(ahead, unit, strict=False))
        places = range(len(order))
        return cls(
            damping=tuple(jnp.real(m) * each for m, each in zip(diagonal, unit, strict=True)),
            offset=tuple(jnp.imag(m) * each for m, each in zip(diagonal, unit, strict=True)),
            width=tuple(unit),
            loops=tuple(loops),
            amplitude=amplitude,
            strength=outlet * inlet * _product(gains),
            heat=tuple(weight[j] * outlet * _product(gains[j:]) for j in places),
            heat_in=tuple(weight[j] / (inlet * _product(gains[:j])) for j in places),
            outlet=outlet,
            direct=None if output.direct is None else jnp.asarray(output.occupation[output.direct], float),
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
        """1/|w|^2, which is |S|^2 but for what does not depend on omega."""
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
        """|w|^2 and its first and second derivative with respect to omega."""

        def first(omega: Value) -> tuple[Value, Value]:
            return jax.jvp(lambda x: _square(self._continuants(x)[-1]), (omega,), (jnp.ones(()),))

        (value, slope), (_, bend) = jax.jvp(first, (omega,), (jnp.ones(()),))
        return value, slope, bend

    # --- at one frequency ------------------------------------------------------------------------------------------------------------

    def _continuants(self, omega: Value) -> list[_Pair]:
        """z_1 ... z_n = w, each as (real, imaginary): loops over real numbers vectorise."""
        z: list[_Pair] = []
        for j, (real, offset, width) in enumerate(zip(self.damping, self.offset, self.width, strict=True)):
            imaginary = offset - omega * width
            if j == 0:
                z.append((real, imaginary))
                continue
            (re, im), loop = z[-1], self.loops[j - 1]
            re, im = real * re - imaginary * im, real * im + imaginary * re
            z.append((re - loop, im) if j == 1 else (re - loop * z[-2][0], im - loop * z[-2][1]))
        return z

    def _hot(self, z: list[_Pair], heat: tuple[Value, ...]) -> Any:
        """The sum of the heats times |z_j|^2."""
        return sum((each * _square(value) for each, value in zip(heat[1:], z[:-1], strict=True)), start=heat[0])

    def _heated(self, z: list[_Pair], heat: tuple[Value, ...], by: Any) -> Any:
        """The noise from the modes and, ``by`` times, from the output port and at any frequency, all times |w|^2."""
        noise = self._hot(z, heat)
        if self.direct is not None:
            (re, im), (before_re, before_im) = z[-1], z[-2] if len(z) > 1 else (1.0, 0.0)
            noise = noise + self.direct * by * _square((re - self.outlet * before_re, im - self.outlet * before_im))
        return noise if self.floor is None else noise + self.floor * by * _square(z[-1])

    def _transmission(self, omega: Value) -> tuple[Value, Value]:
        z = self._continuants(omega)
        re, im = z[-1]
        scale = _inverse(_square(z[-1]))
        a, b = jnp.real(self.amplitude), jnp.imag(self.amplitude)
        noise = self._heated(z, self.heat, 1.0) * scale
        return jax.lax.complex((a * re + b * im) * scale, (b * re - a * im) * scale), noise

    def _shape(self, omega: Value) -> Value:
        return _inverse(_square(self._continuants(omega)[-1]))

    def _power(self, omega: Value) -> Value:
        return self.strength * self._shape(omega)

    def _figures(self, omega: Value) -> tuple[Value, Value]:
        z = self._continuants(omega)
        return self.strength * _inverse(_square(z[-1])), self._heated(z, self.heat_in, _inverse(self.strength))


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


def _units(diagonal: list[Value], ahead: list[Value]) -> list[Value]:
    """One over a size of each mode: its own rate and the couplings beside it."""
    beside: list[Any] = [0.0, *map(_size, ahead), 0.0]
    return [1 / (_size(m) + one + other) for m, one, other in zip(diagonal, beside[:-1], beside[1:], strict=True)]


def _size(value: Value) -> Value:
    """Of a complex number, to a factor of sqrt(2), without a root."""
    return jnp.abs(jnp.real(value)) + jnp.abs(jnp.imag(value))
