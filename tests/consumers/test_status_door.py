"""The door of the page over a real socket and a real broker: floods of guesses, and pages of other sites."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from consumers.status.guesses import FREE, LONGEST
from consumers.status.service import run
from joulebus.server import free_port
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Mode
from schemas.topics import CONTROL_REQUEST
from tests.conftest import Broker
from tests.consumers.test_status_page import answering
from tests.consumers.test_status_state import page_site
from tests.ear import Ear, ear

TOKEN = "5d8e1c0a97b34f26"
AUTO, LOCKOUT = ({"mode": mode, "who": "Ann"} for mode in ("auto", "lockout"))


@asynccontextmanager
async def page(broker: Broker, folder: Path, name: str, token: str | None) -> AsyncIterator[tuple[Part, str, Ear]]:
    """The page as a part, where it is, and what dispatch hears."""
    settings = Settings(parse_broker(broker.url("status"), "status", None, {}), f"sqlite+aiosqlite:///{folder}/a.db")
    part, address = Part("status", page_site(folder, name), settings), f"127.0.0.1:{free_port()}"
    serving = asyncio.create_task(run(part, port=int(address.rpartition(":")[2]), token=token))
    try:
        await answering(f"http://{address}")
        async with ear(broker.url("dispatch"), CONTROL_REQUEST.at(site=name)) as dispatch, asyncio.timeout(30):
            while not part.ready:  # noqa: ASYNC110  # a part tells nobody when it is connected
                await asyncio.sleep(0.02)
            yield part, address, dispatch
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


def browser_at(address: str, source: str = "127.0.0.1", token: str = TOKEN) -> httpx.AsyncClient:
    """Somebody at an address of this machine with a token."""
    transport = httpx.AsyncHTTPTransport(local_address=source, limits=httpx.Limits(max_connections=100))
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url=f"http://{address}", headers=headers, timeout=20)


async def test_a_flood_of_guesses_is_not_looked_at_and_keeps_no_operator_out(
    broker: Broker, tmp_path: Path, site_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    seconds, codes = 3.0, list[int]()
    async with page(broker, tmp_path, site_name, TOKEN) as (part, address, dispatch):

        async def guess(asking: httpx.AsyncClient, until: float) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                answer = await asking.post("/api/control", json=AUTO, headers={"authorization": f"Bearer {number:016}"})
                codes.append(answer.status_code)

        async with browser_at(address) as guesser, browser_at(address, "127.0.0.2") as ann:
            until = time.monotonic() + seconds
            guessing = [asyncio.create_task(guess(guesser, until)) for _ in range(8)]
            await asyncio.sleep(seconds / 2)
            elsewhere = [(await ann.post("/api/control", json=wish)).status_code for wish in (AUTO, LOCKOUT)]
            beside = [(await guesser.post("/api/control", json=wish)).status_code for wish in (AUTO, LOCKOUT)]
            await asyncio.gather(*guessing)
        assert elsewhere == [202, 202]
        assert beside == [429, 202], "at the address of the guesser only the lockout goes through"
        await dispatch.until(CONTROL_REQUEST, lambda _: len(dispatch.all(CONTROL_REQUEST)) == 3)
    assert codes.count(401) <= FREE + seconds
    assert codes.count(401) + codes.count(429) == len(codes) == part.counts["wrong_tokens"]
    assert [one.mode for one in dispatch.all(CONTROL_REQUEST)] == [Mode.AUTO, Mode.LOCKOUT, Mode.LOCKOUT]
    said = [record for record in caplog.records if "wrong token" in record.getMessage()]
    assert len(said) == 1
    assert seconds < LONGEST


async def test_a_body_that_never_comes_holds_nobody_up(
    broker: Broker, tmp_path: Path, site_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.status.door.SLOWEST", 0.3)
    async with page(broker, tmp_path, site_name, None) as (_, address, _dispatch):
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /api/control HTTP/1.1\r\nHost: {address}\r\nX-Joulebus: page\r\nContent-Length: 50\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", "192.0.2.1", ""])
async def test_a_rebound_name_sees_nothing_of_a_page_for_this_machine(
    broker: Broker, tmp_path: Path, site_name: str, host: str
) -> None:
    async with page(broker, tmp_path, site_name, None) as (_, address, dispatch), browser_at(address) as asking:
        headers = {"host": host, "x-joulebus": "page"}
        for where in ("/", "/api/state", "/api/series", "/events"):
            assert (await asking.get(where, headers=headers)).status_code == 403
        assert (await asking.post("/api/control", json=LOCKOUT, headers=headers)).status_code == 403
        assert (await asking.get("/api/state", headers={"host": "localhost"})).status_code == 200
        assert dispatch.heard == []
