"""Dispatch and bridge with two batteries of different make, in virtual time: kill, trip or silence one, and the other
goes on with what both did, says why, and export stays within its limit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from consumers.dispatch.desk import Desk
from consumers.dispatch.modes import begin
from schemas.messages import Cause, ControlRequest, Mode, Telemetry, Value
from schemas.units import Quality
from simulator.plant import Surroundings
from tests.bridges.control.story import Story, story
from tests.scenarios.inputs import TICK
from tests.timed import FULL, few
from tests.virtual import loop, virtual

TWO = Path(__file__).parents[1] / "two_batteries.toml"
LOAD = 80e3
SLACK = 3e3
"""W: noise of the meters, and dispatch's dead band."""


class Plant:
    """Two batteries, a bridge and dispatch, which covers the load as there is no plan."""

    def __init__(self, it: Story) -> None:
        self.it, self.load = it, LOAD
        self.desk = Desk.of(it.site)
        self.desk.control = begin(loop().wall())
        self.heard = 0
        self.reasons: dict[str, str] = {}
        self.exported: list[float] = []
        publish = it.bridge.outgoing.put

        def put(device: str, values: dict[str, Value], quality: Mapping[str, Quality]) -> Telemetry:
            said = publish(device, values, quality)
            self.desk.read(device, said, loop().wall(), loop().time())
            return said

        it.bridge.outgoing.put = put  # type: ignore[method-assign]  # the wire between the two parts

    def around(self, _: datetime) -> Surroundings:
        return Surroundings(self.load, 0.0)

    async def dispatch(self) -> None:
        while True:
            now, mono = loop().wall(), loop().time()
            for _, pcs, outcome in self.it.outcomes[self.heard :]:
                if pcs in self.desk.batteries:
                    self.desk.hear_outcome(outcome, now, mono)
            self.heard = len(self.it.outcomes)
            for pcs, order in self.desk.instruct(now, mono).items():
                values = {} if order.action else {"p_set": order.wanted.power}
                command = self.it.command(
                    pcs,
                    authority=order.wanted.authority,
                    values=values,
                    action=order.action,
                    reason=order.wanted.reason,
                )
                self.reasons[pcs] = order.wanted.reason
                self.desk.sends(command.id, pcs, order)
                self.desk.has_sent(pcs, order, mono)
            await asyncio.sleep(TICK)

    async def live(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.25)):
            await asyncio.sleep(0.25)
            self.exported.append(-self.it.grid)

    def power(self, pcs: str) -> float:
        return self.it.simulated.world.plant.bess[pcs].pcs.p

    @property
    def beyond(self) -> float:
        """Seconds that more was fed in than allowed."""
        return sum(0.25 for one in self.exported if one > SLACK)


@contextlib.asynccontextmanager
async def plant(folder: Path, *faults: str, load: float = LOAD) -> AsyncIterator[Plant]:
    made: list[Plant] = []

    def around(at: datetime) -> Surroundings:
        return made[0].around(at) if made else Surroundings(load, 0.0)

    async with story(folder, *faults, grid={"export_limit": 0.0}, around=around, file=TWO, soc=60.0) as it:
        made.append(Plant(it))
        made[0].load = load
        steering = asyncio.create_task(made[0].dispatch())
        try:
            yield made[0]
        finally:
            steering.cancel()
            await asyncio.gather(steering, return_exceptions=True)


FAULTS = {
    "pcs2:silent": "pcs2 is silent",
    "pcs:silent": "pcs is silent",
    "pcs2:trip": "the PCS is in fault",
    "bms2:silent": "the BMS",
    "bms2:trips": "the PCS is in fault",
    "pcs2:panel_stop": "it was not we who stopped it",
}
"""What happens, and what is said of it."""


@pytest.mark.parametrize("fault", few([*FAULTS], one_in=2))
@virtual
async def test_the_other_goes_on(tmp_path: Path, fault: str) -> None:
    async with plant(tmp_path) as it:
        await it.live(40)
        assert sum(it.power(pcs) for pcs in ("pcs", "pcs2")) == pytest.approx(LOAD, abs=SLACK)
        assert min(it.power(pcs) for pcs in ("pcs", "pcs2")) > 10e3, "both work"
        it.exported.clear()
        it.it.simulated.faults.on(fault)
        await it.live(40)
        out = "pcs2" if fault.partition(":")[0].endswith("2") else "pcs"
        goes_on = "pcs" if out == "pcs2" else "pcs2"
        assert it.power(out) == pytest.approx(0, abs=1e3)
        assert it.power(goes_on) == pytest.approx(LOAD, abs=SLACK)
        assert it.beyond <= 10.0
        assert FAULTS[fault] in it.desk.detail
        assert FAULTS[fault] in it.reasons[goes_on], "the command says why it is more than its share"
        assert it.desk.control is not None
        assert it.desk.control.mode.mode is Mode.AUTO


@pytest.mark.search
@pytest.mark.skipif(not FULL, reason="it takes a quarter of an hour: make search")
@pytest.mark.parametrize("repaired", few([True, False], one_in=2))
@virtual
async def test_an_interlock_that_waits_for_a_person_ends_with_his_auto(tmp_path: Path, repaired: bool) -> None:
    """The BMS has tripped. What is reset at its panel is used again when a named person asks for auto, not before;
    what is not repaired stays out, whoever asks."""
    async with plant(tmp_path) as it:
        await it.live(30)
        it.it.simulated.faults.on("bms:trips")
        await it.live(150)
        if repaired:
            it.it.simulated.faults.off("bms:trips")
            it.it.simulated.faults.on("bms:panel_reset")
        await it.live(120)
        assert it.power("pcs") == pytest.approx(0, abs=1e3), "nobody has asked"
        now = loop().wall()
        for mode, why in ((Mode.LOCKOUT, "to look"), (Mode.AUTO, "repaired")):
            assert it.desk.hear(ControlRequest(at=now, mode=mode, who="anna", why=why), now, loop().time()).followed
            await it.live(20)
        await it.live(100)
        assert (it.power("pcs") > 10e3) == repaired, it.desk.detail


@virtual
async def test_it_comes_back_and_they_share_again(tmp_path: Path) -> None:
    async with plant(tmp_path) as it:
        await it.live(30)
        it.it.simulated.faults.on("pcs2:silent")
        await it.live(15)  # after a minute an interlock would stop it
        it.it.simulated.faults.off("pcs2:silent")
        it.exported.clear()
        await it.live(90)
        assert min(it.power(pcs) for pcs in ("pcs", "pcs2")) > 10e3
        assert sum(it.power(pcs) for pcs in ("pcs", "pcs2")) == pytest.approx(LOAD, abs=SLACK)
        assert it.beyond <= 10.0


@virtual
async def test_while_an_interlock_holds_one_that_came_back_the_other_gives_all(tmp_path: Path) -> None:
    """Its BMS answers again after 15 s, and an interlock that did not see it holds it for another minute."""
    async with plant(tmp_path) as it:
        await it.live(40)
        it.it.simulated.faults.on("bms2:silent")
        await it.live(15)
        it.it.simulated.faults.off("bms2:silent")
        await it.live(4)
        missing, released = 0.0, None
        for quarter in range(480):
            await it.live(0.25)
            held = next(one for _, pcs, one in reversed(it.it.outcomes) if pcs == "pcs2").limited_by
            if quarter > 40 and not any(one.source.startswith("interlock") for one in held):
                released = quarter if released is None else released
            if released is None:
                missing += 0.25 * (it.power("pcs") + it.power("pcs2") < LOAD - 10e3)
            elif (it.desk.batteries["pcs2"].last or 0.0) > 20e3:
                break
        assert missing <= 2 * TICK, "two cycles"
        assert released is not None
        assert (quarter - released) * 0.25 <= 2 * TICK, "and it gets its share again at once"


@virtual
async def test_one_that_runs_the_other_way_is_taken_out_until_a_person_has_looked(tmp_path: Path) -> None:
    async with plant(tmp_path) as it:
        await it.live(30)
        it.it.simulated.faults.on("pcs2:reversed")
        await it.live(60)
        assert it.desk.control is not None
        assert it.desk.control.mode.mode is Mode.AUTO, "the site goes on"
        assert "locked out alone: reversed" in it.desk.detail
        assert it.power("pcs2") == pytest.approx(0, abs=1e3)
        assert it.power("pcs") == pytest.approx(LOAD, abs=SLACK)
        it.it.simulated.faults.off("pcs2:reversed")
        await it.live(30)
        assert it.power("pcs2") == pytest.approx(0, abs=1e3), "nobody has looked"
        asks = ControlRequest(at=loop().wall(), mode=Mode.AUTO, who="anna", why="wired right")
        assert it.desk.hear(asks, loop().wall(), loop().time()).followed
        await it.live(90)
        assert it.power("pcs2") > 10e3
        assert Cause.REVERSED not in it.it.bridge.said["pcs2"].causes
