"""Where a study ends: the closed bound on efficiency, domains across fields, and a link that rings longer than can be sampled."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA
from transduce import parameters
from transduce.cli import main
from transduce.study import aims, config, evaluate
from transduce.study.optimise import ceilings, objective
from transduce.study.source import BUNDLED, read
from transduce.units import MHz, us

FILTER = """[[path]]
kind = "filter"
bandwidth = "{}"
centre = "{}"
insertion_loss = "1 dB"

[objective]"""


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch):
    """Programs are kept in the test's own folder, not in the user's."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))


def study(tmp_path, bandwidth="20 MHz", centre="10 MHz"):
    file = tmp_path / "study.toml"
    file.write_text(BUNDLED.read_text(encoding="utf-8").replace("[objective]", FILTER.format(bandwidth, centre)), encoding="utf-8")
    return file, config.load(read(file))


def test_the_closed_bound_has_a_filter_at_its_peak(tmp_path):
    _, setting = study(tmp_path)
    lab = setting.parts["device"]["lab"]
    escape = [getattr(lab, f"kappa_{x}_ext") / (getattr(lab, f"kappa_{x}_ext") + getattr(lab, f"kappa_{x}_int")) for x in "eo"]
    at = ceilings(setting)
    wanted = (float(escape[0] * escape[1]) * float(lab.mode_match)) ** 2 * 10 ** (-(0.2 + 0.5 + 1.0) / 10)
    for centre in (10 * MHz, -500 * MHz):
        bound, _ = at(parameters.replace(setting.parts, {"path.filter.centre": centre}))["efficiency"]
        assert float(bound) == pytest.approx(wanted, rel=ALGEBRA)


@pytest.mark.parametrize("figure", ["efficiency", "average_fidelity_heralded"])
def test_a_qubit_outside_its_domain_has_no_objective(figure, tmp_path):
    file, _ = study(tmp_path)
    file.write_text(file.read_text(encoding="utf-8").replace('"average_fidelity_heralded"', f'"{figure}"'), encoding="utf-8")
    setting = config.load(read(file))
    wanted = objective(setting, aims.load(setting), 512)
    value = jax.jit(jax.vmap(lambda t2: wanted(parameters.replace(setting.parts, {"node.b.qubit.t2": t2}))[0]))
    assert list(np.isnan(value(jnp.array([599, 600, 601]) * us))) == [False, False, True]


@pytest.mark.usefixtures("transfer_alone")
def test_a_link_that_rings_too_long_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "MOST_SAMPLES", 1024)
    file, _ = study(tmp_path, "10 kHz", "0 Hz")
    assert main(["evaluate", str(file), "--json"]) == 0
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["clock_resolved"] is False
    times = f"{25 / (np.pi * 1e4) / answer['packet']['photon_length_s']:.3g}"  # 25 lifetimes of the filter's field
    assert told.err == f"transduce: the link rings {times} times longer than the photon: the absorbed mode is not resolved\n"
