r"""Chain transducer: N modes in a row from microwave to optical, the design that a bounded coupling rate allows to be best.

.. math:: H = \sum_k d_k a_k^\dagger a_k + \sum_k J_k (a_k^\dagger a_{k+1} + h.c.), \qquad
          |S_{21}|^2 = \frac{1}{1 + |F|^2}, \quad F(\omega) = \frac{1}{D} \prod_k (\omega - z_k)

The second form holds without internal loss; z_k are the zeros of S_11, and :math:`D^2 = \kappa_1\kappa_N \prod J_k^2`. Such a chain carries
:math:`Q = -\int_{|F|<1} \frac{d\omega}{2\pi} \log_2 |F|^2` qubits/s in closed form. A Butterworth chain has all zeros at 0 and
:math:`D = \omega_c^N`: with :math:`p_k = 2\sin\frac{(2k-1)\pi}{2N}`, :math:`J_k = \omega_c/\sqrt{p_kp_{k+1}}`,
:math:`\kappa_1 = \kappa_N = 2\omega_c/p_1`, :math:`Q = 2N\omega_c/(\pi\ln 2)`. In the rates Q has a cusp there (a mismatch eps splits
the zeros by :math:`\epsilon^{1/N}`, rounding included): optimise the zeros, and read Q from them.

Source: Wang, Li and Jiang, Nat. Commun. 13, 6698 (2022), arXiv:2203.00012; Darlington's synthesis, e.g. Cameron, IEEE Trans. Microw.
Theory Tech. 47, 433 (1999).
"""

import itertools
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Complex, Float

from .. import parameters
from ..linear.lineshape import frozen
from ..linear.roots import roots_of_power
from ..linear.system import LinearSystem, Port
from ..numerics import is_concrete, sqrt
from ..parameters import Scalar
from ..units import Hz, MHz, kHz
from .base import AbstractDevice, Drive

REAL = 1e-6
"""A root this near the axis, in units of the cutoff, is on it: where |F| touches 1, two coincide to half the digits."""


class Resonator(eqx.Module):
    """One mode between the two ends of a chain.

    Attributes:
        coupling: J to the mode before it.
        detuning: mode minus frame.
        kappa_int: its losses, and ``occupation`` of their bath.
    """

    coupling: Scalar = parameters.rate(box=(10 * kHz, 1000 * MHz))
    detuning: Scalar = parameters.detuning(0.0)
    kappa_int: Scalar = parameters.rate(0.0)
    occupation: Scalar = parameters.number(0.0)

    def __check_init__(self) -> None:
        parameters.check(self)


class Rates(NamedTuple):
    """A lossless chain of N modes: J (N - 1,), the decay rates of its two ends, and the detunings (N,); all rad/s."""

    coupling: Float[Array, " n-1"]
    kappa_first: Float[Array, ""]
    kappa_last: Float[Array, ""]
    detuning: Float[Array, " n"]


class Reflection(NamedTuple):
    """The zeros z_k of S_11 (rad/s, complex) and the scale D ((rad/s)^N) of a lossless chain."""

    zeros: Complex[Array, " n"]
    scale: Float[Array, ""]


class Chain(AbstractDevice):
    """Modes in a row, their couplings stated as they are (no pump is modelled). The fields of ``AbstractDevice``, and:

    Attributes:
        between: the modes from the one next to the microwave mode on; none: two modes.
        coupling: J of the last pair, to the optical mode.
    """

    between: tuple[Resonator, ...] = eqx.field(default=(), converter=tuple, kw_only=True)
    coupling: Scalar = parameters.rate(box=(10 * kHz, 1000 * MHz))
    HEATED: ClassVar[str] = "e_int"

    def __check_init__(self) -> None:
        if self.heating_conductance is not None:
            raise ValueError("Chain.heating_conductance must not be given, as no pump is modelled: state temperatures")
        self.check()

    @classmethod
    def of(cls, rates: Rates, **sheet: Any) -> "Chain":
        """The chain of these rates, lossless but for what ``sheet`` adds (any other field)."""
        j, d = rates.coupling, rates.detuning
        between = tuple(Resonator(coupling=j[k], detuning=d[k + 1]) for k in range(j.size - 1))
        own = {"kappa_e_ext": rates.kappa_first, "kappa_o_ext": rates.kappa_last, "detuning_e": d[0], "detuning_o": d[-1]}
        return cls(**{"kappa_e_int": 0.0, "kappa_o_int": 0.0, "between": between, "coupling": j[-1], **own, **sheet})

    @property
    def couplings(self) -> tuple[Scalar, ...]:
        """J_1 ... J_{N-1}."""
        return (*(mode.coupling for mode in self.between), self.coupling)

    def drives(self) -> dict[str, Drive]:
        """None: the couplings are stated."""
        return {}

    def linear_system(self) -> LinearSystem:
        """Modes microwave, mode 2 ... mode N - 1, optical."""
        names = [f"mode {k}" for k in range(2, len(self.between) + 2)]
        middle = dict(zip(names, self.between, strict=True))
        modes = {"microwave": self.detuning_e, **{name: mode.detuning for name, mode in middle.items()}, "optical": self.detuning_o}
        losses = {f"{name} loss": Port(name, mode.kappa_int, mode.occupation) for name, mode in middle.items()}
        hopping = dict(zip(itertools.pairwise(modes), self.couplings, strict=True))
        return LinearSystem.build(modes, self.ports() | losses, hopping=hopping)


def butterworth(modes: int, g_max: ArrayLike) -> Rates:
    """The flattest chain whose largest coupling is g_max (rad/s): w_c = 2 g_max sqrt(sin(pi/2N) sin(3pi/2N)).

    Raises:
        ValueError: fewer than two modes, or a concrete g_max that is not above 0.
    """
    _two("butterworth", modes)
    _above("butterworth: g_max", g_max)
    p = 2 * np.sin((2 * np.arange(modes) + 1) * np.pi / (2 * modes))
    edge = jnp.asarray(g_max, float) * np.sqrt(p[0] * p[1])
    return Rates(edge / np.sqrt(p[:-1] * p[1:]), 2 * edge / p[0], 2 * edge / p[-1], jnp.zeros(modes))


def cutoff(reflection: Reflection) -> Float[Array, ""]:
    """w_c = D^(1/N), rad/s; a Butterworth chain's half-width at half maximum."""
    return reflection.scale ** (1 / reflection.zeros.size)


def butterworth_reflection(modes: int, g_max: ArrayLike) -> Reflection:
    """The zeros and the scale of ``butterworth``, exact where its rates are rounded."""
    rates = butterworth(modes, g_max)
    return Reflection(jnp.zeros(modes, complex), (rates.kappa_first * np.sin(np.pi / (2 * modes))) ** modes)


@eqx.filter_jit
def reflection(rates: Rates) -> Reflection:
    """Zeros (outside the gradient) and scale of a chain: S_11 vanishes where the chain with kappa_1 reversed would resonate."""
    ends = jnp.zeros(rates.detuning.size).at[0].set(rates.kappa_first / 2).at[-1].add(-rates.kappa_last / 2)
    matrix = jnp.diag(rates.detuning + 1j * ends) + jnp.diag(rates.coupling, 1) + jnp.diag(rates.coupling, -1)
    scale = sqrt(rates.kappa_first * rates.kappa_last) * jnp.prod(rates.coupling)
    return Reflection(jnp.linalg.eigvals(frozen(matrix)), scale)


def from_reflection_zeros(zeros: ArrayLike, scale: ArrayLike) -> Rates:
    r"""The chain with these zeros of S_11 and this scale D: spectral factorisation, then a continued fraction.

    The poles are the roots in the lower half plane of :math:`\prod (\omega-z_k)(\omega-z_k^*) + D^2`. With P and w the monic polynomials
    of zeros and poles, a = (w + P)/2 and b = (w - P)/(i kappa_1), :math:`a/b = \omega - d_1 - J_1^2/(\omega - d_2 - \dots)`, which ends in
    :math:`d_N - i\kappa_N/2`. Differentiable in zeros and scale.

    Args:
        zeros: z_k, (N,), rad/s, real or complex; N >= 2.
        scale: D, (rad/s)^N, > 0.

    Raises:
        ValueError: fewer than two zeros, or a concrete D that is not above 0.
    """
    _two("from_reflection_zeros", np.size(zeros))
    _above("from_reflection_zeros: scale", scale)
    return _synthesis(Reflection(jnp.asarray(zeros, complex), jnp.asarray(scale, float)))


def _two(name: str, modes: int) -> None:
    if modes < 2:
        raise ValueError(f"{name}: modes must be at least 2, but is {modes}")


def _above(name: str, value: Any) -> None:
    if is_concrete(value) and not float(value) > 0:
        raise ValueError(f"{name} must be above 0, but is {float(value):.6g}")


@eqx.filter_jit
def _synthesis(given: Reflection) -> Rates:
    unit = frozen(cutoff(given))
    given = Reflection(given.zeros / unit, given.scale / unit**given.zeros.size)
    poles = _poles(given)
    kappa_first = jnp.sum(jnp.imag(given.zeros) - jnp.imag(poles))
    w, p = jnp.poly(poles), jnp.poly(given.zeros)
    a, b = (w + p) / 2, (w - p)[1:] / (1j * kappa_first)
    detuning, coupling = [], []
    for _ in range(given.zeros.size - 1):
        detuning.append(b[1] - a[1])  # a = (w - d) b - J^2 c, all monic
        rest = jnp.append(a[1:], 0.0)[: b.size] - jnp.append(b[1:], 0.0) + detuning[-1] * b
        coupling.append(sqrt(-jnp.real(rest[1])))
        a, b = b, rest[1:] / rest[1]
    last = -a[1]
    d = jnp.real(jnp.stack([*detuning, last]))
    return Rates(unit * jnp.stack(coupling), unit * kappa_first, -2 * unit * jnp.imag(last), unit * d)


def _poles(given: Reflection) -> Complex[Array, " n"]:
    """The stable roots, polished and made differentiable by one Newton step."""
    found = roots_of_power(given.zeros, given.scale**2)
    found = found[jnp.argsort(jnp.imag(found))][: given.zeros.size]
    far = jnp.concatenate([found[:, None] - given.zeros, found[:, None] - jnp.conj(given.zeros)], axis=1)
    product = jnp.prod(far, axis=1)
    return found - (product + given.scale**2) / frozen(product * jnp.sum(1 / far, axis=1))


def bands(given: Reflection) -> tuple[Float[Array, " 2n"], Bool[Array, " 2n-1"]]:
    """Every edge of |F| < 1 (rad/s, sorted, the first one repeated; outside the gradient), and which pieces between are inside."""
    unit = frozen(cutoff(given))
    found = roots_of_power(given.zeros / unit, -((given.scale / unit**given.zeros.size) ** 2))
    at, real = jnp.real(found), jnp.abs(jnp.imag(found)) < REAL
    edges = unit * jnp.sort(jnp.where(real, at, jnp.min(jnp.where(real, at, jnp.max(at)))))
    middle = (edges[1:] + edges[:-1]) / 2
    return edges, jnp.prod(jnp.abs(middle[:, None] - frozen(given.zeros)) / unit, axis=1) < 1


@eqx.filter_jit
def capacity(given: Reflection) -> Float[Array, ""]:
    r"""Q = int dw/2pi of -log2 |F|^2 where it is positive, qubits/s: q1 of the lossless chain, by

    .. math:: \int \ln[(\omega-x)^2+y^2]\, d\omega = u \ln(u^2+y^2) - 2u + 2|y| \arctan\frac{u}{|y|}, \quad u = \omega - x .
    """
    edges, inside = bands(given)
    unit = frozen(cutoff(given))
    u, y = (edges[:, None] - jnp.real(given.zeros)) / unit, jnp.abs(jnp.imag(given.zeros)) / unit
    whole = jnp.sum(u * jnp.log(u**2 + y**2) - 2 * u + 2 * y * jnp.arctan2(u, y), axis=1)
    whole = whole - 2 * jnp.log(given.scale / unit**given.zeros.size) * edges / unit
    return -unit * jnp.sum(jnp.where(inside, jnp.diff(whole), 0.0)) / (np.log(2) * Hz)
