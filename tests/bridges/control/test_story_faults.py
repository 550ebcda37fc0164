"""Devices and lines that are not kind, told in virtual time at the rhythm of the field."""

import asyncio
from pathlib import Path

import pytest

from bridges.control.watchdog_care import LEFT_ALONE
from bridges.control.write_budget import MOST_URGENT
from schemas.messages import Action, Authority, Cause
from schemas.profile import Profile
from schemas.profiles import load_profile
from schemas.site_file import load_site
from tests.bridges.control.story import DEMO, P_SET, changed, story
from tests.timed import few
from tests.virtual import loop, virtual

CYCLES = 2 * 0.5
"""Seconds: two polls of the demo's PCS."""


@virtual
async def test_reads_that_fail_do_not_keep_a_setpoint_alive(tmp_path: Path) -> None:
    """Fault 1: 50 kW went on for 26 to 38 s after the command had expired, because the cycle waited for a reading."""
    async with story(tmp_path) as it:
        last = it.command(values={"p_set": 50_000.0})
        await asyncio.sleep(1)
        it.simulated.faults.on("pcs:missing_register")  # reads are declined, writes are not
        it.simulated.faults.on("bms:silent")
        took = await it.until(lambda: it.written()[-1][1] == (0,), 12)
        assert took + 1 <= 10 + CYCLES
        assert it.power == pytest.approx(0, abs=1)
        assert it.states(last)[-1] in ("expired", "applied", "limited", "verified")


@virtual
async def test_what_cannot_be_written_is_left_alone_so_that_its_watchdog_bites(tmp_path: Path) -> None:
    """Fault 1: our polling fed the watchdog of a device that declined every write."""
    async with story(tmp_path) as it:
        it.command(values={"p_set": 50_000.0})
        await asyncio.sleep(1)
        it.simulated.faults.on("pcs:declines_p_set")
        began = loop().time()
        await it.until(lambda: it.power == pytest.approx(0, abs=1), 60)
        assert loop().time() - began <= 9 + 10 + 10 * 1.5 + 2, "the ttl, the ttl again, and its own 10 s"
        assert it.causes() == [Cause.LEFT_ALONE], "its watchdog is armed: no word against it"
        assert it.bridge.said["pcs"].reason == LEFT_ALONE
        it.simulated.faults.off("pcs:declines_p_set")
        await it.until(lambda: it.bridge.said["pcs"].state == "online", 60)
        assert it.written()[-1][1] == (0,)


@virtual
async def test_a_declined_point_holds_up_no_other_and_no_outcome_speaks_before_its_write(tmp_path: Path) -> None:
    """Fault 2: a declined q_set blocked p_set, and the outcome said `p_set to 0` while 50 kW flowed."""
    async with story(tmp_path) as it:
        await it.steer(50_000.0, 3)
        it.simulated.faults.on("pcs:declines_q_set")
        both = it.command(values={"p_set": 20_000.0, "q_set": 10_000.0})
        await asyncio.sleep(1)
        assert it.power == pytest.approx(20_000, abs=1)
        failed = it.said(both)[-1]
        assert (failed.state, failed.cause) == ("failed", Cause.DECLINED)
        await it.until(lambda: it.written()[-1][1] == (0,), 12)
        for at, _, one in it.outcomes:
            if one.state == "expired":
                assert any(when <= at and value == (0,) for when, value in it.written())
        assert Cause.DECLINED in it.causes()


@virtual
async def test_a_battery_that_is_lost_has_an_unknown_contactor(tmp_path: Path) -> None:
    """Fault 4: it counted as `not ours`, and the inverter was started on an open contactor."""
    async with story(tmp_path, profiles={"bms": load_profile("byd_c130")}) as it:
        await it.steer(0.0, 2)
        it.command(values={}, action=Action.STOP)
        await it.steer(0.0, 30)
        assert not it.simulated.world.plant.connected
        it.simulated.faults.on("bms:silent")
        await asyncio.sleep(3)
        start = it.command(values={}, action=Action.START)
        await it.steer(0.0, 60)
        assert it.states(start)[-1] == "not_obeyed"
        assert "bms is silent, so " in it.said(start)[-1].reason, "its interlocks end the start"
        assert (1,) not in [values for _, values in it.written(650)], "the inverter was told to start"


@virtual
async def test_a_limit_that_the_device_takes_back_is_given_again(tmp_path: Path) -> None:
    """Fault 6: PV gave 32 kW against a limit of 15: its enable had fallen, and nobody looked."""
    sources = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}
    async with story(tmp_path, command_sources=sources) as it:
        it.command("pv", values={"p_limit_pct": 10.0}, source="scada", authority=Authority.DSO)
        await asyncio.sleep(2)
        plant = it.simulated.world.plant.pv["pv"]
        assert plant.limited
        plant.limited = False
        it.simulated.devices["pv"].behind.asked = {}  # type: ignore[attr-defined]
        await it.until(lambda: plant.limited, 70)


def flash(**p_set: object) -> dict[str, Profile]:
    shipped = load_profile("sinexcel_pws2")
    setpoint = shipped.commands["p_set"].model_copy(update={"memory": "eeprom"} | p_set)
    return {"pcs": shipped.model_copy(update={"commands": shipped.commands | {"p_set": setpoint}})}


@pytest.mark.parametrize("memory", few(["ram", "eeprom"], one_in=2))
def test_a_register_that_does_not_hold_is_not_written_without_end(memory: str, tmp_path: Path) -> None:
    """Fault 8: 34 000 writes a day in fallback, on flash."""

    @virtual
    async def told(folder: Path) -> None:
        slow = [
            one.model_copy(update={"poll": 2.0}) for one in load_site(DEMO).device
        ]  # 25 minutes: a third of the work
        async with story(
            folder, "pcs:refuses_setpoint", profiles=flash(memory=memory), only=["pcs", "bms", "meter"], device=slow
        ) as it:
            it.simulated.world.plant.pcs.p_set = 20_000.0
            await asyncio.sleep(600)
            first = len(it.written())
            await asyncio.sleep(600)
            more = len(it.written()) - first
            most_first, most_more = (14, 3) if memory == "eeprom" else (70, 62)
            assert first <= most_first
            assert more <= most_more
            assert it.power == pytest.approx(0, abs=1000), "left alone, its own watchdog has ended it"
            it.simulated.faults.off("pcs:refuses_setpoint")
            await it.until(lambda: it.power == pytest.approx(0, abs=1), 310)
            await it.until(lambda: Cause.NOT_HELD not in it.causes(), 330)  # the next try of a cell that wears

    told(tmp_path)


@virtual
async def test_a_cell_that_wears_is_made_safer_a_few_times_and_then_rests(tmp_path: Path) -> None:
    async with story(tmp_path, profiles=flash(), soc=60.0) as it:
        battery = it.simulated.world.plant.battery
        battery.extra_kelvin = 25.0
        await it.steer(90_000.0, 4)
        for step in range(30):  # the BMS takes its limit back, a little each time
            battery.extra_kelvin = 25.0 + step * 0.1
            await it.steer(90_000.0, 10)
        writes = [value for _, (value,) in it.written()]
        assert len(writes) <= MOST_URGENT + 4
        assert writes[-1] == 0
        assert Cause.WORN in it.causes()


@virtual
async def test_a_missing_model_is_a_declined_action(tmp_path: Path) -> None:
    """Fault 13: STOP on a SunSpec PCS without model 715 ended the whole bridge."""
    async with story(tmp_path, profiles={"pcs": load_profile("sunspec_storage_701")}) as it:
        device = it.bridge.devices[0]
        device._writer.bases.pop(715)  # type: ignore[attr-defined]  # it lacks the optional model
        stop = it.command(values={}, action=Action.STOP)
        await asyncio.sleep(15)
        assert it.states(stop)[-1] in ("not_obeyed", "failed", "refused")
        assert it.bridge.part.counts["failed_tasks"] == 0


@pytest.mark.parametrize(
    ("fault", "cause", "within"),
    [
        ("ignores_setpoint", Cause.NOT_OBEYED, 20.0),
        ("half", Cause.NOT_OBEYED, 25.0),
        ("reversed", Cause.REVERSED, 12.0),
    ],
)
def test_who_does_not_obey_is_named_while_commands_come_each_2_s(
    fault: str, cause: Cause, within: float, tmp_path: Path
) -> None:
    """Faults 14 and 39: each command superseded the last, and nobody was ever named."""

    @virtual
    async def told(folder: Path) -> None:
        async with story(folder) as it:
            await it.steer(5_000.0, 6)
            it.simulated.faults.on(f"pcs:{fault}")
            steering = asyncio.create_task(it.steer(40_000.0, 40))
            await it.until(lambda: cause in it.causes(), within)
            await steering
            assert cause.value in [one.cause for one in it.said()]
            if cause is Cause.REVERSED:
                assert it.power == pytest.approx(0, abs=1000)
                refused = it.command(values={"p_set": 10_000.0})
                await asyncio.sleep(1)
                assert it.said(refused)[-1].cause == Cause.REVERSED
            it.simulated.faults.off(f"pcs:{fault}")
            it.command(values={}, action=Action.RESET, authority=Authority.OPERATOR)
            await asyncio.sleep(1)
            await it.steer(20_000.0, 6)
            assert it.states()[-1] == "verified"
            assert cause not in it.causes()

    told(tmp_path)


@pytest.mark.parametrize("ramp", [5_000.0, 83.0 * 100])
def test_a_slow_battery_is_not_named(ramp: float, tmp_path: Path) -> None:
    @virtual
    async def told(folder: Path) -> None:
        async with story(folder, ramp=ramp) as it:
            one = it.command(values={"p_set": 90_000.0})
            await it.steer(90_000.0, 30)
            assert "not_obeyed" not in it.states(one) + it.states()
            assert it.states()[-1] == "verified"

    told(tmp_path)


@virtual
async def test_a_device_in_local_is_watched_and_not_written(tmp_path: Path) -> None:
    """Faults 20 and 34."""
    async with story(tmp_path, profiles={"pcs": load_profile("sunspec_storage_701")}) as it:
        await it.steer(20_000.0, 4)
        it.simulated.faults.on("pcs:local")
        await asyncio.sleep(3)
        before = len(it.simulated.written)
        no = it.command(values={"p_set": 10_000.0})
        await asyncio.sleep(20)
        assert it.said(no)[-1].cause == Cause.LOCAL
        assert [one for one in list(it.simulated.written)[before:] if one.device == "pcs"] == []
        assert Cause.LOCAL in it.causes()
        assert it.bridge.said["pcs"].state != "offline"


@virtual
async def test_a_watchdog_is_looked_at_and_armed_again(tmp_path: Path) -> None:
    """Fault 21."""
    async with story(tmp_path) as it:
        await it.steer(10_000.0, 4)
        dog = 327
        assert [values for _, values in it.written(dog)] == [(10,)]
        it.simulated.faults.on("pcs:device_reset")
        await it.steer(10_000.0, 65)
        assert [values for _, values in it.written(dog)] == [(10,), (10,)]


@virtual
async def test_a_watchdog_that_is_declined_is_an_alarm_and_the_device_is_steered(tmp_path: Path) -> None:
    """Fault 20: a declined watchdog write made a device unreadable."""
    async with story(tmp_path, "pcs:declines_watchdog") as it:
        await it.steer(10_000.0, 4)
        assert it.power == pytest.approx(10_000, abs=100)
        assert it.causes() == [Cause.WATCHDOG]


@pytest.mark.parametrize(("device", "poll"), [("bms", 6.0), ("pcs", 20.0), ("meter", 10.0)])
def test_a_slow_poll_makes_nothing_flap(device: str, poll: float, tmp_path: Path) -> None:
    """Fault 22: a BMS read each 6 s flipped the battery between 50 kW and 0."""

    @virtual
    async def told(folder: Path) -> None:
        async with story(folder, device=changed(load_site(DEMO), device, poll=poll)) as it:
            await it.steer(50_000.0, 120)
            values = {value for at, (value,) in it.written() if at > 30}
            assert values <= {500}
            assert it.power == pytest.approx(50_000, abs=500)

    told(tmp_path)


@virtual
async def test_a_battery_without_soc_is_degraded_and_said_so(tmp_path: Path) -> None:
    """Fault 43."""
    async with story(tmp_path) as it:
        await it.steer(20_000.0, 4)
        it.simulated.faults.on("bms:soc_nan")
        await it.steer(20_000.0, 12)
        assert it.power == pytest.approx(0, abs=1)
        assert it.said()[-1].limited_by[-1].source == "bms:soc_missing"
        assert it.bridge.said["bms"].state == "degraded"
        assert Cause.CRITICAL_POINT in it.causes("bms")


@virtual
async def test_a_frozen_bms_means_limits_of_0(tmp_path: Path) -> None:
    """Fault 11."""
    async with story(tmp_path) as it:
        await it.steer(40_000.0, 10)
        it.simulated.faults.on("bms:frozen")
        await it.steer(40_000.0, 75)
        assert it.power == pytest.approx(0, abs=1)
        assert it.said()[-1].limited_by[-1].source.partition(":")[0] in ("bms", "interlock")


def test_what_fails_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fault 28: a log line each cycle while a write failed."""

    @virtual
    async def told(folder: Path) -> None:
        async with story(folder) as it:
            await it.steer(10_000.0, 4)
            it.simulated.faults.on("pcs:declines_p_set")
            await it.steer(20_000.0, 8)
            it.simulated.faults.off("pcs:declines_p_set")
            await it.steer(20_000.0, 20)
            assert it.power == pytest.approx(20_000, abs=100)

    told(tmp_path)
    lines = [one.message for one in caplog.records if "p_set" in one.message and "written" in one.message]
    assert len(lines) == 2, lines
    assert P_SET


@pytest.mark.parametrize(("dead_time", "named"), [(20.0, False), (1.0, True)])
@virtual
async def test_the_commissioned_dead_time_is_waited_for_until_it_is_measured(
    tmp_path: Path, dead_time: float, *, named: bool
) -> None:
    """A PCS that follows 18 s late: `not_obeyed` where the site file says that it is quick."""
    async with story(tmp_path, "pcs:late", battery={"dead_time": dead_time}) as it:
        it.simulated.faults.on("pcs:late", 18.0)
        said = set()
        steering = asyncio.create_task(it.steer(50_000.0, 40.0))
        for _ in range(400):
            said |= set(it.causes())
            await asyncio.sleep(0.1)
        await steering
        assert it.power == pytest.approx(50_000, rel=0.02)
        assert (Cause.NOT_OBEYED in said) is named


@virtual
async def test_a_reset_while_it_is_still_in_fault_says_what_holds_on(tmp_path: Path) -> None:
    async with story(tmp_path) as it:
        await it.steer(20_000.0, 6)
        it.simulated.faults.on("pcs:trip")
        await it.until(lambda: "pcs_fault: pcs is in fault" in it.bridge.said["pcs"].reason, 20)
        asked = it.command(values={}, action=Action.RESET, authority=Authority.OPERATOR, source="dispatch")
        await asyncio.sleep(2)
        (said,) = it.said(asked)
        assert (said.state, said.cause) == ("not_obeyed", Cause.INTERLOCK)
        assert said.reason == "reset is told; pcs_fault holds on: pcs is in fault"
