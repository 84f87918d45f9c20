r"""How good a clock a protocol needs: the synchronisation, in seconds, at which its pairs still have a target fidelity.

.. math:: F(t;\, \text{protocol}, \text{connection}) = F_{target}, \qquad
          \mathrm{d}t = \frac{\mathrm{d}F_{target} - \partial_\theta F\,\mathrm{d}\theta}{\partial_t F}

t is one of three errors, the others as they are: of the envelope from attempt to attempt, of the envelope always, or of the carrier's
phase (see ``link.synchronisation``).
Convention: the smallest error that takes the fidelity below, so that every better clock will do; found on a ladder of 16 rungs over 24
decades, which narrows, and by a step of Newton's method, whose derivative is that of the implicit equation. A fidelity that falls and
comes back between two rungs is not seen.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp

from ..linear.lineshape import frozen
from ..link.meeting import Meeting
from ..link.node import Connection
from ..link.synchronisation import Synchronisation
from ..numerics import is_concrete
from ..parameters import Scalar
from ..qubit.heralded_pair import check_unit
from .base import AbstractProtocol

Clock = Literal["timing_jitter", "timing_offset", "clock_jitter"]

FLAT = -1e-50
"""Where fidelity does not fall, its slope reads as this: the answer's derivatives are then above 1e40, which is infinite."""

_LEAST, _MOST, _RUNGS, _TIMES = 1e-21, 1e3, 16, 9  # s: from a perfect clock to none, 24 decades, 15 times finer at a time


def clock_needed(protocol: AbstractProtocol, connection: Connection | Meeting, fidelity: Scalar | float, which: Clock) -> Scalar:
    """The largest error of a clock (s) up to which ``protocol(connection).fidelity`` is the target or better.

    Infinite where no error takes it below, and NaN where a perfect clock does not reach it or a device is unstable; both with slope 0.
    Next to the perfect clock's own fidelity the answer goes as the root of what is left, whose slope is infinite (above 1e40 if flat).

    Args:
        protocol: any, over what it runs over.
        connection: its ``synchronisation`` gives all other errors, None: perfect; its value of the one asked for is not used.
        fidelity: the target, within 0 and 1.
        which: "timing_jitter", of the envelope, rms; "timing_offset", of the envelope, early or late; "clock_jitter", of the carrier, rms.
            Static.

    Raises:
        ValueError: no such clock, or a concrete fidelity outside 0 and 1.
        UnstableError, ValueError: of concrete values, as the protocol.
    """
    if which not in get_args(Clock):
        raise ValueError(f"clock_needed: which must be one of {', '.join(get_args(Clock))}, but is {which!r}")
    check_unit("clock_needed: fidelity", fidelity)
    target = jnp.asarray(fidelity, float)
    if not is_concrete(*jax.tree.leaves((protocol, connection, target))):
        return _solved(protocol, connection, target, which)
    protocol(connection)  # raises what it raises
    return _compiled(protocol, connection, target, which)


@eqx.filter_jit
def _compiled(protocol: AbstractProtocol, connection: Connection | Meeting, target: Scalar, which: Clock) -> Scalar:
    return _solved(protocol, connection, target, which)


def _kept(protocol: AbstractProtocol, connection: Connection | Meeting, which: Clock) -> Callable[[Scalar], Scalar]:
    """Fidelity against the error; of an offset, the worse of its two signs."""
    clocks = Synchronisation() if connection.synchronisation is None else connection.synchronisation

    def at(time: Scalar) -> Scalar:
        late = eqx.tree_at(lambda one: getattr(one, which), clocks, time)
        ends: Any = eqx.tree_at(lambda one: one.synchronisation, connection, late, is_leaf=lambda leaf: leaf is None)
        return protocol(ends).fidelity

    return at if which != "timing_offset" else lambda time: jnp.minimum(at(time), at(-time))


def _solved(protocol: AbstractProtocol, connection: Connection | Meeting, target: Scalar, which: Clock) -> Scalar:
    fixed, ends, aim = frozen((protocol, connection, target))
    still = _kept(fixed, ends, which)

    def narrow(_: Any, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        rungs = jnp.linspace(*ends, _RUNGS)
        fits = jax.vmap(still)(jnp.exp(rungs)) >= aim  # NaN does not
        below = jnp.where(jnp.all(fits), _RUNGS, jnp.argmin(fits))
        return rungs[jnp.maximum(below - 1, 0)], rungs[jnp.minimum(below, _RUNGS - 1)]

    low, high = jax.lax.fori_loop(0, _TIMES, narrow, (jnp.log(_LEAST), jnp.log(_MOST)))
    time = jnp.exp((low + high) / 2)
    value, slope = jax.jvp(_kept(protocol, connection, which), (time,), (jnp.ones_like(time),))
    step = (target - value) / jax.lax.stop_gradient(jnp.where(slope < FLAT, slope, FLAT))
    near = time + jnp.clip(jax.lax.stop_gradient(step), jnp.exp(low) - time, jnp.exp(high) - time)
    answer = near + (step - jax.lax.stop_gradient(step))
    return jnp.where(time < 2 * _LEAST, jnp.nan, jnp.where(time > _MOST / 2, jnp.inf, answer))
