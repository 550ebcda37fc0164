"""Odd sites and odd days along the whole line: look, plan, verify. There is always a plan, and none is refused."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consumers.optimize.look import look
from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.verify import verify
from schemas.messages import HeldLimit, Telemetry, Value
from schemas.site import Site
from schemas.site_file import load_site
from schemas.troubles import Trouble
from tests.consumers.test_dispatch_desk import SITE, TARIFF, UNBILLED, plant_site
from tests.consumers.test_optimize_pure import NOON
from tests.optimizer.outlooks import limit

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = (datetime(2026, 3, 28, 21, 7, tzinfo=UTC), datetime(2026, 10, 24, 20, 53, tzinfo=UTC))
"""The evenings before the clocks change."""
EASTER = datetime(2024, 3, 30, 21, 50, tzinfo=UTC)
"""The clocks change on 31 March: month and winter end within a day."""
FIVE = "plan = { hours = 26, step_minutes = 5 }\n"
DAY = "plan = { hours = 26 }\n"
RATCHET = UNBILLED + "demand = { price = 15.0, ratchet = { share = 0.8, months = 11 } }\n"
YEAR = UNBILLED + 'demand = { price = 150.0, per = "year", year_begins = 4 }\n'
HALF_HOURS = UNBILLED + "demand = { price = 15.0, minutes = 30 }\n"
PAID = -0.03
"""Per kWh: the site file refuses a price of CO2 below 0, an outlook does not."""
FREE = """
import.period = [{ start = 10:00:00, end = 16:00:00, price = -0.20 }, { price = 0.02 }]
export.period = [{ price = -0.05 }]
"""


RULES = """
[[rule]]
name = "feeder"
when = [{ device = "grid", point = "p", above = 1e3, hold = 0 }]
then = { import_limit = 20e3, reserve = 120e3, discharge_limit = 5e3 }
"""
"""It keeps more than is in the battery, which could hold its import limit only if it were spent."""


@dataclass(frozen=True)
class Story:
    tariff: str = TARIFF
    more: str = DAY
    battery: str = ""
    now: datetime = NOON
    soc: float = 50.0
    load: float = 60e3
    sun: float = 20e3
    allowed: tuple[float, float] | None = None
    carbon: float = 0.0
    rules: str = ""
    """They hold now."""
    limits: list[dict[str, Any]] = field(default_factory=list)
    hours: float = 26.0
    """Of the plan's end, so that a day that is shorter or longer makes no step too many."""


STORIES = {
    "CO2 that is paid for": Story(carbon=PAID),
    "CO2 that is paid for, and nothing billed by the kW": Story(tariff=UNBILLED, carbon=PAID),
    "negative prices both ways": Story(tariff=FREE, sun=60e3),
    "cells that allow nothing": Story(allowed=(0.0, 0.0)),
    "an owner who allows hardly any power": Story(battery=", charge_limit = 1.0, discharge_limit = 1.0"),
    "no wear and no loss": Story(battery=", wear = 0.0, efficiency = 1.0"),
    "a band of no width": Story(battery=", soc_min = 49.9, soc_max = 50.1"),
    "far below its band": Story(soc=0.0),
    "below its band with a backup": Story(soc=2.0, more="plan = { hours = 26, backup_minutes = 90 }\n"),
    "far above its band": Story(soc=100.0),
    "above its band, with no way out": Story(
        soc=100.0, load=0.0, sun=60e3, limits=[{"direction": "feed_in", "power": 0.0}]
    ),
    "an import limit below the base load": Story(limits=[{"power": 10e3}]),
    "nothing may be drawn": Story(limits=[{"power": 0.0}]),
    "nothing may be drawn from an empty battery": Story(soc=5.0, limits=[{"power": 0.0}]),
    "no feed-in, sun and a full battery": Story(
        soc=90.0, load=5e3, sun=60e3, limits=[{"direction": "feed_in", "power": 0.0}]
    ),
    "nothing either way": Story(limits=[{"direction": "feed_in", "power": 0.0}, {"power": 0.0}]),
    "steerable devices are dimmed": Story(limits=[{"power": 4200.0, "scope": "steerable"}]),
    "a day of 23 hours": Story(now=SPRING),
    "a day of 23 hours in steps of 5 min": Story(now=SPRING, more=FIVE),
    "a day of 25 hours": Story(now=AUTUMN),
    "a day of 25 hours in steps of 5 min": Story(now=AUTUMN, more=FIVE),
    "half hours across a day of 25": Story(now=AUTUMN, tariff=HALF_HOURS),
    "a month ends as the clocks change": Story(now=EASTER),
    "a month ends as the clocks change, in steps of 5 min": Story(now=EASTER, more=FIVE),
    "a year of billing ends as the clocks change": Story(now=EASTER, tariff=YEAR),
    "the first step of a quarter is seconds": Story(now=SPRING + timedelta(minutes=7, seconds=58)),
    "rules that contradict each other": Story(rules=RULES),
    "rules that contradict a limit": Story(rules=RULES, limits=[{"power": 10e3}]),
    "a ratchet": Story(tariff=RATCHET),
    "a ratchet across the end of a month": Story(tariff=RATCHET, now=EASTER),
    "a ratchet and an import limit below the load": Story(tariff=RATCHET, limits=[{"power": 10e3}]),
}


@cache
def site_of(tariff: str, more: str, battery: str, behind: str) -> Site:
    with TemporaryDirectory() as folder:
        site = plant_site(Path(folder), tariff=tariff, more=more, battery=battery)
        if behind:
            path = Path(folder) / "site.toml"
            path.write_text(path.read_text(encoding="utf-8") + behind, encoding="utf-8")
            site = load_site(path)
            assert not site.wrong_rules
        assert site.prices
        assert site.profiles
        return site


def seen(story: Story) -> Outlook:
    """What optimize makes of it."""
    site = site_of(story.tariff, story.more, story.battery, story.rules)
    situation = Situation.of(site)
    volts = 800.0
    charge, discharge = (300e3, 300e3) if story.allowed is None else story.allowed
    said: dict[str, dict[str, Value]] = {
        "grid": {"p": story.load - story.sun}, "pcs1": {"p": 0.0}, "pv1": {"p": story.sun},
        "bms1": {"soc": story.soc, "u": volts, "ccl": charge / volts, "dcl": discharge / volts},
    }  # fmt: skip
    for device, values in said.items():
        situation.fold(device, Telemetry(at=story.now, epoch="0" * 16, seq=1, values=values), story.now, 0.0)
    held: list[HeldLimit] = [limit(**{"since": story.now, **each}) for each in story.limits]
    situation.held = held
    situation.ruled = 0.0, {one.name: None for one in site.rules}
    found = look(situation, Past(site), {}, story.now, 0.0).outlook
    return replace(found, carbon=story.carbon) if story.carbon else found


@pytest.mark.parametrize("sure", [False, True], ids=["forecast", "known"])
@pytest.mark.parametrize("name", STORIES)
def test_there_is_a_plan_and_none_is_refused(name: str, sure: bool) -> None:
    story = STORIES[name]
    outlook = replace(seen(story), spread=0.0) if sure else seen(story)
    made = plan(outlook)
    assert verify(made, outlook) == []
    ends = [step.at + timedelta(seconds=step.seconds) for step in made.steps]
    assert [step.at for step in made.steps[1:]] == ends[:-1], "no hole and no step twice, whatever the clocks do"
    hours = (ends[-1] - made.steps[0].at).total_seconds() / 3600
    assert story.hours - 0.25 <= hours <= story.hours
    within = max(story.soc, outlook.battery.soc_max), min(story.soc, outlook.battery.soc_min)
    assert all(within[1] - 0.02 <= step.soc <= within[0] + 0.02 for step in made.steps)


def test_a_measured_rule_that_holds_now_is_in_the_plan() -> None:
    story = STORIES["rules that contradict each other"]
    sources = [[one.source for one in held] for held in seen(story).held]
    assert sources[:3] == [["rule:feeder"], ["rule:feeder"], []]
    quiet = seen(replace(story, rules=""))
    assert quiet.held == ()


def test_a_price_of_co2_below_zero_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"carbon.price: input should be greater than or equal to 0"):
        plant_site(tmp_path, more="carbon = { intensity = 380.0, price = -80.0 }\n")


def test_a_battery_of_zero_is_refused_in_words(tmp_path: Path) -> None:
    text = SITE.replace("energy = 200e3", "energy = 0.0").format(name="plant", battery="")
    (tmp_path / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Trouble, match=r"energy: input should be greater than 0"):
        load_site(tmp_path / "site.toml")


@pytest.mark.parametrize("change", [{"energy": 0.0}, {"energy": 5.0}, {"energy": 200e3, "rated": 0.0}])
@pytest.mark.parametrize("spread", [0.0, 8e3])
def test_an_outlook_with_hardly_a_battery_rests(change: dict[str, Any], spread: float) -> None:
    look_ = replace(seen(Story()), spread=spread)
    change = dict(change)
    none = replace(look_, rated=change.pop("rated", look_.rated), battery=replace(look_.battery, **change))
    made = plan(none)
    assert verify(made, none) == []
    assert max(abs(step.power) for step in made.steps) <= 20.0
