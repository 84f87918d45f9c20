r"""Designs by number: the named axes of a sweep and the values that the free parameters take in each design.

An axis is one parameter, several that vary together, or random designs. Their outer product, the last axis fastest, gives each design a
number i in C order, and the values of design i depend on i alone: not on how many designs are computed at a time, nor where. So a random
design is drawn from a counter (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11), not from a stream.
"""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from .. import parameters
from ..parameters import Parameter
from .space import Box, Free, Space, choose

COUNTER = 2**32
"""Draws of one seed: the counter that numbers them has 32 bits."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """Random designs, uniform in the boxes: in ln v where a box is above 0, else in v.

    Attributes:
        count: how many.
        seed: of the draws.
        boxes: path -> (low, high) in inside units; None: the parameter's own box.
    """

    count: int
    seed: int
    boxes: Mapping[str, Box | None]

    def __post_init__(self) -> None:
        if not 0 < self.count < COUNTER:
            raise ValueError(f"Sample.count must be at least 1 and below 2^32, but is {self.count}")
        if not self.boxes:
            raise ValueError("Sample.boxes must name at least one parameter, but is empty")


Axis = Sequence[float] | np.ndarray | Sequence[Sequence[float]] | Mapping[str, Any] | Sample
Axes = Mapping[str | tuple[str, ...], Axis] | Sample


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One named axis: ``values`` is (count, paths) where they are given, None where they are drawn from the space.

    Attributes:
        name: of the axis.
        count: its length.
        space: the parameters that vary along it, and for random designs their boxes.
        values: inside units.
        seed: of the draws.
    """

    name: str
    count: int
    space: Space
    values: np.ndarray | None
    seed: int = 0

    def at(self, index: np.ndarray) -> np.ndarray:
        """Values, (index, paths), in inside units."""
        if self.values is not None:
            return self.values[index]
        padded = np.zeros(max(16, 1 << (len(index) - 1).bit_length()), np.uint32)
        padded[: len(index)] = index
        return self.space.values(np.asarray(_draw(np.uint32(self.seed), padded, len(self.space.paths)))[: len(index)])


@functools.partial(jax.jit, static_argnums=2)
def _draw(seed: Any, index: Any, paths: int) -> Any:
    """Uniform in [0, 1), one row for each index whatever the others are."""
    key = jax.random.key(seed, impl="threefry2x32")
    return jax.vmap(lambda one: jax.random.uniform(jax.random.fold_in(key, one), (paths,), float))(index)


@dataclasses.dataclass(frozen=True)
class Designs:
    """All designs of a sweep, none of them written down."""

    dimensions: tuple[Dimension, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(dimension.count for dimension in self.dimensions)

    @property
    def count(self) -> int:
        """How many designs."""
        return math.prod(self.shape)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every parameter that varies, in the order of the axes."""
        return tuple(path for dimension in self.dimensions for path in dimension.space.paths)

    def at(self, index: np.ndarray) -> np.ndarray:
        """Values of the designs of these numbers, (index, paths), in inside units."""
        places = np.unravel_index(np.asarray(index, np.int64), self.shape)
        return np.concatenate([one.at(place) for one, place in zip(self.dimensions, places, strict=True)], axis=1)

    def digest(self) -> str:
        """What tells these designs from others."""
        found = hashlib.sha256()
        for one in self.dimensions:
            found.update(repr((one.name, one.count, one.space.paths, one.seed, one.values is None)).encode())
            values = (one.space.low, one.space.high) if one.values is None else (one.values,)
            for part in values:
                found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


def _given(name: str, columns: Mapping[str, Any], model: Any) -> Dimension:
    """An axis of stated values, each inside the domain of its parameter."""
    read = {path: np.asarray(column, float) for path, column in columns.items()}
    for path, column in read.items():
        if column.ndim != 1 or column.size == 0:
            raise ValueError(f"axes: the values of {path} must be a row of numbers, but have the shape {column.shape}")
    if len({column.size for column in read.values()}) > 1:
        lengths = ", ".join(f"{path} {column.size}" for path, column in read.items())
        raise ValueError(f"axes: parameters that vary together must have as many values each, but have {lengths}")
    space = known(tuple(read), model)
    for (path, column), parameter in zip(read.items(), space.parameters, strict=True):
        for value in column:
            if (why := parameter.complaint(float(value))) is not None:
                raise ValueError(f"axes: {path} {why}")
    return Dimension(name, len(next(iter(read.values()))), space, np.stack(list(read.values()), axis=1))


def known(paths: Free, model: Any) -> Space:
    """The parameters at these paths, each checked to be one scalar of the model; the boxes mean nothing.

    Raises:
        ValueError: an unknown or repeated path, or a parameter that is not a scalar.
    """
    return choose(paths, model, {path: _somewhere(parameter) for path, parameter, _ in parameters.walk(model)})


def _somewhere(parameter: Parameter) -> Box:
    """A box inside the domain."""
    low = max(parameter.domain[0], -1.0)
    high = min(parameter.domain[1], low + 1)
    return low + 0.25 * (high - low), high


def _dimension(key: str | tuple[str, ...], axis: Any, model: Any) -> Dimension:
    if isinstance(axis, Sample):
        return Dimension(str(key), axis.count, choose(axis.boxes, model), None, axis.seed)
    if isinstance(axis, Mapping):
        return _given(str(key), axis, model)
    if isinstance(key, tuple):
        if len(axis) != len(key):
            raise ValueError(f"axes: {', '.join(key)} vary together, so a row of values for each must be given, but {len(axis)} are")
        return _given("+".join(key), dict(zip(key, axis, strict=True)), model)
    return _given(key, {key: axis}, model)


def designs(axes: Axes, model: Any) -> Designs:
    """The designs of an outer product of named axes.

    Args:
        axes: in grid order, the last one fastest. ``{path: values}`` is one parameter; ``{(path, path): (values, values)}``, or
            ``{name: {path: values, path: values}}``, several that vary together; ``{name: Sample(...)}`` random designs, and a ``Sample``
            alone an axis called "sample". Values are in inside units.
        model: the tree of modules, dicts and tuples that holds the parameters.

    Raises:
        ValueError: an unknown or repeated path, a value outside its domain, or lengths that differ.
    """
    if isinstance(axes, Sample):
        axes = {"sample": axes}
    if not axes:
        raise ValueError("axes: at least one must be given, but none is")
    found = Designs(tuple(_dimension(key, axis, model) for key, axis in axes.items()))
    for kind, names in (("axis", [one.name for one in found.dimensions]), ("parameter", list(found.paths))):
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"axes: each {kind} must be named once, but {name} is named {names.count(name)} times")
    return found
