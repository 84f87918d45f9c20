"""A qubit's transfer: the matched mode in time against a brute-force transform, the ends' factors, encodings, jitter, what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import ALGEBRA, CLOSED_FORM
from tests.protocols.bundled import OPTIMUM, QUBIT, TRANSFER, connect, device
from transduce.devices.electro_optic import ElectroOptic
from transduce.devices.optomechanical import ElectroOptomechanical
from transduce.gaussian.channel import ModeChannel
from transduce.linear.system import UnstableError
from transduce.link.emission import Qubit, absorption, emission
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.node import Connection, Node
from transduce.link.overlap import jittered
from transduce.link.routing import Switch
from transduce.link.synchronisation import Synchronisation
from transduce.link.wavepacket import Decaying, Sech
from transduce.protocols.transfer import Passage, Transfer, samples_needed
from transduce.qubit.encodings import DualRail, SingleRail, TimeBin
from transduce.units import MHz, c_0, kHz, km, mK, ns, us

RATES = {"kappa_e_ext": 4 * MHz, "kappa_e_int": 1 * MHz, "kappa_o_ext": 3 * MHz, "kappa_o_int": 2 * MHz}


PHOTON = Sech(bandwidth=1 * MHz)
ENCODINGS = {"single-rail": SingleRail(), "dual-rail": DualRail(), "time-bin": TimeBin()}


@eqx.filter_jit
def perform(connection: Connection | Link, samples: int = 512, photon=PHOTON, mode=None) -> dict:
    """All three encodings from one passage."""
    transfers = {name: Transfer(one, photon, mode, samples) for name, one in ENCODINGS.items()}
    passage = Passage.over(transfers["time-bin"], connection)
    return {name: transfer.performance(passage) for name, transfer in transfers.items()}


def between(built, sender: dict | None = None, receiver: dict | None = None) -> Connection:
    """One design at both ends, T1 = 30 us and T2 = 20 us; the receiver states its differential jitter, the sender does not."""
    own = {"t1": 30 * us, "t2": 20 * us}
    base = connect(built)
    a, b = Qubit(**own | (sender or {})), Qubit(**own | {"differential_phase_jitter": 0.0} | (receiver or {}))
    return Connection(Node(a, built), Node(b, built), base.path)


def membrane(**changed) -> ElectroOptomechanical:
    """Its slowest pole, gamma_m (1 + C_e + C_o) / 2, is far narrower than the photon."""
    strengths = {"frequency_m": 5 * MHz, "gamma_m": 1 * kHz, "cooperativity_e": 40.0, "cooperativity_o": 40.0}
    return ElectroOptomechanical(**(strengths | RATES | changed))


@eqx.filter_jit
def arriving(link: Link, photon, omega: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The row's response, and the photon before it."""
    prepared = link.prepare()
    return jax.vmap(lambda w: prepared.response(w).u)(omega), jax.vmap(photon.spectrum)(omega)


def brute_force(connection: Connection, photon, size: int) -> tuple[float, float]:
    """Absorption of u f: a long FFT of the row's response, its density summed up from the end; no quadrature, no Fourier series."""
    reach = 8 * float(photon.reach)
    omega = (np.arange(size) - size // 2) * (2 * reach / size)
    u, sent = arriving(connection.link(), photon, omega)
    mode = np.asarray(u) * np.asarray(sent)
    density = np.abs(np.fft.fftshift(np.fft.fft(np.fft.ifftshift(mode)))) ** 2
    step = np.pi / reach
    times, density = (np.arange(size) - size // 2) * step, density / (density.sum() * step)
    late = np.cumsum(density[::-1])[::-1] * step - density * step / 2  # trapezoid from t to the end
    k = int(np.argmax(late < 1e-6))
    end = times[k - 1] + step * np.log(late[k - 1] / 1e-6) / np.log(late[k - 1] / late[k])
    g1, gp = 1 / float(connection.b.qubit.t1), float(connection.b.qubit.dephasing_rate)
    window = density > 1e-25 * density.max()  # e^{-gp t} grows beyond bounds on what is rounding
    growth, coherent = (np.sum(density[window] * np.exp(r * (end - times[window]))) * step for r in (g1, -gp))
    overlap = correlation(density * step, step, gp)
    return overlap / growth, coherent / np.sqrt(overlap)


def correlation(weights: np.ndarray, step: float, rate: float) -> float:
    """sum_jk p_j p_k e^{-rate |t_j - t_k|} by one circular convolution, twice as long as the data."""
    size = 2 * len(weights)
    distance = np.minimum(np.arange(size), size - np.arange(size)) * step
    kernel = np.exp(-rate * distance)
    return float(np.fft.irfft(np.fft.rfft(weights, size) * np.fft.rfft(kernel), size)[: len(weights)] @ weights)


@pytest.mark.parametrize("case", ["published", "optimum", "narrow"])
def test_absorption_of_the_matched_mode(case):
    """Against 2^16 points; a narrow device rings for long, and ``samples_needed`` says how many samples its mode takes."""
    built = {"published": device(), "optimum": device(**OPTIMUM), "narrow": membrane(n_m=1.0)}[case]
    connection = between(built)
    samples = samples_needed(connection, PHOTON)
    assert (samples == 512) == (case != "narrow")
    done = perform(connection, samples)["time-bin"]
    efficiency, coherence = brute_force(connection, PHOTON, 2**16)
    sent = eqx.filter_jit(emission)(connection.a.qubit, PHOTON)
    absorbed = float(done.channel.efficiency / done.packet.efficiency / sent.efficiency)
    # The brute force sums trapezoids, here 1e-7 off: an eighth of the step that the mode itself needs.
    assert absorbed == pytest.approx(efficiency, rel=1e-6)
    assert float(done.coherence / sent.coherence) == pytest.approx(coherence, rel=1e-6)
    assert float(done.channel.noise / done.packet.noise) == pytest.approx(absorbed, rel=CLOSED_FORM)


def clocked(qubit: Qubit, built: ElectroOptic, clocks: Synchronisation, memories: tuple[Qubit, Qubit] | None = None) -> Connection:
    """One design at both ends of a fibre, what waits in memories of its own: what differs in values alone compiles once."""
    nodes = (Node(qubit, built, memory=memory) for memory in memories or (qubit, qubit))
    return Connection(*nodes, Link(fibre=Fibre(length=2 * km, attenuation=0.0)), synchronisation=clocks)


def test_a_mode_that_is_given():
    """Both ends are closed forms: t -> sqrt(e_em e_abs) t, n -> e_abs n, c = c_em c_abs."""
    qubit, mode = Qubit(t1=30 * us, t2=20 * us), Sech(bandwidth=0.8 * MHz)
    done = perform(
        clocked(qubit, ElectroOptic(cooperativity=0.4, temperature=60 * mK, **RATES), Synchronisation()), photon=PHOTON, mode=mode
    )["single-rail"]
    assert float(done.packet.noise) > 1e-4
    sent, got = eqx.filter_jit(emission)(qubit, PHOTON), eqx.filter_jit(absorption)(qubit, mode)
    wanted = float(abs(done.packet.transmission)) * float(jnp.sqrt(sent.efficiency * got.efficiency))
    assert float(abs(done.channel.transmission)) == pytest.approx(wanted, rel=ALGEBRA)
    assert float(done.channel.noise) == pytest.approx(float(done.packet.noise * got.efficiency), rel=ALGEBRA)
    assert float(done.coherence) == pytest.approx(float(sent.coherence * got.coherence), rel=ALGEBRA)


def test_a_bare_link_is_perfect_qubits():
    """T1, T2 -> infinity; and the process is the encoding's own of (t, n)."""
    forever = {"t1": 1e9, "t2": 2e9}
    connection = between(device(**OPTIMUM), forever, forever)
    bare, held = perform(connection.link()), perform(connection)

    @eqx.filter_jit
    def closed(packets: dict) -> dict:
        return {name: encoding.process(packets[name]).average_fidelity for name, encoding in ENCODINGS.items()}

    for name, wanted in closed({name: done.packet for name, done in bare.items()}).items():
        assert float(bare[name].average_fidelity) == pytest.approx(float(wanted), rel=ALGEBRA)
        assert float(held[name].average_fidelity) == pytest.approx(float(wanted), abs=CLOSED_FORM)
        delay, photons = float(connection.link().delay), (2 if name == "time-bin" else 1) * float(PHOTON.duration)
        assert float(bare[name].latency) == pytest.approx(delay + photons, rel=ALGEBRA)
        success = 1.0 if name == "single-rail" else float(bare[name].process.success_probability)
        news = 0.0 if name == "single-rail" else delay  # of a herald, back to the sender
        assert float(bare[name].rate) == pytest.approx(success / (delay + photons + news), rel=ALGEBRA)


def test_the_duty_cycle_costs_rate_and_nothing_else():
    """The ends work together, so that the smaller duty cycle counts."""
    always, now_and_then = (perform(between(device(**OPTIMUM, duty_cycle=duty)))["time-bin"] for duty in (1.0, 0.3))
    assert float(now_and_then.rate) == pytest.approx(0.3 * float(always.rate), rel=ALGEBRA)
    assert float(now_and_then.average_fidelity) == pytest.approx(float(always.average_fidelity), rel=ALGEBRA)


def test_jitters_add_in_quadrature():
    """sigma^2 = sa^2 + sb^2 on a single rail; of two uses the increments, 2 sigma^2 where none is stated."""
    a, b, stated = 0.2, 0.3, 0.1
    still = perform(between(device(**OPTIMUM)))
    shaky = perform(between(device(**OPTIMUM), {"phase_jitter": a}, {"phase_jitter": b, "differential_phase_jitter": stated}))
    for name in ENCODINGS:
        variance = a**2 + b**2 if name == "single-rail" else 2 * a**2 + stated**2
        kept = abs(shaky[name].process.choi[3, 0] / still[name].process.choi[3, 0])
        assert float(kept) == pytest.approx(np.exp(-variance / 2), rel=CLOSED_FORM)


def test_ends_that_differ():
    """A membrane sends a photon within its width, an electro-optic device receives, and the other way about: reciprocal, cold."""
    path = Link(fibre=Fibre(length=1 * km), switch=Switch(insertion_loss=0.5))
    wide, narrow, photon = ElectroOptic(cooperativity=0.4, **RATES), membrane(), Sech(bandwidth=20 * kHz)
    ask = eqx.filter_jit(lambda connection: (connection.link().channel(photon), connection.link().response(0.0)))
    (forth, at), (back, _) = (ask(Connection(Node(QUBIT, a), Node(QUBIT, b), path)) for a, b in ((narrow, wide), (wide, narrow)))
    assert float(forth.efficiency) == pytest.approx(float(back.efficiency), rel=CLOSED_FORM)
    peak = 0.8 * 0.6 * 4 * 40**2 / 81**2 * 0.8 * 0.6 * 4 * 0.4 / 1.4**2 * 10**-0.07
    assert float(abs(at.u) ** 2) == pytest.approx(peak, rel=CLOSED_FORM)
    assert 0.8 * peak < float(forth.efficiency) < peak


def stokes(g_s):
    auxiliary = {"kappa_s_ext": 1 * MHz, "kappa_s_int": 1 * MHz, "kappa_d": 1 * MHz}
    return ElectroOptic(cooperativity=0.4, stokes=True, g_s=g_s, **auxiliary, **RATES)


def test_an_unstable_device():
    """Stokes gain above threshold (g_s = 1.87 MHz): an error eagerly, NaN with zero slope in its lane, the other lanes as they were."""
    with pytest.raises(UnstableError, match="unstable: a disturbance grows at"):
        TRANSFER(connect(stokes(3 * MHz)))

    transfers = [Transfer(encoding, PHOTON, PHOTON) for encoding in ("time-bin", "single-rail")]
    still = connect(ElectroOptic(cooperativity=0.4, **RATES))

    def value(g_s):
        passage = Passage.over(transfers[0], eqx.tree_at(lambda c: c.a.device, still, stokes(g_s)))
        done, rail = (one.performance(passage) for one in transfers)
        others = done.packet.efficiency, done.link.bandwidth_fwhm, done.success_probability, done.rate
        return done.average_fidelity_heralded, (*others, rail.fidelity, rail.success_probability, rail.rate, rail.ebit_rate)

    ask = jax.jit(jax.vmap(jax.value_and_grad(value, has_aux=True)))
    (fidelity, others), slope = ask(jnp.array([0.5 * MHz, 3 * MHz, 0.7 * MHz]))
    (alone, _), slope_alone = ask(jnp.array([0.5 * MHz, 0.1 * MHz, 0.7 * MHz]))
    assert np.isnan(fidelity[1]) and all(np.isnan(x[1]) for x in others) and float(slope[1]) == 0
    for lane in (0, 2):
        assert float(fidelity[lane]) == float(alone[lane]) and float(slope[lane]) == float(slope_alone[lane]) != 0


def test_what_is_refused():
    pairs = ElectroOptic(cooperativity=0.4, pump="blue", **RATES)
    with pytest.raises(ValueError, match=r"Convert\.device must convert from microwave to optical, but is pumped for pairs"):
        TRANSFER(connect(pairs))
    with pytest.raises(ValueError, match=r"^encoding must be one of single-rail, dual-rail, time-bin, but is 'qutrit'"):
        Transfer("qutrit", Sech(bandwidth=1 * MHz))


def test_noise_raises_the_unheralded_fidelity_below_a_ninth():
    """dF/dn = (1 - 9 eta)/2 at n = 0, dual rail; the heralded one falls whatever eta."""

    @jax.jit
    @jax.jacfwd
    def slopes(n, eta):
        done = DualRail().process(ModeChannel(eta**0.5, n))
        return done.entanglement_fidelity, done.entanglement_fidelity_heralded

    for eta in (0.05, 1 / 9, 0.5):
        slope, heralded = slopes(0.0, eta)
        assert float(slope) == pytest.approx((1 - 9 * eta) / 2, abs=ALGEBRA)
        assert float(heralded) < 0


def test_the_front_door():
    """Concrete values: the same figures as traced, and the budget beside them."""
    connection = between(device())
    eager, traced = TRANSFER(connection), perform(connection)["time-bin"]
    assert eager.budget is not None and traced.budget is None and eager.budget.objective == "average_fidelity_heralded"
    assert float(eager.average_fidelity) == pytest.approx(float(traced.average_fidelity), rel=ALGEBRA)


def test_a_short_photon_and_one_with_an_edge_need_more_samples():
    connection = between(device(**OPTIMUM))
    assert samples_needed(connection, Decaying(bandwidth=1 * MHz)) > 2048
    assert 512 < samples_needed(connection, Sech(bandwidth=50 * MHz)) <= 2**16


def test_a_clock_that_errs_costs_overlap():
    """Of a broad lossless device the photon comes out as it went in: V and xi of its own shape, in closed form, in the mean over delays.

    The nodes of the broader device resolve the delays of a small jitter, those of the narrower one, 1e-6 of whose photon is changed, all.
    """
    forever = Qubit(t1=1e9, t2=2e9)
    for mode, jitter, kappa, near in (
        *((mode, 50 * ns, 4e5 * MHz, CLOSED_FORM) for mode in (None, PHOTON)),
        *((None, jitter, 2e3 * MHz, 1e-5) for jitter in (0.0, 0.7 * us, 20 * us)),
    ):
        rates = dict.fromkeys(("kappa_e_ext", "kappa_o_ext"), kappa) | dict.fromkeys(("kappa_e_int", "kappa_o_int"), 0.0)
        late = clocked(forever, ElectroOptic(cooperativity=1.0, **rates), Synchronisation(timing_offset=100 * ns, timing_jitter=jitter))
        mean = eqx.filter_jit(jittered)(PHOTON, jnp.asarray(jitter), jnp.asarray(100 * ns))
        done = perform(late, photon=PHOTON, mode=mode)
        assert float(done["time-bin"].success_probability) == pytest.approx(float(mean.visibility), rel=near)
        single = (2 + float(mean.visibility - 1) + 2 * float(mean.amplitude)) / 4
        assert float(done["single-rail"].entanglement_fidelity) == pytest.approx(single, rel=near)


def test_the_kept_pair_waits_for_the_news():
    """Of a perfect device the pair decays alone: the ancilla for the photons and both ways, the receiver for the way back."""
    rates = dict.fromkeys(("kappa_e_ext", "kappa_o_ext"), 4e5 * MHz) | dict.fromkeys(("kappa_e_int", "kappa_o_int"), 0.0)
    perfect, forever = ElectroOptic(cooperativity=1.0, **rates), Qubit(t1=1e9, t2=2e9)
    memories = Qubit(t1=300 * us, t2=200 * us), Qubit(t1=90 * us, t2=120 * us)
    done = perform(clocked(forever, perfect, Synchronisation(), memories), photon=PHOTON, mode=None)
    way, photon = 2000 * 1.468 / c_0, float(PHOTON.duration)
    for name, (here, there) in {
        "time-bin": (2 * way + 2 * photon, way),
        "dual-rail": (2 * way + photon, way),
        "single-rail": (way + photon, 0),
    }.items():
        e1, e2 = np.exp(-here / (300 * us)), np.exp(-there / (90 * us))
        coherent = np.exp(-here / (200 * us) - there / (120 * us))
        wanted = (1 + e1 * e2 + (1 - e1) * (1 - e2) + 2 * coherent) / 4
        assert float(done[name].fidelity) == pytest.approx(wanted, rel=CLOSED_FORM)
        assert float(np.real(np.trace(done[name].pair))) == pytest.approx(1, rel=CLOSED_FORM)
