"""Parameters: what is refused and in which words, and the paths by which files, results and optimisers name them."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transduce import parameters
from transduce.parameters import AbstractRow, Parameter, Scalar, check, fields_of, get, replace, walk
from transduce.units import MHz, mK

KINDS = {
    "rate": "must be at least 0 Hz",
    "frequency": "must be above 0 Hz",
    "detuning": "must be a finite number",
    "event_rate": "must be at least 0 /s",
    "power": "must be at least 0 W",
    "temperature": "must be at least 0 K",
    "time": "must be a finite number",
    "duration": "must be above 0 s",
    "wait": "must be at least 0 s",
    "length": "must be at least 0 m",
    "loss": "must be at least 0 dB",
    "attenuation": "must be at least 0 dB/km",
    "dispersion": "must be a finite number",
    "conductance": "must be above 0",
    "angle": "must be at least 0 rad",
    "fraction": "must be at least 0 and at most 1",
    "number": "must be at least 0",
    "positive": "must be above 0",
    "count": "must be at least 1",
}
"""Kind of field -> what it demands, in words."""


class Part(eqx.Module):
    """A sheet with a field that may be absent and one that is no parameter."""

    kappa: Scalar = parameters.rate()
    temperature: Scalar | None = parameters.temperature(None)
    share: Scalar = parameters.fraction(0.5, box=(0.1, 0.9))
    model: str = eqx.field(static=True, default="full")

    def __check_init__(self):
        check(self)


class Row(AbstractRow):
    """Named parts in order."""

    names: tuple[str, ...] = eqx.field(static=True)
    parts: tuple[Part, ...]


class Whole(eqx.Module):
    """A part in a field of its own, beside a parameter."""

    part: Part
    pump: Scalar = parameters.power(1e-3)


def tree():
    """Dicts, tuples, rows and modules, one inside the other."""
    row = Row(names=("zeta", "alpha"), parts=(Part(kappa=3.0), Part(kappa=4.0, temperature=0.02)))
    return {"device": {"lab": Whole(Part(kappa=1.0))}, "pair": (Part(kappa=5.0), [Part(kappa=6.0)]), "path": row}


def one_field(kind: str) -> type:
    """A module with a single field x of the kind."""

    class Model(eqx.Module):
        x: Scalar = getattr(parameters, kind)()

        def __check_init__(self):
            check(self)

    return Model


# Domains


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [-1.0, 0.0, 0.5, 1.0, 2.0, math.nan, math.inf, -math.inf])
def test_each_kind_refuses_what_is_outside_and_takes_what_is_inside(kind, value):
    wanted, model = KINDS[kind], one_field(kind)
    low = -math.inf if "finite" in wanted else 1.0 if "least 1" in wanted else 0.0
    inside = math.isfinite(value) and (value > low if "above" in wanted else value >= low) and ("most" not in wanted or value <= 1)
    if inside:
        assert model(x=value).x == value
    else:
        with pytest.raises(ValueError) as refusal:
            model(x=value)
        assert str(refusal.value).startswith(f"Model.x {wanted}, but is ")


def test_the_table_names_every_kind():
    offered = {name for name, value in vars(parameters).items() if callable(value) and value.__qualname__ == "_declare.<locals>.declare"}
    assert offered == set(KINDS)


def test_the_message_in_full():
    with pytest.raises(ValueError) as refusal:
        Part(kappa=-1.5 * MHz)
    assert str(refusal.value) == "Part.kappa must be at least 0 Hz, but is -1.5 MHz"
    with pytest.raises(ValueError, match=r"^Part.temperature must be at least 0 K, but is -20 mK$"):
        Part(kappa=1.0, temperature=-20 * mK)


def test_a_refusal_does_not_contradict_itself():
    with pytest.raises(ValueError) as refusal:
        Part(kappa=1.0, share=1 + 1e-9)
    assert not str(refusal.value).endswith("but is 1")


def test_one_bad_value_of_an_array_is_enough():
    assert Part(kappa=np.array([1.0, 2.0])).kappa.shape == (2,)
    with pytest.raises(ValueError, match=r"Part.kappa must be at least 0 Hz"):
        Part(kappa=np.array([1.0, -2.0]))


def test_what_is_traced_is_not_judged():
    assert jax.jit(lambda kappa: Part(kappa=kappa).kappa)(-1.0) == -1.0
    assert np.array_equal(jax.vmap(lambda kappa: Part(kappa=kappa).kappa)(jnp.array([-1.0, 1.0])), [-1.0, 1.0])


@pytest.mark.parametrize("box", [(-0.1, 0.5), (0.5, 1.5), (0.7, 0.7), (0.8, 0.2), (math.nan, 0.5), (0.1, math.nan)])
def test_the_box_lies_inside_the_domain(box):
    with pytest.raises(ValueError, match=r"the box .* must lie inside the domain"):
        parameters.fraction(box=box)


def test_the_box_respects_an_open_end():
    assert Parameter("rate", (0.0, math.inf), box=(1.0, 2.0), open_below=True).box == (1.0, 2.0)
    assert Parameter("rate", (0.0, math.inf), box=(0.0, 2.0)).box == (0.0, 2.0)
    with pytest.raises(ValueError, match=r"the box .* must lie inside the domain"):
        Parameter("rate", (0.0, math.inf), box=(0.0, 2.0), open_below=True)


# Fields


@pytest.mark.parametrize("value", [1, 1.0, True, np.float32(1), np.array(1), jnp.array(1, jnp.int32)])
def test_every_field_is_a_float64_array(value):
    part = Part(kappa=value)
    for one in (part.kappa, part.share):
        assert isinstance(one, jax.Array)
        assert one.dtype == np.float64 and one.shape == ()
    assert part.temperature is None


def test_a_new_value_does_not_compile_again():
    compiled = []

    @jax.jit
    def double(part):
        compiled.append(1)
        return 2 * part.kappa * part.share

    assert [double(Part(kappa=value)) for value in (1.0, 2, np.float64(3.0))] == [1.0, 2.0, 3.0]
    assert len(compiled) == 1
    gradient = jax.grad(double)(Part(kappa=3.0))
    assert (gradient.kappa, gradient.share) == (1.0, 6.0)


@pytest.mark.parametrize("value", ["x", 1j, object()])
def test_what_is_no_number_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        Part(kappa=value)


def test_fields_of():
    assert list(fields_of(Part)) == list(fields_of(Part(kappa=1.0))) == ["kappa", "temperature", "share"]
    assert fields_of(Part)["share"] == Parameter("number", (0.0, 1.0), box=(0.1, 0.9))
    assert fields_of(Row) == {}


def test_single_precision_is_refused(fresh_python):
    code = "import transduce.parameters as p, jax\nclass A(p.eqx.Module):\n    x: p.Scalar = p.rate()\nprint(A(x=1).x.dtype)"
    refused = fresh_python(code, JAX_ENABLE_X64="0")
    assert refused.returncode != 0
    assert refused.stderr.splitlines()[-1].startswith("RuntimeError: transduce computes in float64: unset JAX_ENABLE_X64")
    for environment in ({}, {"JAX_ENABLE_X64": "1"}):
        assert fresh_python(code, **environment).stdout == "float64\n"


# Paths

PATHS = {
    "device.lab.part.kappa": 1.0,
    "device.lab.part.share": 0.5,
    "device.lab.pump": 1e-3,
    "pair.0.kappa": 5.0,
    "pair.0.share": 0.5,
    "pair.1.0.kappa": 6.0,
    "pair.1.0.share": 0.5,
    "path.zeta.kappa": 3.0,
    "path.zeta.share": 0.5,
    "path.alpha.kappa": 4.0,
    "path.alpha.temperature": 0.02,
    "path.alpha.share": 0.5,
}


def test_walk_names_every_parameter_in_order():
    found = [(path, float(value)) for path, _, value in walk(tree())]
    assert found == list(PATHS.items())
    assert {path: parameter.dimension for path, parameter, _ in walk(tree())}["device.lab.pump"] == "power"
    assert [path for path, _, _ in walk(Part(kappa=1.0), "node.a.")] == ["node.a.kappa", "node.a.share"]


def test_get_reads_the_paths_of_walk():
    assert {path: float(get(tree(), path)) for path in PATHS} == PATHS
    assert get(tree(), "path.zeta.temperature") is None
    assert get(tree(), "path.alpha").kappa == 4.0
    assert get(tree(), "device.lab.part.model") == "full"


@pytest.mark.parametrize("path", ["device.other.pump", "device.lab.pomp", "pair.2.kappa", "path.beta.kappa", "pair.0.kappa.x", ""])
def test_a_path_that_is_not_there(path):
    with pytest.raises(KeyError):
        get(tree(), path)
    with pytest.raises(KeyError):
        replace(tree(), {path: 1.0})


@pytest.mark.parametrize("path", PATHS)
def test_replace_changes_one_and_only_one(path):
    before = tree()
    after = replace(before, {path: 7})
    assert {name: float(value) for name, _, value in walk(after)} == PATHS | {path: 7.0}
    assert get(after, path).dtype == np.float64
    assert {name: float(value) for name, _, value in walk(before)} == PATHS
    assert str(jax.tree.structure(after)) == str(jax.tree.structure(before))


def test_replace_several_and_what_is_absent():
    after = replace(tree(), {"path.zeta.temperature": 0.01, "path.alpha.temperature": None, "pair.0.kappa": -1.0})
    assert get(after, "path.zeta.temperature") == 0.01
    assert get(after, "path.alpha.temperature") is None
    assert get(after, "pair.0.kappa") == -1.0  # an optimiser projects; the front door judges
    with pytest.raises(ValueError, match=r"Part.kappa"):
        check(get(after, "pair.0"))


def test_one_array_in_two_places_is_two_parameters():
    shared = jnp.asarray(2.0)
    after = replace((Part(kappa=shared), Part(kappa=shared)), {"1.kappa": 3.0})
    assert (after[0].kappa, after[1].kappa) == (2.0, 3.0)


def test_replace_is_differentiable():
    def objective(value):
        model = replace(tree(), {"path.alpha.kappa": value})
        return get(model, "path.alpha.kappa") ** 2 + get(model, "path.zeta.kappa")

    assert jax.jit(jax.grad(objective))(3.0) == 6.0
