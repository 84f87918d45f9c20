"""Answers to the heralding cases of ``qubit.json``: inputs in, exactly the outputs out, by the public API."""

from math import prod, sqrt

import jax.numpy as jnp

from transduce.gaussian.channel import ModeChannel
from transduce.qubit import bell_measurement, heralding, pairs
from transduce.qubit.detector import Detector, Kind
from transduce.qubit.heralded_pair import HeraldedPair

DETECTORS: dict[str, Kind] = {"threshold": "threshold", "threshold_any": "threshold_any", "pnr": "number_resolving"}


def _channel(eta: float, n: float, theta: float = 0.0) -> ModeChannel:
    return ModeChannel(eta**0.5 * jnp.exp(1j * theta), n)


def _detector(inputs: dict) -> Detector:
    """Defaults are the reference functions' own: ideal."""
    efficiency = inputs.get("det_eff", inputs.get("eff", 1.0))
    return Detector(efficiency=efficiency, dark_probability=inputs.get("pd", 0.0), kind=DETECTORS[inputs.get("kind", "threshold")])


def _sign(pattern) -> int:
    return prod(1 if count == "c" else -1 for count in "".join(pattern))


def _overlap(inputs: dict) -> float:
    return sqrt(inputs.get("V", 1.0))


def _density(pair: HeraldedPair, sign: int) -> dict:
    state = pair.state(sign)
    return {"rho_re": state.real.tolist(), "rho_im": state.imag.tolist()}


def one_click(inputs: dict) -> dict:
    """``p`` is of one detector; the fidelity is to the Bell state of phase 0."""
    channels = _channel(*inputs["ch1"]), _channel(*inputs["ch2"])
    pair = heralding.one_click(
        *channels, inputs["a1"], inputs["a2"], _detector(inputs), _overlap(inputs), phase_jitter=inputs.get("sigma", 0.0)
    )
    answer = {"F": float(pair.fidelity_at_phase()), "p": float(pair.probability)}
    return answer | (_density(pair, _sign(inputs.get("det", "c"))) if inputs.get("state", True) else {})


def one_click_noiseless(inputs: dict) -> dict:
    """Without noise in the channels."""
    return one_click(inputs | {"ch1": [inputs["e1"], 0.0], "ch2": [inputs["e2"], 0.0], "state": False})


def one_click_weak_best(inputs: dict) -> dict:
    """The best excitation of a weak link, and its fidelity."""
    noise = inputs["Nadd"]
    return {"alpha": float(heralding.best_excitation(noise)), "F": float(heralding.one_click_weak_best(noise))}


def one_click_weak_limit(inputs: dict) -> dict:
    """Where that fidelity is 1/2."""
    return {"Nadd": heralding.SEPARABLE_NOISE}


def two_click(inputs: dict) -> dict:
    """``p_total`` is of all four patterns."""
    channels = _channel(*inputs["ch1"]), _channel(*inputs["ch2"])
    pair = bell_measurement.two_click(
        *channels, _detector(inputs), _overlap(inputs), differential_phase_jitter=inputs.get("sigma_diff", 0.0)
    )
    return {"F": float(pair.fidelity), "p_total": float(pair.success_probability), **_density(pair, _sign(inputs.get("pattern", "cc")))}


def two_click_weak(inputs: dict) -> dict:
    """A weak link; ``pair_weak`` is the same with perfect photons."""
    fidelity = bell_measurement.two_click_weak_fidelity(inputs["Nadd"], inputs.get("V", 1.0), inputs.get("sigma_diff", 0.0))
    return {"F": float(fidelity)}


def tms_click(inputs: dict) -> dict:
    """Two equal nodes; ``p`` is of one detector, ``in_space`` the weight of none or one photon at each node."""
    node = pairs.squeezed_pair(inputs["nbar"], _channel(*inputs["ch_m"]), _channel(*inputs["ch_o"]), inputs.get("n0_m", 0.0))
    pair = pairs.pair_click(node, node, _detector(inputs), _overlap(inputs), phase_jitter=inputs.get("sigma", 0.0))
    return {
        "F": float(pair.fidelity_at_phase()),
        "p": float(pair.probability),
        "in_space": float(pair.weight),
        "rho_re": pair.state(_sign(inputs.get("det", "c"))).real.tolist(),
    }


def midsource(inputs: dict) -> dict:
    """``p_total`` is of all sixteen patterns."""
    source = pairs.squeezed_pair(inputs["nbar"], _channel(*inputs["chsA"]), _channel(*inputs["chsB"]))
    overlap, jitter = _overlap(inputs), inputs.get("sigma_diff", 0.0)
    pair = pairs.pair_source_in_the_middle(
        *(_channel(*inputs["chA"]), _channel(*inputs["chB"]), source, _detector(inputs), overlap, overlap),
        differential_phase_jitter=jitter,
    )
    return {
        "F": float(pair.fidelity),
        "p_total": float(pair.success_probability),
        "rho_re": pair.state(_sign(inputs.get("pattern", "c"))).real.tolist(),
    }


FUNCTIONS = {
    "one_click": one_click,
    "one_click_noiseless": one_click_noiseless,
    "one_click_weak_best": one_click_weak_best,
    "one_click_weak_best F=0.5": one_click_weak_limit,
    "two_click": two_click,
    "two_click_weak": two_click_weak,
    "pair_weak": two_click_weak,
    "tms_click": tms_click,
    "midsource": midsource,
}
