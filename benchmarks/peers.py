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


def numpy_capacity(x: Any, y: Any, scale: Any, points: int) -> tuple[Any, Any, Any, Any]:
    r"""-log2 |F|^2 on a grid, |F|^2 = prod [(w - x_k)^2 + y_k^2] / D^2, where it is positive, and its derivatives by formula.

    Args:
        x, y: real and imaginary parts of the zeros, (designs, n), rad/s.
        scale: D, (designs,).
        points: of the grid, over all frequencies where |F| < 1 can be.

    Returns:
        Its integral over w, (designs,), rad/s, and the derivatives in x, y, (designs, n), and D, (designs,).
    """
    beyond = scale ** (1 / x.shape[1])
    low, high = np.min(x, axis=1) - beyond, np.max(x, axis=1) + beyond
    omega = np.linspace(low, high, points, axis=1)
    u, y = omega[:, :, None] - x[:, None], y[:, None]
    factor = u**2 + y**2
    power = np.prod(factor, axis=2) / scale[:, None] ** 2
    inside = power < 1
    weight = (high - low) / (points - 1) / np.log(2)
    value = -np.sum(np.log(power), axis=1, where=inside) * weight
    share = np.where(inside[:, :, None], 2 / factor, 0.0)
    slopes = [np.einsum("bfn,bfn->bn", share, part) * weight[:, None] for part in (u, np.broadcast_to(-y, u.shape))]
    return value, *slopes, 2 * np.sum(inside, axis=1) / scale * weight
