r"""A gate that cuts the photon: what two arriving modes, their overlap and their noise become in a finite window of time.

A detector open from :math:`t_0` to :math:`t_1` sees of a mode g the part :math:`W(t) = g(t)` inside. With
:math:`\phi_i = \int_{t_0}^{t_1}|g_i|^2 dt`, the modes' overlap and the noise photons of a spectrum n are

.. math:: \xi = \frac{1}{\sqrt{\phi_a\phi_b}} \int_{t_0}^{t_1} g_a^* g_b\, dt, \qquad
          n_W = \frac1\phi \int\frac{d\omega}{2\pi} |W(\omega)|^2 n(\omega) .

:math:`W(\omega)` falls as 1/omega under fringes :math:`e^{i\omega(t_1 - t_0)}` that no node resolves, so it is kept as three pieces, each
smooth: :math:`W = m\,g + e^{i\omega t_0}S - e^{i\omega t_1}E`, where S and E are the parts of g outwards from either end (m = 1 where the
gate holds the middle), and the integrals of their products under any fringe are exact (see ``filon``). A gate that cuts nothing then
changes nothing. A short one is summed inside, :math:`n_W = \frac{2}{\phi} \mathrm{Re}\int_0^T C(\tau)A(\tau)d\tau` with C the transform
of n and A the autocorrelation of W.

Convention: :math:`g(t) = \int\frac{d\omega}{2\pi} g(\omega)e^{-i\omega t}`. Error: as the tests state, 1e-10 of the photon in fractions
and overlap, 1e-8 in noise (1e-4 behind a filter 1e5 times as wide). Cost: 170 times against all panels in frequency, and all nodes in
frequency against 16 panels in time.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..linear.lineshape import frozen
from ..numerics import DARK, abs2, cis, sqrt
from ..parameters import Scalar
from .filon import Panels, fastest, fourier
from .quadrature import ORDER, Nodes
from .wavepacket import AbstractWavepacket, Decaying, Rising

PANELS = 8
"""Of the time outwards from either end of the gate."""
SHORT = 6.0
"""Below this gate length, in units of 1/(largest frequency of any feature), the gate is summed inside if the modes are smooth in it."""
POINT = 4e-3
"""Below this, in the same units, the best place of a gate is told from slopes inside it."""
FAINT = 1e-13
"""A part of a mode below this is rounding, and counts as none."""

_X, _WEIGHTS = np.polynomial.legendre.leggauss(ORDER)
_SEARCH = np.linspace(-1.0, 1.0, 65)


class Mesh(NamedTuple):
    """Where two modes live in time: panels grow with the distance from a centre, from a width on.

    Attributes:
        centre: the earlier of the packets' edges, or the modes' mean time (s).
        kink: the later edge (s); None without edges.
        width: what must be resolved there (s).
        reach: beyond this distance from the centre nothing is left (s).
    """

    centre: Scalar
    kink: Scalar | None
    width: Scalar
    reach: Scalar

    def short(self, start: Scalar, length: Scalar, rate: Scalar) -> Array:
        """Whether a gate is summed inside: so short that all is smooth in it, at the largest rate (rad/s) too, and no edge inside."""
        jumps = [] if self.kink is None else [self.centre, self.kink]
        inside = [(start < jump) & (jump < start + length) for jump in jumps]
        smooth = (length * rate < SHORT) & (length < 1.5 * self.width) & ~jnp.any(jnp.array(inside, bool))
        return (length * rate < POINT) | smooth

    def _graded(self, start: Array, stop: Array, around: Array) -> Array:
        """Edges of panels from one time to another."""
        first, last = (jnp.arcsinh((time - around) / self.width) for time in (start, stop))
        marks = around + self.width * jnp.sinh(first + (last - first) * jnp.linspace(0.0, 1.0, PANELS + 1)[1:-1])
        return jnp.concatenate([marks, stop[None]])

    def panels(self, start: Scalar, late: Array) -> Panels:
        """From a time to the mesh's end or, where not ``late``, to its beginning: backwards."""
        low, high, here = self.centre - self.reach, self.centre + self.reach, frozen(start)
        stop = jnp.where(late, jnp.maximum(high, here), jnp.minimum(low, here))
        if self.kink is None:
            edges = [start[None], self._graded(here, stop, self.centre)]
        else:
            middle = jnp.where(late, jnp.clip(self.kink, here, stop), stop)
            edges = [start[None], self._graded(here, middle, self.centre), self._graded(middle, stop, self.kink)]
        marks = jnp.concatenate(edges)
        return Panels((marks[1:] + marks[:-1]) / 2, jnp.diff(marks) / 2)


class Packets(NamedTuple):
    """Two arriving modes.

    Attributes:
        grid: quadrature nodes, on whose panels the modes are smooth.
        modes: normalised, each on its own clock, as columns.
        later: how much later than on its clock the second arrives (s).
        span: the modes live within four times this of their middle (s).
        edge: when the packet that was sent jumps (s); None for a smooth one.
    """

    grid: Nodes
    modes: Complex[Array, "m 2"]
    later: Scalar
    span: Scalar
    edge: Scalar | None = None

    @property
    def rate(self) -> Scalar:
        """Of the fastest feature, rad/s."""
        return fastest(self.grid)

    def mesh(self) -> Mesh:
        """Of both modes together, outside the gradient: no integral depends on it."""
        grid, modes, later, span, edge = frozen(self)
        reach = 4 * span + jnp.abs(later)
        if edge is not None:
            return Mesh(edge + jnp.minimum(later, 0.0), edge + jnp.maximum(later, 0.0), 1 / self.rate, reach)
        here, omega = modes[: -2 * ORDER], grid.omega[: -2 * ORDER]  # the two tails stand at the end
        slope = jnp.angle(here[1:] * jnp.conj(here[:-1])) / jnp.diff(omega)[:, None]
        pairs = jnp.abs(here[1:]) * jnp.abs(here[:-1]) * jnp.diff(omega)[:, None]
        power = grid.weight * jnp.sum(abs2(modes), axis=1)
        mean = (power @ grid.omega) / jnp.sum(power)
        width = jnp.sqrt(jnp.sum(power) / (power @ (grid.omega - mean) ** 2)) / 2
        return Mesh(jnp.sum(slope * pairs) / jnp.sum(pairs) + later / 2, None, width, reach)

    def arriving(self, times: Float[Array, " t"], slopes: int = 0) -> Complex[Array, "t 2 s"]:
        """Both modes in time, and so many derivatives."""
        turns = (-1j * self.grid.omega[:, None]) ** jnp.arange(slopes + 1)
        first, second = (self.modes[:, arm, None] * turns for arm in (0, 1))
        if self.edge is None:
            shifted = cis(self.grid.omega * self.later)[:, None] * second
            return fourier(self.grid, jnp.concatenate([first, shifted], axis=1), times, tails=False).reshape(-1, 2, slopes + 1)
        clocks = jnp.stack([times, times - self.later])
        return jax.vmap(lambda one, at: fourier(self.grid, one, at), out_axes=1)(jnp.stack([first, second]), clocks)

    def overlap(self) -> Complex[Array, ""]:
        """Of the modes uncut."""
        terms = jnp.conj(self.modes[:, 0]) * self.modes[:, 1]
        if self.edge is None:
            return jnp.sum(self.grid.weight * terms * cis(self.grid.omega * self.later))
        return fourier(self.grid, terms[:, None], -jnp.reshape(self.later, 1))[0, 0]


class Gate(NamedTuple):
    """When the detectors are open, on the first mode's clock.

    Attributes:
        start, length: s.
        mesh: of the two modes.
    """

    start: Scalar
    length: Scalar
    mesh: Mesh


def best_gate(packets: Packets, length: Scalar, powers: Float[Array, " 2"]) -> Gate:
    r"""The gate that holds the most energy of both modes, with the gradient of the implicit equation.

    With :math:`I = \sum_i p_i|g_i|^2` it opens where :math:`I(t_0 + T) = I(t_0)`, and where I is largest for T = 0.

    Args:
        packets: what arrives.
        length: T (s), >= 0.
        powers: how much each mode counts, (2,).
    """
    mesh, weighted = packets.mesh(), packets._replace(modes=packets.modes * sqrt(powers))
    still, fixed = frozen((weighted, length))
    best, bracket, total = _searched(still, fixed, mesh)

    def narrow(_: int, place: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        low, start, high = place
        rise, bend = _rise(still, start, fixed)
        low, high = jnp.where(rise > 0, start, low), jnp.where(rise > 0, high, start)
        step = start - rise / jnp.where(bend < 0, bend, -jnp.inf)
        return low, jnp.where((step >= low) & (step <= high) & (bend < 0), step, (low + high) / 2), high

    found = jax.lax.fori_loop(0, 12, narrow, (best - bracket, best, best + bracket))[1]
    rise, bend = _rise(weighted, found, length)
    flat = (-frozen(bend) * fixed * mesh.width**2 < FAINT * total) & (fixed > mesh.width)  # it holds all
    settled = flat | (frozen(bend) >= 0)
    step = jnp.where(settled, 0.0, rise) / jax.lax.stop_gradient(jnp.where(settled, 1.0, bend))
    return Gate(jnp.where(flat, best, found) - step, length, mesh)


def _searched(packets: Packets, length: Scalar, mesh: Mesh) -> tuple[Scalar, Scalar, Scalar]:
    """About where the best gate starts, how far from it that may be (s), and the energy of both modes."""
    steps = jnp.arcsinh(mesh.reach / mesh.width)
    times = mesh.centre + mesh.width * jnp.sinh(steps * _SEARCH)
    density = jnp.sum(abs2(packets.arriving(times)), axis=(1, 2))
    passed = jnp.concatenate([jnp.zeros(1), jnp.cumsum((density[1:] + density[:-1]) * jnp.diff(times) / 2)])
    starts = jnp.concatenate([times, times - length])
    away = jnp.abs(starts + length / 2 - mesh.centre) / mesh.reach
    held = jnp.interp(starts + length, times, passed) - jnp.interp(starts, times, passed)
    middle = jnp.maximum(length, 1e-6 * mesh.width) * jnp.interp(starts + length / 2, times, density)
    best = starts[jnp.argmax(jnp.where(held > 0.1 * passed[-1], held, middle) - FAINT * passed[-1] * away)]
    far = jnp.maximum(jnp.abs(best - mesh.centre), jnp.abs(best + length - mesh.centre))
    return best, 2 * (_SEARCH[1] - _SEARCH[0]) * steps * jnp.hypot(mesh.width, far), passed[-1]


def _rise(packets: Packets, start: Scalar, length: Scalar) -> tuple[Scalar, Scalar]:
    """Of the energy inside, over the length: its slope and its second derivative with the start.

    They are differences of I and I' between the ends or, for a very short gate, the means of I' and I'' over it, by two nodes.
    """
    point = frozen(length) * packets.rate < POINT
    places = jnp.where(point, (1 + np.array([-1, 1]) / np.sqrt(3)) / 2, np.array([0.0, 1.0]))
    g, first, second = jnp.moveaxis(packets.arriving(start + length * places, slopes=2), 2, 0)
    intensity, slope = jnp.sum(abs2(g), axis=1), 2 * jnp.sum(jnp.real(jnp.conj(g) * first), axis=1)
    bend = 2 * jnp.sum(abs2(first) + jnp.real(jnp.conj(g) * second), axis=1)
    over = jnp.where(point, 1.0, length)
    ends = (intensity[1] - intensity[0]) / over, (slope[1] - slope[0]) / over
    return jnp.where(point, jnp.mean(slope), ends[0]), jnp.where(point, jnp.mean(bend), ends[1])


class Gated(NamedTuple):
    """Two modes cut by one gate; ``fractions`` and ``overlap`` are what is read, the rest is what ``noise`` and ``after`` follow from.

    Attributes:
        fractions: of each mode's energy inside the gate, (2,).
        overlap: of the two cut modes, normalised; 0 where either has nothing inside.
        grid, starts, length: the nodes, and the gate on each mode's clock (s), (2,) and ().
        short: whether the gate is summed inside.
        pieces: m g, S and -E on the nodes, (3, m, 2).
        inside: of the short gate: g at its nodes, over the root of its mean square, (j, 2).
    """

    fractions: Float[Array, " 2"]
    overlap: Complex[Array, ""]
    grid: Nodes
    starts: Float[Array, " 2"]
    length: Scalar
    short: Array
    pieces: Complex[Array, "3 m 2"]
    inside: Complex[Array, "j 2"]

    def noise(self, spectra: Float[Array, "m 2"]) -> Float[Array, " 2"]:
        """Photons in each cut mode of a noise spectrum (photons/s/Hz on the nodes), or the mean of any other smooth one >= 0 in it."""
        return jax.vmap(self._noise, in_axes=(1, 0, 2, 1, 0))(spectra, self.starts, self.pieces, self.inside, self.fractions)

    def _noise(self, spectrum: Array, start: Array, pieces: Array, inside: Array, fraction: Array) -> Scalar:
        (whole, first, last), length = pieces, self.length
        columns = [jnp.conj(whole) * first, jnp.conj(whole) * last, jnp.conj(first) * last, jnp.ones_like(whole)]
        times = jnp.concatenate([-jnp.stack([start, start + length, length]), length * (_X + 1) / 2])
        found = fourier(self.grid, spectrum[:, None] * jnp.stack(columns, axis=1), times)
        fringes = jnp.real(found[0, 0] + found[1, 1] + found[2, 2])
        total = self.grid.weight @ (spectrum * jnp.sum(abs2(pieces), axis=0)) + 2 * fringes
        pairs = jnp.einsum("a,kab,b->k", jnp.conj(inside), _AUTOCORRELATION, inside)
        inner = length * jnp.real(_WEIGHTS @ (found[3:, 3] * pairs))
        faint = self.short | (fraction == 0)
        outer = jnp.where(faint, 0.0, total) / jnp.where(faint, 1.0, fraction)
        return jnp.where(self.short, inner, jnp.clip(outer, 0.0, length * (self.grid.weight @ spectrum)))

    def after(self, arm: int, response: Complex[Array, " m"], times: Float[Array, " t"]) -> Complex[Array, " t"]:
        """One cut mode, not normalised, behind a response on the nodes, at these times (s) of its own clock."""
        places = jnp.stack([jnp.zeros(()), self.starts[arm], self.starts[arm] + self.length])
        parts = jax.vmap(lambda one, place: fourier(self.grid, (one * response)[:, None], times - place)[:, 0])
        return jnp.sum(parts(self.pieces[:, :, arm], places), axis=0)


def _autocorrelation() -> np.ndarray:
    """int_0^{1-tau} g*(t) g(t + tau) dt at ten tau within 0 and 1, from g at ten t."""
    legendre = np.polynomial.legendre.legvander
    points, tau = (_X + 1) / 2, (_X[:, None] + 1) / 2
    first, basis = (1 - tau) * points, np.linalg.inv(legendre(_X, ORDER - 1))
    early, late = (legendre(2 * time - 1, ORDER - 1) @ basis for time in (first, first + tau))
    return np.einsum("kj,kja,kjb->kab", (1 - tau) * _WEIGHTS / 2, early, late)


_AUTOCORRELATION = _autocorrelation()


def edge_of(packet: AbstractWavepacket) -> Scalar | None:
    """When a packet jumps (s); None for a smooth one."""
    if isinstance(packet, Decaying):
        return packet.start
    return packet.end if isinstance(packet, Rising) else None


def gated(packets: Packets, gate: Gate) -> Gated:
    """Two modes cut by one gate; of packets that arrive at many delays all may be cut by the gate of one."""
    (start, length, mesh), grid = gate, packets.grid
    end, opened = start + length, frozen(start)
    late, early = opened > mesh.centre, frozen(end) < mesh.centre
    keep = jnp.where(late | early, 0.0, 1.0)
    sides = mesh.panels(start, late), mesh.panels(end, ~early)
    outward = Panels(*(jnp.stack(both) for both in zip(*sides, strict=True)))
    nodes, weights = jax.vmap(Panels.rule)(outward)
    times = jnp.append(nodes, start + length * (_X + 1) / 2)
    amplitudes = packets.arriving(times)[:, :, 0]
    values = amplitudes[:-ORDER].reshape(2, -1, 2)
    signs, places = np.array([1.0, -1.0]), jnp.stack([start, end])
    products = jnp.concatenate([abs2(values), (jnp.conj(values[..., 0]) * values[..., 1])[..., None]], axis=2)
    sums = keep * jnp.stack([1.0, 1.0, packets.overlap()]) + jnp.einsum("s,sj,sjk->k", signs, weights, products)
    moved = Panels(outward.middle - places[:, None], outward.half)
    parts = jax.vmap(lambda panels, one: panels.transform(one, -grid.omega))(moved, values)
    pieces = jnp.concatenate([keep * packets.modes[None], signs[:, None, None] * parts])
    short, starts = mesh.short(opened, frozen(length), packets.rate), jnp.stack([start, start - packets.later])
    return _joined(grid, starts, length, short, jnp.real(sums[:2]), sums[2], pieces, amplitudes[-ORDER:])


def _joined(grid: Nodes, starts: Array, length: Scalar, short: Array, squares: Array, both: Array, pieces: Array, within: Array) -> Gated:
    """The figures of the long and of the short gate in one; where a mode has nothing inside, its cut shape is flat."""
    density = _WEIGHTS @ abs2(within) / 2
    dark = density < DARK
    inside = jnp.where(dark, 1.0, within / jnp.sqrt(jnp.where(dark, 1.0, density)))
    inner = _WEIGHTS @ (jnp.conj(inside[:, 0]) * inside[:, 1]) / 2
    faint = squares < FAINT
    safe = jnp.where(short | faint, 1.0, squares)
    fractions = jnp.where(short, length * density, jnp.where(faint, 0.0, squares))
    overlap = jnp.where(short, inner, jnp.where(jnp.any(faint), 0.0, both) / jnp.sqrt(safe[0] * safe[1]))
    overlap = overlap / jnp.sqrt(jnp.maximum(abs2(overlap), 1.0))  # above 1 by rounding
    return Gated(fractions, overlap, grid, starts, length, short, pieces, inside)
