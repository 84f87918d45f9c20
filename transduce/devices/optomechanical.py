r"""Electro-optomechanical transducer (membrane): a mechanical mode (m) joined to a microwave and to an optical cavity by two pumps.

In the frames of the pumps, with :math:`\Delta_j` = pump minus cavity and :math:`G_j = \sqrt{n_j}\, g_{0,j}`,

.. math:: H = \omega_m m^\dagger m - \Delta_e e^\dagger e - \Delta_o o^\dagger o + \sum_j G_j (a_j + a_j^\dagger)(m + m^\dagger)

(``model="full"``); the rotating-wave form keeps :math:`G_j (a_j^\dagger m + h.c.)` in the frame at :math:`\omega_m`. Mechanical loss is
:math:`L = \sqrt{\gamma_m}\, m`. With :math:`C_j = 4G_j^2/(\kappa_j\gamma_m)` the rotating-wave device on resonance has
:math:`\eta = \eta_e\eta_o\, 4C_eC_o/(1+C_e+C_o)^2` and, weakly coupled, a bandwidth :math:`\gamma_m(1+C_e+C_o)`.

Source: Andrews et al., Nat. Phys. 10, 321 (2014); Higginbotham et al., Nat. Phys. 14, 1038 (2018).
"""

from typing import ClassVar, Literal

import equinox as eqx

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..parameters import Scalar
from ..units import GHz, MHz, mW
from .base import AbstractDevice, Drive, drive, require_one


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
        for side, heats in (("e", False), ("o", self.heating_conductance is not None)):
            require_one(self, f"pump_power_{side}", f"pump_photons_{side}", f"cooperativity_{side}")
            if getattr(self, f"g0_{side}") is None and (getattr(self, f"cooperativity_{side}") is None or heats):
                raise ValueError(f"ElectroOptomechanical.g0_{side} must be given: the pump's photons make the coupling or heat a bath")
        self.check()

    def drives(self) -> dict[str, Drive]:
        """The microwave and the optical pump."""
        delta_e = -self.frequency_m if self.pump_detuning_e is None else self.pump_detuning_e
        delta_o = -self.frequency_m if self.pump_detuning_o is None else self.pump_detuning_o
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
        pumps = self.drives()
        delta_e = -self.frequency_m if self.pump_detuning_e is None else self.pump_detuning_e
        delta_o = -self.frequency_m if self.pump_detuning_o is None else self.pump_detuning_o
        full = self.model == "full"
        frame = 0.0 if full else self.frequency_m
        modes = {
            "microwave": self.detuning_e - delta_e - frame,
            "optical": self.detuning_o - delta_o - frame,
            "mechanical": self.frequency_m - frame,
        }
        ports = self.ports() | {"mechanical": Port("mechanical", self.gamma_m, self.bath("m", self.frequency_m, pumps["optical"].power))}
        edges = {("microwave", "mechanical"): pumps["microwave"].coupling, ("optical", "mechanical"): pumps["optical"].coupling}
        return LinearSystem.build(modes, ports, hopping=edges, squeezing=edges if full else None)
