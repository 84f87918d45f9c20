"""A run's folder, one run's at a time: what was asked, what came out, and by what; every file is written whole or not at all."""

import contextlib
import datetime
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import __version__
from . import lock
from .source import Source, WrongInput

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy")
LEFT = ("config.toml", "run.json", "result.json", "checkpoint.npz", "checkpoint.previous.npz")
"""Of an old run, what would be taken for the new one's."""
_PART = re.compile(r"\..*\.part")
"""What a write that was killed left behind."""


def dumps(value: Any) -> str:
    """JSON with every digit and without NaN."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def now() -> str:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Folder:
    """A run's folder, held by this process until ``close``: new, an old one if told, or one with a run that goes on.

    Args:
        path: where.
        overwrite: begin anew where there is a run.
        begun: go on where there is a run.

    Raises:
        WrongInput: it holds something already and neither is told; another process holds it; or it cannot be made or written.
    """

    def __init__(self, path: pathlib.Path, overwrite: bool, begun: bool = False) -> None:
        self.path = path
        try:
            if path.exists() and not path.is_dir():
                raise WrongInput(f"{path}: must be a folder, but is a file")
            path.mkdir(parents=True, exist_ok=True)
            self._lock = lock.Lock(path, f"process {os.getpid()} on {platform.node()}, since {now()}")
        except lock.Held as held:
            raise WrongInput(f"{path}: must be no other run's, but is held by {held}") from None
        except OSError as error:
            raise WrongInput(f"{path}: must be a folder that can be written, but is none: {error.strerror or error}") from None
        try:
            self._begin(overwrite, begun)
        except BaseException:
            self.close()
            raise

    def _begin(self, overwrite: bool, begun: bool) -> None:
        there = {path.name for path in self.path.iterdir()} - {lock.NAME}
        if there and not (overwrite or begun):
            raise WrongInput(f"{self.path}: must be new or empty, but holds a run: choose another --out, or add --overwrite")
        for name in there:
            if _PART.fullmatch(name) or (overwrite and name in LEFT):
                self.remove(name)

    @classmethod
    def new(cls, name: str, out: pathlib.Path | None, overwrite: bool) -> "Folder":
        """The folder that was asked for, or runs/NAME-TIME."""
        if out is not None:
            return cls(out, overwrite)
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        tried = [pathlib.Path("runs") / f"{name}-{stamp}{suffix}" for suffix in ("", *(f"-{k}" for k in range(2, 1000)))]
        return cls(next(path for path in tried if not path.exists()), overwrite)

    def close(self) -> None:
        """Leave it to others."""
        self._lock.release()

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, name: str, content: bytes | memoryview, previous: str | None = None) -> None:
        """A file, on the disk as a whole or not at all; what had its name before takes that of ``previous``.

        Raises:
            OSError: it cannot be written; what was there is there still, under one name or the other.
        """
        part = self.path / f".{name}.part"
        try:
            with self._opened(part, os.O_TRUNC) as handle:
                _write(handle, content)
                os.fsync(handle)
            if previous is not None and (self.path / name).exists():
                os.replace(self.path / name, self.path / previous)
            os.replace(part, self.path / name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        if os.name != "nt":  # where a folder is no file
            self.settle(".")

    def write(self, name: str, fill: Callable[[Any], Any]) -> None:
        """A file, by what fills an open one."""
        file = io.BytesIO()
        fill(file)
        self.put(name, file.getbuffer())

    def text(self, name: str, text: str) -> None:
        """A file of text."""
        self.put(name, text.encode("utf-8"))

    def arrays(self, name: str, **arrays: np.ndarray) -> None:
        """An npz file."""
        self.write(name, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]

    def line(self, name: str, value: Any) -> None:
        """One more line of JSON at the end of a file."""
        with self._opened(self.path / name, os.O_APPEND) as handle:
            _write(handle, (json.dumps(value, allow_nan=False) + "\n").encode("utf-8"))

    def told(self, name: str) -> dict[str, Any]:
        """What a file of JSON says; nothing where there is none, or none that is an object."""
        try:
            found = json.loads((self.path / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return os.stat(self.path / name).st_size

    def cut(self, name: str, size: int) -> None:
        """Leave the first bytes of a file, as far as there are any; it is made if it is not there."""
        with self._opened(self.path / name) as handle:
            os.ftruncate(handle, min(size, os.fstat(handle).st_size))

    def settle(self, name: str) -> None:
        """Return when the disk has all that was written to a file."""
        handle = os.open(self.path / name, os.O_RDONLY if name == "." else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, name: str) -> None:
        """A file, if it is there."""
        (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _opened(self, path: pathlib.Path, how: int = 0) -> Iterator[int]:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | how, 0o666)
        try:
            yield handle
        finally:
            os.close(handle)


def _write(handle: int, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def provenance(source: Source, seed: int | None) -> dict[str, Any]:
    """What a run depends on beside its inputs."""
    import jax

    device = jax.devices()[0]
    return {
        "transduce": __version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": {"platform": device.platform, "kind": device.device_kind, "count": jax.device_count()},
        "dtype": str(jax.numpy.result_type(float)),
        "seed": seed,
        "git": git_state(),
        "config": source.name,
        "config_sha256": hashlib.sha256(source.text.encode("utf-8")).hexdigest(),
        "command": sys.argv[1:],
    }


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that the package runs from, and whether it is changed; None where it is installed."""
    root = pathlib.Path(__file__).parent.parent.parent
    if not (root / ".git").exists():
        return None

    def ask(*words: str) -> str:
        answer = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10)
        return answer.stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None
