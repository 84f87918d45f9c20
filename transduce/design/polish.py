"""The last digits of an optimum, and its multipliers: sequential quadratic programming in the unit box.

    max f(x)  with  s_i(x) >= 0, x in [0, 1]^n;      where no such x is known:   max t  with  s_i(x) >= t.

At the end the conditions of Karush, Kuhn and Tucker, grad f + sum_i lambda_i grad s_i + mu = 0 with lambda >= 0 and mu pressing into
the box's sides, are solved for the multipliers by least squares without negative numbers; what remains says how far it is converged.
SLSQP: D. Kraft, DFVLR-FB 88-28 (1988), as in SciPy.
"""

import warnings
from typing import NamedTuple

import numpy as np

from .ascent import Look

MARGIN = 1e-9
"""Slack that is asked for beyond 0, so that a target which is met is met as printed."""
ACTIVE = 1e-6
"""A slack below this, in excess of the smallest where none is met, belongs to an active target."""
RESIDUAL = 1e-5
"""Largest residual of the conditions, relative to the gradient, of a point that counts as converged."""
CORNER = 1e-12
"""Below this residual the sides and the active targets alone fix the point, and there is nothing left to gain."""


class Point(NamedTuple):
    """A point of the box with all that is known there."""

    x: np.ndarray
    figures: np.ndarray
    jacobian: np.ndarray
    found: np.ndarray

    @property
    def met(self) -> bool:
        """Every slack is at least 0."""
        return bool(np.all(self.figures[1:] >= 0))

    @property
    def least(self) -> float:
        """The smallest slack; infinite without targets."""
        return float(np.min(self.figures[1:], initial=np.inf))

    @property
    def rank(self) -> tuple[bool, float]:
        """What is better: targets met before missed, then the objective or the smallest slack."""
        return (self.met, float(self.figures[0])) if self.met else (False, self.least)


class Multipliers(NamedTuple):
    """Of the slacks, of the sides of the box (signed: d objective / d x of the side), and the residual of the conditions."""

    slacks: np.ndarray
    sides: np.ndarray
    residual: float


def at(look: Look, x: np.ndarray) -> Point:
    """The point x."""
    return Point(x, *look(x))


def _search(look: Look, start: Point, scale: float, tolerance: float) -> Point:
    """One run of SLSQP, to this tolerance of a step; an unstable point reads worse than the start in everything, and flat."""
    from scipy.optimize import minimize

    lift = start.least < -ACTIVE
    n, rows = start.x.size, start.figures.size - 1
    worse = (start.figures - 10 * np.append(scale, np.ones(rows)), np.zeros((rows + 1, n)))

    def seen(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        figures, jacobian, _ = look(np.clip(y[:n], 0.0, 1.0))
        return (figures, jacobian) if np.all(np.isfinite(figures)) and np.all(np.isfinite(jacobian)) else worse

    constraints = {
        "type": "ineq",
        "fun": lambda y: seen(y)[0][1:] - (y[n] if lift else MARGIN),
        "jac": lambda y: np.hstack([seen(y)[1][1:], -np.ones((rows, 1))]) if lift else seen(y)[1][1:],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns of steps clipped to the box, which is what is wanted
        answer = minimize(
            (lambda y: -y[n]) if lift else (lambda y: -seen(y)[0][0] / scale),
            np.append(start.x, start.least) if lift else start.x,
            jac=(lambda y: np.append(np.zeros(n), -1.0)) if lift else (lambda y: -seen(y)[1][0] / scale),
            bounds=[(0.0, 1.0)] * n + [(None, None)] * lift,
            constraints=constraints if rows else (),
            method="SLSQP",
            options={"ftol": tolerance, "maxiter": 6},
        )
    x = np.clip(answer.x[:n], 0.0, 1.0)
    return at(look, np.where(x < ACTIVE**2, 0.0, np.where(x > 1 - ACTIVE**2, 1.0, x)))


def _mended(look: Look, point: Point) -> Point:
    """A point a hair outside its targets, where the search's merit drowns in rounding, moved back in by the shortest linear step."""
    low = point.figures[1:] < 0
    if not -ACTIVE <= point.least < 0 or not np.all(np.isfinite(point.jacobian)):
        return point
    free = (point.x > 0) & (point.x < 1)
    step = np.linalg.lstsq(point.jacobian[1:][low][:, free], MARGIN - point.figures[1:][low], rcond=None)[0]
    x = point.x.copy()
    x[free] = np.clip(x[free] + step, 0.0, 1.0)
    return at(look, x)


def polish(look: Look, x: np.ndarray, scale: float) -> Point:
    """The best point that SLSQP reaches from x: never worse than x, and never one that misses a target that x meets."""
    point = start = at(look, x)
    for tolerance in (1e-7, *(1e-10,) * 11):
        start = _mended(look, _search(look, start, scale, tolerance))
        if start.rank > point.rank:
            gain = 1.0 if start.met != point.met else start.rank[1] - point.rank[1]
            point = start
            residual = conditions(point, scale).residual if point.met else np.inf
            if residual < CORNER or (gain < 1e-10 * scale and residual < RESIDUAL):
                break
        else:
            break
    return point


def conditions(point: Point, scale: float) -> Multipliers:
    """The multipliers at a point, and how well they fulfil the conditions; where targets are missed, those of the smallest slack."""
    from scipy.optimize import nnls

    slack, n = point.figures[1:], point.x.size
    active = np.flatnonzero(slack <= ACTIVE + (0.0 if point.met else point.least))
    low, high = (np.flatnonzero(where) for where in (point.x <= 0, point.x >= 1))
    sides = np.eye(n)
    columns = np.hstack([point.jacobian[1 + active].T, sides[:, low], -sides[:, high]])
    wanted = -point.jacobian[0] / scale if point.met else np.zeros(n)
    if not point.met:  # the weights of the smallest slacks add up to 1
        columns = np.vstack([columns, np.append(np.ones(active.size), np.zeros(low.size + high.size))])
        wanted = np.append(wanted, 1.0)
    size = max(1e-3, float(np.linalg.norm(wanted)))
    if not np.all(np.isfinite(columns)) or not np.all(np.isfinite(wanted)):
        return Multipliers(np.full(slack.size, np.nan), np.full(n, np.nan), np.inf)
    found, residual = nnls(columns, wanted) if columns.size else (np.zeros(0), float(np.linalg.norm(wanted)))
    unit = scale if point.met else 1.0
    pressure, side = np.zeros(slack.size), np.zeros(n)
    pressure[active] = unit * found[: active.size]
    side[low] = -unit * found[active.size : active.size + low.size]
    side[high] = unit * found[active.size + low.size :]
    return Multipliers(pressure, side, float(residual) / size)
