"""Each fault does what it says, seen in registers. A fault without a story is the error."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridges.fieldbus.contract import Declined, Unreachable
from schemas.messages import Action
from schemas.site import Site
from schemas.site_file import load_site
from schemas.units import Kind
from simulator.faults import CONTROL, ENABLE, LINE, PHYSICS, faults_of
from simulator.lies import SAYS
from simulator.states import Turn
from tests.simulator.rig import Rig, rig
from tests.virtual import loop, virtual

Story = Callable[[Rig], Awaitable[None]]
NIGHT = datetime(2026, 6, 16, 0, tzinfo=UTC)
"""Two o'clock in Berlin: no sun, and a load that hardly moves."""
DECLINES = ("declines_p_set", "declines_q_set", "declines_watchdog")


@dataclass
class Told:
    """A story, and where it plays."""

    story: Story
    profiles: dict[str, str] = field(default_factory=dict)
    change: dict[str, Any] = field(default_factory=dict)


STORIES: dict[str, Told] = {}


def story(name: str, *, profiles: dict[str, str] | None = None, **change: Any) -> Callable[[Story], Story]:
    """What shows that a fault does what it says."""

    def keep(told: Story) -> Story:
        STORIES[name] = Told(told, profiles or {}, change)
        return told

    return keep


def every() -> set[str]:
    found = {f"line:{name}" for name in LINE if name not in SAYS}
    found |= {f"{kind}:{name}" for kind, names in PHYSICS.items() for name in names}
    return found | {f"told:{name}" for name in (*CONTROL, *ENABLE, *DECLINES)}


@pytest.mark.parametrize("name", sorted(every()))
@virtual
async def test_a_fault_does_what_it_says(name: str, site: Site) -> None:
    told = STORIES[name]
    if name.startswith("load:"):
        site = load_site(Path(__file__).parents[2] / "site.toml")
    async with rig(site, profiles=told.profiles, **told.change) as it:
        await told.story(it)


def test_there_is_no_story_of_a_fault_that_is_not_there(site: Site) -> None:
    assert STORIES.keys() == every()
    for device in site.device:
        profile = site.profiles[device.name]
        known = {*LINE, *PHYSICS.get(profile.kind, {}), *CONTROL, *ENABLE}
        known |= {f"declines_{name}" for name in (*profile.commands, "watchdog")}
        assert faults_of(profile).keys() <= known


# the line ---------------------------------------------------------------------------------------


@story("line:silent")
async def silent(it: Rig) -> None:
    it.on("meter:silent")
    began = loop().time()
    with pytest.raises(Unreachable):
        await it.words("meter", "p")
    assert loop().time() - began == it.line("meter").timeout
    await it.words("bms", "u")


@story("line:exception")
async def exception(it: Rig) -> None:
    it.on("bms:exception")
    with pytest.raises(Declined) as no:
        await it.words("bms", "u")
    assert no.value.code == 4


@story("line:slow")
async def slow(it: Rig) -> None:
    it.on("bms:slow", 0.7)
    assert await it.words("bms", "soc") == [500]
    assert loop().time() == 0.7
    it.on("bms:slow")
    with pytest.raises(Unreachable):
        await it.words("bms", "soc")


@story("line:laggard")
async def laggard(it: Rig) -> None:
    it.on("bms:laggard")
    moments = [loop().time()]
    for _ in range(50):
        assert await it.words("bms", "soc") == [500]
        moments.append(loop().time())
    took = [after - before for before, after in pairwise(moments)]
    assert 0.005 <= min(took) < 0.05
    assert 0.25 < max(took) <= 0.3


@story("line:wrong_register_count")
async def wrong_register_count(it: Rig) -> None:
    it.on("bms:wrong_register_count")
    with pytest.raises(Unreachable, match="asked for 2 registers at 5124, 1 came"):
        await it.words("bms", "i")


@story("line:missing_register")
async def missing_register(it: Rig) -> None:
    for device, spare in (("pcs", "f"), ("bms", "t"), ("meter", "f"), ("pv", "f")):
        it.on(f"{device}:missing_register")
        with pytest.raises(Declined) as no:
            await it.words(device, spare)
        assert no.value.code == 2
    await it.words("pcs", "p")
    function, start, _ = it.address("bms", "i")
    with pytest.raises(Declined):
        await it.line("bms").read(1, function, start, 4)  # a block that touches it fails whole


FAST = ("u", "i", "t", "soc", "ccl", "dcl", "cell_u_min", "cell_u_max", "cell_t_max", "contactor")


@story("line:frozen")
async def frozen(it: Rig) -> None:
    """The BMS of a battery that gives 50 kW: neither current nor voltage nor energy moves."""
    await it.tell(p_set=50_000.0)
    await asyncio.sleep(1)
    before = {name: value for name, value in (await it.read("bms")).items() if name in FAST}
    assert before["i"] > 50
    it.on("bms:frozen")
    await it.tell(p_set=-50_000.0)
    await asyncio.sleep(8)
    still = await it.read("bms")
    assert {name: still[name] for name in FAST} == before
    it.off("bms:frozen")
    after = await it.read("bms")
    assert after["i"] < -50


@story("line:zeros")
async def zeros(it: Rig) -> None:
    it.on("meter:zeros")
    assert set(await it.words("meter", "p") + await it.words("meter", "u_l1n")) == {0}


@story("line:busy")
async def busy(it: Rig) -> None:
    await it.tell(p_set=0.0)
    it.on("pcs:busy")
    for _ in range(3):  # the line asks once more
        assert await it.words("pcs", "p_set") == [0]
    refused = 0
    for _ in range(4):
        try:
            await it.tell(p_set=10_000.0)
        except Declined as no:
            refused += no.code == 6
    assert refused == 2


# the PCS ----------------------------------------------------------------------------------------


async def p(it: Rig) -> float:
    return float(await it.look("pcs", "p"))


async def state(it: Rig) -> str:
    return str(await it.look("pcs", "state"))


@story("pcs:trip")
async def trip(it: Rig) -> None:
    await it.tell(p_set=30_000.0)
    it.on("pcs:trip")
    assert (await state(it), await p(it)) == ("fault", 0)
    assert "dc_over_current" in await it.look("pcs", "alarms_6")
    await it.act("pcs", Action.RESET)
    assert await state(it) == "fault", "it stays there"
    it.off("pcs:trip")
    await it.act("pcs", Action.RESET)
    await it.act("pcs", Action.START)
    assert (await state(it), await p(it)) == ("running", 0)


@story("pcs:ignores_setpoint")
async def ignores_setpoint(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    it.on("pcs:ignores_setpoint")
    await it.tell(p_set=-60_000.0)
    assert (await it.look("pcs", "p_set"), await p(it)) == (-60_000, 20_000)


@story("pcs:stuck")
async def stuck(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    it.on("pcs:stuck")
    await it.tell(p_set=0.0)
    await it.act("pcs", Action.STOP)
    await asyncio.sleep(30)
    assert (await state(it), await p(it)) == ("running", 20_000)
    it.bess.contactor.turn(Turn.OPEN)  # what an emergency stop does
    await asyncio.sleep(1)
    assert (await state(it), await p(it)) == ("fault", 0), "without DC it ends"


@story("pcs:reversed")
async def reverse(it: Rig) -> None:
    it.on("pcs:reversed")
    await it.tell(p_set=60_000.0)
    assert (await it.look("pcs", "p_set"), await p(it)) == (60_000, -60_000)
    assert float(await it.look("bms", "i")) < -50, "the battery is charged"


@story("pcs:half")
async def half(it: Rig) -> None:
    it.on("pcs:half")
    await it.tell(p_set=60_000.0)
    assert (await it.look("pcs", "p_set"), await p(it)) == (60_000, 30_000)
    it.on("pcs:half", 0.9)
    assert await p(it) == 54_000


@story("pcs:late")
async def late(it: Rig) -> None:
    for seconds in (0.5, 2.0, 5.0):
        it.on("pcs:late", seconds)
        await it.tell(p_set=0.0)
        await asyncio.sleep(6)
        await it.tell(p_set=40_000.0)
        assert await it.look("pcs", "p_set") == 40_000
        await asyncio.sleep(seconds - 0.2)
        assert await p(it) == 0
        await asyncio.sleep(0.3)
        assert await p(it) == 40_000


@story("pcs:slow_ramp")
async def slow_ramp(it: Rig) -> None:
    it.on("pcs:slow_ramp")
    await it.tell(p_set=50_000.0)
    powers = []
    for _ in range(12):
        await asyncio.sleep(1)
        powers.append(await p(it))
    assert powers == pytest.approx([min(50_000, 5_000 * n) for n in range(1, 13)], abs=600)


@story("pv:late")
async def pv_late(it: Rig) -> None:
    it.on("pv:late")
    await it.tell("pv", p_limit_pct=10.0)
    assert await it.look("pv", "p_limit_pct") == 10
    await asyncio.sleep(4.5)
    assert float(await it.look("pv", "p")) > 16_000
    await asyncio.sleep(1)
    assert await it.look("pv", "p") == pytest.approx(15_000, rel=0.02)


@story("pv:slow_ramp")
async def pv_slow_ramp(it: Rig) -> None:
    await it.tell("pv", p_limit_pct=10.0)
    await asyncio.sleep(1)
    it.on("pv:slow_ramp", 1.0)
    await it.tell("pv", p_limit_pct=5.0)
    await asyncio.sleep(2)
    assert await it.look("pv", "p") == pytest.approx(12_000, rel=0.05)
    await asyncio.sleep(4)
    assert await it.look("pv", "p") == pytest.approx(7_500, rel=0.05)


@story("pv:ignores_limit")
async def pv_ignores_limit(it: Rig) -> None:
    before = float(await it.look("pv", "p"))
    it.on("pv:ignores_limit")
    await it.tell("pv", p_limit_pct=5.0)
    await asyncio.sleep(3)
    assert await it.look("pv", "p_limit_pct") == 5
    assert await it.look("pv", "p") == pytest.approx(before, rel=0.1)


@story("pv:ignores_q")
async def pv_ignores_q(it: Rig) -> None:
    power = float(await it.look("pv", "p"))
    await it.tell("pv", pf_set=0.9)
    assert await it.look("pv", "q") == pytest.approx(0.484 * power, rel=0.05)
    it.on("pv:ignores_q")
    await asyncio.sleep(1)
    assert await it.look("pv", "pf_set") == 0.9
    assert await it.look("pv", "q") == 0


@story("pv:coarse")
async def pv_coarse(it: Rig) -> None:
    it.on("pv:coarse", 1.1)
    await it.tell("pv", p_limit_pct=10.0)
    await asyncio.sleep(1)
    assert await it.look("pv", "p") == pytest.approx(16_500, rel=0.02)


@story("load:idle")
async def load_idle(it: Rig) -> None:
    pump = it.simulated.world.plant.driven["pump"]
    await it.tell("pump", switch=1.0)
    await asyncio.sleep(1)
    assert (await it.look("pump", "switch"), pump.p) == (1.0, 11_000.0)
    it.on("pump:idle")
    await asyncio.sleep(1)
    assert (await it.look("pump", "switch"), pump.p) == (1.0, 0.0)


@story("load:weak")
async def load_weak(it: Rig) -> None:
    it.on("pump:weak", 0.5)
    await it.tell("pump", switch=1.0)
    await asyncio.sleep(1)
    assert it.simulated.world.plant.driven["pump"].p == 5_500.0


@story("load:by_hand")
async def load_by_hand(it: Rig) -> None:
    assert await it.look("coldstore", "switch") == 0.0
    it.on("coldstore:by_hand")
    await asyncio.sleep(1)
    assert await it.look("coldstore", "switch") == 1.0
    assert "coldstore:by_hand" not in it.simulated.faults.active, "once"


@story("pv:shaded")
async def pv_shaded(it: Rig) -> None:
    before = float(await it.look("pv", "p"))
    it.on("pv:shaded")
    await asyncio.sleep(1)
    assert await it.look("pv", "p") == pytest.approx(0.3 * before, rel=0.1)


@story("pcs:no_limits")
async def no_limits(it: Rig) -> None:
    """A PCS without a line to the BMS overcharges: the BMS takes its limits back, waits, and opens."""
    it.on("bms:cell_high")
    it.on("pcs:no_limits")
    await it.tell(p_set=-60_000.0)
    await asyncio.sleep(3)
    assert await it.look("bms", "ccl") == 0
    assert float(await it.look("bms", "i")) < -60, "it flows all the same"
    assert await it.until("bms", "contactor", "open", seconds=5) < 4
    assert "charge_over_current_protection" in await it.look("bms", "alarms_2")
    assert (await state(it), await p(it)) == ("fault", 0)
    assert "dc_input_under_voltage" in await it.look("pcs", "alarms_5")


@story("pcs:refuses_setpoint")
async def refuses_setpoint(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    it.on("pcs:refuses_setpoint")
    await it.tell(p_set=50_000.0)
    assert (await it.look("pcs", "p_set"), await p(it)) == (20_000, 20_000)


@story("pcs:keeps_setpoint")
async def keeps_setpoint(it: Rig) -> None:
    """Without it a setpoint that is written to a stopped PCS is not held."""
    for fault, jumps in ((None, 0.0), ("pcs:keeps_setpoint", 40_000.0)):
        if fault:
            it.on(fault)
        await it.act("pcs", Action.STOP)
        await it.tell(p_set=40_000.0)
        assert (await p(it), await it.look("pcs", "p_set")) == (0, jumps)
        await it.act("pcs", Action.START)
        assert await p(it) == jumps


@story("pcs:foreign_write")
async def foreign_write(it: Rig) -> None:
    it.on("pcs:foreign_write")
    await it.tell(p_set=20_000.0)
    assert await it.look("pcs", "p_set") == 5_000
    await asyncio.sleep(1)
    assert await p(it) == 5_000


@story("pcs:forgets")
async def forgets(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    it.on("pcs:forgets")
    assert (await it.look("pcs", "p_set"), await p(it)) == (0, 0)
    await it.tell(p_set=20_000.0)
    assert await p(it) == 20_000, "once"


@story("pcs:device_reset")
async def device_reset(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    await it.line("pcs").write(1, 6, 327, [10])
    assert await it.words("pcs", "ems_timeout") == [10]
    it.on("pcs:device_reset")
    assert await it.words("pcs", "ems_timeout") == [0]
    assert (await it.look("pcs", "p_set"), await state(it)) == (0, "running")
    await it.tell(p_set=20_000.0)
    await asyncio.sleep(100)
    assert it.bess.pcs.p == pytest.approx(20_000), "nobody asks, and no watchdog acts"


@story("pcs:panel_stop")
async def panel_stop(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    it.on("pcs:panel_stop")
    assert (await state(it), await p(it)) == ("off", 0)
    await it.act("pcs", Action.START)
    assert await state(it) == "running", "once"


@story("pcs:panel_reset", profiles={"pcs": "refustore_88k"})
async def panel_reset(it: Rig) -> None:
    """For a map that has no reset."""
    it.on("pcs:trip")
    assert await state(it) == "fault"
    it.off("pcs:trip")
    it.on("pcs:panel_reset")
    assert await state(it) == "off"


# what can be told something ---------------------------------------------------------------------


@story("told:local", profiles={"pcs": "refustore_88k"})
async def local(it: Rig) -> None:
    assert await it.look("pcs", "control_loc") == "remote"
    await it.tell(p_set=20_000.0)
    it.on("pcs:local")
    assert await it.look("pcs", "control_loc") == "local"
    for wish in (it.tell(p_set=0.0), it.act("pcs", Action.STOP)):
        with pytest.raises(Declined) as no:
            await wish
        assert no.value.code == 4
    assert await p(it) == pytest.approx(20_000, abs=50)
    it.off("pcs:local")
    await it.tell(p_set=0.0)
    assert await p(it) == 0


@story("told:local_ignores", profiles={"pcs": "refustore_88k"})
async def local_ignores(it: Rig) -> None:
    it.on("pcs:local_ignores")
    await it.tell(p_set=20_000.0)
    await it.act("pcs", Action.STOP)
    assert await it.look("pcs", "control_loc") == "local"
    assert (await p(it), await it.look("pcs", "p_set"), await state(it)) == (0, 0, "running")


@story("told:ignores_writes")
async def ignores_writes(it: Rig) -> None:
    await it.tell("pv", p_limit_pct=40.0)
    for device in ("pcs", "pv"):
        it.on(f"{device}:ignores_writes")
    await it.tell(p_set=20_000.0)
    await it.act("pcs", Action.STOP)
    await it.tell("pv", p_limit_pct=10.0)
    assert (await p(it), await it.look("pcs", "p_set"), await state(it)) == (0, 0, "running")
    assert await it.look("pv", "p_limit_pct") == 40
    assert [one.device for one in it.simulated.written].count("pv") == 4, "they reached it"


@story("told:declines_actions")
async def declines_actions(it: Rig) -> None:
    it.on("pcs:declines_actions")
    with pytest.raises(Declined):
        await it.act("pcs", Action.STOP)
    await it.tell(p_set=20_000.0)
    assert (await state(it), await p(it)) == ("running", 20_000)


@story("told:declines_p_set")
async def declines_p_set(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    it.on("pcs:declines_p_set")
    with pytest.raises(Declined) as no:
        await it.tell(p_set=0.0)
    assert no.value.code == 3
    await it.tell(q_set=10_000.0)
    assert (await p(it), await it.look("pcs", "q")) == (20_000, 10_000)


@story("told:declines_q_set")
async def declines_q_set(it: Rig) -> None:
    it.on("pcs:declines_q_set")
    with pytest.raises(Declined) as no:
        await it.tell(q_set=10_000.0)
    assert no.value.code == 4
    await it.tell(p_set=20_000.0)
    assert (await p(it), await it.look("pcs", "q")) == (20_000, 0)


@story("told:declines_watchdog")
async def declines_watchdog(it: Rig) -> None:
    it.on("pcs:declines_watchdog")
    with pytest.raises(Declined) as no:
        await it.line("pcs").write(1, 6, 327, [10])
    assert no.value.code == 4
    assert await it.words("pcs", "ems_timeout") == [60], "what it was before"
    await it.line("pcs").write(1, 6, 135, [200])
    assert await it.words("pcs", "p") == [2000]


@story("told:clears_enable")
async def clears_enable(it: Rig) -> None:
    """PV was curtailed to 15 kW, and the inverter itself lets go of it."""
    await it.tell("pv", p_limit_pct=10.0)
    assert (await it.look("pv", "p"), await it.look("pv", "p_limit_state")) == (15_000, "enabled")
    it.on("pv:clears_enable")
    assert float(await it.look("pv", "p")) > 16_000
    assert (await it.look("pv", "p_limit_pct"), await it.look("pv", "p_limit_state")) == (10, "disabled")
    await it.tell("pv", p_limit_pct=10.0)
    assert await it.look("pv", "p") == 15_000, "once"


@story("told:reverts", profiles={"pcs": "refustore_88k"})
async def reverts(it: Rig) -> None:
    it.on("pcs:reverts", 10.0)
    for _ in range(5):
        await it.tell(p_set=20_000.0)
        await asyncio.sleep(8)
        assert await p(it) == pytest.approx(20_000, abs=50), "renewed in time"
    await asyncio.sleep(3)
    assert (await p(it), await it.look("pcs", "p_set_state")) == (0, "disabled")


@story("told:reverts_untold", profiles={"pcs": "refustore_88k"})
async def reverts_untold(it: Rig) -> None:
    it.on("pcs:reverts_untold", 10.0)
    await it.tell(p_set=20_000.0)
    await asyncio.sleep(9)
    assert await p(it) == pytest.approx(20_000, abs=50)
    await asyncio.sleep(3)
    assert (await p(it), await it.look("pcs", "p_set_state")) == (0, "disabled")


@story("told:wants_enable", profiles={"pv": "sunspec_pv_701"})
async def wants_enable(it: Rig) -> None:
    await it.tell("pv", p_limit_pct=10.0)
    it.on("pv:wants_enable")
    await it.tell("pv", p_limit_pct=5.0)
    assert (await it.look("pv", "p"), await it.look("pv", "p_limit_pct")) == (15_000, 5), (
        "it holds it, and does not obey"
    )
    await it.devices["pv"].write("p_limit_pct", 5.0, anew=True)
    assert await it.look("pv", "p") == 7_500


# the BMS ----------------------------------------------------------------------------------------


@story("bms:hot")
async def hot(it: Rig) -> None:
    it.on("bms:hot")
    await asyncio.sleep(20)
    assert float(await it.look("bms", "cell_t_max")) == pytest.approx(61, abs=1)
    assert (await it.look("bms", "ccl"), await it.look("bms", "dcl")) == (0, 0)
    assert await it.look("bms", "contactor") == "closed"
    it.on("bms:hot", 50.0)
    assert 4.5 < await it.until("bms", "contactor", "open", seconds=10) < 6
    assert "charge_over_temperature_protection" in await it.look("bms", "alarms_2")


@story("bms:cell_high")
async def cell_high(it: Rig) -> None:
    it.on("bms:cell_high")
    await asyncio.sleep(20)
    assert (await it.look("bms", "ccl"), await it.look("bms", "contactor")) == (0, "closed")
    assert float(await it.look("bms", "dcl")) > 0
    it.on("bms:cell_high", 0.6)
    assert 1.5 < await it.until("bms", "contactor", "open", seconds=10) < 3
    assert (await state(it), await it.look("bms", "dcl")) == ("fault", 0)


@story("bms:cell_low")
async def cell_low(it: Rig) -> None:
    it.on("bms:cell_low")
    await asyncio.sleep(20)
    assert (await it.look("bms", "dcl"), await it.look("bms", "contactor")) == (0, "closed")
    assert float(await it.look("bms", "ccl")) > 0
    it.on("bms:cell_low", 1.1)
    assert 1.5 < await it.until("bms", "contactor", "open", seconds=10) < 3


@story("bms:trips", profiles={"bms": "byd_c130"})
async def trips(it: Rig) -> None:
    await it.tell(p_set=30_000.0)
    it.on("bms:trips")
    await asyncio.sleep(0.2)
    assert await it.look("bms", "contactor") == "open"
    assert (await state(it), await p(it), await it.look("bms", "dcl")) == ("fault", 0, 0)
    await it.act("bms", Action.START)
    assert await it.look("bms", "contactor") == "open", "what tripped it is still there"
    it.off("bms:trips")
    assert await it.look("bms", "contactor") == "open", "it waits for somebody"
    await it.act("bms", Action.START)
    assert await it.look("bms", "contactor") == "closed"
    assert float(await it.look("bms", "dcl")) > 0


@story("bms:contactor_welded", profiles={"bms": "byd_c130"})
async def contactor_welded(it: Rig) -> None:
    await it.act("pcs", Action.STOP)
    it.on("bms:contactor_welded")
    await it.act("bms", Action.STOP)
    await asyncio.sleep(2)
    assert await it.look("bms", "contactor") == "closed"
    assert "contactor_adhesion" in await it.look("bms", "alarms_4")
    it.off("bms:contactor_welded")
    await asyncio.sleep(0.2)
    assert await it.look("bms", "contactor") == "open"


@story("bms:precharge_fails", profiles={"bms": "byd_c130"})
async def precharge_fails(it: Rig) -> None:
    await it.act("pcs", Action.STOP)
    await it.act("bms", Action.STOP)
    it.on("bms:precharge_fails")
    await it.act("bms", Action.START)
    await asyncio.sleep(60)
    assert await it.look("bms", "contactor") == "precharge"
    await it.act("pcs", Action.START)
    assert 9 < await it.until("pcs", "state", "fault", seconds=20) < 11
    assert "dc_soft_start_failed" in await it.look("pcs", "alarms_6")


@story("bms:contactor_unreadable")
async def contactor_unreadable(it: Rig) -> None:
    it.on("bms:contactor_unreadable")
    with pytest.raises(Declined) as no:
        await it.words("bms", "contactor")
    assert no.value.code == 2
    assert await it.words("bms", "soc") == [500]


@story("bms:contactor_unknown", profiles={"bms": "byd_c130"})
async def contactor_unknown(it: Rig) -> None:
    it.on("bms:contactor_unknown")
    assert await it.look("bms", "contactor") == "unknown_65535"


@story("bms:soc_nan", profiles={"bms": "sunspec_battery_802"})
async def soc_nan(it: Rig) -> None:
    it.on("bms:soc_nan")
    assert await it.words("bms", "soc") == [0xFFFF]
    seen = await it.read("bms")
    assert "soc" not in seen
    assert seen["u"] > 700


@story("bms:soc_jump")
async def soc_jump(it: Rig) -> None:
    it.on("bms:soc_jump")
    assert await it.look("bms", "soc") == 75
    it.on("bms:soc_jump", 60.0)
    assert await it.look("bms", "soc") == 0, "there is no room above"
    it.off("bms:soc_jump")
    assert await it.look("bms", "soc") == 50


@story("bms:soc_zero_once")
async def soc_zero_once(it: Rig) -> None:
    assert await it.look("bms", "soc") == 50
    it.on("bms:soc_zero_once")
    await it.words("bms", "u")
    assert [await it.look("bms", "soc") for _ in range(3)] == [0, 50, 50]


@story("bms:panel_reset")
async def bms_panel_reset(it: Rig) -> None:
    """For a map that can only be read."""
    it.on("bms:trips")
    await asyncio.sleep(1)
    it.off("bms:trips")
    await asyncio.sleep(1)
    assert await it.look("bms", "contactor") == "open"
    it.on("bms:panel_reset")
    assert await it.look("bms", "contactor") == "closed"


# the meter --------------------------------------------------------------------------------------


@story("meter:inverted")
async def inverted(it: Rig) -> None:
    right = dict(await it.read("meter"))
    it.on("meter:inverted")
    wrong = await it.read("meter")
    assert wrong["p"] == pytest.approx(-right["p"], rel=0.02)
    assert wrong["q"] == pytest.approx(-right["q"], rel=0.02)
    assert it.simulated.world.plant.grid > 0


async def grid(it: Rig) -> float:
    return float(await it.look("meter", "p"))


@story("meter:late", start=NIGHT)
async def meter_late(it: Rig) -> None:
    await asyncio.sleep(10)
    for seconds in (0.5, 2.0, 5.0):
        it.on("meter:late", seconds)
        before = await grid(it)
        await it.tell(p_set=50_000.0)
        await asyncio.sleep(seconds - 0.2)
        assert await grid(it) == pytest.approx(before, abs=3_000)
        assert await p(it) == 50_000
        await asyncio.sleep(0.5)
        assert await grid(it) == pytest.approx(before - 50_000, abs=3_000)
        await it.tell(p_set=0.0)
        await asyncio.sleep(10)


@story("meter:averaging", start=NIGHT)
async def averaging(it: Rig) -> None:
    await asyncio.sleep(15)
    it.on("meter:averaging")
    before = await grid(it)
    await it.tell(p_set=50_000.0)
    for seconds in (2.5, 5.0, 7.5, 10.0):
        await asyncio.sleep(2.5)
        assert await grid(it) == pytest.approx(before - 5_000 * seconds, abs=3_000)


@story("meter:grid_lost")
async def grid_lost(it: Rig) -> None:
    await it.tell(p_set=20_000.0)
    it.on("meter:grid_lost")
    await asyncio.sleep(0.2)
    dark = await it.read("meter")
    assert {dark[name] for name in ("p", "f", "u_l1n", "u_l2n", "u_l3n", "i_l1")} == {0}
    assert (await state(it), await p(it), await it.look("pv", "p")) == ("fault", 0, 0)
    assert {"island", "ac_under_voltage"} <= {*await it.look("pcs", "alarms")}
    it.off("meter:grid_lost")
    await asyncio.sleep(0.2)
    assert await it.look("meter", "f") == pytest.approx(50, abs=0.1)
    assert float(await it.look("pv", "p")) > 16_000
    assert await state(it) == "fault", "it waits for a reset"


@pytest.mark.parametrize("kind", Kind)
def test_what_a_kind_can_suffer_is_said_in_words(kind: Kind) -> None:
    assert all(str(fault) and "{" not in str(fault) for fault in PHYSICS.get(kind, {}).values())
