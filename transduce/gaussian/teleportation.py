r"""Continuous-variable teleportation through a microwave-optical pair, as a Gaussian mode channel, and the best gain.

The input and the pair's microwave mode m are measured by dual homodyne of efficiency :math:`\epsilon`; the optical mode o is displaced
by the record, with gain k:

.. math:: a_{out} = o - k e^{i \arg c}(a + m^\dagger), \qquad t = k, \qquad n = k^2(N_m + 1/\epsilon) + N_o - 2k|c|

of the pair's :math:`N_m = \langle m^\dagger m\rangle, N_o = \langle o^\dagger o\rangle, c = \langle mo\rangle`; the fixed phase of t is
left out. The least noise is :math:`N_o - |c|^2/(N_m + 1/\epsilon)`, at :math:`k = |c|/(N_m + 1/\epsilon)`. For a pure pair
:math:`k = \tanh r` is a pure loss, of the same :math:`4C/(1+C)^2` as red-pumped conversion at the blue pump's cooperativity; k = 1 passes
everything, with :math:`n = e^{-2r}`. The best k for a qubit lies between: :math:`\eta` and n
can be traded, as conversion cannot.
Source: Braunstein and Kimble, Phys. Rev. Lett. 80, 869 (1998); Wu, Cui, Fan and Zhuang, Phys. Rev. Applied 16, 064044 (2021).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..linear.noise import PairMoments
from ..numerics import TINY, abs2, is_concrete, sqrt
from .channel import ModeChannel

_GAINS = np.linspace(0.0, 2.0, 129)
_STEPS = 6


def _measured(pair: PairMoments, detection: ArrayLike) -> Float[Array, ""]:
    if is_concrete(detection) and not np.all((np.asarray(detection) > 0) & (np.asarray(detection) <= 1)):
        raise ValueError(f"teleportation: detection must be above 0 and at most 1, but is {detection}")
    return pair.first + 1 / jnp.asarray(detection, float)


def _modulus(pair: PairMoments) -> Float[Array, ""]:
    """|c|; its derivative at c = 0, a kink, is the one towards positive c."""
    nudge = jnp.where(pair.correlation == 0, TINY**0.5, 0.0)
    return sqrt(abs2(pair.correlation + nudge))


def teleport(pair: PairMoments, gain: ArrayLike, detection: ArrayLike = 1.0) -> ModeChannel:
    """The channel of one teleportation.

    Args:
        pair: of the mode that is measured with the input, first, and the mode that carries the output, second.
        gain: k, real.
        detection: efficiency of both homodyne detectors, above 0.

    Raises:
        ValueError: a concrete detection that is not above 0 and at most 1.
    """
    k, measured = jnp.asarray(gain, float), _measured(pair, detection)
    noise = k**2 * measured + pair.second - 2 * k * _modulus(pair)
    return ModeChannel(k, noise)


def quietest_gain(pair: PairMoments, detection: ArrayLike = 1.0) -> Float[Array, ""]:
    r"""The gain of least noise, :math:`|c|/(N_m + 1/\epsilon)`.

    Raises:
        ValueError: as ``teleport``.
    """
    return _modulus(pair) / _measured(pair, detection)


def best_gain(pair: PairMoments, figure: Callable[[ModeChannel], Float[Array, ""]], detection: ArrayLike = 1.0) -> Float[Array, ""]:
    """The gain between 0 and 2 at which a figure of the channel is largest, to rounding.

    A grid, then Newton's method on the slope, whose last step carries the gradient of the gain; where the largest value of the grid is
    at one of its ends, that end, without gradient.

    Args:
        pair, detection: see ``teleport``.
        figure: of a channel, smooth, such as the fidelity of an encoding.

    Raises:
        ValueError: as ``teleport``.
    """
    _measured(pair, detection)

    def value(k: Float[Array, ""], pair: PairMoments, detection: Array) -> Float[Array, ""]:
        return figure(teleport(pair, k, detection))

    def step(k: Float[Array, ""], pair: PairMoments, detection: Array) -> Float[Array, ""]:
        slope, curvature = jax.jvp(lambda x: jax.grad(value)(x, pair, detection), (k,), (jnp.ones_like(k),))
        return k - slope / jax.lax.stop_gradient(curvature)

    given = pair, jnp.asarray(detection, float)
    still = jax.lax.stop_gradient(given)
    place = jnp.argmax(jax.vmap(lambda k: value(k, *still))(jnp.asarray(_GAINS)))
    start = jnp.asarray(_GAINS)[place]
    found = jax.lax.fori_loop(0, _STEPS, lambda _, k: step(k, *still), start)
    inside = (place > 0) & (place < _GAINS.size - 1)
    return jnp.where(inside, step(jax.lax.stop_gradient(jnp.where(inside, found, 1.0)), *given), start)
