"""The bridge between a real broker and real Modbus servers: what it reads, what it writes, and what it never does."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from schemas.messages import Action, DeviceState, Outcome
from schemas.site_file import load_site
from schemas.topics import COMMAND, DEVICE_STATUS, META, OUTCOME, TELEMETRY
from schemas.units import Kind, Quality, utc_now
from tests.bridges.conftest import DEMO, Bench, Start

P_SET = 135
"""Register of the Sinexcel's active power setpoint, 100 W a step."""


async def test_every_device_is_introduced_and_read(start: Start) -> None:
    bench = await start()
    kinds = {device.name: (await bench.hears.until(META, device=device.name)).kind for device in bench.site.device}
    assert kinds == {"pcs": Kind.PCS, "bms": Kind.BMS, "meter": Kind.METER, "pv": Kind.PV}
    sample = await bench.hears.until(TELEMETRY, device="pv")
    assert sample.number("p") == pytest.approx(bench.simulated.world.plant.sun_power, abs=2000)
    sample = await bench.hears.until(TELEMETRY, lambda one: one.seq == 4, device="meter")
    seqs = [one.seq for one in bench.hears.all(TELEMETRY, device="meter")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert (utc_now() - sample.at) < timedelta(seconds=2)


async def test_a_command_is_applied_and_proven(start: Start) -> None:
    bench = await start()
    began = time.monotonic()
    command = await bench.command(values={"p_set": 20_000.0})
    verified = await bench.outcome(command.id, "verified")
    assert time.monotonic() - began < 5.0, "long before it ends; how fast it is says benchmarks/control.py"
    assert verified.applied == {"p_set": 20_000.0}
    assert verified.measured["p"] == pytest.approx(20_000, abs=2000)
    assert verified.limited_by == []
    assert bench.writes(P_SET) == [(200,)]
    await asyncio.sleep(1.2)
    assert bench.writes(P_SET) == [(200,)], "a setpoint that holds is not written again"


async def test_what_limits_a_command_is_said(start: Start) -> None:
    bench = await start()
    command = await bench.command(values={"p_set": 170_000.0})
    limited = await bench.outcome(command.id, "limited")
    assert limited.requested == {"p_set": 170_000.0}
    assert limited.applied["p_set"] <= 100_000
    assert limited.limited_by[0].source == "pcs:range"


def _good(**change: Any) -> dict[str, Any]:
    now = utc_now()
    return {
        "id": "x1",
        "at": now.isoformat(),
        "until": (now + timedelta(seconds=10)).isoformat(),
        "source": "dispatch",
        "authority": "plan",
        "values": {"p_set": 5000.0},
        "reason": "test",
    } | change


FORBIDDEN: list[tuple[str, dict[str, Any] | bytes]] = [
    ("not valid", {"values": {"p_set": "12"}}),
    ("not valid", {"colour": "red"}),
    ("not valid", {"action": "start"}),
    ("not valid", {"at": "2026-06-01T12:00:00"}),
    ("not valid", b'{"id": "x1", "values": {"p_set": NaN}}'),
    ("not valid", b'{"id": "x1", "values": {"p_set": 1e999}}'),
    ("not valid", b'{"id": "\\ud800"}'),  # half of a surrogate pair: its echo was no UTF-8
    ("not valid", {"values": {"p_set": 1e60}}),
    ("not valid", {"at": "9999-12-31T23:59:50Z", "until": "9999-12-31T23:59:59Z"}),
    ("not valid", b"\xff\xfe\x00"),
    ("not valid", b""),
    ("not valid", b"[" * 60_000),
    ("not valid", b"{" + b" " * 64_000 + b"}"),
    ("unknown", {"values": {"p": 5000.0}}),
    ("foreign_source", {"source": "thief"}),
    ("expired", {"at": -60, "until": -50}),
    ("clock_skew", {"at": 30, "until": 40}),
    ("too_long", {"until": 3600}),
]


def _payload(change: dict[str, Any] | bytes) -> bytes:
    """A good command with a change; whole numbers for times are seconds from now."""
    if isinstance(change, bytes):
        return change
    now = utc_now()
    times = {
        key: (now + timedelta(seconds=value)).isoformat() for key, value in change.items() if isinstance(value, int)
    }
    return json.dumps(_good() | change | times).encode()


@pytest.mark.parametrize("retain", [False, True], ids=["live", "retained"])
async def test_what_is_wrong_never_reaches_a_register(start: Start, retain: bool) -> None:
    bench = await start()
    address = COMMAND.at(site=bench.site.site, device="pcs")
    for known, (reason, change) in enumerate([("retained", {})] if retain else FORBIDDEN):
        await bench.tells.bus.send(address, _payload(change), retain=retain)
        said = await _next(bench, known)
        assert said.reason.startswith(reason), (reason, change)
        assert said.state in ("refused", "expired")
    assert bench.writes(P_SET) == []
    assert len(bench.hears.all(OUTCOME)) == (1 if retain else len(FORBIDDEN)), "each got exactly one outcome"
    if retain:
        await bench.tells.bus.send(address, b"", retain=True)


async def _next(bench: Bench, known: int) -> Outcome:
    await bench.hears.until(OUTCOME, lambda _: len(bench.hears.all(OUTCOME)) > known)
    return bench.hears.all(OUTCOME)[known]


@pytest.mark.parametrize("payload", [b"", b"no command", None])
async def test_a_command_to_a_device_that_is_not_there_is_refused(start: Start, payload: bytes | None) -> None:
    """It vanished without a word: a mistyped device looked like one that does as it is told."""
    bench = await start()
    if payload is None:
        command = await bench.command("psc", values={"p_set": 5_000.0})
        said = await bench.outcome(command.id)
        assert said.requested == {"p_set": 5_000.0}
    else:
        await bench.tells.bus.send(COMMAND.at(site=bench.site.site, device="psc"), payload)
        said = await bench.hears.until(OUTCOME, device="psc")
    assert (said.state, said.cause) == ("refused", "unknown")
    assert said.reason == "unknown: the site file has no device 'psc'; there is: pcs, bms, meter, pv"
    await bench.outcome((await bench.command(values={"p_set": 5_000.0})).id, "verified")
    assert len(bench.hears.all(OUTCOME, device="psc")) == 1


async def test_the_same_command_twice_is_obeyed_once(start: Start) -> None:
    bench = await start()
    command = await bench.command(id="twice")
    await bench.outcome(command.id, "verified")
    await bench.command(id="twice")
    assert (await bench.outcome("twice", "refused")).reason.startswith("duplicate")
    await bench.command(id="older", at=command.at - timedelta(seconds=2))
    assert (await bench.outcome("older", "refused")).reason.startswith("out_of_order")
    assert bench.writes(P_SET) == [(100,)]


async def test_without_a_valid_command_it_falls_back(start: Start) -> None:
    bench = await start()
    now = utc_now()
    command = await bench.command(values={"p_set": 20_000.0}, at=now, until=now + timedelta(seconds=2))
    await bench.outcome(command.id, "verified")
    began = time.monotonic()
    await bench.outcome(command.id, "expired", seconds=10)
    await bench.hears.until(TELEMETRY, lambda one: one.seq > 4 and one.number("p") == 0, seconds=10, device="pcs")
    assert time.monotonic() - began < 2.0 + 2 * 0.5 + 3, "ttl, two poll cycles, and what a busy machine adds"
    assert bench.writes(P_SET)[-1] == (0,)


async def test_a_battery_that_says_nothing_is_not_used(start: Start) -> None:
    bench = await start()
    command = await bench.command(values={"p_set": 20_000.0})
    await bench.outcome(command.id, "verified")
    bench.simulated.faults.on("bms:silent")
    await bench.hears.until(TELEMETRY, lambda one: one.seq > 4 and one.number("p_set") == 0, seconds=6, device="pcs")
    offline = lambda one: one.state is DeviceState.OFFLINE  # noqa: E731  # a word for the next line
    assert (await bench.hears.until(DEVICE_STATUS, offline, device="bms")).reason
    command = await bench.command(values={"p_set": 30_000.0})
    limited = await bench.outcome(command.id, "applied")
    assert limited.applied == {"p_set": 0.0}
    assert limited.limited_by[-1].source == "bms:missing"
    bench.simulated.faults.off("bms:silent")
    switched = utc_now()
    back = await bench.hears.until(DEVICE_STATUS, lambda one: one.at > switched, 15, device="bms")
    assert back.state is DeviceState.ONLINE


async def test_what_a_person_put_in_place_of_a_value_is_shown_and_steers_nothing(start: Start) -> None:
    stands_in = {"soc": 50.0, "cycles": 7.0}
    devices = [
        device.model_copy(update={"substitute": stands_in}) if device.name == "bms" else device
        for device in load_site(DEMO).device
    ]
    bench = await start(soc=70.0, device=devices)
    sample = await bench.hears.until(TELEMETRY, device="bms")
    assert {point: sample.values[point] for point in stands_in} == stands_in
    assert sample.quality == dict.fromkeys(stands_in, Quality.SUBSTITUTED)
    said = await bench.hears.until(DEVICE_STATUS, lambda one: one.state is DeviceState.DEGRADED, device="bms")
    assert "soc substituted" in said.reason
    limited = await bench.outcome((await bench.command(values={"p_set": 20_000.0})).id, "applied")
    assert (limited.applied, limited.limited_by[-1].source) == ({"p_set": 0.0}, "bms:soc_missing")


async def test_a_silent_device_does_not_hold_up_the_others(start: Start) -> None:
    bench = await start()
    bench.simulated.faults.on("pv:silent")
    await asyncio.sleep(0.5)
    came: list[int] = []
    while max(came, default=0) < 5 and len(came) < 3:  # a busy machine may miss some once
        before = len(bench.hears.all(TELEMETRY, device="meter"))
        await asyncio.sleep(3)
        came.append(len(bench.hears.all(TELEMETRY, device="meter")) - before)
    assert max(came) >= 5, f"6 are due in 3 s, {came} came"


@pytest.mark.parametrize("lie", ["wrong_register_count", "exception", "double_reply", "stale_transaction"])
async def test_an_answer_that_lies_is_not_published(start: Start, lie: str) -> None:
    bench = await start()
    bench.simulated.faults.on(f"meter:{lie}")
    await asyncio.sleep(0.6)
    before = len(bench.hears.all(TELEMETRY, device="meter"))
    await bench.hears.until(DEVICE_STATUS, lambda one: one.state is DeviceState.OFFLINE, device="meter")
    assert len(bench.hears.all(TELEMETRY, device="meter")) == before


async def test_a_device_that_is_busy_now_and_then_is_read_all_the_same(start: Start) -> None:
    bench = await start()
    bench.simulated.faults.on("meter:busy")
    last = bench.hears.all(TELEMETRY, device="meter")[-1].seq
    await bench.hears.until(TELEMETRY, lambda one: one.seq >= last + 4, device="meter")


async def test_a_block_of_zeros_is_not_believed(start: Start) -> None:
    bench = await start()
    bench.simulated.faults.on("bms:zeros")
    doubted = await bench.hears.until(TELEMETRY, lambda one: bool(one.quality), device="bms")
    assert set(doubted.quality.values()) == {Quality.IMPLAUSIBLE}
    assert doubted.number("soc") is None
    degraded = await bench.hears.until(DEVICE_STATUS, lambda one: one.state is DeviceState.DEGRADED, device="bms")
    assert "implausible" in degraded.reason


async def test_a_watched_site_is_never_written_to(start: Start) -> None:
    bench = await start(mode="read_only")
    command = await bench.command()
    assert (await bench.outcome(command.id, "refused")).reason.startswith("read_only")
    await asyncio.sleep(0.6)
    assert list(bench.simulated.written) == []


async def test_the_devices_own_watchdog_is_armed(start: Start) -> None:
    bench = await start()
    assert bench.writes(327) == [(10,)]


async def test_start_and_stop(start: Start) -> None:
    bench = await start()
    for action, state in ((Action.STOP, "off"), (Action.START, "running")):
        command = await bench.command(values={}, action=action)
        said = await bench.outcome(command.id, "verified", "not_obeyed", "failed", seconds=15)
        assert (said.state, said.reason) == ("verified", state)


async def test_the_grid_mode_changes_only_at_rest(start: Start) -> None:
    bench = await start()
    running = await bench.command(values={}, action=Action.GRID_FORMING)
    assert (await bench.outcome(running.id, "refused")).reason.startswith("grid_mode: it changes only when stopped")
    assert bench.writes(654) == []
    for action, says in (
        (Action.STOP, "off"),
        (Action.GRID_FORMING, "islanded"),
        (Action.GRID_FOLLOWING, "disconnected"),
    ):
        command = await bench.command(values={}, action=action)
        done = await bench.outcome(command.id, "verified", "not_obeyed", "failed", "refused", seconds=15)
        assert (done.state, done.reason) == ("verified", says)
