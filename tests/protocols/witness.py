"""The whole chain in numpy, written from the equations and sharing nothing with the package: parameters by path in, figures out.

Each parameter is an array of one value per lane. The photon is a sech and so is the detected mode; encodings are closed forms.
Integrals: trapezoids in x, w = sinh(x), which an analytic integrand makes exact.
"""

import functools

import numpy as np
import scipy.constants as constants
from scipy.special import polygamma

X = np.linspace(-5.0, 5.0, 601)
SCALE = 3e6  # rad/s
W, WEIGHT = SCALE * np.sinh(X), SCALE * np.cosh(X) * (X[1] - X[0]) / (2 * np.pi)


def bose(omega, temperature):
    return 1 / np.expm1(np.minimum(constants.hbar * omega / (constants.k * np.maximum(temperature, 1e-9)), 700.0))


def db(x):
    return 10 ** (-x / 10)


class Device:
    """An electro-optic device from its data sheet: the amplitudes of its output from each of its five ports."""

    def __init__(self, sheet):
        self.k_e = sheet["kappa_e_ext"] + sheet["kappa_e_int"]
        self.k_o = sheet["kappa_o_ext"] + sheet["kappa_o_int"]
        per_watt = sheet["kappa_o_ext"] / (constants.hbar * sheet["frequency_o"]) / ((self.k_o / 2) ** 2 + sheet["pump_detuning"] ** 2)
        self.g = sheet["g0"] * np.sqrt(per_watt * sheet["pump_power"])
        q, share = sheet["heating_exponent"], sheet["absorbed_fraction"] / sheet["heating_conductance"]
        hot = (sheet["temperature"] ** q + share * sheet["pump_power"]) ** (1 / q)
        cold_o = bose(sheet["frequency_o"], sheet["temperature"])
        match = sheet["mode_match"]
        self.ports = {
            "microwave": ("e", sheet["kappa_e_ext"], bose(sheet["frequency_e"], sheet["temperature"])),
            "loss": ("e", sheet["kappa_e_int"], bose(sheet["frequency_e"], hot)),
            "optical": ("o", match * sheet["kappa_o_ext"], cold_o),
            "mismatch": ("o", (1 - match) * sheet["kappa_o_ext"], cold_o),
            "optical loss": ("o", sheet["kappa_o_int"], cold_o),
        }
        self.d_e, self.d_o = sheet["detuning_e"], sheet["detuning_o"]

    def escape(self):
        return (self.ports["microwave"][1] / self.k_e * self.ports["optical"][1] / self.k_o)[:, 0]

    def determinant(self, w):
        e, o = self.k_e / 2 + 1j * (self.d_e - w), self.k_o / 2 + 1j * (self.d_o - w)
        return e, o, e * o + self.g**2

    @functools.cached_property
    def carrier(self):
        """Where the determinant is smallest: a scan, then Newton on a quartic, its derivatives by complex step in real arithmetic."""

        def size(w):
            real = self.k_e * self.k_o / 4 - (self.d_e - w) * (self.d_o - w) + self.g**2
            imaginary = self.k_e / 2 * (self.d_o - w) + self.k_o / 2 * (self.d_e - w)
            return real**2 + imaginary**2

        scan = (self.d_e + self.d_o) / 2 + (self.k_e + self.k_o + 2 * self.g) * np.linspace(-1, 1, 201)
        w, h = np.take_along_axis(scan, np.argmin(size(scan), axis=1)[:, None], 1), 1e3
        for _ in range(60):
            first = [(size(w + s * h + 1e-20j)).imag / 1e-20 for s in (-1, 0, 1)]
            w = w - first[1] / ((first[2] - first[0]) / (2 * h))
        return w

    def response(self, source, target, w):
        """u and the noise of all other ports."""
        e, o, det = self.determinant(w)
        inverse = {("e", "e"): o / det, ("o", "o"): e / det, ("e", "o"): -1j * self.g / det, ("o", "e"): -1j * self.g / det}
        mode, rate, _ = self.ports[target]
        u, noise = None, 0.0
        for name, (other, strength, n) in self.ports.items():
            s = (name == target) - np.sqrt(rate * strength) * inverse[mode, other]
            if name == source:
                u = s
            else:
                noise = noise + abs(s) ** 2 * n
        return u, noise

    def shape(self, w):
        """|u|^2 but for what does not depend on frequency, which may be 0."""
        return 1 / abs(self.determinant(self.carrier + w)[2]) ** 2

    def stage(self, source, target):
        return lambda w: self.response(source, target, self.carrier + w)


def fibre(p):
    amplitude = np.sqrt(db(p["attenuation"] * p["length"] + p["coupling_in"] + p["coupling_out"]))
    return lambda w: (amplitude * np.exp(0.5j * p["beta2"] * p["length"] * w**2), p["noise_photons"] + 0 * w)


def environment(p):
    return p["occupation"] if "occupation" in p else bose(p["frequency"], p["temperature"])


def switch(p):
    eta, leak = db(p["insertion_loss"]), db(p["crosstalk"]) if "crosstalk" in p else 0.0
    noise = leak * p["neighbour_occupation"] + (1 - eta - leak) * environment(p)
    return lambda w: (np.sqrt(eta) + 0j * w, noise + 0 * w)


def loss(p):
    eta, noise = db(p["loss"]), environment(p)
    return lambda w: (np.sqrt(eta) + 0j * w, (1 - eta) * noise + 0 * w)


def filter_(p):
    def response(w):
        u = np.sqrt(db(p["insertion_loss"])) * p["bandwidth"] / 2 / (p["bandwidth"] / 2 - 1j * (w - p["centre"]))
        return u, (1 - abs(u) ** 2) * environment(p)

    return response


STAGES = {"fibre": fibre, "switch": switch, "loss": loss, "filter": filter_}


def zoomed(power, w, at, best):
    """The extremum of a power next to a place of the grid, per lane."""
    step, middle = w[:, 1:2] - w[:, :1], np.take_along_axis(w, at[:, None], 1)
    for _ in range(8):
        w = middle + step * np.linspace(-1, 1, 33)
        middle, step = np.take_along_axis(w, best(power(w), axis=1)[:, None], 1), step / 8
    return middle


def band(power, span):
    """(full width at half maximum, ripple in dB) of a power around 0 that falls below half nowhere between its peaks, per lane."""
    w = span * np.linspace(-1, 1, 2001)
    values = power(w[None])
    w = np.broadcast_to(w, values.shape)
    middle = zoomed(power, w, np.argmax(values, axis=1), np.argmax)
    half, edges = power(middle) / 2, []
    for side in (-1, 1):
        inside, outside = middle, middle + side * span
        for _ in range(60):
            between = (inside + outside) / 2
            over = power(between) > half
            inside, outside = np.where(over, between, inside), np.where(over, outside, between)
        edges.append(between[:, 0])
    inner = values[:, 1:-1]
    dips = np.where((inner < values[:, :-2]) & (inner < values[:, 2:]) & (inner > half), inner, np.inf)
    lowest = power(zoomed(power, w, 1 + np.argmin(dips, axis=1), np.argmin))[:, 0]
    ripple = np.where(np.isfinite(dips).any(axis=1), 2 * half[:, 0] / lowest, 1.0)
    return edges[1] - edges[0], 10 * np.log10(ripple)


def of(parameters, prefix):
    """The parameters under a path, columns of shape (lane, 1)."""
    return {name[len(prefix) :]: value[:, None] for name, value in parameters.items() if name.startswith(prefix)}


def width(bandwidth):
    return 4 * np.arccosh(np.sqrt(2)) / (np.pi * bandwidth)


def sech(bandwidth, w):
    x = np.pi * width(bandwidth) * abs(w) / 2
    return np.pi * np.sqrt(width(bandwidth) / 2) * 2 * np.exp(-x) / (1 + np.exp(-2 * x))


def exchange(qubit, bandwidth):
    """Efficiency and coherence of a qubit that emits or absorbs a sech."""
    g1, gp, t = 1 / qubit["t1"], 1 / qubit["t2"] - 1 / (2 * qubit["t1"]), width(bandwidth)
    wait = t / 2 * np.log(1e6 - 1)

    def growth(r):
        return np.exp(r * wait) / np.sinc(r * t / 2)

    overlap = 1 - gp * t + (gp * t) ** 2 / 2 * polygamma(1, 1 + gp * t / 2)
    return (overlap / growth(g1))[:, 0], (growth(-gp) / np.sqrt(overlap))[:, 0]


def best(overlap):
    """The largest |t| over arrivals: a scan for the brightest lane, whose neighbours the others are, then Newton."""
    tau = np.linspace(-3e-6, 3e-6, 601)
    bright = overlap[abs(overlap).sum(1).argmax()]
    found = abs((WEIGHT * bright * np.exp(-1j * W * tau[:, None])).sum(-1))
    tau = np.full((len(overlap), 1), tau[found.argmax()])
    for _ in range(8):
        waves = WEIGHT * overlap * np.exp(-1j * W * tau)
        t, first, second = (np.sum(waves * (-1j * W) ** k, axis=1)[:, None] for k in range(3))
        slope, bend = np.real(np.conj(t) * first), abs(first) ** 2 + np.real(np.conj(t) * second)
        tau = tau - np.divide(slope, bend, out=np.zeros_like(slope), where=bend != 0)
    return np.sum(WEIGHT * overlap * np.exp(-1j * W * tau), axis=1)


def evaluate(parameters, stages, photon, detection=None):
    """The figures of a transfer.

    Args:
        parameters: of the connection, by path, each of shape (lane,).
        stages: the names of the path's stages, which are their kinds.
        photon, detection: bandwidths, (lane,); without detection the mode is the matched one and both qubits are perfect.
    """
    up, down = Device(of(parameters, "a.device.")), Device(of(parameters, "b.device."))
    row = [up.stage("microwave", "optical")]
    row += [STAGES[name](of(parameters, f"path.{name}.")) for name in stages] + [down.stage("optical", "microwave")]

    def link(w):
        u, n = 1.0 + 0j, 0.0
        for stage in row:
            one, noise = stage(w)
            u, n = u * one, n * abs(one) ** 2 + noise
        return u, n

    centre, noise = (x[:, 0] for x in link(np.zeros((1, 1))))
    u, n = link(W[None])
    f = sech(photon[:, None], W)
    if detection is None:
        eta = np.sum(WEIGHT * abs(u * f) ** 2, axis=1)
        t, heard = np.sqrt(eta), np.sum(WEIGHT * abs(u * f) ** 2 * n, axis=1) / eta
        emitted = absorbed = (1.0, 1.0)
    else:
        g = sech(detection[:, None], W)
        t, heard = abs(best(g * u * f)), np.sum(WEIGHT * g**2 * n, axis=1)
        emitted = exchange(of(parameters, "a.qubit."), photon[:, None])
        absorbed = exchange(of(parameters, "b.qubit."), detection[:, None])
    power = abs(centre) ** 2
    figures = {"efficiency": power, "added_noise_input": np.divide(noise, power, out=np.full_like(power, np.inf), where=power > 0)}
    shape = band(lambda w: up.shape(w) * down.shape(w) * np.prod([abs(one(w)[0]) ** 2 for one in row[1:-1]], 0), 3e8)
    figures["bandwidth_fwhm"], figures["ripple_db"] = shape
    figures["efficiency_internal"] = power / (up.escape() * down.escape())
    figures |= {"packet_efficiency": t**2, "packet_noise": heard}
    eta, n, c = t**2 * emitted[0] * absorbed[0], heard * absorbed[0], emitted[1] * absorbed[1]
    return figures | encodings(eta, n, c, *jitter(parameters, detection is not None))


def jitter(parameters, ends):
    """(sigma^2, sigma_D^2)."""
    if not ends:
        return 0.0, 0.0
    single, increment = 0.0, 0.0
    for node in ("a", "b"):
        own = parameters[f"{node}.qubit.phase_jitter"] ** 2
        stated = parameters.get(f"{node}.qubit.differential_phase_jitter")
        single, increment = single + own, increment + (2 * own if stated is None else stated**2)
    return single, increment


def encodings(eta, n, c, single, increment):
    """Single rail (leak) and time bin."""
    g = 1 + n
    coherent = np.sqrt(eta) * c * np.exp(-single / 2) / g**2
    p00, p11 = 1 / g, (eta + n * (g - eta)) / g**3
    stay, flip, kept = p00 * p11, (g - eta) * n / g**4, eta * c**2 * np.exp(-increment / 2) / g**4
    p10, p01 = n / g**2, (g - eta) / g**2
    rail = (p00 + p11 + 2 * coherent) / 4
    return {
        "single_rail": (2 * rail + (p00 + p10 + p01 + p11) / 2) / 3,
        "entanglement_fidelity": (stay + kept) / 2,
        "success_probability": stay + flip,
        "average_fidelity": (stay + kept + stay + flip) / 3,
        "average_fidelity_heralded": ((stay + kept) / (stay + flip) + 1) / 3,
    }
