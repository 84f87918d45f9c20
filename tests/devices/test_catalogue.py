"""The library: every class reachable by its kind, every value with its status and source, reported figures against recomputed ones."""

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.optimize

from transduce import programs
from transduce.devices import catalogue, entry
from transduce.devices.base import AbstractDevice
from transduce.devices.heating import LinearHeating
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
    assert held == {"jiang-2023": 5, "membrane-example": 0, "mirhosseini-2020": 1, "sahu-2022": 1}


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_agreement_that_vouches_for_nothing_has_no_tolerance(name):
    """A figure that moves when an assumed or recalled field of its point moves is not judged: that field may have been set by it."""
    found = catalogue.entry(name)
    again = recomputed(found)
    for key, reported in found.reported.items():
        if reported.tolerance is not None and key in again:
            stated = {**found.fields, **found.points.get(reported.at, {})}
            there = catalogue.quantities(found, reported.at) if reported.at else {}
            values = catalogue.merged(catalogue.quantities(found), there)
            for field in [field for field in values if stated[field].status in ("assumed", "recalled")]:
                moved = {**there, field: 1.1 * values[field] if values[field] else 0.1}
                assert figures(catalogue.device(name, **moved))[entry.figure(key)] == pytest.approx(again[key], rel=1e-10), (key, field)


def test_a_noise_of_one_direction_is_named_by_it():
    reported = [(key, value) for name in entry.library() for key, value in entry.entry(name).reported.items()]
    vague = [value.note for key, value in reported if entry.figure(key) in ("added_noise", "noise_output")]
    assert vague and all("the direction is not stated" in note for note in vague)


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
    with pytest.raises(ValueError, match=r"the nearest is 'sahu-2022'"):
        catalogue.device("SAHU-2022")
    law = LinearHeating(occupation=0.1)
    heated: Any = catalogue.device("sahu-2022", heating=law)
    assert heated.heating is law and heated.heating_conductance is None and float(heated.heating_exponent) == 3.0


TEXT = (entry.LIBRARY / "jiang-2023.toml").read_text(encoding="utf-8")
CONDUCTANCE = 'heating_conductance = { value = "22 W/K^2", status = "assumed" }'
EXPONENT = 'heating_exponent = { value = 3.0, status = "assumed" }'
HEADER = 'title = "t"\ncitation = "c"\nyear = 2023\nplatform = "p"\nkind = "electro-optic"\n'


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
        ("year = 2023", f"year = {'9' * 5000}", "made-up.toml: is not TOML"),
        ("year = 2023", f"year = {'[' * 5000}{']' * 5000}", "made-up.toml: is nested too deeply"),
        ("year = 2023", 'year = 2023\nname = "other"', "made-up.toml: name must not be stated"),
        ("[fields]", "[options]\nstokes = 1.5\n[fields]", "made-up.toml: options.stokes"),
        ("value = 0.049", "value = nan", "reported: efficiency must be finite and at least 0, but is nan"),
        ("value = 0.049", "value = -0.5", "efficiency must be finite and at least 0, but is -0.5"),
        ('"1.5 MHz"', '"-3 MHz"', "bandwidth_fwhm must be finite and at least 0, but is '-3 MHz'"),
        ('"1.5 MHz"', '"1e999 MHz"', "bandwidth_fwhm must be finite and at least 0, but is '1e999 MHz'"),
        ("[fields]", f"[fields]\n{CONDUCTANCE}\n{EXPONENT}", "fields: heating_conductance must be in W/K^3.0, as heating_exponent"),
        ("[fields]", f"[points.a]\n{EXPONENT}\n[fields]\n{CONDUCTANCE}", "heating_conductance must be in W/K^3.0, as"),
        ("[fields]", f"[fields]\n{CONDUCTANCE.replace('W', 'J')}", "made-up.toml: fields: heating_conductance must be a conductance"),
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
        ('kind = "piezo', 'missing = ["foo"]\nkind = "piezo', "made-up.toml: missing must name fields of its class, but names foo"),
        ("[points.low]", "[points.low]\ng_em = { value = 1, status = 'assumed' }", r"made-up.toml: points.low.g_em must be a field"),
        ('value = "4.4 uW"', 'value = "-4.4 uW"', r"made-up.toml: points.low.pump_power must be at least 0 W, but"),
        ("[fields]", "[fields]\npump_photons = { value = 1, status = 'assumed' }", r"made-up.toml: PiezoOptomechanical must have"),
        ("[fields]", "[options]\nfoo = true\n[fields]", r"made-up.toml: options.foo must be an option of its class, model or supermode"),
        ("[fields]", "[options]\nsupermode = 1\n[fields]", r"made-up.toml: options.supermode must be true or false, but is 1"),
        ("[fields]", "[options]\nmodel = 'half'\n[fields]", r"made-up.toml: options.model must be 'rotating-wave' or 'full', but"),
        (TEXT, HEADER, "made-up.toml: fields must have kappa_e_ext, kappa_e_int, .*, or missing must name them"),
    ],
)
def test_what_is_none_of_the_class_is_one_clear_line(old, new, what):
    assert old in TEXT
    with pytest.raises(ValueError, match=what) as error:
        catalogue.check(entry.load("made-up", TEXT.replace(old, new, 1)))
    assert "\n" not in str(error.value)


def test_a_new_file_is_a_new_entry(tmp_path, monkeypatch):
    text = (entry.LIBRARY / "sahu-2022.toml").read_text(encoding="utf-8").replace("5.63 MHz", "6 MHz")
    (tmp_path / "made-up.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(entry, "LIBRARY", tmp_path)
    assert catalogue.names() == ("made-up",)
    assert float(catalogue.device("made-up").kappa_e_ext) == pytest.approx(6 * MHz)


RATES = "\n".join(f'{key} = {{ value = "{rate}", status = "assumed" }}' for key, rate in {
    **{"kappa_e_ext": "1 MHz", "kappa_e_int": "0.1 MHz", "kappa_o_ext": "1 MHz", "kappa_o_int": "0.1 MHz"},
}.items())  # fmt: skip
NUMBERS = """cooperativity = { value = 1e-3, status = "assumed" }
duty_cycle = { value = 0.25, status = "assumed" }
[points.best]
cooperativity = { value = 0.8, status = "assumed" }
[reported]
efficiency = { value = 0.8, status = "assumed", at = "best" }
bandwidth_fwhm = { value = "1 MHz", status = "assumed" }
bandwidth_fwhm_best = { value = "2 MHz", status = "assumed", at = "best" }
added_noise_up = { value = 0.1, status = "assumed" }
"""


def stored(folder: Any, monkeypatch: Any, name: str, text: str) -> entry.Entry:
    """An entry of a library of its own."""
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(entry, "LIBRARY", folder)
    return catalogue.entry(name)


def test_capacity_is_that_of_the_reported_point_and_counts_the_duty_cycle(tmp_path, monkeypatch):
    """Pure loss: the integral of max(0, log2 eta / (1 - eta)) over dw / 2 pi, by adaptive quadrature in MHz."""
    known = capacities(stored(tmp_path, monkeypatch, "made-up-pulsed", f"{HEADER}[fields]\n{RATES}\n{NUMBERS}"))
    g = 1.1 * np.sqrt(0.8) / 2

    def bits(f: float) -> float:
        eta = abs(g / ((1.1 / 2 - 1j * f) ** 2 + g**2)) ** 2
        return float(np.log2(eta / (1 - eta)))

    edge = scipy.optimize.brentq(bits, 0.1, 2)
    area, _ = scipy.integrate.quad(bits, -edge, edge, epsrel=1e-12)
    assert known["capacity_lower"] == pytest.approx(0.25 * area * 1e6, rel=1e-8)  # the quadrature's step in capacity_rate
    assert known["capacity_upper"] == pytest.approx(known["capacity_lower"], rel=1e-12) and 0 < known["capacity_share"] < 1


def test_a_conductance_says_its_exponent_by_its_unit(tmp_path, monkeypatch):
    text = f"{HEADER}[fields]\n{RATES}\n{CONDUCTANCE}\npump_power = {{ value = '1 W', status = 'assumed' }}\n"
    found = stored(tmp_path, monkeypatch, "made-up-square", f"{text}g0 = {{ value = '1 kHz', status = 'assumed' }}")
    made: Any = catalogue.device("made-up-square")
    assert float(made.heating_exponent) == 2.0 and float(made.heating_conductance) == 22.0
    assert found.fields["heating_exponent"].status == "assumed"


def test_an_option_may_be_a_whole_number(tmp_path, monkeypatch):
    stored(tmp_path, monkeypatch, "made-up-whole", f"{HEADER}[options]\nazimuthal_number = 3\n[fields]\n{RATES}\n{NUMBERS}")
    made: Any = catalogue.device("made-up-whole")
    assert made.azimuthal_number == 3


def test_a_row_is_of_one_operating_point_or_says_so():
    rows = {name: record.row(catalogue.entry(name)) for name in ("brubaker-2022", "zhao-2025", "weaver-2024")}
    cells = {name: [record._cell(row, column) for column in record.COLUMNS] for name, row in rows.items()}
    assert cells == {
        "brubaker-2022": ["0.47", "220 Hz*", "3.2 up*"],
        "zhao-2025": ["0.022", "86 kHz", "0.94 up"],
        "weaver-2024": ["0.009", "-", "6.2"],  # 14.8 MHz is a splitting
    }
    made_up = entry.load("made-up", HEADER.replace('kind = "electro-optic"', "") + f"[fields]\n{NUMBERS}")
    assert [record._cell(record.row(made_up), column) for column in record.COLUMNS] == ["0.8", "2 MHz", "0.1 up*"]
    assert "*: of another operating point" in str(record.table(rows).caption)


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
