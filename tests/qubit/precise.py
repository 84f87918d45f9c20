"""Heralded pairs in 120 digits: determinants and inverses of the no-count operators, summed as they stand, with mpmath.

What cancels in float64 does not here, so that values and gradients are known at the edges. The arms of a pair are equal, which makes
everything analytic in the parameters.
"""

from collections.abc import Callable
from typing import Any

import mpmath as mp

DIGITS = 120
XI = mp.mpf(7) / 8
"""Overlap of the two photons."""

BASIS = ((0, 0), (0, 1), (1, 0), (1, 1))


def _matrix(mu_c: Any, mu_d: Any) -> Any:
    return mp.matrix([[mu_c + mu_d, XI * (mu_c - mu_d)], [XI * (mu_c - mu_d), mu_c + mu_d]]) / 2


def herald(kind: str, dark: Any, operator: Callable[[Any, Any], Any]) -> Any:
    """The sum of no-count operators that a herald is, for a matrix-valued operator."""
    q = 1 - dark
    if kind == "threshold":
        return q * operator(mp.mpf(0), mp.mpf(1)) - q**2 * operator(mp.mpf(1), mp.mpf(1))
    if kind == "threshold_any":
        return operator(mp.mpf(0), mp.mpf(0)) - q * operator(mp.mpf(1), mp.mpf(0))
    step = mp.mpf(10) ** -25  # the error of the central difference is its square
    slope = (operator(1 + step, mp.mpf(1)) - operator(1 - step, mp.mpf(1))) / (2 * step)
    return -(q**2) * slope + q * dark * operator(mp.mpf(1), mp.mpf(1))


def _elements(scale: Any, r: Any) -> Any:
    """00, 01, 10, 11 and the coherence of scale times R on each photon."""
    return scale * mp.matrix([1, r[1, 1], r[0, 0], r[0, 0] * r[1, 1] + r[0, 1] * r[1, 0], r[0, 1]])


def _effect(kind: str, eta: Any, n: Any, dark: Any) -> Any:
    def operator(mu_c, mu_d):
        m = _matrix(mu_c, mu_d)
        noisy = mp.eye(2) + n * m
        return _elements(1 / mp.det(noisy), mp.eye(2) - eta * m * noisy**-1)

    return herald(kind, dark, operator)


def _figures(populations: list, coherence: Any, useful: tuple, probability: Any) -> tuple:
    return (populations[useful[0]] + populations[useful[1]] + 2 * abs(coherence)) / (2 * probability), probability


def one_click(kind: str, eta: Any, n: Any, dark: Any, alpha: Any) -> tuple:
    """(fidelity, probability) of one pattern, as all below."""
    effect = _effect(kind, eta, n, dark)
    weights = [(1 - alpha) ** 2, alpha * (1 - alpha), alpha * (1 - alpha), alpha**2]
    populations = [weights[k] * effect[k] for k in range(4)]
    return _figures(populations, weights[1] * effect[4], (1, 2), sum(populations))


def two_click(kind: str, eta: Any, n: Any, dark: Any, _: Any) -> tuple:
    effect = _effect(kind, eta, n, dark)
    populations = [effect[k] * effect[3 - k] / 4 for k in range(4)]
    return _figures(populations, effect[4] ** 2 / 4, (1, 2), sum(populations))


def pair_click(kind: str, eta: Any, n: Any, dark: Any, pairs: Any) -> tuple:
    """Two equal nodes that keep 9 in 10 photons and start with a hundredth of a thermal one."""
    kept, hot = mp.mpf("0.9"), mp.mpf("0.01")
    one, two = kept * ((1 + pairs) * hot + pairs), eta * pairs * (1 + hot) + n
    square = eta * kept * pairs * (1 + pairs) * (1 + hot) ** 2

    def operator(mu_c, mu_d):
        m = _matrix(mu_c, mu_d)
        noisy = mp.eye(2) + two * m
        left = one * mp.eye(2) - square * m * noisy**-1
        scale = 1 / (mp.det(noisy) * mp.det(mp.eye(2) + left))
        inside = _elements(scale, left * (mp.eye(2) + left) ** -1)
        return mp.matrix([*inside, 1 / mp.det(noisy)])

    found = herald(kind, dark, operator)
    return _figures(list(found[:4]), found[4], (1, 2), found[5])


def source_in_the_middle(kind: str, eta: Any, n: Any, dark: Any, pairs: Any) -> tuple:
    """Nodes (eta, n), and a source whose halves arrive with probability 0.6 and no noise."""
    half, square = mp.mpf("0.6"), mp.mpf("0.36") * pairs * (1 + pairs)

    def operator(mu, nu):
        m, sigma = mp.zeros(4), mp.diag([n, half * pairs, half * pairs, n])
        m[0:2, 0:2], m[2:4, 2:4] = _matrix(*mu), _matrix(*nu)
        sigma[1, 2], sigma[2, 1] = square, 1  # c and c: only the product of the two is left in the figures
        noisy = mp.eye(4) + sigma * m
        h = eta * m * noisy**-1
        h1, h2, there, back = 1 - h[0, 0], 1 - h[3, 3], h[0, 3], h[3, 0]
        return mp.matrix([1, h2, h1, h1 * h2 + there * back, -there, -back]) / mp.det(noisy)

    effect = herald(kind, dark, lambda *mu: herald(kind, dark, lambda *nu: operator(mu, nu)))
    populations = [effect[k] * effect[3 - k] / 4 for k in range(4)]
    return _figures(populations, effect[4] * effect[5] / 4, (0, 3), sum(populations))


@mp.workdps(DIGITS)
def gradients(figures: Callable, kind: str, point: tuple) -> tuple[list[float], list[list[float]]]:
    """Fidelity and log of the probability, and their slopes by central differences; those are good to 1e-14."""
    exact, found = [mp.mpf(x) for x in point], []
    fidelity, probability = figures(kind, *exact)
    for k, x in enumerate(exact):
        step = mp.mpf(10) ** -16 * (abs(x) if x else mp.mpf(10) ** -8)
        above, below = (figures(kind, *exact[:k], x + sign * step, *exact[k + 1 :]) for sign in (1, -1))
        slopes = [above[0] - below[0], mp.log(above[1] / below[1])]
        found.append([float(slope / (2 * step)) for slope in slopes])
    return [float(fidelity), float(mp.log(probability))], [list(row) for row in zip(*found, strict=True)]
