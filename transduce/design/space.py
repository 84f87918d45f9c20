"""The unit box: the free parameters of a model as coordinates x in [0, 1], logarithmic where the box allows it.

    v = low (high / low)^x  where low > 0,   v = low + (high - low) x  otherwise;

x is kept in [0, 1] by projection, so a bound can be active (a logit would never reach it). A parameter is a path of the model
(``device.lab.pump_power``), named as such or selected by a lambda.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import parameters, units
from ..parameters import Parameter

Box = tuple[float, float]
Numbers = Array | np.ndarray
"""Traced, or on the host."""
Free = Iterable[str] | Mapping[str, Box | None] | Callable[[Any], Any]


class Space(eqx.Module):
    """The box of the free parameters, and the way between its coordinates and the model.

    Attributes:
        paths: the free parameters.
        parameters: what is known of each.
        low: lower ends, inside units.
        high: upper ends, inside units.
    """

    paths: tuple[str, ...] = eqx.field(static=True)
    parameters: tuple[Parameter, ...] = eqx.field(static=True)
    low: Float[Numbers, " free"]
    high: Float[Numbers, " free"]

    @property
    def logarithmic(self) -> Bool[Numbers, " free"]:
        """Which coordinates are logarithmic."""
        return self.low > 0

    def _ends(self, xp: Any = np) -> tuple[Any, Any]:
        """Start and width of the box in its own coordinates: ln v, or v."""
        log = self.low > 0
        low, high = (xp.where(log, xp.log(xp.where(log, end, 1.0)), end) for end in (self.low, self.high))
        return low, high - low

    @property
    def width(self) -> Float[Numbers, " free"]:
        """Width of the box, in ln v where logarithmic, else in v: dx = d ln v / width, or dv / width."""
        return self._ends()[1]

    def values(self, x: np.ndarray) -> np.ndarray:
        """Coordinates -> inside units, outside of traced code; the ends of the box come out exactly."""
        start, width = self._ends()
        linear = start + width * np.clip(x, 0, 1)
        inside = np.clip(np.where(self.logarithmic, np.exp(np.where(self.logarithmic, linear, 0)), linear), self.low, self.high)
        return np.where(x <= 0, self.low, np.where(x >= 1, self.high, inside))

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Inside units -> coordinates, projected into the box."""
        start, width = self._ends()
        clipped = np.clip(values, self.low, self.high)
        return np.clip((np.where(self.logarithmic, np.log(np.where(self.logarithmic, clipped, 1)), clipped) - start) / width, 0, 1)

    def place(self, model: Any, x: Float[Numbers, " free"]) -> Any:
        """The model at coordinates x, traced; the ends of the box come out exactly, and with their slope."""
        start, width = self._ends(jnp)
        linear, log = start + width * x, self.low > 0
        raw = jnp.where(log, jnp.exp(jnp.where(log, linear, 0.0)), linear)
        exact = jnp.where(x <= 0, self.low, jnp.where(x >= 1, self.high, jnp.clip(raw, self.low, self.high)))
        values = raw + jax.lax.stop_gradient(exact - raw)
        return parameters.replace(model, dict(zip(self.paths, jnp.unstack(values), strict=True))) if self.paths else model


class _Chosen:
    """Stands for a parameter while a lambda selects; it may be returned and nothing else."""

    def __init__(self, path: str) -> None:
        self.path = path

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError(f"something is computed from {self.path}")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _refuse
    __neg__ = __pos__ = __abs__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __bool__ = __complex__ = _refuse
    __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __matmul__ = __rmatmul__ = __array__ = __getitem__ = _refuse


def selected(select: Callable[[Any], Any], model: Any) -> tuple[str, ...]:
    """The paths that a lambda selects, such as ``lambda d: (d.pump_power, d.kappa_e_ext)``.

    Raises:
        TypeError: the lambda computes with a parameter instead of selecting it.
        ValueError: it returns something that is no parameter of the model.
    """
    paths = [path for path, _, _ in parameters.walk(model)]
    marked = eqx.tree_at(lambda tree: [parameters.get(tree, path) for path in paths], model, [_Chosen(path) for path in paths])
    try:
        chosen = jax.tree.leaves(select(marked), is_leaf=lambda leaf: leaf is None)
    except (TypeError, ValueError) as error:  # a function of JAX or NumPy words it in its own way
        raise TypeError(f"free= selects parameters, it does not compute with them: {error}") from error
    for leaf in chosen:
        if not isinstance(leaf, _Chosen):
            raise ValueError(f"free= must select parameters of the model, but selects {leaf!r}")
    return tuple(leaf.path for leaf in chosen)


def _box(path: str, parameter: Parameter, box: Box | None) -> Box:
    low, high = parameter.domain

    def shown(ends: Box) -> str:
        return f"({units.show(ends[0], parameter.dimension)}, {units.show(ends[1], parameter.dimension)})"

    box = parameter.box if box is None else (float(box[0]), float(box[1]))
    domain = f"must lie inside the domain {shown((low, high))}{', its lower end excluded' if parameter.open_below else ''}"
    if box is None:
        raise ValueError(f"{path}: no box is known; give one as free={{{path!r}: (low, high)}}: it {domain}")
    inside = low <= box[0] < box[1] <= high and not (parameter.open_below and box[0] == low)
    if not inside or not all(math.isfinite(end) for end in box):
        raise ValueError(f"{path}: box {shown(box)} {domain}, be finite and have its low end below its high end")
    return box


def choose(free: Free, model: Any, boxes: Mapping[str, Box | None] | None = None) -> Space:
    """The box of the free parameters.

    Args:
        free: paths, a dict path -> (low, high) in inside units (None: the parameter's own box), or a lambda that selects leaves.
        model: the tree of modules, dicts and tuples that holds them.
        boxes: path -> (low, high), before the parameters' own boxes.

    Raises:
        ValueError: an unknown or repeated path, a parameter that is not a scalar, no box, or a box outside the domain.
        TypeError: a lambda that computes.
    """
    known = {path: (parameter, value) for path, parameter, value in parameters.walk(model)}
    own: dict[str, Box | None] = {**(boxes or {}), **(free if isinstance(free, Mapping) else {})}
    paths = selected(free, model) if callable(free) else (free,) if isinstance(free, str) else tuple(free)
    for path in (*paths, *own):
        if path not in known:
            near = difflib.get_close_matches(path, known, 1, 0) or ["none: the model declares no parameter"]
            raise ValueError(f"free: the model has no parameter {path!r}; the nearest is {near[0]}")
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"free: {path} must be named once, but is named {paths.count(path)} times")
        if np.shape(known[path][1]) != ():
            raise ValueError(f"free: {path} must be a scalar, but has the shape {np.shape(known[path][1])}")
    ends = np.array([_box(path, known[path][0], own.get(path)) for path in paths], float).reshape(-1, 2)
    return Space(paths, tuple(known[path][0] for path in paths), ends[:, 0].copy(), ends[:, 1].copy())


def validate(model: Any) -> Any:
    """The model, its domains and each module's ``__check_init__`` checked again: they do not run on what an optimiser writes.

    Raises:
        ValueError: "Class.field must ..., but is ...".
    """

    def look(node: Any) -> bool:
        if isinstance(node, eqx.Module):
            parameters.check(node)
            for cls in type(node).__mro__:
                if "__check_init__" in vars(cls):
                    cls.__check_init__(node)  # type: ignore[attr-defined]
        return False

    jax.tree.leaves(model, is_leaf=look)
    return model
