"""The fetcher against a real server on this machine: whatever comes, what is there goes on."""

import asyncio
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consumers.optimize import service
from consumers.optimize.download import Download, Refused
from consumers.optimize.fetch_rhythm import HOPELESS
from consumers.optimize.price_fetcher import PriceFetcher
from consumers.optimize.price_sources import PriceSources, fetched_folder
from consumers.optimize.publishers import Request
from runtime.part import Part
from runtime.settings import read_settings
from schemas.messages import Cause
from schemas.tariff import Tariff
from schemas.topics import PLAN
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_service import Ear, on_the_bus, plant_of, running, until
from tests.optimizer.test_price_documents import RECORDED

TOKEN = "not-for-any-log-4711"
NOW = datetime(2026, 10, 25, 13, tzinfo=UTC)
LONG_DAY = (RECORDED / "awattar_long_day.json").read_bytes()
ENTSOE = (RECORDED / "entsoe_long_day.xml").read_bytes()
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """Answers as it is told, and remembers who asked for what."""

    answer: Answer
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    came: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server(page(200, LONG_DAY))

    class Ask(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((self.command, self.path, dict(self.headers), body))
            told.came.set()
            self.close_connection = True
            told.answer(self)

        do_GET = do_POST = _any  # noqa: N815  # names of http.server

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Ask)
    told.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    yield told
    told.over.set()
    listening.shutdown()
    thread.join()
    listening.server_close()


def page(status: int, body: bytes = b"", size: int | None = None, **headers: str) -> Answer:
    def answer(ask: BaseHTTPRequestHandler) -> None:
        ask.send_response(status)
        for name, value in headers.items():
            ask.send_header(name.replace("_", "-"), value)
        ask.send_header("Content-Length", str(len(body) if size is None else size))
        ask.end_headers()
        ask.wfile.write(body)

    return answer


def chunked_and_cut(ask: BaseHTTPRequestHandler) -> None:
    ask.send_response(200)
    ask.send_header("Transfer-Encoding", "chunked")
    ask.end_headers()
    ask.wfile.write(b"%x\r\n%s\r\n" % (500, LONG_DAY[:500]))


def without_a_length(ask: BaseHTTPRequestHandler) -> None:
    ask.send_response(200)
    ask.end_headers()
    ask.wfile.write(LONG_DAY[:700])


def fetcher_of(tmp_path: Path, port: int, of: str = "awattar", area: str = "AT") -> PriceFetcher:
    fetch = f'fetch = {{ from = "{of}", url = "http://127.0.0.1:{port}/api" }}'
    tariff = f'import.day_ahead = {{ {fetch}, area = "{area}" }}'
    site = plant_site(tmp_path, tariff=tariff)
    env = {"JOULEBUS_STATE": str(tmp_path / "state"), "JOULEBUS_PRICE_TOKEN": TOKEN}
    part = Part("optimize", site, read_settings("optimize", env))
    rule = site.prices.import_.day_ahead
    assert rule is not None
    folder = fetched_folder(part.settings.state, rule)
    assert folder is not None
    return PriceFetcher(part, rule, folder)


async def test_a_document_is_kept_as_it_came_and_read_by_the_same_reader(tmp_path: Path, server: Server) -> None:
    fetcher = fetcher_of(tmp_path, server.port)
    known = await fetcher.once(NOW, None)
    assert known == datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert [one.read_bytes() for one in fetcher.folder.iterdir()] == [LONG_DAY]
    sources = PriceSources(fetcher.part.site, fetcher.part.settings.state)
    assert sources.series(NOW, time.time())["import"].at(NOW) == pytest.approx(-0.0125)
    method, path, _, _ = server.asked[0]
    asked = parse_qs(urlsplit(path).query)
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert (method, int(asked["start"][0]), int(asked["end"][0])) == (
        "GET", midnight.timestamp() * 1000, (midnight + timedelta(hours=49)).timestamp() * 1000,
    )  # fmt: skip


async def test_entsoe_and_tibber_are_asked_as_they_want_it(tmp_path: Path, server: Server) -> None:
    server.answer = page(200, ENTSOE)
    assert await fetcher_of(tmp_path, server.port, "entsoe", "NL").once(NOW, None) is not None
    asked = parse_qs(urlsplit(server.asked[0][1]).query)
    assert asked == {
        "documentType": ["A44"], "in_Domain": ["10YNL----------L"], "out_Domain": ["10YNL----------L"],
        "securityToken": [TOKEN], "periodStart": ["202610242200"], "periodEnd": ["202610262300"],
    }  # fmt: skip
    server.answer = page(200, (RECORDED / "tibber_long_day_then_quarters.json").read_bytes())
    assert await fetcher_of(tmp_path, server.port, "tibber", "").once(NOW, None) is not None
    method, path, headers, body = server.asked[1]
    assert (method, path, headers["Authorization"]) == ("POST", "/api", f"Bearer {TOKEN}")
    assert "QUARTER_HOURLY" in json.loads(body)["query"]


async def test_what_is_fetched_reaches_the_plan(
    broker: Broker, tmp_path: Path, server: Server, site_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole service: it starts without any price, and plans as soon as some came."""
    monkeypatch.setattr("consumers.optimize.price_fetcher.random.random", lambda: 0.05)
    begin = int(time.time()) // 3600 * 3_600_000
    hours = [{"start_timestamp": at, "end_timestamp": at + 3_600_000, "marketprice": 70.0, "unit": "Eur/MWh"}
             for at in range(begin - 24 * 3_600_000, begin + 40 * 3_600_000, 3_600_000)]  # fmt: skip
    server.answer = page(200, json.dumps({"object": "list", "data": hours}).encode())
    fetch = f'fetch = {{ from = "awattar", url = "http://127.0.0.1:{server.port}/" }}'
    site = plant_site(tmp_path, site_name, f'import.day_ahead = {{ {fetch}, area = "DE", plus = 0.1 }}')
    empty = f"sqlite+aiosqlite:///{tmp_path / 'none.db'}"
    async with plant_of(broker, site_name), on_the_bus(broker, "scada") as scada:
        ear = Ear(scada, PLAN.at(site=site_name))
        async with running(broker, site, "optimize", service.run, empty) as part:
            await until(lambda: ear.messages, within=30)
            assert {round(step.price_import, 6) for step in ear.messages[-1].steps} == {0.17}
            assert part.counts["prices_fetched"] + part.counts["prices_not_fetched"] == 1
        await ear.stop()


NO_DATA = (RECORDED / "entsoe_no_data.xml").read_bytes()


@pytest.mark.parametrize(
    ("answer", "words", "asked"),
    [
        (page(401), "answers 401: it does not accept the token", HOPELESS),
        (page(403), "answers 403: it does not accept the token", HOPELESS),
        (page(404), "answers 404: there is nothing", HOPELESS),
        (page(429, Retry_After="1200"), "answers 429: it was asked too often", 1200),
        (page(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), "answers 429", 0),
        (page(503, b"<html>"), "answers 503: it is busy", 0),
        (page(500), "answers 500: no document", 0),
        (page(302, Location="http://127.0.0.1:1/"), "302: it leads to another address, which is not followed", 0),
        (page(200, b"<!DOCTYPE html><p>maintenance"), "what came:1: a page of HTML", 0),
        (page(200, b""), "what came:1: not `timestamp_utc", 0),
        (page(200, LONG_DAY[:900], size=len(LONG_DAY)), "the document was cut off, 2322 bytes before its end", 0),
        (page(200, LONG_DAY[:900]), "it may be cut off", 0),
        (chunked_and_cut, "IncompleteRead", 0),
        (without_a_length, "it may be cut off", 0),
        (page(200, LONG_DAY.replace(b"Eur/", b"USD/")), "in USD and the tariff is in EUR", 0),
        (page(200, NO_DATA), "", 0),
        (page(200, b'{"data": []}'), "", 0),
        (lambda _: None, "Remote end closed", 0),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_said_and_harms_nothing(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture, *, answer: Answer, words: str, asked: float
) -> None:
    caplog.set_level(logging.DEBUG)
    fetcher, threads = fetcher_of(tmp_path, server.port), threading.active_count()
    known = await fetcher.once(NOW, None)
    server.answer = answer
    assert await fetcher.once(NOW + timedelta(hours=1), known) == known
    assert [one.read_bytes() for one in fetcher.folder.iterdir()] == [LONG_DAY]
    assert words in fetcher.part.causes.words
    assert (Cause.PRICES in fetcher.part.causes.names) is bool(words)
    assert (fetcher.asked, fetcher.failures) == (asked, 2)  # the first had no tomorrow
    assert TOKEN not in caplog.text + fetcher.part.causes.words
    server.answer = page(200, LONG_DAY)
    await fetcher.once(NOW + timedelta(hours=2), known)
    assert Cause.PRICES not in fetcher.part.causes.names
    assert threading.active_count() <= threads + 3  # of the server, and one of the pool


async def test_without_a_token_or_an_area_nobody_is_asked(tmp_path: Path, server: Server) -> None:
    for of, area, words in (("entsoe", "NL", "JOULEBUS_PRICE_TOKEN_FILE"), ("entsoe", "Atlantis", "no bidding zone")):
        fetcher = fetcher_of(tmp_path, server.port, of, area)
        if area == "NL":
            fetcher.part.settings = read_settings("optimize", {"JOULEBUS_STATE": str(tmp_path)})
        assert await fetcher.once(NOW, None) is None
        assert words in fetcher.part.causes.words
        assert fetcher.asked == HOPELESS
    assert server.asked == []


async def test_the_documents_of_a_month_are_kept(tmp_path: Path, server: Server) -> None:
    fetcher = fetcher_of(tmp_path, server.port)
    for minute in range(34):
        await fetcher.once(NOW + timedelta(minutes=minute), None)
    names = sorted(one.name for one in fetcher.folder.iterdir())
    assert (len(names), names[-1]) == (32, "20261025T133300Z.json")


async def test_a_silent_server_holds_up_neither_a_stop_nor_a_thread(tmp_path: Path, server: Server) -> None:
    def silent(_: BaseHTTPRequestHandler) -> None:
        server.over.wait()

    server.answer = silent
    fetcher = fetcher_of(tmp_path, server.port)
    asking = asyncio.create_task(fetcher.once(NOW, None))
    await asyncio.to_thread(server.came.wait, 5)
    began = time.monotonic()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert time.monotonic() - began < 2
    assert not fetcher.folder.exists()


def test_a_server_that_says_a_byte_now_and_then_is_left_in_time(server: Server) -> None:
    def dribble(ask: BaseHTTPRequestHandler) -> None:
        ask.send_response(200)
        ask.end_headers()
        while not server.over.wait(0.05):
            ask.wfile.write(b" ")
            ask.wfile.flush()

    server.answer = dribble
    began = time.monotonic()
    with pytest.raises(Refused, match=r"more than .* bytes or 0 s"):
        Download(Request(f"http://127.0.0.1:{server.port}/"), silence=5, deadline=0.3).run()
    assert time.monotonic() - began < 3
    server.over.set()


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    own = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    pem = tmp_path / "own.pem"
    pem.write_bytes(
        own.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(pem)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    listening.socket = secure.wrap_socket(listening.socket, server_side=True)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign]  # it is told that nobody trusts it
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    try:
        with pytest.raises(Refused, match="CERTIFICATE_VERIFY_FAILED"):
            Download(Request(f"https://127.0.0.1:{listening.server_address[1]}/")).run()
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.mark.parametrize("url", ["http://prices.example/api", "ftp://a", "https://user@host/", "file:///etc/passwd"])
def test_a_token_is_sent_over_tls_or_to_this_machine_only(url: str) -> None:
    with pytest.raises(ValueError, match="is no https:// address"):
        Tariff.model_validate({"import": {"day_ahead": {"fetch": {"from": "awattar", "url": url}, "area": "DE"}}})
