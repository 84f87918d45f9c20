r"""Piezo-optomechanical transducer: a microwave mode coupled resonantly to a mechanical mode, which a pump couples to light.

.. math:: H = g_{pe}(e^\dagger m + h.c.) + G_o (o^\dagger m + h.c.), \qquad G_o = \sqrt{n_p}\, g_{0,o}

in the frame at the mechanical frequency (``model="rotating-wave"``, the default); ``"full"`` keeps the counter-rotating optical terms
:math:`G_o (o + o^\dagger)(m + m^\dagger)` in the frame of the pump. With :math:`C_e = 4g_{pe}^2/(\kappa_e\gamma_m)` and
:math:`C_o = 4G_o^2/(\kappa_o\gamma_m)` every formula of the membrane holds.

``supermode`` adds a second mechanical mode with its own couplings. Where a piezoelectric and an optomechanical resonance, coupled at J,
coincide, the two supermodes lie at +J and -J, share g_pe equally and g_0 with opposite signs; midway, with
:math:`C_J = 4J^2/\gamma_m^2` and C_e, C_o of the bare resonances,

.. math:: \eta = \eta_e\eta_o \frac{4C_eC_JC_o}{(1 + C_e + C_J + C_o + C_eC_o)^2} .

Source: Jiang et al., Nat. Phys. 19, 1423 (2023); Mirhosseini et al., Nature 588, 599 (2020).
"""

from typing import ClassVar, Literal

import equinox as eqx

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..parameters import Scalar
from ..units import GHz, MHz, mW
from .base import AbstractDevice, Drive, drive, red, require_one


class PiezoOptomechanical(AbstractDevice):
    """A piezo-optomechanical transducer. The fields of ``AbstractDevice``, and:

    Attributes:
        frequency_m, gamma_m: mechanical frequency and energy decay rate.
        g_pe: piezoelectric coupling of microwave and mechanical mode.
        g0_o: single-photon optomechanical coupling.
        pump_power, pump_photons, cooperativity: exactly one; power on the chip, in the cavity's own mode (W), photons, or C_o.
        pump_detuning: pump minus cavity; by default -frequency_m. ``detuning_o`` comes on top.
        detuning_e: microwave minus mechanical mode; it is not read off ``frequency_e``.
        temperature_m, n_m: of the mechanical bath. The pump heats it.
        model: "rotating-wave", or "full" with counter-rotating optical terms.
        supermode: whether there is a second mechanical mode, in a bath as occupied as the first's; it needs the next four.
        detuning_m2, gamma_m2: its frequency minus frequency_m, and its decay rate.
        g_pe_m2, g0_o_m2: its couplings relative to the first mode's, of either sign.
    """

    frequency_m: Scalar = parameters.frequency(box=(0.1 * GHz, 20 * GHz))
    gamma_m: Scalar = parameters.rate(box=(1e-6 * MHz, 100 * MHz))
    g_pe: Scalar = parameters.rate(box=(1e-3 * MHz, 100 * MHz))
    g0_o: Scalar | None = parameters.rate(None, box=(1e-3 * MHz, 10 * MHz))
    pump_power: Scalar | None = parameters.power(None, box=(1e-9, 10 * mW))
    pump_photons: Scalar | None = parameters.number(None, box=(1e-2, 1e8))
    cooperativity: Scalar | None = parameters.number(None, box=(1e-4, 100.0))
    pump_detuning: Scalar | None = parameters.detuning(None)
    temperature_m: Scalar | None = parameters.temperature(None, box=(1e-3, 4.0))
    n_m: Scalar | None = parameters.number(None)
    detuning_m2: Scalar | None = parameters.detuning(None)
    gamma_m2: Scalar | None = parameters.rate(None)
    g_pe_m2: Scalar | None = parameters.detuning(None)
    g0_o_m2: Scalar | None = parameters.detuning(None)
    model: Literal["rotating-wave", "full"] = eqx.field(default="rotating-wave", static=True, kw_only=True)
    supermode: bool = eqx.field(default=False, static=True, kw_only=True)
    HEATED: ClassVar[str] = "m"

    def __check_init__(self) -> None:
        if self.model not in ("rotating-wave", "full"):
            raise ValueError(f'PiezoOptomechanical.model must be "rotating-wave" or "full", but is {self.model!r}')
        require_one(self, "pump_power", "pump_photons", "cooperativity")
        if self.g0_o is None and (self.cooperativity is None or self.heats):
            raise ValueError("PiezoOptomechanical.g0_o must be given: the pump's photons make the coupling, or its power heats a bath")
        for name in ("detuning_m2", "gamma_m2", "g_pe_m2", "g0_o_m2"):
            if self.supermode != (getattr(self, name) is not None):
                told = f"must {'' if self.supermode else 'not '}be given where supermode is {str(self.supermode).lower()}"
                raise ValueError(f"PiezoOptomechanical.{name} {told}")
        if self.supermode and self.g0_o is None:
            raise ValueError("PiezoOptomechanical.g0_o must be given beside g0_o_m2: one pump drives both mechanical modes")
        self.check()
        self._pump_detuning()

    def _pump_detuning(self) -> Scalar:
        delta = -self.frequency_m if self.pump_detuning is None else self.pump_detuning
        return delta if self.model == "full" else red(self, "pump_detuning", delta)

    def drives(self) -> dict[str, Drive]:
        """The optical pump."""
        given = drive(
            kappa_ext=self.kappa_o_ext,
            kappa=self.kappa_o_ext + self.kappa_o_int,
            other=self.gamma_m,
            detuning=self._pump_detuning(),
            frequency=self.frequency_o,
            g0=self.g0_o,
            pump_power=self.pump_power,
            photons=self.pump_photons,
            cooperativity=self.cooperativity,
        )
        return {"optical": given}

    def linear_system(self) -> LinearSystem:
        """Modes microwave, optical, mechanical and, with ``supermode``, mechanical 2; the frame is the pump's or at ``frequency_m``."""
        pump, full = self.drives()["optical"], self.model == "full"
        frame = 0.0 if full else self.frequency_m
        modes = {
            "microwave": self.frequency_m + self.detuning_e - frame,
            "optical": self.detuning_o - self._pump_detuning() - frame,
            "mechanical": self.frequency_m - frame,
        }
        phonons = self.bath("m", self.frequency_m, pump.power)
        ports = self.ports(pump.power) | {"mechanical": Port("mechanical", self.gamma_m, phonons)}
        light = {("optical", "mechanical"): pump.coupling}
        piezo = {("microwave", "mechanical"): self.g_pe}
        if self.supermode:
            assert self.detuning_m2 is not None and self.gamma_m2 is not None and self.g_pe_m2 is not None
            assert self.g0_o is not None and self.g0_o_m2 is not None
            modes |= {"mechanical 2": self.frequency_m + self.detuning_m2 - frame}
            ports |= {"mechanical 2": Port("mechanical 2", self.gamma_m2, phonons)}
            light |= {("optical", "mechanical 2"): pump.coupling / self.g0_o * self.g0_o_m2}
            piezo |= {("microwave", "mechanical 2"): self.g_pe_m2}
        return LinearSystem.build(modes, ports, hopping=piezo | light, squeezing=light if full else None)
