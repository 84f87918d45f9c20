r"""How much of a photon a qubit emits or absorbs, and how coherently, while it decays and dephases.

    g1 = 1/T1,  gp = 1/T2 - 1/(2 T1),  p = 1/int |f|^2 e^{g1 t} dt,  D = int int |f(t)|^2 |f(s)|^2 e^{-gp|t-s|} dt ds,
    efficiency p D,    coherence int |f|^2 e^{-gp t} dt / sqrt(D).

t runs from the packet's start; in absorption, backwards from the end of the detected mode. A decaying packet of rate G gives
p = (G - g1)/G and D = G/(G + gp).

A model where the qubit dephases: efficiency and coherence are exact in the photon's own mode. Behind a link that changes its shape the
kept part is that along f alone, and both are too high by about gp over the photon's rate times the mismatch of the modes (1e-4 for a
1 MHz photon and T2 of some hundred us; see tests/witness).
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import parameters
from ..numerics import is_concrete, sqrt
from ..parameters import Scalar
from ..units import GHz, ms, show, us
from .base import AbstractStage, Flat, Prepared
from .sampled import Sampled
from .wavepacket import AbstractWavepacket

ROUNDING = 1 + 1e-12
"""By this factor T2 may exceed 2 T1."""


class Qubit(eqx.Module):
    r"""A superconducting qubit that emits or absorbs the photon through a coupler whose strength follows the packet.

    Attributes:
        t1: energy decay time, s.
        t2: coherence time, s, at most 2 t1.
        frequency: of the photon it emits, rad/s.
        phase_jitter: rms phase of its microwave reference against the link, rad, per use.
        differential_phase_jitter: rms of that phase's increment between two uses, rad; None: sqrt(2) phase_jitter.

    Raises:
        ValueError: "Qubit.t2 must be at most 2 t1 = ..., but is ...", and the like.
    """

    t1: Scalar = parameters.duration(box=(1 * us, 1 * ms))
    t2: Scalar = parameters.duration(box=(1 * us, 1 * ms))
    frequency: Scalar = parameters.frequency(5 * GHz)
    phase_jitter: Scalar = parameters.angle(0.0)
    differential_phase_jitter: Scalar | None = parameters.angle(None)

    def __check_init__(self) -> None:
        parameters.check(self)
        if not is_concrete(self.t1, self.t2):
            return
        for t1, t2 in np.broadcast(self.t1, self.t2):
            if t2 > 2 * t1 * ROUNDING:
                most, given = (show(float(time), "time", digits=12) for time in (2 * t1, t2))
                raise ValueError(f"Qubit.t2 must be at most 2 t1 = {most}, but is {given}")

    @property
    def decay_rate(self) -> Scalar:
        """g1 = 1/T1, 1/s."""
        return 1 / self.t1

    @property
    def dephasing_rate(self) -> Scalar:
        """gp = 1/T2 - 1/(2 T1), 1/s: pure dephasing; NaN where traced values exceed T2 = 2 T1."""
        return jnp.where(self.t2 > 2 * self.t1 * ROUNDING, jnp.nan, 1 / self.t2 - 1 / (2 * self.t1))


def phase_jitters(a: Qubit, b: Qubit) -> tuple[Scalar, Scalar]:
    """Of two qubits together (rad): of one use, and between two uses."""

    def differential(qubit: Qubit) -> Scalar:
        stated = qubit.differential_phase_jitter
        return 2 * qubit.phase_jitter**2 if stated is None else stated**2

    return sqrt(a.phase_jitter**2 + b.phase_jitter**2), sqrt(differential(a) + differential(b))


class Emission(NamedTuple):
    """Of an emission or an absorption.

    Attributes:
        efficiency: population of the packet's mode (of the qubit) from one excitation: p D.
        coherence: what multiplies |1><0| beyond sqrt(efficiency).
    """

    efficiency: Scalar
    coherence: Scalar

    def made_ideal(self, ideal: Bool[Array, ""]) -> "Emission":
        """Perfect where told."""
        return Emission(jnp.where(ideal, 1.0, self.efficiency), jnp.where(ideal, 1.0, self.coherence))


def _exchange(growths: Float[Array, " 2"], overlap: Scalar) -> Emission:
    """Growths at g1 and at -gp.

    The whole line includes the 1e-6 before the clock's start, in which e^{-gp t} grows without bound: a qubit that dephases faster than
    the packet rises makes the integral diverge. From the start on, at most 1e-5 of the coherence is left then: it is given as 0.
    """
    coherence = jnp.where(jnp.isfinite(growths[1]), growths[1], 0.0) / jnp.sqrt(overlap)
    return Emission(overlap / growths[0], jnp.where(coherence < 1 + 1e-9, coherence, 0.0))


def emission(qubit: Qubit, packet: AbstractWavepacket) -> Emission:
    """A qubit emits the packet, as strongly as its decay lets it; efficiency 0 where T1 is too short for this shape."""
    dephasing = qubit.dephasing_rate
    growths = jax.vmap(packet.growth)(jnp.stack([qubit.decay_rate, -dephasing]))
    return _exchange(growths, packet.overlap(dephasing))


def absorption(qubit: Qubit, mode: AbstractWavepacket) -> Emission:
    """A qubit absorbs the mode: emission in reversed time."""
    dephasing, shape = qubit.dephasing_rate, mode.density if isinstance(mode, Sampled) else mode
    growths = jax.vmap(shape.decay)(jnp.stack([qubit.decay_rate, -dephasing]))
    return _exchange(growths, shape.overlap(dephasing))


class Emit(AbstractStage):
    """A qubit emits the packet: u = sqrt(efficiency), no noise, and its coherence factor.

    Attributes:
        qubit: the sender.
        packet: the photon's temporal mode.
    """

    qubit: Qubit
    packet: AbstractWavepacket

    def prepare(self) -> Prepared:
        """The same at every frequency."""
        return _endpoint(emission(self.qubit, self.packet))


class Absorb(AbstractStage):
    """A qubit absorbs the detected mode: emission in reversed time, after the link's noise.

    Attributes:
        qubit: the receiver.
        mode: the detected temporal mode.
    """

    qubit: Qubit
    mode: AbstractWavepacket

    def prepare(self) -> Prepared:
        """The same at every frequency."""
        return _endpoint(absorption(self.qubit, self.mode))


def _endpoint(exchange: Emission) -> Prepared:
    return Prepared(Flat(sqrt(exchange.efficiency), jnp.zeros(())), coherence=exchange.coherence)
