r"""One node's arm of a meeting: from its transducer to the detectors, by conversion or with pairs; and the nodes on which arms are asked.

Each arm is asked around its own optical carrier. Of pairs, the half that stays is a microwave mode :math:`m` as far below its carrier as
the optical half lies above its own.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from ..devices.base import carrier
from ..linear.lineshape import frozen
from ..linear.noise import PairMoments, output_noise, pair_correlation
from ..linear.system import marked
from ..numerics import DARK, abs2
from ..parameters import Scalar
from ..units import Hz
from .base import Prepared, Response
from .convert import Convert
from .link import Link, Row, grid_for
from .node import Node
from .quadrature import Nodes
from .sampled import Sampled
from .wavepacket import AbstractWavepacket


class Arm(NamedTuple):
    """One arm ready to be asked: its response up to the station, its pairs where it makes them, its poles and its delay."""

    response: Callable[[Float[Array, " m"]], Response]
    moments: Callable[[Scalar], PairMoments]
    poles: Complex[Array, " k"]
    delay: Scalar | float


def _no_pairs(omega: Scalar) -> PairMoments:
    return PairMoments(jnp.zeros(()), jnp.zeros(()), jnp.zeros((), complex))


def converting(node: Node, path: Link, ideal: Bool[Array, " s"] | None = None) -> Arm:
    """The arm of a node whose device converts from its microwave port; ``ideal`` says which of up and the path's stages are made so.

    Raises:
        ValueError: it is pumped for pairs.
    """
    stages = dict(zip(path.names, path.parts, strict=True))
    link = Link(image=path.image, up=Convert(node.device, "microwave", "optical"), **stages).prepare()
    assert link.poles is not None
    return Arm(_over(link, ideal), _no_pairs, link.poles, link.delay)


def _over(link: Prepared, ideal: Bool[Array, " s"] | None) -> Callable[[Float[Array, " m"]], Response]:
    stages = link.response
    assert isinstance(stages, Row)
    return lambda omega: stages.each(omega).folded(ideal).filtered()


def pairing(name: str, node: Node, path: Link, ideal: Bool[Array, " s"] | None = None) -> Arm:
    """The arm of a node whose device makes pairs; ``name`` is the node's in messages, ``ideal`` says which of the path's
    stages are made so.

    Raises:
        ValueError: it converts.
    """
    system, stable = node.device.linear_system().gate()
    if system.signs is None or system.sign_of("microwave") == system.sign_of("optical"):
        raise ValueError(f"{name}.device must be pumped for pairs, but converts: use a blue pump")
    link, optical, microwave = path.prepare(), system.output("optical"), system.output("microwave")
    poles = system.poles("optical")
    at = carrier(system.conversion("microwave", "optical"), poles)  # of the optical half; the microwave lies as far on the other side
    poles = poles - jax.lax.stop_gradient(at)

    def moments(omega: Scalar) -> PairMoments:
        one, two = optical.amplitudes(at + omega), microwave.amplitudes(-at - omega)
        sent, kept = (output_noise(row, system.occupation) for row in (one, two))
        return marked(PairMoments(sent, kept, pair_correlation(one, two, system.occupation)), stable)

    around = poles if link.poles is None else jnp.concatenate([poles, link.poles])
    return Arm(_over(link, ideal), moments, around, link.delay)


class Scene(NamedTuple):
    """The nodes on which both arms are asked, each around its own carrier, the filter there, and the packet of each."""

    grid: Nodes
    omegas: tuple[Float[Array, " m"], Float[Array, " m"]]
    filter: Complex[Array, " m"]
    sent: tuple[Complex[Array, " m"], Complex[Array, " m"]]
    span: Scalar

    @classmethod
    def of(cls, offset: Scalar, photon: AbstractWavepacket, bandwidth: Scalar, arms: Sequence["Arm"]) -> "Scene":
        """Two arms, b's carrier by an offset (rad/s) above a's, and a filter of this width (rad/s) at a's."""
        centre, width = photon.features()
        half, shifts = bandwidth / 2, (jnp.zeros(()), offset)
        poles = [arm.poles + shift for arm, shift in zip(arms, shifts, strict=True)]
        others = jnp.concatenate([centre + offset - 1j * width, -1j * half[None]])
        features = jnp.concatenate([*poles, others])
        grid, span = grid_for(features, photon), ringing(features, photon)
        omegas = grid.omega, grid.omega - offset
        sent = jax.vmap(photon.spectrum)(omegas[0]), jax.vmap(photon.spectrum)(omegas[1])
        return cls(grid, omegas, half / (half - 1j * grid.omega), sent, span)

    def filtered(self, one: Response) -> Response:
        """A response, followed by the filter."""
        return Response(self.filter * one.u, None, abs2(self.filter) * one.noise, None)


def mode_of(grid: Nodes, arriving: Complex[Array, " m"], sent: Complex[Array, " m"]) -> tuple[Complex[Array, " m"], Scalar]:
    """The normalised arriving mode and its power; where nothing arrives, the packet itself."""
    power = grid.weight @ abs2(arriving)
    dark = power < DARK
    return jnp.where(dark, sent, arriving / jnp.sqrt(jnp.where(dark, 1.0, power))), power


SAMPLES, KEPT = 512, 2048
"""Of a mode in time, unless told; of a kept mode, which a narrow filter stretches."""


def kept_mode(arm: Arm, photon: AbstractWavepacket, bandwidth: Scalar, offset: Scalar) -> Sampled:
    r"""The microwave mode that is matched to a selected optical one, :math:`g(\omega) \propto (f^* h u M)(-\omega)`, in time.

    Args:
        arm: that makes pairs.
        photon: f, the optical mode that the station selects.
        bandwidth: K of the filter, FWHM, rad/s.
        offset: how far the arm's carrier lies above the filter's centre, rad/s.
    """
    fixed, half = frozen(photon), bandwidth / 2
    rings = 12 / jnp.min(jnp.abs(jnp.imag(frozen(jnp.append(arm.poles, -1j * half)))))  # before the photon too: what is slow comes first
    step = Hz / (4.7 * fixed.duration + 2 * rings)
    omega = -jnp.asarray(np.arange(KEPT) - KEPT // 2) * step
    sent = jnp.conj(jax.vmap(photon.spectrum)(omega))
    arriving = sent * half / (half - 1j * (omega + offset)) * arm.response(omega).u * jax.vmap(arm.moments)(omega).correlation
    bright = jnp.max(abs2(arriving)) > DARK * jnp.max(abs2(sent))
    return Sampled.from_spectrum(jnp.where(bright, arriving, sent), step, fixed.start - 2 * fixed.duration - rings)


def ringing(poles: Complex[Array, " k"] | None, photon: AbstractWavepacket) -> Scalar:
    """The photon's length and that of the ringing (s)."""
    return photon.duration + (0.0 if poles is None else 4 / jnp.min(jnp.abs(jnp.imag(poles))))


def time_window(poles: Complex[Array, " k"] | None, photon: AbstractWavepacket) -> Scalar:
    """How long the photon and the ringing after it last (s)."""
    after = 0.0 if poles is None else 25 / jnp.min(jnp.abs(jnp.imag(poles)))
    return 4.7 * photon.duration + after
