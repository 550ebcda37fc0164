"""What flexible loads have suffered elsewhere, in public reports: each row a story on the desk of dispatch, or of the
plan, with its source."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from optimizer.loads.load import HOUR, LoadNow, state_of
from optimizer.loads.schedule import schedule
from tests.consumers.test_load_desk import LAMPS, PUMP, SWITCHED, Story
from tests.optimizer.loads.test_schedule import load, priced
from tests.optimizer.outlooks import outlook

CAR = PUMP.replace("20e3", "5e3")
"""5 kWh at 10 kW until 20:00 on the local clock; a story begins at 12:00."""


class Row(NamedTuple):
    source: str
    """Repository and number of an issue or a pull request."""
    tell: Callable[[Path], None]


def _switchings(it: Story, seconds: float, each: float = 4.0) -> int:
    changes, was = 0, it.shares["one"]
    for _ in range(round(seconds / each)):
        it.tick(each, each=each)
        changes += it.shares["one"] != was
        was = it.shares["one"]
    return changes


def _until(it: Story, hour: int, minute: int = 0, each: float = 4.0) -> None:
    """Lives until a time of the first day, UTC + 2."""
    end = it.now.replace(hour=hour - 2, minute=minute, second=0)
    it.tick((end - it.now).total_seconds(), each=each)


def _taken(it: Story) -> float:
    return it.desk.loads.seen["one"].taken


# energy by a deadline ------------------------------------------------------------------------------


def it_draws_less_than_its_rating(folder: Path) -> None:
    """7 of 10 kW: the last moment that the rating gives is too late. It is learned while it runs."""
    it = Story(folder, CAR)
    it.draws = 0.7
    it.tick(4)
    it.plan(one=10e3)
    it.tick(600, each=4.0)
    it.plan(one=0.0)
    it.tick(8)
    it.restarts(20)  # what was learned is kept
    it.second += 6.7 * HOUR
    it.desk.plans.latest = None
    _until(it, 19, 59)
    assert _taken(it) >= 4.98e3


def the_plan_gives_it_too_little(folder: Path) -> None:
    """A plan that is wrong all night is overruled at the last moment, and by no sooner."""
    it = Story(folder, CAR)
    it.tick(4)
    it.second += 7.2 * HOUR
    for minute in (27, 40, 50, 59):
        it.plan(one=0.0)
        assert it.shares["one"] == (minute > 40), "not before its last moment"
        _until(it, 19, minute)
    assert _taken(it) >= 4.95e3


def its_hours_end_before_its_deadline(folder: Path) -> None:
    """Until 19:10, by plans that give it nothing: it begins in time for that end."""
    it = Story(folder, CAR + 'hours = [{ start = "08:00", end = "19:10" }]\n')
    it.tick(4)
    it.second += 6.5 * HOUR
    it.plan(one=0.0)
    _until(it, 19, 9)
    assert _taken(it) >= 4.9e3


def it_is_there_too_late_or_full(folder: Path) -> None:
    """Told to run and drawing nothing is said, and is no start."""
    it = Story(folder, CAR)
    it.draws = 0.0
    it.tick(4)
    it.plan(one=10e3)
    it.tick(60)
    assert it.desk.loads.told["one"].complaint == ""
    it.tick(90)
    assert "draws nothing" in it.desk.loads.told["one"].complaint
    assert "one: it is told to run" in it.desk.detail
    assert not it.desk.loads.seen["one"].starts
    it.draws = 1.0
    it.tick(6)
    assert it.desk.loads.told["one"].complaint == ""


def a_restart_forgets_what_it_has_taken(folder: Path) -> None:
    """2 of 5 kWh, and dispatch is away for an hour in which it is started at its panel: its own counter tells."""
    it = Story(folder, CAR)
    it.more = {"e_import": 700e3}
    it.tick(4)
    it.plan(one=10e3)
    it.tick(716, each=4.0)
    it.more = {"e_import": 702e3}
    it.tick(4)
    assert _taken(it) == pytest.approx(2e3, rel=0.01)
    it.more = {"e_import": 705.5e3}
    it.restarts(HOUR)
    it.plan(one=10e3)
    it.tick(8)
    assert _taken(it) >= 5e3
    assert it.why() == "off: it has taken its 5 kWh"


def its_counter_jumps(folder: Path) -> None:
    """To 0, and to all that it ever counted: neither is energy that it took."""
    it = Story(folder, CAR)
    for before, after in ((700e3, 0.0), (0.0, 700e3)):
        it.more = {"e_import": before}
        it.restarts(20)
        it.tick(4)
        had = _taken(it)
        it.more = {"e_import": after}
        it.second += 30
        it.tick(4)
        it.restarts(20)
        it.tick(4)
        assert _taken(it) == had, (before, after)


def somebody_has_started_it_by_hand(folder: Path) -> None:
    """What runs already is not switched off at once, and what it takes counts."""
    it = Story(folder, CAR + "minimum_on = 900\n")
    it.shares["one"] = 1.0
    it.plan(one=0.0)
    it.tick(896, each=4.0)
    assert it.shares["one"] == 1.0
    it.tick(12)
    assert it.shares["one"] == 0.0
    assert _taken(it) == pytest.approx(2.5e3, rel=0.02)


def another_deadline_stands_in_the_site_file(folder: Path) -> None:
    """It has its energy for 20:00; from the next start on its deadline is 22:00. It takes nothing twice."""
    it = Story(folder, CAR)
    it.tick(4)
    it.plan(one=10e3)
    it.tick(1820, each=4.0)
    assert it.why() == "off: it has taken its 5 kWh"
    after = Story(folder, CAR.replace("20:00", "22:00"))
    it.site = after.site
    it.restarts(30)
    it.second += 6.5 * HOUR  # 19:01
    _until(it, 20, 2)
    assert _taken(it) >= 4.98e3


# times and starts ----------------------------------------------------------------------------------


def a_restart_starts_it_once_more(folder: Path) -> None:
    for lost in (False, True):
        it = Story(folder, PUMP + "starts_per_hour = 1\n")
        it.tick(HOUR + 8, each=4.0)
        it.plan(one=10e3)
        it.tick(60)
        it.plan(one=0.0)
        it.tick(60)
        begun = it.now
        it.restarts(30, lost=lost)
        it.plan(one=10e3)
        it.tick(120, each=4.0)
        assert it.shares["one"] == 0.0, "unknown, so as often as it may be" if lost else "once in the hour"
        while it.shares["one"] == 0.0:
            it.plan(one=10e3)
            it.tick(60, each=4.0)
        assert HOUR - 260 <= (it.now - begun).total_seconds() <= HOUR + 120


def a_restart_forgets_its_minimum_time(folder: Path) -> None:
    it = Story(folder, PUMP + "minimum_on = 600\nminimum_off = 600\n")
    it.tick(620, each=4.0)
    it.plan(one=10e3)
    it.tick(100)
    for _ in range(4):
        it.restarts(20)
        it.plan(one=0.0)
        it.tick(60)
        assert it.shares["one"] == 1.0
    it.tick(300)
    assert it.shares["one"] == 0.0


def each_plan_says_something_else(folder: Path) -> None:
    """A new plan each minute, on and off in turn."""
    it = Story(folder, PUMP + "minimum_on = 600\nminimum_off = 300\n")
    changes = 0
    for number in range(60):
        it.plan(one=10e3 * (number % 2))
        changes += _switchings(it, 60)
    assert 2 <= changes <= 8


def its_hours_end_before_its_minimum_time(folder: Path) -> None:
    """Until 13:00, and a plan would start it at 12:55 for 10 minutes at least."""
    it = Story(folder, CAR + 'minimum_on = 600\nhours = [{ start = "08:00", end = "13:00" }]\n')
    it.tick(4)
    it.second += 55 * 60
    it.plan(one=10e3)
    it.tick(60)
    assert (it.shares["one"], it.why()) == (0.0, "waits: its hours end before its minimum time on would")
    out = outlook(2)
    rule = load(energy=3e3, deadline=time(15), minimum_on=1800.0, hours=[{"start": time(11), "end": time(13)}])
    found = schedule(rule, LoadNow(), out, priced(out, [3.0, 3.0, 3.0, 0.1]))
    assert found.power[:4].tolist() in ([0, 0, 4e3, 4e3], [0, 4e3, 4e3, 4e3]), "no start in the last quarter"


# clocks and windows --------------------------------------------------------------------------------


def the_clocks_change(_: Path) -> None:
    """Each deadline at its local time, and the hours of a night as long as that night is."""
    one = load(energy=5e3, deadline=time(6), hours=[{"start": time(22), "end": time(6)}])
    nights = {  # UTC at noon before, the deadline, hours of the night
        datetime(2026, 3, 28, 12, tzinfo=UTC): (datetime(2026, 3, 29, 4, tzinfo=UTC), 7.0),
        datetime(2026, 3, 29, 12, tzinfo=UTC): (datetime(2026, 3, 30, 4, tzinfo=UTC), 8.0),
        datetime(2026, 10, 24, 12, tzinfo=UTC): (datetime(2026, 10, 25, 5, tzinfo=UTC), 9.0),
    }
    for noon, (deadline, hours) in nights.items():
        found = one.deadline(noon)
        assert found == deadline
        assert found is not None
        assert one.within(noon, found) == hours * HOUR
        following = one.deadline(found)
        assert following is not None
        assert one.within(found, following) / HOUR == pytest.approx(8.0, abs=1.0)


def its_window_is_not_in_the_horizon(_: Path) -> None:
    """It is not run all the same, and the plan says what is missing."""
    out = outlook(4)
    rule = load(energy=3e3, deadline=time(15), hours=[{"start": time(20), "end": time(23)}])
    found = schedule(rule, LoadNow(), out, priced(out, [1.0]))
    assert not found.power.any()
    assert found.words == ("load: 3.0 of 3.0 kWh will be missing at its deadline of 15:00",)


def its_window_crosses_midnight(_: Path) -> None:
    """From 22:00 to 06:00 of the nights after working days: Friday night is one, Sunday night none."""
    hours = [{"start": time(22), "end": time(6), "days": ["mon", "tue", "wed", "thu", "fri"]}]
    rule = load(energy=3e3, deadline=time(6), hours=hours)
    friday = datetime(2026, 6, 12, 20, tzinfo=UTC)  # 22:00 in Berlin
    assert [rule.free(friday + timedelta(hours=h)) for h in (-0.1, 0, 7.9, 8.1)] == [False, True, True, False]
    assert not rule.free(friday + timedelta(days=2, hours=3))


# limits --------------------------------------------------------------------------------------------


def it_is_stopped_where_less_would_do(folder: Path) -> None:
    """A charger of 20 kW, and 14 kW are free: 14 kW it gets, and is not switched."""
    it = Story(folder, LAMPS)
    it.tick(4)
    it.base = 84e3
    told = set[float]()
    for _ in range(60):
        it.tick()
        told.add(round(it.shares["two"], 2))
    assert told == {0.7}
    assert it.base + it.powers()["two"] <= 98e3 + 1


def it_stops_drawing_and_is_let_in_again(folder: Path) -> None:
    """What is shed leaves room for itself: it comes back, and must go again, ever more seldom."""
    it, starts, was = Story(folder, SWITCHED), 0, 1.0
    for second in range(0, 2 * 3600, 4):
        it.base = 60e3 if it.shares["two"] == 0.0 and second % 90 < 80 else 85e3
        it.tick(4, each=4.0)
        starts += it.shares["two"] > was
        was = it.shares["two"]
    assert starts <= 12


def a_short_dip_switches_it(folder: Path) -> None:
    """A minute above the limit in half an hour: off for that once, and back, not for a time of its own."""
    it, changes, was = Story(folder, SWITCHED + "minimum_off = 300\n"), 0, 1.0
    it.shares["two"] = 1.0
    for second in range(0, 3600, 4):
        it.base = 85e3 if 900 <= second < 960 else 60e3
        it.tick(4, each=4.0)
        changes += it.shares["two"] != was
        was = it.shares["two"]
    assert changes == 2
    assert was == 1.0


TABLE = [
    Row("evcc-io/evcc/issues/12733", it_draws_less_than_its_rating),
    Row("woopstar/hsem/issues/845", the_plan_gives_it_too_little),
    Row("davidusb-geek/emhass/issues/198", its_hours_end_before_its_deadline),
    Row("evcc-io/evcc/issues/9550", it_is_there_too_late_or_full),
    Row("davidusb-geek/emhass/issues/983", a_restart_forgets_what_it_has_taken),
    Row("evcc-io/evcc/issues/28100", its_counter_jumps),
    Row("davidusb-geek/emhass/pull/982", somebody_has_started_it_by_hand),
    Row("evcc-io/evcc/issues/25612", another_deadline_stands_in_the_site_file),
    Row("davidusb-geek/emhass/issues/765", a_restart_starts_it_once_more),
    Row("swingerman/ha-dual-smart-thermostat/issues/555", a_restart_forgets_its_minimum_time),
    Row("davidusb-geek/emhass/issues/280", each_plan_says_something_else),
    Row("traktore-org/sem-community/issues/688", its_hours_end_before_its_minimum_time),
    Row("sap-labs-france/ev-dashboard/issues/2043", the_clocks_change),
    Row("davidusb-geek/emhass/issues/896", its_window_is_not_in_the_horizon),
    Row("davidusb-geek/emhass/issues/123", its_window_crosses_midnight),
    Row("evcc-io/evcc/issues/18263", it_is_stopped_where_less_would_do),
    Row("evcc-io/evcc/pull/13207", it_stops_drawing_and_is_let_in_again),
    Row("OpenEMS/openems/issues/3338", a_short_dip_switches_it),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.tell.__name__)
def test_of_public_reports(row: Row, tmp_path: Path) -> None:
    """Each source is a thread at https://github.com."""
    row.tell(tmp_path)


def test_what_dispatch_has_learned_a_plan_is_made_with(tmp_path: Path) -> None:
    """https://github.com/evcc-io/evcc/issues/12733: a schedule by the rating is too short."""
    it = Story(tmp_path, CAR)
    it.draws = 0.7
    it.tick(4)
    it.plan(one=10e3)
    it.tick(200, each=4.0)
    found = state_of(it.desk.loads.told["one"].state, it.now)
    assert found is not None
    assert found.pace == pytest.approx(7e3, abs=60)
