"""Wavepackets to test with, and a witness of their integrals that knows no closed form.

Every shape stands in ``CASES`` with an interval that holds it and the number of equal cells within which it is smooth. ``Witness``
integrates the amplitude alone, in numpy.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transduce.link.sampled import Sampled, Tabulated
from transduce.link.wavepacket import AbstractWavepacket, Decaying, Gaussian, Rising, Sech
from transduce.units import MHz

B = 1 * MHz  # the bandwidth of every closed shape
T = 4 * np.arccosh(np.sqrt(2)) / (np.pi * B)
S = np.sqrt(2 * np.log(2)) / B
RATES = B * np.array([0.0, 1e-13, 1e-6, 1e-5, 3e-3, 0.05, 0.2, -0.01, -0.05])
KAPPA, SHIFT = 1.2 * B, 0.3 * B  # a Lorentzian through which a sech goes


def filtered(bandwidth: Any = B) -> Sampled:
    """A sech behind a detuned Lorentzian: complex, asymmetric, band-limited; phases count from the packet's centre."""
    omegas = (jnp.arange(1024) - 512) * (B / 12)
    spectrum = jax.vmap(Sech(bandwidth=bandwidth).spectrum)(omegas) / (KAPPA / 2 - 1j * (omegas - SHIFT))
    return Sampled.from_spectrum(spectrum, B / 12, -25 / B)


def table() -> Tabulated:
    times = np.linspace(-1, 2, 31) / B
    return Tabulated(times, 7 * np.exp(-((B * times) ** 2) + 1j * (B * times) ** 2 - 2j * B * times) * (1 + 0.5 * np.sin(3 * B * times)))


class Case(NamedTuple):
    """A packet, an interval that holds all of it, and how many equal cells of that hold no kink."""

    packet: Any
    low: float
    high: float
    cells: int


CASES = {
    "decaying": Case(Decaying(bandwidth=B), 0.0, 60 / B, 120),
    "rising": Case(Rising(bandwidth=B), -60 / B, 0.0, 120),
    "gaussian": Case(Gaussian(bandwidth=B), -13 * S, 13 * S, 60),
    "sech": Case(Sech(bandwidth=B), -26 * T, 26 * T, 120),
    "tabulated": Case(table(), -1.1 / B, 2.1 / B, 32),
    "sampled": Case(filtered(), -25 / B, 49 / B, 300),
}
PACKETS = pytest.mark.parametrize("name", CASES)
LEGENDRE, WEIGHTS = (np.polynomial.legendre.leggauss(16)[0] + 1) / 2, np.polynomial.legendre.leggauss(16)[1] / 2
RUNNING = np.array([np.polynomial.Polynomial.fit(LEGENDRE, row, 15).integ(lbnd=0)(LEGENDRE) for row in np.eye(16)]).T
"""RUNNING @ values at the nodes = their integral from 0 up to each node."""


class Witness:
    """|f|^2 on 16 Gauss-Legendre nodes in each cell, and what follows from it by sums."""

    def __init__(self, case: Case, low: float = -np.inf, high: float = np.inf):
        edges = np.unique(np.clip(np.linspace(case.low, case.high, case.cells + 1), low, high))
        self.widths = np.diff(edges)
        self.times = edges[:-1, None] + self.widths[:, None] * LEGENDRE
        self.values = np.asarray(jax.jit(jax.vmap(jax.vmap(case.packet.amplitude)))(self.times))
        self.weights = self.widths[:, None] * WEIGHTS
        self.density = abs(self.values) ** 2

    def mean(self, function: np.ndarray | float = 1.0) -> float:
        return float(np.sum(self.weights * self.density * function))

    def transform(self, omega: float) -> complex:
        return complex(np.sum(self.weights * self.values * np.exp(1j * omega * self.times)))

    def overlap(self, rate: float) -> float:
        """2 int p I with I' = p - rate I, cell after cell."""
        before, total = 0.0, 0.0
        for width, density in zip(self.widths, self.density, strict=True):
            grown = np.exp(rate * width * LEGENDRE)
            inside = (before + width * RUNNING @ (grown * density)) / grown
            total += 2 * width * WEIGHTS @ (density * inside)
            before = (before + width * WEIGHTS @ (grown * density)) * np.exp(-rate * width)
        return total


@functools.cache
def witness_of(name: str) -> Witness:
    return Witness(CASES[name])


class Answers(NamedTuple):
    """What a packet says: the integrals at ``RATES`` and their slopes with the rate, (3, 9) each; the clock; the spectrum's features."""

    integrals: np.ndarray
    slopes: np.ndarray
    start: float
    end: float
    duration: float
    bandwidth: float
    features: tuple[np.ndarray, np.ndarray]


def integrals(packet: AbstractWavepacket, rate: Any) -> tuple[Any, Any, Any]:
    return packet.growth(rate), packet.decay(rate), packet.overlap(rate)


@functools.cache
def answers_of(name: str) -> Answers:
    """All in one compilation."""

    @jax.jit
    def ask(packet: Any) -> tuple[Any, ...]:
        values, slopes = jax.vmap(lambda r: jax.jvp(lambda x: jnp.stack(integrals(packet, x)), (r,), (jnp.ones(()),)))(RATES)
        return values.T, slopes.T, packet.start, packet.end, packet.duration, packet.bandwidth, packet.features()

    return Answers(*jax.tree.map(np.asarray, ask(CASES[name].packet)))


def close(found: Any, wanted: Any, tolerance: float) -> None:
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert np.max(abs(found - wanted) / np.max(abs(wanted))) < tolerance


def difference(function: Any, x: float, step: float) -> np.ndarray:
    """Central difference of sixth order."""
    weights = {1: 45, 2: -9, 3: 1}
    return sum(w * (np.asarray(function(x + k * step)) - np.asarray(function(x - k * step))) for k, w in weights.items()) / (60 * step)
