"""What a hostile reader found in what steers, the fourth time: each names what is right."""

from pathlib import Path
from typing import Any

import pytest

from bridges.control.site_limits import SiteLimits
from consumers.dispatch.grid_limits import GridLimits
from schemas.messages import Authority
from tests.bridges.control.story import DEMO
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
