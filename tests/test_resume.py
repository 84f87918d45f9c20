"""``transduce resume``: a run that was killed, stopped or found the disk full ends with the bits of one that never was."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from transduce.cli import main
from transduce.report.progress import Progress
from transduce.study import lock, optimise, record
from transduce.study.source import BUNDLED

from .study.test_checkpoint import Faulty

STEPS, CHUNK = 60, 5
TEXT = BUNDLED.read_text(encoding="utf-8").replace("steps = 500", f"steps = {STEPS}\nchunk = {CHUNK}").replace("starts = 32", "starts = 2")
OF_THE_RUN = ("started", "finished", "seconds", "resumed", "folder", "command", "git")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The file; programs are kept in the test's own folder, for all its processes."""
    file = tmp_path_factory.mktemp("study") / "quick.toml"
    file.write_text(TEXT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("programs")))
        yield file


@pytest.fixture(scope="module")
def whole(study):
    """A run that nothing happened to."""
    assert main(["optimise", str(study), "--out", str(study.parent / "whole")]) == 0
    return outcome(study.parent / "whole")


def outcome(folder: pathlib.Path) -> dict[str, Any]:
    """All of a finished run that must be the same, and of its log what is no time."""
    answer = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    answer["run"] = {key: value for key, value in answer["run"].items() if key not in OF_THE_RUN}
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    log = [[row[key] for key in ("samples", "step", "steps", "value", "smallest_slack")] for row in rows]
    assert not list(folder.glob(".*")) and not (folder / "lock").exists()
    files = ("result.npz", "response.png", "convergence.png")
    return {"answer": answer, "log": log, **{name: (folder / name).read_bytes() for name in files}}


def errors(capsys: pytest.CaptureFixture[str], arguments: list[str], status: int) -> list[str]:
    """The lines of standard error."""
    capsys.readouterr()
    assert main(arguments) == status
    shown = capsys.readouterr()
    assert status == 0 or shown.out == ""
    return shown.err.splitlines()


def killed(arguments: list[str], step: int, patience: float) -> int:
    """Run, and kill so many seconds after a step; the last one that was told of."""
    command, told = [sys.executable, "-m", "transduce", *arguments], []
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            told += re.findall(r"^step (\d+)/", line)
            if told and int(told[-1]) >= step:
                break
        time.sleep(patience)
        run.send_signal(signal.SIGKILL)
        told += re.findall(r"^step (\d+)/", run.stderr.read())
    assert run.returncode == -signal.SIGKILL
    return int(told[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_killed_three_times_and_resumed_to_the_same_bits(study, whole, tmp_path, capsys):
    assert len(whole["log"]) >= 10
    rng, folder = random.Random(5), tmp_path / "run"
    reached = 0
    for arguments in (["optimise", str(study), "--out", str(folder)], *[["resume", str(folder)]] * 2):
        reached = killed(arguments, reached + CHUNK * rng.randint(2, 3), rng.uniform(0, 0.03))
        assert not (folder / "result.json").exists()
    lines = errors(capsys, ["resume", str(folder), "--json"], 0)
    assert re.fullmatch(rf"transduce: {re.escape(str(folder))}: goes on from step \d+ of {STEPS}", lines[0])
    assert outcome(folder) == whole
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["run"]["resumed"] == 3


def stopped(chunk: int, patch: pytest.MonkeyPatch, number: int = signal.SIGTERM) -> None:
    """Have the run in this process hear a signal in a chunk."""
    report, seen = Progress.report, []

    def deaf(self: Progress, told: Any) -> None:
        seen.append(told)
        if len(seen) == chunk:
            os.kill(os.getpid(), number)
        report(self, told)

    patch.setattr(Progress, "report", deaf)


def test_stopped_by_a_signal(study, whole, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "a run"
    with monkeypatch.context() as patch:
        stopped(3, patch)
        lines = errors(capsys, ["optimise", str(study), "--out", str(folder)], 1)
    assert lines[-1] == f"transduce: stopped at step 15 of {STEPS}; go on with: transduce resume '{folder}'" and len(lines) == 4
    monkeypatch.chdir(tmp_path)
    assert errors(capsys, ["resume", "a run"], 0)[0] == f"transduce: a run: goes on from step 15 of {STEPS}"
    assert outcome(folder) == whole


def test_the_disk_is_full(study, whole, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(record, "os", Faulty(at=60))
        lines = errors(capsys, ["optimise", str(study), "--out", str(folder)], 1)
    assert lines[-1].startswith("transduce: the run failed: [Errno 28] No space left on device")
    assert lines[-1].endswith(f"; go on with: transduce resume {folder}") and all(line.startswith("step ") for line in lines[:-1])
    assert " goes on from step " in errors(capsys, ["resume", str(folder)], 0)[0]
    assert outcome(folder) == whole


def test_a_finished_run_is_left_as_it_is(study, whole, capsys):
    folder = study.parent / "whole"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert errors(capsys, ["resume", str(folder)], 0) == [f"transduce: {folder}: is finished; see {folder / 'result.json'}"]
    assert main(["resume", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    (line,) = errors(capsys, ["optimise", str(study), "--out", str(folder)], 2)
    assert "holds a run" in line


def test_what_cannot_be_resumed_is_one_line_and_status_2(study, tmp_path, capsys):
    def refused(folder: pathlib.Path) -> str:
        (line,) = errors(capsys, ["resume", str(folder)], 2)
        assert line.startswith(f"{folder}: ")
        return line

    for folder in (tmp_path, tmp_path / "none", study):
        assert "must be a run's folder, with config.toml, but is none" in refused(folder)
    (tmp_path / "config.toml").write_text(TEXT, encoding="utf-8")
    assert "must hold an optimisation or a sweep, but holds something else" in refused(tmp_path)
    held = lock.Lock(tmp_path, "process 7 on there, since then")
    assert "must be no other run's, but is held by process 7 on there, since then" in refused(tmp_path)
    (line,) = errors(capsys, ["optimise", str(study), "--out", str(tmp_path), "--overwrite"], 2)
    assert "is held by process 7 on there" in line
    held.release()


def test_overwriting_begins_anew(study, whole, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    for overwrite in ([], ["--overwrite"]):
        with monkeypatch.context() as patch:
            stopped(2, patch)
            lines = errors(capsys, ["optimise", str(study), "--out", str(folder), *overwrite], 1)
        assert lines[0].startswith("step 5/") and lines[-1].startswith("transduce: stopped at step 10 of ")
    (folder / "config.toml").write_text(TEXT.replace("seed = 0", "seed = 1"), encoding="utf-8")
    for force in ([], ["--force"]):
        (line,) = errors(capsys, ["resume", str(folder), *force], 2)
        assert "config.toml is another now: begin a new run" in line


@pytest.mark.slow
def test_a_search_that_began_again_goes_on_in_the_second(study, tmp_path, monkeypatch, capsys):
    """A finer sampling is asked for and taken to matter: the search begins again, and is stopped in its second time."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))
    monkeypatch.setattr("transduce.study.evaluate.samples_wanted", lambda *_: 600.0)
    monkeypatch.setattr(optimise, "AGREE", -1.0)
    file = tmp_path / "quick.toml"
    file.write_text(TEXT.replace(f"steps = {STEPS}", "steps = 15"), encoding="utf-8")
    assert main(["optimise", str(file), "--out", str(tmp_path / "whole")]) == 0
    whole = outcome(tmp_path / "whole")
    assert [row[:2] for row in whole["log"]] == [[samples, step] for samples in (512, 1024) for step in (5, 10, 15)]
    for chunk in (2, 5):
        folder = tmp_path / str(chunk)
        with monkeypatch.context() as patch:
            stopped(chunk, patch)
            assert errors(capsys, ["optimise", str(file), "--out", str(folder)], 1)[-1].startswith("transduce: stopped at step 10 of 15;")
        assert main(["resume", str(folder)]) == 0
        assert outcome(folder) == whole
