"""The library: every class reachable by its kind, every value with its status as the literature notes have it, new files found."""

import dataclasses
import inspect
from typing import Any

import pytest

from transduce.devices import catalogue
from transduce.devices.base import AbstractDevice
from transduce.link.base import AbstractStage
from transduce.link.wavepacket import AbstractWavepacket
from transduce.qubit.encodings import AbstractEncoding
from transduce.study.config import stage_kinds
from transduce.units import GHz, MHz, kHz, uW


def final_classes(base: type) -> set[type]:
    found: set[type] = set()
    child: type
    for child in base.__subclasses__():
        found |= final_classes(child) | (set() if inspect.isabstract(child) else {child})
    return {cls for cls in found if cls.__module__.startswith("transduce.")}


@pytest.mark.parametrize("base", [AbstractDevice, AbstractStage, AbstractWavepacket, AbstractEncoding])
def test_each_final_class_is_reachable(base):
    known = catalogue.kinds(base)
    assert set(known.values()) == final_classes(base)
    assert all(catalogue.kebab(cls.__name__) == name for name, cls in known.items())


def test_kinds_by_name():
    assert set(catalogue.kinds(AbstractDevice)) == {"electro-optic", "electro-optomechanical", "piezo-optomechanical"}
    assert {"sech", "gaussian", "decaying", "rising", "tabulated"} <= set(catalogue.kinds(AbstractWavepacket))
    assert set(catalogue.kinds(AbstractEncoding)) == {"single-rail", "dual-rail", "time-bin"}
    assert set(stage_kinds()) == {"fibre", "switch", "loss", "filter"}


def test_statuses_are_those_of_the_sources():
    sahu, jiang = catalogue.entry("sahu-2022"), catalogue.entry("jiang-2023")
    statuses = {key: value.status for key, value in sahu.fields.items()}
    assert statuses == {
        **{"frequency_e": "secondary", "frequency_o": "assumed", "kappa_e_ext": "derived", "kappa_e_int": "secondary"},
        **{"kappa_o_ext": "derived", "kappa_o_int": "secondary", "mode_match": "derived", "g0": "recalled", "pump_power": "assumed"},
        **{"temperature": "secondary", "n_e_ext": "assumed", "heating_conductance": "assumed", "heating_exponent": "assumed"},
    }
    derived = {"kappa_e_int", "kappa_o_int", "detuning_e"}
    assert {key: value.status for key, value in jiang.fields.items()} == {
        key: "derived" if key in derived else "primary" for key in jiang.fields
    }
    assert {value.status for value in catalogue.entry("membrane-example").fields.values()} == {"assumed"}
    assert sahu.doi == "10.1038/s41467-022-28924-2" and jiang.arxiv == "2210.10739"


@pytest.mark.parametrize("name", catalogue.names())
def test_every_entry_is_a_stable_device_with_known_statuses(name):
    entry = catalogue.entry(name)
    device = catalogue.device(name)
    assert entry.title and entry.citation and set(entry.fields) <= {field.name for field in dataclasses.fields(device)}
    assert {value.status for value in (*entry.fields.values(), *entry.reported.values())} <= set(catalogue.STATUSES)
    assert float(device.stability_margin()) > 0 and 0 < float(device.efficiency()) < 1


def test_jiang_2023_against_its_reported_numbers():
    device, reported = catalogue.device("jiang-2023"), catalogue.entry("jiang-2023").reported
    for power, photons in ((10.2 * uW, reported["pump_photons"].value), (4.4 * uW, reported["pump_photons_at_4p4_uw"].value)):
        assert float(catalogue.device("jiang-2023", pump_power=power).drives()["optical"].photons) == pytest.approx(photons, rel=0.02)
    rate = 4 * float(device.drives()["optical"].coupling) ** 2 / float(device.kappa_o_ext + device.kappa_o_int)
    assert rate == pytest.approx(327 * kHz, rel=0.02)
    assert float(device.bandwidth_fwhm()) == pytest.approx(1.5 * MHz, rel=0.08)
    assert float(device.efficiency()) == pytest.approx(reported["efficiency"].value, rel=0.2)


def test_sahu_2022_added_noise_at_its_two_points():
    """Pump powers whose efficiency is the reported 8.7 % and that of the largest: 0.16 and 0.41 photons (the law gives 0.159, 0.421)."""
    noise = [float(catalogue.device("sahu-2022", cooperativity=c).added_noise_input()) for c in (0.226, 0.868)]
    assert noise == pytest.approx([0.16, 0.41], rel=0.1)


def test_overrides():
    device: Any = catalogue.device("sahu-2022", kappa_e_ext=7 * MHz, pump_photons=1e9, temperature_e_ext=0.01)
    assert float(device.kappa_e_ext) == 7 * MHz and device.pump_power is None and device.n_e_ext is None
    assert float(device.frequency_e) == pytest.approx(8.795 * GHz)
    with pytest.raises(ValueError, match=r"ElectroOptic\.kappa_e_ext must be at least 0"):
        catalogue.device("sahu-2022", kappa_e_ext=-1.0)
    with pytest.raises(ValueError, match=r"the nearest is 'sahu-2022'"):
        catalogue.device("sahu2022")


def test_a_new_file_is_a_new_entry(tmp_path, monkeypatch):
    text = (catalogue.LIBRARY / "sahu-2022.toml").read_text(encoding="utf-8").replace("5.63 MHz", "6 MHz")
    (tmp_path / "made-up.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(catalogue, "LIBRARY", tmp_path)
    assert catalogue.names() == ("made-up",)
    assert float(catalogue.device("made-up").kappa_e_ext) == pytest.approx(6 * MHz)
