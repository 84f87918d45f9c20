r"""Direct transfer of a qubit over a link: emitted, converted up, carried, converted down, absorbed.

The photon's matched (or given) mode at the receiver sees one Gaussian mode channel (t, n); emission and absorption multiply it by their
efficiencies and coherences (PHYSICS E1): :math:`t \to \sqrt{\eta_{em}\eta_{abs}}\, t`, :math:`n \to \eta_{abs} n`. The encoding turns it into a
qubit process.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from ..gaussian.channel import ModeChannel
from ..linear.lineshape import frozen
from ..link.base import Prepared, Response
from ..link.emission import Emission, absorption, emission
from ..link.link import Link, LinkFigures, band_spots, fold, grid_for, matched, projected, read_figures
from ..link.node import Connection
from ..link.quadrature import Nodes
from ..link.sampled import Sampled
from ..link.wavepacket import AbstractWavepacket
from ..numerics import abs2, sqrt
from ..qubit.encodings import AbstractEncoding, DualRail, Process, SingleRail, TimeBin
from ..units import Hz
from .base import AbstractProtocol, Budget, Share

Table = tuple[list[Response], list[Response] | None]
"""Every stage of a row at some frequencies, and at their images where the image band is kept."""

ENCODINGS = {"single-rail": SingleRail, "dual-rail": DualRail, "time-bin": TimeBin}


def _encoding(value: AbstractEncoding | str) -> AbstractEncoding:
    if not isinstance(value, str):
        return value
    if value not in ENCODINGS:
        raise ValueError(f"Transfer.encoding must be one of {', '.join(ENCODINGS)}, but is {value!r}")
    return ENCODINGS[value]()


class Performance(eqx.Module):
    """What a transfer achieves.

    Attributes:
        process: the qubit process; its fidelities are repeated below.
        link: the link at its carrier, microwave port to microwave port.
        packet: (t, n) of the photon through the same row.
        channel: (t, n) from qubit to qubit, emission and absorption included.
        coherence: factor of |1><0| beyond t, per use.
        photon_length: from 1e-6 to 1 - 1e-6 of the photon's energy (s).
        latency: pure delay of the link and the photons' length (s).
        rate: successful transfers per second, one at a time: success probability over latency.
    """

    process: Process
    link: LinkFigures
    packet: ModeChannel
    channel: ModeChannel
    coherence: Float[Array, ""]
    photon_length: Float[Array, ""]
    latency: Float[Array, ""]
    rate: Float[Array, ""]

    @property
    def entanglement_fidelity(self) -> Float[Array, ""]:
        """Of the unheralded process."""
        return self.process.entanglement_fidelity

    @property
    def average_fidelity(self) -> Float[Array, ""]:
        """(2 F_e + 1 - L) / 3."""
        return self.process.average_fidelity

    @property
    def entanglement_fidelity_heralded(self) -> Float[Array, ""] | None:
        """Given success; read it beside ``success_probability``. None for single rail."""
        return self.process.entanglement_fidelity_heralded

    @property
    def average_fidelity_heralded(self) -> Float[Array, ""] | None:
        """Given success; read it beside ``success_probability``. None for single rail."""
        return self.process.average_fidelity_heralded

    @property
    def success_probability(self) -> Float[Array, ""] | None:
        """Of the herald; None for single rail."""
        return self.process.success_probability


class Transfer(AbstractProtocol):
    """Direct transfer of one qubit.

    Attributes:
        encoding: an encoding, or its name: "single-rail", "dual-rail", "time-bin".
        photon: the emitted temporal mode.
        detection: the mode that the receiver absorbs; None: the matched one.
        samples: of the matched mode in time, a power of 2; more where the photon is shorter than the devices' response.
    """

    encoding: AbstractEncoding = eqx.field(converter=_encoding)
    photon: AbstractWavepacket
    detection: AbstractWavepacket | None = None
    samples: int = eqx.field(default=512, static=True)

    def __call__(self, connection: Connection | Link) -> Performance:
        """The transfer over a connection, or over a bare link between perfect qubits."""
        return _perform(self, connection)

    def limits(self, connection: Connection, objective: str = "average_fidelity") -> tuple[Performance, Budget]:
        """The performance, and the budget by stage of one of its figures (a name of ``Performance``)."""
        passage = Passage.over(self, connection)
        return self._performance(passage), budget(self, passage, lambda process: getattr(process, objective))

    def _performance(self, passage: "Passage") -> Performance:
        process, packet, total, coherence = passage.process(self, None)
        length = self.photon.duration
        uses = 1 if process.success_probability is None else 2
        latency = passage.link.delay + uses * length
        success = 1.0 if process.success_probability is None else process.success_probability
        return Performance(process, passage.figures, packet, total, coherence, length, jnp.asarray(latency), success / latency)


@eqx.filter_jit
def _perform(transfer: Transfer, connection: Connection | Link) -> Performance:
    return transfer._performance(Passage.over(transfer, connection))


class Passage(NamedTuple):
    """A photon's way, tabulated in one pass: every stage on the quadrature nodes, on a uniform grid for the receiver's clock, at the carrier.

    Attributes:
        names: of the stages.
        link: all of them prepared.
        ends: the two qubits, or None for a bare link.
        figures: the link at its carrier.
        at: each stage at the carrier, its image in vacuum.
        grid, sent: quadrature nodes and the packet's spectrum on them.
        table: every stage on the nodes.
        steps: what the matched mode in time follows from; None where the mode is given, or nobody absorbs it.
    """

    names: tuple[str, ...]
    link: Prepared
    ends: tuple[Any, Any] | None
    figures: LinkFigures
    at: list[Response]
    grid: Nodes
    sent: Complex[Array, " m"]
    table: Table
    steps: "Steps | None"

    @classmethod
    def over(cls, transfer: Transfer, connection: Connection | Link) -> "Passage":
        """Tabulate a connection or a bare link for a transfer."""
        if isinstance(connection, Connection):
            row, ends = connection.link(), (connection.a.qubit, connection.b.qubit)
        else:
            row, ends = connection, None
        link = row.prepare()
        packets = [transfer.photon] if transfer.detection is None else [transfer.photon, transfer.detection]
        grid, found = grid_for(link.poles, *packets), band_spots(link)
        clock = Clock.of(transfer, link) if ends is not None and transfer.detection is None else None
        omega = jnp.concatenate([grid.omega, found.omega, jnp.zeros(1), *([] if clock is None else [clock.omega])])
        whole, sent = jax.vmap(link.response.each)(omega), jax.vmap(transfer.photon.spectrum)(omega)
        m = grid.omega.size
        table, spot, at, rest = (_cut(whole, part) for part in (slice(0, m), slice(m, m + 4), m + 4, slice(m + 5, None)))
        seen = read_figures(link, found, fold(*at).filtered(), abs2(fold(*spot).u))
        steps = None if clock is None else Steps(clock.d_omega, clock.first, sent[m + 5 :], rest)
        return cls(row.names, link, ends, seen, [one.filtered() for one in at[0]], grid, sent[:m], table, steps)

    def core(self, ideal: Bool[Array, " s"] | None) -> Response:
        """The cascade on the nodes, some stages made ideal."""
        return _cascaded(self.table, ideal).filtered()

    def process(self, transfer: Transfer, ideal: Bool[Array, " e"] | None) -> tuple[Process, ModeChannel, ModeChannel, Any]:
        """The qubit process, (t, n) of the packet, (t, n) from qubit to qubit, and the coherence.

        Args:
            transfer: its settings.
            ideal: which of emit, the stages, absorb are made ideal; None: none.
        """
        inner = None if ideal is None else (ideal if self.ends is None else ideal[1:-1])
        response = self.core(inner)
        if transfer.detection is None:
            packet = matched(self.grid, response.u * self.sent, self.sent, response.noise)
        else:
            mode = jax.vmap(transfer.detection.spectrum)(self.grid.omega)
            overlap = jnp.conj(mode) * response.u * self.sent
            packet = projected(self.grid, overlap, abs2(mode), response.noise, transfer.detection.duration, None)
        if self.ends is None:
            return transfer.encoding.process(packet), packet, packet, jnp.ones(())
        a, b = self.ends
        mode = transfer.detection if self.steps is None else self.steps.mode(inner)
        emitted, absorbed = emission(a, transfer.photon), absorption(b, mode)
        if ideal is not None:
            emitted, absorbed = _made_ideal(emitted, ideal[0]), _made_ideal(absorbed, ideal[-1])
        t = packet.transmission * sqrt(emitted.efficiency) * sqrt(absorbed.efficiency)
        total = ModeChannel(t, packet.noise * absorbed.efficiency)
        coherence = emitted.coherence * absorbed.coherence
        jitter, differential = _jitter(a, b)
        return transfer.encoding.process(total, coherence, jitter, differential), packet, total, coherence


def _made_ideal(exchange: Emission, ideal: Bool[Array, ""]) -> Emission:
    return Emission(jnp.where(ideal, 1.0, exchange.efficiency), jnp.where(ideal, 1.0, exchange.coherence))


def _jitter(a: Any, b: Any) -> tuple[Array, Array]:
    def differential(qubit: Any) -> Array:
        stated = qubit.differential_phase_jitter
        return 2 * qubit.phase_jitter**2 if stated is None else stated**2

    return sqrt(a.phase_jitter**2 + b.phase_jitter**2), sqrt(differential(a) + differential(b))


def _cut(table: Table, part: Any) -> Table:
    return jax.tree.map(lambda x: x[part], table)


def _cascaded(table: Table, ideal: Bool[Array, " s"] | None) -> Response:
    if ideal is None:
        return fold(*table)

    def masked(one: Response, is_ideal: Bool[Array, ""]) -> Response:
        def off(value: Any) -> Any:
            return None if value is None else jnp.where(is_ideal, 0.0, value)

        return Response(jnp.where(is_ideal, 1.0, one.u), off(one.v), off(one.noise), off(one.anomalous))

    return fold(*(None if row is None else [masked(one, ideal[k]) for k, one in enumerate(row)] for row in table))


class Clock(NamedTuple):
    """A uniform grid of frequencies, and the first of its times: a window that holds the packet and the slowest pole's ringing."""

    d_omega: Float[Array, ""]
    first: Float[Array, ""]
    omega: Float[Array, " n"]

    @classmethod
    def of(cls, transfer: Transfer, link: Prepared) -> "Clock":
        """Outside the gradient: the mode does not depend on where it is sampled."""
        photon = frozen(transfer.photon)
        d_omega = Hz / time_window(link.poles, photon)
        return cls(d_omega, photon.start - 0.8 * photon.duration, (np.arange(transfer.samples) - transfer.samples // 2) * d_omega)


class Steps(NamedTuple):
    """The row on a uniform grid of frequencies, from which the matched mode follows in time."""

    d_omega: Float[Array, ""]
    first: Float[Array, ""]
    sent: Complex[Array, " n"]
    table: Table

    def mode(self, ideal: Bool[Array, " s"] | None) -> Sampled:
        """The matched mode, some stages made ideal; the packet itself where nothing arrives."""
        arriving = _cascaded(self.table, ideal).u * self.sent
        return Sampled.from_spectrum(jnp.where(jnp.max(abs2(arriving)) > 0, arriving, self.sent), self.d_omega, self.first)


def time_window(poles: Complex[Array, " k"] | None, photon: AbstractWavepacket) -> Float[Array, ""]:
    """How long the photon and the ringing after it last (s)."""
    ringing = 0.0 if poles is None else 18 / jnp.min(jnp.abs(jnp.imag(poles)))
    return 2.6 * photon.duration + ringing


def samples_needed(connection: Connection, photon: AbstractWavepacket, most: int = 2**16) -> int:
    """How many samples resolve the matched mode of this concrete connection: a power of 2."""
    window = time_window(connection.link().prepare().poles, photon)
    widest = jnp.max(photon.features()[1])
    reach = jnp.minimum(photon.reach, 400 * widest)
    needed, samples = float(window * 2 * reach / Hz), 512
    while samples < min(needed, most):
        samples *= 2
    return samples


def budget(transfer: Transfer, passage: Passage, objective: Callable[[Process], Array]) -> Budget:
    """The budget of a figure of the process by stage: one vmapped pass over which stage is ideal."""
    ends = 0 if passage.ends is None else 1
    count = len(passage.names) + 2 * ends
    ideal = jnp.concatenate([jnp.zeros((1, count), bool), jnp.eye(count, dtype=bool), jnp.ones((1, count), bool)])
    value = jax.vmap(lambda mask: objective(passage.process(transfer, mask)[0]))(ideal)
    through, noise, shares = jnp.ones(()), [], []
    for one in passage.at:
        through = through * abs2(one.u)
        noise.append(one.noise / through)
    power = [abs2(one.u) for one in passage.at]
    names = passage.names
    if passage.ends is not None:
        mode = transfer.detection if passage.steps is None else passage.steps.mode(None)
        emitted, absorbed = emission(passage.ends[0], transfer.photon), absorption(passage.ends[1], mode)
        power, noise = [emitted.efficiency, *power, absorbed.efficiency], [jnp.zeros(()), *noise, jnp.zeros(())]
        names = ("emit", *names, "absorb")
    gains = value[1:-1] - value[0]
    for k in range(count):
        shares.append(Share(10 * jnp.log10(power[k]), noise[k], gains[k]))
    return Budget(names, tuple(shares), value[-1] - value[0] - jnp.sum(gains))
