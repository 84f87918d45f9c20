"""Answers to ``linear.json``: for each kind of linear system or device, its inputs in, exactly its outputs out, by the public API.

A matrix kind is asked at the frequencies ``w`` of the case, which the caller adds to the inputs. Mode a is optical, b microwave.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.linear.lineshape import interval_above
from transduce.linear.noise import PairMoments, added_noise, output_noise
from transduce.linear.system import LinearSystem
from transduce.numerics import abs2


def array(value: Any) -> np.ndarray:
    """A complex array of the file."""
    return np.asarray(value["re"]) + 1j * np.asarray(value["im"])


def as_file(value: Any) -> dict:
    """A complex array or number as the file writes it."""
    return {"re": np.real(value).tolist(), "im": np.imag(value).tolist()}


def _system(inputs: dict, occupation: Any) -> LinearSystem:
    return LinearSystem.from_hamiltonian(array(inputs["Omega"]), array(inputs["Xi"]), array(inputs["C"]), occupation)


def _answers(system: LinearSystem, source: str, target: str, omegas: jax.Array) -> dict:
    index, occupation = system.index(source), system.occupation

    def at(omega: jax.Array) -> dict:
        rows = {port: system.row(port, omega) for port in system.ports}
        blocks = {
            kind: [[0.0 if s is None else s for s in getattr(row, kind)] for row in rows.values()] for kind in ("normal", "anomalous")
        }
        efficiency = abs2(jnp.asarray(blocks["normal"][system.index(target)][index]))
        return {
            "S_minus_minus": jnp.array(blocks["normal"], complex),
            "S_minus_plus": jnp.array(blocks["anomalous"], complex),
            "N_out": jnp.stack([output_noise(row, occupation) for row in rows.values()]),
            "eta": efficiency,
            "N_add_direct": added_noise(rows[target], occupation, index),
            "N_add_excl_port": output_noise(rows[target], occupation, skip=index, skip_image=True) / efficiency,
        }

    return {"per_w": jax.vmap(at)(omegas), "margin": system.stability_margin(), "numbers": system.covariance().occupation}


def system(inputs: dict) -> dict:
    """Any system given by its matrices, at the frequencies ``w``."""
    built = _system(inputs, inputs["n"])
    omegas = jnp.asarray(inputs["w"], float)
    found = _answers(built, built.ports[inputs["in_port"]], built.ports[inputs["out_port"]], omegas)
    per_w = []
    for k, omega in enumerate(inputs["w"]):
        one = {name: np.asarray(value)[k] for name, value in found["per_w"].items()}
        matrices = {name: as_file(one[name]) for name in ("S_minus_minus", "S_minus_plus")}
        per_w.append({"w": omega} | {name: value.tolist() for name, value in one.items()} | matrices)
    return {"max_re_eig": -float(found["margin"]), "per_w": per_w, "intracavity_numbers": found["numbers"].tolist()}


def stability(inputs: dict) -> dict:
    """The gate's two answers."""
    built = _system(inputs, np.zeros(len(inputs["C"]["re"])))
    return {"max_re_eig": -float(built.stability_margin()), "stable": bool(built.is_stable())}


def _electro_optic(inputs: dict, **given: Any) -> ElectroOptic:
    kappa_e, kappa_o, eta_e, eta_o = (inputs[name] for name in ("kappa_b", "kappa_a", "eta_b", "eta_a"))
    rates = {"kappa_e_ext": eta_e * kappa_e, "kappa_e_int": (1 - eta_e) * kappa_e}
    rates |= {"kappa_o_ext": eta_o * kappa_o, "kappa_o_int": (1 - eta_o) * kappa_o}
    return ElectroOptic(**(rates | given))


class Conversion(eqx.Module):
    """|S|^2 from the microwave to the optical port."""

    system: LinearSystem

    def __call__(self, omega: jax.Array) -> jax.Array:
        return abs2(jnp.asarray(self.system.row("optical", omega).normal[self.system.index("microwave")]))


def eo_closed(inputs: dict) -> dict:
    """The resonant red-pumped device: widths relative to the centre and to the peak."""
    names = {"n_e_ext": "n_b_ext", "n_e_int": "n_b_int", "n_o_ext": "n_a_ext", "n_o_int": "n_a_int"}
    baths = {field: inputs.get(name, 0.0) for field, name in names.items()}
    device = _electro_optic(inputs, g0=inputs["g"], pump_photons=1.0, **baths)
    conversion = Conversion(device.linear_system())
    poles, peak = conversion.system.poles("optical"), device.carrier()

    @jax.jit
    def widths(peak: jax.Array) -> dict:
        low, high = interval_above(conversion, conversion(jnp.zeros(())) / 2, 0.0, poles)
        left, right = (interval_above(conversion, conversion(peak) / 2, at, poles) for at in (-peak, peak))
        return {
            "bandwidth_rel_centre_rad_s": high - low,
            "outer_width_rel_peak": right[1] - left[0],
            "gap_rel_peak": jnp.maximum(right[0] - left[1], 0.0),
        }

    return {
        "C": float(device.cooperativities()["microwave-optical"]),
        "eta0": float(device.efficiency(omega=jnp.zeros(()))),
        "peak_offset_rad_s": float(peak),
        "N_add_up": float(device.added_noise_input(omega=jnp.zeros(()))),
        "N_add_down": float(device.added_noise_input("optical", "microwave", omega=jnp.zeros(()))),
    } | {name: float(value) for name, value in widths(peak).items()}


@eqx.filter_jit
def _pairs(device: ElectroOptic, omega: jax.Array) -> tuple[PairMoments, jax.Array, jax.Array, jax.Array]:
    pairs = device.linear_system().pair_moments("microwave", "optical", omega)
    return pairs, pairs.smallest_symplectic_eigenvalue(), pairs.logarithmic_negativity(), pairs.covariance()


def tms(inputs: dict) -> dict:
    """The blue pump: pairs of the microwave at +w and the optical port at -w, from vacuum and from a warm microwave side."""
    vacuum = _electro_optic(inputs, cooperativity=inputs["C"], pump="blue", n_e_ext=0.0, n_e_int=0.0)
    warm = _electro_optic(
        inputs, cooperativity=inputs["C"], pump="blue", n_e_ext=inputs["n_b_ext_thermal"], n_e_int=inputs["n_b_int_thermal"]
    )
    (cold, nu, bits, covariance), (hot, nu_hot, bits_hot, _) = (_pairs(device, jnp.zeros(())) for device in (vacuum, warm))
    off, nu_off, _, _ = _pairs(warm, jnp.asarray(inputs["w_off"]))
    return {
        "N_a": float(cold.second),
        "N_b": float(cold.first),
        "absM": float(abs(cold.correlation)),
        "nu_minus": float(nu),
        "E_N_bits": float(bits),
        "E_N_nats": float(bits * jnp.log(2.0)),
        "covariance_vac1": (2 * covariance).tolist(),
        "thermal": {
            "N_a": float(hot.second),
            "N_b": float(hot.first),
            "absM": float(abs(hot.correlation)),
            "nu_minus": float(nu_hot),
            "E_N_bits": float(bits_hot),
        },
        "thermal_off_resonance": {
            "N_b_at_w": float(off.first),
            "N_a_at_minus_w": float(off.second),
            "absM": float(abs(off.correlation)),
            "nu_minus": float(nu_off),
        },
        "max_re_eig": -float(vacuum.stability_margin()),
    }


def eom_closed(inputs: dict) -> dict:
    """The resonant rotating-wave membrane, from its cooperativities."""
    rates: dict[str, float] = {}
    for side in ("e", "o"):
        kappa, eta = inputs[f"kappa_{side}"], inputs[f"eta_{side}"]
        rates |= {f"kappa_{side}_ext": eta * kappa, f"kappa_{side}_int": (1 - eta) * kappa}
    baths = {name: inputs[name] for name in ("n_m", "n_e_ext", "n_e_int", "n_o_ext", "n_o_int")}
    device = ElectroOptomechanical(
        **rates,
        **baths,
        frequency_m=1.0,
        gamma_m=inputs["gamma_m"],
        cooperativity_e=inputs["C_e"],
        cooperativity_o=inputs["C_o"],
    )
    pumps, centre = device.drives(), jnp.zeros(())
    return {
        "G_e": float(pumps["microwave"].coupling),
        "G_o": float(pumps["optical"].coupling),
        "eta0": float(device.efficiency(omega=centre)),
        "N_add_up": float(device.added_noise_input(omega=centre)),
        "N_add_down": float(device.added_noise_input("optical", "microwave", omega=centre)),
    }


def pump(inputs: dict) -> dict:
    """Intracavity photons of a pump."""
    device = ElectroOptic(
        frequency_o=inputs["omega_p"],
        kappa_e_ext=1.0,
        kappa_e_int=1.0,
        kappa_o_ext=inputs["kappa_ext"],
        kappa_o_int=inputs["kappa"] - inputs["kappa_ext"],
        g0=1.0,
        pump_power=inputs["P_W"],
        pump_detuning=inputs["Delta"],
    )
    return {"n_p": float(device.drives()["optical"].photons)}


KINDS = {
    "system": system,
    "stability": stability,
    "eo": system,
    "eo_closed": eo_closed,
    "eo_stokes": system,
    "tms": tms,
    "eom": system,
    "eom_closed": eom_closed,
    "eom_full": system,
    "piezo": system,
    "pump": pump,
}
