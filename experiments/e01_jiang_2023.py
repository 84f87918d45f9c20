"""Does a published transducer, computed from its own data sheet, give the numbers that its authors measured?

Expected: pump photons 230 and 540 at 4.4 and 10.2 uW, optomechanical rate 327 kHz, and 0.35 of the phonons to the microwave port with
the pump off, each within 2 %; bandwidth 1.5 MHz within 8 %; efficiency 4.9 % within 20 % (the sheet's rates give 5.7 %, 1.5 of the quoted
standard deviations above). The reported noise is *not* expected: the rates and the authors' own estimate of 22 thermal phonons give 144
photons added from optics to microwave and 102 the other way, where 99 and 181 are reported. It is shown as it is, and no field is bent to
hide it.

Source: W. Jiang et al., Nat. Phys. 19, 1423 (2023), arXiv:2210.10739; the sheet and its citations: ``transduce devices jiang-2023``.
Run: ``python experiments/e01_jiang_2023.py`` writes ``figures/e01_jiang_2023.png`` and ``.json``.
"""

import pathlib
from typing import Any

import equinox as eqx
import jax
import numpy as np

import transduce as td
from transduce import units
from transduce.devices.piezo import PiezoOptomechanical
from transduce.report.experiment import captioned, publish, verdict
from transduce.report.plots import BLUE, GREY, VERMILION
from transduce.units import Hz, MHz, kHz, to_hz, uW

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e01_jiang_2023.png"
PUMP_OFF_GAMMA_M = 360 * kHz
"""Mechanical decay with the pump off (the paper's table 1); with it on, 1.07 MHz."""

QUOTED = {
    "pump photons at 4.4 uW": (230.0, None, "", 0.02),
    "pump photons at 10.2 uW": (540.0, None, "", 0.02),
    "optomechanical rate": (327e3, None, "Hz", 0.02),
    "phonons to microwaves, pump off": (0.35, None, "", 0.02),
    "bandwidth": (1.5e6, None, "Hz", 0.08),
    "efficiency": (0.049, 0.005, "", 0.2),
    "added noise, optics to microwave": (99.0, 10.0, "photons/s/Hz", None),
    "added noise, microwave to optics": (181.0, None, "photons/s/Hz", None),
    "noise out of the microwave port": (4.9, None, "photons/s/Hz", None),
}
"""Name -> (reported, its standard deviation, unit, tolerance; None: known not to follow from the sheet)."""


def phonons_to_microwave() -> float:
    """Of the phonons in an undriven device, the fraction that leaves by the microwave port.

    With a mechanical bath of 1 and all else empty, gamma_m phonons arrive each second, and kappa_e_ext <a^dagger a> photons leave.
    """
    baths = {"n_m": 1.0, "n_e_ext": 0.0, "n_e_int": 0.0, "n_o_ext": 0.0, "n_o_int": 0.0}
    device = sheet(pump_photons=0.0, gamma_m=PUMP_OFF_GAMMA_M, **baths)
    system = device.linear_system()
    occupation = system.covariance().occupation[system.modes.index("microwave")]
    return float(device.kappa_e_ext * occupation / PUMP_OFF_GAMMA_M)


def sheet(**changed: Any) -> PiezoOptomechanical:
    """The library's entry, some fields changed."""
    device = td.device("jiang-2023", **changed)
    assert isinstance(device, PiezoOptomechanical)
    return device


def ours() -> dict[str, float]:
    """The quoted figures as the data sheet gives them."""
    device = sheet()
    photons = {power: float(sheet(pump_power=power * uW).drives()["optical"].photons) for power in (4.4, 10.2)}
    down = float(device.added_noise_input("optical", "microwave"))
    efficiency = float(device.efficiency())
    return {
        "pump photons at 4.4 uW": photons[4.4],
        "pump photons at 10.2 uW": photons[10.2],
        "optomechanical rate": float(to_hz(device.cooperativities()["optical-mechanical"] * device.gamma_m)),
        "phonons to microwaves, pump off": phonons_to_microwave(),
        "bandwidth": float(to_hz(device.bandwidth_fwhm())),
        "efficiency": efficiency,
        "added noise, optics to microwave": down,
        "added noise, microwave to optics": float(device.added_noise_input()),
        "noise out of the microwave port": down * efficiency,
    }


def compare() -> list[dict[str, Any]]:
    """Reported, ours, deviation and tolerance, a row per quoted figure."""
    rows = []
    for name, value in ours().items():
        reported, deviation, unit, tolerance = QUOTED[name]
        off = value / reported - 1
        within = None if tolerance is None else abs(off) <= tolerance
        known = {"unit": unit, "reported": reported, "reported_deviation": deviation, "ours": value}
        rows.append({"name": name, **known, "relative_deviation": off, "tolerance": tolerance, "within": within})
    return rows


def compute(points: int = 241) -> dict[str, Any]:
    """All numbers of the figure."""
    device = sheet()
    omega, carrier = np.linspace(-4, 4, points) * MHz, device.carrier()
    power = np.geomspace(0.5, 50, points) * uW

    @eqx.filter_jit
    def spectrum(omega: Any) -> Any:
        output = device.linear_system().output("optical")
        index = device.linear_system().index("microwave")
        return jax.vmap(lambda w: output.power(index, carrier + w))(omega)

    @eqx.filter_jit
    def against_power(power: Any, gamma_m: Any) -> Any:
        return jax.vmap(lambda p: sheet(pump_power=p, gamma_m=gamma_m).efficiency())(power)

    return {
        "table": compare(),
        "spectrum": {"offset_hz": to_hz(omega).tolist(), "efficiency": spectrum(omega).tolist()},
        "power": {
            "pump_power_w": power.tolist(),
            "efficiency_gamma_m_pump_on": against_power(power, np.asarray(float(device.gamma_m))).tolist(),
            "efficiency_gamma_m_pump_off": against_power(power, np.asarray(PUMP_OFF_GAMMA_M)).tolist(),
            "gamma_m_hz": {"pump_on": float(device.gamma_m) / Hz, "pump_off": PUMP_OFF_GAMMA_M / Hz},
        },
    }


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: conversion spectrum, efficiency against pump power, and ours over reported."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    axes = figure.subplot_mosaic([["spectrum", "power"], ["table", "table"]], height_ratios=[1, 1.05])
    table = {row["name"]: row for row in numbers["table"]}
    _spectrum(axes["spectrum"], numbers["spectrum"], table)
    _power(axes["power"], numbers["power"], table)
    _ratios(axes["table"], numbers["table"])
    caption = (
        "Piezo-optomechanical transducer of W. Jiang et al., Nat. Phys. 19, 1423 (2023), computed from its own table of rates; nothing is"
        " fitted.\nReported values from the same paper. Its noise does not follow from its rates and its estimate of 22 thermal phonons."
    )
    captioned(figure, caption, path)


def _spectrum(axes: Any, curve: dict[str, Any], table: dict[str, Any]) -> None:
    reported, width = table["efficiency"], table["bandwidth"]
    low, high = (100 * (reported["reported"] + sign * reported["reported_deviation"]) for sign in (-1, 1))
    axes.axhspan(low, high, color=VERMILION, alpha=0.25, linewidth=0, label="reported peak, 4.9 ± 0.5 %")
    axes.plot(np.array(curve["offset_hz"]) / 1e6, 100 * np.array(curve["efficiency"]), color=BLUE, label="from the data sheet")
    half, side = 100 * table["efficiency"]["ours"] / 2, width["reported"] / 2e6
    axes.plot([-side, side], [half, half], "--|", color=VERMILION, markersize=12, label="reported width, 1.5 MHz, at our half maximum")
    axes.set(xlabel="offset from the carrier (MHz)", ylabel="conversion efficiency |S|² (%)", xlim=(-4, 4), ylim=(0, 8.6))
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="upper left")


def _power(axes: Any, curve: dict[str, Any], table: dict[str, Any]) -> None:
    power, widths = np.array(curve["pump_power_w"]) / 1e-6, curve["gamma_m_hz"]
    for name, style, colour in (("pump_on", "-", BLUE), ("pump_off", "--", GREY)):
        label = f"mechanical decay {widths[name] / 1e6:.2f} MHz ({name.replace('_', ' ')})"
        axes.plot(power, 100 * np.array(curve[f"efficiency_gamma_m_{name}"]), style, color=colour, label=label)
    reported = table["efficiency"]
    spread = 100 * reported["reported_deviation"]
    axes.errorbar([10.2], [100 * reported["reported"]], [spread], fmt="o", color=VERMILION, capsize=4, label="reported, 10.2 µW")
    axes.set(xlabel="pump power on the chip (µW)", ylabel="efficiency at the carrier (%)", xscale="log", ylim=(0, 28))
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="upper left")


def _ratios(axes: Any, table: list[dict[str, Any]]) -> None:
    labels = set()
    for place, row in enumerate(reversed(table)):
        judged, ratio = row["tolerance"] is not None, 1 + row["relative_deviation"]
        style = {"marker": "o", "color": BLUE} if judged else {"marker": "X", "color": VERMILION}
        show = (lambda x: units.show(x * Hz, "rate")) if row["unit"] == "Hz" else (lambda x: f"{x:.4g}")
        bar, point = "tolerance", "ours, within it" if row["within"] else "ours, outside it"
        if judged:
            label = None if bar in labels else bar
            ends = [1 - row["tolerance"], 1 + row["tolerance"]]
            axes.plot(ends, [place, place], color=GREY, linewidth=9, alpha=0.35, solid_capstyle="butt", label=label)
        else:
            bar, point = "", "ours, not reproduced"
        axes.plot([ratio], [place], linestyle="none", markersize=6, label=None if point in labels else point, **style)
        axes.text(1.82, place, f"{show(row['ours'])} / {show(row['reported'])}", va="center", fontsize=8)
        labels |= {bar, point}
    axes.axvline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(table)), [row["name"].replace("uW", "µW") for row in reversed(table)], fontsize=8)
    axes.set(xlabel="from the data sheet / reported (both at the right; noise in photons/s/Hz)", xlim=(0.4, 2.3))
    axes.grid(alpha=0.25, axis="x")
    axes.legend(fontsize=8, loc="upper left")


def main() -> None:
    """Compute, write the JSON and the figure, print the table."""
    numbers = publish(compute(), FIGURE, draw)
    for row in numbers["table"]:
        print(f"{row['name']:34}{verdict(row)}")


if __name__ == "__main__":
    main()
