"""Units: what a paper writes becomes what the formulas want, and nothing else is let in."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transduce import units

from . import ALGEBRA

SIZES = {
    "rate": {"Hz": math.tau, "kHz": math.tau * 1e3, "MHz": math.tau * 1e6, "GHz": math.tau * 1e9, "THz": math.tau * 1e12},
    "event rate": {"/s": 1.0},
    "power": {"W": 1.0, "mW": 1e-3, "uW": 1e-6, "nW": 1e-9, "pW": 1e-12},
    "temperature": {"K": 1.0, "mK": 1e-3, "uK": 1e-6},
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12},
    "length": {"m": 1.0, "km": 1e3},
    "loss": {"dB": 1.0},
    "attenuation": {"dB/km": 1e-3},
    "dispersion": {"ps^2/km": 1e-27},
    "conductance": {"W/K": 1.0, "W/K^3": 1.0, "W/K^2.5": 1.0},
    "angle": {"rad": 1.0},
    "number": {},
}
"""Written a second time, by hand: dimension -> unit -> its size in SI, rates angular."""
EVERY = [(dimension, unit, size) for dimension, sizes in SIZES.items() for unit, size in sizes.items()]
DIMENSIONS = list(SIZES)


def close(value: float, wanted: float) -> bool:
    return math.isclose(value, wanted, rel_tol=ALGEBRA, abs_tol=0.0)


@pytest.mark.parametrize(("dimension", "unit", "size"), EVERY)
@pytest.mark.parametrize(("text", "number"), [("1.5", 1.5), ("-2", -2.0), ("+.25", 0.25), ("3.", 3.0), ("2.5e-3", 0.0025), ("4E+2", 400.0)])
def test_every_unit_is_read(dimension, unit, size, text, number):
    for written in (f"{text} {unit}", f"{text}{unit}", f"  {text}  {unit} "):
        quantity = units.parse(written, dimension)
        assert close(quantity.value, number * size), written
        assert quantity.dimension == dimension


@pytest.mark.parametrize(("dimension", "unit", "size"), [row for row in EVERY if row[1].isidentifier()])
def test_the_names_of_python_agree_with_files(dimension, unit, size):
    assert close(getattr(units, unit), size)


def test_an_event_rate_is_not_angular():
    assert units.parse("2e8 /s", "event rate").value == 2e8 * units.per_second == 2e8


def test_constants_are_codata():
    from scipy import constants

    assert math.isclose(units.hbar, constants.hbar, rel_tol=1e-9)  # CODATA prints ten digits
    assert (units.k_B, units.c_0) == (constants.k, constants.c)


def test_dbm():
    for dbm, watt in [(0, 1e-3), (30, 1.0), (-20, 1e-5), (-90.5, 10**-12.05)]:
        assert close(units.parse(f"{dbm} dBm", "power").value, watt)
    with pytest.raises(ValueError, match=r'must be a loss, such as "1.5 dB"'):
        units.parse("3 dBm", "loss")


def test_a_power_too_large_to_be_a_number_is_refused_in_words():
    with pytest.raises(ValueError, match="must be"):
        units.parse("1e6 dBm", "power")


@pytest.mark.parametrize(("text", "exponent"), [("22 W/K", 1.0), ("22 W/K^3", 3.0), ("22 W/K^2.5", 2.5)])
def test_conductance_carries_its_exponent(text, exponent):
    assert units.parse(text, "conductance") == units.Quantity(22.0, "conductance", exponent)
    assert units.canonical(22.0, "conductance", exponent) == (22.0, text.split()[1] + "^1" * (exponent == 1))


def test_only_a_conductance_has_an_exponent():
    assert units.parse("1 W", "power").exponent is None
    assert units.parse("0.5", "number") == units.Quantity(0.5, "number", None)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_units_of_every_other_dimension_are_refused(dimension):
    for other, unit, _ in EVERY:
        if other != dimension:
            with pytest.raises(ValueError, match=f"must be an? {dimension}, such as "):
                units.parse(f"1 {unit}", dimension)


@pytest.mark.parametrize("dimension", [dimension for dimension in DIMENSIONS if dimension != "number"])
def test_a_missing_unit_is_refused_and_the_right_form_shown(dimension):
    with pytest.raises(ValueError, match="needs a unit, such as ") as refusal:
        units.parse("1.5", dimension)
    assert str(refusal.value) == f"needs a unit, such as {units.example(dimension)}, but is '1.5'"


def test_the_message_in_full():
    with pytest.raises(ValueError) as refusal:
        units.parse("2 mW", "rate")
    assert str(refusal.value) == "must be a rate, such as \"1.5 MHz\", but is '2 mW'"


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_example_is_itself_right(dimension):
    for form in units.example(dimension).split(" or "):
        assert math.isfinite(units.parse(form.strip('"'), dimension).value)


NO_NUMBERS = ["", " ", "MHz", "nan MHz", "inf MHz", "1,5 MHz", "1.5e MHz", "--1 MHz", "0x10 MHz", "1_000 MHz", ". MHz", "1\n2"]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError):
        units.parse(text, "rate")


@pytest.mark.parametrize("text", ["1 mhz", "1 MHZ", "1 MHz MHz", "1 rad/s", "1 1/s", "1 µs", "1 M Hz", "1 MHz; 2"])
def test_the_list_is_closed(text):
    with pytest.raises(ValueError, match="must be a rate"):
        units.parse(text, "rate")


@pytest.mark.parametrize("dimension", [dimension for dimension in DIMENSIONS if dimension != "conductance"])
@given(value=st.floats(1e-30, 1e30))
def test_canonical_is_read_back(dimension, value):
    number, unit = units.canonical(value, dimension)
    written = repr(number) if dimension == "number" else f"{number!r} {unit}"
    assert close(units.parse(written, dimension).value, value)


def test_canonical_states_ordinary_frequencies():
    assert units.canonical(units.MHz, "rate") == (1e6, "Hz")
    number, unit = units.canonical(0.2 / 1e3, "attenuation")
    assert close(number, 0.2) and unit == "dB/km"
    assert units.canonical(0.5, "number") == (0.5, "1")
    assert close(units.to_hz(5 * units.GHz), 5e9)


@pytest.mark.parametrize(
    ("value", "dimension", "shown"),
    [
        (1.5 * units.MHz, "rate", "1.5 MHz"),
        (1 * units.MHz, "rate", "1 MHz"),
        (-999 * units.kHz, "rate", "-999 kHz"),
        (0.01 * units.Hz, "rate", "0.01 Hz"),
        (0.0, "rate", "0 Hz"),
        (0.0, "temperature", "0 K"),
        (0.06, "temperature", "60 mK"),
        (300e-6, "time", "300 us"),
        (1e-5, "power", "10 uW"),
        (2e8, "event rate", "2e+08 /s"),
        (0.2e-3, "attenuation", "0.2 dB/km"),
        (12345.0, "length", "12.35 km"),
        (math.inf, "rate", "inf"),
        (math.nan, "power", "nan"),
        (0.123456, "number", "0.1235"),
        (22.0, "conductance", "22"),
    ],
)
def test_show(value, dimension, shown):
    assert units.show(value, dimension) == shown


@given(value=st.floats(1e-9, 1e12), dimension=st.sampled_from(["rate", "power", "temperature", "time", "length"]))
def test_what_is_shown_is_read_back(value, dimension):
    shown = units.show(value, dimension, digits=12)
    assert math.isclose(units.parse(shown, dimension).value, value, rel_tol=1e-11)  # twelve digits are shown
