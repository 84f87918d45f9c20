"""What of a study its programs hang on: all but the numbers that they are given, so that a file with other numbers needs no new ones."""

import dataclasses

import jax
import numpy as np

from ..programs import split
from .aims import Aims
from .config import Setting

GIVEN = ("source", "parts", "status")
"""Fields of a setting whose text or values no program knows."""
COUNTED = ("seed", "chunk")
"""Counts of a search that its program does not know."""


def structure(setting: Setting, aims: Aims) -> str:
    """The same for two studies that differ in values of parameters, bounds of targets, ends of boxes, the seed and comments alone."""
    arrays, rest = split(setting.parts)
    shapes = [(np.shape(leaf), str(leaf.dtype)) for leaf in jax.tree.leaves(arrays)]
    own = {item.name: getattr(setting, item.name) for item in dataclasses.fields(setting) if item.name not in GIVEN}
    sides = {name: (bound.min is None, bound.max is None) for name, bound in aims.bounds.items()}
    tool = {name: value for name, value in aims.stated.items() if name not in COUNTED}
    asked = [aims.objective, sides, list(aims.free), tool, aims.fidelity]
    return f"{jax.tree.structure(arrays)} {shapes} {jax.tree.leaves(rest)} {own} {asked}"
