"""Where does the field stand: how efficient, how wide and how noisy are published transducers, and does the model say the same of them?

Every entry of the library, as its authors reported it and, where its data sheet is complete, as the model recomputes it; beside them the
device of the bundled study at its largest efficiency within the study's boxes. ``table`` holds every reported figure that is recomputed.

Expected: each figure that has a tolerance lies within it; each that has a reason instead is shown with it. The devices below one photon of
added noise (quantum-enabled) are Sahu 2022, Warner 2025 and both settings of Zhao 2025, and none of them passes an efficiency of 0.15; the
efficient ones, the membranes, add more than one photon. (Of Warner's noise the direction is not known to us.) Ours, with nothing but the
study's boxes in its way, stands at 0.88 and 0.016: it is no device, and says where such boxes would lead. The efficiencies are not alike
(on the chip, of the set-up, pulsed, continuous).

Source: the citations in ``transduce/devices/library``, each value with its status; recalled ones are not drawn.
Run: ``python experiments/e06_record.py`` writes ``figures/e06_record.png`` and ``.json``.
"""

import pathlib
from typing import Any

from transduce import units
from transduce.devices.entry import FIGURES, Entry, entry, figure, library, number
from transduce.devices.recompute import recomputed
from transduce.report import record
from transduce.report.experiment import publish, verdict
from transduce.study import aims, config, source

FIGURE = pathlib.Path(__file__).parent.parent / "figures" / "e06_record.png"
DRAWN = {"reported": ("value", "status", "at"), "recomputed": ("value", "unit")}
"""What the picture needs of a figure."""


def rows() -> dict[str, dict[str, Any]]:
    """All entries, as far as the picture needs them."""
    answer = {}
    for name in library():
        full = record.row(entry(name))
        figures = {part: {key: {k: value[k] for k in kept} for key, value in full[part].items()} for part, kept in DRAWN.items()}
        answer[name] = {"kind": full["kind"], "year": full["year"], "citation": full["citation"]} | figures
    return answer


def compare(found: Entry) -> list[dict[str, Any]]:
    """Reported, ours, deviation, tolerance and reason: a row for each number of an entry that is both reported and recomputed."""
    answer, ours = [], recomputed(found)
    for key, said in found.reported.items():
        dimension = FIGURES[figure(key)][0]
        if key not in ours or said.status == "recalled":
            continue
        reported, unit = units.canonical(float(number(said.value, dimension)), dimension)
        value, _ = units.canonical(ours[key], dimension)
        off = value / reported - 1
        within = None if said.tolerance is None else abs(off) <= said.tolerance
        known = {"device": found.name, "name": key, "unit": unit, "status": said.status, "reported": reported, "ours": value}
        answer.append(known | {"relative_deviation": off, "tolerance": said.tolerance, "within": within, "reason": said.reason})
    return answer


def ours() -> dict[str, float]:
    """The bundled study's device at its largest efficiency within the study's boxes."""
    setting = config.load(source.read(None))
    (name, device), *_ = setting.parts["device"].items()
    prefix = f"device.{name}."
    boxes = aims.load(setting).free
    return record.best(device, {path.removeprefix(prefix): box for path, box in boxes.items() if path.startswith(prefix)})


def quantum_enabled() -> list[dict[str, Any]]:
    """Each reported point below one photon of added noise at the input: its device, efficiency and noise."""
    answer = []
    for name in library():
        reported = {key: value for key, value in entry(name).reported.items() if value.status != "recalled"}
        noises = {value.at: value for key, value in reversed(reported.items()) if figure(key) in ("added_noise", "added_noise_up")}
        efficiencies = {value.at: value for key, value in reversed(reported.items()) if figure(key) == "efficiency"}
        for at in noises.keys() & efficiencies.keys():
            if float(noises[at].value) < 1:
                point = {"efficiency": float(efficiencies[at].value), "added_noise": float(noises[at].value)}
                answer.append({"device": name, "at": at} | point)
    return sorted(answer, key=lambda point: point["efficiency"])


def compute() -> dict[str, Any]:
    """All numbers of the figure."""
    table = [row for name in library() for row in compare(entry(name))]
    return {"table": table, "quantum_enabled": quantum_enabled(), "ours": ours(), "rows": rows()}


def draw(numbers: dict[str, Any], path: pathlib.Path) -> None:
    """The figure: bandwidth and added noise against efficiency."""
    path.write_bytes(record.picture(numbers["rows"], numbers["ours"]))


def main() -> None:
    """Compute, write the JSON and the figure, print the table."""
    numbers = publish(compute(), FIGURE, draw)
    for row in numbers["table"]:
        print(f"{row['device']:18}{row['name']:26}{verdict(row, row['reason'] or 'no tolerance stated')}")
    for point in numbers["quantum_enabled"]:
        print(f"below one photon: {point['device']:18}efficiency {point['efficiency']:<8.3g}added noise {point['added_noise']:.3g}")
    print("ours: " + ", ".join(f"{name} {value:.3g}" for name, value in numbers["ours"].items()))


if __name__ == "__main__":
    main()
