"""The figures by which a study is judged, by name: those of the link, of the photon, of the qubit, and of single stages.

Spectral ones (efficiency, bandwidth, added noise) are at the carrier, of the whole link or, as ``up.efficiency``, of one stage;
``packet_...`` are the photon's through the same row.
"""

from jaxtyping import Array, Float

from ..protocols.transfer import Passage, Performance

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


def known(stages: tuple[str, ...], heralded: bool) -> dict[str, str]:
    """Name -> dimension of every figure of a link with these stages."""
    qubit = {name: "number" for name in (*FIDELITIES, "success_probability") if heralded or name not in HERALDED}
    return LINK | PACKET | qubit | TIME | {f"{stage}.{name}": size for stage in stages for name, size in STAGE.items()}


def figure(name: str, performance: Performance, passage: Passage) -> Float[Array, ""]:
    """One figure by its name, inside units."""
    stage, dot, kind = name.rpartition(".")
    if dot:
        terms, place = passage.terms, passage.names.index(stage)
        return (terms.powers if kind == "efficiency" else terms.noises)[place]
    if name in LINK:
        return getattr(performance.link, name)
    if name in PACKET:
        return performance.packet.efficiency if name == "packet_efficiency" else performance.packet.added_noise_input
    return getattr(performance, name)
