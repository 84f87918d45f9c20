"""Targets: slacks, their floor, closed bounds over the corners, and what is refused."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from transduce import parameters
from transduce.design.space import choose
from transduce.design.targets import FLOOR, Bound, TargetRow, Targets, closed_bounds, figure, slacks
from transduce.units import MHz

from .. import ALGEBRA


class Pair(eqx.Module):
    """Two numbers."""

    a: Array = parameters.number(1.0, box=(0.5, 2.0))
    b: Array = parameters.number(1.0, box=(0.5, 4.0))


def test_slacks_are_logarithms_of_what_is_to_spare():
    found = slacks(jnp.array([0.5, 0.5, 3.0]), np.array([0.4, 0.4, 6.0]), ("min", "max", "max"))
    np.testing.assert_allclose(found, [np.log(1.25), -np.log(1.25), np.log(2)], rtol=ALGEBRA)


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        (0.0, "min", -FLOOR),
        (-1.0, "min", -FLOOR),
        (np.nan, "min", -FLOOR),
        (np.inf, "min", FLOOR),
        (0.0, "max", FLOOR),
        (-1.0, "max", FLOOR),
        (np.nan, "max", -FLOOR),
        (np.inf, "max", -FLOOR),
    ],
)
def test_a_slack_is_finite_and_flat_where_no_logarithm_is(value, kind, wanted):
    found, slope = jax.value_and_grad(lambda value: slacks(value[None], np.array([0.4]), (kind,))[0])(jnp.array(value))
    assert (float(found), float(slope)) == (wanted, 0.0)


def test_rows_follow_the_bounds():
    targets = Targets({"x": Bound(min=1.0, max=2.0), "y": Bound(max=3.0)})
    assert targets.rows == (("x", "min"), ("x", "max"), ("y", "max"))
    assert list(targets.limits) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("bound", "says"),
    [
        ({}, "must have a min or a max"),
        ({"min": 0.0}, "finite and above 0, but one is 0.0"),
        ({"max": -1.0}, "above 0"),
        ({"max": np.nan}, "finite"),
        ({"min": 2.0, "max": 1.0}, "at most Bound.max"),
    ],
)
def test_what_a_bound_refuses(bound, says):
    with pytest.raises(ValueError, match=says):
        Bound(**bound)


def test_an_unknown_figure_names_the_nearest():
    with pytest.raises(ValueError, match="no figure 'eficiency'; the nearest is efficiency"):
        figure({"efficiency": 1, "noise": 2}, "eficiency")


def test_closed_bounds_are_taken_over_every_corner():
    # the saddle has no slope at the centre of the box, and its ends at opposite corners
    def ceilings(m):
        return {"z": (jnp.log(m.a) * jnp.log(m.b / 2**0.5), "z <= ab"), "w": m.b}

    model = Pair()
    found = closed_bounds(Targets({"z": Bound(min=9.0)}, ceilings), model, choose(("a", "b"), model))
    corners = [np.log(a) * np.log(b / 2**0.5) for a, b in itertools.product((0.5, 2.0), (0.5, 4.0))]
    np.testing.assert_allclose(found["z"][:2], [min(corners), max(corners)], rtol=ALGEBRA)
    assert (found["z"][2], found["w"]) == ("z <= ab", (0.5, 4.0, ""))
    assert closed_bounds(Targets({"z": Bound(min=9.0)}), model, choose(("a",), model)) == {}


def test_a_row_says_what_puts_it_out_of_reach():
    row = TargetRow("bandwidth", "min", 10 * MHz, 6 * MHz, -0.5, False, True, 0.0, 8 * MHz, "B <= kappa", "rate")
    assert row.out_of_reach == "out of reach: bandwidth is at most 8 MHz by B <= kappa"
    assert str(row) == "bandwidth >= 10 MHz (is 6 MHz)"
    assert TargetRow("n", "max", 1.0, 2.0, -0.7, False, True, 0.0, 1.5).out_of_reach == "out of reach: n is at least 1.5"
    assert TargetRow("n", "max", 1.0, 2.0, -0.7, False, True, 0.0).out_of_reach is None
