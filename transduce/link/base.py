r"""A stage of a link: what it does to one frequency, and how stages follow one another.

.. math:: a_{out}(\omega) = u\, a(\omega) + v\, [a(-\omega)]^\dagger + F, \quad n = \langle F^\dagger F\rangle(\omega), \quad
          m = \langle F(\omega) F(-\omega)\rangle, \quad c = [F, F^\dagger] = 1 - |u|^2 + |v|^2

omega (rad/s) is the offset from the packet's carrier; noise is normal-ordered photons/s/Hz. The pure delay of a stage is told apart from u,
so that a long fibre costs what a short one costs. A link goes one way: reflections do not return.
"""

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..linear.noise import pair_correlation
from ..linear.output import Output
from ..linear.path import Path
from ..linear.system import LinearSystem, marked
from ..numerics import abs2, cis
from ..parameters import Scalar


class Response(NamedTuple):
    """One stage, or a row of them, at one frequency; v and the anomalous noise are None where it is phase-insensitive."""

    u: Complex[Array, ""]
    v: Complex[Array, ""] | None
    noise: Float[Array, ""]
    anomalous: Complex[Array, ""] | None

    @property
    def commutator(self) -> Float[Array, ""]:
        """c = [F, F^dagger], what the stage's own noise must have."""
        return 1 - abs2(self.u) + (0.0 if self.v is None else abs2(self.v))

    def filtered(self, image_occupation: Float[Array, ""] | float = 0.0) -> "Response":
        """The stage when its image band comes in with this occupation and is not used: n + |v|^2 (n_image + 1), v = 0."""
        if self.v is None:
            return self
        return Response(self.u, None, self.noise + abs2(self.v) * (image_occupation + 1), None)

    @classmethod
    def from_system(cls, system: LinearSystem, source: str, target: str, omega: Float[Array, ""]) -> "Response":
        """A linear system between two of its ports, at a frequency of its own frame; every other port is a bath."""
        system, stable = system.gate()
        return marked(cls.from_output(system.output(target), system.index(source), omega), stable)

    @classmethod
    def from_output(cls, output: Output, source: int, omega: Float[Array, ""]) -> "Response":
        """From one input port to a prepared output."""
        u, v, noise = output.transmission(source, omega)
        anomalous = None
        if v is not None:
            anomalous = pair_correlation(output.amplitudes(omega), output.amplitudes(-omega), output.occupation, source)
        return cls(jnp.zeros((), complex) if u is None else u, v, noise, anomalous)


def cascade(first: Response, second: Response, first_image: Response | None = None, second_image: Response | None = None) -> Response:
    """``first``, then ``second``, at one frequency.

    Args:
        first, second: at omega.
        first_image, second_image: at the image frequency -omega; not needed where both are phase-insensitive.
    """
    if first.v is None and second.v is None:
        return Response(second.u * first.u, None, abs2(second.u) * first.noise + second.noise, None)
    assert first_image is not None and second_image is not None
    u1, v1, n1, m1 = _full(first)
    u2, v2, n2, m2 = _full(second)
    u1b, v1b, n1b, m1b = _full(first_image)
    u2b, v2b, _, _ = _full(second_image)
    c1, c1b = first.commutator, first_image.commutator
    noise = abs2(u2) * n1 + abs2(v2) * (n1b + c1b) + 2 * jnp.real(jnp.conj(u2) * v2 * jnp.conj(m1b)) + n2
    anomalous = u2 * u2b * m1 + u2 * v2b * (n1 + c1) + v2 * u2b * n1b + v2 * v2b * jnp.conj(m1) + m2
    return Response(u2 * u1 + v2 * jnp.conj(v1b), u2 * v1 + v2 * jnp.conj(u1b), noise, anomalous)


def _full(response: Response) -> tuple:
    zero = jnp.zeros((), complex)
    return (
        response.u,
        zero if response.v is None else response.v,
        response.noise,
        zero if response.anomalous is None else response.anomalous,
    )


class AbstractResponse(eqx.Module):
    """A stage ready to be asked at many frequencies (offsets from the carrier, rad/s)."""

    @abc.abstractmethod
    def __call__(self, omega: Scalar) -> Response:
        """What it does."""

    @abc.abstractmethod
    def over(self, omega: Float[Array, " m"]) -> Response:
        """What it does at many frequencies."""

    @abc.abstractmethod
    def shape(self, omega: Scalar) -> Float[Array, ""]:
        """|u|^2 but for a factor that does not depend on omega."""

    @abc.abstractmethod
    def figures(self, omega: Scalar) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """|u|^2, and the noise that it adds, referred to its input, its image band in vacuum."""


class Flat(AbstractResponse):
    """The same at every frequency, but for the phase ``bend`` omega^2."""

    u: Scalar
    noise: Scalar
    bend: Scalar | None = None

    def __call__(self, omega: Scalar) -> Response:
        return self.over(omega)

    def over(self, omega: Float[Array, "*m"]) -> Response:
        u, noise = (jnp.broadcast_to(value, jnp.shape(omega)) for value in (self.u + 0j, self.noise))
        return Response(u if self.bend is None else u * cis(self.bend * omega**2), None, noise, None)

    def shape(self, omega: Scalar) -> Float[Array, ""]:
        return jnp.ones(())

    def figures(self, omega: Scalar) -> tuple[Float[Array, ""], Float[Array, ""]]:
        power = abs2(self.u)
        return power, self.noise / power


class Along(AbstractResponse):
    """A conversion along a path."""

    path: Path

    def __call__(self, omega: Scalar) -> Response:
        return self.over(omega)

    def over(self, omega: Float[Array, "*m"]) -> Response:
        u, noise = self.path.transmission(omega)
        return Response(u, None, noise, None)

    def shape(self, omega: Scalar) -> Float[Array, ""]:
        return self.path.shape(omega)

    def figures(self, omega: Scalar) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return self.path.figures(omega)


class Prepared(NamedTuple):
    """A stage with all that does not depend on frequency already computed.

    Attributes:
        response: omega (rad/s, offset from the carrier) -> Response.
        poles: complex frequencies near which the response varies, (k,), rad/s, in the same offset; None: it has none.
        delay: pure delay, apart from the response (s).
        coherence: factor of |1><0| that is not in u (emission, absorption).
        escape: product of the escape efficiencies of its converters.
        duty: how much of the time it works: the smallest duty cycle of its converters.
        carrier: of a converter, in its device's frame (rad/s); else None.
        image: whether the image band enters (v != 0 by structure).
    """

    response: AbstractResponse
    poles: Complex[Array, " k"] | None = None
    delay: Scalar | float = 0.0
    coherence: Scalar | float = 1.0
    escape: Scalar | float = 1.0
    duty: Scalar | float = 1.0
    carrier: Scalar | None = None
    image: bool = False


class AbstractStage(eqx.Module):
    """One element that the photon passes. To add one: declare its fields with ``parameters`` and define ``prepare``.

    ``Convert``, ``Fibre``, ``Loss``, ``Switch``, ``Filter``, ``Emit`` and ``Absorb`` are stages, and a ``Link`` of stages is one.
    """

    @abc.abstractmethod
    def prepare(self) -> Prepared:
        """The stage ready to be asked at many frequencies."""

    def response(self, omega: Float[Array, ""] | float) -> Response:
        """What the stage does at one offset from the carrier (rad/s), its pure delay apart."""
        return self.prepare().response(jnp.asarray(omega, float))

    @property
    def delay(self) -> Scalar | float:
        """Pure delay (s): the whole phase is that of u times e^{i omega delay}."""
        return self.prepare().delay
