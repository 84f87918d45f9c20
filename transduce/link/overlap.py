r"""How alike two photons are: the overlap of their temporal modes, what delays, detunings and clocks leave of it, and how good a clock
must be.

.. math:: \xi = \int\frac{d\omega}{2\pi}\, f_1^*(\omega)\, f_2(\omega - \delta)\, e^{i\omega\tau + i\phi_2\omega^2/2}, \qquad V = |\xi|^2

Convention: the second photon comes :math:`\tau` later, its carrier lies :math:`\delta` (rad/s) above the first's, and it passed the
dispersion :math:`\phi_2` (s^2) more than the first. V is the visibility of Hong, Ou and Mandel, Phys. Rev. Lett. 59, 2044 (1987): two
clicks hold V, one click its amplitude. In closed form, for one shape twice,

.. math:: V &= e^{-\tau^2/4\sigma^2 - \delta^2\sigma^2} && \text{Gaussian, deviation } \sigma \\
          V &= e^{-\gamma|\tau|}\,\gamma^2/(\gamma^2 + \delta^2) && \text{exponential, bandwidth } \gamma \\
          \xi &= \frac{a}{\sinh a}\,\frac{b}{\sinh b}\,\frac{\sin(2ab/\pi)}{2ab/\pi}, \quad a = \tau/T,\ b = \pi\delta T/2
              && \text{sech, width } T

worked out here, and checked against quadrature in the tests. An exponential loses V linearly in :math:`|\tau|`, all others quadratically.
"""

from collections.abc import Callable
from math import sqrt as root
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc, erfcx
from jax.scipy.stats import norm
from jaxtyping import Array, Complex

from ..numerics import abs2, cis, is_concrete, sqrt
from ..parameters import Scalar
from ..units import Hz
from .quadrature import nodes
from .wavepacket import AbstractWavepacket, Decaying, Gaussian, Real, Rising, Sech

_STEPS = 24  # of Newton's method from 0 on a concave function: enough down to a visibility of 1e-3
_GRID = np.linspace(0.0, 1.0, 129)


def _log_sinhc(square: Scalar) -> Scalar:
    """ln(sinh(x)/x) of x^2: analytic in it, and so differentiable at 0."""
    small = square < 0.02
    u = jnp.where(small, square, 0.0)
    series = u * (1 / 6 + u * (-1 / 180 + u * (1 / 2835 + u * (-1 / 37800 + u / 467775))))
    x = jnp.sqrt(jnp.where(small, 1.0, square))
    return jnp.where(small, series, x + jnp.log1p(-jnp.exp(-2 * x)) - jnp.log(2 * x))


def _gaussian(s1: Scalar, s2: Scalar, delay: Real, detuning: Real, dispersion: Real) -> Complex[Array, ""]:
    a = s1**2 + s2**2 - 0.5j * jnp.asarray(dispersion)
    b = 2 * s2**2 * detuning + 1j * jnp.asarray(delay)
    return jnp.sqrt(2 * s1 * s2 / a) * jnp.exp(b**2 / (4 * a) - (s2 * detuning) ** 2)


def _decaying(g1: Scalar, g2: Scalar, delay: Real, detuning: Real) -> Complex[Array, ""]:
    """The photon that comes first has decayed while the other begins; the derivative at no delay is towards a positive one."""
    waited = jnp.asarray(delay, float)
    later = waited >= 0
    decayed = jnp.where(later, g1 * waited, -g2 * waited) / 2
    turned = jnp.where(later, 0.0, detuning * waited)
    return sqrt(g1 * g2) / ((g1 + g2) / 2 + 1j * jnp.asarray(detuning)) * jnp.exp(-decayed + 1j * turned)


def mode_overlap(
    first: AbstractWavepacket, second: AbstractWavepacket, delay: Real = 0.0, detuning: Real = 0.0, dispersion: Real | None = None
) -> Complex[Array, ""]:
    r"""Overlap :math:`\xi` of two packets, of any bandwidths.

    Two Gaussians and two decaying (or rising) packets have a closed form; a Gaussian or sech with any of the four shapes is a quadrature
    (of two equal sechs to 1e-14 up to a delay of 20 widths T, to 1e-9 up to 40, to 1e-5 at 100).

    Args:
        first, second: the two modes.
        delay: of the second, s.
        detuning: of the second's carrier above the first's, rad/s.
        dispersion: :math:`\phi_2` of the second's path beyond the first's, s^2; None: no such difference.

    Raises:
        ValueError: two packets with edges of different kinds, or with a dispersion, or a shape known by its samples.
    """
    kinds = {type(first), type(second)}
    if isinstance(first, Gaussian) and isinstance(second, Gaussian):
        return _gaussian(first.deviation, second.deviation, delay, detuning, 0.0 if dispersion is None else dispersion)
    if kinds <= {Gaussian, Sech, Decaying, Rising} and kinds & {Gaussian, Sech}:
        return _quadrature(first, second, delay, detuning, 0.0 if dispersion is None else dispersion)
    if len(kinds) > 1 or not kinds <= {Decaying, Rising}:
        names = " and ".join(type(packet).__name__ for packet in (first, second))
        raise ValueError(f"mode_overlap: packets must be of one shape or one of them Gaussian or Sech, but is {names}")
    if dispersion is not None:
        raise ValueError(f"mode_overlap: dispersion must be None for packets with an edge, but is {dispersion}")
    sign = 1 if kinds == {Decaying} else -1  # a rising packet is a decaying one in reversed time
    return _decaying(first.bandwidth, second.bandwidth, sign * jnp.asarray(delay), sign * jnp.asarray(detuning))  # type: ignore[attr-defined]


def _quadrature(first: AbstractWavepacket, second: AbstractWavepacket, delay: Real, detuning: Real, dispersion: Real) -> Complex[Array, ""]:
    (c1, w1), (c2, w2) = first.features(), second.features()
    omega, weight = nodes(jnp.concatenate([c1, c2 + detuning]), jnp.concatenate([w1, w2]), panels=72)
    phase = cis(omega * delay + dispersion * omega**2 / 2)
    return jnp.sum(weight * jnp.conj(jax.vmap(first.spectrum)(omega)) * jax.vmap(second.spectrum)(omega - detuning) * phase)


def shifted_overlap(packet: AbstractWavepacket, delay: Real = 0.0, detuning: Real = 0.0) -> Complex[Array, ""]:
    r"""Overlap :math:`\xi` of a packet with itself, later and detuned; in closed form for the four shapes, up to a phase for a sech.

    Raises:
        ValueError: a shape known by its samples.
    """
    if not isinstance(packet, Sech):
        return mode_overlap(packet, packet, delay, detuning)
    a, b = delay / packet.width, detuning * packet.width
    both = jnp.exp(-_log_sinhc(a**2) - _log_sinhc((b * np.pi / 2) ** 2)) * jnp.sinc(a * b / Hz)  # sinc(x) is sin(pi x)/(pi x)
    return both + 0j


def visibility(
    first: AbstractWavepacket, second: AbstractWavepacket, delay: Real = 0.0, detuning: Real = 0.0, dispersion: Real | None = None
) -> Scalar:
    r""":math:`V = |\xi|^2`; see ``mode_overlap``."""
    return abs2(mode_overlap(first, second, delay, detuning, dispersion))


class Jittered(NamedTuple):
    r"""Means over a normally distributed delay.

    Attributes:
        visibility: :math:`\langle|\xi|^2\rangle`, which two clicks hold.
        amplitude: :math:`\langle\xi\rangle`, which one click holds; carrier phase apart (see ``carrier``).
    """

    visibility: Scalar
    amplitude: Scalar


def _gaussian_mean(order: int, delay: Scalar, jitter: Scalar) -> Scalar:
    """Mean of |xi|^order, times in units of the deviation."""
    spread = 1 + order * jitter**2 / 4
    return jnp.exp(-order * delay**2 / (8 * spread)) / jnp.sqrt(spread)


def _exponential_mean(order: int, delay: Scalar, jitter: Scalar) -> Scalar:
    """Mean of exp(-order |t| / 2), times in units of 1/bandwidth; derivatives at 0 are towards positive delay and jitter."""
    a, still = order / 2, jitter == 0
    delay = jnp.where(delay < 0, -delay, delay)
    spread = jnp.where(still, 1.0, jitter)
    ratio = delay / spread
    near, far = (a * spread - ratio) / root(2), (a * spread + ratio) / root(2)
    ahead = near < 0  # erfcx would overflow
    scaled = jnp.exp(-(ratio**2) / 2)
    early = jnp.exp(jnp.where(ahead, a * spread * (a * spread / 2 - ratio), 0.0)) * erfc(jnp.where(ahead, near, 0.0))
    mean = (jnp.where(ahead, early, scaled * erfcx(jnp.where(ahead, 0.0, near))) + scaled * erfcx(far)) / 2
    return jnp.where(still, jnp.exp(-a * delay) * jnp.where(delay > 0, 1.0, erfcx(a * jitter / root(2))), mean)


def _sech_mean(order: int, delay: Scalar, jitter: Scalar) -> Scalar:
    """Mean of (t / sinh t)^order, times in units of the width: a trapezoid rule, which converges exponentially."""
    still, reach = jitter == 0, 44 / order
    scale = jnp.where(still, 1.0, jitter)
    ends = (jnp.where(still, sign * 9.0, jnp.clip((sign * reach - delay) / scale, -9.0, 9.0)) for sign in (-1, 1))
    low, high = (jax.lax.stop_gradient(end) for end in ends)
    x = low + (high - low) * _GRID
    weight = norm.pdf(x) * (high - low) / (_GRID.size - 1)
    return jnp.sum(weight * jnp.exp(-order * _log_sinhc((delay + jitter * x) ** 2)))


_Mean = Callable[[int, Scalar, Scalar], Scalar]


def _own(packet: AbstractWavepacket) -> tuple[_Mean, Scalar, int]:
    """The mean of |xi|^order, the packet's unit of time, and the power of a small delay in which 1 - V is linear."""
    if isinstance(packet, Gaussian):
        return _gaussian_mean, packet.deviation, 2
    if isinstance(packet, Sech):
        return _sech_mean, packet.width, 2
    if isinstance(packet, Decaying | Rising):
        return _exponential_mean, 1 / packet.bandwidth, 1
    raise ValueError(f"overlap: packet must be Decaying, Rising, Gaussian or Sech, but is {type(packet).__name__}")


def jittered(packet: AbstractWavepacket, jitter: Real, delay: Real = 0.0) -> Jittered:
    r"""Overlap of a packet with itself under a delay of this mean and this standard deviation; bandwidths and carriers equal.

    Args:
        packet: Decaying, Rising, Gaussian or Sech.
        jitter: standard deviation of the delay between the two, s (:math:`\sqrt 2` that of each clock, where these are independent).
        delay: its mean, s.

    Raises:
        ValueError: a concrete jitter below 0, or another shape.
    """
    if is_concrete(jitter) and np.any(np.asarray(jitter) < 0):
        raise ValueError(f"jittered: jitter must be at least 0 s, but is {jitter}")
    mean, unit, _ = _own(packet)
    offset, spread = jnp.asarray(delay, float) / unit, jnp.asarray(jitter, float) / unit
    return Jittered(mean(2, offset, spread), mean(1, offset, spread))


def _newton(loss: Callable[[Scalar], Scalar], target: Scalar) -> Scalar:
    """Where a concave function that rises from loss(0) = 0 reaches the target; from 0 on, every step stays below the root."""

    def step(u: Scalar, aim: Scalar) -> Scalar:
        value, slope = jax.jvp(loss, (u,), (jnp.ones_like(u),))
        moved = u + (aim - value) / jax.lax.stop_gradient(slope)
        return jnp.where(moved < 0, 0.0, moved)  # rounding, at a target of 0

    aim = jax.lax.stop_gradient(target)
    found = jax.lax.fori_loop(0, _STEPS, lambda _, u: step(u, aim), jnp.zeros_like(aim))
    return step(jax.lax.stop_gradient(found), target)


def _time_for(packet: AbstractWavepacket, target: Real, shift: Callable[[Scalar], tuple[Scalar, Scalar]]) -> Scalar:
    if is_concrete(target) and not np.all((np.asarray(target) > 0) & (np.asarray(target) <= 1)):
        raise ValueError(f"visibility must be above 0 and at most 1, but is {target}")
    mean, unit, power = _own(packet)

    def loss(u: Scalar) -> Scalar:
        return -jnp.log(mean(2, *shift(sqrt(u) if power == 2 else u)))

    found = _newton(loss, -jnp.log(jnp.asarray(target, float)))
    return unit * (sqrt(found) if power == 2 else found)


def delay_for(packet: AbstractWavepacket, visibility: Real) -> Scalar:
    """The largest constant delay (s) at which two such photons still have this visibility.

    The slope at a visibility of 1 is infinite (above 1e40) but for an exponential: 1 - V starts with the square of the delay.

    Raises:
        ValueError: a concrete visibility that is not above 0 and at most 1, or a shape known by its samples.
    """
    return _time_for(packet, visibility, lambda time: (time, jnp.zeros_like(time)))


def jitter_for(packet: AbstractWavepacket, visibility: Real) -> Scalar:
    """The largest rms jitter (s) of the delay between two such photons at which their mean visibility is still this; down to 1e-3.

    Raises:
        ValueError: as ``delay_for``.
    """
    return _time_for(packet, visibility, lambda time: (jnp.zeros_like(time), time))
