"""The optimisation of a study: from its parts, targets and boxes to the contract's JSON, and the run's folder.

A closed bound comes with the target on efficiency: eta <= prod eta_e eta_o times what the passive path passes, unless a device has gain.
"""

import contextlib
import contextvars
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import units
from ..design.maximise import ChunkReport, maximise
from ..design.optimum import Optimum
from ..design.targets import Targets
from ..devices.base import escape_efficiency, structure
from ..link.routing import Filter
from ..numerics import abs2
from ..programs import ONCE, compiled, idle, leading
from ..units import Hz, to_hz
from .aims import Aims
from .checkpoint import Checkpoints, Saved
from .config import Setting
from .edited import edited
from .evaluate import Evaluation, plain
from .figures import figure
from .record import dumps, now, provenance
from .resolved import inputs, resolved, stated
from .source import WrongInput

AGREE = 1e-7
"""A finer sampling of the receiver's mode that moves the optimum by less than this, relative, is no reason to search again."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an optimisation hands to the command line: the JSON object, and the curves of its figures."""

    answer: dict[str, Any]
    optimum: Optimum
    curves: dict[str, np.ndarray]


def objective(setting: Setting, aims: Aims, samples: int) -> Callable[[dict[str, Any]], Any]:
    """parts -> (the objective, the figures that have targets), for ``maximise``; NaN where a part is outside its domain."""

    def at(parts: dict[str, Any]) -> Any:
        _, view = setting.view(parts, samples)
        sound = ~jnp.isnan(view.case.raw.fidelity)  # in which every part of the connection enters
        value = jnp.where(sound, figure(aims.objective, view), jnp.nan)
        return value, {name: figure(name, view) for name in aims.bounds}

    return at


def ceilings(setting: Setting) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """The closed bound on the whole link's efficiency; None where a device can amplify."""
    if any(structure(device).active for device in setting.parts["device"].values()):
        return None

    def at(parts: dict[str, Any]) -> dict[str, Any]:
        bound = jnp.ones(())
        for name in setting.devices.values():
            system = parts["device"][name].linear_system()
            bound = bound * escape_efficiency(system, "microwave") * escape_efficiency(system, "optical")
        for stage in parts["path"].parts:
            peak = stage.centre if isinstance(stage, Filter) else jnp.zeros(())
            bound = bound * abs2(stage.prepare().response(peak).u)
        return {"efficiency": (bound, "eta <= eta_e eta_o of both devices and the path's loss")}

    return at


Keep = Callable[[int], contextlib.AbstractContextManager[Any]]
"""Where programs for this many samples are kept (``programs.kept``)."""
Progress = Callable[[ChunkReport], None]
Curve = Callable[[dict[str, Any], np.ndarray], dict[str, Any]]
TASK = "optimise"
OFFSETS = np.linspace(-1.5, 1.5, 601)
"""Of the curves, in widths of the band."""


def run(setting: Setting, aims: Aims, checkpoints: Checkpoints, saved: Saved | None, progress: Progress, keep: Keep) -> Outcome:
    """Optimise, evaluate before and after, and write everything but the pictures into the checkpoints' folder.

    Args:
        saved: where a run of this study stood; it goes on from there, to the same bits.

    Raises:
        Stopped: the run has been asked to stop.
        OSError: the folder cannot be written.
    """
    folder = checkpoints.folder
    told: dict[str, Any] = {"started": now(), "seconds": 0.0, "resumed": -1} | ({} if saved is None else dict(saved.meta))
    told["resumed"] += 1
    clock = time.perf_counter() - told["seconds"]
    provenance_ = {**provenance(setting.source, aims.counts["seed"]), "task": TASK}
    folder.text("config.resolved.json", dumps(resolved(setting, aims, setting.parts)))
    folder.text("run.json", dumps({**provenance_, "started": told["started"]}))
    folder.text("config.toml", setting.source.text)  # the last: with it the folder is a run that can go on
    evaluate, drawn = Evaluation(setting, aims, compare=False), _drawn(setting)
    first = functools.cache(lambda: _aside(setting, evaluate, drawn))
    samples, state = (Evaluation.samples, None) if saved is None else (int(saved.meta["samples"]), saved.state)

    def report(chunk: ChunkReport) -> None:
        progress(chunk)
        told["seconds"] = time.perf_counter() - clock
        row = {"samples": samples, "step": chunk.step, "steps": chunk.steps, "value": plain(chunk.value)}
        row |= {"smallest_slack": plain(chunk.smallest_slack), "seconds": told["seconds"], "seconds_left": chunk.seconds_left}
        folder.line("metrics.jsonl", row)
        checkpoints.offer(chunk.state, {**told, "samples": samples, "at": f"step {chunk.step} of {chunk.steps}"})

    while True:
        found, before = _searched(setting, aims, samples, report, state, keep, first)
        checkpoints.write()
        if evaluate.samples < samples:  # as they were when this search began
            evaluate = Evaluation(setting, aims, samples, compare=False)
        after = evaluate(found.model, aims.free)
        if evaluate.samples == samples or abs(after["objective"]["value"] - found.value) <= AGREE * abs(found.value):
            break
        samples, state = evaluate.samples, None
    width = max(one["link"]["bandwidth_fwhm_hz"] or 1e6 for one in (before, after)) * Hz
    curves = {**_curves(drawn, (setting.parts, found.model), width), "history": found.history, "slack_history": found.slack_history}
    times = {"started": told["started"], "finished": now(), "seconds": time.perf_counter() - clock, "resumed": told["resumed"]}
    answer = _answer(before, after, found, {**provenance_, "samples": evaluate.samples, **times, "folder": str(folder.path)})
    folder.text("run.json", dumps(answer["run"]))
    rows = inputs(setting, found.model)
    folder.text("optimum.toml", edited(setting.source, {path: (rows[path]["value"], rows[path]["unit"]) for path in found.free}))
    folder.arrays("result.npz", **curves, starts=found.starts, start_slacks=found.start_slacks)
    return Outcome(answer, found, curves)


def _aside(setting: Setting, evaluate: Evaluation, drawn: Curve) -> Future[Any]:
    """The evaluation before, and the program of the curves: both are compiled while the search is."""
    pool, here = ThreadPoolExecutor(2), contextvars.copy_context()

    def later() -> None:
        idle()
        drawn(setting.parts, np.zeros(OFFSETS.size))

    found = pool.submit(here.copy().run, evaluate, setting.parts)
    pool.submit(here.run, later)
    return found


def _searched(
    setting: Setting,
    aims: Aims,
    samples: int,
    report: Progress,
    state: Mapping[str, np.ndarray] | None,
    keep: Keep,
    first: Callable[[], Future[Any]],
) -> tuple[Optimum, dict[str, Any]]:
    """The optimum at so many samples, and what ``first`` evaluates meanwhile."""
    search: dict[str, Any] = {
        "optimiser": None if aims.tool is None else aims.tool(),
        "targets": Targets(aims.bounds, ceilings(setting)) if aims.bounds else None,
        "progress": report,
        "resume": state,
        **aims.counts,
    }
    try:
        with leading():
            first()
            with keep(samples):
                found = maximise(objective(setting, aims, samples), setting.parts, aims.free, **search)
    except Exception as error:
        if not isinstance(error, OSError):
            first().result()  # what is wrong with the study is said here
        if state is not None and isinstance(error, (KeyError, ValueError)):
            raise WrongInput(f"{setting.source.name}: cannot go on from this checkpoint: {error}") from None
        raise
    return found, first().result()


def _answer(before: Any, after: Any, found: Optimum, run: dict[str, Any]) -> dict[str, Any]:
    targets = []
    for row in found.targets:
        bound, unit = units.canonical(row.bound, row.dimension)
        ends = {"bound": bound, "value": plain(units.canonical(row.value, row.dimension)[0]), "unit": unit}
        flags = {"met": row.met, "active": row.active, "slack": plain(row.slack), "multiplier": plain(row.multiplier)}
        targets.append({"name": row.name, "kind": row.kind, **ends, **flags, "out_of_reach": row.out_of_reach})
    free = {}
    for path, part in found.free.items():
        unit = stated(part.parameter, 1.0)["unit"]
        values = {"before": part.before, "after": part.after}
        free[path] = {
            **{name: stated(part.parameter, value)["value"] for name, value in values.items()},
            "bounds": [stated(part.parameter, end)["value"] for end in part.bounds],
            "at_bound": part.at_bound,
            "unit": unit,
            "multiplier": plain(part.multiplier),
        }
    starts = {
        "count": len(found.starts),
        "agreement": found.agreement,
        "steps": found.steps,
        "unstable_evaluations": found.unstable_evaluations,
        "residual": plain(found.residual),
        "values": [plain(value) for value in found.starts],
        "smallest_slacks": [plain(value) for value in found.start_slacks],
    }
    result = {"status": found.result.name.lower().replace("_", "-"), "message": found.message}
    return {"before": before, "after": after, "result": result, "targets": targets, "free": free, "starts": starts, "run": run}


def _drawn(setting: Setting) -> Curve:
    """(parts, offsets from the carrier (rad/s)) -> the link's |u|^2, and its noise at the output."""

    def at(parts: dict[str, Any], omega: Any) -> Any:
        link = setting.assemble(parts)[1].link().prepare()
        found = link.response.over(omega).filtered()
        return {"power": abs2(found.u), "noise": found.noise}

    return compiled(at, options=ONCE)


def _curves(drawn: Curve, ends: tuple[dict[str, Any], dict[str, Any]], width: float) -> dict[str, np.ndarray]:
    """|u|^2 and the noise at the input against the offset from the carrier (Hz), before and after; ``width`` in rad/s."""
    omega = OFFSETS * width
    curves = {"frequency_hz": to_hz(omega)}
    for name, parts in zip(("before", "after"), ends, strict=True):
        found = jax.device_get(drawn(parts, omega))
        curves |= {f"efficiency_{name}": found["power"], f"added_noise_input_{name}": found["noise"] / found["power"]}
    return curves
