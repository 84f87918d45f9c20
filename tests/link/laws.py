"""The laws that every stage keeps: each takes a ``Case`` and asserts.

A case holds one batch of 256 stages, each at an offset of its own, and one compiled function ``read`` that every law feeds: as drawn and
heated. At the offset w and at its image the stage answers alone, and in rows that must not change it.
"""

from functools import cache, cached_property
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tests import ALGEBRA
from tests.link.cases import CASES
from transduce import parameters
from transduce.link.base import AbstractStage, Prepared, Response
from transduce.link.convert import Convert
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.routing import Filter
from transduce.units import MHz, km

LANES, SEED = 256, 20261
HEAT = ("temperature", "occupation", "neighbour_occupation", "noise_photons")


class Held(AbstractStage):
    """A stage already prepared, so that every row around it is traced once."""

    held: Prepared

    def prepare(self) -> Prepared:
        return self.held


class Answers(NamedTuple):
    """A stage at w and at its image, and rows at w: the stage alone (image filtered, kept), before a fibre of no length, nested, flat."""

    here: Response
    image: Response
    alone: Response
    alone_coherent: Response
    before_nothing: Response
    nested: Response
    flat: Response
    delays: Any


def read(stage: AbstractStage, omega: jax.Array) -> Answers:
    """The answers of one stage."""
    prepared = stage.prepare()
    stage, after, last = Held(prepared), Fibre(length=3 * km), Filter(bandwidth=20 * MHz, centre=1 * MHz, occupation=0.3)
    rows = (
        Link(only=stage),
        Link(only=stage, image="coherent"),
        Link(only=stage, nothing=Fibre(length=0.0, beta2=1e-20), image="coherent"),
        Link(first=Link(stage=stage, image="coherent"), rest=Link(fibre=after, filter=last, image="coherent"), image="coherent"),
        Link(stage=stage, fibre=after, filter=last, image="coherent"),
    )
    twice = 0.0 if prepared.carrier is None else 2 * prepared.carrier
    whole = [row.prepare() for row in rows]
    delays = jnp.stack([jnp.asarray(one.delay, float) for one in (prepared, *whole)])
    return Answers(prepared.response(omega), prepared.response(-twice - omega), *(one.response(omega) for one in whole), delays)


def active(stage: Any) -> bool:
    """Whether some converter in it squeezes, so that it may have gain."""
    found = jax.tree.leaves(stage, is_leaf=lambda node: isinstance(node, Convert))
    systems = [eqx.filter_eval_shape(node.device.linear_system) for node in found if isinstance(node, Convert)]
    return any(system.active for system in systems)


class Case:
    """One row of the table, drawn once."""

    def __init__(self, name: str) -> None:
        rng = np.random.default_rng(SEED)
        self.stage = CASES[name](rng, LANES)
        self.omega = jnp.asarray(rng.normal(size=LANES) * 10 ** rng.uniform(-2, 1.5, LANES) * MHz)
        self.read = eqx.filter_jit(eqx.filter_vmap(read))

    def lane(self, k: int) -> AbstractStage:
        """One stage of the batch."""
        return jax.tree.map(lambda leaf: leaf[k], self.stage)

    @cached_property
    def drawn(self) -> Answers:
        """The answers of the batch as drawn, in numpy."""
        return jax.tree.map(np.asarray, self.read(self.stage, self.omega))


@cache
def case(name: str) -> Case:
    """The case of this name."""
    return Case(name)


def _size(response: Response) -> np.ndarray:
    return np.maximum(1.0, np.maximum(np.abs(response.u) ** 2, response.noise))


def _same(found: Response, wanted: Response) -> None:
    size = _size(wanted)
    for one, other in zip(found, wanted, strict=True):
        a, b = (0.0 if x is None else x for x in (one, other))
        assert (np.abs(a - b) / size).max() < ALGEBRA


def adds_physical_noise(case: Case) -> None:
    """n >= max(0, -c), c = [F, F^dagger] = 1 - |u|^2 + |v|^2, and F(w), F(-w) are a state: |m|^2 <= n(w) (n(-w) + c(-w))."""
    here, image = case.drawn.here, case.drawn.image
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(case.drawn))
    size = _size(here) * _size(image)
    assert ((here.noise - np.maximum(0, -here.commutator)) / size > -ALGEBRA).all()
    if here.v is not None:
        assert ((here.noise * (image.noise + image.commutator) - np.abs(here.anomalous) ** 2) / size**2 > -ALGEBRA).all()
        assert (np.abs(here.v) > 1e-9).any()


def is_read_with_its_image_in_vacuum(case: Case) -> None:
    """n -> n + |v|^2, v -> 0: still physical, now against a receiver that knows no image, n >= |u|^2 - 1."""
    seen = case.drawn.here.filtered()
    assert seen.v is None and seen.anomalous is None
    assert ((seen.noise - np.maximum(0, np.abs(seen.u) ** 2 - 1)) / _size(seen) > -ALGEBRA).all()


def has_no_gain_without_a_pump_that_squeezes(case: Case) -> None:
    """|u| <= 1 and nothing is conjugated, unless some device squeezes."""
    here = case.drawn.here
    assert (np.abs(here.u) > 1e-9).any()
    if not active(case.stage):
        assert (np.abs(here.u) <= 1 + ALGEBRA).all() and (here.v is None or not here.v.any())


def alone_in_a_row_is_itself(case: Case) -> None:
    """A row of one stage: the stage where the image band is kept, the stage with its image in vacuum where it is filtered."""
    _same(case.drawn.alone, case.drawn.here.filtered())
    _same(case.drawn.alone_coherent, case.drawn.here)


def does_not_feel_a_fibre_of_no_length(case: Case) -> None:
    """Whatever its dispersion and attenuation per metre."""
    _same(case.drawn.before_nothing, case.drawn.here)


def does_not_know_how_it_is_grouped(case: Case) -> None:
    """(stage), (fibre, filter) is stage, fibre, filter; the delays add up."""
    _same(case.drawn.nested, case.drawn.flat)
    own, *rows = case.drawn.delays.T
    fibre = float(Fibre(length=3 * km).delay)
    for row, more in zip(rows, (0, 0, 0, fibre, fibre), strict=True):
        np.testing.assert_allclose(row, own + more, rtol=ALGEBRA)


def never_adds_less_noise_when_hotter(case: Case) -> None:
    """Each bath in turn ten times hotter and one unit more: no noise falls, u stays; all but the input's own port are heard."""
    before, silent, asked = case.drawn.here, set(), 0
    for name, _, value in parameters.walk(case.stage):
        field = name.split(".")[-1]
        if field in HEAT or field.startswith("n_"):
            hot = jax.tree.map(np.asarray, case.read(parameters.replace(case.stage, {name: 10 * value + 1}), case.omega)).here
            assert not (hot.noise < before.noise * (1 - ALGEBRA)).any(), name
            assert (hot.u == before.u).all(), name
            asked += 1
            if not (hot.noise > before.noise).any():
                silent.add(field)
    assert len(silent) < asked or asked == 0
    assert silent <= {"n_e_ext", "n_o_ext", "temperature", "n_s"}  # the input's port; beside occupations; of a mode that is not there


def is_the_same_under_jit(case: Case) -> None:
    """One lane, operation by operation, against the compiled batch."""
    stage = case.lane(0)
    eager = stage.prepare().response(case.omega[0])
    _same(jax.tree.map(np.asarray, eager), jax.tree.map(lambda x: x[0], case.drawn.here))


LAWS = (
    adds_physical_noise,
    is_read_with_its_image_in_vacuum,
    has_no_gain_without_a_pump_that_squeezes,
    alone_in_a_row_is_itself,
    does_not_feel_a_fibre_of_no_length,
    does_not_know_how_it_is_grouped,
    never_adds_less_noise_when_hotter,
    is_the_same_under_jit,
)
