"""Checkpoints of a run: where it stands, kept so that whatever ends it costs at most the last chunk.

A checkpoint is an npz file with its SHA-256 behind it. It is written whole to a file of its own, which then takes the name
``checkpoint.npz``, the last one that of ``checkpoint.previous.npz``: at any instant one of them is whole. It says what the run's bits
hang on (its binding), and only a run with the same goes on from it; on another processor it does so with a warning.

One is written at each chunk's end at which all of them together have cost at most ``SHARE`` of the run's time, and whenever the run is
asked to stop. So a kill loses at most one chunk or, where chunks are quicker than 1/SHARE checkpoints, those since the last one.
"""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import platform
import re
import shlex
import sys
import time
import zipfile
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ..shelf import sources
from .record import Folder, provenance
from .signals import Stopped, Stops
from .source import Source, WrongInput

CURRENT, PREVIOUS = "checkpoint.npz", "checkpoint.previous.npz"
SHARE = 0.008
"""Of a run's time, at most, in checkpoints: what they and the progress may cost together is 1 %."""
FIRM = ("task", "config.toml")
"""What no force makes another run's checkpoint this one's."""
SOFT = "the processor"
"""What only warns: code compiled for other features rounds otherwise."""
_FEATURE = re.compile(r"(avx|fma|f16c|sse|ssse|bmi|amx|asimd|sve|sme)\w*")
"""Of a processor's features, those that compiled code does arithmetic with."""
_TOLD = "told"
"""The array that holds, as JSON, what is no array."""


class Saved(NamedTuple):
    """A checkpoint.

    Attributes:
        state: arrays by name.
        meta: what JSON can hold; ``at`` says where the run stands, in words, such as "step 50 of 500".
        log: bytes of the log by then.
    """

    state: Mapping[str, np.ndarray]
    meta: Mapping[str, Any]
    log: int


def binding(source: Source, task: str) -> dict[str, str]:
    """What the bits of a run hang on: name -> value, as a sentence says them."""
    found = provenance(source, None)
    return {
        "task": task,
        "config.toml": found["config_sha256"],
        "transduce": found["transduce"],
        "its source code": sources()[:12],
        **found["packages"],
        "the device": f"{found['device']['platform']} {found['device']['kind']}",
        SOFT: processor(),
        "the float type": found["dtype"],
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", "unset"),
    }


def processor(told: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> str:
    """The model of this machine's processor, and a digest of the features that last digits hang on, where the system tells them."""
    lines: dict[str, str] = {}
    with contextlib.suppress(OSError):
        rows = (line.partition(":") for line in told.read_text(encoding="utf-8", errors="replace").splitlines())
        lines = {key.strip(): value.strip() for key, _, value in rows}
    model = lines.get("model name") or platform.processor() or platform.machine()
    features = sorted(one for one in (lines.get("flags") or lines.get("Features", "")).split() if _FEATURE.fullmatch(one))
    return f"{model}, features {hashlib.sha256(' '.join(features).encode()).hexdigest()[:8]}" if features else model


def moved(was: str | None, now: str) -> str:
    """What to say of a run that goes on on this processor and was on that one; nothing where they are the same or that one is unknown."""
    return "" if was in (None, now) else f"goes on on another processor, {now}, and was on {was}: its last digits may be others"


def packed(saved: Saved, bound: Mapping[str, str]) -> bytes:
    """A checkpoint as bytes."""
    words = json.dumps({"binding": dict(bound), "meta": dict(saved.meta), "log": saved.log}, allow_nan=False).encode("utf-8")
    arrays: dict[str, Any] = {_TOLD: np.frombuffer(words, np.uint8), **{f"state.{name}": value for name, value in saved.state.items()}}
    file = io.BytesIO()
    np.savez(file, **arrays)
    content = file.getvalue()
    return content + hashlib.sha256(content).digest()


def unpacked(raw: bytes) -> tuple[Saved, dict[str, str]] | None:
    """(checkpoint, its binding); None where the bytes are not the whole of one."""
    if hashlib.sha256(raw[:-32]).digest() != raw[-32:]:
        return None
    try:
        with np.load(io.BytesIO(raw[:-32]), allow_pickle=False) as arrays:
            told = json.loads(arrays[_TOLD].tobytes())
            state = {name.removeprefix("state."): arrays[name] for name in arrays.files if name != _TOLD}
        return Saved(state, dict(told["meta"]), int(told["log"])), dict(told["binding"])
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile):
        return None


def refusal(bound: Mapping[str, str], now: Mapping[str, str], force: bool) -> str:
    """Why a run with one binding must not go on from a checkpoint with another; nothing where it may."""
    changed = [name for name in {**now, **bound} if name != SOFT and now.get(name) != bound.get(name)]
    if any(name in FIRM for name in changed):
        return f"must be as the run began, but {next(name for name in FIRM if name in changed)} is another now: begin a new run"
    if not changed or force:
        return ""
    is_now, was = (one.get(changed[0], "none") for one in (now, bound))
    return f"must go on with what it began with, but {changed[0]} is {is_now} and was {was}: add --force to go on, with other last digits"


class Checkpoints:
    """The checkpoints of a run and its stop: a context from before the run begins until its result is written.

        with Checkpoints(folder, binding(source, "optimise"), "metrics.jsonl") as checkpoints:
            saved = checkpoints.load()
            ...
            checkpoints.offer(state, meta)  # at each chunk's end; raises Stopped where the run has been asked to stop

    Args:
        folder: held by this run.
        bound: what the run hangs on.
        log: a file of the folder that grows by lines; what a checkpoint does not know of is cut off when a run goes on from it.
        share: of the run's time, at most, in checkpoints.
    """

    def __init__(self, folder: Folder, bound: Mapping[str, str], log: str, share: float = SHARE) -> None:
        self.folder, self.bound, self.log, self.share = folder, bound, log, share
        self._stops, self._begun = Stops(), time.perf_counter()
        self._spent, self._last = 0.0, 0.0
        self._latest: Saved | None = None
        self._pending = False

    def load(self, force: bool = False) -> Saved | None:
        """The latest checkpoint that is whole and this run's, the log cut back to it; None where there is none.

        Args:
            force: take one of other versions or of another device too.

        Raises:
            WrongInput: there are whole ones, and they are of something else.
        """
        refusals = []
        for name in (CURRENT, PREVIOUS):
            if (found := self._read(name)) is None:
                continue
            if refused := refusal(found[1], self.bound, force):
                refusals.append(refused)
                continue
            self._latest = found[0]
            if words := moved(found[1].get(SOFT), self.bound.get(SOFT, "")):
                print(f"transduce: {self.folder.path}: {words}", file=sys.stderr)
            break
        if self._latest is None and refusals:
            raise WrongInput(f"{self.folder.path}: {refusals[0]}")
        if self._latest is not None and name == PREVIOUS:
            self.folder.remove(CURRENT)  # or it would take the previous one's place when the next is written
        self.folder.cut(self.log, 0 if self._latest is None else self._latest.log)
        return self._latest

    def _read(self, name: str) -> tuple[Saved, dict[str, str]] | None:
        try:
            raw = (self.folder.path / name).read_bytes()
        except FileNotFoundError:
            return None
        if (found := unpacked(raw)) is None:
            print(f"transduce: {self.folder.path / name}: is damaged and left out", file=sys.stderr)
        return found

    def offer(self, state: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """At a chunk's end: the state is kept, and written if there is time for it.

        Raises:
            Stopped: the run has been asked to stop.
            OSError: it cannot be written; the last one is still there.
        """
        self._latest, self._pending = Saved(state, meta, self.folder.size(self.log)), True
        if self._spent + self._last <= self.share * (time.perf_counter() - self._begun):
            self.write()
        self._stops.check()

    def write(self) -> None:
        """Write the last state that was offered, if it is not written yet."""
        if self._latest is None or not self._pending:
            return
        begun = time.perf_counter()
        self.folder.settle(self.log)
        self.folder.put(CURRENT, packed(self._latest, self.bound), PREVIOUS)
        self._pending, self._last = False, time.perf_counter() - begun
        self._spent += self._last

    @property
    def way_on(self) -> str:
        """How the user goes on."""
        return f"go on with: transduce resume {shlex.quote(str(self.folder.path))}"

    def __enter__(self) -> "Checkpoints":
        self._stops.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if isinstance(error, Stopped):
                self.write()
                at = "before the first chunk's end" if self._latest is None else f"at {self._latest.meta['at']}"
                raise Stopped(f"stopped {at}; {self.way_on}") from None
        except OSError as failure:
            failure.add_note(self.way_on)
            raise
        finally:
            self._stops.end()
        if isinstance(error, OSError):
            error.add_note(self.way_on)
