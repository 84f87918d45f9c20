"""What a transfer achieves, what each stage costs it, and both as a table."""

import equinox as eqx
import jax
from jaxtyping import Array, Float

from ..gaussian.channel import ModeChannel
from ..link.link import LinkFigures
from ..numerics import is_concrete
from ..qubit.encodings import Process
from ..units import show


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
        rate: successful transfers per second, one at a time: success probability over latency, times the devices' smallest duty cycle.
        budget: of a connection of concrete values, by stage; None in traced code.
    """

    process: Process
    link: LinkFigures
    packet: ModeChannel
    channel: ModeChannel
    coherence: Float[Array, ""]
    photon_length: Float[Array, ""]
    latency: Float[Array, ""]
    rate: Float[Array, ""]
    budget: Budget | None = None

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

    def __repr__(self) -> str:
        if not is_concrete(*jax.tree.leaves(self)) or self.rate.ndim:
            return eqx.tree_pformat(self)
        return "\n".join([*_lines(self), *([] if self.budget is None else ["", str(self.budget)])])


def _lines(done: Performance) -> list[str]:
    """Each figure beside the line it is judged by."""

    def row(name: str, value: str, line: str = "") -> str:
        return f"{name:<34}{value:>14}   {line}".rstrip()

    def number(value: Array) -> str:
        return f"{float(value):.4g}"

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
    if done.success_probability is not None and done.average_fidelity_heralded is not None:
        rows += [
            row("  average fidelity, heralded", number(done.average_fidelity_heralded), "2/3: classical; read it with the next line"),
            row("  success probability", number(done.success_probability)),
        ]
    return [*rows, row("  transfers", f"{float(done.rate):.4g} /s", "one at a time")]
