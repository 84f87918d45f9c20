"""A physical parameter: what it measures, where its formula means anything, and where an optimiser may look.

A model (device, stage, qubit, photon) is an Equinox module whose physical fields are declared with ``rate(...)``, ``temperature(...)``,
``fraction(...)``. Each becomes a float64 array, not a Python float: a float would be part of the static structure, retraced for every
value and without gradient. Domains are checked at construction on concrete values; optimisers keep them by projection.
"""

import contextlib
import contextvars
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import units
from .numerics import is_concrete

Scalar = Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What is known of one field.

    Attributes:
        dimension: a key of the list of units: "rate", "power", "number", ...
        domain: smallest and largest value for which the formulas mean anything, inside units.
        box: where an optimiser looks unless told otherwise, inside units; None where it must be told.
        open_below: the lower end of the domain is itself excluded.
    """

    dimension: str
    domain: tuple[float, float]
    box: tuple[float, float] | None = None
    open_below: bool = False

    def __post_init__(self) -> None:
        if self.dimension not in units.DIMENSIONS:
            raise ValueError(f"no dimension {self.dimension!r}: there are {', '.join(units.DIMENSIONS)}")
        inside = self.box is None or self.domain[0] <= self.box[0] < self.box[1] <= self.domain[1]
        if not inside or (self.box is not None and self.open_below and self.box[0] == self.domain[0]):
            raise ValueError(f"the box {self.box} must lie inside the domain {self.domain}")

    def complaint(self, value: float) -> str | None:
        """Why a value is refused, as "must ..., but is ...", or None."""
        low, high = self.domain
        if math.isfinite(value) and (low < value if self.open_below else low <= value) and value <= high:
            return None
        bounds = []
        if math.isfinite(low):
            bounds.append(f"{'above' if self.open_below else 'at least'} {units.show(low, self.dimension)}")
        if math.isfinite(high):
            bounds.append(f"at most {units.show(high, self.dimension)}")
        wanted = " and ".join(bounds) or "a finite number"
        return f"must be {wanted}, but is {units.show(value, self.dimension, 12)}"


_single: contextvars.ContextVar[bool] = contextvars.ContextVar("single", default=False)


@contextlib.contextmanager
def in_single() -> Iterator[None]:
    """Inside it modules may be built in single precision, and JAX computes in it: an explicit choice of a sweep."""
    token = _single.set(True)
    try:
        with jax.enable_x64(False):
            yield
    finally:
        _single.reset(token)


def _convert(value: Any) -> Any:
    if value is None:
        return None
    if not jax.config.read("jax_enable_x64") and not _single.get():
        raise RuntimeError("transduce computes in float64: unset JAX_ENABLE_X64 or set it to 1 before importing it")
    return value if isinstance(value, jax.core.Tracer) else jnp.asarray(value, float)


def field(parameter: Parameter, default: Any = dataclasses.MISSING) -> Any:
    """A keyword-only module field that holds one physical parameter (a float64 scalar, or None where the default is None)."""
    options = {} if default is dataclasses.MISSING else {"default": default}
    return eqx.field(converter=_convert, metadata={"parameter": parameter}, kw_only=True, **options)


def _declare(dimension: str, domain: tuple[float, float], open_below: bool = False):
    def declare(default: Any = dataclasses.MISSING, *, box: tuple[float, float] | None = None) -> Any:
        return field(Parameter(dimension, domain, box, open_below), default)

    return declare


_POSITIVE, _ANY = (0.0, math.inf), (-math.inf, math.inf)
rate = _declare("rate", _POSITIVE)
frequency = _declare("rate", _POSITIVE, open_below=True)
detuning = _declare("rate", _ANY)
event_rate = _declare("event rate", _POSITIVE)
power = _declare("power", _POSITIVE)
temperature = _declare("temperature", _POSITIVE)
time = _declare("time", _ANY)
duration = _declare("time", _POSITIVE, open_below=True)
wait = _declare("time", _POSITIVE)
length = _declare("length", _POSITIVE)
loss = _declare("loss", _POSITIVE)
attenuation = _declare("attenuation", _POSITIVE)
dispersion = _declare("dispersion", _ANY)
conductance = _declare("conductance", _POSITIVE, open_below=True)
angle = _declare("angle", _POSITIVE)
fraction = _declare("number", (0.0, 1.0))
number = _declare("number", _POSITIVE)
positive = _declare("number", _POSITIVE, open_below=True)
count = _declare("number", (1.0, math.inf))


def fields_of(model: eqx.Module | type) -> dict[str, Parameter]:
    """The physical fields of a module or of its class, in order, by name."""
    found = ((item.name, item.metadata.get("parameter")) for item in dataclasses.fields(model))
    return {name: parameter for name, parameter in found if parameter is not None}


def check(model: eqx.Module) -> None:
    """Raise on the first concrete field outside its domain; for ``__check_init__``.

    Raises:
        ValueError: "Class.field must ..., but is ...".
    """
    for name, parameter in fields_of(model).items():
        value = getattr(model, name)
        if not isinstance(value, (jax.Array, np.ndarray, float, int)) or not is_concrete(value):
            continue
        for one in np.ravel(np.asarray(value)):
            if (why := parameter.complaint(float(one))) is not None:
                raise ValueError(f"{type(model).__name__}.{name} {why}")


class AbstractRow(eqx.Module):
    """A row of named parts, such as the stages of a link: the names stand in paths, the order in the tuple."""

    names: eqx.AbstractVar[tuple[str, ...]]
    parts: eqx.AbstractVar[tuple[Any, ...]]


def _children(model: Any) -> dict[str, Any]:
    if isinstance(model, dict):
        return model
    if isinstance(model, (tuple, list)):
        return {str(index): item for index, item in enumerate(model)}
    if isinstance(model, AbstractRow):
        return dict(zip(model.names, model.parts, strict=True))
    if isinstance(model, eqx.Module):
        return {item.name: getattr(model, item.name) for item in dataclasses.fields(model)}
    return {}


def walk(model: Any, prefix: str = "") -> Iterator[tuple[str, Parameter, Any]]:
    """Every physical parameter of a tree of modules, dicts and tuples: (path, parameter, value), absent ones left out.

    A path joins field names and keys with dots: ``device.lab.pump_power``, ``path.fibre.length``.
    """
    known = fields_of(model) if isinstance(model, eqx.Module) else {}
    for name, child in _children(model).items():
        if name not in known:
            yield from walk(child, f"{prefix}{name}.")
        elif child is not None:
            yield prefix + name, known[name], child


def get(model: Any, path: str) -> Any:
    """The value at a path of ``walk``.

    Raises:
        KeyError: there is no such path.
    """
    for name in path.split("."):
        children = _children(model)
        if name not in children:
            raise KeyError(path)
        model = children[name]
    return model


def replace(model: Any, values: dict[str, Any]) -> Any:
    """The model with the values at these paths; domains are not checked (an optimiser projects, front doors check again)."""
    paths = list(values)
    new = [_convert(values[path]) for path in paths]
    return eqx.tree_at(lambda tree: [get(tree, path) for path in paths], model, new, is_leaf=lambda leaf: leaf is None)
