"""Nodes and the connection between two of them: a qubit and a transducer at each end, and the optical path.

The row that a photon passes is emit, up, the path's stages, down, absorb.
"""

import equinox as eqx

from .. import parameters
from ..devices.base import AbstractDevice
from ..numerics import is_concrete
from ..parameters import Scalar
from ..units import show
from .base import AbstractStage
from .convert import Convert
from .emission import Absorb, Emit, Qubit
from .link import Link
from .synchronisation import Synchronisation
from .wavepacket import AbstractWavepacket

RESERVED = ("emit", "up", "down", "absorb")


class Node(eqx.Module):
    """One end: a qubit with its coupler, and a transducer.

    Attributes:
        qubit: T1, T2, frequency, phase jitter.
        device: the transducer, pumped for conversion or for pairs.
        memory: where the node's half of a pair waits, its t1 and t2; None: in the qubit.
    """

    qubit: Qubit
    device: AbstractDevice
    memory: Qubit | None = None

    @property
    def keeper(self) -> Qubit:
        """Where the node's half of a pair waits."""
        return self.qubit if self.memory is None else self.memory


def check_carriers(must: str, sender: Node, receiver: Node, shift: Scalar) -> None:
    """The receiver's optical carrier is the sender's plus the shift.

    Raises:
        ValueError: concrete ones are not, to 1e-9.
    """
    sent, received = sender.device.frequency_o, receiver.device.frequency_o
    if is_concrete(sent, received, shift):
        gap = float(received - sent - shift)
        if abs(gap) > 1e-9 * float(sent):
            raise ValueError(f"{must}, but leaves {show(gap, 'rate')}: state the shift, or tune frequency_o")


class Connection(eqx.Module):
    """Two nodes and the optical path from the first to the second; the ends need not be alike.

    Attributes:
        a, b: sender and receiver.
        path: the stages between the two transducers' optical ports.
        frequency_shift: what the path adds to the optical carrier (rad/s); with it the carriers of both ends must agree.
        synchronisation: of the two ends; None: perfect but for the qubits' own jitter.
    """

    a: Node
    b: Node
    path: Link
    frequency_shift: Scalar = parameters.detuning(0.0)
    synchronisation: Synchronisation | None = None

    def __check_init__(self) -> None:
        parameters.check(self)
        taken = [name for name in self.path.names if name in RESERVED]
        if taken:
            raise ValueError(f"Connection.path must not name a stage {', '.join(RESERVED)}, but has {taken[0]}")
        check_carriers("Connection.frequency_shift must bring a's optical carrier to b's", self.a, self.b, self.frequency_shift)

    def stages(self) -> dict[str, AbstractStage]:
        """up, the path's stages, down."""
        up, down = Convert(self.a.device, "microwave", "optical"), Convert(self.b.device, "optical", "microwave")
        return {"up": up, **dict(zip(self.path.names, self.path.parts, strict=True)), "down": down}

    def link(self) -> Link:
        """From a's microwave port to b's microwave port."""
        return Link(image=self.path.image, **self.stages())

    def transfer_link(self, photon: AbstractWavepacket, mode: AbstractWavepacket) -> Link:
        """From qubit to qubit: the photon is emitted, and the detected ``mode`` absorbed."""
        return Link(image=self.path.image, emit=Emit(self.a.qubit, photon), **self.stages(), absorb=Absorb(self.b.qubit, mode))
