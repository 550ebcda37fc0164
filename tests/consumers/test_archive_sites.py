"""Two sites, each with its broker and its archive process, in one MariaDB: neither ever sees the other's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from consumers.archive.chain.proof import verify
from consumers.archive.migrate import migrate
from consumers.archive.roller import HOUR, floor
from joulebus.mariadb import MariaDB
from runtime.database import engine
from runtime.history import History
from schemas import messages as m
from schemas import tables, topics
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_archive_faults import on
from tests.consumers.test_archive_service import EPOCH, PROFILES, START, bus, ready, sample, until

COUNT = 20
SPAN = START, START + timedelta(hours=1)


@dataclass
class Sites:
    """The archive's door, and the two sites in it: the second says the same, with other numbers."""

    history: History
    names: tuple[str, str]
    opened: dict[str, datetime]
    """The newest hour of each that the ledger knew before."""
    began: datetime

    def value(self, site: str) -> float:
        return 1000.0 * (1 + self.names.index(site))


@pytest.fixture
async def sites(broker: Broker, mariadb: MariaDB, site_name: str, tmp_path: Path) -> AsyncIterator[Sites]:
    names, url = (f"{site_name}-a", f"{site_name}-b"), mariadb.database()
    await asyncio.to_thread(migrate, url)
    async with AsyncExitStack() as stack:
        other = Broker(tmp_path / "broker")
        other.start()
        stack.callback(other.stop)
        history = History(engine(url))
        stack.push_async_callback(history.engine.dispose)
        now = utc_now()
        opened = {name: floor(now - timedelta(hours=5 + 2 * n), HOUR) for n, name in enumerate(names)}
        found = Sites(history, names, opened, now)
        await _open_ledger(found)
        for name, its in zip(names, (broker, other), strict=True):
            archive = await stack.enter_async_context(on(its, url, name, tmp_path / name))
            archive.start()
            await ready(archive)
            await _talk(its, name, found.value(name))
        yield found


@pytest.mark.slow
async def test_two_sites_in_one_database_never_see_each_others(sites: Sites) -> None:
    history = sites.history

    async def all_done() -> bool:
        await asyncio.sleep(1)  # rollups are made each 10 s
        rolled = [await history.buckets(name, "pcs", "p", *SPAN, "1m") for name in sites.names]
        known = [await history.sequences(name, EPOCH) for name in sites.names]
        links = [(await verify(history.engine, name)).links for name in sites.names]
        written = [_missing(sites, name) <= await _gaps(sites, name) for name in sites.names]
        return all(rolled) and known == [{"pcs": [(1, COUNT)]}] * 2 and links == [2, 2] and all(written)

    await until(all_done, 60)
    for name in sites.names:
        await _only_its_own(sites, name)
        assert min(at for _, at in await _gaps(sites, name)) == sites.opened[name] + timedelta(hours=1)
    first, second = [await verify(history.engine, name) for name in sites.names]
    assert (first.wrong, second.wrong) == ("", "")
    assert first.head != second.head


async def _only_its_own(sites: Sites, name: str) -> None:
    history, mine = sites.history, sites.value(name)
    values = [mine + seq for seq in range(1, COUNT + 1)]
    counts = await history.counts(name, START)
    assert (counts.rows, counts.samples, counts.instants) == (COUNT, COUNT, COUNT)
    assert [value for _, value in await history.numbers(name, "pcs", "p", *SPAN)] == values
    (minute,) = await history.buckets(name, "pcs", "p", *SPAN, "1m")
    assert (minute.samples, minute.low, minute.high) == (COUNT, values[0], values[-1])
    assert {device: said for device, (_, said) in (await history.latest(name)).items()} == {"pcs": {"p": values[-1]}}
    assert [plan.cost for plan in await history.plans(name, *SPAN)] == [mine]
    assert [alarm.value for _, alarm in await history.alarms(name, *SPAN)] == [mine]
    assert [one.load for one in await history.forecasts(name, *SPAN)] == [mine]
    assert set(await history.completeness(name, *SPAN)) == {"pcs"}


async def _gaps(sites: Sites, name: str) -> set[tuple[str, datetime]]:
    now = utc_now()
    found = await sites.history.gaps(name, now - timedelta(days=1), now)
    return {(one.device, one.at) for one in found if one.cause}


def _missing(sites: Sites, name: str) -> set[tuple[str, datetime]]:
    """Hours that were over when the archive began to look, and of which nothing is stored."""
    hours = [sites.opened[name] + timedelta(hours=n) for n in range(1, 24)]
    return {(device, at) for device in PROFILES for at in hours if at + timedelta(hours=1, minutes=2) <= sites.began}


async def _open_ledger(sites: Sites) -> None:
    """As archives that were there before have left it, each up to an hour of its own."""
    whole: dict[str, Any] = {"expected": 1, "stored": 1, "cause": "", "closed": utc_now()}
    rows = [
        whole | {"site": name, "device": device, "at": at} for name, at in sites.opened.items() for device in PROFILES
    ]
    async with sites.history.engine.begin() as connection:
        await connection.execute(insert(tables.gap), rows)


async def _talk(broker: Broker, site: str, mine: float) -> None:
    """The same devices, epochs, numbers, names and moments at both: only what is said differs."""
    later = START + timedelta(hours=1)
    step = m.Step(
        at=START, seconds=900, power=1, soc=50, grid=1, load=mine, pv=0, price_import=0.3, price_export=0.1,
        marginal_value=0.2, reason="cheap",
    )  # fmt: skip
    plan = m.Plan(id="p1", at=START, until=later, currency="EUR", steps=[step], cost=mine, cost_idle=2)
    alarm = m.Alarm(
        at=START, state=m.AlarmState.UNACKNOWLEDGED, priority=m.AlarmPriority.HIGH, device="pcs", point="t",
        text="too hot", since=START, value=mine,
    )  # fmt: skip
    command = m.Command(
        id="c1", at=START, until=later, source="dispatch", authority=m.Authority.PLAN, values={"p_set": mine}, reason=""
    )
    outcome = m.Outcome(id="c1", at=START, state=m.OutcomeState.APPLIED, applied={"p_set": mine})
    pcs: dict[str, Any] = {"site": site, "device": "pcs"}
    said: list[tuple[str, topics.Topic[Any], Any, dict[str, Any]]] = [
        ("optimize", topics.PLAN, plan, {"site": site}),
        ("alarms", topics.ALARM, alarm, {"site": site, "alarm": "hot"}),
        ("dispatch", topics.COMMAND, command, pcs),
        ("bridge", topics.OUTCOME, outcome, pcs),
    ]
    for role, topic, message, place in said:
        async with bus(broker, role) as speaker:
            await speaker.say(topic, message, **place)
            if topic.retain:
                await speaker.say(topic, None, **place)
    async with bus(broker, "bridge") as bridge:
        for seq in range(1, COUNT + 1):
            one = sample(seq).model_copy(update={"values": {"p": mine + seq}})
            await bridge.say(topics.TELEMETRY, one, **pcs)
