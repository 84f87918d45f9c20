"""The public scalars of a transfer and their slopes with every parameter of a connection, against the chain written out in numpy.

Slopes by a central difference of eighth order with steps of 1 %: its own error is 1e-11 of value over parameter.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import GRADIENT
from tests.protocols.bundled import TRANSFER, connect, device, everything
from tests.protocols.witness import evaluate
from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.fibre import Fibre
from transduce.link.wavepacket import Sech
from transduce.protocols.performance import Performance
from transduce.protocols.transfer import Transfer
from transduce.units import MHz

STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
STEP = 0.01
PACKETS = {"photon": 1 * MHz, "detection": 1.2 * MHz}


def scalars(done: Performance, single: Performance) -> dict:
    """Public figures by the witness's names."""
    names = ("entanglement_fidelity", "success_probability", "average_fidelity", "average_fidelity_heralded")
    return {name: getattr(done, name) for name in names} | {
        "efficiency": done.link.efficiency,
        "added_noise_input": done.link.added_noise_input,
        "packet_efficiency": done.packet.efficiency,
        "packet_noise": done.packet.noise,
        "single_rail": single.average_fidelity,
    }


def ask(values: dict, connection: eqx.Module) -> dict:
    """The package's figures at these values of the parameters."""
    values = dict(values)
    packets = {name: Sech(bandwidth=values.pop(name)) for name in PACKETS}
    built = parameters.replace(connection, values)
    time_bin, single = (Transfer(encoding, **packets)(built) for encoding in ("time-bin", "single-rail"))
    return scalars(time_bin, single)


@pytest.fixture(scope="module")
def point():
    connection = everything()
    values = {path: float(value) for path, _, value in parameters.walk(connection)} | PACKETS
    return connection, values


def witnessed(values: dict, connection: eqx.Module) -> tuple[dict, dict]:
    """Figures and slopes by the witness: one batch of all points of all stencils."""
    names, count = list(values), 1 + 8 * len(values)
    batch = {name: np.full(count, values[name]) for name in names}
    steps = {name: STEP * abs(values[name]) or STEP for name in names}
    lanes = [(name, k * sign) for name in names for k in STENCIL for sign in (1, -1)]
    for lane, (name, move) in enumerate(lanes, 1):
        batch[name][lane] += move * steps[name]
    figures = evaluate(batch, connection.path.names, batch.pop("photon"), batch.pop("detection"))
    slopes = {figure: dict.fromkeys(names, 0.0) for figure in figures}
    for figure, found in figures.items():
        for lane, (name, move) in enumerate(lanes, 1):
            slopes[figure][name] += np.sign(move) * STENCIL[abs(move)] * found[lane] / steps[name]
    return {figure: found[0] for figure, found in figures.items()}, slopes


def test_every_scalar_and_every_slope(point):
    connection, values = point
    figures, slopes = witnessed(values, connection)
    found = jax.jit(ask)(values, connection)
    assert set(found) == set(figures)
    for name, value in figures.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-10), name
    gradients = jax.jit(jax.jacrev(ask))(values, connection)
    silent = []
    for figure, by_path in slopes.items():
        for path, wanted in by_path.items():
            x, scale = abs(values[path]) or 1.0, abs(figures[figure])
            got = float(gradients[figure][path])
            assert abs(got - wanted) * x / max(scale, abs(wanted) * x) < GRADIENT, (figure, path, got, wanted)
            if figure == "average_fidelity" and wanted == 0 and got == 0:
                silent.append(path)
    # The reference signals of qubits, delays and the mark of the carrier change no fidelity of a time bin.
    assert {path.split(".")[-1] for path in silent} <= {"frequency", "group_index", "frequency_shift", "n_s", "coupling_j", "phase_jitter"} | {
        "detuning_s",
        "detuning_d",
        "frequency_o",
    }, silent


EDGES = {
    "cold": lambda x: connect(device(temperature=x, heating_conductance=None)),
    "cold and heated": lambda x: connect(device(temperature=x)),
    "no pump": lambda x: connect(device(pump_power=x)),
    "no cooperativity": lambda x: connect(
        ElectroOptic(cooperativity=x, kappa_e_ext=MHz, kappa_e_int=MHz, kappa_o_ext=MHz, kappa_o_int=MHz, n_e_int=0.1, n_o_int=0.2)
    ),
    "no length": lambda x: connect(device(), fibre=Fibre(length=x)),
    "no noise": lambda x: connect(device(), fibre=Fibre(length=1e3, noise_photons=x)),
    "all matched": lambda x: connect(device(mode_match=1 - x)),
    "overcoupled": lambda x: connect(device(kappa_e_int=x)),
    "undercoupled": lambda x: connect(device(kappa_e_ext=x)),
}


@pytest.mark.parametrize("edge", EDGES)
def test_the_edges_have_a_slope(edge):
    """Finite, and the one-sided one: (F(h) - F(0)) / h with two steps, extrapolated."""

    def value(x):
        done = TRANSFER(EDGES[edge](x))
        return jnp.stack([done.packet.efficiency, done.packet.noise, done.average_fidelity])

    values, slopes = jax.jit(jax.vmap(lambda x: jax.jvp(value, (x,), (jnp.ones(()),))))(jnp.array([0.0, 1.0]))
    assert np.isfinite(values).all() and np.isfinite(slopes[0]).all(), (edge, values, slopes)
