r"""The link's parts as cascaded open systems, their master equations by QuTiP: nothing here knows a scattering matrix.

A port with L gives :math:`a_{out} = a_{in} + L`; part 2 fed by part 1 has :math:`L = L_1 + L_2` and

.. math:: H = H_1 + H_2 + (L_2^\dagger L_1 - L_1^\dagger L_2)/2i .

The mode :math:`g(t) = \sqrt{y}\, e^{-yt/2}, t \ge 0`, is taken from an output by a cavity whose coupling is
:math:`-g(t)/\sqrt{\int_0^t |g|^2} = -\sqrt{y/(e^{yt}-1)}`. It is infinite at t = 0; with the clock s, :math:`e^{yt} = 1 + e^s`, the rates
per unit of s are bounded. Source: Gough and James, IEEE Trans. Autom. Control 54, 2530 (2009), for the series product; Kiilerich and
Molmer, Phys. Rev. Lett. 123, 123604 (2019), for the cavity.
"""

from collections.abc import Sequence

import numpy as np
import qutip
from scipy.integrate import ode
from scipy.special import expit

MASTER_EQUATION = 1e-6
"""Looser than a closed form: Fock spaces end, time is stepped to about 1e-8, and the receiving cavity opens at yt = 1.5e-8."""


CLOCK = (-18.0, 20.0)
"""From s to s. At the end yt = 20, so that 2e-9 of the mode is still to come."""


def feeds(first: qutip.Qobj, second: qutip.Qobj) -> qutip.Qobj:
    """What the series product adds to H where the output of L1 goes into L2."""
    return (second.dag() * first - first.dag() * second) / 2j


def received(
    hamiltonian: qutip.Qobj, jumps: Sequence[qutip.Qobj], output: qutip.Qobj, cavity: qutip.Qobj, rate: float, start: qutip.Qobj
) -> qutip.Qobj:
    """What ``start`` has become long after t = 0, when the cavity has taken the decaying mode of this rate out of an output.

    Args:
        hamiltonian, jumps: of all but the cavity and this output; constant.
        output: L of the output.
        cavity: annihilator of the receiving cavity, empty in ``start``.
        rate: y of the mode.
        start: any operator at t = 0; only the matrix elements that it can reach are followed.
    """
    whole = qutip.liouvillian(hamiltonian, [*jumps, output])
    joint = qutip.liouvillian(feeds(output, cavity))
    joint += qutip.lindblad_dissipator(output, cavity) + qutip.lindblad_dissipator(cavity, output)
    generators = [x.to("CSR").data.as_scipy() for x in (whole, joint, qutip.lindblad_dissipator(cavity))]
    vector = qutip.operator_to_vector(start).full().ravel()

    edges = sum(abs(x) for x in generators)
    reached = vector != 0
    while np.any(grown := ~reached & (edges @ reached.astype(float) > 0)):
        reached |= grown
    still, mixed, alone = (x[reached][:, reached] for x in generators)

    def flow(s: float, state: np.ndarray) -> np.ndarray:
        late, early = expit(s), expit(-s)
        return late / rate * (still @ state) - np.sqrt(late * early / rate) * (mixed @ state) + early * (alone @ state)

    steps = ode(flow).set_integrator("zvode", method="adams", rtol=1e-9, atol=1e-11, nsteps=100_000)
    vector[reached] = steps.set_initial_value(vector[reached], CLOCK[0]).integrate(CLOCK[1])
    assert steps.successful()
    return qutip.vector_to_operator(qutip.Qobj(vector, dims=[start.dims, [1]]))
