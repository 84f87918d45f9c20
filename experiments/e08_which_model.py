r"""Which model is enough when: rotating-wave or full, two modes or three, carrier or packet, continuous or pulsed, filtered or coherent?

Each panel draws the relative error of the simpler model against the ratio that decides, with its leading order:

- Rotating-wave membrane, :math:`x_j = \kappa_j/4\omega_m`: efficiency too low by :math:`2(C_ex_e^2 + C_ox_o^2)/(1+C_e+C_o)`, and
  :math:`(x_e^2 + x_o^2C_o/C_e)/\eta_e` photons of noise unseen.
- Two modes for three, the mechanics :math:`\Delta` away from two equal cavities, :math:`C = (2g/\kappa)^2 < 1` with
  :math:`g = G^2/\Delta`: efficiency too high by :math:`\sqrt C\,[(1-C)\kappa + 2\gamma_m]/[(1+C)\Delta]`, and
  :math:`n_m (1+C)\gamma_m/(2\sqrt C\,\eta_e\Delta)` photons of noise unseen.
- A Gaussian photon of width B through a Lorentzian line :math:`\Gamma`: :math:`\eta = \eta_0 \sqrt\pi\, a\, e^{a^2} \mathrm{erfc}\,a`,
  :math:`a = \sqrt{\ln 2}\,\Gamma/B`; the carrier's value is too high by :math:`(B/\Gamma)^2/(2\ln 2)`.
- A pump that is on for T only: of a slow Gaussian photon (standard deviation s in time) :math:`\mathrm{erfc}(T/2\sqrt2 s)` is lost.
- The image band filtered between two equal membranes with pumps in phase, :math:`r = |v/u| = x/\sqrt{1+x^2}` with
  :math:`x = \kappa_o/4\omega_m`: kept coherent, the efficiency is :math:`(1-r^2)(1+3r^2) \approx 1 + 2r^2` times larger.
- Signed or doubled basis: the same numbers, but for rounding.

Expected: these formulas, each to the next order of its ratio. Source: derived here from the equations of motion; their ground is
C. W. Gardiner and M. J. Collett, Phys. Rev. A 31, 3761 (1985), and for sidebands F. Marquardt et al., Phys. Rev. Lett. 99, 093902 (2007).
Run: ``python experiments/e08_which_model.py`` writes ``figures/e08_which_model.png`` and ``.json``. In words: ``which_model.md``.
"""

import dataclasses
import itertools
import pathlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import erfc, erfcx

import transduce as td
from transduce.link.link import channel, joined
from transduce.qubit.encodings import TimeBin
from transduce.report.experiment import captioned, publish
from transduce.report.plots import BLUE, GREEN, GREY, PURPLE, VERMILION
from transduce.units import GHz, MHz

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e08_which_model.png"
ESCAPE = 0.8
"""kappa_ext / kappa of every cavity here."""


def cavities(kappa_e: Any, kappa_o: Any) -> dict[str, Any]:
    """The four decay rates (rad/s) of two cavities with the escape efficiency 0.8."""
    split = {"ext": ESCAPE, "int": 1 - ESCAPE}
    return {f"kappa_{side}_{part}": share * kappa for side, kappa in (("e", kappa_e), ("o", kappa_o)) for part, share in split.items()}


def membrane(resolution_e: Any, resolution_o: Any, c_e: Any, c_o: Any, model: str = "full", **more: Any) -> td.ElectroOptomechanical:
    """A weakly coupled membrane at 1 MHz: resolution is kappa / omega_m, and gamma_m is 1e-6 of the narrower cavity."""
    rates = cavities(resolution_e * MHz, resolution_o * MHz)
    line = {"frequency_m": 1 * MHz, "gamma_m": 1e-6 * jnp.minimum(resolution_e, resolution_o) * MHz}
    return td.ElectroOptomechanical(**rates, **line, cooperativity_e=c_e, cooperativity_o=c_o, model=model, **more)


def unseen(simple: td.AbstractDevice, whole: td.AbstractDevice) -> dict[str, Any]:
    """Relative error of the simple model's efficiency, and the noise that it does not see; its own carrier is its frame."""
    at = whole.carrier()
    efficiency = simple.efficiency(omega=0.0) / whole.efficiency(omega=at) - 1
    return {"efficiency": efficiency, "noise": whole.added_noise_input(omega=at) - simple.added_noise_input(omega=0.0)}


@eqx.filter_jit
@jax.vmap
def rotating_wave(resolution_e: Any, resolution_o: Any, c_e: Any, c_o: Any) -> dict[str, Any]:
    """The rotating-wave membrane against the full one; the resolutions are kappa / omega_m."""
    return unseen(*(membrane(resolution_e, resolution_o, c_e, c_o, model) for model in ("rotating-wave", "full")))


def rotating_wave_leading(resolution_e: Any, resolution_o: Any, c_e: Any, c_o: Any) -> dict[str, Any]:
    """Both, to the order x^2."""
    e, o = (resolution_e / 4) ** 2, (resolution_o / 4) ** 2
    return {"efficiency": -2 * (c_e * e + c_o * o) / (1 + c_e + c_o), "noise": (e + o * c_o / c_e) / ESCAPE}


@eqx.filter_jit
@jax.vmap
def eliminated(ratio: Any, c: Any, loss: Any) -> dict[str, Any]:
    """Two modes with g = G^2/Delta against all three with n_m = 1; ratio is kappa/Delta, loss gamma_m/kappa, c (2g/kappa)^2."""
    kappa, away = 1 * MHz, 1 * MHz / ratio
    squared = jnp.sqrt(c) * kappa / 2 * away
    line = {"frequency_m": 5 * GHz, "gamma_m": loss * kappa, "n_m": 1.0, "detuning_e": away, "detuning_o": away}
    drive = {"g_pe": jnp.sqrt(squared), "cooperativity": 4 * squared / (loss * kappa**2)}
    three = td.PiezoOptomechanical(**cavities(kappa, kappa), **line, **drive)
    return unseen(td.ElectroOptic(**cavities(kappa, kappa), cooperativity=c), three)


def eliminated_leading(ratio: Any, c: Any, loss: Any) -> dict[str, Any]:
    """Both, to the order kappa/Delta."""
    efficiency = np.sqrt(c) * (1 - c + 2 * loss) / (1 + c) * ratio
    return {"efficiency": efficiency, "noise": loss * (1 + c) / (2 * np.sqrt(c) * ESCAPE) * ratio}


@eqx.filter_jit
@jax.vmap
def spectral(ratio: Any) -> Any:
    """The carrier's efficiency over the packet's, minus 1, at B/Gamma = ratio; the line is a resolved membrane's."""
    device = membrane(0.01, 0.01, 10.0, 10.0, "rotating-wave")
    photon = td.Gaussian(bandwidth=ratio * device.damped_linewidth())
    packet = td.Link(up=td.Convert(device, "microwave", "optical", carrier=0.0)).channel(photon)
    return device.efficiency(omega=0.0) / packet.efficiency - 1


def spectral_closed(ratio: np.ndarray) -> dict[str, Any]:
    """The same by Voigt's profile, and to the order (B/Gamma)^2."""
    a = np.sqrt(np.log(2)) / ratio
    return {"closed": 1 / (np.sqrt(np.pi) * a * erfcx(a)) - 1, "leading": 1 / (2 * a**2)}


def pulsed(lengths: np.ndarray, ratio: float) -> np.ndarray:
    """Efficiency of two matched cavities (C = 1, no loss, kappa = 1) whose pump is on for a time only, by integration in time.

    With b = -i beta: a' = -a/2 - g beta - f, beta' = -beta/2 + g a; what leaves optically is int beta^2 dt.

    Args:
        lengths: (n,), T over s, the standard deviation of |f(t)|^2; the photon is Gaussian, in the middle of the pulse.
        ratio: B over the continuous device's bandwidth, sqrt(2) kappa.
    """
    s = np.sqrt(np.log(2)) / ratio
    norm = (2 * np.pi * s**2) ** -0.25
    start, end, half = -8 * s, 8 * s + 60, lengths * s / 2
    edges = [start, *sorted(edge for edge in (*half, *-half) if start < edge < end), end]
    state = np.zeros(3 * half.size)
    for span in itertools.pairwise(edges):
        g = np.where(half > abs(sum(span)) / 2, 0.5, 0.0)

        def flow(t: float, state: np.ndarray, g: np.ndarray = g) -> np.ndarray:
            (a, beta, _), f = state.reshape(3, -1), norm * np.exp(-((t / (2 * s)) ** 2))
            return np.concatenate([-a / 2 - g * beta - f, -beta / 2 + g * a, beta**2])

        state = solve_ivp(flow, span, state, method="DOP853", rtol=1e-11, atol=1e-14, max_step=s).y[:, -1]
    return state[2 * half.size :]


@eqx.filter_jit
def continuous(ratio: Any) -> Any:
    """The same device and photon with the pump always on, by the package."""
    device = td.ElectroOptic(kappa_e_ext=1 * MHz, kappa_e_int=0.0, kappa_o_ext=1 * MHz, kappa_o_int=0.0, cooperativity=1.0)
    photon = td.Gaussian(bandwidth=ratio * np.sqrt(2) * MHz)
    return td.Link(up=td.Convert(device, "microwave", "optical", carrier=0.0)).channel(photon).efficiency


def cut(lengths: np.ndarray, ratio: float) -> np.ndarray:
    """What of the continuous pump's efficiency is lost at each T/s."""
    return 1 - pulsed(lengths, ratio) / float(continuous(np.asarray(ratio)))


@eqx.filter_jit
@jax.vmap
def image(resolution: Any) -> dict[str, Any]:
    """``Link(image=...)`` of two full membranes at kappa_o/omega_m = resolution: r, and the errors of "filtered" (fidelity: absolute)."""
    device = membrane(0.01, resolution, 20.0, 20.0, n_m=2.0)
    at, photon = device.carrier(), td.Gaussian(bandwidth=1e-3 * device.damped_linewidth())
    both = [td.Convert(device, *ways, carrier=at).prepare() for ways in (("microwave", "optical"), ("optical", "microwave"))]
    one, other = (channel(joined(both, image=kind), photon) for kind in ("filtered", "coherent"))
    fidelity = [TimeBin().process(packet).average_fidelity_heralded for packet in (one, other)]
    response = both[1].response(jnp.zeros(()))
    return {
        "amplitude": jnp.abs(response.v / response.u),
        "efficiency": one.efficiency / other.efficiency - 1,
        "noise": one.added_noise_input / other.added_noise_input - 1,
        "fidelity": fidelity[0] - fidelity[1],
    }


def image_closed(resolution: np.ndarray) -> dict[str, Any]:
    """r, and the relative error of the filtered efficiency, closed and to the order r^2."""
    squared = resolution**2 / (16 + resolution**2)
    return {"amplitude": np.sqrt(squared), "closed": 1 / ((1 - squared) * (1 + 3 * squared)) - 1, "leading": -2 * squared}


def signed_devices() -> dict[str, td.AbstractDevice]:
    """Devices that have a signed basis."""
    rates, extra = cavities(1 * MHz, 3 * MHz), {"kappa_s_ext": 2 * MHz, "kappa_s_int": 1 * MHz, "kappa_d": 5 * MHz}
    return {
        "converting": td.ElectroOptic(**rates, cooperativity=0.5),
        "pair-making": td.ElectroOptic(**rates, cooperativity=0.5, pump="blue"),
        "with a Stokes mode": td.ElectroOptic(**rates, cooperativity=0.5, stokes=True, g_s=0.3 * MHz, coupling_j=1 * MHz, **extra),
    }


def signed(device: td.AbstractDevice, omega: Any) -> Any:
    """The largest difference of any element of the scattering matrices of both bases, at each frequency (rad/s)."""
    system = device.linear_system()
    assert system.signs is not None
    doubled = dataclasses.replace(system, signs=None)

    @eqx.filter_jit
    @jax.vmap
    def apart(omega: Any) -> Any:
        one, other = system.scattering(omega), doubled.scattering(omega)
        return jnp.max(jnp.abs(jnp.stack([one.normal - other.normal, one.anomalous - other.anomalous])))

    return apart(omega)


PULSED_RATIOS = (0.02, 0.5)


def compute(thin: int = 1) -> dict[str, Any]:
    """All numbers of the figure, or every ``thin``-th of each curve."""
    resolution, ratio = np.geomspace(0.03, 3, 41)[::thin], np.geomspace(1e-3, 0.5, 41)[::thin]
    bandwidth, length = np.geomspace(1e-2, 10, 41)[::thin], np.linspace(1, 9, 41)[::thin]
    side, offset = np.geomspace(0.03, 4, 41)[::thin], np.linspace(-5, 5, 41)[::thin]
    ten = np.full_like(resolution, 10.0)
    alike, apart = (resolution, resolution, ten, ten), (ratio, ten / 40, ten / 100)
    found = {
        "rotating_wave": {"kappa_over_omega_m": resolution, "leading": rotating_wave_leading(*alike), **rotating_wave(*alike)},
        "two_modes": {"kappa_over_delta": ratio, "leading": eliminated_leading(*apart), **eliminated(*apart)},
        "carrier": {"bandwidth_over_linewidth": bandwidth, "error": spectral(bandwidth), **spectral_closed(bandwidth)},
        "pulse": {"length_over_deviation": length, "leading": erfc(length / 8**0.5), **{str(r): cut(length, r) for r in PULSED_RATIOS}},
        "image": {"kappa_o_over_omega_m": side, "closed_form": image_closed(side), **image(side)},
        "signed": {"offset_hz": 1e6 * offset, **{name: signed(device, offset * MHz) for name, device in signed_devices().items()}},
    }
    return jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), found, is_leaf=lambda leaf: not isinstance(leaf, dict))


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: one panel per question."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.6, 7.8), layout="constrained")
    axes = figure.subplots(2, 3).flat
    panels = (_rotating_wave, _two_modes, _carrier, _pulse, _image, _signed)
    for letter, one, panel in zip("abcdef", axes, panels, strict=True):
        title = panel(one, numbers)
        one.set_title(f"({letter}) {title}", fontsize=10, loc="left")
        one.grid(alpha=0.25)
        one.legend(fontsize=7.5, loc="best")
    caption = (
        "Relative error of the simpler model (noise: photons/s/Hz at the input that it does not see; fidelity: absolute). Solid: the"
        " package, simple against complete. Dotted: closed form to leading order.\n(a) C = 10 each; (b) C = 0.25, γₘ = 0.1 κ;"
        " (c) Lorentzian line; (d) two matched cavities, integrated in time (past the dip the pulse converts more);"
        " (e) two membranes, microwave side resolved, C = 20, nₘ = 2."
    )
    captioned(figure, caption, path, dpi=150)


def _pair(axes: Any, x: Any, curve: dict[str, Any], efficiency: str, noise: str) -> None:
    for name, colour, style, label in (("efficiency", BLUE, "-", efficiency), ("noise", VERMILION, "--", noise)):
        axes.loglog(x, np.abs(curve[name]), style, color=colour, label=label)
        leading = "leading order" if name == "noise" else None
        axes.loglog(x, np.abs(curve["leading"][name]), ":", color=GREY, linewidth=2.2, label=leading)


def _rotating_wave(axes: Any, numbers: dict[str, Any]) -> str:
    curve = numbers["rotating_wave"]
    _pair(axes, curve["kappa_over_omega_m"], curve, "efficiency, too low", "added noise unseen (photons/s/Hz)")
    axes.set(xlabel="κ / ωₘ", ylabel="error of the rotating-wave model")
    return "rotating-wave or full membrane"


def _two_modes(axes: Any, numbers: dict[str, Any]) -> str:
    curve = numbers["two_modes"]
    _pair(axes, curve["kappa_over_delta"], curve, "efficiency, too high", "added noise unseen, per nₘ (photons/s/Hz)")
    axes.set(xlabel="κ / Δ, Δ: cavities' distance from the mechanics", ylabel="error of two modes")
    return "mechanics eliminated or kept"


def _carrier(axes: Any, numbers: dict[str, Any]) -> str:
    curve = numbers["carrier"]
    x = curve["bandwidth_over_linewidth"]
    axes.loglog(x, curve["error"], color=BLUE, label="efficiency, too high")
    axes.loglog(x, curve["closed"], "--", color=VERMILION, label="closed form (Voigt)")
    axes.loglog(x, curve["leading"], ":", color=GREY, linewidth=2.2, label="leading order")
    axes.set(xlabel="photon's B / line's Γ (both FWHM)", ylabel="error of the carrier's value")
    return "carrier or packet"


def _pulse(axes: Any, numbers: dict[str, Any]) -> str:
    curve = numbers["pulse"]
    x = curve["length_over_deviation"]
    for ratio, colour, style in zip(PULSED_RATIOS, (BLUE, VERMILION), ("-", "--"), strict=True):
        label = f"efficiency, B = {ratio:g} of the device's"
        axes.semilogy(x, np.abs(curve[str(ratio)]), style, color=colour, label=label)
    axes.semilogy(x, curve["leading"], ":", color=GREY, linewidth=2.2, label="slow photon, erfc(T / 2√2 s)")
    axes.set(xlabel="pump pulse T / photon's standard deviation s", ylabel="error of the continuous pump")
    return "continuous or pulsed pump"


def _image(axes: Any, numbers: dict[str, Any]) -> str:
    curve = numbers["image"]
    x = curve["amplitude"]
    labels = {"efficiency": "efficiency, too low", "noise": "added noise, too low", "fidelity": "heralded fidelity, too high"}
    for (name, label), colour, style in zip(labels.items(), (BLUE, VERMILION, PURPLE), ("-", "--", "-."), strict=True):
        axes.loglog(x, np.abs(curve[name]), style, color=colour, label=label)
    axes.loglog(x, np.abs(curve["closed_form"]["leading"]), ":", color=GREY, linewidth=2.2, label="efficiency, leading order")
    axes.set(xlabel="image amplitude r = |v / u| of one stage", ylabel="error of the filtered image band")
    return "image band filtered or coherent"


def _signed(axes: Any, numbers: dict[str, Any]) -> str:
    curve = numbers["signed"]
    x = np.array(curve["offset_hz"]) / 1e6
    styles = {"converting": (BLUE, "o", 9), "pair-making": (VERMILION, "+", 6), "with a Stokes mode": (GREEN, "^", 5)}
    for name, (colour, marker, size) in styles.items():
        axes.semilogy(x, np.maximum(curve[name], 1e-18), marker, markersize=size, fillstyle="none", color=colour, label=name)
    axes.axhline(np.finfo(float).eps, color=GREY, linestyle=":", label="rounding, 2.2e-16")
    axes.set(xlabel="offset from the frame (MHz)", ylabel="largest difference in S", ylim=(5e-19, 1e-12))
    return "signed or doubled basis (0 is drawn at 1e-18)"


def main() -> None:
    """Compute, write the JSON and the figure, print where the simpler model is off by 1 %."""
    numbers = publish(compute(), FIGURE, draw)
    for panel, ratio in (("rotating_wave", "kappa_over_omega_m"), ("two_modes", "kappa_over_delta"), ("image", "kappa_o_over_omega_m")):
        error = np.abs(numbers[panel]["efficiency"])
        at = np.exp(np.interp(np.log(0.01), np.log(error[:30]), np.log(numbers[panel][ratio][:30])))
        print(f"{panel}: the simpler efficiency is off by 1 % at {ratio} = {at:.2g}")


if __name__ == "__main__":
    main()
