r"""Feed-forward: one output port is measured, and what its record tells of another port's noise is subtracted there.

The record is heterodyne, of efficiency :math:`\epsilon`: :math:`r = \sqrt\epsilon\,o_k + \sqrt{1-\epsilon}\,v + w^\dagger`, a classical
number with one quantum of noise. The target becomes :math:`o_t - \lambda\cdot r`, r holding r(omega) and, where something squeezes,
:math:`r(-\omega)^*`. With :math:`N_t = \langle o_t^\dagger o_t\rangle`, :math:`c = \langle r^* o_t\rangle` and
:math:`R = \langle r^* r^T\rangle` (the source's own photons left out), the least noise left is a Schur complement, the conditional
covariance of a Gaussian state,

.. math:: s = N_t - c^\dagger R^{-1} c, \quad \lambda = R^{-1}c \qquad
          \Bigl(N_t - \frac{\epsilon|\langle o_k^\dagger o_t\rangle|^2}{1 + \epsilon N_k} \text{ where nothing squeezes}\Bigr).

The source's amplitude :math:`u_k` stands in the record too. That leaves :math:`u = u_t - \lambda\cdot u_k` of it, and the weights that
are best for the signal (Gauss and Markov) add, referred to the input,

.. math:: N_{add} = \frac{s}{|u|^2 + s\,u_k^T R^{-1} u_k^*} .

A record never removes all: at unit efficiency and endless common noise :math:`s \to |S_t/S_k|^2`, the record's own quantum.

Source: Higginbotham et al., Nat. Phys. 14, 1038 (2018), where the noise of a membrane leaves by both ports.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float

from ..linear.output import Row
from ..linear.system import LinearSystem, marked
from ..numerics import abs2, is_concrete, sqrt


class FeedForward(NamedTuple):
    """A target port at one frequency, with feed-forward.

    Attributes:
        noise_output: s, photons/s/Hz at the target that are not the source's, with the weights that make them fewest.
        added_noise_input: N_add, photons/s/Hz referred to the source, with the weights that make it least.
    """

    noise_output: Float[Array, ""]
    added_noise_input: Float[Array, ""]


class _Field(NamedTuple):
    """sum_k plain_k a_k(omega) + image_k a_k(-omega)^dagger, (ports,) each."""

    plain: Complex[Array, " p"]
    image: Complex[Array, " p"]


def _field(plain: tuple, image: tuple, conjugated: bool = False) -> _Field:
    filled = [jnp.stack([jnp.asarray(0.0 if value is None else value, complex) for value in part]) for part in (plain, image)]
    return _Field(*(jnp.conj(part) for part in filled)) if conjugated else _Field(*filled)


def _records(one: Row, other: Row, detection: Float[Array, ""]) -> list[_Field]:
    """r(omega) and, where anything squeezes, r(-omega)^dagger, without the vacuum that detection adds."""
    fields = [_field(one.normal, one.anomalous)]
    if any(value is not None for value in one.anomalous):
        fields.append(_field(other.anomalous, other.normal, conjugated=True))
    return [_Field(*(sqrt(detection) * part for part in field)) for field in fields]


def feed_forward(
    system: LinearSystem, source: str, target: str, measured: str, omega: ArrayLike, detection: ArrayLike = 1.0
) -> FeedForward:
    """The noise of a conversion after another port's measured noise was subtracted at its output.

    Args:
        system: of a device, ``device.linear_system()``.
        source, target: the ports of the conversion.
        measured: the port that is measured; not the target.
        omega: offset from the frame (rad/s); in a system that squeezes the record holds -omega too.
        detection: efficiency of the heterodyne measurement, within 0 and 1; 0: no feed-forward.

    Raises:
        ValueError: the measured port is the target, or a concrete detection outside 0 and 1.
        UnstableError: the system is concrete and unstable.
    """
    if measured == target:
        raise ValueError(f"feed_forward: measured must be another port than the target, but is {target!r}")
    if is_concrete(detection) and not 0 <= float(detection) <= 1:  # type: ignore[arg-type]
        raise ValueError(f"feed_forward: detection must be within 0 and 1, but is {detection}")
    efficiency, at = jnp.asarray(detection, float), jnp.asarray(omega, float)
    system, stable = system.gate()
    out, one, other = (system.amplitudes(port, where) for port, where in ((target, at), (measured, at), (measured, -at)))
    fields = [_field(out.normal, out.anomalous), *_records(one, other, efficiency)]
    plain, image = jnp.stack([field.plain for field in fields]), jnp.stack([field.image for field in fields])
    n, index = jnp.stack([jnp.asarray(x, float) for x in system.occupation]), system.index(source)
    noise = (jnp.conj(plain) * jnp.where(np.arange(n.size) == index, 0.0, n)) @ plain.T + (jnp.conj(image) * (n + 1)) @ image.T
    records = noise[1:, 1:] + jnp.diag(jnp.stack([jnp.ones(()), 1 - efficiency])[: len(fields) - 1])
    c, signals = noise[1:, 0], jnp.conj(plain[:, index])
    solved = jnp.linalg.solve(records, jnp.stack([c, signals[1:]], axis=1))
    left = jnp.real(noise[0, 0] - jnp.vdot(c, solved[:, 0]))
    kept = abs2(signals[0] - jnp.vdot(solved[:, 0], signals[1:]))
    return marked(FeedForward(left, left / (kept + left * jnp.real(jnp.vdot(signals[1:], solved[:, 1])))), stable)
