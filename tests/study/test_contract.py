"""The JSON of evaluate and optimise: its keys, and its numbers recomputed from config.resolved.json by independent NumPy."""

import json
import pathlib
import re

import numpy as np
import pytest

from transduce.cli import main
from transduce.study import aims, config
from transduce.study.evaluate import Evaluation
from transduce.study.resolved import resolved
from transduce.study.source import BUNDLED, read

from .witness import delay, recompute

SINGLE = """
[transfer]
encoding = "single-rail"
photon = { shape = "gaussian", bandwidth = "2 MHz" }

[device.left]
from = "sahu-2022"
kappa_e_ext = "30 MHz"
kappa_o_ext = "8 MHz"
kappa_e_int = "1 MHz"
temperature_e_ext = "90 mK"
pump_power = "20 dBm"

[device.right]
kind = "electro-optic"
kappa_e_ext = "9 MHz"
kappa_e_int = "2 MHz"
kappa_o_ext = "12 MHz"
kappa_o_int = "3 MHz"
g0 = "50 Hz"
pump_power = "30 mW"
temperature = "30 mK"
n_o_ext = 0.001

[node.a]
device = "left"
qubit = { t1 = "120 us", t2 = "90 us", phase_jitter = "0.05 rad" }

[node.b]
device = "right"
qubit = { t1 = "80 us", t2 = "30 us" }

[[path]]
name = "line"
kind = "fibre"
length = "3 km"
beta2 = "-21.7 ps^2/km"
noise_photons = 1e-4

[[path]]
kind = "filter"
bandwidth = "20 MHz"
centre = "3 MHz"
occupation = 0.01

[[path]]
name = "tap"
kind = "loss"
loss = "0.4 dB"
temperature = "300 K"
"""


@pytest.fixture(scope="module", autouse=True)
def programs(tmp_path_factory):
    """Programs are kept in the test's own folder, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("programs")))
        yield


@pytest.fixture(scope="module")
def bundled():
    """The bundled connection's evaluation, compiled once."""
    setting = config.load(read(None))
    return Evaluation(setting, aims.load(setting))


@pytest.fixture(scope="module", params=["bundled", "single"])
def study(request, bundled, tmp_path_factory):
    """(the JSON of evaluate, the resolved inputs), by way of their text."""
    evaluation = bundled
    if request.param == "single":
        file = tmp_path_factory.mktemp("study") / "single.toml"
        file.write_text(SINGLE, encoding="utf-8")
        setting = config.load(read(file))
        evaluation = Evaluation(setting, aims.load(setting), compare=False)
    setting, wanted = evaluation.setting, evaluation.aims
    answer = evaluation(setting.parts)
    return json.loads(json.dumps(answer, allow_nan=False)), json.loads(json.dumps(resolved(setting, wanted, setting.parts)))


def test_every_number_follows_from_the_resolved_inputs(study):
    answer, inputs = study
    found = recompute(inputs)
    link, packet, transfer = answer["link"], answer["packet"], answer["transfer"]
    pairs = {
        "efficiency": link["efficiency"],
        "added_noise_input": link["added_noise_input"],
        "packet_efficiency": packet["efficiency"],
        "packet_noise": packet["noise_output"],
        **{name: transfer[name] for name in found if name in transfer},
    }
    assert pairs.keys() == found.keys()
    for name, value in pairs.items():
        assert value == pytest.approx(found[name], rel=1e-10), name
    assert abs(complex(*packet["transmission"])) ** 2 == pytest.approx(packet["efficiency"], rel=1e-12)
    assert link["delay_s"] == pytest.approx(delay(inputs), rel=1e-12)


def test_the_budget_adds_up(study):
    answer, _ = study
    stages, link = answer["stages"], answer["link"]
    inner = [row for row in stages if row["name"] not in ("emit", "absorb")]
    assert sum(row["noise_input"] for row in stages) == pytest.approx(link["added_noise_input"], rel=1e-12)
    assert 10 ** (sum(row["transmission_db"] for row in inner) / 10) == pytest.approx(link["efficiency"], rel=1e-12)
    assert [stages[0]["name"], stages[-1]["name"]] == ["emit", "absorb"]


def test_the_keys_of_the_contract(study):
    answer, inputs = study
    contract = {
        "link": ("efficiency", "efficiency_internal", "bandwidth_fwhm_hz", "added_noise_input", "carrier_hz"),
        "packet": ("transmission", "efficiency", "noise_output"),
        "transfer": (
            *("encoding", "entanglement_fidelity", "average_fidelity", "average_fidelity_heralded"),
            *("success_probability", "leakage"),
        ),
    }
    for part, keys in contract.items():
        assert set(keys) <= set(answer[part])
    assert {"stages", "elasticities", "inputs", "model"} <= set(answer) and answer["stable"] is True and answer["clock_resolved"] is True
    assert all(set(row) == {"name", "kind", "transmission_db", "noise_input", "fidelity_gain_if_ideal"} for row in answer["stages"])
    assert all(set(row) == {"value", "unit", "status"} for row in answer["inputs"].values())
    assert answer["elasticities"].keys() == answer["inputs"].keys() == answer["elasticity_units"].keys()
    if inputs["transfer"]["encoding"] == "single-rail":
        assert answer["transfer"]["success_probability"] is None and answer["transfer"]["average_fidelity_heralded"] is None
    statuses = {row["status"] for row in answer["inputs"].values()}
    assert statuses <= {"primary", "secondary", "derived", "assumed", "recalled", "given", "default"}


def test_the_bundled_connection_before_is_that_of_the_design(bundled):
    """By an independent chain (the design's section 5): 0.004531, 9.346 MHz, 13.853, 0.5162 at 0.107."""
    answer = bundled(bundled.setting.parts)
    link, transfer = answer["link"], answer["transfer"]
    assert link["efficiency"] == pytest.approx(0.004531, abs=5e-7)
    assert link["bandwidth_fwhm_hz"] == pytest.approx(9.346e6, abs=500)
    assert link["added_noise_input"] == pytest.approx(13.853, abs=5e-4)
    assert transfer["average_fidelity_heralded"] == pytest.approx(0.5162, abs=5e-5)
    assert transfer["success_probability"] == pytest.approx(0.107, abs=5e-4)


def test_elasticities_are_what_a_changed_file_shows(bundled, tmp_path):
    """d ln / d ln and d ln / d p against two evaluations each; central differences, so 1e-5 is what they can show."""
    text = BUNDLED.read_text(encoding="utf-8")
    answers = []
    for power, loss in (
        ("100 mW", "0.5 dB"),
        ("100.1 mW", "0.5 dB"),
        ("99.9 mW", "0.5 dB"),
        ("100 mW", "0.501 dB"),
        ("100 mW", "0.499 dB"),
    ):
        file = tmp_path / "study.toml"
        file.write_text(text.replace('"100 mW"', f'"{power}"').replace('"0.5 dB"', f'"{loss}"'), encoding="utf-8")
        answers.append(bundled(config.load(read(file)).parts))
    value = [np.log(answer["objective"]["value"]) for answer in answers]
    elastic = answers[0]["elasticities"]
    assert elastic["device.lab.pump_power"] == pytest.approx((value[1] - value[2]) / (np.log(100.1) - np.log(99.9)), rel=1e-5)
    assert elastic["path.switch.insertion_loss"] == pytest.approx((value[3] - value[4]) / (np.log(0.501) - np.log(0.499)), rel=1e-5)
    assert answers[0]["elasticity_units"]["path.fibre.coupling_in"] == "per dB"
    assert elastic["path.fibre.coupling_in"] == pytest.approx(elastic["path.switch.insertion_loss"] / 0.5, rel=1e-9)


@pytest.fixture(scope="module")
def optimised(tmp_path_factory):
    """A short optimisation through the command line: its folder, exit status and output."""
    folder = tmp_path_factory.mktemp("run")
    file = folder / "short.toml"
    text = BUNDLED.read_text(encoding="utf-8").replace("steps = 500", "steps = 50").replace("starts = 32", "starts = 8")
    file.write_text(text, encoding="utf-8")
    assert main(["optimise", str(file), "--out", str(folder / "out")]) == 0
    return file, folder / "out"


def test_a_run_folder_is_complete(optimised):
    file, out = optimised
    names = {path.name for path in out.iterdir()}
    assert names - {"checkpoint.previous.npz"} == {  # there from the second one on
        "checkpoint.npz",
        *("config.toml", "config.resolved.json", "run.json", "metrics.jsonl", "result.json", "result.npz", "optimum.toml"),
        *("response.png", "convergence.png"),
    }
    assert (out / "config.toml").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert {"transduce", "packages", "device", "dtype", "seed", "git", "config_sha256", "started", "finished"} <= set(run)
    assert run["dtype"] == "float64" and run["seed"] == 0
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [25, 50]
    with np.load(out / "result.npz", allow_pickle=False) as arrays:
        assert arrays["history"].shape == (2, 8) and arrays["efficiency_after"].max() == pytest.approx(0.4, rel=1e-6)
    assert (out / "response.png").read_bytes()[:4] == (out / "convergence.png").read_bytes()[:4] == b"\x89PNG"


def test_the_json_of_an_optimum(optimised):
    _, out = optimised
    answer = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert {"before", "after", "result", "targets", "free", "starts", "run"} <= set(answer)
    assert answer["result"]["status"] == "targets-met" and answer["result"]["message"].startswith("targets met")
    assert {row["name"]: (row["met"], row["active"]) for row in answer["targets"]} == {
        **{"efficiency": (True, True), "bandwidth_fwhm": (True, True), "added_noise_input": (True, False)}
    }
    assert answer["targets"][1]["bound"] == 10e6 and answer["targets"][1]["unit"] == "Hz"
    power = answer["free"]["device.lab.pump_power"]
    assert power["bounds"] == pytest.approx([1e-3, 1.0]) and power["before"] == pytest.approx(0.1)
    assert power["after"] == pytest.approx(0.1252, abs=1e-3) and power["at_bound"] is None
    assert answer["free"]["device.lab.kappa_e_ext"]["at_bound"] == "high"
    assert answer["after"]["inputs"]["device.lab.pump_power"] == {"value": power["after"], "unit": "W", "status": "optimised"}
    assert answer["after"]["transfer"]["average_fidelity_heralded"] == pytest.approx(0.9904, abs=1e-4)


def test_the_optimum_is_a_study_and_the_readme_shows_its_protocols(optimised, bundled):
    """Its inputs are those of the optimum, to go on from; name, fidelity, success and rate of every way, and of the distilled pairs."""
    file, out = optimised
    found = json.loads((out / "result.json").read_text(encoding="utf-8"))["after"]
    setting, given = (config.load(read(one)) for one in (out / "optimum.toml", file))
    ours, theirs = (resolved(one, aims.load(one), one.parts) for one in (setting, given))
    assert all(ours[key] == theirs[key] for key in ("objective", "targets", "free", "optimiser"))
    answer = bundled(setting.parts)
    for path, row in found["inputs"].items():
        assert answer["inputs"][path]["value"] == pytest.approx(row["value"], rel=1e-15), path
    assert answer["objective"]["value"] == pytest.approx(found["objective"]["value"], rel=1e-12)
    after = answer["protocols"]
    assert list(found["protocols"]) == ["transfer"] and len(after) == 6
    lines = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").splitlines()
    first = [k for k, line in enumerate(lines) if line.startswith("protocol  ")]
    rows = [("transfer", lines[first[0] + 1]), *zip(after, lines[first[1] + 1 :], strict=False)]
    for name, line in rows:
        cells = re.split(r" {2,}", line)
        assert cells[0].removesuffix(" *") == name
        one, numbers = after[name], [float(cell.split()[0]) for cell in cells[1:]]
        fraction, distilled = max(value for value in one["fraction_of_limit"].values() if value is not None), one["distilled"]
        wanted = [one["fidelity"], one["success_probability"], one["rate_per_s"], fraction, one["ebit_rate_per_s"]]
        wanted += [distilled["fidelity"], distilled["rate_per_s"]]
        for shown, value, digits in zip(numbers, wanted, (1e-3, 1e-3, 1e-3, 5e-2, 1e-3, 1e-3, 1e-3), strict=True):
            assert shown == pytest.approx(value, rel=digits, abs=1e-12), (name, shown, value)


def test_a_finished_run_is_not_overwritten_unless_told(optimised, capsys):
    file, out = optimised
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for command in ("optimise", "evaluate"):
        assert main([command, str(file), "--out", str(out)]) == 2
        assert "--overwrite" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
