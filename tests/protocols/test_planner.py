"""Planner: a table of pairs and errors, links against sums of binomial probabilities, plans against a search over all distances."""

import math
from fractions import Fraction

import jax
import numpy as np
import pytest

from transduce.protocols import planner
from transduce.units import us

from .. import ALGEBRA, CLOSED_FORM, GRADIENT


@pytest.mark.parametrize(
    ("distance", "pairs", "errors"),
    [
        (7, 49, (6.3e-3, 1.7e-4, 2.0e-5)),
        (11, 121, (1.6e-3, 6.5e-6, 2.0e-7)),
        (15, 225, (3.9e-4, 2.6e-7, 2.0e-9)),
        (25, 625, (1.2e-5, 8.2e-11, 2.0e-14)),
    ],
)
def test_a_table(distance, pairs, errors):
    """p_b = 1e-3 and p_l = 5, 2 and 1 %, to the two digits printed; links at 100 kHz each for 10 us."""
    assert planner.pairs_per_operation(distance) == pairs
    assert planner.links_mean(distance, 10 * us, 1e5) == pytest.approx(pairs, rel=ALGEBRA)
    found = [planner.logical_error(distance, 1e-3, p) for p in (0.05, 0.02, 0.01)]
    assert [float(f"{x:.1e}") for x in found] == pytest.approx(errors, rel=0.03)  # 1.65 is printed as 1.7


def test_slopes():
    """d p_L / d p_l = A (d + 1)/2 p^((d-1)/2) / p*^((d+1)/2), at 0 too."""
    for p in (0.0, 0.02):
        slope = jax.grad(lambda x: planner.logical_error(7, 1e-3, x))(p)
        assert slope == pytest.approx(0.1 * 4 * (p / 0.1) ** 3 / 0.1, rel=GRADIENT, abs=0)
    joint = planner.logical_error(7, 1e-3, 0.02, "joint")
    assert joint == pytest.approx(0.1 * 0.3**4, rel=CLOSED_FORM)


def _shortfall(needed, attempts, p):
    """Exactly, by fractions."""
    p = Fraction(p)
    return float(sum(math.comb(attempts, k) * p**k * (1 - p) ** (attempts - k) for k in range(needed)))


def test_guaranteed_links_by_exact_sums():
    found = planner.links_guaranteed(3, 10 * us, 1e6, 0.25, 0.01, pairs_per_edge=1.5)
    wanted = {links: _shortfall(14, 10 * links, 0.25) for links in range(1, 20)}
    fewest = min(links for links, tail in wanted.items() if tail <= 0.01)
    assert found.links == fewest
    np.testing.assert_allclose([found.shortfall, found.shortfall_before], [wanted[fewest], wanted[fewest - 1]], rtol=CLOSED_FORM)
    assert planner.links_guaranteed(3, 1.0, 1e3, 1.0, 0.5) == (1, 0.0, 1.0)


@pytest.mark.parametrize("target", [planner.SMALL, planner.LARGE])
@pytest.mark.parametrize("fidelity", [0.8, 0.95, 0.995])
def test_a_plan_by_a_search_over_distances(target, fidelity):
    local, bulk, failure = 1e-3, 2e-3, 0.1
    made = planner.plan(target, 1e5, fidelity, bulk_error=bulk, local_error=local, failure=failure)

    def meets(d, p_l):
        idle = target.logical_qubits * target.gates * d * 0.1 * (bulk / 0.01) ** ((d + 1) / 2)
        return idle <= failure / 2 and target.gates * d * 0.1 * (p_l / 0.1) ** ((d + 1) / 2) <= failure / 2

    possible = [d for d in range(3, 102, 2) if meets(d, 1 - fidelity + local)]
    assert made.within_reach == bool(possible) == (fidelity > 0.9)
    assert made.distance == min(possible or [d for d in range(3, 102, 2) if meets(d, 0.0)])
    allowed = 1 - made.fidelity_needed + local
    assert meets(made.distance, allowed * (1 - 1e-9))
    assert not meets(made.distance, allowed * (1 + 1e-9))
    assert made.rate_needed == pytest.approx(made.distance / us, rel=ALGEBRA)
    assert made.links == pytest.approx(made.distance / us / 1e5, rel=ALGEBRA)
    assert made.infidelity_factor == pytest.approx(max(1.0, (1 - fidelity) / (1 - made.fidelity_needed)), rel=ALGEBRA)
    assert (made.infidelity_factor > 1) == (not made.within_reach)


def test_a_plan_says_what_is_a_model():
    printed = str(planner.plan(planner.SMALL, 1e3, 0.8))
    assert printed.count("[M]") == 5
    assert "out of reach" in printed
    assert "200 logical qubits, 1e+08 gates" in printed


def test_refusals():
    refused = [
        (lambda: planner.logical_error(4, 1e-3, 0.01), "distance must be an odd"),
        (lambda: planner.logical_error(3, 1e-3, 0.01, "product"), "combine must be sum or joint"),
        (lambda: planner.pairs_per_operation(3, 0.5), "pairs_per_edge must be at least 1 and at most 2"),
        (lambda: planner.links_guaranteed(3, 1e-5, 1e6, 0.0, 0.1), "success_probability must be above 0"),
        (lambda: planner.links_guaranteed(3, 1e-5, 1e6, 0.1, 0.0), "failure must be above 0"),
        (lambda: planner.plan(planner.SMALL, 0.0, 0.9), "rate must be above 0"),
        (lambda: planner.plan(planner.SMALL, 1.0, 1.1), "fidelity must be above 0 and at most 1"),
        (lambda: planner.plan(planner.SMALL, 1.0, 0.9, bulk_error=0.02), "bulk_error must be above 0 and at most 0.01"),
        (lambda: planner.plan(planner.SMALL, 1.0, 0.9, bulk_error=0.0099), "bulk_error must be low enough"),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
