r"""Linear input-output systems: named modes, couplings and ports.

.. math:: H = \sum \Omega_{ij} a_i^\dagger a_j + \tfrac12 \sum (\Xi_{ij} a_i^\dagger a_j^\dagger + h.c.), \quad L = C a, \quad
          a_{out} = a_{in} + C a

with hbar = 1, rates in rad/s, energy damping :math:`\kappa = |C|^2`, :math:`a(t) = \int d\omega/2\pi\, e^{-i\omega t} a(\omega)` and
normal-ordered port occupations. Rows are either a mode's a or its a^dagger (the *signed* basis): hopping joins rows of one sign, squeezing
rows of opposite sign. Where no such signs exist (a frustrated graph, or self-squeezing) both rows of every mode are kept (*doubled*).
The structure is static and comes from the edges, never from values: an edge of value 0 is an edge. With the drift A and the couplings K in
that basis,

.. math:: S(\omega) = 1 - K (-i\omega - A)^{-1} K^\dagger, \qquad S J S^\dagger = J .

Source: Gardiner and Collett, Phys. Rev. A 31, 3761 (1985); the signed basis is checked against the doubled one in the tests.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from ..numerics import dense, is_concrete, sqrt
from .conversion import Conversion
from .elimination import Entries
from .noise import Moments, PairMoments, added_noise, excess_flux, lyapunov, output_noise, pair_correlation
from .output import Built, Output, Row, Value
from .path import Path
from .structure import Edge, Entry, colour, origins, pattern_of, route


class UnstableError(ValueError):
    """The system grows without bound: it has no steady state, however good its scattering looks."""


class Port(NamedTuple):
    """A bath or waveguide: the mode it damps, its energy rate (rad/s) and its normal-ordered occupation."""

    mode: str
    rate: Float[Array, ""]
    occupation: Float[Array, ""]


class Scattering(NamedTuple):
    """a_out(w) = normal(w) a_in(w) + anomalous(w) [a_in(-w)]^dagger, ports x ports."""

    normal: Complex[Array, "p p"]
    anomalous: Complex[Array, "p p"]


class LinearSystem(eqx.Module):
    """A linear system at one operating point; ask for one frequency and let ``jax.vmap`` do the rest.

    Every answer passes the stability gate: a system without squeezing is stable by structure; a squeezed one is tested once, outside the
    gradient. Concrete and unstable raises ``UnstableError``; traced and unstable is computed at a safe substitute (squeezing off) and
    reads NaN, with zero gradient.
    """

    detuning: tuple[Value, ...]
    hopping: tuple[Value, ...]
    squeezing: tuple[Value, ...]
    coupling: tuple[Value, ...]
    occupation: tuple[Value, ...]
    modes: tuple[str, ...] = eqx.field(static=True)
    ports: tuple[str, ...] = eqx.field(static=True)
    hopping_edges: tuple[Edge, ...] = eqx.field(static=True)
    squeezing_edges: tuple[Edge, ...] = eqx.field(static=True)
    contacts: tuple[Edge, ...] = eqx.field(static=True)
    signs: tuple[int, ...] | None = eqx.field(static=True)
    built: Built | None = eqx.field(init=False, default_factory=lambda: None)

    @classmethod
    def build(
        cls,
        modes: Mapping[str, Value],
        ports: Mapping[str, Port],
        hopping: Mapping[tuple[str, str], Value] | None = None,
        squeezing: Mapping[tuple[str, str], Value] | None = None,
        doubled: bool = False,
    ) -> "LinearSystem":
        """A system by names.

        Args:
            modes: detuning of each mode from its frame (rad/s), H = d a^dagger a.
            ports: each damps one mode.
            hopping: the g_ij of g a_i^dagger a_j + h.c. (rad/s).
            squeezing: the x_ij of x a_i^dagger a_j^dagger + h.c. (rad/s), i != j.
            doubled: keep both rows of every mode even where signs exist.
        """
        hopping, squeezing, index = hopping or {}, squeezing or {}, {name: i for i, name in enumerate(modes)}
        hop_edges = tuple((index[a], index[b]) for a, b in hopping)
        squeeze_edges = tuple((index[a], index[b]) for a, b in squeezing)
        contacts = tuple((p, index[port.mode]) for p, port in enumerate(ports.values()))
        return cls(
            detuning=tuple(modes.values()),
            hopping=tuple(hopping.values()),
            squeezing=tuple(squeezing.values()),
            coupling=tuple(sqrt(port.rate) for port in ports.values()),
            occupation=tuple(port.occupation for port in ports.values()),
            modes=tuple(modes),
            ports=tuple(ports),
            hopping_edges=hop_edges,
            squeezing_edges=squeeze_edges,
            contacts=contacts,
            signs=None if doubled else colour(len(index), hop_edges, squeeze_edges, contacts),
        )

    @classmethod
    def from_hamiltonian(
        cls,
        hamiltonian: Complex[Array, "n n"],
        squeezing: Complex[Array, "n n"],
        coupling: Complex[Array, "p n"],
        occupation: Float[Array, " p"],
        pattern: "LinearSystem | None" = None,
    ) -> "LinearSystem":
        """A system from the matrices Omega (Hermitian), Xi (symmetric), C (ports x modes) and the port occupations.

        The pattern of edges is read from concrete matrices; traced ones take it from ``pattern`` (a system of the wanted structure), or,
        without one, get every edge and so the doubled basis.

        Raises:
            ValueError: wrong shapes, not Hermitian, or not symmetric.
        """
        edges = pattern_of(hamiltonian, squeezing, coupling, occupation, None if pattern is None else pattern.edges)
        omega, xi, c = (jnp.asarray(x, complex) for x in (hamiltonian, squeezing, coupling))
        n_modes, occupation = omega.shape[0], jnp.asarray(occupation, float)
        return cls(
            detuning=tuple(jnp.real(omega[i, i]) for i in range(n_modes)),
            hopping=tuple(omega[edge] for edge in edges.hopping),
            squeezing=tuple(xi[i, j] if i != j else xi[i, j] / 2 for i, j in edges.squeezing),
            coupling=tuple(c[edge] for edge in edges.contacts),
            occupation=tuple(occupation[k] for k in range(c.shape[0])),
            modes=tuple(f"mode{i}" for i in range(n_modes)) if pattern is None else pattern.modes,
            ports=tuple(f"port{k}" for k in range(c.shape[0])) if pattern is None else pattern.ports,
            hopping_edges=edges.hopping,
            squeezing_edges=edges.squeezing,
            contacts=edges.contacts,
            signs=colour(n_modes, *edges),
        )

    # --- structure -------------------------------------------------------------------------------------------------------------------

    @property
    def edges(self) -> "tuple[tuple[Edge, ...], tuple[Edge, ...], tuple[Edge, ...]]":
        """(hopping, squeezing, contacts), each a tuple of index pairs."""
        return self.hopping_edges, self.squeezing_edges, self.contacts

    @property
    def active(self) -> bool:
        """Whether there is a squeezing edge; without one the system is stable by structure."""
        return bool(self.squeezing_edges)

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """(mode, sign) of each row of the drift."""
        if self.signs is None:
            return tuple((mode, sign) for mode in range(len(self.modes)) for sign in (1, -1))
        return tuple(enumerate(self.signs))

    def sign_of(self, port: str) -> int:
        """+1 where the port's amplitude is among the rows, -1 where only its conjugate is."""
        if self.signs is None:
            return 1
        return next(self.signs[mode] for p, mode in self.contacts if p == self.index(port))

    def index(self, port: str) -> int:
        """The place of a port.

        Raises:
            ValueError: no such port; the message lists them.
        """
        if port not in self.ports:
            raise ValueError(f"no port {port!r}: the ports are {', '.join(self.ports)}")
        return self.ports.index(port)

    # --- matrices --------------------------------------------------------------------------------------------------------------------

    def _built(self) -> Built:
        return Built.of(self._drift(), origins(self)) if self.built is None else self.built

    def _drift(self) -> Entries:
        entries: Entries = {}
        position = {row: r for r, row in enumerate(self.rows)}

        def add(i: int, j: int, flip: int, value: Value) -> None:
            for sign in (1, -1):
                if (i, sign) in position and (j, sign * flip) in position:
                    key = position[i, sign], position[j, sign * flip]
                    entries[key] = entries.get(key, 0.0) + (value if sign > 0 else _conj(value))

        for mode, value in enumerate(self.detuning):
            add(mode, mode, 1, _turned(value))
        for (i, j), value in zip(self.hopping_edges, self.hopping, strict=True):
            add(i, j, 1, _turned(value))
            add(j, i, 1, _turned(_conj(value)))
        for (i, j), value in zip(self.squeezing_edges, self.squeezing, strict=True):
            add(i, j, -1, _turned(value))
            add(j, i, -1, _turned(value))
        for (port, i), left in zip(self.contacts, self.coupling, strict=True):
            for (other, j), right in zip(self.contacts, self.coupling, strict=True):
                if port == other:
                    add(i, j, 1, -_conj(left) * right / 2)
        return entries

    def _contacts_by_row(self, port: int, sign: int) -> dict[int, Value]:
        """K's row of one port: row index -> amplitude."""
        position = {row: r for r, row in enumerate(self.rows)}
        return {
            position[mode, sign]: value if sign > 0 else _conj(value)
            for (p, mode), value in zip(self.contacts, self.coupling, strict=True)
            if p == port and (mode, sign) in position
        }

    def drift_matrix(self) -> Complex[Array, "r r"]:
        """A, rows x rows (rad/s)."""
        return dense(self._drift() if self.built is None else self.built.drift, len(self.rows))

    def output(self, port: str) -> Output:
        """One output port ready to be asked at many frequencies; the system must have passed its gate."""
        sign, index = self.sign_of(port), self.index(port)
        return self._output(self._contacts_by_row(index, sign), sign, index)

    def _output(self, start: dict[int, Value], sign: int, direct: int | None) -> Output:
        built = self._built()
        normal = [self._contacts_by_row(k, sign) for k in range(len(self.ports))]
        anomalous = [self._contacts_by_row(k, -sign) for k in range(len(self.ports))]

        def conjugated(contacts: list[dict[int, Value]]) -> tuple[tuple[Value, ...], ...]:
            return tuple(tuple(_conj(value) for value in row.values()) for row in contacts)

        return Output(
            drift=tuple(-value for value in built.drift.values()),
            start=tuple(start.values()),
            normal=conjugated(normal),
            anomalous=conjugated(anomalous),
            occupation=self.occupation,
            unit=built.unit,
            keys=tuple(built.drift),
            start_rows=tuple(start),
            normal_rows=tuple(tuple(row) for row in normal),
            anomalous_rows=tuple(tuple(row) for row in anomalous),
            size=len(self.rows),
            sign=sign,
            direct=direct,
        )

    def conversion(self, source: str, target: str) -> Path | Conversion:
        """From one port to another, ready to be asked at many frequencies; the system must have passed its gate.

        A ``Path`` where it keeps the phase and no couplings close a loop.
        """
        output, index = self.output(target), self.index(source)
        touched = [[mode for p, mode in self.contacts if p == port] for port in range(len(self.ports))]
        apart = source != target and all(len(modes) == 1 for modes in touched)
        way = None
        if self.signs is not None and apart and output.normal_rows[index]:
            head, tail = touched[index][0], touched[self.index(target)][0]
            way = route(self.hopping_edges, self.squeezing_edges, len(self.modes), head, tail)
        return Conversion.between(output, index, dict(self._built().origins)) if way is None else Path.along(output, index, way)

    def amplitudes(self, port: str, omega: Value) -> Row:
        """``row`` without the gate, for a caller that has passed it."""
        return self.output(port).amplitudes(omega)

    # --- stability -------------------------------------------------------------------------------------------------------------------

    def _eigenvalues(self) -> Complex[Array, " r"]:
        """Eigenvalues of A, outside the gradient (their derivative is rubbish at an exceptional point), on scaled rates."""
        drift = jax.lax.stop_gradient(self.drift_matrix())
        scale = jnp.maximum(jnp.max(jnp.abs(drift)), 1e-300)
        return jnp.linalg.eigvals(drift / scale) * scale

    def stability_margin(self) -> Float[Array, ""]:
        """-max Re eig(A), rad/s: how fast the slowest disturbance dies; negative where one grows. No gradient passes."""
        return -jnp.max(jnp.real(self._eigenvalues()))

    def is_stable(self) -> Bool[Array, ""] | bool:
        """Whether a steady state exists; True by structure where nothing squeezes."""
        return self.stability_margin() > 0 if self.active else True

    def gate(self) -> "tuple[LinearSystem, Bool[Array, ''] | None]":
        """The system to compute with, and the flag to mark its answers by (None: stable by structure or by test).

        Raises:
            UnstableError: the system is concrete and unstable.
        """
        if not self.active:
            return self._ready(origins(self)), None
        stable = self.is_stable()
        if not is_concrete(stable):
            safe = tuple(jnp.where(stable, value, 0.0) for value in self.squeezing)
            return dataclasses.replace(self, squeezing=safe)._ready(origins(self)), jnp.asarray(stable)
        if not bool(stable):
            growth = float(-self.stability_margin())
            raise UnstableError(f"unstable: a disturbance grows at {growth:.4g} rad/s; lower the pump or the squeezing coupling")
        return self, None

    def _ready(self, origins: dict[Entry, tuple[int, int]]) -> "LinearSystem":
        """The same, and where it is traced what it will be asked for again and again; ``origins`` of what it was before the gate."""
        if is_concrete(*jax.tree.leaves(self)):
            return self
        return eqx.tree_at(lambda tree: tree.built, self, Built.of(self._drift(), origins), is_leaf=lambda leaf: leaf is None)

    def poles(self, port: str | None = None) -> Complex[Array, " r"]:
        """Complex frequencies (rad/s, Im < 0 where stable) at which the answer of a port diverges. No gradient passes."""
        eigenvalues = self._eigenvalues()
        return 1j * (eigenvalues if port is None or self.sign_of(port) > 0 else jnp.conj(eigenvalues))

    # --- answers ---------------------------------------------------------------------------------------------------------------------

    def row(self, port: str, omega: Float[Array, ""]) -> Row:
        """One output port's amplitudes from every input port, structural zeros as None."""
        system, stable = self.gate()
        return marked(system.amplitudes(port, omega), stable)

    def scattering(self, omega: Float[Array, ""]) -> Scattering:
        """The scattering matrices at one offset frequency (rad/s)."""
        system, stable = self.gate()
        rows = [system.amplitudes(port, omega) for port in self.ports]
        parts = (jnp.stack([_filled(getattr(row, kind)) for row in rows]) for kind in ("normal", "anomalous"))
        return marked(Scattering(*parts), stable)

    def internal(self, mode: str, omega: Float[Array, ""]) -> Row:
        """An internal mode's amplitude a(omega) per input amplitude of every port, in 1/sqrt(rad/s)."""
        system, stable = self.gate()
        index = self.modes.index(mode)
        sign = 1 if self.signs is None else self.signs[index]
        return marked(system._output({self.rows.index((index, sign)): jnp.ones((), complex)}, sign, None).amplitudes(omega), stable)

    def output_noise(self, omega: Float[Array, ""]) -> Float[Array, " p"]:
        """Normal-ordered photons/s/Hz leaving each port, all ports fed by their baths."""
        system, stable = self.gate()
        return marked(jnp.stack([output_noise(system.amplitudes(port, omega), self.occupation) for port in self.ports]), stable)

    def added_noise_input(self, source: str, target: str, omega: Float[Array, ""]) -> Float[Array, ""]:
        """Noise at the target that is not the source's own, referred to the source: [N_out - |S|^2 n_source] / |S|^2, normal-ordered.

        The source's image band, if the system has one, is another frequency of that port and counts as noise.
        """
        return added_noise(self.row(target, omega), self.occupation, self.index(source))

    def pair_moments(self, first: str, second: str, omega: Float[Array, ""]) -> PairMoments:
        """Moments of two output ports, the first at omega and the second at -omega: <o1^dagger o1>, <o2^dagger o2>, <o1 o2>."""
        system, stable = self.gate()
        one, two = system.amplitudes(first, omega), system.amplitudes(second, -omega)
        n, m = output_noise(one, self.occupation), output_noise(two, self.occupation)
        return marked(PairMoments(n, m, pair_correlation(one, two, self.occupation)), stable)

    def covariance(self) -> Moments:
        """Steady-state second moments of the internal modes, by the Lyapunov equation."""
        system, stable = self.gate()
        return marked(system._moments(), stable)

    def noise_flux(self) -> Float[Array, " p"]:
        r"""Photons per second that leave each port in excess over its own bath, over all frequencies, from the steady state:

        .. math:: \Phi_p = \int \frac{d\omega}{2\pi} [N_{out,p}(\omega) - n_p]
                         = \sum_{ij} C_{pi}^* C_{pj} (\langle a_i^\dagger a_j \rangle - n_p \delta_{ij}) .

        Of a passive system they add up to 0.

        Raises:
            UnstableError: the system is concrete and unstable.
        """
        system, stable = self.gate()
        return marked(excess_flux(system._moments().normal, self.contacts, self.coupling, self.occupation), stable)

    def _moments(self) -> Moments:
        ports = [(p, sign, self._contacts_by_row(p, sign)) for p in range(len(self.ports)) for sign in (1, -1)]
        size = len(self.rows)
        k = dense({(q, r): value for q, (_, _, row) in enumerate(ports) for r, value in row.items()}, max(len(ports), size))
        signs = jnp.array([sign for _, sign, _ in ports])
        n = jnp.stack([jnp.asarray(self.occupation[p], float) for p, _, _ in ports])
        return lyapunov(self.drift_matrix(), k[: len(ports), :size], signs, n, self.rows, len(self.modes))


def _conj(value: Value) -> Value:
    return jnp.conj(value) if jnp.iscomplexobj(value) else value


def _turned(value: Value) -> Value:
    """-i value, of a real value without complex arithmetic."""
    if jnp.iscomplexobj(value):
        return -1j * value
    value = jnp.asarray(value, float)
    return jax.lax.complex(jnp.zeros_like(value), -value)


def marked(answer: Any, stable: Array | None) -> Any:
    """The answer, NaN where the flag of ``LinearSystem.gate`` says unstable; no gradient passes there."""
    return answer if stable is None else jax.tree.map(lambda x: jnp.where(stable, x, jnp.nan), answer)


def _filled(values: tuple[Value | None, ...]) -> Complex[Array, " p"]:
    return jnp.stack([jnp.asarray(0.0 if value is None else value, complex) for value in values])
