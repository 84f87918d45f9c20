r"""Quantum capacity of a device per second: the bounds of ``capacity`` at each frequency, integrated over all of them.

.. math:: Q = \int \frac{d\omega}{2\pi}\, q(\eta(\omega), N(\omega)), \qquad Q \le \frac{2\sqrt3}{\ln 2}\, g_{max}

with :math:`1 - \eta` from the powers of all other ports. The integrand has a logarithmic singularity wherever the reflection vanishes and
a kink wherever a bound becomes 0. Both are zeros of functions of frequency; the axis is cut there, and each piece carries
double-exponential nodes, which bear a logarithm at either end. Near perfect matching, singularities lie close to the axis or to each
other; around each least reflection the pieces therefore shrink by a constant factor, which resolves them at any distance. The cuts at the
singularities move with the parameters, so that the nodes follow them and gradients converge as the integral does.

Source: Takahasi and Mori, Publ. RIMS 9, 721 (1974) (the quadrature); Wang, Jiang et al., arXiv:2203.00012 (the limit; reproduced here
by the N -> infinity Butterworth chain, whose optimality is numerical).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from ..linear.lineshape import frozen, sample_points
from ..linear.noise import output_noise
from ..linear.system import LinearSystem, Row, marked
from ..numerics import abs2
from ..units import Hz
from .capacity import unclipped

_T = np.linspace(-3.2, 3.2, 65)
_SHARE, _REST = 1 / (1 + np.exp(-np.pi * np.sinh(_T))), 1 / (1 + np.exp(np.pi * np.sinh(_T)))
_WEIGHT = np.pi * np.cosh(_T) * _SHARE * _REST * (_T[1] - _T[0])
_FAR = 4.0 ** np.arange(1, 13)
_HALVINGS = 60
_DEFICIT, _STEEP, _SINGULAR = 0, 1, 2
"""The first two signals mark singularities; at the zeros of the others the integrand is continuous and moving a cut changes nothing."""
_GRADES = np.concatenate([[0.0], *(sign * 12.0 ** -np.arange(11.0) for sign in (1, -1))])
_ROUNDING = (np.finfo(float).eps / 2) ** 2
"""A deficit below the square of an amplitude's last place is not known, and read as that."""
_TOUCHING, _TIGHT = 1e-18, 2e-5
"""A cut with a smaller deficit is singular; if D'' there, in units of the bandwidth, is smaller too, zeros nearly coincide."""


class Line(NamedTuple):
    """A conversion at one frequency: efficiency, normal-ordered noise of all other ports at the target, and 1 - efficiency."""

    efficiency: Float[Array, ""]
    noise: Float[Array, ""]
    deficit: Float[Array, ""]


class CapacityRate(NamedTuple):
    """Integrals over int dw/2pi (qubits per second) of the bounds of ``capacity.Bounds``; ``upper`` is that of the tighter one."""

    pure_loss: Float[Array, ""]
    lower: Float[Array, ""]
    bottleneck: Float[Array, ""]
    upper: Float[Array, ""]


def line(system: LinearSystem, source: str, target: str, omega: Float[Array, ""]) -> Line:
    """What the bounds are read from, at one offset frequency (rad/s).

    Raises:
        ValueError: one port, or a conversion that conjugates the phase (v != 0), for which the bounds are not known.
    """
    return _line(system.row(target, omega), system, source, target)


def _line(row: Row, system: LinearSystem, source: str, target: str) -> Line:
    index = system.index(source)
    if index == system.index(target):
        raise ValueError(f"capacity: source and target must be two ports, but are both {source!r}")
    if row.anomalous[index] is not None:
        raise ValueError(f"capacity: the conversion from {source} to {target} must not conjugate the phase, but has v != 0; use a red pump")
    u = row.normal[index]
    others = sum(abs2(jnp.asarray(s)) for k, s in enumerate(row.normal) if k != index and s is not None)
    images = sum(abs2(jnp.asarray(s)) for s in row.anomalous if s is not None)
    noise = output_noise(row, system.occupation, skip=index, skip_image=True)
    return Line(abs2(jnp.asarray(0.0 if u is None else u)), jnp.asarray(noise, float), jnp.asarray(others - images))


def capacity_rate(system: LinearSystem, source: str = "microwave", target: str = "optical") -> CapacityRate:
    """Capacity bounds of a conversion over all frequencies, such as ``capacity_rate(device.linear_system())``.

    Where reflection zeros coincide the rates' own rounding shows: with equal rates and no loss the pure-loss rate falls like sqrt(1 - C)
    below a cooperativity of 1, so one unit in the last place moves it by 2e-8 of itself; N zeros at once by about (1e-16)^(1/N) (for
    such chains ``chain.capacity`` is exact). The gradient there is infinite from below, finite from above, and rounding drowns it:
    it is NaN at such a point and beside it (equal rates, no loss: -2e-9 < C - 1 < 4e-6). Where one zero crosses the axis (unequal
    rates, no loss, C = 1) the two one-sided gradients differ, and their mean is returned.

    Args:
        system: of any device, at its operating point.
        source, target: two of its ports.

    Raises:
        ValueError: as ``line``.
        UnstableError: the system is concrete and unstable.
    """
    system.gate()
    return _rate(system, source, target)


@eqx.filter_jit
def _rate(system: LinearSystem, source: str, target: str) -> CapacityRate:
    safe, stable = system.gate()

    def ask(system: LinearSystem, omega: Float[Array, ""]) -> Line:
        return _line(system.amplitudes(target, omega), system, source, target)

    features, smooth = _features(safe, target)
    points = sample_points(features)
    width = jnp.max(jnp.abs(jnp.imag(features))) + jnp.ptp(jnp.real(features))
    points = jnp.concatenate([points[0] - _FAR[::-1] * (points[-1] - points[0]), points, points[-1] + _FAR * (points[-1] - points[0])])
    cuts = _cuts(ask, safe, points, width, 3 * len(safe.rows))
    cuts = jnp.sort(jnp.concatenate([cuts, jnp.where(smooth, jnp.real(features), points[0])]))
    omega = cuts[:-1, None] * _REST + cuts[1:, None] * _SHARE
    weight = jnp.diff(cuts)[:, None] * _WEIGHT / Hz
    here = jax.vmap(jax.vmap(lambda w: ask(safe, w)))(omega)
    known = jnp.where(jnp.abs(here.deficit) < _ROUNDING, _ROUNDING, here.deficit)
    found = unclipped(here.efficiency, here.noise, known).positive()
    parts = (found.pure_loss, found.lower, found.bottleneck, found.upper)
    return marked(CapacityRate(*(jnp.sum(weight * part) for part in parts)), stable)


def _features(system: LinearSystem, target: str) -> tuple[Complex[Array, " k"], Bool[Array, " k"]]:
    """Poles, and zeros of the target's reflection, det(-iw - A - K^+ K) = 0, at least a tenth as wide as the next feature is far.

    Where the integrand is smooth at them (not at zeros that had to be widened), a cut there makes it smoother still for the nodes.
    """
    output, poles = system.output(target), system.poles(target)
    contacts = dict(zip(output.start_rows, output.start, strict=True))
    k = jnp.stack([jnp.asarray(contacts.get(row, 0.0), complex) for row in range(output.size)])
    found = jnp.linalg.eigvals(frozen(system.drift_matrix() + jnp.outer(jnp.conj(k), k)))
    zeros = 1j * (found if output.sign > 0 else jnp.conj(found))
    apart = jnp.abs(zeros[:, None] - jnp.concatenate([zeros, poles]))
    apart = jnp.where(np.eye(zeros.size, apart.shape[1]) == 1, jnp.inf, apart)
    own, least = jnp.abs(jnp.imag(zeros)), 0.1 * jnp.min(apart, axis=1)
    features = jnp.concatenate([poles, jnp.real(zeros) - 1j * jnp.maximum(own, least)])
    return features, jnp.concatenate([jnp.ones(poles.size, bool), own > least])


def _signals(ask: Callable[[Any, Array], Line], system: LinearSystem, omega: Float[Array, ""]) -> Float[Array, " s"]:
    """Functions whose zeros cut the axis: the deficit and its slope, where three bounds begin, and where the two upper ones cross.

    Far off, where the slope is rounding, it is read as 1; a billionth of a bit keeps the last one from rounding to 0 at efficiency 1.
    """
    here, slope = jax.jvp(lambda w: ask(system, w), (omega,), (jnp.ones(()),))
    q = unclipped(*here)
    steep = jnp.where(here.efficiency < 0.1, 1.0, slope.deficit)
    return jnp.stack([here.deficit, steep, q.pure_loss, q.lower, q.bottleneck, q.two_way - q.bottleneck + 1e-9])


def _cuts(
    ask: Callable[[Any, Array], Line], system: LinearSystem, points: Float[Array, " m"], width: Float[Array, ""], most: int
) -> Float[Array, " c"]:
    """Zeros of the signals, at most so many of each, by halving; those of the slope with grades on either side, from the width down."""
    still = frozen(system)
    positive = jax.vmap(lambda w: _signals(ask, still, w))(points) >= 0
    start = jax.vmap(lambda row: jnp.nonzero(row, size=most, fill_value=0)[0])((positive[1:] != positive[:-1]).T)
    rows = jnp.arange(start.shape[0])[:, None]

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        values = jax.vmap(jax.vmap(lambda w: _signals(ask, still, w)))(middle)
        same = (jnp.take_along_axis(values, rows[..., None], axis=2)[..., 0] >= 0) == positive[start, rows]
        return jnp.where(same, middle, low), jnp.where(same, high, middle)

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (points[start], points[start + 1]))
    zeros = (low + high) / 2
    moving = jax.vmap(jax.vmap(lambda w: _moved(ask, system, w, width)))(zeros[:_SINGULAR])
    graded = moving[_STEEP, :, _STEEP, None] + _GRADES * width
    return jnp.concatenate([moving[_DEFICIT, :, _DEFICIT], graded.ravel(), zeros[_SINGULAR:].ravel()])


def _moved(ask: Callable[[Any, Array], Line], system: LinearSystem, omega: Array, width: Array) -> Float[Array, " 2"]:
    """The same frequency as a zero of the deficit, and as one of its slope, with the gradient of the implicit equation.

    A least deficit above 0 is no singularity and stays where it is. Where singularities nearly
    coincide (deficit and curvature vanish) a gradient would be rounding: it is NaN.
    """
    values, slopes = jax.jvp(lambda w: _signals(ask, system, w)[:_SINGULAR], (omega,), (jnp.ones(()),))
    still, slopes = frozen((values, slopes))
    change = values - still
    touching = jnp.abs(still[_DEFICIT]) < _TOUCHING
    tight = touching & (jnp.abs(slopes[_STEEP]) * width**2 < _TIGHT)
    lost = 0.0 * jnp.sqrt(jnp.where(tight, change, 1.0))
    moves = jnp.array([True, False]) | touching
    return omega - change / jnp.where(moves & (slopes != 0), slopes, jnp.inf) + lost


def coupling_limit(g_max: Float[Array, ""] | float) -> Float[Array, ""] | float:
    """The most that modes whose couplings are at most g_max (rad/s) can convert: 2 sqrt(3) g_max / ln 2 = 4.9976 g_max, qubits/s."""
    return 2 * np.sqrt(3) / np.log(2) * g_max


def largest_coupling(system: LinearSystem) -> Float[Array, ""]:
    """Of all pairs of modes, rad/s."""
    return jnp.max(jnp.abs(jnp.stack([jnp.asarray(g) for g in system.hopping])))


def limit_share(system: LinearSystem, source: str = "microwave", target: str = "optical") -> Float[Array, ""]:
    """How much of ``coupling_limit`` at its largest coupling a device is sure to reach: its lower bound over that limit."""
    return capacity_rate(system, source, target).lower / coupling_limit(largest_coupling(system))
