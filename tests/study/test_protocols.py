"""A study of another protocol: its JSON against the library called by hand, its optimum against a scan, and what is refused."""

import dataclasses
import json
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tests import CLOSED_FORM
from transduce.cli import main
from transduce.devices.catalogue import device
from transduce.link.emission import Qubit
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection, Node
from transduce.link.synchronisation import Synchronisation
from transduce.link.wavepacket import Gaussian
from transduce.protocols.distillation import Distillation
from transduce.protocols.heralded import OneClick, PairClick
from transduce.protocols.limits import limits
from transduce.protocols.schedule import Schedule
from transduce.protocols.teleportation import Teleportation
from transduce.qubit.detector import Detector
from transduce.qubit.export import from_json
from transduce.study import aims, config
from transduce.study.evaluate import Evaluation
from transduce.study.protocols import NAMES, causes
from transduce.study.source import WrongInput, read
from transduce.units import MHz, km, mK, mW, ns, us

TEXT = """
protocol = "one-click"

[transfer]
encoding = "single-rail"
photon = { shape = "gaussian", bandwidth = "2 MHz" }

[station]
detector = { efficiency = 0.8, kind = "number_resolving" }
dark_rate = "100 /s"
filter_bandwidth = "5 MHz"

[schedule]
reset = "2 us"
memories = 2.0

[synchronisation]
timing_jitter = "30 ns"

[one-click]
excitation = 0.2

[pair-click]
pump_fraction = 0.1

[distillation]
gate_error = 1e-3
cutoff = 500

[device.near]
from = "sahu-2022"
pump_power = "20 mW"
temperature = "10 mK"
heating_conductance = "1e4 W/K^3"

[node.a]
device = "near"
qubit = { t1 = "120 us", t2 = "90 us" }
memory = { t1 = "2000 us", t2 = "3000 us" }

[node.b]
device = "near"
qubit = { t1 = "80 us", t2 = "30 us" }

[[path]]
kind = "fibre"
length = "3 km"

[targets]
rate = { min = "1 /s" }

[free]
"one-click.excitation" = [1e-3, 0.5]

[optimiser]
starts = 2
steps = 60
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The study's file; programs are kept beside it, not in the user's folder."""
    path = tmp_path_factory.mktemp("study") / "clicks.toml"
    path.write_text(TEXT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(path.parent / "programs"))
        yield path


def by_hand() -> tuple[Connection, dict]:
    sheet = device("sahu-2022", pump_power=20 * mW, temperature=10 * mK, heating_conductance=1e4)
    a = Node(Qubit(t1=120 * us, t2=90 * us), sheet, memory=Qubit(t1=2000 * us, t2=3000 * us))
    b = Node(Qubit(t1=80 * us, t2=30 * us), sheet)
    clocks = Synchronisation(timing_jitter=30 * ns)
    shared = {"detector": Detector(efficiency=0.8, kind="number_resolving"), "dark_rate": 100.0, "filter_bandwidth": 5 * MHz}
    shared |= {"photon": Gaussian(bandwidth=2 * MHz), "schedule": Schedule(reset=2 * us, memories=2.0)}
    return Connection(a, b, Link(fibre=Fibre(length=3 * km)), synchronisation=clocks), shared


def test_a_study_of_one_click(file, capsys):
    """Every figure of the JSON is the library's; its optimum is that of a scan over the excitation."""
    connection, shared = by_hand()
    assert main(["optimise", str(file), "--json", "--out", str(file.parent / "run")]) == 0
    answer = json.loads(capsys.readouterr().out)
    before, after = answer["before"]["protocols"]["one-click"], answer["after"]["protocols"]["one-click"]
    done = Distillation(OneClick(**shared, excitation=0.2), gate_error=1e-3, cutoff=500)(connection)
    for found, wanted in ((before, done.raw), (before["distilled"], done)):
        for key, name in (("fidelity", "fidelity"), ("rate_per_s", "rate"), ("attempt_duration_s", "attempt_duration"), ("ebits", "ebits")):
            assert found[key] == pytest.approx(float(getattr(wanted, name)), rel=CLOSED_FORM), key
    assert before["fraction_of_limit"]["travel"] == pytest.approx(float(done.raw.fractions["travel"]), rel=CLOSED_FORM)
    assert set(answer["before"]["protocols"]) == {"transfer", "one-click"}  # what else there is, evaluate says
    fidelity = jax.jit(lambda x: OneClick(**shared, excitation=x)(connection).fidelity)
    best = minimize_scalar(lambda x: -float(fidelity(x)), bounds=(1e-3, 0.5), method="bounded", options={"xatol": 1e-9})
    assert after["fidelity"] == pytest.approx(-best.fun, rel=1e-8)
    assert answer["free"]["one-click.excitation"]["after"] == pytest.approx(best.x, rel=1e-3)
    assert answer["after"]["objective"] == {"name": "fidelity", "protocol": "one-click", "value": pytest.approx(-best.fun, rel=1e-8)}
    limited = answer["after"]["limits"]["causes"]
    assert set(limited) == {*(f"{end}.{name}" for end in "ab" for name in ("emit", "up", "fibre")), "detectors", "clocks", "waiting"}
    slope = (float(fidelity(0.2 * 1.001)) - float(fidelity(0.2 * 0.999))) / 2e-3 / before["fidelity"]
    assert answer["before"]["elasticities"]["one-click.excitation"] == pytest.approx(slope, rel=1e-4)
    assert answer["before"]["inputs"]["node.a.memory.t1"] == {"value": 2e-3, "unit": "s", "status": "given"}
    assert answer["before"]["inputs"]["station.detector.dark_probability"]["status"] == "default"


@pytest.mark.slow
def test_what_limits_a_study_of_teleportation(file, capsys):
    """``evaluate`` shows the library's causes; with the parts, those of the distilled pairs beside them, in the same pass."""
    path = file.parent / "teleportation.toml"
    path.write_text(TEXT.replace('protocol = "one-click"', 'protocol = "teleportation"'), encoding="utf-8")
    assert main(["evaluate", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["limits"]
    setting = config.load(read(path))
    connection, shared = by_hand()
    blue = dataclasses.replace(connection.a.device, pump="blue", pump_power=10 * mW)
    over = dataclasses.replace(connection, a=dataclasses.replace(connection.a, device=blue))
    protocol = Teleportation("single-rail", shared["photon"], schedule=shared["schedule"], samples=512)
    _, rounds = limits(Distillation(protocol, gate_error=1e-3, cutoff=500), over)
    both = jax.jit(lambda: causes(*setting.protocol_over("teleportation", setting.parts), setting.parts))()
    assert rounds.raw is not None
    for answer, own in ((told, rounds.raw), (both, rounds.raw), (both["distilled"], rounds)):
        assert sorted(answer["causes"]) == sorted(own.names)
        for name, one in zip(own.names, own.limits, strict=True):
            figures = answer["causes"][name]["fidelity_gain_if_ideal"], answer["causes"][name]["rate_factor_if_ideal"]
            wanted = one.fidelity_gain_if_ideal, one.rate_factor_if_ideal
            np.testing.assert_allclose(figures, wanted, rtol=1e-8, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(answer["remainder"], own.remainder, rtol=1e-8)
    assert causes(*setting.protocol_over("transfer", setting.parts)) == {}
    assert main(["evaluate", str(path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "What limits teleportation: without one cause" in out and "a.squeezing" in out


def test_plans_and_exports(file, capsys):
    """Every way is evaluated; the plan takes the pairs that need the fewest links; exported states are the library's."""
    assert main(["plan", str(file), "--json"]) == 0
    small, large = json.loads(capsys.readouterr().out)
    assert (small["target"], large["target"]) == ({"logical_qubits": 200, "gates": 1e8}, {"logical_qubits": 1e5, "gates": 1e12})
    assert main(["evaluate", str(file), "--json"]) == 0
    ways = json.loads(capsys.readouterr().out)["protocols"]
    assert tuple(ways) == NAMES
    connection, shared = by_hand()
    blue = dataclasses.replace(connection.a.device, pump="blue", pump_power=2 * mW)
    nodes = {end: dataclasses.replace(getattr(connection, end), device=blue) for end in "ab"}
    pumped = PairClick(**shared)(dataclasses.replace(connection, **nodes))
    assert ways["pair-click"]["fidelity"] == pytest.approx(float(pumped.fidelity), rel=1e-9)
    assert main(["plan", str(file)]) == 0
    told = capsys.readouterr().out
    assert small["pairs"]["name"] in told and "[M]" in told and "guaranteed" in told
    assert main(["clocks", str(file), "--fidelity", "1.5"]) == 2
    assert "--fidelity: must be above 0 and at most 1" in capsys.readouterr().err
    assert main(["export", str(file), "--out", str(file.parent / "out")]) == 0
    names = {path.name for path in (file.parent / "out").iterdir()}
    assert names == {f"{name}.json" for name in NAMES} | {f"{name}.npz" for name in ("transfer", "teleportation")}
    link = from_json((file.parent / "out" / "one-click.json").read_text(encoding="utf-8"))
    done = OneClick(**shared, excitation=0.2)(connection)
    assert link.state is not None and link.memory_a is not None
    np.testing.assert_allclose(link.state, done.pair, rtol=0, atol=1e-12)
    assert (link.rate, link.memory_a.t1) == pytest.approx((float(done.rate), 2e-3), rel=CLOSED_FORM)
    strong = file.parent / "strong.toml"
    strong.write_text(TEXT.replace('pump_power = "20 mW"', 'pump_power = "1 W"').replace("pump_fraction = 0.1", "pump_fraction = 1.0"))
    capsys.readouterr()
    assert main(["export", str(strong), "--out", str(file.parent / "strong")]) == 0
    assert "transduce: pair-click is left out: " in capsys.readouterr().err
    assert not (file.parent / "strong" / "pair-click.json").exists() and (file.parent / "strong" / "one-click.json").exists()
    with np.load(file.parent / "out" / "transfer.npz") as found:
        np.testing.assert_allclose(sum(k.conj().T @ k for k in found["kraus"]), np.eye(2), rtol=0, atol=1e-9)


def test_a_gate_that_cuts(tmp_path):
    """As the library's; what is never cut is gated for the photon's length, which is the default."""
    path = tmp_path / "cut.toml"
    text = TEXT.replace('[synchronisation]\ntiming_jitter = "30 ns"\n', "")  # the gate then cuts but once
    path.write_text(text.replace('dark_rate = "100 /s"', 'dark_rate = "100 /s"\ngate = "90 ns"\ngate_cuts = true'), encoding="utf-8")
    setting, (connection, shared) = config.load(read(path)), by_hand()
    connection = dataclasses.replace(connection, synchronisation=None)
    assert setting.status["station.gate_cuts"] == setting.status["station.gate"] == "given"

    @eqx.filter_jit
    def ask(name: str) -> Any:
        done = setting.performance(name, setting.parts).raw
        return done.fidelity, done.rate, done.background_counts

    for name, ours in (
        ("one-click", OneClick(**shared, excitation=0.2, gate=90 * ns, gate_cuts=True)),
        ("pair-click", PairClick(**shared)),
    ):
        done = ours(setting.protocol_over(name, setting.parts)[1] if name == "pair-click" else connection)
        np.testing.assert_allclose(ask(name), [done.fidelity, done.rate, done.background_counts], rtol=CLOSED_FORM)


WRONG = {
    "a protocol that is none": ('protocol = "one-click"', 'protocol = "one-clik"', "the nearest is one-click"),
    "a figure of the transfer": ("rate = {", "average_fidelity = {", "is no figure of this study"),
    "a detector's field": ("efficiency = 0.8", "effciency = 0.8", "the nearest is efficiency"),
    "a dark rate in Hz": ('"100 /s"', '"100 Hz"', "must be an event rate"),
    "less than one memory": ("memories = 2.0", "memories = 0.5", "must be at least 1"),
    "a method that is none": ("cutoff = 500", 'methods = ["best"]', "methods: must be of bbpssw, dejmps, epl"),
    "a gate shorter than the photon": ('dark_rate = "100 /s"', 'gate = "10 ns"', "must be at least the photon's length"),
    "how it may be": ('dark_rate = "100 /s"', 'gate = "10 ns"', "gate_cuts = true lets it cut the photon"),
    "a gate that cuts a table": (
        'photon = { shape = "gaussian", bandwidth = "2 MHz" }\n\n[station]',
        'photon = { shape = "tabulated", times = ["0 s", "1 us"], samples = [1.0, 0.5] }\n\n[station]\ngate_cuts = true',
        "gate_cuts: must be false for a photon that is none of decaying, rising, gaussian, sech",
    ),
    "a gate that cuts a bit": ('dark_rate = "100 /s"', "gate_cuts = 1", "gate_cuts: must be true or false"),
    "two stations": ("[targets]", '[[path]]\nkind = "station"\nname = "x"\n[[path]]\nkind = "station"\n[targets]', "at most one station"),
    "a cut-off below 0": ("cutoff = 500", "cutoff = -3", "cutoff: must be at least 1, or 0 for none"),
    "a memory that dephases too slowly": ('t2 = "3000 us"', 't2 = "9000 us"', "must be at most 2 t1"),
    "an excitation above 1": ("excitation = 0.2", "excitation = 1.2", "must be at least 0 and at most 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name, tmp_path):
    old, new, message = WRONG[name]
    assert old in TEXT
    path = tmp_path / "wrong.toml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(WrongInput, match="(?s)" + message):
        aims.load(config.load(read(path)))


def test_the_budget_is_of_the_transfer(tmp_path):
    """Of the objective where that is one of the transfer's own, else of its average fidelity."""
    path = tmp_path / "aims.toml"
    for protocol, encoding, objective, budget in (
        ("transfer", "time-bin", "success_probability", "success_probability"),
        ("transfer", "single-rail", "entanglement_fidelity", "entanglement_fidelity"),
        ("one-click", "single-rail", "success_probability", "average_fidelity"),
        ("two-click", "time-bin", "distilled.rate", "average_fidelity"),
    ):
        text = TEXT.replace('protocol = "one-click"', f'protocol = "{protocol}"').replace('"single-rail"', f'"{encoding}"')
        path.write_text(text + f'\n[objective]\nmaximise = "{objective}"\n', encoding="utf-8")
        assert aims.load(config.load(read(path))).fidelity == budget


def test_a_device_without_a_blue_pump_makes_no_pairs(tmp_path):
    text = TEXT.replace('from = "sahu-2022"\npump_power = "20 mW"\ntemperature = "10 mK"\nheating_conductance = "1e4 W/K^3"', MEMBRANE)
    path = tmp_path / "membrane.toml"
    path.write_text(text, encoding="utf-8")
    setting = config.load(read(path))
    assert "has no blue pump" in (setting.lacking("pair-click") or "") and setting.lacking("two-click") is None
    assert isinstance(Evaluation(setting, aims.load(setting)), Evaluation)
    path.write_text(text.replace('protocol = "one-click"', 'protocol = "pair-click"'), encoding="utf-8")
    with pytest.raises(WrongInput, match="must be one that these devices can run, but pair-click needs pairs"):
        config.load(read(path))


MEMBRANE = """kind = "electro-optomechanical"
frequency_m = "5 MHz"
gamma_m = "1 kHz"
cooperativity_e = 40.0
cooperativity_o = 40.0
kappa_e_ext = "4 MHz"
kappa_e_int = "1 MHz"
kappa_o_ext = "3 MHz"
kappa_o_int = "2 MHz"
"""
