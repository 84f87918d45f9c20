r"""What limits a protocol: each stage, each end, the source and the station, and the memories made ideal, one at a time.

A stage made ideal passes everything (u = 1), adds no noise and keeps its delay; an end emits, or of pairs absorbs, without losing photon or
coherence; detectors see all and count nothing else; clocks and phases agree; the memories keep what waits for the news. Of heralded pairs,
the sources stay as they are. In a teleportation the pairs are endlessly squeezed in the photon's mode (``a.squeezing``: what they have
beyond pure ones stays), or pure and as correlated as they are (``a.purity``); the dual homodyne loses nothing; a given gain is the one that
would be chosen. Rounds of distillation are as good as the raw pairs let them be: without errors of gates (``gates``) or readings
(``readings``), or with memories that keep what waits in the rounds (``memories``); the causes of the raw pairs are seen through the rounds.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..link.emission import Qubit
from ..link.link import Link, Table
from ..link.meeting import Meeting
from ..link.node import Connection, Node
from ..link.synchronisation import Synchronisation
from ..numerics import is_concrete
from .base import AbstractProtocol
from .distillation import Distillation, Distilled
from .heralded import AbstractHeralding, Ideal
from .performance import AbstractPerformance
from .teleportation import Perfect, Shared, Teleportation
from .transfer import Passage, Transfer, samples_needed

Way = Connection | Meeting | Link
Over = TypeVar("Over", Connection, Meeting)


class Limit(eqx.Module):
    """What one cause costs.

    Attributes:
        fidelity_gain_if_ideal: of a pair, given success, without it.
        rate_factor_if_ideal: pairs per second without it over those with it.
    """

    fidelity_gain_if_ideal: Float[Array, ""]
    rate_factor_if_ideal: Float[Array, ""]


class Limits(eqx.Module):
    """All causes, in order, and what they do not explain: the gain with all of them ideal minus the sum of gains.

    Attributes:
        names, limits: of the causes. Of a heralded protocol ``a.emit``, ``a.up`` (of pairs ``a.absorb``), the stages of a's path, the same
            of b, ``detectors``, ``clocks``, ``waiting``. Of a teleportation ``a.emit``, ``a.squeezing``, ``a.purity``, the path's stages
            (``path.fibre``), ``b.down``, ``b.absorb``, ``detection``, ``gain`` where it is given, ``clocks``, ``waiting``. Of a transfer
            ``a.emit``, ``a.up``, the path's stages, ``b.down``, ``b.absorb``, ``clocks``, ``waiting``; of a bare link its stages. Of a
            distillation those of its protocol, ``gates``, ``readings`` and, but for a bare link, ``memories``.
        remainder: of the fidelity.
        raw: of a distillation, the same of the pairs before the rounds.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    limits: tuple[Limit, ...]
    remainder: Float[Array, ""]
    raw: "Limits | None" = None

    def __str__(self) -> str:
        lines = [f"{'what limits it':<20}{'fidelity gained':>18}{'rate':>12}"]
        for name, one in zip(self.names, self.limits, strict=True):
            lines.append(f"  {name:<18}{float(one.fidelity_gain_if_ideal):>+18.4f}{f'x {float(one.rate_factor_if_ideal):.4g}':>12}")
        return "\n".join([*lines, f"  {'together':<18}{float(self.remainder):>+18.4f}{'':>12}  beyond their sum"])


def limits(protocol: AbstractProtocol, connection: Way) -> tuple[AbstractPerformance, Limits]:
    """The performance, and what each cause costs it: one vmapped pass; of concrete values or traced.

    Args:
        protocol: a heralded one, a ``Teleportation``, a ``Transfer``, or a ``Distillation`` of one of these.
        connection: what it runs over.

    Raises:
        UnstableError: a device of concrete values is unstable. In traced code all is NaN.
        ValueError: as the protocol; or its causes are not known.
    """
    if is_concrete(*jax.tree.leaves((protocol, connection))):
        protocol = _ready(protocol, connection)
    return _limits(protocol, connection)


def _ready(protocol: Any, way: Any) -> Any:
    """Every device gated, and as many samples as a concrete connection asks for."""
    match protocol:
        case Distillation():
            return dataclasses.replace(protocol, protocol=_ready(protocol.protocol, way))
        case AbstractHeralding():
            _met(way).gate()
        case Teleportation():
            return protocol.ready(way)
        case Transfer():
            (way if isinstance(way, Link) else way.link()).gate()
            if isinstance(way, Connection) and protocol.samples is None and protocol.detection is None:
                return dataclasses.replace(protocol, samples=samples_needed(way, protocol.photon))
    return protocol


class Causes(NamedTuple):
    """The names of the causes, what the protocol achieves with some of them ideal, and of rounds those of what they distil."""

    names: tuple[str, ...]
    without: Callable[[Bool[Array, " n"]], AbstractPerformance]
    raw: "Causes | None" = None


def _causes(protocol: Any, way: Any) -> Causes:
    match protocol:
        case Distillation():
            return _of_rounds(protocol, way)
        case AbstractHeralding():
            return _of_meeting(protocol, _met(way))
        case Teleportation():
            return _of_teleportation(protocol, way)
        case Transfer():
            return _of_transfer(protocol, way)
    raise ValueError(f"limits: protocol must be heralded, Teleportation, Transfer or Distillation, but is {type(protocol).__name__}")


@eqx.filter_jit
def _limits(protocol: AbstractProtocol, way: Way) -> tuple[AbstractPerformance, Limits]:
    causes = _causes(protocol, way)
    count = len(causes.names)
    masks = jnp.concatenate([jnp.zeros((1, count), bool), jnp.eye(count, dtype=bool), jnp.ones((1, count), bool)])

    def at(mask: Bool[Array, " n"]) -> list[tuple[Array, Array]]:
        layers = _layers(causes.without(mask))
        return [(done.fidelity, jnp.where(jnp.isnan(done.fidelity), jnp.nan, done.rate)) for done in layers]

    return protocol(way), _tables(causes, jax.vmap(at)(masks))


def _layers(done: AbstractPerformance) -> list[AbstractPerformance]:
    """A performance, and what it was distilled from."""
    return [done, *_layers(done.raw)] if isinstance(done, Distilled) else [done]


def _tables(causes: Causes, figures: list[tuple[Array, Array]]) -> Limits:
    """From fidelities and rates with no cause ideal, each of the first ones alone, further ones, and all."""
    (fidelity, rate), *below = figures
    gains = fidelity[1 : 1 + len(causes.names)] - fidelity[0]
    found = tuple(Limit(gain, rate[1 + k] / rate[0]) for k, gain in enumerate(gains))
    raw = None if causes.raw is None else _tables(causes.raw, below)
    return Limits(causes.names, found, fidelity[-1] - fidelity[0] - jnp.sum(gains), raw)


def _met(way: Connection | Meeting) -> Meeting:
    return Meeting.of(way) if isinstance(way, Connection) else way


def _of_meeting(protocol: AbstractHeralding, meeting: Meeting) -> Causes:
    names = tuple(_names(protocol, meeting))

    def without(mask: Bool[Array, " n"]) -> AbstractPerformance:
        return protocol.herald(_calmed(meeting, mask[-2]), _ideal(protocol, meeting, mask))

    return Causes(names, without)


def _names(protocol: AbstractHeralding, meeting: Meeting) -> Iterator[str]:
    for end, path in (("a", meeting.path_a), ("b", meeting.path_b)):
        yield from (f"{end}.{name}" for name in (*protocol.LEADS, *path.names))
    yield from ("detectors", "clocks", "waiting")


def _ideal(protocol: AbstractHeralding, meeting: Meeting, mask: Bool[Array, " n"]) -> Ideal:
    ends, stages, place = [], [], 0
    for path in (meeting.path_a, meeting.path_b):
        size = len(protocol.LEADS) + len(path.names)
        ends.append(mask[place])
        stages.append(mask[place + 1 : place + size])
        place += size
    return Ideal((stages[0], stages[1]), (ends[0], ends[1]), mask[-3], mask[-1])


def _of_teleportation(protocol: Teleportation, connection: Connection) -> Causes:
    path = tuple(f"path.{name}" for name in connection.path.names)
    chosen = protocol.gain is None
    last = ("detection", *(() if chosen else ("gain",)), "clocks", "waiting")
    names = ("a.emit", "a.squeezing", "a.purity", *path, "b.down", "b.absorb", *last)

    def without(mask: Bool[Array, " n"]) -> AbstractPerformance:
        at = dict(zip(names, mask, strict=True))
        over = _kept(_calmed(connection, at["clocks"]), at["waiting"], (at["a.emit"], at["b.absorb"]))
        seeing = dataclasses.replace(protocol, detection=jnp.where(at["detection"], 1.0, protocol.detection))
        stages = mask[3 : 4 + len(path)]
        ideal = Perfect(stages, at["a.squeezing"], at["a.purity"], jnp.zeros((), bool) if chosen else at["gain"])
        return seeing.performance(over, Shared.over(seeing, over, ideal), ideal)

    return Causes(names, without)


def _of_transfer(protocol: Transfer, way: Connection | Link) -> Causes:
    passage = Passage.over(protocol, way)
    if isinstance(way, Link):
        return Causes(passage.names, lambda mask: protocol.performance(_clear(passage, mask)))
    path = (f"path.{name}" for name in way.path.names)
    names = ("a.emit", "a.up", *path, "b.down", "b.absorb", "clocks", "waiting")

    def without(mask: Bool[Array, " n"]) -> AbstractPerformance:
        over = _kept(_calmed(way, mask[-2]), mask[-1], (mask[0], mask[-3]))
        row = _clear(passage, mask[1:-3])
        return protocol.performance(row._replace(nodes=(over.a, over.b), synchronisation=over.synchronisation))

    return Causes(names, without)


def _clear(passage: Passage, ideal: Bool[Array, " s"]) -> Passage:
    """A passage with some stages ideal: each of its tables as one stage."""

    def one(table: Table) -> Table:
        return Table([table.folded(ideal)], None)

    steps = passage.steps
    return passage._replace(table=one(passage.table), steps=None if steps is None else steps._replace(table=one(steps.table)))


def _of_rounds(protocol: Distillation, way: Way) -> Causes:
    inner = _causes(protocol.protocol, way)
    own = ("gates", "readings", *(() if isinstance(way, Link) else ("memories",)))
    size = len(inner.names)

    def without(mask: Bool[Array, " n"]) -> AbstractPerformance:
        gates, readings = (jnp.where(mask[size + k], 0.0, error) for k, error in enumerate((protocol.gate_error, protocol.readout_error)))
        rounds = dataclasses.replace(protocol, gate_error=gates, readout_error=readings)
        over: Any = way if isinstance(way, Link) else _kept(way, mask[-1])
        return rounds.distil(inner.without(mask[:size]), over)

    return Causes((*inner.names, *own), without, inner)


def _calmed(way: Over, ideal: Bool[Array, ""]) -> Over:
    """Without errors of clocks and phases, where told."""

    def calm(node: Node) -> Node:
        qubit = node.qubit
        between = None if qubit.differential_phase_jitter is None else jnp.where(ideal, 0.0, qubit.differential_phase_jitter)
        once = jnp.where(ideal, 0.0, qubit.phase_jitter)
        return dataclasses.replace(node, qubit=dataclasses.replace(qubit, phase_jitter=once, differential_phase_jitter=between))

    clocks = way.synchronisation
    if clocks is not None:
        clocks = jax.tree.map(lambda perfect, own: jnp.where(ideal, perfect, own), Synchronisation(), clocks)
    return dataclasses.replace(way, a=calm(way.a), b=calm(way.b), synchronisation=clocks)


def _kept(way: Any, waiting: Bool[Array, ""], ends: tuple[Bool[Array, ""], Bool[Array, ""]] | None = None) -> Any:
    """With memories that keep for ever what waits, and qubits that lose nothing while they emit and absorb, where told."""

    def endless(qubit: Qubit, ideal: Bool[Array, ""]) -> Qubit:
        return dataclasses.replace(qubit, t1=jnp.where(ideal, jnp.inf, qubit.t1), t2=jnp.where(ideal, jnp.inf, qubit.t2))

    def better(node: Node, end: Bool[Array, ""] | None) -> Node:
        qubit = node.qubit if end is None else endless(node.qubit, end)
        return dataclasses.replace(node, qubit=qubit, memory=endless(node.keeper, waiting))

    a, b = (None, None) if ends is None else ends
    return dataclasses.replace(way, a=better(way.a, a), b=better(way.b, b))
