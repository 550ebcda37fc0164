"""Ridge regression for many leads at once, from sums that add up day by day. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PENALTY = 0.01
"""On the square of a weight, where features have a variance of 1."""
FLOOR = 1e-3
"""A feature that varies less than this part of the largest one says little."""
LEAST = 1e-3
"""W: what varies less is constant."""


@dataclass(frozen=True)
class Sums:
    """Of one block of origins, by lead; the last feature is 1."""

    count: Array
    """[lead]"""
    xx: Array
    """[lead, feature, feature]"""
    xy: Array
    """[lead, feature]"""

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.count + other.count, self.xx + other.xx, self.xy + other.xy)

    def times(self, part: float) -> "Sums":
        """As if there were so many of them."""
        return Sums(part * self.count, part * self.xx, part * self.xy)

    @classmethod
    def of(cls, features: Array, targets: Array) -> Self:
        """features [origin, lead, feature], targets [origin, lead]; what has a nan is left out."""
        good = np.isfinite(targets) & np.isfinite(features).all(axis=2)
        x = np.where(good[:, :, None], features, 0.0).transpose(1, 0, 2)
        y = np.where(good, targets, 0.0).T
        xx = x.transpose(0, 2, 1) @ x
        xy = (x.transpose(0, 2, 1) @ y[:, :, None])[:, :, 0]
        return cls(good.sum(axis=0).astype(float), xx, xy)


def fit(blocks: Sequence[Sums], counting: Sequence[float]) -> Array | None:
    """Weights [lead, feature] that minimise the mean square error plus a penalty on their squares; None without data.
    `counting`: what each block counts.

    (S + .01 I) w = c, S and c the covariances of the standardised features; what is left goes into the last, constant
    feature, which is not penalised.
    """
    if not blocks:
        return None
    whole = reduce(add, (one.times(part) for one, part in zip(blocks, counting, strict=True)))
    count = np.where(whole.count > 0, whole.count, 1.0)[:, None]
    xx, xy = whole.xx / count[:, :, None], whole.xy / count
    mean, level = xx[:, -1, :-1], xy[:, -1:]
    size = np.einsum("hii->hi", xx)[:, :-1]
    spread = np.sqrt(np.maximum(size - mean**2, 0.0))
    scale = np.maximum(spread, FLOOR * np.sqrt(size.max(axis=1, keepdims=True)) + LEAST)
    covariance = (xx[:, :-1, :-1] - mean[:, :, None] * mean[:, None, :]) / scale[:, :, None] / scale[:, None, :]
    with_target = (xy[:, :-1] - mean * level) / scale
    penalised = covariance + PENALTY * np.eye(mean.shape[1])
    weights = np.linalg.solve(penalised, with_target[:, :, None])[:, :, 0] / scale
    return np.concatenate([weights, level - (weights * mean).sum(axis=1, keepdims=True)], axis=1)
