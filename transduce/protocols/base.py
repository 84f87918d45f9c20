"""What every protocol is: a record of settings that turns a connection into a performance."""

import abc
from typing import Any

import equinox as eqx


class AbstractProtocol(eqx.Module):
    """A way to move or entangle qubits. To add one: a final class with ``__call__``, whose answer is a module of scalars."""

    @abc.abstractmethod
    def __call__(self, connection: Any) -> Any:
        """The performance of this protocol over a ``Connection`` or, where photons meet in the middle, a ``Meeting``."""
