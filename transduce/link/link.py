r"""A link: a named row of stages, itself a stage; what it is at the carrier, and what it does to a wavepacket.

A packet f becomes, in a detected mode g, one Gaussian mode channel (t, n):

.. math:: t = \int \frac{d\omega}{2\pi}\, g^* u f, \qquad n = \int \frac{d\omega}{2\pi}\, |g|^2\, n(\omega) .

The matched mode :math:`g = u f/\sqrt\eta` maximises \|t\|: :math:`t = \sqrt\eta`, :math:`\eta = \int |u f|^2 d\omega/2\pi`.
"""

import itertools
import math
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from ..devices.base import AbstractDevice
from ..gaussian.channel import ModeChannel
from ..linear.lineshape import band, frozen
from ..numerics import DARK, abs2, cis, is_concrete, sqrt
from ..parameters import AbstractRow, Scalar
from .base import AbstractResponse, AbstractStage, Prepared, Response, cascade
from .convert import Convert
from .quadrature import Fringes, Nodes, nodes
from .sampled import Sampled, Tabulated
from .wavepacket import AbstractWavepacket


class LinkFigures(NamedTuple):
    """A link at its carrier, its image band in vacuum.

    Attributes:
        efficiency: |u|^2.
        efficiency_internal: efficiency over the product of the converters' escape efficiencies.
        added_noise_input: n / |u|^2, photons/s/Hz referred to the link's input.
        bandwidth_fwhm: width (rad/s) of the connected interval around the carrier where |u|^2 is at least half of its largest value there.
        ripple_db: largest over smallest |u|^2 between the maxima of that band.
    """

    efficiency: Float[Array, ""]
    efficiency_internal: Float[Array, ""]
    added_noise_input: Float[Array, ""]
    bandwidth_fwhm: Float[Array, ""]
    ripple_db: Float[Array, ""]


class Link(AbstractRow, AbstractStage):
    """A row of named stages: ``Link(fibre=Fibre(...), switch=Switch())``, first to last.

    Attributes:
        image: between stages the image band is "filtered" (replaced by vacuum, the default) or "coherent" (kept).
    """

    names: tuple[str, ...] = eqx.field(static=True)
    parts: tuple[AbstractStage, ...]
    image: Literal["filtered", "coherent"] = eqx.field(static=True)

    def __init__(self, /, image: Literal["filtered", "coherent"] = "filtered", **stages: AbstractStage) -> None:
        if not stages:
            raise ValueError("Link must have at least one stage, but has none")
        if image not in ("filtered", "coherent"):
            raise ValueError(f'Link.image must be "filtered" or "coherent", but is {image!r}')
        for name, stage in stages.items():
            if not isinstance(stage, AbstractStage):
                hint = ': write Convert(device, "microwave", "optical")' if isinstance(stage, AbstractDevice) else ""
                raise ValueError(f"Link.{name} must be a stage, but is {type(stage).__name__}{hint}")
        self.names, self.parts, self.image = tuple(stages), tuple(stages.values()), image

    def __getitem__(self, name: str) -> AbstractStage:
        return self.parts[self.names.index(name)]

    def prepare(self) -> Prepared:
        """All stages prepared; their responses cascade. A device that stands in the row twice is one system."""
        gated: dict[int, Any] = {}
        there: dict[tuple[int, str, str], Prepared] = {}

        def prepared(part: AbstractStage) -> Prepared:
            if not isinstance(part, Convert):
                return part.prepare()
            device = id(part.device)
            if device not in gated:
                gated[device] = part.device.linear_system().gate()
            if part.carrier is not None:
                return part.over(gated[device])
            found = part.over(gated[device], there.get((device, part.target, part.source)))
            there[device, part.source, part.target] = found
            return found

        return joined([prepared(part) for part in self.parts], self.image)

    def gate(self) -> None:
        """Raise where a link of concrete values answers nothing; a traced one answers NaN there.

        Raises:
            UnstableError: a device has no steady state.
            ValueError: an image band is kept between stages that have it at different frequencies.
        """
        for part in self.parts:
            if isinstance(part, Convert):
                part.device.gate()
            elif isinstance(part, Link):
                part.gate()
        if self.image == "coherent":
            self.prepare()

    def figures(self) -> LinkFigures:
        """Efficiency, added noise and bandwidth at the carrier."""
        return at_carrier(self.prepare())[0]

    @property
    def efficiency(self) -> Float[Array, ""]:
        """|u|^2 at the carrier."""
        return self.figures().efficiency

    @property
    def added_noise_input(self) -> Float[Array, ""]:
        """Added noise at the carrier, referred to the input (photons/s/Hz)."""
        return self.figures().added_noise_input

    @property
    def bandwidth_fwhm(self) -> Float[Array, ""]:
        """Full width at half maximum of |u|^2 around the carrier (rad/s)."""
        return self.figures().bandwidth_fwhm

    def channel(
        self, wavepacket: AbstractWavepacket, detection: AbstractWavepacket | None = None, arrival_offset: Scalar | float | None = None
    ) -> ModeChannel:
        """The link as one mode channel (t, n).

        Args:
            wavepacket: the photon's temporal mode f.
            detection: the mode g of the receiver, whose clock is the link's delay plus ``arrival_offset``; None: the matched mode.
            arrival_offset: s; None: the best.
        """
        return channel(self.prepare(), wavepacket, detection, arrival_offset)


class Table(NamedTuple):
    """Every stage of a row at some frequencies and, where the image band is kept and matters, at their images."""

    here: list[Response]
    image: list[Response] | None

    def split(self, place: int) -> tuple["Table", "Table"]:
        """The frequencies before a place, and those from it on."""
        leaves, structure = jax.tree.flatten(self)
        parts = [jax.lax.split(leaf, (place, leaf.size - place)) for leaf in leaves]
        first, second = (jax.tree.unflatten(structure, half) for half in zip(*parts, strict=True))
        return first, second

    def folded(self, ideal: Bool[Array, " s"] | None = None) -> Response:
        """The row as one response, some of its stages made ideal (u = 1, no noise)."""
        total, mirror = None, None
        for k, one in enumerate(self.here):
            one, other = _ideal(one, ideal, k), None if self.image is None else _ideal(self.image[k], ideal, k)
            if total is None:
                total, mirror = one, other
            else:
                passed = cascade(total, one, mirror, other)
                mirror = None if mirror is None or other is None else cascade(mirror, other, total, one)
                total = passed
        assert total is not None
        return total


def _ideal(one: Response, ideal: Bool[Array, " s"] | None, k: int) -> Response:
    if ideal is None:
        return one

    def off(value: Any) -> Any:
        return None if value is None else jnp.where(ideal[k], 0.0, value)

    return Response(jnp.where(ideal[k], 1.0, one.u), off(one.v), off(one.noise), off(one.anomalous))


class Row(AbstractResponse):
    """Responses one after the other; the image of an offset w lies at -``twice`` - w, ``twice`` being twice the active stages' carrier."""

    responses: tuple[AbstractResponse, ...]
    twice: Scalar | float
    image: str = eqx.field(static=True)

    def _at(self, omega: Array) -> list[Response]:
        """Every stage's response at one frequency, or at many: these then lie last, one behind the other in memory."""
        return [one.over(omega) if omega.ndim else one(omega) for one in self.responses]

    def each(self, omega: Array) -> Table:
        """Every stage at one frequency, or at many, (m,)."""
        here = self._at(omega)
        if self.image == "filtered" or all(one.v is None for one in here):
            return Table([one.filtered() for one in here], None)
        return Table(here, self._at(-self.twice - omega))

    def __call__(self, omega: Scalar) -> Response:
        return self.each(omega).folded()

    def over(self, omega: Float[Array, " m"]) -> Response:
        return self.each(omega).folded()

    def shape(self, omega: Scalar) -> Float[Array, ""]:
        if self.image == "coherent":
            return abs2(self(omega).u)
        return jnp.asarray(math.prod(one.shape(omega) for one in self.responses))

    def figures(self, omega: Scalar) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return self.whole(omega, self.terms(omega))

    def whole(self, omega: Scalar, terms: "Terms") -> tuple[Float[Array, ""], Float[Array, ""]]:
        """``figures``, its terms known."""
        if self.image == "coherent":
            whole = self(omega).filtered()
            return abs2(whole.u), whole.noise / abs2(whole.u)
        return jnp.asarray(math.prod(terms.powers)), terms.added_noise

    def terms(self, omega: Scalar) -> "Terms":
        """Each stage alone at one frequency, image in vacuum."""
        powers, noises = zip(*(one.figures(omega) for one in self.responses), strict=True)
        return Terms(list(powers), list(noises))


class Terms(NamedTuple):
    """Stages in order at one frequency: |u|^2 of each, and the noise that each adds, referred to its own input."""

    powers: list[Float[Array, ""]]
    noises: list[Float[Array, ""]]

    @property
    def referred(self) -> list[Float[Array, ""]]:
        """The noise that each adds, referred to the row's input (Friis)."""
        through = itertools.accumulate(self.powers[:-1], lambda before, own: before * own, initial=jnp.ones(()))
        return [noise / before for noise, before in zip(self.noises, through, strict=True)]

    @property
    def added_noise(self) -> Float[Array, ""]:
        """Of the whole row, referred to its input."""
        return sum(self.referred, start=jnp.zeros(()))


def _same(one: Scalar, other: Scalar) -> Any:
    return jnp.abs(one - other) <= 1e-6 * jnp.abs(other)


def joined(prepared: list[Prepared], image: str = "filtered") -> Prepared:
    """A row of prepared stages as one."""
    carriers = [one.carrier for one in prepared if one.carrier is not None]
    poles = [one.poles for one in prepared if one.poles is not None]
    delay: Scalar | float = 0.0
    coherence, escape = jnp.ones(()), jnp.ones(())
    for one in prepared:
        delay, coherence, escape = delay + one.delay, coherence * one.coherence, escape * one.escape
    duties = [one.duty for one in prepared if not isinstance(one.duty, float)]  # of converters: a tie shares its slope among them alone
    duty = jnp.min(jnp.stack(duties)) if duties else jnp.ones(())
    active = [one.carrier for one in prepared if one.carrier is not None and one.image]
    if image == "coherent" and any(is_concrete(one) and not _same(one, active[0]) for one in active[1:]):
        raise ValueError('Link.image must be "filtered" where the image bands of its stages lie at different frequencies')
    meet = [jnp.where(_same(one, active[0]), 0.0, jnp.nan) for one in active[1:]]
    twice = 2 * active[0] + sum(meet) if active else 0.0
    row = Row(tuple(one.response for one in prepared), twice, image)
    first = carriers[0] if carriers else None
    return Prepared(row, jnp.concatenate(poles) if poles else None, delay, coherence, escape, duty, first, bool(active))


def at_carrier(link: Prepared) -> tuple[LinkFigures, Terms]:
    """A prepared link at its carrier, and its stages there; one without poles has an endless band."""
    row, centre = link.response, jnp.zeros(())
    assert isinstance(row, Row)
    poles = jnp.full((1,), -1j) if link.poles is None else link.poles
    shape, terms = band(row.shape, poles), row.terms(centre)
    efficiency, noise = row.whole(centre, terms)
    return LinkFigures(efficiency, efficiency / link.escape, noise, shape.fwhm, shape.ripple_db), terms


def grid_for(poles: Complex[Array, " k"] | None, *packets: AbstractWavepacket) -> Nodes:
    """Quadrature nodes for the poles of a link and these packets."""
    places = [packet.features() for packet in packets]
    centres, widths = [c for c, _ in places], [w for _, w in places]
    if poles is not None:
        centres, widths = [jnp.real(poles), *centres], [jnp.abs(jnp.imag(poles)), *widths]
    tables = [packet for packet in packets if isinstance(packet, Tabulated | Sampled)]
    finest = [Fringes(frozen(table.length), frozen(table.limit), table.fringes) for table in tables]
    most = max(finest, key=lambda one: one.panels) if finest else None
    return nodes(jnp.concatenate(centres), jnp.concatenate(widths), fringes=most)


def channel(
    link: Prepared,
    packet: AbstractWavepacket,
    detection: AbstractWavepacket | None = None,
    arrival_offset: Scalar | float | None = None,
) -> ModeChannel:
    """A prepared link as one mode channel; see ``Link.channel``."""
    grid = grid_for(link.poles, *([packet] if detection is None else [packet, detection]))
    response = link.response.over(grid.omega).filtered()
    if detection is not None:
        return detected(grid, response, packet, detection, arrival_offset).channel
    sent = jax.vmap(packet.spectrum)(grid.omega)
    return matched(grid, response.u * sent, sent, response.noise).channel


class Reading(NamedTuple):
    """What a receiver finds in its mode.

    Attributes:
        omega: of the nodes, rad/s.
        terms: their shares in t, their weights included.
        channel: (t, n), the packet on time.
    """

    omega: Float[Array, " m"]
    terms: Complex[Array, " m"]
    channel: ModeChannel

    def late(self, delay: Scalar) -> Complex[Array, ""]:
        """t where the packet comes later than the receiver's clock expects it (s)."""
        return jnp.sum(self.terms * cis(self.omega * delay))


def matched(grid: Nodes, arriving: Complex[Array, " m"], sent: Complex[Array, " m"], noise: Float[Array, " m"]) -> Reading:
    """In the matched mode; at efficiency 0 that mode is the packet itself."""
    power = abs2(arriving)
    efficiency = grid.weight @ power
    dark = efficiency < DARK
    profile = grid.weight * jnp.where(dark, abs2(sent), power / jnp.where(dark, 1.0, efficiency))
    amplitude = sqrt(efficiency) + 0j
    return Reading(grid.omega, profile * amplitude, ModeChannel(amplitude, profile @ noise))


def detected(
    grid: Nodes, response: Response, packet: AbstractWavepacket, detection: AbstractWavepacket, offset: Scalar | float | None
) -> Reading:
    """In a given mode, the receiver's clock set by ``offset`` (s) or, where that is None, to the largest |t|.

    Both packets are moved to where their middles meet, so that the integrand does not oscillate for where they stand in time.
    """
    middles = frozen(((packet.start + packet.end) / 2, (detection.start + detection.end) / 2))
    sent, mode = (
        jax.vmap(lambda w, one=one, middle=middle: one.spectrum(w) * cis(-w * middle))(grid.omega)
        for one, middle in zip((packet, detection), middles, strict=True)
    )
    overlap = jnp.conj(mode) * response.u * sent
    if offset is None:
        apart = best_offset(grid, *frozen((overlap, packet.duration + detection.duration)))
    else:
        apart = offset - (middles[0] - middles[1])
    terms = grid.weight * overlap * cis(-grid.omega * apart)
    return Reading(grid.omega, terms, ModeChannel(jnp.sum(terms), grid.weight @ (abs2(mode) * response.noise)))


def best_offset(grid: Nodes, overlap: Complex[Array, " m"], span: Float[Array, ""]) -> Float[Array, ""]:
    """The arrival offset (s) that maximises |t|, outside the gradient (which it does not change, being a maximum)."""

    def moments(tau: Float[Array, ""]) -> tuple[Array, Array, Array]:
        terms = grid.weight * overlap * cis(-grid.omega * tau)
        t, first, second = jnp.sum(terms), jnp.sum(-1j * grid.omega * terms), jnp.sum(-(grid.omega**2) * terms)
        return abs2(t), 2 * jnp.real(jnp.conj(t) * first), 2 * (abs2(first) + jnp.real(jnp.conj(t) * second))

    tried = span * jnp.linspace(-2.0, 2.0, 1025)
    tau = tried[jnp.argmax(jax.vmap(lambda x: moments(x)[0])(tried))]
    step = span * 4 / 1024

    def newton(_: Any, tau: Array) -> Array:
        _, slope, curvature = moments(tau)
        return tau + jnp.clip(-slope / jnp.where(curvature < 0, curvature, -jnp.inf), -step, step)

    return jax.lax.fori_loop(0, 12, newton, tau)
