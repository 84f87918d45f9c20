"""Wavepackets: closed forms, Fourier pairs, the clock and the integrals, against panels of Gauss-Legendre nodes, scipy and mpmath."""

from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.optimize

from transduce.link.wavepacket import Decaying, Gaussian, Rising, Sech, _sech
from transduce.units import Hz, MHz

from .. import ALGEBRA, CLOSED_FORM, GRADIENT
from .packets import CASES, PACKETS, RATES, B, S, T, Witness, answers_of, close, difference, integrals, witness_of

# Shapes


def test_closed_forms():
    """The shapes, written again in numpy, and the second form of the sech's width."""
    t, w = np.linspace(-2, 3, 11) / B, np.linspace(-3, 2, 11) * B
    decay, rise, gauss, sech = (CASES[name].packet for name in ("decaying", "rising", "gaussian", "sech"))
    k = np.pi**2 * (B / Hz) / np.arccosh(np.sqrt(2))
    pairs = [
        (decay.amplitude, t, np.sqrt(B) * np.exp(-B * t / 2) * (t >= 0)),
        (rise.amplitude, t, np.sqrt(B) * np.exp(B * t / 2) * (t <= 0)),
        (gauss.amplitude, t, (Hz * S**2) ** -0.25 * np.exp(-(t**2) / (4 * S**2))),
        (sech.amplitude, t, np.sqrt(k) / 2 / np.cosh(k * t / 2)),
        (decay.spectrum, w, np.sqrt(B) / (B / 2 - 1j * w)),
        (rise.spectrum, w, np.sqrt(B) / (B / 2 + 1j * w)),
        (gauss.spectrum, w, (8 * np.pi * S**2) ** 0.25 * np.exp(-(S**2) * w**2)),
        (sech.spectrum, w, np.pi * np.sqrt(T / 2) / np.cosh(np.pi * w * T / 2)),
    ]
    for function, at, wanted in pairs:
        close(jax.vmap(function)(at), wanted, ALGEBRA)


@PACKETS
def test_amplitude_and_spectrum_are_a_fourier_pair_of_norm_one(name):
    witness, omegas = witness_of(name), B * np.array([0.0, 0.3, -0.7, 2.0, -3.5])
    assert witness.mean() == pytest.approx(1, abs=ALGEBRA)
    close(jax.vmap(CASES[name].packet.spectrum)(omegas), [witness.transform(omega) for omega in omegas], CLOSED_FORM)


@PACKETS
def test_norm_of_the_spectrum(name):
    """Through w = B tan(theta)/2, midpoint rule; the table's spectrum oscillates and falls as w^-4, so it is asked for less."""
    theta = (np.arange(3000) + 0.5) * np.pi / 3000 - np.pi / 2
    omegas = B / 2 * np.tan(theta)
    powers = abs(np.asarray(jax.jit(jax.vmap(CASES[name].packet.spectrum))(omegas))) ** 2
    total = np.sum(powers * B / 2 / np.cos(theta) ** 2) * np.pi / 3000 / Hz
    assert total == pytest.approx(1, abs=1e-5 if name == "tabulated" else CLOSED_FORM)


@PACKETS
def test_bandwidth_is_the_full_width_at_half_maximum_of_the_power(name):
    packet = CASES[name].packet
    spectrum = jax.jit(lambda omega: packet.spectrum(omega))

    def power(omega: float) -> float:
        return abs(complex(spectrum(omega))) ** 2

    grid = np.linspace(-6, 6, 2401) * B
    start = grid[np.argmax(abs(np.asarray(jax.vmap(spectrum)(grid))))]
    peak = scipy.optimize.minimize_scalar(lambda x: -power(x), bracket=(start - B / 50, start + B / 50), tol=1e-12)
    edges = [scipy.optimize.brentq(lambda x: power(x) + peak.fun / 2, peak.x, peak.x + side * 2 * B, xtol=1e-9) for side in (-1, 1)]
    assert answers_of(name).bandwidth == pytest.approx(edges[1] - edges[0], rel=CLOSED_FORM)


def test_reach_is_where_the_power_is_1e32_below_its_maximum():
    for packet in (CASES["gaussian"].packet, CASES["sech"].packet):
        log_ratio = 2 * jnp.log(jnp.real(packet.spectrum(packet.reach) / packet.spectrum(0.0)))
        assert float(log_ratio) == pytest.approx(-32 * np.log(10), rel=ALGEBRA)
    assert all(np.isinf(CASES[name].packet.reach) for name in ("decaying", "rising", "tabulated"))
    assert abs(CASES["sampled"].packet.spectrum(1.001 * CASES["sampled"].packet.reach)) == 0


def test_features():
    wanted = {"decaying": (0, B / 2), "rising": (0, B / 2), "gaussian": (0, 1 / (2 * S)), "sech": (0, 1 / T)}
    for name, (centre, width) in wanted.items():
        centres, widths = answers_of(name).features
        close(np.concatenate([centres, widths]), [centre, width], ALGEBRA)
    centres, widths = answers_of("sampled").features
    omegas = np.linspace(-40, 40, 4001) * B
    powers = abs(np.asarray(jax.jit(jax.vmap(CASES["sampled"].packet.spectrum))(omegas))) ** 2
    mean = np.sum(powers * omegas) / np.sum(powers)
    close(np.concatenate([centres, widths]), [mean, np.sqrt(np.sum(powers * (omegas - mean) ** 2) / np.sum(powers))], CLOSED_FORM)
    witness = witness_of("tabulated")  # int |f'|^2 and int f* i f', by differences within straight cells
    slopes = (witness.values[:, 9] - witness.values[:, 6]) / (witness.times[:, 9] - witness.times[:, 6])
    mean = np.real(np.sum(witness.weights * np.conj(witness.values) * 1j * slopes[:, None]))
    deviation = np.sqrt(np.sum(witness.widths * abs(slopes) ** 2) - mean**2)
    assert [part[1] for part in answers_of("tabulated").features] == pytest.approx([mean, deviation], rel=CLOSED_FORM)


def test_sech_and_gaussian_overlaps_with_themselves():
    """Q4: displaced in time or in frequency."""
    tau, delta = 0.4 / B, 0.3 * B
    y, x = tau / T, np.pi * delta * T / 2
    wanted = {"gaussian": (tau**2 / (8 * S**2), delta**2 * S**2 / 2), "sech": (-np.log(y / np.sinh(y)), -np.log(x / np.sinh(x)))}
    for name, logs in wanted.items():
        witness, packet = witness_of(name), CASES[name].packet
        later = jax.vmap(jax.vmap(packet.amplitude))(witness.times - tau)
        in_time = np.sum(witness.weights * np.conj(witness.values) * later)
        in_frequency = np.sum(witness.weights * witness.density * np.exp(1j * delta * witness.times))
        close([in_time, in_frequency], np.exp(-np.array(logs)), CLOSED_FORM)


# Clock and integrals


@PACKETS
def test_a_millionth_lies_outside_the_clock(name):
    case, start, end = CASES[name], answers_of(name).start, answers_of(name).end
    before = 0.0 if start <= case.low else Witness(case, high=start).mean()
    after = 0.0 if end >= case.high else Witness(case, low=end).mean()
    edges = {"decaying": (0.0, 1e-6), "rising": (1e-6, 0.0)}
    # the transform's rounding, 1e-16 of the norm, is 1e-10 of the tail: a part in 1e11 of the duration
    tolerance = 1e-9 if name == "sampled" else CLOSED_FORM
    assert (before, after) == pytest.approx(edges.get(name, (1e-6, 1e-6)), rel=tolerance, abs=0)
    assert answers_of(name).duration == end - start


@PACKETS
def test_integrals(name):
    witness, answers = witness_of(name), answers_of(name)
    since, left = witness.times - answers.start, answers.end - witness.times
    for rate, growth, decay, overlap in zip(RATES, *answers.integrals, strict=True):
        assert growth == pytest.approx(witness.mean(np.exp(rate * since)), rel=CLOSED_FORM)
        assert decay == pytest.approx(witness.mean(np.exp(rate * left)), rel=CLOSED_FORM)
        assert overlap == pytest.approx(witness.overlap(rate), rel=1e-11)


@PACKETS
def test_slopes_with_the_rate(name):
    """d/d rate of each integral is a moment: of t - start, of end - t; that of the overlap by differences."""
    witness, answers = witness_of(name), answers_of(name)
    since, left = witness.times - answers.start, answers.end - witness.times
    for rate, growth, decay, overlap in zip(RATES, *answers.slopes, strict=True):
        assert growth == pytest.approx(witness.mean(since * np.exp(rate * since)), rel=GRADIENT)
        assert decay == pytest.approx(witness.mean(left * np.exp(rate * left)), rel=GRADIENT)
        assert overlap == pytest.approx(difference(witness.overlap, rate, 1e-3 * B), rel=GRADIENT)


def test_overlaps_to_the_last_digit():
    """mpmath, from the density of the time difference, up to a dephasing thirty times as fast as the packet."""
    for x in (-0.5, 1e-9, 0.3, 2.0, 30.0):
        gauss = 2 * mp.quad(lambda y, x=x: mp.exp(-x * y - y**2 / 4) / mp.sqrt(4 * mp.pi), [0, 1, 4, 30])
        sech = 2 * mp.quad(lambda y, x=x: mp.exp(-x * y) * (y * mp.coth(y) - 1) / mp.sinh(y) ** 2, [mp.mpf("1e-8"), 0.1, 1, 4, 30])
        sech += mp.mpf("2e-8") / 3
        assert float(CASES["gaussian"].packet.overlap(x / S)) == pytest.approx(float(gauss), rel=1e-13)
        assert float(CASES["sech"].packet.overlap(x / T)) == pytest.approx(float(sech), rel=ALGEBRA)


def test_a_sech_at_any_rate():
    """Value and first two slopes of E e^{rt} = (pi x)/sin(pi x) and of the overlap's trigamma, x = rT/2, up to where they diverge."""
    packet, start = CASES["sech"].packet, mp.mpf(float(CASES["sech"].packet.start)) / T

    def growth(x):
        return mp.exp(-2 * x * start) * (mp.pi * x / mp.sin(mp.pi * x) if x else 1)

    def overlap(x):
        return 1 - 2 * x + 2 * x**2 * mp.psi(1, 1 + x)

    for ours, exact, rates in (
        (packet.growth, growth, (-0.999, -0.3, -1e-9, 0.0, 1e-15, 1e-5, 0.2, 0.9, 0.999)),
        (packet.overlap, overlap, (-0.99, -1e-9, 0.0, 1e-12, 1e-3, 0.4, 3.0)),
    ):
        of = lambda x, ours=ours: ours(2 * x / T)  # noqa: E731
        for x in rates:
            with mp.workdps(60):
                wanted = [float(mp.diff(exact, mp.mpf(x), order, h=mp.mpf("1e-20"))) for order in (0, 1, 2)]
            found = [float(f(x)) for f in (of, jax.grad(of), jax.grad(jax.grad(of)))]
            np.testing.assert_allclose(found, wanted, rtol=1e-15 / (1 - min(abs(x), 0.9999)) + ALGEBRA, atol=ALGEBRA, err_msg=str(x))


def test_a_sech_far_out_is_dark_and_flat():
    """Its exponential neither overflows nor leaves a NaN behind, in either precision, nor do its slopes."""
    x = jnp.array([-1e6, -300.0, -50.0, 0.0, 50.0, 300.0, 1e6])
    dark = np.array([0, 0, 0, 1, 0, 0, 0])
    for kind in (jnp.float32, jnp.float64):
        value, slope = jax.vmap(jax.value_and_grad(_sech))(x.astype(kind))
        bend = jax.vmap(jax.grad(jax.grad(_sech)))(x.astype(kind))
        for found, wanted in ((value, dark), (slope, 0 * dark), (bend, -dark)):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)


def test_integrals_that_diverge_are_infinite_and_their_inverse_has_slope_zero():
    for packet, rate in (
        (Decaying(bandwidth=B), 1.0 * B),
        (Decaying(bandwidth=B), 3 * B),
        (Sech(bandwidth=B), 2.1 / T),
        (Sech(bandwidth=B), -2.1 / T),
    ):
        assert packet.growth(rate) == np.inf
        assert jax.grad(lambda r, packet=packet: 1 / packet.growth(r))(rate) == 0
    assert Rising(bandwidth=B).growth(-B) == Rising(bandwidth=B).decay(B) == Decaying(bandwidth=B).decay(-B) == np.inf
    assert Decaying(bandwidth=B).overlap(-B) == Sech(bandwidth=B).overlap(-2.1 / T) == np.inf
    assert np.isfinite(Gaussian(bandwidth=B).growth(3 * B))


# Gradients


SHAPES: dict[str, Any] = {"decaying": Decaying, "rising": Rising, "gaussian": Gaussian, "sech": Sech}


def exact(name: str, b: Any, r: Any) -> list[Any]:
    """growth, decay, overlap, start, end in mpmath."""
    q, rest = mp.mpf(10) ** -6, 1 - mp.mpf(10) ** -6
    if name in ("decaying", "rising"):
        length, lone, early = -mp.log(q) / b, b / (b - r), b / (b + r)
        late = mp.exp(r * length) * early
        return [lone, late, early, mp.mpf(0), length] if name == "decaying" else [late, lone, early, -length, mp.mpf(0)]
    if name == "gaussian":
        s = mp.sqrt(2 * mp.log(2)) / b
        end = mp.sqrt(2) * mp.erfinv(1 - 2 * q) * s
        grown, overlap = mp.exp((r * s) ** 2 / 2 + r * end), mp.exp((r * s) ** 2) * mp.erfc(r * s)
    else:
        t = 4 * mp.acosh(mp.sqrt(2)) / (mp.pi * b)
        end, x = t / 2 * mp.log(rest / q), mp.pi * r * t / 2
        grown = mp.exp(r * end) * (x / mp.sin(x) if x else mp.mpf(1))
        overlap = 1 - r * t + (r * t) ** 2 / 2 * mp.psi(1, 1 + r * t / 2)
    return [grown, grown, overlap, -end, end]


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_of_the_closed_forms(name):
    """By bandwidth and rate, against differences of 40 digits; logarithmic in the bandwidth, of 1/B in the rate."""
    places = np.array([0.0, 1e-7, 0.02, 0.3])

    def ask(b, r):
        packet = SHAPES[name](bandwidth=b)
        return jnp.stack([*integrals(packet, r), B * packet.start, B * packet.end])

    found = np.array(jax.jit(jax.vmap(jax.jacrev(ask, (0, 1)), (None, 0)))(B, places * B)) * B
    with mp.workdps(50):
        h = mp.mpf(10) ** -20
        for row, (db, dr) in zip(found, ((1, 0), (0, 1)), strict=True):
            for slopes, x in zip(row, places, strict=True):
                up, down = (exact(name, 1 + sign * h * db, mp.mpf(x) + sign * h * dr) for sign in (1, -1))
                assert slopes == pytest.approx([float((a - b) / (2 * h)) for a, b in zip(up, down, strict=True)], rel=GRADIENT, abs=1e-15)


# Wrong input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sech(bandwidth=-1 * MHz), r"Sech.bandwidth must be above 0 Hz, but is -"),
        (lambda: Gaussian(bandwidth=0.0), r"Gaussian.bandwidth must be above 0 Hz, but is 0 Hz"),
        (lambda: Decaying(bandwidth=np.nan), r"Decaying.bandwidth must be .*, but is nan"),
        (lambda: Rising(bandwidth=np.inf), r"Rising.bandwidth must be .*, but is inf"),
    ],
)
def test_wrong_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
