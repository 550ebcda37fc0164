"""Compiles the dynamic program where its machine code is not kept yet: `python -m optimizer.policy`."""

import optimizer.policy.kernel  # noqa: F401  # to import it is to compile it
