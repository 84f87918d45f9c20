"""What every test shares: no window is opened, no example is timed, compiling is quick, and Python can be started afresh.

Tests in this process compile without optimisation; those that start Python afresh compile as users do.
"""

import gc
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import hypothesis
import jax
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
if jax.__version__.startswith("0.10."):  # nearly all the time goes into compiling; XLA ends the process at a flag it does not know
    flags = ("use_fusion_emitters=false", "parallel_codegen_split_count=1")
    os.environ.setdefault("XLA_FLAGS", " ".join(("--xla_backend_optimization_level=0", *(f"--xla_cpu_{flag}" for flag in flags))))
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several workers may share one GPU
gc.set_threshold(20_000, 10, 10)  # of millions of traced equations hardly any is in a cycle: 700 a time, the search takes 5 % of a run

# A first example compiles; a failure must repeat.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, max_examples=10)
hypothesis.settings.load_profile("house")

ROOT = pathlib.Path(__file__).parent.parent


MAPPED = 30_000
"""Pieces of memory that compiled programs may map before they are let go: a process has 65530 on Linux, and XLA dies of the next one."""


@pytest.fixture(scope="module", autouse=True)
def _few_programs() -> Iterator[None]:
    """Between two files, programs that nobody will call again go."""
    yield
    maps = pathlib.Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPPED:
        jax.clear_caches()


@pytest.fixture(scope="session")
def fresh_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``fresh_python(code, **environment)`` runs code in a new interpreter at the root of the checkout."""

    def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in ("JAX_ENABLE_X64", "XLA_FLAGS")}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def transfer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies say nothing of the protocols that they do not select, whose programs are the longest to compile."""
    from transduce.study.config import Setting

    monkeypatch.setattr(Setting, "lacking", lambda setting, name: None if name == setting.protocol else "is not asked for")
