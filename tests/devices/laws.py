"""The laws that every device keeps, whatever it is made of: each takes a ``Case`` and asserts.

A case holds one batch of 256 devices and one compiled function ``answers(device, omega)``, which every law feeds: scaled, heated,
as drawn. Doubled, the scattering matrix is S = [[normal(w), anomalous(w)], [anomalous(-w)*, normal(-w)*]], with J = diag(1, -1).
"""

from functools import cache, cached_property
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tests import ALGEBRA
from tests.devices.cases import CASES
from transduce import parameters
from transduce.devices.base import AbstractDevice
from transduce.linear.system import LinearSystem, Port, Row
from transduce.numerics import abs2

LANES, SEED = 256, 20260
ENDS = ("microwave", "optical")


class Answers(NamedTuple):
    """What is read of one device: the scattering at (omega, -omega), the added noise up and down, the occupations, the margin."""

    normal: Any
    anomalous: Any
    up: Any
    down: Any
    occupation: Any
    margin: Any

    def doubled(self) -> np.ndarray:
        """The scattering matrix with both rows of every port."""
        (n, n_image), (a, a_image) = (np.moveaxis(np.asarray(x), 1, 0) for x in (self.normal, self.anomalous))
        return np.block([[n, a], [a_image.conj(), n_image.conj()]])


def read(device: AbstractDevice, omega: jax.Array) -> Answers:
    """The answers of one device."""
    system = device.linear_system()
    scattering = jax.vmap(system.scattering)(jnp.stack([omega, -omega]))
    up, down = (system.added_noise_input(*ends, omega) for ends in (ENDS, ENDS[::-1]))
    return Answers(*scattering, up, down, jnp.stack([jnp.asarray(n, float) for n in system.occupation]), system.stability_margin())


def rebuilt(system: LinearSystem, doubled: bool) -> LinearSystem:
    """The same system by names, its modes, ports and edges in reverse order."""
    of_port = dict(system.contacts)

    def named(edges: Any, values: Any) -> dict:
        return {(system.modes[j], system.modes[i]): jnp.conj(value) for (i, j), value in list(zip(edges, values, strict=True))[::-1]}

    ports = {
        name: Port(system.modes[of_port[p]], abs2(jnp.asarray(system.coupling[p])), system.occupation[p])
        for p, name in reversed(list(enumerate(system.ports)))
    }
    return LinearSystem.build(
        dict(list(zip(system.modes, system.detuning, strict=True))[::-1]),
        ports,
        hopping=named(system.hopping_edges, system.hopping),
        squeezing=named(system.squeezing_edges, [jnp.conj(value) for value in system.squeezing]),
        doubled=doubled,
    )


class Case:
    """One row of the table, drawn once."""

    def __init__(self, name: str) -> None:
        self.device, self.omega = CASES[name](np.random.default_rng(SEED), LANES)
        self.answers = eqx.filter_jit(eqx.filter_vmap(read))
        one = self.lane(0)
        self.system = one.linear_system()

    def lane(self, k: int) -> AbstractDevice:
        """One device of the batch."""
        return jax.tree.map(lambda leaf: leaf[k], self.device)

    @cached_property
    def drawn(self) -> Answers:
        """The answers of the batch as drawn."""
        return self.answers(self.device, self.omega)

    def scaled(self, factor: jax.Array) -> Answers:
        """With every rate, every frequency and the offset times a factor; occupations stay."""
        rates = {name: factor * value for name, parameter, value in parameters.walk(self.device) if parameter.dimension == "rate"}
        return self.answers(parameters.replace(self.device, rates), factor * self.omega)


@cache
def case(name: str) -> Case:
    """The case of this name."""
    return Case(name)


def _size(matrix: np.ndarray) -> np.ndarray:
    """max(1, |S|^2) of each lane."""
    return np.maximum(1.0, np.abs(matrix).max(axis=(1, 2)) ** 2)


def is_drawn_stable(case: Case) -> None:
    """Every lane is a device that exists: the other laws say something about all of them."""
    assert (np.asarray(case.drawn.margin) > 0).all()
    assert np.isfinite(case.drawn.doubled()).all()


def keeps_the_commutators(case: Case) -> None:
    """S J S^dagger = J over every port, baths included."""
    s = case.drawn.doubled()
    j = np.diag(np.repeat([1.0, -1.0], s.shape[1] // 2))
    fault = np.abs(s @ j @ s.conj().swapaxes(1, 2) - j).max(axis=(1, 2))
    assert (fault / _size(s)).max() < ALGEBRA


def is_passive_where_nothing_squeezes(case: Case) -> None:
    """Without a squeezing edge no anomalous amplitude, every row of unit norm, no gain; with one there is gain."""
    normal, anomalous = np.asarray(case.drawn.normal), np.asarray(case.drawn.anomalous)
    rows = (np.abs(normal) ** 2).sum(axis=-1)
    if case.system.active:
        assert anomalous.any() and rows.max() > 1
    else:
        assert not anomalous.any()
        np.testing.assert_allclose(rows, 1.0, atol=ALGEBRA)


def adds_physical_noise(case: Case) -> None:
    """n >= max(0, |u|^2 - |v|^2 - 1) in both directions, and the input-referred noise is n and the source's image over |u|^2."""
    n, v_all, u_all = np.asarray(case.drawn.occupation), np.asarray(case.drawn.anomalous)[:, 0], np.asarray(case.drawn.normal)[:, 0]
    for added, (source, target) in ((case.drawn.up, ENDS), (case.drawn.down, ENDS[::-1])):
        i, o = case.system.index(source), case.system.index(target)
        per_port = np.abs(u_all[:, o]) ** 2 * n + np.abs(v_all[:, o]) ** 2 * (n + 1)
        noise = np.delete(per_port, i, axis=1).sum(axis=1)
        u2, v2 = np.abs(u_all[:, o, i]) ** 2, np.abs(v_all[:, o, i]) ** 2
        size = np.maximum(1.0, u2)
        assert ((noise - np.maximum(0, u2 - v2 - 1)) / size > -ALGEBRA).all()
        if u2.any():
            np.testing.assert_allclose(added, (noise + v2 * (n[:, i] + 1)) / u2, rtol=ALGEBRA)


def is_reversed_by_transposition(case: Case) -> None:
    """S(H*, C*) = J S(H, C)^T J; a device's H and C are real, so it is its own reverse and |S| is the same both ways."""
    s = case.drawn.doubled()
    j = np.diag(np.repeat([1.0, -1.0], s.shape[1] // 2))
    assert (np.abs(s - j @ s.swapaxes(1, 2) @ j).max(axis=(1, 2)) / _size(s)).max() < ALGEBRA


def knows_no_unit_of_rate(case: Case) -> None:
    """All rates and the frequency times 1e-9 to 1e9 leave the scattering."""
    s, factor = case.drawn.doubled(), 10 ** np.linspace(-9, 9, LANES)
    np.testing.assert_array_less(np.abs(case.scaled(jnp.asarray(factor)).doubled() - s).max(axis=(1, 2)) / _size(s), ALGEBRA)


def never_adds_less_noise_when_hotter(case: Case) -> None:
    """Each bath in turn ten times hotter and one photon more: neither direction's added noise falls."""
    for name, _, value in parameters.walk(case.device):
        if name.startswith("n_"):
            hot = case.answers(parameters.replace(case.device, {name: 10 * value + 1}), case.omega)
            for before, after in ((case.drawn.up, hot.up), (case.drawn.down, hot.down)):
                assert not (np.asarray(after) < np.asarray(before) * (1 - ALGEBRA)).any(), name


def does_not_know_its_labels_or_its_basis(case: Case) -> None:
    """Modes, ports and edges in reverse order, every mode doubled: the rows of both ends are the same, permuted."""

    @eqx.filter_jit
    @eqx.filter_vmap
    def rows(device: AbstractDevice, omega: jax.Array) -> Any:
        system = rebuilt(device.linear_system(), doubled=True)
        return [[jnp.array(part) for part in _filled(system.row(port, omega))] for port in ENDS]

    s = _size(case.drawn.doubled())
    for port, (normal, anomalous) in zip(ENDS, rows(case.device, case.omega), strict=True):
        for wanted, found in ((case.drawn.normal, normal), (case.drawn.anomalous, anomalous)):
            difference = np.asarray(wanted)[:, 0, case.system.index(port)] - np.asarray(found)[:, ::-1]
            assert (np.abs(difference).max(axis=1) / s).max() < ALGEBRA


def _filled(row: Row) -> list[list]:
    return [[0j if value is None else value for value in part] for part in row]


def is_the_same_under_jit(case: Case) -> None:
    """One lane, operation by operation, against the compiled batch."""
    eager = read(case.lane(0), case.omega[0])
    size = _size(case.drawn.doubled())[0]
    for found, wanted in zip(eager, case.drawn, strict=True):
        np.testing.assert_allclose(found, np.asarray(wanted)[0], rtol=ALGEBRA, atol=ALGEBRA * size)


LAWS = (
    is_drawn_stable,
    keeps_the_commutators,
    is_passive_where_nothing_squeezes,
    adds_physical_noise,
    is_reversed_by_transposition,
    knows_no_unit_of_rate,
    never_adds_less_noise_when_hotter,
    does_not_know_its_labels_or_its_basis,
    is_the_same_under_jit,
)
