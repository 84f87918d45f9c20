r"""Memories: what is left of a pair whose qubits wait, and how long they wait.

Each qubit decays to its ground state in T1 and dephases in T2, so every element of the pair's state is a sum of exponentials
:math:`e^{-rt}` whose rates are sums of :math:`0, 1/T_1, 1/T_2` of the two. A random wait puts its Laplace transform
:math:`L(r) = \langle e^{-rt}\rangle` in their place, exactly. For equal qubits and Bell pairs, with :math:`e, k` at the rates
:math:`1/T_1, 2/T_2`,

.. math:: F_\Psi = \tfrac12(e + k), \qquad F_\Phi = \tfrac12(1 - e + L(2/T_1) + k).

Waits between links that succeed with probability p per attempt, q = 1 - p, after an attempt's :math:`s = e^{-rT}`:

.. math:: L = \frac{p_1p_2}{1 - q_1q_2}\Bigl[1 + \frac{q_1s}{1 - q_1s} + \frac{q_2s}{1 - q_2s}\Bigr] \text{ (two links)}, \qquad
          L = \frac{ps}{1 - qs} \text{ (the next pair of one link)}.

A cut-off of m attempts keeps the first m terms of each geometric series; a pair older than that is thrown away.
Model: attempts are independent and equally long, the bath is at zero temperature, attempts do not disturb the waiting qubits.
Source: Collins, Jenkins, Kuzmich and Kennedy, Phys. Rev. Lett. 98, 060502 (2007), for cut-offs; the sums are worked out here.
"""

import dataclasses
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .. import parameters
from ..link.emission import Qubit
from ..parameters import Parameter, Scalar
from .heralded_pair import HeraldedPair

Real = Scalar | float


_PROBABILITY = Parameter("number", (0.0, 1.0), open_below=True)


class AbstractWait(eqx.Module):
    """How long a pair waits. To add one: a final class with ``transform``, smooth at rate 0."""

    def __check_init__(self) -> None:
        parameters.check(self)

    @abstractmethod
    def transform(self, rate: Real) -> Scalar:
        r""":math:`\langle e^{-rt}\rangle` at a rate in 1/s, >= 0."""

    @property
    def mean(self) -> Scalar:
        """Mean wait, s: minus the slope of the transform at 0."""
        return -jax.grad(self.transform)(jnp.zeros(()))


class FixedWait(AbstractWait):
    """A wait of always the same time.

    Attributes:
        time: s, at least 0.
    """

    time: Scalar = parameters.field(Parameter("time", (0.0, np.inf)))

    def transform(self, rate: Real) -> Scalar:
        return jnp.exp(-rate * self.time)


class ExponentialWait(AbstractWait):
    """A wait for an event of constant rate R: R / (R + r).

    Attributes:
        rate: R, 1/s, above 0.
    """

    rate: Scalar = parameters.field(Parameter("event rate", (0.0, np.inf), open_below=True))

    def transform(self, rate: Real) -> Scalar:
        return self.rate / (self.rate + rate)


def _check_cutoff(model: AbstractWait, cutoff: int | None, least: int) -> None:
    if cutoff is not None and (not isinstance(cutoff, int) or cutoff < least):
        raise ValueError(f"{type(model).__name__}.cutoff must be None or an integer of at least {least}, but is {cutoff!r}")


def _powers(x: Scalar, count: int) -> Scalar:
    """1 + x + ... + x^{count - 1} by halves: of x >= 0 nothing cancels."""
    if count == 0:
        return jnp.zeros_like(x)
    return 1 + x * _powers(x, count - 1) if count % 2 else (1 + x) * _powers(x * x, count // 2)


def _sum(probability: Scalar, exponent: Real, cutoff: int | None) -> Scalar:
    """1 + q s + (q s)^2 + ..., s = e^{-exponent}: as many terms as the cut-off, or 1 / (1 - q s)."""
    decay = jnp.asarray(exponent, float)
    if cutoff is None:
        return 1 / (probability - (1 - probability) * jnp.expm1(-decay))
    return _powers((1 - probability) * jnp.exp(-decay), cutoff)


class TwoLinkWait(AbstractWait):
    """Two links that attempt at the same time; the pair of the first to succeed waits for the other's.

    Attributes:
        first_probability, second_probability: of success per attempt, above 0.
        attempt_time: of one attempt, s.
        cutoff: m, how many further attempts a pair may wait; None: for ever. Static.
    """

    first_probability: Scalar = parameters.field(_PROBABILITY)
    second_probability: Scalar = parameters.field(_PROBABILITY)
    attempt_time: Scalar = parameters.duration()
    cutoff: int | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        _check_cutoff(self, self.cutoff, least=0)

    def _sides(self, exponent: Real) -> tuple[tuple[Scalar, Scalar], ...]:
        """(q s, sum of the series of q s) of each link."""
        s = jnp.exp(-jnp.asarray(exponent, float))
        return tuple(((1 - p) * s, _sum(p, exponent, self.cutoff)) for p in (self.first_probability, self.second_probability))

    def transform(self, rate: Real) -> Scalar:
        """Given that the pair was kept."""
        (a, a_sum), (b, b_sum) = self._sides(rate * self.attempt_time)
        (a0, a0_sum), (b0, b0_sum) = self._sides(0.0)
        return (1 + a * a_sum + b * b_sum) / (1 + a0 * a0_sum + b0 * b0_sum)

    @property
    def _together(self) -> Scalar:
        """Probability per attempt that at least one link succeeds."""
        p1, p2 = self.first_probability, self.second_probability
        return p1 + (1 - p1) * p2

    @property
    def kept(self) -> Scalar:
        """Probability that the second link follows within the cut-off."""
        (a, a_sum), (b, b_sum) = self._sides(0.0)
        return self.first_probability * self.second_probability / self._together * (1 + a * a_sum + b * b_sum)

    @property
    def pair_time(self) -> Scalar:
        """Mean time until both links have a pair, s: until the first success, and the wait after it, per round, over ``kept``."""
        p1, p2 = self.first_probability, self.second_probability
        (a, a_sum), (b, b_sum) = self._sides(0.0)
        attempts = (1 + p2 * a * a_sum + p1 * b * b_sum) / self._together
        return self.attempt_time * attempts / self.kept


class NextPairWait(AbstractWait):
    """One link that makes two pairs after each other, as distillation asks: the first waits for the second.

    Attributes:
        probability: of success per attempt, above 0.
        attempt_time: of one attempt, s.
        cutoff: m >= 1, how many further attempts a pair may wait; None: for ever. Static.
    """

    probability: Scalar = parameters.field(_PROBABILITY)
    attempt_time: Scalar = parameters.duration()
    cutoff: int | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        _check_cutoff(self, self.cutoff, least=1)

    def transform(self, rate: Real) -> Scalar:
        """Given that the pair was kept."""
        exponent = rate * self.attempt_time
        return jnp.exp(-exponent) * _sum(self.probability, exponent, self.cutoff) / _sum(self.probability, 0.0, self.cutoff)

    @property
    def kept(self) -> Scalar:
        """Probability that the second pair follows within the cut-off."""
        return self.probability * _sum(self.probability, 0.0, self.cutoff)

    @property
    def pair_time(self) -> Scalar:
        """Mean time until there are two pairs, s."""
        return self.attempt_time * (1 / self.probability + _sum(self.probability, 0.0, self.cutoff)) / self.kept


def _maps() -> np.ndarray:
    """What multiplies e^{-rt}, r of the first in (0, 1/T1, 1/T2) and of the second likewise: (9, 4, 4, 4, 4)."""
    one = np.zeros((3, 2, 2, 2, 2))  # rate, row and column out, row and column in
    one[0, 0, 0, 0, 0] = one[0, 0, 0, 1, 1] = one[1, 1, 1, 1, 1] = one[2, 0, 1, 0, 1] = one[2, 1, 0, 1, 0] = 1
    one[1, 0, 0, 1, 1] = -1
    return np.einsum("kabcd,lABCD->klaAbBcCdD", one, one).reshape(9, 4, 4, 4, 4)


_MAPS = _maps()


def _rates(qubit: Qubit) -> Float[Array, " 3"]:
    return jnp.stack([jnp.zeros(()), 1 / qubit.t1, 1 / qubit.t2])


def _decayed(state: Complex[Array, "4 4"], left: Float[Array, " 9"]) -> Complex[Array, "4 4"]:
    """From what is left of each of the nine exponentials."""
    return jnp.einsum("abcd,cd->ab", jnp.tensordot(left, _MAPS, 1), state)


def waited(state: Complex[Array, "4 4"], first: Qubit, second: Qubit, wait: AbstractWait) -> Complex[Array, "4 4"]:
    """A pair after a wait of both qubits, in the mean over waits; linear in the state, whose trace stays.

    Args:
        state: of the pair, index 2 i + j.
        first, second: the memories; only t1 and t2 are used.
        wait: how long.
    """
    rates = _rates(first)[:, None] + _rates(second)
    return _decayed(state, jax.vmap(wait.transform)(rates.ravel()))


def aged(pair: HeraldedPair, first: Qubit, second: Qubit, first_time: Real, second_time: Real) -> HeraldedPair:
    """A heralded pair after fixed waits of its two qubits (s); its probability stays."""
    left = jnp.exp(-_rates(first) * first_time)[:, None] * jnp.exp(-_rates(second) * second_time)
    after = _decayed(pair.density(), left.ravel())
    row, column = (0, 3) if pair.even else (1, 2)
    return dataclasses.replace(pair, populations=jnp.real(jnp.diagonal(after)), coherence=after[row, column])
