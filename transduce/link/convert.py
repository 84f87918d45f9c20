"""Conversion by a transducer, up or down, as a stage of a link."""

import equinox as eqx
import jax
from jaxtyping import Array

from .. import parameters
from ..devices.base import AbstractDevice, carrier, escape_efficiency
from ..linear.output import Output
from ..linear.system import marked
from ..parameters import Scalar
from .base import AbstractStage, Prepared, Response


class Convert(AbstractStage):
    """A device used from one port to another.

    Attributes:
        device: the transducer.
        source, target: two of its ports: ("microwave", "optical") is up, ("optical", "microwave") is down.
        carrier: offset of the packet's carrier from the device's frame (rad/s); None: where |S| is largest.
    """

    device: AbstractDevice
    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    carrier: Scalar | None = parameters.detuning(None)

    def __check_init__(self) -> None:
        parameters.check(self)
        system = eqx.filter_eval_shape(self.device.linear_system)  # only its structure is asked
        if system.sign_of(self.source) != system.sign_of(self.target):
            raise ValueError(
                f"Convert.device must convert from {self.source} to {self.target}, but is pumped for pairs: "
                "it conjugates the phase; use a red pump"
            )

    def prepare(self) -> Prepared:
        """The system is built, gated and its carrier found once."""
        system, stable = self.device.linear_system().gate()
        at = carrier(system, self.source, self.target) if self.carrier is None else self.carrier

        output, source = system.output(self.target), system.index(self.source)
        escape = escape_efficiency(system, self.source) * escape_efficiency(system, self.target)
        return Prepared(
            Converted(output, stable, at, source),
            system.poles(self.target) - jax.lax.stop_gradient(at),
            escape=escape,
            carrier=at,
            image=bool(output.anomalous_rows[source]),
        )


class Converted(eqx.Module):
    """An output of a system seen from one input, around a carrier; NaN where the system is unstable."""

    output: Output
    stable: Array | None
    carrier: Scalar
    source: int = eqx.field(static=True)

    def __call__(self, omega: Scalar) -> Response:
        return marked(Response.from_output(self.output, self.source, self.carrier + omega), self.stable)
