"""The linear kernel beside its peers: all-thread CPU time of the same work in one process, the answers compared first.

    python -m benchmarks.kernel [OUT.json]        some minutes on two cores

Prints a table; ``benchmarks/README.md`` holds the last one, with the floors.
"""

import itertools
import json
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize._numdiff import approx_derivative

from benchmarks import peers
from transduce.devices import chain
from transduce.gaussian.capacity import bounds
from transduce.linear.system import LinearSystem, Port
from transduce.units import Hz, MHz

POINTS = 1001
OMEGA = np.linspace(-5, 5, POINTS) * MHz
WEIGHT = 1 / np.sqrt(1 + (OMEGA / MHz) ** 2) / POINTS
BLOCK = 16
"""Designs per step of ``lax.map``: their arrays stay in the cache."""
_RNG = np.random.default_rng(0)


def cpu_time(call: Callable[[], Any], rounds: int = 3, least: float = 0.4) -> float:
    """Seconds of all threads per call, the best of some rounds of repeated calls."""
    call()
    best = np.inf
    for _ in range(rounds):
        count, begun = 0, time.process_time()
        while count == 0 or time.process_time() - begun < least:
            call()
            count += 1
        best = min(best, (time.process_time() - begun) / count)
    return best


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], float]:
    """The function, compiled and waited for, and the seconds that compiling took."""
    begun = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    return lambda *given: jax.block_until_ready(program(*given)), time.perf_counter() - begun


def in_blocks(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda designs: jax.lax.map(function, designs, batch_size=BLOCK)


def agreement(one: Any, other: Any) -> float:
    """The largest relative difference; of designs that are NaN in both, none."""
    return max(float(np.nanmax(np.abs(np.asarray(a) / np.asarray(b) - 1))) for a, b in zip(one, other, strict=True))


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
    it = system(size, design).conversion("microwave", "optical")
    return jax.vmap(it.figures)(OMEGA)


def objective(size: int, design: dict[str, Any]) -> Any:
    efficiency, noise = spectra(size, design)
    return efficiency @ WEIGHT - 0.1 * noise @ WEIGHT


# --- the rows ------------------------------------------------------------------------------------------------------------------------


def forward(size: int, count: int, full: bool) -> dict[str, Any]:
    """One row of the scattering matrix against NumPy's batched solve for one row."""
    design = draw(size, count, full)
    peer = matrices(size, design)
    ours, seconds = compiled(jax.vmap(lambda one: spectra(size, one)), design)
    same = agreement(ours(design), peers.numpy_row(**peer, omega=OMEGA))
    mine, other = cpu_time(lambda: ours(design)), cpu_time(lambda: peers.numpy_row(**peer, omega=OMEGA), 2)
    return {"ratio": other / mine, "agreement": same, "compile_s": seconds, "ns_per_point": mine / count / POINTS * 1e9}


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


def active(count: int) -> dict[str, Any]:
    """A microwave, an optical and a Stokes mode, gate included, against an equally jitted plain solve with the same gate."""
    design = {name: _rates(count) for name in ("e_ext", "e_int", "o_ext", "o_int", "s", "g", "squeezing")}
    design |= {"squeezing": design["squeezing"] / 10, "n": _RNG.uniform(0.1, 1, count)}

    def ours(one: dict[str, Any]) -> Any:
        cold = jnp.zeros(())
        ports = {"microwave": Port("e", one["e_ext"], cold), "optical": Port("o", one["o_ext"], cold)}
        ports |= {"e loss": Port("e", one["e_int"], one["n"]), "o loss": Port("o", one["o_int"], cold), "s loss": Port("s", one["s"], cold)}
        coupled = {"hopping": {("e", "o"): one["g"]}, "squeezing": {("e", "s"): one["squeezing"]}}
        stable, flag = LinearSystem.build(dict.fromkeys("eos", cold), ports, **coupled).gate()
        efficiency, noise = jax.vmap(stable.conversion("microwave", "optical").figures)(OMEGA)
        return jnp.where(flag, efficiency @ WEIGHT - 0.1 * noise @ WEIGHT, jnp.nan)

    def theirs(one: dict[str, Any]) -> Any:
        e, o = one["e_ext"] + one["e_int"], one["o_ext"] + one["o_int"]
        g, x, zero = -1j * one["g"], -1j * one["squeezing"], jnp.zeros((), complex)
        drift = jnp.array([[-e / 2 + 0j, x, g], [-x, -one["s"] / 2 + 0j, zero], [g, zero, -o / 2 + 0j]])
        grows = jnp.max(jnp.real(jnp.linalg.eigvals(jax.lax.stop_gradient(drift)))) >= 0
        heat = jnp.stack([one["e_int"] * one["n"], one["s"], jnp.zeros(())])
        efficiency, noise = peers.jax_row(drift, one["o_ext"], one["e_ext"], heat, OMEGA)
        return jnp.where(grows, jnp.nan, efficiency @ WEIGHT - 0.1 * noise @ WEIGHT)

    fast, seconds = compiled(in_blocks(jax.value_and_grad(ours)), design)
    plain, _ = compiled(jax.vmap(jax.value_and_grad(theirs)), design)
    (value, slopes), (known, known_slopes) = fast(design), plain(design)
    same = agreement([value, slopes["squeezing"], slopes["g"]], [known, known_slopes["squeezing"], known_slopes["g"]])
    mine, other = cpu_time(lambda: fast(design)), cpu_time(lambda: plain(design), 2)
    unstable = int(np.sum(np.isnan(np.asarray(known))))
    return {
        "ratio": other / mine,
        "agreement": same,
        "unstable": unstable,
        "compile_s": seconds,
        "ns_per_point": mine / count / POINTS * 1e9,
    }


def capacity(count: int = 64) -> dict[str, Any]:
    """Pure-loss capacity of a lossless chain with gradient, without a grid, against 1001 points of it; Q is proportional to g_max."""
    edge = _rates(count)

    def exact(g: Any) -> Any:
        return chain.capacity(chain.butterworth_reflection(5, g))

    def grid(g: Any) -> Any:
        rates = chain.butterworth(5, g)
        ports = {"microwave": Port("m0", rates.kappa_first, jnp.zeros(())), "optical": Port("m4", rates.kappa_last, jnp.zeros(()))}
        hopping = {(f"m{k}", f"m{k + 1}"): rates.coupling[k] for k in range(4)}
        it = LinearSystem.build({f"m{k}": jnp.zeros(()) for k in range(5)}, ports, hopping=hopping).conversion("microwave", "optical")
        omega = jnp.linspace(-4, 4, POINTS) * g
        return jnp.sum(bounds(jax.vmap(it.power)(omega)).pure_loss) * 8 * g / (POINTS - 1) / Hz

    ours, seconds = compiled(jax.vmap(jax.value_and_grad(exact)), edge)
    peer, _ = compiled(jax.vmap(jax.value_and_grad(grid)), edge)
    value, slope = ours(edge)
    homogeneous = float(np.max(np.abs(np.asarray(slope) * edge / np.asarray(value) - 1)))
    mine, other = cpu_time(lambda: ours(edge)), cpu_time(lambda: peer(edge))
    return {"ratio": mine / other, "agreement": homogeneous, "grid_error": agreement([peer(edge)[0]], [value]), "compile_s": seconds}


def fma_peak() -> float:
    """Measured float64 operations per second of CPU time: BLAS on matrices that fit the cache."""
    a = _RNG.normal(size=(512, 512))
    return 2 * 512**3 / cpu_time(lambda: a @ a)


def growth() -> dict[str, list[float]]:
    """ns per point of the forward chain against designs, frequencies (at 64 designs) and modes."""
    found: dict[str, list[float]] = {"designs 16, 256, 4096": [], "modes 2, 3, 5, 8": []}
    for count in (16, 256, 4096):
        found["designs 16, 256, 4096"].append(forward_time(3, count))
    for size in (2, 3, 5, 8):
        found["modes 2, 3, 5, 8"].append(forward_time(size, 256))
    return found


def forward_time(size: int, count: int) -> float:
    design = draw(size, count, full=False)
    ours, _ = compiled(in_blocks(lambda one: [part @ WEIGHT for part in spectra(size, one)]), design)
    return cpu_time(lambda: ours(design)) / count / POINTS * 1e9


ROWS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "chain forward, n=3, 256 x 1001, against numpy": (lambda: forward(3, 256, full=False), ">= 200 (firm 140)"),
    "dense forward, n=3, 256 x 1001, against numpy": (lambda: forward(3, 256, full=True), ">= 40 (firm 25)"),
    "dense forward, n=6, 64 x 1001, against numpy": (lambda: forward(6, 64, full=True), ">= 15 (firm 6)"),
    "value and gradient, chain, 10 parameters, against SciPy": (value_and_gradient, ">= 500 (firm 110)"),
    "value and gradient, dense n=6, against LAPACK autodiff": (dense_gradient, ">= 5"),
    "active device, one, value and gradient, against a plain solve": (lambda: active(1), ">= 3"),
    "active device, 256, value and gradient, against a plain solve": (lambda: active(256), ">= 20"),
    "capacity with gradient, share of the 1001-point grid": (capacity, "<= 0.1"),
}


def main(out: str | None = None) -> None:
    peak = fma_peak()
    rows = {}
    for name, (row, goal) in ROWS.items():
        rows[name] = {**row(), "goal": goal}
        print(f"{name:62} {rows[name]['ratio']:9.3g}   goal {goal:18} agreement {rows[name]['agreement']:.1e}", flush=True)
    about = {"jax": jax.__version__, "numpy": np.__version__, "machine": platform.machine(), "cpus": jax.local_device_count()}
    answer = {"about": about, "fma_peak_gflops_per_cpu_second": peak / 1e9, "rows": rows, "growth_ns_per_point": growth()}
    print(json.dumps({name: answer[name] for name in ("fma_peak_gflops_per_cpu_second", "growth_ns_per_point")}))
    if out is not None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(answer, file, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
