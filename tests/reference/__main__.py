"""``python -m tests.reference FILE.json``: every case of a reference file through the public API, with its worst error.

The error of an array is its largest absolute difference over its largest modulus (a complex number is one value), of a scalar the
relative difference; a zero written as rounding noise is held to 1e-12. Exit 0 when every covered case is within 1e-9.
"""

import importlib
import json
import math
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import tests.reference as reference

BOUND = 1e-9
SEARCHED = {"best_teleport_single_rail": {"kappa": 1e-7, "n_tel": 1e-7}}
"""A search's own results, held to a bound of their own."""
ROUNDING, NO_SCALE = 1e-14, 1e-12 / BOUND
"""Below the first the reference wrote a zero; an error of 1e-12 in it then reads as the bound."""


def answerers() -> dict[str, Callable[[dict], dict]]:
    """What every module beside this one says it answers: its ``KINDS`` and its ``FUNCTIONS``."""
    found: dict[str, Callable[[dict], dict]] = {}
    for item in pkgutil.iter_modules(reference.__path__):
        if item.name != "__main__":
            module = importlib.import_module(f"tests.reference.{item.name}")
            found |= getattr(module, "KINDS", {}) | getattr(module, "FUNCTIONS", {})
    return found


def kind_of(case: dict) -> str:
    """The kind (linear) or function (qubit) of a case."""
    return case.get("kind") or case.get("function") or "?"


def _numbers(value: Any) -> np.ndarray:
    if isinstance(value, dict):
        return np.asarray(value["re"], float) + 1j * np.asarray(value["im"], float)
    return np.asarray(value, float)


def error(found: Any, wanted: Any) -> float:
    """The worst error of a value, or of anything in a tree of them; infinite where the shapes, the keys or the words differ."""
    if isinstance(wanted, bool | str | None):
        return 0.0 if found == wanted else math.inf
    if isinstance(wanted, dict) and set(wanted) != {"re", "im"}:
        if not isinstance(found, dict) or set(found) != set(wanted):
            return math.inf
        return max((error(found[name], wanted[name]) for name in wanted), default=0.0)
    if isinstance(wanted, list) and any(isinstance(item, dict | str | bool) or item is None for item in wanted):
        if not isinstance(found, list) or len(found) != len(wanted):
            return math.inf
        return max(error(*pair) for pair in zip(found, wanted, strict=True))
    a, b = _numbers(found), _numbers(wanted)
    if a.shape != b.shape or not np.isfinite(a).all():
        return math.inf
    largest = np.abs(b).max(initial=0.0)
    return float(np.abs(a - b).max(initial=0.0) / (largest if largest >= ROUNDING else NO_SCALE))


def excess(case: dict, answer: Callable[[dict], dict]) -> tuple[float, float]:
    """The worst error of a case, and how it stands to its bound (above 1 where it fails)."""
    outputs = case["outputs"]
    asked: dict[str, Any] = {"w": [one["w"] for one in outputs["per_w"]]} if "per_w" in outputs else {}
    if kind_of(case) == "wavepacket" and "gauss" in case["name"]:
        asked["shape"] = "gauss"  # the inputs of these cases do not name the shape, their names do
    if kind_of(case) == "one_click":
        asked["state"] = "rho_re" in outputs
    found = answer(case["inputs"] | asked)
    if set(found) != set(outputs):
        return math.inf, math.inf
    errors = {name: error(found[name], outputs[name]) for name in outputs}
    bounds = SEARCHED.get(kind_of(case), {})
    return max(errors.values()), max(value / bounds.get(name, BOUND) for name, value in errors.items())


def main(path: str) -> int:
    """Print every case of the file; 1 where a covered one is off."""
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    known, failed = answerers(), 0
    for case in cases:
        name, kind = case["name"], kind_of(case)
        if kind not in known:
            print(f"{name:44s} {kind:28s} not covered")
            continue
        worst, relative = excess(case, known[kind])
        failed += relative > 1
        print(f"{name:44s} {kind:28s} {worst:9.2e} {'' if relative <= 1 else 'FAILS'}".rstrip())
    print(f"{len(cases)} cases, {failed} outside their bound")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else "usage: python -m tests.reference FILE.json")
