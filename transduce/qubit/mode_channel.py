r"""The Fock-space map of a Gaussian mode channel, as exact finite sums.

A channel (t, n) is a loss followed by an amplifier, :math:`E = Amp_G \circ Loss_\tau` with :math:`G = g = 1 + n` and
:math:`\tau = \eta/g`, for loss and for gain alike. With :math:`\eta = |t|^2`, for :math:`m - r = p - q`,

.. math:: \langle m|E(|p\rangle\langle q|)|r\rangle = \frac{t^{p-q}}{g^{1+q+m}} \sum_j
          \sqrt{\binom pj\binom qj\binom m{k}\binom r{k}}\; (g-\eta)^j\, \eta^{\min(p,q)-j}\, n^{k}, \qquad k = m - p + j,

and 0 otherwise (:math:`t^{-d}` stands for :math:`t^{*d}`). Every power is an integer known when traced: nothing is singular at
n = 0, :math:`\eta = 0` or :math:`\eta = 1`. Source: Kraus forms of the two channels, Ivan, Sabapathy and Simon,
Phys. Rev. A 84, 042311 (2011); the product and its collected powers are worked out here and checked against matrices in the tests.
"""

from math import comb, prod
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..gaussian.channel import ModeChannel
from ..numerics import dense


def _check_levels(**levels: int) -> None:
    for name, level in levels.items():
        if not isinstance(level, int) or level < 0:
            raise ValueError(f"{name} must be an integer of at least 0, but is {level!r}")


def _weight(channel: ModeChannel, m: int, p: int, q: int, r: int) -> Float[Array, ""]:
    """The element without its power of t."""
    eta, n = channel.efficiency, channel.noise
    terms: list[Any] = []
    for j in range(max(0, p - m), min(p, q) + 1):
        k = m - p + j
        paths = (comb(p, j) * comb(q, j) * comb(m, k) * comb(r, k)) ** 0.5
        powers = [base() ** power for base, power in ((lambda: 1 + n - eta, j), (lambda: eta, min(p, q) - j), (lambda: n, k)) if power]
        terms.append(prod(powers) if paths == 1 else prod([paths, *powers]))
    return sum(terms[1:], start=terms[0]) / (1 + n) ** (1 + q + m)


def fock_element(channel: ModeChannel, m: int, p: int, q: int, r: int) -> Complex[Array, ""]:
    r"""One element :math:`\langle m|E(|p\rangle\langle q|)|r\rangle` of the channel.

    Args:
        channel: (t, n).
        m, p, q, r: photon numbers >= 0, static: out left, in left, in right, out right.

    Raises:
        ValueError: a negative photon number.
    """
    _check_levels(m=m, p=p, q=q, r=r)
    if m - r != p - q:
        return jnp.zeros((), complex)
    t = channel.transmission if p >= q else jnp.conj(channel.transmission)
    return t ** abs(p - q) * _weight(channel, m, p, q, r)


def fock_probability(channel: ModeChannel, out: int, in_: int) -> Float[Array, ""]:
    r"""Probability :math:`P(out|in)` of ``out`` photons when ``in_`` were sent.

    >>> fock_probability(ModeChannel(1.0, 0.2), 1, 1)  # [eta + n (g - eta)] / g^3
    Array(0.60185185, dtype=float64)

    Raises:
        ValueError: a negative photon number.
    """
    _check_levels(out=out, in_=in_)
    return _weight(channel, out, in_, in_, out)


def multi_photon_probability(channel: ModeChannel, in_: int) -> Float[Array, ""]:
    r"""Probability of two photons or more, without the cancellation of :math:`1 - P_0 - P_1`.

    .. math:: P(\ge 2|0) = (n/g)^2, \qquad P(\ge 2|1) = n\,[2\eta + n g]/g^3

    Args:
        channel: (t, n).
        in_: photons sent, 0 or 1.

    Raises:
        ValueError: any other number sent.
    """
    if in_ not in (0, 1):
        raise ValueError(f"in_ must be 0 or 1, but is {in_!r}")
    n, g = channel.noise, 1 + channel.noise
    return (n / g) ** 2 if in_ == 0 else n * (2 * channel.efficiency + n * g) / g**3


def choi(channel: ModeChannel, levels_in: int = 2, levels_out: int = 2) -> Complex[Array, "size size"]:
    r"""Choi matrix over the lowest Fock levels, :math:`J/d_{in}`.

    .. math:: J = \sum_{pq} |p\rangle\langle q| \otimes E(|p\rangle\langle q|)

    Its trace is the mean weight that stays within ``levels_out``.

    Args:
        channel: (t, n).
        levels_in: d_in, static.
        levels_out: d_out, static.

    Returns:
        (d_in d_out) x (d_in d_out), index ``levels_out * in + out``.
    """
    _check_levels(levels_in=levels_in, levels_out=levels_out)
    entries = {}
    for p in range(levels_in):
        for q in range(levels_in):
            for m in range(max(0, p - q), min(levels_out, levels_out + p - q)):
                entries[levels_out * p + m, levels_out * q + m - p + q] = fock_element(channel, m, p, q, m - p + q)
    return dense(entries, levels_in * levels_out) / levels_in
