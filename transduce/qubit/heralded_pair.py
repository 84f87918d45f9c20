r"""Two qubits after a herald: an unnormalised state with one coherence, its probability and its fidelity to a Bell state.

.. math:: F = \frac{\rho_{01,01} + \rho_{10,10} + 2|\rho_{01,10}|}{2p} \quad (\Psi), \qquad
          F = \frac{\rho_{00,00} + \rho_{11,11} + 2|\rho_{00,11}|}{2p} \quad (\Phi)

Convention: index 2i + j of node a in i and node b in j; p is the probability of one of ``patterns`` equally likely herald patterns.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..numerics import DARK, TINY, abs2, cis, dense, is_concrete, sqrt

Scalar = Float[Array, ""]
Real = Scalar | float


def check_unit(name: str, value: Real | complex) -> None:
    """Raise where a concrete value, or the modulus of a complex one, is not within 0 and 1. NaN, an unstable design's mark, passes.

    Raises:
        ValueError: "name must be within 0 and 1, but is ...".
    """
    if is_concrete(value):
        given = np.asarray(value)
        size = np.abs(given) if np.iscomplexobj(given) else given
        if np.any((size < 0) | (size > 1 + 1e-9)):
            raise ValueError(f"{name} must be within 0 and 1, but is {value}")


def check_positive(name: str, value: Real) -> None:
    """Raise where a concrete value is below 0. NaN passes.

    Raises:
        ValueError: "name must be at least 0, but is ...".
    """
    if is_concrete(value) and np.any(np.asarray(value) < 0):
        raise ValueError(f"{name} must be at least 0, but is {value}")


class HeraldedPair(eqx.Module):
    r"""What one herald pattern leaves in the two nodes.

    Attributes:
        populations: of 00, 01, 10, 11, unnormalised.
        coherence: :math:`\rho_{01,10}` (or :math:`\rho_{00,11}` where ``even``), for the pattern of sign +.
        probability: p of one pattern, all that it leaves included; above the sum of the populations where more than one photon may be left.
        patterns: how many patterns there are, each as probable; static.
        even: the Bell state is :math:`\Phi^\pm` rather than :math:`\Psi^\pm`; static.
    """

    populations: Float[Array, " 4"]
    coherence: Complex[Array, ""]
    probability: Scalar
    patterns: int = eqx.field(static=True)
    even: bool = eqx.field(static=True, default=False)

    @property
    def success_probability(self) -> Scalar:
        """Of any pattern: their sum, in which "threshold_any" counts twice what both detectors see."""
        return self.patterns * self.probability

    @property
    def weight(self) -> Scalar:
        """Of the qubit states given success: the trace of ``state()``."""
        return self._given_success(jnp.sum(self.populations))

    def density(self, sign: int = 1) -> Complex[Array, "4 4"]:
        """The unnormalised density matrix of a pattern of this sign.

        Args:
            sign: product over counts of +1 (in c) and -1 (in d); static.

        Raises:
            ValueError: a sign other than +1 or -1.
        """
        if sign not in (1, -1):
            raise ValueError(f"sign must be 1 or -1, but is {sign!r}")
        return self._matrix(self.populations, sign * self.coherence)

    def _matrix(self, populations: Float[Array, " 4"], coherence: Scalar) -> Complex[Array, "4 4"]:
        row, column = (0, 3) if self.even else (1, 2)
        diagonal = {(k, k): populations[k] for k in range(4)}
        return dense({**diagonal, (row, column): coherence, (column, row): jnp.conj(coherence)}, 4)

    def state(self, sign: int = 1) -> Complex[Array, "4 4"]:
        """``density`` given success; NaN where there is none."""
        return self._given_success(self.density(sign))

    def framed(self) -> Complex[Array, "4 4"]:
        """``state`` in the frame that takes up the phase of the coherence, which is known."""
        return self._matrix(self._given_success(self.populations), self._modulus)

    @property
    def fidelity(self) -> Scalar:
        """To the nearest Bell state of the herald's kind: the phase of the coherence is known and taken up by a frame.

        NaN with zero gradient where the success probability is 0: the limit depends on the direction there.
        """
        return self._fidelity(self._modulus)

    @property
    def _modulus(self) -> Scalar:
        """Of the coherence given success."""
        given = self._given_success(self.coherence)  # before the root, which reads less than 1e-50 as that
        return sqrt(abs2(given + jnp.where(given == 0, TINY**0.5, 0.0)))

    def fidelity_at_phase(self, phase: Real = 0.0) -> Scalar:
        r"""To the Bell state whose coherence has this phase (rad): :math:`|\rho_{01,10}|` becomes Re :math:`e^{-i\phi}\rho_{01,10}`."""
        return self._fidelity(self._given_success(jnp.real(cis(-jnp.asarray(phase)) * self.coherence)))

    def _fidelity(self, coherent: Scalar) -> Scalar:
        """From the coherence given success."""
        one, two = (0, 3) if self.even else (1, 2)
        return self._given_success((self.populations[one] + self.populations[two]) / 2) + coherent

    def _given_success(self, value):
        dark = self.probability < DARK
        return jnp.where(dark, jnp.nan, value / jnp.where(dark, 1.0, self.probability))
