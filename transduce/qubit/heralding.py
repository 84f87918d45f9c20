r"""One click: two weakly excited emitters, their photons on one beam splitter, one count.

.. math:: \rho_{ij,i'j'} = \psi_{ij}\psi_{i'j'} \langle i'j'|\Pi|ij\rangle, \qquad
          \psi = (\sqrt{1-\alpha_a}, \sqrt{\alpha_a}) \otimes (\sqrt{1-\alpha_b}, \sqrt{\alpha_b})

The effect :math:`\Pi` is a sum of no-count operators (see ``detector``). Drawn back through the channels (t_i, n_i), with
:math:`M = \begin{pmatrix} s & \xi D \\ \xi^* D & s \end{pmatrix}`, :math:`s, D = (\mu_c \pm \mu_d)/2`, each is Gaussian:

.. math:: {:}e^{-o^\dagger K o}{:}/\Delta, \quad K = T^\dagger H T, \quad H = M(1 + NM)^{-1}, \quad \Delta = \det(1 + NM),

with elements 1, :math:`1 - K_{11}`, :math:`1 - K_{22}`, :math:`-K_{12}` and the permanent of 1 - K: exact at any noise.
Convention: the noise of a channel is in that node's photon mode; :math:`\xi = \langle g_a|g_b\rangle` of the arriving packets; a count in c
heralds :math:`\Psi^+`, in d :math:`\Psi^-`.
Source: Cabrillo et al., Phys. Rev. A 59, 1025 (1999), for the protocol; the noisy forms are worked out here and checked in the tests.
"""

from math import sqrt as root
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..gaussian.channel import ModeChannel
from ..numerics import abs2, sqrt
from .detector import Detector
from .heralded_pair import HeraldedPair, check_positive, check_unit

Scalar = Float[Array, ""]
Real = Scalar | float

SEPARABLE_NOISE = (root(2) - 1) / 2
"""Added noise per node, referred to the sender, from which one click of weak links leaves no entanglement at any excitation."""


class NoCount(NamedTuple):
    r"""A no-count operator on two noisy modes.

    Attributes:
        excess: :math:`\Delta - 1`.
        first, second, cross: :math:`H_{11}, H_{22}, H_{12}` of :math:`H = M(1 + NM)^{-1}`.
    """

    excess: Scalar
    first: Scalar
    second: Scalar
    cross: Complex[Array, ""]


def no_count(mu_c: Real, mu_d: Real, noise_a: Real, noise_b: Real, overlap: Real | complex) -> NoCount:
    r"""H and :math:`\Delta`, from :math:`H = (M + \det M\, \mathrm{diag}(n_b, n_a))/\Delta`: a quotient of polynomials.

    Args:
        mu_c, mu_d: how strongly each output is asked to be empty, within 0 and 1.
        noise_a, noise_b: thermal photons in each input mode.
        overlap: :math:`\xi` of the two modes.
    """
    s, half, xi = (mu_c + mu_d) / 2, (mu_c - mu_d) / 2, jnp.asarray(overlap)
    det = s**2 - abs2(xi) * half**2
    excess = s * (noise_a + noise_b) + noise_a * noise_b * det
    delta = 1 + excess
    return NoCount(excess, (s + det * noise_b) / delta, (s + det * noise_a) / delta, xi * half / delta)


def elements(change: Scalar, scale: Scalar, start: tuple, shift: tuple, cross: Complex[Array, ""]) -> Complex[Array, " 5"]:
    r"""How far a Gaussian operator :math:`g R^{\otimes}` departs from :math:`g_0 R_0^{\otimes}`, :math:`R_0` diagonal, on {0, 1} photons.

    Args:
        change: :math:`g - g_0`, given so that nothing cancels.
        scale: g.
        start: the two elements of :math:`R_0`.
        shift: the diagonal of :math:`R - R_0`.
        cross: :math:`R_{12}`.

    Returns:
        the elements 00, 01, 10, 11 of the diagonal, and the one off it.
    """
    (r1, r2), (e1, e2) = start, shift
    many = e1 * r2 + e2 * r1 + e1 * e2 + abs2(cross)
    diagonal = (change, change * r2 + scale * e2, change * r1 + scale * e1, change * r1 * r2 + scale * many)
    return jnp.stack([jnp.asarray(value, complex) for value in (*diagonal, scale * cross)])


def count_effect(channel_a: ModeChannel, channel_b: ModeChannel, detector: Detector, overlap: Real | complex) -> Complex[Array, " 5"]:
    r"""A count in c as an effect on the two emitted modes.

    Returns:
        the elements 00, 01, 10, 11 of its diagonal, and :math:`\langle 10|\Pi|01\rangle`.

    Raises:
        ValueError: a concrete overlap above 1 in modulus.
    """
    check_unit("overlap", overlap)
    a, b = channel_a.attenuated(detector.efficiency), channel_b.attenuated(detector.efficiency)

    def departure(mu_c, mu_d):
        h = no_count(mu_c, mu_d, a.noise, b.noise, overlap)
        scale = 1 / (1 + h.excess)
        cross = -jnp.conj(a.transmission) * h.cross * b.transmission
        return elements(-h.excess * scale, scale, (1.0, 1.0), (-a.efficiency * h.first, -b.efficiency * h.second), cross)

    return detector.herald(np.array([1.0, 1.0, 1.0, 1.0, 0.0]), departure)


def dephasing(coherence: Real, phase_jitter: Real) -> Scalar:
    r""":math:`c\,e^{-\sigma^2/2}`; ValueError where a concrete c is not within 0 and 1."""
    check_unit("coherence", coherence)
    return coherence * jnp.exp(-(jnp.asarray(phase_jitter, float) ** 2) / 2)


def one_click(
    channel_a: ModeChannel,
    channel_b: ModeChannel,
    excitation_a: Real,
    excitation_b: Real,
    detector: Detector | None = None,
    overlap: Real | complex = 1.0,
    coherence: Real = 1.0,
    phase_jitter: Real = 0.0,
) -> HeraldedPair:
    r"""The pair that one count leaves, exact at any efficiency and noise; patterns c and d.

    Args:
        channel_a, channel_b: (t, n) from each emitter to the detectors, detector efficiency left out.
        excitation_a, excitation_b: :math:`\alpha`, probability that the emitter is excited, within 0 and 1.
        detector: one of two equal ones; None for an ideal threshold detector.
        overlap: :math:`\xi`, with \|xi\| <= 1; its mean where the delay is random. The coherence scales with it, not with its square.
        coherence: product of the two nodes' factors of :math:`|1\rangle\langle 0|`.
        phase_jitter: sigma of the phase between the arms, rad rms.

    Raises:
        ValueError: a concrete excitation, overlap or coherence out of range.
    """
    check_unit("excitation_a", excitation_a)
    check_unit("excitation_b", excitation_b)
    effect = count_effect(channel_a, channel_b, detector or Detector(), overlap)
    a, b = jnp.asarray(excitation_a, float), jnp.asarray(excitation_b, float)
    weights = jnp.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b])
    populations = weights * jnp.real(effect[:4])
    coherent = sqrt(a) * sqrt(1 - a) * sqrt(b) * sqrt(1 - b) * dephasing(coherence, phase_jitter) * effect[4]
    return HeraldedPair(populations, coherent, jnp.sum(populations), patterns=2)


def one_click_weak_fidelity(added_noise: Real, excitation: Real, overlap: Real = 1.0, phase_jitter: Real = 0.0) -> Scalar:
    r"""Fidelity of one click in the limit of a weak link, two equal nodes and no dark counts.

    .. math:: F = \frac{\alpha(1 - \alpha)(\tfrac12 + N + \tfrac12 |\xi| e^{-\sigma^2/2})}{\alpha + N}

    NaN at :math:`\alpha = N = 0`, where the limit depends on the direction.

    Args:
        added_noise: N = n/eta per node, >= 0.
        excitation: alpha, within 0 and 1.
        overlap: \|xi\|, within 0 and 1.
        phase_jitter: sigma between the arms, rad rms.

    Raises:
        ValueError: a concrete value out of range.
    """
    check_positive("added_noise", added_noise)
    check_unit("excitation", excitation)
    check_unit("overlap", overlap)
    useful = 0.5 + added_noise + overlap * dephasing(1.0, phase_jitter) / 2
    return excitation * (1 - excitation) * useful / (jnp.asarray(excitation, float) + added_noise)


def best_excitation(added_noise: Real) -> Scalar:
    r""":math:`\alpha^* = \sqrt{N^2 + N} - N`, where ``one_click_weak_fidelity`` is largest, whatever overlap and jitter.

    Raises:
        ValueError: a concrete noise below 0.
    """
    check_positive("added_noise", added_noise)
    noise = jnp.asarray(added_noise, float)
    return sqrt(noise) / (sqrt(noise) + sqrt(1 + noise))


def one_click_weak_best(added_noise: Real, overlap: Real = 1.0, phase_jitter: Real = 0.0) -> Scalar:
    r"""``one_click_weak_fidelity`` at ``best_excitation``; 1/2 at ``SEPARABLE_NOISE`` for perfect overlap.

    .. math:: F^* = (\tfrac12 + N + \tfrac12|\xi|e^{-\sigma^2/2})\,(\sqrt{1 + N} - \sqrt N)^2

    Raises:
        ValueError: a concrete value out of range.
    """
    check_positive("added_noise", added_noise)
    check_unit("overlap", overlap)
    noise = jnp.asarray(added_noise, float)
    return (0.5 + noise + overlap * dephasing(1.0, phase_jitter) / 2) / (sqrt(noise) + sqrt(1 + noise)) ** 2
