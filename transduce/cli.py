"""The command line: parses, calls the study, prints. What needs JAX or pictures is imported where it is used.

Exit 0: done. 1: the run failed, was stopped or lost one of its processes. 2: the input is wrong, in one line. With --json, standard
output is one JSON object; words go to standard error.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Annotated, Any

import typer

from . import __version__
from .study.signals import Stopped
from .study.source import WrongInput, near, read

app = typer.Typer(
    name="transduce",
    help="Microwave-optical quantum links: from device parameters to the qubit channel, what limits it, and better designs.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_typed = ContextVar("whether the command is the process's own, rather than arguments of main", default=False)

File = Annotated[pathlib.Path | None, typer.Argument(metavar="[FILE]", help="A study in TOML; the bundled connection where there is none.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]


def _folder(name: str) -> pathlib.Path:
    if not name or "\0" in name:
        raise typer.BadParameter(f"must be a folder's name, but is {name!r}")
    return pathlib.Path(name)


Out = Annotated[pathlib.Path | None, typer.Option("--out", metavar="DIR", parser=_folder, help="The run's folder.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write into a folder that holds a run already.")]
Distributed = Annotated[bool, typer.Option("--distributed", help="One of several processes, as the launcher (Slurm, MPI, ...) tells.")]
Coordinator = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Of the first process, where no launcher tells.")]
Processes = Annotated[int | None, typer.Option(metavar="N", help="How many processes, with --coordinator.")]
Process = Annotated[int | None, typer.Option(metavar="K", help="Which one this is, from 0, with --coordinator.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"transduce {__version__}")
        raise typer.Exit


@app.callback()
def _main(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    pass


def _load(file: pathlib.Path | None) -> Any:
    """The study of a file: its source, setting and aims. What needs no JAX is checked before JAX is there."""
    source = read(file)
    _prepare()
    from .shelf import ahead, cache_folder

    if _typed.get():
        ahead(cache_folder(), f"{sys.argv[1:2]} {re.sub('[0-9]', '', source.text)}")  # what such a file's run used, meanwhile
    from .study import aims, config

    setting = config.load(source)
    wanted = aims.load(setting)
    if "sweep" in source.data:
        from .study import sweeping

        sweeping.load(setting, wanted)
    return source, setting, wanted


def _prepare() -> None:
    """JAX in float64, or no JAX."""
    if os.environ.get("JAX_ENABLE_X64", "1").lower() in ("0", "false", "no", "off"):
        raise WrongInput("JAX_ENABLE_X64: must be unset or 1, as transduce computes in float64, but is off")


def _keeping(setting: Any, aims: Any) -> Callable[..., Any]:
    """``keeper`` of a study's programs, whatever its numbers."""
    from .study.keeping import keeper
    from .study.structure import structure

    return keeper(structure(setting, aims))


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 140)


@app.command()
def evaluate(file: File = None, as_json: AsJson = False, out: Out = None, overwrite: Overwrite = False) -> None:
    """What a link does to a qubit, what limits it, and what it hangs on."""
    source, setting, aims = _load(file)
    from .study.evaluate import Evaluation
    from .study.record import Folder, dumps, now, provenance
    from .study.resolved import resolved

    with contextlib.nullcontext() if out is None else Folder(out, overwrite) as folder:
        begun, evaluation = now(), Evaluation(setting, aims)
        with _keeping(setting, aims)():
            answer = evaluation(setting.parts)
        if folder is not None:
            folder.text("config.toml", source.text)
            folder.text("config.resolved.json", dumps(resolved(setting, aims, setting.parts)))
            times = {"samples": evaluation.samples, "started": begun, "finished": now()}
            folder.text("run.json", dumps(provenance(source, None) | times))
            folder.text("result.json", dumps(answer))
    if as_json:
        sys.stdout.write(dumps(answer))
    else:
        from .report.table import evaluation as show

        show(_console(), source.stem, answer)


@app.command()
def plan(file: File = None, as_json: AsJson = False) -> None:
    """How many such links two fault-tolerant computers would need per seam, and what the link lacks."""
    source, setting, aims = _load(file)
    from .protocols.planner import table
    from .study.evaluate import Evaluation
    from .study.network import planned, plans
    from .study.record import dumps

    evaluation = Evaluation(setting, aims)
    with _keeping(setting, aims)():
        answer = evaluation(setting.parts)
    try:
        found = plans(answer)
    except ValueError as error:
        raise WrongInput(f"{source.name}: must make pairs by some protocol, but {error}") from None
    sys.stdout.write(dumps([planned(one) for one in found]) if as_json else f"{source.stem}\n{table(found)}\n")


@app.command()
def export(file: File = None, out: Out = None, overwrite: Overwrite = False) -> None:
    """Every protocol's pairs as JSON for network simulators; Choi, Kraus and Pauli-transfer matrices of a transfer."""
    source, setting, _ = _load(file)
    from .study.network import exports
    from .study.record import Folder

    with Folder.new(f"{source.stem}-export", out, overwrite) as folder, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for name, content in exports(setting):
            if isinstance(content, str):
                folder.text(name, content)
            else:
                folder.arrays(name, **content)
    for words in {str(one.message) for one in told if issubclass(one.category, UserWarning)}:
        print(f"transduce: {words}", file=sys.stderr)
    print(f"written to {folder.path}")


@app.command()
def clocks(
    file: File = None,
    fidelity: Annotated[float, typer.Option("--fidelity", metavar="F", help="Of a pair; above 0 and at most 1.")] = 0.9,
    as_json: AsJson = False,
) -> None:
    """The synchronisation, in seconds, that a fidelity asks for: of every protocol, envelope and carrier apart."""
    if not 0 < fidelity <= 1:
        raise WrongInput(f"--fidelity: must be above 0 and at most 1, but is {fidelity}")
    _, setting, aims = _load(file)
    from .report.table import clocks as show
    from .study.network import needed
    from .study.record import dumps

    with _keeping(setting, aims)("clocks"):
        answer = needed(setting, fidelity)
    if as_json:
        sys.stdout.write(dumps(answer))
    else:
        _console().print(show(answer, fidelity), highlight=False)


@app.command()
def optimise(file: File = None, as_json: AsJson = False, out: Out = None, overwrite: Overwrite = False) -> None:
    """A better design within the file's boxes and against its targets; writes a run folder."""
    source, setting, aims = _load(file)
    from .study.record import Folder

    with Folder.new(source.stem, out, overwrite) as folder:
        _optimise(setting, aims, folder, as_json)


def _optimise(setting: Any, aims: Any, folder: Any, as_json: bool, force: bool = False) -> None:
    """Begin a run in its folder or go on with it."""
    from .study.record import dumps
    from .study.runs import optimised

    answer = optimised(setting, aims, folder, _keeping(setting, aims), force)
    if as_json:
        sys.stdout.write(dumps(answer))
    else:
        from .report.table import optimum as show

        show(_console(), setting.source.stem, answer)
        print(f"\nwritten to {folder.path}; every way at this optimum: transduce evaluate {folder.path / 'optimum.toml'}")


@app.command()
def sweep(
    file: File = None,
    as_json: AsJson = False,
    out: Out = None,
    overwrite: Overwrite = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say how much memory and time it takes, and stop.")] = False,
    distributed: Distributed = False,
    coordinator: Coordinator = None,
    processes: Processes = None,
    process: Process = None,
) -> None:
    """Figures, and their gradients, of the many designs of the file's [sweep]; writes a run folder."""
    read(file)  # before all processes meet
    from .study.processes import folder_of, join

    several = distributed or coordinator is not None
    if several and (out is None or estimate):
        raise WrongInput("--distributed: needs --out, a folder that all processes see, and does not go with --estimate")
    join(distributed, coordinator, processes, process)
    source, setting, aims = _load(file)
    from .study import sweeping, swept
    from .study.keeping import keeper
    from .study.record import Folder, dumps

    if estimate:
        with keeper(source.text, jax_too=True)("sweep"):
            found = sweeping.prepared(setting, sweeping.load(setting, aims), None).estimate()
        print(swept.estimated(found), file=sys.stderr)
        sys.stdout.write(dumps(found._asdict()) if as_json else "")
        return

    def make() -> Folder:
        made = Folder.new(source.stem, out, overwrite)
        shutil.rmtree(made.path / swept.ARRAYS, ignore_errors=True)
        return made

    with folder_of(make) as folder:
        _sweep(setting, aims, folder, out, as_json)


def _sweep(setting: Any, aims: Any, folder: Any, path: Any, as_json: bool) -> None:
    """Begin a sweep in its folder or go on with it; without one this is not the first process, which speaks."""
    from .study.keeping import keeper
    from .study.record import dumps
    from .study.runs import swept
    from .study.swept import lines

    place = path if folder is None else folder.path
    answer = swept(setting, aims, place, folder, keeper(setting.source.text, jax_too=True))
    if folder is not None:
        sys.stdout.write(dumps(answer) if as_json else "\n".join([*lines(answer), f"\nwritten to {place}\n"]))


@app.command()
def resume(
    directory: Annotated[pathlib.Path, typer.Argument(metavar="DIR", parser=_folder, help="The run's folder.")],
    as_json: AsJson = False,
    force: Annotated[bool, typer.Option("--force", help="Go on with other versions or on another device, to other last digits.")] = False,
    distributed: Distributed = False,
    coordinator: Coordinator = None,
    processes: Processes = None,
    process: Process = None,
) -> None:
    """Go on with a run that was stopped or killed, to the same bits as if it never had been."""
    file, result = directory / "config.toml", directory / "result.json"
    if not file.is_file():
        raise WrongInput(f"{directory}: must be a run's folder, with config.toml, but is none")
    if result.is_file():
        print(f"transduce: {directory}: is finished; see {result}", file=sys.stderr)
        sys.stdout.write(result.read_text(encoding="utf-8") if as_json else "")
        return
    from .study.processes import folder_of, join

    join(distributed, coordinator, processes, process)
    _, setting, aims = _load(file)
    from .study.record import Folder

    with folder_of(lambda: Folder(directory, overwrite=False, begun=True)) as folder:
        told = {"task": "sweep", "config": file} if folder is None else folder.told("run.json")
        if (task := told.get("task")) not in ("optimise", "sweep"):
            raise WrongInput(f"{directory}: must hold an optimisation or a sweep, but holds {task or 'something else'}")
        setting = dataclasses.replace(setting, source=dataclasses.replace(setting.source, name=str(told["config"])))  # as figures name it
        if task == "sweep":
            _sweep(setting, aims, folder, directory, as_json)
        else:
            _optimise(setting, aims, folder, as_json, force)


@app.command()
def devices(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="An entry of the library; without it, all are listed.")] = None,
    as_json: AsJson = False,
    plot: Annotated[pathlib.Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw the record of the field.")] = None,
    as_schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of an entry's file, and nothing else.")] = False,
) -> None:
    """The library of published devices: reported figures beside those recomputed from the data sheets."""
    from .devices import entry
    from .report import record
    from .study.installation import catalogued
    from .study.keeping import keeper
    from .study.record import dumps

    known = entry.library()
    if name is not None and name not in known:
        raise WrongInput(f"{name}: is no device of the library; {near(name.lower(), known)}")
    if plot is not None and (plot.suffix != ".png" or name is not None):
        raise WrongInput(f"--plot: must be a file FILE.png, of all devices, but is {plot}{' of one device' * (name is not None)}")
    if plot is not None and (plot.is_dir() or not plot.parent.is_dir() or not os.access(plot.parent, os.W_OK)):
        raise WrongInput(f"--plot: must be a file in a folder that can be written, but is {plot}")
    if as_schema:
        sys.stdout.write(dumps(entry.schema()))
        return
    _prepare()
    entries, wrong = catalogued(known if name is None else (name,), listed=name is None)
    if name is not None and wrong:
        raise WrongInput(wrong[0])
    with keeper("devices")() if any(one.complete for one in entries.values()) else contextlib.nullcontext():
        rows = {one: record.row(found, capacity=name is not None) for one, found in entries.items()}
    if plot is not None:
        plot.write_bytes(record.picture(rows, _ours()))
    if as_json:
        sys.stdout.write(dumps(rows if name is None else rows[name]))
    elif name is None:
        _console().print(record.table(rows), highlight=False)
    else:
        print(record.sheet(rows[name]))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        raise typer.Exit(2)


def _ours() -> dict[str, float]:
    """The bundled study's device, at its largest efficiency within the study's boxes."""
    from .report.record import best

    _, setting, aims = _load(None)
    name, device = next(iter(setting.parts["device"].items()))
    prefix = f"device.{name}."
    return best(device, {path.removeprefix(prefix): box for path, box in aims.free.items() if path.startswith(prefix)})


@app.command()
def doctor(as_json: AsJson = False, timed: Annotated[bool, typer.Option("--time", help="Time evaluate and optimise too.")] = False) -> None:
    """Versions, devices, precision, the compilation cache, and one number that is known in closed form."""
    _prepare()
    from .shelf import cache_folder
    from .study.installation import facts
    from .study.record import dumps

    answer = facts(cache_folder(), timed)
    rows = {key: ", ".join(f"{k} {v}" for k, v in one.items()) if isinstance(one, dict) else one for key, one in answer.items()}
    sys.stdout.write(dumps(answer) if as_json else "".join(f"{key:18} {value}\n" for key, value in rows.items()))
    if not answer["well"]:
        raise typer.Exit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    usage_error: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
    _typed.set(arguments is None)
    try:
        status = int(app(args=None if arguments is None else list(arguments), prog_name="transduce", standalone_mode=False) or 0)
        if arguments is None and "jax" in sys.modules and not sys.modules["jax"].distributed.is_initialized():
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(status)  # taking compiled programs apart would be a tenth of the run
        return status
    except WrongInput as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"transduce: the run failed: {'; '.join([str(error), *getattr(error, '__notes__', ())])}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print(f"transduce: {stopped}", file=sys.stderr, flush=True)
        if arguments is None:
            os._exit(1)  # without waiting for threads that still compile
        return 1
    except (typer.Abort, KeyboardInterrupt):
        print("transduce: stopped", file=sys.stderr)
        return 1
    except usage_error as error:
        words = " ".join(error.format_message().split())
        print(f"transduce: {words or 'a command is missing; see transduce --help'}", file=sys.stderr)
        return 2
