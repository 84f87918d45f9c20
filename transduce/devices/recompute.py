"""What the model says of a published device: the figures that its authors reported, recomputed from its own data sheet.

Nothing is fitted here. A figure that the model of a class cannot say (a pulse's, a detector's) is left out.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from ..gaussian.capacity_rate import capacity_rate, coupling_limit, largest_coupling
from ..programs import ONCE, compiled
from .base import AbstractDevice
from .catalogue import device, quantities
from .entry import Entry, entry, figure

_PAIRS = {
    "microwave-optical": "cooperativity",
    **dict.fromkeys(("microwave-mechanical", "microwave-magnon", "microwave-spin"), "cooperativity_em"),
    **dict.fromkeys(("optical-mechanical", "optical-magnon", "polarisation-optical"), "cooperativity_om"),
}
_CONVERSION = ("efficiency", "efficiency_internal", "bandwidth_fwhm", "added_noise_up", "added_noise_down", "noise_output_down")

_NOTHING = 1e-30
"""An efficiency below this is that of a port whose rate is zero."""


def _figures(device: AbstractDevice) -> dict[str, Float[Array, ""] | None]:
    """All figures at a device's operating point, traced; the conversion's at its carrier."""
    at, pump = device.carrier(), device.drives().get("optical")
    efficiency, down = device.efficiency(omega=at), device.added_noise_input("optical", "microwave", omega=at)
    kappa_o = device.kappa_o_ext + device.kappa_o_int
    pairs = device.cooperativities()
    driven = {} if pump is None else {"pump_photons": pump.photons, "pump_power": pump.power}
    rate = {} if pump is None or "optical-mechanical" not in pairs else {"optomechanical_rate": 4 * pump.coupling**2 / kappa_o}
    return {
        "efficiency": efficiency,
        "efficiency_internal": device.efficiency_internal(omega=at),
        "bandwidth_fwhm": device.bandwidth_fwhm(),
        "added_noise_up": device.added_noise_input(omega=at),
        "added_noise_down": down,
        "noise_output_down": efficiency * down,
        "kappa_e": device.kappa_e_ext + device.kappa_e_int,
        "kappa_o": kappa_o,
        **{name: pairs[pair] for pair, name in _PAIRS.items() if pair in pairs},
        **rate,
        **driven,
    }


@functools.cache
def _compiled(structure: str) -> Callable[[AbstractDevice], dict[str, Any]]:
    """The program for devices of one structure (class, options, which fields are given), by which kept programs are told apart."""
    return compiled(_figures, tag=structure, options=ONCE)


def figures(device: AbstractDevice) -> dict[str, float]:
    """The figures of ``entry.FIGURES`` that a device's model can say, at its operating point, inside units.

    One compiled call; those that do not exist (a device without a microwave port converts nothing) are left out.
    """
    said = _compiled(str(jax.tree.structure(device)))(device)
    found = {name: float(value) for name, value in said.items() if value is not None}
    silent = _CONVERSION if not found["efficiency"] > _NOTHING else ()
    return {name: value for name, value in found.items() if math.isfinite(value) and name not in silent}


def _device(name: str, point: str) -> AbstractDevice:
    return device(name, **(quantities(entry(name), point) if point else {}))


@functools.cache
def _at(name: str, point: str) -> dict[str, float]:
    return figures(_device(name, point))


def _main(found: Entry) -> str:
    """The operating point of an entry: that of its efficiency."""
    return found.reported["efficiency"].at if "efficiency" in found.reported else ""


def recomputed(found: Entry) -> dict[str, float]:
    """Each figure of an entry from its data sheet, inside units, by the keys of ``reported``, and what else the model says.

    A figure that is reported at a point of ``points`` is recomputed there, and all that is not reported where the efficiency is. {} of an
    entry that lacks something.
    """
    if not found.complete:
        return {}
    answer = dict(_at(found.name, _main(found)))
    for key, value in found.reported.items():
        known = _at(found.name, value.at) if not value.at or found.points[value.at] else {}
        answer.pop(key, None)
        if (name := figure(key)) in known:
            answer[key] = known[name]
    return answer


def _capacities(device: AbstractDevice) -> dict[str, Float[Array, ""]]:
    system = device.linear_system()
    rate, most, on = capacity_rate(system), coupling_limit(largest_coupling(system)), device.duty_cycle
    return {"capacity_lower": on * rate.lower, "capacity_upper": on * rate.upper, "capacity_share": rate.lower / most}


def capacities(found: Entry) -> dict[str, float]:
    """What an entry's device can carry where its efficiency is reported (inside units).

    Both rates are means: the duty cycle counts; the share is that of a pump that is on. {} where an entry lacks something, converts
    nothing, or has gain. Apart from ``recomputed`` because it takes seconds to compile.
    """
    if not found.complete or "efficiency" not in _at(found.name, _main(found)):
        return {}
    it = _device(found.name, _main(found))
    if it.linear_system().active:
        return {}
    return {name: float(value) for name, value in compiled(_capacities, options=ONCE)(it).items()}
