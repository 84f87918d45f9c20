"""Heralds by counting photons one by one in Fock space, in numpy: nothing here knows a Gaussian operator."""

from collections.abc import Callable
from functools import cache
from math import comb, factorial

import numpy as np
from scipy.stats import geom, poisson

from . import fock

LEVELS = 9
"""Photons per mode are 0 to 8; with the noise of the tests the rest is below 1e-13."""
PAIRS, THERMAL = 8, 7

Channel = tuple[float, float, float]
"""(eta, n, theta)."""


def false_counts(dark: float = 0.0, mean: float = 0.0, modes: tuple[float, ...] = ()) -> np.ndarray:
    """Probabilities of 0, 1, ... false counts: one dark count or none, a Poisson background, thermal modes."""
    found, k = np.convolve([1 - dark, dark], poisson.pmf(np.arange(20), mean)), np.arange(1, 40)
    for occupation in modes:
        found = np.convolve(found, geom.pmf(k, 1 / (1 + occupation)))
    return found


def herald(kind: str, false: np.ndarray, output: str = "c") -> Callable[[int, int], float]:
    """The probability of a herald when (k_c, k_d) photons reach the detectors."""

    def of(k_c: int, k_d: int) -> float:
        here, there = (k_c, k_d) if output == "c" else (k_d, k_c)
        silent = [false[0] if k == 0 else 0.0 for k in (here, there)]
        single = false[1 - here] if here <= 1 else 0.0
        return {
            "threshold": (1 - silent[0]) * silent[1],
            "threshold_any": 1 - silent[0],
            "number_resolving": single * silent[1],
        }[kind]

    return of


@cache
def _beam_splitter(p: int, q: int) -> np.ndarray:
    """Amplitudes of p and q photons over k, the photons in c = (a + b)/sqrt 2."""
    ways, total = np.array([1.0]), p + q
    for sign in [1] * p + [-1] * q:
        ways = np.convolve(ways, [sign, 1.0])
    norms = [factorial(k) * factorial(total - k) for k in range(total + 1)]
    return ways * np.sqrt(np.array(norms, float) / (factorial(p) * factorial(q) * 2.0**total))


def effect(of: Callable[[int, int], float], overlap: complex) -> np.ndarray:
    """<p' q'|Pi|p q> as [p', q', p, q]: b is overlap b_1 + sqrt(1 - |overlap|^2) b_2, and only b_1 interferes with a."""
    rest, found = np.sqrt(1 - abs(overlap) ** 2), np.zeros((LEVELS,) * 4, complex)

    def split(q, m):
        return comb(q, m) ** 0.5 * overlap ** (q - m) * rest**m

    @cache
    def seen(total, m):  # over k of the interfering photons in c, the m others falling at random
        return np.array([sum(comb(m, j) / 2**m * of(k + j, total - k + m - j) for j in range(m + 1)) for k in range(total + 1)])

    for p, q, p2 in np.ndindex(LEVELS, LEVELS, LEVELS):
        q2 = p + q - p2
        for m in range(min(q, q2) + 1 if 0 <= q2 < LEVELS else 0):
            weights = _beam_splitter(p, q - m) * _beam_splitter(p2, q2 - m) * seen(p + q - m, m)
            found[p2, q2, p, q] += np.conj(split(q2, m)) * split(q, m) * weights.sum()
    return found


def through(channel: Channel, levels_in: int = 2) -> np.ndarray:
    """E(|i><i'|) as [i, i', m, m']."""
    return np.array([[fock.channel(*channel, i, j, LEVELS) for j in range(levels_in)] for i in range(levels_in)])


def lossy(channel: Channel, efficiency: float) -> Channel:
    return efficiency * channel[0], efficiency * channel[1], channel[2]


def emitted(povm: np.ndarray, a: Channel, b: Channel) -> np.ndarray:
    """Tr[Pi E_a(|i><i'|) E_b(|j><j'|)] as [i, j, i', j']."""
    return np.einsum("PQpq,xypP,uvqQ->xuyv", povm, through(a), through(b), optimize=True)


def flipped(array: np.ndarray) -> np.ndarray:
    return array[::-1, ::-1, ::-1, ::-1]


def one_click(povm: np.ndarray, a: Channel, b: Channel, excitations: tuple[float, float]) -> np.ndarray:
    psi = np.outer(*[np.sqrt([1 - p, p]) for p in excitations]).reshape(4)
    return np.outer(psi, psi) * emitted(povm, a, b).reshape(4, 4)


def two_click(first: np.ndarray, second: np.ndarray, a: Channel, b: Channel) -> np.ndarray:
    return (emitted(first, a, b) * flipped(emitted(second, a, b))).reshape(4, 4) / 4


def _pair(pairs: float, kept: Channel, sent: Channel, occupation: float) -> np.ndarray:
    """A node's state as [i, i', p, p'], i of the kept mode, where index 2 of i = i' is the trace over it."""
    to_sent, found = through(sent, PAIRS), np.zeros((3, 3, LEVELS, LEVELS), complex)
    for s in range(THERMAL):
        amplitude = fock._squeezer(s, 1 + pairs)[:PAIRS] * np.sqrt(occupation**s / (1 + occupation) ** (s + 1))
        for k, k2 in np.ndindex(PAIRS, PAIRS):
            inside = np.zeros((3, 3), complex)
            inside[:2, :2], inside[2, 2] = fock.channel(*kept, s + k, s + k2, 2), float(k == k2)
            found += amplitude[k] * amplitude[k2] * inside[:, :, None, None] * to_sent[k, k2]
    return found


def pair_click(povm: np.ndarray, node: tuple, other: tuple) -> tuple[np.ndarray, float]:
    """The unnormalised state of none or one kept photon at each node, and the probability of the herald."""
    found = np.einsum("PQpq,xypP,uvqQ->xuyv", povm, _pair(*node), _pair(*other), optimize=True)
    return found[:2, :2, :2, :2].reshape(4, 4), found[2, 2, 2, 2].real


def _middle_bin(stations: tuple, nodes: tuple, pairs: float, halves: tuple) -> np.ndarray:
    at = [
        np.einsum("XSxs,ijxX,klsS->ijkl", povm, through(node), through(half, PAIRS), optimize=True)
        for povm, node, half in zip(stations, nodes, halves, strict=True)
    ]
    amplitude = fock._squeezer(0, 1 + pairs)[:PAIRS]
    return np.einsum("k,l,ijkl,uvkl->iujv", amplitude, amplitude, *at, optimize=True)


def source_in_the_middle(early: tuple, late: tuple, nodes: tuple, pairs: float, halves: tuple) -> np.ndarray:
    """Each of early and late is the pair of stations' effects, over (node's photon, source's photon)."""
    first, second = (_middle_bin(stations, nodes, pairs, halves) for stations in (early, late))
    return (first * flipped(second)).reshape(4, 4) / 4
