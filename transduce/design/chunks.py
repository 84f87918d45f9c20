"""The compiled part of a sweep: one program for a fixed number of designs, a chunk, on each device.

Which chunk: the largest power of two whose working set (arguments, answers and what lies between, as the compiler states them) fits the
memory and, on a CPU, its cache. Beyond the cache a design costs several times as much (101 frequencies, six gradients: 3.5 us where the
working set is 5 MB, 20 us where it is 80 MB), below it the calls are what costs. The chunk never depends on the number of devices, so
the bits do not either: where memory is short, fewer devices work.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding

from .. import parameters

CACHE = 8 * 2**20
"""Bytes of a CPU's working set per chunk."""
TRIAL, LEAST = 256, 8
"""Designs of the chunk by which the working set is measured, and of the smallest one."""
_ASSUMED = 4 * 2**30
"""Free memory where the system does not say."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked of each design.

    Attributes:
        function: model -> a scalar, or a dict of scalars by name.
        model: the tree of modules, dicts and tuples.
        paths: the parameters that a row of values sets.
        gradients: those that the figures are differentiated with respect to.
        single: whether in float32.
    """

    function: Callable[[Any], Any]
    model: Any
    paths: tuple[str, ...]
    gradients: tuple[str, ...]
    single: bool

    @property
    def type(self) -> Any:
        """Of its numbers."""
        return np.float32 if self.single else np.float64

    def split(self) -> tuple[Any, Any]:
        """(arrays of the model in the precision asked for, everything else)."""
        arrays, rest = eqx.partition(self.model, _is_array)
        return jax.tree.map(self._cast, arrays), rest

    def _cast(self, leaf: Any) -> np.ndarray:
        found = np.asarray(leaf)
        wanted = {"f": np.float32, "c": np.complex64}.get(found.dtype.kind) if self.single else None
        return found if wanted is None else found.astype(wanted)

    def stated(self) -> dict[str, float]:
        """The model's own values of the parameters that figures are differentiated with respect to."""
        return {path: float(parameters.get(self.model, path)) for path in self.gradients}

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """Inside it JAX computes as asked."""
        return parameters.in_single() if self.single else contextlib.nullcontext()

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Values of the designs in the precision asked for."""
        return values.astype(self.type)

    def figures(self, model: Any) -> dict[str, Any]:
        """The figures of one design by name; one without a name is the "value"."""
        answer = self.function(model)
        named = answer if isinstance(answer, dict) else {"value": answer}
        for name, value in named.items():
            if jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
                kind = f"{jnp.result_type(value)} of shape {jnp.shape(value)}"
                raise ValueError(f"sweep: function(model) must return real scalars, but {name!r} is {kind}")
        return {name: jnp.asarray(value, self.type) for name, value in named.items()}

    def design(self, rest: Any, arrays: Any, row: Any) -> dict[str, tuple[Any, Any]]:
        """One design: name -> (figure, its gradient, (gradients,)), both NaN where the figure is."""
        placed = _placed(eqx.combine(arrays, rest), self.paths, jnp.unstack(row))
        if not self.gradients:
            return {name: (value, jnp.zeros(0, self.type)) for name, value in self.figures(placed).items()}
        leaves = jnp.stack([jnp.asarray(parameters.get(placed, path), self.type) for path in self.gradients])
        values, pull = jax.vjp(lambda leaves: self.figures(_placed(placed, self.gradients, jnp.unstack(leaves))), leaves)
        found = {}
        for name, value in values.items():
            (gradient,) = pull({other: jnp.asarray(float(other == name), self.type) for other in values})
            found[name] = value, jnp.where(jnp.isnan(value), jnp.nan, gradient)
        return found

    def program(self) -> jax.stages.Wrapped:
        """(arrays of the model, rows of values) -> the answers of a chunk; traced once, whatever it is lowered for."""
        _, rest = self.split()

        def chunk(arrays: Any, rows: Any) -> Any:
            return jax.vmap(lambda row: self.design(rest, arrays, row))(rows)

        return jax.jit(chunk)

    def lowered(self, program: jax.stages.Wrapped, chunk: int, device: jax.Device) -> jax.stages.Lowered:
        """The program for a chunk on one device."""
        place = SingleDeviceSharding(device)
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), self.split()[0])
        with self.precision():
            return program.lower(shapes, jax.ShapeDtypeStruct((chunk, len(self.paths)), self.type, sharding=place))


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic))


def _placed(model: Any, paths: tuple[str, ...], values: Sequence[Any]) -> Any:
    return eqx.tree_at(lambda tree: [parameters.get(tree, path) for path in paths], model, list(values))


@dataclasses.dataclass(frozen=True)
class Program:
    """A chunk, compiled for each device on its own: a program that is split over devices rounds in another way than one that is not.

    Attributes:
        question: what it answers.
        names: of the figures.
        chunk: designs of a call.
        devices: that it runs on.
        working: bytes of a call's arguments, answers and what lies between.
        arrays: those of the model, on each device.
        runs: (arrays, rows) -> answers, on each device.
    """

    question: Question
    names: tuple[str, ...]
    chunk: int
    devices: tuple[jax.Device, ...]
    working: int
    arrays: tuple[Any, ...]
    runs: tuple[jax.stages.Compiled, ...]

    def __call__(self, values: np.ndarray, place: int = 0) -> dict[str, tuple[Any, Any]]:
        """Answers on one of the devices, as they come: values (chunk, paths) -> name -> (figure, gradient)."""
        with self.question.precision():
            rows = jax.device_put(self.question.rows(values), self.devices[place])
            return self.runs[place](self.arrays[place], rows)


def built(question: Question, chunk: int, devices: Sequence[jax.Device]) -> Program:
    """The program of a chunk, compiled for all devices at a time."""
    program, arrays = question.program(), question.split()[0]
    lowered = [question.lowered(program, chunk, device) for device in devices]

    def compiled(one: jax.stages.Lowered) -> jax.stages.Compiled:
        with question.precision():
            return one.compile()

    with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
        runs = tuple(pool.map(compiled, lowered))
    with question.precision():
        places = tuple(jax.device_put(arrays, device) for device in devices)
    return Program(question, tuple(lowered[0].out_info), chunk, tuple(devices), working_set(runs[0], lowered[0]), places, runs)


def working_set(run: jax.stages.Compiled, lowered: jax.stages.Lowered) -> int:
    """Bytes that one call takes on one device."""
    told = run.memory_analysis()
    if told is not None:
        return int(told.temp_size_in_bytes + told.output_size_in_bytes + told.argument_size_in_bytes)
    leaves = jax.tree.leaves((lowered.in_avals, lowered.out_info))
    return 16 * sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves)


def power_of_two(number: float) -> int:
    """The largest one that is not above a number, and at least the smallest chunk."""
    return max(LEAST, 1 << max(0, int(number).bit_length() - 1))


def fitted(question: Question, designs: int, memory: int, devices: Sequence[jax.Device], chunk: int | None) -> Program:
    """The program with the chunk that fits, or with the one given.

    Args:
        question: what is asked of each design.
        designs: how many there are.
        memory: bytes that working sets may take together.
        devices: that may be used.
        chunk: designs per device; None: by the working set.

    Raises:
        ValueError: not even the smallest chunk fits.
    """
    largest = power_of_two(2 * designs - 1)
    trial = built(question, min(TRIAL, largest) if chunk is None else chunk, devices[:1])
    room = min(CACHE, memory // 2) if devices[0].platform == "cpu" else memory // 2
    if chunk is None and (wanted := min(power_of_two(room * trial.chunk / trial.working), largest)) != trial.chunk:
        trial = built(question, wanted, devices[:1])
    while chunk is None and trial.working > memory // 2 and trial.chunk > LEAST:
        trial = built(question, trial.chunk // 2, devices[:1])
    if trial.working > memory:
        raise ValueError(f"sweep: memory must be at least {trial.working} bytes for a chunk of {trial.chunk} designs, but is {memory}")
    each = len(devices) if devices[0].platform != "cpu" else max(1, memory // (2 * trial.working))
    count = min(len(devices), each, -(-designs // trial.chunk))
    return trial if count == 1 else built(question, trial.chunk, devices[:count])


def ahead(program: Program, memory: int) -> int:
    """How many calls may wait for another: each core of a CPU takes one, and the next is ready on each device when one ends."""
    cores = (os.cpu_count() or 1) if program.devices[0].platform == "cpu" else 1
    return max(0, min(max(cores, len(program.devices)), memory * _shares(program) // program.working - 1))


def _shares(program: Program) -> int:
    """How many devices have the memory that is meant to themselves."""
    return 1 if program.devices[0].platform == "cpu" else len(program.devices)


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, and of its control group."""
    found = [_ASSUMED]
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = [1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])]
    group = pathlib.Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit, used = ((group / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        found.append(max(0, int(limit) - int(used)))
    return min(found)


def device_memory(devices: Sequence[jax.Device]) -> int | None:
    """Bytes free on the smallest of the devices; None on a CPU, whose memory is the machine's."""
    stats = [device.memory_stats() for device in devices if device.platform != "cpu"]
    rooms = [one["bytes_limit"] - one["bytes_in_use"] for one in stats if one]
    return min(rooms) if rooms else None
