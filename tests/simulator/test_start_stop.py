"""Starting and stopping takes its time, in order, and never without what it needs; all of it seen in registers."""

import asyncio
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import Action
from schemas.site import Site
from simulator.contactor import Contactor
from simulator.pcs import DC_WINDOW, Pcs
from simulator.states import FIELD, INSTANT, QUICK, TURNS, Contact, Order, State, Times, Turn
from tests.simulator.rig import Rig, rig
from tests.virtual import loop, virtual

PROFILES = {"pcs": "kaco_gridsave", "bms": "byd_c130"}
"""One names the precharge of its DC link, the other the contactor; both can be switched."""
RATED = 100_000.0
STEPS = st.lists(
    st.tuples(
        st.sampled_from([None, Order.START, Order.STOP, Order.STANDBY, Order.RESET, Order.TRIP]),
        st.floats(0.0, 5.0),
        st.sampled_from([None, 500.0, 770.0]),
        st.booleans(),
    ),
    max_size=80,
)


async def seen(it: Rig) -> list[str]:
    """The states of contactor and PCS one after the other, until both stand still for 80 s."""
    states: list[str] = []
    still = loop().time()
    while loop().time() - still < 80:
        await asyncio.sleep(0.1)
        now = f"{await it.look('bms', 'contactor')} {await it.look('pcs', 'state')}"
        if not states or states[-1] != now:
            states.append(now)
            still = loop().time()
    return states


async def took(it: Rig, *states: str) -> float:
    """Seconds until the PCS shows one of these states."""
    return await it.until("pcs", "state", *states)


@virtual
async def test_a_whole_stop_and_a_whole_start(site: Site) -> None:
    async with rig(site, profiles=PROFILES, times=FIELD) as it:
        await it.tell(p_set=80_000.0)
        await it.act("pcs", Action.STOP)
        assert await took(it, "off") == pytest.approx(0.8 * FIELD.stop, abs=0.3), "from 80 % down the ramp"
        await it.act("bms", Action.STOP)
        assert await seen(it) == ["closed off", "open off"]
        await it.act("bms", Action.START)
        assert await seen(it) == ["precharge off", "closed off"]
        await it.act("pcs", Action.START)
        assert await seen(it) == ["closed precharge", "closed starting", "closed running"]


@pytest.mark.parametrize("times", [INSTANT, QUICK, FIELD], ids=["instant", "quick", "field"])
@virtual
async def test_how_long_it_takes(times: Times, site: Site) -> None:
    async with rig(site, profiles=PROFILES, times=times) as it:
        await it.act("pcs", Action.STOP)
        assert await took(it, "off") < 0.2
        await it.act("pcs", Action.START)
        assert await took(it, "running") == pytest.approx(times.precharge + times.observe + times.start, abs=0.4)
        await it.act("pcs", Action.STANDBY)
        assert await took(it, "standby") < 0.2
        await it.act("pcs", Action.START)
        assert await took(it, "running") == pytest.approx(times.observe + times.start, abs=0.4), "it stayed charged"


@virtual
async def test_its_power_goes_down_a_ramp_and_not_off_a_cliff(site: Site) -> None:
    async with rig(site, profiles=PROFILES, times=FIELD) as it:
        await it.tell(p_set=-100_000.0)
        await asyncio.sleep(1)
        await it.act("pcs", Action.STOP)
        powers = []
        for _ in range(5):
            await asyncio.sleep(0.5)
            powers.append(float(await it.look("pcs", "p")))
        assert powers == pytest.approx([-75_000, -50_000, -25_000, 0, 0], abs=6_000)


@virtual
async def test_a_start_without_a_battery_ends_in_a_fault(site: Site) -> None:
    async with rig(site, profiles=PROFILES, times=FIELD) as it:
        for device in ("pcs", "bms"):
            await it.act(device, Action.STOP)
        await asyncio.sleep(5)
        await it.act("pcs", Action.START)
        assert await took(it, "running", "fault") == pytest.approx(10, abs=0.3)
        assert (await it.look("pcs", "state"), it.bess.pcs.why) == ("fault", "dc_start_failed")


@virtual
async def test_a_contactor_that_closes_in_time_lets_it_start(site: Site) -> None:
    async with rig(site, profiles=PROFILES, times=FIELD) as it:
        for device in ("pcs", "bms"):
            await it.act(device, Action.STOP)
        await asyncio.sleep(5)
        await it.act("pcs", Action.START)
        await it.act("bms", Action.START)
        assert await took(it, "running", "fault") == pytest.approx(6 + 60 + 5, abs=0.4)
        assert await it.look("pcs", "state") == "running"


@virtual
async def test_a_contactor_that_opens_under_load_trips_it(site: Site) -> None:
    async with rig(site, profiles=PROFILES, times=FIELD) as it:
        await it.tell(p_set=50_000.0)
        await it.act("bms", Action.STOP)
        assert await took(it, "fault") < 0.5
        assert (await it.look("pcs", "p"), await it.look("bms", "i")) == (0, 0)


@virtual
async def test_it_observes_the_grid_anew_when_it_fails_meanwhile(site: Site) -> None:
    async with rig(site, profiles=PROFILES, times=FIELD) as it:
        await it.act("pcs", Action.STOP)
        await asyncio.sleep(5)
        await it.act("pcs", Action.START)
        await asyncio.sleep(40)
        it.on("meter:grid_lost")
        await asyncio.sleep(10)
        assert await it.look("pcs", "state") == "starting", "it waits"
        it.off("meter:grid_lost")
        assert await took(it, "running") == pytest.approx(60 + 5, abs=0.4)


@virtual
async def test_nothing_flows_before_it_runs(site: Site) -> None:
    async with rig(site, "pcs:keeps_setpoint", times=FIELD) as it:
        await it.act("pcs", Action.STOP)
        await asyncio.sleep(5)
        await it.act("pcs", Action.START)
        await it.tell(p_set=60_000.0)
        while await it.look("pcs", "state") != "running":
            assert await it.look("pcs", "p") == 0
            await asyncio.sleep(0.25)
        await asyncio.sleep(0.25)
        assert await it.look("pcs", "p") == 60_000


@given(STEPS)
def test_whatever_it_is_told_power_needs_dc_a_grid_and_the_state_running(steps: list[Any]) -> None:
    pcs = Pcs(RATED, RATED, times=QUICK, timeout=0.0)
    for order, dt, volts, lit in steps:
        if order is not None:
            pcs.order(order)
        pcs.p_set = 50_000.0 if pcs.state is State.RUNNING else 0.0
        pcs.live(dt, volts, lit=lit)
        wanted = pcs.wanted(dt)
        pcs.carry(pcs.dc_of(wanted), wanted)
        powered = volts is not None and DC_WINDOW[0] <= volts <= DC_WINDOW[1]
        if abs(pcs.p) > 1:
            assert pcs.state in (State.RUNNING, State.STOPPING)
            assert powered
            assert lit
        if pcs.state is State.FAULT:
            assert pcs.why
        assert pcs.state is not State.RUNNING or (powered and lit)


@pytest.mark.parametrize(("contact", "turn"), list(product(Contact, Turn)))
def test_what_is_not_in_the_table_leaves_a_contactor(contact: Contact, turn: Turn) -> None:
    it = Contactor(state=contact)
    it.turn(turn)
    assert it.state is TURNS.get((contact, turn), contact)


def test_a_contactor_takes_its_time_and_conducts_until_it_is_open() -> None:
    it = Contactor(FIELD)
    it.turn(Turn.OPEN)
    it.step(0.1)
    assert (it.closed, it.state) == (True, Contact.OPENING)
    it.step(0.1)
    assert (it.closed, it.state) == (False, Contact.OPEN)
    it.turn(Turn.CLOSE)
    for _ in range(59):
        it.step(0.1)
        assert (it.closed, it.state) == (False, Contact.PRECHARGE)
    it.step(0.2)
    assert it.closed
