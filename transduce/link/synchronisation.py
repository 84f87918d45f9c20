r"""How well the two ends of a connection agree on time and phase: what arrives late, what runs off, and the phase between two carriers.

The envelope: b's packet arrives later by a fixed offset and a normally distributed one, of standard deviation ``timing_jitter``, between
attempts (see ``overlap``). The carrier: its phase is the sum of the pump lasers', the fibre's and the microwave clock's. A laser of
Lorentzian linewidth :math:`\Delta` (rad/s) has a phase that diffuses, :math:`\langle(\phi(t+T) - \phi(t))^2\rangle = \Delta T`.

.. math:: \sigma^2 &= \underbrace{\Delta_p\,\tau}_{\text{pump, path difference}}
            + \underbrace{\Delta_f/2B}_{\text{fibre, servo of bandwidth } B} + \underbrace{(\omega\,\sigma_t)^2}_{\text{clock}} \\
          \sigma_D^2 &= 2\Delta_p \min(T, \tau) + (1 - e^{-BT})\,\Delta_f/B + 2(\omega\,\sigma_t)^2

:math:`\sigma` is what one click and a single rail see; :math:`\sigma_D`, the increment over the separation T of two uses, what two clicks
and time bins see. Coherence is :math:`e^{-\sigma^2/2}`. Model: white frequency noise of laser and fibre, a servo of first order (its
phase is an Ornstein-Uhlenbeck process), clock errors white on the scale of T; one delay for both uses of an attempt.
Source: Gallion and Debarge, IEEE J. Quantum Electron. 20, 343 (1984).
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array

from .. import parameters
from ..numerics import is_concrete, sqrt
from ..parameters import Scalar
from ..units import kHz
from .emission import Qubit
from .emission import phase_jitters as own_phase_jitters
from .wavepacket import Real

_FAR = 8.5
"""Standard deviations beyond which 2e-17 of a normal distribution lies."""
DELAYS, FEW = 97, 49
"""How many delays stand for a normal distribution, and for that of what is dear to ask."""


class Synchronisation(eqx.Module):
    r"""What disturbs time and phase between the two ends.

    Attributes:
        timing_offset: how much later than compensated b's packet arrives, s.
        timing_jitter: standard deviation of that, from attempt to attempt, s.
        carrier_offset: how far b's carrier lies above a's, rad/s.
        laser_linewidth: :math:`\Delta_p`, FWHM of the pump laser, rad/s; of two independent ones, their sum.
        path_difference: :math:`\tau`, s, by which the pump's light is older in one arm; of two independent lasers, the time since
            their relative phase was last measured.
        fibre_linewidth: :math:`\Delta_f`, rad/s: rate at which the unstabilised fibre's phase variance grows.
        stabilisation_bandwidth: B of the servo on the fibre's phase, rad/s.
        clock_jitter: :math:`\sigma_t`, s rms, of the microwave reference: it turns the carrier, and moves no envelope.
    """

    timing_offset: Scalar = parameters.time(0.0)
    timing_jitter: Scalar = parameters.wait(0.0)
    carrier_offset: Scalar = parameters.detuning(0.0)
    laser_linewidth: Scalar = parameters.rate(0.0)
    path_difference: Scalar = parameters.time(0.0)
    fibre_linewidth: Scalar = parameters.rate(0.0)
    stabilisation_bandwidth: Scalar = parameters.frequency(1 * kHz)
    clock_jitter: Scalar = parameters.wait(0.0)

    def __check_init__(self) -> None:
        parameters.check(self)

    def late(self, amplitude: Callable[[Scalar], Any], reach: Scalar, read: Callable[[Any], Any] | None = None, lost: Any = None) -> Any:
        """The mean of a tree of arrays that is read from an amplitude, which follows from b's delay (s): a trapezoid rule.

        It converges exponentially for smooth packets, to 1e-10; to some 1e-7 where the jitter exceeds the packet, as the nodes in
        frequency do not resolve large delays; an edge (a decaying packet) leaves some 5e-3 of what the jitter takes.

        Args:
            amplitude: of a delay.
            reach: beyond this delay, either way, nothing is left of it (s).
            read: what is averaged; None: the amplitude itself.
            lost: what is left beyond the reach, of a tree of amplitudes that is dear: it is asked at fewer delays, one after the other,
                which is exact to 1e-9 while the jitter is within the packet's length, and to 3e-5 beyond. None: 0.
        """
        told = (lambda value: value) if read is None else read
        still, far = self.timing_jitter == 0, told(jnp.zeros((), complex) if lost is None else lost)
        grid = np.linspace(0.0, 1.0, DELAYS if lost is None else FEW)
        trapezoid = np.where((grid == 0) | (grid == 1), 0.5, 1.0) / (grid.size - 1)
        scale = jnp.where(still, 1.0, self.timing_jitter)
        ends = (jnp.where(still, sign * _FAR, jnp.clip((sign * reach - self.timing_offset) / scale, -_FAR, _FAR)) for sign in (-1, 1))
        low, high = (jax.lax.stop_gradient(end) for end in ends)
        z = low + (high - low) * grid
        weight = norm.pdf(z) * (high - low) * trapezoid

        def at(place: Array) -> Any:
            return told(amplitude(self.timing_offset + self.timing_jitter * place))

        found = jax.vmap(at)(z) if lost is None else jax.lax.map(at, z)
        rest = jnp.maximum(1 - jnp.sum(weight), 0.0)  # not the rounding of 1
        return jax.tree.map(lambda values, beyond: jnp.tensordot(weight, values, 1) + rest * beyond, found, far)

    def phase_jitter(self, frequency: Real) -> Scalar:
        r""":math:`\sigma`, rad rms, per use; of a microwave photon of this frequency :math:`\omega`, rad/s."""
        laser = self.laser_linewidth * jnp.abs(self.path_difference)
        fibre = self.fibre_linewidth / (2 * self.stabilisation_bandwidth)
        return sqrt(laser + fibre + (frequency * self.clock_jitter) ** 2)

    def differential_phase_jitter(self, separation: Real, frequency: Real) -> Scalar:
        r""":math:`\sigma_D`, rad rms, of the increment over a separation of two uses in s, >= 0."""
        laser = 2 * self.laser_linewidth * jnp.minimum(separation, jnp.abs(self.path_difference))
        relaxed = -jnp.expm1(-self.stabilisation_bandwidth * separation)
        fibre = relaxed * self.fibre_linewidth / self.stabilisation_bandwidth
        return sqrt(laser + fibre + 2 * (frequency * self.clock_jitter) ** 2)


def phase_jitters(a: Qubit, b: Qubit, synchronisation: Synchronisation | None, separation: Real | None = None) -> tuple[Scalar, Scalar]:
    """Of both qubits and of the connection together (rad): of one use, and between two uses.

    Args:
        a, b: the qubits; the carrier's frequency is the larger of theirs.
        synchronisation: None: nothing but the qubits' own.
        separation: of the two uses, s; None: they are at once, and the connection's phase is common to both.
    """
    own, between = own_phase_jitters(a, b)
    if synchronisation is None:
        return own, between
    frequency = jnp.maximum(a.frequency, b.frequency)
    once = sqrt(own**2 + synchronisation.phase_jitter(frequency) ** 2)
    if separation is None:
        return once, between
    return once, sqrt(between**2 + synchronisation.differential_phase_jitter(separation, frequency) ** 2)


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
