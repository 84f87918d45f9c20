"""The chain: its synthesis against numpy at 40 digits and against itself, its capacity by two independent routes, its limit.

Reference figures of the Butterworth row are those of Wang, Li and Jiang, arXiv:2203.00012 (couplings in units of g_max).
"""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM, GRADIENT
from transduce.devices.chain import (
    Chain,
    Rates,
    Reflection,
    Resonator,
    bands,
    butterworth,
    butterworth_reflection,
    capacity,
    cutoff,
    from_reflection_zeros,
    reflection,
)
from transduce.devices.electro_optic import ElectroOptic
from transduce.gaussian.capacity_rate import capacity_rate, coupling_limit
from transduce.units import MHz

ZEROS = np.array([0.3 + 0.1j, -0.4 + 0.2j, 0.1 - 0.15j, -0.2])


def scattering(rates: Rates, w: float) -> tuple[complex, complex]:
    """(S_11, S_21) of a lossless chain by numpy's own solver."""
    j, k1, kn, d = (np.asarray(x) for x in rates)
    h = np.diag(d).astype(complex) + np.diag(j, 1) + np.diag(j, -1)
    c = np.zeros((2, d.size))
    c[0, 0], c[1, -1] = np.sqrt(k1), np.sqrt(kn)
    s = np.eye(2) - c @ np.linalg.solve(-1j * w * np.eye(d.size) + 1j * h + c.T @ c / 2, c.T)
    return s[0, 0], s[1, 0]


def flat(rates: Rates) -> jax.Array:
    return jnp.concatenate([jnp.atleast_1d(x) for x in rates])


def as_array(rates: Rates) -> np.ndarray:
    return np.concatenate([np.atleast_1d(x) for x in rates])


@pytest.mark.parametrize("n", [2, 3, 4, 8])
def test_a_butterworth_chain_is_maximally_flat(n):
    rates, given = butterworth(n, 1.3), butterworth_reflection(n, 1.3)
    assert float(jnp.max(rates.coupling)) == pytest.approx(1.3, rel=ALGEBRA)
    assert float(cutoff(given)) == pytest.approx(2.6 * np.sqrt(np.sin(np.pi / 2 / n) * np.sin(3 * np.pi / 2 / n)), rel=ALGEBRA)
    assert float(reflection(rates).scale) == pytest.approx(float(given.scale), rel=ALGEBRA)
    for x in (0.0, 0.7, 1.0, 1.4):
        s11, s21 = scattering(rates, x * float(cutoff(given)))
        assert abs(s21) ** 2 == pytest.approx(1 / (1 + x ** (2 * n)), rel=ALGEBRA)
        assert abs(s11) ** 2 + abs(s21) ** 2 == pytest.approx(1, rel=ALGEBRA)


@pytest.mark.parametrize(
    ("n", "published"), [(2, 2.597763769103), (3, 3.896645653654), (5, 4.592240942633), (6, 4.714943841590), (8, 4.837956862265)]
)
def test_its_capacity_is_exact_and_tends_to_the_limit(n, published):
    given = butterworth_reflection(n, 1.0)
    assert float(capacity(given)) == pytest.approx(2 * n * float(cutoff(given)) / (np.pi * np.log(2)), rel=ALGEBRA)
    assert float(capacity(given)) == pytest.approx(published, rel=1e-12)
    assert float(capacity(given)) < coupling_limit(1.0)


def test_the_limit_is_that_of_endless_chains():
    """Q_N = Q_inf (1 - 5 pi^2 / (24 N^2) + O(N^-4)), by expanding the two sines."""
    n = 400
    q = 2 * n * 2 * np.sqrt(np.sin(np.pi / 2 / n) * np.sin(3 * np.pi / 2 / n)) / (np.pi * np.log(2))
    assert q == pytest.approx(coupling_limit(1.0) * (1 - 5 * np.pi**2 / (24 * n**2)), rel=1e-9)  # the next term is of order 1e-10


def test_synthesis_has_the_zeros_it_was_given():
    rates = from_reflection_zeros(ZEROS, 0.7)
    for z in ZEROS:
        assert abs(scattering(rates, z)[0]) < ALGEBRA
    for w in (-1.3, -0.25, 0.4, 2.0):
        s11, s21 = scattering(rates, w)
        f = np.prod(w - ZEROS) / 0.7
        np.testing.assert_allclose([abs(s21) ** 2, abs(s11 / s21)], [1 / (1 + abs(f) ** 2), abs(f)], rtol=CLOSED_FORM)
    back = reflection(rates)
    np.testing.assert_allclose(np.sort_complex(back.zeros), np.sort_complex(ZEROS), atol=CLOSED_FORM)
    assert float(back.scale) == pytest.approx(0.7, rel=CLOSED_FORM)


def by_mpmath(zeros: list, scale: float) -> np.ndarray:
    """Synthesis in 40 digits: a companion matrix, then numerator over denominator of the input admittance, one long division per mode."""
    with mp.workdps(40):

        def times(a: list, b: list) -> list:
            out = [mp.mpc(0)] * (len(a) + len(b) - 1)
            for i, x in enumerate(a):
                for j, y in enumerate(b):
                    out[i + j] += x * y
            return out

        def poly(roots: list) -> list:
            found = [mp.mpc(1)]
            for root in roots:
                found = times(found, [mp.mpc(1), -root])
            return found

        zeros = [mp.mpc(z) for z in zeros]
        p = poly(zeros)
        power = times(p, [mp.conj(x) for x in p])
        power[-1] += mp.mpf(scale) ** 2
        companion = mp.matrix(len(power) - 1)
        for k in range(len(power) - 1):
            companion[0, k] = -power[k + 1]
            if k:
                companion[k, k - 1] = 1
        w = poly([r for r in mp.eig(companion, right=False) if r.imag < 0])
        kappa = (w[1] - p[1]) / mp.mpc(0, 1)
        # 1/G = -i w + i d_1 + kappa_1/2 + J_1^2 G_2, G = (w - P)/(kappa_1 w): divide, keep the remainder, turn it over.
        top, bottom = [kappa * x for x in w], [x - y for x, y in zip(w, p, strict=True)][1:]
        j, d, kappa_last = [], [], None
        for k in range(len(zeros)):
            lead = top[0] / bottom[0]
            rest = [x - lead * y for x, y in zip(top, [*bottom, mp.mpc(0)], strict=True)][1:]
            constant = rest[0] / bottom[0]
            rest = [x - constant * y for x, y in zip(rest, bottom, strict=True)][1:]
            own = constant - (kappa / 2 if k == 0 else 0)
            d.append(own.imag)
            if rest:
                j.append(mp.sqrt((rest[0] / bottom[0] * mp.mpc(0, -1)).real))
                top, bottom = [x * j[-1] ** 2 for x in bottom], rest
            else:
                kappa_last = 2 * own.real
        return np.array([float(x) for x in (*j, kappa.real, kappa_last, *d)])


@pytest.mark.parametrize("zeros", [ZEROS, np.array([0.5, -0.5, 0.2, -0.2]), np.zeros(6), np.array([0.4j, -0.1])])
def test_synthesis_against_forty_digits(zeros):
    np.testing.assert_allclose(as_array(from_reflection_zeros(zeros, 0.8)), by_mpmath(list(zeros), 0.8), atol=CLOSED_FORM)


def test_synthesis_recovers_chains_and_butterworth():
    """Random zeros to a chain to zeros; all zeros at 0 gives the closed form, here at N = 8 and in rad/s of a real device."""
    rng = np.random.default_rng(2)
    for n in (2, 5):
        zeros = rng.uniform(-0.8, 0.8, n) + 1j * rng.uniform(-0.3, 0.3, n)
        np.testing.assert_allclose(
            np.sort_complex(reflection(from_reflection_zeros(zeros, 1.0)).zeros), np.sort_complex(zeros), atol=CLOSED_FORM
        )
    given = butterworth_reflection(8, 5 * MHz)
    found, wanted = from_reflection_zeros(given.zeros, given.scale), butterworth(8, 5 * MHz)
    np.testing.assert_allclose(as_array(found), as_array(wanted), atol=CLOSED_FORM * 5 * MHz)


def test_synthesis_is_differentiable():
    """Against differences of the 40-digit synthesis."""
    slopes = jax.jit(jax.jacfwd(lambda x, d: flat(from_reflection_zeros(jnp.asarray(ZEROS) * x, d)), (0, 1)))(1.0, 0.8)
    h = 1e-4
    for k, at in enumerate((lambda s: by_mpmath(list(ZEROS * (1 + s)), 0.8), lambda s: by_mpmath(list(ZEROS), 0.8 + s))):
        wide, narrow = ((at(x) - at(-x)) / (2 * x) for x in (2 * h, h))
        np.testing.assert_allclose(slopes[k], (4 * narrow - wide) / 3, atol=GRADIENT)


def generic(n: int, rng: np.random.Generator) -> Rates:
    return Rates(
        jnp.asarray(1 + 0.3 * rng.uniform(-1, 1, n - 1)),
        jnp.asarray(2.5 + rng.uniform(-1, 1)),
        jnp.asarray(2.5 + rng.uniform(-1, 1)),
        jnp.asarray(0.3 * rng.uniform(-1, 1, n)),
    )


def test_capacity_by_frequencies_and_by_zeros():
    """The integral over the device's own spectrum against the closed form, with singularities (real zeros) and without."""
    rng = np.random.default_rng(5)
    given = [Reflection(jnp.asarray([0.5, -0.5, 0.21, -0.2], complex), jnp.asarray(1.0)), Reflection(jnp.asarray(ZEROS), jnp.asarray(1.0))]
    chains = [from_reflection_zeros(*one) for one in given] + [generic(4, rng) for _ in range(4)]
    for one, rates in zip(given + [reflection(rates) for rates in chains[2:]], chains, strict=True):
        found = capacity_rate(Chain.of(rates).linear_system())
        np.testing.assert_allclose(np.array(found), float(capacity(one)), rtol=CLOSED_FORM)


def test_the_gradient_of_the_integral_where_it_is_singular():
    """Zeros on the real axis: the cuts move with them."""
    zeros = jnp.asarray([0.3, -0.45], complex)
    rate = jax.jit(jax.jacfwd(lambda x: capacity_rate(Chain.of(from_reflection_zeros(zeros * x, 1.0)).linear_system()).pure_loss))
    closed = jax.jit(jax.jacfwd(lambda x: capacity(Reflection(zeros * x, jnp.asarray(1.0)))))
    np.testing.assert_allclose(rate(0.9), closed(0.9), rtol=GRADIENT)


def test_capacity_of_a_split_band():
    """Two separate bands, |F| > 1 between them: D = 0.05 and zeros at +-0.5, each band's edges sqrt(1/4 +- D)."""
    given = Reflection(jnp.asarray([0.5, -0.5], complex), jnp.asarray(0.05))
    edges, inside = bands(given)
    np.testing.assert_allclose(edges, [-(0.3**0.5), -(0.2**0.5), 0.2**0.5, 0.3**0.5], rtol=CLOSED_FORM)
    assert inside.tolist() == [True, False, True]
    with mp.workdps(30):
        wanted = -2 * mp.quad(lambda w: 2 * mp.log(abs(w * w - 0.25) / 0.05, 2), [mp.sqrt(0.2), 0.5, mp.sqrt(0.3)]) / (2 * mp.pi)
    assert float(capacity(given)) == pytest.approx(float(wanted), rel=CLOSED_FORM)


def test_no_chain_near_the_best_is_better():
    """Moved zeros and scale never carry more per largest coupling than N zeros at 0 do."""
    rng = np.random.default_rng(3)
    off_axis = 0.1 * rng.normal(size=(64, 4)) * (rng.random((64, 1)) < 0.5)
    zeros = rng.normal(size=(64, 4)) * 10 ** rng.uniform(-3, -0.5, (64, 1)) + 1j * off_axis

    @jax.jit
    @jax.vmap
    def ratio(zeros):
        return capacity(Reflection(zeros, jnp.ones(()))) / jnp.max(from_reflection_zeros(zeros, 1.0).coupling)

    found = np.asarray(ratio(jnp.asarray(zeros, complex)))
    assert np.isfinite(found).all() and found.max() < 4.368900482229 * (1 + 1e-12) and found.max() > 4.36


def test_two_modes_are_the_electro_optic_device():
    sheet = {"kappa_e_ext": 1.0, "kappa_e_int": 0.2, "kappa_o_ext": 2.0, "kappa_o_int": 0.3, "n_e_int": 0.4, "detuning_o": 0.1}
    chain = Chain(**sheet, coupling=0.7)
    ours, theirs = chain.linear_system(), ElectroOptic(**sheet, g0=0.7, pump_photons=1.0).linear_system()
    assert (ours.modes, ours.ports, ours.edges) == (theirs.modes, theirs.ports, theirs.edges)
    np.testing.assert_allclose(ours.drift_matrix(), theirs.drift_matrix(), rtol=ALGEBRA)
    np.testing.assert_allclose(np.array(ours.occupation), np.array(theirs.occupation), rtol=ALGEBRA)
    assert chain.drives() == {}


def test_losses_between_and_their_noise():
    """A lossy middle mode, resonant: eta = 4 C1 C2 / (1 + C1 + C2)^2 and N = n_m / C1, as a membrane's."""
    middle = Resonator(coupling=0.3, kappa_int=0.1, occupation=5.0)
    chain = Chain(kappa_e_ext=1.0, kappa_e_int=0.0, kappa_o_ext=2.0, kappa_o_int=0.0, between=(middle,), coupling=0.5)
    c1, c2, at = 4 * 0.09 / 0.1, 4 * 0.25 / 0.2, jnp.zeros(())
    assert float(chain.efficiency(omega=at)) == pytest.approx(4 * c1 * c2 / (1 + c1 + c2) ** 2, rel=ALGEBRA)
    assert float(chain.added_noise_input(omega=at)) == pytest.approx(5 / c1, rel=ALGEBRA)
    assert [float(j) for j in chain.couplings] == [0.3, 0.5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: butterworth(1, 1.0), "butterworth: modes must be at least 2, but is 1"),
        (lambda: butterworth(3, 0.0), "butterworth: g_max must be above 0, but is 0"),
        (lambda: from_reflection_zeros([0.1], 1.0), "from_reflection_zeros: modes must be at least 2, but is 1"),
        (lambda: from_reflection_zeros([0.1, 0.2], -1.0), "from_reflection_zeros: scale must be above 0, but is -1"),
        (lambda: Resonator(coupling=-1.0), "Resonator.coupling must be at least 0 Hz"),
        (lambda: Chain.of(butterworth(3, 1.0), heating_conductance=1.0), "Chain.heating_conductance must not be given"),
        (lambda: Chain.of(butterworth(3, 1.0), coupling=-1.0), "Chain.coupling must be at least 0 Hz"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
