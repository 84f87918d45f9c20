"""The linear kernel beside its peers: all-thread CPU time of the same work in one process, the answers compared first.

    python -m benchmarks.kernel [OUT.json]        some minutes on two cores

Prints a table; ``benchmarks/README.md`` holds the last one, with the floors.
"""

import itertools
import json
import platform
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize._numdiff import approx_derivative

from benchmarks import active, capacity, peers
from benchmarks.timing import (
    OMEGA,
    POINTS,
    WEIGHT,
    agreement,
    compiled,
    compiled_operations,
    cpu_time,
    in_blocks,
    peak,
    written_operations,
)
from transduce.linear.system import LinearSystem, Port
from transduce.units import MHz

_RNG = np.random.default_rng(0)


# --- the systems ---------------------------------------------------------------------------------------------------------------------


def _rates(*shape: int) -> Any:
    return np.exp(_RNG.uniform(np.log(0.3), np.log(3), shape)) * MHz


def draw(size: int, count: int, full: bool) -> dict[str, Any]:
    """Designs: a chain of modes, or every mode coupled to every other; the first and the last have a waveguide."""
    pairs = list(itertools.combinations(range(size), 2)) if full else [(i, i + 1) for i in range(size - 1)]
    phases = np.exp(2j * np.pi * _RNG.uniform(size=(count, len(pairs)))) if full else 1.0
    return {
        "ext": _rates(count, 2),
        "int": _rates(count, size),
        "n": _RNG.uniform(0.1, 1, (count, size)),
        "g": _rates(count, len(pairs)) * phases,
    }


def system(size: int, design: dict[str, Any]) -> LinearSystem:
    """One of them, by names."""
    names, g = [f"m{k}" for k in range(size)], design["g"]
    pairs = [(i, i + 1) for i in range(size - 1)] if g.size == size - 1 else list(itertools.combinations(range(size), 2))
    ports = {"microwave": Port(names[0], design["ext"][0], jnp.zeros(())), "optical": Port(names[-1], design["ext"][1], jnp.zeros(()))}
    ports |= {f"loss{k}": Port(name, design["int"][k], design["n"][k]) for k, name in enumerate(names)}
    hopping = {(names[i], names[j]): g[k] for k, (i, j) in enumerate(pairs)}
    return LinearSystem.build(dict.fromkeys(names, jnp.zeros(())), ports, hopping=hopping)


def matrices(size: int, design: dict[str, Any]) -> dict[str, Any]:
    """The same as the peers take it."""
    count, pairs = len(design["g"]), list(itertools.combinations(range(size), 2))
    pairs = [(i, i + 1) for i in range(size - 1)] if design["g"].shape[1] == size - 1 else pairs
    drift = np.zeros((count, size, size), complex)
    for k in range(size):
        drift[:, k, k] = -(design["int"][:, k] + (k == 0) * design["ext"][:, 0] + (k == size - 1) * design["ext"][:, 1]) / 2
    for k, (i, j) in enumerate(pairs):
        drift[:, i, j], drift[:, j, i] = -1j * design["g"][:, k], -1j * np.conj(design["g"][:, k])
    return {"drift": drift, "outlet": design["ext"][:, 1], "inlet": design["ext"][:, 0], "heat": design["int"] * design["n"]}


def spectra(size: int, design: dict[str, Any]) -> tuple[Any, Any]:
    """Efficiency and added noise of one design at all frequencies, as a user writes it."""
    return system(size, design).conversion("microwave", "optical").figures(OMEGA)


def objective(size: int, design: dict[str, Any]) -> Any:
    efficiency, noise = spectra(size, design)
    return efficiency @ WEIGHT - 0.1 * noise @ WEIGHT


# --- the rows ------------------------------------------------------------------------------------------------------------------------


def forward(size: int, count: int, full: bool) -> dict[str, Any]:
    """One row of the scattering matrix against NumPy's batched solve for one row, and the arithmetic per point."""
    design = draw(size, count, full)
    peer = matrices(size, design)
    ours, seconds = compiled(jax.vmap(lambda one: spectra(size, one)), design)
    same = agreement(ours(design), peers.numpy_row(**peer, omega=OMEGA))
    mine, other = cpu_time(lambda: ours(design)), cpu_time(lambda: peers.numpy_row(**peer, omega=OMEGA), 2)
    written = written_operations(lambda one: spectra(size, one), {name: value[0] for name, value in design.items()})
    work = {"written_operations": written / POINTS, "compiled_operations": compiled_operations(ours) / count / POINTS}
    return {"ratio": other / mine, "agreement": same, "compile_s": seconds, "ns_per_point": mine / count / POINTS * 1e9, **work}


def value_and_gradient(count: int = 256) -> dict[str, Any]:
    """A chain of three modes and its ten parameters against SciPy's finite differences on NumPy."""
    design = draw(3, count, full=False)
    ours, seconds = compiled(in_blocks(jax.value_and_grad(lambda one: objective(3, one))), design)
    plain, _ = compiled(in_blocks(lambda one: objective(3, one)), design)
    first = {name: value[:1] for name, value in design.items()}
    flat = np.concatenate([value.ravel() for value in first.values()])
    cuts = np.cumsum([value.size for value in first.values()])[:-1]

    def peer(x: Any) -> Any:
        own = {name: part.reshape(first[name].shape) for name, part in zip(first, np.split(x, cuts), strict=True)}
        return peers.numpy_objective(matrices(3, own), OMEGA, WEIGHT)[0]

    slopes = approx_derivative(peer, flat, method="3-point")
    got = ours(design)[1]
    same = float(np.max(np.abs(np.concatenate([np.ravel(got[name][:1]) for name in first]) / slopes - 1)))
    mine, value = cpu_time(lambda: ours(design)) / count, cpu_time(lambda: plain(design)) / count
    other = cpu_time(lambda: (peer(flat), approx_derivative(peer, flat, method="2-point")))
    times = {"compile_s": seconds, "ns_per_point": mine / POINTS * 1e9, "over_forward": mine / value}
    return {"ratio": other / mine, "agreement": same, **times}


def dense_gradient(size: int = 6, count: int = 64) -> dict[str, Any]:
    """Every mode coupled to every other: value and gradient against autodiff through ``jnp.linalg.solve``."""
    design = draw(size, count, full=True)
    ours, seconds = compiled(in_blocks(jax.value_and_grad(lambda one: objective(size, one))), design)

    def peer(one: dict[str, Any]) -> Any:
        own = system(size, one)
        ext, heat = one["ext"], one["int"] * one["n"]
        efficiency, noise = peers.jax_row(own.drift_matrix(), ext[1], ext[0], heat, OMEGA)
        return efficiency @ WEIGHT - 0.1 * noise @ WEIGHT

    theirs, _ = compiled(jax.vmap(jax.value_and_grad(peer)), design)
    same = float(np.max(np.abs(ours(design)[1]["g"] / theirs(design)[1]["g"] - 1)))
    mine, other = cpu_time(lambda: ours(design)), cpu_time(lambda: theirs(design), 2)
    return {"ratio": other / mine, "agreement": same, "compile_s": seconds, "ns_per_point": mine / count / POINTS * 1e9}


def growth() -> dict[str, list[float]]:
    """ns per point of the forward chain against designs, frequencies (of 64 designs) and modes (of 256)."""
    return {
        "designs 16, 256, 4096": [forward_time(3, count, OMEGA) for count in (16, 256, 4096)],
        "frequencies 101, 1001, 10001": [forward_time(3, 64, np.linspace(-5, 5, points) * MHz) for points in (101, 1001, 10001)],
        "modes 2, 3, 5, 8": [forward_time(size, 256, OMEGA) for size in (2, 3, 5, 8)],
    }


def forward_time(size: int, count: int, omega: Any) -> float:
    design, weight = draw(size, count, full=False), np.full(omega.size, 1 / omega.size)

    def sums(one: dict[str, Any]) -> list[Any]:
        return [part @ weight for part in system(size, one).conversion("microwave", "optical").figures(omega)]

    ours, _ = compiled(in_blocks(sums), design)
    return cpu_time(lambda: ours(design)) / count / omega.size * 1e9


ROWS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "chain forward, n=3, 256 x 1001, against numpy": (lambda: forward(3, 256, full=False), ">= 200 (firm 140)"),
    "dense forward, n=3, 256 x 1001, against numpy": (lambda: forward(3, 256, full=True), ">= 40 (firm 25)"),
    "dense forward, n=6, 64 x 1001, against numpy": (lambda: forward(6, 64, full=True), ">= 15 (firm 6)"),
    "value and gradient, chain, 10 parameters, against SciPy": (value_and_gradient, ">= 500 (firm 110)"),
    "value and gradient, dense n=6, against LAPACK autodiff": (dense_gradient, ">= 5"),
    "active device, one, value and gradient, against a plain solve": (lambda: active.row(1), ">= 3"),
    "active device, 256, value and gradient, against a plain solve": (lambda: active.row(256), ">= 20"),
    "capacity, Butterworth of five, share of our own 1001-point grid": (capacity.butterworth, "<= 0.1"),
    "capacity, three zeros at random, share of NumPy's grid": (lambda: capacity.drawn(3), "<= 0.1"),
    "capacity, five zeros at random, share of NumPy's grid": (lambda: capacity.drawn(5), "<= 0.1"),
}


def main(out: str | None = None) -> None:
    most = peak()
    rows = {}
    for name, (row, goal) in ROWS.items():
        found = {**row(), "goal": goal}
        for kind in ("written", "compiled"):
            if f"{kind}_operations" in found:
                found[f"{kind}_share_of_peak"] = found[f"{kind}_operations"] / found["ns_per_point"] * 1e9 / most
        rows[name] = found
        print(f"{name:62} {found['ratio']:9.3g}   goal {goal:18} " + "  ".join(_told(found)), flush=True)
    about = {"jax": jax.__version__, "numpy": np.__version__, "machine": platform.machine(), "cpus": jax.local_device_count()}
    answer = {"about": about, "peak_operations_per_cpu_second": most, "rows": rows, "growth_ns_per_point": growth()}
    print(json.dumps({name: answer[name] for name in ("peak_operations_per_cpu_second", "growth_ns_per_point")}))
    if out is not None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(answer, file, indent=1)


def _told(found: dict[str, Any]) -> list[str]:
    return [f"{name} {value:.2g}" for name, value in found.items() if name not in ("ratio", "goal")]


if __name__ == "__main__":
    main(*sys.argv[1:])
