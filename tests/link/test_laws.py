"""Every law of ``laws.py`` on every stage of ``cases.py``, and what only passive stages can be asked."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA
from tests.link import cases
from tests.link.laws import LANES, LAWS, SEED, active, case
from transduce import parameters
from transduce.link.link import Link
from transduce.units import MHz


@pytest.mark.parametrize("name", cases.CASES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law, name):
    law(case(name))


def test_the_table_holds_active_and_passive_stages():
    assert {active(case(name).stage) for name in cases.CASES} == {True, False}


def test_a_split_fibre_changes_nothing():
    """Cut anywhere: couplings stay at the ends, the noise at the output; dispersion, loss and delay add up."""
    rng = np.random.default_rng(SEED)
    whole, share = cases.fibre(rng, LANES), rng.uniform(0, 1, LANES)
    whole = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (LANES,)), whole)
    none = jnp.zeros(LANES)
    first = parameters.replace(whole, {"length": share * whole.length, "coupling_out": none, "noise_photons": none})
    second = parameters.replace(whole, {"length": (1 - share) * whole.length, "coupling_in": none})
    omega = jnp.asarray(rng.normal(size=LANES) * 10 * MHz)

    @eqx.filter_jit
    @eqx.filter_vmap
    def ask(stage, omega):
        prepared = stage.prepare()
        return prepared.response(omega), prepared.delay

    (a, late), (b, later) = (ask(stage, omega) for stage in (whole, Link(first=first, second=second)))
    bend = np.abs(whole.beta2 * whole.length / 2 * omega**2)
    assert np.max(np.abs(np.angle(a.u))) > 1 and np.median(bend) > 1e-3
    assert np.max(np.abs(a.u - b.u) / np.abs(a.u) / np.maximum(1, bend)) < ALGEBRA  # a phase of x rad is known to x rounding errors
    np.testing.assert_allclose(a.noise, b.noise, rtol=ALGEBRA)
    np.testing.assert_allclose(late, later, rtol=ALGEBRA)


def test_the_order_of_passive_cold_stages_is_irrelevant():
    rng = np.random.default_rng(SEED)
    drawn = {"fibre": cases.fibre, "loss": cases.loss, "switch": cases.switch, "filter": cases.filter_}
    stages = {name: cases.CASES[name](rng, LANES) for name in drawn}
    omega = jnp.asarray(rng.normal(size=LANES) * MHz)

    @eqx.filter_jit
    @eqx.filter_vmap
    def ask(stages, omega):
        return [Link(**{name: stages[name] for name in order}).response(omega).u for order in (list(drawn), list(drawn)[::-1])]

    one, other = ask(stages, omega)
    assert np.max(np.abs(one - other) / np.abs(one)) < ALGEBRA
