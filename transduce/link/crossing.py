r"""A pair source half-way, whose halves cross the photons of two nodes at the nodes' own stations: what reaches each station's detectors.

A source that is flat over the photons makes :math:`\bar n` pairs per mode, with
:math:`\langle s_a(\omega)s_b(\omega')\rangle = 2\pi\sqrt{\bar n(\bar n + 1)}\,\delta(\omega + \omega')`. Each half runs one path, p, the
other way about and passes the station's filter h; there the node's photon comes in the mode :math:`g_i \propto h u_i f`. Of each half
that mode alone interferes with it:

.. math:: \eta_i = \int|g_i h p_i|^2, \quad n_i = \int|g_i h|^2 n^p_i, \quad
          \sqrt{\eta_a\eta_b}\,\xi = \int\frac{d\omega}{2\pi}\,(g_a^* h p_a)(\omega)\,(g_b^* h p_b)(-\omega)\,e^{i\omega\tau}

(in time :math:`\int g_a^* g_b^*`: photons of one shape match whatever the shape). All other modes of the source are seen too, and in
them both halves of a pair come together: of every pair per mode

.. math:: x = T\int\frac{d\omega}{2\pi}\,|h p_a|^2(\omega)\,|h p_b|^2(-\omega) - \eta_a\eta_b|\xi|^2

in a gate of length T. Model: these modes are dim, the gate is long on the scale of the filter's response, and the two gates agree.
Convention: offsets from a's carrier at station a, and from what the source pairs it with at station b; b's own photon lies
``carrier_offset`` above that. Source: worked out here; the tests write it out on a grid and count photons.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from ..gaussian.channel import ModeChannel
from ..numerics import abs2, sqrt
from ..parameters import Scalar
from .arms import converting, mode_of, ringing
from .base import Prepared, Response
from .link import Link, Row, grid_for
from .meeting import Arrived, Meeting, Stages, backwards
from .quadrature import Nodes
from .routing import Station
from .wavepacket import AbstractWavepacket


class Crossed(NamedTuple):
    r"""What arrives at the two stations.

    Attributes:
        stations: at a and at b; the overlap of either, :math:`\xi`, is that of the source's two halves in the nodes' modes.
        nodes: (t, n) of each node's photon from microwave port to detector.
        halves: (t, n) of each half of the source, in the mode of the node that it meets.
        singles: photons/s of each half at its station's two detectors, of one pair per mode.
        coincidences: pairs/s of which both halves arrive there, likewise.
    """

    stations: tuple[Arrived, Arrived]
    nodes: tuple[ModeChannel, ModeChannel]
    halves: tuple[ModeChannel, ModeChannel]
    singles: tuple[Scalar, Scalar]
    coincidences: Scalar

    def beside(self, gate: Scalar, overlap: Complex[Array, ""]) -> Scalar:
        """x in a gate of this length (s), and no more than either half's own photons outside of the node's mode."""
        etas = [half.efficiency for half in self.halves]
        most = [gate * flux - eta for flux, eta in zip(self.singles, etas, strict=True)]
        return jnp.maximum(jnp.minimum(gate * self.coincidences - etas[0] * etas[1] * abs2(overlap), jnp.minimum(*most)), 0.0)


class _Side(NamedTuple):
    """One station on the nodes: the node's photon there, the source's half, and the filter."""

    sent: Complex[Array, " m"]
    node: Response
    half: Response
    filter: Complex[Array, " m"]


def crossed(meeting: Meeting, photon: AbstractWavepacket, bandwidth: Scalar, pairs: Scalar, ideal: Stages | None = None) -> Crossed:
    r"""Both nodes send the photon by conversion to a station beside them, and a source in the middle a pair.

    Args:
        meeting: its paths run from each node to where the source stands.
        photon: the microwave packet that each node sends.
        bandwidth: K of each station's filter, FWHM, rad/s.
        pairs: :math:`\bar n`, of the source per mode.
        ideal: which stages of each arm are made so, up first.

    Raises:
        ValueError: a device pumped for pairs.
    """
    grid, sides, span, delay = _scene(meeting, photon, bandwidth, ideal or (None, None))
    found, modes, through = [], [], []
    for side in sides:
        passed = abs2(side.filter)
        mode, power = mode_of(grid, side.filter * side.node.u * side.sent, side.sent)
        half, kept = mode_of(grid, jnp.conj(mode) * side.filter * side.half.u, jnp.conj(side.sent))
        through.append(passed * abs2(side.half.u))
        modes.append(half)
        node, path = (
            ModeChannel(sqrt(t) + 0j, grid.weight @ (abs2(mode) * passed * n))
            for t, n in ((power, side.node.noise), (kept, side.half.noise))
        )
        flux = grid.weight @ (passed * (side.node.noise + side.half.noise) + pairs * through[-1])
        noises = jnp.stack([passed * side.node.noise, passed * side.half.noise], axis=1)
        found.append((node, path, flux / 2, (node.noise + path.noise + pairs * kept) / 2, noises))
    shapes = jnp.conj(modes[0]), modes[1]
    nodes, halves, *stations = zip(*found, strict=True)
    a, b = (Arrived(grid, shapes, flux, own, delay, span, noises) for flux, own, noises in zip(*stations, strict=True))
    singles = grid.weight @ through[0], grid.weight @ through[1]
    return Crossed((a, b), nodes, halves, singles, grid.weight @ (through[0] * through[1]))


def _way(path: Link, ideal: Bool[Array, " s"] | None) -> tuple[Prepared, Callable[[Float[Array, " m"]], Response]]:
    """A path from the source to a node, and its response; ``ideal`` is told in the path's own order."""
    way = backwards(path).prepare()
    stages = way.response
    assert isinstance(stages, Row)
    return way, lambda omega: stages.each(omega).folded(None if ideal is None else ideal[::-1]).filtered()


def _scene(
    meeting: Meeting, photon: AbstractWavepacket, bandwidth: Scalar, ideal: Sequence[Any]
) -> tuple[Nodes, list[_Side], Scalar, Scalar]:
    """Nodes of quadrature that resolve both stations, b's frequencies mirrored; the stations on them; span and delay as of ``Arrived``."""
    bare, offset, half = Link(station=Station()), meeting.carrier_offset, bandwidth / 2
    up = [None if made is None else jnp.stack([made[0], made[0]]) for made in ideal]
    along = [None if made is None else made[1:] for made in ideal]
    arms = [converting(node, bare, made) for (node, _), made in zip(meeting.ends, up, strict=True)]
    ways = [_way(path, made) for (_, path), made in zip(meeting.ends, along, strict=True)]
    centre, width = photon.features()
    poles = [arm.poles if way.poles is None else jnp.concatenate([arm.poles, way.poles]) for arm, (way, _) in zip(arms, ways, strict=True)]
    features = jnp.concatenate([poles[0], -(poles[1] + offset), -(centre + offset) - 1j * width, -1j * half[None]])
    grid = grid_for(features, photon)
    sides = []
    for arm, (_, way), own, at in zip(arms, ways, (grid.omega, -grid.omega - offset), (grid.omega, -grid.omega), strict=True):
        sides.append(_Side(jax.vmap(photon.spectrum)(own), arm.response(own), way(own), half / (half - 1j * at)))
    span = ringing(features, photon)
    return grid, sides, span, jnp.maximum(*(jnp.asarray(way.delay, float) for way, _ in ways))
