"""Teleportation over hardware: closed forms at the carrier, direct conversion beside it, a wide photon on a grid, clocks, every slope."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

from tests import CLOSED_FORM, GRADIENT
from tests.protocols.bundled import device
from tests.protocols.meetings import STENCIL, around, asked, close, steps
from tests.protocols.witness import Device, fibre, loss, of
from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.gaussian.teleportation import quietest_gain, teleport
from transduce.linear.noise import PairMoments
from transduce.linear.system import UnstableError
from transduce.link.emission import Qubit, absorption, emission
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection, Node
from transduce.link.overlap import shifted_overlap
from transduce.link.routing import Loss
from transduce.link.sampled import Sampled
from transduce.link.synchronisation import Synchronisation
from transduce.link.wavepacket import Sech
from transduce.protocols.limits import limits
from transduce.protocols.teleportation import Shared, Teleportation, Teleported
from transduce.protocols.transfer import Transfer
from transduce.qubit.encodings import SingleRail
from transduce.units import GHz, Hz, MHz, c_0, dB, kHz, km, ns, ps, us

PHOTON = Sech(bandwidth=1 * MHz)
BLUE = {"kappa_e_ext": 8 * MHz, "kappa_e_int": 2 * MHz, "kappa_o_ext": 6 * MHz, "kappa_o_int": 4 * MHz, "n_e_int": 0.1, "n_e_ext": 0.02}
CLOCKS = {
    **{"timing_offset": 60 * ns, "timing_jitter": 80 * ns, "clock_jitter": 2 * ps, "carrier_offset": 0.0},
    **{"laser_linewidth": 0.5 * kHz, "path_difference": 1 * us, "fibre_linewidth": 10 * Hz, "stabilisation_bandwidth": 3 * kHz},
}


def pairs(**changed: Any) -> ElectroOptic:
    return ElectroOptic(
        **BLUE | {"cooperativity": 0.2, "detuning_e": 1.5 * MHz, "detuning_o": -0.5 * MHz, "mode_match": 0.9} | changed, pump="blue"
    )


def everything() -> dict[str, Any]:
    """Two different devices, no field at an edge, and both kinds of encoding."""
    b = device(kappa_e_ext=20 * MHz, kappa_e_int=2 * MHz, detuning_e=-0.3 * MHz, detuning_o=0.4 * MHz, pump_detuning=0.7 * MHz)
    one, two = Qubit(t1=60 * us, t2=50 * us, phase_jitter=0.05, frequency=4 * GHz), Qubit(t1=90 * us, t2=40 * us, phase_jitter=0.03)
    glass = {"length": 2 * km, "attenuation": 0.2 * dB / km, "beta2": 2e7 * ps**2 / km, "noise_photons": 3e-3}
    path = Link(fibre=Fibre(coupling_in=0.2, coupling_out=0.3, **glass), loss=Loss(loss=0.3, temperature=1400.0))
    connection = Connection(Node(one, pairs()), Node(two, b), path, synchronisation=Synchronisation(**CLOCKS))
    rail, bins = (Teleportation(name, PHOTON, detection=0.95) for name in ("single-rail", "time-bin"))
    return {"connection": connection, "rail": rail, "bins": bins, "fixed": Teleportation("single-rail", PHOTON, gain=0.8)}


def of_one_photon(scene: dict[str, Any]) -> tuple[Teleported, ...]:
    """All three from one pair."""
    shared = Shared.over(scene["rail"], scene["connection"])
    return tuple(
        eqx.tree_at(lambda one: one.photon, scene[name], scene["rail"].photon).performance(scene["connection"], shared) for name in NAMES
    )


NAMES = ("rail", "bins", "fixed")


SCENE = everything()
VALUES = {name: float(value) for name, _, value in parameters.walk(SCENE)}


@jax.jit
@jax.vmap
def along(values: dict, direction: dict) -> Any:
    """All three at a point, and their slopes along a direction: the one compilation that most tests share."""
    return jax.jvp(lambda values: of_one_photon(parameters.replace(SCENE, values)), (values,), (direction,))


BROAD = 4e5 * MHz


def cold(cooperativity: float, z_o: float = 1.0, z_m: float = 1.0, n_in: float = 0.0, **more: float) -> dict[str, float]:
    """Devices as wide as 4e5 photons, b's passing everything, and a path that does."""
    a = {"kappa_e_ext": z_m * BROAD, "kappa_e_int": (1 - z_m) * BROAD, "kappa_o_ext": z_o * BROAD, "kappa_o_int": (1 - z_o) * BROAD}
    a |= {"n_e_int": n_in, "n_e_ext": 0.0, "mode_match": 1.0, "cooperativity": cooperativity, "detuning_e": 0.0, "detuning_o": 0.0}
    b = {"kappa_e_ext": BROAD, "kappa_e_int": 0.0, "kappa_o_ext": BROAD, "kappa_o_int": 0.0, "mode_match": 1.0, "temperature": 0.0}
    b |= {"absorbed_fraction": 0.0, "detuning_e": 0.0, "detuning_o": 0.0, "pump_detuning": 0.0, "g0": 1.0, "pump_power": 1.0}
    found = {f"connection.{one}.device.{name}": value for one, sheet in (("a", a), ("b", b)) for name, value in sheet.items()}
    unit = float(parameters.replace(SCENE, found)["connection"].b.device.drives()["optical"].coupling)
    found["connection.b.device.g0"] = BROAD / 2 / unit
    for one in "ab":
        found |= {f"connection.{one}.qubit.{name}": value for name, value in (("t1", 1e9), ("t2", 2e9), ("phase_jitter", 0.0))}
    found |= {f"connection.path.fibre.{name}": 0.0 for name in ("attenuation", "coupling_in", "coupling_out", "beta2", "noise_photons")}
    found |= {"connection.path.loss.loss": 0.0, "connection.path.loss.temperature": 0.0}
    found |= {f"connection.synchronisation.{name}": 0.0 for name in CLOCKS if name != "stabilisation_bandwidth"}
    return VALUES | found | {"rail.detection": 1.0, "bins.detection": 1.0, "fixed.gain": 1.0} | more


TABLE = {0.01: (0.5117, 0.3588), 0.1: (0.7134, 0.6201), 0.3: (0.8864, 0.8488)}
LOSSY = (0.1, 0.9, 0.95, 0.2)
DARK = {"connection.path.loss.loss": 80.0}
POINTS = {
    "table": [cold(c) for c in TABLE],
    "lossy": [cold(*LOSSY)],
    "clocks": [cold(0.3) | {f"connection.synchronisation.{name}": value for name, value in CLOCKS.items() if name != "timing_jitter"}],
    "edges": [cold(1e-8), cold(1e-16), cold(0.2) | DARK, cold(1e-8) | DARK, cold(0.2), cold(0.2, n_in=0.3, z_m=0.9) | DARK],
    "unstable": [cold(1.5)],
}
MOVED = [f"connection.a.device.{name}" for name in ("cooperativity", "kappa_e_ext", "kappa_o_int", "mode_match", "detuning_e", "n_e_int")]
MOVED += [f"connection.b.device.{name}" for name in ("pump_power", "kappa_e_int", "kappa_o_ext", "detuning_o", "temperature")]
MOVED += [name for name in VALUES if ".qubit.t" in name or name.startswith("connection.path.") or name.endswith("phase_jitter")]
MOVED += [f"connection.synchronisation.{name}" for name in CLOCKS if name != "carrier_offset"]
MOVED += ["connection.a.qubit.frequency", "connection.b.qubit.frequency", "rail.photon.bandwidth"]
MOVED += ["rail.detection", "bins.detection", "fixed.gain"]
STEPS = steps(VALUES)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """All points in one batch: every parameter alone, the stencil around it, and the points by name; values and slopes in numpy."""
    still = dict.fromkeys(VALUES, 0.0)
    lanes, places = around(VALUES, MOVED)
    for name, points in POINTS.items():
        places[name] = slice(len(lanes), len(lanes) + len(points))
        lanes += [(point, still | {"connection.a.device.cooperativity": 1.0}) for point in points]
    return asked(along, lanes, places)


def test_a_broad_lossless_device(found):
    """At the gain of least noise it is a pure loss, that of conversion at the same cooperativity; at gain 1 all passes, with e^{-2r}."""
    rail, bins, fixed = found["table"][0]
    c = np.array(list(TABLE))
    close(bins.packet.transmission.real**2, 4 * c / (1 + c) ** 2)
    np.testing.assert_allclose(bins.packet.noise, 0.0, atol=CLOSED_FORM)
    np.testing.assert_allclose(bins.fidelity, 1.0, atol=CLOSED_FORM)
    close(bins.success_probability, 4 * c / (1 + c) ** 2)
    close(fixed.packet.noise, ((1 - np.sqrt(c)) / (1 + np.sqrt(c))) ** 2)
    np.testing.assert_allclose(rail.process.entanglement_fidelity, [one for one, _ in TABLE.values()], atol=5e-5)


def test_it_beats_conversion_at_equal_cooperativity():
    """A single rail, at C = 0.1."""
    scene = parameters.replace(SCENE, cold(0.1))
    done = eqx.filter_jit(Teleportation.direct)(scene["rail"], scene["connection"])
    assert float(done.entanglement_fidelity) == pytest.approx(TABLE[0.1][1], abs=5e-5)
    close(done.entanglement_fidelity, (1 + np.sqrt(0.4) / 1.1) ** 2 / 4)
    ends = eqx.tree_at(lambda one: one.a.device, scene["connection"], ElectroOptic(cooperativity=0.1, **BLUE))
    with pytest.raises(ValueError, match=r"Connection\.a\.device must be pumped for pairs, but converts: use a blue pump"):
        scene["rail"](ends)
    back = Connection(ends.a, scene["connection"].a, ends.path)
    with pytest.raises(ValueError, match=r"Convert\.device must convert from optical to microwave, but is pumped for pairs"):
        scene["rail"](eqx.tree_at(lambda one: one.a, back, back.b))


def test_worked_moments_at_the_carrier(found):
    """Lossy and hot, on resonance: the moments, the quietest channel, and the fidelity of the best gain by a scan."""
    rail, bins, _ = found["lossy"][0]
    c, z_o, z_m, n_in = LOSSY
    n_m = 4 * z_m * (c + (1 - z_m) * n_in) / (1 - c) ** 2
    n_o = 4 * c * z_o * (1 + (1 - z_m) * n_in) / (1 - c) ** 2
    correlation = 2 * np.sqrt(c * z_o * z_m) * (1 + c + 2 * n_in * (1 - z_m)) / (1 - c) ** 2
    close([rail.moments.first[0], rail.moments.second[0], abs(rail.moments.correlation[0])], [n_m, n_o, correlation])
    close(bins.packet.noise, n_o - correlation**2 / (n_m + 1))
    k = np.linspace(0.5, 1.0, 200001)
    n = k**2 * (n_m + 1) + n_o - 2 * k * correlation
    g = 1 + n
    close(rail.process.entanglement_fidelity[0], np.max(1 / g + (k**2 + n * (g - k**2)) / g**3 + 2 * k / g**2) / 4)


def test_clocks_take_correlation(found):
    """Light that is late or turned, against b's clock too, adds noise; the record is played on that clock: the qubit is not turned."""
    _, bins, fixed = found["clocks"][0]
    c = 0.3
    laser = CLOCKS["laser_linewidth"] * CLOCKS["path_difference"] + CLOCKS["fibre_linewidth"] / 2 / CLOCKS["stabilisation_bandwidth"]
    clock = (5 * GHz * CLOCKS["clock_jitter"]) ** 2
    left = np.exp(-(laser + clock) / 2) * float(abs(shifted_overlap(PHOTON, CLOCKS["timing_offset"])))
    pure = 2 * np.sqrt(c) * (1 + c) / (1 - c) ** 2
    close(abs(fixed.moments.correlation), left * pure)
    close(fixed.packet.noise, 8 * c / (1 - c) ** 2 + 1 - 2 * left * pure, 1e-9)  # a tenth of what it is the difference of
    g = 1 + fixed.packet.noise
    close(2 * abs(fixed.process.choi[0, 3, 0]), 1 / g**2)
    g, eta = 1 + bins.packet.noise, bins.packet.transmission.real**2
    close(2 * abs(bins.process.choi[0, 3, 0]), eta / g**4)


def test_from_qubit_to_qubit(found):
    """Emission and absorption around the packet's channel, as in a transfer; an attempt waits for the news where there is a herald."""
    rail, bins, _ = jax.tree.map(lambda x: x[0], found["alone"][0])
    sent = emission(SCENE["connection"].a.qubit, PHOTON)
    for done, photons, ways in ((rail, 1, 1), (bins, 2, 2)):
        absorbed = done.channel.noise / done.packet.noise
        close(done.channel.transmission.real, np.sqrt(float(sent.efficiency) * absorbed) * done.gain)
        assert 0.9 < absorbed < 1 and 0.9 < done.coherence < 1
        close(done.attempt_duration, photons * float(PHOTON.duration) + ways * 2000 * 1.468 / c_0)
        close(done.rate * done.attempt_duration, done.success_probability)
        assert done.bell == "phi+" and abs(np.trace(done.pair) - 1) < 0.2
    assert rail.success_probability == 1 > bins.success_probability


def test_a_wide_photon_of_any_shape_on_a_uniform_grid():
    """A packet that is not real, so that f*(-w) is not f(w): the moments, and the absorbed mode by a plain transform."""
    blue, b = pairs(), SCENE["connection"].b.device
    times = np.arange(-64, 64) * 25 * ns
    photon = Sampled.from_samples(np.exp(-((times / (300 * ns)) ** 2) * (1 - 0.7j) - 1j * 0.6 * MHz * times), 25 * ns, times[0])
    connection = Connection(Node(Qubit(t1=2 * us, t2=4 * us), blue), Node(Qubit(t1=2 * us, t2=4 * us), b), SCENE["connection"].path)
    protocol = Teleportation("single-rail", photon, gain=0.8, samples=1024)
    size, step = 2**15, 5 * ns
    omega = (np.arange(size) - size // 2) * (2 * np.pi / (size * step))

    @eqx.filter_jit
    def ask(connection):
        system, at = connection.a.device.linear_system(), connection.a.device.carrier()
        made = jax.vmap(lambda w: system.pair_moments("optical", "microwave", at + w))(omega)
        shared = Shared.over(protocol, connection)
        return shared, made, jax.vmap(photon.spectrum)(-omega), absorption(connection.b.qubit, shared.mode).efficiency

    shared, made, mirrored, absorbed = jax.tree.map(np.asarray, ask(connection))
    p = {name: np.array([value]) for name, _, value in parameters.walk(connection)}
    row = [fibre(of(p, "path.fibre.")), loss(of(p, "path.loss.")), Device(of(p, "b.device.")).stage("optical", "microwave")]
    u, n = 1.0, 0.0
    for stage in row:
        one, noise = (value[0] for value in stage(omega[None]))
        u, n = u * one, n * abs(one) ** 2 + noise
    f, d = mirrored.conj(), (omega[1] - omega[0]) / (2 * np.pi)
    mode = f * u * made.correlation
    square = np.sum(abs(mode) ** 2) * d
    close(abs(shared.moments.correlation) ** 2, square)
    close(shared.moments.first, np.sum(abs(f) ** 2 * made.second) * d)
    close(shared.moments.second, np.sum(abs(mode) ** 2 * (abs(u) ** 2 * made.first + n)) * d / square)
    mode, size, step = np.pad(mode, size * 15 // 2), 16 * size, step / 16
    density = abs(np.fft.fftshift(np.fft.fft(np.fft.ifftshift(mode)))) ** 2
    density = density / (density.sum() * step)
    clock = (np.arange(size) - size // 2) * step
    late = np.cumsum(density[::-1])[::-1] * step - density * step / 2
    k = int(np.argmax(late < 1e-6))
    end = clock[k - 1] + step * np.log(late[k - 1] / 1e-6) / np.log(late[k - 1] / late[k])
    growth = np.sum(density * np.exp((end - clock) / (2 * us))) * step
    assert float(absorbed) == pytest.approx(1 / growth, rel=1e-5)  # as good as the brute force's trapezoids


def test_every_slope_against_differences(found):
    """Of sixth order, with steps of 1 %; relative to value over parameter."""
    weights = np.array([STENCIL[k] * sign for k in STENCIL for sign in (1, -1)])
    heard = set()
    for which in range(3):
        value, slopes = (one[which] for one in found["alone"])
        around = jax.tree.map(lambda x: x.reshape(len(MOVED), 2 * len(STENCIL), *x.shape[1:]), found["stencil"][0][which])
        for figure in ("fidelity", "success_probability", "rate"):
            got, near, size = getattr(slopes, figure), getattr(around, figure), abs(getattr(value, figure)[0])
            for lane, name in enumerate(MOVED):
                if name.endswith("carrier_offset"):
                    continue
                wanted, x = float(weights @ near[lane]) / STEPS[name], abs(VALUES[name]) or 1.0
                assert abs(got[lane] - wanted) * x / max(size, abs(wanted) * x) < GRADIENT, (which, figure, name, got[lane], wanted)
                if got[lane] != 0:
                    heard.add(name)
    assert set(MOVED) - heard <= {"connection.a.qubit.frequency", "connection.path.loss.frequency"}  # the lower one, and a cold loss


def test_values_and_slopes_are_finite_at_the_edges(found):
    """A cooperativity of 1e-8 and 1e-16, nothing arriving, no noise."""
    for values in found["edges"]:
        for done in values:
            for figure in ("fidelity", "success_probability", "rate"):
                assert np.all(np.isfinite(getattr(done, figure))), figure
    rail, bins, _ = found["edges"][0]
    close(rail.process.entanglement_fidelity[1], _guess(), 1e-7)
    np.testing.assert_allclose(bins.fidelity[:2], 1.0, atol=1e-6)


def _guess() -> float:
    """Without a pair: the best gain on the record alone, n = k^2."""
    k = np.linspace(0.0, 1.0, 200001)
    g = 1 + k**2
    return float(np.max(1 / g + (k**2 + k**2) / g**3 + 2 * k / g**2) / 4)


def test_above_threshold(found):
    """An error eagerly; traced, NaN with slope 0."""
    scene = parameters.replace(SCENE, cold(0.1))
    unstable = parameters.replace(scene["connection"], {"a.device.cooperativity": 1.5})
    with pytest.raises(UnstableError, match="unstable: a disturbance grows at"):
        scene["rail"](unstable)
    with pytest.raises(UnstableError, match="unstable: a disturbance grows at"):
        limits(scene["rail"], unstable)
    lost = traced(scene["rail"], unstable)[1]
    assert all(np.isnan(one.fidelity_gain_if_ideal) and np.isnan(one.rate_factor_if_ideal) for one in lost.limits)
    for done in found["unstable"][0]:
        assert all(np.isnan(x[0]) for x in (done.fidelity, done.rate, done.packet.noise, done.process.entanglement_fidelity))


traced = eqx.filter_jit(limits)
"""What asks for the same structure compiles once."""


def gains(protocol: Any, connection: Connection, limits: Any = limits) -> tuple[Any, dict[str, np.ndarray]]:
    """Fidelity and rate with one cause ideal."""
    done, found = limits(protocol, connection)
    rows = zip(found.names, found.limits, strict=True)
    told = {name: np.array([one.fidelity_gain_if_ideal + done.fidelity, one.rate_factor_if_ideal * done.rate]) for name, one in rows}
    return done, told | {"together": np.array([sum(float(one.fidelity_gain_if_ideal) for one in found.limits), found.remainder])}


FOREVER = {"t1": 1e12, "t2": 2e12}


def replaced(protocol: Teleportation, over: Connection) -> dict[str, tuple[Teleportation, Connection]]:
    """The same without one thing, mostly by other values of its parameters (alike in structure, they compile once); memories stay."""

    def each(node: Node, **changed: Any) -> Node:
        return dataclasses.replace(node, **changed)

    def endless(qubit: Qubit) -> Qubit:
        return dataclasses.replace(qubit, **FOREVER)

    own, (a, b) = over, (each(node, memory=node.keeper) for node in (over.a, over.b))
    over = dataclasses.replace(over, a=a, b=b)
    clear = dict.fromkeys(("attenuation", "coupling_in", "coupling_out", "beta2", "noise_photons"), 0.0)
    kept = {end: each(node, memory=endless(node.keeper)) for end, node in (("a", a), ("b", b))}
    steady = {end: each(node, qubit=dataclasses.replace(node.qubit, phase_jitter=0.0)) for end, node in (("a", a), ("b", b))}
    return {
        "a.emit": (protocol, dataclasses.replace(over, a=each(a, qubit=endless(a.qubit)))),
        "b.absorb": (protocol, dataclasses.replace(over, b=each(b, qubit=endless(b.qubit)))),
        "path.fibre": (protocol, eqx.tree_at(lambda c: c.path.parts[0], over, dataclasses.replace(over.path["fibre"], **clear))),
        "path.loss": (protocol, eqx.tree_at(lambda c: c.path.parts[1], over, dataclasses.replace(over.path["loss"], loss=0.0))),
        "detection": (dataclasses.replace(protocol, detection=1.0), over),
        "gain": (dataclasses.replace(protocol, gain=None), own),
        "clocks": (protocol, dataclasses.replace(over, **steady, synchronisation=None)),
        "waiting": (protocol, dataclasses.replace(over, **kept)),
    }


@pytest.mark.parametrize("encoding", ["single-rail", pytest.param("time-bin", marks=pytest.mark.slow)])
def test_each_cause_is_the_connection_without_it(encoding):
    """And all of them ideal, endless pairs included, is the qubit as it was, as often as the attempts."""
    protocol, over = Teleportation(encoding, PHOTON, detection=0.95, gain=0.8, samples=512), SCENE["connection"]
    done, found = gains(protocol, over)
    assert list(found)[:-1] == [
        *("a.emit", "a.squeezing", "a.purity", "path.fibre", "path.loss", "b.down", "b.absorb", "detection", "gain", "clocks", "waiting")
    ]
    for cause, (other, without) in replaced(protocol, over).items():
        wanted = other(without)
        np.testing.assert_allclose(found[cause], [wanted.fidelity, wanted.rate], rtol=1e-9, err_msg=cause)  # T1 of 1e12 s, not for ever
    assert float(done.fidelity) + found["together"].sum() == pytest.approx(1.0, rel=CLOSED_FORM)


@pytest.mark.parametrize("encoding", ["single-rail", pytest.param("time-bin", marks=pytest.mark.slow)])
def test_endless_pure_pairs_transfer(encoding):
    """Endless squeezing alone, of a lossless source, is a transfer whose way up is ideal, clocks and all."""
    clean = {"kappa_e_int": 0.0, "kappa_o_int": 0.0, "n_e_int": 0.0, "n_e_ext": 0.0, "mode_match": 1.0}
    name = {"single-rail": "rail", "time-bin": "bins"}[encoding]
    whole = {f"connection.a.device.{field}": value for field, value in clean.items()} | {f"{name}.detection": 1.0}
    scene = parameters.replace(SCENE, VALUES | whole)
    over = scene["connection"]
    red = eqx.tree_at(lambda c: c.a.device, over, dataclasses.replace(over.a.device, pump="red"))
    ours, theirs = (gains(protocol, way, traced)[1] for protocol, way in ((scene[name], over), (Transfer(encoding, PHOTON), red)))
    assert "gain" not in ours  # that is given
    np.testing.assert_allclose(ours["a.squeezing"], theirs["a.up"], rtol=1e-8)


def test_a_source_pure_or_endless():
    """On resonance, lossy and hot: pure pairs of the same M, and what the source has beyond them where its squeezing has no end."""
    scene = parameters.replace(SCENE, cold(*LOSSY))
    rail, ideal = gains(scene["rail"], scene["connection"], traced)
    n_m, n_o, m = (float(abs(x)) for x in rail.moments)
    pure = (np.sqrt(1 + 4 * m**2) - 1) / 2
    scan = np.linspace(0.5, 1.0, 200001)
    for cause, k, n in (
        ("a.purity", scan, scan**2 * (pure + 1) + pure - 2 * scan * m),
        ("a.squeezing", np.ones(1), n_m + n_o - 2 * pure),
    ):
        g = 1 + n
        close(ideal[cause][0], np.max(1 / g + (k**2 + n * (g - k**2)) / g**3 + 2 * k / g**2) / 4, 1e-9)


def test_eager_is_traced():
    """Concrete values ask for as many samples as they need; here those of traced code."""
    done = SCENE["rail"](SCENE["connection"])
    moments = PairMoments(*done.moments)
    channel = teleport(moments, done.gain, 0.95)
    close([done.packet.noise, done.packet.transmission.real], [channel.noise, done.gain])
    ends = float(done.channel.noise / done.packet.noise)
    close(
        SingleRail().process(done.channel, done.coherence, np.sqrt(0.05**2 + 0.03**2)).entanglement_fidelity,
        done.entanglement_fidelity,
    )
    assert 0.9 < ends < 1 and float(done.gain) > float(quietest_gain(moments, 0.95))


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"^encoding must be one of single-rail, dual-rail, time-bin, but is 'qutrit'"):
        Teleportation("qutrit", PHOTON)
    with pytest.raises(ValueError, match=r"Teleportation\.detection must be above 0 and at most 1, but is 0"):
        Teleportation("single-rail", PHOTON, detection=0.0)
    with pytest.raises(ValueError, match=r"Teleportation\.direct: node a's device must be ElectroOptic, but is Node"):
        ends = eqx.tree_at(lambda one: one.a.device, SCENE["connection"], Node(Qubit(t1=1.0, t2=1.0), pairs()))
        SCENE["rail"].direct(ends)
