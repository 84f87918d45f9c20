"""Whole links in single precision: the bundled study's figures and gradients, within the bound that the sweep reports."""

import numpy as np

import transduce as td
from transduce import parameters
from transduce.study import config
from transduce.study.source import read
from transduce.units import MHz

LAB = "device.lab."
AXES = {LAB + "pump_power": np.geomspace(0.02, 0.5, 4), LAB + "kappa_o_ext": np.array([30.0, 4.0]) * MHz}
SLOPES = tuple(LAB + name for name in ("pump_power", "kappa_o_ext", "kappa_o_int", "frequency_o", "g0"))
SETTING = config.load(read(None))


def figures(parts):
    return SETTING.assemble(parts)[1].link().figures()._asdict()


def test_the_bundled_link_in_single_precision():
    """Every slope, also those through a photon's energy and the square of a linewidth, which float32 does not hold."""
    single, double = (td.sweep(figures, SETTING.parts, AXES, gradients=SLOPES, precision=kind, chunk=8) for kind in ("single", "double"))
    bound = 1.01 * single.single_error  # of designs drawn at random, and of the last, whose ripple is small beside its rounding
    assert 0 < bound < 1e-4 and np.all(single.stable) and double["ripple_db"][-1, -1] > 0
    values = {path: np.broadcast_to(float(parameters.get(SETTING.parts, path)), (4, 2)) for path in SLOPES}
    values |= dict(zip(AXES, np.meshgrid(*AXES.values(), indexing="ij"), strict=True))
    for name, exact in double.figures.items():
        assert single[name].dtype == np.float32
        np.testing.assert_allclose(single[name], exact, rtol=bound)
        for path, slope in double.gradients[name].items():
            scale = np.maximum(np.abs(slope), np.abs(exact) / values[path])
            assert np.all(np.abs(single.gradients[name][path] - slope) <= bound * scale), (name, path)
