r"""Any protocol's pairs, distilled: fewer and better.

.. math:: R_{k+1} = \tfrac12\,p_k R_k

with the states of ``qubit.distillation``: each round takes two pairs of the round before, the earlier of which waits in both nodes'
memories, and each end then waits for the other's reading, one way along the path. What left the qubits of a raw pair counts as random
qubits (``entanglement.filled``). Model: attempts are independent, and the memories of a node never fill up.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from .. import parameters
from ..link.link import Link
from ..link.meeting import Meeting
from ..link.node import Connection
from ..numerics import is_concrete
from ..parameters import Scalar
from ..qubit.distillation import Method, Round, Target, rounds
from ..qubit.entanglement import filled
from ..qubit.memory import NextPairWait
from .base import AbstractProtocol
from .performance import AbstractPerformance, number, pair_lines, row
from .schedule import Attempt


class Distilled(AbstractPerformance):
    """What is left after the last round.

    Attributes:
        raw: the protocol's own performance.
        rounds: before the first round and after each.
        fidelity: of a pair, given that all rounds succeeded, when both ends know.
        success_probability: kept pairs per attempt.
        attempt: of the protocol.
        rate: kept pairs per second.
    """

    raw: AbstractPerformance
    rounds: tuple[Round, ...]
    fidelity: Float[Array, ""]
    success_probability: Float[Array, ""]
    attempt: Attempt
    rate: Float[Array, ""]

    def lines(self) -> list[str]:
        """The pairs after the last round, and each round."""
        rounds = [row(f"after {k} rounds", f"F {number(one.fidelity)}", f"{number(one.rate)} /s") for k, one in enumerate(self.rounds)]
        return [*pair_lines(self), *rounds]

    @property
    def pair(self) -> Complex[Array, "4 4"]:
        """Of the last round."""
        return self.rounds[-1].state

    @property
    def bell(self) -> Target:
        """As the raw pairs."""
        return self.raw.bell


class Distillation(AbstractProtocol):
    """A protocol, followed by rounds of distillation.

    Attributes:
        protocol: whose pairs they are.
        methods: one per round: "epl", "dejmps", "bbpssw"; static.
        gate_error: probability that a CNOT depolarises its two qubits.
        readout_error: probability that a reading is flipped.
        cutoff: after how many further attempts of all memories a raw pair that waits is thrown away; None: never. Static.
    """

    protocol: AbstractProtocol
    methods: tuple[Method, ...] = eqx.field(default=("epl",), static=True)
    gate_error: Scalar = parameters.fraction(0.0)
    readout_error: Scalar = parameters.fraction(0.0)
    cutoff: int | None = eqx.field(default=None, static=True)

    def __check_init__(self) -> None:
        parameters.check(self)

    def __call__(self, connection: Connection | Meeting | Link) -> Distilled:
        """Over whatever the protocol runs over.

        Raises:
            UnstableError, ValueError: as the protocol; or no such method.
        """
        if is_concrete(*jax.tree.leaves((self, connection))):
            return _compiled(self, self.protocol(connection), connection)
        return self.distil(self.protocol(connection), connection)

    def distil(self, raw: AbstractPerformance, connection: Connection | Meeting | Link) -> Distilled:
        """The same from the protocol's performance, traced."""
        memories, exchange = None, jnp.zeros(())
        if not isinstance(connection, Link):
            memories, exchange = (connection.a.keeper, connection.b.keeper), flight(connection)
        link = None
        if self.cutoff is not None:
            link = NextPairWait(probability=raw.success_probability, attempt_time=1 / raw.attempt.rate, cutoff=self.cutoff)
        errors = self.gate_error, self.readout_error
        found = rounds(filled(raw.pair), raw.rate, self.methods, *errors, memories, raw.bell, link, exchange)
        last = found[-1]
        return Distilled(
            raw=raw,
            rounds=found,
            fidelity=last.fidelity,
            success_probability=last.rate / raw.attempt.rate,
            attempt=raw.attempt,
            rate=last.rate,
        )


@eqx.filter_jit
def _compiled(protocol: Distillation, raw: AbstractPerformance, connection: Connection | Meeting | Link) -> Distilled:
    return protocol.distil(raw, connection)


def flight(connection: Connection | Meeting) -> Scalar:
    """How long a message takes from one end to the other, along the path (s)."""
    if isinstance(connection, Meeting):
        return jnp.asarray(connection.path_a.delay + connection.path_b.delay, float)
    return jnp.asarray(connection.path.delay, float)
