"""The table of stages that every law is tried on: a name and a function that draws a batch; a new member is one line.

Every field of a drawn stage is an array of one value per lane. Devices are those of ``tests/devices/cases.py``.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from tests.devices import cases as devices
from transduce.link.base import AbstractStage
from transduce.link.convert import Convert
from transduce.link.emission import Absorb, Emit, Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.routing import Filter, Loss, Switch
from transduce.link.wavepacket import Gaussian, Sech
from transduce.units import GHz, MHz, dB, km, ps, us

Draw = Callable[[np.random.Generator, int], AbstractStage]


def _batch(stage: AbstractStage, lanes: int) -> AbstractStage:
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes,)), stage)


def fibre(rng: np.random.Generator, lanes: int) -> Fibre:
    sheet = devices.Sheet(rng, lanes)
    return Fibre(
        length=sheet.decades(-3, 2) * km,
        attenuation=rng.uniform(0, 1, lanes) * dB / km,
        coupling_in=rng.uniform(0, 3, lanes),
        coupling_out=rng.uniform(0, 3, lanes),
        beta2=rng.normal(size=lanes) * 1e9 * ps**2 / km,  # strong enough to show at a few MHz
        noise_photons=sheet.decades(-6, 0),
    )


def loss(rng: np.random.Generator, lanes: int) -> Loss:
    return Loss(loss=rng.uniform(0, 20, lanes), temperature=rng.uniform(0, 1, lanes), frequency=rng.uniform(1, 10, lanes) * GHz)


def switch(rng: np.random.Generator, lanes: int) -> Switch:
    sheet = devices.Sheet(rng, lanes)
    return Switch(
        insertion_loss=rng.uniform(0.5, 5, lanes),
        crosstalk=rng.uniform(10, 60, lanes),
        neighbour_occupation=sheet.decades(-3, 2),
        occupation=sheet.decades(-3, 1),
    )


def filter_(rng: np.random.Generator, lanes: int) -> Filter:
    sheet = devices.Sheet(rng, lanes)
    return Filter(bandwidth=sheet.rate(), centre=sheet.signed(), insertion_loss=rng.uniform(0, 5, lanes), occupation=sheet.decades(-3, 1))


def emit(rng: np.random.Generator, lanes: int) -> Emit:
    t1 = devices.Sheet(rng, lanes).decades(1, 3) * us
    return Emit(Qubit(t1=t1, t2=t1 * rng.uniform(0.1, 2, lanes)), Sech(bandwidth=devices.Sheet(rng, lanes).decades(0, 1) * MHz))


def absorb(rng: np.random.Generator, lanes: int) -> Absorb:
    t1 = devices.Sheet(rng, lanes).decades(1, 3) * us
    return Absorb(Qubit(t1=t1, t2=t1 * rng.uniform(0.1, 2, lanes)), Gaussian(bandwidth=devices.Sheet(rng, lanes).decades(0, 1) * MHz))


def converter(draw: devices.Draw, source: str = "microwave", target: str = "optical") -> Draw:
    """A device of the table, its carrier where that device has something to say."""

    def stage(rng: np.random.Generator, lanes: int) -> Convert:
        device, offset = draw(rng, lanes)
        return Convert(device, source, target, carrier=offset)

    return stage


def self_tuned(rng: np.random.Generator, lanes: int) -> Convert:
    return Convert(devices.electro_optic_red(rng, lanes)[0], "optical", "microwave")


def row(rng: np.random.Generator, lanes: int) -> Link:
    up = converter(devices.electro_optic_red)(rng, lanes)
    return Link(up=up, fibre=fibre(rng, lanes), switch=switch(rng, lanes), filter=filter_(rng, lanes))


def coherent_row(rng: np.random.Generator, lanes: int) -> Link:
    """A device that mixes a(w) with a(-w)^dagger, and a filter that tells one from the other."""
    device, carrier = devices.membrane_full(rng, lanes)
    up = Convert(device, "microwave", "optical", carrier=carrier)
    return Link(image="coherent", up=up, filter=filter_(rng, lanes))


DRAWS: dict[str, Draw] = {
    "fibre": fibre,
    "loss": loss,
    "switch": switch,
    "filter": filter_,
    "emit": emit,
    "absorb": absorb,
    "up, electro-optic": converter(devices.electro_optic_red),
    "up, electro-optic Stokes": converter(devices.electro_optic_stokes),
    "down, membrane full": converter(devices.membrane_full, "optical", "microwave"),
    "up, piezo full": converter(devices.piezo_full),
    "down, own carrier": self_tuned,
    "row": row,
    "row, coherent": coherent_row,
}
CASES: dict[str, Draw] = {name: lambda rng, lanes, draw=draw: _batch(draw(rng, lanes), lanes) for name, draw in DRAWS.items()}
