"""A source in the middle: the chain on a grid and in Fock space, what other modes leave of a pair, two clicks beside it, every slope."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import poisson

from tests import CLOSED_FORM, GRADIENT
from tests.protocols.meetings import CLOCKS, DETECTOR, PHOTON, STENCIL, around, asked, close, ends, path, steps
from tests.protocols.witness import Device, exchange, fibre, loss, of, sech
from tests.qubit import counting
from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.meeting import Meeting
from transduce.link.node import Connection, Node
from transduce.link.synchronisation import Synchronisation
from transduce.protocols.heralded import Heralded, TwoClick
from transduce.protocols.middle_source import MiddleSource
from transduce.qubit.detector import Detector
from transduce.units import GHz, Hz, MHz, c_0, km, us

FOREVER = Qubit(t1=1e9, t2=2e9)


def everything() -> dict[str, Any]:
    """Two different nodes and arms, no field at an edge; pairs wait without decay."""
    paths = path(2 * km, 3e-3), path(1 * km, 2e-3)
    meeting = Meeting(*ends(a=FOREVER, b=FOREVER), *paths, synchronisation=Synchronisation(**CLOCKS))
    shared: Any = {"photon": PHOTON, "detector": Detector(**DETECTOR), "filter_bandwidth": 2 * MHz, "gate": 4 * us}
    source: Any = {"pair_rate": 2e8, "source_bandwidth": 20 * GHz}
    return {"meeting": meeting, "middle": MiddleSource(**shared, **source), "two": TwoClick(**shared)}


SCENE = everything()
VALUES = {name: float(value) for name, _, value in parameters.walk(SCENE)}


@jax.jit
@jax.vmap
def along(values: dict, direction: dict) -> Any:
    """At a point, and the slopes along a direction: the one compilation that these tests share."""

    def ask(values: dict) -> Heralded:
        scene = parameters.replace(SCENE, values)
        return scene["middle"](scene["meeting"])

    return jax.jvp(ask, (values,), (direction,))


@jax.jit
@jax.vmap
def half_way(values: dict) -> Heralded:
    """Two clicks at the same point."""
    scene = parameters.replace(SCENE, values)
    return scene["two"](scene["meeting"])


BROAD = 4e5 * MHz


def cold(pairs: float, bandwidth: float, fibre_loss: float = 0.0, node: float = 1.0, **more: float) -> dict[str, float]:
    """Lossless devices as wide as 4e5 photons, but for their pump, and arms that only lose; loss in dB per arm."""
    sheet = {"kappa_e_ext": BROAD, "kappa_o_ext": BROAD, "kappa_e_int": 0.0, "kappa_o_int": 0.0, "mode_match": 1.0, "temperature": 0.0}
    sheet |= {"absorbed_fraction": 0.0, "detuning_e": 0.0, "detuning_o": 0.0, "pump_detuning": 0.0, "g0": 1.0, "pump_power": 1.0}
    found = {f"meeting.{one}.device.{name}": value for one in "ab" for name, value in sheet.items()}
    unit = float(parameters.replace(SCENE, found)["meeting"].a.device.drives()["optical"].coupling)
    coupling = np.sqrt((2 - node - 2 * np.sqrt(1 - node)) / node)  # sqrt C of 4 C / (1 + C)^2
    found |= {f"meeting.{one}.device.g0": coupling * BROAD / 2 / unit for one in "ab"}
    for one in "ab":
        found |= {f"meeting.{one}.qubit.t1": 1e9, f"meeting.{one}.qubit.t2": 2e9, f"meeting.{one}.qubit.phase_jitter": 0.0}
        found |= {
            f"meeting.path_{one}.fibre.{name}": 0.0 for name in ("coupling_in", "coupling_out", "attenuation", "beta2", "noise_photons")
        }
        found |= {f"meeting.path_{one}.loss.loss": fibre_loss, f"meeting.path_{one}.loss.temperature": 0.0}
    found |= {f"meeting.synchronisation.{name}": 0.0 for name in CLOCKS if name != "stabilisation_bandwidth"}
    found |= {"meeting.b.qubit.differential_phase_jitter": 0.0, "middle.pair_rate": pairs * 20e9}
    perfect = {"efficiency": 1.0, "dark_probability": 0.0, "background_counts": 0.0, "background_modes": 0.0}
    for which in ("middle", "two"):
        found |= {f"{which}.detector.{name}": value for name, value in perfect.items()}
        found |= {f"{which}.filter_bandwidth": bandwidth, f"{which}.gate": float(PHOTON.duration)}
    return VALUES | found | more


NARROW, WIDE = 1e-4 * MHz, 1e3 * MHz
LOSSES = (0.0, 3.0, 10.0, 30.0)
POINTS = {
    "narrow": [cold(1e-12, NARROW), cold(1e-3, NARROW, node=1e-7)],
    "lengths": [cold(1e-12, WIDE, x) for x in LOSSES],
    "edges": [
        cold(1e-2, 2 * MHz),
        cold(1e-2, 2 * MHz, node=1e-8),
        cold(1e-2, 2 * MHz, 80.0),
        cold(1e-2, 2 * MHz, node=1e-8, fibre_loss=80.0),
    ],
}
STEPS = steps(VALUES)
ONCE = ("meeting.path_a.fibre.length", "meeting.path_a.fibre.beta2", "meeting.path_a.loss.loss", "meeting.a.device.kappa_o_int")
PARTS = ("middle.", "meeting.b.", "meeting.path_b.", "meeting.synchronisation.")
MOVED = [name for name, x in VALUES.items() if (name.startswith(PARTS) or name in ONCE) and x != 0 and "schedule" not in name]
"""Of a, which is treated as b is, but a few."""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """All points in one batch: every parameter alone, the stencil around it, and the points by name; values and slopes in numpy."""
    still = dict.fromkeys(VALUES, 0.0)
    lanes, places = around(VALUES, MOVED)
    every = [
        still | {name: 1.0} for name in ("middle.pair_rate", "middle.filter_bandwidth", "meeting.a.device.g0", "meeting.path_b.loss.loss")
    ]
    for name, points in POINTS.items():
        lanes_here = [(point, one) for point in points for one in (every if name == "edges" else [still])]
        places[name] = slice(len(lanes), len(lanes) + len(lanes_here))
        lanes += lanes_here
    return asked(along, lanes, places)


PAIRS = 2e8 / 20e9


def chain() -> dict[str, Any]:
    """Everything written out in numpy on a symmetric sinh grid; b's frequencies are a's, mirrored."""
    p = {name.removeprefix("meeting."): np.array([value]) for name, value in VALUES.items()}
    x = np.linspace(-30, 30, 12001)
    w, weight = 3e6 * np.sinh(x), 3e6 * np.cosh(x) * (x[1] - x[0]) / (2 * np.pi)
    k, offset, photon = (
        VALUES[name] for name in ("middle.filter_bandwidth", "meeting.synchronisation.carrier_offset", "middle.photon.bandwidth")
    )
    nodes, halves, lambdas, crossing, passed, kept = [], [], [], 1.0, 1.0, 1.0
    for node, own, at in (("a", w, w), ("b", -w - offset, -w)):
        up, noise = (value[0] for value in Device(of(p, f"{node}.device.")).stage("microwave", "optical")(own[None]))
        glass = of(p, f"path_{node}.fibre.")
        glass = glass | {"coupling_in": glass["coupling_out"], "coupling_out": glass["coupling_in"]}
        (u1, n1), (u2, n2) = loss(of(p, f"path_{node}.loss."))(own[None]), fibre(glass)(own[None])
        way, added = (u1 * u2)[0], (n1 * abs(u2) ** 2 + n2)[0]
        h = k / 2 / (k / 2 - 1j * at)
        mode = h * up * sech(np.array([[photon]]), own)[0]
        eta = np.sum(weight * abs(mode) ** 2)
        mode = mode / np.sqrt(eta)
        heard = [np.sum(weight * abs(mode * h) ** 2 * n) for n in (noise, added, abs(way) ** 2)]
        every = [np.sum(weight * abs(h) ** 2 * n) for n in (noise, added, abs(way) ** 2)]
        (emitted,), (coherence,) = exchange(of(p, f"{node}.qubit."), np.array([[photon]]))
        nodes.append((eta * emitted, heard[0], 0.0))
        halves.append((heard[2], heard[1], 0.0))
        total, own_part = (one[0] + one[1] + PAIRS * one[2] for one in (every, heard))
        lambdas.append((VALUES["middle.gate"] * total - own_part) / 2)
        crossing, passed, kept = crossing * mode.conj() * h * way, passed * abs(h * way) ** 2, kept * coherence

    def overlap(tau):
        return np.sum(weight * crossing * np.exp(1j * w * tau)) / np.sqrt(halves[0][0] * halves[1][0])

    best = minimize_scalar(lambda tau: -abs(overlap(tau)), bracket=(-1e-7, 0.0, 1e-7), options={"xtol": 1e-7}).x
    for _ in range(4):
        t, first, second = (np.sum(weight * crossing * (1j * w) ** j * np.exp(1j * w * best)) for j in range(3))
        best -= np.real(first * t.conj()) / (abs(first) ** 2 + np.real(second * t.conj()))
    delays, shares = np.polynomial.hermite_e.hermegauss(12)
    delays = best + CLOCKS["timing_offset"] + CLOCKS["timing_jitter"] * delays
    scene: dict[str, Any] = {"nodes": nodes, "halves": halves, "lambdas": lambdas, "coherence": kept}
    scene["overlap"] = np.array([overlap(tau) for tau in delays])
    scene["beside"] = VALUES["middle.gate"] * np.sum(weight * passed) - halves[0][0] * halves[1][0] * abs(scene["overlap"]) ** 2
    return scene | {"shares": shares / shares.sum()}


def counted(wanted: dict[str, Any], xi: float, beside: float) -> np.ndarray:
    """The pattern of four counts in c, photon by photon: pairs beside the modes put a count in both c, or elsewhere and spoil it."""
    efficiency, dark, thermal = (DETECTOR[name] for name in ("efficiency", "dark_probability", "background_modes"))
    both = efficiency**2 * PAIRS * beside
    *lost, (eta, n, _) = (counting.lossy(one, efficiency) for one in (*wanted["nodes"], *wanted["halves"]))
    half = eta * xi**2, n + eta * (1 - xi**2) * PAIRS, 0.0  # what of b's half is no partner of a's is thermal
    alone = [DETECTOR["background_counts"] + efficiency * mean - both / 2 for mean in wanted["lambdas"]]
    single = [counting.herald("threshold", counting.false_counts(dark, mean, (thermal,))) for mean in alone]
    one_bin: Any = 0.0
    for together, share in ((0, poisson.pmf(0, both / 4)), (1, poisson.sf(0, both / 4))):
        effects = [counting.effect(lambda c, d, of=of, more=together: of(c + more, d), 1.0) for of in single]
        one_bin = one_bin + share * np.exp(-3 * both / 4) * counting._middle_bin(effects, lost[:2], PAIRS, (lost[2], half))
    return (one_bin * counting.flipped(one_bin)).reshape(4, 4) / 4


def test_the_whole_chain_in_numpy_and_fock_space(found):
    wanted = chain()
    done = jax.tree.map(lambda x: x[0], found["alone"][0])
    for channel, (eta, n, _) in zip((done.channel_a, done.channel_b), wanted["nodes"], strict=True):
        close(channel.transmission.real**2, eta)
        close(channel.noise, n)
    close(abs(done.overlap), abs(wanted["shares"] @ wanted["overlap"]))
    close(done.background_counts, DETECTOR["efficiency"] * np.mean(wanted["lambdas"]))
    assert 0.9 < abs(done.overlap) < 0.999 and np.all(wanted["beside"] > wanted["halves"][0][0] * wanted["halves"][1][0])
    late = zip(wanted["shares"], abs(wanted["overlap"]), wanted["beside"], strict=True)
    brute = sum(share * counted(wanted, xi, beside) for share, xi, beside in late)
    close(done.state.populations, np.diag(brute).real)
    laser = 2 * CLOCKS["laser_linewidth"] * CLOCKS["path_difference"]
    servo = CLOCKS["stabilisation_bandwidth"]
    glass = -np.expm1(-servo * 4 * us) * CLOCKS["fibre_linewidth"] / servo
    square = laser + glass + 2 * (5 * GHz * CLOCKS["clock_jitter"]) ** 2 + 2 * 0.05**2 + 0.02**2
    close(abs(done.state.coherence), abs(brute[0, 3]) * wanted["coherence"] ** 2 * np.exp(-square / 2))
    close(done.success_probability, 16 * np.trace(brute).real)


def test_an_attempt_takes_both_bins_and_the_way_there_and_back(found):
    """Twice the longer arm: the other half's flight to its station, and from there the news past the source."""
    done = jax.tree.map(lambda x: x[0], found["alone"][0])
    close(done.attempt_duration, 2 * 4 * us + 2 * 2000 * 1.468 / c_0)


def test_a_narrow_filter_selects_one_mode(found):
    """g is then the filter's own mode: half of the source's passes once more, and F is 1; two pairs make all counts of idle nodes."""
    done = found["narrow"][0]
    eta = float(abs(PHOTON.spectrum(0.0)) ** 2) * NARROW / 4
    close(abs(done.channel_a.transmission[0]) ** 2, eta, 1e-3)  # a Lorentzian's tails: K / B
    close(done.success_probability[0], 1e-12 / 2 * eta**2 / 4, 1e-3)
    close(done.fidelity[0], 1.0, 1e-3)
    close(done.success_probability[1], 1e-3**2 / 16, 5e-3)  # and the next order of the pairs


def test_other_modes_leave_no_coherence(found):
    """A wide filter passes T K / 8 modes of the source's pairs: they all herald, and one of them is of the photon's mode. Two clicks
    half-way beat it at every length: its good pairs are n of theirs."""
    middle = found["lengths"][0]
    two = half_way({name: np.array([point[name] for point in POINTS["lengths"]]) for name in VALUES})
    modes = float(PHOTON.duration) * WIDE / 8
    close(2 * middle.fidelity - 1, 1 / modes, 1e-4)
    close(middle.success_probability / two.success_probability, 1e-12 * modes, 1e-4)
    close(two.success_probability, 10 ** (-np.array(LOSSES) / 5) / 2, 1e-4)
    assert np.all(two.fidelity > 0.999)


def test_every_slope_against_differences(found):
    """Of sixth order, with steps of 1 %; relative to value over parameter."""
    value, slopes = found["alone"]
    around = jax.tree.map(lambda x: x.reshape(len(MOVED), 2 * len(STENCIL), *x.shape[1:]), found["stencil"][0])
    weights = np.array([STENCIL[k] * sign for k in STENCIL for sign in (1, -1)])
    heard = set()
    for figure in ("fidelity", "success_probability", "rate"):
        got, near, size = getattr(slopes, figure), getattr(around, figure), abs(getattr(value, figure)[0])
        for lane, name in enumerate(MOVED):
            wanted, x = float(weights @ near[lane]) / STEPS[name], abs(VALUES[name]) or 1.0
            assert abs(got[lane] - wanted) * x / max(size, abs(wanted) * x) < GRADIENT, (figure, name, got[lane], wanted)
            if got[lane] != 0:
                heard.add(name)
    assert {name for name in MOVED if name.startswith("middle.")} <= heard
    assert {"meeting.path_a.fibre.beta2", "meeting.synchronisation.timing_offset", "meeting.b.device.kappa_o_int"} <= heard


def test_values_and_slopes_are_finite_at_the_edges(found):
    """Efficiencies of 1 and 1e-8 on either side, no noise, no dark counts."""
    for which in (0, 1):
        done = found["edges"][which]
        for figure in ("fidelity", "success_probability", "rate"):
            assert np.all(np.isfinite(getattr(done, figure))), (which, figure)
    assert np.all(found["edges"][0].fidelity > 0.2)


def test_over_a_connection_and_with_two_rails():
    """The path is cut in its middle; both rails at once take one photon's length."""
    node = Node(
        Qubit(t1=300 * us, t2=200 * us),
        ElectroOptic(cooperativity=0.4, kappa_e_ext=4 * MHz, kappa_e_int=1 * MHz, kappa_o_ext=3 * MHz, kappa_o_int=2 * MHz),
    )
    settings: Any = {"filter_bandwidth": 0.3 * MHz, "pair_rate": 2e7, "source_bandwidth": 20 * GHz, "encoding": "dual-rail"}
    source, way = MiddleSource(PHOTON, **settings), Fibre(length=10 * km)
    whole = source(Connection(node, node, Link(fibre=way)))
    arms = source(Meeting(node, node, Link(fibre=way.halves()[0]), Link(fibre=way.halves()[1].backwards())))
    assert float(whole.fidelity) == float(arms.fidelity) and float(source.pairs_per_mode) == pytest.approx(1e-3, rel=CLOSED_FORM)
    close(whole.attempt_duration, float(PHOTON.duration) + 10e3 * 1.468 / c_0)


def test_what_is_refused():
    settings: Any = {"filter_bandwidth": 1 * MHz, "source_bandwidth": 20e9 * Hz}
    with pytest.raises(ValueError, match=r"MiddleSource\.encoding must be time-bin or dual-rail, but is 'single-rail'"):
        MiddleSource(PHOTON, **settings, pair_rate=2e8, encoding="single-rail")
    with pytest.raises(ValueError, match=r"MiddleSource\.pair_rate must be at least 0 /s, but is -1 /s"):
        MiddleSource(PHOTON, **settings, pair_rate=-1.0)
