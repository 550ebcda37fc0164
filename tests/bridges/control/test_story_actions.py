"""Every action gets an outcome, and its own: told in virtual time."""

import asyncio
from pathlib import Path

import pytest

from bridges.service import Bridge
from schemas.messages import Action, Authority, Cause
from schemas.profiles import load_profile
from schemas.site_file import load_site
from simulator.states import Times
from tests.bridges.control.story import DEMO, changed, field_devices, story
from tests.hostile.test_found import flags
from tests.virtual import virtual


@virtual
async def test_a_start_that_ends_because_somebody_took_the_device_to_local_says_so(tmp_path: Path) -> None:
    """Nobody went on with it, and nobody said anything; what a hand at the panel did then was taken for its end."""
    profiles = {"pcs": load_profile("sunspec_storage_701"), "bms": load_profile("byd_c130")}
    async with story(tmp_path, profiles=profiles, times=Times(close=20.0)) as it:
        await it.steer(0.0, 60)
        it.command(values={}, action=Action.STOP)
        await it.steer(0.0, 60)
        one = it.command(values={}, action=Action.START)
        await it.steer(0.0, 1)
        assert it.states(one) == ["accepted"], "its contactor closes"
        it.simulated.faults.on("pcs:local")
        await asyncio.sleep(3)
        last = it.said(one)[-1]
        assert (last.state, last.cause) == ("expired", Cause.LOCAL)
        await asyncio.sleep(60)
        assert it.said(one)[-1] == last


@virtual
async def test_the_end_of_an_interlocks_stop_is_no_answer_to_another_action(tmp_path: Path) -> None:
    """`standby: verified`, because the inverter was off."""
    async with story(tmp_path, profiles={"bms": load_profile("byd_c130")}, ramp=10_000.0) as it:
        await it.steer(20_000.0, 12)
        flags(it, "epo")
        await it.steer(20_000.0, 1)
        assert it.bridge.controls["pcs"].battery.switching  # type: ignore[union-attr]
        standby = it.command(values={}, action=Action.STANDBY)
        await it.steer(20_000.0, 30)
        assert it.simulated.world.plant.pcs.state.value == "off"
        assert [(one.state.value, one.cause) for one in it.said(standby)] == [
            ("applied", None),
            ("not_obeyed", Cause.NOT_OBEYED),
        ]


@virtual
async def test_what_waits_or_is_on_its_way_when_the_bridge_ends_is_answered(tmp_path: Path) -> None:
    async with story(tmp_path, profiles={"bms": load_profile("byd_c130")}) as it:
        await it.steer(20_000.0, 12)
        it.simulated.faults.on("pcs:slow", 5.0)
        stop = it.command(values={}, action=Action.STOP)
        await asyncio.sleep(0.3)
        waits = it.command(values={"p_set": 10_000.0})
        it.serving.cancel()
        await asyncio.gather(it.serving, return_exceptions=True)
        assert [(one.state.value, one.cause) for one in it.said(stop)][-1] == ("expired", Cause.STOPPING)
        assert [(one.state.value, one.cause) for one in it.said(waits)] == [("refused", Cause.STOPPING)]


@virtual
async def test_an_action_for_a_device_that_never_answers_ends(tmp_path: Path) -> None:
    async with story(tmp_path) as it:
        it.simulated.faults.on("pcs:silent")
        it.serving.cancel()
        await asyncio.gather(it.serving, return_exceptions=True)
        it.bridge.close()
        it.bridge = Bridge(it.bridge.part, field_devices(it.simulated))
        it.serving = asyncio.create_task(it.bridge.serve())
        await asyncio.sleep(1)
        control = it.bridge.controls["pcs"]
        control.say = lambda outcome: it.outcomes.append((0.0, "pcs", outcome))
        one = it.command(values={}, action=Action.STOP)
        await asyncio.sleep(60)
        assert it.states(one) == ["accepted", "not_obeyed"]
        assert it.said(one)[-1].reason.endswith("the inverter is not answering, its contactor not_ours")


@virtual
@pytest.mark.parametrize("poll", [0.5, 1.0, 4.0])
async def test_what_was_stopped_is_told_no_power_however_seldom_it_is_read(tmp_path: Path, poll: float) -> None:
    """The stop has seen it stand; the last reading still says that it runs: a power told now would jump at START."""
    async with story(tmp_path, device=changed(load_site(DEMO), "pcs", poll=poll)) as it:
        await it.steer(30e3, 10, authority=Authority.OPERATOR)
        it.command(values={}, action=Action.STOP)
        await it.steer(30e3, 20, authority=Authority.OPERATOR)
        assert [values for _, values in it.written()] == [(300,), (0,)]
