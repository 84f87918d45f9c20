"""What limits a protocol: each gain by the meeting with that one thing replaced, all of them together, and both through rounds."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.protocols.bundled import OPTIMUM, QUBIT, TRANSFER, connect, device
from tests.protocols.meetings import PHOTON, RATES, SCENE, pumped_blue
from tests.protocols.witness import sech
from transduce.devices.electro_optic import ElectroOptic
from transduce.linear.system import UnstableError
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.meeting import Meeting
from transduce.link.node import Node
from transduce.link.routing import Switch
from transduce.protocols.distillation import Distillation, flight
from transduce.protocols.heralded import PairClick
from transduce.protocols.limits import limits
from transduce.protocols.transfer import Transfer
from transduce.qubit.detector import Detector
from transduce.qubit.distillation import rounds
from transduce.qubit.entanglement import filled
from transduce.qubit.memory import NextPairWait
from transduce.units import Hz, MHz, km, us

CAUSES = (*(f"{end}.{name}" for end in "ab" for name in ("emit", "up", "fibre", "loss")), "detectors", "clocks", "waiting")

STILL = {"timing_jitter": 0.0, "timing_offset": 0.0, "carrier_offset": 0.0}
CALM = {"phase_jitter": 0.0, "differential_phase_jitter": 0.0}


traced = eqx.filter_jit(limits)


@eqx.filter_jit
def made(protocol, meeting: Meeting) -> tuple[jax.Array, jax.Array]:
    """Fidelity and rate: of all that differs in values alone by one program."""
    done = protocol(meeting)
    return done.fidelity, done.rate


def replaced(meeting: Meeting, protocol) -> dict:
    """The same without one thing, by other values of its parameters: the delay of a fibre without loss stays."""
    own = dataclasses.replace(meeting.b, memory=Qubit(t1=meeting.b.keeper.t1, t2=meeting.b.keeper.t2))
    meeting = dataclasses.replace(meeting, b=own)  # stated, as a's is
    assert meeting.synchronisation is not None
    clear = {"attenuation": 0.0, "coupling_in": 0.0, "coupling_out": 0.0, "beta2": 0.0, "noise_photons": 0.0}
    forever, still = (
        Qubit(t1=1e12, t2=2e12),
        dataclasses.replace(meeting.synchronisation, **STILL),
    )
    bare = dataclasses.replace(meeting.path_a["fibre"], **clear)
    fibre = eqx.tree_at(lambda m: m.path_a.parts[0], meeting, bare)
    keep = [dataclasses.replace(node, memory=forever) for node in (meeting.a, meeting.b)]
    quiet = {"laser_linewidth": 0.0, "fibre_linewidth": 0.0, "clock_jitter": 0.0}
    calm = [{name: zero for name, zero in CALM.items() if getattr(node.qubit, name) is not None} for node in (meeting.a, meeting.b)]
    a, b = (
        dataclasses.replace(node, qubit=dataclasses.replace(node.qubit, **own))
        for node, own in zip((meeting.a, meeting.b), calm, strict=True)
    )
    timed = dataclasses.replace(meeting, a=a, b=b, synchronisation=dataclasses.replace(still, **quiet))
    return {
        "a.fibre": (protocol, fibre),
        "detectors": (dataclasses.replace(protocol, detector=Detector()), meeting),
        "clocks": (protocol, timed),
        "waiting": (protocol, dataclasses.replace(meeting, a=keep[0], b=keep[1])),
    }


@pytest.mark.parametrize("name", ["two", pytest.param("one", marks=pytest.mark.slow)])
def test_each_gain_is_that_of_the_meeting_without_it(name):
    protocol, meeting = SCENE[name], SCENE["meeting"]
    done, found = limits(protocol, meeting)
    assert found.names == CAUSES
    own = dict(zip(found.names, found.limits, strict=True))
    for cause, (other, without) in replaced(meeting, protocol).items():
        wanted = made(other, without)
        assert float(own[cause].fidelity_gain_if_ideal) == pytest.approx(float(wanted[0] - done.fidelity), abs=1e-9), cause
        assert float(own[cause].rate_factor_if_ideal) == pytest.approx(float(wanted[1] / done.rate), rel=1e-9), cause
    gains = np.array([float(one.fidelity_gain_if_ideal) for one in found.limits])
    w = np.linspace(-20, 20, 40001) * MHz
    passed = np.sum(sech(1 * MHz, w) ** 2 / (1 + (w / (5 * MHz)) ** 2)) * (w[1] - w[0]) / Hz  # the filter is all that is left
    single, coherent = 0.2 * 0.7 + 0.3 * 0.8, 2 * np.sqrt(0.2 * 0.8 * 0.3 * 0.7)
    best = {"one": (single + coherent) / 2 / (single + 2 * 0.2 * 0.3 * (1 - passed / 2)), "two": 1.0}
    assert float(done.fidelity) + gains.sum() + float(found.remainder) == pytest.approx(best[name], rel=CLOSED_FORM)


PAIRS = Distillation(PairClick(SCENE["one"].photon, filter_bandwidth=3 * MHz))


def sources(cooperativity: float) -> Meeting:
    """Two that are alike."""
    node = Node(Qubit(t1=300 * us, t2=200 * us), pumped_blue(cooperativity))
    way = Link(fibre=Fibre(length=5 * km, noise_photons=1e-3))
    return Meeting(node, node, way, way)


def test_pairs_keep_their_sources():
    """Before and after the rounds."""
    _, rounds = traced(PAIRS, sources(0.1))
    found = rounds.raw
    assert found is not None and rounds.names == (*found.names, "gates", "readings", "memories")
    assert found.names == ("a.absorb", "a.fibre", "b.absorb", "b.fibre", "detectors", "clocks", "waiting")
    assert float(found.limits[1].fidelity_gain_if_ideal) == pytest.approx(float(found.limits[3].fidelity_gain_if_ideal), rel=ALGEBRA)
    assert "waiting" in str(found)


ROUNDS = {"methods": ("dejmps", "epl"), "gate_error": 0.01, "readout_error": 0.02}


@pytest.mark.slow
@pytest.mark.parametrize("cutoff", [None, 20])
def test_rounds_are_seen_through(cutoff):
    """The pairs' causes by the meeting without them; the rounds' by their errors, or by no memories at all; and the raw pairs' own."""
    protocol, meeting = Distillation(SCENE["one"], **ROUNDS, cutoff=cutoff), SCENE["meeting"]
    done, found = limits(protocol, meeting)
    assert found.names == (*CAUSES, "gates", "readings", "memories")
    ideal = {name: (one.fidelity_gain_if_ideal, one.rate_factor_if_ideal) for name, one in zip(found.names, found.limits, strict=True)}
    others = {"gates": dataclasses.replace(protocol, gate_error=0.0), "readings": dataclasses.replace(protocol, readout_error=0.0)}
    cases = {name: (other, meeting) for name, other in others.items()}
    cases |= {name: (dataclasses.replace(protocol, protocol=one), over) for name, (one, over) in replaced(meeting, SCENE["one"]).items()}
    del cases["waiting"]  # replaced memories would keep in the rounds too
    answers = {name: (float(d.fidelity), float(d.rate)) for name, d in ((name, other(over)) for name, (other, over) in cases.items())}
    raw = done.raw
    link = None if cutoff is None else NextPairWait(probability=raw.success_probability, attempt_time=1 / raw.attempt.rate, cutoff=cutoff)
    kept = rounds(filled(raw.pair), raw.rate, *ROUNDS.values(), None, raw.bell, link, flight(meeting))[-1]
    answers["memories"] = (float(kept.fidelity), float(kept.rate))
    for cause, (fidelity, rate) in answers.items():
        np.testing.assert_allclose(ideal[cause], [fidelity - done.fidelity, rate / done.rate], rtol=1e-8, atol=1e-9, err_msg=cause)
    if cutoff is None:
        _, own = limits(SCENE["one"], meeting)
        assert found.raw is not None and found.raw.names == own.names
        jax.tree.map(lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11), found.raw, own)


def test_a_perfect_memory_in_the_rounds_alone():
    """The wait for the news made ideal leaves the rounds' memories as they are."""
    meeting = SCENE["meeting"]
    done, found = limits(Distillation(SCENE["one"]), meeting)
    without = replaced(meeting, SCENE["one"])["waiting"][1]

    @eqx.filter_jit
    def fidelity(without):
        raw, keepers = SCENE["one"](without), (meeting.a.keeper, meeting.b.keeper)
        return rounds(filled(raw.pair), raw.rate, ("epl",), 0.0, 0.0, keepers, "psi+", None, flight(meeting))[-1].fidelity

    gain = found.limits[found.names.index("waiting")].fidelity_gain_if_ideal
    assert float(gain) == pytest.approx(float(fidelity(without) - done.fidelity), rel=1e-8)


@pytest.mark.slow
def test_rounds_over_a_transfer():
    """Of a connection and of a bare link; a lane of a batch is the lane alone."""
    over = connect(device(**OPTIMUM))
    transfer = dataclasses.replace(TRANSFER, samples=512)
    protocol = Distillation(transfer, gate_error=0.01)
    done, found = limits(protocol, over)
    own = ("a.emit", "a.up", "path.fibre", "path.switch", "b.down", "b.absorb", "clocks", "waiting")
    assert found.names == (*own, "gates", "readings", "memories")
    bare = dataclasses.replace(over, path=Link(fibre=over.path["fibre"], switch=Switch(insertion_loss=0.0)))
    forever = dataclasses.replace(over.a, qubit=Qubit(t1=1e12, t2=2e12), memory=QUBIT)
    for cause, without in (("path.switch", bare), ("a.emit", dataclasses.replace(over, a=forever))):
        wanted, one = protocol(without), found.limits[found.names.index(cause)]
        assert float(one.fidelity_gain_if_ideal) == pytest.approx(float(wanted.fidelity - done.fidelity), abs=1e-9), cause
        assert float(one.rate_factor_if_ideal) == pytest.approx(float(wanted.rate / done.rate), rel=1e-9), cause
    _, row = limits(protocol, over.link())
    assert row.names == ("up", "fibre", "switch", "down", "gates", "readings")

    @jax.jit
    @jax.vmap
    def at(error):
        return limits(dataclasses.replace(protocol, gate_error=error), over)[1]

    several = at(np.array([0.0, 0.01]))
    jax.tree.map(lambda lanes, alone: np.testing.assert_allclose(lanes[1], alone, rtol=1e-9, atol=1e-12), several, found)
    gates = several.limits[found.names.index("gates")]
    assert gates.fidelity_gain_if_ideal[0] == 0 < gates.fidelity_gain_if_ideal[1]


@pytest.mark.slow
def test_the_slope_of_a_gain_is_the_difference_of_slopes():
    meeting = SCENE["meeting"]
    names = (*CAUSES, "gates", "readings", "memories")

    def gain(error):
        return limits(Distillation(SCENE["one"], gate_error=error), meeting)[1].limits[names.index("gates")].fidelity_gain_if_ideal

    slope = jax.jit(jax.grad(gain))(0.01)
    wanted = jax.jit(jax.grad(lambda error: Distillation(SCENE["one"], gate_error=error)(meeting).fidelity))(0.01)
    assert float(slope) == pytest.approx(-float(wanted), rel=1e-9)


def test_what_is_refused():
    """An unstable device is an error, and NaN in traced code."""
    over = sources(2.0)
    auxiliary = {"kappa_s_ext": 1 * MHz, "kappa_s_int": 1 * MHz, "kappa_d": 1 * MHz, "g_s": 3 * MHz}
    still = connect(ElectroOptic(cooperativity=0.4, **RATES))
    unstable = eqx.tree_at(lambda c: c.a.device, still, ElectroOptic(cooperativity=0.4, stokes=True, **auxiliary, **RATES))
    with pytest.raises(UnstableError, match="unstable: a disturbance grows at"):
        limits(PAIRS, over)
    with pytest.raises(ValueError, match="limits: protocol must be heralded, Teleportation, Transfer or Distillation, but is Link"):
        limits(over.path_a, over)
    for lost in (traced(PAIRS, over)[1], traced(Transfer("single-rail", PHOTON), unstable)[1]):
        assert all(np.isnan(one.fidelity_gain_if_ideal) and np.isnan(one.rate_factor_if_ideal) for one in lost.limits)
