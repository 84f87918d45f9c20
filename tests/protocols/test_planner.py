"""Planner: a table of pairs and errors, links against sums of probabilities, plans and the best of them against searches."""

import math
from fractions import Fraction

import jax
import numpy as np
import pytest

from transduce.protocols import planner
from transduce.qubit import bell, distillation
from transduce.units import ms, us

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
    """p_b = 1e-3 and p_l = 5, 2 and 1 %, to the two digits printed; pairs per second of an operation, and links of 1e5 pairs/s."""
    assert planner.pairs_per_operation(distance) == pairs
    for time, rate in ((1 * us, 1e6), (10 * us, 1e5), (100 * us, 1e4), (1 * ms, 1e3)):
        assert planner.links_mean(distance, time, 1.0) == pytest.approx(pairs * rate, rel=ALGEBRA)
        assert planner.links_mean(distance, time, 1e5) == pytest.approx(pairs * rate / 1e5, rel=ALGEBRA)
    found = [planner.logical_error(distance, 1e-3, p) for p in (0.05, 0.02, 0.01)]
    assert [float(f"{x:.1e}") for x in found] == pytest.approx(errors, rel=0.03)  # 1.65 is printed as 1.7


def test_slopes():
    """d p_L / d p_l = A (d + 1)/2 p^((d-1)/2) / p*^((d+1)/2), at 0 too."""
    for p in (0.0, 0.02):
        slope = jax.grad(lambda x: planner.logical_error(7, 1e-3, x))(p)
        assert slope == pytest.approx(0.1 * 4 * (p / 0.1) ** 3 / 0.1, rel=GRADIENT, abs=0)
    joint = planner.logical_error(7, 1e-3, 0.02, "joint")
    assert joint == pytest.approx(0.1 * 0.3**4, rel=CLOSED_FORM)
    allowed, slope = jax.value_and_grad(lambda f: planner.link_error_allowed(7, 1e8, f))(0.1)
    assert 1e8 * 7 * planner.logical_error(7, 0.0, allowed) == pytest.approx(0.05, rel=CLOSED_FORM)
    assert slope == pytest.approx(float(allowed) / (4 * 0.1), rel=GRADIENT)
    rate = jax.grad(lambda r: planner.links_mean(7, 10 * us, r))(1e5)
    assert rate == pytest.approx(-49 / 1e5, rel=GRADIENT)


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


@pytest.mark.parametrize("success", [1e-9, 1e-20, 1e-40])
def test_guaranteed_links_of_rare_success(success):
    """Pairs are then a Poisson process, however many attempts that takes."""
    found = planner.links_guaranteed(5, 10 * us, 1e5 / success, success, 0.01)
    for links, tail in ((found.links, found.shortfall), (found.links - 1, found.shortfall_before)):
        terms = [float(links) ** k / math.factorial(k) for k in range(25)]
        assert tail == pytest.approx(math.exp(-links) * sum(terms), rel=1e-7)  # 1e-9 is not yet 0
    assert found.shortfall <= 0.01 < found.shortfall_before


def _meets(target, d, p_b, p_l, failure=0.1):
    idle = target.logical_qubits * target.gates * d * 0.1 * (p_b / 0.01) ** ((d + 1) / 2)
    return idle <= failure / 2 and target.gates * d * 0.1 * (p_l / 0.1) ** ((d + 1) / 2) <= failure / 2


TARGETS = pytest.mark.parametrize("target", [planner.SMALL, planner.LARGE])
ODD = range(3, 102, 2)


@TARGETS
@pytest.mark.parametrize("fidelity", [0.8, 0.95, 0.995])
def test_a_plan_by_a_search_over_distances(target, fidelity):
    local, bulk, rate = 1e-3, 2e-3, 1e5
    made = planner.plan(target, rate, fidelity, bulk_error=bulk, local_error=local, pairs_per_edge=1.5, success_probability=0.01)
    possible = [d for d in ODD if _meets(target, d, bulk, 1 - fidelity + local)]
    assert made.within_reach == bool(possible) == (fidelity > 0.9)
    assert made.distance_modules == min(d for d in ODD if _meets(target, d, bulk, 0.0))
    assert made.distance == min(possible or [made.distance_modules])
    for distance, needed, factor in (
        (made.distance, made.fidelity_needed, made.infidelity_factor),
        (101, made.fidelity_least, made.infidelity_factor_least),
    ):
        assert _meets(target, distance, bulk, (1 - needed + local) * (1 - 1e-9))
        assert not _meets(target, distance, bulk, (1 - needed + local) * (1 + 1e-9))
        assert factor == pytest.approx(max(1.0, (1 - fidelity) / (1 - needed)), rel=ALGEBRA)
        assert (factor > 1) == (not made.within_reach)
    assert made.rate_needed == pytest.approx(1.5 * made.distance / us, rel=ALGEBRA)
    assert made.links == made.rate_factor == pytest.approx(1.5 * made.distance / us / rate, rel=ALGEBRA)
    assert made.links_guaranteed == planner.links_guaranteed(made.distance, made.distance * us, 1e7, 0.01, 0.01, 1.5)
    assert made.links_guaranteed.links > made.links
    assert made.duration == pytest.approx(target.gates * made.distance * us, rel=ALGEBRA)
    plenty = planner.plan(target, 1e12, fidelity, bulk_error=bulk)
    assert (plenty.rate_factor, plenty.links_guaranteed) == (1.0, None)


@TARGETS
@pytest.mark.parametrize("fidelity", [0.7, 0.86, 0.9, 0.94, 0.97])
def test_the_best_of_several_rounds(target, fidelity):
    """Against all pairs of rounds and distance: few links of many poor pairs, or of a few good ones."""
    methods = ("dejmps",) * 4
    rounds = distillation.rounds(bell.werner(fidelity), 1e5, methods, gate_error=1e-3, readout_error=1e-3)
    candidates = [planner.Pairs(f"{k} rounds", float(one.rate), float(one.fidelity)) for k, one in enumerate(rounds)]
    found = planner.best_plan(target, [planner.Pairs("none", 0.0, float("nan")), *candidates])
    links, name, distance = min((d / us / c.rate, c.name, d) for c in candidates for d in ODD if _meets(target, d, 1e-3, 1 - c.fidelity))
    assert (found.pairs.name, found.distance, found.within_reach) == (name, distance, True)
    assert found.links == pytest.approx(links, rel=ALGEBRA)


def test_the_choice_depends_on_the_target_and_on_the_pairs():
    """Better pairs pay where they save more distance than rate: not where many modules ask for the distance anyway."""
    poor, good = planner.Pairs("poor", 1e5, 0.97), planner.Pairs("good", 7e4, 0.985)
    chosen = [planner.best_plan(target, [poor, good]).pairs.name for target in (planner.Target(1e5, 1e4), planner.SMALL)]
    assert chosen == ["poor", "good"]
    lost = planner.best_plan(planner.SMALL, [planner.Pairs("fast", 1e9, 0.5), planner.Pairs("near", 1.0, 0.85)])
    assert (lost.pairs.name, lost.within_reach) == ("near", False)


def test_a_table_says_what_is_a_model():
    both = [planner.plan(target, 1e3, 0.8, name="one click") for target in (planner.SMALL, planner.LARGE)]
    lines = planner.table(both).splitlines()
    rows = {line[:34].strip(): line[34:].split() for line in lines if not line.startswith(("[M]", "    "))}
    assert rows["logical gates"] == ["1e+08", "1e+12"]
    assert rows["within reach"] == ["out", "of", "reach"] * 2
    assert rows["1 - F must fall by [M]"] == [f"{plan.infidelity_factor:.4g}" for plan in both]
    assert rows["must rise by, for one link [M]"] == [f"{plan.links:.4g}" for plan in both]
    assert rows["failure allowed [M]"] == ["0.1", "0.1"]
    assert rows["round [M]"] == ["1", "us"] * 2
    assert rows["guaranteed [M]"] == ["not", "told"] * 2
    given = {"logical qubits", "logical gates", "pairs", "fidelity of a pair", "within reach", "pairs of one link, /s"}
    assert {name for name in rows if "[M]" not in name} == given
    notes = [line for line in lines if line.startswith("[M]")]
    assert [sum(word in note for note in notes) for word in ("one operation across a seam at a time", "half of the failure")] == [1, 1]
    assert str(both[0]).splitlines()[-len(notes) - 1 :] == lines[-len(notes) - 1 :]
    assert "local error too high" in str(planner.plan(planner.SMALL, 1e3, 0.8, local_error=0.2))


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
        (lambda: planner.plan(planner.SMALL, float("nan"), 0.9), "rate must be above 0"),
        (lambda: planner.plan(planner.SMALL, 1.0, 0.9, success_probability=0.0), "success_probability must be above 0"),
        (lambda: planner.plan(planner.SMALL, 1.0, 0.9, shortfall=0.0), "shortfall must be above 0"),
        (lambda: planner.best_plan(planner.SMALL, [planner.Pairs("dark", 0.0, 0.9)]), r"makes pairs, but are \['dark'\]"),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
