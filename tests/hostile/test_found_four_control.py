"""What a hostile reader found in what steers, the fourth time: each names what is right."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.grid_limits import GridLimits
from consumers.dispatch.limit_keeping import LimitKeeping
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Authority, ControlLimits
from tests.consumers.test_dispatch_grid_limits import SITE, later, request, with_safe
from tests.field.curtailed import RATED, curtailed
from tests.optimizer.outlooks import NOON
from tests.virtual import loop, virtual

# Limits of the network operator -------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["connection_point", "steerable"])
def test_a_weaker_word_does_not_end_what_is_safe_before_the_operators_first(scope: str) -> None:
    """Feed-in of 30 % is safe until the network operator speaks; a person at the site says 100 % of his own, and the
    site fed in all it could."""
    limits = with_safe(GridLimits(SITE))
    word: dict[str, Any] = {"source": "scada", "authority": Authority.OPERATOR, "percent": 100.0, "scope": scope}
    assert limits.hear(request(**word), NOON) is None
    assert limits.bounds(NOON).export_limit == 45e3
    assert limits.hear(request(percent=80.0, at=later(1)), later(1)) is None
    assert limits.bounds(later(1)).export_limit == 120e3


@pytest.mark.parametrize(
    "word",
    [
        {"source": "scada", "authority": Authority.OPERATOR, "percent": 100.0},
        {"source": "dso", "authority": Authority.DSO, "percent": 100.0, "direction": "consumption"},
    ],
)
def test_a_word_of_somebody_else_finds_no_lost_limit(word: dict[str, Any]) -> None:
    """The file of the limits is damaged: nobody knows what the network operator allows to feed in. A word of a person,
    or one about consumption, tells nothing of that."""
    limits = GridLimits(SITE)
    limits.recall({}, NOON, damaged=True)
    assert limits.hear(request(**word), NOON) is None
    assert limits.bounds(NOON).export_limit == 0.0
    assert with_safe(limits).bounds(NOON).export_limit == 45e3
    again = with_safe(GridLimits(SITE))
    again.recall(limits.keep().model_dump(mode="json"), later(5), damaged=False)
    assert again.bounds(later(5)).export_limit == 45e3, "nor does a restart"
    assert again.hear(request(percent=90.0, at=later(6)), later(6)) is None
    assert again.bounds(later(6)).export_limit == 135e3


def test_the_end_that_a_person_gives_is_an_end() -> None:
    """The network operator's signal is known and says 100 %; a person limits feed-in to 60 % for a minute. That went on
    for a quarter of an hour, and then the site fed in what is safe without any signal, for ever."""
    limits = with_safe(GridLimits(SITE))
    assert limits.hear(request(percent=100.0), NOON) is None
    person = request(source="scada", authority=Authority.OPERATOR, until=later(60))
    assert limits.hear(person, NOON) is None
    assert [limits.bounds(later(s)).export_limit for s in (59, 61, 1e5)] == [90e3, 150e3, 150e3]


@virtual
async def test_nobody_hears_the_signal_without_dispatch(tmp_path: Path) -> None:
    """30 % is safe while the signal is not known. The operator said 100 %, then dispatch died: whatever he said since
    nobody heard, and PV was free to feed in all that the connection takes, for days."""
    grid = {"safe_feed_in": 30.0, "export_limit": 150e3, "dso_hold": 60.0}
    async with curtailed(tmp_path, load=10e3, sun=0.9, grid=grid, command_sources=SITE.command_sources) as it:
        it.limit(percent=100.0)
        await it.live(60)
        assert it.pv() > 120e3
        it.sends = False
        await it.live(40)
        kept = it.it.bridge.limits.said
        it.it.bridge.limits.hear(kept)  # the broker repeats it
        await it.live(30)
        assert it.pv() <= 0.3 * RATED
        it.sends = True
        await it.live(90)
        assert it.pv() > 120e3


def test_dispatch_says_again_what_holds(tmp_path: Path) -> None:
    """So that a bridge knows that it lives; three times before it would be taken for dead."""
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "dispatch", None, {}), "", None, tmp_path)
    limits = with_safe(GridLimits(SITE))
    told: list[datetime] = []

    async def say(_: object, message: ControlLimits, **place: str) -> None:
        assert place == {"site": limits.site.site}
        told.append(message.at)

    async def run() -> None:
        keeping = LimitKeeping(Part("dispatch", limits.site, settings), limits)
        keeping.part.events.say = say  # type: ignore[method-assign, assignment]  # the wire
        for second in range(0, 901, 2):
            await keeping.tell(later(second))

    asyncio.run(run())
    assert told == [later(second) for second in (0, 300, 600, 900)]


# Curtailed PV -------------------------------------------------------------------------------------------


@virtual
async def test_pv_that_was_silent_comes_back_along_the_ramp(tmp_path: Path) -> None:
    """Nobody could tell it anything, and its level rose: it came back with all of it in one step, for a load that was
    told from what it gave before."""
    async with curtailed(tmp_path, load=46e3, sun=0.79) as it:
        it.it.simulated.faults.on("meter:late", 2.0)
        await it.live(50)
        it.load = 88e3
        await it.live(15)
        it.it.simulated.faults.on("pv:silent")
        await it.live(30)
        it.it.simulated.faults.off("pv:silent")
        since, steps = loop().time(), []
        for _ in range(60):
            before = it.pv()
            await it.live(1)
            steps.append(it.pv() - before)
        assert max(steps) <= 0.05 * RATED
        assert it.longest_beyond(since=since) <= 10.0
