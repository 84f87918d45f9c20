r"""Distillation: two pairs into a better one, in closed form and as a circuit with noisy gates and readout, in several rounds.

Bilateral CNOTs from the kept pair to the spent one, whose qubits are then read. With coefficients (A, B, C, D) in the order
:math:`\Phi^+, \Psi^-, \Psi^+, \Phi^-`,

.. math:: F' &= \frac{F^2 + f^2}{N},\quad N = F^2 + 2Ff + 5f^2,\quad f = \tfrac{1-F}3 && \text{BBPSSW, equal readings} \\
          (A', B', C', D') &= \frac{(A^2 + B^2,\ 2CD,\ C^2 + D^2,\ 2AB)}{N},\quad N = (A + B)^2 + (C + D)^2 && \text{DEJMPS, equal} \\
          \rho'_{xy} &\propto \rho^{(1)}_{xy}\,\rho^{(2)}_{\bar x\bar y} && \text{EPL, both read 1}

EPL turns :math:`q\Psi + (1-q)|11\rangle` into :math:`\Psi^+`, with probability :math:`q^2/2`, and an unknown phase that both pairs share
cancels. Convention: see ``bell``; every CNOT is followed by depolarisation of its two qubits with probability ``gate_error``
(:math:`\rho \to (1-p)\rho + p\,\mathrm{tr}\rho/4`), every reading is flipped with ``readout_error``; single-qubit gates are ideal.
Source: Bennett et al., Phys. Rev. Lett. 76, 722 (1996); Deutsch et al., Phys. Rev. Lett. 77, 2818 (1996); Campbell and Benjamin,
Phys. Rev. Lett. 101, 130502 (2008).
"""

from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..link.emission import Qubit
from ..numerics import DARK
from ..parameters import Scalar
from .bell import fidelity, werner
from .heralded_pair import check_unit
from .memory import ExponentialWait, FixedWait, NextPairWait, waited

Real = Scalar | float
Method = Literal["bbpssw", "dejmps", "epl"]
Target = Literal["psi+", "phi+"]
"""The signs of two pairs multiply: only a state of sign + is kept as it is."""


class Distilled(NamedTuple):
    """A kept pair, given success (NaN where there is none), and the probability of success."""

    state: Complex[Array, "4 4"]
    success_probability: Scalar


def _given_success(value: Array, success: Scalar) -> Array:
    dark = success < DARK
    return jnp.where(dark, jnp.nan, value / jnp.where(dark, 1.0, success))


def bbpssw(fidelity: Real) -> tuple[Scalar, Scalar]:
    """Fidelity and success probability of two equal Werner pairs, ideal gates.

    Raises:
        ValueError: a concrete fidelity outside 0 and 1.
    """
    check_unit("bbpssw: fidelity", fidelity)
    f = jnp.asarray(fidelity, float)
    other = (1 - f) / 3
    success = f**2 + 2 * f * other + 5 * other**2
    return (f**2 + other**2) / success, success


def dejmps(weights: Float[Array, " 4"]) -> tuple[Float[Array, " 4"], Scalar]:
    """Coefficients and success probability of two equal Bell-diagonal pairs, ideal gates.

    Args:
        weights: of Phi+, Psi-, Psi+, Phi-, adding up to 1.
    """
    a, b, c, d = jnp.asarray(weights, float)
    success = (a + b) ** 2 + (c + d) ** 2
    return jnp.stack([a**2 + b**2, 2 * c * d, c**2 + d**2, 2 * a * b]) / success, success


def epl(kept: Complex[Array, "4 4"], spent: Complex[Array, "4 4"]) -> Distilled:
    """Extreme photon loss: any two pairs, ideal gates, both spent qubits read 1."""
    raw = kept * spent[::-1, ::-1]
    success = jnp.real(jnp.trace(raw))
    return Distilled(_given_success(raw, success), success)


_ROTATION = np.kron([[1, -1j], [-1j, 1]], [[1, 1j], [1j, 1]]) / 2  # Rx(pi/2) on the first qubit, Rx(-pi/2) on the second
_BITS = np.arange(16)
_CNOTS = _BITS ^ (_BITS >> 2)  # of the index 8 a1 + 4 b1 + 2 a2 + b2


def _depolarised(state: Complex[Array, "16 16"], error: Scalar) -> Complex[Array, "16 16"]:
    """First the two qubits of the one node, then those of the other."""
    eye, tensor = np.eye(2), state.reshape((2,) * 8)
    traced = jnp.einsum("aA,cC,bdBD->abcdABCD", eye, eye, jnp.einsum("abcdaBcD->bdBD", tensor)) / 4
    tensor = (1 - error) * tensor + error * traced
    traced = jnp.einsum("bB,dD,acAC->abcdABCD", eye, eye, jnp.einsum("abcdAbCd->acAC", tensor)) / 4
    return ((1 - error) * tensor + error * traced).reshape(16, 16)


def _accepted(method: Method, readout_error: Scalar) -> Float[Array, "2 2"]:
    """Probability to accept, by the true states of the two spent qubits."""
    right, wrong = 1 - readout_error, readout_error
    both = jnp.stack([jnp.stack([right**2, right * wrong]), jnp.stack([right * wrong, wrong**2])])
    return both[::-1, ::-1] if method == "epl" else both + both[::-1, ::-1]


def distil(
    kept: Complex[Array, "4 4"],
    spent: Complex[Array, "4 4"],
    method: Method,
    gate_error: Real = 0.0,
    readout_error: Real = 0.0,
    target: Target = "psi+",
) -> Distilled:
    """One round as a circuit on four qubits, for any two pairs.

    Args:
        kept, spent: the pairs, index 2 i + j.
        method: static; ``bbpssw`` first makes Werner states of both.
        gate_error: probability that a CNOT depolarises its qubits.
        readout_error: probability that a reading is flipped.
        target: the Bell state of the twirl; static.

    Raises:
        ValueError: no such method or target, or a concrete probability outside 0 and 1.
    """
    if method not in get_args(Method):
        raise ValueError(f"distil: method must be one of {', '.join(get_args(Method))}, but is {method!r}")
    if target not in get_args(Target):
        raise ValueError(f"distil: target must be one of {', '.join(get_args(Target))}, but is {target!r}")
    check_unit("distil: gate_error", gate_error)
    check_unit("distil: readout_error", readout_error)
    pairs: list[Array] = [jnp.asarray(pair, complex) for pair in (kept, spent)]
    if method == "bbpssw":
        pairs = [werner(fidelity(pair, target), target) for pair in pairs]
    elif method == "dejmps":
        pairs = [jnp.asarray(_ROTATION) @ pair @ _ROTATION.conj().T for pair in pairs]
    joint = jnp.kron(*pairs)[_CNOTS[:, None], _CNOTS]
    noisy = _depolarised(joint, jnp.asarray(gate_error, float)).reshape((2,) * 8)
    raw = jnp.einsum("abcdABcd,cd->abAB", noisy, _accepted(method, jnp.asarray(readout_error, float))).reshape(4, 4)
    trace = jnp.real(jnp.trace(raw))
    success = jnp.where(trace < 0, 0.0, trace)  # by rounding
    return Distilled(_given_success(raw, success), success)


class Round(NamedTuple):
    """Pairs after so many rounds.

    Attributes:
        state: given that all rounds succeeded.
        fidelity: to the target.
        success_probability: of the last round (1 before the first).
        rate: pairs per second.
    """

    state: Complex[Array, "4 4"]
    fidelity: Scalar
    success_probability: Scalar
    rate: Scalar


def rounds(
    state: Complex[Array, "4 4"],
    rate: Real,
    methods: tuple[Method, ...],
    gate_error: Real = 0.0,
    readout_error: Real = 0.0,
    memories: tuple[Qubit, Qubit] | None = None,
    target: Target = "psi+",
    link: NextPairWait | None = None,
    exchange: Real = 0.0,
) -> tuple[Round, ...]:
    r"""A row of rounds, each on two pairs of the round before: rate and fidelity before the first and after each.

    .. math:: R' = \tfrac12 p R

    or p over the mean time to two raw pairs, where a cut-off throws old ones away. Model: pairs come at independent times of a constant
    rate, also after a round; the earlier of two waits for the later in the memories (exponentially distributed), at every round; gates
    and readings take no time; the memories do not fill up.

    Args:
        state: of the raw pairs.
        rate: of raw pairs, 1/s, above 0.
        methods: one per round, static.
        gate_error, readout_error, target: see ``distil``.
        memories: where the first and the second qubit wait; None: without decay.
        link: attempts for the raw pairs, with a cut-off; None: a constant rate.
        exchange: for which a kept pair waits for the other end's reading, s.

    Raises:
        ValueError: as ``distil``, or a concrete rate that is not above 0.
    """
    flow = ExponentialWait(rate=jnp.asarray(rate, float)).rate
    found = [Round(state, fidelity(state, target), jnp.ones(()), flow)]
    news = FixedWait(time=jnp.asarray(exchange, float))
    for number, method in enumerate(methods):
        cut = link if number == 0 else None
        wait = ExponentialWait(rate=flow) if cut is None else cut
        kept = state if memories is None else waited(state, *memories, wait)
        state, success = distil(kept, state, method, gate_error, readout_error, target)
        state = state if memories is None else waited(state, *memories, news)
        flow = success * (flow / 2 if cut is None else 1 / cut.pair_time)
        found.append(Round(state, fidelity(state, target), success, flow))
    return tuple(found)
