"""The PV on the desk of dispatch over hours: what an inverter is told, and how often. Pure: an inverter that follows
within a command, a load, a sun and a battery that is full."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from consumers.dispatch.pv_desk import Batteries, FeedIn, PvDesk
from optimizer.curtail import RAMP, TOLERANCE
from schemas.messages import Telemetry
from schemas.site import Site
from tests.consumers.test_dispatch_desk import NOON, plant_site

RATED, LOAD, SUN = 60e3, 20e3, 0.9
FREE, CLOSED = FeedIn(100e3, "the export limit"), FeedIn(0.0, "feed-in costs 0.020 per kWh")
QUARTER = 900


def told(site: Site, feed_in: Callable[[int], FeedIn], seconds: int, load: float = LOAD) -> list[tuple[float, float]]:
    """% that the inverter is told each 2 s, and W that are fed in then."""
    desk, limit, found, seq = PvDesk.of(site), 100.0, [], 0
    for second in range(0, seconds, 2):
        power = RATED * min(SUN, limit / 100)
        for device, p in {"pv1": power, "pcs1": 0.0, "grid": load - power}.items():
            seq += 1
            desk.hear(device, Telemetry(at=NOON, epoch="0" * 16, seq=seq, values={"p": p}), float(second))
        desk.instruct(feed_in(second), Batteries(), {"pcs1": 0.0}, float(second))
        limit = desk.told.get("pv1", limit)
        found.append((limit, power - load))
    return found


def changes(found: list[tuple[float, float]]) -> int:
    return sum(before != after for (before, _), (after, _) in pairwise(found))


def turning(second: int) -> FeedIn:
    """The market's price turns its sign each quarter of an hour."""
    return CLOSED if second // QUARTER % 2 else FREE


def test_a_price_that_turns_each_quarter_of_an_hour(tmp_path: Path) -> None:
    found = told(plant_site(tmp_path), turning, 4 * QUARTER)
    assert all(after - before <= 100 * RAMP * 2 + 0.1 for (before, _), (after, _) in pairwise(found)), "back by a ramp"
    fed = {2 * n: power for n, (_, power) in enumerate(found)}
    closed = [power for second, power in fed.items() if turning(second) is turning(max(0, second - 4)) is CLOSED]
    assert max(closed) <= TOLERANCE * RATED
    assert found[QUARTER // 2 - 1][1] == pytest.approx(SUN * RATED - LOAD), "all of it, while that pays"
    assert changes(found[QUARTER // 2 + 30 : QUARTER]) == 0, "a level that stands is not written again"


def test_such_a_price_wears_no_register(tmp_path: Path) -> None:
    site = plant_site(tmp_path)
    shipped = site.profiles["pv1"]
    limit = shipped.commands["p_limit_pct"].model_copy(update={"memory": "eeprom"})
    site.__dict__["profiles"] = site.profiles | {
        "pv1": shipped.model_copy(update={"commands": {**shipped.commands, "p_limit_pct": limit}})
    }
    assert changes(told(site, turning, 12 * QUARTER)) <= 12, "once a quarter of an hour"
