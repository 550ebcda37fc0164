"""What becomes of a command, told by a bridge over a real broker and seen in the registers of a simulated site."""

import asyncio
import json
from datetime import timedelta

import pytest

from consumers.alarms.service import run as watch
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from runtime.signature import signed
from schemas.messages import Action, Authority, DeviceState, GridLimitRequest, OutcomeState
from schemas.profiles import load_profile
from schemas.register import Point, Setpoint
from schemas.topics import ALARM, COMMAND, DEVICE_STATUS, META, OUTCOME, TELEMETRY
from schemas.units import utc_now
from tests.bridges.conftest import Bench, Start
from tests.conftest import Broker

P_SET, Q_SET = 135, 136


async def test_reactive_power_and_power_factor(start: Start) -> None:
    bench = await start()
    await bench.outcome((await bench.command(values={"p_set": 40_000.0, "q_set": -20_000.0})).id, "verified")
    assert (bench.writes(P_SET), bench.writes(Q_SET)) == ([(400,)], [(0x10000 - 200,)])
    command = await bench.command(values={"p_set": 80_000.0, "pf_set": 0.8})
    said = await bench.outcome(command.id, "verified")
    assert said.applied == {"p_set": 80_000.0, "q_set": 60_000.0}
    assert said.measured["q"] == pytest.approx(60_000, abs=2500)


async def test_the_s_circle_holds_for_power_and_var_together(start: Start) -> None:
    bench = await start()
    said = await bench.outcome((await bench.command(values={"p_set": 90_000.0, "q_set": 80_000.0})).id, "limited")
    assert said.applied["p_set"] ** 2 + said.applied["q_set"] ** 2 <= 100_000.0**2
    assert "pcs:apparent_power" in [one.source for one in said.limited_by]


async def test_pv_is_limited_in_percent_and_the_power_proves_it(start: Start) -> None:
    bench = await start()
    command = await bench.command("pv", values={"p_limit_pct": 5.0})
    said = await bench.outcome(command.id, "verified")
    assert said.applied == {"p_limit_pct": 5.0}
    assert said.measured["p"] <= 0.05 * 150_000 + 3000
    assert bench.simulated.world.plant.pv["pv"].limited


async def test_a_register_that_does_not_take_the_value_fails(start: Start) -> None:
    bench = await start()
    bench.simulated.faults.on("pcs:refuses_setpoint")
    said = await bench.outcome((await bench.command(values={"p_set": 30_000.0})).id, "failed")
    assert said.reason == "the register of p_set reads back 0 instead of 30000"


async def test_a_newer_command_supersedes_an_unproven_one(start: Start) -> None:
    bench = await start()
    bench.simulated.faults.on("pcs:ignores_setpoint")
    first = await bench.command(values={"p_set": 30_000.0})
    await bench.outcome(first.id, "applied")
    second = await bench.command(values={"p_set": 40_000.0})
    assert (await bench.outcome(first.id, "superseded")).reason == f"by {second.id}"


async def test_a_foreign_hand_is_named_and_our_value_written_again(start: Start) -> None:
    bench = await start()
    command = await bench.command(values={"p_set": 20_000.0})
    await bench.outcome(command.id, "verified")
    bench.simulated.faults.on("pcs:foreign_write")
    said = await bench.outcome(command.id, "foreign_change", seconds=5)
    assert "p_set held our 20000" in said.reason
    bench.simulated.faults.off("pcs:foreign_write")
    await bench.hears.until(TELEMETRY, lambda one: one.at > said.at and one.number("p_set") == 20_000, device="pcs")
    assert bench.writes(P_SET)[-1] == (200,)


async def test_a_power_cycle_accuses_nobody(start: Start) -> None:
    bench = await start()
    command = await bench.command(values={"p_set": 20_000.0})
    await bench.outcome(command.id, "verified")
    await asyncio.sleep(2.2)  # until a reading surely began after the write
    bench.simulated.faults.on("pcs:forgets")
    gone = await bench.hears.until(
        TELEMETRY, lambda one: one.at > command.at + timedelta(seconds=2) and one.number("p_set") == 0, device="pcs"
    )
    await bench.hears.until(TELEMETRY, lambda one: one.at > gone.at and one.number("p_set") == 20_000, device="pcs")
    assert bench.writes(P_SET) == [(200,), (200,)], "written again, once"
    assert OutcomeState.FOREIGN_CHANGE not in [one.state for one in bench.hears.all(OUTCOME)]


async def test_the_network_operator_limits_what_others_steer(start: Start) -> None:
    bench = await start(command_sources={"dispatch": Authority.OPERATOR, "scada": Authority.DSO})
    limit = await bench.command(values={"p_limit_pct": 30.0}, source="scada", authority=Authority.DSO)
    await bench.outcome(limit.id, "verified")
    said = await bench.outcome((await bench.command(values={"p_set": 80_000.0})).id, "limited")
    assert said.applied == {"p_set": 30_000.0}
    assert [one.source for one in said.limited_by] == ["dso:limit"]
    limit = await bench.command(values={"p_limit_pct": 10.0}, source="scada", authority=Authority.DSO)
    await bench.outcome(limit.id, "verified")
    assert bench.writes(P_SET)[-1] == (100,), "it narrows a command that holds"


async def test_an_unknown_dso_signal_means_its_safe_limit(start: Start) -> None:
    bench = await start(dso_limit=60.0)
    said = await bench.outcome((await bench.command(values={"p_set": 90_000.0})).id, "limited")
    assert said.applied == {"p_set": 60_000.0}
    await bench.hears.until(TELEMETRY, lambda one: one.number("p_limit_pct") == 60.0, device="pv")


async def test_a_signed_site_obeys_nothing_else(start: Start) -> None:
    bench = await start(command_key="a key of the site that is long")
    address = COMMAND.at(site=bench.site.site, device="pcs")
    good = bench.wish(values={"p_set": 20_000.0})
    for reason, payload in {
        "unsigned": good,
        "forged-key": signed(good, address, "another key of that length"),
        "forged-address": signed(good, COMMAND.at(site=bench.site.site, device="pv"), "a key of the site that is long"),
    }.items():
        await bench.tells.bus.send(address, payload.model_copy(update={"id": reason}).model_dump_json().encode())
        assert (await bench.outcome(reason)).reason.startswith(reason.partition("-")[0])
    limit = GridLimitRequest(
        id="l1", at=utc_now(), source="dso", authority=Authority.DSO, direction="feed_in", percent=0.0, reason=""
    )
    limit = signed(limit, address, "a key of the site that is long")
    await bench.tells.bus.send(address, limit.model_dump_json().encode())  # no limit is a command, whoever signed it
    assert (await bench.outcome("l1")).state is OutcomeState.REFUSED
    genuine = json.loads(signed(good, address, "a key of the site that is long").model_dump_json())
    forged = json.dumps(genuine | {"values": {"p_set": 90_000.0}}).encode()
    await bench.tells.bus.send(address, forged)
    assert (await bench.outcome(good.id, "refused")).state is OutcomeState.REFUSED
    assert bench.writes(P_SET) == []
    await bench.tells.bus.send(address, json.dumps(genuine, indent=1).encode())
    await bench.outcome(good.id, "verified")
    await bench.tells.bus.send(address, json.dumps(genuine).encode())
    await bench.hears.until(OUTCOME, lambda one: one.reason.startswith("duplicate"))
    assert bench.writes(P_SET) == [(200,)]


async def _swing(bench: Bench, steps: int) -> None:
    """Steps of the battery that the meter should show, each long enough for that, and to be quiet before the next."""
    for step in range(steps):
        await bench.command(values={"p_set": 30_000.0 * (1 - step % 2)}, authority=Authority.OPERATOR)
        await asyncio.sleep(4.0)


@pytest.mark.slow
async def test_a_meter_the_wrong_way_round_ends_the_closed_loop(start: Start, broker: Broker) -> None:
    bench = await start(faults=["meter:inverted"])
    place = parse_broker(broker.url("alarms"), "alarms", None, {})
    alarms = asyncio.create_task(
        watch(Part("alarms", bench.site, Settings(place, "", state=bench.part.settings.state)))
    )
    await _swing(bench, 7)
    alarm = await bench.hears.until(ALARM, alarm="meter_polarity-meter")
    assert (alarm.priority, alarm.value) == ("high", "meter_polarity")
    alarms.cancel()
    await asyncio.gather(alarms, return_exceptions=True)
    doubted = await bench.hears.until(DEVICE_STATUS, lambda one: one.state is DeviceState.DEGRADED, device="meter")
    assert doubted.reason.startswith("meter: its sign is wrong")
    assert doubted.causes[0] == "meter_polarity"
    said = await bench.outcome((await bench.command(values={"p_set": 30_000.0})).id, "refused")
    assert (said.cause, said.reason.partition(":")[0]) == ("meter_polarity", "meter_polarity")
    await bench.hears.until(TELEMETRY, lambda one: one.at > said.at and one.number("p_set") == 0, device="pcs")
    automatic = await bench.command(values={}, action=Action.RESET, authority=Authority.SELF_CONSUMPTION)
    await bench.outcome(automatic.id, "verified")
    assert (await bench.outcome((await bench.command()).id, "refused")).cause == "meter_polarity"
    bench.simulated.faults.off("meter:inverted")
    by_hand = await bench.command(values={}, action=Action.RESET, authority=Authority.OPERATOR)
    await bench.outcome(by_hand.id, "verified")
    await bench.outcome((await bench.command(values={"p_set": 30_000.0})).id, "verified")


async def test_ramps_are_reported_only_while_they_last(start: Start) -> None:
    bench = await start(battery={"ramp": 30_000.0})
    command = await bench.command(values={"p_set": 80_000.0})
    first = await bench.outcome(command.id, "applied")
    assert first.limited_by[-1].source == "battery:ramp"
    said = await bench.outcome(command.id, "verified", seconds=6)
    assert (said.applied, said.limited_by) == ({"p_set": 80_000.0}, [])


async def test_the_battery_is_switched_before_the_inverter_and_after_it(start: Start) -> None:
    bench = await start(profiles={"bms": load_profile("byd_c130")})
    plant = bench.simulated.world.plant
    await bench.outcome((await bench.command(values={"p_set": 30_000.0})).id, "verified")
    for action, ends in ((Action.STOP, ("off", False)), (Action.START, ("running", True))):
        command = await bench.command(values={}, action=action)
        assert (await bench.outcome(command.id, "accepted")).reason.startswith(f"{action.value}: ")
        said = await bench.outcome(command.id, "verified", "not_obeyed", "failed", seconds=5)
        assert (said.state, plant.pcs.state, plant.connected) == ("verified", *ends)
    switched = [(one.device, one.register) for one in bench.simulated.written if one.register in (135, 650, 651, 8208)]
    order = [("pcs", 135), ("pcs", 135), ("pcs", 651), ("bms", 8208), ("bms", 8208), ("pcs", 650)]
    assert switched[: len(order)] == order, "and then, as it runs again, its power"


async def test_a_device_that_counts_in_percent_is_told_watts(start: Start) -> None:
    shipped = load_profile("sinexcel_pws2")
    percent = {"register": 135, "type": "i16", "scale": 0.1, "unit": "%"}
    point = Point.model_validate(percent)
    setpoint = Setpoint.model_validate(percent | {"write": 6, "low": -100.0, "high": 100.0, "fallback": 0.0})
    points = {name: one for name, one in shipped.points.items() if name != "p_set"} | {"p_set_pct": point}
    pcs = shipped.model_copy(update={"points": points, "commands": {"p_set_pct": setpoint}})
    bench = await start(profiles={"pcs": pcs})
    assert (await bench.hears.until(META, device="pcs")).commands == ["p_set"]
    command = await bench.command(values={"p_set": 30_000.0})
    assert (await bench.outcome(command.id, "applied")).applied == {"p_set": 30_000.0}
    assert bench.writes(P_SET) == [(300,)], "30.0 % of 100 kW"
