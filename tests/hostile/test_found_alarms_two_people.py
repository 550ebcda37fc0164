"""What a hostile reader found between the alarms and people: links, tests of channels, the page, the terminal."""

import argparse
import asyncio
import csv
import io
import json
import re
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from consumers.alarms.catalog import load_catalog
from consumers.notify import sender as sender_module
from consumers.notify import service, trial
from consumers.notify.outbox import Outgoing
from consumers.notify.sender import Sender
from consumers.status.app import create_app
from consumers.status.service import moment
from consumers.status.state import Said as SaidOnce
from consumers.status.state import State
from consumers.status.view import view
from joulebus.alarm.history import history
from runtime.ack_link import make_token
from runtime.database import engine
from schemas.messages import AlarmRequest, AlarmState, NotifyRequest, RequestOutcome, ServiceStatus
from schemas.site_notify import NotifyChannel
from schemas.tables import control
from schemas.topics import ALARM, ALARM_REQUEST, NOTIFY_OUTCOME, NOTIFY_REQUEST, SERVICE_STATUS, M, Topic
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.notified import KEY, alarm, webhook
from tests.consumers.test_notify_service import alarms, running, site_file, speaking, until
from tests.consumers.test_notify_story import BERLIN, Story, local, notify
from tests.consumers.test_status_acknowledge import RAISED, app_of, claim
from tests.consumers.test_status_alarms import client
from tests.consumers.test_status_api import PAGE, Said, curves
from tests.consumers.test_status_state import page_site
from tests.ear import ear as hearing


async def test_tests_of_a_channel_that_hangs_do_not_stand_before_its_next_alarm(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that was asked for waited for its turn: after an hour of clicks an alarm came behind hundreds of them."""
    monkeypatch.setattr(trial, "PAUSE", 0.0)
    path = site_file(tmp_path, site_name, first='"ben"')
    async with (
        webhook() as hook, alarms(broker) as bus, speaking(broker, "operator") as operator,
        hearing(broker.url("engineer"), NOTIFY_OUTCOME.at(site=site_name)) as answers,
        running(broker, path, hook.port) as part,
    ):  # fmt: skip
        await bus.say(ALARM, alarm(), site=site_name, alarm="first-bms1")
        await until(lambda: part.counts["sent"] == 1)
        hook.hangs = 0.5
        for name in ("one", "two", "three"):
            wish = NotifyRequest(id=name, at=utc_now(), action="test", who="erik", channel="hook")
            await operator.say(NOTIFY_REQUEST, wish, site=site_name)
        await answers.until(NOTIFY_OUTCOME, lambda said: said.id == "three")
        await bus.say(ALARM, alarm(), site=site_name, alarm="hot-bms1")
        await until(lambda: part.counts["sent"] == 2)
        assert ["test" in title for title in hook.titles] == [False, True, False]
        assert "has not answered the last test yet" in next(
            said.reason for said in answers.all(NOTIFY_OUTCOME) if said.id == "two"
        )
        for name in ("first-bms1", "hot-bms1"):
            await bus.say(ALARM, None, site=site_name, alarm=name)


class Refusing(Said):
    """The alarms service refuses."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    async def publish(self, topic: Topic[M], message: M, *, expiry: float | None = None, **place: str) -> None:
        await super().publish(topic, message, expiry=expiry, **place)
        assert isinstance(message, AlarmRequest)
        assert message.id is not None
        no = RequestOutcome(id=message.id, at=message.at, followed=False, cause="clock_skew", reason="too far apart")
        self.state.answers[message.id] = SaidOnce(no, 0.0)


async def test_a_link_whose_request_was_refused_is_good_for_another_try(tmp_path: Path) -> None:
    """The clock of the page was wrong for a minute: the alarm waited on, and the link said that it was used."""
    state = State(page_site(tmp_path), broker=True, alarms={"hot-bms1": RAISED})
    said, address = Refusing(state), f"/ack/{make_token(claim(), KEY)}"
    async with app_of(state, said) as asking:
        for times in (1, 2):
            answer = await asking.post(address)
            assert (answer.status_code, "too far apart" in answer.text.lower(), len(said.orders)) == (409, True, times)


async def test_all_in_view_are_acknowledged_as_they_were_seen(tmp_path: Path) -> None:
    """What was raised anew behind the dialog, or on a page that was left open, was acknowledged by who never saw it."""
    said, seen = Said(), RAISED.since.isoformat()
    async with client(tmp_path, said) as asking:
        body: dict[str, Any] = {"alarms": ["a-bms1", "b-bms1"], "raised": {"a-bms1": seen}, "who": "Ann"}
        assert (await asking.post("/api/alarms/ack", json=body, headers=PAGE)).status_code == 202
        wrong = await asking.post("/api/alarms/ack", json=body | {"raised": {"a-bms1": "soon"}}, headers=PAGE)
    assert [order.since for _, order, _ in said.orders if isinstance(order, AlarmRequest)] == [RAISED.since, None]
    assert (wrong.status_code, wrong.json()["detail"][0]["field"]) == (422, "raised.a-bms1")


async def test_what_strangers_asked_moves_no_cursor_and_is_no_formula(
    tmp_path: Path, sqlite_archive: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may ask for something wrote the terminal and the spreadsheet of who read of it later."""
    site, now = page_site(tmp_path), utc_now()
    database = engine(sqlite_archive)
    async with database.begin() as once:
        wish = AlarmRequest(id="a", at=now, action="comment", who="\x1b[2Jeve", why="=cmd|' /C calc'!A0")
        row = {"site": site.site, "at": now, "topic": ALARM_REQUEST.name, "subject": "hot-bms1", "who": wish.who}
        await once.execute(control.insert().values(**row, body=wish.model_dump_json()))
    await database.dispose()
    for form in ("words", "csv"):
        parsed = argparse.Namespace(
            start=(now - timedelta(hours=1)).isoformat(), end=None, name=None, json=False, csv=form == "csv"
        )
        assert await history(sqlite_archive, site, parsed) == 0
        said = capsys.readouterr().out
        assert "eve" in said
        assert "\x1b" not in said
        if form == "csv":
            assert next(csv.DictReader(io.StringIO(said)))["why"] == "'=cmd|' /C calc'!A0"


ALIEN = "p < 0 & <b>t</b> <a href='https://evil.example'>here</a>"


def test_a_text_is_no_markup_of_the_service_that_carries_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Telegram takes what comes for HTML: it refused `p < 0` for a day, and made a link of what a device said."""
    sent: list[str] = []

    def post(_: str, data: str, **__: Any) -> requests.Response:
        sent.append(json.loads(data)["text"])
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"ok": true}'
        return answer

    monkeypatch.setattr(requests, "post", post)
    now = utc_now()
    one = Outgoing(id="n-1", channel="room", made=now, due=now, title=ALIEN, body=f"{ALIEN}\nsecond", short=ALIEN)
    for short in (False, True):
        sender = Sender(NotifyChannel(name="room", short=short), "tgram://123456789:abcdefg_hijklmnop/12315544/")
        assert sender._attempt(one) == ""
        assert "p &lt; 0 &amp; &lt;b&gt;t&lt;/b&gt; &lt;a href=" in sent[-1]
        assert {*re.findall("<[^>]*>", sent[-1])} <= {"<b>", "</b>"}, "of the title"


async def test_a_state_with_300_alarms_is_packed_for_who_can_unpack_it(tmp_path: Path) -> None:
    """It was half a megabyte each second to each viewer: on a phone at the site the page stood still."""
    state, closing = State(page_site(tmp_path), broker=True), asyncio.Event()
    texts = [one for rule in load_catalog().every for one in (rule.cause, rule.consequence, rule.response) if one]
    for n in range(300):
        cause, comes, do = (texts[(3 * n + k) % len(texts)] for k in range(3))
        state.alarms[f"hot{n}-bms{n}"] = alarm(
            device=f"bms{n}", cause=cause, consequence=comes, response=do, value=n / 7
        )
    app = create_app(state.site, lambda: view(state, moment()), curves, Said().publish, closing=closing)
    asyncio.get_running_loop().call_later(1.5, closing.set)
    heads = ({"accept-encoding": "br, gzip;q=0.5"}, {"accept-encoding": "gzip;q=0"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as asking:
        packed, plain = await asyncio.gather(*(asking.get("/events", headers=one) for one in heads))
    assert [one.headers.get("content-encoding") for one in (packed, plain)] == ["gzip", None]
    assert packed.text.count("hot299-bms299") == 2, "each event, whole"
    assert packed.num_bytes_downloaded * 6 < plain.num_bytes_downloaded


async def test_what_nobody_can_say_is_not_told_as_over(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that lost its memory, and no alarm service: after 30 s people were told that it is over."""
    monkeypatch.setattr(service, "SETTLED", 0.5)
    path = site_file(tmp_path, site_name, first='"ben"')
    online = ServiceStatus(state="online", detail="", at=utc_now())
    async with webhook() as hook, alarms(broker) as bus:
        await bus.say(SERVICE_STATUS, online, site=site_name, service="alarms")
        await bus.say(ALARM, alarm(), site=site_name, alarm="hot-bms1")
        async with running(broker, path, hook.port) as part:
            await until(lambda: part.counts["sent"] == 1)
            await asyncio.sleep(0.5)
        await bus.say(ALARM, None, site=site_name, alarm="hot-bms1")
        await bus.say(SERVICE_STATUS, None, site=site_name, service="alarms")
        async with running(broker, path, hook.port) as part:
            await until(lambda: part.ready)
            await asyncio.sleep(2.0)
            assert len(hook.titles) == 1, hook.titles
            await bus.say(SERVICE_STATUS, online, site=site_name, service="alarms")
            await until(lambda: len(hook.titles) == 2)
            assert "over" in hook.titles[1]
        await bus.say(SERVICE_STATUS, None, site=site_name, service="alarms")


async def test_a_server_that_never_ends_its_answer_holds_its_channel_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A byte now and then kept each attempt alive; what came later waited for that one until a restart."""
    monkeypatch.setattr(sender_module, "HUNG", 0.3)
    asked, over, ended = list[str](), asyncio.Event(), list[int]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.partition("Message: ")[2].partition("\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\nx-slow: ")
        hangs = len(asked) == 1
        while hangs and not over.is_set():
            writer.write(b"x")
            await asyncio.sleep(0.1)
        writer.write(b"\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        ended.append(1)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/?rto=1&cto=1"
    sender, now = Sender(NotifyChannel(name="slow", timeout=0.2), url), utc_now()
    one = Outgoing(id="n-1", channel="slow", made=now, due=now, title="t", body="b", short="s")
    async with server:
        async with asyncio.timeout(3):
            while await sender.send(one):
                pass
        over.set()
        await until(lambda: len(ended) == 2 and not any(one.name == "notify.send" for one in threading.enumerate()))
    assert asked == ["n-1", "n-1"]


def test_quiet_hours_in_the_nights_in_which_clocks_change() -> None:
    """The hour that comes twice is quiet twice; the one that is missing keeps nobody waiting."""
    people = [
        {"name": name, "channels": ["ben_sms"], "quiet": [{"start": "02:00", "end": "03:00"}]} for name in ["ben"]
    ]
    rules = notify(person=people, rota=[], chain=[{"name": "all", "step": [{"to": ["ben"]}]}])
    for night, told in (("2026-03-29", "03:01 ben"), ("2026-10-25", "03:00 ben")):
        story = Story(rules, local(f"{night}T01:59"), beat=60.0)
        story.now = datetime.fromtimestamp(story.now.timestamp() + 120, BERLIN)
        began = story.now.timestamp()
        story.raised()
        story.run(f"{night}T06:00")
        assert story.who == [told]
        assert story.now.timestamp() - began == (3 * 3600 - 60 if night < "2026-05" else 5 * 3600 - 60)


def test_an_acknowledgement_in_the_second_of_the_next_step_is_before_it() -> None:
    story = Story(notify(), local("2026-06-16T23:00"))
    story.raised()
    for minute in range(1, 15):
        story.restart()
        story.run(f"2026-06-16T23:{minute:02d}")
    story.run("2026-06-16T23:14:45")
    story.now = local("2026-06-16T23:15")
    story.becomes(AlarmState.ACKNOWLEDGED)
    story.run("2026-06-17T06:00")
    assert story.who == ["23:00 anna"]
