"""Sweeps: figures, and their gradients, of any number of designs in bounded memory.

The designs are numbered; a chunk of them at a time is computed on each device by one compiled program (``chunks``), and its answers go to
memory or to files (``stored``). The last chunk is filled up with its own first design. Chunks are the same whatever the number of devices
and of processes, so the bits are the same too, and a sweep with a folder goes on, after whatever ended it, to the bits that it would have
had. A design whose figure is NaN (an unstable device) is counted, and stops nothing.

>>> import transduce as td, numpy as np
>>> device = td.device("sahu-2022")
>>> swept = td.sweep(lambda d: d.pump_power * d.mode_match, device, {"pump_power": np.linspace(0.1, 0.2, 3), "mode_match": [0.5, 0.6]})
>>> swept["value"].shape
(3, 2)
"""

import dataclasses
import hashlib
import pathlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ..shelf import sources
from . import stored
from .axes import Axes, Designs, designs, known
from .chunks import LEAST, Program, Question, ahead, built, device_memory, fitted, free_memory, power_of_two
from .grid import Sweep, arranged
from .space import Free

SHARE = 0.5
"""Of the memory that is free, what a sweep takes unless told."""
CHECKED = 256
"""Designs on which single precision is compared with double, the corners of the grid's index range among them."""
Progress = Callable[[int, int, float, float], Any]
Meet = Callable[[str], Any]


class Estimate(NamedTuple):
    """What a sweep will take.

    Attributes:
        designs: how many.
        chunk: designs per call.
        bytes_results: of all answers.
        bytes_working: of the program's arrays, all calls that run together.
        seconds: of computing on this machine, from one timed call; compiling is not counted.
    """

    designs: int
    chunk: int
    bytes_results: int
    bytes_working: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A sweep that is compiled and has not begun: ``estimate`` it, ``run`` it.

    Attributes:
        designs: numbered.
        program: of a chunk per device.
        folder: where the answers go; None: to memory.
        memory: bytes that working sets may take together.
        single_error: the largest relative error of single precision on a sample; None in double.
        meet: waits for every process.
    """

    designs: Designs
    program: Program
    folder: pathlib.Path | None
    memory: int
    single_error: float | None
    meet: Meet

    @property
    def layout(self) -> stored.Layout:
        """Of the answers."""
        return stored.Layout(self.program.names, len(self.program.question.gradients), self.program.question.type)

    def estimate(self) -> Estimate:
        """Memory, and the time of one call times their number."""
        program, count = self.program, self.designs.count
        calls = 1 + ahead(program, self.memory)
        chunks = -(-count // program.chunk)

        def once() -> None:
            jax.device_get([program(self._rows(call % chunks), call % len(program.devices)) for call in range(calls)])

        once()
        begun = time.perf_counter()
        once()
        seconds = (time.perf_counter() - begun) / calls
        left = -(-count // (program.chunk * jax.process_count()))
        return Estimate(count, program.chunk, self.layout.bytes * count, program.working * calls, seconds * left)

    def run(self, progress: Progress | None = None) -> Sweep:
        """All chunks that are not done yet.

        Args:
            progress: called at the end of each call with (designs done, designs, designs per second, seconds left), of this process.
        """
        kept = self._store()
        try:
            self._compute(kept, progress)
        finally:
            arrays = kept.close()
        self.meet("transduce sweep: done")
        question = self.program.question
        parts = arranged(arrays, self.designs, self.program.names, question.gradients)
        return Sweep(self.designs, question.model, chunk=self.program.chunk, single_error=self.single_error, **parts)

    def _store(self) -> Any:
        count, chunk = self.designs.count, self.program.chunk
        if self.folder is None:
            return stored.Held(self.layout, count, chunk)
        return stored.Kept(self.folder, self.layout, count, chunk, jax.process_index())

    def _compute(self, kept: Any, progress: Progress | None) -> None:
        chunk, count, devices = self.program.chunk, self.designs.count, len(self.program.devices)
        finished, gradients = kept.done(), bool(self.program.question.gradients)
        mine = range(jax.process_index(), len(finished), jax.process_count())
        sizes = {one: min(chunk, count - one * chunk) for one in mine}
        todo = deque(one for one in mine if not finished[one])
        total, done = sum(sizes.values()), sum(sizes[one] for one in mine if finished[one])
        before, begun, calls = done, time.perf_counter(), 0
        waiting: deque[tuple[int, Any]] = deque()
        most = ahead(self.program, self.memory)
        while todo or waiting:
            if todo and len(waiting) <= most:
                waiting.append((todo[0], self.program(self._rows(todo.popleft()), calls % devices)))
                calls += 1
                continue
            one, answer = waiting.popleft()
            kept.put(one, _parts(jax.device_get(answer), sizes[one], gradients))
            done += sizes[one]
            if progress is not None:
                rate = (done - before) / (time.perf_counter() - begun)
                progress(done, total, rate, (total - done) / rate)

    def _rows(self, chunk: int) -> np.ndarray:
        """Values of a chunk's designs; a place without a design has the chunk's first."""
        first = chunk * self.program.chunk
        index = first + np.arange(self.program.chunk)
        return self.designs.at(np.where(index < self.designs.count, index, first))


def _parts(found: dict[str, tuple[np.ndarray, np.ndarray]], size: int, gradients: bool) -> dict[str, np.ndarray]:
    """One chunk's arrays by their names in a layout."""
    parts = {f"figures/{name}": value[:size] for name, (value, _) in found.items()}
    if gradients:
        parts |= {f"gradients/{name}": gradient[:size] for name, (_, gradient) in found.items()}
    return parts | {"stable": ~np.any([np.isnan(value[:size]) for value, _ in found.values()], axis=0)}


def _meet(name: str) -> None:
    """Wait for every process, over JAX's own collectives."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


def prepare(
    function: Callable[[Any], Any],
    model: Any,
    axes: Axes,
    *,
    gradients: Free = (),
    chunk: int | None = None,
    memory: int | None = None,
    folder: str | pathlib.Path | None = None,
    precision: str = "double",
    tolerance: float = 1e-4,
    devices: Sequence[jax.Device] | None = None,
    meet: Meet = _meet,
) -> Prepared:
    """A sweep, checked and compiled but not run; the arguments are those of ``sweep``, and how the processes wait for each other."""
    if precision not in ("double", "single"):
        raise ValueError(f'sweep: precision must be "double" or "single", but is {precision!r}')
    if chunk is not None and (chunk < LEAST or chunk & (chunk - 1)):
        raise ValueError(f"sweep: chunk must be a power of two and at least {LEAST}, but is {chunk}")
    if jax.process_count() > 1 and folder is None:
        raise ValueError("sweep: with several processes folder= must be given, a folder that all of them see")
    asked = designs(axes, model)
    question = Question(function, model, asked.paths, known(gradients, model).paths, precision == "single")
    place = None if folder is None else pathlib.Path(folder)
    mesh = tuple(jax.local_devices() if devices is None else devices)
    before = None if place is None else stored.request(place)
    budget = int(SHARE * free_memory()) if memory is None else memory
    own = device_memory(mesh)
    room = budget if own is None else int(SHARE * own)
    program = fitted(question, asked.count, room, mesh, before.get("chunk") if chunk is None and before is not None else chunk)
    if place is not None:
        program = _claimed(place, program, asked, meet)
    else:
        needed = stored.Layout(program.names, len(question.gradients), question.type).bytes * asked.count
        if needed + program.working > budget:
            raise ValueError(f"sweep: the results take {needed} bytes and memory is {budget}: give folder=, and they are kept there")
        room -= needed if own is None else 0
    return Prepared(asked, program, place, room, _single_error(program, asked, tolerance) if question.single else None, meet)


def _claimed(folder: pathlib.Path, program: Program, asked: Designs, meet: Meet) -> Program:
    """The program with which a folder goes on, after it has been made where it is new.

    Raises:
        ValueError: the folder holds another sweep.
    """
    question = program.question
    wanted: dict[str, Any] = {"digest": _digest(question, asked), "figures": list(program.names), "gradients": list(question.gradients)}
    wanted |= {"axes": {one.name: list(one.space.paths) for one in asked.dimensions}, "shape": list(asked.shape)}
    wanted |= {"precision": "single" if question.single else "double", "chunk": program.chunk}
    try:
        if jax.process_index() == 0 and stored.request(folder) is None:
            layout = stored.Layout(program.names, len(question.gradients), question.type)
            stored.make(folder, layout, asked.count, wanted)
    finally:
        meet("transduce sweep: folder")
    found = stored.request(folder) or {}
    if jax.process_count() > 1 and found.get("chunk") != program.chunk and {**found, "chunk": 0} == {**wanted, "chunk": 0}:
        return built(question, found["chunk"], program.devices)
    for name in (*(name for name in wanted if name != "digest"), "digest"):
        if found.get(name) != wanted[name]:
            what = "the function, the model, the values or the versions are others" if name == "digest" else f"{name} is {found.get(name)}"
            asks = "" if name == "digest" else f" and here {wanted[name]}"
            raise ValueError(f"{folder}: holds another sweep: {what}{asks}; give another folder")
    return program


def _digest(question: Question, asked: Designs) -> str:
    """What the bits hang on, but for the chunk: sources, versions, the traced function, the model, the designs."""
    found = hashlib.sha256(f"{sources()} {asked.digest()} {question.single}".encode())
    found.update(question.lowered(question.program(), LEAST, jax.local_devices()[0]).as_text().encode())
    for leaf in jax.tree.leaves(question.split()[0]):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()


def _single_error(program: Program, asked: Designs, tolerance: float) -> float:
    """The largest relative error of single precision on a sample of the designs, gradients in units of figure over parameter.

    Raises:
        ValueError: it is above the tolerance.
    """
    size = min(power_of_two(asked.count), program.chunk, CHECKED)
    sample = np.random.default_rng(0).integers(asked.count, size=size)
    sample[:2] = 0, asked.count - 1
    rows = asked.at(sample)
    question = dataclasses.replace(program.question, single=False)
    exact = jax.device_get(built(question, size, program.devices[:1])(rows))
    rough = jax.device_get(program(np.resize(rows, (program.chunk, rows.shape[1]))))
    worst = 0.0
    values = _free_values(question, asked, rows)
    for name, (value, gradient) in exact.items():
        scale = np.maximum(np.abs(gradient), np.abs(value)[:, None] / np.maximum(np.abs(values), 1e-300))
        for one, other, unit in ((rough[name][0], value, np.abs(value)), (rough[name][1], gradient, scale)):
            found = np.asarray(one[:size], float)
            differ = np.where((found == other) | (np.isnan(found) & np.isnan(other)), 0.0, np.abs(found - other))
            error = np.where(differ == 0, 0.0, differ / np.maximum(unit, 1e-300))
            worst = max(worst, float(np.max(np.where(np.isnan(error), np.inf, error), initial=0.0)))
    if worst > tolerance:
        raise ValueError(f"sweep: the relative error in single precision must be at most {tolerance:.1e}, but is {worst:.1e} on a sample")
    return worst


def _free_values(question: Question, asked: Designs, rows: np.ndarray) -> np.ndarray:
    """Values of the parameters that are differentiated with respect to, (rows, gradients)."""
    swept = {path: rows[:, place] for place, path in enumerate(asked.paths)}
    own = question.stated()
    return np.stack([swept.get(path, np.full(len(rows), own[path])) for path in question.gradients], axis=1) if own else rows[:, :0]


def sweep(
    function: Callable[[Any], Any],
    model: Any,
    axes: Axes,
    *,
    gradients: Free = (),
    chunk: int | None = None,
    memory: int | None = None,
    folder: str | pathlib.Path | None = None,
    precision: str = "double",
    tolerance: float = 1e-4,
    devices: Sequence[jax.Device] | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Figures of every design of an outer product of named axes.

    Args:
        function: model -> a real scalar, or a dict of them by name; pure and traceable.
        model: the tree of modules, dicts and tuples that holds the parameters.
        axes: ``{path: values}`` in grid order, ``{(path, path): (values, values)}`` for parameters that vary together,
            ``{name: Sample(...)}`` for random designs; see ``axes.designs``. Values are in inside units.
        gradients: parameters that each figure is differentiated with respect to, swept or not: paths, or a lambda that selects them.
        chunk: designs per call, a power of two; None: what fits the cache and the memory.
        memory: bytes that the arrays of the sweep may take; None: half of what is free.
        folder: where results are kept as they come. The same call with the same folder goes on where the last one was ended.
        precision: "double", or "single" for float32, compared with double on a sample first: squares of rates, and what a gradient makes of
            them, may leave its range.
        tolerance: of single precision, relative.
        devices: None: all local ones, a chunk each.
        progress: called at the end of each call with (designs done, designs, designs per second, seconds left), of this process.

    Raises:
        ValueError: an unknown path, a value outside its domain, too little memory, another sweep's folder, or single precision that is
            not enough.
        OSError: the disk is full; what is done is kept.
    """
    asked = prepare(
        function,
        model,
        axes,
        gradients=gradients,
        chunk=chunk,
        memory=memory,
        folder=folder,
        precision=precision,
        tolerance=tolerance,
        devices=devices,
    )
    return asked.run(progress)
