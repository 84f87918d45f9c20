"""Heating in a study's file: its laws, their error lines, and the refrigerator's share as a fact, a figure and a target."""

import json

import numpy as np
import pytest

from tests import ALGEBRA
from transduce.cli import main
from transduce.study import aims, config
from transduce.study.evaluate import Evaluation
from transduce.study.resolved import resolved
from transduce.study.source import BUNDLED, WrongInput, read
from transduce.units import mW, uW

TEXT = BUNDLED.read_text(encoding="utf-8")
LAWS = {
    "linear": 'law = "linear"\noccupation = 0.2\nreference_power = "50 mW"\nbaths = ["e_int", "o_int"]',
    "power": 'law = "power"\noccupation = 0.2\nexponent = 0.5\ndriven_by = "mean"',
    "tabulated": 'law = "tabulated"\npowers = ["0 W", "50 mW", "0.2 W"]\noccupations = [0, 0.2, 0.7]',
    "conductance": 'law = "conductance"\nconductance = "22 W/K^2.5"\nbaths = ["o_int"]',
}


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch):
    """Programs are kept in the test's own folder, not in the user's."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))


def study(tmp_path, heating, lab="", more=""):
    text = TEXT.replace("[node.a]", f"{lab}\n[device.lab.heating]\n{heating}\n\n[node.a]", 1) + more
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(read(file))


def stated(setting):
    """The device as JSON states it."""
    return json.loads(json.dumps(resolved(setting, aims.load(setting), setting.parts), allow_nan=False))["device"]["lab"]


@pytest.mark.parametrize("law", LAWS)
def test_a_law_of_the_file_ousts_that_of_the_entry_and_is_stated_again(law, tmp_path):
    setting = study(tmp_path, LAWS[law])
    lab, sheet = setting.parts["device"]["lab"], stated(setting)
    assert lab.heating_conductance is None and sheet["heating_conductance"] is None and sheet["heating"]["law"] == law
    found = {key: row["value"] if isinstance(row, dict) else row for key, row in sheet["heating"].items()}
    wanted = {
        "linear": {"occupation": 0.2, "reference_power": 0.05, "baths": ["e_int", "o_int"], "driven_by": "peak"},
        "power": {"occupation": 0.2, "reference_power": 1e-3, "exponent": 0.5, "baths": [], "driven_by": "mean"},
        "tabulated": {"powers": [0, 0.05, 0.2], "occupations": [0, 0.2, 0.7], "baths": [], "driven_by": "peak"},
        "conductance": {"conductance": 22.0, "exponent": 2.5, "baths": ["o_int"], "driven_by": "peak"},
    }[law]
    assert found == {"law": law} | wanted
    if law == "conductance":
        assert sheet["heating"]["conductance"]["unit"] == "W/K^2.5"
        assert setting.status["device.lab.heating.exponent"] == "given"
    if law == "linear":
        assert setting.status["device.lab.heating.reference_power"] == "given"


def wrong(text):
    return f"{LAWS['linear']}\n{text}"


WRONG = {
    "no law": ("occupation = 0.2", 10, "device.lab.heating", "must have law, one of conductance, linear, power, tabulated"),
    "unknown law": ('law = "liner"', 11, "device.lab.heating.law", "the nearest is linear"),
    "unknown key": (wrong("slope = 1.0"), 15, "device.lab.heating.slope", "is no key of this table"),
    "missing field": ('law = "power"\noccupation = 1.0', 10, "device.lab.heating", "must have exponent"),
    "no unit": ('law = "linear"\noccupation = 1.0\nreference_power = 1.0', 13, "device.lab.heating.reference_power", '"10 mW"'),
    "baths of no list": ('law = "linear"\noccupation = 1.0\nbaths = "m"', 13, "device.lab.heating.baths", "a list of names in quotes"),
    "unknown bath": ('law = "linear"\noccupation = 1.0\nbaths = ["m"]', 10, "device.lab.heating", "one of the baths e_ext, e_int"),
    "falling table": (
        LAWS["tabulated"].replace("0.7", "0.1"),
        13,
        "device.lab.heating.occupations",
        "that never fall, but is [0.0, 0.2, 0.1]",
    ),
    "short table": (LAWS["tabulated"].replace("0.2 W", "90 mW"), 10, "device.lab.heating", "its table does not reach 100 mW"),
    "powers without units": (LAWS["tabulated"].replace('"0 W"', "0"), 12, "device.lab.heating.powers", "needs a unit"),
    "exponent beside": (LAWS["conductance"] + "\nexponent = 3", 12, "device.lab.heating.conductance", "must be in W/K^3, as exponent says"),
    "a word": ("law = 3", 11, "device.lab.heating.law", "must be one of"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_law_is_one_line(name, tmp_path):
    text, line, key, what = WRONG[name]
    with pytest.raises(WrongInput) as error:
        study(tmp_path, text)
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'study.toml'}:{line}: {key}: ") and what in message and "\n" not in message


def test_two_laws_are_refused(tmp_path):
    with pytest.raises(WrongInput, match=r"device\.lab\.heating: must not be given beside heating_conductance"):
        study(tmp_path, LAWS["linear"], lab='heating_conductance = "1 W/K^3"')


@pytest.mark.usefixtures("transfer_alone")
def test_a_device_says_what_it_absorbs(tmp_path):
    setting = study(tmp_path, LAWS["linear"], lab="duty_cycle = 1e-3\nabsorbed_fraction = 0.5")
    answer = Evaluation(setting, aims.load(setting))(setting.parts)
    lab = answer["devices"]["lab"]
    assert lab["absorbed_power_w"] == pytest.approx(1e-3 * 0.5 * 0.1, rel=ALGEBRA)
    assert lab["refrigerator_share"] == pytest.approx(lab["absorbed_power_w"] / (20 * uW), rel=ALGEBRA)
    assert lab["baths"]["optical loss"]["occupation"] == pytest.approx(0.2 * 0.5 * 0.1 / (50 * mW), rel=1e-10)
    assert answer["elasticities"].keys() == answer["inputs"].keys() and "device.lab.heating.occupation" in answer["inputs"]
    assert answer["elasticities"]["device.lab.duty_cycle"] == 0.0  # this law follows the peak
    # More of either number of the law is the same as more of the other; all of its effect is the noise's.
    slopes = [answer["elasticities"][f"device.lab.heating.{name}"] for name in ("occupation", "reference_power")]
    assert slopes[0] < 0 and np.isclose(slopes[0], -slopes[1], rtol=ALGEBRA)


def test_a_share_is_a_figure_only_of_a_power_that_is_known(tmp_path):
    text = TEXT.replace('pump_power = "100 mW"', "", 1).replace("[targets] ", "[targets]\nrefrigerator_share = { max = 1.0 }\n#", 1)
    text = text.replace('from = "sahu-2022" ', CLOSED, 1)
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(
        WrongInput, match=r"targets\.refrigerator_share: must be of pumps whose power is known, but device lab does not say"
    ):
        aims.load(config.load(read(file)))


CLOSED = """kind = "electro-optic"
cooperativity = 0.1
kappa_e_ext = "1 MHz"
kappa_e_int = "1 MHz"
kappa_o_ext = "9 MHz"
kappa_o_int = "9 MHz"
#"""


FRIDGE = """
[refrigerator]
cooling_power = "50 uW"
"""
SHARES = """
refrigerator_share = { max = 1.0 }
"up.refrigerator_share" = { max = 1.0 }
"""


@pytest.mark.parametrize("cooling", ['"0 W"', '"1 MHz"', "20e-6"])
def test_a_cooling_power_is_a_power(cooling, tmp_path):
    with pytest.raises(WrongInput, match=r"refrigerator\.cooling_power: (must be|needs)"):
        study(tmp_path, LAWS["linear"], more=FRIDGE.replace('"50 uW"', cooling))


@pytest.mark.usefixtures("transfer_alone")
def test_the_command_line_keeps_to_the_refrigerator(tmp_path, capsys):
    """Both converters at one stage, on for 1e-4 of the time: together they may have 50 uW / 1e-4 = 0.5 W, so 0.25 W each, not 1 W."""
    rest = TEXT[TEXT.index("[free]") :]
    limits = f'[targets]{SHARES}\n[free]\n"device.lab.pump_power" = ["1 mW", "1 W"]\n\n{rest[rest.index("[optimiser]") :]}'
    text = (TEXT[: TEXT.index("[targets]")] + limits + FRIDGE).replace("starts = 32", "starts = 4").replace("steps = 500", "steps = 50")
    text = text.replace("[node.a]", 'duty_cycle = 1e-4\nheating_conductance = "1e6 W/K^3"\n\n[node.a]', 1)
    text = text.replace('"average_fidelity_heralded"', '"success_probability"')
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    setting = config.load(read(file))
    assert setting.cooling_power == pytest.approx(50 * uW) and setting.status["refrigerator.cooling_power"] == "given"
    assert main(["optimise", str(file), "--json", "--out", str(tmp_path / "out")]) == 0
    answer = json.loads(capsys.readouterr().out)
    both, up = answer["targets"]
    assert answer["result"]["status"] == "targets-met" and both["active"] and not up["active"]
    assert answer["free"]["device.lab.pump_power"]["after"] == pytest.approx(0.25, rel=1e-8)
    assert (both["value"], up["value"]) == pytest.approx((1.0, 0.5), rel=1e-8)
    assert answer["after"]["devices"]["lab"]["refrigerator_share"] == pytest.approx(0.5, rel=1e-8)
    cooling = json.loads((tmp_path / "out" / "config.resolved.json").read_text(encoding="utf-8"))["refrigerator"]["cooling_power"]
    assert cooling == {"value": pytest.approx(50e-6), "unit": "W", "status": "given"}
