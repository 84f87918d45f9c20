"""Two different nodes and arms with no field at an edge, a lossless one, and one that is its own mirror image."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from tests import CLOSED_FORM
from tests.protocols.bundled import OPTIMUM, device
from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.meeting import Meeting
from transduce.link.node import Node
from transduce.link.routing import Loss
from transduce.link.synchronisation import Synchronisation
from transduce.link.wavepacket import Sech
from transduce.protocols.heralded import OneClick, TwoClick
from transduce.protocols.schedule import Schedule
from transduce.qubit.detector import Detector
from transduce.units import GHz, Hz, MHz, dB, kHz, km, ns, ps, us

PHOTON = Sech(bandwidth=1 * MHz)
RATES = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 3 * MHz, "kappa_o_int": 2 * MHz}
DETECTOR = {"efficiency": 0.8, "dark_probability": 1e-3, "background_counts": 2e-3, "background_modes": 5e-3}


CLOCKS = {
    **{"timing_offset": 60 * ns, "timing_jitter": 80 * ns, "carrier_offset": 0.1 * MHz, "clock_jitter": 2 * ps},
    **{"laser_linewidth": 0.5 * kHz, "path_difference": 1 * us, "fibre_linewidth": 10 * Hz, "stabilisation_bandwidth": 3 * kHz},
}


def path(length: float, noise: float) -> Link:
    glass = {"length": length, "attenuation": 0.2 * dB / km, "beta2": 2e7 * ps**2 / km, "noise_photons": noise}
    return Link(fibre=Fibre(coupling_in=0.2, coupling_out=0.3, **glass), loss=Loss(loss=0.3, temperature=1400.0))


def ends(**memories: Qubit) -> tuple[Node, Node]:
    """Two different nodes, no field at an edge; their memories by end."""
    a = device(**OPTIMUM | {"mode_match": 0.9}, detuning_e=0.8 * MHz, detuning_o=-0.5 * MHz, pump_detuning=0.7 * MHz)
    other = {"pump_power": 0.05, "kappa_e_ext": 20 * MHz, "mode_match": 0.8, "pump_detuning": -0.9 * MHz}
    b = device(**OPTIMUM | other, detuning_e=-0.3 * MHz, detuning_o=0.4 * MHz)
    a, b = parameters.replace((a, b), {"0.absorbed_fraction": 0.02, "1.absorbed_fraction": 0.03})
    one = Qubit(t1=60 * us, t2=50 * us, phase_jitter=0.05, frequency=4 * GHz)
    two = Qubit(t1=90 * us, t2=40 * us, phase_jitter=0.04, differential_phase_jitter=0.02)
    return Node(one, a, memories.get("a")), Node(two, b, memories.get("b"))


def everything() -> dict[str, Any]:
    """Two different nodes and arms, and both protocols with the settings they share."""
    nodes = ends(a=Qubit(t1=200 * us, t2=150 * us))
    meeting = Meeting(*nodes, path(2 * km, 3e-3), path(1 * km, 2e-3), synchronisation=Synchronisation(**CLOCKS))
    shared: Any = {"photon": PHOTON, "detector": Detector(**DETECTOR), "filter_bandwidth": 10 * MHz, "gate": 5 * us}
    shared |= {"schedule": Schedule(reset=1 * us, memories=2, channels=3, transducers=1.5)}
    return {"meeting": meeting, "one": OneClick(**shared, excitation=0.2, excitation_b=0.3), "two": TwoClick(**shared)}


OFFSET, DETUNING = "meeting.synchronisation.timing_offset", "meeting.synchronisation.carrier_offset"
STILL = [f"meeting.synchronisation.{name}" for name in CLOCKS if name != "stabilisation_bandwidth"]
SCENE = everything()
VALUES = {name: float(value) for name, _, value in parameters.walk(SCENE)}


def cold(kappa: float) -> dict[str, float]:
    """A lossless design of equal rates without noise, both arms and both qubits perfect: as wide as kappa, which is 4e5 photons."""
    node = {"kappa_e_ext": kappa, "kappa_o_ext": kappa, "kappa_e_int": 0.0, "kappa_o_int": 0.0, "mode_match": 1.0, "temperature": 0.0}
    node |= {"absorbed_fraction": 0.0, "detuning_e": 0.0, "detuning_o": 0.0, "pump_detuning": 0.0, "g0": 1.0, "pump_power": 1.0}
    sheet = {f"meeting.{one}.device.{name}": value for one in "ab" for name, value in node.items()}
    unit = float(parameters.replace(SCENE, sheet)["meeting"].a.device.drives()["optical"].coupling)
    sheet |= {f"meeting.{one}.device.g0": kappa / 2 / unit for one in "ab"}  # C = 1
    sheet |= {f"meeting.{one}.qubit.{t}": value for one in "ab" for t, value in (("t1", 1e9), ("t2", 2e9))}
    arms = ("coupling_in", "coupling_out", "attenuation", "beta2", "noise_photons")
    sheet |= {f"meeting.path_{one}.fibre.{name}": 0.0 for one in "ab" for name in arms}
    sheet |= {f"meeting.path_{one}.loss.loss": 0.0 for one in "ab"}
    jitters = [f"meeting.{one}.qubit.phase_jitter" for one in "ab"]
    quiet = dict.fromkeys((*STILL, *jitters), 0.0)
    quiet |= {"meeting.a.memory.t1": 1e9, "meeting.a.memory.t2": 2e9}
    perfect = {"efficiency": 1.0, "dark_probability": 0.0, "background_counts": 0.0, "background_modes": 0.0}
    settings = {f"detector.{name}": value for name, value in perfect.items()} | {"filter_bandwidth": kappa}
    found = {f"{which}.{name}": value for which in ("one", "two") for name, value in settings.items()}
    return VALUES | sheet | quiet | found | {"one.excitation_b": 0.2, "meeting.b.qubit.differential_phase_jitter": 0.0}


def mirrored() -> dict[str, float]:
    """b as a, nothing between them."""
    same = {name: VALUES.get(name.replace(".b.", ".a.").replace("path_b", "path_a"), value) for name, value in VALUES.items()}
    return same | dict.fromkeys(STILL, 0.0)


STENCIL = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
"""Of the sixth order: how far, and the weight of the difference."""
STEP = 0.01


def close(ours: Any, wanted: Any, tolerance: float = CLOSED_FORM) -> None:
    np.testing.assert_allclose(ours, wanted, rtol=tolerance, atol=0)


def pumped_blue(cooperativity: Any, detuning: Any = 0.0) -> ElectroOptic:
    return ElectroOptic(cooperativity=cooperativity, detuning_e=detuning, pump="blue", n_e_int=0.02, n_e_ext=0.01, **RATES)


Lanes = list[tuple[dict[str, float], dict[str, float]]]
"""Points, and the direction of a slope at each."""


def steps(values: dict[str, float]) -> dict[str, float]:
    return {name: STEP * abs(value) or STEP for name, value in values.items()}


def around(values: dict[str, float], names: Any) -> tuple[Lanes, dict[str, slice]]:
    """Every parameter alone, and the stencil around it; and where each stands."""
    still, step, names = dict.fromkeys(values, 0.0), steps(values), list(names)
    alone = [(values, still | {name: 1.0}) for name in names]
    moves = [(name, k * sign) for name in names for k in STENCIL for sign in (1, -1)]
    lanes = alone + [(values | {name: values[name] + move * step[name]}, still) for name, move in moves]
    return lanes, {"alone": slice(0, len(names)), "stencil": slice(len(names), len(lanes))}


def asked(along: Callable[[dict, dict], Any], lanes: Lanes, places: dict[str, slice]) -> dict[str, Any]:
    """The answers and slopes of all lanes in one batch, in numpy, by place."""
    batch = [{name: np.array([lane[k][name] for lane in lanes]) for name in lanes[0][0]} for k in (0, 1)]
    answers = jax.tree.map(np.asarray, along(*batch))
    return {name: jax.tree.map(lambda x, place=place: x[place], answers) for name, place in places.items()}
