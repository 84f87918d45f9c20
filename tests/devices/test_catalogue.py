"""The library: every class reachable by its kind, every value with its status and source, reported figures against recomputed ones."""

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest
import scipy.linalg

from transduce import programs
from transduce.devices import catalogue, entry
from transduce.devices.base import AbstractDevice
from transduce.devices.recompute import capacities, figures, recomputed
from transduce.link.base import AbstractStage
from transduce.link.wavepacket import AbstractWavepacket
from transduce.parameters import fields_of
from transduce.qubit.encodings import AbstractEncoding
from transduce.report import record
from transduce.study.config import stage_kinds
from transduce.units import GHz, MHz, ns

COMPLETE = {"jiang-2023", "membrane-example", "mirhosseini-2020", "sahu-2022"}
PUMPS = {"pump_power", "pump_photons", "cooperativity"}


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
    assert {"electro-optic", "electro-optomechanical", "piezo-optomechanical"} <= set(catalogue.kinds(AbstractDevice))
    assert {"sech", "gaussian", "decaying", "rising", "tabulated"} <= set(catalogue.kinds(AbstractWavepacket))
    assert {"single-rail", "dual-rail", "time-bin"} <= set(catalogue.kinds(AbstractEncoding))
    assert {"fibre", "switch", "loss", "filter"} <= set(stage_kinds())


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


def test_the_library_holds_the_record():
    entries = [catalogue.entry(name) for name in entry.library()]
    assert sum(bool(one.reported) and bool(one.doi or one.arxiv) for one in entries) >= 25
    assert set(catalogue.names()) == COMPLETE
    assert all(one.reported or one.note for one in entries if one.year)
    assert all(one.year == 0 or (one.name.endswith(str(one.year)) and str(one.year) in one.citation) for one in entries)


@pytest.mark.parametrize("name", entry.library())
def test_every_entry_states_its_class_and_what_it_lacks(name):
    """Fields and points are of the class and in its units; with ``missing`` they are all that it needs, one pump each."""
    found = catalogue.entry(name)
    values = catalogue.quantities(found)
    assert all(catalogue.quantities(found, point) is not None for point in found.points)
    if not found.kind:
        assert not found.complete
        return
    cls: Any = catalogue.kinds(AbstractDevice)[found.kind]
    known = fields_of(cls)
    known_or_missing = {*values, *found.missing}
    needed = {item.name for item in dataclasses.fields(cls) if item.default is dataclasses.MISSING}
    assert set(found.missing) <= set(known) and needed <= known_or_missing
    for side in ("", "_e", "_o"):
        pumps = {pump + side for pump in PUMPS if pump + side in known}
        assert len(pumps & known_or_missing) == bool(pumps)


@pytest.mark.parametrize("name", sorted(set(entry.library()) - COMPLETE))
def test_what_lacks_something_says_so(name):
    found = catalogue.entry(name)
    with pytest.raises(ValueError, match=f"device: '{name}' must have") as error:
        catalogue.device(name)
    assert all(key in str(error.value) for key in found.missing) and recomputed(found) == {} and found.lacks in str(error.value)


def test_what_is_missing_may_be_stated():
    device: Any = catalogue.device("han-2020", pump_photons=1e6)
    pairs = device.cooperativities()
    reported = catalogue.entry("han-2020").reported["cooperativity_em"]
    assert float(pairs["microwave-mechanical"]) == pytest.approx(reported.value, rel=reported.tolerance)
    with pytest.raises(ValueError, match="must have frequency_m, but no source gives frequency_m, pump_power; state them here"):
        catalogue.device("weaver-2024", pump_photons=230.0)


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_reported_against_recomputed(name):
    """Each figure that is recomputed lies within its tolerance, or its entry has the reason why it is not asked to."""
    found = catalogue.entry(name)
    again = recomputed(found)
    assert again and all(np.isfinite(value) for value in again.values())
    for key, reported in found.reported.items():
        if key in again:
            assert (reported.tolerance is None) == bool(reported.reason), key
            if reported.tolerance is not None:
                wanted = entry.number(reported.value, entry.FIGURES[entry.figure(key)][0])
                assert again[key] == pytest.approx(wanted, rel=reported.tolerance), key


def test_how_much_is_reproduced():
    held = {name: sum(value.tolerance is not None for value in catalogue.entry(name).reported.values()) for name in COMPLETE}
    assert held == {"jiang-2023": 5, "membrane-example": 0, "mirhosseini-2020": 1, "sahu-2022": 3}


def test_recomputed_figures_by_closed_forms():
    """Resonant efficiencies and rates by hand, from the numbers of the files."""
    sahu, mirhosseini = recomputed(catalogue.entry("sahu-2022")), recomputed(catalogue.entry("mirhosseini-2020"))
    for key, c in (("efficiency", 0.226), ("efficiency_max", 0.868)):
        closed = 5.63 / 13.73 * 0.608 * 14.91 / 25.71 * 4 * c / (1 + c) ** 2
        assert sahu[key] == pytest.approx(closed, rel=1e-10)
    assert mirhosseini["optomechanical_rate"] == pytest.approx(4 * 44 * 0.42**2 / 1610 * MHz, rel=1e-10)
    assert mirhosseini["cooperativity_em"] == pytest.approx(4 * 2404**2 / (304.9 * 446), rel=1e-10)
    assert "efficiency" not in mirhosseini and "added_noise_up" not in mirhosseini  # a transmon has no port


def test_mirhosseini_2020_swaps_as_reported():
    """One excitation of the pair of modes after 104 ns, by the matrix exponential of the device's own rates: 0.78 for 0.75 +- 0.03."""
    device: Any = catalogue.device("mirhosseini-2020")
    drift = -np.diag([float(device.kappa_e_int), float(device.gamma_m)]) / 2 - 1j * float(device.g_pe) * np.array([[0, 1], [1, 0]])
    swapped = abs(scipy.linalg.expm(drift * 104 * ns)[1, 0]) ** 2
    assert swapped == pytest.approx(catalogue.entry("mirhosseini-2020").reported["efficiency_swap"].value, rel=0.06)


def test_kept_programs_do_not_mix_classes(tmp_path):
    """A piezo and a membrane device have as many numbers; the programs that are kept for them are still their own."""
    names = ("jiang-2023", "membrane-example")
    with programs.kept(tmp_path, "key"):
        kept = [figures(catalogue.device(name))["efficiency"] for name in names]
    assert kept == pytest.approx(
        [recomputed(catalogue.entry("jiang-2023"))["efficiency"], 0.9**2 * 0.8 * 4 * 1280 * 1440 / 2721**2], rel=1e-8
    )


def test_overrides():
    device: Any = catalogue.device("sahu-2022", kappa_e_ext=7 * MHz, pump_photons=1e9, temperature_e_ext=0.01)
    assert float(device.kappa_e_ext) == 7 * MHz and device.pump_power is None and device.n_e_ext is None
    assert float(device.frequency_e) == pytest.approx(8.795 * GHz)
    with pytest.raises(ValueError, match=r"ElectroOptic\.kappa_e_ext must be at least 0"):
        catalogue.device("sahu-2022", kappa_e_ext=-1.0)
    with pytest.raises(ValueError, match=r"the nearest is 'sahu-2022'"):
        catalogue.device("sahu2022")


TEXT = (entry.LIBRARY / "jiang-2023.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('status = "primary", tolerance = 0.2', 'status = "seen"', "made-up.toml: reported.efficiency.status: Input should be 'primary'"),
        ("year = 2023", "", "made-up.toml: year: Field required"),
        ("year = 2023", 'year = 2023\ncolour = "red"', "made-up.toml: colour: Extra inputs are not permitted"),
        ("bandwidth_fwhm", "bandwith", "bandwith must be a known figure; the nearest is bandwidth_fwhm"),
        ('"1.5 MHz"', "1.5e6", "bandwidth_fwhm needs a unit"),
        ('"1.5 MHz"', '"1.5 mW"', "bandwidth_fwhm must be a rate"),
        ('at = "low"', 'at = "high"', "pump_photons_at_4p4_uw must be at one of low, but is at 'high'"),
        ("[source]\nprimary", "[source]\nsecondary", "must have its source, but source.primary is not there"),
        (', note = "frequency_e less frequency_m, both primary"', "", "detuning_e must have a note"),
        ('kind = "', 'missing = ["g_pe"]\nkind = "', "missing must not list g_pe, which is a field"),
        ("tolerance = 0.2", 'tolerance = 0.2, reason = "both"', "must have either a tolerance or a reason"),
        ('value = 0.049, status = "primary"', 'value = 0.049, status = "recalled"', "a tolerance only where it is evidence"),
        ("[fields]", "[fields", "made-up.toml: is not TOML"),
    ],
)
def test_a_bad_entry_is_one_clear_line(old, new, what):
    assert old in TEXT
    with pytest.raises(ValueError) as error:
        entry.load("made-up", TEXT.replace(old, new, 1))
    assert what in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("g_pe = ", "g_em = ", "made-up.toml: g_em must be a field of its class"),
        ('"561 MHz"', '"-561 MHz"', "made-up.toml: kappa_o_ext must be at least 0 Hz"),
        ('kind = "piezo-optomechanical"', 'kind = "piezo"', "made-up.toml: kind must be one of"),
    ],
)
def test_a_bad_field_is_one_clear_line(old, new, what):
    with pytest.raises(ValueError, match=what):
        catalogue.quantities(entry.load("made-up", TEXT.replace(old, new, 1)))


def test_a_new_file_is_a_new_entry(tmp_path, monkeypatch):
    text = (entry.LIBRARY / "sahu-2022.toml").read_text(encoding="utf-8").replace("5.63 MHz", "6 MHz")
    (tmp_path / "made-up.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(entry, "LIBRARY", tmp_path)
    assert catalogue.names() == ("made-up",)
    assert float(catalogue.device("made-up").kappa_e_ext) == pytest.approx(6 * MHz)


def test_the_picture_leaves_out_what_is_no_evidence():
    """Drawn are the operating points with a port-to-port efficiency that was read; pairs are of one point."""
    rows = {name: record.row(catalogue.entry(name)) for name in ("andrews-2014", "brubaker-2022", "zhao-2025", "sahu-2022")}
    assert record._points(rows["andrews-2014"]) == [{"reported": {}, "recomputed": {}}]
    low = [point["reported"] for point in record._points(rows["zhao-2025"])]
    assert low == [
        {"efficiency": 0.022, "bandwidth": pytest.approx(86e3), "added noise": 0.94},
        {"efficiency": 0.0047, "bandwidth": pytest.approx(100e3), "added noise": 0.58},
    ]
    brubaker = [point["reported"] for point in record._points(rows["brubaker-2022"])]
    assert {"efficiency": 0.47} in brubaker and {"efficiency": 0.38, "bandwidth": pytest.approx(220.0)} in brubaker
    png = record.picture(rows, {"efficiency": 0.9, "bandwidth": 1e7, "added noise": 0.1})
    assert png.startswith(b"\x89PNG") and len(png) > 10_000


def test_what_a_device_can_carry():
    """Today's are below half efficiency or above a photon of noise: no qubit gets through one way. Without a port, there is no answer."""
    known = capacities(entry.entry("sahu-2022"))
    assert set(known) == {"capacity_lower", "capacity_upper", "capacity_share"} and set(known.values()) == {0.0}
    assert capacities(entry.entry("mirhosseini-2020")) == capacities(entry.entry("han-2020")) == {}
