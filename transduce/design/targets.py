"""Targets: figures that a design must reach, as slacks in natural logarithms, and the closed bounds that put one out of reach.

    slack = ln(value / min)  or  ln(max / value);   a target is met where its slack is >= 0.

A slack of 0.1 is 10 % to spare for an efficiency and for a bandwidth alike, so the smallest one says which target is furthest away;
nobody has to weigh a megahertz against a photon.
"""

import dataclasses
import difflib
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import units
from .space import Numbers, Space

FLOOR = 700.0
"""The largest modulus of a slack: what a figure that is zero, negative or NaN reads (e^-700 is the edge of float64)."""
CORNERS = 12
"""A closed bound is taken over the 2^n corners of a box of n free parameters up to this n; for more, none is stated."""


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a figure must be: at least ``min``, at most ``max``, or both (inside units, above 0).

    ``dimension`` says how it is printed: a key of the list of units, such as "rate" for a bandwidth.
    """

    min: float | None = None
    max: float | None = None
    dimension: str = "number"

    def __post_init__(self) -> None:
        given = [end for end in (self.min, self.max) if end is not None]
        if not given:
            raise ValueError("Bound must have a min or a max, but has neither")
        for end in given:
            if not (math.isfinite(end) and end > 0):
                raise ValueError(f"Bound.min and Bound.max must be finite and above 0, but one is {end}")
        if len(given) == 2 and given[0] > given[1]:
            raise ValueError(f"Bound.min must be at most Bound.max, but is {self.min} with a max of {self.max}")


Ceilings = Callable[[Any], Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Targets:
    """Figures and their bounds, by the names under which the objective returns them.

    Attributes:
        bounds: name -> ``Bound``.
        ceilings: model -> {name: value or (value, reason)}: the largest (for a min) or smallest (for a max) value that a closed
            bound allows at that model, as eta <= eta_e eta_o for the efficiency. It must be monotone in each parameter: it is
            evaluated at the corners of the box.
    """

    bounds: Mapping[str, Bound]
    ceilings: Ceilings | None = None

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """(name, "min" or "max") of each slack, in order."""
        return tuple((name, kind) for name, bound in self.bounds.items() for kind in ("min", "max") if getattr(bound, kind) is not None)

    @property
    def limits(self) -> np.ndarray:
        """The bound of each slack, inside units."""
        return np.array([getattr(self.bounds[name], kind) for name, kind in self.rows], float)


@dataclasses.dataclass(frozen=True)
class TargetRow:
    """How one target came out.

    Attributes:
        name: the figure.
        kind: "min" or "max".
        bound: the bound, inside units.
        value: the figure at the returned design, inside units.
        slack: ln(value / min) or ln(max / value).
        met: slack >= 0.
        active: it holds the objective back; where targets are not met, it is one of those that block.
        multiplier: d objective / d ln(bound); where targets are not met, d (smallest slack) / d ln(bound).
        ceiling: where it puts the target out of reach, what the closed bound allows; else None.
        reason: the closed bound in words.
        dimension: of the figure.
    """

    name: str
    kind: str
    bound: float
    value: float
    slack: float
    met: bool
    active: bool
    multiplier: float
    ceiling: float | None = None
    reason: str = ""
    dimension: str = "number"

    @property
    def out_of_reach(self) -> str | None:
        """ "out of reach: efficiency is at most 0.32 by eta <= eta_e eta_o", or None."""
        if self.ceiling is None:
            return None
        side = "at most" if self.kind == "min" else "at least"
        return f"out of reach: {self.name} is {side} {units.show(self.ceiling, self.dimension)}" + f" by {self.reason}" * bool(self.reason)

    def __str__(self) -> str:
        sign, shown = (">=" if self.kind == "min" else "<="), units.show(self.bound, self.dimension)
        return f"{self.name} {sign} {shown} (is {units.show(self.value, self.dimension)})"


def figure(figures: Mapping[str, Any], name: str) -> Any:
    """A figure by its name; an unknown one is a ValueError that names the nearest."""
    if name not in figures:
        near = difflib.get_close_matches(name, figures, 1, 0) or ["none: it returns no figure"]
        raise ValueError(f"targets: the objective returns no figure {name!r}; the nearest is {near[0]}")
    return figures[name]


def slacks(values: Float[Array, " rows"], limits: Float[Numbers, " rows"], kinds: tuple[str, ...]) -> Float[Array, " rows"]:
    """The slack of each row, within +-``FLOOR``; NaN reads -``FLOOR``, and there the slope is 0."""
    sign = np.array([1.0 if kind == "min" else -1.0 for kind in kinds])
    usable = (values > 0) & jnp.isfinite(values)
    slack = sign * jnp.log(jnp.where(usable, values, 1.0) / limits)
    edge = jnp.where(jnp.isnan(values), -FLOOR, jnp.where(values > 0, sign, -sign) * FLOOR)
    return jnp.where(usable, slack, edge)


def closed_bounds(targets: Targets, model: Any, space: Space) -> dict[str, tuple[float, float, str]]:
    """name -> (smallest, largest, reason): the range of each closed bound over the corners of the box."""
    if targets.ceilings is None or len(space.paths) > CORNERS:
        return {}
    reasons: dict[str, str] = {}
    ceilings = targets.ceilings

    def at(x: Array) -> dict[str, Array]:
        found = {name: item if isinstance(item, tuple) else (item, "") for name, item in ceilings(space.place(model, x)).items()}
        reasons.update({name: reason for name, (_, reason) in found.items()})
        return {name: jnp.asarray(value, float) for name, (value, _) in found.items()}

    corners = np.array(list(itertools.product((0.0, 1.0), repeat=len(space.paths))))
    ranges = jax.jit(jax.vmap(at))(corners)
    return {name: (float(np.min(values)), float(np.max(values)), reasons[name]) for name, values in ranges.items()}
