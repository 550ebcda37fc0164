"""Which limits of the grid connection a plan cannot keep: a load above them, an empty battery. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from optimizer.outlook import Outlook, Vector
from schemas.messages import Direction

BEYOND = 50.0
"""W above a limit that are worth a word."""


def beyond(outlook: Outlook, grid: Sequence[float]) -> list[str]:
    """Each side that passes its limit: from when to when, and by how much at most. `grid`: W by step. What is fed in
    beyond one is no shortage where PV gives way."""
    flow = np.array(grid)
    found = [_side(outlook, "consumption", outlook.import_limit, flow)]
    found += [_side(outlook, "feed_in", np.where(outlook.gives_way, np.inf, outlook.export_limit), -flow)]
    return [words for words in found if words]


def _side(outlook: Outlook, direction: Direction, most: Vector, flow: Vector) -> str:
    over, name = flow - most, "import" if direction == "consumption" else "export"
    when, worst = spans(outlook, over > BEYOND), int(np.argmax(over))
    if not when:
        return ""
    one = outlook.limiting(worst, direction)
    whose = f"{name}_limit of the site file" if one is None else f"{name} limit of {one.source} as {one.authority}"
    if direction == "consumption" and (contract := outlook.contract(worst)):
        whose = f"contract of {contract}"
    too_much = f"up to {over[worst] / 1000:.1f} kW too much"
    return f"the {whose}, {most[worst] / 1000:.1f} kW, cannot be kept {when}: {too_much}"


def spans(outlook: Outlook, marked: NDArray[np.bool_]) -> str:
    """From when to when some steps are, in words; nothing where there are none."""
    runs = [*_runs(marked)]
    if not runs:
        return ""
    edges, (first, last) = [at.astimezone(outlook.zone) for at in (*outlook.starts, outlook.end)], runs[0]
    more = f" and {len(runs) - 1} times more until {edges[runs[-1][1]]:%d %b %H:%M}" if runs[1:] else ""
    return f"from {edges[first]:%d %b %H:%M} to {edges[last]:%d %b %H:%M}{more}"


def _runs(marked: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and one past the last of each run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(int), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
