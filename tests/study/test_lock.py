"""The lock of a folder: one holder at a time, who is named; a dead one's words stop nobody."""

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from transduce.study import lock
from transduce.study.lock import NAME, Held, Lock
from transduce.study.record import Folder
from transduce.study.source import WrongInput

HOLD = """import pathlib, runpy, sys
held = runpy.run_path({!r})["Lock"](pathlib.Path({!r}), "the other one")
print(1, flush=True)
sys.stdin.read()"""


def test_one_holds_and_the_next_is_told_who(tmp_path):
    first = Lock(tmp_path, "process 7 on here")
    for _ in range(2):
        with pytest.raises(Held, match=r"^process 7 on here$"):
            Lock(tmp_path, "process 8")
    first.release()
    assert not (tmp_path / NAME).exists()
    second = Lock(tmp_path, "process 8")
    first.release()  # is not the holder any more
    with pytest.raises(Held, match="process 8"):
        Lock(tmp_path, "process 9")
    second.release()


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_dead_holder_holds_nothing(tmp_path):
    code = HOLD.format(lock.__file__, str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"1\n"
        with pytest.raises(Held, match="the other one"):
            Lock(tmp_path, "this one")
        with pytest.raises(WrongInput, match=f"^{tmp_path}: must be no other run's, but is held by the other one$"):
            Folder(tmp_path, overwrite=True)
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (tmp_path / NAME).read_text(encoding="utf-8") == "the other one"
    Lock(tmp_path, "this one").release()


def test_two_never_hold_it_together_while_the_file_comes_and_goes(tmp_path):
    inside, most, won = 0, 0, 0
    count = threading.Lock()

    def compete() -> None:
        nonlocal inside, most, won
        for _ in range(200):
            try:
                held = Lock(tmp_path, "one of many")
            except Held:
                continue
            with count:
                inside, won = inside + 1, won + 1
                most = max(most, inside)
            with count:
                inside -= 1
            held.release()

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and won > 8


def test_a_file_system_without_locks_is_told_of_and_used(tmp_path, monkeypatch, capsys):
    def none(handle: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(lock, "_lock", none)
    Lock(tmp_path, "words").release()
    assert "has no locks" in capsys.readouterr().err


def test_a_folder_is_left_when_its_context_is_and_when_it_is_refused(tmp_path):
    with Folder(tmp_path, overwrite=False) as folder:
        with pytest.raises(WrongInput, match=f"held by process {os.getpid()} on .*, since 2"):
            Folder(tmp_path, overwrite=False)
        folder.text("result.json", "{}")
    for _ in range(2):
        with pytest.raises(WrongInput, match="but holds a run"):
            Folder(tmp_path, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
