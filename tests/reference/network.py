"""Answers to the overlap, memory, distillation, teleportation and planning cases of ``qubit.json``, by the public API."""

import ast
from math import sqrt
from typing import Any

import jax.numpy as jnp
import numpy as np

from tests.reference.heralding import one_click
from transduce.devices.electro_optic import ElectroOptic
from transduce.gaussian.channel import ModeChannel
from transduce.gaussian.teleportation import best_gain, quietest_gain, teleport
from transduce.linear.noise import PairMoments
from transduce.link import overlap
from transduce.link.emission import Qubit
from transduce.link.wavepacket import Decaying, Gaussian, Sech
from transduce.protocols import planner
from transduce.qubit import bell, distillation, memory
from transduce.qubit.encodings import SingleRail
from transduce.qubit.mode_channel import fock_element
from transduce.units import Hz

SHAPES: dict[str, Any] = {"gaussian": Gaussian, "exponential": Decaying, "sech": Sech}
ONE_CLICK = "one_click(0.2,0.2,(0.1,0.002,0),(0.1,0.002,0.7),V=0.95,pd=1e-5,eff=0.9,sigma=0.1)"
"""The state of the EPL cases, which some name instead of stating it."""


def _packet(inputs: dict):
    return SHAPES[inputs["shape"]](bandwidth=inputs["bandwidth_hz"] * Hz)


def _width(packet) -> float:
    """The reference's own: sigma_t, gamma or k."""
    if isinstance(packet, Gaussian):
        return float(packet.deviation)
    return float(packet.bandwidth) if isinstance(packet, Decaying) else float(2 / packet.width)


def _of_deviation(deviation: float) -> Gaussian:
    return Gaussian(bandwidth=sqrt(2 * np.log(2)) / deviation)


def visibility(inputs: dict) -> dict:
    """One shape twice: delay, detuning, jitter; ``half`` is the spectrum at half of its width."""
    packet = _packet(inputs)
    mean = overlap.jittered(packet, inputs["sigma"], inputs["offset"])
    spectrum = [abs(packet.spectrum(w)) ** 2 for w in (packet.bandwidth / 2, 0.0)]
    return {
        "width": _width(packet),
        "V_tau": float(abs(overlap.shifted_overlap(packet, inputs["tau"])) ** 2),
        "V_avg": float(mean.visibility),
        "xi_avg": float(mean.amplitude),
        "half": float(spectrum[0] / spectrum[1]),
        "V_delta": float(abs(overlap.shifted_overlap(packet, detuning=inputs["delta"])) ** 2),
    }


def timing_tolerance(inputs: dict) -> dict:
    """The delay that costs eps."""
    packet = _packet(inputs)
    delay = overlap.delay_for(packet, 1 - inputs["eps"])
    return {"tau_s": float(delay), "V": float(abs(overlap.shifted_overlap(packet, delay)) ** 2)}


def visibility_mismatch(inputs: dict) -> dict:
    """Widths are deviations of Gaussians, or rates of exponentials."""
    widths = inputs["w1"], inputs["w2"]
    pair = [_of_deviation(w) if inputs["shape"] == "gaussian" else Decaying(bandwidth=w) for w in widths]
    return {"V": float(overlap.visibility(*pair, inputs["tau"]))}


def visibility_gdd(inputs: dict) -> dict:
    """Dispersion between two Gaussians."""
    packet = _of_deviation(inputs["sigma_t"])
    return {"V": float(overlap.visibility(packet, packet, inputs["tau"], dispersion=inputs["phi2"]))}


def _waited(inputs: dict, wait: memory.AbstractWait) -> dict:
    qubit, name = Qubit(t1=inputs["T1"], t2=inputs["T2"]), "phi+" if inputs["bell"] == "phi" else "psi+"
    return {"F": float(bell.fidelity(memory.waited(bell.werner(1.0, name), qubit, qubit, wait), name))}


def memory_fidelity(inputs: dict) -> dict:
    """A Bell pair after a fixed wait."""
    return _waited(inputs, memory.FixedWait(time=inputs["t"]))


def memory_fidelity_exp_wait(inputs: dict) -> dict:
    """A Bell pair after an exponential wait."""
    return _waited(inputs, memory.ExponentialWait(rate=inputs["R"]))


def _two_links(p: float, cutoff: int | None = None) -> memory.TwoLinkWait:
    return memory.TwoLinkWait(first_probability=p, second_probability=p, attempt_time=1.0, cutoff=cutoff)


def wait_factor_geometric(inputs: dict) -> dict:
    """Attempts of unit length."""
    wait = _two_links(inputs["p"])
    return {"f": float(wait.transform(-np.log(inputs["s"]))), "Emax": float(wait.pair_time)}


def cutoff_success(inputs: dict) -> dict:
    """Two equal links within m attempts of each other."""
    return {"P": float(_two_links(inputs["p"], inputs["m"]).kept)}


def bbpssw(inputs: dict) -> dict:
    """Werner pairs."""
    fidelity, success = distillation.bbpssw(inputs["F"])
    return {"F_out": float(fidelity), "p": float(success)}


def dejmps(inputs: dict) -> dict:
    """Bell-diagonal pairs, in the reference's order."""
    order = [bell.NAMES.index(name) for name in inputs["order"].split(",")]
    weights, success = distillation.dejmps(jnp.zeros(4).at[jnp.array(order)].set(jnp.array(inputs["coef"])))
    return {"coef_out": weights[jnp.array(order)].tolist(), "p": float(success)}


def _state(text: str):
    """The pair of ``one_click(a1, a2, ch1, ch2, V=..., ...)``."""
    call = ast.parse(ONE_CLICK if text.startswith("as ") else text, mode="eval").body
    assert isinstance(call, ast.Call)
    inputs = dict(zip(("a1", "a2", "ch1", "ch2"), map(ast.literal_eval, call.args), strict=True))
    inputs |= {str(item.arg): ast.literal_eval(item.value) for item in call.keywords}
    answer = one_click(inputs)
    return jnp.array(answer["rho_re"]) + 1j * jnp.array(answer["rho_im"])


def epl(inputs: dict) -> dict:
    """Two equal pairs; the fidelity is to the Bell state of phase 0."""
    pair = _state(inputs["state"])
    done = distillation.epl(pair, pair)
    return {
        "F_in": float(bell.fidelity(pair)),
        "F_out": float(bell.fidelity(done.state)),
        "p": float(done.success_probability),
        "rho_re": done.state.real.tolist(),
    }


def distill_circuit(inputs: dict) -> dict:
    """Noisy gates and readout, both spent qubits read 1."""
    assert inputs["accept"] == "11", inputs["accept"]
    pair = _state(inputs["state"])
    done = distillation.distil(pair, pair, "epl", inputs["p2"], inputs["pm"])
    return {"F_out": float(bell.fidelity(done.state)), "p": float(done.success_probability)}


def _single_rail(channel: ModeChannel):
    return SingleRail().process(channel).entanglement_fidelity


def teleport_channel(inputs: dict) -> dict:
    """A pure pair; ``S`` is the map of Fock levels, out left, out right, in left, in right."""
    photons = jnp.asarray(inputs["nbar"])
    channel = teleport(PairMoments(photons, photons, jnp.sqrt(photons * (photons + 1)) + 0j), inputs["kappa"])
    levels = [(m, p, q, r) for m in range(4) for r in range(4) for p in range(2) for q in range(2)]
    return {
        "eta": float(channel.efficiency),
        "n": float(channel.noise),
        "S": [float(fock_element(channel, *level).real) for level in levels],
        "F_single": float(_single_rail(channel)),
    }


def _pumped(inputs: dict) -> tuple[PairMoments, ModeChannel]:
    """One device on resonance: the pair of its blue pump, and conversion up by its red one."""
    z_o, z_m, centre = inputs["zo"], inputs["zm"], jnp.zeros(())
    rates = {"kappa_e_ext": z_m, "kappa_e_int": 1 - z_m, "kappa_o_ext": z_o, "kappa_o_int": 1 - z_o}
    device = ElectroOptic(**rates, cooperativity=inputs["C"], n_e_int=inputs["nin"], pump="blue")
    pair = device.linear_system().pair_moments("microwave", "optical", centre)
    red = ElectroOptic(**rates, cooperativity=inputs["C"], n_e_int=inputs["nin"]).linear_system()
    t = red.row("optical", centre).normal[red.index("microwave")]
    return pair, ModeChannel(t, red.added_noise_input("microwave", "optical", centre) * abs(t) ** 2)


def eo_tms(inputs: dict) -> dict:
    """Moments, direct conversion, and teleportation at the quietest gain and at 1."""
    pair, direct = _pumped(inputs)
    gain = quietest_gain(pair)
    quiet = teleport(pair, gain)
    return {
        "Nm": float(pair.first),
        "No": float(pair.second),
        "c": float(abs(pair.correlation)),
        "eta_direct": float(direct.efficiency),
        "n_direct": float(direct.noise),
        "kappa_min_noise": float(gain),
        "eta_tel": float(quiet.efficiency),
        "n_tel": float(quiet.noise),
        "n_tel_kappa1": float(teleport(pair, 1.0).noise),
    }


def best_teleport_single_rail(inputs: dict) -> dict:
    """The gain of highest fidelity, beside direct conversion."""
    pair, direct = _pumped(inputs)
    gain = best_gain(pair, _single_rail)
    channel = teleport(pair, gain)
    return {
        "kappa": float(gain),
        "F_tel": float(_single_rail(channel)),
        "F_direct": float(_single_rail(direct)),
        "n_tel": float(channel.noise),
    }


def logical_error(inputs: dict) -> dict:
    """Both ways to combine."""
    given = inputs["d"], inputs["p_bulk"], inputs["p_link"]
    return {"pL": float(planner.logical_error(*given)), "pL_joint": float(planner.logical_error(*given, combine="joint"))}


def links_mean(inputs: dict) -> dict:
    """In the mean."""
    return {"L": float(planner.links_mean(inputs["d"], inputs["t_logical"], inputs["rate"], inputs.get("b", 1.0)))}


def links_guaranteed(inputs: dict) -> dict:
    """With a bound on the shortfall."""
    given = (inputs[name] for name in ("d", "t_logical", "rep_rate", "p", "fail"))
    found = planner.links_guaranteed(*given, inputs.get("b", 1.0))
    return {"L": float(found.links), "tail_ok": found.shortfall, "tail_prev": found.shortfall_before}


FUNCTIONS = {
    "visibility/visibility_jitter": visibility,
    "timing_tolerance": timing_tolerance,
    "visibility_mismatch": visibility_mismatch,
    "visibility_gdd": visibility_gdd,
    "memory_fidelity": memory_fidelity,
    "memory_fidelity_exp_wait": memory_fidelity_exp_wait,
    "wait_factor_geometric": wait_factor_geometric,
    "cutoff_success": cutoff_success,
    "bbpssw": bbpssw,
    "dejmps": dejmps,
    "epl": epl,
    "distill_circuit": distill_circuit,
    "eo_tms": eo_tms,
    "teleport_channel": teleport_channel,
    "best_teleport_single_rail": best_teleport_single_rail,
    "logical_error": logical_error,
    "links_mean": links_mean,
    "links_guaranteed": links_guaranteed,
}
