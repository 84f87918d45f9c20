r"""How far does a qubit reach over fibre, with the published transducer and with the optimised one?

The bundled connection with its fibre from 1 m to 400 km: heralded average fidelity and success probability of the two designs of
``figures/e02_bundled_connection.json``.

Expected: the published device stays below the classical 2/3 at every length, as its own 13.7 photons of noise do not care for the fibre.
For the optimised one the fibre dims the photon but not the receiver's noise, so the noise referred to the photon rises as
N(L) = N_up + N_down 10^{0.02 L/km}. Heralded, F_e = (1 + N/2)/(1 + 2N) where few photons arrive: Bell's 1/2, which is the average 2/3, is
crossed at N = 1. With e02's shares at 1 km, N_up = 0.00214 and N_down = 0.00527, that is at 115 km (the packet's own share of the
noise moves it by about a kilometre). Beyond, the clicks are noise: success settles at 2 n instead of falling, and the fidelity at 1/2.

Source: the closed form in ``transduce/qubit/encodings.py``; device: R. Sahu et al., Nat. Commun. 13, 1276 (2022).
Run: ``python experiments/e03_reach.py`` writes ``figures/e03_reach.png`` and ``.json``.
"""

import json
import pathlib
from typing import Any

import equinox as eqx
import jax
import numpy as np

import transduce as td
from transduce.report.experiment import captioned, publish
from transduce.report.plots import BLUE, GREY, VERMILION
from transduce.units import MHz, dB, km, m, us

FIGURES = pathlib.Path(__file__).parent.parent / "figures"
FIGURE, DESIGNS = FIGURES / "e03_reach.png", FIGURES / "e02_bundled_connection.json"
STYLES = (("published", "--", VERMILION), ("optimised", "-", BLUE))
CLASSICAL = 2 / 3


def designs() -> dict[str, td.AbstractDevice]:
    """The published device, and e02's optimum of it."""
    known = json.loads(DESIGNS.read_text(encoding="utf-8"))
    return {name: td.device("sahu-2022", **known[end]["design"]) for name, end in (("published", "before"), ("optimised", "after"))}


@eqx.filter_jit
def reach(device: td.AbstractDevice, lengths: Any) -> tuple[Any, Any]:
    """Heralded average fidelity and success probability at each length (m)."""
    transfer = td.Transfer(encoding="time-bin", photon=td.Sech(bandwidth=1 * MHz))
    node = td.Node(qubit=td.Qubit(t1=300 * us, t2=200 * us), device=device)

    def at(length: Any) -> tuple[Any, Any]:
        path = td.Link(fibre=td.Fibre(length=length), switch=td.Switch(insertion_loss=0.5 * dB))
        done = transfer(td.Connection(node, node, path=path))
        return done.average_fidelity_heralded, done.success_probability

    return jax.vmap(at)(lengths)


def crossing(lengths: np.ndarray, fidelity: np.ndarray) -> float | None:
    """The first length (m) at which the fidelity falls to 2/3; None where it never does, or never was above."""
    below = np.flatnonzero((fidelity[:-1] >= CLASSICAL) & (fidelity[1:] < CLASSICAL))
    if below.size == 0:
        return None
    k = int(below[0])
    return float(np.interp(-CLASSICAL, -fidelity[k : k + 2], lengths[k : k + 2]))


def compute(points: int = 201) -> dict[str, Any]:
    """All numbers of the figure."""
    near, far = np.geomspace(1 * m, 10 * km, points // 4, endpoint=False), np.linspace(10 * km, 400 * km, points - points // 4)
    lengths = np.concatenate([near, far])
    numbers: dict[str, Any] = {"length_m": lengths.tolist()}
    for name, device in designs().items():
        fidelity, success = (np.asarray(one) for one in reach(device, lengths))
        curve = {"average_fidelity_heralded": fidelity.tolist(), "success_probability": success.tolist()}
        numbers[name] = curve | {"classical_at_m": crossing(lengths, fidelity)}
    return numbers


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: fidelity above, success below, against the fibre's length."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(6.8, 6.6), layout=ConstrainedLayoutEngine(w_pad=0.1))
    top, bottom = figure.subplots(2, 1, sharex=True)
    length = np.array(numbers["length_m"]) / 1e3
    for name, style, colour in STYLES:
        top.plot(length, numbers[name]["average_fidelity_heralded"], style, color=colour, label=name)
        bottom.plot(length, numbers[name]["success_probability"], style, color=colour, label=name)
    top.axhline(CLASSICAL, color=GREY, linewidth=1, linestyle=":", label="2/3: classical")
    top.axhline(0.5, color=GREY, linewidth=1, linestyle="-.", label="1/2: noise alone")
    place = numbers["optimised"]["classical_at_m"] / 1e3
    top.plot([place], [CLASSICAL], "o", color=BLUE)
    top.annotate(f"{place:.0f} km", (place, CLASSICAL), xytext=(6, 6), textcoords="offset points", fontsize=9)
    top.set(ylabel="average fidelity, heralded", ylim=(0.45, 1.02))
    bottom.set(xlabel="length of the fibre (km)", ylabel="success probability", yscale="log", xlim=(0, 400), ylim=(2e-3, 1))
    for axes in (top, bottom):
        axes.grid(alpha=0.25)
        axes.legend(fontsize=9, loc="upper right")
    caption = (
        "Time-bin qubit between two transducers of R. Sahu et al., Nat. Commun. 13, 1276 (2022), as published\n"
        "(pump and heating assumed) and as optimised in e02; fibre of 0.2 dB/km, a 0.5 dB switch. Where the\n"
        "fidelity has gone to 1/2 the herald still clicks: on noise."
    )
    captioned(figure, caption, path)


def main() -> None:
    """Compute, write the JSON and the figure, print what is expected above."""
    numbers = publish(compute(), FIGURE, draw)
    for name, _, _ in STYLES:
        curve = numbers[name]
        ends = [f"{curve[column][end]:.4f}" for column in ("average_fidelity_heralded", "success_probability") for end in (0, -1)]
        place = curve["classical_at_m"]
        reached = "never above 2/3" if place is None else f"2/3 at {place / 1e3:.1f} km"
        print(f"{name}: fidelity {ends[0]} at 1 m to {ends[1]} at 400 km, success {ends[2]} to {ends[3]}; {reached}")


if __name__ == "__main__":
    main()
