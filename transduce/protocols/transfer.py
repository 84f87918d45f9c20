r"""Direct transfer of a qubit over a link: emitted, converted up, carried, converted down, absorbed.

The photon's matched (or given) mode at the receiver sees one Gaussian mode channel (t, n); emission and absorption multiply it by their
efficiencies and coherences (``link.emission``): :math:`t \to \sqrt{\eta_{em}\eta_{abs}}\, t`,
:math:`n \to \eta_{abs} n`. The encoding turns it into a qubit process.
"""

import dataclasses
import math
import warnings
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from ..gaussian.channel import ModeChannel
from ..linear.lineshape import frozen
from ..link.base import Prepared, Response
from ..link.emission import Emission, absorption, emission, phase_jitters
from ..link.link import Link, LinkFigures, Row, Table, Terms, detected, figures, grid_for, matched
from ..link.node import Connection
from ..link.quadrature import Nodes
from ..link.sampled import Sampled
from ..link.wavepacket import AbstractWavepacket
from ..numerics import DARK, abs2, is_concrete, sqrt
from ..qubit.encodings import AbstractEncoding, DualRail, Process, SingleRail, TimeBin
from ..units import Hz
from .base import AbstractProtocol
from .performance import Budget, Performance, Share

SAMPLES, MOST_SAMPLES = 512, 2**16
"""Of the matched mode in time: at least, and at most."""

ENCODINGS = {"single-rail": SingleRail, "dual-rail": DualRail, "time-bin": TimeBin}


def _encoding(value: AbstractEncoding | str) -> AbstractEncoding:
    if not isinstance(value, str):
        return value
    if value not in ENCODINGS:
        raise ValueError(f"Transfer.encoding must be one of {', '.join(ENCODINGS)}, but is {value!r}")
    return ENCODINGS[value]()


class Transfer(AbstractProtocol):
    """Direct transfer of one qubit.

    Attributes:
        encoding: an encoding, or its name: "single-rail", "dual-rail", "time-bin".
        photon: the emitted temporal mode.
        detection: the mode that the receiver absorbs; None: the matched one.
        samples: of the matched mode in time, a power of 2, more where the photon is shorter than the devices' response; None: as many as
            a concrete connection asks for, and 512 in traced code.
    """

    encoding: AbstractEncoding = eqx.field(converter=_encoding)
    photon: AbstractWavepacket
    detection: AbstractWavepacket | None = None
    samples: int | None = eqx.field(default=None, static=True)

    def __call__(self, connection: Connection | Link) -> Performance:
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

    def limits(self, connection: Connection | Link, objective: str | None = None) -> tuple[Performance, Budget]:
        """The performance, and the budget by stage of one fidelity (its name in ``Performance``; by default the heralded average)."""
        passage = Passage.over(self, connection)
        performance = self.performance(passage)
        if objective is None:
            objective = "average_fidelity" if performance.success_probability is None else "average_fidelity_heralded"
        return performance, budget(self, passage, objective)

    def performance(self, passage: "Passage") -> Performance:
        """The figures of a tabulated passage."""
        process, packet, total, coherence = passage.process(self, None)
        length = self.photon.duration
        uses = 1 if process.success_probability is None else 2
        latency = passage.link.delay + uses * length
        success = 1.0 if process.success_probability is None else process.success_probability
        coherence = jnp.where(jnp.isnan(total.noise), jnp.nan, coherence)  # unstable: no figure of this lane is a number
        rate = passage.link.duty * success / latency
        return Performance(process, passage.figures, packet, total, coherence, length, jnp.asarray(latency), rate)


@eqx.filter_jit
def _perform(transfer: Transfer, connection: Connection | Link) -> Performance:
    performance, shares = transfer.limits(connection)
    return eqx.tree_at(lambda done: done.budget, performance, shares, is_leaf=lambda leaf: leaf is None)


class Passage(NamedTuple):
    """A photon's way, tabulated in one pass: every stage on the quadrature nodes, on a uniform grid for the clock, at the carrier.

    Attributes:
        names: of the stages.
        link: all of them prepared.
        ends: the two qubits, or None for a bare link.
        figures: the link at its carrier.
        terms: each stage there.
        grid, sent: quadrature nodes and the packet's spectrum on them.
        table: every stage on the nodes.
        steps: what the matched mode in time follows from; None where the mode is given, or nobody absorbs it.
    """

    names: tuple[str, ...]
    link: Prepared
    ends: tuple[Any, Any] | None
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
            row, ends = connection.link(), (connection.a.qubit, connection.b.qubit)
        else:
            row, ends = connection, None
        link = row.prepare()
        stages = link.response
        assert isinstance(stages, Row)
        packets = [transfer.photon] if transfer.detection is None else [transfer.photon, transfer.detection]
        grid = grid_for(link.poles, *packets)
        m = grid.omega.size
        clock = Clock.of(transfer, link) if ends is not None and transfer.detection is None else None
        omega = grid.omega if clock is None else jnp.concatenate([grid.omega, clock.omega])
        whole, sent = stages.each(omega), jax.vmap(transfer.photon.spectrum)(omega)
        table, rest = whole.at(slice(0, m)), whole.at(slice(m, None))
        steps = None if clock is None else Steps(clock.d_omega, clock.first, sent[m:], rest)
        return cls(row.names, link, ends, figures(link), stages.terms(jnp.zeros(())), grid, sent[:m], table, steps)

    def core(self, ideal: Bool[Array, " s"] | None) -> Response:
        """The cascade on the nodes, some stages made ideal."""
        return self.table.folded(ideal).filtered()

    def mode(self, transfer: Transfer, ideal: Bool[Array, " s"] | None = None) -> AbstractWavepacket:
        """The detected mode: the given one, or the matched one with some stages made ideal."""
        if transfer.detection is not None:
            return transfer.detection
        assert self.steps is not None
        return self.steps.mode(ideal)

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
            packet = detected(self.grid, response, transfer.photon, transfer.detection, None)
        if self.ends is None:
            return transfer.encoding.process(packet), packet, packet, jnp.ones(())
        a, b = self.ends
        emitted, absorbed = emission(a, transfer.photon), absorption(b, self.mode(transfer, inner))
        if ideal is not None:
            emitted, absorbed = _made_ideal(emitted, ideal[0]), _made_ideal(absorbed, ideal[-1])
        t = packet.transmission * sqrt(emitted.efficiency) * sqrt(absorbed.efficiency)
        total = ModeChannel(t, packet.noise * absorbed.efficiency)
        coherence = emitted.coherence * absorbed.coherence
        jitter, differential = phase_jitters(a, b)
        return transfer.encoding.process(total, coherence, jitter, differential), packet, total, coherence


def _made_ideal(exchange: Emission, ideal: Bool[Array, ""]) -> Emission:
    return Emission(jnp.where(ideal, 1.0, exchange.efficiency), jnp.where(ideal, 1.0, exchange.coherence))


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


def time_window(poles: Complex[Array, " k"] | None, photon: AbstractWavepacket) -> Float[Array, ""]:
    """How long the photon and the ringing after it last (s)."""
    ringing = 0.0 if poles is None else 25 / jnp.min(jnp.abs(jnp.imag(poles)))
    return 4.7 * photon.duration + ringing


def samples_wanted(link: Prepared, photon: AbstractWavepacket) -> Float[Array, ""]:
    """How many samples resolve the matched mode behind a link: its window over the step that its spectrum asks for."""
    reach = jnp.minimum(photon.reach, 400 * jnp.max(photon.features()[1]))
    return time_window(link.poles, photon) * 2 * reach / Hz


@eqx.filter_jit
def _wanted(connection: Connection, photon: AbstractWavepacket) -> Float[Array, ""]:
    return samples_wanted(connection.link().prepare(), photon)


def samples_needed(connection: Connection, photon: AbstractWavepacket) -> int:
    """The power of 2 for a concrete connection; a tenth fewer than wanted will do, as the reach is where 1e-32 of the power is left.

    Warns:
        UserWarning: the link rings so much longer than the photon that the absorbed mode is not resolved.
    """
    wanted = float(_wanted(connection, photon))
    if not 0.9 * wanted <= MOST_SAMPLES:
        warnings.warn(f"the absorbed mode is not resolved: it wants {wanted:.2g} samples, and gets {MOST_SAMPLES}", stacklevel=3)
        return MOST_SAMPLES
    return max(SAMPLES, 2 ** math.ceil(math.log2(0.9 * wanted)))


def budget(transfer: Transfer, passage: Passage, objective: str) -> Budget:
    """The budget of a figure of the process by stage: one vmapped pass over which stage is ideal."""
    ends = 0 if passage.ends is None else 1
    count = len(passage.names) + 2 * ends
    ideal = jnp.concatenate([jnp.zeros((1, count), bool), jnp.eye(count, dtype=bool), jnp.ones((1, count), bool)])
    value = jax.vmap(lambda mask: getattr(passage.process(transfer, mask)[0], objective))(ideal)
    power, noise, names, shares = passage.terms.powers, passage.terms.referred, passage.names, []
    if passage.ends is not None:
        emitted, absorbed = emission(passage.ends[0], transfer.photon), absorption(passage.ends[1], passage.mode(transfer))
        power, noise = [emitted.efficiency, *power, absorbed.efficiency], [jnp.zeros(()), *noise, jnp.zeros(())]
        names = ("emit", *names, "absorb")
    gains = value[1:-1] - value[0]
    for k in range(count):
        shares.append(Share(10 * jnp.log10(power[k]), noise[k], gains[k]))
    return Budget(objective, names, tuple(shares), value[-1] - value[0] - jnp.sum(gains))
