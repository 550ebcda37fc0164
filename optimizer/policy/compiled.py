"""Machine code of a function, kept on disk where that may be written."""

import pickle
from collections.abc import Callable
from typing import Any

import numba

BROKEN = (RuntimeError, OSError, EOFError, pickle.UnpicklingError)
"""numba finds no folder to write to (containers, systemd), a full disk, a file that was cut off."""


def compiled(signature: object = None) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: compiles for a signature at once, or inside of who calls it where there is none.

    The code is kept beside the source, else in the user's cache or in NUMBA_CACHE_DIR. Where none of these can be
    written it is made anew by each process, which takes some seconds and is no error.
    """

    def make(function: Callable[..., Any]) -> Any:  # noqa: ANN401  # numba's dispatcher: its types are the signature's
        if signature is None:
            return numba.njit(fastmath=True, error_model="numpy")(function)
        try:
            return numba.njit(signature, cache=True, fastmath=True, error_model="numpy")(function)
        except BROKEN:
            return numba.njit(signature, fastmath=True, error_model="numpy")(function)

    return make
