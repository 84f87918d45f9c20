"""Tests, laid out as the package is; the three tolerances stand here, and a looser one needs a sentence that says why."""

ALGEBRA = 1e-12
"""Identities: S J S^dagger = J, a cascade against its product."""
CLOSED_FORM = 1e-10
"""A result against its closed form or an independent computation."""
GRADIENT = 1e-8
"""A gradient against complex step or high-precision differences."""
