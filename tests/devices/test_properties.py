"""Bounds that hold for every electro-optic data sheet, searched by Hypothesis rather than drawn from one distribution."""

import equinox as eqx
import jax.numpy as jnp
from hypothesis import given
from hypothesis import strategies as st

from tests import ALGEBRA, CLOSED_FORM
from transduce.devices.base import escape_efficiency
from transduce.devices.electro_optic import ElectroOptic
from transduce.units import MHz

RATE = st.floats(-3, 3).map(lambda power: 10**power * MHz)
SIGNED = st.floats(-100, 100).map(lambda x: x * MHz)


@eqx.filter_jit
def answers(device, omega):
    """(efficiency up, efficiency down, eta_e eta_o, added noise up, the row's commutator) at one offset."""
    system = device.linear_system()
    row = system.row("optical", omega)
    ends = ("microwave", "optical")
    commutator = sum(jnp.abs(entry) ** 2 for entry in row.normal if entry is not None)
    both = escape_efficiency(system, "microwave") * escape_efficiency(system, "optical")
    up, down = device.efficiency(*ends, omega=omega), device.efficiency(*ends[::-1], omega=omega)
    return jnp.stack([up, down, both, device.added_noise_input(*ends, omega=omega), commutator])


@given(*[RATE] * 4, st.floats(1e-6, 1e3), st.floats(0.01, 1.0), st.floats(0.0, 10.0), SIGNED, SIGNED, SIGNED)
def test_no_data_sheet_beats_its_ports(e_ext, e_int, o_ext, o_int, cooperativity, match, occupation, d_e, d_o, omega):
    device = ElectroOptic(
        kappa_e_ext=e_ext,
        kappa_e_int=e_int,
        kappa_o_ext=o_ext,
        kappa_o_int=o_int,
        cooperativity=cooperativity,
        mode_match=match,
        n_e_int=occupation,
        detuning_e=d_e,
        detuning_o=d_o,
    )
    up, down, both, noise, commutator = (float(x) for x in answers(device, jnp.asarray(omega)))
    assert abs(up - down) <= CLOSED_FORM * up  # a two-mode converter is reciprocal
    assert up <= both * (1 + ALGEBRA)
    assert abs(commutator - 1) < ALGEBRA
    # with cold light every photon of noise comes from the microwave losses: N = n (1 - eta_e) / eta_e, whatever the detunings
    assert abs(noise - occupation * e_int / e_ext) <= CLOSED_FORM * max(noise, 1e-12)
