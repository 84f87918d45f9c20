"""Compiled functions: the same program, by the same options of the compiler, whether programs are kept or not."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transduce.programs import ONCE, QUICK, compiled, kept

X = np.random.default_rng(0).random(100)


def wave(x):
    """Its last bits hang on how the compiler contracts products and sums."""
    return {"wave": (x * 1.1 + x * x * 0.3) * x + jnp.cos(x) * x}


@pytest.fixture(params=["kept", "not kept"])
def place(request, tmp_path):
    """Where programs are kept, or not."""
    with kept(tmp_path, "key") if request.param == "kept" else contextlib.nullcontext():
        yield


@pytest.mark.parametrize("options", [None, ONCE, QUICK])
def test_the_bits_are_those_of_the_options(place, options):
    wanted = np.asarray(jax.jit(wave, compiler_options=options)(X)["wave"])
    assert np.array_equal(np.asarray(compiled(wave, tag=str(options), options=options)(X)["wave"]), wanted)


def test_options_reach_the_compiler(place):
    """One that XLA does not know is left out, with all others; one with a wrong value is refused."""
    unknown = compiled(wave, options={"xla_of_the_past": True, **ONCE})(X)["wave"]
    np.testing.assert_allclose(unknown, wave(X)["wave"], rtol=1e-14)
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_backend_optimization_level"):
        compiled(wave, tag="wrong", options={"xla_backend_optimization_level": "much"})(X)
