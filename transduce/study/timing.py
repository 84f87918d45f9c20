"""How long the main job takes on this machine, cold and warm, beside the start-up of JAX itself."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

UNIT = ("-c", "import jax; jax.jit(jax.numpy.sin)(1.0)")
"""What the times are compared with."""
JOBS = {"evaluate": ("-m", "transduce", "evaluate", "--json"), "optimise": ("-m", "transduce", "optimise", "--json", "--out", "OUT")}


def seconds(words: Sequence[str], cache: pathlib.Path) -> float:
    """Wall time of one run of Python, compiled programs being kept in a folder.

    Raises:
        OSError: it failed; with its last words.
    """
    begun = time.perf_counter()
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    return time.perf_counter() - begun


def times(jobs: Mapping[str, Sequence[str]] = JOBS) -> dict[str, dict[str, float]]:
    """Of each job: seconds ``cold`` (nothing compiled before) and ``warm`` (again), and both over the start-up of JAX."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        unit = min(seconds(UNIT, root / "unit") for _ in range(3))
        found = {"jax": {"cold": unit, "warm": unit, "cold_over_jax": 1.0, "warm_over_jax": 1.0}}
        for name, words in jobs.items():
            cold, warm = (
                seconds([str(root / f"{name}-{turn}") if word == "OUT" else word for word in words], root / name)
                for turn in ("cold", "warm")
            )
            found[name] = {"cold": cold, "warm": warm, "cold_over_jax": cold / unit, "warm_over_jax": warm / unit}
    return found
