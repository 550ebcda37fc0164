"""What takes its setpoint and does not follow is named, at the rhythm of the field: a command each 2 s that lives 10.

Case 19: https://github.com/springfall2008/batpred/issues/5103 , https://github.com/hoylabs/OpenDTU-OnBattery/issues/2325:
writes read back right, the battery stood at 0 W every evening, and nothing warned.
"""

import asyncio
from pathlib import Path

from schemas.messages import Authority, Cause
from tests.bridges.control.story import story
from tests.field.test_enables import profile
from tests.virtual import loop, virtual


@virtual
async def test_a_battery_that_takes_its_setpoint_and_stands_still(tmp_path: Path) -> None:
    async with story(tmp_path) as it:
        it.simulated.faults.on("pcs:ignores_setpoint")
        began = loop().time()
        await it.steer(40_000.0, 24)
        said = [at - began for at, device, one in it.outcomes if device == "pcs" and one.state == "not_obeyed"]
        assert said
        assert said[0] <= 20.0
        assert Cause.NOT_OBEYED in it.causes(), "the alarm pcs_not_obeyed reads it there"


@virtual
async def test_an_inverter_that_takes_its_limit_and_does_not_keep_it(tmp_path: Path) -> None:
    """The limit changes each 2 s, as where an export of 0 is held: no single command lives long enough to be judged."""
    async with story(
        tmp_path, only=["pv"], command_sources={"dispatch": Authority.OPERATOR}, profiles=profile(enable_each=False)
    ) as it:
        it.command("pv", values={"p_limit_pct": 10.0})
        await asyncio.sleep(6)
        assert it.causes("pv") == []
        it.simulated.faults.on("pv:wants_enable")
        began = loop().time()
        for turn in range(12):
            it.command("pv", values={"p_limit_pct": 5.0 + turn % 3})
            await asyncio.sleep(2)
        said = [at - began for at, device, one in it.outcomes if device == "pv" and one.state == "not_obeyed"]
        assert said
        assert said[0] <= 20.0
        assert it.causes("pv") == [Cause.NOT_OBEYED], "the alarm pv_not_obeyed reads it there"
        it.simulated.faults.off("pv:wants_enable")
        for _ in range(5):
            it.command("pv", values={"p_limit_pct": 8.0})
            await asyncio.sleep(2)
        assert it.causes("pv") == []
