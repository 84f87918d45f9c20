"""What the README and the notebook show is what the code prints: their code is run, and their numbers are compared.

A printed number may differ by two units of its last digit (an optimum is found to 1e-6 or so); whole numbers and words may not.
"""

import ast
import contextlib
import io
import itertools
import json
import pathlib
import re
from typing import Any

import nbformat
import pytest

from transduce.study import config, source
from transduce.study.resolved import inputs

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "experiments" / "first_steps.ipynb"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")


def block(marker: str) -> str:
    """The fenced block below <!-- ci: marker -->."""
    found = re.findall(rf"^<!-- ci: {marker} -->\n```\w*\n(.*?)^```$", README, re.M | re.S)
    assert len(found) == 1, marker
    return found[0]


def alike(now: str, then: str) -> bool:
    """Whether a printed line is a shown one."""

    def near(one: str, other: str) -> bool:
        mantissa, _, exponent = other.partition("e")
        if "." not in mantissa:
            return one == other
        last = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        return abs(float(one) - float(other)) <= 2.001 * last

    words = [" ".join(re.sub(NUMBER, "#", line).split()) for line in (now, then)]
    numbers = zip(NUMBER.findall(now), NUMBER.findall(then), strict=words[0] == words[1])
    return words[0] == words[1] and all(near(one, other) for one, other in numbers)


def assert_shown(now: str, then: str) -> None:
    for one, other in itertools.zip_longest(now.strip().splitlines(), then.strip().splitlines(), fillvalue=""):
        assert alike(one, other), f"it prints\n    {one}\nand the text shows\n    {other}"


def run(code: str, names: dict[str, Any]) -> tuple[str, Any]:
    """What code prints, and the value of its last line where that is an expression."""
    tree, printed, value = ast.parse(code), io.StringIO(), None
    last = tree.body[-1] if isinstance(tree.body[-1], ast.Expr) else None
    body = ast.Module(tree.body if last is None else tree.body[:-1], tree.type_ignores)
    with contextlib.redirect_stdout(printed):
        exec(compile(body, "shown", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "shown", "eval"), names)
    return printed.getvalue(), value


@pytest.mark.parametrize(
    ("now", "then", "same"),
    [
        ("bandwidth  9.346 MHz", "bandwidth 9.346 MHz ", True),
        ("bandwidth 9.348 MHz", "bandwidth 9.346 MHz", True),
        ("bandwidth 9.349 MHz", "bandwidth 9.346 MHz", False),
        ("bandwidth 9.346 MHz", "bandwidth 9.346 kHz", False),
        ("1.088e+04 /s", "1.099e+04 /s", False),
        ("4 of 4 starts", "3 of 4 starts", False),
        ("gain -0.0492", "gain +0.0492", False),
    ],
)
def test_the_comparison_can_fail(now, then, same):
    assert alike(now, then) is same


def test_the_two_commands():
    assert block("first").strip() == "python -m pip install . && transduce optimise"
    assert block("test").strip() == "python -m pip install '.[test]' && python -m pytest"


def test_the_first_command_prints_what_is_stored_beside_its_figure():
    numbers = json.loads((ROOT / "figures" / "e02_bundled_connection.json").read_text(encoding="utf-8"))
    ends = [numbers["before"], numbers["after"]]
    lines = block("first output").splitlines()
    setting = config.load(source.read(None))
    known = [one["status"] for one in inputs(setting, setting.parts).values()]
    told = f"{known.count('assumed')} of {len(known)} inputs are assumed, {known.count('recalled')} recalled, {known.count('default')} are"
    assert told in lines[0]

    def row(label: str, values: list[float], unit: float = 1.0) -> None:
        found = [line for line in lines if re.match(rf"{re.escape(label)} {{2,}}", line)]
        assert len(found) == 1, label
        shown = NUMBER.findall(found[0].removeprefix(label))[: len(values)]
        digits = 6e-3 if len(values) > 2 else 1e-3  # a budget's gains are printed with three digits
        assert [float(text) for text in shown] == pytest.approx([value / unit for value in values], rel=digits)

    labels = {
        **{"efficiency": "efficiency", "added noise, input": "added_noise_input", "success probability": "success_probability"},
        **{"bandwidth, FWHM": "bandwidth_fwhm_hz", "average fidelity, heralded": "average_fidelity_heralded"},
    }
    efficiency = [line for line in lines if line.startswith("efficiency  ")]
    assert len(efficiency) == 2  # of the figures, and of the targets
    lines.remove(efficiency[1])
    for label, name in labels.items():
        row(label, [end[name] for end in ends], 1e6 if name.endswith("_hz") else 1.0)
    for stage in zip(*(end["stages"] for end in ends), strict=True):
        columns = ("transmission_db", "noise_input", "fidelity_gain_if_ideal")
        row(stage[0]["name"], [one[column] for one in stage for column in columns])
    design = [end["design"] for end in ends]
    row("device.lab.pump_power", [one["pump_power"] for one in design], 1e-3)
    row("device.lab.mode_match", [one["mode_match"] for one in design])
    assert lines[-1] == numbers["optimum"]["message"]


def test_the_python_prints_what_is_shown():
    names = {"__name__": "shown"}
    for shown in ("python", "protocols", "sweep"):
        printed, _ = run(block(shown), names)
        assert_shown(printed, block(f"{shown} output"))


def test_the_reach_is_the_figures():
    numbers = json.loads((ROOT / "figures" / "e03_reach.json").read_text(encoding="utf-8"))
    assert f"above 2/3 for {numbers['optimised']['classical_at_m'] / 1e3:.0f} km" in README
    assert numbers["published"]["classical_at_m"] is None


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_notebook_shows_what_it_computes():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    names: dict[str, Any] = {"__name__": "shown"}
    pictures = 0
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        printed, value = run(cell.source, names)
        outputs = cell.outputs
        assert all(output.output_type in ("stream", "execute_result", "display_data") for output in outputs)
        assert_shown(printed, "".join(output.text for output in outputs if output.output_type == "stream"))
        shown = [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]
        assert_shown("" if value is None or cell.source.endswith(";") else repr(value), "".join(shown))
        pictures += sum("image/png" in output.data for output in outputs if output.output_type == "display_data")
    names["plt"].close("all")
    assert pictures == 1


def test_the_notebook_tells_nothing_of_the_machine_that_ran_it():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/|execution_state|iopub|stderr", text)
    assert [cell.metadata for cell in nbformat.reads(text, as_version=4).cells if cell.metadata] == []
