"""What was found by taking disk, clock, broker and archive away from the alarms: what was lost, or said untruly."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.alarms import service, telling
from consumers.alarms.figures.live import Live
from consumers.alarms.record import Record
from consumers.alarms.rules import Now
from consumers.alarms.salvage import read_rows
from schemas.messages import AlarmRequest
from schemas.site_file import load_site
from schemas.topics import ALARM, SERVICE_EVENT, SERVICE_STATUS
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_alarms_catalog import small_site
from tests.consumers.test_alarms_panel import a_panel, at, say
from tests.consumers.test_alarms_record import alarm, read
from tests.consumers.test_alarms_service import on_the_bus
from tests.consumers.test_alarms_telling import part_of, stop
from tests.ear import ear as hearing

WARM = '[[alarm]]\nname = "warm"\nkind = "bms"\npoint = "cell_t_max"\nabove = 30\n'
SIZES = {"before": 5, "large": 250_000, "behind": 5}


def ahead(second: float, step: float) -> Now:
    """A moment at which the wall clock has been set."""
    now = at(second)
    return Now(now.steady, now.wall + timedelta(seconds=step))


@pytest.mark.parametrize("step", [-3600, 61, 3600])
@pytest.mark.parametrize("action", ["shelve", "out_of_service"])
def test_a_clock_that_was_set_and_a_restart_end_no_shelf(tmp_path: Path, step: float, action: str) -> None:
    """What was kept was the time before the step: +1 h ended it with the restart, and -1 h an hour too late."""
    panel = a_panel(tmp_path, WARM)
    panel.hear("bms1", say(0, cell_t_max=40.0), at(0))
    wish = {"at": at(1).wall, "action": action, "who": "anna", "why": "fan", "until": at(601).wall}
    panel.request("warm-bms1", AlarmRequest.model_validate(wish), at(1))
    assert "warm-bms1" in dict(panel.tick(ahead(5, step))), "its new end is told"
    after = a_panel(tmp_path, WARM)
    after.restore(panel.shown(), ahead(20, step))
    for second, away in ((21, True), (600, True), (602, False)):
        after.tick(ahead(second, step))
        known = after.shown()["warm-bms1"]
        until = ahead(601, step).wall if away else None
        assert (known.shelved_until or known.out_until) == until, second


@pytest.mark.parametrize("ahead_by", [timedelta(hours=1), timedelta(days=3650)])
def test_a_clock_that_was_ahead_for_a_while_blinds_no_figures(tmp_path: Path, ahead_by: timedelta) -> None:
    """What was passed over by the step counted as not seen until the clock came there again: for ten years, if so."""
    start = at(0).wall
    live = Live(tmp_path / "figures.json")
    live.begin({}, start)
    for minute in range(60 * 24):
        live.watched(start + timedelta(minutes=minute))
    for minute in range(3):
        live.watched(start + timedelta(days=1, minutes=minute) + ahead_by)
    live.write(live.dump())
    live = Live(tmp_path / "figures.json")
    back = start + timedelta(days=1, minutes=5)
    live.begin({}, back)
    for minute in range(51):
        live.watched(back + timedelta(minutes=minute))
    assert live.figures(back + timedelta(minutes=50)).seen > 0.99


async def test_an_alarm_whose_rule_is_gone_ends_also_where_the_broker_has_forgotten_it(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    """Only what the broker kept was told to be over: in the archive behind one without a store it stood for ever."""
    record = Record(tmp_path / f"alarms-{site_name}.db")
    record.open()
    record.write([("former-bms1", alarm("shelved").model_copy(update={"active": True, "text": "Run."}))])
    record.close()
    part = part_of(broker.url("alarms"), small_site(tmp_path, site_name, WARM))
    async with hearing(broker.url("admin"), f"ems/v1/{site_name}/#") as admin:
        job = asyncio.create_task(service.run(part))
        kept = await admin.until(SERVICE_EVENT, lambda event: event.topic.endswith("former-bms1/state"))
        told = await admin.until(ALARM, alarm="former-bms1")
        await stop(job)
    assert (told.state, told.active, told.shelved_until, told.text) == ("normal", False, None, "It is over.")
    assert kept.payload["state"] == "normal"


async def test_a_disk_that_comes_late_brings_the_record_of_the_run_before(
    broker: Broker, tmp_path: Path, site_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was emptied without a word: what was out of service, shelved or latched was forgotten."""
    monkeypatch.setattr(telling, "UPKEEP", 0.2)
    state, path = tmp_path / "state", tmp_path / f"alarms-{site_name}.db"
    before, names = Record(path), ("warm-bms1", "bms_silent-bms1", "over")
    before.open()
    until = utc_now() + timedelta(hours=1)
    shelved = alarm("shelved").model_copy(update={"shelved_until": until})
    before.write([(name, shelved) for name in names])
    before.close()
    part = part_of(broker.url("alarms"), small_site(tmp_path, site_name, WARM))
    part.settings = replace(part.settings, state=state)
    async with hearing(broker.url("admin"), f"ems/v1/{site_name}/#") as admin:
        job = asyncio.create_task(service.run(part))
        await admin.until(SERVICE_STATUS, service="alarms")
        state.mkdir()
        path.rename(state / path.name)
        told = await admin.until(ALARM, alarm="warm-bms1")
        await stop(job)
    assert (told.state, told.shelved_until, told.by) == ("shelved", until, "anna")
    assert {"warm-bms1", "bms_silent-bms1"} <= read_rows(state / path.name)[0].keys()


def test_a_late_disk_brings_back_nothing_that_was_over_meanwhile(tmp_path: Path) -> None:
    path, before = tmp_path / "state" / "alarms.db", Record(tmp_path / "alarms.db")
    before.open()
    before.write([(name, alarm("latched")) for name in "abc"])
    before.close()
    record = Record(path)
    assert record.open() == ({}, "")
    record.write([("a", alarm("normal", 1)), ("b", alarm("shelved", 1)), ("d", alarm("latched", 1))])
    path.parent.mkdir()
    before.path.rename(path)
    assert (record.upkeep(), record.found()) == ("", {"c": alarm("latched")})
    record.close()
    assert read(path) == {"b": alarm("shelved", 1), "c": alarm("latched"), "d": alarm("latched", 1)}


async def test_what_is_too_large_keeps_no_other_back(broker: Broker, site_name: str) -> None:
    """Of a flood nothing was told behind the alarm whose text no message has room for."""
    async with hearing(broker.url("admin"), f"ems/v1/{site_name}/#") as admin, on_the_bus(broker, "alarms") as bus:
        said = {name: alarm("latched").model_copy(update={"text": "x" * size}) for name, size in SIZES.items()}
        packed = [
            (ALARM.at(site=site_name, alarm=name), one.model_dump_json().encode(), True) for name, one in said.items()
        ]
        with pytest.raises(ValueError, match=r"large/state: .* the most a message may have"):
            await bus.send_all(packed)
        await admin.until(ALARM, alarm="behind")


def test_words_that_no_message_has_room_for_are_refused(tmp_path: Path) -> None:
    site = load_site(small_site(tmp_path, "plant", f'{WARM}cause = "{"x" * 2001}"\n'))
    ((place, words),) = site.wrong_alarms
    assert (place, "2000" in words) == ("alarm.0.cause", True), words
