"""Checkpoints: whole or not taken, the previous one kept, of this run or refused, on time, and through signals, full disks and kills."""

import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from transduce.study import checkpoint, record, signals
from transduce.study.checkpoint import CURRENT, PREVIOUS, Checkpoints, Saved, packed, refusal, unpacked
from transduce.study.record import Folder
from transduce.study.signals import HEARD, Stopped
from transduce.study.source import WrongInput

from . import killed

BOUND = {"task": "test", "config.toml": "a", "jax": "1"}
STATE = {
    "rates": np.array([[1.0, -0.0], [np.nan, np.inf]]),
    "used": np.asarray(3),
    "calm": np.asarray(True),
    "none": np.zeros((0, 2), np.float32),
}
SAVED = Saved(STATE, {"at": "step 3 of 9"}, 17)
LOG = "log.jsonl"


@pytest.fixture
def folder(tmp_path):
    with Folder(tmp_path / "run", overwrite=False) as held:
        yield held


def same(one: dict, other: dict) -> bool:
    return {name: (a.dtype, a.shape, a.tobytes()) for name, a in one.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in other.items()
    }


def filled(folder: Folder, bound: dict[str, str] = BOUND) -> None:
    """Two checkpoints, of steps 1 and 2, and a line of the log that neither knows of."""
    checkpoints = Checkpoints(folder, bound, LOG, share=1e9)
    checkpoints.load()
    for step in (1, 2):
        folder.line(LOG, step)
        checkpoints.offer({"step": np.asarray(step)}, {"at": str(step)})
    folder.line(LOG, 3)


def loaded(folder: Folder, bound: dict[str, str] = BOUND, force: bool = False) -> int:
    """The step that a run goes on from; 0 for none."""
    saved = Checkpoints(folder, bound, LOG).load(force)
    step = 0 if saved is None else int(saved.state["step"])
    assert (folder.path / LOG).read_text(encoding="utf-8") == "".join(f"{k}\n" for k in range(1, step + 1))
    return step


def test_what_is_packed_is_what_is_unpacked_and_an_npz_file(tmp_path):
    raw = packed(SAVED, BOUND)
    found = unpacked(raw)
    assert found is not None and found[1] == BOUND and (found[0].meta, found[0].log) == (SAVED.meta, 17)
    assert same(dict(found[0].state), STATE)
    (tmp_path / "x.npz").write_bytes(raw)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert arrays["state.used"] == 3


def test_what_is_not_whole_is_none():
    raw = packed(SAVED, BOUND)
    assert all(unpacked(raw[:size]) is None for size in range(len(raw)))
    for place in range(0, len(raw), 7):
        assert unpacked(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]) is None


def sealed(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue() + hashlib.sha256(file.getvalue()).digest()


def told(value: object) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


@pytest.mark.parametrize(
    "raw",
    [
        hashlib.sha256(b"").digest(),
        b"no zip" + hashlib.sha256(b"no zip").digest(),
        sealed(x=np.ones(3)),
        sealed(told=told([1])),
        sealed(told=told({"meta": {}, "log": 0})),
        sealed(told=told({"meta": {}, "log": None, "binding": {}})),
        sealed(told=told({"meta": {}, "log": 0, "binding": {}}), **{"state.x": np.array([{}], object)}),
    ],
)
def test_what_is_whole_and_something_else_is_none(raw):
    assert unpacked(raw) is None


def test_the_log_is_cut_to_what_the_checkpoint_knows(folder):
    assert loaded(folder) == 0
    filled(folder)
    assert loaded(folder) == 2


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: b"", lambda raw: packed(SAVED, BOUND | {"config.toml": "b"})])
def test_the_previous_one_is_taken_and_stays_until_the_next_is_there(damage, folder, monkeypatch):
    filled(folder)
    current = folder.path / CURRENT
    current.write_bytes(damage(current.read_bytes()))
    checkpoints = Checkpoints(folder, BOUND, LOG, share=1e9)
    saved = checkpoints.load()
    assert saved is not None and saved.state["step"] == 1
    with monkeypatch.context() as patch:
        patch.setattr(record, "os", Faulty(at=5))
        with pytest.raises(OSError):
            checkpoints.offer({"step": np.asarray(2)}, {"at": "2"})
    assert loaded(folder) == 1


def test_two_damaged_ones_are_told_of_and_the_run_begins_anew(folder, capsys):
    filled(folder)
    for name in (CURRENT, PREVIOUS):
        (folder.path / name).write_bytes(b"?")
    assert loaded(folder) == 0
    assert capsys.readouterr().err.count("is damaged and left out") == 2


def test_a_run_goes_on_only_with_what_it_hangs_on(folder):
    filled(folder)
    newer, another = BOUND | {"jax": "2"}, BOUND | {"config.toml": "b"}
    with pytest.raises(WrongInput, match=f"^{folder.path}: must go on with what it began with, but jax is 2 and was 1: add --force"):
        loaded(folder, newer)
    assert loaded(folder, newer, force=True) == 2
    for force in (False, True):
        with pytest.raises(WrongInput, match=r"must be as the run began, but config\.toml is another now: begin a new run"):
            loaded(folder, another, force=force)
    assert refusal(BOUND, BOUND | {"numpy": "2"}, False) and not refusal(BOUND, dict(BOUND), False)
    assert loaded(folder) == 2


@pytest.mark.parametrize(("chunk", "cost"), [(1.0, 0.01), (0.1, 0.004), (1e-3, 0.02), (30.0, 10.0)])
def test_checkpoints_cost_their_share_and_no_more(chunk, cost, folder, monkeypatch):
    """On a clock of its own: as many as fit into the share, at every chunk's end where all of them do, and one at least."""
    clock, put, written = [0.0], Folder.put, []

    def slow(self: Folder, *arguments: bytes) -> None:
        clock[0] += cost
        written.append(clock[0])
        put(self, *arguments)

    monkeypatch.setattr(Folder, "put", slow)
    monkeypatch.setattr(checkpoint.time, "perf_counter", lambda: clock[0])
    checkpoints = Checkpoints(folder, BOUND, LOG, share=0.02)
    checkpoints.load()
    for _ in range(chunks := 200):
        clock[0] += chunk
        checkpoints.offer(STATE, {"at": "here"})
    fit = 0.02 * clock[0] / cost
    assert min(fit, chunks) - 1 <= len(written) <= max(1, fit)
    assert max(np.diff([0.0, *written])) <= max(2 * cost / 0.02, chunk) + chunk + cost  # twice: the first is written in any case
    count = len(written)
    checkpoints.write()
    checkpoints.write()
    assert len(written) <= count + 1


@pytest.mark.parametrize("number", HEARD)
def test_a_signal_stops_the_run_at_the_chunks_end(number, folder):
    before = signal.getsignal(number)
    words = f"^stopped at 2; go on with: transduce resume {folder.path}$"
    with pytest.raises(Stopped, match=words), Checkpoints(folder, BOUND, LOG, share=0.0) as checkpoints:
        checkpoints.load()
        folder.line(LOG, 1)
        checkpoints.offer({"step": np.asarray(1)}, {"at": "1"})
        os.kill(os.getpid(), number)
        folder.line(LOG, 2)
        checkpoints.offer({"step": np.asarray(2)}, {"at": "2"})
        raise AssertionError("it has been asked to stop")
    assert signal.getsignal(number) is before and loaded(folder) == 2


def test_a_run_far_from_a_chunks_end_is_stopped_where_it_is(folder, monkeypatch):
    monkeypatch.setattr(signals, "GRACE", 0.05)
    with pytest.raises(Stopped, match=r"^stopped before the first chunk's end; "), Checkpoints(folder, BOUND, LOG) as checkpoints:
        checkpoints.load()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
    begun = time.perf_counter()
    with pytest.raises(Stopped), Checkpoints(folder, BOUND, LOG):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
    assert time.perf_counter() - begun < 10


class Faulty:
    """The module ``os`` whose call number ``at``, of those that write, finds the disk full; writes stop half-way there."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __getattr__(self, name: str) -> Any:
        call = getattr(os, name)
        if name not in ("open", "write", "fsync", "replace", "ftruncate"):
            return call

        def counted(*arguments: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                if name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments)

        return counted


def test_a_full_disk_at_any_call_loses_nothing(tmp_path, monkeypatch):
    """Each call of the first chunks in turn: what was kept is whole, at most one chunk is lost, and the run goes on to the same bits."""
    killed.search(tmp_path / "whole", steps=16)
    wanted, failures = killed.outcome(tmp_path / "whole"), 0
    for at in range(1, 41):
        folder = tmp_path / str(at)
        reached: list[int] = []
        with monkeypatch.context() as patch:
            patch.setattr(record, "os", Faulty(at))
            with pytest.raises(OSError, match="No space left") as failure:
                killed.search(folder, steps=16, tell=reached.append)
        failures += 1
        assert failure.value.__notes__ == [f"go on with: transduce resume {folder}"]
        assert not list(folder.glob(".*")) and not (folder / "lock").exists()
        again: list[int] = []
        killed.search(folder, steps=16, tell=again.append)
        assert again[0] >= max(reached, default=0) - killed.CHUNK and killed.outcome(folder) == wanted
    assert failures == 40


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("kills", [3, pytest.param(1000, marks=pytest.mark.slow)])
def test_kills_at_random_instants_cost_a_chunk_at_most_and_no_bit(kills):
    command = [sys.executable, "-m", "tests.study.killed", str(kills), "0"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["chunks"] >= 10 and found["kills"] >= kills and found["same_bits"] == found["searches"] >= 1
    assert found["steps_lost_at_most"] <= found["steps_of_a_chunk"]
    assert kills < 100 or found["killed_in_a_write"] > 10


def test_a_binding_names_what_bits_hang_on():
    from transduce.study.source import read

    bound = checkpoint.binding(read(None), "optimise")
    named = {"task", "config.toml", "transduce", "jax", "jaxlib", "numpy", "the device", "the processor", "the float type", "XLA_FLAGS"}
    assert named <= bound.keys()
    assert all(isinstance(value, str) and value for value in bound.values())


def test_on_another_processor_a_run_goes_on_and_says_so(folder, capsys):
    old, new = (BOUND | {"the processor": name} for name in ("A, features 1", "B, features 2"))
    filled(folder, old)
    assert loaded(folder, old) == 2 and capsys.readouterr().err == ""
    assert loaded(folder, new) == 2
    words = "goes on on another processor, B, features 2, and was on A, features 1: its last digits may be others"
    assert capsys.readouterr().err == f"transduce: {folder.path}: {words}\n"
    with pytest.raises(WrongInput, match="but jax is 2 and was 1"):
        loaded(folder, new | {"jax": "2"})


@pytest.mark.parametrize(
    ("told", "other", "same"),
    [
        ("model name\t: X\nflags\t: fpu avx2 fma\n", "model name\t: X\nflags\t: fma avx2 ibrs\n", True),  # not of arithmetic
        ("model name\t: X\nflags\t: avx2 fma\n", "model name\t: X\nflags\t: avx2 fma avx512f\n", False),
        ("model name\t: X\nflags\t: avx2\n", "model name\t: Y\nflags\t: avx2\n", False),
        ("Features\t: fp asimd\n", "Features\t: fp asimd sve\n", False),
        ("", "\n", True),
    ],
)
def test_a_processor_is_its_model_and_its_features(told, other, same, tmp_path):
    for name, text in (("one", told), ("other", other)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = [checkpoint.processor(tmp_path / name) for name in ("one", "other", "none")]
    assert (found[0] == found[1]) is same and all(found) and "features" not in found[2]
