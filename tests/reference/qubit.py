"""Answers to ``qubit.json``: for each reference function, its inputs in, exactly its outputs out, by the public API."""

from typing import Any

import jax.numpy as jnp

from transduce.gaussian.channel import ModeChannel
from transduce.qubit.encodings import DualRail, SingleRail
from transduce.qubit.mode_channel import fock_element, fock_probability


def _channel(eta: float, n: float, theta: float = 0.0) -> ModeChannel:
    return ModeChannel(eta**0.5 * jnp.exp(1j * theta), n)


def super_closed(inputs: dict) -> dict:
    """Fock elements of the channel; ``D`` is the cut of the reference's own matrices."""
    channel = _channel(inputs["eta"], inputs["n"], inputs["theta"])
    return {
        "P1_1": float(fock_probability(channel, 1, 1)),
        "P3_2": float(fock_probability(channel, 3, 2)),
        "c_31_20": float(abs(fock_element(channel, 3, 2, 0, 1))),
    }


def single_rail(inputs: dict) -> dict:
    """``F_avg`` is the figure that ignores leakage; ``average_fidelity`` is ``F_avg_leak``."""
    encoding = SingleRail(inputs["convention"], phase_calibrated=False)
    process = encoding.process(_channel(inputs["eta"], inputs["n"], inputs["theta"]), phase_jitter=inputs["sigma"])
    return {
        "F_e": float(process.entanglement_fidelity),
        "F_avg": float(2 * process.entanglement_fidelity + 1) / 3,
        "F_avg_leak": float(process.average_fidelity),
        "leakage": float(process.multi_photon_probability),
        "choi_re": process.choi.real.tolist(),
        "choi_im": process.choi.imag.tolist(),
    }


def dual_rail(inputs: dict) -> dict:
    """``F_unher_mixedfill`` puts whatever is not a codeword into I/2."""
    process: Any = DualRail().process(_channel(inputs["eta"], inputs["n"]), differential_phase_jitter=inputs["sigma_diff"])
    return {
        "p_s": float(process.success_probability),
        "F_unheralded": float(process.entanglement_fidelity),
        "F_heralded": float(process.entanglement_fidelity_heralded),
        "F_avg_heralded": float(process.average_fidelity_heralded),
        "F_unher_mixedfill": float(process.entanglement_fidelity + process.leakage / 4),
        "p_vac": float(process.vacuum_probability),
        "p_multi": float(process.multi_photon_probability),
        "pauli_x": float(process.pauli_x),
        "pauli_y": float(process.pauli_y),
        "pauli_z": float(process.pauli_z),
    }


def dual_rail_general(inputs: dict) -> dict:
    """Two different rails."""
    channels = _channel(*inputs["ch0"]), _channel(*inputs["ch1"])
    process: Any = DualRail().process_unequal(*channels, differential_phase_jitter=inputs["sigma_diff"])
    return {
        "p_s": float(process.success_probability),
        "F_unheralded": float(process.entanglement_fidelity),
        "F_heralded": float(process.entanglement_fidelity_heralded),
    }


FUNCTIONS = {
    "super_closed": super_closed,
    "single_rail": single_rail,
    "dual_rail": dual_rail,
    "dual_rail_general": dual_rail_general,
}
