"""Units at the edge: the only file that knows 2 pi.

Inside, every rate is angular (rad/s) and everything else is SI. A paper's ``kappa / 2 pi = 1.5 MHz`` is written ``1.5 * MHz`` in
Python and ``"1.5 MHz"`` in a file; both are ``2 pi x 1.5e6`` rad/s. Event rates (pairs, dark counts, repetitions) are not angular:
``2e8 * per_second`` or ``"2e8 /s"``. A dimension refuses the units of every other one.
"""

import math
import re
from typing import NamedTuple

k_B = 1.380649e-23  # J / K, exact by the SI
c_0 = 299792458.0  # m / s, exact by the SI

Hz = 2 * math.pi
hbar = 6.62607015e-34 / Hz  # J s, exact by the SI
kHz, MHz, GHz, THz = 1e3 * Hz, 1e6 * Hz, 1e9 * Hz, 1e12 * Hz
per_second = 1.0
W, mW, uW, nW, pW = 1.0, 1e-3, 1e-6, 1e-9, 1e-12
K, mK, uK = 1.0, 1e-3, 1e-6
s, ms, us, ns, ps = 1.0, 1e-3, 1e-6, 1e-9, 1e-12
m, km = 1.0, 1e3
dB = 1.0
rad = 1.0

_UNITS: dict[str, dict[str, float]] = {
    "rate": {"Hz": Hz, "kHz": kHz, "MHz": MHz, "GHz": GHz, "THz": THz},
    "event rate": {"/s": per_second},
    "power": {"W": W, "mW": mW, "uW": uW, "nW": nW, "pW": pW},
    "temperature": {"K": K, "mK": mK, "uK": uK},
    "time": {"s": s, "ms": ms, "us": us, "ns": ns, "ps": ps},
    "length": {"m": m, "km": km},
    "loss": {"dB": dB},
    "attenuation": {"dB/km": dB / km},
    "dispersion": {"ps^2/km": ps**2 / km},
    "conductance": {},  # W/K^q: the exponent is the heating law's
    "angle": {"rad": rad},
    "number": {},
}
"""dimension -> unit -> its size inside. The first unit is the one that files and JSON are written in."""

DIMENSIONS = tuple(_UNITS)

_QUANTITY = re.compile(r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(\S.*?)?\s*")
_CONDUCTANCE = re.compile(r"W/K(?:\^([0-9]+(?:\.[0-9]+)?))?")
_EXAMPLES = {"power": '"10 mW" or "-20 dBm"', "conductance": '"22 W/K^3"', "number": "0.5"}


class Quantity(NamedTuple):
    """A number inside, its dimension, and for a conductance W/K^q the exponent q (else None)."""

    value: float
    dimension: str
    exponent: float | None = None


def example(dimension: str) -> str:
    """How a quantity of this dimension is written in a file, as an error message shows it."""
    if dimension in _EXAMPLES:
        return _EXAMPLES[dimension]
    names = list(_UNITS[dimension])
    return f'"1.5 {names[min(2, len(names) - 1)]}"'


def parse(text: str, dimension: str) -> Quantity:
    """Read ``"1.5 MHz"`` as a quantity of the dimension.

    Args:
        text: a number and a unit of the closed list.
        dimension: the one that is wanted, a key of the list: "rate", "power", ...

    Raises:
        ValueError: no number, no unit, or a unit of another dimension; the message shows the right form.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a number and a unit, such as {example(dimension)}, but is {text!r}")
    number, unit = float(match[1]), match[2]
    if unit is None and dimension != "number":
        raise ValueError(f"needs a unit, such as {example(dimension)}, but is {text!r}")
    if unit is None:
        return Quantity(number, dimension)
    if dimension == "power" and unit == "dBm" and number < 3000:
        return Quantity(1e-3 * 10 ** (number / 10), dimension)
    if dimension == "conductance" and (found := _CONDUCTANCE.fullmatch(unit)):
        return Quantity(number, dimension, float(found[1] or 1))
    if unit not in _UNITS[dimension]:
        raise ValueError(f"must be {'an' if dimension[0] in 'aeiou' else 'a'} {dimension}, such as {example(dimension)}, but is {text!r}")
    return Quantity(number * _UNITS[dimension][unit], dimension)


def canonical(value: float, dimension: str, exponent: float | None = None) -> tuple[float, str]:
    """The number and the unit in which files and JSON state it: rates as ordinary frequencies in Hz."""
    if dimension == "conductance":
        return value, "W/K" if exponent is None else f"W/K^{exponent:g}"
    if dimension == "number":
        return value, "1"
    unit, size = next(iter(_UNITS[dimension].items()))
    return value / size, unit


def show(value: float, dimension: str, digits: int = 4) -> str:
    """A quantity for people: the unit of the list that brings the number nearest to 1 to 1000.

    >>> show(1.5 * MHz, "rate")
    '1.5 MHz'
    """
    units = sorted(_UNITS[dimension].items(), key=lambda item: item[1])
    if not math.isfinite(value) or not units:
        return f"{value:.{digits}g}"
    fitting = [(name, size) for name, size in units if abs(value) >= size * (1 - 1e-12)]
    name, size = (fitting[-1] if fitting else units[0]) if value else next(iter(_UNITS[dimension].items()))
    return f"{value / size:.{digits}g} {name}"


def to_hz(omega):
    """An angular rate (rad/s) as an ordinary frequency (Hz), for everything that leaves: results, JSON, plots."""
    return omega / Hz
