"""A row of modes by continuants against the general solver, which shares no line with it, and what a row is and is not."""

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


def draw(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (LANES, 5, 6))
    x[:, 2] = abs(x[:, 2])
    return x


@pytest.mark.parametrize(("modes", "squeezed"), [(1, False), (2, False), (3, False), (4, False), (4, True)])
def test_the_general_solver_says_the_same(modes, squeezed):
    @jax.jit
    @jax.vmap
    def both(x):
        system, omega = row(x, modes, squeezed), x[4, 5]
        path, output, source = system.conversion("in", "out"), system.output("out"), system.index("in")
        general = Conversion.between(output, source)
        assert isinstance(path, Path) and len(path.width) == modes
        u, _, noise = output.transmission(source, omega)
        shape = jax.grad(lambda w: jnp.log(general.power(w)))(omega), jax.grad(lambda w: jnp.log(path.shape(w)))(omega)
        ours = [*path.transmission(omega), path.power(omega), path.added_noise(omega)]
        return [*ours, shape[1]], [u, noise, general.power(omega), general.added_noise(omega), shape[0]], system.is_stable()

    ours, theirs, stable = both(draw(5))
    kept = np.broadcast_to(stable, LANES)
    assert kept.sum() > LANES / 2
    for found, wanted in zip(ours[:4], theirs[:4], strict=True):
        np.testing.assert_allclose(found[kept], wanted[kept], rtol=100 * ALGEBRA)  # four modes over two decades
    np.testing.assert_allclose(ours[4][kept], theirs[4][kept], rtol=GRADIENT, atol=GRADIENT)


def test_what_is_no_row():
    """A branch, a loop, the doubled basis, the same port twice, and a conversion that conjugates the phase."""
    x = jnp.asarray(draw(6)[0])
    branch, triangle = ({("a", "b"): 1.0, ("a", "c"): 1.0}, {("a", "b"): 1.0, ("b", "c"): 1.0, ("a", "c"): 1.0})
    ports = {"in": Port("a", jnp.ones(()), jnp.zeros(())), "out": Port("b", jnp.ones(()), jnp.zeros(()))}
    for hopping in (branch, triangle):
        system = LinearSystem.build(dict.fromkeys("abc", jnp.zeros(())), ports, hopping)
        assert isinstance(system.conversion("in", "out"), Conversion)
    assert isinstance(row(x, 3, False, doubled=True).conversion("in", "out"), Conversion)
    assert isinstance(row(x, 3, False).conversion("in", "in"), Conversion)
    rates: Any = dict.fromkeys(("kappa_e_ext", "kappa_e_int", "kappa_o_ext", "kappa_o_int"), 1 * MHz)
    pairs = ElectroOptic(**rates, cooperativity=0.2, pump="blue")
    assert isinstance(pairs.linear_system().conversion("microwave", "optical"), Conversion)
    assert not np.isfinite(pairs.added_noise_input())  # nothing converts plainly: no noise is referred to that input
