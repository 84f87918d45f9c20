r"""Electro-optic transducer: a microwave mode (e) and an optical mode (o) joined by a pumped Pockels medium.

Red pump (conversion): :math:`H = g (a^\dagger b + h.c.)`; blue pump (pairs): :math:`H = g (a b + h.c.)`; :math:`g = \sqrt{n_p}\, g_0`,
:math:`C = 4g^2/(\kappa_e\kappa_o)`. On resonance :math:`\eta = \eta_e\eta_o\, 4C/(1+C)^2`; the blue pump is stable for C < 1. An optional
Stokes mode s, :math:`g_s (s b + h.c.)`, may be suppressed by an auxiliary mode d, :math:`J (s^\dagger d + h.c.)`:
:math:`C_s = 4g_s^2/(\kappa_e\kappa_s)/(1 + 4J^2/(\kappa_s\kappa_d))` and :math:`\eta = \eta_e\eta_o\, 4C/(1+C-C_s)^2`.

Frame: the microwave mode at its own frequency w, the optical one at pump + w, s and d at pump - w.
Source: Tsang, Phys. Rev. A 81, 063837 (2010); Sahu et al., Nat. Commun. 13, 1276 (2022).
"""

from typing import ClassVar, Literal

import equinox as eqx

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..parameters import Scalar
from ..units import MHz, mW, nW
from .base import AbstractDevice, Drive, drive, require_one


class ElectroOptic(AbstractDevice):
    """An electro-optic transducer. The fields of ``AbstractDevice``, and:

    Attributes:
        g0: single-photon electro-optic coupling.
        pump_power, pump_photons, cooperativity: exactly one; peak power in the cavity's own spatial mode (W), intracavity photons, or C.
        pump_detuning: pump minus pumped cavity mode.
        kappa_p_ext, kappa_p_int: decay of the pumped mode where it differs from the signal's optical mode.
        pump: "red" converts, "blue" makes pairs.
        stokes: whether the Stokes mode is modelled.
        g_s, g0_s: its coupling at the operating point, or per pump photon; exactly one where ``stokes``.
        kappa_s_ext, kappa_s_int, n_s: its decay rates, and the occupation of all ports of s and d.
        coupling_j, kappa_d: the auxiliary mode's coupling J to s, and its decay.
        detuning_s, detuning_d: of s and d from pump minus microwave.
    """

    g0: Scalar | None = parameters.rate(None, box=(1e-6 * MHz, 0.1 * MHz))
    pump_power: Scalar | None = parameters.power(None, box=(100 * nW, 1000 * mW))
    pump_photons: Scalar | None = parameters.number(None, box=(1.0, 1e12))
    cooperativity: Scalar | None = parameters.number(None, box=(1e-4, 10.0))
    pump_detuning: Scalar = parameters.detuning(0.0)
    kappa_p_ext: Scalar | None = parameters.rate(None)
    kappa_p_int: Scalar | None = parameters.rate(None)
    g_s: Scalar | None = parameters.rate(None)
    g0_s: Scalar | None = parameters.rate(None)
    kappa_s_ext: Scalar | None = parameters.rate(None)
    kappa_s_int: Scalar | None = parameters.rate(None)
    n_s: Scalar = parameters.number(0.0)
    coupling_j: Scalar = parameters.rate(0.0)
    kappa_d: Scalar | None = parameters.rate(None)
    detuning_s: Scalar = parameters.detuning(0.0)
    detuning_d: Scalar = parameters.detuning(0.0)
    pump: Literal["red", "blue"] = eqx.field(default="red", static=True, kw_only=True)
    stokes: bool = eqx.field(default=False, static=True, kw_only=True)
    HEATED: ClassVar[str] = "e_int"

    def __check_init__(self) -> None:
        if self.pump not in ("red", "blue"):
            raise ValueError(f'ElectroOptic.pump must be "red" or "blue", but is {self.pump!r}')
        require_one(self, "pump_power", "pump_photons", "cooperativity")
        if self.g0 is None and (self.cooperativity is None or self.heating_conductance is not None):
            raise ValueError("ElectroOptic.g0 must be given: the pump's photons make the coupling, or its power heats a bath")
        if self.stokes:
            if self.pump == "blue":
                raise ValueError("ElectroOptic.stokes must be false for a blue pump: the Stokes line is then the signal")
            require_one(self, "g_s", "g0_s")
            if self.g0_s is not None and self.g0 is None:
                raise ValueError("ElectroOptic.g0 must be given beside g0_s: the pump's photons follow from it")
            if self.kappa_s_ext is None or self.kappa_s_int is None or self.kappa_d is None:
                raise ValueError("ElectroOptic.stokes must come with kappa_s_ext, kappa_s_int and kappa_d")
        self.check()

    def drives(self) -> dict[str, Drive]:
        """The one pump; its cooperativity is that of microwave and optical mode."""
        kappa_o = self.kappa_o_ext + self.kappa_o_int
        pumped_ext = self.kappa_o_ext if self.kappa_p_ext is None else self.kappa_p_ext
        pumped_int = self.kappa_o_int if self.kappa_p_int is None else self.kappa_p_int
        kappa_e = self.kappa_e_ext + self.kappa_e_int
        given = drive(
            kappa_ext=pumped_ext,
            kappa=pumped_ext + pumped_int,
            other=kappa_e * kappa_o / (pumped_ext + pumped_int),
            detuning=self.pump_detuning,
            frequency=self.frequency_o,
            g0=self.g0,
            pump_power=self.pump_power,
            photons=self.pump_photons,
            cooperativity=self.cooperativity,
        )
        return {"optical": given}

    def linear_system(self) -> LinearSystem:
        """Modes microwave, optical and, with ``stokes``, stokes and auxiliary."""
        pump = self.drives()["optical"]
        modes = {"microwave": self.detuning_e, "optical": self.detuning_o}
        ports = self.ports(absorbed=pump.power)
        pair = {("microwave", "optical"): pump.coupling}
        if self.pump == "blue":
            return LinearSystem.build(modes, ports, squeezing=pair)
        if not self.stokes:
            return LinearSystem.build(modes, ports, hopping=pair)
        assert self.kappa_s_ext is not None and self.kappa_s_int is not None and self.kappa_d is not None
        if self.g_s is not None:
            g_s = self.g_s
        else:
            assert self.g0_s is not None and self.g0 is not None
            g_s = self.g0_s * pump.coupling / self.g0
        modes |= {"stokes": self.detuning_s, "auxiliary": self.detuning_d}
        ports |= {
            "stokes": Port("stokes", self.kappa_s_ext, self.n_s),
            "stokes loss": Port("stokes", self.kappa_s_int, self.n_s),
            "auxiliary loss": Port("auxiliary", self.kappa_d, self.n_s),
        }
        hopping = pair | {("stokes", "auxiliary"): self.coupling_j}
        return LinearSystem.build(modes, ports, hopping=hopping, squeezing={("microwave", "stokes"): g_s})
