"""What every protocol answers; and what a transfer achieves, what each stage costs it, and both as a table."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..gaussian.channel import ModeChannel
from ..link.link import LinkFigures
from ..numerics import DARK, is_concrete
from ..qubit.distillation import Target
from ..qubit.encodings import Process
from ..qubit.entanglement import coherent_information
from ..qubit.heralded_pair import HeraldedPair
from ..units import show
from .schedule import Attempt


class AbstractPerformance(eqx.Module):
    r"""What a protocol achieves over a connection, as pairs of qubits a and b: one interface for optimisation, targets and sweeps.

    To add one: a final class with these attributes, ``pair``, ``bell`` and ``lines``.

    Attributes:
        fidelity: of a pair to the nearest Bell state of its kind (``bell``), given success, when both know of it; lost weight is error.
        success_probability: of an attempt; 1 where there is no herald.
        attempt: how long one takes, and how many there are.
        rate: pairs per second: the attempts' rate times the success probability.
    """

    fidelity: eqx.AbstractVar[Float[Array, ""]]
    success_probability: eqx.AbstractVar[Float[Array, ""]]
    attempt: eqx.AbstractVar[Attempt]
    rate: eqx.AbstractVar[Float[Array, ""]]

    @property
    @abc.abstractmethod
    def pair(self) -> Complex[Array, "4 4"]:
        """The pair's state given success, index 2 i + j of a in i and b in j; trace 1 but for what left the qubits.

        Its phase, which is known, is taken up by a frame: the nearest Bell state has sign +.
        """

    @property
    @abc.abstractmethod
    def bell(self) -> Target:
        """The Bell state that the pair is nearest to."""

    @abc.abstractmethod
    def lines(self) -> list[str]:
        """What it prints, of concrete values."""

    def __repr__(self) -> str:
        if not is_concrete(*jax.tree.leaves(self)) or self.rate.ndim:
            return eqx.tree_pformat(self)
        return "\n".join(self.lines())

    @property
    def attempt_duration(self) -> Float[Array, ""]:
        """Of one memory, s."""
        return self.attempt.duration

    @property
    def ebits(self) -> Float[Array, ""]:
        """Coherent information of a pair: ebits that one-way distillation surely makes of it (see ``qubit.entanglement``)."""
        return coherent_information(self.pair)

    @property
    def ebit_rate(self) -> Float[Array, ""]:
        """Ebits per second by one-way distillation of many pairs: at least ``rate`` times ``ebits``, and 0 where that is negative."""
        return self.rate_of(coherent_information(self.present))

    @property
    def present(self) -> Complex[Array, "4 4"]:
        """``pair``, and where there is none one that is worth nothing, so that the rate of ebits has a finite slope."""
        return jnp.where(self.success_probability < DARK, jnp.eye(4) / 4, self.pair)

    def rate_of(self, information: Float[Array, ""]) -> Float[Array, ""]:
        """``ebit_rate``, the coherent information of ``present`` known."""
        return self.rate * jnp.maximum(information, 0.0)

    @property
    def fractions(self) -> dict[str, Float[Array, ""]]:
        """The rate over each limit of the attempts' (see ``Attempt.limits``), were every one of them a success."""
        return {name: self.rate / limit for name, limit in self.attempt.limits.items()}


class Share(eqx.Module):
    """What one stage costs.

    Attributes:
        transmission_db: 10 log10 |u|^2 at the carrier (of an end: its efficiency).
        noise_input: its output noise over the |u|^2 of the stages from the sender's microwave port up to and with it; these add up to
            the link's added noise.
        fidelity_gain_if_ideal: the objective with this stage ideal (u = 1, no noise, coherence 1, its delay kept) minus the objective.
    """

    transmission_db: Float[Array, ""]
    noise_input: Float[Array, ""]
    fidelity_gain_if_ideal: Float[Array, ""]


class Budget(eqx.Module):
    """The shares of all stages, in order, and what they do not explain: the gain with all of them ideal minus the sum of gains.

    Attributes:
        objective: the name of the fidelity whose gains these are.
        names, shares: of the stages.
        remainder: what the gains do not add up to.
    """

    objective: str = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    shares: tuple[Share, ...]
    remainder: Float[Array, ""]

    def __str__(self) -> str:
        lines = [f"{'what limits it':<20}{'dB':>10}{'noise at the input':>22}{'gain if ideal':>16}"]
        for name, share in zip(self.names, self.shares, strict=True):
            db, noise, gain = (float(x) for x in (share.transmission_db, share.noise_input, share.fidelity_gain_if_ideal))
            lines.append(f"  {name:<18}{db:>10.3f}{noise:>22.4g}{gain:>+16.4f}")
        lines.append(f"  {'together':<18}{'':>10}{'':>22}{float(self.remainder):>+16.4f}  beyond their sum, of {self.objective}")
        return "\n".join(lines)


class AbstractProcessed(AbstractPerformance):
    """A protocol that moves a qubit's state: its pair is what moving half of one leaves.

    Attributes:
        process: the qubit process; its fidelities are repeated below.
        kept: the pair of the sender's ancilla and the receiver's qubit, with the herald's success as its probability.
    """

    process: eqx.AbstractVar[Process]
    kept: eqx.AbstractVar[HeraldedPair]

    @property
    def pair(self) -> Complex[Array, "4 4"]:
        """Of the sender's ancilla and the receiver's qubit."""
        return self.kept.framed()

    @property
    def bell(self) -> Target:
        """The Bell state of equal qubits."""
        return "phi+"

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


class Transferred(AbstractProcessed):
    """What a transfer achieves.

    Attributes:
        process: the qubit process; its fidelities are repeated below.
        link: the link at its carrier, microwave port to microwave port.
        packet: (t, n) of the photon through the same row.
        channel: (t, n) from qubit to qubit, emission and absorption included.
        coherence: factor of |1><0| beyond t, per use.
        kept: the pair that a transfer of half of one leaves, with the herald's success as its probability.
        photon_length: from 1e-6 to 1 - 1e-6 of the photon's energy (s).
        latency: pure delay of the link and the photons' length (s).
        fidelity: of the sender's ancilla and the receiver's qubit, both kept until the news of a herald is back.
        success_probability: of the herald; 1 for single rail.
        attempt: photons, the way there and, of an encoding with a herald, the news back.
        rate: successful transfers per second.
        budget: of a connection of concrete values, by stage; None in traced code.
    """

    process: Process
    link: LinkFigures
    packet: ModeChannel
    channel: ModeChannel
    coherence: Float[Array, ""]
    photon_length: Float[Array, ""]
    latency: Float[Array, ""]
    kept: HeraldedPair
    fidelity: Float[Array, ""]
    success_probability: Float[Array, ""]
    attempt: Attempt
    rate: Float[Array, ""]
    budget: Budget | None = None

    def lines(self) -> list[str]:
        """Link, photon and qubit, and the budget."""
        return [*_lines(self), *([] if self.budget is None else ["", str(self.budget)])]


def row(name: str, value: str, line: str = "") -> str:
    """A figure beside the line it is judged by."""
    return f"{name:<34}{value:>14}   {line}".rstrip()


def number(value: Array) -> str:
    """With four digits."""
    return f"{float(value):.4g}"


def pair_lines(done: AbstractPerformance) -> list[str]:
    """What any protocol's pairs print."""
    limit = max(done.fractions, key=lambda name: float(done.fractions[name]))
    return [
        row("fidelity of a pair", number(done.fidelity), "1/2: separable; read it with the next line"),
        row("success probability", number(done.success_probability)),
        row("attempt", show(float(done.attempt_duration), "time")),
        row("pairs", f"{number(done.rate)} /s", f"{float(done.fractions[limit]):.2g} of the limit by {limit}"),
        row("ebits, by hashing", f"{number(done.ebit_rate)} /s", f"{number(done.ebits)} of a pair"),
    ]


def _lines(done: Transferred) -> list[str]:
    rows = [
        row("link, at the carrier", "", "image band in vacuum"),
        row("  efficiency", number(done.link.efficiency), "1/2: quantum capacity"),
        row("  efficiency, internal", number(done.link.efficiency_internal)),
        row("  added noise at the input", number(done.link.added_noise_input), "1: quantum-enabled"),
        row("  bandwidth, FWHM", show(float(done.link.bandwidth_fwhm), "rate"), f"ripple {float(done.link.ripple_db):.2g} dB"),
        row("photon, qubit to qubit", ""),
        row("  efficiency", number(done.channel.efficiency), f"{number(done.packet.efficiency)} port to port"),
        row("  noise at the output", number(done.channel.noise)),
        row("  length", show(float(done.photon_length), "time"), f"latency {show(float(done.latency), 'time')}"),
        row("qubit", ""),
        row("  entanglement fidelity", number(done.entanglement_fidelity), "1/2: Bell"),
        row("  average fidelity", number(done.average_fidelity), "2/3: classical; lost photons are errors"),
    ]
    if done.average_fidelity_heralded is not None:
        rows += [
            row("  average fidelity, heralded", number(done.average_fidelity_heralded), "2/3: classical; read it with the next line"),
            row("  success probability", number(done.success_probability)),
        ]
    return [*rows, row("  transfers", f"{float(done.rate):.4g} /s")]
