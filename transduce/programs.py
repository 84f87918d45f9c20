"""Compiled functions, and where they are kept between two runs of a command.

Tracing and compiling are the longest parts of a short run. ``compiled`` is ``equinox.filter_jit`` that, inside ``kept(folder, key)``,
also keeps each compiled program on disk, and reads it back in the next run with the same key; ``ahead`` begins with that while the rest of
the run gets ready. The key must name everything that is not an array: the file as given, and what else shapes the program; this module
adds the package's own sources, the versions and the processor. The library never turns it on by itself; the command line does.
"""

import contextlib
import contextvars
import functools
import hashlib
import json
import os
import pathlib
import platform
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.serialize_executable import deserialize_and_load, serialize

from . import __version__

_Program = tuple[Callable[[list[Any]], list[Any]], Any]
"""From leaves to the leaves of the answer, and a tree of the answer's structure."""
_Place = tuple[pathlib.Path, str]
_place: contextvars.ContextVar[_Place | None] = contextvars.ContextVar("place", default=None)
_loaded: dict[pathlib.Path, _Program] = {}


def sources() -> str:
    """A digest of this package's files and of the versions and device that a program depends on."""
    digest = hashlib.sha256(f"{__version__} {jax.__version__} {jax.lib.__version__} {jax.devices()[0].device_kind}".encode())
    root = pathlib.Path(__file__).parent
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@functools.cache
def _here() -> str:
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


@contextlib.contextmanager
def kept(folder: pathlib.Path | None, key: str, jax_too: bool = False) -> Iterator[None]:
    """Keep the programs compiled inside in a folder, under a key.

    Args:
        folder: made if it is not there. None: nothing is kept.
        key: whatever shapes the programs and is not an array.
        jax_too: whether JAX keeps there what else it compiles. What its cache holds cannot be written again: ``compiled`` does without.
    """
    wanted: dict[str, Any] = {"jax_enable_compilation_cache": False}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if jax_too:
            wanted = {
                "jax_compilation_cache_dir": str(folder),
                "jax_persistent_cache_min_compile_time_secs": 0,
                "jax_persistent_cache_min_entry_size_bytes": -1,
            }
    before = {name: getattr(jax.config, name) for name in wanted}
    for name, value in wanted.items():
        jax.config.update(name, value)
    token = _place.set(None if folder is None else (folder, _digest(_here(), key)))
    try:
        yield
    finally:
        _place.reset(token)
        for name, value in before.items():
            jax.config.update(name, value)


class Ahead:
    """Loads, aside, the programs that the last run of one name used, and notes those that this one does."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._found: dict[pathlib.Path, Future[_Program | None]] = {}
        self._names: set[str] = set()
        self._list = self._pool.submit(self._begin, folder, name)

    def _begin(self, folder: pathlib.Path, name: str) -> pathlib.Path:
        noted = folder / f"{_digest(_here(), name)}.programs"
        self._names = set((_read(noted) or b"").decode().split())
        for one in sorted(self._names, key=lambda one: -_size(folder / one)):
            self._found[folder / one] = self._pool.submit(_load, folder / one)
        return noted

    def take(self, file: pathlib.Path) -> _Program | None:
        """A program of the last run; None where it had none of this name."""
        noted = self._list.result()
        if file.name not in self._names and file.parent == noted.parent:
            self._names.add(file.name)
            _keep(noted, "\n".join(sorted(self._names)).encode())
        found = self._found.pop(file, None)
        return None if found is None else found.result()


_ahead: Ahead | None = None


def ahead(folder: pathlib.Path | None, name: str) -> None:
    """Begin to load the programs that the last run of this name used, if any."""
    global _ahead
    _ahead = None if folder is None else Ahead(folder, name)


QUICK: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}
"""Compiles in two thirds of the time to a program that runs as fast."""
ONCE: dict[str, Any] = {**QUICK, "xla_backend_optimization_level": 0}
"""For a program that runs once or twice: compiled in a third of the time, to one that takes twice as long."""


def compiled(
    function: Callable[..., Any], like: Callable[..., Any] | None = None, tag: str = "", options: dict[str, Any] | None = None
) -> Callable[..., Any]:
    """The function, compiled; its arrays are traced and everything else is static. It is called with values, under no transformation.

    Args:
        function: of trees of arrays and static leaves, to a tree of arrays.
        like: from the same arguments to a tree of the answer's structure; None: the answer is made of dicts and lists (or
            tuples, which come back as lists).
        tag: tells programs of the same function and the same tree of arrays apart.
        options: of the compiler, such as ``ONCE``, whether programs are kept or not: last bits hang on them.
    """
    plain = _plain(function, options)

    def call(*arguments: Any) -> Any:
        place = _place.get()
        if place is None:
            return plain(*arguments)
        arrays, rest = eqx.partition(arguments, lambda leaf: isinstance(leaf, (jax.Array, np.ndarray, np.generic)))
        leaves, tree = jax.tree.flatten(arrays)

        def flat(leaves: list[Any]) -> tuple[list[Any], Any]:
            answer = function(*eqx.combine(jax.tree.unflatten(tree, leaves), rest))
            found = jax.tree.leaves(answer)
            return found, jax.tree.map(lambda _: 0, answer if like is None else found)

        shape = re.sub(r" at 0x[0-9a-f]+", "", str(tree))
        program, answer = _program(place, f"{function.__qualname__} {tag} {shape}", flat, leaves, options)
        return jax.tree.unflatten(jax.tree.structure(answer if like is None else like(*arguments)), program(leaves))

    return call


def _plain(function: Callable[..., Any], options: dict[str, Any] | None) -> Callable[..., Any]:
    """Compiled where nothing is kept."""
    asked: dict[str, Any] = {"compiler_options": options}
    wanted, bare = eqx.filter_jit(function, **asked), eqx.filter_jit(function)

    def call(*arguments: Any) -> Any:
        try:
            return wanted(*arguments)
        except jax.errors.JaxRuntimeError as error:
            if not _unknown(error):
                raise
            return bare(*arguments)

    return call


def _program(
    place: _Place, name: str, flat: Callable[..., tuple[list[Any], Any]], leaves: list[Any], options: dict[str, Any] | None
) -> _Program:
    folder, key = place
    shapes = [jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype) for leaf in leaves]
    file = folder / f"{_digest(key, name, str(shapes), str(options))}.program"
    if file not in _loaded:
        found = None if _ahead is None else _ahead.take(file)
        _loaded[file] = found or _load(file) or _built(file, flat, shapes, options)
    return _loaded[file]


def _load(file: pathlib.Path) -> _Program | None:
    """A program that was kept; None where there is none, or none that can be loaded."""
    content = _read(file)
    if content is None:
        return None
    _find_lapack()
    try:
        told, payload = zlib.decompress(content).split(b"\n", 1)
        given, answer = json.loads(told)
        leaves = jax.tree.structure([0] * len(jax.tree.leaves(answer)))
        return deserialize_and_load(payload, _given(given), leaves, execution_devices=jax.local_devices()[:1]), answer
    except Exception:  # of another XLA, or of a processor that lacks something: it is compiled again
        return None


@functools.cache
def _find_lapack() -> None:
    """JAX looks for LAPACK when it lowers a program that calls it, not when it loads one, which would then call nothing and crash."""
    jax.jit(jnp.linalg.eigvals).lower(jax.ShapeDtypeStruct((1, 1), complex))


def _given(count: int) -> Any:
    return jax.tree.structure((([0] * count,), {}))


def _built(file: pathlib.Path, flat: Callable[..., Any], shapes: list[Any], options: dict[str, Any] | None) -> _Program:
    told: list[str] = []

    def leaves(given: list[Any]) -> list[Any]:
        found, answer = flat(given)
        told.append(json.dumps([len(given), answer]))
        return found

    lowered = jax.jit(leaves).lower(shapes)
    try:
        program = lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError as error:
        if not _unknown(error):
            raise
        program = lowered.compile()
    with contextlib.suppress(ValueError, NotImplementedError):  # a program that cannot be written
        _keep(file, zlib.compress(f"{told[-1]}\n".encode() + serialize(program)[0], 1))
    return program, json.loads(told[-1])[1]


def _unknown(error: jax.errors.JaxRuntimeError) -> bool:
    """Whether it is that a later XLA has an option no more."""
    return "compile option" in str(error)


def _digest(*words: str) -> str:
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


def _keep(file: pathlib.Path, content: bytes) -> None:
    """Write it behind its digest, whole or not at all; it is needed in the next run only."""
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(hashlib.sha256(content).digest() + content)
            os.replace(name, file)
        except OSError:
            os.unlink(name)
