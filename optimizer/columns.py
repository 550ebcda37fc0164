"""What the linear program of a plan is made of: its columns, its rows as they are collected, and the whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from optimizer.outlook import Outlook, Vector

CHARGE, DISCHARGE, IMPORT, EXPORT, IMPORT_BEYOND, EXPORT_BEYOND, ENERGY, BELOW, ABOVE, SHORT, OVER = range(11)
BLOCKS = 11
"""Columns that each step has; those of one kind follow each other."""

Term = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Rows from 0, columns and values: one entry each."""


@dataclass
class Rows:
    """Inequalities `sum of value * column <= most`, as they are collected."""

    width: int
    """Columns of the program."""
    most: list[float] = field(default_factory=list)
    row: list[NDArray[np.intp]] = field(default_factory=list)
    column: list[NDArray[np.intp]] = field(default_factory=list)
    value: list[Vector] = field(default_factory=list)

    def add(self, most: Sequence[float] | Vector, *terms: Term) -> None:
        """As many rows as `most` has; those of the terms count from the first of them."""
        for term in terms:
            row, column, value = np.broadcast_arrays(*(np.atleast_1d(one) for one in term))
            self.row.append(row + len(self.most))
            self.column.append(column)
            self.value.append(value.astype(float))
        self.most += [float(one) for one in most]

    def built(self) -> tuple[sparse.csr_array, Vector]:
        """The matrix and what each row is at most."""
        shape = (len(self.most), self.width)
        if not self.value:
            return sparse.csr_array(shape), np.array(self.most)
        entries = np.concatenate(self.value), (np.concatenate(self.row), np.concatenate(self.column))
        return sparse.csr_array(sparse.coo_array(entries, shape=shape)), np.array(self.most)


@dataclass(frozen=True)
class Program:
    """cost, equalities, inequalities and bounds; the sizes are steps and columns of peaks."""

    outlook: Outlook
    cost: Vector
    equal: sparse.csr_array
    equal_to: Vector
    at_most: sparse.csr_array
    most: Vector
    low: Vector
    high: Vector

    @property
    def steps(self) -> int:
        return len(self.outlook.starts)

    def part(self, x: Vector, block: int) -> Vector:
        """One of the eleven quantities of a solution, or of its bounds, by step."""
        return x[block * self.steps : (block + 1) * self.steps]
