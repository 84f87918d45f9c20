"""Where the answers of a sweep lie: in memory, or as ``.npy`` files in a folder, which a chunk reaches within a tenth of a second or so.

    request.json             what was asked, with its digest; written last when a folder is made
    figures/NAME.npy         one value per design
    gradients/NAME.npy       one row per design, in the order of the gradients in request.json
    stable.npy               whether no figure of a design is NaN
    chunks.PROCESS           per chunk 8 bytes: 0, or that it is done and the CRC-32 of its part of all arrays

A chunk counts as done where what is in the files has the sum that its record says, so whatever ended a run (a kill, a full disk, a power
cut that kept one file and not another) costs the chunks that are not whole, and nothing else: one, or a tenth of a second's. Several
processes write to one folder, each its own chunks and its own record; they write bytes and share no map, so no page of one undoes
another's.
"""

import itertools
import json
import os
import pathlib
import re
import shutil
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SPELL = 0.1
"""Seconds between two writes at least."""
_DONE = 1 << 32
_NAME = re.compile(r"\w[\w .+-]*")


class Layout:
    """The arrays of a sweep: name in the folder -> shape per design and type."""

    def __init__(self, figures: Sequence[str], gradients: int, kind: Any) -> None:
        for name in figures:
            if not _NAME.fullmatch(name):
                raise ValueError(f"sweep: a figure's name must be of letters, digits, '_', '.', '+', '-' and blanks, but is {name!r}")
        self.parts: dict[str, tuple[tuple[int, ...], np.dtype]] = {f"figures/{name}": ((), np.dtype(kind)) for name in figures}
        if gradients:
            self.parts |= {f"gradients/{name}": ((gradients,), np.dtype(kind)) for name in figures}
        self.parts["stable"] = (), np.dtype(bool)

    @property
    def bytes(self) -> int:
        """Per design."""
        return sum(int(np.prod(shape)) * kind.itemsize for shape, kind in self.parts.values())


class Held:
    """Answers in memory."""

    def __init__(self, layout: Layout, designs: int, chunk: int) -> None:
        self.arrays = {name: np.zeros((designs, *shape), kind) for name, (shape, kind) in layout.parts.items()}
        self.chunk = chunk

    def done(self) -> np.ndarray:
        """Which chunks are there."""
        designs = len(self.arrays["stable"])
        return np.zeros(-(-designs // self.chunk), bool)

    def put(self, chunk: int, parts: Mapping[str, np.ndarray]) -> None:
        """One chunk's answers."""
        for name, part in parts.items():
            self.arrays[name][chunk * self.chunk : chunk * self.chunk + len(part)] = part

    def close(self) -> dict[str, np.ndarray]:
        """The arrays."""
        return self.arrays


class Kept:
    """Answers in a folder that ``make`` has made."""

    def __init__(self, folder: pathlib.Path, layout: Layout, designs: int, chunk: int, process: int) -> None:
        self.folder, self.layout, self.designs, self.chunk = folder, layout, designs, chunk
        self.chunks = -(-designs // chunk)
        self._files = {name: open(folder / f"{name}.npy", "r+b") for name in layout.parts}  # noqa: SIM115
        self._starts = {name: np.load(folder / f"{name}.npy", mmap_mode="r").offset for name in layout.parts}
        mine = folder / f"chunks.{process}"
        if not mine.exists() or mine.stat().st_size != 8 * self.chunks:
            mine.write_bytes(bytes(8 * self.chunks))
        self._record = open(mine, "r+b")  # noqa: SIM115
        self._waiting: list[tuple[int, Mapping[str, np.ndarray]]] = []
        self._written = time.monotonic()

    def done(self) -> np.ndarray:
        """Which chunks are there, whole."""
        maps = self._maps()
        found = np.zeros(self.chunks, bool)
        for record in sorted(self.folder.glob("chunks.*")):
            told = np.fromfile(record, np.uint64)
            if len(told) == self.chunks:
                for chunk in np.flatnonzero(told):
                    part = slice(int(chunk) * self.chunk, (int(chunk) + 1) * self.chunk)
                    found[chunk] |= int(told[chunk]) == _sum({name: maps[name][part] for name in self.layout.parts})
        return found

    def put(self, chunk: int, parts: Mapping[str, np.ndarray]) -> None:
        """One chunk's answers; they are written a few at a time, as a write costs as much as a small chunk."""
        self._waiting.append((chunk, parts))
        if time.monotonic() - self._written >= SPELL:
            self._write()

    def _write(self) -> None:
        """What waits, in runs of chunks that follow each other, and then their records."""
        place = [chunk - index for index, (chunk, _) in enumerate(self._waiting)]
        for _, group in itertools.groupby(zip(place, self._waiting, strict=True), key=lambda one: one[0]):
            chunks, parts = zip(*(one for _, one in group), strict=True)
            for name, file in self._files.items():
                whole = np.concatenate([part[name] for part in parts])
                file.seek(self._starts[name] + chunks[0] * self.chunk * (whole.nbytes // len(whole)))
                file.write(whole.data)
                file.flush()
            self._record.seek(8 * chunks[0])
            self._record.write(np.array([_sum({name: part[name] for name in self.layout.parts}) for part in parts], np.uint64).tobytes())
            self._record.flush()
        self._waiting, self._written = [], time.monotonic()

    def _maps(self) -> dict[str, np.ndarray]:
        return {name: np.load(self.folder / f"{name}.npy", mmap_mode="r") for name in self.layout.parts}

    def close(self) -> dict[str, np.ndarray]:
        """The arrays, as maps of their files."""
        self._write()
        for file in (*self._files.values(), self._record):
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
                file.close()
        return self._maps()


def _sum(parts: Mapping[str, np.ndarray]) -> int:
    found = 0
    for part in parts.values():
        found = zlib.crc32(np.ascontiguousarray(part).data.cast("B"), found)
    return _DONE | found


def request(folder: pathlib.Path) -> dict[str, Any] | None:
    """What a folder was made for; None where there is no sweep in it.

    Raises:
        ValueError: it is damaged.
    """
    file = folder / "request.json"
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file}: must be a sweep's request, but is damaged: {error}") from error


def make(folder: pathlib.Path, layout: Layout, designs: int, asked: Mapping[str, Any]) -> None:
    """A folder with empty arrays; the request, its last file, makes it one of a sweep.

    Raises:
        OSError: there is no room for the arrays.
    """
    for name in ("figures", "gradients"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    room, needed = shutil.disk_usage(folder).free, layout.bytes * designs
    if needed > room:
        raise OSError(f"{folder}: must have room for {needed} bytes of results, but has {room}")
    for record in folder.glob("chunks.*"):
        record.unlink()
    for name, (shape, kind) in layout.parts.items():
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=(designs, *shape))
    part = folder / "request.json.part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(dict(asked), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / "request.json")
