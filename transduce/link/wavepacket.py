r"""The temporal mode of one photon: its amplitude, its spectrum, and its integrals against a decaying qubit.

    f(w) = int dt e^{iwt} f(t),    int |f|^2 dt = int |f|^2 dw/2pi = 1,    w the offset from the carrier, t the time in rad/s and s.

``bandwidth`` is the full width at half maximum of the power spectrum |f(w)|^2.
Modes known by numbers stand in ``sampled``.
"""

from abc import abstractmethod
from collections.abc import Callable
from math import acosh, factorial, log, pi, sqrt
from statistics import NormalDist

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfcx
from jax.scipy.stats import norm
from jaxtyping import Array, Complex, Float

from .. import parameters
from ..parameters import Scalar
from ..units import Hz, MHz, kHz

Real = Scalar | float

TAIL = 1e-6
"""The part of int |f|^2 that lies before the clock's start, and after its end."""

_FAINT = 1e-32  # the power spectrum at ``reach``, relative to its maximum
_BOX = (10 * kHz, 100 * MHz)


class AbstractWavepacket(eqx.Module):
    r"""One photon's temporal mode f(t), normalised.

    A new shape says its amplitude and spectrum, the clock (``start``, ``end``), the three integrals in which a qubit's T1 and T2 enter,
    and where its spectrum lives (``features``, ``reach``). Everything is for one scalar time, frequency or rate: ``vmap`` outside.
    Each has a ``bandwidth``, the full width at half maximum of its power spectrum in rad/s: a parameter, or derived from its samples.
    """

    def __check_init__(self) -> None:
        parameters.check(self)

    @abstractmethod
    def amplitude(self, time: Real) -> Complex[Array, ""]:
        """f(t), s^-1/2, at one time in s."""

    @abstractmethod
    def spectrum(self, omega: Real) -> Complex[Array, ""]:
        """f(w) = int dt e^{iwt} f(t), s^1/2, at one offset from the carrier in rad/s."""

    @property
    @abstractmethod
    def start(self) -> Scalar:
        """When the clock starts, s: 1e-6 of int |f|^2 lies before; the edge itself where there is one."""

    @property
    @abstractmethod
    def end(self) -> Scalar:
        """When the clock ends, s: 1e-6 of int |f|^2 lies after; the edge itself where there is one."""

    @property
    def duration(self) -> Scalar:
        """end - start, s."""
        return self.end - self.start

    @abstractmethod
    def growth(self, rate: Real) -> Scalar:
        """int |f(t)|^2 e^{rate (t - start)} dt over the whole line, rate in 1/s of either sign; infinite where it diverges."""

    @abstractmethod
    def decay(self, rate: Real) -> Scalar:
        """int |f(t)|^2 e^{rate (end - t)} dt over the whole line: ``growth`` in reversed time."""

    @abstractmethod
    def overlap(self, rate: Real) -> Scalar:
        """int int |f(t)|^2 |f(s)|^2 e^{-rate |t-s|} dt ds, rate in 1/s: the population found in the mode after dephasing at this rate."""

    @abstractmethod
    def features(self) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
        """Where an integrator must look: the centres and the widths of the spectrum's features, rad/s."""

    @property
    @abstractmethod
    def reach(self) -> Scalar:
        """Beyond this |w| (rad/s) the power spectrum is below 1e-32 of its maximum; infinite where it falls as a power of w."""


def _integral(formula: Callable[[Array], Array], rate: Real, converges: Array) -> Scalar:
    """formula(rate) where the integral converges, else infinite with slope 0: its inverse, a probability, is 0 with slope 0."""
    return jnp.where(converges, formula(jnp.where(converges, rate, 0.0)), jnp.inf)


def _one(centre: Real, width: Array) -> tuple[Float[Array, " 1"], Float[Array, " 1"]]:
    return jnp.asarray(centre, float).reshape(1), jnp.reshape(width, 1)


class Decaying(AbstractWavepacket):
    r"""f(t) = sqrt(G) e^{-Gt/2} from t = 0 on; f(w) = sqrt(G)/(G/2 - iw); bandwidth G: what a constant coupler emits."""

    bandwidth: Scalar = parameters.frequency(box=_BOX)

    def amplitude(self, time: Real) -> Complex[Array, ""]:
        decayed = jnp.sqrt(self.bandwidth) * jnp.exp(-self.bandwidth * jnp.maximum(time, 0.0) / 2)
        return jnp.where(jnp.asarray(time) >= 0, decayed, 0.0) + 0j

    def spectrum(self, omega: Real) -> Complex[Array, ""]:
        return jnp.sqrt(self.bandwidth) / (self.bandwidth / 2 - 1j * jnp.asarray(omega))

    @property
    def start(self) -> Scalar:
        return jnp.zeros(())

    @property
    def end(self) -> Scalar:
        return -log(TAIL) / self.bandwidth

    def growth(self, rate: Real) -> Scalar:
        return _integral(lambda r: self.bandwidth / (self.bandwidth - r), rate, rate < self.bandwidth)

    def decay(self, rate: Real) -> Scalar:
        return _integral(lambda r: jnp.exp(r * self.end) * self.bandwidth / (self.bandwidth + r), rate, -rate < self.bandwidth)

    def overlap(self, rate: Real) -> Scalar:
        return _integral(lambda r: self.bandwidth / (self.bandwidth + r), rate, -rate < self.bandwidth)

    def features(self) -> tuple[Float[Array, " 1"], Float[Array, " 1"]]:
        return _one(0.0, self.bandwidth / 2)

    @property
    def reach(self) -> Scalar:
        return jnp.asarray(jnp.inf)


class Rising(AbstractWavepacket):
    r"""f(t) = sqrt(G) e^{Gt/2} up to t = 0; f(w) = sqrt(G)/(G/2 + iw); bandwidth G: what a constant coupler absorbs."""

    bandwidth: Scalar = parameters.frequency(box=_BOX)

    def amplitude(self, time: Real) -> Complex[Array, ""]:
        return Decaying(bandwidth=self.bandwidth).amplitude(-jnp.asarray(time))

    def spectrum(self, omega: Real) -> Complex[Array, ""]:
        return jnp.sqrt(self.bandwidth) / (self.bandwidth / 2 + 1j * jnp.asarray(omega))

    @property
    def start(self) -> Scalar:
        return log(TAIL) / self.bandwidth

    @property
    def end(self) -> Scalar:
        return jnp.zeros(())

    def growth(self, rate: Real) -> Scalar:
        return Decaying(bandwidth=self.bandwidth).decay(rate)

    def decay(self, rate: Real) -> Scalar:
        return Decaying(bandwidth=self.bandwidth).growth(rate)

    def overlap(self, rate: Real) -> Scalar:
        return Decaying(bandwidth=self.bandwidth).overlap(rate)

    def features(self) -> tuple[Float[Array, " 1"], Float[Array, " 1"]]:
        return _one(0.0, self.bandwidth / 2)

    @property
    def reach(self) -> Scalar:
        return jnp.asarray(jnp.inf)


class Gaussian(AbstractWavepacket):
    r"""|f(t)|^2 normal with standard deviation s about t = 0; f(w) = (8 pi s^2)^{1/4} e^{-s^2 w^2}; bandwidth sqrt(2 ln 2)/s."""

    bandwidth: Scalar = parameters.frequency(box=_BOX)

    @property
    def deviation(self) -> Scalar:
        """s, the standard deviation of |f(t)|^2, in s; that of the power spectrum is 1/(2s)."""
        return sqrt(2 * log(2)) / self.bandwidth

    def amplitude(self, time: Real) -> Complex[Array, ""]:
        return jnp.exp(norm.logpdf(time, scale=self.deviation) / 2) + 0j

    def spectrum(self, omega: Real) -> Complex[Array, ""]:
        # |f|^2 is a density over dw/2pi, a normal density one over dw.
        return sqrt(Hz) * jnp.exp(norm.logpdf(omega, scale=1 / (2 * self.deviation)) / 2) + 0j

    @property
    def start(self) -> Scalar:
        return NormalDist().inv_cdf(TAIL) * self.deviation

    @property
    def end(self) -> Scalar:
        return -self.start

    def growth(self, rate: Real) -> Scalar:
        return jnp.exp((rate * self.deviation) ** 2 / 2 - rate * self.start)

    def decay(self, rate: Real) -> Scalar:
        return self.growth(rate)

    def overlap(self, rate: Real) -> Scalar:
        return erfcx(rate * self.deviation)

    def features(self) -> tuple[Float[Array, " 1"], Float[Array, " 1"]]:
        return _one(0.0, 1 / (2 * self.deviation))

    @property
    def reach(self) -> Scalar:
        return sqrt(-log(_FAINT) / 2) / self.deviation


def _sech(x: Array) -> Array:
    """From its own exponential, which ends where its third power, which second slopes ask for, would overflow: there it is dark."""
    most = 0.32 * log(float(jnp.finfo(x.dtype).max))
    grown = jnp.exp(jnp.clip(x, -most, most))
    return 2 / (grown + 1 / grown)


_TERMS = 12
_WHOLE = np.arange(1, 33)


def _reflected(x: Array) -> Array:
    """Gamma(1 + x) Gamma(1 - x) = pi x / sin(pi x) for |x| < 1, with the right slopes at 0 and next to it: the series of sin(u)/u."""
    half = pi / 2 * x
    square, ratio = half**2, jnp.zeros_like(x)
    for k in reversed(range(_TERMS)):
        ratio = ratio * square + (-1) ** k / factorial(2 * k + 1)
    return 1 / (ratio * jnp.cos(half))


def _trigamma(x: Array) -> Array:
    """sum_k 1/(k + x)^2, k from 1, for x > -1: psi'(1 + x). What lies beyond 32 terms by Euler's and Maclaurin's formula."""
    y = 1 / (_WHOLE[-1] + 0.5 + x)
    return jnp.sum(1 / (_WHOLE + x) ** 2) + y * (1 - y**2 * (1 / 12 - y**2 * (7 / 240 - y**2 * (31 / 1344))))


class Sech(AbstractWavepacket):
    r"""f(t) = sech(t/T)/sqrt(2T) about t = 0; f(w) = pi sqrt(T/2) sech(pi w T/2); bandwidth 4 arccosh(sqrt 2)/(pi T).

    |f|^2 is a logistic density of scale T/2, with E e^{rt} = (pi rT/2)/sin(pi rT/2). Two such times differ by d with density
    (y coth y - 1)/(T sinh^2 y), y = d/T; integrated by parts twice, with a = rT and psi' the trigamma function,
    E e^{-r|d|} = 1 - a + (a^2/2) psi'(1 + a/2), to 1e-12 for a up to 30.
    """

    bandwidth: Scalar = parameters.frequency(box=_BOX)

    @property
    def width(self) -> Scalar:
        """T, in s: the spectrum's nearest poles are at w = +-i/T."""
        return 8 * acosh(sqrt(2)) / (Hz * self.bandwidth)

    def amplitude(self, time: Real) -> Complex[Array, ""]:
        return _sech(jnp.asarray(time / self.width)) / jnp.sqrt(2 * self.width) + 0j

    def spectrum(self, omega: Real) -> Complex[Array, ""]:
        return Hz / 2 * jnp.sqrt(self.width / 2) * _sech(jnp.asarray(Hz / 4 * self.width * omega)) + 0j

    @property
    def start(self) -> Scalar:
        return self.width / 2 * log(TAIL / (1 - TAIL))

    @property
    def end(self) -> Scalar:
        return -self.start

    def growth(self, rate: Real) -> Scalar:
        def formula(r: Array) -> Array:
            return jnp.exp(-r * self.start) * _reflected(r * self.width / 2)

        return _integral(formula, rate, jnp.abs(rate) * self.width < 2)

    def decay(self, rate: Real) -> Scalar:
        return self.growth(rate)

    def overlap(self, rate: Real) -> Scalar:
        def formula(r: Array) -> Array:
            a = r * self.width
            return 1 - a + a**2 / 2 * _trigamma(a / 2)

        return _integral(formula, rate, -rate * self.width < 2)

    def features(self) -> tuple[Float[Array, " 1"], Float[Array, " 1"]]:
        return _one(0.0, 1 / self.width)

    @property
    def reach(self) -> Scalar:
        return (2 * log(2) - log(_FAINT)) / (Hz / 2 * self.width)
