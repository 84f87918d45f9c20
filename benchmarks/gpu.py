"""The chain of three modes on a GPU: designs per second, and how near they come to what the GPU copies and multiplies.

    python -m benchmarks.gpu [OUT.json]        a minute; one line where JAX sees no GPU

Wall time, float64. The copied bytes are those of the arguments and answers, the operations those of the algorithm as written (of a
gradient: not counted); the ceilings are measured beside them.
"""

import json
import sys
from typing import Any

import jax
import numpy as np

from benchmarks.kernel import draw, objective, spectra
from benchmarks.timing import POINTS, compiled, wall_time, written_operations

BLOCK = 2048
"""Designs at once: 16 MB for each array over the frequencies."""


def ceilings(device: jax.Device, size: int = 4096) -> dict[str, float]:
    """Bytes per second read and written by a copy of size^2 numbers, and operations per second of a product of two such matrices."""
    a = jax.device_put(np.random.default_rng(0).normal(size=(size, size)), device)
    copy, product = compiled(lambda a: -a, a)[0], compiled(lambda a: a @ a, a)[0]
    return {"copy": 2 * a.nbytes / wall_time(lambda: copy(a)), "multiply": 2 * size**3 / wall_time(lambda: product(a))}


def rows(device: jax.Device, count: int = 8 * BLOCK) -> dict[str, dict[str, float]]:
    """Forward, answers kept, one block at once; and value and gradient, block by block."""
    design = jax.device_put(draw(3, count, full=False), device)
    block = {name: value[:BLOCK] for name, value in design.items()}
    each = written_operations(lambda one: spectra(3, one), {name: value[0] for name, value in design.items()})
    forward, forward_s = compiled(jax.vmap(lambda one: spectra(3, one)), block)
    slope = jax.value_and_grad(lambda one: objective(3, one))
    gradient, gradient_s = compiled(lambda many: jax.lax.map(slope, many, batch_size=BLOCK), design)
    one, all_of_them = wall_time(lambda: forward(block)), wall_time(lambda: gradient(design))
    moved = sum(value.nbytes for value in jax.tree.leaves((block, forward(block))))
    return {
        "forward": {
            "designs_per_s": BLOCK / one,
            "bytes_per_s": moved / one,
            "operations_per_s": each * BLOCK / one,
            "compile_s": forward_s,
        },
        "value and gradient": {"designs_per_s": count / all_of_them, "compile_s": gradient_s},
    }


def measured(device: jax.Device) -> dict[str, Any]:
    """Ceilings, rows, and the share of each ceiling that the forward row reaches."""
    limit, found = ceilings(device), rows(device)
    forward = found["forward"]
    shares = {"copy": forward["bytes_per_s"] / limit["copy"], "multiply": forward["operations_per_s"] / limit["multiply"]}
    about = {"jax": jax.__version__, "device": device.device_kind, "points": POINTS}
    return {"about": about, "ceilings_per_s": limit, "rows": found, "forward_share_of": shares}


def main(out: str | None = None) -> None:
    there = [device for device in jax.devices() if device.platform == "gpu"]
    if not there:
        raise SystemExit(f"benchmarks.gpu: no GPU is here: jax.devices() has {', '.join(sorted({d.platform for d in jax.devices()}))} only")
    answer = measured(there[0])
    print(json.dumps(answer, indent=1))
    if out is not None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(answer, file, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
