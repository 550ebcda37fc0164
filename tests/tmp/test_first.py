import asyncio
from pathlib import Path
from tests.bridges.control.story import story, P_SET
from tests.bridges.control.test_control_budget import pws2
from tests.virtual import virtual, loop

@virtual
async def test_first(tmp_path: Path) -> None:
    async with story(tmp_path, profiles=pws2(memory="eeprom", interval=4.0), battery={"ramp": 1000.0}) as it:
        a=it.command(values={"p_set": 20000.0})
        await asyncio.sleep(1.5)
        b=it.command(values={"p_set": 30000.0})
        await asyncio.sleep(9)
        for t,n,o in it.outcomes: print(t, o.id, o.state, o.reason, o.applied, o.limited_by)
        print(it.written(), it.bridge.controls["pcs"].writer.budgets["p_set"])
        assert 0
