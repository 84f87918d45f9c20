r"""Ensemble transducer: N atoms or ions (rare earths, Rydberg) that join a microwave and an optical mode by two transitions and a pump.

In the state where nearly all atoms are in one level, the collective excitations of a microwave transition (the *spin*, S) and of an
optical one (the *polarisation*, P) are two modes, and the device is a row of four:

.. math:: H = \delta_S S^\dagger S + \delta_P P^\dagger P + g_\mu\sqrt N(e^\dagger S + h.c.) + \tfrac\Omega2 (P^\dagger S + h.c.)
          + g_o\sqrt N(o^\dagger P + h.c.)

An inhomogeneous line is Lorentzian of full width w: for equal couplings and independent shifts its average adds w to the decay rate,
exactly. With :math:`C_\mu = 4Ng_\mu^2/\kappa_e\gamma_S`, :math:`C_\Omega = \Omega^2/\gamma_S\gamma_P`,
:math:`C_o = 4Ng_o^2/\kappa_o\gamma_P`, all on resonance,

.. math:: \eta = \eta_e\eta_o \frac{4 C_\mu C_\Omega C_o}{(1 + C_\mu + C_\Omega + C_o + C_\mu C_o)^2} .

Far off the polarisation's line, P is eliminated and leaves a three-mode converter: ``raman()``.

A cascade (Rydberg) whose lower steps are pumped has the same form; g_mu is then the coupling that those pumps leave. Light that passes
once in tau is a mode with :math:`\kappa_{o,ext} = 4/\tau` (``magnonic`` says why), for a thin cloud.
Not modelled: saturation; lines that are not Lorentzian, or shifted together; atoms that absorb and do not convert (other levels,
reabsorption along a thick cloud); unequal couplings, or two modes that overlap in part; where two levels are both populated, N counts
the difference; noise that the pump makes in the atoms.

Source: Williamson, Chen and Longdell, Phys. Rev. Lett. 113, 203601 (2014); O'Brien et al., Phys. Rev. Lett. 113, 063603 (2014);
Rochman et al., Nat. Commun. 14, 1153 (2023); Kumar et al., Nature 615, 614 (2023).
"""

from typing import ClassVar, NamedTuple

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..numerics import sqrt
from ..parameters import Scalar
from ..units import GHz, Hz, MHz, kHz
from .base import AbstractDevice, Drive


class Raman(NamedTuple):
    """What an eliminated polarisation leaves: spin and light coupled directly (rad/s), and the shifts of their frequencies."""

    coupling: Scalar
    shift_mu: Scalar
    shift_o: Scalar


class Ensemble(AbstractDevice):
    """An ensemble transducer. The fields of ``AbstractDevice``, and:

    Attributes:
        g_mu, g_o: couplings of one atom to the microwave and to the optical mode; with the default ``number`` 1, collective ones.
        number: N atoms.
        rabi: the pump's Rabi frequency Omega.
        gamma_mu, gamma_p: energy decay rates (full homogeneous linewidths) of spin and polarisation.
        width_mu, width_p: full inhomogeneous widths.
        detuning_mu, detuning_p: of spin and polarisation from the frame.
        temperature_mu, n_mu: of the spin's bath, at frequency_e. The polarisation's is cold light.
    """

    g_mu: Scalar = parameters.rate(box=(0.01 * Hz, 1000 * MHz))
    g_o: Scalar = parameters.rate(box=(0.01 * Hz, 100 * GHz))
    number: Scalar = parameters.number(1.0, box=(1.0, 1e18))
    rabi: Scalar = parameters.rate(box=(1 * kHz, 10 * GHz))
    gamma_mu: Scalar = parameters.rate(box=(0.01 * kHz, 100 * MHz))
    gamma_p: Scalar = parameters.rate(box=(0.01 * kHz, 1 * GHz))
    width_mu: Scalar = parameters.rate(0.0, box=(0.01 * kHz, 1 * GHz))
    width_p: Scalar = parameters.rate(0.0, box=(0.01 * kHz, 100 * GHz))
    detuning_mu: Scalar = parameters.detuning(0.0)
    detuning_p: Scalar = parameters.detuning(0.0)
    temperature_mu: Scalar | None = parameters.temperature(None, box=(1e-3, 10.0))
    n_mu: Scalar | None = parameters.number(None)
    HEATED: ClassVar[str] = "mu"

    def __check_init__(self) -> None:
        if self.heats:
            raise ValueError("Ensemble.heating must not be given, as the pump's power is not modelled: state temperatures")
        self.check()

    def drives(self) -> dict[str, Drive]:
        """The pump, known by its Rabi frequency alone."""
        return {"optical": Drive(self.rabi / 2, None, None)}

    def raman(self) -> Raman:
        r"""The three-mode converter far off the polarisation's line, to first order in 1/detuning_p:

        .. math:: G = -\sqrt N g_o \frac{\Omega}{2\delta_P}, \quad \delta_S \to \delta_S - \frac{\Omega^2}{4\delta_P}, \quad
                  \delta_o \to \delta_o - \frac{N g_o^2}{\delta_P} .

        On resonance :math:`\eta = \eta_e\eta_o 4C_\mu C_R/(1 + C_\mu + C_R)^2`, :math:`C_R = 4G^2/\kappa_o\gamma_S`.
        """
        far = self.detuning_p
        return Raman(-sqrt(self.number) * self.g_o * self.rabi / (2 * far), -(self.rabi**2) / (4 * far), -self.number * self.g_o**2 / far)

    def linear_system(self) -> LinearSystem:
        """Modes microwave, spin, polarisation and optical."""
        modes = {"microwave": self.detuning_e, "spin": self.detuning_mu, "polarisation": self.detuning_p, "optical": self.detuning_o}
        ports = self.ports() | {
            "spin": Port("spin", self.gamma_mu + self.width_mu, self.bath("mu", self.frequency_e)),
            "polarisation": Port("polarisation", self.gamma_p + self.width_p, self.bath("o_int", self.frequency_o)),
        }
        hopping = {
            ("microwave", "spin"): sqrt(self.number) * self.g_mu,
            ("spin", "polarisation"): self.rabi / 2,
            ("polarisation", "optical"): sqrt(self.number) * self.g_o,
        }
        return LinearSystem.build(modes, ports, hopping=hopping)
