"""Few pairs that say the same as many: a curve of straight pieces. Pure."""

import numpy as np

from optimizer.outlook import Vector


def bends(x: Vector, y: Vector, most: int, close: float) -> list[tuple[float, float]]:
    """At most so many of the points (2 at least), chosen one after the other where straight pieces between those
    chosen are furthest off, until they are everywhere as close as asked for. `x` rises."""
    chosen = {0, len(x) - 1}
    while len(chosen) < most:
        kept = sorted(chosen)
        off = np.abs(np.interp(x, x[kept], y[kept]) - y)
        if not off.max() > close:  # nor of what is no number: it would be chosen for ever
            break
        chosen.add(int(np.argmax(off)))
    return [(round(float(x[i]), 1), round(float(y[i]), 1) + 0.0) for i in sorted(chosen)]
