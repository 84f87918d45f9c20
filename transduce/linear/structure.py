"""The static graph of a linear system: its edges, and the signs that let one row per mode suffice.

Each mode gets a sign, +1 where its row is a and -1 where it is a^dagger, such that a hopping edge (and a shared port) joins equal signs
and a squeezing edge opposite ones: a two-colouring. A frustrated graph, or a mode that squeezes itself, has none.
"""

from typing import Any, NamedTuple

import numpy as np

from ..numerics import is_concrete

Edge = tuple[int, int]


class Edges(NamedTuple):
    """Index pairs: (mode, mode), (mode, mode), (port, mode)."""

    hopping: tuple[Edge, ...]
    squeezing: tuple[Edge, ...]
    contacts: tuple[Edge, ...]


def colour(n_modes: int, hopping: tuple[Edge, ...], squeezing: tuple[Edge, ...], contacts: tuple[Edge, ...]) -> tuple[int, ...] | None:
    """The sign of each mode, the first of each connected part being +1; None where the graph is frustrated."""
    shared = [(i, j) for p, i in contacts for q, j in contacts if p == q and i < j]
    edges = [(i, j, 1) for i, j in (*hopping, *shared)] + [(i, j, -1) for i, j in squeezing]
    signs: dict[int, int] = {}
    for start in range(n_modes):
        if start in signs:
            continue
        signs[start], waiting = 1, [start]
        while waiting:
            here = waiting.pop()
            for i, j, relation in edges:
                for a, b in ((i, j), (j, i)):
                    if a == here and b not in signs:
                        signs[b] = relation * signs[here]
                        waiting.append(b)
    if any(signs[i] * signs[j] != relation for i, j, relation in edges):
        return None
    return tuple(signs[i] for i in range(n_modes))


Entry = tuple[int, int]
"""Row and column of a drift."""


def origins(system: Any) -> dict[Entry, tuple[int, int]]:
    """Entry of the drift -> (which coupling it is, its sign), of those that are -i (sign 1) or i times one real coupling of the system.

    Two edges that carry one object are one coupling, as the hopping and the squeezing that one pump makes.
    """
    place = {row: k for k, row in enumerate(system.rows)}
    parallel = {(i, j) for p, i in system.contacts for q, j in system.contacts if p == q}
    found: dict[Entry, tuple[int, int]] = {}
    twice: set[Entry] = set()
    known: dict[int, int] = {}
    for flip, edges, values in ((1, system.hopping_edges, system.hopping), (-1, system.squeezing_edges, system.squeezing)):
        for (i, j), value in zip(edges, values, strict=True):
            for one, other, sign in ((one, other, sign) for one, other in ((i, j), (j, i)) for sign in (1, -1)):
                if (one, sign) in place and (other, sign * flip) in place:
                    entry = place[one, sign], place[other, sign * flip]
                    if entry in found or (i, j) in parallel or np.iscomplexobj(value):
                        twice.add(entry)
                    found[entry] = known.setdefault(id(value), len(known)), sign
    return {entry: told for entry, told in found.items() if entry not in twice}


def pattern_of(hamiltonian: Any, squeezing: Any, coupling: Any, occupation: Any, edges: tuple | None) -> Edges:
    """The edges of a system given by matrices: read where concrete, the given ones, or all of them.

    Raises:
        ValueError: the shapes do not fit, Omega is not Hermitian or Xi not symmetric.
    """
    n_ports, n_modes = np.shape(coupling)
    wanted = {"hamiltonian": (n_modes, n_modes), "squeezing": (n_modes, n_modes), "occupation": (n_ports,)}
    for name, value in {"hamiltonian": hamiltonian, "squeezing": squeezing, "occupation": occupation}.items():
        if np.shape(value) != wanted[name]:
            raise ValueError(f"LinearSystem.{name} must have shape {wanted[name]}, but has {np.shape(value)}")
    concrete = is_concrete(hamiltonian, squeezing, coupling)
    if concrete:
        omega, xi = np.asarray(hamiltonian), np.asarray(squeezing)
        for name, matrix, mirror in (("hamiltonian", omega, omega.conj().T), ("squeezing", xi, xi.T)):
            if np.abs(matrix - mirror).max(initial=0) > 1e-12 * np.abs(matrix).max(initial=0):
                raise ValueError(f"LinearSystem.{name} must be {'Hermitian' if name == 'hamiltonian' else 'symmetric'}, but is not")
    if edges is not None:
        return Edges(*edges)

    def present(matrix: Any, i: int, j: int) -> bool:
        return not concrete or bool(np.asarray(matrix)[i, j] != 0)

    pairs = [(i, j) for i in range(n_modes) for j in range(i, n_modes)]
    return Edges(
        tuple((i, j) for i, j in pairs if i < j and present(hamiltonian, i, j)),
        tuple((i, j) for i, j in pairs if present(squeezing, i, j)),
        tuple((k, i) for k in range(n_ports) for i in range(n_modes) if present(coupling, k, i)),
    )


class Route(NamedTuple):
    """The modes of a graph without loops, as they lie between two of them.

    Attributes:
        modes: those from the one to the other, then those that hang beside the way, each behind the one it hangs on.
        parents: place in ``modes`` of the one before, or that it hangs on; -1 for the first.
        length: how many are on the way.
    """

    modes: tuple[int, ...]
    parents: tuple[int, ...]
    length: int


def route(hopping: tuple[Edge, ...], squeezing: tuple[Edge, ...], n_modes: int, head: int, tail: int) -> Route | None:
    """The modes from one to another, and what hangs beside; None where couplings close a loop or leave a mode alone."""
    beside: dict[int, list[int]] = {mode: [] for mode in range(n_modes)}
    for i, j in (*hopping, *squeezing):
        beside[i].append(j)
        beside[j].append(i)
    before, waiting = {head: head}, [head]
    for mode in waiting:
        fresh = [other for other in beside[mode] if other not in before]
        before |= dict.fromkeys(fresh, mode)
        waiting += fresh
    if len(before) < n_modes or len(hopping) + len(squeezing) >= n_modes:
        return None
    way = [tail]
    while way[-1] != head:
        way.append(before[way[-1]])
    modes = (*reversed(way), *(mode for mode in waiting if mode not in way))
    return Route(modes, (-1, *(modes.index(before[mode]) for mode in modes[1:])), len(way))
