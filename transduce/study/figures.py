"""The figures by which a study is judged, by name: those of the link, of the photon, of the qubit, and of single stages.

Spectral ones (efficiency, bandwidth, added noise) are at the carrier, of the whole link or, as ``up.efficiency``, of one stage;
``packet_...`` are the photon's through the same row. ``refrigerator_share`` is the mean power that the converters absorb over the cooling
power: of both, where one refrigerator holds them; of one, ``up.refrigerator_share``, where each has its own.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Array, Float

from ..protocols.performance import Transferred
from ..protocols.transfer import Passage

LINK = {
    "efficiency": "number",
    "efficiency_internal": "number",
    "added_noise_input": "number",
    "bandwidth_fwhm": "rate",
    "ripple_db": "loss",
}
PACKET = {"packet_efficiency": "number", "packet_noise_input": "number"}
FIDELITIES = ("average_fidelity", "average_fidelity_heralded", "entanglement_fidelity", "entanglement_fidelity_heralded")
HERALDED = ("average_fidelity_heralded", "entanglement_fidelity_heralded", "success_probability")
"""What an encoding without a herald lacks."""
TIME = {"rate": "event rate", "latency": "time"}
STAGE = {"efficiency": "number", "added_noise_input": "number"}
COLD = dict.fromkeys(("refrigerator_share", "up.refrigerator_share", "down.refrigerator_share"), "number")


def known(stages: tuple[str, ...], heralded: bool) -> dict[str, str]:
    """Name -> dimension of every figure of a link with these stages."""
    qubit = {name: "number" for name in (*FIDELITIES, "success_probability") if heralded or name not in HERALDED}
    return LINK | PACKET | qubit | TIME | {f"{stage}.{name}": size for stage in stages for name, size in STAGE.items()} | COLD


def figure(name: str, performance: Transferred, passage: Passage, shares: Mapping[str, Any]) -> Float[Array, ""]:
    """One figure by its name, inside units; ``shares`` are those of the refrigerator, of "up" and "down"."""
    stage, dot, kind = name.rpartition(".")
    if kind == "refrigerator_share":
        return shares[stage] if dot else shares["up"] + shares["down"]
    if dot:
        terms, place = passage.terms, passage.names.index(stage)
        return (terms.powers if kind == "efficiency" else terms.noises)[place]
    if name in LINK:
        return getattr(performance.link, name)
    if name in PACKET:
        return performance.packet.efficiency if name == "packet_efficiency" else performance.packet.added_noise_input
    return getattr(performance, name)
