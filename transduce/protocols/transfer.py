r"""Direct transfer of a qubit over a link: emitted, converted up, carried, converted down, absorbed.

The photon's matched (or given) mode at the receiver sees one Gaussian mode channel (t, n); emission and absorption multiply it by their
efficiencies and coherences (``link.emission``): :math:`t \to \sqrt{\eta_{em}\eta_{abs}}\, t`,
:math:`n \to \eta_{abs} n`. The encoding turns it into a qubit process.
"""

import dataclasses
import math
import warnings
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from ..gaussian.channel import ModeChannel
from ..linear.lineshape import frozen
from ..link.arms import SAMPLES, ringing, time_window
from ..link.base import Prepared, Response
from ..link.emission import absorption, emission
from ..link.link import Link, LinkFigures, Reading, Row, Table, Terms, at_carrier, detected, grid_for, matched
from ..link.meeting import REACH
from ..link.node import Connection, Node
from ..link.quadrature import Nodes
from ..link.sampled import Sampled
from ..link.synchronisation import Synchronisation, phase_jitters
from ..link.wavepacket import AbstractWavepacket
from ..numerics import DARK, abs2, is_concrete, sqrt
from ..parameters import Scalar
from ..qubit.encodings import AbstractEncoding, DualRail, Process, SingleRail, TimeBin
from ..qubit.heralded_pair import HeraldedPair
from ..qubit.memory import aged
from ..units import Hz
from .base import AbstractProtocol
from .performance import Budget, Share, Transferred
from .schedule import Schedule

MOST_SAMPLES = 2**16
"""Of the matched mode in time, at most."""

ENCODINGS = {"single-rail": SingleRail, "dual-rail": DualRail, "time-bin": TimeBin}


def encoding_of(value: AbstractEncoding | str) -> AbstractEncoding:
    """An encoding, or the one of a name.

    Raises:
        ValueError: no such name.
    """
    if not isinstance(value, str):
        return value
    if value not in ENCODINGS:
        raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}, but is {value!r}")
    return ENCODINGS[value]()


class Transfer(AbstractProtocol):
    """Direct transfer of one qubit.

    Attributes:
        encoding: an encoding, or its name: "single-rail", "dual-rail", "time-bin".
        photon: the emitted temporal mode.
        detection: the mode that the receiver absorbs; None: the matched one.
        samples: of the matched mode in time, a power of 2, more where the photon is shorter than the devices' response; None: as many as
            a concrete connection asks for, and 512 in traced code.
        schedule: how often it is tried.
    """

    encoding: AbstractEncoding = eqx.field(converter=encoding_of)
    photon: AbstractWavepacket
    detection: AbstractWavepacket | None = None
    samples: int | None = eqx.field(default=None, static=True)
    schedule: Schedule = eqx.field(default_factory=Schedule, kw_only=True)

    def __call__(self, connection: Connection | Link) -> Transferred:
        """The transfer over a connection, or over a bare link between perfect qubits; with its budget where the values are concrete.

        Raises:
            UnstableError: a device of concrete values is unstable. In traced code its figures are NaN.
        """
        if not is_concrete(*jax.tree.leaves((self, connection))):
            return self.performance(Passage.over(self, connection))
        row = connection.link() if isinstance(connection, Connection) else connection
        row.gate()
        if isinstance(connection, Link) or self.samples is not None or self.detection is not None:
            return _perform(self, connection)
        return _perform(dataclasses.replace(self, samples=samples_needed(connection, self.photon)), connection)

    def limits(self, connection: Connection | Link, objective: str | None = None) -> tuple[Transferred, Budget]:
        """The performance, and the budget by stage of one fidelity (its name in ``Transferred``; by default the heralded average)."""
        passage = Passage.over(self, connection)
        performance = self.performance(passage)
        if objective is None:
            objective = "average_fidelity" if performance.process.success_probability is None else "average_fidelity_heralded"
        return performance, budget(self, passage, objective)

    def performance(self, passage: "Passage") -> Transferred:
        """The figures of a tabulated passage."""
        process, packet, total, coherence, _ = passage.process(self, None)
        length, delay = self.photon.duration, jnp.asarray(passage.link.delay, float)
        coherence = jnp.where(jnp.isnan(total.noise), jnp.nan, coherence)
        heralded = process.success_probability is not None
        photons, travel = self.encoding.bins * length, 2 * delay if heralded else delay
        attempt = self.schedule.attempt(photons, travel, passage.link.duty)
        kept = kept_pair(process, passage.nodes, photons + travel, travel - delay)
        success = jnp.where(jnp.isnan(total.noise), jnp.nan, kept.success_probability)  # of an unstable device no figure is a number
        return Transferred(
            process=process,
            link=passage.figures,
            packet=packet,
            channel=total,
            coherence=coherence,
            photon_length=length,
            latency=delay + photons,
            kept=kept,
            fidelity=kept.fidelity,
            success_probability=success,
            attempt=attempt,
            rate=attempt.rate * success,
        )


@eqx.filter_jit
def _perform(transfer: Transfer, connection: Connection | Link) -> Transferred:
    performance, shares = transfer.limits(connection)
    return eqx.tree_at(lambda done: done.budget, performance, shares, is_leaf=lambda leaf: leaf is None)


class Passage(NamedTuple):
    """A photon's way, tabulated in one pass: every stage on the quadrature nodes, on a uniform grid for the clock, at the carrier.

    Attributes:
        names: of the stages.
        link: all of them prepared.
        nodes: the two of a connection, or None for a bare link.
        synchronisation: of theirs.
        figures: the link at its carrier.
        terms: each stage there.
        grid, sent: quadrature nodes and the packet's spectrum on them.
        table: every stage on the nodes.
        steps: what the matched mode in time follows from; None where the mode is given, or nobody absorbs it.
    """

    names: tuple[str, ...]
    link: Prepared
    nodes: tuple[Node, Node] | None
    synchronisation: Synchronisation | None
    figures: LinkFigures
    terms: Terms
    grid: Nodes
    sent: Complex[Array, " m"]
    table: Table
    steps: "Steps | None"

    @classmethod
    def over(cls, transfer: Transfer, connection: Connection | Link) -> "Passage":
        """Tabulate a connection or a bare link for a transfer."""
        if isinstance(connection, Connection):
            row, ends, clocks = connection.link(), (connection.a, connection.b), connection.synchronisation
        else:
            row, ends, clocks = connection, None, None
        link = row.prepare()
        stages = link.response
        assert isinstance(stages, Row)
        packets = [transfer.photon] if transfer.detection is None else [transfer.photon, transfer.detection]
        grid = grid_for(link.poles, *packets)
        m = grid.omega.size
        clock = Clock.of(transfer, link) if ends is not None and transfer.detection is None else None
        omega = grid.omega if clock is None else jnp.concatenate([grid.omega, clock.omega])
        whole, sent = stages.each(omega), jax.vmap(transfer.photon.spectrum)(omega)
        table, rest = whole.split(m)
        steps = None if clock is None else Steps(clock.d_omega, clock.first, sent[m:], rest)
        return cls(row.names, link, ends, clocks, *at_carrier(link), grid, sent[:m], table, steps)

    def core(self, ideal: Bool[Array, " s"] | None) -> Response:
        """The cascade on the nodes, some stages made ideal."""
        return self.table.folded(ideal).filtered()

    def mode(self, transfer: Transfer, ideal: Bool[Array, " s"] | None = None) -> AbstractWavepacket:
        """The detected mode: the given one, or the matched one with some stages made ideal."""
        if transfer.detection is not None:
            return transfer.detection
        assert self.steps is not None
        return self.steps.mode(ideal)

    def process(self, transfer: Transfer, ideal: Bool[Array, " e"] | None) -> "Passed":
        """What the passage does to a qubit.

        Args:
            transfer: its settings.
            ideal: which of emit, the stages, absorb are made ideal; None: none.
        """
        inner = None if ideal is None else (ideal if self.nodes is None else ideal[1:-1])
        response = self.core(inner)
        if transfer.detection is None:
            reading = matched(self.grid, response.u * self.sent, self.sent, response.noise)
        else:
            reading = detected(self.grid, response, transfer.photon, transfer.detection, None)
        packet, blur = (
            (reading.channel, 0.0)
            if self.synchronisation is None
            else _late(reading, self.synchronisation, ringing(self.link.poles, transfer.photon))
        )
        if self.nodes is None:
            return Passed(transfer.encoding.process(packet), packet, packet, jnp.ones(()), ())
        a, b = (node.qubit for node in self.nodes)
        emitted, absorbed = emission(a, transfer.photon), absorption(b, self.mode(transfer, inner))
        if ideal is not None:
            emitted, absorbed = emitted.made_ideal(ideal[0]), absorbed.made_ideal(ideal[-1])
        t = packet.transmission * sqrt(emitted.efficiency) * sqrt(absorbed.efficiency)
        total = ModeChannel(t, packet.noise * absorbed.efficiency)
        coherence = emitted.coherence * absorbed.coherence
        separation = transfer.photon.duration if transfer.encoding.bins > 1 else None
        jitter, differential = phase_jitters(a, b, self.synchronisation, separation)
        process = transfer.encoding.process(total, coherence, sqrt(jitter**2 + blur), differential)
        return Passed(process, packet, total, coherence, (emitted.efficiency, absorbed.efficiency))


class Passed(NamedTuple):
    """What a passage does to a qubit.

    Attributes:
        process: of the qubit.
        packet: (t, n) of the photon.
        channel: (t, n) from qubit to qubit.
        coherence: what multiplies |1><0| beyond t.
        ends: efficiency of the emission and of the absorption; of a bare link none.
    """

    process: Process
    packet: ModeChannel
    channel: ModeChannel
    coherence: Scalar
    ends: tuple[Scalar, ...]


def _late(reading: Reading, clocks: Synchronisation, span: Scalar) -> tuple[ModeChannel, Scalar]:
    """The channel in the mean over delays, and the variance of a phase that takes from one use's coherence what their spread takes.

    Exact: populations are linear in |t|^2, the coherence of one use in t and that of two uses in |t|^2.
    """
    mean = clocks.late(reading.late, REACH * span)
    spread, square = clocks.late(reading.late, REACH * span, lambda value: abs2(value - mean)), abs2(mean)
    dark = square < DARK
    ratio = jnp.where(dark, 0.0, spread / jnp.where(dark, 1.0, square))
    return ModeChannel(mean * sqrt(1 + ratio), reading.channel.noise), jnp.log1p(ratio)


def kept_pair(process: Process, nodes: tuple[Node, Node] | None, ancilla: Scalar, receiver: Scalar) -> HeraldedPair:
    """The pair of an ancilla and the received qubit, after each has waited this long (s)."""
    heralded = process.choi_heralded is not None
    choi = process.choi_heralded if heralded else process.choi
    success = process.success_probability if heralded else jnp.ones(())
    assert choi is not None and success is not None
    pair = HeraldedPair(success * jnp.real(jnp.diagonal(choi)), success * choi[0, 3], success, patterns=1, even=True)
    if nodes is None:
        return pair
    a, b = (node.keeper for node in nodes)
    return aged(pair, a, b, ancilla, receiver)


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
        samples = transfer.samples or SAMPLES
        return cls(d_omega, photon.start - 2 * photon.duration, jnp.asarray(np.arange(samples) - samples // 2) * d_omega)


class Steps(NamedTuple):
    """The row on a uniform grid of frequencies, from which the matched mode follows in time."""

    d_omega: Float[Array, ""]
    first: Float[Array, ""]
    sent: Complex[Array, " n"]
    table: Table

    def mode(self, ideal: Bool[Array, " s"] | None) -> Sampled:
        """The matched mode, some stages made ideal; the packet itself where nothing arrives."""
        arriving = self.table.folded(ideal).u * self.sent
        bright = jnp.max(abs2(arriving)) > DARK * jnp.max(abs2(self.sent))
        return Sampled.from_spectrum(jnp.where(bright, arriving, self.sent), self.d_omega, self.first)


def samples_wanted(poles: Complex[Array, " k"] | None, photon: AbstractWavepacket) -> Float[Array, ""]:
    """How many samples resolve the mode behind what has these poles: its window over the step that its spectrum asks for."""
    reach = jnp.minimum(photon.reach, 400 * jnp.max(photon.features()[1]))
    return time_window(poles, photon) * 2 * reach / Hz


@eqx.filter_jit
def _wanted(connection: Connection, photon: AbstractWavepacket) -> Float[Array, ""]:
    return samples_wanted(connection.link().prepare().poles, photon)


def enough(wanted: float) -> int:
    """The power of 2 for so many samples; a tenth fewer than wanted will do, as the reach is where 1e-32 of the power is left.

    Warns:
        UserWarning: the devices ring so much longer than the photon that the absorbed mode is not resolved.
    """
    if not 0.9 * wanted <= MOST_SAMPLES:
        warnings.warn(f"the absorbed mode is not resolved: it wants {wanted:.2g} samples, and gets {MOST_SAMPLES}", stacklevel=4)
        return MOST_SAMPLES
    return max(SAMPLES, 2 ** math.ceil(math.log2(0.9 * wanted)))


def samples_needed(connection: Connection, photon: AbstractWavepacket) -> int:
    """For a concrete connection.

    Warns:
        UserWarning: as ``enough``.
    """
    return enough(float(_wanted(connection, photon)))


def budget(transfer: Transfer, passage: Passage, objective: str) -> Budget:
    """The budget of a figure of the process by stage: one vmapped pass over which stage is ideal."""
    ends = 0 if passage.nodes is None else 1
    count = len(passage.names) + 2 * ends
    ideal = jnp.concatenate([jnp.zeros((1, count), bool), jnp.eye(count, dtype=bool), jnp.ones((1, count), bool)])

    def at(mask: Bool[Array, " e"]) -> tuple[Scalar, tuple[Scalar, ...]]:
        passed = passage.process(transfer, mask)
        return getattr(passed.process, objective), passed.ends

    value, efficiencies = jax.vmap(at)(ideal)
    power, noise, names, shares = passage.terms.powers, passage.terms.referred, passage.names, []
    if passage.nodes is not None:
        emitted, absorbed = (efficiency[0] for efficiency in efficiencies)
        power, noise = [emitted, *power, absorbed], [jnp.zeros(()), *noise, jnp.zeros(())]
        names = ("emit", *names, "absorb")
    gains = value[1:-1] - value[0]
    for k in range(count):
        shares.append(Share(10 * jnp.log10(power[k]), noise[k], gains[k]))
    return Budget(objective, names, tuple(shares), value[-1] - value[0] - jnp.sum(gains))
