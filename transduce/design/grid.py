"""What a sweep answers: arrays with named axes, in memory or mapped from a folder."""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import parameters, units
from .axes import Designs

_BLOCK = 2**16


class Best(NamedTuple):
    """One design of a sweep.

    Attributes:
        place: of the design along each axis.
        parameters: path -> value, inside units.
        figures: name -> value.
        model: with these values.
    """

    place: tuple[int, ...]
    parameters: dict[str, float]
    figures: dict[str, float]
    model: Any


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Figures over designs; ``sweep["fidelity"]`` has one axis for each of ``sweep.axes``, in their order.

    Attributes:
        designs: of the sweep.
        model: that they are variations of.
        figures: name -> array.
        gradients: name -> path -> array, per inside unit (rad/s, W, K, ...); NaN where the figure is.
        stable: where no figure is NaN: an unstable device reads NaN.
        chunk: designs per call.
        single_error: of a sweep in single precision, the largest relative error found on its sample; None of one in double.
    """

    designs: Designs
    model: Any
    figures: dict[str, np.ndarray]
    gradients: dict[str, dict[str, np.ndarray]]
    stable: np.ndarray
    chunk: int
    single_error: float | None = None

    @property
    def axes(self) -> dict[str, dict[str, np.ndarray]]:
        """Name of each axis -> path -> the values along it, inside units."""
        found = {}
        for one in self.designs.dimensions:
            values = one.at(np.arange(one.count))
            found[one.name] = {path: values[:, place] for place, path in enumerate(one.space.paths)}
        return found

    @property
    def unstable(self) -> int:
        """How many designs have a figure that is NaN."""
        return sum(int(np.count_nonzero(~block)) for _, block in _blocks(self.stable))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.figures[name]

    def at(self, *index: int) -> Best:
        """The design at these places along the axes."""
        flat = int(np.ravel_multi_index(index, self.designs.shape))
        values = dict(zip(self.designs.paths, map(float, self.designs.at(np.array([flat]))[0]), strict=True))
        figures = {name: float(array[index]) for name, array in self.figures.items()}
        return Best(index, values, figures, parameters.replace(self.model, values))

    def best(self, name: str, lowest: bool = False) -> Best:
        """The design with the highest figure (or the lowest), the first of several; NaN never is.

        Raises:
            ValueError: the figure is NaN everywhere.
        """
        sign, found, where = -1.0 if lowest else 1.0, -np.inf, -1
        for start, block in _blocks(self.figures[name]):
            if np.all(np.isnan(block)):
                continue
            place = int(np.nanargmax(sign * block))
            if where < 0 or sign * block[place] > found:
                found, where = float(sign * block[place]), start + place
        if where < 0:
            raise ValueError(f"sweep: {name} must be a number somewhere, but is NaN in all {self.designs.count} designs")
        return self.at(*(int(place) for place in np.unravel_index(where, self.designs.shape)))

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset``: the figures, with their gradients as ``d NAME / d PATH``, over the named axes."""
        try:
            xarray = importlib.import_module("xarray")
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError('Sweep.to_xarray needs xarray: pip install "transduce[data]"') from error
        names = [one.name for one in self.designs.dimensions]
        coordinates = {}
        for one, columns in zip(self.designs.dimensions, self.axes.values(), strict=True):
            for (path, values), known in zip(columns.items(), one.space.parameters, strict=True):
                coordinates[path] = (one.name, values, {"units": _unit(known.dimension), "dimension": known.dimension})
        arrays: dict[str, Any] = {name: (names, array) for name, array in self.figures.items()}
        for name, gradient in self.gradients.items():
            arrays |= {f"d {name} / d {path}": (names, array) for path, array in gradient.items()}
        return xarray.Dataset({**arrays, "stable": (names, self.stable)}, coords=coordinates)

    def __str__(self) -> str:
        lines = [f"{self.designs.count} designs: " + " x ".join(f"{one.name} ({one.count})" for one in self.designs.dimensions)]
        for name, array in self.figures.items():
            ends = [(np.nanmin(block), np.nanmax(block)) for _, block in _blocks(array) if not np.all(np.isnan(block))]
            span = f"{min(low for low, _ in ends):.4g} to {max(high for _, high in ends):.4g}" if ends else "NaN everywhere"
            lines.append(f"{name:<24}{span}")
        lines.append(f"unstable, NaN: {self.unstable}")
        if self.single_error is not None:
            lines.append(f"single precision: largest relative error {self.single_error:.1e} on a sample")
        return "\n".join(lines)


def _blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """An array in C order, piece by piece: (start, values)."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        yield start, np.asarray(flat[start : start + _BLOCK])


def _unit(dimension: str) -> str:
    """In which a value of this dimension stands inside."""
    return (
        "rad/s"
        if dimension == "rate"
        else "W/K^q"
        if dimension == "conductance"
        else _SI.get(dimension, units.canonical(1.0, dimension)[1])
    )


_SI = {"attenuation": "dB/m", "dispersion": "s^2/m"}


def arranged(arrays: Mapping[str, np.ndarray], designs: Designs, names: tuple[str, ...], wrt: tuple[str, ...]) -> dict[str, Any]:
    """The arrays of a layout over the named axes: the keywords of ``Sweep`` that they fill."""
    gradients = {}
    for name in names if wrt else ():
        every = arrays[f"gradients/{name}"].reshape(*designs.shape, len(wrt))
        gradients[name] = {path: every[..., place] for place, path in enumerate(wrt)}
    return {
        "figures": {name: arrays[f"figures/{name}"].reshape(designs.shape) for name in names},
        "gradients": gradients,
        "stable": arrays["stable"].reshape(designs.shape),
    }
