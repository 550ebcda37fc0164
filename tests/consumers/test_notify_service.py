"""The notify consumer beside a real broker, a mail server and a webhook's server."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from consumers.notify import outbox, service
from consumers.notify.desk import Kept
from consumers.notify.outbox import Outgoing
from consumers.notify.sender import Sender
from consumers.notify.service import run
from joulebus.server import free_port
from runtime.ack_link import read_token
from runtime.bus import Bus
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import AlarmState, Cause, NotifyRequest
from schemas.site_file import load_site
from schemas.site_notify import NotifyChannel
from schemas.topics import ALARM, NOTIFY_OUTCOME, NOTIFY_REQUEST, NOTIFY_TOLD, SERVICE_EVENT
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.notified import KEY, alarm, mailbox, notify_table, webhook
from tests.consumers.test_alarms_catalog import small_site
from tests.ear import ear as hearing
from tests.timed import long

CHANNELS = {"mail": 'url_file = "mail.url"', "hook": "", "lost": 'url = "nonsense://verysecret"'}
PEOPLE = {"anna": '"mail", "lost"', "ben": '"hook"'}


def site_file(folder: Path, name: str, first: str = '"anna", "ben"', mail: int = 1) -> Path:
    url = f"mailto://127.0.0.1:{mail}/?from=plant@ems.example&to=anna@ems.example&mode=insecure"
    (folder / "mail.url").write_text(url, encoding="utf-8")
    table = notify_table(CHANNELS, PEOPLE, f'{{ to = [{first}] }}, {{ after = 600, to = ["ben"] }}')
    return small_site(folder, name, table.replace("[notify]", '[notify]\npage = "https://ems.example/"'))


@asynccontextmanager
async def running(broker: Broker | str, path: Path, hook: int) -> AsyncIterator[Part]:
    address = broker if isinstance(broker, str) else broker.url("notify")
    env = {"JOULEBUS_NOTIFY_HOOK": f"json://127.0.0.1:{hook}/alarms?rto=1&cto=1"}
    settings = Settings(
        parse_broker(address, "notify", None, {}), database="", state=path.parent, ack_key=KEY, channels=env
    )
    part = Part("notify", load_site(path), settings)
    job = asyncio.create_task(run(part))
    try:
        yield part
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


@asynccontextmanager
async def speaking(broker: Broker, role: str) -> AsyncIterator[Bus]:
    async with Bus(parse_broker(broker.url(role), role, None, {}), identifier=role) as bus:
        yield bus


def alarms(broker: Broker) -> AbstractAsyncContextManager[Bus]:
    """The voice of the alarms consumer."""
    return speaking(broker, "alarms")


async def until(true: Callable[[], bool], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110  # what it waits for knows nothing of events
            await asyncio.sleep(0.02)


async def test_people_are_told_and_one_wrong_channel_stops_nobody(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    everything = f"ems/v1/{site_name}/#"
    async with (
        mailbox() as box, webhook() as hook, alarms(broker) as bus, hearing(broker.url("admin"), everything) as admin
    ):  # fmt: skip
        path = site_file(tmp_path, site_name, mail=box.port)
        raised = alarm()
        await bus.say(ALARM, raised, site=site_name, alarm="hot-bms1")  # before anybody listens: it is kept
        async with running(broker, path, hook.port) as part:
            await until(lambda: len(box.mails) == len(hook.calls) == 1)
            assert "notify_fails" in part.status().causes
            assert "channel lost is not used" in part.status().detail
            assert "verysecret" not in part.status().model_dump_json()
            await bus.say(
                ALARM, raised.model_copy(update={"state": AlarmState.NORMAL}), site=site_name, alarm="hot-bms1"
            )
            await bus.say(ALARM, None, site=site_name, alarm="hot-bms1")
            await until(lambda: len(box.mails) == len(hook.calls) == 2)
            await until(lambda: part.counts["sent"] == 4)
            await admin.until(
                SERVICE_EVENT, lambda event: event.payload["says"] == "over" and event.payload["people"] == ["ben"]
            )
            await until(lambda: len(admin.all(NOTIFY_TOLD)) == 4)
        told = admin.all(NOTIFY_TOLD)
        assert sorted((one.says, *one.people, one.channel, one.result, *one.alarms) for one in told) == [
            (says, who, channel, "sent", "hot-bms1") for says in ("over", "raised")
            for who, channel in (("anna", "mail"), ("ben", "hook"))
        ]  # fmt: skip
        assert {one.id for one in told} >= {*hook.ids}
        assert not any(secret in f"{told}" for secret in ("127.0.0.1", "ems.example", "verysecret"))
        headers, said = hook.calls[0]
        assert said["title"] == f"{site_name}: HIGH: bms1: the battery is too hot"
        lines = said["message"].splitlines()
        assert lines[:4] == [
            "the battery is too hot", "What comes of it: It ages.", "What to do: Stop it.",
            "Highest cell temperature 56 degC, limit 55 degC",
        ]  # fmt: skip
        link = next(one for one in lines if one.startswith("Acknowledge: https://ems.example/ack/"))
        claim = read_token(unquote(link.rpartition("/")[2]), KEY, site_name, utc_now())
        assert (claim.alarm, claim.since, claim.person) == ("hot-bms1", raised.since, "ben")
        assert lines[-1] == f"({headers['x-joulebus-message']})"
        assert box.mails[0][0] == ["anna@ems.example"]
        assert "Subject: =?" in box.mails[0][1] or f"Subject: {site_name}: HIGH" in box.mails[0][1]
        assert hook.titles[1].startswith(f"{site_name}: over: ")


async def test_a_channel_that_fails_is_said_the_next_step_is_taken_and_it_delivers_once_when_it_is_back(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT", 0.5)
    port = free_port()  # nobody listens there yet
    path = site_file(tmp_path, site_name, first='"anna"', mail=port)
    async with webhook() as hook, alarms(broker) as bus, running(broker, path, hook.port) as part:
        await bus.say(ALARM, alarm(), site=site_name, alarm="hot-bms1")
        await until(lambda: len(hook.calls) == 1)  # in 10 minutes, without the failure
        assert any("channel mail does not take its messages" in one for one in part.status().detail.split("; "))
        hook.status = 503
        await bus.say(ALARM, alarm(device="pcs1"), site=site_name, alarm="hot-pcs1")
        await until(lambda: hook.refused >= 1)
        await until(lambda: "channel hook does not" in part.status().detail)
        hook.status = 200
        await until(lambda: len(hook.calls) == 2)
        await until(lambda: "channel hook does not" not in part.status().detail)
        assert len({*hook.ids}) == 2
        await bus.say(ALARM, None, site=site_name, alarm="hot-bms1")
        await bus.say(ALARM, None, site=site_name, alarm="hot-pcs1")


@long("two processes of their own; a restart at any moment is in the stories")
async def test_a_killed_one_neither_repeats_what_arrived_nor_forgets_what_did_not(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    """kill -9 while one channel has it, and the other one is dead."""
    port = free_port()
    path = site_file(tmp_path, site_name, first='"anna", "ben"', mail=1)
    env = {
        "JOULEBUS_BROKER": broker.url("notify"),
        "JOULEBUS_STATE": str(tmp_path),
        "JOULEBUS_HEALTH": "127.0.0.1:0",
        "JOULEBUS_NOTIFY_HOOK": f"json://127.0.0.1:{port}/",
        "PATH": "/usr/bin",
    }
    (tmp_path / "mail.url").write_text("", encoding="utf-8")

    async def started() -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "joulebus.cli", "notify", "--site", str(path)]
        return await asyncio.create_subprocess_exec(*command, env=env)

    record = tmp_path / f"notify-{site_name}.json"

    def written() -> bool:
        """That the mail has arrived, and that the other one has not: before that it may come twice."""
        waiting = Kept.model_validate_json(record.read_bytes()).waiting if record.is_file() else []
        return [(one.channel, one.tries > 0) for one in waiting] == [("hook", True)]

    async with mailbox() as box, alarms(broker) as bus:
        mail = f"mailto://127.0.0.1:{box.port}/?from=p@ems.example&to=a@ems.example&mode=insecure"
        (tmp_path / "mail.url").write_text(mail, encoding="utf-8")
        await bus.say(ALARM, alarm(), site=site_name, alarm="hot-bms1")
        process = await started()
        try:
            await until(lambda: len(box.mails) == 1, within=20)
            await until(written, within=10)
            process.kill()
            await process.wait()
            async with webhook(port) as hook:
                process = await started()
                await until(lambda: len(hook.calls) == 1, within=20)
                await asyncio.sleep(0.5)
                assert len(box.mails) == len(hook.calls) == 1
                assert hook.ids[0].endswith("-2"), "it bears the id it was made with"
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await bus.say(ALARM, None, site=site_name, alarm="hot-bms1")


async def test_without_a_broker_people_are_told(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WITHOUT_BROKER", 0.5)
    path = site_file(tmp_path, site_name, first='"ben"')
    async with webhook() as hook, running(f"mqtt://127.0.0.1:{free_port()}", path, hook.port):
        await until(lambda: len(hook.calls) == 1)
        assert "there is no connection to the broker" in hook.titles[0]
    async with webhook(hook.port) as again, running(broker, path, hook.port):
        await until(lambda: len(again.calls) >= 1)
        assert "over: notify: there is no connection to the broker" in again.titles[0], "and nothing is told again"


async def test_what_is_on_its_way_at_an_orderly_end_is_not_told_again_and_a_repeat_bears_its_id(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to end while the server has not answered: within `LAST` it is heard of, after that it is sent once more."""
    path = site_file(tmp_path, site_name, first='"ben"')
    async with webhook() as hook, alarms(broker) as bus:

        async def ended(number: int) -> None:
            await bus.say(ALARM, alarm(), site=site_name, alarm=f"hot{number}-bms1")
            async with running(broker, path, hook.port):
                await until(lambda: hook.taken == number)

        hook.hangs = 0.5
        await ended(1)
        monkeypatch.setattr(service, "LAST", 0.0)
        await ended(2)
        hook.hangs = 0.0
        async with running(broker, path, hook.port):
            await until(lambda: len(hook.calls) >= 3)
        assert hook.ids[1] == hook.ids[2] != hook.ids[0]
        for number in (1, 2):
            await bus.say(ALARM, None, site=site_name, alarm=f"hot{number}-bms1")


async def test_a_test_says_what_each_server_answered_and_is_asked_for_by_operators(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    path, asked = site_file(tmp_path, site_name, mail=free_port()), NOTIFY_REQUEST.at(site=site_name)

    def wish(name: str, **more: Any) -> NotifyRequest:
        return NotifyRequest(id=name, at=utc_now(), action="test", who="erik", **more)

    async with (
        webhook() as hook,
        hearing(broker.url("engineer"), NOTIFY_OUTCOME.at(site=site_name)) as answers,
        speaking(broker, "operator") as operator,
        running(broker, path, hook.port) as part,
    ):
        await until(lambda: part.ready)
        await operator.send(asked, wish("kept").model_dump_json().encode(), retain=True)
        await answers.until(NOTIFY_OUTCOME, lambda one: one.cause == Cause.RETAINED)
        await operator.send(asked, b"", retain=True)
        await operator.say(NOTIFY_REQUEST, wish("all"), site=site_name)
        await answers.until(NOTIFY_OUTCOME, lambda one: one.id == "all" and bool(one.channels))
        await operator.say(NOTIFY_REQUEST, wish("soon", person="ben"), site=site_name)
        await answers.until(NOTIFY_OUTCOME, lambda one: one.id == "soon")
    begun, ended = (one for one in answers.all(NOTIFY_OUTCOME) if one.id == "all")
    assert (begun.followed, begun.reason) == (True, "on its way by mail, hook, lost")
    assert (ended.followed, ended.cause, {one.channel: one.sent for one in ended.channels}) == (
        False, Cause.NOTIFY_FAILS, {"mail": False, "hook": True, "lost": False},
    )  # fmt: skip
    assert "hook: sent: its server took the message" in ended.reason
    assert "lost: not sent: its address cannot be used" in ended.reason
    assert not any(secret in ended.reason for secret in ("verysecret", "@ems.example"))
    (soon,) = (one for one in answers.all(NOTIFY_OUTCOME) if one.id == "soon")
    assert (soon.followed, soon.cause) == (False, Cause.TOO_OFTEN)
    assert hook.titles[-1] == f"{site_name}: a test of joulebus"


async def test_a_server_that_hangs_is_asked_once_and_what_it_takes_late_counts() -> None:
    async with webhook() as hook:
        hook.hangs = 0.6
        sender = Sender(NotifyChannel(name="slow", timeout=0.2), f"json://127.0.0.1:{hook.port}/secretpath")
        now = utc_now()
        one = Outgoing(id="n-1", channel="slow", made=now, due=now, title="t", body="b", short="s")
        assert await sender.send(one) == "no answer within 0.2 s"
        await asyncio.sleep(0.8)
        assert await sender.send(one) == ""
        assert hook.ids == ["n-1"]
        hook.hangs, hook.status = 0.0, 500
        why = await sender.send(one.model_copy(update={"id": "n-2"}))
        assert "error" in why.lower()
        assert "secretpath" not in why
