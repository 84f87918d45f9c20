r"""Exports: a transfer as Choi matrix, Kraus operators and Pauli-transfer matrix, as a QuTiP object, and a pair or link as JSON.

The leak is a third output level, so that everything here is trace preserving. With J/2 of ``Process.choi`` in the qubit's block,

.. math:: J_{ij}^{(leak)} = \delta_{ij} - \mathrm{tr}_{out} J_{ij}, \qquad K_k = \sqrt{2\lambda_k}\; v_k \text{ as } 3 \times 2, \qquad
          R_{ab} = \tfrac12 \mathrm{tr}[P_a E(P_b)]

Convention: Choi matrices are J/2 with index 3 in + out, out 2 the leak, trace 1; rows of R are I, X, Y, Z of the qubit and the projector on
the leak, columns I, X, Y, Z, so that its first and last rows add up to (1, 0, 0, 0). All here is numpy, of concrete values.
Source: Choi, Linear Algebra Appl. 10, 285 (1975); Wood, Biamonte and Cory, Quantum Inf. Comput. 15, 759 (2015).
"""

import importlib
import json
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from ..gaussian.channel import ModeChannel
from .encodings import Process

_PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ROWS = np.zeros((5, 3, 3), complex)
_ROWS[:4, :2, :2], _ROWS[4, 2, 2] = _PAULIS, 1
ROUNDING = 1e-9
"""An eigenvalue above minus this is the rounding of a zero."""


def choi_with_leak(process: Process, heralded: bool = False) -> Complex[np.ndarray, "6 6"]:
    """Choi matrix J/2 of a transfer, the leak as third output level.

    Args:
        process: of concrete values.
        heralded: the channel given success, whose leak is 0.

    Raises:
        ValueError: a heralded channel is asked of single rail, or of unequal rails, whose success depends on the input.
    """
    qubit = process.choi_heralded if heralded else process.choi
    if qubit is None:
        raise ValueError("choi_with_leak: heralded must be False for an encoding without a herald, but is True")
    blocks = np.asarray(qubit).reshape(2, 2, 2, 2)  # in, out; in, out
    leak = np.eye(2) / 2 - np.einsum("iojo->ij", blocks)
    if np.linalg.eigvalsh(leak)[0] < -ROUNDING:
        raise ValueError(f"choi_with_leak: the leak must be at least 0, but is {np.linalg.eigvalsh(leak)[0]:.6g} for some input")
    full = np.zeros((2, 3, 2, 3), complex)
    full[:, :2, :, :2], full[:, 2, :, 2] = blocks, leak
    return full.reshape(6, 6)


def kraus(choi: Complex[np.ndarray, "6 6"]) -> Complex[np.ndarray, "k 3 2"]:
    """Kraus operators, out x in, the heaviest first; as many as the rank.

    Raises:
        ValueError: the matrix is not positive.
    """
    weights, vectors = np.linalg.eigh(np.asarray(choi))
    if weights[0] < -ROUNDING:
        raise ValueError(f"kraus: eigenvalues of choi must be at least 0, but the least is {weights[0]:.6g}")
    kept = np.flatnonzero(weights > 1e-15)[::-1]  # rounding of a matrix of trace 1
    return np.array([np.sqrt(2 * weights[k]) * vectors[:, k].reshape(2, 3).T for k in kept])


def choi_of_kraus(operators: Complex[np.ndarray, "k 3 2"]) -> Complex[np.ndarray, "6 6"]:
    """The Choi matrix J/2 of Kraus operators: the way back."""
    columns = np.asarray(operators).transpose(0, 2, 1).reshape(len(operators), 6)
    return columns.T @ columns.conj() / 2


def pauli_transfer(choi: Complex[np.ndarray, "6 6"]) -> Float[np.ndarray, "5 4"]:
    """Pauli-transfer matrix; its first and last rows add up to (1, 0, 0, 0)."""
    blocks = np.asarray(choi).reshape(2, 3, 2, 3)
    return np.real(np.einsum("aqp,ipjq,bij->ab", _ROWS, blocks, _PAULIS))


def choi_of_pauli_transfer(matrix: Float[np.ndarray, "5 4"]) -> Complex[np.ndarray, "6 6"]:
    """The Choi matrix J/2 of a Pauli-transfer matrix: the way back, where the leak does not keep coherence with the qubit."""
    rows = _ROWS.copy()
    rows[4] *= 2  # the projector's own square has trace 1, a Pauli matrix's 2
    return np.einsum("ab,apq,bji->ipjq", np.asarray(matrix), rows, _PAULIS).reshape(6, 6) / 4


def to_qutip(choi: Complex[np.ndarray, "6 6"]) -> Any:
    """A QuTiP superoperator from a qubit to three levels, the third the leak.

    Raises:
        ModuleNotFoundError: QuTiP is not installed; the message names the extra.
    """
    try:
        qutip = importlib.import_module("qutip")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('this export needs QuTiP: pip install "transduce[interop]"') from error
    stacked = sum(np.kron(operator.conj(), operator) for operator in kraus(choi))  # QuTiP stacks columns
    return qutip.Qobj(stacked, dims=[[[3], [3]], [[2], [2]]], superrep="super")


class NetworkLink(NamedTuple):
    """What a network simulator's adapter needs of a link.

    Attributes:
        efficiency, noise_output: eta and n of the mode channel.
        rate: pairs per second.
        fidelity: of a pair.
        state: of a pair, 4 x 4, index 2 i + j; None where there is none.
    """

    efficiency: float
    noise_output: float
    rate: float
    fidelity: float
    state: Complex[np.ndarray, "4 4"] | None = None


def network_link(channel: ModeChannel, rate: Any, fidelity: Any, state: Any = None) -> NetworkLink:
    """The record of concrete values; see ``NetworkLink``."""
    pair = None if state is None else np.asarray(state, complex)
    return NetworkLink(float(channel.efficiency), float(channel.noise), float(rate), float(fidelity), pair)


def to_json(link: NetworkLink) -> str:
    """JSON text: the fields with their units in their names, the state as real and imaginary parts.

    Raises:
        ValueError: a value that is not finite, which JSON does not know.
    """
    parts = None if link.state is None else {"re": link.state.real.tolist(), "im": link.state.imag.tolist()}
    fields = {"efficiency": link.efficiency, "noise_output": link.noise_output, "rate_per_second": link.rate, "fidelity": link.fidelity}
    return json.dumps({"kind": "transduce link", "version": 1, **fields, "state": parts}, indent=1, allow_nan=False)


def from_json(text: str) -> NetworkLink:
    """The way back.

    Raises:
        ValueError: the text is no such record.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or (record.get("kind"), record.get("version")) != ("transduce link", 1):
        raise ValueError('from_json: text must be a "transduce link" of version 1')
    parts = record["state"]
    state = None if parts is None else np.array(parts["re"]) + 1j * np.array(parts["im"])
    return NetworkLink(record["efficiency"], record["noise_output"], record["rate_per_second"], record["fidelity"], state)
