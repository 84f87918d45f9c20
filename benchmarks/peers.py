"""What a user does today: the same systems in plain NumPy, and in plain ``jnp.linalg.solve``; nothing here knows ``transduce``.

A design is a dict of arrays with a leading axis of designs: ``drift`` (A, rad/s, n x n), ``outlet`` and ``inlet`` (rates of the two ports,
rad/s), ``heat`` (per row: rate times occupation of all other baths).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def numpy_row(drift: Any, outlet: Any, inlet: Any, heat: Any, omega: Any) -> tuple[Any, Any]:
    """Efficiency and added noise at the input, (designs, frequencies), by a batched solve for one row."""
    size = drift.shape[-1]
    matrix = -1j * omega[None, :, None, None] * np.eye(size) - drift[:, None]
    right = np.zeros((*matrix.shape[:2], size, 1), complex)
    right[..., -1, 0] = np.sqrt(outlet)[:, None]
    power = np.abs(np.linalg.solve(np.swapaxes(matrix, -1, -2), right)[..., 0]) ** 2
    efficiency = power[..., 0] * inlet[:, None]
    return efficiency, np.einsum("bfr,br->bf", power, heat) / efficiency


def jax_row(drift: Any, outlet: Any, inlet: Any, heat: Any, omega: Any) -> tuple[Any, Any]:
    """The same of one design, by ``jnp.linalg.solve``, (frequencies,)."""
    size = drift.shape[-1]
    right = jnp.zeros(size, complex).at[size - 1].set(jnp.sqrt(outlet))
    power = jnp.abs(jax.vmap(lambda w: jnp.linalg.solve((-1j * w * jnp.eye(size) - drift).T, right))(omega)) ** 2
    efficiency = power[:, 0] * inlet
    return efficiency, power @ heat / efficiency


def numpy_objective(design: dict[str, Any], omega: Any, weight: Any) -> Any:
    """One number per design."""
    efficiency, noise = numpy_row(**design, omega=omega)
    return efficiency @ weight - 0.1 * noise @ weight
