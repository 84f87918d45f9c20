"""Answers to the link kinds of ``linear.json``: cascades of stages, a fibre, and wavepackets through a converter."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tests.reference.linear import array, as_file
from transduce.linear.system import LinearSystem, Port
from transduce.link.base import AbstractResponse, AbstractStage, Prepared, Response
from transduce.link.base import cascade as follow
from transduce.link.fibre import Fibre
from transduce.link.link import Link
from transduce.link.wavepacket import AbstractWavepacket, Decaying, Gaussian, Rising, Sech
from transduce.numerics import abs2
from transduce.units import c_0, dB, km


def _pair(inputs: dict, w: float) -> tuple[Response, Response]:
    """One system between its two ports, at w and at the image."""
    system = LinearSystem.from_hamiltonian(array(inputs["Omega"]), array(inputs["Xi"]), array(inputs["C"]), inputs["n"])
    ends = system.ports[inputs["in_port"]], system.ports[inputs["out_port"]]
    return tuple(Response.from_system(system, *ends, jnp.asarray(omega)) for omega in (w, -w))


def _written(response: Response) -> dict:
    v, m = (0.0 if value is None else value for value in (response.v, response.anomalous))
    return {"u": as_file(response.u), "v": as_file(v), "n": float(response.noise), "m": as_file(m)}


def cascade(inputs: dict) -> dict:
    """Two systems, one after the other, the image band kept; ``N_out`` for ``n_in`` photons into the first."""
    (first, first_image), (second, second_image) = (_pair(inputs[name], inputs["w"]) for name in ("sys1", "sys2"))
    total, n_in = follow(first, second, first_image, second_image), inputs["n_in"]
    image = 0.0 if total.v is None else abs2(total.v)
    out = abs2(total.u) * n_in + image * (n_in + 1) + total.noise
    return {"stage1": _written(first), "stage2": _written(second), "total": _written(total) | {"N_out": float(out)}}


def fibre(inputs: dict) -> dict:
    """The whole amplitude, pure delay included."""
    length, w = inputs["L_m"], inputs["w"]
    index = inputs["tau_g_s"] * c_0 / length
    medium = Fibre(length=length, attenuation=inputs["dB_km"] * dB / km, group_index=max(float(index), 1e-300), beta2=inputs["beta2_s2_m"])
    u = medium.response(w).u * jnp.exp(1j * w * medium.delay)
    return {"u": as_file(u), "eta": float(abs2(u))}


class Between(AbstractStage):
    """A linear system from one port to another, as a stage; ``strength`` A adds the noise A / ((kappa/2)^2 + (w - d)^2)."""

    system: LinearSystem
    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    strength: float = 0.0

    def prepare(self) -> Prepared:
        """As ``Convert`` does, without a device."""
        return Prepared(Through(self, self.system.poles(self.target)), self.system.poles(self.target))


class Through(AbstractResponse):
    """The answer of a ``Between``, by the general solver."""

    stage: Between
    pole: Array

    def __call__(self, omega: Array) -> Response:
        own = Response.from_system(self.stage.system, self.stage.source, self.stage.target, omega)
        return own._replace(noise=own.noise + self.stage.strength / abs2(omega - self.pole[0]))

    def over(self, omega: Array) -> Response:
        return jax.vmap(self)(omega)

    def shape(self, omega: Array) -> Array:
        return abs2(self(omega).u)

    def figures(self, omega: Array) -> tuple[Array, Array]:
        power = self.shape(omega)
        return power, self(omega).noise / power


def lorentzian(kappa_1: float, kappa_2: float, kappa: float, detuning: float, strength: float = 0.0) -> Between:
    """One mode between two ports; what they leave of kappa goes into a cold bath."""
    rates = {"in": kappa_1, "out": kappa_2, "rest": max(kappa - kappa_1 - kappa_2, 0.0)}
    return Between(LinearSystem.build({"mode": detuning}, {name: Port("mode", r, 0.0) for name, r in rates.items()}), "in", "out", strength)


def _exponential(inputs: dict) -> dict:
    """One Lorentzian, packets with an edge."""
    names = ("kappa_1", "kappa_2", "kappa", "detuning", "A")
    link, gamma = Link(converter=lorentzian(*(inputs[name] for name in names))), inputs["Gamma"]
    decaying, rising, detected = Decaying(bandwidth=gamma), Rising(bandwidth=gamma), Decaying(bandwidth=inputs["gamma_det"])
    given = link.channel(decaying, detected, arrival_offset=0.0)
    return {
        "eta_optimal": float(link.channel(decaying).efficiency),
        "t_same_mode": as_file(link.channel(decaying, decaying, arrival_offset=0.0).transmission),
        "t_det_mode": as_file(given.transmission),
        "t_rising_in_decaying_det": as_file(link.channel(rising, detected, arrival_offset=0.0).transmission),
        "noise_in_det_mode": float(given.noise),
    }


def packet(shape: str, width: float) -> AbstractWavepacket:
    """A Gaussian of this standard deviation of |f(t)|^2, or sech(t/width)."""
    kind = {"gauss": Gaussian, "gaussian": Gaussian, "sech": Sech}[shape]
    unit = kind(bandwidth=1.0)
    return kind(bandwidth=(unit.deviation if isinstance(unit, Gaussian) else unit.width) / width)


def _electro_optic(inputs: dict) -> dict:
    """The microwave to the optical port of a red-pumped device; detected later, in the same shape."""
    modes, ports = {"a": inputs.get("detuning_a", 0.0), "b": inputs.get("detuning_b", 0.0)}, {}
    for mode in modes:
        eta, kappa = inputs[f"eta_{mode}"], inputs[f"kappa_{mode}"]
        for side, rate in (("ext", eta * kappa), ("int", (1 - eta) * kappa)):
            ports[f"{mode}_{side}"] = Port(mode, rate, inputs.get(f"n_{mode}_{side}", 0.0))
    link = Link(device=Between(LinearSystem.build(modes, ports, hopping={("a", "b"): inputs["g"]}), "b_ext", "a_ext"))
    photon = packet(inputs.get("shape", "sech"), inputs["width"])
    best, same = link.channel(photon), link.channel(photon, photon, arrival_offset=0.0)
    late = link.channel(photon, photon, arrival_offset=inputs["delay"])
    return {
        "eta_optimal": float(best.efficiency),
        "noise_optimal": float(best.noise),
        "t_same_mode": as_file(same.transmission),
        "t_delayed_same_mode": as_file(late.transmission),
        "noise_delayed_same_mode": float(late.noise),
    }


def _delayed(inputs: dict) -> dict:
    """A packet detected in itself, ``delay`` off (and dispersed): nothing stands between; real where nothing disperses."""
    photon = packet("gauss", inputs["s"]) if "s" in inputs else packet("sech", inputs["T"])
    phi2 = inputs.get("phi2", 0.0)
    link = Link(fibre=Fibre(length=1.0, attenuation=0.0, beta2=phi2))
    t = link.channel(photon, photon, arrival_offset=inputs["delay"]).transmission
    return {"t": as_file(t) if "s" in inputs else float(t.real)}


def wavepacket(inputs: dict) -> dict:
    """Whichever of the three the inputs are those of."""
    by_key: dict[str, Any] = {"Gamma": _exponential, "g": _electro_optic, "delay": _delayed}
    return next(answer for key, answer in by_key.items() if key in inputs)(inputs)


KINDS = {"cascade": cascade, "fibre": fibre, "wavepacket": wavepacket}
