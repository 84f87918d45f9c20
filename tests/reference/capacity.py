"""Answers to the capacity, chain and sideband-gain cases of ``linear.json``, by the public API."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.reference.linear import array
from transduce.devices import chain as chains
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.gaussian.capacity import bounds
from transduce.gaussian.capacity_rate import capacity_rate
from transduce.units import Hz


def capacity(inputs: dict) -> dict:
    """One channel, given by the occupation of its environment."""
    found = bounds(inputs["eta"], inputs["n_env"] * (1 - inputs["eta"]))
    names = {"q1_pure": found.pure_loss, "q_lower": found.lower, "q_plob": found.two_way, "q_twisted": found.bottleneck}
    return {name: float(value) for name, value in names.items()} | {"q_upper": float(found.upper)}


def capacity_integrated(inputs: dict) -> dict:
    """A red-pumped device over all frequencies, up; its lower bound ends where eta falls to 1/2."""
    rates = {
        f"kappa_{side}_{part}": (share if part == "ext" else 1 - share) * inputs[f"kappa_{name}"]
        for side, name in (("e", "b"), ("o", "a"))
        for part in ("ext", "int")
        for share in (inputs[f"eta_{name}"],)
    }
    device = ElectroOptic(**rates, g0=inputs["g"], pump_photons=1.0, n_e_int=inputs["n_b_int"])
    found = capacity_rate(device.linear_system())
    names = {"Q_pure_loss": found.pure_loss, "Q_lower_thermal": found.lower, "Q_upper_twisted_thermal": found.bottleneck}
    return {"omega_half": _half(device)} | {name: float(value) for name, value in names.items()}


def _half(device: ElectroOptic) -> float:
    """The largest frequency at which half of the power is converted."""
    ladder = jnp.linspace(0.0, 1.0, 65)
    ask = jax.jit(jax.vmap(lambda w: device.efficiency(omega=w)))
    low, high = 0.0, 10.0 * float(device.kappa_e_ext + device.kappa_o_ext)
    for _ in range(10):
        rungs = low + (high - low) * ladder
        last = int(np.flatnonzero(np.asarray(ask(rungs)) >= 0.5)[-1])
        low, high = float(rungs[last]), float(rungs[last + 1])
    return (low + high) / 2


def chain(inputs: dict) -> dict:
    """A Butterworth chain: its rates, and its capacity from its zeros."""
    rates, given = chains.butterworth(inputs["N"], inputs["g_max"]), chains.butterworth_reflection(inputs["N"], inputs["g_max"])
    found = float(chains.capacity(given))
    return {
        "J": rates.coupling.tolist(),
        "kappa_1": float(rates.kappa_first),
        "kappa_N": float(rates.kappa_last),
        "omega_c": float(chains.cutoff(given)),
        "Q_dw_over_2pi": found,
        "Q_dw": Hz * found,
    }


def chain_generic(inputs: dict) -> dict:
    """A chain by its rates: its capacity and the bands that bear it."""
    j = jnp.asarray(inputs["J"])
    detuning = jnp.zeros(j.size + 1) if inputs["detunings"] is None else jnp.asarray(inputs["detunings"])
    rates = chains.Rates(j, jnp.asarray(inputs["kappa_1"]), jnp.asarray(inputs["kappa_N"]), detuning)
    given = chains.reflection(rates)
    edges, inside = (np.asarray(x) for x in chains.bands(given))
    merged: list[list[float]] = []
    for low, high in zip(edges[:-1][inside], edges[1:][inside], strict=True):
        if merged and merged[-1][1] == low:
            merged[-1][1] = high
        else:
            merged.append([low, high])
    return {"Q_dw_over_2pi": float(chains.capacity(given)), "bands": merged}


def chain_synthesis(inputs: dict) -> dict:
    """A chain by its reflection zeros."""
    zeros = array(inputs["reflection_zeros"])
    rates = chains.from_reflection_zeros(zeros, inputs["D"])
    return {
        "J": rates.coupling.tolist(),
        "kappa_1": float(rates.kappa_first),
        "kappa_N": float(rates.kappa_last),
        "detunings": rates.detuning.tolist(),
        "Q_dw_over_2pi": float(chains.capacity(chains.Reflection(jnp.asarray(zeros), jnp.asarray(inputs["D"])))),
    }


def eom_gain(inputs: dict) -> dict:
    """A membrane at unequal sideband resolutions: the full model, and the weak-coupling formula it tends to.

    The inputs do not name the baths: they are those of the file's matrix cases of the same membranes.
    """
    rates: dict[str, float] = {}
    gains, dampings, omega_m = {}, {}, inputs["omega_m"]
    for side in ("e", "o"):
        kappa, eta = inputs[f"kappa_{side}"], inputs[f"eta_{side}"]
        rates |= {f"kappa_{side}_ext": eta * kappa, f"kappa_{side}_int": (1 - eta) * kappa, f"g0_{side}": inputs[f"G_{side}"]}
        gains[side] = 1 + (kappa / (4 * omega_m)) ** 2
        dampings[side] = 4 * inputs[f"G_{side}"] ** 2 / kappa / gains[side]
    baths = {"n_m": 50.0, "n_e_ext": 0.05, "n_e_int": 0.1}
    pumps: dict[str, float] = {"pump_photons_e": 1.0, "pump_photons_o": 1.0}
    device = ElectroOptomechanical(**rates, **baths, **pumps, frequency_m=omega_m, gamma_m=inputs["gamma_m"], model="full")
    total = inputs["gamma_m"] + sum(dampings.values())
    weak = gains["e"] * gains["o"] * inputs["eta_e"] * inputs["eta_o"] * 4 * dampings["e"] * dampings["o"] / total**2
    poles = np.asarray(device.linear_system().poles("optical"))
    shifted = jnp.abs(jnp.asarray(poles[poles.imag.argmax()].real))  # the mechanical one decays slowest
    return {
        "gain_e": gains["e"],
        "gain_o": gains["o"],
        "Gamma_e": dampings["e"],
        "Gamma_o": dampings["o"],
        "eta_weak_coupling_formula": weak,
        "eta_exact_at_omega_m": float(device.efficiency(omega=jnp.asarray(omega_m))),
        "omega_spring_shifted": float(shifted),
        "eta_exact_at_shifted": float(device.efficiency(omega=shifted)),
        "N_add_exact_at_shifted_n_m_50": float(device.added_noise_input(omega=shifted)),
    }


KINDS = {
    "capacity": capacity,
    "capacity_integrated": capacity_integrated,
    "chain": chain,
    "chain_generic": chain_generic,
    "chain_synthesis": chain_synthesis,
    "eom_gain": eom_gain,
}
