"""Systems without loops by continuants against the general solver, which shares no line with it, and what they are and are not."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, GRADIENT
from transduce.devices.electro_optic import ElectroOptic
from transduce.linear.conversion import Conversion
from transduce.linear.path import Path
from transduce.linear.system import LinearSystem, Port
from transduce.units import MHz

LANES, NAMES = 64, ("a", "b", "c", "d")


def row(x: Any, modes: int, squeezed: bool, doubled: bool = False) -> LinearSystem:
    """Modes in a row, two ports and a bath each; of four modes the two inner edges may squeeze, so that the ends keep their sign."""
    names = NAMES[:modes]
    baths = {f"{name} loss": Port(name, 10 ** x[1, k], x[2, k]) for k, name in enumerate(names)}
    ports = {"in": Port(names[0], 10 ** x[0, 0], x[2, 4]), "out": Port(names[-1], 10 ** x[0, 1], x[2, 5])} | baths
    edges = {(names[k], names[k + 1]): 10 ** x[3, k] for k in range(modes - 1)}
    inner = {edge: 0.02 * value for edge, value in edges.items() if edge[0] in ("a", "b")} if squeezed else {}
    hopping = {edge: value for edge, value in edges.items() if edge not in inner}
    return LinearSystem.build({name: x[4, k] for k, name in enumerate(names)}, ports, hopping, inner, doubled=doubled)


TREES = {
    "one beside the first": ("ab ac", "b", ""),
    "one beside the last": ("ab bc", "a", ""),
    "one beside the middle": ("ab bc bd", "c", ""),
    "two beside the first": ("ab ac ad", "b", ""),
    "a row beside": ("ab ac cd", "b", ""),
    "a fork beside": ("ab ac cd ce", "b", ""),
    "a Stokes mode": ("ab ac", "b", "ac"),
    "a Stokes mode and its suppressor": ("ab ac cd", "b", "ac"),
    "beside both ends": ("ab ac bd", "b", "ac bd"),
    "both ports on one mode": ("ab ac", "a", ""),
}
"""Couplings, which mode has the output, which couplings squeeze."""


def tree(x: Any, kind: str) -> LinearSystem:
    """Modes that hang on a row, or on others that do: two ports, and a bath each; the last has none where nothing squeezes."""
    pairs, last, squeezed = TREES[kind]
    names = sorted(set(pairs) - {" "})
    baths = {f"{name} loss": Port(name, 10 ** x[1, k], x[2, k]) for k, name in enumerate(names if squeezed else names[:-1])}
    ports = {"in": Port("a", 10 ** x[0, 0], x[2, 4]), "out": Port(last, 10 ** x[0, 1], x[2, 5])} | baths
    edges = {(pair[0], pair[1]): 10 ** x[3, k] for k, pair in enumerate(pairs.split())}
    inner = {edge: 0.02 * value for edge, value in edges.items() if "".join(edge) in squeezed.split()}
    return LinearSystem.build(
        {name: x[4, k] for k, name in enumerate(names)}, ports, {edge: value for edge, value in edges.items() if edge not in inner}, inner
    )


def draw(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (LANES, 5, 6))
    x[:, 2] = abs(x[:, 2])
    return x


ROWS = {f"{modes} in a row{', squeezed' * squeezed}": (modes, squeezed) for modes, squeezed in [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1)]}


@pytest.mark.parametrize("kind", [*ROWS, *TREES])
def test_the_general_solver_says_the_same(kind):
    def built(x):
        return tree(x, kind) if kind in TREES else row(x, *ROWS[kind])

    def slopes(x, omega, general):
        """Of power and noise together, in every number and in the frequency."""

        def merit(x, omega):
            system = built(x)
            way = Conversion.between(system.output("out"), system.index("in")) if general else system.conversion("in", "out")
            power, noise = way.figures(omega)
            return jnp.log(power) + 0.7 * jnp.log(noise)

        return jax.grad(merit, (0, 1))(x, omega)

    @jax.jit
    @jax.vmap
    def both(x):
        system, omega = built(x), x[4, 5]
        path, output, source = system.conversion("in", "out"), system.output("out"), system.index("in")
        general = Conversion.between(output, source)
        assert isinstance(path, Path) and len(path.width) == len(system.modes)
        u, _, noise = output.transmission(source, omega)
        ours = [*path.transmission(omega), path.power(omega), path.added_noise(omega)]
        known = [u, noise, general.power(omega), general.added_noise(omega)]
        shape = jax.grad(lambda w: jnp.log(path.shape(w)))(omega), jax.grad(lambda w: jnp.log(general.power(w)))(omega)
        return ours, known, shape, slopes(x, omega, False), slopes(x, omega, True), system.is_stable()

    ours, theirs, shape, slope, known_slope, stable = both(draw(5))
    kept = np.broadcast_to(stable, LANES)
    assert kept.sum() > LANES / 2
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found[kept], wanted[kept], rtol=100 * ALGEBRA)  # four modes over two decades
    for found, wanted in zip((shape[0], *slope), (shape[1], *known_slope), strict=True):
        np.testing.assert_allclose(found[kept], wanted[kept], rtol=GRADIENT, atol=GRADIENT)


def test_what_is_no_row():
    """A mode alone, a loop, the doubled basis, the same port twice, and a conversion that conjugates the phase."""
    x = jnp.asarray(draw(6)[0])
    ports = {"in": Port("a", jnp.ones(()), jnp.zeros(())), "out": Port("b", jnp.ones(()), jnp.zeros(()))}
    for pairs, names in (("ab", "abc"), ("ab bc ac", "abc"), ("ab bc ac", "abcd")):
        hopping = {(pair[0], pair[1]): 1.0 for pair in pairs.split()}
        system = LinearSystem.build(dict.fromkeys(names, jnp.zeros(())), ports, hopping)
        assert isinstance(system.conversion("in", "out"), Conversion)
    assert isinstance(row(x, 3, False, doubled=True).conversion("in", "out"), Conversion)
    assert isinstance(row(x, 3, False).conversion("in", "in"), Conversion)
    rates: Any = dict.fromkeys(("kappa_e_ext", "kappa_e_int", "kappa_o_ext", "kappa_o_int"), 1 * MHz)
    blue = ElectroOptic(**rates, cooperativity=0.2, pump="blue")
    assert isinstance(blue.linear_system().conversion("microwave", "optical"), Conversion)
    assert not np.isfinite(blue.added_noise_input())  # nothing converts plainly: no noise is referred to that input
