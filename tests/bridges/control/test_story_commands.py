"""Commands at the rhythm of the field, told in virtual time: what is obeyed, in which order, and until when."""

import asyncio
import itertools
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridges.control.command_age import SLACK
from bridges.control.command_queue import MOST
from bridges.control.controller import Controller
from bridges.service import Bridge
from schemas.messages import Action, Authority, Cause
from schemas.profiles import load_profile
from tests.bridges.control.story import P_SET, Story, field_devices, story
from tests.virtual import loop, virtual

SIX_KINDS: dict[str, tuple[dict[str, Any], Cause]] = {
    "duplicate": ({"id": "c1"}, Cause.DUPLICATE),
    "older": ({"at": -5}, Cause.OUT_OF_ORDER),
    "expired": ({"at": -20, "until": -10}, Cause.EXPIRED),
    "from ahead": ({"at": 20, "until": 30}, Cause.CLOCK_SKEW),
    "of a stranger": ({"source": "thief"}, Cause.FOREIGN_SOURCE),
    "claims too much": ({"authority": Authority.PROTECTION}, Cause.AUTHORITY),
}


def shifted(change: dict[str, Any]) -> dict[str, Any]:
    """Whole numbers for times are seconds from now."""
    now = loop().wall()
    return {key: now + timedelta(seconds=value) if isinstance(value, int) else value for key, value in change.items()}


@virtual
async def test_what_waits_for_a_busy_line_cannot_overtake(tmp_path: Path) -> None:
    """Fault 3: judged before the lock and obeyed after, duplicates, older and expired ones were written."""
    async with story(tmp_path) as it:
        it.command(values={"p_set": 5_000.0})
        await asyncio.sleep(1)
        it.simulated.faults.on("pcs:slow")  # answers after the time that is waited for
        await asyncio.sleep(0.3)
        first = it.command(values={"p_set": 30_000.0})
        short = it.command(values={"p_set": 90_000.0}, until=loop().wall() + timedelta(seconds=1))
        older = it.command(values={"p_set": 80_000.0}, at=first.at - timedelta(milliseconds=500))
        twice = it.command(values={"p_set": 70_000.0}, id=first.id)
        await asyncio.sleep(4)
        it.simulated.faults.off("pcs:slow")
        await asyncio.sleep(3)
        written = {value for _, (value,) in it.written()}
        assert not written & {800, 700}, "older ones and duplicates reach no register"
        assert it.said(older)[-1].cause == Cause.OUT_OF_ORDER
        assert [one.cause for one in it.said(twice)].count("duplicate") == 1
        assert all(at <= 2.6 for at, (value,) in it.written() if value == 900) or short


@pytest.mark.parametrize("kind", SIX_KINDS)
def test_nothing_of_that_kind_reaches_a_register_in_any_order(kind: str, tmp_path: Path) -> None:
    change, cause = SIX_KINDS[kind]

    @virtual
    async def told(folder: Path) -> None:
        async with story(folder) as it:
            it.command(values={"p_set": 5_000.0})
            for turn in range(20):
                await asyncio.sleep(random.Random(turn).uniform(0.01, 1.0))
                bad = it.command(values={"p_set": 66_000.0}, **shifted(change))
                if turn % 3 == 0:
                    it.command(values={"p_set": 5_000.0 + turn * 100})
                await asyncio.sleep(0.6)
                assert cause.value in [one.cause for one in it.said(bad)]
            assert (660,) not in [values for _, values in it.written()]

    told(tmp_path)


@virtual
async def test_an_action_prolongs_no_setpoint_and_hides_nobody(tmp_path: Path) -> None:
    """Fault 9: a RESET kept an expired setpoint alive for 60 s."""
    async with story(tmp_path) as it:
        it.command(values={"p_set": 40_000.0})
        began = loop().time()
        for _ in range(8):
            await asyncio.sleep(2)
            it.command(values={}, action=Action.RESET, until=loop().wall() + timedelta(seconds=60))
        await asyncio.sleep(0.1)
        assert it.written()[-1][1] == (0,)
        assert it.written()[-1][0] - began <= 10 + 2 * 0.5 + 0.1
        holder = it.bridge.controls["pcs"].pending.holder
        assert holder is None


@virtual
async def test_a_flood_is_refused_and_a_person_still_heard(tmp_path: Path) -> None:
    async with story(tmp_path) as it:
        for number in range(5 * MOST):
            it.command(values={"p_set": 1_000.0 + number})
        by_hand = it.command(values={"p_set": 0.0}, authority=Authority.OPERATOR)
        full = [one for one in it.said() if one.cause == Cause.QUEUE_FULL]
        assert len(full) == 4 * MOST
        await asyncio.sleep(1)
        assert it.states(by_hand)[-1] == "verified"
        assert it.power == pytest.approx(0, abs=1)


@virtual
async def test_the_wall_clock_moves_no_deadline_and_shuts_nobody_out(tmp_path: Path) -> None:
    """Faults 15 and 44: all clocks +1 day, and back."""
    async with story(tmp_path) as it:
        for step in (86_400.0, -86_400.0, -3600.0, 3600.0):
            it.command(values={"p_set": 20_000.0})
            await asyncio.sleep(2)
            loop().step_wall(step)
            numbered: dict[str, Any] = {"epoch": "ab" * 8, "number": int(loop().time() * 10)}
            after = it.command(values={"p_set": 30_000.0}, **numbered)
            await asyncio.sleep(1)
            assert it.states(after)[-1] == "verified", f"a step of {step} s"
        last = loop().time()
        loop().step_wall(-86_400.0)
        await it.until(lambda: it.power == pytest.approx(0, abs=1), 11.5)
        assert loop().time() - last <= 11.5


@pytest.mark.parametrize("step", [-3.0, -12.0, -45.0, -3600.0])
@pytest.mark.parametrize("numbered", [True, False])
def test_what_was_held_back_does_not_look_young_when_the_clock_is_set_back(
    step: float, numbered: bool, tmp_path: Path
) -> None:
    """It was obeyed 16 s after it was sent, with 10 s to live; and who sends on time goes on."""

    @virtual
    async def told(folder: Path) -> None:
        async with story(folder) as it:
            number = itertools.count(1)

            def order() -> dict[str, Any]:
                return {"epoch": "ab" * 8, "number": next(number)} if numbered else {}

            it.command(values={"p_set": 20_000.0}, **order())
            await asyncio.sleep(2)
            held = it.wish(values={"p_set": 50_000.0}, **order())
            await asyncio.sleep(8.5 - step if step > -60 else 60)  # by the clock it is 9 s old then
            loop().step_wall(step)
            await asyncio.sleep(0.5)
            wish, it.wish = it.wish, lambda **_: held  # type: ignore[method-assign]
            it.command()
            it.wish = wish  # type: ignore[method-assign]
            await asyncio.sleep(2)
            assert it.states(held) in (["refused"], ["expired"])
            assert (500,) not in [values for _, values in it.written()]
            began = loop().time()
            while it.power != pytest.approx(30_000, abs=300):
                it.command(values={"p_set": 30_000.0}, **order())
                await asyncio.sleep(2)
                assert loop().time() - began <= 70
            # Nobody was heard for so long that a command may be from before a small step as long as that is.
            by_number = -step + SLACK + 4 if step > -60 else 6.0
            assert not numbered or loop().time() - began <= by_number

    told(tmp_path)


@virtual
async def test_the_operators_limit_outlives_the_bridge_and_a_protection_the_operator(tmp_path: Path) -> None:
    """Fault 16."""
    sources = {"dispatch": Authority.OPERATOR, "relay": Authority.PROTECTION, "scada": Authority.DSO}
    async with story(tmp_path, command_sources=sources) as it:
        it.command(values={"p_limit_pct": 20.0}, source="relay", authority=Authority.PROTECTION)
        it.command(values={"p_limit_pct": 100.0}, source="scada", authority=Authority.DSO)
        held = it.command(values={"p_set": 80_000.0})
        await asyncio.sleep(1)
        assert it.power == pytest.approx(20_000, abs=200)
        assert [one.source for one in it.said(held)[-1].limited_by] == ["protection:limit"]
    async with story(tmp_path, command_sources=sources) as it:
        it.command(values={"p_set": 80_000.0})
        await asyncio.sleep(1)
        assert it.power == pytest.approx(20_000, abs=200), "after a restart it still holds"


@virtual
async def test_without_a_command_nothing_is_written_and_after_the_ttl_the_fallback_is(tmp_path: Path) -> None:
    async with story(tmp_path) as it:
        await asyncio.sleep(8.5)
        assert it.written() == []
        await asyncio.sleep(3)
        assert [values for _, values in it.written()] == [(0,)]


@virtual
async def test_what_another_bridge_was_told_before_is_not_obeyed_again(tmp_path: Path) -> None:
    async with story(tmp_path) as it:
        old = it.command(at=loop().wall() - timedelta(seconds=5), until=loop().wall() + timedelta(seconds=5))
        await asyncio.sleep(0.6)
        assert [one.cause for one in it.said(old)] == [Cause.BEFORE_START]


async def begins_again(it: Story) -> None:
    """After a kill -9."""
    it.serving.cancel()
    await asyncio.gather(it.serving, return_exceptions=True)
    it.bridge.close()
    it.bridge = Bridge(it.bridge.part, field_devices(it.simulated))
    it.serving = asyncio.create_task(it.bridge.serve())
    await asyncio.sleep(0)


async def _killed(_: Controller) -> None:
    """kill -9 says no goodbye."""


@virtual
async def test_a_bridge_that_begins_leaves_the_power_it_finds_to_its_sender(tmp_path: Path) -> None:
    """It wrote 0 at each start, because it had read the PCS before it had read the BMS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Controller, "_leave", _killed)
        async with story(tmp_path) as it:
            await it.steer(10_000.0, 4)
            for _ in range(3):
                await begins_again(it)
                await asyncio.sleep(3)
                await it.steer(10_000.0, 4)
            assert {values for _, values in it.written()} == {(100,)}
            assert it.power == pytest.approx(10_000, abs=200)


@pytest.mark.parametrize("fault", ["bms:silent", "meter:silent", "bms:soc_nan"])
def test_a_bridge_that_begins_waits_for_nobody_longer_than_for_a_lost_reading(fault: str, tmp_path: Path) -> None:
    @virtual
    async def told(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Controller, "_leave", _killed)
            async with story(folder) as it:
                await it.steer(10_000.0, 4)
                it.simulated.faults.on(fault)
                await begins_again(it)
                assert await it.until(lambda: it.power == pytest.approx(0, abs=200), 5.0 + 2 * 0.5) > 0

    told(tmp_path)


@pytest.mark.parametrize("stop", ["fallback", "hold"])
def test_a_bridge_that_ends_in_good_order_leaves_what_the_site_file_says(stop: str, tmp_path: Path) -> None:
    """Fault 5: it left the battery as told, for ever with GoodWe, Sungrow and REFU."""

    @virtual
    async def told(folder: Path) -> None:
        async with story(folder, battery={"on_stop": stop, "ramp": 30_000.0}) as it:
            await it.steer(60_000.0, 6)
            began = loop().time()
            it.serving.cancel()
            await asyncio.gather(it.serving, return_exceptions=True)
            assert loop().time() - began <= 5.0
            last = it.written()[-1][1]
            assert last == ((0,) if stop == "fallback" else (600,))
            words = [(one.state.value, one.cause) for one in it.said()][-1]
            assert words == (("expired", "stopping") if stop == "fallback" else ("verified", None))

    told(tmp_path)


@virtual
async def test_to_hold_is_not_enough_where_no_watchdog_is_armed(tmp_path: Path) -> None:
    shipped = load_profile("sinexcel_pws2")
    none = shipped.model_copy(update={"watchdog": None})
    async with story(tmp_path, battery={"on_stop": "hold"}, profiles={"pcs": none}) as it:
        await it.steer(60_000.0, 4)
        it.serving.cancel()
        await asyncio.gather(it.serving, return_exceptions=True)
        assert it.written()[-1][1] == (0,)


def registers(it: Story) -> list[int]:
    return [value for _, (value,) in it.written(P_SET)]


@virtual
async def test_a_stopped_inverter_is_told_0_and_ramps_from_what_is_measured(tmp_path: Path) -> None:
    """Fault 26: a setpoint was written to a stopped PCS, and jumped at START."""
    async with story(tmp_path, battery={"ramp": 10_000.0}) as it:
        await it.steer(50_000.0, 8)
        stop = it.command(values={}, action=Action.STOP)
        await it.steer(50_000.0, 20)
        assert it.states(stop)[-1] == "verified"
        assert registers(it)[-1] == 0
        assert it.said()[-1].limited_by[-1].source == "pcs:not_running"
        start = it.command(values={}, action=Action.START)
        before = len(it.written())
        await it.steer(50_000.0, 150)
        assert it.states(start)[-1] == "verified"
        steps = registers(it)[before:]
        assert steps[0] <= 150, "the first step is one of the ramp"
        assert registers(it)[-1] == 500


@virtual
async def test_what_no_bridge_ever_moved_is_left_as_its_installer_set_it(tmp_path: Path) -> None:
    """And what one has moved is brought back, also by the next one."""
    limit = 40_155
    async with story(tmp_path) as it:
        await asyncio.sleep(15)
        assert [one for one in it.simulated.written if one.device == "pv"] == []
        it.command("pv", values={"p_limit_pct": 40.0})
        await asyncio.sleep(2)
        assert it.simulated.world.plant.pv["pv"].limit_pct == pytest.approx(40)
        it.bridge.controls["pv"].device.writable = False  # it is killed: nobody brings anything back
    async with story(tmp_path) as it:
        await asyncio.sleep(12)
        assert [values for _, values in it.written(limit, "pv")] == [(1000,)]
    async with story(tmp_path) as it:
        await asyncio.sleep(12)
        assert it.written(limit, "pv") == [], "it is where it belongs"
