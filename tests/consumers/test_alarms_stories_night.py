"""A night on call, end to end: a reading, the alarms, a real broker, notify, a mail server and two phones, the page."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from joulebus.server import free_port
from schemas.units import utc_now
from tests.chaos.clock import faked
from tests.conftest import Broker
from tests.consumers.alarm_rows import Row, site_file
from tests.consumers.alarm_stage import Stage, disk, part, running, stage
from tests.consumers.notified import Hook, mailbox, webhook
from tests.timed import in_time, timed

KEY = "0f" * 16
EARLY = 40.0
"""Seconds before the handover in which all starts and the first is told."""
HANDOVER = datetime(2027, 1, 13, 2, 0, tzinfo=ZoneInfo("Europe/Berlin"))
NOTIFY = """
[notify]
page = "http://127.0.0.1:{page}"
[[notify.channel]]
name = "anna"
url = "mailto://127.0.0.1:{mail}/?from=plant@ems.example&to=anna@ems.example&mode=insecure"
[[notify.channel]]
name = "ben"
url = "json://127.0.0.1:{ben}/?rto=2&cto=2"
[[notify.channel]]
name = "chief"
url = "json://127.0.0.1:{chief}/?rto=2&cto=2"
[[notify.person]]
name = "anna"
channels = ["anna"]
[[notify.person]]
name = "ben"
channels = ["ben"]
[[notify.person]]
name = "chief"
channels = ["chief"]
[[notify.rota]]
name = "duty"
shift = [{{ person = "anna", start = "14:00", end = "02:00" }}, {{ person = "ben" }}]
[[notify.chain]]
name = "all"
classes = ["equipment"]
step = [{{ to = ["duty"] }}, {{ after = 12, to = ["chief"] }}]
returned = false
"""
ROWS = {
    "first": Row("0*2 50", rule='cause = "It is too hot."\nclass = "equipment"'),
    "second": Row("0", rule='cause = "It is too hot."\nclass = "equipment"'),
}


@pytest.mark.slow
@timed
async def test_a_night_on_call(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """It begins before the handover at 02:00. Nobody is called for what was acknowledged by its link."""
    site, page = f"{site_name}-{tmp_path.name}", free_port()
    async with AsyncExitStack() as stack:
        box = await stack.enter_async_context(mailbox())
        ben, chief = [await stack.enter_async_context(webhook()) for _ in range(2)]
        more = NOTIFY.format(page=page, mail=box.port, ben=ben.port, chief=chief.port)
        path = site_file(tmp_path, site, ROWS, more)
        env = {"JOULEBUS_STATE": stack.enter_context(disk(site)), "JOULEBUS_ACK_KEY": KEY}
        env["JOULEBUS_DATABASE"] = f"sqlite+aiosqlite:///{tmp_path}/none.db"
        start = HANDOVER - timedelta(seconds=EARLY)
        env |= faked(f"+{(start - utc_now()).total_seconds():.0f}s")
        began = asyncio.get_running_loop().time()
        parts = [part(name, broker, path, **env) for name in ("alarms", "notify")]
        parts.append(part("status", broker, path, "--page", f"127.0.0.1:{page}", **env))

        def told() -> tuple[int, int, int]:
            return len(box.mails), len(ben.calls), len(chief.calls)

        scada = await stack.enter_async_context(stage(broker, site, ROWS))
        for server in parts:
            await stack.enter_async_context(running(server))
        await scada.begin()
        await _until(lambda: told()[0] == 1, "a mail")
        in_time(asyncio.get_running_loop().time() - began < EARLY, "it was raised after 02:00")
        assert box.mails[0][0] == ["anna@ems.example"]
        await _until(lambda: told()[2] == 1, "nobody has acknowledged for 12 s", within=25)
        await _acknowledge(scada, _link(chief), "first", "chief")
        await asyncio.sleep(max(0.0, began + EARLY + 1 - asyncio.get_running_loop().time()))
        scada.tell("second", 50.0)
        await _until(lambda: told()[1] == 1, "it is past 02:00: Ben is on call")
        await _acknowledge(scada, _link(ben), "second", "ben")
        in_time(told()[2] == 1, "Ben was too late")
        await asyncio.sleep(15)
        assert told() == (1, 1, 1), "nobody is called again, and nobody else at all"


async def _until(true: Callable[[], bool], words: str, within: float = 15.0) -> None:
    end = asyncio.get_running_loop().time() + within
    while not true() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110  # what it waits for knows nothing of events
        await asyncio.sleep(0.05)
    in_time(true(), words)


def _link(hook: Hook) -> str:
    lines: list[str] = hook.calls[0][1]["message"].splitlines()
    return next(one for one in lines if one.startswith("Acknowledge: ")).partition(" ")[2]


async def _acknowledge(scada: Stage, link: str, device: str, who: str) -> None:
    """Whoever looks through mail opens it; the person presses the button, twice."""
    async with httpx.AsyncClient(timeout=20) as browser:
        shown = await browser.get(link)
        assert f"Acknowledge as {who}" in shown.text
        answers = [await browser.post(link) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 409]
    assert f"Acknowledged by {who}" in answers[0].text
    last = scada.last(f"hot-{device}")
    assert last is not None
    assert (last.state, last.by, last.why) == ("acknowledged", who, "by the link of a message")
