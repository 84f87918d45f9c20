r"""Passive elements on the way: loss, switch with crosstalk, Lorentzian filter.

Each is a beam splitter whose open ports carry thermal light: with transmission :math:`\eta` and environment :math:`n_{th}` (Bose at the
stage's temperature and carrier frequency, or as stated), :math:`u = \sqrt\eta`, :math:`n = (1 - \eta) n_{th}`.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from .. import parameters
from ..linear.path import Path
from ..numerics import bose, is_concrete, sqrt
from ..parameters import Scalar
from ..units import GHz, MHz, THz, kHz
from .base import AbstractStage, Along, Flat, Prepared
from .fibre import transmission

ROUNDING = 1e-12
"""By this eta + x may exceed 1."""


def _environment(stage: "Loss | Switch | Filter") -> Scalar:
    """Photons of the environment; NaN where traced values state it twice."""
    if stage.occupation is None:
        return bose(stage.frequency, stage.temperature)
    return jnp.where(stage.temperature == 0, stage.occupation, jnp.nan)


def _check(stage: "Loss | Switch | Filter") -> None:
    parameters.check(stage)
    if stage.occupation is not None and is_concrete(stage.temperature) and np.any(stage.temperature != 0):
        raise ValueError(f"{type(stage).__name__}.occupation must not be given beside temperature: state one of them")


class Loss(AbstractStage):
    """A lossy element.

    Attributes:
        loss: dB.
        temperature, occupation: of what is lost into: K at ``frequency``, or photons directly.
        frequency: of the carrier there (rad/s).
    """

    loss: Scalar = parameters.loss(box=(0.0, 30.0))
    temperature: Scalar = parameters.temperature(0.0)
    occupation: Scalar | None = parameters.number(None)
    frequency: Scalar = parameters.frequency(193.4 * THz)

    def __check_init__(self) -> None:
        _check(self)

    def prepare(self) -> Prepared:
        """The same at every frequency."""
        eta = transmission(self.loss)
        return Prepared(Flat(sqrt(eta), (1 - eta) * _environment(self)))


class Switch(AbstractStage):
    """An optical switch.

    Attributes:
        insertion_loss: dB.
        crosstalk: how far below the neighbour's power its light leaks in (dB); None: not at all.
        neighbour_occupation: photons/s/Hz in the neighbouring channel.
        temperature, occupation, frequency: as in ``Loss``.
    """

    insertion_loss: Scalar = parameters.loss(0.0, box=(0.0, 10.0))
    crosstalk: Scalar | None = parameters.loss(None, box=(10.0, 80.0))
    neighbour_occupation: Scalar = parameters.number(0.0)
    temperature: Scalar = parameters.temperature(0.0)
    occupation: Scalar | None = parameters.number(None)
    frequency: Scalar = parameters.frequency(193.4 * THz)

    def __check_init__(self) -> None:
        _check(self)
        if self.crosstalk is not None and is_concrete(self.insertion_loss, self.crosstalk):
            total = float(np.max(transmission(self.insertion_loss) + transmission(self.crosstalk)))
            if total > 1 + ROUNDING:
                raise ValueError(f"Switch.crosstalk must leave eta + x at most 1, but with the insertion loss it is {total:.13g}")

    def prepare(self) -> Prepared:
        """The same at every frequency; NaN where traced values make eta + x exceed 1."""
        eta = transmission(self.insertion_loss)
        leak = 0.0 if self.crosstalk is None else transmission(self.crosstalk)
        eta = jnp.where(eta + leak > 1 + ROUNDING, jnp.nan, eta)
        noise = leak * self.neighbour_occupation + (1 - eta - leak) * _environment(self)
        return Prepared(Flat(sqrt(eta), noise))


class Filter(AbstractStage):
    """A Lorentzian band-pass, u = sqrt(eta_0) (K/2) / (K/2 - i (w - w_f)).

    Attributes:
        bandwidth: K, full width at half maximum of the power.
        centre: w_f, offset from the packet's carrier.
        insertion_loss: at the centre (dB).
        temperature, occupation, frequency: as in ``Loss``.
    """

    bandwidth: Scalar = parameters.frequency(box=(100 * kHz, 10 * GHz))
    centre: Scalar = parameters.detuning(0.0, box=(-100 * MHz, 100 * MHz))
    insertion_loss: Scalar = parameters.loss(0.0, box=(0.0, 10.0))
    temperature: Scalar = parameters.temperature(0.0)
    occupation: Scalar | None = parameters.number(None)
    frequency: Scalar = parameters.frequency(193.4 * THz)

    def __check_init__(self) -> None:
        _check(self)

    def prepare(self) -> Prepared:
        """One pole at w_f - i K/2."""
        poles: Complex[Array, " 1"] = jnp.reshape(self.centre - 0.5j * self.bandwidth, (1,))
        modulus = sqrt(transmission(self.insertion_loss))
        return Prepared(Along(Path.lorentzian(modulus, self.centre, self.bandwidth, _environment(self))), poles)


class Station(AbstractStage):
    """Where the photons of both ends meet, for protocols that herald half-way; what passes by is not touched."""

    def prepare(self) -> Prepared:
        """Nothing is lost."""
        return Prepared(Flat(jnp.ones(()), jnp.zeros(())))
