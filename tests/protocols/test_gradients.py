"""The public scalars of a transfer and their slopes with every parameter of a connection, against the chain written out in numpy.

Slopes by a central difference of eighth order with steps of 1 %: its own error is 1e-11 of value over parameter.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import GRADIENT
from tests.protocols.bundled import everything
from tests.protocols.meetings import STEP
from tests.protocols.witness import evaluate
from transduce import parameters
from transduce.link.wavepacket import Sech
from transduce.protocols.performance import Transferred
from transduce.protocols.transfer import Passage, Transfer
from transduce.units import MHz

STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
PACKETS = {"photon": 1 * MHz, "detection": 1.2 * MHz}


SILENT = {
    *("frequency", "group_index", "frequency_shift", "phase_jitter", "n_s", "temperature", "duty_cycle", "azimuthal_number"),
    *("coupling_j", "detuning_s", "detuning_d", "coupling_x", "detuning_x"),
}
"""What changes no fidelity of a time bin: delays, what is stated otherwise, a mode that is not there, a bath beside occupations."""


def scalars(done: Transferred, single: Transferred) -> dict:
    """Public figures by the witness's names."""
    names = ("entanglement_fidelity", "success_probability", "average_fidelity", "average_fidelity_heralded")
    return {name: getattr(done, name) for name in names} | {
        "efficiency": done.link.efficiency,
        "added_noise_input": done.link.added_noise_input,
        "bandwidth_fwhm": done.link.bandwidth_fwhm,
        "ripple_db": done.link.ripple_db,
        "efficiency_internal": done.link.efficiency_internal,
        "packet_efficiency": done.packet.efficiency,
        "packet_noise": done.packet.noise,
        "single_rail": single.average_fidelity,
    }


def ask(values: dict, connection: eqx.Module) -> dict:
    """The package's figures at these values of the parameters."""
    values = dict(values)
    packets = {name: Sech(bandwidth=values.pop(name)) for name in PACKETS}
    built = parameters.replace(connection, values)
    time_bin, single = (Transfer(encoding, **packets) for encoding in ("time-bin", "single-rail"))
    passage = Passage.over(time_bin, built)
    return scalars(time_bin.performance(passage), single.performance(passage))


CONNECTION = everything()
VALUES = {path: float(value) for path, _, value in parameters.walk(CONNECTION)} | PACKETS
SPLIT = {f"{end}.device.kappa_{port}_ext": kappa * MHz for end in "ab" for port, kappa in (("e", 12), ("o", 8))}
SPLIT |= {"b.device.detuning_e": 0.3 * MHz, "b.device.detuning_o": -0.4 * MHz, "b.device.pump_power": 0.12, "path.filter.centre": 4 * MHz}
POINTS = {"one peak": VALUES, "split": VALUES | SPLIT}
"""The second with strong coupling at both ends: the link has a dip of 0.9 dB between two maxima."""


@jax.jit
@jax.vmap
def along(values: dict, direction: dict) -> tuple[dict, dict]:
    """Figures, and their slopes along a direction."""
    return jax.jvp(lambda x: ask(x, CONNECTION), (values,), (direction,))


def witnessed(values: dict) -> tuple[dict, dict]:
    """Figures and slopes by the witness: one batch of all points of all stencils."""
    names, count = list(values), 1 + 8 * len(values)
    batch = {name: np.full(count, values[name]) for name in names}
    steps = {name: STEP * abs(values[name]) or STEP for name in names}
    lanes = [(name, k * sign) for name in names for k in STENCIL for sign in (1, -1)]
    for lane, (name, move) in enumerate(lanes, 1):
        batch[name][lane] += move * steps[name]
    figures = evaluate(batch, CONNECTION.path.names, batch.pop("photon"), batch.pop("detection"))
    slopes = {figure: dict.fromkeys(names, 0.0) for figure in figures}
    for figure, found in figures.items():
        for lane, (name, move) in enumerate(lanes, 1):
            slopes[figure][name] += np.sign(move) * STENCIL[abs(move)] * found[lane] / steps[name]
    return {figure: found[0] for figure, found in figures.items()}, slopes


BOTH = ("a.device.", "b.device.")
EDGES = {
    "temperature": (BOTH, 0.0, 3e-4),
    "pump_power": (BOTH, 0.0, 1e-5),
    "kappa_e_int": (BOTH, 0.0, 0.05 * MHz),
    "kappa_o_int": (BOTH, 0.0, 0.05 * MHz),
    "mode_match": (BOTH, 1.0, -1e-3),
    "length": (("path.fibre.",), 0.0, 100.0),
    "coupling_in": (("path.fibre.",), 0.0, 0.01),
    "noise_photons": (("path.fibre.",), 0.0, 1e-3),
    "t2": (("a.qubit.",), 120e-6, -1e-6),
}
"""Field -> (whose, the edge, a step into its domain)."""
ROOTS = ("pump_power",)
"""Where the efficiency comes from 0 the single rail's fidelity goes as its root, and the added noise at the input from infinity."""
FORWARD = [-761 / 280, 8, -14, 56 / 3, -35 / 2, 56 / 5, -14 / 3, 8 / 7, -1 / 8]


@pytest.fixture(scope="module")
def found():
    """Of every parameter alone at either point, then of every edge: one batch."""
    moves = [(point, {name: float(name == one) for name in VALUES}) for point in POINTS.values() for one in VALUES]
    for field, (owners, edge, _) in EDGES.items():
        moved = {owner + field for owner in owners}
        point = {name: edge if name in moved else x for name, x in VALUES.items()}
        moves.append((point, {name: float(name in moved) for name in VALUES}))
    return jax.tree.map(np.asarray, along(*(jax.tree.map(lambda *x: jnp.array(x), *each) for each in zip(*moves, strict=True))))


@pytest.mark.parametrize("name", POINTS)
def test_every_scalar_and_every_slope(found, name):
    point, first = POINTS[name], list(POINTS).index(name) * len(VALUES)
    figures, slopes = witnessed(point)
    assert set(found[0]) == set(figures)
    assert (figures["ripple_db"] > 0.5) == (name == "split")
    for figure, value in figures.items():
        assert found[0][figure][first : first + len(VALUES)] == pytest.approx(value, rel=1e-10), figure
    silent = []
    for figure, by_path in slopes.items():
        for lane, (path, wanted) in enumerate(by_path.items(), first):
            x, scale, got = abs(point[path]) or 1.0, abs(figures[figure]), found[1][figure][lane]
            assert abs(got - wanted) * x <= GRADIENT * max(scale, abs(wanted) * x), (figure, path, got, wanted)
            if figure == "average_fidelity" and wanted == 0 and got == 0:
                silent.append(path)
    assert {path.split(".")[-1] for path in silent} <= SILENT, silent


def test_forwards_and_backwards_agree(found):
    backwards = jax.jit(jax.grad(lambda x: ask(x, CONNECTION)["average_fidelity_heralded"]))(VALUES)
    for lane, path in enumerate(VALUES):
        slope = found[1]["average_fidelity_heralded"][lane]
        assert abs(float(backwards[path]) - slope) * (abs(VALUES[path]) or 1.0) < 1e-11, path


def test_at_an_edge_the_slope_is_the_one_sided_one(found):
    """T = 0, P = 0, C = 0, no loss, all lost, no length, no dephasing: against a forward difference of eighth order by the witness."""
    for lane, (field, (owners, edge, step)) in enumerate(EDGES.items(), len(POINTS) * len(VALUES)):
        lanes = {name: np.full(9, value) for name, value in VALUES.items()}
        for owner in owners:
            lanes[owner + field] = edge + step * np.arange(9)
        figures = evaluate(lanes, CONNECTION.path.names, lanes.pop("photon"), lanes.pop("detection"))
        for name, row in figures.items():
            value, slope, got = row[0], found[1][name][lane], found[0][name][lane]
            if not np.isfinite(value) or (name == "single_rail" and value < 0.6 and field in ROOTS):
                continue
            wanted = float(np.dot(FORWARD, row) / step)
            assert got == pytest.approx(value, rel=1e-10, abs=1e-14), (field, name)
            rounding = 1e-13 * np.max(np.abs(row)) / abs(step)
            assert abs(slope - wanted) <= GRADIENT * np.ptp(row) / abs(step) + rounding, (field, name, slope, wanted)
