"""The link of a message: what it shows, what it does, and whom it refuses."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notify.service import Teller
from consumers.status import acknowledge
from consumers.status.acknowledge import Links, listed
from consumers.status.app import create_app
from consumers.status.door import LARGEST
from consumers.status.service import Listener
from consumers.status.state import Said as SaidOnce
from consumers.status.state import State
from runtime.ack_link import (
    FORGED,
    BadLink,
    Claim,
    ListClaim,
    is_list,
    make_list_token,
    make_token,
    mark,
    read_list_token,
    read_token,
)
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Alarm, AlarmPriority, AlarmState, RequestOutcome
from schemas.site_file import load_site
from schemas.topics import M, Topic
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.notified import KEY, alarm, notify_table
from tests.consumers.test_alarms_service import WARM, everyone, on_the_bus, running, site_file
from tests.consumers.test_status_api import TOKEN, Said, curves
from tests.consumers.test_status_state import page_site

__all__ = ["site_file"]  # a fixture
RAISED = alarm()
SINCE = RAISED.since


def claim(**more: object) -> Claim:
    plain: dict[str, object] = {"site": "plant", "alarm": "hot-bms1", "since": SINCE, "person": "anna"}
    return Claim.model_validate(plain | {"until": utc_now() + timedelta(hours=1)} | more)


def app_of(state: State, said: Said) -> httpx.AsyncClient:
    links = Links(state, KEY, said.publish)
    app = create_app(state.site, dict, curves, said.publish, token=TOKEN, links=links)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("192.0.2.7", 4711)), base_url="http://ems.example"
    )


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(page_site(tmp_path), broker=True, alarms={"hot-bms1": RAISED})


FOREIGN = "0123456789abcdef" * 2
LINKS: dict[str, tuple[Claim, str, Alarm | None, int, str]] = {
    "it is as it was": (claim(), KEY, RAISED, 200, "Acknowledge as anna"),
    "another key": (claim(), FOREIGN, RAISED, 403, "was not made by this site"),
    "another site": (claim(site="other"), KEY, RAISED, 403, "belongs to another site"),
    "expired": (claim(until=utc_now() - timedelta(seconds=1)), KEY, RAISED, 403, "has expired"),
    "raised anew": (claim(since=SINCE - timedelta(hours=1)), KEY, RAISED, 409, "was raised anew"),
    "over": (claim(), KEY, None, 409, "this alarm is over".capitalize()),
    "acknowledged": (
        claim(), KEY, RAISED.model_copy(update={"state": AlarmState.ACKNOWLEDGED, "by": "ben"}), 409,
        "acknowledged by ben: there is nothing to acknowledge"),
    "shelved": (
        claim(), KEY, RAISED.model_copy(update={"state": AlarmState.SHELVED}), 409, "is shelved"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
async def test_a_link_that_is_opened_shows_and_never_acknowledges(name: str, state: State) -> None:
    said, (what, key, there, status, words) = Said(), LINKS[name]
    state.alarms = {} if there is None else {"hot-bms1": there}
    async with app_of(state, said) as client:
        address = f"/ack/{make_token(what, key)}"
        for _ in range(2):
            shown = await client.get(address)
            assert (shown.status_code, words in shown.text) == (status, True), shown.text
            assert shown.headers["cache-control"] == "no-store"
        assert said.orders == []
        if status != 200:
            assert (await client.post(address)).status_code == status
            assert said.orders == []


COLD = RAISED.model_copy(update={"device": "bms2", "priority": AlarmPriority.CRITICAL})
ANEW = RAISED.model_copy(update={"since": SINCE + timedelta(microseconds=1)})
LISTED = {"hot-bms1": SINCE, "cold-bms2": SINCE}
LISTS: dict[str, tuple[dict[str, Alarm], dict[str, datetime], int, list[str]]] = {
    "as it was": ({}, LISTED, 200, ["cold-bms2", "hot-bms1"]),
    "one raised later": ({"new-bms1": RAISED}, LISTED, 200, ["cold-bms2", "hot-bms1"]),
    "one raised anew": ({"hot-bms1": ANEW}, LISTED, 200, ["cold-bms2"]),
    "one acknowledged": (
        {"hot-bms1": RAISED.model_copy(update={"state": AlarmState.ACKNOWLEDGED})}, LISTED, 200, ["cold-bms2"]),
    "the raise of one under the name of another": ({}, {"cold-bms1": SINCE, "hot-bms2": SINCE}, 409, []),
    "all over": ({}, {"gone-bms1": SINCE}, 409, []),
}  # fmt: skip


def list_link(raises: Mapping[str, datetime], until: datetime | None = None) -> str:
    marks = tuple(mark("plant", name, since) for name, since in raises.items())
    return make_list_token(ListClaim("anna", until or utc_now() + timedelta(hours=1), marks), KEY, "plant")


@pytest.mark.parametrize("name", LISTS)
async def test_the_link_of_a_list_acknowledges_exactly_its_raises_once_and_by_its_button_alone(
    name: str, state: State
) -> None:
    changed, raises, status, asked = LISTS[name]
    said, state.alarms = Said(), {"hot-bms1": RAISED, "cold-bms2": COLD} | changed

    async def publish(topic: Topic[M], message: M, *, expiry: float | None = None, **place: str) -> None:
        """With an alarm service that answers at once."""
        await said.publish(topic, message, expiry=expiry, **place)
        word = RequestOutcome(id=getattr(message, "id", ""), at=utc_now(), followed=True)
        state.answers[word.id] = SaidOnce(word, 0.0)

    links = Links(state, KEY, publish)
    app = create_app(state.site, dict, curves, publish, token=TOKEN, links=links)
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://ems.example") as client:
        address = f"/ack/{list_link(raises)}"
        for _ in range(2):
            assert (await client.get(address)).status_code == status
        assert said.orders == []
        done = await client.post(address)
        assert done.status_code == status
        assert [topic.split("/")[4] for topic, *_ in said.orders] == asked
        assert {getattr(order, "since", None) for _, order, _ in said.orders} <= {SINCE}, "for that raise alone"
        assert (await client.post(address)).status_code == 409, "used"
        assert len(said.orders) == len(asked)
    if len(asked) == 2:
        assert "2 of 2 acknowledged by anna" in done.text


def test_the_page_reads_the_links_that_notify_makes(tmp_path: Path) -> None:
    table = notify_table({"mail": ""}, {"anna": '"mail"'}, '{ to = ["anna"] }')
    site = page_site(tmp_path, more=table.replace("[notify]", '[notify]\npage = "https://ems.example/"'))
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "notify", None, {}), "", state=tmp_path, ack_key=KEY)
    assert site.notify is not None
    teller = Teller(Part("notify", site, settings), site.notify, {}, {})
    url = teller._link([*LISTED.items()], "anna", utc_now(), True)
    assert url is not None
    assert url.startswith("https://ems.example/ack/")
    claim = read_list_token(unquote(url.rpartition("/")[2]), KEY, "plant", utc_now())
    assert [*listed(claim, {"hot-bms1": RAISED, "cold-bms2": COLD, "new-bms1": RAISED}, "plant")] == [*LISTED][::-1]
    one = teller._link([("hot-bms1", SINCE)], "anna", utc_now(), True)
    assert one is not None
    assert len(one) < 75


async def test_a_list_without_an_answer_can_be_asked_again_and_an_old_one_not(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledge, "PATIENCE", 0.05)
    said = Said()
    async with app_of(state, said) as client:
        for _ in range(2):
            assert (await client.post(f"/ack/{list_link(LISTED)}")).status_code == 202
        late = await client.post(f"/ack/{list_link(LISTED, utc_now())}")
    assert (late.status_code, "has expired" in late.text, len(said.orders)) == (403, True, 2)


async def test_the_address_is_no_door_to_anything_else(state: State) -> None:
    said = Said()
    async with app_of(state, said) as client:
        assert (await client.post("/ack/nothing")).status_code == 403
        assert (await client.post(f"/ack/{make_token(claim(), KEY)}/x")).status_code == 404
        assert (await client.post("/ack/../api/alarms/hot-bms1", content=b"{}")).status_code in (401, 404)
        assert (await client.post("/ack/x", content=b"x" * (LARGEST + 1))).status_code == 413
        state.broker = False
        assert (await client.post(f"/ack/{make_token(claim(), KEY)}")).status_code == 503
    assert said.orders == []


async def test_the_alarm_is_acknowledged_as_who_got_the_message_once(
    broker: Broker, site_file: Path, site_name: str
) -> None:
    """With the real alarm service; the browser sends no origin, for the page's referrer policy hides it."""
    settings = Settings(parse_broker(broker.url("status"), "status", None, {}), database="", ack_key=KEY)
    listener = Listener(Part("status", load_site(site_file), settings))
    async with running(broker, site_file), everyone(broker, site_name) as (plant, _, ear):
        await plant.until_heard("bms1", WARM, ear, cell_t_max=31.0)
        async with on_the_bus(broker, "status") as bus:
            work = asyncio.create_task(listener.work(bus))
            async with asyncio.timeout(10):
                while WARM not in listener.state.alarms:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            told = claim(site=site_name, alarm=WARM, since=ear.last(WARM).since)
            address = f"/ack/{make_token(told, KEY)}"
            links = Links(listener.state, KEY, listener.publish)
            app = create_app(listener.state.site, listener.view, curves, listener.publish, token=TOKEN, links=links)
            transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="https://ems.example") as client:
                answers = await asyncio.gather(*(client.post(address, headers={"origin": "null"}) for _ in range(2)))
            assert sorted(one.status_code for one in answers) == [200, 409]
            assert any("Acknowledged by anna" in one.text for one in answers)
            assert any("This link was used" in one.text for one in answers)
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        await ear.hears(WARM, "unacknowledged", "acknowledged")
        assert (ear.last(WARM).by, ear.last(WARM).why) == ("anna", "by the link of a message")


@given(st.integers(0, 400), st.sampled_from("abcXYZ019-_.=/ "))
def test_a_link_with_any_letter_changed_is_refused(place: int, letter: str) -> None:
    token = make_token(claim(), KEY)
    changed = token[: place % len(token)] + letter + token[place % len(token) + 1 :]
    if changed != token:
        with pytest.raises(BadLink, match="was not made by this site"):
            read_token(changed, KEY, "plant", utc_now())


@given(st.integers(0, 400), st.sampled_from("abcXYZ019-_.=/ "))
def test_the_link_of_a_list_with_any_letter_changed_is_refused(place: int, letter: str) -> None:
    token = list_link(LISTED)
    changed = token[: place % len(token)] + letter + token[place % len(token) + 1 :]
    if changed != token:
        with pytest.raises(BadLink, match="was not made by this site"):
            (read_list_token if is_list(changed) else read_token)(changed, KEY, "plant", utc_now())
    for key, site in ((FOREIGN, "plant"), (KEY, "other")):
        with pytest.raises(BadLink, match="was not made by this site"):
            read_list_token(token, key, site, utc_now())


@given(st.text(max_size=300))
def test_whatever_stands_in_a_link_it_is_refused_in_words(token: str) -> None:
    with pytest.raises(BadLink) as refused:
        (read_list_token if is_list(token) else read_token)(token, KEY, "plant", datetime.now(tz=SINCE.tzinfo))
    assert str(refused.value) == FORGED
