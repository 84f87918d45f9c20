r"""What a pair is worth: the ebits that distillation surely gets out of it, and the entanglement that no local work can raise.

.. math:: I = \max\{S(\rho_A), S(\rho_B)\} - S(\rho_{AB}), \qquad N = \tfrac12\bigl(\lVert\rho^{T_B}\rVert_1 - 1\bigr), \qquad
          E_N = \log_2 \lVert\rho^{T_B}\rVert_1

with :math:`S = -\mathrm{tr}\,\rho\log_2\rho`. Per pair, many pairs and one-way messages give I ebits (the hashing bound), and no
protocol more than :math:`E_N`. Convention: see ``bell``; the trace may be below 1, and the weight that is missing is leakage, which is
read as ``filled`` says. Bits and ebits are to base 2.
Source: Devetak and Winter, Proc. R. Soc. A 461, 207 (2005); Vidal and Werner, Phys. Rev. A 65, 032314 (2002).
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from ..numerics import TINY, is_concrete
from ..parameters import Scalar

State = Complex[Array, "4 4"]


def filled(state: State) -> State:
    r""":math:`\rho + (1 - \mathrm{tr}\rho)\,1/4`: a pair of trace 1.

    Model [M]: the weight that left the qubits' levels is not seen, and a local reset makes random qubits of it.

    Raises:
        ValueError: a concrete trace above 1. NaN, an unstable design's mark, passes.
    """
    rho = jnp.asarray(state, complex)
    weight = jnp.real(jnp.trace(rho))
    if is_concrete(weight) and weight > 1 + 1e-9:
        raise ValueError(f"filled: the trace of state must be at most 1, but is {weight:.9g}")
    return rho + (1 - weight) / 4 * np.eye(4)


def _entropy(state: Complex[Array, "n n"]) -> Scalar:
    """Bits. The logarithm reads 0 as 1e-100."""
    weights = jnp.linalg.eigvalsh(state)  # their slopes hold for equal ones too: those of the vectors, which do not, are not asked
    return -jnp.sum(weights * jnp.log2(jnp.maximum(weights, TINY)))


def coherent_information(state: State) -> Scalar:
    """I, ebits per pair, in the better of two directions: 1 of a Bell pair, and negative where hashing alone gives none.

    Where an eigenvalue leaves 0, the slope is infinite as a logarithm is, and tens or hundreds stand for it. Where both directions are
    equally good, it is the mean of their slopes.

    Args:
        state: of the pair, ``filled`` here.

    Raises:
        ValueError: a concrete trace above 1.
    """
    rho = filled(state)
    tensor = rho.reshape(2, 2, 2, 2)
    local = jnp.maximum(_entropy(jnp.einsum("ikjk->ij", tensor)), _entropy(jnp.einsum("kikj->ij", tensor)))
    return local - _entropy(rho)


def negativity(state: State) -> Scalar:
    """N, minus the sum of the negative eigenvalues of the partial transpose: 1/2 of a Bell pair, 0 of separable pairs and no others.

    Where an eigenvalue is 0, the slope is one of those between the two sides'.

    Args:
        state: of the pair, ``filled`` here.

    Raises:
        ValueError: a concrete trace above 1.
    """
    weights = jnp.linalg.eigvalsh(filled(state).reshape(2, 2, 2, 2).swapaxes(1, 3).reshape(4, 4))  # of the partial transpose
    return -jnp.sum(jnp.where(weights >= 0, 0.0, weights))


def log_negativity(state: State) -> Scalar:
    r""":math:`E_N = \log_2(1 + 2N)`, ebits: 1 of a Bell pair, 0 of separable pairs and no others.

    Args:
        state: of the pair, ``filled`` here.

    Raises:
        ValueError: a concrete trace above 1.
    """
    return jnp.log2(1 + 2 * negativity(state))
