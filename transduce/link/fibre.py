r"""Optical fibre: attenuation, coupling at each end, group delay, dispersion, broadband noise.

.. math:: u = \sqrt{c_{in}\, 10^{-\alpha L/10}\, c_{out}}\; e^{i\beta_2 L\omega^2/2}, \qquad \tau = n_g L/c

with the delay told apart. Source: Agrawal, Fiber-Optic Communication Systems, ch. 2.
"""

import dataclasses

import jax.numpy as jnp

from .. import parameters
from ..numerics import sqrt
from ..parameters import Scalar
from ..units import c_0, dB, km, m, ps
from .base import AbstractStage, Flat, Prepared


def transmission(loss_db: Scalar) -> Scalar:
    """Power transmission 10^{-x/10} of a loss in dB."""
    return 10 ** (-loss_db / 10)


class Fibre(AbstractStage):
    """A fibre.

    Attributes:
        length: m.
        attenuation: as ``0.2 * dB / km``.
        coupling_in, coupling_out: loss at each end (dB).
        group_index: n_g; the delay is n_g L / c.
        beta2: group-velocity dispersion, as ``-21.7 * ps**2 / km``.
        noise_photons: broadband photons/s/Hz added at the output, after the coupling.
    """

    length: Scalar = parameters.length(box=(1 * m, 500 * km))
    attenuation: Scalar = parameters.attenuation(0.2 * dB / km, box=(0.1 * dB / km, 10 * dB / km))
    coupling_in: Scalar = parameters.loss(0.0, box=(0.0, 10.0))
    coupling_out: Scalar = parameters.loss(0.0, box=(0.0, 10.0))
    group_index: Scalar = parameters.positive(1.468)
    beta2: Scalar = parameters.dispersion(0.0 * ps**2 / km)
    noise_photons: Scalar = parameters.number(0.0)

    def __check_init__(self) -> None:
        parameters.check(self)

    def prepare(self) -> Prepared:
        """A constant modulus and a quadratic phase."""
        amplitude = sqrt(transmission(self.attenuation * self.length + self.coupling_in + self.coupling_out))
        response = Flat(amplitude, self.noise_photons, self.beta2 * self.length / 2)
        return Prepared(response, delay=self.group_index * self.length / c_0)

    def halves(self) -> "tuple[Fibre, Fibre]":
        """The first half and the second, with half of the noise each."""
        half = dataclasses.replace(self, length=self.length / 2, noise_photons=self.noise_photons / 2)
        return dataclasses.replace(half, coupling_out=jnp.zeros(())), dataclasses.replace(half, coupling_in=jnp.zeros(()))

    def backwards(self) -> "Fibre":
        """Passed from its other end."""
        return dataclasses.replace(self, coupling_in=self.coupling_out, coupling_out=self.coupling_in)
