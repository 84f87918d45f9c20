"""Where the command line keeps compiled programs for its next run. JAX is imported where programs are wanted."""

import pathlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager


def keeper(what: str, jax_too: bool = False) -> Callable[..., AbstractContextManager[None]]:
    """key -> a context in which programs are kept for the next run, under this and the key; warns where they cannot be."""
    from ..programs import kept
    from ..shelf import cache_folder, writable

    folder: pathlib.Path | None = cache_folder()
    if folder is not None and not writable(folder):
        print(f"transduce: {folder}: cannot be written, so that compiled programs are not kept", file=sys.stderr)
        folder = None
    return lambda *key: kept(folder, " ".join(map(str, (what, *key))), jax_too)
