"""What the archive knows beside energies names why a quarter was not as planned: commands, outcomes, limits, status."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.chain.sealing import seal
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.heard import Heard
from schemas import messages as m
from schemas import topics
from schemas.tables import CAUSES, command
from tests.consumers.test_archive_money import (
    LATER,
    NOON,
    QUARTER,
    accounts,
    count,
    measure,
    quarter,
    rows,
    site_of,
)
from tests.consumers.test_dispatch_desk import UNBILLED

PLANT, PCS = {"site": "plant"}, {"site": "plant", "device": "pcs1"}
Said = tuple[topics.Topic[Any], dict[str, str], Any]


def planned(power: float) -> Said:
    """With a load of 40 kW."""
    step = m.Step(
        at=NOON, seconds=900, power=power, soc=50, grid=40e3 - power, load=40e3, pv=0, price_import=0.12,
        price_export=0.05, marginal_value=0.1, reason="story",
    )  # fmt: skip
    plan = m.Plan(id="p", at=NOON, until=NOON + 2 * QUARTER, currency="EUR", steps=[step], cost=0, cost_idle=0)
    return topics.PLAN, PLANT, plan


def commanded(power: float, authority: m.Authority = m.Authority.PLAN, minutes: int = 15) -> list[Said]:
    return [
        (topics.COMMAND, PCS, m.Command(
            id=f"c{n}", at=NOON + timedelta(minutes=n), until=NOON + timedelta(minutes=n + 1), source="dispatch",
            authority=authority, values={"p_set": power}, reason="story",
        ))
        for n in range(minutes)
    ]  # fmt: skip


def limited(name: str, wanted: float, allowed: float) -> Said:
    one = m.Limited(point="p_set", source=name, wanted=wanted, allowed=allowed)
    at = NOON + timedelta(minutes=1)
    return topics.OUTCOME, PCS, m.Outcome(id="c1", at=at, state=m.OutcomeState.LIMITED, limited_by=[one])


def narrowed(draws: float) -> Said:
    return topics.CONTROL_LIMITS, PLANT, m.ControlLimits(at=NOON, import_limit=draws, export_limit=100e3)


def status(state: m.DeviceState, *causes: m.Cause) -> Said:
    at = NOON + timedelta(minutes=2)
    return topics.DEVICE_STATUS, PCS, m.DeviceStatus(at=at, state=state, causes=[one.value for one in causes])


Story = tuple[float, float, Callable[[], list[Said]], dict[str, float]]
"""W planned of the battery, W it gave, what was said, and what each cause cost (the wear is 0.02, a kWh 0.12)."""
STORIES: dict[str, Story] = {
    "the bridge let half of it pass": (
        40e3, 20e3, lambda: [*commanded(40e3), limited("pcs:rated_power", 40e3, 20e3)], {"derate": 0.50},
    ),
    "the network operator let 60 kW be drawn": (
        -100e3, -20e3, lambda: [narrowed(60e3), *commanded(-20e3)], {"grid_limit": -2.40},
    ),
    "somebody took it by hand": (
        40e3, 20e3, lambda: commanded(20e3, m.Authority.OPERATOR), {"operator": 0.50},
    ),
    "there was no valid plan, and it covered nothing": (
        40e3, 0.0, lambda: commanded(0.0, m.Authority.SELF_CONSUMPTION), {"lost": 1.00},
    ),
    "dispatch was silent for ten minutes": (
        40e3, 40e3 / 3, lambda: commanded(40e3, minutes=5), {"lost": 0.667},
    ),
    "it had tripped": (
        40e3, 0.0, lambda: [*commanded(40e3), status(m.DeviceState.DEGRADED, m.Cause.TRIPPED)], {"derate": 1.00},
    ),
    "it did not answer": (
        40e3, 0.0, lambda: [*commanded(40e3), status(m.DeviceState.OFFLINE, m.Cause.NO_ANSWER)], {"lost": 1.00},
    ),
    "dispatch kept to its own rules": (40e3, 20e3, lambda: commanded(20e3), {"clamp": 0.50}),
    "nothing was archived": (40e3, 20e3, list, {"unknown": 0.50}),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_names_its_cause(name: str, archive: AsyncEngine, tmp_path: Path) -> None:  # the fixture
    power, gave, said, expected = STORIES[name]
    batch = [
        Heard(topic, place, what, "", what.model_dump_json().encode(), False, number)
        for number, (topic, place, what) in enumerate([planned(power), *said()])
    ]
    await Store(archive, lambda _: None).keep(sort_out(batch, LATER)[0])
    measured = [one for one in quarter(NOON, grid=40e3 - gave, battery=gave) if one["point"] != "p_set"]
    await measure(archive, measured)
    await accounts(archive, site_of(tmp_path, UNBILLED)).write(LATER)
    (row,) = await rows(archive)
    found = {cause: getattr(row, cause) for cause in CAUSES}
    assert found == pytest.approx(dict.fromkeys(CAUSES, 0.0) | expected, abs=0.02)


@pytest.mark.parametrize("name", STORIES)
async def test_a_quarter_that_is_priced_late_finds_its_commands_in_segments(
    name: str, lite: AsyncEngine, tmp_path: Path
) -> None:
    """All that was said is sealed before the price comes: it is split as if it had been priced at once."""
    power, gave, said, expected = STORIES[name]
    batch = [
        Heard(topic, place, what, "", what.model_dump_json().encode(), False, number)
        for number, (topic, place, what) in enumerate([planned(power), *said()])
    ]
    await Store(lite, lambda _: None).keep(sort_out(batch, LATER)[0])
    await seal(lite, "plant", LATER)
    assert await count(lite, command) == 0
    measured = [one for one in quarter(NOON, grid=40e3 - gave, battery=gave) if one["point"] != "p_set"]
    await measure(lite, measured)
    await accounts(lite, site_of(tmp_path, UNBILLED)).write(LATER)
    (row,) = await rows(lite)
    found = {cause: getattr(row, cause) for cause in CAUSES}
    assert found == pytest.approx(dict.fromkeys(CAUSES, 0.0) | expected, abs=0.02)


async def test_a_silence_after_commands_that_are_sealed_is_lost(lite: AsyncEngine, tmp_path: Path) -> None:
    """Commands of the hour before, none in the quarter: the PCS went to its fallback."""
    early = [
        (topic, place, what.model_copy(update={"at": what.at - 4 * QUARTER, "until": what.until - 4 * QUARTER}))
        for topic, place, what in commanded(40e3)
    ]
    batch = [
        Heard(topic, place, what, "", what.model_dump_json().encode(), False, number)
        for number, (topic, place, what) in enumerate([planned(40e3), *early])
    ]
    await Store(lite, lambda _: None).keep(sort_out(batch, LATER)[0])
    await seal(lite, "plant", LATER)
    await measure(lite, [one for one in quarter(NOON, grid=40e3, battery=0.0) if one["point"] != "p_set"])
    await accounts(lite, site_of(tmp_path, UNBILLED)).write(LATER)
    (row,) = await rows(lite)
    assert row.lost == pytest.approx(1.00, abs=0.02)
