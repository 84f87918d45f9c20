"""Compiled functions, and where they are kept between two runs of a command.

Compiling is the longest part of a short run, and tracing the next. ``compiled`` is ``equinox.filter_jit`` that, inside
``kept(folder, key)``, also keeps each traced program on disk (as JAX's exported StableHLO) beside JAX's own cache of compiled ones, and
reads both back in the next run with the same key. The key must name everything that is not an array: the file as given, and what else
shapes the program; this module adds the package's own sources and the versions. The library never turns it on by itself; the command
line does.
"""

import contextlib
import contextvars
import hashlib
import os
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import export

from . import __version__

_Place = tuple[pathlib.Path, str]
_place: contextvars.ContextVar[_Place | None] = contextvars.ContextVar("place", default=None)
_loaded: dict[pathlib.Path, Callable[..., Any]] = {}


def sources() -> str:
    """A digest of this package's files and of the versions and device that a program depends on."""
    digest = hashlib.sha256(f"{__version__} {jax.__version__} {jax.lib.__version__} {jax.devices()[0].device_kind}".encode())
    root = pathlib.Path(__file__).parent
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def writable(folder: pathlib.Path) -> bool:
    """Whether programs can be kept in a folder; it is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def kept(folder: pathlib.Path | None, key: str) -> Iterator[None]:
    """Keep the programs compiled inside in a folder, under a key.

    Args:
        folder: made if it is not there; also JAX's cache of compiled programs. None: nothing is kept, by JAX neither.
        key: whatever shapes the programs and is not an array.
    """
    wanted: dict[str, Any] = {"jax_enable_compilation_cache": False}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {
            "jax_compilation_cache_dir": str(folder),
            "jax_persistent_cache_min_compile_time_secs": 0,
            "jax_persistent_cache_min_entry_size_bytes": -1,
        }
    before = {name: getattr(jax.config, name) for name in wanted}
    for name, value in wanted.items():
        jax.config.update(name, value)
    token = _place.set(None if folder is None else (folder, hashlib.sha256(f"{sources()} {key}".encode()).hexdigest()))
    try:
        yield
    finally:
        _place.reset(token)
        for name, value in before.items():
            jax.config.update(name, value)


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
        like: from the same arguments to a tree of the answer's structure; None: the answer is made of dicts, lists and tuples only.
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

        def flat(leaves: list[Any]) -> Any:
            answer = function(*eqx.combine(jax.tree.unflatten(tree, leaves), rest))
            return answer if like is None else jax.tree.leaves(answer)

        shape = re.sub(r" at 0x[0-9a-f]+", "", str(tree))
        answer = _program(place, f"{function.__qualname__} {tag} {shape}", flat, leaves, options)(leaves)
        return answer if like is None else jax.tree.unflatten(jax.tree.structure(like(*arguments)), answer)

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


def _program(place: _Place, name: str, flat: Callable[..., Any], leaves: list[Any], options: dict[str, Any] | None) -> Callable[..., Any]:
    folder, key = place
    shapes = [jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype) for leaf in leaves]
    file = folder / f"{hashlib.sha256(f'{key} {name} {shapes}'.encode()).hexdigest()}.stablehlo"
    if file not in _loaded:
        content = _read(file)
        if content is None:
            content = bytes(export.export(jax.jit(flat))(shapes).serialize())
            with contextlib.suppress(OSError):  # it is needed in the next run only
                _write(file, hashlib.sha256(content).digest() + content)
        _loaded[file] = _built(jax.jit(export.deserialize(bytearray(content)).call).lower(shapes), options)
    return _loaded[file]


def _built(lowered: jax.stages.Lowered, options: dict[str, Any] | None) -> Callable[..., Any]:
    try:
        return lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError as error:
        if not _unknown(error):
            raise
        return lowered.compile()


def _unknown(error: jax.errors.JaxRuntimeError) -> bool:
    """Whether it is that a later XLA has an option no more."""
    return "compile option" in str(error)


def _read(file: pathlib.Path) -> bytes | None:
    """What was written behind its digest; None where there is nothing, or not the whole of it."""
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    return raw[32:] if hashlib.sha256(raw[32:]).digest() == raw[:32] else None


def _write(file: pathlib.Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.replace(name, file)
    except OSError:
        os.unlink(name)
        raise
