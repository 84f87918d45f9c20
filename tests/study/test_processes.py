"""Several processes of one run: they wait for each other, and whoever is lost ends the others at once, by one line and status 1."""

import contextlib
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO

import pytest

from transduce.cli import main
from transduce.study import ties
from transduce.study.signals import Stopped
from transduce.study.ties import Ties

from .test_sweeping import QUICK, TEXT, same

ROOT = pathlib.Path(__file__).parents[2]
WAY_ON = "give the same command again"


@pytest.fixture
def ended(monkeypatch) -> queue.SimpleQueue[int]:
    """The statuses with which processes would have been ended; words are exchanged twenty times as fast."""
    found: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(ties.os, "_exit", found.put)
    for name in ("BEAT", "SILENCE", "GRACE"):
        monkeypatch.setattr(ties, name, getattr(ties, name) / 20)
    return found


@contextlib.contextmanager
def star(count: int) -> Iterator[tuple[list[Ties], list[socket.socket]]]:
    """The ties of so many processes, all in this one, and the sockets of all but the first."""
    pairs = {other: [(one, one.makefile("r")) for one in socket.socketpair()] for other in range(1, count)}
    ends = [{other: pair[0] for other, pair in pairs.items()}, *({0: pair[1]} for pair in pairs.values())]
    found = [Ties(own, count, mine) for own, mine in enumerate(ends)]
    try:
        yield found, [one for _, (one, _) in pairs.values()]
    finally:
        for one in found:
            one.leave()
        closed(*(end for pair in pairs.values() for end in pair))


def closed(*ends: tuple[socket.socket, TextIO]) -> None:
    """Connections that nobody waits at any more."""
    for one, _ in ends:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    for one, lines in ends:
        lines.close()
        one.close()


def together(*calls: Any) -> list[Any]:
    """What each call returns, or raises as ``Stopped``, all at a time."""
    found: list[Any] = [None] * len(calls)

    def call(place: int) -> None:
        try:
            found[place] = calls[place]()
        except Stopped as stopped:
            found[place] = stopped

    threads = [threading.Thread(target=call, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def test_all_wait_for_all_and_hear_the_first(ended):
    with star(3) as (all_, _):
        for word in ("there", "", "none"):
            assert together(*(lambda one=one, word=word: one.meet(word if one.own == 0 else "?") for one in all_)) == [word] * 3
        waiting = threading.Thread(target=all_[1].meet, daemon=True)
        waiting.start()
        time.sleep(1.5 * ties.SILENCE)  # beats keep the ties
        assert waiting.is_alive()
        together(all_[0].meet, all_[2].meet)
        waiting.join(20)
        assert not waiting.is_alive()
        for one in all_:
            one.check()
    assert ended.empty()


@pytest.mark.parametrize("lost", [0, 2])
def test_an_end_without_farewell_reaches_all(ended, lost, capsys):
    """Two of them wait or compute; whoever does not end by itself is ended."""
    with star(3) as (all_, others):
        for one in (others[1],) if lost == 2 else others:
            one.shutdown(socket.SHUT_WR if lost == 2 else socket.SHUT_RD)
        left = [one for one in all_ if one.own != lost]
        words = f"process {lost} of 3 was lost; {WAY_ON}"
        assert [str(stopped) for stopped in together(*(one.meet for one in left))] == [words] * 2
        left[0].way_on = "go on"
        with pytest.raises(Stopped, match=f"^process {lost} of 3 was lost; go on$"):
            left[0].check()
        assert [ended.get(timeout=20) for _ in all_] == [ties.LOST] * 3  # the lost one hears of it too
        assert f"transduce: {words}\n" in capsys.readouterr().err


def test_silence_is_a_loss(ended):
    """A host without power closes no connection."""
    one, silent = socket.socketpair()
    lines, begun = one.makefile("r"), time.perf_counter()
    mine = Ties(0, 2, {1: (one, lines)})
    with pytest.raises(Stopped, match="process 1 of 2 was lost"):
        mine.meet()
    assert 0.9 * ties.SILENCE < time.perf_counter() - begun < 20
    mine.leave()
    closed((one, lines), (silent, silent.makefile("r")))


def test_who_has_said_farewell_is_not_lost(ended):
    with star(2) as (all_, others):
        all_[1].leave()
        others[0].shutdown(socket.SHUT_RDWR)
        time.sleep(2 * ties.GRACE)
        all_[0].check()
    assert ended.empty()


def test_strangers_are_sent_away():
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        words = [b"token 3\n", b"nekot 1\n", b"GET / HTTP/1.1\n", b"\xff\n", b"token 2\n", b"token 1\n"]
        callers = [socket.create_connection(("localhost", port)) for _ in words]
        for one, word in zip(callers, words, strict=True):
            one.sendall(word)
        found = ties._received(server, "token", 3)
        assert {k: one.getpeername() for k, (one, _) in found.items()} == {1: callers[5].getsockname(), 2: callers[4].getsockname()}
        assert all(one.recv(1) == b"" for one in callers[:4])
        closed(*found.values(), *((one, one.makefile("r")) for one in callers))
    with pytest.raises(OSError, match=f"does not answer at port {port} of localhost"):
        ties._reached({"hosts": ["localhost"], "port": port, "token": "token"}, 1)


def begun(count: int, words: list[str]) -> list[Any]:
    """The processes of a run, each told of the others behind its own words."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    inherited = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    options: dict[str, Any] = {"cwd": ROOT, "env": inherited, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    tail = ["--coordinator", address, "--processes", str(count), "--process"]
    return [subprocess.Popen([sys.executable, *words, *tail, str(k)], **options) for k in range(count)]


RUN = """
import pathlib, sys, threading, time
from transduce.study import processes, record, signals
folder, _, address, _, count, _, own = sys.argv[1:]
processes.join(False, address, int(count), int(own))
try:
    with processes.folder_of(lambda: record.Folder(pathlib.Path(folder), False)) as held:
        processes.check("go on")
        print("met", held is not None, flush=True)
        if own == "2":
            time.sleep(100)
        processes.meet()
except signals.Stopped as stopped:
    print(stopped, file=sys.stderr)
    sys.exit(1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_one_that_is_killed_ends_the_others(tmp_path):
    """One waits, and one computes and hears nothing; JAX's runtime, which would end both by an abort, is not asked."""
    runs = begun(3, ["-c", RUN, str(tmp_path / "run")])
    assert [run.stdout.readline() for run in runs] == ["met True\n", "met False\n", "met False\n"]
    runs[1].kill()
    killed = time.monotonic()
    said = [run.communicate(timeout=60) for run in runs]
    assert time.monotonic() - killed < 30
    line = "process 1 of 3 was lost; go on\n"
    assert [run.returncode for run in runs] == [1, -signal.SIGKILL, 1]
    assert [err for _, err in said] == [line, "", f"transduce: {line}"] and not any(out for out, _ in said)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
@pytest.mark.parametrize("lost", [0, 1])
def test_a_sweep_that_lost_a_process_is_gone_on_with(tmp_path, monkeypatch, lost):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))
    file, folder = tmp_path / "long.toml", tmp_path / "run"
    table = '[sweep]\nfigures = ["efficiency"]\nchunk = 8\nsamples = {}\n'
    file.write_text(TEXT + table.format(10**6), encoding="utf-8")
    runs = begun(2, ["-m", "transduce", "sweep", str(file), "--out", str(folder)])
    assert re.match(r"1000000 designs, ", runs[0].stderr.readline()) and runs[0].stderr.readline().startswith("design ")
    time.sleep(0.5)  # answers wait a tenth of a second to be written
    runs[lost].kill()
    killed = time.monotonic()
    said = [run.communicate(timeout=60) for run in runs]
    assert time.monotonic() - killed < 30
    other = runs[1 - lost], said[1 - lost]
    assert other[0].returncode == 1 and other[1][0] == ""
    assert other[1][1].splitlines()[-1] == f"transduce: process {lost} of 2 was lost; go on with: transduce resume {folder}"
    assert lost == 1 or other[1][1].count("\n") == 1
    runs = begun(2, ["-m", "transduce", "resume", str(folder)])
    runs[0].stderr.readline()
    assert int(runs[0].stderr.readline().removeprefix("design ").split("/500000: ")[0]) > 8
    for run in runs:
        run.send_signal(signal.SIGTERM)
    said = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [1, 1]
    assert re.search(r"transduce: (stopped at design \d+ of 500000|process 1 of 2 was lost); go on with: ", said[0][1])


@pytest.mark.slow
def test_two_processes_give_the_bits_of_one(tmp_path, monkeypatch):
    """Both compute; the first alone speaks, and refuses for both a folder that holds a run."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))
    file, one, two = (tmp_path / name for name in ("quick.toml", "one", "two"))
    file.write_text(TEXT + QUICK, encoding="utf-8")
    assert main(["sweep", str(file), "--out", str(one)]) == 0

    def both() -> list[tuple[int, str, str]]:
        runs = begun(2, ["-m", "transduce", "sweep", str(file), "--out", str(two)])
        said = [run.communicate(timeout=200) for run in runs]
        return [(run.returncode, *words) for run, words in zip(runs, said, strict=True)]

    first, second = both()
    assert (first[0], second) == (0, (0, "", "")), (first, second)
    assert first[1].endswith(f"written to {two}\n") and first[2].startswith("21 designs, 8 per call; ")
    assert same(two, one) and len(list((two / "sweep").glob("chunks.*"))) == 2
    first, second = both()
    assert first[0] == second[0] == 2 and "holds a run" in first[2] and second[1] == ""
