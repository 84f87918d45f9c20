"""Times of jobs, cold and warm: the second run of a job finds what the first one kept."""

import pytest

from transduce.study.timing import seconds, times

JOB = (
    "-c",
    "import os, pathlib, time; kept = pathlib.Path(os.environ['JAX_COMPILATION_CACHE_DIR']) / 'program';"
    "cold = not kept.exists(); kept.parent.mkdir(exist_ok=True); kept.touch(); time.sleep(1.0 if cold else 0.0)",
)


def test_cold_and_warm():
    found = times({"job": JOB})
    assert found["job"]["cold"] - found["job"]["warm"] > 0.7
    for name in ("cold", "warm"):
        assert found["job"][f"{name}_over_jax"] == pytest.approx(found["job"][name] / found["jax"]["warm"])


def test_a_job_that_fails_says_why(tmp_path):
    with pytest.raises(OSError, match="no such thing"):
        seconds(("-c", "raise SystemExit('no such thing')"), tmp_path)
