"""An active device of three modes (microwave, optical, Stokes), its stability gate included, and where its time goes.

    python -m benchmarks.active        the parts, one device and 256; a minute

The peer is an equally jitted plain solve with the same gate. Each part is a program of its own, so that parts need not add up.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import peers
from benchmarks.timing import OMEGA, POINTS, WEIGHT, agreement, compiled, cpu_time, in_blocks
from transduce.linear.system import LinearSystem, Port
from transduce.units import MHz

RATES = ("e_ext", "e_int", "o_ext", "o_int", "s", "g", "squeezing")


def draw(count: int) -> dict[str, Any]:
    """Designs; the squeezing is a tenth of the other rates, so that most are stable."""
    rng = np.random.default_rng(1)
    design = {name: np.exp(rng.uniform(np.log(0.3), np.log(3), count)) * MHz for name in RATES}
    return design | {"squeezing": design["squeezing"] / 10, "n": rng.uniform(0.1, 1, count)}


def system(one: dict[str, Any]) -> LinearSystem:
    """One of them, by names."""
    cold = jnp.zeros(())
    ports = {"microwave": Port("e", one["e_ext"], cold), "optical": Port("o", one["o_ext"], cold)}
    ports |= {"e loss": Port("e", one["e_int"], one["n"]), "o loss": Port("o", one["o_int"], cold), "s loss": Port("s", one["s"], cold)}
    coupled = {"hopping": {("e", "o"): one["g"]}, "squeezing": {("e", "s"): one["squeezing"]}}
    return LinearSystem.build(dict.fromkeys("eos", cold), ports, **coupled)


def _objective(it: LinearSystem, points: int = POINTS) -> Any:
    efficiency, noise = it.conversion("microwave", "optical").figures(OMEGA[:points])
    return efficiency @ WEIGHT[:points] - 0.1 * noise @ WEIGHT[:points]


def gated(one: dict[str, Any], points: int = POINTS) -> Any:
    """One number, NaN where unstable."""
    stable, flag = system(one).gate()
    return jnp.where(flag, _objective(stable, points), jnp.nan)


def plain_drift(one: dict[str, Any]) -> Any:
    e, o = one["e_ext"] + one["e_int"], one["o_ext"] + one["o_int"]
    g, x, zero = -1j * one["g"], -1j * one["squeezing"], jnp.zeros((), complex)
    return jnp.array([[-e / 2 + 0j, x, g], [-x, -one["s"] / 2 + 0j, zero], [g, zero, -o / 2 + 0j]])


def plain_stable(one: dict[str, Any]) -> Any:
    return jnp.max(jnp.real(jnp.linalg.eigvals(jax.lax.stop_gradient(plain_drift(one))))) < 0


def plain_objective(one: dict[str, Any], points: int = POINTS) -> Any:
    heat = jnp.stack([one["e_int"] * one["n"], one["s"], jnp.zeros(())])
    efficiency, noise = peers.jax_row(plain_drift(one), one["o_ext"], one["e_ext"], heat, OMEGA[:points])
    return efficiency @ WEIGHT[:points] - 0.1 * noise @ WEIGHT[:points]


def plain(one: dict[str, Any], points: int = POINTS) -> Any:
    """The same, by ``jnp.linalg.solve``."""
    return jnp.where(plain_stable(one), plain_objective(one, points), jnp.nan)


def row(count: int) -> dict[str, Any]:
    """Value and gradient in all eight parameters, gate included."""
    design = draw(count)
    fast, seconds = compiled(in_blocks(jax.value_and_grad(gated)), design)
    slow, _ = compiled(jax.vmap(jax.value_and_grad(plain)), design)
    (value, slopes), (known, known_slopes) = fast(design), slow(design)
    same = agreement([value, *(slopes[name] for name in design)], [known, *(known_slopes[name] for name in design)])
    mine, other = cpu_time(lambda: fast(design)), cpu_time(lambda: slow(design), 2)
    times = {"compile_s": seconds, "ns_per_point": mine / count / POINTS * 1e9}
    return {"ratio": other / mine, "agreement": same, "unstable": int(np.sum(np.isnan(np.asarray(known)))), **times}


PARTS: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "call alone": (lambda one: one["g"], lambda one: one["g"]),
    "gate alone": (lambda one: system(one).is_stable(), plain_stable),
    "value, without gate": (lambda one: _objective(system(one)), plain_objective),
    "value": (gated, plain),
    "value and gradient, without gate": (jax.value_and_grad(lambda one: _objective(system(one))), jax.value_and_grad(plain_objective)),
    "value and gradient": (jax.value_and_grad(gated), jax.value_and_grad(plain)),
    "value and gradient at 8 frequencies": tuple(jax.value_and_grad(functools.partial(of, points=8)) for of in (gated, plain)),
}


def parts(count: int) -> dict[str, tuple[float, float]]:
    """Microseconds of CPU per design: ours, and the peer's."""
    design = draw(count)

    def each(function: Callable[[Any], Any]) -> float:
        program, _ = compiled(function, design)
        return cpu_time(lambda: program(design)) / count * 1e6

    return {name: (each(in_blocks(ours)), each(jax.vmap(theirs))) for name, (ours, theirs) in PARTS.items()}


if __name__ == "__main__":
    for devices in (1, 256):
        for part, (us, peer) in parts(devices).items():
            print(f"{devices:3d} devices, {part:35} {us:9.1f} us each, the peer {peer:9.1f}", flush=True)
