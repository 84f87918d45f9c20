"""Sweeps in processes of their own: eight devices, two processes, a million designs, each against one."""

import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[2]

DEVICE = """
import pathlib, re, sys, jax, numpy as np, jax.numpy as jnp, resource
import transduce as td
def peak():  # MiB; where there is no /proc, perhaps that of the program that began this one
    status = pathlib.Path("/proc/self/status")
    own = re.search(r"VmHWM:\\s*(\\d+)", status.read_text()) if status.exists() else None
    return (int(own[1]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
def figures(device):
    conversion = device.linear_system().conversion("microwave", "optical")
    omega = jnp.linspace(-1e7, 1e7, FREQUENCIES)
    return {"efficiency": jnp.mean(jax.vmap(conversion.power)(omega)), "noise": jnp.mean(jax.vmap(conversion.added_noise)(omega))}
WRT = ("pump_power", "kappa_e_ext", "kappa_o_ext", "kappa_e_int", "kappa_o_int", "mode_match")
BOXES = td.Sample(COUNT, 0, dict.fromkeys(WRT))
"""


def run(code, **environment):
    inherited = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_ENABLE_X64")}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=inherited | environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("wrt", ["()", pytest.param("WRT", marks=pytest.mark.slow)])
def test_one_device_and_eight_give_the_same_bits_in_bounded_memory(tmp_path, wrt):
    """Eight go on where one was cut."""
    code = DEVICE.replace("COUNT", "100100").replace("FREQUENCIES", "1") + (
        f"ASKED, calls = {wrt}, []\n"
        "def progress(*report):\n"
        "    calls.append(1)\n"
        "    if CUT and len(calls) == 3: sys.exit(0)\n"
        "swept = td.sweep(figures, td.device('sahu-2022'), BOXES, gradients=ASKED, chunk=4096, folder=FOLDER, progress=progress)\n"
        "print(len(calls), len(jax.devices()), peak())\n"
    )
    eight, told = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}, []
    for folder, cut, flags in (("one", False, {}), ("eight", True, {}), ("eight", False, eight)):
        told.append(run(code.replace("FOLDER", repr(str(tmp_path / folder))).replace("CUT", str(cut)), **flags).split())
    assert [one[:2] for one in told] == [["25", "1"], [], ["22", "8"]]
    assert float(told[0][2]) < 1024  # MiB, JAX and its compiler with it
    files = sorted((tmp_path / "one").glob("**/*.npy"))
    assert len(files) == (3 if wrt == "()" else 5)
    for file in files:
        assert (tmp_path / "eight" / file.relative_to(tmp_path / "one")).read_bytes() == file.read_bytes(), file


def test_two_processes_give_the_bits_of_one(tmp_path):
    """Each computes its own chunks into one folder; both answer the whole."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    code = (
        "import sys, jax, hashlib, numpy as np\n"
        "process = int(sys.argv[1])\n"
        "if process >= 0: jax.distributed.initialize(sys.argv[2], 2, process)\n"
        "import transduce as td\n"
        "device, axes, calls = td.device('sahu-2022'), {'pump_power': np.linspace(0.01, 0.2, 100)}, []\n"
        "swept = td.sweep(lambda d: d.pump_power ** 1.5, device, axes, gradients='pump_power', chunk=8, folder=sys.argv[3],\n"
        "    progress=lambda *report: calls.append(report))\n"
    )
    code += "print(len(calls), hashlib.sha256(swept['value'].tobytes() + swept.gradients['value']['pump_power'].tobytes()).hexdigest())\n"
    command = [sys.executable, "-c", code]
    inherited = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_ENABLE_X64")}
    options: dict[str, Any] = {"cwd": ROOT, "env": inherited, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([*command, str(process), address, str(tmp_path / "two")], **options) for process in (0, 1)]
    alone = subprocess.Popen([*command, "-1", address, str(tmp_path / "one")], **options)
    told = [(process.communicate(timeout=100), process.returncode) for process in (*both, alone)]
    assert [code for _, code in told] == [0, 0, 0], told
    calls, bits = zip(*(out.split()[-2:] for (out, _), _ in told), strict=True)
    assert calls == ("7", "6", "13") and len(set(bits)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("frequencies", [1, 101])
def test_a_million_designs_with_gradients_in_four_gibibytes(tmp_path, frequencies):
    code = DEVICE.replace("COUNT", "10**6").replace("FREQUENCIES", str(frequencies)) + (
        "CHUNK = 256\n"
        "import time\n"
        "from transduce.design.sweep import prepare\n"
        "device, each = td.device('sahu-2022'), {}\n"
        "for count in (10**3, 10**4, 10**6):\n"
        "    sample = td.Sample(count, 0, dict.fromkeys(WRT))\n"
        f"    asked = prepare(figures, device, sample, gradients=WRT, folder={str(tmp_path)!r} + str(count), chunk=CHUNK)\n"
        "    asked.estimate()\n"
        "    begun = time.perf_counter(); asked.run(lambda *_: None); each[count] = (time.perf_counter() - begun) / count\n"
        "print(*each.values(), peak())\n"
    )
    thousand, ten, million, peak = map(float, run(code).split())
    print(f"{frequencies} frequencies: {1e6 * thousand:.2f}, {1e6 * ten:.2f}, {1e6 * million:.2f} us/design, {peak:.0f} MiB")
    assert peak < 4096
    assert million < 1.3 * thousand
