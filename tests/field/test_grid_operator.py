"""The network operator limits a site: feed-in to 60, 30 and 0 % (EEG 9), consumption in W (EnWG 14a).

https://www.gesetze-im-internet.de/eeg_2014/__9.html and https://www.gesetze-im-internet.de/enwg_2005/__14a.html; of the
kind of case 20: before, no part of joulebus could be told either for the connection point.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from bridges.control.site_limits import SiteLimits
from consumers.dispatch.grid_limits import GridLimits
from runtime.memory import Memory
from schemas.messages import Authority, ControlRequest, Mode
from schemas.site import Site
from schemas.site_file import load_site
from schemas.site_grid import GridSignal
from schemas.troubles import Trouble
from tests.bridges.control.story import DEMO
from tests.field.curtailed import RATED, TOLERANCE, curtailed
from tests.virtual import loop, virtual

SOURCES = {"dispatch": Authority.OPERATOR, "dso": Authority.DSO, "relay": Authority.PROTECTION}
FEEDS = {"load": 10e3, "sun": 0.95, "export_limit": 150e3, "command_sources": SOURCES}


@virtual
async def test_feed_in_of_60_30_and_0_percent(tmp_path: Path) -> None:
    async with curtailed(tmp_path, **FEEDS) as it:  # type: ignore[arg-type]
        await it.live(20)
        assert it.most(5) > 120e3
        for percent in (60.0, 30.0, 0.0):
            it.limit(percent=percent)
            since = loop().time()
            await it.live(30)
            most = RATED * percent / 100
            assert it.longest_beyond(most, since=since) <= 10.0, percent
            assert it.most(10) == pytest.approx(most, abs=2 * TOLERANCE)
            assert "limited by dso as dso" in it.desk.pv.reason
        it.limit(percent=100.0)
        await it.live(120)
        assert it.most(5) > 120e3


@virtual
async def test_the_operator_limits_the_pv_itself(tmp_path: Path) -> None:
    """Older rules are about what the inverters give, whatever the site takes of it."""
    async with curtailed(tmp_path, **FEEDS | {"load": 100e3}) as it:  # type: ignore[arg-type]
        await it.live(10)
        it.limit(percent=30.0, scope="steerable")
        await it.live(20)
        assert it.pv() == pytest.approx(0.3 * RATED, abs=TOLERANCE)


@virtual
async def test_a_battery_stores_what_may_not_be_fed_in(tmp_path: Path) -> None:
    async with curtailed(tmp_path, **FEEDS | {"soc": 50.0, "sun": 0.6}) as it:  # type: ignore[arg-type]
        await it.live(10)
        it.limit(percent=0.0)
        await it.live(30)
        assert it.it.power == pytest.approx(-80e3, abs=2 * TOLERANCE)
        assert it.pv() == pytest.approx(90e3, abs=2 * TOLERANCE)


@pytest.mark.parametrize(("scope", "drawn"), [("connection_point", 42e3), ("steerable", 62e3)])
@virtual
async def test_consumption_in_w(tmp_path: Path, scope: str, drawn: float) -> None:
    """A person charges with 80 kW; the site takes 20 kW beside. Whoever steers, the guard holds it."""
    async with curtailed(tmp_path, **FEEDS | {"soc": 50.0, "sun": 0.0, "load": 20e3}) as it:  # type: ignore[arg-type]
        now = loop().wall()
        wish = ControlRequest(
            at=now, mode=Mode.MANUAL, who="anna", why="test", power=-80e3, until=now + timedelta(hours=1)
        )
        assert it.desk.hear(wish, now, loop().time()).followed
        await it.live(15)
        assert it.it.grid == pytest.approx(100e3, abs=2e3)
        it.limit(direction="consumption", power=42e3, scope=scope)
        await it.live(20)
        assert it.it.grid == pytest.approx(drawn, abs=2e3)


@virtual
async def test_dispatch_dies_under_a_limit(tmp_path: Path) -> None:
    """The bridge has heard what holds: PV and battery stay within it."""
    async with curtailed(tmp_path, **FEEDS) as it:  # type: ignore[arg-type]
        it.limit(percent=30.0)
        await it.live(20)
        it.sends = False
        await it.live(20)
        assert it.pv() <= 0.3 * RATED + TOLERANCE
        assert it.longest_beyond(0.3 * RATED) <= 10.0


@virtual
async def test_a_signal_that_is_lost(tmp_path: Path) -> None:
    async with curtailed(tmp_path, **FEEDS, grid={"safe_feed_in": 30.0, "dso_hold": 20.0}) as it:  # type: ignore[arg-type]
        await it.live(20)
        assert it.most(5) == pytest.approx(0.3 * RATED, abs=2 * TOLERANCE), "nobody has said anything yet"
        it.limit(percent=60.0, until=loop().wall() + timedelta(seconds=30))
        await it.live(45)
        assert it.most(5) == pytest.approx(0.6 * RATED, abs=2 * TOLERANCE), "the last one holds on"
        await it.live(20)
        assert it.most(5) == pytest.approx(0.3 * RATED, abs=2 * TOLERANCE), "then the safe one"


@virtual
async def test_a_protection_stands_above_the_operator(tmp_path: Path) -> None:
    async with curtailed(tmp_path, **FEEDS) as it:  # type: ignore[arg-type]
        it.limit(source="relay", authority=Authority.PROTECTION, percent=0.0)
        it.limit(percent=100.0)
        await it.live(30)
        assert it.most(10) < TOLERANCE


# the guard's memory -----------------------------------------------------------------------------


def site_limits(site: Site, folder: Path) -> SiteLimits:
    made = SiteLimits(site, Memory(folder / "limits.json"))
    made.recall()
    return made


@virtual
async def test_the_guard_keeps_what_it_heard(tmp_path: Path) -> None:
    site, now = load_site(DEMO), loop().wall()
    limits = GridLimits(site.model_copy(update={"command_sources": SOURCES}))
    async with curtailed(tmp_path, **FEEDS) as it:  # type: ignore[arg-type]
        it.desk.limits = limits
        it.limit(percent=30.0)
    guard = site_limits(site, tmp_path)
    assert guard.export_limit == 150e3
    guard.hear(limits.said(now))
    guard.hear(None)
    again = site_limits(site, tmp_path)
    assert guard.export_limit == again.export_limit == 45e3, "the broker has forgotten it, and we were restarted"
    said = limits.said(now).model_copy(update={"export_limit": 1e6, "import_limit": 1e6})
    again.hear(said)
    assert (again.export_limit, again.import_limit(0.0)) == (150e3, 500e3), "nobody widens the site file's"


@pytest.mark.parametrize("text", ["{", "[]", '{"at": 7}'])
def test_what_the_guard_cannot_read_is_the_safe_one(tmp_path: Path, text: str) -> None:
    demo = load_site(DEMO)
    site = demo.model_copy(
        update={"grid": demo.grid.model_copy(update={"safe_feed_in": 30.0, "safe_consumption": 4200.0})}
    )
    (tmp_path / "limits.json").write_text(text)
    guard = site_limits(site, tmp_path)
    assert (guard.export_limit, guard.import_limit(0.0)) == (45e3, 4200.0)


# the site file ----------------------------------------------------------------------------------

SIGNAL = """
[[grid.signal]]
device = "{device}"
point = "{point}"
equals = "{equals}"
direction = "feed_in"
percent = 60
"""
WRONG = {
    "a device that is not there": ({"device": "box"}, "box"),
    "a point that it does not have": ({"point": "k1"}, "k1"),
    "a state that it cannot have": ({"equals": "closed"}, "closed"),
    "what is safe is not said": ({}, "safe_feed_in"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_contact_that_can_never_close_is_refused(tmp_path: Path, what: str) -> None:
    change, named = WRONG[what]
    text = DEMO.read_text().replace('"../tariff.toml"', f'"{DEMO.parents[1] / "tariff.toml"}"')
    safe = "" if named == "safe_feed_in" else "safe_feed_in = 30\n"
    made = SIGNAL.format(**{"device": "pv", "point": "state", "equals": "running"} | change)
    (tmp_path / "site.toml").write_text(text.replace("[battery]", f"{safe}{made}\n[battery]", 1))
    with pytest.raises(Trouble, match=named):
        load_site(tmp_path / "site.toml")


@virtual
async def test_a_contact_of_a_control_box(tmp_path: Path) -> None:
    """Here the state of a PCS plays the box: any point of any device may be declared."""
    contacts = [
        GridSignal(device="pcs", point="state", equals=state, direction="feed_in", percent=percent)
        for state, percent in (("running", 30.0), ("fault", 60.0))
    ]
    async with curtailed(tmp_path, **FEEDS, grid={"signal": contacts, "safe_feed_in": 0.0}) as it:  # type: ignore[arg-type]
        await it.live(30)
        assert it.desk.limits.held(loop().wall())[0].cause == "signal"
        assert it.most(5) == pytest.approx(0.3 * RATED, abs=2 * TOLERANCE)
        it.it.simulated.faults.on("pcs:trip")
        await it.live(60)
        assert it.most(5) == pytest.approx(0.6 * RATED, abs=2 * TOLERANCE)
