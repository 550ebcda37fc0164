"""Steps in which a relaxed plan flows both ways at once, and which way each of them is to flow."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from optimizer.columns import CHARGE, DISCHARGE, EXPORT, EXPORT_BEYOND, IMPORT, IMPORT_BEYOND, Program, Rows
from optimizer.outlook import Vector

TINY = 1e-4
"""kW"""
SECONDS = 0.25
"""The search for directions may take so long; then the best that was found holds."""
GAP = 1e-4
"""A part of the cost: so near to the best it ends."""

BATTERY, GRID = 0, 1
SIDES = {BATTERY: ((CHARGE,), (DISCHARGE,)), GRID: ((IMPORT, IMPORT_BEYOND), (EXPORT, EXPORT_BEYOND))}
"""What flows in, and what flows out."""

Torn = NDArray[np.bool_]
"""By BATTERY and GRID, and by step."""


def torn(program: Program, x: Vector) -> Torn:
    """Which steps flow both ways: in the battery, and at the grid where that would earn money."""
    into, out = (_flow(program, x, side) for side in SIDES[GRID])
    battery = np.minimum(program.part(x, CHARGE), program.part(x, DISCHARGE)) > TINY
    return np.array([battery, (np.minimum(into, out) > TINY) & _earns(program)])


def open_ways(program: Program, more: Torn) -> Torn:
    """Those that are torn, and with one at the grid all that may be: found at once they are found for good."""
    into, out = (_flow(program, program.high, side) for side in SIDES[GRID])
    may = (np.minimum(into, out) > TINY) & _earns(program)
    return np.array([more[BATTERY], may if more[GRID].any() else more[GRID]])


def _earns(program: Program) -> NDArray[np.bool_]:
    """Steps in which feeding in pays more than drawing costs."""
    outlook = program.outlook
    sell = np.where(outlook.gives_way, np.maximum(outlook.sell, 0.0), outlook.sell)
    return np.asarray(sell > outlook.weighed)


def _flow(program: Program, x: Vector, blocks: tuple[int, ...]) -> Vector:
    return np.asarray(sum(program.part(x, block) for block in blocks))


def by_net(program: Program, both: Torn, x: Vector) -> Vector:
    """Upper bounds that leave one direction open in each torn step, which always has a solution: of the battery the one
    in which it flows in the end, at the grid that of a resting battery."""
    into, out = (_flow(program, x, side) for side in SIDES[BATTERY])
    inward = {BATTERY: into >= out, GRID: program.outlook.load >= program.outlook.pv}
    ways = np.argwhere(both)
    return _closed(program, ways, np.array([inward[kind][step] for kind, step in ways], dtype=bool))


def directed(program: Program, both: Torn) -> Vector | None:
    """Upper bounds that leave one direction open in each torn step: the best, by a mixed-integer program; None where it
    finds none in time. A step flows at most what its bounds let, so that what is relaxed is as narrow as it can be."""
    ways, columns = np.argwhere(both), len(program.cost)
    rows, n, number = Rows(columns + len(ways)), program.steps, np.arange(len(ways))
    for kind, (into, out) in SIDES.items():
        mine = number[ways[:, 0] == kind]
        step, row = ways[mine, 1], np.arange(len(mine))
        most = [sum(program.part(program.high, block)[step] for block in side) for side in (into, out)]
        rows.add(np.zeros(len(mine)), *((row, b * n + step, 1.0) for b in into), (row, columns + mine, -most[0]))
        rows.add(most[1], *((row, b * n + step, 1.0) for b in out), (row, columns + mine, most[1]))
    wide = sparse.csr_array((program.equal.shape[0] + program.at_most.shape[0], len(ways)))
    body = sparse.hstack([sparse.vstack([program.equal, program.at_most]), wide])
    floor = np.concatenate([program.equal_to, np.full(len(program.most), -np.inf)])
    choice, upper = rows.built()
    found = milp(
        np.concatenate([program.cost, np.zeros(len(ways))]),
        constraints=[
            LinearConstraint(body, floor, np.concatenate([program.equal_to, program.most])),
            LinearConstraint(choice, -np.inf, upper),
        ],
        integrality=np.concatenate([np.zeros(columns), np.ones(len(ways))]),
        bounds=Bounds(
            np.concatenate([program.low, np.zeros(len(ways))]), np.concatenate([program.high, np.ones(len(ways))])
        ),
        options={"time_limit": SECONDS, "mip_rel_gap": GAP},
    )
    return None if found.x is None else _closed(program, ways, found.x[columns:] > 0.5)


def _closed(program: Program, ways: NDArray[np.intp], inward: Torn) -> Vector:
    """The upper bounds, with the other direction of each way closed."""
    high = program.high.copy()
    for (kind, step), is_in in zip(ways.tolist(), inward.tolist(), strict=True):
        for block in SIDES[kind][1 if is_in else 0]:
            high[block * program.steps + step] = 0.0
    return high
