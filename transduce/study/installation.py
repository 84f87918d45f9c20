"""What is installed: the library's entries with what is wrong in them, and whether the package computes what it must on this machine."""

import pathlib
from collections.abc import Sequence
from typing import Any


def catalogued(names: Sequence[str], listed: bool) -> tuple[dict[str, Any], list[str]]:
    """Entries by name, and a line for each wrong file. A lone one that is not recomputed does not wait for the classes to check it."""
    from ..devices import entry

    found, wrong = {}, []
    for name in names:
        try:
            found[name] = entry.entry(name)
            if listed or found[name].complete:
                from ..devices import catalogue

                catalogue.check(found[name])
        except ValueError as error:
            found.pop(name, None)
            wrong.append(str(error))
    return found, wrong


def facts(cache: pathlib.Path, timed: bool = False) -> dict[str, Any]:
    """Versions, devices, precision, the folder of compiled programs, and the error of one number that is known in closed form.

    ``timed`` adds how long the main job takes, cold and warm.
    """
    import jax

    from ..devices.electro_optic import ElectroOptic
    from ..shelf import writable
    from ..units import MHz
    from .record import git_state, provenance
    from .source import read
    from .timing import times

    found = provenance(read(None), None)
    rates: Any = dict.fromkeys(("kappa_e_ext", "kappa_e_int", "kappa_o_ext", "kappa_o_int"), MHz) | {"cooperativity": 0.5}
    error = abs(float(ElectroOptic(**rates).efficiency()) - 0.25 * 4 * 0.5 / 1.5**2)
    told = {name: found[name] for name in ("transduce", "python", "platform", "dtype")}
    return {
        **{**told, "packages": found["packages"], "devices": [str(device) for device in jax.devices()], "git": git_state()},
        **{"x64": bool(jax.config.read("jax_enable_x64")), "cache": str(cache), "cache_writable": writable(cache)},
        **{"self_check": "efficiency = eta_e eta_o 4C/(1+C)^2", "self_check_error": error, "well": error < 1e-12},
        **{f"{job}, seconds": {name: round(value, 2) for name, value in one.items()} for job, one in (times() if timed else {}).items()},
    }
