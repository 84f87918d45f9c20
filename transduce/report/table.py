"""Results as tables for people: what the link does to a qubit, beside the lines that give each number its meaning.

Reference lines: average fidelity 2/3 (the best without any quantum channel), entanglement fidelity 1/2 (a Bell pair is left), efficiency
1/2 (quantum capacity of a pure loss), added noise 1 photon.
"""

from typing import Any

from rich.console import Console
from rich.table import Table

Json = dict[str, Any]
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))
_MISSING = "-"


def show(value: Any, unit: str = "", digits: int = 4) -> str:
    """A number with its unit's prefix: 9.346 MHz."""
    if value is None:
        return _MISSING
    if unit not in ("Hz", "W", "K", "s", "m") or not value:
        return f"{value:.{digits}g} {unit}".rstrip()
    size, prefix = next(((size, prefix) for size, prefix in _PREFIXES if abs(value) >= size), _PREFIXES[-1])
    return f"{value / size:.{digits}g} {prefix}{unit}"


def _rows(result: Json) -> list[tuple[str, Any, str, str]]:
    """(name, value, unit, reference line)."""
    link, packet, transfer = result["link"], result["packet"], result["transfer"]
    heralded = [
        ("average fidelity, heralded", transfer["average_fidelity_heralded"], "", "2/3 classical; read with the next line"),
        ("success probability", transfer["success_probability"], "", ""),
        ("entanglement fidelity, heralded", transfer["entanglement_fidelity_heralded"], "", "1/2 Bell pair"),
    ]
    return [
        ("efficiency", link["efficiency"], "", "1/2 quantum capacity"),
        ("efficiency, internal", link["efficiency_internal"], "", "1"),
        ("bandwidth, FWHM", link["bandwidth_fwhm_hz"], "Hz", ""),
        ("added noise, input", link["added_noise_input"], "", "1 photon"),
        ("efficiency of the photon", packet["efficiency"], "", "1/2 quantum capacity"),
        ("noise in the photon's mode, output", packet["noise_output"], "", ""),
        *(heralded if transfer["success_probability"] is not None else []),
        ("average fidelity", transfer["average_fidelity"], "", "2/3 classical"),
        ("entanglement fidelity", transfer["entanglement_fidelity"], "", "1/2 Bell pair"),
        ("photon length", packet["photon_length_s"], "s", ""),
        ("latency", transfer["latency_s"], "s", ""),
        ("rate", transfer["rate_per_s"], "/s", ""),
    ]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def heading(result: Json) -> str:
    """How many of the inputs are assumed."""
    statuses = [row["status"] for row in result["inputs"].values()]
    counts = {name: statuses.count(name) for name in ("assumed", "recalled", "default")}
    return (
        f"{counts['assumed']} of {len(statuses)} inputs are assumed, {counts['recalled']} recalled, "
        f"{counts['default']} are defaults that the file does not state"
    )


def performance(results: dict[str, Json]) -> Table:
    """The figures, one column per result ("" or "before", "after")."""
    table = _table("What the link does", "", *results, "reference line")
    table.columns[-1].justify = "left"
    columns = [_rows(result) for result in results.values()]
    for row in zip(*columns, strict=True):
        table.add_row(row[0][0], *(show(value, unit) for _, value, unit, _ in row), row[0][3])
    return table


def protocols(results: dict[str, Json]) -> Table:
    """Each evaluated protocol's pairs, raw and distilled; of several results the last."""
    when, result = list(results.items())[-1]
    columns = ("fidelity", "success", "pairs", "of the limit by", "ebits", "fidelity, distilled", "pairs, distilled")
    title = "Ways to entangle the two qubits: pairs and distillable ebits per second" + (f", {when}" if len(results) > 1 else "")
    table = _table(title, "protocol", *columns)
    for name, one in result["protocols"].items():
        named = f"{name} *" if name == result["objective"]["protocol"] else name
        if one["why"] is not None:
            table.add_row(named, *[_MISSING] * len(columns))
            continue
        after = one["distilled"]
        fractions = {key: value for key, value in one["fraction_of_limit"].items() if value is not None}
        limit = max(fractions, key=lambda key: fractions[key])
        bound = f"{show(fractions[limit], digits=2)} {limit.replace('_', ' ')}"
        raw = show(one["fidelity"]), show(one["success_probability"]), _each_second(one["rate_per_s"]), bound
        table.add_row(named, *raw, _each_second(one["ebit_rate_per_s"]), show(after["fidelity"]), _each_second(after["rate_per_s"]))
    return table


def _each_second(rate: Any) -> str:
    return _MISSING if rate is None else f"{show(rate)} /s"


def limits(result: Json) -> Table:
    """What limits a protocol and its distilled pairs, cause by cause."""
    columns = "cause", "fidelity", "rate", "distilled F", "rate"
    table, own = _table(f"What limits {result['objective']['protocol']}: without one cause", *columns), result["limits"]
    for name, one in own["distilled"]["causes"].items():
        cells: list[str] = []
        for gain in (own["causes"].get(name), one):
            cells += ["", ""] if gain is None else [_gained(gain["fidelity_gain_if_ideal"]), f"x {show(gain['rate_factor_if_ideal'])}"]
        table.add_row(name, *cells)
    table.add_row("remainder", _gained(own["remainder"]), "", _gained(own["distilled"]["remainder"]))
    return table


def _gained(value: Any) -> str:
    return _MISSING if value is None else f"{value:+.3g}"


def clocks(answer: Json, fidelity: float) -> Table:
    """What a fidelity asks of the clocks."""
    table = _table(f"Clock errors that leave a fidelity of {fidelity:g}", "protocol", "envelope, rms", "envelope, fixed", "carrier, rms")
    for name, one in answer.items():
        errors = (one[f"{which}_s"] for which in ("timing_jitter", "timing_offset", "clock_jitter"))
        table.add_row(name, *("any" if error is None and one["reached"] else show(error, "s") for error in errors))
    return table


def missing(result: Json) -> list[str]:
    """Why protocols have no figures."""
    return [f"{name} {one['why']}" for name, one in result["protocols"].items() if one["why"] is not None]


def stages(results: dict[str, Json]) -> Table:
    """The budget, three columns per result."""
    several = len(results) > 1
    columns = [f"{name} {column}" if several else column for name in results for column in ("dB", "noise in", "gain if ideal")]
    table = _table("What limits it: loss, noise referred to the input, fidelity gained by an ideal stage", "stage", *columns)
    for row in zip(*(result["stages"] for result in results.values()), strict=True):
        cells: list[str] = []
        for one in row:
            cells += [show(one["transmission_db"]), show(one["noise_input"]), show(one["fidelity_gain_if_ideal"], digits=3)]
        table.add_row(row[0]["name"], *cells)
    rest = [cell for result in results.values() for cell in ("", "", show(result["remainder"], digits=3))]
    table.add_row("remainder", *rest)
    return table


def devices(results: dict[str, Json]) -> Table:
    """Operating points: cooperativities, pumps, baths, stability."""
    table = _table("Devices", "", *results)
    for rows in zip(*(_device_rows(result) for result in results.values()), strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    return table


def _device_rows(result: Json) -> list[tuple[str, str]]:
    rows = []
    for name, device in result["devices"].items():
        rows.append((name, device["kind"]))
        rows += [(f"  cooperativity {pair}", show(value)) for pair, value in device["cooperativities"].items()]
        for mode, pump in device["pumps"].items():
            rows += [(f"  {mode} pump", show(pump["power_w"], "W")), (f"  {mode} pump photons", show(pump["photons"]))]
        for port, bath in device["baths"].items():
            rows.append((f"  bath {port}", f"{show(bath['occupation'], digits=3)} ({show(bath['temperature_k'], 'K', 3)})"))
        rows.append(("  stability margin", show(device["stability_margin_hz"], "Hz")))
    return rows


def elasticities(result: Json, most: int = 8) -> Table:
    """The parameters that the objective hangs on most, by d ln / d ln."""
    table = _table(f"What moves {result['objective']['name']}: % per %", "parameter", "elasticity", "value", "status")
    units = result["elasticity_units"]
    relative = {path: value for path, value in result["elasticities"].items() if value and units[path] == "1"}
    for path in sorted(relative, key=lambda path: -abs(relative[path]))[:most]:
        row = result["inputs"][path]
        value = show(row["value"], row["unit"].removesuffix("1"))
        table.add_row(path, f"{relative[path]:+.3g}", value, row["status"])
    return table


def evaluation(console: Console, name: str, result: Json) -> None:
    """One result."""
    _print(console, name, {"value": result}, elasticities(result))


def optimum(console: Console, name: str, result: Json) -> None:
    """Before and after, targets, free parameters."""
    _print(console, name, {"before": result["before"], "after": result["after"]}, elasticities(result["after"]))
    console.print()
    targets = _table("Targets", "", "bound", "value", "met", "active")
    for row in result["targets"]:
        sign = ">=" if row["kind"] == "min" else "<="
        prefix = "" if row["unit"] == "1" else row["unit"]
        flags = ("yes" if row[flag] else "no" for flag in ("met", "active"))
        targets.add_row(row["name"], f"{sign} {show(row['bound'], prefix)}", show(row["value"], prefix), *flags)
    free = _table("Free parameters", "", "before", "after", "box", "at bound")
    for path, row in result["free"].items():
        prefix = "" if row["unit"] == "1" else row["unit"]
        box = " to ".join(show(end, prefix) for end in row["bounds"])
        free.add_row(path, show(row["before"], prefix), show(row["after"], prefix), box, row["at_bound"] or _MISSING)
    for table in (targets, free) if result["targets"] else (free,):
        console.print(table)
        console.print()
    starts = result["starts"]
    console.print(f"{starts['agreement']} of {starts['count']} starts agree to 1e-4, after {starts['steps']} steps", highlight=False)
    console.print(f"[bold]{result['result']['message']}[/bold]", highlight=False)


def _print(console: Console, name: str, results: dict[str, Json], last: Table) -> None:
    first = next(iter(results.values()))
    console.print(f"[bold]{name}[/bold]: {first['transfer']['encoding']} transfer; {heading(first)}", highlight=False)
    heralded = [limits(result) for result in list(results.values())[-1:] if result["limits"] is not None]
    for table in (performance(results), protocols(results), stages(results), *heralded, devices(results), last):
        console.print()
        console.print(table, highlight=False)
    for line in missing(results[list(results)[-1]]):
        console.print(f"\n{line}", highlight=False)
    console.print(f"\nmodel: {first['model']}", highlight=False)
