"""What a hostile reader found the second time: each name says what is right."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from bridges.control.controller import Controller
from bridges.control.limits import LimitInputs, clamp, limits
from bridges.service import Bridge
from schemas.messages import Authority, Cause, Command, ControlRequest, Mode
from simulator.plant import Surroundings
from simulator.world import Around
from tests.bridges.control.story import field_devices, story
from tests.bridges.control.test_command_age import World
from tests.bridges.control.test_story_batteries import TWO, power, steer
from tests.bridges.control.test_story_faults import flash
from tests.consumers.test_dispatch_batteries import Both, two
from tests.scenarios.test_two_batteries import plant
from tests.virtual import loop, virtual


class Load:
    """W that the site takes; a switch."""

    def __init__(self, power: float) -> None:
        self.power = power

    @property
    def around(self) -> Around:
        return lambda _: Surroundings(self.power, 0.0)


# The limits at the grid connection ---------------------------------------------------------------------


def test_what_the_others_may_do_never_pushes_a_battery_beyond_the_other_limit() -> None:
    """100 kW stand, 20 kW may be fed before something leaves the site; what a silent battery may give less for the
    import limit must not allow more."""
    now = LimitInputs(
        rated_power=100e3, apparent_power=100e3, reactive_power=0.0, power_factor=None, runs=True, charge=160e3,
        discharge=160e3, soc=50.0, soc_min=10.0, soc_max=90.0, net_load=20e3,
        import_limit=50e3, export_limit=0.0, position=100e3, ramp=1e9, beside_less=100e3,
    )  # fmt: skip
    assert clamp(100e3, limits(now))[0] <= 20e3


@virtual
async def test_a_silent_battery_lets_no_other_export(tmp_path: Path) -> None:
    """Import 30 kW, export 0. One battery is silent and holds its 92 kW; the load falls from 200 to 120 kW."""
    load = Load(200e3)
    async with story(tmp_path, grid={"export_limit": 0.0, "import_limit": 30e3}, around=load.around, file=TWO) as it:
        await steer(it, 30, pcs=100e3, pcs2=92e3)
        it.simulated.faults.on("pcs2:stuck")
        it.simulated.faults.on("pcs2:silent")
        await steer(it, 4, pcs=100e3, pcs2=92e3)
        load.power = 120e3
        exported = []
        for _ in range(60):
            await steer(it, 1, pcs=100e3, pcs2=92e3)
            exported.append(-it.grid)
        assert sum(one > 2e3 for one in exported) <= 10, f"{max(exported) / 1e3:.0f} kW leave the site"


@virtual
async def test_a_limit_of_the_site_makes_no_battery_charge_another(tmp_path: Path) -> None:
    """Both are told to discharge, the load falls to 60 kW behind a closed export: nobody asked anybody to charge."""
    load = Load(200e3)
    async with story(tmp_path, grid={"export_limit": 0.0}, around=load.around, file=TWO) as it:
        await steer(it, 30, pcs=100e3, pcs2=92e3)
        load.power = 60e3
        await steer(it, 15, pcs=100e3, pcs2=92e3)
        given = [power(it, "pcs"), power(it, "pcs2")]
        assert min(given) >= -2e3, f"{given}: one charges what the other discharges"


@virtual
async def test_nor_while_a_person_holds_the_power_of_the_site(tmp_path: Path) -> None:
    """The same through dispatch: 180 kW by hand, and the load falls."""
    async with plant(tmp_path, load=200e3) as it:
        await it.live(20)
        now = loop().wall()
        asks = ControlRequest(
            at=now, until=now + timedelta(hours=1), mode=Mode.MANUAL, power=180e3, who="anna", why="a test run"
        )
        assert it.desk.hear(asks, now, loop().time()).followed
        await it.live(30)
        it.load = 60e3
        await it.live(30)
        given = [it.power(pcs) for pcs in ("pcs", "pcs2")]
        assert min(given) >= -2e3, f"{given}"


# Cells that wear ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grid", "wish", "load", "then"),
    [({"export_limit": 0.0}, 20e3, 60e3, -30e3), ({"import_limit": 50e3}, -20e3, 20e3, 80e3)],
)
def test_a_cell_that_may_not_be_turned_round_yet_is_brought_to_rest(
    grid: dict[str, float], wish: float, load: float, then: float, tmp_path: Path
) -> None:
    """One write was made today. What the limit wants is larger than what stands, and of the other sign: that waits for
    the budget; 0 narrows, and does not."""

    @virtual
    async def told(folder: Path) -> None:
        site = Load(load)
        async with story(folder, profiles=flash(), grid=grid, around=site.around) as it:
            await it.steer(wish, 20)
            assert it.power == pytest.approx(wish, abs=500)
            site.power = then
            await it.steer(wish, 30)
            assert it.power * wish <= 500 * abs(wish), f"{it.power:.0f} W make worse what the limit is broken by"

    told(tmp_path)


@virtual
async def test_a_fallback_of_the_other_sign_leaves_no_power_behind(tmp_path: Path) -> None:
    async with story(tmp_path, profiles=flash(), battery={"fallback": -25e3}, around=Load(60e3).around) as it:
        await it.steer(20e3, 20)
        await asyncio.sleep(10 + 20)
        assert it.power <= 500, "20 kW, and nobody has said a word for 30 s"


# Who is shut out, and who begins again and again ---------------------------------------------------------


def test_a_late_word_of_an_earlier_run_does_not_shut_out_the_one_that_lives() -> None:
    world = World()
    world.wait(1.0)

    def word(epoch: str, number: int) -> Command:
        at = world.wall()
        return Command(
            id=f"{epoch[:2]}{number}", at=at, until=at + timedelta(seconds=10), source="dispatch",
            authority=Authority.PLAN, values={"p_set": 1.0}, reason="age", epoch=epoch, number=number,
        )  # fmt: skip

    first, second, third = ("aa" * 8, "bb" * 8, "cc" * 8)
    assert world.come(word(first, 1)) is None
    world.wait(1.0)
    late = word(second, 1)
    world.wait(2.0)
    assert world.come(word(third, 1)) is None
    world.wait(2.0)
    said = world.come(late)
    for number in range(2, 40):
        world.wait(2.0)
        after = world.come(word(third, number))
    assert after is None, f"{after}, for ever"
    assert said is Cause.OUT_OF_ORDER, "it was sent before one that was obeyed"


@virtual
async def test_a_q_command_gives_a_bridge_that_is_killed_again_and_again_no_patience_with_p(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Controller, "_leave", _killed)
        async with story(tmp_path) as it:
            it.command(values={"p_set": 50_000.0})
            await asyncio.sleep(2)
            for _ in range(6):
                it.command(values={"q_set": 1_000.0})
                await asyncio.sleep(1)
                it.serving.cancel()
                await asyncio.gather(it.serving, return_exceptions=True)
                it.bridge.close()
                await asyncio.sleep(1)
                it.bridge = Bridge(it.bridge.part, field_devices(it.simulated))
                it.serving = asyncio.create_task(it.bridge.serve())
                await asyncio.sleep(7)
            assert it.power == pytest.approx(0, abs=1000), "50 kW 56 s after its only command"


async def _killed(_: Controller) -> None:
    """kill -9 says no goodbye."""


# Dispatch ---------------------------------------------------------------------------------------------------


def test_what_somebody_charges_at_a_panel_no_other_battery_gives(tmp_path: Path) -> None:
    """The load of the site is 0."""
    both = Both(two(tmp_path))
    for _ in range(3):
        both.hear_both(grid=50e3, powers=(0.0, -50e3))
        both.hear("pcs2", p=-50e3, state="running", control_loc="local")
        powers = both.powers()
    assert powers["pcs1"] == pytest.approx(0.0, abs=500), "one battery charges the other, at two losses"


def test_what_a_stuck_battery_does_not_give_the_other_gives(tmp_path: Path) -> None:
    """`not_obeyed` for minutes, and the site buys what its healthy battery could give."""
    both = Both(two(tmp_path))
    powers = {"pcs1": 0.0}
    for turn in range(60):
        both.hear_both(grid=90e3 - powers["pcs1"], powers=(powers["pcs1"], 0.0))
        powers = both.powers()
        if turn > 10:
            both.says("pcs2", "not_obeyed", Cause.NOT_OBEYED, reason="it does not follow")
    assert powers["pcs1"] == pytest.approx(90e3, abs=1e3)


# Restarts, slow devices, outcomes ---------------------------------------------------------------------------


@virtual
async def test_without_a_command_a_battery_rests_also_when_a_restarted_bridge_does_not_find_the_other(
    tmp_path: Path,
) -> None:
    load = Load(120e3)
    grid = {"export_limit": 0.0, "import_limit": 30e3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Controller, "_leave", _killed)
        async with story(tmp_path, grid=grid, around=load.around, file=TWO) as it:
            await steer(it, 20, pcs=50e3, pcs2=50e3)
            it.simulated.faults.on("pcs2:stuck")
            it.simulated.faults.on("pcs2:silent")
            load.power = 60e3
            it.serving.cancel()
            await asyncio.gather(it.serving, return_exceptions=True)
            it.bridge.close()
            it.bridge = Bridge(it.bridge.part, field_devices(it.simulated))
            it.serving = asyncio.create_task(it.bridge.serve())
            await asyncio.sleep(10 + 2 * 1.0 + 15)
            assert power(it, "pcs") == pytest.approx(0, abs=1e3), f"and {-it.grid / 1e3:.0f} kW leave the site"


@virtual
async def test_a_commissioned_dead_time_holds_beside_a_faster_battery(tmp_path: Path) -> None:
    """8 s late, and the site file says 9. Its neighbour follows at once, so of the sum 0.25 s are measured."""
    async with story(tmp_path, "pcs2:late", around=Load(200e3).around, file=TWO, battery={"dead_time": 9.0}) as it:
        it.simulated.faults.on("pcs2:late", 8.0)
        began = loop().time()

        def quick(now: float) -> float:
            return 60e3 if int((now - began) // 6) % 2 else -60e3

        def slow(now: float) -> float:
            place = (now - began) % 40
            return 0.0 if now - began < 80 or place >= 24 else -60e3 if place < 6 else 60e3

        await steer(it, 130, Authority.OPERATOR, pcs=quick, pcs2=slow)
        assert Cause.REVERSED not in it.bridge.said["pcs2"].causes, "it does all that it is told"
        assert Cause.NOT_OBEYED not in it.bridge.said["pcs2"].causes


@virtual
@pytest.mark.parametrize(("authority", "follows", "named"), [
    (Authority.PLAN, False, False),
    (Authority.MARKET, None, False),
    (Authority.OPERATOR, None, False),
    (Authority.PLAN, None, True),
    (Authority.OPERATOR, True, True),
])  # fmt: skip
async def test_only_what_follows_the_meter_can_swing(
    authority: Authority, follows: bool | None, named: bool, tmp_path: Path
) -> None:
    """By the clock, at constant load, nothing is limited. It looks like a loop that swings; who moves it says whether
    it is one, and where he says nothing the worse is taken."""
    async with story(tmp_path, around=Load(200e3).around) as it:
        to_and_fro = partial(it.steer, lambda now: 40e3 if int(now // 12) % 2 else -40e3)
        await to_and_fro(150, authority=authority, follows_meter=follows)
        assert (Cause.SWINGING in it.causes()) == named


@virtual
async def test_a_command_to_a_silent_inverter_is_answered_when_the_bridge_ends(tmp_path: Path) -> None:
    async with story(tmp_path) as it:
        it.simulated.faults.on("pv:silent")
        await asyncio.sleep(8)
        asked = it.command("pv", values={"p_limit_pct": 50.0})
        await asyncio.sleep(0.6)
        it.serving.cancel()
        await asyncio.gather(it.serving, return_exceptions=True)
        assert it.said(asked, "pv"), "not one word of it"


@virtual
async def test_a_meter_that_is_back_is_followed_at_once_by_all_batteries(tmp_path: Path) -> None:
    """12 s of silence. A single battery goes on at once; two rest for half a minute more, at 80 kW of load."""
    async with plant(tmp_path) as it:
        await it.live(40)
        it.it.simulated.faults.on("meter:silent")
        await it.live(12)
        it.it.simulated.faults.off("meter:silent")
        while loop().time() - it.desk.fold.meter_heard > 2:  # the bridge looks again after a while, by chance
            await it.live(1)
        await it.live(5)
        assert sum(it.power(pcs) for pcs in ("pcs", "pcs2")) == pytest.approx(80e3, abs=3e3)


@virtual
async def test_a_meter_the_wrong_way_round_charges_no_battery_for_ever_behind_a_closed_export(tmp_path: Path) -> None:
    """Import looks like export, so the export limit draws it in, in one step, to full power; there it makes no more
    steps, so nobody ever names it: not in hours, not beyond the import limit, not without a command."""
    grid = {"export_limit": 0.0, "import_limit": 150e3}
    async with story(tmp_path, "meter:inverted", grid=grid, around=Load(100e3).around) as it:
        await it.steer(lambda now: 40e3 if int(now // 4) % 2 else 0.0, 120)
        named = it.causes("meter")
        await asyncio.sleep(10 + 2 + 10)
        assert Cause.METER_POLARITY in named, f"{it.grid / 1e3:.0f} kW of 150 are imported"
        assert it.power == pytest.approx(0, abs=1e3), "22 s without a command"
