"""What a sweep of a study says: its axes, the ends of each figure and the designs there, in SI with ordinary frequencies."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from .. import units
from ..design.axes import Sample
from ..design.grid import Sweep
from ..design.space import choose
from ..design.sweep import Estimate
from .config import Setting, scalars
from .evaluate import SPARE, plain
from .resolved import stated

ARRAYS = "sweep"
"""The folder of the arrays, in the run's."""
WANTED = "samples_wanted"
"""The array of how many samples would resolve the receiver's mode, beside figures that hang on it."""
SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Asked(Protocol):
    """What of ``sweeping.Sweeping`` is needed here."""

    @property
    def axes(self) -> dict[Any, Any]: ...
    @property
    def figures(self) -> dict[str, str]: ...
    @property
    def gradients(self) -> tuple[str, ...]: ...
    @property
    def resolution(self) -> int: ...


def estimated(estimate: Estimate) -> str:
    """An estimate in words."""
    sizes = [_bytes(size) for size in (estimate.bytes_results, estimate.bytes_working)]
    words = f"{estimate.designs} designs, {estimate.chunk} per call; results {sizes[0]}, working memory {sizes[1]}"
    return f"{words}; about {estimate.seconds:.3g} s of computing"


def _bytes(size: float) -> str:
    name, unit = next(((name, unit) for name, unit in reversed(SIZES.items()) if name[1:] != "B" and size >= unit), ("B", 1))
    return f"{size / unit:.3g} {name}"


def shown(setting: Setting, axes: Mapping[Any, Any]) -> dict[str, Any]:
    """The axes as JSON states them: their values, or of random designs how they are drawn."""
    known, found = scalars(setting.parts), {}
    for name, axis in axes.items():
        if isinstance(axis, Sample):
            space = choose(axis.boxes, setting.parts)
            ends = zip(space.paths, space.parameters, space.low, space.high, strict=True)
            boxes = {path: {"bounds": [stated(kind, one)["value"] for one in box], **_unit(kind)} for path, kind, *box in ends}
            found[name] = {"count": axis.count, "seed": axis.seed, "boxes": boxes}
            continue
        columns = axis if isinstance(axis, dict) else {name: axis}
        values = {path: (known[path][0], column) for path, column in columns.items()}
        parameters = {
            path: {"values": [stated(kind, one)["value"] for one in column], **_unit(kind)} for path, (kind, column) in values.items()
        }
        found[name] = {"count": len(next(iter(columns.values()))), "parameters": parameters}
    return found


def _unit(parameter: Any) -> dict[str, str]:
    return {"unit": stated(parameter, 1.0)["unit"]}


def _scale(dimension: str) -> dict[str, Any]:
    """The unit, and what an array of this dimension is multiplied by to be in it."""
    size, unit = units.canonical(1.0, dimension)
    return {"unit": unit, "array_times": size}


def answer(setting: Setting, asked: Asked, found: Sweep, told: dict[str, Any]) -> dict[str, Any]:
    """What ``result.json`` says: the ends of each figure and the designs there, in SI with ordinary frequencies."""
    known = scalars(setting.parts)

    def extreme(name: str, lowest: bool) -> dict[str, Any] | None:
        try:
            best = found.best(name, lowest)
        except ValueError:  # NaN everywhere
            return None
        shown = {one: plain(units.canonical(best.figures[one], size)[0]) for one, size in asked.figures.items()}
        inputs = {path: stated(known[path][0], value) for path, value in best.parameters.items()}
        return {"value": shown[name], "place": list(best.place), "inputs": inputs, "figures": shown}

    ends = {name: {"min": extreme(name, True), "max": extreme(name, False)} for name in asked.figures}
    return {
        "designs": found.designs.count,
        "shape": list(found.designs.shape),
        "axes": shown(setting, asked.axes),
        "figures": {name: {**_scale(size), **ends[name]} for name, size in asked.figures.items()},
        "gradients": {path: _scale(known[path][0].dimension) for path in asked.gradients},
        "unstable": found.unstable,
        "unresolved": _above(found.figures.get(WANTED), SPARE * asked.resolution),
        "chunk": found.chunk,
        "arrays": ARRAYS,
        "run": told,
    }


def _above(wanted: np.ndarray | None, most: float) -> int:
    """How many values are above."""
    flat = np.zeros(0) if wanted is None else wanted.reshape(-1)
    return sum(int(np.count_nonzero(flat[start : start + 2**16] > most)) for start in range(0, len(flat), 2**16))


def lines(said: dict[str, Any]) -> list[str]:
    """The answer for people; the design is that of the first figure's largest value."""
    axes = " x ".join(f"{name} ({axis['count']})" for name, axis in said["axes"].items())
    found = [f"{said['designs']} designs: {axes}", "", f"{'':<28}{'least':>14}{'largest':>14}"]
    for name, row in said["figures"].items():
        values = [f"{_number(row[end]):>14}" for end in ("min", "max")]
        found.append(f"{name:<28}{''.join(values)}" + f" {row['unit']}" * (row["unit"] != "1"))
    name, row = next(iter(said["figures"].items()))
    if row["max"] is not None:
        found += ["", f"where {name} is largest"]
        found += [
            f"  {path:<26}{one['value']:>14.6g}" + f" {one['unit']}" * (one["unit"] != "1") for path, one in row["max"]["inputs"].items()
        ]
    found += ["", f"unstable, or outside a domain: {said['unstable']} designs"]
    if said["unresolved"]:
        found.append(f"the mode that the receiver absorbs is not resolved in {said['unresolved']} designs: raise [sweep] resolution")
    return found


def _number(end: dict[str, Any] | None) -> str:
    return "NaN" if end is None else "infinite" if end["value"] is None else f"{end['value']:.6g}"
