"""A run's folder: what was asked, what came out, and by what; every file is written whole or not at all."""

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import __version__
from .source import Source, WrongInput

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy")


def dumps(value: Any) -> str:
    """JSON with every digit and without NaN."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def now() -> str:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Folder:
    """A run's folder, new or, if told, an old one.

    Raises:
        WrongInput: it holds something already and ``overwrite`` is false; or it cannot be made or written.
    """

    def __init__(self, path: pathlib.Path, overwrite: bool) -> None:
        self.path = path
        try:
            self._begin(path, overwrite)
        except OSError as error:
            raise WrongInput(f"{path}: must be a folder that can be written, but is none: {error.strerror or error}") from None

    def _begin(self, path: pathlib.Path, overwrite: bool) -> None:
        if path.exists() and not path.is_dir():
            raise WrongInput(f"{path}: must be a folder, but is a file")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise WrongInput(f"{path}: must be new or empty, but holds a run: choose another --out, or add --overwrite")
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
        if overwrite:
            (path / "result.json").unlink(missing_ok=True)

    @classmethod
    def new(cls, name: str, out: pathlib.Path | None, overwrite: bool) -> "Folder":
        """The folder that was asked for, or runs/NAME-TIME."""
        if out is not None:
            return cls(out, overwrite)
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        tried = [pathlib.Path("runs") / f"{name}-{stamp}{suffix}" for suffix in ("", *(f"-{k}" for k in range(2, 1000)))]
        return cls(next(path for path in tried if not path.exists()), overwrite)

    def write(self, name: str, fill: Callable[[Any], Any]) -> None:
        """A file by way of a temporary one beside it, so that it is there whole or not at all."""
        handle, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, self.path / name)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def text(self, name: str, text: str) -> None:
        """A file of text."""
        self.write(name, lambda file: file.write(text.encode("utf-8")))

    def arrays(self, name: str, **arrays: np.ndarray) -> None:
        """An npz file."""
        self.write(name, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]

    def line(self, name: str, value: Any) -> None:
        """One more line of JSON at the end of a file."""
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(value, allow_nan=False) + "\n")


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
