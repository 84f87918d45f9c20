"""Compiled functions, and where they are kept between two runs of a command.

Tracing and compiling are the longest parts of a short run. ``compiled`` is ``equinox.filter_jit`` that, inside ``kept(folder, key)``,
also keeps each compiled program on disk (see ``shelf``), and reads it back in the next run with the same key. The key must name everything
that is not an array and shapes the program (see ``study.structure``); the package's own sources, the versions and the processor are
added to it. The library never turns it on by itself; the command line does.
"""

import contextlib
import contextvars
import json
import pathlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np

from . import shelf

_Place = tuple[pathlib.Path, str]
_place: contextvars.ContextVar[_Place | None] = contextvars.ContextVar("place", default=None)
_loaded: dict[pathlib.Path, shelf.Program] = {}
_tracing = threading.Lock()
"""Tracing is Python: two at once only make each other late, where one might compile meanwhile."""
_untraced = 0
_none_untraced = threading.Condition()
_led = threading.Event()
_led.set()
_leader: int | None = None
"""The thread whose next program is traced before those of the others, until ``_led``."""


@contextlib.contextmanager
def leading() -> Iterator[None]:
    """This thread's first program inside is the longest: others that are to be traced wait until it has been."""
    global _leader
    _leader = threading.get_ident()
    _led.clear()
    try:
        yield
    finally:
        _led.set()


def idle() -> None:
    """Wait until no program is traced or waits for that: for what is needed later, and would take Python's time meanwhile."""
    with _none_untraced:
        _none_untraced.wait_for(lambda: _untraced == 0)


@contextlib.contextmanager
def _turn(leads: bool) -> Iterator[None]:
    """To trace, one after the other."""
    global _untraced
    with _none_untraced:
        _untraced += 1
    try:
        if not leads:
            _led.wait()
        with _tracing:
            if leads:
                _led.set()  # the lock is ours
            yield
    finally:
        with _none_untraced:
            _untraced -= 1
            _none_untraced.notify_all()


@contextlib.contextmanager
def kept(folder: pathlib.Path | None, key: str, jax_too: bool = False) -> Iterator[None]:
    """Keep the programs compiled inside in a folder, under a key.

    Args:
        folder: made if it is not there. None: nothing is kept.
        key: whatever shapes the programs and is not an array.
        jax_too: whether JAX keeps there what else it compiles. What its cache holds cannot be written again: ``compiled`` does without.
    """
    # A program that says of each operation from which lines it came takes a tenth longer to load.
    wanted: dict[str, Any] = {"jax_enable_compilation_cache": False, "jax_traceback_in_locations_limit": 0}
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
    token = _place.set(None if folder is None else (folder, shelf.digest(shelf.here(), key)))
    try:
        yield
    finally:
        _place.reset(token)
        for name, value in before.items():
            jax.config.update(name, value)


def split(tree: Any) -> tuple[Any, Any]:
    """What a compiled program is given, and what is a part of it: (arrays, the rest)."""
    arrays, rest = eqx.partition(tree, lambda leaf: isinstance(leaf, (jax.Array, np.ndarray, np.generic)))
    return arrays, rest


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
        arrays, rest = split(arguments)
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
) -> shelf.Program:
    folder, key = place
    shapes = [jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype) for leaf in leaves]
    file = folder / f"{shelf.digest(key, name, str(shapes), str(options))}.program"
    if file not in _loaded:
        _loaded[file] = shelf.take(file) or _built(file, flat, shapes, options)
    if _leader == threading.get_ident():
        _led.set()
    return _loaded[file]


def _built(file: pathlib.Path, flat: Callable[..., Any], shapes: list[Any], options: dict[str, Any] | None) -> shelf.Program:
    told: list[str] = []

    def leaves(given: list[Any]) -> list[Any]:
        found, answer = flat(given)
        told.append(json.dumps(answer))
        return found

    with _turn(_leader == threading.get_ident()):
        lowered = jax.jit(leaves).lower(shapes)
    try:
        program = lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError as error:
        if not _unknown(error):
            raise
        program = lowered.compile()
    answer = json.loads(told[-1])
    shelf.keep(file, program, len(shapes), answer)
    return program, answer


def _unknown(error: jax.errors.JaxRuntimeError) -> bool:
    """Whether it is that a later XLA has an option no more."""
    return "compile option" in str(error)
