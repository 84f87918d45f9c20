r"""Of papers whose data sheets are incomplete, which reported figures follow from other reported figures of the same paper?

A relation is closed by the model where a part of the sheet is enough: a cooperativity from a coupling and two widths, C = 4 g^2/(k k');
a width from the decay rates where the pump is weak; the splitting of two modes; noise at the output over the efficiency.

Expected, within the tolerances below: the single-photon cooperativity and the bandwidth of Multani 2025; the piezoelectric cooperativity of
Han 2020; both resonators of Rochman 2023, an ensemble's width in place of a decay rate; what Weaver 2024 call bandwidth, as a splitting;
the output noise of Jiang 2023. *Not* reproduced: the other polarisation of Rochman 2023 (0.97 where 1.1 is printed: rounding explains a
few per cent), the bandwidth of Holzgrafe 2020 (10 MHz from a 10 MHz resonator where 13 MHz is printed; the resonator's width at that pump
is not known to us), and 14.8 MHz as the width of one peak of Weaver 2024 (3 MHz). ``implied`` is what else the reported figures ask for,
with no reported counterpart: no test. ``LEFT_OUT`` says why other papers do not count.

Source: the papers by name in ``transduce/devices/library``; primary and secondary values only, or differences of such.
Run: ``python experiments/e07_shares.py`` writes ``figures/e07_shares.png`` and ``.json``.
"""

import math
import pathlib
from typing import Any

import transduce as td
from transduce.devices.catalogue import quantities
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.entry import FIGURES, entry, figure, number
from transduce.report.experiment import captioned, publish, verdict
from transduce.report.plots import BLUE, GREY, VERMILION
from transduce.units import GHz, MHz, to_hz, uW

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e07_shares.png"
EVIDENCE = ("primary", "secondary")

ROCHMAN = ((0, 105 * MHz, 65 * MHz), (1, 2 * GHz, 300 * MHz), (1, 0.98 * GHz, 300 * MHz))
"""Resonator (0 microwave, 1 optical, twice), ensemble coupling and inhomogeneous width; primary, as its entry says."""
HOLZGRAFE_PER_UW = 1.9e-6
"""Efficiency per microwatt, +- 0.4e-6; primary, as the note of its entry says."""

LEFT_OUT = {
    "higginbotham-2018": "an efficiency and a noise, no rates",
    "brubaker-2022": "an efficiency and a noise, no rates; the bandwidth may be of another setting",
    "andrews-2014": "all figures are recalled",
    "fan-2018": "no rates; the internal efficiency is recalled",
    "sahu-2023": "the cooperativity is recalled",
    "kumar-2023": "an efficiency, a width and a noise, no rates",
    "zhu-2020": "nothing has a source",
    "hisatomi-2016": "nothing has a source",
    "stockill-2022": "its one closed relation was computed by the same formula where it was read",
    "jiang-2020": "its one closed relation was computed by the same formula where it was read",
}


def said(name: str, key: str) -> float:
    """A reported figure of an entry, inside units.

    Raises:
        ValueError: it is no evidence.
    """
    value = entry(name).reported[key]
    if value.status not in EVIDENCE:
        raise ValueError(f"{name}: {key} must be {' or '.join(EVIDENCE)}, but is {value.status}")
    return float(number(value.value, FIGURES[figure(key)][0]))


def cooperativity(g: float, kappa: float, other: float) -> float:
    """C of two coupled modes."""
    return float(ElectroOptic(**_split(kappa, other), g0=g, pump_photons=1.0).cooperativities()["microwave-optical"])


def weaver() -> Any:
    """Its sheet, with a weak pump; the frequency that it lacks drops out."""
    return td.device("weaver-2024", frequency_m=5 * GHz, pump_photons=1.0)


def compare() -> list[dict[str, Any]]:
    """Each relation that the model closes: reported, ours, deviation, tolerance and remark."""
    names = ("multani-2025", "holzgrafe-2020", "rochman-2023")
    multani, holzgrafe, rochman = ((said(name, "kappa_e"), said(name, "kappa_o")) for name in names)
    single = cooperativity(float(quantities(entry("multani-2025"))["g0"]), *multani)
    detuned = td.device("multani-2025", **_split(*multani), cooperativity=1e-5)
    spins, light, other = (cooperativity(g, rochman[port], width) for port, g, width in ROCHMAN)
    han, peak = td.device("han-2020", pump_photons=0.0).cooperativities()["microwave-mechanical"], weaver()
    noise = said("jiang-2023", "efficiency") * said("jiang-2023", "added_noise_down")
    weak = ElectroOptic(**_split(*holzgrafe), cooperativity=1e-5)
    return [
        _row("multani-2025", "cooperativity_single_photon", single, 0.1, "reported to one digit"),
        _row("multani-2025", "bandwidth_fwhm", detuned.bandwidth_fwhm(), 0.03, "weak pump, microwave mode 1.708 GHz away"),
        _row("han-2020", "cooperativity_em", han, 0.15, "reported as about 7"),
        _row("rochman-2023", "cooperativity_em", spins, 0.02, "spins and microwaves"),
        _row("rochman-2023", "cooperativity_om", light, 0.02, "spins and light"),
        _row("rochman-2023", "cooperativity_om_perpendicular", other, None, "not explained"),
        _row("weaver-2024", "splitting", 2 * abs(peak.carrier()), 0.03, "of two peaks; the paper calls it a bandwidth"),
        _row("weaver-2024", "splitting", peak.bandwidth_fwhm(), None, "the width of one peak: it is not what is reported"),
        _row("jiang-2023", "noise_output_down", noise, 0.02, "efficiency times noise at the input"),
        _row("holzgrafe-2020", "bandwidth_fwhm", weak.bandwidth_fwhm(), None, "weak pump; the width at that pump is not known to us"),
    ]


def _split(kappa_e: float, kappa_o: float) -> dict[str, Any]:
    """Decay rates where only the totals matter."""
    return {"kappa_e_ext": kappa_e, "kappa_e_int": 0.0, "kappa_o_ext": kappa_o, "kappa_o_int": 0.0}


def _row(device: str, key: str, value: Any, tolerance: float | None, remark: str) -> dict[str, Any]:
    ours, reported, rate = float(value), said(device, key), FIGURES[figure(key)][0] == "rate"
    off = ours / reported - 1
    both = {"reported": float(to_hz(reported)) if rate else reported, "ours": float(to_hz(ours)) if rate else ours}
    known = {"device": device, "name": key, "unit": "Hz" if rate else "", "status": entry(device).reported[key].status, **both}
    within = None if tolerance is None else abs(off) <= tolerance
    return {**known, "relative_deviation": off, "tolerance": tolerance, "within": within, "remark": remark}


def lower_root(internal: float) -> float:
    """C < 1 of an internal efficiency 4C/(1+C)^2."""
    return (2 - internal - 2 * math.sqrt(1 - internal)) / internal


def implied() -> list[dict[str, Any]]:
    """What the reported figures ask for, with no reported counterpart: all derived."""
    hease, xu, arnold = (said(name, "efficiency_internal") for name in ("hease-2020", "xu-2021", "arnold-2020"))
    photons = said("weaver-2024", "efficiency") / float(weaver().efficiency())
    product = to_hz(said("urmey-2025", "efficiency") * said("urmey-2025", "bandwidth_fwhm"))
    root, escape, why = "cooperativity, lower root", "product of both escape efficiencies", "efficiency over internal efficiency"
    found = [
        ("hease-2020", root, lower_root(hease), "internal efficiency"),
        ("hease-2020", escape, said("hease-2020", "efficiency") / hease, why),
        ("xu-2021", root, lower_root(xu), "internal efficiency"),
        ("xu-2021", escape, said("xu-2021", "efficiency") / xu, why),
        ("arnold-2020", escape, said("arnold-2020", "efficiency") / arnold, why),
        ("arnold-2020", "κ/ω_m if of one cavity, at least", 4 * math.sqrt(arnold - 1), "internal efficiency at most 1 + (κ/4ω_m)²"),
        ("weaver-2024", "pump photons, weak pump", photons, "efficiency and the sheet"),
        ("holzgrafe-2020", "microwave escape efficiency", HOLZGRAFE_PER_UW / _holzgrafe(), "efficiency per uW, no hybridised modes"),
        ("urmey-2025", "duty cycle", float(said("urmey-2025", "rate") / product), "rate over efficiency x bandwidth"),
    ]
    return [{"device": device, "name": name, "ours": value, "derived_from": how} for device, name, value, how in found]


def _holzgrafe() -> float:
    """Efficiency at 1 uW were all microwaves to escape."""
    kappa_e = said("holzgrafe-2020", "kappa_e")
    return float(td.device("holzgrafe-2020", pump_power=1 * uW, kappa_e_ext=kappa_e, kappa_e_int=0.0).efficiency())


def compute() -> dict[str, Any]:
    """All numbers of the figure."""
    return {"table": compare(), "implied": implied(), "left_out": LEFT_OUT}


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: ours over reported, and what the figures imply."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 7.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=[1.25, 1])
    _ratios(top, numbers["table"])
    bottom.axis("off")
    bottom.set(xlim=(0, 1), ylim=(len(numbers["implied"]) + 0.5, -1.5))
    lines = [("device", "implied, not reported: no test", "ours", "from")]
    lines += [(row["device"], row["name"], f"{row['ours']:.3g}", row["derived_from"]) for row in numbers["implied"]]
    for place, line in enumerate(lines):
        for x, text in zip((-0.36, -0.18, 0.24, 0.36), line, strict=True):
            bottom.text(x, place - 1, text.replace("uW", "µW"), fontsize=9, weight="bold" if place == 0 else "normal", va="center")
    caption = (
        "Relations between figures of one paper that the model closes though the data sheet is incomplete; values are primary or\n"
        "secondary, as cited in transduce devices NAME; nothing is fitted. Crosses: not reproduced, or shown for what it is not."
    )
    captioned(figure, caption, path)


def _ratios(axes: Any, table: list[dict[str, Any]]) -> None:
    for place, row in enumerate(reversed(table)):
        if row["tolerance"] is not None:
            axes.plot([1 - row["tolerance"], 1 + row["tolerance"]], [place] * 2, color=GREY, linewidth=9, alpha=0.35, solid_capstyle="butt")
        marker, colour = ("X", VERMILION) if row["within"] is None else ("o", BLUE)
        axes.plot([row["ours"] / row["reported"]], [place], marker, color=colour, markersize=6)
        values = [row[name] / (1e6 if row["unit"] else 1) for name in ("ours", "reported")]
        unit = " MHz" if row["unit"] else ""
        axes.text(1.24, place, f"{values[0]:.3g} / {values[1]:.3g}{unit}; {row['remark']}", va="center", fontsize=8)
    handles = [
        axes.plot([], [], "o", color=BLUE, label="ours, expected to agree")[0],
        axes.plot([], [], color=GREY, linewidth=9, alpha=0.35, label="tolerance")[0],
        axes.plot([], [], "X", color=VERMILION, label="ours, not reproduced")[0],
    ]
    axes.axvline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    names = [f"{row['device']}: {row['name'].replace('_', ' ')}" for row in reversed(table)]
    axes.set_yticks(range(len(table)), names, fontsize=8)
    axes.set(xlabel="ours / reported (both at the right)", xlim=(0.15, 2.6))
    axes.set_xticks([0.2, 0.4, 0.6, 0.8, 1.0])
    axes.grid(alpha=0.25, axis="x")
    axes.legend(handles=handles, fontsize=8, loc="upper left")


def main() -> None:
    """Compute, write the JSON and the figure, print the table."""
    numbers = publish(compute(), FIGURE, draw)
    for row in numbers["table"]:
        name = f"{row['device']}: {row['name']}"
        print(f"{name:46}{verdict(row)}; {row['remark']}")
    for row in numbers["implied"]:
        print(f"{row['device'] + ': ' + row['name']:56}{row['ours']:>12.4g}  from {row['derived_from']}")


if __name__ == "__main__":
    main()
