r"""Electro-optic transducer: a microwave mode (e) and an optical mode (o) joined by a pumped Pockels medium.

Red pump (conversion): :math:`H = g (a^\dagger b + h.c.)`; blue pump (pairs): :math:`H = g (a b + h.c.)`; :math:`g = \sqrt{n_p}\, g_0`,
:math:`C = 4g^2/(\kappa_e\kappa_o)`. On resonance :math:`\eta = \eta_e\eta_o\, 4C/(1+C)^2`; the blue pump is stable for C < 1. An optional
Stokes mode s, :math:`g_s (s b + h.c.)`, may be suppressed by an auxiliary mode d, :math:`J (s^\dagger d + h.c.)`:
:math:`C_s = 4g_s^2/(\kappa_e\kappa_s)/(1 + 4J^2/(\kappa_s\kappa_d))` and :math:`\eta = \eta_e\eta_o\, 4C/(1+C-C_s)^2`.

Mode splitting: a partner mode x of the optical one, :math:`J_x (a^\dagger x + h.c.)`, as the second ring of a photonic molecule. On
resonance it loads a, :math:`\eta = \eta_e\eta_o\, 4C/(1+C+C_x)^2` with :math:`C_x = 4J_x^2/(\kappa_o\kappa_x)`; where :math:`J_x` is
large, a and x split into two at :math:`\pm J_x`, of coupling :math:`g/\sqrt 2`. A splitting of the pumped mode is stated by
``kappa_p_...`` and ``pump_detuning`` of the one that is pumped.

Phase matching: azimuthal numbers add up, :math:`m_{signal} = m_{pump} \pm m_e`, so that a and s lie :math:`m_e` free spectral ranges
above and below the pumped mode; the pump's own field is :math:`n_p` photons of that mode. Each photon converted up takes one from the
pump (Manley and Rowe, Proc. IRE 44, 904 (1956)), which all answers but ``depletion`` neglect.

Frame: the microwave mode at its own frequency w, the optical one at pump + w (blue: pump - w), s and d at pump - w.
Source: Tsang, Phys. Rev. A 81, 063837 (2010); Sahu et al., Nat. Commun. 13, 1276 (2022); splitting: Holzgrafe et al., Optica 7, 1714
(2020); phase matching: Rueda et al., Optica 3, 597 (2016).
"""

from typing import ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..numerics import is_concrete
from ..parameters import Scalar
from ..units import MHz, mW, nW
from .base import AbstractDevice, Drive, drive, require_one


class Depletion(NamedTuple):
    """A pump with a microwave signal on, in the steady state of the mean fields.

    Attributes:
        fraction: 1 - n_p / n_p0 of the pump's photons that are missing; well below 1 the pump is undepleted.
        photons: n_p, in the pumped mode.
        decay: the rate (rad/s) at which conversion takes photons from the pumped mode, on top of kappa_p.
        cooperativity: at these photons.
    """

    fraction: Scalar
    photons: Scalar
    decay: Scalar
    cooperativity: Scalar


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
        coupling_x, kappa_x, detuning_x: coupling to the partner mode of the optical one (None: no such mode), its decay, its detuning
            from the frame of the optical mode. Its bath is that of the optical losses.
        free_spectral_range: between the pumped mode and its neighbours (rad/s). Where it is stated, ``phase_matching_detuning`` and
            the pump's detuning move a and s; ``detuning_o``, ``detuning_s`` come on top. None: both are tuned as stated.
        azimuthal_number: m_e of the microwave mode.
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
    coupling_x: Scalar | None = parameters.rate(None)
    kappa_x: Scalar | None = parameters.rate(None)
    detuning_x: Scalar = parameters.detuning(0.0)
    free_spectral_range: Scalar | None = parameters.frequency(None)
    azimuthal_number: int = eqx.field(default=1, static=True, kw_only=True)
    pump: Literal["red", "blue"] = eqx.field(default="red", static=True, kw_only=True)
    stokes: bool = eqx.field(default=False, static=True, kw_only=True)
    HEATED: ClassVar[str] = "e_int"

    def __check_init__(self) -> None:
        if self.pump not in ("red", "blue"):
            raise ValueError(f'ElectroOptic.pump must be "red" or "blue", but is {self.pump!r}')
        require_one(self, "pump_power", "pump_photons", "cooperativity")
        if self.g0 is None and (self.cooperativity is None or self.heats):
            raise ValueError("ElectroOptic.g0 must be given: the pump's photons make the coupling, or its power heats a bath")
        if self.stokes:
            if self.pump == "blue":
                raise ValueError("ElectroOptic.stokes must be false for a blue pump: the Stokes line is then the signal")
            require_one(self, "g_s", "g0_s")
            if self.g0_s is not None and self.g0 is None:
                raise ValueError("ElectroOptic.g0 must be given beside g0_s: the pump's photons follow from it")
            if self.kappa_s_ext is None or self.kappa_s_int is None or self.kappa_d is None:
                raise ValueError("ElectroOptic.stokes must come with kappa_s_ext, kappa_s_int and kappa_d")
        if (self.coupling_x is None) != (self.kappa_x is None):
            raise ValueError("ElectroOptic.coupling_x and kappa_x must be given together: they are the partner mode's")
        if self.azimuthal_number < 1:
            raise ValueError(f"ElectroOptic.azimuthal_number must be at least 1, but is {self.azimuthal_number}")
        self.check()

    def _pumped(self) -> tuple[Scalar, Scalar]:
        """kappa_ext and kappa of the pumped mode."""
        external = self.kappa_o_ext if self.kappa_p_ext is None else self.kappa_p_ext
        return external, external + (self.kappa_o_int if self.kappa_p_int is None else self.kappa_p_int)

    def drives(self) -> dict[str, Drive]:
        """The one pump; its cooperativity is that of microwave and optical mode."""
        external, kappa_p = self._pumped()
        given = drive(
            kappa_ext=external,
            kappa=kappa_p,
            other=(self.kappa_e_ext + self.kappa_e_int) * (self.kappa_o_ext + self.kappa_o_int) / kappa_p,
            detuning=self.pump_detuning,
            frequency=self.frequency_o,
            g0=self.g0,
            pump_power=self.pump_power,
            photons=self.pump_photons,
            cooperativity=self.cooperativity,
        )
        return {"optical": given}

    @property
    def phase_matching_detuning(self) -> Scalar:
        """m_e times the free spectral range, minus the microwave frequency (rad/s): what the pump's neighbour misses; 0 if unstated."""
        if self.free_spectral_range is None:
            return jnp.zeros(())
        return self.azimuthal_number * self.free_spectral_range - self.frequency_e

    def _neighbours(self) -> tuple[Scalar, Scalar]:
        """Detunings of the modes m_e free spectral ranges above and below the pumped one, from pump + w and pump - w."""
        if self.free_spectral_range is None:
            return jnp.zeros(()), jnp.zeros(())
        mismatch = self.phase_matching_detuning
        return mismatch - self.pump_detuning, -mismatch - self.pump_detuning

    def linear_system(self) -> LinearSystem:
        """Modes microwave, optical and, with ``coupling_x``, partner; with ``stokes``, stokes and auxiliary."""
        pump, (above, below) = self.drives()["optical"], self._neighbours()
        modes = {"microwave": self.detuning_e, "optical": self.detuning_o + (below if self.pump == "blue" else above)}
        ports = self.ports(absorbed=pump.power)
        pair = {("microwave", "optical"): pump.coupling}
        hopping: dict[tuple[str, str], Scalar] = {}
        if self.coupling_x is not None:
            assert self.kappa_x is not None
            modes["partner"] = self.detuning_x
            ports["partner loss"] = Port("partner", self.kappa_x, self.bath("o_int", self.frequency_o, pump.power))
            hopping[("optical", "partner")] = self.coupling_x
        if self.pump == "blue":
            return LinearSystem.build(modes, ports, hopping=hopping or None, squeezing=pair)
        hopping = pair | hopping
        if not self.stokes:
            return LinearSystem.build(modes, ports, hopping=hopping)
        assert self.kappa_s_ext is not None and self.kappa_s_int is not None and self.kappa_d is not None
        modes |= {"stokes": self.detuning_s + below, "auxiliary": self.detuning_d}
        ports |= {
            "stokes": Port("stokes", self.kappa_s_ext, self.n_s),
            "stokes loss": Port("stokes", self.kappa_s_int, self.n_s),
            "auxiliary loss": Port("auxiliary", self.kappa_d, self.n_s),
        }
        hopping |= {("stokes", "auxiliary"): self.coupling_j}
        return LinearSystem.build(modes, ports, hopping=hopping, squeezing={("microwave", "stokes"): self._stokes_coupling(pump)})

    def _stokes_coupling(self, pump: Drive) -> Scalar:
        if self.g_s is not None:
            return self.g_s
        assert self.g0_s is not None and self.g0 is not None
        return self.g0_s * pump.coupling / self.g0

    def depletion(self, signal_flux: Scalar | float) -> Depletion:
        r"""What a microwave signal takes from the red pump; signal and optical mode on resonance, without Stokes or partner mode.

        With x = n_p / n_p0, :math:`\delta` the pump's detuning over :math:`\kappa_p` and :math:`n_e` the signal's photons without
        pump, the mean fields of :math:`H = g_0(a^\dagger b p + h.c.)` have

        .. math:: x = \frac{1/4 + \delta^2}{(1 + \Gamma/\kappa_p)^2/4 + \delta^2}, \quad
                  \Gamma = \frac{4 g_0^2}{\kappa_o} \frac{n_e}{(1 + C_0 x)^2}, \quad n_e = \frac{4\kappa_{e,ext}\Phi}{\kappa_e^2}

        Its largest root is the one that a rising signal stays on: found by iteration from x = 1, where the right side falls step by
        step, with the gradient of the implicit equation. At a fold, where that root vanishes, the gradient is infinite.

        Args:
            signal_flux: photons/s that enter the microwave port, Phi.

        Raises:
            ValueError: a blue pump, a Stokes or partner mode, no g0, or a (concrete) detuning of either mode.
        """
        if self.pump != "red" or self.stokes or self.coupling_x is not None or self.g0 is None:
            raise ValueError("ElectroOptic.depletion must be asked of a red pump with g0, without Stokes or partner mode")
        away = (self.detuning_e, self.detuning_o + self._neighbours()[0])
        if is_concrete(*away) and any(jnp.any(one != 0) for one in away):
            raise ValueError("ElectroOptic.depletion must be asked on resonance: both detunings must be 0")
        photons = self.drives()["optical"].photons
        assert photons is not None
        (_, kappa_p), kappa_e, kappa_o = self._pumped(), self.kappa_e_ext + self.kappa_e_int, self.kappa_o_ext + self.kappa_o_int
        c0, offset = 4 * self.g0**2 * photons / (kappa_e * kappa_o), (self.pump_detuning / kappa_p) ** 2
        decay0 = 4 * self.g0**2 / kappa_o * 4 * self.kappa_e_ext * signal_flux / kappa_e**2
        missing = _missing(c0, decay0 / kappa_p, offset)
        left = 1 - missing
        return Depletion(missing, photons * left, decay0 / (1 + c0 * left) ** 2, c0 * left)


def _taken(missing: Scalar, c0: Scalar, decay: Scalar, offset: Scalar) -> Scalar:
    """1 minus the right side of x(...) at x = 1 - missing; ``decay`` is Gamma / kappa_p without pump. No digits cancel."""
    extra = decay / (1 + c0 * (1 - missing)) ** 2
    grown = extra * (2 + extra) / 4
    return grown / (1 / 4 + offset + grown)


@eqx.filter_jit
def _missing(c0: Scalar, decay: Scalar, offset: Scalar) -> Scalar:
    """The smallest root of y = taken(y), with the gradient of the implicit equation."""
    c0, decay, offset = (jnp.asarray(one, float) for one in (c0, decay, offset))
    fixed = jax.lax.stop_gradient((c0, decay, offset))

    def step(state: tuple[Scalar, Scalar, Scalar]) -> tuple[Scalar, Scalar, Scalar]:
        count, _, last = state
        return count + 1, last, _taken(last, *fixed)

    def moves(state: tuple[Scalar, Scalar, Scalar]) -> Scalar:
        count, before, last = state
        return (count < MOST_STEPS) & (last - before > 1e-16 * last)

    zero = jnp.zeros(())
    *_, found = jax.lax.while_loop(moves, step, (jnp.zeros((), int), zero, _taken(zero, *fixed)))
    slope = jax.grad(_taken)(found, *fixed)
    return found + (_taken(found, c0, decay, offset) - found) / (1 - slope)


MOST_STEPS = 10_000
"""Of the iteration for the depleted pump; only within 1e-6 of a fold does it want more."""
