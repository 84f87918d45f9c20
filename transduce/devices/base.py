r"""What every transducer is: a data sheet that builds a linear system, and the answers that follow from it.

To add a platform write one file beside this one with one final class. It declares its fields with ``parameters`` (unit, domain, box),
checks them in ``__check_init__`` (end it with ``self.check()``), and defines one method, ``linear_system()``, whose modes are named
"microwave", "optical" and what else it has, and whose ports are "microwave" (the waveguide), "optical" (the fibre) and one for every
bath. All answers below, the links, the files and the optimiser then work. Its test file names its cases, inherits every law of
``tests/devices/laws.py`` and adds an independent witness with its citation.

Conventions: fields are the symbols of the papers, rates in rad/s inside; ``detuning_x`` is mode minus frame; ``pump_detuning`` is pump
minus cavity; occupations are normal-ordered.
"""

import abc
import dataclasses
import functools
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from .. import parameters
from ..linear.conversion import Conversion
from ..linear.lineshape import Band, band, peak_frequency
from ..linear.noise import output_noise
from ..linear.path import Path
from ..linear.system import LinearSystem, Port, marked
from ..numerics import DARK, abs2, bose, is_concrete, sqrt
from ..parameters import Scalar
from ..units import GHz, K, MHz, THz, hbar, kHz, show
from .heating import COOLING_POWER, AbstractHeating, ConductanceHeating, exponent

RATE, ENERGY = 2.0**27, 2.0**-63
"""Units (rad/s, J) near a linewidth and a photon, in which float32 holds the squares that derivatives ask for; exact, as powers of two."""


class Drive(NamedTuple):
    """A pump at work: the enhanced coupling it makes (rad/s) and its power (W; None where only a cooperativity was stated)."""

    coupling: Scalar
    power: Scalar | None
    photons: Scalar | None


class AbstractDevice(eqx.Module):
    """A microwave-optical transducer at one operating point; frequencies as ``1.5 * MHz``.

    Attributes:
        frequency_e, frequency_o: mode frequencies; they set thermal occupations and the energy of a pump photon.
        kappa_e_ext, kappa_e_int, kappa_o_ext, kappa_o_int: energy decay rates to the waveguide or fibre and to the rest.
        mode_match: power overlap of the fibre's and the optical cavity's spatial modes.
        temperature: of every bath that is not named below (K).
        temperature_e_ext, temperature_e_int: of the microwave waveguide and of the microwave losses (K).
        n_e_ext, n_e_int, n_o_ext, n_o_int: occupations, each instead of a temperature.
        detuning_e, detuning_o: mode minus frame.
        heating: the law by which the optical pump heats baths: by default the one that the class names, ``HEATED``.
        heating_conductance, heating_exponent: G, q; short for ``heating=ConductanceHeating(...)``: T^q = T0^q + x P / G.
        absorbed_fraction: x, of the pumps' power, that stays at the device's stage.
        duty_cycle: how much of the time the pumps are on. Pump powers are peak; the mean is duty cycle times peak.
    """

    frequency_e: Scalar = parameters.frequency(5 * GHz)
    frequency_o: Scalar = parameters.frequency(193.4 * THz)
    kappa_e_ext: Scalar = parameters.rate(box=(10 * kHz, 100 * MHz))
    kappa_e_int: Scalar = parameters.rate(box=(10 * kHz, 100 * MHz))
    kappa_o_ext: Scalar = parameters.rate(box=(100 * kHz, 10 * GHz))
    kappa_o_int: Scalar = parameters.rate(box=(100 * kHz, 10 * GHz))
    mode_match: Scalar = parameters.fraction(1.0, box=(0.1, 1.0))
    temperature: Scalar = parameters.temperature(0.0, box=(0.001 * K, 4 * K))
    temperature_e_ext: Scalar | None = parameters.temperature(None, box=(0.001 * K, 4 * K))
    temperature_e_int: Scalar | None = parameters.temperature(None, box=(0.001 * K, 4 * K))
    n_e_ext: Scalar | None = parameters.number(None)
    n_e_int: Scalar | None = parameters.number(None)
    n_o_ext: Scalar | None = parameters.number(None)
    n_o_int: Scalar | None = parameters.number(None)
    detuning_e: Scalar = parameters.detuning(0.0)
    detuning_o: Scalar = parameters.detuning(0.0)
    heating_conductance: Scalar | None = parameters.conductance(None)
    heating_exponent: Scalar = exponent(3.0)
    absorbed_fraction: Scalar = parameters.fraction(1.0)
    duty_cycle: Scalar = parameters.fraction(1.0)
    heating: AbstractHeating | None = eqx.field(default=None, kw_only=True)
    HEATED: ClassVar[str]

    @abc.abstractmethod
    def linear_system(self) -> LinearSystem:
        """The modes, couplings and ports at this operating point."""

    @abc.abstractmethod
    def drives(self) -> dict[str, Drive]:
        """The pumps at work, by the name of the mode that each one drives."""

    # --- for the device classes ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Domains, and that no bath is stated twice."""
        parameters.check(self)
        for name in parameters.fields_of(self):
            occupation = name.replace("temperature_", "n_")
            if name != occupation and getattr(self, name) is not None and getattr(self, occupation) is not None:
                raise ValueError(f"{type(self).__name__}.{occupation} must not be given beside {name}: state one of them")
        self._check_heating()

    def _check_heating(self) -> None:
        """The law is stated once, heats baths that exist, and says something at this power."""
        law, name = self.heating_law(), type(self).__name__
        if law is None:
            return
        heated = law.baths or (self.HEATED,)
        if isinstance(law, ConductanceHeating):
            for stated in (bath for bath in heated if getattr(self, f"n_{bath}", None) is not None):
                raise ValueError(f"{name}.n_{stated} must not be given where the pump heats that bath: state its temperature")
        if self.heating is None:
            return
        if self.heating_conductance is not None:
            raise ValueError(f"{name}.heating must not be given beside heating_conductance: state one of them")
        known = [item.name[2:] for item in dataclasses.fields(self) if item.name.startswith("n_") and item.default is None]
        for bath in heated:
            if bath not in known:
                raise ValueError(f"{name}.heating must heat one of the baths {', '.join(known)}, but heats {bath!r}")
        if "optical" not in eqx.filter_eval_shape(type(self).drives, self):
            raise ValueError(f"{name}.heating must not be given, as no optical pump is modelled: state temperatures")
        light = self.drives()["optical"].power
        if light is None:
            raise ValueError(f"{name}.heating must not be given where the pump's power is not known: state it, or the coupling per photon")
        absorbed = self._absorbed(law, light)
        if is_concrete(absorbed) and jnp.any(jnp.isnan(law.added(absorbed))):
            most = show(float(jnp.max(absorbed)), "power")
            raise ValueError(f"{name}.heating must be known at the power that is absorbed, but its table does not reach {most}")

    @property
    def heats(self) -> bool:
        """Whether a law of heating is stated."""
        return self.heating is not None or self.heating_conductance is not None

    def heating_law(self) -> AbstractHeating | None:
        """The law by which the optical pump heats; None where it does not."""
        if self.heating_conductance is None:
            return self.heating
        return ConductanceHeating(conductance=self.heating_conductance, exponent=self.heating_exponent)

    def _absorbed(self, law: AbstractHeating, pump_power: Scalar) -> Scalar:
        """The absorbed power (W) that a law follows."""
        peak = self.absorbed_fraction * pump_power
        return self.duty_cycle * peak if law.driven_by == "mean" else peak

    def bath(self, name: str, frequency: Scalar, absorbed: Scalar | None = None) -> Scalar:
        """Occupation of a bath: as stated, or Bose at its temperature; by the law of heating where it heats this bath.

        Args:
            name: of the bath, as in ``n_...``.
            frequency: at which it is asked (rad/s).
            absorbed: peak power of the pump of which the absorbed fraction heats (W); None: cold.
        """
        stated, law = getattr(self, f"n_{name}"), self._heats(name, absorbed)
        own = stated if stated is not None else bose(frequency, self.bath_temperature(name, absorbed))
        return own if law is None or absorbed is None else own + law.added(self._absorbed(law, absorbed))

    def bath_temperature(self, name: str, absorbed: Scalar | None = None) -> Scalar:
        """Temperature of a bath (K), warmed by the law of heating where one heats it by a conductance; arguments as of ``bath``."""
        stated = {known: getattr(self, known) for known in parameters.fields_of(self)}
        own, law = stated.get(f"temperature_{name}"), self._heats(name, absorbed)
        base = self.temperature if own is None else own
        return base if law is None or absorbed is None else law.temperature(base, self._absorbed(law, absorbed))

    def _heats(self, name: str, absorbed: Scalar | None) -> AbstractHeating | None:
        law = None if absorbed is None else self.heating_law()
        return law if law is not None and name in (law.baths or (self.HEATED,)) else None

    def ports(self, absorbed: Scalar | None = None) -> dict[str, Port]:
        """The microwave and optical ports every device has; the law of heating says which of them the pump power ``absorbed`` heats."""
        optical = self.bath("o_ext", self.frequency_o, absorbed)
        return {
            "microwave": Port("microwave", self.kappa_e_ext, self.bath("e_ext", self.frequency_e, absorbed)),
            "microwave loss": Port("microwave", self.kappa_e_int, self.bath("e_int", self.frequency_e, absorbed)),
            "optical": Port("optical", self.mode_match * self.kappa_o_ext, optical),
            "optical mismatch": Port("optical", (1 - self.mode_match) * self.kappa_o_ext, optical),
            "optical loss": Port("optical", self.kappa_o_int, self.bath("o_int", self.frequency_o, absorbed)),
        }

    # --- answers ---------------------------------------------------------------------------------------------------------------------

    def gate(self) -> None:
        """Raise where the device is unstable and what decides on that is concrete; of a traced one the answers are NaN there.

        Raises:
            UnstableError: it has no steady state.
        """
        if structure(self).active and any(is_concrete(jax.lax.stop_gradient(leaf)) for leaf in jax.tree.leaves(self)):
            self.linear_system().gate()

    def carrier(self, source: str = "microwave", target: str = "optical") -> Scalar:
        """Where |S| from source to target is largest, as an offset from the device's frame (rad/s), with its gradient."""
        self.gate()
        return self._carrier(source, target)

    @eqx.filter_jit
    def _carrier(self, source: str, target: str) -> Scalar:
        system, stable = self.linear_system().gate()
        return marked(carrier(system.conversion(source, target), system.poles(target)), stable)

    @eqx.filter_jit
    def _power(self, source: str, target: str, omega: Scalar | None) -> Float[Array, ""]:
        system, stable = self.linear_system().gate()
        conversion = system.conversion(source, target)
        return marked(conversion.power(carrier(conversion, system.poles(target)) if omega is None else omega), stable)

    def efficiency(self, source: str = "microwave", target: str = "optical", omega: Scalar | None = None) -> Float[Array, ""]:
        """|S|^2 from source to target at an offset from the frame (rad/s); by default at the carrier."""
        self.gate()
        return self._power(source, target, None if omega is None else jnp.asarray(omega, float))

    def efficiency_internal(self, source: str = "microwave", target: str = "optical", omega: Scalar | None = None) -> Float[Array, ""]:
        """Efficiency over the product of both escape efficiencies eta = kappa_ext / kappa (mode match included)."""
        system = self.linear_system()
        return self.efficiency(source, target, omega) / (escape_efficiency(system, source) * escape_efficiency(system, target))

    def band(self, source: str = "microwave", target: str = "optical") -> Band:
        """The band around the carrier where |S|^2 is at least half of its largest value there."""
        self.gate()
        return self._band(source, target)

    @eqx.filter_jit
    def _band(self, source: str, target: str) -> Band:
        system, stable = self.linear_system().gate()
        conversion, poles = system.conversion(source, target), system.poles(target)
        found = band(conversion.shape, poles, carrier(conversion, poles))
        return marked(found._replace(peak=found.peak * conversion.strength), stable)

    def bandwidth_fwhm(self, source: str = "microwave", target: str = "optical") -> Float[Array, ""]:
        """Full width at half maximum of |S|^2 around the carrier (rad/s)."""
        return self.band(source, target).fwhm

    @eqx.filter_jit
    def _added_noise_input(self, source: str, target: str, omega: Scalar | None) -> Float[Array, ""]:
        system, stable = self.linear_system().gate()
        conversion = system.conversion(source, target)
        return marked(conversion.added_noise(carrier(conversion, system.poles(target)) if omega is None else omega), stable)

    def added_noise_input(self, source: str = "microwave", target: str = "optical", omega: Scalar | None = None) -> Float[Array, ""]:
        """Added noise referred to the source (photons/s/Hz, normal-ordered), by default at the carrier."""
        self.gate()
        return self._added_noise_input(source, target, None if omega is None else jnp.asarray(omega, float))

    def back_action_occupation(self, source: str = "microwave", target: str = "optical", omega: Scalar | None = None) -> Float[Array, ""]:
        """Photons/s/Hz that the device sends back out of the source port, by default at the carrier: the noise that side sees."""
        self.gate()
        return self._back_action_occupation(source, target, None if omega is None else jnp.asarray(omega, float))

    @eqx.filter_jit
    def _back_action_occupation(self, source: str, target: str, omega: Scalar | None) -> Float[Array, ""]:
        system, stable = self.linear_system().gate()
        at = carrier(system.conversion(source, target), system.poles(target)) if omega is None else omega
        return marked(output_noise(system.amplitudes(source, at), system.occupation), stable)

    def cooperativities(self) -> dict[str, Float[Array, ""]]:
        """C = 4 g^2 / (kappa_i kappa_j) of each coupled pair of modes, by "mode-mode"."""
        system = self.linear_system()
        damping = [
            sum(abs2(c) for c, (_, m) in zip(system.coupling, system.contacts, strict=True) if m == mode)
            for mode in range(len(system.modes))
        ]
        edges = [*zip(system.hopping_edges, system.hopping, strict=True), *zip(system.squeezing_edges, system.squeezing, strict=True)]
        return {f"{system.modes[i]}-{system.modes[j]}": 4 * abs2(jnp.asarray(g)) / (damping[i] * damping[j]) for (i, j), g in edges}

    def absorbed_power(self) -> Scalar | None:
        """Mean power that stays at the device's stage: duty cycle x absorbed fraction x the power of all pumps (W).

        None where it is not known: a pump stated by its cooperativity alone, or no pump modelled.
        """
        powers = [pump.power for pump in self.drives().values()]
        known = [one for one in powers if one is not None]
        return self.duty_cycle * self.absorbed_fraction * sum(known) if known and len(known) == len(powers) else None

    def refrigerator_share(self, cooling_power: Scalar | float = COOLING_POWER) -> Scalar | None:
        """The absorbed mean power over what the refrigerator carries away at that stage (W; 20 uW, as at 20 mK); None as there."""
        absorbed = self.absorbed_power()
        return None if absorbed is None else absorbed / cooling_power

    def stability_margin(self) -> Float[Array, ""]:
        """How fast the slowest disturbance dies (rad/s); negative where the device is unstable. No gradient passes."""
        return self.linear_system().stability_margin()

    def is_stable(self) -> bool | Array:
        """Whether a steady state exists."""
        return self.linear_system().is_stable()

    def __repr__(self) -> str:
        stated = {name: (known.dimension, getattr(self, name)) for name, known in parameters.fields_of(self).items()}
        stated = {name: found for name, found in stated.items() if found[1] is not None}
        if not is_concrete(*(value for _, value in stated.values())) or any(jnp.ndim(value) for _, value in stated.values()):
            return eqx.tree_pformat(self)
        return "\n".join([type(self).__name__, *(f"  {name:<22}{show(float(value), kind)}" for name, (kind, value) in stated.items())])


@eqx.filter_jit
def carrier(conversion: Path | Conversion, poles: Complex[Array, " k"]) -> Scalar:
    """The offset (rad/s) where |S| is largest, with the gradient of the implicit equation d|S|^2/dw = 0."""
    found = peak_frequency(conversion.shape, poles)
    height, slope, curvature = conversion.slopes(found)
    flat = (height < DARK) | (jnp.abs(curvature) <= 1e-9 * height / jnp.max(jnp.abs(poles)) ** 2)
    return found - jnp.where(flat, 0.0, slope / jax.lax.stop_gradient(jnp.where(flat, 1.0, curvature)))


def structure(device: AbstractDevice) -> LinearSystem:
    """A device's linear system without its numbers: modes, ports, edges, signs."""
    leaves, tree = jax.tree.flatten(device)
    return _structure(tree, tuple(jnp.shape(leaf) for leaf in leaves))


@functools.lru_cache
def _structure(tree: Any, shapes: tuple[tuple[int, ...], ...]) -> LinearSystem:
    device = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(shape, float) for shape in shapes])
    return eqx.filter_eval_shape(type(device).linear_system, device)


def escape_efficiency(system: LinearSystem, port: str) -> Float[Array, ""]:
    """eta = kappa_port / kappa of the mode that a port damps."""
    index = system.index(port)
    mode = next(m for p, m in system.contacts if p == index)
    rates = [abs2(c) for c, (_, m) in zip(system.coupling, system.contacts, strict=True) if m == mode]
    return abs2(system.coupling[index]) / sum(rates)


def drive(
    *,
    kappa_ext: Scalar,
    kappa: Scalar,
    other: Scalar,
    detuning: Scalar,
    frequency: Scalar,
    g0: Scalar | None,
    pump_power: Scalar | None,
    photons: Scalar | None,
    cooperativity: Scalar | None,
) -> Drive:
    r"""A pump from its power, its intracavity photons, or the cooperativity it makes.

    .. math:: n_p = \frac{\kappa_{ext}}{(\kappa/2)^2 + \Delta^2} \frac{P}{\hbar\omega_p}, \quad g = \sqrt{n_p}\, g_0, \quad
              C = \frac{4g^2}{\kappa\kappa'}

    Args:
        kappa_ext, kappa: of the pumped mode (rad/s).
        other: kappa' of the other mode of the cooperativity (rad/s).
        detuning: pump minus cavity (rad/s).
        frequency: of the pump (rad/s).
        g0: single-photon coupling (rad/s); may be absent beside a cooperativity.
        pump_power, photons, cooperativity: exactly one of them.
    """
    energy = hbar / ENERGY * frequency
    per_watt = kappa_ext / RATE / energy / ((kappa / 2 / RATE) ** 2 + (detuning / RATE) ** 2) * (1 / ENERGY / RATE)
    if cooperativity is not None:
        coupling = sqrt(cooperativity * kappa * other) / 2
        photons = None if g0 is None else cooperativity * kappa * other / (4 * g0**2)
        return Drive(coupling, None if photons is None else photons / per_watt, photons)
    if pump_power is not None:
        photons = per_watt * pump_power
    elif photons is not None:
        pump_power = photons / per_watt
    assert photons is not None and g0 is not None  # require_one, and the device's own check
    return Drive(g0 * sqrt(photons), pump_power, photons)


def red(device: AbstractDevice, field: str, detuning: Scalar) -> Scalar:
    """A pump detuning in the rotating-wave model, which keeps the sideband of a red pump only; NaN where a traced one is not red.

    Raises:
        ValueError: a concrete one is not below 0.
    """
    if is_concrete(detuning) and bool(jnp.any(detuning >= 0)):
        what = f'must be below 0 in the rotating-wave model, but is {show(float(jnp.max(detuning)), "rate")}; use model="full"'
        raise ValueError(f"{type(device).__name__}.{field} {what}")
    return jnp.where(detuning < 0, detuning, jnp.nan)


def require_one(device: AbstractDevice, *names: str) -> None:
    """Exactly one of these fields is given.

    Raises:
        ValueError: none or several are.
    """
    given = [name for name in names if getattr(device, name) is not None]
    if len(given) != 1:
        raise ValueError(f"{type(device).__name__} must have exactly one of {', '.join(names)}, but has {', '.join(given) or 'none'}")
