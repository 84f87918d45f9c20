r"""A telecom pair source half-way between two nodes: its halves meet the nodes' photons in two Bell measurements, one at each node.

.. math:: p \approx \tfrac12\,\bar n\,\eta_a\eta_b\,(\eta_{sa}\eta_{sb} + x), \qquad
          F \approx \tfrac12\Bigl(1 + \frac{\eta_{sa}\eta_{sb}}{\eta_{sa}\eta_{sb} + x}\Bigr), \qquad \bar n = R_{pairs}/B_{source}

for a dim source and perfect overlap, of node photons that arrive with :math:`\eta_a, \eta_b` and halves of the source that arrive with
:math:`\eta_{sa}, \eta_{sb}`. Pairs in other modes than the nodes' photons (:math:`\bar n x` of them arrive per gate, see
``link.crossing``) herald as well as a good one and leave no coherence: filter and gate must let through hardly more than one mode.

Does it beat two clicks half-way? It does not. The halves of a pair lose in the same fibre what the nodes' photons would, so that its good
heralds are :math:`\bar n` times those of ``TwoClick`` at every length; and as two pairs of the source make all four counts,
:math:`\bar n\,\eta_{sa}\eta_{sb} \ll \tfrac12\eta_a\eta_b` must hold. It would win only if the nodes' photons were heralded of their own.

Timing: a photon leaves its node when the source's half comes by, :math:`\tau_a` after the pair was made; the news from b's station starts
at :math:`\tau_b` and travels :math:`\tau_a + \tau_b`: node a waits :math:`2\tau_b`, node b :math:`2\tau_a`. Both are taken as the larger.
Model: the source is flat over the photon and the filter; of what it makes beside the nodes' modes, each mode is dim.
"""

from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from .. import parameters
from ..gaussian.channel import ModeChannel
from ..linear.noise import PairMoments
from ..link.crossing import crossed
from ..link.meeting import Meeting
from ..numerics import abs2
from ..parameters import Scalar
from ..qubit.detector import Detector
from ..qubit.heralded_pair import HeraldedPair
from ..qubit.heralding import count_effect, dephasing, no_count
from ..qubit.pairs import squeezed_pair, tied
from ..units import Hz, MHz, THz
from .heralded import AbstractHeralding, Counted, Heralded, Ideal, answer, emissions, emitted, over_delays, seen

Real = Scalar | float


class MiddleSource(AbstractHeralding):
    r"""Nodes and source send a photon in one of two bins; a count in each bin at each station is the herald, of :math:`\Phi^\pm`.

    Photon, detector, filter and gate are those of one bin; there are two detectors and a filter at each node. Of the answer,
    ``channel_a``, ``channel_b`` are each node's own, ``overlap`` is that of the source's halves in the nodes' modes, and
    ``background_counts`` the mean over the stations.

    Attributes:
        pair_rate: pairs per second that the source makes over its whole bandwidth, while it is on.
        source_bandwidth: of its flat spectrum, rad/s; rate over bandwidth (in Hz) is the mean number of pairs per mode.
        encoding: "time-bin", one bin after the other, or "dual-rail", both at once; static.

    Raises:
        ValueError: an unknown encoding.
    """

    LEADS: ClassVar[tuple[str, ...]] = ("emit", "up")
    CUTS: ClassVar[bool] = False
    pair_rate: Scalar = parameters.event_rate(box=(1e3, 1e11))
    source_bandwidth: Scalar = parameters.frequency(box=(1 * MHz, 1 * THz))
    encoding: Literal["time-bin", "dual-rail"] = eqx.field(default="time-bin", static=True)

    def __check_init__(self) -> None:
        if self.encoding not in ("time-bin", "dual-rail"):
            raise ValueError(f"MiddleSource.encoding must be time-bin or dual-rail, but is {self.encoding!r}")

    @property
    def pairs_per_mode(self) -> Scalar:
        r""":math:`\bar n`."""
        return self.pair_rate * Hz / self.source_bandwidth

    def herald(self, meeting: Meeting, ideal: Ideal | None = None) -> Heralded:
        came = crossed(meeting, self.photon, self.filter_bandwidth, self.pairs_per_mode, None if ideal is None else ideal.stages)
        a, b = emissions(self, meeting, ideal)
        nodes = emitted(a, came.nodes[0]), emitted(b, came.nodes[1])
        (at_a, counts_a), (at_b, counts_b) = (seen(self, station, ideal) for station in came.stations)
        bins = self.encoding == "time-bin"
        jitter = meeting.phase_jitters(self.slot if bins else None)[1]
        pairs = squeezed_pair(self.pairs_per_mode, *came.halves)

        def state(overlap: Array) -> HeraldedPair:
            source = pairs._replace(correlation=pairs.correlation * overlap)
            beside = self.pairs_per_mode * came.beside(self.slot, overlap)
            return swapped(nodes, source, (at_a, at_b), beside, a.coherence * b.coherence, jitter)

        station = came.stations[0]
        pair, overlap = over_delays(meeting, station, state)
        done = Counted(pair, nodes, overlap, (counts_a + counts_b) / 2)
        return answer(self, meeting, station.delay, done, ideal, uses=2 if bins else 1)


def swapped(
    nodes: tuple[ModeChannel, ModeChannel],
    source: PairMoments,
    detectors: tuple[Detector, Detector],
    beside: Scalar,
    coherence: Scalar,
    differential_phase_jitter: Scalar,
) -> HeraldedPair:
    r"""``qubit.pairs.pair_source_in_the_middle`` with stations of their own background, and pairs of the source in modes of their own.

    Of X such pairs, whose single halves stand in the backgrounds, the product of both stations' no-count operators holds

    .. math:: e^{X s_a s_b}, \qquad s = (\mu_c + \mu_d)/2 .

    Args:
        nodes: (t, n) of one bin from each node to its station, detector efficiency left out.
        source: moments of one bin's two modes at the stations a and b, those that meet the nodes' photons.
        detectors: one of two equal ones at each station, for one bin; of one efficiency.
        beside: X per bin, detector efficiency left out.
        coherence: product of the two nodes' factors of :math:`|1\rangle\langle 0|` per bin; its square counts.
        differential_phase_jitter: :math:`\sigma_D` of the whole path's phase between the bins, rad rms.
    """
    (at_a, at_b), kept = detectors, detectors[0].efficiency
    a, b = (node.attenuated(kept) for node in nodes)
    seen, many = PairMoments(*(kept * moment for moment in source)), kept**2 * beside

    def first(mu_c: Real, mu_d: Real) -> Complex[Array, " 5"]:
        h_a = no_count(mu_c, mu_d, a.noise, seen.first, 1.0)

        def second(nu_c: Real, nu_d: Real) -> Complex[Array, " 5"]:
            h_b = no_count(nu_c, nu_d, b.noise, seen.second, 1.0)
            r_a, r_b, more = 1 - a.efficiency * h_a.first, 1 - b.efficiency * h_b.first, many * (mu_c + mu_d) * (nu_c + nu_d) / 4
            apart = jnp.stack([jnp.ones_like(r_a), r_b, r_a, r_a * r_b, jnp.zeros_like(r_a)]) / ((1 + h_a.excess) * (1 + h_b.excess))
            return jnp.exp(more) * tied(a, b, seen, h_a, h_b) + jnp.expm1(more) * apart

        return at_b.herald(np.zeros(5), second)

    effects = zip(nodes, (source.first, source.second), detectors, strict=True)
    alone_a, alone_b = (jnp.real(count_effect(node, ModeChannel(0.0, n), one, 1.0))[np.array([0, 2])] for node, n, one in effects)
    bin_effect = at_a.herald(np.zeros(5), first)
    diagonal = jnp.outer(alone_a, alone_b).reshape(4) + jnp.real(bin_effect[:4])
    populations = diagonal * diagonal[::-1] / 4
    coherent = coherence * dephasing(coherence, differential_phase_jitter) * abs2(bin_effect[4]) / 4
    return HeraldedPair(populations, coherent + 0j, jnp.sum(populations), patterns=16, even=True)
