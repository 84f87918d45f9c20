"""How a study's file says how it is searched: every count is ``maximise``'s own, by name and default."""

import inspect

import pytest

from transduce.design.maximise import maximise
from transduce.study import aims, config
from transduce.study.source import BUNDLED, WrongInput, read


def load(tmp_path, line):
    file = tmp_path / "study.toml"
    file.write_text(BUNDLED.read_text(encoding="utf-8").replace("[optimiser]", f"[optimiser]\n{line}"), encoding="utf-8")
    return aims.load(config.load(read(file)))


def test_counts_are_those_of_the_search(tmp_path):
    found, known = load(tmp_path, "").counts, inspect.signature(maximise).parameters
    assert found == {name: known[name].default for name in ("steps", "starts", "seed", "chunk", "batch")}


def test_a_batch_is_stated_and_recorded(tmp_path):
    found = load(tmp_path, "batch = 7")
    assert found.counts["batch"] == found.stated["batch"] == 7


@pytest.mark.parametrize("value", ["0", "2.5", "true", "10000001", '"all"'])
def test_a_batch_that_is_none_is_refused(value, tmp_path):
    with pytest.raises(WrongInput, match=r"study\.toml:44: optimiser\.batch: must be a whole number of at least 1 and at most 10000000"):
        load(tmp_path, f"batch = {value}")
