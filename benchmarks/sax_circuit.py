r"""Value and gradient of a chain of three modes against SAX's circuit of the same structure: cavities in a row between partial mirrors.

    python -m venv ENV && ENV/bin/pip install . jaxellip 'klujax<0.6' lark natsort networkx orjson pandas pyyaml scikit-rf sympy tqdm xarray
    ENV/bin/pip install --no-deps sax                    sax 0.18.2 asks for jax < 0.10, but runs with 0.10.2
    ENV/bin/python -m benchmarks.sax_circuit [OUT.json]  half a minute

On two cores four of six runs ended in klujax 0.5, with "singular matrix?" or a crash, and none of four pinned to one (``taskset -c 1``): it
seems not to bear that two threads of XLA's pool call it at once.

A cavity of round trip T between mirrors of amplitude t is a mode in the limit of a short round trip, with

.. math:: \kappa_{ext} = t^2/T, \qquad J = t/T, \qquad \kappa_{int} = -2 \ln a / T, \qquad \phi = \omega T / 2,

a its amplitude and phi its phase per pass; the two differ by the order of kappa T. Where noise is asked for, each pass has a beam
splitter to a bath, and the circuit these ports too. SAX's default, KLU, and its Filipsson-Gunnar are both timed, each in the faster of two
ways: one design at a time, or all at once. Source: Haus, Waves and Fields in Optoelectronics (1984), ch. 7.
"""

import importlib
import itertools
import json
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.kernel import draw, objective, spectra
from benchmarks.timing import OMEGA, POINTS, WEIGHT, compiled, cpu_time, in_blocks
from transduce.units import MHz

TRIP = 1e-4 / MHz
"""T: kappa T is of the order of 1e-4."""
COUNT = 64
BACKENDS = ("klu", "filipsson_gunnar")
WAYS = ("ahead", "back")


def _sax() -> Any:
    try:
        return importlib.import_module("sax")
    except ModuleNotFoundError as error:
        raise SystemExit("benchmarks.sax_circuit needs sax, in an environment of its own: its first lines say how to make it") from error


def mirror(t: Any = 0.1) -> dict[tuple[str, str], Any]:
    """A lossless mirror of amplitude transmission t."""
    r = jnp.sqrt(1 - jnp.asarray(t) ** 2) + 0j
    return _sax().reciprocal({("in", "in"): r, ("in", "out"): 1j * jnp.asarray(t), ("out", "out"): r})


def passage(omega: Any = 0.0, kappa: Any = 0.0, trip: Any = 0.0) -> dict[tuple[str, str], Any]:
    """One way through a cavity that loses kappa."""
    return _sax().reciprocal({("in", "out"): jnp.exp((1j * omega - kappa / 2) * trip / 2)})


def bathed(omega: Any = 0.0, kappa: Any = 0.0, trip: Any = 0.0) -> dict[tuple[str, str], Any]:
    """The same, and where it is lost to: a bath that each direction is coupled to."""
    phase, a = jnp.exp(0.5j * omega * trip), jnp.exp(-kappa * trip / 4)
    through, lost = a * phase, 1j * jnp.sqrt(-jnp.expm1(-kappa * trip / 2)) * phase
    ways = {("in", "out"): through, ("in", "ahead"): lost, ("out", "back"): lost, ("ahead", "back"): through}
    return _sax().reciprocal(ways)


def circuit(size: int, backend: str, noisy: bool) -> Callable[..., Any]:
    """Mirrors m0 ... and cavities c0 ... in a row."""
    row = [name for k in range(size) for name in (f"m{k}", f"c{k}")] + [f"m{size}"]
    baths = {f"{way}{k}": f"c{k},{way}" for k in range(size) for way in WAYS} if noisy else {}
    netlist = {
        "instances": {name: "mirror" if name.startswith("m") else "cavity" for name in row},
        "connections": {f"{one},out": f"{other},in" for one, other in itertools.pairwise(row)},
        "ports": {"in": "m0,in", "out": f"m{size},out"} | baths,
    }
    models = {"mirror": mirror, "cavity": bathed if noisy else passage}
    return _sax().circuit(netlist, models, backend=backend)[0]


def peer(backend: str, noisy: bool, size: int = 3, trip: float = TRIP) -> Callable[[Any], tuple[Any, Any]]:
    """Efficiency and added noise at the input (0 where no baths are kept) of one design at all frequencies, by SAX."""
    asked = circuit(size, backend, noisy)

    def answer(design: dict[str, Any]) -> tuple[Any, Any]:
        ends = jnp.sqrt(design["ext"] * trip)
        mirrors = [ends[0], *(design["g"][k] * trip for k in range(size - 1)), ends[1]]
        given = {f"m{k}": {"t": t} for k, t in enumerate(mirrors)}
        given |= {f"c{k}": {"omega": OMEGA, "kappa": design["int"][k], "trip": trip} for k in range(size)}
        s = asked(**given)
        efficiency, noise = jnp.abs(s["in", "out"]) ** 2, jnp.zeros(POINTS)
        for way, k in itertools.product(WAYS, range(size if noisy else 0)):
            noise = noise + design["n"][k] * jnp.abs(s[f"{way}{k}", "out"]) ** 2
        return efficiency, noise / efficiency

    return answer


def spectra_agree(noisy: bool) -> dict[str, list[float]]:
    """The largest relative difference of efficiency and noise at T, T/10 and T/100: of first order in T."""
    one = {name: value[0] for name, value in draw(3, 1, full=False).items()}
    ours = spectra(3, one)
    found = [peer("klu", noisy, trip=TRIP / shrink)(one) for shrink in (1, 10, 100)]
    off = [[float(np.max(np.abs(np.asarray(a[k]) / np.asarray(ours[k]) - 1))) for a in found] for k in range(1 + noisy)]
    return dict(zip(("efficiency", "added noise"), off, strict=False))


def _apart(one: dict[str, Any], other: dict[str, Any], design: dict[str, Any]) -> float:
    """Of two gradients in the logarithms of all parameters, the difference over the larger one's largest entry; the worst design."""
    a, b = (np.concatenate([np.asarray(of[name] * design[name]) for name in ("ext", "int", "g")], axis=1) for of in (one, other))
    return float(np.max(np.max(np.abs(a - b), axis=1) / np.max(np.abs(b), axis=1)))


def row(noisy: bool) -> dict[str, Any]:
    """Value and gradient: of the kernel's own objective in ten parameters, or of the mean efficiency alone in seven."""
    design = draw(3, COUNT, full=False)
    mine = (lambda one: objective(3, one)) if noisy else (lambda one: spectra(3, one)[0] @ WEIGHT)
    ours, seconds = compiled(in_blocks(jax.value_and_grad(mine)), design)
    known, cost = ours(design), cpu_time(lambda: ours(design)) / COUNT
    found: dict[str, Any] = {"us_per_design": cost * 1e6, "compile_s": seconds, "spectra": spectra_agree(noisy)}
    for backend in BACKENDS:
        asked = peer(backend, noisy)

        def theirs(one: dict[str, Any], asked: Any = asked) -> Any:
            efficiency, noise = asked(one)
            return efficiency @ WEIGHT - 0.1 * noise @ WEIGHT if noisy else efficiency @ WEIGHT

        slope = jax.value_and_grad(theirs)
        programs = [compiled(way, design) for way in (lambda many, f=slope: jax.lax.map(f, many), jax.vmap(slope))]
        off = _apart(programs[0][0](design)[1], known[1], design)
        each = min(cpu_time(lambda program=program: program(design), 2) for program, _ in programs) / COUNT
        found[backend] = {
            "ratio": each / cost,
            "us_per_design": each * 1e6,
            "compile_s": programs[0][1],
            "gradients_differ": off,
        }
    return found


def main(out: str | None = None) -> None:
    sax = _sax()
    answer: dict[str, Any] = {"sax": sax.__version__, "jax": jax.__version__}
    for name, noisy in (("efficiency, 7 parameters", False), ("efficiency and noise, 10 parameters", True)):
        answer[name] = row(noisy)
        print(name, json.dumps(answer[name], indent=1), flush=True)
    if out is not None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(answer, file, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
