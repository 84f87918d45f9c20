"""What an experiment leaves behind: the numbers of its figure to nine digits beside it, a caption with the source, and a table of verdicts.

A row of the table holds ``name``, ``reported``, ``ours``, ``relative_deviation``, ``tolerance`` (None: known not to agree) and ``within``.
"""

import json
import pathlib
from collections.abc import Callable
from typing import Any


def publish(numbers: dict[str, Any], figure: pathlib.Path, draw: Callable[[dict[str, Any], pathlib.Path], None]) -> dict[str, Any]:
    """Write the numbers, rounded to nine digits, beside the figure, and draw it from them; gives what was written."""
    rounded: dict[str, Any] = json.loads(json.dumps(numbers), parse_float=lambda text: float(f"{float(text):.9g}"))
    figure.with_suffix(".json").write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    draw(rounded, figure)
    return rounded


def captioned(figure: Any, caption: str, path: pathlib.Path, dpi: int = 160) -> None:
    """Save a Matplotlib figure with its caption below, at the left; the same bytes from the same numbers."""
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=8)
    figure.savefig(path, dpi=dpi, metadata={"Software": None})


def verdict(row: dict[str, Any], otherwise: str = "not reproduced") -> str:
    """Reported, ours, how far off, the tolerance, and whether ours is within it; ``otherwise`` where there is none."""
    word = otherwise if row["within"] is None else "within" if row["within"] else "OUTSIDE"
    bound = "" if row["tolerance"] is None else f"{row['tolerance']:.0%}"
    return f"{row['reported']:>12.5g}{row['ours']:>12.5g}{row['relative_deviation']:>+9.1%}{bound:>6}  {word}"
