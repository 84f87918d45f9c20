"""Rows of ``benchmarks.kernel``: the pure-loss capacity of a lossless chain, with gradient and without a grid, against 1001 points of one.

Not the grid's error (its logarithm has poles near the axis) but its cost is the measure; ours is compared with mpmath.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

from benchmarks import peers
from benchmarks.timing import POINTS, agreement, compiled, cpu_time
from transduce.devices import chain
from transduce.gaussian.capacity import bounds
from transduce.linear.system import LinearSystem, Port
from transduce.units import Hz, MHz

_RNG = np.random.default_rng(0)


def butterworth(count: int = 256) -> dict[str, Any]:
    """Five modes by their largest coupling, against our own jitted grid; Q is proportional to g_max."""
    edge = np.exp(_RNG.uniform(np.log(0.3), np.log(3), count)) * MHz

    def exact(g: Any) -> Any:
        return chain.capacity(chain.butterworth_reflection(5, g))

    def grid(g: Any) -> Any:
        rates = chain.butterworth(5, g)
        ports = {"microwave": Port("m0", rates.kappa_first, jnp.zeros(())), "optical": Port("m4", rates.kappa_last, jnp.zeros(()))}
        hopping = {(f"m{k}", f"m{k + 1}"): rates.coupling[k] for k in range(4)}
        it = LinearSystem.build({f"m{k}": jnp.zeros(()) for k in range(5)}, ports, hopping=hopping).conversion("microwave", "optical")
        omega = jnp.linspace(-4, 4, POINTS) * g
        return jnp.sum(bounds(jax.vmap(it.power)(omega)).pure_loss) * 8 * g / (POINTS - 1) / Hz

    ours, seconds = compiled(jax.vmap(jax.value_and_grad(exact)), edge)
    peer, _ = compiled(jax.vmap(jax.value_and_grad(grid)), edge)
    value, slope = ours(edge)
    homogeneous = float(np.max(np.abs(np.asarray(slope) * edge / np.asarray(value) - 1)))
    mine, other = cpu_time(lambda: ours(edge)), cpu_time(lambda: peer(edge))
    times = {"compile_s": seconds, "us_per_design": mine / count * 1e6}
    return {"ratio": mine / other, "agreement": homogeneous, "grid_error": agreement([peer(edge)[0]], [value]), **times}


def drawn(size: int, count: int = 256, checked: int = 4) -> dict[str, Any]:
    """Complex zeros and a scale drawn at random, value and gradient in all of them, against a NumPy grid with its gradient by formula."""
    x, y = _RNG.uniform(-1.5, 1.5, (count, size)) * MHz, _RNG.uniform(-0.5, 0.5, (count, size)) * MHz
    scale = (_RNG.uniform(1, 2, count) * MHz) ** size

    def exact(x: Any, y: Any, scale: Any) -> Any:
        return chain.capacity(chain.Reflection(x + 1j * y, scale))

    ours, seconds = compiled(jax.vmap(jax.value_and_grad(exact, argnums=(0, 1, 2))), x, y, scale)
    value, slopes = ours(x, y, scale)
    grid = peers.numpy_capacity(x, y, scale, POINTS)
    wrong = max(_error(np.concatenate([x[k], y[k], scale[k : k + 1]]), value[k], [s[k] for s in slopes]) for k in range(checked))
    mine, other = cpu_time(lambda: ours(x, y, scale)), cpu_time(lambda: peers.numpy_capacity(x, y, scale, POINTS))
    times = {"compile_s": seconds, "us_per_design": mine / count * 1e6}
    return {"ratio": mine / other, "agreement": wrong, "grid_error": agreement([grid[0] / Hz], [value]), **times}


def _error(flat: Any, value: Any, slopes: Any) -> float:
    """Of the value, and of the gradient against its own largest component, where parameters are in units of their own size."""
    known, known_slopes = by_mpmath(flat / MHz ** _powers(flat.size // 2))
    size = flat.size // 2
    got = np.concatenate([np.ravel(s) for s in slopes]) * MHz ** _powers(size) * Hz / MHz
    return max(abs(float(value) * Hz / MHz / known - 1), float(np.max(np.abs(got - known_slopes)) / np.max(np.abs(known_slopes))))


def _powers(size: int) -> Any:
    return np.array([1.0] * 2 * size + [float(size)])


def by_mpmath(flat: Any) -> tuple[float, Any]:
    r"""Integral of -log2 |F|^2 over the band, and its derivatives, by double-exponential quadrature with 30 digits.

    Args:
        flat: x_k, y_k and D, (2n + 1,), of order one.
    """
    with mpmath.workdps(30):
        size, given = flat.size // 2, [mpmath.mpf(float(value)) for value in flat]
        x, y, scale = given[:size], given[size:-1], given[-1]
        power = functools.reduce(np.convolve, [np.array([mpmath.mpf(1), -2 * a, a**2 + b**2]) for a, b in zip(x, y, strict=True)])
        power[-1] -= scale**2
        roots = mpmath.polyroots(list(power), maxsteps=500, extraprec=200)
        cuts = sorted([mpmath.re(w) for w in roots if abs(mpmath.im(w)) < 1e-15] + x)

        def log_power(w: Any) -> Any:
            return sum(mpmath.log((w - a) ** 2 + b**2) for a, b in zip(x, y, strict=True)) - 2 * mpmath.log(scale)

        terms = [log_power]
        terms += [lambda w, a=a, b=b: -2 * (w - a) / ((w - a) ** 2 + b**2) for a, b in zip(x, y, strict=True)]
        terms += [lambda w, a=a, b=b: 2 * b / ((w - a) ** 2 + b**2) for a, b in zip(x, y, strict=True)]
        terms += [lambda w: -2 / scale]
        pieces = [(low, high) for low, high in itertools.pairwise(cuts) if log_power((low + high) / 2) < 0]
        found = [-sum(mpmath.quad(term, piece) for piece in pieces) / mpmath.log(2) for term in terms]
        return float(found[0]), np.array([float(value) for value in found[1:]])
