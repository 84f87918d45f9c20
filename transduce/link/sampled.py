r"""A temporal mode known by numbers: a table with straight lines between its points, or samples of a band-limited mode.

    Tabulated: f(w) = h sinc^2(wh/2) sum_k f_k e^{i w t_k}.    Sampled: f(w) = h sum_k f_k e^{i w t_k} for |w| <= pi/h, else 0.

Conventions as in ``wavepacket``; both are normalised when used, with the exact norm of what they stand for.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from ..numerics import abs2, cis, is_concrete
from ..parameters import Scalar
from ..units import Hz
from .density import Density
from .wavepacket import TAIL, AbstractWavepacket, Real

_NODES, _WEIGHTS = (np.polynomial.legendre.leggauss(8)[0] + 1) / 2, np.polynomial.legendre.leggauss(8)[1] / 2
"""Gauss-Legendre on [0, 1]: exact for the density within a cell, and to 1e-13 with e^{rate t} up to rate x step = 4."""


def _floats(values: ArrayLike) -> Float[Array, "..."]:
    return jnp.asarray(values, float)


def _complexes(values: ArrayLike) -> Complex[Array, "..."]:
    return jnp.asarray(values, complex)


def _check_amplitude(where: str, values: Array, even: bool = False) -> None:
    if values.ndim != 1 or values.size < 2 or (even and values.size % 2):
        raise ValueError(f"{where} must be a row of {'an even number of' if even else 'two or more'} samples, but is {values.shape}")
    if is_concrete(values) and not (np.all(np.isfinite(values)) and np.any(values)):
        raise ValueError(f"{where} must be finite and not all zero, but is {np.asarray(values)}")


def _root(increasing: Callable[[Array], Array], low: Real, high: Real) -> Scalar:
    """The zero between low and high: bisection, then one Newton step, which carries the gradient (implicit function)."""

    def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (bracket[0] + bracket[1]) / 2
        below = increasing(middle) < 0
        return jnp.where(below, middle, bracket[0]), jnp.where(below, bracket[1], middle)

    bracket = jax.lax.stop_gradient((_floats(low), _floats(high)))
    point = jax.lax.stop_gradient(jax.lax.fori_loop(0, 52, halve, bracket)[0])
    return point - increasing(point) / jax.lax.stop_gradient(jax.grad(increasing)(point))


def _half_maximum(power: Callable[[Array], Array], values: Array, step: Array, roll_off: int) -> tuple[Scalar, Scalar]:
    """The interval around the maximum of the power spectrum in which it is at least half of that, rad/s.

    Args:
        power: the power spectrum at one w.
        values: samples of the amplitude, shape (n,): their padded transform brackets what Newton and bisection then find in ``power``.
        step: between samples, s.
        roll_off: power of sinc(w step/2) in the amplitude.
    """
    size = 8 * values.shape[0]
    omegas, index = jnp.fft.fftshift(jnp.fft.fftfreq(size)) * Hz / step, jnp.arange(size)
    coarse = abs2(jnp.fft.fftshift(jnp.fft.ifft(values, size))) * jnp.sinc(omegas * step / Hz) ** (2 * roll_off)
    top, slope = jnp.argmax(coarse), jax.grad(power)
    peak = jax.lax.fori_loop(0, 4, lambda _, omega: omega - slope(omega) / jax.grad(slope)(omega), omegas[top])
    half = power(jax.lax.stop_gradient(peak)) / 2
    below = coarse * power(omegas[top]) < coarse[top] * half
    low = jnp.max(jnp.where(below & (index < top), index, 0))
    high = jnp.min(jnp.where(below & (index > top), index, size - 1))
    rising = _root(lambda omega: power(omega) - half, omegas[low], omegas[low + 1])
    return rising, _root(lambda omega: half - power(omega), omegas[high - 1], omegas[high])


class Tabulated(AbstractWavepacket):
    r"""Samples on a uniform grid, straight lines between them, and to zero one step beyond each end.

    Attributes:
        times: s, shape (n,), uniform and rising.
        samples: f at these times, shape (n,), complex, of any norm.

    Raises:
        ValueError: times not uniform, shapes that differ, or samples that are not finite or all zero.
    """

    times: Float[Array, " n"] = eqx.field(converter=_floats)
    samples: Complex[Array, " n"] = eqx.field(converter=_complexes)

    def __check_init__(self) -> None:
        _check_amplitude("Tabulated.samples", self.samples)
        if self.times.shape != self.samples.shape:
            raise ValueError(f"Tabulated.times must be one per sample, {self.samples.shape}, but is {self.times.shape}")
        if is_concrete(self.times):
            steps = np.diff(self.times)
            if not (np.mean(steps) > 0 and np.max(np.abs(steps - np.mean(steps))) < 1e-6 * np.mean(steps)):
                raise ValueError(f"Tabulated.times must be uniform and rising, but is {np.asarray(self.times)}")

    @property
    def step(self) -> Scalar:
        """Time between two samples, s."""
        return (self.times[-1] - self.times[0]) / (self.times.shape[0] - 1)

    @property
    def length(self) -> Scalar:
        """From where the table leaves zero to where it is back, s."""
        return (self.times.shape[0] + 1) * self.step

    @property
    def limit(self) -> Scalar:
        """How far an integral must follow the spectrum's fringes, rad/s: beyond lies 1e-8 of the energy of a table that jumps, and of a
        smooth one the fourth power of a fifth of bandwidth times step (straight lines between points repeat the spectrum there)."""
        return 4 * Hz / self.step

    @property
    def fringes(self) -> int:
        """2 limit length / 2 pi: how many there are."""
        return 8 * (self.times.shape[0] + 1)

    def _cells(self) -> tuple[Complex[Array, " n+1"], Complex[Array, " n+1"], Float[Array, " n+1"]]:
        """Left and right values of f in each cell, normalised, and the cell's part of int |f|^2."""
        left, right = jnp.pad(self.samples, (1, 0)), jnp.pad(self.samples, (0, 1))
        parts = self.step / 3 * (abs2(left) + abs2(right) + jnp.real(jnp.conj(left) * right))
        total = jnp.sum(parts)
        return left / jnp.sqrt(total), right / jnp.sqrt(total), parts / total

    def _densities(self, places: np.ndarray) -> Float[Array, "n+1 *m"]:
        """|f|^2 at these places of [0, 1] in each cell."""
        left, right, _ = self._cells()
        shape = (-1,) + (1,) * places.ndim
        return abs2(left.reshape(shape) * (1 - places) + right.reshape(shape) * places)

    def amplitude(self, time: Real) -> Complex[Array, ""]:
        left, right, _ = self._cells()
        place = (time - self.times[0]) / self.step + 1
        cell = jnp.clip(jnp.floor(place), 0, left.shape[0] - 1).astype(int)
        inside = (place >= 0) & (place <= left.shape[0])
        return jnp.where(inside, left[cell] + (right[cell] - left[cell]) * (place - cell), 0.0)

    def spectrum(self, omega: Real) -> Complex[Array, ""]:
        shape = self.step * jnp.sinc(omega * self.step / Hz) ** 2
        return shape * jnp.sum(self._cells()[1][:-1] * cis(omega * self.times))

    def _wait(self, left: Array, right: Array, parts: Array) -> Scalar:
        """Time from the first cell's edge until 1e-6 of int |f|^2 has passed: the root of a cubic in one cell."""
        passed = jnp.cumsum(parts)
        cell = jnp.argmax(passed > TAIL)
        first, change = left[cell], right[cell] - left[cell]

        def beyond(x: Array) -> Array:
            within = abs2(first) * x + jnp.real(jnp.conj(first) * change) * x**2 + abs2(change) * x**3 / 3
            return passed[cell] - parts[cell] + self.step * within - TAIL

        return self.step * (cell + _root(beyond, 0.0, 1.0))

    @property
    def start(self) -> Scalar:
        left, right, parts = self._cells()
        return self.times[0] - self.step + self._wait(left, right, parts)

    @property
    def end(self) -> Scalar:
        left, right, parts = self._cells()
        return self.times[-1] + self.step - self._wait(right[::-1], left[::-1], parts[::-1])

    def _mean(self, function: Callable[[Array], Array]) -> Scalar:
        """int |f|^2 function(t) dt, with 8 nodes in each cell."""
        cells = jnp.arange(self.times.shape[0] + 1)[:, None]
        times = self.times[0] + self.step * (cells - 1 + _NODES)
        return jnp.sum(self.step * _WEIGHTS * self._densities(_NODES) * function(times))

    def growth(self, rate: Real) -> Scalar:
        return self._mean(lambda time: jnp.exp(rate * (time - self.start)))

    def decay(self, rate: Real) -> Scalar:
        return self._mean(lambda time: jnp.exp(rate * (self.end - time)))

    def overlap(self, rate: Real) -> Scalar:
        x = rate * self.step
        density = self.step * _WEIGHTS * self._densities(_NODES)
        early, late = jnp.sum(density * jnp.exp(-x * (1 - _NODES)), 1), jnp.sum(density * jnp.exp(-x * _NODES), 1)
        age = x * (jnp.arange(early.shape[0]) - early.shape[0] / 2)  # centred: e^{+-age} overflows from rate x duration = 1400 on
        before = jnp.exp(x - age) * (jnp.cumsum(early * jnp.exp(age)) - early * jnp.exp(age))
        inner = self.step * _NODES[:, None] * _WEIGHTS * jnp.exp(-x * _NODES[:, None] * (1 - _NODES))
        same = jnp.einsum("kx,kxy,xy", density, self._densities(_NODES[:, None] * _NODES), inner)
        return 2 * (jnp.sum(late * before) + same)

    @property
    def _half_maximum(self) -> tuple[Scalar, Scalar]:
        return _half_maximum(lambda omega: abs2(self.spectrum(omega)), self.samples, self.step, 2)

    @property
    def bandwidth(self) -> Scalar:
        """Full width at half maximum of the power spectrum around its maximum, rad/s."""
        low, high = self._half_maximum
        return high - low

    def features(self) -> tuple[Float[Array, " 2"], Float[Array, " 2"]]:
        low, high = self._half_maximum
        left, right, _ = self._cells()
        mean = -jnp.sum(jnp.imag(jnp.conj(left) * right))
        deviation = jnp.sqrt(jnp.sum(abs2(right - left)) / self.step - mean**2)
        return jnp.stack([(low + high) / 2, mean]), jnp.stack([(high - low) / 2, deviation])

    @property
    def reach(self) -> Scalar:
        return jnp.asarray(jnp.inf)


class Sampled(AbstractWavepacket):
    r"""A band-limited mode known by uniform samples of its amplitude, such as the mode that a link delivers.

    The samples fix it (Fourier series) where |f(w)| is negligible beyond pi/step and |f(t)| at both ends of the window; then every
    answer is as good as the samples, but for the rounding noise of the transform: 1e-16 of int |f|^2, which is 1e-10 of a tail of 1e-6.

    Attributes:
        first: time of the first sample, s.
        step: between samples, s.
        harmonics: C_n of f(t) = sum_n C_n e^{-i w_n (t - first)}, in the order of the FFT, shape (n,) with n even, of any norm.
    """

    first: Scalar = eqx.field(converter=_floats)
    step: Scalar = eqx.field(converter=_floats)
    harmonics: Complex[Array, " n"] = eqx.field(converter=_complexes)

    def __check_init__(self) -> None:
        _check_amplitude("Sampled.harmonics", self.harmonics, even=True)
        if is_concrete(self.first, self.step) and not (np.isfinite(self.first) and 0 < self.step < np.inf):
            raise ValueError(f"Sampled.step must be above 0 s and first finite, but is {self.step} and {self.first}")

    @staticmethod
    def from_spectrum(spectrum: Complex[Array, " n"], d_omega: Real, first: Real) -> "Sampled":
        """The mode with f(w_k) at w_k = (k - n/2) d_omega, sampled at first + j 2 pi/(n d_omega).

        Args:
            spectrum: f(w_k), shape (n,) with n even, s^1/2 (any norm).
            d_omega: rad/s; 2 pi/d_omega is the length of the window in time.
            first: the window's beginning, s; the mode must fit inside.
        """
        size = spectrum.shape[0]
        omegas = (jnp.arange(size) - size // 2) * d_omega
        harmonics = jnp.fft.ifftshift(spectrum * cis(-omegas * first)) * d_omega / Hz
        return Sampled(_floats(first), Hz / (size * _floats(d_omega)), harmonics)

    @staticmethod
    def from_samples(values: Complex[Array, " n"], step: Real, first: Real) -> "Sampled":
        """The mode with these values, shape (n,) with n even, at the times first + j step (s)."""
        values = _complexes(values)
        _check_amplitude("Sampled.values", values, even=True)
        return Sampled(_floats(first), _floats(step), jnp.fft.ifft(values))

    @property
    def values(self) -> Complex[Array, " n"]:
        """f at first + j step, of the norm as given."""
        return jnp.fft.fft(self.harmonics)

    @property
    def length(self) -> Scalar:
        """Of the window, s."""
        return self.harmonics.shape[0] * self.step

    @property
    def limit(self) -> Scalar:
        """Where the spectrum ends, rad/s."""
        return self.reach

    @property
    def fringes(self) -> int:
        """2 limit length / 2 pi: how many there are."""
        return self.harmonics.shape[0]

    @property
    def _norm(self) -> Scalar:
        return jnp.sqrt(self.step * self.harmonics.shape[0] * jnp.sum(abs2(self.harmonics)))

    @property
    def _harmonics(self) -> tuple[Float[Array, " n"], Complex[Array, " n"]]:
        """w_n and C_n of the normalised mode."""
        return jnp.fft.fftfreq(self.harmonics.shape[0]) * Hz / self.step, self.harmonics / self._norm

    def amplitude(self, time: Real) -> Complex[Array, ""]:
        omegas, terms = self._harmonics
        since = time - self.first
        inside = (since >= 0) & (since <= self.harmonics.shape[0] * self.step)
        return jnp.where(inside, jnp.sum(terms * cis(-omegas * since)), 0.0)

    def spectrum(self, omega: Real) -> Complex[Array, ""]:
        times = self.first + self.step * jnp.arange(self.harmonics.shape[0])
        inside = jnp.abs(omega) <= self.reach
        return jnp.where(inside, self.step / self._norm * jnp.sum(self.values * cis(omega * times)), 0.0)

    @property
    def density(self) -> Density:
        """|f|^2 as a series."""
        return Density.of(self.harmonics, self.step)

    @property
    def start(self) -> Scalar:
        return self.first + self.density.quantile(TAIL)

    @property
    def end(self) -> Scalar:
        return self.first + self.density.quantile(1 - TAIL)

    def growth(self, rate: Real) -> Scalar:
        return self.density.growth(rate)

    def decay(self, rate: Real) -> Scalar:
        return self.density.decay(rate)

    def overlap(self, rate: Real) -> Scalar:
        return self.density.overlap(rate)

    @property
    def bandwidth(self) -> Scalar:
        """Full width at half maximum of the power spectrum around its maximum, rad/s."""
        low, high = _half_maximum(lambda omega: abs2(self.spectrum(omega)), self.values, self.step, 0)
        return high - low

    def features(self) -> tuple[Float[Array, " 1"], Float[Array, " 1"]]:
        omegas, terms = self._harmonics
        weights = abs2(terms) / jnp.sum(abs2(terms))
        mean = jnp.sum(weights * omegas)
        return mean.reshape(1), jnp.sqrt(jnp.sum(weights * (omegas - mean) ** 2)).reshape(1)

    @property
    def reach(self) -> Scalar:
        return Hz / 2 / self.step
