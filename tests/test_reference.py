"""Every covered reference case is one test, through the program that runs unseen files."""

import json
import pathlib

import pytest

from tests.reference.__main__ import answerers, error, excess, kind_of, main

FOLDER = pathlib.Path(__file__).parent / "reference_cases"
ANSWERS = answerers()
CASES = {case["name"]: case for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text())["cases"]}
COVERED = [case for case in CASES.values() if kind_of(case) in ANSWERS]


@pytest.mark.parametrize("case", COVERED, ids=lambda case: case["name"])
def test_case(case):
    worst, relative = excess(case, ANSWERS[kind_of(case)])
    assert relative <= 1, worst


def test_a_fault_is_seen(tmp_path, capsys):
    case = json.loads(json.dumps(CASES["eom_matched_closed"]))
    case["outputs"]["N_add_up"] *= 1 + 3e-9
    path = tmp_path / "faulty.json"
    path.write_text(json.dumps({"cases": [case, {"name": "later", "kind": "unheard of", "inputs": {}, "outputs": {}}]}))
    assert main(str(path)) == 1
    printed = capsys.readouterr().out
    assert "FAILS" in printed and "not covered" in printed
    case["outputs"]["N_add_up"] /= 1 + 3e-9
    path.write_text(json.dumps({"cases": [case]}))
    assert main(str(path)) == 0


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        (1.5, 1.0, 0.5),
        ([1.0, 2.5], [1.0, 2.0], 0.25),
        ({"re": [3.0, 0.0], "im": [4.0, 1e-3]}, {"re": [3.0, 0.0], "im": [4.0, 0.0]}, 2e-4),
        (1e-12, 3e-16, 1e-9),
        ([1.0], [1.0, 2.0], float("inf")),
        ({"a": 1.0}, {"a": 1.0, "b": 1.0}, float("inf")),
        ([{"w": 1.0}, {"w": 2.2}], [{"w": 1.0}, {"w": 2.0}], 0.1),
        (True, False, float("inf")),
        (float("nan"), 1.0, float("inf")),
    ],
)
def test_the_measure(found, wanted, expected):
    assert error(found, wanted) == pytest.approx(expected, rel=1e-3)
