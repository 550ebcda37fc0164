"""What a site is billed by the kW: from the archive and live, with what is not known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from optimizer.billing import Quarter
from optimizer.demand import Charged, period
from optimizer.running_window import RunningWindow
from optimizer.site_billing import Component, SiteBilling, told
from schemas.billing import BilledComponent
from schemas.tariff import Demand, Tariff
from tests.optimizer.outlooks import BERLIN

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
JUNE = period(NOON, BERLIN)


def tariff(**demand: Any) -> Tariff:
    written = {"price": 15.0, **demand}
    return Tariff.model_validate({"import": {"period": [{"price": 0.2}]}, "demand": written})


def site(**demand: Any) -> SiteBilling:
    return SiteBilling(BERLIN, 10.0).of(tariff(**demand))


def quarters(powers: dict[datetime, float], begin: datetime = JUNE[0], end: datetime = NOON) -> list[Quarter]:
    """50 kW all the time, but for some; all of them seen."""
    found = []
    while begin < end:
        found.append(Quarter(begin, powers.get(begin, 50e3) / 4, 900.0))
        begin += QUARTER
    return found


def archived(billing: SiteBilling, seen: list[Quarter], now: datetime = NOON) -> SiteBilling:
    """With all of the archive read."""
    since = billing.recent(now)
    whole = billing.archived(billing.before(seen, since, now), since)
    return whole.lately([one for one in seen if one.at >= since], now)


def lives(billing: SiteBilling, power: float, start: datetime, seconds: int) -> SiteBilling:
    for second in range(0, seconds + 1, 10):
        billing = billing.fold(start + timedelta(seconds=second), power)
    return billing


def first(billing: SiteBilling, now: datetime = NOON) -> BilledComponent:
    return billing.said(now).components[0]


def test_a_restart_in_the_middle_of_a_month_knows_its_peak() -> None:
    made = NOON - timedelta(days=5)
    one = first(archived(site(), quarters({made: 148e3})))
    assert (one.peak, one.peak_at, one.seen) == (148e3, made, 1.0)
    assert (one.period_start, one.period_end) == JUNE
    assert (one.window_start, one.window_end) == (NOON, NOON + QUARTER)
    assert (one.price, one.currency, one.minutes, one.per, one.floor, one.known) == (15.0, "EUR", 15, "month", 0, 0)


def test_nothing_is_known_before_the_archive_was_read_and_that_is_said() -> None:
    one = first(site())
    assert (one.peak, one.peak_at, one.seen, one.mean, one.covered) == (None, None, None, None, 0.0)
    assert site().peak(NOON) == 0.0
    assert site().said(NOON).archived is None


def test_without_an_archive_it_counts_what_is_seen_live() -> None:
    """For days, too: nothing of it is forgotten in its month."""
    billing = lives(site(), 120e3, NOON, 900)
    for day in range(1, 5):
        billing = lives(billing, 60e3, NOON + timedelta(days=day), 900)
    later = NOON + timedelta(days=4, minutes=20)
    assert first(billing, later).peak == pytest.approx(120e3)
    assert first(billing, later).seen is None
    assert first(billing, JUNE[1] - QUARTER).peak == pytest.approx(120e3)
    assert first(billing, JUNE[1]).peak is None, "and July begins with nothing"


def test_a_late_back_fill_counts_without_a_restart() -> None:
    """The outbox brings what was at eight ten days later: the archive is read again, and 300 kW are known."""
    ten = NOON - timedelta(days=8)
    seen = quarters({})
    gap = [one for one in seen if not ten <= one.at < ten + timedelta(hours=4)]
    before = archived(site(), gap)
    assert first(before).peak == 50e3
    assert first(before).seen == pytest.approx(1 - 16 / len(seen))
    after = archived(before, quarters({ten + QUARTER: 300e3}))
    assert (first(after).peak, first(after).seen) == (300e3, 1.0)


def test_a_window_counts_as_the_archive_has_it_and_live_until_it_has_it() -> None:
    """Live 100 kW; the archive knows better, for a sample came late."""
    billing = lives(archived(site(), quarters({})), 100e3, NOON, 900)
    later = NOON + QUARTER
    assert first(billing, later).peak == pytest.approx(100e3), "at once, and not when it is rolled up"
    hardly = Quarter(NOON, 700e3 * 30 / 3600, 30.0)
    since = billing.since or NOON
    recent = quarters({}, since)
    assert first(billing.lately([*recent, hardly], later), later).peak == pytest.approx(100e3), "it saw less"
    known = billing.lately([*recent, Quarter(NOON, 99e3 / 4, 900.0)], later)
    assert first(known, later).peak == pytest.approx(99e3)
    assert known.components[0].live == ()


def test_thirty_seconds_at_700_kw_are_never_billed() -> None:
    """After a restart in an inrush; neither live nor from the archive."""
    billing = archived(site(), [*quarters({}), Quarter(NOON, 700e3 * 30 / 3600, 30.0)], NOON + QUARTER)
    billing = lives(billing, 700e3, NOON + QUARTER - timedelta(seconds=30), 40)
    assert first(billing, NOON + QUARTER + timedelta(seconds=20)).peak == 50e3


def test_the_window_that_runs_goes_on_after_a_restart_in_the_middle_of_it() -> None:
    """Ten minutes at 200 kW before, one at 50 kW since: not 50 kW, and not what a fold of one minute makes of it."""
    billing = lives(archived(site(), quarters({})), 50e3, NOON + timedelta(minutes=10), 60)
    now = NOON + timedelta(minutes=11)
    assert first(billing, now).mean == pytest.approx(50e3)
    minutes = [Quarter(NOON + timedelta(minutes=n), 200e3 / 60, 60.0) for n in range(10)]
    one = first(billing.begun(minutes), now)
    assert one.mean == pytest.approx(200e3)
    assert one.covered == 600.0
    assert billing.begun(minutes[:1]).said(now) == billing.said(now), "where less is known nothing changes"
    assert billing.begun([Quarter(NOON - QUARTER, 1e6, 900.0)]).said(now) == billing.said(now), "of another window"


def test_the_month_s_end_resets_the_highest_and_the_year_s_does_not() -> None:
    seen = quarters({NOON: 200e3}, end=JUNE[1] + timedelta(hours=1))
    july = JUNE[1] + timedelta(hours=1)
    assert first(archived(site(), seen, july), july).peak == 50e3
    assert first(archived(site(), seen, JUNE[1]), JUNE[1]).peak is None, "of a month that begins"
    yearly = archived(site(per="year"), seen, july)
    assert (first(yearly, july).peak, first(yearly, july).per) == (200e3, "year")
    since = july - period(july, BERLIN, Charged("year"))[0]
    assert first(yearly, july).seen == pytest.approx(len(seen) * QUARTER / since)


def test_each_month_is_told_with_its_highest_as_far_back_as_the_archive_reaches() -> None:
    """What a ratchet looks at: thirteen months, and a coverage each."""
    april = datetime(2026, 4, 15, 10, tzinfo=UTC)
    seen = quarters({april: 310e3, NOON - QUARTER: 90e3}, begin=april - QUARTER)
    months = first(archived(site(), seen)).months
    assert [(one.start.astimezone(BERLIN).month, one.peak) for one in months] == [(4, 310e3), (5, 50e3), (6, 90e3)]
    assert months[0].seen == pytest.approx(0.515, abs=0.01)
    assert [one.seen for one in months[1:]] == [1.0, 1.0]


def test_a_known_peak_of_the_tariff_file_counts_in_its_month() -> None:
    known = {"known": [{"peak": 212.0, "on": "2026-06-02"}], "floor": 30.0}
    one = first(archived(site(**known), quarters({})))
    assert (one.peak, one.peak_at, one.known, one.floor) == (212e3, None, 212e3, 30e3)
    assert site(**known).peak(NOON) == 212e3


def test_only_what_was_said_of_this_component_in_this_period_is_taken() -> None:
    said = archived(site(), quarters({})).said(NOON)
    demand = Demand(price=1.0)
    assert told(said, demand, NOON) == said.components[0]
    assert told(said, demand, JUNE[1]) is None, "of another month"
    assert told(said, Demand(price=1.0, minutes=60), NOON) is None, "of other windows"
    assert told(said, Demand(price=1.0, per="year"), NOON) is None
    assert told(None, demand, NOON) is None


def test_each_component_has_its_own_windows_and_periods() -> None:
    """A quarter hour of the month and an hour of the year, of the same readings."""
    hourly = Demand(price=90.0, per="year", minutes=60)
    both = site()
    second = Component("demand-2", hourly, RunningWindow(BERLIN, hourly, 10.0))
    both = replace(both, components=(*both.components, second))
    may = datetime(2026, 5, 20, 10, tzinfo=UTC)
    seen = quarters({may + n * QUARTER: 200e3 for n in range(2)} | {NOON - QUARTER: 90e3}, begin=may)
    month, year = lives(archived(both, seen), 60e3, NOON, 600).said(NOON + timedelta(minutes=10)).components
    assert (month.name, month.peak, month.minutes, month.window_end) == ("demand", 90e3, 15, NOON + QUARTER)
    assert (year.name, year.peak, year.minutes, year.window_end) == ("demand-2", 125e3, 60, NOON + 4 * QUARTER)
    assert [month.mean, year.mean] == pytest.approx([60e3, 60e3])


def test_without_a_price_by_the_kw_nothing_is_counted() -> None:
    plain = Tariff.model_validate({"import": {"period": [{"price": 0.2}]}})
    billing = lives(SiteBilling(BERLIN, 10.0).of(plain), 50e3, NOON, 900)
    assert billing.said(NOON).components == []
    assert (billing.peak(NOON), billing.imported(NOON, "demand")) == (0.0, 0.0)
