"""The figures by which a study is judged, by name: those of the link, of the photon, of the qubit, of the pairs, and of single stages.

Spectral ones (efficiency, bandwidth, added noise) are at the carrier, of the whole link or, as ``up.efficiency``, of one stage;
``packet_...`` are the photon's through the same row. Those of the pairs (fidelity, rate, ebits, ...) are the study's protocol's, and
``distilled.fidelity`` its distilled pairs'. ``refrigerator_share`` is the mean power that the converters absorb over the cooling power:
of both, where one refrigerator holds them; of one, ``up.refrigerator_share``, where each has its own.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from ..protocols.performance import Transferred
from ..protocols.transfer import Passage
from .protocols import PAIR, TRANSFER, Case

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
STAGE = {"efficiency": "number", "added_noise_input": "number"}
COLD = dict.fromkeys(("refrigerator_share", "up.refrigerator_share", "down.refrigerator_share"), "number")


class View(NamedTuple):
    """All that a figure is read from, traced.

    Attributes:
        transferred: the transfer over the connection.
        passage: the photon's way.
        shares: asks for those of the refrigerator, of "up" and "down".
        case: of the study's protocol.
    """

    transferred: Transferred
    passage: Passage
    shares: Callable[[], Mapping[str, Any]]
    case: Case


def known(stages: tuple[str, ...], heralded: bool, protocol: str) -> dict[str, str]:
    """Name -> dimension of every figure of a link with these stages."""
    pairs = PAIR | {f"distilled.{name}": size for name, size in PAIR.items()}
    qubit: dict[str, str] = {}
    if protocol == TRANSFER:
        qubit = dict.fromkeys(FIDELITIES, "number") | {"latency": "time"}
        lacked = () if heralded else HERALDED
        qubit, pairs = ({name: size for name, size in table.items() if name not in lacked} for table in (qubit, pairs))
    return LINK | PACKET | qubit | pairs | {f"{stage}.{name}": size for stage in stages for name, size in STAGE.items()} | COLD


def figure(name: str, view: View) -> Float[Array, ""]:
    """One figure by its name, inside units."""
    stage, dot, kind = name.rpartition(".")
    if kind == "refrigerator_share":
        shares = view.shares()
        return shares[stage] if dot else shares["up"] + shares["down"]
    if stage == "distilled" and stage not in view.passage.names:
        return getattr(view.case.distilled, kind)
    if dot:
        terms, place = view.passage.terms, view.passage.names.index(stage)
        return (terms.powers if kind == "efficiency" else terms.noises)[place]
    if name in LINK:
        return getattr(view.transferred.link, name)
    if name in PACKET:
        packet = view.transferred.packet
        return packet.efficiency if name == "packet_efficiency" else packet.added_noise_input
    return getattr(view.case.raw if name in PAIR else view.transferred, name)
