"""transduce: differentiable physics of microwave-optical quantum links.

>>> import transduce as td
>>> from transduce.units import MHz, km
>>> td.Fibre(length=1 * km).response(0.0).noise
Array(0., dtype=float64)
"""

import os

import jax

if "JAX_ENABLE_X64" not in os.environ:
    jax.config.update("jax_enable_x64", True)

from .design.maximise import maximise as maximise
from .design.sensitivity import elasticities as elasticities
from .design.targets import Bound as Bound
from .design.targets import Targets as Targets
from .devices.base import AbstractDevice as AbstractDevice
from .devices.catalogue import device as device
from .devices.electro_optic import ElectroOptic as ElectroOptic
from .devices.optomechanical import ElectroOptomechanical as ElectroOptomechanical
from .devices.piezo import PiezoOptomechanical as PiezoOptomechanical
from .linear.system import LinearSystem as LinearSystem
from .linear.system import UnstableError as UnstableError
from .link.convert import Convert as Convert
from .link.emission import Absorb as Absorb
from .link.emission import Emit as Emit
from .link.emission import Qubit as Qubit
from .link.fibre import Fibre as Fibre
from .link.link import Link as Link
from .link.node import Connection as Connection
from .link.node import Node as Node
from .link.routing import Filter as Filter
from .link.routing import Loss as Loss
from .link.routing import Switch as Switch
from .link.sampled import Tabulated as Tabulated
from .link.wavepacket import Decaying as Decaying
from .link.wavepacket import Gaussian as Gaussian
from .link.wavepacket import Rising as Rising
from .link.wavepacket import Sech as Sech
from .protocols.transfer import Transfer as Transfer

__version__ = "0.1.0"
