r"""Integrals over all frequencies of functions with known poles: a fixed number of nodes, put where the function lives.

The real line is cut into panels whose length is a fixed fraction of the distance :math:`\sqrt{(\omega-c_k)^2 + w_k^2}` to the nearest
feature (a pole, or the packet's own spectrum), and Gauss-Legendre nodes stand on each; beyond sixteen times the outermost feature the
variable is 1/omega. For a rational integrand the error falls geometrically with the number of panels; the tests measure it against closed
forms. Nodes carry no gradient: the integral does not depend on where they stand.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..units import Hz

PANELS, PANELS_PER_FEATURE = 36, 6
"""Panels for up to five features (four poles and a packet), and for each one more."""
ORDER = 10
REACH = 16.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(ORDER)
_SINH = np.sinh(np.linspace(-9.0, 9.0, 37))


class Fringes(NamedTuple):
    """A spectrum that oscillates, as that of a function of finite length does.

    Attributes:
        length: of the function (s): one fringe is 2 pi / length wide, and gets one panel.
        limit: how far to follow the fringes (rad/s).
        panels: 2 limit / (2 pi / length), rounded up; static.
    """

    length: Float[Array, ""]
    limit: Float[Array, ""]
    panels: int


class Nodes(NamedTuple):
    """Frequencies (rad/s) and the weights of int dw / 2 pi, both (m,)."""

    omega: Float[Array, " m"]
    weight: Float[Array, " m"]


def _sorted(x: Float[Array, " m"]) -> Float[Array, " m"]:
    """In order, as integers of the same order: XLA sorts these three times as fast on a CPU."""
    kind = jnp.dtype(f"int{8 * x.dtype.itemsize}")
    bits, flip = jax.lax.bitcast_convert_type(x, kind), jnp.iinfo(kind).max
    keys = jax.lax.sort(jnp.where(bits < 0, bits ^ flip, bits), is_stable=False)
    return jax.lax.bitcast_convert_type(jnp.where(keys < 0, keys ^ flip, keys), x.dtype)


def _interpolated(at: Float[Array, " e"], x: Float[Array, " m"], y: Float[Array, " m"]) -> Float[Array, " e"]:
    """``jnp.interp`` within its range; all at once where that is short, as XLA takes long over a search."""
    method = "compare_all" if at.size * x.size < 2**14 else "scan"
    after = jnp.clip(jnp.searchsorted(x, at, side="right", method=method), 1, x.size - 1)
    (x0, y0), (x1, y1) = (jnp.stack([x, y])[:, k] for k in (after - 1, after))
    return y0 + jnp.where(x1 > x0, (at - x0) / jnp.where(x1 > x0, x1 - x0, 1.0) * (y1 - y0), 0.0)


def nodes(centres: Float[Array, " k"], widths: Float[Array, " k"], panels: int | None = None, fringes: Fringes | None = None) -> Nodes:
    """Nodes for a function with these features.

    Args:
        centres, widths: of each feature (rad/s), widths > 0.
        panels: how many panels between the two tails; None: as many as the features ask for.
        fringes: an oscillation that the panels must follow too.
    """
    if panels is None:
        panels = PANELS + PANELS_PER_FEATURE * max(0, centres.size - 5) + (0 if fringes is None else fringes.panels)
    centres, widths = jax.lax.stop_gradient((centres, widths))
    far = REACH * jnp.max(jnp.abs(centres) + widths)
    marks = _sorted(jnp.clip(centres[:, None] + widths[:, None] * _SINH, -far, far).ravel())
    marks = jnp.concatenate([-far[None], marks, far[None]])
    if fringes is not None:
        far = jnp.maximum(far, fringes.limit)
        inner = jnp.linspace(-1.0, 1.0, fringes.panels + 1) * fringes.limit
        marks = _sorted(jnp.concatenate([marks, inner, jnp.stack([-far, far])]))
    middles = (marks[1:] + marks[:-1]) / 2
    nearest = functools.reduce(jnp.minimum, [(middles - centres[k]) ** 2 + widths[k] ** 2 for k in range(centres.size)])
    density = 1 / jnp.sqrt(nearest)
    if fringes is not None:
        base = jnp.sum(density * jnp.diff(marks)) / (panels - fringes.panels)  # how much of the measure one panel takes
        density = density + jnp.where(jnp.abs(middles) < fringes.limit, base * fringes.length / Hz, 0.0)
    measure = jnp.concatenate([jnp.zeros(1), jnp.cumsum(density * jnp.diff(marks))])
    edges = _interpolated(jnp.linspace(0.0, 1.0, panels + 1) * measure[-1], measure, marks)
    half, middle = jnp.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    omega = (middle[:, None] + half[:, None] * _NODES).ravel()
    weight = (half[:, None] * _WEIGHTS).ravel()
    s = (_NODES + 1) / 2
    tail, tail_weight = far / s, far / s**2 * _WEIGHTS / 2
    return Nodes(jnp.concatenate([omega, tail, -tail]), jnp.concatenate([weight, tail_weight, tail_weight]) / Hz)
