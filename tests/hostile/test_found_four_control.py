"""What a hostile reader found in what steers, the fourth time: each names what is right."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.grid_limits import GridLimits
from consumers.dispatch.grid_signals import GridSignals
from consumers.dispatch.limit_keeping import LimitKeeping
from optimizer.curtail import Curtailment, Site
from optimizer.curtail import Inverter as Pv
from optimizer.reactive import GridSeen, Inverter, reactive
from optimizer.reactive_sign import ReactiveSign
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Authority, ControlLimits
from schemas.site_grid import GridSignal
from schemas.site_reactive import Reactive
from tests.bridges.control.story import story
from tests.bridges.control.test_story_batteries import steady
from tests.bridges.control.test_story_racks import RACKS, charge, rack, told
from tests.consumers.test_dispatch_grid_limits import SITE, later, request, seen, with_safe
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


def test_of_contacts_in_w_and_in_percent_the_narrowest_holds() -> None:
    """A box has a contact for 30 % and one for 120 kW, and both are closed: of a plant of 150 kW 30 % is less."""
    contacts = [{"contains": "di_0", "percent": 30.0}, {"contains": "di_1", "power": 120e3}]
    for declared in (contacts, contacts[::-1]):
        made = [GridSignal(device="box", point="inputs", direction="feed_in", **one) for one in declared]  # type: ignore[arg-type]
        limits, signals = GridLimits(SITE), GridSignals(made)
        seen(signals, {"inputs": ["di_0", "di_1"]}, 0.0)
        limits.signal(signals.words(NOON, 0.0))
        assert limits.bounds(NOON).export_limit == 45e3


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
    said: list[datetime] = []

    async def say(_: object, message: ControlLimits, **place: str) -> None:
        assert place == {"site": limits.site.site}
        said.append(message.at)

    async def run() -> None:
        keeping = LimitKeeping(Part("dispatch", limits.site, settings), limits)
        keeping.part.events.say = say  # type: ignore[method-assign, assignment]  # the wire
        for second in range(0, 901, 2):
            await keeping.tell(later(second))

    asyncio.run(run())
    assert said == [later(second) for second in (0, 300, 600, 900)]


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


def test_pv_is_not_given_back_faster_than_a_battery_takes_it() -> None:
    """Steps into what only a battery takes were doubled while nobody knew how late the meter is, and the last of them
    was made when it was known: the large demo site, its meter 2 s late, fed in 2 % of its PV for 14 s."""
    one, takes = Curtailment(level=0.2), 0.0
    for now in range(0, 120, 2):
        power = one.level * RATED
        assert power <= 30e3 + takes, "whatever the meter shows"
        one.next([Pv("pv", RATED, power)], Site(30e3, 0.0, 0.0, takes, 90e3), now)
        takes = max(takes, 0.8 * (power - 30e3 + (one.spare or 0.0)))
    assert one.level > 0.5


# Reactive power -----------------------------------------------------------------------------------------

APPARENT = 200e3
LATE = [1, 3, 10]
"""Steps of 2 s from what is told until the meter shows it."""


def followed(
    load: Callable[[int], float], *, late: int, sign: float = 1.0, steps: int = 600
) -> tuple[list[float], bool]:
    """var that one inverter is told by the rule over the meter, and whether the meter was suspected."""
    rule, told, given, watch = Reactive(meter_power_factor=0.95), 0.0, [0.0] * late, ReactiveSign()
    found = []
    for step in range(steps):
        shown = sign * (load(step) - given[-late])
        watch.see(told, shown, APPARENT)
        one = Inverter("pcs", 0.0, APPARENT, APPARENT, told)
        told = 0.0 if watch.suspect else reactive(rule, [one], GridSeen(100e3, shown))["pcs"]
        given.append(told)
        found.append(told)
    return found, watch.suspect


@pytest.mark.parametrize("late", LATE)
def test_a_meter_that_shows_var_the_wrong_way_round_is_not_followed(late: int) -> None:
    """A SunSpec meter and one of OBIS have q with other signs; a motor draws 60 kvar. Every inverter went to the end of
    its S-circle and stayed there: 200 kvar more to pay for, and hot."""
    told, suspect = followed(lambda _: 60e3, late=late, sign=-1.0)
    assert suspect
    assert told[-1] == 0.0
    assert max(map(abs, told)) < 0.8 * APPARENT


LOADS: dict[str, Callable[[int], float]] = {
    "rests": lambda _: 120e3,
    "comes and goes": lambda step: 150e3 if step // 60 % 2 else 0.0,
    "comes and goes fast": lambda step: 150e3 if step // 5 % 2 else 0.0,
    "turns over": lambda step: 150e3 if step // 40 % 2 else -150e3,
    "comes up slowly": lambda step: min(180e3, 300.0 * step),
    "comes up in steps": lambda step: 30e3 * min(step // 8, 6),
}


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("load", LOADS)
def test_a_right_one_is_never_suspected(load: str, late: int) -> None:
    assert not followed(LOADS[load], late=late)[1]


# Racks in parallel --------------------------------------------------------------------------------------


@virtual
async def test_a_cold_rack_is_not_charged_by_the_room_of_another(tmp_path: Path) -> None:
    """One rack is cold and allows next to nothing, the other one much more. All of that was charged, and half of it
    went into the cold cells, as both stand at one voltage."""
    async with story(tmp_path, around=steady(100e3), file=RACKS, soc=40.0) as it:
        await charge(it, 8)
        assert told(it) == pytest.approx(-60e3, abs=500)
        cold = rack(it, 1).battery
        cold.temperature = 3.0
        await charge(it, 6)
        may = cold.ccl * cold.voltage
        assert 0 < may < 25e3
        assert told(it) >= -2 * may - 500
