r"""Exports: a transfer as Choi matrix, Kraus operators and Pauli-transfer matrix, transfers and pairs for QuTiP, and a link as JSON.

The leak is a third output level, so that everything here is trace preserving. With J/2 of ``Process.choi`` in the qubit's block,

.. math:: J_{ij}^{(leak)} = \delta_{ij} - \mathrm{tr}_{out} J_{ij}, \qquad K_k = \sqrt{2\lambda_k}\; v_k \text{ as } 3 \times 2, \qquad
          R_{ab} = \tfrac12 \mathrm{tr}[P_a E(P_b)]

Convention: Choi matrices are J/2 with index 3 in + out, out 2 the leak, trace 1; rows of R are I, X, Y, Z of the qubit and the projector on
the leak, columns I, X, Y, Z, so that its first and last rows add up to (1, 0, 0, 0). A pair's state is as in ``bell``, its leak what its
trace lacks of 1. All here is numpy, of concrete values.
Source: Choi, Linear Algebra Appl. 10, 285 (1975); Wood, Biamonte and Cory, Quantum Inf. Comput. 15, 759 (2015).
"""

import importlib
import json
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from ..gaussian.channel import ModeChannel
from ..linear.noise import PairMoments
from ..link.emission import Qubit
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


def _qutip() -> Any:
    try:
        return importlib.import_module("qutip")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('this export needs QuTiP: pip install "transduce[interop]"') from error


def to_qutip(choi: Complex[np.ndarray, "6 6"]) -> Any:
    """A QuTiP superoperator from a qubit to three levels, the third the leak.

    Raises:
        ModuleNotFoundError: QuTiP is not installed; the message names the extra.
    """
    stacked = sum(np.kron(operator.conj(), operator) for operator in kraus(choi))  # QuTiP stacks columns
    return _qutip().Qobj(stacked, dims=[[[3], [3]], [[2], [2]]], superrep="super")


def to_qutip_pair(state: Any) -> Any:
    """A pair as a QuTiP density matrix of two qubits, dims [[2, 2], [2, 2]].

    Its trace is 1 minus the leak, as here: QuTiP's measures ask for trace 1, so give them ``entanglement.filled(state)``, or what is
    left in the qubits, ``made.unit()``, and say which.

    Args:
        state: 4 x 4, index 2 i + j.

    Raises:
        ModuleNotFoundError: QuTiP is not installed; the message names the extra.
    """
    return _qutip().Qobj(np.asarray(state, complex), dims=[[2, 2], [2, 2]])


class Memory(NamedTuple):
    """T1 and T2 of the qubit that keeps a half of a pair, s."""

    t1: float
    t2: float


class NetworkLink(NamedTuple):
    """What a network simulator's adapter needs of a link, to play its attempts one by one or to take pairs at their rate.

    Attributes:
        efficiency, noise_output: eta and n of the mode channel, of two arms the first's; None where the arms are no channels (sources of
            pairs).
        rate: pairs per second.
        fidelity: of a pair.
        state: of a pair, given success, 4 x 4, index 2 i + j, as a herald of sign + leaves it (sign -: a Z on either qubit), when
            the news is there, so that waits within ``attempt_duration`` are in it; what the
            trace lacks of 1 is leakage. None where there is none.
        efficiency_b, noise_output_b: of the second arm; None of a transfer.
        protocol: its name; None where there is no herald, as are the next two.
        success_probability: of an attempt; the others leave nothing.
        attempt_duration: s, of an attempt and the news of it. The rate may be below success over this: devices rest between pulses.
        memory_a, memory_b: where the halves wait; None: without decay.
    """

    efficiency: float | None
    noise_output: float | None
    rate: float
    fidelity: float
    state: Complex[np.ndarray, "4 4"] | None = None
    efficiency_b: float | None = None
    noise_output_b: float | None = None
    protocol: str | None = None
    success_probability: float | None = None
    attempt_duration: float | None = None
    memory_a: Memory | None = None
    memory_b: Memory | None = None


Arm = ModeChannel | PairMoments | None


def network_link(
    channel: Arm,
    rate: Any,
    fidelity: Any,
    state: Any = None,
    *,
    channel_b: Arm = None,
    protocol: str | None = None,
    success_probability: Any = None,
    attempt_duration: Any = None,
    memory_a: Qubit | None = None,
    memory_b: Qubit | None = None,
) -> NetworkLink:
    """The record of concrete values, of any protocol; see ``NetworkLink``. Moments of pairs are no channel and are left out."""
    arms = [(arm.efficiency, arm.noise) if isinstance(arm, ModeChannel) else (None, None) for arm in (channel, channel_b)]
    memories = [None if qubit is None else Memory(float(qubit.t1), float(qubit.t2)) for qubit in (memory_a, memory_b)]

    def number(value: Any) -> float | None:
        return None if value is None else float(value)

    return NetworkLink(
        efficiency=number(arms[0][0]),
        noise_output=number(arms[0][1]),
        rate=float(rate),
        fidelity=float(fidelity),
        state=None if state is None else np.asarray(state, complex),
        efficiency_b=number(arms[1][0]),
        noise_output_b=number(arms[1][1]),
        protocol=protocol,
        success_probability=number(success_probability),
        attempt_duration=number(attempt_duration),
        memory_a=memories[0],
        memory_b=memories[1],
    )


_KIND = "transduce link"
_NUMBERS = {
    "efficiency": ("efficiency", math.inf),
    "noise_output": ("noise_output", math.inf),
    "rate": ("rate_per_second", math.inf),
    "fidelity": ("fidelity", 1.0),
    "efficiency_b": ("efficiency_b", math.inf),
    "noise_output_b": ("noise_output_b", math.inf),
    "success_probability": ("success_probability", 1.0),
    "attempt_duration": ("attempt_duration_s", math.inf),
}
"""Field -> its key in JSON, and its largest value."""


def _checked(link: NetworkLink) -> NetworkLink:
    """The link, if every value is a finite one of its range and the state is one.

    Raises:
        ValueError: "NetworkLink.field must ..., but is ...".
    """

    def number(name: str, value: Any, high: float = math.inf) -> None:
        real = isinstance(value, float | int) and not isinstance(value, bool)
        if not real or not (0 <= value <= high * (1 + ROUNDING) and value < math.inf):
            limits = "at least 0" if high == math.inf else f"within 0 and {high:g}"
            raise ValueError(f"NetworkLink.{name} must be a finite number {limits}, but is {value!r:.40}")

    for name, (_, high) in _NUMBERS.items():
        if getattr(link, name) is not None or name in ("rate", "fidelity"):
            number(name, getattr(link, name), high)
    if not isinstance(link.protocol, str | None):
        raise ValueError(f"NetworkLink.protocol must be a name or None, but is {link.protocol!r:.40}")
    for name, memory in (("memory_a", link.memory_a), ("memory_b", link.memory_b)):
        for part, value in {} if memory is None else memory._asdict().items():
            number(f"{name}.{part}", value)
    rho = link.state
    if rho is not None:
        whole = rho.shape == (4, 4) and np.all(np.isfinite(rho)) and np.allclose(rho, rho.conj().T, rtol=0, atol=ROUNDING)
        if not whole or np.linalg.eigvalsh(rho)[0] < -ROUNDING or np.trace(rho).real > 1 + ROUNDING:
            raise ValueError("NetworkLink.state must be a 4 x 4 density matrix of trace at most 1, but is not")
    return link


def to_json(link: NetworkLink) -> str:
    """JSON text: the fields with their units in their names, the state as real and imaginary parts, null where there is none.

    Raises:
        ValueError: a value that is not finite or out of its range, or a state that is none.
    """
    made = _checked(link)
    numbers = {key: getattr(made, name) for name, (key, _) in _NUMBERS.items()}
    memories = {
        f"memory_{end}": None if memory is None else {"t1_s": memory.t1, "t2_s": memory.t2}
        for end, memory in (("a", made.memory_a), ("b", made.memory_b))
    }
    state = None if made.state is None else {"re": made.state.real.tolist(), "im": made.state.imag.tolist()}
    record = {"kind": _KIND, "version": 2, "protocol": made.protocol, **numbers, **memories, "state": state}
    return json.dumps(record, indent=1, allow_nan=False)


def _matrix(part: Any) -> np.ndarray:
    """4 x 4 numbers, as lists."""
    made = np.array(part)
    if made.dtype != float or made.shape != (4, 4):
        raise ValueError("re and im of state must be 4 x 4 numbers")
    return made


def from_json(text: str) -> NetworkLink:
    """The way back, also from version 1, which knew no herald.

    Raises:
        ValueError: the text is no such record, in one line.
    """
    try:
        record = json.loads(text, parse_int=float)
        if (record["kind"], record["version"]) not in ((_KIND, 1), (_KIND, 2)):
            raise ValueError(f"kind is {record['kind']!r:.40}, version {record['version']!r:.40}")
        required = {"efficiency", "noise_output", "rate", "fidelity"} if record["version"] == 1 else set(_NUMBERS)
        numbers: dict[str, Any] = {name: record[key] if name in required else None for name, (key, _) in _NUMBERS.items()}
        parts, halves = record["state"], (record["memory_a"], record["memory_b"]) if record["version"] == 2 else (None, None)
        memories = [None if half is None else Memory(half["t1_s"], half["t2_s"]) for half in halves]
        state = None if parts is None else _matrix(parts["re"]) + 1j * _matrix(parts["im"])
        protocol = record["protocol"] if record["version"] == 2 else None
        return _checked(NetworkLink(**numbers, state=state, protocol=protocol, memory_a=memories[0], memory_b=memories[1]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f'from_json: text must be a "{_KIND}" of version 1 or 2: {type(error).__name__}: {error}') from error
