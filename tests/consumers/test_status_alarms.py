"""The addresses of the alarms: who may ask what of them, what the archive tells of them, and why one was raised."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.status.alarm_past import AlarmPast
from consumers.status.app import create_app
from consumers.status.archive import Archive
from consumers.status.door import OFTEN
from consumers.status.said import NotSaid
from consumers.status.service import moment
from consumers.status.state import State, fold
from consumers.status.wishes import MOST_AT_ONCE
from runtime.database import engine
from runtime.history import History
from runtime.settings import read_settings
from schemas.messages import Alarm, AlarmPriority, AlarmRequest, AlarmState, Notified
from schemas.tables import alarm as alarms
from schemas.tables import control, metadata, telemetry
from schemas.topics import ALARM, ALARM_MAINTENANCE, ALARM_REQUEST, NOTIFY_REQUEST, NOTIFY_TOLD, M, Topic
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.consumers.notified import notify_table
from tests.consumers.test_status_api import PAGE, TOKEN, Said, curves
from tests.consumers.test_status_state import EPOCH, page_site

NOTIFY = notify_table({"mail": ""}, {"anna": '"mail"'}, '{ to = ["anna"] }')
ENGINEER = "0f3a9c7be1d25846"
OUT = b'{"action": "out_of_service", "who": "Eve", "why": "sensor", "until": "2030-01-01T00:00:00Z"}'
BACK = b'{"action": "in_service", "who": "Eve"}'
ACK = b'{"action": "ack", "who": "Ann"}'
LIST = b'{"alarms": ["a-bms1"], "who": "Ann"}'


def client(folder: Path, said: Any, token: str | None = None, engineer: str | None = None) -> httpx.AsyncClient:
    app = create_app(page_site(folder), dict, curves, said.publish, token=token, engineer_token=engineer)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


def shown(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# --- rights ------------------------------------------------------------------------------------------

BOTH = (TOKEN, ENGINEER)
RIGHTS: dict[str, tuple[tuple[str | None, str | None], dict[str, str], bytes, int]] = {
    "no tokens": ((None, None), PAGE, OUT, 202),
    "no tokens, back": ((None, None), PAGE, BACK, 202),
    "no engineer's": ((TOKEN, None), shown(TOKEN), OUT, 403),
    "the operator": (BOTH, shown(TOKEN), OUT, 403),
    "the operator, back": (BOTH, shown(TOKEN), BACK, 403),
    "the operator acknowledges": (BOTH, shown(TOKEN), ACK, 202),
    "the engineer": (BOTH, shown(ENGINEER), OUT, 202),
    "the engineer, back": (BOTH, shown(ENGINEER), BACK, 202),
    "the engineer acknowledges": (BOTH, shown(ENGINEER), ACK, 202),
    "somebody": (BOTH, shown("5d8e1c0a97b34f27"), OUT, 401),
    "nobody": (BOTH, {}, OUT, 401),
    "of another kind": (BOTH, {"authorization": f"Basic {ENGINEER}"}, OUT, 401),
}


@pytest.mark.parametrize(("tokens", "headers", "body", "answer"), RIGHTS.values(), ids=RIGHTS)
async def test_only_an_engineer_takes_an_alarm_out_of_service(
    tmp_path: Path, tokens: tuple[str | None, str | None], headers: dict[str, str], body: bytes, answer: int
) -> None:
    said = Said()
    async with client(tmp_path, said, *tokens) as asking:
        response = await asking.post("/api/alarms/hot-bms1", content=body, headers=headers)
    assert response.status_code == answer, response.text
    topic = ALARM_REQUEST if body == ACK else ALARM_MAINTENANCE
    expected = [topic.at(site="plant", alarm="hot-bms1")] if answer == 202 else []
    assert [where for where, *_ in said.orders] == expected
    if answer == 403:
        assert "the engineer's token (JOULEBUS_ENGINEER_TOKEN)" in response.json()["detail"]


TOKENS = {
    "alone": ({"JOULEBUS_ENGINEER_TOKEN": ENGINEER}, "JOULEBUS_ENGINEER_TOKEN needs JOULEBUS_PAGE_TOKEN"),
    "the same": (
        {"JOULEBUS_ENGINEER_TOKEN": TOKEN, "JOULEBUS_PAGE_TOKEN": TOKEN},
        "JOULEBUS_ENGINEER_TOKEN is the same as JOULEBUS_PAGE_TOKEN",
    ),
    "short": ({"JOULEBUS_ENGINEER_TOKEN": "short", "JOULEBUS_PAGE_TOKEN": TOKEN}, "JOULEBUS_ENGINEER_TOKEN has 5"),
    "empty": ({"JOULEBUS_ENGINEER_TOKEN": "", "JOULEBUS_PAGE_TOKEN": TOKEN}, "JOULEBUS_ENGINEER_TOKEN has 0"),
}


@pytest.mark.parametrize(("env", "why"), TOKENS.values(), ids=TOKENS)
def test_a_token_that_makes_everybody_an_engineer_is_refused(env: dict[str, str], why: str) -> None:
    with pytest.raises(Trouble, match=why):
        read_settings("status", env)
    assert read_settings("alarms", env).engineer_token is None, "no other part fails for what the page needs"


# --- all in view -------------------------------------------------------------------------------------


async def test_a_list_is_acknowledged_by_one_request_each_and_is_one_action(tmp_path: Path) -> None:
    said = Said()
    names = [f"hot-bms{number}" for number in range(MOST_AT_ONCE)]
    async with client(tmp_path, said) as asking:
        body = {"alarms": [*names[:-1], *names[:-1][:1]], "who": "Ann", "why": "seen"}
        told = (await asking.post("/api/alarms/ack", json=body, headers=PAGE)).json()
        codes = [(await asking.post("/api/alarms/ack", content=LIST, headers=PAGE)).status_code for _ in range(OFTEN)]
    orders = said.orders[: MOST_AT_ONCE - 1]
    assert [where for where, *_ in orders] == [ALARM_REQUEST.at(site="plant", alarm=name) for name in names[:-1]]
    wishes = [order for _, order, _ in orders if isinstance(order, AlarmRequest)]
    assert {(one.action, one.who, one.why) for one in wishes} == {("ack", "Ann", "seen")}
    assert told == {"asked": dict(zip(names[:-1], [one.id for one in wishes], strict=True)), "failed": {}}
    assert len({one.id for one in wishes}) == len(wishes)
    assert codes == [202] * (OFTEN - 1) + [429]


@pytest.mark.parametrize("names", [[], ["UPPER"], ["a b"], ["a-b"] * (MOST_AT_ONCE + 1), "a-b"], ids=str)
async def test_a_list_that_is_none_is_refused_in_words(tmp_path: Path, names: Any) -> None:
    said = Said()
    async with client(tmp_path, said) as asking:
        answer = await asking.post("/api/alarms/ack", json={"alarms": names, "who": "Ann"}, headers=PAGE)
    assert (answer.status_code, said.orders) == (422, [])
    assert answer.json()["detail"][0]["field"].startswith("alarms")


class Breaking(Said):
    """The connection breaks behind the first."""

    tried = 0

    async def publish(self, topic: Topic[M], message: M, *, expiry: float | None = None, **place: str) -> None:
        self.tried += 1
        if self.orders:
            raise NotSaid("there is no connection to the broker")
        await super().publish(topic, message, expiry=expiry, **place)


async def test_of_a_list_each_that_was_not_asked_is_named(tmp_path: Path) -> None:
    """And behind the first that was not no other is tried: each would wait for the broker again."""
    body = {"alarms": ["a-bms1", "b-bms1", "c-bms1"], "who": "Ann"}
    breaking = Breaking()
    dead = Said()
    dead.broken = True
    async with client(tmp_path, breaking) as asking:
        told = (await asking.post("/api/alarms/ack", json=body, headers=PAGE)).json()
    failed = dict.fromkeys(("b-bms1", "c-bms1"), "there is no connection to the broker")
    assert ([*told["asked"]], told["failed"], breaking.tried) == (["a-bms1"], failed, 2)
    async with client(tmp_path, dead) as asking:
        assert (await asking.post("/api/alarms/ack", json=body, headers=PAGE)).status_code == 503


TESTS: dict[str, tuple[str, bytes, int, str]] = {
    "a person": (NOTIFY, b'{"person": "anna", "who": "Ann"}', 202, "test"),
    "both": (NOTIFY, b'{"person": "anna", "channel": "mail", "who": "Ann"}', 422, "give either `channel` or `person`"),
    "nobody asks": (NOTIFY, b'{"person": "anna"}', 422, "who"),
    "nobody is told": ("", b'{"person": "anna", "who": "Ann"}', 404, "has no [notify]"),
}


@pytest.mark.parametrize("name", TESTS)
async def test_a_test_of_channels_is_passed_on(tmp_path: Path, name: str) -> None:
    table, body, status, words = TESTS[name]
    said = Said()
    app = create_app(page_site(tmp_path, more=table), dict, curves, said.publish)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
        answer = await asking.post("/api/notify/test", content=body, headers=PAGE)
        assert (await asking.post("/api/notify/test", content=body)).status_code == 403
        assert ("Send a test to" in (await asking.get("/alarms")).text) == (status != 404)
    assert (answer.status_code, words in answer.text) == (status, True)
    assert [where for where, *_ in said.orders] == [NOTIFY_REQUEST.at(site="plant")] * (status == 202)


# --- what was ----------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


def hot(**given: Any) -> Alarm:
    now = utc_now()
    plain: dict[str, Any] = {
        "at": now - HOUR, "state": AlarmState.UNACKNOWLEDGED, "priority": AlarmPriority.HIGH, "device": "bms1",
        "point": "cell_t_max", "text": "Hot.", "cause": "It is hot.", "active": True, "since": now - HOUR,
        "value": 46.0, "limit": 45.0, "unit": "degC",
    }  # fmt: skip
    return Alarm(**plain | given)


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    database = engine(f"sqlite+aiosqlite:///{tmp_path}/archive.db")
    now = utc_now()
    evil = {"state": AlarmState.ACKNOWLEDGED, "at": now - HOUR / 2, "by": "=cmd|' /C calc'!A0", "why": '<b>x</b>, "y"'}
    said = [("hot-bms1", hot()), ("hot-bms1", hot(**evil)), ("old-bms1", hot(at=now - 40 * HOUR))]
    said.append(("hot-bms1", hot(state=AlarmState.NORMAL, active=False, at=now - HOUR / 3)))
    said.append(("service_down-archive", hot(device="archive", point="state", value="offline", limit=None, unit="")))
    other = {
        "site": "plant",
        "alarm": "new-bms1",
        "at": now,
        "state": "x",
        "priority": "high",
        "body": '{"state": "x"}',
    }
    rows = [other] + [
        {"site": "plant", "alarm": name, "at": one.at, "state": one.state, "priority": one.priority,
         "body": one.model_dump_json()}
        for name, one in said
    ]  # fmt: skip
    measured = [
        {"site": "plant", "device": "bms1", "at": now - timedelta(seconds=20 * ago), "epoch": EPOCH, "seq": 1000 - ago,
         "historical": False, "points": f'{{"cell_t_max": {60 - ago / 10}}}', "quality": None}
        for ago in range(300)
    ]  # fmt: skip
    message = Notified(
        at=now - HOUR / 4,
        result="given_up",
        id="m-1",
        alarms=["hot-bms1", "x"],
        people=["anna"],
        channel="mail",
        why="no",
    )
    told = {"site": "plant", "at": message.at, "topic": NOTIFY_TOLD.name, "subject": "", "who": "anna"}
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(alarms.insert(), rows)
        await connection.execute(telemetry.insert(), measured)
        await connection.execute(control.insert(), [told | {"body": message.model_dump_json()}])
    yield database
    await database.dispose()


def asking(folder: Path, database: AsyncEngine, **now: Alarm) -> httpx.AsyncClient:
    state = State(page_site(folder), broker=True)
    for name, alarm in now.items():
        fold(state, ALARM, {"alarm": name.replace("__", "-")}, alarm, moment())
    past = AlarmPast(state, History(database), Archive(state), moment)
    app = create_app(state.site, dict, curves, Said().publish, past=past)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


SPANS = {
    "a day": ("", ["hot-bms1", "hot-bms1", "hot-bms1", "service_down-archive"]),
    "some minutes": ("?hours=0.4", ["hot-bms1"]),
    "a month": ("?hours=744", ["hot-bms1", "hot-bms1", "hot-bms1", "service_down-archive", "old-bms1"]),
    "of one": ("?hours=744&alarm=old-bms1", ["old-bms1"]),
    "of none": ("?alarm=nobody-bms1", []),
}


async def test_the_history_tells_the_newest_change_first(tmp_path: Path, stored: AsyncEngine) -> None:
    async with asking(tmp_path, stored) as page:
        found = {name: (await page.get(f"/api/alarms/history{span}")).json() for name, (span, _) in SPANS.items()}
    assert {name: (one["fault"], one["more"]) for name, one in found.items()} == dict.fromkeys(SPANS, ("", False))
    told = {name: sorted(change["alarm"] for change in one["changes"]) for name, one in found.items()}
    assert told == {name: sorted(names) for name, (_, names) in SPANS.items()}
    moments = [change["at"] for change in found["a month"]["changes"]]
    assert moments == sorted(moments, reverse=True)
    assert [change["state"] for change in found["a day"]["changes"][:2]] == ["normal", "acknowledged"]
    assert {name: [one["words"] for one in each["told"]] for name, each in found.items()} == {
        name: ["not told to anna by mail, given up: no (m-1)"] if name in ("a day", "some minutes", "a month") else []
        for name in SPANS
    }


async def test_a_table_of_the_history_runs_nothing_in_a_spreadsheet(tmp_path: Path, stored: AsyncEngine) -> None:
    async with asking(tmp_path, stored) as page:
        answer = await page.get("/api/alarms/history?hours=24&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="alarms.csv"'
    rows = [*csv.DictReader(io.StringIO(answer.text))]
    said = next(row for row in rows if row["state"] == "acknowledged")
    assert (said["by"], said["why"]) == ("'=cmd|' /C calc'!A0", '<b>x</b>, "y"')
    assert len(rows) == 4 + 2
    assert [(one["alarm"], one["people"], one["why"]) for one in rows if one["told"] == "given_up"] == [
        ("hot-bms1", "anna", "no"), ("x", "anna", "no"),
    ]  # fmt: skip


EXPLAINED = {
    "one that stands": ("now-bms1", "It is hot.", True),
    "one that is over": ("hot-bms1", "It is hot.", True),
    "one of a part": ("service_down-archive", "It is hot.", False),
}


@pytest.mark.parametrize(("name", "what", "drawn"), EXPLAINED.values(), ids=EXPLAINED)
async def test_why_an_alarm_was_raised_is_told_with_the_curve_around_it(
    tmp_path: Path, stored: AsyncEngine, name: str, what: str, drawn: bool
) -> None:
    async with asking(tmp_path, stored, now__bms1=hot()) as page:
        found = (await page.get(f"/api/alarms/{name}/explain")).json()
    alarm, trend = found["alarm"], found["trend"]
    assert (found["fault"], alarm["what"], alarm["limit"] if drawn else 45.0) == ("", what, 45.0)
    assert (trend is not None) == drawn
    if drawn:
        since = utc_now() - HOUR
        assert abs(trend["start"] - (since - HOUR / 2).timestamp()) < 10
        assert abs(trend["end"] - utc_now().timestamp()) < 10
        before = [mean for at, mean in zip(trend["at"], trend["mean"], strict=True) if at < since.timestamp()]
        assert 32 < min(before) < max(before) < 43
        assert 59 < trend["mean"][-1] <= 60


async def test_of_a_device_that_was_silent_a_curve_shows_the_gap(tmp_path: Path, stored: AsyncEngine) -> None:
    mute = hot(silent=True, point="telemetry", unit="s", value=12.0, limit=5.0)
    async with asking(tmp_path, stored, mute__bms1=mute) as page:
        trend = (await page.get("/api/alarms/mute-bms1/explain")).json()["trend"]
    assert (trend["point"], trend["unit"], trend["at"]) == ("soc", "%", [])


async def test_an_alarm_from_tomorrow_has_no_curve(tmp_path: Path, stored: AsyncEngine) -> None:
    async with asking(tmp_path, stored, far__bms1=hot(since=utc_now() + 24 * HOUR)) as page:
        found = (await page.get("/api/alarms/far-bms1/explain")).json()
    assert (found["fault"], found["trend"]["at"]) == ("", [])


async def test_what_nobody_knows_is_not_explained(tmp_path: Path, stored: AsyncEngine) -> None:
    async with asking(tmp_path, stored) as page:
        answer = await page.get("/api/alarms/nobody-bms1/explain")
        wrong = [
            (await page.get(f"/api/alarms/{address}")).status_code
            for address in (
                "history?hours=745",
                "history?hours=nan",
                "history?alarm=A",
                "history?format=x",
                "A/explain",
            )
        ]
    assert (answer.status_code, answer.json()["detail"]) == (
        404, "no alarm nobody-bms1 was raised in the last 31 days",
    )  # fmt: skip
    assert wrong == [422] * 5


async def test_many_who_ask_are_one_question(tmp_path: Path, stored: AsyncEngine) -> None:
    async with asking(tmp_path, stored) as page:
        every = await asyncio.gather(*(page.get("/api/alarms/history") for _ in range(30)))
        others = await asyncio.gather(*(page.get(f"/api/alarms/history?hours={n}") for n in range(1, 40)))
    assert {one.status_code for one in every} == {200}
    assert {one.status_code for one in others} == {200, 503}, "too many different ones are refused in words"
