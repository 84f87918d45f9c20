"""A study's file with other values in it: the rest, comments too, stays as it was written."""

from collections.abc import Mapping
from typing import Any

import tomlkit

from .source import Source


def edited(source: Source, values: Mapping[str, tuple[float, str]]) -> str:
    """The text of the file with these values.

    Args:
        source: the file.
        values: path of a parameter (``device.lab.pump_power``, ``path.fibre.length``, ``photon.bandwidth``) -> its value and unit, "1" of
            a number.
    """
    document = tomlkit.parse(source.text)
    for path, (value, unit) in values.items():
        *tables, key = _place(document, path.split("."))
        table: Any = document
        for part in tables:
            if part not in table and not isinstance(part, int):
                table[part] = tomlkit.table()
            table = table[part]
        table[key] = value if unit == "1" else f"{value!r} {unit}"
    return tomlkit.dumps(document)


def _place(document: Any, path: list[str]) -> list[Any]:
    """Where the file has a parameter of the parts."""
    if path[0] in ("photon", "detection"):
        return ["transfer", *path]
    if path[0] == "path":
        names = [stage.get("name", stage["kind"]) for stage in document["path"]]
        return ["path", names.index(path[1]), *path[2:]]
    return list(path)
