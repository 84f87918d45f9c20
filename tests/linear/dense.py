"""A dense numpy solver of the doubled equations, written out by hand and sharing nothing with the package.

A = [[-i Om - C^dagger C / 2, -i Xi], [i Xi*, i Om* - (C^dagger C)* / 2]], K = diag(C, C*), S(w) = 1 - K (-i w - A)^{-1} K^dagger.
"""

import numpy as np
from scipy.linalg import solve_continuous_lyapunov


class Dense:
    """One system by its matrices: Omega, Xi, C (ports x modes) and occupations."""

    def __init__(self, omega, xi, c, n):
        self.n, (self.ports, self.modes) = np.asarray(n), c.shape
        damping = c.conj().T @ c / 2
        self.drift = np.block([[-1j * omega - damping, -1j * xi], [1j * xi.conj(), 1j * omega.conj() - damping.conj()]])
        self.k = np.block([[c, np.zeros_like(c)], [np.zeros_like(c), c.conj()]])
        self.eye = np.eye(2 * self.modes)

    def margin(self):
        """How fast the slowest disturbance dies."""
        return -np.linalg.eigvals(self.drift).real.max()

    def resolvent(self, w):
        """(-i w - A)^{-1}."""
        return np.linalg.inv(-1j * w * self.eye - self.drift)

    def blocks(self, w):
        """(normal, anomalous), ports x ports."""
        s = (np.eye(2 * self.ports) - self.k @ self.resolvent(w) @ self.k.conj().T)[: self.ports]
        return s[:, : self.ports], s[:, self.ports :]

    def internal(self, w):
        """(normal, anomalous), modes x ports."""
        s = -(self.resolvent(w) @ self.k.conj().T)[: self.modes]
        return s[:, : self.ports], s[:, self.ports :]

    def output_noise(self, w):
        """Of every port."""
        normal, anomalous = self.blocks(w)
        return abs(normal) ** 2 @ self.n + abs(anomalous) ** 2 @ (self.n + 1)

    def added_noise(self, i, o, w):
        """Referred to the input i."""
        gain = abs(self.blocks(w)[0][o, i]) ** 2
        return (self.output_noise(w)[o] - gain * self.n[i]) / gain

    def correlation(self, one, two, w):
        """<o1(w) o2(-w)>."""
        (n1, a1), (n2, a2) = self.blocks(w), self.blocks(-w)
        return (n1[one] * a2[two]) @ (self.n + 1) + (a1[one] * n2[two]) @ self.n

    def moments(self):
        """(<a_i^dagger a_j>, <a_i a_j>) by scipy's Lyapunov solver."""
        d = np.diag(np.concatenate([self.n + 1, self.n]))
        v = solve_continuous_lyapunov(self.drift, -self.k.conj().T @ d @ self.k)
        m = self.modes
        return v[m:, m:], v[:m, m:]


GRAPHS = {"frustrated": (3, 4), "signed": (4, 4), "passive": (3, 3), "signed-large": (5, 5)}
"""name -> (modes, ports)"""


def _stable(rng, draw):
    for _ in range(1000):
        omega, xi, c = draw()
        for factor in (1.0, 0.5, 0.25):
            if Dense(omega, factor * xi, c, np.zeros(len(c))).margin() > 0.05:
                return omega, factor * xi, c, 10 ** rng.uniform(-2, 1, len(c))
    raise AssertionError("no stable system was drawn")


def random_system(rng, graph):
    """(Omega, Xi, C, n) of a stable system on this graph; a signed one is a ring of hops between squeezed neighbours."""
    modes, ports = GRAPHS[graph]

    def matrix(shape):
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    def draw():
        omega, xi, c = matrix((modes, modes)), matrix((modes, modes)), matrix((ports, modes))
        omega, xi = omega + omega.conj().T, (xi + xi.T) / 2
        if graph != "frustrated":
            signs = np.array([1, -1, -1, 1, 1, -1][:modes])
            same = np.multiply.outer(signs, signs) > 0
            omega, xi, c = omega * same, xi * ~same, c * np.eye(ports, modes)
            if graph == "passive":
                omega, xi = matrix((modes, modes)), 0 * xi
                omega = omega + omega.conj().T
        return omega, xi, c

    return _stable(rng, draw)
