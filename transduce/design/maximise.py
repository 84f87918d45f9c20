"""Maximise any figure of a model over some of its parameters, within boxes and against targets.

    max f(model)  over the free parameters in their boxes,  with  value >= min  or  value <= max  for each target.

Many starts climb together in the unit box (``ascent``), the best is polished (``polish``), and the ``Optimum`` says what holds it:
active targets, active bounds and their multipliers, or which target blocks and the closed bound that puts it out of reach.
"""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import optax

from .. import parameters
from .ascent import Lane, Look, Problem, begin, walk
from .optimum import FreeRow, Optimum, Status, message
from .polish import RESIDUAL, Multipliers, Point, at, conditions, polish
from .space import Box, Free, Space, choose, validate
from .targets import TargetRow, Targets, closed_bounds

BATCH = 256
"""Starts that step together unless told: of a whole link at 512 samples of its photon 0.2 GB, at 8192 samples 2 GB."""
STALL = 1e-7
"""Relative gain over two chunks below which a start has stopped improving."""
AGREE = 1e-4
"""Starts this close to the best, relative, are counted as having found it."""
CALM = 1e-2
"""Multipliers of the walk that move less than this in a chunk have settled (slacks are then kept to a thousandth)."""
SAME = 1e-6
"""When all starts, of at least four, are this close, there is nothing left for the walk to find."""
SETTLED = 1e-5
"""When a quarter of the starts, at least eight or all, agree on a best that gains less in two chunks, the polish does the rest."""


class ChunkReport(NamedTuple):
    """Where a run stands at the end of a chunk.

    Attributes:
        step: steps done, of ``steps``.
        steps: steps at most.
        value: the best objective so far.
        smallest_slack: there; infinite without targets.
        seconds_left: if all steps are used.
        state: arrays by name, enough to go on with the same bits: ``maximise(..., resume=state)``.
    """

    step: int
    steps: int
    value: float
    smallest_slack: float
    seconds_left: float
    state: dict[str, np.ndarray]


@functools.lru_cache
def default_optimiser(steps: int) -> optax.GradientTransformation:
    """Adam in unit coordinates; its rate falls from a tenth of the box to a thousandth, halving seven times over the run."""
    return optax.adam(optax.exponential_decay(0.1, max(1, steps // 7), 0.5))


class _Run(NamedTuple):
    """All that changes from chunk to chunk."""

    lanes: Lane
    scale: np.ndarray
    history: np.ndarray
    slack_history: np.ndarray
    used: np.ndarray
    calm: np.ndarray

    def saved(self) -> dict[str, np.ndarray]:
        leaves = {f"lane_{index:03d}": np.asarray(leaf) for index, leaf in enumerate(jax.tree.leaves(self.lanes))}
        return {**leaves, **{name: np.asarray(value) for name, value in self._asdict().items() if name != "lanes"}}

    def restored(self, state: Mapping[str, np.ndarray]) -> "_Run":
        leaves, structure = jax.tree.flatten(self.lanes)
        saved = [state.get(f"lane_{index:03d}", np.zeros(0)) for index in range(len(leaves))]
        shapes = [(np.shape(leaf), np.asarray(leaf).dtype) for leaf in leaves]
        if [(np.shape(leaf), np.asarray(leaf).dtype) for leaf in saved] != shapes:
            raise ValueError("resume must be the state of a run with the same model, free, targets, starts and optimiser, but is another")
        rest = {name: np.asarray(state[name]) for name in self._fields if name != "lanes"}
        return _Run(lanes=jax.tree.unflatten(structure, [np.asarray(leaf) for leaf in saved]), **rest)

    def best_lanes(self) -> np.ndarray:
        """Lanes from best to worst: targets met before missed, then by objective or by smallest slack."""
        value, least = np.asarray(self.lanes.best), np.asarray(self.lanes.best_slack)
        return np.lexsort((np.where(least >= 0, -value, -least), least < 0))

    def stalled(self) -> bool:
        """No start has improved over two chunks, all have found the same, or enough agree on a best that no longer moves."""
        if len(self.history) < 3:
            return False
        value, least = self.history, self.slack_history
        met = least >= 0
        with np.errstate(invalid="ignore"):
            raised = np.where(met[-1], value[-1] > value[-3] + STALL * np.abs(value[-3]), least[-1] > least[-3] + STALL)
            spread = np.ptp(value[-1] if np.all(met[-1]) else least[-1])
            same = SAME * np.max(np.abs(value[-1])) if np.all(met[-1]) else SAME
        agreed = len(met[-1]) >= 4 and bool(spread <= same) and bool(np.all(met[-1] == met[-1][0]))
        return agreed or self._settled(met) or (bool(self.calm) and not np.any(raised | (met[-1] != met[-3])))

    def _settled(self, met: np.ndarray) -> bool:
        if not (np.any(met[-1]) and np.any(met[-3])):
            return False
        last, before = (np.where(met[k], self.history[k], -np.inf) for k in (-1, -3))
        top = np.max(last)
        near = np.sum(last >= top - AGREE * abs(top))
        return bool(near >= min(len(last), max(8, len(last) / 4)) and top - np.max(before) <= SETTLED * abs(top))


def _first_points(space: Space, model: Any, starts: int, seed: int) -> np.ndarray:
    """The model's own point, projected into the box, then uniform ones. (NumPy: drawing by JAX would cost 0.4 s of compilation.)"""
    own = space.coordinates(np.array([float(parameters.get(model, path)) for path in space.paths]))
    return np.vstack([own, np.random.default_rng(seed).random((starts - 1, len(space.paths)))])


def _spread(values: np.ndarray) -> np.ndarray:
    """The scale of the objective over the box: its spread over the starts, else its size."""
    finite = values[np.isfinite(values)]
    size = float(np.max(np.abs(finite), initial=0.0))
    spread = float(np.std(finite)) if finite.size else 0.0
    return np.asarray(spread if spread > 1e-9 * size else size or 1.0)


def _walked(problem: Problem, lanes: Lane, count: int, rows: np.ndarray, batch: int) -> Lane:
    """``walk`` of any number of lanes by one program of a batch of them; the last batch is filled up with its own first lane."""
    starts, done = len(rows), []
    if starts <= batch:
        return jax.device_get(walk(problem, lanes, np.asarray(count), rows))
    for first in range(0, starts, batch):
        index = first + np.arange(batch)
        index = np.where(index < starts, index, first)
        some = jax.device_get(walk(problem, _picked(lanes, index), np.asarray(count), rows[index]))
        done.append(_picked(some, slice(starts - first)))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *done)


def _picked(lanes: Lane, which: Any) -> Lane:
    return jax.tree.map(lambda leaf: leaf[which], lanes)


def _begun(problem: Problem, x: np.ndarray, batch: int, resume: Mapping[str, np.ndarray] | None) -> tuple[_Run, Look, float]:
    """Where a run begins or goes on, how single points are looked at, and the objective at the first point."""
    starts, rows = len(x), len(problem.limits) + 1
    lanes = begin(problem, x)
    run = _Run(lanes, np.asarray(1.0), np.zeros((0, starts)), np.zeros((0, starts)), np.asarray(0), np.asarray(False))
    run = run if resume is None else run.restored(resume)
    first = _walked(problem, lanes, 1, np.tile(np.eye(1, rows), (starts, 1)), batch).figures[:, 0]
    run = run._replace(scale=_spread(np.asarray(first)))
    problem = eqx.tree_at(lambda tree: tree.scale, problem, run.scale)
    return run, Look(problem, _picked(lanes, slice(batch))), float(first[0])


def _climb(run: _Run, problem: Problem, steps: int, chunk: int, batch: int, progress: Callable[[ChunkReport], None] | None) -> _Run:
    """Chunk after chunk until the starts stall or the steps are used up."""
    free_weights = np.full((run.lanes.x.shape[0], len(problem.limits) + 1), np.nan)
    while run.used < steps and not run.stalled():
        begun = time.perf_counter()
        count = min(chunk, steps - int(run.used))
        lanes = _walked(problem, run.lanes, count, free_weights, batch)
        best, least = np.asarray(lanes.best), np.asarray(lanes.best_slack)
        calm = np.max(np.abs(lanes.multipliers - run.lanes.multipliers), initial=0.0) < CALM
        history = np.vstack([run.history, best]), np.vstack([run.slack_history, least])
        run = _Run(lanes, run.scale, *history, run.used + count, np.asarray(calm))
        if progress is not None:
            top, left = run.best_lanes()[0], (steps - run.used) * (time.perf_counter() - begun) / count
            progress(ChunkReport(int(run.used), steps, float(best[top]), float(least[top]), float(left), run.saved()))
    return run


def _finish(run: _Run, look: Look) -> tuple[Point, Multipliers, int]:
    """The best lane polished, and the next ones that are elsewhere where that does not converge: (point, multipliers, lane)."""
    scale = float(run.scale)
    tried: list[np.ndarray] = []
    best_x = np.asarray(run.lanes.best_x)
    outcomes: list[tuple[Point, Multipliers, int]] = []
    for lane in run.best_lanes():
        if len(tried) == 3 or not np.isfinite(run.lanes.best[lane]) or (outcomes and outcomes[-1][1].residual <= RESIDUAL):
            break
        if all(np.max(np.abs(best_x[lane] - x)) > 1e-3 for x in tried):
            tried.append(best_x[lane])
            point = polish(look, best_x[lane], scale)
            outcomes.append((point, conditions(point, scale), int(lane)))
    return max(outcomes, key=lambda outcome: outcome[0].rank)


def _target_rows(targets: Targets, point: Point, multipliers: Multipliers, model: Any, space: Space) -> tuple[TargetRow, ...]:
    ranges = {} if point.met else closed_bounds(targets, model, space)
    rows = []
    for (name, kind), limit, value, slack, weight in zip(
        targets.rows, targets.limits, point.found, point.figures[1:], multipliers.slacks, strict=True
    ):
        low, high, reason = ranges.get(name, (-np.inf, np.inf, ""))
        ceiling, short = (high, high < limit) if kind == "min" else (low, low > limit)
        rows.append(
            TargetRow(
                *(name, kind, float(limit), float(value), float(slack), bool(slack >= 0)),
                active=bool(weight > 0),
                multiplier=float(-weight if kind == "min" else weight) + 0.0,
                ceiling=float(ceiling) if short else None,
                reason=reason if short else "",
                dimension=targets.bounds[name].dimension,
            )
        )
    return tuple(rows)


def _free_rows(space: Space, model: Any, x: np.ndarray, sides: np.ndarray) -> dict[str, FreeRow]:
    rows = {}
    for index, (path, parameter, after) in enumerate(zip(space.paths, space.parameters, space.values(x), strict=True)):
        side = "low" if x[index] <= 0 else "high" if x[index] >= 1 else None
        bounds = (float(space.low[index]), float(space.high[index]))
        slope = float(sides[index] / space.width[index]) if side else 0.0
        rows[path] = FreeRow(float(parameters.get(model, path)), float(after), bounds, side, slope, parameter)
    return rows


def _status(point: Point, converged: bool, targets: Targets | None, free: bool, out_of_steps: bool) -> Status:
    if not np.isfinite(point.figures[0]):
        return Status.UNSTABLE
    if targets is not None and free:
        return Status.TARGETS_MET if point.met else Status.TARGETS_NOT_MET
    if not free:
        return Status.NO_FREE
    return Status.CONVERGED if converged else Status.OUT_OF_STEPS if out_of_steps else Status.STALLED


def _report(
    run: _Run, look: Look, finish: tuple[Point, Multipliers, int], before: float, targets: Targets | None, out_of_steps: bool
) -> Optimum:
    """The ``Optimum`` at the end of a run."""
    (point, multipliers, lane), space, model = finish, look.problem.space, look.problem.model
    converged = multipliers.residual <= RESIDUAL
    status = _status(point, converged, targets, bool(space.paths), out_of_steps)
    rows = () if targets is None else _target_rows(targets, point, multipliers, model, space)
    starts, start_slacks = np.array(run.lanes.best), np.array(run.lanes.best_slack)
    starts[lane], start_slacks[lane] = point.figures[0], point.least
    if point.met:
        near = (start_slacks >= 0) & (starts >= point.figures[0] - AGREE * abs(point.figures[0]))
    else:
        near = start_slacks >= point.least - AGREE
    moved = status not in (Status.UNSTABLE, Status.NO_FREE)
    values = dict(zip(space.paths, space.values(point.x), strict=True))
    return Optimum(
        value=float(point.figures[0]),
        before=before,
        model=validate(parameters.replace(model, values)) if moved else model,
        result=status,
        message=message(status, rows, converged),
        targets=rows,
        free=_free_rows(space, model, point.x, multipliers.sides),
        starts=starts,
        start_slacks=start_slacks,
        agreement=int(np.sum(near)),
        steps=int(run.used),
        unstable_evaluations=int(np.sum(run.lanes.unstable)) + look.unstable,
        residual=multipliers.residual,
        history=run.history,
        slack_history=run.slack_history,
    )


def maximise(
    objective: Callable[[Any], Any],
    model: Any,
    free: Free,
    *,
    optimiser: optax.GradientTransformation | None = None,
    targets: Targets | None = None,
    starts: int = 32,
    steps: int = 500,
    seed: int = 0,
    chunk: int = 25,
    batch: int = BATCH,
    boxes: Mapping[str, Box | None] | None = None,
    progress: Callable[[ChunkReport], None] | None = None,
    resume: Mapping[str, np.ndarray] | None = None,
) -> Optimum:
    """The design with the largest objective, within boxes and against targets.

    Args:
        objective: model -> scalar; with targets, model -> (scalar, {name: scalar figure}), so that one pass gives both.
        model: a tree of modules, dicts and tuples with declared parameters.
        free: paths; a dict path -> (low, high) in inside units (None: the parameter's own box); or a lambda that selects leaves.
        optimiser: any Optax transformation, L-BFGS too. It works in unit coordinates, on the objective divided by its spread over the
            starts, so that a learning rate of 0.1 is a tenth of the box. Default: Adam, its rate halving seven times over the run.
        targets: figures and their bounds.
        starts: how many; the first is the model's own point, projected into the box.
        steps: at most; a run stops at the end of a chunk when no start has improved over two.
        seed: of the other starts. The same seed gives the same bits.
        chunk: steps between two progress reports.
        batch: starts that step together; more of them take turns, in the same memory. Below ``starts``, last bits hang on it.
        boxes: path -> (low, high), before the parameters' own boxes.
        progress: called with a ``ChunkReport`` after each chunk.
        resume: ``ChunkReport.state`` of the same call, to go on from there with the same bits.

    Raises:
        ValueError: an unknown path, a box outside its domain or none known, a figure that the objective does not return.
        TypeError: a lambda that computes instead of selecting.
    """
    for name, value in (("starts", starts), ("steps", steps), ("chunk", chunk), ("batch", batch)):
        if value < 1:
            raise ValueError(f"maximise: {name} must be at least 1, but is {value}")
    space = choose(free, model, boxes)
    rows, limits = (None, np.zeros(0)) if targets is None else (targets.rows, targets.limits)
    tool = optax.with_extra_args_support(default_optimiser(steps) if optimiser is None else optimiser)
    problem = Problem(objective, model, space, limits, rows, tool, np.asarray(1.0))
    x = _first_points(space, model, starts, seed)
    run, look, before = _begun(problem, x, batch, resume)
    if space.paths:
        run = _climb(run, look.problem, steps, chunk, batch, progress)
    out_of_steps = bool(run.used >= steps) and not run.stalled()
    if space.paths and np.any(np.isfinite(run.lanes.best)):
        finish = _finish(run, look)
    else:
        point = at(look, x[0])
        finish = (point, conditions(point, float(run.scale)), 0)
    return _report(run, look, finish, before, targets, out_of_steps)
