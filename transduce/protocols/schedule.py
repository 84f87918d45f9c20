r"""How often a connection tries: photons one after the other, the news on its way, reset, and many at once.

One memory of a node is busy for :math:`t = t_{photons} + t_{travel} + t_{reset}` per attempt. While the news travels, a node's further
memories may use the same transducer, as many as the way holds; frequency channels and transducers work side by side:

.. math:: R = d\, N_f N_t \frac{m}{\max(t_{photons} + t_{travel} + t_{reset},\; m\, t_{photons})}

Model: attempts are independent; a channel or a transducer more is a copy of the first, without crosstalk, and heats nothing; with
fractional numbers between the integers. Source: Munro et al., Nat. Photonics 4, 792 (2010), for memories in turn.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import parameters
from ..parameters import Scalar


class Attempt(eqx.Module):
    """The time that an attempt takes, and how many there are.

    Attributes:
        photons: for which they hold the transducer, s.
        travel: from their emission to the news of their success, s.
        reset: s.
        rate: attempts per second, of all memories, channels and transducers.
        parallel: m N_f N_t times the duty cycle: how many attempts run at once, at most.
        transducers: N_f N_t times the duty cycle.
    """

    photons: Float[Array, ""]
    travel: Float[Array, ""]
    reset: Float[Array, ""]
    rate: Float[Array, ""]
    parallel: Float[Array, ""]
    transducers: Float[Array, ""]

    @property
    def duration(self) -> Float[Array, ""]:
        """Of one memory's attempt, s."""
        return self.photons + self.travel + self.reset

    @property
    def limits(self) -> dict[str, Float[Array, ""]]:
        """Attempts per second if nothing but this took time; infinite where it takes none."""
        return {
            "photon length": self.transducers / self.photons,
            "travel": self.parallel / self.travel,
            "reset": self.parallel / self.reset,
        }


class Schedule(eqx.Module):
    """What a node has, and how it takes turns.

    Attributes:
        reset: of a memory before its next attempt, s.
        memories: per channel and transducer, which take turns while the news travels.
        channels: frequency channels per transducer, side by side.
        transducers: per node, side by side.
    """

    reset: Scalar = parameters.wait(0.0)
    memories: Scalar = parameters.count(1.0)
    channels: Scalar = parameters.count(1.0)
    transducers: Scalar = parameters.count(1.0)

    def __check_init__(self) -> None:
        parameters.check(self)

    def attempt(self, photons: Scalar, travel: Scalar | float, duty: Scalar | float = 1.0) -> Attempt:
        """The attempts of a protocol.

        Args:
            photons: how long one attempt holds the transducer, s.
            travel: from emission to the news, s.
            duty: how much of the time the devices work.
        """
        transducers = duty * self.channels * self.transducers
        own, parallel = photons + travel + self.reset, transducers * self.memories
        rate = parallel / jnp.maximum(own, self.memories * photons)
        return Attempt(photons, jnp.asarray(travel, float), self.reset, rate, parallel, jnp.asarray(transducers))
