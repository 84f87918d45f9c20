"""Heralded entanglement over hardware: the whole chain in numpy and Fock space, limits, gradients, noise beside the photon, refusals."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from tests.protocols.bundled import OPTIMUM, device
from tests.protocols.witness import Device, exchange, fibre, loss, of, sech
from tests.qubit import counting
from transduce import parameters
from transduce.design.maximise import maximise
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.gaussian.channel import ModeChannel
from transduce.linear.system import UnstableError
from transduce.link.convert import Convert
from transduce.link.emission import Qubit, emission
from transduce.link.fibre import Fibre
from transduce.link.link import Link, grid_for
from transduce.link.meeting import Meeting, Station
from transduce.link.node import Node
from transduce.link.overlap import mode_overlap, shifted_overlap
from transduce.link.routing import Filter, Loss
from transduce.link.wavepacket import Decaying, Gaussian, Sech
from transduce.protocols.heralded import Heralded, OneClick, PairClick, TwoClick
from transduce.qubit.detector import Detector
from transduce.qubit.heralding import best_excitation, one_click_weak_fidelity
from transduce.qubit.pairs import pair_click
from transduce.units import GHz, MHz, c_0, dB, kHz, km, ns, ps, us

PHOTON = Sech(bandwidth=1 * MHz)
RATES = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 3 * MHz, "kappa_o_int": 2 * MHz}
DETECTOR = {"efficiency": 0.8, "dark_probability": 1e-3, "background_counts": 2e-3, "background_modes": 5e-3}


def path(length: float, noise: float) -> Link:
    glass = {"length": length, "attenuation": 0.2 * dB / km, "beta2": 2e7 * ps**2 / km, "noise_photons": noise}
    return Link(fibre=Fibre(coupling_in=0.2, coupling_out=0.3, **glass), loss=Loss(loss=0.3, temperature=1400.0))


def everything() -> dict[str, Any]:
    """Two different nodes and arms, no field at an edge, and both protocols with the settings they share."""
    a = device(**OPTIMUM | {"mode_match": 0.9}, detuning_e=0.8 * MHz, detuning_o=-0.5 * MHz, pump_detuning=0.7 * MHz)
    other = {"pump_power": 0.05, "kappa_e_ext": 20 * MHz, "mode_match": 0.8, "pump_detuning": -0.9 * MHz}
    b = device(**OPTIMUM | other, detuning_e=-0.3 * MHz, detuning_o=0.4 * MHz)
    a, b = parameters.replace((a, b), {"0.absorbed_fraction": 0.02, "1.absorbed_fraction": 0.03})
    one = Qubit(t1=60 * us, t2=50 * us, phase_jitter=0.05)
    two = Qubit(t1=90 * us, t2=40 * us, phase_jitter=0.04, differential_phase_jitter=0.02)
    offsets = {"timing_offset": 60 * ns, "carrier_offset": 0.1 * MHz}
    meeting = Meeting(Node(one, a), Node(two, b), path(2 * km, 3e-3), path(1 * km, 2e-3), **offsets)
    shared: Any = {"photon": PHOTON, "detector": Detector(**DETECTOR), "filter_bandwidth": 10 * MHz, "gate": 5 * us}
    return {"meeting": meeting, "one": OneClick(**shared, excitation=0.2, excitation_b=0.3), "two": TwoClick(**shared)}


SCENE = everything()
VALUES = {name: float(value) for name, _, value in parameters.walk(SCENE)}


def ask(values: dict) -> tuple[Heralded, Heralded]:
    scene = parameters.replace(SCENE, values)
    return scene["one"](scene["meeting"]), scene["two"](scene["meeting"])


@jax.jit
@jax.vmap
def along(values: dict, direction: dict) -> Any:
    """Both protocols at a point, and their slopes along a direction: the one compilation that most tests share."""
    return jax.jvp(ask, (values,), (direction,))


def cold(kappa: float) -> dict[str, float]:
    """A lossless design of equal rates without noise, both arms and both qubits perfect: as wide as kappa, which is 4e5 photons."""
    node = {"kappa_e_ext": kappa, "kappa_o_ext": kappa, "kappa_e_int": 0.0, "kappa_o_int": 0.0, "mode_match": 1.0, "temperature": 0.0}
    node |= {"absorbed_fraction": 0.0, "detuning_e": 0.0, "detuning_o": 0.0, "pump_detuning": 0.0, "g0": 1.0, "pump_power": 1.0}
    sheet = {f"meeting.{one}.device.{name}": value for one in "ab" for name, value in node.items()}
    unit = float(parameters.replace(SCENE, sheet)["meeting"].a.device.drives()["optical"].coupling)
    sheet |= {f"meeting.{one}.device.g0": kappa / 2 / unit for one in "ab"}  # C = 1
    sheet |= {f"meeting.{one}.qubit.{t}": value for one in "ab" for t, value in (("t1", 1e9), ("t2", 2e9))}
    arms = ("coupling_in", "coupling_out", "attenuation", "beta2", "noise_photons")
    sheet |= {f"meeting.path_{one}.fibre.{name}": 0.0 for one in "ab" for name in arms}
    sheet |= {f"meeting.path_{one}.loss.loss": 0.0 for one in "ab"}
    jitters = [f"meeting.{one}.qubit.phase_jitter" for one in "ab"]
    quiet = dict.fromkeys(("meeting.timing_offset", "meeting.carrier_offset", *jitters), 0.0)
    perfect = {"efficiency": 1.0, "dark_probability": 0.0, "background_counts": 0.0, "background_modes": 0.0}
    settings = {f"detector.{name}": value for name, value in perfect.items()} | {"filter_bandwidth": kappa}
    found = {f"{which}.{name}": value for which in ("one", "two") for name, value in settings.items()}
    return VALUES | sheet | quiet | found | {"one.excitation_b": 0.2, "meeting.b.qubit.differential_phase_jitter": 0.0}


def mirrored() -> dict[str, float]:
    """b as a, nothing between them."""
    same = {name: VALUES.get(name.replace(".b.", ".a.").replace("path_b", "path_a"), value) for name, value in VALUES.items()}
    return same | {"meeting.timing_offset": 0.0, "meeting.carrier_offset": 0.0}


BROAD = 4e5 * MHz
SHIFTS = ((100 * ns, 0.0), (0.0, 0.3 * MHz), (-200 * ns, 0.2 * MHz))
OFFSETS = [cold(BROAD) | {"meeting.timing_offset": t, "meeting.carrier_offset": d} for t, d in SHIFTS]
NOISE = 2e-3
NOISY = {f"meeting.path_{one}.fibre.noise_photons": NOISE for one in "ab"}
FILTERS = (0.05 * MHz, 1 * MHz, 40 * MHz, 400 * MHz)
FILTERED = [cold(BROAD) | NOISY | {"one.filter_bandwidth": k, "two.filter_bandwidth": k} for k in FILTERS]
POINTS = {"perfect": [cold(BROAD)], "mirrored": [mirrored()], "offsets": OFFSETS, "filtered": FILTERED}
STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
STEP = 0.01
STEPS = {name: STEP * abs(value) or STEP for name, value in VALUES.items()}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """All points in one batch: every parameter alone, the stencil around it, and the points by name; values and slopes in numpy."""
    still = dict.fromkeys(VALUES, 0.0)
    lanes = [(VALUES, still | {name: 1.0}) for name in VALUES]
    moves = [(name, k * sign) for name in VALUES for k in STENCIL for sign in (1, -1)]
    lanes += [(VALUES | {name: VALUES[name] + move * STEPS[name]}, still) for name, move in moves]
    places = {"alone": slice(0, len(VALUES)), "stencil": slice(len(VALUES), len(lanes))}
    for name, points in POINTS.items():
        places[name] = slice(len(lanes), len(lanes) + len(points))
        lanes += [(point, still) for point in points]
    batch = [{name: np.array([lane[k][name] for lane in lanes]) for name in VALUES} for k in (0, 1)]
    answers = jax.tree.map(np.asarray, along(*batch))
    return {name: jax.tree.map(lambda x, place=place: x[place], answers) for name, place in places.items()}


# The whole chain


def chain() -> dict[str, Any]:
    """Everything written out in numpy on a sinh grid that reaches as far as a Lorentzian filter asks."""
    p = {name.removeprefix("meeting."): np.array([value]) for name, value in VALUES.items()}
    x = np.linspace(-30, 30, 12001)
    w, weight = 3e6 * np.sinh(x), 3e6 * np.cosh(x) * (x[1] - x[0]) / (2 * np.pi)
    k, offset, photon = (VALUES[name] for name in ("one.filter_bandwidth", "meeting.carrier_offset", "one.photon.bandwidth"))
    filtering, bandwidth = k / 2 / (k / 2 - 1j * w), np.array([[photon]])
    modes, channels, flux, own, kept = [], [], 0.0, 0.0, 1.0
    for node, shift in (("a", 0.0), ("b", offset)):
        row = [Device(of(p, f"{node}.device.")).stage("microwave", "optical"), fibre(of(p, f"path_{node}.fibre."))]
        u, n = 1.0, 0.0
        for stage in [*row, loss(of(p, f"path_{node}.loss."))]:
            one, noise = stage(w[None] - shift)
            u, n = u * one, n * abs(one) ** 2 + noise
        arriving, noise = (filtering * u * sech(bandwidth, w - shift))[0], (abs(filtering) ** 2 * n)[0]
        eta = np.sum(weight * abs(arriving) ** 2)
        modes.append(arriving / np.sqrt(eta))
        (emitted,), (coherence,) = exchange(of(p, f"{node}.qubit."), bandwidth)
        channels.append((eta * emitted, np.sum(weight * abs(modes[-1]) ** 2 * noise), 0.0))
        flux, own, kept = flux + np.sum(weight * noise) / 2, own + channels[-1][1] / 2, kept * coherence
    terms = weight * modes[0].conj() * modes[1]

    def overlap(tau):
        return np.sum(terms * np.exp(1j * w * tau))

    best = minimize_scalar(lambda tau: -abs(overlap(tau)), bracket=(-1e-7, 0.0, 1e-7), options={"xtol": 1e-7}).x
    for _ in range(4):
        t, first, second = (np.sum(terms * (1j * w) ** j * np.exp(1j * w * best)) for j in range(3))
        best -= np.real(first * t.conj()) / (abs(first) ** 2 + np.real(second * t.conj()))
    lost = DETECTOR["efficiency"]
    background = lost * (VALUES["one.gate"] * flux - own)
    return {"channels": channels, "overlap": overlap(best + VALUES["meeting.timing_offset"]), "coherence": kept, "background": background}


def close(ours: Any, wanted: Any, tolerance: float = CLOSED_FORM) -> None:
    np.testing.assert_allclose(ours, wanted, rtol=tolerance, atol=0)


def test_the_whole_chain_in_numpy_and_fock_space(found):
    """Channels, overlap, background and both states; phases of the arms are a frame."""
    wanted = chain()
    one, two = jax.tree.map(lambda x: x[0], found["alone"][0])
    for done in (one, two):
        for channel, (eta, n, _) in zip((done.channel_a, done.channel_b), wanted["channels"], strict=True):
            close(channel.transmission.real**2, eta)
            close(channel.noise, n)
        close(abs(done.overlap), abs(wanted["overlap"]))
        close(done.background_counts, wanted["background"])
    assert 0.9 < abs(wanted["overlap"]) < 0.999 and wanted["background"] > 10 * max(n for _, n, _ in wanted["channels"])
    mean, modes = DETECTOR["background_counts"] + wanted["background"], (DETECTOR["background_modes"],)
    false = counting.false_counts(DETECTOR["dark_probability"], mean, modes)
    effect = counting.effect(counting.herald("threshold", false), abs(wanted["overlap"]))
    a, b = (counting.lossy(channel, DETECTOR["efficiency"]) for channel in wanted["channels"])
    sigma, increment = 0.05**2 + 0.04**2, 2 * 0.05**2 + 0.02**2
    brute = counting.one_click(effect, a, b, (0.2, 0.3))
    states = [(one, brute, wanted["coherence"] * np.exp(-sigma / 2), 2)]
    states.append((two, counting.two_click(effect, effect, a, b), wanted["coherence"] ** 2 * np.exp(-increment / 2), 4))
    for done, brute, factor, patterns in states:
        total = np.trace(brute).real
        close(done.state.populations, np.diag(brute).real)
        close(abs(done.state.coherence), abs(brute[1, 2]) * factor)
        close(done.success_probability, patterns * total)
        close(done.fidelity, (brute[1, 1] + brute[2, 2] + 2 * abs(brute[1, 2]) * factor).real / (2 * total))


def test_an_attempt_takes_its_photons_and_the_way_there_and_back(found):
    for done, uses in zip(jax.tree.map(lambda x: x[0], found["alone"][0]), (1, 2), strict=True):
        close(done.attempt_duration, uses * float(PHOTON.duration) + 2 * 2000 * 1.468 / c_0)
        close(done.rate, done.success_probability / done.attempt_duration)


def test_equal_arms_overlap(found):
    for done in found["mirrored"][0]:
        assert abs(done.overlap[0]) == pytest.approx(1, abs=ALGEBRA)


def test_offsets_of_broad_arms_in_closed_form(found):
    """Of a device as wide as 4e5 photons the packet comes out as it went in; the rest, a few (B/kappa)^2, is below 1e-10."""
    for lane, shift in enumerate(SHIFTS):
        wanted = abs(shifted_overlap(PHOTON, *shift))
        for done in found["offsets"][0]:
            assert abs(done.overlap[lane]) == pytest.approx(float(wanted), abs=CLOSED_FORM)


def test_bandwidths_that_differ_in_closed_form():
    """The known delay of b is undone, at a smooth maximum (Gaussian) and at a cusp (decaying); an offset then acts as stated."""
    ratio, delay, offset = 1.7, 300 * ns, 50 * ns

    @eqx.filter_jit
    def overlaps(first, second):
        grid, nothing = grid_for(None, first, second), jnp.zeros(())
        late = jax.vmap(second.spectrum)(grid.omega) * jnp.exp(1j * grid.omega * delay)
        station = Station(grid, (jax.vmap(first.spectrum)(grid.omega), late), nothing, nothing, nothing, jnp.asarray(5 * us))
        return abs(station.overlap()), abs(station.overlap(offset)), abs(mode_overlap(first, second, offset))

    best, later, wanted = overlaps(*(Gaussian(bandwidth=width * MHz) for width in (1, ratio)))
    close(best, np.sqrt(2 * ratio / (1 + ratio**2)))
    close(later, wanted)
    best, *_ = overlaps(*(Decaying(bandwidth=width * MHz) for width in (1, ratio)))
    close(best, 2 * np.sqrt(ratio) / (1 + ratio), 3e-5)  # bare, with tails of 1/w^2 under e^{iwt}; behind a device they fall faster


def test_perfect_arms(found):
    """One click: alpha (1 - alpha) of a single photon; two photons bunch and make one click all the same. Two clicks: half of all."""
    one, two = found["perfect"][0]
    single, double = 2 * 0.2 * 0.8, 0.2**2
    assert one.success_probability[0] == pytest.approx(single + double, rel=CLOSED_FORM)
    assert one.fidelity[0] == pytest.approx(single / (single + double), rel=CLOSED_FORM)
    assert two.success_probability[0] == pytest.approx(0.5, rel=CLOSED_FORM) and two.fidelity[0] == pytest.approx(1, rel=CLOSED_FORM)


# Noise beside the photon


def test_what_a_gate_lets_through(found):
    """Of flat noise n a Lorentzian filter passes n K / 4 photons per second; what of it lies in the photon's mode is not counted twice."""
    for done in found["filtered"][0]:
        every = VALUES["one.gate"] * NOISE * np.array(FILTERS) / 4
        close(done.background_counts + done.channel_a.noise, np.maximum(every, done.channel_a.noise))
        assert done.background_counts[0] == 0 < done.background_counts[1]  # narrow: the gate holds but the one mode
        assert np.all(np.diff(abs(done.channel_a.transmission)) > 0) and np.all(np.diff(done.background_counts) > 0)
        close(done.channel_a.noise[-1], NOISE, 2e-5)  # wide: all of the mode passes, but for a few (B / K)^2
        assert np.argmax(done.fidelity) == 1  # between the photon lost and the noise let in


# Gradients


def test_every_slope_against_differences(found):
    """Of eighth order, with steps of 1 %; relative to value over parameter."""
    slopes = found["alone"][1]
    around = jax.tree.map(lambda x: x.reshape(len(VALUES), 8, *x.shape[1:]), found["stencil"][0])
    weights = np.array([STENCIL[k] * sign for k in STENCIL for sign in (1, -1)])
    heard = set()
    for which in (0, 1):
        for figure in ("fidelity", "success_probability", "rate", "background_counts", "attempt_duration"):
            got, near = getattr(slopes[which], figure), getattr(around[which], figure)
            value = abs(getattr(found["alone"][0][which], figure)[0])
            for lane, name in enumerate(VALUES):
                wanted, x = float(weights @ near[lane]) / STEPS[name], abs(VALUES[name]) or 1.0
                assert abs(got[lane] - wanted) * x / max(value, abs(wanted) * x) < GRADIENT, (which, figure, name, got[lane], wanted)
                if got[lane] != 0:
                    heard.add(name)
    deaf = {name.split(".")[-1] for name in VALUES if name not in {*heard, "meeting.path_b.fibre.group_index"}}  # the shorter arm's
    assert deaf <= {*DEAF}, deaf


DEAF = ("frequency", "frequency_shift", "n_s", "duty_cycle", "coupling_j", "detuning_s", "detuning_d", "detuning_x")
"""What changes nothing: what is not there."""


def test_the_best_excitation_of_a_weak_link():
    """alpha* = sqrt(N^2 + N) - N with N all false clicks per transmitted photon, to the order of the link's efficiency."""
    weak = cold(BROAD) | NOISY | {f"meeting.path_{one}.loss.loss": 60.0 for one in "ab"} | {"one.filter_bandwidth": 4 * MHz}
    noise = {f"meeting.path_{one}.fibre.noise_photons": 1e-2 for one in "ab"}
    scene = parameters.replace(SCENE, weak | noise)
    meeting, protocol = scene["meeting"], eqx.tree_at(lambda one: one.excitation_b, scene["one"], None)
    done = protocol(meeting)
    added = (done.channel_a.noise + done.background_counts) / done.channel_a.efficiency
    best = maximise(lambda one: one(meeting).fidelity, protocol, {"excitation": (0.01, 0.5)}, starts=2, steps=100)
    assert float(best.model.excitation) == pytest.approx(float(best_excitation(added)), rel=1e-4)
    assert best.value == pytest.approx(float(one_click_weak_fidelity(added, best_excitation(added))), rel=1e-5)


# Other ends


def test_a_membrane_meets_an_electro_optic_device():
    """Each arm is its own link with the filter at its end, and the overlap a sum over a uniform grid."""
    strengths = {"frequency_m": 5 * MHz, "gamma_m": 1 * kHz, "cooperativity_e": 40.0, "cooperativity_o": 40.0}
    ends = ElectroOptomechanical(**strengths, **RATES, n_m=0.1), ElectroOptic(cooperativity=0.4, **RATES, n_e_int=0.02)
    photon, qubit = Sech(bandwidth=80 * kHz), Qubit(t1=300 * us, t2=200 * us)
    nodes, way = [Node(qubit, end) for end in ends], Link(fibre=Fibre(length=1 * km))
    done = OneClick(photon, excitation=0.1, filter_bandwidth=400 * kHz)(Meeting(*nodes, way, way))

    @eqx.filter_jit
    def arms(omega):
        links = [Link(up=Convert(end, "microwave", "optical"), fibre=way["fibre"], filter=Filter(bandwidth=400 * kHz)) for end in ends]
        prepared = [link.prepare() for link in links]
        return [link.channel(photon) for link in links], [one.response.over(omega).u * jax.vmap(photon.spectrum)(omega) for one in prepared]

    omega = np.linspace(-1.5, 1.5, 6001) * MHz
    channels, arriving = arms(omega)
    emitted = emission(qubit, photon).efficiency
    for got, wanted in zip((done.channel_a, done.channel_b), channels, strict=True):
        assert isinstance(got, ModeChannel)
        close(got.efficiency, emitted * wanted.efficiency)
        close(got.noise, wanted.noise)
    a, b = (np.asarray(one) / np.linalg.norm(one) for one in arriving)
    best = minimize_scalar(lambda tau: -abs(np.sum(a.conj() * b * np.exp(1j * omega * tau))), bracket=(0, 5e-6), tol=1e-9).fun
    close(abs(done.overlap), -best)
    assert 0.5 < -best < 0.99 and 0.5 < float(done.fidelity) < 1


def pumped_blue(cooperativity: Any, detuning: Any = 0.0) -> ElectroOptic:
    return ElectroOptic(cooperativity=cooperativity, detuning_e=detuning, pump="blue", n_e_int=0.02, n_e_ext=0.01, **RATES)


def pairing(photon: Sech, filter_bandwidth: Any, device: ElectroOptic) -> Heralded:
    node, way = Node(Qubit(t1=300 * us, t2=200 * us), device), Link(fibre=Fibre(length=5 * km, noise_photons=1e-4))
    return PairClick(photon, filter_bandwidth=filter_bandwidth)(Meeting(node, node, way, way))


def test_pairs():
    """A narrow mode reads the closed moments at the carrier; a wide one their integrals on a uniform grid; above threshold NaN, slope 0."""

    def fidelity(cooperativity, bandwidth, width, detuning):
        done = pairing(Sech(bandwidth=bandwidth), width, pumped_blue(cooperativity, detuning))
        return done.fidelity, done

    near = [0.1 * (1 + STEP * k * sign) for k in STENCIL for sign in (1, -1)]
    places = [(0.1, 1e-6, 1e3, 0.0), *((x, 1.0, 3.0, 0.7) for x in (0.1, 2.0, *near))]
    points = np.array(places) * (1, MHz, MHz, MHz)
    (_, many), slopes = jax.jit(jax.vmap(jax.value_and_grad(fidelity, has_aux=True)))(*points.T)
    narrow, wide, unstable = (jax.tree.map(lambda x, k=k: x[k], many) for k in range(3))
    weights = np.array([STENCIL[k] * sign for k in STENCIL for sign in (1, -1)])
    assert slopes[1] == pytest.approx(float(weights @ many.fidelity[3:]) / (0.1 * STEP), rel=GRADIENT) and slopes[2] == 0
    c, e, o, d, ext, hot = 0.1, 4 / 5, 3 / 5, 0.9, 0.01, 0.02
    n_o = 4 * c * o * (1 + e * ext + (1 - e) * hot) / d**2
    n_e = ext * (1 - 2 * e / d) ** 2 + 4 * e * ((1 - e) * hot + c) / d**2
    corr = 2 * np.sqrt(e * o * c) / d * ((1 + c) / d + (2 * e / d - 1) * ext + 2 * (1 - e) * hot / d)
    eta = 10**-0.1
    close(narrow.channel_a.first, n_e)
    close(narrow.channel_a.second, eta * n_o + 1e-4)
    close(abs(narrow.channel_a.correlation), np.sqrt(eta) * corr)

    blue = pumped_blue(0.1, 0.7 * MHz)
    at, omega = blue.carrier(), np.linspace(-12, 12, 4801) * MHz
    made = jax.jit(jax.vmap(lambda w: blue.linear_system().pair_moments("optical", "microwave", at + w)))(omega)
    f, h = sech(1 * MHz, omega) ** 2 * (omega[1] - omega[0]) / (2 * np.pi), 1 / (1 + (omega / (1.5 * MHz)) ** 2)
    square = f * h * eta * abs(np.asarray(made.correlation)) ** 2
    close(wide.channel_a.second, np.sum(f * h * (eta * made.first + 1e-4)))
    close(abs(wide.channel_a.correlation) ** 2, np.sum(square))
    close(wide.channel_a.first, np.sum(square * made.second) / np.sum(square))
    assert abs(wide.overlap) == pytest.approx(1, abs=ALGEBRA) and wide.background_counts > 0
    state = pair_click(wide.channel_a, wide.channel_b, Detector(background_counts=wide.background_counts))
    close(wide.fidelity, state.fidelity)
    assert all(np.isnan(x) for x in (unstable.fidelity, unstable.rate, unstable.background_counts))


def test_unstable_devices_are_refused():
    with pytest.raises(UnstableError, match="unstable: a disturbance grows at"):
        pairing(PHOTON, 3 * MHz, pumped_blue(1.5))


def test_what_is_refused():
    meeting, one = SCENE["meeting"], SCENE["one"]
    pairs = eqx.tree_at(lambda m: m.b.device, meeting, ElectroOptic(cooperativity=0.4, pump="blue", **RATES))
    with pytest.raises(ValueError, match=r"Convert\.device must convert from microwave to optical, but is pumped for pairs"):
        one(pairs)
    with pytest.raises(ValueError, match=r"Meeting\.a\.device must be pumped for pairs, but converts: use a blue pump"):
        PairClick(PHOTON, filter_bandwidth=10 * MHz)(meeting)
    with pytest.raises(ValueError, match=r"OneClick\.gate must be at least the photon's length, 2\.467.* us, but is 1 us"):
        OneClick(PHOTON, excitation=0.1, filter_bandwidth=10 * MHz, gate=1 * us)
    with pytest.raises(ValueError, match=r"OneClick\.excitation must be at least 0 and at most 1, but is 1\.2"):
        OneClick(PHOTON, excitation=1.2, filter_bandwidth=10 * MHz)
    with pytest.raises(ValueError, match=r"TwoClick\.encoding must be time-bin or dual-rail, but is 'single-rail'"):
        TwoClick(PHOTON, filter_bandwidth=10 * MHz, encoding="single-rail")
    with pytest.raises(ValueError, match=r"Meeting\.frequency_shift must bring b's optical carrier to a's, but leaves -3 GHz"):
        Meeting(meeting.a, meeting.b, meeting.path_a, meeting.path_b, frequency_shift=3 * GHz)
    with pytest.raises(ValueError, match=r"Meeting\.path_b must not name a stage up, but has up"):
        Meeting(meeting.a, meeting.b, meeting.path_a, Link(up=Loss(loss=1.0)))
