r"""Bell states, and the states that are diagonal in them.

.. math:: |\Phi^\pm\rangle = (|00\rangle \pm |11\rangle)/\sqrt2, \qquad |\Psi^\pm\rangle = (|01\rangle \pm |10\rangle)/\sqrt2

Convention: a pair is a 4 x 4 density matrix, index 2 i + j of the first qubit in i and the second in j, 1 the excited state; the order of
coefficients is that of ``NAMES``. Source: Bennett et al., Phys. Rev. A 54, 3824 (1996), also for the Werner state.
"""

from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..parameters import Scalar
from .heralded_pair import check_unit

Bell = Literal["phi+", "psi-", "psi+", "phi-"]
NAMES = get_args(Bell)
_VECTORS = np.array([[1, 0, 0, 1], [0, 1, -1, 0], [0, 1, 1, 0], [1, 0, 0, -1]]) / 2**0.5
_PROJECTORS = np.einsum("bi,bj->bij", _VECTORS, _VECTORS)


def _place(bell: Bell) -> int:
    if bell not in NAMES:
        raise ValueError(f"bell must be one of {', '.join(NAMES)}, but is {bell!r}")
    return NAMES.index(bell)


def coefficients(state: Complex[Array, "4 4"]) -> Float[Array, " 4"]:
    r""":math:`\langle B|\rho|B\rangle` of the four Bell states, in the order of ``NAMES``."""
    return jnp.real(jnp.einsum("bij,ji->b", _PROJECTORS, state))


def fidelity(state: Complex[Array, "4 4"], bell: Bell = "psi+") -> Scalar:
    r""":math:`\langle B|\rho|B\rangle`; 1/2 is the most that a separable state has.

    Raises:
        ValueError: no such Bell state.
    """
    return coefficients(state)[_place(bell)]


def bell_diagonal(weights: Float[Array, " 4"]) -> Complex[Array, "4 4"]:
    """The state with these coefficients, in the order of ``NAMES``."""
    return jnp.einsum("b,bij->ij", jnp.asarray(weights, float), _PROJECTORS) + 0j


def werner(fidelity: Scalar | float, bell: Bell = "psi+") -> Complex[Array, "4 4"]:
    r""":math:`F|B\rangle\langle B| + (1 - F)(1 - |B\rangle\langle B|)/3`, what a twirl makes of any state of this fidelity.

    Raises:
        ValueError: a concrete fidelity outside 0 and 1, or no such Bell state.
    """
    check_unit("werner: fidelity", fidelity)
    f = jnp.asarray(fidelity, float)
    return bell_diagonal(jnp.where(np.arange(4) == _place(bell), f, (1 - f) / 3))
