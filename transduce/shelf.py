"""Compiled programs on disk, between two runs of a command: where, under which name, whole or not at all, and loaded ahead.

It imports nothing but JAX, so that a run begins to load while it still imports the rest.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import platform
import re
import tempfile
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.serialize_executable import deserialize_and_load, serialize

from . import __version__

Program = tuple[Callable[[list[Any]], list[Any]], Any]
"""From leaves to the leaves of the answer, and a tree of the answer's structure."""


@functools.cache
def sources() -> str:
    """A digest of this package's files and of the versions and device that a program depends on."""
    found = hashlib.sha256(f"{__version__} {jax.__version__} {jax.lib.__version__} {jax.devices()[0].device_kind}".encode())
    root = pathlib.Path(__file__).parent
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):
        found.update(file.read_bytes())
    return found.hexdigest()


@functools.cache
def here() -> str:
    """What a compiled program depends on beside what it computes: sources, processor, devices, flags."""
    with contextlib.suppress(OSError):
        found = re.search(r"^(?:flags|Features)\s*:.*$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        return f"{sources()} {_machine()} {found[0] if found else ''}"
    return f"{sources()} {_machine()}"


def _machine() -> str:
    return f"{platform.platform()} {platform.processor()} {len(jax.devices())} {os.environ.get('XLA_FLAGS', '')}"


def cache_folder() -> pathlib.Path:
    """Where the command line keeps programs."""
    if stated := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return pathlib.Path(stated)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (pathlib.Path(base) if base else pathlib.Path.home() / ".cache") / "transduce" / "jax"


def writable(folder: pathlib.Path) -> bool:
    """Whether programs can be kept in a folder; it is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, ValueError):
        return False


class Ahead:
    """Loads, aside, the programs that the last run of one name used, and notes those that this one does."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._found: dict[pathlib.Path, Future[Program | None]] = {}
        self._names: set[str] = set()
        noted = folder / f"{digest(here(), name)}.programs"  # not aside: beside imports each of its many short reads waits for its turn
        self._list = self._pool.submit(self._begin, folder, noted)

    def _begin(self, folder: pathlib.Path, noted: pathlib.Path) -> pathlib.Path:
        self._names = set((_read(noted) or b"").decode().split())
        for one in sorted(self._names, key=lambda one: -_size(folder / one)):
            self._found[folder / one] = self._pool.submit(load, folder / one)
        return noted

    def take(self, file: pathlib.Path) -> Program | None:
        """A program of the last run; None where it had none of this name."""
        noted = self._list.result()
        if file.name not in self._names and file.parent == noted.parent:
            self._names.add(file.name)
            _write(noted, "\n".join(sorted(self._names)).encode())
        found = self._found.pop(file, None)
        return None if found is None else found.result()


_ahead: Ahead | None = None


def ahead(folder: pathlib.Path | None, name: str) -> None:
    """Begin to load the programs that the last run of this name used, if any."""
    global _ahead
    _ahead = None if folder is None else Ahead(folder, name)


def take(file: pathlib.Path) -> Program | None:
    """A program that was kept, loaded ahead or now; None where there is none, or none that can be loaded."""
    found = None if _ahead is None else _ahead.take(file)
    return found or load(file)


def load(file: pathlib.Path) -> Program | None:
    """A program that was kept; None where there is none, or none that can be loaded."""
    content = _read(file)
    if content is None:
        return None
    try:
        told, payload = zlib.decompress(content).split(b"\n", 1)
        given, answer = json.loads(told)
        leaves = jax.tree.structure([0] * len(jax.tree.leaves(answer)))
        found = deserialize_and_load(payload, _given(given), leaves, execution_devices=jax.local_devices()[:1])
    except (jax.errors.JaxRuntimeError, ValueError):  # XLA does not take it, for whatever reason
        return None
    _find_lapack()  # while others load: it imports SciPy
    return found, answer


@functools.cache
def _find_lapack() -> None:
    """JAX looks for LAPACK when it lowers a program that calls it, not when it loads one, which would then call nothing and crash."""
    with contextlib.suppress(NotImplementedError):  # no device but a CPU need have it
        jax.jit(jnp.linalg.eigvals).lower(jax.ShapeDtypeStruct((1, 1), complex))


def _given(count: int) -> Any:
    return jax.tree.structure((([0] * count,), {}))


def keep(file: pathlib.Path, program: jax.stages.Compiled, given: int, answer: Any) -> None:
    """Write a program of so many leaves, with a tree of its answer's structure; what cannot be written is compiled again next time."""
    with contextlib.suppress(ValueError, NotImplementedError):
        _write(file, zlib.compress(f"{json.dumps([given, answer])}\n".encode() + serialize(program)[0], 1))


def digest(*words: str) -> str:
    """SHA-256 of the words, in hexadecimal."""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def _size(file: pathlib.Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _read(file: pathlib.Path) -> bytes | None:
    """What was written behind its digest; None where there is nothing, or not the whole of it."""
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    return raw[32:] if hashlib.sha256(raw[32:]).digest() == raw[:32] else None


def _write(file: pathlib.Path, content: bytes) -> None:
    """Write it behind its digest, whole or not at all; it is needed in the next run only."""
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(hashlib.sha256(content).digest() + content)
            os.replace(name, file)
        except OSError:
            os.unlink(name)
