"""Optimisation: the unit box, targets, and optima that can be written down."""
