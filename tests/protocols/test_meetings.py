"""Other ends that meet: a membrane and an electro-optic device, two sources of pairs; a connection's two arms; what is refused."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tests import ALGEBRA, GRADIENT
from tests.protocols.meetings import PHOTON, RATES, SCENE, STENCIL, STEP, close, pumped_blue
from tests.protocols.witness import sech
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.gaussian.channel import ModeChannel
from transduce.linear.noise import PairMoments
from transduce.linear.system import UnstableError
from transduce.link.convert import Convert
from transduce.link.emission import Qubit, absorption, emission
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.meeting import Meeting
from transduce.link.node import Connection, Node
from transduce.link.routing import Filter, Loss, Station, Switch
from transduce.link.wavepacket import Gaussian, Sech
from transduce.protocols.heralded import Heralded, OneClick, PairClick, TwoClick
from transduce.qubit.detector import Detector
from transduce.qubit.pairs import pair_click
from transduce.units import GHz, MHz, kHz, km, ps, us


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


def pairing(photon: Sech, filter_bandwidth: Any, device: ElectroOptic) -> Heralded:
    node, way = Node(Qubit(t1=1e15, t2=2e15), device), Link(fibre=Fibre(length=5 * km, noise_photons=1e-4))
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
    with pytest.raises(ValueError, match=r"OneClick\.gate must be at least the photon's length, 2\.467.* us, unless .*, but is 1 us"):
        OneClick(PHOTON, excitation=0.1, filter_bandwidth=10 * MHz, gate=1 * us)
    with pytest.raises(ValueError, match=r"OneClick\.excitation must be at least 0 and at most 1, but is 1\.2"):
        OneClick(PHOTON, excitation=1.2, filter_bandwidth=10 * MHz)
    with pytest.raises(ValueError, match=r"TwoClick\.encoding must be time-bin or dual-rail, but is 'single-rail'"):
        TwoClick(PHOTON, filter_bandwidth=10 * MHz, encoding="single-rail")
    with pytest.raises(ValueError, match=r"Meeting\.frequency_shift must bring b's optical carrier to a's, but leaves -3 GHz"):
        Meeting(meeting.a, meeting.b, meeting.path_a, meeting.path_b, frequency_shift=3 * GHz)
    with pytest.raises(ValueError, match=r"Meeting\.path_b must not name a stage up, but has up"):
        Meeting(meeting.a, meeting.b, meeting.path_a, Link(up=Loss(loss=1.0)))


# A connection's two arms


def arms(**path: Any) -> tuple[Link, Link]:
    node = SCENE["meeting"].a
    meeting = Meeting.of(Connection(node, node, Link(**path)))
    return meeting.path_a, meeting.path_b


def test_a_connection_is_halved():
    """What is lost and how long it takes adds up to the path's; b's arm runs the other way, its coupling first."""
    fibre = Fibre(length=3 * km, coupling_in=0.2, coupling_out=0.5, beta2=2e7 * ps**2 / km, noise_photons=0.02)
    first, second = arms(loss=Loss(loss=1.0), fibre=fibre, switch=Switch(insertion_loss=0.7))
    assert (first.names, second.names) == (("loss", "fibre"), ("switch", "fibre"))
    whole = Link(loss=Loss(loss=1.0), fibre=fibre, switch=Switch(insertion_loss=0.7)).response(0.3 * MHz)
    u = [arm.response(0.3 * MHz).u for arm in (first, second)]
    assert complex(u[0] * u[1]) == pytest.approx(complex(whole.u), rel=ALGEBRA)
    assert float(first.delay + second.delay) == pytest.approx(float(fibre.delay), rel=ALGEBRA)
    assert [float(arm["fibre"].coupling_in) for arm in (first, second)] == [0.2, 0.5]
    assert [float(arm["fibre"].noise_photons) for arm in (first, second)] == [0.01, 0.01]


def test_where_the_station_stands():
    near, far = Fibre(length=1 * km, coupling_in=0.1), Fibre(length=2 * km, coupling_out=0.3)
    two = arms(near=near, loss=Loss(loss=1.0), far=far)
    assert [arm.names for arm in two] == [("near", "loss"), ("far",)] and float(two[1]["far"].coupling_in) == 0.3
    stated = arms(station=Station(), near=near, far=far)
    assert [arm.names for arm in stated] == [("station",), ("far", "near")]
    assert float(stated[0].response(0.0).u.real) == 1 and float(stated[0].delay) == 0
    assert [arm.names for arm in arms(loss=Loss(loss=1.0))] == [("loss",), ("station",)]
    with pytest.raises(ValueError, match="must have at most one Station, but has 2"):
        arms(one=Station(), two=Station())


def test_different_ends_over_one_connection():
    """The same answer as over the meeting that is made by hand; the frequency shift is undone in the other direction."""
    a, b = (dataclasses.replace(node, qubit=Qubit(t1=300 * us, t2=200 * us)) for node in (SCENE["meeting"].a, SCENE["meeting"].b))
    b = eqx.tree_at(lambda node: node.device.frequency_o, b, b.device.frequency_o + 2 * GHz)
    half, one = Fibre(length=1 * km), OneClick(PHOTON, excitation=0.1, filter_bandwidth=10 * MHz)
    over = one(Connection(a, b, Link(fibre=Fibre(length=2 * km)), frequency_shift=2 * GHz))
    by_hand = one(Meeting(a, b, Link(fibre=half), Link(fibre=half), frequency_shift=-2 * GHz))
    for figure in ("fidelity", "rate"):
        close(getattr(over, figure), getattr(by_hand, figure))


def test_the_kept_half_is_absorbed():
    """Of a broad source it is the selected mode, but for a few times bandwidth over the filter."""
    rates = {"kappa_e_ext": 4e5 * MHz, "kappa_o_ext": 4e5 * MHz, "kappa_e_int": 0.0, "kappa_o_int": 0.0}
    device, way = ElectroOptic(cooperativity=1e-9, pump="blue", **rates), Link(fibre=Fibre(length=1e-3 * km))
    qubit, long = Qubit(t1=3 * us, t2=2 * us), Qubit(t1=1e15, t2=2e15)
    for photon in (Sech(bandwidth=1 * MHz), Gaussian(bandwidth=0.5 * MHz)):
        one = PairClick(photon, filter_bandwidth=1e3 * MHz)
        lossy, whole = (one(Meeting(node, node, way, way)) for node in (Node(q, device, memory=long) for q in (qubit, long)))
        end = absorption(qubit, photon)
        assert isinstance(lossy.channel_a, PairMoments) and isinstance(whole.channel_a, PairMoments)
        close(lossy.channel_a.first, float(end.efficiency) * float(whole.channel_a.first), 1e-5)
        close(abs(lossy.channel_a.correlation) ** 2, float(end.efficiency) * abs(whole.channel_a.correlation) ** 2, 1e-5)
        ratio = abs(lossy.state.coherence / whole.state.coherence) / float(end.efficiency)
        close(ratio, float(end.coherence) ** 2, 2e-3)  # of dim pairs; the rest are double ones


def test_a_path_within_a_path_and_a_long_gate():
    """A nested link is halved as the flat one; a gate longer than the photon takes its time."""
    node, fibre = SCENE["meeting"].a, Fibre(length=4 * km)
    flat, nested = (Meeting.of(Connection(node, node, way)) for way in (Link(f=fibre), Link(inner=Link(f=fibre))))
    assert (nested.path_a.names, nested.path_b.names) == (("inner.f",), ("inner.f",))
    assert float(nested.path_a.delay) == float(flat.path_a.delay) == float(fibre.delay) / 2
    one = OneClick(PHOTON, excitation=0.1, filter_bandwidth=10 * MHz, gate=9 * us)
    assert float(one.slot) == pytest.approx(9 * us)
    assert float(dataclasses.replace(one, gate=None).slot) == float(PHOTON.duration)


def test_no_success_no_ebits():
    """Where nothing is sent and nothing else counts there are no ebits per second, with a slope that is a number."""
    meeting = eqx.tree_at(
        lambda m: [m.path_a.parts[0].noise_photons, m.path_b.parts[0].noise_photons], SCENE["meeting"], [jnp.zeros(())] * 2
    )
    node = dataclasses.replace(meeting.a, device=ElectroOptic(cooperativity=0.4, **RATES))
    cold = dataclasses.replace(meeting, a=node, b=node, path_a=Link(f=Fibre(length=1 * km)), path_b=Link(f=Fibre(length=1 * km)))
    value, slope = jax.jit(jax.value_and_grad(lambda x: OneClick(PHOTON, excitation=x, filter_bandwidth=10 * MHz)(cold).ebit_rate))(0.0)
    assert value == 0 and np.isfinite(slope)
