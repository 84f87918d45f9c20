r"""Magnonic transducer: a microwave mode coupled to a uniform (Kittel) spin precession, which scatters a pump's light by a frequency.

.. math:: H = g_{em}(e^\dagger m + h.c.) + G_o(o^\dagger m + h.c.), \quad G_o = \sqrt{n_p}\,g_{0,o}, \quad
          C_e = \frac{4g_{em}^2}{\kappa_e\gamma_m}, \quad C_o = \frac{4G_o^2}{\kappa_o\gamma_m}

in the frame of the magnon at w_m, light at pump + w_m. With ``stokes`` the pump also scatters downwards, :math:`G_s(o_s m + h.c.)`, as
strongly as :math:`C_s = C_o\,` ``stokes_ratio``. On resonance, :math:`D = 1 + C_e + C_o - C_s`,

.. math:: \eta = \eta_e\eta_o \frac{4C_eC_o}{D^2}, \qquad N_{add} = \frac{n_m + C_s}{\eta_e C_e} \quad (e \to o, \text{ cold fields}) .

A cavity (Zhu 2020) holds pump and signal in two modes a magnon apart; both are taken to be equally wide. Light that passes once
(Hisatomi 2016) in the time tau is a mode with :math:`\kappa_{o,ext} = 4/\tau` and no loss: it then holds :math:`n_p = P\tau/\hbar\omega`
photons and takes magnons at :math:`\zeta = C_o\gamma_m = g_{0,o}^2 n_p \tau`, and nothing tells its two sidebands apart.
Not modelled: magnons other than the uniform one, saturation, and the dependence of the couplings on polarisation.

Source: Hisatomi et al., Phys. Rev. B 93, 174427 (2016); Zhu et al., Optica 7, 1291 (2020).
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..numerics import is_concrete, sqrt
from ..parameters import Scalar
from ..units import GHz, MHz, mW, nW
from .base import AbstractDevice, Drive, drive, require_one


class Magnonic(AbstractDevice):
    """A magnonic transducer. The fields of ``AbstractDevice``, and:

    Attributes:
        frequency_m, gamma_m: of the magnon: frequency, and energy decay rate (the full linewidth).
        g_em: coupling of microwave mode and magnon.
        g0_o: single-photon coupling of magnon and light.
        pump_power, pump_photons, cooperativity: exactly one; power in the light's own mode (W), photons there, or C_o.
        pump_detuning: pump minus the mode that it drives.
        temperature_m, n_m: of the magnon's bath. The pump heats it.
        stokes: whether scattering to the lower sideband is modelled, and ``stokes_ratio`` C_s / C_o how strong it is.
    """

    frequency_m: Scalar = parameters.frequency(5 * GHz, box=(0.1 * GHz, 50 * GHz))
    gamma_m: Scalar = parameters.rate(box=(0.01 * MHz, 100 * MHz))
    g_em: Scalar = parameters.rate(box=(0.01 * MHz, 1000 * MHz))
    g0_o: Scalar | None = parameters.rate(None, box=(1e-9 * MHz, 1 * MHz))
    pump_power: Scalar | None = parameters.power(None, box=(100 * nW, 1000 * mW))
    pump_photons: Scalar | None = parameters.number(None, box=(1.0, 1e12))
    cooperativity: Scalar | None = parameters.number(None, box=(1e-12, 10.0))
    pump_detuning: Scalar = parameters.detuning(0.0)
    temperature_m: Scalar | None = parameters.temperature(None, box=(1e-3, 300.0))
    n_m: Scalar | None = parameters.number(None)
    stokes_ratio: Scalar | None = parameters.number(None, box=(1e-6, 1.0))
    stokes: bool = eqx.field(default=False, static=True, kw_only=True)
    HEATED: ClassVar[str] = "m"

    def __check_init__(self) -> None:
        require_one(self, "pump_power", "pump_photons", "cooperativity")
        if self.g0_o is None and (self.cooperativity is None or self.heats):
            raise ValueError("Magnonic.g0_o must be given: the pump's photons make the coupling, or its power heats a bath")
        if self.stokes != (self.stokes_ratio is not None):
            told = f"must {'' if self.stokes else 'not '}be given where stokes is {str(self.stokes).lower()}"
            raise ValueError(f"Magnonic.stokes_ratio {told}")
        self.check()

    @classmethod
    def single_pass(cls, transit_time: ArrayLike, **sheet: Any) -> "Magnonic":
        """Light that passes the magnet once, in tau (s): kappa_o_ext = 4 / tau, kappa_o_int = 0, both sidebands alike.

        Its efficiency and noise are right to second order in tau over the time that the magnon lives.

        Raises:
            ValueError: a concrete time that is not above 0.
        """
        if is_concrete(transit_time) and not float(np.asarray(transit_time)) > 0:
            raise ValueError(f"Magnonic.single_pass: transit_time must be above 0, but is {float(np.asarray(transit_time)):.6g}")
        width = 4 / jnp.asarray(transit_time, float)
        return cls(**{"kappa_o_ext": width, "kappa_o_int": 0.0, "stokes": True, "stokes_ratio": 1.0, **sheet})

    def drives(self) -> dict[str, Drive]:
        """The optical pump; its cooperativity is C_o."""
        given = drive(
            kappa_ext=self.kappa_o_ext,
            kappa=self.kappa_o_ext + self.kappa_o_int,
            other=self.gamma_m,
            detuning=self.pump_detuning,
            frequency=self.frequency_o,
            g0=self.g0_o,
            pump_power=self.pump_power,
            photons=self.pump_photons,
            cooperativity=self.cooperativity,
        )
        return {"optical": given}

    def linear_system(self) -> LinearSystem:
        """Modes microwave, magnon, optical and, with ``stokes``, stokes (as wide as the optical one, all of it leaving by one port)."""
        pump = self.drives()["optical"]
        modes: dict[str, Any] = {"microwave": self.detuning_e, "magnon": 0.0, "optical": self.detuning_o}
        ports = self.ports(pump.power) | {"magnon": Port("magnon", self.gamma_m, self.bath("m", self.frequency_m, pump.power))}
        hopping = {("microwave", "magnon"): self.g_em, ("optical", "magnon"): pump.coupling}
        if not self.stokes:
            return LinearSystem.build(modes, ports, hopping=hopping)
        assert self.stokes_ratio is not None
        modes |= {"stokes": 0.0}
        ports |= {"stokes": Port("stokes", self.kappa_o_ext + self.kappa_o_int, self.bath("o_ext", self.frequency_o))}
        down = {("magnon", "stokes"): sqrt(self.stokes_ratio) * pump.coupling}
        return LinearSystem.build(modes, ports, hopping=hopping, squeezing=down)
