"""A study's file -> the parts it describes: checked values, what each is known by, and how the connection is assembled from them.

The parts are ``{"device": {...}, "node": {...}, "path": Link, "photon": ...}``, so that a parameter has the same path everywhere:
``device.lab.pump_power``, ``node.a.qubit.t1``, ``path.fibre.length``, ``photon.bandwidth``. Each input has a status: "given" in the file,
"default" of its class, or that of the library's entry (primary, secondary, derived, assumed, recalled).
"""

import dataclasses
import re
import sys
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .. import parameters, units
from ..devices import catalogue
from ..devices.base import AbstractDevice, structure
from ..devices.entry import entry as read_entry
from ..devices.entry import library
from ..devices.heating import COOLING_POWER, AbstractHeating
from ..link.base import AbstractStage
from ..link.emission import Qubit
from ..link.link import Link
from ..link.node import RESERVED, Connection, Node
from ..link.routing import Station
from ..link.sampled import Sampled
from ..link.wavepacket import AbstractWavepacket
from ..protocols.base import AbstractProtocol
from ..protocols.heralded import SHAPES
from ..protocols.transfer import Passage, Transfer
from ..qubit.detector import Detector
from ..qubit.encodings import AbstractEncoding
from . import protocols
from .figures import View
from .source import Place, Source, WrongInput, near

_ROWS = {
    "times": parameters.Parameter("time", (-np.inf, np.inf)),
    "powers": parameters.Parameter("power", (0.0, np.inf)),
    "occupations": parameters.Parameter("number", (0.0, np.inf)),
}
"""Fields of a table that are lists of quantities."""
COOLING = parameters.Parameter("power", (0.0, np.inf), open_below=True)
WORD = r"[A-Za-z_][A-Za-z0-9_-]*"


@dataclasses.dataclass(frozen=True)
class Setting:
    """All of a study but its aims.

    Attributes:
        source: the file.
        parts: the tree of what has parameters.
        devices: node -> name of its device.
        protocol: whose figures are the study's.
        encoding: of the transfer.
        image: of the path's link.
        frequency_shift: of the path (rad/s).
        status: path of an input or option -> what it is known by.
        cooling_power: of the refrigerator at the devices' stage (W).
    """

    source: Source
    parts: dict[str, Any]
    devices: dict[str, str]
    protocol: str
    encoding: AbstractEncoding
    image: str
    frequency_shift: float
    status: dict[str, str]
    cooling_power: float = COOLING_POWER

    def refrigerator_shares(self, parts: dict[str, Any]) -> dict[str, Any]:
        """What the converters up and down ask of the cooling power; None where a pump's power is not known."""
        ends = {"up": "a", "down": "b"}
        return {stage: parts["device"][self.devices[end]].refrigerator_share(self.cooling_power) for stage, end in ends.items()}

    def assemble(self, parts: dict[str, Any], samples: int | None = None) -> tuple[Transfer, Connection]:
        """The transfer and the connection, from the parts; for use inside a compiled function."""
        a, b = (Node(**parts["node"][end], device=parts["device"][self.devices[end]]) for end in ("a", "b"))
        transfer = Transfer(self.encoding, parts["photon"], parts.get("detection"), samples, schedule=parts["schedule"])
        shift, clocks = jnp.asarray(self.frequency_shift), parts.get("synchronisation")
        return transfer, Connection(a, b, parts["path"], frequency_shift=shift, synchronisation=clocks)

    def view(self, parts: dict[str, Any], samples: int) -> tuple[Transfer, View]:
        """The transfer, and all that figures are read from; for use inside a compiled function."""
        transfer, connection = self.assemble(parts, samples)
        passage = Passage.over(transfer, connection)
        done = transfer.performance(passage)
        own = self.protocol == protocols.TRANSFER
        case = protocols.case(done, transfer, parts, connection) if own else self.performance(self.protocol, parts)
        return transfer, View(done, passage, lambda: self.refrigerator_shares(parts), case)

    def protocol_over(self, name: str, parts: dict[str, Any], samples: int | None = None) -> tuple[AbstractProtocol, Connection]:
        """A protocol and the connection that it runs over, from the parts."""
        transfer, connection = self.assemble(parts, samples)
        protocol = transfer if name == protocols.TRANSFER else protocols.named(name, parts, self.encoding)
        return protocol, protocols.pumped(name, connection, parts)

    def performance(self, name: str, parts: dict[str, Any]) -> protocols.Case:
        """A protocol and its distilled pairs, from the parts; for use inside a compiled function."""
        protocol, connection = self.protocol_over(name, parts)
        return protocols.case(protocol(connection), protocol, parts, connection)

    def causes(self, parts: dict[str, Any]) -> dict[str, Any]:
        """What limits the study's protocol and its distilled pairs (that of a transfer is its budget)."""
        return protocols.causes(*self.protocol_over(self.protocol, parts), parts)

    def lacking(self, name: str) -> str | None:
        """Why a protocol cannot run over this study's connection; None where it can."""
        return protocols.lacking(name, {end: self.parts["device"][self.devices[end]] for end in ("a", "b")})


def quantity(source: Source, place: Place, raw: Any, parameter: parameters.Parameter) -> float:
    """A value of the file, inside units.

    Raises:
        WrongInput: with the right form.
    """
    try:
        return catalogue.quantity(raw, parameter)
    except ValueError as error:
        raise source.wrong(place, str(error)) from None


def exponent_of(conductance: str) -> str:
    """The name or path of the exponent beside a conductance: heating_conductance has heating_exponent."""
    return conductance.removesuffix("conductance") + "exponent"


def _known(cls: type, extra: tuple[str, ...] = ()) -> tuple[dict[str, parameters.Parameter], list[str]]:
    fields = parameters.fields_of(cls)
    return fields, [item.name for item in dataclasses.fields(cls) if item.name not in fields and item.name not in extra]


def is_number(value: Any) -> bool:
    """Whether it is a number that float64 holds."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _array(source: Source, place: Place, raw: Any) -> Any:
    """Quantities, or for samples amplitudes: numbers or [re, im] pairs."""
    if (known := _ROWS.get(str(place[-1]))) is not None:
        if not isinstance(raw, list):
            examples = {"time": '["0 s", "1 us"]', "power": '["0 W", "1 mW"]', "number": "[0.0, 0.5]"}
            what = f"must be a list of {place[-1]}, such as {examples[known.dimension]}, but is {raw!r}"
            raise source.wrong(place, what)
        return np.array([quantity(source, place, one, known) for one in raw], float)
    pairs = [one if isinstance(one, list) else [one, 0.0] for one in raw] if isinstance(raw, list) else None
    good = pairs and all(len(pair) == 2 and all(map(is_number, pair)) for pair in pairs)
    if not good:
        raise source.wrong(place, "must be a list of finite numbers or [re, im] pairs, such as [0.1, 0.5, [0.3, 0.1]]")
    return np.array([complex(*map(float, pair)) for pair in pairs or []])


class Maker:
    """Makes modules from tables and notes the status of each of their inputs."""

    def __init__(self, source: Source) -> None:
        self.source, self.status = source, {}  # type: Source, dict[str, str]

    def make(self, cls: Any, place: Place, path: str, raw: dict[str, Any], entry: catalogue.Entry | None = None, skip: Any = ()) -> Any:
        """A module of the class from the table at a place; ``path`` is its own in the parts, ``skip`` names keys that are not fields."""
        fields, options = _known(cls)
        given = {key: value for key, value in self.source.table(place, raw, [*skip, *fields, *options]).items() if key not in skip}
        values: dict[str, Any] = {}
        for key, value in given.items():
            at = (*place, key)
            if key in fields:
                values[key] = quantity(self.source, at, value, fields[key])
            elif key in (*_ROWS, "samples"):
                values[key] = _array(self.source, at, value)
            elif key == "heating":
                values[key] = self._heating(at, f"{path}.heating", value)
            elif key == "detector":
                values[key] = self.make(Detector, at, f"{path}.detector", value)
            else:
                values[key] = self._option(cls, at, value)
        status = dict.fromkeys(values, "given")
        if entry is not None:
            ousted = ("heating_conductance", "heating_exponent") if "heating" in given else ()
            known = {key: value for key, value in entry.fields.items() if key not in ousted}
            own = {key: catalogue.quantity(value.value, fields[key]) for key, value in known.items()}
            values = catalogue.merged({**own, **entry.options}, values)
            status = {**{key: value.status for key, value in known.items()}, **status}
        for key in given:
            if key in fields and fields[key].dimension == "conductance":
                self._exponent((*place, key), given[key], values, status)
        for item in dataclasses.fields(cls):
            missing = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
            if item.name not in values and missing:
                raise self.source.wrong(place, f"must have {item.name}, but has {', '.join(raw) or 'nothing'}")
        try:
            module = cls(**{key: np.asarray(value, float) if key in fields else value for key, value in values.items()})
        except (ValueError, TypeError) as error:
            raise self._located(place, cls, str(error)) from None
        for key in (*fields, *options):
            if getattr(module, key) is not None:
                self.status[f"{path}.{key}"] = status.get(key, "default")
        if "detector" in options and "detector" not in given:
            self.status |= {f"{path}.detector.{key}": "default" for key in dataclasses.asdict(module.detector)}
        return module

    def _option(self, cls: type, place: Place, value: Any) -> Any:
        wanted = next(type(item.default) for item in dataclasses.fields(cls) if item.name == place[-1])
        if wanted is tuple and isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return tuple(value)
        if type(value) is not wanted:
            right = {bool: "true or false", int: "a whole number", tuple: "a list of names in quotes"}.get(wanted, "a name in quotes")
            raise self.source.wrong(place, f"must be {right}, but is {value!r}")
        return value

    def _heating(self, place: Place, path: str, raw: Any) -> AbstractHeating:
        known = {name.removesuffix("-heating"): cls for name, cls in catalogue.kinds(AbstractHeating).items()}
        return self.make(self.kind(place, self.source.table(place, raw), "law", known), place, path, raw, skip=("law",))

    def _exponent(self, place: Place, raw: str, values: dict[str, Any], status: dict[str, str]) -> None:
        """The unit W/K^q of a conductance and the exponent beside it must agree; unstated, it is the unit's."""
        stated, beside = units.parse(raw, "conductance").exponent, exponent_of(str(place[-1]))
        if values.setdefault(beside, stated) != stated:
            raise self.source.wrong(place, f"must be in W/K^{values[beside]:g}, as {beside} says, but is {raw!r}")
        status.setdefault(beside, "given")

    def _located(self, place: Place, cls: type, message: str) -> WrongInput:
        found = re.match(rf"{cls.__name__}(?:\.(\w+))? (.*)", message, re.DOTALL)
        key = (found[1],) if found and found[1] else ()
        return self.source.wrong((*place, *key), found[2] if found else message)

    def kind(self, place: Place, raw: dict[str, Any], key: str, known: dict[str, Any]) -> Any:
        """The class that a table names."""
        name = raw.get(key)
        if name is None:
            raise self.source.wrong(place, f"must have {key}, one of {', '.join(known)}")
        if not isinstance(name, str) or name not in known:
            raise self.source.wrong((*place, key), f"must be one of {', '.join(known)}, but is {name!r}; {near(name, known)}")
        return known[name]


def _device(maker: Maker, name: str, raw: Any) -> AbstractDevice:
    place: Place = ("device", name)
    if not re.fullmatch(WORD, name):
        raise maker.source.wrong(place, f"must be a word of letters, digits, - and _, but is {name!r}")
    source, known = maker.source, catalogue.kinds(AbstractDevice)
    source.table(place, raw)
    if ("from" in raw) == ("kind" in raw):
        which = "both" if "from" in raw else "neither"
        raise source.wrong(place, f'must have either from = "{catalogue.names()[-1]}" or kind = "{next(iter(known))}", but has {which}')
    if "kind" in raw:
        return maker.make(maker.kind(place, raw, "kind", known), place, f"device.{name}", raw, skip=("kind",))
    if not isinstance(raw["from"], str) or raw["from"] not in library():
        what = f"must be an entry of the device library, but is {raw['from']!r}; {near(raw['from'], catalogue.names())}"
        raise source.wrong((*place, "from"), what)
    try:
        entry = read_entry(raw["from"])
    except ValueError as error:
        raise source.wrong((*place, "from"), f"must be an entry that can be read, but {error}") from None
    if why := catalogue.lacking(entry, raw):
        raise source.wrong((*place, "from"), f"{raw['from']} {why}")
    return maker.make(known[entry.kind], place, f"device.{name}", raw, entry, skip=("from",))


def _node(maker: Maker, end: str, raw: Any, devices: dict[str, Any]) -> tuple[str, dict[str, Qubit]]:
    place: Place = ("node", end)
    maker.source.table(place, raw, ("device", "qubit", "memory"), needed=("device", "qubit"))
    name = raw["device"]
    if not isinstance(name, str):
        raise maker.source.wrong((*place, "device"), f"must be a name in quotes, but is {name!r}")
    if name not in devices:
        raise maker.source.wrong((*place, "device"), f"must be a device of this file, but is {name!r}; {near(name, devices)}")
    kept = [key for key in ("qubit", "memory") if key in raw]
    return name, {key: maker.make(Qubit, (*place, key), f"node.{end}.{key}", raw[key]) for key in kept}


def stage_kinds() -> dict[str, Any]:
    """The stages that a file's path may hold: those made of parameters alone."""
    return {name: cls for name, cls in catalogue.kinds(AbstractStage).items() if not _known(cls)[1]}


def _path(maker: Maker, rows: Any, image: str) -> Link:
    source, known = maker.source, stage_kinds()
    if not isinstance(rows, list) or not rows:
        raise source.wrong(("path",), "must be one or more [[path]] stages, but has none")
    stages: dict[str, AbstractStage] = {}
    for index, raw in enumerate(rows):
        place: Place = ("path", index)
        cls = maker.kind(place, source.table(place, raw), "kind", known)
        name = raw.get("name", raw["kind"])
        if not isinstance(name, str) or not re.fullmatch(WORD, name):
            raise source.wrong((*place, "name"), f"must be a word of letters, digits, - and _, but is {name!r}")
        if name in RESERVED or name == "image":
            raise source.wrong((*place, "name"), f"must not be {', '.join(RESERVED)} or image, but is {name!r}")
        if name in stages:
            raise source.wrong((*place, "name"), f"must not be used twice, but {name!r} is")
        stages[name] = maker.make(cls, place, f"path.{name}", raw, skip=("name", "kind"))
    if len(stations := [name for name, stage in stages.items() if isinstance(stage, Station)]) > 1:
        raise source.wrong(("path",), f"must have at most one station, but has {', '.join(stations)}")
    return Link(image=image, **stages)  # type: ignore[arg-type]


def _photon(maker: Maker, key: str, raw: Any) -> AbstractWavepacket:
    place: Place = ("transfer", key)
    known = {name: cls for name, cls in catalogue.kinds(AbstractWavepacket).items() if cls is not Sampled}  # what the matched mode is
    cls = maker.kind(place, maker.source.table(place, raw), "shape", known)
    return maker.make(cls, place, key, raw, skip=("shape",))


def load(source: Source) -> Setting:
    """Everything that is computed with, checked.

    Raises:
        WrongInput: one line, at the first thing that is wrong.
    """
    data, maker, encodings = source.data, Maker(source), catalogue.kinds(AbstractEncoding)
    transfer = source.table(("transfer",), data.get("transfer"), needed=("encoding", "photon"))
    encoding = maker.kind(("transfer",), transfer, "encoding", encodings)
    options = {key: value for key, value in transfer.items() if key not in ("photon", "detection")}
    parts: dict[str, Any] = {"device": {}, "node": {}}
    chosen = maker.make(encoding, ("transfer",), "transfer", options, skip=("encoding",))
    for name, raw in source.table(("device",), data.get("device", {})).items():
        parts["device"][name] = _device(maker, name, raw)
    held = {}
    for end, raw in source.table(("node",), data["node"], ("a", "b"), needed=("a", "b")).items():
        held[end], parts["node"][end] = _node(maker, end, raw, parts["device"])
    parts["device"] = {name: device for name, device in parts["device"].items() if name in held.values()}
    connection = source.table(("connection",), data.get("connection", {}), ("image", "frequency_shift"))
    image = connection.get("image", "filtered")
    if image not in ("filtered", "coherent"):
        raise source.wrong(("connection", "image"), f'must be "filtered" or "coherent", but is {image!r}')
    parts["path"] = _path(maker, data["path"], image)
    for key in ("photon", "detection"):
        if key in transfer:
            parts[key] = _photon(maker, key, transfer[key])
    protocols.load(maker.make, source, parts)
    shift = parameters.fields_of(Connection)["frequency_shift"]
    moved = quantity(source, ("connection", "frequency_shift"), connection.get("frequency_shift", "0 Hz"), shift)
    fridge = source.table(("refrigerator",), data.get("refrigerator", {}), ("cooling_power",))
    cooling = COOLING_POWER
    if "cooling_power" in fridge:
        cooling = quantity(source, ("refrigerator", "cooling_power"), fridge["cooling_power"], COOLING)
    maker.status["refrigerator.cooling_power"] = "given" if fridge else "default"
    maker.status["connection.image"] = "given" if "image" in connection else "default"
    maker.status["connection.frequency_shift"] = "given" if "frequency_shift" in connection else "default"
    named = data.get("protocol", protocols.TRANSFER)
    if not isinstance(named, str) or named not in protocols.NAMES:
        raise source.wrong(("protocol",), f"must be a protocol, but is {named!r}; {near(named, protocols.NAMES)}")
    setting = Setting(source, parts, held, named, chosen, image, moved, maker.status, cooling)
    _agree(setting)
    return setting


def _agree(setting: Setting) -> None:
    """Optical carriers agree; both ends convert and are stable."""
    sent, received = (float(setting.parts["device"][setting.devices[end]].frequency_o) for end in ("a", "b"))
    gap = received - sent - setting.frequency_shift
    if abs(gap) > 1e-9 * sent:
        what = f"must bring the optical carrier of node a to that of b, but leaves {units.show(gap, 'rate')}"
        right = f'state [connection] frequency_shift = "{units.show(received - sent, "rate", 12)}", or tune frequency_o'
        raise setting.source.wrong(("connection", "frequency_shift"), f"{what}: {right}")
    station, photon = setting.parts["station"], setting.parts["photon"]
    if station.gate_cuts and not isinstance(photon, SHAPES):
        known = ", ".join(one.__name__.lower() for one in SHAPES)
        raise setting.source.wrong(("station", "gate_cuts"), f"must be false for a photon that is none of {known}, but is true")
    gate = station.gate
    if not station.gate_cuts and gate is not None and gate < (length := photon.duration) * (1 - 1e-12):
        least, given = units.show(float(length), "time", 12), units.show(gate, "time")
        what = f"must be at least the photon's length, {least}, but is {given}: gate_cuts = true lets it cut the photon"
        raise setting.source.wrong(("station", "gate"), what)
    if why := setting.lacking(setting.protocol):
        raise setting.source.wrong(("protocol",), f"must be one that these devices can run, but {setting.protocol} {why}")
    for name, device in setting.parts["device"].items():
        if getattr(device, "pump", "red") == "blue":
            raise setting.source.wrong(("device", name, "pump"), 'must be "red" to transfer a qubit, but is "blue", which makes pairs')
        system = structure(device)
        if system.active and (margin := float(device.stability_margin())) <= 0:
            what = f"is unstable: a disturbance grows at {units.show(-margin, 'rate')}; lower its pump or its squeezing coupling"
            raise setting.source.wrong(("device", name), what)


def scalars(module: eqx.Module | dict[str, Any]) -> dict[str, tuple[parameters.Parameter, float]]:
    """Path -> (parameter, concrete value inside) of every scalar parameter."""
    return {path: (parameter, float(value)) for path, parameter, value in parameters.walk(module) if np.shape(value) == ()}
