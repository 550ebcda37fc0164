"""What the archive tells of alarms, out of both databases."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.alarm_history import asked, changes, in_order, known_since, names, standing, told, trend, without_repeats
from runtime.database import engine
from runtime.heard import Heard
from runtime.history import History
from schemas.messages import AlarmRequest, Notified, RequestOutcome, Telemetry, Value
from schemas.topics import ALARM, ALARM_MAINTENANCE, ALARM_OUTCOME, ALARM_REQUEST, NOTIFY_TOLD, TELEMETRY
from tests.consumers.alarm_journal import BEGIN, Change, S, change, excursion

MINUTE = timedelta(minutes=1)
SAID: list[Change] = [
    *excursion("hot", BEGIN, ack=30, lasts=90),
    *excursion("cold", BEGIN + 2 * MINUTE, ack=None, lasts=60),
    change("hot", BEGIN + 10 * MINUTE, S.UNACKNOWLEDGED),
]


@pytest.fixture
async def database(archive_url: str) -> AsyncIterator[AsyncEngine]:
    found = engine(archive_url)
    yield found
    await found.dispose()


async def keep(database: AsyncEngine, said: Sequence[tuple[Any, dict[str, str], Any]]) -> None:
    heard = [Heard(topic, {"site": "plant", **place}, one, "", b"", False, 0) for topic, place, one in said]
    await Store(database, pytest.fail).keep(sort_out(heard, BEGIN + timedelta(days=400))[0])


async def test_changes_requests_and_the_curve_come_back(database: AsyncEngine) -> None:
    assert await known_since(database, "plant") is None
    said: list[tuple[Any, dict[str, str], Any]] = [(ALARM, {"alarm": name}, one) for name, one in SAID]
    hot, later = {"alarm": "hot"}, BEGIN + timedelta(hours=8)
    said += [
        (ALARM_REQUEST, hot, AlarmRequest(id="a", at=BEGIN + MINUTE, action="ack", who="erik")),
        (ALARM_MAINTENANCE, hot, AlarmRequest(id="b", at=BEGIN + 2 * MINUTE, action="out_of_service", who="erik",
                                              why="sensor", until=later)),
        (ALARM_OUTCOME, hot, RequestOutcome(id="b", at=BEGIN + 3 * MINUTE, followed=False, reason="no right")),
    ]  # fmt: skip
    messages = [
        Notified(at=BEGIN + MINUTE, result="sent", id="m-1", alarms=["hot"], people=["anna"], channel="mail"),
        Notified(at=BEGIN + 2 * MINUTE, result="failed", id="m-2", alarms=["cold", "hot"], channel="mail", why="no"),
        Notified(at=BEGIN + 2 * MINUTE + timedelta(microseconds=1), result="nobody", alarms=["cold"], why="no"),
    ]
    said += [(NOTIFY_TOLD, {}, one) for one in messages]
    for device, early in (("bms1", 0), ("bms2", 30)):
        for second in range(60):
            at = BEGIN + timedelta(seconds=second - early)
            values: dict[str, Value] = {"cell_u_max": 3.0 + second / 100}
            said.append(
                (TELEMETRY, {"device": device}, Telemetry(at=at, epoch="0" * 16, seq=second + 1, values=values))
            )
    await keep(database, said)
    all_of_it = sorted(SAID, key=lambda one: one[1].at)
    assert await changes(database, "plant", BEGIN, BEGIN + timedelta(hours=1)) == all_of_it
    assert await changes(database, "plant", BEGIN, BEGIN + timedelta(hours=1), ["cold"]) == all_of_it[3:5]
    assert await changes(database, "plant", BEGIN, BEGIN + timedelta(hours=1), most=1) == all_of_it[-1:]
    assert await changes(database, "plant", BEGIN, BEGIN) == []
    then = dict(await standing(database, "plant", BEGIN + 10 * MINUTE))
    assert {name: one.state for name, one in then.items()} == {"hot": S.NORMAL, "cold": S.RETURNED}
    assert await names(database, "plant") == ["cold", "hot"]
    assert await known_since(database, "plant") == all_of_it[0][1].at, "readings say nothing of who judged them"
    wishes = await asked(database, "plant", BEGIN, BEGIN + timedelta(hours=1), ["hot"])
    assert [(one.wish, one.who, one.followed, one.reason) for one in wishes] == [
        ("ack", "erik", None, ""),
        ("out_of_service", "erik", False, "no right"),
    ]
    found = {name: await told(database, "plant", BEGIN, later, [name]) for name in ("hot", "cold", "hotter")}
    assert found == {"hot": messages[:2], "cold": messages[1:], "hotter": []}
    assert await told(database, "plant", BEGIN, later, most=2) == messages[1:]
    seen = await trend(History(database), "plant", SAID[0][1], BEGIN)
    assert seen is not None
    assert (seen.device, seen.point) == ("bms1", "cell_u_max")
    assert 3.0 <= seen.curve[0][1] <= 3.3
    assert await trend(History(database), "plant", SAID[0][1].model_copy(update={"point": "soc"}), BEGIN) is None


def test_what_is_told_again_is_no_change() -> None:
    raised, later = change("hot", BEGIN, S.UNACKNOWLEDGED), BEGIN + MINUTE
    again = change("hot", later, S.UNACKNOWLEDGED, since=BEGIN)
    others = [change("cold", later, S.UNACKNOWLEDGED), change("hot", later, S.ACKNOWLEDGED, since=BEGIN, by="erik")]
    anew = change("hot", later, S.UNACKNOWLEDGED)
    assert without_repeats([raised, again, *others, again, again, anew]) == [raised, *others, again, anew]


async def test_what_ended_after_the_clock_was_set_back_does_not_stand(database: AsyncEngine) -> None:
    """Its end bore a time before its raise: by the times it stood for ever, until it was raised anew."""
    raised, back = BEGIN + 60 * MINUTE, BEGIN + 5 * MINUTE
    set_back = [
        change("a", raised, S.UNACKNOWLEDGED),
        change("a", raised + MINUTE, S.ACKNOWLEDGED, since=raised),
        change("a", back, S.NORMAL, since=raised),
        change("b", raised, S.UNACKNOWLEDGED),
        change("b", back, S.RETURNED, since=raised),
        change("b", back + MINUTE, S.UNACKNOWLEDGED),
        change("c", raised, S.UNACKNOWLEDGED),
    ]
    await keep(database, [(ALARM, {"alarm": name}, one) for name, one in set_back])
    later = BEGIN + timedelta(days=9)
    found = await changes(database, "plant", BEGIN, later)
    for name in "abc":
        assert [one for one in found if one[0] == name] == [one for one in set_back if one[0] == name]
    known = {name: one.state for name, one in await standing(database, "plant", later)}
    assert known == {"a": S.NORMAL, "b": S.UNACKNOWLEDGED, "c": S.UNACKNOWLEDGED}
    before = await standing(database, "plant", BEGIN + 30 * MINUTE)
    during = await changes(database, "plant", BEGIN + 30 * MINUTE, later)
    assert dict(in_order([*before, *during]))["a"].state is S.NORMAL, "also where a report begins in between"


async def test_a_clock_that_was_never_set_knows_nothing_of_all_the_years_since_1970(database: AsyncEngine) -> None:
    """A report of last month said that all of it was seen, on a site that began yesterday."""
    first = [change("a", BEGIN.replace(year=1970), S.UNACKNOWLEDGED), change("a", BEGIN, S.NORMAL)]
    await keep(database, [(ALARM, {"alarm": name}, one) for name, one in first])
    assert await known_since(database, "plant") == BEGIN
