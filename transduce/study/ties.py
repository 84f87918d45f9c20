"""The ties between the processes of one run: a star of connections around the first one.

Over them they wait for each other and learn who is lost: a connection that ends without a farewell, or on which nothing has been heard for
``SILENCE`` seconds, is that of a process that was killed, failed, or whose host is gone. Each word is a line:

    TOKEN K      who has connected, which the first one expects
    (nothing)    every ``BEAT`` seconds: still there
    here         waits for all
    go WORD      all are here; a word of the first one's
    lost K       that process is lost, which only the first one notices of any but itself
    left         farewell: the run is done here
"""

import contextlib
import json
import os
import queue
import secrets
import socket
import sys
import threading
from typing import Any, TextIO

from .signals import GRACE, Stopped

BEAT, SILENCE = 3.0, 18.0
"""Seconds between two words, and without one after which a process counts as lost."""
REACH = 60.0
"""Seconds in which all must have connected."""
LOST = 1
"""Exit status of a process that has lost another, as of any run that was stopped and can go on."""
_SIZE = 2048
"""Bytes of what the first process tells the others through JAX."""


class Ties:
    """This process's connections to the others: the first one has one to each, and each of them one to the first.

    Args:
        own: number of this process, of ``count``.
        sockets: number of the other process -> the connection, and its lines.
    """

    def __init__(self, own: int, count: int, sockets: dict[int, tuple[socket.socket, TextIO]]) -> None:
        self.own, self.count, self.way_on = own, count, "give the same command again"
        self._sockets = {other: one for other, (one, _) in sockets.items()}
        self._heard: dict[int, queue.SimpleQueue[str | None]] = {other: queue.SimpleQueue() for other in sockets}
        self._lost: int | None = None
        self._lock, self._left = threading.Lock(), threading.Event()
        for one in self._sockets.values():
            one.settimeout(SILENCE)
        for other, (_, lines) in sockets.items():
            threading.Thread(target=self._listen, args=(other, lines), daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def meet(self, word: str = "") -> str:
        """Wait for all; the word that the first one says there.

        Raises:
            Stopped: one of them is lost.
        """
        if self.own == 0:
            for other in self._heard:
                self._next(other)
            self._say(f"go {word}")
            return word
        self._say("here")
        return self._next(0).removeprefix("go ")

    def check(self) -> None:
        """Raise ``Stopped`` if a process is lost."""
        if self._lost is not None:
            raise Stopped(self._words)

    def leave(self) -> None:
        """The run is done; whoever goes now is not lost."""
        self._left.set()
        self._say("left")

    @property
    def _words(self) -> str:
        return f"process {self._lost} of {self.count} was lost; {self.way_on}"

    def _next(self, other: int) -> str:
        word = self._heard[other].get()
        self.check()
        return word or ""

    def _say(self, word: str) -> None:
        for one in self._sockets.values():
            with contextlib.suppress(OSError), self._lock:  # who does not hear it is noticed by whoever listens
                one.sendall(f"{word}\n".encode())

    def _beat(self) -> None:
        while not self._left.wait(BEAT):
            self._say("")

    def _listen(self, other: int, lines: TextIO) -> None:
        gone = other
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                word, _, number = line.rstrip("\n").partition(" ")
                if word == "left":
                    return
                if word == "lost":
                    gone = int(number)
                    break
                if word:
                    self._heard[other].put(line.rstrip("\n"))
        self._lose(gone)

    def _lose(self, other: int) -> None:
        """Tell everybody, and end this process where it does not do so by itself, in what it computes or compiles."""
        with self._lock:
            if self._left.is_set() or self._lost is not None:
                return
            self._lost = other
        self._say(f"lost {other}")
        for heard in self._heard.values():
            heard.put(None)
        if not self._left.wait(GRACE):
            print(f"transduce: {self._words}", file=sys.stderr, flush=True)
            os._exit(LOST)


def tied(coordinator: str | None) -> Ties:
    """The ties of this process, once JAX's runtime knows all of them.

    Args:
        coordinator: HOST:PORT at which the others reach the first process, where no launcher tells.

    Raises:
        OSError: the first process cannot be reached, or not by all.
    """
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    own, count = jax.process_index(), jax.process_count()
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    with socket.create_server(("", 0), family=family, dualstack_ipv6=dual, backlog=count) as server:
        told = {"hosts": _hosts(coordinator), "port": server.getsockname()[1], "token": secrets.token_hex(16)}
        line = np.frombuffer(json.dumps(told).encode().ljust(_SIZE)[:_SIZE], np.uint8)
        told = json.loads(bytes(np.asarray(multihost_utils.broadcast_one_to_all(line), np.uint8)))
        return Ties(own, count, _received(server, told["token"], count) if own == 0 else {0: _reached(told, own)})


def _hosts(coordinator: str | None) -> list[str]:
    """Names by which others may reach this host, the likeliest first."""
    name = socket.gethostname()
    found = [name] if coordinator is None else [coordinator.rpartition(":")[0].strip("[]"), name]
    with contextlib.suppress(OSError):
        found += [str(address[0]) for *_, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    return list(dict.fromkeys(found))[:8]


def _received(server: socket.socket, token: str, count: int) -> dict[int, tuple[socket.socket, TextIO]]:
    """All others' connections, each known by the token and its number."""
    found: dict[int, tuple[socket.socket, TextIO]] = {}
    wanted = {f"{token} {other}\n": other for other in range(1, count)}
    server.settimeout(REACH)
    while len(found) < count - 1:
        one, _ = server.accept()
        one.settimeout(BEAT)
        lines = one.makefile("r", encoding="ascii", errors="replace")
        with contextlib.suppress(OSError):
            if (other := wanted.get(lines.readline(_SIZE))) is not None:
                found[other] = one, lines
                continue
        one.close()  # a stranger
    return found


def _reached(told: dict[str, Any], own: int) -> tuple[socket.socket, TextIO]:
    """The connection to the first process."""
    for host in told["hosts"]:
        with contextlib.suppress(OSError):
            one = socket.create_connection((host, told["port"]), BEAT)
            one.sendall(f"{told['token']} {own}\n".encode())
            return one, one.makefile("r", encoding="ascii", errors="replace")
    raise OSError(f"the first process does not answer at port {told['port']} of {' or '.join(told['hosts'])}")
