"""Heralded pairs against counting photons in Fock space, their closed-form limits, and what no state may break."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from transduce.gaussian.channel import ModeChannel
from transduce.linear.noise import PairMoments
from transduce.qubit.bell_measurement import two_click, two_click_weak_fidelity
from transduce.qubit.detector import Detector
from transduce.qubit.heralded_pair import HeraldedPair
from transduce.qubit.heralding import SEPARABLE_NOISE, best_excitation, one_click, one_click_weak_best, one_click_weak_fidelity
from transduce.qubit.pairs import pair_click, pair_source_in_the_middle, squeezed_pair

from . import counting

A, B = (0.5, 0.02, 0.3), (0.35, 0.01, -0.8)
SENT, KEPT = (0.3, 0.01, 0.5), (0.8, 0.02, 1.1)
OVERLAP = 0.9 * np.exp(0.4j)
EFFICIENCY, DARK, MEAN, MODES = 0.8, 0.003, 0.002, (0.01, 0.004)
DETECTOR = {"efficiency": EFFICIENCY, "dark_probability": DARK, "background_counts": MEAN, "background_modes": np.array(MODES)}
FALSE = counting.false_counts(DARK, MEAN, MODES)
KINDS = ("threshold", "threshold_any", "number_resolving")


def _channel(eta: Any, n: Any, theta: Any = 0.0) -> ModeChannel:
    return ModeChannel(jnp.sqrt(eta) * jnp.exp(1j * theta), n)


def _effect(kind: str, output: str, overlap: complex = OVERLAP) -> np.ndarray:
    return counting.effect(counting.herald(kind, FALSE, output), overlap)


def _seen(channel):
    return counting.lossy(channel, EFFICIENCY)


def _same(ours: Any, brute: Any) -> None:
    np.testing.assert_allclose(ours, brute, rtol=0, atol=CLOSED_FORM * np.abs(brute).max())


# Photon counting


@pytest.mark.parametrize("kind", KINDS)
def test_one_and_two_clicks_are_what_counting_photons_gives(kind):
    c, d = (_effect(kind, output) for output in "cd")
    detector = Detector(**DETECTOR, kind=kind)
    pair = one_click(_channel(*A), _channel(*B), 0.2, 0.3, detector, OVERLAP)
    for sign, povm in ((1, c), (-1, d)):
        brute = counting.one_click(povm, _seen(A), _seen(B), (0.2, 0.3))
        _same(pair.density(sign), brute)
        assert pair.probability == pytest.approx(np.trace(brute).real, rel=CLOSED_FORM)
    pair = two_click(_channel(*A), _channel(*B), detector, OVERLAP)
    for sign, late in ((1, c), (-1, d)):
        brute = counting.two_click(c, late, _seen(A), _seen(B))
        _same(pair.density(sign), brute)
        assert pair.success_probability == pytest.approx(4 * np.trace(brute).real, rel=CLOSED_FORM)


@pytest.mark.parametrize("kind", KINDS)
def test_a_click_of_pair_sources_is_what_counting_photons_gives(kind):
    nodes = (0.03, KEPT, SENT, 0.02), (0.02, (0.9, 0.0, 0.0), (0.4, 0.0, -1.0), 0.0)
    moments = [squeezed_pair(pairs, _channel(*kept), _channel(*sent), hot) for pairs, kept, sent, hot in nodes]
    pair = pair_click(*moments, Detector(**DETECTOR, kind=kind), OVERLAP)
    for sign, output in ((1, "c"), (-1, "d")):
        seen = [(pairs, kept, _seen(sent), hot) for pairs, kept, sent, hot in nodes]
        brute, probability = counting.pair_click(_effect(kind, output), *seen)
        _same(pair.density(sign), brute)
        assert pair.probability == pytest.approx(probability, rel=CLOSED_FORM)
        assert pair.weight == pytest.approx(np.trace(brute).real / probability, rel=CLOSED_FORM)


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_in_the_middle_is_what_counting_photons_gives(kind):
    halves, overlaps = ((0.5, 0.005, 0.2), (0.6, 0.001, 0.9)), (OVERLAP, 0.95)
    source = squeezed_pair(0.02, *(_channel(*half) for half in halves))
    pair = pair_source_in_the_middle(_channel(*A), _channel(*B), source, Detector(**DETECTOR, kind=kind), *overlaps)
    (a_c, a_d), b_c = (_effect(kind, output, overlaps[0]) for output in "cd"), _effect(kind, "c", overlaps[1])
    seen = (_seen(A), _seen(B)), 0.02, tuple(_seen(half) for half in halves)
    for sign, late in ((1, a_c), (-1, a_d)):
        brute = counting.source_in_the_middle((a_c, b_c), (late, b_c), *seen)
        _same(pair.density(sign), brute)
        assert pair.success_probability == pytest.approx(16 * np.trace(brute).real, rel=CLOSED_FORM)


def test_a_random_phase_is_a_factor():
    angles, weights = np.polynomial.hermite_e.hermegauss(30)
    weights = weights / weights.sum()

    def mean(protocol, factor):
        turned = jax.vmap(lambda angle: protocol(angle, 0.0).coherence)(0.4 * factor * angles)
        assert protocol(0.0, 0.4).coherence == pytest.approx(complex(weights @ turned), rel=CLOSED_FORM)

    mean(lambda angle, jitter: one_click(_channel(0.5, 0.2, angle), _channel(0.4, 0.1), 0.2, 0.3, phase_jitter=jitter), 1)
    source = squeezed_pair(0.03, _channel(0.8, 0.0), _channel(0.3, 0.01))

    def pairs(angle, jitter):
        turned = PairMoments(source.first, source.second, source.correlation * jnp.exp(1j * angle))
        return pair_click(turned, source, phase_jitter=jitter)

    mean(pairs, 1)
    clicks = [two_click(*[_channel(0.5, 0.1)] * 2, differential_phase_jitter=jitter).coherence for jitter in (0.0, 0.4)]
    assert clicks[1] == pytest.approx(complex(clicks[0]) * np.exp(-0.08), rel=ALGEBRA)


# Closed forms


def test_one_click_without_noise_term_by_term():
    a1, a2, e1, e2, visibility, dark = 0.1, 0.2, 0.3, 0.25, 0.81, 1e-3
    q, rate = 1 - dark, 0.3 * 0.25
    found = one_click(_channel(e1, 0.0), _channel(e2, 0.0), a1, a2, Detector(dark_probability=dark), visibility**0.5, phase_jitter=0.1)
    expected = [
        (1 - a1) * (1 - a2) * q * dark,
        a2 * (1 - a1) * q * (1 - e2 / 2 - q * (1 - e2)),
        a1 * (1 - a2) * q * (1 - e1 / 2 - q * (1 - e1)),
        a1 * a2 * q * ((1 - e1 / 2) * (1 - e2 / 2) + visibility * rate / 4 - q * (1 - e1) * (1 - e2)),
    ]
    np.testing.assert_allclose(found.populations, expected, rtol=ALGEBRA)
    coherent = np.sqrt(a1 * (1 - a1) * a2 * (1 - a2)) * q * np.sqrt(visibility * rate) / 2 * np.exp(-0.005)
    assert found.coherence == pytest.approx(coherent, rel=ALGEBRA)


def test_two_clicks_without_noise_are_half_and_visibility():
    for kind in ("threshold", "number_resolving"):
        detector = Detector(efficiency=0.9, kind=kind)
        found = two_click(_channel(0.4, 0.0, 1.0), _channel(0.1, 0.0), detector, 0.9j, coherence=0.99, differential_phase_jitter=0.2)
        assert found.fidelity == pytest.approx((1 + 0.81 * 0.99**2 * np.exp(-0.02)) / 2, rel=ALGEBRA)
        assert found.success_probability == pytest.approx(0.4 * 0.1 * 0.9**2 / 2, rel=ALGEBRA)


def test_a_weak_link_tends_to_the_closed_forms():
    eta, noise, overlap, jitter = 1e-9, 0.07, 0.9, 0.3  # the next order is about eta
    arm = _channel(eta, noise * eta)
    one = one_click(arm, arm, 0.3, 0.3, overlap=overlap, phase_jitter=jitter)
    assert one.fidelity == pytest.approx(float(one_click_weak_fidelity(noise, 0.3, overlap, jitter)), rel=10 * eta)
    assert one.success_probability == pytest.approx(2 * eta * (0.3 + noise), rel=10 * eta)
    two = two_click(arm, arm, overlap=overlap, differential_phase_jitter=jitter)
    assert two.fidelity == pytest.approx(float(two_click_weak_fidelity(noise, overlap**2, jitter)), rel=10 * eta)
    # Two one-click pairs, each element times that of the flipped qubits: the excitation drops out.
    p, both = one.populations, abs(one.coherence) ** 2
    distilled = (2 * p[1] * p[2] + 2 * both) / (4 * (p[0] * p[3] + p[1] * p[2]))
    assert distilled == pytest.approx(float(two_click_weak_fidelity(noise, overlap**2, jitter * 2**0.5)), rel=10 * eta)


def test_the_best_excitation_is_where_the_slope_vanishes():
    noises = jnp.array([1e-9, 1e-3, 0.05, 0.5, 20.0])
    best = jax.vmap(best_excitation)(noises)
    np.testing.assert_allclose(best, np.sqrt(noises**2 + noises) - noises, rtol=1e-9)  # the right-hand side cancels at 20
    slopes = jax.vmap(jax.grad(one_click_weak_fidelity, 1))(noises, best)
    np.testing.assert_allclose(slopes * best, 0, atol=ALGEBRA)
    tops = jax.vmap(lambda noise: one_click_weak_best(noise, 0.9, 0.2))(noises)
    np.testing.assert_allclose(tops, jax.vmap(lambda n, a: one_click_weak_fidelity(n, a, 0.9, 0.2))(noises, best), rtol=ALGEBRA)
    assert (best_excitation(0.0), one_click_weak_best(0.0)) == (pytest.approx(0, abs=1e-49), 1.0)
    assert one_click_weak_best(SEPARABLE_NOISE) == pytest.approx(0.5, rel=ALGEBRA)


def test_a_dim_source_in_the_middle():
    source = squeezed_pair(1e-9, _channel(0.5, 0.0), _channel(0.6, 0.0))
    found = pair_source_in_the_middle(_channel(0.3, 0.0), _channel(0.2, 0.0), source, overlap_a=0.9, overlap_b=0.95)
    assert found.success_probability == pytest.approx(0.5e-9 * 0.3 * 0.2 * 0.5 * 0.6, rel=1e-7)  # the next order is nbar/(eta_a eta_b)
    assert found.fidelity == pytest.approx((1 + 0.81 * 0.9025) / 2, rel=1e-7)


# What holds for all


def _random(size: int = 200) -> dict:
    draw = np.random.default_rng(5)
    eta, noise = draw.uniform(0, 1.2, (2, size)), draw.uniform(0, 0.5, (2, size))
    return {
        "eta": eta,
        "n": noise + np.maximum(0, eta - 1),
        "excitation": draw.uniform(0, 1, (2, size)),
        "pairs": 10 ** draw.uniform(-4, 0, (2, size)),
        "overlap": draw.uniform(0, 1, size) * np.exp(2j * draw.uniform(0, 3, size)),
        "dark": draw.uniform(0, 0.3, size),
        "mean": draw.uniform(0, 0.3, size),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_positive_and_every_probability_at_most_one(kind):
    def pairs(one):
        arms = [_channel(one["eta"][k], one["n"][k]) for k in (0, 1)]
        detector = Detector(dark_probability=one["dark"], background_counts=one["mean"], kind=kind)
        sources = [squeezed_pair(one["pairs"][k], *arms, one["n"][k]) for k in (0, 1)]
        found = (
            one_click(*arms, *one["excitation"], detector, one["overlap"]),
            two_click(*arms, detector, one["overlap"]),
            pair_click(*sources, detector, one["overlap"]),
            pair_source_in_the_middle(*arms, sources[0], detector, one["overlap"], one["overlap"]),
        )
        return [(pair.density(), pair.probability, pair.success_probability, pair.fidelity, pair.fidelity_at_phase()) for pair in found]

    batch = {name: jnp.moveaxis(jnp.asarray(value), -1, 0) for name, value in _random().items()}
    for density, probability, success, fidelity, at_phase in jax.jit(jax.vmap(pairs))(batch):
        scale = np.asarray(probability)
        assert np.all(np.linalg.eigvalsh(density).min(-1) >= -1e-14 * np.maximum(scale, 1e-3))  # rounding of a sum of terms of order 1
        assert np.all((scale > 0) & (scale <= 1 + ALGEBRA))
        assert kind == "threshold_any" or np.all(success <= 1 + ALGEBRA)
        assert np.all((fidelity >= 0) & (fidelity <= 1 + ALGEBRA) & (at_phase <= fidelity + ALGEBRA))


def test_nothing_seen_is_no_fidelity():
    dark = one_click(_channel(0.5, 0.0), _channel(0.5, 0.0), 0.0, 0.0)
    assert dark.probability == 0 and np.isnan(dark.fidelity) and np.isnan(dark.state()).all()
    slope = jax.grad(lambda a: one_click(_channel(0.5, 0.0), _channel(0.5, 0.0), a, a).fidelity)(0.0)
    assert slope == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Detector(efficiency=1.1), "Detector.efficiency must be at least 0 and at most 1, but is 1.1"),
        (lambda: Detector(background_modes=np.array([0.1, -0.1])), "Detector.background_modes must be at least 0, but is -0.1"),
        (lambda: Detector(kind="bolometer"), "Detector.kind must be one of threshold, .*, but is 'bolometer'"),
        (lambda: one_click(_channel(0.5, 0.0), _channel(0.5, 0.0), 0.2, 1.3), "excitation_b must be within 0 and 1, but is 1.3"),
        (lambda: one_click(_channel(0.5, 0.0), _channel(0.5, 0.0), 0.2, 0.3, overlap=-1.2j), "overlap must be within"),
        (lambda: two_click(_channel(0.5, 0.0), _channel(0.5, 0.0), coherence=1.2), "coherence must be within"),
        (lambda: two_click(_channel(0.5, 0.0), _channel(0.5, 0.0)).density(2), "sign must be 1 or -1, but is 2"),
        (lambda: two_click_weak_fidelity(-0.1), "added_noise must be at least 0, but is -0.1"),
        (lambda: best_excitation(-1.0), "added_noise must be at least 0"),
        (lambda: squeezed_pair(-0.1, _channel(1.0, 0.0), _channel(1.0, 0.0)), "pairs must be at least 0, but is -0.1"),
        (lambda: pair_click(*[PairMoments(0.1, 0.1, 0.4)] * 2), r"pair_a must have \|correlation\|\^2 at most"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_a_herald_that_hardly_ever_comes():
    """The coherence is far below what a root reads 0 as; the fidelity is that of what comes."""
    tiny = 1e-70
    pair = HeraldedPair(jnp.array([0.0, 0.5, 0.5, 0.0]) * tiny, jnp.asarray(0.3 * tiny + 0j), jnp.asarray(tiny), 2)
    np.testing.assert_allclose([pair.fidelity, pair.fidelity_at_phase()], 0.8, rtol=ALGEBRA)
