"""What the page hid: of a plan of the archive that cannot be read, and of a hybrid with many inputs of PV."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from consumers.status.key_values import key_values
from consumers.status.state import Moment, State
from runtime.database import engine
from runtime.history import History
from schemas.profiles import load_profile
from schemas.tables import plan
from tests.consumers.test_archive_money import NOON, quarter
from tests.consumers.test_status_state import page_site
from tests.joulebus.test_explain import THEN, explain, fill, planned

__all__ = ["explain"]


async def spoil(url: str) -> None:
    database = engine(url)
    async with database.begin() as connection:
        await connection.execute(update(plan).values(packed=b"?"))
    await database.dispose()


async def paid(url: str) -> list[tuple[float, float | None]]:
    database = engine(url)
    found = await History(database).money("plant", NOON, NOON + timedelta(minutes=15))
    await database.dispose()
    return [(one.imported / 1000, one.planned) for one in found]


def test_a_plan_that_cannot_be_read_leaves_what_was_paid_and_is_named(
    explain: Callable[..., tuple[int, str]], archive_url: str, tmp_path: Path
) -> None:
    """Nothing was priced any more from it on, and `explain` called it a mistake in joulebus."""
    fill(archive_url, tmp_path, [planned(NOON - timedelta(minutes=15))])
    asyncio.run(spoil(archive_url))
    fill(archive_url, tmp_path, [], quarter(NOON, grid=20e3))
    assert asyncio.run(paid(archive_url)) == [(5.0, None)]
    code, said = explain("--at", THEN)
    assert (code, said.count("cannot be read")) == (1, 1)
    assert "a newer joulebus may have written it" in said


def test_the_many_inputs_of_a_hybrid_push_its_charge_out_of_no_row(tmp_path: Path) -> None:
    """One with six showed its power, five inputs, and no state of charge."""
    site = page_site(tmp_path)
    hybrid = load_profile("foxess_h3_pro")
    state = State(site.model_copy(), broker=True)
    state.site.profiles["pcs1"] = hybrid
    shown = [one["point"] for one in key_values(state, site.named("pcs1"), Moment(NOON, 0.0))]
    assert len(hybrid.pv_points) == 6
    assert shown == ["p", *hybrid.pv_points, "soc"]
