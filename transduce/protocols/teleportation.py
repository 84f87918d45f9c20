r"""Continuous-variable teleportation of a qubit through a microwave-optical pair: node a's device makes pairs, node b's converts down.

The photon that a's qubit emits in the mode f and its device's microwave output in the same mode are measured by dual homodyne. The optical
half runs the path and b's device; its matched mode g at b is displaced by the record, with gain k, and absorbed by b's qubit. With the
moments :math:`N_o(\omega), N_m(-\omega), M(\omega)` of the device's outputs, and u, n of the path and the way down,

.. math:: g(\omega) \propto u M(\omega) f^*(-\omega), \quad c^2 = \int|u M f(-\omega)|^2, \quad N_m = \int|f(-\omega)|^2 N_m(-\omega),
          \quad N_o = \int|g|^2(|u|^2 N_o + n)

integrated over :math:`d\omega/2\pi`, are those of ``gaussian.teleportation``: one mode channel (k, n), which emission, absorption and the
encoding turn into a qubit process as they do in a ``transfer``. What disturbs the phase of the light against the record, or its arrival,
leaves :math:`\langle c\rangle` and so adds noise: the record is played on b's clock, in whose frame the signal is not turned, and the light
is. The qubits' own phases turn the qubit itself.

Source: Wu, Cui, Fan and Zhuang, Phys. Rev. Applied 16, 064044 (2021). Model: the record runs as fast as the light, and is at hand when
b's mode is displaced, which the mode's length does not delay; noise of a random :math:`\langle c\rangle` counts as Gaussian.
Pairs of the same M are pure with :math:`\mathcal N = (\sqrt{1 + 4|M|^2} - 1)/2` photons in each half (see ``Perfect``).
Convention: each device is used around its own carrier; the phase of c is known.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import parameters
from ..devices.electro_optic import ElectroOptic
from ..gaussian.channel import ModeChannel
from ..gaussian.teleportation import best_gain, quietest_gain, teleport
from ..linear.lineshape import frozen
from ..linear.noise import PairMoments
from ..link.arms import SAMPLES, Arm, mode_of, pairing, ringing, time_window
from ..link.convert import Convert
from ..link.emission import Emission, absorption, emission
from ..link.emission import phase_jitters as own_phase_jitters
from ..link.link import Link, grid_for
from ..link.meeting import REACH
from ..link.node import Connection
from ..link.sampled import Sampled
from ..link.synchronisation import phase_jitters
from ..link.wavepacket import AbstractWavepacket
from ..numerics import DARK, abs2, cis, is_concrete, sqrt
from ..parameters import Parameter, Scalar
from ..qubit.encodings import AbstractEncoding, Process
from ..qubit.heralded_pair import HeraldedPair
from ..units import Hz
from .base import AbstractProtocol
from .performance import AbstractProcessed, Transferred, number, pair_lines, row
from .schedule import Attempt, Schedule
from .transfer import Transfer, encoding_of, enough, kept_pair, samples_wanted


class Teleported(AbstractProcessed):
    """What a teleportation achieves.

    Attributes:
        process: the qubit process; its fidelities are repeated below.
        moments: of (a's microwave mode, b's matched mode), what disturbs their phase included.
        gain: k.
        packet: (k, n) from a's microwave line to b's.
        channel: (t, n) from qubit to qubit, emission and absorption included.
        coherence: factor of |1><0| beyond t, per use.
        kept: the pair that teleporting half of one leaves, with the herald's success as its probability.
        photon_length: from 1e-6 to 1 - 1e-6 of the photon's energy (s).
        latency: pure delay of the way and the photons' length (s).
        fidelity: of the sender's ancilla and the receiver's qubit, both kept until the news of a herald is back.
        success_probability: of the herald; 1 for single rail.
        attempt: photons, the way there and, of an encoding with a herald, the news back.
        rate: successful teleportations per second.
    """

    process: Process
    moments: PairMoments
    gain: Float[Array, ""]
    packet: ModeChannel
    channel: ModeChannel
    coherence: Float[Array, ""]
    kept: HeraldedPair
    photon_length: Float[Array, ""]
    latency: Float[Array, ""]
    fidelity: Float[Array, ""]
    success_probability: Float[Array, ""]
    attempt: Attempt
    rate: Float[Array, ""]

    def lines(self) -> list[str]:
        """The pairs, and the channel."""
        figures = row("efficiency, qubit to qubit", number(self.channel.efficiency)), row("noise at the output", number(self.channel.noise))
        return [*pair_lines(self), row("gain", number(self.gain)), *figures]


class Teleportation(AbstractProtocol):
    """Teleportation of one qubit over a connection whose node a is pumped for pairs and whose node b converts.

    Attributes:
        encoding: an encoding, or its name: "single-rail", "dual-rail", "time-bin".
        photon: the emitted temporal mode, in which a's microwave output is measured too.
        detection: efficiency of the dual homodyne detection.
        gain: k; None: of single rail the one of the largest entanglement fidelity, of an encoding with a herald the one of least noise, at
            which the pair of a lossless device heralds without error.
        samples: of b's mode in time, as of a ``Transfer``.
        schedule: how often it is tried.
    """

    encoding: AbstractEncoding = eqx.field(converter=encoding_of)
    photon: AbstractWavepacket
    detection: Scalar = parameters.field(Parameter("number", (0.0, 1.0), (0.1, 1.0), open_below=True), 1.0)
    gain: Scalar | None = parameters.number(None, box=(0.0, 2.0))
    samples: int | None = eqx.field(default=None, static=True, kw_only=True)
    schedule: Schedule = eqx.field(default_factory=Schedule, kw_only=True)

    def __check_init__(self) -> None:
        parameters.check(self)

    def __call__(self, connection: Connection) -> Teleported:
        """The teleportation over a connection.

        Raises:
            UnstableError: a device of concrete values is unstable. In traced code its figures are NaN.
            ValueError: node a is not pumped for pairs, or node b is.
        """
        if not is_concrete(*jax.tree.leaves((self, connection))):
            return self.performance(connection, Shared.over(self, connection))
        return _perform(self.ready(connection), connection)

    def ready(self, connection: Connection) -> "Teleportation":
        """The same for a connection of concrete values, with as many samples as it asks for.

        Raises:
            UnstableError: a device has no steady state.
        """
        for node in (connection.a, connection.b):
            node.device.gate()
        connection.path.gate()
        return self if self.samples is not None else dataclasses.replace(self, samples=enough(float(_wanted(connection, self.photon))))

    def direct(self, connection: Connection) -> Transferred:
        """What direct conversion achieves over the same connection, a's device pumped as strongly but red: equal cooperativity.

        Raises:
            ValueError: the device has no such pump.
        """
        device = connection.a.device
        if not isinstance(device, ElectroOptic):
            raise ValueError(f"Teleportation.direct: node a's device must be ElectroOptic, but is {type(device).__name__}")
        red = dataclasses.replace(connection.a, device=dataclasses.replace(device, pump="red"))
        transfer = Transfer(self.encoding, self.photon, samples=self.samples, schedule=self.schedule)
        return transfer(dataclasses.replace(connection, a=red))

    def performance(self, connection: Connection, shared: "Shared", ideal: "Perfect | None" = None) -> Teleported:
        """The figures of a pair that the nodes share; its photon is this one's, and ideal what the pair was made with."""
        emitted, absorbed = emission(connection.a.qubit, self.photon), absorption(connection.b.qubit, shared.mode)
        coherence, ends = emitted.coherence * absorbed.coherence, (emitted, absorbed)
        jitters = self._jitters(connection, shared, ideal)

        def process(packet: ModeChannel) -> Process:
            return self.encoding.process(_whole(packet, ends), coherence, *jitters)

        gain = self._gain(shared.moments, process, ideal)
        packet = teleport(shared.moments, gain, self.detection)
        done, length, delay = process(packet), self.photon.duration, jnp.asarray(shared.delay, float)
        photons, travel = self.encoding.bins * length, delay if done.success_probability is None else 2 * delay
        duty = jnp.minimum(connection.a.device.duty_cycle, connection.b.device.duty_cycle)
        attempt = self.schedule.attempt(photons, travel, duty)
        kept = kept_pair(done, (connection.a, connection.b), photons + travel, travel - delay)
        success = jnp.where(jnp.isnan(packet.noise), jnp.nan, kept.success_probability)  # of an unstable device no figure is a number
        return Teleported(
            process=done,
            moments=shared.moments,
            gain=gain,
            packet=packet,
            channel=_whole(packet, ends),
            coherence=coherence,
            kept=kept,
            photon_length=length,
            latency=delay + photons,
            fidelity=kept.fidelity,
            success_probability=success,
            attempt=attempt,
            rate=attempt.rate * success,
        )

    def _jitters(self, connection: Connection, shared: "Shared", ideal: "Perfect | None") -> tuple[Scalar, Scalar]:
        """Of the qubit's phase (rad), per use and between two; with endless pairs the light's too, as in a transfer."""
        a, b = connection.a.qubit, connection.b.qubit
        own = own_phase_jitters(a, b)
        if ideal is None:
            return own
        once, between = phase_jitters(a, b, connection.synchronisation, self.photon.duration if self.encoding.bins > 1 else None)
        return jnp.where(ideal.squeezing, sqrt(once**2 + shared.blur), own[0]), jnp.where(ideal.squeezing, between, own[1])

    def _gain(self, moments: PairMoments, process: Callable[[ModeChannel], Process], ideal: "Perfect | None") -> Scalar:
        if ideal is None:
            return self._chosen(moments, process) if self.gain is None else self.gain
        chosen = self._chosen(moments, process)
        stated = chosen if self.gain is None else jnp.where(ideal.gain, chosen, self.gain)
        return jnp.where(ideal.squeezing, jnp.real(moments.correlation), stated)

    def _chosen(self, moments: PairMoments, process: Callable[[ModeChannel], Process]) -> Scalar:
        if eqx.filter_eval_shape(process, ModeChannel(1.0, 0.0)).success_probability is not None:
            return quietest_gain(moments, self.detection)
        return best_gain(moments, lambda packet: process(packet).entanglement_fidelity, self.detection)


def _whole(packet: ModeChannel, ends: tuple[Emission, Emission]) -> ModeChannel:
    """From qubit to qubit."""
    emitted, absorbed = ends
    t = sqrt(emitted.efficiency) * sqrt(absorbed.efficiency) * packet.transmission
    return ModeChannel(t, packet.noise * absorbed.efficiency)


@eqx.filter_jit
def _perform(protocol: Teleportation, connection: Connection) -> Teleported:
    return protocol.performance(connection, Shared.over(protocol, connection))


def _arm(connection: Connection, ideal: Bool[Array, " s"] | None = None) -> Arm:
    """a's pairs, their optical half sent down the path and b's device; ``ideal`` says which of these stages are made so."""
    path = connection.path
    stages = dict(zip(path.names, path.parts, strict=True))
    down = Convert(connection.b.device, "optical", "microwave")
    return pairing("Connection.a", connection.a, Link(image=path.image, **stages, down=down), ideal)


@eqx.filter_jit
def _wanted(connection: Connection, photon: AbstractWavepacket) -> Float[Array, ""]:
    return samples_wanted(_arm(connection).poles, photon)


class Perfect(NamedTuple):
    r"""What is made ideal (see ``limits``).

    Endless squeezing of the mode f puts it onto the light as it is: then c is what the way leaves of f, k = \|c\|, and clocks act as on the
    photon of a ``Transfer``. What the pairs have beyond pure ones, :math:`N_o + N_m - 2\mathcal N`, goes onto the light.

    Attributes:
        stages: of the path and, last, the way down.
        squeezing: finite no more.
        purity: the pairs are as correlated, and pure.
        gain: the one that would be chosen, in place of a given one.
    """

    stages: Bool[Array, " s"]
    squeezing: Bool[Array, ""]
    purity: Bool[Array, ""]
    gain: Bool[Array, ""]

    def made(self, pairs: PairMoments) -> PairMoments:
        r"""A source's spectra (optical, microwave); of endless ones such that k = \|c\| makes :math:`n = N_o + k^2(1/\epsilon - 1)`."""
        square = abs2(pairs.correlation)
        pure = 2 * square / (1 + sqrt(1 + 4 * square))
        light, kept = (jnp.where(self.purity, pure, one) for one in (pairs.first, pairs.second))
        own = PairMoments(light, kept, pairs.correlation)
        endless = PairMoments(light + kept - 2 * pure, jnp.ones_like(pure), jnp.ones_like(pairs.correlation))
        return jax.tree.map(lambda perfect, real: jnp.where(self.squeezing, perfect, real), endless, own)


class Shared(NamedTuple):
    """The pair that both nodes share, when the optical half has arrived.

    Attributes:
        moments: of (a's microwave mode f, b's matched mode g).
        mode: g in time; the mirrored f where nothing arrives.
        delay: pure delay of the way (s).
        blur: variance of a phase (rad^2) that takes from one use's coherence what random delays take; of endless pairs only.
    """

    moments: PairMoments
    mode: Sampled
    delay: Scalar | float
    blur: Scalar | float = 0.0

    @classmethod
    def over(cls, protocol: Teleportation, connection: Connection, ideal: Perfect | None = None) -> "Shared":
        """The pair over a connection, on nodes of quadrature and, for the mode in time, on a uniform grid."""
        arm, photon, clocks = _arm(connection, None if ideal is None else ideal.stages), protocol.photon, connection.synchronisation
        centre, width = photon.features()
        grid = grid_for(jnp.concatenate([arm.poles, -centre - 1j * width]), photon)
        m, fixed, samples = grid.omega.size, frozen(photon), protocol.samples or SAMPLES
        step = Hz / time_window(arm.poles, fixed)
        omega = jnp.concatenate([grid.omega, jnp.asarray(np.arange(samples) - samples // 2) * step])
        sent = jnp.conj(jax.vmap(photon.spectrum)(-omega))
        way, made = arm.response(omega), jax.vmap(arm.moments)(omega)
        made = made if ideal is None else ideal.made(made)
        arriving = sent * way.u * made.correlation
        kept, strength = mode_of(grid, arriving[:m], sent[:m])
        noise = abs2(way.u) * made.first + way.noise
        first, second = grid.weight @ (abs2(sent) * made.second)[:m], grid.weight @ (abs2(kept) * noise[:m])
        correlation, blur = sqrt(strength) + 0j, jnp.zeros(())
        if clocks is not None:
            terms, reach = grid.weight * jnp.conj(kept) * arriving[:m], REACH * ringing(arm.poles, photon)

            def late(delay: Scalar) -> Array:
                return jnp.sum(terms * cis(grid.omega * delay))

            mean, frequency = clocks.late(late, reach), jnp.maximum(connection.a.qubit.frequency, connection.b.qubit.frequency)
            correlation = jnp.exp(-(clocks.phase_jitter(frequency) ** 2) / 2) * mean
            if ideal is not None:
                spread, square = clocks.late(late, reach, lambda value: abs2(value - mean)), abs2(mean)
                blur = jnp.where(square < DARK, 0.0, jnp.log1p(spread / jnp.where(square < DARK, 1.0, square)))
                correlation = jnp.where(ideal.squeezing, sqrt(square + spread) + 0j, correlation)
        bright = jnp.max(abs2(arriving[m:])) > DARK * jnp.max(abs2(sent[m:]))
        mode = Sampled.from_spectrum(jnp.where(bright, arriving[m:], sent[m:]), step, fixed.start - 2 * fixed.duration)
        return cls(PairMoments(first, second, correlation), mode, arm.delay, blur)
