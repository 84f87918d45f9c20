r"""Two clicks: time-bin or dual-rail photons of two nodes and a Bell measurement, one count in each bin.

.. math:: \rho_{ij,i'j'} = \tfrac14 \langle i'j'|\Pi_1|ij\rangle \langle \bar i'\bar j'|\Pi_2|\bar i\bar j\rangle, \qquad
          \rho_{01,10} = \tfrac14 v\,|\langle 10|\Pi|01\rangle|^2

Both nodes emit in one of two bins; the two effects are those of one click. Of the four patterns cc and dd herald :math:`\Psi^+`, cd and dc
:math:`\Psi^-`, and a phase common to both bins cancels. Convention: no post-selection but the counts.
Source: Barrett and Kok, Phys. Rev. A 71, 060310 (2005), for the protocol; the noisy forms are worked out here and checked in the tests.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..gaussian.channel import ModeChannel
from ..numerics import abs2
from .detector import Detector
from .heralded_pair import HeraldedPair, check_positive, check_unit
from .heralding import count_effect, dephasing

Scalar = Float[Array, ""]
Real = Scalar | float


def two_click(
    channel_a: ModeChannel,
    channel_b: ModeChannel,
    detector: Detector | None = None,
    overlap: Real | complex = 1.0,
    coherence: Real = 1.0,
    differential_phase_jitter: Real = 0.0,
) -> HeraldedPair:
    r"""The pair that a count in each bin leaves, exact at any efficiency and noise; four patterns.

    Without noise and dark counts :math:`F = (1 + Vv)/2` and the success probability is :math:`\eta_a\eta_b/2`.

    Args:
        channel_a, channel_b: (t, n) of one bin from each node to the detectors, detector efficiency left out.
        detector: one of two equal ones, for one bin; None for an ideal threshold detector.
        overlap: :math:`\xi`; only :math:`V = |\xi|^2` counts: the root of its mean where the delay is random.
        coherence: product of the two nodes' factors of :math:`|1\rangle\langle 0|` per bin; its square counts.
        differential_phase_jitter: :math:`\sigma_D` of the arms' phase between the bins, rad rms.

    Raises:
        ValueError: a concrete overlap or coherence out of range.
    """
    effect = count_effect(channel_a, channel_b, detector or Detector(), overlap)
    diagonal = jnp.real(effect[:4])
    populations = diagonal * diagonal[::-1] / 4
    coherent = coherence * dephasing(coherence, differential_phase_jitter) * abs2(effect[4]) / 4
    return HeraldedPair(populations, coherent + 0j, jnp.sum(populations), patterns=4)


def two_click_weak_fidelity(added_noise: Real, visibility: Real = 1.0, differential_phase_jitter: Real = 0.0) -> Scalar:
    r"""Fidelity of two clicks in the limit of a weak link, two equal nodes and no dark counts.

    .. math:: F = \frac{(\tfrac12 + N)^2 + \tfrac14 Vv}{2(\tfrac12 + N)^2 + 2N(1 + N)}, \qquad v = e^{-\sigma_D^2/2}

    With V v = 1 also the fidelity of entanglement distilled from two one-click pairs of a weak link.

    Args:
        added_noise: N = n/eta per node, >= 0.
        visibility: V, within 0 and 1.
        differential_phase_jitter: sigma_D, rad rms.

    Raises:
        ValueError: a concrete value out of range.
    """
    check_positive("added_noise", added_noise)
    check_unit("visibility", visibility)
    square = (0.5 + jnp.asarray(added_noise, float)) ** 2
    coherent = visibility * dephasing(1.0, differential_phase_jitter) / 4
    return (square + coherent) / (2 * square + 2 * added_noise * (1 + added_noise))
