"""A sweep of a published device at 101 frequencies, with six gradients: cost per design from 10^3 to 10^6 designs, memory, and overhead.

    python -m benchmarks.sweeps [OUT.json]        some minutes on two cores

The cost is all-thread CPU time, after one run that compiles. Memory is the whole process's peak, JAX and its compiler included.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import transduce as td
from transduce.design.sweep import prepare
from transduce.units import MHz

WRT = ("pump_power", "kappa_e_ext", "kappa_o_ext", "kappa_e_int", "kappa_o_int", "mode_match")
OMEGA = np.linspace(-10, 10, 101) * MHz


def figures(device: Any) -> dict[str, Any]:
    """Mean efficiency and added noise over the band."""
    power, noise = device.linear_system().conversion("microwave", "optical").figures(OMEGA)
    return {"efficiency": jnp.mean(power), "noise": jnp.mean(noise)}


def run(count: int, folder: str | None = None, progress: Callable[..., Any] | None = None, chunk: int | None = None) -> float:
    """CPU seconds of one sweep, compiling left out."""
    asked = prepare(figures, td.device("sahu-2022"), td.Sample(count, 0, dict.fromkeys(WRT)), gradients=WRT, folder=folder, chunk=chunk)
    asked.estimate()
    begun = time.process_time()
    asked.run(progress)
    return time.process_time() - begun


def main(out: str | None = None) -> None:
    run(10**4)
    each = {}
    for count, repeats in ((10**3, 20), (10**4, 5), (10**5, 2), (10**6, 1)):
        each[count] = sum(run(count, chunk=256) for _ in range(repeats)) / repeats / count
        print(f"{count:9d} designs: {1e6 * each[count]:.2f} us of CPU each", flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told, plain, kept = [], [], []
    for _ in range(3):
        plain.append(run(10**5, chunk=256))
        told.append(run(10**5, chunk=256, progress=lambda *_: None))
        with tempfile.TemporaryDirectory() as folder:
            kept.append(run(10**5, folder, lambda *_: None, 256))
    answer = {
        "us_per_design": {str(count): 1e6 * value for count, value in each.items()},
        "million_over_thousand": each[10**6] / each[10**3],
        "peak_MiB": memory,
        "progress_over_none": float(np.median(told) / np.median(plain)),
        "files_and_progress_over_none": float(np.median(kept) / np.median(plain)),
    }
    print(json.dumps(answer))
    if out is not None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(answer, file, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
