"""What an optimisation hands back: the design, whether it is what was asked for, what holds it there, and how surely it was found."""

import dataclasses
import enum
from typing import Any

import numpy as np

from .. import units
from ..parameters import Parameter
from .targets import TargetRow


class Status(enum.Enum):
    """How an optimisation ended; the values are the messages."""

    CONVERGED = "converged: no step inside the box raises the objective"
    STALLED = "stalled: the starts no longer improve, though the objective still has a slope at the best of them"
    OUT_OF_STEPS = "out of steps: more of them would raise the objective further"
    TARGETS_MET = "targets met"
    TARGETS_NOT_MET = "targets not met; closest design returned"
    UNSTABLE = "unstable: no start found a design whose objective is finite; the model is returned as given"
    NO_FREE = "nothing is free: the model is returned as given"


@dataclasses.dataclass(frozen=True)
class FreeRow:
    """How one free parameter came out, inside units.

    Attributes:
        before: in the model as given.
        after: in the returned design.
        bounds: its box.
        at_bound: "low", "high" or None.
        multiplier: d objective / d ln(parameter) at a bound (of the smallest slack where targets are not met), else 0; where the box
            reaches 0 or below, d objective / d(parameter).
        parameter: its dimension and domain.
    """

    before: float
    after: float
    bounds: tuple[float, float]
    at_bound: str | None
    multiplier: float
    parameter: Parameter


@dataclasses.dataclass(frozen=True)
class Optimum:
    """The best design found.

    Attributes:
        value: the objective there.
        before: the objective at the model as given, its free parameters projected into their boxes.
        model: the design, its domains checked again.
        result: how it ended.
        message: the same in words, with what blocks and what is out of reach.
        targets: a row per bound.
        free: path -> row.
        starts: the best objective of each start.
        start_slacks: the smallest slack there (infinite without targets).
        agreement: how many starts lie within 1e-4 of the best one (of the value, or of the smallest slack where targets are not met).
        steps: steps used.
        unstable_evaluations: points, over all starts, at which the objective or its gradient was not finite.
        residual: of the optimality conditions, relative to the gradient; below 1e-5 the point counts as converged.
        history: best value after each chunk (chunks, starts).
        slack_history: smallest slack there (chunks, starts).
    """

    value: float
    before: float
    model: Any
    result: Status
    message: str
    targets: tuple[TargetRow, ...]
    free: dict[str, FreeRow]
    starts: np.ndarray
    start_slacks: np.ndarray
    agreement: int
    steps: int
    unstable_evaluations: int
    residual: float
    history: np.ndarray
    slack_history: np.ndarray

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [self.message, f"objective  {self.before:.6g} -> {self.value:.6g}"]
        if self.targets:
            lines += ["", *_table(("target", "bound", "value", "met", "active", "d/dln(bound)"), [_target(row) for row in self.targets])]
        if self.free:
            heading = ("free", "before", "after", "box", "at bound", "d/dln(parameter)")
            lines += ["", *_table(heading, [_free(path, row) for path, row in self.free.items()])]
        found = f"{self.agreement} of {len(self.starts)} starts agree to 1e-4; {self.steps} steps"
        return "\n".join([*lines, "", found + f"; {self.unstable_evaluations} unstable evaluations" * (self.unstable_evaluations > 0)])


def _target(row: TargetRow) -> tuple[str, ...]:
    sign, yes = (">=" if row.kind == "min" else "<="), {True: "yes", False: "no"}
    shown = (units.show(number, row.dimension) for number in (row.bound, row.value))
    bound, value = shown
    return row.name, f"{sign} {bound}", value, yes[row.met], yes[row.active], f"{row.multiplier:.4g}" if row.multiplier else "-"


def _free(path: str, row: FreeRow) -> tuple[str, ...]:
    before, after, low, high = (units.show(number, row.parameter.dimension) for number in (row.before, row.after, *row.bounds))
    linear = "" if row.bounds[0] > 0 else " (d/d)"
    return path, before, after, f"{low} to {high}", row.at_bound or "-", f"{row.multiplier:.4g}{linear}" if row.at_bound else "-"


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (heading, *rows)) for column in range(len(heading))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heading, *rows)]


def message(status: Status, rows: tuple[TargetRow, ...], converged: bool) -> str:
    """The status in words: which targets are active, which block, and which no design in the box can reach."""
    names = ", ".join(str(row) if status is Status.TARGETS_NOT_MET else row.name for row in rows if row.active)
    if status is Status.TARGETS_MET:
        words = status.value + (f"; active: {names}" if names else "; none is active")
        return words if converged else words + "; the objective may rise further"
    if status is Status.TARGETS_NOT_MET:
        return "; ".join([status.value, *[f"blocked by {names}"] * bool(names), *filter(None, (row.out_of_reach for row in rows))])
    return status.value
