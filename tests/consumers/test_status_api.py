"""What the page's addresses answer to wrong, hostile and too many questions: never a 5xx of our own making."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from consumers.status.app import BEAT, create_app
from consumers.status.door import LARGEST, OFTEN
from consumers.status.foreseen import PLANNED
from consumers.status.guesses import FREE
from consumers.status.said import NotSaid
from consumers.status.series import ACTUAL, Asked
from schemas.alarm_name import alarm_name
from schemas.messages import AlarmRequest, ControlRequest, Mode
from schemas.topics import ALARM_REQUEST, COMMAND_TTL, CONTROL_REQUEST, M, Topic
from schemas.troubles import Trouble
from tests.consumers.test_status_state import page_site

PAGE = {"x-joulebus": "page", "content-type": "application/json"}
AUTO = b'{"mode": "auto", "who": "Ann"}'
LOCKOUT = b'{"mode": "lockout", "who": "Ann"}'
TOKEN = "5d8e1c0a97b34f26"
ACK = b'{"action": "ack", "who": "Ann"}'


class Said:
    """Takes what would go to the broker."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, BaseModel, float | None]] = []
        self.broken = False

    async def publish(self, topic: Topic[M], message: M, *, expiry: float | None = None, **place: str) -> None:
        if self.broken:
            raise NotSaid("there is no connection to the broker")
        self.orders.append((topic.at(**place), message, expiry))


async def curves(asked: Asked) -> dict[str, Any]:
    return {"hours": asked.ahead, "fault": "", "at": [], "columns": {name: [] for name in (*ACTUAL, *PLANNED)}}


@pytest.fixture
def said() -> Said:
    return Said()


def client(
    folder: Path, said: Said, *, token: str | None = None, come_from: str = "127.0.0.1", host: str = "127.0.0.1"
) -> httpx.AsyncClient:
    app = create_app(page_site(folder), lambda: {"broker": True, "archive": None}, curves, said.publish, token=token)
    transport = httpx.ASGITransport(app, client=(come_from, 4711))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


# --- who may act -------------------------------------------------------------------------------------


HERE = ("127.0.0.1", "127.0.0.1", None)
ELSEWHERE = ("192.0.2.7", "ems.example", TOKEN)
BEARER = {"authorization": f"Bearer {TOKEN}"}
CALLS: dict[str, tuple[tuple[str, str, str | None], dict[str, Any], int]] = {
    "page here": (("127.0.0.1", "localhost:8080", None), PAGE, 202),
    "page here, IPv6": (("::1", "[::1]", None), PAGE, 202),
    "the browser says so": (HERE, PAGE | {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}, 202),
    "another page here": (HERE, {}, 403),
    "rebound name": (("127.0.0.1", "attacker.example", None), PAGE, 403),
    "from elsewhere": (("192.0.2.7", "127.0.0.1", None), PAGE, 403),
    "through a proxy": (HERE, PAGE | {"x-forwarded-for": "192.0.2.7"}, 403),
    "through another proxy": (HERE, PAGE | {"via": "1.1 gate"}, 403),
    "another origin": (HERE, PAGE | {"origin": "http://attacker.example"}, 403),
    "another port": (HERE, PAGE | {"origin": "http://127.0.0.1:9999"}, 403),
    "no origin it would tell": (HERE, PAGE | {"origin": "null"}, 403),
    "an origin that is none": (HERE, PAGE | {"origin": "http://["}, 403),
    "cross-site": (HERE, PAGE | {"sec-fetch-site": "cross-site"}, 403),
    "same site, another origin": (HERE, PAGE | {"sec-fetch-site": "same-site"}, 403),
    "the same by name only": (HERE, PAGE | {"sec-fetch-site": "same-origin", "origin": "https://ems.example"}, 403),
    "no token": (ELSEWHERE, PAGE, 401),
    "no token here": (("127.0.0.1", "127.0.0.1", TOKEN), PAGE, 401),
    "wrong token": (ELSEWHERE, {"authorization": "Bearer wrong"}, 401),
    "strange token": (ELSEWHERE, {"authorization": "Bearer secr\xe9t".encode("latin-1")}, 401),
    "no kind": (ELSEWHERE, {"authorization": TOKEN}, 401),
    "another kind": (ELSEWHERE, {"authorization": f"Basic {TOKEN}"}, 401),
    "empty": (ELSEWHERE, {"authorization": "Bearer "}, 401),
    "a part of it": (ELSEWHERE, {"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
    "token": (ELSEWHERE, BEARER, 202),
    "token of a browser": (ELSEWHERE, BEARER | {"origin": "http://ems.example"}, 202),
    "token behind a proxy": (ELSEWHERE, BEARER | {"sec-fetch-site": "same-origin", "origin": "https://ems"}, 202),
    "token of another page": (ELSEWHERE, BEARER | {"origin": "http://attacker.example"}, 403),
    "token of another site": (ELSEWHERE, BEARER | {"sec-fetch-site": "cross-site"}, 403),
}


@pytest.mark.parametrize(("caller", "headers", "answer"), CALLS.values(), ids=CALLS)
async def test_who_may_act(
    tmp_path: Path, said: Said, caller: tuple[str, str, str | None], headers: dict[str, Any], answer: int
) -> None:
    come_from, host, token = caller
    async with client(tmp_path, said, token=token, come_from=come_from, host=host) as asking:
        for address, body in (("/api/control", AUTO), ("/api/alarms/soc_low-bms1", ACK)):
            response = await asking.post(address, content=body, headers=headers)
            assert response.status_code == answer, response.text
    assert len(said.orders) == (2 if answer == 202 else 0)


@pytest.mark.parametrize("token", ["", "x", "secret", "a" * 40, "token with blanks in it", "schlüssel-schlüssel"])
def test_a_token_that_opens_to_anybody_is_refused_at_the_start(tmp_path: Path, said: Said, token: str) -> None:
    with pytest.raises(Trouble, match=r"JOULEBUS_PAGE_TOKEN.*openssl rand -hex 32"):
        create_app(page_site(tmp_path), dict, curves, said.publish, token=token)


async def test_a_lockout_never_waits(tmp_path: Path, said: Said) -> None:
    """A program that asks too often, and one that guesses: neither keeps an operator from stopping the battery."""
    async with client(tmp_path, said) as asking:
        for _ in range(OFTEN + 10):
            await asking.post("/api/control", content=AUTO, headers=PAGE)
        manual = await asking.post("/api/control", content=AUTO, headers=PAGE)
        answers = [await asking.post("/api/control", content=LOCKOUT, headers=PAGE) for _ in range(OFTEN + 10)]
        foreign = await asking.post("/api/control", content=LOCKOUT)
        disguised = await asking.post("/api/alarms/soc_low-bms1", content=LOCKOUT, headers=PAGE)
        wrong = await asking.post("/api/control", content=b'{"mode": "lockout"}', headers=PAGE)
    assert manual.status_code == 429
    assert {answer.status_code for answer in answers} == {202}
    assert len(said.orders) == OFTEN + len(answers)
    assert (foreign.status_code, disguised.status_code, wrong.status_code) == (403, 429, 429)


async def test_a_guesser_waits_and_cannot_tell_when_he_was_right(
    tmp_path: Path, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(tmp_path, said, token=TOKEN, come_from="192.0.2.66") as guessing:
        wrong = [await guess(guessing, f"guess-{number}") for number in range(FREE + 20)]
        right = await guess(guessing, TOKEN)
        locked = await guess(guessing, TOKEN, LOCKOUT)
        blind = await guess(guessing, "another guess", LOCKOUT)
    assert [one.status_code for one in wrong] == [401] * (FREE - 1) + [429] * 21
    assert (right.status_code, right.json(), right.headers) == (429, wrong[-1].json(), wrong[-1].headers)
    assert (locked.status_code, blind.status_code) == (202, 429), "who has the right to act may always lock out"
    assert len(said.orders) == 1
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert lines == ["a wrong token for the page from 192.0.2.66"]


async def guess(asking: httpx.AsyncClient, token: str, body: bytes = AUTO) -> httpx.Response:
    return await asking.post("/api/control", content=body, headers={"authorization": f"Bearer {token}"})


async def test_a_wish_goes_out_whole_and_on_time(tmp_path: Path, said: Said) -> None:
    manual = b'{"mode": "manual", "who": "Ann", "why": "test", "power": -5000, "until": "2030-01-01T00:00:00Z"}'
    async with client(tmp_path, said) as asking:
        posts = (("/api/control", manual), ("/api/alarms/soc_low-bms1", ACK))
        named = [(await asking.post(where, content=body, headers=PAGE)).json() for where, body in posts]
    (where, wish, expiry), (alarm, answer, _) = said.orders
    assert (where, expiry) == (CONTROL_REQUEST.at(site="plant"), COMMAND_TTL)
    assert isinstance(wish, ControlRequest)
    assert (wish.mode, wish.power, wish.who) == (Mode.MANUAL, -5000.0, "Ann")
    assert alarm == ALARM_REQUEST.at(site="plant", alarm="soc_low-bms1")
    assert isinstance(answer, AlarmRequest)
    assert [one["id"] for one in named] == [wish.id, answer.id]
    assert len({wish.id, answer.id, None}) == 3
    # what goes out is the public contract, though the page need not say the time
    assert AlarmRequest.model_validate_json(answer.model_dump_json()).action == "ack"


async def test_without_the_broker_the_operator_is_told(tmp_path: Path, said: Said) -> None:
    said.broken = True
    async with client(tmp_path, said) as asking:
        response = await asking.post("/api/control", content=AUTO, headers=PAGE)
    assert (response.status_code, response.json()["detail"]) == (503, "there is no connection to the broker")


# --- what is asked ------------------------------------------------------------------------------------

WRONG = {
    "nothing": b"",
    "not JSON": b"{",
    "NaN": b'{"mode": "manual", "who": "Ann", "power": NaN, "until": "2030-01-01T00:00:00Z"}',
    "1e999": b'{"mode": "manual", "who": "Ann", "power": 1e999, "until": "2030-01-01T00:00:00Z"}',
    "a text for a number": b'{"mode": "manual", "who": "Ann", "power": "5", "until": "2030-01-01T00:00:00Z"}',
    "no lease": b'{"mode": "manual", "who": "Ann", "power": 5}',
    "an unknown key": b'{"mode": "auto", "who": "Ann", "force": true}',
    "nobody": b'{"mode": "auto", "who": ""}',
    "no zone": b'{"mode": "auto", "who": "Ann", "until": "2030-01-01T00:00:00"}',
    "a list": b"[1]",
    "deep": b"[" * 60_000,
    "deep objects": b'{"a":' * 10_000,
    "not UTF-8": b'{"mode": "auto", "who": "\xff\xfe"}',
    "lone surrogate": b'{"mode": "auto", "who": "\\ud800"}',
    "a large number": b'{"mode": "auto", "who": ' + b"9" * 60_000 + b"}",
}


@pytest.mark.parametrize("address", ["/api/control", "/api/alarms/soc_low-bms1", "/api/alarms/ack"])
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
async def test_a_wrong_wish_is_refused_in_words(tmp_path: Path, said: Said, address: str, body: bytes) -> None:
    async with client(tmp_path, said) as asking:
        response = await asking.post(address, content=body, headers=PAGE)
    assert response.status_code == 422
    assert response.json()["detail"][0]["why"]
    assert said.orders == []


async def test_an_alarm_with_the_longest_names_can_be_answered(tmp_path: Path, said: Said) -> None:
    name = alarm_name("r" * 64, "d" * 64)
    async with client(tmp_path, said) as asking:
        assert (await asking.post(f"/api/alarms/{name}", content=ACK, headers=PAGE)).status_code == 202


@pytest.mark.parametrize(
    ("method", "address", "answer"),
    [
        ("POST", "/", 405),
        ("PUT", "/api/control", 405),
        ("DELETE", "/api/alarms/a", 405),
        ("GET", "/api/control", 405),
        ("POST", "/api/alarms/UPPER", 422),
        ("POST", "/api/alarms/a+b", 422),
        ("POST", "/api/alarms/%23", 422),
        ("POST", "/api/alarms/" + "a" * 194, 422),
        ("GET", "/api/alarms/../../etc/passwd", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/docs", 404),
        ("GET", "/api/series?point=nonsense", 422),
        ("GET", "/api/series?hours=nan", 422),
        ("GET", "/api/series?hours=inf", 422),
        ("GET", "/api/series?hours=-1", 422),
        ("GET", "/api/series?hours=169", 422),
        ("GET", "/api/series?back=-1", 422),
        ("GET", "/api/series?ahead=nan", 422),
        ("GET", "/api/series?day=yesterday", 422),
        ("GET", "/api/series?day=9999-12-31", 422),
    ],
)
async def test_a_wrong_question_is_answered(tmp_path: Path, said: Said, method: str, address: str, answer: int) -> None:
    async with client(tmp_path, said) as asking:
        response = await asking.request(method, address, content=ACK if method == "POST" else None, headers=PAGE)
    assert response.status_code == answer, response.text
    assert said.orders == []


async def test_a_large_body_is_refused_before_it_is_read(tmp_path: Path, said: Said) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(60):
            read += 1_000_000
            yield b" " * 1_000_000

    async with client(tmp_path, said) as asking:
        told = await asking.post("/api/control", content=b"", headers=PAGE | {"content-length": "60000000"})
        chunked = await asking.post("/api/control", content=endless(), headers=PAGE)
        strange = await asking.post("/api/control", content=b"", headers=PAGE | {"content-length": "-1"})
        most = await asking.post("/api/control", content=AUTO.ljust(LARGEST), headers=PAGE)
    assert [one.status_code for one in (told, chunked, strange, most)] == [413, 413, 413, 202]
    assert read <= 2_000_000


async def test_a_person_does_not_click_that_fast(tmp_path: Path, said: Said) -> None:
    async with client(tmp_path, said) as asking:
        answers = [
            (await asking.post("/api/control", content=AUTO, headers=PAGE)).status_code for _ in range(OFTEN + 5)
        ]
        assert (await asking.get("/api/state")).status_code == 200
    assert answers == [202] * OFTEN + [429] * 5


# --- reading -------------------------------------------------------------------------------------------


async def test_reading_needs_no_token_and_says_nothing_to_other_sites(tmp_path: Path, said: Said) -> None:
    async with client(tmp_path, said, token=TOKEN, come_from="192.0.2.7") as asking:
        page = await asking.get("/")
        assert page.status_code == 200
        assert ">Test &amp; &lt;Site&gt;</h1>" in page.text
        assert TOKEN not in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "access-control-allow-origin" not in page.headers
        assert (await asking.get("/health")).json() == {"status": "ok", "broker": True, "archive": None}
        for file in ("page.js", "page.css", "uPlot.js", "uPlot.css", "curves.js", "asks.js", "words.js"):
            assert (await asking.get(f"/static/{file}")).status_code == 200


async def test_curves_are_chosen_by_name(tmp_path: Path, said: Said) -> None:
    async with client(tmp_path, said) as asking:
        some = (await asking.get("/api/series?point=grid&point=plan_soc&hours=24")).json()
        every = (await asking.get("/api/series")).json()
    assert (sorted(some["columns"]), some["hours"]) == (["grid", "plan_soc"], 24)
    assert set(every["columns"]) == {*ACTUAL, *PLANNED}


async def test_however_many_look_the_state_is_made_once_a_beat(tmp_path: Path, said: Said) -> None:
    closing, made = asyncio.Event(), 0

    def view() -> dict[str, Any]:
        nonlocal made
        made += 1
        return {"tick": made}

    loop = asyncio.get_running_loop()
    app = create_app(page_site(tmp_path), view, curves, said.publish, closing=closing)
    loop.call_later(0.3, closing.set)
    began = loop.time()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as asking:
        every = await asyncio.gather(*(asking.get("/events", timeout=20) for _ in range(50)))
    beats = (loop.time() - began) / (BEAT / 2)  # a busy machine needs more than one to answer all of them
    assert all('data: {"tick": ' in one.text for one in every)
    assert made <= 2 + beats < 25


async def test_the_stream_ends_when_the_page_closes(tmp_path: Path, said: Said) -> None:
    closing = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, closing.set)
    app = create_app(page_site(tmp_path), lambda: {"tick": 1}, curves, said.publish, closing=closing)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as asking:
        response = await asking.get("/events", timeout=5)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert 'data: {"tick": 1}' in response.text
