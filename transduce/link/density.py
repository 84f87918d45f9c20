r"""How the power of a band-limited mode lies in time: a Fourier series, of which every integral is summed term by term.

p = |f|^2 = 1/L + 2 Re sum_n q_n e^{i w_n t}    in the window 0 <= t < L,  w_n = 2 pi n/L,  int p dt = 1.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..numerics import abs2, cis
from ..parameters import Scalar
from ..units import Hz
from .wavepacket import TAIL, Real


class Density(NamedTuple):
    """The series, and its values on a grid.

    Attributes:
        step: of the grid, s.
        window: L, s.
        values: p on the grid, which is fine enough that a square of the samples does not fold back.
        omegas: w_n, rad/s.
        terms: q_n.
    """

    step: Scalar
    window: Scalar
    values: Float[Array, " 2n"]
    omegas: Float[Array, " n-1"]
    terms: Complex[Array, " n-1"]

    @classmethod
    def of(cls, harmonics: Complex[Array, " n"], step: Scalar) -> "Density":
        """Of f(t) = sum_n C_n e^{-i w_n t}, its harmonics in the order of the FFT and samples this far apart (s)."""
        size = harmonics.shape[0]
        padded = jnp.concatenate([harmonics[: size // 2], jnp.zeros(size), harmonics[size // 2 :]])
        density, window = abs2(jnp.fft.fft(padded)), size * step
        density = density / (jnp.mean(density) * window)
        omegas = jnp.arange(1, size) * Hz / window
        return cls(step / 2, window, density, omegas, jnp.fft.rfft(density)[1:-1] / (2 * size))

    @property
    def _times(self) -> Float[Array, " 2n"]:
        return self.step * jnp.arange(self.values.shape[0])

    def quantile(self, level: float) -> Scalar:
        """Time since the window's beginning at which int p dt reaches the level: a cell of the grid, then Newton on the series."""
        sums = self.terms / (1j * self.omegas)
        both = jnp.stack([sums, jax.lax.stop_gradient(self.terms)])
        offset = -2 * jnp.sum(sums.real)
        passed = self._times / self.window + offset + jnp.fft.irfft(jnp.pad(sums, 1)) * self.values.shape[0]
        passed = jnp.append(passed, 1.0)  # at the window's end
        cell = jnp.maximum(jnp.sum(passed <= level) - 1, 0)
        before, after = jax.lax.dynamic_slice(passed, (cell,), (2,))
        part = (level - before) / (after - before)

        def closer(time: Scalar) -> Scalar:
            sum_, slope = 2 * _series(both, self.omegas[0] * time).real
            excess = time / self.window + offset + sum_ - level
            return time - excess / jax.lax.stop_gradient(1 / self.window + slope)

        near = jax.lax.stop_gradient((cell + part) * self.step)
        near = jax.lax.fori_loop(0, 3, lambda _, time: jax.lax.stop_gradient(closer(time)), near)
        return closer(jax.lax.stop_gradient(near))

    def growth(self, rate: Real) -> Scalar:
        """As ``AbstractWavepacket.growth``."""
        return self.step * jnp.sum(self.values * jnp.exp(rate * (self._times - self.quantile(TAIL))))

    def decay(self, rate: Real) -> Scalar:
        """As ``AbstractWavepacket.decay``."""
        return self.step * jnp.sum(self.values * jnp.exp(rate * (self.quantile(1 - TAIL) - self._times)))

    def overlap(self, rate: Real) -> Scalar:
        r"""2 int p I dt with I' = p - rate I, I(0) = 0, solved term by term and summed exactly (K = int p e^{-rate t} dt):

        2 [1/L int p (1 - e^{-rate t})/rate dt + 2 L sum |q_n|^2 rate/(rate^2 + w_n^2) - K 2 Re sum q_n/(rate + i w_n)].
        """
        size = jnp.arange(self.values.shape[0])
        x = rate * self.step * size
        level = jnp.sum(self.values * size * _mean_exponential(x)) * self.step**2 / self.window
        pairs = 2 * self.window * jnp.sum(abs2(self.terms) * rate / (rate**2 + self.omegas**2))
        initial = 2 * jnp.sum(self.terms / (rate + 1j * self.omegas)).real * self.step * jnp.sum(self.values * jnp.exp(-x))
        return 2 * (level + pairs - initial)


@jax.custom_jvp
def _mean_exponential(x: Array) -> Array:
    """int_0^1 e^{-xu} du = (1 - e^{-x})/x, with the right slope at 0."""
    return jnp.where(x == 0, 1.0, -jnp.expm1(-x) / jnp.where(x == 0, 1.0, x))


@_mean_exponential.defjvp
def _mean_exponential_jvp(primals, tangents):
    x, value = primals[0], _mean_exponential(primals[0])
    near = jnp.abs(x) < 1e-3
    series = -1 / 2 + x / 3 - x**2 / 8 + x**3 / 30 - x**4 / 144
    return value, tangents[0] * jnp.where(near, series, (jnp.exp(-x) - value) / jnp.where(near, 1.0, x))


def _series(terms: Complex[Array, "k n"], angle: Scalar) -> Complex[Array, " k"]:
    """sum_n terms_n e^{i n angle}, n from 1: by the few exponentials of the multiples of a number and of what lies between."""
    count, most = terms.shape
    size = math.isqrt(most) + 1
    table = jnp.pad(terms, ((0, 0), (1, size * size - 1 - most))).reshape(count, size, size)
    between, multiples = (cis(angle * (np.arange(size) * step)) for step in (1, size))
    return (table @ between) @ multiples
