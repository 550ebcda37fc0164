"""What is kept in the batteries for a backup and for what is promised, by the steps of an outlook. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.outlook import Outlook, Vector
from optimizer.reserve_now import offered
from schemas.site_reserves import BACKUP, Reserve


@dataclass(frozen=True)
class Kept:
    """What one reserve needs in each step."""

    name: str
    up: Vector
    """W to give more than planned."""
    down: Vector
    """W to take more than planned."""
    below: Vector
    """Wh above what the owner allows at least, at the end of each step."""
    above: Vector
    """Wh of room below what the owner allows at most, at the end of each step."""


def kept(outlook: Outlook, reserves: Sequence[Reserve], backup_minutes: float = 0.0) -> list[Kept]:
    """The reserves of a site over the steps of an outlook, without those that are not offered in any. What a step needs
    is there when it begins."""
    found = [backup(outlook, backup_minutes)] if backup_minutes else []
    found += [promised(outlook, one) for one in reserves]
    return [one for one in found if max(map(np.max, (one.up, one.down, one.below, one.above))) > 0]


def backup(outlook: Outlook, minutes: float) -> Kept:
    """The load of the next minutes after each step, as far as the PCS can carry it. PV is not counted on: most of it
    stops with the grid. Beyond the horizon the load stays as it is at the end of it."""
    none = np.zeros(len(outlook.starts))
    carried = np.minimum(outlook.load, outlook.rated)
    edges = np.concatenate([[0.0], np.cumsum(outlook.hours)])
    energy = np.concatenate([[0.0], np.cumsum(carried * outlook.hours)])
    until = edges[1:] + minutes / 60
    reached = np.interp(until, edges, energy) + np.maximum(until - edges[-1], 0.0) * carried[-1]
    return Kept(BACKUP, none, none, (reached - energy[1:]) / outlook.battery.efficiency, none)


def promised(outlook: Outlook, one: Reserve) -> Kept:
    """Power while it is offered, and energy for its minutes from the end of the step before."""
    on = np.array([offered(one, at, outlook.zone) for at in outlook.starts], dtype=float)
    ready = np.maximum(on, np.append(on[1:], on[-1]))
    hours, both = one.minutes / 60, outlook.battery.efficiency
    return Kept(
        one.name, on * one.up, on * one.down, ready * one.up * hours / both, ready * one.down * hours * both
    )  # fmt: skip


def with_reserves(bare: Outlook, every: Sequence[Kept]) -> Outlook:
    """The outlook with all of them kept. They add up: what is promised may have been called when the grid fails."""
    if not every:
        return bare
    battery = bare.battery
    low, high = (battery.energy * soc / 100 for soc in (battery.soc_min, battery.soc_max))
    up, down, below, above = (
        np.sum([getattr(one, key) for one in every], axis=0) for key in ("up", "down", "below", "above")
    )
    return replace(
        bare,
        up=bare.up + up,
        down=bare.down + down,
        floor=np.maximum(bare.floor, np.where(below > 0, low + below, 0.0)),
        ceiling=np.minimum(bare.ceiling, np.where(above > 0, high - above, np.inf)),
    )
