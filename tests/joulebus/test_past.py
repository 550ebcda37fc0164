"""The past that a demo begins with."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from consumers.archive.ledger import Ledger, Witness
from joulebus.cli import main
from joulebus.past import LEARNED, Wish, remember
from optimizer.record import QUARTER
from runtime.database import engine
from runtime.history import History
from schemas.site_file import load_site
from schemas.units import utc_now
from tests.timed import long

SITE = Path(__file__).parents[2] / "site.toml"


@long("a day and a half of a simulated site")
async def test_it_keeps_the_plan_that_was_carried_out_of_each_quarter_of_an_hour(tmp_path: Path) -> None:
    now, site = utc_now(), load_site(SITE)
    planned = timedelta(hours=6)
    wish = Wish(site, SITE, now - LEARNED - planned, now, {"JOULEBUS_STATE": str(tmp_path)})
    url = f"sqlite+aiosqlite:///{tmp_path}/past.db"
    await asyncio.to_thread(remember, url, wish, tmp_path / "memory.json")
    store = engine(url)
    plans = await History(store).plans(site.site, wish.start, now)
    read = [(await History(store).values(site.site, rack, "soc", now - planned, now)) for rack in ("bms", "bms2")]
    await store.dispose()
    assert {after.at - before.at for before, after in pairwise(plans)} == {QUARTER}
    assert len(plans) in (planned // QUARTER, planned // QUARTER + 1)
    for one in plans[:-1]:
        ends = one.at + QUARTER
        hall, yard = (next(value for at, value in values if at >= ends) for values in read)
        assert isinstance(hall, float | int)
        assert isinstance(yard, float | int)
        assert abs(one.steps[0].soc - (200 * hall + 130 * yard) / 330) < 4, "the battery does what was planned"
        assert one.steps[0].reason


def test_nothing_is_missing_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first `joulebus gaps` of a newcomer: it holds a reading a minute or fewer, and 96 % was missing."""
    url, now, site = f"sqlite+aiosqlite:///{tmp_path}/joulebus.db", utc_now(), load_site(SITE)
    remember(url, Wish(site, SITE, now - timedelta(hours=4), now, {}), tmp_path / "memory.json")

    async def look() -> int:
        database = engine(url)
        try:
            return await Ledger(database, site, Witness([one.name for one in site.devices], now), now).write(
                now + timedelta(minutes=3)
            )
        finally:
            await database.dispose()

    assert asyncio.run(look()) == 0
    monkeypatch.setenv("JOULEBUS_DATABASE", url)
    assert main(["gaps", "--site", str(SITE)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "complete" in line]
    assert lines
    assert {line.split(maxsplit=1)[1].strip() for line in lines} == {"100.000% complete"}
