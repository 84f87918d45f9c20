r"""Two equal detectors behind a balanced beam splitter: efficiency, dark counts, background, and which counts are a herald.

With :math:`c = (a + b)/\sqrt2,\ d = (a - b)/\sqrt2` and the no-count operators
:math:`G(\mu_c, \mu_d) = {:}e^{-\mu_c c^\dagger c - \mu_d d^\dagger d}{:}`, a count in c is the effect

.. math:: \Pi &= P_0\,G(0,1) - P_0^2\,G(1,1) && \text{threshold, and none in d} \\
          \Pi &= 1 - P_0\,G(1,0) && \text{threshold, whatever d does} \\
          \Pi &= -P_0^2\,\partial_{\mu_c} G(1,1) + P_0P_1\,G(1,1) && \text{number resolving: one in c and none in d}

where :math:`P_0, P_1` are the probabilities of no and of one false count per detector and gate. Convention: a count in d is the same with
the sign of the coherence changed, as the detectors are equal. Everything is written for the departure :math:`G - 1`, so that rare counts
keep all their digits. Source: Kok and Braunstein, Phys. Rev. A 63, 033812 (2001), for the effects; the sums are worked out here.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..parameters import check, fraction, number

Scalar = Float[Array, ""]
Real = Scalar | float
Kind = Literal["threshold", "threshold_any", "number_resolving"]


class Detector(eqx.Module):
    r"""One of two equal detectors, for one gate.

    Args:
        efficiency: within 0 and 1; it acts on what arrives in the photon's mode, noise included.
        dark_probability: :math:`p_d` of one false count per gate, never two.
        background_counts: mean counts of a Poisson background: a rate times the gate, noise over many modes.
        background_modes: :math:`m_k`, mean thermal counts in each other mode of the gate, shape () or (modes,).
        kind: "threshold" (a count in one, none in the other), "threshold_any" (the other is not looked at), "number_resolving"; static.

    Raises:
        ValueError: a concrete value outside its domain, or an unknown kind.
    """

    efficiency: Scalar = fraction(1.0)
    dark_probability: Scalar = fraction(0.0)
    background_counts: Scalar = number(0.0)
    background_modes: Float[Array, "..."] = number(0.0)
    kind: Kind = eqx.field(static=True, default="threshold")

    def __check_init__(self) -> None:
        check(self)
        if self.kind not in get_args(Kind):
            raise ValueError(f"Detector.kind must be one of {', '.join(get_args(Kind))}, but is {self.kind!r}")

    @property
    def _exponent(self) -> Scalar:
        return self.background_counts + jnp.sum(jnp.log1p(self.background_modes))

    @property
    def silent(self) -> Scalar:
        r""":math:`P_0 = (1 - p_d)\, e^{-\lambda} \prod_k 1/(1 + m_k)`, no false count."""
        return (1 - self.dark_probability) * jnp.exp(-self._exponent)

    @property
    def false_count(self) -> Scalar:
        """:math:`1 - P_0`, without cancellation."""
        return self.dark_probability * jnp.exp(-self._exponent) - jnp.expm1(-self._exponent)

    @property
    def one_false_count(self) -> Scalar:
        r""":math:`P_1 = e^{-\lambda}\prod_k \frac1{1 + m_k}\,[p_d + (1 - p_d)(\lambda + \sum_k \frac{m_k}{1 + m_k})]`."""
        single = self.background_counts + jnp.sum(self.background_modes / (1 + self.background_modes))
        return jnp.exp(-self._exponent) * (self.dark_probability + (1 - self.dark_probability) * single)

    def herald(self, identity: Any, departure: Callable[[Real, Real], Complex[Array, " elements"]]) -> Complex[Array, " elements"]:
        """The herald's effect, element by element, for a count in c.

        Args:
            identity: elements of the operator without a detector, G(0, 0).
            departure: (mu_c, mu_d) -> elements of G(mu_c, mu_d) - G(0, 0), differentiable.
        """
        quiet = self.silent
        match self.kind:
            case "threshold":
                return quiet * (self.false_count * identity + departure(0.0, 1.0) - quiet * departure(1.0, 1.0))
            case "threshold_any":
                return self.false_count * identity - quiet * departure(1.0, 0.0)
            case "number_resolving":
                none, slope = jax.jvp(lambda mu: departure(mu, 1.0), (jnp.ones(()),), (jnp.ones(()),))
                return quiet * (self.one_false_count * (identity + none) - quiet * slope)
