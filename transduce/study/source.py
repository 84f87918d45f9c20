"""A study's file as text and as TOML, before any physics is imported: what is wrong, and in which line.

An error is one line, ``file:line: key: what is wrong, what would be right``. A place in the file is a tuple of keys and, in arrays of
tables, of indices: ("path", 1, "length").
"""

import dataclasses
import difflib
import pathlib
import re
import tomllib
from collections.abc import Iterable
from typing import Any

MOST = 2**20
"""Bytes; a larger file is none that was written by hand."""
BUNDLED = pathlib.Path(__file__).parent / "bundled.toml"
TABLES = (
    *(
        "protocol",
        "transfer",
        "station",
        "schedule",
        "synchronisation",
        "one-click",
        "pair-click",
        "middle-source",
        "teleportation",
        "distillation",
    ),
    *("device", "node", "path", "connection", "refrigerator", "objective", "targets", "free", "optimiser", "sweep"),
)
Place = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_QUIET = re.compile(r"""\"{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*""", re.DOTALL)
"""Strings and comments, in which a bracket is none."""


class WrongInput(Exception):
    """What the user gave is wrong; the message is one line that says how to right it."""


def near(name: object, known: Iterable[object]) -> str:
    """What the user may have meant: "the nearest is ...", or all that is known."""
    names = {str(item).lower(): str(item) for item in known}
    close = difflib.get_close_matches(str(name).lower(), names, 1, 0.6)
    return f"the nearest is {names[close[0]]}" if close else f"known are {', '.join(names.values())}" if names else "none is known"


def _lines(text: str) -> dict[Place, int]:
    """The line of each table header and each key; the rows of an array over several lines are neither."""
    found: dict[Place, int] = {}
    table: Place = ()
    counts: dict[Place, int] = {}
    depth = 0
    bare = _QUIET.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, (line, rest) in enumerate(zip(text.split("\n"), bare.split("\n"), strict=True), 1):
        inside, depth = depth > 0, depth + sum(rest.count(one) for one in "[{") - sum(rest.count(one) for one in "]}")
        if inside or not rest.strip():
            continue
        if header := _HEADER.fullmatch(line):
            table = tuple(part.strip("\"'") for part in _PART.findall(header[2]))
            if header[1] == "[[":
                found.setdefault(table, number)
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            parts = tuple(part.strip("\"'") for part in _PART.findall(key[1]))
            for size in range(1, len(parts) + 1):
                found.setdefault((*table, *parts[:size]), number)
    return found


@dataclasses.dataclass(frozen=True)
class Source:
    """A file that is TOML and has only tables that a study knows.

    Attributes:
        name: as error messages print it.
        text: as given.
        data: as parsed.
    """

    name: str
    text: str
    data: dict[str, Any]

    @property
    def stem(self) -> str:
        """The name of a run."""
        return pathlib.Path(self.name).stem

    def label(self, place: Place) -> str:
        """A place as people write it: path.fibre.length."""
        node: Any = self.data
        parts: list[str] = []
        for key in place:
            try:
                node = node[key]
            except (KeyError, IndexError, TypeError):
                node = None
            named = isinstance(key, int) and isinstance(node, dict) and isinstance(node.get("name"), str)
            parts.append(node["name"] if named else str(key + 1) if isinstance(key, int) else key)
        return ".".join(part if len(part) <= 60 else part[:57] + "..." for part in parts)

    def wrong(self, place: Place, what: str) -> WrongInput:
        """The error at a place; its line is that of the nearest key or table around it."""
        lines, around = _lines(self.text), place
        while around and around not in lines:
            around = around[:-1]
        where = f"{self.name}:{lines[around]}" if around else self.name
        label = self.label(place)
        flat = " ".join(f"{where}: {label}: {what}".split() if label else f"{where}: {what}".split())
        return WrongInput(flat if len(flat) < 600 else flat[:597] + "...")

    def table(self, place: Place, value: Any, known: Iterable[str] | None = None, needed: Iterable[str] = ()) -> dict[str, Any]:
        """The value at a place, which must be a table with known keys only."""
        if not isinstance(value, dict):
            raise self.wrong(place, f"must be a table, but is {value!r}")
        names = None if known is None else list(known)
        for key in value:
            if names is not None and key not in names:
                raise self.wrong((*place, key), f"is no key of this table; {near(key, names)}")
        for key in needed:
            if key not in value:
                raise self.wrong(place, f"must have {key}, but has {', '.join(value) or 'nothing'}")
        return value


def read(path: str | pathlib.Path | None) -> Source:
    """Read a study's file; the bundled connection where there is none.

    Raises:
        WrongInput: no file, not text, not TOML, or a table that no study has.
    """
    given = BUNDLED if path is None else pathlib.Path(path)
    name = given.name if path is None else str(path)
    try:
        if given.is_dir():
            raise WrongInput(f"{name}: must be a file, but is a directory")
        with given.open("rb") as file:
            raw = file.read(MOST + 1)
    except OSError as error:
        raise WrongInput(f"{name}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise WrongInput(f"{name!r}: is no file name: {error}") from None
    if len(raw) > MOST:
        raise WrongInput(f"{name}: must be at most {MOST // 2**20} MiB, but is larger")
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise WrongInput(f"{name}:{line}: must be UTF-8 text, but has the byte 0x{error.object[error.start]:02x}") from None
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or an integer of thousands of digits
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
        at = f":{found[2] or text.count(chr(10)) + 1}" if found else ""
        raise WrongInput(f"{name}{at}: is not TOML: {' '.join((found[1] if found else str(error)).split())}") from None
    except RecursionError:
        raise WrongInput(f"{name}: is nested too deeply") from None
    source = Source(name, text, data)
    source.table((), data, TABLES)
    for table, shown in (("transfer", "[transfer]"), ("node", "[node.a] and [node.b]"), ("path", "a [[path]] stage")):
        if table not in data:
            raise WrongInput(f"{name}: must have {shown}, but has none")
    return source
