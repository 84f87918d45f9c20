"""One run in several processes, on one host or many, through JAX's own runtime: the first one speaks, holds the folder and writes."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from .record import Folder
from .source import WrongInput

HEARTBEAT = 20
"""Seconds without a word after which a process counts as lost, and the others end."""


def join(distributed: bool, coordinator: str | None, count: int | None, own: int | None) -> None:
    """Meet the other processes, before JAX computes anything.

    Args:
        distributed: whether there are others, which the launcher (Slurm, MPI, Kubernetes, ...) tells JAX of.
        coordinator: HOST:PORT where the first process listens, if no launcher tells.
        count: of processes.
        own: the number of this one.

    Raises:
        WrongInput: the three are not given together, or there is nobody to meet.
    """
    stated = [one is not None for one in (coordinator, count, own)]
    if any(stated) and not all(stated):
        raise WrongInput("--coordinator, --processes, --process: must be given together, or none of them")
    if count is not None and own is not None and not 0 <= own < count:
        raise WrongInput(f"--process: must be at least 0 and below --processes {count}, but is {own}")
    if not (distributed or any(stated)):
        return
    import jax
    from jax.experimental import multihost_utils

    try:
        with _silent():
            jax.distributed.initialize(coordinator, count, own, heartbeat_timeout_seconds=HEARTBEAT)
            multihost_utils.sync_global_devices("transduce: all are there")
    except (ValueError, RuntimeError) as error:
        words = " ".join(str(error).split())
        raise WrongInput(f"--distributed: must find its other processes, but does not: {words[:300]}") from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches standard output: what carries words between processes on CPUs greets there when it is set up."""
    sys.stdout.flush()
    before, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)
        os.close(nowhere)


@contextlib.contextmanager
def folder_of(make: Callable[[], Folder]) -> Iterator[Folder | None]:
    """The run's folder, held by the first process, and None in the others, once it is there for all.

    Raises:
        WrongInput: it cannot be held; the first process says why.
    """
    import jax

    if jax.process_count() == 1:
        with make() as made:
            yield made
        return
    import numpy as np
    from jax.experimental import multihost_utils

    held: Folder | None = None
    why: BaseException | None = None
    if jax.process_index() == 0:
        try:
            held = make()
        except (WrongInput, OSError) as error:
            why = error
    try:
        there = bool(multihost_utils.broadcast_one_to_all(np.asarray(why is None)))
        if not there:
            raise why or WrongInput("the first process has no folder to write into")
        yield held
    finally:
        if held is not None:
            held.close()
