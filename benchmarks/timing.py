"""What the rows share: their frequencies, CPU time, compiling, agreement, and arithmetic beside what the processor can do.

Operations are real ones: a complex sum is two of them, a complex product six; a fused multiply-add is two.
"""

import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from transduce.units import MHz

POINTS = 1001
OMEGA = np.linspace(-5, 5, POINTS) * MHz
WEIGHT = 1 / np.sqrt(1 + (OMEGA / MHz) ** 2) / POINTS
BLOCK = 16
"""Designs per step of ``lax.map``: their arrays stay in the cache."""
_SUMS, _PRODUCTS = ("add", "sub", "neg"), ("mul", "div", "integer_pow")


def cpu_time(call: Callable[[], Any], rounds: int = 3, least: float = 0.4) -> float:
    """Seconds of all threads per call, the best of some rounds of repeated calls."""
    return _best(call, rounds, least, time.process_time)


def wall_time(call: Callable[[], Any], rounds: int = 5, least: float = 0.2) -> float:
    """Seconds per call, likewise."""
    return _best(call, rounds, least, time.perf_counter)


def _best(call: Callable[[], Any], rounds: int, least: float, clock: Callable[[], float]) -> float:
    jax.block_until_ready(call())
    best = np.inf
    for _ in range(rounds):
        count, begun = 0, clock()
        while count == 0 or clock() - begun < least:
            jax.block_until_ready(call())
            count += 1
        best = min(best, (clock() - begun) / count)
    return best


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[jax.stages.Compiled, float]:
    """The program for such arguments, and the seconds that tracing and compiling took."""
    begun = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    return program, time.perf_counter() - begun


def in_blocks(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda designs: jax.lax.map(function, designs, batch_size=BLOCK)


def agreement(one: Any, other: Any) -> float:
    """The largest relative difference; of designs that are NaN in both, none."""
    return max(float(np.nanmax(np.abs(np.asarray(a) / np.asarray(b) - 1))) for a, b in zip(one, other, strict=True))


def compiled_operations(program: jax.stages.Compiled) -> float:
    """What a program does: XLA's count, which takes every complex operation for one, and the rest of the complex ones.

    Of a loop XLA counts one turn; where there is one, it is taken for all of the program.
    """
    counted, text = program.cost_analysis(), program.as_text() or ""
    assert counted is not None
    total = float(counted["flops"])
    for shape, name in re.findall(r"= c128\[([0-9,]*)\]\S* (add|subtract|negate|multiply)\(", text):
        total += math.prod(map(int, filter(None, shape.split(",")))) * (5 if name == "multiply" else 1)
    turns = [int(count) for count in re.findall(r'"known_trip_count":\{"n":"(\d+)"\}', text)]
    assert len(turns) <= 1
    return total * math.prod(turns)


def written_operations(function: Callable[..., Any], *arguments: Any) -> float:
    """What the algorithm as written does, before XLA repeats what several answers need."""

    def inside(jaxpr: Jaxpr, turns: int = 1) -> Iterator[tuple[str, Any, int]]:
        for equation in jaxpr.eqns:
            parts = [part for part in equation.params.values() if isinstance(part, ClosedJaxpr | Jaxpr)]
            for part in parts:
                yield from inside(part.jaxpr if isinstance(part, ClosedJaxpr) else part, turns * equation.params.get("length", 1))
            yield equation.primitive.name, equation.outvars[0].aval, turns

    total = 0.0
    for name, of, turns in inside(jax.make_jaxpr(function)(*arguments).jaxpr):
        is_complex = jnp.issubdtype(of.dtype, jnp.complexfloating)
        each = (name in _SUMS) * (2 if is_complex else 1) + (name in _PRODUCTS) * (6 if is_complex else 1)
        total += each * of.size * turns
    return total


def peak() -> float:
    """Measured float64 operations per second of CPU time: XLA's product of two 512 x 512 matrices, which fit the cache.

    NumPy's BLAS does the same on one thread; on two of a busy machine it counts the time for which one waits for the other.
    """
    a = jnp.asarray(np.random.default_rng(0).normal(size=(512, 512)))
    product, _ = compiled(lambda a: a @ a, a)
    return 2 * 512**3 / cpu_time(lambda: product(a))
