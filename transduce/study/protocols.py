"""The protocols of a study: what its file says of them, each one over its connection, and its figures.

A file names the one that is optimised, ``protocol = "one-click"`` above its tables, and all are evaluated. Every protocol runs over the
same connection; those that need pairs pump the same devices blue, with a fraction of the pump that the file states: a strong one makes
many pairs at once.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import parameters
from ..devices.base import AbstractDevice
from ..link.node import Connection
from ..link.synchronisation import Synchronisation
from ..parameters import Scalar
from ..protocols.base import AbstractProtocol
from ..protocols.distillation import Distillation, Distilled
from ..protocols.heralded import OneClick, PairClick, TwoClick
from ..protocols.limits import Limits, limits
from ..protocols.middle_source import MiddleSource
from ..protocols.performance import AbstractPerformance
from ..protocols.schedule import Schedule
from ..protocols.teleportation import Teleportation
from ..protocols.transfer import Transfer
from ..qubit.detector import Detector
from ..qubit.distillation import Method, Round
from ..qubit.entanglement import coherent_information
from ..units import GHz
from .source import Source


class StationSheet(eqx.Module):
    """What stands where the photons meet: ``[station]``.

    Attributes:
        detector: one of two equal ones.
        dark_rate: its dark counts per second.
        filter_bandwidth: FWHM of the filter before it, rad/s; None: the photon's, so that hardly more than
            one mode passes.
        gate: s; None: the photon's length.
        gate_cuts: whether it cuts the photon, and may be shorter (see ``AbstractHeralding``); static. Pair-click and middle-source, whose
            modes are never cut, are then gated for the photon's length at least.
    """

    detector: Detector = eqx.field(default_factory=Detector)
    dark_rate: Scalar = parameters.event_rate(0.0)
    filter_bandwidth: Scalar | None = parameters.frequency(None)
    gate: Scalar | None = parameters.duration(None)
    gate_cuts: bool = eqx.field(default=False, static=True)

    def __check_init__(self) -> None:
        parameters.check(self)


class OneClickSheet(eqx.Module):
    """``[one-click]``: how strongly the nodes are excited; see ``OneClick``."""

    excitation: Scalar = parameters.fraction(0.1, box=(1e-4, 0.5))
    excitation_b: Scalar | None = parameters.fraction(None, box=(1e-4, 0.5))

    def __check_init__(self) -> None:
        parameters.check(self)


class MiddleSourceSheet(eqx.Module):
    """``[middle-source]``: an integrated source of 2e8 pairs per second within 20 GHz; see ``MiddleSource``."""

    pair_rate: Scalar = parameters.event_rate(2e8)
    source_bandwidth: Scalar = parameters.frequency(20 * GHz)

    def __check_init__(self) -> None:
        parameters.check(self)


class PairClickSheet(eqx.Module):
    """``[pair-click]``: which fraction of the devices' pump (power, photons or cooperativity) makes pairs; see ``PairClick``."""

    pump_fraction: Scalar = parameters.fraction(0.01, box=(1e-4, 1.0))

    def __check_init__(self) -> None:
        parameters.check(self)


class TeleportationSheet(eqx.Module):
    """``[teleportation]``: efficiency of the homodyne detectors, gain, and a's pump; see ``Teleportation``, ``PairClickSheet``."""

    pump_fraction: Scalar = parameters.fraction(0.5, box=(1e-4, 1.0))

    detection: Scalar = parameters.field(parameters.Parameter("number", (0.0, 1.0), open_below=True), 1.0)
    gain: Scalar | None = parameters.number(None)

    def __check_init__(self) -> None:
        parameters.check(self)


class DistillationSheet(eqx.Module):
    """``[distillation]``, of any protocol's pairs; see ``Distillation``."""

    methods: tuple[str, ...] = eqx.field(default=("epl",), static=True)
    gate_error: Scalar = parameters.fraction(0.0)
    readout_error: Scalar = parameters.fraction(0.0)
    cutoff: int = eqx.field(default=0, static=True)

    def __check_init__(self) -> None:
        parameters.check(self)
        if self.cutoff < 0:
            raise ValueError(f"DistillationSheet.cutoff must be at least 1, or 0 for none, but is {self.cutoff}")
        for method in self.methods:
            if method not in get_args(Method):
                raise ValueError(f"DistillationSheet.methods must be of {', '.join(get_args(Method))}, but has {method!r}")


SHEETS: dict[str, Any] = {
    "station": StationSheet,
    "schedule": Schedule,
    "one-click": OneClickSheet,
    "pair-click": PairClickSheet,
    "middle-source": MiddleSourceSheet,
    "teleportation": TeleportationSheet,
    "distillation": DistillationSheet,
}
"""Tables of a file that have all their defaults; ``[synchronisation]`` is one that may be absent."""


def load(make: Callable[..., Any], source: Source, parts: dict[str, Any]) -> None:
    """The sheets of a file, into the parts; ``make`` is the maker's.

    Raises:
        WrongInput: one line, at the first thing that is wrong.
    """
    data = source.data
    if "synchronisation" in data:
        parts["synchronisation"] = make(Synchronisation, ("synchronisation",), "synchronisation", data["synchronisation"])
    for table, sheet in SHEETS.items():
        parts[table] = make(sheet, (table,), table, source.table((table,), data.get(table, {})))


def lacking(name: str, devices: Mapping[str, AbstractDevice]) -> str | None:
    """Why a protocol cannot run over these devices ("a" and "b"); None where it can."""
    for end in PUMPED_BLUE.get(name, ()):
        try:
            blue(devices[end])
        except (TypeError, ValueError) as error:
            return f"needs pairs of node {end}'s device, but {error}"
    return None


CUT = ("one-click", "two-click")
"""Whose photons a gate may cut."""
PUMPED_BLUE = {"pair-click": ("a", "b"), "teleportation": ("a",)}
"""Whose device makes pairs."""


def blue(device: AbstractDevice, fraction: Scalar | float = 1.0) -> AbstractDevice:
    """The same device, pumped for pairs with a fraction of its pump.

    Raises:
        TypeError, ValueError: it cannot be.
    """
    if "pump" not in {item.name for item in dataclasses.fields(device)}:
        raise TypeError(f"{type(device).__name__} has no blue pump")
    stated = {name: getattr(device, name) for name in ("pump_power", "pump_photons", "cooperativity")}
    less = {name: value * fraction for name, value in stated.items() if value is not None}
    changed: dict[str, Any] = {"pump": "blue", **less}
    return dataclasses.replace(device, **changed)


def pumped(name: str, connection: Connection, parts: dict[str, Any]) -> Connection:
    """The connection with the pumps that a protocol needs."""
    fraction = parts[name].pump_fraction if name in PUMPED_BLUE else 1.0
    nodes = {end: getattr(connection, end) for end in ("a", "b")}
    changed = {end: dataclasses.replace(nodes[end], device=blue(nodes[end].device, fraction)) for end in PUMPED_BLUE.get(name, ())}
    return dataclasses.replace(connection, **changed)


def named(name: str, parts: dict[str, Any], encoding: Any) -> AbstractProtocol:
    """A protocol but the transfer, from the parts; for use inside a compiled function."""
    station, photon, schedule = parts["station"], parts["photon"], parts["schedule"]
    if name == "teleportation":
        sheet = parts["teleportation"]
        return Teleportation(encoding, photon, detection=sheet.detection, gain=sheet.gain, schedule=schedule)
    width = photon.bandwidth if station.filter_bandwidth is None else station.filter_bandwidth
    gate, cuts = station.gate, station.gate_cuts and name in CUT
    if gate is not None and cuts is not station.gate_cuts:
        gate = jnp.maximum(gate, photon.duration)
    shared = {"photon": photon, "detector": station.detector, "filter_bandwidth": width, "gate": gate, "gate_cuts": cuts}
    shared |= {"dark_rate": station.dark_rate, "schedule": schedule}
    bins: Literal["time-bin", "dual-rail"] = "time-bin" if encoding.bins > 1 else "dual-rail"
    match name:
        case "one-click":
            sheet = parts["one-click"]
            return OneClick(**shared, excitation=sheet.excitation, excitation_b=sheet.excitation_b)
        case "two-click":
            return TwoClick(**shared, encoding=bins)
        case "pair-click":
            return PairClick(**shared)
        case _:
            sheet = parts["middle-source"]
            return MiddleSource(**shared, pair_rate=sheet.pair_rate, source_bandwidth=sheet.source_bandwidth, encoding=bins)


TRANSFER = "transfer"
NAMES = (TRANSFER, "one-click", "two-click", "pair-click", "middle-source", "teleportation")


@dataclasses.dataclass(frozen=True)
class Case:
    """A protocol's performance, and what distillation makes of it, which is traced where it is asked for."""

    raw: AbstractPerformance
    distillation: Distillation
    connection: Connection

    @functools.cached_property
    def distilled(self) -> Distilled:
        """Of its pairs."""
        return self.distillation.distil(self.raw, self.connection)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """After each round of distillation."""
        return self.distilled.rounds[1:]


def case(raw: AbstractPerformance, protocol: AbstractProtocol, parts: dict[str, Any], connection: Connection) -> Case:
    """A performance with the file's distillation."""
    return Case(raw, distilling(protocol, parts), connection)


def distilling(protocol: AbstractProtocol, parts: dict[str, Any]) -> Distillation:
    """The file's rounds over a protocol's pairs."""
    sheet = parts["distillation"]
    errors = {"gate_error": sheet.gate_error, "readout_error": sheet.readout_error}
    return Distillation(protocol, sheet.methods, **errors, cutoff=sheet.cutoff or None)


PAIR = {
    "fidelity": "number",
    "success_probability": "number",
    "rate": "event rate",
    "attempt_duration": "time",
    "ebits": "number",
    "ebit_rate": "event rate",
}
"""Figures of every protocol's pairs; ``distilled.fidelity`` is that of its distilled ones."""


def numbers(cases: Mapping[str, Case]) -> dict[str, dict[str, Any]]:
    """All that is said of each protocol, traced; in SI. The entropies of all pairs are taken in one vmapped pass."""
    if not cases:
        return {}
    every = [done for one in cases.values() for done in (one.raw, one.distilled)]
    pairs = jnp.stack([pair for done in every for pair in (done.pair, done.present)])
    worth = jax.vmap(coherent_information)(pairs).reshape(-1, 2, 2)  # of raw and distilled, of pair and present

    def figures(done: AbstractPerformance, ebits: Any) -> dict[str, Any]:
        known = {"ebits": ebits[0], "ebit_rate": done.rate_of(ebits[1])}
        return {name: known[name] if name in known else getattr(done, name) for name in PAIR}

    def told(one: Case, ebits: Any) -> dict[str, Any]:
        fractions = {name.replace(" ", "_"): value for name, value in one.raw.fractions.items()}
        rounds = [
            {"fidelity": done.fidelity, "rate": done.rate, "success_probability": done.rate / one.raw.attempt.rate} for done in one.rounds
        ]
        distilled = figures(one.distilled, ebits[1])
        return {**figures(one.raw, ebits[0]), "distilled": distilled, "rounds": rounds, "fraction_of_limit": fractions}

    return {name: told(one, ebits) for (name, one), ebits in zip(cases.items(), worth, strict=True)}


def causes(protocol: AbstractProtocol, connection: Connection, parts: dict[str, Any] | None = None) -> dict[str, Any]:
    """What limits a protocol but the transfer (whose budget tells it), traced: the causes by name, and the remainder; given the parts,
    of its distilled pairs too.
    """
    if isinstance(protocol, Transfer):
        return {}
    _, found = limits(protocol if parts is None else distilling(protocol, parts), connection)
    return _told(found) if found.raw is None else {**_told(found.raw), "distilled": _told(found)}


def _told(found: Limits) -> dict[str, Any]:
    names = ("fidelity_gain_if_ideal", "rate_factor_if_ideal")
    table = {cause: {name: getattr(one, name) for name in names} for cause, one in zip(found.names, found.limits, strict=True)}
    return {"causes": table, "remainder": found.remainder}
