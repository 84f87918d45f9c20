r"""Do the linewidths of the first quantum-enabled transducer give its ceiling of efficiency, and does one law of heating give its noise?

On resonance :math:`\eta = \eta_e \eta_o \Lambda^2\, 4C/(1+C)^2`, at most :math:`\eta_e\eta_o\Lambda^2` at C = 1, however strong the pump;
a microwave bath of n photons adds :math:`n\,\kappa_{e,int}/\kappa_{e,ext}` at the input and, from optics to microwave,
:math:`4\eta_e(1-\eta_e)\, n/((1+C)^2 \eta)`.

Expected: 0.144 at the largest cooperativity where 0.15 is reported, within 10 %. Shown, and no test: 0.16 and 0.41 added photons from
microwave to optics by the assumed law T^3 = T0^3 + P/G, whose one constant G was set by these two (the recalled g0 drops out, as only P/G
enters), so that one constant gives both is all that it says. *Not* reproduced: 1.11 photons from optics to microwave. A bath on the
resonator's loss alone gives 0.82 at the lower cooperativity and 0.56 at the upper. A waveguide that is itself warm, with 0.23 to 0.25
photons, would close the gap, but it would show in the other direction's input too, and no source known to us states one, nor the point
that the 1.11 belongs to.
By construction (no test): each point's cooperativity, inferred from its efficiency. That the overlap 0.78 enters as its square is inferred
too: unsquared the ceiling is 0.185.

Source: R. Sahu et al., Nat. Commun. 13, 1276 (2022), arXiv:2107.08303; the sheet: ``transduce devices sahu-2022``.
Run: ``python experiments/e05_sahu_2022.py`` writes ``figures/e05_sahu_2022.png`` and ``.json``.
"""

import pathlib
from typing import Any

import equinox as eqx
import jax
import numpy as np

import transduce as td
from transduce.devices.catalogue import entry, quantities
from transduce.devices.electro_optic import ElectroOptic
from transduce.report.experiment import captioned, publish, verdict
from transduce.report.plots import BLUE, GREEN, GREY, VERMILION

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e05_sahu_2022.png"
COLD = 1e30
"""A conductance (W/K^3) that lets nothing warm up."""

SET, GIVEN = "sets the law's one constant, together with the other one", "the point's cooperativity is inferred from it: no test"
QUOTED: dict[str, tuple[float, tuple[float, float] | None, float | None, str]] = {
    "efficiency, low": (0.087, None, None, GIVEN),
    "internal efficiency, high": (0.995, None, None, GIVEN),
    "efficiency, high": (0.15, None, 0.1, ""),
    "efficiency, high, overlap unsquared": (0.15, None, None, "the other reading of the overlap 0.78"),
    "added noise up, low": (0.16, (0.01, 0.02), None, SET),
    "added noise up, high": (0.41, (0.02, 0.02), None, SET),
    "added noise up, low, not heated": (0.16, (0.01, 0.02), None, "base of 60 mK alone"),
    "added noise down, low": (1.11, (0.07, 0.15), None, "the operating point and the waveguide's occupation are not known to us"),
    "added noise down, high": (1.11, (0.07, 0.15), None, "the operating point and the waveguide's occupation are not known to us"),
    "C over photons in the mode, high": (10.0, None, None, "reported as more than 10; the definition is not known to us"),
}
"""Name -> (reported, its deviations down and up, tolerance (None: no test, or known not to follow), remark); all primary."""


def sheet(**changed: Any) -> ElectroOptic:
    """The library's entry, some fields changed."""
    device = td.device("sahu-2022", **changed)
    assert isinstance(device, ElectroOptic)
    return device


def cooperativity(point: str) -> float:
    """Of one of the entry's points, "low" or "max"."""
    return float(quantities(entry("sahu-2022"), point)["cooperativity"])


@eqx.filter_jit
def figures(cooperativity: Any, conductance: Any, waveguide: Any = 0.0) -> dict[str, Any]:
    """Efficiency, internal efficiency, added noise up and down, photons in the mode and pump power (W), on resonance.

    Args:
        cooperativity: shape (k,).
        conductance: G of the law of heating (W/K^3).
        waveguide: occupation of the microwave waveguide.
    """

    def at(c: Any) -> dict[str, Any]:
        device = sheet(cooperativity=c, heating_conductance=conductance, n_e_ext=waveguide)
        system = device.linear_system()
        return {
            "efficiency": device.efficiency(omega=0.0),
            "efficiency_internal": device.efficiency_internal(omega=0.0),
            "added_noise_up": device.added_noise_input(omega=0.0),
            "added_noise_down": device.added_noise_input("optical", "microwave", omega=0.0),
            "photons_e": system.covariance().occupation[system.modes.index("microwave")],
            "pump_power_w": device.drives()["optical"].power,
        }

    answer: dict[str, Any] = jax.vmap(at)(cooperativity)
    return answer


def points() -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """The figures at the low and the high point, heated; and what else the docstring names."""
    at, heat = np.array([cooperativity("low"), cooperativity("max")]), np.asarray(float(sheet().heating_conductance))
    hot, cold, warm = figures(at, heat, 0.0), figures(at, np.asarray(COLD), 0.0), figures(at, heat, 1.0)
    low, high = ({name: float(values[k]) for name, values in hot.items()} for k in (0, 1))
    slope = np.asarray(warm["added_noise_down"] - hot["added_noise_down"])
    needed = (QUOTED["added noise down, low"][0] - np.asarray(hot["added_noise_down"])) / slope
    ceiling = high["efficiency"] / high["efficiency_internal"]
    extra = {
        "cooperativity_low": float(at[0]),
        "cooperativity_high": float(at[1]),
        "ceiling": ceiling,
        "ceiling_overlap_unsquared": ceiling / float(np.sqrt(sheet().mode_match)),
        "added_noise_up_not_heated": float(cold["added_noise_up"][0]),
        "waveguide_occupation_for_1.11_low": float(needed[0]),
        "waveguide_occupation_for_1.11_high": float(needed[1]),
    }
    return low, high, extra


def compare(low: dict[str, float], high: dict[str, float], extra: dict[str, float]) -> list[dict[str, Any]]:
    """Reported, ours, deviation, tolerance and remark, a row per quoted figure."""
    ours = {
        "efficiency, low": low["efficiency"],
        "internal efficiency, high": high["efficiency_internal"],
        "efficiency, high": high["efficiency"],
        "efficiency, high, overlap unsquared": high["efficiency_internal"] * extra["ceiling_overlap_unsquared"],
        "added noise up, low": low["added_noise_up"],
        "added noise up, high": high["added_noise_up"],
        "added noise up, low, not heated": extra["added_noise_up_not_heated"],
        "added noise down, low": low["added_noise_down"],
        "added noise down, high": high["added_noise_down"],
        "C over photons in the mode, high": extra["cooperativity_high"] / high["photons_e"],
    }
    rows = []
    for name, value in ours.items():
        reported, deviation, tolerance, remark = QUOTED[name]
        off = value / reported - 1
        within = None if tolerance is None else abs(off) <= tolerance
        known = {
            "name": name,
            "reported": reported,
            "reported_deviations": deviation and list(deviation),
            "ours": value,
            "relative_deviation": off,
        }
        rows.append({**known, "tolerance": tolerance, "within": within, "remark": remark})
    return rows


def compute(number: int = 121) -> dict[str, Any]:
    """All numbers of the figure."""
    low, high, extra = points()
    grid, heat = np.geomspace(0.01, 10, number), np.asarray(float(sheet().heating_conductance))
    hot, cold = figures(grid, heat, 0.0), figures(grid, np.asarray(COLD), 0.0)
    curves = {name: np.asarray(values).tolist() for name, values in hot.items()}
    curves |= {"cooperativity": grid.tolist(), "added_noise_up_not_heated": np.asarray(cold["added_noise_up"]).tolist()}
    return {"table": compare(low, high, extra), "points": extra, "curves": curves}


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: efficiency and added noise against cooperativity and power."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = {row["name"]: row for row in numbers["table"]}
    _efficiency(left, numbers, table)
    _noise(right, numbers, table)
    curves = numbers["curves"]
    per_unit = curves["pump_power_w"][0] / curves["cooperativity"][0]
    for axes in (left, right):
        axes.set(xlabel="cooperativity C", xscale="log", xlim=(0.01, 10))
        top = axes.secondary_xaxis("top", functions=(lambda c: c * per_unit, lambda p: p / per_unit))
        top.set_xlabel("pump power in the cavity's mode (W), if g₀/2π = 37 Hz (recalled, unverified)", fontsize=8)
        axes.grid(alpha=0.25)
    caption = (
        "Electro-optic transducer of R. Sahu et al., Nat. Commun. 13, 1276 (2022), from its linewidths; T³ = T₀³ + P/G is assumed, G set\n"
        "by the two noises from microwave to optics. Each point's cooperativity is inferred from its efficiency. Steady state, resonance."
    )
    captioned(figure, caption, path)


def _efficiency(axes: Any, numbers: dict[str, Any], table: dict[str, Any]) -> None:
    curves, extra = numbers["curves"], numbers["points"]
    axes.plot(curves["cooperativity"], 100 * np.array(curves["efficiency"]), "-", color=BLUE, label="from the linewidths")
    axes.axhline(100 * extra["ceiling"], color=BLUE, linewidth=1, linestyle="--", label=f"ceiling, {100 * extra['ceiling']:.1f} %")
    other = 100 * extra["ceiling_overlap_unsquared"]
    axes.axhline(other, color=GREY, linewidth=1, linestyle=":", label=f"ceiling if the overlap enters unsquared, {other:.1f} %")
    known = [("low", "D", "reported 8.7 % (its C by construction)"), ("high", "o", "reported 15 %, the largest")]
    for name, marker, label in known:
        reported = 100 * table[f"efficiency, {name}"]["reported"]
        axes.plot([extra[f"cooperativity_{name}"]], [reported], marker, color=VERMILION, markersize=7, linestyle="none", label=label)
    axes.set(ylabel="efficiency on resonance (%)", ylim=(0, 26))
    axes.legend(fontsize=8, loc="upper left")


def _noise(axes: Any, numbers: dict[str, Any], table: dict[str, Any]) -> None:
    curves, extra = numbers["curves"], numbers["points"]
    styles = [
        ("added_noise_up", "-", BLUE, "microwave to optics, heated"),
        ("added_noise_up_not_heated", ":", BLUE, "microwave to optics, 60 mK, not heated"),
        ("added_noise_down", "--", GREEN, "optics to microwave, heated"),
    ]
    for name, style, colour, label in styles:
        axes.plot(curves["cooperativity"], curves[name], style, color=colour, label=label)
    for name, once in (("low", "reported, microwave to optics"), ("high", None)):
        row = table[f"added noise up, {name}"]
        spread = np.array(row["reported_deviations"])[:, None]
        at = [extra[f"cooperativity_{name}"]]
        axes.errorbar(at, [row["reported"]], spread, fmt="o", color=VERMILION, capsize=3, markersize=5, label=once)
    row = table["added noise down, low"]
    low, high = row["reported"] - row["reported_deviations"][0], row["reported"] + row["reported_deviations"][1]
    axes.axhspan(low, high, color=VERMILION, alpha=0.3, linewidth=0, label="reported, optics to microwave, its C not known")
    axes.axhline(1.0, color=GREY, linewidth=1, linestyle="-.", label="quantum-enabled below")
    axes.set(ylabel="added noise at the input (photons/s/Hz)", yscale="log", ylim=(5e-4, 300))
    axes.legend(fontsize=8, loc="upper left")


def main() -> None:
    """Compute, write the JSON and the figure, print the table."""
    numbers = publish(compute(), FIGURE, draw)
    for row in numbers["table"]:
        print(f"{row['name']:36}{verdict(row, row['remark'])}")
    for name, value in numbers["points"].items():
        print(f"{name:36}{value:>19.4g}")


if __name__ == "__main__":
    main()
