"""Linear systems of coupled modes: scattering, noise, stability, networks."""
