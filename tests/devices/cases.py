"""The table of devices that every law is tried on: a name and a function that draws a batch; a new member is one line.

A draw is ``(device, offset)``: every field of the device is an array of one value per lane, rates spread over four decades, and
``offset`` is a frequency in the device's frame. Occupations are stated, so that a law may scale every rate and leave them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from transduce.devices.base import AbstractDevice
from transduce.devices.chain import Chain, Resonator
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.ensemble import Ensemble
from transduce.devices.magnonic import Magnonic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.devices.piezo import PiezoOptomechanical
from transduce.units import MHz

Draw = Callable[[np.random.Generator, int], tuple[AbstractDevice, jax.Array]]


class Sheet:
    """Random columns of a data sheet."""

    def __init__(self, rng: np.random.Generator, lanes: int) -> None:
        self.rng, self.lanes = rng, lanes

    def decades(self, low: float, high: float) -> np.ndarray:
        """10 to a power between low and high."""
        return 10 ** self.rng.uniform(low, high, self.lanes)

    def rate(self) -> np.ndarray:
        """Four decades around 1 MHz."""
        return self.decades(-2, 2) * MHz

    def signed(self) -> np.ndarray:
        """Such a rate of either sign."""
        return self.rate() * self.rng.choice([-1.0, 1.0], self.lanes)

    def common(self) -> dict[str, np.ndarray]:
        """What every device has."""
        rates = {name: self.rate() for name in ("kappa_e_ext", "kappa_e_int", "kappa_o_ext", "kappa_o_int")}
        baths = {name: self.decades(-3, 1) for name in ("n_e_ext", "n_e_int", "n_o_ext", "n_o_int")}
        return rates | baths | {"mode_match": self.rng.uniform(0.2, 0.9, self.lanes)}

    def detunings(self) -> dict[str, np.ndarray]:
        """Of both ends."""
        return {"detuning_e": self.signed(), "detuning_o": self.signed()}

    def mechanical(self) -> dict[str, np.ndarray]:
        """A mechanical mode and its bath."""
        return {"frequency_m": self.rate(), "gamma_m": self.rate(), "n_m": self.decades(-2, 2)}

    def weak(self, frequency_m: np.ndarray) -> np.ndarray:
        """A coupling, as photons of a unit one: at most a tenth of the mechanical frequency, so that the full model is stable."""
        return (frequency_m * self.decades(-3, -1) / MHz) ** 2


def _batch(device: AbstractDevice, lanes: int, offset: np.ndarray) -> tuple[AbstractDevice, jax.Array]:
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes,)), device), jnp.asarray(offset)


def electro_optic_red(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    device = ElectroOptic(**sheet.common(), **sheet.detunings(), cooperativity=sheet.decades(-3, 1))
    return _batch(device, lanes, sheet.signed())


def electro_optic_blue(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    device = ElectroOptic(**sheet.common(), **sheet.detunings(), cooperativity=sheet.rng.uniform(0, 0.9, lanes), pump="blue")
    return _batch(device, lanes, sheet.signed())


def electro_optic_stokes(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    common, kappa_s = sheet.common(), {"kappa_s_ext": sheet.rate(), "kappa_s_int": sheet.rate(), "kappa_d": sheet.rate()}
    product = (common["kappa_e_ext"] + common["kappa_e_int"]) * (kappa_s["kappa_s_ext"] + kappa_s["kappa_s_int"])
    device = ElectroOptic(
        **common,
        **sheet.detunings(),
        **kappa_s,
        cooperativity=sheet.decades(-3, 1),
        stokes=True,
        g_s=np.sqrt(sheet.rng.uniform(0, 0.9, lanes) * product) / 2,  # a loop gain below 1 is stable whatever the rest
        n_s=sheet.decades(-3, 1),
        coupling_j=sheet.rate(),
        detuning_s=sheet.signed(),
        detuning_d=sheet.signed(),
        **{"coupling_x": sheet.rate(), "kappa_x": sheet.rate(), "detuning_x": sheet.signed()},
    )
    return _batch(device, lanes, sheet.signed())


def membrane_rotating_wave(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    device = ElectroOptomechanical(
        **sheet.common(),
        **sheet.detunings(),
        **sheet.mechanical(),
        cooperativity_e=sheet.decades(-3, 2),
        cooperativity_o=sheet.decades(-3, 2),
    )
    return _batch(device, lanes, sheet.signed())


def membrane_full(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    mechanical = sheet.mechanical()
    device = ElectroOptomechanical(
        **sheet.common(),
        **mechanical,
        g0_e=MHz,
        g0_o=MHz,
        pump_photons_e=sheet.weak(mechanical["frequency_m"]),
        pump_photons_o=sheet.weak(mechanical["frequency_m"]),
        model="full",
    )
    return _batch(device, lanes, mechanical["frequency_m"] * sheet.rng.uniform(0.5, 1.5, lanes))


def piezo_rotating_wave(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    device = PiezoOptomechanical(
        **sheet.common(), **sheet.detunings(), **sheet.mechanical(), g_pe=sheet.rate(), cooperativity=sheet.decades(-3, 2)
    )
    return _batch(device, lanes, sheet.signed())


def piezo_full(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    mechanical = sheet.mechanical()
    device = PiezoOptomechanical(
        **sheet.common(),
        **mechanical,
        g_pe=mechanical["frequency_m"] * sheet.decades(-3, -1),
        g0_o=MHz,
        pump_photons=sheet.weak(mechanical["frequency_m"]),
        model="full",
    )
    return _batch(device, lanes, mechanical["frequency_m"] * sheet.rng.uniform(0.5, 1.5, lanes))


def chain(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    between = tuple(
        Resonator(coupling=sheet.rate(), detuning=sheet.signed(), kappa_int=sheet.rate(), occupation=sheet.decades(-3, 1)) for _ in range(2)
    )
    device = Chain(**sheet.common(), **sheet.detunings(), between=between, coupling=sheet.rate())
    return _batch(device, lanes, sheet.signed())


def piezo_supermode(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    device = PiezoOptomechanical(
        **sheet.common(),
        **sheet.detunings(),
        **sheet.mechanical(),
        g_pe=sheet.rate(),
        g0_o=MHz,
        pump_photons=sheet.decades(-3, 2),
        supermode=True,
        detuning_m2=sheet.signed(),
        gamma_m2=sheet.rate(),
        g_pe_m2=sheet.signed(),
        g0_o_m2=sheet.signed(),
    )
    return _batch(device, lanes, sheet.signed())


def magnonic(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    device = Magnonic(**sheet.common(), **sheet.detunings(), **sheet.mechanical(), g_em=sheet.rate(), cooperativity=sheet.decades(-3, 2))
    return _batch(device, lanes, sheet.signed())


def magnonic_stokes(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    ratio, cooperativity = sheet.rng.uniform(0, 1, lanes), sheet.decades(-3, 2)
    device = Magnonic(
        **sheet.common(),
        detuning_e=sheet.signed(),  # a loop gain below 1 is stable whatever the rest; light on resonance cools more than it heats
        **sheet.mechanical(),
        g_em=sheet.rate(),
        cooperativity=cooperativity,
        stokes=True,
        stokes_ratio=ratio,
    )
    return _batch(device, lanes, sheet.signed())


def ensemble(rng: np.random.Generator, lanes: int):
    sheet = Sheet(rng, lanes)
    couplings = {name: sheet.rate() for name in ("g_mu", "g_o", "rabi")}
    widths = {name: sheet.rate() for name in ("gamma_mu", "gamma_p", "width_mu", "width_p")}
    shifts = {"detuning_mu": sheet.signed(), "detuning_p": sheet.signed(), "n_mu": sheet.decades(-2, 2), "number": sheet.decades(0, 2)}
    return _batch(Ensemble(**sheet.common(), **sheet.detunings(), **couplings, **widths, **shifts), lanes, sheet.signed())


CASES: dict[str, Draw] = {
    "electro-optic red": electro_optic_red,
    "electro-optic blue": electro_optic_blue,
    "electro-optic Stokes": electro_optic_stokes,
    "membrane rotating-wave": membrane_rotating_wave,
    "membrane full": membrane_full,
    "piezo rotating-wave": piezo_rotating_wave,
    "piezo full": piezo_full,
    "piezo supermode": piezo_supermode,
    "chain": chain,
    "magnonic": magnonic,
    "magnonic Stokes": magnonic_stokes,
    "ensemble": ensemble,
}
