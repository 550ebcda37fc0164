"""How what changes gets out: at a start without a broker, and many at once over a line that is slow."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pytest

from consumers.alarms import service
from consumers.alarms.catalog import Catalog, load_catalog
from consumers.alarms.record import Record
from consumers.alarms.salvage import read_rows
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Alarm, AlarmRequest, Cause
from schemas.site_file import load_site
from schemas.topics import ALARM, ALARM_OUTCOME, ALARM_REQUEST, SERVICE_EVENT
from schemas.units import utc_now
from tests.chaos.proxy import Line, Proxy
from tests.conftest import Broker
from tests.consumers.test_alarms_catalog import small_site
from tests.consumers.test_alarms_record import alarm
from tests.consumers.test_alarms_service import RULES, WARM, Plant, on_the_bus, until, wish
from tests.ear import Ear
from tests.ear import ear as hearing

FLOOD = 200
LOST = "broker_lost-alarms"


def part_of(url: str, site_file: Path) -> Part:
    place = parse_broker(url, "alarms", None, {})
    return Part("alarms", load_site(site_file), Settings(place, database="", state=site_file.parent))


async def stop(job: "asyncio.Task[None]") -> None:
    job.cancel()
    with suppress(asyncio.CancelledError):
        await job


def states(ear: Ear) -> dict[str, list[str]]:
    """Of each of the flood, in their order."""
    found = defaultdict[str, list[str]](list)
    for heard in ear.heard:
        if heard.topic is ALARM and heard.place["alarm"].startswith("f") and heard.message is not None:
            found[heard.place["alarm"]].append(heard.message.state.value)
    return found


def soon() -> Catalog:
    """The shipped rules; what is told of a broker that is away is told after a second."""
    shipped = load_catalog()
    rules = [one.model_copy(update={"on_delay": 1.0} if one.name == "broker_lost" else {}) for one in shipped.services]
    return shipped.model_copy(update={"services": rules})


async def test_a_broker_that_is_away_when_alarms_starts_is_an_alarm(
    tmp_path: Path, site_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was none: what the disk knew was read with the first connection, and after 10 s alarms ended. Now it stands on
    the disk, outlives a restart, and is told when the broker is there; what the run before knew goes on."""
    monkeypatch.setattr(service, "load_catalog", soon)
    broker, site_file = Broker(tmp_path / "broker"), small_site(tmp_path, site_name, RULES)
    path, began = tmp_path / f"alarms-{site_name}.db", utc_now()
    before, shelved = Record(path), alarm("shelved").model_copy(update={"shelved_until": began.replace(year=2100)})
    before.open()
    before.write([(WARM, shelved)])
    before.close()

    first = part_of(broker.url("alarms"), site_file)
    job = asyncio.create_task(service.run(first))
    await until(lambda: LOST in read_rows(path)[0])
    assert Cause.BROKER_LOST in first.status().causes
    await stop(job)
    told = read_rows(path)[0][LOST]

    second = part_of(broker.url("alarms"), site_file)
    job = asyncio.create_task(service.run(second))
    await asyncio.sleep(1.5)
    assert not job.done(), "it waits for the broker"
    broker.start()
    try:
        async with hearing(broker.url("admin"), f"ems/v1/{site_name}/#") as admin:
            said = await admin.until(ALARM, alarm=LOST)
            kept = await admin.until(SERVICE_EVENT, lambda event: event.topic.endswith(f"{LOST}/state"))
            goes_on = await admin.until(ALARM, alarm=WARM)
        assert (said.state, said.began, said.since) == ("unacknowledged", told.began, told.since)
        assert said.began is not None
        assert 0 <= (said.began - began).total_seconds() < 10
        assert Alarm.model_validate_json(json.dumps(kept.payload)).since == told.since
        assert (goes_on.state, goes_on.why) == ("shelved", shelved.why)
        await until(lambda: Cause.BROKER_LOST not in second.status().causes)
    finally:
        await stop(job)
        broker.stop()


def turns(admin: Ear) -> Counter[tuple[str, ...]]:
    """In how many alarms which states followed each other; the first-out is told again when others follow it."""
    return Counter(tuple(state for state, _ in groupby(one)) for one in states(admin).values())


async def test_many_alarms_at_once_wait_for_no_round_trip_each(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """A line of 50 ms each way: one after the other 200 alarms took 20 s. Each alarm's changes keep their order, and an
    answer comes behind what it changes."""
    rule = '[[alarm]]\nname = "f{}"\ndevice = "bms1"\npoint = "cell_t_max"\nabove = 30\nclear = 28\n'
    site_file = small_site(tmp_path, site_name, "".join(rule.format(number) for number in range(FLOOD)))
    own = broker.url("alarms")
    async with (
        Proxy(broker.port) as line,
        hearing(broker.url("admin"), ALARM.at(site=site_name), ALARM_OUTCOME.at(site=site_name)) as admin,
        on_the_bus(broker, "bridge") as bridge,
        on_the_bus(broker, "operator") as operator,
    ):
        part = part_of(own.replace(f":{broker.port}", f":{line.port}"), site_file)
        job = asyncio.create_task(service.run(part))
        plant = Plant(bridge, site_name)
        try:
            await until(lambda: part.ready)
            while part.last_success is None:
                await plant.say("bms1", cell_t_max=20.0)
                await asyncio.sleep(0.1)
            line.become(Line(latency=0.05))
            began = time.monotonic()
            for heat in (40.0, 20.0, 40.0):
                await plant.say("bms1", cell_t_max=heat)
            await until(lambda: turns(admin) == Counter({("unacknowledged", "returned", "unacknowledged"): FLOOD}))
            assert time.monotonic() - began < 10
            ack = AlarmRequest.model_validate(wish("ack"))
            await operator.say(ALARM_REQUEST, ack, site=site_name, alarm="f7-bms1")
            await admin.until(ALARM_OUTCOME)
            places = [(one.topic, one.place["alarm"]) for one in admin.heard if one.place["alarm"] == "f7-bms1"]
            assert [topic.name for topic, _ in places[-2:]] == [ALARM.name, ALARM_OUTCOME.name]
            assert states(admin)["f7-bms1"][-1] == "acknowledged"
        finally:
            await stop(job)
