"""What a hostile reader found in the changes of late: the past beside the plans, files of two meters, older bridges."""

import asyncio
import gc
from datetime import timedelta
from math import isfinite
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from consumers.optimize.filling import Filling
from consumers.optimize.past import Past
from consumers.optimize.service import FILLING
from joulebus.backtest.table import read
from runtime.database import engine
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Cause, Outcome, OutcomeState
from schemas.topics import OUTCOME
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import NOON, plant_site
from tests.consumers.test_dispatch_service import dispatching, plant_of
from tests.hostile.test_found_eleven_past import Slow
from tests.virtual import loop, virtual

# the past beside the plans ---------------------------------------------------------------------------------


@virtual
async def test_an_archive_that_fails_late_is_said_and_said_no_more_when_it_is_back(tmp_path: Path) -> None:
    """A timeout of 25 s ended while no plan waited: the next one began anew, told of a slow archive for ever, and the
    cause was never looked at."""
    database = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "optimize", None, {}), database, None, tmp_path)
    past, archive = Past(plant_site(tmp_path)), Slow(engine(database))
    filling, unseen, said = Filling(Part("optimize", past.site, settings), past, archive), list[object](), list[str]()
    loop().set_exception_handler(lambda _, context: unseen.append(context))
    archive.seconds, archive.wrong = 25.0, True
    for minute in range(7):
        if minute == 3:
            archive.seconds, archive.wrong = 0.0, False
        said.append(await filling.fill(FILLING))
        await asyncio.sleep(50)
        gc.collect()
    filling.stop()
    await archive.engine.dispose()
    assert said[0] == "; the archive is slow: still reading the past"
    assert all("; without the archive, which cannot be understood: ValueError" in words for words in said[1:3])
    assert said[-1] == ""
    assert unseen == []


def test_a_plan_that_is_being_made_sees_no_quarter_of_a_later_reading(tmp_path: Path) -> None:
    """Days were changed in place: load of a new reading beside PV of the old one."""
    past = Past(plant_site(tmp_path))
    for power in (5e3, 9e3):
        every = [NOON + number * timedelta(minutes=15) for number in range(8)]
        past.means = {name: dict.fromkeys(every, power if name == "grid" else 0.0) for name in ("grid", "pcs1", "pv1")}
        if power > 5e3:
            still = past.still()
        past._fold(NOON, NOON + timedelta(hours=2))
    past.oldest = past.newest = NOON
    loads = [{*filter(isfinite, each._load[NOON.date()])} for each in (still, past)]
    assert loads == [{5e3}, {9e3}]


# a file with several rows of a time ------------------------------------------------------------------------

TIMES = [f"2019-01-01T{hour:02d}:{minute:02d}:00Z" for hour in range(4) for minute in (0, 15, 30, 45)]


def test_load_and_pv_in_rows_of_their_own_are_both_read(tmp_path: Path) -> None:
    """Of two rows of a time the first was kept, with its empty cells: all PV was lost, and no word said so."""
    file = tmp_path / "both.csv"
    rows = [*(f"{at},10," for at in TIMES), *(f"{at},,4" for at in TIMES), f"{TIMES[0]},10,4"]
    file.write_text("\n".join(["timestamp_utc,load_kw,pv_kw", *rows]), encoding="utf-8")
    found = read(file, ZoneInfo("UTC"))
    assert found.columns["load_kw"].tolist() == [10.0] * len(TIMES)
    assert found.columns["pv_kw"].tolist() == [4.0] * len(TIMES)


def test_two_meters_are_refused_also_where_the_first_row_of_a_time_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    rows = [f"{at},{load}" for load in ("", "10", "30") for at in TIMES]
    file.write_text("\n".join(["timestamp_utc,load_kw", *rows]), encoding="utf-8")
    with pytest.raises(Trouble, match="Are these two meters"):
        read(file, ZoneInfo("UTC"))


# an older bridge, over a broker ----------------------------------------------------------------------------


async def test_an_older_bridge_is_told_again_at_once_and_once(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """Its word comes twice, as a broker may bring it: no command follows another's outcome for ever."""
    async with plant_of(broker, site_name) as plant, dispatching(broker, plant_site(tmp_path, site_name), tmp_path):
        first = await plant.told(lambda one: bool(one.why))
        for _ in range(2):
            said = Outcome(
                id=first.id, at=utc_now(), state=OutcomeState.REFUSED, cause=Cause.INVALID, source="dispatch"
            )
            await plant.bus.say(OUTCOME, said, site=site_name, device="pcs1")
        again = await plant.told(lambda one: one.values == first.values, within=1.0)
        await asyncio.sleep(0.8)
        numbers = [one.number or 0 for one in plant.commands]
        later = plant.commands[numbers.index(first.number or 0) + 1 :]
        assert later[0] == again
        assert not any(one.why for one in later)
        assert len(later) <= 3, "of each word one, and of a tick"
        assert numbers == sorted(numbers)
