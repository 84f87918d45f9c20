"""transduce: differentiable physics of microwave-optical quantum links.

>>> import transduce as td
>>> from transduce.units import MHz, km
>>> float(td.Fibre(length=1 * km).response(0.0).noise)
0.0

Importing it turns on JAX's float64 unless JAX_ENABLE_X64 is set. Names are loaded when first used, so that a command line that does not
compute does not wait for JAX.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if "JAX_ENABLE_X64" not in os.environ:
    os.environ["JAX_ENABLE_X64"] = "1"
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", True)

if TYPE_CHECKING:
    from .design.axes import Sample as Sample
    from .design.maximise import maximise as maximise
    from .design.sensitivity import elasticities as elasticities
    from .design.sweep import sweep as sweep
    from .design.targets import Bound as Bound
    from .design.targets import Targets as Targets
    from .devices.base import AbstractDevice as AbstractDevice
    from .devices.catalogue import device as device
    from .devices.chain import Chain as Chain
    from .devices.electro_optic import ElectroOptic as ElectroOptic
    from .devices.ensemble import Ensemble as Ensemble
    from .devices.heating import ConductanceHeating as ConductanceHeating
    from .devices.heating import LinearHeating as LinearHeating
    from .devices.heating import PowerHeating as PowerHeating
    from .devices.heating import TabulatedHeating as TabulatedHeating
    from .devices.magnonic import Magnonic as Magnonic
    from .devices.optomechanical import ElectroOptomechanical as ElectroOptomechanical
    from .devices.piezo import PiezoOptomechanical as PiezoOptomechanical
    from .gaussian.capacity_rate import capacity_rate as capacity_rate
    from .gaussian.feed_forward import feed_forward as feed_forward
    from .linear.system import LinearSystem as LinearSystem
    from .linear.system import UnstableError as UnstableError
    from .link.convert import Convert as Convert
    from .link.emission import Qubit as Qubit
    from .link.fibre import Fibre as Fibre
    from .link.link import Link as Link
    from .link.meeting import Meeting as Meeting
    from .link.node import Connection as Connection
    from .link.node import Node as Node
    from .link.routing import Filter as Filter
    from .link.routing import Loss as Loss
    from .link.routing import Station as Station
    from .link.routing import Switch as Switch
    from .link.sampled import Tabulated as Tabulated
    from .link.synchronisation import Synchronisation as Synchronisation
    from .link.wavepacket import Decaying as Decaying
    from .link.wavepacket import Gaussian as Gaussian
    from .link.wavepacket import Rising as Rising
    from .link.wavepacket import Sech as Sech
    from .protocols.clocks import clock_needed as clock_needed
    from .protocols.distillation import Distillation as Distillation
    from .protocols.heralded import OneClick as OneClick
    from .protocols.heralded import PairClick as PairClick
    from .protocols.heralded import TwoClick as TwoClick
    from .protocols.limits import limits as limits
    from .protocols.middle_source import MiddleSource as MiddleSource
    from .protocols.planner import best_plan as best_plan
    from .protocols.planner import plan as plan
    from .protocols.schedule import Schedule as Schedule
    from .protocols.teleportation import Teleportation as Teleportation
    from .protocols.transfer import Transfer as Transfer
    from .qubit.bell_measurement import two_click as two_click
    from .qubit.detector import Detector as Detector
    from .qubit.entanglement import coherent_information as coherent_information
    from .qubit.entanglement import log_negativity as log_negativity
    from .qubit.heralding import one_click as one_click
    from .qubit.pairs import pair_click as pair_click
    from .qubit.pairs import pair_source_in_the_middle as pair_source_in_the_middle
    from .qubit.pairs import squeezed_pair as squeezed_pair

_NAMES = {
    "design.axes": ("Sample",),
    "design.maximise": ("maximise",),
    "design.sensitivity": ("elasticities",),
    "design.sweep": ("sweep",),
    "design.targets": ("Bound", "Targets"),
    "devices.base": ("AbstractDevice",),
    "devices.catalogue": ("device",),
    "devices.chain": ("Chain",),
    "devices.electro_optic": ("ElectroOptic",),
    "devices.ensemble": ("Ensemble",),
    "devices.heating": ("ConductanceHeating", "LinearHeating", "PowerHeating", "TabulatedHeating"),
    "devices.magnonic": ("Magnonic",),
    "devices.optomechanical": ("ElectroOptomechanical",),
    "devices.piezo": ("PiezoOptomechanical",),
    "gaussian.capacity_rate": ("capacity_rate",),
    "gaussian.feed_forward": ("feed_forward",),
    "linear.system": ("LinearSystem", "UnstableError"),
    "link.convert": ("Convert",),
    "link.emission": ("Qubit",),
    "link.fibre": ("Fibre",),
    "link.link": ("Link",),
    "link.meeting": ("Meeting",),
    "link.node": ("Connection", "Node"),
    "link.routing": ("Filter", "Loss", "Station", "Switch"),
    "link.sampled": ("Tabulated",),
    "link.synchronisation": ("Synchronisation",),
    "link.wavepacket": ("Decaying", "Gaussian", "Rising", "Sech"),
    "protocols.clocks": ("clock_needed",),
    "protocols.distillation": ("Distillation",),
    "protocols.heralded": ("OneClick", "PairClick", "TwoClick"),
    "protocols.limits": ("limits",),
    "protocols.middle_source": ("MiddleSource",),
    "protocols.planner": ("best_plan", "plan"),
    "protocols.schedule": ("Schedule",),
    "protocols.teleportation": ("Teleportation",),
    "protocols.transfer": ("Transfer",),
    "qubit.bell_measurement": ("two_click",),
    "qubit.detector": ("Detector",),
    "qubit.entanglement": ("coherent_information", "log_negativity"),
    "qubit.heralding": ("one_click",),
    "qubit.pairs": ("pair_click", "pair_source_in_the_middle", "squeezed_pair"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'transduce' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
