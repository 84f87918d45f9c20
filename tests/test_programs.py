"""Compiled functions: the same program, by the same options of the compiler, whether programs are kept or not."""

import contextlib
import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transduce import programs, shelf
from transduce.programs import ONCE, QUICK, compiled, idle, kept, leading
from transduce.shelf import ahead

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


class Run:
    """A run of a command that compiles two functions of one file, as a process of its own would."""

    def __init__(self, folder):
        self.folder, self.traced = folder, []

    def __call__(self, file="file"):
        programs._loaded.clear()
        ahead(self.folder, file)

        def traced(name):
            def function(x):
                self.traced.append(name)
                return {name: wave(x)["wave"] * len(name)}

            return compiled(function, tag=name)

        with kept(self.folder, file):
            return [np.asarray(answer) for name in ("a", "bb") for answer in traced(name)(X).values()]


@pytest.fixture
def run(tmp_path):
    """A command whose programs are kept; nothing is loaded ahead once it is over."""
    yield Run(tmp_path)
    programs._loaded.clear()
    ahead(None, "")


def test_the_next_run_traces_nothing_and_loads_ahead_what_it_will_use(run):
    first = run()
    noted = {file.name for file in run.folder.glob("*.program")}
    (before,) = run.folder.glob("*.programs")
    again = run()
    assert run.traced == ["a", "bb"] and len(noted) == 2 and {file.name for file in run.folder.glob("*.program")} == noted
    assert shelf._ahead is not None and shelf._ahead._found == {}  # all were loaded, and taken
    assert set((shelf._read(before) or b"").decode().split()) == noted
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_a_program_of_the_last_run_that_is_gone_or_damaged_is_compiled_again(run):
    first = run()
    one, other = sorted(run.folder.glob("*.program"))
    one.unlink()
    other.write_bytes(other.read_bytes()[:-1])
    again = run()
    assert sorted(run.traced) == ["a", "a", "bb", "bb"]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_another_file_has_programs_of_its_own(run):
    run(), run("another")
    assert run.traced == ["a", "bb", "a", "bb"] and len([*run.folder.glob("*.programs")]) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_who_leads_is_traced_first(fails, tmp_path):
    """Others wait until its program has been traced or loaded, or until it is over."""
    order, said = [], threading.Event()

    def traced(name):
        def function(x):
            order.append(name)
            return {name: x + len(order)}

        return compiled(function, tag=f"{name} {fails}")

    def other():
        said.set()
        return traced("other")(X)

    def lead():
        said.wait()
        time.sleep(0.2)  # in which the other one could be traced
        assert order == []
        if fails:
            raise RuntimeError("before it has traced anything")
        traced("leader")(X)

    with kept(tmp_path, "key"), ThreadPoolExecutor(1) as pool:
        with contextlib.suppress(RuntimeError), leading():
            waits = pool.submit(contextvars.copy_context().run, other)
            lead()
        waits.result(timeout=60)
    assert order == ["other"] if fails else order == ["leader", "other"]


@pytest.mark.parametrize("fails", [False, True])
def test_what_can_wait_waits_until_nothing_is_traced(fails, tmp_path):
    """Nor waits to be: also where tracing fails."""
    order, begun, go_on = [], threading.Event(), threading.Event()

    def function(x):
        begun.set()
        go_on.wait(timeout=60)
        order.append("traced")
        if fails:
            raise RuntimeError("while it is traced")
        return {"x": x}

    def later():
        idle()
        order.append("later")

    idle()  # there is nothing to wait for
    with kept(tmp_path, "key"), ThreadPoolExecutor(2) as pool:
        program = pool.submit(contextvars.copy_context().run, compiled(function, tag=f"idle {fails}"), X)
        begun.wait(timeout=60)
        waits = pool.submit(later)
        time.sleep(0.2)
        assert order == []
        go_on.set()
        waits.result(timeout=60)
        with contextlib.suppress(RuntimeError):
            program.result(timeout=60)
    assert order == ["traced", "later"]


def test_who_leads_with_a_program_of_the_last_run_lets_the_others_go(tmp_path):
    with kept(tmp_path, "key"):
        own = compiled(wave, tag="own")
        own(X)
        programs._loaded.clear()
        with leading():
            own(X)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(contextvars.copy_context().run, compiled(wave, tag="another"), X).result(timeout=60)
