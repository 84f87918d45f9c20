"""A study recomputed from its ``config.resolved.json`` alone, in plain NumPy, without a line of the package.

Electro-optic devices with a red pump, fibre, switch, loss and filter, the matched mode, emission and absorption
by brute force in time, single rail and two-use encodings. Frequencies in Hz come in, rad/s inside.
"""

import math

import numpy as np
from scipy.constants import c, h, hbar, k

TURN = h / hbar


def bose(hz, kelvin):
    if kelvin == 0:
        return 0.0
    x = h * hz / (k * kelvin)
    return math.exp(-x) / -math.expm1(-x)


def value(row, default=None):
    return default if row is None else row["value"]


class Device:
    """S_ab and the output noises of a red-pumped electro-optic device, from the 2 x 2 resolvent."""

    def __init__(self, sheet):
        hz = {key: TURN * value(row) for key, row in sheet.items() if isinstance(row, dict) and row["unit"] == "Hz"}
        self.e_ext, self.e_int, o_ext, self.o_int = (hz[f"kappa_{x}"] for x in ("e_ext", "e_int", "o_ext", "o_int"))
        match = value(sheet["mode_match"])
        self.fibre, self.lost = match * o_ext, (1 - match) * o_ext
        self.d_e, self.d_o = hz["detuning_e"], hz["detuning_o"]
        kappa_o = o_ext + self.o_int
        power = value(sheet["pump_power"])
        photons = o_ext * power / (hbar * hz["frequency_o"]) / ((kappa_o / 2) ** 2 + hz["pump_detuning"] ** 2)
        self.g = hz["g0"] * math.sqrt(photons)
        base, q = value(sheet["temperature"]), value(sheet["heating_exponent"])
        own = {bath: value(sheet[f"temperature_{bath}"], base) for bath in ("e_ext", "e_int")} | {"o_ext": base, "o_int": base}
        if sheet["heating_conductance"] is not None:
            rise = value(sheet["absorbed_fraction"]) * power / value(sheet["heating_conductance"])
            own["e_int"] = (own["e_int"] ** q + rise) ** (1 / q)
        stated = {bath: value(sheet[f"n_{bath}"]) for bath in own}
        at = {bath: value(sheet["frequency_e" if bath[0] == "e" else "frequency_o"]) for bath in own}
        self.n = {bath: bose(at[bath], own[bath]) if stated[bath] is None else stated[bath] for bath in own}

    def row(self, target, w):
        """Amplitudes from each of the five ports to one, (ports, frequencies)."""
        ports = [(self.e_ext, 0), (self.e_int, 0), (self.fibre, 1), (self.lost, 1), (self.o_int, 1)]
        total = [sum(rate for rate, mode in ports if mode == m) for m in (0, 1)]
        a, b = total[0] / 2 + 1j * (self.d_e - w), total[1] / 2 + 1j * (self.d_o - w)
        det = a * b + self.g**2
        inverse = ((b / det, -1j * self.g / det), (-1j * self.g / det, a / det))
        rate, mode = ports[target]
        found = [-math.sqrt(rate * r) * inverse[mode][m] for r, m in ports]
        found[target] = found[target] + 1
        return np.array(found)

    def convert(self, up, w):
        source, target = (0, 2) if up else (2, 0)
        row = self.row(target, w)
        n = np.array([self.n[bath] for bath in ("e_ext", "e_int", "o_ext", "o_ext", "o_int")])
        weights = np.abs(row) ** 2 * n[:, None]
        weights[source] = 0
        return row[source], weights.sum(0)


def stage(row, w):
    """(u, n) of a passive stage."""

    def bath():
        return bose(value(row["frequency"]), value(row["temperature"])) if row["occupation"] is None else value(row["occupation"])

    one = np.ones_like(w)
    if row["kind"] == "fibre":
        km = value(row["length"]) / 1e3
        loss = value(row["attenuation"]) * km + value(row["coupling_in"]) + value(row["coupling_out"])
        bend = value(row["beta2"]) * 1e-24 * km / 2
        return 10 ** (-loss / 20) * np.exp(1j * bend * w**2), value(row["noise_photons"]) * one
    if row["kind"] == "switch":
        eta = 10 ** (-value(row["insertion_loss"]) / 10)
        x = 0.0 if row["crosstalk"] is None else 10 ** (-value(row["crosstalk"]) / 10)
        return math.sqrt(eta) * one, (x * value(row["neighbour_occupation"]) + (1 - eta - x) * bath()) * one
    if row["kind"] == "loss":
        eta = 10 ** (-value(row["loss"]) / 10)
        return math.sqrt(eta) * one, (1 - eta) * bath() * one
    half = TURN * value(row["bandwidth"]) / 2
    u = 10 ** (-value(row["insertion_loss"]) / 20) * half / (half - 1j * (w - TURN * value(row["centre"])))
    return u, (1 - np.abs(u) ** 2) * bath()


def delay(study):
    return sum(value(row["group_index"]) * value(row["length"]) / c for row in study["path"] if row["kind"] == "fibre")


def chain(study, w):
    """(u, n) of up, path, down; the packet's carrier at the middle of both devices' resonances (equal detunings)."""
    devices = [Device(study["device"][study["node"][end]["device"]]) for end in ("a", "b")]
    stages = [devices[0].convert(True, w + devices[0].d_e), *(stage(row, w) for row in study["path"])]
    stages.append(devices[1].convert(False, w + devices[1].d_e))
    u, n = np.ones_like(w) + 0j, np.zeros_like(w)
    for u2, n2 in stages:
        u, n = u2 * u, np.abs(u2) ** 2 * n + n2
    return u, n


def exchange(time, density, qubit):
    """(efficiency, coherence) of emission; ``time`` from the clock's start."""
    g1 = 1 / value(qubit["t1"])
    gp = 1 / value(qubit["t2"]) - g1 / 2
    step = time[1] - time[0]
    p = 1 / (np.sum(density * np.exp(g1 * time)) * step)
    size = len(time)
    kernel = np.exp(-gp * step * np.abs(np.arange(-size, size)))
    spread = np.fft.ifft(np.fft.fft(density, 2 * size) * np.fft.fft(np.fft.ifftshift(kernel))).real[:size]
    double = np.sum(density * spread) * step**2 - step**3 * gp / 6 * np.sum(density**2)  # Euler and Maclaurin's term of the kink at t = s
    return p * double, np.sum(density * np.exp(-gp * time)) * step / math.sqrt(double)


def packet(study, time):
    """|f(t)|^2 and f(w), and its clock's start, of a sech or a Gaussian photon about t = 0."""
    photon = study["transfer"]["photon"]
    width = TURN * value(photon["bandwidth"])
    if photon["shape"] == "sech":
        T = 4 * math.acosh(math.sqrt(2)) / (math.pi * width)
        return (
            np.cosh(time / T) ** -2 / (2 * T),
            lambda w: math.pi * math.sqrt(T / 2) / np.cosh(math.pi * w * T / 2),
            T / 2 * math.log(1e-6 / (1 - 1e-6)),
        )
    s = math.sqrt(2 * math.log(2)) / width
    tail = -4.753424308822899  # the standard normal's 1e-6 quantile
    return (
        np.exp(-(time**2) / (2 * s**2)) / (s * math.sqrt(TURN)),
        lambda w: (8 * math.pi * s**2) ** 0.25 * np.exp(-(s**2) * w**2),
        tail * s,
    )


def quantile(time, density, level):
    """The time at which int |g|^2 reaches the level, by the series' own integral between samples (the samples are dense)."""
    step = time[1] - time[0]
    spectrum = np.fft.rfft(density)
    frequency = TURN * np.fft.rfftfreq(len(time), step)
    window = len(time) * step
    mean = spectrum[0].real / len(time)

    def passed(t):
        x = t - time[0]
        terms = spectrum[1:-1] / (1j * frequency[1:-1]) * (np.exp(1j * frequency[1:-1] * x) - 1)
        return mean * x + 2 * np.sum(terms.real) / len(time)

    low, high = time[0], time[0] + window
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if passed(middle) < level else (low, middle)
    return low


def recompute(study):
    """The figures of a transfer, by the names of the JSON contract."""
    zero = np.zeros(1)
    u0, n0 = chain(study, zero)
    length = 1 / value(study["transfer"]["photon"]["bandwidth"])
    size = 2**14
    time = (np.arange(size) - size // 4) * (32 * length / size)
    density, spectrum, start = packet(study, time)
    w = TURN * np.fft.fftfreq(size, time[1] - time[0])
    inside = np.abs(w) < 300 / length
    with np.errstate(over="ignore"):
        sent = np.where(inside, spectrum(np.where(inside, w, 0.0)), 0.0)
    u, n = chain(study, w)
    arriving, d = u * sent, abs(w[1] - w[0]) / TURN
    eta = np.sum(np.abs(arriving) ** 2) * d
    noise = np.sum(np.abs(arriving) ** 2 * n) * d / eta
    g = np.fft.fft(arriving * np.exp(-1j * w * time[0])) * d
    mode = np.abs(g) ** 2 / eta
    emitted = exchange(time - start, density, study["node"]["a"]["qubit"])
    end = quantile(time, mode, 1 - 1e-6)
    absorbed = exchange((end - time)[::-1], mode[::-1], study["node"]["b"]["qubit"])
    channel = (eta * emitted[0] * absorbed[0], noise * absorbed[0])
    found = {"efficiency": abs(u0[0]) ** 2, "added_noise_input": n0[0] / abs(u0[0]) ** 2, "packet_efficiency": eta, "packet_noise": noise}
    return found | fidelities(study, *channel, emitted[1] * absorbed[1])


def fidelities(study, eta, n, coherence):
    """Q1 and Q2."""
    g = 1 + n
    variance = sum(value(study["node"][end]["qubit"]["phase_jitter"]) ** 2 for end in ("a", "b"))
    p00, p10, p01, p11 = 1 / g, n / g**2, (g - eta) / g**2, (eta + n * (g - eta)) / g**3
    if study["transfer"]["encoding"] == "single-rail":
        f = (p00 + p11 + 2 * math.sqrt(eta) * coherence * math.exp(-variance / 2) / g**2) / 4
        leak = 1 - (p00 + p10 + p01 + p11) / 2
        return {"entanglement_fidelity": f, "average_fidelity": (2 * f + 1 - leak) / 3, "leakage": leak}
    v = coherence**2 * math.exp(-variance)
    success = p00 * p11 + p01 * p10
    f = (p00 * p11 + eta * v / g**4) / 2
    return {
        "entanglement_fidelity": f,
        "average_fidelity": (2 * f + success) / 3,
        "average_fidelity_heralded": (2 * f / success + 1) / 3,
        "success_probability": success,
        "leakage": 1 - success,
    }
