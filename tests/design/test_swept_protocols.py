"""Sweeps over heralded protocols: one program for all designs gives what each design gives alone, gradients too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import transduce as td
from transduce import parameters
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.meeting import Meeting
from transduce.link.node import Node
from transduce.link.wavepacket import Sech
from transduce.protocols.heralded import OneClick, PairClick, TwoClick
from transduce.qubit.detector import Detector
from transduce.units import MHz, km, us

from .. import CLOSED_FORM, GRADIENT

RATES = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 3 * MHz, "kappa_o_int": 2 * MHz}
SHARED = {"photon": Sech(bandwidth=1 * MHz), "filter_bandwidth": 10 * MHz, "detector": Detector(efficiency=0.8, dark_probability=1e-4)}
PROTOCOLS = {
    "one click": (OneClick(**SHARED, excitation=0.2), "red"),
    "two clicks": (TwoClick(**SHARED), "red"),
    "pair click": (PairClick(**SHARED), "blue"),
}
COOPERATIVITY, BANDWIDTH = "meeting.a.device.cooperativity", "protocol.photon.bandwidth"
AXES = {COOPERATIVITY: np.array([0.05, 0.3]), BANDWIDTH: np.array([0.7, 1.2]) * MHz}
SLOPES = (COOPERATIVITY, "meeting.b.device.kappa_e_ext", "meeting.path_a.fibre.length")


def worth(model):
    done = model["protocol"](model["meeting"])
    return done.fidelity * done.success_probability


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == "two clicks" else pytest.mark.slow) for name in PROTOCOLS])
def test_every_design_is_what_it_is_alone(name):
    protocol, pump = PROTOCOLS[name]
    node = Node(Qubit(t1=60 * us, t2=50 * us), ElectroOptic(**RATES, cooperativity=0.2, n_e_int=0.02, pump=pump))
    arms = (Link(fibre=Fibre(length=length * km)) for length in (2, 1))  # where they are as long the news has a kink
    model = {"meeting": Meeting(node, node, *arms), "protocol": protocol}
    swept = td.sweep(worth, model, AXES, gradients=SLOPES, chunk=8)

    @jax.jit
    def along(values, direction):
        return jax.jvp(lambda x: worth(parameters.replace(model, x)), (values,), (direction,))

    stated = {path: float(parameters.get(model, path)) for path in (*SLOPES, BANDWIDTH)}
    for place in np.ndindex(2, 2):
        point = stated | {path: float(row[k]) for (path, row), k in zip(AXES.items(), place, strict=True)}
        for path in SLOPES:
            alone, slope = along(point, {one: jnp.asarray(float(one == path)) for one in point})
            np.testing.assert_allclose(swept["value"][place], alone, rtol=CLOSED_FORM)
            scale = max(abs(float(slope)), float(alone) / point[path])
            assert abs(swept.gradients["value"][path][place] - slope) < GRADIENT * scale, (path, place)
    assert np.unique(swept["value"]).size == 4 and np.all(swept.gradients["value"][COOPERATIVITY] != 0)
