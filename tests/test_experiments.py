"""The committed figures are what the code computes today: each experiment, in a reduced form, against the JSON beside its figure.

The JSON has nine digits: ``STORED`` is what they leave. The witness of e02 finds the edge of a clock on a grid, to 1e-6 of a fidelity.
"""

import importlib
import json
import pathlib

import jax
import numpy as np
import pytest

import transduce as td
from experiments import e01_jiang_2023 as e01
from experiments import e02_bundled_connection as e02
from experiments import e03_reach as e03
from experiments import e09_best_protocol as e09
from experiments import e10_ibm_target as e10
from experiments import e11_clocks as e11
from experiments import e12_two_cryostats as e12
from transduce import parameters
from transduce.gaussian.channel import ModeChannel
from transduce.qubit.detector import Detector
from transduce.qubit.distillation import epl
from transduce.qubit.entanglement import coherent_information
from transduce.qubit.heralding import SEPARABLE_NOISE, best_excitation, one_click_weak_best
from transduce.study import aims, config, source

ROOT = pathlib.Path(__file__).parent.parent
NAMES = sorted(path.stem for path in (ROOT / "experiments").glob("e*.py"))
STORED, CLOCK, ASKED = 1e-8, 1e-6, 1e-4


def stored(name: str) -> dict:
    return json.loads((ROOT / "figures" / f"{name}.json").read_text(encoding="utf-8"))


def assert_same(now: dict, then: dict, rtol: float = STORED) -> None:
    """All numbers of one tree are those of another."""
    assert str(jax.tree.structure(now)) == str(jax.tree.structure(then))
    for one, other in zip(jax.tree.leaves(now), jax.tree.leaves(then), strict=True):
        assert one == other if isinstance(one, str) else np.isclose(one, other, rtol=rtol, atol=1e-300), (one, other)


def thinned(curve: dict[str, list], step: int) -> dict[str, list]:
    return {name: values[::step] if isinstance(values, list) else values for name, values in curve.items()}


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_says_what_it_asks_and_draws_its_figure(name, tmp_path):
    module = importlib.import_module(f"experiments.{name}")
    first, *rest = (module.__doc__ or "").strip().splitlines()
    assert first.endswith("?") and "Expected" in "\n".join(rest) and "Source" in "\n".join(rest)
    assert module.FIGURE.stem == name and module.FIGURE.is_file()
    module.draw(stored(name), tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 20_000


def test_jiang_2023_against_its_reported_numbers():
    numbers, now = stored("e01_jiang_2023"), e01.compute(points=5)
    assert_same(now["table"], numbers["table"])
    assert_same(now["spectrum"], thinned(numbers["spectrum"], 60))
    assert_same(now["power"], thinned(numbers["power"], 60))
    judged = {row["name"]: row for row in now["table"] if row["tolerance"] is not None}
    assert {name: row["tolerance"] for name, row in judged.items()} == {
        **{"pump photons at 4.4 uW": 0.02, "pump photons at 10.2 uW": 0.02, "optomechanical rate": 0.02},
        **{"phonons to microwaves, pump off": 0.02, "bandwidth": 0.08, "efficiency": 0.2},
    }
    assert all(row["within"] for row in judged.values())
    unexplained = {row["name"]: row["relative_deviation"] for row in now["table"] if row["tolerance"] is None}
    assert len(unexplained) == 3 and all(abs(off) > 0.4 for off in unexplained.values())


def test_phonons_to_microwaves_in_closed_form():
    """kappa_ext R/((kappa + gamma)(R + kappa gamma)), R = 4g^2/(1 + (2d/(kappa + gamma))^2): the sheet's d = 0.2 MHz costs 1 %."""
    g, gamma, kappa_ext, kappa = 0.424, 0.36, 3.04, 3.06
    resonant = kappa_ext * 4 * g**2 / ((kappa + gamma) * (4 * g**2 + kappa * gamma))
    detuned = e01.phonons_to_microwave()
    rate = 4 * g**2 / (1 + (2 * 0.2 / (kappa + gamma)) ** 2)
    assert detuned == pytest.approx(kappa_ext * rate / ((kappa + gamma) * (rate + kappa * gamma)), rel=1e-9)
    assert 0 < 1 - detuned / resonant < 0.012


def test_the_bundled_connection_is_the_one_that_is_bundled():
    setting = config.load(source.read(None))
    aim = aims.load(setting)
    theirs = setting.assemble(setting.parts)
    ours = e02.transfer(), e02.connect(td.device("sahu-2022", pump_power=0.1))
    assert str(jax.tree.structure(theirs)) == str(jax.tree.structure(ours))
    for one, other in zip(jax.tree.leaves(theirs), jax.tree.leaves(ours), strict=True):
        assert float(one) == pytest.approx(float(other), rel=1e-15)
    assert {path.removeprefix("device.lab."): box for path, box in aim.free.items()} == e02.FREE
    assert aim.bounds == e02.BOUNDS
    assert aim.objective == "average_fidelity_heralded"


def test_the_bundled_connection_before_and_after():
    numbers = stored("e02_bundled_connection")
    for name in ("before", "after"):
        device = td.device("sahu-2022", **numbers[name]["design"])
        now = e02.figures(device) | {"curves": e02.curves(device, points=5)}
        assert_same(now, numbers[name] | {"curves": thinned(numbers[name]["curves"], 60)}, 1e-6)  # of differences of fidelities
        assert_same(e02.witness(**e02.design(device)), {key: now[key] for key in e02.FIGURES}, CLOCK)
    before, after, evolved = (numbers[name] for name in ("before", "after", "evolved"))
    known = dict(zip(e02.FIGURES, (0.004531, 9.346e6, 13.853, 0.5162, 0.107), strict=True))
    assert {name: before[name] for name in known} == pytest.approx(known, rel=2e-3)
    known = dict(zip(e02.FIGURES, (0.4, 10e6, 0.00741, 0.9904, 0.392), strict=True))
    assert {name: after[name] for name in known} == pytest.approx(known, rel=1e-3)
    assert evolved["average_fidelity_heralded"] == pytest.approx(after["average_fidelity_heralded"], abs=ASKED)
    assert [stage["name"] for stage in after["stages"]] == ["emit", "up", "fibre", "switch", "down", "absorb"]


def test_a_short_climb_finds_the_stored_optimum():
    numbers = stored("e02_bundled_connection")["after"]
    found = e02.optimise(starts=2, steps=50)
    assert found.value == pytest.approx(numbers["average_fidelity_heralded"], abs=ASKED)
    assert all(row.met for row in found.targets)
    assert e02.design(found.model) == pytest.approx(numbers["design"], rel=1e-3)


@pytest.mark.slow
def test_differential_evolution_finds_the_stored_optimum():
    """By hand, with another seed than the stored one."""
    numbers = stored("e02_bundled_connection")
    found = e02.evolve(seed=2)
    assert found["average_fidelity_heralded"] == pytest.approx(numbers["after"]["average_fidelity_heralded"], abs=ASKED)
    assert found["design"] == pytest.approx(numbers["after"]["design"], rel=1e-2)


def test_reach():
    numbers, connection = stored("e03_reach"), stored("e02_bundled_connection")
    lengths = np.array(numbers["length_m"])
    for name, device in e03.designs().items():
        curve = numbers[name]
        fidelity, success = e03.reach(device, lengths[::25])
        np.testing.assert_allclose(fidelity, curve["average_fidelity_heralded"][::25], rtol=STORED)
        np.testing.assert_allclose(success, curve["success_probability"][::25], rtol=STORED)
    crossings = [e03.crossing(lengths, np.array(numbers[name]["average_fidelity_heralded"])) for name in ("published", "optimised")]
    assert crossings == [None, pytest.approx(numbers["optimised"]["classical_at_m"], rel=1e-6)]
    assert numbers["published"]["classical_at_m"] is None
    assert max(numbers["published"]["average_fidelity_heralded"]) < e03.CLASSICAL
    shares = {stage["name"]: stage["noise_input"] for stage in connection["after"]["stages"]}
    expected = 1e3 + 50e3 * np.log10((1 - shares["up"]) / shares["down"])  # where the noise at the input, fibre's loss included, is 1
    assert numbers["optimised"]["classical_at_m"] == pytest.approx(expected, abs=1.5e3)


def test_ibm_target_against_closed_forms_and_differences():
    """A weak link's best excitation; EPL with perfect memories leaves the state of two clicks; what a factor is worth, by differences."""
    numbers = stored("e10_ibm_target")
    x, curve = np.array(numbers["improvement"])[40:90:12], numbers["ways"]["EPL, 2 to 1"]
    now = e10.sweep(e10.WAYS["EPL, 2 to 1"][0], x)
    for name in ("excitation", "fidelity", "rate"):
        np.testing.assert_allclose(now[name], curve[name][40:90:12], rtol=STORED)
    start, one = np.array(numbers["improvement"][0]), numbers["ways"]["one click"]
    assert one["excitation"][0] == pytest.approx(float(best_excitation(e10.NOISE / start)), rel=1e-3)
    assert one["fidelity"][0] == pytest.approx(float(one_click_weak_best(e10.NOISE / start)), rel=1e-3)
    factors, step = np.array([300.0, 200.0, 50.0]), 1e-4 * np.eye(3)
    perfect = jax.jit(e10.distilled(2, None))
    for excitation in (0.01, 0.4):
        assert perfect(factors, excitation)[0] == pytest.approx(float(e10.two(factors, None)[0]), rel=1e-12)

    @jax.jit
    @jax.vmap
    def losses(logs, excitation):
        distilled = e10.distilled(2, e10.MEMORY)
        return jax.vmap(lambda one: jax.numpy.log(1 - distilled(jax.numpy.exp(one), excitation)[0]))(logs)

    many = losses(np.log(x)[:, None, None] + np.concatenate([step, -step]), np.array(now["excitation"]))
    np.testing.assert_allclose(-(many[:, :3] - many[:, 3:]).T / 2e-4, np.array(now["elasticity"]), rtol=1e-6, atol=1e-9)
    assert [row["within"] for row in numbers["table"]] == [True, *[None] * 6]
    assert numbers["table"][-1]["ours"] == pytest.approx(e10.THRESHOLDS["efficiency 0.3, noise shared"][3], abs=5e-4)


def test_clocks():
    numbers = stored("e11_clocks")
    assert all(row["within"] for row in numbers["table"])
    widths = e11.Hz * np.array(numbers["bandwidth_fwhm_hz"][::6])
    found = numbers["needed_s"]["two clicks"]
    np.testing.assert_allclose(e11.needed("two clicks", "timing_jitter", widths), np.array(found["envelope"])[:, ::6], rtol=STORED)
    error, line = np.array(numbers["clock_error_s"][::40]), np.array(numbers["linewidth_hz"][::40])
    now = e11.phases(e11.fidelity("two clicks", "gaussian"), error, line * e11.Hz)
    assert_same(now, thinned(numbers["phases"]["two clicks"], 40))
    slow, fast = numbers["phases"]["one click"], numbers["phases"]["two clicks"]
    assert np.all(np.array(fast["fibre"]) >= slow["fibre"]) and np.all(np.array(fast["carrier"]) <= np.array(slow["carrier"]) + 1e-10)
    decaying = numbers["shapes"]["two clicks"]["decaying"]
    lost = 1 - np.interp(np.log(numbers["jitter_bandwidth_marks"]), np.log(numbers["jitter_bandwidth"]), decaying["closed"])
    np.testing.assert_allclose(1 - np.array(decaying["protocol"]), lost, rtol=0.02)


def test_the_map_of_the_best_protocol():
    """Cells of the map, the closed frontier, the ebits by eigenvalues, and one click by matrices in Fock space."""
    numbers = stored("e09_best_protocol")
    size, (letters, coarse) = numbers["size"], numbers["every"]
    rows, columns = (np.random.default_rng(0).integers(0, size // coarse, 40) * coarse for _ in range(2))
    etas, noises = e09.axes_of(size)
    found = jax.device_get(e09.many(etas[columns], noises[rows], np.full(40, e09.DARK_RATE * e09.PHOTON)))
    for title, among in (("red", e09.RED), ("red or blue", e09.WAYS)):
        best, rate = e09.lettered(*({name: getattr(found[name], key) for name in among} for key in ("ebit_rate", "entangled")), among)
        kept = numbers["maps"][title]
        assert best.tolist() == [kept["best"][i // letters][j // letters] for i, j in zip(rows, columns, strict=True)]
        then = [e09.unpacked(kept["log10_ebit_rate"][i // coarse])[j // coarse] for i, j in zip(rows, columns, strict=True)]
        np.testing.assert_allclose(e09.unpacked(e09.packed(rate)), then, atol=0.0101)
    frontier = numbers["frontier_without_dark_counts"]
    assert all(frontier[name]["entangled"][0] == pytest.approx(SEPARABLE_NOISE, rel=3e-3) for name in e09.RED[2:])
    pair = td.one_click(*[ModeChannel(0.5, 0.02)] * 2, 0.1, 0.2, Detector(efficiency=0.8))
    assert float(e09.ebits(pair)) == pytest.approx(float(coherent_information(pair.state())), rel=1e-10)
    twice = e09.distilled(pair)
    assert float(e09.ebits(twice)) == pytest.approx(float(coherent_information(epl(pair.state(), pair.state()).state)), rel=1e-10)
    way, _ = e09.ways(np.asarray(0.02), np.asarray(0.1), Detector(efficiency=e09.EFFICIENCY, dark_probability=1e-4))["one click"]
    ours, _ = way(np.asarray(0.15))
    expected = float(ours.success_probability), float(ours.fidelity)
    assert e09.brute(0.02, 0.1, 0.15, 1e-4) == pytest.approx(expected, rel=1e-9)
    assert numbers["timing"]["ratio"] < 0.1


def test_two_cryostats_and_the_shortest_list():
    """Both targets are met where each list ends; the best pairs of today are what the stored knobs give."""
    numbers = stored("e12_two_cryostats")
    best, runs = numbers["today"][0], jax.jit(lambda model: e12.said(e12.run(model)))
    assert best["b"] == "sahu-2022" and best["protocol"] == "one click" and best["length"] == "10 m"
    width = e12.MHz * best["photon_bandwidth_hz"] / 1e6
    knobs = dict(zip(e12.KNOBS, (best["pump_power_w"], width, best["filter_over_photon"] * width, best["excitation"]), strict=True))
    now = runs(parameters.replace(e12.parts(10.0), knobs))
    assert {name: float(value) for name, value in now.items()} == pytest.approx({name: best[name] for name in now}, rel=1e-6)
    for found, steps in zip(numbers["lists"], numbers["paths"], strict=True):
        model = parameters.replace(e12.parts(e12.LENGTHS[found["length"]]), found["after"])
        rate, fidelity = (float(runs(model)[name]) for name in ("rate", "fidelity"))
        assert (rate, fidelity) == pytest.approx((found["rate"], found["fidelity"]), rel=2e-2)  # what is below 2 % is not in the list
        assert steps[-1]["rate"] >= e12.RATE * (1 - 1e-6) and steps[-1]["fidelity"] >= e12.FIDELITY - 1e-8
    assert list(numbers["lists"][0]["changes"]) == ["device.g0", "device.temperature"]
