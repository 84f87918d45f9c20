"""What limits a heralded protocol: each stage of both arms, each end, and the station made ideal, one at a time.

A stage made ideal passes everything (u = 1), adds no noise and keeps its delay; an end emits, or of pairs absorbs, without losing photon or
coherence; detectors see all and count nothing else; clocks and phases agree; the memories keep what waits for the news. Of pairs, the
sources stay as they are.
"""

import dataclasses
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..link.meeting import Meeting
from ..link.node import Connection, Node
from ..link.synchronisation import Synchronisation
from .heralded import AbstractHeralding, Heralded, Ideal


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
        names, limits: of the causes: ``a.emit``, ``a.up`` (of pairs ``a.absorb``), the stages of a's path, the same of b,
            ``detectors``, ``clocks``, ``waiting``.
        remainder: of the fidelity.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    limits: tuple[Limit, ...]
    remainder: Float[Array, ""]

    def __str__(self) -> str:
        lines = [f"{'what limits it':<20}{'fidelity gained':>18}{'rate':>12}"]
        for name, one in zip(self.names, self.limits, strict=True):
            lines.append(f"  {name:<18}{float(one.fidelity_gain_if_ideal):>+18.4f}{f'x {float(one.rate_factor_if_ideal):.4g}':>12}")
        return "\n".join([*lines, f"  {'together':<18}{float(self.remainder):>+18.4f}{'':>12}  beyond their sum"])


def limits(protocol: AbstractHeralding, connection: Connection | Meeting) -> tuple[Heralded, Limits]:
    """The performance, and what each cause costs it: one vmapped pass; of concrete values or traced.

    Raises:
        ValueError: as the protocol.
    """
    return _limits(protocol, Meeting.of(connection) if isinstance(connection, Connection) else connection)


@eqx.filter_jit
def _limits(protocol: AbstractHeralding, meeting: Meeting) -> tuple[Heralded, Limits]:
    names = tuple(_names(protocol, meeting))
    count = len(names)
    masks = jnp.concatenate([jnp.zeros((1, count), bool), jnp.eye(count, dtype=bool), jnp.ones((1, count), bool)])

    def at(mask: Bool[Array, " n"]) -> tuple[Array, Array]:
        done = protocol.herald(_calmed(meeting, mask[-2]), _ideal(protocol, meeting, mask))
        return done.fidelity, done.rate

    fidelity, rate = jax.vmap(at)(masks)
    gains = fidelity[1:-1] - fidelity[0]
    found = tuple(Limit(gains[k], rate[1 + k] / rate[0]) for k in range(count))
    return protocol.herald(meeting), Limits(names, found, fidelity[-1] - fidelity[0] - jnp.sum(gains))


def _names(protocol: AbstractHeralding, meeting: Meeting) -> Iterator[str]:
    for end, path in (("a", meeting.path_a), ("b", meeting.path_b)):
        yield from (f"{end}.{name}" for name in (*protocol.LEADS, *path.names))
    yield from ("detectors", "clocks", "waiting")


def _calmed(meeting: Meeting, ideal: Bool[Array, ""]) -> Meeting:
    """Without errors of clocks and phases, where told."""

    def calm(node: Node) -> Node:
        qubit = node.qubit
        between = None if qubit.differential_phase_jitter is None else jnp.where(ideal, 0.0, qubit.differential_phase_jitter)
        once = jnp.where(ideal, 0.0, qubit.phase_jitter)
        return dataclasses.replace(node, qubit=dataclasses.replace(qubit, phase_jitter=once, differential_phase_jitter=between))

    clocks = meeting.synchronisation
    if clocks is not None:
        clocks = jax.tree.map(lambda perfect, own: jnp.where(ideal, perfect, own), Synchronisation(), clocks)
    return dataclasses.replace(meeting, a=calm(meeting.a), b=calm(meeting.b), synchronisation=clocks)


def _ideal(protocol: AbstractHeralding, meeting: Meeting, mask: Bool[Array, " n"]) -> Ideal:
    ends, stages, place = [], [], 0
    for path in (meeting.path_a, meeting.path_b):
        size = len(protocol.LEADS) + len(path.names)
        ends.append(mask[place])
        stages.append(mask[place + 1 : place + size])
        place += size
    return Ideal((stages[0], stages[1]), (ends[0], ends[1]), mask[-3], mask[-1])
