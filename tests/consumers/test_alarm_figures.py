"""The figures of ISA-18.2: a month reckoned by hand, each rule on its edge, and that live and report say the same."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.alarms.figures.crowds import floods
from consumers.alarms.figures.live import AT_LEAST, Live
from consumers.alarms.figures.past import figures_of
from consumers.alarms.figures.span import Gap, Span, unseen
from consumers.alarms.figures.targets import TARGETS
from joulebus.alarm.report import going_on
from schemas.alarm_figures import AlarmFigures
from schemas.messages import Alarm, AlarmState
from tests.consumers.alarm_journal import BEGIN, DAYS, Change, S, before, change, excursion, month

DAY = timedelta(days=1)
MONTH = Span(BEGIN, BEGIN + DAYS * DAY)
JOURNAL = month()


def of(figures: AlarmFigures) -> dict[str, tuple[float | None, str]]:
    return {one.name: (one.value, str(one.verdict)) for one in figures.figures}


BY_HAND: dict[str, tuple[float | None, str]] = {
    "per_day": (200.0, "ok"),
    "per_hour": (8.333, "ok"),  # 200 / 24
    "per_10_min": (1.389, "ok"),  # 200 / 144
    "most_in_10_min": (31.0, "beyond"),  # 30 of the flood and a steady one
    "slots_above_10": (0.694, "ok"),  # 1 of 144
    "hours_above_30": (4.167, "beyond"),  # 8:00 has 30 + 6: 1 of 24
    "time_in_flood": (0.891, "ok"),  # 770 s of 86 400
    "chattering": (1.0, "beyond"),
    "fleeting": (2.0, "beyond"),
    "stale": (1.0, "ok"),
    "top_10_share": (60.0, "beyond"),  # ten of the twelve steady ones: 10 x 360 of 6 000
    "priority_low": (72.0, "ok"),  # 144 of 200
    "priority_medium": (15.0, "ok"),  # 30 of 200
    "priority_high": (3.0, "ok"),  # (3 + 2 + 1) of 200
    "priority_critical": (10.0, "beyond"),  # 20 of 200
    "ack_median": (120.0, "ok"),
    "ack_p90": (300.0, "beyond"),  # of those with a time to respond 600 of 4 920 took 1.2 of it
    "ack_never": (118.0, "beyond"),  # 2 x 30 that chattered, 2 x 29 that came back unacknowledged
    "shelved_longest": (1.0, "ok"),
    "out_without_why": (0.0, "ok"),
}


def test_thirty_days_of_200_alarms_have_the_figures_that_were_reckoned_by_hand() -> None:
    found = figures_of(before(), JOURNAL, MONTH, MONTH.end)
    assert of(found) == BY_HAND
    assert BY_HAND.keys() == TARGETS.keys()
    assert (found.raised, found.seen, found.flood_count, found.flood_longest, found.flood_most) == (
        6000,
        1.0,
        30,
        770.0,
        32,
    )
    assert found.floods[-1].begin == MONTH.end - DAY + timedelta(hours=8, minutes=1, seconds=30)
    assert found.floods[-1].end == MONTH.end - DAY + timedelta(hours=8, minutes=14, seconds=20)
    assert [(one.alarm, one.raised, one.share) for one in found.top][:2] == [
        ("steady-0", 360, 0.06),
        ("steady-1", 360, 0.06),
    ]
    assert {str(name): count for name, count in found.priorities.items()} == {
        "low": 4320, "medium": 900, "high": 180, "critical": 600,
    }  # fmt: skip
    assert [(one.alarm, one.raised) for one in found.chattering] == [("chatter", 90)]
    assert [(one.alarm, one.raised) for one in found.fleeting] == [("fleeting-0", 30), ("fleeting-1", 30)]
    assert [(one.alarm, one.seconds) for one in found.stale] == [("stands", 33 * 86400.0)]
    assert (found.shelved.times, found.shelved.now, found.suppressed.times) == (30, 0, 0)
    assert found.out_of_service.longest is not None
    assert (found.out_of_service.longest.alarm, found.out_of_service.longest.seconds) == ("out", 48 * 3600.0)


def test_heard_twice_it_counts_once_and_two_operators_share_it() -> None:
    twice = [one for each in JOURNAL[:3000] for one in (each, each)]
    span = Span(BEGIN, BEGIN + 3 * DAY)
    once = figures_of(before(), JOURNAL[:3000], span, span.end)
    assert figures_of(before(), twice, span, span.end) == once
    shared = of(figures_of(before(), JOURNAL[:3000], span, span.end, operators=2))
    assert (shared["per_hour"][0], shared["most_in_10_min"][0]) == (4.167, 15.5)


def raised_at(*seconds: float) -> list[datetime]:
    return [BEGIN + timedelta(seconds=one) for one in seconds]


@pytest.mark.parametrize(
    ("times", "found"),
    [
        (range(0, 600, 60), []),  # ten in ten minutes
        (range(0, 660, 60), []),  # the eleventh comes as the first leaves
        (range(0, 605, 55), [(550, 930, 11)]),  # ten minutes hold eleven; below 5 when the 7th of them has left
        ([*range(0, 605, 55), 929], [(550, 985, 12)]),  # another one just before
        ([*range(11)], [(10, 606, 11)]),
        ([*range(11), *range(2000, 2011)], [(10, 606, 11), (2010, 2606, 11)]),
    ],
)
def test_a_flood_begins_above_10_and_ends_below_5(times: Sequence[int], found: list[tuple[int, int, int]]) -> None:
    told = floods(raised_at(*times), BEGIN + DAY)
    seconds = [((one.begin - BEGIN).total_seconds(), one.end and (one.end - BEGIN).total_seconds()) for one in told]
    assert [(*span, one.alarms) for span, one in zip(seconds, told, strict=True)] == found


def test_a_flood_goes_on_until_it_is_calm() -> None:
    times = raised_at(*range(20))
    assert [one.end for one in floods(times, times[-1] + timedelta(minutes=5))] == [None]
    assert floods(times, times[-1] + DAY, operators=2) == []


@pytest.mark.parametrize(
    ("story", "chattering", "fleeting"),
    [
        ([(0, 10), (30, 10), (60, 10)], 1, 0),
        ([(0, 10), (30, 10), (61, 10)], 0, 1),
        ([(0, 59)], 0, 1),
        ([(0, 60)], 0, 0),
        ([(0, 10), (20, 10), (40, 10), (3600, 10)], 1, 1),
    ],
)
def test_chattering_is_three_in_a_minute_and_fleeting_less_than_one(
    story: list[tuple[int, int]], chattering: int, fleeting: int
) -> None:
    changes = [
        one for at, lasts in story for one in excursion("one", BEGIN + timedelta(seconds=at), ack=None, lasts=lasts)
    ]
    told = of(figures_of([], changes, Span(BEGIN, BEGIN + DAY), BEGIN + DAY))
    assert (told["chattering"][0], told["fleeting"][0]) == (chattering, fleeting)


def test_stale_is_more_than_a_day_and_a_shelf_ends_it() -> None:
    long_ago, later = BEGIN - timedelta(hours=30), BEGIN + timedelta(hours=1)
    stands = [change(f"a{n}", long_ago, S.UNACKNOWLEDGED) for n in range(5)]
    span = Span(BEGIN, BEGIN + DAY)
    assert of(figures_of(stands, [], span, span.end))["stale"] == (5.0, "beyond")
    shelved = [change("a0", BEGIN - timedelta(hours=10), S.SHELVED, since=long_ago)]
    assert of(figures_of([*stands, *shelved], [], span, span.end))["stale"] == (4.0, "ok")
    fresh = [change("b", later, S.UNACKNOWLEDGED)]
    assert of(figures_of([], fresh, span, span.end))["stale"] == (0.0, "ok")


def test_what_was_not_seen_is_told_and_never_judged() -> None:
    span = Span(BEGIN, BEGIN + DAY, ((BEGIN, BEGIN + DAY),))
    unseen = figures_of([], [], span, span.end)
    assert unseen.seen == 0
    assert {verdict for _, verdict in of(unseen).values()} == {"unknown"}
    half = Span(BEGIN, BEGIN + DAY, ((BEGIN, BEGIN + DAY / 2), (BEGIN, BEGIN + DAY / 4)))
    changes = [
        one for n in range(12) for one in excursion(f"a{n}", BEGIN + DAY / 2 + timedelta(hours=n), ack=9, lasts=90)
    ]
    told = figures_of([], changes, half, half.end)
    assert (told.seen, of(told)["per_hour"], of(told)["per_day"]) == (0.5, (1.0, "ok"), (None, "unknown"))


@pytest.mark.parametrize(
    ("name", "minutes", "alarms", "said"),
    [  # an alarm each 30 s from the begin; what is said of so many minutes, and why it is not judged
        ("per_10_min", 5, 1, (None, "unknown", "5 min of 1 h seen")),
        ("per_10_min", 59, 1, (None, "unknown", "59 min of 1 h seen")),
        ("per_10_min", 60, 1, (0.167, "ok", "")),
        ("per_hour", 60, 40, (None, "unknown", "1 h of 6 h seen")),
        ("per_hour", 360, 40, (6.667, "ok", "")),
        ("per_day", 360, 40, (None, "unknown", "6 h of 20 h seen")),
        ("per_day", 1200, 241, (289.2, "beyond", "")),
        ("most_in_10_min", 5, 9, (9, "unknown", "5 min of 6 h seen")),
        ("most_in_10_min", 6, 11, (11, "beyond", "")),  # it was; more time makes it no less
        ("time_in_flood", 60, 40, (None, "unknown", "1 h of 6 h seen")),
        ("hours_above_30", 360, 40, (None, "unknown", "6 h of 20 h seen")),
        ("fleeting", 5, 1, (1, "beyond", "")),
        ("fleeting", 5, 0, (0, "unknown", "5 min of 6 h seen")),
        ("fleeting", 360, 0, (0, "ok", "")),
        ("priority_low", 1440, 99, (100, "unknown", "99 of 100 alarms")),
        ("priority_low", 1440, 100, (100, "ok", "")),
        ("top_10_share", 1440, 199, (5.025, "unknown", "199 of 200 alarms")),
        ("ack_p90", 1440, 9, (5, "unknown", "9 of 10 with a time to respond")),
        ("ack_p90", 1440, 10, (5, "ok", "")),
    ],
)
def test_a_verdict_needs_the_time_and_the_alarms_of_its_figure(
    name: str, minutes: int, alarms: int, said: tuple[float | None, str, str]
) -> None:
    starts = [BEGIN + timedelta(seconds=30 * n) for n in range(alarms)]
    changes = [one for n, at in enumerate(starts) for one in excursion(f"a{n}", at, ack=5, lasts=20, respond=60)]
    span = Span(BEGIN, BEGIN + timedelta(minutes=minutes))
    (one,) = (each for each in figures_of([], changes, span, span.end).figures if each.name == name)
    assert (one.value, str(one.verdict), one.why) == said


def test_stale_is_the_most_on_one_day_not_all_of_a_month() -> None:
    each_day = [change(f"a{n}", BEGIN + n * DAY, S.UNACKNOWLEDGED) for n in range(6)]
    over = [change(f"a{n}", BEGIN + (n + 2) * DAY - timedelta(seconds=1), S.RETURNED) for n in range(6)]
    changes = sorted([*each_day, *over], key=lambda one: one[1].at)
    told = figures_of([], changes, MONTH, MONTH.end)
    assert (of(told)["stale"], len(told.stale)) == ((1.0, "ok"), 6)


def test_a_clock_that_is_set_back_makes_no_alarm_of_none() -> None:
    minutes = [(600, S.UNACKNOWLEDGED), (571, S.RETURNED), (580, S.UNACKNOWLEDGED), (590, S.RETURNED)]
    changes = [change("one", BEGIN + timedelta(minutes=m), state) for m, state in minutes]
    span = Span(BEGIN, BEGIN + DAY)
    heard, stored = (figures_of([], some, span, span.end) for some in (changes, sorted(changes, key=lambda c: c[1].at)))
    assert (heard.raised, stored.raised) == (2, 2)


def test_what_came_and_went_out_of_service_is_annunciated_once_it_is_back_and_nobody_is_late_for_what_was_taken() -> (
    None
):
    def at(minute: int, state: AlarmState, name: str = "latching") -> Change:
        return change(name, BEGIN + timedelta(minutes=minute), state, why="sensor")

    back = [at(1, S.OUT_OF_SERVICE), at(5, S.LATCHED_UNACKNOWLEDGED), at(6, S.LATCHED), at(7, S.UNACKNOWLEDGED)]
    taken = [at(2, S.UNACKNOWLEDGED, "follows"), at(3, S.SUPPRESSED, "follows"), at(9, S.NORMAL, "follows")]
    span = Span(BEGIN, BEGIN + DAY)
    found = figures_of([], [*back, *taken], span, span.end)
    assert (found.raised, found.out_of_service.times, found.suppressed.times) == (3, 1, 1)
    assert of(found)["ack_median"][0] == 60
    assert (of(found)["ack_never"], of(found)["fleeting"], of(found)["out_without_why"]) == (
        (0, "ok"),
        (0, "ok"),
        (0, "ok"),
    )


# --- live ---------------------------------------------------------------------------------------------


def test_the_live_figures_of_the_last_day_are_those_of_the_report(tmp_path: Path) -> None:
    live = Live(tmp_path / "figures.json")
    live.begin(dict(before()), BEGIN - DAY)
    for name, alarm in JOURNAL:
        live.looked = alarm.at
        live.hear(name, alarm)
        if alarm.at.minute == 0:
            live.figures(alarm.at)
    found = live.figures(MONTH.end)
    assert (found.raised, found.last_hour, found.last_10_min, found.flooding) == (200, 6, 1, False)
    assert len(live.following.raises) <= 202, "what is over is forgotten"
    last = Span(MONTH.end - DAY, MONTH.end)
    assert found == figures_of([*before(), *JOURNAL], [], last, MONTH.end)


def test_it_is_told_each_minute_when_it_changed_and_each_ten_in_any_case(tmp_path: Path) -> None:
    live, now = Live(tmp_path / "figures.json"), BEGIN
    live.begin({}, now)
    told = []
    for second in range(1850):
        now = BEGIN + timedelta(seconds=second)
        if second == 630:
            live.hear("one", change("one", now, S.UNACKNOWLEDGED)[1])
        if live.told(now) is not None:
            told.append(second)
    # 600: in any case; 660: the alarm; 1260: its 10 min are over
    assert told == [0, 600, 660, 1260]


def test_over_a_restart_it_goes_on_and_tells_what_it_did_not_hear(tmp_path: Path) -> None:
    live = Live(tmp_path / "figures.json")
    live.begin({}, BEGIN)
    live.hear(*change("one", BEGIN, S.UNACKNOWLEDGED))
    live.hear(*change("two", BEGIN, S.UNACKNOWLEDGED))
    live.told(BEGIN + timedelta(seconds=90))
    live.write(live.dump())
    again = Live(live.path)
    later = BEGIN + timedelta(seconds=90, hours=6)
    one = change("one", BEGIN, S.UNACKNOWLEDGED)
    assert again.begin(dict([one]), later) == ""
    found = again.figures(BEGIN + DAY)
    assert (found.raised, found.seen) == (2, 0.75)
    again.hear(*change("one", later + timedelta(minutes=1), S.ACKNOWLEDGED, since=BEGIN, by="anna"))
    assert of(again.figures(BEGIN + DAY))["ack_median"][0] == 6 * 3600 + 150
    assert of(again.figures(BEGIN + DAY))["ack_never"][0] == 1, "the other was over while nobody listened"


def test_a_damaged_file_costs_the_past_and_nothing_else(tmp_path: Path) -> None:
    live = Live(tmp_path / "figures.json")
    live.path.write_text("{")
    assert "begin anew" in live.begin({}, BEGIN)
    assert live.figures(BEGIN + DAY / 2).seen == 0.5


def test_more_than_anybody_reads_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.alarms.figures.live.MOST", 100)
    live = Live(tmp_path / "figures.json")
    live.begin({}, BEGIN - DAY)
    for minute in range(0, 1440, 3):
        at = BEGIN + timedelta(minutes=minute)
        for one in excursion(f"a{minute}", at, ack=5, lasts=70):
            live.hear(*one)
    live.looked = BEGIN + DAY
    found = live.figures(BEGIN + DAY)
    assert (found.raised, len(live.following.raises)) == (100, 100)
    assert of(found)["per_10_min"][0] == pytest.approx(20 / 6, rel=0.02), "of the time that is still known"


def test_the_retained_word_is_small_however_many_alarms_stand(tmp_path: Path) -> None:
    live = Live(tmp_path / "figures.json")
    live.begin({}, BEGIN - DAY)
    for number in range(90):
        stands, quiet = (f"cell_voltage_high_{kind}-bms_of_container_{number}" for kind in ("first", "second"))
        live.hear(*change(stands, BEGIN - DAY / 2 + timedelta(seconds=number), S.UNACKNOWLEDGED))
        state = S.SHELVED if number % 2 else S.OUT_OF_SERVICE
        live.hear(*change(quiet, BEGIN - DAY / 2, state, by="anna" * 16, why="word " * 100))
    live.looked = BEGIN
    assert len(live.figures(BEGIN).model_dump_json()) < 12_000


NEXT: dict[AlarmState, tuple[AlarmState, ...]] = {
    S.NORMAL: (S.UNACKNOWLEDGED, S.UNACKNOWLEDGED, S.SHELVED, S.SUPPRESSED, S.OUT_OF_SERVICE),
    S.UNACKNOWLEDGED: (S.ACKNOWLEDGED, S.RETURNED, S.LATCHED_UNACKNOWLEDGED, S.UNACKNOWLEDGED, S.SHELVED, S.SUPPRESSED),
    S.ACKNOWLEDGED: (S.NORMAL, S.LATCHED, S.SHELVED, S.OUT_OF_SERVICE),
    S.RETURNED: (S.UNACKNOWLEDGED, S.NORMAL, S.SHELVED),
    S.LATCHED_UNACKNOWLEDGED: (S.LATCHED, S.UNACKNOWLEDGED),
    S.LATCHED: (S.NORMAL, S.UNACKNOWLEDGED),
    S.SHELVED: (S.SHELVED, S.NORMAL, S.UNACKNOWLEDGED, S.OUT_OF_SERVICE),
    S.SUPPRESSED: (S.NORMAL, S.UNACKNOWLEDGED),
    S.OUT_OF_SERVICE: (S.NORMAL, S.UNACKNOWLEDGED, S.LATCHED_UNACKNOWLEDGED),
}
STEPS = st.lists(
    st.tuples(st.sampled_from([1, 7, 25, 59, 61, 200, 3000, 20_000]), st.integers(0, 3), st.integers(0, 5)),
    max_size=120,
)


def story(steps: list[tuple[int, int, int]]) -> list[Change]:
    states, since, at, changes = dict.fromkeys("abcd", S.NORMAL), dict.fromkeys("abcd", BEGIN), BEGIN, list[Change]()
    for seconds, which, choice in steps:
        at, name = at + timedelta(seconds=seconds), "abcd"[which]
        following = NEXT[states[name]]
        state = following[choice % len(following)]
        if state is S.UNACKNOWLEDGED and states[name] is not S.UNACKNOWLEDGED:
            since[name] = at
        states[name] = state
        by = "anna" if choice % 2 else ""
        changes.append(change(name, at, state, since=since[name], respond=30.0 if which else None, by=by))
    return changes


@given(STEPS, st.integers(0, 60), st.sampled_from([0, 5, 119, 121, 900, 30_000]), st.booleans())
def test_what_is_followed_live_is_what_the_journal_gives(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int]], restart: int, away: int, twice: bool
) -> None:
    """With what the service was away for: live it knows that itself, a report by what it told the archive."""
    changes, watches = story(steps), list[Gap]()
    live = Live(tmp_path_factory.mktemp("live") / "figures.json")
    live.begin({}, BEGIN)

    def look(now: datetime) -> None:
        watches.extend((one.since, one.at) for one in live.watched(now))

    for number, (name, alarm) in enumerate(changes):
        live.told(alarm.at)
        look(alarm.at)
        live.hear(name, alarm)
        if twice:
            live.hear(name, alarm)
        if number == restart:
            live.write(live.dump())
            live = Live(live.path)
            back = alarm.at + timedelta(seconds=away)
            if number + 1 < len(changes):
                back = min(back, changes[number + 1][1].at)
            live.begin(_shown(changes[: number + 1]), back)
            look(back)
    now = (changes[-1][1].at if changes else BEGIN) + timedelta(seconds=30)
    found = live.told(now + AT_LEAST)
    assert found is not None
    look(found.at)
    span = Span(found.begin, found.end, (*unseen(going_on(watches, found.at), found.begin, found.end),))
    earlier = {name: alarm for name, alarm in changes if alarm.at < span.begin}
    during = [one for one in changes if one[1].at >= span.begin]
    assert found == figures_of(earlier.items(), during, span, found.at)


@pytest.mark.parametrize(
    ("watches", "found"),
    [  # hours of a day
        ([], [(0, 24)]),
        ([(0, 24)], []),
        ([(-3, 2), (2, 9), (9, 30)], []),
        ([(1, 4), (6, 7), (23, 26)], [(0, 1), (4, 6), (7, 23)]),
        ([(6, 7), (1, 8), (2, 3)], [(0, 1), (8, 24)]),
        ([(-9, -1), (30, 31)], [(0, 24)]),
    ],
)
def test_what_no_watch_holds_was_not_seen(watches: list[tuple[int, int]], found: list[tuple[int, int]]) -> None:
    def at(hours: Sequence[tuple[int, int]]) -> list[Gap]:
        return [(BEGIN + timedelta(hours=one), BEGIN + timedelta(hours=other)) for one, other in hours]

    assert unseen(at(watches), BEGIN, BEGIN + DAY) == at(found)


def test_that_it_listens_is_told_each_quarter_and_where_a_gap_begins(tmp_path: Path) -> None:
    live = Live(tmp_path / "figures.json")
    live.begin({}, BEGIN)
    told = [one for minute in range(41) for one in live.watched(BEGIN + timedelta(minutes=minute))]
    live.write(live.dump())
    again = Live(live.path)  # away from 0:40 to 1:00
    again.begin({}, BEGIN + timedelta(minutes=60))
    told += [one for minute in range(60, 76) for one in again.watched(BEGIN + timedelta(minutes=minute))]
    minutes = [((one.since - BEGIN) / timedelta(minutes=1), (one.at - BEGIN) / timedelta(minutes=1)) for one in told]
    assert minutes == [(0, 0), (0, 15), (15, 30), (30, 40), (60, 60), (60, 75)]


def _shown(changes: list[Change]) -> dict[str, Alarm]:
    return {name: alarm for name, alarm in dict(changes).items() if alarm.state is not S.NORMAL}
