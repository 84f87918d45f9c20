r"""Quantum capacity of a bosonic channel at one frequency: bounds from its efficiency and its output noise.

With N the normal-ordered output noise for vacuum input, :math:`N \ge \max(0, \eta - 1)`, and the identric and logarithmic means
:math:`I(a, b) = e^{-1} (b^b/a^a)^{1/(b-a)}` and :math:`L(a, b) = (b - a)/\ln(b/a)`,

.. math:: q_1 = \log_2 \frac{\eta}{|1-\eta|}, \quad Q_{low} = \log_2 \frac{\eta}{e\, I(N, N+1-\eta)}, \quad
          Q_{up} = \min\Big[\log_2 \frac{\eta - N}{N + 1 - \eta},\; \frac{N \log_2 e}{L(1, \eta)} - \log_2 e\, I(N, N+1-\eta)\Big],

each at least 0, and the last one 0 from :math:`N = \eta` on. They hold for loss and for gain alike and are smooth through
:math:`\eta = 1`: with :math:`n = [N - \max(0, \eta-1)]/|1-\eta|` and :math:`g(n) = (n+1)\log_2(n+1) - n\log_2 n` they read
:math:`Q_{low} = \log_2(\eta/|1-\eta|) - g(n)` and :math:`-\log_2[(1-\eta)\eta^n] - g(n)` (loss), :math:`\log_2[\eta^{n+1}/(\eta-1)] - g(n)`
(gain). Bits, or qubits, per use.

Source: Holevo and Werner, Phys. Rev. A 63, 032312 (2001) (lower); Pirandola et al., Nat. Commun. 8, 15043 (2017) (two-way);
Rosati, Mari and Giovannetti, Nat. Commun. 9, 4339 (2018) (an amplifier, then a loss: the bottleneck).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..numerics import TINY, is_concrete
from .channel import ROUNDING

_SERIES = 1 / np.arange(9.0, 0.0, -1)


class Bounds(NamedTuple):
    """Bounds on the quantum capacity, in qubits per use of one mode.

    Attributes:
        pure_loss: q1, what the efficiency alone would allow: the capacity itself where no noise is added beyond the quantum limit.
        lower: the coherent information of a hot input, which the capacity is at least.
        two_way: with free classical messages both ways, which the capacity is at most.
        bottleneck: the capacity of the loss that, behind an amplifier, makes the channel; the capacity is at most this too.
    """

    pure_loss: Float[Array, ""]
    lower: Float[Array, ""]
    two_way: Float[Array, ""]
    bottleneck: Float[Array, ""]

    @property
    def upper(self) -> Float[Array, ""]:
        """The tighter of the two upper bounds."""
        return jnp.minimum(self.two_way, self.bottleneck)

    def positive(self) -> "Bounds":
        """Each raised to 0 where it is negative, with derivative 0 there; NaN stays."""
        return Bounds(*(jnp.where(bound < 0, 0.0, bound) for bound in self))


def bounds(efficiency: ArrayLike, noise: ArrayLike = 0.0, deficit: ArrayLike | None = None) -> Bounds:
    r"""The bounds for a channel of this efficiency and output noise.

    A logarithm reads 0 as 1e-100, so that 332 bits, where :math:`\eta = 1` and N = 0, stand for infinity; so do derivatives above 1e40,
    and the 332/(1 - eta) of ``lower`` with respect to a noise of exactly 0, which diverges as log N.

    Args:
        efficiency: eta >= 0; above 1 it is a gain.
        noise: N >= max(0, eta - 1), normal-ordered output photons for vacuum input.
        deficit: 1 - eta, where it is known better than by subtraction (from the powers of all other ports); None: subtracted.

    Raises:
        ValueError: a concrete argument outside these limits. NaN, the mark of an unstable design, passes.
    """
    eta, n = jnp.asarray(efficiency, float), jnp.asarray(noise, float)
    missing = 1 - eta if deficit is None else jnp.asarray(deficit, float)
    _check(eta, n, missing)
    return unclipped(eta, n, missing).positive()


def unclipped(efficiency: Float[Array, ""], noise: Float[Array, ""], deficit: Float[Array, ""]) -> Bounds:
    """The same before negative values are raised to 0 and unchecked, so that a root-finder sees where each bound begins."""
    mean = _one_plus_log_identric(noise, deficit)
    two_way = noise * _minus_log_over(deficit, efficiency) - mean
    nats = (
        _log(efficiency) - _log(jnp.abs(deficit)),
        _log(efficiency) - mean,
        jnp.where(noise > efficiency, jnp.minimum(two_way, 0.0), two_way),
        _log(efficiency - noise) - _log(noise + deficit),
    )
    return Bounds(*(value / np.log(2) for value in nats))


def _check(efficiency: Any, noise: Any, deficit: Any) -> None:
    if not is_concrete(efficiency, noise, deficit):
        return
    if (low := np.asarray(efficiency) < 0).any():
        raise ValueError(f"capacity.bounds: efficiency must be at least 0, but is {np.asarray(efficiency)[low][0]:.6g}")
    eta, n, missing = np.broadcast_arrays(efficiency, noise, deficit)
    allowed = ROUNDING * np.maximum(1.0, eta)
    if (off := np.abs(1 - eta - missing) > allowed).any():
        raise ValueError(f"capacity.bounds: deficit must be 1 - efficiency = {1 - eta[off][0]:.6g}, but is {missing[off][0]:.6g}")
    limit = np.maximum(0.0, -missing)
    if (low := n < limit - allowed).any():
        raise ValueError(f"capacity.bounds: noise must be at least max(0, eta - 1) = {limit[low][0]:.6g}, but is {n[low][0]:.6g}")


@jax.custom_jvp
def _log(x: Float[Array, ""]) -> Float[Array, ""]:
    """ln x, which reads everything below 1e-100 as that, in its derivative too."""
    return jnp.log(jnp.maximum(x, TINY))


@_log.defjvp
def _log_jvp(primals, tangents):
    return _log(primals[0]), tangents[0] / jnp.maximum(primals[0], TINY)


def _minus_log_over(r: Float[Array, ""], t: Float[Array, ""]) -> Float[Array, ""]:
    """-ln(t)/r, where t = 1 - r: 1 at r = 0, with its derivatives."""
    small = jnp.abs(r) < 0.01
    return jnp.where(small, jnp.polyval(jnp.asarray(_SERIES), jnp.where(small, r, 0.0)), -_log(t) / jnp.where(small, 1.0, r))


def _one_plus_log_identric(noise: Float[Array, ""], deficit: Float[Array, ""]) -> Float[Array, ""]:
    """1 + ln I(N, N + D) = (b ln b - a ln a)/(b - a), without cancellation: ln b + (a/b) [-ln(a/b)/(1 - a/b)], b the larger one."""
    other, loss = noise + deficit, deficit > 0
    low, high = jnp.where(loss, noise, other), jnp.maximum(jnp.where(loss, other, noise), TINY)
    t = jnp.where(low < 0, 0.0, low) / high
    return _log(high) + t * _minus_log_over(jnp.where(loss, deficit, -deficit) / high, t)
