"""The ledger of gaps: what is one, why, until when it may be filled, and what it costs to know."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.ledger import GRACE, LONGEST, Ledger, Witness
from consumers.archive.night import Silence, quarters, slept
from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus.ledger import percent
from runtime.history import History
from schemas import messages as m
from schemas import tables
from schemas.site import Site
from tests.consumers.test_archive_rollups import NOON, SITE, said

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SLOW = Site.model_validate(
    SITE.model_dump(exclude={"device"}) | {"device": [one.model_dump() | {"poll": 60.0} for one in SITE.device]}
)
"""A sample a minute is enough to tell."""
RATED = 1000.0
MIDNIGHT = NOON - 12 * HOUR


@dataclass
class Archive:
    """The parts of one that keep, roll and write the ledger, one after the other, as its upkeep does."""

    database: AsyncEngine
    site: Site
    began: datetime

    def __post_init__(self) -> None:
        self.witness = Witness([device.name for device in self.site.devices], self.began)
        self.store = Store(self.database, lambda _: None)
        self.roller = Roller(self.database, self.site, self.store)
        self.ledger = Ledger(self.database, self.site, self.witness, self.began)

    async def keep(self, *batch: Any, now: datetime) -> int:
        """How many hours are open when these samples are stored."""
        await self.store.keep(sort_out(batch, now)[0])
        await self.roller.roll(now)
        return await self.ledger.write(now)

    async def hours(self, device: str) -> dict[datetime, Any]:
        async with self.database.connect() as connection:
            rows = await connection.execute(select(tables.gap).where(tables.gap.c.device == device))
            return {row.at: row for row in rows}

    @contextmanager
    def asked(self) -> Iterator[list[str]]:
        """The statements that the database gets."""
        found: list[str] = []

        def _note(_a: object, _b: object, statement: str, *_rest: object) -> None:
            found.append(statement)

        event.listen(self.database.sync_engine, "before_cursor_execute", _note)
        yield found
        event.remove(self.database.sync_engine, "before_cursor_execute", _note)


def minutely(device: str, first: datetime, last: datetime, power: float = 500.0) -> list[Any]:
    """A sample a minute, the last one included; the number of each is that of its minute."""
    start, end = round((first - NOON) / MINUTE), round((last - NOON) / MINUTE)
    return [said(n + 1_000_000, n * 60, {"p": power}, device) for n in range(start, end + 1)]


async def test_the_ledger_says_why_and_back_fill_closes_it(archive: AsyncEngine) -> None:
    one = Archive(archive, SITE, NOON - 2 * HOUR)
    one.witness.heard = NOON
    one.witness.hear("pcs", m.DeviceStatus(at=NOON, state=m.DeviceState.OFFLINE), NOON)
    now = NOON + HOUR + 3 * MINUTE
    first = said(1, -1, {"p": 1.0})
    assert await one.keep(first, *(said(n + 2, n, {"p": 1.0}) for n in range(1800)), now=now)
    row = (await one.hours("meter"))[NOON]
    assert (row.expected, row.stored, row.cause, row.closed) == (3600, 1800, "unknown", None)
    assert (await one.hours("pcs"))[NOON].cause == "offline"
    before = await one.ledger.write(now)
    assert await one.keep(*(said(n + 2, n, {"p": 1.0}) for n in range(1800, 3599)), now=now) == before - 1
    row = (await one.hours("meter"))[NOON]
    assert (row.stored, row.cause, row.closed) == (3599, "unknown", now)


async def test_the_first_hour_counts_from_the_first_sample_on(archive: AsyncEngine) -> None:
    """It was left out: what was lost in the first hour of a device nobody ever heard of."""
    one = Archive(archive, SLOW, NOON - 5 * MINUTE)
    begin = NOON + 40 * MINUTE
    await one.keep(
        *minutely("meter", begin, NOON + HOUR - MINUTE),
        *minutely("pcs", begin, NOON + 49 * MINUTE),
        now=NOON + HOUR + GRACE,
    )
    meter, pcs = (await one.hours("meter"))[NOON], (await one.hours("pcs"))[NOON]
    assert (meter.expected, meter.stored, meter.cause) == (20, 20, "")
    assert (pcs.expected, pcs.stored, pcs.closed) == (20, 10, None)
    assert set(await one.hours("bms")) == {NOON}, "one that never spoke: since the first whole hour of the archive"


async def _sun(one: Archive, days: int, dawn: float = 4.6, dusk: float = 20.1, cut: float = 24.0) -> None:
    """Clear days: an inverter that the sun supplies answers between dawn and dusk, the meter always."""
    for day in range(days):
        midnight = MIDNIGHT + 24 * HOUR * day
        times = [midnight + MINUTE * n for n in range(1440) if dawn <= n / 60 <= dusk]
        powers = [900 * math.sin(math.pi * (at - times[0]) / (times[-1] - times[0])) for at in times]
        batch = [one for at, power in zip(times, powers, strict=True) for one in minutely("pv", at, at, power)]
        batch = [one for one in batch if one.message.at < midnight + cut * HOUR]
        batch += minutely("meter", midnight, midnight + 24 * HOUR - MINUTE)
        await one.keep(*batch, now=midnight + 24 * HOUR + GRACE)


async def test_an_inverter_that_sleeps_is_no_gap_and_one_that_fails_is(lite: AsyncEngine) -> None:
    one = Archive(lite, SLOW, MIDNIGHT)
    await _sun(one, 2)
    found = await one.hours("pv")
    assert [at for at, row in found.items() if row.closed is None] == []
    night = found[MIDNIGHT + 26 * HOUR]
    assert (night.cause, night.expected) == ("asleep", 0)
    dusk = found[MIDNIGHT + 20 * HOUR]
    assert (dusk.cause, dusk.stored) == ("asleep", 7)
    share = await History(lite).completeness("plant", MIDNIGHT, MIDNIGHT + 48 * HOUR)
    assert share["pv"] == pytest.approx(1, abs=0.003)
    # the cable breaks in the night: by day it is missed, whatever the night was
    third = MIDNIGHT + 48 * HOUR
    await one.keep(*minutely("meter", third, third + 15 * HOUR), now=third + 15 * HOUR)
    later = {at: row for at, row in (await one.hours("pv")).items() if at >= third}
    assert {at.hour for at, row in later.items() if row.cause == "asleep"} >= {0, 1, 2, 3}
    assert {at.hour for at, row in later.items() if row.closed is None} >= set(range(6, 14))


async def test_a_night_that_is_known_late_is_a_night(lite: AsyncEngine) -> None:
    """The way to the archive breaks in the afternoon: what came before the night comes after it."""
    one = Archive(lite, SLOW, MIDNIGHT)
    await _sun(one, 1, cut=14.0)
    day = MIDNIGHT + 24 * HOUR
    await one.keep(*minutely("meter", day, day + 2 * HOUR), now=day + 2 * HOUR + GRACE)
    assert {at.hour for at, row in (await one.hours("pv")).items() if row.closed is None} >= {15, 18, 22, 1}
    evening = minutely("pv", MIDNIGHT + 14 * HOUR, MIDNIGHT + 20 * HOUR + 5 * MINUTE, 30.0)
    assert await one.keep(*evening, now=day + 2 * HOUR + 10 * MINUTE) == len(["pcs", "bms"]) * 25
    assert [at for at, row in (await one.hours("pv")).items() if row.closed is None] == []


async def test_a_gap_that_can_no_longer_be_filled_is_lost_and_late_samples_open_it_again(lite: AsyncEngine) -> None:
    one = Archive(lite, SLOW, NOON - HOUR)
    await one.keep(*minutely("meter", NOON - MINUTE, NOON + 30 * MINUTE), now=NOON + 2 * HOUR + GRACE)
    late = NOON + LONGEST + 2 * HOUR
    await one.ledger.write(late)
    lost = (await one.hours("meter"))[NOON]
    assert (lost.stored, lost.cause, lost.closed) == (31, "unknown", late)
    known = await one.hours("meter")
    await one.keep(*minutely("meter", NOON + 31 * MINUTE, NOON + 59 * MINUTE), now=late)
    after = await one.hours("meter")
    assert [at for at in known if after[at] != known[at]] == [NOON]
    assert (after[NOON].stored, after[NOON].closed) == (60, late)


async def test_what_is_open_is_not_asked_for_again(lite: AsyncEngine) -> None:
    """300 hours of each of 4 devices were three questions each, every five minutes: 3 600 for the same answers."""
    one = Archive(lite, SLOW, NOON - 300 * HOUR)
    with one.asked() as asked:
        assert await one.ledger.write(NOON + GRACE) == 4 * 299
        first = len(asked)
    assert first < 4 * 299 * 5
    with one.asked() as asked:
        assert await one.ledger.write(NOON + GRACE + 5 * MINUTE) == 4 * 299
    assert len(asked) <= 5, asked
    await one.store.keep(sort_out(minutely("meter", NOON - 3 * HOUR, NOON - 3 * HOUR), NOON)[0])
    await one.roller.roll(NOON + GRACE + 6 * MINUTE)
    with one.asked() as asked:
        await one.ledger.write(NOON + GRACE + 10 * MINUTE)
    assert len(asked) <= 10, asked
    row = {"site": "plant", "cause": "", "expected": 60, "stored": 60, "closed": NOON}
    old = [row | {"device": "meter", "at": NOON - n * HOUR} for n in range(1000, 9000)]
    async with lite.begin() as connection:
        await connection.execute(insert(tables.gap), old)
    with one.asked() as asked:
        await one.ledger.write(NOON + GRACE + 15 * MINUTE)
    assert len(asked) <= 5, asked


DUSK = NOON + 8 * HOUR


@pytest.mark.parametrize(
    ("told", "is_night"),
    [
        ({}, True),
        ({"usual": (0.0, 12.0)}, True),
        ({"after": 8.0}, True),
        ({"before": 400.0}, False),  # it fell silent while it produced
        ({"before": None}, False),  # nobody knows
        ({"spoke": None}, False),
        ({"usual": (0.0, 300.0)}, False),  # at this time it usually produces
        ({"after": 300.0}, False),  # it was day long before it spoke again
        ({"spoke": DUSK - 20 * HOUR}, False),  # no night is so long
    ],
)
def test_a_silence_is_sleep_only_where_all_that_is_known_says_so(told: dict[str, Any], is_night: bool) -> None:
    silence: dict[str, Any] = {
        "start": DUSK,
        "end": DUSK + HOUR,
        "spoke": DUSK,
        "before": 10.0,
        "after": None,
        "usual": (),
    } | told
    assert slept(Silence(**silence), RATED) is is_night


def test_the_quarters_of_the_days_before_lie_within_the_silence() -> None:
    found = quarters(DUSK + 7 * MINUTE, DUSK + HOUR)
    assert len(found) == 3 * 3
    assert found[:3] == [DUSK - 24 * HOUR + 15 * n * MINUTE for n in (1, 2, 3)]
    assert quarters(DUSK + 46 * MINUTE, DUSK + HOUR) == []


@given(st.floats(0, 1, exclude_max=True))
def test_a_hundred_percent_is_said_of_nothing_less(share: float) -> None:
    told = percent(share)
    assert told != "100.000%"
    assert float(told[:-1]) <= share * 100 + 1e-9
    assert percent(1.0) == "100.000%"
    assert percent(1 - 1e-12) == "99.999%"
    assert percent(0.96875) == "96.875%"
