"""Sweeps: against vmap and a loop, named axes, draws that know no chunk, bounded memory, resuming, devices, single precision.

The physics is a cooperativity of closed form, 4C/(1+C)^2 with C = P g / (kappa gamma), whose derivatives are known, and NaN below a gain.
"""

import importlib.util
import json
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import transduce as td
from transduce import parameters
from transduce.design import chunks
from transduce.design.axes import designs
from transduce.design.sweep import prepare
from transduce.linear.system import Port
from transduce.units import MHz

from .. import ALGEBRA, CLOSED_FORM, GRADIENT


class Sheet(eqx.Module):
    power: Array = parameters.power(0.5, box=(1e-3, 10.0))
    kappa: Array = parameters.rate(2 * MHz, box=(1 * MHz, 50 * MHz))
    loss: Array = parameters.fraction(0.25, box=(0.0, 1.0))


MODEL = {"device": {"lab": Sheet()}, "path": Sheet(kappa=3 * MHz)}
POWER, KAPPA, LOSS = "device.lab.power", "device.lab.kappa", "path.loss"
AXES = {POWER: np.geomspace(0.01, 5.0, 7), KAPPA: np.linspace(1, 9, 5) * MHz, LOSS: np.linspace(0.0, 1.0, 3)}


def figures(model):
    lab = model["device"]["lab"]
    cooperativity = lab.power * (4 * MHz) / lab.kappa
    efficiency = (1 - model["path"].loss) * 4 * cooperativity / (1 + cooperativity) ** 2
    return {"efficiency": efficiency, "gain": jnp.where(cooperativity < 8, jnp.sin(lab.kappa / MHz), jnp.nan)}


def by_hand():
    power, kappa, loss = np.meshgrid(*AXES.values(), indexing="ij")
    c = power * 4 * MHz / kappa
    slope = (1 - loss) * 4 * (1 - c) / (1 + c) ** 3
    efficiency = (1 - loss) * 4 * c / (1 + c) ** 2
    gradient = {POWER: slope * c / power, KAPPA: -slope * c / kappa, LOSS: -4 * c / (1 + c) ** 2}
    return efficiency, gradient, c < 8


def same(one, other):
    return all(
        np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
        for a, b in zip(jax.tree.leaves((one.figures, one.gradients)), jax.tree.leaves((other.figures, other.gradients)), strict=True)
    ) and np.array_equal(one.stable, other.stable)


def test_a_grid_is_the_closed_form_with_gradients_and_nan_is_counted():
    swept = td.sweep(figures, MODEL, AXES, gradients=(POWER, KAPPA, LOSS), chunk=16)
    efficiency, gradient, stable = by_hand()
    np.testing.assert_allclose(swept["efficiency"], efficiency, rtol=ALGEBRA)
    for path, wanted in gradient.items():
        np.testing.assert_allclose(swept.gradients["efficiency"][path], wanted, rtol=ALGEBRA, atol=1e-15 * np.abs(wanted).max())
    assert swept["efficiency"].shape == (7, 5, 3) == swept.stable.shape
    assert np.array_equal(swept.stable, stable)
    assert 0 < swept.unstable == np.count_nonzero(~stable)
    assert np.all(np.isnan(swept.gradients["gain"][KAPPA]) == ~stable)
    assert list(swept.axes) == list(AXES)
    assert np.array_equal(swept.axes[KAPPA][KAPPA], AXES[KAPPA])


def test_the_bits_are_those_of_vmap_and_the_numbers_those_of_a_loop():
    swept = td.sweep(figures, MODEL, AXES, chunk=8)
    every = designs(AXES, MODEL).at(np.arange(105))

    def one(row):
        return figures(parameters.replace(MODEL, dict(zip(AXES, jnp.unstack(row), strict=True))))

    plain = jax.jit(jax.vmap(one))
    for start in range(0, 105, 8):
        index = start + np.arange(8)
        rows = every[np.where(index < 105, index, start)]
        for name, value in plain(rows).items():
            assert np.array_equal(value[: 105 - start], swept[name].ravel()[start : start + 8], equal_nan=True)
    for place in (0, 52, 104):
        for name, value in one(jnp.asarray(every[place])).items():
            np.testing.assert_allclose(swept[name].ravel()[place], value, rtol=1e-13)


def test_one_program_whatever_the_last_chunk_holds():
    traced = []

    def counting(model):
        traced.append(1)
        return model["device"]["lab"].power

    swept = td.sweep(counting, MODEL, {POWER: np.linspace(0.1, 1.0, 21)}, chunk=8)
    assert len(traced) == 1
    assert np.array_equal(swept["value"], np.linspace(0.1, 1.0, 21))


def test_parameters_that_vary_together_and_a_gradient_of_one_that_does_not():
    powers, kappas = np.linspace(0.1, 1.0, 4), np.linspace(1, 4, 4) * MHz
    pair = td.sweep(figures, MODEL, {(POWER, KAPPA): (powers, kappas), LOSS: [0.0, 0.5]}, gradients=lambda m: m["path"].loss)
    named = td.sweep(figures, MODEL, {"both": {POWER: powers, KAPPA: kappas}, LOSS: [0.0, 0.5]}, gradients=LOSS)
    assert same(pair, named) and list(named.axes) == ["both", LOSS] and list(pair.axes) == [f"{POWER}+{KAPPA}", LOSS]
    c = powers * 4 * MHz / kappas
    np.testing.assert_allclose(named["efficiency"][:, 1], 2 * c / (1 + c) ** 2, rtol=ALGEBRA)
    alone = td.sweep(figures, MODEL, {POWER: powers}, gradients=LOSS)
    c = powers * 4 * MHz / (2 * MHz)
    np.testing.assert_allclose(alone.gradients["efficiency"][LOSS], -4 * c / (1 + c) ** 2, rtol=ALGEBRA)


def test_random_designs_hang_on_their_number_alone():
    sample = td.Sample(1000, 7, {POWER: None, LOSS: (0.0, 0.5)})
    every = designs(sample, MODEL).at(np.arange(1000))
    few = designs(td.Sample(10, 7, sample.boxes), MODEL).at(np.arange(10))
    assert np.array_equal(few, every[:10])
    for index in ([999], [3, 1, 2], range(500, 533)):
        assert np.array_equal(designs(sample, MODEL).at(np.array(index)), every[np.array(index)])
    grid = designs({"draw": sample, KAPPA: [1 * MHz, 2 * MHz]}, MODEL).at(np.array([7, 14]))
    assert np.array_equal(grid[:, :2], every[[3, 7]]) and np.array_equal(grid[:, 2], [2 * MHz, 1 * MHz])
    uniform = np.stack([np.log(every[:, 0] / 1e-3) / np.log(1e4), 2 * every[:, 1]])
    assert uniform.min() >= 0 and uniform.max() <= 1
    # the mean of 1000 draws is off by 1/sqrt(12000) = 0.009; five of these
    np.testing.assert_allclose(uniform.mean(axis=1), 0.5, atol=0.046)
    assert abs(np.corrcoef(uniform)[0, 1]) < 0.16
    assert not np.array_equal(designs(td.Sample(10, 8, sample.boxes), MODEL).at(np.arange(10)), few)
    by_chunk = [td.sweep(figures, MODEL, sample, chunk=chunk) for chunk in (8, 64)]
    np.testing.assert_allclose(by_chunk[0]["efficiency"], by_chunk[1]["efficiency"], rtol=1e-13)


@pytest.mark.parametrize(
    ("axes", "more", "words"),
    [
        ({"device.lab.powr": [1.0]}, {}, "the nearest is device.lab.power"),
        ({POWER: [-1.0]}, {}, "device.lab.power must be at least 0 W, but is -1 W"),
        ({POWER: [np.nan]}, {}, "device.lab.power must be"),
        ({POWER: []}, {}, "must be a row of numbers"),
        ({(POWER, KAPPA): ([1.0], [1.0, 2.0])}, {}, "as many values each"),
        ({(POWER, KAPPA): ([1.0],)}, {}, "a row of values for each"),
        ({"a": {POWER: [1.0]}, POWER: [1.0]}, {}, "named 2 times"),
        ({}, {}, "at least one"),
        ({POWER: [1.0]}, {"gradients": "device.lab.loess"}, "the nearest is"),
        ({POWER: [1.0]}, {"chunk": 12}, "power of two"),
        ({POWER: [1.0]}, {"precision": "half"}, "must be"),
        ({POWER: [1.0]}, {"memory": 100}, "memory"),
        ({"draw": td.Sample(2, 0, {POWER: (-1.0, 1.0)})}, {}, "must lie inside the domain"),
    ],
)
def test_what_is_refused(axes, more, words):
    with pytest.raises(ValueError, match=words):
        td.sweep(figures, MODEL, axes, **more)


def test_an_unstable_system_is_counted_and_its_gradient_is_no_number():
    """Two modes squeezed at x: stable while 4 x^2 < kappa gamma, and then |S(0)| = (1 + C)/(1 - C) with C = 4 x^2/(kappa gamma)."""

    def gain(sheet):
        ports = {"e": Port("e", sheet.kappa, jnp.zeros(())), "o": Port("o", jnp.asarray(1 * MHz), jnp.zeros(()))}
        zero, strength = jnp.zeros(()), jnp.sqrt(sheet.power) * MHz
        system = td.LinearSystem.build({"e": zero, "o": zero}, ports, squeezing={("e", "o"): strength})
        return jnp.abs(system.row("e", zero).normal[0])

    power, kappa = np.linspace(0.05, 1.0, 6), np.array([1.5, 3.3]) * MHz
    swept = td.sweep(gain, Sheet(), {"power": power, "kappa": kappa}, gradients="power")
    c = 4 * power[:, None] / (kappa / MHz)
    assert np.array_equal(swept.stable, c < 1) and 0 < swept.unstable < 12
    np.testing.assert_allclose(swept["value"][c < 1], ((1 + c) / (1 - c))[c < 1], rtol=CLOSED_FORM)
    slope = (2 / (1 - c) ** 2 * c / power[:, None])[c < 1]
    np.testing.assert_allclose(swept.gradients["value"]["power"][c < 1], slope, rtol=GRADIENT)
    assert np.all(np.isnan(swept.gradients["value"]["power"][c > 1]))


def test_figures_are_real_scalars():
    for bad in (lambda m: jnp.ones(3), lambda m: 1j * m["path"].loss, lambda m: {"n": 3}):
        with pytest.raises(ValueError, match="must return real scalars"):
            td.sweep(bad, MODEL, {LOSS: [0.5]})


def test_the_best_is_the_first_and_never_nan():
    swept = td.sweep(figures, MODEL, AXES)
    best, worst = swept.best("efficiency"), swept.best("efficiency", lowest=True)
    assert best.figures["efficiency"] == np.max(swept["efficiency"])
    assert best.place == np.unravel_index(np.argmax(swept["efficiency"]), (7, 5, 3))
    assert worst.place == (0, 0, 2)  # no light at all, in many designs
    assert float(parameters.get(best.model, POWER)) == best.parameters[POWER]
    with pytest.raises(ValueError, match="NaN in all"):
        td.sweep(lambda m: m["path"].loss * jnp.nan, MODEL, {LOSS: [0.5]}).best("value")
    assert "105 designs" in str(swept) and "unstable" in str(swept)


def heavy(model):
    """A working set of some 800 bytes times the number of frequencies."""
    detuning = jnp.linspace(-1.0, 1.0, 2000)
    return jnp.max(jnp.sort(model["device"]["lab"].power / (1 + detuning**2 * (model["path"].loss + 0.5))))


def test_the_chunk_fits_the_memory_and_does_not_hang_on_the_devices():
    sizes = []
    for memory in (3 * 2**20, 12 * 2**20, 2**30):
        program = prepare(heavy, MODEL, {POWER: np.linspace(0.1, 1, 100000)}, memory=memory).program
        assert program.working <= memory / 2 and program.working <= chunks.CACHE
        told = program.runs[0].memory_analysis()
        assert told is not None
        assert told.temp_size_in_bytes + told.output_size_in_bytes <= program.working
        sizes.append(program.chunk)
    assert sizes[0] < sizes[1] <= sizes[2]
    assert 4 * program.working > chunks.CACHE  # the largest power of two


def test_results_that_do_not_fit_ask_for_a_folder(tmp_path):
    axes = {POWER: np.linspace(0.1, 1, 100000)}
    with pytest.raises(ValueError, match="give folder="):
        td.sweep(figures, MODEL, axes, memory=10**6)
    swept = td.sweep(figures, MODEL, axes, memory=10**6, folder=tmp_path)
    assert isinstance(swept["gain"].base, np.memmap) or isinstance(swept["gain"], np.memmap)
    assert same(swept, td.sweep(figures, MODEL, axes, chunk=swept.chunk))
    assert np.array_equal(np.load(tmp_path / "figures" / "gain.npy"), swept["gain"], equal_nan=True)


def test_an_estimate_and_progress():
    asked = prepare(heavy, MODEL, {POWER: np.linspace(0.1, 1, 4000)}, gradients=POWER, chunk=64)
    told, seen = asked.estimate(), []
    begun = time.perf_counter()
    asked.run(lambda *report: seen.append(report))
    took = time.perf_counter() - begun
    assert (told.designs, told.chunk, told.bytes_results) == (4000, 64, 4000 * 17)
    assert told.bytes_working >= asked.program.working
    assert took / 10 < told.seconds < took * 10  # a machine that others use
    assert [done for done, *_ in seen] == [min(64 * n, 4000) for n in range(1, 64)] and seen[-1][3] == 0.0
    assert all(total == 4000 and rate > 0 for _, total, rate, _ in seen)


class Cut(Exception):
    pass


def cut_after(calls):
    def progress(done, total, rate, left):
        if done >= 8 * calls:
            raise Cut

    return progress


@pytest.mark.parametrize("calls", [1, 5, 13])
def test_a_sweep_that_was_cut_goes_on_to_the_same_bits(tmp_path, calls):
    whole = td.sweep(figures, MODEL, AXES, gradients=POWER, chunk=8)
    with pytest.raises(Cut):
        td.sweep(figures, MODEL, AXES, gradients=POWER, chunk=8, folder=tmp_path, progress=cut_after(calls))
    seen = []
    swept = td.sweep(figures, MODEL, AXES, gradients=POWER, folder=tmp_path, progress=lambda done, *_: seen.append(done))
    assert same(swept, whole) and swept.chunk == 8
    assert min(seen) > 8 * calls  # nothing done was done again
    seen.clear()
    again = td.sweep(figures, MODEL, AXES, gradients=POWER, folder=tmp_path, progress=lambda done, *_: seen.append(done))
    assert same(again, whole) and not seen


def test_what_is_damaged_in_the_files_is_computed_again(tmp_path):
    whole = td.sweep(figures, MODEL, AXES, chunk=8, folder=tmp_path)
    kept = np.array(whole["efficiency"])
    with open(tmp_path / "figures" / "efficiency.npy", "r+b") as file:
        file.seek(128 + 8 * 30)
        file.write(bytes(8))
    seen = []
    again = td.sweep(figures, MODEL, AXES, chunk=8, folder=tmp_path, progress=lambda done, *_: seen.append(done))
    assert np.array_equal(again["efficiency"], kept) and len(seen) == 1
    (tmp_path / "request.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        td.sweep(figures, MODEL, AXES, folder=tmp_path)


def test_another_sweep_in_the_folder_is_refused(tmp_path):
    td.sweep(figures, MODEL, AXES, chunk=8, folder=tmp_path)
    before = (tmp_path / "request.json").read_bytes()
    assert json.loads(before)["chunk"] == 8
    others = (
        {"axes": {**AXES, LOSS: [0.0, 0.5, 0.9]}},
        {"axes": {POWER: [1.0]}},
        {"model": {**MODEL, "path": Sheet(kappa=4 * MHz)}},
        {"function": lambda m: {name: 2 * value for name, value in figures(m).items()}},
        {"function": lambda m: {"efficiency": figures(m)["efficiency"]}},
        {"gradients": POWER},
        {"chunk": 16},
    )
    for other in others:
        asked = {"function": figures, "model": MODEL, "axes": AXES, "gradients": (), "chunk": None} | other
        with pytest.raises(ValueError, match="holds another sweep"):
            td.sweep(**asked, folder=tmp_path)
    assert (tmp_path / "request.json").read_bytes() == before


def test_single_precision_is_checked_and_says_its_error():
    asked = {"gradients": (POWER, KAPPA), "precision": "single"}
    swept = td.sweep(figures, MODEL, {**AXES, KAPPA: [1 * MHz, 2 * MHz]}, **asked)
    exact = td.sweep(figures, MODEL, {**AXES, KAPPA: [1 * MHz, 2 * MHz]}, gradients=(POWER, KAPPA))
    assert swept["efficiency"].dtype == swept.gradients["gain"][KAPPA].dtype == np.float32
    np.testing.assert_allclose(swept["efficiency"], exact["efficiency"], rtol=2 * swept.single_error)
    assert 0 < swept.single_error < 1e-4 and exact.single_error is None
    assert jax.config.read("jax_enable_x64")
    with pytest.raises(ValueError, match=r"must be at most 1\.0e-04, but is"):
        td.sweep(lambda m: jnp.sin(1e6 * m["device"]["lab"].power), MODEL, {POWER: AXES[POWER]}, precision="single")


def test_xarray_or_how_to_get_it():
    swept = td.sweep(figures, MODEL, {(POWER, KAPPA): ([0.1, 0.2], [1 * MHz, 2 * MHz]), LOSS: [0.0, 0.5, 0.7]}, gradients=LOSS)
    if importlib.util.find_spec("xarray") is None:
        with pytest.raises(ModuleNotFoundError, match=r"transduce\[data\]"):
            swept.to_xarray()
        return
    data = swept.to_xarray()
    assert data["efficiency"].dims == (f"{POWER}+{KAPPA}", LOSS)
    assert np.array_equal(data[f"d efficiency / d {LOSS}"], swept.gradients["efficiency"][LOSS])
    assert data[KAPPA].attrs["units"] == "rad/s" and np.array_equal(data[LOSS], [0.0, 0.5, 0.7])
