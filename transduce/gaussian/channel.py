r"""One Gaussian mode channel: what a link does to one photon mode.

.. math:: \langle a\rangle_{out} = t \langle a\rangle_{in}, \qquad
          \langle a^\dagger a\rangle_{out} = |t|^2 \langle a^\dagger a\rangle_{in} + n

Convention: n counts normal-ordered output photons for vacuum input, so :math:`n \ge \max(0, |t|^2 - 1)` (quantum limit of gain).
Source: Caves, Phys. Rev. D 26, 1817 (1982); Holevo and Werner, Phys. Rev. A 63, 032312 (2001).
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float

from ..numerics import TINY, abs2, is_concrete, sqrt

ROUNDING = 1e-9
"""How far below the quantum limit a noise may lie, relative to max(1, |t|^2): the rounding of a quadrature, not physics."""


class ModeChannel(eqx.Module):
    r"""A phase-insensitive Gaussian channel of one mode, :math:`(t, n)`; the answer of ``link.channel(wavepacket)``.

    Args:
        transmission: t, complex amplitude; dimensionless.
        noise: n, normal-ordered photons at the output for vacuum input, >= max(0, \|t\|^2 - 1).

    Raises:
        ValueError: a concrete noise below the quantum limit. NaN, the mark of an unstable design, passes.
    """

    transmission: Complex[Array, ""]
    noise: Float[Array, ""]

    def __init__(self, transmission: ArrayLike, noise: ArrayLike = 0.0) -> None:
        self.transmission = jnp.asarray(transmission, complex)
        self.noise = jnp.asarray(noise, float)

    def __check_init__(self) -> None:
        if not is_concrete(self.transmission, self.noise):
            return
        gain, noise = np.broadcast_arrays(np.abs(np.asarray(self.transmission)) ** 2, np.asarray(self.noise))
        limit = np.maximum(0.0, gain - 1.0)
        if (low := noise < limit - ROUNDING * np.maximum(1.0, gain)).any():
            raise ValueError(f"ModeChannel.noise must be at least max(0, |t|^2 - 1) = {limit[low][0]:.6g}, but is {noise[low][0]:.6g}")

    @property
    def efficiency(self) -> Float[Array, ""]:
        r""":math:`\eta = |t|^2`; above 1 it is a gain."""
        return abs2(self.transmission)

    @property
    def modulus(self) -> Float[Array, ""]:
        r""":math:`|t|`, with a usable derivative at t = 0.

        There :math:`|t|` has a kink; the derivative given is the one towards positive real t, the direction of a calibrated phase.
        """
        nudge = jnp.where(self.transmission == 0, TINY**0.5, 0.0)
        return sqrt(abs2(self.transmission + nudge))

    @property
    def added_noise_input(self) -> Float[Array, ""]:
        r""":math:`N = n/\eta`, noise photons referred to the input; inf at :math:`\eta = 0`, NaN where n = 0 too."""
        return self.noise / self.efficiency

    def then(self, other: "ModeChannel") -> "ModeChannel":
        r"""This channel followed by another: :math:`t = t_2 t_1,\ n = |t_2|^2 n_1 + n_2`."""
        return ModeChannel(other.transmission * self.transmission, other.efficiency * self.noise + other.noise)

    def attenuated(self, efficiency: ArrayLike) -> "ModeChannel":
        r"""Followed by a cold loss, such as a detector or a filter: :math:`(t, n) \to (\sqrt{e}\,t, e\,n)`.

        Args:
            efficiency: e, within 0 and 1.

        Raises:
            ValueError: a concrete efficiency outside 0 and 1.
        """
        if is_concrete(efficiency) and not np.all((np.asarray(efficiency) >= 0) & (np.asarray(efficiency) <= 1)):
            raise ValueError(f"ModeChannel.attenuated: efficiency must be within 0 and 1, but is {efficiency}")
        kept = jnp.asarray(efficiency, float)
        return ModeChannel(sqrt(kept) * self.transmission, kept * self.noise)
