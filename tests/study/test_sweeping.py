"""``transduce sweep``: what its table may say, its answers against the library's, and the same bits after a stop."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import shutil
import signal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import transduce as td
from transduce import parameters
from transduce.cli import main
from transduce.protocols.transfer import samples_wanted
from transduce.report.progress import SweepProgress
from transduce.study import aims, config, sweeping, swept
from transduce.study.keeping import keeper
from transduce.study.source import BUNDLED, WrongInput, read
from transduce.units import MHz, km, ms, mW, to_hz

from .. import ALGEBRA, GRADIENT

TEXT = BUNDLED.read_text(encoding="utf-8")
LINES = TEXT.count("\n")
POWER, KAPPA, LENGTH = "device.lab.pump_power", "device.lab.kappa_e_ext", "path.fibre.length"
QUICK = """
[sweep]
figures = ["efficiency", "bandwidth_fwhm", "up.added_noise_input"]
gradients = ["device.lab.pump_power"]
chunk = 8
[sweep.axes]
"device.lab.pump_power" = { from = "1 mW", to = "1 W", points = 7, spacing = "log" }
"device.lab.kappa_e_ext" = ["1 MHz", "5 MHz", "50 MHz"]
"""


@pytest.fixture(scope="module", autouse=True)
def programs(tmp_path_factory):
    """Programs are kept in these tests' own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("programs")))
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file = tmp_path_factory.mktemp("study") / "quick.toml"
    file.write_text(TEXT + QUICK, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def whole(study):
    """A run that nothing happened to."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["sweep", str(study), "--out", str(study.parent / "whole")]) == 0
    return study.parent / "whole"


def loaded(tmp_path: pathlib.Path, more: str, text: str = TEXT) -> Any:
    file = tmp_path / "link.toml"
    file.write_text(text + more, encoding="utf-8")
    setting = config.load(read(file))
    return setting, sweeping.load(setting, aims.load(setting))


def arrays(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted((folder / "sweep").glob("**/*.npy"))}


def same(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Whether two runs have the same bits, and results that differ in what is of the run alone."""
    answers = [json.loads((folder / "result.json").read_text(encoding="utf-8")) | {"run": None} for folder in (one, other)]
    return len(arrays(one)) == 7 and arrays(one) == arrays(other) and answers[0] == answers[1]


POINTS = '"device.lab.pump_power" = {{ from = "1 mW", to = "1 W", points = 4{} }}'.format
WRONG = {
    "unknown key": ("[sweep]\nfigure = 1", 2, "sweep.figure", "the nearest is figures"),
    "not a table": ("[[sweep]]", 1, "sweep", "must be a table"),
    "unknown parameter": ('[sweep.axes]\n"device.lab.pump_pwr" = ["1 W"]', 2, "axes.device.lab.pump_pwr", f"the nearest is {POWER}"),
    "empty axis": (f'[sweep.axes]\n"{POWER}" = []', 2, POWER, "must be a list of values or { from ="),
    "one number": (f'[sweep.axes]\n"{POWER}" = "1 mW"', 2, POWER, "but is '1 mW'"),
    "without a unit": (f'[sweep.axes]\n"{POWER}" = ["1 mW", 2]', 2, POWER, 'such as "10 mW"'),
    "outside the domain": ('[sweep.axes]\n"device.lab.mode_match" = [0.5, 1.5]', 2, "mode_match", "at most 1"),
    "unknown key of an axis": (f"[sweep.axes]\n{POINTS(', space = 1')}", 2, f"{POWER}.space", "the nearest is spacing"),
    "no points": (f'[sweep.axes]\n"{POWER}" = {{ from = "1 mW", to = "1 W" }}', 2, POWER, "must have points"),
    "one point": (f"[sweep.axes]\n{POINTS('')}".replace("= 4", "= 1"), 2, f"{POWER}.points", "at least 2"),
    "unknown spacing": (f"[sweep.axes]\n{POINTS(', spacing = 3')}", 2, f"{POWER}.spacing", '"linear" or "log"'),
    "log from 0": (
        f"[sweep.axes]\n{POINTS(', spacing = %s')}".replace("%s", '"log"').replace("1 mW", "0 W"),
        2,
        "spacing",
        '"linear" between',
    ),
    "one end twice": (f"[sweep.axes]\n{POINTS('')}".replace("1 mW", "1 W"), 2, POWER, "has 1 W twice"),
    "lengths": (f'[sweep.axes]\nboth = {{ "{POWER}" = ["1 W"], "{KAPPA}" = ["1 MHz", "2 MHz"] }}', 2, "both", "as many values of each"),
    "twice": (f'[sweep.axes]\n"{POWER}" = ["1 W"]\nx = {{ "{POWER}" = ["1 W"] }}', 1, "sweep.axes", "each parameter must be named once"),
    "an axis called sample": (f'[sweep.axes]\nsample = {{ "{POWER}" = ["1 W"] }}', 2, "axes.sample", "must not be sample"),
    "seed without samples": (f'[sweep]\nseed = 1\naxes."{POWER}" = ["1 W"]', 2, "sweep.seed", "must go with samples"),
    "boxes without samples": (f'[sweep]\naxes."{POWER}" = ["1 W"]\nboxes = {{}}', 3, "sweep.boxes", "must go with samples"),
    "no samples": ("[sweep]\nsamples = 0", 2, "sweep.samples", "at least 1"),
    "seed of no kind": ("[sweep]\nseed = true", 2, "sweep.seed", "a whole number"),
    "no boxes": ("[sweep]\nboxes = {}", 1, "sweep", "must have boxes"),
    "box reversed": (f'[sweep.boxes]\n"{POWER}" = ["1 W", "1 mW"]', 2, f"sweep.boxes.{POWER}", "low end below"),
    "unknown figure": ('[sweep]\nfigures = ["eficiency"]', 2, "sweep.figures", "the nearest is efficiency"),
    "no figure": ("[sweep]\nfigures = []", 2, "sweep.figures", "must be a list of names"),
    "figure twice": ('[sweep]\nfigures = ["efficiency", "efficiency"]', 2, "sweep.figures", "must name each once"),
    "gradients of no kind": ("[sweep]\ngradients = 1", 2, "sweep.gradients", "or true or false"),
    "unknown gradient": ('[sweep]\ngradients = ["device.lab.pump_pwr"]', 2, "sweep.gradients", f"the nearest is {POWER}"),
    "chunk": ("[sweep]\nchunk = 100", 2, "sweep.chunk", "a power of two"),
    "small chunk": ("[sweep]\nchunk = 4", 2, "sweep.chunk", "at least 8"),
    "memory": ('[sweep]\nmemory = "2 Gib"', 2, "sweep.memory", 'such as "2 GiB"'),
    "no memory": ('[sweep]\nmemory = "0 GiB"', 2, "sweep.memory", "above 0"),
    "resolution": ("[sweep]\nresolution = 1", 2, "sweep.resolution", "at least 2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_table_is_one_line(case, tmp_path):
    more, line, key, what = WRONG[case]
    with pytest.raises(WrongInput) as wrong:
        loaded(tmp_path, more)
    message = str(wrong.value)
    assert message.startswith(f"{tmp_path / 'link.toml'}:{LINES + line}: sweep") and "\n" not in message
    assert key in message.split(": ")[1] and what in message


def test_a_wrong_table_is_told_by_every_command(tmp_path, capsys):
    file = tmp_path / "link.toml"
    file.write_text(TEXT + "[sweep]\nfigure = 1", encoding="utf-8")
    for command in ("sweep", "evaluate", "optimise"):
        assert main([command, str(file), "--out", str(tmp_path / "out")]) == 2
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.count("\n") == 1 and "the nearest is figures" in shown.err
    assert not (tmp_path / "out").exists()


def test_what_a_table_says(tmp_path):
    """Ranges by their ends and their law, lists, parameters that vary together, and the units of all."""
    more = '[sweep]\nsamples = 5\nseed = 3\nmemory = "1.5 GiB"\ngradients = true\n[sweep.axes]\n'
    more += f'"{POWER}" = {{ from = "1 mW", to = "1 W", points = 4, spacing = "log" }}\n'
    more += f'"{LENGTH}" = {{ from = "3 km", to = "1 km", points = 3 }}\n'
    more += 'both = { "node.a.qubit.t1" = ["1 ms", "2 ms"], "node.b.qubit.t1" = { from = "2 ms", to = "3 ms", points = 2 } }\n'
    setting, asked = loaded(tmp_path, more)
    np.testing.assert_allclose(asked.axes[POWER], np.array([1, 10, 100, 1000]) * mW, rtol=1e-15)
    np.testing.assert_allclose(asked.axes[LENGTH], np.array([3, 2, 1]) * km, rtol=1e-15)
    np.testing.assert_allclose(asked.axes["both"]["node.b.qubit.t1"], np.array([2, 3]) * ms, rtol=1e-15)
    free = aims.load(setting).free
    assert (asked.axes["sample"].count, asked.axes["sample"].seed) == (5, 3)
    assert asked.axes["sample"].boxes == {path: box for path, box in free.items() if path != POWER}  # which is an axis
    assert asked.memory == 3 * 2**29 and asked.gradients[:2] == (POWER, LENGTH) and len(asked.gradients) == 4 + len(free) - 1
    assert list(asked.figures) == ["average_fidelity_heralded", "efficiency", "bandwidth_fwhm", "added_noise_input"]


def test_without_a_table_a_thousand_designs_in_the_boxes(tmp_path):
    setting, asked = loaded(tmp_path, "")
    assert asked.axes == {"sample": td.Sample(1000, 0, aims.load(setting).free)} and asked.gradients == ()


def test_the_answers_are_those_of_the_library(study, whole):
    """Each design by itself, uncompiled by any sweep: the link's figures, of the connection with these values."""
    setting = config.load(read(study))
    answer = json.loads((whole / "result.json").read_text(encoding="utf-8"))
    found = {name: np.load(whole / "sweep" / "figures" / f"{name}.npy") for name in answer["figures"]}
    gradient = np.load(whole / "sweep" / "gradients" / "efficiency.npy")
    powers, kappas = np.geomspace(1 * mW, 1.0, 7), np.array([1, 5, 50]) * MHz
    assert answer["designs"] == 21 and answer["shape"] == [7, 3] and gradient.shape == (21, 1)

    def device(flat: int) -> Any:
        return parameters.replace(setting.parts, {POWER: powers[flat // 3], KAPPA: kappas[flat % 3]})["device"]["lab"]

    for flat in (0, 10, 20):
        lab = device(flat)
        up, down = (lab.linear_system().conversion(*way) for way in (("microwave", "optical"), ("optical", "microwave")))
        passed = 10 ** -(0.05 + 0.02)  # 0.5 dB of the switch, 0.2 dB of the fibre
        wanted = float(up.power(0.0)) * float(down.power(0.0)) * passed
        np.testing.assert_allclose(found["efficiency"][flat], wanted, rtol=1e-9)
        np.testing.assert_allclose(found["up.added_noise_input"][flat], float(up.added_noise(0.0)), rtol=1e-9)
    best = answer["figures"]["efficiency"]["max"]
    flat = int(np.argmax(found["efficiency"]))
    assert best["place"] == [flat // 3, flat % 3] and best["value"] == found["efficiency"][flat]
    assert best["inputs"][KAPPA] == {"value": pytest.approx(to_hz(kappas[flat % 3]), rel=ALGEBRA), "unit": "Hz"}
    width = answer["figures"]["bandwidth_fwhm"]
    assert width["unit"] == "Hz" and width["min"]["value"] == pytest.approx(
        found["bandwidth_fwhm"].min() * width["array_times"], rel=ALGEBRA
    )
    assert width["array_times"] == pytest.approx(to_hz(1.0), rel=ALGEBRA) and answer["unstable"] == answer["unresolved"] == 0
    assert answer["axes"][KAPPA]["parameters"][KAPPA]["values"] == pytest.approx([1e6, 5e6, 50e6], rel=ALGEBRA)


def test_the_gradients_are_those_of_the_answers(study, whole):
    """Against JAX's through each device alone, on the carrier, and against central differences of what the sweep itself answers."""
    setting = config.load(read(study))
    asked = sweeping.load(setting, aims.load(setting))
    gradients = {name: np.load(whole / "sweep" / "gradients" / f"{name}.npy")[:, 0] for name in asked.figures}
    powers, kappas = np.geomspace(1 * mW, 1.0, 7), np.array([1, 5, 50]) * MHz
    assert np.all(np.isfinite(list(gradients.values())))

    def up_and_through(power: Any, kappa: Any) -> Any:
        lab = parameters.replace(setting.parts, {POWER: power, KAPPA: kappa})["device"]["lab"]
        up, down = (lab.linear_system().conversion(*way) for way in (("microwave", "optical"), ("optical", "microwave")))
        return jnp.stack([up.power(0.0) * down.power(0.0) * 10 ** -(0.05 + 0.02), up.added_noise(0.0)])

    slopes = jax.jit(jax.jacfwd(up_and_through))
    for flat in (0, 10, 20):
        found = [gradients[name][flat] for name in ("efficiency", "up.added_noise_input")]
        np.testing.assert_allclose(found, slopes(powers[flat // 3], kappas[flat % 3]), rtol=GRADIENT)
    step, flats = 1e-4, np.array([4, 10])
    rows = np.column_stack([np.outer([1 - step, 1 + step], powers[flats // 3]).ravel(), np.tile(kappas[flats % 3], 2)])
    with keeper(setting.source.text)("sweep"):
        program = sweeping.prepared(setting, asked, None).program
        answers = jax.device_get(program(np.resize(rows, (program.chunk, 2))))
    for name, gradient in gradients.items():
        low, high = answers[name][0][:4].reshape(2, 2)
        # the third derivative is of the order of the first over P^2, so the difference is off by step^2
        np.testing.assert_allclose((high - low) / (2 * step * powers[flats // 3]), gradient[flats], rtol=10 * step**2)


@pytest.mark.slow
def test_what_is_not_resolved_is_counted(tmp_path, capsys):
    """Against the number of samples that the library wants for each design, and against figures at more samples."""
    kappas, found = np.array([0.2, 5, 50]) * MHz, {}
    table = '[sweep]\nfigures = ["efficiency", "average_fidelity"]\nchunk = 8\nresolution = {}\n'
    table += '[sweep.axes]\n"device.lab.kappa_e_ext" = ["0.2 MHz", "5 MHz", "50 MHz"]\n'
    for resolution in (64, 464, 512):
        file, folder = tmp_path / f"{resolution}.toml", tmp_path / str(resolution)
        file.write_text(TEXT + table.format(resolution), encoding="utf-8")
        assert main(["sweep", str(file), "--out", str(folder)]) == 0
        said = capsys.readouterr().out
        answer = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        found[resolution] = {one.stem: np.load(one) for one in (folder / "sweep" / "figures").glob("*.npy")}
        assert (f"resolved in {answer['unresolved']} designs" in said) is (answer["unresolved"] > 0) and answer["unstable"] == 0
        setting = config.load(read(file))
        made = [setting.assemble(parameters.replace(setting.parts, {KAPPA: kappa})) for kappa in kappas]
        wanted = [float(samples_wanted(link.link().prepare().poles, transfer.photon)) for transfer, link in made]
        np.testing.assert_allclose(found[resolution]["samples_wanted"], wanted, rtol=1e-9)
        assert answer["unresolved"] == np.sum(np.array(wanted) > 1.1 * resolution) == {64: 3, 464: 2, 512: 0}[resolution]
    for rough, error in ((464, 1e-9), (64, 0.05)):
        np.testing.assert_allclose(found[rough]["average_fidelity"], found[512]["average_fidelity"], rtol=error)
        assert np.array_equal(found[rough]["efficiency"], found[512]["efficiency"])


def test_unresolved_designs_are_those_that_want_more_samples(tmp_path):
    """Of answers that are made up, as a photon's take long to compile: more by a tenth will do, and NaN is unstable instead."""
    setting, asked = loaded(tmp_path, '[sweep]\nfigures = ["average_fidelity"]\nresolution = 100\naxes."path.fibre.length" = ["1 km"]')
    wanted = np.array([50.0, 110.0, 110.1, np.nan, np.inf, 1e9])

    def made_up(parts: dict[str, Any]) -> dict[str, Any]:
        length = parameters.get(parts, LENGTH)
        return {"average_fidelity": 0.5 + 0 * length, "samples_wanted": jnp.asarray(wanted)[jnp.round(length / km).astype(int)]}

    found = td.sweep(made_up, setting.parts, {LENGTH: np.arange(6) * km})
    answer = swept.answer(setting, dataclasses.replace(asked, axes={LENGTH: np.arange(6) * km}), found, {})
    assert (answer["designs"], answer["unresolved"], answer["unstable"]) == (6, 3, 1)
    assert swept.lines(answer)[-1] == "the mode that the receiver absorbs is not resolved in 3 designs: raise [sweep] resolution"


def test_the_folder_of_a_run(study, whole, capsys):
    assert {path.name for path in whole.iterdir()} == {"config.toml", "config.resolved.json", "run.json", "result.json", "sweep"}
    run = json.loads((whole / "run.json").read_text(encoding="utf-8"))
    assert run["task"] == "sweep" and run["resumed"] == 0 and (whole / "config.toml").read_text(encoding="utf-8") == TEXT + QUICK
    resolved = json.loads((whole / "config.resolved.json").read_text(encoding="utf-8"))["sweep"]
    assert resolved["axes"][POWER]["count"] == 7 and resolved["gradients"] == [POWER]
    assert main(["resume", str(whole)]) == 0
    assert capsys.readouterr().err == f"transduce: {whole}: is finished; see {whole / 'result.json'}\n"
    assert main(["sweep", str(study), "--out", str(whole)]) == 2
    assert "holds a run" in capsys.readouterr().err


def test_an_estimate_writes_nothing(study, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", str(study), "--estimate", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["designs"], found["chunk"], found["bytes_results"]) == (21, 8, 21 * (3 * 2 * 8 + 1)) and found["seconds"] > 0
    assert shown.err.startswith("21 designs, 8 per call; results 1 KiB, working memory ") and shown.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_stopped_in_mid_run_and_resumed_to_the_same_bits(study, whole, tmp_path, monkeypatch, capsys):
    """As if on another processor, which is said."""
    folder, report = tmp_path / "a run", SweepProgress.report

    def deaf(self: SweepProgress, done: int, *rest: Any) -> None:
        if done == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        report(self, done, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(SweepProgress, "report", deaf)
        assert main(["sweep", str(study), "--out", str(folder)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.splitlines()[0].startswith("21 designs, 8 per call; results ")
    assert shown.err.splitlines()[-1] == f"transduce: stopped at design 8 of 21; go on with: transduce resume '{folder}'"
    assert not (folder / "result.json").exists() and not (folder / "lock").exists()
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(told | {"processor": "A"}), encoding="utf-8")
    seen: list[int] = []
    monkeypatch.setattr(SweepProgress, "report", lambda self, done, *rest: seen.append(done))
    assert main(["resume", str(folder), "--json"]) == 0
    shown = capsys.readouterr()
    answer, words = json.loads(shown.out), f"goes on on another processor, {told['processor']}, and was on A: its last digits may be others"
    assert shown.err.startswith(f"transduce: {folder}: {words}\n") and answer["run"]["processor"] == told["processor"]
    assert seen == [16, 21] and answer["run"]["resumed"] == 1 and same(folder, whole)


def test_a_file_that_was_changed_is_not_gone_on_with(whole, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "result.json").unlink()
    file = folder / "config.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("points = 7", "points = 8"), encoding="utf-8")
    assert main(["resume", str(folder)]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "holds another sweep: shape is [7, 3] and here [8, 3]; give another folder" in shown


def test_overwriting_begins_anew(study, whole, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    seen: list[int] = []
    monkeypatch.setattr(SweepProgress, "report", lambda self, done, *rest: seen.append(done))
    assert main(["sweep", str(study), "--out", str(folder), "--overwrite"]) == 0
    assert seen == [8, 16, 21] and same(folder, whole)
    assert "21 designs: " in (out := capsys.readouterr().out) and out.endswith(f"written to {folder}\n")


UNSTABLE = """
[device.lab]
kind = "electro-optic"
kappa_e_ext = "1 MHz"
kappa_e_int = "1 MHz"
kappa_o_ext = "1 MHz"
kappa_o_int = "1 MHz"
cooperativity = 0.1
stokes = true
g_s = "0.1 MHz"
kappa_s_ext = "1 MHz"
kappa_s_int = "1 MHz"
kappa_d = "1 MHz"

[node"""


def test_no_figure_of_an_unstable_design_is_a_number(tmp_path):
    """A stage's own efficiency and the device's pump too, which know nothing of stability."""
    text = TEXT.split("[device.lab]")[0] + UNSTABLE.lstrip() + TEXT.split("[node", 1)[1].split("[objective]")[0]
    more = '[sweep]\nfigures = ["efficiency", "fibre.efficiency"]\naxes."device.lab.g_s" = ["0.1 MHz", "3 MHz"]\n'
    setting, asked = loaded(tmp_path, more, text)
    found = sweeping.prepared(setting, asked, None).run()
    assert found.unstable == 1 and all(list(np.isnan(array)) == [False, True] for array in found.figures.values())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--distributed"], "--distributed: needs --out"),
        (["--coordinator", "localhost:1"], "--distributed: needs --out"),
        (["--out", "x", "--coordinator", "localhost:1"], "must be given together"),
        (["--out", "x", "--processes", "2"], "must be given together"),
        (["--out", "x", "--coordinator", "localhost:1", "--processes", "2", "--process", "2"], "below --processes 2, but is 2"),
    ],
)
def test_wrong_arguments(arguments, what, study, capsys):
    assert main(["sweep", str(study), *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and what in shown.err
