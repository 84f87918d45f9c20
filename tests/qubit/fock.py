"""A witness for the Fock-space map of a Gaussian mode channel: matrices of a beam splitter and of a two-mode squeezer, by ``expm``.

Slow and obvious, in numpy: nothing here knows the closed sums of ``transduce.qubit.mode_channel``.
"""

from functools import cache

import numpy as np
from scipy.linalg import expm

SIZE = 60
"""Photons of the ancilla that are kept; its squeezing leaves (n/g)^SIZE out."""


@cache
def _beam_splitter(p: int, tau: float) -> np.ndarray:
    """Amplitudes of p photons and vacuum, over j = photons lost."""
    j = np.arange(1, p + 1)
    hop = np.arctan2(np.sqrt(1 - tau), np.sqrt(tau)) * np.sqrt(j * (p - j + 1))
    return expm(np.diag(hop, -1) - np.diag(hop, 1))[:, 0]


@cache
def _squeezer(s: int, gain: float) -> np.ndarray:
    """Amplitudes of s photons and vacuum, over k = pairs made."""
    k = np.arange(1, SIZE)
    hop = np.arccosh(np.sqrt(gain)) * np.sqrt(k * (s + k))
    return expm(np.diag(hop, -1) - np.diag(hop, 1))[:, 0]


def channel(eta: float, n: float, theta: float, p: int, q: int, levels: int) -> np.ndarray:
    """The matrix E(|p><q|) over the lowest levels: Amp o Loss, then the phase."""
    tau, out = eta / (1 + n), np.zeros((levels, levels), complex)
    lost_p, lost_q = _beam_splitter(p, tau), _beam_splitter(q, tau)
    for j in range(min(p, q) + 1):
        made_p, made_q = _squeezer(p - j, 1 + n), _squeezer(q - j, 1 + n)
        for k in range(min(levels - p + j, levels - q + j, SIZE)):
            out[p - j + k, q - j + k] += lost_p[j] * lost_q[j] * made_p[k] * made_q[k]
    return out * np.exp(1j * theta * (p - q))


def choi(eta: float, n: float, theta: float, levels_in: int, levels_out: int) -> np.ndarray:
    """J / levels_in, index levels_out * in + out."""
    blocks = [[channel(eta, n, theta, p, q, levels_out) for q in range(levels_in)] for p in range(levels_in)]
    return np.block(blocks) / levels_in
