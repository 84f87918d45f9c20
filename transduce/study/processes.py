"""One run in several processes, on one host or many: the first one speaks, holds the folder and writes.

They find each other through JAX's own runtime. That one ends every process by an abort when one is lost, so on CPUs, whose programs need
nothing more of it, it is left once all have met; from there on they wait for each other over ``ties`` of their own.
"""

import contextlib
import contextvars
import os
import sys
from collections.abc import Callable, Iterator

from .record import Folder
from .source import WrongInput
from .ties import Ties, tied

HEARTBEAT = 20
"""Seconds without a word after which JAX's runtime takes a process for lost."""
_ties: contextvars.ContextVar[Ties | None] = contextvars.ContextVar("ties", default=None)


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

    try:
        with _silent():
            jax.distributed.initialize(coordinator, count, own, heartbeat_timeout_seconds=HEARTBEAT)
            if jax.process_count() > 1:
                _ties.set(tied(coordinator))
            if jax.default_backend() == "cpu":  # the compiler of a GPU shares its trials among the processes
                jax.distributed.shutdown()
    except (ValueError, RuntimeError, OSError) as error:
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


def meet(_name: str = "") -> None:
    """Wait for every process.

    Raises:
        Stopped: one is lost.
    """
    if (ties := _ties.get()) is not None:
        ties.meet()


def check(way_on: str) -> None:
    """Raise ``Stopped`` if a process is lost; from now on, that one goes on in this way."""
    if (ties := _ties.get()) is not None:
        ties.way_on = way_on
        ties.check()


@contextlib.contextmanager
def folder_of(make: Callable[[], Folder]) -> Iterator[Folder | None]:
    """The run's folder, held by the first process, and None in the others, once it is there for all.

    Raises:
        WrongInput: it cannot be held; the first process says why.
        Stopped: a process is lost.
    """
    ties = _ties.get()
    if ties is None:
        with make() as made:
            yield made
        return
    held: Folder | None = None
    why: BaseException | None = None
    if ties.own == 0:
        try:
            held = make()
        except (WrongInput, OSError) as error:
            why = error
    try:
        if ties.meet("there" if why is None else "none") == "none":
            raise why or WrongInput("the first process has no folder to write into")
        yield held
        ties.leave()
    finally:
        if held is not None:
            held.close()
