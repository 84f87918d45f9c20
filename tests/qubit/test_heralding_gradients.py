"""Values and gradients of heralded pairs at the edges, against 120 digits."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, GRADIENT
from transduce.gaussian.channel import ModeChannel
from transduce.numerics import sqrt
from transduce.qubit import bell_measurement, heralding, pairs
from transduce.qubit.detector import Detector

from . import precise

POINTS = (
    (1e-8, 0.0, 0.0, 0.2),
    (1e-8, 1e-9, 1e-9, 1e-3),
    (1.0, 0.0, 0.0, 0.5),
    (1.0, 0.02, 1e-4, 1e-6),
    (0.3, 0.05, 1e-3, 0.4),
    (0.4, 0.0, 1e-5, 0.0),
    (0.0, 0.0, 1e-3, 0.3),
    (0.0, 0.01, 0.0, 0.1),
)
"""(eta, n, dark probability, excitation or pairs per mode)."""


def _arms(eta, n, dark, kind):
    return (ModeChannel(sqrt(eta), n),) * 2, Detector(dark_probability=dark, kind=kind)


def one_click(kind: Any, eta, n, dark, alpha):
    arms, detector = _arms(eta, n, dark, kind)
    return heralding.one_click(*arms, alpha, alpha, detector, float(precise.XI))


def two_click(kind: Any, eta, n, dark, _):
    arms, detector = _arms(eta, n, dark, kind)
    return bell_measurement.two_click(*arms, detector, float(precise.XI))


def pair_click(kind: Any, eta, n, dark, photons):
    (arm, _), detector = _arms(eta, n, dark, kind)
    node = pairs.squeezed_pair(photons, ModeChannel(0.9**0.5), arm, 0.01)
    return pairs.pair_click(node, node, detector, float(precise.XI))


def source_in_the_middle(kind: Any, eta, n, dark, photons):
    arms, detector = _arms(eta, n, dark, kind)
    source = pairs.squeezed_pair(photons, *[ModeChannel(0.6**0.5)] * 2)
    return pairs.pair_source_in_the_middle(*arms, source, detector, *[float(precise.XI)] * 2)


@pytest.mark.parametrize("kind", ["threshold", "threshold_any", "number_resolving"])
@pytest.mark.parametrize("protocol", [one_click, two_click, pair_click, source_in_the_middle])
def test_values_and_gradients_at_the_edges(protocol, kind):
    def figures(point):
        pair = protocol(kind, *point)
        answer = jnp.stack([pair.fidelity, jnp.log(pair.probability)])
        return answer, answer

    slopes, values = jax.jit(jax.vmap(jax.jacrev(figures, has_aux=True)))(jnp.array(POINTS))
    assert np.isfinite(slopes).all()
    for point, value, slope in zip(POINTS, values, slopes, strict=True):
        exact, derivative = precise.gradients(getattr(precise, protocol.__name__), kind, point)
        np.testing.assert_allclose(value, exact, rtol=ALGEBRA, atol=1e-40, err_msg=str(point))
        scale = np.maximum(1, np.abs(derivative).max(axis=1, keepdims=True))
        np.testing.assert_allclose(slope / scale, derivative / scale, rtol=0, atol=GRADIENT, err_msg=str(point))
