r"""Heralded entanglement over real hardware: one click, two clicks, or one click of pairs, of two nodes that meet at a station.

.. math:: \text{rate} = R\,p, \qquad t_{attempt} = k\,t_{slot} + 2 \max(\tau_a, \tau_b) + t_{reset}

with R attempts per second (see ``schedule``), k photons one after the other per attempt, each in a slot of its length or its gate, and
the news sent back along the longer arm. Until it is there, and after the first of two photons, both nodes' memories decay. The states are
those of ``qubit.heralding``, ``qubit.bell_measurement`` and ``qubit.pairs`` at the arms' channels (t, n) and the overlap of the arriving
modes, in the mean over their delays (see ``link.synchronisation``). The noise beside them in the gate counts as a Poisson background of
mean :math:`\eta_{det}\lambda` (see ``link.meeting``): many modes, each dim. A gate that cuts (see ``link.gating``) makes of an arm
:math:`(\sqrt\phi\,t, n_W)`, and of the overlap that of the cut modes: what lies outside is lost, and its noise with it. Flat noise grows
with the gate, the photon's part ever more slowly: there is a best length. Model: attempts are independent.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from .. import parameters
from ..gaussian.channel import ModeChannel
from ..linear.noise import PairMoments
from ..link.emission import Emission, absorption, emission
from ..link.meeting import Arrived, Cut, Meeting
from ..link.node import Connection
from ..link.wavepacket import AbstractWavepacket, Decaying, Gaussian, Rising, Sech
from ..numerics import is_concrete, sqrt
from ..parameters import Scalar
from ..qubit.bell_measurement import two_click
from ..qubit.detector import Detector
from ..qubit.distillation import Target
from ..qubit.heralded_pair import HeraldedPair
from ..qubit.heralding import one_click
from ..qubit.memory import aged
from ..qubit.pairs import pair_click
from ..units import GHz, kHz, show
from .base import AbstractProtocol
from .performance import AbstractPerformance, pair_lines, row
from .schedule import Attempt, Schedule

Arms = tuple[ModeChannel, ModeChannel]
SHAPES = (Decaying, Rising, Gaussian, Sech)
"""Of photons that a gate may cut."""


class Heralded(AbstractPerformance):
    r"""What a heralded protocol achieves.

    Attributes:
        state: the pair that one pattern leaves, unnormalised, when the news is there.
        fidelity: of it, to the nearest Bell state of its kind; read it beside the success probability.
        success_probability: of an attempt, any pattern.
        attempt: photons, and the way of the longer arm, there and back.
        rate: pairs per second.
        channel_a, channel_b: (t, n) from qubit to detector; of pairs, moments of (kept, sent) there. Detector efficiency left out.
        overlap: :math:`\xi` of the two arriving modes, in the mean over attempts.
        background_counts: mean counts of a detector in one gate that come from outside of these modes.
    """

    state: HeraldedPair
    fidelity: Float[Array, ""]
    success_probability: Float[Array, ""]
    attempt: Attempt
    rate: Float[Array, ""]
    channel_a: ModeChannel | PairMoments
    channel_b: ModeChannel | PairMoments
    overlap: Complex[Array, ""]
    background_counts: Float[Array, ""]

    def lines(self) -> list[str]:
        """The pairs, and what reaches the detectors beside them."""
        background = f"{float(self.background_counts):.4g}"
        return [*pair_lines(self), row("overlap", f"{float(abs(self.overlap)):.4g}"), row("background counts per gate", background)]

    @property
    def pair(self) -> Complex[Array, "4 4"]:
        """Of a herald of sign +."""
        return self.state.framed()

    @property
    def bell(self) -> Target:
        """Of one node excited, or of equal ones where a source stands between them."""
        return "phi+" if self.state.even else "psi+"


class Ideal(NamedTuple):
    """What is made ideal (see ``limits``): stages (u = 1, no noise), the qubits' ends, detectors, the wait for the news."""

    stages: tuple[Bool[Array, " s"], Bool[Array, " t"]]
    ends: tuple[Bool[Array, ""], Bool[Array, ""]]
    detectors: Bool[Array, ""]
    waiting: Bool[Array, ""]


class AbstractHeralding(AbstractProtocol):
    """Photons of two nodes meet at a station, whose two equal detectors herald a pair.

    To add one: a final class with ``LEADS``, ``CUTS`` and ``herald``.

    Attributes:
        LEADS: what stands before the path in each arm, as ``limits`` names it: the qubit's end first, then what is converted.
        CUTS: whether a gate may cut its photons.
        photon: the packet that is sent, or of pairs the optical mode that the station selects.
        detector: one of the station's.
        filter_bandwidth: FWHM (rad/s) of the Lorentzian filter before the detectors, around a's carrier; the photon passes it too.
        gate: s, how long the detectors are open for one photon; None: the photon's length.
        gate_cuts: whether what lies outside of the gate is lost, which then may be shorter than the photon. It opens where it holds the
            most of both photons as they arrive, ringing included, and stays there while b's photon jitters. Without it all of the photon
            counts, and a shorter gate is refused (NaN in traced code). It costs some ten times the rest; static.
        dark_rate: dark counts of a detector per second, beside what ``detector`` states per gate.
        schedule: how often it is tried.

    Raises:
        ValueError: a gate shorter than the photon that does not cut it; one that cuts where it may not, or a photon given by samples.
    """

    LEADS: eqx.AbstractClassVar[tuple[str, ...]]
    CUTS: eqx.AbstractClassVar[bool]
    photon: AbstractWavepacket
    detector: Detector = eqx.field(default_factory=Detector)
    filter_bandwidth: Scalar = parameters.frequency(box=(100 * kHz, 10 * GHz))
    gate: Scalar | None = parameters.duration(None)
    dark_rate: Scalar = parameters.event_rate(0.0)
    schedule: Schedule = eqx.field(default_factory=Schedule, kw_only=True)
    gate_cuts: bool = eqx.field(default=False, static=True, kw_only=True)

    def __check_init__(self) -> None:
        parameters.check(self)
        name = type(self).__name__
        if self.gate_cuts and not self.CUTS:
            raise ValueError(f"{name}.gate_cuts must be false, as what it pairs is all of a mode, but is true")
        if self.gate_cuts and not isinstance(self.photon, SHAPES):
            shapes = ", ".join(one.__name__ for one in SHAPES)
            raise ValueError(f"{name}.photon must be one of {shapes} where the gate cuts it, but is {type(self.photon).__name__}")
        if self.gate_cuts or self.gate is None or not is_concrete(*jax.tree.leaves((self.photon, self.gate))):
            return
        gate, length = float(jnp.min(self.gate)), float(jnp.max(self.photon.duration))
        if gate < length * (1 - 1e-12):
            least, given = show(length, "time", 12), show(gate, "time", 12)
            unless = ", unless gate_cuts is true" if self.CUTS else ""
            raise ValueError(f"{name}.gate must be at least the photon's length, {least}{unless}, but is {given}")

    @property
    def slot(self) -> Scalar:
        """How long one photon holds the station: its length, or the gate where that is longer (s)."""
        length = self.photon.duration
        return length if self.gate is None else jnp.maximum(self.gate, length)

    @property
    def open(self) -> Scalar:
        """How long the detectors are open for one photon (s); NaN where a gate that may not cut is shorter than the photon."""
        length = self.photon.duration
        if self.gate is None or self.gate_cuts:
            return length if self.gate is None else self.gate
        return jnp.where(self.gate < length * (1 - 1e-12), jnp.nan, self.slot)

    @abc.abstractmethod
    def herald(self, meeting: Meeting, ideal: Ideal | None = None) -> Heralded:
        """The figures over a meeting, traced; some of what limits them made ideal."""

    def __call__(self, connection: Connection | Meeting) -> Heralded:
        """The pair over a meeting, or over the one that a connection makes (``Meeting.of``).

        Raises:
            UnstableError: a device of concrete values is unstable. In traced code its figures are NaN.
            ValueError: a device that is pumped for the other kind of protocol.
        """
        meeting = Meeting.of(connection) if isinstance(connection, Connection) else connection
        if not is_concrete(*jax.tree.leaves((self, meeting))):
            return self.herald(meeting)
        meeting.gate()
        return _compiled(self, meeting)


class OneClick(AbstractHeralding):
    r"""Both nodes are weakly excited and send their photons; one count is the herald (Cabrillo et al., Phys. Rev. A 59, 1025 (1999)).

    Attributes:
        excitation: :math:`\alpha`, probability that node a is excited.
        excitation_b: of node b; None: the same.
    """

    LEADS: ClassVar[tuple[str, ...]] = ("emit", "up")
    CUTS: ClassVar[bool] = True
    excitation: Scalar = parameters.fraction(box=(1e-4, 0.5))
    excitation_b: Scalar | None = parameters.fraction(None, box=(1e-4, 0.5))

    def herald(self, meeting: Meeting, ideal: Ideal | None = None) -> Heralded:
        station, channels, coherence = _sent(self, meeting, ideal)
        alpha_b = self.excitation if self.excitation_b is None else self.excitation_b
        jitter = meeting.phase_jitters()[0]

        def state(arms: Arms, detector: Detector, overlap: Array) -> HeraldedPair:
            return one_click(*arms, self.excitation, alpha_b, detector, overlap, coherence, jitter)

        return answer(self, meeting, station.delay, counted(self, meeting, station, channels, state, ideal), ideal, uses=1)


class TwoClick(AbstractHeralding):
    """Both nodes send a photon in one of two bins; a count in each is the herald (Barrett and Kok, Phys. Rev. A 71, 060310 (2005)).

    Photon, detector and gate are those of one bin.

    Attributes:
        encoding: "time-bin", one bin after the other, or "dual-rail", both at once; static.

    Raises:
        ValueError: an unknown encoding.
    """

    LEADS: ClassVar[tuple[str, ...]] = ("emit", "up")
    CUTS: ClassVar[bool] = True
    encoding: Literal["time-bin", "dual-rail"] = eqx.field(default="time-bin", static=True)

    def __check_init__(self) -> None:
        if self.encoding not in ("time-bin", "dual-rail"):
            raise ValueError(f"TwoClick.encoding must be time-bin or dual-rail, but is {self.encoding!r}")

    def herald(self, meeting: Meeting, ideal: Ideal | None = None) -> Heralded:
        station, channels, coherence = _sent(self, meeting, ideal)
        bins = self.encoding == "time-bin"
        jitter = meeting.phase_jitters(self.slot if bins else None)[1]

        def state(arms: Arms, detector: Detector, overlap: Array) -> HeraldedPair:
            return two_click(*arms, detector, overlap, coherence, jitter)

        return answer(self, meeting, station.delay, counted(self, meeting, station, channels, state, ideal), ideal, uses=2 if bins else 1)


class PairClick(AbstractHeralding):
    """Both devices make pairs, keep the microwave and send the optical half; one count is the herald (Krastanov et al., Phys. Rev. Lett.
    127, 040503 (2021)). The kept mode, matched to the selected one, is absorbed by the node's qubit.
    """

    LEADS: ClassVar[tuple[str, ...]] = ("absorb",)
    CUTS: ClassVar[bool] = False

    def herald(self, meeting: Meeting, ideal: Ideal | None = None) -> Heralded:
        station, made, modes = meeting.paired(self.photon, self.filter_bandwidth, None if ideal is None else ideal.stages)
        ends = _made([absorption(node.qubit, mode) for node, mode in zip((meeting.a, meeting.b), modes, strict=True)], ideal)
        moments = [_absorbed(one, end) for one, end in zip(made, ends, strict=True)]
        coherence = ends[0].coherence * ends[1].coherence
        detector, background = seen(self, station, ideal)
        jitter = meeting.phase_jitters()[0]

        def state(overlap: Array) -> HeraldedPair:
            return pair_click(moments[0], moments[1], detector, overlap, coherence, jitter)

        pair, overlap = over_delays(meeting, station, state)
        return answer(self, meeting, station.delay, Counted(pair, (moments[0], moments[1]), overlap, background), ideal, uses=1)


@eqx.filter_jit
def _compiled(protocol: AbstractHeralding, meeting: Meeting) -> Heralded:
    return protocol.herald(meeting)


def _sent(protocol: OneClick | TwoClick, meeting: Meeting, ideal: Ideal | None) -> tuple[Arrived, tuple[ModeChannel, ModeChannel], Scalar]:
    """What arrives, each arm from qubit to detector, and the coherence that both emissions leave."""
    station, arms = meeting.converted(protocol.photon, protocol.filter_bandwidth, None if ideal is None else ideal.stages)
    a, b = emissions(protocol, meeting, ideal)
    return station, (emitted(a, arms[0]), emitted(b, arms[1])), a.coherence * b.coherence


def emissions(protocol: AbstractHeralding, meeting: Meeting, ideal: Ideal | None) -> list[Emission]:
    """Of both nodes' photons."""
    return _made([emission(node.qubit, protocol.photon) for node in (meeting.a, meeting.b)], ideal)


def _made(ends: list[Emission], ideal: Ideal | None) -> list[Emission]:
    return ends if ideal is None else [one.made_ideal(perfect) for one, perfect in zip(ends, ideal.ends, strict=True)]


def _absorbed(pair: PairMoments, end: Emission) -> PairMoments:
    """A pair whose kept half is in the qubit."""
    return PairMoments(end.efficiency * pair.first, pair.second, sqrt(end.efficiency) * pair.correlation)


def emitted(sent: Emission, arm: ModeChannel) -> ModeChannel:
    """An arm from the qubit on."""
    return ModeChannel(sqrt(sent.efficiency) * arm.transmission, arm.noise)


def seen(protocol: AbstractHeralding, station: Arrived, ideal: Ideal | None = None, own: Scalar | None = None) -> tuple[Detector, Scalar]:
    """The detector with its dark counts and the noise beside the photons' modes in its gate, and that noise in counts.

    ``own`` is the noise in these modes as the gate cuts them; None: uncut.
    """
    detector, gate = protocol.detector, protocol.open
    dark = eqx.tree_at(lambda one: one.background_counts, detector, detector.background_counts + protocol.dark_rate * gate)
    if ideal is not None:
        dark = jax.tree.map(lambda perfect, own: jnp.where(ideal.detectors, perfect, own), Detector(kind=detector.kind), dark)
    counts = dark.efficiency * station.background(gate, own)
    return eqx.tree_at(lambda one: one.background_counts, dark, dark.background_counts + counts), counts


class Counted(NamedTuple):
    """What the counts of an attempt leave, in the mean over delays; as ``Heralded`` says."""

    pair: HeraldedPair
    channels: tuple[Any, Any]
    overlap: Array
    background: Scalar


def over_delays(meeting: Meeting, station: Arrived, state: Callable[[Array], HeraldedPair]) -> tuple[HeraldedPair, Array]:
    """The pair and the overlap, from the state that an overlap leaves."""
    clocks = meeting.synchronisation

    def read(overlap: Array) -> tuple[HeraldedPair, Array]:
        return state(overlap), overlap

    return read(station.overlap()) if clocks is None else clocks.late(station.overlap, station.reach, read)


def counted(
    protocol: AbstractHeralding,
    meeting: Meeting,
    station: Arrived,
    channels: Arms,
    state: Callable[[Arms, Detector, Array], HeraldedPair],
    ideal: Ideal | None,
) -> Counted:
    """From the state that two arms leave at a detector: a gate that cuts changes all of it with b's delay."""
    if not protocol.gate_cuts:
        detector, background = seen(protocol, station, ideal)
        pair, overlap = over_delays(meeting, station, lambda overlap: state(channels, detector, overlap))
        return Counted(pair, channels, overlap, background)
    powers, clocks = jnp.stack([one.efficiency for one in channels]), meeting.synchronisation

    def arms(cut: Cut) -> Arms:
        a, b = (ModeChannel(sqrt(cut.fractions[k]) * one.transmission, cut.noises[k]) for k, one in enumerate(channels))
        return a, b

    def read(cut: Cut) -> tuple[HeraldedPair, Cut, Scalar]:
        detector, background = seen(protocol, station, ideal, jnp.sum(cut.noises) / 2)
        return state(arms(cut), detector, cut.overlap), cut, background

    if clocks is None:
        pair, cut, background = read(station.cut(protocol.open, powers)(0.0))
    else:
        through = station.cut(protocol.open, powers, clocks.timing_offset)
        here, first = through(clocks.timing_offset), jnp.array([1.0, 0.0])
        lost = Cut(first * here.fractions, first * here.noises, jnp.zeros((), complex))
        pair, cut, background = clocks.late(through, station.reach + protocol.open, read, lost)
    return Counted(pair, arms(cut), cut.overlap, background)


def answer(protocol: AbstractHeralding, meeting: Meeting, delay: Scalar, done: Counted, ideal: Ideal | None, *, uses: int) -> Heralded:
    """The pair when the news is there, which comes back along the longer arm, and how often."""
    travel = 2 * delay
    wait = travel + (uses - 1) * protocol.slot
    if ideal is not None:
        wait = jnp.where(ideal.waiting, 0.0, wait)
    kept = aged(done.pair, meeting.a.keeper, meeting.b.keeper, wait, wait)
    duty = jnp.minimum(meeting.a.device.duty_cycle, meeting.b.device.duty_cycle)
    attempt = protocol.schedule.attempt(uses * protocol.slot, travel, duty)
    rate = attempt.rate * done.pair.success_probability
    return Heralded(
        state=kept,
        fidelity=kept.fidelity,
        success_probability=done.pair.success_probability,
        attempt=attempt,
        rate=rate,
        channel_a=done.channels[0],
        channel_b=done.channels[1],
        overlap=done.overlap,
        background_counts=done.background,
    )
