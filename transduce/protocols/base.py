"""What every protocol is: a record of settings that turns a connection into a performance."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from ..link.node import Connection


class AbstractProtocol(eqx.Module):
    """A way to move or entangle qubits. To add one: a final class with ``__call__``, whose answer is a module of scalars."""

    @abc.abstractmethod
    def __call__(self, connection: Connection) -> Any:
        """The performance of this protocol over a connection."""


class Share(eqx.Module):
    """What one stage costs.

    Attributes:
        transmission_db: 10 log10 |u|^2 at the carrier (of an end: its efficiency).
        noise_input: its output noise over the |u|^2 of the stages from the sender's microwave port up to and with it; these add up to
            the link's added noise.
        fidelity_gain_if_ideal: the objective with this stage ideal (u = 1, no noise, coherence 1, its delay kept) minus the objective.
    """

    transmission_db: Float[Array, ""]
    noise_input: Float[Array, ""]
    fidelity_gain_if_ideal: Float[Array, ""]


class Budget(eqx.Module):
    """The shares of all stages, in order, and what they do not explain: the gain with all of them ideal minus the sum of gains."""

    names: tuple[str, ...] = eqx.field(static=True)
    shares: tuple[Share, ...]
    remainder: Float[Array, ""]
