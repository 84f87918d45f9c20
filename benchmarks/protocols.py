"""Many connections under every protocol in one vmapped, chunked call, beside one brute-force evaluation in Fock space.

    python -m benchmarks.protocols [CONNECTIONS]        100000 unless told; some minutes on two cores

Each connection is its own hardware: pump, couplings, internal losses, fibre and excitation are drawn anew. The peer is the tests' own
simulation of one click, which counts photons one by one; it knows no hardware, and is given the channels. Prints one JSON object.
Of 100000 connections each took, under all seven ways, 0.052 of the peer's one click (JAX 0.10.2, two cores, November 2026).
"""

import json
import sys
import time
from typing import Any

import jax
import numpy as np

import transduce as td
from tests.qubit import counting
from transduce.study.protocols import blue
from transduce.units import Hz, MHz, km, us

CHUNK = 256
PHOTON = td.Sech(bandwidth=1 * MHz)
SHARED: Any = {"photon": PHOTON, "filter_bandwidth": 1 * MHz, "detector": td.Detector(efficiency=0.9)}
DRAWN = {
    "pump_power": (1e-4, 0.1),
    "kappa_e_ext": (1 * MHz, 50 * MHz),
    "kappa_o_ext": (1 * MHz, 50 * MHz),
    "kappa_e_int": (0.1 * MHz, 8 * MHz),
    "length": (1e-3 * km, 10 * km),
    "excitation": (1e-3, 0.5),
}
"""Uniform in the logarithm."""


def every(drawn: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fidelity and rate of every protocol over one connection."""
    rest = {name: drawn[name] for name in ("pump_power", "kappa_e_ext", "kappa_o_ext", "kappa_e_int")}
    device = td.device("sahu-2022", **rest)
    red, qubit = td.Node(td.Qubit(t1=300 * us, t2=200 * us), device), td.Qubit(t1=300 * us, t2=200 * us)
    pairs, path = td.Node(qubit, blue(device, 0.01)), td.Link(fibre=td.Fibre(length=drawn["length"]))
    over, sources, mixed = td.Connection(red, red, path), td.Connection(pairs, pairs, path), td.Connection(pairs, red, path)
    one = td.OneClick(**SHARED, excitation=drawn["excitation"])
    found = {
        "transfer": td.Transfer("time-bin", PHOTON)(over),
        "one click": one(over),
        "one click, distilled": td.Distillation(one)(over),
        "two clicks": td.TwoClick(**SHARED)(over),
        "pairs": td.PairClick(**SHARED)(sources),
        "source in the middle": td.MiddleSource(**SHARED, pair_rate=2e8, source_bandwidth=2e10 * Hz)(over),
        "teleportation": td.Teleportation("time-bin", PHOTON)(mixed),
    }
    return {name: (done.fidelity, done.rate) for name, done in found.items()}


def main(count: int = 100_000) -> dict[str, Any]:
    """The figures; times are of this machine, and only their ratio says something."""
    rng = np.random.default_rng(0)
    drawn = {name: np.exp(rng.uniform(np.log(low), np.log(high), count)) for name, (low, high) in DRAWN.items()}
    many = jax.jit(lambda drawn: jax.lax.map(every, drawn, batch_size=CHUNK))
    jax.block_until_ready(many({name: value[:CHUNK] for name, value in drawn.items()}))
    compiled = many.lower(drawn).compile()
    begun = time.perf_counter()
    answers = jax.device_get(compiled(drawn))
    each = (time.perf_counter() - begun) / count
    finite = {name: float(np.mean(np.isfinite(fidelity))) for name, (fidelity, _) in answers.items()}
    begun = time.perf_counter()
    of = counting.effect(counting.herald("threshold", counting.false_counts(1e-5)), 0.9)
    counting.one_click(of, (0.1, 1e-3, 0.0), (0.1, 1e-3, 0.0), (0.1, 0.1))
    brute = time.perf_counter() - begun
    return {"connections": count, "seconds_each": each, "seconds_brute_force": brute, "ratio": each / brute, "finite": finite}


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:])), indent=1))
