"""What is billed, read from a real archive again and again, and what dispatch makes of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from consumers.optimize.billed import LATELY, WHOLE
from optimizer.billing import Quarter
from optimizer.demand import period
from runtime.database import engine
from runtime.history import History
from schemas.billing import Billing
from schemas.site_file import load_site
from schemas.tables import rollup_15m
from tests.consumers.billed import billed, on_the_page, read
from tests.consumers.test_dispatch_desk import NOON, Story, plant_site
from tests.consumers.test_dispatch_peak import runs
from tests.optimizer.outlooks import BERLIN
from tests.optimizer.test_site_billing import archived
from tests.optimizer.test_site_billing import site as tariffed

QUARTER = timedelta(minutes=15)
JUNE = period(NOON, BERLIN)


@dataclass
class Archive:
    """Rollups of the meter."""

    history: History

    async def keeps(self, quarters: dict[datetime, float], seconds: float = 900.0, site: str = "plant") -> None:
        """Mean imports in W, each seen for so long."""
        rows = [
            {
                "site": site, "device": "grid", "point": "p", "at": at, "samples": 90, "seconds": seconds,
                "plus": power * seconds / 3600, "minus": 0.0,
                **dict.fromkeys(("low", "mean", "high", "last", "twa"), power),
            }
            for at, power in quarters.items()
        ]  # fmt: skip
        async with self.history.engine.begin() as connection:
            await connection.execute(insert(rollup_15m), rows)

    async def fills(self, at: datetime, power: float) -> None:
        """A quarter that was hardly seen is made anew."""
        async with self.history.engine.begin() as connection:
            mine = update(rollup_15m).where(rollup_15m.c.at == at)
            await connection.execute(mine.values(plus=power / 4, seconds=900.0))


@pytest.fixture
async def archive(sqlite_archive: str) -> AsyncIterator[Archive]:
    found = Archive(History(engine(sqlite_archive)))
    yield found
    await found.history.engine.dispose()


async def test_what_an_outbox_fills_in_days_later_counts_without_a_restart(tmp_path: Path, archive: Archive) -> None:
    """Of yesterday within a minute, of nine days ago within half an hour; today 80 kW were held where 300 kW were
    billed already."""
    site, late, yesterday = plant_site(tmp_path), NOON - timedelta(days=9), NOON - timedelta(days=1)
    await archive.keeps({NOON - n * QUARTER: 80e3 for n in range(1, 400)} | {late: 300e3}, seconds=880.0)
    async with archive.history.engine.begin() as connection:
        await connection.execute(update(rollup_15m).where(rollup_15m.c.at == late).values(seconds=30.0, plus=2500.0))
    mine = billed(site, tmp_path, archive.history)
    await mine.read(NOON, 0.0)
    assert mine.said(NOON).components[0].peak == pytest.approx(80e3)
    await archive.fills(yesterday, 250e3)
    await archive.fills(late, 300e3)
    await mine.read(NOON + timedelta(seconds=LATELY), LATELY)
    assert mine.said(NOON).components[0].peak == 250e3
    assert mine.situation.billing.peak(NOON) == 250e3, "and a plan takes the same"
    later = NOON + timedelta(seconds=WHOLE)
    await mine.read(later, WHOLE)
    one = mine.said(later).components[0]
    assert (one.peak, one.peak_at) == (300e3, late)
    assert on_the_page(site, mine.said(later), later)["highest"] == 300e3
    assert (LATELY, WHOLE) == (60.0, 1800.0)


async def test_an_archive_that_cannot_be_read_is_said_once_and_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no tables: nothing is invented, and the plan need not wait for it."""
    url, site = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}", plant_site(tmp_path)
    history = History(engine(url))
    mine = billed(site, tmp_path, history)
    keeping = asyncio.create_task(mine.keep())
    await asyncio.wait_for(mine.tried.wait(), 10)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    one = mine.said(NOON).components[0]
    assert (one.peak, one.seen, one.months, mine.said(NOON).archived) == (None, None, [], None)
    assert caplog.text.count("the archive does not tell what is billed") == 1
    await history.engine.dispose()


async def test_what_no_plant_has_is_no_peak(tmp_path: Path, archive: Archive) -> None:
    """A broken register once said 1e300: the message could not be made any more."""
    await archive.keeps({NOON - QUARTER: 1e300, NOON - 2 * QUARTER: 90e3})
    assert (await read(plant_site(tmp_path), tmp_path, archive.history, NOON)).components[0].peak == 90e3


async def test_of_two_meters_their_sum_is_billed(tmp_path: Path, archive: Archive) -> None:
    site = load_site(Path(__file__).parents[1] / "two_meters.toml")
    await archive.keeps({NOON - QUARTER: 222e3}, site=site.site)
    said = await read(site, tmp_path, archive.history, NOON)
    assert said.components[0].peak == 222e3


@pytest.fixture
def said() -> Billing:
    """60 kW in the month so far."""
    seen = [Quarter(NOON - 2 * QUARTER, 15e3, 900.0), Quarter(NOON - QUARTER, 10e3, 900.0)]
    return archived(tariffed(), seen).said(NOON)


def test_dispatch_holds_what_the_archive_knows_is_billed(tmp_path: Path, said: Billing) -> None:
    """Without any plan, after a restart; and as long as the month lasts, however long nobody says it again."""
    for days in (0, 15):
        story = Story(plant_site(tmp_path))
        story.second += days * 86_400.0
        story.desk.peaks.hear(said, story.now)
        assert runs(story, 1800, 90e3, soc=50.0) == pytest.approx(30e3, abs=1e3)


def test_dispatch_takes_nothing_of_a_month_that_is_over(tmp_path: Path, said: Billing) -> None:
    story = Story(plant_site(tmp_path))
    story.second = (JUNE[1] - NOON).total_seconds()
    story.desk.peaks.hear(said, story.now)
    assert story.desk.peaks.lowest(None, story.now) is None


def test_dispatch_knows_its_own_window_better_than_an_old_word(tmp_path: Path, said: Billing) -> None:
    """Optimize is dead, and 70 kW were drawn for a window since: that is billed now, too."""
    story = Story(plant_site(tmp_path))
    story.desk.peaks.hear(said, story.now)
    for _ in range(200):
        story.second += 10
        story.hear_all(grid=70e3)
    assert story.desk.peaks.lowest(None, story.now) == pytest.approx(70e3)


def test_dispatch_goes_on_with_the_window_that_runs_as_the_archive_saw_it(tmp_path: Path, said: Billing) -> None:
    """A restart in the middle: ten minutes at 90 kW are gone already, and the rest must be lower."""
    story = Story(plant_site(tmp_path))
    story.second = 605.0
    story.hear_all(grid=60e3)
    (one,) = said.components
    running = one.model_copy(update={"imported": 90e3 / 6, "covered": 600.0})
    fresh = said.model_copy(update={"at": story.now, "until": story.now + timedelta(seconds=60)})
    story.desk.peaks.hear(fresh.model_copy(update={"components": [running]}), story.now)
    story.second = 610.0
    story.hear_all(grid=60e3)
    assert story.desk.fold.billing.imported(story.now) == pytest.approx(90e3 * 610 / 3600, rel=0.01)
    assert story.desk.fold.billing.room(story.now, 60e3) == 0.0
