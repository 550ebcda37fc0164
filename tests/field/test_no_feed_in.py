"""Nothing may be fed in, there is sun, and the battery is full: PV is limited to what the site takes.

Case 20, https://github.com/wills106/homeassistant-solax-modbus/issues/851 and
https://github.com/davidusb-geek/emhass/issues/574: before, 39 kW were fed in and nobody wrote to the inverter.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.messages import ControlRequest, Mode
from schemas.profiles import load_profile
from tests.bridges.control.story import DEMO
from tests.field.curtailed import RATED, TOLERANCE, CurtailedSite, curtailed
from tests.optimizer.test_dispatch import planned
from tests.timed import few
from tests.virtual import loop, virtual


@virtual
async def test_a_full_battery_and_no_feed_in(tmp_path: Path) -> None:
    async with curtailed(tmp_path) as it:
        await it.live(60)
        assert it.longest_beyond() <= 10.0
        assert abs(it.most(20)) < TOLERANCE
        assert it.pv() == pytest.approx(it.load, abs=2 * TOLERANCE), "what the site takes is still made"
        assert "PV is curtailed" in it.desk.detail
        assert "the export limit" in it.desk.pv.reason
        assert it.said_of("pv") <= {"applied", "verified"}, "it is obeyed, and nothing complains"


@virtual
async def test_it_is_not_curtailed_where_the_site_file_says_so(tmp_path: Path) -> None:
    async with curtailed(tmp_path, grid={"curtail": False}) as it:
        await it.live(30)
        assert it.writes(0.0) == 0
        assert it.most(5) > 40e3


@virtual
async def test_a_site_that_is_only_watched_is_not_written_to(tmp_path: Path) -> None:
    async with curtailed(tmp_path, mode="read_only") as it:
        await it.live(30)
        assert it.writes(0.0) == 0


@pytest.mark.parametrize(("meter", "inverter"), few([(0.0, 0.0), (2.0, 5.0), (5.0, 5.0)], one_in=3))
@virtual
async def test_no_swing_and_few_writes_at_a_constant_load(tmp_path: Path, meter: float, inverter: float) -> None:
    async with curtailed(tmp_path) as it:
        for fault, size in (("meter:late", meter), ("pv:late", inverter)):
            if size:
                it.it.simulated.faults.on(fault, size)
        await it.live(40)
        settled = loop().time()
        await it.live(80)
        assert it.longest_beyond(since=settled) == 0.0
        assert it.least(70) > -2 * TOLERANCE
        assert it.writes(settled) <= 4  # each with its enable
        assert it.it.causes() == it.it.causes("meter") == it.it.causes("pv") == []


@pytest.mark.parametrize("inverter", few([0.0, 5.0], one_in=2))
@virtual
async def test_steps_of_load_and_sun(tmp_path: Path, inverter: float) -> None:
    async with curtailed(tmp_path) as it:
        if inverter:
            it.it.simulated.faults.on("pv:late", inverter)
        await it.live(30)
        for load, sun in ((15e3, 0.6), (60e3, 0.6), (60e3, 0.1), (60e3, 0.9), (5e3, 0.9), (30e3, 0.3)):
            it.load, it.sun = load, sun
            await it.live(20)
        assert it.longest_beyond() <= 10.0
        assert sum(power for _, power in it.exported[-40:]) / 40 < TOLERANCE


@virtual
async def test_the_battery_stores_first(tmp_path: Path) -> None:
    async with curtailed(tmp_path, soc=50.0, load=30e3, sun=0.6) as it:
        await it.live(40)
        assert it.it.power == pytest.approx(-60e3, abs=TOLERANCE), "it takes the surplus"
        assert it.pv() == pytest.approx(90e3, abs=TOLERANCE), "and PV gives all it has"


@pytest.mark.parametrize("late", few([0.0, 5.0], one_in=2))
@virtual
async def test_it_trips_while_it_charges_with_all_it_can(tmp_path: Path, late: float) -> None:
    async with curtailed(tmp_path, soc=50.0, load=30e3, sun=0.8) as it:
        if late:
            it.it.simulated.faults.on("pv:late", late)
        await it.live(40)
        assert it.it.power < -80e3
        it.it.simulated.faults.on("pcs:trip")
        await it.live(40)
        assert it.longest_beyond() <= 10.0
        assert abs(it.most(20)) < TOLERANCE


@virtual
async def test_one_that_does_not_store_what_it_could(tmp_path: Path) -> None:
    """It is stuck, and does not say so."""
    async with curtailed(tmp_path, soc=50.0, load=30e3, sun=0.8) as it:
        await it.live(40)
        it.it.simulated.faults.on("pcs:ignores_setpoint")
        it.load = 10e3
        await it.live(90)  # it is tried again once
        assert it.longest_beyond() <= 10.0
        assert it.most(5) < TOLERANCE


@virtual
async def test_it_has_room_again_and_is_found_out(tmp_path: Path) -> None:
    """A curtailed PV hides its surplus: only a little more of it shows that the battery takes it."""
    async with curtailed(tmp_path, soc=50.0, load=30e3, sun=0.6) as it:
        it.it.simulated.faults.on("bms:silent")
        await it.live(30)
        assert it.it.power == pytest.approx(0, abs=1e3)
        it.it.simulated.faults.off("bms:silent")
        await it.live(150)  # an interlock waits for a minute
        assert it.it.power < -15e3
        assert it.longest_beyond() <= 10.0


@virtual
async def test_more_load_releases_it_along_a_ramp(tmp_path: Path) -> None:
    async with curtailed(tmp_path, soc=5.0, load=30e3, sun=0.6, grid={"export_limit": 0.0}) as it:
        it.it.simulated.faults.on("pcs:trip")  # nobody but the PV covers the load
        await it.live(30)
        before = it.pv()
        it.load = 100e3
        await it.live(10)
        assert it.pv() <= before + 0.13 * RATED
        await it.live(60)
        assert it.pv() == pytest.approx(90e3, abs=TOLERANCE)


@virtual
async def test_a_mode_of_the_battery_changes_nothing_of_it(tmp_path: Path) -> None:
    """Somebody steers the battery by hand, or has locked it out."""
    async with curtailed(tmp_path) as it:
        await it.live(20)
        for n, (mode, change) in enumerate(
            {
                Mode.MANUAL: {"power": 10e3, "until": loop().wall() + timedelta(hours=1)},
                Mode.LOCKOUT: {},
                Mode.AUTO: {},
                Mode.LOCAL: {},
            }.items()
        ):
            now = loop().wall()
            wish = ControlRequest(at=now, mode=mode, who="anna", why=f"story {n}", **change)  # type: ignore[arg-type]
            assert it.desk.hear(wish, now, loop().time()).followed
            since = loop().time()
            await it.live(20)
            assert it.longest_beyond(since=since) <= 10.0, mode
            assert it.most(5) < TOLERANCE, mode


@virtual
async def test_dispatch_dies(tmp_path: Path) -> None:
    """Nobody knows any more what the site takes: PV goes to what is safe without a load, and comes back."""
    async with curtailed(tmp_path) as it:
        await it.live(30)
        it.sends = False
        await it.live(15)
        assert it.pv() == 0.0
        it.sends = True
        await it.live(90)
        assert it.pv() == pytest.approx(it.load, abs=2 * TOLERANCE)
        assert it.longest_beyond() <= 10.0


@virtual
async def test_the_site_file_says_what_is_safe(tmp_path: Path) -> None:
    async with curtailed(tmp_path, grid={"pv_fallback": 20.0}) as it:
        await it.live(30)
        it.sends = False
        await it.live(15)
        assert it.pv() == pytest.approx(0.2 * RATED, rel=0.01)


@virtual
async def test_half_of_it_may_be_fed_in(tmp_path: Path) -> None:
    async with curtailed(tmp_path, export_limit=30e3, load=10e3, sun=0.9) as it:
        await it.live(60)
        assert it.most(20) == pytest.approx(30e3, abs=2 * TOLERANCE)
        assert it.longest_beyond(30e3) <= 10.0
        it.sends = False
        await it.live(15)
        assert it.pv() == pytest.approx(30e3, rel=0.02), "without any load it feeds in no more than it may"


@virtual
async def test_the_meter_is_silent(tmp_path: Path) -> None:
    async with curtailed(tmp_path) as it:
        await it.live(30)
        it.it.simulated.faults.on("meter:silent")
        await it.live(20)
        assert it.pv() == 0.0
        assert "the grid meter is silent" in it.desk.pv.reason


@virtual
async def test_feed_in_that_costs_money(tmp_path: Path) -> None:
    """Of the plan that holds: PV feeds in at 5 ct, then at -2 ct, then at 5 ct again."""
    async with curtailed(tmp_path, export_limit=150e3) as it:

        def price(export: float) -> None:
            at = loop().wall()
            plan = planned(0.0, load=40e3, pv=90e3, grid=-50e3, price_export=export, at=at, seconds=3600)
            it.desk.plans.hear(plan.model_copy(update={"at": at, "until": at + timedelta(hours=1)}), at)

        price(0.05)
        await it.live(30)
        assert it.most(5) == pytest.approx(50e3, abs=TOLERANCE)
        assert it.writes(0.0) == 0, "there is nothing to limit"
        price(-0.02)
        await it.live(30)
        assert abs(it.most(10)) < TOLERANCE
        assert "feed-in costs 0.020 per kWh" in it.desk.pv.reason
        price(0.05)
        await it.live(70)
        assert it.most(5) == pytest.approx(50e3, abs=TOLERANCE)


def two_inverters(folder: Path) -> Path:
    """The demo with a second inverter of a third of the rating."""
    text = DEMO.read_text().replace('"../tariff.toml"', f'"{DEMO.parents[1] / "tariff.toml"}"')
    text += (
        '\n[[device]]\nname = "pv2"\nprofile = "sunspec_pv"\naddress = "tcp://127.0.0.1:15027"\nrated_power = 50_000\n'
    )
    file = folder / "two.toml"
    file.write_text(text)
    return file


@virtual
async def test_two_inverters_share(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=two_inverters(tmp_path), load=60e3) as it:
        await it.live(60)
        assert it.longest_beyond() <= 10.0
        assert it.pv("pv2") == pytest.approx(it.pv() / 3, rel=0.05)
        assert it.pv() + it.pv("pv2") == pytest.approx(it.load, abs=2 * TOLERANCE)


NOT_OBEYING: dict[str, str] = {
    "pv2:ignores_limit": "pv2: ",
    "pv2:silent": "",
    "pv2:shaded": "",
    "pv2:local": "pv2: ",
}


@pytest.mark.parametrize("fault", NOT_OBEYING)
@virtual
async def test_one_of_two_does_not_do_as_it_is_told(tmp_path: Path, fault: str) -> None:
    """The other one takes its part, and it is said."""
    async with curtailed(tmp_path, file=two_inverters(tmp_path), load=60e3) as it:
        it.it.simulated.faults.on(fault)
        await it.live(60)
        assert it.most(30) < TOLERANCE
        assert it.pv() + it.pv("pv2") == pytest.approx(it.load, abs=0.05 * 4 / 3 * RATED)
        assert NOT_OBEYING[fault] in "; ".join(it.desk.pv.complaints(loop().time()))


COARSE: dict[str, Callable[[CurtailedSite], None]] = {
    "one that gives 3 % more": lambda it: it.it.simulated.faults.on("pv:coarse"),
    "one that moves slowly": lambda it: it.it.simulated.faults.on("pv:slow_ramp"),
    "one whose enable is cleared": lambda it: it.it.simulated.faults.on("pv:reverts", 25.0),
}


@pytest.mark.parametrize("kind", COARSE)
@virtual
async def test_inverters_as_they_are(tmp_path: Path, kind: str) -> None:
    async with curtailed(tmp_path, load=90e3, sun=0.9) as it:
        COARSE[kind](it)
        await it.live(60)
        assert it.longest_beyond() <= 10.0
        assert sorted(power for _, power in it.exported[-80:])[60] < TOLERANCE, "three quarters of the time"
        assert it.least(10) > -4 * TOLERANCE


@virtual
async def test_a_register_that_wears(tmp_path: Path) -> None:
    """It is told in coarse steps, less at once and more only after a quarter of an hour."""
    shipped = load_profile("sunspec_pv")
    limit = shipped.commands["p_limit_pct"].model_copy(update={"memory": "eeprom"})
    profiles = {"pv": shipped.model_copy(update={"commands": {"p_limit_pct": limit}})}
    async with curtailed(tmp_path, load=70e3, profiles=profiles) as it:
        await it.live(20)
        assert it.pv() == pytest.approx(0.4 * RATED, abs=TOLERANCE)
        for load in (40e3, 70e3, 35e3, 90e3):
            it.load = load
            await it.live(20)
        assert it.longest_beyond() <= 10.0
        assert it.pv() == pytest.approx(0.2 * RATED, abs=TOLERANCE)
        assert it.writes(0.0) <= 4, "40 %, then 20 %, each with its enable"


@virtual
async def test_at_night_nothing_is_written(tmp_path: Path) -> None:
    async with curtailed(tmp_path, sun=0.0, load=40e3) as it:
        await it.live(10)
        since = loop().time()
        for load in (10e3, 90e3, 40e3):
            it.load = load
            await it.live(10)
        assert it.writes(since) == 0
        it.sun = 0.9
        await it.live(30)
        assert it.longest_beyond(since=since) <= 10.0
        assert it.most(5) < TOLERANCE
