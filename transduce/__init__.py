"""transduce: differentiable physics of microwave-optical quantum links."""

import os

import jax

if "JAX_ENABLE_X64" not in os.environ:
    jax.config.update("jax_enable_x64", True)

__version__ = "0.1.0"
