"""What leaves a study for others: the plan of a fault-tolerant computer, and files for network simulators and process tomography."""

import warnings
from collections.abc import Iterator
from typing import Any, get_args

import jax
import numpy as np

from ..linear.system import UnstableError
from ..link.arms import SAMPLES
from ..programs import ONCE, compiled
from ..protocols.clocks import Clock, clock_needed
from ..protocols.performance import AbstractProcessed
from ..protocols.planner import LARGE, SMALL, Pairs, Plan, best_plan
from ..qubit.encodings import Process
from ..qubit.export import choi_with_leak, kraus, network_link, pauli_transfer, to_json
from .config import Setting
from .evaluate import plain
from .protocols import NAMES


def plans(result: dict[str, Any]) -> list[Plan]:
    """Of both targets, with the protocol and the number of rounds that need the fewest links; from what an evaluation says.

    Raises:
        ValueError: no protocol makes pairs.
    """
    found = []
    for name, one in result["protocols"].items():
        if one["why"] is not None:
            continue
        after = [(said, f"{name}, round {number}") for number, said in enumerate(one["rounds"], 1)]
        for said, label in ((one, name), *after):
            rate, fidelity, success = said["rate_per_s"], said["fidelity"], said["success_probability"]
            if rate and fidelity and success:
                found.append(Pairs(label, rate, fidelity, success))
    return [best_plan(target, found) for target in (SMALL, LARGE)]


def planned(plan: Plan) -> dict[str, Any]:
    """A plan as JSON states it; infinite factors are null."""

    def finite(value: Any) -> Any:
        return value if not isinstance(value, float) or np.isfinite(value) else None

    own = {name: finite(value) for name, value in plan._asdict().items() if not isinstance(value, tuple)}
    parts = {name: getattr(plan, name)._asdict() for name in ("target", "pairs", "assumed")}
    sure = plan.links_guaranteed
    return {**parts, **own, "links_guaranteed": None if sure is None else sure._asdict()}


def needed(setting: Setting, fidelity: float) -> dict[str, dict[str, Any]]:
    """Protocol -> whether a perfect clock reaches the fidelity, and the clock errors (s) that leave it (see ``clock_needed``).

    Null: none is enough or, where it is reached, any is.
    """
    answer = {}
    for name in NAMES:
        if setting.lacking(name) is None:
            at = compiled(lambda parts, name=name: _allowed(setting, name, parts, fidelity), tag=f"{name} {fidelity!r}", options=ONCE)
            found = jax.device_get(at(setting.parts))
            answer[name] = {"reached": not np.isnan(found["clock_jitter_s"])} | {which: plain(value) for which, value in found.items()}
    return answer


def _allowed(setting: Setting, name: str, parts: dict[str, Any], fidelity: float) -> dict[str, Any]:
    protocol, connection = setting.protocol_over(name, parts, SAMPLES)
    return {f"{which}_s": clock_needed(protocol, connection, fidelity, which) for which in get_args(Clock)}


def exports(setting: Setting) -> Iterator[tuple[str, str | dict[str, np.ndarray]]]:
    """File name -> its text, or its arrays: one JSON per protocol; Choi, Kraus and Pauli-transfer matrices of what moves a state.

    Warns:
        UserWarning: a protocol whose pump is unstable, which is left out, and as the protocols.
    """
    for name in NAMES:
        if setting.lacking(name) is not None:
            continue
        protocol, connection = setting.protocol_over(name, setting.parts)
        try:
            done: Any = jax.device_get(protocol(connection))
        except UnstableError as error:
            warnings.warn(f"{name} is left out: {error}", stacklevel=2)
            continue
        moves = isinstance(done, AbstractProcessed)
        link = network_link(
            done.channel if moves else done.channel_a,
            done.rate,
            done.fidelity,
            done.pair,
            channel_b=None if moves else done.channel_b,
            protocol=name,
            success_probability=done.success_probability,
            attempt_duration=done.attempt_duration,
            memory_a=connection.a.keeper,
            memory_b=connection.b.keeper,
        )
        yield f"{name}.json", to_json(link) + "\n"
        if moves:
            yield f"{name}.npz", _matrices(done.process)


def _matrices(process: Process) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for suffix, heralded in (("", False), ("_heralded", True)):
        if heralded and process.choi_heralded is None:
            continue
        choi = choi_with_leak(process, heralded)
        found |= {f"choi{suffix}": choi, f"kraus{suffix}": kraus(choi), f"pauli_transfer{suffix}": pauli_transfer(choi)}
    return found
