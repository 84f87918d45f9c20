r"""Noise of a linear system: output occupation, input-referred added noise, pair moments, steady-state moments and flux.

All densities are normal-ordered, photons/s/Hz (dimensionless), without symmetrised halves. With the amplitudes of one output port,

.. math:: N_o = \sum_k |S^{--}_{ok}|^2 n_k + |S^{-+}_{ok}|^2 (n_k + 1), \qquad
          M_{12} = \sum_k S^{--}_{1k}(\omega) S^{-+}_{2k}(-\omega) (n_k + 1) + S^{-+}_{1k}(\omega) S^{--}_{2k}(-\omega) n_k .
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..numerics import abs2, sqrt


def _sum(terms: list) -> Any:
    total = terms[0] if terms else jnp.zeros(())
    for term in terms[1:]:
        total = total + term
    return total


def output_noise(row: Any, occupation: tuple, skip: int | None = None, skip_image: bool = False) -> Float[Array, ""]:
    """N_o of one row; ``skip`` leaves out the normal term of one input port, and ``skip_image`` its anomalous term too."""
    normal = [abs2(s) * n for k, (s, n) in enumerate(zip(row.normal, occupation, strict=True)) if s is not None and k != skip]
    left_out = skip if skip_image else None
    anomalous = [
        abs2(s) * (n + 1) for k, (s, n) in enumerate(zip(row.anomalous, occupation, strict=True)) if s is not None and k != left_out
    ]
    return _sum(normal + anomalous)


def added_noise(row: Any, occupation: tuple, source: int) -> Float[Array, ""]:
    """N_o without the source's own normal term, divided by |S|^2 from the source."""
    return output_noise(row, occupation, source) / abs2(jnp.asarray(0.0 if row.normal[source] is None else row.normal[source]))


def pair_correlation(one: Any, two: Any, occupation: tuple, skip: int | None = None) -> Complex[Array, ""]:
    """M_12 of the row of one port at omega and that of another at -omega; ``skip`` leaves out one input port."""
    terms = []
    for k, n in enumerate(occupation):
        if k == skip:
            continue
        if one.normal[k] is not None and two.anomalous[k] is not None:
            terms.append(one.normal[k] * two.anomalous[k] * (n + 1))
        if one.anomalous[k] is not None and two.normal[k] is not None:
            terms.append(one.anomalous[k] * two.normal[k] * n)
    return _sum(terms) + 0j


class PairMoments(NamedTuple):
    """Two output ports, the first at omega and the second at -omega: photon densities and the anomalous correlation <o1 o2>."""

    first: Float[Array, ""]
    second: Float[Array, ""]
    correlation: Complex[Array, ""]

    def smallest_symplectic_eigenvalue(self) -> Float[Array, ""]:
        r"""Of the partially transposed covariance, vacuum = 1, in the form that does not cancel near threshold:
        :math:`\nu_- = [(1 + 2N_1)(1 + 2N_2) - 4|M|^2] / [1 + N_1 + N_2 + \sqrt{(N_1 - N_2)^2 + 4|M|^2}]`."""
        n1, n2, m2 = self.first, self.second, abs2(self.correlation)
        return ((1 + 2 * n1) * (1 + 2 * n2) - 4 * m2) / (1 + n1 + n2 + sqrt((n1 - n2) ** 2 + 4 * m2))

    def logarithmic_negativity(self) -> Float[Array, ""]:
        """max(0, -log2 nu_-), in bits; positive where the two outputs are entangled."""
        return jnp.maximum(0.0, -jnp.log2(self.smallest_symplectic_eigenvalue()))

    def covariance(self) -> Float[Array, "4 4"]:
        """Quadrature covariance in (x1, p1, x2, p2), vacuum = 1/2 on the diagonal."""
        re, im = jnp.real(self.correlation), jnp.imag(self.correlation)
        cross = jnp.array([[re, im], [im, -re]])
        return jnp.block([[(self.first + 0.5) * jnp.eye(2), cross], [cross.T, (self.second + 0.5) * jnp.eye(2)]])


class Moments(NamedTuple):
    """Steady state of the internal modes.

    Attributes:
        occupation: <a_i^dagger a_i>, (modes,).
        normal: <a_i^dagger a_j>, (modes, modes).
        anomalous: <a_i a_j>, (modes, modes).
    """

    occupation: Float[Array, " n"]
    normal: Complex[Array, "n n"]
    anomalous: Complex[Array, "n n"]

    def quadratures(self) -> Float[Array, "2n 2n"]:
        """Symmetrised covariance of (x1, p1, x2, p2, ...), vacuum variance 1/2."""
        n = self.normal.shape[0]
        plus, minus = self.normal + self.anomalous, self.normal - self.anomalous
        blocks = jnp.stack([jnp.real(plus), jnp.imag(plus), -jnp.imag(minus), jnp.real(minus)]).reshape(2, 2, n, n)
        return jnp.transpose(blocks, (2, 0, 3, 1)).reshape(2 * n, 2 * n) + jnp.eye(2 * n) / 2


def lyapunov(drift: Any, k: Any, signs: Any, occupation: Any, rows: tuple, n_modes: int) -> Moments:
    """Solve A V + V A^dagger + K^dagger D K = 0 for V = <v v^dagger> and for the reversed order <v^dagger v>, each without cancellation.

    Args:
        drift: A, (rows, rows), rad/s.
        k: K, (port rows, rows).
        signs: +1 or -1 of each port row.
        occupation: n of each port row.
        rows: (mode, sign) of each row.
        n_modes: number of modes.
    """
    size, eye = drift.shape[0], jnp.eye(drift.shape[0])
    operator = jnp.kron(drift, eye) + jnp.kron(eye, jnp.conj(drift))

    def moments(noise):
        diffusion = jnp.conj(k).T @ (noise[:, None] * k)
        return jnp.linalg.solve(operator, -diffusion.reshape(-1)).reshape(size, size)

    antinormal = moments(jnp.where(signs > 0, occupation + 1, occupation))  # <v_i v_j^dagger>
    ordered = moments(jnp.where(signs > 0, occupation, occupation + 1))  # <v_j^dagger v_i>
    position = {row: r for r, row in enumerate(rows)}
    normal = [[jnp.zeros((), complex)] * n_modes for _ in range(n_modes)]
    anomalous = [[jnp.zeros((), complex)] * n_modes for _ in range(n_modes)]
    for i in range(n_modes):
        for j in range(n_modes):
            if (i, 1) in position and (j, 1) in position:
                normal[i][j] = ordered[position[j, 1], position[i, 1]]
            elif (i, -1) in position and (j, -1) in position:
                normal[i][j] = antinormal[position[i, -1], position[j, -1]]
            if (i, 1) in position and (j, -1) in position:
                anomalous[i][j] = antinormal[position[i, 1], position[j, -1]]
            elif (i, -1) in position and (j, 1) in position:
                anomalous[i][j] = ordered[position[i, -1], position[j, 1]].conj()
    ordinary = jnp.array(normal)
    return Moments(jnp.real(jnp.diagonal(ordinary)), ordinary, jnp.array(anomalous))


def excess_flux(normal: Complex[Array, "n n"], contacts: tuple, coupling: tuple, occupation: tuple) -> Float[Array, " p"]:
    r"""<a_out^dagger a_out> - <a_in^dagger a_in> of every port, 1/s. With a_out = a_in + L, L = C a, and
    :math:`\langle a_{in,p}^\dagger a_i \rangle = -C_{pi}^* n_p / 2` at equal times, :math:`\langle L_p^\dagger L_p \rangle - n_p |C_p|^2`.

    Args:
        normal: <a_i^dagger a_j>.
        contacts: (port, mode) of each entry of C.
        coupling: C at the contacts.
        occupation: n of each port.
    """
    flux = [jnp.zeros(()) for _ in occupation]
    for (p, i), left in zip(contacts, coupling, strict=True):
        for (q, j), right in zip(contacts, coupling, strict=True):
            if p == q:
                flux[p] = flux[p] + jnp.real(jnp.conj(left) * right * (normal[i, j] - (occupation[p] if i == j else 0.0)))
    return jnp.stack(flux)
