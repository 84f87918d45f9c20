"""The command line: wrong files and arguments, each one clear line and exit status 2; what it prints; what it does not import."""

import json
import os
import re

import numpy as np
import pytest

from transduce.cli import main
from transduce.programs import _loaded, compiled, kept
from transduce.shelf import load
from transduce.study import config
from transduce.study.keeping import keeper
from transduce.study.source import BUNDLED, read

TEXT = BUNDLED.read_text(encoding="utf-8")


def change(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


def after(table: str, line: str) -> str:
    """The bundled file with one more line in a table."""
    return change(table, f"{table}\n{line}\n#")


LAB, SWITCH = "[device.lab]", 'kind = "switch"'
EXTRA = '\n[[path]]\nname = "extra"\nkind = "loss"\nloss = "1 dB"\n'


def table(times: str, samples: str) -> str:
    """The bundled file with a photon known by numbers."""
    return change('{ shape = "sech", bandwidth = "1 MHz" }', f'{{ shape = "tabulated", times = {times}, samples = {samples} }}')


ROWS = change(
    'photon = { shape = "sech", bandwidth = "1 MHz" }',
    'photon.shape = "tabulated"\nphoton.samples = [\n    [0.5, 0.1],  # not a [header]\n    [0.25, 0.1]\n]\nphoton.colour = "]"',
)
OCCUPIED = after(SWITCH, "occupation = 0.1").replace("[free]", '[free]\n"path.switch.temperature" = ["0 K", "1 K"]')

WRONG = {
    "unknown key": (after(LAB, 'kapa_e_ext = "1 MHz"'), 6, "device.lab.kapa_e_ext", "the nearest is kappa_e_ext"),
    "unknown key of a stage": (after(SWITCH, 'insertionloss = "1 dB"'), 25, "path.switch.insertionloss", "the nearest is insertion_loss"),
    "unknown table": (change("[targets]", "[target]"), 30, "target", "the nearest is targets"),
    "missing unit": (change('"100 mW"', "100"), 7, "device.lab.pump_power", 'such as "10 mW"'),
    "unit left out of the string": (change('"100 mW"', '"100"'), 7, "device.lab.pump_power", 'such as "10 mW"'),
    "wrong unit": (change('"100 mW"', '"100 MHz"'), 7, "device.lab.pump_power", "must be a power"),
    "an event rate for a rate": (change('bandwidth = "1 MHz"', 'bandwidth = "1e6 /s"'), 3, "transfer.photon.bandwidth", "must be a rate"),
    "unit of a number": (after(LAB, 'mode_match = "0.5 dB"'), 6, "device.lab.mode_match", "must be a number"),
    "NaN": (after(LAB, "mode_match = nan"), 6, "device.lab.mode_match", "but is nan"),
    "infinity": (change('"1 km"', '"1e999 km"'), 20, "path.fibre.length", "must be"),
    "negative rate": (after(LAB, 'kappa_e_ext = "-1 MHz"'), 6, "device.lab.kappa_e_ext", "must be at least"),
    "fraction above 1": (after(LAB, "mode_match = 1.5"), 6, "device.lab.mode_match", "at most 1"),
    "stated twice": (after(LAB, "pump_photons = 1e9"), 5, "device.lab", "exactly one of pump_power"),
    "not boolean": (after(LAB, 'stokes = "yes"'), 6, "device.lab.stokes", "true or false"),
    "blue pump": (after(LAB, 'pump = "blue"'), 6, "device.lab.pump", '"red"'),
    "another exponent": (after(LAB, 'heating_conductance = "22 W/K^2"'), None, "heating", "W/K^"),
    "unknown entry": (change('"sahu-2022"', '"sahu-202"'), 6, "device.lab.from", "the nearest is sahu-2022"),
    "entry of no type": (change('"sahu-2022"', "[1]"), 6, "device.lab.from", "must be an entry"),
    "from and kind": (after(LAB, 'kind = "electro-optic"'), 5, "device.lab", "has both"),
    "neither from nor kind": (change('from = "sahu-2022"', ""), 5, "device.lab", "has neither"),
    "unknown kind": (change('from = "sahu-2022"', 'kind = "electro-optical"'), 6, "device.lab.kind", "the nearest is electro-optic"),
    "missing field": (change('from = "sahu-2022"', 'kind = "electro-optic"'), 5, "device.lab", "must have kappa_e_ext"),
    "an unused device": (TEXT + '\n[device.spare]\nfrom = "sahu"\n', 61, "device.spare.from", "the nearest is sahu-2022"),
    "incomplete device": (change('from = "sahu-2022"', 'from = "weaver-2024"'), 6, "device.lab.from", "no source gives frequency_m"),
    "unknown device": (change('[node.b]\ndevice = "lab"', '[node.b]\ndevice = "lob"'), 14, "node.b.device", "the nearest is lab"),
    "missing node": (change("[node.b]", "[node.c]"), 13, "node.c", "no key"),
    "T2 above 2 T1": (change('t2 = "200 us"', 't2 = "700 us"'), 11, "node.a.qubit.t2", "at most 2 t1 = 600 us, but is 700 us"),
    "missing kind": (change('kind = "fibre"', ""), 17, "path.fibre", "must have kind"),
    "unknown stage": (change('kind = "fibre"', 'kind = "fiber"'), 19, "path.fibre.kind", "the nearest is fibre"),
    "same name twice": (TEXT + EXTRA.replace("extra", "fibre"), 61, "path.fibre.name", "used twice"),
    "reserved name": (change('name = "switch"', 'name = "down"'), 23, "path.down.name", "must not be emit, up, down, absorb"),
    "eta + x above 1": (after(SWITCH, 'crosstalk = "1 dB"'), 25, "path.switch.crosstalk", "at most 1"),
    "empty path": ("path = []\n" + TEXT[: TEXT.index("[[path]]")], 1, "path", "one or more"),
    "no path": (TEXT[: TEXT.index("[[path]]")], None, "", "[[path]]"),
    "unknown encoding": (change('"time-bin"', '"timebin"'), 2, "transfer.encoding", "the nearest is time-bin"),
    "unknown shape": (change('"sech"', '"sec"'), 3, "transfer.photon.shape", "the nearest is sech"),
    "unknown objective": (
        change('maximise = "average', 'maximise = "averge'),
        28,
        "objective.maximise",
        "the nearest is average_fidelity_heralded",
    ),
    "objective it lacks": (change('"time-bin"', '"single-rail"'), 28, "objective.maximise", "the nearest is average_fidelity"),
    "unknown target": (change("efficiency = { min", "eficiency = { min"), 31, "targets.eficiency", "the nearest is efficiency"),
    "target without a bound": (change("{ max = 0.1 }", "{}"), 33, "targets.added_noise_input", "min or max"),
    "target not above 0": (change("{ max = 0.1 }", "{ max = 0.0 }"), 33, "targets.added_noise_input.max", "must be above 0"),
    "target without a unit": (change('"10 MHz"', "10e6"), 32, "targets.bandwidth_fwhm.min", "needs a unit"),
    "box outside the domain": (change("[0.6, 0.98]", "[0.6, 1.1]"), 41, "free.device.lab.mode_match", "at most 1"),
    "box reversed": (change('["1 mW", "1 W"]', '["1 W", "1 mW"]'), 36, "free.device.lab.pump_power", "low end below"),
    "box of one end": (change('["1 mW", "1 W"]', '["1 W"]'), 36, "free.device.lab.pump_power", "[low, high]"),
    "free path": (
        change('"device.lab.pump_power" =', '"device.lab.pump_pwr" ='),
        36,
        "free.device.lab.pump_pwr",
        "the nearest is device.lab.pump_power",
    ),
    "unknown optimiser": (change('"adam"', '"adm"'), 44, "optimiser.name", "the nearest is adam"),
    "unknown setting": (after("[optimiser]", "learningrate = 0.1"), 44, "optimiser.learningrate", "the nearest is learning_rate"),
    "no steps": (change("steps = 500", "steps = 0"), 46, "optimiser.steps", "at least 1"),
    "seed of no kind": (change("seed = 0", "seed = 0.5"), 48, "optimiser.seed", "a whole number"),
    "bad TOML": (change("[node.a]", "[node.a"), 9, "", "is not TOML"),
    "deeply nested": ("a = " + "[" * 5000 + "]" * 5000, None, "", "nested too deeply"),
    "integer of thousands of digits": ("a = " + "9" * 5000, None, "", "is not TOML"),
    "number of 401 digits": (after(LAB, f"mode_match = 1{'0' * 400}"), 6, "device.lab.mode_match", "has 401"),
    "box of 401 digits": (change("[0.6, 0.98]", f"[0.6, 1{'0' * 400}]"), 41, "free.device.lab.mode_match", "has 401"),
    "setting of 401 digits": (change("learning_rate = 0.1", f"learning_rate = 1{'0' * 400}"), 45, "optimiser.learning_rate", "a number"),
    "sample of 401 digits": (table('["0 s", "1 us"]', f"[0.5, 1{'0' * 400}]"), 3, "transfer.photon.samples", "finite numbers"),
    "ragged times": (table('[["0 s"], ["1 us", "2 us"]]', "[1, 1]"), 3, "transfer.photon.times", "but is ['0 s']"),
    "no times": (table('"1 us"', "[1, 1]"), 3, "transfer.photon.times", "must be a list of times"),
    "shape of the matched mode": (change('"sech"', '"sampled"'), 3, "transfer.photon.shape", "gaussian, rising, sech, tabulated, but"),
    "too many starts": (change("starts = 32", "starts = 10000000000"), 47, "optimiser.starts", "at least 1 and at most 10000000"),
    "array of devices": (change(LAB, "[[device.lab]]"), 5, "device.lab", "must be a table"),
    "array of nodes": (change("[node.a]", "[[node.a]]"), 9, "node.a", "must be a table"),
    "rows over several lines": (ROWS, 8, "transfer.photon.colour", "no key"),
    "device in a list": (change('[node.b]\ndevice = "lab"', '[node.b]\ndevice = ["lab"]'), 14, "node.b.device", "a name in quotes"),
    "target of another unit": (TEXT.replace("[free]", 'rate = { min = "1 Hz" }\n[free]'), 35, "targets.rate.min", "must be an event rate"),
    "full-width digits": (change('"100 mW"', '"１００ mW"'), 7, "device.lab.pump_power", "must be a number and a unit"),
    "key of 5000 letters": (after(LAB, "k" * 5000 + " = 1"), 6, "device.lab.kkk", "kk...: is no key of this table; "),
    "temperature beside occupation": (OCCUPIED, 38, "free.path.switch.temperature", "where occupation is given"),
    "not a table": ("device = 3\n" + TEXT[: TEXT.index("[device")] + TEXT[TEXT.index("[node.a]") :], 1, "device", "must be a table"),
    "empty": ("", None, "", "must have"),
}


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch):
    """Programs are kept in the test's own folder, not in the user's."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))


def one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and captured.err.endswith("\n")
    return captured.err


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_line_and_status_2(case, tmp_path, capsys):
    text, line, key, what = WRONG[case]
    file = tmp_path / "link.toml"
    file.write_text(text, encoding="utf-8")
    for command in ("evaluate", "optimise"):
        message = one_line(capsys, [command, str(file), "--out", str(tmp_path / "out")])
        assert message.startswith(f"{file}:" + (f"{line}:" if line else ""))
        assert key in message and what in message
    assert not (tmp_path / "out").exists()


CARRIERS = """
[device.other]
from = "sahu-2022"
frequency_o = "193.5 THz"
"""


def test_optical_carriers_must_agree_or_a_shift_be_stated(tmp_path, capsys):
    file = tmp_path / "link.toml"
    text = change('[node.b]\ndevice = "lab"', '[node.b]\ndevice = "other"') + CARRIERS
    file.write_text(text, encoding="utf-8")
    message = one_line(capsys, ["evaluate", str(file)])
    assert "leaves 100 GHz" in message and 'frequency_shift = "100 GHz"' in message


UNSTABLE = """
[device.lab]
kind = "electro-optic"
kappa_e_ext = "1 MHz"
kappa_e_int = "1 MHz"
kappa_o_ext = "1 MHz"
kappa_o_int = "1 MHz"
cooperativity = 0.1
stokes = true
g_s = "3 MHz"
kappa_s_ext = "1 MHz"
kappa_s_int = "1 MHz"
kappa_d = "1 MHz"

[node"""


def test_an_unstable_device_is_refused(tmp_path, capsys):
    file = tmp_path / "link.toml"
    head, tail = TEXT.split("[device.lab]")[0], TEXT.split("[node", 1)[1]
    file.write_text(head + UNSTABLE.lstrip() + tail.split("[objective]")[0], encoding="utf-8")
    message = one_line(capsys, ["evaluate", str(file)])
    assert f"{file}:5: device.lab: is unstable" in message


def test_files_that_are_none(tmp_path, capsys):
    assert "is a directory" in one_line(capsys, ["evaluate", str(tmp_path)])
    assert "No such file" in one_line(capsys, ["evaluate", str(tmp_path / "none.toml")])
    binary, large = tmp_path / "binary.toml", tmp_path / "large.toml"
    binary.write_bytes(b"\n\xff\xfe\x00")
    assert f"{binary}:2: must be UTF-8 text" in one_line(capsys, ["evaluate", str(binary)])
    large.write_bytes(b"#" * (2**20 + 1))
    assert "at most 1 MiB" in one_line(capsys, ["evaluate", str(large)])
    assert "null byte" in one_line(capsys, ["evaluate", "a\0b"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path, capsys):
    file = tmp_path / "locked.toml"
    file.write_text(TEXT, encoding="utf-8")
    file.chmod(0)
    assert "Permission denied" in one_line(capsys, ["evaluate", str(file)])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["evalute"], "No such command"),
        (["evaluate", "a", "b"], "unexpected extra argument"),
        (["evaluate", "--jsn"], "No such option"),
        (["devices", "sahu2022"], "the nearest is sahu-2022"),
        (["devices", "SAHU-2022"], "the nearest is sahu-2022"),
        (["devices", "--plot", "/nonexistent/x.png"], "must be a file in a folder that can be written, but is /nonexistent/x.png"),
        (["devices", "--plot", "record.pdf"], "must be a file FILE.png"),
        (["devices", "sahu-2022", "--plot", "record.png"], "but is record.png of one device"),
        ([], "a command is missing"),
    ],
)
def test_wrong_arguments(arguments, what, capsys):
    if arguments:
        assert what in one_line(capsys, arguments)
    else:
        assert main(arguments) == 2


def test_devices(capsys, tmp_path):
    """The list with its picture, and the same as JSON; programs of one class are not taken for those of another."""
    png = tmp_path / "record.png"
    assert main(["devices", "--json", "--plot", str(png)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {name for name, row in rows.items() if row["complete"]} == {"jiang-2023", "membrane-example", "mirhosseini-2020", "sahu-2022"}
    assert len(rows) >= 26 and rows["jiang-2023"]["reported"]["bandwidth_fwhm"]["value"] == "1.5 MHz"
    assert {key: rows["jiang-2023"]["recomputed"]["bandwidth_fwhm"][key] for key in ("value", "unit")} == {
        "value": pytest.approx(1.451e6, rel=1e-3),
        "unit": "Hz",
    }
    assert rows["membrane-example"]["recomputed"]["efficiency"]["value"] == pytest.approx(0.6453, rel=1e-3)
    assert rows["weaver-2024"]["recomputed"] == {} and rows["weaver-2024"]["lacks"] == "no source gives frequency_m, pump_power"
    assert png.read_bytes().startswith(b"\x89PNG")
    assert main(["devices"]) == 0
    table = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "0.049 / 0.0566" in table["jiang-2023"] and "(0.086)" in table["andrews-2014"] and "0.58 int" in table["kumar-2023"]
    assert table["jiang-2023"].rstrip().endswith("2023")


HEADER = 'title = "t"\ncitation = "c"\nyear = 2023\nplatform = "p"\n'
EMPTY = HEADER + 'kind = "electro-optic"\nmissing = ["kappa_e_ext", "kappa_e_int", "kappa_o_ext", "kappa_o_int"]\n'
WRONG_ENTRIES = {
    "kind-unknown": (HEADER + 'kind = "foo"\n', "kind must be one of"),
    "fields-absent": (HEADER + 'kind = "electro-optic"\n', "fields must have kappa_e_ext"),
    "option-unknown": (EMPTY + "[options]\nfoo = true\n", "options.foo must be an option"),
    "field-negative": (EMPTY + '[fields]\ng0 = { value = "-1 MHz", status = "assumed" }\n', "g0 must be at least 0 Hz"),
    "point-unknown": (EMPTY + "[points.a]\nfoo = { value = 1.0, status = 'assumed' }\n", "points.a.foo must be a field"),
    "missing-unknown": (EMPTY.replace("missing = [", 'missing = ["foo", '), "missing must name fields of its class, but names foo"),
    "nested": (HEADER + f"a = {'[' * 5000}{']' * 5000}\n", "is nested too deeply"),
    "not-a-number": (EMPTY + "[reported]\nefficiency = { value = nan, status = 'assumed' }\n", "efficiency must be finite"),
}


def test_wrong_entries_are_a_line_each_and_the_others_are_listed(tmp_path, capsys, monkeypatch):
    for name, (text, _) in WRONG_ENTRIES.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "not-text.toml").write_bytes(HEADER.encode() + b"# \xff")
    (tmp_path / "in-order.toml").write_text(EMPTY, encoding="utf-8")
    monkeypatch.setattr("transduce.devices.entry.LIBRARY", tmp_path)
    wanted = {name: what for name, (_, what) in WRONG_ENTRIES.items()} | {"not-text": "must be UTF-8 text, but has the byte 0xff"}
    assert main(["devices", "--json"]) == 2
    shown = capsys.readouterr()
    assert list(json.loads(shown.out)) == ["in-order"]
    lines = dict(line.split(".toml: ", 1) for line in shown.err.splitlines())
    assert lines.keys() == wanted.keys() and all(what in lines[name] for name, what in wanted.items())
    for name in ("kind-unknown", "fields-absent", "nested", "not-a-number", "not-text"):
        assert f"{name}.toml: " in (message := one_line(capsys, ["devices", name])) and wanted[name] in message
    assert main(["devices", "in-order"]) == 0


def test_a_data_sheet(capsys):
    assert main(["devices", "jiang-2023"]) == 0
    shown = capsys.readouterr().out
    assert "10.1038/s41567-023-02129-w" in shown and "primary" in shown and "not reproduced from the paper's own rates" in shown
    assert main(["devices", "kumar-2023"]) == 0
    assert "It does not run: no source gives kappa_e_ext, kappa_e_int," in capsys.readouterr().out


def test_the_schema_of_an_entry(capsys):
    assert main(["devices", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["required"] == ["title", "citation", "year", "platform"] and "name" not in schema["properties"]
    pattern = schema["properties"]["reported"]["propertyNames"]["pattern"]
    assert re.fullmatch(pattern, "efficiency_max") and not re.fullmatch(pattern, "eta")


def test_doctor(capsys):
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["well"] and answer["x64"] and answer["self_check_error"] < 1e-12


RUN = "import sys; from transduce.cli import main; status = main({}); print(status, sorted({{'jax', 'matplotlib'}} & set(sys.modules)))"


def test_what_does_not_compute_does_not_wait_for_jax(fresh_python, tmp_path):
    broken, unknown = tmp_path / "broken.toml", tmp_path / "unknown.toml"
    broken.write_text("[a", encoding="utf-8")
    unknown.write_text(change("[targets]", "[target]"), encoding="utf-8")
    no_run = (["devices", "weaver-2024"], 0)
    for arguments, status in ((["--help"], 0), (["--version"], 0), no_run, (["evaluate", str(broken)], 2), (["optimise", str(unknown)], 2)):
        answer = fresh_python(RUN.format(arguments))
        assert answer.stdout.splitlines()[-1] == f"{status} []"
        assert "Traceback" not in answer.stderr


def test_float32_is_refused(fresh_python):
    answer = fresh_python("import sys; from transduce.cli import main; sys.exit(main(['evaluate']))", JAX_ENABLE_X64="0")
    assert answer.returncode == 2 and answer.stderr.count("\n") == 1 and "float64" in answer.stderr


@pytest.mark.usefixtures("transfer_alone")
def test_a_value_that_overflows_is_one_line(tmp_path, capsys):
    file = tmp_path / "link.toml"
    file.write_text(change('"100 mW"', '"1e290 W"'), encoding="utf-8")
    assert "must have values that float64 can compute with" in one_line(capsys, ["evaluate", str(file)])


def test_a_stage_may_have_any_word_for_a_name(tmp_path):
    file = tmp_path / "link.toml"
    file.write_text(change('name = "switch"', 'name = "self"'), encoding="utf-8")
    assert config.load(read(file)).parts["path"].names == ("fibre", "self")


def test_a_byte_order_mark_is_none_of_the_text(tmp_path, capsys):
    file = tmp_path / "link.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read(file).text == TEXT
    file.write_bytes(b"\xef\xbb\xbf\n\xff")
    assert f"{file}:2: must be UTF-8 text, but has the byte 0xff" in one_line(capsys, ["evaluate", str(file)])


def test_a_folder_that_cannot_be(tmp_path, capsys):
    (tmp_path / "file").write_text("", encoding="utf-8")
    for command in ("evaluate", "optimise"):
        for out in (str(tmp_path / "file" / "y"), str(tmp_path / "file"), "/proc/zz"):
            assert one_line(capsys, [command, "--out", out]).startswith(f"{out}: must be a folder")
        assert "must be a folder's name, but is ''" in one_line(capsys, [command, "--out", ""])


def test_only_a_command_of_its_own_loads_programs_ahead(tmp_path, monkeypatch, capsys):
    asked, command = [], ["evaluate", "--out", str(tmp_path / "file")]
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr("transduce.shelf.ahead", lambda folder, name: asked.append(name))
    assert main(command) == 2 and asked == []
    monkeypatch.setattr("sys.argv", ["transduce", *command])
    assert main() == 2 and asked == [f"['evaluate'] {re.sub('[0-9]', '', TEXT)}"]
    assert main(command) == 2 and len(asked) == 1
    assert capsys.readouterr().err.count("must be a folder") == 3


def test_doctor_tells_whether_programs_can_be_kept(monkeypatch, tmp_path, capsys):
    for folder, writable in ((tmp_path / "new", True), ("/proc/nope", False)):
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder))
        assert main(["doctor", "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["cache"], answer["cache_writable"]) == (str(folder), writable)


def test_without_a_place_for_programs_a_run_warns_once(monkeypatch, capsys):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/proc/nope")
    keep = keeper("text")
    for key in (256, 512):
        with keep(key):
            assert float(compiled(lambda x: {"twice": 2 * x})(np.ones(()))["twice"]) == 2
    message = capsys.readouterr().err
    assert message == "transduce: /proc/nope: cannot be written, so that compiled programs are not kept\n"


@pytest.mark.parametrize("damage", [lambda raw: raw[:-7], lambda raw: raw[:99] + b"?" + raw[100:], lambda raw: b""])
def test_a_damaged_program_is_written_again(damage, tmp_path):
    def run() -> float:
        _loaded.clear()  # as a new run would find it
        with kept(tmp_path, "key"):
            return float(compiled(lambda x: {"twice": 2 * x})(np.ones(()))["twice"])

    assert run() == 2
    (file,) = tmp_path.glob("*.program")
    file.write_bytes(damage(file.read_bytes()))
    assert run() == 2
    again = load(file)
    assert again is not None and [float(one) for one in again[0]([np.full((), 2.0)])] == [4]
