"""Distilled pairs over hardware: two weak single clicks are a double click; waits and cut-offs by playing attempts one by one."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
import pytest

from tests.protocols.bundled import QUBIT, TRANSFER, connect
from tests.protocols.meetings import PHOTON, RATES, close
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection
from transduce.link.routing import Loss
from transduce.protocols.distillation import Distillation
from transduce.protocols.heralded import OneClick
from transduce.qubit.bell_measurement import two_click_weak_fidelity
from transduce.units import MHz, c_0, km, us

FOREVER = Qubit(t1=1e12, t2=2e12)
DEVICE = ElectroOptic(cooperativity=0.4, n_e_int=0.02, **RATES)


def test_two_weak_single_clicks_are_a_double_click():
    """Whatever the excitation: F = (1 + 2N + 2N^2)/(1 + 8N + 8N^2), to the order of the link's efficiency."""
    node = connect(DEVICE, FOREVER).a
    weak = Connection(node, node, Link(one=Loss(loss=70.0), fibre=Fibre(length=1e-3 * km), two=Loss(loss=70.0)))
    shared = {"photon": PHOTON, "filter_bandwidth": 30 * MHz}

    @jax.jit
    @jax.vmap
    def at(excitation):
        noisy = eqx.tree_at(lambda c: c.path["fibre"].noise_photons, weak, 3e-11)
        done = Distillation(OneClick(**shared, excitation=excitation))(noisy)
        return done.fidelity, (done.raw.channel_a.noise + done.raw.background_counts) / done.raw.channel_a.efficiency

    fidelity, noise = at(np.array([1e-2, 0.3]))
    wanted = two_click_weak_fidelity(float(noise[0]))
    assert fidelity == pytest.approx([float(wanted)] * 2, rel=1e-6) and 0.4 < wanted < 0.99


def test_waits_and_cut_offs_by_playing_attempts():
    """Two raw pairs one after the other, the older decaying from attempt to attempt; without one it waits exponentially."""
    memory = Qubit(t1=400 * us, t2=300 * us)
    node = dataclasses.replace(connect(DEVICE, QUBIT).a, memory=memory)
    over = dataclasses.replace(connect(DEVICE, QUBIT), a=node, b=node)
    cut, free = (Distillation(TRANSFER, cutoff=cutoff)(over) for cutoff in (6, None))
    p, step = float(cut.raw.success_probability), 1 / float(cut.raw.attempt.rate)
    rng = np.random.default_rng(7)
    gaps = rng.geometric(p, 10**6)
    kept, spent = gaps <= 6, np.minimum(gaps, 6)
    time = step * (np.sum(rng.geometric(p, gaps.size)) + np.sum(spent)) / np.sum(kept)
    first = np.asarray(cut.raw.pair) + np.eye(4) * (1 - np.trace(cut.raw.pair).real) / 4
    older = sum(decayed(first, memory, step * k) * np.mean(gaps[kept] == k) for k in range(1, 7))
    raw = older * first[::-1, ::-1]
    after = decayed(raw / np.trace(raw).real, memory, 1000 * 1.468 / c_0)
    assert float(cut.fidelity) == pytest.approx((after[0, 0] + after[3, 3] + 2 * after[0, 3]).real / 2, abs=2e-4)
    assert float(cut.rate) == pytest.approx(np.trace(raw).real / time, rel=5e-3)
    assert float(free.fidelity) < float(cut.fidelity) and float(free.rate) > float(cut.rate)
    close(free.rate, free.raw.rate * free.rounds[1].success_probability / 2)


def decayed(state: np.ndarray, memory: Qubit, wait: float) -> np.ndarray:
    """Both qubits in one memory's T1 and T2, element by element."""
    e, k = np.exp(-wait / float(memory.t1)), np.exp(-wait / float(memory.t2))
    one = np.array([[1, 0, 0, 1 - e], [0, k, 0, 0], [0, 0, k, 0], [0, 0, 0, e]]).reshape((2,) * 4)  # row and column out, then in
    return np.einsum("abcd,ABCD,cCdD->aAbB", one, one, state.reshape((2,) * 4)).reshape(4, 4)


def test_what_is_printed():
    """Every figure with its unit and the line it is judged by, as a transfer prints its own."""
    node = connect(DEVICE, QUBIT).a
    over = Connection(node, node, Link(fibre=Fibre(length=1 * km)))
    done = Distillation(OneClick(PHOTON, excitation=0.1, filter_bandwidth=2 * MHz), methods=("epl", "epl"))(over)
    for text, one in ((repr(done), done), (repr(done.raw), done.raw)):
        assert f"fidelity of a pair                {float(one.fidelity):>14.4g}   1/2: separable" in text
        assert f"{float(one.rate):.4g} /s" in text and "of the limit by" in text
    assert "after 2 rounds" in repr(done) and "overlap" in repr(done.raw)


def test_what_is_refused():
    with pytest.raises(ValueError, match="method must be one of bbpssw, dejmps, epl, but is 'best'"):
        Distillation(TRANSFER, methods=("best",))(connect(DEVICE, QUBIT))
    with pytest.raises(ValueError, match=r"Distillation\.gate_error must be at least 0 and at most 1, but is 2"):
        Distillation(TRANSFER, gate_error=2.0)
