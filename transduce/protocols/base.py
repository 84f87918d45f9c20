"""What every protocol is: a record of settings that turns a connection into a performance."""

import abc
from typing import Any

import equinox as eqx

from .performance import AbstractPerformance


class AbstractProtocol(eqx.Module):
    """A way to move or entangle qubits. To add one: a final class with ``__call__``, whose answer is a final performance."""

    @abc.abstractmethod
    def __call__(self, connection: Any) -> AbstractPerformance:
        """The performance over a ``Connection`` or, where photons meet half-way, a ``Meeting``; of a transfer, over a bare ``Link``."""
