"""Bose occupation and square root: values and gradients against mpmath, edges included, and what the usual guards give instead."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from transduce.numerics import abs2, bose, cis, dense, is_concrete, power, sqrt
from transduce.units import GHz, Hz, MHz, THz, hbar, k_B, mK

from . import ALGEBRA

OMEGA = np.geomspace(1 * MHz, 200 * THz, 25)
TEMPERATURE = np.geomspace(1e-6, 300.0, 25)
GRID = [grid.ravel() for grid in np.meshgrid(OMEGA, TEMPERATURE)]


def witness(omega: float, temperature: float) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """n, dn/d(omega) and dn/dT of 1/(exp(x) - 1) with 60 digits."""
    with mpmath.workdps(60):
        slope = mpmath.mpf(hbar) / (mpmath.mpf(k_B) * mpmath.mpf(temperature))
        x = slope * mpmath.mpf(omega)
        n = 1 / mpmath.expm1(x)
        dx = -mpmath.exp(x) / mpmath.expm1(x) ** 2
        return n, dx * slope, -dx * x / mpmath.mpf(temperature)


def test_bose_and_both_gradients():
    value, gradient = jax.vmap(jax.value_and_grad(bose, argnums=(0, 1)))(*GRID)
    found = np.stack([value, *gradient], axis=1)
    checked = 0
    for row, omega, temperature in zip(found, *GRID, strict=True):
        for number, exact in zip(row, witness(omega, temperature), strict=True):
            if abs(exact) > 1e-300:
                assert abs(number - exact) < ALGEBRA * abs(exact), (omega, temperature)
                checked += 1
            else:
                assert abs(number) <= 1e-299  # and finite: where n itself underflows, its derivative is 0
    assert checked > 900


def test_bose_where_everybody_looks():
    assert bose(5 * GHz, 10 * mK) == pytest.approx(3.79e-11, rel=1e-2)  # hbar omega / k_B T = 24.0
    assert bose(5 * GHz, 300.0) == pytest.approx(k_B * 300 / (hbar * 5 * GHz) - 0.5, rel=1e-6)  # Rayleigh and Jeans


def test_bose_at_zero_temperature():
    for omega in (1 * MHz, 200 * THz):
        value, gradient = jax.value_and_grad(bose, argnums=(0, 1))(omega, 0.0)
        assert (value, *gradient) == (0.0, 0.0, 0.0)


def test_bose_has_a_second_derivative():
    hessian = jax.vmap(jax.hessian(bose, argnums=(0, 1)))(*GRID)
    assert np.all(np.isfinite(hessian))
    found = hessian[1][1].reshape(25, 25)
    x = (hbar * GRID[0] / (k_B * GRID[1])).reshape(25, 25)
    temperature = GRID[1].reshape(25, 25)
    mild = x < 600  # d2n/dT2 = x n (n + 1) (x (2 n + 1) - 2) / T^2
    n = 1 / np.expm1(x[mild])
    exact = x[mild] * n * (n + 1) * (x[mild] * (2 * n + 1) - 2) / temperature[mild] ** 2
    scale = x[mild] ** 2 * n * (n + 1) * (2 * n + 1) / temperature[mild] ** 2  # the two terms cancel where x is small
    assert np.max(np.abs(found[mild] - exact) / scale) < ALGEBRA
    at_zero = jax.hessian(bose, argnums=(0, 1))(5 * GHz, 0.0)
    assert np.all(np.isfinite(at_zero))


def test_the_textbook_bose_fails_where_ours_does_not():
    def textbook(omega, temperature):
        return 1 / (jnp.exp(hbar * omega / (k_B * temperature)) - 1)

    assert np.isnan(jax.grad(textbook, argnums=1)(200 * THz, 1.0))
    assert jax.grad(bose, argnums=1)(200 * THz, 1.0) == 0.0


def test_bose_under_jit_and_vmap():
    batch = jax.jit(jax.vmap(bose, in_axes=(None, 0)))(5 * GHz, TEMPERATURE)
    assert np.allclose(batch, [float(witness(5 * GHz, one)[0]) for one in TEMPERATURE], rtol=ALGEBRA, atol=1e-300)
    assert batch.dtype == np.float64
    assert bose(1, 1).dtype == np.float64  # an integer is a number too


def efficiency(root):
    """eta = 4 C / (1 + C)^2 with C = g^2 and g = sqrt(P)."""

    def of_power(power):
        cooperativity = root(power) ** 2
        return 4 * cooperativity / (1 + cooperativity) ** 2

    return of_power


def test_sqrt_lets_the_chain_rule_through_zero():
    assert jax.grad(efficiency(sqrt))(0.0) == 4.0
    assert jax.jit(jax.grad(efficiency(sqrt)))(0.0) == 4.0
    assert efficiency(sqrt)(0.0) == pytest.approx(0.0, abs=1e-99)


def test_the_usual_guards_do_not():
    def guarded(x):
        return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0)

    assert jax.grad(efficiency(guarded))(0.0) == 0.0
    assert np.isnan(jax.grad(efficiency(jnp.sqrt))(0.0))


def test_sqrt_is_the_square_root():
    x = np.geomspace(1e-95, 1e300, 200)
    value, slope = jax.vmap(jax.value_and_grad(sqrt))(x)
    assert np.array_equal(value, np.sqrt(x))
    assert np.allclose(slope, 0.5 / np.sqrt(x), rtol=1e-15, atol=0)
    curvature = jax.vmap(jax.grad(jax.grad(sqrt)))(np.geomspace(1e-100, 1e100, 50))
    assert np.allclose(curvature, -0.25 * np.geomspace(1e-100, 1e100, 50) ** -1.5, rtol=1e-12, atol=0)
    np.testing.assert_allclose(sqrt(0.0), 1e-50, rtol=1e-15)
    assert 1e40 < jax.grad(sqrt)(0.0) < np.inf  # where it diverges: huge, and finite
    assert sqrt(4).dtype == np.float64


@pytest.mark.parametrize("x", [-1e-300, -1.0, -np.inf, np.nan])
def test_sqrt_of_a_negative_is_nan(x):
    assert np.isnan(sqrt(x))
    assert np.isnan(jax.jit(jax.vmap(sqrt))(np.array([x, 1.0]))[0])
    assert np.isnan(jax.grad(sqrt)(x))


def test_power():
    x, exponent = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e-12, 1e6, 19), [1 / 3, 0.5, 1.0, 2.5, 3.0]))
    value, (by_x, by_exponent) = jax.vmap(jax.value_and_grad(power, argnums=(0, 1)))(x, exponent)
    for found, exact in [(value, x**exponent), (by_x, exponent * x ** (exponent - 1)), (by_exponent, x**exponent * np.log(x))]:
        assert np.allclose(found, exact, rtol=ALGEBRA, atol=0)
    assert power(0.0, 3.0) < 1e-150
    assert power(power(0.0, 3.0), 1 / 3) < 1e-50


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_power_lets_the_chain_rule_through_zero(exponent):
    assert jax.grad(power)(0.0, exponent) == pytest.approx(1.0 if exponent == 1 else 0.0, rel=ALGEBRA, abs=1e-50)
    heated = jax.grad(lambda cold: power(power(cold, exponent) + 0.0, 1 / exponent))(0.0)  # T^q = T0^q + P/G with the pump off: T = T0
    assert heated == pytest.approx(1.0, rel=ALGEBRA)


def test_abs2():
    assert abs2(3.0 - 4.0j) == 25.0
    assert np.array_equal(abs2(np.array([1j, -2.0])), [1.0, 4.0])
    assert jax.grad(lambda x: abs2(x + 1j * x))(0.0) == 0.0
    assert jax.grad(lambda x: abs2(x * (1 + 2j)))(3.0) == pytest.approx(30.0, rel=ALGEBRA)
    assert np.isnan(jax.grad(lambda x: jnp.abs(jnp.sqrt(x * (1 + 0j))) ** 2)(0.0))  # what it is for


def test_is_concrete():
    seen = []

    def look(x):
        seen.append(is_concrete(x, 1.0))
        return x

    jax.jit(look)(1.0)
    jax.grad(look)(1.0)
    jax.vmap(look)(np.ones(2))
    assert seen == [False, False, False]
    assert is_concrete(1.0, "a", np.ones(2), jnp.ones(2), None)


def test_the_smallest_frequency():
    assert bose(1e-3 * Hz, 300.0) == pytest.approx(float(witness(1e-3 * Hz, 300.0)[0]), rel=ALGEBRA)


def test_cis_is_the_exponential_of_an_imaginary_number():
    x = np.linspace(-50.0, 50.0, 101)
    np.testing.assert_allclose(cis(x), np.exp(1j * x), rtol=0, atol=ALGEBRA)
    _, slope = jax.jvp(cis, (jnp.asarray(x),), (jnp.ones_like(x),))
    np.testing.assert_allclose(slope, 1j * np.exp(1j * x), rtol=0, atol=ALGEBRA)


def test_a_matrix_from_its_entries():
    entries = {(0, 1): 2.0, (2, 0): 3j, (1, 1): jnp.asarray(-1.0)}
    wanted = np.zeros((3, 3), complex)
    for place, value in entries.items():
        wanted[place] = value
    assert np.array_equal(dense(entries, 3), wanted) and np.array_equal(dense({}, 2), np.zeros((2, 2)))
    slope = jax.jacfwd(lambda x: dense({(0, 1): x, (1, 0): x**2}, 2), holomorphic=False)(3.0)
    assert np.array_equal(slope, [[0, 1], [6, 0]])
