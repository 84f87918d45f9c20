"""Optimisation over parameters: targets, trade-offs, tolerances. It knows no physics."""
