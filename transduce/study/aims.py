"""What a study is after: the objective, the targets, what is free and how it is searched; from the tables of its file."""

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx

from .. import parameters, units
from ..design.space import choose
from ..design.targets import Bound
from ..parameters import Parameter
from . import figures
from .config import Setting, is_number, quantity, scalars
from .protocols import TRANSFER
from .source import Place, near

_COUNTS = {"steps": 500, "starts": 32, "seed": 0, "chunk": 25, "batch": 256}
_BOUNDS = {size: Parameter(size, (0.0, math.inf), open_below=True) for size in ("number", "rate", "event rate", "time", "loss")}


@dataclasses.dataclass(frozen=True)
class Aims:
    """What is wanted, and how it is searched.

    Attributes:
        objective: name of the figure that is maximised.
        bounds: name of a figure -> its bound.
        free: path -> (low, high), inside units.
        tool: makes the Optax optimiser; None for the default. Its name and settings are in ``stated``.
        counts: steps, starts, seed, chunk, batch.
        stated: the optimiser's table, resolved.
        fidelity: the figure of the transfer that its budget by stage is of: the objective, where that is one of the qubit's.
    """

    objective: str
    bounds: dict[str, Bound]
    free: dict[str, tuple[float, float]]
    tool: Callable[[], Any] | None
    counts: dict[str, int]
    stated: dict[str, Any]
    fidelity: str


def load(setting: Setting) -> Aims:
    """The aims of a study, checked against its setting.

    Raises:
        WrongInput: one line, at the first thing that is wrong.
    """
    data = setting.source.data
    heralded = is_heralded(setting)
    known = known_figures(setting)
    tool, counts, stated = _optimiser(setting, data.get("optimiser", {}))
    objective = _objective(setting, data.get("objective", {}), known, heralded)
    own = setting.protocol == TRANSFER and objective in (*figures.FIDELITIES, "success_probability")
    bounds, free = _bounds(setting, data.get("targets", {}), known), read_boxes(setting, data.get("free", {}), ("free",))
    return Aims(objective, bounds, free, tool, counts, stated, objective if own else "average_fidelity")


def is_heralded(setting: Setting) -> bool:
    """Whether the encoding of the transfer has a herald."""
    return type(setting.encoding).__name__ != "SingleRail"


def known_figures(setting: Setting) -> dict[str, str]:
    """Name -> dimension of every figure of a study."""
    return figures.known(("up", *setting.parts["path"].names, "down"), is_heralded(setting), setting.protocol)


def read_figure(setting: Setting, name: Any, known: dict[str, str], place: Place) -> str:
    """The name of a figure of this study, checked."""
    if not isinstance(name, str) or name not in known:
        raise setting.source.wrong(place, f"must be a figure of this study, but is {name!r}; {near(name, known)}")
    _known_power(setting, name, place)
    return name


def _objective(setting: Setting, raw: Any, known: dict[str, str], heralded: bool) -> str:
    default = "average_fidelity_heralded" if heralded else "average_fidelity"
    if setting.protocol != TRANSFER:
        default = "fidelity"
    name = setting.source.table(("objective",), raw, ("maximise",)).get("maximise", default)
    return read_figure(setting, name, known, ("objective", "maximise"))


def _known_power(setting: Setting, name: str, place: Place) -> None:
    """A share of the refrigerator is a figure only of pumps whose power is known."""
    if name in figures.COLD:
        shares = eqx.filter_eval_shape(setting.refrigerator_shares, setting.parts)
        for stage, end in (("up", "a"), ("down", "b")):
            if shares[stage] is None and name in ("refrigerator_share", f"{stage}.refrigerator_share"):
                what = f"must be of pumps whose power is known, but device {setting.devices[end]} does not say it: state its power"
                raise setting.source.wrong(place, f"{what}, or its coupling per photon")


def _bounds(setting: Setting, raw: Any, known: dict[str, str]) -> dict[str, Bound]:
    source, bounds = setting.source, {}
    for name, sides in source.table(("targets",), raw).items():
        if name not in known:
            raise source.wrong(("targets", name), f"is no figure of this study; {near(name, known)}")
        place = ("targets", name)
        if not source.table(place, sides, ("min", "max")):
            raise source.wrong(place, "must have min or max, but has neither")
        _known_power(setting, name, place)
        ends = {side: quantity(source, (*place, side), value, _BOUNDS[known[name]]) for side, value in sides.items()}
        if ends.get("min", 0.0) > ends.get("max", math.inf):
            raise source.wrong(place, f"must have its min at most its max, but is {sides['min']!r} to {sides['max']!r}")
        bounds[name] = Bound(dimension=known[name], **ends)
    return bounds


def read_parameter(setting: Setting, path: str, place: Place) -> Parameter:
    """What is known of a parameter that varies, checked to be one of this study with an effect."""
    known = scalars(setting.parts)
    if path not in known:
        raise setting.source.wrong(place, f"is no parameter of this study; {near(path, known)}")
    if path.endswith(".temperature") and path.removesuffix("temperature") + "occupation" in known:
        raise setting.source.wrong(place, "must not be free where occupation is given: it has no effect")
    return known[path][0]


def read_boxes(setting: Setting, raw: Any, table: Place) -> dict[str, tuple[float, float]]:
    """The boxes of a table: path -> (low, high), inside units."""
    source, boxes = setting.source, {}
    for path, ends in source.table(table, raw).items():
        place = (*table, path)
        parameter = read_parameter(setting, path, place)
        if not isinstance(ends, list) or len(ends) != 2:
            raise source.wrong(place, f"must be [low, high], but is {ends!r}")
        low, high = (quantity(source, place, end, parameter) for end in ends)
        if not low < high:
            raise source.wrong(place, f"must have its low end below its high end, but is {ends[0]} to {ends[1]}")
        try:
            choose({path: (low, high)}, setting.parts)
        except ValueError as error:
            raise source.wrong(place, str(error).removeprefix(f"{path}: ")) from None
        boxes[path] = (low, high)
    return boxes


_ADAM = ("learning_rate", "b1", "b2", "eps")
"""Adam's settings, known here so that evaluating a file that names it does not wait for Optax to load."""


def _tools() -> dict[str, Any]:
    """The optimisers that Optax exports, by name."""
    import optax

    return {
        name: tool
        for name, tool in vars(optax).items()
        if inspect.isfunction(tool) and "learning_rate" in inspect.signature(tool).parameters
    }


def _optimiser(setting: Setting, raw: Any) -> tuple[Callable[[], Any] | None, dict[str, int], dict[str, Any]]:
    source = setting.source
    table = dict(source.table(("optimiser",), raw))
    counts = dict(_COUNTS)
    for name in _COUNTS:
        counts[name] = value = table.pop(name, _COUNTS[name])
        least, most = (0, 2**32 - 1) if name == "seed" else (1, 10**7)
        if type(value) is not int or not least <= value <= most:
            what = f"must be a whole number of at least {least} and at most {most}, but is {value!r}"
            raise source.wrong(("optimiser", name), what)
    if not table:
        return None, counts, {"name": "adam", "learning_rate": "0.1, halved seven times", **counts}
    name = table.pop("name", "adam")
    stated = {"name": name, **table, **counts}
    for key, value in table.items():
        if not (type(value) is bool or is_number(value)) or (key == "learning_rate" and value <= 0):
            raise source.wrong(("optimiser", key), f"must be a number, such as 0.1, but is {value!r}")
    if name == "adam" and "learning_rate" in table and set(table) <= set(_ADAM):
        return lambda: _tools()[name](**table), counts, stated
    tools = _tools()
    if not isinstance(name, str) or name not in tools:
        raise source.wrong(("optimiser", "name"), f"must be an optimiser of Optax, but is {name!r}; {near(name, tools)}")
    allowed = inspect.signature(tools[name]).parameters
    for key in table:
        if key not in allowed:
            raise source.wrong(("optimiser", key), f"is no setting of {name}; {near(key, ['name', *_COUNTS, *allowed])}")
    try:
        tool = tools[name](**table)
    except (TypeError, ValueError) as error:
        raise source.wrong(("optimiser",), f"does not fit {name}: {error}") from None
    return lambda: tool, counts, stated


def shown(bounds: dict[str, Bound]) -> dict[str, dict[str, Any]]:
    """Targets as JSON states them."""
    table: dict[str, dict[str, Any]] = {}
    for name, bound in bounds.items():
        ends = {side: getattr(bound, side) for side in ("min", "max")}
        table[name] = {side: None if end is None else units.canonical(end, bound.dimension)[0] for side, end in ends.items()}
        table[name]["unit"] = units.canonical(1.0, bound.dimension)[1]
    return table


def boxes(setting: Setting, free: dict[str, tuple[float, float]]) -> dict[str, dict[str, Any]]:
    """Boxes as JSON states them."""
    known = {path: parameter for path, parameter, _ in parameters.walk(setting.parts)}
    ends = {path: [units.canonical(end, known[path].dimension)[0] for end in box] for path, box in free.items()}
    return {path: {"bounds": ends[path], "unit": units.canonical(1.0, known[path].dimension)[1]} for path in free}
