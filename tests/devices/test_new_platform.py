"""A made-up platform, added by the steps of ``transduce/devices/base.py``: one source file and one test file, and nothing else.

Both are written into a copy of the package and its tests, where they are put through every law, the house's rules, a study's file and
the optimiser.
"""

import shutil
import subprocess
import sys

from tests.conftest import ROOT

SOURCE = r'''
r"""Stored transducer: a microwave mode joined by a pump to an optical one, and to a store that holds what is not converted.

.. math:: H = g(o^\dagger e + h.c.) + J(s^\dagger e + h.c.), \qquad \eta = \eta_e\eta_o 4C/(1 + C + 4J^2/\kappa_e\kappa_s)^2

Source: made up.
"""

from typing import ClassVar

from .. import parameters
from ..linear.system import LinearSystem, Port
from ..parameters import Scalar
from ..units import Hz, MHz, mW
from .base import AbstractDevice, Drive, drive, require_one


class StoredPlatform(AbstractDevice):
    """The made-up transducer. The fields of ``AbstractDevice``, and:

    Attributes:
        g0: single-photon coupling.
        pump_power, pump_photons: exactly one of the pump's power (W) and its photons.
        coupling_j, kappa_s: the store's coupling and loss, and ``temperature_s`` or ``n_s`` of its bath.
    """

    g0: Scalar = parameters.rate(box=(1 * Hz, 1 * MHz))
    pump_power: Scalar | None = parameters.power(None, box=(1e-6, 1000 * mW))
    pump_photons: Scalar | None = parameters.number(None, box=(1.0, 1e12))
    coupling_j: Scalar = parameters.rate(0.0, box=(0.001 * MHz, 10 * MHz))
    kappa_s: Scalar = parameters.rate(box=(0.01 * MHz, 10 * MHz))
    temperature_s: Scalar | None = parameters.temperature(None)
    n_s: Scalar | None = parameters.number(None)
    HEATED: ClassVar[str] = "e_int"

    def __check_init__(self) -> None:
        require_one(self, "pump_power", "pump_photons")
        self.check()

    def drives(self) -> dict[str, Drive]:
        """The pump."""
        given = drive(
            kappa_ext=self.kappa_o_ext,
            kappa=self.kappa_o_ext + self.kappa_o_int,
            other=self.kappa_e_ext + self.kappa_e_int,
            detuning=0.0,
            frequency=self.frequency_o,
            g0=self.g0,
            pump_power=self.pump_power,
            photons=self.pump_photons,
            cooperativity=None,
        )
        return {"optical": given}

    def linear_system(self) -> LinearSystem:
        """Modes microwave, store and optical."""
        pump = self.drives()["optical"]
        ports = self.ports(pump.power) | {"store": Port("store", self.kappa_s, self.bath("s", self.frequency_e))}
        hopping = {("optical", "microwave"): pump.coupling, ("store", "microwave"): self.coupling_j}
        return LinearSystem.build({"microwave": self.detuning_e, "store": 0.0, "optical": self.detuning_o}, ports, hopping=hopping)
'''

TEST = r'''
"""StoredPlatform: its cases with every law, its closed form, and a study's file of it."""

import json

import numpy as np
import pytest

from tests import CLOSED_FORM
from tests.devices.cases import CASES, Sheet, _batch
from tests.devices.laws import LAWS, case
from transduce.cli import main
from transduce.design.maximise import maximise
from transduce.devices.stored_platform import StoredPlatform
from transduce.study.config import load
from transduce.study.source import read
from transduce.units import Hz, MHz, THz, hbar


def stored(rng, lanes):
    sheet = Sheet(rng, lanes)
    own = {"g0": sheet.rate(), "coupling_j": sheet.rate(), "kappa_s": sheet.rate(), "n_s": sheet.decades(-3, 1)}
    return _batch(StoredPlatform(**sheet.common(), **sheet.detunings(), **own, pump_photons=sheet.decades(-2, 2)), lanes, sheet.signed())


CASES["stored"] = stored


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law):
    law(case("stored"))


def test_on_resonance():
    sheet = {"kappa_e_ext": 1.5 * MHz, "kappa_e_int": 0.5 * MHz, "kappa_o_ext": 4 * MHz, "kappa_o_int": 1 * MHz, "kappa_s": 0.5 * MHz}
    it = StoredPlatform(**sheet, g0=40 * Hz, pump_power=1e-3, coupling_j=0.3 * MHz)
    photons = 4 * MHz * 1e-3 / (hbar * 193.4 * THz) / (2.5 * MHz) ** 2
    c, c_s = 4 * (40 * Hz) ** 2 * photons / (2 * MHz * 5 * MHz), 4 * 0.3**2 / (2 * 0.5)
    np.testing.assert_allclose(it.efficiency(omega=np.zeros(())), 0.75 * 0.8 * 4 * c / (1 + c + c_s) ** 2, rtol=CLOSED_FORM)


STUDY = """[transfer]
encoding = "single-rail"
photon = { shape = "sech", bandwidth = "1 MHz" }

[device.lab]
kind = "stored-platform"
g0 = "40 Hz"
pump_power = "100 uW"
kappa_e_ext = "1.5 MHz"
kappa_e_int = "500 kHz"
kappa_o_ext = "4 MHz"
kappa_o_int = "1 MHz"
kappa_s = "500 kHz"
coupling_j = "10 kHz"

[node.a]
device = "lab"
qubit = { t1 = "300 us", t2 = "200 us" }

[node.b]
device = "lab"
qubit = { t1 = "300 us", t2 = "200 us" }

[[path]]
kind = "loss"
loss = "0.5 dB"
"""


@pytest.mark.usefixtures("transfer_alone")
def test_a_study_of_it_and_the_optimiser(tmp_path, capsys):
    """A file names its kind; its pump is raised, and its store closed, within the boxes that its class declares."""
    file = tmp_path / "lab.toml"
    file.write_text(STUDY, encoding="utf-8")
    assert main(["evaluate", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    device = load(read(file)).parts["device"]["lab"]
    at = device.efficiency()
    np.testing.assert_allclose(answer["link"]["efficiency"], at**2 * 10**-0.05, rtol=CLOSED_FORM)
    assert {"device.lab.kappa_s", "device.lab.coupling_j"} <= set(answer["inputs"])
    best = maximise(lambda one: one.efficiency(), device, ("pump_power", "coupling_j"), starts=2, steps=50)
    np.testing.assert_allclose(best.value, 0.75 * 0.8 / (1 + 4e-6), rtol=CLOSED_FORM)  # C = 1 + C_s, and C_s at its least
    assert float(best.model.pump_power) > float(device.pump_power)
'''

HOUSE = (
    "tests/test_house.py::test_classes_are_abstract_or_final",
    "tests/test_house.py::test_no_import_runs_up_a_floor",
    "tests/test_house.py::test_every_file_says_what_it_is",
    "tests/devices/test_catalogue.py::test_each_final_class_is_reachable",
)


def test_one_source_file_and_one_test_file(tmp_path):
    for folder in ("transduce", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "transduce" / "devices" / "stored_platform.py").write_text(SOURCE.lstrip(), encoding="utf-8")
    (tmp_path / "tests" / "devices" / "test_stored_platform.py").write_text(TEST.lstrip(), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, "tests/devices/test_stored_platform.py", *HOUSE], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "18 passed" in ran.stdout
