r"""Electro-optomechanical transducer (membrane): a mechanical mode (m) joined to a microwave and to an optical cavity by two pumps.

In the frames of the pumps, with :math:`\Delta_j` = pump minus cavity and :math:`G_j = \sqrt{n_j}\, g_{0,j}`,

.. math:: H = \omega_m m^\dagger m - \Delta_e e^\dagger e - \Delta_o o^\dagger o + \sum_j G_j (a_j + a_j^\dagger)(m + m^\dagger)

(``model="full"``); the rotating-wave form keeps :math:`G_j (a_j^\dagger m + h.c.)` in the frame at :math:`\omega_m`. Mechanical loss is
:math:`L = \sqrt{\gamma_m}\, m`. With :math:`C_j = 4G_j^2/(\kappa_j\gamma_m)` the rotating-wave device on resonance has
:math:`\eta = \eta_e\eta_o\, 4C_eC_o/(1+C_e+C_o)^2` and, weakly coupled, a bandwidth :math:`\gamma_m(1+C_e+C_o)`.

Each cavity damps the mechanics at :math:`\Gamma_j^-`, heats it at :math:`\Gamma_j^+` and shifts it (``Sideband``); resolved or not, with
:math:`\Gamma_T = \gamma_m + \sum_j(\Gamma_j^- - \Gamma_j^+)` and :math:`A_j = \Gamma_j^-/(\Gamma_j^- - \Gamma_j^+)`, at the shifted line

.. math:: \eta = \frac{4\eta_e\eta_o\Gamma_e^-\Gamma_o^-}{\Gamma_T^2}, \qquad
          N_{add} = \frac{\gamma_m n_m + \Gamma_e^+ + \Gamma_o^+}{\eta_e\Gamma_e^-} \quad (e \to o, \text{ cold fields})

up to :math:`O(G^2/\omega_m^2, G^2/\kappa^2)`. A pump on the red sideband, :math:`\Delta_j = -\omega_m`, has
:math:`A_j = 1 + (\kappa_j/4\omega_m)^2`.

Source: Andrews et al., Nat. Phys. 10, 321 (2014); Higginbotham et al., Nat. Phys. 14, 1038 (2018).
"""

from typing import ClassVar, Literal, NamedTuple

import equinox as eqx

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..parameters import Scalar
from ..units import GHz, MHz, mW
from .base import AbstractDevice, Drive, drive, escape_efficiency, red, require_one


class Sideband(NamedTuple):
    r"""What one pumped cavity does to the mechanics, to first order in G^2 (rad/s):

    .. math:: \Gamma^\mp = \frac{G^2\kappa}{(\kappa/2)^2 + (\Delta\pm\omega_m)^2}, \qquad
              \delta\omega = \sum_\pm \frac{G^2(\Delta\pm\omega_m)}{(\kappa/2)^2 + (\Delta\pm\omega_m)^2}

    Attributes:
        cooling: Gamma^-, at which phonons leave as anti-Stokes photons.
        heating: Gamma^+, at which they come with Stokes photons; 0 in the rotating-wave model.
        spring: the shift of the mechanical frequency; its upper sign alone in the rotating-wave model.
    """

    cooling: Scalar
    heating: Scalar
    spring: Scalar

    @property
    def gain(self) -> Scalar:
        """A = Gamma^- / (Gamma^- - Gamma^+)."""
        return self.cooling / (self.cooling - self.heating)


class ElectroOptomechanical(AbstractDevice):
    """A membrane transducer. The fields of ``AbstractDevice``, and:

    Attributes:
        frequency_m, gamma_m: mechanical frequency and energy decay rate.
        g0_e, g0_o: single-photon couplings, zero-point motion included.
        pump_power_e, pump_photons_e, cooperativity_e: exactly one; likewise for o. Powers are peak, in the cavity's own mode (W).
        pump_detuning_e, pump_detuning_o: pump minus cavity; by default -frequency_m. ``detuning_e``, ``detuning_o`` come on top.
        temperature_m, n_m: of the mechanical bath. The optical pump heats it.
        model: "rotating-wave", or "full" with the counter-rotating terms at finite sideband resolution.
    """

    frequency_m: Scalar = parameters.frequency(box=(0.1 * MHz, 10 * GHz))
    gamma_m: Scalar = parameters.rate(box=(1e-9 * MHz, 10 * MHz))
    g0_e: Scalar | None = parameters.rate(None, box=(1e-6 * MHz, 1 * MHz))
    g0_o: Scalar | None = parameters.rate(None, box=(1e-6 * MHz, 1 * MHz))
    pump_power_e: Scalar | None = parameters.power(None, box=(1e-15, 1e-3))
    pump_power_o: Scalar | None = parameters.power(None, box=(1e-9, 10 * mW))
    pump_photons_e: Scalar | None = parameters.number(None, box=(1.0, 1e12))
    pump_photons_o: Scalar | None = parameters.number(None, box=(1.0, 1e12))
    cooperativity_e: Scalar | None = parameters.number(None, box=(1e-3, 1e4))
    cooperativity_o: Scalar | None = parameters.number(None, box=(1e-3, 1e4))
    pump_detuning_e: Scalar | None = parameters.detuning(None)
    pump_detuning_o: Scalar | None = parameters.detuning(None)
    temperature_m: Scalar | None = parameters.temperature(None, box=(1e-3, 4.0))
    n_m: Scalar | None = parameters.number(None)
    model: Literal["rotating-wave", "full"] = eqx.field(default="rotating-wave", static=True, kw_only=True)
    HEATED: ClassVar[str] = "m"

    def __check_init__(self) -> None:
        if self.model not in ("rotating-wave", "full"):
            raise ValueError(f'ElectroOptomechanical.model must be "rotating-wave" or "full", but is {self.model!r}')
        for side, heats in (("e", False), ("o", self.heats)):
            require_one(self, f"pump_power_{side}", f"pump_photons_{side}", f"cooperativity_{side}")
            if getattr(self, f"g0_{side}") is None and (getattr(self, f"cooperativity_{side}") is None or heats):
                raise ValueError(f"ElectroOptomechanical.g0_{side} must be given: the pump's photons make the coupling or heat a bath")
        self.check()
        self._pump_detunings()

    def _pump_detunings(self) -> tuple[Scalar, Scalar]:
        given = (self.pump_detuning_e, self.pump_detuning_o)
        delta_e, delta_o = (-self.frequency_m if delta is None else delta for delta in given)
        if self.model == "full":
            return delta_e, delta_o
        return red(self, "pump_detuning_e", delta_e), red(self, "pump_detuning_o", delta_o)

    def drives(self) -> dict[str, Drive]:
        """The microwave and the optical pump."""
        delta_e, delta_o = self._pump_detunings()
        microwave = drive(
            kappa_ext=self.kappa_e_ext,
            kappa=self.kappa_e_ext + self.kappa_e_int,
            other=self.gamma_m,
            detuning=delta_e,
            frequency=self.frequency_e,
            g0=self.g0_e,
            pump_power=self.pump_power_e,
            photons=self.pump_photons_e,
            cooperativity=self.cooperativity_e,
        )
        optical = drive(
            kappa_ext=self.kappa_o_ext,
            kappa=self.kappa_o_ext + self.kappa_o_int,
            other=self.gamma_m,
            detuning=delta_o,
            frequency=self.frequency_o,
            g0=self.g0_o,
            pump_power=self.pump_power_o,
            photons=self.pump_photons_o,
            cooperativity=self.cooperativity_o,
        )
        return {"microwave": microwave, "optical": optical}

    def linear_system(self) -> LinearSystem:
        """Modes microwave, mechanical and optical; the frame is the pumps' ("full") or at the mechanical frequency."""
        pumps, (delta_e, delta_o) = self.drives(), self._pump_detunings()
        full = self.model == "full"
        frame = 0.0 if full else self.frequency_m
        modes = {
            "microwave": self.detuning_e - delta_e - frame,
            "optical": self.detuning_o - delta_o - frame,
            "mechanical": self.frequency_m - frame,
        }
        light = pumps["optical"].power
        ports = self.ports(light) | {"mechanical": Port("mechanical", self.gamma_m, self.bath("m", self.frequency_m, light))}
        edges = {("microwave", "mechanical"): pumps["microwave"].coupling, ("optical", "mechanical"): pumps["optical"].coupling}
        return LinearSystem.build(modes, ports, hopping=edges, squeezing=edges if full else None)

    def sidebands(self) -> dict[str, Sideband]:
        """What the two cavities, "microwave" and "optical", do to the mechanics."""
        kappas = (self.kappa_e_ext + self.kappa_e_int, self.kappa_o_ext + self.kappa_o_int)
        deltas = [delta - own for delta, own in zip(self._pump_detunings(), (self.detuning_e, self.detuning_o), strict=True)]
        counter = 1.0 if self.model == "full" else 0.0
        found = {}
        for (mode, pump), kappa, delta in zip(self.drives().items(), kappas, deltas, strict=True):
            red, blue = delta + self.frequency_m, delta - self.frequency_m
            near, far = (pump.coupling**2 / ((kappa / 2) ** 2 + offset**2) for offset in (red, blue))
            found[mode] = Sideband(kappa * near, counter * kappa * far, red * near + counter * blue * far)
        return found

    def spring_shifted_frequency(self) -> Scalar:
        """omega_m and both cavities' springs (rad/s), the line where ``model="full"`` converts, to first order in G^2."""
        return self.frequency_m + sum(side.spring for side in self.sidebands().values())

    def damped_linewidth(self) -> Scalar:
        """Gamma_T = gamma_m + sum of Gamma^- - Gamma^+ (rad/s), the mechanical line's full width, to first order in G^2."""
        return self.gamma_m + sum(side.cooling - side.heating for side in self.sidebands().values())

    def added_noise_floor(self, source: str = "microwave") -> Scalar:
        """(Gamma_e^+ + Gamma_o^+) / (eta Gamma^-) of the source: input-referred noise that no cold bath removes, to first order in G^2."""
        sides = self.sidebands()
        return sum(side.heating for side in sides.values()) / (escape_efficiency(self.linear_system(), source) * sides[source].cooling)
