"""Linear systems: scattering, noise, moments and the stability gate against dense solvers written here."""
