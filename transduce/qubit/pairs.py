r"""Sources of photon pairs: at each node with one click in the middle, or one in the middle with a Bell measurement at each node.

A pair of modes (m, o) is Gaussian with :math:`N_m = \langle m^\dagger m\rangle,\ N_o,\ c = \langle mo\rangle`. Given the no-count operator
of matrix M on the two optical modes, the two others are Gaussian with photon-number matrix and weight

.. math:: C' = N_m - P, \quad P = c\, H^T c^\dagger, \quad H = M(1 + N_oM)^{-1}, \qquad 1/\Delta,\ \Delta = \det(1 + N_oM),

:math:`\rho_{00} = w = 1/[\Delta\det(1 + C')]` and, with :math:`W = C'(1 + C')^{-1}`, the elements :math:`wW_{11}, wW_{22}, wW_{12}` and
w times the permanent of W: all pairs are kept, however many. A source in the middle ties two stations by its c, see
``pair_source_in_the_middle``. Convention: two photons or more at a node are an error; normal-ordered moments.
Source: Krastanov et al., Phys. Rev. Lett. 127, 040503 (2021), for the protocol; the forms are worked out here and checked in the tests.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..gaussian.channel import ModeChannel
from ..linear.noise import PairMoments
from ..numerics import abs2, is_concrete, sqrt
from .detector import Detector
from .heralded_pair import HeraldedPair, check_positive, check_unit
from .heralding import count_effect, dephasing, elements, no_count

Scalar = Float[Array, ""]
Real = Scalar | float


def squeezed_pair(pairs: Real, first: ModeChannel, second: ModeChannel, occupation: Real = 0.0) -> PairMoments:
    r"""Moments of a two-mode squeezed state after a channel on each mode.

    .. math:: N_1 = \eta_1[(1 + \bar n)n_0 + \bar n] + n_1, \quad N_2 = \eta_2\bar n(1 + n_0) + n_2, \quad
              c = t_1t_2\sqrt{\bar n(\bar n + 1)}\,(1 + n_0)

    Args:
        pairs: :math:`\bar n = \sinh^2 r`, mean pairs per mode from vacuum, >= 0.
        first, second: (t, n) of each mode on its way.
        occupation: :math:`n_0`, thermal photons in the first mode before the source acts, >= 0.

    Raises:
        ValueError: a concrete value below 0.
    """
    check_positive("pairs", pairs)
    check_positive("occupation", occupation)
    made = jnp.asarray(pairs, float)
    correlation = first.transmission * second.transmission * sqrt(made) * sqrt(1 + made) * (1 + occupation)
    one = first.efficiency * ((1 + made) * occupation + made) + first.noise
    return PairMoments(one, second.efficiency * made * (1 + occupation) + second.noise, correlation)


def _check_pair(name: str, pair: PairMoments) -> None:
    if not is_concrete(*pair):
        return
    one, two, square = np.asarray(pair.first), np.asarray(pair.second), np.abs(np.asarray(pair.correlation)) ** 2
    limit = np.minimum(one * (1 + two), two * (1 + one))
    if np.any((one < 0) | (two < 0) | (square > limit + 1e-9 * (1 + one) * (1 + two))):
        raise ValueError(f"{name} must have |correlation|^2 at most min[N1 (1 + N2), N2 (1 + N1)], but is {pair}")


def _detected(pair: PairMoments, efficiency: Scalar) -> PairMoments:
    return PairMoments(pair.first, efficiency * pair.second, sqrt(efficiency) * pair.correlation)


def pair_click(
    pair_a: PairMoments,
    pair_b: PairMoments,
    detector: Detector | None = None,
    overlap: Real | complex = 1.0,
    coherence: Real = 1.0,
    phase_jitter: Real = 0.0,
) -> HeraldedPair:
    r"""The two first modes after the second ones meet on a beam splitter and one count is seen; patterns c and d.

    ``probability`` counts all, ``populations`` only none or one photon at each node: ``fidelity`` takes the rest for error, and
    ``fidelity / weight`` is the fidelity where it can be told.

    Args:
        pair_a, pair_b: moments of (kept, sent) at each node, detector efficiency left out.
        detector: one of two equal ones; None for an ideal threshold detector.
        overlap: :math:`\xi` of the two sent modes.
        coherence: product of the two nodes' factors of :math:`|1\rangle\langle 0|`.
        phase_jitter: sigma of the phase between the arms, rad rms.

    Raises:
        ValueError: concrete moments that no state has, or an overlap or a coherence out of range.
    """
    _check_pair("pair_a", pair_a)
    _check_pair("pair_b", pair_b)
    check_unit("overlap", overlap)
    detector = detector or Detector()
    a, b = _detected(pair_a, detector.efficiency), _detected(pair_b, detector.efficiency)
    a1, b1 = 1 + a.first, 1 + b.first
    start = a.first / a1, b.first / b1

    def departure(mu_c, mu_d):
        h = no_count(mu_c, mu_d, a.second, b.second, overlap)
        p1, p2 = abs2(a.correlation) * h.first, abs2(b.correlation) * h.second
        cross = a.correlation * jnp.conj(b.correlation * h.cross)
        det = (a1 - p1) * (b1 - p2) - abs2(cross)
        scale = 1 / ((1 + h.excess) * det)
        change = scale / (a1 * b1) * (p1 * b1 + p2 * a1 - p1 * p2 + abs2(cross) - h.excess * det)
        shift = -(p1 * (b1 - p2) + abs2(cross)) / (a1 * det), -(p2 * (a1 - p1) + abs2(cross)) / (b1 * det)
        inside = elements(change, scale, start, shift, -cross / det)
        return jnp.append(inside, -h.excess / (1 + h.excess))

    diagonal = jnp.stack([jnp.ones_like(a1), start[1], start[0], start[0] * start[1]]) / (a1 * b1)
    found = detector.herald(jnp.concatenate([diagonal, jnp.array([0.0, 1.0])]), departure)
    coherent = dephasing(coherence, phase_jitter) * jnp.conj(found[4])
    return HeraldedPair(jnp.real(found[:4]), coherent, jnp.real(found[5]), patterns=2)


def tied(node_a: ModeChannel, node_b: ModeChannel, source: PairMoments, h_a, h_b) -> Complex[Array, " 5"]:
    """What the source's correlation adds to the product of two stations' no-count operators; 0 where either station has no detector."""
    square = abs2(source.correlation)
    alone = 1 / ((1 + h_a.excess) * (1 + h_b.excess))
    both = square * h_a.second * h_b.second
    scale = alone / (1 - both)
    start = 1 - node_a.efficiency * h_a.first, 1 - node_b.efficiency * h_b.first
    shift = (
        -node_a.efficiency * square * abs2(h_a.cross) * h_b.second / (1 - both),
        -node_b.efficiency * square * abs2(h_b.cross) * h_a.second / (1 - both),
    )
    cross = jnp.conj(node_a.transmission * node_b.transmission) * h_a.cross * h_b.cross * source.correlation / (1 - both)
    return elements(alone * both / (1 - both), scale, start, shift, cross)


def pair_source_in_the_middle(
    node_a: ModeChannel,
    node_b: ModeChannel,
    source: PairMoments,
    detector: Detector | None = None,
    overlap_a: Real | complex = 1.0,
    overlap_b: Real | complex = 1.0,
    coherence: Real = 1.0,
    differential_phase_jitter: Real = 0.0,
) -> HeraldedPair:
    r"""The pair left by two Bell measurements, each of a node's photon with half of a source's: sixteen patterns, :math:`\Phi^\pm`.

    Nodes and source each emit in one of two bins; the sign is the product over the four counts. With :math:`H^a, H^b` of the stations,
    modes (node, source), :math:`y = |c|^2H^a_{22}H^b_{22}` and per bin

    .. math:: \Pi = \frac{1}{\Delta_a\Delta_b(1 - y)}\,{:}e^{-h_1 n_a - h_2 n_b + h_{12}\,x_a^\dagger x_b^\dagger + h.c.}{:}, \quad
              h_1 = \eta_a\Big[H^a_{11} + \frac{|c|^2|H^a_{12}|^2H^b_{22}}{1 - y}\Big], \quad
              h_{12} = \frac{t_a^*t_b^*H^a_{12}H^b_{12}\,c}{1 - y}.

    For a dim source :math:`p \approx \tfrac12\bar n\,\eta_a\eta_b\eta_{sa}\eta_{sb}`, while two source pairs make all four counts with
    :math:`\bar n^2\eta_{sa}^2\eta_{sb}^2`: a source much brighter than the nodes' own links gives false heralds.

    Args:
        node_a, node_b: (t, n) of one bin from each node to its station, detector efficiency left out.
        source: moments of one bin's two modes on arrival at the stations a and b, as ``squeezed_pair`` gives them.
        detector: one of four equal ones, for one bin; None for an ideal threshold detector.
        overlap_a, overlap_b: xi of node's and source's photon at each station; only the squared modulus counts.
        coherence: product of the two nodes' factors of :math:`|1\rangle\langle 0|` per bin; its square counts.
        differential_phase_jitter: :math:`\sigma_D` of the whole path's phase between the bins, rad rms.

    Raises:
        ValueError: concrete moments that no state has, or an overlap or a coherence out of range.
    """
    _check_pair("source", source)
    detector = detector or Detector()
    kept = detector.efficiency
    a, b = node_a.attenuated(kept), node_b.attenuated(kept)
    seen = PairMoments(kept * source.first, kept * source.second, kept * source.correlation)

    def at_a(mu_c, mu_d):
        h_a = no_count(mu_c, mu_d, a.noise, seen.first, overlap_a)

        def at_b(nu_c, nu_d):
            return tied(a, b, seen, h_a, no_count(nu_c, nu_d, b.noise, seen.second, overlap_b))

        return detector.herald(np.zeros(5), at_b)

    # Each station alone: its effect on the node's photon, with the source's half as thermal noise of the other input.
    alone_a, alone_b = (
        jnp.real(count_effect(node, ModeChannel(0.0, half), detector, overlap))[np.array([0, 2])]
        for node, half, overlap in ((node_a, source.first, overlap_a), (node_b, source.second, overlap_b))
    )
    bin_effect = detector.herald(np.zeros(5), at_a)
    diagonal = jnp.outer(alone_a, alone_b).reshape(4) + jnp.real(bin_effect[:4])
    populations = diagonal * diagonal[::-1] / 4
    coherent = coherence * dephasing(coherence, differential_phase_jitter) * abs2(bin_effect[4]) / 4
    return HeraldedPair(populations, coherent + 0j, jnp.sum(populations), patterns=16, even=True)
