"""A study's file with other values: however it is written, it then has these, and nothing else has changed."""

import tomllib

import pytest

from transduce.study import config
from transduce.study.edited import edited
from transduce.study.resolved import inputs
from transduce.study.source import BUNDLED, Source

TABLES = BUNDLED.read_text(encoding="utf-8")
INLINE = """
node = { a = { device = "lab", qubit = { t1 = "300 us", t2 = "200 us" } }, b = { device = "lab", qubit = { t1 = "9 us", t2 = "8 us" } } }
path = [{ kind = "fibre", length = "1 km" }, { kind = "switch", insertion_loss = "0.5 dB" }]
device.lab.from = "sahu-2022"
device.lab.pump_power = "100 mW"  # dotted
transfer.encoding = "time-bin"
transfer.photon = { shape = "sech", bandwidth = "1 MHz" }
"""
NEW = {
    **{"device.lab.pump_power": (0.125, "W"), "device.lab.kappa_e_ext": (5e7, "Hz"), "device.lab.mode_match": (0.9, "1")},
    **{"node.a.qubit.t1": (2.5e-4, "s"), "path.fibre.length": (1500.0, "m"), "path.switch.insertion_loss": (0.25, "dB")},
    **{"photon.bandwidth": (2e6, "Hz"), "one-click.excitation": (0.125, "1"), "schedule.reset": (1e-6, "s")},
    **{"station.detector.efficiency": (0.5, "1"), "device.lab.heating_conductance": (11.0, "W/K^3")},
}


@pytest.mark.parametrize("text", [TABLES, INLINE], ids=["tables", "inline"])
def test_it_has_the_values_and_the_rest_as_it_was(text):
    def read(text):
        setting = config.load(Source("study.toml", text, tomllib.loads(text)))
        return {path: (row["value"], row["unit"]) for path, row in inputs(setting, setting.parts).items()}

    source = Source("study.toml", text, tomllib.loads(text))
    changed, before = edited(source, NEW), read(text)
    after = read(changed)
    assert set(after) == set(before)
    for path, (value, unit) in after.items():
        wanted = NEW.get(path, before[path])
        assert unit == wanted[1] and value == pytest.approx(wanted[0], rel=1e-15), path
    assert [line for line in changed.splitlines() if "#" in line] != []
    assert edited(source, {}) == text
