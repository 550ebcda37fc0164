"""What is written to a device, how often, and that its own watchdog is kept content: seen in the simulator's log."""

import asyncio
import time
from typing import Any

from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from schemas.messages import Action
from schemas.profile import Profile
from schemas.profiles import load_profile
from schemas.register import Heartbeat
from schemas.topics import OUTCOME, TELEMETRY
from tests.bridges.conftest import Start

P_SET, DOG, BEAT = 135, 327, 328


def pws2(watchdog: dict[str, Any] | None = None, **p_set: Any) -> dict[str, Profile]:
    """The demo's PCS with other habits."""
    shipped = load_profile("sinexcel_pws2")
    setpoint = shipped.commands["p_set"].model_copy(update=p_set)
    dog = shipped.watchdog.model_copy(update=watchdog or {}) if shipped.watchdog else None
    changed = {"commands": shipped.commands | {"p_set": setpoint}, "watchdog": dog}
    return {"pcs": shipped.model_copy(update=changed)}


async def test_an_eeprom_is_written_once_for_a_command_and_at_once_for_safety(start: Start) -> None:
    bench = await start(profiles=pws2(memory="eeprom", interval=4.0), battery={"ramp": 1000.0})
    await bench.outcome((await bench.command(values={"p_set": 20_000.0})).id, "verified")
    assert bench.writes(P_SET) == [(200,)], "no ramp: each step would be a write"
    began = time.monotonic()
    later = await bench.command(values={"p_set": 30_000.0})
    assert (await bench.outcome(later.id, "accepted")).reason.startswith("budget: written again in ")
    await bench.outcome(later.id, "applied")
    assert time.monotonic() - began > 3.0
    assert bench.writes(P_SET) == [(200,), (300,)]
    bench.simulated.faults.on("bms:silent")
    await bench.hears.until(TELEMETRY, lambda one: one.seq > 4 and one.number("p_set") == 0, seconds=4, device="pcs")
    assert bench.writes(P_SET) == [(200,), (300,), (0,)], "no budget holds up what is safer"
    assert bench.part.counts["writes_pcs_p_set"] == 3
    assert bench.part.counts["writes_held_back_pcs_p_set"] >= 1


async def test_the_writes_of_a_day_come_to_an_end(start: Start) -> None:
    bench = await start(profiles=pws2(per_day=2))
    for power in (10_000.0, 20_000.0):
        await bench.outcome((await bench.command(values={"p_set": power})).id, "verified")
    third = await bench.command(values={"p_set": 30_000.0})
    assert (await bench.outcome(third.id, "accepted")).reason == "budget: 2 writes a day are used up"
    await asyncio.sleep(0.6)
    assert bench.writes(P_SET) == [(100,), (200,)]


async def test_a_change_within_the_deadband_is_not_written(start: Start) -> None:
    bench = await start(profiles=pws2(deadband=0.02))
    await bench.outcome((await bench.command(values={"p_set": 20_000.0})).id, "verified")
    near = await bench.outcome((await bench.command(values={"p_set": 21_500.0})).id, "verified")
    assert near.applied == {"p_set": 20_000.0}
    await bench.outcome((await bench.command(values={"p_set": 23_000.0})).id, "verified")
    assert bench.writes(P_SET) == [(200,), (230,)]


async def test_the_same_wish_again_is_proven_again_and_not_written(start: Start) -> None:
    bench = await start()
    for _ in range(3):
        await bench.outcome((await bench.command(values={"p_set": 20_000.0})).id, "verified")
    assert bench.writes(P_SET) == [(200,)]


async def test_a_watchdog_that_wants_writes_is_fed(start: Start) -> None:
    bench = await start(profiles=pws2({"seconds": 2.0, "fed_by": "write"}))
    await bench.outcome((await bench.command(values={"p_set": 20_000.0})).id, "verified")
    await asyncio.sleep(3)
    assert bench.simulated.world.plant.pcs.p_set == 20_000, "reading alone would have timed it out"
    assert bench.writes(P_SET) == [(200,)]
    assert 4 <= len(bench.writes(DOG)) <= 10
    assert bench.part.counts["fed_pcs"] >= 3


async def test_a_watchdog_that_wants_the_setpoint_again_gets_it(start: Start) -> None:
    bench = await start(profiles=pws2({"seconds": 2.0, "fed_by": "setpoint"}))
    await bench.outcome((await bench.command(values={"p_set": 20_000.0})).id, "verified")
    await asyncio.sleep(3)
    assert bench.simulated.world.plant.pcs.p_set == 20_000
    assert len(bench.writes(DOG)) == 1, "armed once"
    assert set(bench.writes(P_SET)) == {(200,)}
    assert 4 <= len(bench.writes(P_SET)) <= 10


async def test_a_heartbeat_counts_up(start: Start) -> None:
    heart = Heartbeat(register=BEAT, write=6, every=0.5)
    pcs = pws2()["pcs"].model_copy(update={"heartbeat": heart})
    bench = await start(profiles={"pcs": pcs})
    await asyncio.sleep(2.5)
    beats = [one[0] for one in bench.writes(BEAT)]
    assert beats == list(range(1, len(beats) + 1))
    assert 3 <= len(beats) <= 6


async def test_a_watched_site_is_never_written_to_whatever_happens(start: Start) -> None:
    bench = await start(mode="read_only", profiles=pws2({"seconds": 1.0, "fed_by": "write"}), dso_limit=50.0)
    changes: list[dict[str, Any]] = [{}, {"values": {}, "action": Action.STOP}, {"values": {}, "action": Action.RESET}]
    for change in changes:
        command = await bench.command(**change)
        assert (await bench.outcome(command.id, "refused")).reason.startswith("read_only")
    bench.simulated.faults.on("bms:silent")
    await asyncio.sleep(2.5)
    assert list(bench.simulated.written) == []
    assert not any("applied" in one.state for one in bench.hears.all(OUTCOME))


async def test_a_sunspec_battery_gets_our_heartbeat_and_must_give_its_own(start: Start) -> None:
    bms = load_profile("sunspec_battery_802").model_copy(update={"pulse_after": 2.0})
    bench = await start(profiles={"bms": bms})
    image = bench.simulated.devices["bms"].image
    await bench.outcome((await bench.command(values={"p_set": 20_000.0})).id, "verified")
    await asyncio.sleep(2.5)
    place = image.address(19, 802)
    beats = [one.values[0] for one in bench.simulated.written if (one.device, one.register) == ("bms", place)]
    assert beats == list(range(1, len(beats) + 1))
    assert len(beats) >= 2
    bench.simulated.faults.on("bms:frozen")  # it answers, and what it says is old
    stale = await bench.hears.until(TELEMETRY, lambda one: one.quality.get("soc") == "stale", device="bms", seconds=8)
    assert set(stale.quality) == set(stale.values)
    await bench.hears.until(TELEMETRY, lambda one: one.at > stale.at and one.number("p_set") == 0, device="pcs")


async def test_the_controllers_heartbeat_of_model_715_has_two_registers(start: Start) -> None:
    pcs = load_profile("sunspec_storage_701")
    bench = await start(profiles={"pcs": pcs})
    place = bench.simulated.devices["pcs"].image.address(5, 715)
    await asyncio.sleep(2.5)
    beats = bench.writes(place)
    assert beats == [(0, beat) for beat in range(1, len(beats) + 1)]
    assert len(beats) >= 2


async def test_a_device_without_the_optional_heartbeat_is_left_alone(start: Start) -> None:
    """The register is in no map: the device declines it."""
    pcs = pws2()["pcs"]
    bench = await start(profiles={"pcs": pcs})
    device, heart = bench.site.named("pcs"), Heartbeat(register=9999)
    field = ModbusDevice(device, pcs.model_copy(update={"heartbeat": heart}), Connection(device.address), writable=True)
    await field.beat()
    assert field.heartless
    await field.beat()
    field.line.close()
