r"""Photonic encodings: from one Gaussian mode channel (t, n) to the fidelities of a transferred qubit, in closed form.

With :math:`g = 1 + n`, :math:`P_{m|p}` the Fock probabilities, c the coherence and :math:`\sigma` the phase jitter per use:

.. math:: F_e &= \tfrac14\{P_{0|0} + P_{1|1} + 2\, c\, e^{-\sigma^2/2}\, \mathrm{Re}\, t/g^2\} && \text{single rail} \\
          F_e &= \frac{A + C}{2(A + B)}, \quad A = P_{0|0}P_{1|1},\ B = P_{0|1}P_{1|0},\ C = \eta v/g^4
              && \text{dual rail, time bin, heralded}

with :math:`v = c^2 e^{-\sigma_D^2/2}`. Convention: F_e is the entanglement (process) fidelity with the identity; Choi matrices are
J/2 with index 2 in + out. Source: Nielsen, Phys. Lett. A 303, 249 (2002), for the average fidelity.
"""

from abc import abstractmethod
from typing import ClassVar, Literal, NamedTuple, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..gaussian.channel import ModeChannel
from ..numerics import DARK, dense, is_concrete
from .mode_channel import fock_probability, multi_photon_probability

Scalar = Float[Array, ""]
Real = Scalar | float
Convention = Literal["leak", "clip", "ground", "mixed", "jc"]


class Process(eqx.Module):
    r"""What a qubit transfer does to the qubit.

    Attributes:
        entanglement_fidelity: :math:`F_e`, not heralded: whatever leaves the qubit is error, or goes where the convention puts it.
        leakage: L = 1 - tr(choi): the mean weight that the encoding counts as lost.
        multi_photon_probability: mean weight on two photons or more, whatever becomes of it.
        choi: J/2, index 2 in + out, trace 1 - L.
        success_probability: :math:`p_s`, exactly one photon in the two uses, mean over inputs. None for single rail, as all below.
        entanglement_fidelity_heralded: given success. NaN with zero gradient where :math:`p_s = 0`: the limit depends on n/eta there.
        choi_heralded: choi / p_s, trace 1.
        vacuum_probability: no photon in the two uses, a heralded erasure.
        pauli_x, pauli_y, pauli_z: error probabilities of the heralded channel (of its Pauli twirl, where the rails are unequal).
    """

    entanglement_fidelity: Scalar
    leakage: Scalar
    multi_photon_probability: Scalar
    choi: Complex[Array, "4 4"]
    success_probability: Scalar | None = None
    entanglement_fidelity_heralded: Scalar | None = None
    choi_heralded: Complex[Array, "4 4"] | None = None
    vacuum_probability: Scalar | None = None
    pauli_x: Scalar | None = None
    pauli_y: Scalar | None = None
    pauli_z: Scalar | None = None

    @property
    def average_fidelity(self) -> Scalar:
        r""":math:`(2F_e + 1 - L)/3`, exact over pure inputs, with leakage an error."""
        return (2 * self.entanglement_fidelity + 1 - self.leakage) / 3

    @property
    def average_fidelity_heralded(self) -> Scalar | None:
        r""":math:`(2F_e + 1)/3` of the heralded channel, inputs weighted by their success; None for single rail."""
        heralded = self.entanglement_fidelity_heralded
        return None if heralded is None else (2 * heralded + 1) / 3


class AbstractEncoding(eqx.Module):
    """How a qubit rides on photons. To add one: a final class with ``bins`` and ``process``; it gets a channel, and knows no link.

    Attributes:
        bins: how many photons' lengths one after the other it takes.
    """

    bins: eqx.AbstractClassVar[int]

    @abstractmethod
    def process(
        self,
        channel: ModeChannel,
        coherence: Real = 1.0,
        phase_jitter: Real = 0.0,
        differential_phase_jitter: Real | None = None,
    ) -> Process:
        r"""The qubit process of a transfer through the channel.

        Args:
            channel: (t, n) of one use.
            coherence: c, factor of :math:`|1\rangle\langle 0|` per use (emission times absorption), within 0 and 1.
            phase_jitter: sigma, rad rms per use.
            differential_phase_jitter: sigma_D, rad rms between the two uses; None for white jitter, sigma_D^2 = 2 sigma^2.

        Raises:
            ValueError: a concrete coherence outside 0 and 1.
        """


def _check_coherence(coherence: Real) -> None:
    if is_concrete(coherence) and (np.any(np.asarray(coherence) < 0) or np.any(np.asarray(coherence) > 1 + 1e-9)):
        raise ValueError(f"coherence must be within 0 and 1, but is {coherence}")


def _qubit_choi(p00: Scalar, p10: Scalar, p01: Scalar, p11: Scalar, coherence: Complex[Array, ""] | Scalar) -> Complex[Array, "4 4"]:
    """J/2 from P(out|in), written pOUTIN, and the factor of |1><0|."""
    return dense({(0, 0): p00, (1, 1): p10, (2, 2): p01, (3, 3): p11, (3, 0): coherence, (0, 3): jnp.conj(coherence)}, 4) / 2


_K = np.arange(512)  # photons that the swap pulse tells apart; (n/g)^512 is left out, below 1e-11 up to n = 20
_ROTATION = np.sqrt(_K) * np.pi / 2
_EXCITED = np.sin(_ROTATION) ** 2
_COHERENT = np.sqrt(_K + 1) * np.cos(_ROTATION) * np.sin(np.sqrt(_K + 1) * np.pi / 2)


def _swap_pulse(channel: ModeChannel) -> tuple[Scalar, Scalar, Scalar]:
    r"""Resonant Jaynes-Cummings swap: (P_e given 0 sent, P_e given 1 sent, factor of :math:`t/g^2` in the coherence).

    k photons leave the qubit excited with probability :math:`\sin^2(\sqrt{k}\,\pi/2)`.
    """
    eta, g = channel.efficiency, 1 + channel.noise
    x = channel.noise / g
    powers = x**_K
    lower = np.maximum(_K - 1, 0)
    from_vacuum = powers / g
    from_photon = _K * eta * x**lower / g**3 + (g - eta) * powers / g**2
    return from_vacuum @ _EXCITED, from_photon @ _EXCITED, powers @ _COHERENT


class SingleRail(AbstractEncoding):
    r"""No photon or one photon in one mode; phase referred to the carrier, so ``phase_jitter`` counts (``differential_...`` does not).

    What two photons or more become at the receiver is its convention:

    - ``leak``: lost; the map loses trace, and L is their mean weight :math:`n(\eta + n g)/g^3`. For all others L = 0.
    - ``clip``: the state 1. ``ground``: the state 0. ``mixed``: half of each.
    - ``jc``: what a resonant swap pulse makes of them.

    As :math:`F_e` holds :math:`\sqrt\eta`, :math:`dF_e/d\eta` diverges at :math:`\eta = 0` (a value above 1e40 is returned).

    Args:
        convention: static, as above.
        phase_calibrated: the receiver's frame takes up the phase of t, so that t is read as \|t\|; static.
    """

    bins: ClassVar[int] = 1
    convention: Convention = eqx.field(static=True, default="leak")
    phase_calibrated: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        if self.convention not in get_args(Convention):
            raise ValueError(f"SingleRail.convention must be one of {', '.join(get_args(Convention))}, but is {self.convention!r}")

    def process(
        self, channel: ModeChannel, coherence: Real = 1.0, phase_jitter: Real = 0.0, differential_phase_jitter: Real | None = None
    ) -> Process:
        """See ``AbstractEncoding.process``; ``differential_phase_jitter`` is not used."""
        _check_coherence(coherence)
        p00, p10, p01, p11 = (fock_probability(channel, out, in_) for in_ in (0, 1) for out in (0, 1))
        many0, many1 = (multi_photon_probability(channel, in_) for in_ in (0, 1))
        t = channel.modulus if self.phase_calibrated else channel.transmission
        coherent = t / (1 + channel.noise) ** 2 * coherence * jnp.exp(-(jnp.asarray(phase_jitter) ** 2) / 2)
        leakage = jnp.zeros_like(p00)
        match self.convention:
            case "leak":
                leakage = (many0 + many1) / 2
            case "clip":
                p10, p11 = p10 + many0, p11 + many1
            case "ground":
                p00, p01 = p00 + many0, p01 + many1
            case "mixed":
                p00, p10, p01, p11 = p00 + many0 / 2, p10 + many0 / 2, p01 + many1 / 2, p11 + many1 / 2
            case "jc":
                p10, p11, factor = _swap_pulse(channel)
                p00, p01, coherent = 1 - p10, 1 - p11, coherent * factor
        return Process(
            entanglement_fidelity=(p00 + p11 + 2 * jnp.real(coherent)) / 4,
            leakage=leakage,
            multi_photon_probability=(many0 + many1) / 2,
            choi=_qubit_choi(p00, p10, p01, p11, coherent),
        )


class _Rail(NamedTuple):
    """One of two uses: the probabilities P(out|in), written pOUTIN, and what forms the coherence and the phase errors."""

    p00: Scalar
    p10: Scalar
    p01: Scalar
    p11: Scalar
    some0: Scalar  # one photon or more for none sent
    many0: Scalar  # two photons or more for none sent
    many1: Scalar  # two photons or more for one sent
    replaced: Scalar  # the part n (g - eta) / g^3 of p11: the photon is lost and a noise photon stands in its place
    amplitude: Scalar  # |t| / g


def _rail(channel: ModeChannel) -> _Rail:
    p00, p10, p01, p11 = (fock_probability(channel, out, in_) for in_ in (0, 1) for out in (0, 1))
    many0, many1 = (multi_photon_probability(channel, in_) for in_ in (0, 1))
    some0 = channel.noise * p00
    return _Rail(p00, p10, p01, p11, some0, many0, many1, replaced=p01 * some0, amplitude=channel.modulus * p00)


def _coherence_factors(coherence: Real, phase_jitter: Real, differential_phase_jitter: Real | None) -> tuple[Scalar, Scalar]:
    """(v, 1 - v), the second without cancellation."""
    _check_coherence(coherence)
    c = jnp.asarray(coherence, float)
    white = differential_phase_jitter is None
    half_variance = jnp.asarray(phase_jitter, float) ** 2 if white else jnp.asarray(differential_phase_jitter, float) ** 2 / 2
    kept = jnp.exp(-half_variance)
    return c**2 * kept, (1 - c) * (1 + c) * kept - jnp.expm1(-half_variance)


def _two_rails(a: _Rail, b: _Rail, v: Scalar, dephased: Scalar) -> Process:
    """One photon shared by two uses, a for logical 0 and b for logical 1; v the coherence, dephased = 1 - v."""
    stay_a, stay_b = a.p11 * b.p00, b.p11 * a.p00
    flip_a, flip_b = a.p01 * b.p10, b.p01 * a.p10
    both = a.amplitude * b.amplitude
    scale = a.p00 * b.p00  # 1 / (g_a g_b)
    coherent = v * both * scale
    success = (stay_a + stay_b + flip_a + flip_b) / 2
    vacuum = (a.p01 * b.p00 + b.p01 * a.p00) / 2
    many = (a.many1 + a.p01 * b.many0 + a.p11 * b.some0 + b.many1 + b.p01 * a.many0 + b.p11 * a.some0) / 2
    # stay_a + stay_b - 2 coherent, without cancellation:
    phase = scale * ((a.amplitude - b.amplitude) ** 2 + 2 * dephased * both) + a.replaced * b.p00 + b.replaced * a.p00
    unheralded = (stay_a + stay_b + 2 * coherent) / 4
    choi = _qubit_choi(stay_a, flip_a, flip_b, stay_b, coherent)
    dark = success < DARK
    safe = jnp.where(dark, 1.0, success)

    def given_success(value):
        return jnp.where(dark, jnp.nan, value / safe)

    return Process(
        entanglement_fidelity=unheralded,
        leakage=vacuum + many,
        multi_photon_probability=many,
        choi=choi,
        success_probability=success,
        entanglement_fidelity_heralded=given_success(unheralded),
        choi_heralded=given_success(choi),
        vacuum_probability=vacuum,
        pauli_x=given_success((flip_a + flip_b) / 4),
        pauli_y=given_success((flip_a + flip_b) / 4),
        pauli_z=given_success(phase / 4),
    )


def _two_uses(channel: ModeChannel, coherence: Real, phase_jitter: Real, differential_phase_jitter: Real | None) -> Process:
    rail = _rail(channel)
    return _two_rails(rail, rail, *_coherence_factors(coherence, phase_jitter, differential_phase_jitter))


class DualRail(AbstractEncoding):
    r"""One photon in one of two modes at one time; the jitter that counts is between the two modes at that time.

    :math:`p_s = A + B = [\eta + 2n(g - \eta)]/g^4`, the same for every input, and the heralded channel is Pauli with
    :math:`p_x = p_y = B/2p_s`, :math:`p_z = (A - C)/2p_s`. Not heralded, :math:`F_e = (A + C)/2` and :math:`L = 1 - p_s`;
    that fidelity *rises* with noise at :math:`\eta < 1/9`, by :math:`(1 - 9\eta)/2` per photon: noise makes photons where none arrive.
    """

    bins: ClassVar[int] = 1

    def process(
        self, channel: ModeChannel, coherence: Real = 1.0, phase_jitter: Real = 0.0, differential_phase_jitter: Real | None = None
    ) -> Process:
        """See ``AbstractEncoding.process``."""
        return _two_uses(channel, coherence, phase_jitter, differential_phase_jitter)

    def process_unequal(
        self,
        channel_a: ModeChannel,
        channel_b: ModeChannel,
        coherence: Real = 1.0,
        phase_jitter: Real = 0.0,
        differential_phase_jitter: Real | None = None,
    ) -> Process:
        r"""Two different channels: a carries logical 0, b logical 1.

        .. math:: F_e = \tfrac14(A_{ab} + A_{ba} + 2C), \quad A_{ab} = P^a_{1|1}P^b_{0|0}, \quad
                  C = v\sqrt{\eta_a\eta_b}/(g_a^2 g_b^2)

        Success depends on the input here; its mean over inputs is given, and the heralded figures are weighted by it. The phase
        between the rails is taken as calibrated. Unequal coherences: give the geometric mean.
        """
        factors = _coherence_factors(coherence, phase_jitter, differential_phase_jitter)
        return _two_rails(_rail(channel_a), _rail(channel_b), *factors)


class TimeBin(AbstractEncoding):
    r"""One photon in one of two successive bins of one mode: two identical uses, with the closed forms of ``DualRail``.

    The jitter that counts is the increment over the bin separation: :math:`\sigma_D^2 = 2\sigma^2` only where the phase noise is white
    on that scale; give ``differential_phase_jitter`` where it is slower.
    """

    bins: ClassVar[int] = 2

    def process(
        self, channel: ModeChannel, coherence: Real = 1.0, phase_jitter: Real = 0.0, differential_phase_jitter: Real | None = None
    ) -> Process:
        """See ``AbstractEncoding.process``."""
        return _two_uses(channel, coherence, phase_jitter, differential_phase_jitter)
