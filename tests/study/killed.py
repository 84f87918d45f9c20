"""A search that is killed at random instants until it is done, again and again: what each kill costs, and whether the bits are the same.

    python -m tests.study.killed KILLS SEED

This process computes nothing; each life of a search is a fork of it, which the parent ends by SIGKILL. A life tells its parent, through
a pipe, from which step it goes on and then each step that it has come to, before it may keep it.
"""

import json
import math
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from transduce import parameters
from transduce.design.maximise import ChunkReport, maximise
from transduce.programs import kept
from transduce.study.checkpoint import Checkpoints
from transduce.study.record import Folder

CHUNK = 2
BOUND = {"task": "kill", "config.toml": "none"}
LOG, RESULT = "metrics.jsonl", "result.npz"


class Valley(eqx.Module):
    """A point of Rosenbrock's valley."""

    x: Array = parameters.number(0.2, box=(0.1, 10.0))
    y: Array = parameters.number(1.5, box=(0.0, 4.0))


def height(at: Valley) -> Array:
    return -jnp.log1p((1 - at.x) ** 2 + 100 * (at.y - at.x**2) ** 2)


def search(folder: pathlib.Path, share: float = math.inf, steps: int = 400, tell: Callable[[int], Any] = lambda step: None) -> None:
    """Begin the search in a folder, or go on with it. At this share a checkpoint is written at every chunk's end."""
    with Folder(folder, overwrite=False, begun=True) as held, Checkpoints(held, BOUND, LOG, share) as checkpoints:
        saved = checkpoints.load()
        tell(0 if saved is None else saved.meta["step"])

        def report(chunk: ChunkReport) -> None:
            tell(chunk.step)
            held.line(LOG, {"step": chunk.step, "value": chunk.value})
            checkpoints.offer(chunk.state, {"at": f"step {chunk.step} of {chunk.steps}", "step": chunk.step})

        state = None if saved is None else saved.state
        found = maximise(height, Valley(), ("x", "y"), starts=3, steps=steps, chunk=CHUNK, progress=report, resume=state)
        held.arrays(RESULT, history=found.history, starts=found.starts, value=np.asarray(found.value), steps=np.asarray(found.steps))


def outcome(folder: pathlib.Path) -> tuple[bytes, bytes]:
    """All that must be the same."""
    return (folder / RESULT).read_bytes(), (folder / LOG).read_bytes()


def life(folder: pathlib.Path, programs: pathlib.Path, words: int = 0, patience: float = 0.0) -> tuple[bool, list[int], float]:
    """One life of a search, ended so many seconds after so many words of it, if any: (whether it ended itself, its words, seconds)."""
    ear, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ear)
        status = 1
        try:
            with kept(programs, "killed"):
                search(folder, tell=lambda step: os.write(mouth, step.to_bytes(4, "big")))
            status = 0
        finally:
            os._exit(status)
    os.close(mouth)
    with os.fdopen(ear, "rb") as told:
        heard = told.read(4 * max(words, 2))
        begun = time.perf_counter()
        if words:
            time.sleep(patience)
            os.kill(child, signal.SIGKILL)
        heard += told.read()
        took = time.perf_counter() - begun
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"a search failed in {folder}")
    return os.WIFEXITED(status), [int.from_bytes(heard[k : k + 4], "big") for k in range(0, len(heard) - 3, 4)], took


def campaign(kills: int, seed: int, place: pathlib.Path) -> dict[str, Any]:
    """Searches, each killed until it is done, until there have been so many kills; then figures."""
    rng, programs, begun = random.Random(seed), place / "programs", time.perf_counter()
    for name in ("compiles", "whole"):
        _, told, took = life(place / name, programs)
    wanted, chunks = outcome(place / "whole"), len(told) - 1
    done = searches = same = parts = lost = 0
    while done < kills:
        folder, searches, reached, ended = place / f"search-{searches}", searches + 1, 0, False
        while not ended:
            words = 1 if rng.random() < 0.1 else 2  # at any time, or once a chunk is done
            ended, told, _ = life(folder, programs, words, rng.uniform(0, took / 2))
            lost = max(lost, reached - told[0] if told else 0)
            reached = max([reached, *told])
            done += not ended
            parts += any(folder.glob(".*.part"))
        same += outcome(folder) == wanted
    figures = {"kills": done, "chunks": chunks, "searches": searches, "same_bits": same, "killed_in_a_write": parts}
    return figures | {"steps_lost_at_most": lost, "steps_of_a_chunk": CHUNK, "seconds": time.perf_counter() - begun}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(campaign(int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(name))))
