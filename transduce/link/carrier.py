r"""The phase between the two carriers of a protocol: pump lasers, fibre and microwave clock, per use and between two uses.

A laser of Lorentzian linewidth :math:`\Delta` (rad/s) has a phase that diffuses, :math:`\langle(\phi(t+T) - \phi(t))^2\rangle = \Delta T`.

.. math:: \sigma^2 &= \underbrace{\Delta_p\,\tau}_{\text{pump, path difference}}
            + \underbrace{\Delta_f/2B}_{\text{fibre, servo of bandwidth } B} + \underbrace{(\omega\,\sigma_t)^2}_{\text{clock}} \\
          \sigma_D^2 &= 2\Delta_p \min(T, \tau) + (1 - e^{-BT})\,\Delta_f/B + 2(\omega\,\sigma_t)^2

:math:`\sigma` is what one click and a single rail see; :math:`\sigma_D`, the increment over the separation T of two uses, what two clicks
and time bins see. Coherence is :math:`e^{-\sigma^2/2}`. Model: white frequency noise of laser and fibre, a servo of first order (its
phase is an Ornstein-Uhlenbeck process), clock errors white on the scale of T.
Source: Gallion and Debarge, IEEE J. Quantum Electron. 20, 343 (1984).
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .. import parameters
from ..numerics import is_concrete, sqrt
from ..parameters import Scalar
from ..units import GHz, kHz
from .wavepacket import Real


class Carrier(eqx.Module):
    r"""What disturbs the phase between the two arms of a connection.

    Attributes:
        laser_linewidth: :math:`\Delta_p`, FWHM of the pump laser, rad/s; of two independent ones, their sum.
        path_difference: :math:`\tau`, s, by which the pump's light is older in one arm; of two independent lasers, the time since
            their relative phase was last measured.
        fibre_linewidth: :math:`\Delta_f`, rad/s: rate at which the unstabilised fibre's phase variance grows.
        stabilisation_bandwidth: B of the servo on the fibre's phase, rad/s.
        clock_jitter: :math:`\sigma_t`, s rms, of the microwave reference.
        frequency: :math:`\omega` of the microwave photon, rad/s.
    """

    laser_linewidth: Scalar = parameters.rate(0.0)
    path_difference: Scalar = parameters.time(0.0)
    fibre_linewidth: Scalar = parameters.rate(0.0)
    stabilisation_bandwidth: Scalar = parameters.frequency(1 * kHz)
    clock_jitter: Scalar = parameters.time(0.0)
    frequency: Scalar = parameters.frequency(5 * GHz)

    def __check_init__(self) -> None:
        parameters.check(self)

    @property
    def phase_jitter(self) -> Scalar:
        r""":math:`\sigma`, rad rms, per use."""
        laser = self.laser_linewidth * jnp.abs(self.path_difference)
        fibre = self.fibre_linewidth / (2 * self.stabilisation_bandwidth)
        return sqrt(laser + fibre + (self.frequency * self.clock_jitter) ** 2)

    def differential_phase_jitter(self, separation: Real) -> Scalar:
        r""":math:`\sigma_D`, rad rms, of the increment over a separation of two uses in s, >= 0."""
        laser = 2 * self.laser_linewidth * jnp.minimum(separation, jnp.abs(self.path_difference))
        relaxed = -jnp.expm1(-self.stabilisation_bandwidth * separation)
        fibre = relaxed * self.fibre_linewidth / self.stabilisation_bandwidth
        return sqrt(laser + fibre + 2 * (self.frequency * self.clock_jitter) ** 2)


def clock_for(frequency: Real, coherence: Real) -> Scalar:
    r"""The rms clock error (s) that leaves this coherence, :math:`e^{-(\omega\sigma_t)^2/2}`, of a carrier.

    >>> from transduce.units import GHz
    >>> f"{clock_for(8.8 * GHz, 0.99848):.3g}"  # 1 ps: 0.055 rad
    '9.98e-13'

    Args:
        frequency: of the carrier, rad/s.
        coherence: above 0 and at most 1.

    Raises:
        ValueError: a concrete coherence elsewhere.
    """
    if is_concrete(coherence) and not np.all((np.asarray(coherence) > 0) & (np.asarray(coherence) <= 1)):
        raise ValueError(f"clock_for: coherence must be above 0 and at most 1, but is {coherence}")
    return sqrt(-2 * jnp.log(jnp.asarray(coherence, float))) / frequency
