"""Conversion by a transducer, up or down, as a stage of a link."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from .. import parameters
from ..devices.base import AbstractDevice, carrier, escape_efficiency, structure
from ..linear.conversion import Conversion
from ..linear.output import Output
from ..linear.path import Path
from ..linear.system import LinearSystem, marked
from ..parameters import Scalar
from .base import AbstractResponse, AbstractStage, Along, Prepared, Response


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
        system = structure(self.device)
        if system.sign_of(self.source) != system.sign_of(self.target):
            raise ValueError(
                f"Convert.device must convert from {self.source} to {self.target}, but is pumped for pairs: "
                "it conjugates the phase; use a red pump"
            )

    def prepare(self) -> Prepared:
        """The system is built, gated and its carrier found once."""
        return self.over(self.device.linear_system().gate())

    def over(self, gated: tuple[LinearSystem, Array | None], back: Prepared | None = None) -> Prepared:
        """``prepare`` of the device's system that has passed its gate.

        Args:
            gated: the system, and whether it is stable.
            back: the same system from target to source, around its own carrier: a path has poles and |S| in common with its reverse.
        """
        system, stable = gated
        conversion = system.conversion(self.source, self.target)
        if back is not None and back.carrier is not None and isinstance(conversion, Path):
            at, around = back.carrier, back.poles
        else:
            poles = system.poles(self.target)
            at = carrier(conversion, poles) if self.carrier is None else self.carrier
            around = poles - jax.lax.stop_gradient(at)
        escape = escape_efficiency(system, self.source) * escape_efficiency(system, self.target)
        known: dict[str, Any] = {"escape": escape, "duty": self.device.duty_cycle, "carrier": at}
        if isinstance(conversion, Path):
            return Prepared(Along(marked(conversion.around(at), stable)), around, **known)
        output = system.output(self.target)
        image = bool(output.anomalous_rows[conversion.source])
        return Prepared(Converted(output, conversion, stable, at), around, **known, image=image)


class Converted(AbstractResponse):
    """A conversion around a carrier; NaN where the system is unstable."""

    output: Output
    conversion: Conversion
    stable: Array | None
    carrier: Scalar

    def __call__(self, omega: Scalar) -> Response:
        return marked(Response.from_output(self.output, self.conversion.source, self.carrier + omega), self.stable)

    def over(self, omega: Float[Array, " m"]) -> Response:
        return jax.vmap(self)(omega)

    def shape(self, omega: Scalar) -> Float[Array, ""]:
        return marked(self.conversion.shape(self.carrier + omega), self.stable)

    def figures(self, omega: Scalar) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return marked(self.conversion.figures(self.carrier + omega, 0.0), self.stable)
