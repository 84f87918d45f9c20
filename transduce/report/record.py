"""The record of the field: what published devices reported, beside what the model recomputes from their data sheets.

A row is an entry as JSON: what its file says, ``complete``, ``lacks``, and ``recomputed``, a number and a unit by the keys of
``reported``. A recalled figure is no evidence: the table brackets it and the picture leaves it out.
"""

from typing import Any

from rich.table import Table

from .. import units
from ..devices.entry import FIGURES, Entry, figure, number
from .plots import BLUE, GREEN, LINE, PURPLE, VERMILION, _png
from .table import show

Json = dict[str, Any]
COLUMNS = {
    "efficiency": ("efficiency", "efficiency_internal", "efficiency_end_to_end"),
    "bandwidth": ("bandwidth_fwhm",),
    "added noise": ("added_noise_up", "added_noise", "added_noise_down"),
}
"""Column of the table -> the figures that may stand in it, best first."""
_MARKS = {"efficiency_internal": "int", "efficiency_end_to_end": "end", "added_noise_up": "up", "added_noise_down": "down"}
_FAMILIES = {
    "electro-optic": ("o", BLUE),
    "electro-optomechanical": ("s", VERMILION),
    "piezo-optomechanical": ("^", GREEN),
    "": ("D", PURPLE),
}
"""Kind -> marker and colour."""
_PLACES = (
    *((11, -3, "left"), (-11, -3, "right"), (6, 11, "left"), (-6, 11, "right")),
    *((6, -20, "left"), (-6, -20, "right"), (0, 16, "center"), (0, -24, "center")),
)
"""Where a name may stand beside its point (pixels)."""


def row(entry: Entry, capacity: bool = False) -> Json:
    """An entry as JSON; complete ones are recomputed (one compiled call for each operating point), their capacity where asked."""
    found: dict[str, float] = {}
    if entry.complete:
        from ..devices.recompute import capacities, recomputed

        found = recomputed(entry) | (capacities(entry) if capacity else {})
    stated = {key: units.canonical(value, FIGURES[figure(key)][0]) for key, value in found.items()}
    answer = {key: {"value": value, "unit": unit} for key, (value, unit) in stated.items()}
    return {**entry.model_dump(), "complete": entry.complete, "lacks": entry.lacks, "recomputed": answer}


def _reported(row: Json, key: str) -> tuple[Any, str]:
    """A reported figure in its canonical unit; text has none."""
    dimension, value = FIGURES[figure(key)][0], row["reported"][key]["value"]
    return (value, "") if dimension == "text" else units.canonical(float(number(value, dimension)), dimension)


def _text(value: Any, unit: str) -> str:
    return value if isinstance(value, str) else show(value, unit.removesuffix("1"), 3)


def _best(row: Json, column: str, at: str | None) -> str | None:
    """The key of the figure that stands in a column: of this operating point where there is one, then the best name, unsuffixed."""
    names = COLUMNS[column]
    known = [key for key in row["reported"] if figure(key) in names]

    def rank(key: str) -> tuple[bool, int, bool]:
        return at is not None and row["reported"][key]["at"] != at, names.index(figure(key)), key != figure(key)

    return min(known, key=rank, default=None)


def _cell(row: Json, column: str) -> str:
    """Reported / recomputed, with a star where the figure is of another operating point than the efficiency."""
    main = _best(row, "efficiency", None)
    at = None if main is None else row["reported"][main]["at"]
    key = (main if column == "efficiency" else _best(row, column, at)) or COLUMNS[column][0]
    star = "*" * (key in row["reported"] and at is not None and row["reported"][key]["at"] != at)
    said, again = "-", row["recomputed"].get(key)
    if key in row["reported"]:
        said = _text(*_reported(row, key))
        said = f"({said})" if row["reported"][key]["status"] == "recalled" else said
    both = f"{said} / {_text(again['value'], again['unit'])}" if again else said
    return f"{both} {_MARKS.get(figure(key), '')}".rstrip() + star if both != "-" else both


def table(rows: dict[str, Json]) -> Table:
    """All entries: reported / recomputed."""
    caption = (
        "reported / recomputed from the data sheet; in brackets: recalled, no evidence; *: of another operating point than the efficiency\n"
        "int: internal, end: qubit to click, up: microwave to optics, down: optics to microwave\n"
        f"{sum(row['complete'] for row in rows.values())} of {len(rows)} can be recomputed; "
        "transduce devices NAME says what another lacks"
    )
    answer = Table(title="Published devices", caption=caption, box=None, pad_edge=False, title_justify="left", caption_justify="left")
    answer.add_column("device", no_wrap=True)
    answer.add_column("platform", no_wrap=True, overflow="ellipsis", max_width=34)
    for column in (*COLUMNS, "year"):
        answer.add_column(column, justify="right", no_wrap=True)
    for name, row in rows.items():
        answer.add_row(name, row["platform"], *(_cell(row, column) for column in COLUMNS), str(row["year"] or "-"))
    return answer


def sheet(row: Json) -> str:
    """All that is known of one entry, as text."""
    links = [f"{key}:{row[name]}" for key, name in (("doi", "doi"), ("arXiv", "arxiv")) if row[name]]
    lines = [f"{row['name']}  ({row['kind'] or 'no class'})", *(f"    {row[key]}" for key in ("title", "platform"))]
    lines += ["    " + "  ".join([row["citation"], *links])]
    lines += [f"    {status}: from {where}" for status, where in row["source"].items()]
    lines += [f"    {row['note']}"] * bool(row["note"]) + [f"    It does not run: {row['lacks']}."] * bool(row["lacks"])
    points = {f"fields at {name!r}": point for name, point in row["points"].items() if point}
    for title, values in {"fields": row["fields"], **points}.items():
        lines += ["", title] * bool(values)
        for key, value in values.items():
            lines.append(f"    {key:30} {_text(value['value'], '1'):16} {value['status']:10} {value['note']}".rstrip())
    lines += ["", f"{'reported':34} {'':16} {'recomputed':16}"] * bool(row["reported"])
    for key, value in row["reported"].items():
        again = row["recomputed"].get(key)
        ours = _text(again["value"], again["unit"]) if again else "-"
        bound = [f"within {value['tolerance']:.0%}"] if value["tolerance"] else []
        words = "; ".join([*bound, *(value[part] for part in ("note", "reason") if value[part])])
        lines.append(f"    {key:30} {_text(value['value'], '1'):16} {ours:16} {value['status']:10} {words}".rstrip())
    rest = {key: value for key, value in row["recomputed"].items() if key not in row["reported"]}
    lines += ["", "what else the model says"] * bool(rest)
    return "\n".join([*lines, *(f"    {key:30} {'':16} {_text(value['value'], value['unit'])}" for key, value in rest.items())])


def best(device: Any, free: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Efficiency, bandwidth (Hz) and added noise of a device at its largest efficiency within boxes (path -> inside units)."""
    from ..design.maximise import maximise
    from ..devices.recompute import figures

    found = figures(maximise(lambda device: device.efficiency(), device, free, starts=8, steps=100).model)
    return {"efficiency": found["efficiency"], "bandwidth": units.to_hz(found["bandwidth_fwhm"]), "added noise": found["added_noise_up"]}


def _points(row: Json) -> list[dict[str, dict[str, float]]]:
    """Each operating point: {"reported": {column: value}, "recomputed": ...}. Only port-to-port efficiencies are drawn."""
    main = row["reported"]["efficiency"]["at"] if "efficiency" in row["reported"] else ""
    points: dict[str, dict[str, dict[str, float]]] = {main: {"reported": {}, "recomputed": {}}}
    for column, names in {**COLUMNS, "efficiency": ("efficiency",)}.items():
        for name in names:
            for key in [key for key, value in row["reported"].items() if figure(key) == name and value["status"] != "recalled"]:
                point = points.setdefault(row["reported"][key]["at"], {"reported": {}, "recomputed": {}})
                if column not in point["reported"]:
                    point["reported"][column] = float(_reported(row, key)[0])
                    if key in row["recomputed"]:
                        point["recomputed"][column] = row["recomputed"][key]["value"]
        if column not in points[main]["recomputed"] and column not in points[main]["reported"] and names[0] in row["recomputed"]:
            points[main]["recomputed"][column] = row["recomputed"][names[0]]["value"]
    return list(points.values())


def picture(rows: dict[str, Json], ours: dict[str, float]) -> bytes:
    """Bandwidth and added noise against efficiency: reported, recomputed, and an optimum of ours (PNG)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(11.5, 6.2))
    FigureCanvasAgg(canvas)
    canvas.subplots_adjust(left=0.07, right=0.985, top=0.95, bottom=0.29, wspace=0.2)
    for axes, column, label in zip(
        canvas.subplots(1, 2),
        ("bandwidth", "added noise"),
        ("bandwidth, full width at half maximum (Hz)", "added noise, referred to the input (photons)"),
        strict=True,
    ):
        labels = {name: place for name, row in rows.items() if (place := _draw(axes, row, column)) is not None}
        axes.plot(ours["efficiency"], ours[column], "*", color="black", markersize=15, linestyle="none")
        axes.set(xscale="log", yscale="log", xlabel="efficiency (photons out per photon in)", ylabel=label)
        axes.margins(0.12)
        axes.grid(alpha=0.25)
        _label(axes, labels, 1.0 if column == "added noise" else None)
    axes.axhline(1.0, color=LINE, linewidth=1.0, linestyle="--")
    axes.text(0.01, 0.96, "quantum-enabled below", transform=axes.get_yaxis_transform(), va="top", fontsize=8, color=LINE)
    _legend(canvas)
    return _png(canvas)


def _draw(axes: Any, row: Json, column: str) -> tuple[float, float] | None:
    """Draw the points of one entry; where its name belongs."""
    marker, colour = _FAMILIES.get(row["kind"], _FAMILIES[""])
    place = None
    for point in _points(row):
        drawn = {kind: (values["efficiency"], values[column]) for kind, values in point.items() if {"efficiency", column} <= set(values)}
        axes.plot(*zip(*drawn.values(), strict=True), "-", color=colour, linewidth=0.8) if len(drawn) == 2 else None
        for kind, at in drawn.items():
            size, face = (6, colour) if kind == "reported" else (9.5, "none")
            axes.plot(*at, marker, markersize=size, markerfacecolor=face, markeredgecolor=colour, linestyle="none")
            place = place or at
    return place


def _label(axes: Any, labels: dict[str, tuple[float, float]], line: float | None) -> None:
    """Names beside their points: each takes the first of eight places that is free of points, names and the line."""
    axes.figure.canvas.draw()
    frame = axes.get_window_extent()
    taken = [axes.transData.transform(xy).tolist() for line in axes.lines for xy in line.get_xydata()]
    boxes = [(x - 9, y - 9, x + 9, y + 9) for x, y in taken]
    if line is not None:
        height = axes.transData.transform((1.0, line))[1]
        boxes.append((frame.x0, height - 2, frame.x1, height + 2))
    for name, place in labels.items():
        x, y = axes.transData.transform(place)
        best = None
        for dx, dy, side in _PLACES:
            width, left = 6.4 * len(name), {"left": 0.0, "right": 1.0, "center": 0.5}[side]
            box = (x + dx - left * width, y + dy - 1, x + dx + (1 - left) * width, y + dy + 10)
            hits = sum(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes)
            hits += 5 * (box[0] < frame.x0 or box[2] > frame.x1)
            best = (hits, dx, dy, side, box) if best is None or hits < best[0] else best
        assert best is not None
        _, dx, dy, side, box = best
        boxes.append(box)
        scale = 72 / axes.figure.dpi
        axes.annotate(name, place, xytext=(dx * scale, dy * scale), textcoords="offset points", ha=side, fontsize=7)


def _legend(canvas: Any) -> None:
    from matplotlib.lines import Line2D

    def handle(marker: str, colour: str, filled: bool, label: str) -> Line2D:
        face = colour if filled else "none"
        return Line2D([], [], marker=marker, color=colour, markerfacecolor=face, markersize=8, linestyle="none", label=label)

    handles = [handle(*style, True, kind or "atoms, spins, magnons") for kind, style in _FAMILIES.items()]
    handles += [handle("o", LINE, True, "reported"), handle("o", LINE, False, "recomputed from the data sheet")]
    handles += [handle("*", "black", True, "ours: the bundled device at its largest efficiency in the study's boxes")]
    canvas.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.085), ncols=4, fontsize=8.5, frameon=False)
    caption = (
        "Reported figures as cited in transduce devices NAME, each point one operating point; recalled ones are left out. Noise is that of"
        " microwave to optics where the source\nsays so. Efficiencies are on the chip or of the set-up, pulsed or continuous, as the data"
        " sheets say, and not alike; membrane-example is an illustration."
    )
    canvas.text(0.02, 0.02, caption, fontsize=8, va="bottom")
