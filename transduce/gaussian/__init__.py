"""Gaussian states and channels: covariance, fidelity, entanglement, capacity."""
