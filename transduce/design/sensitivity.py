"""What a figure hangs on: its elasticity with respect to every parameter of a model, by one reverse pass.

E = d ln f / d ln p = (p / f) df/dp      where p > 0 and p cannot be negative,
E = d ln f / d p    = (1 / f) df/dp      where p is 0 or of a signed kind (a detuning), in the inverse of p's inside unit.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import parameters
from ..parameters import Parameter


def is_relative(parameter: Parameter, value: Any) -> Any:
    """Whether the elasticity is d ln / d ln at this value of the parameter."""
    return value > 0 if parameter.domain[0] >= 0 else False


def elasticities(function: Callable[[Any], Any], model: Any, has_aux: bool = False) -> Any:
    """The elasticity of ``function(model)`` with respect to every scalar parameter.

    Args:
        function: model -> scalar, or, with ``has_aux``, -> (scalar, anything).
        model: a tree of modules, dicts and tuples with declared parameters.
        has_aux: also return the function's answer.

    Returns:
        {path: elasticity}; with ``has_aux`` (elasticities, (scalar, anything)).
    """
    found = {path: (parameter, value) for path, parameter, value in parameters.walk(model) if jnp.shape(value) == ()}

    def at(values: dict[str, Any]) -> Any:
        return function(parameters.replace(model, values))

    answer, slopes = jax.value_and_grad(at, has_aux=has_aux)({path: value for path, (_, value) in found.items()})
    value = answer[0] if has_aux else answer

    def elasticity(path: str) -> Float[Array, ""]:
        parameter, at = found[path]
        relative = is_relative(parameter, at)
        return (slopes[path] if relative is False else slopes[path] * jnp.where(relative, at, 1.0)) / value

    table = {path: elasticity(path) for path in found}
    return (table, answer) if has_aux else table
