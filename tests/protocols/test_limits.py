"""What limits a heralded protocol: each gain by the meeting with that one thing replaced, and all of them together."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.protocols.meetings import SCENE, pumped_blue
from tests.protocols.witness import sech
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.meeting import Meeting
from transduce.link.node import Node
from transduce.protocols.heralded import PairClick
from transduce.protocols.limits import limits
from transduce.qubit.detector import Detector
from transduce.units import Hz, MHz, km, us

CAUSES = (*(f"{end}.{name}" for end in "ab" for name in ("emit", "up", "fibre", "loss")), "detectors", "clocks", "waiting")

STILL = {"timing_jitter": 0.0, "timing_offset": 0.0, "carrier_offset": 0.0}
CALM = {"phase_jitter": 0.0, "differential_phase_jitter": 0.0}


def replaced(meeting: Meeting, protocol) -> dict:
    """The same without one thing, by other values of its parameters: the delay of a fibre without loss stays."""
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
    a, b = (dataclasses.replace(node, qubit=dataclasses.replace(node.qubit, **CALM)) for node in (meeting.a, meeting.b))
    timed = dataclasses.replace(meeting, a=a, b=b, synchronisation=dataclasses.replace(still, **quiet))
    return {
        "a.fibre": (protocol, fibre),
        "detectors": (dataclasses.replace(protocol, detector=Detector()), meeting),
        "clocks": (protocol, timed),
        "waiting": (protocol, dataclasses.replace(meeting, a=keep[0], b=keep[1])),
    }


@pytest.mark.parametrize("name", ["one", "two"])
def test_each_gain_is_that_of_the_meeting_without_it(name):
    protocol, meeting = SCENE[name], SCENE["meeting"]
    done, found = limits(protocol, meeting)
    assert found.names == CAUSES
    own = dict(zip(found.names, found.limits, strict=True))
    for cause, (other, without) in replaced(meeting, protocol).items():
        wanted = jax.jit(lambda o, w: (lambda d: (d.fidelity, d.rate))(o(w)))(other, without)
        assert float(own[cause].fidelity_gain_if_ideal) == pytest.approx(float(wanted[0] - done.fidelity), abs=1e-9), cause
        assert float(own[cause].rate_factor_if_ideal) == pytest.approx(float(wanted[1] / done.rate), rel=1e-9), cause
    gains = np.array([float(one.fidelity_gain_if_ideal) for one in found.limits])
    w = np.linspace(-20, 20, 40001) * MHz
    passed = np.sum(sech(1 * MHz, w) ** 2 / (1 + (w / (5 * MHz)) ** 2)) * (w[1] - w[0]) / Hz  # the filter is all that is left
    single, coherent = 0.2 * 0.7 + 0.3 * 0.8, 2 * np.sqrt(0.2 * 0.8 * 0.3 * 0.7)
    best = {"one": (single + coherent) / 2 / (single + 2 * 0.2 * 0.3 * (1 - passed / 2)), "two": 1.0}
    assert float(done.fidelity) + gains.sum() + float(found.remainder) == pytest.approx(best[name], rel=CLOSED_FORM)


def test_pairs_keep_their_sources():
    node = Node(Qubit(t1=300 * us, t2=200 * us), pumped_blue(0.1))
    way = Link(fibre=Fibre(length=5 * km, noise_photons=1e-3))
    _, found = limits(PairClick(SCENE["one"].photon, filter_bandwidth=3 * MHz), Meeting(node, node, way, way))
    assert found.names == ("a.absorb", "a.fibre", "b.absorb", "b.fibre", "detectors", "clocks", "waiting")
    assert float(found.limits[1].fidelity_gain_if_ideal) == pytest.approx(float(found.limits[3].fidelity_gain_if_ideal), rel=ALGEBRA)
    assert "waiting" in str(found)
