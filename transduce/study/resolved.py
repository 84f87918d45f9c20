"""The inputs of a study, every default filled in, as JSON states them: SI with ordinary frequencies, and what each is known by.

This is all that independent code needs to compute the same results, and nothing that was computed.
"""

import dataclasses
from typing import Any

import numpy as np

from .. import parameters, units
from ..devices.catalogue import kebab
from ..devices.heating import AbstractHeating
from ..link.node import Connection
from ..qubit.detector import Detector
from . import aims
from .aims import Aims
from .config import COOLING, Setting, exponent_of
from .protocols import SHEETS


def stated(parameter: parameters.Parameter, value: Any, exponent: float | None = None) -> dict[str, Any]:
    """{"value", "unit"} of an inside value."""
    number, unit = units.canonical(float(value), parameter.dimension, exponent)
    return {"value": number, "unit": unit}


def inputs(setting: Setting, parts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every parameter of the parts: path -> {"value", "unit", "status"}."""
    table = {}
    for path, parameter, value in parameters.walk(parts):
        exponent = None
        if parameter.dimension == "conductance":
            exponent = float(parameters.get(parts, exponent_of(path)))
        table[path] = {**stated(parameter, value, exponent), "status": setting.status[path]}
    return table


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    if np.iscomplexobj(array):
        return [[float(one.real), float(one.imag)] for one in array]
    return array.tolist() if isinstance(value, (np.ndarray,)) or array.ndim or array.dtype == float else value


def _module(module: Any, path: str, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for item in dataclasses.fields(module):
        at, value = f"{path}.{item.name}", getattr(module, item.name)
        if isinstance(value, Detector):
            found[item.name] = _module(value, at, rows)
        elif isinstance(value, AbstractHeating):
            found[item.name] = {"law": kebab(type(value).__name__).removesuffix("-heating"), **_module(value, at, rows)}
        else:
            found[item.name] = rows[at] if at in rows else _plain(value)
    return found


def resolved(setting: Setting, wanted: Aims, parts: dict[str, Any]) -> dict[str, Any]:
    """The whole study, nested as its file is; absent fields are null."""
    rows = inputs(setting, parts)
    shift = parameters.fields_of(Connection)["frequency_shift"]

    def made(key: str) -> dict[str, Any] | None:
        return {"shape": kebab(type(parts[key]).__name__), **_module(parts[key], key, rows)} if key in parts else None

    return {
        "transfer": {
            "encoding": kebab(type(setting.encoding).__name__),
            **{item.name: getattr(setting.encoding, item.name) for item in dataclasses.fields(setting.encoding)},
            "photon": made("photon"),
            "detection": made("detection"),
        },
        "device": {
            name: {"kind": kebab(type(device).__name__), **_module(device, f"device.{name}", rows)}
            for name, device in parts["device"].items()
        },
        "node": {
            end: {"device": setting.devices[end], **{key: _module(one, f"node.{end}.{key}", rows) for key, one in node.items()}}
            for end, node in parts["node"].items()
        },
        "path": [
            {"name": name, "kind": kebab(type(stage).__name__), **_module(stage, f"path.{name}", rows)}
            for name, stage in zip(parts["path"].names, parts["path"].parts, strict=True)
        ],
        "connection": {
            "image": setting.image,
            "frequency_shift": {**stated(shift, setting.frequency_shift), "status": setting.status["connection.frequency_shift"]},
        },
        "refrigerator": {
            "cooling_power": {**stated(COOLING, setting.cooling_power), "status": setting.status["refrigerator.cooling_power"]}
        },
        "protocol": setting.protocol,
        **{table: _module(parts[table], table, rows) for table in ("synchronisation", *SHEETS) if table in parts},
        "objective": wanted.objective,
        "targets": aims.shown(wanted.bounds),
        "free": aims.boxes(setting, wanted.free),
        "optimiser": wanted.stated,
    }
