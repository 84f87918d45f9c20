r"""Planner: from a fault-tolerant target to the Bell pairs that each seam between two modules needs, and what this link lacks.

Model, marked [M] wherever it is printed; per round of a seam in a surface code of distance d,

.. math:: p_L &= A\,(p_b/p_b^*)^{(d+1)/2} + A\,(p_l/p_l^*)^{(d+1)/2} && \text{"sum"} \\
          p_L &= A\,(p_b/p_b^* + p_l/p_l^*)^{(d+1)/2} && \text{"joint", a pessimistic bracket}

with A = 0.1, thresholds of 1 % in the bulk and 10 % at the seam, and :math:`p_l = 1 - F` plus the local errors of using the pair. One
logical operation across a seam is d rounds of b d pairs, :math:`b d^2` in all, b from 1 (seam by Bell measurement) to 2 (by CNOTs).
Source: Fowler and Gidney, arXiv:1808.06709, for the form; Ramette et al., arXiv:2302.01296, for the thresholds (with a further
prefactor of the seam unknown, here A).
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Array, Float
from scipy.special import bdtr

from ..units import show, us

Real = Float[Array, ""] | float

PREFACTOR = 0.1
BULK_THRESHOLD, LINK_THRESHOLD = 0.01, 0.1
FURTHEST = 101
"""The largest distance that a plan considers."""


def _check(name: str, value: float, low: float, high: float = np.inf, open_below: bool = True) -> None:
    if not ((low < value if open_below else low <= value) and value <= high):
        wanted = f"{'above' if open_below else 'at least'} {low:g}" + (f" and at most {high:g}" if np.isfinite(high) else "")
        raise ValueError(f"{name} must be {wanted}, but is {value}")


def _half(distance: int) -> int:
    if not isinstance(distance, int) or distance < 1 or distance % 2 == 0:
        raise ValueError(f"distance must be an odd integer of at least 1, but is {distance!r}")
    return (distance + 1) // 2


def logical_error(distance: int, bulk_error: Real, link_error: Real, combine: Literal["sum", "joint"] = "sum") -> Real:
    """p_L per round of a seam, [M]; differentiable in both errors.

    Args:
        distance: d, odd; static.
        bulk_error: p_b, of the gates within a module.
        link_error: p_l, of a pair in use.
        combine: static, as above.

    Raises:
        ValueError: an even distance, or another way to combine.
    """
    power = _half(distance)
    bulk, link = bulk_error / BULK_THRESHOLD, link_error / LINK_THRESHOLD
    if combine == "sum":
        return PREFACTOR * (bulk**power + link**power)
    if combine == "joint":
        return PREFACTOR * (bulk + link) ** power
    raise ValueError(f"combine must be sum or joint, but is {combine!r}")


def pairs_per_operation(distance: int, pairs_per_edge: float = 1.0) -> float:
    """b d^2, [M].

    Raises:
        ValueError: an even distance, or b outside 1 and 2.
    """
    _half(distance)
    _check("pairs_per_edge", pairs_per_edge, 1, 2, open_below=False)
    return pairs_per_edge * distance**2


def links_mean(distance: int, operation_time: Real, rate: Real, pairs_per_edge: float = 1.0) -> Real:
    """Links that make b d^2 pairs per operation in the mean: b d^2 / (R T); differentiable in time and rate.

    Args:
        distance: static.
        operation_time: T of all d rounds, s.
        rate: of pairs from one link, 1/s.
        pairs_per_edge: b.
    """
    return pairs_per_operation(distance, pairs_per_edge) / (rate * operation_time)


class Guaranteed(NamedTuple):
    """Links that suffice with a stated probability.

    Attributes:
        links: how many.
        shortfall: probability that they make too few pairs for one operation.
        shortfall_before: of one link less (1 where that is none).
    """

    links: int
    shortfall: float
    shortfall_before: float


def links_guaranteed(
    distance: int,
    operation_time: float,
    attempt_rate: float,
    success_probability: float,
    failure: float,
    pairs_per_edge: float = 1.0,
) -> Guaranteed:
    """The fewest links whose binomial number of pairs per operation falls short of b d^2 with at most this probability.

    Args:
        distance: d.
        operation_time: T of all d rounds, s.
        attempt_rate: of one link, 1/s; attempts are independent [M].
        success_probability: of one attempt, above 0.
        failure: the probability of a shortfall that is allowed, above 0.

    Raises:
        ValueError: an argument outside its range.
    """
    for name, value, high in (
        ("operation_time", operation_time, np.inf),
        ("attempt_rate", attempt_rate, np.inf),
        ("success_probability", success_probability, 1.0),
        ("failure", failure, 1.0),
    ):
        _check(name, value, 0, high)
    needed = int(np.ceil(pairs_per_operation(distance, pairs_per_edge)))

    def shortfall(links: int) -> float:
        attempts = int(np.floor(links * attempt_rate * operation_time * (1 + 1e-12)))  # a product that rounds just below an integer
        return 1.0 if attempts < needed else float(bdtr(needed - 1, attempts, success_probability))

    high = 1
    while shortfall(high) > failure:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if shortfall(middle) > failure else (low, middle)
    return Guaranteed(high, shortfall(high), shortfall(high - 1))


class Target(NamedTuple):
    """A fault-tolerant computation: how many logical qubits, how many logical gates."""

    logical_qubits: float
    gates: float


SMALL, LARGE = Target(200, 1e8), Target(1e5, 1e12)


class Plan(NamedTuple):
    """What a seam needs for a target, and what this link has of it.

    Attributes:
        target: the computation.
        distance: the least that meets it, with this link's pairs if any distance does, else with pairs good enough.
        within_reach: whether some distance meets it with this link's fidelity.
        fidelity, fidelity_needed: of a pair; needed at this distance.
        rate, rate_needed: pairs/s of this link; of one seam.
        links: of this kind per seam, rate_needed / rate.
        infidelity_factor: by which 1 - F must fall, 1 or more.
        logical_error, logical_error_joint: per round of a seam, with this link's pairs, and the pessimistic bracket.
        duration: of the computation, s.
    """

    target: Target
    distance: int
    within_reach: bool
    fidelity: float
    fidelity_needed: float
    rate: float
    rate_needed: float
    links: float
    infidelity_factor: float
    logical_error: float
    logical_error_joint: float
    duration: float

    def __str__(self) -> str:
        reach = "with this link's pairs" if self.within_reach else "with better pairs: out of reach at this fidelity"
        return "\n".join(
            [
                f"{self.target.logical_qubits:g} logical qubits, {self.target.gates:g} gates, {show(self.duration, 'time')}",
                f"  distance             {self.distance:>12}   [M] {reach}",
                f"  pairs per seam       {self.rate_needed:>12.4g}   /s needed [M]; {self.rate:.4g} /s per link",
                f"  links per seam       {self.links:>12.4g}   in the mean",
                f"  fidelity             {self.fidelity:>12.6g}   {self.fidelity_needed:.6g} needed [M]",
                f"  1 - F must fall by   {self.infidelity_factor:>12.4g}",
                f"  error per round      {min(1.0, self.logical_error):>12.4g}   [M] sum; {min(1.0, self.logical_error_joint):.4g} joint",
                "[M]: surface code, error 0.1 (p/p*)^((d+1)/2), p* 1 % bulk and 10 % seam; gates in turn, each across a seam",
            ]
        )


def _check_plan(rate: float, cycle_time: float, failure: float, fidelity: float, bulk_error: float, local_error: float) -> None:
    _check("rate", rate, 0)
    _check("cycle_time", cycle_time, 0)
    _check("failure", failure, 0, 1)
    _check("fidelity", fidelity, 0, 1)
    _check("bulk_error", bulk_error, 0, BULK_THRESHOLD)
    _check("local_error", local_error, 0, 1, open_below=False)


def plan(
    target: Target,
    rate: float,
    fidelity: float,
    *,
    bulk_error: float = 1e-3,
    local_error: float = 0.0,
    cycle_time: float = 1 * us,
    pairs_per_edge: float = 1.0,
    failure: float = 0.1,
) -> Plan:
    r"""The plan of a target for seams of links of this rate and fidelity.

    Model: gates run one after another, each of d rounds across a seam, while all logical qubits wait; half of the allowed failure goes
    to the bulk, half to the seams: :math:`q\,G\,d\,A(p_b/p_b^*)^{(d+1)/2} \le f/2` and :math:`G\,d\,A(p_l/p_l^*)^{(d+1)/2} \le f/2`.

    Args:
        target: q logical qubits and G gates.
        rate: pairs/s of one link, above 0.
        fidelity: of its pairs.
        bulk_error: p_b, below its threshold.
        local_error: what using a pair adds to 1 - F.
        cycle_time: of one round, s.
        pairs_per_edge: b.
        failure: f, of the whole computation.

    Raises:
        ValueError: an argument outside its range, or no distance up to 101 meets the bulk's half.
    """
    _check_plan(rate, cycle_time, failure, fidelity, bulk_error, local_error)
    link_error = 1 - fidelity + local_error

    def fits(distance: int, share: float, error: float, threshold: float) -> bool:
        return share * target.gates * distance * PREFACTOR * (error / threshold) ** _half(distance) <= failure / 2

    bulk = [d for d in range(3, FURTHEST + 1, 2) if fits(d, target.logical_qubits, bulk_error, BULK_THRESHOLD)]
    if not bulk:
        raise ValueError(f"bulk_error must be low enough for a distance of at most {FURTHEST}, but is {bulk_error}")
    both = [d for d in bulk if fits(d, 1, link_error, LINK_THRESHOLD)]
    distance = (both or bulk)[0]
    allowed = LINK_THRESHOLD * (failure / 2 / (target.gates * distance * PREFACTOR)) ** (1 / _half(distance))
    needed = 1 - allowed + local_error
    operation_time = distance * cycle_time
    return Plan(
        target=target,
        distance=distance,
        within_reach=bool(both),
        fidelity=fidelity,
        fidelity_needed=needed,
        rate=rate,
        rate_needed=pairs_per_operation(distance, pairs_per_edge) / operation_time,
        links=float(links_mean(distance, operation_time, rate, pairs_per_edge)),
        infidelity_factor=max(1.0, (1 - fidelity) / (1 - needed)) if needed < 1 else np.inf,
        logical_error=float(logical_error(distance, bulk_error, link_error)),
        logical_error_joint=float(logical_error(distance, bulk_error, link_error, "joint")),
        duration=target.gates * operation_time,
    )
