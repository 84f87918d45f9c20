"""What an entry of the library is: a published device as one TOML file, checked against a schema, without JAX.

Each value has a status: primary (read in the paper), secondary (read elsewhere), derived (from such numbers), assumed, or recalled (from
memory, unverified: no evidence). ``[source]`` says where the primary and the secondary ones were read; a note says what a derived one is
derived from. Reported figures have the names of ``FIGURES``, one meaning each, so that devices can be compared.
"""

import difflib
import functools
import math
import pathlib
import tomllib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError, field_validator, model_validator

from .. import units

LIBRARY = pathlib.Path(__file__).parent / "library"
Status = Literal["primary", "secondary", "derived", "assumed", "recalled"]
STATUSES: tuple[Status, ...] = ("primary", "secondary", "derived", "assumed", "recalled")

FIGURES: dict[str, tuple[str, str]] = {
    "efficiency": ("number", "photons out of one port per photon into the other, at its peak in frequency; the note says between which"),
    "efficiency_internal": ("number", "efficiency over both escape efficiencies"),
    "efficiency_end_to_end": ("number", "from the microwave source to the optical detector's click, losses of the set-up included"),
    "efficiency_swap": ("number", "of one pulse's step from qubit or microwave mode to mechanical mode"),
    "bandwidth_fwhm": ("rate", "full width at half maximum of the efficiency"),
    "splitting": ("rate", "between the two peaks of a doublet"),
    "added_noise_up": ("number", "noise photons, microwave to optics, referred to the microwave input"),
    "added_noise_down": ("number", "noise photons, optics to microwave, referred to the optical input"),
    "added_noise": ("number", "noise photons referred to the input; the note says what is known of its direction"),
    "noise_output_down": ("number", "noise photons out of the microwave port"),
    "noise_output": ("number", "noise photons at the output of a conversion; the note says what is known of its direction"),
    "occupation_e": ("number", "photons in the microwave mode"),
    "occupation_m": ("number", "phonons in the mechanical mode"),
    "cooperativity": ("number", "4 g^2 / (kappa_e kappa_o) of microwave and optical mode"),
    "cooperativity_em": ("number", "of microwave and mechanical (or spin) mode"),
    "cooperativity_om": ("number", "of optical and mechanical (or spin) mode"),
    "cooperativity_quantum": ("number", "cooperativity over the thermal occupation"),
    "cooperativity_single_photon": ("number", "of one pump photon"),
    "kappa_e": ("rate", "total decay rate of the microwave mode"),
    "kappa_o": ("rate", "total decay rate of the optical mode"),
    "optomechanical_rate": ("rate", "4 G^2 / kappa_o at the pump's photons"),
    "pump_photons": ("number", "of the optical pump in its cavity"),
    "pump_power": ("power", "of the optical pump, peak; the note says where"),
    "rate": ("event rate", "photons converted per second: efficiency x bandwidth x duty"),
    "rate_heralding": ("event rate", "heralds per second"),
    "repetition_rate": ("event rate", "pulses per second"),
    "capacity_lower": ("event rate", "qubits per second that a one-way code is sure to carry, microwave to optics, over all frequencies"),
    "capacity_upper": ("event rate", "qubits per second that no one-way code exceeds"),
    "capacity_share": ("number", "capacity_lower over the most that couplings no larger than the device's allow"),
    "squeezing": ("loss", "of the joint microwave-optical quadratures below vacuum"),
    "readout_fidelity": ("number", "of a qubit's state, read through the transducer"),
    "operation": ("text", '"continuous" or "pulsed"'),
}
"""Name of a reported figure -> (dimension, meaning)."""


class Value(BaseModel):
    """A value as it is written: a number or "1.5 MHz", its status, and a remark.

    Attributes:
        value, status, note: as above.
        at: of a reported figure: the operating point, a table of ``[points]``; "" where it is that of ``[fields]``.
        tolerance: of a reported figure: how far, relative, the one recomputed may lie.
        reason: why a figure that could be recomputed is not expected to agree, or proves nothing by agreeing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    value: float | str
    status: Status
    note: str = ""
    at: str = ""
    tolerance: float | None = Field(default=None, gt=0, lt=1)
    reason: str = ""

    @model_validator(mode="after")
    def _evidence(self) -> "Value":
        if self.tolerance is not None and (self.reason or self.status in ("assumed", "recalled")):
            raise ValueError("must have either a tolerance or a reason, and a tolerance only where it is evidence")
        return self


class Entry(BaseModel):
    """A device of the library.

    Attributes:
        name: of its file: first author and year.
        title, citation, doi, arxiv, year, platform: where it comes from; year 0 of an illustration.
        kind: of its class; "" where no class fits yet.
        source: status -> where values of that status were read.
        note: what else is known.
        fields: of the data sheet. A conductance's unit W/K^q states the exponent beside it.
        options: static ones, such as ``pump``.
        missing: fields of its class that no source gives.
        points: name -> the fields that differ at another operating point; none are listed where it is not known how they differ.
        reported: figures of the paper. A key is a name of ``FIGURES``, or begins with one and has ``at`` or a note that tells them apart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    doi: str = ""
    arxiv: str = ""
    year: int
    platform: str = Field(min_length=1)
    kind: str = ""
    source: dict[Status, str] = {}
    note: str = ""
    fields: dict[str, Value] = {}
    options: dict[str, StrictBool | StrictInt | StrictStr] = {}
    missing: tuple[str, ...] = ()
    points: dict[str, dict[str, Value]] = {}
    reported: dict[str, Value] = {}

    @field_validator("fields")
    @classmethod
    def _complete(cls, fields: dict[str, Value]) -> dict[str, Value]:
        return _with_exponents(fields)

    @field_validator("points")
    @classmethod
    def _each_complete(cls, points: dict[str, dict[str, Value]]) -> dict[str, dict[str, Value]]:
        return {name: _with_exponents(point) for name, point in points.items()}

    @field_validator("reported")
    @classmethod
    def _canonical(cls, reported: dict[str, Value]) -> dict[str, Value]:
        for key, value in reported.items():
            dimension = FIGURES[figure(key)][0]
            try:
                found = number(value.value, dimension)
            except ValueError as error:
                raise ValueError(f"{key} {error}") from None
            if isinstance(found, float) and not 0 <= found < math.inf:
                raise ValueError(f"{key} must be finite and at least 0, but is {value.value!r}")
        return reported

    @model_validator(mode="after")
    def _coherent(self) -> "Entry":
        pointed = {name: value for point in self.points.values() for name, value in point.items()}
        for key, value in (*self.fields.items(), *self.reported.items(), *pointed.items()):
            if value.status in ("primary", "secondary") and value.status not in self.source:
                raise ValueError(f"{key} must have its source, but source.{value.status} is not there")
            if value.status == "derived" and not value.note:
                raise ValueError(f"{key} must have a note that says what it is derived from")
            if value.at and value.at not in self.points:
                raise ValueError(f"{key} must be at one of {', '.join(self.points) or 'no points'}, but is at {value.at!r}")
        for point in self.points.values():
            _with_exponents({**self.fields, **point})
        if both := sorted(set(self.missing) & set(self.fields)):
            raise ValueError(f"missing must not list {', '.join(both)}, which is a field")
        return self

    @property
    def complete(self) -> bool:
        """Whether a device can be made of it."""
        return bool(self.kind) and not self.missing

    @property
    def lacks(self) -> str:
        """What keeps it from being a device, in words; "" of a complete one."""
        return "" if self.complete else f"no source gives {', '.join(self.missing)}" if self.kind else "no class models its platform yet"


def _with_exponents(fields: dict[str, Value]) -> dict[str, Value]:
    """Fields with the exponent q of each conductance, which its unit W/K^q states, and with which a stated one must agree."""
    answer = dict(fields)
    for key, value in fields.items():
        if not key.endswith("conductance"):
            continue
        try:
            exponent = units.parse(str(value.value), "conductance").exponent
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None
        beside = key.removesuffix("conductance") + "exponent"
        stated = answer.setdefault(beside, Value(value=exponent or 1.0, status=value.status, note=f"of the unit of {key}")).value
        if stated != exponent:
            raise ValueError(f"{key} must be in W/K^{stated}, as {beside} says, but is {value.value!r}")
    return answer


def figure(key: str) -> str:
    """The name of ``FIGURES`` that a key of ``reported`` is or begins with.

    Raises:
        ValueError: there is none; the nearest is named.
    """
    found = max((name for name in FIGURES if key == name or key.startswith(name + "_")), key=len, default=None)
    if found is None:
        raise ValueError(f"{key} must be a known figure; the nearest is {difflib.get_close_matches(key.lower(), FIGURES, 1, 0.0)[0]}")
    return found


def number(raw: Any, dimension: str) -> float | str:
    """A value as a file writes it, inside units: a string with a unit, a number for a dimensionless one, or text.

    Raises:
        ValueError: "must ..., but is ...".
    """
    if dimension == "text":
        if not isinstance(raw, str):
            raise ValueError(f"must be words, but is {raw!r}")
        return raw
    if dimension != "number":
        if isinstance(raw, str):
            return units.parse(raw, dimension).value
        raise ValueError(f"needs a unit, such as {units.example(dimension)}, but is {raw!r}")
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise ValueError(f"must be a number, such as {units.example('number')}, but is {raw!r}")
    try:
        return float(raw)
    except OverflowError:
        raise ValueError(f"must be a number of at most 309 digits, but has {len(str(abs(raw)))}") from None


def schema() -> dict[str, Any]:
    """The JSON schema of an entry's file (its name is the file's)."""
    described = Entry.model_json_schema()
    del described["properties"]["name"]
    described["required"].remove("name")
    reported = described["properties"]["reported"]
    reported["propertyNames"] = {"pattern": f"^({'|'.join(FIGURES)})(_.+)?$"}
    reported["description"] = "; ".join(f"{name} ({dimension}): {meaning}" for name, (dimension, meaning) in FIGURES.items())
    return described


def library() -> tuple[str, ...]:
    """All entries by name, those that lack something included."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.toml")))


@functools.cache
def entry(name: str) -> Entry:
    """One entry of the library.

    Raises:
        ValueError: there is none of that name, and the nearest is named; or its file is wrong, in one line.
    """
    if name not in library():
        near = difflib.get_close_matches(name.lower(), library(), 1, 0.0)[0]
        raise ValueError(f"device: name must be an entry of the library, but is {name!r}; the nearest is {near!r}")
    try:
        return load(name, (LIBRARY / f"{name}.toml").read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}.toml: must be UTF-8 text, but has the byte 0x{error.object[error.start]:02x}") from None
    except OSError as error:
        raise ValueError(f"{name}.toml: cannot be read: {error.strerror or error}") from None


def load(name: str, text: str) -> Entry:
    """An entry from the text of its file.

    Raises:
        ValueError: one line, "name.toml: key: what is wrong".
    """
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"{name}.toml: is nested too deeply") from None
    except ValueError as error:  # a TOMLDecodeError, or an integer of thousands of digits
        raise ValueError(f"{name}.toml: is not TOML: {' '.join(str(error).split())}") from None
    if "name" in data:
        raise ValueError(f"{name}.toml: name must not be stated: it is the file's")
    try:
        return Entry.model_validate({"name": name, **data})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        what = " ".join((f"{place}: {first['msg']}" if place else first["msg"]).replace("Value error, ", "").split())
        raise ValueError(f"{name}.toml: {what if len(what) < 600 else what[:597] + '...'}") from None
