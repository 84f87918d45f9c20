"""The library of published devices: cited TOML files beside this one, and the device classes by the names that files use.

A new entry is a new file in ``library`` (its README says how; ``entry`` has the schema); a new class is found by importing this package.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import parameters
from ..parameters import Parameter
from .base import AbstractDevice
from .entry import Entry as Entry
from .entry import entry as entry
from .entry import library, number

_ALTERNATIVES = (("pump_power", "pump_photons", "cooperativity"), ("temperature", "n"), ("g_s", "g0_s"))


def kebab(name: str) -> str:
    """A class name as files write it: ``ElectroOptic`` is "electro-optic"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def kinds(base: type) -> dict[str, type]:
    """The final classes below a base, by the names that files use; all modules of the base's package are imported to find them."""
    package = importlib.import_module(base.__module__.rpartition(".")[0])
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")

    def below(cls: type) -> Iterator[type]:
        child: type
        for child in cls.__subclasses__():
            yield from below(child)
            if not child.__name__.startswith("Abstract") and child.__module__.startswith(package.__name__ + "."):
                yield child

    return {kebab(cls.__name__): cls for cls in sorted(below(base), key=lambda cls: cls.__name__)}


def names() -> tuple[str, ...]:
    """The entries that a device can be made of as they are."""
    return tuple(name for name in library() if entry(name).complete)


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
    known = kinds(AbstractDevice)
    if found.kind and found.kind not in known:
        raise ValueError(f"{found.name}.toml: kind must be one of {', '.join(known)}, but is {found.kind!r}")
    fields = parameters.fields_of(known.get(found.kind, AbstractDevice))
    values = {}
    for key, value in (found.points[point] if point else found.fields).items():
        try:
            values[key] = np.asarray(quantity(value.value, fields[key]))
        except KeyError:
            raise ValueError(f"{found.name}.toml: {key} must be a field of its class, but is not") from None
        except ValueError as error:
            raise ValueError(f"{found.name}.toml: {key} {error}") from None
    return values


def merged(fields: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Fields with overrides; one of several alternatives (pump power, photons, cooperativity; temperature, occupation) ousts the rest."""
    ousted: set[str] = set()
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
