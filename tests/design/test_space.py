"""The unit box: coordinates, exact ends, selection by path, dict and lambda, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from transduce import parameters
from transduce.design.maximise import maximise
from transduce.design.space import choose, selected, validate
from transduce.link.emission import Qubit
from transduce.link.routing import Switch
from transduce.units import MHz, us

from .. import ALGEBRA


class Sheet(eqx.Module):
    """Every kind of box: logarithmic, from 0, signed, and none."""

    kappa: Array = parameters.rate(2 * MHz, box=(1 * MHz, 50 * MHz))
    loss: Array = parameters.fraction(0.5, box=(0.0, 1.0))
    detuning: Array = parameters.detuning(1 * MHz, box=(-3 * MHz, 5 * MHz))
    photons: Array = parameters.positive(7.0)
    absent: Array | None = parameters.number(None)

    @property
    def double(self) -> Array:
        return 2 * self.kappa


MODEL = {"device": {"lab": Sheet()}, "path": (Sheet(kappa=3 * MHz),)}
ALL = ("device.lab.kappa", "device.lab.loss", "path.0.detuning")


def test_coordinates_and_back():
    space = choose(ALL, MODEL)
    assert list(space.logarithmic) == [True, False, False]
    x = np.array([0.25, 0.25, 0.25])
    wanted = [50**0.25 * MHz, 0.25, -1 * MHz]
    np.testing.assert_allclose(space.values(x), wanted, rtol=ALGEBRA)
    np.testing.assert_allclose(space.coordinates(space.values(x)), x, rtol=ALGEBRA)
    placed = space.place(MODEL, jnp.asarray(x))
    np.testing.assert_allclose([parameters.get(placed, path) for path in ALL], wanted, rtol=ALGEBRA)
    assert float(parameters.get(placed, "path.0.kappa")) == 3 * MHz


def test_the_ends_are_exact_and_outside_is_projected():
    space = choose(dict.fromkeys(ALL) | {"device.lab.photons": (0.1, 0.3)}, MODEL)
    for x, end in ((0.0, space.low), (1.0, space.high)):
        at = np.full(4, x)
        assert np.array_equal(space.values(at), end)
        placed = space.place(MODEL, jnp.asarray(at))
        assert np.array_equal([parameters.get(placed, path) for path in space.paths], end)
    assert np.array_equal(space.coordinates(np.array([1.0, 2.0, 9 * MHz, 1e3])), [0.0, 1.0, 1.0, 1.0])


def test_the_slope_is_that_of_the_coordinate_ends_included():
    space, x = choose(ALL, MODEL), np.array([0.0, 0.3, 1.0])
    slope = jax.jit(jax.vmap(jax.jacobian(lambda x: jnp.stack([parameters.get(space.place(MODEL, x), path) for path in ALL]))))
    wanted = [np.diag([np.log(50) * MHz * 50**one, 1.0, 8 * MHz]) for one in x]
    np.testing.assert_allclose(slope(np.tile(x[:, None], 3)), wanted, rtol=ALGEBRA)


def test_a_lambda_selects_the_same_paths():
    select = lambda m: (m["device"]["lab"].kappa, {"x": m["device"]["lab"].loss}, m["path"][0].detuning)  # noqa: E731
    assert selected(select, MODEL) == ALL
    assert choose(select, MODEL).paths == choose(ALL, MODEL).paths
    assert selected(lambda m: m["path"][0].loss, MODEL) == ("path.0.loss",)


@pytest.mark.parametrize(
    "select",
    [
        lambda m: 2 * m["device"]["lab"].kappa,
        lambda m: m["device"]["lab"].kappa / 3,
        lambda m: -m["device"]["lab"].kappa,
        lambda m: jnp.sqrt(m["device"]["lab"].kappa),
        lambda m: np.sqrt(m["device"]["lab"].kappa),
        lambda m: float(m["device"]["lab"].kappa),
        lambda m: m["device"]["lab"].kappa or m["device"]["lab"].loss,
        lambda m: m["device"]["lab"].double,
    ],
)
def test_a_lambda_does_not_compute(select):
    with pytest.raises(TypeError, match="free= selects parameters, it does not compute with them: "):
        choose(select, MODEL)


@pytest.mark.parametrize("select", [lambda m: m["device"]["lab"].absent, lambda m: 3.0, lambda m: (m["path"][0].loss, "path.0.kappa")])
def test_a_lambda_selects_parameters_only(select):
    with pytest.raises(ValueError, match="free= must select parameters of the model, but selects"):
        choose(select, MODEL)


@pytest.mark.parametrize(
    ("free", "says"),
    [
        (("device.lab.kapa",), "no parameter 'device.lab.kapa'; the nearest is device.lab.kappa"),
        ("path.0.los", "the nearest is path.0.loss"),
        ({"path.1.loss": None}, "the nearest is path.0.loss"),
        (("device.lab.absent",), "no parameter 'device.lab.absent'"),
        (("path.0.loss", "path.0.loss"), "must be named once, but is named 2 times"),
        (("path.0.photons",), "path.0.photons: no box is known; .*must lie inside the domain"),
        ({"path.0.loss": (0.2, 1.2)}, r"path.0.loss: box \(0.2, 1.2\) must lie inside the domain \(0, 1\)"),
        ({"path.0.kappa": (-1 * MHz, MHz)}, r"path.0.kappa: box \(-1 MHz, 1 MHz\) must lie inside the domain"),
        ({"path.0.loss": (0.2, 0.2)}, "have its low end below its high end"),
        ({"path.0.kappa": (MHz, np.inf)}, "be finite"),
        ({"path.0.photons": (0.0, 1.0)}, "lower end excluded"),
        ({"path.0.photons": (np.nan, 1.0)}, "must lie inside the domain"),
    ],
)
def test_what_is_refused(free, says):
    with pytest.raises(ValueError, match=says):
        choose(free, MODEL)


def test_boxes_come_before_the_parameters_own():
    space = choose(("path.0.photons", "path.0.loss"), MODEL, boxes={"path.0.photons": (1.0, 2.0), "path.0.loss": None})
    assert (list(space.low), list(space.high)) == ([1.0, 0.0], [2.0, 1.0])
    with pytest.raises(ValueError, match="the nearest is"):
        choose(("path.0.loss",), MODEL, boxes={"path.0.lost": (0.0, 1.0)})
    with pytest.raises(ValueError, match="must be a scalar"):
        choose(("path.0.loss",), {"path": (Sheet(loss=np.array([0.1, 0.2])),)})


def test_a_model_is_checked_again():
    bad = parameters.replace(MODEL, {"path.0.loss": 1.5})
    with pytest.raises(ValueError, match=r"Sheet\.loss must be .*at most 1, but is 1\.5"):
        validate(bad)
    assert validate(MODEL) is MODEL


def test_domains_across_fields_are_checked_again():
    model = {"qubit": Qubit(t1=20 * us, t2=40 * us), "switch": Switch(insertion_loss=1.0, crosstalk=10.0)}
    assert validate(model) is model
    with pytest.raises(ValueError, match=r"Qubit\.t2 must be at most 2 t1 = 40 us, but is 40\.000004 us"):
        validate(parameters.replace(model, {"qubit.t2": 40.000004 * us}))
    with pytest.raises(ValueError, match=r"Switch\.crosstalk must leave eta \+ x at most 1"):
        validate(parameters.replace(model, {"switch.crosstalk": 1.0}))


def test_an_optimum_lies_inside_the_domains_across_fields():
    """More T2 is better up to 2 T1, less crosstalk distance up to eta + x = 1: the best points are on those edges."""
    qubit = maximise(lambda q: -q.dephasing_rate, Qubit(t1=20 * us, t2=10 * us), {"t2": (5 * us, 80 * us)}, starts=4, steps=60)
    assert 1 < float(qubit.model.t2) / (39 * us) <= 40 / 39 * (1 + 1e-12)
    switch = Switch(insertion_loss=1.0, crosstalk=20.0, neighbour_occupation=1.0)
    switch = maximise(lambda s: s.prepare().response(0.0).noise, switch, {"crosstalk": (1.0, 30.0)}, starts=4, steps=60).model
    assert 0.99 < 10**-0.1 + 10 ** (-float(switch.crosstalk) / 10) <= 1 + 1e-12
