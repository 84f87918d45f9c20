"""What every test shares: no window is opened, no example is timed, and Python can be started afresh."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import hypothesis
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several workers may share one GPU

# A first example compiles; a failure must repeat.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, max_examples=10)
hypothesis.settings.load_profile("house")

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="session")
def fresh_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``fresh_python(code, **environment)`` runs code in a new interpreter at the root of the checkout."""

    def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, timeout=120)

    return run
