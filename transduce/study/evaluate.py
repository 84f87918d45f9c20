"""One evaluation of a study: everything its JSON says, by one compiled function.

The answer is in SI with ordinary frequencies; a figure that an encoding lacks, or that does not exist, is null.
"""

import contextvars
import dataclasses
import functools
import math
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import parameters, units
from ..design.sensitivity import elasticities, is_relative
from ..devices.base import AbstractDevice, structure
from ..devices.catalogue import kebab
from ..link.arms import time_window
from ..link.base import Prepared
from ..programs import ONCE, compiled
from ..protocols.performance import Transferred
from ..protocols.transfer import MOST_SAMPLES, budget, samples_wanted
from ..units import hbar, k_B, to_hz
from .aims import Aims
from .config import Setting
from .figures import FIDELITIES, figure
from .protocols import NAMES, PUMPED_BLUE, TRANSFER, case, numbers
from .resolved import inputs

INFINITE = 1e40
"""A slope beyond this diverges (see ``numerics.sqrt``)."""
CAUSES = "causes"
SHARE = ("transmission_db", "noise_input", "fidelity_gain_if_ideal")
SPARE = 1.1
"""What is asked for resolves the packet's spectrum down to 1e-32 of its power; at a tenth fewer samples 1e-29 is left out."""


@dataclasses.dataclass
class Evaluation:
    """Evaluates a study at any of its designs; compiled at the first, once for all that follow.

    Attributes:
        setting, aims: the study.
        samples: of the absorbed mode in time, to begin with.
        compare: whether protocols that are neither the study's nor a transfer are evaluated too.
    """

    setting: Setting
    aims: Aims
    samples: int = 512
    compare: bool = True
    _told: bool = False
    _compiled: Callable[[Any], Any] | None = None

    def __call__(self, parts: dict[str, Any], optimised: Iterable[str] = ()) -> dict[str, Any]:
        """The contract's JSON object at these parts; inputs at the paths ``optimised`` have that status.

        Raises:
            WrongInput: a device's values are so large that float64 overflows.
        """
        with ThreadPoolExecutor(3) as aside:
            others = [aside.submit(contextvars.copy_context().run, one, parts) for one in self.others]
            found = self.own(parts)
            for one in others:
                found["protocols"] |= jax.device_get(one.result())
        found["causes"] = found["protocols"].pop(CAUSES, {})
        status = self.setting.status | dict.fromkeys(optimised, "optimised")
        return _answer(dataclasses.replace(self.setting, status=status), self.aims, parts, found)

    @functools.cached_property
    def others(self) -> list[Callable[[Any], dict[str, Any]]]:
        """What is said of every other protocol, and what limits the study's own where it is heralded: programs that load side by side."""
        setting = self.setting
        names = [name for name in NAMES if self.compare and name not in (TRANSFER, setting.protocol) and setting.lacking(name) is None]
        found = []
        if setting.protocol != TRANSFER:
            found.append(compiled(lambda parts: {CAUSES: setting.causes(parts)}, tag=CAUSES, options=ONCE))
        for group in ([name for name in names if (name in PUMPED_BLUE) == blue] for blue in (True, False)):

            def told(parts: Any, group: list[str] = group) -> dict[str, Any]:
                return numbers({name: setting.performance(name, parts) for name in group})

            if group:
                found.append(compiled(told, tag=" ".join(group), options=ONCE))
        return found

    def own(self, parts: dict[str, Any]) -> dict[str, Any]:
        """The numbers of the link, the transfer and the study's protocol, the absorbed mode resolved."""
        while True:
            if self._compiled is None:
                self._compiled = compiled(
                    lambda parts: _numbers(self.setting, self.aims, self.samples, parts), tag=f"{self.samples}", options=ONCE
                )
            found = jax.device_get(self._compiled(parts))
            wanted, ringing = float(found.pop("samples")), float(found.pop("ringing"))
            if not SPARE * self.samples < min(wanted, MOST_SAMPLES):
                break
            self.samples, self._compiled = 2 ** math.ceil(math.log2(min(wanted, MOST_SAMPLES))), None
        for name, facts in found["devices"].items():
            if plain(facts["stability_margin_hz"]) is None:
                raise self.setting.source.wrong(("device", name), "must have values that float64 can compute with, but overflows")
        found["clock_resolved"] = wanted <= SPARE * MOST_SAMPLES
        if not (found["clock_resolved"] or self._told):
            times = f"{ringing:.3g} times" if math.isfinite(ringing) else "endlessly"
            print(f"transduce: the link rings {times} longer than the photon: the absorbed mode is not resolved", file=sys.stderr)
            self._told = True
        return found


def _numbers(setting: Setting, aims: Aims, samples: int, parts: dict[str, Any]) -> dict[str, Any]:
    """All numbers, traced."""
    kept: list[Any] = []
    cooling = setting.cooling_power

    def at(parts: dict[str, Any]) -> Any:
        transfer, view = setting.view(parts, samples)
        cases = {setting.protocol: view.case}
        if setting.protocol != TRANSFER:
            cases[TRANSFER] = case(view.transferred, transfer, parts, setting.assemble(parts)[1])
        own = transfer, view.transferred, view.passage, numbers(cases)
        arrays, static = eqx.partition(own, eqx.is_array)
        kept.append(static)
        return figure(aims.objective, view), arrays

    slopes, (objective, arrays) = elasticities(at, parts, has_aux=True)
    transfer, performance, passage, pairs = eqx.combine(arrays, kept[-1])
    shares = budget(transfer, passage, aims.fidelity)
    return {
        "link": _link(performance, passage.link),
        "packet": _packet(performance),
        "transfer": _transfer(performance),
        "protocols": pairs,
        "objective": objective,
        "stages": [{name: getattr(share, name) for name in SHARE} for share in shares.shares],
        "remainder": shares.remainder,
        "elasticities": slopes,
        "devices": {name: _device(device, cooling) for name, device in parts["device"].items()},
        "samples": samples_wanted(passage.link.poles, transfer.photon),
        "ringing": (time_window(passage.link.poles, transfer.photon) - time_window(None, transfer.photon)) / transfer.photon.duration,
    }


def _link(performance: Transferred, link: Prepared) -> dict[str, Any]:
    at = performance.link
    return {
        "efficiency": at.efficiency,
        "efficiency_internal": at.efficiency_internal,
        "bandwidth_fwhm_hz": to_hz(at.bandwidth_fwhm),
        "ripple_db": at.ripple_db,
        "added_noise_input": at.added_noise_input,
        "carrier_hz": None if link.carrier is None else to_hz(link.carrier),
        "delay_s": jnp.asarray(link.delay, float),
    }


def _packet(performance: Transferred) -> dict[str, Any]:
    packet = performance.packet
    return {
        "transmission": packet.transmission,
        "efficiency": packet.efficiency,
        "noise_output": packet.noise,
        "noise_input": packet.added_noise_input,
        "photon_length_s": performance.photon_length,
    }


def _transfer(performance: Transferred) -> dict[str, Any]:
    process, channel = performance.process, performance.channel
    own = (*FIDELITIES, "success_probability")
    rest = ("leakage", "multi_photon_probability", "vacuum_probability", "pauli_x", "pauli_y", "pauli_z")
    return {
        **{name: getattr(process, name) for name in (*own, *rest)},
        "channel_transmission": channel.transmission,
        "channel_noise": channel.noise,
        "coherence": performance.coherence,
        "latency_s": performance.latency,
        "rate_per_s": performance.rate,
    }


def _device(device: AbstractDevice, cooling_power: float) -> dict[str, Any]:
    system, pumps = device.linear_system(), device.drives()
    return {
        "cooperativities": device.cooperativities(),
        "pumps": {
            name: {"coupling_hz": to_hz(pump.coupling), "power_w": pump.power, "photons": pump.photons} for name, pump in pumps.items()
        },
        "absorbed_power_w": device.absorbed_power(),
        "refrigerator_share": device.refrigerator_share(cooling_power),
        "occupations": dict(zip(system.ports, system.occupation, strict=True)),
        "stability_margin_hz": to_hz(system.stability_margin()),
    }


# --- what leaves ---------------------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Numbers as JSON has them: complex ones as [re, im], and null for NaN and what diverges."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if np.iscomplexobj(value):
        return [plain(value.real), plain(value.imag)]
    number = float(value)
    return number if math.isfinite(number) and abs(number) < INFINITE else None


def _answer(setting: Setting, aims: Aims, parts: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    elastic, unit = _elasticities(parts, found["elasticities"])
    encoding = {"encoding": kebab(type(setting.encoding).__name__), "convention": getattr(setting.encoding, "convention", None)}
    return {
        "link": plain(found["link"]),
        "packet": plain(found["packet"]),
        "transfer": {**encoding, **plain(found["transfer"])},
        "objective": {"name": aims.objective, "protocol": setting.protocol, "value": plain(found["objective"])},
        "protocols": _protocols(setting, found["protocols"]),
        "limits": plain(found["causes"]) or None,
        "stages": _stages(parts, found["stages"]),
        "remainder": plain(found["remainder"]),
        "elasticities": elastic,
        "elasticity_units": unit,
        "devices": {name: _facts(parts["device"][name], facts) for name, facts in found["devices"].items()},
        "inputs": inputs(setting, parts),
        "clock_resolved": found["clock_resolved"],
        "stable": all(bool(facts["stability_margin_hz"] > 0) for facts in found["devices"].values()),
        "model": _model(setting, parts),
    }


def _protocols(setting: Setting, found: dict[str, Any]) -> dict[str, Any]:
    """Every protocol that was evaluated by name, and why one cannot run or has no figures."""

    def told(name: str) -> dict[str, Any]:
        if (why := setting.lacking(name)) is not None:
            return {"why": why}
        figures = plain(found[name])
        for one in (figures, figures["distilled"]):
            one["attempt_duration_s"], one["ebit_rate_per_s"] = one.pop("attempt_duration"), one.pop("ebit_rate")
        for one in (figures, figures["distilled"], *figures["rounds"]):
            one["rate_per_s"] = one.pop("rate")
        none = figures["rate_per_s"] is None
        return {**figures, "why": "is unstable at this pump, or nothing arrives" if none else None}

    return {name: told(name) for name in NAMES if name in found or setting.lacking(name) is not None}


def _stages(parts: dict[str, Any], shares: list[dict[str, Any]]) -> list[dict[str, Any]]:
    path = [(name, kebab(type(stage).__name__)) for name, stage in zip(parts["path"].names, parts["path"].parts, strict=True)]
    row = [("emit", "emit"), ("up", "convert"), *path, ("down", "convert"), ("absorb", "absorb")]
    return [{"name": name, "kind": kind, **plain(share)} for (name, kind), share in zip(row, shares, strict=True)]


def _elasticities(parts: dict[str, Any], slopes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """d ln / d ln as it is, unit "1"; d ln / d p per canonical unit, "per Hz"."""
    table, unit = {}, {}
    for path, parameter, value in parameters.walk(parts):
        if path in slopes:
            size = units.canonical(1.0, parameter.dimension)
            relative = bool(is_relative(parameter, float(value)))
            table[path] = plain(slopes[path] if relative else slopes[path] / size[0])
            unit[path] = "1" if relative else f"per {size[1]}"
    return table, unit


_FREQUENCY = {
    **dict.fromkeys(("microwave", "spin"), "frequency_e"),
    **dict.fromkeys(("optical", "partner", "stokes", "auxiliary", "polarisation"), "frequency_o"),
    **dict.fromkeys(("mechanical", "magnon"), "frequency_m"),
}


def _facts(device: AbstractDevice, facts: dict[str, Any]) -> dict[str, Any]:
    """A device's derived figures; a bath's temperature is the one that its occupation has at the mode's frequency."""

    def temperature(port: str, occupation: float) -> float | None:
        field = _FREQUENCY.get(port.split()[0])
        if field is None or not occupation >= 0:
            return None
        return hbar * float(getattr(device, field)) / (k_B * math.log1p(1 / occupation)) if occupation > 0 else 0.0

    found = plain(facts)
    occupations = found.pop("occupations")
    baths = {port: {"occupation": n, "temperature_k": temperature(port, n)} for port, n in occupations.items()}
    return {"kind": kebab(type(device).__name__), **found, "baths": baths}


def _model(setting: Setting, parts: dict[str, Any]) -> str:
    """Which model stands behind the numbers."""
    told = []
    for name, device in parts["device"].items():
        system = structure(device)
        form = getattr(device, "model", "rotating-wave")
        told.append(f"{name}: {form}, {len(system.modes)} modes, {'doubled' if system.signs is None else 'signed'} basis")
    mode = "given detection mode" if "detection" in parts else "matched detection mode"
    return f"{'; '.join(told)}; continuous pump; image band {setting.image}; {mode}"
