"""kill -9 of the alarms, again and again in the middle of their work: nothing is lost, and nothing is raised twice."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from schemas.messages import AlarmState
from schemas.topics import SERVICE_EVENT
from tests.conftest import Broker
from tests.consumers.alarm_rows import PULSE, Row, site_file
from tests.consumers.alarm_stage import Seen, Stage, disk, part, running, stage
from tests.ear import ear
from tests.timed import FULL

KILLS, MOST = (10, 240) if FULL else (3, 90)
"""How often it is killed, and the readings that are there to be told."""
DELAY = 1.5


def _busy(random: Random) -> str:
    return " ".join(f"{random.choice((0, 50))}*{random.choice((1, 1, 2, 4, 7))}" for _ in range(MOST))


ROWS = {f"busy{n}": Row(_busy(Random(n)), rule=f"on_delay = {DELAY * (n % 2)}") for n in range(14)} | {
    "shelf": Row("0 50", asks=["2 operator shelve 9000 -> followed"]),
    "out": Row("0 50 0", asks=["2 engineer maintenance out_of_service 9000 -> followed"]),
    "acked": Row("0 50", asks=["3 operator ack -> followed"]),
    "latch": Row("0 50 0", rule="latched = true", asks=["3 operator ack -> followed"]),
}


@pytest.mark.slow
async def test_killed_in_the_middle_of_its_work(broker: Broker, tmp_path: Path, site_name: str) -> None:
    path, dice = site_file(tmp_path, site_name, ROWS), Random(KILLS)
    events = SERVICE_EVENT.at(site=site_name, service="alarms")
    with disk(site_name) as state:
        service = part("alarms", broker, path, JOULEBUS_STATE=state)
        people = ("operator", "engineer")
        async with (
            ear(broker.url("admin"), events) as archive,
            stage(broker, site_name, ROWS, people) as told,
            running(service),
        ):
            await told.begin()
            await told.until(5)
            told.do(_acknowledge(told, Random(1)))
            for _ in range(KILLS):
                await asyncio.sleep(dice.uniform(0.1, 3.0))
                await asyncio.to_thread(service.kill)
                await asyncio.to_thread(service.start)
                await _heard(told)
            told.calm = True
            await _heard(told)
            await asyncio.sleep(DELAY + 3)
            _judge(told)
            kept = {(one.topic.split("/")[-2], one.payload["at"]) for one in archive.all(SERVICE_EVENT)}
            seen = {(one.name, one.alarm.model_dump(mode="json")["at"]) for one in told.seen if one.alarm}
            assert seen <= kept, f"not told to the archive: {sorted(seen - kept)[:5]}"


async def _heard(told: Stage) -> None:
    """It works again: it follows the device that is wrong each second second."""
    before = len(told.changes(f"hot-{PULSE}"))
    await told.sees(lambda: len(told.changes(f"hot-{PULSE}")) > before, within=30)


async def _acknowledge(told: Stage, dice: Random) -> None:
    """An operator who answers now and then; what is over, or not heard, is refused or heard by nobody."""
    while True:
        await asyncio.sleep(0.7)
        await told.wish(f"busy{dice.randrange(14)}", "0 operator ack")


def _judge(told: Stage) -> None:
    for device in ROWS:
        came = [one for one in told.changes(f"hot-{device}") if one.alarm]
        raises = {one.alarm.since for one in came if one.alarm and one.alarm.state is AlarmState.UNACKNOWLEDGED}
        excursions = _excursions(told, device)
        for begin, end in excursions:
            mine = [at for at in raises if begin <= told.second(at) < end]
            assert len(mine) <= 1, f"{device}: wrong from {begin:.1f} to {end:.1f} s is raised {len(mine)} times"
        outside = [at for at in raises if not any(a <= told.second(at) < b for a, b in excursions)]
        assert not outside, f"{device}: nothing was wrong at {outside}"
        _nothing_is_taken_back(device, came)
    last = {device: told.last(f"hot-{device}") for device in ROWS}
    states = {device: one.state.value if one else "normal" for device, one in last.items()}
    assert {d: states[d] for d in ("shelf", "out", "acked", "latch")} == {
        "shelf": "shelved",
        "out": "out_of_service",
        "acked": "acknowledged",
        "latch": "latched",
    }
    wrong = {device for device in ROWS if told.said[device][-1][1].values["x"] > 30}
    active = {device for device, one in last.items() if one is not None and one.active}
    assert active == wrong, "what its topic says is so"


def _excursions(told: Stage, device: str) -> list[tuple[float, float]]:
    """From the first wrong reading to the first right one behind it; the service reads a little later."""
    found: list[tuple[float, float]] = []
    begin: float | None = None
    for at, reading in told.said[device]:
        wrong = reading.values["x"] > 30
        if wrong and begin is None:
            begin = at
        elif not wrong and begin is not None:
            found.append((begin - 0.05, at))
            begin = None
    return [*found, (begin - 0.05, float("inf"))] if begin is not None else found


def _nothing_is_taken_back(device: str, came: list[Seen]) -> None:
    """What was acknowledged is not asked for again in the same raise, and no raise begins at another time."""
    for before, one in pairwise(came):
        old, new = before.alarm, one.alarm
        assert old is not None
        assert new is not None
        if old.since == new.since:
            assert (old.state, new.state) != (AlarmState.ACKNOWLEDGED, AlarmState.UNACKNOWLEDGED), device
        assert new.at >= old.at - timedelta(seconds=0.01), f"{device}: {old.state} at {old.at}, {new.state} at {new.at}"
