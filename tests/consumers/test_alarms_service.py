"""The alarms consumer beside a real broker: what operators see, and what a killed process leaves behind."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from consumers.alarms.salvage import read_rows
from consumers.alarms.service import MARK, run
from runtime.bus import Bus
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import (
    Action,
    Alarm,
    AlarmRequest,
    DeviceState,
    DeviceStatus,
    Outcome,
    OutcomeState,
    RequestOutcome,
    ServiceStatus,
    Telemetry,
)
from schemas.site_file import load_site
from schemas.topics import (
    ALARM,
    ALARM_MAINTENANCE,
    ALARM_OUTCOME,
    ALARM_REQUEST,
    DEVICE_STATUS,
    OUTCOME,
    SERVICE_EVENT,
    SERVICE_STATUS,
    TELEMETRY,
)
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_alarms_catalog import small_site
from tests.ear import ear as hearing
from tests.timed import long

RULES = """
[[alarm]]
name = "warm"
device = "bms1"
point = "cell_t_max"
above = 30
clear = 28
text = "The battery is warm. Open a window."
[[alarm]]
name = "tripped"
device = "pcs1"
point = "state"
equals = "fault"
latched = true
"""
WARM, TRIPPED = "warm-bms1", "tripped-pcs1"
LED = ("unacknowledged", "unacknowledged")
"""It is told again as the first-out, once another one came with it."""


@asynccontextmanager
async def on_the_bus(broker: Broker, role: str) -> AsyncIterator[Bus]:
    async with Bus(parse_broker(broker.url(role), role, None, {}), identifier=role) as bus:
        yield bus


class Ear:
    """Hears every alarm of a site, in order."""

    def __init__(self, bus: Bus, site: str) -> None:
        self.heard: list[Heard[Any]] = []
        self._task = asyncio.create_task(self._listen(bus, site))

    async def _listen(self, bus: Bus, site: str) -> None:
        async for batch in bus.listen(ALARM.at(site=site)):
            self.heard += [heard for heard in batch if heard.place["alarm"] != MARK]
            bus.ack(batch)

    def states(self, alarm: str) -> list[str]:
        """`cleared` stands for an emptied topic."""
        mine = [heard for heard in self.heard if heard.place["alarm"] == alarm]
        return [heard.message.state.value if heard.message else "cleared" for heard in mine]

    def last(self, alarm: str) -> Alarm:
        found = next(h.message for h in reversed(self.heard) if h.place["alarm"] == alarm and h.message)
        assert isinstance(found, Alarm)
        return found

    async def hears(self, alarm: str, *states: str, within: float = 8) -> None:
        """Wait until exactly these were heard; what else comes is a failure."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.states(alarm) != list(states):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert self.states(alarm) == list(states)

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class Plant:
    """Says what a bridge would say: each second something of every device that is not told to be silent."""

    def __init__(self, bus: Bus, site: str) -> None:
        self.bus, self.site, self.seq = bus, site, 0
        self.silent: set[str] = set()

    async def say(self, device: str, *, historical: bool = False, **values: float | str) -> None:
        self.seq += 1
        telemetry = Telemetry(at=utc_now(), epoch="0" * 16, seq=self.seq, historical=historical, values={**values})
        await self.bus.say(TELEMETRY, telemetry, site=self.site, device=device)

    async def until_heard(self, device: str, alarm: str, ear: Ear, **values: float | str) -> None:
        """Again and again, as bridges do, until the alarm changed: the service may still be starting."""
        before = len(ear.states(alarm))
        async with asyncio.timeout(10):
            while len(ear.states(alarm)) == before:
                await self.say(device, historical=False, **values)
                await asyncio.sleep(0.1)

    async def breathe(self) -> None:
        while True:
            for device in {"grid", "pcs1", "bms1"} - self.silent:
                await self.say(device, p=0.0)
            await asyncio.sleep(0.5)


def wish(action: str, **more: Any) -> AlarmRequest:
    return AlarmRequest.model_validate({"at": utc_now(), "action": action, "who": "anna", "why": "test", **more})


@pytest.fixture
def site_file(tmp_path: Path, site_name: str) -> Path:
    return small_site(tmp_path, site_name, RULES)


@asynccontextmanager
async def everyone(broker: Broker, site: str) -> AsyncIterator[tuple[Plant, Bus, Ear]]:
    """A bridge's voice, an operator's connection, and what the operator hears."""
    async with on_the_bus(broker, "bridge") as bridge, on_the_bus(broker, "operator") as operator:
        plant, ear = Plant(bridge, site), Ear(operator, site)
        breathing = asyncio.create_task(plant.breathe())
        try:
            yield plant, operator, ear
        finally:
            breathing.cancel()
            await ear.stop()


@asynccontextmanager
async def running(broker: Broker, site_file: Path, state: Path | None = None) -> AsyncIterator[Part]:
    """The service inside this process, once it has heard something."""
    place = parse_broker(broker.url("alarms"), "alarms", None, {})
    settings = Settings(place, database="", state=state or site_file.parent)
    part = Part("alarms", load_site(site_file), settings)
    job = asyncio.create_task(run(part))
    try:
        await until(lambda: part.last_success is not None or job.done())
        if job.done():
            job.result()
        yield part
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


async def until(true: Callable[[], bool], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110  # what it waits for knows nothing of events
            await asyncio.sleep(0.02)


async def test_each_change_is_kept_for_the_archive(broker: Broker, site_file: Path, site_name: str) -> None:
    everything = f"ems/v1/{site_name}/#"
    async with (
        hearing(broker.url("admin"), everything) as admin,
        on_the_bus(broker, "bridge") as bridge,
        running(broker, site_file),
    ):
        plant = Plant(bridge, site_name)
        for warm in (31.0, 27.0):
            before = len(admin.all(ALARM, alarm=WARM))
            async with asyncio.timeout(10):
                while len(admin.all(ALARM, alarm=WARM)) == before:
                    await plant.say("bms1", cell_t_max=warm)
                    await asyncio.sleep(0.1)
        await admin.until(SERVICE_EVENT, lambda event: event.payload.get("state") == "returned")
    kept = [event.payload for event in admin.all(SERVICE_EVENT) if event.topic.endswith(f"{WARM}/state")]
    live = [alarm.model_dump(mode="json", exclude_none=True) for alarm in admin.all(ALARM, alarm=WARM)]
    assert kept == live


async def test_an_operator_sees_acknowledges_and_is_rid_of_an_alarm(
    broker: Broker, site_file: Path, site_name: str
) -> None:
    async with everyone(broker, site_name) as (plant, operator, ear), running(broker, site_file) as part:
        await plant.say("bms1", historical=True, cell_t_max=99.0)
        await plant.say("bms1", cell_t_max=35.0)
        await ear.hears(WARM, "unacknowledged")
        alarm = ear.last(WARM)
        assert (alarm.value, alarm.limit, alarm.text) == (35.0, 30.0, "The battery is warm. Open a window.")

        async with on_the_bus(broker, "scada") as scada:
            late = Ear(scada, site_name)
            await late.hears(WARM, "unacknowledged")
            assert late.heard[0].retained
            await late.stop()

        await operator.say(ALARM_REQUEST, wish("ack"), site=site_name, alarm=WARM)
        await ear.hears(WARM, "unacknowledged", "acknowledged")
        assert (ear.last(WARM).by, ear.last(WARM).why) == ("anna", "test")
        assert part.counts["active"] == 1

        await plant.say("bms1", cell_t_max=25.0)
        await ear.hears(WARM, "unacknowledged", "acknowledged", "normal", "cleared")
        assert part.counts == {"raised": 1, "active": 0}

        async with on_the_bus(broker, "scada") as scada:
            late = Ear(scada, site_name)
            await asyncio.sleep(0.3)
            assert late.heard == []
            await late.stop()


def text_of(request: AlarmRequest, **change: Any) -> bytes:
    return json.dumps(json.loads(request.model_dump_json()) | change).encode()


async def test_every_request_is_answered_where_it_was_asked(broker: Broker, site_file: Path, site_name: str) -> None:
    long_ago, tomorrow = utc_now() - timedelta(minutes=1), utc_now() + timedelta(minutes=1)
    ack, reset = wish("ack", at=utc_now() + timedelta(seconds=20)), wish("reset")  # sent behind the raise
    asked: list[tuple[str, bytes, bool, str]] = [
        (WARM, text_of(ack, id="r1"), True, "retained"),
        (WARM, text_of(ack, id="r2", at=long_ago.isoformat()), False, "expired"),
        (WARM, text_of(ack, id="r3", at=tomorrow.isoformat()), False, "clock_skew"),
        (WARM, text_of(reset, id="r4"), False, "wrong_state"),
        (WARM, text_of(wish("shelve", until=utc_now() + timedelta(days=30)), id="r5"), False, "out_of_range"),
        (WARM, text_of(wish("shelve", until=utc_now() - timedelta(seconds=1)), id="r6"), False, "out_of_range"),
        (TRIPPED, text_of(wish("shelve", until=utc_now() + timedelta(hours=1)), id="r7"), False, "wrong_state"),
        ("no-such-alarm", text_of(ack, id="r8"), False, "unknown"),
        (WARM, text_of(ack, id="r9", action="silence"), False, "invalid"),
        (WARM, text_of(ack, id="r10", colour="red"), False, "invalid"),
        (WARM, text_of(ack, id="r11", at="9999-12-31T23:59:59Z"), False, "invalid"),
        (WARM, b'{"id": "\\ud800"}', False, "invalid"),
        (WARM, b"ack", False, "invalid"),
        (WARM, b"", False, "invalid"),
        (WARM, b"\xff", False, "invalid"),
        (WARM, b"[" * 60_000, False, "invalid"),
        (WARM, text_of(ack, id="r12"), False, ""),
        (WARM, text_of(ack, id="r13"), False, "wrong_state"),
        (WARM, text_of(wish("ack")), False, "wrong_state"),
    ]
    async with everyone(broker, site_name) as (plant, operator, ear), running(broker, site_file) as part:
        await plant.say("bms1", cell_t_max=35.0)
        await ear.hears(WARM, "unacknowledged")
        async with hearing(broker.url("scada"), ALARM_OUTCOME.at(site=site_name)) as answers:
            await asyncio.sleep(0.2)
            for alarm, payload, retain, _ in asked:
                await operator.send(ALARM_REQUEST.at(site=site_name, alarm=alarm), payload, retain=retain)
            await operator.send(ALARM_REQUEST.at(site=site_name, alarm=WARM), b"", retain=True)
            await until(lambda: len(answers.heard) >= len(asked))
            said = [(one.place["alarm"], RequestOutcome.model_validate(one.message)) for one in answers.heard]
        await ear.hears(WARM, "unacknowledged", "acknowledged")
    told = [(alarm, one.cause or "", one.followed) for alarm, one in said]
    assert told == [(alarm, cause, not cause) for alarm, _, _, cause in asked]
    named = {one.id: one for _, one in said}
    assert {f"r{number}" for number in range(1, 14)} | {"\ufffd", "unknown"} == set(named)
    assert (named["r12"].who, named["r12"].wish, named["r12"].reason) == ("anna", "ack", "")
    assert named["r4"].reason == "only a latching alarm is reset; this one ends by itself"
    assert named["r7"].reason == "a latching alarm guards people or the battery: it cannot be shelved"
    assert named["r13"].reason == "the alarm is acknowledged now: there is nothing to ack"
    assert all(one.reason for _, one in said if not one.followed)
    assert part.counts["refused"] == len(asked) - 1
    assert not part.counts["failed_messages"]


async def test_silence_and_disobedience_are_told(broker: Broker, site_file: Path, site_name: str) -> None:
    """Also while each command is superseded before anything can be said of it: the cause stands in the status."""
    async with everyone(broker, site_name) as (plant, _, ear), running(broker, site_file):
        steering = asyncio.create_task(steered(plant))
        status = DeviceStatus(at=utc_now(), state=DeviceState.DEGRADED, causes=["not_obeyed"], reason="0 kW, not 50 kW")
        await plant.bus.say(DEVICE_STATUS, status, site=site_name, device="pcs1")
        plant.silent.add("grid")
        await ear.hears("pcs_not_obeyed-pcs1", "unacknowledged")
        await ear.hears("meter_silent-grid", "unacknowledged", within=12)
        assert ear.states("pcs_not_obeyed-pcs1") == ["unacknowledged"]
        assert ear.states("pcs_silent-pcs1") == ear.states("bms_silent-bms1") == []
        steering.cancel()
        await plant.bus.say(DEVICE_STATUS, None, site=site_name, device="pcs1")


@pytest.mark.parametrize("how", ["not_obeyed", "failed"])
async def test_a_stop_that_is_not_obeyed_is_told(broker: Broker, site_file: Path, site_name: str, how: str) -> None:
    """In a lockout a PCS that cannot be stopped raised nothing: the rests around the stop were followed."""
    name = f"pcs_action_{how}-pcs1"

    async def tell(state: str, action: Action | None) -> None:
        said = Outcome(id="c1", at=utc_now(), state=OutcomeState(state), action=action, reason="it is still running")
        await plant.bus.say(OUTCOME, said, site=site_name, device="pcs1")

    async with everyone(broker, site_name) as (plant, _, ear), running(broker, site_file):
        await tell(how, Action.STOP)
        await ear.hears(name, "unacknowledged")
        assert ear.last(name).text.endswith("Its outcome: it is still running")
        for state in ("accepted", "verified") * 3:
            await tell(state, None)
            await tell("accepted", Action.STOP)
            await asyncio.sleep(1)
        assert ear.states(name) == ["unacknowledged"]
        await tell("verified", Action.STOP)
        await ear.hears(name, "unacknowledged", "returned", within=9)


async def steered(plant: Plant) -> None:
    """What a bridge says while a command comes each 2 s, here five times as often."""
    for number in count():
        for state in ("superseded", "accepted", "applied"):
            outcome = Outcome(id=f"c{number}", at=utc_now(), state=OutcomeState(state))
            await plant.bus.say(OUTCOME, outcome, site=plant.site, device="pcs1")
        await asyncio.sleep(0.4)


@pytest.mark.slow
async def test_a_dead_service_is_told(broker: Broker, site_file: Path, site_name: str) -> None:
    async with everyone(broker, site_name) as (plant, _, ear), running(broker, site_file):
        await plant.bus.say(SERVICE_STATUS, ServiceStatus(state="offline"), site=site_name, service="bridge")
        try:
            await ear.hears("service_down-bridge", "unacknowledged", within=14)
        finally:
            await plant.bus.say(SERVICE_STATUS, None, site=site_name, service="bridge")


@pytest.mark.slow
async def test_a_broker_that_forgot_everything_is_told_again(tmp_path: Path, site_file: Path, site_name: str) -> None:
    broker = Broker(tmp_path / "broker")
    broker.start()
    try:
        async with AsyncExitStack() as stack:
            async with everyone(broker, site_name) as (plant, _, ear):
                part = await stack.enter_async_context(running(broker, site_file))
                await plant.say("pcs1", state="fault")
                await ear.hears(TRIPPED, "unacknowledged")
                before = ear.last(TRIPPED)
            broker.kill()
            for stored in (tmp_path / "broker" / "data").iterdir():
                stored.unlink()
            broker.start()
            async with on_the_bus(broker, "scada") as scada:
                late = Ear(scada, site_name)
                await late.hears(TRIPPED, "unacknowledged", within=15)
                assert late.last(TRIPPED) == before
                await late.stop()
            assert part.counts["raised"] == 1
    finally:
        broker.stop()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [("broker",), ("broker", "alarms")], ids=" and ".join)
async def test_what_operators_did_survives_the_death_of_the_broker(
    killed: tuple[str, ...], tmp_path: Path, site_file: Path, site_name: str
) -> None:
    """1 s after its word that it has it, when it has written nothing down yet: the broker forgets all of it."""
    broker = Broker(tmp_path / "broker")
    broker.start()
    alarms = await start(broker, site_file)
    try:
        async with everyone(broker, site_name) as (plant, operator, ear):
            await plant.until_heard("pcs1", TRIPPED, ear, state="fault")
            await plant.say("bms1", cell_t_max=35.0)
            await ear.hears(WARM, "unacknowledged")
            await operator.say(ALARM_REQUEST, wish("ack"), site=site_name, alarm=TRIPPED)
            shelve = wish("shelve", until=utc_now() + timedelta(hours=8))
            await operator.say(ALARM_REQUEST, shelve, site=site_name, alarm=WARM)
            await ear.hears(WARM, "unacknowledged", "shelved")
            await ear.hears(TRIPPED, *LED, "acknowledged")
            before = {name: ear.last(name) for name in (WARM, TRIPPED)}
        await asyncio.sleep(1)
        broker.kill()
        if "alarms" in killed:
            alarms.kill()
            await alarms.wait()
        broker.start()
        if "alarms" in killed:
            alarms = await start(broker, site_file)
        async with on_the_bus(broker, "scada") as scada:
            late = Ear(scada, site_name)
            await late.hears(WARM, "shelved", within=20)
            await late.hears(TRIPPED, "acknowledged")
            assert {name: late.last(name) for name in before} == before
            await late.stop()
    finally:
        alarms.kill()
        await alarms.wait()
        broker.stop()


async def test_without_a_disk_the_broker_keeps_them(broker: Broker, site_file: Path, site_name: str) -> None:
    async with everyone(broker, site_name) as (plant, _, ear):
        nowhere = site_file.parent / "nowhere"
        async with running(broker, site_file, nowhere) as part:
            await plant.say("bms1", cell_t_max=35.0)
            await ear.hears(WARM, "unacknowledged")
            assert part.causes.names == ["outbox"]
            assert f"alarms-{site_name}.db cannot be used: unable to open database file" in part.causes.words
            await ear.hears("outbox_damaged-alarms", "unacknowledged")
            nowhere.mkdir()
            await plant.say("bms1", cell_t_max=20.0)
            await ear.hears(WARM, "unacknowledged", "returned")
            assert "kept by the broker alone" not in part.causes.words
            assert kept(nowhere / f"alarms-{site_name}.db")[WARM].state == "returned"


async def test_killed_and_restarted_it_goes_on(broker: Broker, site_file: Path, site_name: str) -> None:
    async with everyone(broker, site_name) as (plant, operator, ear):
        first = await start(broker, site_file)
        await plant.until_heard("pcs1", TRIPPED, ear, state="fault")
        await plant.say("bms1", cell_t_max=35.0)
        await ear.hears(WARM, "unacknowledged")
        await operator.say(ALARM_REQUEST, wish("ack"), site=site_name, alarm=TRIPPED)
        await ear.hears(TRIPPED, *LED, "acknowledged")
        before = ear.last(TRIPPED)
        first.kill()
        await first.wait()

        second = await start(broker, site_file)
        try:  # while it was away the battery cooled down, and the PCS still stands in its fault
            await plant.until_heard("bms1", WARM, ear, cell_t_max=20.0)
            await plant.say("pcs1", state="fault")
            await ear.hears(WARM, "unacknowledged", "returned")
            assert ear.states(TRIPPED) == [*LED, "acknowledged"]
            assert ear.last(TRIPPED) == before
            await plant.say("pcs1", state="running")
            await ear.hears(TRIPPED, *LED, "acknowledged", "latched")
            await operator.say(ALARM_REQUEST, wish("reset"), site=site_name, alarm=TRIPPED)
            await ear.hears(TRIPPED, *LED, "acknowledged", "latched", "normal", "cleared")
            assert ear.last(TRIPPED).since == before.since
        finally:
            second.terminate()
            assert await asyncio.wait_for(second.wait(), 5) == 0


MILD, SUPPRESSED = (
    "mild-bms1",
    """
[[alarm]]
name = "mild"
device = "bms1"
point = "cell_t_max"
above = 25
suppressed_by = ["warm"]
""",
)


async def test_what_an_engineer_did_and_what_is_suppressed_survives_kill_9(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site_file = small_site(tmp_path, site_name, RULES + SUPPRESSED)
    out = {"until": utc_now() + timedelta(hours=8)}
    async with (
        everyone(broker, site_name) as (plant, operator, ear),
        on_the_bus(broker, "engineer") as engineer,
        hearing(broker.url("scada"), ALARM_OUTCOME.at(site=site_name)) as answers,
    ):
        first = await start(broker, site_file)
        await plant.until_heard("bms1", WARM, ear, cell_t_max=35.0)
        await ear.hears(MILD, "suppressed")
        await engineer.say(ALARM_MAINTENANCE, wish("out_of_service", **out), site=site_name, alarm=TRIPPED)
        await operator.say(ALARM_REQUEST, wish("out_of_service", **out), site=site_name, alarm=WARM)
        await operator.say(ALARM_REQUEST, wish("comment", why="fan ordered"), site=site_name, alarm=WARM)
        await plant.until_heard("pcs1", TRIPPED, ear, state="fault")
        await ear.hears(TRIPPED, "out_of_service", "out_of_service")
        await ear.hears(WARM, "unacknowledged", "unacknowledged")
        await until(lambda: len(answers.heard) == 3)
        said = [(one.place["alarm"], RequestOutcome.model_validate(one.message)) for one in answers.heard]
        assert {(alarm, one.wish, one.cause) for alarm, one in said} == {
            (TRIPPED, "out_of_service", None),
            (WARM, "out_of_service", "authority"),
            (WARM, "comment", None),
        }
        before = {name: ear.last(name) for name in (WARM, MILD, TRIPPED)}
        assert (before[WARM].comment, before[MILD].consequence_of) == ("anna: fan ordered", WARM)
        assert (before[TRIPPED].active, before[TRIPPED].out_until) == (True, out["until"])
        first.kill()
        await first.wait()

        second = await start(broker, site_file)
        try:
            await plant.until_heard("pcs1", TRIPPED, ear, state="running")
            now = ear.last(TRIPPED)
            assert (now.state, now.active, now.by, now.why) == ("out_of_service", False, "anna", "test")
            assert {name: ear.last(name) for name in (WARM, MILD)} == {name: before[name] for name in (WARM, MILD)}
            await engineer.say(ALARM_MAINTENANCE, wish("in_service"), site=site_name, alarm=TRIPPED)
            await ear.hears(TRIPPED, *["out_of_service"] * 3, "latched_unacknowledged")
        finally:
            second.kill()
            await second.wait()


FORMER = """{"at":"2026-06-01T12:00:00Z","state":"%s","priority":"medium","device":"%s","point":"%s",\
"text":"As it was said.","battery":null,"action":null,"reason":"","value":%s,"limit":%s,"silent":false,"latched":%s,\
"since":"2026-06-01T11:00:00Z","first_out":true,"shelved_until":%s,"by":"bert","why":"as agreed"}"""
"""As the version before wrote it, into its file and to the broker: without `active`, `began` and `requests`."""


async def test_what_the_former_version_left_is_read_and_goes_on(
    broker: Broker, site_file: Path, site_name: str
) -> None:
    until = utc_now() + timedelta(hours=2)
    warm = FORMER % ("shelved", "bms1", "cell_t_max", "35.0", "30.0", "false", f'"{until:%Y-%m-%dT%H:%M:%S.%fZ}"')
    tripped = FORMER % ("latched", "pcs1", "state", '"fault"', '"fault"', "true", "null")
    former = site_file.parent / f"alarms-{site_name}.json"
    former.write_text(f'{{"{WARM}":{warm}}}')
    async with on_the_bus(broker, "alarms") as before:
        await before.send(ALARM.at(site=site_name, alarm=TRIPPED), tripped.encode(), retain=True)
    async with running(broker, site_file), everyone(broker, site_name) as (plant, operator, ear):
        await ear.hears(WARM, "shelved")
        await ear.hears(TRIPPED, "latched")
        assert [one.name for one in former.parent.glob("alarms-*.json*")] == [f"{former.name}.former"]
        was, tripped_now = ear.last(WARM), ear.last(TRIPPED)
        assert (was.active, was.shelved_until, was.by, was.why) == (False, until, "bert", "as agreed")
        assert (tripped_now.active, tripped_now.since.hour, tripped_now.requests[0]) == (False, 11, "reset")
        await operator.say(ALARM_REQUEST, wish("reset"), site=site_name, alarm=TRIPPED)
        await ear.hears(TRIPPED, "latched", "normal", "cleared")
        await plant.say("bms1", cell_t_max=36.0)
        await ear.hears(WARM, "shelved", "shelved")
        await operator.say(ALARM_REQUEST, wish("unshelve"), site=site_name, alarm=WARM)
        await ear.hears(WARM, "shelved", "shelved", "unacknowledged")


async def test_an_alarm_whose_rule_was_taken_out_ends(broker: Broker, site_file: Path, site_name: str) -> None:
    async with everyone(broker, site_name) as (plant, _, ear):
        async with running(broker, site_file):
            await plant.say("bms1", cell_t_max=35.0)
            await ear.hears(WARM, "unacknowledged")
        small_site(site_file.parent, site_name)
        async with running(broker, site_file):
            await ear.hears(WARM, "unacknowledged", "normal", "cleared")


@long("a broker that stands still for 14 s, and a device that falls silent before it")
async def test_a_broker_that_stands_still_silences_nobody(tmp_path: Path, site_file: Path, site_name: str) -> None:
    """Three false "does not answer" were raised; who is silent all the same is told."""
    broker, silent = Broker(tmp_path / "broker"), set[str]()
    broker.start()
    breathing = asyncio.create_task(breathe_for_ever(broker, site_name, silent))
    try:
        async with running(broker, site_file) as part:
            await asyncio.sleep(4)
            silent.add("bms1")
            await asyncio.sleep(1)
            broker.send(signal.SIGSTOP)
            await asyncio.sleep(14)
            broker.send(signal.SIGCONT)
            await asyncio.sleep(20)
            async with on_the_bus(broker, "scada") as scada:
                late = Ear(scada, site_name)
                await late.hears("bms_silent-bms1", "unacknowledged", within=3)
                await late.stop()
            assert {heard.place["alarm"] for heard in late.heard} == {"bms_silent-bms1"}
            assert part.counts["raised"] == 1
    finally:
        breathing.cancel()
        broker.stop()


@long("a broker that is away for 15 s")
async def test_a_broker_that_was_away_is_told_afterwards(tmp_path: Path, site_file: Path, site_name: str) -> None:
    """With the time at which it was lost, and once for the archive."""
    broker, name = Broker(tmp_path / "broker"), "broker_lost-alarms"
    broker.start()
    try:
        record = site_file.parent / f"alarms-{site_name}.db"
        async with running(broker, site_file) as part:
            broker.stop()
            await asyncio.sleep(5)
            broker.start()  # for less than the delay: nobody is told
            await until(lambda: part.events.bus is not None)
            await asyncio.sleep(12)
            assert name not in kept(record)
            broker.stop()
            lost = utc_now()
            await until(lambda: name in kept(record), within=14)
            await asyncio.sleep(3)
            broker.start()
            back = utc_now()
            async with (
                hearing(broker.url("admin"), f"ems/v1/{site_name}/#") as admin,
                on_the_bus(broker, "operator") as operator,
            ):
                ear = Ear(operator, site_name)
                await ear.hears(name, "unacknowledged")
                raised = ear.last(name)
                assert raised.began is not None
                assert abs(raised.began - lost) < timedelta(seconds=3)
                assert timedelta(seconds=10) <= raised.since - raised.began < timedelta(seconds=12)
                await ear.hears(name, "unacknowledged", "returned", within=18)
                assert timedelta(seconds=9) <= ear.last(name).at - back < timedelta(seconds=18)
                await admin.until(SERVICE_EVENT, lambda event: event.payload.get("state") == "returned")
                said = [one.payload for one in admin.all(SERVICE_EVENT) if one.topic.endswith(f"{name}/state")]
                assert {(one["state"], one["at"]) for one in said} == {
                    (one.state, json.loads(one.model_dump_json())["at"]) for one in (raised, ear.last(name))
                }
                await ear.stop()
            assert "broker_lost" not in part.status().causes
    finally:
        broker.stop()


def kept(record: Path) -> dict[str, Alarm]:
    """What stands in the file of the alarms now."""
    alarms, damage, unread = read_rows(record)
    assert not damage + unread
    return alarms


async def breathe_for_ever(broker: Broker, site: str, silent: set[str]) -> None:
    """A bridge's voice, with a new connection after each loss."""
    while True:
        with suppress(aiomqtt.MqttError):
            async with on_the_bus(broker, "bridge") as bus:
                plant = Plant(bus, site)
                plant.silent = silent
                await plant.breathe()
        await asyncio.sleep(1)


async def start(broker: Broker, site_file: Path) -> asyncio.subprocess.Process:
    """The service as a process of its own."""
    command = [sys.executable, "-m", "joulebus.cli", "alarms", "--site", str(site_file), "--health", "127.0.0.1:0"]
    return await asyncio.create_subprocess_exec(
        *command, env={"JOULEBUS_BROKER": broker.url("alarms"), "JOULEBUS_STATE": str(site_file.parent)}
    )
