r"""Two nodes whose photons meet at a station half-way: what reaches its two detectors, in the photons' modes and beside them.

Behind the station's filter :math:`h(\omega) = \frac{K/2}{K/2 - i\omega}` a packet f of node i arrives as :math:`h u_i f` in the noise
:math:`|h|^2 n_i(\omega)`. Its matched mode :math:`g_i` makes one channel (t, n); the two modes overlap by

.. math:: \xi = \langle g_a|g_b\rangle = \int\frac{d\omega}{2\pi}\, g_a^*(\omega)\, g_b(\omega)\, e^{i\omega\tau}

and in a gate of length T each of two equal detectors sees, outside of these modes,

.. math:: \lambda = \tfrac12 \sum_i \Big[ T \int\frac{d\omega}{2\pi}\, |h|^2 n_i - \int\frac{d\omega}{2\pi}\, |g_i|^2 |h|^2 n_i \Big]

photons (Mandel and Wolf, Optical Coherence and Quantum Optics, ch. 9: mean counts are the flux times the gate). A device pumped for pairs
sends the half of a pair: with the moments :math:`N_o, N_m, M` of its two outputs, and f the mode that the station selects,

.. math:: N_o = \int |f|^2 |h|^2 (|u|^2 N_o + n), \quad c^2 = \int |f h u M|^2, \quad N_m = \int |f h u M|^2 N_m / c^2 ,

the kept mode being the matched one. Convention: frequencies are offsets from a's optical carrier; arrivals are compensated to the largest
:math:`|\xi|`, but for the ``timing_offset``.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from .. import parameters
from ..gaussian.channel import ModeChannel
from ..linear.lineshape import frozen
from ..linear.noise import PairMoments
from ..numerics import DARK, abs2, cis, sqrt
from ..parameters import Scalar
from .arms import Arm, Scene, converting, kept_mode, mode_of, pairing
from .base import AbstractStage
from .fibre import Fibre
from .gating import Packets, best_gate, edge_of, gated
from .link import Link
from .node import Connection, Node, check_carriers
from .quadrature import ORDER, Nodes
from .routing import Station
from .sampled import Sampled
from .synchronisation import Synchronisation, phase_jitters
from .wavepacket import AbstractWavepacket

REACH = 1.5
"""In units of the photon's length and the devices' ringing."""
Stages = tuple[Bool[Array, " s"], Bool[Array, " t"]]
"""Of each arm, which are meant."""


class Meeting(eqx.Module):
    """Two nodes, and the optical paths from both to a station with a beam splitter; the ends need not be alike.

    Attributes:
        a, b: the nodes, their devices pumped for conversion or for pairs.
        path_a, path_b: the stages between each transducer's optical port and the station.
        frequency_shift: what b's path adds to the optical carrier beyond a's (rad/s); with it the carriers of both must agree.
        synchronisation: of the two nodes; None: perfect but for the qubits' own jitter.

    Raises:
        ValueError: carriers that do not agree, or a path that names a stage "up".
    """

    a: Node
    b: Node
    path_a: Link
    path_b: Link
    frequency_shift: Scalar = parameters.detuning(0.0)
    synchronisation: Synchronisation | None = None

    def __check_init__(self) -> None:
        parameters.check(self)
        for name, path in (("path_a", self.path_a), ("path_b", self.path_b)):
            if "up" in path.names:
                raise ValueError(f"Meeting.{name} must not name a stage up, but has {', '.join(path.names)}")
        check_carriers("Meeting.frequency_shift must bring b's optical carrier to a's", self.b, self.a, self.frequency_shift)

    @property
    def ends(self) -> tuple[tuple[Node, Link], tuple[Node, Link]]:
        """Each node with its path."""
        return (self.a, self.path_a), (self.b, self.path_b)

    def gate(self) -> None:
        """Raise where a device of concrete values is unstable.

        Raises:
            UnstableError: it has no steady state.
        """
        for node, path in self.ends:
            node.device.gate()
            path.gate()

    @classmethod
    def of(cls, connection: Connection) -> "Meeting":
        """The meeting at a connection's ``Station`` or, where its path has none, half-way: in its middle fibre, or before it where the
        fibres are even in number; at b where there is no fibre. b's arm is the rest of the path, the other way round.
        """
        first, second = _halves(connection.path)
        shift, clocks = -connection.frequency_shift, connection.synchronisation
        return cls(connection.a, connection.b, first, second, frequency_shift=shift, synchronisation=clocks)

    @property
    def carrier_offset(self) -> Scalar:
        """How far b's carrier lies above a's, rad/s."""
        return jnp.zeros(()) if self.synchronisation is None else self.synchronisation.carrier_offset

    def phase_jitters(self, separation: Scalar | None = None) -> tuple[Scalar, Scalar]:
        """Between the arms, of one use, and of the increment between two (see ``synchronisation.phase_jitters``), rad rms."""
        return phase_jitters(self.a.qubit, self.b.qubit, self.synchronisation, separation)

    def converted(
        self, photon: AbstractWavepacket, bandwidth: Scalar, ideal: Stages | None = None
    ) -> "tuple[Arrived, tuple[ModeChannel, ModeChannel]]":
        """Both nodes send the photon by conversion: what arrives, and each arm's (t, n) from microwave port to detector.

        Args:
            photon: the microwave packet that is sent.
            bandwidth: K of the filter, FWHM, rad/s.
            ideal: which stages of each arm are made so, up first.

        Raises:
            ValueError: a device pumped for pairs.
        """
        arms = [converting(*end, made) for end, made in zip(self.ends, ideal or (None, None), strict=True)]
        scene = Scene.of(self.carrier_offset, photon, bandwidth, arms)
        arrived = [scene.filtered(arm.response(omega)) for arm, omega in zip(arms, scene.omegas, strict=True)]
        modes = [mode_of(scene.grid, one.u * sent, sent) for one, sent in zip(arrived, scene.sent, strict=True)]
        noises = [one.noise for one in arrived]
        own = [scene.grid.weight @ (abs2(mode) * noise) for (mode, _), noise in zip(modes, noises, strict=True)]
        a, b = (ModeChannel(sqrt(power) + 0j, noise) for (_, power), noise in zip(modes, own, strict=True))
        return _arrived(scene, photon, (modes[0][0], modes[1][0]), noises, own, arms), (a, b)

    def paired(
        self, photon: AbstractWavepacket, bandwidth: Scalar, ideal: Stages | None = None
    ) -> "tuple[Arrived, tuple[PairMoments, PairMoments], tuple[Sampled, Sampled]]":
        """Both nodes make pairs: what arrives, the moments of (kept microwave mode, sent optical mode at the detectors), the kept modes.

        Args:
            photon: the optical mode that the station selects.
            bandwidth: K of the filter, FWHM, rad/s.
            ideal: which stages of each path are made so.

        Raises:
            ValueError: a device that is not pumped for pairs.
        """
        arms = [pairing(f"Meeting.{name}", *end, made) for name, end, made in zip("ab", self.ends, ideal or (None, None), strict=True)]
        scene = Scene.of(self.carrier_offset, photon, bandwidth, arms)
        arrived = [scene.filtered(arm.response(omega)) for arm, omega in zip(arms, scene.omegas, strict=True)]
        made = [jax.vmap(arm.moments)(omega) for arm, omega in zip(arms, scene.omegas, strict=True)]
        noises = [abs2(one.u) * pair.first + one.noise for one, pair in zip(arrived, made, strict=True)]
        own, moments = [], []
        for one, pair, sent, noise in zip(arrived, made, scene.sent, noises, strict=True):
            kept, strength = mode_of(scene.grid, sent * one.u * pair.correlation, sent)
            own.append(scene.grid.weight @ (abs2(sent) * noise))
            moments.append(PairMoments(scene.grid.weight @ (abs2(kept) * pair.second), own[-1], sqrt(strength) + 0j))
        shifts = jnp.zeros(()), self.carrier_offset
        a, b = (kept_mode(arm, photon, bandwidth, shift) for arm, shift in zip(arms, shifts, strict=True))
        return _arrived(scene, photon, scene.sent, noises, own, arms), (moments[0], moments[1]), (a, b)


def _halves(path: Link) -> tuple[Link, Link]:
    """The two arms of a path, each from its node to the station."""
    stages = list(_flat(path))
    fibres = [k for k, (_, part) in enumerate(stages) if isinstance(part, Fibre)]
    stations = [k for k, (_, part) in enumerate(stages) if isinstance(part, Station)]
    if len(stations) > 1:
        raise ValueError(f"Meeting.of: the path must have at most one Station, but has {len(stations)}")
    if stations:
        first, second = stages[: stations[0]], stages[stations[0] + 1 :]
    elif len(fibres) % 2:
        cut = fibres[len(fibres) // 2]
        name, middle = stages[cut]
        assert isinstance(middle, Fibre)
        near, far = middle.halves()
        first, second = [*stages[:cut], (name, near)], [(name, far), *stages[cut + 1 :]]
    else:
        cut = fibres[len(fibres) // 2] if fibres else len(stages)
        first, second = stages[:cut], stages[cut:]
    back = [(name, backwards(part)) for name, part in reversed(second)]
    one, two = (dict(arm or [("station", Station())]) for arm in (first, back))
    return Link(image=path.image, **one), Link(image=path.image, **two)


def _flat(path: Link, prefix: str = "") -> Iterator[tuple[str, AbstractStage]]:
    """The stages of a path, those of links within it too."""
    for name, part in zip(path.names, path.parts, strict=True):
        if isinstance(part, Link):
            yield from _flat(part, f"{prefix}{name}.")
        else:
            yield prefix + name, part


def backwards(part: AbstractStage) -> AbstractStage:
    """A stage passed from its other end."""
    if isinstance(part, Fibre):
        return part.backwards()
    if isinstance(part, Link):
        names, parts = reversed(part.names), (backwards(one) for one in reversed(part.parts))
        return Link(image=part.image, **dict(zip(names, parts, strict=True)))
    return part


class Arrived(NamedTuple):
    """What arrives at the beam splitter.

    Attributes:
        grid: quadrature nodes, offsets from a's carrier.
        modes: of the two photons, normalised, on the nodes.
        flux: photons/s of noise at each detector.
        own: photons of it in the two modes, at each detector.
        delay: pure delay of the longer arm (s).
        span: within this of the mean delay that the devices add the compensation is sought (s).
        noises: spectrum of each arm's noise at the beam splitter (photons/s/Hz), on the nodes.
        edge: when the packet that was sent jumps (s); None for a smooth one.
    """

    grid: Nodes
    modes: tuple[Complex[Array, " m"], Complex[Array, " m"]]
    flux: Scalar
    own: Scalar
    delay: Scalar
    span: Scalar
    noises: Float[Array, "m 2"]
    edge: Scalar | None = None

    def overlap(self, offset: Scalar | float = 0.0) -> Complex[Array, ""]:
        r""":math:`\xi`, b's packet later by the offset (s) than where :math:`|\xi|` is largest.

        The nodes must resolve :math:`e^{i\omega\tau}` where the modes live. Smooth packets keep ten digits up to offsets where little
        overlap is left; with an edge (decaying, rising) it is right to about 1e-5 behind a device as narrow as the packet, and to 2e-3
        where less than 1e-3 is left.
        """
        terms = self.grid.weight * jnp.conj(self.modes[0]) * self.modes[1]
        return jnp.sum(terms * cis(self.grid.omega * (offset + _compensation(self.grid, terms, self.span))))

    @property
    def reach(self) -> Scalar:
        """Beyond this delay (s) nothing of the overlap is left."""
        return REACH * self.span

    def background(self, gate: Scalar, own: Scalar | None = None) -> Scalar:
        """Photons outside of the two modes at each detector, in a gate of this length (s); 0 where it holds no other mode.

        Args:
            gate: s.
            own: photons of noise in the two modes as the gate cuts them, at each detector; None: uncut.
        """
        return jnp.maximum(gate * self.flux - (self.own if own is None else own), 0.0)

    def cut(self, length: Scalar, powers: Float[Array, " 2"], offset: Scalar | float = 0.0) -> "Callable[[Scalar | float], Cut]":
        """What a gate leaves of both modes, as a function of how much later (s) than compensated b's packet comes.

        Smooth packets keep eight digits while that is within the photon's length, and four at twice as much; with an edge, always eight.

        Args:
            length: of the gate (s). It opens where it holds the most energy of both, b's packet later by the offset, and stays there.
            powers: of the two modes.
            offset: s.
        """
        tau = _compensation(self.grid, self.grid.weight * jnp.conj(self.modes[0]) * self.modes[1], self.span)
        packets = Packets(self.grid, jnp.stack(self.modes, axis=1), tau + offset, self.span, self.edge)
        gate = best_gate(packets, length, powers)

        def at(delay: Scalar | float) -> Cut:
            moved = packets._replace(later=tau + delay)
            found = gated(moved, gate._replace(mesh=moved.mesh()))
            return Cut(found.fractions, found.noise(self.noises), found.overlap)

        return at


class Cut(NamedTuple):
    """What a gate leaves of two modes.

    Attributes:
        fractions: of each mode's energy.
        noises: photons of noise in each cut mode.
        overlap: of the cut modes.
    """

    fractions: Float[Array, " 2"]
    noises: Float[Array, " 2"]
    overlap: Complex[Array, ""]


def _compensation(grid: Nodes, terms: Complex[Array, " m"], span: Scalar) -> Scalar:
    """The delay (s) that makes a sum of terms e^{i omega tau} largest, with the gradient of the implicit equation.

    It is sought around the mean slope of the terms' phase: 12 times narrowed to the best rung's neighbourhood, which a single maximum
    allows even where it is a cusp, then by Newton's method.
    """
    fixed, span = frozen((terms, span))
    inner = slice(0, fixed.size - 2 * ORDER)  # the nodes of the two tails stand at its end
    z = fixed[inner]
    slope = jnp.angle(z[1:] * jnp.conj(z[:-1])) / jnp.diff(grid.omega[inner])
    start = -(jnp.abs(z[1:]) @ slope) / jnp.maximum(jnp.sum(jnp.abs(z[1:])), DARK)

    def narrow(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        rungs = jnp.linspace(*ends, 9)
        waves, turn, sums = fixed * cis(grid.omega * rungs[0]), cis(grid.omega * (rungs[1] - rungs[0])), []
        for _ in range(9):
            sums.append(jnp.sum(waves))
            waves = waves * turn
        best = jnp.argmax(abs2(jnp.stack(sums)))
        return rungs[jnp.maximum(best - 1, 0)], rungs[jnp.minimum(best + 1, 8)]

    def newton(terms: Array, tau: Array) -> Array:
        waves = terms * cis(grid.omega * tau)
        t, first, second = jnp.sum(waves), jnp.sum(1j * grid.omega * waves), -jnp.sum(grid.omega**2 * waves)
        rise, bend = jnp.real(jnp.conj(t) * first), abs2(first) + jnp.real(jnp.conj(t) * second)
        return tau - rise / jax.lax.stop_gradient(jnp.where(bend < 0, bend, -jnp.inf))

    low, high = jax.lax.fori_loop(0, 12, narrow, (start - span, start + span))
    tau = jax.lax.fori_loop(0, 3, lambda _, tau: jnp.clip(newton(fixed, tau), low, high), (low + high) / 2)
    return newton(terms, tau)


def _arrived(scene: Scene, photon: AbstractWavepacket, modes: tuple, noises: list, own: list, arms: list[Arm]) -> Arrived:
    """Each detector sees half of either arm."""
    flux, delay = scene.grid.weight @ (noises[0] + noises[1]) / 2, jnp.maximum(arms[0].delay, arms[1].delay)
    return Arrived(scene.grid, modes, flux, (own[0] + own[1]) / 2, delay, scene.span, jnp.stack(noises, axis=1), edge_of(photon))
