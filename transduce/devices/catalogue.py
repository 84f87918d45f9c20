"""The library of published devices: cited TOML files beside this one, and the device classes by the names that files use.

A new entry is a new file in ``library``; a new class is found by importing this package. Each value of an entry says where it is from:
primary (read in the paper), secondary (read elsewhere), derived (from such numbers), assumed, or recalled (from memory, unverified).
"""

import difflib
import functools
import importlib
import pathlib
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import parameters, units
from ..parameters import Parameter
from .base import AbstractDevice

LIBRARY = pathlib.Path(__file__).parent / "library"
STATUSES = ("primary", "secondary", "derived", "assumed", "recalled")
_ALTERNATIVES = (("pump_power", "pump_photons", "cooperativity"), ("temperature", "n"), ("g_s", "g0_s"))


class Value(NamedTuple):
    """One figure of an entry as it is written: a number or "1.5 MHz", its status, and a remark."""

    value: Any
    status: str
    note: str = ""


class Entry(NamedTuple):
    """A device of the library.

    Attributes:
        name: of its file.
        kind: of its class.
        title, citation, doi, arxiv, platform: where it comes from.
        fields: of the data sheet.
        options: static ones, such as ``pump``.
        reported: figures of the paper, to compare with.
    """

    name: str
    kind: str
    title: str
    citation: str
    doi: str
    arxiv: str
    platform: str
    fields: dict[str, Value]
    options: dict[str, Any]
    reported: dict[str, Value]


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
    """The entries of the library."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.toml")))


@functools.cache
def entry(name: str) -> Entry:
    """One entry of the library.

    Raises:
        ValueError: there is none of that name; the nearest is named.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1, 0.0)[0]
        raise ValueError(f"device: name must be an entry of the library, but is {name!r}; the nearest is {near!r}")
    data = tomllib.loads((LIBRARY / f"{name}.toml").read_text(encoding="utf-8"))
    values = {part: {key: Value(**value) for key, value in data.get(part, {}).items()} for part in ("fields", "reported")}
    told: dict[str, Any] = {key: data.get(key, "") for key in ("title", "citation", "doi", "arxiv", "platform")}
    return Entry(name, data["kind"], **told, options=data.get("options", {}), fields=values["fields"], reported=values["reported"])


def quantity(raw: Any, parameter: Parameter) -> float:
    """A value as a file writes it, inside units: a string with a unit, or, for a dimensionless one, a number.

    Raises:
        ValueError: "must ..., but is ...".
    """
    if parameter.dimension == "number":
        if isinstance(raw, bool) or not isinstance(raw, (int, float)):
            raise ValueError(f"must be a number, such as {units.example('number')}, but is {raw!r}")
        try:
            value = float(raw)
        except OverflowError:
            raise ValueError(f"must be a number of at most 309 digits, but has {len(str(abs(raw)))}") from None
    elif isinstance(raw, str):
        value = units.parse(raw, parameter.dimension).value
    else:
        raise ValueError(f"needs a unit, such as {units.example(parameter.dimension)}, but is {raw!r}")
    if (why := parameter.complaint(value)) is not None:
        raise ValueError(why)
    return value


def merged(fields: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Fields with overrides; one of several alternatives (pump power, photons, cooperativity; temperature, occupation) ousts the rest."""
    ousted: set[str] = set()
    for key in overrides:
        for group in _ALTERNATIVES:
            stem = next((stem for stem in group if key == stem or key.startswith(stem + "_")), None)
            if stem is not None and key not in ("temperature", "n_s"):
                ousted |= {other + key.removeprefix(stem) for other in group if other != stem}
    return {key: value for key, value in fields.items() if key not in ousted} | overrides


def device(name: str, **overrides: Any) -> AbstractDevice:
    """A device of the library, some fields overridden in inside units.

    >>> device("sahu-2022", pump_power=50 * mW).efficiency()

    Raises:
        ValueError: no such entry; or a field outside its domain.
    """
    found = entry(name)
    cls: Any = kinds(AbstractDevice)[found.kind]
    known = parameters.fields_of(cls)
    fields = {key: np.asarray(quantity(value.value, known[key])) for key, value in found.fields.items()}
    return cls(**merged(fields, {**found.options, **overrides}))
