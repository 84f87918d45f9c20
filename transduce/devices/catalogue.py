"""The library of published devices: cited TOML files beside this one, and the device classes by the names that files use.

A new entry is a new file in ``library`` (its README says how; ``entry`` has the schema); a new class is found by importing this package.
"""

import dataclasses
import functools
import importlib
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

import numpy as np

from .. import parameters
from ..parameters import Parameter
from .base import AbstractDevice
from .entry import Entry as Entry
from .entry import entry as _read
from .entry import library, number

_ALTERNATIVES = (("pump_power", "pump_photons", "cooperativity"), ("temperature", "n"), ("g_s", "g0_s"))
_LAW = ("heating_conductance", "heating_exponent")
"""The law of heating as fields; a stated ``heating`` ousts them."""


def kebab(name: str) -> str:
    """A class name as files write it: ``ElectroOptic`` is "electro-optic"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def kinds(base: type) -> dict[str, type]:
    """The final classes below a base, by the names that files use: those of its package's modules that name the base."""
    package = importlib.import_module(base.__module__.rpartition(".")[0])
    for folder in package.__path__:
        for file in sorted(pathlib.Path(folder).glob("*.py")):
            if base.__name__ in file.read_text(encoding="utf-8"):
                importlib.import_module(f"{package.__name__}.{file.stem}")

    def below(cls: type) -> Iterator[type]:
        child: type
        for child in cls.__subclasses__():
            yield from below(child)
            if not child.__name__.startswith("Abstract") and child.__module__.startswith(package.__name__ + "."):
                yield child

    return {kebab(cls.__name__): cls for cls in sorted(below(base), key=lambda cls: cls.__name__)}


@functools.cache
def entry(name: str) -> Entry:
    """One entry of the library, checked against its class too.

    Raises:
        ValueError: there is none of that name, and the nearest is named; or its file is wrong, in one line.
    """
    found = _read(name)
    check(found)
    return found


def names() -> tuple[str, ...]:
    """The entries that a device can be made of as they are; no wrong file is one (``entry`` says why)."""

    def runs(name: str) -> bool:
        try:
            return entry(name).complete
        except ValueError:
            return False

    return tuple(filter(runs, library()))


def quantity(raw: Any, parameter: Parameter) -> float:
    """A value as a file writes it, inside units: a string with a unit, or, for a dimensionless one, a number.

    Raises:
        ValueError: "must ..., but is ...".
    """
    value = float(number(raw, parameter.dimension))
    if (why := parameter.complaint(value)) is not None:
        raise ValueError(why)
    return value


def quantities(found: Entry, point: str = "") -> dict[str, Any]:
    """The fields of an entry, or of one of its points, inside units.

    Raises:
        ValueError: its kind is no class, a field is none of the class, or its value is refused; in one line.
    """
    fields, at = parameters.fields_of(_class(found)), f"points.{point}." if point else ""
    values: dict[str, Any] = {}
    for key, value in (found.points[point] if point else found.fields).items():
        try:
            values[key] = np.asarray(quantity(value.value, fields[key]))
        except KeyError:
            raise ValueError(f"{found.name}.toml: {at}{key} must be a field of its class, but is not") from None
        except ValueError as error:
            raise ValueError(f"{found.name}.toml: {at}{key} {error}") from None
    return values


def _class(found: Entry) -> Any:
    """The class of an entry's kind; the base where no class fits yet."""
    known = kinds(AbstractDevice)
    if found.kind and found.kind not in known:
        raise ValueError(f"{found.name}.toml: kind must be one of {', '.join(known)}, but is {found.kind!r}")
    return known.get(found.kind, AbstractDevice)


def check(found: Entry) -> None:
    """An entry's kind, fields, points, options and ``missing`` are of its class, and a complete one makes a device at each point.

    Raises:
        ValueError: one line, "name.toml: key must ..., but ...".
    """
    cls, file = _class(found), f"{found.name}.toml"
    fields, points = quantities(found), {point: quantities(found, point) for point in found.points}
    if strange := [key for key in found.missing if key not in parameters.fields_of(cls)]:
        raise ValueError(f"{file}: missing must name fields of its class, but names {', '.join(strange)}")
    if why := _wrong_option(cls, found.options):
        raise ValueError(f"{file}: options.{why}")
    needed = (item.name for item in dataclasses.fields(cls) if item.default is dataclasses.MISSING)
    if found.kind and (absent := [key for key in needed if key not in {*fields, *found.missing}]):
        raise ValueError(f"{file}: fields must have {', '.join(absent)}, or missing must name them, but neither does")
    for point, there in {"": {}, **points}.items() if found.complete else ():
        try:
            cls(**merged(fields, there), **found.options)
        except ValueError as error:
            raise ValueError(f"{file}: {f'points.{point}: ' if point else ''}{error}") from None


def _wrong_option(cls: Any, options: dict[str, Any]) -> str:
    """What is wrong with the first wrong option; "" where none is."""
    known: dict[str, Any] = {item.name: item.type for item in dataclasses.fields(cls) if item.metadata.get("static")}
    for key, value in options.items():
        if key not in known:
            return f"{key} must be an option of its class, {' or '.join(known) or 'which has none'}, but is not"
        choices = get_args(known[key]) if get_origin(known[key]) is Literal else ()
        if value not in choices if choices else type(value) is not known[key]:
            right = {bool: "true or false", int: "a whole number"}.get(known[key], " or ".join(map(repr, choices)) or "a name in quotes")
            return f"{key} must be {right}, but is {value!r}"
    return ""


def merged(fields: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Fields with overrides; one of several alternatives ousts the rest.

    They are pump power, photons and cooperativity; temperature and occupation; a law of heating and the fields that state one.
    """
    ousted: set[str] = set(_LAW if overrides.get("heating") is not None else ())
    for key in overrides:
        for group in _ALTERNATIVES:
            stem = next((stem for stem in group if key == stem or key.startswith(stem + "_")), None)
            if stem is not None and key not in ("temperature", "n_s"):
                ousted |= {other + key.removeprefix(stem) for other in group if other != stem}
    return {key: value for key, value in fields.items() if key not in ousted} | overrides


def lacking(found: Entry, stated: Iterable[str]) -> str:
    """Why an entry and these fields make no device yet, as "must have ..., but ..."; "" where they do."""
    left = merged(dict.fromkeys(found.missing), dict.fromkeys(stated, True))
    missing = [key for key in found.missing if key in left and not left[key]]
    if found.kind and not missing:
        return ""
    return f"must have {', '.join(missing) or 'a class'}, but {found.lacks}{'; state them here' if found.kind else ''}"


def device(name: str, **overrides: Any) -> AbstractDevice:
    """A device of the library, some fields overridden in inside units.

    >>> device("sahu-2022", pump_power=50 * mW).efficiency()

    Raises:
        ValueError: no such entry; it lacks fields that are not among the overrides either; or a field outside its domain.
    """
    found = entry(name)
    if why := lacking(found, overrides):
        raise ValueError(f"device: {name!r} {why}")
    cls: Any = kinds(AbstractDevice)[found.kind]
    return cls(**merged(quantities(found), {**found.options, **overrides}))
