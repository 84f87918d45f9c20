"""The clock that a target asks for: closed forms where the clock alone costs, and a protocol whose fidelity is known by heart."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import CLOSED_FORM, GRADIENT
from transduce.devices.electro_optic import ElectroOptic
from transduce.link.emission import Qubit
from transduce.link.link import Link
from transduce.link.meeting import Meeting
from transduce.link.node import Node
from transduce.link.routing import Station
from transduce.link.synchronisation import Synchronisation
from transduce.link.wavepacket import Gaussian
from transduce.protocols.base import AbstractProtocol
from transduce.protocols.clocks import clock_needed
from transduce.protocols.heralded import OneClick, TwoClick
from transduce.qubit.detector import Detector
from transduce.units import GHz, MHz, THz, us

WIDE, CARRIER, TARGETS = 1 * THz, 8.8 * GHz, np.array([0.9, 0.99, 0.999])
COUNTING = Detector(kind="number_resolving")


def clean() -> Meeting:
    """So broad and lossless that only the clock costs: 1e-12 of a fidelity is left to the device."""
    lossless = ElectroOptic(kappa_e_ext=WIDE, kappa_e_int=0.0, kappa_o_ext=WIDE, kappa_o_int=0.0, cooperativity=1.0)
    node, way = Node(Qubit(t1=1e9, t2=2e9, frequency=CARRIER), lossless), Link(station=Station())
    return Meeting(node, node, way, way)


def test_the_envelope_in_closed_form():
    """One click holds <xi> = (1 + s^2/4 sigma^2)^(-1/2) = 2 F - 1: about four times the loss of V, as (1 - V)/4 says, and its slope."""

    def needed(target, bandwidth):
        photon = Gaussian(bandwidth=bandwidth)
        one = OneClick(photon, COUNTING, filter_bandwidth=WIDE, excitation=0.5)
        return clock_needed(one, clean(), target, "timing_jitter"), photon.deviation

    (times, deviation), slopes = jax.jit(jax.vmap(jax.value_and_grad(needed, (0, 1), has_aux=True), (0, None)))(TARGETS, 1 * MHz)
    held = 2 * TARGETS - 1
    closed = 2 * np.asarray(deviation) * np.sqrt(held**-2 - 1)
    at = 2e-10 + 1e-12 / (1 - TARGETS)  # of the mean's 16 points, and what the device costs over what the target leaves
    assert np.all(abs(times / closed - 1) < at)
    np.testing.assert_allclose(slopes[0], -8 * np.asarray(deviation) ** 2 / closed / held**3, rtol=GRADIENT)
    np.testing.assert_allclose(slopes[1], -closed / (1 * MHz), rtol=GRADIENT)


def test_the_carrier_in_closed_form():
    """Two clicks hold e^{-(omega sigma_t)^2}, whatever the photon."""

    @jax.jit
    @jax.vmap
    def needed(target):
        return clock_needed(TwoClick(Gaussian(bandwidth=1 * MHz), COUNTING, filter_bandwidth=WIDE), clean(), target, "clock_jitter")

    np.testing.assert_allclose(needed(TARGETS), np.sqrt(-np.log(2 * TARGETS - 1)) / CARRIER, rtol=CLOSED_FORM)


class Figures(NamedTuple):
    fidelity: Any


class Known(AbstractProtocol):
    """F = best - curvature (t - shift)^2 / (1 + t^2) of one error in us, where its clock looks at it; NaN where ``best`` is."""

    best: Any
    shift: Any = 0.0
    clock: str = eqx.field(default="timing_offset", static=True)

    def __call__(self, connection: Any) -> Any:
        clocks = connection.synchronisation or Synchronisation()
        t = getattr(clocks, self.clock) / us
        return Figures(self.best - 0.2 * (t - self.shift) ** 2 / (1 + (t - self.shift) ** 2))


class Ends(eqx.Module):
    synchronisation: Synchronisation | None = None


@jax.jit
@jax.vmap
def known(best, shift, target):
    def needed(best, shift, target):
        return clock_needed(Known(best, shift), Ends(), target, "timing_offset")

    return jax.value_and_grad(needed, (0, 1, 2))(best, shift, target)


def test_the_worse_sign_of_an_offset_and_every_edge():
    """x = t + shift with 0.2 x^2/(1 + x^2) = best - target, the shift counting against it; beyond the edges slopes are 0."""
    best, shift, target = np.array([[0.95, 0.95, 0.95, 0.9, np.nan], [0, -0.1, 0.3, 0, 0], [0.9, 0.9, 0.9, 0.95, 0.9]])
    time, slopes = known(best, shift, target)
    x = np.sqrt(0.05 / 0.15)
    np.testing.assert_allclose(time[:3] / us, x - np.array([0.0, 0.1, 0.3]), rtol=CLOSED_FORM)
    slope = (1 + x**2) ** 2 / (0.4 * x)
    np.testing.assert_allclose(slopes[0][:3] / us, slope, rtol=GRADIENT)
    np.testing.assert_allclose(slopes[2][:3] / us, -slope, rtol=GRADIENT)
    np.testing.assert_allclose(slopes[1][1:3] / us, [1, -1], rtol=GRADIENT)
    assert np.all(np.isnan(time[3:])) and all(np.all(one[3:] == 0) for one in slopes)
    time, slopes = known(np.array([0.95, 0.95]), np.zeros(2), np.array([0.7, 0.95]))
    assert time[0] == np.inf and all(one[0] == 0 for one in slopes)
    assert time[1] < 1e-7 * us and abs(slopes[2][1]) > 1


def test_other_errors_stay_as_they_are():
    assert jnp.isinf(clock_needed(Known(0.95), Ends(), 0.9, "clock_jitter"))
    noisy = Ends(Synchronisation(timing_offset=1 * us, timing_jitter=2 * us))
    assert jnp.isnan(clock_needed(Known(0.95), noisy, 0.9, "clock_jitter"))
    twin = clock_needed(Known(0.95, clock="timing_jitter"), noisy, 0.9, "timing_jitter")
    np.testing.assert_allclose(twin / us, np.sqrt(0.05 / 0.15), rtol=CLOSED_FORM)


def test_what_is_refused():
    with pytest.raises(ValueError, match="which must be one of timing_jitter, timing_offset, clock_jitter, but is 'clock'"):
        clock_needed(Known(1.0), Ends(), 0.9, "clock")
    with pytest.raises(ValueError, match=r"fidelity must be within 0 and 1, but is 1\.1"):
        clock_needed(Known(1.0), Ends(), 1.1, "clock_jitter")
