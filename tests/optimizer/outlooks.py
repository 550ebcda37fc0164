"""Outlooks to plan for: a plain one to change, and hypothesis' wild ones."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

from optimizer.demand import MONTHLY, Charged, period
from optimizer.outlook import Outlook, step_starts
from optimizer.storage import Storage, together
from optimizer.windows import Charge
from schemas.messages import Authority, HeldLimit
from schemas.site_battery import Battery
from schemas.site_grid import Grid
from schemas.tariff import Demand

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
"""Noon in Berlin."""


def battery(**change: Any) -> Storage:
    return together([Battery.model_validate({"pcs": "pcs1", "bms": "bms1", "energy": 200e3, **change})])


def grid(**change: Any) -> Grid:
    return Grid.model_validate({"meter": "grid", "import_limit": 300e3, "export_limit": 300e3, **change})


ALONE = ("demand", "billed", "minutes", "how", "floor", "expected", "imported")


def charge(  # what may be known of it
    now: datetime = NOON,
    *,
    demand: float,
    billed: float = 0.0,
    minutes: int = 15,
    how: Charged = MONTHLY,
    floor: float = 0.0,
    expected: float = 0.0,
    imported: float = 0.0,
    **more: Any,
) -> Charge:
    """Of a price per kW; powers in W. `more` stands in the tariff file."""
    given = {"price": demand, "minutes": minutes, "per": how.per, "floor": floor / 1000, **more}
    given = {name: value for name, value in given.items() if value is not None}
    if how.per == "year":
        given["year_begins"] = how.begins
    component = Demand.model_validate(given)
    return Charge(component, {period(now, BERLIN, how)[0]: billed}, expected, imported)


def outlook(hours: float = 24, now: datetime = NOON, **change: Any) -> Outlook:
    """50 kW of load, no PV, 0.20 to buy and 0.05 to sell; vectors may be given as one number or as a list. `demand`,
    `billed` and the like are those of one charge."""
    step = change.pop("step_minutes", 15)
    starts = step_starts(now, hours, step)
    alone = {name: change.pop(name) for name in ALONE if name in change}
    if alone.get("demand"):
        change["charges"] = [charge(now, **alone)]
    plain: dict[str, Any] = {"load": 50e3, "pv": 0.0, "buy": 0.20, "sell": 0.05}
    given = {**plain, "soc": 50.0, "battery": battery(), "grid": grid(), "rated": 100e3, "zone": BERLIN, **change}
    for name in plain:
        given[name] = np.resize(np.array(given[name], dtype=float), len(starts))
    return Outlook(starts=starts, minutes=step, **given)


def prices_by_hour(now: datetime = NOON, *, hours: int = 24, cheap: float = 0.08, dear: float = 0.30) -> list[float]:
    """Cheap from noon to 16 h, dear from 18 to 21 h local time, 0.20 otherwise."""
    clocks = [start.astimezone(BERLIN).hour for start in step_starts(now, hours)]
    return [cheap if 12 <= clock < 16 else dear if 18 <= clock < 21 else 0.20 for clock in clocks]


@st.composite
def wild(draw: st.DrawFn) -> Outlook:
    """Anything that could happen at a site: negative prices, closed exports, a load beyond the limit, any SoC."""
    steps = draw(st.integers(2, 24))
    minutes = draw(st.sampled_from([15, 30, 60]))
    late = draw(st.sampled_from([0, 1, 7, 14]))
    now = draw(st.sampled_from([NOON, datetime(2026, 3, 31, 20, 30, tzinfo=UTC)])).replace(minute=late)
    count = len(step_starts(now, steps / 4))

    def some(low: float, high: float) -> list[float]:
        value = st.floats(low, high).map(lambda number: round(number, 3))
        return draw(st.lists(value, min_size=count, max_size=count))

    return outlook(
        steps / 4,
        now,
        load=some(0, 400e3),
        pv=some(0, 300e3),
        buy=some(-0.2, 0.6),
        sell=some(-0.2, 0.4),
        soc=draw(st.floats(0, 100)),
        battery=battery(
            energy=draw(st.floats(5e3, 2e6)),
            efficiency=draw(st.floats(0.7, 1.0)),
            wear=draw(st.floats(0, 0.1)),
        ),
        grid=grid(import_limit=draw(st.floats(1e3, 400e3)), export_limit=draw(st.floats(0, 300e3))),
        rated=draw(st.floats(1e3, 300e3)),
        demand=draw(st.sampled_from([0.0, 15.0])),
        minutes=minutes,
        billed=draw(st.floats(0, 200e3)),
        imported=draw(st.floats(0, 20e3)),
        held=draw(st.one_of(st.just(()), st.lists(_held(), min_size=count, max_size=count))),
        how=draw(st.sampled_from([MONTHLY, Charged("year", 4), Charged("year", 1)])),
        expected=draw(st.sampled_from([0.0, 40e3, 150e3])),
        curtails=draw(st.booleans()),
        free=draw(st.sampled_from([0.0, 100e3])),
    )


def limit(direction: str = "consumption", power: float = 10e3, **more: Any) -> HeldLimit:
    """One that the network operator has sent."""
    said = {"scope": "connection_point", "authority": Authority.DSO, "source": "dso", "since": NOON, "cause": "asked"}
    return HeldLimit.model_validate({**said, "direction": direction, "power": power, **more})


def _held() -> st.SearchStrategy[list[HeldLimit]]:
    scopes = st.sampled_from(["connection_point", "steerable"])
    directions = st.sampled_from(["consumption", "feed_in"])
    each = st.builds(lambda way, scope, power: limit(way, power, scope=scope), directions, scopes, st.floats(0, 400e3))
    return st.lists(each, max_size=3)
