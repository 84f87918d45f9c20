"""Stages in a row against one big network: the SLH series product, solved densely in numpy, knows nothing of the cascade's formulas."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA
from tests.linear.dense import Dense, random_system
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.linear.system import LinearSystem
from transduce.link.base import Response, cascade
from transduce.link.convert import Convert
from transduce.link.link import Link, joined
from transduce.numerics import abs2
from transduce.units import MHz

LANES, W = 256, 0.4
IN, OUT = 0, 2  # of every stage


def series(systems: list) -> tuple:
    """L = L1[out] + L2[in], Omega_21 += c2^* c1 / 2i, stage after stage; (Omega, Xi, C, n), the last stage's output, all its own ports."""
    omega, xi, c, n = systems[0]
    out = OUT
    for omega2, xi2, c2, n2 in systems[1:]:
        join = np.outer(c2[IN].conj(), c[out]) / 2j
        omega = np.block([[omega, join.conj().T], [join, omega2]])
        xi = np.block([[xi, np.zeros_like(join.T)], [np.zeros_like(join), xi2]])
        through = np.concatenate([c[out], c2[IN]])[None]
        first = np.pad(np.delete(c, out, 0), ((0, 0), (0, len(omega2))))
        second = np.pad(np.delete(c2, IN, 0), ((0, 0), (c.shape[1], 0)))
        c, n = np.concatenate([first, through, second]), np.concatenate([np.delete(n, out), [n[out]], np.delete(n2, IN)])
        out = len(first) + 1 + (OUT - 1)
    return omega, xi, c, n, out


def of_network(network: tuple, w: float) -> tuple:
    """u, v, n, m of the whole, from the first stage's input; every other input is noise."""
    *matrices, n, out = network
    big, others = Dense(*matrices, n), np.arange(len(n)) != IN
    (u, v), (u_image, v_image) = ([block[out] for block in big.blocks(frequency)] for frequency in (w, -w))
    noise = (abs(u[others]) ** 2) @ n[others] + (abs(v[others]) ** 2) @ (n[others] + 1)
    anomalous = (u * v_image)[others] @ (n[others] + 1) + (v * u_image)[others] @ n[others]
    return u[IN], v[IN], noise, anomalous


@pytest.fixture(scope="module")
def drawn():
    """256 rows of three active systems: their matrices, and their responses at W and -W, (stage, lane, sign of W)."""
    rng = np.random.default_rng(20262)
    rows = [[random_system(rng, "frustrated") for _ in range(3)] for _ in range(LANES)]

    @jax.jit
    @jax.vmap
    @jax.vmap
    def ask(omega, xi, c, n):
        system = LinearSystem.from_hamiltonian(omega, xi, c, n)
        return [Response.from_system(system, system.ports[IN], system.ports[OUT], w) for w in (jnp.asarray(W), jnp.asarray(-W))]

    stacked = [np.array([[system[k] for system in row] for row in rows]).swapaxes(0, 1) for k in range(4)]
    return rows, ask(*stacked)


@jax.jit
@jax.vmap
def both(first, second, first_image, second_image):
    """A row of two at W and -W."""
    return cascade(first, second, first_image, second_image), cascade(first_image, second_image, first, second)


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_coherent_row_is_one_big_system(drawn, stages):
    rows, (here, image) = drawn
    total, mirror = (jax.tree.map(lambda x: x[0], one) for one in (here, image))
    for k in range(1, stages):
        total, mirror = both(total, jax.tree.map(lambda x, k=k: x[k], here), mirror, jax.tree.map(lambda x, k=k: x[k], image))
    wanted = np.array([of_network(series(row[:stages]), W) for row in rows]).T
    size = np.maximum(1.0, np.max(np.abs(wanted[:3]) ** np.array([[2], [2], [1]]), axis=0))
    for found, true in zip(total, wanted, strict=True):
        # Gains multiply, and so does what rounding leaves of them: 1e-12 of the largest in the median, and of its square in every lane.
        fault = np.abs(np.asarray(found) - true) / size
        assert np.median(fault) < ALGEBRA and np.max(fault / size) < ALGEBRA
    assert np.median(np.abs(wanted[1])) > 0.05 and np.median(np.abs(wanted[3])) > 0.05
    twin = total.v * mirror.u - total.u * mirror.v  # from [a_out(w), a_out(-w)] = 0
    assert np.max(np.abs(total.anomalous - mirror.anomalous - twin) / size**2) < ALGEBRA


def test_the_big_system_by_the_package_itself():
    """The same series product through ``from_hamiltonian``, asked as any system is."""
    rng = np.random.default_rng(3)
    systems = [random_system(rng, "frustrated") for _ in range(2)]
    *matrices, n, out = series(systems)
    big = LinearSystem.from_hamiltonian(*matrices, n)

    @eqx.filter_jit
    def ask(system, source, target, w):
        return Response.from_system(system, source, target, w)

    found = ask(big, big.ports[IN], big.ports[out], jnp.asarray(W))
    built = [LinearSystem.from_hamiltonian(*system) for system in systems]
    first, second = ([ask(one, one.ports[IN], one.ports[OUT], jnp.asarray(w)) for w in (W, -W)] for one in built)
    for one, other in zip(found, cascade(first[0], second[0], first[1], second[1]), strict=True):
        assert abs(one - other) < ALGEBRA * max(1, abs(one))


class Amplitudes:
    """An operator as amplitudes of independent inputs: of a_k(w), with occupations; and of [a_k(-w)]^dagger."""

    def __init__(self, normal: np.ndarray, anomalous: np.ndarray, n: np.ndarray) -> None:
        self.normal, self.anomalous, self.n = normal, anomalous, n

    def photons(self) -> float:
        return float(abs(self.normal) ** 2 @ self.n + abs(self.anomalous) ** 2 @ (self.n + 1))


def test_a_filtered_row_has_vacuum_in_the_image_band():
    """The second stage's [a(-w)]^dagger comes from a fresh vacuum; n_in photons at the input, amplitude by amplitude."""
    rng, n_in = np.random.default_rng(5), 0.7
    for _ in range(20):
        (a, b), n_list = [Dense(*system) for system in (random_system(rng, "frustrated"), random_system(rng, "frustrated"))], [n_in, 0.0]
        for one, first in zip((a, b), n_list, strict=True):
            one.n[IN] = first
        (u1, v1), (u2, v2) = ([block[OUT] for block in one.blocks(W)] for one in (a, b))
        u, v = u2[IN], v2[IN]  # of the second stage; its own inputs keep their amplitudes
        own = np.arange(len(u2)) != IN
        image_of_input = np.where(np.arange(len(u1)) == IN, 0.0, a.n)  # the input's image band is vacuum
        arriving = abs(u1) ** 2 @ a.n + abs(v1) ** 2 @ (image_of_input + 1)
        out = abs(u) ** 2 * arriving + abs(v) ** 2 * 1 + Amplitudes(u2[own], v2[own], b.n[own]).photons()
        stages = [Response(u1[IN], v1[IN], noise_of(a), 0j), Response(u, v, noise_of(b), 0j)]
        found = cascade(stages[0].filtered(), stages[1].filtered())
        assert found.v is None and abs(found.u - u * u1[IN]) < ALGEBRA * max(1, abs(found.u))
        assert float(abs2(found.u) * n_in + found.noise) == pytest.approx(out, rel=ALGEBRA)


def noise_of(one: Dense) -> float:
    """Of every port but the input."""
    (u, v), own = (block[OUT] for block in one.blocks(W)), np.arange(len(one.n)) != IN
    return Amplitudes(u[own], v[own], one.n[own]).photons()


def membrane(ratio: jax.Array) -> ElectroOptomechanical:
    """A full membrane of sideband resolution ``ratio`` = omega_m / kappa_o."""
    kappa = 1.0 * MHz
    rates = {"kappa_e_ext": 0.85 * kappa, "kappa_e_int": 0.15 * kappa, "kappa_o_ext": 0.7 * kappa, "kappa_o_int": 0.3 * kappa}
    strengths = {"gamma_m": 1e-4 * kappa, "cooperativity_e": 100.0, "cooperativity_o": 100.0, "n_m": 50.0}
    return ElectroOptomechanical(frequency_m=ratio * kappa, model="full", **rates, **strengths)


def test_what_the_image_band_carries_between_two_membranes():
    """E4: at omega_m = 0.3 kappa a third more arrives when the image band comes along; at 3 kappa hardly any, a few per cent."""

    @jax.jit
    @jax.vmap
    def ask(ratio):
        device = membrane(ratio)
        carrier = device.carrier()
        stages = [Convert(device, *ends, carrier=carrier).prepare() for ends in (("microwave", "optical"), ("optical", "microwave"))]
        return [joined(stages, image).response(jnp.zeros(())) for image in ("coherent", "filtered")]

    coherent, filtered = ask(jnp.array([0.3, 3.0]))
    gain = np.asarray(abs2(coherent.u) / abs2(filtered.u))
    assert 1.2 < gain[0] < 1.5 and 1 < gain[1] < 1.03, gain
    assert abs(coherent.v[0]) > 0.1 and filtered.v is None
    assert np.all(filtered.noise >= np.maximum(0, abs2(filtered.u) - 1))


def test_a_row_goes_one_way():
    """A cascade of scattering matrices takes in reflections between the stages; a link's stages are isolated from each other."""
    rates = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 8 * MHz, "kappa_o_int": 2 * MHz}
    weak, strong = (ElectroOptic(cooperativity=c, **rates) for c in (0.3, 3.0))
    link = Link(up=Convert(weak, "microwave", "optical", carrier=0.0), down=Convert(strong, "optical", "microwave", carrier=0.0))
    scattering, passed = (eqx.filter_jit(ask) for ask in (LinearSystem.scattering, lambda link: link.response(0.0).u))
    one_way = 1.0
    reflections = []
    for device in (weak, strong):
        system, c = device.linear_system(), float(device.cooperativities()["microwave-optical"])
        s = np.asarray(scattering(system, jnp.zeros(())).normal)
        reflections.append(s[system.index("optical"), system.index("optical")])
        one_way *= 0.8 * 0.8 * 4 * c / (1 + c) ** 2
    with_echoes = one_way / abs(1 - np.prod(reflections)) ** 2
    assert float(abs2(passed(link))) == pytest.approx(one_way, rel=ALGEBRA)
    assert abs(with_echoes / one_way - 1) > 0.05
