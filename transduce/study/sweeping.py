"""The sweep of a study: figures of many designs, from the table [sweep] of its file to the run's folder.

    [sweep]
    figures = ["efficiency", "added_noise_input"]   # the objective and what has targets, unless told
    gradients = true                                # with respect to all that varies; or a list of parameters
    samples = 1000                                  # random designs in the boxes; 0 where there are axes, unless told
    seed = 0
    chunk = 256                                     # designs per call; memory = "2 GiB", resolution = 512

    [sweep.axes]                                    # an outer product, the last axis fastest, the random designs last of all
    "device.lab.pump_power" = { from = "1 mW", to = "1 W", points = 40, spacing = "log" }
    "path.fibre.length" = ["1 km", "10 km"]
    both = { "node.a.qubit.t1" = ["1 ms", "2 ms"], "node.b.qubit.t1" = ["1 ms", "2 ms"] }     # vary together

    [sweep.boxes]                                   # those of [free] that are no axis, unless told
    "device.lab.kappa_e_ext" = ["1 MHz", "50 MHz"]

The arrays in the run's ``sweep/`` are in inside units (see ``design.stored``); ``result.json`` says what to multiply them by.
"""

import contextlib
import dataclasses
import pathlib
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import units
from ..design.axes import COUNTER, Sample, designs
from ..design.chunks import LEAST, free_memory
from ..design.sweep import SHARE, Prepared, prepare
from ..protocols.transfer import MOST_SAMPLES, samples_wanted
from . import figures, processes, swept
from .aims import Aims, known_figures, read_boxes, read_figure, read_parameter
from .checkpoint import moved, processor
from .config import Setting, quantity, scalars
from .record import Folder, dumps, now, provenance
from .resolved import resolved
from .signals import Stopped, Stops
from .source import Place, WrongInput, near

TASK = "sweep"
_RANGE = ("from", "to", "points", "spacing")
_KEYS = ("axes", "samples", "seed", "boxes", "figures", "gradients", "chunk", "memory", "resolution")
Told = Callable[[int, int, float, float], Any]


@dataclasses.dataclass(frozen=True)
class Sweeping:
    """What is swept.

    Attributes:
        axes: as ``design.sweep`` takes them, inside units; a row of values each, a dict of rows, or a ``Sample``.
        figures: name -> dimension.
        gradients: paths.
        chunk: designs per call; None: what fits.
        memory: bytes; None: half of what is free.
        resolution: samples of the mode that the receiver absorbs.
    """

    axes: dict[Any, Any]
    figures: dict[str, str]
    gradients: tuple[str, ...]
    chunk: int | None
    memory: int | None
    resolution: int


def load(setting: Setting, aims: Aims) -> Sweeping:
    """The sweep of a study, checked against its setting.

    Raises:
        WrongInput: one line, at the first thing that is wrong.
    """
    source, place = setting.source, ("sweep",)
    table = source.table(place, source.data.get("sweep", {}), _KEYS)
    axes = _axes(setting, table.get("axes", {}))
    sample = _sample(setting, aims, table, axes)
    axes |= {} if sample is None else {"sample": sample}
    if not axes:
        raise source.wrong(place, "must have axes or samples, but has neither")
    try:
        paths = designs(axes, setting.parts).paths
    except ValueError as error:
        raise source.wrong((*place, "axes") if "axes" in table else place, str(error).removeprefix("axes: ")) from None
    chunk = _whole(setting, table, "chunk", None, LEAST, 2**24)
    if chunk is not None and chunk & (chunk - 1):
        raise source.wrong((*place, "chunk"), f"must be a power of two, but is {chunk}")
    resolution = _whole(setting, table, "resolution", 512, 2, MOST_SAMPLES) or 0
    named, gradients = _figures(setting, aims, table), _gradients(setting, table, paths)
    return Sweeping(axes, named, gradients, chunk, _memory(setting, table), resolution)


def _whole(setting: Setting, table: dict[str, Any], key: str, default: int | None, least: int, most: int) -> int | None:
    value = table.get(key, default)
    if key in table and (type(value) is not int or not least <= value <= most):
        what = f"must be a whole number of at least {least} and at most {most}, but is {value!r}"
        raise setting.source.wrong(("sweep", key), what)
    return value


def _axes(setting: Setting, raw: Any) -> dict[Any, Any]:
    source, place = setting.source, ("sweep", "axes")
    known, found = scalars(setting.parts), {}  # type: Any, dict[Any, Any]
    for name, given in source.table(place, raw).items():
        at = (*place, name)
        if name == "sample":
            raise source.wrong(at, "must not be sample, which the random designs are")
        if name in known or not isinstance(given, dict) or any(key in given for key in _RANGE) or not given:
            found[name] = _values(setting, name, at, given)
            continue
        found[name] = {path: _values(setting, path, (*at, path), values) for path, values in given.items()}
        lengths = {path: len(values) for path, values in found[name].items()}
        if len(set(lengths.values())) > 1:
            words = ", ".join(f"{path} {length}" for path, length in lengths.items())
            raise source.wrong(at, f"must have as many values of each, but has {words}")
    return found


def _values(setting: Setting, path: str, place: Place, raw: Any) -> np.ndarray:
    """Values along an axis, inside units."""
    source, parameter = setting.source, read_parameter(setting, path, place)
    if isinstance(raw, list) and raw:
        return np.array([quantity(source, place, one, parameter) for one in raw])
    if not isinstance(raw, dict):
        right = f'{{ from = {units.example(parameter.dimension).split(" or ")[0]}, to = ..., points = 40, spacing = "log" }}'
        raise source.wrong(place, f"must be a list of values or {right}, but is {raw!r}")
    source.table(place, raw, _RANGE, needed=("from", "to", "points"))
    low, high = (quantity(source, (*place, key), raw[key], parameter) for key in ("from", "to"))
    points, spacing = raw["points"], raw.get("spacing", "linear")
    if type(points) is not int or not 2 <= points < COUNTER:
        raise source.wrong((*place, "points"), f"must be a whole number of at least 2 and below 2^32, but is {points!r}")
    if spacing not in ("linear", "log"):
        raise source.wrong((*place, "spacing"), f'must be "linear" or "log", but is {spacing!r}')
    if low == high:
        raise source.wrong(place, f"must have two ends, but has {raw['from']} twice")
    if spacing == "log" and min(low, high) <= 0:
        raise source.wrong((*place, "spacing"), f'must be "linear" between {raw["from"]} and {raw["to"]}, but is "log"')
    return np.geomspace(low, high, points) if spacing == "log" else np.linspace(low, high, points)


def _sample(setting: Setting, aims: Aims, table: dict[str, Any], axes: dict[Any, Any]) -> Sample | None:
    source = setting.source
    count = _whole(setting, table, "samples", 0 if axes else 1000, 1, COUNTER - 1)
    seed = _whole(setting, table, "seed", 0, 0, 2**32 - 1)
    for key in ("boxes", "seed"):
        if not count and key in table:
            raise source.wrong(("sweep", key), "must go with samples, the number of random designs, but there is none")
    if not count:
        return None
    varied = {path for name, values in axes.items() for path in (values if isinstance(values, dict) else (name,))}
    own = {path: box for path, box in aims.free.items() if path not in varied}
    boxes = read_boxes(setting, table["boxes"], ("sweep", "boxes")) if "boxes" in table else own
    if not boxes:
        raise source.wrong(("sweep",), "must have boxes for its random designs, here or in [free], but has none")
    return Sample(count, seed or 0, boxes)


def _names(setting: Setting, key: str, raw: Any, example: str) -> list[Any]:
    """A list of names, each once."""
    place = ("sweep", key)
    if not isinstance(raw, list) or not raw:
        raise setting.source.wrong(place, f"must be a list of names, such as {example}, but is {raw!r}")
    for name in raw:
        if raw.count(name) > 1:
            raise setting.source.wrong(place, f"must name each once, but names {name!r} {raw.count(name)} times")
    return raw


def _figures(setting: Setting, aims: Aims, table: dict[str, Any]) -> dict[str, str]:
    known = known_figures(setting)
    if "figures" not in table:
        return {name: known[name] for name in dict.fromkeys((aims.objective, *aims.bounds))}
    names = _names(setting, "figures", table["figures"], '["efficiency", "added_noise_input"]')
    return {read_figure(setting, name, known, ("sweep", "figures")): known[name] for name in names}


def _gradients(setting: Setting, table: dict[str, Any], varied: tuple[str, ...]) -> tuple[str, ...]:
    raw, place = table.get("gradients", False), ("sweep", "gradients")
    if type(raw) is bool:
        return varied if raw else ()
    names, known = _names(setting, "gradients", raw, f'["{varied[0]}"], or true or false'), scalars(setting.parts)
    for name in names:
        if name not in known:
            raise setting.source.wrong(place, f"must be parameters of this study, but {name!r} is none; {near(name, known)}")
    return tuple(names)


def _memory(setting: Setting, table: dict[str, Any]) -> int | None:
    raw = table.get("memory")
    if raw is None:
        return None
    match = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([A-Za-z]+)\s*", raw, re.ASCII) if isinstance(raw, str) else None
    if match is None or match[2] not in swept.SIZES or not float(match[1]):
        raise setting.source.wrong(("sweep", "memory"), f'must be a size above 0, such as "2 GiB", but is {raw!r}')
    return int(float(match[1]) * swept.SIZES[match[2]])


# --- running ---------------------------------------------------------------------------------------------------------------------------


def function(setting: Setting, asked: Sweeping) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """parts -> figures by name, each NaN where the link is unstable or, of what hangs on the qubits, a part is outside its domain."""
    stages = ("up", *setting.parts["path"].names, "down")
    spectral = {name for name in asked.figures if name in (*figures.LINK, *figures.COLD) or name.rpartition(".")[0] in stages}

    def at(parts: dict[str, Any]) -> dict[str, Any]:
        transfer, view = setting.view(parts, asked.resolution)
        carries = ~jnp.isnan(view.transferred.link.efficiency)
        sound = carries & ~jnp.isnan(view.case.raw.fidelity)
        found = {name: jnp.where(carries if name in spectral else sound, figures.figure(name, view), jnp.nan) for name in asked.figures}
        if len(spectral) < len(found):
            found[swept.WANTED] = jnp.where(sound, samples_wanted(view.passage.link.poles, transfer.photon), jnp.nan)
        return found

    return at


def prepared(setting: Setting, asked: Sweeping, folder: pathlib.Path | None) -> Prepared:
    """The sweep, compiled; without a folder it can be estimated, and no more, whatever room its results would need.

    Raises:
        WrongInput: too little memory, or another sweep in the folder.
    """
    options: dict[str, Any] = {"chunk": asked.chunk, "memory": asked.memory, "folder": folder, "meet": processes.meet}
    if folder is None:
        count = designs(asked.axes, setting.parts).count
        results = count * (8 * (len(asked.figures) + 1) * (1 + len(asked.gradients)) + 1)
        options["memory"] = results + (int(SHARE * free_memory()) if asked.memory is None else asked.memory)
    try:
        return prepare(function(setting, asked), setting.parts, asked.axes, gradients=asked.gradients, **options)
    except ValueError as error:
        words = str(error)
        if not words.startswith(("sweep: ", f"{folder}")):
            raise
        raise WrongInput(f"{setting.source.name}: sweep: {words.removeprefix('sweep: ')}") from None


@contextlib.contextmanager
def _stoppable(path: pathlib.Path, reached: list[str]) -> Iterator[Callable[[], None]]:
    """Signals are heard inside, and what ends the run there says how the user goes on; ``check()`` ends it where it has been asked to."""
    stops, way_on = Stops(), f"go on with: transduce resume {shlex.quote(str(path))}"

    def check() -> None:
        stops.check()
        processes.check(way_on)

    stops.begin()
    try:
        check()
        yield check
    except Stopped as stopped:
        raise Stopped(str(stopped) or f"stopped {reached[-1]}; {way_on}") from None
    except OSError as error:
        error.add_note(way_on)
        raise
    finally:
        stops.end()


def run(setting: Setting, aims: Aims, path: pathlib.Path, folder: Folder | None, say: Callable[[str], Any], report: Told) -> dict[str, Any]:
    """Begin a sweep in its folder or go on with it, to the same bits.

    Args:
        path: of the folder.
        folder: the same, held by this process; None in all but the first of several.
        say: takes the estimate in words.
        report: takes (designs done, designs, designs per second, seconds left) of this process, at each call's end.

    Returns:
        What ``result.json`` says; nothing in all but the first of several processes.

    Raises:
        WrongInput: the folder holds another sweep, or the memory is too small.
        Stopped: the run has been asked to stop, or a process is lost; what is done is kept.
        OSError: the folder cannot be written.
    """
    asked, clock, reached = load(setting, aims), time.perf_counter(), ["before the first chunk's end"]
    told: dict[str, Any] = {}
    with _stoppable(path, reached) as check:
        if folder is not None:
            told = _begun(setting, aims, asked, folder)

        def progress(done: int, count: int, rate: float, left: float) -> None:
            reached[:] = [f"at design {done} of {count}"]
            report(done, count, rate, left)
            check()

        ready = prepared(setting, asked, path / swept.ARRAYS)
        check()
        say(swept.estimated(ready.estimate()))
        check()
        found = ready.run(progress)
        if folder is None:
            return {}
        told |= {"finished": now(), "seconds": time.perf_counter() - clock, "folder": str(folder.path)}
        answer = swept.answer(setting, asked, found, told)
        folder.text("run.json", dumps(told))
        folder.text("result.json", dumps(answer))
        return answer


def _begun(setting: Setting, aims: Aims, asked: Sweeping, folder: Folder) -> dict[str, Any]:
    """What was asked, written into the folder; what the run is known by."""
    before = folder.told("run.json")
    seed = next((axis.seed for axis in asked.axes.values() if isinstance(axis, Sample)), None)
    told = {**provenance(setting.source, seed), "task": TASK, "started": before.get("started", now())}
    told |= {"resumed": int(before.get("resumed", -1)) + 1, "processor": processor()}
    if words := moved(before.get("processor"), told["processor"]):
        print(f"transduce: {folder.path}: {words}", file=sys.stderr)
    options = {name: getattr(asked, name) for name in ("chunk", "memory", "resolution")}
    wanted = {"axes": swept.shown(setting, asked.axes), "figures": list(asked.figures), "gradients": list(asked.gradients), **options}
    folder.text("config.resolved.json", dumps({**resolved(setting, aims, setting.parts), "sweep": wanted}))
    folder.text("run.json", dumps(told))
    folder.text("config.toml", setting.source.text)  # the last: with it the folder is a run that can go on
    return told
