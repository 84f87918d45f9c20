r"""Planner: from a fault-tolerant target to the Bell pairs that each seam between two modules needs, and what this link lacks.

Model, marked [M] wherever it is printed; per round of a seam in a surface code of distance d,

.. math:: p_L &= A\,(p_b/p_b^*)^{(d+1)/2} + A\,(p_l/p_l^*)^{(d+1)/2} && \text{"sum"} \\
          p_L &= A\,(p_b/p_b^* + p_l/p_l^*)^{(d+1)/2} && \text{"joint", a pessimistic bracket}

with A = 0.1, thresholds of 1 % in the bulk and 10 % at the seam, and :math:`p_l = 1 - F` plus the local errors of using the pair. One
logical operation across a seam is d rounds of b d pairs, :math:`b d^2` in all, b from 1 (seam by Bell measurement) to 2 (by CNOTs).
Gates run one after another, each across one seam, while all q logical qubits wait; half of the failure f that is allowed for all G gates
goes to the modules and half to the seams:

.. math:: q\,G\,d\,A(p_b/p_b^*)^{(d+1)/2} \le f/2, \qquad G\,d\,A(p_l/p_l^*)^{(d+1)/2} \le f/2.

Source: Fowler and Gidney, arXiv:1808.06709, for the form; Ramette et al., arXiv:2302.01296, for the thresholds (with a further
prefactor of the seam unknown, here A).
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Array, Float
from scipy.special import betaincc

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


def link_error_allowed(distance: int, gates: Real, failure: Real) -> Real:
    r"""The p_l at which seams take half of the failure that is allowed, [M]: :math:`p_l^*\,[f/(2 G d A)]^{2/(d+1)}`; differentiable.

    Args:
        distance: d, odd; static.
        gates: G.
        failure: f, of the whole computation.

    Raises:
        ValueError: an even distance.
    """
    return LINK_THRESHOLD * (failure / 2 / (gates * distance * PREFACTOR)) ** (1 / _half(distance))


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
    _check("operation_time", operation_time, 0)
    _check("attempt_rate", attempt_rate, 0)
    _check("success_probability", success_probability, 0, 1)
    _check("failure", failure, 0, 1)
    needed = int(np.ceil(pairs_per_operation(distance, pairs_per_edge)))

    def shortfall(links: int) -> float:
        attempts = np.floor(links * attempt_rate * operation_time * (1 + 1e-12))  # a product that rounds just below an integer
        return 1.0 if attempts < needed else float(betaincc(needed, attempts - needed + 1, success_probability))

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


class Pairs(NamedTuple):
    """What one link of some protocol makes, before or after distillation.

    Attributes:
        name: for people.
        rate: pairs/s of one link.
        fidelity: of a pair.
        success_probability: of one attempt; None: not told, and no number of links is guaranteed. Attempts per second are rate over it.
    """

    name: str
    rate: float
    fidelity: float
    success_probability: float | None = None


class Assumptions(NamedTuple):
    """What a plan takes for granted, [M].

    Attributes:
        bulk_error: p_b, of the gates within a module; at most its threshold.
        local_error: what using a pair adds to 1 - F.
        cycle_time: of one round, s.
        pairs_per_edge: b, 1 to 2.
        failure: f, of the whole computation.
        shortfall: probability per operation that a guaranteed number of links makes too few pairs, so that the operation waits.
    """

    bulk_error: float = 1e-3
    local_error: float = 0.0
    cycle_time: float = 1 * us
    pairs_per_edge: float = 1.0
    failure: float = 0.1
    shortfall: float = 0.01


_NOTES = (
    "[M] surface code of distance d: error per round 0.1 (p_b/1 %)^((d+1)/2) in a module and 0.1 (p_l/10 %)^((d+1)/2) at a seam,",
    "    added (joint: 0.1 (p_b/1 % + p_l/10 %)^((d+1)/2)); the 0.1 of the seam is a guess",
    "[M] p_l is 1 - F and the local error of using a pair",
    "[M] one operation across a seam at a time: gates run in turn, each of d rounds, while all logical qubits wait",
    "[M] half of the failure that is allowed goes to the modules, half to the seams",
    "[M] b d pairs per round, kept without loss until they are used: what counts is b d^2 per operation",
    "[M] guaranteed: attempts are independent; an operation waits where fewer succeed",
)


class Plan(NamedTuple):
    """What a seam needs for a target, and what this link has of it; prints itself with all that is assumed.

    Attributes:
        target: the computation.
        pairs: of this link.
        assumed: what else was taken for granted.
        distance: the least that meets the target, with this link's pairs if any distance does, else with pairs good enough.
        distance_modules: the least that the modules alone ask for.
        within_reach: whether some distance meets it with this link's fidelity.
        fidelity_needed, fidelity_least: of a pair, at this distance, and at the largest one, which asks for more pairs instead.
        infidelity_factor, infidelity_factor_least: by which 1 - F must fall for these, 1 or more.
        rate_needed: pairs/s of one seam.
        links: of this kind per seam, in the mean: rate_needed over a link's rate.
        links_guaranteed: that suffice in all but ``shortfall`` of the operations; None where no success probability was told.
        rate_factor: by which a link's rate must rise for one link per seam, 1 or more.
        logical_error, logical_error_joint: per round of a seam, with this link's pairs, and the pessimistic bracket.
        duration: of the computation, s.
    """

    target: Target
    pairs: Pairs
    assumed: Assumptions
    distance: int
    distance_modules: int
    within_reach: bool
    fidelity_needed: float
    fidelity_least: float
    infidelity_factor: float
    infidelity_factor_least: float
    rate_needed: float
    links: float
    links_guaranteed: Guaranteed | None
    rate_factor: float
    logical_error: float
    logical_error_joint: float
    duration: float

    def __str__(self) -> str:
        return table([self])


def _rows(plan: Plan) -> list[tuple[str, str]]:
    """What a column of the table says: the figures, then the assumptions that a caller may change."""
    sure, assumed = plan.links_guaranteed, plan.assumed
    needed, least = (f"{f:.6g}" if f <= 1 else "local error too high" for f in (plan.fidelity_needed, plan.fidelity_least))
    return [
        ("logical qubits", f"{plan.target.logical_qubits:g}"),
        ("logical gates", f"{plan.target.gates:g}"),
        ("pairs", plan.pairs.name),
        ("distance [M]", f"{plan.distance}"),
        ("  of the modules alone [M]", f"{plan.distance_modules}"),
        ("duration [M]", show(plan.duration, "time")),
        ("fidelity of a pair", f"{plan.pairs.fidelity:.6g}"),
        ("  needed [M]", needed),
        (f"  needed at distance {FURTHEST} [M]", least),
        ("  within reach", "yes" if plan.within_reach else "out of reach"),
        ("  1 - F must fall by [M]", f"{plan.infidelity_factor:.4g}"),
        (f"  at distance {FURTHEST} by [M]", f"{plan.infidelity_factor_least:.4g}"),
        ("pairs of one link, /s", f"{plan.pairs.rate:.4g}"),
        ("  needed per seam, /s [M]", f"{plan.rate_needed:.4g}"),
        ("  must rise by, for one link [M]", f"{plan.rate_factor:.4g}"),
        ("links per seam, in the mean [M]", f"{plan.links:.4g}"),
        ("  guaranteed [M]", "not told" if sure is None else f"{sure.links}"),
        ("error per round of a seam [M]", f"{min(1.0, plan.logical_error):.4g}"),
        ("  joint [M]", f"{min(1.0, plan.logical_error_joint):.4g}"),
        ("error in a module p_b [M]", f"{assumed.bulk_error:g}"),
        ("local error of using a pair [M]", f"{assumed.local_error:g}"),
        ("round [M]", show(assumed.cycle_time, "time")),
        ("pairs per edge and round b [M]", f"{assumed.pairs_per_edge:g}"),
        ("failure allowed [M]", f"{assumed.failure:g}"),
        ("shortfall allowed, guaranteed [M]", f"{assumed.shortfall:g}"),
    ]


def table(plans: Sequence[Plan]) -> str:
    """Plans side by side as plain text, and a line per assumption; [M] marks what rests on one."""
    rows = zip(*map(_rows, plans), strict=True)
    lines = [f"{row[0][0]:<34}" + "".join(f"{value:>28}" for _, value in row) for row in rows]
    return "\n".join([*lines, *_NOTES])


def _check_plan(pairs: Pairs, assumed: Assumptions) -> None:
    _check("rate", pairs.rate, 0)
    _check("fidelity", pairs.fidelity, 0, 1)
    if pairs.success_probability is not None:
        _check("success_probability", pairs.success_probability, 0, 1)
    _check("cycle_time", assumed.cycle_time, 0)
    _check("failure", assumed.failure, 0, 1)
    _check("bulk_error", assumed.bulk_error, 0, BULK_THRESHOLD)
    _check("local_error", assumed.local_error, 0, 1, open_below=False)
    _check("shortfall", assumed.shortfall, 0, 1)


def _distances(target: Target, link_error: float, assumed: Assumptions) -> tuple[list[int], list[int]]:
    """Those that the modules allow, and of them those that these seams allow."""

    def fits(distance: int, share: float, error: float, threshold: float) -> bool:
        return share * target.gates * distance * PREFACTOR * (error / threshold) ** _half(distance) <= assumed.failure / 2

    every = range(3, FURTHEST + 1, 2)
    modules = [d for d in every if fits(d, target.logical_qubits, assumed.bulk_error, BULK_THRESHOLD)]
    if not modules:
        raise ValueError(f"bulk_error must be low enough for a distance of at most {FURTHEST}, but is {assumed.bulk_error}")
    return modules, [d for d in modules if fits(d, 1, link_error, LINK_THRESHOLD)]


def plan(
    target: Target,
    rate: float,
    fidelity: float,
    *,
    success_probability: float | None = None,
    name: str = "this link",
    **assumptions: float,
) -> Plan:
    """The plan of a target for seams of links of this rate and fidelity.

    Args:
        target: q logical qubits and G gates.
        rate: pairs/s of one link, above 0.
        fidelity: of its pairs, above 0.
        success_probability, name: see ``Pairs``.
        assumptions: what differs from the defaults of ``Assumptions``, by its name.

    Raises:
        ValueError: an argument outside its range, or no distance up to 101 meets the modules' half.
        TypeError: no such assumption.
    """
    success = None if success_probability is None else float(success_probability)
    pairs, assumed = Pairs(name, float(rate), float(fidelity), success), Assumptions(**assumptions)
    _check_plan(pairs, assumed)
    link_error = 1 - pairs.fidelity + assumed.local_error
    modules, both = _distances(target, link_error, assumed)
    distance = (both or modules)[0]
    needed, least = (1 - float(link_error_allowed(d, target.gates, assumed.failure)) + assumed.local_error for d in (distance, FURTHEST))
    factors = [max(1.0, (1 - pairs.fidelity) / (1 - f)) if f < 1 else np.inf for f in (needed, least)]
    operation_time = distance * assumed.cycle_time
    links = float(links_mean(distance, operation_time, pairs.rate, assumed.pairs_per_edge))
    sure = None
    if success is not None:
        sure = links_guaranteed(distance, operation_time, pairs.rate / success, success, assumed.shortfall, assumed.pairs_per_edge)
    return Plan(
        target=target,
        pairs=pairs,
        assumed=assumed,
        distance=distance,
        distance_modules=modules[0],
        within_reach=bool(both),
        fidelity_needed=needed,
        fidelity_least=least,
        infidelity_factor=factors[0],
        infidelity_factor_least=factors[1],
        rate_needed=links * pairs.rate,
        links=links,
        links_guaranteed=sure,
        rate_factor=max(1.0, links),
        logical_error=float(logical_error(distance, assumed.bulk_error, link_error)),
        logical_error_joint=float(logical_error(distance, assumed.bulk_error, link_error, "joint")),
        duration=target.gates * operation_time,
    )


def best_plan(target: Target, candidates: Sequence[Pairs], **assumptions: Any) -> Plan:
    """The plan with the fewest links per seam among those within reach; if none is, with the pairs of the highest fidelity.

    Distillation trades rate for fidelity, and so distance: hand in the pairs before it and after each round. Pairs that a link does
    not make (no rate, or NaN, the mark of an unstable design) are passed over.

    Args:
        target: the computation.
        candidates: pairs to choose from.
        assumptions: see ``plan``.

    Raises:
        ValueError: as ``plan``, or no candidate makes pairs.
    """
    made = [pairs for pairs in candidates if pairs.rate > 0 and pairs.fidelity > 0]
    if not made:
        raise ValueError(f"best_plan: candidates must have one that makes pairs, but are {[pairs.name for pairs in candidates]}")
    plans = [plan(target, c.rate, c.fidelity, success_probability=c.success_probability, name=c.name, **assumptions) for c in made]
    return min(plans, key=lambda p: (not p.within_reach, 0.0 if p.within_reach else -p.pairs.fidelity, p.links))
