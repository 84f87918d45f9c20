"""The compiled part of an optimisation: many starts, each a lane, walk uphill in the unit box together.

One step of a lane, x in [0, 1]^n, F = (objective, slacks):

    x <- clip(x + damping * optimiser(dM/dF . dF/dx)),    one reverse pass with the weights dM/dF.

While a target is missed, the merit M is the smallest slack. Once all have been met it is the augmented Lagrangian (Nocedal and Wright,
Numerical Optimization, 2nd ed., section 17.4)

    M = f / scale - sum_i max(0, lambda_i - rho (s_i - margin))^2 / (2 rho),    lambda_i <- max(0, lambda_i - rho (s_i - margin))

with its multipliers renewed after each chunk, and scale the spread of f over the box: no weight is left to guess. A lane whose
objective is not finite returns to its best point, with a fresh optimiser and half the step; the others never learn of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..programs import QUICK, compiled
from .space import Numbers, Space
from .targets import figure, slacks

RHO = 5.0
"""Stiffness of the augmented Lagrangian; slacks and f / scale are both of order 1 over the box."""
MARGIN = 2e-5
"""Slack that the walk aims for beyond 0, so that the point it settles at is one where the targets are met."""


class Problem(eqx.Module):
    """What is maximised, where, and how. Everything that is an array may change without a new compilation."""

    objective: Callable[[Any], Any]
    model: Any
    space: Space
    limits: Float[Numbers, " rows"]
    rows: tuple[tuple[str, str], ...] | None = eqx.field(static=True)
    optimiser: Any
    scale: Float[Numbers, ""]

    def figures(self, x: Float[Array, " free"]) -> tuple[Float[Array, " rows+1"], Float[Array, " rows"]]:
        """((objective, slacks), the figures that have targets) at one point of the box."""
        answer = self.objective(self.space.place(self.model, x))
        if self.rows is not None and not (isinstance(answer, tuple) and len(answer) == 2):
            raise ValueError(f"with targets, objective(model) must return (scalar, dict of figures), but returns {type(answer).__name__}")
        value, named = answer if isinstance(answer, tuple) else (answer, {})
        if jnp.shape(value) != ():
            raise ValueError(f"objective(model) must return a scalar, but its shape is {jnp.shape(value)}")
        rows = self.rows or ()
        found = jnp.stack([jnp.asarray(figure(named, name), float) for name, _ in rows]) if rows else jnp.zeros(0)
        return jnp.append(jnp.asarray(value, float), slacks(found, self.limits, tuple(kind for _, kind in rows))), found


class Lane(NamedTuple):
    """One start, or with a leading axis all of them."""

    x: Float[Numbers, " free"]
    optimiser: Any
    best_x: Float[Numbers, " free"]
    best: Float[Numbers, ""]
    best_slack: Float[Numbers, ""]
    multipliers: Float[Numbers, " rows"]
    kept: Bool[Numbers, ""]
    damping: Float[Numbers, ""]
    unstable: Int[Numbers, ""]
    figures: Float[Numbers, " rows+1"]
    found: Float[Numbers, " rows"]
    gradient: Float[Numbers, " free"]


def begin(problem: Problem, x: np.ndarray) -> Lane:
    """Lanes at these points (starts, free), nothing evaluated yet. (NumPy, but for the optimiser: JAX would compile it in every run.)"""
    starts, rows = x.shape[0], len(problem.rows or ())
    real, whole = (jax.dtypes.canonicalize_dtype(kind) for kind in (float, int))
    x, zeros, worst = x.astype(real), np.zeros((starts, rows), real), np.full(starts, -np.inf, real)
    return Lane(
        *(x, jax.device_get(eqx.filter_jit(jax.vmap(problem.optimiser.init))(x)), x, worst, worst, zeros),
        kept=np.zeros(starts, bool),
        damping=np.ones(starts, real),
        unstable=np.zeros(starts, whole),
        figures=np.zeros((starts, rows + 1), real),
        found=zeros,
        gradient=x,
    )


def _pressure(slack: Float[Numbers, " rows"], lane: Lane) -> Float[Array, " rows"]:
    """The weights of the augmented Lagrangian, and its next multipliers."""
    return jnp.maximum(0.0, lane.multipliers - RHO * (slack - MARGIN))


def _merit(figures: Float[Array, " rows+1"], lane: Lane, scale: Float[Numbers, ""]) -> Float[Array, ""]:
    value, slack = figures[0], figures[1:]
    kept = value / scale - jnp.sum(_pressure(slack, lane) ** 2) / (2 * RHO)
    return jnp.where(lane.kept, kept, jnp.min(slack, initial=jnp.inf)) if slack.size else kept


def _remember(lane: Lane, figures: Float[Array, " rows+1"], stable: Bool[Array, ""]) -> Lane:
    """Keep the point if it is the best yet: targets met before missed, then by objective or by smallest slack."""
    value, least = figures[0], jnp.min(figures[1:], initial=jnp.inf)
    met, was_met = least >= 0, lane.best_slack >= 0
    better = stable & jnp.where(met & was_met, value > lane.best, jnp.where(met == was_met, least > lane.best_slack, met))
    best_x, best, best_slack = (
        jnp.where(better, new, old) for new, old in ((lane.x, lane.best_x), (value, lane.best), (least, lane.best_slack))
    )
    return lane._replace(best_x=best_x, best=best, best_slack=best_slack, kept=lane.kept | (stable & met))


def _inside(x: Float[Array, " free"]) -> Float[Array, " free"]:
    """Projection whose slope is 1 on the whole of [0, 1], ends included."""
    return jnp.where((x >= 0) & (x <= 1), x, jnp.clip(x, 0, 1))


def _step(problem: Problem, lane: Lane, row: Float[Array, " rows+1"]) -> Lane:
    """Evaluate, remember, move. ``row`` holds the weights of the gradient; NaN leaves them to the merit."""
    figures, pull, found = jax.vjp(problem.figures, lane.x, has_aux=True)
    lane = _remember(lane, figures, jnp.isfinite(figures[0]))
    merit, weights = jax.value_and_grad(_merit)(figures, lane, problem.scale)
    asked = ~jnp.isnan(row[0])
    (gradient,) = pull(jnp.where(asked, row, weights))
    stable = jnp.isfinite(figures[0]) & jnp.all(jnp.isfinite(gradient))

    outward = ((lane.x <= 0) & (gradient < 0)) | ((lane.x >= 1) & (gradient > 0))
    downhill = jnp.where(outward | asked, 0.0, -gradient)

    def loss(x: Float[Array, " free"]) -> Float[Array, ""]:
        return -_merit(problem.figures(_inside(x))[0], lane, problem.scale)

    update, state = problem.optimiser.update(downhill, lane.optimiser, lane.x, value=-merit, grad=downhill, value_fn=loss)
    bad = ~(stable & jnp.all(jnp.isfinite(update)))
    irrational = np.sqrt(np.arange(lane.x.size) + 1.5) % 1  # a lane that has been stable nowhere yet roams the whole box by these
    back = jnp.where(lane.best > -jnp.inf, lane.best_x, jnp.mod(lane.x + irrational, 1.0))
    state = jax.tree.map(lambda new, old: jnp.where(bad, new, old), problem.optimiser.init(back), state)
    return lane._replace(
        x=jnp.where(bad, back, jnp.clip(lane.x + lane.damping * update, 0.0, 1.0)),
        optimiser=state,
        damping=jnp.where(bad, 0.5 * lane.damping, jnp.minimum(1.0, 1.1 * lane.damping)),
        unstable=lane.unstable + ~stable,
        figures=figures,
        found=found,
        gradient=gradient,
    )


def _walk(problem: Problem, lanes: Lane, count: Int[Numbers, ""], rows: Float[Numbers, "starts rows+1"]) -> Lane:
    """``count`` steps of every lane, then the multipliers renewed. The count is traced: one compilation serves any chunk."""
    lanes = jax.lax.fori_loop(0, count, lambda _, lanes: jax.vmap(lambda lane, row: _step(problem, lane, row))(lanes, rows), lanes)
    renewed = jax.vmap(_pressure)(lanes.figures[:, 1:], lanes)
    return lanes._replace(multipliers=jnp.where(lanes.kept[:, None] & jnp.isfinite(renewed), renewed, 0.0))


walk = compiled(_walk, like=lambda problem, lanes, count, rows: lanes, options=QUICK)


class Look:
    """Figures and Jacobian at single points, by the program that is already compiled: each lane pulls back one row.

    ``look(x)`` -> (figures (rows+1), Jacobian (rows+1, free), found (rows)) as numpy arrays; the last point is remembered.
    """

    def __init__(self, problem: Problem, lanes: Lane) -> None:
        self.problem, self.lanes, self.unstable = problem, lanes, 0
        self._at = b"never"
        self._seen: tuple[np.ndarray, np.ndarray, np.ndarray] = (np.zeros(0), np.zeros((0, 0)), np.zeros(0))

    def points(self, x: np.ndarray, rows: np.ndarray) -> Any:
        """One evaluation per lane, at a point and with a row of weights of its own."""
        return jax.device_get(walk(self.problem, self.lanes._replace(x=x), np.asarray(1), rows))

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self._at != x.tobytes():
            starts, rows = self.lanes.x.shape[0], len(self.problem.limits) + 1
            lane: Any = self.lanes
            jacobian: list[np.ndarray] = []
            while len(jacobian) < rows:
                lane = self.points(np.tile(x, (starts, 1)), np.eye(rows)[(np.arange(starts) + len(jacobian)) % rows])
                jacobian.extend(lane.gradient)
            self.unstable += int(not np.isfinite(lane.figures[0, 0]))
            self._at, self._seen = x.tobytes(), (lane.figures[0], np.array(jacobian[:rows]), lane.found[0])
        return self._seen
